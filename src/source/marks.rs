//! Finds single bytes in a text, 64 bytes at a time: quotes and newlines for [`records`](super::records), and delimiters for
//! [`csv`](super::csv).

use wide::u8x16;

/// The positions of a few wanted bytes in a text, ascending.
pub(super) struct Marks<'a, const N: usize> {
    bytes: &'a [u8],
    wanted: [u8; N],
    /// The start of the block.
    base: usize,
    /// The block's marks that were not handed out yet, a bit each.
    found: u64,
}

impl<'a, const N: usize> Marks<'a, N> {
    pub(super) fn new(bytes: &'a [u8], wanted: [u8; N]) -> Self {
        let mut marks = Marks { bytes, wanted, base: 0, found: 0 };
        marks.look();
        marks
    }

    /// Looks through the block at the base.
    #[inline(always)]
    fn look(&mut self) {
        let rest = self.bytes.get(self.base..).unwrap_or_default();
        self.found = rest.first_chunk().map_or_else(|| marks_of_last(rest, &self.wanted), |block| marks(block, &self.wanted));
    }
}

impl<const N: usize> Iterator for Marks<'_, N> {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        while self.found == 0 {
            if self.base >= self.bytes.len() {
                return None;
            }
            self.base += 64;
            self.look();
        }
        let at = self.base + self.found.trailing_zeros() as usize;
        self.found &= self.found - 1;
        Some(at)
    }
}

/// A bit for each place that holds a wanted byte.
#[inline(always)]
fn marks<const N: usize>(block: &[u8; 64], wanted: &[u8; N]) -> u64 {
    let mut bits = 0;
    for (i, sixteen) in block.as_chunks().0.iter().enumerate() {
        let bytes = u8x16::new(*sixteen);
        let found = wanted.iter().fold(u8x16::ZERO, |found, &byte| found | bytes.simd_eq(u8x16::splat(byte)));
        bits |= u64::from(found.to_bitmask()) << (16 * i);
    }
    bits
}

/// As [`marks`], of fewer bytes.
#[cold]
fn marks_of_last<const N: usize>(rest: &[u8], wanted: &[u8; N]) -> u64 {
    let mut block = [0; 64];
    block[..rest.len()].copy_from_slice(rest);
    // The padding is no mark, whichever bytes are wanted.
    marks(&block, wanted) & !(u64::MAX << rest.len())
}

/// The positions of the closing quote of a field that begins with this quote, and of its delimiter or newline. None where it is not simply
/// text between two quotes.
pub(super) fn closed(bytes: &[u8], marks: &mut impl Iterator<Item = usize>, begin: usize, quote: usize) -> Option<(usize, usize)> {
    if quote != begin {
        return None;
    }
    let close = marks.find(|&at| bytes[at] == b'"')?;
    let end = marks.next()?;
    match bytes[close + 1..=end] {
        [after] if after != b'"' => Some((close, end)),
        // Of two carriage returns, the one before the quote is text.
        [b'\r', b'\n'] if bytes[close - 1] != b'\r' => Some((close, end)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_wherever_they_are() {
        for length in (0..=130).chain([191, 192, 193]) {
            for step in 1..20 {
                let bytes: Vec<u8> = (0..length).map(|i| if i % step == 0 { [b';', b'\n'][i % 2] } else { 0x80 | i as u8 }).collect();
                let expected: Vec<usize> = (0..length).step_by(step).collect();
                assert_eq!(Marks::new(&bytes, [b';', b'\n']).collect::<Vec<_>>(), expected);
            }
        }
    }
}
