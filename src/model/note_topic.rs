//! What can be noted, and the sentence of each note.

use super::note::{Noted, OF};
use super::value_notes::{self, DAY_ORDERS};
use crate::base::money::Fixed2;
use crate::base::text::{counted, money};
use crate::base::time::{MIN_TIMESTAMP, format_timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// So many ends may look inclusive by chance.
const ENDS_BY_CHANCE: u64 = 2;

/// Orders of equal lines are told where they are so many times as many as other orders of several lines.
const MOSTLY: u64 = 9;

/// Advice about orders that reach over many days.
const LONG_HELP: &str =
    "are order numbers used again? Then join the columns that tell orders apart, as in `columns.order_id=store+receipt_no`";

/// What was noticed. The order is the one in which notes are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Topic {
    /// What an input's columns told about its rows; the subject is a sentence.
    Recognized,
    /// An input is not plain UTF-8 text with the header in its first line, and was read all the same; the subject says how.
    ReadAs,
    /// Inputs among several without a byte; the subject is the input.
    EmptyInput,
    /// Files in a folder that are no inputs by their names; the subject names the folder and some of them.
    PassedOver,
    /// An input of lines has no quantity, and a column that looks like one; the subject is both.
    NoQuantity,
    /// An input has a column of discounts that nothing reads; the subject is a sentence.
    UnreadDiscount,
    /// A column of amounts is called as if it counted cents, and is read as whole amounts; the subject is a sentence.
    NamedCents,
    /// Lines have no product, and a column that looks like one, the subject; only told where equal lines are.
    NoProduct,
    /// No key of the first lines is the customer's; the subject is the input and its keys.
    NoCustomerKey,
    /// Lines that have the customer of their order's other lines.
    FilledCustomers,
    /// Lines that have the time of their order's other lines.
    FilledTimes,
    /// Lines that say nothing of their worth.
    LinesWithoutWorth,
    /// Orders of which no line says its worth.
    OrdersWithoutWorth,
    /// Lines that are equal to another of their order, and have no product to tell them apart.
    EqualLines,
    /// Such lines that were left out.
    EqualLinesDropped,
    /// Orders of several lines whose `line_total` is the same on each; the amount is what all but one of these lines come to.
    EqualTotals,
    /// Other orders of several lines; only told where there are few.
    OtherTotals,
    /// Lines that are equal to another of their order that an input before has.
    CopiesBetween,
    /// Lines that are equal to another of their order in the same input; only told beside the former.
    CopiesWithin,
    /// Orders with lines in several inputs.
    ScatteredOrders,
    /// Ids of orders that come more than once though each row is an order, so many; the greatest count is that of the rows too many. The
    /// subject is the part of the ids that was looked at, if not all.
    RepeatedOrderIds,
    /// Orders that a state has already, by their ids, and that were left out; the amount is what they are worth.
    KnownOrders,
    /// Orders in periods that a state has dropped, so many, worth so much; the subject is before when.
    DroppedPeriods,
    /// Orders that reach over many days.
    LongOrders,
    /// Refunds that count in another period than the one they lie in; the subject is the kind of period.
    MovedRefunds,
    /// A column was taken whose name differs by case, blanks, underscores or hyphens; the subject says which, for what.
    NameAlike,
    /// Periods that end as if their ends were inclusive, so many; the greatest end, counted from the first timestamp.
    InclusiveEnds,
    /// A period does not; only told where all others do.
    ExclusiveEnds,
    /// Times without an offset were read as UTC, and are shown in a time zone, which is the subject.
    NaiveTimes,
    /// Times of a zone, the subject, in an hour that it leaves out.
    SkippedTimes,
    /// Times of a zone, the subject, in an hour that comes twice.
    TimesTwice,
    /// Times with an offset from UTC, where no time zone is said.
    Offsets,
    /// Times before 1980 or after 2099.
    OddYears,
    /// Dates of which either of two numbers can be the day, read by a format that an input's columns told; the subject is that format. Only
    /// worth a word where no date proves the order.
    EitherDay,
    /// An order of day, month and year that some date cannot have, the subject. Never said.
    DayOrder,
    /// Amounts that are text with a mark and three decimals, where no amount has other decimals; the subject is the format of numbers, if it is
    /// not the plain one.
    ThreeDecimals,
    /// Quantities with a mark of thousands and three zeros; the subject is the format of numbers.
    RoundThousands,
    /// A kind of numbers and, after a unit separator, a format that does not read all of them. Never said: for advice.
    UnreadNumbers,
    /// Amounts with decimals that can be nothing else; only told where others are not.
    OtherDecimals,
    /// Amounts with the sign or code of a currency, the subject; only worth a word where there are several.
    CurrencySign,
    /// Orders with fractions of a cent; the amount is what rounding adds.
    CentFractions,
    /// The orders of a customer whose id is a word for no value, the subject.
    NullIds,
    /// Customers whose id is a whole number with `.0`.
    PointIds,
    /// Customers whose id has blanks or signs that cannot be seen.
    InvisibleIds,
    /// Customers whose id is a number in scientific notation.
    ScientificIds,
    /// Customers whose id differs from another's by case or blanks only; the subject says how many of how many.
    AlikeIds,
    /// A filter left out rows, so many; the subject is the filter.
    FilteredRows,
    /// Rows that have no value in the column of a filter, so many; the subject is the filter.
    SilentRows,
    /// Rows with a value of a filter, so many; the subject is the filter and, after a unit separator, the value. Said where there are none.
    ValueOfFilter,
    /// Rows whose status, in a column that nothing reads, mostly means that they do not count, so many; the subject is the column and, after a
    /// unit separator, the status.
    UnreadStatus,
    /// Rows with a value in a column, the subject, that nothing reads and that mostly is filled where they do not count.
    UnreadFilled,
    /// Rows that are a header with its columns in another order. Never said: it is an error.
    OtherHeader,
    /// Refunds that add to what was spent, so many: a negative quantity, and an amount that is none. The amount is what they add.
    RefundsThatAdd,
    /// Orders whose id is a number in scientific notation.
    ScientificOrderIds,
    /// Orders whose id is a whole number with `.0`.
    PointOrderIds,
    /// Orders whose id has blanks or signs that cannot be seen.
    InvisibleOrderIds,
    /// An order whose id is a word for no value, the subject.
    NullOrderIds,
    /// Inputs that have a column, so many; the subject is the column. Never said: what an input of a state lacks is an error.
    ColumnRead,
    /// Rows in a currency, so many; the subject is the column and, after a unit separator, the currency. Never said: several are an error.
    Currency,
    /// One that only a later version knows, which wrote it into a state. Never said.
    #[serde(other)]
    Unknown,
}

