//! The bytes of a text input as UTF-8 with lines that end in `\n` or `\r\n`, whatever they are in the input: UTF-16 is told by its byte order
//! mark or by the zeros between ASCII characters, line ends of `\r` alone by a beginning without `\n`; Latin-1 is what is said to be that.
//! Plain text passes by untouched.

use super::latin1::Latin1;
use crate::base::error::{Error, Result, Stage};
use crate::model::note::{Notes, Topic};
use crate::model::period_batch::Origin;
use crate::model::read_options::Encoding;
use std::io::{self, Cursor, Read};

/// Line ends are told in the first bytes: so many, or fewer where there is a line's end before.
const LOOKED_AT: usize = 1 << 16;

/// A text input as UTF-8. What is not plain UTF-8 is noted.
///
/// # Errors
/// When it cannot be read.
pub(super) fn decoded(
    mut reader: Box<dyn Read + Send>,
    encoding: Encoding,
    origin: &Origin,
    notes: &Notes,
) -> Result<Box<dyn Read + Send>> {
    let fail = |e| Error::io("cannot read", e).input(&origin.name).stage(Stage::Source);
    let head = first_line(&mut reader).map_err(fail)?;
    let wide = wide(&head);
    let say = |what: &str| notes.say(Topic::ReadAs, format!("{}: read as {what}", origin.name));
    let whole = Cursor::new(head).chain(reader);
    let text: Box<dyn Read + Send> = match (wide, encoding) {
        (Some(is_big), _) => {
            say(if is_big { "UTF-16 (big-endian)" } else { "UTF-16 (little-endian)" });
            Box::new(Utf16 { reader: whole, is_big, bytes: Vec::new(), text: Vec::new(), given: 0, ended: false })
        }
        (None, Encoding::Utf8) => Box::new(whole),
        (None, Encoding::Latin1) => Box::new(Latin1::new(whole)),
    };
    with_newlines(text, &say).map_err(fail)
}

/// Reads up to the first line's end, if only by the way: a pipe is not waited for any longer.
fn first_line(reader: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while head.len() < LOOKED_AT && !head.contains(&b'\n') {
        let before = head.len();
        head.resize(LOOKED_AT, 0);
        let read = loop {
            match reader.read(&mut head[before..]) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        head.truncate(before + *read.as_ref().unwrap_or(&0));
        if read? == 0 {
            break;
        }
    }
    Ok(head)
}

/// Whether a text is UTF-16, and big-endian.
fn wide(head: &[u8]) -> Option<bool> {
    let pairs = &head.as_chunks::<2>().0[..head.len().min(64) / 2];
    match head {
        [0xff, 0xfe, ..] => Some(false),
        [0xfe, 0xff, ..] => Some(true),
        // Without a mark: ASCII characters with a zero beside each.
        _ if pairs.len() < 2 => None,
        _ if pairs.iter().all(|[low, high]| *high == 0 && low.is_ascii() && *low != 0) => Some(false),
        _ if pairs.iter().all(|[high, low]| *high == 0 && low.is_ascii() && *low != 0) => Some(true),
        _ => None,
    }
}

/// A text whose lines end in `\r` alone, with `\n` instead.
fn with_newlines(mut text: Box<dyn Read + Send>, say: &dyn Fn(&str)) -> io::Result<Box<dyn Read + Send>> {
    let whole = Cursor::new(first_line(&mut text)?);
    let lines = whole.get_ref().iter().filter(|&&b| b == b'\r').count();
    // One at the end may be half of a line's end.
    let ends = usize::from(whole.get_ref().ends_with(b"\r"));
    if whole.get_ref().contains(&b'\n') || lines <= ends && !(lines == 1 && whole.get_ref().len() < LOOKED_AT) {
        return Ok(Box::new(whole.chain(text)));
    }
    say("lines that end in carriage returns alone");
    Ok(Box::new(Newlines(whole.chain(text))))
}

struct Newlines<R>(R);

impl<R: Read> Read for Newlines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.0.read(buffer)?;
        buffer[..n].iter_mut().filter(|b| **b == b'\r').for_each(|b| *b = b'\n');
        Ok(n)
    }
}

