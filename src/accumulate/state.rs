//! What a partition knows of its customers while rows come in: per customer one line of 32 bytes, per customer and window one of 40.
//!
//! Entries of a customer form a chain, newest window first met last, so a customer pays for the windows with rows only. They are rows of
//! a struct and not columns because folding touches one entry at a time and all of it: one cache line instead of five. Fractions of a
//! cent and sums beyond 64 bits are rare; they lie beside, and cost nothing where there are none. Once no more rows come,
//! [`into_states`](State::into_states) turns all of it into sorted columns.

use super::ids::{LongIds, id_bytes};
use super::sort::sort_by_hash;
use super::states::{Rest, States};
use crate::merge::Merge;
use crate::money::{Total, UNITS_PER_CENT};
use crate::route::rows::{Addend, Amounts, HISTORY, Row, Rows, View, joined_view};
use crate::route::{hash_id, slot_hash};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Slot;
use std::collections::HashMap;

/// Bytes that come into the cache together.
const CACHE_LINE: usize = 64;
/// The end of a chain.
const NONE: u32 = u32::MAX;

#[derive(Debug, Clone)]
struct Customer {
    view: View,
    /// The earliest `period_start` of all rows, those outside every window included.
    first_seen: i64,
    /// See [`hash_in_partition`](crate::route::hash_in_partition).
    hash: u32,
    head: u32,
}

/// What a customer did in a window.
#[derive(Debug, Clone)]
struct Entry {
    start: i64,
    reference: i64,
    orders: i64,
    cents: i64,
    window: u32,
    next: u32,
}

/// The states of a partition's customers.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    table: HashTable<u32>,
    customers: Vec<Customer>,
    long: LongIds,
    entries: Vec<Entry>,
    /// Per entry, less than a cent each; shorter than `entries`, or empty, where the rest is zero.
    fractions: Vec<u64>,
    /// Cents beyond what an entry's 64 bits hold.
    carries: HashMap<u32, i128>,
}

impl State {
    /// The number of customers.
    pub(crate) fn len(&self) -> usize {
        self.customers.len()
    }

    /// The memory it takes up.
    pub(crate) fn memory(&self) -> usize {
        // Half a word a carry is a guess; there are hardly any.
        self.table.allocation_size()
            + self.customers.capacity() * size_of::<Customer>()
            + self.entries.capacity() * size_of::<Entry>()
            + self.fractions.capacity() * size_of::<u64>()
            + self.carries.len() * 64
            + self.long.memory()
    }

    /// Reads all of it in order. That brings it into the cache many times as fast as the accesses that follow, in any order, would.
    pub(crate) fn warm(&self) {
        let customers = self.customers.iter().step_by(CACHE_LINE / size_of::<Customer>()).fold(0, |x, c| x ^ c.head);
        let entries = self.entries.iter().fold(0, |x, e| x ^ e.next);
        let slots = self.table.iter().fold(0, |x, &i| x ^ i);
        std::hint::black_box(customers ^ entries ^ slots);
    }

    /// The index of a customer, who is added at need. `hash` is the part of the id's hash below the partition's bits.
    #[inline]
    pub(crate) fn customer(&mut self, hash: u32, view: View, long: &[u8]) -> u32 {
        let State { table, customers, long: ids, .. } = self;
        let same = |&i: &u32| {
            let customer = &customers[i as usize];
            customer.hash == hash && ids.is(customer.view, view, long)
        };
        match table.entry(slot_hash(hash), same, |&i| slot_hash(customers[i as usize].hash)) {
            Slot::Occupied(slot) => *slot.get(),
            Slot::Vacant(slot) => {
                let index = customers.len() as u32;
                slot.insert(index);
                grow(customers);
                let view = if long.is_empty() { view } else { ids.push(view, long) };
                customers.push(Customer { view, first_seen: i64::MAX, hash, head: NONE });
                index
            }
        }
    }

    /// Notes that a customer existed at a time.
    #[inline]
    pub(crate) fn see(&mut self, customer: u32, time: i64) {
        let seen = &mut self.customers[customer as usize].first_seen;
        *seen = (*seen).min(time);
    }

    /// Folds a row of the customer.
    #[inline]
    pub(super) fn add(&mut self, customer: u32, buffer: &Rows, row: &Row) {
        self.see(customer, row.start);
        if row.window != HISTORY {
            let (window, start, reference) = (row.window, row.start, row.reference);
            self.fold(customer, Addend { window, start, reference, amounts: buffer.amounts(row) });
        }
    }

    /// Adds to the customer's entry for a window.
    #[inline]
    pub(crate) fn fold(&mut self, customer: u32, addend: Addend) {
        let Addend { window, start, reference, amounts: Amounts { orders, cents, fraction } } = addend;
        let head = self.customers[customer as usize].head;
        let mut at = head;
        while at != NONE {
            let entry = &mut self.entries[at as usize];
            if entry.window == window {
                entry.start = entry.start.min(start);
                entry.reference = entry.reference.max(reference);
                entry.orders = entry.orders.saturating_add(orders);
                match entry.cents.checked_add(cents) {
                    Some(cents) => entry.cents = cents,
                    None => self.carry(at, cents),
                }
                if fraction != 0 {
                    self.add_fraction(at, fraction);
                }
                return;
            }
            at = entry.next;
        }
        let index = self.entries.len() as u32;
        grow(&mut self.entries);
        self.entries.push(Entry { start, reference, orders, cents, window, next: head });
        self.customers[customer as usize].head = index;
        if fraction != 0 {
            self.add_fraction(index, fraction);
        }
    }

