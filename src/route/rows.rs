//! The message from route to accumulate: some rows of one partition, each one cache line, in a buffer that goes round and round.

use crate::money::Amount;
use crate::source::NO_TIMESTAMP;

/// Rows in a buffer. 128 rows are 8 KiB: small enough that 1,024 of them stay in a core's cache, large enough to amortize a send.
pub(crate) const ROWS_PER_BUFFER: usize = 128;
/// A buffer is sent early when its long ids take up this much.
const BYTES_PER_BUFFER: usize = 1 << 16;
/// Ids up to this length live inside their view.
pub(crate) const INLINE: usize = 12;

/// Added to a timestamp to make it outrank every period end: the latest transaction decides recency, and only without any the period end.
/// Timestamps of the years 1 to 9999 need 58 bits.
const TRANSACTION: i64 = 1 << 60;

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

/// A row on its way to its partition: 64 bytes.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct Row {
    /// The id in Arrow's view layout; a long id lies in [`Rows::bytes`].
    pub(crate) view: u128,
    pub(crate) hash: u64,
    pub(crate) start: i64,
    pub(crate) reference: i64,
    pub(crate) orders: i64,
    pub(crate) cents: i64,
    /// The window's key, or [`HISTORY`].
    pub(crate) window: u32,
    /// One more than the place of the row's fraction of a cent in [`Rows::fractions`]; 0 for whole cents.
    pub(crate) fraction: u32,
}

/// A buffer of rows.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) rows: Vec<Row>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) fractions: Vec<u64>,
}

impl Rows {
    pub(crate) fn is_full(&self) -> bool {
        self.rows.len() >= ROWS_PER_BUFFER || self.bytes.len() >= BYTES_PER_BUFFER
    }

    /// Appends a row; its view and its fraction are set here.
    #[inline]
    pub(crate) fn push(&mut self, id: &[u8], view: u128, amount: Amount, mut row: Row) {
        if self.rows.capacity() == 0 {
            self.rows.reserve_exact(ROWS_PER_BUFFER);
        }
        row.view = view;
        if id.len() > INLINE {
            row.view = long_view(view, 0, self.bytes.len() as u32);
            self.bytes.extend_from_slice(id);
        }
        row.cents = amount.cents;
        row.fraction = 0;
        if amount.fraction != 0 {
            self.fractions.push(amount.fraction);
            row.fraction = self.fractions.len() as u32;
        }
        self.rows.push(row);
    }

    /// The bytes of a long id; nothing for an inline one.
    #[inline]
    pub(crate) fn long_id(&self, view: u128) -> &[u8] {
        let (length, _, offset) = parts(view);
        if length <= INLINE { &[] } else { &self.bytes[offset..offset + length] }
    }

    #[inline]
    pub(crate) fn fraction(&self, row: &Row) -> u64 {
        if row.fraction == 0 { 0 } else { self.fractions[row.fraction as usize - 1] }
    }

    /// Forgets the rows and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.bytes.clear();
        self.fractions.clear();
    }
}

/// The view of a long id that lies elsewhere: length and prefix stay, block and offset change.
#[inline]
pub(crate) fn long_view(view: u128, block: u32, offset: u32) -> u128 {
    (view & u128::from(u64::MAX)) | (u128::from(block) << 64) | (u128::from(offset) << 96)
}

/// Length, block and offset of a view; block and offset mean nothing for an inline id.
#[inline]
pub(crate) fn parts(view: u128) -> (usize, usize, usize) {
    (view as u32 as usize, (view >> 64) as u32 as usize, (view >> 96) as u32 as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::{MAX_TIMESTAMP, MIN_TIMESTAMP};

    #[test]
    fn a_row_is_a_cache_line() {
        assert_eq!(size_of::<Row>(), 64);
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
