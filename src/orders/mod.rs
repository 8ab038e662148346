//! Orders: line items → orders → period aggregations. A stage before [`route`](crate::route), which can also be used alone.
//!
//! In come batches of lines; out go orders, as batches for the next stage or as rows for a table.
//!
//! ```text
//!  TransactionBatch ──▶ validate ──▶ pre_aggregate ──partial orders──▶ partitions ──▶ group ──orders──▶ PeriodBatch ──▶ route
//!  lines, anywhere      leaves       adds up lines that                by order;      one order        one row an order
//!                       out          follow each other                 may spill      after another
//!                                                                                      └─▶ export: sorted, added up ──▶ sink
//! ```
//!
//! | file | owns |
//! |---|---|
//! | here | the options, the counts, [`Orders`]: all lines of the input |
//! | `provenance` | the position of a line, one number, and the input and row that it stands for |
//! | `validate` | lines that are bad, without a customer, or refunds |
//! | `partial_order`, `order_frame` | lines of an order that follow each other, added up; a buffer of them, and its frame |
//! | `pre_aggregate` | batches → partial orders, on all threads |
//! | `pushed_lines` | batches that a caller pushes |
//! | `partitions` | the partitions in which partial orders wait, in memory or spilled |
//! | `fault` | the faults of orders |
//! | `group` | the partial orders of a partition → orders; duplicate lines |
//! | `group_records`, `line_record` | the same of lines that are sorted, where memory or an order is too large |
//! | `input_counts` | equal lines by the inputs that have them |
//! | `nameless` | lines without a customer |
//! | `open_order`, `order_hashes` | an order whose lines are being added up; the orders that need no adding up |
//! | `order_notes` | what is noticed about lines and orders and is no error |
//! | `settle` | the count, the rounded sums, and the fault of an order |
//! | `to_periods` | the period of an order; orders as columns of period aggregations |
//! | `order_source` | orders as a [`Source`](crate::source::Source) of period aggregations: a chunk is a partition |
//! | `known_orders` | orders that a state has already |
//! | `whole_orders` | rows that are whole orders, as such a source: no row waits |
//! | `export` | orders → a row for each customer and calendar period |
//!
//! Lines of an order may be anywhere, so all wait until the last has been read, in the partition that their order's hash names. Exports
//! mostly have the lines of an order next to each other; then what waits is a partial order of 64 bytes for each order.
//!
//! An order has the customer of its lines that name one, and the time of its earliest line that has one; lines that lack either have it from
//! the others, which is noted. Its spend and margin are the exact sums of its lines, rounded to cents half away from zero. It belongs to the calendar period of its time in the time zone that is asked for; times are told in that zone from
//! there on. A refund is a line with a negative quantity or worth; an order of nothing but refunds is netted without counting as an order,
//! and beside other lines a refund does not decide the order's time.
//!
//! Known limits: margins and products are read only where [`Orders::into_period_rows`] needs them or duplicate lines are looked for,
//! and an order's margin or quantity that is too large is a fault only in those two cases.
//! Refunds are counted before duplicates and conflicts are left out. A refund that is left out says nothing of its order: not its customer
//! either.

mod export;
mod fault;
mod group;
mod group_records;
mod input_counts;
mod known_orders;
mod line_record;
mod nameless;
mod open_order;
mod order_frame;
mod order_hashes;
mod order_notes;
mod order_source;
mod partial_order;
mod partitions;
mod pre_aggregate;
mod provenance;
mod pushed_lines;
mod repeated_ids;
mod settle;
mod to_periods;
mod validate;
mod whole_orders;

pub use self::export::{PeriodRows, schema};
pub(crate) use self::known_orders::{KnownMarks, LeftOutOf, NewOrders, OrderMark, PendingOrders, Waiting};
pub use self::order_source::OrderSource;
pub(crate) use self::pushed_lines::{FinishedLines, PushedLines};
pub(crate) use self::to_periods::PeriodFinder;
pub(crate) use self::whole_orders::WholeOrders;

