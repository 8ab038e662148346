//! Notes: what was noticed about an input and is no error, counted. Every note is shown on the terminal and stands in the report's warnings.
//!
//! Readers and stages share [`Notes`] and count into it from any thread; a [`Topic`] says what was noticed, and holds the sentence. Like all
//! answers, the texts are a function of the rows and the options alone: counts are sums, and the first place is the least.

use crate::base::merge::Merge;
use crate::base::money::{Amount, Fixed2, Total};
use crate::base::text::{counted, grouped, money};
use crate::base::threads::lock;
use crate::base::time::{MIN_TIMESTAMP, format_timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Notes of one topic that are shown one by one; more are counted together.
const SHOWN: usize = 5;
/// So many ends may look inclusive by chance.
const ENDS_BY_CHANCE: u64 = 2;

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
    /// Amounts that are text with a point and three decimals, where no amount has one or two decimals.
    ThreeDecimals,
    /// Amounts with one or two decimals; only told where others are not.
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
    /// Inputs that have a column, so many; the subject is the column. Never said: what an input of a state lacks is an error.
    ColumnRead,
    /// Rows in a currency, so many; the subject is the column and, after a unit separator, the currency. Never said: several are an error.
    Currency,
    /// One that only a later version knows, which wrote it into a state. Never said.
    #[serde(other)]
    Unknown,
}

