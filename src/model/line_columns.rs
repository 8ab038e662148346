//! The columns of orders and line items, and what an input calls them.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How [`TransactionColumn::EventTs`] may be called too.
pub(crate) const ORDER_TS: &str = "order_ts";

/// Its names where it is not mapped, in the grammar of mappings.
pub(crate) const EVENT_OR_ORDER_TS: &str = "event_ts|order_ts";

/// The columns of transactions that the engine reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransactionColumn {
    /// The order, which all its lines name; text or integer.
    OrderId,
    /// Opaque, compared byte for byte; text or integer. May be null.
    CustomerId,
    /// When the line was bought; timestamp, date or text. An input may call it `order_ts` instead.
    #[serde(alias = "order_ts")]
    EventTs,
    /// How much was bought, a decimal; 1 where absent.
    Quantity,
    /// The price of one item; 0 where absent.
    UnitPrice,
    /// The price of the whole line.
    LineTotal,
    /// The margin of the whole line.
    LineMargin,
    /// The margin of one item.
    UnitMargin,
    /// The shop's cost of one item; 0 where absent.
    UnitCost,
    /// The product; text or integer.
    ProductId,
}

impl TransactionColumn {
    /// All of them, in the order in which a row's faults are looked for.
    pub const ALL: [TransactionColumn; 10] = [
        TransactionColumn::OrderId,
        TransactionColumn::CustomerId,
        TransactionColumn::EventTs,
        TransactionColumn::Quantity,
        TransactionColumn::UnitPrice,
        TransactionColumn::LineTotal,
        TransactionColumn::LineMargin,
        TransactionColumn::UnitMargin,
        TransactionColumn::UnitCost,
        TransactionColumn::ProductId,
    ];

    /// Those that say what a line is worth.
    pub(crate) const WORTH: [TransactionColumn; 3] =
        [TransactionColumn::Quantity, TransactionColumn::UnitPrice, TransactionColumn::LineTotal];

    /// Those that are numbers, in the order of `Said` in the reader.
    pub(crate) const NUMBERS: [TransactionColumn; 6] = [
        TransactionColumn::Quantity,
        TransactionColumn::UnitPrice,
        TransactionColumn::LineTotal,
        TransactionColumn::LineMargin,
        TransactionColumn::UnitMargin,
        TransactionColumn::UnitCost,
    ];

    /// Its name in specs, options, reports and, unless mapped, in the input.
    pub const fn name(self) -> &'static str {
        match self {
            TransactionColumn::OrderId => "order_id",
            TransactionColumn::CustomerId => "customer_id",
            TransactionColumn::EventTs => "event_ts",
            TransactionColumn::Quantity => "quantity",
            TransactionColumn::UnitPrice => "unit_price",
            TransactionColumn::LineTotal => "line_total",
            TransactionColumn::LineMargin => "line_margin",
            TransactionColumn::UnitMargin => "unit_margin",
            TransactionColumn::UnitCost => "unit_cost",
            TransactionColumn::ProductId => "product_id",
        }
    }

    /// The column of that name.
    pub fn from_name(name: &str) -> Option<TransactionColumn> {
        let known = TransactionColumn::ALL.into_iter().find(|c| c.name() == name);
        known.or_else(|| (name == ORDER_TS).then_some(TransactionColumn::EventTs))
    }

    /// Whether an input may lack it.
    pub const fn is_optional(self) -> bool {
        !matches!(self, TransactionColumn::OrderId | TransactionColumn::CustomerId | TransactionColumn::EventTs)
    }
}

/// The input's names of the columns, where they differ from [`TransactionColumn::name`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TransactionColumns(pub BTreeMap<TransactionColumn, String>);

impl TransactionColumns {
    /// The input's name of a column.
    pub fn name(&self, column: TransactionColumn) -> &str {
        self.0.get(&column).map_or(column.name(), String::as_str)
    }
}
