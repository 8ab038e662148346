//! What the messages of Arrow files and streams claim is held against the bytes that are there before the decoder believes it.
//!
//! The format has no checksums. So all that can be held against each other is: a message's buffers lie in its body and fill it, its fields
//! fill its header, compressed buffers claim no more than their input could hold, and rows are not more than bytes could tell. A message
//! of another type than a stream has at its place is an error: one that is passed over may have been rows.

use super::input_limits::Unpacked;
use arrow::datatypes::{DataType, Field, Schema, UnionMode};
use arrow::error::ArrowError;
use arrow::ipc::{Footer, Message, MetadataVersion, RecordBatch, root_as_footer_with_opts, root_as_message_with_opts};
use flatbuffers::VerifierOptions;

/// Bodies and headers are padded to multiples of 64 bytes at most.
const PADDING: usize = 64;
/// What else there may be behind the lists in a header.
const BEHIND: usize = 128;
/// Rows that a batch may have, whatever its bytes: of runs, few bytes tell of many rows.
const FREE_ROWS: u64 = 1 << 20;
/// Rows that a byte may tell of: a truth value is a bit.
const ROWS_PER_BYTE: u64 = 8;

pub(super) fn damaged(what: impl Into<String>) -> ArrowError {
    ArrowError::IpcError(what.into())
}

/// Tables take bytes: what claims more of them than it has room for refers to the same ones again and again.
fn options(bytes: usize) -> VerifierOptions {
    VerifierOptions { max_tables: bytes / 8 + 16, max_apparent_size: bytes.saturating_mul(64) + (1 << 20), ..VerifierOptions::default() }
}

/// The header of a message.
///
/// # Errors
/// When it is damaged.
pub(super) fn message(bytes: &[u8]) -> Result<Message<'_>, ArrowError> {
    let message =
        root_as_message_with_opts(&options(bytes.len()), bytes).map_err(|e| damaged(format!("the header of a message is damaged: {e}")))?;
    if message.bodyLength() < 0 {
        return Err(damaged("a message has less than no bytes"));
    }
    // What is longer than its parts may have swallowed what follows.
    let parts = message.header_as_record_batch().or_else(|| message.header_as_dictionary_batch().and_then(|batch| batch.data()));
    if let Some(batch) = parts.filter(|_| message.custom_metadata().is_none()) {
        let end = |part: &[u8]| (part.as_ptr() as usize + part.len()).saturating_sub(bytes.as_ptr() as usize);
        let nodes = batch.nodes().map_or(0, |nodes| end(nodes.bytes()));
        let buffers = batch.buffers().map_or(0, |buffers| end(buffers.bytes()));
        let counts = batch.variadicBufferCounts().map_or(0, |counts| end(counts.bytes()));
        if bytes.len() > nodes.max(buffers).max(counts) + PADDING + BEHIND {
            return Err(damaged("the header of a message is longer than what it holds"));
        }
    }
    Ok(message)
}

/// The footer of a file.
///
/// # Errors
/// When it is damaged.
pub(super) fn footer(bytes: &[u8]) -> Result<Footer<'_>, ArrowError> {
    root_as_footer_with_opts(&options(bytes.len()), bytes).map_err(|e| damaged(format!("the footer is damaged: {e}")))
}

/// A record batch of some columns, of which some are read, or all.
pub(super) struct Claims<'a> {
    pub(super) batch: RecordBatch<'a>,
    pub(super) schema: &'a Schema,
    pub(super) read: Option<&'a [usize]>,
    pub(super) version: MetadataVersion,
}