use self::partitions::Partitions;
pub(crate) use self::validate::{BadLines, Validation};
use crate::base::cancel::Cancel;
use crate::base::error::Result;
use crate::base::merge::Merge;
use crate::base::money::{Money, Total};
use crate::base::text::{counted, grouped, money};
use crate::model::line_batch::TransactionBatch;
use crate::model::line_columns::TransactionColumns;
use crate::model::reject::Reason;
use crate::model::worth::AmountFrom;
use crate::source::Batches;
use crate::source::files::{Files, Format};
use crate::source::transactions::{TransactionOptions, Transactions};
use crate::spill::{Budget, RunStore};
use crate::stats::Stats;
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// The policies for lines that many shops have, and that must not count silently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct OrderOptions {
    /// Lines with a negative quantity or worth.
    pub refunds: Refunds,
    /// Lines without a customer.
    pub anonymous: Anonymous,
    /// Lines of an order that are equal in all that is read of them. Rows that are whole orders are not compared. Lines that name no product
    /// may be two of one kind: they count, and are noted, unless this is [`Duplicates::Drop`].
    pub duplicates: Duplicates,
    /// The time zone of the calendar that orders belong to, an IANA name.
    pub timezone: Tz,
}

impl Default for OrderOptions {
    fn default() -> Self {
        OrderOptions { refunds: Refunds::Fail, anonymous: Anonymous::Fail, duplicates: Duplicates::Fail, timezone: Tz::UTC }
    }
}

impl OrderOptions {
    /// The policies of most shops: refunds are netted, lines without a customer are reported, all but one of equal lines are left out.
    pub fn shop() -> Self {
        OrderOptions { refunds: Refunds::Net, anonymous: Anonymous::Report, duplicates: Duplicates::Drop, ..OrderOptions::default() }
    }

    /// Sets [`refunds`](OrderOptions::refunds).
    #[must_use]
    pub fn with_refunds(mut self, refunds: Refunds) -> Self {
        self.refunds = refunds;
        self
    }

    /// Sets [`anonymous`](OrderOptions::anonymous).
    #[must_use]
    pub fn with_anonymous(mut self, anonymous: Anonymous) -> Self {
        self.anonymous = anonymous;
        self
    }

    /// Sets [`duplicates`](OrderOptions::duplicates).
    #[must_use]
    pub fn with_duplicates(mut self, duplicates: Duplicates) -> Self {
        self.duplicates = duplicates;
        self
    }

    /// Sets [`timezone`](OrderOptions::timezone).
    #[must_use]
    pub fn with_timezone(mut self, timezone: Tz) -> Self {
        self.timezone = timezone;
        self
    }
}

/// The policy for refunds. They are counted and summed either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Refunds {
    /// They are bad rows.
    #[default]
    Fail,
    /// They lessen the customer's spend, without counting as orders.
    Net,
    /// They are left out.
    Drop,
}

/// The policy for lines without a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Anonymous {
    /// They are bad rows.
    #[default]
    Fail,
    /// They are left out, and counted.
    Drop,
    /// They are left out of all answers about customers, and their orders and revenue are reported.
    Report,
}

/// The policy for lines of an order that are equal in customer, time, product, quantity, worth and margin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Duplicates {
    /// All but the first are bad rows.
    #[default]
    Fail,
    /// All but the first are left out, and counted.
    Drop,
    /// Those that lie in another input are left out, and counted: of each line there are as many as the input has that has most of it. For
    /// exports that overlap, of shops that write several of one article as several lines.
    #[serde(rename = "between-inputs")]
    BetweenInputs,
    /// They are lines like any other.
    Keep,
}

