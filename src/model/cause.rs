//! The causes of a run's failure: bad rows and invalid customers, by reason and column, and what can be done about all of them at once.
//!
//! Under [`OnBadRow::Fail`](super::reject::OnBadRow::Fail) a run reads on to its end and then tells them together; under
//! [`OnBadRow::Reject`](super::reject::OnBadRow::Reject) they are told where more was left out than [`MaxRejects`] allows. Counts and amounts
//! are sums, and the first place is the least by input and row, so that the text is the same for any number of threads. Memory: one reject
//! for each reason and column.

use super::columns::Column;
use super::line_columns::TransactionColumn;
use super::reject::{LINE_FIELDS, REJECT_HELP, Reason, Reject};
use crate::base::error::{Error, Result};
use crate::base::merge::Merge;
use crate::base::money::{Fixed2, Total};
use crate::base::text::{counted, grouped, money};
use crate::base::threads::lock;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// The beginning of advice which says that no option reads all values.
pub(crate) const NO_ONE: &str = "no one ";
/// Causes that are told one by one; the others are in the first line only.
const TOLD: usize = 8;
/// So many bad rows are a handful, whatever their share.
const HANDFUL: u64 = 10;
/// Of more rows, one in so many are a handful.
const SHARE: u64 = 100;
/// Options that read a value which cannot be read without them: the advice about a value may name one.
const READING: [&str; 6] = ["date_format=", "number_format=", "null=", "naive_times=", "period_ends=", "amount_unit="];

/// How many rows may be left out as bad before a run fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum MaxRejects {
    /// What is taken for slips: 1 % of the rows that were read, or up to 10 of them where these are not more than half.
    #[default]
    Slips,
    /// So many rows.
    Rows(u64),
    /// A share of the rows that were read, 0 to 100 %, to two decimals.
    Percent(Fixed2),
}

impl MaxRejects {
    /// Whether every row may be left out.
    pub(crate) fn is_all(self) -> bool {
        self.of(u64::MAX >> 32) >= u64::MAX >> 32
    }

    /// The most of so many rows.
    pub fn of(self, rows: u64) -> u64 {
        match self {
            MaxRejects::Slips => (rows / SHARE).max(HANDFUL.min(rows / 2)),
            MaxRejects::Rows(most) => most,
            MaxRejects::Percent(share) => {
                let most = i128::from(rows) * share.hundredths() / 10_000;
                u64::try_from(most).unwrap_or(u64::MAX)
            }
        }
    }
}

impl fmt::Display for MaxRejects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MaxRejects::Slips => f.write_str("1%"),
            MaxRejects::Rows(most) => write!(f, "{most}"),
            MaxRejects::Percent(share) => write!(f, "{}%", share.to_string().trim_end_matches('0').trim_end_matches('.')),
        }
    }
}

impl FromStr for MaxRejects {
    type Err = Error;

    /// A number of rows, `100`, or a share, `2.5%`.
    fn from_str(text: &str) -> Result<Self> {
        let read = match text.trim().strip_suffix('%') {
            Some("1") => Some(Self::Slips),
            Some(share) => {
                share.trim_end().parse().ok().filter(|share| (0..=10_000).contains(&Fixed2::hundredths(*share))).map(Self::Percent)
            }
            None => text.trim().parse().ok().map(Self::Rows),
        };
        read.ok_or_else(|| {
            Error::usage(format!("{text:?} is neither a number of rows nor a share of them"))
                .help("write 100, or a share such as 1% or 0.5%")
        })
    }
}

impl TryFrom<String> for MaxRejects {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<MaxRejects> for String {
    fn from(most: MaxRejects) -> String {
        most.to_string()
    }
}

/// Bad rows, or customers, of one reason and column.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Cause {
    count: u64,
    /// What they are worth; none where that is not known of each.
    amount: Option<Total>,
    /// The first of them.
    first: Reject,
    /// Advice about it.
    help: String,
}

impl Merge for Cause {
    fn merge(&mut self, other: Cause) {
        self.count += other.count;
        self.amount = self.amount.zip(other.amount).map(|(mut sum, more)| {
            sum.merge(more);
            sum
        });
        if other.first < self.first {
            (self.first, self.help) = (other.first, other.help);
        }
    }
}

