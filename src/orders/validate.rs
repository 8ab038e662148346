//! Validates the lines of a batch. As the options say, bad lines end the run or are left out; refunds end the run, are left out, or go on
//! to be netted. A line without a customer goes on, because another line of its order may name one; a row that is a whole order is decided
//! here.
//!
//! [`Validation`] has the options and the counts, for all threads; a [`Validator`] works on one.

use super::fault::{ANONYMOUS_HELP, Fault, REFUND_HELP};
use super::known_orders::Waiting;
use super::order_notes::OrderNotes;
use super::partial_order::{Detail, PartialOrder};
use super::provenance::{InputsOf, Provenance};
use super::repeated_ids::RepeatedIds;
use super::{Anonymous, Duplicates, LineSummary, Lines, OrderOptions, Refunds, provenance};
use crate::base::cancel::Cancel;
use crate::base::error::Result;
use crate::base::merge::Merge;
use crate::base::money::{Amount, Total};
use crate::base::threads::lock;
use crate::model::cause::{Causes, MaxRejects, SharedCauses};
use crate::model::line_batch::TransactionBatch;
use crate::model::line_columns::TransactionColumn as Column;
use crate::model::note::{Notes, Topic};
use crate::model::reject::{OnBadRow, REJECT_HELP, Reason, Reject};
use crate::model::window::Granularity;
use crate::model::worth::{AmountFrom, WorthColumn};
use crate::source::transactions::TransactionOptions;
use crate::source::values::advice;
use crate::spill::Sorter;
use crate::stats::Stats;
use arrow::array::Array;
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock};

/// The options of validation, and its results so far; shared by threads.
pub(crate) struct Validation {
    pub(super) options: OrderOptions,
    has_order_ids: bool,
    /// The inputs of lines, once all are read.
    pub(super) inputs: OnceLock<InputsOf>,
    /// The policy for copies that follows from them and from what lines are worth.
    pub(super) duplicates: Duplicates,
    pub(super) reading: TransactionOptions,
    pub(super) on_bad_row: OnBadRow,
    fail_fast: bool,
    max_rejects: MaxRejects,
    pub(super) provenance: Provenance,
    /// The counts so far.
    summary: Mutex<LineSummary>,
    /// Takes the lines that were left out; none where they are only counted.
    rejects: Option<Arc<Sorter>>,
    pub(super) cancel: Cancel,
    /// The bad lines and orders, by reason.
    causes: SharedCauses,
    stats: Arc<Stats>,
    /// Whether they are judged here, and not by a pipeline together with its rows.
    judges: bool,
    pub(super) notes: Notes,
    /// The ids of orders that are rows of their own.
    pub(super) order_ids: RepeatedIds,
    /// Where orders wait to be looked for in a state, if one keeps order ids.
    pub(super) waiting: Option<Waiting>,
}

/// What becomes of bad lines.
pub(crate) struct BadLines {
    pub(crate) on_bad_row: OnBadRow,
    /// Whether the first one ends the run.
    pub(crate) fail_fast: bool,
    /// How many may be left out, where no pipeline judges them.
    pub(crate) max_rejects: MaxRejects,
    /// Takes the lines that are left out; none where they are only counted.
    pub(crate) rejects: Option<Arc<Sorter>>,
    /// Those of the pipeline that judges them, if any.
    pub(crate) causes: Option<SharedCauses>,
    /// Where what was noticed of values is, for advice about those that cannot be read.
    pub(crate) stats: Arc<Stats>,
    /// Where orders wait, if a state keeps order ids.
    pub(crate) waiting: Option<Waiting>,
}

impl Validation {
    pub(super) fn new(lines: &Lines, bad: BadLines, cancel: Cancel) -> Self {
        let (options, reading, duplicates) = (lines.orders.clone(), lines.options.clone(), lines.duplicates());
        let BadLines { on_bad_row, fail_fast, max_rejects, rejects, causes, stats, waiting } = bad;
        let judges = causes.is_none();
        let (provenance, summary, causes, notes) = (Provenance::default(), Mutex::default(), causes.unwrap_or_default(), Notes::default());
        let order_ids = RepeatedIds::default();
        Validation {
            options,
            has_order_ids: !lines.columns.name(Column::OrderId).split(['+', '|']).any(|part| part.trim() == "day"),
            inputs: OnceLock::new(),
            duplicates,
            reading,
            on_bad_row,
            fail_fast,
            max_rejects,
            provenance,
            summary,
            rejects,
            cancel,
            causes,
            stats,
            judges,
            notes,
            order_ids,
            waiting,
        }
    }

