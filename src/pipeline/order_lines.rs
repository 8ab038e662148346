//! Pipelines of orders and line items: lines are grouped, and their orders are rows like any other.

use super::keeping::Keeping;
use super::{Pipeline, Resources, Running};
use crate::base::error::{Error, Result};
use crate::base::merge::Merge;
use crate::lens::Lens;
use crate::model::line_batch::TransactionBatch;
use crate::orders::{
    BadLines, FinishedLines, LineSummary, Lines, OrderSource, Orders, PeriodFinder, PushedLines, Refunds, Setting, WholeOrders,
};
use crate::source::Source;
use crate::source::mapping::judge;
use arrow::array::RecordBatch;
use std::sync::Arc;

impl<L: Lens> Pipeline<L> {
    /// Adds counts of lines to those of the report.
    pub(crate) fn add_lines(&mut self, more: LineSummary) {
        self.lines.merge(Some(more));
    }

    /// Reads orders and line items to their end, groups them, and takes their orders in. `lines` is what the source was opened with. The
    /// lines of an order must all be in one source.
    ///
    /// # Errors
    /// What [`run`](Pipeline::run) fails with; as there, bad lines are an error of [`finish`](Pipeline::finish).
    pub fn run_transactions(&mut self, source: impl Source<TransactionBatch> + 'static, lines: &Lines) -> Result<()> {
        let periods = self.periods(lines)?;
        let setting = self.setting(self.spec.worker_count());
        self.has_orders = true;
        self.lines_read = Some(lines.options.reading.clone());
        self.nets_refunds |= lines.orders.refunds == Refunds::Net;
        let notes = source.notes();
        self.stats.share_notes(notes.clone());
        if lines.options.one_row_per_order {
            let (orders, validation) = WholeOrders::new(source, lines, periods.clone(), setting.bad, setting.cancel);
            self.stats.share_notes(validation.notes().clone());
            self.run_of_orders(orders)?;
            self.judge_orders(validation, periods);
            return judge(&notes).map_err(|e| self.fail(e));
        }
        let inputs = source.inputs();
        let orders = Orders::read(source, lines, false, setting)?;
        judge(&notes).map_err(|e| self.fail(e))?;
        self.run_orders(orders, periods, inputs)
    }

