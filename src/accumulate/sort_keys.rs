//! Rows of a partition, in the order of their hashes: not the rows are sorted, but keys that say where they lie.

use crate::base::error::Result;
use crate::base::memory::reserve;
use crate::route::row_buffer::{Row, Rows};

/// Bits of the hash that rows are dealt out by: the counts of all heaps stay in the nearest cache.
const MOST_BITS: u32 = 12;

/// Keys, and memory to sort them in.
#[derive(Debug, Default)]
pub(super) struct SortedKeys {
    keys: Vec<u64>,
    dealt: Vec<u64>,
    ends: Vec<u32>,
}

impl SortedKeys {
    /// The keys of some rows, ascending by hash; of one hash as the rows come.
    ///
    /// # Errors
    /// When the system refuses the memory.
    pub(super) fn sort(&mut self, buffers: &[Rows]) -> Result<&[u64]> {
        let SortedKeys { keys, dealt, ends } = self;
        keys.clear();
        reserve(keys, buffers.iter().map(|buffer| buffer.rows.len()).sum())?;
        for (b, buffer) in (0u64..).zip(buffers) {
            keys.extend((0u64..).zip(&buffer.rows).map(|(r, row)| u64::from(row.hash) << 32 | b << 8 | r));
        }
        let different = keys.windows(2).fold(0, |bits, pair| bits | (pair[0] ^ pair[1]) >> 32);
        let varying = u64::BITS - different.leading_zeros();
        let bits = keys.len().checked_ilog2().unwrap_or(0).min(MOST_BITS).min(varying);
        if bits < 4 {
            keys.sort_unstable();
            return Ok(keys);
        }
        // Dealt out by their first bits that differ, they are nearly sorted.
        let heap = |key: u64| (key >> (32 + varying - bits)) as usize & ((1 << bits) - 1);
        ends.clear();
        ends.resize(1 << bits, 0);
        keys.iter().for_each(|&key| ends[heap(key)] += 1);
        ends.iter_mut().fold(0, |sum, end| {
            let begin = sum;
            sum + std::mem::replace(end, begin)
        });
        if dealt.len() < keys.len() {
            let more = keys.len() - dealt.len();
            reserve(dealt, more)?;
            dealt.resize(keys.len(), 0);
        }
        for &key in keys.iter() {
            let end = &mut ends[heap(key)];
            dealt[*end as usize] = key;
            *end += 1;
        }
        let mut begin = 0;
        for &end in ends.iter() {
            let heap = &mut dealt[begin as usize..end as usize];
            if heap.len() > 1 {
                heap.sort_unstable();
            }
            begin = end;
        }
        Ok(&dealt[..keys.len()])
    }
}

/// The row of a key.
#[inline]
pub(super) fn row_of(buffers: &[Rows], key: u64) -> (&Rows, &Row) {
    let buffer = &buffers[(key as u32 >> 8) as usize];
    (buffer, &buffer.rows[key as usize & 0xff])
}
