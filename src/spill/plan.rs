//! The plan: how a memory limit is divided among the parts of a run.
//!
//! Most of it is for customers' states, which a [`Budget`] shares out and which spill when it is used up. What remains is for what cannot
//! spill: the program, decoded batches, buffers on their way, histograms, frames on their way back, rows being encoded, and what the
//! allocator cannot use again. The parts of that which scale are scaled here, so that the whole keeps to the limit.

use super::budget::Budget;
use super::limits::default_limit;
use crate::base::error::{Error, Result};
use crate::model::entry::ROW;
use crate::model::hash::PARTITIONS;

const MIB: u64 = 1 << 20;
/// The memory that any run takes, and that each worker adds.
const LEAST: u64 = 48 * MIB;
const LEAST_PER_WORKER: u64 = 8 * MIB;
/// The least memory of each worker's histograms of a window.
const LEAST_PER_WINDOW: u64 = 24 << 10;
/// The part of the limit that is not for states: a fixed amount, and three tenths.
const FIXED: u64 = 38 * MIB;
/// Memory of a value that a histogram counts, at most.
const BYTES_PER_VALUE: u64 = 80;
/// Memory of a row group that is being encoded, its rows and what is made of them.
const BYTES_PER_GROUP: u64 = 16 * MIB;

/// The parts of a run's memory in bytes, for people. The rest of the limit is for the program, for batches being decoded, and for memory
/// that the allocator cannot use again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemorySplit {
    /// The limit, given or found; `None` is no limit.
    pub limit: Option<u64>,
    /// Threads that share it.
    pub workers: usize,
    /// For customers' states before they spill; `None` is no limit.
    pub states: Option<u64>,
    /// In buffers on their way to the workers.
    pub buffers: u64,
    /// For the values that histograms count, at most.
    pub histograms: u64,
    /// For what was spilled and is on its way back, in all.
    pub merging: u64,
    /// Row groups that are encoded at the same time.
    pub row_groups: usize,
    /// For these.
    pub encoding: u64,
}

/// The parts of a memory limit.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// For states, in all forms.
    pub(crate) budget: Budget,
    /// Rows in a buffer between router and accumulator.
    pub(crate) rows_per_buffer: usize,
    /// Memory of buffers under way whose ids are so long that counting them by number is not enough.
    pub(crate) heavy_memory: u64,
    /// Empty buffers that each worker keeps for later, and all of them together once more.
    pub(crate) spare_buffers: usize,
    /// Rows of a partition that wait at least before they are folded.
    pub(crate) waiting_rows: usize,
    /// Distinct values that all histograms of a run count one by one.
    pub(crate) histogram_values: usize,
    /// Memory for the frames that one merge reads at a time. Once partitions are merged, it is what each thread sorts rows in.
    pub(crate) merge_memory: u64,
    /// Memory for rejects that are to be sorted, and once more for those that were.
    pub(crate) reject_memory: u64,
    /// Row groups that are encoded at the same time.
    pub(crate) groups: usize,
    /// Row groups of sorted rows that are encoded at the same time: fewer, because one thread merges the rows of a group before another encodes
    /// it.
    pub(crate) sorted_groups: usize,
}

impl Plan {
    /// The most workers that a limit in bytes is enough for, and at least one.
    pub(crate) fn most_workers(limit: u64) -> usize {
        (limit.saturating_sub(LEAST) / LEAST_PER_WORKER).max(1) as usize
    }

    /// For a limit in bytes, or the default, and so many windows as are known beforehand.
    ///
    /// # Errors
    /// When the limit is less than so many workers need.
    pub(crate) fn new(limit: Option<u64>, workers: usize, windows: usize) -> Result<Self> {
        let given = limit.or_else(default_limit);
        let count = workers as u64;
        let histograms = LEAST_PER_WINDOW * count * windows as u64;
        let least = LEAST + LEAST_PER_WORKER * count + histograms.saturating_sub(LEAST_PER_WORKER * count);
        if let Some(short) = limit.filter(|&limit| limit < least) {
            let mib = |bytes: u64| bytes.div_ceil(MIB);
            let workers = if workers == 1 { "1 worker needs".to_owned() } else { format!("{workers} workers need") };
            let whose = if histograms > LEAST_PER_WORKER * count { format!(" for {windows} windows") } else { String::new() };
            let what = format!("a memory limit of {} MiB is too small: {workers} at least {} MiB{whose}", short / MIB, mib(least));
            let fewer = if count > 1 { ", or fewer workers" } else { "" };
            return Err(Error::usage(what).help(format!("give `memory_limit={}MiB` or more{fewer}", mib(least))));
        }
        // A machine with less than that is too small for the default, but it may get by.
        let limit = given.map_or(u64::MAX, |given| given.max(least));
        let at_most = |part: u64, least: u64, most: usize| (limit / part).clamp(least, most as u64) as usize;
        let row = ROW as u64;
        // Buffers under way take a sixteenth: of each worker one a partition.
        let rows_per_buffer = at_most(16 * count * PARTITIONS as u64 * row, 8, 128);
        Ok(Plan {
            budget: if limit == u64::MAX {
                Budget::unlimited()
            } else {
                Budget::new((limit - limit / 10 * 3).saturating_sub(FIXED + histograms))
            },
            rows_per_buffer,
            heavy_memory: (limit / 32).clamp(MIB, 64 * MIB),
            spare_buffers: at_most(64 * rows_per_buffer as u64 * row, 16, 4_096),
            // Waiting rows of all partitions take at most an eighth before any is folded.
            waiting_rows: at_most(8 * PARTITIONS as u64 * row, 64, 8_192),
            // Each thread has histograms of its own: were their share to shrink with their number, more threads would need more passes.
            histogram_values: at_most(16 * BYTES_PER_VALUE, 1 << 12, workers << 21),
            merge_memory: (limit / 32 / count).clamp(MIB, 64 * MIB),
            reject_memory: (limit / 64).clamp(MIB, 64 * MIB),
            groups: at_most(4 * BYTES_PER_GROUP, 1, workers),
            sorted_groups: at_most(12 * BYTES_PER_GROUP, 1, workers),
        })
    }

