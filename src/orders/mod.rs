//! Orders: line items → orders → period aggregations. A stage before [`route`](crate::route), which can also be used alone.
//!
//! ```text
//!  TransactionBatch ──▶ judge ──▶ intake ──bundles──▶ Partitions ──▶ group ──orders──▶ PeriodBatch ──▶ route
//!  lines, anywhere      leaves    adds up lines that   by order;     one order        one row an order
//!                       out       follow each other    may spill     after another
//!                                                                     └─▶ periods: sorted, added up ──▶ table
//! ```
//!
//! | file | owns |
//! |---|---|
//! | here | the options, what was counted, [`Orders`]: lines that are all there |
//! | `places` | where a line came from, in one number |
//! | `judge` | lines that are bad, nobody's, or refunds |
//! | `bundle` | the message: lines of an order that follow each other, added up; a buffer of them, and its frame |
//! | `intake` | batches → bundles, on all threads |
//! | `partitions` | where bundles wait, in memory or spilled |
//! | `fault` | what can be wrong with an order |
//! | `group`, `record` | a partition's bundles → orders; lines that are there twice, orders of two customers |
//! | `rows` | the period an order belongs to; orders as columns of period aggregations |
//! | `source` | orders as a [`Source`](crate::source::Source) of period aggregations: a chunk is a partition |
//! | `whole` | rows that are whole orders, as such a source: nothing waits |
//! | `periods` | orders → a row for each customer and calendar period |
//!
//! Lines of an order may be anywhere, so all wait until the last has been read, in the partition that their order's hash names. Exports
//! mostly have the lines of an order next to each other; then what waits is a bundle of 64 bytes for each order.
//!
//! What an order is: its time is that of its earliest line, its spend and margin are the exact sums of its lines, rounded to cents half
//! away from zero. It belongs to the calendar period of its time in the time zone that is asked for; times are told in that zone from
//! there on. A refund is a line with a negative quantity or worth; an order of nothing but refunds is netted without counting as an order,
//! and beside other lines a refund does not decide the order's time.
//!
//! Known limits: margins and products are read only where [`Orders::write_periods`] needs them or lines that are the same are looked for,
//! and an order's margin or quantity that is too large is a fault for the former only.
//! Refunds are counted before duplicates and conflicts are left out.

use self::fault::Fault;
use self::partial_order::Bundle;
use self::partitions::Partitions;
use self::provenance::Places;
use crate::base::cancel::Cancel;
use crate::base::error::Result;
use crate::base::merge::Merge;
use crate::base::money::{Money, Total};
use crate::base::text::{counted, grouped, money};
use crate::base::threads::lock;
use crate::model::line_batch::TransactionBatch;
use crate::model::line_columns::TransactionColumns;
use crate::model::reject::{OnBadRow, Reason, Reject};
use crate::source::files::{Files, Format};
use crate::source::transactions::{TransactionOptions, Transactions};
use crate::spill::{Budget, RunStore, Sorter};
use crate::stats::Stats;
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
mod export;
mod fault;
mod group;
mod line_record;
mod order_source;
mod partial_order;
mod partitions;
mod pre_aggregate;
mod provenance;
mod to_periods;
mod validate;
mod whole_orders;

pub use self::export::schema;
pub use self::order_source::OrderSource;
pub(crate) use self::to_periods::Periods;
pub(crate) use self::whole_orders::WholeOrders;

/// What is done about lines that many shops have, and none should count without a word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OrderOptions {
    /// Lines with a negative quantity or worth.
    pub refunds: Refunds,
    /// Lines without a customer.
    pub anonymous: Anonymous,
    /// Lines of an order that are the same in all that is read of them. Rows that are whole orders are not compared.
    pub duplicates: Duplicates,
    /// Whose calendar orders belong to, an IANA name.
    pub timezone: Tz,
}

impl Default for OrderOptions {
    fn default() -> Self {
        OrderOptions { refunds: Refunds::Fail, anonymous: Anonymous::Fail, duplicates: Duplicates::Fail, timezone: Tz::UTC }
    }
}

