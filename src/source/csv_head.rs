//! The beginning of a CSV: which byte divides its fields, which line is its header, and what comes before that.
//!
//! A first line `sep=;`, as spreadsheets write it, says the delimiter. Else the delimiter is the one by which the first line has the columns
//! that are looked for; where none does, the one that divides the first records most evenly. A first line that is not the header is a
//! title: the header is the first of the [`LOOKED_AT`] first records that has the columns, or else the first that has more filled fields than half of the
//! widest of them. Nothing is left out without a note.
//!
//! Where the first line has the columns, nothing after it is waited for: a pipe may end there for a while.

use super::records::{Dialect, RecordSplitter};
use super::row_kind::TextRowKind;
use crate::base::error::{Error, Result, Stage};
use crate::base::text::{counted, grouped};
use crate::model::period_batch::Origin;
use crate::model::read_options::{Quote, ReadOptions};
use std::io::Read;

/// How many records are looked at to find the header.
const LOOKED_AT: usize = 20;
/// The delimiters that are told.
const DELIMITERS: [u8; 4] = [b',', b'\t', b';', b'|'];

/// The header of a CSV.
pub(super) struct Header {
    /// Its record as it is written, with its line's end.
    pub(super) bytes: Vec<u8>,
    /// The names of the columns, without blanks around them.
    pub(super) names: Vec<String>,
    pub(super) dialect: Dialect,
    /// What was left out before it, to be noted if it has the columns.
    pub(super) left_out: Option<String>,
}

/// A header with more columns is none.
const MAX_COLUMNS: usize = 1 << 16;

/// A record among the first ones.
struct Record {
    fields: Vec<String>,
    /// Its line, from 1.
    line: u64,
}

impl Record {
    fn filled(&self) -> usize {
        self.fields.iter().filter(|field| !field.is_empty()).count()
    }
}

/// Reads up to the end of the header.
pub(super) fn begin<S: TextRowKind<N>, const N: usize>(lines: &mut RecordSplitter, kind: &S, origin: &Origin) -> Result<Header> {
    let options = kind.reading();
    let fail = |what: &str| Error::data(what).input(&origin.name).stage(Stage::Source);
    let mut dialect = said(options)?;
    let mut delimiters = DELIMITERS.to_vec();
    if let Some(delimiter) = excel_delimiter(lines.peek_line()?) {
        delimiters = vec![delimiter];
        lines.skip_past_first_line()?;
        lines.peek_line()?;
    }
    if let Some(line) = options.header_line {
        lines.skip_to_line(line)?;
        lines.peek_line()?;
    }
    let first = lines.peek_line()?.to_vec();
    let known = delimiters.iter().copied().find(|&delimiter| {
        let of_line = records(&first, Dialect { delimiter, ..dialect });
        of_line.first().is_some_and(|record| known(kind, record) > 0)
    });
    let mut left_out = None;
    dialect.delimiter = match known {
        Some(delimiter) => delimiter,
        None => {
            let text = lines.look(LOOKED_AT + 1)?.to_vec();
            let (delimiter, line) = guess(kind, &text, &delimiters, dialect, options.header_line.is_some());
            if line > 1 {
                let before = lines.skip_past(line - 1)?;
                let titles = counted(before, "line before the header is", "lines before the header are");
                left_out = Some(format!("{}: {titles} left out: the header is on line {}", origin.name, before + 1));
            }
            delimiter
        }
    };
    lines.fields_of(dialect);
    let header = lines.first_record()?.ok_or_else(|| match options.header_line {
        Some(line) => fail(&format!("there is no line {line}, where the header should be")),
        None => fail("the file is empty: a CSV begins with a header"),
    })?;
    let mut record = csv::ByteRecord::new();
    let mut parser = parser(&header.bytes[..], dialect);
    loop {
        let more = parser.read_byte_record(&mut record).map_err(|e| fail("the header cannot be read").cause(e))?;
        if !more || !is_blank(&record) {
            break;
        }
    }
    let names = names(&record);
    if names.len() > MAX_COLUMNS {
        return Err(
            fail(&format!("the header has more than {} columns", grouped(MAX_COLUMNS))).help("check the delimiter and the line ends")
        );
    }
    if names.is_empty() {
        return Err(fail("the file is empty: a CSV begins with a header"));
    }
    if names.iter().any(|name| name.contains('\r')) {
        return Err(fail("the header holds a carriage return").help("convert the line ends to \\n or \\r\\n"));
    }
    dialect.fields = names.len();
    lines.fields_of(dialect);
    Ok(Header { bytes: header.bytes, names, dialect, left_out })
}

/// What is said of quotes.
fn said(options: &ReadOptions) -> Result<Dialect> {
    let escape = match options.escape {
        Some(c) if c.is_ascii() && !matches!(c, '"' | '\n' | '\r' | '\0') => Some(c as u8),
        Some(c) => return Err(Error::usage(format!("{c:?} cannot be what escapes a quote")).help("give an ASCII character: `escape=\\`")),
        None => None,
    };
    let quotes = options.quote != Some(Quote::None);
    Ok(Dialect { delimiter: b',', quotes, escape: escape.filter(|_| quotes), are_quotes_sure: options.quote.is_some(), fields: 0 })
}

