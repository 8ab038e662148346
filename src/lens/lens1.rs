//! Lens 1: one period. Its partial is four histograms per window; every number of the answer but the grid follows from them, if need
//! be after what [`refining`](super::refining) finds out.
//!
//! The RFM grid needs scores, and scores need the histograms of all customers. So there are two lenses: [`SinglePeriod`] observes first,
//! [`Distribution`] counts scores once the blocks have them, and [`Lens1Metrics::new`] puts both together.

use super::Lens;
use crate::base::error::{Error, Result};
use crate::base::merge::Merge;
use crate::base::money::{Fixed2, Money, Percent};
use crate::finalize::Block;
use crate::model::window::Window;
use crate::ranks::histogram::{Cell, Histogram};
use crate::ranks::order_stats::{Open, Ranks};
use crate::ranks::score::Scorer;
use arrow::array::{Array, AsArray, Decimal128Array, Int64Array, RecordBatch, UInt8Array, UInt16Array, UInt32Array, UInt64Array};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What one period looks like.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
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

/// What is counted of a window's customers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Measures {
    /// Days.
    pub recency: Histogram,
    /// Orders.
    pub frequency: Histogram,
    /// Cents per order.
    pub monetary: Histogram,
    /// Cents.
    pub spend: Histogram,
}

impl Measures {
    /// Histograms that count at most so many distinct values one by one, each.
    pub fn with_limit(limit: usize) -> Self {
        let one = || Histogram::with_limit(limit);
        Measures { recency: one(), frequency: one(), monetary: one(), spend: one() }
    }

    /// Bytes held.
    pub fn memory(&self) -> usize {
        self.all().map(Histogram::memory).iter().sum()
    }

    #[inline]
    pub(crate) fn add(&mut self, recency: i64, frequency: i64, monetary: i64, spend: i64) {
        self.recency.add(recency);
        self.frequency.add(frequency);
        self.monetary.add(monetary);
        self.spend.add(spend);
    }

    fn all(&self) -> [&Histogram; 4] {
        [&self.recency, &self.frequency, &self.monetary, &self.spend]
    }

    fn by_number(&mut self, measure: u8) -> Option<&mut Histogram> {
        match measure {
            0 => Some(&mut self.recency),
            1 => Some(&mut self.frequency),
            2 => Some(&mut self.monetary),
            3 => Some(&mut self.spend),
            _ => None,
        }
    }
}

impl Merge for Measures {
    fn merge(&mut self, other: Measures) {
        self.recency.merge(other.recency);
        self.frequency.merge(other.frequency);
        self.monetary.merge(other.monetary);
        self.spend.merge(other.spend);
    }
}

/// The sorted measures of a window: what scores and Lens 1 are computed from.
#[derive(Debug, Clone, Default)]
pub(crate) struct SortedMeasures {
    pub(crate) recency: Ranks,
    pub(crate) frequency: Ranks,
    pub(crate) monetary: Ranks,
    pub(crate) spend: Ranks,
}

impl SortedMeasures {
    pub(crate) fn new(measures: Measures) -> Self {
        let Measures { recency, frequency, monetary, spend } = measures;
        let sort = |histogram: Histogram| Ranks::new(&histogram);
        SortedMeasures { recency: sort(recency), frequency: sort(frequency), monetary: sort(monetary), spend: sort(spend) }
    }

    pub(crate) fn scorer(&self, bins: u32) -> Scorer {
        Scorer::new(&self.recency, &self.frequency, &self.monetary, [bins; 3])
    }
}

/// Counts recency, frequency, monetary and spend per window.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct SinglePeriod {
    /// The most distinct values that a histogram counts one by one.
    limit: usize,
}

impl Default for SinglePeriod {
    fn default() -> Self {
        SinglePeriod::with_limit(Histogram::DEFAULT_LIMIT)
    }
}

/// A histogram below this is no larger than what is spent on having it.
const MIN_LIMIT: usize = 64;

impl SinglePeriod {
    /// With histograms that count at most so many distinct values one by one, each.
    pub fn with_limit(limit: usize) -> Self {
        SinglePeriod { limit }
    }

