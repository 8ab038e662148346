//! Amounts of a row or an entry in one word. Nearly all fit; those that do not lie beside, in a list that the word points into.

/// What a row adds to its window's sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Amounts {
    /// Not negative.
    pub(crate) orders: i64,
    pub(crate) cents: i64,
    /// Less than a cent.
    pub(crate) fraction: u64,
}

/// 16 bits of orders above 48 bits of cents; or, where the orders are [`BESIDE`], a place in a list of the user's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packed(u64);

/// These orders say that the amounts do not fit.
const BESIDE: u64 = 0xffff;
const LOW: u64 = (1 << 48) - 1;

impl Packed {
    /// Amounts in a word, if they fit.
    #[inline]
    pub(crate) fn new(Amounts { orders, cents, fraction }: Amounts) -> Option<Self> {
        let fits = (0..BESIDE as i64).contains(&orders) && cents << 16 >> 16 == cents && fraction == 0;
        fits.then_some(Packed((orders as u64) << 48 | (cents as u64 & LOW)))
    }

    /// A word for amounts that lie beside.
    pub(crate) fn beside(place: usize) -> Self {
        Packed(BESIDE << 48 | place as u64)
    }

    /// The amounts, or where they lie.
    #[inline]
    pub(crate) fn get(self) -> Result<Amounts, usize> {
        if self.0 >> 48 == BESIDE {
            return Err((self.0 & LOW) as usize);
        }
        Ok(Amounts { orders: (self.0 >> 48) as i64, cents: (self.0 << 16) as i64 >> 16, fraction: 0 })
    }

    /// The sum, if both and it fit.
    #[inline]
    pub(crate) fn plus(self, more: Amounts) -> Option<Self> {
        let Amounts { orders, cents, .. } = self.get().ok()?;
        Packed::new(Amounts { orders: orders.checked_add(more.orders)?, cents: cents.checked_add(more.cents)?, fraction: more.fraction })
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
        assert_eq!(Packed::beside(77).get(), Err(77));
    }

    #[test]
    fn sums_are_exact_or_refused() {
        for (a, b) in all().flat_map(|a| all().map(move |b| (a, b))) {
            let Some(packed) = Packed::new(a) else { continue };
            let sum = Amounts { orders: a.orders.saturating_add(b.orders), cents: a.cents.saturating_add(b.cents), fraction: b.fraction };
            assert_eq!(packed.plus(b).map(Packed::get), Packed::new(sum).map(Packed::get));
        }
        assert!(Packed::beside(0).plus(Amounts::default()).is_none());
    }
}
