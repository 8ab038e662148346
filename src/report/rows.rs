//! The rows behind the answers as Arrow batches: RFM rows, migration rows, rejects. Batches begin and end where the rows alone say.

use super::table::RowStream;
use crate::audit::At;
use crate::calendar::Window;
use crate::error::{Error, Result};
use crate::finalize::Block;
use crate::lens::comparison::{Status, migrations};
use crate::reject::Reject;
use crate::route::rows::{INLINE, long_view, parts};
use crate::source::Column;
use arrow::array::builder::make_view;
use arrow::array::{
    ArrayRef, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray, StringViewArray, TimestampMicrosecondArray, UInt8Array,
    UInt64Array,
};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use std::sync::Arc;

/// Rows in a batch.
pub(super) const BATCH: usize = 8_192;
/// Amounts fit 18 digits, which Parquet keeps in 64 bits.
const MONEY: DataType = DataType::Decimal128(18, 2);
const TIME: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

fn schema(fields: &[(&str, DataType, bool)]) -> SchemaRef {
    Arc::new(Schema::new(
        fields.iter().map(|(name, data_type, nullable)| Field::new(*name, data_type.clone(), *nullable)).collect::<Vec<_>>(),
    ))
}

/// The columns of RFM rows.
pub fn rfm_schema() -> SchemaRef {
    schema(&[
        ("window", DataType::Utf8View, false),
        ("customer_id", DataType::Utf8View, false),
        ("recency_days", DataType::Int32, false),
        ("frequency", DataType::Int64, false),
        ("monetary", MONEY, false),
        ("total_spend", MONEY, false),
        ("observation_start", TIME, false),
        ("observation_end", TIME, false),
        ("r_score", DataType::UInt8, false),
        ("f_score", DataType::UInt8, false),
        ("m_score", DataType::UInt8, false),
        ("rfm_score", DataType::Utf8View, false),
    ])
}

/// The columns of migration rows. A reactivated customer is new, too; the row says `reactivated`.
pub fn migration_schema() -> SchemaRef {
    let text = |name| (name, DataType::Utf8View, false);
    schema(&[text("from"), text("to"), text("customer_id"), text("status")])
}

/// The columns of rejects: where and why, then the row's fields as they were read.
pub fn reject_schema() -> SchemaRef {
    let mut fields: Vec<(&str, DataType, bool)> = ["source", "row", "line", "window", "reason", "column", "value"]
        .into_iter()
        .map(|name| (name, if matches!(name, "row" | "line") { DataType::UInt64 } else { DataType::Utf8 }, true))
        .collect();
    fields.extend(Column::ALL.into_iter().map(|column| (column.name(), DataType::Utf8, true)));
    schema(&fields)
}

fn as_batch(schema: SchemaRef, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
    RecordBatch::try_new(schema, columns).map_err(|e| Error::internal("rows cannot be put into a batch").cause(e))
}

/// Texts that repeat: their bytes once, a view a row.
struct Texts {
    bytes: Vec<u8>,
    views: Vec<u128>,
}

impl Texts {
    fn of<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut known = Texts { bytes: Vec::new(), views: Vec::new() };
        for text in texts {
            known.views.push(make_view(text.as_bytes(), 0, known.bytes.len() as u32));
            known.bytes.extend_from_slice(text.as_bytes());
        }
        known
    }

    fn array(&self, rows: impl Iterator<Item = usize>) -> Result<ArrayRef> {
        views(rows.map(|at| self.views[at]).collect(), vec![Buffer::from(self.bytes.as_slice())])
    }
}

fn views(views: Vec<u128>, blocks: Vec<Buffer>) -> Result<ArrayRef> {
    let array = StringViewArray::try_new(views.into(), blocks, None);
    Ok(Arc::new(array.map_err(|e| Error::internal("an id is not text").cause(e))?))
}

/// The ids of rows, long ones copied together: what the batch holds must not depend on where they lay.
fn id_array<'a>(ids: impl Iterator<Item = (&'a Block, u32)>) -> Result<ArrayRef> {
    let mut long: Vec<u8> = Vec::new();
    let own = ids.map(|(block, customer)| {
        let view = block.view(customer);
        if parts(view).0 <= INLINE {
            return view;
        }
        let offset = long.len() as u32;
        long.extend_from_slice(block.id_bytes(customer, &mut [0; 16]));
        long_view(view, 0, offset)
    });
    let own = own.collect();
    views(own, if long.is_empty() { Vec::new() } else { vec![Buffer::from_vec(long)] })
}