impl Topic {
    /// Whether it is said once, and not counted.
    pub(super) fn is_said(self) -> bool {
        matches!(
            self,
            Topic::Recognized
                | Topic::ReadAs
                | Topic::EmptyInput
                | Topic::PassedOver
                | Topic::NoQuantity
                | Topic::UnreadDiscount
                | Topic::NamedCents
                | Topic::NoProduct
                | Topic::NoCustomerKey
                | Topic::NameAlike
                | Topic::ExclusiveEnds
                | Topic::DayOrder
                | Topic::UnreadNumbers
                | Topic::NullOrderIds
        )
    }

    pub(super) fn sentence(self, subject: &str, noted: &Noted) -> String {
        let Noted { count, amount, most, .. } = *noted;
        let one = count == 1;
        let (lines, orders) = (counted(count, "line", "lines"), counted(count, "order", "orders"));
        let verb = |single: &'static str, plural: &'static str| if one { single } else { plural };
        match self {
            Topic::EmptyInput => format!("{subject}: the file is empty: it adds no rows"),
            Topic::Recognized | Topic::ReadAs | Topic::PassedOver => subject.to_owned(),
            Topic::FilteredRows => format!("{subject}: {} left out", counted(count, "row is", "rows are")),
            Topic::SilentRows => {
                let (rows, are) = (counted(count, "row has", "rows have"), verb("it is", "they are"));
                let done = if subject.starts_with("only") { "left out" } else { "read" };
                format!("{subject}: {rows} no value there: {are} {done}")
            }
            Topic::ValueOfFilter => {
                let (filter, value) = subject.split_once(OF).unwrap_or((subject, ""));
                format!("{filter}: no row has the value {value:?}")
            }
            Topic::UnreadStatus => {
                let (column, status) = subject.split_once(OF).unwrap_or((subject, ""));
                let (rows, are) = (counted(count, "row has", "rows have"), verb("it is", "they are"));
                format!("{rows} {status:?} in {column:?}, and {are} counted: `except={column}={status}` leaves {} out", verb("it", "them"))
            }
            Topic::UnreadFilled => {
                let (rows, are) = (counted(count, "row has", "rows have"), verb("it is", "they are"));
                format!("{rows} a value in {subject:?}, and {are} counted: `only={subject}=` leaves {} out", verb("it", "them"))
            }
            Topic::RefundsThatAdd => {
                let (refunds, add) = (counted(count, "refund", "refunds"), verb("adds", "add"));
                format!(
                    "{refunds} {add} {} to revenue: the quantity is negative, and the amount is not; if amounts are written without their \
                     sign, leave these lines out with `refunds=drop`, and revenue has no refunds taken off",
                    money(amount.rounded())
                )
            }
            Topic::OtherHeader
            | Topic::ExclusiveEnds
            | Topic::OtherTotals
            | Topic::NoQuantity
            | Topic::UnreadDiscount
            | Topic::NamedCents
            | Topic::Currency
            | Topic::Unknown
            | Topic::ColumnRead
            | Topic::NoCustomerKey
            | Topic::NameAlike
            | Topic::AlikeIds => subject.to_owned(),
            Topic::FilledCustomers => {
                format!("{lines} without a customer: {} that of its order's other lines", verb("it has", "each has"))
            }
            Topic::FilledTimes => {
                format!("{lines} without an event_ts: {} the time of its order's other lines", verb("it has", "each has"))
            }
            Topic::LinesWithoutWorth => {
                format!("{lines} {} nothing of {} worth and {} 0.00", verb("says", "say"), verb("its", "their"), verb("counts", "count"))
            }
            Topic::OrdersWithoutWorth => {
                format!("{orders} without a line that says its worth: {} 0.00", verb("it counts", "each counts"))
            }
            Topic::EqualLines => {
                let (are, count) = (verb("is", "are"), verb("it counts", "all count"));
                format!(
                    "{lines} {are} equal to another of the order, and no product tells them apart: {count}; name the column of products with \
                     `columns.product_id=NAME`, or leave such lines out with `duplicates=drop`"
                )
            }
            Topic::EqualLinesDropped => {
                let (are, were) = (verb("is", "are"), verb("it was", "they were"));
                format!("{lines} {are} equal to another of the order, and {were} left out though no product tells them apart")
            }
            Topic::EqualTotals => format!(
                "{} of several lines {} the same line_total on each line: if that is what the whole order comes to, run with \
                 `amount=order`, and revenue is {} less",
                orders,
                verb("has", "have"),
                money(amount.rounded())
            ),
            Topic::CopiesBetween => {
                format!("{} to one of the same order in another input", counted(count, "line is equal", "lines are equal"))
            }
            Topic::CopiesWithin => format!(
                "{} to one of the same order in the same input: these may be several of one article, and `duplicates=between-inputs` leaves \
                 out the others alone",
                counted(count, "line is equal", "lines are equal")
            ),
            Topic::NoProduct => {
                format!("{subject:?} is not read; if it is the product, `columns.product_id={subject}` tells equal lines apart")
            }
            Topic::ScatteredOrders => format!(
                "{orders} {} lines in several inputs: if the inputs overlap, an order that was changed in between counts as it was and as it \
                 is, unless one of them is left out",
                verb("has", "have")
            ),
            Topic::RepeatedOrderIds => {
                let part = if subject.is_empty() { String::new() } else { format!("of {subject} of the order ids, ") };
                let id = |verb: &str, ids: &str| if subject.is_empty() { format!("{ids} {verb}") } else { verb.to_owned() };
                format!(
                    "{part}{} more than once, though each row is an order, and {} again; if rows are lines of orders, run without \
                     `one_row_per_order=true`; if an input came twice, leave one out",
                    counted(count, &id("comes", "order id"), &id("come", "order ids")),
                    counted(most, "row counts", "rows count"),
                )
            }
            Topic::KnownOrders => {
                format!("{orders} came again, with the same customer, moment and worth ({}): left out", money(amount.rounded()))
            }
            Topic::DroppedPeriods => {
                let (lie, worth) = (verb("lies", "lie"), money(amount.rounded()));
                format!("{orders} ({worth}) {lie} before {subject}, which the state has dropped: in no window; customers stay known")
            }
            Topic::LongOrders if one => format!("1 order reaches over {}: {LONG_HELP}", counted(most, "day", "days")),
            Topic::LongOrders => format!("{orders} reach over several days, one over {}: {LONG_HELP}", counted(most, "day", "days")),
            Topic::MovedRefunds => {
                let amount = money(noted.amount.rounded());
                let (lie, they) = (verb("lies", "lie"), verb("counts", "count"));
                format!(
                    "{} ({amount}) {lie} in another {subject} than the order, and {they} in that of the order",
                    counted(count, "refund", "refunds")
                )
            }
            Topic::InclusiveEnds => {
                let end = format_timestamp(MIN_TIMESTAMP.saturating_add_unsigned(most));
                let (day, midnight) = (end.get(..10).unwrap_or_default(), end.ends_with("T00:00:00"));
                let until = if midnight { format!("the end of the day before {day}") } else { end.clone() };
                format!(
                    "every period ends on a month's last day or in a day's last second, and ends are exclusive: {day} means until {until}; if the last day is meant to be in, say `period_ends=inclusive`"
                )
            }
            Topic::CentFractions => {
                let orders = counted(count, "order has", "orders have");
                let sign = if amount.rounded() < Fixed2::ZERO { "" } else { "+" };
                format!("{orders} fractions of a cent: {sign}{amount} by rounding each to cents")
            }
            _ => value_notes::sentence(self, subject, count),
        }
    }

