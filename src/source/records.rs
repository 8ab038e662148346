//! Text input cut into chunks that begin and end between records, so that threads can decode them side by side.
//!
//! A record ends at a newline that is not inside a quoted CSV field. The scanner follows quotes exactly as the CSV parser downstream
//! does (a quote is special only where a field begins), and looks at nothing but quotes and newlines: [`Marks`] finds
//! them 64 bytes at a time. It also counts records and lines, so every chunk knows the number of its first row.

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

/// Records of a text, whole.
pub(super) struct TextChunk {
    pub(super) bytes: Vec<u8>,
    /// How many there are.
    pub(super) records: u64,
    /// The number of the first record, from 1; a header counts as a record here.
    pub(super) first_record: u64,
    /// The line of the first record, where every record of the chunk takes one line.
    pub(super) first_line: Option<u64>,
}

/// Cuts a reader into chunks.
pub(super) struct RecordSplitter {
    reader: Box<dyn Read + Send>,
    origin: Arc<Origin>,
    /// The delimiter of a CSV; none where quotes mean nothing.
    delimiter: Option<u8>,
    buffer: Vec<u8>,
    /// Bytes of the buffer that were scanned.
    scanned: usize,
    /// The end of the last whole record in the buffer.
    boundary: usize,
    state: QuoteState,
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
}

