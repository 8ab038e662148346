//! Orders and line items in pipelines: lines are grouped, and their orders are rows like any other.

use super::{Pipeline, Resources};
use crate::base::error::Result;
use crate::base::merge::Merge;
use crate::lens::Lens;
use crate::model::line_batch::TransactionBatch;
use crate::orders::{LineSummary, Lines, OrderSource, Orders, Periods, Setting, WholeOrders};
use crate::source::Source;
use std::sync::Arc;

impl<L: Lens> Pipeline<L> {
    /// Says what went in, besides what went in before.
    pub(crate) fn add_lines(&mut self, more: LineSummary) {
        self.lines.merge(Some(more));
    }

    /// Reads orders and line items to their end, groups them, and takes their orders in. `lines` is what the source was opened with. The
    /// lines of an order must all be in one source.
    ///
    /// # Errors
    /// A line that is bad, under [`OnBadRow::Fail`](crate::model::reject::OnBadRow::Fail), or what [`run`](Pipeline::run) fails with.
    pub fn run_transactions(&mut self, source: impl Source<TransactionBatch> + 'static, lines: &Lines) -> Result<()> {
        let Resources { plan, store, rejects, cancel, .. } = &self.state.resources;
        let (on_bad_row, rejects, cancel) = (self.spec.on_bad_row, rejects.clone(), cancel.clone());
        let periods = Periods::of_windows(&self.spec.windows, lines.orders.timezone);
        if lines.options.one_row_per_order {
            let (orders, desk) = WholeOrders::new(source, lines, periods, (on_bad_row, rejects), cancel);
            self.run(orders)?;
            self.add_lines(desk.summary());
            return Ok(());
        }
        let setting = Setting {
            budget: plan.budget.clone(),
            store: store.clone(),
            threads: self.spec.worker_count(),
            on_bad_row,
            rejects,
            cancel,
            stats: self.stats.clone(),
            merge: plan.merge_memory,
        };
        let inputs = source.inputs();
        let orders = Arc::new(Orders::read(source, lines, false, setting)?);
        self.run(OrderSource::of(orders.clone(), periods, inputs))?;
        self.add_lines(orders.summary());
        Ok(())
    }
}
