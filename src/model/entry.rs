//! What a customer did in one window: the sum that rows add to, wherever they meet.

use super::amounts::Amounts;
use super::period_batch::NO_TIMESTAMP;

/// Added to a timestamp to make it outrank every period end: the latest transaction decides recency, and only without any the period end.
/// Timestamps of the years 1 to 9999 need 58 bits.
pub(crate) const TRANSACTION: i64 = 1 << 60;

/// What recency counts from, as one number whose maximum is the answer.
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

/// What a row, or an entry of another state, adds to a customer's state.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addend {
    /// The window's key, or [`HISTORY`].
    pub(crate) window: u32,
    /// The earliest `period_start`.
    pub(crate) start: i64,
    /// The greatest [`reference`].
    pub(crate) reference: i64,
    pub(crate) amounts: Amounts,
}

/// The bytes of a row on its way from the router to its partition.
pub(crate) const ROW: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::{MAX_TIMESTAMP, MIN_TIMESTAMP};

    #[test]
    fn any_transaction_outranks_any_period_end() {
        assert!(reference(MIN_TIMESTAMP, MIN_TIMESTAMP) > reference(NO_TIMESTAMP, MAX_TIMESTAMP));
        for t in [MIN_TIMESTAMP, -1, 0, MAX_TIMESTAMP] {
            assert_eq!(reference_time(reference(t, 5)), (t, true));
            assert_eq!(reference_time(reference(NO_TIMESTAMP, t)), (t, false));
        }
    }
}