    /// With the same limit for every histogram of so many partials, each for so many windows, that together hold so many distinct
    /// values: some 40 bytes each, at most 80.
    pub fn sharing(total: usize, windows: usize, partials: usize) -> Self {
        let histograms = windows.max(1).saturating_mul(partials.max(1)).saturating_mul(4);
        SinglePeriod::with_limit((total / histograms).clamp(MIN_LIMIT, Histogram::DEFAULT_LIMIT))
    }

    #[inline]
    fn observe_row(partial: &mut [Measures], window: usize, recency: i64, frequency: i64, monetary: i64, spend: i64) {
        if let Some(measures) = partial.get_mut(window) {
            measures.add(recency, frequency, monetary, spend);
        }
    }
}

impl Lens for SinglePeriod {
    type Partial = Vec<Measures>;
    type Answer = Vec<Measures>;

    fn empty(&self, windows: &[Window]) -> Vec<Measures> {
        vec![Measures::with_limit(self.limit); windows.len()]
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

/// Of a bucket's sum; its bytes hold more digits where the values are absurd.
const SUM: DataType = DataType::Decimal128(38, 0);

impl SinglePeriod {
    fn decoded(&self, batches: &mut dyn Iterator<Item = RecordBatch>) -> Option<Vec<Measures>> {
        let batch = batches.next()?;
        let windows = batch.column_by_name("window")?.as_primitive_opt::<UInt32Type>()?;
        let measures = batch.column_by_name("measure")?.as_primitive_opt::<UInt8Type>()?;
        let values = batch.column_by_name("value")?.as_primitive_opt::<Int64Type>()?;
        let counts = batch.column_by_name("count")?.as_primitive_opt::<UInt64Type>()?;
        let maxima = batch.column_by_name("max")?.as_primitive_opt::<Int64Type>()?;
        let sums = batch.column_by_name("sum")?.as_primitive_opt::<Decimal128Type>()?;
        let mut partial = vec![Measures::with_limit(self.limit); windows_of(&batch)?];
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

/// Counts customers per RFM score and window. Observes blocks that have scores.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Distribution;

/// Customers per score, by the number that its three digits make.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ScoreCounts(Vec<u64>);

/// Scores have three digits.
const SCORES: usize = 1_000;

impl ScoreCounts {
    /// Counts customers with a score; false, and nothing counted, when it has more than three digits.
    #[inline]
    pub fn add(&mut self, score: u16, count: u64) -> bool {
        if self.0.is_empty() && count > 0 {
            self.0 = vec![0; SCORES];
        }
        let cell = self.0.get_mut(usize::from(score));
        cell.map(|cell| cell.merge(count)).is_some() || usize::from(score) < SCORES
    }

    fn iter(&self) -> impl Iterator<Item = (u16, u64)> {
        (0u16..).zip(self.0.iter().copied()).filter(|(_, n)| *n > 0)
    }
}

impl Merge for ScoreCounts {
    fn merge(&mut self, other: ScoreCounts) {
        for (score, n) in other.iter() {
            self.add(score, n);
        }
    }
}

impl Lens for Distribution {
    type Partial = Vec<ScoreCounts>;
    type Answer = Vec<BTreeMap<String, u64>>;

    fn empty(&self, windows: &[Window]) -> Vec<ScoreCounts> {
        vec![ScoreCounts::default(); windows.len()]
    }

    fn observe(&self, partial: &mut Vec<ScoreCounts>, block: &Block) {
        for (&window, &[r, f, m]) in block.window.iter().zip(&block.scores) {
            partial[window as usize].add(u16::from(r) * 100 + u16::from(f) * 10 + u16::from(m), 1);
        }
    }

    fn finish(&self, _: &[Window], partial: Vec<ScoreCounts>) -> Self::Answer {
        let named = |counts: ScoreCounts| counts.iter().map(|(score, n)| (format!("{score:03}"), n)).collect();
        partial.into_iter().map(named).collect()
    }

    /// One batch: `window` (its place in the run), `score` (the number that its digits make), `count`.
    fn encode(&self, partial: &Vec<ScoreCounts>, out: &mut Vec<RecordBatch>) -> Result<()> {
        let cells = || (0u32..).zip(partial).flat_map(|(window, counts)| counts.iter().map(move |(score, n)| (window, score, n)));
        let columns = batch([
            ("window", Arc::new(UInt32Array::from_iter_values(cells().map(|c| c.0))) as _),
            ("score", Arc::new(UInt16Array::from_iter_values(cells().map(|c| c.1))) as _),
            ("count", Arc::new(UInt64Array::from_iter_values(cells().map(|c| c.2))) as _),
        ])?;
        out.push(for_windows(columns, partial.len())?);
        Ok(())
    }

    fn decode(&self, batches: &mut dyn Iterator<Item = RecordBatch>) -> Result<Vec<ScoreCounts>> {
        let batch = batches.next().ok_or_else(|| foreign("distribution"))?;
        let columns = (
            batch.column_by_name("window").and_then(|a| a.as_primitive_opt::<UInt32Type>()),
            batch.column_by_name("score").and_then(|a| a.as_primitive_opt::<UInt16Type>()),
            batch.column_by_name("count").and_then(|a| a.as_primitive_opt::<UInt64Type>()),
        );
        let (Some(windows), Some(scores), Some(counts)) = columns else { return Err(foreign("distribution")) };
        let mut partial = vec![ScoreCounts::default(); windows_of(&batch).ok_or_else(|| foreign("distribution"))?];
        for row in 0..batch.num_rows() {
            let cells = partial.get_mut(windows.value(row) as usize).ok_or_else(|| foreign("distribution"))?;
            if !cells.add(scores.value(row), counts.value(row)) {
                return Err(foreign("distribution"));
            }
        }
        Ok(partial)
    }
}

pub(crate) fn batch<const N: usize>(columns: [(&str, arrow::array::ArrayRef); N]) -> Result<RecordBatch> {
    RecordBatch::try_from_iter(columns).map_err(|e| Error::internal("a partial cannot be encoded").cause(e))
}

/// The key of a batch's metadata that says how many windows it is for: the last of them may have no customers.
const WINDOWS: &str = "windows";
/// No run has so many; foreign metadata must not decide how much memory is taken.
const TOO_MANY_WINDOWS: usize = 1 << 16;

fn for_windows(batch: RecordBatch, windows: usize) -> Result<RecordBatch> {
    let metadata = HashMap::from([(WINDOWS.to_owned(), windows.to_string())]);
    let schema = batch.schema().as_ref().clone().with_metadata(metadata);
    batch.with_schema(Arc::new(schema)).map_err(|e| Error::internal("a partial cannot be encoded").cause(e))
}

fn windows_of(batch: &RecordBatch) -> Option<usize> {
    batch.schema().metadata().get(WINDOWS)?.parse().ok().filter(|n| *n < TOO_MANY_WINDOWS)
}

pub(crate) fn foreign(lens: &str) -> Error {
    Error::data(format!("these batches are not a partial of the {lens} lens"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A window whose spend takes buckets, below 0 and far above, and one without customers.
    fn bucketed() -> (SinglePeriod, Vec<Measures>) {
        let lens = SinglePeriod::with_limit(16);
        let mut measures = Measures::with_limit(16);
        (0..1_000i64).for_each(|i| measures.add(i % 10, 1, i * i, (i - 5) << (i % 50)));
        (lens, vec![measures, Measures::with_limit(16)])
    }

    fn encoded() -> (SinglePeriod, Vec<Measures>, RecordBatch) {
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

    /// Cells that overlap, full to the brim: no answer means much, none panics.
    #[test]
    fn foreign_cells_are_survived() {
        let mut histogram = Histogram::with_limit(4);
        for (min, max) in [(i64::MIN, i64::MAX), (0, 9), (i64::MAX - 1, i64::MAX), (i64::MIN, 0)] {
            for count in [u64::MAX, 2] {
                let sum = i128::from(max) * i128::from(count);
                assert!(histogram.add_bucket(Cell { min, max, count, sum }));
                histogram.add(max);
            }
        }
        let measures = Measures { recency: histogram.clone(), frequency: histogram.clone(), monetary: histogram.clone(), spend: histogram };
        let sorted = SortedMeasures::new(measures);
        sorted.scorer(5).score(0, 0, 0);
        Lens1Metrics::new(&sorted.frequency, &sorted.spend, &[1, 50, 100], BTreeMap::new());
        (0..10).for_each(|k| _ = (sorted.spend.top_sum(k), sorted.spend.at(k)));
    }
}