/// A stream of RFM rows.
#[derive(Debug)]
pub struct RfmRows<'a> {
    blocks: &'a [Block],
    windows: &'a [Window],
    /// The rows in a wanted order, or none for the engine's own.
    order: Option<std::vec::IntoIter<At>>,
    next: At,
}

impl<'a> RfmRows<'a> {
    pub(crate) fn new(blocks: &'a [Block], windows: &'a [Window], order: Option<Vec<At>>) -> Self {
        RfmRows { blocks, windows, order: order.map(Vec::into_iter), next: At { block: 0, window: 0, place: 0 } }
    }

    fn take(&mut self) -> Vec<At> {
        if let Some(order) = &mut self.order {
            return order.take(BATCH).collect();
        }
        let mut rows = Vec::with_capacity(BATCH);
        while let Some(window) = self.blocks.get(self.next.block as usize).and_then(|b| b.windows.get(self.next.window as usize)) {
            let from = self.next.place;
            let to = (window.len() as u32).min(from + (BATCH - rows.len()) as u32);
            rows.extend((from..to).map(|place| At { place, ..self.next }));
            self.next.place = to;
            if to < window.len() as u32 {
                break;
            }
            let last = self.next.window as usize + 1 == self.windows.len();
            self.next = if last {
                At { block: self.next.block + 1, window: 0, place: 0 }
            } else {
                At { window: self.next.window + 1, place: 0, ..self.next }
            };
        }
        rows
    }

    fn batch(&self, rows: &[At]) -> Result<RecordBatch> {
        let window = |at: &At| &self.blocks[at.block as usize].windows[at.window as usize];
        let names = Texts::of(self.windows.iter().map(|w| w.name.as_str()));
        let ids = rows.iter().map(|at| (&self.blocks[at.block as usize], window(at).customer[at.place as usize]));
        let money = |of: fn(&crate::finalize::WindowBlock) -> &[i64]| {
            let values = Decimal128Array::from_iter_values(rows.iter().map(|at| i128::from(of(window(at))[at.place as usize])));
            values.with_precision_and_scale(18, 2).map_err(|e| Error::internal("an amount does not fit").cause(e))
        };
        let score = |which: usize| UInt8Array::from_iter_values(rows.iter().map(|at| window(at).scores[at.place as usize][which]));
        let digits = |at: &At| window(at).scores[at.place as usize].map(|digit| b'0' + digit);
        as_batch(
            rfm_schema(),
            vec![
                names.array(rows.iter().map(|at| at.window as usize))?,
                id_array(ids)?,
                Arc::new(Int32Array::from_iter_values(rows.iter().map(|at| window(at).recency_days[at.place as usize]))),
                Arc::new(Int64Array::from_iter_values(rows.iter().map(|at| window(at).frequency[at.place as usize]))),
                Arc::new(money(|w| &w.monetary)?),
                Arc::new(money(|w| &w.total_spend)?),
                Arc::new(TimestampMicrosecondArray::from_iter_values(
                    rows.iter().map(|at| window(at).observation_start[at.place as usize]),
                )),
                Arc::new(TimestampMicrosecondArray::from_iter_values(
                    rows.iter().map(|at| self.windows[at.window as usize].observation_end),
                )),
                Arc::new(score(0)),
                Arc::new(score(1)),
                Arc::new(score(2)),
                views(rows.iter().map(|at| make_view(&digits(at), 0, 0)).collect(), Vec::new())?,
            ],
        )
    }
}

/// Where an RFM row is; a part of a [`RowStream`].
#[derive(Debug)]
pub struct RfmPart(Vec<At>);

impl RowStream for RfmRows<'_> {
    type Part = RfmPart;

    fn next_part(&mut self) -> Option<RfmPart> {
        let rows = self.take();
        (!rows.is_empty()).then_some(RfmPart(rows))
    }

    fn build(&self, part: &RfmPart) -> Result<RecordBatch> {
        self.batch(&part.0)
    }
}

impl Iterator for RfmRows<'_> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let part = self.next_part()?;
        Some(self.build(&part))
    }
}

/// A migration row: where the customer is (the window is the pair's first) and what became of them.
type Moved = (At, Status);

