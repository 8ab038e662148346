//! Cohorts: what the customers who came in one window do in it and in each later one. Lenses 3, 4 and 5 follow from one partial.
//!
//! The *cohort* of a customer is the window that holds the earliest `period_start` of any accepted row of theirs. That moment is what states
//! keep as [`first_seen`](crate::finalize::Block::first_seen), a minimum over all rows, and nothing is added to them for cohorts. It is known
//!
//! - of rows before the first window and in gaps between windows: they are history, entries of no window, and count for the minimum alone;
//! - of customers who are left out of a window, for the rows of theirs that were accepted count whether the customer is valid there or not;
//! - in spilled runs, in saved states and in states that were merged: each part has the minimum of its own rows, and merging takes the lesser;
//! - after [`rollup`](crate::state), which adds entries up and leaves the minimum alone; the windows of an audit are unions of the state's, so
//!   that a row begins in the same window of the audit, whether it has its own period or that of the state;
//! - after periods were dropped: the customers of them keep it;
//! - after an input was taken out, because parts lie apart, each with its own minimum.
//!
//! Where it lies before the first window, the cohort is *earlier*; in a gap, that of the next window. A window that is open at its start
//! begins with the first row, and with that window no customer is earlier.
//!
//! The partial, [`CohortSums`], has a cell per cohort and window from the cohort's own on: customers, orders, spend. That is half of a square:
//! 350 KB for 120 windows. Beside it lie, for each cohort, its customers by the distance from their first to their second window, and its
//! repeat customers. Limit:
//! [`MOST_COHORT_WINDOWS`].

use super::Lens;
use super::cohort_answers::Cohorts;
use super::distribution::ScoreCell;
use super::portable::{PortableLens, batch, complete, for_windows, foreign, sums, windows_of};
use crate::base::error::Result;
use crate::base::merge::Merge;
use crate::base::money::Fixed2;
use crate::base::time::MIN_TIMESTAMP;
use crate::finalize::Block;
use crate::model::window::{Granularity, Window, Windows};
use crate::spec::{MOST_COHORT_WINDOWS, Spec, cohorts_fit};
use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array, UInt64Array};
use arrow::datatypes::{Decimal128Type, UInt32Type, UInt64Type};
use std::sync::Arc;

/// Sums what cohorts do, window by window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CohortLens {
    starts: Vec<i64>,
    ends: Vec<i64>,
    is_left_censored: bool,
}

/// The sums of all cohorts: first of those who came before the first window, then by window.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CohortSums {
    /// Whether the customers of the first window may be older than the data.
    pub(super) is_left_censored: bool,
    pub(super) cohorts: Vec<CohortSum>,
}

/// The sums of a cohort. Has no cells before its first customer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct CohortSum {
    pub(super) size: u64,
    /// By window, from the cohort's own on.
    pub(super) cells: Vec<ScoreCell>,
    /// Customers by the distance from their first to their second window; at 0 those without a second.
    pub(super) second: Vec<u64>,
    /// Customers with two orders or more.
    pub(super) repeat_customers: u64,
    pub(super) repeat_orders: i128,
}

impl Merge for CohortSum {
    fn merge(&mut self, other: CohortSum) {
        self.size.merge(other.size);
        self.cells.merge(other.cells);
        self.second.merge(other.second);
        self.repeat_customers.merge(other.repeat_customers);
        self.repeat_orders = self.repeat_orders.saturating_add(other.repeat_orders);
    }
}

impl CohortSums {
    /// The cells of cohorts with customers, by cohort, then by window: the window of the cohort, none for those who came before the first.
    pub(crate) fn cells(&self) -> impl Iterator<Item = (Option<usize>, usize, ScoreCell)> + '_ {
        there(self).flat_map(|(place, sum)| {
            let cells = (begins(place)..).zip(sum.cells.iter().copied());
            cells.map(move |(window, cell)| (place.checked_sub(1), window, cell))
        })
    }

    /// The number of customers.
    pub(crate) fn customers(&self) -> u64 {
        self.cohorts.iter().fold(0, |all, cohort| all.saturating_add(cohort.size))
    }

    /// The number of windows.
    pub(crate) fn windows(&self) -> usize {
        self.cohorts.len().saturating_sub(1)
    }
}

