//! The last step of every order, however it was read: it is counted, its sums become the numbers of a row, or a fault of it shows.
//!
//! Grouped orders come here as totals, orders of one partial order or of one row as amounts.

use super::LineSummary;
use super::fault::Fault;
use super::to_periods::{PeriodFinder, cents, cents_of};
use crate::base::money::{Amount, Total};

/// A sum of an order: one amount, or the total of several.
pub(super) trait Sum: Copy + Into<Total> {
    /// The sum in cents, if it is one that a row may have.
    fn cents(self) -> Option<i64>;

    /// Whether its whole cents fit 64 bits.
    fn fits(self) -> bool;
}

impl Sum for Amount {
    #[inline]
    fn cents(self) -> Option<i64> {
        cents_of(self)
    }

    #[inline]
    fn fits(self) -> bool {
        true
    }
}

impl Sum for Total {
    fn cents(self) -> Option<i64> {
        cents(self)
    }

    fn fits(self) -> bool {
        self.split().0 == 0
    }
}

/// The sums of an order, or of a customer's refunds that belong to none.
pub(super) struct Sums<S> {
    /// The time of its earliest line that is no refund, or of all where all are; microseconds since 1970, UTC.
    pub(super) time: i64,
    /// Whether it counts as an order.
    pub(super) counts: bool,
    pub(super) spend: S,
    pub(super) margin: S,
    pub(super) quantity: S,
}

/// The money of an order that counts, in cents, rounded.
pub(super) struct Settled {
    pub(super) spend: i64,
    pub(super) margin: i64,
}

impl PeriodFinder {
    /// Counts an order, and gives its money; nothing when it names no customer.
    ///
    /// # Errors
    /// The fault of an order that no row can hold, or that comes too late for its window; then it is not counted.
    #[inline]
    pub(super) fn settle<S: Sum>(&self, named: bool, sums: &Sums<S>, counted: &mut LineSummary) -> Result<Option<Settled>, Fault> {
        let Sums { time, counts, spend, margin, quantity } = *sums;
        if !named {
            counted.add_anonymous(counts, spend.into());
            return Ok(None);
        }
        let settled = match (spend.cents(), margin.cents(), self.fault(time, counts)) {
            (None, ..) => return Err(Fault::Spend(spend.into())),
            (_, None, _) => return Err(Fault::Margin(margin.into())),
            _ if !quantity.fits() => return Err(Fault::Quantity(quantity.into())),
            (.., Some(fault)) => return Err(fault),
            (Some(spend), Some(margin), None) => Settled { spend, margin },
        };
        counted.orders += u64::from(counts);
        let exact: Total = spend.into();
        if !exact.is_cents() {
            counted.add_rounding(exact);
        }
        Ok(Some(settled))
    }
}
