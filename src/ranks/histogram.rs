//! Counts per value in bounded memory. Cents, days and orders repeat, so as a rule they are far fewer than the customers.
//!
//! A [`Histogram`] is filled by [`Lens1`](crate::lens::Lens1) and sorted by [`order_stats`](super::order_stats). Up to its limit
//! of distinct values it counts each of them. One more, and the values outside its array go to buckets for good: cells of a log-linear
//! partition of the 64-bit values that keep count, sum, smallest and largest.
//!
//! Whether a histogram has buckets is decided by the values alone: by how many differ. Where the array ended by then depends on the
//! order, and with it which values are in buckets; equality sees through that. Cells of merged histograms may overlap; sorting
//! them unites those. Counts and sums saturate.

use crate::base::merge::Merge;
use crate::model::hash::table_secret;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use serde::{Deserialize, Serialize};

/// Values below this may be counted in an array, others are in a table.
const DENSE: usize = 1 << 18;
/// The array grows only where there are enough values to be worth it: windows can be many, and most of them small.
const SLOTS_PER_VALUE: usize = 8;
const FREE_SLOTS: usize = 256;

/// Some values: how many, their sum, the smallest and the largest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) min: i64,
    pub(crate) max: i64,
    pub(crate) count: u64,
    pub(crate) sum: i128,
}

impl Cell {
    pub(crate) const EMPTY: Cell = Cell { min: i64::MAX, max: i64::MIN, count: 0, sum: 0 };

    pub(crate) fn of(value: i64, count: u64) -> Self {
        Cell { min: value, max: value, count, sum: i128::from(value) * i128::from(count) }
    }

    /// A cell as it was read from elsewhere, if there can be such values.
    pub(crate) fn checked(self) -> Option<Self> {
        let bound = |value: i64| i128::from(value) * i128::from(self.count);
        (self.count > 0 && self.min <= self.max && (bound(self.min)..=bound(self.max)).contains(&self.sum)).then_some(self)
    }

    /// Whether all its values are the same.
    pub(crate) fn is_one_value(&self) -> bool {
        self.min == self.max
    }

    /// The value at a rank, from 0, where that is known.
    pub(crate) fn at(&self, rank: u64) -> Option<i64> {
        match rank {
            0 => Some(self.min),
            _ if self.is_one_value() || rank.saturating_add(1) >= self.count => Some(self.max),
            _ => None,
        }
    }

    /// The sum of the `k` largest values, where that is known.
    pub(crate) fn top_sum(&self, k: u64) -> Option<i128> {
        match k {
            _ if self.is_one_value() => Some(i128::from(self.max) * i128::from(k.min(self.count))),
            _ if k >= self.count => Some(self.sum),
            0 => Some(0),
            1 => Some(self.max.into()),
            _ if k + 1 == self.count => Some(self.sum.saturating_sub(self.min.into())),
            _ => None,
        }
    }
}

impl Merge for Cell {
    #[inline]
    fn merge(&mut self, other: Cell) {
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.count.merge(other.count);
        self.sum = self.sum.saturating_add(other.sum);
    }
}

/// Cells by value: as many to every power of two, twice over for the negative ones.
#[derive(Debug, Clone)]
struct Buckets {
    /// How many bits of a value, after its highest, tell its cell.
    bits: u32,
    /// By power of two and sign; a row without values has no cells.
    rows: Vec<Vec<Cell>>,
}

impl Buckets {
    /// Precise for large limits, small for small ones: 2 MiB for all amounts of money there are, and less where they are alike.
    fn new(limit: usize) -> Self {
        Buckets { bits: limit.ilog2().saturating_sub(4).clamp(2, 10), rows: Vec::new() }
    }

    /// Takes the values of a cell in, as if they all were its smallest.
    #[inline]
    fn add(&mut self, cell: Cell) {
        let (negative, size) = if cell.min < 0 { (1, !cell.min as u64) } else { (0, cell.min as u64) };
        let shift = (u64::BITS - (size >> self.bits).leading_zeros()).saturating_sub(1);
        // Values that need no more bits than there are have the first row to themselves; in others, the highest bit is always set.
        let is_large = size >> self.bits > 0;
        let row = 2 * (shift as usize + usize::from(is_large)) + negative;
        let column = (size >> shift) as usize & ((1 << self.bits) - 1);
        if self.rows.len() <= row {
            self.rows.resize(row + 1, Vec::new());
        }
        let cells = &mut self.rows[row];
        if cells.is_empty() {
            *cells = vec![Cell::EMPTY; 1 << self.bits];
        }
        cells[column].merge(cell);
    }

