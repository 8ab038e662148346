//! CSV: a header, which [`csv_head`](super::csv_head) finds with the delimiter, then a row a record; quotes as RFC 4180, or as is said. A record
//! that has not as many fields as the header is a bad row.
//!
//! [`RecordSplitter`] cuts at record boundaries; each chunk is parsed on the thread that decodes it. Plain records, which have quotes
//! around whole fields at most, are read in place; from the first other one, the `csv` crate reads the rest of the chunk. Both
//! read plain records alike, and only the `csv` crate's side knows errors.

use super::csv_head::{Header, begin, is_blank, parser, trimmed};
use super::mapping::{Located, NOTHING, Plain, Scratch, Watch};
use super::marks::{Marks, closed};
use super::records::{Dialect, RecordSplitter, TextChunk};
use super::row_kind::{FieldRows, TextRowKind};
use super::{Chunk, Sink, Source};
use crate::base::error::{Error, Result, Stage};
use crate::base::text::counted;
use crate::model::note::Topic;
use crate::model::period_batch::Origin;
use std::io::Read;
use std::sync::Arc;

pub(super) struct CsvSource<S, const N: usize> {
    pub(super) lines: RecordSplitter,
    layout: Arc<Layout<S, N>>,
}

/// The columns of the header, and how records are read.
struct Layout<S, const N: usize> {
    kind: S,
    origin: Arc<Origin>,
    at: Located<N>,
    fields: usize,
    dialect: Dialect,
    batch_rows: usize,
}

impl<S: TextRowKind<N>, const N: usize> CsvSource<S, N> {
    pub(super) fn open(reader: Box<dyn Read + Send>, origin: Arc<Origin>, kind: &S, batch_rows: usize) -> Result<Self> {
        let mut lines = RecordSplitter::new(reader, origin.clone());
        let Header { bytes, names, dialect, left_out } = begin(&mut lines, kind, &origin)?;
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let at = kind.find(&names, &origin).map_err(|e| match std::str::from_utf8(&bytes) {
            Ok(_) => e,
            Err(_) => Error::data("the header is not valid UTF-8").cause(e).input(&origin.name).stage(Stage::Source).help(S::NOT_UTF8),
        })?;
        left_out.into_iter().for_each(|what| kind.notes().say(Topic::ReadAs, what));
        let layout = Layout { kind: kind.clone(), at, fields: names.len(), dialect, origin, batch_rows };
        Ok(CsvSource { lines, layout: Arc::new(layout) })
    }
}

impl<S: TextRowKind<N>, const N: usize> Source<S::Batch> for CsvSource<S, N> {
    fn inputs(&self) -> Vec<String> {
        vec![self.layout.origin.name.clone()]
    }

    fn next_chunk(&mut self) -> Result<Option<Box<dyn Chunk<S::Batch>>>> {
        let chunk = self.lines.next_chunk()?;
        Ok(chunk.map(|text| Box::new(CsvChunk { text, layout: self.layout.clone() }) as Box<dyn Chunk<S::Batch>>))
    }
}

struct CsvChunk<S, const N: usize> {
    text: TextChunk,
    layout: Arc<Layout<S, N>>,
}

impl<S: TextRowKind<N>, const N: usize> Chunk<S::Batch> for CsvChunk<S, N> {
    fn decode(self: Box<Self>, sink: &mut Sink<'_, S::Batch>) -> Result<()> {
        let mut decoder = self.decoder(sink);
        let bytes = &self.text.bytes[..];
        let text = std::str::from_utf8(bytes).or_else(|e| std::str::from_utf8(&bytes[..e.valid_up_to()])).unwrap_or_default();
        let Dialect { delimiter, quotes, escape, .. } = self.layout.dialect;
        let read = match memchr::memchr(b'"', text.as_bytes()).filter(|_| quotes) {
            // An escaped quote is not seen there.
            Some(_) if escape.is_some() => 0,
            None => decoder.plain_records(text, Marks::new(text.as_bytes(), [delimiter, b'\n']))?,
            Some(_) => decoder.plain_records(text, Marks::new(text.as_bytes(), [delimiter, b'\n', b'"']))?,
        };
        decoder.any_records(&bytes[read..])?;
        decoder.end()
    }
}

