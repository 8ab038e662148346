//! Amounts of a row or an entry in one word. Nearly all fit inline; the others lie in an overflow list that the word points into.

/// Orders and money of a row or an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Amounts {
    /// Not negative.
    pub(crate) orders: i64,
    pub(crate) cents: i64,
    /// Less than a cent.
    pub(crate) fraction: u64,
}

/// 16 bits of orders above 48 bits of cents; or, where the orders are [`OVERFLOW`], a place in an overflow list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packed(u64);

/// These orders say that the amounts do not fit.
const OVERFLOW: u64 = 0xffff;
const LOW: u64 = (1 << 48) - 1;

impl Packed {
    /// Amounts in a word, if they fit.
    #[inline]
    pub(crate) fn new(Amounts { orders, cents, fraction }: Amounts) -> Option<Self> {
        let fits = (0..OVERFLOW as i64).contains(&orders) && cents << 16 >> 16 == cents && fraction == 0;
        fits.then_some(Packed((orders as u64) << 48 | (cents as u64 & LOW)))
    }

    /// A word for amounts that lie in an overflow list, at a place.
    pub(crate) fn overflow(place: usize) -> Self {
        Packed(OVERFLOW << 48 | place as u64)
    }

    /// Whether the amounts are in the word.
    #[inline]
    pub(crate) fn is_inline(self) -> bool {
        self.0 >> 48 != OVERFLOW
    }

    /// Orders and cents that are in the word.
    #[inline]
    pub(crate) fn inline(self) -> (i64, i64) {
        ((self.0 >> 48) as i64, (self.0 << 16) as i64 >> 16)
    }

    /// The amounts, or where they lie.
    #[inline]
    pub(crate) fn get(self) -> Result<Amounts, usize> {
        if !self.is_inline() {
            return Err((self.0 & LOW) as usize);
        }
        let (orders, cents) = self.inline();
        Ok(Amounts { orders, cents, fraction: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDERS: [i64; 6] = [0, 1, 0xfffe, 0xffff, 0x10000, i64::MAX];
    const CENTS: [i64; 9] = [0, 1, -1, (1 << 47) - 1, 1 << 47, -(1 << 47), -(1 << 47) - 1, i64::MAX, i64::MIN];

    fn all() -> impl Iterator<Item = Amounts> {
        ORDERS.iter().flat_map(|&orders| CENTS.iter().flat_map(move |&cents| [0, 1].map(|fraction| Amounts { orders, cents, fraction })))
    }

    #[test]
    fn amounts_come_back_or_do_not_fit() {
        for amounts in all() {
            let fits = amounts.orders < 0xffff && amounts.cents.unsigned_abs() < 1 << 47 && amounts.fraction == 0 || {
                amounts.cents == -(1 << 47) && amounts.orders < 0xffff && amounts.fraction == 0
            };
            assert_eq!(Packed::new(amounts).map(Packed::get), fits.then_some(Ok(amounts)));
        }
        assert_eq!(Packed::overflow(77).get(), Err(77));
    }
}
