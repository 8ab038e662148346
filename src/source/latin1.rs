//! Text in ISO 8859-1 or Windows-1252, read as UTF-8. The two differ in 32 bytes that hold control codes in the standard, which no table
//! has in it, and letters and signs on Windows: those are taken. So every byte is a character, and nothing can be wrong. Only what begins
//! with the byte order mark of UTF-8 is left as it is: spreadsheets write that, too, and say so.

use std::io::{self, Read};

/// Bytes that are read at a time.
const BLOCK: usize = 1 << 16;

/// The characters of Windows-1252 from 0x80 on.
const WINDOWS: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–',
    '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// A reader whose bytes are recoded as they go by.
pub(super) struct Latin1<R> {
    reader: R,
    /// Whether it is UTF-8 after all; not known before the first block.
    is_utf8: Option<bool>,
    block: Vec<u8>,
    text: Vec<u8>,
    /// How much of the text was given away.
    given: usize,
}

impl<R: Read> Latin1<R> {
    pub(super) fn new(reader: R) -> Self {
        Latin1 { reader, is_utf8: None, block: vec![0; BLOCK], text: Vec::new(), given: 0 }
    }
}

fn decoded(byte: u8) -> char {
    WINDOWS.get(usize::from(byte.wrapping_sub(0x80))).copied().unwrap_or(char::from(byte))
}

impl<R: Read> Read for Latin1<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given == self.text.len() {
            let n = self.reader.read(&mut self.block)?;
            self.given = 0;
            self.text.clear();
            let bytes = &self.block[..n];
            if *self.is_utf8.get_or_insert_with(|| bytes.starts_with(b"\xef\xbb\xbf")) || bytes.is_ascii() {
                self.text.extend_from_slice(bytes);
            } else {
                let mut room = [0; 4];
                bytes.iter().for_each(|&byte| self.text.extend_from_slice(decoded(byte).encode_utf8(&mut room).as_bytes()));
            }
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

    #[test]
    fn every_byte_is_a_character() {
        let all: Vec<u8> = (0..=u8::MAX).cycle().take(3 * BLOCK + 77).collect();
        let mut text = String::new();
        Latin1::new(&all[..]).read_to_string(&mut text).unwrap();
        assert_eq!(text.chars().count(), all.len());
        assert!(text.chars().zip(&all).all(|(c, &b)| b < 0xa0 && b > 0x7f || c == char::from(b)));
        let mut text = String::new();
        Latin1::new(&b"caf\xe9 \x80 5\x966"[..]).read_to_string(&mut text).unwrap();
        assert_eq!(text, "café € 5–6");
        let marked = "\u{feff}café";
        let mut text = String::new();
        Latin1::new(marked.as_bytes()).read_to_string(&mut text).unwrap();
        assert_eq!(text, marked);
    }
}
