//! An endless stream cut into pieces of whole rows as they come, undecoded, so that each part of it can be a file of its own:
//! [`follow`](crate::jobs::follow) spools them. CSV, JSONL and Arrow streams can be cut; other formats begin at their end.

#[cfg(feature = "csv")]
use super::csv::CsvSource;
#[cfg(feature = "csv")]
use super::csv_head::{Header, begin};
use super::format::{Format, open_once};
use super::ipc;
#[cfg(feature = "json")]
use super::json_records::object_a_line;
use super::records::RecordSplitter;
use super::row_kind::TextRowKind;
#[cfg(any(feature = "csv", feature = "json"))]
use super::text_input::decoded;
use crate::base::error::{Error, Result, Stage};
use crate::model::period_batch::Origin;
#[cfg(any(feature = "csv", feature = "json"))]
use crate::model::read_options::{Encoding, ReadOptions};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use std::io::{Cursor, Read};
use std::sync::Arc;

/// Some rows.
pub(crate) enum Piece {
    /// Records of a text, whole.
    Text { bytes: Vec<u8>, rows: u64 },
    /// A batch of an Arrow stream.
    Batch(RecordBatch),
}

impl Piece {
    pub(crate) fn rows(&self) -> u64 {
        match self {
            Piece::Text { rows, .. } => *rows,
            Piece::Batch(batch) => batch.num_rows() as u64,
        }
    }
}

/// The beginning of every part of a stream.
#[derive(Clone)]
pub(crate) enum Head {
    /// The header of a CSV, or nothing.
    Text(Vec<u8>),
    /// The schema of an Arrow stream.
    Arrow(SchemaRef),
}

/// A stream that is being cut.
pub(crate) struct Endless {
    pub(crate) head: Head,
    /// For the names of files that parts of it become.
    pub(crate) extension: &'static str,
    pieces: Pieces,
}

enum Pieces {
    Text(Box<RecordSplitter>),
    Arrow(Box<dyn Iterator<Item = Result<RecordBatch>> + Send>),
}

/// A byte order mark, where without it text that was recoded would be recoded again.
#[cfg(any(feature = "csv", feature = "json"))]
fn mark(reading: &ReadOptions) -> &'static [u8] {
    if reading.encoding == Encoding::Utf8 { b"" } else { b"\xef\xbb\xbf" }
}

/// The header as it is to be read again, by the same options: with the delimiter, where it could be taken for another.
#[cfg(feature = "csv")]
fn again(header: &Header, reading: &ReadOptions) -> Vec<u8> {
    let delimiter = header.dialect.delimiter;
    let line = reading.header_line.unwrap_or(1);
    let is_clear = line == 1 && b",\t;|".iter().all(|other| *other == delimiter || !header.bytes.contains(other));
    let mut whole = mark(reading).to_vec();
    if !is_clear {
        whole.extend([&b"sep="[..], &[delimiter], b"\n"].concat());
        (2..line).for_each(|_| whole.push(b'\n'));
    }
    whole.extend(&header.bytes);
    whole
}

impl Endless {
    /// Begins to read, up to the header or the schema, which must have the columns.
    pub(crate) fn open<S: TextRowKind<N>, const N: usize>(
        reader: Box<dyn Read + Send>,
        name: &str,
        format: Option<Format>,
        kind: &S,
    ) -> Result<Self> {
        let origin = Arc::new(Origin { name: name.to_owned() });
        let fail = |e| Error::io("cannot read", e).input(name).stage(Stage::Source);
        let (reader, found) = open_once(reader, format).map_err(fail)?;
        #[cfg(any(feature = "csv", feature = "json"))]
        let lines = |reader| Box::new(RecordSplitter::new(reader, origin.clone()));
        match found {
            #[cfg(feature = "csv")]
            Some(Format::Csv) => {
                let mut lines = lines(decoded(reader, kind.reading().encoding, &origin, &kind.notes())?);
                let header = begin(&mut lines, kind, &origin)?;
                let mut header = again(&header, kind.reading());
                CsvSource::<S, N>::open(Box::new(Cursor::new(header.clone())), origin, kind, 1)?;
                if header.last() != Some(&b'\n') {
                    header.push(b'\n');
                }
                Ok(Endless { head: Head::Text(header), extension: "csv", pieces: Pieces::Text(lines) })
            }
            #[cfg(not(feature = "csv"))]
            Some(Format::Csv) => Err(Error::left_out("CSV", "csv").input(name)),
            #[cfg(feature = "json")]
            Some(Format::Jsonl) => {
                let text = decoded(reader, kind.reading().encoding, &origin, &kind.notes())?;
                let (reader, _) = object_a_line(text, &origin)?;
                let head = Head::Text(mark(kind.reading()).to_vec());
                Ok(Endless { head, extension: "jsonl", pieces: Pieces::Text(lines(reader)) })
            }
            #[cfg(not(feature = "json"))]
            Some(Format::Jsonl) => Err(Error::left_out("JSONL", "json").input(name)),
            Some(Format::Arrow) => {
                let (schema, batches) = ipc::stream(reader, &origin, kind.reading())?;
                kind.resolve(&schema, &origin)?;
                Ok(Endless { head: Head::Arrow(schema), extension: "arrows", pieces: Pieces::Arrow(Box::new(batches)) })
            }
            Some(Format::Parquet) => {
                let error = Error::usage("Parquet cannot be followed: it has no rows before its end").input(name);
                Err(error.help("send CSV, JSONL or an Arrow stream, or put files into a folder that is followed"))
            }
            Some(Format::Workbook) => {
                let error = Error::usage("a workbook cannot be followed: it has no rows before its end").input(name);
                Err(error.help("put files into a folder that is followed"))
            }
            None => Err(Error::data("the stream has ended before it began").input(name).stage(Stage::Source)),
        }
    }

    /// Waits for more rows; none at the end.
    pub(crate) fn next_piece(&mut self) -> Result<Option<Piece>> {
        match &mut self.pieces {
            Pieces::Text(lines) => Ok(lines.next_chunk()?.map(|chunk| Piece::Text { bytes: chunk.bytes, rows: chunk.records })),
            Pieces::Arrow(batches) => Ok(batches.next().transpose()?.map(Piece::Batch)),
        }
    }
}
