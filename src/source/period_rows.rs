//! Rows of text fields → [`PeriodBatch`]: shared by CSV and JSONL, which find the fields.

use crate::base::money::{Amount, AmountError};
use crate::model::columns::Column;
use crate::model::note::Notes;
use crate::model::period_batch::{Bad, NO_TIMESTAMP, Origin, PeriodBatch, kept_value};
use crate::model::reject::Reason;
use crate::source::values::Values;
use crate::source::values::date_reader::Dates;
use crate::source::values::numbers::Numbers;
use arrow::array::StringViewBuilder;
use std::sync::Arc;

/// The fields of a row in the order of [`Column::ALL`]; none where the field is null, empty or absent.
pub(crate) type Fields<'a> = [Option<&'a str>; 6];

/// Collects rows into a batch.
pub(crate) struct TextRows {
    values: Values,
    /// Whether ids and texts are taken as they are.
    keep_texts: bool,
    notes: Notes,
    ids: StringViewBuilder,
    starts: Vec<i64>,
    ends: Vec<i64>,
    orders: Vec<i64>,
    cents: Vec<i64>,
    fractions: Vec<u64>,
    last_transactions: Vec<i64>,
    bad: Vec<Bad>,
    skipped: Vec<u32>,
    numbers: Numbers,
    /// One of each column, which has the time of the row before at hand: most files have one period after the other.
    dates: [Dates; 3],
}

impl TextRows {
    /// Room for a number of rows, as they were written by this crate.
    pub(crate) fn with_capacity(rows: usize) -> Self {
        Self::new(&Values::default(), &Notes::default(), rows)
    }

