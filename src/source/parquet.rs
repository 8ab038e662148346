//! Parquet: a row group is a chunk; only the needed columns are decoded, texts as views into the pages.
//!
//! Where threads would be left without work while others are at the last row groups, groups are cut by rows. A page that a cut goes through is
//! unpacked on both sides, so groups are not cut where there are enough of them, nor into small parts.

use super::input_limits::Unpacked;
use super::parquet_limits::{check_footer, check_groups, check_types, damage};
use super::parquet_pages::{Group, Pages, footer};
use super::portions::changed;
use super::random_access::RandomAccess;
use super::row_kind::{ArrowColumns, RowKind};
use super::{Chunk, Sink, Source, guarded};
use crate::base::error::{Error, Result, Stage};
use crate::model::period_batch::Origin;
use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use arrow::error::ArrowError;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, RowGroups, RowSelection, RowSelector,
};
use parquet::arrow::{FieldLevels, ProjectionMask, parquet_to_arrow_field_levels};
use parquet::basic::{ConvertedType, Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaDataReader, RowGroupMetaData};
use parquet::file::reader::Length;
use parquet::schema::types::SchemaDescriptor;
use std::ops::Range;
use std::sync::Arc;

/// Where several threads decode a file, it has so many chunks for each, if its rows are enough.
const CHUNKS_PER_THREAD: usize = 4;
/// The least rows of a part of a row group, about.
const LEAST_ROWS: usize = 1 << 17;

pub(super) struct ParquetSource<S: RowKind> {
    file: Arc<Opened<S>>,
    threads: usize,
    next_group: usize,
    /// The group after the last.
    end: usize,
    /// Where in the next one the next chunk begins.
    begin: usize,
    /// The number of that row in the file.
    next_row: u64,
}

/// A file whose columns have been found.
pub(crate) struct Opened<S: RowKind> {
    origin: Arc<Origin>,
    file: RandomAccess,
    metadata: ArrowReaderMetadata,
    /// The columns that are read, and their types.
    levels: FieldLevels,
    /// The columns within the projection.
    columns: S::Columns,
    batch_rows: usize,
    unpacked: Arc<Unpacked>,
    /// Some texts are not checked by the reader.
    has_unchecked: bool,
}

impl<S: RowKind> Opened<S> {
    pub(crate) fn new(file: RandomAccess, origin: Arc<Origin>, kind: &S, batch_rows: usize) -> Result<Self> {
        const NO_PARQUET: &str = "it is not a Parquet file, or it is damaged";
        let plain = guarded(&origin, NO_PARQUET, || {
            check_footer(&footer(&file)?).map_err(damage)?;
            let metadata = ParquetMetaDataReader::new().parse_and_finish(&file)?;
            check_groups(&metadata, file.len()).and_then(|()| check_types(&metadata)).map_err(damage)?;
            ArrowReaderMetadata::try_new(Arc::new(metadata), ArrowReaderOptions::new())
        })?;
        // Views share the decoded pages; the file's own types would copy every text.
        let viewed = ArrowReaderOptions::new().with_schema(Arc::new(with_views(plain.schema(), plain.parquet_schema())));
        let metadata = guarded(&origin, NO_PARQUET, || {
            Ok::<_, ParquetError>(ArrowReaderMetadata::try_new(plain.metadata().clone(), viewed).unwrap_or(plain))
        })?;
        let whole = kind.resolve(metadata.schema(), &origin)?;
        let mask = match whole.paths() {
            None => ProjectionMask::roots(metadata.parquet_schema(), whole.projection()),
            Some(paths) => within_structs(metadata.parquet_schema(), &paths),
        };
        let columns = whole.projected();
        let unpacked = Arc::new(Unpacked::new(kind.reading()));
        let types = metadata.parquet_schema();
        let has_unchecked = (0..types.num_columns()).any(|column| mask.leaf_included(column) && is_unchecked(types, column));
        let fields = metadata.schema().fields();
        let levels = guarded(&origin, NO_PARQUET, || parquet_to_arrow_field_levels(types, mask, Some(fields)))?;
        Ok(Opened { origin, file, metadata, levels, columns, batch_rows, unpacked, has_unchecked })
    }