/// A reader of UTF-16 as UTF-8.
struct Utf16<R> {
    reader: R,
    is_big: bool,
    /// Bytes that were read and are no whole character yet.
    bytes: Vec<u8>,
    text: Vec<u8>,
    /// How much of the text was given away.
    given: usize,
    ended: bool,
}

impl<R: Read> Utf16<R> {
    fn fill(&mut self) -> io::Result<()> {
        let before = self.bytes.len();
        self.bytes.resize(before + LOOKED_AT, 0);
        let read = self.reader.read(&mut self.bytes[before..]);
        self.bytes.truncate(before + *read.as_ref().unwrap_or(&0));
        self.ended = read? == 0;
        let unit = |pair: &[u8; 2]| if self.is_big { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) };
        let (pairs, odd) = self.bytes.as_chunks::<2>();
        // A character of two units may be cut in two.
        let is_cut = !self.ended && pairs.last().is_some_and(|pair| matches!(unit(pair), 0xd800..0xdc00));
        let whole = &pairs[..pairs.len() - usize::from(is_cut)];
        if self.ended && !odd.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the text in UTF-16 ends in the middle of a character"));
        }
        let mut room = [0; 4];
        for c in char::decode_utf16(whole.iter().map(unit)) {
            let c = c.map_err(|e| io::Error::new(io::ErrorKind::InvalidData, format!("this is not UTF-16: {e}")))?;
            self.text.extend_from_slice(c.encode_utf8(&mut room).as_bytes());
        }
        let taken = whole.len() * 2;
        self.bytes.drain(..taken);
        Ok(())
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.text.len() && !self.ended {
            (self.given, self.text) = (0, Vec::new());
            self.fill()?;
        }
        let mut left = &self.text[self.given..];
        let n = left.read(buffer)?;
        self.given += n;
        Ok(n)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A text as it is read, and the notes, however it comes.
    fn read(bytes: &[u8], encoding: Encoding) -> (String, Vec<String>) {
        let mut read = [1, 7, 1 << 20].map(|drip| {
            let notes = Notes::default();
            let reader = Box::new(io::BufReader::with_capacity(drip, Cursor::new(bytes.to_vec())));
            let mut text = String::new();
            decoded(reader, encoding, &Origin { name: "t".to_owned() }, &notes).unwrap().read_to_string(&mut text).unwrap();
            (text, notes.texts())
        });
        assert!(read[0] == read[1] && read[1] == read[2], "{read:?}");
        std::mem::take(&mut read[0])
    }

    #[test]
    fn texts_become_utf8() {
        let text = "\u{feff}id,näme 🎈\r\n1,客\r\n";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(read(&little, Encoding::Utf8), (text.to_owned(), vec!["t: read as UTF-16 (little-endian)".to_owned()]));
        assert_eq!(read(&big, Encoding::Latin1), (text.to_owned(), vec!["t: read as UTF-16 (big-endian)".to_owned()]));
        let bare = "id,name of the customer, and whatever else there is\n1,é\n";
        let bare_little: Vec<u8> = bare.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(read(&bare_little, Encoding::Utf8).0, bare);
        assert_eq!(read(bare.as_bytes(), Encoding::Utf8), (bare.to_owned(), vec![]));
        assert_eq!(read(b"caf\xe9\n", Encoding::Latin1), ("café\n".to_owned(), vec![]));
        assert_eq!(read(b"", Encoding::Utf8), (String::new(), vec![]));
        assert_eq!(read(b"a\rb\r\n", Encoding::Utf8), ("a\rb\r\n".to_owned(), vec![]));
        let (lines, notes) = read(b"a,b\r1,2\r3,4\r", Encoding::Utf8);
        assert_eq!((lines.as_str(), notes.len()), ("a,b\n1,2\n3,4\n", 1));
    }

    #[test]
    fn half_characters_are_refused() {
        for bytes in [&b"\xff\xfea\0b"[..], b"\xff\xfe\x00\xd8a\0"] {
            let reader = Box::new(Cursor::new(bytes.to_vec()));
            let read = decoded(reader, Encoding::Utf8, &Origin { name: "t".to_owned() }, &Notes::default());
            assert!(read.and_then(|mut text| text.read_to_end(&mut Vec::new()).map_err(|e| Error::io("", e))).is_err());
        }
    }
}
