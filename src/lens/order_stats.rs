//! Exact order statistics from counts per value. Cents, days and orders repeat, so the counts are far fewer than the customers.
//!
//! A [`Histogram`] collects and merges; [`Ranks`] is its sorted form, which answers "the value at rank i" and "the sum of the top k".

use crate::merge::Merge;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Values below this may be counted in an array, others are in a map.
const DENSE: usize = 1 << 16;
/// The array grows only where there are enough values to be worth it: windows can be many, and most of them small.
const SLOTS_PER_VALUE: usize = 8;
const FREE_SLOTS: usize = 256;

/// How often each value occurs.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Histogram {
    /// Counts of the values 0, 1, 2 …; as long as the largest of them that occurs needs.
    dense: Vec<u64>,
    sparse: HashMap<i64, u64>,
    /// How many values were counted one by one.
    added: usize,
}

impl Histogram {
    /// Counts a value.
    #[inline]
    pub fn add(&mut self, value: i64) {
        self.added += 1;
        self.add_many(value, 1);
    }

    /// Counts a value that occurs so many times.
    #[inline]
    pub fn add_many(&mut self, value: i64, count: u64) {
        match usize::try_from(value) {
            _ if count == 0 => {}
            Ok(at) if at < self.dense.len() => self.dense[at].merge(count),
            Ok(at) if at < DENSE.min(self.added.saturating_mul(SLOTS_PER_VALUE).saturating_add(FREE_SLOTS)) => {
                self.dense.resize((at + 1).next_power_of_two(), 0);
                self.dense[at].merge(count);
            }
            _ => self.sparse.entry(value).or_default().merge(count),
        }
    }

    /// The values that occur with their counts, ascending.
    pub fn sorted(&self) -> Vec<(i64, u64)> {
        let mut counts: Vec<(i64, u64)> = self.sparse.iter().map(|(&v, &n)| (v, n)).collect();
        counts.extend((0..).zip(&self.dense).filter(|(_, n)| **n > 0).map(|(v, &n)| (v, n)));
        counts.sort_unstable();
        // A value may have been met before the array reached it.
        counts.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1.merge(next.1);
            }
            same
        });
        counts
    }
}

impl PartialEq for Histogram {
    fn eq(&self, other: &Self) -> bool {
        self.sorted() == other.sorted()
    }
}

impl Eq for Histogram {}

impl Merge for Histogram {
    fn merge(&mut self, other: Histogram) {
        self.added = self.added.saturating_add(other.added);
        if self.dense.len() < other.dense.len() {
            self.dense.resize(other.dense.len(), 0);
        }
        for (a, b) in self.dense.iter_mut().zip(other.dense) {
            a.merge(b);
        }
        for (value, count) in other.sparse {
            self.sparse.entry(value).or_default().merge(count);
        }
    }
}

/// Values in order, with how many there are up to each.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Ranks {
    values: Vec<i64>,
    /// The number of values up to and including each distinct one.
    cumulative: Vec<u64>,
}

impl Ranks {
    /// Sorts a histogram.
    pub fn new(histogram: &Histogram) -> Self {
        let mut ranks = Ranks::default();
        let mut total = 0u64;
        for (value, count) in histogram.sorted() {
            total.merge(count);
            ranks.values.push(value);
            ranks.cumulative.push(total);
        }
        ranks
    }

    /// How many values there are.
    pub fn len(&self) -> u64 {
        self.cumulative.last().copied().unwrap_or(0)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// How many values there are that differ as doubles, given a conversion that keeps their order.
    pub fn distinct_by(&self, to_f64: impl Fn(i64) -> f64) -> u64 {
        let repeated = self.values.windows(2).filter(|pair| to_f64(pair[0]) == to_f64(pair[1])).count();
        (self.values.len() - repeated) as u64
    }

    /// The value at a rank, from 0; the largest beyond the end, 0 when there are none.
    pub fn at(&self, rank: u64) -> i64 {
        let at = self.cumulative.partition_point(|&c| c <= rank);
        self.values.get(at).or(self.values.last()).copied().unwrap_or(0)
    }

    /// The largest value; 0 when there are none.
    pub fn max(&self) -> i64 {
        self.values.last().copied().unwrap_or(0)
    }

    /// The first value for which a condition holds that stays true from there on.
    pub fn first_where(&self, holds: impl Fn(i64) -> bool) -> Option<i64> {
        self.values.get(self.values.partition_point(|&v| !holds(v))).copied()
    }

    /// How often a value occurs.
    pub fn count(&self, value: i64) -> u64 {
        self.values.binary_search(&value).map_or(0, |at| self.count_at(at))
    }

    fn count_at(&self, at: usize) -> u64 {
        self.cumulative[at] - if at == 0 { 0 } else { self.cumulative[at - 1] }
    }

    /// The sum of the `k` largest values.
    pub fn top_sum(&self, k: u64) -> i128 {
        let (mut left, mut sum) = (k, 0);
        for at in (0..self.values.len()).rev() {
            let take = self.count_at(at).min(left);
            sum += i128::from(self.values[at]) * i128::from(take);
            left -= take;
            if left == 0 {
                break;
            }
        }
        sum
    }

    /// The sum of all values.
    pub fn sum(&self) -> i128 {
        self.top_sum(u64::MAX)
    }

    /// Twice the median: for an even count the sum of the middle two. 0 when there are none.
    pub fn twice_median(&self) -> i128 {
        let n = self.len();
        if n == 0 { 0 } else { i128::from(self.at((n - 1) / 2)) + i128::from(self.at(n / 2)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ranks_equal_a_sorted_list(mut values in prop::collection::vec(prop_oneof![0i64..5, 0i64..100_000, 0i64..i64::MAX / 4], 0..200), k in 0u64..250) {
            let mut histogram = Histogram::default();
            values.iter().for_each(|&v| histogram.add(v));
            let ranks = Ranks::new(&histogram);
            values.sort_unstable();
            prop_assert_eq!(ranks.len(), values.len() as u64);
            for (i, &v) in values.iter().enumerate() {
                prop_assert_eq!(ranks.at(i as u64), v);
            }
            let top: i128 = values.iter().rev().take(k as usize).map(|&v| i128::from(v)).sum();
            prop_assert_eq!(ranks.top_sum(k), top);
            if !values.is_empty() {
                let middle = i128::from(values[(values.len() - 1) / 2]) + i128::from(values[values.len() / 2]);
                prop_assert_eq!(ranks.twice_median(), middle);
                prop_assert_eq!(ranks.count(values[0]), values.iter().filter(|v| **v == values[0]).count() as u64);
            }
        }
    }
}
