//! The periods that orders belong to, and orders as rows of period aggregations, column by column.

use super::fault::Fault;
use crate::base::money::{Amount, Total};
use crate::base::time::{MAX_TIMESTAMP, MIN_TIMESTAMP};
use crate::model::classifier::Classifier;
use crate::model::period_batch::{NO_TIMESTAMP, Origin, PeriodBatch};
use crate::model::window::{Granularity, Window, Windows};
use crate::spec::Spec;
use arrow::array::StringViewArray;
use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::Tz;
use std::sync::Arc;

/// Finds the period that an order belongs to.
#[derive(Debug, Clone)]
pub(crate) struct PeriodFinder {
    /// None gives each order a period of its own: its moment.
    every: Option<Granularity>,
    timezone: Tz,
    /// No period reaches over this moment.
    as_of: i64,
    /// The windows, in time order, that are not observed to their end.
    observed: Arc<[Window]>,
    /// The windows, where an order's period is its moment, whichever window that lies in: then the first start in a window is that of the
    /// customer's first order there.
    moments: Option<Classifier>,
    /// The period of the order before, in local time: orders that follow each other mostly share it.
    last: (i64, i64),
}

impl PeriodFinder {
    pub(super) fn new(every: Option<Granularity>, timezone: Tz) -> Self {
        PeriodFinder { every, timezone, as_of: i64::MAX, observed: Arc::default(), moments: None, last: (i64::MAX, i64::MIN) }
    }

    /// Those of a run's windows, where they are calendar periods.
    pub(crate) fn of_windows(spec: &Spec, timezone: Tz) -> Self {
        let finder = match &spec.windows {
            Windows::Every(Granularity::All) => Self::new(None, timezone),
            Windows::Every(every) => Self::new(Some(*every), timezone),
            Windows::List(list) => {
                let observed = list.iter().filter(|window| window.observation_end < window.end).cloned().collect();
                PeriodFinder { observed, ..Self::new(None, timezone) }
            }
        };
        PeriodFinder { as_of: spec.as_of.unwrap_or(i64::MAX), ..finder }
    }

    /// The same, where an order's period is its moment.
    pub(crate) fn of_moments(self, spec: &Spec) -> Self {
        PeriodFinder { moments: Some(Classifier::new(&spec.windows, spec.as_of)), ..self }
    }

    /// The fault of an order of this moment, if any; refunds without an order are never late.
    #[inline]
    pub(super) fn fault(&self, time: i64, counts: bool) -> Option<Fault> {
        if !counts || self.observed.is_empty() {
            return None;
        }
        let time = self.local(time);
        let after = self.observed.partition_point(|window| window.start <= time);
        let Window { end, observation_end, .. } = *self.observed[..after].last()?;
        (observation_end < time && time < end.min(self.as_of)).then_some(Fault::Late { time, observation_end })
    }

    /// The kind of calendar period that orders belong to; months where they belong to windows of another kind.
    pub(super) fn granularity(&self) -> Granularity {
        self.every.unwrap_or(Granularity::Month)
    }

    /// The start of the calendar period that a time lies in, in local time.
    pub(super) fn calendar(&self, time: i64) -> i64 {
        let every = self.granularity();
        every.start(every.index(self.local(time)))
    }

    /// The time of an order, or where it does not count as one, of money given back: in local time, with the start and the end of the period
    /// it belongs to, also in local time.
    #[inline]
    pub(super) fn find(&mut self, time: i64, counts: bool) -> (i64, (i64, i64)) {
        let time = self.local(time);
        if let Some(windows) = &mut self.moments {
            // Money given back is no first order. In the last moment of its window it is in that window, and before no order there.
            let last = windows.last_moment(time);
            let at = if counts { time.min(last) } else { last };
            return (time, (at, at.saturating_add(1)));
        }
        if !(self.last.0..self.last.1).contains(&time) {
            self.last = match self.every {
                Some(every) => {
                    let index = every.index(time);
                    let (start, end) = (every.start(index), every.start(index + 1));
                    if time < self.as_of { (start, end.min(self.as_of)) } else { (start.max(self.as_of), end) }
                }
                None => (time, time.saturating_add(1)),
            };
        }
        (time, self.last)
    }

    #[inline]
    fn local(&self, time: i64) -> i64 {
        if self.timezone == Tz::UTC {
            return time;
        }
        let utc = DateTime::from_timestamp_micros(time).map(|utc| utc.naive_utc());
        let offset = utc.map_or(0, |utc| self.timezone.offset_from_utc_datetime(&utc).fix().local_minus_utc());
        (time + i64::from(offset) * 1_000_000).clamp(MIN_TIMESTAMP, MAX_TIMESTAMP)
    }
}

/// Orders as rows, without the customers.
pub(super) struct OrderRows {
    pub(super) periods: PeriodFinder,
    starts: Vec<i64>,
    ends: Vec<i64>,
    orders: Vec<i64>,
    cents: Vec<i64>,
    last_transactions: Vec<i64>,
}

impl OrderRows {
    pub(super) fn new(periods: PeriodFinder) -> Self {
        let (starts, ends, orders, cents, last_transactions) = Default::default();
        OrderRows { periods, starts, ends, orders, cents, last_transactions }
    }

    pub(super) fn len(&self) -> usize {
        self.cents.len()
    }

    /// Adds an order of this moment, or, where it does not count as one, the money given back.
    #[inline]
    pub(super) fn push(&mut self, time: i64, counts: bool, cents: i64) {
        let (time, (start, end)) = self.periods.find(time, counts);
        self.starts.push(start);
        self.ends.push(end);
        self.orders.push(counts.into());
        self.cents.push(cents);
        self.last_transactions.push(if counts { time } else { NO_TIMESTAMP });
    }

    /// All rows so far; the next are others.
    pub(super) fn take(&mut self, origin: Arc<Origin>, first_row: u64, ids: StringViewArray) -> PeriodBatch {
        let column = |values: &mut Vec<i64>| take(values).into();
        PeriodBatch {
            origin,
            first_row,
            first_line: None,
            ids,
            starts: column(&mut self.starts),
            ends: column(&mut self.ends),
            orders: column(&mut self.orders),
            cents: column(&mut self.cents),
            fractions: Vec::new().into(),
            last_transactions: column(&mut self.last_transactions),
            bad: Vec::new(),
            skipped: Vec::new(),
            whence: None,
            of_orders: true,
        }
    }
}

/// All values so far, and room for as many, which the next mostly are.
pub(super) fn take<T>(values: &mut Vec<T>) -> Vec<T> {
    std::mem::replace(values, Vec::with_capacity(values.len()))
}

/// An order's sum in cents, if it is one that a row may have.
pub(super) fn cents(total: Total) -> Option<i64> {
    let cents = i64::try_from(total.rounded().hundredths()).ok()?;
    Amount::from_cents(cents).ok().map(|amount| amount.cents)
}

/// An amount in cents, as [`cents`] gives it of a total.
#[inline]
pub(super) fn cents_of(amount: Amount) -> Option<i64> {
    if amount.fraction == 0 {
        return Amount::from_cents(amount.cents).ok().map(|amount| amount.cents);
    }
    cents(amount.into())
}
