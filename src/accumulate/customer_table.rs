//! The hash table of a partition's customers while rows come in: per customer 24 bytes, per customer and window an entry of 32.
//!
//! Entries of a customer form a chain; the window met last comes first. So a customer pays only for windows with rows; rows outside every
//! window have an entry of their own. Entries are structs and not columns because folding touches one entry at a time and all of it: one
//! cache line instead of five. Sums that do not fit a word are rare; they lie in the overflow. Once no more rows come,
//! the customers are put in order ([`SortedTable`](super::SortedTable)).

use super::chunks::Chunks;
use super::long_ids::LongIds;
use crate::base::error::Result;
use crate::base::memory::ask;
use crate::model::amounts::{Amounts, Packed};
use crate::model::entry::{Addend, EntrySum, HISTORY};
use crate::model::hash::{random_state, slot_hash, table_secret};
use crate::model::ids::View;
use crate::route::row_buffer::{Row, Rows};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Slot;
use std::hash::BuildHasher;

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

/// The packed form of an [`EntrySum`] in the table, linked to the next.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) start: i64,
    pub(crate) reference: i64,
    /// Inline, or the place of the sum in the table's overflow.
    pub(crate) amounts: Packed,
    pub(crate) window: u32,
    pub(crate) next: u32,
}

/// How customers are found in the slots.
#[derive(Debug, Clone, Copy)]
struct Key {
    /// The secret that their hashes are mixed with.
    secret: u64,
    /// By a random hash of their ids instead: their hashes are equal too often to be so by chance.
    by_id: bool,
}

impl Default for Key {
    fn default() -> Self {
        Key { secret: table_secret(), by_id: false }
    }
}

/// Slots of a table whose growth is asked for: of fewer it is a matter of kibibytes.
const MANY: usize = 1 << 13;

/// Customers with a hash who are not the one that is looked for: more are no chance.
const MOST_STRANGERS: u32 = 16;

/// The states of a partition's customers.
#[derive(Debug, Clone, Default)]
pub(crate) struct CustomerTable {
    pub(crate) slots: HashTable<u32>,
    key: Key,
    pub(super) customers: Chunks<Customer>,
    pub(crate) long: LongIds,
    pub(super) entries: Chunks<Entry>,
    /// Sums that do not fit an entry's word.
    overflow: Vec<EntrySum>,
}

impl CustomerTable {
    /// The number of customers.
    pub(crate) fn len(&self) -> usize {
        self.customers.len()
    }

    /// The memory it takes up.
    pub(crate) fn memory(&self) -> usize {
        let overflow = self.overflow.capacity() * size_of::<EntrySum>();
        self.slots.allocation_size() + self.customers.memory() + self.entries.memory() + overflow + self.long.memory()
    }

    /// Makes room for so many more customers. A table of many grows by as many again, and the system may refuse that.
    ///
    /// # Errors
    /// When it does; the table is what it was.
    #[inline]
    pub(crate) fn make_room(&mut self, more: usize) -> Result<()> {
        let (customers, room) = (self.slots.len(), self.slots.capacity());
        if customers < MANY || room - customers >= more { Ok(()) } else { self.grow(more) }
    }

    #[cold]
    fn grow(&mut self, more: usize) -> Result<()> {
        let CustomerTable { slots, key: Key { secret, by_id }, customers, long: ids, .. } = self;
        let (bytes, customer) = (2 * slots.allocation_size(), |&i: &u32| customers.get(i));
        if *by_id {
            let of = |i: &u32| random_hash(customer(i).view, ids.get(customer(i).view));
            return ask(bytes, || slots.try_reserve(more, of));
        }
        ask(bytes, || slots.try_reserve(more, |i| slot_hash(customer(i).hash, *secret)))
    }

    /// Reads all of it in order. That brings it into the cache many times as fast as the accesses that follow, in any order, would.
    pub(crate) fn warm(&self) {
        let lines = |some: &[Customer]| some.iter().step_by(CACHE_LINE / size_of::<Customer>()).fold(0, |x, c| x ^ c.head);
        let customers = self.customers.slices().fold(0, |x, some| x ^ lines(some));
        let lines = |some: &[Entry]| some.iter().step_by(CACHE_LINE / size_of::<Entry>()).fold(0, |x, e| x ^ e.next);
        let entries = self.entries.slices().fold(0, |x, some| x ^ lines(some));
        let slots = self.slots.iter().fold(0, |x, &i| x ^ i);
        std::hint::black_box(customers ^ entries ^ slots);
    }

    /// The index of a customer, who is added at need. `hash` is the part of the id's hash below the section's bits.
    #[inline]
    pub(crate) fn customer(&mut self, hash: u32, view: View, long: &[u8]) -> u32 {
        if self.key.by_id {
            return self.customer_by_id(hash, view, long);
        }
        let CustomerTable { slots, key: Key { secret, .. }, customers, long: ids, .. } = self;
        let (secret, mut strangers) = (*secret, 0);
        let same = |&i: &u32| {
            let customer = customers.get(i);
            if customer.hash != hash {
                return false;
            }
            let is_same = ids.is(customer.view, view, long);
            strangers += u32::from(!is_same);
            is_same
        };
        match slots.entry(slot_hash(hash, secret), same, |&i| slot_hash(customers.get(i).hash, secret)) {
            Slot::Occupied(slot) => *slot.get(),
            Slot::Vacant(slot) => {
                let view = if long.is_empty() { view } else { ids.push(view, long) };
                let index = customers.push(Customer { view, hash, head: NONE });
                slot.insert(index);
                if strangers > MOST_STRANGERS {
                    self.turn_to_ids();
                }
                index
            }
        }
    }

