//! A stretch of an object, read in blocks; some are on their way while one is worked on.

use super::object::{Asked, Object};
use bytes::Bytes;
use std::collections::VecDeque;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

/// How blocks are read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Bytes of a block.
    block: u64,
    /// Blocks that are there or on their way.
    ahead: usize,
}

/// A text, from its beginning to its end.
pub(crate) const TEXT: Pace = Pace { block: 4 << 20, ahead: 3 };
/// A column of a row group, of which a thread reads several side by side.
pub(crate) const COLUMN: Pace = Pace { block: 1 << 20, ahead: 3 };

#[derive(Debug)]
enum Block {
    Coming(Asked<Bytes>),
    There(Bytes),
}

/// A stretch of an object.
#[derive(Debug)]
pub(crate) struct Stretch {
    object: Arc<Object>,
    pace: Pace,
    /// What is left of it, from the first block on.
    left: Range<u64>,
    blocks: VecDeque<Block>,
    /// Where reading goes on, for who reads from front to back.
    at: u64,
}

impl Stretch {
    /// All of an object.
    pub(crate) fn all(object: Arc<Object>, pace: Pace) -> Self {
        let size = object.size();
        Self::new(object, 0..size, pace)
    }

    /// Nothing is asked for before the first byte is wanted.
    pub(crate) fn new(object: Arc<Object>, range: Range<u64>, pace: Pace) -> Self {
        Stretch { object, pace, at: range.start, left: range, blocks: VecDeque::new() }
    }

    /// Whether a byte is in it, and not yet left behind.
    pub(crate) fn has(&self, at: u64) -> bool {
        self.left.contains(&at)
    }

    /// Copies the bytes from a position on, as far as their block goes, and says how many these were. Blocks before the one before are let go.
    pub(crate) fn read_at(&mut self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        if at >= self.left.end || buffer.is_empty() {
            return Ok(0);
        }
        while (at - self.left.start) / self.pace.block > 1 {
            self.blocks.pop_front();
            self.left.start += self.pace.block;
        }
        let number = ((at - self.left.start) / self.pace.block) as usize;
        // Many only look at the beginning.
        let ahead = if at < self.pace.block / 2 { 1 } else { self.pace.ahead };
        while self.blocks.len() < number + ahead {
            let start = self.left.start + self.blocks.len() as u64 * self.pace.block;
            if start >= self.left.end {
                break;
            }
            self.blocks.push_back(Block::Coming(self.object.fetch(start..self.left.end.min(start + self.pace.block))?));
        }
        let within = ((at - self.left.start) % self.pace.block) as usize;
        let bytes = self.bytes(number)?;
        let count = buffer.len().min(bytes.len() - within);
        buffer[..count].copy_from_slice(&bytes[within..within + count]);
        Ok(count)
    }

    /// A block, when it is there.
    fn bytes(&mut self, number: usize) -> io::Result<&Bytes> {
        let block = self.blocks.get_mut(number).ok_or(io::ErrorKind::UnexpectedEof)?;
        if let Block::Coming(fetch) = block {
            *block = Block::There(fetch.wait()?);
        }
        match block {
            Block::There(bytes) => Ok(bytes),
            Block::Coming(_) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Read for Stretch {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.read_at(buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}