    pub(crate) fn groups(&self) -> &[RowGroupMetaData] {
        self.metadata.metadata().row_groups()
    }

    /// The rows of a row group.
    pub(crate) fn rows(&self, group: usize) -> Result<usize> {
        usize::try_from(self.groups()[group].num_rows()).map_err(|e| damaged(&self.origin, e))
    }

    /// Decodes the needed columns of some rows of a row group, and gives `take` the reader's batches as they are.
    pub(crate) fn decode(&self, group: usize, rows: Range<usize>, take: &mut dyn FnMut(RecordBatch) -> Result<()>) -> Result<()> {
        let what = format!("row group {group} is damaged");
        let columns = self.groups()[group].columns().iter().map(|column| column.byte_range()).map(|(start, length)| start..start + length);
        let pages = Pages { file: self.file.ahead(columns), size: self.file.len(), unpacked: self.unpacked.clone() };
        let group_of = Group { reader: Arc::new(pages), metadata: self.metadata.metadata().clone(), group };
        let rows_at_once = self.batch_rows.min(rows.len()).max(1);
        // Pages before and after these rows are not unpacked. That there are more rows than the group claims is seen at the end of its last part.
        let is_last = usize::from(rows.end == group_of.num_rows());
        let selected = [RowSelector::skip(rows.start), RowSelector::select(rows.len() + is_last)];
        let selection = (rows.len() < group_of.num_rows()).then(|| RowSelection::from(selected.to_vec()));
        let mut reader = guarded(&self.origin, &what, || {
            ParquetRecordBatchReader::try_new_with_row_groups(&self.levels, &group_of, rows_at_once, selection)
        })?;
        let mut next = || match reader.next().transpose()? {
            Some(batch) if self.has_unchecked => check_texts(&batch).map(|()| Some(batch)),
            other => Ok(other),
        };
        let mut decoded = 0;
        while let Some(batch) = guarded(&self.origin, &what, || next().map_err(ParquetError::from))? {
            decoded += batch.num_rows();
            take(batch)?;
        }
        if decoded == rows.len() {
            return Ok(());
        }
        let (found, claimed) = (rows.start + decoded, self.groups()[group].num_rows());
        Err(damaged(&self.origin, format!("row group {group} has {found} rows, and claims {claimed}")))
    }
}

/// Whether the reader takes a column's bytes for text as they are, where the file's Arrow schema, or JSON, says that they are text.
fn is_unchecked(types: &SchemaDescriptor, column: usize) -> bool {
    let column = types.column(column);
    column.physical_type() == Type::BYTE_ARRAY && column.converted_type() != ConvertedType::UTF8
}

/// Refuses text that is not UTF-8.
fn check_texts(batch: &RecordBatch) -> Result<(), ArrowError> {
    batch.columns().iter().filter(|column| holds_text(column.data_type())).try_for_each(|column| column.to_data().validate_full())
}

fn holds_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, value) => holds_text(value),
        nested => nested.is_nested(),
    }
}

impl<S: RowKind> ParquetSource<S> {
    /// Opens all of a file, or some of its row groups.
    pub(super) fn open(file: RandomAccess, origin: Arc<Origin>, kind: &S, batch_rows: usize, groups: Option<Range<usize>>) -> Result<Self> {
        let file = Arc::new(Opened::new(file, origin, kind, batch_rows)?);
        let groups = groups.unwrap_or(0..file.groups().len());
        if groups.end > file.groups().len() {
            return Err(changed(&file.origin));
        }
        let before = (0..groups.start).map(|group| file.rows(group)).sum::<Result<usize>>()?;
        Ok(ParquetSource { file, threads: 1, next_group: groups.start, end: groups.end, begin: 0, next_row: before as u64 + 1 })
    }
}