    /// As [`customer`](CustomerTable::customer), where customers are found by their ids.
    #[cold]
    fn customer_by_id(&mut self, hash: u32, view: View, long: &[u8]) -> u32 {
        let CustomerTable { slots, customers, long: ids, .. } = self;
        let of = |i: u32| random_hash(customers.get(i).view, ids.get(customers.get(i).view));
        let same = |&i: &u32| ids.is(customers.get(i).view, view, long);
        if let Some(&found) = slots.find(random_hash(view, long), same) {
            return found;
        }
        let index = customers.len() as u32;
        slots.insert_unique(random_hash(view, long), index, |&i| of(i));
        let view = if long.is_empty() { view } else { ids.push(view, long) };
        let pushed = customers.push(Customer { view, hash, head: NONE });
        debug_assert_eq!(pushed, index);
        pushed
    }

    /// Finds customers by their ids from now on.
    #[cold]
    fn turn_to_ids(&mut self) {
        let CustomerTable { slots, key, customers, long: ids, .. } = self;
        let of = |i: u32| random_hash(customers.get(i).view, ids.get(customers.get(i).view));
        let mut by_id = HashTable::with_capacity(slots.len());
        for &i in slots.iter() {
            by_id.insert_unique(of(i), i, |&i| of(i));
        }
        (*slots, key.by_id) = (by_id, true);
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
        let CustomerTable { customers, entries, overflow, .. } = self;
        let head = &mut customers.get_mut(customer).head;
        let mut at = *head;
        while at != NONE {
            let entry = entries.get_mut(at);
            if entry.window == addend.window {
                let mut sum = entry.sum(overflow);
                sum.add(&addend.into());
                entry.set(&sum, overflow);
                return;
            }
            at = entry.next;
        }
        let Addend { window, start, reference, amounts } = addend;
        let amounts = Packed::new(amounts).unwrap_or_else(|| push_overflow(overflow, &addend.into()));
        *head = entries.push(Entry { start, reference, amounts, window, next: *head });
    }

    /// Forgets the customers and keeps some of the memory.
    pub(crate) fn clear(&mut self) {
        self.slots.clear();
        self.key = Key::default();
        self.customers.clear();
        self.long = LongIds::default();
        self.entries.clear();
        self.overflow.clear();
    }

    /// The sum of an entry.
    #[inline]
    pub(super) fn sum(&self, entry: &Entry) -> EntrySum {
        entry.sum(&self.overflow)
    }
}

impl Entry {
    #[inline]
    fn sum(&self, overflow: &[EntrySum]) -> EntrySum {
        match self.amounts.get() {
            Ok(amounts) => Addend { window: self.window, start: self.start, reference: self.reference, amounts }.into(),
            Err(at) => overflow[at],
        }
    }

    #[inline]
    fn set(&mut self, sum: &EntrySum, overflow: &mut Vec<EntrySum>) {
        (self.start, self.reference) = (sum.start, sum.reference);
        let inline =
            if sum.carry == 0 { Packed::new(Amounts { orders: sum.orders, cents: sum.cents, fraction: sum.fraction }) } else { None };
        self.amounts = match (inline, self.amounts.get()) {
            (Some(inline), Ok(_)) => inline,
            (_, Err(at)) => {
                overflow[at] = *sum;
                self.amounts
            }
            (None, Ok(_)) => push_overflow(overflow, sum),
        };
    }
}

/// A random hash of an id. The first word of a view is its length and first bytes, the second the rest of a short one.
fn random_hash(view: View, long: &[u8]) -> u64 {
    if long.is_empty() { random_state().hash_one(view) } else { random_state().hash_one(long) }
}

#[cold]
fn push_overflow(overflow: &mut Vec<EntrySum>, sum: &EntrySum) -> Packed {
    overflow.push(*sum);
    Packed::overflow(overflow.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::split_view;
    use arrow::array::builder::make_view;

    /// Room is made by the same steps that a table takes by itself, and not before it is needed.
    #[test]
    fn room_is_made_when_it_is_needed() {
        let (mut asked, mut plain) = (CustomerTable::default(), CustomerTable::default());
        for i in 0..100_000u32 {
            if i.is_multiple_of(64) {
                asked.make_room(64).expect("there is memory");
            }
            let view = split_view(make_view(i.to_string().as_bytes(), 0, 0));
            let hash = i.wrapping_mul(0x9e37_79b9);
            assert_eq!(asked.customer(hash, view, &[]), plain.customer(hash, view, &[]));
        }
        assert_eq!(asked.memory(), plain.memory());
    }

    /// However many customers have one hash, each is found, and by ids alone after the first few.
    #[test]
    fn equal_hashes_are_told_apart() {
        let mut table = CustomerTable::default();
        let id = |i: u32| if i.is_multiple_of(3) { format!("a customer with a long id {i}") } else { format!("c{i}") };
        for round in 0..2 {
            for i in 0..20_000u32 {
                let id = id(i);
                let view = split_view(make_view(id.as_bytes(), 0, 0));
                let long = if id.len() > 12 { id.as_bytes() } else { &[] };
                assert_eq!(table.customer(i % 2, view, long), i, "round {round}");
            }
            assert!(table.key.by_id && table.len() == 20_000);
        }
        let states = table.into_states(1_000);
        assert_eq!(states.iter().map(crate::model::state_batch::StateBatch::len).sum::<usize>(), 20_000);
    }
}
