//! Batches of lines that a caller pushes, one at a time and on one thread.
//!
//! In come Arrow batches. Rows that are whole orders go out at once as period aggregations; other lines wait in partitions, and are
//! [`Orders`] when the last batch has come.

use super::pre_aggregate::{PreAggregation, PreAggregator};
use super::to_periods::PeriodFinder;
use super::validate::Validation;
use super::whole_orders::Converter;
use super::{LineSummary, Lines, Orders, Setting};
use crate::base::error::Result;
use crate::model::line_batch::TransactionBatch;
use crate::model::period_batch::Origin;
use crate::source::Sink;
use crate::source::row_kind::{ArrowColumns, RowKind};
use crate::source::shared::BatchTaker;
use crate::source::transactions::Transactions;
use arrow::array::RecordBatch;
use std::sync::Arc;

/// The chunk that all batches belong to: their rows follow each other.
const CHUNK: u64 = 1;

/// Lines that are pushed, until the last batch has come.
pub(crate) struct PushedLines {
    lines: Lines,
    kind: Transactions,
    origin: Arc<Origin>,
    rows: u64,
    road: Road,
}

/// The two ways that lines take.
enum Road {
    /// Rows that are whole orders.
    Whole(Box<Converter>, Arc<Validation>),
    /// Lines that wait for others of their order.
    Grouped(Box<PreAggregator>, PreAggregation),
}

/// All lines that were pushed.
pub(crate) enum FinishedLines {
    /// Rows that were whole orders have gone out before: only their counts are left.
    Whole(Box<LineSummary>),
    /// Orders that are not grouped yet.
    Grouped(Orders),
}

impl PushedLines {
    /// The name of the input, in reports and errors.
    pub(crate) const NAME: &str = "pushed orders";

    /// Lines that will be pushed, none so far; `lines` says how they are read.
    ///
    /// # Errors
    /// When the options are not right.
    pub(crate) fn new(lines: &Lines, periods: PeriodFinder, setting: Setting) -> Result<Self> {
        let kind = lines.sales()?;
        setting.stats.share_notes(kind.notes());
        let road = if lines.options.one_row_per_order {
            let validation = Arc::new(Validation::new(lines, setting.bad, setting.cancel));
            setting.stats.share_notes(validation.notes().clone());
            let mut converter = Converter::new(validation.clone(), periods);
            converter.begin_chunk(CHUNK);
            Road::Whole(Box::new(converter), validation)
        } else {
            let aggregation = PreAggregation::new(lines, false, setting, None);
            let mut aggregator = aggregation.aggregator();
            aggregator.begin_chunk(CHUNK);
            Road::Grouped(Box::new(aggregator), aggregation)
        };
        let origin = Arc::new(Origin { name: Self::NAME.to_owned() });
        Ok(PushedLines { lines: lines.clone(), kind, origin, rows: 0, road })
    }

    /// The options that all batches are read with.
    pub(crate) fn lines(&self) -> &Lines {
        &self.lines
    }

    /// Converts a batch.
    ///
    /// # Errors
    /// A missing or unfit column.
    pub(crate) fn read(&mut self, batch: &RecordBatch) -> Result<TransactionBatch> {
        let columns = self.kind.resolve(&batch.schema(), &self.origin)?;
        let batch = columns.batch(batch, self.rows + 1)?;
        self.rows += batch.times.len() as u64;
        Ok(batch)
    }

    /// Takes a batch in; `sink` gets the orders that are whole.
    ///
    /// # Errors
    /// A bad line under [`OnBadRow::Fail`](crate::model::reject::OnBadRow::Fail); what the sink or the disk fails with.
    pub(crate) fn take(&mut self, batch: TransactionBatch, sink: &mut Sink<'_>) -> Result<()> {
        match &mut self.road {
            Road::Whole(converter, _) => converter.take(&batch, sink),
            Road::Grouped(aggregator, _) => aggregator.take(batch),
        }
    }

    /// Ends the input.
    ///
    /// # Errors
    /// When the disk takes no more.
    pub(crate) fn finish(self) -> Result<FinishedLines> {
        match self.road {
            Road::Whole(mut converter, validation) => {
                converter.finish();
                Ok(FinishedLines::Whole(Box::new(validation.finish_whole())))
            }
            Road::Grouped(mut aggregator, aggregation) => {
                aggregator.finish()?;
                drop(aggregator);
                Ok(FinishedLines::Grouped(aggregation.into_orders()))
            }
        }
    }
}
