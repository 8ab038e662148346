//! Lens 1: one period. The lens [`Lens1`] counts four histograms a window; [`Lens1Metrics`], the answer, follows from them, if need be
//! after the passes of [`refining`](super::refining). The distribution of scores comes from a later pass, by the lens
//! [`Distribution`](super::distribution::Distribution), because scores need the histograms of all customers.

use super::Lens;
use super::measures::Measures;
use super::portable::{PortableLens, SUM, batch, for_windows, foreign, windows_of};
use crate::base::error::Result;
use crate::base::money::{Fixed2, Money, Percent};
use crate::finalize::Block;
use crate::model::window::Window;
use crate::ranks::histogram::{Cell, Histogram};
use crate::ranks::order_stats::{Open, Ranks};
use arrow::array::{Array, AsArray, Decimal128Array, Int64Array, RecordBatch, UInt8Array, UInt32Array, UInt64Array};
use arrow::datatypes::{Decimal128Type, Int64Type, UInt8Type, UInt32Type, UInt64Type};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The answer of Lens 1 for one window.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Lens1Metrics {
    /// Customers active in the window.
    pub total_customers: u64,
    /// Customers with one order.
    pub one_time_buyers: u64,
    /// Their share, in percent.
    pub one_time_buyer_pct: Percent,
    /// Money spent.
    pub total_revenue: Money,
    /// Orders.
    pub total_orders: i128,
    /// For each p, the share of revenue in percent that comes from the top p % of customers by spend, at least one customer.
    pub revenue_concentration: BTreeMap<u32, Percent>,
    /// Orders per customer.
    pub avg_orders_per_customer: Fixed2,
    /// The median customer's spend.
    pub median_customer_value: Money,
    /// Customers per RFM score, for scores that occur.
    pub rfm_distribution: BTreeMap<String, u64>,
}

impl Lens1Metrics {
    pub(crate) fn new(frequency: &Ranks, spend: &Ranks, percentiles: &[u32], rfm_distribution: BTreeMap<String, u64>) -> Self {
        let n = spend.len();
        let (revenue, orders) = (spend.sum(), frequency.sum());
        let one_time_buyers = frequency.count(1);
        let top = |p: u32| spend.top_sum(top_customers(n, p));
        Lens1Metrics {
            total_customers: n,
            one_time_buyers,
            one_time_buyer_pct: Fixed2::percent(one_time_buyers.into(), n.into()),
            total_revenue: Fixed2::from_hundredths(revenue),
            total_orders: orders,
            revenue_concentration: percentiles.iter().map(|&p| (p, Fixed2::percent(top(p), revenue))).collect(),
            avg_orders_per_customer: Fixed2::quotient(orders, n.into()),
            // Cents over 2, in hundredths: a quotient of cents scaled down by the 100 that quotients scale up by.
            median_customer_value: Fixed2::quotient(spend.twice_median(), 200),
            rfm_distribution,
        }
    }

    /// Asks for the order statistics that [`Lens1Metrics::new`] will want to know.
    pub(crate) fn ask(frequency: &mut Open<'_>, spend: &mut Open<'_>, percentiles: &[u32]) {
        let n = spend.ranks().len();
        frequency.count(1);
        percentiles.iter().for_each(|&p| spend.top_sum(top_customers(n, p)));
        spend.twice_median();
    }
}

/// How many of n customers the top p % are.
fn top_customers(n: u64, p: u32) -> u64 {
    (u128::from(n) * u128::from(p) / 100).max(1) as u64
}

/// Counts recency, frequency, monetary and spend per window.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Lens1 {
    /// The most distinct values that a histogram of amounts counts one by one.
    limit: usize,
    /// Likewise, one of days or orders, of which there are fewer.
    narrow: usize,
}

impl Default for Lens1 {
    fn default() -> Self {
        Lens1::with_limit(Histogram::DEFAULT_LIMIT)
    }
}

/// A histogram below this is no larger than what is spent on having it.
const MIN_LIMIT: usize = 64;