    /// Leaves out a line for the fault of its order, which is worth so much, if that is known; a fault that ends the run does so when all
    /// orders are known.
    #[cold]
    pub(super) fn refuse(&self, line: &PartialOrder<'_>, fault: Fault, amount: Option<Total>) -> Result<()> {
        let reject = fault.reject(line, self);
        if self.on_bad_row != OnBadRow::Fail {
            return self.reject(reject, fault.column(), amount, fault.help());
        }
        self.cause(reject, fault.column(), amount, fault.help());
        Ok(())
    }

    /// Ends the run when the orders of all lines are known, if there is a cause to.
    pub(super) fn verdict(&self) -> Result<()> {
        let is_first_told = self.on_bad_row == OnBadRow::Fail && self.fail_fast;
        if !self.judges && !is_first_told {
            return Ok(());
        }
        let (mut causes, LineSummary { lines, lines_rejected, .. }) = (self.causes.take(), self.summary());
        causes.advise(|reject| advice(reject, &self.reading.reading, &self.stats.notes()));
        let rejected = lines_rejected.values().sum::<u64>();
        match self.on_bad_row {
            OnBadRow::Fail if !causes.is_empty() => Err(causes.into_error(lines, self.fail_fast)),
            OnBadRow::Reject if self.judges && rejected > self.max_rejects.of(lines) => {
                Err(causes.too_many(rejected, lines, self.max_rejects))
            }
            _ => Ok(()),
        }
    }

    /// Whether orders have ids of their own, and are not made of what a customer buys on a day.
    pub(super) fn has_order_ids(&self) -> bool {
        self.has_order_ids
    }

    /// The input of a line, by its number; to be asked for when all lines have been read.
    pub(super) fn input_of(&self, position: u64) -> u32 {
        self.inputs.get_or_init(|| self.provenance.inputs()).of(position)
    }

