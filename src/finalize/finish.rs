//! Partitions that take no more rows → blocks, and what the first pass over them finds.

use crate::accumulate::{Closed, Drained, SortScratch};
use crate::base::cancel::Cancel;
use crate::base::error::{Result, Stage};
use crate::base::merge::Merge;
use crate::base::money::Total;
use crate::base::threads::parallel_map;
use crate::finalize::Block;
use crate::finalize::arithmetic::Finalizer;
use crate::finalize::blocks::{BlockSource, Blocks, IdBytes, ResidentPartition, SavedRun, StatesAt};
use crate::finalize::id_signs::IdSigns;
use crate::model::cause::Causes;
use crate::model::columns::Column;
use crate::model::reject::{LeftOut, LeftOutSum, Reject};
use crate::model::state_batch::StateBatch;
use crate::spill::{FRAME_CUSTOMERS, FrameRef, Plan, RunStore, Sorter, Sorting, encode};
use crate::stats::Stats;
use std::sync::Arc;

/// The most entries of a block: far more than its customers have, but for very many windows.
const ENTRIES_PER_BLOCK: usize = 1 << 18;

/// Customers left out while partitions are finished.
#[derive(Default)]
pub(crate) struct Refused {
    pub(crate) counts: LeftOut,
    /// The causes that they are to end the run, where they are not kept.
    pub(crate) causes: Causes,
}

impl Refused {
    /// Counts a reject; keeps it where that is wanted.
    fn take(&mut self, window: u32, column: Column, spend: Total, reject: Reject, kept: Option<&Sorter>) -> Result<()> {
        let one = LeftOutSum { customers: 1, amount: spend.rounded() };
        self.counts.entry(window).or_default().entry(reject.reason).or_default().merge(one);
        match kept {
            Some(kept) => kept.buffer().push(|out| reject.write(out)),
            None => {
                self.causes.add_customer(column.name(), spend, reject);
                Ok(())
            }
        }
    }
}

impl Merge for Refused {
    fn merge(&mut self, other: Refused) {
        Merge::merge(&mut self.counts, other.counts);
        self.causes.merge(other.causes);
    }
}

/// The outcome of the first pass.
pub(crate) struct Finished<P> {
    pub(crate) blocks: Blocks,
    /// The observations of all blocks.
    pub(crate) partial: P,
    pub(crate) refused: Refused,
}

/// The working memory and sums of one finishing thread.
struct Finishing<P> {
    scratch: SortScratch,
    states: StateBatch,
    block: Block,
    partial: P,
    refused: Refused,
    ids: IdBytes,
    noticed: IdSigns,
}

/// Ends all partitions, on the threads of the current pool: customers of saved states are added to those of the run, every block is
/// made once for `observe`, and what it was made of stays where the next passes find it.
///
/// # Errors
/// When runs or saved states cannot be read, or what does not fit in memory cannot be written.
pub(crate) fn finish<P: Merge + Send>(
    mut partitions: Vec<Closed>,
    memory: &Resources,
    finalizer: Finalizer,
    empty: impl Fn() -> P + Sync,
    observe: impl Fn(&mut P, &Block) + Sync,
    stats: &Stats,
) -> Result<Finished<P>> {
    // A block's states are one frame, whatever its customers did.
    let most = FRAME_CUSTOMERS.min(ENTRIES_PER_BLOCK / finalizer.windows.len().max(1));
    partitions.sort_by_key(|(number, ..)| *number);
    let start = || Finishing {
        scratch: SortScratch::default(),
        states: StateBatch::default(),
        block: Block::default(),
        partial: empty(),
        refused: Refused::default(),
        ids: IdBytes::default(),
        noticed: IdSigns::default(),
    };
    let work = |thread: &mut Finishing<P>, closed: Closed| {
        let blocks = thread.finish(closed, memory, &finalizer, &observe, most, stats)?;
        stats.partition_finished();
        Ok(blocks)
    };
    let (threads, blocks) = parallel_map(partitions, start, work).map_err(|e| e.stage(Stage::Finalize))?;
    let (mut partial, mut refused, mut ids, mut noticed) = (empty(), Refused::default(), IdBytes::default(), IdSigns::default());
    for thread in threads {
        partial.merge(thread.partial);
        refused.merge(thread.refused);
        ids.merge(thread.ids);
        noticed.merge(thread.noticed);
    }
    stats.share_notes(noticed.notes());
    let blocks = blocks.into_iter().flatten().collect();
    Ok(Finished { blocks: Blocks::new(blocks, finalizer, ids, memory.store.clone(), memory.cancel.clone()), partial, refused })
}

