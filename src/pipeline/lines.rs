//! Where pipelines meet orders and line items: lines are grouped, and their orders are rows like any other.

use super::Pipeline;
use crate::error::Result;
use crate::lens::Lens;
use crate::merge::Merge;
use crate::orders::{LineSummary, OrderOptions, OrderSource, Orders, Setting};
use crate::source::Source;
use crate::source::transactions::{TransactionBatch, TransactionOptions};
use std::sync::Arc;

impl<L: Lens> Pipeline<L> {
    /// Says what went in, besides what went in before.
    pub(crate) fn add_lines(&mut self, more: LineSummary) {
        match &mut self.lines {
            Some(lines) => lines.merge(more),
            lines => *lines = Some(more),
        }
    }

    /// Reads orders and line items to their end, groups them, and takes their orders in. `options` are those that the source was opened
    /// with. The lines of an order must all be in one source.
    ///
    /// # Errors
    /// A line that is bad, under [`OnBadRow::Fail`](crate::reject::OnBadRow::Fail), or what [`run`](Pipeline::run) fails with.
    pub fn run_transactions(
        &mut self,
        source: impl Source<TransactionBatch>,
        orders: &OrderOptions,
        options: &TransactionOptions,
    ) -> Result<()> {
        let inputs = source.inputs();
        let resources = &self.state.resources;
        let setting = Setting {
            budget: resources.plan.budget.clone(),
            store: resources.store.clone(),
            threads: self.spec.worker_count(),
            on_bad_row: self.spec.on_bad_row,
            rejects: resources.rejects.clone(),
            cancel: resources.cancel.clone(),
            stats: self.stats.clone(),
        };
        let orders = Arc::new(Orders::read(source, (orders, options), setting)?);
        self.run(OrderSource::new(orders.clone(), &self.spec.windows.clone(), inputs))?;
        self.add_lines(orders.summary());
        Ok(())
    }
}
