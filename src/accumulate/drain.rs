//! A partition that takes no more rows: its customers in order, whether they stayed in memory or were spilled. Finishing and saving both
//! read them from here.
//!
//! Customers in memory are put in order where they lie. Columns are made of some of them at a time, as often as they are needed, in memory
//! that is used again: moving all into columns of their own would take new memory for most of what a run holds, and free the old in crumbs.

use super::customer_table::{Customer, CustomerTable, Entry, NONE};
use super::sort_rows::sort_by_hash;
use crate::base::error::Result;
use crate::base::memory::reserve;
use crate::model::entry::HISTORY;
use crate::model::hash::hash_id;
use crate::model::ids::{id_bytes, joined_view};
use crate::model::state_batch::{LONG_PER_BATCH, StateBatch};
use crate::spill::{RunStore, Runs, Sorted, SortedBatches};
use hashbrown::HashTable;
use std::ops::Range;

/// A partition's customers, by hash, then id; their entries in the same order.
#[derive(Debug)]
pub(crate) struct SortedTable(CustomerTable);

/// Memory to sort in.
#[derive(Debug, Default)]
pub(crate) struct SortScratch {
    customers: Vec<Customer>,
    entries: Vec<Entry>,
}

/// A partition that takes no more rows: its customers, sorted.
pub(crate) enum Drained {
    /// All customers are in memory.
    Resident(SortedTable),
    /// Some were spilled: sorted batches of the others, and the runs.
    Spilled(Vec<StateBatch>, Runs),
}

impl Drained {
    /// Hands on all customers, and those of `others` added to them, in order and at most `most` at a time. `memory` is for reading runs,
    /// `states` for columns of customers in memory, to be used again.
    ///
    /// # Errors
    /// When runs cannot be read or written; what `emit` fails with.
    pub(crate) fn merge(
        self,
        mut others: Vec<Box<dyn Sorted + '_>>,
        store: &dyn RunStore,
        memory: u64,
        most: usize,
        states: &mut StateBatch,
        mut emit: impl FnMut(&StateBatch) -> Result<()>,
    ) -> Result<()> {
        let runs = match self {
            Drained::Resident(table) if others.is_empty() => {
                for customers in table.ranges(most) {
                    table.fill(customers, states);
                    emit(states)?;
                }
                return Ok(());
            }
            Drained::Resident(table) => {
                let ranges = table.ranges(most).into_iter();
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
    table: SortedTable,
    ranges: std::vec::IntoIter<Range<u32>>,
}

impl Sorted for TableStream {
    fn next(&mut self, states: &mut StateBatch) -> Result<bool> {
        Ok(self.ranges.next().is_some_and(|range| {
            self.table.fill(range, states);
            true
        }))
    }
}

impl SortedTable {
    /// Sorts a table.
    ///
    /// # Errors
    /// When the system refuses the memory to do that in.
    pub(crate) fn new(mut table: CustomerTable, scratch: &mut SortScratch) -> Result<Self> {
        table.slots = HashTable::new();
        table.warm();
        let SortScratch { customers, entries } = scratch;
        customers.clear();
        entries.clear();
        reserve(customers, table.customers.len())?;
        reserve(entries, table.entries.len())?;
        for at in order(&table) {
            let mut customer = *table.customers.get(at);
            let mut at = std::mem::replace(&mut customer.head, entries.len() as u32);
            while at != NONE {
                let entry = *table.entries.get(at);
                at = entry.next;
                entries.push(Entry { next: if at == NONE { NONE } else { entries.len() as u32 + 1 }, ..entry });
            }
            customers.push(customer);
        }
        table.customers.replace(customers);
        table.entries.replace(entries);
        Ok(SortedTable(table))
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
    pub(crate) fn ranges(&self, most: usize) -> Vec<Range<u32>> {
        ranges(&self.0, 0..self.0.len() as u32, most)
    }

    /// Columns of some customers.
    pub(crate) fn fill(&self, customers: Range<u32>, states: &mut StateBatch) {
        states.clear();
        append(&self.0, customers, states);
    }
}

impl CustomerTable {
    /// Columns of all customers, sorted, at most so many at a time.
    pub(crate) fn into_states(mut self, most: usize) -> Vec<StateBatch> {
        self.slots = HashTable::new();
        self.warm();
        let order = order(&self);
        let columns = |customers: Range<u32>| {
            let customers = &order[customers.start as usize..customers.end as usize];
            let entries = customers.len() * self.entries.len() / order.len();
            let mut states = StateBatch::with_capacity(customers.len(), entries + entries / 16);
            append(&self, customers.iter().copied(), &mut states);
            states
        };
        ranges(&self, order.iter().copied(), most).into_iter().map(columns).collect()
    }

    /// Appends all customers, sorted, to columns and forgets them.
    pub(crate) fn move_into(&mut self, states: &mut StateBatch) {
        append(self, order(self), states);
        self.clear();
    }
}

/// Cuts customers into stretches of at most so many; of fewer where their ids are long.
fn ranges(table: &CustomerTable, order: impl Iterator<Item = u32>, most: usize) -> Vec<Range<u32>> {
    let mut ranges = Vec::new();
    let (mut begin, mut end, mut long) = (0, 0, 0);
    for customer in order {
        if (end - begin) as usize == most || long >= LONG_PER_BATCH {
            ranges.push(begin..end);
            (begin, long) = (end, 0);
        }
        long += table.long.get(table.customers.get(customer).view).len();
        end += 1;
    }
    if begin < end {
        ranges.push(begin..end);
    }
    ranges
}

/// Customers by hash, then id.
fn order(table: &CustomerTable) -> Vec<u32> {
    let CustomerTable { customers, long, .. } = table;
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
fn append(table: &CustomerTable, order: impl IntoIterator<Item = u32>, states: &mut StateBatch) {
    let mut chain: Vec<(u32, u32)> = Vec::new();
    for customer in order {
        let customer = table.customers.get(customer);
        let mut first_seen = i64::MAX;
        let mut at = customer.head;
        while at != NONE {
            let entry = table.entries.get(at);
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
            let entry = table.entries.get(at);
            states.push_sum(entry.window, &table.sum(entry));
        }
        states.push(joined_view(customer.view), table.long.get(customer.view), first_seen);
    }
}
