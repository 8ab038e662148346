//! Columns of a Parquet row group, encoded straight into pages: what [`table`](super::table) writes rows with that have no nulls.
//!
//! A column begins with a dictionary, and leaves it for good once it has too many values: integers go on as differences, texts as
//! what they do not share with the text before ([`bits`]). Values of a dictionary are numbered as they come, and pages end after so
//! many rows or bytes, so a column's bytes depend on its values alone: not on the batches they came in, nor on whether these were
//! dictionaries themselves. Nothing is compressed on top: these encodings leave little to gain, and that little costs more than they.

mod bits;

use crate::route::hash_id;
use arrow::array::builder::make_view;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType, UInt8Type, UInt16Type};
use bytes::{Buf, Bytes, buf::Reader};
use hashbrown::HashTable;
use parquet::basic::{Compression, Encoding, EncodingMask, PageType, Type};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, OffsetIndexBuilder, PageEncodingStats};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, SerializedRowGroupWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;
use std::cell::Cell;
use std::io::{Chain, Read, Write};
use std::mem::take;
use std::ops::Range;

/// Rows in a page, at most.
const PAGE_ROWS: usize = 1 << 14;
/// Bytes of text in a page, but for the text that exceeds them.
const PAGE_BYTES: usize = 1 << 20;
/// Integers in a dictionary, at most: it must stay small beside the row group, and at hand while encoding.
const MOST_INTEGERS: usize = 1 << 13;
/// Texts in a dictionary and their bytes, at most: to find that ids need none must cost little.
const MOST_TEXTS: usize = 1 << 11;
const MOST_BYTES: usize = 1 << 18;
/// Values that a dictionary may have whatever the rows; of more, each must stand for [`ROWS_PER_VALUE`] rows on average.
const FEW_VALUES: usize = 16;
const ROWS_PER_VALUE: usize = 4;
/// Slots of the hash table of integers, at first.
const FEW_SLOTS: usize = 4 * FEW_VALUES;
/// Longer texts are not worth being a minimum or a maximum.
const MOST_STATISTICS_BYTES: usize = 64;
/// No index of a dictionary.
const NONE: u16 = u16::MAX;
/// Texts up to this length are inside their views.
const INLINE: u32 = 12;

/// Runs an expression with the values of an array of integers and what makes each 64 bits wide.
macro_rules! with_integers {
    ($array:expr, $data_type:expr, |$values:ident, $wide:ident| $run:expr) => {
        match $data_type {
            DataType::Int32 => {
                let ($values, $wide) = (&**$array.as_primitive::<Int32Type>().values(), |value: i32| i64::from(value));
                $run
            }
            DataType::Int64 => {
                let ($values, $wide) = (&**$array.as_primitive::<Int64Type>().values(), |value: i64| value);
                $run
            }
            DataType::UInt8 => {
                let ($values, $wide) = (&**$array.as_primitive::<UInt8Type>().values(), |value: u8| i64::from(value));
                $run
            }
            DataType::Timestamp(..) => {
                let ($values, $wide) = (&**$array.as_primitive::<TimestampMicrosecondType>().values(), |value: i64| value);
                $run
            }
            _ => {
                let ($values, $wide) = (narrowed($array.as_primitive::<Decimal128Type>().values())?, |value: i128| value as i64);
                $run
            }
        }
    };
}

/// Decimals that 64 bits hold.
fn narrowed(values: &[i128]) -> Result<&[i128]> {
    match values.iter().fold(0, |lost, value| lost | (value ^ i128::from(*value as i64))) {
        0 => Ok(values),
        _ => Err(ParquetError::General("a decimal of more digits than its type has".to_owned())),
    }
}

/// A column of a row group on its way.
pub(super) struct Column {
    data_type: DataType,
    values: Values,
}

enum Values {
    Integers(Pages<Integers>),
    Texts(Pages<Texts>),
}

impl Column {
    /// Whether values are encoded here.
    pub(super) fn takes(column: &ColumnDescPtr, data_type: &DataType) -> bool {
        use DataType::{Decimal128, Int32, Int64, Timestamp, UInt8, Utf8View};
        let required = column.max_def_level() == 0 && column.max_rep_level() == 0;
        // Decimals of other precisions are not 64 bits wide.
        required && matches!(data_type, Utf8View | Int32 | Int64 | UInt8 | Timestamp(TimeUnit::Microsecond, _) | Decimal128(10..=18, _))
    }

    /// An empty column, of a type that [`Column::takes`].
    pub(super) fn new(column: &ColumnDescPtr, data_type: &DataType) -> Self {
        let values = match column.physical_type() {
            Type::BYTE_ARRAY => Values::Texts(Pages::new(column, Texts::default())),
            physical => Values::Integers(Pages::new(column, Integers::new(physical == Type::INT32))),
        };
        Column { data_type: data_type.clone(), values }
    }

