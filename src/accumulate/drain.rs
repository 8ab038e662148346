//! A partition that takes no more rows: its customers in order, whether they stayed in memory or were spilled. Finishing and saving both
//! read them from here.
//!
//! Columns are made of some customers at a time, as often as they are needed, in memory that is used again.

use super::sorted_table::SortedTable;
use crate::base::error::Result;
use crate::model::state_batch::StateBatch;
use crate::spill::{RunStore, Runs, Sorted, SortedBatches};
use std::ops::Range;

/// A partition that takes no more rows: its customers, sorted.
pub(crate) enum Drained {
    /// All customers are in memory.
    Resident(SortedTable),
    /// Some were spilled: sorted batches of the others, and the runs.
    Spilled(Vec<StateBatch>, Runs),
}

impl Drained {
    /// Hands on all customers, and those of `others` added to them, in order and at most `most` at a time. `memory` is for reading runs,
    /// `states` for columns of customers in memory, to be used again.
    ///
    /// # Errors
    /// When runs cannot be read or written; what `emit` fails with.
    pub(crate) fn merge(
        self,
        mut others: Vec<Box<dyn Sorted + '_>>,
        store: &dyn RunStore,
        memory: u64,
        most: usize,
        states: &mut StateBatch,
        mut emit: impl FnMut(&StateBatch) -> Result<()>,
    ) -> Result<()> {
        let runs = match self {
            Drained::Resident(table) if others.is_empty() => {
                for customers in table.ranges(most) {
                    table.fill(customers, states);
                    emit(states)?;
                }
                return Ok(());
            }
            Drained::Resident(table) => {
                let ranges = table.ranges(most).into_iter();
                others.push(Box::new(TableStream { table, ranges }));
                Runs::default()
            }
            Drained::Spilled(states, runs) => {
                others.push(Box::new(SortedBatches(states.into_iter())));
                runs
            }
        };
        runs.merge(others, store, memory, most, emit)
    }
}

/// The customers of a partition as a stream.
struct TableStream {
    table: SortedTable,
    ranges: std::vec::IntoIter<Range<u32>>,
}

impl Sorted for TableStream {
    fn next(&mut self, states: &mut StateBatch) -> Result<bool> {
        Ok(self.ranges.next().is_some_and(|range| {
            self.table.fill(range, states);
            true
        }))
    }
}
