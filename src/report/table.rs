//! Tables of Arrow batches in any of the four formats, into an [`Output`].
//!
//! Rows arrive as batches, or as a [`RowStream`]: cheap parts in order, from which any thread can build batches. Columns may be
//! dictionaries of what the schema says; what is written is what the schema says. [`Parquet`](super::parquet) row groups are built and
//! encoded side by side and appended in order, and so are the [lines](super::csv_rows) of a CSV file's parts: a file's bytes do not depend
//! on the number of threads.

#[cfg(feature = "csv")]
use super::csv_rows::{Texts, header, put_rows};
use super::output::{Faults, Output};
#[cfg(feature = "parquet")]
use super::parquet::{Group, Groups, ParquetTable};
use super::rows::plain;
use super::stream::BATCH;
use crate::base::cancel::Cancel;
use crate::base::error::{Error, Result, Stage};
use crate::base::threads::in_order;
use crate::source::files::Format;
use crate::spill::Io;
use crate::stats::Stats;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
#[cfg(feature = "csv")]
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
#[cfg(any(feature = "csv", feature = "parquet"))]
use std::sync::atomic::{AtomicU64, Ordering};

/// Rows in a Parquet row group; the last one may have fewer, and all where their ids are long.
pub(crate) const GROUP: usize = 1 << 18;
/// The bytes that a row of a group takes up on its way, about, without a long id.
const BYTES_PER_ROW: u64 = 64;
/// The columns that such a row has at most.
const USUAL_COLUMNS: usize = 12;
/// Rows in a part of a stream with short ids.
const PART: usize = 8 * BATCH;
/// Ids of more bytes than this fill the memory for several batches with one.
const LONG: u64 = 4 << 10;
/// Lines of CSV that are written at a time where ids are long.
#[cfg(feature = "csv")]
const SOME: usize = 64;

/// How times are written as text.
#[cfg(any(feature = "csv", feature = "json"))]
pub(super) const TIME: &str = "%Y-%m-%dT%H:%M:%S%.f";

/// Rows in an order, in parts that become batches on any thread.
pub trait RowStream: Sync {
    /// The part of a stream that batches are built from.
    type Part: Send + Sync;

    /// The next part, or none at the end.
    ///
    /// # Errors
    /// When the next part cannot be read.
    fn next_part(&self) -> Result<Option<Self::Part>>;

    /// How many parts a Parquet row group of so many rows is made of.
    fn parts_per_group(&self, _rows: usize) -> usize {
        1
    }

    /// Gives `sink` the batches of a part. What repeats may be in dictionaries of the declared types.
    ///
    /// # Errors
    /// When the rows do not fit a batch, or whatever the sink returns.
    fn build(&self, part: &Self::Part, sink: &mut dyn FnMut(RecordBatch) -> Result<()>) -> Result<()>;

    /// The batches of a part.
    ///
    /// # Errors
    /// When the rows do not fit a batch.
    fn batches(&self, part: &Self::Part) -> Result<Vec<RecordBatch>> {
        let mut batches = Vec::new();
        self.build(part, &mut |batch| {
            batches.push(batch);
            Ok(())
        })?;
        Ok(batches)
    }
}

/// A table on its way into a file.
pub struct TableWriter {
    name: String,
    encoder: Encoder,
    faults: Faults,
    cancel: Cancel,
    /// The schema, until something was written: an empty table still has its header, but only once nothing can fail.
    empty: Option<SchemaRef>,
    schema: SchemaRef,
    rows: u64,
    /// The rows of a part of a stream, where there are no row groups.
    part_rows: usize,
    /// Even a batch of rows takes much memory.
    has_long_ids: bool,
    /// Where rows are counted while they are written.
    stats: Option<Arc<Stats>>,
}

enum Encoder {
    #[cfg(feature = "parquet")]
    Parquet(Box<ParquetTable>),
    #[cfg(feature = "csv")]
    Csv(Box<CsvTable>),
    #[cfg(feature = "json")]
    Jsonl(Box<arrow::json::LineDelimitedWriter<Output>>),
    Arrow(Box<arrow::ipc::writer::FileWriter<Output>>),
}

#[cfg(feature = "csv")]
struct CsvTable {
    output: Output,
    has_header: bool,
    texts: Texts,
}

