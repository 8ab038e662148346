//! Exact order statistics from a [`Histogram`], if need be with more passes over the data.
//!
//! [`Ranks`] is its sorted form, which answers "the value at rank i" and "the sum of the top k". Where the histogram has buckets, most
//! answers hold for any values in them. [`Open`] takes the questions beforehand and collects the few cells for which that is not so; a
//! [`Refinement`] tells the values of those cells apart in one more pass, and `Ranks` takes it in. One pass makes a cell 1,024 times
//! narrower, so there are at most 7, whatever the values.
//!
//! A question that was not asked beforehand gets an answer near the truth.

pub(crate) use super::histogram::Histogram;

use super::gini;
use super::histogram::Cell;
use super::refinement::Refinement;
use crate::base::merge::Merge;
use crate::base::money::Fixed4;
use std::collections::BTreeSet;

/// Values in order, with how many there are up to each.
#[derive(Debug, Clone, Default)]
pub struct Ranks {
    /// The distinct values, or the smallest one of each cell; cells do not overlap.
    values: Vec<i64>,
    /// The number of values up to and including each distinct one, or each cell.
    cumulative: Vec<u64>,
    /// The largest value and the sum of each cell. Empty when every cell is one value.
    wide: Vec<(i64, i128)>,
}

impl Ranks {
    /// Sorts a histogram.
    pub fn new(histogram: &Histogram) -> Self {
        let exact = histogram.sorted().into_iter().map(|(value, count)| Cell::of(value, count));
        if histogram.is_exact() {
            return Ranks::of_disjoint(exact);
        }
        let mut cells = histogram.bucketed();
        cells.extend(exact);
        cells.sort_unstable_by_key(|cell| cell.min);
        cells.dedup_by(|next, kept| {
            let overlap = next.min <= kept.max;
            if overlap {
                kept.merge(*next);
            }
            overlap
        });
        Ranks::of_disjoint(cells.into_iter())
    }

    /// Ascending cells that do not overlap.
    fn of_disjoint(cells: impl Iterator<Item = Cell>) -> Self {
        let mut ranks = Ranks::default();
        let mut total = 0u64;
        for cell in cells {
            if ranks.wide.is_empty() && !cell.is_one_value() {
                ranks.wide = (0..ranks.values.len()).map(|at| ranks.cell(at)).map(|cell| (cell.max, cell.sum)).collect();
            }
            if !ranks.wide.is_empty() || !cell.is_one_value() {
                ranks.wide.push((cell.max, cell.sum));
            }
            total.merge(cell.count);
            ranks.values.push(cell.min);
            ranks.cumulative.push(total);
        }
        ranks
    }

    fn cell(&self, at: usize) -> Cell {
        let (min, count) = (self.values[at], self.cumulative[at] - self.before(at));
        match self.wide.get(at) {
            Some(&(max, sum)) => Cell { min, max, count, sum },
            None => Cell::of(min, count),
        }
    }

    /// The number of values before a cell.
    fn before(&self, at: usize) -> u64 {
        if at == 0 { 0 } else { self.cumulative[at - 1] }
    }

    fn cells(&self) -> impl DoubleEndedIterator<Item = Cell> {
        (0..self.values.len()).map(|at| self.cell(at))
    }

    /// The cell that holds a rank.
    fn place(&self, rank: u64) -> Option<usize> {
        Some(self.cumulative.partition_point(|&c| c <= rank)).filter(|&at| at < self.values.len())
    }

