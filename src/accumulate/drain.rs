//! A partition that takes no more rows: its customers in order, whether they stayed in memory or were spilled. Finishing and saving both
//! read them from here.
//!
//! Customers in memory are put in order where they lie. Columns are made of some of them at a time, as often as they are needed, in memory
//! that is used again: moving all into columns of their own would take new memory for most of what a run holds, and free the old in crumbs.

use super::customer_table::{Customer, Entry, NONE, State};
use super::sort_rows::sort_by_hash;
use crate::base::error::Result;
use crate::model::entry::HISTORY;
use crate::model::hash::hash_id;
use crate::model::ids::{id_bytes, joined_view};
use crate::model::state_batch::{LONG_PER_PIECE, States};
use crate::spill::{RunStore, Runs, Sorted, SortedBatches};
use hashbrown::HashTable;
use std::ops::Range;

/// A partition's customers, by hash, then id; their entries in the same order.
#[derive(Debug)]
pub(crate) struct Folded(State);

/// Memory to sort in.
#[derive(Debug, Default)]
pub(crate) struct Room {
    customers: Vec<Customer>,
    entries: Vec<Entry>,
}

/// A partition that takes no more rows.
pub(crate) enum Drained {
    /// All customers are in memory.
    Resident(Folded),
    /// Some were spilled: batches of the others, and the runs.
    Spilled(Vec<States>, Runs),
}

impl Drained {
    /// Hands on all customers, and those of `others` added to them, in order and at most `most` at a time. `memory` is for reading runs.
    ///
    /// # Errors
    /// When runs cannot be read or written; what `emit` fails with.
    pub(crate) fn merge(
        self,
        mut others: Vec<Box<dyn Sorted + '_>>,
        store: &dyn RunStore,
        memory: u64,
        most: usize,
        mut emit: impl FnMut(&States) -> Result<()>,
    ) -> Result<()> {
        let runs = match self {
            Drained::Resident(table) if others.is_empty() => {
                let mut states = States::default();
                for customers in table.pieces(most) {
                    table.fill(customers, &mut states);
                    emit(&states)?;
                }
                return Ok(());
            }
            Drained::Resident(table) => {
                let ranges = table.pieces(most).into_iter();
                others.push(Box::new(TableStream { table, ranges }));
                Runs::default()
            }
            Drained::Spilled(states, runs) => {
                others.push(Box::new(SortedBatches(states.into_iter())));
                runs
            }
        };
        runs.merge(others, store, memory, most, emit)
    }
}

/// The customers of a partition as a stream.
struct TableStream {
    table: Folded,
    ranges: std::vec::IntoIter<Range<u32>>,
}

impl Sorted for TableStream {
    fn next(&mut self, states: &mut States) -> Result<bool> {
        Ok(self.ranges.next().is_some_and(|range| {
            self.table.fill(range, states);
            true
        }))
    }
}

impl Folded {
    pub(crate) fn new(mut state: State, room: &mut Room) -> Self {
        state.table = HashTable::new();
        state.warm();
        let Room { customers, entries } = room;
        customers.clear();
        entries.clear();
        for at in order(&state) {
            let mut customer = *state.customers.get(at);
            let mut at = std::mem::replace(&mut customer.head, entries.len() as u32);
            while at != NONE {
                let entry = *state.entries.get(at);
                at = entry.next;
                entries.push(Entry { next: if at == NONE { NONE } else { entries.len() as u32 + 1 }, ..entry });
            }
            customers.push(customer);
        }
        state.customers.replace(customers);
        state.entries.replace(entries);
        Folded(state)
    }

    /// The number of customers.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The memory it takes up.
    pub(crate) fn memory(&self) -> usize {
        self.0.memory()
    }

    /// Consecutive customers, at most so many at a time; fewer where their ids are long.
    pub(crate) fn pieces(&self, most: usize) -> Vec<Range<u32>> {
        pieces(&self.0, 0..self.0.len() as u32, most)
    }

    /// Columns of some customers.
    pub(crate) fn fill(&self, customers: Range<u32>, states: &mut States) {
        states.clear();
        append(&self.0, customers, states);
    }
}

impl State {
    /// Columns of all customers, sorted, at most so many at a time.
    pub(crate) fn into_states(mut self, most: usize) -> Vec<States> {
        self.table = HashTable::new();
        self.warm();
        let order = order(&self);
        let columns = |customers: Range<u32>| {
            let customers = &order[customers.start as usize..customers.end as usize];
            let entries = customers.len() * self.entries.len() / order.len();
            let mut states = States::with_capacity(customers.len(), entries + entries / 16);
            append(&self, customers.iter().copied(), &mut states);
            states
        };
        pieces(&self, order.iter().copied(), most).into_iter().map(columns).collect()
    }

    /// Appends all customers, sorted, to columns and forgets them.
    pub(crate) fn move_into(&mut self, states: &mut States) {
        append(self, order(self), states);
        self.clear();
    }
}

/// Cuts customers into stretches of at most so many; of fewer where their ids are long.
fn pieces(state: &State, order: impl Iterator<Item = u32>, most: usize) -> Vec<Range<u32>> {
    let mut pieces = Vec::new();
    let (mut begin, mut end, mut long) = (0, 0, 0);
    for customer in order {
        if (end - begin) as usize == most || long >= LONG_PER_PIECE {
            pieces.push(begin..end);
            (begin, long) = (end, 0);
        }
        long += state.long.get(state.customers.get(customer).view).len();
        end += 1;
    }
    if begin < end {
        pieces.push(begin..end);
    }
    pieces
}

/// Customers by hash, then id.
fn order(state: &State) -> Vec<u32> {
    let State { customers, long, .. } = state;
    let mut keys: Vec<u64> = (0u64..).zip(customers.iter()).map(|(i, c)| u64::from(c.hash) << 32 | i).collect();
    sort_by_hash(&mut keys);
    let mut order: Vec<u32> = keys.into_iter().map(|key| key as u32).collect();
    // Equal bits of the hash are rare: the rest of the hash and the id decide.
    for same in order.chunk_by_mut(|&a, &b| customers.get(a).hash == customers.get(b).hash) {
        if same.len() > 1 {
            let id = |i: u32| {
                let view = customers.get(i).view;
                let id = id_bytes(view, long.get(view), &mut [0; 16]).to_vec();
                (hash_id(&id), id)
            };
            same.sort_by_cached_key(|&i| id(i));
        }
    }
    order
}

/// Appends customers and their entries, by window, to columns.
fn append(state: &State, order: impl IntoIterator<Item = u32>, states: &mut States) {
    let mut chain: Vec<(u32, u32)> = Vec::new();
    for customer in order {
        let customer = state.customers.get(customer);
        let mut first_seen = i64::MAX;
        let mut at = customer.head;
        while at != NONE {
            let entry = state.entries.get(at);
            first_seen = first_seen.min(entry.start);
            if entry.window != HISTORY {
                chain.push((entry.window, at));
            }
            at = entry.next;
        }
        if chain.len() > 1 {
            chain.sort_unstable();
        }
        for (_, at) in chain.drain(..) {
            let entry = state.entries.get(at);
            states.push_sum(entry.window, &state.sum(entry));
        }
        states.push(joined_view(customer.view), state.long.get(customer.view), first_seen);
    }
}
