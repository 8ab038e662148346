//! File formats and compressions, and how they are told: by what the caller says, by a path's extension, by the first bytes.

use crate::base::error::{Error, Result, Stage};
use crate::model::period_batch::Origin;
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
    /// A workbook of a spreadsheet (`.xlsx`, `.xlsm`, `.xlsb`, `.xls`, `.ods`); read, not written.
    Workbook,
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let format = Format::of_extension(text).filter(|_| ["parquet", "csv", "jsonl", "arrow", "workbook"].contains(&text));
        format.ok_or_else(|| Error::usage(format!("{text:?} is not a format")).help("one of parquet, csv, jsonl, arrow, workbook"))
    }
}

impl Format {
    fn of_extension(extension: &str) -> Option<Format> {
        match extension.to_ascii_lowercase().as_str() {
            "parquet" | "pq" => Some(Format::Parquet),
            "csv" | "tsv" => Some(Format::Csv),
            "jsonl" | "ndjson" | "json" => Some(Format::Jsonl),
            "arrow" | "arrows" | "ipc" | "feather" => Some(Format::Arrow),
            "workbook" | "xlsx" | "xlsm" | "xlsb" | "xls" | "ods" => Some(Format::Workbook),
            _ => None,
        }
    }

    /// The format that a path's extension names, below `.gz`, `.zst` or `.bz2` where it has that.
    pub fn of_path(path: &Path) -> Option<Format> {
        let extension = path.extension()?.to_str()?;
        if matches!(extension, "gz" | "zst" | "bz2") {
            return Format::of_path(Path::new(path.file_stem()?));
        }
        Format::of_extension(extension)
    }

    /// Whether a path's extension is one of an input: of a format, or of an archive that may hold one.
    pub(super) fn is_input(path: &Path) -> bool {
        Format::of_path(path).is_some() || path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip"))
    }

    pub(super) fn of_first_bytes(head: &[u8]) -> Option<Format> {
        // Of UTF-16, the ASCII characters.
        let plain: Vec<u8> = head.iter().copied().filter(|byte| ![0, 0xff, 0xfe].contains(byte)).collect();
        let text = plain.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&plain).trim_ascii_start();
        match head {
            [] => None,
            [b'P', b'A', b'R', b'1', ..] => Some(Format::Parquet),
            _ if is_arrow_file(head) || is_arrow_stream(head) => Some(Format::Arrow),
            _ if text.first() == Some(&b'{') => Some(Format::Jsonl),
            // An array of objects, or of none.
            _ if text.first() == Some(&b'[') && matches!(text[1..].trim_ascii_start().first(), Some(b'{' | b']')) => Some(Format::Jsonl),
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

/// Fails where the first bytes of an input are those of something that is not read, and says what it is.
pub(super) fn refuse_foreign(head: &[u8], origin: &Origin) -> Result<()> {
    const UNPACK: &str = "unpack it first";
    const CSV: &str = "write the rows as CSV, JSON lines or Parquet";
    let (what, help) = match head {
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => ("an .xz file", UNPACK),
        [0x04, 0x22, 0x4d, 0x18, ..] => ("an .lz4 file", UNPACK),
        [b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, ..] => ("a 7-Zip archive", UNPACK),
        [b'R', b'a', b'r', b'!', 0x1a, 7, ..] => ("a RAR archive", UNPACK),
        [b'%', b'P', b'D', b'F', b'-', ..] => ("a PDF document", "export the rows as CSV from where it came from"),
        [b'O', b'R', b'C', ..] if head.contains(&0) => ("an ORC file", CSV),
        [b'O', b'b', b'j', 1, ..] => ("an Avro file", CSV),
        _ if head.starts_with(b"SQLite format 3\0") => ("a SQLite database", CSV),
        _ => {
            let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start().to_ascii_lowercase();
            match () {
                () if text.starts_with(b"<!doctype html") || text.starts_with(b"<html") || text.starts_with(b"<table") => {
                    ("an HTML page; some shops call it .xls", "open it with a spreadsheet, and save it as CSV in UTF-8")
                }
                () if text.starts_with(b"<?xml") => ("an XML document", CSV),
                () => return Ok(()),
            }
        }
    };
    Err(Error::data(format!("this is {what}, which is not read")).input(&origin.name).stage(Stage::Source).help(help))
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
    Bzip2,
}

/// The compression that the first bytes of an input show.
pub(super) fn compression(head: &[u8]) -> Option<Compression> {
    match head {
        [0x1f, 0x8b, ..] => Some(Compression::Gzip),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Compression::Zstd),
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..] => Some(Compression::Bzip2),
        _ => None,
    }
}

/// The name of the compression that the first bytes of an input show.
pub(super) fn compression_name(head: &[u8]) -> Option<&'static str> {
    compression(head).map(|compression| match compression {
        Compression::Gzip => "gzip",
        Compression::Zstd => "zstd",
        Compression::Bzip2 => "bzip2",
    })
}

impl Compression {
    /// A reader of the uncompressed bytes.
    #[cfg_attr(not(feature = "compression"), allow(unused_variables))]
    pub(super) fn reader(self, reader: Box<dyn Read + Send>) -> std::io::Result<Box<dyn Read + Send>> {
        #[cfg(not(feature = "compression"))]
        return Err(std::io::Error::other(Error::left_out("gzip, Zstandard or bzip2", "compression")));
        #[cfg(feature = "compression")]
        match self {
            Compression::Gzip => Ok(Box::new(flate2::read::MultiGzDecoder::new(std::io::BufReader::with_capacity(1 << 18, reader)))),
            Compression::Bzip2 => Ok(Box::new(bzip2::read::MultiBzDecoder::new(reader))),
            Compression::Zstd => Ok(Box::new(ToldApart(zstd::stream::read::Decoder::new(reader)?))),
        }
    }
}

/// Tells errors of the content from those of the system, as other readers do.
#[cfg(feature = "compression")]
struct ToldApart<R>(R);

#[cfg(feature = "compression")]
impl<R: Read> Read for ToldApart<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        use std::io::{Error, ErrorKind};
        let apart = |e: Error| match e.kind() {
            ErrorKind::Other if e.raw_os_error().is_none() => Error::new(ErrorKind::InvalidData, e),
            _ => e,
        };
        self.0.read(buffer).map_err(apart)
    }
}
