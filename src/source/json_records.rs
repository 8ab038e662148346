//! JSON as an object a line, however it is laid out: arrays of objects, and objects over several lines, one after another. What has an object
//! a line already passes by untouched; else the text is cut anew as it goes by, with as much memory as one object takes up.

use crate::base::error::{Error, Result, Stage};
use crate::model::period_batch::Origin;
use std::io::{self, Cursor, Read};

/// How the layout is told: by the first line, or so many bytes.
const LOOKED_AT: usize = 1 << 16;
/// An object longer than this is refused.
const MAX_OBJECT: usize = 16 << 20;

/// The text with an object a line, and whether that took cutting it anew.
///
/// # Errors
/// When it cannot be read.
pub(super) fn object_a_line(mut text: Box<dyn Read + Send>, origin: &Origin) -> Result<(Box<dyn Read + Send>, bool)> {
    let fail = |e| Error::io("cannot read", e).input(&origin.name).stage(Stage::Source);
    let mut head = vec![0; LOOKED_AT];
    let mut filled = 0;
    while filled < LOOKED_AT && !first_line(&head[..filled]).1 {
        match text.read(&mut head[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(fail(e)),
        }
    }
    head.truncate(filled);
    let line = first_line(&head).0;
    let is_cut = line.first() == Some(&b'[') || line.first() == Some(&b'{') && depth(line) != 0;
    if !is_cut {
        return Ok((Box::new(Cursor::new(head).chain(text)), false));
    }
    let mark = if head.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let mut whole = Cursor::new(head);
    whole.set_position(mark);
    Ok((Box::new(Records::new(whole.chain(text))), true))
}

/// How many braces and brackets a text leaves open.
fn depth(text: &[u8]) -> i64 {
    let (mut depth, mut state) = (0, Text::Outside);
    for &byte in text {
        state = state.after(byte);
        if state == Text::Outside {
            depth += i64::from(matches!(byte, b'{' | b'[')) - i64::from(matches!(byte, b'}' | b']'));
        }
    }
    depth
}

/// The first line that is not blank, as far as it is there, and whether that is all of it.
fn first_line(head: &[u8]) -> (&[u8], bool) {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    match memchr::memchr(b'\n', text) {
        Some(at) => (&text[..at], true),
        None => (text, false),
    }
}

/// The place within or outside of a JSON text.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Text {
    Outside,
    Inside,
    Escaped,
}

impl Text {
    fn after(self, byte: u8) -> Text {
        match (self, byte) {
            (Text::Outside, b'"') | (Text::Escaped, _) => Text::Inside,
            (Text::Inside, b'\\') => Text::Escaped,
            (Text::Inside, b'"') => Text::Outside,
            (state, _) => state,
        }
    }
}

/// Cuts JSON anew.
struct Records<R> {
    reader: R,
    block: Vec<u8>,
    lines: Vec<u8>,
    given: usize,
    /// What is open around the next byte, the array of all objects not counted.
    depth: usize,
    text: Text,
    in_array: bool,
    /// The beginning of the object among the lines.
    begun: usize,
    ended: bool,
}

impl<R: Read> Records<R> {
    fn new(reader: R) -> Self {
        let (block, lines) = (vec![0; LOOKED_AT], Vec::new());
        Records { reader, block, lines, given: 0, depth: 0, text: Text::Outside, in_array: false, begun: 0, ended: false }
    }

    fn fill(&mut self) -> io::Result<()> {
        let damaged = |what: String| Err(io::Error::new(io::ErrorKind::InvalidData, what));
        self.lines.drain(..self.given);
        self.begun -= self.given;
        self.given = 0;
        let n = self.reader.read(&mut self.block)?;
        if n == 0 {
            self.ended = true;
            if self.in_array || self.depth > 0 {
                return damaged("the JSON ends before what it has opened is closed: it may be cut off".to_owned());
            }
            self.lines.push(b'\n');
            self.begun = self.lines.len();
        }
        for at in 0..n {
            let byte = self.block[at];
            let was_inside = self.text != Text::Outside;
            self.text = self.text.after(byte);
            match byte {
                // Within a text it is no JSON, which is said of the line that this makes.
                _ if was_inside => self.lines.push(byte),
                b'[' if self.depth == 0 && !self.in_array && self.lines.len() == self.begun => self.in_array = true,
                b']' if self.depth == 0 && self.in_array => {
                    self.in_array = false;
                    self.end_line();
                }
                b',' if self.depth == 0 => self.end_line(),
                b'{' | b'[' => {
                    self.depth += 1;
                    self.lines.push(byte);
                }
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.lines.push(byte);
                    if self.depth == 0 {
                        self.end_line();
                    }
                }
                b'\n' | b'\r' | b' ' | b'\t' if self.depth == 0 && self.lines.len() == self.begun => {}
                b'\n' | b'\r' => self.lines.push(b' '),
                _ => self.lines.push(byte),
            }
        }
        if self.lines.len() - self.begun > MAX_OBJECT {
            let start = String::from_utf8_lossy(&self.lines[self.begun..self.begun + 200]).into_owned();
            let key = array_key(&start).map_or(String::new(), |key| format!(": {}", key_advice(&key)));
            return damaged(format!("an object is longer than {} MiB{key}", MAX_OBJECT >> 20));
        }
        Ok(())
    }

    fn end_line(&mut self) {
        if self.lines.len() > self.begun {
            self.lines.push(b'\n');
            self.begun = self.lines.len();
        }
    }
}

