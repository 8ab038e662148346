//! Orders and line items as input: their columns, the options of reading them, and the batches they become. All formats are read, by the
//! readers that period aggregations have, too (`row_kind`); [`orders`](crate::orders) groups the lines.
//!
//! A line is worth what it says, or else what its parts say: `line_total`, else quantity × `unit_price`; `line_margin`, else quantity ×
//! `unit_margin`, else quantity × (`unit_price` − `unit_cost`). Row by row, a null is as good as no column.
//!
//! Invariant: as for periods, a batch is aligned with its input, and what cannot be read is listed in [`TransactionBatch::bad`].

mod arrow_lines;
mod dates;
mod line_rows;

use super::arrow_columns::{Wanted, find, nearest};
use super::files::{Files, Format};
use super::row_kind::{RowKind, TextRowKind};
use super::transactions::arrow_lines::LineColumns;
use super::transactions::dates::DateFormats;
use super::transactions::line_rows::TransactionRows;
use crate::base::error::Result;
use crate::model::line_batch::{BadLine, TransactionBatch};
use crate::model::line_columns::{ORDER_TS, TransactionColumn, TransactionColumns};
use crate::model::note::{Notes, Topic};
use crate::model::period_batch::Origin;
use crate::model::read_options::{IdFormat, ReadOptions};
use crate::model::reject::Reason;
use arrow::datatypes::Schema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Advice about ids that are numbers with a point.
const INTEGER_IDS: &str = "`id_format=integer` reads 12923.0 as 12923";

/// How alike names are, from 0 to 1, of which one is surely meant for the other: `CustomerID` and `customer_id`, not `order_id`.
const SURELY_ALIKE: f64 = 0.9;

/// How transactions are read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct TransactionOptions {
    /// Each row is an order of its own; order ids are not looked for.
    pub one_row_per_order: bool,
    /// How values are read.
    pub reading: ReadOptions,
}

impl TransactionOptions {
    /// Sets [`one_row_per_order`](TransactionOptions::one_row_per_order).
    #[must_use]
    pub fn with_one_row_per_order(mut self, one_row_per_order: bool) -> Self {
        self.one_row_per_order = one_row_per_order;
        self
    }

    /// Sets [`reading`](TransactionOptions::reading).
    #[must_use]
    pub fn with_reading(mut self, reading: ReadOptions) -> Self {
        self.reading = reading;
        self
    }

    /// Checks the options.
    ///
    /// # Errors
    /// A date format that is none, or that does not say a day.
    pub fn check(&self) -> Result<()> {
        self.dates().map(drop)
    }

    fn dates(&self) -> Result<DateFormats> {
        DateFormats::new(&self.reading.date_formats)
    }

    /// Advice about a bad value, besides correcting it.
    pub fn help(&self, bad: &BadLine) -> Option<String> {
        match (bad.column, bad.reason) {
            (TransactionColumn::EventTs, Reason::BadTimestamp) => dates::help(&bad.value, &self.reading.date_formats),
            (TransactionColumn::CustomerId, Reason::BadNumber) => {
                Some("ids that are not all whole numbers are read with `id_format=as-is`".to_owned())
            }
            _ => None,
        }
    }
}

impl Files<TransactionBatch> {
    /// As [`Files::find`], for files that hold orders or line items.
    ///
    /// # Errors
    /// When something named is not there, a folder or glob holds no input, or the options are not right.
    pub fn find_transactions<S: AsRef<str>>(
        named: &[S],
        format: Option<Format>,
        columns: TransactionColumns,
        options: &TransactionOptions,
        batch_rows: usize,
    ) -> Result<Self> {
        Self::find_as(named, format, Transactions::new(columns, options)?, batch_rows)
    }
}

/// Orders and line items.
#[derive(Clone)]
pub(crate) struct Transactions(Arc<Reading>);

/// The columns and the options, ready to read by.
struct Reading {
    columns: TransactionColumns,
    options: TransactionOptions,
    dates: DateFormats,
    /// Optional columns that are not needed.
    unread: &'static [TransactionColumn],
    notes: Notes,
}

impl Transactions {
    pub(crate) fn new(columns: TransactionColumns, options: &TransactionOptions) -> Result<Self> {
        Self::but_for(columns, options, &[])
    }

    /// Orders and line items without margins and products.
    pub(crate) fn without_margins(columns: TransactionColumns, options: &TransactionOptions) -> Result<Self> {
        use TransactionColumn::{LineMargin, ProductId, UnitCost, UnitMargin};
        Self::but_for(columns, options, &[LineMargin, UnitMargin, UnitCost, ProductId])
    }

