//! The columns of period aggregations, and what an input calls them.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The columns of period aggregations that the engine reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Column {
    /// Opaque, compared byte for byte; text or integer.
    CustomerId,
    /// Inclusive; timestamp, date or text.
    PeriodStart,
    /// Exclusive; timestamp, date or text.
    PeriodEnd,
    /// Orders in the period: an integer, at least 0.
    TotalOrders,
    /// Money spent in the period; decimal, float, integer or text.
    TotalSpend,
    /// The last transaction in the period; may be null or absent.
    LastTransactionTs,
}

impl Column {
    /// All of them, in the order in which a row's faults are looked for.
    pub const ALL: [Column; 6] =
        [Column::CustomerId, Column::PeriodStart, Column::PeriodEnd, Column::TotalOrders, Column::TotalSpend, Column::LastTransactionTs];

    /// Its name in specs, options, reports and, unless mapped, in the input.
    pub const fn name(self) -> &'static str {
        match self {
            Column::CustomerId => "customer_id",
            Column::PeriodStart => "period_start",
            Column::PeriodEnd => "period_end",
            Column::TotalOrders => "total_orders",
            Column::TotalSpend => "total_spend",
            Column::LastTransactionTs => "last_transaction_ts",
        }
    }

    /// The column of that name.
    pub fn from_name(name: &str) -> Option<Column> {
        Column::ALL.into_iter().find(|c| c.name() == name)
    }

    /// Whether an input may lack it.
    pub const fn is_optional(self) -> bool {
        matches!(self, Column::LastTransactionTs)
    }
}

/// The input's names of the columns, where they differ from [`Column::name`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ColumnMap(pub BTreeMap<Column, String>);

impl ColumnMap {
    /// The input's name of a column.
    pub fn name(&self, column: Column) -> &str {
        self.0.get(&column).map_or(column.name(), String::as_str)
    }
}
