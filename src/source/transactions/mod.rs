//! Orders and line items as input: their columns, the options of reading them, and the batches they become. All formats are read, by the
//! readers that period aggregations have, too (`row_kind`); [`orders`](crate::orders) groups the lines.
//!
//! A line is worth what it says, or else what its parts say: `line_total`, else quantity × `unit_price`; `line_margin`, else quantity ×
//! `unit_margin`, else quantity × (`unit_price` − `unit_cost`). Row by row, a null is as good as no column.
//!
//! [`AmountFrom`] says which of them count.
//!
//! Invariant: as for periods, a batch is aligned with its input, and what cannot be read is listed in [`TransactionBatch::bad`].

mod arrow_lines;
mod line_rows;
mod second_header;

use super::arrow_rows::ArrowRows;
use super::files::{Files, Format};
use super::mapping::{Join, Located, Request, Wanted, nearest};
use super::row_kind::{RowKind, TextRowKind, Unfit};
use super::transactions::arrow_lines::LineColumns;
use super::transactions::line_rows::TransactionRows;
use super::values::{self, Values};
use crate::base::error::Result;
use crate::model::line_batch::{BadLine, TransactionBatch};
use crate::model::line_columns::{EVENT_OR_ORDER_TS, TransactionColumn, TransactionColumns};
use crate::model::note::{Notes, Topic};
use crate::model::period_batch::Origin;
use crate::model::read_options::{AmountUnit, IdFormat, ReadOptions};
use crate::model::worth::AmountFrom;
use crate::source::column_words::{is_in_cents, is_like_discount, is_like_quantity};
use arrow::datatypes::{DataType, Schema};
use chrono_tz::Tz;
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
    /// Each row is an order of its own. Order ids need not be there; those that come again are noted.
    pub one_row_per_order: bool,
    /// Ids that are no customers': shops write `0` or `Guest` for who has no account. Compared with ids as they are read.
    pub anonymous_ids: Vec<String>,
    /// Which columns say what lines are worth.
    pub amount: AmountFrom,
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

    /// Sets [`anonymous_ids`](TransactionOptions::anonymous_ids).
    #[must_use]
    pub fn with_anonymous_ids(mut self, ids: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.anonymous_ids = ids.into_iter().map(Into::into).collect();
        self
    }

    /// Sets [`amount`](TransactionOptions::amount).
    #[must_use]
    pub fn with_amount(mut self, amount: AmountFrom) -> Self {
        self.amount = amount;
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
        self.values(Tz::UTC).map(drop)
    }

    fn values(&self, zone: Tz) -> Result<Values> {
        Values::new(&self.reading, zone, &self.anonymous_ids)
    }

    /// Advice about a bad value, besides correcting it.
    pub fn help(&self, bad: &BadLine) -> Option<String> {
        self.help_beside(bad, &Notes::default())
    }

    /// As above; the notes say what was noticed of other values.
    pub(crate) fn help_beside(&self, bad: &BadLine, notes: &Notes) -> Option<String> {
        values::advice_about(bad.column.name(), bad.reason, &bad.value, &self.reading, notes)
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
        Self::find_as(named, format, Transactions::new(columns, options, Tz::UTC)?, batch_rows)
    }
}

/// Orders and line items.
#[derive(Clone)]
pub(crate) struct Transactions(Arc<Reading>);

/// The columns and the options, ready to read by.
struct Reading {
    columns: TransactionColumns,
    options: TransactionOptions,
    values: Values,
    /// Optional columns that are not needed.
    unread: &'static [TransactionColumn],
    notes: Notes,
}

impl Transactions {
    /// Orders and line items whose times have the calendar of a zone.
    ///
    /// # Errors
    /// When the options are not right.
    pub(crate) fn new(columns: TransactionColumns, options: &TransactionOptions, zone: Tz) -> Result<Self> {
        Self::but_for(columns, options, zone, &[])
    }

    /// Orders and line items without margins and products.
    ///
    /// # Errors
    /// When the options are not right.
    pub(crate) fn without_margins(columns: TransactionColumns, options: &TransactionOptions, zone: Tz) -> Result<Self> {
        use TransactionColumn::{LineMargin, ProductId, UnitCost, UnitMargin};
        Self::but_for(columns, options, zone, &[LineMargin, UnitMargin, UnitCost, ProductId])
    }

    fn but_for(columns: TransactionColumns, options: &TransactionOptions, zone: Tz, unread: &'static [TransactionColumn]) -> Result<Self> {
        let values = options.values(zone)?;
        let notes = Notes::default();
        notes.told(options.reading.told.as_ref());
        Ok(Transactions(Arc::new(Reading { columns, options: options.clone(), values, unread, notes })))
    }

