//! What a partition knows of its customers while rows come in: per customer 24 bytes, per customer and window an entry of 32.
//!
//! Entries of a customer form a chain, newest window first met last, so a customer pays for the windows with rows only; rows outside every
//! window have an entry of their own. They are rows of a struct and not columns because folding touches one entry at a time and all of
//! it: one cache line instead of five. Sums that do not fit a word are rare; they lie beside. What is made of
//! them once no more rows come is a [`Folded`](super::folded::Folded).

use super::chunks::Chunks;
use super::long_ids::LongIds;
use crate::base::merge::Merge;
use crate::base::money::Total;
use crate::model::amounts::{Amounts, Packed};
use crate::model::entry::{Addend, HISTORY};
use crate::model::hash::slot_hash;
use crate::model::ids::View;
use crate::model::state_batch::States;
use crate::route::row_buffer::{Row, Rows};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Slot;

/// Bytes that come into the cache together.
const CACHE_LINE: usize = 64;
/// The end of a chain.
pub(crate) const NONE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Customer {
    pub(crate) view: View,
    /// See [`hash_in_section`](crate::model::hash::hash_in_section).
    pub(crate) hash: u32,
    /// The first of the chain of entries.
    pub(crate) head: u32,
}

/// What a customer did in a window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) start: i64,
    pub(crate) reference: i64,
    /// Those beside are [`State::sums`].
    pub(crate) amounts: Packed,
    pub(crate) window: u32,
    pub(crate) next: u32,
}

/// Sums that do not fit an entry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sum {
    /// Saturating.
    pub(crate) orders: i64,
    pub(crate) total: Total,
}

/// The states of a partition's customers.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    pub(crate) table: HashTable<u32>,
    pub(super) customers: Chunks<Customer>,
    pub(crate) long: LongIds,
    pub(super) entries: Chunks<Entry>,
    pub(crate) sums: Vec<Sum>,
}

impl State {
    /// The number of customers.
    pub(crate) fn len(&self) -> usize {
        self.customers.len()
    }

    /// The memory it takes up.
    pub(crate) fn memory(&self) -> usize {
        let sums = self.sums.capacity() * size_of::<Sum>();
        self.table.allocation_size() + self.customers.memory() + self.entries.memory() + sums + self.long.memory()
    }

    /// Reads all of it in order. That brings it into the cache many times as fast as the accesses that follow, in any order, would.
    pub(crate) fn warm(&self) {
        let lines = |some: &[Customer]| some.iter().step_by(CACHE_LINE / size_of::<Customer>()).fold(0, |x, c| x ^ c.head);
        let customers = self.customers.slices().fold(0, |x, some| x ^ lines(some));
        let lines = |some: &[Entry]| some.iter().step_by(CACHE_LINE / size_of::<Entry>()).fold(0, |x, e| x ^ e.next);
        let entries = self.entries.slices().fold(0, |x, some| x ^ lines(some));
        let slots = self.table.iter().fold(0, |x, &i| x ^ i);
        std::hint::black_box(customers ^ entries ^ slots);
    }

    /// The index of a customer, who is added at need. `hash` is the part of the id's hash below the section's bits.
    #[inline]
    pub(crate) fn customer(&mut self, hash: u32, view: View, long: &[u8]) -> u32 {
        let State { table, customers, long: ids, .. } = self;
        let same = |&i: &u32| {
            let customer = customers.get(i);
            customer.hash == hash && ids.is(customer.view, view, long)
        };
        match table.entry(slot_hash(hash), same, |&i| slot_hash(customers.get(i).hash)) {
            Slot::Occupied(slot) => *slot.get(),
            Slot::Vacant(slot) => {
                let view = if long.is_empty() { view } else { ids.push(view, long) };
                let index = customers.push(Customer { view, hash, head: NONE });
                slot.insert(index);
                index
            }
        }
    }

    /// Folds a row of the customer.
    #[inline]
    pub(crate) fn add(&mut self, customer: u32, buffer: &Rows, row: &Row) {
        let (window, start, reference) = (row.window, row.start, row.reference);
        let amounts = if window == HISTORY { Amounts::default() } else { buffer.amounts(row) };
        self.fold(customer, Addend { window, start, reference, amounts });
    }

