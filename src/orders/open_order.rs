//! An order that is not all there yet: the sums of its lines so far, whose it is, and what is noticed about it.
//!
//! Its customer is that of its lines that name one, its time that of its earliest line that has one and is no refund. Lines that lack
//! either have it from the others, wherever in the input they are.

use super::fault::Fault;
use super::order_notes::{MOST_DAYS, OrderNotes};
use super::partial_order::PartialOrder;
use super::settle::Sums;
use super::to_periods::PeriodFinder;
use crate::base::money::{Amount, Total};
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
    /// The input of its first line, and whether others are of another.
    input: Option<u32>,
    is_scattered: bool,
    /// What lines say as `line_total`: refunds, and others.
    totals: [SaidTotals; 2],
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
            input: None,
            is_scattered: false,
            totals: Default::default(),
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

    /// Says which input a line of it is of.
    pub(super) fn see_input(&mut self, input: u32) {
        self.is_scattered |= self.input.is_some_and(|first| first != input);
        self.input.get_or_insert(input);
    }

    /// Adds lines that belong to it. `once` says whether a `line_total` is that of the whole order.
    pub(super) fn add(&mut self, partial: &PartialOrder<'_>, periods: &PeriodFinder, once: bool) {
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
        self.counts |= counts;
        let mut spend = partial.spend;
        match partial.worth {
            WorthColumn::Nothing => {}
            WorthColumn::LineTotal => {
                self.total_at = self.total_at.min(position);
                let said = &mut self.totals[usize::from(counts)];
                if once {
                    spend = if said.lines == 0 { partial.each().unwrap_or_default() } else { Amount::default() };
                }
                said.add(partial);
            }
            WorthColumn::UnitPrice => self.price_at = self.price_at.min(position),
        }
        if self.order.is_empty() {
            self.order.extend_from_slice(partial.order);
        }
        self.gives_back |= !counts;
        self.spend.add(spend);
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

    /// The positions of two lines that say another total of the order: of the first, and of the other.
    fn differs(&self) -> Option<(u64, u64)> {
        self.totals.iter().find_map(|said| Some((said.first?.0, said.other?.0)))
    }

    /// What a line says that differs from others.
    pub(super) fn said(&self, position: u64) -> Amount {
        let mut said = self.totals.iter().filter_map(|said| said.other);
        said.find(|other| other.0 == position).map_or(Amount::default(), |other| other.1)
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
    pub(super) fn fault(&self, once: bool) -> Option<(Fault, u64)> {
        if let Some((position, _)) = self.other {
            return Some((Fault::Conflict, position));
        }
        if self.mixes() {
            return Some((Fault::Worth { total: self.total_at }, self.price_at));
        }
        if once && let Some((first, other)) = self.differs() {
            return Some((Fault::Total { first }, other));
        }
        self.time.is_none().then_some((Fault::Timeless, self.position))
    }

    /// Notes what is noticed about an order that is taken.
    pub(super) fn note(&self, notes: &mut OrderNotes, (asks_for_worth, asks_for_totals): (bool, bool), periods: &PeriodFinder) {
        if self.is_named() {
            notes.filled_customers += self.nameless;
        }
        notes.filled_times += self.timeless;
        if asks_for_worth && self.total_at == NOWHERE && self.price_at == NOWHERE {
            notes.worthless_orders += 1;
        }
        let totals = &self.totals[1];
        if totals.lines > 1 && asks_for_totals {
            notes.add_totals(totals.sum, totals.first.filter(|_| !totals.differ).map(|(_, each)| each));
        }
        notes.scattered_orders += u64::from(self.is_scattered);
        let days = self.days.map_or(0, |(from, to)| to - from);
        if days > i64::from(MOST_DAYS) {
            // As far as partial orders tell them apart.
            notes.add_long(days.min(u16::MAX.into()) as u64);
        }
        if self.counts
            && !self.refunds.is_empty()
            && let Some((time, _)) = self.time
        {
            let period = periods.calendar(time);
            let moved = self.refunds.iter().filter(|&(&at, _)| at != period);
            moved.for_each(|(_, &(lines, amount))| notes.add_moved(lines, amount));
        }
    }
}

/// What lines of an order say as `line_total`.
#[derive(Debug, Clone, Copy, Default)]
struct SaidTotals {
    lines: u64,
    sum: Total,
    /// What the first line says, and the first of those that say something else; each with its position.
    first: Option<(u64, Amount)>,
    other: Option<(u64, Amount)>,
    /// Whether they say different things.
    differ: bool,
}

impl SaidTotals {
    fn add(&mut self, partial: &PartialOrder<'_>) {
        self.lines += u64::from(partial.lines);
        self.sum.add(partial.spend);
        let Some(each) = partial.each() else {
            self.differ = true;
            return;
        };
        let said = (partial.position, each);
        match self.first {
            None => self.first = Some(said),
            Some((position, known)) if known == each => self.first = Some((position.min(said.0), known)),
            Some(first) => {
                self.differ = true;
                // The first of all positions comes before those of others.
                let (first, other) = if said.0 < first.0 { (said, first) } else { (first, said) };
                self.first = Some(first);
                self.other = Some(self.other.filter(|known| known.0 < other.0).unwrap_or(other));
            }
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
