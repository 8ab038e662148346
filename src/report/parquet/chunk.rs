//! An encoded column of a row group, on its way from [`pages`](super::pages) into the file.

use bytes::{Buf, Bytes, buf::Reader};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::Result;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::writer::SerializedRowGroupWriter;
use std::io::{Chain, Read, Write};

/// An encoded column of a row group.
pub(crate) struct Chunk {
    /// The dictionary page, if any: it is known last and stands first.
    pub(super) dictionary: Bytes,
    /// The data pages.
    pub(super) data: Bytes,
    pub(super) close: ColumnCloseResult,
}

impl Chunk {
    /// Puts it into a row group, whose next column it must be. What is left is memory for another column.
    pub(crate) fn append_to<W: Write + Send>(self, group: &mut SerializedRowGroupWriter<'_, W>) -> Result<Vec<u8>> {
        let spliced = Spliced(self.dictionary, self.data);
        group.append_column(&spliced, self.close)?;
        Ok(emptied(spliced.1))
    }
}

/// The memory of bytes that have no other owner.
pub(super) fn emptied(mut bytes: Bytes) -> Vec<u8> {
    bytes.clear();
    bytes.into()
}

/// Both kinds of pages, as one column to copy from.
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
