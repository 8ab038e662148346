//! Decoded orders and line items, column by column: the message from a source to the grouping of orders.

use super::line_columns::TransactionColumn;
use super::period_batch::{Bad, Origin};
use super::worth::WorthColumns;
use crate::base::money::Amount;
use arrow::array::StringViewArray;
use arrow::buffer::ScalarBuffer;
use std::sync::Arc;

/// Decoded line items, column by column; all columns that are there have the same length.
#[derive(Debug, Clone)]
pub struct TransactionBatch {
    /// The input.
    pub origin: Arc<Origin>,
    /// The number of the first row in the input; rows count from 1, without a header.
    pub first_row: u64,
    /// The line of the first row, where the input is text and every row of the batch takes one line.
    pub first_line: Option<u64>,
    /// Order ids. Where each row is an order of its own, there may be none, or no rows.
    pub orders: StringViewArray,
    /// Customer ids; null where none is named, which is no fault here.
    pub customers: StringViewArray,
    /// When it happened, in microseconds since 1970, UTC; [`NO_TIMESTAMP`](super::NO_TIMESTAMP) where nothing is said, which is no fault here,
    /// unless each row is an order of its own.
    pub times: ScalarBuffer<i64>,
    /// The worth of each line.
    pub spend: Vec<Amount>,
    /// The columns that it was read from.
    pub worth: WorthColumns,
    /// The part of it that is margin; may be empty where it was not asked for.
    pub margin: Vec<Amount>,
    /// How much of the product; 1 where nothing is said.
    pub quantity: Vec<Amount>,
    /// Product ids; none where no row of the batch has one.
    pub products: Option<StringViewArray>,
    /// Rows that filters leave out, ascending; their columns may hold anything.
    pub skipped: Vec<u32>,
    /// Values that could not be read, by row and column. The row's other columns may hold anything where one is listed.
    pub bad: Vec<BadLine>,
}

/// A value of a line that could not be read.
pub type BadLine = Bad<TransactionColumn>;