    /// How many values there are.
    pub fn len(&self) -> u64 {
        self.cumulative.last().copied().unwrap_or(0)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// How many values there are that differ as doubles, given a conversion that keeps their order; not counted beyond a limit.
    pub fn distinct_by(&self, limit: u64, to_f64: impl Fn(i64) -> f64) -> u64 {
        let (mut distinct, mut last) = (0, None);
        for value in self.cells().flat_map(|cell| [cell.min, cell.max]).map(to_f64) {
            if distinct >= limit {
                break;
            }
            distinct += u64::from(last != Some(value));
            last = Some(value);
        }
        distinct
    }

    /// The value at a rank, from 0; the largest beyond the end, 0 when there are none.
    pub fn at(&self, rank: u64) -> i64 {
        self.place(rank).map_or(self.max(), |at| self.cell(at).at(rank - self.before(at)).unwrap_or(self.values[at]))
    }

    /// The smallest value; 0 when there are none.
    pub fn min(&self) -> i64 {
        self.values.first().copied().unwrap_or(0)
    }

    /// The largest value; 0 when there are none.
    pub fn max(&self) -> i64 {
        self.cells().next_back().map_or(0, |cell| cell.max)
    }

    /// How often a value occurs.
    pub fn count(&self, value: i64) -> u64 {
        let cell = self.around(value).map(|at| self.cell(at));
        cell.filter(Cell::is_one_value).map_or(0, |cell| cell.count)
    }

    /// The cell between whose ends a value lies.
    fn around(&self, value: i64) -> Option<usize> {
        let at = self.values.partition_point(|&v| v <= value).checked_sub(1)?;
        Some(at).filter(|&at| value <= self.cell(at).max)
    }

    /// The sum of the `k` largest values.
    pub fn top_sum(&self, k: u64) -> i128 {
        let (mut left, mut sum) = (k, 0i128);
        for cell in self.cells().rev() {
            let known = cell.top_sum(left);
            sum = sum.saturating_add(known.unwrap_or_else(|| cell.sum / i128::from(cell.count) * i128::from(left)));
            left -= left.min(cell.count);
            if left == 0 {
                break;
            }
        }
        sum
    }

    /// For each of some numbers k, ascending, the sum of the k smallest values.
    pub(crate) fn sums_of_least(&self, numbers: impl IntoIterator<Item = u64>) -> Vec<i128> {
        let (mut at, mut below) = (0, 0i128);
        let sum_of = |k: u64| {
            while self.cumulative.get(at).is_some_and(|&through| through <= k) {
                below = below.saturating_add(self.cell(at).sum);
                at += 1;
            }
            let left = k - self.before(at.min(self.values.len()));
            if left == 0 || at == self.values.len() {
                return below;
            }
            let cell = self.cell(at);
            let known = cell.top_sum(cell.count - left).map(|top| cell.sum.saturating_sub(top));
            below.saturating_add(known.unwrap_or_else(|| cell.sum / i128::from(cell.count) * i128::from(left)))
        };
        numbers.into_iter().map(sum_of).collect()
    }

    /// How many values are less than a value.
    pub(crate) fn count_below(&self, value: i64) -> u64 {
        self.before(self.values.partition_point(|&v| v < value))
    }

    /// The Gini coefficient of the values, of which none is below 0; nothing where the cells leave its fourth decimal open.
    pub(crate) fn gini(&self) -> Option<Fixed4> {
        gini::gini(self.cells())
    }

    /// The sum of all values.
    pub fn sum(&self) -> i128 {
        self.top_sum(u64::MAX)
    }

    /// Twice the median: for an even count the sum of the middle two. 0 when there are none.
    pub fn twice_median(&self) -> i128 {
        self.middle().map_or(0, |ranks| ranks.map(|rank| i128::from(self.at(rank))).iter().sum())
    }

    fn middle(&self) -> Option<[u64; 2]> {
        let n = self.len();
        (n > 0).then(|| [(n - 1) / 2, n / 2])
    }

    /// For questions to come.
    pub(crate) fn open(&self) -> Open<'_> {
        Open { ranks: self, cells: BTreeSet::new() }
    }

    /// Replaces the cells that were refined.
    pub(crate) fn refine(&mut self, refinement: Refinement) {
        if refinement.is_empty() {
            return;
        }
        let mut refined = refinement.into_cells().peekable();
        let mut cells = Vec::with_capacity(self.values.len());
        for cell in self.cells() {
            match refined.next_if(|(min, _)| *min == cell.min) {
                Some((_, refined)) => cells.extend(refined),
                None => cells.push(cell),
            }
        }
        *self = Ranks::of_disjoint(cells.into_iter());
    }
}

/// The cells that must be told apart before some questions have an exact answer. Each question is asked by the name of its answer.
#[derive(Debug)]
pub(crate) struct Open<'a> {
    ranks: &'a Ranks,
    cells: BTreeSet<usize>,
}

