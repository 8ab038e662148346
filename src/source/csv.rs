//! CSV: a header, then a row a record. Delimiter `,`, or `;`, tab or `|` where the header has no comma; quotes as RFC 4180.
//!
//! [`Lines`](super::lines) cuts at record boundaries; the `csv` crate parses each chunk on the thread that decodes it.

use super::columns::find;
use super::lines::{Lines, TextChunk};
use super::text::TextRows;
use super::{Chunk, Column, ColumnMap, Origin, Sink, Source};
use crate::error::{Error, Result, Stage};
use std::io::Read;
use std::sync::Arc;

pub(super) struct CsvSource {
    lines: Lines,
    layout: Arc<Layout>,
}

/// What the header says.
struct Layout {
    origin: Arc<Origin>,
    at: [Option<usize>; 6],
    fields: usize,
    delimiter: u8,
    batch_rows: usize,
}

impl CsvSource {
    pub(super) fn open(reader: Box<dyn Read + Send>, origin: Arc<Origin>, map: &ColumnMap, batch_rows: usize) -> Result<Self> {
        let mut lines = Lines::new(reader, origin.clone());
        let delimiter = {
            let header = lines.peek_line()?;
            let delimiters = [b',', b'\t', b';', b'|'];
            delimiters.into_iter().find(|d| header.contains(d)).unwrap_or(b',')
        };
        lines.quoted_fields(delimiter);
        let empty = || Error::data("the file is empty: a CSV begins with a header").input(&origin.name).stage(Stage::Source);
        let header = lines.first_record()?.ok_or_else(empty)?;
        let mut record = csv::ByteRecord::new();
        let mut parser = parser(&header.bytes, delimiter);
        loop {
            let parsed = parser.read_byte_record(&mut record);
            let more = parsed.map_err(|e| Error::data("the header cannot be read").cause(e).input(&origin.name).stage(Stage::Source))?;
            if !more || !is_blank(&record) {
                break;
            }
        }
        let last = record.len().checked_sub(1).ok_or_else(empty)?;
        if (0..=last).filter_map(|at| trimmed(&record, at)).any(|name| name.contains(&b'\r')) {
            let what = "lines end in carriage returns alone, or the header holds one";
            return Err(Error::data(what).input(&origin.name).stage(Stage::Source).help("convert the line ends to \\n or \\r\\n"));
        }
        let names: Vec<_> = (0..record.len()).filter_map(|at| trimmed(&record, at)).map(String::from_utf8_lossy).collect();
        let names: Vec<_> = names.iter().map(|n| n.trim()).collect();
        let layout = Layout { at: find(&names, map, &origin)?, fields: names.len(), delimiter, origin, batch_rows };
        Ok(CsvSource { lines, layout: Arc::new(layout) })
    }
}

/// Records end at `\n` and nowhere else, as for [`Lines`]; the `\r` before it is left to [`trimmed`].
fn parser(bytes: &[u8], delimiter: u8) -> csv::Reader<&[u8]> {
    let mut builder = csv::ReaderBuilder::new();
    builder.has_headers(false).flexible(true).delimiter(delimiter).terminator(csv::Terminator::Any(b'\n')).buffer_capacity(1 << 16);
    builder.from_reader(bytes)
}

/// A line that ends in `\r\n` and holds nothing else.
fn is_blank(record: &csv::ByteRecord) -> bool {
    record.len() == 1 && record.get(0) == Some(b"\r")
}

/// A field, without the `\r` of its line's end where it is the last.
fn trimmed(record: &csv::ByteRecord, at: usize) -> Option<&[u8]> {
    let field = record.get(at)?;
    Some(if at + 1 == record.len() { field.strip_suffix(b"\r").unwrap_or(field) } else { field })
}

impl Source for CsvSource {
    fn inputs(&self) -> Vec<String> {
        vec![self.layout.origin.name.clone()]
    }

    fn next_chunk(&mut self) -> Result<Option<Box<dyn Chunk>>> {
        let chunk = self.lines.next_chunk()?;
        Ok(chunk.map(|text| Box::new(CsvChunk { text, layout: self.layout.clone() }) as Box<dyn Chunk>))
    }
}

struct CsvChunk {
    text: TextChunk,
    layout: Arc<Layout>,
}

impl Chunk for CsvChunk {
    fn decode(self: Box<Self>, sink: &mut Sink<'_>) -> Result<()> {
        let Layout { origin, at, fields, delimiter, batch_rows } = &*self.layout;
        let mut parser = parser(&self.text.bytes, *delimiter);
        let mut record = csv::ByteRecord::new();
        let mut rows = TextRows::default();
        // The header was the first record of the file.
        let mut first_row = self.text.first_record - 1;
        let mut first_line = self.text.first_line;
        loop {
            let row = first_row + rows.len() as u64;
            let fault = |what: String| {
                let line = first_line.map(|l| l + rows.len() as u64);
                Error::data(what).input(&origin.name).row(row).line(line).stage(Stage::Source)
            };
            if !parser.read_byte_record(&mut record).map_err(|e| fault("the row cannot be read".to_owned()).cause(e))? {
                break;
            }
            if is_blank(&record) {
                continue;
            }
            if record.len() != *fields {
                return Err(fault(format!("the row has {} fields where the header has {fields}", record.len())));
            }
            let mut texts = [None; 6];
            for (column, at) in Column::ALL.into_iter().zip(at) {
                let bytes = at.and_then(|at| trimmed(&record, at)).filter(|bytes| !bytes.is_empty());
                let Some(bytes) = bytes else { continue };
                let text = std::str::from_utf8(bytes).map_err(|e| {
                    fault(format!("{} is not valid UTF-8", column.name()))
                        .cause(e)
                        .help("convert the file to UTF-8 first, with iconv for example")
                })?;
                texts[column as usize] = Some(text);
            }
            rows.push(texts);
            if rows.len() == *batch_rows {
                let n = rows.len() as u64;
                sink(rows.take(origin, first_row, first_line))?;
                first_row += n;
                first_line = first_line.map(|l| l + n);
            }
        }
        if rows.len() > 0 { sink(rows.take(origin, first_row, first_line)) } else { Ok(()) }
    }
}
