//! All customers once no more rows come: their states in the engine's order, cut into blocks that fit a core's cache.
//!
//! Everything after accumulation is a pass over these blocks. First the blocks are made and counted; then up to 7 refining passes where
//! histograms gave up precision; last a pass with scores. Writing rows apart from that is one more. A pass makes a [`Block`] of its
//! states ([`BlockSource`]), uses it, and forgets it: blocks are cheap to make, and many times as large as what they are
//! made of when that is packed. Rows are numbered through all blocks, so that any thread can make any [`Span`] of them.

use super::arithmetic::Finalizer;
use super::block::Block;
use crate::accumulate::SortedTable;
use crate::base::cancel::Cancel;
use crate::base::error::Result;
use crate::base::merge::Merge;
use crate::base::threads::parallel_fold;
use crate::model::ids::parts;
use crate::model::state_batch::StateBatch;
use crate::ranks::score::{BlockScorer, Scorer};
use crate::spill::{FrameRef, Reservation, RunStore, decode};
use crate::state::{Rollup, RunFile};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The customers of a block, before it is made: some of a partition's.
#[derive(Debug)]
pub(crate) struct BlockSource {
    pub(crate) partition: usize,
    pub(crate) states_at: StatesAt,
    /// The rows that its block has.
    pub(crate) rows: usize,
}

/// The place of a block's states.
#[derive(Debug)]
pub(crate) enum StatesAt {
    /// Some customers of a partition that is here.
    Resident { partition: Arc<ResidentPartition>, customers: Range<u32> },
    /// A frame of the store.
    Frame(FrameRef),
    /// A frame of a saved state.
    Saved { run: Arc<SavedRun>, frame: usize },
}

/// A run file of a saved state, with the windows of the audit.
#[derive(Debug)]
pub(crate) struct SavedRun {
    pub(crate) file: Arc<RunFile>,
    pub(crate) rollup: Rollup,
}

/// A partition in memory, with its part of the budget.
#[derive(Debug)]
pub(crate) struct ResidentPartition {
    pub(crate) table: SortedTable,
    pub(crate) _reserved: Reservation,
}

/// All customers. Dropped, they take with them what was spilled.
#[derive(Debug)]
pub(crate) struct Blocks {
    blocks: Vec<BlockSource>,
    finalizer: Finalizer,
    ids: IdBytes,
    store: Arc<dyn RunStore>,
    cancel: Cancel,
    /// Of each window; empty until they are known.
    scorers: Vec<Scorer>,
    block_scorers: Vec<BlockScorer>,
}

/// How long ids are that do not fit their view.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct IdBytes {
    pub(crate) customers: u64,
    pub(crate) sum: u64,
    pub(crate) longest: u64,
}

impl IdBytes {
    /// Counts some customers.
    pub(crate) fn add(&mut self, states: &StateBatch) {
        self.customers += states.len() as u64;
        if !states.long.is_empty() {
            self.sum += states.long.len() as u64;
            self.longest = states.views.iter().map(|&view| parts(view).0 as u64).fold(self.longest, u64::max);
        }
    }

    /// Per customer in the engine's order, in which long and short ids are mixed.
    pub(crate) fn mean(&self) -> u64 {
        self.sum / self.customers.max(1)
    }

    /// Per customer where they are sorted, and all long ids may be together; few do no harm even then.
    pub(crate) fn together(&self) -> u64 {
        if self.sum < 1 << 22 { self.mean() } else { self.longest }
    }
}

impl Merge for IdBytes {
    fn merge(&mut self, other: IdBytes) {
        self.customers += other.customers;
        self.sum += other.sum;
        self.longest = self.longest.max(other.longest);
    }
}

/// Consecutive rows.
#[derive(Debug, Clone)]
pub(crate) struct Span(Vec<Part>);

/// The part of a span that lies in one block.
#[derive(Debug, Clone, Copy)]
struct Part {
    block: usize,
    from: usize,
    to: usize,
}

/// Memory that one thread makes blocks in.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    pub(crate) block: Block,
    states: StateBatch,
    frame: Vec<u8>,
}

