//! Tables of Arrow batches in any of the four formats, into an [`Output`].
//!
//! Rows arrive as a [`RowStream`]: cheap parts in order, from which any thread can build batches. Parquet row groups are built and
//! encoded side by side and appended in order, so the file's bytes do not depend on the number of threads.

use super::output::{Faults, Output};
use crate::error::{Error, Result, Stage};
use crate::source::files::Format;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::add_encoded_arrow_schema_to_metadata;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;
use rayon::prelude::*;
use std::path::Path;
use std::sync::Arc;

/// Rows in a Parquet row group, as a rule.
const GROUP: usize = 1 << 18;
/// Columns with few distinct values, which a dictionary makes small. For the others it only costs time.
const REPETITIVE: [&str; 13] = [
    "window",
    "from",
    "to",
    "status",
    "recency_days",
    "frequency",
    "observation_start",
    "observation_end",
    "rfm_score",
    "period_start",
    "period_end",
    "total_orders",
    "total_quantity",
];

/// Rows in an order, in parts that become batches on any thread.
pub trait RowStream: Sync {
    /// What a batch is built from.
    type Part: Send + Sync;

    /// The next part, or none at the end.
    fn next_part(&mut self) -> Option<Self::Part>;

    /// The batch of a part.
    ///
    /// # Errors
    /// When the rows do not fit a batch.
    fn build(&self, part: &Self::Part) -> Result<RecordBatch>;
}

/// A table on its way into a file.
pub struct TableWriter {
    name: String,
    encoder: Encoder,
    faults: Faults,
    /// The schema, until something was written: an empty table still has its header, but only once nothing can fail.
    empty: Option<SchemaRef>,
}

enum Encoder {
    Parquet(Box<ParquetTable>),
    Csv(Box<arrow::csv::Writer<Output>>),
    Jsonl(Box<arrow::json::LineDelimitedWriter<Output>>),
    Arrow(Box<arrow::ipc::writer::FileWriter<Output>>),
}

impl TableWriter {
    /// A table for a path, in the format that `format` or the path's extension says; CSV for standard output.
    ///
    /// # Errors
    /// When neither says a format, or the folder cannot be written to.
    pub fn create(path: &Path, format: Option<Format>, schema: &SchemaRef) -> Result<Self> {
        let name = path.to_string_lossy().into_owned();
        let format = format.or_else(|| Format::of_path(path)).or((name == "-").then_some(Format::Csv));
        let Some(format) = format else {
            return Err(Error::usage(format!("{name}: the extension says no format")).help("end it in .parquet, .csv, .jsonl or .arrow"));
        };
        let packed = path.extension().is_some_and(|e| e == "gz" || e == "zst");
        if packed && matches!(format, Format::Parquet | Format::Arrow) {
            return Err(
                Error::usage(format!("{name}: only CSV and JSONL are compressed as a whole")).help("Parquet compresses its own pages")
            );
        }
        let output = Output::create(path)?;
        let faults = output.faults();
        let time = || "%Y-%m-%dT%H:%M:%S%.f".to_owned();
        let encoder = match format {
            Format::Parquet => Encoder::Parquet(Box::new(ParquetTable::new(output, schema).map_err(|e| failed(&name, &faults, e))?)),
            Format::Csv => Encoder::Csv(Box::new(arrow::csv::WriterBuilder::new().with_timestamp_format(time()).build(output))),
            Format::Jsonl => {
                let builder = arrow::json::WriterBuilder::new().with_explicit_nulls(true).with_timestamp_format(time());
                Encoder::Jsonl(Box::new(builder.build(output)))
            }
            Format::Arrow => {
                let writer = arrow::ipc::writer::FileWriter::try_new(output, schema);
                Encoder::Arrow(Box::new(writer.map_err(|e| failed(&name, &faults, e))?))
            }
        };
        Ok(TableWriter { name, encoder, faults, empty: Some(schema.clone()) })
    }

