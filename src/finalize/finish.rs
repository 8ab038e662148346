//! Partitions that take no more rows → blocks, and what the first pass over them finds.

use crate::accumulate::Folded;
use crate::accumulate::Room;
use crate::accumulate::accumulator::Closed;
use crate::base::cancel::Cancel;
use crate::base::error::Result;
use crate::base::error::Stage;
use crate::base::merge::Merge;
use crate::base::threads::share_out;
use crate::finalize::Block;
use crate::finalize::arithmetic::Finalizer;
use crate::finalize::blocks::Held;
use crate::finalize::blocks::IdBytes;
use crate::finalize::blocks::Piece;
use crate::finalize::blocks::Pieces;
use crate::finalize::blocks::Resident;
use crate::finalize::blocks::SavedRun;
use crate::lens::Lens;
use crate::model::reject::Reject;
use crate::model::state_batch::States;
use crate::report::LeftOut;
use crate::spill::BlockRef;
use crate::spill::FRAME_CUSTOMERS;
use crate::spill::Plan;
use crate::spill::RunStore;
use crate::spill::Runs;
use crate::spill::Sorted;
use crate::spill::SortedBatches;
use crate::spill::Sorter;
use crate::spill::encode;
use crate::stats::Stats;
use std::sync::Arc;
use std::sync::Mutex;

/// The most entries of a piece: far more than its customers have, but for very many windows.
pub(crate) const ENTRIES_PER_PIECE: usize = 1 << 18;

/// Customers left out while partitions are finished.
#[derive(Default)]
pub(crate) struct Refused {
    pub(crate) counts: LeftOut,
    /// The least, where they are not kept.
    pub(crate) first: Option<Reject>,
}

impl Refused {
    /// Counts a reject; keeps it where that is wanted.
    fn take(&mut self, window: u32, reject: Reject, kept: Option<&Sorter>) -> Result<()> {
        *self.counts.entry(window).or_default().entry(reject.reason).or_default() += 1;
        match kept {
            Some(kept) => kept.buffer().push(|out| reject.write(out)),
            None => {
                self.first = self.first.take().into_iter().chain([reject]).min();
                Ok(())
            }
        }
    }
}

impl Merge for Refused {
    fn merge(&mut self, other: Refused) {
        Merge::merge(&mut self.counts, other.counts);
        self.first = self.first.take().into_iter().chain(other.first).min();
    }
}