    /// Where the columns lie; that of customers may be missing where `needs_customer` is false.
    fn find_columns(&self, names: &[&str], needs_customer: bool, origin: &Origin) -> Result<Located<10>> {
        use TransactionColumn::{CustomerId, LineTotal, Quantity, UnitPrice};
        let Reading { options, notes, .. } = &*self.0;
        let mut wanted = self.wanted();
        wanted[CustomerId as usize].required = needs_customer;
        let worth: &[usize] = match options.amount {
            AmountFrom::None => &[],
            AmountFrom::Price => &[UnitPrice as usize],
            AmountFrom::Total | AmountFrom::Order => &[LineTotal as usize],
            AmountFrom::Auto => &[LineTotal as usize, UnitPrice as usize],
        };
        let located = Request { wanted, nulls: self.0.values.nulls(), options: &options.reading, worth, notes }.locate(names, origin)?;
        let read = located.fields();
        if options.reading.told.is_none()
            && let Some(name) = (0..names.len()).filter(|at| !read.contains(at)).map(|at| names[at]).find(|name| is_like_discount(name))
        {
            let help = "if amounts are before it, make a column of what was paid, and name that";
            notes.say(Topic::UnreadDiscount, format!("{}: {name:?} is not read, and amounts count as they are: {help}", origin.name));
        }

        if options.reading.amount_unit == AmountUnit::Units
            && let Some(name) = worth.iter().filter_map(|&column| located.place(column)).map(|at| names[at]).find(|name| is_in_cents(name))
        {
            let what = format!("{name:?} is read as whole amounts; if it counts cents, as its name says, run with `amount_unit=cents`");
            notes.say(Topic::NamedCents, format!("{}: {what}", origin.name));
        }
        if !located.has(Quantity as usize) {
            let mut unread = (0..names.len()).filter(|at| !read.contains(at)).map(|at| names[at]);
            if let Some(name) = unread.find(|name| is_like_quantity(name)) {
                let what = format!("no quantity column: every line counts 1, and {name:?} is not read");
                notes.say(Topic::NoQuantity, format!("{}: {what}; if it is one, name it with `columns.quantity={name}`", origin.name));
            }
        }
        Ok(located)
    }

    /// Whether a column is read where it is there.
    fn reads(&self, column: TransactionColumn) -> bool {
        let Reading { options, unread, .. } = &*self.0;
        let says_worth = match column {
            TransactionColumn::LineTotal => !matches!(options.amount, AmountFrom::Price | AmountFrom::None),
            TransactionColumn::UnitPrice => options.amount != AmountFrom::None,
            _ => true,
        };
        says_worth && !unread.contains(&column)
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
    type Columns = ArrowRows<Self, 10>;

    fn notes(&self) -> Notes {
        self.0.notes.clone()
    }

    fn reading(&self) -> &ReadOptions {
        &self.0.options.reading
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
    const WATCHES: bool = true;

    fn wanted(&self) -> [Wanted<'_>; 10] {
        use TransactionColumn::{CustomerId, EventTs, OrderId, ProductId};
        let Reading { columns, options, .. } = &*self.0;
        TransactionColumn::ALL.map(|column| {
            let given = columns.0.contains_key(&column);
            let needed = given || options.amount.needs(column);
            let sought = column != OrderId || !options.one_row_per_order;
            let name = match column {
                EventTs if !given => EVENT_OR_ORDER_TS,
                _ => columns.name(column),
            };
            Wanted {
                column: column.name(),
                name: name.into(),
                required: (!column.is_optional() || needed) && (sought || given),
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
        self.0.values.date_formats().write_day(time, out);
    }

    fn accepts(&self, column: usize, data_type: &DataType) -> std::result::Result<(), Unfit> {
        let column = TransactionColumn::ALL[column];
        let is_only_noted = column == TransactionColumn::OrderId && self.0.options.one_row_per_order;
        let integers = self.are_ids_integers() || is_only_noted;
        let numbers = self.0.values.date_formats().read_numbers();
        if arrow_lines::accepts(column, data_type, integers, numbers) {
            return Ok(());
        }
        let is_number = arrow_lines::is_id(column) && arrow_lines::accepts(column, data_type, true, numbers);
        Err(Unfit { wanted: arrow_lines::wanted(column), help: is_number.then_some(INTEGER_IDS) })
    }

    fn typed(&self, at: [Option<usize>; 10], origin: &Arc<Origin>) -> LineColumns {
        LineColumns { kind: self.clone(), origin: origin.clone(), at }
    }

    fn has_decimal_comma(&self, column: usize) -> bool {
        TransactionColumn::NUMBERS.contains(&TransactionColumn::ALL[column]) && self.0.values.have_decimal_comma()
    }

    fn ids(&self) -> &'static [usize] {
        const IDS: [usize; 3] =
            [TransactionColumn::OrderId as usize, TransactionColumn::CustomerId as usize, TransactionColumn::ProductId as usize];
        // Orders that are rows of their own are told apart by no id: it may be of any type.
        if self.0.options.one_row_per_order { &IDS[1..] } else { &IDS }
    }

    fn takes_decimal_ids(&self) -> bool {
        self.are_ids_integers()
    }

    fn rows(&self, capacity: usize) -> TransactionRows {
        TransactionRows::new(self.clone(), capacity)
    }
}
