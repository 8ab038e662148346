//! Lens 1: one period. Its partial is four histograms per window; every number of the answer but the grid follows from them.
//!
//! The RFM grid needs scores, and scores need the histograms of all customers. So there are two lenses: [`SinglePeriod`] observes first,
//! [`Distribution`] counts scores once the blocks have them, and [`Lens1Metrics::new`] puts both together.

use super::Lens;
use super::order_stats::{Histogram, Ranks};
use crate::calendar::Window;
use crate::error::{Error, Result};
use crate::finalize::Block;
use crate::merge::Merge;
use crate::money::{Fixed2, Money, Percent};
use crate::rfm::{RfmMetrics, RfmScore, with_threads};
use crate::score::Scorer;
use crate::spec::{Parallelism, validate_percentiles};
use arrow::array::{AsArray, Int64Array, RecordBatch, UInt8Array, UInt16Array, UInt32Array, UInt64Array};
use arrow::datatypes::{Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use rayon::prelude::*;
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
        let top = |p: u32| spend.top_sum((u128::from(n) * u128::from(p) / 100).max(1) as u64);
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
    pub(crate) fn scorer(&self, bins: u32) -> Scorer {
        Scorer::new(&self.recency, &self.frequency, &self.monetary, [bins; 3])
    }
}

/// Counts recency, frequency, monetary and spend per window.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct SinglePeriod;

impl Lens for SinglePeriod {
    type Partial = Vec<Measures>;
    type Answer = Vec<Measures>;

    fn empty(&self, windows: &[Window]) -> Vec<Measures> {
        vec![Measures::default(); windows.len()]
    }

    fn observe(&self, partial: &mut Vec<Measures>, block: &Block) {
        for (measures, window) in partial.iter_mut().zip(&block.windows) {
            window.recency_days.iter().for_each(|&v| measures.recency.add(v.into()));
            window.frequency.iter().for_each(|&v| measures.frequency.add(v));
            window.monetary.iter().for_each(|&v| measures.monetary.add(v));
            window.total_spend.iter().for_each(|&v| measures.spend.add(v));
        }
    }

    fn finish(&self, _: &[Window], partial: Vec<Measures>) -> Vec<Measures> {
        partial
    }

    /// One batch: `window` (its place in the run), `measure` (0 recency, 1 frequency, 2 monetary, 3 spend), `value`, `count`.
    fn encode(&self, partial: &Vec<Measures>, out: &mut Vec<RecordBatch>) -> Result<()> {
        let (mut windows, mut measures, mut values, mut counts) = (vec![], vec![], vec![], vec![]);
        for (window, m) in (0u32..).zip(partial) {
            for (measure, histogram) in (0u8..).zip(m.all()) {
                for (value, count) in histogram.sorted() {
                    windows.push(window);
                    measures.push(measure);
                    values.push(value);
                    counts.push(count);
                }
            }
        }
        let columns = batch([
            ("window", Arc::new(UInt32Array::from(windows)) as _),
            ("measure", Arc::new(UInt8Array::from(measures)) as _),
            ("value", Arc::new(Int64Array::from(values)) as _),
            ("count", Arc::new(UInt64Array::from(counts)) as _),
        ])?;
        out.push(for_windows(columns, partial.len())?);
        Ok(())
    }

    fn decode(&self, batches: &mut dyn Iterator<Item = RecordBatch>) -> Result<Vec<Measures>> {
        let batch = batches.next().ok_or_else(|| foreign("single period"))?;
        let columns = (
            batch.column_by_name("window").and_then(|a| a.as_primitive_opt::<UInt32Type>()),
            batch.column_by_name("measure").and_then(|a| a.as_primitive_opt::<UInt8Type>()),
            batch.column_by_name("value").and_then(|a| a.as_primitive_opt::<Int64Type>()),
            batch.column_by_name("count").and_then(|a| a.as_primitive_opt::<UInt64Type>()),
        );
        let (Some(windows), Some(measures), Some(values), Some(counts)) = columns else { return Err(foreign("single period")) };
        let mut partial = vec![Measures::default(); windows_of(&batch).ok_or_else(|| foreign("single period"))?];
        for row in 0..batch.num_rows() {
            let measured = partial.get_mut(windows.value(row) as usize).ok_or_else(|| foreign("single period"))?;
            let histogram = measured.by_number(measures.value(row)).ok_or_else(|| foreign("single period"))?;
            histogram.add_many(values.value(row), counts.value(row));
        }
        Ok(partial)
    }
}

