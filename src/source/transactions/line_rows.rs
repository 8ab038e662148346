//! Rows of text fields → [`TransactionBatch`], and what a line is worth, for Arrow columns too.

use super::{Transactions, second_header};
use crate::base::money::{Amount, AmountError};
use crate::model::line_batch::{BadLine, TransactionBatch};
use crate::model::line_columns::TransactionColumn;
use crate::model::note::Topic;
use crate::model::period_batch::{NO_TIMESTAMP, Origin, kept_value};
use crate::model::reject::Reason;
use crate::model::worth::{AmountFrom, WorthColumn, WorthColumns};
use crate::source::row_kind::FieldRows;
use crate::source::values::date_reader::Dates;
use crate::source::values::numbers::Numbers;
use arrow::array::StringViewBuilder;
use std::sync::Arc;

const ONE: Amount = Amount { cents: 100, fraction: 0 };

/// The numbers of a line, in the order of [`TransactionColumn::NUMBERS`].
pub(super) type LineNumbers = [Option<Amount>; 6];

/// The worth of lines.
#[derive(Default)]
pub(super) struct Worth {
    pub(super) spend: Vec<Amount>,
    pub(super) margin: Vec<Amount>,
    pub(super) quantity: Vec<Amount>,
    /// The columns that the worth was read from.
    pub(super) columns: WorthColumns,
    /// Which columns count.
    from: AmountFrom,
    /// Whether margins are wanted; else there are none.
    margins: bool,
}

impl Worth {
    pub(super) fn with_capacity(rows: usize, from: AmountFrom, margins: bool) -> Self {
        let column = Vec::with_capacity;
        let margin = column(if margins { rows } else { 0 });
        Worth { spend: column(rows), margin, quantity: column(rows), columns: WorthColumns::default(), from, margins }
    }

    /// The worth of lines whose columns have cents in every row; nothing where one line is worth too much.
    pub(super) fn of_cents(said: [Option<Vec<i64>>; 6], rows: usize, from: AmountFrom, margins: bool) -> Option<Self> {
        let [quantity, price, total, line_margin, unit_margin, cost] = said;
        let exact = |cents: &Vec<i64>| cents.iter().map(|&cents| Amount { cents, fraction: 0 }).collect::<Vec<_>>();
        let nothing = || vec![Amount::default(); rows];
        let times = |each: &Option<Vec<i64>>| match (&quantity, each) {
            (_, None) => Some(nothing()),
            (None, Some(each)) => Some(exact(each)),
            (Some(quantity), Some(each)) => {
                let (mut products, mut fit) = (Vec::with_capacity(rows), true);
                products.extend(quantity.iter().zip(each).map(|(&a, &b)| {
                    let product = Amount { cents: a, fraction: 0 }.times(Amount { cents: b, fraction: 0 });
                    fit &= product.is_ok();
                    product.unwrap_or_default()
                }));
                fit.then_some(products)
            }
        };
        let column = column(from, total.is_some(), price.is_some());
        let spend = match (column, &total) {
            (WorthColumn::LineTotal, Some(total)) => exact(total),
            (WorthColumn::UnitPrice, _) => times(&price)?,
            _ => nothing(),
        };
        let margin = match (&line_margin, &unit_margin, cost) {
            _ if !margins => Vec::new(),
            (Some(margin), ..) => exact(margin),
            (None, Some(_), _) => times(&unit_margin)?,
            (None, None, None) => times(&price)?,
            (None, None, Some(mut cost)) => {
                // Neither is near the end of 64 bits; their difference may be too large for an amount.
                let price = |row: usize| price.as_ref().map_or(0, |price| price[row]);
                cost.iter_mut().enumerate().for_each(|(row, cost)| *cost = price(row) - *cost);
                cost.iter().all(|&each| Amount::from_cents(each).is_ok()).then_some(())?;
                times(&Some(cost))?
            }
        };
        let quantity = quantity.as_ref().map_or_else(|| vec![ONE; rows], exact);
        Some(Worth { spend, margin, quantity, columns: WorthColumns::all(column), from, margins })
    }