/// A stream of migration rows.
#[derive(Debug)]
pub struct MigrationRows<'a> {
    blocks: &'a [Block],
    windows: &'a [Window],
    waiting: std::collections::VecDeque<Moved>,
    next_block: usize,
}

impl<'a> MigrationRows<'a> {
    pub(crate) fn new(blocks: &'a [Block], windows: &'a [Window]) -> Self {
        MigrationRows { blocks, windows, waiting: std::collections::VecDeque::new(), next_block: 0 }
    }

    fn of(&self, block: usize, first: usize, mut take: impl FnMut(Moved)) {
        let start = self.windows[first + 1].start;
        migrations(&self.blocks[block], first, start, |customer, status| {
            take((At { block: block as u32, window: first as u32, place: customer }, status));
        });
    }

    /// All rows of one pair after the other.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = Vec<Moved>> {
        (0..self.windows.len().saturating_sub(1)).map(|first| {
            let mut rows = Vec::new();
            for block in 0..self.blocks.len() {
                self.of(block, first, |moved| rows.push(moved));
            }
            rows
        })
    }

    /// Gives these rows instead of the engine's own order.
    pub(crate) fn set_order(&mut self, rows: Vec<Moved>) {
        self.waiting = rows.into();
        self.next_block = self.blocks.len();
    }

    fn batch(&self, rows: &[Moved]) -> Result<RecordBatch> {
        let names = Texts::of(self.windows.iter().map(|w| w.name.as_str()));
        let statuses = [Status::Retained, Status::Churned, Status::New, Status::Reactivated];
        let known = Texts::of(statuses.iter().map(|s| s.name()));
        as_batch(
            migration_schema(),
            vec![
                names.array(rows.iter().map(|(at, _)| at.window as usize))?,
                names.array(rows.iter().map(|(at, _)| at.window as usize + 1))?,
                id_array(rows.iter().map(|(at, _)| (&self.blocks[at.block as usize], at.place)))?,
                known.array(rows.iter().map(|(_, status)| *status as usize))?,
            ],
        )
    }
}

/// Where a migration row is; a part of a [`RowStream`].
#[derive(Debug)]
pub struct MigrationPart(Vec<Moved>);

impl RowStream for MigrationRows<'_> {
    type Part = MigrationPart;

    fn next_part(&mut self) -> Option<MigrationPart> {
        while self.waiting.len() < BATCH && self.next_block < self.blocks.len() {
            let mut more = Vec::new();
            for first in 0..self.windows.len().saturating_sub(1) {
                self.of(self.next_block, first, |moved| more.push(moved));
            }
            self.waiting.extend(more);
            self.next_block += 1;
        }
        let n = self.waiting.len().min(BATCH);
        (n > 0).then(|| MigrationPart(self.waiting.drain(..n).collect()))
    }

    fn build(&self, part: &MigrationPart) -> Result<RecordBatch> {
        self.batch(&part.0)
    }
}

impl Iterator for MigrationRows<'_> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let part = self.next_part()?;
        Some(self.build(&part))
    }
}

/// Rejects, some at a time.
pub(crate) fn reject_rows(rejects: &[Reject]) -> impl Iterator<Item = Result<RecordBatch>> {
    rejects.chunks(BATCH).map(reject_batch)
}

fn reject_batch(rejects: &[Reject]) -> Result<RecordBatch> {
    let text = |of: &dyn Fn(&Reject) -> Option<String>| -> ArrayRef {
        Arc::new(StringArray::from_iter(rejects.iter().map(|r| of(r).filter(|t| !t.is_empty()))))
    };
    let mut columns: Vec<ArrayRef> = vec![
        text(&|r| Some(r.source.clone())),
        Arc::new(UInt64Array::from_iter(rejects.iter().map(|r| (r.row > 0).then_some(r.row)))),
        Arc::new(UInt64Array::from_iter(rejects.iter().map(|r| r.line))),
        text(&|r| r.window.clone()),
        text(&|r| Some(r.reason.name().to_owned())),
        text(&|r| Some(r.column.clone())),
        text(&|r| Some(r.value.clone())),
        text(&|r| Some(r.customer_id.clone())),
    ];
    columns.extend((1..Column::ALL.len()).map(|at| text(&|r| r.fields.get(at).cloned())));
    as_batch(reject_schema(), columns)
}
