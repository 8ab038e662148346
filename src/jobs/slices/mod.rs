//! RFM: recency, frequency and monetary value of a customer in a window, from raw rows to metrics and scores on slices.
//!
//! The arithmetic of one customer is that of pipelines ([`arithmetic`](crate::finalize::arithmetic)). Functions on slices are for callers
//! who hold everything in memory, with the parameters and defaults of the Python library's.

pub(crate) mod lenses;
pub(crate) mod values;

use crate::accumulate::{Drained, Partition, SortScratch, SortedTable};
use crate::base::error::{Error, Result};
use crate::base::money::Amount;
use crate::base::threads::with_threads;
use crate::base::time;
use crate::finalize::Block;
use crate::finalize::arithmetic::{BlockTimes, Finalizer};
use crate::jobs::slices::values::{PeriodAggregation, RfmMetrics, RfmScore, in_range};
use crate::model::amounts::Amounts;
use crate::model::entry::{Addend, reference};
use crate::model::hash::{PARTITIONS, hash_id, hash_in_section, partition_of};
use crate::model::period_batch::NO_TIMESTAMP;
use crate::model::reject::{Reason, Reject};
use crate::model::state_batch::StateBatch;
use crate::model::window::Window;
use crate::ranks::histogram::Histogram;
use crate::ranks::order_stats::Ranks;
use crate::ranks::score::{ScoreBins, Scorer};
use crate::route::row_buffer::Rows;
use crate::spec::{Parallelism, validate_bins};
use crate::spill::FRAME_CUSTOMERS;
use arrow::array::builder::make_view;
use chrono::NaiveDateTime;
use rayon::prelude::*;

/// Rows that go into a partition together.
const ROWS: usize = 128;

/// RFM metrics of every customer in `periods`, sorted by `customer_id` as bytes.
///
/// # Errors
/// A transaction after `observation_end`; a customer without orders, with negative spend, or with a negative recency; 0 workers.
pub fn calculate_rfm(periods: &[PeriodAggregation], observation_end: NaiveDateTime, parallelism: &Parallelism) -> Result<Vec<RfmMetrics>> {
    let end = in_range(observation_end)?;
    let mut partitions: Vec<(Partition, Rows)> =
        (0..PARTITIONS).map(|number| (Partition::new(number, 32 * ROWS), Rows::default())).collect();
    let mut scratch = SortScratch::default();
    for period in periods {
        let last = period.last_transaction_ts.map_or(NO_TIMESTAMP, time::from_datetime);
        if last > end {
            let (id, last) = (&period.customer_id, time::to_datetime(last));
            let what = format!("transaction timestamp ({last}) cannot be after observation_end ({observation_end}) for customer {id}");
            return Err(Error::data(what));
        }
        let orders = i64::try_from(period.total_orders).unwrap_or(i64::MAX);
        let id = period.customer_id.as_bytes();
        let hash = hash_id(id);
        let Amount { cents, fraction } = period.total_spend;
        let start = time::from_datetime(period.period_start);
        let reference = reference(last, time::from_datetime(period.period_end));
        let addend = Addend { window: 0, start, reference, amounts: Amounts { orders, cents, fraction } };
        let (partition, rows) = &mut partitions[partition_of(hash)];
        if rows.rows.capacity() == 0 {
            *rows = Rows::with_capacity(ROWS);
        }
        rows.push(id, make_view(id, 0, 0), hash_in_section(hash), addend);
        if rows.is_full() {
            partition.take(std::mem::take(rows), &mut scratch, drop)?;
        }
    }
    let mut tables = Vec::with_capacity(PARTITIONS);
    for (mut partition, rows) in partitions {
        partition.take(rows, &mut scratch, drop)?;
        if let Drained::Resident(table) = partition.drain(FRAME_CUSTOMERS, &mut scratch)? {
            tables.push(table);
        }
    }
    let customers = tables.iter().map(|table| table.len() as u64).sum();
    let window = Window { name: "the observation period".to_owned(), start: i64::MIN, end: i64::MAX, observation_end: end };
    let finalizer = Finalizer { windows: vec![window], first_key: 0, times: BlockTimes::default() };
    let finish = |table: SortedTable| -> Finished {
        let (mut block, mut metrics, mut least) = (Block::default(), Vec::new(), None::<Reject>);
        let mut states = StateBatch::default();
        for customers in table.ranges(FRAME_CUSTOMERS) {
            table.fill(customers, &mut states);
            finalizer.fill(&states, &mut block, Some(&mut |_, _, _, reject| least = least.take().into_iter().chain([reject]).min()));
            block.set_ids(&states);
            metrics.extend(metrics_of(&block, observation_end));
        }
        (metrics, least)
    };
    with_threads(parallelism.workers_for(customers)?, |parallel| {
        let finished: Vec<Finished> = match parallel {
            true => tables.into_par_iter().map(finish).collect(),
            false => tables.into_iter().map(finish).collect(),
        };
        let (finished, rejects): (Vec<Vec<RfmMetrics>>, Vec<Option<Reject>>) = finished.into_iter().unzip();
        // Of several invalid customers the least is named, whichever thread was first.
        if let Some(reject) = rejects.into_iter().flatten().min() {
            return Err(reject.into_error());
        }
        let mut metrics: Vec<RfmMetrics> = finished.into_iter().flatten().collect();
        if parallel {
            metrics.par_sort_unstable_by(|a, b| a.customer_id.cmp(&b.customer_id));
        } else {
            metrics.sort_unstable_by(|a, b| a.customer_id.cmp(&b.customer_id));
        }
        Ok(metrics)
    })
}

