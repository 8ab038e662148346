//! RFM: recency, frequency and monetary value of a customer in a window, from raw rows to metrics and scores on slices.
//!
//! [`finish`] is the arithmetic of one customer, used by the pipeline and by [`calculate_rfm`]; the functions on slices are for callers
//! who hold everything in memory, with the parameters and defaults of the Python library's.

use crate::accumulate::{Folded, Room, State};
use crate::base::error::{Error, Result};
use crate::base::money::{Amount, Money, Total};
use crate::base::threads::with_threads;
use crate::base::time;
use crate::base::time::DAY;
use crate::finalize::{Block, Finalizer};
use crate::model::amounts::Amounts;
use crate::model::entry::{Addend, reference, reference_time};
use crate::model::hash::{PARTITIONS, hash_id, hash_in_section, partition_of};
use crate::model::ids::split_view;
use crate::model::period_batch::NO_TIMESTAMP;
use crate::model::reject::{Reason, Reject};
use crate::model::state_batch::States;
use crate::model::window::Window;
use crate::ranks::histogram::Histogram;
use crate::ranks::order_stats::Ranks;
use crate::ranks::score::{ScoreBins, Scorer};
use crate::spec::{Parallelism, validate_bins};
use crate::spill::FRAME_CUSTOMERS;
use arrow::array::builder::make_view;
use chrono::NaiveDateTime;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// What one customer did in one period: a row of the input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawPeriod")]
pub struct PeriodAggregation {
    customer_id: String,
    period_start: NaiveDateTime,
    period_end: NaiveDateTime,
    total_orders: u64,
    total_spend: Amount,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_margin: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_quantity: Option<i64>,
    last_transaction_ts: Option<NaiveDateTime>,
}

#[derive(Deserialize)]
struct RawPeriod {
    customer_id: String,
    period_start: NaiveDateTime,
    period_end: NaiveDateTime,
    total_orders: u64,
    total_spend: Amount,
    #[serde(default)]
    total_margin: Option<Amount>,
    #[serde(default)]
    total_quantity: Option<i64>,
    #[serde(default)]
    last_transaction_ts: Option<NaiveDateTime>,
}

impl TryFrom<RawPeriod> for PeriodAggregation {
    type Error = Error;

    fn try_from(raw: RawPeriod) -> Result<Self> {
        let mut period = Self::new(raw.customer_id, raw.period_start, raw.period_end, raw.total_orders, raw.total_spend)?;
        (period.total_margin, period.total_quantity) = (raw.total_margin, raw.total_quantity);
        match raw.last_transaction_ts {
            Some(last) => period.with_last_transaction(last),
            None => Ok(period),
        }
    }
}

/// The years 1 to 9999.
fn in_range(time: NaiveDateTime) -> Result<i64> {
    let timestamp = time::from_datetime(time);
    if (time::MIN_TIMESTAMP..=time::MAX_TIMESTAMP).contains(&timestamp) {
        return Ok(timestamp);
    }
    Err(Error::data(format!("{}: {time} lies outside the years 1 to 9999", Reason::BadTimestamp)))
}

impl PeriodAggregation {
    /// A row of `customer_id` for `period_start ≤ t < period_end` (UTC).
    ///
    /// # Errors
    /// An empty id, a period that does not end after it starts, a time outside the years 1 to 9999.
    pub fn new(
        customer_id: impl Into<String>,
        period_start: NaiveDateTime,
        period_end: NaiveDateTime,
        total_orders: u64,
        total_spend: Amount,
    ) -> Result<Self> {
        let customer_id = customer_id.into();
        if customer_id.is_empty() {
            return Err(Error::data(format!("{}: customer_id is empty", Reason::MissingValue)));
        }
        if in_range(period_end)? <= in_range(period_start)? {
            let what = format!("customer {customer_id:?}: {}: {period_start} to {period_end}", Reason::PeriodReversed);
            return Err(Error::data(what));
        }
        let (total_margin, total_quantity, last_transaction_ts) = (None, None, None);
        Ok(Self { customer_id, period_start, period_end, total_orders, total_spend, total_margin, total_quantity, last_transaction_ts })
    }

    /// The same with the time of the last transaction in the period.
    ///
    /// # Errors
    /// A time outside the years 1 to 9999.
    pub fn with_last_transaction(mut self, last_transaction_ts: NaiveDateTime) -> Result<Self> {
        in_range(last_transaction_ts)?;
        self.last_transaction_ts = Some(last_transaction_ts);
        Ok(self)
    }

    /// The same with the margin of the period.
    #[must_use]
    pub fn with_margin(mut self, total_margin: Amount) -> Self {
        self.total_margin = Some(total_margin);
        self
    }

    /// The same with the number of items of the period.
    #[must_use]
    pub fn with_quantity(mut self, total_quantity: i64) -> Self {
        self.total_quantity = Some(total_quantity);
        self
    }

    /// The customer.
    pub fn customer_id(&self) -> &str {
        &self.customer_id
    }

    /// Inclusive.
    pub fn period_start(&self) -> NaiveDateTime {
        self.period_start
    }

