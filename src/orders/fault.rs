//! What can be wrong with an order, or with a line because of others of its order, and how that is said of each line.

use super::Desk;
use super::partial_order::Bundle;
use super::validate::rejected;
use crate::base::money::Total;
use crate::model::line_columns::TransactionColumn as Column;
use crate::model::reject::{REJECT_HELP, Reason, Reject, shown_timestamp};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The line is there before.
    Twice,
    /// Its lines name two customers.
    Conflict,
    /// It is worth too much.
    Spend(Total),
    /// Its margin is too large.
    Margin(Total),
    /// There is too much of it.
    Quantity(Total),
    /// It lies after the observation end of its window. Both as the calendar on the wall has them.
    Late { time: i64, observation_end: i64 },
}

impl Fault {
    /// A line that is left out for it.
    pub(super) fn reject(self, line: &Bundle<'_>, desk: &Desk) -> Reject {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let (reason, column, value) = match self {
            Fault::Twice => (Reason::DuplicateLine, Column::OrderId, text(line.order)),
            Fault::Conflict => (Reason::OrderCustomerConflict, Column::CustomerId, line.customer.map_or(String::new(), text)),
            Fault::Spend(sum) => (Reason::AmountOutOfRange, Column::LineTotal, sum.rounded().to_string()),
            Fault::Margin(sum) => (Reason::AmountOutOfRange, Column::LineMargin, sum.rounded().to_string()),
            Fault::Quantity(sum) => (Reason::AmountOutOfRange, Column::Quantity, sum.rounded().to_string()),
            Fault::Late { time, .. } => (Reason::AfterObservationEnd, Column::EventTs, shown_timestamp(time)),
        };
        let at = if let Fault::Late { observation_end, .. } = self { Some(shown_timestamp(observation_end)) } else { None };
        Reject { at, ..rejected(line, desk, reason, column, value) }
    }

    /// What can be done about it.
    pub(super) const fn help(self) -> &'static str {
        match self {
            Fault::Twice => "leave all but one out with `duplicates=drop`, or let them count with `duplicates=keep`",
            Fault::Spend(_) => "what an order comes to must be below 10^15; is the column of order ids the right one?",
            Fault::Margin(_) => "what an order earns must be below 10^15; is the column of order ids the right one?",
            Fault::Conflict | Fault::Quantity(_) => {
                "is the column of order ids the right one? Such orders are left out with `on_bad_row=reject`"
            }
            Fault::Late { .. } => REJECT_HELP,
        }
    }
}
