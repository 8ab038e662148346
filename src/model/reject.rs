//! Why rows and customers are left out, and what is kept of them.
//!
//! A bad row is found while decoding (a value that cannot be read) or while routing (a value that makes no sense); a customer that is
//! not valid in a window is found while finishing. All three end as a [`Reject`]; the policy [`OnBadRow`] decides whether the first
//! one ends the run. Where rejects are kept, a [`Sorter`](crate::spill::Sorter) keeps them, as records that sort as they do.

use super::columns::Column;
use super::window::Window;
use crate::base::bytes::sort_key::{put_text, take_bytes, take_text};
use crate::base::error::Error;
use crate::base::merge::Merge;
use crate::base::money::Money;
use crate::base::time::format_timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Why a row, or a customer in a window, is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// A required value is null or empty.
    MissingValue,
    /// A number that cannot be read, is not whole where it must be, or is NaN or infinite.
    BadNumber,
    /// A timestamp that cannot be read or lies outside the years 1 to 9999.
    BadTimestamp,
    /// `period_end` is not after `period_start`.
    PeriodReversed,
    /// `total_orders` is below 0.
    NegativeOrders,
    /// An amount of 10¹⁵ or more; of a customer, a window's total of 10¹⁶ or more, or more orders than 64 bits hold.
    AmountOutOfRange,
    /// The period contains the start or the end of a window.
    StraddlesWindow,
    /// Something happened after the window's observation end.
    AfterObservationEnd,
    /// A customer without an order in the window.
    NoOrders,
    /// A customer who got back more than was spent in the window.
    NegativeSpend,
    /// A line with a negative quantity or worth.
    Refund,
    /// A line that is the same as another in every column.
    DuplicateLine,
    /// A line of an order that names two customers.
    OrderCustomerConflict,
    /// A row of a CSV that has not as many fields as the header.
    RaggedRow,
    /// A line of an order of which some say a `line_total` and others only a `unit_price`.
    OrderWorthConflict,
    /// An order whose id the state has, with another customer, moment or worth.
    ChangedOrder,
}

impl Reason {
    /// All of them, in order.
    const ALL: [Reason; 16] = [
        Reason::MissingValue,
        Reason::BadNumber,
        Reason::BadTimestamp,
        Reason::PeriodReversed,
        Reason::NegativeOrders,
        Reason::AmountOutOfRange,
        Reason::StraddlesWindow,
        Reason::AfterObservationEnd,
        Reason::NoOrders,
        Reason::NegativeSpend,
        Reason::Refund,
        Reason::DuplicateLine,
        Reason::OrderCustomerConflict,
        Reason::RaggedRow,
        Reason::OrderWorthConflict,
        Reason::ChangedOrder,
    ];

