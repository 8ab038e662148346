//! What a partition knows of its customers: per customer the first time seen, per customer and window one entry of 40 bytes.
//!
//! Entries of a customer form a chain, newest window first met last, so a customer pays for the windows with rows only. They are rows of
//! a struct and not columns because folding touches one entry at a time and all of it: one cache line instead of five. Fractions of a
//! cent and sums beyond 64 bits are rare; they lie beside, and cost nothing where there are none.

use super::ids::Ids;
use crate::merge::Merge;
use crate::money::{Total, UNITS_PER_CENT};
use crate::route::{hash_id, slot_hash};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Slot;
use std::collections::HashMap;

/// The end of a chain.
const NONE: u32 = u32::MAX;

#[derive(Debug, Clone)]
pub(crate) struct Customer {
    /// The earliest `period_start` of all rows, those outside every window included.
    pub(crate) first_seen: i64,
    head: u32,
}

/// What a customer did in a window.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The earliest `period_start`.
    pub(crate) start: i64,
    /// The greatest [`reference`](crate::route::rows::reference).
    pub(crate) reference: i64,
    /// Saturating: the greatest value says that there were more.
    pub(crate) orders: i64,
    cents: i64,
    /// The window's key.
    pub(crate) window: u32,
    next: u32,
}

/// One row, or one entry of another state, on its way into an entry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addend {
    pub(crate) window: u32,
    pub(crate) start: i64,
    pub(crate) reference: i64,
    pub(crate) orders: i64,
    pub(crate) cents: i64,
    /// Less than a cent.
    pub(crate) fraction: u64,
}

/// The states of a partition's customers.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    table: HashTable<u32>,
    pub(crate) ids: Ids,
    pub(crate) customers: Vec<Customer>,
    entries: Vec<Entry>,
    /// Per entry, less than a cent each; shorter than `entries`, or empty, where the rest is zero.
    fractions: Vec<u64>,
    /// Cents beyond what an entry's 64 bits hold.
    carries: HashMap<u32, i128>,
}

impl State {
    /// The index of a customer, who is added at need.
    #[inline]
    pub(crate) fn customer(&mut self, hash: u64, view: u128, long: &[u8]) -> u32 {
        let State { table, ids, .. } = self;
        let rehash = |&i: &u32| slot_hash(hash_id(ids.get(i as usize, &mut [0; 16])));
        match table.entry(slot_hash(hash), |&i| ids.is(i, view, long), rehash) {
            Slot::Occupied(slot) => *slot.get(),
            Slot::Vacant(slot) => {
                let index = self.customers.len() as u32;
                slot.insert(index);
                self.ids.push(view, long);
                self.customers.push(Customer { first_seen: i64::MAX, head: NONE });
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

    /// Adds to the customer's entry for a window.
    #[inline]
    pub(crate) fn fold(&mut self, customer: u32, addend: Addend) {
        let head = self.customers[customer as usize].head;
        let mut at = head;
        while at != NONE {
            let entry = &mut self.entries[at as usize];
            if entry.window == addend.window {
                entry.start = entry.start.min(addend.start);
                entry.reference = entry.reference.max(addend.reference);
                entry.orders = entry.orders.saturating_add(addend.orders);
                match entry.cents.checked_add(addend.cents) {
                    Some(cents) => entry.cents = cents,
                    None => self.carry(at, addend.cents),
                }
                if addend.fraction != 0 {
                    self.add_fraction(at, addend.fraction);
                }
                return;
            }
            at = entry.next;
        }
        let Addend { window, start, reference, orders, cents, fraction } = addend;
        let index = self.entries.len() as u32;
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

    /// A customer's entries with their sums.
    pub(crate) fn entries(&self, customer: usize) -> impl Iterator<Item = (&Entry, Total)> {
        let mut at = self.customers[customer].head;
        std::iter::from_fn(move || {
            let entry = self.entries.get(at as usize)?;
            let carry = if self.carries.is_empty() { 0 } else { self.carries.get(&at).copied().unwrap_or(0) };
            let fraction = self.fractions.get(at as usize).copied().unwrap_or(0);
            at = entry.next;
            Some((entry, Total::new(i128::from(entry.cents) + carry, fraction)))
        })
    }

    /// Gives up the table and hands over the ids; customers and entries stay.
    pub(crate) fn take_ids(&mut self) -> Ids {
        self.table = HashTable::new();
        std::mem::take(&mut self.ids)
    }
}

impl Merge for State {
    /// Customers in both add up, window by window.
    fn merge(&mut self, other: State) {
        for index in 0..other.customers.len() {
            let hash = hash_id(other.ids.get(index, &mut [0; 16]));
            let customer = self.customer(hash, other.ids.views()[index], other.ids.long_at(index));
            self.see(customer, other.customers[index].first_seen);
            for (entry, total) in other.entries(index) {
                let Entry { window, start, reference, orders, .. } = *entry;
                let (carry, cents, fraction) = total.split();
                self.fold(customer, Addend { window, start, reference, orders, cents, fraction });
                if carry != 0 {
                    let at = self.entry_of(customer, window);
                    *self.carries.entry(at).or_default() += carry;
                }
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
