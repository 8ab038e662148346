//! Partial orders: lines of one order and one customer that followed each other in the input and are of one kind, added up. They go from `pre_aggregate` to
//! `group`, 64 bytes each, in buffers that stay in memory or leave as frames (`order_frame`).
//!
//! Where single lines are not asked for again, the lines of an order that stand next to each other are one partial order; else each line is
//! one of its own. Some values are needed by some runs only. They lie beside the partial orders, and take up nothing where they are not
//! needed: long ids, fractions of a cent, margins and quantities, and a digest of every line, by which duplicates are found.

use crate::base::money::{Amount, UNITS_PER_CENT};
use crate::model::ids::{INLINE, long_view, parts};
use crate::model::worth::WorthColumn;

/// Lines of a partial order, at most: as many amounts never exceed 64 bits of cents together.
pub(super) const MOST_LINES: usize = 64;
/// A buffer is full early when its long ids take up so many bytes for each partial order that it has room for.
const LONG_PER_PARTIAL: usize = 32;
/// The most partial orders of a buffer, and of a frame.
pub(super) const MOST_PARTIALS: usize = 1 << 12;

/// Lines of one order and one customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct PartialOrder<'a> {
    pub(super) order: &'a [u8],
    /// None where no customer is named.
    pub(super) customer: Option<&'a [u8]>,
    /// The time of the earliest line, microseconds since 1970, UTC; [`NO_TIMESTAMP`](crate::model::NO_TIMESTAMP) where none has one.
    pub(super) time: i64,
    /// Whether the lines are no refunds.
    pub(super) counts: bool,
    /// The position of the first line; the others follow it.
    pub(super) position: u64,
    pub(super) lines: u8,
    pub(super) spend: Amount,
    /// The column that the worth of all of them was read from.
    pub(super) worth: WorthColumn,
    /// Whether they are all worth the same.
    pub(super) equal: bool,
    /// Days from the earliest to the latest of them, UTC; zero for refunds.
    pub(super) reach: u16,
    /// Zero where it was not asked for.
    pub(super) detail: Detail,
    /// A digest of each line in turn, odd where the line names a product; empty where duplicates count.
    pub(super) digests: &'a [u64],
}

/// The sums of lines besides their worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Detail {
    pub(super) margin: Amount,
    pub(super) quantity: Amount,
}

impl PartialOrder<'_> {
    /// What each of its lines is worth, where all are worth the same.
    pub(super) fn each(&self) -> Option<Amount> {
        if self.lines <= 1 || !self.equal {
            return self.equal.then_some(self.spend);
        }
        let units = i128::from(self.spend.cents) * i128::from(UNITS_PER_CENT) + i128::from(self.spend.fraction);
        let (each, per_cent) = (units / i128::from(self.lines), i128::from(UNITS_PER_CENT));
        Some(Amount { cents: each.div_euclid(per_cent) as i64, fraction: each.rem_euclid(per_cent) as u64 })
    }
}

/// A partial order in a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Slot {
    /// Arrow views, as bytes; long ids lie in [`PartialOrders::long`].
    pub(super) order: [u8; 16],
    pub(super) customer: [u8; 16],
    pub(super) time: i64,
    pub(super) cents: i64,
    pub(super) position: u64,
    /// The first of its digests.
    pub(super) digests: u32,
    pub(super) reach: u16,
    pub(super) lines: u8,
    pub(super) kind: u8,
}

const NAMED: u8 = 1;
const COUNTS: u8 = 2;
const PRICE: u8 = 4;
const TOTAL: u8 = 8;
const EQUAL: u8 = 16;

/// A buffer of partial orders.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PartialOrders {
    pub(super) slots: Vec<Slot>,
    /// Long ids, one after the other.
    pub(super) long: Vec<u8>,
    /// Fractions of a cent, for each partial order; empty where all are zero.
    pub(super) fractions: Vec<u64>,
    /// Details of each partial order; empty where all are zero.
    pub(super) details: Vec<Detail>,
    pub(super) digests: Vec<u64>,
}

/// The sum of two amounts, of which there are at most [`MOST_LINES`].
#[inline]
pub(super) fn sum(a: Amount, b: Amount) -> Amount {
    let fraction = a.fraction + b.fraction;
    let carry = fraction >= UNITS_PER_CENT;
    Amount { cents: a.cents + b.cents + i64::from(carry), fraction: if carry { fraction - UNITS_PER_CENT } else { fraction } }
}

impl PartialOrders {
    pub(super) fn with_capacity(partials: usize) -> Self {
        PartialOrders { slots: Vec::with_capacity(partials), ..PartialOrders::default() }
    }

