//! Packing: a column of integers → few bytes, and back. Used by the frames of [`spill`](crate::spill) for every column but the bytes of ids.
//!
//! The least value is taken away, what is left is divided by its greatest common divisor where that saves a byte (times are whole
//! seconds or days, prices end in 9 or 0), and the quotients are written in as many whole bytes as the largest needs: none for a column
//! that says the same everywhere. Whole bytes because reading them is a load and a mask; what bits would save is not worth their time.
//!
//! ```text
//! 0      1              9              17
//! ┌──────┬──────────────┬──────────────┬───────────────────────────┐
//! │width │ base, 64 bit │ step, 64 bit │ count × width bytes       │   value = base + step × quotient, modulo 2⁶⁴
//! └──────┴──────────────┴──────────────┴───────────────────────────┘
//! ```
//!
//! Exact for any values: differences wrap. The number of values is not in the bytes; the reader knows it and has checked it.

/// A value that fits 64 bits.
pub(crate) trait Word: Copy + Ord + Default {
    /// The value modulo 2⁶⁴, so that the difference of two is that of their bits.
    fn bits(self) -> u64;
    /// The value of these bits.
    fn of(bits: u64) -> Self;
    /// Those of the bits that the type cannot hold.
    fn excess(bits: u64) -> u64;
}

impl Word for i64 {
    #[inline]
    fn bits(self) -> u64 {
        self as u64
    }

    #[inline]
    fn of(bits: u64) -> i64 {
        bits as i64
    }

    #[inline]
    fn excess(_: u64) -> u64 {
        0
    }
}

impl Word for u64 {
    #[inline]
    fn bits(self) -> u64 {
        self
    }

    #[inline]
    fn of(bits: u64) -> u64 {
        bits
    }

    #[inline]
    fn excess(_: u64) -> u64 {
        0
    }
}

impl Word for u32 {
    #[inline]
    fn bits(self) -> u64 {
        self.into()
    }

    #[inline]
    fn of(bits: u64) -> u32 {
        bits as u32
    }

    #[inline]
    fn excess(bits: u64) -> u64 {
        bits >> 32
    }
}

/// Calls `$body` with the width as a constant, so that each width has its own loop.
macro_rules! by_width {
    ($width:expr, $body:ident ($($argument:expr),*), $other:expr) => {
        match $width {
            1 => $body::<1, _>($($argument),*),
            2 => $body::<2, _>($($argument),*),
            3 => $body::<3, _>($($argument),*),
            4 => $body::<4, _>($($argument),*),
            5 => $body::<5, _>($($argument),*),
            6 => $body::<6, _>($($argument),*),
            7 => $body::<7, _>($($argument),*),
            8 => $body::<8, _>($($argument),*),
            _ => $other,
        }
    };
}

/// Appends the packed values.
pub(crate) fn pack<T: Word>(values: &[T], out: &mut Vec<u8>) {
    let first = values.first().copied().unwrap_or_default();
    let (low, high) = values.iter().fold((first, first), |(low, high), &v| (low.min(v), high.max(v)));
    let (base, spread) = (low.bits(), high.bits().wrapping_sub(low.bits()));
    let mut step = Step::ONE;
    let mut width = bytes_of(spread);
    if width > 1 {
        let common = common_step(values, base);
        if bytes_of(spread / common.size) < width {
            step = common;
            width = bytes_of(spread / common.size);
        }
    }
    out.push(width as u8);
    out.extend_from_slice(&base.to_le_bytes());
    out.extend_from_slice(&step.size.to_le_bytes());
    by_width!(width, write(values, base, step, out), ());
}

/// Reads `count` values from the front of `bytes` and appends them; nothing when the bytes cannot be what [`pack`] wrote.
pub(crate) fn unpack<T: Word>(bytes: &mut &[u8], count: usize, out: &mut Vec<T>) -> Option<()> {
    let width = usize::from(take(bytes, 1)?[0]);
    let base = u64::from_le_bytes(take(bytes, 8)?.try_into().ok()?);
    let step = u64::from_le_bytes(take(bytes, 8)?.try_into().ok()?);
    let body = take(bytes, count.checked_mul(width)?)?;
    by_width!(width, read(body, base, step, out), {
        out.resize(out.len() + count, T::of(base));
        (width == 0 && T::excess(base) == 0).then_some(())
    })
}

/// The next bytes, where there are as many.
pub(crate) fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(taken)
}

fn bytes_of(value: u64) -> usize {
    (u64::BITS - value.leading_zeros()).div_ceil(8) as usize
}

fn write<const WIDTH: usize, T: Word>(values: &[T], base: u64, step: Step, out: &mut Vec<u8>) {
    let at = out.len();
    out.resize(at + values.len() * WIDTH, 0);
    let slots = out[at..].as_chunks_mut::<WIDTH>().0.iter_mut();
    // Built up of bytes, this is one or two stores; a copy of so few bytes may be a call.
    let put = |slot: &mut [u8; WIDTH], word: u64| {
        let bytes = word.to_le_bytes();
        *slot = std::array::from_fn(|i| bytes[i]);
    };
    if step.size == 1 {
        slots.zip(values).for_each(|(slot, v)| put(slot, v.bits().wrapping_sub(base)));
    } else {
        slots.zip(values).for_each(|(slot, v)| put(slot, step.quotient(v.bits().wrapping_sub(base))));
    }
}

