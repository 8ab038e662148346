//! Rows that are whole orders, as a source of period aggregations: each becomes a row at once, and nothing waits.

use super::fault::Fault;
use super::to_periods::{Periods, Rows, cents_of};
use super::validate::{customer, is_refund, judge, line};
use super::{Desk, LineSummary, Lines, provenance};
use crate::base::cancel::Cancel;
use crate::base::error::Result;
use crate::base::merge::Merge;
use crate::base::money::Total;
use crate::base::threads::lock;
use crate::model::line_batch::TransactionBatch;
use crate::model::period_batch::PeriodBatch;
use crate::model::reject::{OnBadRow, REJECT_HELP};
use crate::source::{Chunk, Sink, Source};
use crate::spill::Sorter;
use std::sync::Arc;

/// Reads rows that are whole orders as period aggregations.
pub(crate) struct WholeOrders<S> {
    source: S,
    desk: Arc<Desk>,
    periods: Periods,
    chunk: u64,
}

impl<S: Source<TransactionBatch>> WholeOrders<S> {
    /// `lines` is what the source was opened with. The desk knows what went in, once the source has been read.
    pub(crate) fn new(
        source: S,
        lines: &Lines,
        periods: Periods,
        (on_bad_row, rejects): (OnBadRow, Option<Arc<Sorter>>),
        cancel: Cancel,
    ) -> (Self, Arc<Desk>) {
        let desk = Arc::new(Desk::new(lines, on_bad_row, rejects, cancel));
        (WholeOrders { source, desk: desk.clone(), periods, chunk: 0 }, desk)
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
        Ok(Some(Box::new(Whole { rows, desk: self.desk.clone(), periods: self.periods.clone(), place: provenance::of_chunk(self.chunk) })))
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
        let mut tally = LineSummary::default();
        let mut open = Open { first: 0, rows: Rows::new(periods), counted: LineSummary::default() };
        rows.decode(&mut |batch| {
            desk.places.begin(place, &batch);
            judge(&batch, place, &desk, &mut tally, |mut rows| {
                rows.try_for_each(|row| {
                    // Rows of a batch follow each other in the input.
                    if open.first + open.rows.len() != row {
                        open.send(&batch, sink)?;
                        open.first = row;
                    }
                    open.push(&batch, row, place, &desk)
                })
            })?;
            open.send(&batch, sink)?;
            place += batch.times.len() as u64;
            Ok(())
        })?;
        tally.merge(open.counted);
        lock(&desk.summary).merge(tally);
        Ok(())
    }
}

/// Rows that follow each other, on their way.
struct Open {
    /// The first one's place in its batch.
    first: usize,
    rows: Rows,
    /// Orders, those of nobody among them.
    counted: LineSummary,
}

impl Open {
    #[inline]
    fn push(&mut self, batch: &TransactionBatch, i: usize, place: u64, desk: &Desk) -> Result<()> {
        let counts = !is_refund(batch, i);
        let refuse = |fault: Fault| desk.reject(fault.reject(&line(batch, i, place), desk), REJECT_HELP);
        let spend = Total::from(batch.spend[i]);
        if customer(batch, i).is_none() {
            self.counted.add_anonymous(counts, spend);
            return Ok(());
        }
        let Some(cents) = cents_of(batch.spend[i]) else { return refuse(Fault::Spend(spend)) };
        if let Some(fault) = self.rows.periods.fault(batch.times[i], counts) {
            return refuse(fault);
        }
        self.counted.orders += u64::from(counts);
        self.rows.push(batch.times[i], counts, cents);
        Ok(())
    }

    fn send(&mut self, batch: &TransactionBatch, sink: &mut Sink<'_>) -> Result<()> {
        let n = self.rows.len();
        if n == 0 {
            return Ok(());
        }
        let first_line = batch.first_line.map(|line| line + self.first as u64);
        let rows = self.rows.take(batch.origin.clone(), batch.first_row + self.first as u64, batch.customers.slice(self.first, n));
        sink(PeriodBatch { first_line, ..rows })
    }
}