impl Merge for CohortSums {
    fn merge(&mut self, other: CohortSums) {
        self.is_left_censored |= other.is_left_censored;
        self.cohorts.merge(other.cohorts);
    }
}

/// The window that a cohort begins with: the first, for those who came before it.
pub(super) fn begins(cohort: usize) -> usize {
    cohort.saturating_sub(1)
}

impl CohortLens {
    /// For these windows, in time order. Those of a calendar leave it open whether the customers of the first window are older than the data.
    ///
    /// # Errors
    /// Too many windows.
    pub(crate) fn of(spec: &Spec, windows: &[Window]) -> Result<Self> {
        let is_open = match &spec.windows {
            Windows::List(list) => list.first().is_some_and(|first| first.start == MIN_TIMESTAMP),
            Windows::Every(every) => *every == Granularity::All,
        };
        Self::new(windows, is_open, matches!(spec.windows, Windows::Every(_)))
    }

    /// For these windows, in time order; the first of them may be open at its start, and the customers of it may be older than the data.
    ///
    /// # Errors
    /// Too many windows.
    pub fn new(windows: &[Window], is_open: bool, is_left_censored: bool) -> Result<Self> {
        cohorts_fit(windows.len())?;
        let mut starts: Vec<i64> = windows.iter().map(|window| window.start).collect();
        if is_open && let Some(first) = starts.first_mut() {
            *first = i64::MIN;
        }
        Ok(CohortLens { starts, ends: windows.iter().map(|window| window.end).collect(), is_left_censored })
    }

    /// The place of a customer's cohort, given the first window that they are valid in.
    #[inline]
    fn place(&self, first_seen: i64, window: usize) -> usize {
        // Most come in the first window that they are valid in.
        if first_seen >= self.starts[window] {
            return window + 1;
        }
        if first_seen < self.starts[0] { 0 } else { self.ends[..window].partition_point(|end| *end <= first_seen) + 1 }
    }

    fn empty_sums(&self) -> CohortSums {
        let cohorts = vec![CohortSum::default(); self.starts.len() + 1];
        CohortSums { is_left_censored: self.is_left_censored, cohorts }
    }
}

impl CohortSum {
    /// Makes room for the cells of a cohort.
    #[cold]
    fn open(&mut self, windows: usize) {
        self.cells = vec![ScoreCell::default(); windows];
        self.second = vec![0; windows];
    }
}

impl Lens for CohortLens {
    type Partial = CohortSums;
    type Answer = Cohorts;

    fn empty(&self, _: &[Window]) -> CohortSums {
        self.empty_sums()
    }

    fn observe(&self, partial: &mut CohortSums, block: &Block) {
        let rows = block.customer.len();
        let (customers, windows) = (&block.customer[..rows], &block.window[..rows]);
        let (orders, spend) = (&block.frequency[..rows], &block.total_spend[..rows]);
        let mut row = 0;
        while row < rows {
            let (customer, first) = (customers[row], windows[row] as usize);
            let place = self.place(block.first_seen[customer as usize], first);
            let (cohort, begins) = (&mut partial.cohorts[place], begins(place));
            if cohort.cells.is_empty() {
                cohort.open(self.starts.len() - begins);
            }
            let (mut all_orders, mut distance, from) = (0i128, 0, row);
            while row < rows && customers[row] == customer {
                let window = windows[row] as usize;
                let cell = &mut cohort.cells[window - begins];
                cell.customers += 1;
                cell.orders += i128::from(orders[row]);
                cell.revenue += Fixed2::from_hundredths(spend[row].into());
                all_orders += i128::from(orders[row]);
                distance = if row == from + 1 { window - first } else { distance };
                row += 1;
            }
            cohort.size += 1;
            cohort.second[distance] += 1;
            cohort.repeat_customers += u64::from(all_orders > 1);
            cohort.repeat_orders += if all_orders > 1 { all_orders } else { 0 };
        }
    }

