//! A Parquet file and its row groups: these are encoded apart from being written, side by side if need be, and appended in order.

use super::ColumnEncoder;
use super::chunk::Chunk;
use crate::base::error::{Error, Result};
use crate::base::threads::lock;
use crate::report::output::{Faults, Output};
use crate::report::table::{GROUP, failed};
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use parquet::arrow::{ArrowSchemaConverter, add_encoded_arrow_schema_to_metadata};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnDescPtr;
use std::sync::{Arc, Mutex};

/// A Parquet file on its way.
pub(crate) struct ParquetTable {
    writer: SerializedFileWriter<Output>,
    groups: Arc<Groups>,
    /// Rows in a group.
    pub(crate) group_rows: usize,
    /// The row group that [`ParquetTable::write`] is at.
    open: Option<OpenGroup>,
}

/// Encodes row groups, on any number of threads at once.
pub(crate) struct Groups {
    name: String,
    faults: Faults,
    schema: SchemaRef,
    columns: Vec<ColumnDescPtr>,
    /// Columns that were closed, and what they were encoded into: memory that the next ones need not ask for.
    idle: Mutex<Vec<Vec<ColumnEncoder>>>,
    spare: Mutex<Vec<Vec<Vec<u8>>>>,
}

/// An encoded row group, or none when there were no rows.
pub(crate) struct Group(Option<Vec<Chunk>>);

struct OpenGroup {
    rows: usize,
    columns: Vec<ColumnEncoder>,
}

impl OpenGroup {
    fn push(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        self.rows += batch.num_rows();
        self.columns.iter_mut().zip(batch.columns()).try_for_each(|(column, array)| column.push(array))
    }

    fn close(mut self, groups: &Groups) -> Result<Group, ParquetError> {
        if self.rows == 0 {
            return Ok(Group(None));
        }
        let chunks = self.columns.iter_mut().map(ColumnEncoder::close).collect::<Result<_, _>>()?;
        lock(&groups.idle).push(self.columns);
        Ok(Group(Some(chunks)))
    }
}

impl Groups {
    /// Encodes the batches that `fill` gives as one row group. They must hold as many rows as others, unless it is the table's last.
    ///
    /// # Errors
    /// When `fill` fails, or a batch cannot be encoded.
    pub(crate) fn encode_group(&self, fill: impl FnOnce(&mut dyn FnMut(RecordBatch) -> Result<()>) -> Result<()>) -> Result<Group> {
        let mut group = self.open()?;
        fill(&mut |batch| group.push(&batch).map_err(|e| self.failed(e)))?;
        group.close(self).map_err(|e| self.failed(e))
    }

    fn open(&self) -> Result<OpenGroup> {
        let idle = lock(&self.idle).pop();
        let mut columns = idle.map_or_else(|| self.encoders(), Ok)?;
        let spare = lock(&self.spare).pop().unwrap_or_default();
        columns.iter_mut().zip(spare).for_each(|(column, bytes)| column.reuse(bytes));
        Ok(OpenGroup { rows: 0, columns })
    }

    fn encoders(&self) -> Result<Vec<ColumnEncoder>> {
        let columns = self.schema.fields().iter().enumerate().map(|(at, field)| {
            // Types that are more than a column of the file are none that can be encoded.
            let column = self.columns.get(at).and_then(|column| ColumnEncoder::new(column, field.data_type()));
            column.ok_or_else(|| {
                let (column, data_type) = (field.name(), field.data_type());
                Error::usage(format!("{}: column {column} is {data_type}, which is not written to Parquet", self.name))
                    .help("write CSV, JSONL or Arrow, or give the column another type")
            })
        });
        columns.collect()
    }

    fn failed(&self, e: ParquetError) -> Error {
        failed(&self.name, &self.faults, e)
    }
}

impl ParquetTable {
    /// A file with so many columns.
    ///
    /// # Errors
    /// When a column has a type that is not encoded, or the file cannot be begun.
    pub(crate) fn new(name: &str, output: Output, schema: &SchemaRef) -> Result<Self> {
        let faults = output.faults();
        let writer = begin(output, schema).map_err(|e| failed(name, &faults, e))?;
        let columns = writer.schema_descr().columns().to_vec();
        let groups =
            Groups { name: name.to_owned(), faults, schema: schema.clone(), columns, idle: Mutex::default(), spare: Mutex::default() };
        let first = groups.encoders()?;
        lock(&groups.idle).push(first);
        Ok(ParquetTable { writer, groups: Arc::new(groups), group_rows: GROUP, open: None })
    }

    /// An encoder of row groups for [`append`](ParquetTable::append).
    pub(crate) fn groups(&self) -> &Arc<Groups> {
        &self.groups
    }

    /// Appends a row group, after what was written before.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn append(&mut self, group: Group) -> Result<()> {
        self.flush()?;
        self.append_next(group)
    }

    fn append_next(&mut self, group: Group) -> Result<()> {
        let Some(chunks) = group.0 else { return Ok(()) };
        let append = || {
            let mut writer = self.writer.next_row_group()?;
            let spare = chunks.into_iter().map(|chunk| chunk.append_to(&mut writer)).collect::<Result<_, _>>()?;
            lock(&self.groups.spare).push(spare);
            writer.close().map(drop)
        };
        append().map_err(|e| self.groups.failed(e))
    }

    /// Appends rows, to row groups that end where they are full.
    ///
    /// # Errors
    /// When they cannot be encoded or written.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut from = 0;
        while from < batch.num_rows() {
            let mut group = match self.open.take() {
                Some(group) => group,
                None => self.groups.open()?,
            };
            let rows = (self.group_rows - group.rows).min(batch.num_rows() - from);
            group.push(&batch.slice(from, rows)).map_err(|e| self.groups.failed(e))?;
            from += rows;
            let is_full = group.rows == self.group_rows;
            self.open = Some(group);
            if is_full {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        match self.open.take() {
            Some(group) => {
                let group = group.close(&self.groups).map_err(|e| self.groups.failed(e))?;
                self.append_next(group)
            }
            None => Ok(()),
        }
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When the end cannot be written.
    pub(crate) fn finish(mut self) -> Result<Output> {
        self.flush()?;
        let groups = self.groups;
        self.writer.into_inner().map_err(|e| groups.failed(e))
    }
}

fn begin(output: Output, schema: &SchemaRef) -> Result<SerializedFileWriter<Output>, ParquetError> {
    let mut properties = WriterProperties::default();
    add_encoded_arrow_schema_to_metadata(&with_plain_texts(schema), &mut properties);
    let parquet_schema = ArrowSchemaConverter::new().with_coerce_types(properties.coerce_types()).convert(schema)?;
    SerializedFileWriter::new(output, parquet_schema.root_schema_ptr(), Arc::new(properties))
}

/// The schema with texts as all readers of Arrow know them: not all can filter or sort views. The file's bytes are the same for both.
fn with_plain_texts(schema: &Schema) -> Schema {
    let plain = |field: &FieldRef| match field.data_type() {
        DataType::Utf8View => Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8)),
        _ => field.clone(),
    };
    Schema::new_with_metadata(schema.fields().iter().map(plain).collect::<Vec<_>>(), schema.metadata().clone())
}
