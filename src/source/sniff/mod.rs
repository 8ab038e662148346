//! A look at an input: its format, its columns, and a bounded number of its first rows as texts.
//!
//! An input is opened as any reader of rows opens it, by [`Files`], with a kind of rows that takes whatever columns
//! there are (`any_columns`); what the columns hold is said by `profile`. Standard input and named pipes can be read from their beginning
//! after the look.
//!
//! Invariant: a look changes nothing, and what it gives is a function of the input's beginning.

pub(crate) mod any_columns;
mod joined;
pub(crate) mod profile;

pub use self::profile::{ColumnProfile, DateReading, ValueKind};

use self::any_columns::{AnyColumns, COLUMNS};
use super::Source;
use super::archive::is_zip;
use super::files::{Files, Format, STDIN};
use super::format::{compression_name, read_head};
use super::workbook::is_compound;
use crate::base::error::{Error, Result};
use crate::model::read_options::{Encoding, ReadOptions};
use arrow::array::{Array, RecordBatch};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// Rows of a batch.
const BATCH_ROWS: usize = 8_192;

/// How much of an input is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleSize {
    /// Rows, at most.
    pub rows: usize,
    /// Bytes of text in them, at most, and one batch more.
    pub bytes: usize,
}

impl Default for SampleSize {
    fn default() -> Self {
        SampleSize { rows: 1 << 16, bytes: 8 << 20 }
    }
}

impl SampleSize {
    /// The header alone.
    pub const HEADER: SampleSize = SampleSize { rows: 0, bytes: 0 };
}

/// The beginning of an input.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Sample {
    /// The input, as it is named in reports.
    pub input: String,
    /// Its format; none where neither its name nor its first bytes tell.
    pub format: Option<Format>,
    /// `gzip`, `zstd` or `bzip2`, where it is compressed as a whole.
    pub compression: Option<&'static str>,
    /// What its bytes mean, where it is text.
    pub encoding: Encoding,
    /// The names of all its columns.
    pub names: Vec<String>,
    /// Their types, where the format has types.
    pub types: Vec<Option<String>>,
    /// The delimiter and the line of the header, of a CSV that is no pipe.
    pub header: Option<(char, u64)>,
    /// Whether that line has quotes.
    pub quoted: bool,
    /// Its first rows; each column is of texts, an empty text is a null.
    pub rows: Vec<RecordBatch>,
    /// Whether the rows are all there are.
    pub whole: bool,
    /// What is wrong with a row, after those that could be read.
    pub fault: Option<String>,
    /// The size of the file in bytes, where it is known.
    pub size: Option<u64>,
}

impl Sample {
    /// Looks at an input: a file, `-` for standard input, or a named pipe.
    ///
    /// # Errors
    /// When it cannot be opened, or is not what it claims to be.
    pub fn of(name: &str, format: Option<Format>, reading: &ReadOptions, size: SampleSize) -> Result<Self> {
        let kind = AnyColumns::new(reading.clone());
        let read = Self::read(name, format, kind.clone(), size);
        // Bytes that are no UTF-8 are what spreadsheets write: where they are, all can be read as Latin-1.
        let is_bad = read.as_ref().map_or(true, |sample| sample.fault.is_some());
        if !is_bad || reading.encoding != Encoding::Utf8 {
            return read;
        }
        let other = Self::read(name, format, kind.encoded(Encoding::Latin1), size);
        match other {
            Ok(mut other) if other.fault.is_none() => {
                other.encoding = Encoding::Latin1;
                Ok(other)
            }
            _ => read,
        }
    }

    fn read(name: &str, format: Option<Format>, kind: AnyColumns, size: SampleSize) -> Result<Self> {
        let mut files = Files::find_as(&[name], format, kind.clone(), BATCH_ROWS)?.looking();
        let input = files.inputs().into_iter().next().unwrap_or_default();
        let (mut rows, mut bytes, mut batches, mut fault) = (0, 0, Vec::new(), None);
        let mut enough = size.rows == 0;
        let mut whole = false;
        let mut first = true;
        while !enough || first {
            let chunk = match files.next_chunk() {
                // The input could be opened: what follows is one of its rows.
                Err(error) if !kind.header(&input).names.is_empty() => {
                    fault = Some(error.to_string());
                    break;
                }
                chunk => chunk?,
            };
            first = false;
            let Some(chunk) = chunk else {
                whole = true;
                break;
            };
            if enough {
                break;
            }
            let read = chunk.decode(&mut |batch| {
                let batch = batch.slice(0, batch.num_rows().min(size.rows - rows));
                rows += batch.num_rows();
                bytes += batch.columns().iter().map(|column| column.get_array_memory_size()).sum::<usize>();
                batches.push(batch);
                enough = rows >= size.rows || bytes >= size.bytes;
                if enough { Err(Error::cancelled()) } else { Ok(()) }
            });
            if let Err(error) = read
                && !enough
            {
                fault = Some(error.to_string());
                break;
            }
        }
        let header = kind.header(&input);
        let mut sample = Sample {
            input,
            format,
            compression: None,
            encoding: Encoding::Utf8,
            names: header.names,
            types: header.types,
            header: None,
            quoted: false,
            rows: batches,
            whole,
            fault,
            size: None,
        };
        if name != STDIN && Path::new(name).is_file() {
            sample.look_at_file(name);
        }
        Ok(sample)
    }

    /// What the first bytes of a file tell.
    fn look_at_file(&mut self, name: &str) {
        let Ok(mut file) = File::open(name) else { return };
        self.size = file.metadata().ok().map(|file| file.len());
        let head = read_head(&mut file).unwrap_or_default();
        self.compression = compression_name(&head);
        let is_plain = self.compression.is_none() && !is_zip(&head) && !is_compound(&head);
        let of_bytes = || Format::of_first_bytes(&head).filter(|_| is_plain);
        self.format = self.format.or_else(|| Format::of_path(Path::new(name))).or_else(of_bytes);
        if self.format == Some(Format::Csv) && self.compression.is_none() {
            self.find_header(name);
        }
    }

    /// Finds the delimiter and the line of the header of a CSV, and whether it has quotes.
    fn find_header(&mut self, name: &str) {
        let (Some(first), Some(second), Ok(file)) = (self.names.first(), self.names.get(1), File::open(name)) else { return };
        let mut file = BufReader::new(file);
        for at in 1..=100 {
            let mut line = Vec::new();
            if !(&mut file).take(1 << 20).read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                return;
            }
            let line = String::from_utf8_lossy(&line).into_owned();
            let after = line.split_once(first.as_str()).map(|(_, after)| after.trim_start_matches('"'));
            let delimiter = after.and_then(|after| after.chars().next());
            if let Some(delimiter) = delimiter.filter(|_| line.contains(second.as_str())) {
                (self.header, self.quoted) = (Some((delimiter, at)), line.contains('"'));
                return;
            }
        }
    }

    /// What each column holds.
    pub fn profiles(&self) -> Vec<ColumnProfile> {
        let columns = self.names.iter().take(COLUMNS).enumerate();
        columns.map(|(at, name)| profile::of(name, self.types.get(at).cloned().flatten(), at, &self.rows)).collect()
    }

    /// How many rows there are.
    pub fn row_count(&self) -> usize {
        self.rows.iter().map(RecordBatch::num_rows).sum()
    }
}
