//! Records: a row as bytes, by which a [`Sorter`](crate::spill::Sorter) sorts it, and back.
//!
//! Records compare byte by byte, so what rows are sorted by comes first, as bytes whose order is that of the values: whole numbers
//! beginning with their highest byte, texts ended in such a way that none is the beginning of another. What rows only carry along
//! follows, in as few bytes as it takes. Which values a record holds, and in which order, is for its writer and reader to know.

use std::borrow::Cow;

/// A zero in a text is followed by `ZERO`, so that the two bytes after the last one, a zero and `END`, are less than any that go on.
const END: u8 = 0;
const ZERO: u8 = 255;

/// Appends a text whose order counts.
pub(crate) fn put_text(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(zero) = memchr::memchr(0, rest) {
        out.extend_from_slice(&rest[..=zero]);
        out.push(ZERO);
        rest = &rest[zero + 1..];
    }
    out.extend_from_slice(rest);
    out.extend_from_slice(&[0, END]);
}

/// The text at the front.
pub(crate) fn take_text<'a>(bytes: &mut &'a [u8]) -> Option<Cow<'a, [u8]>> {
    let mut before: Option<Vec<u8>> = None;
    loop {
        let (part, rest) = bytes.split_at_checked(memchr::memchr(0, bytes)?)?;
        let ([_, mark], rest) = rest.split_first_chunk()?;
        *bytes = rest;
        match (*mark, before.as_mut()) {
            (END, None) => return Some(Cow::Borrowed(part)),
            (END, Some(text)) => {
                text.extend_from_slice(part);
                return before.map(Cow::Owned);
            }
            (ZERO, _) => {
                let text = before.get_or_insert_default();
                text.extend_from_slice(part);
                text.push(0);
            }
            _ => return None,
        }
    }
}

/// The bytes at the front, as many as are asked for.
pub(crate) fn take_bytes<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

/// Appends a number whose order does not count: seven bits a byte, the lowest first, the highest bit says that more follow.
pub(crate) fn put_number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// The number at the front.
#[inline]
pub(crate) fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// Appends a number with a sign, whose order does not count either.
pub(crate) fn put_signed(number: i64, out: &mut Vec<u8>) {
    put_number((number << 1 ^ number >> 63) as u64, out);
}

/// The number with a sign at the front.
pub(crate) fn take_signed(bytes: &mut &[u8]) -> Option<i64> {
    let number = take_number(bytes)?;
    Some((number >> 1) as i64 ^ -((number & 1) as i64))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        put_text(text, &mut out);
        out
    }

    proptest! {
        /// Texts come back, and whatever follows them, their order is that of their records.
        #[test]
        fn texts_sort_and_come_back(a in texts(), b in texts(), more in texts()) {
            let (one, other) = ([text(&a), more.clone()].concat(), [text(&b), more.clone()].concat());
            prop_assert_eq!(a.cmp(&b), one.cmp(&other));
            let mut bytes = &one[..];
            prop_assert_eq!(&*take_text(&mut bytes).unwrap(), &a[..]);
            prop_assert_eq!(bytes, &more[..]);
        }

        #[test]
        fn numbers_come_back(number in any::<u64>(), shift in 0..64u32, more in texts()) {
            let (number, mut out) = (number >> shift, Vec::new());
            put_number(number, &mut out);
            put_signed(number as i64, &mut out);
            put_signed(-(number as i64 >> 1), &mut out);
            out.extend(&more);
            let mut bytes = &out[..];
            prop_assert_eq!(take_number(&mut bytes), Some(number));
            prop_assert_eq!(take_signed(&mut bytes), Some(number as i64));
            prop_assert_eq!(take_signed(&mut bytes), Some(-(number as i64 >> 1)));
            prop_assert_eq!(bytes, &more[..]);
        }

        #[test]
        fn foreign_bytes_are_an_answer(bytes in texts()) {
            let _ = take_text(&mut &bytes[..]);
            let _ = take_number(&mut &bytes[..]);
            let _ = take_bytes::<8>(&mut &bytes[..]);
        }
    }

    /// Few different bytes, those that mean something among them.
    fn texts() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(254), Just(255), any::<u8>()], 0..12)
    }

    #[test]
    fn small_numbers_are_small() {
        let length = |number| {
            let mut out = Vec::new();
            put_number(number, &mut out);
            out.len()
        };
        assert_eq!([0, 127, 128, 1 << 14, u64::MAX].map(length), [1, 1, 2, 3, 10]);
        assert_eq!(take_number(&mut &[0x80; 11][..]), None, "a number that never ends");
    }
}
