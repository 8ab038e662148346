//! Rows that are whole orders, as a source of period aggregations: each becomes a row at once, and nothing waits.

use super::fault::Fault;
use super::to_periods::{Periods, Rows, cents_of};
use super::validate::{customer, is_refund, line, validate};
use super::{LineSummary, Lines, Validation, provenance};
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
    validation: Arc<Validation>,
    periods: Periods,
    chunk: u64,
}

impl<S: Source<TransactionBatch>> WholeOrders<S> {
    /// `lines` is what the source was opened with. The validation knows what went in, once the source has been read.
    pub(crate) fn new(
        source: S,
        lines: &Lines,
        periods: Periods,
        (on_bad_row, rejects): (OnBadRow, Option<Arc<Sorter>>),
        cancel: Cancel,
    ) -> (Self, Arc<Validation>) {
        let validation = Arc::new(Validation::new(lines, on_bad_row, rejects, cancel));
        (WholeOrders { source, validation: validation.clone(), periods, chunk: 0 }, validation)
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
        Ok(Some(Box::new(Whole {
            rows,
            validation: self.validation.clone(),
            periods: self.periods.clone(),
            position: provenance::of_chunk(self.chunk),
        })))
    }
}

/// A chunk of such rows.
struct Whole {
    rows: Box<dyn Chunk<TransactionBatch>>,
    validation: Arc<Validation>,
    periods: Periods,
    position: u64,
}

impl Chunk for Whole {
    fn bytes(&self) -> u64 {
        self.rows.bytes()
    }

    fn decode(self: Box<Self>, sink: &mut Sink<'_>) -> Result<()> {
        let Whole { rows, validation, periods, mut position } = *self;
        let mut tally = LineSummary::default();
        let mut open = Open { first: 0, rows: Rows::new(periods), counted: LineSummary::default() };
        rows.decode(&mut |batch| {
            validation.provenance.begin(position, &batch);
            validate(&batch, position, &validation, &mut tally, |mut rows| {
                rows.try_for_each(|row| {
                    // Rows of a batch follow each other in the input.
                    if open.first + open.rows.len() != row {
                        open.send(&batch, sink)?;
                        open.first = row;
                    }
                    open.push(&batch, row, position, &validation)
                })
            })?;
            open.send(&batch, sink)?;
            position += batch.times.len() as u64;
            Ok(())
        })?;
        tally.merge(open.counted);
        lock(&validation.summary).merge(tally);
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
    fn push(&mut self, batch: &TransactionBatch, i: usize, position: u64, validation: &Validation) -> Result<()> {
        let counts = !is_refund(batch, i);
        let refuse = |fault: Fault| validation.reject(fault.reject(&line(batch, i, position), validation), REJECT_HELP);
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