    /// Takes the next line.
    #[inline]
    pub(super) fn push(&mut self, [quantity, price, total, line_margin, unit_margin, cost]: LineNumbers, bad: &mut Vec<BadLine>) {
        let column = column(self.from, total.is_some(), price.is_some());
        let (quantity, price) = (quantity.unwrap_or(ONE), price.unwrap_or_default());
        let spend = match column {
            WorthColumn::LineTotal => Ok(total.unwrap_or_default()),
            WorthColumn::UnitPrice => quantity.times(price),
            WorthColumn::Nothing => Ok(Amount::default()),
        };
        let margin = match (line_margin, unit_margin, cost) {
            _ if !self.margins => Ok(Amount::default()),
            (Some(margin), ..) => Ok(margin),
            (None, Some(each), _) => quantity.times(each),
            (None, None, Some(cost)) => price.minus(cost).and_then(|each| quantity.times(each)),
            (None, None, None) if column == WorthColumn::UnitPrice => spend,
            (None, None, None) => quantity.times(price),
        };
        let [spend, margin] = [spend, margin].map(Result::ok);
        // Each value can be read, and what they make together is too large.
        let mut too_large =
            |column, value| bad.push(BadLine { row: self.spend.len() as u32, column, reason: Reason::AmountOutOfRange, value });
        match (spend, margin, unit_margin, cost) {
            (Some(_), Some(_), ..) => {}
            (None, ..) => too_large(TransactionColumn::UnitPrice, format!("{quantity} x {price}")),
            (_, None, Some(each), _) => too_large(TransactionColumn::UnitMargin, format!("{quantity} x {each}")),
            (_, None, None, cost) => {
                too_large(TransactionColumn::UnitCost, format!("{quantity} x ({price} - {})", cost.unwrap_or_default()))
            }
        }
        self.columns.push(self.spend.len(), column);
        self.spend.push(spend.unwrap_or_default());
        if self.margins {
            self.margin.push(margin.unwrap_or_default());
        }
        self.quantity.push(quantity);
    }
}

/// The column that a line's worth is read from, where it has those.
const fn column(from: AmountFrom, has_total: bool, has_price: bool) -> WorthColumn {
    match from {
        AmountFrom::Auto | AmountFrom::Total | AmountFrom::Order if has_total => WorthColumn::LineTotal,
        AmountFrom::Auto | AmountFrom::Price if has_price => WorthColumn::UnitPrice,
        _ => WorthColumn::Nothing,
    }
}

/// Why a number cannot be taken.
pub(super) const fn reason(error: AmountError) -> Reason {
    match error {
        AmountError::NotANumber => Reason::BadNumber,
        AmountError::OutOfRange => Reason::AmountOutOfRange,
    }
}

/// Collects rows into a batch.
pub(crate) struct TransactionRows {
    kind: Transactions,
    /// Whether ids and texts are taken as they are.
    keep_texts: bool,
    orders: StringViewBuilder,
    customers: StringViewBuilder,
    products: StringViewBuilder,
    has_products: bool,
    times: Vec<i64>,
    worth: Worth,
    bad: Vec<BadLine>,
    skipped: Vec<u32>,
    dates: Dates,
    numbers: Numbers,
}

impl TransactionRows {
    /// Room for a number of rows.
    pub(super) fn new(kind: Transactions, rows: usize) -> Self {
        let ids = || StringViewBuilder::with_capacity(rows);
        TransactionRows {
            keep_texts: kind.0.values.keep_texts(),
            orders: ids(),
            customers: ids(),
            products: StringViewBuilder::new(),
            has_products: false,
            times: Vec::with_capacity(rows),
            worth: Worth::with_capacity(rows, kind.0.options.amount, kind.reads_margins()),
            bad: Vec::new(),
            dates: kind.0.values.dates(),
            numbers: kind.0.values.numbers(),
            skipped: Vec::new(),
            kind,
        }
    }

    /// The bad values so far.
    pub(super) fn bad(&self) -> &[BadLine] {
        &self.bad
    }

    /// Takes a row. A field that is not there is an empty text.
    #[inline(always)]
    fn push_texts(&mut self, fields: [&str; 10]) {
        if self.keep_texts { self.push_values(fields, true) } else { self.push_read(fields) }
    }

    #[cold]
    fn push_read(&mut self, fields: [&str; 10]) {
        let values = self.kind.0.values.clone();
        self.push_values(fields.map(|text| values.or_empty(text)), false);
    }

