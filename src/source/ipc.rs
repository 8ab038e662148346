//! Arrow IPC, file (Feather) and stream: a record batch is a chunk. What messages claim is held against the bytes that are there, and only
//! then decoded ([`ipc_limits`](super::ipc_limits)); columns that are not read are not unpacked.

use super::arrow_columns::ArrowChunk;
use super::input_limits::Unpacked;
use super::ipc_limits::{Claims, damaged, footer, message};
use super::row_kind::{ArrowColumns, RowKind};
use super::{Chunk, Source, guarded};
use crate::base::error::Result;
use crate::model::period_batch::Origin;
use crate::model::read_options::ReadOptions;
use arrow::array::{ArrayRef, RecordBatch};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::convert::fb_to_schema;
use arrow::ipc::reader::{RecordBatchDecoder, read_dictionary, read_footer_length};
use arrow::ipc::{Block, MessageHeader, Schema as Written};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::sync::Arc;

const DAMAGED: &str = "it is not Arrow IPC, or it is damaged";

/// Memory that is taken at once for a message, before its bytes are there.
const AT_ONCE: u64 = 1 << 24;

/// Comes before the length of a header, since the format's version 0.15.
const CONTINUATION: [u8; 4] = [0xff; 4];

type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>;

pub(super) struct IpcSource<S: RowKind> {
    origin: Arc<Origin>,
    reader: Batches,
    columns: S::Columns,
    next_row: u64,
}

impl<S: RowKind> IpcSource<S> {
    pub(super) fn open_file(file: File, origin: Arc<Origin>, kind: &S) -> Result<Self> {
        let mut blocks = guarded(&origin, DAMAGED, || Blocks::open(BufReader::new(file), kind.reading()))?;
        let columns = kind.resolve(&blocks.decoder.schema, &origin)?;
        blocks.decoder.read_only(columns.projection());
        guarded(&origin, DAMAGED, || blocks.read_dictionaries())?;
        Ok(IpcSource { origin, reader: Box::new(blocks), columns: columns.projected(), next_row: 1 })
    }

    pub(super) fn open_stream(reader: Box<dyn Read + Send>, origin: Arc<Origin>, kind: &S) -> Result<Self> {
        let mut stream = guarded(&origin, DAMAGED, || Stream::begin(reader, kind.reading()))?;
        let columns = kind.resolve(&stream.decoder.schema, &origin)?;
        stream.decoder.read_only(columns.projection());
        Ok(IpcSource { origin, reader: Box::new(stream), columns: columns.projected(), next_row: 1 })
    }
}

/// The batches of a stream as they come, with all columns, and their schema.
pub(super) fn stream(
    reader: Box<dyn Read + Send>,
    origin: &Arc<Origin>,
    options: &ReadOptions,
) -> Result<(SchemaRef, impl Iterator<Item = Result<RecordBatch>> + Send + use<>)> {
    let mut batches = guarded(origin, DAMAGED, || Stream::begin(reader, options))?;
    let (schema, origin) = (batches.decoder.schema.clone(), origin.clone());
    Ok((schema, std::iter::from_fn(move || guarded(&origin, DAMAGED, || batches.next().transpose()).transpose())))
}

/// A message: the bytes of its header, and its body.
struct Parcel {
    head: Vec<u8>,
    body: Buffer,
}

/// Makes batches of messages.
struct Decoder {
    schema: SchemaRef,
    dictionaries: HashMap<i64, ArrayRef>,
    /// The columns that are read; else all are.
    read: Option<Vec<usize>>,
    /// The dictionaries that they have, and the types of the values.
    values: BTreeMap<i64, DataType>,
    unpacked: Unpacked,
}

impl Decoder {
    fn new(schema: Written<'_>, options: &ReadOptions) -> Result<Self, ArrowError> {
        if !schema.endianness().equals_to_target_endianness() {
            return Err(damaged("its numbers are big-endian, which is not read"));
        }
        let schema = Arc::new(fb_to_schema(schema));
        let mut values = BTreeMap::new();
        schema.fields().iter().for_each(|field| add_dictionaries(field, &mut values));
        Ok(Decoder { schema, dictionaries: HashMap::new(), read: None, values, unpacked: Unpacked::new(options) })
    }

    fn read_only(&mut self, columns: Vec<usize>) {
        self.values.clear();
        columns.iter().for_each(|column| add_dictionaries(self.schema.field(*column), &mut self.values));
        self.read = Some(columns);
    }