impl Topic {
    fn sentence(self, subject: &str, noted: &Noted) -> String {
        let Noted { count, amount, most, .. } = *noted;
        let one = count == 1;
        let (lines, orders) = (counted(count, "line", "lines"), counted(count, "order", "orders"));
        let verb = |single: &'static str, plural: &'static str| if one { single } else { plural };
        let times = || format!("{} no offset", counted(count, "time has", "times have"));
        let ids = |is: &str, are: &str| if count == 1 { format!("1 id {is}") } else { format!("{} ids {are}", grouped(count)) };
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
                let (filter, value) = subject.split_once('\u{1f}').unwrap_or((subject, ""));
                format!("{filter}: no row has the value {value:?}")
            }
            Topic::UnreadStatus => {
                let (column, status) = subject.split_once('\u{1f}').unwrap_or((subject, ""));
                let (rows, are) = (counted(count, "row has", "rows have"), verb("it is", "they are"));
                format!("{rows} {status:?} in {column:?}, and {are} counted: `except={column}={status}` leaves {} out", verb("it", "them"))
            }
            Topic::ExclusiveEnds
            | Topic::NoQuantity
            | Topic::UnreadDiscount
            | Topic::Currency
            | Topic::Unknown
            | Topic::ColumnRead
            | Topic::NoCustomerKey
            | Topic::NameAlike
            | Topic::AlikeIds
            | Topic::OtherDecimals => subject.to_owned(),
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
            Topic::RepeatedOrderIds => {
                let part = if subject.is_empty() { String::new() } else { format!("of {subject} of the order ids, ") };
                format!(
                    "{part}{} more than once, though each row is an order, and {} again; if rows are lines of orders, run without \
                     `one_row_per_order=true`; if an input came twice, leave one out",
                    counted(count, "comes", "come"),
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
                format!(
                    "{amounts} a point and three decimals, and no amount has one or two: if these are thousands, run with \
                     `number_format=1.234,56`"
                )
            }
            Topic::CurrencySign => {
                format!(
                    "{} the currency {subject}, and others another: they are added up as they are",
                    counted(count, "amount names", "amounts name")
                )
            }
            Topic::CentFractions => {
                let orders = counted(count, "order has", "orders have");
                let sign = if amount.rounded() < Fixed2::ZERO { "" } else { "+" };
                format!("{orders} fractions of a cent: {sign}{amount} by rounding each to cents")
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
                let ids =
                    ids("has blanks around it, or signs that cannot be seen", "have blanks around them, or signs that cannot be seen");
                format!("{ids}: `id_format=trim` takes them off the beginning and the end")
            }
            Topic::ScientificIds => {
                let ids = ids("is a number such as 1.23E+11", "are numbers such as 1.23E+11");
                format!("{ids}: a spreadsheet has lost digits, and customers may be mixed up; export the column as text")
            }
        }
    }

    /// Whether notes of the topic are shown, given all notes.
    fn is_shown(self, all: &BTreeMap<(Topic, String), Noted>) -> bool {
        let subjects = |topic: Topic| all.keys().filter(|(other, _)| *other == topic).count();
        match self {
            Topic::OtherDecimals | Topic::Currency | Topic::ColumnRead | Topic::Unknown | Topic::ExclusiveEnds => false,
            Topic::InclusiveEnds => {
                let rows: u64 = all.iter().filter(|((other, _), _)| *other == self).map(|(_, noted)| noted.count).sum();
                rows > ENDS_BY_CHANCE && subjects(Topic::ExclusiveEnds) == 0
            }
            Topic::ThreeDecimals => subjects(Topic::OtherDecimals) == 0,
            Topic::CurrencySign => subjects(Topic::CurrencySign) > 1,
            _ => true,
        }
    }

    /// More notes of the topic than are shown one by one.
    fn others(self, number: usize) -> String {
        match self {
            Topic::Recognized => format!("{} are told otherwise", counted(number, "more input", "more inputs")),
            Topic::ReadAs => format!("likewise {}", counted(number, "more input", "more inputs")),
            Topic::EmptyInput => format!("{} are empty", counted(number, "more file", "more files")),
            Topic::PassedOver => format!("the same in {}", counted(number, "more folder", "more folders")),
            Topic::InclusiveEnds => String::new(),
            Topic::NoQuantity | Topic::UnreadDiscount | Topic::Currency => {
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

/// The count of a note.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Noted {
    /// How often.
    count: u64,
    /// The sum of the amounts that it is about.
    amount: Total,
    /// The first input and row, where rows were counted.
    first: Option<(String, u64)>,
    /// The greatest of what was measured.
    most: u64,
}

/// Notes as they are kept in a record: topic, subject and count of each, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct KeptNotes(Vec<(Topic, String, Noted)>);

impl KeptNotes {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those of others, too.
    pub(crate) fn add(&mut self, more: &KeptNotes) {
        *self = Notes::all(&[self.notes(), more.notes()]).kept();
    }

    /// As notes of a run.
    pub(crate) fn notes(&self) -> Notes {
        let all = self.0.iter().map(|(topic, subject, noted)| ((*topic, subject.clone()), noted.clone())).collect();
        Notes(Arc::new(Mutex::new(all)))
    }
}

/// Notes about the inputs of a run. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Notes(Arc<Mutex<BTreeMap<(Topic, String), Noted>>>);

impl Notes {
    /// Notes something about a subject once, however often it is said.
    pub(crate) fn say(&self, topic: Topic, subject: impl Into<String>) {
        lock(&self.0).entry((topic, subject.into())).or_default().count = 1;
    }

    /// Adds a count.
    pub(crate) fn add(&self, topic: Topic, subject: &str, count: u64) {
        if count > 0 {
            lock(&self.0).entry((topic, subject.to_owned())).or_default().count += count;
        }
    }

    /// Adds a count of things that are worth so much.
    pub(crate) fn add_amount(&self, topic: Topic, subject: &str, count: u64, amount: Total) {
        if count > 0 {
            let mut all = lock(&self.0);
            let noted = all.entry((topic, subject.to_owned())).or_default();
            noted.count += count;
            noted.amount.merge(amount);
        }
    }

    /// Counts so many more, or none so far.
    pub(crate) fn tally(&self, topic: Topic, subject: &str, count: u64) {
        lock(&self.0).entry((topic, subject.to_owned())).or_default().count += count;
    }

    /// Notes how the meaning of an input's columns was told, if it was.
    pub(crate) fn told(&self, told: Option<&String>) {
        told.into_iter().for_each(|told| self.say(Topic::Recognized, told));
    }

    /// Counts a row, at a place, of so much worth.
    #[allow(dead_code)]
    pub(crate) fn count(&self, topic: Topic, subject: &str, (input, row): (&str, u64), amount: Amount) {
        let mut all = lock(&self.0);
        let noted = all.entry((topic, subject.to_owned())).or_default();
        noted.count += 1;
        noted.amount.add(amount);
        if noted.first.as_ref().is_none_or(|(known, at)| (input, row) < (known, *at)) {
            noted.first = Some((input.to_owned(), row));
        }
    }

    /// The subjects of a topic, and how often.
    pub(crate) fn counts(&self, topic: Topic) -> Vec<(String, u64)> {
        let all = lock(&self.0);
        all.iter().filter(|((of, _), _)| *of == topic).map(|((_, subject), noted)| (subject.clone(), noted.count)).collect()
    }

    /// Counts so many at once, of so much worth, the greatest of them being so great; nothing where there is none.
    pub(crate) fn add_most(&self, topic: Topic, subject: &str, count: u64, amount: Total, most: u64) {
        if count > 0 {
            let mut all = lock(&self.0);
            let noted = all.entry((topic, subject.to_owned())).or_default();
            noted.count += count;
            noted.amount.merge(amount);
            noted.most = noted.most.max(most);
        }
    }

    /// Forgets all of them, also for those who share them.
    pub(crate) fn forget(&self) {
        lock(&self.0).clear();
    }

    /// The notes, to be kept.
    pub(crate) fn kept(&self) -> KeptNotes {
        KeptNotes(lock(&self.0).iter().map(|((topic, subject), noted)| (*topic, subject.clone(), noted.clone())).collect())
    }

    /// All notes of several inputs.
    pub(crate) fn all(several: &[Notes]) -> Notes {
        let all = Notes::default();
        several.iter().for_each(|notes| all.absorb(notes));
        all
    }

    /// Takes in other notes.
    fn absorb(&self, other: &Notes) {
        let other = lock(&other.0).clone();
        let mut all = lock(&self.0);
        for (key, more) in other {
            let noted = all.entry(key).or_default();
            noted.count += more.count;
            noted.amount.merge(more.amount);
            noted.most = noted.most.max(more.most);
            noted.first = noted.first.take().into_iter().chain(more.first).min();
        }
    }

    /// The notes as sentences, by topic and subject.
    pub fn texts(&self) -> Vec<String> {
        let all = lock(&self.0);
        let mut texts = Vec::new();
        // A value of a filter is told where no row has it.
        let is_told = |((topic, _), noted): &(&(Topic, String), &Noted)| *topic != Topic::ValueOfFilter || noted.count == 0;
        let by_topic: Vec<_> = all.iter().filter(is_told).collect();
        for topic in by_topic.chunk_by(|a, b| a.0.0 == b.0.0).filter(|topic| topic[0].0.0.is_shown(&all)) {
            texts.extend(topic.iter().take(SHOWN).map(|((topic, subject), noted)| topic.sentence(subject, noted)));
            if let Some(more) = topic.len().checked_sub(SHOWN + 1) {
                texts.push(topic[0].0.0.others(more + 1));
            }
        }
        texts
    }
}
