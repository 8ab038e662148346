//! Which lines of a batch count: bad ones, nobody's and refunds are left out here, or end the run, as the options say.

use super::partial_order::{Bundle, Detail};
use super::{Anonymous, Desk, LineSummary, Refunds};
use crate::base::error::Result;
use crate::base::money::Amount;
use crate::model::line_batch::TransactionBatch;
use crate::model::line_columns::TransactionColumn as Column;
use crate::model::reject::{OnBadRow, REJECT_HELP, Reason, Reject};
use arrow::array::Array;
use std::ops::Range;

/// Calls `take` with the rows that count, as many at once as follow each other. The first row of the batch is at `place`.
pub(super) fn judge(
    batch: &TransactionBatch,
    place: u64,
    desk: &Desk,
    tally: &mut LineSummary,
    mut take: impl FnMut(Range<usize>) -> Result<()>,
) -> Result<()> {
    let n = batch.times.len();
    tally.lines += n as u64;
    // The lowest bits of a view are its length.
    let all_named = batch.customers.null_count() == 0 && batch.customers.views()[..n].iter().all(|&view| view as u32 != 0);
    if batch.bad.is_empty() && all_named && !(0..n).any(|i| is_refund(batch, i)) {
        return if n > 0 { take(0..n) } else { Ok(()) };
    }
    let mut bad = batch.bad.iter().peekable();
    let mut first = 0;
    for i in 0..n {
        let mut faults = std::iter::from_fn(|| bad.next_if(|bad| bad.row as usize == i));
        let counts = match faults.next() {
            None => counts(batch, i, place, desk, tally),
            Some(fault) => {
                // Nobody reads it else, and to look for it takes time.
                let help = if desk.on_bad_row == OnBadRow::Fail { desk.reading.help(fault) } else { None };
                let reject = rejected(&line(batch, i, place), desk, fault.reason, fault.column, fault.value.clone());
                desk.reject(reject, help.as_deref().unwrap_or(REJECT_HELP)).map(|()| false)
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
fn counts(batch: &TransactionBatch, i: usize, place: u64, desk: &Desk, tally: &mut LineSummary) -> Result<bool> {
    if customer(batch, i).is_none() {
        match desk.options.anonymous {
            Anonymous::Fail => return anonymous(&line(batch, i, place), desk).map(|()| false),
            Anonymous::Drop => {
                tally.anonymous_lines += 1;
                return Ok(false);
            }
            Anonymous::Report => tally.anonymous_lines += 1,
        }
    }
    if is_refund(batch, i) {
        if desk.options.refunds == Refunds::Fail {
            return refund(&line(batch, i, place), batch.quantity[i], desk).map(|()| false);
        }
        tally.refund_lines += 1;
        tally.refunds.add(batch.spend[i]);
        return Ok(desk.options.refunds == Refunds::Net);
    }
    Ok(true)
}

/// Who is named in a row; an empty id names nobody.
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

/// A row as it is, by itself.
pub(super) fn line(batch: &TransactionBatch, i: usize, place: u64) -> Bundle<'_> {
    let order = if i < batch.orders.len() { batch.orders.value(i).as_bytes() } else { &[] };
    Bundle {
        order,
        customer: customer(batch, i),
        time: batch.times[i],
        counts: !is_refund(batch, i),
        place: place + i as u64,
        lines: 1,
        spend: batch.spend[i],
        detail: Detail::default(),
        digests: &[],
    }
}

#[cold]
fn anonymous(line: &Bundle<'_>, desk: &Desk) -> Result<()> {
    const HELP: &str = "leave such lines out with `anonymous=drop`, report them with `anonymous=report`, or name the column in `columns`";
    let reject = rejected(line, desk, Reason::MissingValue, Column::CustomerId, String::new());
    desk.reject(reject, HELP)
}

#[cold]
fn refund(line: &Bundle<'_>, quantity: Amount, desk: &Desk) -> Result<()> {
    let (column, value) = match quantity.cents < 0 {
        true => (Column::Quantity, quantity.to_string()),
        false => (Column::LineTotal, line.spend.to_string()),
    };
    let reject = rejected(line, desk, Reason::Refund, column, value);
    desk.reject(reject, "take them off what the customer spent with `refunds=net`, or leave them out with `refunds=drop`")
}

/// A line as a reject.
pub(super) fn rejected(line: &Bundle<'_>, desk: &Desk, reason: Reason, column: Column, value: String) -> Reject {
    let customer_id = line.customer.map_or(String::new(), |id| String::from_utf8_lossy(id).into_owned());
    let (source, row, number) = desk.places.find(line.place);
    let time = crate::model::reject::shown_timestamp(line.time);
    // In the order of LINE_FIELDS.
    let fields = vec![String::from_utf8_lossy(line.order).into_owned(), customer_id.clone(), time, line.spend.to_string()];
    Reject { window: None, source, row, line: number, customer_id, reason, column: column.name().to_owned(), value, fields, at: None }
}