    /// Appends values of the column's type, or a dictionary of them.
    pub(super) fn push(&mut self, array: &ArrayRef) -> Result<()> {
        if array.logical_null_count() > 0 {
            return Err(ParquetError::General("a null in a column without nulls".to_owned()));
        }
        let known = array.as_dictionary_opt::<UInt16Type>().filter(|known| *known.values().data_type() == self.data_type);
        if known.is_none() && *array.data_type() != self.data_type {
            return self.push(&cast(array, &self.data_type)?);
        }
        match (&mut self.values, known) {
            (Values::Texts(pages), Some(known)) => {
                let texts = known.values().as_string_view();
                pages.push_known(
                    known.keys().values(),
                    texts.len(),
                    |own, at| own.index(texts.value(at).as_bytes()),
                    |own, at| own.add(texts.value(at).as_bytes()),
                )
            }
            (Values::Texts(pages), None) => {
                let texts = array.as_string_view();
                let views = texts.views();
                let mut last = None;
                let index = |own: &mut Texts, row: usize| match last {
                    Some((view, index)) if view == views[row] => Some(index),
                    _ => {
                        let index = own.index(texts.value(row).as_bytes())?;
                        last = Some((views[row], index));
                        Some(index)
                    }
                };
                let add = |own: &mut Texts, rows: Range<usize>| {
                    let mut row = rows.start;
                    while row < rows.end && !own.is_full() {
                        row += own.add_short(&views[row..rows.end]);
                        let long = (row..rows.end).take_while(|row| views[*row] as u32 > INLINE);
                        if !own.is_full() {
                            row += own.add_long(long.map(|row| texts.value(row).as_bytes()));
                        }
                    }
                    row
                };
                pages.push(texts.len(), |_, _, _| 0, index, add)
            }
            (Values::Integers(pages), Some(known)) => {
                let values: Vec<i64> =
                    with_integers!(known.values(), &self.data_type, |values, wide| values.iter().map(|value| wide(*value)).collect());
                pages.push_known(known.keys().values(), values.len(), |own, at| own.index(values[at]), |own, at| own.page.push(values[at]))
            }
            (Values::Integers(pages), None) => with_integers!(array, &self.data_type, |values, wide| {
                let add = |own: &mut Integers, rows: Range<usize>| {
                    let end = rows.end.min(rows.start + PAGE_ROWS - own.page.len());
                    own.page.extend(values[rows.start..end].iter().map(|value| wide(*value)));
                    end
                };
                let indices = |own: &Integers, row: usize, indices: &mut [u16]| own.indices(&values[row..], wide, indices);
                pages.push(values.len(), indices, |own, row| own.index(wide(values[row])), add)
            }),
        }
    }

    /// Ends the column, which is empty then.
    pub(super) fn close(&mut self) -> Result<Chunk> {
        match &mut self.values {
            Values::Integers(pages) => pages.close(),
            Values::Texts(pages) => pages.close(),
        }
    }

    /// What an empty column is encoded into from now on: the room that another one left.
    pub(super) fn set_room(&mut self, room: Vec<u8>) {
        match &mut self.values {
            Values::Integers(pages) => pages.encoded = room,
            Values::Texts(pages) => pages.encoded = room,
        }
    }
}

/// An encoded column of a row group.
pub(super) struct Chunk {
    dictionary: Bytes,
    data: Bytes,
    close: ColumnCloseResult,
}

impl Chunk {
    /// Puts it into a row group, whose next column it must be. What is left is room for another column.
    pub(super) fn append_to<W: Write + Send>(self, group: &mut SerializedRowGroupWriter<'_, W>) -> Result<Vec<u8>> {
        let spliced = Spliced(self.dictionary, self.data);
        group.append_column(&spliced, self.close)?;
        Ok(emptied(spliced.1))
    }
}

/// The memory of bytes that nobody else holds.
fn emptied(mut bytes: Bytes) -> Vec<u8> {
    bytes.clear();
    bytes.into()
}

/// The dictionary page, which is known last, before the data pages.
struct Spliced(Bytes, Bytes);

impl Length for Spliced {
    fn len(&self) -> u64 {
        (self.0.len() + self.1.len()) as u64
    }
}

impl ChunkReader for Spliced {
    type T = Chain<Reader<Bytes>, Reader<Bytes>>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        let skipped = (start as usize).min(self.0.len());
        Ok(self.0.slice(skipped..).reader().chain(self.1.slice(start as usize - skipped..).reader()))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let mut bytes = vec![0; length];
        self.get_read(start)?.read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}

/// Values of a column: a dictionary, and the page after it was left.
trait Store {
    /// How a page without a dictionary is encoded.
    const ENCODING: Encoding;

    /// The number of values in the dictionary.
    fn known(&self) -> usize;

    /// Puts a value of the dictionary into the page.
    fn add_known(&mut self, index: u16);

    /// The number of values in the page.
    fn rows(&self) -> usize;

    /// Whether the page must end.
    fn is_full(&self) -> bool;

    /// Encodes the page and empties it.
    fn encode(&mut self, out: &mut Vec<u8>);

    /// Encodes the first so many values of the dictionary.
    fn encode_dictionary(&self, known: usize, out: &mut Vec<u8>);

    /// The least and the greatest of these and of all encoded pages, where that is cheap to tell.
    fn statistics(&self, known: usize) -> Option<Statistics>;