    fn finish(&self, windows: &[Window], partial: CohortSums) -> Cohorts {
        Cohorts::new(windows.iter().map(|window| window.name.as_str()), &partial)
    }
}

impl PortableLens for CohortLens {
    /// Three batches, sorted; a `cohort` is 0 for those who came before the first window, or the place of its window, plus 1. A row per cohort
    /// with customers: `left_censored`, `size`, `repeat_customers`, `repeat_orders`. A row per `cohort` and `window` with activity: `active`, `orders`,
    /// `revenue` (cents). A row per `cohort` and `distance` (0 for never) that occurs: `customers`.
    fn encode(&self, partial: &CohortSums, out: &mut Vec<RecordBatch>) -> Result<()> {
        encode(partial, out)
    }

    fn decode(&self, batches: &mut dyn Iterator<Item = RecordBatch>) -> Result<CohortSums> {
        decode(batches).filter(|sums| sums.cohorts.len() == self.starts.len() + 1).ok_or_else(|| foreign("cohort"))
    }
}

/// Cohorts that have customers, with their places.
fn there(partial: &CohortSums) -> impl Iterator<Item = (usize, &CohortSum)> {
    partial.cohorts.iter().enumerate().filter(|(_, sum)| sum.size > 0)
}

fn numbers(of: impl Iterator<Item = usize>) -> ArrayRef {
    Arc::new(UInt32Array::from_iter_values(of.map(|number| number as u32)))
}

fn counts(of: impl Iterator<Item = u64>) -> ArrayRef {
    Arc::new(UInt64Array::from_iter_values(of))
}

fn censored(of: impl Iterator<Item = bool>) -> ArrayRef {
    Arc::new(of.map(Some).collect::<BooleanArray>())
}

/// The batches of sums.
pub(crate) fn encode(partial: &CohortSums, out: &mut Vec<RecordBatch>) -> Result<()> {
    let members = batch([
        ("cohort", numbers(there(partial).map(|(place, _)| place))),
        ("left_censored", censored(there(partial).map(|(place, _)| partial.is_left_censored && place == 1))),
        ("size", counts(there(partial).map(|(_, sum)| sum.size))),
        ("repeat_customers", counts(there(partial).map(|(_, sum)| sum.repeat_customers))),
        ("repeat_orders", sums(there(partial).map(|(_, sum)| sum.repeat_orders))),
    ])?;
    out.push(for_windows(members, partial.cohorts.len().saturating_sub(1))?);
    let cells = || {
        let of = |(place, sum): (usize, &CohortSum)| {
            let cells = (begins(place)..).zip(sum.cells.clone());
            cells.filter(|(_, cell)| cell.customers > 0).map(move |(window, cell)| (place, window, cell)).collect::<Vec<_>>()
        };
        there(partial).flat_map(of)
    };
    out.push(batch([
        ("cohort", numbers(cells().map(|(place, ..)| place))),
        ("window", numbers(cells().map(|(_, window, _)| window))),
        ("active", counts(cells().map(|(.., cell)| cell.customers))),
        ("orders", sums(cells().map(|(.., cell)| cell.orders))),
        ("revenue", sums(cells().map(|(.., cell)| cell.revenue.hundredths()))),
    ])?);
    let seconds = || {
        let of = |(place, sum): (usize, &CohortSum)| {
            let distances = sum.second.clone().into_iter().enumerate().filter(|(_, customers)| *customers > 0);
            distances.map(move |(distance, customers)| (place, distance, customers)).collect::<Vec<_>>()
        };
        there(partial).flat_map(of)
    };
    out.push(batch([
        ("cohort", numbers(seconds().map(|(place, ..)| place))),
        ("distance", numbers(seconds().map(|(_, distance, _)| distance))),
        ("customers", counts(seconds().map(|(.., customers)| customers))),
    ])?);
    Ok(())
}