/// What is done about refunds. They are counted and summed either way.
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

/// What is done about lines without a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Anonymous {
    /// They are bad rows.
    #[default]
    Fail,
    /// They are left out, and counted.
    Drop,
    /// They are left out of what is said of customers, and their orders and revenue are reported.
    Report,
}

/// What is done about lines of an order that are the same in customer, time, product, quantity, worth and margin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Duplicates {
    /// All but the first are bad rows.
    #[default]
    Fail,
    /// All but the first are left out, and counted.
    Drop,
    /// They are lines like any other.
    Keep,
}

/// What went in, where that was orders and line items.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LineSummary {
    /// Lines read.
    pub lines: u64,
    /// Lines left out as bad, by reason.
    pub lines_rejected: BTreeMap<Reason, u64>,
    /// Orders of customers.
    pub orders: u64,
    /// Lines that give money back, whether they were netted or left out, for this or, later, for what is wrong with their orders.
    pub refund_lines: u64,
    /// What they come to; exact until it is reported.
    pub refunds: Total,
    /// Lines without a customer that were left out of what is said of customers.
    pub anonymous_lines: u64,
    /// Their orders, where they are reported.
    pub anonymous_orders: u64,
    /// The revenue of these orders.
    pub anonymous_revenue: Money,
    /// Lines that were left out because another is the same.
    pub duplicate_lines: u64,
}

impl LineSummary {
    /// Counts an order of nobody, or, where it does not count as one, what was given back.
    fn add_anonymous(&mut self, counts: bool, spend: Total) {
        self.anonymous_orders += u64::from(counts);
        self.anonymous_revenue += spend.rounded();
    }

    /// As it is reported: in cents.
    pub(crate) fn rounded(self) -> Self {
        LineSummary { refunds: self.refunds.rounded().into(), ..self }
    }
}

impl Merge for LineSummary {
    fn merge(&mut self, other: LineSummary) {
        self.lines += other.lines;
        Merge::merge(&mut self.lines_rejected, other.lines_rejected);
        self.orders += other.orders;
        self.refund_lines += other.refund_lines;
        self.refunds.merge(other.refunds);
        self.anonymous_lines += other.anonymous_lines;
        self.anonymous_orders += other.anonymous_orders;
        self.anonymous_revenue += other.anonymous_revenue;
        self.duplicate_lines += other.duplicate_lines;
    }
}

/// How orders and line items are read and grouped, all of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lines {
    /// What the input calls its columns.
    pub columns: TransactionColumns,
    /// How it is read.
    pub options: TransactionOptions,
    /// How lines are grouped.
    pub orders: OrderOptions,
}

impl Lines {
    /// The files behind names, as [`Files::find_transactions`] finds them, with every column.
    ///
    /// # Errors
    /// Those of that.
    pub fn find<S: AsRef<str>>(&self, named: &[S], format: Option<Format>, batch_rows: usize) -> Result<Files<TransactionBatch>> {
        Files::find_transactions(named, format, self.columns.clone(), &self.options, batch_rows)
    }

    /// The same for whoever has no use for margins: they and products are read only to tell lines from each other.
    ///
    /// # Errors
    /// The same.
    pub fn find_sales<S: AsRef<str>>(&self, named: &[S], format: Option<Format>, batch_rows: usize) -> Result<Files<TransactionBatch>> {
        if self.orders.duplicates != Duplicates::Keep && !self.options.one_row_per_order {
            return self.find(named, format, batch_rows);
        }
        Files::find_as(named, format, Transactions::without_margins(self.columns.clone(), &self.options)?, batch_rows)
    }
}

/// Lines that are all there.
pub struct Orders {
    partitions: Partitions,
    desk: Arc<Desk>,
    threads: usize,
    /// Bytes for each thread to group in.
    merge: u64,
    /// Partitions that have been.
    grouped: AtomicUsize,
}

