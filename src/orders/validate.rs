//! Validates the lines of a batch. As the options say, bad lines end the run or are left out; refunds end the run, are left out, or go on
//! to be netted. A line without a customer goes on, because another line of its order may name one; a row that is a whole order is decided
//! here.
//!
//! [`Validation`] has the options and the counts, for all threads; a [`Validator`] works on one.

use super::fault::{ANONYMOUS_HELP, Fault, REFUND_HELP};
use super::order_notes::OrderNotes;
use super::partial_order::{Detail, PartialOrder};
use super::provenance::Provenance;
use super::{Anonymous, LineSummary, Lines, OrderOptions, Refunds, provenance};
use crate::base::cancel::Cancel;
use crate::base::error::Result;
use crate::base::merge::Merge;
use crate::base::money::Amount;
use crate::base::threads::lock;
use crate::model::line_batch::TransactionBatch;
use crate::model::line_columns::TransactionColumn as Column;
use crate::model::note::{Notes, Topic};
use crate::model::reject::{OnBadRow, REJECT_HELP, Reason, Reject};
use crate::model::window::Granularity;
use crate::model::worth::{AmountFrom, WorthColumn};
use crate::source::transactions::TransactionOptions;
use crate::spill::Sorter;
use arrow::array::Array;
use std::ops::Range;
use std::sync::{Arc, Mutex};

/// The options of validation, and its results so far; shared by threads.
pub(crate) struct Validation {
    pub(super) options: OrderOptions,
    pub(super) reading: TransactionOptions,
    pub(super) on_bad_row: OnBadRow,
    pub(super) provenance: Provenance,
    /// The counts so far.
    summary: Mutex<LineSummary>,
    /// Takes the lines that were left out; none where they are only counted.
    rejects: Option<Arc<Sorter>>,
    pub(super) cancel: Cancel,
    /// The fault of an order that ends the run: the position, the line, the advice. It is the first fault of the input.
    first: Mutex<Option<(u64, Reject, &'static str)>>,
    pub(super) notes: Notes,
}

impl Validation {
    pub(super) fn new(lines: &Lines, on_bad_row: OnBadRow, rejects: Option<Arc<Sorter>>, cancel: Cancel) -> Self {
        let (options, reading) = (lines.orders.clone(), lines.options.clone());
        Validation {
            options,
            reading,
            on_bad_row,
            provenance: Provenance::default(),
            summary: Mutex::default(),
            rejects,
            cancel,
            first: Mutex::default(),
            notes: Notes::default(),
        }
    }

    /// Leaves out a line for the fault of its order; a fault that ends the run does so when all orders are known.
    #[cold]
    pub(super) fn refuse(&self, line: &PartialOrder<'_>, fault: Fault) -> Result<()> {
        if self.on_bad_row != OnBadRow::Fail {
            return self.reject(fault.reject(line, self), fault.help());
        }
        let mut first = lock(&self.first);
        if first.as_ref().is_none_or(|(known, ..)| line.position < *known) {
            *first = Some((line.position, fault.reject(line, self), fault.help()));
        }
        Ok(())
    }

    /// Ends the run, if an order has a fault that does.
    pub(super) fn verdict(&self) -> Result<()> {
        lock(&self.first).take().map_or(Ok(()), |(_, reject, help)| Err(reject.into_error().help(help)))
    }

    /// Whether lines that say nothing of their worth are noted: not where they count for themselves, or further lines of an order have none.
    pub(super) fn asks_for_worth(&self) -> bool {
        matches!(self.reading.amount, AmountFrom::Auto | AmountFrom::Price)
    }

    /// Adds counts.
    pub(super) fn count(&self, more: LineSummary) {
        self.notes.add_amount(Topic::CentFractions, "", more.fractions, more.rounding);
        lock(&self.summary).merge(more);
    }