/// The delimiter that a line `sep=;` says.
fn excel_delimiter(line: &[u8]) -> Option<u8> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    match line {
        [s, e, p, b'=', delimiter] if [*s, *e, *p].eq_ignore_ascii_case(b"sep") => Some(*delimiter),
        _ => None,
    }
}

/// How many of the columns that are looked for a record names; none if it is fewer than half of those that are needed.
fn known<S: TextRowKind<N>, const N: usize>(kind: &S, record: &Record) -> usize {
    let names: Vec<&str> = record.fields.iter().map(String::as_str).collect();
    let (found, needed) = kind.known(&names);
    if found * 2 >= needed { found } else { 0 }
}

/// The delimiter and the line of the header, counted from the beginning of the text.
fn guess<S: TextRowKind<N>, const N: usize>(kind: &S, text: &[u8], delimiters: &[u8], dialect: Dialect, is_line_said: bool) -> (u8, u64) {
    let tables: Vec<_> = delimiters.iter().map(|&delimiter| (delimiter, records(text, Dialect { delimiter, ..dialect }))).collect();
    let most_known = tables.iter().filter(|_| !is_line_said).flat_map(|(delimiter, records)| {
        records.iter().map(|record| (known(kind, record), *delimiter, record.line)).filter(|(known, ..)| *known > 0)
    });
    if let Some((_, delimiter, line)) = most_known.max_by_key(|&(known, _, line)| (known, std::cmp::Reverse(line))) {
        return (delimiter, line);
    }
    let mut best = (0, 0);
    let mut delimiter = delimiters[0];
    for (each, records) in &tables {
        let evenness = evenness(records);
        if evenness > best {
            (best, delimiter) = (evenness, *each);
        }
    }
    let records = tables.into_iter().find(|(each, _)| *each == delimiter).map(|(_, records)| records).unwrap_or_default();
    let widest = records.iter().map(Record::filled).max().unwrap_or(0);
    let line = records.iter().find(|record| is_line_said || record.filled() * 2 > widest).map_or(1, |record| record.line);
    let first = records.first().map_or(1, |record| record.line);
    // Blank lines before a header are no titles.
    (delimiter, if line == first { 1 } else { line })
}

/// How many records have the number of fields that most of them have, and that number; nothing where that is one.
fn evenness(records: &[Record]) -> (usize, usize) {
    let number = |fields: usize| records.iter().filter(|record| record.fields.len() == fields).count();
    let widths = records.iter().map(|record| record.fields.len()).filter(|&fields| fields > 1);
    widths.map(|fields| (number(fields), fields)).max().unwrap_or((0, 0))
}

/// The first records of a text.
fn records(text: &[u8], dialect: Dialect) -> Vec<Record> {
    let mut parser = parser(text, dialect);
    let (mut record, mut records) = (csv::ByteRecord::new(), Vec::new());
    let mut after = 0;
    while records.len() < LOOKED_AT && matches!(parser.read_byte_record(&mut record), Ok(true)) {
        let end = usize::try_from(parser.position().byte()).unwrap_or(text.len()).min(text.len());
        let begin = after + text[after..end].iter().take_while(|b| matches!(b, b'\n' | b'\r')).count();
        let line = 1 + memchr::memchr_iter(b'\n', &text[..begin.min(end)]).count() as u64;
        after = end;
        if !is_blank(&record) {
            records.push(Record { fields: names(&record), line });
        }
    }
    records
}

fn names(record: &csv::ByteRecord) -> Vec<String> {
    let name = |field: &[u8]| String::from_utf8_lossy(field).trim().to_owned();
    (0..record.len().min(MAX_COLUMNS + 1)).filter_map(|at| trimmed(record, at)).map(name).collect()
}

/// Records end at `\n` and nowhere else, as for [`RecordSplitter`]; the `\r` before it is left to [`trimmed`].
pub(super) fn parser<R: Read>(bytes: R, dialect: Dialect) -> csv::Reader<R> {
    let mut builder = csv::ReaderBuilder::new();
    builder.has_headers(false).flexible(true).delimiter(dialect.delimiter).quoting(dialect.quotes).escape(dialect.escape);
    builder.terminator(csv::Terminator::Any(b'\n')).buffer_capacity(1 << 16).from_reader(bytes)
}

/// A line that ends in `\r\n` and holds nothing else.
pub(super) fn is_blank(record: &csv::ByteRecord) -> bool {
    record.len() == 1 && record.get(0) == Some(b"\r")
}

/// A field, without the `\r` of its line's end where it is the last.
pub(super) fn trimmed(record: &csv::ByteRecord, at: usize) -> Option<&[u8]> {
    let field = record.get(at)?;
    Some(if at + 1 == record.len() { field.strip_suffix(b"\r").unwrap_or(field) } else { field })
}