impl<S: TextRowKind<N>, const N: usize> CsvChunk<S, N> {
    fn decoder<'c, 's>(&'c self, sink: &'c mut Sink<'s, S::Batch>) -> Decoder<'c, 's, S, N> {
        let TextChunk { records, first_record, first_line, line, ref bytes } = self.text;
        // The header was the first record of the file.
        let first_row = first_record - 1;
        let rows = self.layout.kind.rows(0);
        let scratch = Scratch::default();
        let mut decoder = Decoder {
            layout: &self.layout,
            rows,
            left: records,
            first_row,
            first_line,
            line,
            bytes,
            scratch,
            watch: Watch::default(),
            sink,
        };
        decoder.make_room();
        decoder
    }
}

/// Rows of a chunk on their way to the sink.
struct Decoder<'c, 's, S: TextRowKind<N>, const N: usize> {
    layout: &'c Layout<S, N>,
    rows: S::Rows,
    /// Rows of the chunk that were not handed over.
    left: u64,
    first_row: u64,
    first_line: Option<u64>,
    /// The first line of the chunk, and its bytes.
    line: Option<u64>,
    bytes: &'c [u8],
    scratch: Scratch<N>,
    watch: Watch,
    sink: &'c mut Sink<'s, S::Batch>,
}

impl<S: TextRowKind<N>, const N: usize> Decoder<'_, '_, S, N> {
    fn make_room(&mut self) {
        self.rows = self.layout.kind.rows(self.layout.batch_rows.min(self.left as usize));
    }

    /// Reads records that have as many fields as the header, and quotes only around whole fields; says where the first other record
    /// begins, or one without a newline, if only because the text ends there. The marks are delimiters, newlines and, if any, quotes.
    fn plain_records<const M: usize>(&mut self, text: &str, mut marks: Marks<'_, M>) -> Result<usize> {
        let Layout { ref at, fields, batch_rows, .. } = *self.layout;
        // A blank line is a record of one field, and only among records with more fields is it told by that.
        if fields < 2 {
            return Ok(0);
        }
        let bytes = text.as_bytes();
        // What is absent lies behind the last field, and is empty.
        let (plain, watched) = match at {
            Located::Plain(plain) => (Some(plain.at.map(|at| at.unwrap_or(fields))), &plain.watched),
            Located::Derived(_) => (None, &NOTHING),
        };
        let mut bounds = vec![(0, 0); fields + 1];
        let mut first = 0;
        loop {
            let (mut begin, mut newlines) = (first, 0);
            for bound in &mut bounds[..fields] {
                let Some(mut end) = marks.next() else { return Ok(first) };
                *bound = (begin, end);
                if M > 2 && bytes[end] == b'"' {
                    let Some((close, after)) = closed(bytes, &mut marks, begin, end) else { return Ok(first) };
                    *bound = (begin + 1, close);
                    end = after;
                }
                newlines += usize::from(bytes[end] == b'\n');
                begin = end + 1;
            }
            if newlines != 1 || bytes[begin - 1] != b'\n' {
                return Ok(first);
            }
            // The byte before the end is there, if only as a delimiter or a quote.
            let (_, end) = &mut bounds[fields - 1];
            *end -= usize::from(bytes[*end - 1] == b'\r');
            match plain {
                Some(at) => {
                    // `map` of an array is a call here.
                    let mut own = [(0, 0); N];
                    own.iter_mut().zip(at).for_each(|(own, at)| *own = bounds[at]);
                    self.rows.push_plain(text, own);
                    self.watch.see(watched, |at| Some(&text[bounds[at].0..bounds[at].1]));
                }
                None => self.push_derived(|field| &text[bounds[field].0..bounds[field].1]),
            }
            first = begin;
            if self.rows.len() == batch_rows {
                self.hand_over()?;
            }
        }
    }