/// A partition's customers, and the least that is not valid.
type Finished = (Vec<RfmMetrics>, Option<Reject>);

fn metrics_of(block: &Block, observation_end: NaiveDateTime) -> impl Iterator<Item = RfmMetrics> {
    (0..block.len()).map(move |row| {
        let (monetary, total_spend) = block.money(row);
        RfmMetrics {
            customer_id: block.id(block.customer[row]),
            recency_days: block.recency_days[row].into(),
            frequency: block.frequency[row].unsigned_abs(),
            monetary,
            observation_start: time::to_datetime(block.observation_start[row]),
            observation_end,
            total_spend,
        }
    })
}

/// Scores every customer against all others; sorted by `customer_id` as bytes. See [`Scorer`] for the method.
///
/// # Errors
/// Bins outside 1 to 9; 0 workers; a value beyond 64 bits.
pub fn calculate_rfm_scores(metrics: &[RfmMetrics], bins: &ScoreBins, parallelism: &Parallelism) -> Result<Vec<RfmScore>> {
    for bins in [bins.recency, bins.frequency, bins.monetary] {
        validate_bins(bins)?;
    }
    let values = metrics.iter().map(values_of).collect::<Result<Vec<_>>>()?;
    with_threads(parallelism.workers_for(metrics.len() as u64)?, |parallel| {
        let ranks = |at: usize| {
            let mut histogram = Histogram::default();
            values.iter().for_each(|v| histogram.add(v[at]));
            Ranks::new(&histogram)
        };
        let scorer = Scorer::new(&ranks(0), &ranks(1), &ranks(2), [bins.recency, bins.frequency, bins.monetary]);
        let score = |(m, v): (&RfmMetrics, &[i64; 3])| {
            let [r, f, s] = scorer.score(v[0], v[1], v[2]);
            RfmScore { customer_id: m.customer_id.clone(), r_score: r, f_score: f, m_score: s, rfm_score: format!("{r}{f}{s}") }
        };
        let mut scores: Vec<RfmScore> =
            if parallel { metrics.par_iter().zip(&values).map(score).collect() } else { metrics.iter().zip(&values).map(score).collect() };
        scores.sort_by(|a, b| a.customer_id.cmp(&b.customer_id));
        Ok(scores)
    })
}

fn values_of(m: &RfmMetrics) -> Result<[i64; 3]> {
    let beyond = |_| Error::data(format!("{}: the metrics of customer {:?}", Reason::AmountOutOfRange, m.customer_id));
    Ok([m.recency_days, i64::try_from(m.frequency).map_err(beyond)?, i64::try_from(m.monetary.hundredths()).map_err(beyond)?])
}
