//! The rows behind the answers: migration rows and rejects, what all rows have in common, and their schemas. How the rows of blocks become
//! Arrow batches; that of RFM rows is in [`rfm_rows`](super::rfm_rows).
//!
//! Columns that repeat few values (a window's name and end, a score) are built as dictionaries, which Parquet takes as they are; [`plain`]
//! turns such a batch into one of the declared schema. Which rows go into which batch is decided in [`stream`](super::stream).
//!
//! Rows that are to be sorted become records, and these become batches.

use super::rfm_columns::RfmColumns;
use super::stream::BATCH;
use crate::base::bytes::sort_key::{put_text, take_bytes, take_text};
use crate::base::error::{Error, Result};
use crate::base::memory::append;
use crate::finalize::Block;
use crate::finalize::blocks::Blocks;
use crate::lens::lens2::{Status, migrations};
use crate::lens::segment_counts::{INACTIVE, moved};
use crate::model::columns::Column;
use crate::model::ids::{INLINE, long_view, parts};
use crate::model::reject::{LINE_FIELDS, Reject};
use crate::model::segments::Segments;
use crate::model::window::Window;
use crate::spec::Spec;
use crate::spill::SortBuffer;
use arrow::array::builder::{StringBuilder, UInt64Builder, make_view};
use arrow::array::{Array, ArrayRef, Decimal128Array, DictionaryArray, RecordBatch, StringViewArray, UInt16Array};
use arrow::buffer::Buffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use std::ops::Range;
use std::sync::Arc;

/// Amounts fit 18 digits, which Parquet keeps in 64 bits.
pub(super) const MONEY: DataType = DataType::Decimal128(18, 2);
pub(super) const TIME: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

pub(super) fn schema(fields: &[(&str, DataType, bool)]) -> SchemaRef {
    Arc::new(Schema::new(
        fields.iter().map(|(name, data_type, nullable)| Field::new(*name, data_type.clone(), *nullable)).collect::<Vec<_>>(),
    ))
}

/// The columns of RFM rows where none are [asked for](super::rfm_columns::RfmColumns).
pub fn rfm_schema() -> SchemaRef {
    RfmColumns::default().schema(&Spec::default())
}

/// The columns of migration rows. A reactivated customer is new, too; the row says `reactivated`.
pub fn migration_schema() -> SchemaRef {
    migration_schema_with(false)
}

/// Those with the segments before and after, or without.
pub(crate) fn migration_schema_with(segments: bool) -> SchemaRef {
    let text = |name| (name, DataType::Utf8View, false);
    let columns = [text("from"), text("to"), text("customer_id"), text("status"), text("from_segment"), text("to_segment")];
    schema(if segments { &columns } else { &columns[..4] })
}

/// The columns of rejects: where and why, then the row's fields as they were read.
pub fn reject_schema() -> SchemaRef {
    rejects_with(&Column::ALL.map(Column::name))
}

/// The columns of rejected lines of orders, with [`LINE_FIELDS`]: an amount is what the line is worth, a time is UTC.
pub fn line_reject_schema() -> SchemaRef {
    rejects_with(&LINE_FIELDS)
}

/// The columns before a row's fields.
const WHERE_AND_WHY: [&str; 7] = ["source", "row", "line", "window", "reason", "column", "value"];

fn rejects_with(names: &[&str]) -> SchemaRef {
    let names = WHERE_AND_WHY.iter().chain(names);
    let data_type = |name| if matches!(name, "row" | "line") { DataType::UInt64 } else { DataType::Utf8 };
    schema(&names.map(|&name| (name, data_type(name), true)).collect::<Vec<_>>())
}

pub(super) fn as_batch(schema: SchemaRef, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
    RecordBatch::try_new(schema, columns).map_err(|e| Error::internal("rows cannot be put into a batch").cause(e))
}

/// A batch whose columns, which may be in dictionaries, have the types that the schema says.
pub(super) fn plain(batch: &RecordBatch, declared: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let column = |(array, field): (&ArrayRef, &Arc<Field>)| {
        if array.data_type() == field.data_type() { Ok(array.clone()) } else { cast(array, field.data_type()) }
    };
    let columns = batch.columns().iter().zip(declared.fields()).map(column).collect::<Result<_, _>>()?;
    RecordBatch::try_new(declared.clone(), columns)
}

/// Columns whose types may be dictionaries of the declared ones.
pub(super) fn packed(declared: &SchemaRef, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
    let field = |(field, array): (&Arc<Field>, &ArrayRef)| field.as_ref().clone().with_data_type(array.data_type().clone());
    let fields: Vec<Field> = declared.fields().iter().zip(&columns).map(field).collect();
    as_batch(Arc::new(Schema::new(fields)), columns)
}

/// Texts by number.
pub(super) fn texts(texts: impl Iterator<Item = String>) -> ArrayRef {
    Arc::new(StringViewArray::from_iter_values(texts))
}