impl TableWriter {
    /// The format of a table at a path: what `format` or the path's extension says; CSV for standard output.
    ///
    /// # Errors
    /// When neither says a format, or the format is not compressed as a whole.
    pub fn format_of(path: &Path, format: Option<Format>) -> Result<Format> {
        let name = path.to_string_lossy();
        let format = format.or_else(|| Format::of_path(path)).or((name == "-").then_some(Format::Csv));
        let Some(format) = format else {
            return Err(Error::usage(format!("{name}: the extension says no format")).help("end it in .parquet, .csv, .jsonl or .arrow"));
        };
        if format == Format::Workbook {
            return Err(Error::usage(format!("{name}: workbooks are read, not written")).help("end it in .parquet, .csv, .jsonl or .arrow"));
        }
        if path.extension().is_some_and(|e| e == "bz2") {
            return Err(Error::usage(format!("{name}: bzip2 is read, not written")).help("end it in .gz or .zst"));
        }
        let packed = path.extension().is_some_and(|e| e == "gz" || e == "zst");
        if packed && matches!(format, Format::Parquet | Format::Arrow) {
            return Err(
                Error::usage(format!("{name}: only CSV and JSONL are compressed as a whole")).help("Parquet compresses its own pages")
            );
        }
        Ok(format)
    }

    /// A table for a path, in the format that `format` or the path's extension says; CSV for standard output.
    ///
    /// # Errors
    /// When neither says a format, the folder cannot be written to, or the format has no place for a column's type: Parquet files are of
    /// texts, dates, times in microseconds, integers of 32 or 64 bits, bytes, and decimals of 10 to 18, 37 or 38 digits.
    pub fn create(path: &Path, format: Option<Format>, schema: &SchemaRef) -> Result<Self> {
        Self::create_with(path, format, schema, &Cancel::default())
    }

    /// As [`create`](TableWriter::create), with a [`Cancel`] that can end it: then its file is removed and none appears.
    ///
    /// # Errors
    /// Those of [`create`](TableWriter::create), or when it was cancelled already.
    pub fn create_with(path: &Path, format: Option<Format>, schema: &SchemaRef, cancel: &Cancel) -> Result<Self> {
        Self::create_on(path, format, schema, cancel, &Io::default())
    }

    pub(crate) fn create_on(path: &Path, format: Option<Format>, schema: &SchemaRef, cancel: &Cancel, io: &Io) -> Result<Self> {
        let name = path.to_string_lossy().into_owned();
        let format = Self::format_of(path, format)?;
        let output = Output::create_on(path, cancel, io)?;
        let faults = output.faults();
        let encoder = match format {
            #[cfg(feature = "parquet")]
            Format::Parquet => Encoder::Parquet(Box::new(ParquetTable::new(&name, output, schema)?)),
            #[cfg(feature = "csv")]
            Format::Csv => Encoder::Csv(Box::new(CsvTable { output, has_header: false, texts: Texts::default() })),
            #[cfg(feature = "json")]
            Format::Jsonl => {
                let builder = arrow::json::WriterBuilder::new().with_explicit_nulls(true).with_timestamp_format(TIME.to_owned());
                Encoder::Jsonl(Box::new(builder.build(output)))
            }
            Format::Arrow => {
                let writer = arrow::ipc::writer::FileWriter::try_new(output, schema);
                Encoder::Arrow(Box::new(writer.map_err(|e| failed(&name, &faults, e))?))
            }
            Format::Workbook => return Err(Error::internal("a workbook is not written")),
            #[cfg(not(feature = "parquet"))]
            Format::Parquet => return Err(Error::left_out("Parquet", "parquet").input(name)),
            #[cfg(not(feature = "csv"))]
            Format::Csv => return Err(Error::left_out("CSV", "csv").input(name)),
            #[cfg(not(feature = "json"))]
            Format::Jsonl => return Err(Error::left_out("JSONL", "json").input(name)),
        };
        Ok(TableWriter {
            name,
            encoder,
            faults,
            cancel: cancel.clone(),
            empty: Some(schema.clone()),
            schema: schema.clone(),
            rows: 0,
            part_rows: PART,
            has_long_ids: false,
            stats: None,
        })
    }

    /// In a CSV file, writes an apostrophe before texts that a spreadsheet would take for formulas: those that begin with `=`, `+`, `-`, `@`, a
    /// tab or a carriage return. Other formats need none.
    #[must_use]
    #[cfg_attr(not(feature = "csv"), allow(unused_mut, unused_variables))]
    pub fn csv_safe(mut self, safe: bool) -> Self {
        #[cfg(feature = "csv")]
        if let Encoder::Csv(csv) = &mut self.encoder {
            csv.texts = if safe { Texts::Safe } else { Texts::AsTheyAre };
        }
        self
    }

