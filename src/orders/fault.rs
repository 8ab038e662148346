//! The faults of orders, and of lines because of others of their order, and the rejects of lines that are left out for them.

use super::Validation;
use super::partial_order::PartialOrder;
use super::validate::rejected;
use crate::base::money::Total;
use crate::model::line_columns::TransactionColumn as Column;
use crate::model::reject::{REJECT_HELP, Reason, Reject, shown_timestamp};

/// A fault of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The line is a duplicate of one before it.
    Duplicate,
    /// Its lines name two customers.
    Conflict,
    /// It is worth too much.
    Spend(Total),
    /// Its margin is too large.
    Margin(Total),
    /// Its quantity is too large.
    Quantity(Total),
    /// It lies after the observation end of its window. Both in local time.
    Late { time: i64, observation_end: i64 },
}

impl Fault {
    /// The reject of a line that is left out for it.
    pub(super) fn reject(self, line: &PartialOrder<'_>, validation: &Validation) -> Reject {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let (reason, value) = match self {
            Fault::Duplicate => (Reason::DuplicateLine, text(line.order)),
            Fault::Conflict => (Reason::OrderCustomerConflict, line.customer.map_or(String::new(), text)),
            Fault::Spend(sum) | Fault::Margin(sum) | Fault::Quantity(sum) => (Reason::AmountOutOfRange, sum.rounded().to_string()),
            Fault::Late { time, .. } => (Reason::AfterObservationEnd, shown_timestamp(time)),
        };
        let at = if let Fault::Late { observation_end, .. } = self { Some(shown_timestamp(observation_end)) } else { None };
        Reject { at, ..rejected(line, validation, reason, self.column(), value) }
    }

    /// The column at fault.
    pub(super) const fn column(self) -> Column {
        match self {
            Fault::Duplicate => Column::OrderId,
            Fault::Conflict => Column::CustomerId,
            Fault::Spend(_) => Column::LineTotal,
            Fault::Margin(_) => Column::LineMargin,
            Fault::Quantity(_) => Column::Quantity,
            Fault::Late { .. } => Column::EventTs,
        }
    }

    /// Advice about it.
    pub(super) const fn help(self) -> &'static str {
        match self {
            Fault::Duplicate => "leave all but one out with `duplicates=drop`, or let them count with `duplicates=keep`",
            Fault::Spend(_) => "what an order comes to must be below 10^15; is the column of order ids the right one?",
            Fault::Margin(_) => "what an order earns must be below 10^15; is the column of order ids the right one?",
            Fault::Conflict | Fault::Quantity(_) => {
                "is the column of order ids the right one? Such orders are left out with `on_bad_row=reject`"
            }
            Fault::Late { .. } => REJECT_HELP,
        }
    }
}
