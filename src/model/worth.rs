//! The columns that say what lines are worth: which of them count, and which one a line was read from.

use super::line_columns::TransactionColumn;
use serde::{Deserialize, Serialize};

/// Which columns say what lines of orders are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum AmountFrom {
    /// `line_total`, or else `quantity` × `unit_price`, line by line. Lines of one order must all be of one kind.
    #[default]
    Auto,
    /// `line_total` only: a line without is worth 0.00.
    Total,
    /// `quantity` × `unit_price` only.
    Price,
    /// None: lines are worth 0.00, and are counted only.
    None,
}

impl AmountFrom {
    /// Whether an input must have the column for it.
    pub const fn needs(self, column: TransactionColumn) -> bool {
        match self {
            AmountFrom::Auto | AmountFrom::None => false,
            AmountFrom::Total => matches!(column, TransactionColumn::LineTotal),
            AmountFrom::Price => matches!(column, TransactionColumn::UnitPrice),
        }
    }
}
