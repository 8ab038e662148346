//! A part's records, in order → its orders. The lines of an order follow each other: those of nobody first, then customer by customer,
//! each in the order of time; equal lines are neighbours.

use super::line::{Line, Place, Read, read};
use super::{Anonymous, Desk, Duplicates, Tally};
use crate::error::{Error, Result};
use crate::merge::Merge;
use crate::money::{Money, Total};
use crate::reject::{Reason, Reject};
use crate::source::transactions::TransactionColumn as Column;
use crate::spill::Records;
use crate::sync::lock;
use std::sync::Arc;

/// Lines of an order that are kept to be named one by one.
const MOST_KEPT: usize = 16 << 20;

/// An order, or a customer's refunds that belong to none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) customer: Vec<u8>,
    /// Of its earliest line that is no refund, or of all where all are; microseconds since 1970, UTC.
    pub(super) time: i64,
    /// Whether it counts as an order.
    pub(super) counts: bool,
    pub(super) spend: Total,
    pub(super) margin: Total,
    pub(super) quantity: Total,
}

/// What is known of the order at hand.
#[derive(Default)]
struct Current {
    /// What its records begin with; empty before the first.
    key: Vec<u8>,
    order: Option<Order>,
    named: bool,
    /// Of two customers.
    conflict: bool,
    /// Its records, one after the other, with their lengths before them; and whether all are here.
    kept: Vec<u8>,
    forgotten: bool,
    /// The last record, without its place.
    last: Vec<u8>,
    lines: u64,
}

/// Groups a part; `take` gets its orders.
pub(super) fn group(records: &Arc<Records>, desk: &Desk, mut take: impl FnMut(&Order) -> Result<()>) -> Result<()> {
    let mut merged = records.read();
    let (mut current, mut tally) = (Current::default(), Tally::default());
    while let Some(record) = merged.next()? {
        desk.cancel.check()?;
        let read = read(record).ok_or_else(|| Error::internal("a record that is no line's"))?;
        if read.order != current.key {
            current.end(desk, &mut tally, &mut take)?;
            current.key.extend_from_slice(read.order);
        }
        current.add(&read, record, desk, &mut tally)?;
    }
    current.end(desk, &mut tally, &mut take)?;
    lock(&desk.tally).merge(tally);
    Ok(())
}

impl Current {
    fn add(&mut self, read: &Read<'_>, record: &[u8], desk: &Desk, tally: &mut Tally) -> Result<()> {
        let Read { line, same, .. } = read;
        if self.last == *same && desk.options.duplicates != Duplicates::Keep {
            if desk.options.duplicates == Duplicates::Drop {
                tally.summary.duplicate_lines += 1;
                return Ok(());
            }
            let order = String::from_utf8_lossy(&line.order).into_owned();
            let reject = rejected(line, desk, Reason::DuplicateLine, Column::OrderId, order);
            return desk.reject(reject, "leave all but one out with --duplicates drop, or let them count with --duplicates keep");
        }
        self.last.clear();
        self.last.extend_from_slice(same);
        self.lines += 1;
        if self.kept.len() + record.len() <= MOST_KEPT {
            self.kept.extend_from_slice(&(record.len() as u32).to_le_bytes());
            self.kept.extend_from_slice(record);
        } else {
            self.forgotten = true;
        }
        let refund = is_refund(line);
        let customer = line.customer.as_deref().unwrap_or_default();
        match &mut self.order {
            None => {
                let one = |amount| {
                    let mut total = Total::default();
                    total.add(amount);
                    total
                };
                let (spend, margin, quantity) = (one(line.spend), one(line.margin), one(line.quantity));
                self.named = line.customer.is_some();
                self.order = Some(Order { customer: customer.to_vec(), time: line.time, counts: !refund, spend, margin, quantity });
            }
            Some(order) => {
                self.conflict |= order.customer != customer || self.named != line.customer.is_some();
                match (order.counts, refund) {
                    (false, false) => (order.time, order.counts) = (line.time, true),
                    (counts, refund) if counts != refund => order.time = order.time.min(line.time),
                    _ => {}
                }
                order.spend.add(line.spend);
                order.margin.add(line.margin);
                order.quantity.add(line.quantity);
            }
        }
        Ok(())
    }

    /// Ends the order at hand, and is ready for another.
    fn end(&mut self, desk: &Desk, tally: &mut Tally, take: &mut impl FnMut(&Order) -> Result<()>) -> Result<()> {
        let Some(order) = self.order.take() else { return Ok(()) };
        if self.conflict {
            self.refuse(desk)?;
        } else if !self.named {
            if desk.options.anonymous == Anonymous::Report {
                let (orders, revenue) = (&mut tally.summary.anonymous_orders, &mut tally.summary.anonymous_revenue);
                *orders += u64::from(order.counts);
                *revenue = Money::from_hundredths(revenue.hundredths() + order.spend.rounded().hundredths());
            }
        } else {
            tally.summary.orders += u64::from(order.counts);
            take(&order)?;
        }
        let (mut key, mut kept, mut last) = (std::mem::take(&mut self.key), std::mem::take(&mut self.kept), std::mem::take(&mut self.last));
        key.clear();
        kept.clear();
        last.clear();
        *self = Current { key, kept, last, ..Current::default() };
        Ok(())
    }

    /// Leaves out all lines of an order that names two customers. The first, by input and row, of another customer than the first line's is
    /// named where that ends the run.
    #[cold]
    fn refuse(&self, desk: &Desk) -> Result<()> {
        let mut lines = Vec::new();
        let mut rest = &self.kept[..];
        while let Some((length, more)) = rest.split_first_chunk() {
            let (record, more) = more.split_at(u32::from_le_bytes(*length) as usize);
            lines.extend(read(record).map(|read| read.line));
            rest = more;
        }
        let place = |line: &Line<'_>| (desk.origin(line.place.origin), line.place.row);
        lines.sort_by_cached_key(place);
        let help = "is the column of order ids the right one? Such orders are left out with --on-bad-row reject";
        let Some(first) = lines.first() else { return Err(Error::internal("an order without lines")) };
        if self.forgotten {
            let order = String::from_utf8_lossy(&first.order).into_owned();
            let what = format!("order {order:?} has {} lines, and not of one customer", self.lines);
            return Err(Error::data(what).input(desk.origin(first.place.origin)).row(first.place.row).help(help));
        }
        let other = lines.iter().position(|line| line.customer != first.customer).unwrap_or(0);
        lines.rotate_left(other);
        for line in &lines {
            let customer = line.customer.as_deref().map_or(String::new(), |id| String::from_utf8_lossy(id).into_owned());
            desk.reject(rejected(line, desk, Reason::OrderCustomerConflict, Column::CustomerId, customer), help)?;
        }
        Ok(())
    }
}

/// Whether a line gives money back.
pub(super) fn is_refund(line: &Line<'_>) -> bool {
    line.quantity.cents < 0 || line.spend.cents < 0
}

/// A line as a reject.
pub(super) fn rejected(line: &Line<'_>, desk: &Desk, reason: Reason, column: Column, value: String) -> Reject {
    let customer_id = line.customer.as_deref().map_or(String::new(), |id| String::from_utf8_lossy(id).into_owned());
    let Place { origin, row, line: number } = line.place;
    let time = crate::reject::shown_timestamp(line.time);
    let fields = vec![customer_id.clone(), String::new(), String::new(), String::new(), line.spend.to_string(), time];
    let (source, line) = (desk.origin(origin), (number > 0).then_some(number));
    Reject { window: None, source, row, line, customer_id, reason, column: column.name().to_owned(), value, fields, at: None }
}
