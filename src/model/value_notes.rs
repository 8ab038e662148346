//! The sentences of notes about values: times, numbers, ids.

use super::note_topic::Topic;
use crate::base::text::{counted, grouped};

/// The orders of day, month and year in which dates of three numbers are written; a note of an order says that some date cannot have it.
pub(crate) const DAY_ORDERS: [&str; 3] = ["%m%d%y", "%d%m%y", "%y%m%d"];

/// What is said of so many values.
pub(super) fn sentence(topic: Topic, subject: &str, count: u64) -> String {
    let one = count == 1;
    let verb = |single: &'static str, plural: &'static str| if one { single } else { plural };
    let times = || format!("{} no offset", counted(count, "time has", "times have"));
    let ids = |is: &str, are: &str| if count == 1 { format!("1 id {is}") } else { format!("{} ids {are}", grouped(count)) };
    match topic {
        Topic::NaiveTimes => {
            format!("{}: read as UTC, then shown in {subject}; `naive_times=local` reads them as local", times())
        }
        Topic::SkippedTimes => {
            let times = counted(count, "time lies", "times lie");
            format!("{times} in an hour that {subject} leaves out when clocks go forward: read as that much later")
        }
        Topic::TimesTwice => {
            let times = counted(count, "time lies", "times lie");
            format!("{times} in an hour that {subject} has twice when clocks go back: read as the first of the two")
        }
        Topic::ThreeDecimals => {
            let amounts = counted(count, "amount has", "amounts have");
            let (mark, other) = if subject.ends_with(",56") { ("comma", "1,234.56") } else { ("point", "1.234,56") };
            format!(
                "{amounts} a {mark} and three decimals, and no amount has one or two: if these are thousands, run with \
                 `number_format={other}`"
            )
        }
        Topic::CurrencySign => {
            format!("{} the currency {subject}, and others another that may be the same", counted(count, "amount names", "amounts name"))
        }
        Topic::NullIds => {
            let orders = counted(count, "order", "orders");
            format!("a customer is called {subject:?}, with {orders}: if that means no customer, run with `null={subject}`")
        }
        Topic::PointIds => {
            let ids = ids("is a whole number with .0", "are whole numbers with .0");
            format!("{ids}: `id_format=integer` reads 12923.0 as 12923")
        }
        Topic::InvisibleIds => {
            let ids = ids("has blanks around it, or signs that cannot be seen", "have blanks around them, or signs that cannot be seen");
            format!("{ids}: `id_format=trim` takes them off the beginning and the end")
        }
        Topic::ScientificIds => {
            let ids = ids("is a number such as 1.23E+11", "are numbers such as 1.23E+11");
            format!("{ids}: a spreadsheet has lost digits, and customers may be mixed up; export the column as text")
        }
        Topic::ScientificOrderIds => {
            let ids = ids("of an order is a number such as 1.23E+11", "of orders are numbers such as 1.23E+11");
            format!("{ids}: a spreadsheet has lost digits, and orders may be mixed up; export the column as text")
        }
        Topic::PointOrderIds => {
            let ids = ids("of an order is a whole number with .0", "of orders are whole numbers with .0");
            format!("{ids}: `id_format=integer` reads 1001.0 as 1001")
        }
        Topic::InvisibleOrderIds => {
            let ids = ids("of an order has", "of orders have");
            format!("{ids} blanks at its ends, or signs that cannot be seen: `id_format=trim` takes them off")
        }
        Topic::NullOrderIds => format!("an order is called {subject:?}: if that means no order, run with `null={subject}`"),
        Topic::RoundThousands => {
            let mark = if subject.ends_with(",56") { '.' } else { ',' };
            format!(
                "{} as in 1{mark}000, and {} read as thousands: where these are decimals, write quantities and amounts \
                 alike",
                counted(count, "quantity is written", "quantities are written"),
                verb("it is", "they are")
            )
        }
        Topic::Offsets => format!(
            "{} an offset from UTC, and periods are cut at UTC midnight: a time zone, such as `timezone=America/New_York`, cuts them at \
             midnight there",
            counted(count, "time has", "times have")
        ),
        Topic::OddYears => format!(
            "{} before 1980 or after 2099: is that right, or are dates written otherwise than they are read?",
            counted(count, "time lies", "times lie")
        ),
        Topic::EitherDay => {
            let (dates, it) = (counted(count, "date", "dates"), verb("it is", "they are"));
            format!(
                "{dates} could be read with day and month the other way round, and no date tells which number is the day: {it} read as \
                 {subject}; if that is wrong, run with `date_format={}`",
                swapped(subject)
            )
        }
        _ => subject.to_owned(),
    }
}

/// A format of dates with day and month in each other's place.
pub(crate) fn swapped(format: &str) -> String {
    format.replace("%d", "\u{1}").replace("%m", "%d").replace('\u{1}', "%m")
}