    /// Takes a batch of orders or line items, with the columns of [`TransactionColumn`](crate::model::TransactionColumn) in any accepted
    /// types. `lines` says how they are read, and must be equal for all batches. Lines of an order may be in several batches, so they wait
    /// until the pipeline finishes; then they are grouped, and the answers are those of [`run_transactions`](Pipeline::run_transactions).
    /// Rows that are whole orders do not wait.
    ///
    /// # Errors
    /// A missing or unfit column, options that are not right or others than before, or the first cause of a failure elsewhere. Bad lines and
    /// orders are an error of [`finish`](Pipeline::finish), or, with [`fail_fast`](crate::Spec::fail_fast), bad lines are one here.
    ///
    /// ```
    /// use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
    /// use lensflow::Pipeline;
    /// use lensflow::model::{Granularity, Windows};
    /// use lensflow::orders::Lines;
    /// use std::sync::Arc;
    ///
    /// let batch = |order: &str, days: [&str; 2], prices: [f64; 2]| {
    ///     let texts = |values: [&str; 2]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    ///     RecordBatch::try_from_iter([
    ///         ("order_id", texts([order, "O-2"])),
    ///         ("customer_id", texts(["anna", "ben"])),
    ///         ("event_ts", texts(days)),
    ///         ("quantity", Arc::new(Int64Array::from(vec![1, 2]))),
    ///         ("unit_price", Arc::new(Float64Array::from(prices.to_vec()))),
    ///     ])
    /// };
    /// let lines = Lines::default();
    /// let mut pipeline = Pipeline::builder().windows(Windows::Every(Granularity::Month)).build()?;
    /// pipeline.push_orders(&batch("O-1", ["2024-01-05", "2024-01-09"], [20.0, 5.0])?, &lines)?;
    /// pipeline.push_orders(&batch("O-3", ["2024-01-20", "2024-01-09"], [10.0, 7.5])?, &lines)?;
    /// let audit = pipeline.finish()?;
    /// let read = audit.report.input.transactions.as_ref();
    /// assert_eq!(read.map(|read| (read.lines, read.orders)), Some((4, 3)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn push_orders(&mut self, batch: &RecordBatch, lines: &Lines) -> Result<()> {
        if self.poison.is_set() {
            return Err(self.poison.take());
        }
        if self.keeping.is_some() {
            let what = "a state keeps the ids of its orders, and pushed orders cannot be looked for in it";
            return Err(Error::usage(what).help("read them as a source, with `run_transactions`"));
        }
        let mut pushed = match self.pushed_lines.take() {
            Some(pushed) => pushed,
            None => {
                let periods = self.periods(lines)?;
                PushedLines::new(lines, periods, self.setting(1))?
            }
        };
        let taken = if pushed.lines() == lines {
            pushed.read(batch)
        } else {
            Err(Error::usage("all pushed orders must be read with the same options"))
        };
        self.nets_refunds |= lines.orders.refunds == Refunds::Net;
        self.has_orders = true;
        self.lines_read.get_or_insert_with(|| lines.options.reading.clone());
        let Running { router, lanes, .. } = &mut self.state;
        let before = self.stats.rows_read();
        let taken = taken.map(|batch| pushed.take(batch, &mut |rows| router.route(&rows, lanes)));
        self.judged.orders += self.stats.rows_read() - before;
        self.pushed_lines = Some(pushed);
        taken?.map_err(|e| self.fail(e))
    }

    /// Groups the lines that were pushed, if any, and takes orders in that waited.
    pub(super) fn finish_orders(&mut self) -> Result<()> {
        if self.poison.is_set() {
            return Err(self.poison.take());
        }
        let Some(pushed) = self.pushed_lines.take() else { return self.take_new_orders() };
        let periods = self.periods(pushed.lines())?;
        let inputs = vec![PushedLines::NAME.to_owned()];
        match pushed.finish()? {
            FinishedLines::Whole(summary) => {
                self.inputs.extend(inputs);
                self.judge_lines(*summary);
                Ok(())
            }
            FinishedLines::Grouped(orders) => self.run_orders(orders, periods, inputs),
        }
    }

    /// The periods of orders that are read so.
    fn periods(&self, lines: &Lines) -> Result<PeriodFinder> {
        self.rfm_columns.check(Some(lines))?;
        let periods = PeriodFinder::of_windows(&self.spec, lines.orders.timezone);
        Ok(if self.rfm_columns.needs_first() { periods.of_moments(&self.spec) } else { periods })
    }

    /// Groups orders, and takes them in.
    fn run_orders(&mut self, orders: Orders, periods: PeriodFinder, inputs: Vec<String>) -> Result<()> {
        let orders = Arc::new(orders);
        self.run_of_orders(OrderSource::of(orders.clone(), periods.clone(), inputs))?;
        self.judge_orders(orders.validation().clone(), periods);
        Ok(())
    }

    /// Runs a source whose rows are the orders of lines: bad rows are judged by the lines.
    pub(super) fn run_of_orders(&mut self, orders: impl Source + 'static) -> Result<()> {
        let before = self.stats.rows_read();
        let done = self.read(orders);
        self.judged.orders += self.stats.rows_read() - before;
        done
    }

    /// Adds the counts of lines that were read here.
    pub(super) fn judge_lines(&mut self, lines: LineSummary) {
        self.judged.lines += lines.lines;
        self.judged.lines_rejected += lines.lines_rejected.values().sum::<u64>();
        self.add_lines(lines);
    }

    /// The memory and the policies that lines are read and grouped with.
    fn setting(&self, threads: usize) -> Setting {
        let Resources { plan, store, rejects, cancel, .. } = &self.state.resources;
        Setting {
            budget: plan.budget.clone(),
            store: store.clone(),
            threads,
            bad: BadLines {
                on_bad_row: self.spec.on_bad_row,
                fail_fast: self.spec.fail_fast,
                max_rejects: self.spec.max_rejects,
                rejects: rejects.clone(),
                causes: Some(self.ledger.causes.clone()),
                stats: self.stats.clone(),
                waiting: self.keeping.as_ref().map(Keeping::waiting),
            },
            cancel: cancel.clone(),
            stats: self.stats.clone(),
            merge: plan.merge_memory,
        }
    }
}
