//! Lines without a customer. Where another line of their order names one, it is theirs too; only an order of which no line names one is
//! without a customer, and its lines are what the policy makes of them.

use super::fault::Fault;
use super::partial_order::PartialOrder;
use super::{Anonymous, LineSummary, OrderOptions, Refunds, line_record};
use crate::base::error::{Error, Result};
use crate::spill::Records;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What becomes of lines without a customer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Counts,
    LeftOut,
    Bad(Fault),
}

/// What becomes of lines, where their order has a customer or not. Lines that name one have been validated before.
pub(super) fn admission(partial: &PartialOrder<'_>, named: bool, options: &OrderOptions) -> Admission {
    if partial.customer.is_some() {
        return Admission::Counts;
    }
    match options.anonymous {
        _ if named => {}
        Anonymous::Fail => return Admission::Bad(Fault::Anonymous),
        Anonymous::Drop => return Admission::LeftOut,
        Anonymous::Report => {}
    }
    match options.refunds {
        _ if partial.counts => Admission::Counts,
        Refunds::Fail => Admission::Bad(Fault::Refund),
        Refunds::Net => Admission::Counts,
        Refunds::Drop => Admission::LeftOut,
    }
}

/// Counts lines that name no customer: as lines without one, and as refunds, as far as they are not bad for it.
pub(super) fn count(partial: &PartialOrder<'_>, named: bool, options: &OrderOptions, tally: &mut LineSummary) {
    let lines = u64::from(partial.lines);
    if !named && options.anonymous != Anonymous::Fail {
        tally.anonymous_lines += lines;
        if options.anonymous == Anonymous::Drop {
            tally.anonymous_dropped.add(partial.spend);
        }
    }
    let counts = named || options.anonymous == Anonymous::Report;
    if counts && !partial.counts && options.refunds != Refunds::Fail {
        tally.refund_lines += lines;
        tally.refunds.add(partial.spend);
    }
}

/// The keys of the orders of which no line names a customer.
pub(super) fn nameless_orders(records: &Arc<Records>) -> Result<BTreeSet<Vec<u8>>> {
    let (mut nameless, mut open, mut sorted) = (BTreeSet::new(), None::<(Vec<u8>, bool)>, records.read());
    let mut end = |order: Option<(Vec<u8>, bool)>| nameless.extend(order.filter(|(_, named)| !named).map(|(key, _)| key));
    while let Some(found) = sorted.next()? {
        let record = line_record::read(found).ok_or_else(damaged)?;
        match &mut open {
            Some((key, named)) if key == record.key => *named |= record.customer.is_some(),
            _ => end(open.replace((record.key.to_vec(), record.customer.is_some()))),
        }
    }
    end(open);
    Ok(nameless)
}

/// The error of a record that cannot be read.
pub(super) fn damaged() -> Error {
    Error::internal("a record that is no line's")
}