/// Causes by reason and column.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Vec<(Reason, String, Cause)>", into = "Vec<(Reason, String, Cause)>")]
pub(crate) struct Causes(BTreeMap<(Reason, &'static str), Cause>);

impl From<Causes> for Vec<(Reason, String, Cause)> {
    fn from(causes: Causes) -> Self {
        causes.0.into_iter().map(|((reason, column), cause)| (reason, column.to_owned(), cause)).collect()
    }
}

impl From<Vec<(Reason, String, Cause)>> for Causes {
    fn from(causes: Vec<(Reason, String, Cause)>) -> Self {
        let periods = || Column::ALL.iter().map(|column| column.name());
        let named = |name: &str| periods().chain(TransactionColumn::ALL.iter().map(|column| column.name())).find(|known| *known == name);
        Causes(causes.into_iter().map(|(reason, column, cause)| ((reason, named(&column).unwrap_or_default()), cause)).collect())
    }
}

impl Merge for Causes {
    fn merge(&mut self, other: Causes) {
        Merge::merge(&mut self.0, other.0);
    }
}

impl Causes {
    /// Counts a row at a place of so much worth, where that is known. Only for the first of its reason and column is `of` asked for the
    /// reject and the advice.
    pub(crate) fn add(
        &mut self,
        key: (Reason, &'static str),
        amount: Option<impl Into<Total>>,
        (source, row): (&str, u64),
        of: impl FnOnce() -> (Reject, String),
    ) {
        let amount = amount.map(Into::into);
        match self.0.get_mut(&key) {
            Some(known) if (known.first.source.as_str(), known.first.row) <= (source, row) => {
                known.count += 1;
                known.amount = known.amount.zip(amount).map(|(mut sum, more)| {
                    sum.merge(more);
                    sum
                });
            }
            known => {
                let (first, help) = of();
                let cause = Cause { count: 1, amount, first, help };
                match known {
                    Some(known) => known.merge(cause),
                    None => drop(self.0.insert(key, cause)),
                }
            }
        }
    }

    /// Counts a customer who is left out of a window, and what was spent there.
    pub(crate) fn add_customer(&mut self, column: &'static str, spend: Total, reject: Reject) {
        let one = Causes(BTreeMap::from([(
            (reject.reason, column),
            Cause { count: 1, amount: Some(spend), first: reject, help: REJECT_HELP.to_owned() },
        )]));
        self.merge(one);
    }

    /// Gives advice anew about values that could not be read, now that all of a column are known.
    pub(crate) fn advise(&mut self, of: impl Fn(&Reject) -> Option<String>) {
        let unread = |reason: Reason| matches!(reason, Reason::BadNumber | Reason::BadTimestamp);
        for cause in self.0.values_mut().filter(|cause| unread(cause.first.reason)) {
            cause.help = of(&cause.first).unwrap_or_else(|| REJECT_HELP.to_owned());
        }
    }

    /// Leaves out those of a reason.
    pub(crate) fn forget(&mut self, reason: Reason) {
        self.0.retain(|(known, _), _| *known != reason);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The error that ends a run. `rows` is the number of rows that were read. One bad row alone is told as it is; with `first_only`, so is
    /// the first of several.
    pub(crate) fn into_error(self, rows: u64, first_only: bool) -> Error {
        let several = self.0.values().map(|cause| cause.count).sum::<u64>() > 1;
        if !several || first_only {
            let first = self.0.into_values().min_by(|a, b| a.first.cmp(&b.first));
            return first.map_or_else(
                || Error::internal("a run without a cause to fail"),
                |Cause { first, help, .. }| first.into_error().help(help),
            );
        }
        let way_out = self.way_out(rows);
        self.told(Error::data(self.summary())).help(way_out)
    }

    /// The error that ends a run where an input would add nothing, because every row of it was rejected.
    pub(crate) fn nothing_left(self, input: &str, rows: u64) -> Error {
        let what = match rows {
            1 => "its only row is bad: nothing of it would be taken in".to_owned(),
            rows => format!("all {} rows are bad: nothing of them would be taken in", grouped(rows)),
        };
        let ways = self.ways();
        let way_out = match ways.is_empty() {
            true => "correct them".to_owned(),
            false => format!("go on with {}", ways.join(" ")),
        };
        let mut error = Error::data(what).input(input);
        for cause in self.0.into_values().filter(|cause| cause.first.source == input).take(TOLD) {
            error = error.detail(cause.first.clone().into_error().to_string());
        }
        error.help(format!("{way_out}; `max_rejects=100%` leaves them out however many they are"))
    }

    /// The error that ends a run where more rows were rejected than may be.
    pub(crate) fn too_many(self, rejected: u64, rows: u64, most: MaxRejects) -> Error {
        let what = format!("{} of {} rows are bad, more than `max_rejects={most}` lets be left out", grouped(rejected), grouped(rows));
        let summary = if self.0.is_empty() { String::new() } else { format!(": {}", self.summary()) };
        let ways = self.ways();
        let way_out = match ways.is_empty() {
            true => "correct them; `max_rejects=100%` leaves them out however many they are".to_owned(),
            false => format!("go on with {}; `max_rejects=100%` leaves them out however many they are", ways.join(" ")),
        };
        self.told(Error::data(what + &summary)).help(way_out)
    }

    /// All of them in one line: how many of each, and what they are worth.
    fn summary(&self) -> String {
        self.0.iter().map(|(&(reason, column), cause)| cause.called(reason, column)).collect::<Vec<_>>().join(" · ")
    }

    /// An error with the first places, and the advice for each.
    fn told(&self, error: Error) -> Error {
        let Some(first) = self.0.values().map(|cause| &cause.first).min() else { return error };
        let mut error = if first.window.is_some() { error } else { error.input(&first.source).row(first.row).line(first.line) };
        let mut told: Vec<&Cause> = self.0.values().collect();
        told.sort_unstable_by(|a, b| a.first.cmp(&b.first));
        for cause in told.into_iter().take(TOLD) {
            let of_many = if cause.count > 1 { format!("the first of {}: ", grouped(cause.count)) } else { String::new() };
            error = error.detail(format!("{of_many}{}", cause.first.clone().into_error()));
            // Whether rows may be left out is for all of them together.
            if cause.help != REJECT_HELP {
                error = error.detail(format!("  {}", cause.help));
            }
        }
        error
    }

    /// The options that let the run go on, in backquotes: those of policies, and those that read the values.
    fn ways(&self) -> Vec<String> {
        let mut ways: Vec<String> = Vec::new();
        for way in self.0.iter().filter_map(|(&(reason, column), cause)| cause.way(reason, column)) {
            if !ways.contains(&way) {
                ways.push(way);
            }
        }
        ways
    }

    /// What to do about all of them.
    fn way_out(&self, rows: u64) -> String {
        let mut ways = self.ways();
        let others = || self.0.iter().filter(|(key, cause)| cause.way(key.0, key.1).is_none());
        // Customers are never too many: a period without an order is left out by rule.
        let of_rows: u64 = others().filter(|(_, cause)| cause.first.window.is_none()).map(|(_, cause)| cause.count).sum();
        // Where values contradict each other, none of them is a slip.
        let is_handful = of_rows <= MaxRejects::Slips.of(rows) && !others().any(|(_, cause)| cause.help.starts_with(NO_ONE));
        if others().next().is_some() && is_handful {
            ways.push("`on_bad_row=reject`".to_owned());
        } else if let Some((key, cause)) = others().max_by_key(|(_, cause)| (cause.help.starts_with(NO_ONE), cause.count)) {
            let why = if cause.help.starts_with(NO_ONE) { "" } else { ", or read them otherwise: so many are no slips" };
            let what = format!("correct the {} first{why}", cause.called(key.0, key.1));
            return if ways.is_empty() { what } else { format!("{what}. Then go on with {}", ways.join(" ")) };
        }
        format!("go on with {}", ways.join(" "))
    }
}

impl Cause {
    /// The option that lets the run go on in spite of it.
    fn way(&self, reason: Reason, column: &str) -> Option<String> {
        let of_line = self.first.fields.len() == LINE_FIELDS.len();
        let policy = match reason {
            Reason::Refund => "`refunds=net`",
            Reason::DuplicateLine => "`duplicates=drop`",
            Reason::MissingValue if of_line && column == "customer_id" => "`anonymous=report`",
            _ => {
                let options = self.help.split('`').skip(1).step_by(2);
                let options = options.filter(|option| READING.iter().any(|name| option.starts_with(name)));
                let options: Vec<_> = options.map(|option| format!("`{option}`")).collect();
                // Only the person knows which of several is meant.
                let with = if self.help.contains("` instead of `") { " instead of " } else { " or " };
                let too = if self.help.starts_with("add ") { " too" } else { "" };
                return (!options.is_empty()).then(|| options.join(with) + too);
            }
        };
        Some(policy.to_owned())
    }

    /// How many there are of them, in words, and what they are worth.
    fn called(&self, reason: Reason, column: &str) -> String {
        let (one, many) = match (&self.first.window, self.first.fields.len() == LINE_FIELDS.len()) {
            (Some(_), _) => ("customer", "customers"),
            (_, true) => ("line", "lines"),
            _ => ("row", "rows"),
        };
        let of = |rest: &str| counted(self.count, &format!("{one} {rest}"), &format!("{many} {rest}"));
        let what = match reason {
            Reason::Refund => counted(self.count, "refund", "refunds"),
            Reason::DuplicateLine => counted(self.count, "copy", "copies"),
            Reason::OrderCustomerConflict => counted(self.count, "order of two customers", "orders of two customers"),
            Reason::MissingValue if column == "customer_id" => of("without a customer"),
            Reason::MissingValue => of(&format!("without {column}")),
            Reason::BadNumber | Reason::BadTimestamp => of(&format!("whose {column} cannot be read")),
            Reason::NoOrders => of("without an order in the window"),
            Reason::NegativeSpend => of("who got back more than they spent in the window"),
            _ => of(&format!("with {reason} in {column}")),
        };
        self.amount.map_or(what.clone(), |amount| format!("{what} ({})", money(amount.rounded())))
    }
}

/// The rows of an input.
#[derive(Debug, Clone, Copy, Default)]
struct InputRows {
    read: u64,
    rejected: u64,
}

/// The causes of a run, shared by its threads, and how many rows each input had.
#[derive(Debug, Clone, Default)]
pub(crate) struct SharedCauses(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    are_there: AtomicBool,
    causes: Mutex<Causes>,
    inputs: Mutex<BTreeMap<String, InputRows>>,
}

impl SharedCauses {
    /// Says that there are some, before they are [absorbed](SharedCauses::absorb): what goes on then is of no use.
    pub(crate) fn announce(&self) {
        self.0.are_there.store(true, Ordering::Relaxed);
    }

    /// Whether there are any.
    #[inline]
    pub(crate) fn are_there(&self) -> bool {
        self.0.are_there.load(Ordering::Relaxed)
    }

    /// As [`Causes::add`].
    pub(crate) fn add<A: Into<Total>>(
        &self,
        key: (Reason, &'static str),
        amount: Option<A>,
        place: (&str, u64),
        of: impl FnOnce() -> (Reject, String),
    ) {
        self.announce();
        self.of_input(place.0, |rows| rows.rejected += 1);
        lock(&self.0.causes).add(key, amount, place, of);
    }

    /// Counts rows that were read, whatever becomes of them.
    pub(crate) fn count_read(&self, input: &str, rows: u64) {
        self.of_input(input, |known| known.read += rows);
    }

    fn of_input(&self, input: &str, count: impl FnOnce(&mut InputRows)) {
        let mut inputs = lock(&self.0.inputs);
        match inputs.get_mut(input) {
            Some(known) => count(known),
            None => count(inputs.entry(input.to_owned()).or_default()),
        }
    }

    /// The inputs of which every row was rejected, and how many rows these were.
    pub(crate) fn wholly_rejected(&self) -> Vec<(String, u64)> {
        let inputs = lock(&self.0.inputs);
        inputs
            .iter()
            .filter(|(_, rows)| rows.read > 0 && rows.rejected >= rows.read)
            .map(|(name, rows)| (name.clone(), rows.read))
            .collect()
    }

    /// The rows of each input that were read and rejected.
    pub(crate) fn inputs(&self) -> BTreeMap<String, (u64, u64)> {
        lock(&self.0.inputs).iter().map(|(name, rows)| (name.clone(), (rows.read, rows.rejected))).collect()
    }

    /// Takes in those that one thread found.
    pub(crate) fn absorb(&self, found: Causes) {
        if !found.is_empty() {
            self.announce();
            lock(&self.0.causes).merge(found);
        }
    }

    /// All of them; then there are none.
    pub(crate) fn take(&self) -> Causes {
        std::mem::take(&mut *lock(&self.0.causes))
    }
}
