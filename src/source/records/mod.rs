//! Text input cut into chunks that begin and end between records, so that threads can decode them side by side.
//!
//! A record ends at a newline that is not inside a quoted CSV field. The scanner follows quotes exactly as the CSV parser downstream
//! does (a quote is special only where a field begins), and looks at nothing but quotes and newlines: [`Marks`] finds
//! them 64 bytes at a time. It also counts records and lines, so every chunk knows the number of its first row.
//!
//! Invariant: a quote that is not what it seems never takes lines away. Text after a closing quote is an error here, and so is a field over
//! several lines, each of which has as many fields as the header, unless quotes are said to be what they seem.

mod parts;

use super::marks::Marks;
use crate::base::error::{Error, Result, Stage};
use crate::model::period_batch::Origin;
use std::io::Read;
use std::sync::Arc;

/// Bytes in a chunk, as a rule.
pub(super) const CHUNK: usize = 1 << 20;
/// Bytes in the first read.
const MIN_BLOCK: usize = 1 << 16;
/// A record longer than this is refused: it is an open quote, a missing newline, or not a text file at all.
const MAX_RECORD: usize = 16 << 20;

#[derive(Debug, Clone, Copy, PartialEq)]
enum QuoteState {
    Unquoted,
    Quoted,
    /// The last byte was a quote in a quoted field: it closes the field, or the next quote is its other half.
    QuoteInQuoted,
}

/// How the fields of a CSV are told apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    pub(super) delimiter: u8,
    /// Whether fields may stand in quotes.
    pub(super) quotes: bool,
    /// What makes the next character plain text in a quoted field.
    pub(super) escape: Option<u8>,
    /// Whether it was said what quotes are.
    pub(super) are_quotes_sure: bool,
    /// The fields of the header, once it is known.
    pub(super) fields: usize,
}

/// Records of a text, whole.
pub(super) struct TextChunk {
    pub(super) bytes: Vec<u8>,
    /// How many there are.
    pub(super) records: u64,
    /// The number of the first record, from 1; a header counts as a record here.
    pub(super) first_record: u64,
    /// The line of the first record, where every record of the chunk takes one line.
    pub(super) first_line: Option<u64>,
    /// The line on which the chunk begins, where lines are told.
    pub(super) line: Option<u64>,
}

/// Cuts a reader into chunks.
pub(super) struct RecordSplitter {
    reader: Box<dyn Read + Send>,
    origin: Arc<Origin>,
    /// How the fields of a CSV are told apart; none where the text is no CSV.
    dialect: Option<Dialect>,
    /// Whether lines are those of the input.
    tells_lines: bool,
    buffer: Vec<u8>,
    /// Bytes of the buffer that were scanned.
    scanned: usize,
    /// The end of the last whole record in the buffer.
    boundary: usize,
    state: QuoteState,
    /// The end of the last closing quote, and whether it is not known yet what follows it.
    closed: usize,
    is_unchecked: bool,
    /// The last byte that was scanned makes the next one plain.
    escapes_next: bool,
    /// A quoted field of the record has more lines than one.
    spans_lines: bool,
    record_start: usize,
    records: u64,
    lines: u64,
    /// RecordSplitter up to the end of the last whole record: a quoted field may already have begun more.
    whole_lines: u64,
    quote_line: u64,
    taken_records: u64,
    taken_lines: u64,
    ended: bool,
    /// The last read gave less than it might have.
    short: bool,
    /// How much the next read asks for: room that a pipe does not fill would be cleared in vain.
    block: usize,
    /// Bytes that were read.
    read: u64,
}

impl RecordSplitter {
    pub(super) fn new(reader: Box<dyn Read + Send>, origin: Arc<Origin>) -> Self {
        RecordSplitter {
            reader,
            origin,
            dialect: None,
            tells_lines: true,
            buffer: Vec::new(),
            scanned: 0,
            boundary: 0,
            state: QuoteState::Unquoted,
            closed: 0,
            is_unchecked: false,
            escapes_next: false,
            spans_lines: false,
            record_start: 0,
            records: 0,
            lines: 0,
            whole_lines: 0,
            quote_line: 0,
            taken_records: 0,
            taken_lines: 0,
            ended: false,
            short: false,
            block: MIN_BLOCK,
            read: 0,
        }
    }