    /// Forgets everything.
    fn clear(&mut self);
}

/// Pages of a column chunk.
struct Pages<S> {
    column: ColumnDescPtr,
    store: S,
    /// The page as long as there is a dictionary.
    indices: Vec<u16>,
    has_dictionary: bool,
    /// The values of the dictionary that ended pages use.
    known: usize,
    known_pages: i32,
    other_pages: i32,
    rows: usize,
    encoded: Vec<u8>,
    /// The rows and the encoded bytes of each page.
    ended: Vec<(usize, usize)>,
    scratch: Vec<u8>,
}

impl<S: Store> Pages<S> {
    fn new(column: &ColumnDescPtr, store: S) -> Self {
        Pages {
            column: column.clone(),
            store,
            indices: Vec::with_capacity(PAGE_ROWS),
            has_dictionary: true,
            known: 0,
            known_pages: 0,
            other_pages: 0,
            rows: 0,
            encoded: Vec::new(),
            ended: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Appends rows, given what finds the indices of rows in the dictionary as far as that is quick, what finds or makes the index of
    /// a row, and what puts rows into the page until it must end.
    fn push(
        &mut self,
        rows: usize,
        indices: impl Fn(&S, usize, &mut [u16]) -> usize,
        mut index: impl FnMut(&mut S, usize) -> Option<u16>,
        add: impl Fn(&mut S, Range<usize>) -> usize,
    ) -> Result<()> {
        let mut row = 0;
        while row < rows {
            if !self.has_dictionary {
                row = add(&mut self.store, row..rows);
                if self.store.is_full() {
                    self.end_page()?;
                }
                continue;
            }
            let mut at = self.indices.len();
            let end = rows.min(row + PAGE_ROWS - at);
            self.indices.resize(at + end - row, NONE);
            while row < end {
                let quick = indices(&self.store, row, &mut self.indices[at..]);
                (row, at) = (row + quick, at + quick);
                if row < end {
                    let Some(index) = index(&mut self.store, row) else { break };
                    self.indices[at] = index;
                    (row, at) = (row + 1, at + 1);
                }
            }
            if row < end {
                self.indices.truncate(at);
                self.leave_dictionary()?;
            } else if at == PAGE_ROWS {
                self.end_page()?;
            }
        }
        Ok(())
    }

    /// Appends rows that are keys of so many values, given what finds or makes a value's index, and what puts it into the page.
    fn push_known(
        &mut self,
        keys: &[u16],
        values: usize,
        index: impl Fn(&mut S, usize) -> Option<u16>,
        add: impl Fn(&mut S, usize),
    ) -> Result<()> {
        let known = vec![Cell::new(NONE); values];
        let key = |row: usize| usize::from(keys[row]);
        let indices = |_: &S, row: usize, indices: &mut [u16]| {
            let found = keys[row..].iter().zip(indices).map_while(|(key, index)| {
                *index = known[usize::from(*key)].get();
                (*index != NONE).then_some(())
            });
            found.count()
        };
        let make = |store: &mut S, row: usize| {
            known[key(row)].set(index(store, key(row))?);
            Some(known[key(row)].get())
        };
        let add = |store: &mut S, rows: Range<usize>| {
            let mut row = rows.start;
            while row < rows.end && !store.is_full() {
                add(store, key(row));
                row += 1;
            }
            row
        };
        self.push(keys.len(), indices, make, add)
    }

    fn leave_dictionary(&mut self) -> Result<()> {
        self.has_dictionary = false;
        let indices = take(&mut self.indices);
        for index in &indices {
            self.store.add_known(*index);
            if self.store.is_full() {
                self.end_page()?;
            }
        }
        self.indices = indices;
        self.indices.clear();
        Ok(())
    }

    fn end_page(&mut self) -> Result<()> {
        let known = self.store.known();
        if self.has_dictionary && known > FEW_VALUES && known * ROWS_PER_VALUE > self.rows + self.indices.len() {
            self.leave_dictionary()?;
        }
        if !self.has_dictionary && self.store.rows() == 0 {
            return Ok(());
        }
        let mut bytes = take(&mut self.scratch);
        let (rows, encoding) = if self.has_dictionary {
            let width = bits::width(known as u64 - 1).max(1);
            bytes.push(width as u8);
            bits::hybrid(&self.indices, width, &mut bytes);
            let rows = self.indices.len();
            self.indices.clear();
            self.known = known;
            self.known_pages += 1;
            (rows, Encoding::RLE_DICTIONARY)
        } else {
            let rows = self.store.rows();
            self.store.encode(&mut bytes);
            self.other_pages += 1;
            (rows, S::ENCODING)
        };
        let (size, bytes) = (bytes.len(), Bytes::from(bytes));
        let page = Page::DataPage {
            buf: bytes.clone(),
            num_values: rows as u32,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        self.ended.push((rows, write_page(page, size, &mut self.encoded)?));
        self.rows += rows;
        self.scratch = emptied(bytes);
        Ok(())
    }

    fn close(&mut self) -> Result<Chunk> {
        if self.store.rows() + self.indices.len() > 0 {
            self.end_page()?;
        }
        let (mut dictionary, known) = (Vec::new(), self.known);
        if known > 0 {
            let mut bytes = Vec::new();
            self.store.encode_dictionary(known, &mut bytes);
            let (size, num_values) = (bytes.len(), known as u32);
            let page = Page::DictionaryPage { buf: bytes.into(), num_values, encoding: Encoding::PLAIN, is_sorted: false };
            write_page(page, size, &mut dictionary)?;
        }
        let data = take(&mut self.encoded);
        let size = (dictionary.len() + data.len()) as i64;
        let mut offsets = OffsetIndexBuilder::new();
        let mut offset = dictionary.len();
        for (rows, size) in &self.ended {
            offsets.append_row_count(*rows as i64);
            offsets.append_offset_and_size(offset as i64, *size as i32);
            offset += size;
        }
        let pages = [
            (PageType::DICTIONARY_PAGE, Encoding::PLAIN, self.known_pages.min(1)),
            (PageType::DATA_PAGE, Encoding::RLE_DICTIONARY, self.known_pages),
            (PageType::DATA_PAGE, S::ENCODING, self.other_pages),
        ];
        let pages = pages.into_iter().filter(|(.., count)| *count > 0);
        let pages: Vec<_> = pages.map(|(page_type, encoding, count)| PageEncodingStats { page_type, encoding, count }).collect();
        let mut metadata = ColumnChunkMetaData::builder(self.column.clone())
            .set_compression(Compression::UNCOMPRESSED)
            .set_encodings_mask(EncodingMask::new_from_encodings(pages.iter().map(|page| &page.encoding)))
            .set_page_encoding_stats(pages)
            .set_num_values(self.rows as i64)
            .set_total_compressed_size(size)
            .set_total_uncompressed_size(size)
            .set_dictionary_page_offset((known > 0).then_some(0))
            .set_data_page_offset(dictionary.len() as i64);
        if let Some(statistics) = self.store.statistics(known) {
            metadata = metadata.set_statistics(statistics);
        }
        let close = ColumnCloseResult {
            bytes_written: size as u64,
            rows_written: self.rows as u64,
            metadata: metadata.build()?,
            bloom_filter: None,
            column_index: None,
            offset_index: Some(offsets.build()),
        };
        self.store.clear();
        self.has_dictionary = true;
        (self.known, self.known_pages, self.other_pages, self.rows) = (0, 0, 0, 0);
        self.ended.clear();
        Ok(Chunk { dictionary: dictionary.into(), data: data.into(), close })
    }
}

/// Appends a page with its header; says how long both are.
fn write_page(page: Page, size: usize, out: &mut Vec<u8>) -> Result<usize> {
    let mut sink = TrackedWrite::new(out);
    let written = SerializedPageWriter::new(&mut sink).write_page(CompressedPage::new(page, size))?;
    sink.flush()?;
    Ok(written.compressed_size)
}

/// Integers of 32 or 64 bits.
struct Integers {
    narrow: bool,
    known: Vec<i64>,
    /// A hash table of indices, a power of two in length and at most a quarter full.
    slots: Vec<u16>,
    page: Vec<i64>,
    /// The least and the greatest of encoded pages.
    bounds: Option<(i64, i64)>,
}

impl Integers {
    fn new(narrow: bool) -> Self {
        Integers { narrow, known: Vec::new(), slots: vec![NONE; FEW_SLOTS], page: Vec::new(), bounds: None }
    }

    /// The indices of the first values that are where their hashes say; says how many these are.
    #[inline]
    fn indices<T: Copy>(&self, values: &[T], wide: impl Fn(T) -> i64, indices: &mut [u16]) -> usize {
        let found = values.iter().zip(indices).map_while(|(value, index)| {
            let value = wide(*value);
            *index = self.slots[self.slot(value)];
            (self.known.get(usize::from(*index)) == Some(&value)).then_some(())
        });
        found.count()
    }

    /// The index of a value, or none when there is no more room for it.
    fn index(&mut self, value: i64) -> Option<u16> {
        let mask = self.slots.len() - 1;
        let mut slot = self.slot(value);
        loop {
            match self.slots[slot & mask] {
                NONE => return self.insert(value, slot & mask),
                index if self.known[usize::from(index)] == value => return Some(index),
                _ => slot += 1,
            }
        }
    }

    /// Multiplicative hashing: what integers in a column differ in reaches the high bits.
    #[inline]
    fn slot(&self, value: i64) -> usize {
        ((value as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (self.slots.len().leading_zeros() + 1)) as usize
    }

    fn insert(&mut self, value: i64, slot: usize) -> Option<u16> {
        if self.known.len() == MOST_INTEGERS {
            return None;
        }
        let index = self.known.len() as u16;
        self.known.push(value);
        self.slots[slot] = index;
        if self.known.len() * 4 > self.slots.len() {
            self.slots = vec![NONE; self.slots.len() * 2];
            let mask = self.slots.len() - 1;
            for (index, value) in (0..).zip(&self.known) {
                let mut slot = self.slot(*value);
                while self.slots[slot & mask] != NONE {
                    slot += 1;
                }
                self.slots[slot & mask] = index;
            }
        }
        Some(index)
    }
}

impl Store for Integers {
    const ENCODING: Encoding = Encoding::DELTA_BINARY_PACKED;

    fn known(&self) -> usize {
        self.known.len()
    }

    fn add_known(&mut self, index: u16) {
        self.page.push(self.known[usize::from(index)]);
    }

    fn rows(&self) -> usize {
        self.page.len()
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.page.len() == PAGE_ROWS
    }

    fn encode(&mut self, out: &mut Vec<u8>) {
        bits::delta(&self.page, self.narrow, out);
        self.bounds = bounds(self.bounds, &self.page);
        self.page.clear();
    }

    fn encode_dictionary(&self, known: usize, out: &mut Vec<u8>) {
        let size = if self.narrow { 4 } else { 8 };
        self.known[..known].iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()[..size]));
    }

    fn statistics(&self, known: usize) -> Option<Statistics> {
        let (least, greatest) = bounds(self.bounds, &self.known[..known])?;
        Some(match self.narrow {
            true => Statistics::int32(Some(least as i32), Some(greatest as i32), None, Some(0), false),
            false => Statistics::int64(Some(least), Some(greatest), None, Some(0), false),
        })
    }

    fn clear(&mut self) {
        self.known.clear();
        self.slots.truncate(FEW_SLOTS);
        self.slots.fill(NONE);
        self.bounds = None;
    }
}

/// The least and the greatest of bounds and values.
fn bounds(bounds: Option<(i64, i64)>, values: &[i64]) -> Option<(i64, i64)> {
    let start = bounds.or_else(|| values.first().map(|value| (*value, *value)))?;
    Some(values.iter().fold(start, |(least, greatest), value| (least.min(*value), greatest.max(*value))))
}

/// Texts.
#[derive(Default)]
struct Texts {
    known: Vec<u8>,
    known_ends: Vec<u32>,
    table: HashTable<u16>,
    /// Of each text of the page, how much it shares with the text before, and how long the rest is; as long as the longest page.
    shared: Vec<u32>,
    rests: Vec<u32>,
    rows: usize,
    /// The rests, and room for more.
    bytes: Vec<u8>,
    used: usize,
    /// The view of the text before, and the text itself when it is not inside.
    last: u128,
    last_long: Vec<u8>,
    /// Whether there were texts that the dictionary does not hold.
    has_others: bool,
}

fn known_text<'a>(known: &'a [u8], ends: &[u32], index: u16) -> &'a [u8] {
    let index = usize::from(index);
    &known[index.checked_sub(1).map_or(0, |before| ends[before] as usize)..ends[index] as usize]
}