impl<R: Read> Read for Records<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.begun && !self.ended {
            self.fill()?;
        }
        let mut left = &self.lines[self.given..self.begun];
        let n = left.read(buffer)?;
        self.given += n;
        Ok(n)
    }
}

/// The first key of an object whose value is an array of objects.
pub(super) fn array_key(object: &str) -> Option<String> {
    let (mut state, mut depth, mut key, mut begun) = (Text::Outside, 0, None, 0);
    for (at, byte) in object.bytes().enumerate() {
        let before = state;
        state = state.after(byte);
        match (before, state) {
            (Text::Outside, Text::Inside) => begun = at,
            (Text::Inside, Text::Outside) if depth == 1 => key = serde_json::from_str(&object[begun..=at]).ok(),
            (Text::Outside, Text::Outside) if byte == b'[' && depth == 1 && object[at + 1..].trim_start().starts_with('{') => return key,
            (Text::Outside, Text::Outside) => depth += i32::from(matches!(byte, b'{' | b'[')) - i32::from(matches!(byte, b'}' | b']')),
            _ => {}
        }
    }
    None
}

/// What to do about an object that holds all rows in an array.
pub(super) fn key_advice(key: &str) -> String {
    format!("its key {key:?} holds an array of objects; if those are the rows, write them alone: jq -c '.[{key:?}][]' FILE > rows.jsonl")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn lines(text: &str) -> std::result::Result<(String, bool), String> {
        let mut all = [1, 5, 1 << 20].map(|drip| {
            let reader = Box::new(io::BufReader::with_capacity(drip, Cursor::new(text.as_bytes().to_vec())));
            let (mut reader, is_cut) = object_a_line(reader, &Origin { name: "t".to_owned() }).map_err(|e| e.to_string())?;
            let mut lines = String::new();
            reader.read_to_string(&mut lines).map_err(|e| e.to_string())?;
            Ok((lines, is_cut))
        });
        assert!(all[0] == all[1] && all[1] == all[2], "{all:?}");
        std::mem::replace(&mut all[0], Ok(Default::default()))
    }

    #[test]
    fn objects_are_found_however_they_lie() {
        for (text, wanted) in [
            ("[{\"a\":1},{\"a\":2}]", "{\"a\":1}\n{\"a\":2}\n"),
            (" \n[\n {\n\"a\": \"]},\\\"[\",\r\n\"b\":[1,\n{}]\n}\n,\n{}]\n", "{ \"a\": \"]},\\\"[\",  \"b\":[1, {}] }\n{}\n"),
            ("{\n\"a\":1\n}\n{\n\"a\":2\n}", "{ \"a\":1 }\n{ \"a\":2 }\n"),
            ("[]", ""),
            ("[1, {\"a\":1}]", "1\n{\"a\":1}\n"),
        ] {
            let (found, is_cut) = lines(text).unwrap();
            assert_eq!((found.trim_end(), is_cut), (wanted.trim_end(), true), "{text}");
        }
        for text in ["{\"a\":1}\n{\"a\":2}\n", "\u{feff}{\"a\":1}\n", "{\"a\":1} x\n", "hello\n", ""] {
            assert_eq!(lines(text).unwrap(), (text.to_owned(), false), "{text}");
        }
        for text in ["[{\"a\":1},", "[{\"a\":1}", "[{\"a\":", "{\n\"a\":1\n}\n{\n\"a\":"] {
            assert!(lines(text).unwrap_err().contains("cut off"), "{text}");
        }
    }

    #[test]
    fn the_key_of_the_rows_is_found() {
        assert_eq!(array_key("{\"at\": [1], \"in\": {\"x\": [{}]}, \"orders\": [ {\"a\": [{}]}]}").as_deref(), Some("orders"));
        assert_eq!(array_key("{\"a\": \"[{\", \"b\": [1, {}]}"), None);
    }
}
