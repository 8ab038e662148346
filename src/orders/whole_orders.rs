//! Rows that are whole orders, as a source of period aggregations: each becomes a row at once, and none waits for others.

use super::repeated_ids::order_hash;
use super::settle::{Settled, Sums};
use super::to_periods::{OrderRows, PeriodFinder};
use super::validate::{BadLines, Validation, Validator, customer, is_refund, line};
use super::{LineSummary, Lines};
use crate::base::cancel::Cancel;
use crate::base::error::Result;
use crate::base::money::Amount;
use crate::model::line_batch::TransactionBatch;
use crate::model::period_batch::PeriodBatch;
use crate::model::reject::REJECT_HELP;
use crate::source::{Chunk, Sink, Source};
use arrow::array::Array;
use std::sync::Arc;

/// Reads rows that are whole orders as period aggregations.
pub(crate) struct WholeOrders<S> {
    source: S,
    validation: Arc<Validation>,
    periods: PeriodFinder,
    chunk: u64,
}

impl<S: Source<TransactionBatch>> WholeOrders<S> {
    /// `lines` is what the source was opened with. The validation has the counts, once the source has been read.
    pub(crate) fn new(source: S, lines: &Lines, periods: PeriodFinder, bad: BadLines, cancel: Cancel) -> (Self, Arc<Validation>) {
        let validation = Arc::new(Validation::new(lines, bad, cancel));
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

    fn share(&mut self, threads: usize) {
        self.source.share(threads);
    }

    fn next_chunk(&mut self) -> Result<Option<Box<dyn Chunk>>> {
        let Some(rows) = self.source.next_chunk()? else { return Ok(None) };
        self.chunk += 1;
        Ok(Some(Box::new(WholeOrderChunk { rows, validation: self.validation.clone(), periods: self.periods.clone(), number: self.chunk })))
    }
}

/// A chunk of such rows.
struct WholeOrderChunk {
    rows: Box<dyn Chunk<TransactionBatch>>,
    validation: Arc<Validation>,
    periods: PeriodFinder,
    number: u64,
}

impl Chunk for WholeOrderChunk {
    fn bytes(&self) -> u64 {
        self.rows.bytes()
    }

    fn decode(self: Box<Self>, sink: &mut Sink<'_>) -> Result<()> {
        let WholeOrderChunk { rows, validation, periods, number } = *self;
        let mut converter = Converter::new(validation, periods);
        converter.begin_chunk(number);
        rows.decode(&mut |batch| converter.take(&batch, sink))?;
        converter.finish();
        Ok(())
    }
}

/// Turns batches of rows that are whole orders into batches of period aggregations, on one thread.
pub(super) struct Converter {
    validator: Validator,
    pending: PendingRows,
}

impl Converter {
    pub(super) fn new(validation: Arc<Validation>, periods: PeriodFinder) -> Self {
        let pending = PendingRows {
            validation: validation.clone(),
            first: 0,
            rows: OrderRows::new(periods),
            ids: Vec::new(),
            counted: LineSummary::default(),
        };
        Converter { validator: Validator::new(validation), pending }
    }

    /// Says that the next batch is the first of a chunk.
    pub(super) fn begin_chunk(&mut self, number: u64) {
        self.validator.begin_chunk(number);
    }

    /// Gives `sink` the orders of a batch, as rows that follow each other in the input.
    pub(super) fn take(&mut self, batch: &TransactionBatch, sink: &mut Sink<'_>) -> Result<()> {
        let Converter { validator, pending } = self;
        validator.lines(batch, |mut rows, position| {
            rows.try_for_each(|row| {
                if pending.first + pending.rows.len() != row {
                    pending.send(batch, sink)?;
                    pending.first = row;
                }
                pending.push(batch, row, position)
            })
        })?;
        pending.validation.order_ids.add(&mut pending.ids);
        pending.send(batch, sink)
    }

    /// Adds what was counted to the counts of all threads.
    pub(super) fn finish(&mut self) {
        self.pending.validation.count(std::mem::take(&mut self.pending.counted));
        self.validator.finish();
    }
}

/// Rows that follow each other, on their way.
struct PendingRows {
    validation: Arc<Validation>,
    /// The first row's index in its batch.
    first: usize,
    rows: OrderRows,
    /// The hashes of their order ids, where they have some.
    ids: Vec<u64>,
    /// Orders, those without a customer among them.
    counted: LineSummary,
}

impl PendingRows {
    #[inline]
    fn push(&mut self, batch: &TransactionBatch, i: usize, position: u64) -> Result<()> {
        if let Some(waiting) = &self.validation.waiting {
            return waiting.push_whole(&line(batch, i, position), &self.rows.periods, &self.validation);
        }
        let (time, counts) = (batch.times[i], !is_refund(batch, i));
        let sums = Sums { time, counts, spend: batch.spend[i], margin: Amount::default(), quantity: Amount::default() };
        match self.rows.periods.settle(customer(batch, i).is_some(), &sums, &mut self.counted) {
            Ok(Some(Settled { spend, .. })) => {
                if counts && i < batch.orders.len() && batch.orders.is_valid(i) {
                    self.ids.push(order_hash(batch.orders.value(i)));
                }
                self.rows.push(time, counts, spend);
            }
            Ok(None) => {}
            Err(fault) => {
                let validation = &self.validation;
                let reject = fault.reject(&line(batch, i, position), validation);
                return validation.reject(reject, fault.column(), Some(batch.spend[i].into()), REJECT_HELP);
            }
        }
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