impl Texts {
    /// The index of a text, or none when there is no more room for it.
    fn index(&mut self, text: &[u8]) -> Option<u16> {
        let hash = hash_id(text);
        if let Some(index) = self.table.find(hash, |index| known_text(&self.known, &self.known_ends, *index) == text) {
            return Some(*index);
        }
        if self.known_ends.len() == MOST_TEXTS || self.known.len() + text.len() > MOST_BYTES {
            return None;
        }
        let index = self.known_ends.len() as u16;
        self.known.extend_from_slice(text);
        self.known_ends.push(self.known.len() as u32);
        let (known, ends) = (&self.known, &self.known_ends);
        self.table.insert_unique(hash, index, |index| hash_id(known_text(known, ends, *index)));
        Some(index)
    }

    fn add(&mut self, text: &[u8]) {
        match text.len() <= INLINE as usize {
            true => self.add_short(&[make_view(text, 0, 0)]),
            false => self.add_long(std::iter::once(text)),
        };
    }

    /// Adds the first texts that are inside their views and fit the page; says how many these are.
    fn add_short(&mut self, views: &[u128]) -> usize {
        // None of them but the last can fill the page.
        let room = (PAGE_ROWS - self.rows).min((PAGE_BYTES - self.used).div_ceil(INLINE as usize));
        let short = views.iter().take(room).take_while(|view| **view as u32 <= INLINE).count();
        if short == 0 {
            return 0;
        }
        self.make_room(short, 16 * short);
        let (mut last, mut end) = (self.last, self.used);
        for ((view, rest), in_common) in views[..short].iter().zip(&mut self.rests[self.rows..]).zip(&mut self.shared[self.rows..]) {
            let (length, length_before, text) = (*view as u32, last as u32, view >> 32);
            let shared = match length_before {
                ..=INLINE => ((text ^ (last >> 32)).trailing_zeros() / 8).min(length).min(length_before),
                _ => common(&text.to_le_bytes()[..length as usize], &self.last_long) as u32,
            };
            (*rest, *in_common) = (length - shared, shared);
            // All that can be in a view is one move; the next one is over what was too much.
            if let Some(bytes) = self.bytes[end..].first_chunk_mut() {
                *bytes = (text >> (8 * shared)).to_le_bytes();
            }
            end += (length - shared) as usize;
            last = *view;
        }
        self.rows += short;
        (self.last, self.used) = (last, end);
        short
    }

