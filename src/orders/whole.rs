//! Rows that are whole orders, as a source of period aggregations: each becomes a row at once, and nothing waits.

use super::judge::{customer, is_refund, judge, line, rejected};
use super::source::{Periods, cents};
use super::{Desk, LineSummary, Lines, Tally, places};
use crate::cancel::Cancel;
use crate::error::Result;
use crate::merge::Merge;
use crate::money::{Money, Total};
use crate::reject::{OnBadRow, REJECT_HELP, Reason};
use crate::source::transactions::{TransactionBatch, TransactionColumn};
use crate::source::{Chunk, NO_TIMESTAMP, PeriodBatch, Sink, Source};
use crate::spill::Sorter;
use crate::sync::lock;
use std::sync::Arc;

/// What rows left out and counted are asked of, once the source has been read.
#[derive(Clone)]
pub(crate) struct Counted(Arc<Desk>);

impl Counted {
    /// What went in.
    pub(crate) fn summary(&self) -> LineSummary {
        self.0.summary()
    }
}

/// Reads rows that are whole orders as period aggregations.
pub(crate) struct WholeOrders<S> {
    source: S,
    desk: Arc<Desk>,
    periods: Periods,
    chunk: u64,
}

impl<S: Source<TransactionBatch>> WholeOrders<S> {
    /// `lines` is what the source was opened with.
    pub(crate) fn new(
        source: S,
        lines: &Lines,
        periods: Periods,
        (on_bad_row, rejects): (OnBadRow, Option<Arc<Sorter>>),
        cancel: Cancel,
    ) -> (Self, Counted) {
        let desk = Arc::new(Desk::new(lines, on_bad_row, rejects, cancel));
        (WholeOrders { source, desk: desk.clone(), periods, chunk: 0 }, Counted(desk))
    }
}

impl<S: Source<TransactionBatch>> Source for WholeOrders<S> {
    fn inputs(&self) -> Vec<String> {
        self.source.inputs()
    }

    fn size_bytes(&self) -> Option<u64> {
        self.source.size_bytes()
    }

    fn next_chunk(&mut self) -> Result<Option<Box<dyn Chunk>>> {
        let Some(rows) = self.source.next_chunk()? else { return Ok(None) };
        self.chunk += 1;
        Ok(Some(Box::new(Whole { rows, desk: self.desk.clone(), periods: self.periods, place: places::of_chunk(self.chunk) })))
    }
}

/// A chunk of such rows.
struct Whole {
    rows: Box<dyn Chunk<TransactionBatch>>,
    desk: Arc<Desk>,
    periods: Periods,
    place: u64,
}

impl Chunk for Whole {
    fn bytes(&self) -> u64 {
        self.rows.bytes()
    }

    fn decode(self: Box<Self>, sink: &mut Sink<'_>) -> Result<()> {
        let Whole { rows, desk, periods, mut place } = *self;
        let mut tally = Tally::default();
        let mut open = Rows::default();
        rows.decode(&mut |batch| {
            desk.places.begin(place, &batch);
            judge(&batch, place, &desk, &mut tally, |mut rows| {
                rows.try_for_each(|row| {
                    // Rows of a batch follow each other in the input.
                    if open.first + open.cents.len() != row {
                        open.send(&batch, sink)?;
                        open.first = row;
                    }
                    open.push(&batch, row, place, &periods, &desk)
                })
            })?;
            open.send(&batch, sink)?;
            place += batch.times.len() as u64;
            Ok(())
        })?;
        tally.summary.merge(open.counted);
        lock(&desk.tally).merge(tally);
        Ok(())
    }
}

/// Rows that follow each other, on their way.
#[derive(Default)]
struct Rows {
    /// The first one's place in its batch.
    first: usize,
    starts: Vec<i64>,
    ends: Vec<i64>,
    orders: Vec<i64>,
    cents: Vec<i64>,
    last_transactions: Vec<i64>,
    /// Of the row before.
    period: (i64, i64),
    /// Orders, those of nobody among them.
    counted: LineSummary,
}

impl Rows {
    #[inline]
    fn push(&mut self, batch: &TransactionBatch, i: usize, place: u64, periods: &Periods, desk: &Desk) -> Result<()> {
        let counts = !is_refund(batch, i);
        let mut spend = Total::default();
        spend.add(batch.spend[i]);
        let Ok(cents) = cents(spend) else {
            let (reason, column, value) = (Reason::AmountOutOfRange, TransactionColumn::LineTotal, batch.spend[i].to_string());
            return desk.reject(rejected(&line(batch, i, place), desk, reason, column, value), REJECT_HELP);
        };
        if customer(batch, i).is_none() {
            self.counted.anonymous_orders += u64::from(counts);
            let revenue = &mut self.counted.anonymous_revenue;
            *revenue = Money::from_hundredths(revenue.hundredths() + i128::from(cents));
            return Ok(());
        }
        let time = periods.local(batch.times[i]);
        if !(self.period.0..self.period.1).contains(&time) {
            self.period = periods.of(time);
        }
        self.counted.orders += u64::from(counts);
        self.starts.push(self.period.0);
        self.ends.push(self.period.1);
        self.orders.push(counts.into());
        self.cents.push(cents);
        self.last_transactions.push(if counts { time } else { NO_TIMESTAMP });
        Ok(())
    }

    fn send(&mut self, batch: &TransactionBatch, sink: &mut Sink<'_>) -> Result<()> {
        let n = self.cents.len();
        if n == 0 {
            return Ok(());
        }
        let column = |values: &mut Vec<i64>| std::mem::take(values).into();
        sink(PeriodBatch {
            origin: batch.origin.clone(),
            first_row: batch.first_row + self.first as u64,
            first_line: batch.first_line.map(|line| line + self.first as u64),
            ids: batch.customers.slice(self.first, n),
            starts: column(&mut self.starts),
            ends: column(&mut self.ends),
            orders: column(&mut self.orders),
            cents: column(&mut self.cents),
            fractions: Vec::new().into(),
            last_transactions: column(&mut self.last_transactions),
            bad: Vec::new(),
            whence: None,
        })
    }
}