    /// The first line that is not blank, without its newline and without a byte order mark. To be asked before anything is taken and
    /// before quotes are switched on.
    pub(super) fn peek_line(&mut self) -> Result<&[u8]> {
        while memchr::memchr(b'\n', self.buffer.trim_ascii_start()).is_none() && self.fill()? {
            if self.buffer.len() > MAX_RECORD {
                return Err(self.fault(1, format!("the first line is longer than {} MiB", MAX_RECORD >> 20)).help(NOT_TEXT));
            }
        }
        if self.buffer.starts_with(b"\xef\xbb\xbf") {
            self.buffer.drain(..3);
        }
        let blank = self.buffer.iter().take_while(|b| matches!(b, b'\n' | b'\r')).count();
        let blank = memchr::memrchr(b'\n', &self.buffer[..blank]).map_or(0, |at| at + 1);
        let end = memchr::memchr(b'\n', &self.buffer[blank..]).map_or(self.buffer.len(), |at| blank + at);
        Ok(&self.buffer[blank..end])
    }

    /// Lines are not those of the input: none are told.
    #[cfg_attr(not(feature = "json"), allow(dead_code))]
    pub(super) fn without_lines(mut self) -> Self {
        self.tells_lines = false;
        self
    }

    /// From here on, records have fields.
    pub(super) fn fields_of(&mut self, dialect: Dialect) {
        self.dialect = Some(dialect);
    }

    /// The text so far: so many lines, or [`CHUNK`] bytes, or all there is. To be asked before anything is taken.
    pub(super) fn look(&mut self, lines: usize) -> Result<&[u8]> {
        while self.buffer.len() < CHUNK && memchr::memchr_iter(b'\n', &self.buffer).nth(lines - 1).is_none() && self.fill()? {}
        Ok(&self.buffer)
    }

    /// Leaves lines out, as far as there are some, and gives the number of lines that are left out so far. To be asked before anything is
    /// taken.
    pub(super) fn skip_past(&mut self, lines: u64) -> Result<u64> {
        for _ in 0..lines {
            let mut from = 0;
            let end = loop {
                match memchr::memchr(b'\n', &self.buffer[from..]) {
                    Some(at) => break from + at + 1,
                    None => from = self.buffer.len(),
                }
                if !self.fill()? {
                    break self.buffer.len();
                }
                if from > MAX_RECORD {
                    return Err(self.fault(self.lines + 1, format!("the line is longer than {} MiB", MAX_RECORD >> 20)).help(NOT_TEXT));
                }
            };
            self.buffer.drain(..end);
            self.lines += 1;
        }
        (self.whole_lines, self.taken_lines) = (self.lines, self.lines);
        Ok(self.lines)
    }

    /// Leaves out what comes before a line, from 1.
    pub(super) fn skip_to_line(&mut self, line: u64) -> Result<()> {
        self.skip_past(line.saturating_sub(self.lines + 1)).map(drop)
    }

    /// Leaves out the first line that is not blank.
    pub(super) fn skip_past_first_line(&mut self) -> Result<()> {
        let blank = self.buffer.iter().take_while(|b| matches!(b, b'\n' | b'\r')).filter(|b| **b == b'\n').count();
        self.skip_past(blank as u64 + 1).map(drop)
    }

    /// The first record alone.
    pub(super) fn first_record(&mut self) -> Result<Option<TextChunk>> {
        self.chunk(1, 1)
    }

    /// The first chunk: so many records, or [`CHUNK`] bytes, or all there is, however slowly it comes.
    pub(super) fn first_chunk(&mut self, least_records: u64) -> Result<Option<TextChunk>> {
        self.chunk(least_records, u64::MAX)
    }

    /// The next chunk of at least one record, or none at the end.
    pub(super) fn next_chunk(&mut self) -> Result<Option<TextChunk>> {
        self.chunk(1, u64::MAX)
    }

    fn chunk(&mut self, least_records: u64, most_records: u64) -> Result<Option<TextChunk>> {
        loop {
            self.scan(most_records)?;
            let records = self.records - self.taken_records;
            if records == 0 && self.boundary >= CHUNK {
                // Blank lines alone are no chunk, and not worth keeping.
                self.cut();
            }
            let is_long = records > 0 && self.boundary >= CHUNK;
            if records >= most_records || is_long || self.short && records >= least_records {
                break;
            }
            if !self.fill()? {
                self.end_of_input()?;
                break;
            }
        }
        if self.boundary == 0 {
            return Ok(None);
        }
        let (records, lines) = (self.records - self.taken_records, self.whole_lines - self.taken_lines);
        let line = self.tells_lines.then_some(self.taken_lines + 1);
        let (first_record, first_line) = (self.taken_records + 1, line.filter(|_| records == lines));
        Ok(Some(TextChunk { bytes: self.cut(), records, first_record, first_line, line }))
    }

