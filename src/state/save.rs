//! The end of an update's pipeline: partitions → a run file.

use super::{Section, Writer};
use crate::accumulate::Room;
use crate::accumulate::accumulator::Closed;
use crate::base::error::{Result, Stage};
use crate::base::threads::{lock, share_out};
use crate::finalize::finish::Resources;
use crate::model::state_batch::States;
use crate::orders::LineSummary;
use crate::spill::{FRAME_CUSTOMERS, RunWriter, SortedBatches, Sorter, copy};
use crate::stats::{Snapshot, Stats};
use std::sync::Mutex;

/// What was saved.
#[derive(Debug, Clone)]
pub(crate) struct Saved {
    /// The first and the last window with a row.
    pub(crate) keys: Option<(u32, u32)>,
    /// What was counted.
    pub(crate) rows: Snapshot,
    /// Of lines, where there were any.
    pub(crate) lines: Option<LineSummary>,
}

/// Writes the customers of all partitions, rows left out, and open rows, on the threads of the current pool.
pub(crate) fn save(partitions: Vec<Closed>, memory: &Resources, open: Option<&Sorter>, to: &Writer, stats: &Stats) -> Result<()> {
    stats.enter(Stage::Finalize);
    let places: Vec<Mutex<Option<Closed>>> = partitions.into_iter().map(|partition| Mutex::new(Some(partition))).collect();
    let start = || (Room::default(), States::default());
    share_out(places.len(), start, |(room, states), at| {
        memory.cancel.check()?;
        let Some((number, partition, _reserved)) = lock(&places[at]).take() else { return Ok(()) };
        let mut writer = RunWriter::new(to.frames());
        match partition.close(FRAME_CUSTOMERS, room) {
            Ok(folded) => {
                for customers in folded.pieces(FRAME_CUSTOMERS) {
                    folded.fill(customers, states);
                    stats.count_customers(states.len() as u64);
                    writer.write(states)?;
                }
            }
            Err((states, runs)) => {
                let held = Box::new(SortedBatches(states.into_iter()));
                runs.merge(vec![held], &*memory.store, memory.plan.merge_memory, FRAME_CUSTOMERS, |states| {
                    memory.cancel.check()?;
                    stats.count_customers(states.len() as u64);
                    writer.write(states)
                })?;
            }
        }
        to.add(number, writer.finish());
        stats.partition_finished();
        Ok(())
    })?;
    for (section, sorter) in [(Section::Rejects, memory.rejects.as_deref()), (Section::Open, open)] {
        let Some(sorter) = sorter else { continue };
        to.add_records(section, &copy(&sorter.finish()?, to.frames())?);
    }
    Ok(())
}
