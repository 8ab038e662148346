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

fn dialect(delimiter: u8) -> Dialect {
    Dialect { delimiter, quotes: true, escape: None, are_quotes_sure: true, fields: 0 }
}

fn lines(text: &str, delimiter: Option<u8>) -> RecordSplitter {
    let origin = Arc::new(Origin { name: "t".to_owned() });
    let mut lines = RecordSplitter::new(Box::new(Drip(text.as_bytes().to_vec(), 3)), origin);
    lines.dialect = delimiter.map(dialect);
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

/// The ends of records, blank ones too, and the number of the line after each, found byte by byte; or the line of a quote that stays open or
/// that text follows, and what is said of it.
fn ends(text: &[u8], delimiter: u8) -> Result<Vec<(usize, u64)>, (u64, &'static str)> {
    let (mut ends, mut line, mut opened) = (vec![(0, 1)], 1, 0);
    let (mut quoted, mut closing, mut begins) = (false, false, true);
    for (at, &byte) in text.iter().enumerate() {
        let is_end = byte == b'\n' || byte == b'\r' && matches!(text.get(at + 1), Some(b'\n') | None);
        if closing && !(is_end || byte == delimiter || byte == b'"') {
            return Err((line, "a closing quote is followed by"));
        }
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
    if quoted { Err((opened, "a quote opens here")) } else { Ok(ends) }
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
        lines.fields_of(dialect(b','));
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
            (Err(e), Err((line, what))) => prop_assert!(e.to_string().contains(&format!("line {line}: {what}")), "{e} {line}"),
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
    fast.fields_of(dialect(b','));
    assert_eq!(fast.first_record().unwrap().unwrap().bytes, b"a,b\n");
    assert_eq!(chunks(fast).unwrap(), [chunk("1,2\n\n\r\n3,4\n", 2, None)]);
}

#[test]
fn a_record_that_has_only_begun_counts_no_lines() {
    let origin = Arc::new(Origin { name: "t".to_owned() });
    let mut lines = RecordSplitter::new(Box::new(Drip(b"1,2\n3,\"x\ny\"\n4,5\n".to_vec(), 9)), origin);
    lines.fields_of(dialect(b','));
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

#[test]
fn quotes_that_take_lines_away_are_refused() {
    let read = |text: &str, told: Dialect| {
        let mut lines = lines(text, None);
        lines.fields_of(told);
        chunks(lines).map(|chunks| chunks.len())
    };
    let unsure = Dialect { are_quotes_sure: false, fields: 3, ..dialect(b',') };
    let swallowed = "a,b,c\n1,\"x,2\n2,y\",3\n";
    let error = read(swallowed, unsure).unwrap_err();
    assert!(error.to_string().contains("line 2: a field in quotes reaches over 2 lines"), "{error}");
    assert!(error.advice().is_some_and(|help| help.contains("`quote=none`") && help.contains("`quote=double`")));
    assert!(read(swallowed, Dialect { are_quotes_sure: true, ..unsure }).is_ok());
    assert!(read(swallowed, Dialect { quotes: false, ..unsure }).is_ok());
    assert!(read("a,b,c\n1,\"x\nand y\",3\n", unsure).is_ok());
    let error = read("a,b,c\n1,\"x\n2,\"y,3\n", unsure).unwrap_err();
    assert!(
        error.to_string().contains("line 3: a closing quote is followed by \"y") && error.to_string().contains("opens on line 2"),
        "{error}"
    );
    let escaped = "a,b,c\n1,\"x\\\"y\\\\\",3\n1,\"\\\n\",3\n";
    assert!(read(escaped, unsure).unwrap_err().advice().is_some_and(|help| help.contains("`escape=\\`")));
    assert!(read(escaped, Dialect { escape: Some(b'\\'), ..unsure }).is_ok());
}
