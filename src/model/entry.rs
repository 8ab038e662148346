//! A customer's sum in one window, and [`EntrySum::add`], the one way to add to it: rows in a table, states of several runs, and windows that
//! become a longer one all meet there. It is associative and commutative, and it cannot fail: counts saturate, amounts widen.

use super::amounts::Amounts;
use super::period_batch::NO_TIMESTAMP;
use crate::base::merge::Merge;
use crate::base::money::Total;

/// Added to a timestamp to make it outrank every period end: the latest transaction decides recency, and only without any the period end.
/// Timestamps of the years 1 to 9999 need 58 bits.
pub(crate) const TRANSACTION: i64 = 1 << 60;

/// The time that recency counts from, as one number whose maximum is the answer.
#[inline]
pub(crate) fn reference(last_transaction: i64, period_end: i64) -> i64 {
    if last_transaction == NO_TIMESTAMP { period_end } else { last_transaction + TRANSACTION }
}

/// The timestamp in a reference, and whether it is a transaction's.
#[inline]
pub(crate) fn reference_time(reference: i64) -> (i64, bool) {
    if reference > TRANSACTION / 2 { (reference - TRANSACTION, true) } else { (reference, false) }
}

/// The window key of rows in no window.
pub(crate) const HISTORY: u32 = u32::MAX;

/// A row's part of its customer's sum in a window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addend {
    /// The window's key, or [`HISTORY`].
    pub(crate) window: u32,
    /// `period_start`.
    pub(crate) start: i64,
    /// The row's [`reference`](reference()).
    pub(crate) reference: i64,
    pub(crate) amounts: Amounts,
}

/// A customer's sum in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EntrySum {
    /// The earliest `period_start`.
    pub(crate) start: i64,
    /// The greatest [`reference`](reference()).
    pub(crate) reference: i64,
    /// Orders; saturating: the greatest value says that there were more.
    pub(crate) orders: i64,
    /// Whole cents, rounded down.
    pub(crate) cents: i64,
    /// Cents beyond 64 bits, to be added to `cents`, which are 0 where this is not.
    pub(crate) carry: i128,
    /// The rest, less than a cent, in 10⁻¹⁸ of money.
    pub(crate) fraction: u64,
}

impl EntrySum {
    /// Adds another sum of the customer in the window.
    #[inline]
    pub(crate) fn add(&mut self, other: &EntrySum) {
        self.start = self.start.min(other.start);
        self.reference = self.reference.max(other.reference);
        self.orders = self.orders.saturating_add(other.orders);
        match self.cents.checked_add(other.cents) {
            Some(cents) if self.is_whole() && other.is_whole() => self.cents = cents,
            _ => self.add_wide(other),
        }
    }

    /// Whether the money is `cents` and nothing else.
    #[inline]
    pub(crate) fn is_whole(&self) -> bool {
        self.carry == 0 && self.fraction == 0
    }

    /// The money.
    #[inline]
    pub(crate) fn total(&self) -> Total {
        Total::new(i128::from(self.cents) + self.carry, self.fraction)
    }

    #[cold]
    fn add_wide(&mut self, other: &EntrySum) {
        let mut total = self.total();
        total.merge(other.total());
        (self.carry, self.cents, self.fraction) = total.split();
    }
}

impl From<Addend> for EntrySum {
    #[inline]
    fn from(Addend { start, reference, amounts: Amounts { orders, cents, fraction }, .. }: Addend) -> Self {
        EntrySum { start, reference, orders, cents, carry: 0, fraction }
    }
}

/// The bytes of a row on its way from the router to its partition.
pub(crate) const ROW: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::{MAX_TIMESTAMP, MIN_TIMESTAMP};
    use crate::model::samples::{Held, held};
    use proptest::prelude::*;

    fn sum((start, reference, orders, total): Held) -> EntrySum {
        let (carry, cents, fraction) = total.split();
        EntrySum { start, reference, orders, cents, carry, fraction }
    }

    fn plus(mut a: EntrySum, b: EntrySum) -> EntrySum {
        a.add(&b);
        a
    }

    proptest! {
        /// The laws of merging, for the sum that the table, the merging of runs and the rolling up of windows use.
        #[test]
        fn sums_obey_the_laws(a in held(), b in held(), c in held()) {
            let (x, y, z) = (sum(a), sum(b), sum(c));
            prop_assert_eq!(plus(x, y), plus(y, x), "not commutative");
            prop_assert_eq!(plus(plus(x, y), z), plus(x, plus(y, z)), "not associative");
            let (mut orders, mut money) = (0i128, Total::default());
            for (_, _, o, total) in [a, b, c] {
                orders += i128::from(o);
                money.merge(total);
            }
            let all = plus(plus(x, y), z);
            prop_assert_eq!(all.start, a.0.min(b.0).min(c.0));
            prop_assert_eq!(all.reference, a.1.max(b.1).max(c.1));
            prop_assert_eq!(i128::from(all.orders), orders.min(i64::MAX.into()));
            prop_assert_eq!(all.total(), money);
            prop_assert!(all.carry == 0 || all.cents == 0, "one form for one sum");
        }
    }

    #[test]
    fn any_transaction_outranks_any_period_end() {
        assert!(reference(MIN_TIMESTAMP, MIN_TIMESTAMP) > reference(NO_TIMESTAMP, MAX_TIMESTAMP));
        for t in [MIN_TIMESTAMP, -1, 0, MAX_TIMESTAMP] {
            assert_eq!(reference_time(reference(t, 5)), (t, true));
            assert_eq!(reference_time(reference(NO_TIMESTAMP, t)), (t, false));
        }
    }
}