/// The columns at these paths.
fn within_structs(schema: &SchemaDescriptor, paths: &[Vec<String>]) -> ProjectionMask {
    let leads = |path: &Vec<String>, column: usize| schema.column(column).path().parts().starts_with(path);
    ProjectionMask::leaves(schema, (0..schema.num_columns()).filter(|&column| paths.iter().any(|path| leads(path, column))))
}

/// The columns that are at the top, in types that are quick or exact: texts and bytes share the decoded pages where they are views, and the
/// old 96-bit times reach further in microseconds than in nanoseconds.
fn with_views(schema: &Schema, types: &SchemaDescriptor) -> Schema {
    let is_96 =
        |at: usize| types.root_schema().get_fields().get(at).is_some_and(|t| t.is_primitive() && t.get_physical_type() == Type::INT96);
    let view = |(at, field): (usize, &Arc<Field>)| match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8View)),
        DataType::Binary | DataType::LargeBinary => Arc::new(field.as_ref().clone().with_data_type(DataType::BinaryView)),
        DataType::Timestamp(TimeUnit::Nanosecond, None) if is_96(at) => {
            Arc::new(field.as_ref().clone().with_data_type(DataType::Timestamp(TimeUnit::Microsecond, None)))
        }
        _ => field.clone(),
    };
    Schema::new_with_metadata(schema.fields().iter().enumerate().map(view).collect::<Vec<_>>(), schema.metadata().clone())
}

fn damaged(origin: &Origin, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::data("the Parquet file is damaged").cause(cause).input(&origin.name).stage(Stage::Source)
}

impl<S: RowKind> Source<S::Batch> for ParquetSource<S> {
    fn inputs(&self) -> Vec<String> {
        vec![self.file.origin.name.clone()]
    }

    fn share(&mut self, threads: usize) {
        self.threads = threads;
    }

    fn next_chunk(&mut self) -> Result<Option<Box<dyn Chunk<S::Batch>>>> {
        let groups = self.file.groups();
        if self.next_group >= self.end {
            return Ok(None);
        }
        let rows = self.file.rows(self.next_group)?;
        let wanted = if self.threads > 1 { CHUNKS_PER_THREAD * self.threads } else { 1 };
        let parts = wanted.div_ceil(groups.len()).min(rows / LEAST_ROWS).max(1);
        let end = rows.min(self.begin + rows.div_ceil(parts));
        let chunk = RowGroup { file: self.file.clone(), group: self.next_group, rows: self.begin..end, first_row: self.next_row };
        self.next_row += (end - self.begin) as u64;
        self.begin = end;
        if end == rows {
            (self.next_group, self.begin) = (self.next_group + 1, 0);
        }
        Ok(Some(Box::new(chunk)))
    }
}

/// Rows of a row group: all of them, or a part.
struct RowGroup<S: RowKind> {
    file: Arc<Opened<S>>,
    group: usize,
    rows: Range<usize>,
    first_row: u64,
}

impl<S: RowKind> Chunk<S::Batch> for RowGroup<S> {
    /// The whole group's share of the file, columns that are skipped included: progress is measured against the file's size.
    fn bytes(&self) -> u64 {
        let Some(group) = self.file.groups().get(self.group) else { return 0 };
        let [size, rows] = [group.compressed_size(), group.num_rows()].map(|n| u128::try_from(n).unwrap_or(0));
        let up_to = |row: usize| (size * row as u128).checked_div(rows).unwrap_or(size);
        (up_to(self.rows.end) - up_to(self.rows.start)) as u64
    }

    fn decode(self: Box<Self>, sink: &mut Sink<'_, S::Batch>) -> Result<()> {
        let mut row = self.first_row;
        self.file.decode(self.group, self.rows, &mut |batch| {
            sink(self.file.columns.batch(&batch, row)?)?;
            row += batch.num_rows() as u64;
            Ok(())
        })
    }
}