    /// The name in reports and rejects files.
    pub const fn name(self) -> &'static str {
        match self {
            Reason::MissingValue => "missing_value",
            Reason::BadNumber => "bad_number",
            Reason::BadTimestamp => "bad_timestamp",
            Reason::PeriodReversed => "period_reversed",
            Reason::NegativeOrders => "negative_orders",
            Reason::AmountOutOfRange => "amount_out_of_range",
            Reason::StraddlesWindow => "straddles_window",
            Reason::AfterObservationEnd => "after_observation_end",
            Reason::NoOrders => "no_orders",
            Reason::NegativeSpend => "negative_spend",
            Reason::Refund => "refund",
            Reason::DuplicateLine => "duplicate_line",
            Reason::OrderCustomerConflict => "order_customer_conflict",
            Reason::RaggedRow => "ragged_row",
            Reason::OrderWorthConflict => "order_worth_conflict",
            Reason::ChangedOrder => "changed_order",
        }
    }

    /// In words; `at` is the time that the value is at odds with.
    fn sentence(self, at: Option<&str>) -> String {
        let at = at.unwrap_or("that");
        match self {
            Reason::MissingValue => "a required value is missing".to_owned(),
            Reason::BadNumber => "this is not a number that fits the column".to_owned(),
            Reason::BadTimestamp => "this is not a timestamp or date (ISO 8601, years 1 to 9999)".to_owned(),
            Reason::PeriodReversed => format!("the period starts at {at} and does not end after it"),
            Reason::NegativeOrders => "there cannot be fewer than no orders".to_owned(),
            Reason::AmountOutOfRange => "the number is too large".to_owned(),
            Reason::StraddlesWindow => format!("the period starts before {at}, where a window starts or ends, and ends after it"),
            Reason::AfterObservationEnd => format!("the window is observed from {at}, and this lies after it"),
            Reason::NoOrders => "the customer has no orders in the window".to_owned(),
            Reason::NegativeSpend => "the customer got back more than was spent in the window".to_owned(),
            Reason::Refund => "the line gives money back".to_owned(),
            Reason::DuplicateLine => "another line of the order is the same".to_owned(),
            Reason::OrderCustomerConflict => "other lines of its order name another customer".to_owned(),
            Reason::ChangedOrder => "an order with this id came before, with another customer, moment or worth".to_owned(),
            Reason::RaggedRow => "the row has not as many fields as the header".to_owned(),
            Reason::OrderWorthConflict => format!("which of the two counts? {at}"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Customers who are left out of a window for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct LeftOutSum {
    pub(crate) customers: u64,
    /// What they spent in the window, rounded to cents for each.
    pub(crate) amount: Money,
}

impl Merge for LeftOutSum {
    fn merge(&mut self, other: LeftOutSum) {
        self.customers += other.customers;
        self.amount += other.amount;
    }
}

/// The customers who are left out, by the place of the window, then by reason.
pub(crate) type LeftOut = BTreeMap<u32, BTreeMap<Reason, LeftOutSum>>;

/// The policy about bad rows and invalid customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnBadRow {
    /// End the run with an error that names it.
    #[default]
    Fail,
    /// Leave it out, keep it with its reason, and count it.
    Reject,
}

impl OnBadRow {
    /// Its name in options and specs.
    pub const fn name(self) -> &'static str {
        match self {
            OnBadRow::Fail => "fail",
            OnBadRow::Reject => "reject",
        }
    }
}

/// A bad row, or a customer left out of a window: what, where, why. Rows sort by input and row, customers after them by window and id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Reject {
    /// Customers come after rows.
    pub window: Option<String>,
    /// The input's name; empty for a customer.
    pub source: String,
    /// The row in the input, counted from 1 without a header; 0 for a customer.
    pub row: u64,
    /// The line in a text input, where rows and lines keep step.
    pub line: Option<u64>,
    /// The customer, where the row says one.
    pub customer_id: String,
    /// Why.
    pub reason: Reason,
    /// The column at fault.
    pub column: String,
    /// The value at fault, as it was read, or what its order comes to.
    pub value: String,
    /// The row's fields, in the order of [`Column::ALL`] or, for lines of orders, of [`LINE_FIELDS`]; empty for customers.
    pub fields: Vec<String>,
    /// The time that the value is at odds with, where there is one: a window's boundary, an observation end, the period's start.
    pub at: Option<String>,
}

/// The fields of a line of an order that are kept when it is left out.
pub const LINE_FIELDS: [&str; 4] = ["order_id", "customer_id", "event_ts", "line_total"];

impl Reject {
    /// A customer who is not valid in a window.
    pub(crate) fn customer(window: &Window, customer_id: String, reason: Reason, column: Column, value: String) -> Self {
        let at = (reason == Reason::AfterObservationEnd).then(|| shown_timestamp(window.observation_end));
        let (window, column) = (Some(window.name.clone()), column.name().to_owned());
        Reject { window, source: String::new(), row: 0, line: None, customer_id, reason, column, value, fields: Vec::new(), at }
    }

    /// Appends it as a record: field by field, so that records are in the order of their rejects.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let Reject { window, source, row, line, customer_id, reason, column, value, fields, at } = self;
        put_texts(window, out);
        put_text(source.as_bytes(), out);
        out.extend_from_slice(&row.to_be_bytes());
        out.push(line.is_some().into());
        line.iter().for_each(|line| out.extend_from_slice(&line.to_be_bytes()));
        put_text(customer_id.as_bytes(), out);
        out.push(*reason as u8);
        put_text(column.as_bytes(), out);
        put_text(value.as_bytes(), out);
        put_texts(fields, out);
        put_texts(at, out);
    }

    /// Reads a record back; `None` when it is not a reject's.
    pub(crate) fn read(mut record: &[u8]) -> Option<Self> {
        let bytes = &mut record;
        Some(Reject {
            window: take_texts(bytes)?.pop(),
            source: take_string(bytes)?,
            row: u64::from_be_bytes(take_bytes(bytes)?),
            line: match take_bytes(bytes)? {
                [0] => None,
                _ => Some(u64::from_be_bytes(take_bytes(bytes)?)),
            },
            customer_id: take_string(bytes)?,
            reason: *Reason::ALL.get(usize::from(take_bytes::<1>(bytes)?[0]))?,
            column: take_string(bytes)?,
            value: take_string(bytes)?,
            fields: take_texts(bytes)?,
            at: take_texts(bytes)?.pop(),
        })
    }

    /// The error that ends a run under [`OnBadRow::Fail`].
    pub(crate) fn into_error(self) -> Error {
        let Reject { window, source, row, line, customer_id, reason, column, value, fields, at } = self;
        let mut what = String::new();
        if !customer_id.is_empty() {
            what += &format!("customer {}", shortened(&customer_id));
            what += &window.as_ref().map_or(": ".to_owned(), |window| format!(" in window {window}: "));
        } else if fields.len() == LINE_FIELDS.len() && !fields[0].is_empty() {
            what += &format!("order {}: ", shortened(&fields[0]));
        }
        let value = if value.is_empty() { "empty".to_owned() } else { shortened(&value) };
        let column = if reason == Reason::StraddlesWindow { "period_start..period_end" } else { &column };
        what += &match reason {
            Reason::RaggedRow => format!("{reason}: the row {}", value.trim_matches('"')),
            _ => format!("{reason}: {column} is {value}: {}", reason.sentence(at.as_deref())),
        };
        let mut error = Error::data(what);
        if !customer_id.is_empty() {
            error = error.customer(customer_id);
        }
        if window.is_some() { error } else { error.input(source).row(row).line(line) }
    }
}

