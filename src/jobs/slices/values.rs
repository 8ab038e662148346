//! Rows, metrics and scores as values of their own, for the functions on slices.

use crate::base::error::{Error, Result};
use crate::base::money::Amount;
use crate::base::money::Money;
use crate::base::time;
use crate::model::reject::Reason;
use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};

/// One customer's orders in one period: a row of the input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawPeriod")]
pub struct PeriodAggregation {
    pub(super) customer_id: String,
    pub(super) period_start: NaiveDateTime,
    pub(super) period_end: NaiveDateTime,
    pub(super) total_orders: u64,
    pub(super) total_spend: Amount,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) total_margin: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) total_quantity: Option<i64>,
    pub(super) last_transaction_ts: Option<NaiveDateTime>,
}

#[derive(Deserialize)]
pub(crate) struct RawPeriod {
    customer_id: String,
    period_start: NaiveDateTime,
    period_end: NaiveDateTime,
    total_orders: u64,
    total_spend: Amount,
    total_margin: Option<Amount>,
    total_quantity: Option<i64>,
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
pub(super) fn in_range(time: NaiveDateTime) -> Result<i64> {
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

    /// Adds the time of the last transaction in the period.
    ///
    /// # Errors
    /// A time outside the years 1 to 9999.
    pub fn with_last_transaction(mut self, last_transaction_ts: NaiveDateTime) -> Result<Self> {
        in_range(last_transaction_ts)?;
        self.last_transaction_ts = Some(last_transaction_ts);
        Ok(self)
    }

    /// Adds the margin of the period.
    #[must_use]
    pub fn with_margin(mut self, total_margin: Amount) -> Self {
        self.total_margin = Some(total_margin);
        self
    }

    /// Adds the number of items of the period.
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
    pub(super) customer_id: String,
    pub(super) recency_days: i64,
    pub(super) frequency: u64,
    pub(super) monetary: Money,
    pub(super) observation_start: NaiveDateTime,
    pub(super) observation_end: NaiveDateTime,
    pub(super) total_spend: Money,
}

#[derive(Deserialize)]
pub(crate) struct RawMetrics {
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
    pub(super) customer_id: String,
    pub(super) r_score: u8,
    pub(super) f_score: u8,
    pub(super) m_score: u8,
    pub(super) rfm_score: String,
}

#[derive(Deserialize)]
pub(crate) struct RawScore {
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
