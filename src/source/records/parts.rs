//! Parts of a text that are read by themselves, as the reader of the whole reads them.

use super::RecordSplitter;
use crate::base::error::Result;
use crate::source::portions::TextPart;
use std::io::Read;

impl RecordSplitter {
    /// What was not taken yet, in parts of so many bytes about.
    pub(in crate::source) fn parts(&mut self, bytes: u64) -> Result<Vec<TextPart>> {
        let (mut parts, mut part) = (Vec::new(), self.here());
        while self.next_chunk()?.is_some() {
            let here = self.here();
            part.to = here.from;
            if part.to - part.from >= bytes {
                parts.push(part);
                part = here;
            }
        }
        // Blank lines that follow the last record are no part.
        if part.to > part.from {
            parts.push(part);
        }
        Ok(parts)
    }

    /// Where what comes next lies in the input: an empty part of it.
    fn here(&self) -> TextPart {
        let from = self.read - self.buffer.len() as u64;
        let (records, lines) = (self.taken_records, self.taken_lines);
        TextPart { from, to: from, ahead: self.buffer.len(), block: self.block, records, lines }
    }

    /// Goes on with a part of the input, as if everything before it had been taken.
    pub(in crate::source) fn go_on_at(&mut self, reader: Box<dyn Read + Send>, part: TextPart) -> Result<()> {
        let TextPart { from, ahead, block, records, lines, .. } = part;
        let (origin, tells_lines, dialect) = (self.origin.clone(), self.tells_lines, self.dialect);
        *self = RecordSplitter { tells_lines, dialect, read: from, ..Self::new(reader, origin) };
        (self.records, self.taken_records) = (records, records);
        (self.lines, self.whole_lines, self.taken_lines) = (lines, lines, lines);
        while self.buffer.len() < ahead {
            self.block = ahead - self.buffer.len();
            if !self.fill()? {
                break;
            }
        }
        self.block = block;
        Ok(())
    }
}