    /// Adds texts that are not inside their views until the page must end; says how many.
    fn add_long<'a>(&mut self, texts: impl Iterator<Item = &'a [u8]>) -> usize {
        let (inline, mut last_long) = (self.last.to_le_bytes(), take(&mut self.last_long));
        let before = match self.last as u32 {
            length @ ..=INLINE => &inline[4..4 + length as usize],
            _ => &last_long,
        };
        let (mut last, mut added) = (None, 0);
        for text in texts {
            let shared = common(text, last.unwrap_or(before));
            let rest = &text[shared..];
            self.make_room(1, rest.len());
            self.bytes[self.used..self.used + rest.len()].copy_from_slice(rest);
            (self.shared[self.rows], self.rests[self.rows]) = (shared as u32, rest.len() as u32);
            self.rows += 1;
            self.used += rest.len();
            (last, added) = (Some(text), added + 1);
            if self.is_full() {
                break;
            }
        }
        if let Some(text) = last {
            self.last = text.len() as u128;
            last_long.clear();
            last_long.extend_from_slice(text);
        }
        self.last_long = last_long;
        added
    }

    /// Makes room for so many more texts and bytes, once: room is kept from page to page.
    fn make_room(&mut self, texts: usize, bytes: usize) {
        let (texts, bytes) = (self.rows + texts, self.used + bytes);
        if self.rests.len() < texts {
            self.rests.resize(texts, 0);
            self.shared.resize(texts, 0);
        }
        if self.bytes.len() < bytes {
            self.bytes.resize(bytes, 0);
        }
    }
}

