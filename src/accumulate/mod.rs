//! Accumulate: one thread owns some of the partitions and folds the rows that its lane brings into customers' states.
//!
//! Rows wait until a partition has enough of them to be worth pulling its table into the cache, then they are folded together. A
//! [`Partition`] is the unit of everything after: finishing, and later spilling, saving and merging.

mod ids;
mod state;

pub(crate) use ids::Ids;
pub(crate) use state::{Addend, State};

use crate::merge::Merge;
use crate::route::PARTITIONS;
use crate::route::lane::{Delivery, Lane, Lanes};
use crate::route::rows::{HISTORY, Rows};

/// Rows wait until there are this many, or one for every [`CUSTOMERS_PER_WAITING_ROW`] customers.
const MIN_WAITING_ROWS: usize = 512;
const CUSTOMERS_PER_WAITING_ROW: usize = 8;

/// The customers of one partition.
#[derive(Debug, Default)]
pub(crate) struct Partition {
    pub(crate) state: State,
    waiting: Vec<Rows>,
    waiting_rows: usize,
}

impl Partition {
    /// Takes rows in; folds them now or later.
    pub(crate) fn take(&mut self, rows: Rows, recycle: impl FnMut(Rows)) {
        self.waiting_rows += rows.rows.len();
        self.waiting.push(rows);
        if self.waiting_rows >= MIN_WAITING_ROWS.max(self.state.customers.len() / CUSTOMERS_PER_WAITING_ROW) {
            self.fold(recycle);
        }
    }

    /// Folds all rows that wait.
    pub(crate) fn fold(&mut self, mut recycle: impl FnMut(Rows)) {
        for buffer in self.waiting.drain(..) {
            for row in &buffer.rows {
                let customer = self.state.customer(row.hash, row.view, buffer.long_id(row.view));
                self.state.see(customer, row.start);
                if row.window != HISTORY {
                    let (window, start, reference, orders, cents) = (row.window, row.start, row.reference, row.orders, row.cents);
                    self.state.fold(customer, Addend { window, start, reference, orders, cents, fraction: buffer.fraction(row) });
                }
            }
            recycle(buffer);
        }
        self.waiting_rows = 0;
    }
}

impl Merge for Partition {
    fn merge(&mut self, mut other: Partition) {
        self.fold(drop);
        other.fold(drop);
        self.state.merge(other.state);
    }
}

/// Owns every `count`-th partition, beginning with number `index`.
pub(crate) struct Accumulator {
    index: usize,
    count: usize,
    lane: Lane,
    partitions: Vec<Partition>,
}

impl Accumulator {
    pub(crate) fn new(index: usize, count: usize, lane: Lane) -> Self {
        let owned = (0..PARTITIONS).filter(|p| Lanes::owner(*p, count) == index).count();
        Accumulator { index, count, lane, partitions: std::iter::repeat_with(Partition::default).take(owned).collect() }
    }

    /// Folds until every router is gone, then hands over the partitions with their numbers.
    pub(crate) fn run(mut self) -> Vec<(usize, Partition)> {
        while let Ok(Delivery { partition, rows }) = self.lane.receiver.recv() {
            let lane = &self.lane;
            self.partitions[partition / self.count].take(rows, |rows| lane.recycle(rows));
        }
        for partition in &mut self.partitions {
            partition.fold(drop);
        }
        let Accumulator { index, count, partitions, .. } = self;
        partitions.into_iter().enumerate().map(|(i, partition)| (i * count + index, partition)).collect()
    }
}
