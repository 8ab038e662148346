//! Text in ISO 8859-1 or Windows-1252, read as UTF-8. The two differ in 32 bytes that hold control codes in the standard, which no table
//! has in it, and letters and signs on Windows: those are taken. So every byte is a character, and nothing can be wrong.

use std::io::{self, Read};

/// Bytes that are read at a time.
const BLOCK: usize = 1 << 16;

/// What Windows-1252 has at 0x80 and on.
const WINDOWS: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–',
    '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// A reader whose bytes are recoded as they go by.
pub(super) struct Latin1<R> {
    reader: R,
    block: Vec<u8>,
    text: String,
    /// How much of the text was given away.
    given: usize,
}

impl<R: Read> Latin1<R> {
    pub(super) fn new(reader: R) -> Self {
        Latin1 { reader, block: vec![0; BLOCK], text: String::new(), given: 0 }
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
            match std::str::from_utf8(&self.block[..n]) {
                Ok(text) if text.is_ascii() => self.text.push_str(text),
                _ => self.text.extend(self.block[..n].iter().map(|&byte| decoded(byte))),
            }
        }
        let mut left = &self.text.as_bytes()[self.given..];
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
    }
}