/// The counts of an input of orders and line items.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LineSummary {
    /// Lines read.
    pub lines: u64,
    /// Lines left out as bad, by reason.
    pub lines_rejected: BTreeMap<Reason, u64>,
    /// What they are worth, where that could be read; exact until it is reported.
    #[serde(default)]
    pub rejected_amounts: BTreeMap<Reason, Total>,
    /// Orders of customers.
    pub orders: u64,
    /// Lines that give money back, whether they were netted or left out, for this or, later, for what is wrong with their orders.
    pub refund_lines: u64,
    /// Their sum; exact until it is reported.
    pub refunds: Total,
    /// Lines without a customer, which are left out of all answers about customers.
    pub anonymous_lines: u64,
    /// What those of them are worth that are left out and not reported; exact until it is reported.
    #[serde(default)]
    pub anonymous_dropped: Total,
    /// Their orders, where they are reported.
    pub anonymous_orders: u64,
    /// The revenue of these orders.
    pub anonymous_revenue: Money,
    /// Lines that were left out as duplicates of others.
    pub duplicate_lines: u64,
    /// What they are worth; exact until it is reported.
    #[serde(default)]
    pub duplicates: Total,
    /// Orders of customers with fractions of a cent, not yet noted; they are not reported.
    #[serde(skip)]
    pub(crate) fractions: u64,
    /// What rounding adds to them.
    #[serde(skip)]
    pub(crate) rounding: Total,
}

impl LineSummary {
    /// Counts an order without a customer, or, where it does not count as one, the money given back.
    fn add_anonymous(&mut self, counts: bool, spend: Total) {
        self.anonymous_orders += u64::from(counts);
        self.anonymous_revenue += spend.rounded();
    }

    /// Counts what an order's rounding to cents adds.
    #[cold]
    fn add_rounding(&mut self, exact: Total) {
        self.fractions += 1;
        self.rounding.merge(Total::from(exact.rounded()));
        self.rounding.subtract(exact);
    }

    /// The counts as they are reported: in cents.
    pub(crate) fn rounded(self) -> Self {
        let cents = |total: Total| total.rounded().into();
        LineSummary {
            rejected_amounts: self.rejected_amounts.into_iter().map(|(reason, amount)| (reason, cents(amount))).collect(),
            refunds: cents(self.refunds),
            anonymous_dropped: cents(self.anonymous_dropped),
            duplicates: cents(self.duplicates),
            ..self
        }
    }
}

impl Merge for LineSummary {
    fn merge(&mut self, other: LineSummary) {
        self.lines += other.lines;
        Merge::merge(&mut self.lines_rejected, other.lines_rejected);
        Merge::merge(&mut self.rejected_amounts, other.rejected_amounts);
        self.anonymous_dropped.merge(other.anonymous_dropped);
        self.duplicates.merge(other.duplicates);
        self.orders += other.orders;
        self.refund_lines += other.refund_lines;
        self.refunds.merge(other.refunds);
        self.anonymous_lines += other.anonymous_lines;
        self.anonymous_orders += other.anonymous_orders;
        self.anonymous_revenue += other.anonymous_revenue;
        self.duplicate_lines += other.duplicate_lines;
    }
}

/// All options of reading and grouping orders and line items.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Lines {
    /// The names of the columns in the input.
    pub columns: TransactionColumns,
    /// The options of reading.
    pub options: TransactionOptions,
    /// The policies of grouping.
    pub orders: OrderOptions,
}

impl Lines {
    /// Sets [`columns`](Lines::columns).
    #[must_use]
    pub fn with_columns(mut self, columns: TransactionColumns) -> Self {
        self.columns = columns;
        self
    }

    /// Sets [`options`](Lines::options).
    #[must_use]
    pub fn with_options(mut self, options: TransactionOptions) -> Self {
        self.options = options;
        self
    }

    /// Sets [`orders`](Lines::orders).
    #[must_use]
    pub fn with_orders(mut self, orders: OrderOptions) -> Self {
        self.orders = orders;
        self
    }

    /// The files behind names, as [`Files::find_transactions`] finds them, with every column.
    ///
    /// # Errors
    /// Those of [`Files::find_transactions`].
    pub fn find<S: AsRef<str>>(&self, named: &[S], format: Option<Format>, batch_rows: usize) -> Result<Files<TransactionBatch>> {
        Files::find_as(named, format, self.kind()?, batch_rows)
    }

