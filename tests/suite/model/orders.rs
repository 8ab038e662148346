//! Orders and line items: the values of a line, and what the orders of customers come to in a month.

use super::amounts::{fixed, units};
use super::windows::calendar_window;
use crate::make::{Item, Row, items_begin};
use lensflow::model::Granularity;
use lensflow::model::Reason;
use lensflow::model::TransactionColumn as Column;
use lensflow::money::Amount;
use lensflow::orders::{Anonymous, Duplicates, OrderOptions, Refunds};
use std::collections::{BTreeMap, BTreeSet};

/// A line as it was decoded, or has to be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    pub(crate) order: Option<String>,
    pub(crate) customer: Option<String>,
    pub(crate) time: i64,
    pub(crate) spend: Amount,
    pub(crate) margin: Amount,
    pub(crate) quantity: Amount,
    pub(crate) product: Option<String>,
}

/// The line that a row of texts is.
pub(crate) fn line_of(header: &[String], row: &[String]) -> Line {
    let text = |column: Column| header.iter().position(|n| n == column.name()).map(|at| row[at].clone()).filter(|t| !t.is_empty());
    let number = |column: Column| text(column).map(|text| units(&text).unwrap() / 10i128.pow(13));
    let whole = |units: i128| units * 100_000;
    let (quantity, price) = (number(Column::Quantity).unwrap_or(100_000), number(Column::UnitPrice).unwrap_or(0));
    let each = number(Column::UnitMargin).unwrap_or(price - number(Column::UnitCost).unwrap_or(0));
    let of = |units: i128| Amount::from_decimal(units, 10).unwrap();
    Line {
        order: text(Column::OrderId),
        customer: text(Column::CustomerId),
        time: chrono::NaiveDateTime::parse_from_str(&text(Column::EventTs).unwrap(), "%Y-%m-%dT%H:%M:%S")
            .unwrap()
            .and_utc()
            .timestamp_micros(),
        spend: of(number(Column::LineTotal).map_or(quantity * price, whole)),
        margin: of(number(Column::LineMargin).map_or(quantity * each, whole)),
        quantity: of(whole(quantity)),
        product: text(Column::ProductId),
    }
}

/// What orders come to.
pub(crate) struct Grouped {
    /// A row for each customer and month.
    pub(crate) periods: Vec<Row>,
    /// Lines left out.
    pub(crate) rejected: BTreeMap<Reason, u64>,
    pub(crate) refund_lines: u64,
    pub(crate) anonymous_orders: u64,
    /// The place of the first bad line.
    pub(crate) first_bad: Option<usize>,
}

/// What a customer did in a month.
#[derive(Default)]
struct Period {
    end: i64,
    orders: i64,
    cents: i128,
    /// Of orders that count.
    last: Option<i64>,
}

/// Groups lines into orders, and orders into periods.
pub(crate) fn orders_of(items: &[Item], options: &OrderOptions) -> Grouped {
    let mut rejected = BTreeMap::new();
    let mut reject = |reason, lines| *rejected.entry(reason).or_insert(0) += lines;
    let mut refunds = 0;
    let mut orders: BTreeMap<u8, Vec<&Item>> = BTreeMap::new();
    let (mut bad_line, mut bad_order) = (None, None);
    let place = |item: &Item| items.iter().position(|other| std::ptr::eq(item, other));
    for item in items {
        let refund = item.quantity < 0;
        match (item.customer, options.anonymous) {
            (None, Anonymous::Fail) => {
                reject(Reason::MissingValue, 1);
                bad_line = bad_line.or(place(item));
                continue;
            }
            (None, Anonymous::Drop) => continue,
            _ => {}
        }
        match options.refunds {
            Refunds::Fail if refund => {
                reject(Reason::Refund, 1);
                bad_line = bad_line.or(place(item));
                continue;
            }
            Refunds::Drop if refund => {
                refunds += 1;
                continue;
            }
            _ => refunds += u64::from(refund),
        }
        orders.entry(item.order).or_default().push(item);
    }
    let (mut periods, mut anonymous_orders) = (BTreeMap::new(), 0);
    for lines in orders.into_values() {
        let mut seen = BTreeSet::new();
        // What lines are worth tells them apart, and not what makes it up.
        let worth = |item: &Item, each: i64| i64::from(item.quantity) * each;
        let key = |item: &Item| {
            (item.customer, item.hour, item.quantity, worth(item, item.price.into()), worth(item, item.margin.into()), item.product)
        };
        let lines: Vec<&Item> = match options.duplicates {
            Duplicates::Keep => lines,
            _ => lines
                .into_iter()
                .filter(|item| {
                    seen.insert(key(item)) || {
                        if options.duplicates == Duplicates::Fail {
                            reject(Reason::DuplicateLine, 1);
                            bad_order = bad_order.into_iter().chain(place(item)).min();
                        }
                        false
                    }
                })
                .collect(),
        };
        if let Some(other) = lines.iter().find(|item| item.customer != lines[0].customer) {
            bad_order = bad_order.into_iter().chain(place(other)).min();
            reject(Reason::OrderCustomerConflict, lines.len() as u64);
            continue;
        }
        let counts = lines.iter().any(|item| item.quantity >= 0);
        let hour = lines.iter().filter(|item| !counts || item.quantity >= 0).map(|item| item.hour).min().unwrap();
        let mills: i64 = lines.iter().map(|item| i64::from(item.quantity) * i64::from(item.price)).sum();
        let cents = if mills >= 0 { (mills + 5) / 10 } else { (mills - 5) / 10 };
        match lines[0].customer {
            None => anonymous_orders += u64::from(counts),
            Some(customer) => {
                let at = items_begin() + (i64::from(hour) * 60 + 30) * 60_000_000;
                let window = calendar_window(Granularity::Month, at);
                let period: &mut Period = periods.entry((customer, window.start)).or_default();
                period.end = window.end;
                period.cents += i128::from(cents);
                if counts {
                    period.orders += 1;
                    period.last = period.last.max(Some(at));
                }
            }
        }
    }
    let row = |((customer, start), period): ((u8, i64), Period)| Row {
        id: Some(format!("c{customer}")),
        start: Some(start),
        end: Some(period.end),
        orders: Some(period.orders),
        spend: Some(fixed(period.cents)),
        last: period.last,
    };
    let periods = periods.into_iter().map(row).collect();
    Grouped { periods, rejected, refund_lines: refunds, anonymous_orders, first_bad: bad_line.into_iter().chain(bad_order).min() }
}
