//! Owns some of the partitions, and decides which of them leave when memory is short.

use crate::accumulate::{Partition, SortScratch};
use crate::base::error::{Result, Stage};
use crate::model::hash::PARTITIONS;
use crate::route::lane::Lanes;
use crate::route::row_buffer::Rows;
use crate::spill::{Budget, Plan, Reservation, RunStore, RunWriter};
use std::sync::Arc;

/// A partition handed over by its worker, not yet sorted; with its number and the memory it stands for.
pub(crate) type Closed = (usize, Partition, Reservation);

/// Owns every `count`-th partition, beginning with number `index`.
pub(crate) struct Accumulator {
    index: usize,
    count: usize,
    partitions: Vec<Partition>,
    /// The memory of all partitions.
    memory: usize,
    budget: Budget,
    reserved: Reservation,
    store: Arc<dyn RunStore>,
    scratch: SortScratch,
}

/// The budget is asked for so much at a time.
pub(crate) const STEP: usize = 1 << 18;

impl Accumulator {
    pub(crate) fn new(index: usize, count: usize, plan: &Plan, store: Arc<dyn RunStore>) -> Self {
        let owned = (0..PARTITIONS).filter(|p| Lanes::owner(*p, count) == index);
        let partitions = owned.map(|number| Partition::new(number, plan.waiting_rows)).collect();
        let budget = plan.budget.clone();
        Accumulator { index, count, partitions, memory: 0, reserved: budget.hold(0), budget, store, scratch: SortScratch::default() }
    }

    /// Whether a partition is one of its own.
    #[inline]
    pub(crate) fn owns(&self, partition: usize) -> bool {
        Lanes::owner(partition, self.count) == self.index
    }

    /// Takes rows of one of its partitions. When the budget is used up, partitions leave as runs.
    pub(crate) fn take(&mut self, partition: usize, rows: Rows, mut recycle: impl FnMut(Rows)) -> Result<()> {
        let partition = &mut self.partitions[partition / self.count];
        let before = partition.memory();
        let taken = partition.take(rows, &mut self.scratch, &mut recycle);
        self.memory = self.memory + partition.memory() - before;
        taken?;
        if self.memory as u64 > self.reserved.bytes() && !self.reserved.resize((self.memory + STEP) as u64) {
            self.relieve(recycle)?;
        }
        Ok(())
    }

    /// Lets the largest partitions leave, until half of the memory is free: few large runs are better than many small ones.
    #[cold]
    fn relieve(&mut self, mut recycle: impl FnMut(Rows)) -> Result<()> {
        let mut order: Vec<usize> = (0..self.partitions.len()).collect();
        order.sort_by_key(|&at| std::cmp::Reverse(self.partitions[at].memory()));
        let goal = self.memory / 2;
        let mut writer = RunWriter::new(&*self.store);
        for at in order {
            if self.memory <= goal {
                break;
            }
            let partition = &mut self.partitions[at];
            let before = partition.memory();
            let spilled = partition.spill(&*self.store, &mut writer, &mut self.scratch, &mut recycle);
            // Also when that failed: rows that are on their way still come in until the run has ended.
            self.memory = self.memory + partition.memory() - before;
            spilled.map_err(|e| e.stage(Stage::Accumulate))?;
        }
        tracing::debug!(worker = self.index, memory = self.memory, "spilled");
        self.reserved.hold(self.memory as u64);
        Ok(())
    }

    /// The partitions.
    pub(crate) fn into_partitions(self) -> Vec<Closed> {
        let Accumulator { index, count, partitions, budget, reserved, .. } = self;
        drop(reserved);
        let closed = |(i, partition): (usize, Partition)| {
            let reserved = budget.hold(partition.memory() as u64);
            (i * count + index, partition, reserved)
        };
        partitions.into_iter().enumerate().map(closed).collect()
    }
}
