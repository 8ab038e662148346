//! Tables of Arrow batches in any of the four formats, into an [`Output`].

use super::output::Output;
use crate::error::{Error, Result, Stage};
use crate::source::files::Format;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use std::path::Path;

/// A table on its way into a file.
pub struct TableWriter {
    name: String,
    encoder: Encoder,
}

enum Encoder {
    Parquet(Box<ArrowWriter<Output>>),
    Csv(Box<arrow::csv::Writer<Output>>),
    Jsonl(arrow::json::LineDelimitedWriter<Output>),
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
        let output = Output::create(path)?;
        let encoder = match format {
            Format::Parquet => {
                let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
                let writer = ArrowWriter::try_new(output, schema.clone(), Some(properties));
                Encoder::Parquet(Box::new(writer.map_err(|e| failed(&name, e))?))
            }
            Format::Csv => {
                let builder = arrow::csv::WriterBuilder::new().with_timestamp_format("%Y-%m-%dT%H:%M:%S%.f".to_owned());
                Encoder::Csv(Box::new(builder.build(output)))
            }
            Format::Jsonl => {
                let builder =
                    arrow::json::WriterBuilder::new().with_explicit_nulls(true).with_timestamp_format("%Y-%m-%dT%H:%M:%S%.f".to_owned());
                Encoder::Jsonl(builder.build(output))
            }
            Format::Arrow => {
                let writer = arrow::ipc::writer::FileWriter::try_new(output, schema);
                Encoder::Arrow(Box::new(writer.map_err(|e| failed(&name, e))?))
            }
        };
        let mut table = TableWriter { name, encoder };
        // An empty table still has its header.
        table.write(&RecordBatch::new_empty(schema.clone()))?;
        Ok(table)
    }

    /// Appends rows.
    ///
    /// # Errors
    /// When they cannot be encoded or written.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let written = match &mut self.encoder {
            Encoder::Parquet(writer) => writer.write(batch).map_err(ArrowError::from),
            Encoder::Csv(writer) => writer.write(batch),
            Encoder::Jsonl(writer) => writer.write(batch),
            Encoder::Arrow(writer) if batch.num_rows() > 0 => writer.write(batch),
            Encoder::Arrow(_) => Ok(()),
        };
        written.map_err(|e| failed(&self.name, e))
    }

    /// Ends the table; the file appears when the output is committed.
    ///
    /// # Errors
    /// When the end cannot be written.
    pub fn finish(self) -> Result<Output> {
        let TableWriter { name, encoder } = self;
        let fail = |e: ArrowError| failed(&name, e);
        match encoder {
            Encoder::Parquet(writer) => writer.into_inner().map_err(|e| failed(&name, e)),
            Encoder::Csv(writer) => Ok(writer.into_inner()),
            Encoder::Jsonl(mut writer) => {
                writer.finish().map_err(fail)?;
                Ok(writer.into_inner())
            }
            Encoder::Arrow(writer) => writer.into_inner().map_err(fail),
        }
    }
}

/// A refused write is the operating system's fault, not the data's.
fn failed(name: &str, cause: impl Into<ParquetError>) -> Error {
    let cause: ParquetError = cause.into();
    let io = |e: &std::io::Error| std::io::Error::new(e.kind(), e.to_string());
    let found = match &cause {
        ParquetError::External(inner) => inner.downcast_ref::<std::io::Error>().map(io).or_else(|| {
            inner.downcast_ref::<ArrowError>().and_then(|e| if let ArrowError::IoError(_, e) = e { Some(io(e)) } else { None })
        }),
        _ => None,
    };
    let error = match found {
        Some(e) => Error::io("cannot write", e),
        None => Error::internal("rows cannot be written").cause(cause),
    };
    error.input(name).stage(Stage::Report)
}