/// The first pass.
pub(crate) fn finish_partitions<L: Lens>(
    partitions: Vec<Closed>,
    memory: &Resources,
    finalizer: Finalizer,
    lens: &L,
    stats: &Stats,
) -> Result<(Pieces, L::Partial, Refused)> {
    let windows = &finalizer.windows;
    // A piece is one frame, whatever its customers did.
    let most = FRAME_CUSTOMERS.min(ENTRIES_PER_PIECE / windows.len().max(1));
    let mut partitions = partitions;
    partitions.sort_by_key(|(number, ..)| *number);
    let places: Vec<Mutex<(Option<Closed>, Vec<Piece>)>> = partitions.into_iter().map(|p| Mutex::new((Some(p), Vec::new()))).collect();
    let start = || (Room::default(), States::default(), Block::default(), lens.empty(windows), Refused::default(), IdBytes::default());
    let finish = |(room, states, block, partial, refused, ids): &mut (Room, States, Block, L::Partial, Refused, IdBytes), at: usize| {
        memory.cancel.check()?;
        let Ok(mut place) = places[at].lock() else { return Ok(()) };
        let Some((number, partition, mut reserved)) = place.0.take() else { return Ok(()) };
        let pieces = &mut place.1;
        let mut observe = |states: &States| {
            let mut taken = Ok(());
            let mut take = |window, reject| {
                if taken.is_ok() {
                    taken = refused.take(window, reject, memory.rejects.as_deref());
                }
            };
            finalizer.fill(states, block, Some(&mut take));
            taken?;
            lens.observe(partial, block);
            stats.count_customers(states.len() as u64);
            ids.add(states);
            Ok(block.len())
        };
        let saved: Vec<_> = memory.saved.iter().filter(|run| run.file.frames_of(number) > 0).collect();
        let mut streams: Vec<Box<dyn Sorted + '_>> = saved.iter().map(|run| Box::new(run.file.stream(number, &run.rollup)) as _).collect();
        let mut merge = |streams, runs: Runs, observe: &mut dyn FnMut(&States) -> Result<usize>| {
            runs.merge(streams, &*memory.store, memory.plan.merge_memory, most, |states| {
                memory.cancel.check()?;
                pieces.push(Piece { rows: observe(states)?, held: Held::Frame(memory.frame(states)?) });
                Ok(())
            })
        };
        match partition.close(most, room) {
            // What was saved stays where it is.
            Ok(folded) if folded.len() == 0 && saved.len() == 1 => {
                let mut bytes = Vec::new();
                for frame in 0..saved[0].file.frames_of(number) {
                    saved[0].file.read(number, frame, &mut bytes, states)?;
                    saved[0].rollup.apply(states);
                    let held = Held::Saved { run: saved[0].clone(), partition: number, frame };
                    pieces.push(Piece { rows: observe(states)?, held });
                }
            }
            Ok(folded) if !saved.is_empty() => {
                let ranges = folded.pieces(most).into_iter();
                streams.push(Box::new(FoldedStream { folded, ranges }));
                merge(streams, Runs::default(), &mut observe)?;
            }
            Ok(folded) => {
                // It stays as it is, unless it no longer fits.
                let fits = reserved.resize(folded.memory() as u64);
                let partition = Arc::new(Resident { folded, _reserved: reserved });
                for customers in partition.folded.pieces(most) {
                    partition.folded.fill(customers.clone(), states);
                    let held =
                        if fits { Held::Folded { partition: partition.clone(), customers } } else { Held::Frame(memory.frame(states)?) };
                    pieces.push(Piece { rows: observe(states)?, held });
                }
            }
            Err((states, runs)) => {
                drop(reserved);
                streams.push(Box::new(SortedBatches(states.into_iter())));
                merge(streams, runs, &mut observe)?;
            }
        }
        stats.partition_finished();
        Ok(())
    };
    let done = share_out(places.len(), start, finish).map_err(|e| e.stage(Stage::Finalize))?;
    let (mut all, mut left_out, mut ids) = (lens.empty(windows), Refused::default(), IdBytes::default());
    for (.., partial, refused, own_ids) in done {
        all.merge(partial);
        left_out.merge(refused);
        ids.merge(own_ids);
    }
    let pieces = places.into_iter().filter_map(|place| place.into_inner().ok()).flat_map(|(_, pieces)| pieces).collect();
    Ok((Pieces::new(pieces, finalizer, ids, memory.store.clone(), memory.cancel.clone()), all, left_out))
}

/// A partition's customers as a stream.
pub(crate) struct FoldedStream {
    folded: Folded,
    ranges: std::vec::IntoIter<std::ops::Range<u32>>,
}

impl Sorted for FoldedStream {
    fn next(&mut self, states: &mut States) -> Result<bool> {
        Ok(self.ranges.next().is_some_and(|range| {
            self.folded.fill(range, states);
            true
        }))
    }
}

/// What finishing has to work with.
pub(crate) struct Resources {
    pub(crate) plan: Plan,
    /// Takes what does not fit as it is: packed, three times as much stays in memory.
    pub(crate) store: Arc<dyn RunStore>,
    /// Takes the customers left out, where they are not only counted.
    pub(crate) rejects: Option<Arc<Sorter>>,
    pub(crate) cancel: Cancel,
    /// Saved states that the run took in.
    pub(crate) saved: Vec<Arc<SavedRun>>,
}

impl Resources {
    fn frame(&self, states: &States) -> Result<BlockRef> {
        self.cancel.check()?;
        let mut bytes = Vec::new();
        encode(states, 0..states.len(), &mut bytes)?;
        self.store.put(&bytes)
    }
}
