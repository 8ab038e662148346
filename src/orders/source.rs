//! Orders as a source of period aggregations: a chunk is a partition, a row is an order, or a customer's refunds that belong to none. Whoever
//! adds up the rows of a customer and period does the rest.

use super::group::Order;
use super::{Desk, Orders};
use crate::calendar::{Granularity, MAX_TIMESTAMP, MIN_TIMESTAMP, Windows};
use crate::error::{Error, Result, Stage};
use crate::money::{Amount, AmountError, Total};
use crate::route::rows::INLINE;
use crate::source::{Chunk, NO_TIMESTAMP, Origin, PeriodBatch, Sink, Source, Whence};
use arrow::array::StringViewArray;
use arrow::array::builder::make_view;
use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::Tz;
use std::sync::Arc;

/// Rows that are handed over at a time.
const ROWS: usize = 8_192;

/// Which period an order belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Periods {
    /// None gives each order a period of its own: its moment.
    every: Option<Granularity>,
    timezone: Tz,
}

impl Periods {
    pub(super) fn new(every: Option<Granularity>, timezone: Tz) -> Self {
        Periods { every, timezone }
    }

    /// Those of the windows, where they are calendar periods.
    pub(crate) fn of_windows(windows: &Windows, timezone: Tz) -> Self {
        Self::new(if let Windows::Every(every) = windows { Some(*every) } else { None }, timezone)
    }

    /// A time as the calendar on the wall has it.
    #[inline]
    pub(super) fn local(&self, time: i64) -> i64 {
        if self.timezone == Tz::UTC {
            return time;
        }
        let utc = DateTime::from_timestamp_micros(time).map(|utc| utc.naive_utc());
        let offset = utc.map_or(0, |utc| self.timezone.offset_from_utc_datetime(&utc).fix().local_minus_utc());
        (time + i64::from(offset) * 1_000_000).clamp(MIN_TIMESTAMP, MAX_TIMESTAMP)
    }

    /// The start and the end of the period that a local time belongs to.
    pub(super) fn of(&self, time: i64) -> (i64, i64) {
        match self.every {
            Some(every) => {
                let index = every.index(time);
                (every.start(index), every.start(index + 1))
            }
            None => (time, time.saturating_add(1)),
        }
    }
}

/// Reads orders as period aggregations.
pub struct OrderSource {
    orders: Arc<Orders>,
    periods: Periods,
    inputs: Vec<String>,
    next: usize,
}

impl OrderSource {
    /// For these windows: orders belong to the calendar periods of the same kind, or, where windows are listed, to the window that
    /// their time lies in. `inputs` are what the lines were read from.
    pub fn new(orders: Arc<Orders>, windows: &Windows, inputs: Vec<String>) -> Self {
        let periods = Periods::of_windows(windows, orders.desk.options.timezone);
        Self::of(orders, periods, inputs)
    }

    pub(crate) fn of(orders: Arc<Orders>, periods: Periods, inputs: Vec<String>) -> Self {
        OrderSource { orders, periods, inputs, next: 0 }
    }
}

impl Source for OrderSource {
    fn inputs(&self) -> Vec<String> {
        self.inputs.clone()
    }

    fn next_chunk(&mut self) -> Result<Option<Box<dyn Chunk>>> {
        if self.next == self.orders.partitions.len() {
            return Ok(None);
        }
        self.next += 1;
        Ok(Some(Box::new(Part { orders: self.orders.clone(), periods: self.periods, partition: self.next - 1 })))
    }
}

/// The orders of a partition.
struct Part {
    orders: Arc<Orders>,
    periods: Periods,
    partition: usize,
}

impl Chunk for Part {
    fn decode(self: Box<Self>, sink: &mut Sink<'_>) -> Result<()> {
        let origin = Arc::new(Origin { name: "orders".to_owned() });
        let mut rows = Rows::new(origin, self.orders.desk.clone());
        let take = |order: &Order<'_>| {
            rows.push(order, &self.periods);
            if rows.starts.len() == ROWS { sink(rows.take()?) } else { Ok(()) }
        };
        self.orders.group(self.partition, take).map_err(|e| e.stage(Stage::Source))?;
        if rows.starts.is_empty() { Ok(()) } else { sink(rows.take()?) }
    }
}

/// Rows on their way.
struct Rows {
    origin: Arc<Origin>,
    desk: Arc<Desk>,
    first_row: u64,
    /// Ids as Arrow views, and the long ones.
    views: Vec<u128>,
    long: Vec<u8>,
    /// Of the first lines of orders.
    places: Vec<u64>,
    starts: Vec<i64>,
    ends: Vec<i64>,
    orders: Vec<i64>,
    cents: Vec<i64>,
    last_transactions: Vec<i64>,
    /// Of the order before.
    period: (i64, i64),
}

impl Rows {
    fn new(origin: Arc<Origin>, desk: Arc<Desk>) -> Self {
        let column = || Vec::with_capacity(ROWS);
        Rows {
            origin,
            first_row: 1,
            views: Vec::with_capacity(ROWS),
            long: Vec::new(),
            places: Vec::with_capacity(ROWS),
            desk,
            starts: column(),
            ends: column(),
            orders: column(),
            cents: column(),
            last_transactions: column(),
            period: (i64::MAX, i64::MIN),
        }
    }

    fn push(&mut self, order: &Order<'_>, periods: &Periods) {
        let time = periods.local(order.time);
        if !(self.period.0..self.period.1).contains(&time) {
            self.period = periods.of(time);
        }
        self.views.push(make_view(order.customer, 0, self.long.len() as u32));
        if order.customer.len() > INLINE {
            self.long.extend_from_slice(order.customer);
        }
        self.places.push(order.place);
        self.starts.push(self.period.0);
        self.ends.push(self.period.1);
        self.orders.push(order.counts.into());
        self.cents.push(order.spend);
        self.last_transactions.push(if order.counts { time } else { NO_TIMESTAMP });
    }

    fn take(&mut self) -> Result<PeriodBatch> {
        let (origin, desk) = (self.origin.clone(), self.desk.clone());
        let rows = std::mem::replace(
            self,
            Rows { first_row: self.first_row + self.starts.len() as u64, period: self.period, ..Rows::new(origin, desk) },
        );
        // Ids were texts before they were bytes.
        let ids = StringViewArray::try_new(rows.views.into(), vec![rows.long.into()], None);
        let ids = ids.map_err(|e| Error::internal("ids of customers are no texts any more").cause(e))?;
        Ok(PeriodBatch {
            origin: rows.origin,
            first_row: rows.first_row,
            first_line: None,
            ids,
            starts: rows.starts.into(),
            ends: rows.ends.into(),
            orders: rows.orders.into(),
            cents: rows.cents.into(),
            fractions: Vec::new().into(),
            last_transactions: rows.last_transactions.into(),
            bad: Vec::new(),
            whence: Some(Whence::new(move |row| rows.desk.places.find(rows.places[row]))),
        })
    }
}

/// An order's sum in cents, if it is one that a row may have.
pub(super) fn cents(total: Total) -> Result<i64, AmountError> {
    let cents = i64::try_from(total.rounded().hundredths()).map_err(|_| AmountError::OutOfRange)?;
    Amount::from_cents(cents).map(|amount| amount.cents)
}