    #[cold]
    fn carry(&mut self, entry: u32, cents: i64) {
        let own = std::mem::take(&mut self.entries[entry as usize].cents);
        *self.carries.entry(entry).or_default() += i128::from(own) + i128::from(cents);
    }

    fn add_fraction(&mut self, entry: u32, fraction: u64) {
        let at = entry as usize;
        if self.fractions.len() <= at {
            self.fractions.resize(at + 1, 0);
        }
        let sum = self.fractions[at] + fraction;
        self.fractions[at] = sum % UNITS_PER_CENT;
        if sum >= UNITS_PER_CENT {
            match self.entries[at].cents.checked_add(1) {
                Some(cents) => self.entries[at].cents = cents,
                None => self.carry(entry, 1),
            }
        }
    }

    /// Sorted columns, in pieces of at most `most` customers.
    pub(crate) fn into_states(mut self, most: usize) -> Vec<States> {
        self.table = HashTable::new();
        self.warm();
        let order = self.order();
        let mut all: Vec<States> = Vec::new();
        let mut chain = Vec::new();
        for (done, &customer) in order.iter().enumerate() {
            if all.last().is_none_or(|last| !last.has_room(most)) {
                let room = most.min(order.len() - done);
                let entries = room * self.entries.len() / self.customers.len().max(1);
                all.push(States::with_capacity(room, entries + entries / 16));
            }
            if let Some(states) = all.last_mut() {
                self.copy(customer, &mut chain, states);
            }
        }
        all
    }

    /// Appends all customers to columns and forgets them.
    pub(super) fn move_into(&mut self, states: &mut States) {
        let mut chain = Vec::new();
        self.order().into_iter().for_each(|customer| self.copy(customer, &mut chain, states));
        self.table.clear();
        self.customers.clear();
        self.long = LongIds::default();
        self.entries.clear();
        self.fractions.clear();
        self.carries.clear();
    }

    /// Customers by hash, then id.
    fn order(&self) -> Vec<u32> {
        let mut keys: Vec<u64> = (0u64..).zip(&self.customers).map(|(i, c)| u64::from(c.hash) << 32 | i).collect();
        sort_by_hash(&mut keys);
        let mut order: Vec<u32> = keys.into_iter().map(|key| key as u32).collect();
        // Equal bits of the hash are rare: the rest of the hash and the id decide.
        for same in order.chunk_by_mut(|&a, &b| self.customers[a as usize].hash == self.customers[b as usize].hash) {
            if same.len() > 1 {
                let id = |i: u32| {
                    let view = self.customers[i as usize].view;
                    let id = id_bytes(view, self.long.get(view), &mut [0; 16]).to_vec();
                    (hash_id(&id), id)
                };
                same.sort_by_cached_key(|&i| id(i));
            }
        }
        order
    }

    /// Appends a customer and their entries by window to columns. `chain` is memory to work in.
    #[inline]
    fn copy(&self, customer: u32, chain: &mut Vec<(u32, u32)>, states: &mut States) {
        let Customer { view, first_seen, head, .. } = self.customers[customer as usize];
        chain.clear();
        let mut at = head;
        while let Some(entry) = self.entries.get(at as usize) {
            chain.push((entry.window, at));
            at = entry.next;
        }
        if chain.len() > 1 {
            chain.sort_unstable();
        }
        for &(_, at) in chain.iter() {
            let Entry { start, reference, orders, cents, window, .. } = self.entries[at as usize];
            if !self.fractions.is_empty() || !self.carries.is_empty() {
                let fraction = self.fractions.get(at as usize).copied().unwrap_or(0);
                let carry = self.carries.get(&at).copied().unwrap_or(0);
                if (fraction, carry) != (0, 0) {
                    states.rests.push(Rest { entry: states.windows.len() as u32, fraction, carry });
                }
            }
            states.push_entry(window, start, reference, orders, cents);
        }
        states.push(joined_view(view), self.long.get(view), first_seen);
    }
}

/// Makes room for one more: a quarter at a time, since states are most of what a run has in memory.
#[inline]
fn grow<T>(values: &mut Vec<T>) {
    if values.len() == values.capacity() {
        values.reserve_exact(values.len() / 4 + 64);
    }
}

impl Merge for State {
    /// Customers in both add up, window by window.
    fn merge(&mut self, other: State) {
        for Customer { view, first_seen, hash, head } in &other.customers {
            let customer = self.customer(*hash, *view, other.long.get(*view));
            self.see(customer, *first_seen);
            let mut at = *head;
            while let Some(entry) = other.entries.get(at as usize) {
                let Entry { window, start, reference, orders, cents, .. } = *entry;
                let fraction = other.fractions.get(at as usize).copied().unwrap_or(0);
                self.fold(customer, Addend { window, start, reference, amounts: Amounts { orders, cents, fraction } });
                if let Some(carry) = other.carries.get(&at) {
                    let own = self.entry_of(customer, window);
                    *self.carries.entry(own).or_default() += carry;
                }
                at = entry.next;
            }
        }
    }
}

impl State {
    fn entry_of(&self, customer: u32, window: u32) -> u32 {
        let mut at = self.customers[customer as usize].head;
        while self.entries.get(at as usize).is_some_and(|e| e.window != window) {
            at = self.entries[at as usize].next;
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