    /// Exclusive.
    pub fn period_end(&self) -> NaiveDateTime {
        self.period_end
    }

    /// Orders in the period.
    pub fn total_orders(&self) -> u64 {
        self.total_orders
    }

    /// Money spent in the period.
    pub fn total_spend(&self) -> Amount {
        self.total_spend
    }

    /// The margin of the period, where known.
    pub fn total_margin(&self) -> Option<Amount> {
        self.total_margin
    }

    /// Items bought in the period, where known.
    pub fn total_quantity(&self) -> Option<i64> {
        self.total_quantity
    }

    /// The last transaction in the period, where known.
    pub fn last_transaction_ts(&self) -> Option<NaiveDateTime> {
        self.last_transaction_ts
    }
}

/// RFM metrics of one customer over an observation period. Always valid: recency ≥ 0, frequency ≥ 1, amounts ≥ 0, and
/// `monetary` within a cent of `total_spend / frequency`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawMetrics")]
pub struct RfmMetrics {
    customer_id: String,
    recency_days: i64,
    frequency: u64,
    monetary: Money,
    observation_start: NaiveDateTime,
    observation_end: NaiveDateTime,
    total_spend: Money,
}

#[derive(Deserialize)]
struct RawMetrics {
    customer_id: String,
    recency_days: i64,
    frequency: u64,
    monetary: Money,
    observation_start: NaiveDateTime,
    observation_end: NaiveDateTime,
    total_spend: Money,
}

impl TryFrom<RawMetrics> for RfmMetrics {
    type Error = Error;

    fn try_from(m: RawMetrics) -> Result<Self> {
        Self::new(m.customer_id, m.recency_days, m.frequency, m.monetary, m.observation_start, m.observation_end, m.total_spend)
    }
}

impl RfmMetrics {
    /// Metrics from their parts.
    ///
    /// # Errors
    /// Negative recency, frequency 0, a negative amount, or a monetary value that is not `total_spend / frequency` to a cent.
    pub fn new(
        customer_id: impl Into<String>,
        recency_days: i64,
        frequency: u64,
        monetary: Money,
        observation_start: NaiveDateTime,
        observation_end: NaiveDateTime,
        total_spend: Money,
    ) -> Result<Self> {
        let customer_id = customer_id.into();
        let invalid = |what: String| Err(Error::data(format!("{what} (customer_id={customer_id})")));
        if recency_days < 0 {
            return invalid(format!("recency cannot be negative: {recency_days}"));
        }
        if frequency == 0 {
            return invalid("frequency must be positive: 0".to_owned());
        }
        if monetary < Money::ZERO {
            return invalid(format!("monetary value cannot be negative: {monetary}"));
        }
        if total_spend < Money::ZERO {
            return invalid(format!("total spend cannot be negative: {total_spend}"));
        }
        // |monetary − spend / frequency| ≤ 0.01, in whole numbers.
        let f = i128::from(frequency);
        if monetary.hundredths().checked_mul(f).is_none_or(|m| (m - total_spend.hundredths()).abs() > f) {
            return invalid(format!("monetary ({monetary}) is not total_spend / frequency ({total_spend} / {frequency})"));
        }
        Ok(Self { customer_id, recency_days, frequency, monetary, observation_start, observation_end, total_spend })
    }

    /// The customer.
    pub fn customer_id(&self) -> &str {
        &self.customer_id
    }

    /// Whole days from the last transaction to the observation end.
    pub fn recency_days(&self) -> i64 {
        self.recency_days
    }

    /// Orders.
    pub fn frequency(&self) -> u64 {
        self.frequency
    }

    /// Spend per order.
    pub fn monetary(&self) -> Money {
        self.monetary
    }

    /// The earliest period start.
    pub fn observation_start(&self) -> NaiveDateTime {
        self.observation_start
    }

    /// Recency counts back from here.
    pub fn observation_end(&self) -> NaiveDateTime {
        self.observation_end
    }

    /// Spend.
    pub fn total_spend(&self) -> Money {
        self.total_spend
    }
}

/// A customer's scores: one digit each for recency, frequency and monetary value, the best customers highest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawScore")]
pub struct RfmScore {
    customer_id: String,
    r_score: u8,
    f_score: u8,
    m_score: u8,
    rfm_score: String,
}

#[derive(Deserialize)]
struct RawScore {
    customer_id: String,
    r_score: u8,
    f_score: u8,
    m_score: u8,
    rfm_score: String,
}

impl TryFrom<RawScore> for RfmScore {
    type Error = Error;

    fn try_from(raw: RawScore) -> Result<Self> {
        let score = Self::new(raw.customer_id, raw.r_score, raw.f_score, raw.m_score)?;
        if score.rfm_score == raw.rfm_score {
            return Ok(score);
        }
        let what = format!("rfm_score {:?} is not {:?} (customer_id={})", raw.rfm_score, score.rfm_score, score.customer_id);
        Err(Error::data(what))
    }
}