/// Counts customers per RFM score and window. Observes blocks that have scores.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Distribution;

/// Customers per score, by the number that its three digits make.
pub type ScoreCounts = BTreeMap<u16, u64>;

impl Lens for Distribution {
    type Partial = Vec<ScoreCounts>;
    type Answer = Vec<BTreeMap<String, u64>>;

    fn empty(&self, windows: &[Window]) -> Vec<ScoreCounts> {
        vec![ScoreCounts::new(); windows.len()]
    }

    fn observe(&self, partial: &mut Vec<ScoreCounts>, block: &Block) {
        for (counts, window) in partial.iter_mut().zip(&block.windows) {
            let mut cells = vec![0u64; if window.is_empty() { 0 } else { 1_000 }];
            for &[r, f, m] in &window.scores {
                cells[usize::from(r) * 100 + usize::from(f) * 10 + usize::from(m)] += 1;
            }
            Merge::merge(counts, (0u16..).zip(cells).filter(|(_, n)| *n > 0).collect());
        }
    }

    fn finish(&self, _: &[Window], partial: Vec<ScoreCounts>) -> Self::Answer {
        let named = |counts: ScoreCounts| counts.into_iter().map(|(score, n)| (format!("{score:03}"), n)).collect();
        partial.into_iter().map(named).collect()
    }

    /// One batch: `window` (its place in the run), `score` (the number that its digits make), `count`.
    fn encode(&self, partial: &Vec<ScoreCounts>, out: &mut Vec<RecordBatch>) -> Result<()> {
        let cells = || (0u32..).zip(partial).flat_map(|(window, counts)| counts.iter().map(move |(&score, &n)| (window, score, n)));
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
        let mut partial = vec![ScoreCounts::new(); windows_of(&batch).ok_or_else(|| foreign("distribution"))?];
        for row in 0..batch.num_rows() {
            let cells = partial.get_mut(windows.value(row) as usize).ok_or_else(|| foreign("distribution"))?;
            Merge::merge(cells.entry(scores.value(row)).or_default(), counts.value(row));
        }
        Ok(partial)
    }
}

pub(super) fn batch<const N: usize>(columns: [(&str, arrow::array::ArrayRef); N]) -> Result<RecordBatch> {
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

pub(super) fn foreign(lens: &str) -> Error {
    Error::data(format!("these batches are not a partial of the {lens} lens"))
}

/// Lens 1 of one period, from metrics in memory. Without scores the distribution is empty.
///
/// # Errors
/// A percentile outside 1 to 100; 0 workers; a value beyond 64 bits.
pub fn analyze_single_period(
    rfm_metrics: &[RfmMetrics],
    rfm_scores: Option<&[RfmScore]>,
    percentiles: &[u32],
    parallelism: &Parallelism,
) -> Result<Lens1Metrics> {
    validate_percentiles(percentiles)?;
    with_threads(parallelism.workers_for(rfm_metrics.len() as u64)?, |parallel| {
        let count = |mut sums: Result<(Histogram, Histogram)>, m: &RfmMetrics| {
            let values = (i64::try_from(m.frequency()), i64::try_from(m.total_spend().hundredths()));
            match (&mut sums, values) {
                (Ok((frequency, spend)), (Ok(f), Ok(s))) => {
                    frequency.add(f);
                    spend.add(s);
                }
                (Ok(_), _) => sums = Err(Error::data(format!("the metrics of customer {:?} do not fit 64 bits", m.customer_id()))),
                (Err(_), _) => {}
            }
            sums
        };
        let empty = || Ok((Histogram::default(), Histogram::default()));
        let (frequency, spend) = if parallel {
            let merge = |a: Result<(Histogram, Histogram)>, b| {
                let (mut a, b) = (a?, b?);
                a.merge(b);
                Ok(a)
            };
            rfm_metrics.par_iter().fold(empty, count).reduce(empty, merge)?
        } else {
            rfm_metrics.iter().fold(empty(), count)?
        };
        let mut distribution = BTreeMap::new();
        for score in rfm_scores.unwrap_or_default() {
            *distribution.entry(score.rfm_score().to_owned()).or_default() += 1;
        }
        Ok(Lens1Metrics::new(&Ranks::new(&frequency), &Ranks::new(&spend), percentiles, distribution))
    })
}