    /// An empty buffer with room for as much as this one has room for, and nearly as much beside that as is in this one.
    pub(super) fn like(&self) -> Self {
        let much = |length: usize| length + length / 16;
        PartialOrders {
            slots: Vec::with_capacity(self.slots.capacity()),
            long: Vec::with_capacity(much(self.long.len())),
            digests: Vec::with_capacity(much(self.digests.len())),
            ..PartialOrders::default()
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn has_room(&self) -> bool {
        self.slots.len() < self.slots.capacity() && self.long.len() < self.slots.capacity() * LONG_PER_PARTIAL
    }

    /// The memory it takes up, full or empty, with itself and what allocators round up.
    pub(super) fn memory(&self) -> u64 {
        let PartialOrders { slots, long, fractions, details, digests } = self;
        let words = 8 * (fractions.capacity() + digests.capacity());
        let beside = long.capacity() + words + details.capacity() * size_of::<Detail>();
        (2 * size_of::<Self>() + slots.capacity() * size_of::<Slot>() + beside + beside / 8) as u64
    }

    /// The memory that what is in it needs.
    pub(super) fn needed(&self) -> u64 {
        let PartialOrders { slots, long, fractions, details, digests } = self;
        (size_of_val(&slots[..]) + long.len() + 8 * (fractions.len() + digests.len()) + size_of_val(&details[..])) as u64
    }

    /// Forgets the partial orders and keeps the memory, but for what few long ids have taken.
    pub(super) fn clear(&mut self) {
        self.slots.clear();
        self.long.clear();
        self.long.shrink_to(2 * self.slots.capacity() * LONG_PER_PARTIAL);
        self.fractions.clear();
        self.details.clear();
        self.digests.clear();
    }

    /// Appends a partial order, with its ids as Arrow has them.
    #[inline]
    pub(super) fn push(&mut self, partial: &PartialOrder<'_>, order: u128, customer: u128) {
        let PartialOrder { time, counts, position, lines, spend, worth, equal, reach, .. } = *partial;
        let order = self.id(partial.order, order);
        let customer = partial.customer.map_or([0; 16], |id| self.id(id, customer));
        let worth = match worth {
            WorthColumn::Nothing => 0,
            WorthColumn::UnitPrice => PRICE,
            WorthColumn::LineTotal => TOTAL,
        };
        let kind =
            if partial.customer.is_some() { NAMED } else { 0 } | if counts { COUNTS } else { 0 } | if equal { EQUAL } else { 0 } | worth;
        let digests = self.digests.len() as u32;
        self.digests.extend_from_slice(partial.digests);
        let slot = Slot { order, customer, time, cents: spend.cents, position, digests, reach, lines, kind };
        if spend.fraction != 0 || !self.fractions.is_empty() {
            self.fractions.resize(self.slots.len(), 0);
            self.fractions.push(spend.fraction);
        }
        if partial.detail != Detail::default() || !self.details.is_empty() {
            self.details.resize(self.slots.len(), Detail::default());
            self.details.push(partial.detail);
        }
        self.slots.push(slot);
    }

    #[inline]
    fn id(&mut self, id: &[u8], view: u128) -> [u8; 16] {
        if id.len() <= INLINE {
            return view.to_le_bytes();
        }
        let offset = self.long.len() as u32;
        self.long.extend_from_slice(id);
        long_view(view, 0, offset).to_le_bytes()
    }

    /// A partial order.
    #[inline]
    pub(super) fn get(&self, at: usize) -> PartialOrder<'_> {
        let slot = &self.slots[at];
        let Slot { time, cents, position, reach, lines, kind, .. } = *slot;
        let digests = match self.digests.is_empty() {
            true => &[],
            false => &self.digests[slot.digests as usize..][..lines.into()],
        };
        PartialOrder {
            order: self.text(&slot.order),
            customer: (kind & NAMED != 0).then(|| self.text(&slot.customer)),
            time,
            counts: kind & COUNTS != 0,
            position,
            lines,
            spend: Amount { cents, fraction: self.fractions.get(at).copied().unwrap_or(0) },
            worth: match kind & (PRICE | TOTAL) {
                0 => WorthColumn::Nothing,
                PRICE => WorthColumn::UnitPrice,
                _ => WorthColumn::LineTotal,
            },
            equal: kind & EQUAL != 0,
            reach,
            detail: self.details.get(at).copied().unwrap_or_default(),
            digests,
        }
    }

    /// The order's id of a partial order.
    #[inline]
    pub(super) fn order(&self, at: usize) -> &[u8] {
        self.text(&self.slots[at].order)
    }

    /// Brings a partial order, and its order's id if that is long, into the cache. The byte is to be used for something, or nothing is read.
    #[inline]
    pub(super) fn touch(&self, at: usize) -> u8 {
        self.order(at).first().copied().unwrap_or_default()
    }

    #[inline]
    fn text<'a>(&'a self, view: &'a [u8; 16]) -> &'a [u8] {
        let (length, _, offset) = parts(u128::from_le_bytes(*view));
        if length > INLINE { &self.long[offset..offset + length] } else { &view[4..4 + length] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_small() {
        assert_eq!(size_of::<Slot>(), 64);
    }
}