    fn but_for(columns: TransactionColumns, options: &TransactionOptions, unread: &'static [TransactionColumn]) -> Result<Self> {
        let dates = options.dates()?;
        Ok(Transactions(Arc::new(Reading { columns, options: options.clone(), dates, unread, notes: Notes::default() })))
    }

    /// The positions of the columns; that of customers may be missing where `needs_customer` is false.
    fn find_columns(&self, names: &[&str], needs_customer: bool, origin: &Origin) -> Result<[Option<usize>; 10]> {
        let columns = &self.0.columns;
        let mut wanted = self.wanted();
        wanted[TransactionColumn::CustomerId as usize].required = needs_customer;
        let time = &mut wanted[TransactionColumn::EventTs as usize].name;
        if !columns.0.contains_key(&TransactionColumn::EventTs) && !names.contains(time) && names.contains(&ORDER_TS) {
            *time = ORDER_TS;
        }
        let mut at = find(names, wanted, origin)?;
        if at[TransactionColumn::LineTotal as usize].or(at[TransactionColumn::UnitPrice as usize]).is_none() {
            let [total, price] = [TransactionColumn::LineTotal, TransactionColumn::UnitPrice].map(|column| columns.name(column));
            let (names, help) = (names.join(", "), "name one with `columns.unit_price=NAME`");
            let what = format_args!("there is neither {total:?} nor {price:?}: lines without are worth 0.00");
            self.0.notes.say(Topic::NoWorth, format!("{}: {what}; the columns are: {names}; {help}", origin.name));
        }
        for (column, at) in at.iter_mut().enumerate() {
            *at = at.filter(|_| self.reads(column));
        }
        Ok(at)
    }

    fn reads_margins(&self) -> bool {
        !self.0.unread.contains(&TransactionColumn::LineMargin)
    }

    fn are_ids_integers(&self) -> bool {
        self.0.options.reading.id_format == IdFormat::Integer
    }
}

impl RowKind for Transactions {
    type Batch = TransactionBatch;
    type Columns = LineColumns;

    fn notes(&self) -> Notes {
        self.0.notes.clone()
    }

    fn resolve(&self, schema: &Schema, origin: &Arc<Origin>) -> Result<LineColumns> {
        LineColumns::resolve(self, schema, origin)
    }
}

impl TextRowKind<10> for Transactions {
    type Rows = TransactionRows;
    const NOT_UTF8: &'static str =
        "if a spreadsheet wrote it, run with `encoding=latin1`; or convert the file to UTF-8 first, with iconv for example";

    const DECIMAL_IDS: Option<&'static str> = Some(INTEGER_IDS);

    fn wanted(&self) -> [Wanted<'_>; 10] {
        let Reading { columns, options, .. } = &*self.0;
        TransactionColumn::ALL.map(|column| {
            let required = !column.is_optional() || columns.0.contains_key(&column);
            let sought = column != TransactionColumn::OrderId || !options.one_row_per_order;
            Wanted { column: column.name(), name: columns.name(column), required: required && sought }
        })
    }

    fn find(&self, names: &[&str], origin: &Origin) -> Result<[Option<usize>; 10]> {
        self.find_columns(names, true, origin)
    }

    fn find_keys(&self, keys: &[&str], origin: &Origin) -> Result<[Option<usize>; 10]> {
        let columns = &self.0.columns;
        let name = columns.name(TransactionColumn::CustomerId);
        let is_meant = columns.0.contains_key(&TransactionColumn::CustomerId) || nearest(name, keys, SURELY_ALIKE).is_some();
        let at = self.find_columns(keys, is_meant, origin)?;
        if at[TransactionColumn::CustomerId as usize].is_none() {
            let (keys, help) = (keys.join(", "), "name it with `columns.customer_id=NAME`, if it is there");
            let what = format_args!("no key of the first lines is {name:?}");
            self.0.notes.say(Topic::NoCustomerKey, format!("{}: {what}; the keys are: {keys}; {help}", origin.name));
        }
        Ok(at)
    }

    fn reads(&self, column: usize) -> bool {
        let Reading { options, unread, .. } = &*self.0;
        let column = TransactionColumn::ALL[column];
        !(unread.contains(&column) || options.one_row_per_order && column == TransactionColumn::OrderId)
    }

    fn ids(&self) -> &'static [usize] {
        &const { [TransactionColumn::OrderId as usize, TransactionColumn::CustomerId as usize, TransactionColumn::ProductId as usize] }
    }

    fn takes_decimal_ids(&self) -> bool {
        self.are_ids_integers()
    }

    fn reading(&self) -> &ReadOptions {
        &self.0.options.reading
    }

    fn rows(&self, capacity: usize) -> TransactionRows {
        TransactionRows::new(self.clone(), capacity)
    }
}