    #[inline(always)]
    fn push_values(&mut self, [order, customer, time, numbers @ .., product]: [&str; 10], kept: bool) {
        let order = if kept { order } else { self.kind.0.values.any_id(order) };
        if order.is_empty() && !self.kind.0.options.one_row_per_order {
            self.fault(TransactionColumn::OrderId, Reason::MissingValue, "");
        }
        self.orders.append_option(Some(order).filter(|id| !id.is_empty()));
        if customer.is_empty() {
            self.customers.append_null();
        } else if kept {
            self.customers.append_value(customer);
        } else {
            self.push_customer(customer);
        }
        if self.has_products || !product.is_empty() {
            self.push_product(if kept { product } else { self.kind.0.values.any_id(product) });
        }
        let time = self.dates.read(time.as_bytes()).unwrap_or_else(|| self.bad_time(time));
        let mut said: LineNumbers = [None; 6];
        for ((said, text), column) in said.iter_mut().zip(numbers).zip(TransactionColumn::NUMBERS) {
            if text.is_empty() {
                continue;
            }
            let read = match column {
                TransactionColumn::Quantity => self.numbers.quantity(text.as_bytes()),
                _ => self.numbers.amount(text.as_bytes()),
            };
            match read {
                Ok(amount) => *said = Some(amount),
                Err(e) => self.fault(column, reason(e), text),
            }
        }
        self.worth.push(said, &mut self.bad);
        self.times.push(time);
    }

    /// A product or a null for each row; none where there are no products.
    fn push_product(&mut self, product: &str) {
        if !self.has_products {
            self.has_products = true;
            self.times.iter().for_each(|_| self.products.append_null());
        }
        self.products.append_option(Some(product).filter(|id| !id.is_empty()));
    }

    /// The id of a customer that the options change.
    fn push_customer(&mut self, id: &str) {
        let values = self.kind.0.values.clone();
        match values.customer_id(id) {
            Some(read) => self.customers.append_option(Some(read).filter(|id| !id.is_empty())),
            None => {
                self.fault(TransactionColumn::CustomerId, Reason::BadNumber, id);
                self.customers.append_value(id);
            }
        }
    }

    #[cold]
    fn fault(&mut self, column: TransactionColumn, reason: Reason, value: &str) {
        self.bad.push(BadLine { row: self.times.len() as u32, column, reason, value: kept_value(value) });
    }

    #[cold]
    fn bad_time(&mut self, text: &str) -> i64 {
        match text.is_empty() {
            true if self.kind.0.options.one_row_per_order => self.fault(TransactionColumn::EventTs, Reason::MissingValue, text),
            // Another line of the order may have it.
            true => {}
            false => self.fault(TransactionColumn::EventTs, Reason::BadTimestamp, text),
        }
        NO_TIMESTAMP
    }
}

impl FieldRows<10> for TransactionRows {
    type Batch = TransactionBatch;

    fn len(&self) -> usize {
        self.times.len()
    }

    fn push(&mut self, fields: [Option<&str>; 10]) {
        self.push_texts(fields.map(Option::unwrap_or_default));
    }

    #[inline]
    fn push_plain(&mut self, text: &str, bounds: [(usize, usize); 10]) {
        self.push_texts(bounds.map(|(begin, end)| &text[begin..end]));
    }

    #[cold]
    fn push_ragged(&mut self, fields: String) {
        let (row, before) = (self.times.len() as u32, self.bad.len());
        self.push([None; 10]);
        self.bad.truncate(before);
        self.bad.push(BadLine { row, column: TransactionColumn::OrderId, reason: Reason::RaggedRow, value: fields });
    }

    fn skip(&mut self) {
        self.skipped.push(self.times.len() as u32);
        self.orders.append_null();
        self.customers.append_null();
        if self.has_products {
            self.products.append_null();
        }
        self.worth.push([None; 6], &mut self.bad);
        self.times.push(NO_TIMESTAMP);
    }

    fn take(&mut self, origin: &Arc<Origin>, first_row: u64, first_line: Option<u64>) -> TransactionBatch {
        self.dates.note(&self.times, &self.kind.0.notes);
        self.numbers.note(&self.kind.0.notes);
        let empty = TransactionRows::new(self.kind.clone(), 0);
        let mut rows = std::mem::replace(self, empty);
        rows.bad.sort_unstable();
        let (orders, customers) = (rows.orders.finish(), rows.customers.finish());
        if !rows.bad.is_empty() {
            for row in second_header::rows(&rows, &self.kind.0.columns, &orders, &customers) {
                self.kind.0.notes.count(Topic::OtherHeader, "", (&origin.name, first_row + u64::from(row)));
            }
        }
        TransactionBatch {
            origin: origin.clone(),
            first_row,
            first_line,
            orders,
            customers,
            times: rows.times.into(),
            spend: rows.worth.spend,
            worth: rows.worth.columns,
            margin: rows.worth.margin,
            quantity: rows.worth.quantity,
            products: rows.has_products.then(|| rows.products.finish()),
            skipped: rows.skipped,
            bad: rows.bad,
        }
    }
}