    /// The plan for people, given the limit and the workers it was made for.
    pub(crate) fn split(&self, limit: Option<u64>, workers: usize) -> MemorySplit {
        let count = workers as u64;
        MemorySplit {
            limit: limit.or_else(default_limit),
            workers,
            states: Some(self.budget.limit()).filter(|&limit| limit < u64::MAX),
            buffers: self.rows_per_buffer as u64 * count * PARTITIONS as u64 * ROW as u64,
            histograms: self.histogram_values as u64 * BYTES_PER_VALUE,
            merging: self.merge_memory * count,
            row_groups: self.groups,
            encoding: self.groups as u64 * BYTES_PER_GROUP,
        }
    }

    /// This plan with another number of bytes for states, and no more than that for a buffer, a merge or rejects.
    pub(crate) fn with_state_budget(self, bytes: u64) -> Self {
        let rows = (bytes / ROW as u64).clamp(1, self.rows_per_buffer as u64);
        let (merge_memory, reject_memory) = (self.merge_memory.min(bytes), self.reject_memory.min(bytes));
        Plan { budget: Budget::new(bytes), rows_per_buffer: rows as usize, merge_memory, reject_memory, ..self }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_least_limit_is_said() {
        let error = Plan::new(Some(63 * MIB), 2, 2).unwrap_err();
        assert_eq!(error.to_string(), "a memory limit of 63 MiB is too small: 2 workers need at least 64 MiB");
        assert!(Plan::new(Some(64 * MIB), 2, 2).is_ok());
        assert!(Plan::new(Some(64 * MIB), 3, 2).is_err());
        assert_eq!([0, 63, 64, 71, 72].map(|mib| Plan::most_workers(mib * MIB)), [1, 1, 2, 2, 3]);
        let error = Plan::new(Some(64 * MIB), 1, 1_200).unwrap_err();
        assert_eq!(error.to_string(), "a memory limit of 64 MiB is too small: 1 worker needs at least 77 MiB for 1200 windows");
    }

    #[test]
    fn the_parts_are_less_than_the_whole() {
        for (mib, workers) in [(64, 1), (64, 2), (100, 2), (2_048, 4), (100_000, 64)] {
            let limit = Some(mib * MIB);
            let split = Plan::new(limit, workers, 2).unwrap().split(limit, workers);
            let MemorySplit { buffers, histograms, merging, encoding, .. } = split;
            let most = split.states.unwrap() + (buffers + histograms).max(merging + histograms).max(encoding);
            assert!(most < mib * MIB || mib == 64, "{split:?}");
        }
    }

    #[test]
    fn more_memory_is_never_less_of_anything() {
        let mut last = Plan::new(Some(64 * MIB), 2, 2).unwrap();
        for mib in [65, 100, 128, 1_000, 2_048, 100_000, u64::MAX / MIB] {
            let plan = Plan::new(Some(mib * MIB), 2, 2).unwrap();
            assert!(plan.budget.limit() >= last.budget.limit() && plan.budget.limit() < mib * MIB);
            assert!(plan.rows_per_buffer >= last.rows_per_buffer && plan.spare_buffers + 1 >= last.spare_buffers / 16);
            assert!(plan.waiting_rows >= last.waiting_rows && plan.groups >= last.groups);
            assert!(plan.merge_memory >= last.merge_memory && plan.reject_memory >= last.reject_memory);
            last = plan;
        }
        assert!(last.groups == 2 && last.rows_per_buffer == 128 && last.waiting_rows == 8_192);
    }
}