impl<P> Finishing<P> {
    /// Ends one partition.
    fn finish(
        &mut self,
        (number, partition, mut reserved): Closed,
        memory: &Resources,
        finalizer: &Finalizer,
        observe: &impl Fn(&mut P, &Block),
        most: usize,
        stats: &Stats,
    ) -> Result<Vec<BlockSource>> {
        memory.cancel.check()?;
        let Finishing { scratch, states, block, partial, refused, ids, noticed } = self;
        let mut blocks = Vec::new();
        let mut observe = |states: &StateBatch| {
            let mut taken = Ok(());
            let mut take = |window, column, spend, reject| {
                if taken.is_ok() {
                    taken = refused.take(window, column, spend, reject, memory.rejects.as_deref());
                }
            };
            finalizer.fill(states, block, Some(&mut take));
            taken?;
            observe(partial, block);
            stats.count_customers(states.len() as u64);
            ids.add(states);
            noticed.add(states);
            Ok(block.len())
        };
        let saved: Vec<_> = memory.saved.iter().filter(|run| run.file.frames_of(number) > 0).collect();
        match (partition.drain(most, scratch)?, &saved[..]) {
            // Saved customers of whom the run has learnt nothing stay where they are.
            (Drained::Resident(table), [run]) if table.len() == 0 => {
                let mut bytes = Vec::new();
                for frame in 0..run.file.frames_of(number) {
                    run.file.read(number, frame, &mut bytes, states)?;
                    run.rollup.apply(states);
                    let states_at = StatesAt::Saved { run: Arc::clone(run), frame };
                    blocks.push(BlockSource { partition: number, rows: observe(states)?, states_at });
                }
            }
            // A table stays as it is, unless it no longer fits.
            (Drained::Resident(table), []) => {
                let fits = reserved.resize(table.memory() as u64);
                let partition = Arc::new(ResidentPartition { table, _reserved: reserved });
                for customers in partition.table.ranges(most) {
                    partition.table.fill(customers.clone(), states);
                    let states_at = if fits {
                        StatesAt::Resident { partition: partition.clone(), customers }
                    } else {
                        StatesAt::Frame(memory.frame(states)?)
                    };
                    blocks.push(BlockSource { partition: number, rows: observe(states)?, states_at });
                }
            }
            (drained, saved) => {
                if matches!(drained, Drained::Spilled(..)) {
                    drop(reserved);
                }
                let streams = saved.iter().map(|run| Box::new(run.file.stream(number, &run.rollup)) as _).collect();
                drained.merge(streams, &*memory.store, memory.plan.merge_memory, most, states, |states| {
                    memory.cancel.check()?;
                    let rows = observe(states)?;
                    blocks.push(BlockSource { partition: number, rows, states_at: StatesAt::Frame(memory.frame(states)?) });
                    Ok(())
                })?;
            }
        }
        Ok(blocks)
    }
}

/// Memory, stores and saved states for finishing.
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
    /// What rows are sorted in, on so many threads, while nothing else goes on.
    pub(crate) fn sorting(&self, threads: usize) -> Sorting {
        let Resources { plan, store, cancel, .. } = self;
        Sorting { store: store.clone(), heap: plan.merge_memory, merge: plan.merge_memory * threads as u64, cancel: cancel.clone() }
    }

    fn frame(&self, states: &StateBatch) -> Result<FrameRef> {
        self.cancel.check()?;
        let mut bytes = Vec::new();
        encode(states, 0..states.len(), &mut bytes)?;
        self.store.put(&bytes)
    }
}