pub(super) fn dictionary(keys: Vec<u16>, values: &ArrayRef) -> Result<ArrayRef> {
    let array = DictionaryArray::try_new(UInt16Array::from(keys), values.clone());
    Ok(Arc::new(array.map_err(|e| Error::internal("a column cannot be built").cause(e))?))
}

pub(super) fn money(values: &[i64]) -> Result<ArrayRef> {
    let array = Decimal128Array::from_iter_values(values.iter().copied().map(i128::from)).with_precision_and_scale(18, 2);
    Ok(Arc::new(array.map_err(|e| Error::internal("an amount does not fit").cause(e))?))
}

/// Bytes of long ids that are moved and not copied: it is better to ask for memory again than to have all of it twice.
const MUCH: usize = 1 << 20;

/// Ids of rows, long ones copied together: what a batch holds must not depend on where they lay.
#[derive(Default)]
pub(super) struct Ids {
    views: Vec<u128>,
    long: Vec<u8>,
}

impl Ids {
    #[inline]
    pub(super) fn push(&mut self, block: &Block, customer: u32) {
        let view = block.ids().views[customer as usize];
        let (length, _, offset) = parts(view);
        self.views.push(if length > INLINE { long_view(view, 0, self.long.len() as u32) } else { view });
        if length > INLINE {
            append(&mut self.long, &block.ids().long[offset..offset + length]);
        }
    }

    pub(super) fn push_bytes(&mut self, id: &[u8]) {
        self.views.push(make_view(id, 0, self.long.len() as u32));
        if id.len() > INLINE {
            append(&mut self.long, id);
        }
    }

    /// The ids as an array; they are still here, but for many long ones.
    pub(super) fn array(&mut self) -> Result<ArrayRef> {
        let long = if self.long.len() > MUCH { std::mem::take(&mut self.long) } else { self.long.clone() };
        let blocks = if long.is_empty() { Vec::new() } else { vec![Buffer::from_vec(long)] };
        let array = StringViewArray::try_new(self.views.clone().into(), blocks, None);
        Ok(Arc::new(array.map_err(|e| Error::internal("an id is not text").cause(e))?))
    }

    pub(super) fn clear(&mut self) {
        self.views.clear();
        self.long.clear();
    }
}

/// How the rows of one kind are made of blocks.
pub(crate) trait Rows: Sync {
    /// The columns of a batch under construction.
    type Columns: Default + Send;

    /// The declared schema.
    fn schema(&self) -> SchemaRef;

    /// Whether [`counts`](Rows::counts) makes no pass over the blocks.
    const COUNTS_ARE_KNOWN: bool;

    /// How many rows each block has.
    fn counts(&self, blocks: &Blocks) -> Result<Vec<usize>>;

    /// Appends some of the block's rows.
    fn append(&self, block: &Block, rows: Range<usize>, columns: &mut Self::Columns);

    /// Puts all of the block's rows in to be sorted: by window or pair, then by id as bytes.
    fn sort(&self, block: &Block, buffer: &mut SortBuffer<'_>) -> Result<()>;

    /// Appends the row of a record; nothing when it is none of these.
    fn read(&self, record: &[u8], columns: &mut Self::Columns) -> Option<()>;

    /// The batch; the columns are empty again. What repeats may be in dictionaries.
    fn take(&self, columns: &mut Self::Columns) -> Result<RecordBatch>;
}

/// Appends the sort key of a customer's row, with which its record begins.
pub(super) fn put_key(window: u16, block: &Block, customer: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&window.to_be_bytes());
    put_text(block.ids().id(customer as usize, &mut [0; 16]), out);
}

/// Migration rows: one per customer and pair of adjacent windows in either of which they are active.
#[derive(Debug)]
pub(crate) struct Migrations {
    names: ArrayRef,
    statuses: ArrayRef,
    /// The start of each window.
    starts: Vec<i64>,
    /// With their names, the last of which is that of customers who are not active.
    segments: Option<(Arc<Segments>, ArrayRef)>,
}

impl Migrations {
    pub(crate) fn new(windows: &[Window], segments: Option<Arc<Segments>>) -> Self {
        let names = |segments: &Segments| texts(segments.names().iter().cloned().chain([INACTIVE.to_owned()]));
        let statuses = [Status::Retained, Status::Churned, Status::New, Status::Reactivated];
        Migrations {
            names: texts(windows.iter().map(|w| w.name.clone())),
            statuses: texts(statuses.iter().map(|s| s.name().to_owned())),
            starts: windows.iter().map(|w| w.start).collect(),
            segments: segments.map(|segments| (segments.clone(), names(&segments))),
        }
    }

    /// The places of the names of a customer's segments before and after, where segments are asked for.
    fn segments(&self, block: &Block, status: Status, row: usize) -> Option<[u16; 2]> {
        let (segments, names) = self.segments.as_ref()?;
        let inactive = names.len() - 1;
        Some(moved(segments, block, status, row).map(|at| at.unwrap_or(inactive) as u16))
    }
}

#[derive(Default)]
pub(crate) struct MigrationColumns {
    from: Vec<u16>,
    ids: Ids,
    statuses: Vec<u16>,
    /// Before and after; empty where they are not asked for.
    segments: [Vec<u16>; 2],
}