    /// Whether notes of the topic are shown, given all notes.
    pub(super) fn is_shown(self, all: &BTreeMap<(Topic, String), Noted>) -> bool {
        let subjects = |topic: Topic| all.keys().filter(|(other, _)| *other == topic).count();
        match self {
            Topic::OtherDecimals
            | Topic::OtherTotals
            | Topic::OtherHeader
            | Topic::Currency
            | Topic::ColumnRead
            | Topic::Unknown
            | Topic::ExclusiveEnds => false,
            Topic::InclusiveEnds => {
                let rows: u64 = all.iter().filter(|((other, _), _)| *other == self).map(|(_, noted)| noted.count).sum();
                rows > ENDS_BY_CHANCE && subjects(Topic::ExclusiveEnds) == 0
            }
            Topic::UnreadNumbers | Topic::DayOrder => false,
            Topic::EitherDay => !all.keys().any(|(topic, order)| *topic == Topic::DayOrder && DAY_ORDERS[..2].contains(&order.as_str())),
            Topic::EqualTotals => {
                let count = |topic| all.iter().filter(|((of, _), _)| *of == topic).map(|(_, noted)| noted.count).sum::<u64>();
                count(Topic::EqualTotals) >= MOSTLY * count(Topic::OtherTotals)
            }
            Topic::NoProduct => subjects(Topic::EqualLines) + subjects(Topic::EqualLinesDropped) > 0,
            Topic::CopiesWithin => subjects(Topic::CopiesBetween) > 0,
            Topic::ThreeDecimals => subjects(Topic::OtherDecimals) == 0,
            Topic::CurrencySign => subjects(Topic::CurrencySign) > 1,
            _ => true,
        }
    }

