//! Exact order statistics from a [`Histogram`], if need be with more passes over the data.
//!
//! [`Ranks`] is its sorted form, which answers "the value at rank i" and "the sum of the top k". Where the histogram has buckets, most
//! answers hold for any values in them. [`Open`] takes the questions beforehand and collects the few cells for which that is not so; a
//! [`Refinement`] tells the values of those cells apart in one more pass, and `Ranks` takes it in. One pass makes a cell 1,024 times
//! narrower, so there are at most 7, whatever the values.
//!
//! A question that was not asked beforehand gets an answer near the truth.

pub(crate) use super::histogram::Histogram;

use super::histogram::Cell;
use crate::base::merge::Merge;
use std::collections::BTreeSet;

/// A refinement divides a cell by as many bits at a time.
const BITS: u32 = 10;

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
        let mut refined = refinement.ranges.into_iter().peekable();
        let mut cells = Vec::with_capacity(self.values.len());
        for cell in self.cells() {
            match refined.next_if(|range| range.min == cell.min) {
                Some(range) => cells.extend(range.cells.into_iter().filter(|cell| cell.count > 0)),
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
        let cells = self.cells.into_iter().map(|at| self.ranks.cell(at));
        let ranges: Vec<Range> = cells.map(|cell| Range { min: cell.min, max: cell.max, cells: Vec::new() }).collect();
        Refinement { ends: ranges.iter().map(|range| range.max).collect(), ranges }
    }
}

/// Cells of equal width between two values.
#[derive(Debug, Clone)]
struct Range {
    min: i64,
    max: i64,
    /// None until there is a value.
    cells: Vec<Cell>,
}

impl Range {
    fn width(&self) -> u64 {
        self.max.wrapping_sub(self.min) as u64
    }

    fn shift(&self) -> u32 {
        (u64::BITS - self.width().leading_zeros()).saturating_sub(BITS)
    }

    /// Those that there are, or will be.
    fn len(&self) -> usize {
        (self.width() >> self.shift()) as usize + 1
    }

    fn add(&mut self, value: i64) {
        if self.cells.is_empty() {
            self.cells = vec![Cell::EMPTY; self.len()];
        }
        let at = (value.wrapping_sub(self.min) as u64 >> self.shift()) as usize;
        self.cells[at].merge(Cell::of(value, 1));
    }
}

/// Observes the values of some cells, ignoring others.
#[derive(Debug, Clone, Default)]
pub(crate) struct Refinement {
    /// The largest value of each range: what is searched, in one place.
    ends: Vec<i64>,
    /// Ascending, and they do not overlap.
    ranges: Vec<Range>,
}

impl Refinement {
    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The number of cells that it may come to hold.
    pub(crate) fn len(&self) -> usize {
        self.ranges.iter().map(Range::len).sum()
    }

    #[inline]
    pub(crate) fn add(&mut self, value: i64) {
        let at = self.ends.partition_point(|&end| end < value);
        if let Some(range) = self.ranges.get_mut(at).filter(|range| range.min <= value) {
            range.add(value);
        }
    }
}

/// Of the same ranges.
impl Merge for Refinement {
    fn merge(&mut self, other: Refinement) {
        for (mine, more) in self.ranges.iter_mut().zip(other.ranges) {
            if mine.cells.is_empty() {
                mine.cells = more.cells;
            } else {
                mine.cells.merge(more.cells);
            }
        }
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