fn read<const WIDTH: usize, T: Word>(body: &[u8], base: u64, step: u64, out: &mut Vec<T>) -> Option<()> {
    let get = |slot: &[u8; WIDTH]| u64::from_le_bytes(std::array::from_fn(|i| if i < WIDTH { slot[i] } else { 0 }));
    let slots = body.as_chunks::<WIDTH>().0;
    let mut excess = 0;
    let mut value = |bits: u64| {
        excess |= T::excess(bits);
        T::of(bits)
    };
    if step == 1 {
        out.extend(slots.iter().map(|slot| value(base.wrapping_add(get(slot)))));
    } else {
        out.extend(slots.iter().map(|slot| value(base.wrapping_add(step.wrapping_mul(get(slot))))));
    }
    (excess == 0).then_some(())
}

/// A divisor that divides without dividing: a multiple of it times the inverse of its odd part, turned by the even part, is the quotient.
#[derive(Clone, Copy)]
struct Step {
    size: u64,
    inverse: u64,
    twos: u32,
}

impl Step {
    const ONE: Step = Step { size: 1, inverse: 1, twos: 0 };

    /// `size` is not zero.
    fn new(size: u64) -> Self {
        let twos = size.trailing_zeros();
        let odd = size >> twos;
        // Newton: three times itself is the inverse to 5 bits once the second is flipped, and each round doubles them.
        let mut inverse = odd.wrapping_mul(3) ^ 2;
        for _ in 0..4 {
            inverse = inverse.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(inverse)));
        }
        Step { size, inverse, twos }
    }

    /// The quotient of a multiple; of anything else, a number too large to be one.
    #[inline]
    fn quotient(self, value: u64) -> u64 {
        value.wrapping_mul(self.inverse).rotate_right(self.twos)
    }
}

/// The greatest step that leads from the base to every value. Columns without one are found out within a few values.
fn common_step<T: Word>(values: &[T], base: u64) -> Step {
    let mut step = Step { size: 0, inverse: 0, twos: 0 };
    let mut most = 0;
    for value in values {
        let difference = value.bits().wrapping_sub(base);
        let divides = if step.size == 0 { difference == 0 } else { step.quotient(difference) <= most };
        if !divides {
            let size = greatest_common_divisor(step.size, difference);
            if size == 1 {
                return Step::ONE;
            }
            step = Step::new(size);
            most = u64::MAX / size;
        }
    }
    if step.size == 0 { Step::ONE } else { step }
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packed<T: Word>(values: &[T]) -> Vec<u8> {
        let mut out = Vec::new();
        pack(values, &mut out);
        out
    }

    fn unpacked<T: Word>(mut bytes: &[u8], count: usize) -> Option<Vec<T>> {
        let mut out = Vec::new();
        unpack(&mut bytes, count, &mut out)?;
        bytes.is_empty().then_some(out)
    }

    /// Columns of every shape: any values, few apart, on a grid, extremes.
    fn column() -> impl Strategy<Value = Vec<i64>> {
        let base = prop_oneof![any::<i64>(), Just(0), Just(i64::MIN), Just(i64::MAX)];
        let step = prop_oneof![Just(1u64), Just(86_400_000_000), Just(1_000_000), 1..100u64, any::<u64>().prop_map(|s| s | 1)];
        (base, step, 0..64u32, prop::collection::vec(any::<u64>(), 0..40))
            .prop_map(|(base, step, bits, values)| values.iter().map(|v| base.wrapping_add(step.wrapping_mul(v >> bits) as i64)).collect())
    }

    proptest! {
        #[test]
        fn values_come_back(values in column()) {
            prop_assert_eq!(unpacked(&packed(&values), values.len()), Some(values.clone()));
            let words: Vec<u64> = values.iter().map(|&v| v as u64).collect();
            prop_assert_eq!(unpacked(&packed(&words), words.len()), Some(words));
            let halves: Vec<u32> = values.iter().map(|&v| v as u32).collect();
            prop_assert_eq!(unpacked(&packed(&halves), halves.len()), Some(halves));
        }

        #[test]
        fn foreign_bytes_are_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..60), width in 0..10u8, count in 0..9usize) {
            let bytes = [&[width][..], &bytes].concat();
            let _ = unpacked::<u32>(&bytes, count);
            let _ = unpacked::<i64>(&bytes, count);
        }

        #[test]
        fn steps_divide(size in 1..u64::MAX, quotient in any::<u64>(), shift in 0..64u32) {
            let quotient = (quotient >> shift).min(u64::MAX / size);
            let step = Step::new(size);
            prop_assert_eq!(step.quotient(size * quotient), quotient);
            let not = (size * quotient).wrapping_add(size / 2);
            prop_assert_eq!(step.quotient(not) <= u64::MAX / size, not % size == 0);
        }
    }

    #[test]
    fn columns_take_the_bytes_they_need() {
        let body = |values: &[i64]| packed(values).len() - 17;
        assert_eq!(body(&[]), 0);
        assert_eq!(body(&[i64::MIN; 9]), 0);
        assert_eq!(body(&[-1, 254, 0]), 3);
        assert_eq!(body(&[-1, 255, 0]), 6);
        assert_eq!(body(&[i64::MIN, 0, i64::MAX]), 24);
        // A year of days in microseconds, and of seconds.
        assert_eq!(body(&[0, 86_400_000_000, 365 * 86_400_000_000]), 6);
        assert_eq!(body(&[0, 1_000_000, 365 * 86_400_000_000]), 12);
        // Two values are one step apart.
        assert_eq!(body(&[i64::MIN, i64::MAX]), 2);
        // A step that saves nothing is not taken.
        assert_eq!(packed(&[0i64, 2, 4])[9], 1);
    }

    #[test]
    fn values_too_large_for_their_type_are_refused() {
        assert_eq!(unpacked::<u32>(&packed(&[1u64 << 32, 0]), 2), None);
        assert_eq!(unpacked::<u32>(&packed(&[1u64 << 32]), 1), None);
        assert_eq!(unpacked::<u32>(&packed(&[u64::from(u32::MAX), 0]), 2), Some(vec![u32::MAX, 0]));
    }
}