impl MigrationColumns {
    fn push_segments(&mut self, segments: [u16; 2]) {
        self.segments.iter_mut().zip(segments).for_each(|(column, segment)| column.push(segment));
    }
}

impl Rows for Migrations {
    type Columns = MigrationColumns;
    const COUNTS_ARE_KNOWN: bool = false;

    fn schema(&self) -> SchemaRef {
        migration_schema_with(self.segments.is_some())
    }

    fn counts(&self, blocks: &Blocks) -> Result<Vec<usize>> {
        blocks.count(|block| {
            let mut count = 0;
            migrations(block, &self.starts, |_, _, _, _| count += 1);
            count
        })
    }

    fn append(&self, block: &Block, rows: Range<usize>, columns: &mut MigrationColumns) {
        let mut row = 0;
        migrations(block, &self.starts, |customer, first, status, at| {
            if rows.contains(&row) {
                columns.from.push(first as u16);
                columns.ids.push(block, customer);
                columns.statuses.push(status as u16);
                self.segments(block, status, at).into_iter().for_each(|segments| columns.push_segments(segments));
            }
            row += 1;
        });
    }

    fn sort(&self, block: &Block, buffer: &mut SortBuffer<'_>) -> Result<()> {
        let mut taken = Ok(());
        migrations(block, &self.starts, |customer, first, status, at| {
            if taken.is_ok() {
                taken = buffer.push(|out| {
                    put_key(first as u16, block, customer, out);
                    out.push(status as u8);
                    let segments = self.segments(block, status, at);
                    segments.into_iter().flatten().for_each(|segment| out.extend_from_slice(&segment.to_be_bytes()));
                });
            }
        });
        taken
    }

    fn read(&self, mut record: &[u8], columns: &mut MigrationColumns) -> Option<()> {
        let bytes = &mut record;
        columns.from.push(u16::from_be_bytes(take_bytes(bytes)?));
        columns.ids.push_bytes(&take_text(bytes)?);
        let [status] = take_bytes(bytes)?;
        columns.statuses.push(status.into());
        if self.segments.is_some() {
            columns.push_segments([u16::from_be_bytes(take_bytes(bytes)?), u16::from_be_bytes(take_bytes(bytes)?)]);
        }
        Some(())
    }

    fn take(&self, columns: &mut MigrationColumns) -> Result<RecordBatch> {
        let to = columns.from.iter().map(|from| from + 1).collect();
        let mut arrays = vec![
            dictionary(std::mem::take(&mut columns.from), &self.names)?,
            dictionary(to, &self.names)?,
            columns.ids.array()?,
            dictionary(std::mem::take(&mut columns.statuses), &self.statuses)?,
        ];
        columns.ids.clear();
        if let Some((_, names)) = &self.segments {
            for column in &mut columns.segments {
                arrays.push(dictionary(std::mem::take(column), names)?);
            }
        }
        packed(&self.schema(), arrays)
    }
}

/// Rejects, a batch at a time.
pub(crate) fn reject_rows(
    mut rejects: impl Iterator<Item = Result<Reject>>,
    schema: SchemaRef,
) -> impl Iterator<Item = Result<RecordBatch>> {
    std::iter::from_fn(move || reject_batch(&mut rejects.by_ref().take(BATCH), &schema).transpose())
}

/// A batch of all of these; none of none.
fn reject_batch(rejects: &mut dyn Iterator<Item = Result<Reject>>, schema: &SchemaRef) -> Result<Option<RecordBatch>> {
    let (mut row, mut line) = (UInt64Builder::new(), UInt64Builder::new());
    let names = &schema.fields()[WHERE_AND_WHY.len()..];
    // By their place among the columns; those of the numbers stay empty.
    let mut texts: Vec<StringBuilder> = schema.fields().iter().map(|_| StringBuilder::new()).collect();
    let mut filled = false;
    for reject in rejects {
        let Reject { window, source, row: number, line: at, customer_id, reason, column, value, fields, .. } = reject?;
        filled = true;
        row.append_option((number > 0).then_some(number));
        line.append_option(at);
        let before = [(0, &*source), (3, window.as_deref().unwrap_or_default()), (4, reason.name()), (5, &column), (6, &value)];
        // What has other fields, as a customer has none, says who it is.
        let same = fields.len() == names.len();
        let fields = names.iter().enumerate().map(|(at, name)| match name.name().as_str() {
            "customer_id" => &*customer_id,
            _ if same => &fields[at],
            _ => "",
        });
        for (at, text) in before.into_iter().chain((WHERE_AND_WHY.len()..).zip(fields)) {
            texts[at].append_option((!text.is_empty()).then_some(text));
        }
    }
    if !filled {
        return Ok(None);
    }
    let mut columns: Vec<ArrayRef> = texts.iter_mut().map(|text| Arc::new(text.finish()) as _).collect();
    columns[1] = Arc::new(row.finish());
    columns[2] = Arc::new(line.finish());
    as_batch(schema.clone(), columns).map(Some)
}
