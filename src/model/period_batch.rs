//! Decoded period aggregations, column by column: the message from a source to the router.

use super::columns::Column;
use super::reject::Reason;
use crate::base::time::{DAY, MAX_TIMESTAMP};
use arrow::array::StringViewArray;
use arrow::buffer::ScalarBuffer;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The value for "no timestamp" in [`PeriodBatch::last_transactions`].
pub const NO_TIMESTAMP: i64 = i64::MIN;

/// The input of a batch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Origin {
    /// The path, `stdin`, or what the caller named it.
    pub name: String,
}

/// Decoded rows, column by column; all columns have the same length.
#[derive(Debug, Clone)]
pub struct PeriodBatch {
    /// The input.
    pub origin: Arc<Origin>,
    /// The number of the first row in the input; rows count from 1, without a header.
    pub first_row: u64,
    /// The line of the first row, where the input is text and every row of the batch takes one line.
    pub first_line: Option<u64>,
    /// Customer ids.
    pub ids: StringViewArray,
    /// `period_start`, in microseconds since 1970.
    pub starts: ScalarBuffer<i64>,
    /// `period_end`, likewise.
    pub ends: ScalarBuffer<i64>,
    /// `total_orders`.
    pub orders: ScalarBuffer<i64>,
    /// `total_spend` in whole cents, rounded down.
    pub cents: ScalarBuffer<i64>,
    /// The rest of `total_spend`, in 10⁻¹⁸ of money; empty when that is nothing in every row.
    pub fractions: ScalarBuffer<u64>,
    /// `last_transaction_ts`, or [`NO_TIMESTAMP`]; empty when the input has no such column.
    pub last_transactions: ScalarBuffer<i64>,
    /// Values that could not be read, by row and column. The row's other columns may hold anything where one is listed.
    pub bad: Vec<Bad>,
    /// Rows that filters leave out, ascending; their columns may hold anything.
    pub skipped: Vec<u32>,
    /// Finds the input and row of each row, for batches whose rows do not follow each other in one input.
    pub whence: Option<Whence>,
    /// Whether each row is an order: what happened did so at its last transaction, wherever in the period that lies.
    pub of_orders: bool,
}

/// Says where a row of a batch came from: the input, its row, and its line in a text.
#[derive(Clone)]
pub struct Whence(Arc<dyn Fn(usize) -> (String, u64, Option<u64>) + Send + Sync>);

impl Whence {
    /// By a function of the row's place in the batch.
    pub fn new(find: impl Fn(usize) -> (String, u64, Option<u64>) + Send + Sync + 'static) -> Self {
        Whence(Arc::new(find))
    }
}

impl std::fmt::Debug for Whence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Whence")
    }
}

impl PeriodBatch {
    /// Makes ends that are the last day, second, millisecond or microsecond of a period those that follow them.
    pub(crate) fn end_after(&mut self) {
        let after = |end: i64| match end {
            NO_TIMESTAMP => end,
            end => {
                let unit = [DAY, 1_000_000, 1_000].into_iter().find(|unit| end % unit == 0).unwrap_or(1);
                (end + unit).min(MAX_TIMESTAMP)
            }
        };
        self.ends = self.ends.iter().map(|&end| after(end)).collect::<Vec<_>>().into();
    }

    /// The input, the row and the line that a row of the batch came from.
    pub(crate) fn whence(&self, i: usize) -> (String, u64, Option<u64>) {
        match &self.whence {
            Some(Whence(find)) => find(i),
            None => (self.origin.name.clone(), self.first_row + i as u64, self.first_line.map(|line| line + i as u64)),
        }
    }
}

/// A value that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Bad<C = Column> {
    /// Its row in the batch.
    pub row: u32,
    /// Its column.
    pub column: C,
    /// Why.
    pub reason: Reason,
    /// As it was read; of a value longer than 1 KiB, the beginning.
    pub value: String,
}

/// The most bytes of a value that could not be read: many rows may have one and the same long text.
const KEPT: usize = 1 << 10;

/// What is kept of a value that could not be read.
pub(crate) fn kept_value(value: &str) -> String {
    let begin = beginning(value);
    if begin.len() < value.len() { format!("{begin}…") } else { value.to_owned() }
}

/// The beginning of a text, as far as it is kept where it is only looked at.
#[inline]
pub(crate) fn beginning(text: &str) -> &str {
    if text.len() <= KEPT {
        return text;
    }
    let end = (0..=KEPT).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    &text[..end]
}
