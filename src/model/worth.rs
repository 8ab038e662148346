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
    /// `line_total`, which is that of the whole order and stands on each of its lines, or on some: it counts once. Lines that say another
    /// are bad, and lines are not looked through for copies.
    Order,
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
            AmountFrom::Total | AmountFrom::Order => matches!(column, TransactionColumn::LineTotal),
            AmountFrom::Price => matches!(column, TransactionColumn::UnitPrice),
        }
    }
}

/// The column that a line's worth was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum WorthColumn {
    /// The line says nothing of its worth, and counts 0.00.
    #[default]
    Nothing,
    /// `unit_price`, with `quantity` where it is there.
    UnitPrice,
    /// `line_total`.
    LineTotal,
}

/// The columns that the worth of lines was read from, one for all lines where they have it in common.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WorthColumns {
    common: WorthColumn,
    /// Empty where all have it in common.
    each: Vec<WorthColumn>,
}

impl WorthColumns {
    /// One column for all lines.
    pub fn all(common: WorthColumn) -> Self {
        WorthColumns { common, each: Vec::new() }
    }

    /// That of a line.
    #[inline]
    pub fn get(&self, row: usize) -> WorthColumn {
        self.each.get(row).copied().unwrap_or(self.common)
    }

    /// The one of all lines, if it is one.
    pub fn common(&self) -> Option<WorthColumn> {
        self.each.is_empty().then_some(self.common)
    }

    /// Adds that of the next line, the lines before it being so many.
    #[inline]
    pub(crate) fn push(&mut self, before: usize, column: WorthColumn) {
        if before == 0 {
            self.common = column;
        }
        if self.common != column || !self.each.is_empty() {
            self.put(before, column);
        }
    }

    #[cold]
    fn put(&mut self, before: usize, column: WorthColumn) {
        self.each.resize(before, self.common);
        self.each.push(column);
    }
}