impl RecordSplitter {
    pub(super) fn new(reader: Box<dyn Read + Send>, origin: Arc<Origin>) -> Self {
        RecordSplitter {
            reader,
            origin,
            delimiter: None,
            buffer: Vec::new(),
            scanned: 0,
            boundary: 0,
            state: QuoteState::Unquoted,
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

    /// From here on, fields may be quoted.
    pub(super) fn quoted_fields(&mut self, delimiter: u8) {
        self.delimiter = Some(delimiter);
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
        let (first_record, first_line) = (self.taken_records + 1, (records == lines).then_some(self.taken_lines + 1));
        Ok(Some(TextChunk { bytes: self.cut(), records, first_record, first_line }))
    }

    /// Takes the whole records out of the buffer.
    fn cut(&mut self) -> Vec<u8> {
        let rest = self.buffer.split_off(self.boundary);
        self.scanned -= self.boundary;
        self.record_start -= self.boundary;
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
            return Err(self.fault(line, "there is a NUL byte".to_owned()).help(NOT_TEXT));
        }
        self.ended = self.buffer.len() == before;
        Ok(!self.ended)
    }

    fn scan(&mut self, most_records: u64) -> Result<()> {
        // Where quotes mean nothing, newlines are all there is to find.
        let (quote, delimiter) = self.delimiter.map_or((b'\n', b'\n'), |delimiter| (b'"', delimiter));
        let from = self.scanned;
        let mut closed = from;
        self.scanned = self.buffer.len();
        for at in Marks::new(&self.buffer[from..], [quote, b'\n']) {
            let at = from + at;
            let newline = self.buffer[at] == b'\n';
            self.state = match self.state {
                QuoteState::Quoted if newline => {
                    self.lines += 1;
                    QuoteState::Quoted
                }
                QuoteState::Quoted => {
                    closed = at + 1;
                    QuoteState::QuoteInQuoted
                }
                QuoteState::QuoteInQuoted if !newline && at == closed => QuoteState::Quoted,
                _ if newline => {
                    self.lines += 1;
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
        if self.state == QuoteState::QuoteInQuoted && closed < self.scanned {
            self.state = QuoteState::Unquoted;
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

    /// Takes a last record without a newline.
    fn end_of_input(&mut self) -> Result<()> {
        if self.state == QuoteState::Quoted {
            return Err(self.fault(self.quote_line, "a quote opens here and is never closed".to_owned()));
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
        if self.delimiter.is_some() { record.is_empty() || record == b"\r" } else { record.trim_ascii().is_empty() }
    }

    fn fault(&self, line: u64, what: String) -> Error {
        Error::data(what).input(&self.origin.name).line(Some(line)).stage(Stage::Source)
    }
}

const NOT_TEXT: &str = "is it a text file in UTF-8, with lines that end in \\n or \\r\\n? If it has another format, say so with `format`";

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::select;

    /// A reader that hands out a few bytes at a time.
    struct Drip(Vec<u8>, usize);

    impl Read for Drip {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            let n = self.1.min(out.len()).min(self.0.len());
            out[..n].copy_from_slice(&self.0[..n]);
            self.0.drain(..n);
            Ok(n)
        }
    }

    fn lines(text: &str, delimiter: Option<u8>) -> RecordSplitter {
        let origin = Arc::new(Origin { name: "t".to_owned() });
        let mut lines = RecordSplitter::new(Box::new(Drip(text.as_bytes().to_vec(), 3)), origin);
        lines.delimiter = delimiter;
        lines
    }

    /// The chunks as text with the numbers of their first record and line.
    fn chunks(mut lines: RecordSplitter) -> Result<Vec<(String, u64, Option<u64>)>> {
        let mut all = Vec::new();
        while let Some(chunk) = lines.next_chunk()? {
            all.push((String::from_utf8(chunk.bytes).unwrap(), chunk.first_record, chunk.first_line));
        }
        Ok(all)
    }

    /// The ends of records, blank ones too, and the number of the line after each, found byte by byte; or the line of a quote that stays open.
    fn ends(text: &[u8], delimiter: u8) -> Result<Vec<(usize, u64)>, u64> {
        let (mut ends, mut line, mut opened) = (vec![(0, 1)], 1, 0);
        let (mut quoted, mut closing, mut begins) = (false, false, true);
        for (at, &byte) in text.iter().enumerate() {
            line += u64::from(byte == b'\n');
            if quoted {
                (quoted, closing) = (byte != b'"', byte == b'"');
            } else if byte == b'"' && (begins || closing) {
                opened = if begins { line } else { opened };
                (quoted, closing, begins) = (true, false, false);
            } else {
                (closing, begins) = (false, byte == delimiter || byte == b'\n');
                if byte == b'\n' {
                    ends.push((at + 1, line));
                }
            }
        }
        if quoted { Err(opened) } else { Ok(ends) }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn chunks_begin_and_end_between_records(
            parts in prop::collection::vec(select(vec!["\n", "\r\n", "\r", ",", ";", "\"", "\"", "\"\"", "a", ",\"", "\",", "\"\n", "long enough for a block"]), 0..60),
            drip in select(vec![1, 3, 64, 1 << 20]),
        ) {
            let text = parts.concat();
            let ends = ends(text.as_bytes(), b',');
            let origin = Arc::new(Origin { name: "t".to_owned() });
            let mut lines = RecordSplitter::new(Box::new(Drip(text.as_bytes().to_vec(), drip)), origin);
            lines.quoted_fields(b',');
            let mut chunks = || -> Result<Vec<TextChunk>> {
                let mut chunks = Vec::from_iter(lines.first_record()?);
                while let Some(chunk) = lines.next_chunk()? {
                    chunks.push(chunk);
                }
                Ok(chunks)
            };
            match (chunks(), ends) {
                (Ok(chunks), Ok(ends)) => {
                    prop_assert_eq!(chunks.iter().map(|c| &c.bytes[..]).collect::<Vec<_>>().concat(), text.as_bytes());
                    let (mut offset, mut records) = (0, 0);
                    for chunk in chunks {
                        let begin = ends.iter().position(|e| e.0 == offset);
                        prop_assert!(begin.is_some(), "a chunk begins at byte {offset}");
                        prop_assert_eq!(chunk.first_record, records + 1);
                        offset += chunk.bytes.len();
                        let begin = begin.unwrap();
                        let inner: Vec<_> = ends[begin..].iter().take_while(|e| e.0 < offset).chain(&[(offset, 0)]).copied().collect();
                        let blank = |pair: &[(usize, u64)]| matches!(&text[pair[0].0..pair[1].0], "\n" | "\r\n" | "\r");
                        chunk_is_told(&chunk, &text, &inner, ends[begin].1, inner.windows(2).filter(|p| !blank(p)).count() as u64)?;
                        records += chunk.records;
                    }
                }
                (Err(e), Err(line)) => prop_assert!(e.to_string().contains(&format!("line {line}: a quote opens here")), "{e} {line}"),
                (chunks, ends) => prop_assert!(false, "{} {ends:?}", chunks.is_ok()),
            }
        }
    }

    /// A chunk's count of records, and its first line if no record of it is blank or has more lines.
    fn chunk_is_told(chunk: &TextChunk, text: &str, ends: &[(usize, u64)], line: u64, records: u64) -> Result<(), TestCaseError> {
        prop_assert_eq!(chunk.records, records);
        let bytes = &text[ends[0].0..ends[ends.len() - 1].0];
        let lines = bytes.matches('\n').count() as u64 + u64::from(!bytes.ends_with('\n'));
        prop_assert_eq!(chunk.first_line, (records == lines).then_some(line));
        Ok(())
    }

    #[test]
    fn records_and_lines_are_counted() {
        // A slow reader gives a chunk a record, or more where one read ends several.
        let chunk = |text: &str, record, line| (text.to_owned(), record, line);
        let slow = chunks(lines("a,b\n1,\"x\ny\"\n2,3\n4,5", Some(b','))).unwrap();
        let expected = [chunk("a,b\n", 1, Some(1)), chunk("1,\"x\ny\"\n", 2, None), chunk("2,3\n", 3, Some(4)), chunk("4,5", 4, Some(5))];
        assert_eq!(slow, expected);
        let mut fast = RecordSplitter::new(Box::new("a,b\n1,2\n\n\r\n3,4\n".as_bytes()), Arc::new(Origin { name: "t".to_owned() }));
        fast.quoted_fields(b',');
        assert_eq!(fast.first_record().unwrap().unwrap().bytes, b"a,b\n");
        assert_eq!(chunks(fast).unwrap(), [chunk("1,2\n\n\r\n3,4\n", 2, None)]);
    }

    #[test]
    fn a_record_that_has_only_begun_counts_no_lines() {
        let origin = Arc::new(Origin { name: "t".to_owned() });
        let mut lines = RecordSplitter::new(Box::new(Drip(b"1,2\n3,\"x\ny\"\n4,5\n".to_vec(), 9)), origin);
        lines.quoted_fields(b',');
        let chunk = |text: &str, record, line| (text.to_owned(), record, line);
        assert_eq!(chunks(lines).unwrap(), [chunk("1,2\n", 1, Some(1)), chunk("3,\"x\ny\"\n4,5\n", 2, None)]);
    }

    #[test]
    fn a_quote_is_special_only_where_a_field_begins() {
        let texts = |text| chunks(lines(text, Some(b','))).map(|all| all.into_iter().map(|c| c.0).collect::<Vec<_>>());
        assert_eq!(texts("a\"b,c\n1,2\n").unwrap(), ["a\"b,c\n", "1,2\n"]);
        assert_eq!(texts("\"a\"\"\nb\",c\n1,2\n").unwrap(), ["\"a\"\"\nb\",c\n", "1,2\n"]);
        assert!(texts("a,b\n1,\"2\n3,4\n").unwrap_err().to_string().contains("line 2: a quote opens here"));
        assert!(chunks(lines("{\"a\n", None)).is_ok());
    }

    #[test]
    fn hostile_texts_are_refused() {
        assert!(chunks(lines("a,b\n1,\u{0}\n", Some(b','))).unwrap_err().to_string().contains("line 2: there is a NUL byte"));
        let endless = Box::new(std::io::repeat(b'x').take(1 << 30));
        let mut l = RecordSplitter::new(endless, Arc::new(Origin { name: "t".to_owned() }));
        assert!(l.next_chunk().err().unwrap().to_string().contains("longer than 16 MiB"));
    }
}