impl Lens1 {
    /// With histograms that count at most so many distinct values one by one, each.
    pub fn with_limit(limit: usize) -> Self {
        Lens1 { limit, narrow: limit }
    }

    /// With histograms of so many partials, each for so many windows, that together hold so many distinct values: some 40 bytes each, at
    /// most 80. Days and orders differ little, so histograms of amounts have most of the room.
    pub fn sharing(total: usize, windows: usize, partials: usize) -> Self {
        let histograms = windows.max(1).saturating_mul(partials.max(1)).saturating_mul(4);
        let share = (total / histograms).clamp(MIN_LIMIT, Histogram::DEFAULT_LIMIT);
        let narrow = (share / 4).max(MIN_LIMIT);
        Lens1 { limit: (2 * share - narrow).min(Histogram::DEFAULT_LIMIT), narrow }
    }

    fn measures(&self) -> Measures {
        Measures::with_limits(self.narrow, self.limit)
    }

    #[inline]
    fn observe_row(partial: &mut [Measures], window: usize, recency: i64, frequency: i64, monetary: i64, spend: i64) {
        if let Some(measures) = partial.get_mut(window) {
            measures.add(recency, frequency, monetary, spend);
        }
    }
}

impl Lens for Lens1 {
    type Partial = Vec<Measures>;
    type Answer = Vec<Measures>;

    fn empty(&self, windows: &[Window]) -> Vec<Measures> {
        vec![self.measures(); windows.len()]
    }

    fn observe(&self, partial: &mut Vec<Measures>, block: &Block) {
        let values = block.recency_days.iter().zip(&block.frequency).zip(&block.monetary).zip(&block.total_spend);
        for (&window, (((&recency, &frequency), &monetary), &spend)) in block.window.iter().zip(values) {
            Self::observe_row(partial, window as usize, recency.into(), frequency, monetary, spend);
        }
    }

    fn finish(&self, _: &[Window], partial: Vec<Measures>) -> Vec<Measures> {
        partial
    }
}

impl PortableLens for Lens1 {
    /// One batch: `window` (its place in the run), `measure` (0 recency, 1 frequency, 2 monetary, 3 spend), `value`, `count`; where the
    /// row is a bucket, `max` and `sum`, and `value` is the smallest.
    fn encode(&self, partial: &Vec<Measures>, out: &mut Vec<RecordBatch>) -> Result<()> {
        let (mut windows, mut measures, mut cells, mut buckets) = (vec![], vec![], vec![], vec![]);
        for (window, m) in (0u32..).zip(partial) {
            for (measure, histogram) in (0u8..).zip(m.all()) {
                cells.extend(histogram.sorted().into_iter().map(|(value, count)| Cell::of(value, count)));
                buckets.resize(cells.len(), None);
                cells.extend(histogram.bucketed());
                buckets.extend(cells[buckets.len()..].iter().copied().map(Some));
                windows.resize(cells.len(), window);
                measures.resize(cells.len(), measure);
            }
        }
        let sums: Decimal128Array = buckets.iter().map(|bucket| bucket.map(|b| b.sum)).collect();
        let columns = batch([
            ("window", Arc::new(UInt32Array::from(windows)) as _),
            ("measure", Arc::new(UInt8Array::from(measures)) as _),
            ("value", Arc::new(Int64Array::from_iter_values(cells.iter().map(|cell| cell.min))) as _),
            ("count", Arc::new(UInt64Array::from_iter_values(cells.iter().map(|cell| cell.count))) as _),
            ("max", Arc::new(buckets.iter().map(|bucket| bucket.map(|b| b.max)).collect::<Int64Array>()) as _),
            ("sum", Arc::new(sums.with_data_type(SUM)) as _),
        ])?;
        out.push(for_windows(columns, partial.len())?);
        Ok(())
    }

    fn decode(&self, batches: &mut dyn Iterator<Item = RecordBatch>) -> Result<Vec<Measures>> {
        self.decoded(batches).ok_or_else(|| foreign("single period"))
    }
}