impl Claims<'_> {
    /// Holds them against the body, and against the bytes of the input that are there so far.
    ///
    /// # Errors
    /// When they are more.
    pub(super) fn check(&self, body: &[u8], unpacked: &Unpacked, there: u64) -> Result<(), ArrowError> {
        let rows = u64::try_from(self.batch.length()).map_err(|_| damaged("a batch has less than no rows"))?;
        for node in self.batch.nodes().into_iter().flatten() {
            if node.length() < 0 || node.null_count() < 0 || node.null_count() > node.length() {
                return Err(damaged("a column claims less than no rows, or more nulls than rows"));
            }
        }
        let (mut buffers, mut end) = (Vec::new(), 0);
        for buffer in self.batch.buffers().into_iter().flatten() {
            let bounds = usize::try_from(buffer.offset()).ok().zip(usize::try_from(buffer.length()).ok());
            let bounds = bounds.and_then(|(at, length)| Some(at..at.checked_add(length)?)).filter(|bounds| bounds.end <= body.len());
            let bounds = bounds.ok_or_else(|| damaged(format!("a buffer reaches beyond its message of {} bytes", body.len())))?;
            end = end.max(bounds.end);
            buffers.push(bounds);
        }
        if body.len() - end > PADDING {
            return Err(damaged("a message is longer than what it holds"));
        }
        let mut counts = self.batch.variadicBufferCounts().into_iter().flatten();
        let (mut at, mut plain) = (0usize, 0u64);
        for (column, field) in self.schema.fields().iter().enumerate() {
            let first = at;
            at = at.saturating_add(self.buffers(field, &mut counts)?);
            let own = buffers.get(first..at).ok_or_else(|| damaged("a batch has fewer buffers than its columns need"))?;
            if self.read.is_some_and(|read| !read.contains(&column)) {
                continue;
            }
            for buffer in own.iter().filter(|buffer| !buffer.is_empty()) {
                let length = buffer.len() as u64;
                plain = plain.saturating_add(match self.batch.compression() {
                    None => length,
                    Some(_) => claimed(&body[buffer.clone()])?,
                });
            }
        }
        if self.batch.compression().is_some() {
            unpacked.grant(plain, there).map_err(damaged)?;
        }
        if rows > FREE_ROWS.saturating_add(plain.saturating_mul(ROWS_PER_BYTE)) {
            return Err(damaged(format!("a batch claims {rows} rows in {plain} bytes")));
        }
        Ok(())
    }

    /// How many buffers a column has.
    fn buffers(&self, field: &Field, counts: &mut impl Iterator<Item = i64>) -> Result<usize, ArrowError> {
        let mut of_fields = |fields: &[&Field]| {
            fields.iter().try_fold(0usize, |sum, field| Ok::<_, ArrowError>(sum.saturating_add(self.buffers(field, counts)?)))
        };
        Ok(match field.data_type() {
            DataType::Null => 0,
            DataType::Utf8 | DataType::Binary | DataType::LargeUtf8 | DataType::LargeBinary => 3,
            DataType::Utf8View | DataType::BinaryView => {
                let count = counts.next().and_then(|count| usize::try_from(count).ok());
                count.ok_or_else(|| damaged("a column of texts does not say its buffers"))?.saturating_add(2)
            }
            DataType::List(inner) | DataType::LargeList(inner) | DataType::Map(inner, _) => of_fields(&[inner])?.saturating_add(2),
            DataType::ListView(inner) | DataType::LargeListView(inner) => of_fields(&[inner])?.saturating_add(3),
            DataType::FixedSizeList(inner, _) => of_fields(&[inner])?.saturating_add(1),
            DataType::Struct(inner) => of_fields(&inner.iter().map(AsRef::as_ref).collect::<Vec<_>>())?.saturating_add(1),
            DataType::RunEndEncoded(ends, values) => of_fields(&[ends, values])?,
            DataType::Union(inner, mode) => {
                let own = 1 + usize::from(*mode == UnionMode::Dense) + usize::from(self.version < MetadataVersion::V5);
                of_fields(&inner.iter().map(|(_, field)| field.as_ref()).collect::<Vec<_>>())?.saturating_add(own)
            }
            _ => 2,
        })
    }
}

/// What a compressed buffer unpacks to, as it says.
fn claimed(buffer: &[u8]) -> Result<u64, ArrowError> {
    let length = buffer.first_chunk().map(|bytes| i64::from_le_bytes(*bytes));
    match length {
        Some(-1) => Ok(buffer.len() as u64),
        Some(length) if length >= 0 => Ok(length as u64),
        _ => Err(damaged("a compressed buffer does not say its length")),
    }
}
