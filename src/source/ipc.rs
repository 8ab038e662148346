//! Arrow IPC, file (Feather) and stream: a record batch is a chunk.

use super::arrow_columns::ArrowChunk;
use super::row_kind::{ArrowColumns, RowKind};
use super::{Chunk, Source, guarded};
use crate::base::error::{Error, Result, Stage};
use crate::model::period_batch::Origin;
use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::{FileReader, StreamDecoder, read_footer_length};
use arrow::ipc::root_as_footer;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::sync::Arc;

/// Bytes of a stream that are read at a time, at most.
const BLOCK: usize = 1 << 20;

const DAMAGED: &str = "it is not Arrow IPC, or it is damaged";

type Reader = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>;

pub(super) struct IpcSource<S: RowKind> {
    origin: Arc<Origin>,
    reader: Reader,
    columns: S::Columns,
    next_row: u64,
}

impl<S: RowKind> IpcSource<S> {
    pub(super) fn open_file(file: File, origin: Arc<Origin>, kind: &S) -> Result<Self> {
        let fail = |e| Error::io("cannot read", e).input(&origin.name).stage(Stage::Source);
        let mut file = BufReader::new(file);
        guarded(&origin, DAMAGED, || check_footer(&mut file))?;
        file.rewind().map_err(fail)?;
        let whole = guarded(&origin, DAMAGED, || FileReader::try_new(&mut file, None).map(|reader| reader.schema()))?;
        let columns = kind.resolve(&whole, &origin)?;
        let reader = guarded(&origin, DAMAGED, || FileReader::try_new(file, Some(columns.projection())))?;
        Ok(IpcSource { origin, reader: Box::new(reader), columns: columns.projected(), next_row: 1 })
    }

    pub(super) fn open_stream(reader: Box<dyn Read + Send>, origin: Arc<Origin>, kind: &S) -> Result<Self> {
        let (schema, batches) = begun(reader, &origin)?;
        let columns = kind.resolve(&schema, &origin)?;
        Ok(IpcSource { origin, reader: Box::new(batches), columns, next_row: 1 })
    }
}

/// The batches of a stream, and their schema, which is known once the first batch is, or the end.
fn begun(
    reader: Box<dyn Read + Send>,
    origin: &Origin,
) -> Result<(SchemaRef, impl Iterator<Item = Result<RecordBatch, ArrowError>> + Send + use<>)> {
    let mut reader = Stream { reader, decoder: StreamDecoder::new(), block: Buffer::from_vec(Vec::<u8>::new()) };
    let first = guarded(origin, DAMAGED, || reader.next().transpose())?;
    let schema = reader.decoder.schema().ok_or_else(|| Error::data(DAMAGED).input(&origin.name).stage(Stage::Source))?;
    Ok((schema, first.map(Ok).into_iter().chain(reader)))
}

/// The batches of a stream as they come, with all columns, and their schema.
pub(super) fn stream(
    reader: Box<dyn Read + Send>,
    origin: &Arc<Origin>,
) -> Result<(SchemaRef, impl Iterator<Item = Result<RecordBatch>> + Send + use<>)> {
    let (schema, mut batches) = begun(reader, origin)?;
    let origin = origin.clone();
    Ok((schema, std::iter::from_fn(move || guarded(&origin, DAMAGED, || batches.next().transpose()).transpose())))
}

/// The reader takes as much memory as a footer asks for: refuse blocks that reach beyond the file before it does.
fn check_footer(file: &mut (impl Read + Seek)) -> Result<(), ArrowError> {
    let damaged = || ArrowError::IpcError("the footer reaches beyond the file".to_owned());
    let size = file.seek(SeekFrom::End(0))?;
    if size < 20 {
        return Err(damaged());
    }
    let mut tail = [0; 10];
    file.seek(SeekFrom::End(-10))?;
    file.read_exact(&mut tail)?;
    let length = read_footer_length(tail)?;
    if length as u64 + 10 > size {
        return Err(damaged());
    }
    file.seek(SeekFrom::End(-10 - length as i64))?;
    let mut footer = vec![0; length];
    file.read_exact(&mut footer)?;
    let footer = root_as_footer(&footer).map_err(|e| ArrowError::IpcError(e.to_string()))?;
    let blocks = footer.recordBatches().into_iter().flatten().chain(footer.dictionaries().into_iter().flatten());
    for block in blocks {
        let parts = [block.offset(), i64::from(block.metaDataLength()), block.bodyLength()];
        let end = parts.iter().try_fold(0u64, |sum, part| sum.checked_add(u64::try_from(*part).ok()?));
        if end.is_none_or(|end| end > size) {
            return Err(damaged());
        }
    }
    Ok(())
}

/// A stream, decoded as its bytes come: a message that claims to be large takes memory only as it arrives.
struct Stream {
    reader: Box<dyn Read + Send>,
    decoder: StreamDecoder,
    block: Buffer,
}

impl Iterator for Stream {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.decoder.decode(&mut self.block) {
                Ok(None) => {}
                Ok(Some(batch)) => return Some(Ok(batch)),
                Err(e) => return Some(Err(e)),
            }
            // What a pipe has, and no more: its batches come as they are sent.
            let mut bytes = vec![0; BLOCK];
            match self.reader.read(&mut bytes) {
                Ok(0) => return self.decoder.finish().err().map(Err),
                Ok(n) => {
                    bytes.truncate(n);
                    bytes.shrink_to(n);
                    self.block = Buffer::from_vec(bytes);
                }
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Some(Err(e.into())),
            }
        }
    }
}

impl<S: RowKind> Source<S::Batch> for IpcSource<S> {
    fn inputs(&self) -> Vec<String> {
        vec![self.origin.name.clone()]
    }

    fn next_chunk(&mut self) -> Result<Option<Box<dyn Chunk<S::Batch>>>> {
        let reader = &mut self.reader;
        let Some(batch) = guarded(&self.origin, DAMAGED, || reader.next().transpose())? else { return Ok(None) };
        let first_row = self.next_row;
        self.next_row += batch.num_rows() as u64;
        let bytes = batch.get_array_memory_size() as u64;
        Ok(Some(Box::new(ArrowChunk { batch, columns: self.columns.clone(), first_row, bytes })))
    }
}
