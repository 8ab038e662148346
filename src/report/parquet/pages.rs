//! Pages of a column chunk: rows go in, and a [`Chunk`] comes out.
//!
//! Where a page ends and when the dictionary is left is decided here, the same way for all types. What values are and how they are
//! encoded is a [`Store`]'s: while there is a dictionary, it turns values into indices, which are kept here; afterwards the page is
//! the store's own.
//!
//! Nulls are not values: no store sees them. An optional column keeps a level for each row, 1 for a value and 0 for a null, and every
//! page of it begins with those of its rows.

use super::bits;
use super::chunk::{Chunk, emptied};
use bytes::Bytes;
use parquet::basic::{Compression, Encoding, EncodingMask, PageType};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::Result;
use parquet::file::metadata::{ColumnChunkMetaData, OffsetIndexBuilder, PageEncodingStats};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;
use std::cell::Cell;
use std::io::Write;
use std::mem::take;
use std::ops::Range;

/// Values in a page, at most; and nulls.
pub(super) const PAGE_ROWS: usize = 1 << 14;
/// Values that a dictionary may have whatever the rows; of more, each must stand for [`ROWS_PER_VALUE`] rows on average.
pub(super) const FEW_VALUES: usize = 16;
const ROWS_PER_VALUE: usize = 4;
/// No index of a dictionary.
pub(super) const NONE: u16 = u16::MAX;

/// Values of a column: a dictionary, and the page after it was left.
pub(super) trait Store {
    /// How a page without a dictionary is encoded.
    fn encoding(&self) -> Encoding;

    /// The number of values in the dictionary.
    fn known(&self) -> usize;

    /// Puts a value of the dictionary into the page.
    fn add_known(&mut self, index: u16);

    /// The number of values in the page.
    fn values(&self) -> usize;

    /// Whether the page must end.
    fn is_full(&self) -> bool;

    /// Encodes the page and empties it.
    fn encode(&mut self, out: &mut Vec<u8>);

    /// Encodes the first so many values of the dictionary.
    fn encode_dictionary(&self, known: usize, out: &mut Vec<u8>);

    /// The least and the greatest of these and of all encoded pages, where that is cheap to tell, and the number of nulls.
    fn statistics(&self, known: usize, nulls: u64) -> Statistics;

    /// Forgets everything.
    fn clear(&mut self);
}