    /// Leaves a line out, or ends the run.
    #[cold]
    pub(super) fn reject(&self, reject: Reject, help: &str) -> Result<()> {
        if self.on_bad_row == OnBadRow::Fail {
            return Err(reject.into_error().help(help));
        }
        *lock(&self.summary).lines_rejected.entry(reject.reason).or_default() += 1;
        self.rejects.as_ref().map_or(Ok(()), |rejects| rejects.buffer().push(|out| reject.write(out)))
    }

    /// What is noticed.
    pub(crate) fn notes(&self) -> &Notes {
        &self.notes
    }

    /// The counts so far.
    pub(crate) fn summary(&self) -> LineSummary {
        lock(&self.summary).clone()
    }
}

/// Validates the lines that one thread reads, and counts them.
pub(super) struct Validator {
    validation: Arc<Validation>,
    /// The position of the next batch's first row.
    position: u64,
    counted: LineSummary,
    noted: OrderNotes,
}

impl Validator {
    pub(super) fn new(validation: Arc<Validation>) -> Self {
        Validator { validation, position: 0, counted: LineSummary::default(), noted: OrderNotes::default() }
    }

    pub(super) fn validation(&self) -> &Validation {
        &self.validation
    }

    /// Says that the next batch is the first of a chunk.
    pub(super) fn begin_chunk(&mut self, number: u64) {
        self.position = provenance::of_chunk(number);
    }

    /// Calls `take` with the rows of a batch that count, as many at once as follow each other, and the position of the batch's first row.
    #[inline]
    pub(super) fn lines(&mut self, batch: &TransactionBatch, mut take: impl FnMut(Range<usize>, u64) -> Result<()>) -> Result<()> {
        let Validator { validation, position, counted, noted } = self;
        let first = *position;
        validation.provenance.begin(first, batch);
        // One column for all lines is what most batches have.
        let asks = validation.asks_for_worth() && batch.worth.common().is_none_or(|column| column == WorthColumn::Nothing);
        validate(batch, first, validation, counted, |rows| {
            if asks {
                noted.worthless_lines += rows.clone().filter(|&row| batch.worth.get(row) == WorthColumn::Nothing).count() as u64;
            }
            take(rows, first)
        })?;
        *position += batch.times.len() as u64;
        Ok(())
    }

