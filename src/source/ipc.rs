//! Arrow IPC, file (Feather) and stream: a record batch is a chunk.

use super::columns::{ArrowChunk, Columns};
use super::{Chunk, ColumnMap, Origin, Source};
use crate::error::{Error, Result, Stage};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::{FileReader, StreamReader};
use std::fs::File;
use std::io::{BufReader, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

type Reader = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>;

pub(super) struct IpcSource {
    origin: Arc<Origin>,
    reader: Reader,
    columns: Columns,
    next_row: u64,
}

impl IpcSource {
    pub(super) fn open_file(file: File, origin: Arc<Origin>, map: &ColumnMap) -> Result<Self> {
        let again = file.try_clone().map_err(|e| Error::io("cannot open again", e).input(&origin.name))?;
        let whole = guarded(&origin, || FileReader::try_new_buffered(again, None))?;
        let projection = Columns::resolve(&whole.schema(), map, &origin)?.projection();
        let reader = guarded(&origin, || FileReader::try_new_buffered(file, Some(projection)))?;
        Self::new(origin, &reader.schema(), map, Box::new(reader))
    }

    pub(super) fn open_stream(reader: Box<dyn Read + Send>, origin: Arc<Origin>, map: &ColumnMap) -> Result<Self> {
        let reader = guarded(&origin, || StreamReader::try_new(BufReader::with_capacity(1 << 20, reader), None))?;
        Self::new(origin, &reader.schema(), map, Box::new(reader))
    }

    fn new(origin: Arc<Origin>, schema: &SchemaRef, map: &ColumnMap, reader: Reader) -> Result<Self> {
        let columns = Columns::resolve(schema, map, &origin)?;
        Ok(IpcSource { origin, reader, columns, next_row: 1 })
    }
}

/// The reader panics on some malformed files; to a user that is a damaged file like any other.
fn guarded<T>(origin: &Origin, read: impl FnOnce() -> Result<T, ArrowError>) -> Result<T> {
    let fault = || Error::data("it is not Arrow IPC, or it is damaged").input(&origin.name).stage(Stage::Source);
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(e)) => Err(fault().cause(e)),
        Err(_) => Err(fault()),
    }
}

impl Source for IpcSource {
    fn inputs(&self) -> Vec<String> {
        vec![self.origin.name.clone()]
    }

    fn next_chunk(&mut self) -> Result<Option<Box<dyn Chunk>>> {
        let reader = &mut self.reader;
        let Some(batch) = guarded(&self.origin, || reader.next().transpose())? else { return Ok(None) };
        let first_row = self.next_row;
        self.next_row += batch.num_rows() as u64;
        let bytes = batch.get_array_memory_size() as u64;
        Ok(Some(Box::new(ArrowChunk { batch, columns: self.columns.clone(), first_row, bytes })))
    }
}
