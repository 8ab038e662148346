//! Texts of a column: a dictionary that is found by hashing, and without one what each does not share with the text before.
//!
//! Short texts are read out of their views, without looking where the long ones are. Numbers too wide for [`Integers`](super::integers)
//! are texts of a fixed length here, the most significant byte first; not all readers know how those share, so they are written whole.

use super::bits;
use super::pages::{PAGE_ROWS, Store};
use crate::model::hash::hash_id;
use arrow::array::StringViewArray;
use arrow::array::builder::make_view;
use hashbrown::HashTable;
use parquet::basic::Encoding;
use parquet::data_type::{ByteArray, FixedLenByteArray};
use parquet::file::statistics::Statistics;
use std::mem::take;
use std::ops::Range;

/// Bytes of text in a page, but for the text that exceeds them.
const PAGE_BYTES: usize = 1 << 20;
/// Texts in a dictionary and their bytes, at most: to find that ids need none must cost little.
const MOST_TEXTS: usize = 1 << 11;
const MOST_BYTES: usize = 1 << 18;
/// Longer texts are not worth being a minimum or a maximum.
const MOST_STATISTICS_BYTES: usize = 64;
/// Texts up to this length are inside their views.
const INLINE: u32 = 12;

/// Texts.
#[derive(Default)]
pub(super) struct Texts {
    /// All have the length that the column says, which is more than a view holds.
    is_fixed: bool,
    known: Vec<u8>,
    known_ends: Vec<u32>,
    table: HashTable<u16>,
    /// Of each text of the page, how much it shares with the text before, and how long the rest is; as long as the longest page.
    shared: Vec<u32>,
    rests: Vec<u32>,
    rows: usize,
    /// The rests, and room for more.
    bytes: Vec<u8>,
    used: usize,
    /// The view of the text before, and the text itself when it is not inside.
    last: u128,
    last_long: Vec<u8>,
    /// Whether there were texts that the dictionary does not hold.
    has_others: bool,
}

fn known_text<'a>(known: &'a [u8], ends: &[u32], index: u16) -> &'a [u8] {
    let index = usize::from(index);
    &known[index.checked_sub(1).map_or(0, |before| ends[before] as usize)..ends[index] as usize]
}

impl Texts {
    /// Texts of a length that the column says.
    pub(super) fn fixed() -> Self {
        Texts { is_fixed: true, ..Self::default() }
    }

    /// The index of a text, or none when there is no more room for it.
    pub(super) fn index(&mut self, text: &[u8]) -> Option<u16> {
        let hash = hash_id(text);
        if let Some(index) = self.table.find(hash, |index| known_text(&self.known, &self.known_ends, *index) == text) {
            return Some(*index);
        }
        if self.known_ends.len() == MOST_TEXTS || self.known.len() + text.len() > MOST_BYTES {
            return None;
        }
        let index = self.known_ends.len() as u16;
        self.known.extend_from_slice(text);
        self.known_ends.push(self.known.len() as u32);
        let (known, ends) = (&self.known, &self.known_ends);
        self.table.insert_unique(hash, index, |index| hash_id(known_text(known, ends, *index)));
        Some(index)
    }

    /// Puts a text into the page.
    pub(super) fn add(&mut self, text: &[u8]) {
        match text.len() <= INLINE as usize {
            true => self.add_short(&[make_view(text, 0, 0)]),
            false => self.add_long(std::iter::once(text)),
        };
    }

    /// Puts the first of these rows into the page, until it must end; says which row comes next.
    pub(super) fn add_rows(&mut self, texts: &StringViewArray, rows: Range<usize>) -> usize {
        let (views, mut row) = (texts.views(), rows.start);
        while row < rows.end && !self.is_full() {
            row += self.add_short(&views[row..rows.end]);
            let long = (row..rows.end).take_while(|row| views[*row] as u32 > INLINE);
            if !self.is_full() {
                row += self.add_long(long.map(|row| texts.value(row).as_bytes()));
            }
        }
        row
    }

    /// Adds the first texts that are inside their views and fit the page; says how many these are.
    fn add_short(&mut self, views: &[u128]) -> usize {
        // None of them but the last can fill the page.
        let room = (PAGE_ROWS - self.rows).min((PAGE_BYTES - self.used).div_ceil(INLINE as usize));
        let short = views.iter().take(room).take_while(|view| **view as u32 <= INLINE).count();
        if short == 0 {
            return 0;
        }
        self.make_room(short, 16 * short);
        let (mut last, mut end) = (self.last, self.used);
        for ((view, rest), in_common) in views[..short].iter().zip(&mut self.rests[self.rows..]).zip(&mut self.shared[self.rows..]) {
            let (length, length_before, text) = (*view as u32, last as u32, view >> 32);
            let shared = match length_before {
                ..=INLINE => ((text ^ (last >> 32)).trailing_zeros() / 8).min(length).min(length_before),
                _ => common(&text.to_le_bytes()[..length as usize], &self.last_long) as u32,
            };
            (*rest, *in_common) = (length - shared, shared);
            // All that can be in a view is one move; the next one is over what was too much.
            if let Some(bytes) = self.bytes[end..].first_chunk_mut() {
                *bytes = (text >> (8 * shared)).to_le_bytes();
            }
            end += (length - shared) as usize;
            last = *view;
        }
        self.rows += short;
        (self.last, self.used) = (last, end);
        short
    }

