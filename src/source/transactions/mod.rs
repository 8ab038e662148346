//! Orders and line items as input: their columns, the options of reading them, and the batches they become. All formats are read, by the
//! readers that period aggregations have, too (`row_kind`); [`orders`](crate::orders) groups the lines.
//!
//! A line is worth what it says, or else what its parts say: `line_total`, else quantity × `unit_price`; `line_margin`, else quantity ×
//! `unit_margin`, else quantity × (`unit_price` − `unit_cost`). Row by row, a null is as good as no column.
//!
//! Invariant: as for periods, a batch is aligned with its input, and what cannot be read is listed in [`TransactionBatch::bad`].

mod arrow_lines;
mod dates;
mod latin1;
mod line_rows;

pub(super) use self::dates::{date_formats, dates_of};

use super::arrow_rows::ArrowRows;
use super::files::{Files, Format};
use super::mapping::{Join, Located, Request, Wanted, nearest};
use super::row_kind::{RowKind, TextRowKind, Unfit};
use super::transactions::arrow_lines::LineColumns;
use super::transactions::dates::DateFormats;
use super::transactions::latin1::Latin1;
use super::transactions::line_rows::TransactionRows;
use crate::base::error::Result;
use crate::model::line_batch::{BadLine, TransactionBatch};
use crate::model::line_columns::{EVENT_OR_ORDER_TS, TransactionColumn, TransactionColumns};
use crate::model::note::{Notes, Topic};
use crate::model::period_batch::Origin;
use crate::model::read_options::{Encoding, IdFormat, ReadOptions};
use crate::model::reject::Reason;
use arrow::datatypes::{DataType, Schema};
use serde::{Deserialize, Serialize};
use std::io::Read;
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
        let notes = Notes::default();
        notes.told(options.reading.told.as_ref());
        Ok(Transactions(Arc::new(Reading { columns, options: options.clone(), dates, unread, notes })))
    }

    /// Where the columns lie; that of customers may be missing where `needs_customer` is false.
    fn find_columns(&self, names: &[&str], needs_customer: bool, origin: &Origin) -> Result<Located<10>> {
        let columns = &self.0.columns;
        let mut wanted = self.wanted();
        wanted[TransactionColumn::CustomerId as usize].required = needs_customer;
        let at = Request { wanted, nulls: &[], notes: &self.0.notes }.locate(names, origin)?;
        if !(at.has(TransactionColumn::LineTotal as usize) || at.has(TransactionColumn::UnitPrice as usize)) {
            let [total, price] = [TransactionColumn::LineTotal, TransactionColumn::UnitPrice].map(|column| columns.name(column));
            let (names, help) = (names.join(", "), "name one with `columns.unit_price=NAME`");
            let what = format_args!("there is neither {total:?} nor {price:?}: lines without are worth 0.00");
            self.0.notes.say(Topic::NoWorth, format!("{}: {what}; the columns are: {names}; {help}", origin.name));
        }
        Ok(at)
    }

    /// Whether a column is read where it is there.
    fn reads(&self, column: TransactionColumn) -> bool {
        let Reading { options, unread, .. } = &*self.0;
        !(unread.contains(&column) || options.one_row_per_order && column == TransactionColumn::OrderId)
    }

    fn reads_margins(&self) -> bool {
        !self.0.unread.contains(&TransactionColumn::LineMargin)
    }

    fn are_ids_integers(&self) -> bool {
        self.0.options.reading.id_format == IdFormat::Integer
    }
}

/// The bytes of a text input as UTF-8.
pub(super) fn recode(reader: Box<dyn Read + Send>, encoding: Encoding) -> Box<dyn Read + Send> {
    match encoding {
        Encoding::Utf8 => reader,
        Encoding::Latin1 => Box::new(Latin1::new(reader)),
    }
}

impl RowKind for Transactions {
    type Batch = TransactionBatch;
    type Columns = ArrowRows<Self, 10>;

    fn notes(&self) -> Notes {
        self.0.notes.clone()
    }

    fn resolve(&self, schema: &Schema, origin: &Arc<Origin>) -> Result<ArrowRows<Self, 10>> {
        ArrowRows::resolve(self, schema, origin)
    }
}

impl TextRowKind<10> for Transactions {
    type Rows = TransactionRows;
    type Typed = LineColumns;
    const NOT_UTF8: &'static str =
        "if a spreadsheet wrote it, run with `encoding=latin1`; or convert the file to UTF-8 first, with iconv for example";

    const DECIMAL_IDS: Option<&'static str> = Some(INTEGER_IDS);

    fn wanted(&self) -> [Wanted<'_>; 10] {
        use TransactionColumn::{CustomerId, EventTs, OrderId, ProductId};
        let Reading { columns, options, .. } = &*self.0;
        TransactionColumn::ALL.map(|column| {
            let given = columns.0.contains_key(&column);
            let sought = column != OrderId || !options.one_row_per_order;
            let name = match column {
                EventTs if !given => EVENT_OR_ORDER_TS,
                _ => columns.name(column),
            };
            Wanted {
                column: column.name(),
                name: name.into(),
                required: (!column.is_optional() || given) && sought,
                read: self.reads(column),
                join: match column {
                    OrderId | CustomerId | ProductId => Join::Id,
                    EventTs => Join::Time,
                    _ => Join::Never,
                },
            }
        })
    }

    fn find(&self, names: &[&str], origin: &Origin) -> Result<Located<10>> {
        self.find_columns(names, true, origin)
    }

    fn find_keys(&self, keys: &[&str], origin: &Origin) -> Result<Located<10>> {
        let columns = &self.0.columns;
        let name = columns.name(TransactionColumn::CustomerId);
        let is_meant = columns.0.contains_key(&TransactionColumn::CustomerId) || nearest(name, keys, SURELY_ALIKE).is_some();
        let at = self.find_columns(keys, is_meant, origin)?;
        if !at.has(TransactionColumn::CustomerId as usize) {
            let (keys, help) = (keys.join(", "), "name it with `columns.customer_id=NAME`, if it is there");
            let what = format_args!("no key of the first lines is {name:?}");
            self.0.notes.say(Topic::NoCustomerKey, format!("{}: {what}; the keys are: {keys}; {help}", origin.name));
        }
        Ok(at)
    }

    fn day(&self, time: &str, out: &mut String) {
        self.0.dates.write_day(time, out);
    }

    fn accepts(&self, column: usize, data_type: &DataType) -> std::result::Result<(), Unfit> {
        let (column, integers) = (TransactionColumn::ALL[column], self.are_ids_integers());
        if arrow_lines::accepts(column, data_type, integers) {
            return Ok(());
        }
        let is_number = arrow_lines::is_id(column) && arrow_lines::accepts(column, data_type, true);
        Err(Unfit { wanted: arrow_lines::wanted(column), help: is_number.then_some(INTEGER_IDS) })
    }

    fn typed(&self, at: [Option<usize>; 10], origin: &Arc<Origin>) -> LineColumns {
        LineColumns { kind: self.clone(), origin: origin.clone(), at }
    }

    fn ids(&self) -> &'static [usize] {
        &const { [TransactionColumn::OrderId as usize, TransactionColumn::CustomerId as usize, TransactionColumn::ProductId as usize] }
    }

    fn takes_decimal_ids(&self) -> bool {
        self.are_ids_integers()
    }

    fn recode(&self, reader: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
        recode(reader, self.0.options.reading.encoding)
    }

    fn rows(&self, capacity: usize) -> TransactionRows {
        TransactionRows::new(self.clone(), capacity)
    }
}