/// Pages of a column chunk.
pub(super) struct Pages<S> {
    column: ColumnDescPtr,
    store: S,
    /// The page as long as there is a dictionary.
    indices: Vec<u16>,
    /// Of each row of the page whether there is a value, when there may be nulls.
    levels: Vec<u16>,
    is_optional: bool,
    page_nulls: usize,
    nulls: usize,
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
    pub(super) fn new(column: &ColumnDescPtr, store: S) -> Self {
        Pages {
            column: column.clone(),
            store,
            indices: Vec::with_capacity(PAGE_ROWS),
            levels: Vec::new(),
            is_optional: column.max_def_level() > 0,
            page_nulls: 0,
            nulls: 0,
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
    pub(super) fn push(
        &mut self,
        rows: usize,
        indices: impl Fn(&S, usize, &mut [u16]) -> usize,
        mut index: impl FnMut(&mut S, usize) -> Option<u16>,
        add: impl Fn(&mut S, Range<usize>) -> usize,
    ) -> Result<()> {
        let mut row = 0;
        while row < rows {
            if !self.has_dictionary {
                let begin = row;
                row = add(&mut self.store, row..rows);
                self.add_levels(row - begin, 1);
                if self.store.is_full() {
                    self.end_page()?;
                }
                continue;
            }
            let (mut at, begin) = (self.indices.len(), row);
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
            self.add_levels(row - begin, 1);
            if row < end {
                self.indices.truncate(at);
                self.leave_dictionary()?;
            } else if at == PAGE_ROWS {
                self.end_page()?;
            }
        }
        Ok(())
    }

    /// Appends nulls, to a column that may have them.
    pub(super) fn push_nulls(&mut self, mut rows: usize) -> Result<()> {
        while rows > 0 {
            let fit = rows.min(PAGE_ROWS - self.page_nulls);
            self.add_levels(fit, 0);
            self.page_nulls += fit;
            rows -= fit;
            if self.page_nulls == PAGE_ROWS {
                self.end_page()?;
            }
        }
        Ok(())
    }

    fn add_levels(&mut self, rows: usize, level: u16) {
        if self.is_optional {
            self.levels.resize(self.levels.len() + rows, level);
        }
    }

    /// Appends rows that are keys of so many values, given what finds or makes a value's index, and what puts it into the page.
    pub(super) fn push_known(
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
        self.page_nulls = 0;
        let (mut indices, levels) = (take(&mut self.indices), take(&mut self.levels));
        let mut levels = levels.iter();
        for index in &indices {
            self.push_nulls(levels.by_ref().take_while(|level| **level == 0).count())?;
            self.store.add_known(*index);
            self.add_levels(1, 1);
            if self.store.is_full() {
                self.end_page()?;
            }
        }
        self.push_nulls(levels.len())?;
        indices.clear();
        self.indices = indices;
        Ok(())
    }

    fn end_page(&mut self) -> Result<()> {
        let known = self.store.known();
        if self.has_dictionary && known > FEW_VALUES && known * ROWS_PER_VALUE > self.rows - self.nulls + self.indices.len() {
            self.leave_dictionary()?;
        }
        if !self.has_dictionary && self.store.values() + self.page_nulls == 0 {
            return Ok(());
        }
        let mut bytes = take(&mut self.scratch);
        if self.is_optional {
            bytes.extend_from_slice(&[0; 4]);
            bits::hybrid(&self.levels, 1, &mut bytes);
            let size = bytes.len() as u32 - 4;
            bytes[..4].copy_from_slice(&size.to_le_bytes());
            self.levels.clear();
        }
        let (values, encoding) = if self.has_dictionary {
            let width = bits::width((known as u64).saturating_sub(1)).max(1);
            bytes.push(width as u8);
            bits::hybrid(&self.indices, width, &mut bytes);
            let values = self.indices.len();
            self.indices.clear();
            self.known = known;
            self.known_pages += 1;
            (values, Encoding::RLE_DICTIONARY)
        } else {
            let values = self.store.values();
            self.store.encode(&mut bytes);
            self.other_pages += 1;
            (values, self.store.encoding())
        };
        let nulls = take(&mut self.page_nulls);
        let rows = values + nulls;
        self.nulls += nulls;
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

    /// Sets the buffer to encode into from now on; only while the column is empty.
    pub(super) fn reuse(&mut self, spare: Vec<u8>) {
        self.encoded = spare;
    }

    /// Ends the chunk, and begins another.
    pub(super) fn close(&mut self) -> Result<Chunk> {
        if self.store.values() + self.indices.len() + self.page_nulls > 0 {
            self.end_page()?;
        }
        let (mut dictionary, known) = (Vec::new(), self.known);
        if self.known_pages > 0 {
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
            (PageType::DATA_PAGE, self.store.encoding(), self.other_pages),
        ];
        let pages = pages.into_iter().filter(|(.., count)| *count > 0);
        let levels = self.is_optional.then_some(&Encoding::RLE);
        let pages: Vec<_> = pages.map(|(page_type, encoding, count)| PageEncodingStats { page_type, encoding, count }).collect();
        let metadata = ColumnChunkMetaData::builder(self.column.clone())
            .set_compression(Compression::UNCOMPRESSED)
            .set_encodings_mask(EncodingMask::new_from_encodings(pages.iter().map(|page| &page.encoding).chain(levels)))
            .set_page_encoding_stats(pages)
            .set_num_values(self.rows as i64)
            .set_total_compressed_size(size)
            .set_total_uncompressed_size(size)
            .set_dictionary_page_offset((self.known_pages > 0).then_some(0))
            .set_data_page_offset(dictionary.len() as i64)
            .set_statistics(self.store.statistics(known, self.nulls as u64));
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
        (self.known, self.known_pages, self.other_pages, self.rows, self.nulls) = (0, 0, 0, 0, 0);
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