/// How many bytes texts have in common at the start.
fn common(a: &[u8], b: &[u8]) -> usize {
    let mut at = 0;
    while let (Some(a), Some(b)) = (a[at..].first_chunk(), b[at..].first_chunk()) {
        let differ = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if differ != 0 {
            return at + (differ.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    at + a[at..].iter().zip(&b[at..]).take_while(|(a, b)| a == b).count()
}

impl Store for Texts {
    const ENCODING: Encoding = Encoding::DELTA_BYTE_ARRAY;

    fn known(&self) -> usize {
        self.known_ends.len()
    }

    fn add_known(&mut self, index: u16) {
        let known = take(&mut self.known);
        self.add(known_text(&known, &self.known_ends, index));
        self.known = known;
    }

    fn rows(&self) -> usize {
        self.rows
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.rows == PAGE_ROWS || self.used >= PAGE_BYTES
    }

    fn encode(&mut self, out: &mut Vec<u8>) {
        bits::delta(&self.shared[..self.rows], true, out);
        bits::delta(&self.rests[..self.rows], true, out);
        out.extend_from_slice(&self.bytes[..self.used]);
        (self.rows, self.used) = (0, 0);
        // The first text of a page shares nothing.
        self.last = 0;
        self.has_others = true;
    }

    fn encode_dictionary(&self, known: usize, out: &mut Vec<u8>) {
        for index in 0..known {
            let text = known_text(&self.known, &self.known_ends, index as u16);
            out.extend_from_slice(&(text.len() as u32).to_le_bytes());
            out.extend_from_slice(text);
        }
    }

    fn statistics(&self, known: usize) -> Option<Statistics> {
        if self.has_others {
            return None;
        }
        let texts = || (0..known).map(|index| known_text(&self.known, &self.known_ends, index as u16));
        let (least, greatest) = (texts().min()?, texts().max()?);
        let exact = |text: &[u8]| (text.len() <= MOST_STATISTICS_BYTES).then(|| ByteArray::from(text.to_vec()));
        Some(Statistics::byte_array(Some(exact(least)?), Some(exact(greatest)?), None, Some(0), false))
    }

    fn clear(&mut self) {
        self.known.clear();
        self.known_ends.clear();
        self.table.clear();
        self.has_others = false;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::report::rows::rfm_schema;
    use crate::report::table::{GROUP, TableWriter};
    use arrow::array::{
        Array, ArrayRef, AsArray, Decimal128Array, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringViewArray,
        TimestampMicrosecondArray, UInt8Array, UInt16Array,
    };
    use arrow::compute::{cast, concat_batches, take};
    use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit, UInt16Type};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use proptest::prelude::*;
    use rand_core::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus as Random;
    use std::fs;
    use std::path::Path;
    use std::sync::Arc;

    /// What values of a column are like.
    #[derive(Debug, Clone, Copy)]
    enum Shape {
        Constant,
        Runs,
        Few,
        /// More and more as the column goes on: a dictionary is begun and left.
        Growing,
        Many,
        Extreme,
    }

    const SHAPES: [Shape; 6] = [Shape::Constant, Shape::Runs, Shape::Few, Shape::Growing, Shape::Many, Shape::Extreme];

    fn numbers(shape: Shape, rows: usize, random: &mut Random) -> Vec<i64> {
        let first = random.next_u64() as i64;
        let mut number = |row: usize| match shape {
            Shape::Constant => first,
            Shape::Runs => first.wrapping_add((row / (1 + random.next_u64() as usize % 40)) as i64),
            Shape::Few => (random.next_u64() % 5) as i64 - 2,
            Shape::Growing => (random.next_u64() % (1 + row as u64 * row as u64 / 1000)) as i64,
            Shape::Many => random.next_u64() as i64 >> (random.next_u64() % 64),
            Shape::Extreme => [i64::MIN, i64::MAX, 0, -1, 1][random.next_u64() as usize % 5],
        };
        (0..rows).map(&mut number).collect()
    }

    /// A text for a number: short, long, empty and not of ASCII, but for extremes with beginnings in common.
    fn text(shape: Shape, number: i64) -> String {
        match shape {
            Shape::Extreme => {
                ["", "\0", "客户", "0123456789ab", "0123456789abc"][number.rem_euclid(5) as usize].repeat(1 + (number & 3) as usize)
            }
            // Long enough for pages to end before they have all the rows they may.
            _ if number % 3 == 0 => format!("customer-é客-{number:020}").repeat(1 + (number & 15) as usize),
            _ => format!("C-{number}"),
        }
    }

    fn column(data_type: &DataType, shape: Shape, rows: usize, random: &mut Random) -> ArrayRef {
        let numbers = numbers(shape, rows, random).into_iter();
        match data_type {
            DataType::Int32 => Arc::new(Int32Array::from_iter_values(numbers.map(|n| n as i32))),
            DataType::Int64 => Arc::new(Int64Array::from_iter_values(numbers)),
            DataType::UInt8 => Arc::new(UInt8Array::from_iter_values(numbers.map(|n| n as u8))),
            DataType::Timestamp(..) => Arc::new(TimestampMicrosecondArray::from_iter_values(numbers)),
            DataType::Decimal128(..) => {
                Arc::new(Decimal128Array::from_iter_values(numbers.map(i128::from)).with_precision_and_scale(18, 2).unwrap())
            }
            _ => Arc::new(StringViewArray::from_iter_values(numbers.map(|n| text(shape, n)))),
        }
    }

    /// The same values as keys of a dictionary, which has them in another order and one of them twice.
    fn known(array: &ArrayRef) -> ArrayRef {
        let key = Box::new(DataType::UInt16);
        let known = cast(array, &DataType::Dictionary(key, Box::new(array.data_type().clone()))).unwrap();
        let known = known.as_dictionary::<UInt16Type>();
        let last = known.values().len() as u16 - 1;
        let keys: UInt16Array = known.keys().values().iter().map(|key| Some(last - key)).collect();
        let values = take(known.values(), &UInt16Array::from_iter_values((0..=last).rev().chain([0])), None).unwrap();
        Arc::new(DictionaryArray::new(keys, values))
    }

    fn batch(columns: Vec<ArrayRef>) -> RecordBatch {
        let fields = (0..).zip(&columns).map(|(at, c): (usize, _)| Field::new(at.to_string(), c.data_type().clone(), false));
        RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns).unwrap()
    }

    /// Writes a table in batches of so many rows; its bytes.
    fn written(folder: &Path, name: &str, schema: &SchemaRef, batch: &RecordBatch, rows: usize) -> Vec<u8> {
        let path = folder.join(name);
        let mut table = TableWriter::create(&path, None, schema).unwrap();
        let parts = (0..batch.num_rows()).step_by(rows).map(|at| batch.slice(at, rows.min(batch.num_rows() - at)));
        parts.for_each(|part| table.write(&part).unwrap());
        table.finish().unwrap().commit().unwrap();
        fs::read(path).unwrap()
    }

    fn read(bytes: Vec<u8>) -> (RecordBatch, Vec<i64>) {
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).unwrap();
        let groups = reader.metadata().row_groups().iter().map(|group| group.num_rows()).collect();
        let schema = reader.schema().clone();
        let batches: Vec<_> = reader.build().unwrap().collect::<Result<_, _>>().unwrap();
        (concat_batches(&Arc::new(schema.as_ref().clone().with_metadata(Default::default())), &batches).unwrap(), groups)
    }

    const TYPES: [DataType; 6] = [
        DataType::Int32,
        DataType::Int64,
        DataType::UInt8,
        DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Decimal128(18, 2),
        DataType::Utf8View,
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn what_is_written_is_read(
            seed in any::<u64>(),
            rows in prop_oneof![1..20_usize, 120..140_usize, 16_380..16_390_usize, 30_000..40_000_usize],
            size in 1..9_000_usize,
        ) {
            let mut random = Random::seed_from_u64(seed);
            let shape = |random: &mut Random| SHAPES[random.next_u64() as usize % SHAPES.len()];
            let columns = TYPES.iter().map(|data_type| {
                let shape = shape(&mut random);
                column(data_type, shape, rows, &mut random)
            });
            let plain = batch(columns.collect());
            let folder = tempfile::tempdir().unwrap();
            let schema = plain.schema();
            let bytes = written(folder.path(), "plain.parquet", &schema, &plain, size.max(rows / 50));
            prop_assert!(bytes == written(folder.path(), "whole.parquet", &schema, &plain, rows));
            prop_assert_eq!(&read(bytes.clone()).0, &plain);
        }

        #[test]
        fn dictionaries_are_written_as_their_values(seed in any::<u64>(), rows in 1..3_000_usize, size in 1..3_000_usize) {
            let mut random = Random::seed_from_u64(seed);
            let shape = |random: &mut Random| SHAPES[random.next_u64() as usize % SHAPES.len()];
            let plain = batch(TYPES.iter().map(|data_type| {
                let shape = shape(&mut random);
                column(data_type, shape, rows, &mut random)
            }).collect());
            let others = batch(plain.columns().iter().map(known).collect());
            let folder = tempfile::tempdir().unwrap();
            let schema = plain.schema();
            for name in ["t.parquet", "t.csv", "t.jsonl"] {
                // Not all times have a text.
                let columns: &[usize] = if name == "t.parquet" { &[0, 1, 2, 3, 4, 5] } else { &[0, 1, 2, 4, 5] };
                let [plain, others] = [&plain, &others].map(|batch| batch.project(columns).unwrap());
                let expected = written(folder.path(), name, &plain.schema(), &plain, size);
                prop_assert!(expected == written(folder.path(), name, &plain.schema(), &others, size), "{name}");
            }
            let bytes = std::io::Cursor::new(written(folder.path(), "t.arrow", &schema, &others, size));
            let batches = arrow::ipc::reader::FileReader::try_new(bytes, None).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
            prop_assert_eq!(concat_batches(&schema, &batches).unwrap(), plain);
        }
    }

    #[test]
    fn row_groups_are_full_but_for_the_last() {
        let folder = tempfile::tempdir().unwrap();
        let mut random = Random::seed_from_u64(1);
        let rows = GROUP + 1;
        let columns =
            [(DataType::Utf8View, Shape::Many), (DataType::Int64, Shape::Constant), (DataType::Decimal128(18, 2), Shape::Growing)];
        let plain = batch(columns.iter().map(|(data_type, shape)| column(data_type, *shape, rows, &mut random)).collect());
        let bytes = written(folder.path(), "t.parquet", &plain.schema(), &plain, 100_000);
        let (back, groups) = read(bytes.clone());
        assert_eq!(groups, [GROUP as i64, 1]);
        assert_eq!(back, plain);

        // Row groups encoded apart are the same ones.
        let path = folder.path().join("apart.parquet");
        let mut table = TableWriter::create(&path, None, &plain.schema()).unwrap();
        let groups = table.parquet().unwrap().clone();
        let last = groups.encode_group(|sink| sink(plain.slice(GROUP, 1))).unwrap();
        let parts = [plain.slice(0, 1000), plain.slice(1000, GROUP - 1000)];
        table.append(groups.encode_group(|sink| parts.into_iter().try_for_each(sink)).unwrap()).unwrap();
        table.append(groups.encode_group(|_| Ok(())).unwrap()).unwrap();
        table.append(last).unwrap();
        table.finish().unwrap().commit().unwrap();
        assert!(bytes == fs::read(path).unwrap());
    }

    #[test]
    fn a_constant_costs_nothing_and_its_bounds_are_known() {
        let folder = tempfile::tempdir().unwrap();
        let constant: ArrayRef = Arc::new(Int64Array::from(vec![-7; 200_000]));
        let plain = batch(vec![constant.clone(), cast(&constant, &DataType::Utf8View).unwrap()]);
        let bytes = written(folder.path(), "t.parquet", &plain.schema(), &plain, 8192);
        assert!(bytes.len() < 3_000, "{}", bytes.len());
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).unwrap();
        for (column, bound) in reader.metadata().row_group(0).columns().iter().zip([(-7_i64).to_le_bytes().to_vec(), b"-7".to_vec()]) {
            let statistics = column.statistics().unwrap();
            assert_eq!(statistics.min_bytes_opt(), Some(&bound[..]));
            assert_eq!(statistics.max_bytes_opt(), Some(&bound[..]));
            assert_eq!(statistics.null_count_opt(), Some(0));
        }
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let schema = Arc::new(Schema::new(vec![Field::new("0", DataType::Decimal128(18, 2), false)]));
        let mut table = TableWriter::create(&folder.path().join("t.parquet"), None, &schema).unwrap();
        let decimal =
            |values: Vec<Option<i128>>| -> ArrayRef { Arc::new(Decimal128Array::from(values).with_precision_and_scale(18, 2).unwrap()) };
        for values in [vec![Some(1), None], vec![Some(1 << 64)]] {
            let array = decimal(values);
            let field = Field::new("0", array.data_type().clone(), true);
            assert!(table.write(&RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![array]).unwrap()).is_err());
        }
    }

    #[test]
    fn tables_of_rfm_rows_are_encoded_here() {
        let folder = tempfile::tempdir().unwrap();
        let empty = RecordBatch::new_empty(rfm_schema());
        let bytes = written(folder.path(), "t.parquet", &rfm_schema(), &empty, 1);
        let (back, groups) = read(bytes);
        assert_eq!((back.schema(), groups), (rfm_schema(), Vec::new()));
    }
}
