//! Orders and line items: the values of a line, and what the orders of customers come to in a month.

use super::amounts::{fixed, units};
use super::windows::calendar_window;
use crate::make::{Item, Row, items_begin};
use lensflow::model::Granularity;
use lensflow::model::Reason;
use lensflow::model::TransactionColumn as Column;
use lensflow::model::{AmountFrom, WorthColumn};
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
    /// Lines that have the customer, or the time, of others of their order.
    pub(crate) filled: (usize, usize),
    /// The place of the line that ends a run under the policy that fails.
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

/// The column that a line's worth is read from, and the worth in thousandths.
fn worth(item: &Item, amount: AmountFrom) -> (WorthColumn, i64) {
    match (item.total, item.price) {
        (Some(total), _) if amount != AmountFrom::Price => (WorthColumn::LineTotal, i64::from(total) * 10),
        (_, Some(price)) if !matches!(amount, AmountFrom::Total | AmountFrom::Order) => {
            (WorthColumn::UnitPrice, i64::from(item.quantity) * i64::from(price))
        }
        _ => (WorthColumn::Nothing, 0),
    }
}

/// Groups lines into orders, and orders into periods.
pub(crate) fn orders_of(items: &[Item], options: &OrderOptions, amount: AmountFrom) -> Grouped {
    let mut rejected = BTreeMap::new();
    let mut reject = |reason, lines| *rejected.entry(reason).or_insert(0) += lines;
    let (mut refunds, mut filled) = (0, (0, 0));
    let mut orders: BTreeMap<u8, Vec<&Item>> = BTreeMap::new();
    // Lines by themselves are all looked at before orders are.
    let (mut bad_line, mut bad_order) = (None, None::<usize>);
    let place = |item: &Item| items.iter().position(|other| std::ptr::eq(item, other));
    let is_refund = |item: &Item| item.quantity < 0 || worth(item, amount).1 < 0;
    for item in items {
        // Whether a line without a customer counts is known with its order.
        if item.customer.is_some() && is_refund(item) {
            match options.refunds {
                Refunds::Fail => {
                    reject(Reason::Refund, 1);
                    bad_line = bad_line.or(place(item));
                    continue;
                }
                Refunds::Drop => {
                    refunds += 1;
                    continue;
                }
                Refunds::Net => refunds += 1,
            }
        }
        orders.entry(item.order).or_default().push(item);
    }
    let (mut periods, mut anonymous_orders) = (BTreeMap::new(), 0);
    for lines in orders.into_values() {
        let named = lines.iter().any(|item| item.customer.is_some());
        let mut fault = |reason, lines: &[&Item], item: &Item| {
            bad_order = bad_order.into_iter().chain(place(item)).min();
            reject(reason, lines.len() as u64);
        };
        let mut counting = Vec::new();
        for item in lines {
            let is_nameless = item.customer.is_none();
            match options.anonymous {
                _ if named => {}
                Anonymous::Fail => {
                    fault(Reason::MissingValue, &[item], item);
                    continue;
                }
                Anonymous::Drop => continue,
                Anonymous::Report => {}
            }
            match options.refunds {
                _ if !(is_nameless && is_refund(item)) => {}
                Refunds::Fail => {
                    fault(Reason::Refund, &[item], item);
                    continue;
                }
                Refunds::Drop => {
                    refunds += 1;
                    continue;
                }
                Refunds::Net => refunds += 1,
            }
            counting.push(item);
        }
        // What lines are worth tells them apart, and whether they say it, but not what makes it up.
        let mut seen = BTreeSet::new();
        let key = |item: &Item| {
            let (column, worth) = worth(item, amount);
            let margin = i64::from(item.quantity) * i64::from(item.margin);
            (item.customer, item.hour, item.quantity, worth, column == WorthColumn::Nothing, margin, item.product)
        };
        let mut lines = Vec::new();
        for item in counting {
            let is_copy = !seen.insert(key(item));
            match options.duplicates {
                // Copies change nothing where a total counts once.
                _ if amount == AmountFrom::Order => lines.push(item),
                Duplicates::Drop if is_copy => {}
                Duplicates::Fail if is_copy && item.product.is_some() => fault(Reason::DuplicateLine, &[item], item),
                _ => lines.push(item),
            }
        }
        let Some(first) = lines.first().copied() else { continue };
        let customer = lines.iter().find_map(|item| item.customer);
        if let Some(other) = lines.iter().find(|item| item.customer.is_some() && item.customer != customer) {
            fault(Reason::OrderCustomerConflict, &lines, other);
            continue;
        }
        let of = |column| lines.iter().find(|item| worth(item, amount).0 == column).copied();
        if let (Some(_), Some(price)) = (of(WorthColumn::LineTotal), of(WorthColumn::UnitPrice)) {
            fault(Reason::OrderWorthConflict, &lines, price);
            continue;
        }
        // The totals of an order: of refunds, and of other lines. All but the first count nothing.
        let totals = [true, false].map(|refunds| {
            let of_kind = lines.iter().copied().filter(|item| is_refund(item) == refunds);
            of_kind.filter(|item| worth(item, amount).0 == WorthColumn::LineTotal).collect::<Vec<&Item>>()
        });
        let differs = |at: usize| totals[at].iter().copied().find(|item| worth(item, amount) != worth(totals[at][0], amount));
        if let (AmountFrom::Order, Some(other)) = (amount, differs(0).or_else(|| differs(1))) {
            fault(Reason::OrderWorthConflict, &lines, other);
            continue;
        }
        let counts = lines.iter().any(|item| !is_refund(item));
        let purchases = lines.iter().filter(|item| !is_refund(item)).filter_map(|item| item.hour).min();
        let Some(hour) = purchases.or(lines.iter().filter_map(|item| item.hour).min()) else {
            fault(Reason::MissingValue, &lines, first);
            continue;
        };
        filled.0 += lines.iter().filter(|item| customer.is_some() && item.customer.is_none()).count();
        filled.1 += lines.iter().filter(|item| item.hour.is_none()).count();
        let mills: i64 = match amount {
            AmountFrom::Order => totals.iter().filter_map(|said| said.first()).map(|item| worth(item, amount).1).sum(),
            _ => lines.iter().map(|item| worth(item, amount).1).sum(),
        };
        let cents = if mills >= 0 { (mills + 5) / 10 } else { (mills - 5) / 10 };
        match customer {
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
    Grouped { periods, rejected, refund_lines: refunds, anonymous_orders, filled, first_bad: bad_line.into_iter().chain(bad_order).min() }
}