impl Blocks {
    pub(crate) fn new(blocks: Vec<BlockSource>, finalizer: Finalizer, ids: IdBytes, store: Arc<dyn RunStore>, cancel: Cancel) -> Self {
        Blocks { blocks, finalizer, ids, store, cancel, scorers: Vec::new(), block_scorers: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.blocks.len()
    }

    /// What customers are scored by in each window; empty until that is known.
    pub(crate) fn scorers(&self) -> &[Scorer] {
        &self.scorers
    }

    /// Says what customers are scored by.
    pub(crate) fn set_scorers(&mut self, scorers: Vec<Scorer>) {
        self.block_scorers = scorers.iter().map(BlockScorer::from).collect();
        self.scorers = scorers;
    }

    /// The partition of a block.
    pub(crate) fn partition(&self, at: usize) -> usize {
        self.blocks[at].partition
    }

    /// Bytes of ids that do not fit their view.
    pub(crate) fn ids(&self) -> &IdBytes {
        &self.ids
    }

    pub(crate) fn finalizer(&self) -> &Finalizer {
        &self.finalizer
    }

    /// Makes a block, without ids.
    pub(crate) fn block<'a>(&self, at: usize, workspace: &'a mut Workspace) -> Result<&'a mut Block> {
        self.fill(at, workspace, |_, _| ())
    }

    /// Makes a block, with ids and scores.
    pub(crate) fn scored<'a>(&self, at: usize, workspace: &'a mut Workspace) -> Result<&'a mut Block> {
        self.fill(at, workspace, |block, states| {
            block.set_ids(states);
            block.score(&self.block_scorers);
        })
    }

    fn fill<'a>(&self, at: usize, workspace: &'a mut Workspace, more: impl Fn(&mut Block, &StateBatch)) -> Result<&'a mut Block> {
        self.cancel.check()?;
        let Workspace { block, states, frame } = workspace;
        let BlockSource { partition: number, states_at, .. } = &self.blocks[at];
        match states_at {
            StatesAt::Resident { partition, customers } => partition.table.fill(customers.clone(), states),
            StatesAt::Frame(place) => decode(self.store.get(place, frame)?, states)?,
            StatesAt::Saved { run, frame: at } => {
                run.file.read_again(*number, *at, frame, states)?;
                run.rollup.apply(states);
            }
        }
        self.finalizer.fill(states, block, None);
        more(block, states);
        Ok(block)
    }

    /// The number of rows of each block.
    pub(crate) fn rows(&self) -> Vec<usize> {
        self.blocks.iter().map(|block| block.rows).collect()
    }

    /// A number that each block tells: a pass of its own.
    pub(crate) fn count(&self, of: impl Fn(&Block) -> usize + Sync) -> Result<Vec<usize>> {
        let counts: Vec<AtomicUsize> = (0..self.len()).map(|_| AtomicUsize::new(0)).collect();
        parallel_fold(counts.len(), Workspace::default, |workspace, at| {
            counts[at].store(of(self.block(at, workspace)?), Ordering::Relaxed);
            Ok(())
        })?;
        Ok(counts.into_iter().map(AtomicUsize::into_inner).collect())
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        self.store.discard();
    }
}

impl Span {
    /// All rows in order, `rows` at a time, given how many each block has. Every block is in a span, also one without rows.
    pub(crate) fn cut(counts: &[usize], rows: usize) -> Vec<Span> {
        let mut spans = Vec::new();
        let (mut span, mut room) = (Vec::new(), rows);
        for (block, all) in counts.iter().enumerate() {
            let mut from = 0;
            loop {
                let to = (*all).min(from + room);
                span.push(Part { block, from, to });
                room -= to - from;
                if room == 0 {
                    spans.push(Span(std::mem::take(&mut span)));
                    room = rows;
                }
                from = to;
                if from == *all {
                    break;
                }
            }
        }
        if !span.is_empty() {
            spans.push(Span(span));
        }
        spans
    }

    /// The numbers of the blocks that its parts lie in, one a part.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|part| part.block)
    }

    /// Calls `take` with the number and the scored block of every part, the part's rows, and whether it is the block's first part: every
    /// block, also one without rows, has one.
    pub(crate) fn blocks(
        &self,
        blocks: &Blocks,
        workspace: &mut Workspace,
        mut take: impl FnMut(usize, &Block, Range<usize>, bool) -> Result<()>,
    ) -> Result<()> {
        for &Part { block, from, to } in &self.0 {
            take(block, blocks.scored(block, workspace)?, from..to, from == 0)?;
        }
        Ok(())
    }
}