    /// Adds to the customer's entry for a window.
    #[inline]
    pub(crate) fn fold(&mut self, customer: u32, addend: Addend) {
        let Addend { window, start, reference, amounts } = addend;
        let State { customers, entries, sums, .. } = self;
        let head = &mut customers.get_mut(customer).head;
        let mut at = *head;
        while at != NONE {
            let entry = entries.get_mut(at);
            if entry.window == window {
                entry.start = entry.start.min(start);
                entry.reference = entry.reference.max(reference);
                match entry.amounts.plus(amounts) {
                    Some(sum) => entry.amounts = sum,
                    None => entry.amounts = add_beside(sums, entry.amounts, Sum::from(amounts)),
                }
                return;
            }
            at = entry.next;
        }
        let amounts = Packed::new(amounts).unwrap_or_else(|| push_beside(sums, Sum::from(amounts)));
        *head = entries.push(Entry { start, reference, amounts, window, next: *head });
    }

    /// Forgets the customers and keeps some of the memory.
    pub(crate) fn clear(&mut self) {
        self.table.clear();
        self.customers.clear();
        self.long = LongIds::default();
        self.entries.clear();
        self.sums.clear();
    }

    /// What an entry sums up to.
    fn sum(&self, entry: &Entry) -> Sum {
        entry.amounts.get().map_or_else(|at| self.sums[at], Sum::from)
    }
}

impl From<Amounts> for Sum {
    fn from(Amounts { orders, cents, fraction }: Amounts) -> Self {
        Sum { orders, total: Total::new(cents.into(), fraction) }
    }
}

impl Merge for Sum {
    fn merge(&mut self, other: Sum) {
        self.orders = self.orders.saturating_add(other.orders);
        self.total.merge(other.total);
    }
}

/// Puts a sum beside.
#[cold]
fn push_beside(sums: &mut Vec<Sum>, sum: Sum) -> Packed {
    sums.push(sum);
    Packed::beside(sums.len() - 1)
}

/// Adds to what is beside, or soon is.
#[cold]
fn add_beside(sums: &mut Vec<Sum>, own: Packed, more: Sum) -> Packed {
    match own.get() {
        Err(at) => {
            sums[at].merge(more);
            own
        }
        Ok(amounts) => {
            let mut sum = Sum::from(amounts);
            sum.merge(more);
            push_beside(sums, sum)
        }
    }
}

impl Merge for State {
    /// Customers in both add up, window by window.
    fn merge(&mut self, other: State) {
        for &Customer { view, hash, mut head } in other.customers.iter() {
            let customer = self.customer(hash, view, other.long.get(view));
            while head != NONE {
                let entry = other.entries.get(head);
                let &Entry { start, reference, window, .. } = entry;
                self.fold(customer, Addend { window, start, reference, amounts: Amounts::default() });
                let (own, sum) = (self.entry_of(customer, window), other.sum(entry));
                let State { entries, sums, .. } = self;
                let amounts = &mut entries.get_mut(own).amounts;
                *amounts = entry.amounts.get().ok().and_then(|more| amounts.plus(more)).unwrap_or_else(|| add_beside(sums, *amounts, sum));
                head = entry.next;
            }
        }
    }
}

impl State {
    fn entry_of(&self, customer: u32, window: u32) -> u32 {
        let mut at = self.customers.get(customer).head;
        while self.entries.get(at).window != window {
            at = self.entries.get(at).next;
        }
        at
    }
}

impl States {
    /// The sum of an entry, given where in `rests` those of this entry and later ones begin; moves that on.
    #[inline]
    pub(crate) fn total(&self, entry: usize, rest: &mut usize) -> Total {
        let (mut carry, mut fraction) = (0, 0);
        if let Some(found) = self.rests.get(*rest).filter(|rest| rest.entry as usize == entry) {
            (carry, fraction) = (found.carry, found.fraction);
            *rest += 1;
        }
        Total::new(i128::from(self.cents[entry]) + carry, fraction)
    }
}