/// Takes back what [`encode`] appended, unless it makes no sense.
pub(crate) fn decode(batches: &mut dyn Iterator<Item = RecordBatch>) -> Option<CohortSums> {
    let (members, cells, seconds) = (complete(batches.next()?)?, complete(batches.next()?)?, complete(batches.next()?)?);
    let windows = windows_of(&members).filter(|windows| *windows <= MOST_COHORT_WINDOWS)?;
    let mut partial = CohortSums { is_left_censored: false, cohorts: vec![CohortSum::default(); windows + 1] };
    let places = members.column_by_name("cohort")?.as_primitive_opt::<UInt32Type>()?;
    let censored = members.column_by_name("left_censored")?.as_boolean_opt()?;
    partial.is_left_censored = censored.true_count() > 0;
    let sizes = members.column_by_name("size")?.as_primitive_opt::<UInt64Type>()?;
    let repeaters = members.column_by_name("repeat_customers")?.as_primitive_opt::<UInt64Type>()?;
    let repeat_orders = members.column_by_name("repeat_orders")?.as_primitive_opt::<Decimal128Type>()?;
    for row in 0..members.num_rows() {
        let place = places.value(row) as usize;
        let sum = partial.cohorts.get_mut(place).filter(|sum| sum.size == 0)?;
        let open = CohortSum {
            size: sizes.value(row),
            repeat_customers: repeaters.value(row),
            repeat_orders: repeat_orders.value(row),
            ..CohortSum::default()
        };
        *sum = open;
        sum.open(windows.checked_sub(begins(place)).filter(|room| *room > 0)?);
    }
    let places = cells.column_by_name("cohort")?.as_primitive_opt::<UInt32Type>()?;
    let at = cells.column_by_name("window")?.as_primitive_opt::<UInt32Type>()?;
    let active = cells.column_by_name("active")?.as_primitive_opt::<UInt64Type>()?;
    let orders = cells.column_by_name("orders")?.as_primitive_opt::<Decimal128Type>()?;
    let revenue = cells.column_by_name("revenue")?.as_primitive_opt::<Decimal128Type>()?;
    for row in 0..cells.num_rows() {
        let place = places.value(row) as usize;
        let cell = partial.cohorts.get_mut(place)?.cells.get_mut((at.value(row) as usize).checked_sub(begins(place))?)?;
        let revenue = Fixed2::from_hundredths(revenue.value(row));
        cell.merge(ScoreCell { customers: active.value(row), orders: orders.value(row), revenue });
    }
    let places = seconds.column_by_name("cohort")?.as_primitive_opt::<UInt32Type>()?;
    let distances = seconds.column_by_name("distance")?.as_primitive_opt::<UInt32Type>()?;
    let customers = seconds.column_by_name("customers")?.as_primitive_opt::<UInt64Type>()?;
    for row in 0..seconds.num_rows() {
        let sum = partial.cohorts.get_mut(places.value(row) as usize)?;
        sum.second.get_mut(distances.value(row) as usize)?.merge(customers.value(row));
    }
    // All three are of the same customers.
    let agree = |sum: &CohortSum| {
        let second = sum.second.iter().fold(0u64, |all, customers| all.saturating_add(*customers));
        let sane = |cell: &ScoreCell| cell.customers <= sum.size && cell.orders >= 0 && cell.revenue >= Fixed2::ZERO;
        second == sum.size && sum.repeat_customers <= sum.size && sum.repeat_orders >= 0 && sum.cells.iter().all(sane)
    };
    partial.cohorts.iter().all(agree).then_some(partial)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn months(count: i64) -> Vec<Window> {
        let window = |at: i64| Window { name: format!("{at}"), start: at * 10, end: at * 10 + 9, observation_end: at * 10 + 9 };
        (0..count).map(window).collect()
    }

    /// Full, the sums of ten years of months take less than a megabyte, in memory and as Arrow.
    #[test]
    fn ten_years_of_months_are_small() {
        let lens = CohortLens::new(&months(120), false, true).unwrap();
        let mut sums = lens.empty(&[]);
        for (place, sum) in sums.cohorts.iter_mut().enumerate() {
            sum.open(120 - begins(place));
            sum.cells.fill(ScoreCell { customers: 1, orders: 2, revenue: Fixed2::from_hundredths(1 << 60) });
            sum.second.fill(1);
            sum.size = sum.second.len() as u64;
        }
        let room = |sum: &CohortSum| size_of_val(&sum.cells[..]) + size_of_val(&sum.second[..]) + size_of::<CohortSum>();
        assert!(sums.cohorts.iter().map(room).sum::<usize>() < 1_000_000);
        let mut batches = Vec::new();
        lens.encode(&sums, &mut batches).unwrap();
        assert!(batches.iter().map(RecordBatch::get_array_memory_size).sum::<usize>() < 1_000_000);
        let back = lens.decode(&mut batches.into_iter()).unwrap();
        assert_eq!(back, sums);
        assert_eq!((back.windows(), back.customers()), (120, 120 * 121 / 2 + 120));
    }

    /// The cohort is that of the first window that ends after the first row, as far as there is a window before the first valid one.
    #[test]
    fn places() {
        let lens = CohortLens::new(&months(3), false, false).unwrap();
        // Each window ends a moment before the next begins.
        let of = |first_seen: i64, valid: usize| lens.place(first_seen, valid);
        assert_eq!([of(-1, 2), of(0, 2), of(8, 2), of(9, 2), of(10, 2), of(19, 2), of(20, 2)], [0, 1, 1, 2, 2, 3, 3]);
        assert_eq!([of(-1, 0), of(0, 0), of(9, 1)], [0, 1, 2]);
        let open = CohortLens::new(&months(3), true, false).unwrap();
        assert_eq!([open.place(i64::MIN, 0), open.place(-1, 2)], [1, 1]);
    }

    /// Batches of no partial.
    #[test]
    fn foreign_batches_are_refused() {
        let lens = CohortLens::new(&months(2), false, false).unwrap();
        let mut sums = lens.empty(&[]);
        sums.cohorts[1].open(2);
        (sums.cohorts[1].size, sums.cohorts[1].second[0]) = (2, 2);
        sums.cohorts[1].cells[0].customers = 2;
        let encoded = |sums: &CohortSums| {
            let mut batches = Vec::new();
            lens.encode(sums, &mut batches).unwrap();
            batches
        };
        assert_eq!(lens.decode(&mut encoded(&sums).into_iter()).unwrap(), sums);
        for missing in 0..3 {
            assert!(lens.decode(&mut encoded(&sums).into_iter().take(missing)).is_err());
        }
        let wrong = |change: &dyn Fn(&mut CohortSum)| {
            let mut sums = sums.clone();
            change(&mut sums.cohorts[1]);
            lens.decode(&mut encoded(&sums).into_iter()).is_err()
        };
        assert!(wrong(&|sum| sum.size = 3) && wrong(&|sum| sum.repeat_customers = 3) && wrong(&|sum| sum.cells[1].customers = 3));
        assert!(wrong(&|sum| sum.cells[0].orders = -1) && wrong(&|sum| sum.cells.push(sum.cells[0])) && wrong(&|sum| sum.second.push(1)));
        let other = CohortLens::new(&months(3), false, false).unwrap();
        assert!(other.decode(&mut encoded(&sums).into_iter()).is_err());
        assert!(CohortLens::new(&months(601), false, false).is_err());
    }
}