    /// Takes a row whose columns are made of these fields.
    #[cold]
    #[inline(never)]
    fn push_derived<'f>(&mut self, field: impl Fn(usize) -> &'f str) {
        let Located::Derived(derive) = &self.layout.at else { return };
        let fields: Vec<_> = derive.fields.iter().map(|&at| Some(field(at))).collect();
        match derive.texts(&fields, &mut self.scratch, |time, out| self.layout.kind.day(time, out)) {
            Some(texts) => self.rows.push(texts),
            None => self.rows.skip(),
        }
    }

    /// Reads records of any kind, to the end.
    fn any_records(&mut self, bytes: &[u8]) -> Result<()> {
        let Layout { ref at, fields, dialect, batch_rows, .. } = *self.layout;
        if bytes.is_empty() {
            return Ok(());
        }
        // A byte order mark is one only at the beginning of a file; after a blank line the parser takes it for what it is here.
        let mut parser = parser(b"\n".chain(bytes), dialect);
        let mut record = csv::ByteRecord::new();
        while parser.read_byte_record(&mut record).map_err(|e| self.fault("the row cannot be read".to_owned()).cause(e))? {
            if is_blank(&record) {
                continue;
            }
            if record.len() != fields {
                let place = if self.first_line.is_none() { self.line_of(&record, &parser, bytes) } else { None };
                let place = place.map_or(String::new(), |line| format!("on line {line} "));
                let has = counted(record.len(), "field", "fields");
                self.rows.push_ragged(format!("{place}has {has} where the header has {fields}"));
                if self.rows.len() == batch_rows {
                    self.hand_over()?;
                }
                continue;
            }
            match at {
                Located::Plain(Plain { at, watched }) => {
                    let mut texts = [None; N];
                    for (column, at) in at.iter().enumerate() {
                        let text = at
                            .and_then(|at| trimmed(&record, at))
                            .map(|bytes| self.text(bytes, |kind| kind.wanted()[column].column.to_owned()))
                            .transpose();
                        texts[column] = text.map_err(|e| e.line(self.line_of(&record, &parser, bytes)))?;
                    }
                    self.rows.push(texts);
                    self.watch.see(watched, |at| std::str::from_utf8(trimmed(&record, at)?).ok());
                }
                Located::Derived(derive) => {
                    let mut texts = vec![""; fields];
                    for (field, &at) in derive.fields.iter().enumerate() {
                        let text = self.text(trimmed(&record, at).unwrap_or_default(), |_| derive.name_of(field).to_owned());
                        texts[at] = text.map_err(|e| e.line(self.line_of(&record, &parser, bytes)))?;
                    }
                    self.push_derived(|at| texts[at]);
                }
            }
            if self.rows.len() == batch_rows {
                self.hand_over()?;
            }
        }
        Ok(())
    }

    /// The line on which a record begins that was just read of these bytes, the last ones of the chunk.
    #[cold]
    fn line_of<R: Read>(&self, record: &csv::ByteRecord, parser: &csv::Reader<R>, bytes: &[u8]) -> Option<u64> {
        // The parser was given a newline before them.
        let read = usize::try_from(parser.position().byte()).ok()?.checked_sub(1)?;
        let end = self.bytes.len() - bytes.len() + read;
        let text = self.bytes.get(..end)?;
        let newlines = |bytes: &[u8]| memchr::memchr_iter(b'\n', bytes).count() as u64;
        let after = newlines(text.strip_suffix(b"\n").unwrap_or(text));
        Some(self.line? + after - record.iter().map(newlines).sum::<u64>())
    }

    /// A field as text; `name` is asked for its column.
    fn text<'f>(&self, bytes: &'f [u8], name: impl FnOnce(&S) -> String) -> Result<&'f str> {
        std::str::from_utf8(bytes)
            .map_err(|e| self.fault(format!("{} is not valid UTF-8", name(&self.layout.kind))).cause(e).help(S::NOT_UTF8))
    }

    /// An error in the next row.
    fn fault(&self, what: String) -> Error {
        let read = self.rows.len() as u64;
        let (row, line) = (self.first_row + read, self.first_line.map(|l| l + read));
        Error::data(what).input(&self.layout.origin.name).row(row).line(line).stage(Stage::Source)
    }

    fn end(&mut self) -> Result<()> {
        if self.rows.len() > 0 { self.hand_over() } else { Ok(()) }
    }

    /// Gives the sink the rows so far.
    fn hand_over(&mut self) -> Result<()> {
        let n = self.rows.len() as u64;
        let Layout { kind, at, .. } = self.layout;
        match at {
            Located::Derived(derive) => derive.tell(&mut self.scratch, &kind.notes()),
            Located::Plain(plain) => self.watch.tell(&plain.watched, &kind.notes()),
        }
        (self.sink)(self.rows.take(&self.layout.origin, self.first_row, self.first_line))?;
        self.left = self.left.saturating_sub(n);
        self.first_row += n;
        self.first_line = self.first_line.map(|l| l + n);
        self.make_room();
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::model::period_batch::PeriodBatch;
    use crate::source::row_kind::Aggregations;
    use proptest::prelude::*;
    use proptest::sample::select;
    use std::ops::Range;

    /// A reader that hands out a few bytes at a time.
    struct Drip(std::io::Cursor<Vec<u8>>, usize);

    impl Read for Drip {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            let n = self.1.min(out.len());
            self.0.read(&mut out[..n])
        }
    }

    /// The decoded rows, in a form that can be compared, and how they ended.
    fn decoded(text: &[u8], drip: usize, batch_rows: usize, plain: bool) -> (Vec<String>, Option<String>) {
        let mut batches = Vec::new();
        let mut sink = |batch: PeriodBatch| {
            let PeriodBatch { ids, .. } = &batch;
            let ids: Vec<_> = ids.iter().collect();
            batches.push(format!("{ids:?} {batch:?}"));
            Ok(())
        };
        let mut decode = || -> Result<()> {
            let reader = Box::new(Drip(std::io::Cursor::new(text.to_vec()), drip));
            let mut source = CsvSource::open(reader, Arc::new(Origin { name: "t".to_owned() }), &Aggregations::default(), batch_rows)?;
            while let Some(text) = source.lines.next_chunk()? {
                let chunk = Box::new(CsvChunk { text, layout: source.layout.clone() });
                if plain {
                    chunk.decode(&mut sink)?;
                } else {
                    let mut decoder = chunk.decoder(&mut sink);
                    decoder.any_records(&chunk.text.bytes)?;
                    decoder.end()?;
                }
            }
            Ok(())
        };
        let end = decode().err().map(|e| format!("{e} {e:?}"));
        (batches, end)
    }

    const HEADERS: [&str; 4] = [
        "customer_id,period_start,period_end,total_orders,total_spend,total_margin,total_quantity,last_transaction_ts",
        "customer_id,period_start,period_end,total_orders,total_spend",
        "note,last_transaction_ts,total_spend,period_end,period_start,customer_id,total_orders,note",
        "total_spend,total_orders,period_end,period_start,customer_id,",
    ];

    /// A field: what an ordinary file holds there, or anything.
    fn field(column: String, odd: bool) -> BoxedStrategy<Vec<u8>> {
        let time = select(vec!["2023-01-01", "2023-02-01T00:00:00", "2023-02-01 00:00:00.25", "2024-02-29T23:59:59Z"]);
        let ordinary = match column.as_str() {
            "customer_id" => prop_oneof!["[a-z]{1,12}", "[a-zA-Z0-9é-]{1,40}"].boxed(),
            "total_orders" => "[0-9]{1,4}".boxed(),
            "total_spend" => r"-?[0-9]{1,6}(\.[0-9]{1,3})?".boxed(),
            "note" | "" | "total_margin" | "total_quantity" => "[a-z0-9. ]{0,20}".boxed(),
            _ => time.prop_map(str::to_owned).boxed(),
        };
        let ordinary = ordinary.prop_map(String::into_bytes);
        if !odd {
            return ordinary.boxed();
        }
        let odd = select(vec![
            &b""[..],
            b" ",
            b"\r",
            b"a\rb",
            b"\"q\"",
            b"\"a,b\"",
            b"\"two\nlines\"",
            b"\"\n\n\r\n\"",
            b"\"es\"\"caped\"",
            b"\"x\"y",
            b"in\"ner",
            b"\"",
            b"\xff",
            b"\xef\xbb\xbf",
            b"\xef\xbb\xbfx",
            b"\xc3\xa9",
            b"\xc3",
            b"-1",
            b"3.0",
            b"1e3",
            b"x",
            b"2023-02-29",
            b"2023-01-01T00:00",
            b"20230101",
            b"9999999999999999",
            b"0.0001",
            b"2023-01-01T00:00:00+01:00",
            b",",
            b";",
            b"\n",
            b"\r\n",
            b"\n\n",
            b"\r\n\r\n",
        ]);
        prop_oneof![9 => ordinary, 1 => odd.prop_map(<[u8]>::to_vec)].boxed()
    }

    fn row(header: &'static str, odd: bool) -> BoxedStrategy<Vec<u8>> {
        let fields: Vec<_> = header.split(',').map(|column| field(column.to_owned(), odd)).collect();
        let ends: &[&[u8]] = if odd { &[b"\n", b"\r\n", b"\r\r\n", b"\n\n", b"\r\n\r\n", b",\n", b""] } else { &[b"\n", b"\r\n"] };
        (fields, select(ends)).prop_map(|(fields, end)| [fields.join(&b','), end.to_vec()].concat()).boxed()
    }

    fn tables() -> impl Strategy<Value = Vec<u8>> {
        let rows = |header: &'static str, odd: bool, n: Range<usize>| prop::collection::vec(row(header, odd), n);
        let table = select(HEADERS.to_vec()).prop_flat_map(move |header| {
            let parts = (rows(header, false, 0..20), rows(header, true, 0..6), rows(header, false, 0..6));
            parts.prop_map(move |(a, b, c)| [format!("{header}\n").into_bytes(), a.concat(), b.concat(), c.concat()].concat())
        });
        (table, select(vec![b',', b';', b'\t', b'|']), any::<bool>()).prop_map(|(mut text, delimiter, whole)| {
            for byte in text.iter_mut().filter(|b| **b == b',') {
                *byte = delimiter;
            }
            if !whole {
                text.truncate(text.trim_ascii_end().len());
            }
            text
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn plain_records_are_read_as_any_others(text in tables(), drip in select(vec![7, 100, 1 << 20]), batch_rows in 1usize..40) {
            prop_assert_eq!(decoded(&text, drip, batch_rows, true), decoded(&text, drip, batch_rows, false));
        }
    }

    #[test]
    fn a_byte_order_mark_between_rows_belongs_to_the_id() {
        let text = format!("{}\n\u{feff}x,2023-01-01,2023-02-01,1,1\n\u{feff}\"y,2023-01-01,2023-02-01,1,1\n", HEADERS[1]);
        for drip in [1, 1 << 20] {
            let (batches, end) = decoded(text.as_bytes(), drip, 9, true);
            assert_eq!(end, None);
            assert_eq!(batches.concat().matches("Some(\"\\u{feff}").count(), 2, "{batches:?}");
        }
    }
}
