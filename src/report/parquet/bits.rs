//! Integers in few bits, the two ways Parquet has: runs or packed bits ([`hybrid`]), and differences to the value before ([`delta`]).

/// Values are packed eight at a time: eight values of `n` bits fill `n` bytes.
const EIGHT: usize = 8;
/// Differences in a block, which share their least; a reader wants a multiple of 128.
const BLOCK: usize = 128;
/// Differences in a part of a block, which share a width; a reader wants a multiple of 32.
const PART: usize = 32;
/// A run is worth ending packed bits for when they would have taken this many.
const RUN_BITS: usize = 32;

/// The bits that a value needs.
pub(super) fn width(value: u64) -> usize {
    (u64::BITS - value.leading_zeros()) as usize
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn zigzag(value: i64, out: &mut Vec<u8>) {
    varint(((value << 1) ^ (value >> 63)) as u64, out);
}

/// Packs eights of values. All shifts are constants, as is what is written: a width is code of its own.
fn packed<const W: usize, T: Copy + Into<u64>>(values: &[[T; EIGHT]], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + values.len() * W, 0);
    let (bytes, _) = out[start..].as_chunks_mut::<W>();
    for (eight, bytes) in values.iter().zip(bytes) {
        let mut words = [0u64; EIGHT];
        for (at, value) in eight.iter().enumerate() {
            let (value, word, bit): (u64, usize, usize) = ((*value).into(), at * W / 64, at * W % 64);
            words[word] |= value << bit;
            if bit + W > 64 {
                words[word + 1] |= value >> (64 - bit);
            }
        }
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = (words[at / 8] >> (at % 8 * 8)) as u8;
        }
    }
}

/// Packs eights of values of a width.
fn pack<T: Copy + Into<u64>>(values: &[[T; EIGHT]], width: usize, out: &mut Vec<u8>) {
    macro_rules! by_width {
        ($($n:literal)*) => {
            match width {
                $($n => packed::<$n, T>(values, out),)*
                _ => {}
            }
        };
    }
    by_width!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32
        33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64);
}

/// Appends indices below `2^width` as runs and packed bits.
pub(super) fn hybrid(indices: &[u16], width: usize, out: &mut Vec<u8>) {
    let (mut at, mut kept) = (0, 0);
    while let Some(eight) = indices[at..].first_chunk::<EIGHT>() {
        let first = eight[0];
        let mut run = EIGHT;
        if *eight == [first; EIGHT] {
            run += indices[at + EIGHT..].iter().take_while(|index| **index == first).count();
            if run * width >= RUN_BITS {
                literals(&indices[kept..at], width, out);
                varint((run as u64) << 1, out);
                out.extend_from_slice(&first.to_le_bytes()[..width.div_ceil(8)]);
                kept = at + run;
            }
        }
        // What goes on as packed bits goes on in eights.
        at += if kept > at { run } else { run / EIGHT * EIGHT };
    }
    literals(&indices[kept..], width, out);
}

fn literals(indices: &[u16], width: usize, out: &mut Vec<u8>) {
    if indices.is_empty() {
        return;
    }
    varint((indices.len().div_ceil(EIGHT) as u64) << 1 | 1, out);
    let (eights, rest) = indices.as_chunks();
    pack(eights, width, out);
    if !rest.is_empty() {
        let mut last = [0; EIGHT];
        last[..rest.len()].copy_from_slice(rest);
        pack(&[last], width, out);
    }
}

/// Appends values as differences. `narrow` values are 32 bits wide, and so are their differences.
pub(super) fn delta<T: Copy + Into<i64>>(values: &[T], narrow: bool, out: &mut Vec<u8>) {
    varint(BLOCK as u64, out);
    varint((BLOCK / PART) as u64, out);
    varint(values.len() as u64, out);
    let mut before: i64 = values.first().map_or(0, |value| (*value).into());
    zigzag(before, out);
    let mut above = [0; BLOCK];
    for block in values.get(1..).unwrap_or_default().chunks(BLOCK) {
        let mut least = i64::MAX;
        for (difference, value) in above.iter_mut().zip(block) {
            let value = (*value).into();
            let apart = value.wrapping_sub(before);
            *difference = if narrow { i64::from(apart as i32) } else { apart };
            least = least.min(*difference);
            before = value;
        }
        zigzag(least, out);
        // What is missing in the last block takes no bits of its own.
        above[block.len()..].fill(least);
        let mut packed = [[0; EIGHT]; BLOCK / EIGHT];
        for (eight, above) in packed.iter_mut().zip(above.as_chunks::<EIGHT>().0) {
            for (value, above) in eight.iter_mut().zip(above) {
                *value = above.wrapping_sub(least) as u64;
            }
        }
        let widths = out.len();
        out.resize(widths + BLOCK / PART, 0);
        for (at, part) in packed.chunks_exact(PART / EIGHT).enumerate().take(block.len().div_ceil(PART)) {
            let mut all = 0;
            for value in part.as_flattened() {
                all |= value;
            }
            let bits = width(all);
            out[widths + at] = bits as u8;
            pack(part, bits, out);
        }
    }
}