    /// Those with values, in no order.
    fn cells(&self) -> impl Iterator<Item = Cell> {
        self.rows.iter().flatten().filter(|cell| cell.count > 0).copied()
    }
}

/// How often each value occurs, or, where too many differ, values near each other.
///
/// The default has no limit.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Portable", into = "Portable")]
pub struct Histogram {
    /// The most distinct values to count one by one.
    limit: usize,
    /// Counts of the values 0, 1, 2 …; as long as the largest of them that occurs needs.
    dense: Vec<u64>,
    /// Counts of values outside the array, unless there are buckets.
    sparse: HashTable<(i64, u64)>,
    /// The number of distinct values, unless there are buckets.
    distinct: usize,
    /// How often a value was beyond the array.
    beyond: usize,
    buckets: Option<Buckets>,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram::with_limit(usize::MAX)
    }
}

impl Histogram {
    /// A limit that few windows reach: some 35 MiB.
    pub const DEFAULT_LIMIT: usize = 1 << 20;

    /// One that counts at most so many distinct values one by one, and at least one.
    pub fn with_limit(limit: usize) -> Self {
        let limit = limit.max(1);
        Histogram { limit, dense: Vec::new(), sparse: HashTable::new(), distinct: 0, beyond: 0, buckets: None }
    }

    /// Counts a value.
    #[inline]
    pub fn add(&mut self, value: i64) {
        match usize::try_from(value).ok().and_then(|at| self.dense.get_mut(at)) {
            Some(count) if *count > 0 => count.merge(1),
            _ => self.add_many(value, 1),
        }
    }

    /// Counts a value that occurs so many times.
    #[inline(never)]
    pub fn add_many(&mut self, value: i64, count: u64) {
        if count == 0 {
            return;
        }
        if let Ok(at) = usize::try_from(value) {
            if at >= self.dense.len() && self.buckets.is_none() {
                self.beyond = self.beyond.saturating_add(1);
                self.reach(at);
            }
            if let Some(slot) = self.dense.get_mut(at) {
                self.distinct += usize::from(*slot == 0);
                slot.merge(count);
                return self.keep_limit();
            }
        }
        if let Some(buckets) = &mut self.buckets {
            return buckets.add(Cell::of(value, count));
        }
        match self.sparse.entry(hash(value), |known| known.0 == value, |known| hash(known.0)) {
            Entry::Occupied(mut known) => known.get_mut().1.merge(count),
            Entry::Vacant(slot) => {
                slot.insert((value, count));
                self.distinct += 1;
                self.keep_limit();
            }
        }
    }

    /// Takes the values of a bucket in. Returns whether there can be such a bucket.
    pub(crate) fn add_bucket(&mut self, cell: Cell) -> bool {
        let checked = cell.checked();
        checked.into_iter().for_each(|cell| self.buckets().add(cell));
        checked.is_some()
    }

    /// The values that are counted one by one with their counts, ascending: all of them unless there are [buckets](Self::is_exact).
    pub fn sorted(&self) -> Vec<(i64, u64)> {
        let mut counts: Vec<(i64, u64)> = self.sparse.iter().copied().collect();
        counts.sort_unstable();
        // What is outside the array is before or after it.
        let after = counts.split_off(counts.partition_point(|&(value, _)| value < 0));
        counts.extend((0..).zip(self.dense.iter().copied()).filter(|&(_, n)| n > 0));
        counts.extend(after);
        counts
    }

    /// Whether all values are counted one by one.
    pub fn is_exact(&self) -> bool {
        self.buckets.is_none()
    }

    /// The cells of the values that are not counted one by one, ascending; those of merged histograms may overlap.
    pub(crate) fn bucketed(&self) -> Vec<Cell> {
        let mut cells: Vec<Cell> = self.buckets.iter().flat_map(Buckets::cells).collect();
        cells.sort_unstable_by_key(|cell| (cell.min, cell.max));
        cells
    }

    /// Bytes held.
    pub fn memory(&self) -> usize {
        let rows = self.buckets.iter().flat_map(|b| &b.rows);
        let cells: usize = rows.map(|row| size_of::<Vec<Cell>>() + row.capacity() * size_of::<Cell>()).sum();
        self.dense.capacity() * size_of::<u64>() + self.sparse.allocation_size() + cells
    }