    /// Appends rows.
    ///
    /// # Errors
    /// When they cannot be encoded or written.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.empty = None;
        let written = match &mut self.encoder {
            Encoder::Parquet(table) => table.write(batch),
            Encoder::Csv(writer) => writer.write(batch).map_err(ParquetError::from),
            Encoder::Jsonl(writer) => writer.write(batch).map_err(ParquetError::from),
            Encoder::Arrow(writer) if batch.num_rows() > 0 => writer.write(batch).map_err(ParquetError::from),
            Encoder::Arrow(_) => Ok(()),
        };
        written.map_err(|e| failed(&self.name, &self.faults, e))
    }

    /// Appends all rows of a stream, on the threads of the current pool.
    ///
    /// # Errors
    /// When they cannot be built, encoded or written.
    pub fn write_stream<S: RowStream>(&mut self, stream: &mut S) -> Result<()> {
        let threads = rayon::current_num_threads();
        loop {
            match &mut self.encoder {
                Encoder::Parquet(table) => {
                    self.empty = None;
                    let groups: Vec<Vec<S::Part>> = (0..threads)
                        .map(|_| std::iter::from_fn(|| stream.next_part()).take(PARTS_PER_GROUP).collect::<Vec<_>>())
                        .take_while(|parts| !parts.is_empty())
                        .collect();
                    if groups.is_empty() {
                        return Ok(());
                    }
                    let (name, faults, built) = (&self.name, &self.faults, &*stream);
                    let encode = |parts: Vec<S::Part>| {
                        table.encode(parts.iter().map(|part| built.build(part))).map_err(|e| e.unwrap_or_else(|e| failed(name, faults, e)))
                    };
                    let encoded = groups.into_par_iter().map(encode).collect::<Result<Vec<_>>>()?;
                    encoded.into_iter().try_for_each(|chunks| table.append(chunks)).map_err(|e| failed(&self.name, &self.faults, e))?;
                }
                _ => {
                    let parts: Vec<S::Part> = std::iter::from_fn(|| stream.next_part()).take(4 * threads).collect();
                    if parts.is_empty() {
                        return Ok(());
                    }
                    let built = &*stream;
                    let batches = parts.par_iter().map(|part| built.build(part)).collect::<Result<Vec<_>>>()?;
                    batches.iter().try_for_each(|batch| self.write(batch))?;
                }
            }
        }
    }

    /// Ends the table; the file appears when the output is committed.
    ///
    /// # Errors
    /// When the end cannot be written.
    pub fn finish(mut self) -> Result<Output> {
        if let Some(schema) = self.empty.take() {
            self.write(&RecordBatch::new_empty(schema))?;
        }
        let TableWriter { name, encoder, faults, .. } = self;
        let fail = |e: ArrowError| failed(&name, &faults, e);
        match encoder {
            Encoder::Parquet(table) => table.finish().map_err(|e| failed(&name, &faults, e)),
            Encoder::Csv(writer) => Ok(writer.into_inner()),
            Encoder::Jsonl(mut writer) => {
                writer.finish().map_err(fail)?;
                Ok(writer.into_inner())
            }
            Encoder::Arrow(writer) => writer.into_inner().map_err(fail),
        }
    }
}

/// Parts of [`BATCH`](super::rows::BATCH) rows that make a row group.
const PARTS_PER_GROUP: usize = GROUP / super::rows::BATCH;

/// A Parquet file whose row groups are encoded apart from being written.
struct ParquetTable {
    schema: SchemaRef,
    writer: SerializedFileWriter<Output>,
    groups: ArrowRowGroupWriterFactory,
    waiting: Vec<RecordBatch>,
    waiting_rows: usize,
}

/// What keeps rows out of a row group: ours, or Parquet's.
struct Refused(Result<Error, ParquetError>);

impl Refused {
    fn unwrap_or_else(self, other: impl FnOnce(ParquetError) -> Error) -> Error {
        self.0.unwrap_or_else(other)
    }
}

impl From<ParquetError> for Refused {
    fn from(e: ParquetError) -> Self {
        Refused(Err(e))
    }
}

impl ParquetTable {
    fn new(output: Output, schema: &SchemaRef) -> Result<Self, ParquetError> {
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_dictionary_enabled(false);
        for name in REPETITIVE {
            properties = properties.set_column_dictionary_enabled(ColumnPath::from(name), true);
        }
        let mut properties = properties.build();
        add_encoded_arrow_schema_to_metadata(schema, &mut properties);
        let parquet_schema = ArrowSchemaConverter::new().with_coerce_types(properties.coerce_types()).convert(schema)?;
        let writer = SerializedFileWriter::new(output, parquet_schema.root_schema_ptr(), Arc::new(properties))?;
        let groups = ArrowRowGroupWriterFactory::new(&writer, schema.clone());
        Ok(ParquetTable { schema: schema.clone(), writer, groups, waiting: Vec::new(), waiting_rows: 0 })
    }

    /// Encodes batches as one row group.
    fn encode(&self, batches: impl Iterator<Item = Result<RecordBatch>>) -> Result<Vec<ArrowColumnChunk>, Refused> {
        let mut columns = self.groups.create_column_writers(0)?;
        for batch in batches {
            let batch = batch.map_err(|e| Refused(Ok(e)))?;
            let mut writers = columns.iter_mut();
            for (field, array) in self.schema.fields().iter().zip(batch.columns()) {
                for (leaf, writer) in compute_leaves(field, array)?.iter().zip(writers.by_ref()) {
                    writer.write(leaf)?;
                }
            }
        }
        Ok(columns.into_iter().map(|column| column.close()).collect::<Result<_, _>>()?)
    }

    fn append(&mut self, chunks: Vec<ArrowColumnChunk>) -> Result<(), ParquetError> {
        let mut group = self.writer.next_row_group()?;
        chunks.into_iter().try_for_each(|chunk| chunk.append_to_row_group(&mut group))?;
        group.close().map(drop)
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        self.waiting_rows += batch.num_rows();
        self.waiting.push(batch.clone());
        if self.waiting_rows >= GROUP { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), ParquetError> {
        let batches = std::mem::take(&mut self.waiting);
        if std::mem::take(&mut self.waiting_rows) == 0 {
            return Ok(());
        }
        let chunks = self.encode(batches.into_iter().map(Ok)).map_err(|e| match e.0 {
            Ok(e) => ParquetError::External(Box::new(e)),
            Err(e) => e,
        })?;
        self.append(chunks)
    }

    fn finish(mut self) -> Result<Output, ParquetError> {
        self.flush()?;
        self.writer.into_inner()
    }
}

/// A write that the system refused is its fault, whatever the encoder made of it.
fn failed(name: &str, faults: &Faults, cause: impl Into<ParquetError>) -> Error {
    let error = match faults.first() {
        Some(refused) => Error::io("cannot write", refused),
        None => Error::internal("rows cannot be written").cause(cause.into()),
    };
    error.input(name).stage(Stage::Report)
}