impl RfmScore {
    /// Scores from their parts.
    ///
    /// # Errors
    /// A score outside 1 to 9.
    pub fn new(customer_id: impl Into<String>, r_score: u8, f_score: u8, m_score: u8) -> Result<Self> {
        let customer_id = customer_id.into();
        for (name, score) in [("r_score", r_score), ("f_score", f_score), ("m_score", m_score)] {
            if !(1..=9).contains(&score) {
                return Err(Error::data(format!("{name} must be between 1 and 9: {score} (customer_id={customer_id})")));
            }
        }
        Ok(Self { customer_id, r_score, f_score, m_score, rfm_score: format!("{r_score}{f_score}{m_score}") })
    }

    /// The customer.
    pub fn customer_id(&self) -> &str {
        &self.customer_id
    }

    /// Recency, frequency, monetary.
    pub fn scores(&self) -> [u8; 3] {
        [self.r_score, self.f_score, self.m_score]
    }

    /// The three digits, recency first.
    pub fn rfm_score(&self) -> &str {
        &self.rfm_score
    }
}

/// A customer's numbers in a window.
pub(crate) struct Finished {
    pub(crate) recency_days: i32,
    /// In cents.
    pub(crate) monetary: i64,
    /// In cents.
    pub(crate) total_spend: i64,
}

/// A window's total of a customer stays below 10¹⁶, so that it fits a decimal of 18 digits.
const SPEND_LIMIT: i128 = 1_000_000_000_000_000_000;

/// The arithmetic of one customer and window.
#[inline]
pub(crate) fn finish(total: Total, orders: i64, reference: i64, observation_end: i64) -> Result<Finished, Reason> {
    let spend = total.rounded().hundredths();
    if orders == 0 {
        return Err(Reason::NoOrders);
    }
    if spend < 0 {
        return Err(Reason::NegativeSpend);
    }
    let days = (observation_end - reference_time(reference).0).div_euclid(DAY);
    if days < 0 {
        return Err(Reason::AfterObservationEnd);
    }
    if spend >= SPEND_LIMIT || orders == i64::MAX {
        return Err(Reason::AmountOutOfRange);
    }
    let spend = spend as i64;
    let (whole, rest) = (spend / orders, spend % orders);
    // Half of the orders or more is left: round up. Neither side is negative.
    let monetary = whole + i64::from(rest >= orders - rest);
    Ok(Finished { recency_days: days as i32, monetary, total_spend: spend })
}

/// RFM metrics of every customer in `periods`, sorted by `customer_id` as bytes.
///
/// # Errors
/// A transaction after `observation_end`; a customer without orders, with negative spend, or with a negative recency; 0 workers.
pub fn calculate_rfm(periods: &[PeriodAggregation], observation_end: NaiveDateTime, parallelism: &Parallelism) -> Result<Vec<RfmMetrics>> {
    let end = in_range(observation_end)?;
    let mut partitions: Vec<State> = std::iter::repeat_with(State::default).take(PARTITIONS).collect();
    for period in periods {
        let last = period.last_transaction_ts.map_or(NO_TIMESTAMP, time::from_datetime);
        if last > end {
            let (id, last) = (&period.customer_id, time::to_datetime(last));
            let what = format!("transaction timestamp ({last}) cannot be after observation_end ({observation_end}) for customer {id}");
            return Err(Error::data(what));
        }
        let orders = i64::try_from(period.total_orders).unwrap_or(i64::MAX);
        let id = period.customer_id.as_bytes();
        let (hash, long) = (hash_id(id), if id.len() > crate::model::ids::INLINE { id } else { &[] });
        let state = &mut partitions[partition_of(hash)];
        let customer = state.customer(hash_in_section(hash), split_view(make_view(id, 0, 0)), long);
        let Amount { cents, fraction } = period.total_spend;
        let start = time::from_datetime(period.period_start);
        let reference = reference(last, time::from_datetime(period.period_end));
        state.fold(customer, Addend { window: 0, start, reference, amounts: Amounts { orders, cents, fraction } });
    }
    let customers = partitions.iter().map(|state| state.len() as u64).sum();
    let window = Window { name: "the observation period".to_owned(), start: i64::MIN, end: i64::MAX, observation_end: end };
    let finalizer = Finalizer { windows: vec![window], first_key: 0 };
    let finish = |state: State| {
        let (mut block, mut metrics, mut least) = (Block::default(), Vec::new(), None::<Reject>);
        let (folded, mut states) = (Folded::new(state, &mut Room::default()), States::default());
        for customers in folded.pieces(FRAME_CUSTOMERS) {
            folded.fill(customers, &mut states);
            finalizer.fill(&states, &mut block, Some(&mut |_, reject| least = least.take().into_iter().chain([reject]).min()));
            block.set_ids(&states);
            metrics.extend(metrics_of(&block, observation_end));
        }
        (metrics, least)
    };
    with_threads(parallelism.workers_for(customers)?, |parallel| {
        let (finished, rejects): (Vec<Vec<RfmMetrics>>, Vec<Option<Reject>>) =
            if parallel { partitions.into_par_iter().map(finish).unzip() } else { partitions.into_iter().map(finish).unzip() };
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
