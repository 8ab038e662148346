//! Integers of a column: a dictionary that is found by hashing, and differences without one.

use super::bits;
use super::pages::{FEW_VALUES, NONE, PAGE_ROWS, Store};
use parquet::basic::Encoding;
use parquet::file::statistics::Statistics;

/// Integers in a dictionary, at most: it must stay small beside the row group, and at hand while encoding.
const MOST_INTEGERS: usize = 1 << 13;
/// Slots of the hash table of integers, at first.
const FEW_SLOTS: usize = 4 * FEW_VALUES;

/// Integers of 32 or 64 bits.
pub(super) struct Integers {
    narrow: bool,
    /// Negative values here come after all others in the file.
    unsigned: bool,
    known: Vec<i64>,
    /// A hash table of indices, a power of two in length and at most a quarter full.
    slots: Vec<u16>,
    page: Vec<i64>,
    /// The least and the greatest of encoded pages.
    bounds: Option<(i64, i64)>,
}

impl Integers {
    pub(super) fn new(narrow: bool, unsigned: bool) -> Self {
        Integers { narrow, unsigned, known: Vec::new(), slots: vec![NONE; FEW_SLOTS], page: Vec::new(), bounds: None }
    }

    /// The indices of the first values that are where their hashes say; says how many these are.
    #[inline]
    pub(super) fn indices<T: Copy>(&self, values: &[T], wide: impl Fn(T) -> i64, indices: &mut [u16]) -> usize {
        let found = values.iter().zip(indices).map_while(|(value, index)| {
            let value = wide(*value);
            *index = self.slots[self.slot(value)];
            (self.known.get(usize::from(*index)) == Some(&value)).then_some(())
        });
        found.count()
    }

    /// The index of a value, or none when there is no more room for it.
    pub(super) fn index(&mut self, value: i64) -> Option<u16> {
        let mask = self.slots.len() - 1;
        let mut slot = self.slot(value);
        loop {
            match self.slots[slot & mask] {
                NONE => return self.insert(value, slot & mask),
                index if self.known[usize::from(index)] == value => return Some(index),
                _ => slot += 1,
            }
        }
    }

    /// Multiplicative hashing: what integers in a column differ in reaches the high bits.
    #[inline]
    fn slot(&self, value: i64) -> usize {
        ((value as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (self.slots.len().leading_zeros() + 1)) as usize
    }

    /// Puts a value into the page.
    #[inline]
    pub(super) fn add(&mut self, value: i64) {
        self.page.push(value);
    }

    /// Puts the first of these into the page, as many as fit; says how many.
    pub(super) fn add_all<T: Copy>(&mut self, values: &[T], wide: impl Fn(T) -> i64) -> usize {
        let fit = values.len().min(PAGE_ROWS - self.page.len());
        self.page.extend(values[..fit].iter().map(|value| wide(*value)));
        fit
    }

    fn insert(&mut self, value: i64, slot: usize) -> Option<u16> {
        if self.known.len() == MOST_INTEGERS {
            return None;
        }
        let index = self.known.len() as u16;
        self.known.push(value);
        self.slots[slot] = index;
        if self.known.len() * 4 > self.slots.len() {
            self.slots = vec![NONE; self.slots.len() * 2];
            let mask = self.slots.len() - 1;
            for (index, value) in (0..).zip(&self.known) {
                let mut slot = self.slot(*value);
                while self.slots[slot & mask] != NONE {
                    slot += 1;
                }
                self.slots[slot & mask] = index;
            }
        }
        Some(index)
    }
}

impl Store for Integers {
    fn encoding(&self) -> Encoding {
        Encoding::DELTA_BINARY_PACKED
    }

    fn known(&self) -> usize {
        self.known.len()
    }

    fn add_known(&mut self, index: u16) {
        self.page.push(self.known[usize::from(index)]);
    }

    fn values(&self) -> usize {
        self.page.len()
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.page.len() == PAGE_ROWS
    }

    fn encode(&mut self, out: &mut Vec<u8>) {
        bits::delta(&self.page, self.narrow, out);
        self.bounds = bounds(self.bounds, &self.page);
        self.page.clear();
    }

    fn encode_dictionary(&self, known: usize, out: &mut Vec<u8>) {
        let size = if self.narrow { 4 } else { 8 };
        self.known[..known].iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()[..size]));
    }

    fn statistics(&self, known: usize, nulls: u64) -> Statistics {
        let bounds = bounds(self.bounds, &self.known[..known]).filter(|(least, _)| !self.unsigned || *least >= 0);
        let (least, greatest) = bounds.unzip();
        match self.narrow {
            true => Statistics::int32(least.map(|n| n as i32), greatest.map(|n| n as i32), None, Some(nulls), false),
            false => Statistics::int64(least, greatest, None, Some(nulls), false),
        }
    }

    fn clear(&mut self) {
        self.known.clear();
        self.slots.truncate(FEW_SLOTS);
        self.slots.fill(NONE);
        self.bounds = None;
    }
}

/// The least and the greatest of bounds and values.
fn bounds(bounds: Option<(i64, i64)>, values: &[i64]) -> Option<(i64, i64)> {
    let start = bounds.or_else(|| values.first().map(|value| (*value, *value)))?;
    Some(values.iter().fold(start, |(least, greatest), value| (least.min(*value), greatest.max(*value))))
}