    /// Decodes a message of an input of which so many bytes are there; none where it is a dictionary.
    fn take(&mut self, parcel: &Parcel, there: u64) -> Result<Option<RecordBatch>, ArrowError> {
        let (message, body) = (message(&parcel.head)?, &parcel.body);
        let version = message.version();
        match message.header_type() {
            MessageHeader::RecordBatch => {
                let batch = message.header_as_record_batch().ok_or_else(|| damaged("a batch is not there"))?;
                let read = self.read.as_deref();
                Claims { batch, schema: &self.schema, read, version }.check(body, &self.unpacked, there)?;
                let decoder = RecordBatchDecoder::try_new(body, batch, self.schema.clone(), &self.dictionaries, &version)?;
                decoder.with_projection(read).read_record_batch().map(Some)
            }
            MessageHeader::DictionaryBatch => {
                let dictionary = message.header_as_dictionary_batch().ok_or_else(|| damaged("a dictionary is not there"))?;
                let Some(values) = self.values.get(&dictionary.id()) else { return Ok(None) };
                let batch = dictionary.data().ok_or_else(|| damaged("a dictionary is not there"))?;
                let schema = Schema::new(vec![Field::new("values", values.clone(), true)]);
                Claims { batch, schema: &schema, read: None, version }.check(body, &self.unpacked, there)?;
                read_dictionary(body, dictionary, &self.schema, &mut self.dictionaries, &version).map(|()| None)
            }
            // A message that is passed over may have been rows.
            other => Err(damaged(format!("a message is neither rows nor a dictionary, but {other:?}"))),
        }
    }
}

/// Adds the dictionaries of a column, and the types of their values.
fn add_dictionaries(field: &Field, found: &mut BTreeMap<i64, DataType>) {
    match field.data_type() {
        DataType::Dictionary(_, values) => {
            #[allow(deprecated)]
            found.extend(field.dict_id().map(|id| (id, values.as_ref().clone())));
            add_dictionaries(&Field::new("values", values.as_ref().clone(), true), found);
        }
        DataType::Struct(inner) => inner.iter().for_each(|field| add_dictionaries(field, found)),
        DataType::Union(inner, _) => inner.iter().for_each(|(_, field)| add_dictionaries(field, found)),
        DataType::RunEndEncoded(_, inner)
        | DataType::List(inner)
        | DataType::LargeList(inner)
        | DataType::ListView(inner)
        | DataType::LargeListView(inner)
        | DataType::FixedSizeList(inner, _)
        | DataType::Map(inner, _) => add_dictionaries(inner, found),
        _ => {}
    }
}

/// Reads so many bytes, or what there is of them: memory is taken as they come.
fn read_up_to(reader: &mut impl Read, count: u64) -> Result<Vec<u8>, ArrowError> {
    let mut bytes = Vec::with_capacity(count.min(AT_ONCE) as usize);
    reader.take(count).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// As above, and all of them.
fn read(reader: &mut impl Read, count: u64) -> Result<Vec<u8>, ArrowError> {
    let bytes = read_up_to(reader, count)?;
    if bytes.len() as u64 == count { Ok(bytes) } else { Err(damaged("it ends in the middle of a message: it may be cut off")) }
}

/// The length of the header that follows, and of what says it; none at the end, which some writers leave out.
fn header_length(reader: &mut impl Read, is_modern: bool) -> Result<Option<(u64, u64)>, ArrowError> {
    let mut first = read_up_to(reader, 4)?;
    if first.is_empty() {
        return Ok(None);
    }
    let mut prefix = 4;
    if first == CONTINUATION {
        (first, prefix) = (read(reader, 4)?, 8);
    } else if is_modern {
        return Err(damaged("a message does not begin where the one before ends"));
    }
    let length = first.first_chunk().map(|bytes| i32::from_le_bytes(*bytes)).and_then(|length| u64::try_from(length).ok());
    Ok(Some((prefix, length.ok_or_else(|| damaged("a message has a header of less than no bytes"))?)))
}

/// A stream.
struct Stream {
    reader: BufReader<Box<dyn Read + Send>>,
    decoder: Decoder,
    /// Its messages begin with the sign that later versions have.
    is_modern: bool,
    bytes: u64,
    ended: bool,
}

impl Stream {
    /// Reads the schema.
    fn begin(reader: Box<dyn Read + Send>, options: &ReadOptions) -> Result<Self, ArrowError> {
        let mut reader = BufReader::new(reader);
        let Some((prefix, length)) = header_length(&mut reader, false)? else { return Err(damaged("it is empty")) };
        let head = read(&mut reader, length)?;
        let message = message(&head)?;
        let schema = message.header_as_schema().ok_or_else(|| damaged("it does not begin with a schema"))?;
        let decoder = Decoder::new(schema, options)?;
        read(&mut reader, message.bodyLength() as u64)?;
        Ok(Stream { reader, decoder, is_modern: prefix == 8, bytes: prefix + length, ended: false })
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        while !self.ended {
            let Some((prefix, length)) = header_length(&mut self.reader, self.is_modern)? else { break };
            if length == 0 {
                self.ended = true;
                if !read_up_to(&mut self.reader, 1)?.is_empty() {
                    return Err(damaged("bytes follow its end"));
                }
                break;
            }
            let head = read(&mut self.reader, length)?;
            let body = read(&mut self.reader, message(&head)?.bodyLength() as u64)?;
            self.bytes += prefix + length + body.len() as u64;
            if let Some(batch) = self.decoder.take(&Parcel { head, body: Buffer::from_vec(body) }, self.bytes)? {
                return Ok(Some(batch));
            }
        }
        self.ended = true;
        Ok(None)
    }
}

impl Iterator for Stream {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch().transpose()
    }
}