    /// Room for a number of rows.
    pub(super) fn new(values: &Values, notes: &Notes, rows: usize) -> Self {
        let column = || Vec::with_capacity(rows);
        TextRows {
            values: values.clone(),
            keep_texts: values.keep_texts(),
            notes: notes.clone(),
            ids: StringViewBuilder::with_capacity(rows),
            starts: column(),
            ends: column(),
            orders: column(),
            cents: column(),
            last_transactions: column(),
            fractions: Vec::new(),
            bad: Vec::new(),
            skipped: Vec::new(),
            numbers: values.numbers(),
            dates: std::array::from_fn(|_| values.dates()),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    pub(crate) fn push(&mut self, fields: Fields<'_>) {
        let [id, start, end, orders, spend, last] = fields.map(Option::unwrap_or_default);
        self.push_texts(id, [start, end, orders, spend, last].map(str::as_bytes));
    }

    /// As [`TextRows::push`]: the id and the other fields, which are UTF-8 too. A field that is not there is an empty text.
    #[inline(always)]
    pub(super) fn push_texts(&mut self, id: &str, texts: [&[u8]; 5]) {
        if !self.keep_texts {
            return self.push_read(id, texts);
        }
        self.push_id(id);
        self.push_values(texts);
    }

    #[cold]
    fn push_read(&mut self, id: &str, texts: [&[u8]; 5]) {
        let values = self.values.clone();
        let or_empty = |text| values.or_empty(std::str::from_utf8(text).unwrap_or_default()).as_bytes();
        self.push_read_id(values.or_empty(id));
        self.push_values(texts.map(or_empty));
    }

    // As a call it costs 2 % of reading CSV.
    #[inline(always)]
    fn push_values(&mut self, [start, end, orders, spend, last]: [&[u8]; 5]) {
        let start = self.dates[0].read(start).unwrap_or_else(|| self.bad_time(Column::PeriodStart, start));
        let end = self.dates[1].read(end).unwrap_or_else(|| self.bad_time(Column::PeriodEnd, end));
        let last = match last {
            [] => NO_TIMESTAMP,
            last => self.dates[2].read(last).unwrap_or_else(|| self.bad_time(Column::LastTransactionTs, last)),
        };
        let orders = self.numbers.count(orders).unwrap_or_else(|| self.bad_count(orders));
        let amount = self.numbers.amount(spend).unwrap_or_else(|e| self.bad_amount(e, spend));
        self.starts.push(start);
        self.ends.push(end);
        self.last_transactions.push(last);
        self.orders.push(orders);
        self.cents.push(amount.cents);
        if amount.fraction != 0 {
            self.fractions.resize(self.cents.len() - 1, 0);
            self.fractions.push(amount.fraction);
        }
    }

    #[inline]
    fn push_id(&mut self, id: &str) {
        if id.is_empty() {
            self.fault(Column::CustomerId, Reason::MissingValue, b"");
        }
        self.ids.append_value(id);
    }

    fn push_read_id(&mut self, id: &str) {
        let values = self.values.clone();
        match values.customer_id(id) {
            Some(read) => self.push_id(&read),
            None if id.is_empty() => self.push_id(id),
            None => {
                self.fault(Column::CustomerId, Reason::BadNumber, id.as_bytes());
                self.ids.append_value(id);
            }
        }
    }

    /// Takes a row that cannot be read for the number of its fields.
    #[cold]
    pub(super) fn push_ragged(&mut self, fields: String) {
        let (row, before) = (self.len() as u32, self.bad.len());
        self.push([None; 6]);
        self.bad.truncate(before);
        self.bad.push(Bad { row, column: Column::CustomerId, reason: Reason::RaggedRow, value: fields });
    }

    /// Takes a row that a filter leaves out.
    pub(super) fn skip(&mut self) {
        self.skipped.push(self.len() as u32);
        self.ids.append_null();
        for column in [&mut self.starts, &mut self.ends, &mut self.last_transactions, &mut self.orders, &mut self.cents] {
            column.push(0);
        }
    }

    #[cold]
    fn fault(&mut self, column: Column, reason: Reason, value: &[u8]) {
        let row = self.len() as u32;
        self.bad.push(Bad { row, column, reason, value: kept_value(&String::from_utf8_lossy(value)) });
    }

    #[cold]
    fn bad_time(&mut self, column: Column, text: &[u8]) -> i64 {
        if !text.is_empty() {
            self.fault(column, Reason::BadTimestamp, text);
        } else if !column.is_optional() {
            self.fault(column, Reason::MissingValue, b"");
        }
        NO_TIMESTAMP
    }

    #[cold]
    fn bad_count(&mut self, text: &[u8]) -> i64 {
        let reason = if text.is_empty() { Reason::MissingValue } else { Reason::BadNumber };
        self.fault(Column::TotalOrders, reason, text);
        0
    }

    #[cold]
    fn bad_amount(&mut self, e: AmountError, text: &[u8]) -> Amount {
        let reason = match e {
            _ if text.is_empty() => Reason::MissingValue,
            AmountError::OutOfRange => Reason::AmountOutOfRange,
            AmountError::NotANumber => Reason::BadNumber,
        };
        self.fault(Column::TotalSpend, reason, text);
        Amount::default()
    }

    /// Takes the rows so far as a batch.
    pub(crate) fn take(&mut self, origin: &Arc<Origin>, first_row: u64, first_line: Option<u64>) -> PeriodBatch {
        self.numbers.note(&self.notes);
        for (dates, times) in self.dates.iter_mut().zip([&self.starts, &self.ends, &self.last_transactions]) {
            // Rows that are left out have no times.
            let is_read = |at: &usize| self.skipped.binary_search(&(*at as u32)).is_err();
            let left: Vec<i64> = match self.skipped.is_empty() {
                true => Vec::new(),
                false => (0..times.len()).filter(is_read).map(|at| times[at]).collect(),
            };
            dates.note_dates(if self.skipped.is_empty() { times } else { &left }, &self.notes);
        }
        let empty = TextRows::new(&self.values, &self.notes, 0);
        let mut rows = std::mem::replace(self, empty);
        if !rows.fractions.is_empty() {
            rows.fractions.resize(rows.cents.len(), 0);
        }
        rows.bad.sort_unstable();
        let mut batch = PeriodBatch {
            origin: origin.clone(),
            first_row,
            first_line,
            ids: rows.ids.finish(),
            starts: rows.starts.into(),
            ends: rows.ends.into(),
            orders: rows.orders.into(),
            cents: rows.cents.into(),
            fractions: rows.fractions.into(),
            last_transactions: rows.last_transactions.into(),
            bad: rows.bad,
            skipped: rows.skipped,
            whence: None,
            of_orders: false,
        };
        if rows.values.ends_are_inclusive() {
            batch.end_after();
        }
        batch
    }
}