    /// Adds texts that are not inside their views until the page must end; says how many.
    fn add_long<'a>(&mut self, texts: impl Iterator<Item = &'a [u8]>) -> usize {
        let (inline, mut last_long) = (self.last.to_le_bytes(), take(&mut self.last_long));
        let before = match self.last as u32 {
            length @ ..=INLINE => &inline[4..4 + length as usize],
            _ => &last_long,
        };
        let (mut last, mut added) = (None, 0);
        for text in texts {
            let shared = if self.is_fixed { 0 } else { common(text, last.unwrap_or(before)) };
            let rest = &text[shared..];
            self.make_room(1, rest.len());
            self.bytes[self.used..self.used + rest.len()].copy_from_slice(rest);
            (self.shared[self.rows], self.rests[self.rows]) = (shared as u32, rest.len() as u32);
            self.rows += 1;
            self.used += rest.len();
            (last, added) = (Some(text), added + 1);
            if self.is_full() {
                break;
            }
        }
        if let Some(text) = last {
            self.last = text.len() as u128;
            last_long.clear();
            last_long.extend_from_slice(text);
        }
        self.last_long = last_long;
        added
    }

    /// Makes room for so many more texts and bytes, once: room is kept from page to page.
    fn make_room(&mut self, texts: usize, bytes: usize) {
        let (texts, bytes) = (self.rows + texts, self.used + bytes);
        if self.rests.len() < texts {
            self.rests.resize(texts, 0);
            self.shared.resize(texts, 0);
        }
        if self.bytes.len() < bytes {
            self.bytes.resize(bytes, 0);
        }
    }
}

/// How many bytes texts have in common at the start.
fn common(a: &[u8], b: &[u8]) -> usize {
    let mut at = 0;
    while let (Some(a), Some(b)) = (a[at..].first_chunk(), b[at..].first_chunk()) {
        let differ = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if differ != 0 {
            return at + (differ.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    at + a[at..].iter().zip(&b[at..]).take_while(|(a, b)| a == b).count()
}

impl Store for Texts {
    fn encoding(&self) -> Encoding {
        if self.is_fixed { Encoding::PLAIN } else { Encoding::DELTA_BYTE_ARRAY }
    }

    fn known(&self) -> usize {
        self.known_ends.len()
    }

    fn add_known(&mut self, index: u16) {
        let known = take(&mut self.known);
        self.add(known_text(&known, &self.known_ends, index));
        self.known = known;
    }

    fn values(&self) -> usize {
        self.rows
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.rows == PAGE_ROWS || self.used >= PAGE_BYTES
    }

    fn encode(&mut self, out: &mut Vec<u8>) {
        if !self.is_fixed {
            bits::delta(&self.shared[..self.rows], true, out);
            bits::delta(&self.rests[..self.rows], true, out);
        }
        out.extend_from_slice(&self.bytes[..self.used]);
        (self.rows, self.used) = (0, 0);
        // The first text of a page shares nothing.
        self.last = 0;
        self.has_others = true;
    }

    fn encode_dictionary(&self, known: usize, out: &mut Vec<u8>) {
        for index in 0..known {
            let text = known_text(&self.known, &self.known_ends, index as u16);
            if !self.is_fixed {
                out.extend_from_slice(&(text.len() as u32).to_le_bytes());
            }
            out.extend_from_slice(text);
        }
    }

    fn statistics(&self, known: usize, nulls: u64) -> Statistics {
        if self.is_fixed {
            return Statistics::fixed_len_byte_array(None::<FixedLenByteArray>, None, None, Some(nulls), false);
        }
        let known = if self.has_others { 0 } else { known };
        let texts = || (0..known).map(|index| known_text(&self.known, &self.known_ends, index as u16));
        let bounds = texts().min().zip(texts().max()).filter(|(a, b)| a.len().max(b.len()) <= MOST_STATISTICS_BYTES);
        let (least, greatest) = bounds.map(|(a, b)| (ByteArray::from(a.to_vec()), ByteArray::from(b.to_vec()))).unzip();
        Statistics::byte_array(least, greatest, None, Some(nulls), false)
    }

    fn clear(&mut self) {
        self.known.clear();
        self.known_ends.clear();
        self.table.clear();
        self.has_others = false;
    }
}
