//! Generated rows as Arrow batches, and as a source of a pipeline.

use super::MARGIN;
use super::generator::{GeneratedRows, Generator, SLOTS};
use crate::base::error::{Error, Result};
use crate::model::period_batch::{NO_TIMESTAMP, Origin, PeriodBatch};
use crate::source::{Chunk, Sink, Source};
use arrow::array::{ArrayRef, Decimal128Array, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use std::sync::Arc;

impl Generator {
    /// The rows of a chunk with all eight columns of period aggregations.
    ///
    /// # Errors
    /// Never, in practice: the columns have one length.
    pub fn record_batch(&self, chunk: u64) -> Result<RecordBatch> {
        let GeneratedRows { ids, starts, ends, orders, cents, quantities, last, .. } = self.rows(chunk);
        let unfit = |e| Error::internal("generated rows do not fit a batch").cause(e);
        let money = |values: &mut dyn Iterator<Item = i64>| {
            Decimal128Array::from_iter_values(values.map(i128::from)).with_precision_and_scale(18, 2).map_err(unfit)
        };
        let spend = money(&mut cents.iter().copied())?;
        let margin = money(&mut cents.iter().map(|c| c * MARGIN / 100))?;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(ids),
            Arc::new(TimestampMicrosecondArray::from(starts)),
            Arc::new(TimestampMicrosecondArray::from(ends)),
            Arc::new(Int64Array::from(orders)),
            Arc::new(spend),
            Arc::new(margin),
            Arc::new(Int64Array::from(quantities)),
            Arc::new(TimestampMicrosecondArray::from_iter(last.into_iter().map(|t| (t != NO_TIMESTAMP).then_some(t)))),
        ];
        RecordBatch::try_new(schema(), columns).map_err(unfit)
    }

    /// The generated rows as a source of a pipeline.
    pub fn source(self) -> SyntheticSource {
        let origin = Arc::new(Origin { name: "synthetic".to_owned() });
        SyntheticSource { generator: Arc::new(self), origin, next: 0 }
    }
}

/// The columns of generated rows.
pub fn schema() -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Microsecond, None);
    let money = DataType::Decimal128(18, 2);
    Arc::new(Schema::new(vec![
        Field::new("customer_id", DataType::Utf8View, false),
        Field::new("period_start", time.clone(), false),
        Field::new("period_end", time.clone(), false),
        Field::new("total_orders", DataType::Int64, false),
        Field::new("total_spend", money.clone(), false),
        Field::new("total_margin", money, false),
        Field::new("total_quantity", DataType::Int64, false),
        Field::new("last_transaction_ts", time, true),
    ]))
}

/// Generated rows as a source.
pub struct SyntheticSource {
    generator: Arc<Generator>,
    origin: Arc<Origin>,
    next: u64,
}

impl Source for SyntheticSource {
    fn inputs(&self) -> Vec<String> {
        vec![self.origin.name.clone()]
    }

    fn next_chunk(&mut self) -> Result<Option<Box<dyn Chunk>>> {
        if self.next == self.generator.chunks() {
            return Ok(None);
        }
        let chunk = SyntheticChunk { generator: self.generator.clone(), origin: self.origin.clone(), number: self.next };
        self.next += 1;
        Ok(Some(Box::new(chunk)))
    }
}

struct SyntheticChunk {
    generator: Arc<Generator>,
    origin: Arc<Origin>,
    number: u64,
}

impl Chunk for SyntheticChunk {
    fn decode(self: Box<Self>, sink: &mut Sink<'_>) -> Result<()> {
        let GeneratedRows { ids, starts, ends, orders, cents, last, .. } = self.generator.rows(self.number);
        // How many rows the chunks before made is not known; chunks are numbered apart instead.
        let first_row = self.number * SLOTS + 1;
        sink(PeriodBatch {
            origin: self.origin,
            first_row,
            first_line: None,
            ids,
            starts: starts.into(),
            ends: ends.into(),
            orders: orders.into(),
            cents: cents.into(),
            fractions: Vec::new().into(),
            last_transactions: last.into(),
            bad: Vec::new(),
            skipped: Vec::new(),
            whence: None,
            of_orders: false,
        })
    }
}
