//! Customers per pair of recency and frequency: few pairs, as days and orders repeat.

use crate::base::merge::Merge;
use crate::ranks::histogram::{Histogram, hash};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// Recency in days, frequency, customers.
type Cell = (i32, i64, u64);

/// How many customers there are of each pair. Counts saturate.
#[derive(Debug, Default)]
pub(super) struct Pairs(HashTable<Cell>);

impl Pairs {
    #[inline]
    pub(super) fn add(&mut self, recency: i32, frequency: i64, customers: u64) {
        if customers == 0 {
            return;
        }
        let same = |cell: &Cell| (cell.0, cell.1) == (recency, frequency);
        match self.0.entry(hash_of(recency, frequency), same, |cell| hash_of(cell.0, cell.1)) {
            Entry::Occupied(mut known) => known.get_mut().2.merge(customers),
            Entry::Vacant(slot) => drop(slot.insert((recency, frequency, customers))),
        }
    }

    /// Ascending.
    pub(super) fn sorted(&self) -> Vec<Cell> {
        let mut cells: Vec<Cell> = self.0.iter().copied().collect();
        cells.sort_unstable();
        cells
    }

    /// In no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Cell> {
        self.0.iter().copied()
    }

    /// The number of pairs.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The number of customers.
    pub(super) fn customers(&self) -> u64 {
        self.iter().fold(0, |n, cell| n.saturating_add(cell.2))
    }

    /// Customers per recency, and per frequency.
    pub(super) fn histograms(&self) -> [Histogram; 2] {
        let (mut recency, mut frequency) = (Histogram::default(), Histogram::default());
        for (days, orders, customers) in self.iter() {
            recency.add_many(days.into(), customers);
            frequency.add_many(orders, customers);
        }
        [recency, frequency]
    }
}

#[inline]
fn hash_of(recency: i32, frequency: i64) -> u64 {
    // Small numbers, both, so the one is spread before the other joins it.
    hash(hash(recency.into()) as i64 ^ frequency)
}

impl Merge for Pairs {
    fn merge(&mut self, other: Pairs) {
        other.iter().for_each(|(recency, frequency, customers)| self.add(recency, frequency, customers));
    }
}