    /// Adds what was counted to the counts of all threads.
    pub(super) fn finish(&mut self) {
        self.validation.count(std::mem::take(&mut self.counted));
        std::mem::take(&mut self.noted).note(&self.validation.notes, Granularity::Month);
    }
}

/// Calls `take` with the rows that count, as many at once as follow each other. The first row of the batch is at `position`.
fn validate(
    batch: &TransactionBatch,
    position: u64,
    validation: &Validation,
    tally: &mut LineSummary,
    mut take: impl FnMut(Range<usize>) -> Result<()>,
) -> Result<()> {
    let n = batch.times.len();
    tally.lines += (n - batch.skipped.len()) as u64;
    // The lowest bits of a view are its length.
    let named = || batch.customers.null_count() == 0 && batch.customers.views()[..n].iter().all(|&view| view as u32 != 0);
    let all_named = !validation.reading.one_row_per_order || named();
    if batch.bad.is_empty() && batch.skipped.is_empty() && all_named && !(0..n).any(|i| is_refund(batch, i)) {
        return if n > 0 { take(0..n) } else { Ok(()) };
    }
    let mut bad = batch.bad.iter().peekable();
    let mut skipped = batch.skipped.iter().peekable();
    let mut first = 0;
    for i in 0..n {
        let mut faults = std::iter::from_fn(|| bad.next_if(|bad| bad.row as usize == i));
        let counts = match faults.next() {
            _ if skipped.next_if(|row| **row as usize == i).is_some() => Ok(false),
            None => counts(batch, i, position, validation, tally),
            Some(fault) => {
                // The advice is shown with an error only, and finding it takes time.
                let help = if validation.on_bad_row == OnBadRow::Fail { validation.reading.help(fault) } else { None };
                let mut reject = rejected(&line(batch, i, position), validation, fault.reason, fault.column, fault.value.clone());
                if fault.reason == Reason::RaggedRow {
                    reject.column.clear();
                }
                validation.reject(reject, help.as_deref().unwrap_or(REJECT_HELP)).map(|()| false)
            }
        };
        faults.for_each(drop);
        if !matches!(counts, Ok(true)) {
            // Something may be wrong with a row before this one, too.
            if first < i {
                take(first..i)?;
            }
            counts?;
            first = i + 1;
        }
    }
    if first < n { take(first..n) } else { Ok(()) }
}

/// Whether a row that could be read counts, or is left out for what it is.
fn counts(batch: &TransactionBatch, i: usize, position: u64, validation: &Validation, tally: &mut LineSummary) -> Result<bool> {
    if customer(batch, i).is_none() {
        if !validation.reading.one_row_per_order {
            // Another line of the order may name one.
            return Ok(true);
        }
        match validation.options.anonymous {
            Anonymous::Fail => return anonymous(&line(batch, i, position), validation).map(|()| false),
            Anonymous::Drop => {
                tally.anonymous_lines += 1;
                return Ok(false);
            }
            Anonymous::Report => tally.anonymous_lines += 1,
        }
    }
    if is_refund(batch, i) {
        if validation.options.refunds == Refunds::Fail {
            return refund(&line(batch, i, position), batch.quantity[i], validation).map(|()| false);
        }
        tally.refund_lines += 1;
        tally.refunds.add(batch.spend[i]);
        return Ok(validation.options.refunds == Refunds::Net);
    }
    Ok(true)
}

/// The customer of a row, if it names one; an empty id does not.
#[inline]
pub(super) fn customer(batch: &TransactionBatch, i: usize) -> Option<&[u8]> {
    let id = if batch.customers.is_valid(i) { batch.customers.value(i) } else { "" };
    (!id.is_empty()).then_some(id.as_bytes())
}

/// Whether a row gives money back.
#[inline]
pub(super) fn is_refund(batch: &TransactionBatch, i: usize) -> bool {
    batch.quantity[i].cents < 0 || batch.spend[i].cents < 0
}

/// A row as a partial order of its own.
pub(super) fn line(batch: &TransactionBatch, i: usize, position: u64) -> PartialOrder<'_> {
    let order = if i < batch.orders.len() { batch.orders.value(i).as_bytes() } else { &[] };
    PartialOrder {
        order,
        customer: customer(batch, i),
        time: batch.times[i],
        counts: !is_refund(batch, i),
        position: position + i as u64,
        lines: 1,
        spend: batch.spend[i],
        worth: batch.worth.get(i),
        reach: 0,
        detail: Detail::default(),
        digests: &[],
    }
}

#[cold]
fn anonymous(line: &PartialOrder<'_>, validation: &Validation) -> Result<()> {
    let reject = rejected(line, validation, Reason::MissingValue, Column::CustomerId, String::new());
    validation.reject(reject, ANONYMOUS_HELP)
}

#[cold]
fn refund(line: &PartialOrder<'_>, quantity: Amount, validation: &Validation) -> Result<()> {
    let (column, value) = match quantity.cents < 0 {
        true => (Column::Quantity, quantity.to_string()),
        false => (Column::LineTotal, line.spend.to_string()),
    };
    let reject = rejected(line, validation, Reason::Refund, column, value);
    validation.reject(reject, REFUND_HELP)
}

/// A line as a reject.
pub(super) fn rejected(line: &PartialOrder<'_>, validation: &Validation, reason: Reason, column: Column, value: String) -> Reject {
    let customer_id = line.customer.map_or(String::new(), |id| String::from_utf8_lossy(id).into_owned());
    let (source, row, number) = validation.provenance.find(line.position);
    let time = crate::model::reject::shown_timestamp(line.time);
    // In the order of LINE_FIELDS.
    let fields = vec![String::from_utf8_lossy(line.order).into_owned(), customer_id.clone(), time, line.spend.to_string()];
    Reject { window: None, source, row, line: number, customer_id, reason, column: column.name().to_owned(), value, fields, at: None }
}
