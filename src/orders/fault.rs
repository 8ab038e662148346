//! The faults of orders, and of lines because of others of their order, and the rejects of lines that are left out for them.

use super::Validation;
use super::partial_order::PartialOrder;
use super::validate::rejected;
use crate::base::money::Total;
use crate::model::line_columns::TransactionColumn as Column;
use crate::model::reject::{REJECT_HELP, Reason, Reject, shown_timestamp};

/// Advice about lines and orders without a customer.
pub(super) const ANONYMOUS_HELP: &str =
    "leave such lines out with `anonymous=drop`, report them with `anonymous=report`, or name the column with `columns.customer_id=NAME`";
/// Advice about refunds.
pub(super) const REFUND_HELP: &str = "take them off what the customer spent with `refunds=net`, or leave them out with `refunds=drop`";

/// A fault of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The line is a duplicate of one before it.
    Duplicate,
    /// Its lines name two customers.
    Conflict,
    /// None of its lines names a customer.
    Anonymous,
    /// None of its lines has a time.
    Timeless,
    /// The line gives money back, in an order that has a customer from other lines.
    Refund,
    /// The line has a `unit_price` only, and the one at this position a `line_total`.
    Worth { total: u64 },
    /// The line says another total of the order than the one at this position.
    Total { first: u64 },
    /// It is worth too much.
    Spend(Total),
    /// Its margin is too large.
    Margin(Total),
    /// Its quantity is too large.
    Quantity(Total),
    /// The state has another order with its id.
    Changed,
    /// It lies after the observation end of its window. Both in local time.
    Late { time: i64, observation_end: i64 },
}

impl Fault {
    /// The reject of a line that is left out for it.
    pub(super) fn reject(self, line: &PartialOrder<'_>, validation: &Validation) -> Reject {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let (reason, value) = match self {
            Fault::Duplicate => (Reason::DuplicateLine, text(line.order)),
            Fault::Changed => (Reason::ChangedOrder, text(line.order)),
            Fault::Conflict => (Reason::OrderCustomerConflict, line.customer.map_or(String::new(), text)),
            Fault::Anonymous | Fault::Timeless => (Reason::MissingValue, String::new()),
            Fault::Refund => (Reason::Refund, line.spend.to_string()),
            Fault::Worth { .. } => (Reason::OrderWorthConflict, String::new()),
            Fault::Total { .. } => (Reason::OrderWorthConflict, line.spend.to_string()),
            Fault::Spend(sum) | Fault::Margin(sum) | Fault::Quantity(sum) => (Reason::AmountOutOfRange, sum.rounded().to_string()),
            Fault::Late { time, .. } => (Reason::AfterObservationEnd, shown_timestamp(time)),
        };
        let at = match self {
            Fault::Late { observation_end, .. } => Some(shown_timestamp(observation_end)),
            Fault::Worth { total } => Some(format!(
                "here is only a unit_price, and {} of order {:?} has a line_total",
                validation.provenance.place(total),
                text(line.order)
            )),
            Fault::Total { first } => {
                Some(format!("{} of order {:?} says another total of it", validation.provenance.place(first), text(line.order)))
            }
            _ => None,
        };
        Reject { at, ..rejected(line, validation, reason, self.column(), value) }
    }

    /// The column at fault.
    pub(super) const fn column(self) -> Column {
        match self {
            Fault::Duplicate | Fault::Changed => Column::OrderId,
            Fault::Conflict | Fault::Anonymous => Column::CustomerId,
            Fault::Refund | Fault::Worth { .. } | Fault::Total { .. } | Fault::Spend(_) => Column::LineTotal,
            Fault::Margin(_) => Column::LineMargin,
            Fault::Quantity(_) => Column::Quantity,
            Fault::Timeless | Fault::Late { .. } => Column::EventTs,
        }
    }

    /// Advice about it.
    pub(super) const fn help(self) -> &'static str {
        match self {
            Fault::Duplicate => "leave all but one out with `duplicates=drop`, or let them count with `duplicates=keep`",
            Fault::Changed => {
                "if the order was corrected, take in the file that had it anew with `replace=true`; or leave such orders out, with their \
                 amounts, with `on_bad_row=reject`"
            }
            Fault::Spend(_) => "what an order comes to must be below 10^15; is the column of order ids the right one?",
            Fault::Margin(_) => "what an order earns must be below 10^15; is the column of order ids the right one?",
            Fault::Conflict | Fault::Quantity(_) => {
                "is the column of order ids the right one? Such orders are left out with `on_bad_row=reject`"
            }
            Fault::Anonymous => ANONYMOUS_HELP,
            Fault::Refund => REFUND_HELP,
            Fault::Worth { .. } => {
                "count `line_total` alone with `amount=total`: lines without are worth nothing; or quantity × unit_price alone with `amount=price`"
            }
            Fault::Total { .. } => "if each line says its own worth, run with `amount=total`",
            Fault::Timeless | Fault::Late { .. } => REJECT_HELP,
        }
    }
}