    /// The path it goes to, as it was named.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Checks that rows have its columns.
    ///
    /// # Errors
    /// When it was made for other rows.
    pub(crate) fn takes(&self, rows: &SchemaRef) -> Result<()> {
        let names = |schema: &SchemaRef| schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>().join(",");
        if self.schema.fields() == rows.fields() {
            return Ok(());
        }
        let what = format!("the table has the columns {}, and its rows have {}", names(&self.schema), names(rows));
        Err(Error::usage(what).help("make the table with the schema of the rows").input(&self.name).stage(Stage::Report))
    }

    /// The rows that it has so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Shows in the counters how far it is: [`rows_written`](crate::stats::Snapshot::rows_written) of so many that are expected.
    pub fn watched_by(&mut self, stats: &Arc<Stats>, expected: u64) {
        stats.expect_written(expected);
        self.stats = Some(stats.clone());
    }

    /// Appends rows.
    ///
    /// # Errors
    /// When they cannot be encoded or written.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.empty = None;
        self.rows += batch.num_rows() as u64;
        self.stats.iter().for_each(|stats| stats.count_written(batch.num_rows() as u64));
        #[cfg(feature = "parquet")]
        if let Encoder::Parquet(table) = &mut self.encoder {
            return table.write(batch);
        }
        #[cfg(feature = "csv")]
        if let Encoder::Csv(csv) = &self.encoder {
            let texts = csv.texts;
            // Where ids are long, some lines at a time.
            let step = if self.has_long_ids { SOME } else { batch.num_rows().max(1) };
            let (mut lines, mut from) = (Vec::new(), 0);
            while from < batch.num_rows() || from == 0 {
                let part = batch.slice(from, step.min(batch.num_rows() - from));
                put_rows(&part, texts, &mut lines).map_err(|e| e.input(&self.name).stage(Stage::Report))?;
                self.append_lines(&lines)?;
                lines.clear();
                from += step;
            }
            return Ok(());
        }
        let batch = &plain(batch, &self.schema).map_err(|e| failed(&self.name, &self.faults, e))?;
        let written = match &mut self.encoder {
            #[cfg(feature = "json")]
            Encoder::Jsonl(writer) => writer.write(batch),
            Encoder::Arrow(writer) if batch.num_rows() > 0 => writer.write(batch),
            _ => Ok(()),
        };
        written.map_err(|e| failed(&self.name, &self.faults, e))
    }

    /// The encoder of row groups for [`TableWriter::append`], when this is a Parquet file.
    #[cfg(feature = "parquet")]
    pub(crate) fn parquet(&self) -> Option<&Arc<Groups>> {
        match &self.encoder {
            Encoder::Parquet(table) => Some(table.groups()),
            _ => None,
        }
    }

    /// Appends a row group of this table's [`Groups`].
    ///
    /// # Errors
    /// When it cannot be written.
    #[cfg(feature = "parquet")]
    pub(crate) fn append(&mut self, group: Group) -> Result<()> {
        self.empty = None;
        match &mut self.encoder {
            Encoder::Parquet(table) => table.append(group),
            _ => Err(Error::internal("a row group in a file that has none")),
        }
    }

    /// Appends lines of a CSV file, below its header.
    #[cfg(feature = "csv")]
    fn append_lines(&mut self, lines: &[u8]) -> Result<()> {
        self.empty = None;
        let Encoder::Csv(csv) = &mut self.encoder else { return Err(Error::internal("lines in a file that has none")) };
        let before = if csv.has_header { Vec::new() } else { header(&self.schema) };
        csv.has_header = true;
        let written = [&before, lines].into_iter().try_for_each(|bytes| csv.output.write_all(bytes));
        written.map_err(|e| failed(&self.name, &self.faults, e))
    }

    /// Cuts the row groups and parts to come so that they take no more memory than with short ids and the usual columns, given the length of
    /// long ids: by rows and not by bytes, so that any part of the table knows where its groups end.
    pub(crate) fn fit_groups(&mut self, id_bytes: u64) {
        // A column more is a number; a long id is there twice: as it came, and encoded.
        let more = self.schema.fields().len().saturating_sub(USUAL_COLUMNS) as u64 * 8;
        let fit = |rows: usize| {
            let rows = rows as u64 * BYTES_PER_ROW / (BYTES_PER_ROW + more).saturating_add(id_bytes.saturating_mul(2));
            (rows as usize / BATCH * BATCH).max(BATCH)
        };
        self.part_rows = fit(PART);
        self.has_long_ids = id_bytes > LONG;
        #[cfg(feature = "parquet")]
        if let Encoder::Parquet(table) = &mut self.encoder {
            table.group_rows = fit(GROUP);
        }
    }

    /// The rows that a part of a stream should have.
    pub(crate) fn rows_per_part(&self) -> usize {
        match &self.encoder {
            #[cfg(feature = "parquet")]
            Encoder::Parquet(table) => table.group_rows,
            _ => self.part_rows,
        }
    }

    /// Appends all rows of a stream, on the threads of the current pool.
    ///
    /// # Errors
    /// When they cannot be built, encoded or written.
    pub fn write_stream<S: RowStream>(&mut self, stream: &S) -> Result<()> {
        self.write_stream_with(stream, rayon::current_num_threads())
    }

    /// As [`write_stream`](TableWriter::write_stream), on so many threads at most: each has a row group in memory, or the batches or lines
    /// of a part.
    pub(crate) fn write_stream_with<S: RowStream>(&mut self, stream: &S, threads: usize) -> Result<()> {
        if threads == 1 || self.has_long_ids {
            // A batch at a time: there may be no memory for more.
            while let Some(part) = stream.next_part()? {
                self.cancel.check()?;
                stream.build(&part, &mut |batch| self.write(&batch))?;
            }
            return Ok(());
        }
        let cancel = self.cancel.clone();
        let next = |most| {
            cancel.check()?;
            next_parts(stream, most)
        };
        #[cfg(any(feature = "csv", feature = "parquet"))]
        let rows = AtomicU64::new(0);
        #[cfg(any(feature = "csv", feature = "parquet"))]
        let stats = self.stats.clone();
        #[cfg(any(feature = "csv", feature = "parquet"))]
        let count = |batch: &RecordBatch| {
            rows.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
            stats.iter().for_each(|stats| stats.count_written(batch.num_rows() as u64));
        };
        #[cfg(feature = "parquet")]
        if let Some(groups) = self.parquet().cloned() {
            let parts = stream.parts_per_group(self.rows_per_part());
            let build = |part: &S::Part, sink: &mut dyn FnMut(RecordBatch) -> Result<()>| {
                stream.build(part, &mut |batch| {
                    count(&batch);
                    sink(batch)
                })
            };
            let encode = |parts: Vec<S::Part>| groups.encode_group(|sink| parts.into_iter().try_for_each(|part| build(&part, sink)));
            let written = in_order(threads, || next(parts), encode, |group| self.append(group));
            self.rows += rows.into_inner();
            return written;
        }
        #[cfg(feature = "csv")]
        if let Encoder::Csv(csv) = &self.encoder {
            let texts = csv.texts;
            let encode = |parts: Vec<S::Part>| {
                let mut lines = Vec::new();
                let mut put = |batch: RecordBatch| {
                    count(&batch);
                    put_rows(&batch, texts, &mut lines)
                };
                parts.iter().try_for_each(|part| stream.build(part, &mut put))?;
                Ok(lines)
            };
            let written = in_order(threads, || next(1), encode, |lines: Vec<u8>| self.append_lines(&lines));
            self.rows += rows.into_inner();
            return written;
        }
        let build = |parts: Vec<S::Part>| parts.iter().map(|part| stream.batches(part)).collect::<Result<Vec<_>>>();
        in_order(threads, || next(1), build, |batches| batches.iter().flatten().try_for_each(|batch| self.write(batch)))
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
            #[cfg(feature = "parquet")]
            Encoder::Parquet(table) => table.finish(),
            #[cfg(feature = "csv")]
            Encoder::Csv(csv) => Ok(csv.output),
            #[cfg(feature = "json")]
            Encoder::Jsonl(mut writer) => writer.finish().map(|()| writer.into_inner()).map_err(fail),
            Encoder::Arrow(writer) => writer.into_inner().map_err(fail),
        }
    }
}

/// The next parts, up to so many; nothing at the end.
fn next_parts<S: RowStream>(stream: &S, most: usize) -> Result<Option<Vec<S::Part>>> {
    let mut parts = Vec::new();
    while parts.len() < most
        && let Some(part) = stream.next_part()?
    {
        parts.push(part);
    }
    Ok((!parts.is_empty()).then_some(parts))
}

/// A write that the system refused is its fault, whatever the encoder made of it.
pub(super) fn failed(name: &str, faults: &Faults, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let error = match faults.first() {
        Some(refused) => Error::io("cannot write", refused),
        None => Error::internal("rows cannot be written").cause(cause),
    };
    error.input(name).stage(Stage::Report)
}