impl Open<'_> {
    /// Those who ask must know how many values there are.
    pub(crate) fn ranks(&self) -> &Ranks {
        self.ranks
    }

    pub(crate) fn at(&mut self, rank: u64) {
        if let Some(at) = self.ranks.place(rank)
            && self.ranks.cell(at).at(rank - self.ranks.before(at)).is_none()
        {
            self.cells.insert(at);
        }
    }

    pub(crate) fn twice_median(&mut self) {
        self.ranks.middle().into_iter().flatten().for_each(|rank| self.at(rank));
    }

    pub(crate) fn top_sum(&mut self, k: u64) {
        let below = self.ranks.len().saturating_sub(k);
        if let Some(at) = self.ranks.place(below)
            && self.ranks.cell(at).top_sum(self.ranks.cumulative[at] - below).is_none()
        {
            self.cells.insert(at);
        }
    }

    pub(crate) fn count(&mut self, value: i64) {
        self.cells.extend(self.ranks.around(value).filter(|&at| !self.ranks.cell(at).is_one_value()));
    }

    /// Asks of a cell that begins below the value and goes on from there.
    pub(crate) fn count_below(&mut self, value: i64) {
        let cell = self.ranks.around(value).filter(|&at| self.ranks.cell(at).min < value);
        self.cells.extend(cell);
    }

    /// Asks of the cells that leave most of it open, where it is not known.
    pub(crate) fn gini(&mut self) {
        // Values that are counted one by one leave nothing open.
        if !self.ranks.wide.is_empty() && self.ranks.gini().is_none() {
            self.cells.extend(gini::widest(self.ranks.cells()));
        }
    }

    /// The answer if it is known already.
    pub(crate) fn distinct_by(&mut self, limit: u64, to_f64: impl Fn(i64) -> f64) -> Option<u64> {
        let distinct = self.ranks.distinct_by(limit, &to_f64);
        if distinct >= limit {
            return Some(distinct);
        }
        // They are few: each has its own part in the number of distinct values.
        let hides_some = |cell: Cell| to_f64(cell.min) != to_f64(cell.max);
        let cells: Vec<usize> = self.ranks.cells().enumerate().filter(|&(_, cell)| hides_some(cell)).map(|(at, _)| at).collect();
        let known = cells.is_empty();
        self.cells.extend(cells);
        known.then_some(distinct)
    }

    /// The partial that tells the values of these cells apart.
    pub(crate) fn refinement(self) -> Refinement {
        Refinement::of(self.cells.into_iter().map(|at| self.ranks.cell(at)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refined(values: &[i64], limit: usize, ask: impl Fn(&mut Open<'_>)) -> Ranks {
        let mut histogram = Histogram::with_limit(limit);
        values.iter().for_each(|&v| histogram.add(v));
        let mut ranks = Ranks::new(&histogram);
        for _ in 0..7 {
            let mut open = ranks.open();
            ask(&mut open);
            let mut refinement = open.refinement();
            if refinement.is_empty() {
                break;
            }
            values.iter().for_each(|&v| refinement.add(v));
            ranks.refine(refinement);
        }
        ranks
    }

    proptest! {
        #[test]
        fn ranks_equal_a_sorted_list(mut values in prop::collection::vec(prop_oneof![0i64..5, 0i64..100_000, 0i64..i64::MAX / 4], 0..200), k in 0u64..250, limit in prop_oneof![Just(4usize), Just(64), Just(usize::MAX)]) {
            let n = values.len() as u64;
            let ranks = refined(&values, limit, |open| {
                (0..n).for_each(|rank| open.at(rank));
                open.top_sum(k);
                open.twice_median();
                values.iter().for_each(|&v| open.count(v));
                open.distinct_by(u64::MAX, |v| v as f64);
            });
            values.sort_unstable();
            prop_assert_eq!(ranks.len(), n);
            for (i, &v) in values.iter().enumerate() {
                prop_assert_eq!(ranks.at(i as u64), v);
                prop_assert_eq!(ranks.count(v), values.iter().filter(|other| **other == v).count() as u64);
            }
            let top: i128 = values.iter().rev().take(k as usize).map(|&v| i128::from(v)).sum();
            prop_assert_eq!(ranks.top_sum(k), top);
            if !values.is_empty() {
                let middle = i128::from(values[(values.len() - 1) / 2]) + i128::from(values[values.len() / 2]);
                prop_assert_eq!(ranks.twice_median(), middle);
                prop_assert_eq!((ranks.min(), ranks.max(), ranks.at(n)), (values[0], values[values.len() - 1], values[values.len() - 1]));
            }
            values.dedup_by_key(|v| *v as f64);
            prop_assert_eq!(ranks.distinct_by(u64::MAX, |v| v as f64), values.len() as u64);
            prop_assert_eq!(ranks.distinct_by(3, |v| v as f64), values.len().min(3) as u64);
        }
    }
}