    /// Whether a `line_total` is that of its whole order.
    pub(super) fn is_once(&self) -> bool {
        self.reading.amount == AmountFrom::Order
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

    /// Leaves a line out, or has it end the run: at once, or together with others when all is read.
    #[cold]
    pub(super) fn reject(&self, reject: Reject, column: Column, amount: Option<Total>, help: &str) -> Result<()> {
        if self.on_bad_row == OnBadRow::Fail && self.fail_fast {
            return Err(reject.into_error().help(help));
        }
        if self.on_bad_row == OnBadRow::Fail {
            self.cause(reject, column, amount, help);
            return Ok(());
        }
        {
            let mut summary = lock(&self.summary);
            *summary.lines_rejected.entry(reject.reason).or_default() += 1;
            summary.rejected_amounts.entry(reject.reason).or_default().merge(amount.unwrap_or_default());
        }
        let kept = self.rejects.as_ref().map_or(Ok(()), |rejects| rejects.buffer().push(|out| reject.write(out)));
        self.cause(reject, column, amount, help);
        kept
    }

    /// Counts what ends the run when all is read, or was left out.
    fn cause(&self, reject: Reject, column: Column, amount: Option<Total>, help: &str) {
        let (source, row) = (reject.source.clone(), reject.row);
        self.causes.add(key(reject.reason, column), amount, (&source, row), || (reject, help.to_owned()));
    }

    /// Whether bad lines end the run when all is read. Until then lines without a customer and refunds are taken for what the advice about
    /// them makes of them, so that what else is wrong with their orders is found, too.
    pub(super) fn reads_on(&self) -> bool {
        self.on_bad_row == OnBadRow::Fail && !self.fail_fast
    }

    /// What is noticed.
    pub(crate) fn notes(&self) -> &Notes {
        &self.notes
    }

    /// Ends an input of rows that are whole orders: notes the ids that came again, and gives the counts.
    pub(crate) fn finish_whole(&self) -> LineSummary {
        self.order_ids.note(&self.notes);
        self.summary()
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
    /// The causes that this thread found.
    found: Causes,
    noted: OrderNotes,
}

impl Validator {
    pub(super) fn new(validation: Arc<Validation>) -> Self {
        let (counted, found, noted) = Default::default();
        Validator { validation, position: 0, counted, found, noted }
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
        let Validator { validation, position, counted, found, noted } = self;
        let first = *position;
        validation.provenance.begin(first, batch);
        validation.causes.count_read(&batch.origin.name, (batch.times.len() - batch.skipped.len()) as u64);
        // One column for all lines is what most batches have.
        let asks = validation.asks_for_worth() && batch.worth.common().is_none_or(|column| column == WorthColumn::Nothing);
        validate(batch, first, validation, (counted, found), |rows| {
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
        self.validation.causes.absorb(std::mem::take(&mut self.found));
        std::mem::take(&mut self.noted).note(&self.validation.notes, Granularity::Month);
    }
}

/// Calls `take` with the rows that count, as many at once as follow each other. The first row of the batch is at `position`.
fn validate(
    batch: &TransactionBatch,
    position: u64,
    validation: &Validation,
    (tally, found): (&mut LineSummary, &mut Causes),
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
            None => Bad { batch, i, position, validation }.counts(tally, found),
            Some(fault) => {
                // A fault in a number makes the line worth nothing known.
                let numbers = [Column::Quantity, Column::UnitPrice, Column::LineTotal];
                let is_read = !std::iter::once(fault).chain(faults.by_ref()).any(|fault| numbers.contains(&fault.column));
                let line = Bad { batch, i, position, validation };
                // The advice is shown with an error only, and finding it takes time.
                let help = || validation.reading.help_beside(fault, &validation.stats.notes()).unwrap_or_else(|| REJECT_HELP.to_owned());
                let amount = is_read.then(|| batch.spend[i]);
                let left_out = line.leave_out((fault.reason, fault.column), fault.value.clone(), amount, help, found);
                // The advice may be how to read it, and then it counts.
                if validation.reads_on() && is_read && fault.column != Column::CustomerId {
                    line.counts(tally, found)?;
                }
                left_out.map(|()| false)
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

/// A row that may be left out.
struct Bad<'a> {
    batch: &'a TransactionBatch,
    i: usize,
    position: u64,
    validation: &'a Validation,
}

impl Bad<'_> {
    /// Whether a row that could be read counts, or is left out for what it is.
    fn counts(&self, tally: &mut LineSummary, found: &mut Causes) -> Result<bool> {
        let Bad { batch, i, validation, .. } = *self;
        if customer(batch, i).is_none() {
            if !validation.reading.one_row_per_order {
                // Another line of the order may name one.
                return Ok(true);
            }
            match validation.options.anonymous {
                Anonymous::Fail => {
                    let help = || ANONYMOUS_HELP.to_owned();
                    self.leave_out((Reason::MissingValue, Column::CustomerId), String::new(), Some(batch.spend[i]), help, found)?;
                    if !validation.reads_on() {
                        return Ok(false);
                    }
                }
                Anonymous::Drop => {
                    tally.anonymous_lines += 1;
                    tally.anonymous_dropped.add(batch.spend[i]);
                    return Ok(false);
                }
                Anonymous::Report => tally.anonymous_lines += 1,
            }
        }
        if is_refund(batch, i) {
            if validation.options.refunds == Refunds::Fail {
                let (column, value) = match batch.quantity[i].cents < 0 {
                    true => (Column::Quantity, batch.quantity[i].to_string()),
                    false => (Column::LineTotal, batch.spend[i].to_string()),
                };
                let help = || REFUND_HELP.to_owned();
                return self.leave_out((Reason::Refund, column), value, Some(batch.spend[i]), help, found).map(|()| validation.reads_on());
            }
            tally.refund_lines += 1;
            tally.refunds.add(batch.spend[i]);
            if batch.spend[i].cents > 0 && validation.options.refunds == Refunds::Net {
                validation.notes.add_amount(Topic::RefundsThatAdd, "", 1, batch.spend[i].into());
            }
            return Ok(validation.options.refunds == Refunds::Net);
        }
        Ok(true)
    }

    /// Leaves the row out, or has it end the run.
    #[cold]
    fn leave_out(
        &self,
        (reason, column): (Reason, Column),
        value: String,
        amount: Option<Amount>,
        help: impl FnOnce() -> String,
        found: &mut Causes,
    ) -> Result<()> {
        let Bad { batch, i, position, validation } = *self;
        let reject = || {
            let mut reject = rejected(&line(batch, i, position), validation, reason, column, value);
            if reason == Reason::RaggedRow {
                reject.column.clear();
            }
            reject
        };
        if validation.reads_on() {
            validation.causes.announce();
            let place = (batch.origin.name.as_str(), batch.first_row + i as u64);
            found.add(key(reason, column), amount, place, || (reject(), help()));
            return Ok(());
        }
        validation.reject(reject(), column, amount.map(Total::from), &help())
    }
}

/// The reason and the column of a cause: refunds are one, whichever column says so.
fn key(reason: Reason, column: Column) -> (Reason, &'static str) {
    (reason, if reason == Reason::Refund { Column::Quantity } else { column }.name())
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
        equal: true,
        reach: 0,
        detail: Detail::default(),
        digests: &[],
    }
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
