//! The bytes of a Parquet file for its reader, and a row group whose pages are looked at between unpacking and decoding: texts that are written as differences say how many they are, and
//! the decoder takes memory for as many before it reads one.

use super::input_limits::Unpacked;
use super::parquet_limits::{Headers, damage};
use super::random_access::{RandomAccess, ReadFrom};
use bytes::Bytes;
use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::Encoding;
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, Length, SerializedPageReader};
use std::io::{BufReader, Read};
use std::sync::Arc;

/// The bytes of a file's footer.
pub(super) fn footer(file: &RandomAccess) -> Result<Bytes> {
    let size = file.len();
    let tail = file.get_bytes(size.saturating_sub(8), 8.min(size as usize))?;
    match tail[..] {
        [a, b, c, d, b'P', b'A', b'R', b'1' | b'E'] => {
            let length = u32::from_le_bytes([a, b, c, d]);
            let begin = size.checked_sub(8 + u64::from(length));
            let begin = begin.ok_or_else(|| damage(format!("its footer claims {length} bytes, and the file has {size}")))?;
            // Of an encrypted one nothing can be told.
            if tail[7] == b'E' { Err(damage("it is encrypted".to_owned())) } else { file.get_bytes(begin, length as usize) }
        }
        _ => Err(damage("it does not end as a Parquet file does".to_owned())),
    }
}

/// The pages of a file, for its reader.
#[derive(Clone)]
pub(super) struct Pages {
    pub(super) file: RandomAccess,
    pub(super) size: u64,
    pub(super) unpacked: Arc<Unpacked>,
}

impl Length for Pages {
    fn len(&self) -> u64 {
        self.size
    }
}

impl ChunkReader for Pages {
    type T = Headers<ReadFrom>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(Headers::new(self.file.read_from(start), self.unpacked.clone(), self.size))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        self.file.get_bytes(start, length)
    }
}

impl Length for RandomAccess {
    fn len(&self) -> u64 {
        self.size()
    }
}

