//! The end of an update's pipeline: partitions that take no more rows → a run file.

use super::retention::keep_from;
use super::{Section, Writer};
use crate::accumulate::Closed;
use crate::accumulate::SortScratch;
use crate::base::cancel::Cancel;
use crate::base::error::{Result, Stage};
use crate::base::merge::Merge;
use crate::base::money::Total;
use crate::base::threads::{lock, parallel_map};
use crate::model::note::KeptNotes;
use crate::model::state_batch::StateBatch;
use crate::model::window::Span;
use crate::orders::LineSummary;
use crate::spill::{FRAME_CUSTOMERS, RunStore, RunWriter, Sorter, copy};
use crate::stats::{Snapshot, Stats};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// The outcome of saving.
#[derive(Debug, Clone)]
pub(crate) struct Saved {
    /// The first and the last window with a row.
    pub(crate) keys: Option<(u32, u32)>,
    /// From when to when there are data.
    pub(crate) span: Option<Span>,
    /// The end of the last period with money that was given back without an order.
    pub(crate) refunds_until: Option<i64>,
    /// What was noticed about the inputs.
    pub(crate) notes: KeptNotes,
    /// The counts of the run.
    pub(crate) rows: Snapshot,
    /// Of lines, where there were any.
    pub(crate) lines: Option<LineSummary>,
    /// How many orders were left out because the state has them, by the run file that does.
    pub(crate) known_in: BTreeMap<String, u64>,
}

/// Writes the customers of all partitions, on the threads of the current pool. What was spilled is in `store`, and read in `merge_memory`.
/// Entries in windows before `kept_from` are left out; their orders, and what these are worth, are given.
///
/// # Errors
/// When runs cannot be read, or the file cannot be written.
pub(crate) fn save(
    partitions: Vec<Closed>,
    store: &dyn RunStore,
    merge_memory: u64,
    cancel: &Cancel,
    to: &Writer,
    stats: &Stats,
    kept_from: Option<u32>,
) -> Result<(u64, Total)> {
    stats.enter(Stage::Finalize);
    let start = || (SortScratch::default(), StateBatch::default(), StateBatch::default());
    let dropped = Mutex::new((0, Total::default()));
    parallel_map(partitions, start, |(scratch, columns, kept), (number, partition, _reserved): Closed| {
        let mut writer = RunWriter::new(to.frames());
        partition.drain(FRAME_CUSTOMERS, scratch)?.merge(Vec::new(), store, merge_memory, FRAME_CUSTOMERS, columns, |states| {
            cancel.check()?;
            stats.count_customers(states.len() as u64);
            let Some(from) = kept_from else { return writer.write(states) };
            let (orders, amount) = keep_from(states, from, kept);
            let mut dropped = lock(&dropped);
            dropped.0 += orders;
            dropped.1.merge(amount);
            writer.write(kept)
        })?;
        to.add(number, writer.finish());
        stats.partition_finished();
        Ok(())
    })?;
    Ok(dropped.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// Writes records, if there are any: rows left out, or rows for later audits to judge.
///
/// # Errors
/// When they cannot be read or written.
pub(crate) fn save_records(section: Section, records: Option<&Sorter>, to: &Writer) -> Result<()> {
    let Some(sorter) = records else { return Ok(()) };
    to.add_records(section, &copy(&sorter.finish()?, to.frames(), |_| true)?);
    Ok(())
}
