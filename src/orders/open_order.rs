//! An order that is not all there yet: the sums of its lines so far, whose it is, and what is noticed about it.
//!
//! Its customer is that of its lines that name one, its time that of its earliest line that has one and is no refund. Lines that lack
//! either have it from the others, wherever in the input they are.

use super::fault::Fault;
use super::order_notes::{MOST_DAYS, OrderNotes};
use super::partial_order::PartialOrder;
use super::settle::Sums;
use super::to_periods::PeriodFinder;
use crate::base::money::Total;
use crate::model::period_batch::NO_TIMESTAMP;
use crate::model::worth::WorthColumn;
use std::collections::BTreeMap;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;
/// The position of no line.
const NOWHERE: u64 = u64::MAX;

/// The lines of an order so far; none has been added if `lines` is zero.
pub(super) struct OpenOrder {
    pub(super) lines: u64,
    /// The position of its first line.
    pub(super) position: u64,
    /// The customer of its first line that names one, and that line's position.
    pub(super) customer: Vec<u8>,
    customer_at: u64,
    /// The first line of another customer, and that customer.
    pub(super) other: Option<(u64, Vec<u8>)>,
    /// The earliest time, of lines that are no refunds if one of them has a time: that is the flag.
    time: Option<(i64, bool)>,
    counts: bool,
    pub(super) spend: Total,
    margin: Total,
    quantity: Total,
    /// The first and the last day since 1970, UTC, with lines that are no refunds.
    days: Option<(i64, i64)>,
    /// The first lines whose worth is a `line_total`, or a `unit_price`.
    total_at: u64,
    price_at: u64,
    /// Its id.
    pub(super) order: Vec<u8>,
    /// Whether a line gives money back.
    pub(super) gives_back: bool,
    /// Lines without a customer, and without a time.
    nameless: u64,
    timeless: u64,
    /// Refunds by the period they lie in.
    refunds: BTreeMap<i64, (u64, Total)>,
}

impl Default for OpenOrder {
    fn default() -> Self {
        let (spend, margin, quantity) = Default::default();
        OpenOrder {
            lines: 0,
            position: NOWHERE,
            customer: Vec::new(),
            customer_at: NOWHERE,
            other: None,
            time: None,
            counts: false,
            spend,
            margin,
            quantity,
            days: None,
            total_at: NOWHERE,
            price_at: NOWHERE,
            order: Vec::new(),
            gives_back: false,
            nameless: 0,
            timeless: 0,
            refunds: BTreeMap::new(),
        }
    }
}

impl OpenOrder {
    /// Forgets the order, and keeps the memory of its ids.
    pub(super) fn reset(&mut self) {
        let (mut order, mut customer) = (std::mem::take(&mut self.order), std::mem::take(&mut self.customer));
        order.clear();
        customer.clear();
        *self = OpenOrder { order, customer, ..OpenOrder::default() };
    }

    /// Adds lines that belong to it.
    pub(super) fn add(&mut self, partial: &PartialOrder<'_>, periods: &PeriodFinder) {
        let PartialOrder { customer, time, counts, position, lines, reach, .. } = *partial;
        self.lines += u64::from(lines);
        self.position = self.position.min(position);
        match customer {
            Some(customer) => self.add_customer(customer, position),
            None => self.nameless += u64::from(lines),
        }
        if time == NO_TIMESTAMP {
            self.timeless += u64::from(lines);
        } else {
            self.time = Some(self.time.map_or((time, counts), |known| earlier(known, (time, counts))));
            if counts {
                let first = time.div_euclid(DAY);
                let (from, to) = self.days.unwrap_or((first, first));
                self.days = Some((from.min(first), to.max(first + i64::from(reach))));
            } else {
                let (count, amount) = self.refunds.entry(periods.calendar(time)).or_default();
                *count += u64::from(lines);
                amount.add(partial.spend);
            }
        }
        match partial.worth {
            WorthColumn::Nothing => {}
            WorthColumn::LineTotal => self.total_at = self.total_at.min(position),
            WorthColumn::UnitPrice => self.price_at = self.price_at.min(position),
        }
        if self.order.is_empty() {
            self.order.extend_from_slice(partial.order);
        }
        self.counts |= counts;
        self.gives_back |= !counts;
        self.spend.add(partial.spend);
        self.margin.add(partial.detail.margin);
        self.quantity.add(partial.detail.quantity);
    }

    fn add_customer(&mut self, customer: &[u8], position: u64) {
        let is_first = self.customer_at == NOWHERE;
        if is_first || customer == self.customer {
            if is_first {
                self.customer.extend_from_slice(customer);
            }
            self.customer_at = self.customer_at.min(position);
        } else if position < self.customer_at {
            let before = std::mem::replace(&mut self.customer, customer.to_vec());
            self.other = Some((self.customer_at, before));
            self.customer_at = position;
        } else if self.other.as_ref().is_none_or(|(other, _)| position < *other) {
            self.other = Some((position, customer.to_vec()));
        }
    }

    /// Whether some lines have a `line_total` and others only a `unit_price`.
    fn mixes(&self) -> bool {
        self.total_at != NOWHERE && self.price_at != NOWHERE
    }

    pub(super) fn is_named(&self) -> bool {
        self.customer_at != NOWHERE
    }

    /// Its sums. The time is [`NO_TIMESTAMP`] where no line has one.
    pub(super) fn sums(&self) -> Sums<Total> {
        let OpenOrder { time, counts, spend, margin, quantity, .. } = *self;
        Sums { time: time.map_or(NO_TIMESTAMP, |(time, _)| time), counts, spend, margin, quantity }
    }

    /// The fault of lines that do not go together, and the position of one of them.
    pub(super) fn fault(&self) -> Option<(Fault, u64)> {
        if let Some((position, _)) = self.other {
            return Some((Fault::Conflict, position));
        }
        if self.mixes() {
            return Some((Fault::Worth { total: self.total_at }, self.price_at));
        }
        self.time.is_none().then_some((Fault::Timeless, self.position))
    }

    /// Notes what is noticed about an order that is taken.
    pub(super) fn note(&self, notes: &mut OrderNotes, asks_for_worth: bool, periods: &PeriodFinder) {
        if self.is_named() {
            notes.filled_customers += self.nameless;
        }
        notes.filled_times += self.timeless;
        if asks_for_worth && self.total_at == NOWHERE && self.price_at == NOWHERE {
            notes.worthless_orders += 1;
        }
        let days = self.days.map_or(0, |(from, to)| to - from);
        if days > i64::from(MOST_DAYS) {
            // As far as partial orders tell them apart.
            notes.add_long(days.min(u16::MAX.into()) as u64);
        }
        if self.counts
            && let Some((time, _)) = self.time
        {
            let period = periods.calendar(time);
            let moved = self.refunds.iter().filter(|&(&at, _)| at != period);
            moved.for_each(|(_, &(lines, amount))| notes.add_moved(lines, amount));
        }
    }
}

/// The day of a time, and how many later that of another is: at most as many as 16 bits hold.
pub(super) fn reach(from: i64, to: i64) -> u16 {
    u16::try_from(to.div_euclid(DAY) - from.div_euclid(DAY)).unwrap_or(u16::MAX)
}

/// The time of two parts of an order: the earlier one, of those that count if any does.
fn earlier(a: (i64, bool), b: (i64, bool)) -> (i64, bool) {
    match (a.1, b.1) {
        (true, false) => a,
        (false, true) => b,
        _ => a.min(b),
    }
}