impl ChunkReader for RandomAccess {
    type T = BufReader<ReadFrom>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(BufReader::new(self.read_from(start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        // A damaged file may ask for anything; memory is only taken for what is there.
        if start.checked_add(length as u64).is_none_or(|end| end > self.size()) {
            return Err(ParquetError::EOF(format!("{length} bytes at {start} reach beyond the end of the file")));
        }
        let mut buffer = vec![0; length];
        self.read_from(start).read_exact(&mut buffer)?;
        Ok(buffer.into())
    }
}

/// A row group of a file.
pub(super) struct Group<R> {
    pub(super) reader: Arc<R>,
    pub(super) metadata: Arc<ParquetMetaData>,
    pub(super) group: usize,
}

impl<R: ChunkReader + 'static> RowGroups for Group<R> {
    fn num_rows(&self) -> usize {
        usize::try_from(self.metadata.row_group(self.group).num_rows()).unwrap_or(0)
    }

    fn column_chunks(&self, column: usize) -> Result<Box<dyn PageIterator>> {
        let group = self.metadata.row_group(self.group);
        let chunk = group.column(column);
        let pages = SerializedPageReader::new(self.reader.clone(), chunk, self.num_rows(), None)?;
        let levels = [chunk.column_descr().max_rep_level(), chunk.column_descr().max_def_level()];
        Ok(Box::new(Only(Some(Box::new(Checked { pages, levels })))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(std::iter::once(self.metadata.row_group(self.group)))
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

/// The pages of one column chunk.
struct Only(Option<Box<dyn PageReader>>);

impl Iterator for Only {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(Ok)
    }
}

impl PageIterator for Only {}

/// Pages that are looked at.
struct Checked<P> {
    pages: P,
    /// The greatest levels of repetition and definition.
    levels: [i16; 2],
}

impl<P: PageReader> Iterator for Checked<P> {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl<P: PageReader> PageReader for Checked<P> {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.pages.get_next_page()?;
        if let Some(page) = &page {
            check(page, self.levels)?;
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.pages.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.pages.at_record_boundary()
    }
}

/// Holds the number of texts in a page against what its header says.
fn check(page: &Page, levels: [i16; 2]) -> Result<()> {
    let (bytes, values, encoding, begin) = match page {
        Page::DictionaryPage { .. } => return Ok(()),
        Page::DataPage { buf, num_values, encoding, def_level_encoding, rep_level_encoding, .. } => {
            let kinds = [*rep_level_encoding, *def_level_encoding];
            let begin = levels.into_iter().zip(kinds).try_fold(0, |at, (level, kind)| after_levels(buf, at, level, kind, *num_values));
            (buf, *num_values, *encoding, begin)
        }
        Page::DataPageV2 { buf, num_values, encoding, rep_levels_byte_len, def_levels_byte_len, .. } => {
            (buf, *num_values, *encoding, (*rep_levels_byte_len as usize).checked_add(*def_levels_byte_len as usize))
        }
    };
    let most = u64::from(values);
    let counted = match encoding {
        Encoding::DELTA_LENGTH_BYTE_ARRAY => begin.and_then(|at| counts(bytes, at, most)).map(drop),
        // How many bytes of each text are those of the one before, and how many are its own.
        Encoding::DELTA_BYTE_ARRAY => begin.and_then(|at| counts(bytes, at, most)).and_then(|at| counts(bytes, at, most)).map(drop),
        _ => Some(()),
    };
    counted.ok_or_else(|| ParquetError::General(format!("a page of {values} values claims to have more")))
}

/// Where the levels in a page end that begin there.
fn after_levels(bytes: &[u8], at: usize, level: i16, encoding: Encoding, values: u32) -> Option<usize> {
    if level == 0 {
        return Some(at);
    }
    if encoding == Encoding::RLE {
        let length = bytes.get(at..)?.first_chunk().map(|length| u32::from_le_bytes(*length))?;
        return at.checked_add(4)?.checked_add(length as usize);
    }
    let bits = u64::from(u16::BITS - (level as u16).leading_zeros());
    at.checked_add((u64::from(values) * bits).div_ceil(8) as usize)
}

/// Where numbers end that are written as differences and begin there; none where they are more than so many, or are damaged.
fn counts(bytes: &[u8], at: usize, most: u64) -> Option<usize> {
    let mut at = at;
    let mut number = || {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = *bytes.get(at)?;
            at += 1;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    };
    let (block, parts, count, _first) = (number()?, number()?, number()?, number()?);
    let values = block.checked_div(parts)?;
    if count > most || values == 0 {
        return None;
    }
    let mut left = count.saturating_sub(1);
    while left > 0 {
        // The least difference, and the bits of each part's.
        while *bytes.get(at)? >= 0x80 {
            at += 1;
        }
        at += 1;
        let widths = bytes.get(at..at.checked_add(usize::try_from(parts).ok()?)?)?;
        at += widths.len();
        for width in widths {
            if left == 0 {
                break;
            }
            at = at.checked_add(usize::try_from(values.checked_mul(u64::from(*width))? / 8).ok()?)?;
            left = left.saturating_sub(values);
        }
    }
    (at <= bytes.len()).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_counted_as_they_are_written() {
        // Blocks of 128 in 4 parts: 3 numbers from 5 on, each one more than the last.
        let few = [128, 1, 4, 3, 10, 2, 0, 0, 0, 0];
        assert_eq!(counts(&few, 0, 3), Some(few.len()));
        assert_eq!(counts(&few, 0, 2), None);
        assert_eq!((0..few.len()).find_map(|cut| counts(&few[..cut], 0, 3)), None);
        let many = [128, 1, 4, 0xff, 0xff, 0xff, 0xff, 7, 10, 2, 0, 0, 0, 0];
        assert_eq!(counts(&many, 0, 1_000), None);
        // 40 numbers take two parts, of 2 bits each.
        let parts = [&[128, 1, 4, 40, 0, 0, 2, 2, 9, 9][..], &[0; 16], &[1]].concat();
        assert_eq!(counts(&parts, 0, 40), Some(parts.len() - 1));
    }
}
