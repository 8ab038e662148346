//! File formats and compressions, and how they are told: by what the caller says, by a path's extension, by the first bytes.

use crate::base::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::io::{Cursor, Read};
use std::path::Path;
use std::str::FromStr;

/// A file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Format {
    /// Apache Parquet.
    Parquet,
    /// Comma-separated values with a header.
    Csv,
    /// JSON, an object a line.
    Jsonl,
    /// Arrow IPC, file or stream.
    Arrow,
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let format = Format::of_extension(text).filter(|_| ["parquet", "csv", "jsonl", "arrow"].contains(&text));
        format.ok_or_else(|| Error::usage(format!("{text:?} is not a format")).help("one of parquet, csv, jsonl, arrow"))
    }
}

impl Format {
    fn of_extension(extension: &str) -> Option<Format> {
        match extension.to_ascii_lowercase().as_str() {
            "parquet" | "pq" => Some(Format::Parquet),
            "csv" | "tsv" => Some(Format::Csv),
            "jsonl" | "ndjson" | "json" => Some(Format::Jsonl),
            "arrow" | "arrows" | "ipc" | "feather" => Some(Format::Arrow),
            _ => None,
        }
    }

    /// The format that a path's extension names, below `.gz` or `.zst` where it has that.
    pub fn of_path(path: &Path) -> Option<Format> {
        let extension = path.extension()?.to_str()?;
        if matches!(extension, "gz" | "zst") {
            return Format::of_path(Path::new(path.file_stem()?));
        }
        Format::of_extension(extension)
    }

    pub(super) fn of_first_bytes(head: &[u8]) -> Option<Format> {
        let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
        match head {
            [] => None,
            [b'P', b'A', b'R', b'1', ..] => Some(Format::Parquet),
            _ if is_arrow_file(head) || is_arrow_stream(head) => Some(Format::Arrow),
            _ if text.first() == Some(&b'{') => Some(Format::Jsonl),
            _ => Some(Format::Csv),
        }
    }
}

pub(super) fn is_arrow_file(head: &[u8]) -> bool {
    head.starts_with(b"ARROW1")
}

pub(super) fn is_arrow_stream(head: &[u8]) -> bool {
    head.starts_with(&[0xff; 4])
}

/// Begins to read an input that can be read only once: gives a reader of its uncompressed bytes, and its format; no format where it is empty.
pub(super) fn open_once(
    mut reader: Box<dyn Read + Send>,
    format: Option<Format>,
) -> std::io::Result<(Box<dyn Read + Send>, Option<Format>)> {
    let mut head = read_head(&mut reader)?;
    let mut whole: Box<dyn Read + Send> = Box::new(Cursor::new(head.clone()).chain(reader));
    if let Some(compression) = compression(&head) {
        let mut plain = compression.reader(whole)?;
        head = read_head(&mut plain)?;
        whole = Box::new(Cursor::new(head.clone()).chain(plain));
    }
    // An Arrow file has as little before its end as Parquet has.
    let found = if is_arrow_file(&head) { Some(Format::Parquet) } else { Format::of_first_bytes(&head) };
    Ok((whole, found.filter(|found| *found == Format::Parquet).or(format).or(found).filter(|_| !head.is_empty())))
}

/// Reads the first bytes of an input: as many as it takes to tell its format.
pub(super) fn read_head(reader: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    reader.take(64).read_to_end(&mut head)?;
    Ok(head)
}

/// The compression of a whole input.
#[derive(Clone, Copy)]
pub(super) enum Compression {
    Gzip,
    Zstd,
}

/// The compression that the first bytes of an input show.
pub(super) fn compression(head: &[u8]) -> Option<Compression> {
    match head {
        [0x1f, 0x8b, ..] => Some(Compression::Gzip),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Compression::Zstd),
        _ => None,
    }
}

/// The name of the compression that the first bytes of an input show.
pub(super) fn compression_name(head: &[u8]) -> Option<&'static str> {
    compression(head).map(|compression| match compression {
        Compression::Gzip => "gzip",
        Compression::Zstd => "zstd",
    })
}

impl Compression {
    /// A reader of the uncompressed bytes.
    #[cfg_attr(not(feature = "compression"), allow(unused_variables))]
    pub(super) fn reader(self, reader: Box<dyn Read + Send>) -> std::io::Result<Box<dyn Read + Send>> {
        #[cfg(not(feature = "compression"))]
        return Err(std::io::Error::other(Error::left_out("gzip or Zstandard", "compression")));
        #[cfg(feature = "compression")]
        match self {
            Compression::Gzip => Ok(Box::new(flate2::read::MultiGzDecoder::new(std::io::BufReader::with_capacity(1 << 18, reader)))),
            Compression::Zstd => Ok(Box::new(zstd::stream::read::Decoder::new(reader)?)),
        }
    }
}