impl Lens1 {
    fn decoded(&self, batches: &mut dyn Iterator<Item = RecordBatch>) -> Option<Vec<Measures>> {
        let batch = batches.next()?;
        let windows = batch.column_by_name("window")?.as_primitive_opt::<UInt32Type>()?;
        let measures = batch.column_by_name("measure")?.as_primitive_opt::<UInt8Type>()?;
        let values = batch.column_by_name("value")?.as_primitive_opt::<Int64Type>()?;
        let counts = batch.column_by_name("count")?.as_primitive_opt::<UInt64Type>()?;
        let maxima = batch.column_by_name("max")?.as_primitive_opt::<Int64Type>()?;
        let sums = batch.column_by_name("sum")?.as_primitive_opt::<Decimal128Type>()?;
        let mut partial = vec![self.measures(); windows_of(&batch)?];
        for row in 0..batch.num_rows() {
            let histogram = partial.get_mut(windows.value(row) as usize)?.by_number(measures.value(row))?;
            let (value, count) = (values.value(row), counts.value(row));
            if maxima.is_null(row) {
                histogram.add_many(value, count);
            } else if !histogram.add_bucket(Cell { min: value, max: maxima.value(row), count, sum: sums.value(row) }) {
                return None;
            }
        }
        Some(partial)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::base::merge::Merge;

    /// A window whose spend takes buckets, below 0 and far above, and one without customers.
    fn bucketed() -> (Lens1, Vec<Measures>) {
        let lens = Lens1::with_limit(16);
        let mut measures = Measures::with_limit(16);
        (0..1_000i64).for_each(|i| measures.add(i % 10, 1, i * i, (i - 5) << (i % 50)));
        (lens, vec![measures, Measures::with_limit(16)])
    }

    fn encoded() -> (Lens1, Vec<Measures>, RecordBatch) {
        let (lens, partial) = bucketed();
        let mut batches = Vec::new();
        lens.encode(&partial, &mut batches).unwrap();
        (lens, partial, batches.remove(0))
    }

    #[test]
    fn buckets_travel() {
        let (lens, partial, batch) = encoded();
        assert!(partial[0].recency.is_exact() && !partial[0].spend.is_exact());
        let mut back = lens.decode(&mut std::iter::once(batch)).unwrap();
        assert_eq!(back, partial);
        back.merge(partial.clone());
        assert_eq!(Ranks::new(&back[0].spend).sum(), 2 * Ranks::new(&partial[0].spend).sum());
        let text = serde_json::to_string(&partial).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Measures>>(&text).unwrap(), partial);
    }

    #[test]
    fn a_bucket_that_no_values_make_is_foreign() {
        let (lens, _, batch) = encoded();
        let row = (0..batch.num_rows()).find(|&row| batch.column(4).is_valid(row)).unwrap();
        let one = batch.slice(row, 1);
        assert!(lens.decode(&mut std::iter::once(one.clone())).is_ok());
        for (column, array) in [
            (0, Arc::new(UInt32Array::from(vec![2])) as arrow::array::ArrayRef),
            (1, Arc::new(UInt8Array::from(vec![4]))),
            (2, Arc::new(Int64Array::from(vec![i64::MAX]))),
            (3, Arc::new(UInt64Array::from(vec![0]))),
            (4, Arc::new(Int64Array::from(vec![i64::MIN]))),
            (5, Arc::new(Decimal128Array::from(vec![i128::MAX]).with_data_type(SUM))),
            (5, Arc::new(Int64Array::from(vec![0]))),
        ] {
            let schema = batch.schema();
            let mut columns: Vec<(&str, _)> =
                schema.fields().iter().map(|f| f.name().as_str()).zip(one.columns().iter().cloned()).collect();
            columns[column].1 = array;
            let changed = for_windows(RecordBatch::try_from_iter(columns).unwrap(), 2).unwrap();
            assert!(lens.decode(&mut std::iter::once(changed)).is_err(), "column {column}");
        }
    }
}