    /// The files behind names, as [`Lines::find`] finds them, without margins. Those and products are read only where they are needed to
    /// tell lines from each other.
    ///
    /// # Errors
    /// Those of [`Lines::find`].
    pub fn find_sales<S: AsRef<str>>(&self, named: &[S], format: Option<Format>, batch_rows: usize) -> Result<Files<TransactionBatch>> {
        Files::find_as(named, format, self.sales()?, batch_rows)
    }

    /// Arrow batches of orders or line items, for [`Pipeline::run_transactions`](crate::Pipeline::run_transactions). They are called `name` in
    /// reports and errors.
    ///
    /// # Errors
    /// When the options are not right.
    pub fn batches<I>(&self, name: impl Into<String>, iter: I) -> Result<Batches<I, TransactionBatch>> {
        Ok(Batches::of_lines(name, self.sales()?, iter))
    }

    /// The policy for copies. Where the total of an order counts once, copies of lines change nothing.
    pub(crate) fn duplicates(&self) -> Duplicates {
        if self.options.amount == AmountFrom::Order { Duplicates::Keep } else { self.orders.duplicates }
    }

    /// The rows to read, with every column.
    pub(crate) fn kind(&self) -> Result<Transactions> {
        Transactions::new(self.columns.clone(), &self.options, self.orders.timezone)
    }

    /// The rows to read where margins are not needed.
    fn sales(&self) -> Result<Transactions> {
        if self.duplicates() != Duplicates::Keep && !self.options.one_row_per_order {
            return self.kind();
        }
        Transactions::without_margins(self.columns.clone(), &self.options, self.orders.timezone)
    }
}

/// All lines of an input, ready to be grouped.
pub struct Orders {
    partitions: Arc<Partitions>,
    validation: Arc<Validation>,
    threads: usize,
    /// Bytes for each thread to group in.
    merge: u64,
    /// The number of partitions that have been grouped.
    grouped: AtomicUsize,
}

/// The memory, the policies and the helpers that lines are read and grouped with.
pub(crate) struct Setting {
    /// Shared with the stage that takes the orders.
    pub(crate) budget: Budget,
    /// Takes spilled frames; it uses that budget.
    pub(crate) store: Arc<dyn RunStore>,
    pub(crate) threads: usize,
    pub(crate) bad: BadLines,
    pub(crate) cancel: Cancel,
    pub(crate) stats: Arc<Stats>,
    /// Bytes for each thread to group in.
    pub(crate) merge: u64,
}

impl std::fmt::Debug for Orders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Orders").field("partitions", &self.partitions.len()).field("summary", &self.summary()).finish()
    }
}

impl Orders {
    /// The options that lines were validated with, and what was counted.
    pub(crate) fn validation(&self) -> &Arc<Validation> {
        &self.validation
    }

    /// The counts so far. Those of lines are complete; those of orders are once all partitions have been grouped.
    pub fn summary(&self) -> LineSummary {
        self.validation.summary()
    }
}

/// Sentences about lines that are not simply counted: rejected ones, refunds, lines without a customer, duplicates.
pub fn special_lines(lines: &LineSummary) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    for (reason, count) in &lines.lines_rejected {
        let amount = lines.rejected_amounts.get(reason).map_or(String::new(), |amount| format!(", {}", money(amount.rounded())));
        said.push(format!("lines rejected, {reason}: {}{amount}", grouped(*count)));
    }
    if lines.refund_lines > 0 {
        said.push(format!("refunds: {}, {}", counted(lines.refund_lines, "line", "lines"), money(lines.refunds.rounded())));
    }
    if lines.anonymous_lines > 0 {
        let (count, orders) = (counted(lines.anonymous_lines, "line", "lines"), counted(lines.anonymous_orders, "order", "orders"));
        said.push(match (lines.anonymous_orders, lines.anonymous_revenue) {
            (0, Money::ZERO) => format!("without a customer: {count}, {}", money(lines.anonymous_dropped.rounded())),
            (_, revenue) => format!("without a customer: {count}; reported: {orders}, {}", money(revenue)),
        });
    }
    if lines.duplicate_lines > 0 {
        let amount = money(lines.duplicates.rounded());
        said.push(format!("lines left out as duplicates: {}, {amount}", grouped(lines.duplicate_lines)));
    }
    said
}