    /// Grows the array up to a place if that is worth it.
    fn reach(&mut self, at: usize) {
        let worth = self.beyond.saturating_mul(SLOTS_PER_VALUE).saturating_add(FREE_SLOTS);
        if at < DENSE.min(self.limit.saturating_mul(2)).min(worth) {
            self.grow((at + 1).next_power_of_two());
        }
    }

    fn grow(&mut self, len: usize) {
        self.dense.resize(len, 0);
        let dense = &mut self.dense;
        self.sparse.retain(|&mut (value, count)| match usize::try_from(value).ok().and_then(|at| dense.get_mut(at)) {
            Some(slot) => {
                *slot = count;
                false
            }
            None => true,
        });
    }

    fn keep_limit(&mut self) {
        if self.distinct > self.limit && self.buckets.is_none() {
            self.buckets();
        }
    }

    /// The buckets, from now on in the place of the table.
    fn buckets(&mut self) -> &mut Buckets {
        let (limit, sparse) = (self.limit, &mut self.sparse);
        self.buckets.get_or_insert_with(|| {
            let mut buckets = Buckets::new(limit);
            std::mem::take(sparse).into_iter().for_each(|(value, count)| buckets.add(Cell::of(value, count)));
            buckets
        })
    }

    /// All values in buckets, ascending: what does not depend on the order in which they came.
    fn all_bucketed(&self) -> Vec<Cell> {
        let mut all = Histogram { dense: Vec::new(), ..self.clone() };
        self.sorted().into_iter().for_each(|(value, count)| all.buckets().add(Cell::of(value, count)));
        all.bucketed()
    }
}

/// One multiplication by a secret of the process; both the low bits, which choose the slot, and the high ones, its tag, depend on the whole
/// value, and no input can be made to collide.
#[inline]
pub(crate) fn hash(value: i64) -> u64 {
    let product = u128::from(value as u64) * u128::from(table_secret());
    product as u64 ^ (product >> 64) as u64
}

/// Of the same values, as far as they are told apart.
impl PartialEq for Histogram {
    fn eq(&self, other: &Self) -> bool {
        match (&self.buckets, &other.buckets) {
            (None, None) => self.sorted() == other.sorted(),
            (Some(a), Some(b)) => a.bits == b.bits && self.all_bucketed() == other.all_bucketed(),
            _ => false,
        }
    }
}

impl Eq for Histogram {}

impl Merge for Histogram {
    /// The lower limit holds.
    fn merge(&mut self, other: Histogram) {
        if other.limit < self.limit {
            self.limit = other.limit;
            if let Some(buckets) = &mut self.buckets {
                let mut coarser = Buckets::new(self.limit);
                buckets.cells().for_each(|cell| coarser.add(cell));
                *buckets = coarser;
            }
        }
        self.beyond = self.beyond.saturating_add(other.beyond);
        if self.dense.len() < other.dense.len() {
            self.grow(other.dense.len());
        }
        for (count, more) in self.dense.iter_mut().zip(other.dense) {
            self.distinct += usize::from(*count == 0 && more > 0);
            count.merge(more);
        }
        self.keep_limit();
        other.sparse.into_iter().for_each(|(value, count)| self.add_many(value, count));
        if let Some(buckets) = other.buckets {
            let mine = self.buckets();
            buckets.cells().for_each(|cell| mine.add(cell));
        }
    }
}

/// A histogram without its tables.
#[derive(Clone, Serialize, Deserialize)]
struct Portable {
    limit: usize,
    values: Vec<(i64, u64)>,
    /// None if there are no buckets, which says more than that all are empty.
    buckets: Option<Vec<Cell>>,
}

impl From<Histogram> for Portable {
    fn from(histogram: Histogram) -> Self {
        let buckets = histogram.buckets.as_ref().map(|_| histogram.bucketed());
        Portable { limit: histogram.limit, values: histogram.sorted(), buckets }
    }
}

impl TryFrom<Portable> for Histogram {
    type Error = &'static str;

    fn try_from(portable: Portable) -> Result<Self, Self::Error> {
        let mut histogram = Histogram::with_limit(portable.limit);
        portable.values.into_iter().for_each(|(value, count)| histogram.add_many(value, count));
        for cell in portable.buckets.into_iter().flatten() {
            if !histogram.add_bucket(cell) {
                return Err("no values make such a bucket");
            }
        }
        Ok(histogram)
    }
}
