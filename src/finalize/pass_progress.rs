//! The progress of a pass over blocks, in whole partitions.

use super::blocks::Blocks;
use crate::base::error::Stage;
use crate::model::hash::PARTITIONS;
use crate::stats::Stats;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts every partition once in a pass, however many pieces it is worked on in.
pub(crate) struct PassProgress<'a> {
    blocks: &'a Blocks,
    /// The pieces of each partition that are not finished.
    left: Vec<AtomicUsize>,
    stats: &'a Stats,
}

impl<'a> PassProgress<'a> {
    /// Begins a pass of a stage. It is made in pieces, each of one block, given here by its number. Partitions without any are finished.
    pub(crate) fn begin(stage: Stage, blocks: &'a Blocks, pieces: impl IntoIterator<Item = usize>, stats: &'a Stats) -> Self {
        let mut left = vec![0; PARTITIONS];
        pieces.into_iter().for_each(|at| left[blocks.partition(at)] += 1);
        stats.enter(stage);
        left.iter().filter(|&&pieces| pieces == 0).for_each(|_| stats.partition_finished());
        PassProgress { blocks, left: left.into_iter().map(AtomicUsize::new).collect(), stats }
    }

    /// A piece of this block is finished.
    pub(crate) fn finished(&self, at: usize) {
        if self.left[self.blocks.partition(at)].fetch_sub(1, Ordering::Relaxed) == 1 {
            self.stats.partition_finished();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::base::cancel::Cancel;
    use crate::finalize::arithmetic::{BlockTimes, Finalizer};
    use crate::finalize::blocks::{BlockSource, IdBytes, StatesAt};
    use crate::spill::{Memory, RunStore};
    use std::sync::Arc;

    /// Two partitions of two blocks and of one; the first block is worked on in two pieces.
    #[test]
    fn a_partition_is_finished_with_its_last_piece() {
        let store = Arc::new(Memory::default());
        let block = |partition| BlockSource { partition, rows: 0, states_at: StatesAt::Frame(store.put(&[]).unwrap()) };
        let (blocks, finalizer) =
            ([5, 5, 9].map(block).into(), Finalizer { windows: Vec::new(), first_key: 0, times: BlockTimes::default() });
        let blocks = Blocks::new(blocks, finalizer, IdBytes::default(), store.clone(), Cancel::default());
        let stats = Stats::default();
        for stage in [Stage::Lens, Stage::Reduce] {
            let progress = PassProgress::begin(stage, &blocks, [0, 0, 1, 2], &stats);
            let without = PARTITIONS as u64 - 2;
            assert_eq!((stats.stage(), stats.snapshot().partitions_finished), (stage, without));
            let counts = [1, 0, 2, 0].map(|at| {
                progress.finished(at);
                stats.snapshot().partitions_finished - without
            });
            assert_eq!(counts, [0, 0, 1, 2]);
        }
    }
}