/// Where and in how much memory lines are grouped.
pub(crate) struct Setting {
    /// Shared with whoever takes the orders.
    pub(crate) budget: Budget,
    /// Takes what is spilled; it uses that budget.
    pub(crate) store: Arc<dyn RunStore>,
    pub(crate) threads: usize,
    pub(crate) on_bad_row: OnBadRow,
    /// Takes lines left out, where they are not only counted.
    pub(crate) rejects: Option<Arc<Sorter>>,
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

/// What all that judge lines share.
pub(crate) struct Desk {
    options: OrderOptions,
    reading: TransactionOptions,
    on_bad_row: OnBadRow,
    places: Places,
    /// What was counted so far.
    summary: Mutex<LineSummary>,
    /// Takes lines left out, where they are not only counted.
    rejects: Option<Arc<Sorter>>,
    cancel: Cancel,
    /// What is wrong with an order and ends the run: the place, the line, what can be done. It is the first of the input.
    first: Mutex<Option<(u64, Reject, &'static str)>>,
}

impl Desk {
    fn new(lines: &Lines, on_bad_row: OnBadRow, rejects: Option<Arc<Sorter>>, cancel: Cancel) -> Self {
        let (options, reading) = (lines.orders.clone(), lines.options.clone());
        Desk {
            options,
            reading,
            on_bad_row,
            places: Places::default(),
            summary: Mutex::default(),
            rejects,
            cancel,
            first: Mutex::default(),
        }
    }

    /// Leaves out a line for what is wrong with its order; where that ends the run, it does when all orders are known.
    #[cold]
    fn refuse(&self, line: &Bundle<'_>, fault: Fault) -> Result<()> {
        if self.on_bad_row != OnBadRow::Fail {
            return self.reject(fault.reject(line, self), fault.help());
        }
        let mut first = lock(&self.first);
        if first.as_ref().is_none_or(|(known, ..)| line.place < *known) {
            *first = Some((line.place, fault.reject(line, self), fault.help()));
        }
        Ok(())
    }

    /// Ends the run, if an order does.
    fn verdict(&self) -> Result<()> {
        lock(&self.first).take().map_or(Ok(()), |(_, reject, help)| Err(reject.into_error().help(help)))
    }

    /// Leaves a line out, or ends the run.
    #[cold]
    fn reject(&self, reject: Reject, help: &str) -> Result<()> {
        if self.on_bad_row == OnBadRow::Fail {
            return Err(reject.into_error().help(help));
        }
        *lock(&self.summary).lines_rejected.entry(reject.reason).or_default() += 1;
        self.rejects.as_ref().map_or(Ok(()), |rejects| rejects.desk().push(|out| reject.write(out)))
    }

    /// What was counted so far.
    pub(crate) fn summary(&self) -> LineSummary {
        lock(&self.summary).clone()
    }
}

impl Orders {
    /// What was counted so far: of lines, all of it; of orders, when they have been grouped, once.
    pub fn summary(&self) -> LineSummary {
        self.desk.summary()
    }
}

/// What is said of lines that are not simply counted, one by one: rejected ones, refunds, nobody's, duplicates.
pub fn special_lines(lines: &LineSummary) -> Vec<String> {
    let mut said: Vec<String> =
        lines.lines_rejected.iter().map(|(reason, count)| format!("lines rejected, {reason}: {}", grouped(*count))).collect();
    if lines.refund_lines > 0 {
        said.push(format!("refunds: {}, {}", counted(lines.refund_lines, "line", "lines"), money(lines.refunds.rounded())));
    }
    if lines.anonymous_lines > 0 {
        let (count, orders) = (counted(lines.anonymous_lines, "line", "lines"), counted(lines.anonymous_orders, "order", "orders"));
        said.push(match (lines.anonymous_orders, lines.anonymous_revenue) {
            (0, Money::ZERO) => format!("without a customer: {count}"),
            (_, revenue) => format!("without a customer: {count}; reported: {orders}, {}", money(revenue)),
        });
    }
    if lines.duplicate_lines > 0 {
        said.push(format!("lines left out as duplicates: {}", grouped(lines.duplicate_lines)));
    }
    said
}