    /// More notes of the topic than are shown one by one.
    pub(super) fn others(self, number: usize) -> String {
        match self {
            Topic::Recognized => format!("{} are told otherwise", counted(number, "more input", "more inputs")),
            Topic::ReadAs => format!("likewise {}", counted(number, "more input", "more inputs")),
            Topic::EmptyInput => format!("{} are empty", counted(number, "more file", "more files")),
            Topic::PassedOver => format!("the same in {}", counted(number, "more folder", "more folders")),
            Topic::InclusiveEnds => String::new(),
            Topic::NoQuantity | Topic::UnreadDiscount | Topic::NamedCents | Topic::Currency => {
                format!("the same in {}", counted(number, "more input", "more inputs"))
            }
            Topic::NoCustomerKey => format!("the same in {}", counted(number, "more input", "more inputs")),
            Topic::FilteredRows | Topic::SilentRows | Topic::ValueOfFilter => {
                format!("the same of {}", counted(number, "more filter", "more filters"))
            }
            Topic::UnreadStatus => format!("and {}", counted(number, "more status", "more statuses")),
            Topic::NameAlike => format!("and {}", counted(number, "more column", "more columns")),
            Topic::NullIds => format!("and {} that mean no value", counted(number, "more word", "more words")),
            Topic::CurrencySign => format!("and {}", counted(number, "more currency", "more currencies")),
            _ => format!("and {}", counted(number, "more", "more")),
        }
    }
}