/// Any number of texts: each after a one, and a zero at the end.
fn put_texts<'a>(texts: impl IntoIterator<Item = &'a String>, out: &mut Vec<u8>) {
    for text in texts {
        out.push(1);
        put_text(text.as_bytes(), out);
    }
    out.push(0);
}

fn take_texts(bytes: &mut &[u8]) -> Option<Vec<String>> {
    let mut texts = Vec::new();
    while take_bytes(bytes)? != [0] {
        texts.push(take_string(bytes)?);
    }
    Some(texts)
}

fn take_string(bytes: &mut &[u8]) -> Option<String> {
    String::from_utf8(take_text(bytes)?.into_owned()).ok()
}

/// Advice about a bad row.
pub(crate) const REJECT_HELP: &str = "correct it, or run with `on_bad_row=reject` to leave such rows out and count them";

/// A value in quotes, cut where a message would get lost in it.
fn shortened(value: &str) -> String {
    const ENOUGH: usize = 100;
    match value.char_indices().nth(ENOUGH) {
        Some((end, _)) => format!("{:?}… ({} bytes)", &value[..end], value.len()),
        None => format!("{value:?}"),
    }
}

/// How a timestamp at fault is shown.
pub(crate) fn shown_timestamp(timestamp: i64) -> String {
    if timestamp == i64::MIN { String::new() } else { format_timestamp(timestamp) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text() -> impl Strategy<Value = String> {
        prop_oneof!["[ab\0\u{1}]{0,3}", "[é客\u{10ffff}]{0,2}"]
    }

    fn reject() -> impl Strategy<Value = Reject> {
        let number = || prop_oneof![0..3u64, any::<u64>()];
        let place = (prop::option::of(text()), text(), number(), prop::option::of(number()), text());
        let why =
            (prop::sample::select(Reason::ALL.to_vec()), text(), text(), prop::collection::vec(text(), 0..3), prop::option::of(text()));
        (place, why).prop_map(|((window, source, row, line, customer_id), (reason, column, value, fields, at))| Reject {
            window,
            source,
            row,
            line,
            customer_id,
            reason,
            column,
            value,
            fields,
            at,
        })
    }

    fn record(reject: &Reject) -> Vec<u8> {
        let mut out = Vec::new();
        reject.write(&mut out);
        out
    }

    proptest! {
        #[test]
        fn records_sort_and_come_back(a in reject(), b in reject()) {
            prop_assert_eq!(record(&a).cmp(&record(&b)), a.cmp(&b));
            prop_assert_eq!(Reject::read(&record(&a)), Some(a));
        }

        /// Rejects that differ in one field only.
        #[test]
        fn every_field_counts(a in reject(), b in reject(), field in 0..10usize) {
            let mut c = a.clone();
            match field {
                0 => c.window = b.window,
                1 => c.source = b.source,
                2 => c.row = b.row,
                3 => c.line = b.line,
                4 => c.customer_id = b.customer_id,
                5 => c.reason = b.reason,
                6 => c.column = b.column,
                7 => c.value = b.value,
                8 => c.fields = b.fields,
                _ => c.at = b.at,
            }
            prop_assert_eq!(record(&a).cmp(&record(&c)), a.cmp(&c));
        }

        #[test]
        fn foreign_bytes_are_an_answer(reject in reject(), at in any::<prop::sample::Index>(), to in any::<u8>()) {
            let mut record = record(&reject);
            let at = at.index(record.len());
            let _ = Reject::read(&record[..at]);
            record[at] = to;
            let _ = Reject::read(&record);
        }
    }

    #[test]
    fn reasons_are_in_order() {
        assert!(Reason::ALL.iter().zip(0..).all(|(&reason, at)| reason as usize == at));
    }
}
