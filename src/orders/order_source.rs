//! Orders as a source of period aggregations: a chunk is a partition, a row is an order, or a customer's refunds that belong to none. The
//! stages after it add up the rows of a customer and period.

use super::group::Order;
use super::to_periods::{OrderRows, PeriodFinder, take};
use super::{Orders, Validation};
use crate::base::error::{Error, Result, Stage};
use crate::model::ids::INLINE;
use crate::model::period_batch::{Origin, PeriodBatch, Whence};
use crate::source::{Chunk, Sink, Source};
use crate::spec::Spec;
use arrow::array::StringViewArray;
use arrow::array::builder::make_view;
use std::sync::Arc;

/// Rows that are handed over at a time.
const ROWS: usize = 8_192;

/// Reads orders as period aggregations.
pub struct OrderSource {
    orders: Arc<Orders>,
    periods: PeriodFinder,
    inputs: Vec<String>,
    next: usize,
}

impl OrderSource {
    /// A source for the windows of a run: orders belong to calendar periods of their kind, or, where windows are listed, to the window that their
    /// time lies in. `inputs` are the names of what the lines were read from.
    pub fn new(orders: Arc<Orders>, spec: &Spec, inputs: Vec<String>) -> Self {
        let periods = PeriodFinder::of_windows(spec, orders.validation.options.timezone);
        Self::of(orders, periods, inputs)
    }

    pub(crate) fn of(orders: Arc<Orders>, periods: PeriodFinder, inputs: Vec<String>) -> Self {
        OrderSource { orders, periods, inputs, next: 0 }
    }
}

impl Source for OrderSource {
    fn inputs(&self) -> Vec<String> {
        self.inputs.clone()
    }

    fn next_chunk(&mut self) -> Result<Option<Box<dyn Chunk>>> {
        if self.next == self.orders.partitions.len() {
            return Ok(None);
        }
        self.next += 1;
        Ok(Some(Box::new(OrderChunk { orders: self.orders.clone(), periods: self.periods.clone(), partition: self.next - 1 })))
    }
}

/// The orders of a partition.
struct OrderChunk {
    orders: Arc<Orders>,
    periods: PeriodFinder,
    partition: usize,
}

impl Chunk for OrderChunk {
    fn decode(self: Box<Self>, sink: &mut Sink<'_>) -> Result<()> {
        let mut batch = OrderBatch::new(Arc::new([self.orders.validation.clone()]), self.periods.clone());
        let take = |order: &Order<'_>| {
            batch.push(order, 0);
            if batch.len() == ROWS { sink(batch.take()?) } else { Ok(()) }
        };
        self.orders.group(self.partition, &self.periods, take).map_err(|e| e.stage(Stage::Source))?;
        if batch.len() == 0 { Ok(()) } else { sink(batch.take()?) }
    }
}

/// Rows on their way, with their customers and the positions they came from.
pub(super) struct OrderBatch {
    origin: Arc<Origin>,
    /// Those of the sources that orders are from.
    validations: Arc<[Arc<Validation>]>,
    first_row: u64,
    /// Ids as Arrow views, and the long ones.
    views: Vec<u128>,
    long: Vec<u8>,
    /// The positions of the first lines of orders, in the sources of these numbers.
    positions: Vec<(u32, u64)>,
    rows: OrderRows,
}

impl OrderBatch {
    pub(super) fn new(validations: Arc<[Arc<Validation>]>, periods: PeriodFinder) -> Self {
        let origin = Arc::new(Origin { name: "orders".to_owned() });
        let (views, long, positions) = Default::default();
        OrderBatch { origin, validations, first_row: 1, views, long, positions, rows: OrderRows::new(periods) }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Appends an order from the source of a number.
    pub(super) fn push(&mut self, order: &Order<'_>, source: u32) {
        self.views.push(make_view(order.customer, 0, self.long.len() as u32));
        if order.customer.len() > INLINE {
            self.long.extend_from_slice(order.customer);
        }
        self.positions.push((source, order.position));
        self.rows.push(order.time, order.counts, order.spend);
    }

    /// All orders so far; the next are others.
    pub(super) fn take(&mut self) -> Result<PeriodBatch> {
        // Ids were texts before they were bytes.
        let ids = StringViewArray::try_new(take(&mut self.views).into(), vec![take(&mut self.long).into()], None);
        let ids = ids.map_err(|e| Error::internal("ids of customers are no texts any more").cause(e))?;
        let first_row = self.first_row;
        self.first_row += self.rows.len() as u64;
        let (positions, validations) = (take(&mut self.positions), self.validations.clone());
        let find = move |(source, position): (u32, u64)| validations[source as usize].provenance.find(position);
        let whence = Some(Whence::new(move |row| find(positions[row])));
        Ok(PeriodBatch { whence, ..self.rows.take(self.origin.clone(), first_row, ids) })
    }
}