/// A file: the messages that its footer lists.
struct Blocks {
    file: BufReader<File>,
    size: u64,
    decoder: Decoder,
    dictionaries: Vec<Block>,
    batches: std::vec::IntoIter<Block>,
}

impl Blocks {
    fn open(mut file: BufReader<File>, options: &ReadOptions) -> Result<Self, ArrowError> {
        let short = || damaged("the footer reaches beyond the file");
        let size = file.seek(SeekFrom::End(0))?;
        let mut tail = [0; 10];
        file.seek(SeekFrom::Start(size.checked_sub(10).ok_or_else(short)?))?;
        file.read_exact(&mut tail)?;
        let length = read_footer_length(tail)? as u64;
        // The magic number is there twice.
        let begin = size.checked_sub(length + 10).filter(|begin| *begin >= 8).ok_or_else(short)?;
        file.seek(SeekFrom::Start(begin))?;
        let bytes = read(&mut file, length)?;
        let footer = footer(&bytes)?;
        let decoder = Decoder::new(footer.schema().ok_or_else(|| damaged("there is no schema"))?, options)?;
        let dictionaries: Vec<Block> = footer.dictionaries().into_iter().flatten().copied().collect();
        let batches: Vec<Block> = footer.recordBatches().into_iter().flatten().copied().collect();
        for block in dictionaries.iter().chain(&batches) {
            let parts = [block.offset(), i64::from(block.metaDataLength()), block.bodyLength()];
            let end = parts.iter().try_fold(0u64, |sum, part| sum.checked_add(u64::try_from(*part).ok()?));
            if end.is_none_or(|end| end > begin) {
                return Err(damaged("the footer lists a batch that lies beyond the file"));
            }
        }
        let there = count_batches(&mut file, begin)?;
        if there != batches.len() {
            return Err(damaged(format!("the footer lists {} batches, and the file has {there}", batches.len())));
        }
        Ok(Blocks { file, size, decoder, dictionaries, batches: batches.into_iter() })
    }

    fn read_dictionaries(&mut self) -> Result<(), ArrowError> {
        std::mem::take(&mut self.dictionaries).iter().try_for_each(|block| match self.take(block)? {
            None => Ok(()),
            Some(_) => Err(damaged("a batch is listed as a dictionary")),
        })
    }

    fn take(&mut self, block: &Block) -> Result<Option<RecordBatch>, ArrowError> {
        self.file.seek(SeekFrom::Start(block.offset() as u64))?;
        let listed = block.metaDataLength() as u64;
        let Some((prefix, length)) = header_length(&mut self.file, false)? else { return Err(damaged("a batch is not there")) };
        if prefix + length != listed {
            return Err(damaged(format!("a message has a header of {} bytes, and the footer says {listed}", prefix + length)));
        }
        let head = read(&mut self.file, length)?;
        let body = message(&head)?.bodyLength();
        if body != block.bodyLength() {
            return Err(damaged(format!("a message has {body} bytes, and the footer says {}", block.bodyLength())));
        }
        let body = Buffer::from_vec(read(&mut self.file, body as u64)?);
        self.decoder.take(&Parcel { head, body }, self.size)
    }
}

/// Counts the batches in a file whose messages end there: between the two magic numbers lies a stream.
fn count_batches(file: &mut BufReader<File>, end: u64) -> Result<usize, ArrowError> {
    // Between the magic number and the first message there may be zeros.
    file.seek(SeekFrom::Start(8))?;
    let zeros = read_up_to(file, 128.min(end - 8))?.iter().take_while(|byte| **byte == 0).count();
    let (mut at, mut count) = (8 + zeros as u64 / 8 * 8, 0);
    while at < end {
        file.seek(SeekFrom::Start(at))?;
        let Some((prefix, length)) = header_length(file, false)? else { break };
        if length == 0 {
            break;
        }
        let head = read(file, length.min(end - at))?;
        let message = message(&head)?;
        count += usize::from(message.header_type() == MessageHeader::RecordBatch);
        at = at.saturating_add(prefix + length).saturating_add(message.bodyLength() as u64);
    }
    if at > end { Err(damaged("a message reaches beyond the file")) } else { Ok(count) }
}

impl Iterator for Blocks {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let block = self.batches.next()?;
        Some(self.take(&block).and_then(|batch| batch.ok_or_else(|| damaged("a dictionary is listed as a batch"))))
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
