//! Customers and their spend per pair of recency and frequency: few pairs, as days and orders repeat.

use crate::base::merge::Merge;
use crate::ranks::histogram::{Histogram, hash};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// The customers of one recency and one frequency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pair {
    /// Days.
    pub(super) recency: i32,
    pub(super) frequency: i64,
    pub(super) customers: u64,
    /// What they spent, in cents; 0 where that is not known.
    pub(super) spend: i128,
}

/// All pairs. Sums saturate.
#[derive(Debug)]
pub(super) struct Pairs {
    pairs: HashTable<Pair>,
    /// Whether spends are known: partials of version 1 have none.
    spend_known: bool,
}

impl Default for Pairs {
    fn default() -> Self {
        Pairs { pairs: HashTable::new(), spend_known: true }
    }
}

impl Pairs {
    #[inline]
    pub(super) fn add(&mut self, more: Pair) {
        if more.customers == 0 {
            return;
        }
        let same = |pair: &Pair| (pair.recency, pair.frequency) == (more.recency, more.frequency);
        match self.pairs.entry(hash_of(&more), same, hash_of) {
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.customers.merge(more.customers);
                known.spend = known.spend.saturating_add(more.spend);
            }
            Entry::Vacant(slot) => drop(slot.insert(more)),
        }
    }

    /// From now on it is not known what they spent.
    pub(super) fn forget_spend(&mut self) {
        self.spend_known = false;
        self.pairs.iter_mut().for_each(|pair| pair.spend = 0);
    }

    /// Whether it is known what they spent.
    pub(super) fn spend_known(&self) -> bool {
        self.spend_known
    }

    /// Ascending by recency, then by frequency.
    pub(super) fn sorted(&self) -> Vec<Pair> {
        let mut pairs: Vec<Pair> = self.pairs.iter().copied().collect();
        pairs.sort_unstable();
        pairs
    }

    /// In no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Pair> {
        self.pairs.iter().copied()
    }

    /// The number of pairs.
    pub(super) fn len(&self) -> usize {
        self.pairs.len()
    }

    /// The number of customers.
    pub(super) fn customers(&self) -> u64 {
        self.iter().fold(0, |n, pair| n.saturating_add(pair.customers))
    }

    /// What all of them spent, in cents.
    pub(super) fn spend(&self) -> i128 {
        self.iter().fold(0, |sum, pair| sum.saturating_add(pair.spend))
    }

    /// Customers per recency, and per frequency.
    pub(super) fn histograms(&self) -> [Histogram; 2] {
        let (mut recency, mut frequency) = (Histogram::default(), Histogram::default());
        for pair in self.iter() {
            recency.add_many(pair.recency.into(), pair.customers);
            frequency.add_many(pair.frequency, pair.customers);
        }
        [recency, frequency]
    }
}

#[inline]
fn hash_of(pair: &Pair) -> u64 {
    // Small numbers, both, so the one is spread before the other joins it.
    hash(hash(pair.recency.into()) as i64 ^ pair.frequency)
}

impl Merge for Pairs {
    fn merge(&mut self, other: Pairs) {
        other.iter().for_each(|pair| self.add(pair));
        if !(self.spend_known && other.spend_known) {
            self.forget_spend();
        }
    }
}