    /// Takes the whole records out of the buffer.
    fn cut(&mut self) -> Vec<u8> {
        let rest = self.buffer.split_off(self.boundary);
        self.scanned -= self.boundary;
        self.record_start -= self.boundary;
        self.closed = self.closed.saturating_sub(self.boundary);
        self.boundary = 0;
        (self.taken_records, self.taken_lines) = (self.records, self.whole_lines);
        std::mem::replace(&mut self.buffer, rest)
    }

    /// Reads more; false at the end.
    fn fill(&mut self) -> Result<bool> {
        if self.ended {
            return Ok(false);
        }
        let before = self.buffer.len();
        self.buffer.resize(before + self.block, 0);
        let read = loop {
            match self.reader.read(&mut self.buffer[before..]) {
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.buffer.truncate(before + read.as_ref().map_or(0, |n| *n));
        let read = read.map_err(|e| Error::io("cannot read", e).input(&self.origin.name).stage(Stage::Source))?;
        // A pipe gives what it has: rows that are there are not kept waiting for rows to come.
        self.short = read < self.block;
        if !self.short {
            self.block = (self.block * 2).min(CHUNK);
        }
        if let Some(at) = memchr::memchr(0, &self.buffer[before..]) {
            let line = self.lines + 1 + memchr::memchr_iter(b'\n', &self.buffer[self.scanned..before + at]).count() as u64;
            return Err(self.fault(line, "there is a NUL byte: this is not text".to_owned()).help(NOT_TEXT));
        }
        self.ended = self.buffer.len() == before;
        self.read += (self.buffer.len() - before) as u64;
        Ok(!self.ended)
    }

    fn scan(&mut self, most_records: u64) -> Result<()> {
        match self.dialect {
            Some(Dialect { quotes: true, escape: Some(escape), delimiter, .. }) => {
                self.scan_marks([b'"', b'\n', escape], delimiter, most_records)?;
            }
            Some(Dialect { quotes: true, delimiter, .. }) => self.scan_marks([b'"', b'\n'], delimiter, most_records)?,
            // Where quotes mean nothing, newlines are all there is to find.
            _ => self.scan_marks([b'\n', b'\n'], b'\n', most_records)?,
        }
        self.boundary = self.record_start;
        if self.buffer.len() - self.record_start > MAX_RECORD && self.scanned == self.buffer.len() {
            let what = if self.state == QuoteState::Quoted {
                format!("a quote that opens on line {} is not closed within {} MiB", self.quote_line, MAX_RECORD >> 20)
            } else {
                format!("the line is longer than {} MiB", MAX_RECORD >> 20)
            };
            return Err(self.fault(self.lines + 1, what).help(NOT_TEXT));
        }
        Ok(())
    }

    /// Follows quotes and newlines, which are the first two marks; a third one is what escapes.
    fn scan_marks<const M: usize>(&mut self, marks: [u8; M], delimiter: u8, most_records: u64) -> Result<()> {
        let from = self.scanned;
        self.scanned = self.buffer.len();
        self.is_unchecked = self.is_unchecked && self.is_unclear()?;
        let mut plain = if self.escapes_next { from } else { usize::MAX };
        for at in Marks::new(&self.buffer[from..], marks) {
            let at = from + at;
            let newline = self.buffer[at] == b'\n';
            if M > 2 && (at == plain || self.buffer[at] == marks[2]) {
                if at == plain {
                    (self.lines, self.spans_lines) = (self.lines + u64::from(newline), self.spans_lines | newline);
                } else if self.state == QuoteState::Quoted {
                    plain = at + 1;
                }
                continue;
            }
            self.state = match self.state {
                QuoteState::Quoted if newline => {
                    self.lines += 1;
                    self.spans_lines = true;
                    QuoteState::Quoted
                }
                QuoteState::Quoted => {
                    self.closed = at + 1;
                    // Nearly always it is plain to see.
                    let next = self.buffer.get(at + 1);
                    if next != Some(&delimiter) && next != Some(&b'\n') {
                        self.is_unchecked = self.is_unclear()?;
                    }
                    QuoteState::QuoteInQuoted
                }
                QuoteState::QuoteInQuoted if !newline && at == self.closed => QuoteState::Quoted,
                _ if newline => {
                    self.lines += 1;
                    if self.spans_lines {
                        self.check_span(at)?;
                        self.spans_lines = false;
                    }
                    self.records += u64::from(!self.is_blank(self.record_start, at));
                    self.record_start = at + 1;
                    self.whole_lines = self.lines;
                    if self.records - self.taken_records >= most_records {
                        self.scanned = at + 1;
                        self.state = QuoteState::Unquoted;
                        break;
                    }
                    QuoteState::Unquoted
                }
                _ if at == self.record_start || self.buffer[at - 1] == delimiter => {
                    self.quote_line = self.lines + 1;
                    QuoteState::Quoted
                }
                _ => QuoteState::Unquoted,
            };
        }
        self.escapes_next = M > 2 && plain == self.scanned;
        if self.state == QuoteState::QuoteInQuoted && self.closed < self.scanned {
            self.state = QuoteState::Unquoted;
        }
        Ok(())
    }

    /// Refuses text after a closing quote; whether it is not there yet what follows the quote.
    #[cold]
    fn is_unclear(&self) -> Result<bool> {
        let Some(dialect) = self.dialect else { return Ok(false) };
        let rest = &self.buffer[self.closed..];
        match rest {
            [] | [b'\r'] => Ok(true),
            [b'"' | b'\n', ..] | [b'\r', b'\n', ..] => Ok(false),
            [after, ..] if *after == dialect.delimiter => Ok(false),
            _ => {
                let end = rest.iter().take(20).position(|b| matches!(b, b'\n' | b'\r')).unwrap_or(rest.len().min(20));
                let after = String::from_utf8_lossy(&rest[..end]).into_owned();
                let opened = match self.quote_line {
                    line if line == self.lines + 1 => String::new(),
                    line => format!("; that field's quote opens on line {line}, and would take the lines between away"),
                };
                let what = format!("a closing quote is followed by {after:?}, and not by the delimiter or the end of the line{opened}");
                let is_escaped = self.closed > 1 && self.buffer[self.closed - 2] == b'\\' && dialect.escape.is_none();
                let error = self.fault(self.lines + 1, what);
                Err(error.help(match is_escaped {
                    true => "if \\\" is a quote in a field, read with `escape=\\`; if quotes are plain text, with `quote=none`",
                    false => "if quotes are plain text in this file, read with `quote=none`; else double the quotes within the field",
                }))
            }
        }
    }

    /// Refuses a record over several lines, each of which might as well be a record: its quotes may be plain text.
    #[cold]
    fn check_span(&self, end: usize) -> Result<()> {
        let Some(Dialect { delimiter, fields, are_quotes_sure: false, .. }) = self.dialect else { return Ok(()) };
        let mut lines = self.buffer[self.record_start..end].split(|&b| b == b'\n');
        if fields < 3 || !lines.all(|line| memchr::memchr_iter(delimiter, line).count() + 1 == fields) {
            return Ok(());
        }
        let lines = memchr::memchr_iter(b'\n', &self.buffer[self.record_start..end]).count() as u64 + 1;
        let what = format!("a field in quotes reaches over {lines} lines, each of which has the {fields} fields of a row");
        let help =
            "if quotes are plain text in this file, read with `quote=none`; if such fields are as they should be, with `quote=double`";
        Err(self.fault(self.whole_lines + 1, what).help(help))
    }

    /// Takes a last record without a newline.
    fn end_of_input(&mut self) -> Result<()> {
        if self.state == QuoteState::Quoted {
            return Err(self
                .fault(self.quote_line, "a quote opens here and is never closed".to_owned())
                .help("if quotes are plain text in this file, read with `quote=none`"));
        }
        if self.spans_lines {
            self.check_span(self.buffer.len())?;
        }
        if self.boundary < self.buffer.len() {
            self.lines += 1;
            self.records += u64::from(!self.is_blank(self.boundary, self.buffer.len()));
            self.whole_lines = self.lines;
            self.boundary = self.buffer.len();
            self.record_start = self.boundary;
            self.scanned = self.boundary;
        }
        Ok(())
    }

    /// In a CSV, spaces and tabs may be fields.
    fn is_blank(&self, start: usize, end: usize) -> bool {
        let record = &self.buffer[start..end];
        if self.dialect.is_some() { record.is_empty() || record == b"\r" } else { record.trim_ascii().is_empty() }
    }

    fn fault(&self, line: u64, what: String) -> Error {
        Error::data(what).input(&self.origin.name).line(self.tells_lines.then_some(line)).stage(Stage::Source)
    }
}

const NOT_TEXT: &str = "is it a text file in UTF-8, with lines that end in \\n or \\r\\n? If it has another format, say so with `format`";

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod records_tests;
