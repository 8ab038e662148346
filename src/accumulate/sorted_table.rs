//! The customers of a partition, in order, and their sums by window: per customer 24 bytes, per customer and window 28.
//!
//! Customers ascend by hash, then id; the entries of a customer lie together and ascend by window. So a customer pays only for windows with
//! rows; rows outside every window have an entry of their own, the last. Everything is read and written from front to back: adding rows
//! ([`add_rows`](super::add_rows)), making columns of some customers, writing a run. Sums that do not fit an entry's word are rare; they lie
//! in the overflow.

use super::chunks::Chunks;
use super::long_ids::LongIds;
use crate::model::amounts::{Amounts, Packed};
use crate::model::entry::{Addend, EntrySum, HISTORY};
use crate::model::ids::{View, joined_view};
use crate::model::state_batch::{LONG_PER_BATCH, StateBatch};
use std::ops::Range;

#[derive(Debug, Clone, Copy)]
pub(super) struct Customer {
    pub(super) view: View,
    /// See [`hash_in_section`](crate::model::hash::hash_in_section).
    pub(super) hash: u32,
    /// The place of the first entry; the last is before the next customer's first, or the end of the chunk.
    pub(super) begin: u32,
}

/// The packed form of an [`EntrySum`], without the gap that aligning it to 8 bytes would leave.
#[derive(Debug, Clone, Copy)]
#[repr(C, packed(4))]
pub(super) struct Entry {
    start: i64,
    reference: i64,
    /// Inline, or the place of the sum in the table's overflow.
    amounts: Packed,
    window: u32,
}

const _: () = assert!(size_of::<Customer>() == 24 && size_of::<Entry>() == 28);

/// A partition's customers, in order.
#[derive(Debug, Default)]
pub(crate) struct SortedTable {
    pub(super) customers: Chunks<Customer>,
    pub(super) entries: Chunks<Entry>,
    pub(super) long: LongIds,
    /// Sums that do not fit an entry's word.
    pub(super) overflow: Vec<EntrySum>,
}

impl SortedTable {
    /// The number of customers.
    pub(crate) fn len(&self) -> usize {
        self.customers.len()
    }

    /// The memory it takes up.
    pub(crate) fn memory(&self) -> usize {
        let overflow = self.overflow.capacity() * size_of::<EntrySum>();
        self.customers.memory() + self.entries.memory() + overflow + self.long.memory()
    }

    /// Consecutive customers, at most so many at a time; fewer where their ids are long.
    pub(crate) fn ranges(&self, most: usize) -> Vec<Range<u32>> {
        let mut ranges = Vec::new();
        let (mut begin, mut long) = (0, 0);
        for at in 0..self.len() as u32 {
            if (at - begin) as usize == most || long >= LONG_PER_BATCH {
                ranges.push(begin..at);
                (begin, long) = (at, 0);
            }
            long += self.long.get(self.customers.get(at).view).len();
        }
        if begin < self.len() as u32 {
            ranges.push(begin..self.len() as u32);
        }
        ranges
    }

    /// Columns of some customers.
    pub(crate) fn fill(&self, customers: Range<u32>, states: &mut StateBatch) {
        states.clear();
        let mut from = customers.start;
        while from < customers.end {
            from += self.append(from, (customers.end - from) as usize, states);
        }
    }

    /// Appends at most so many customers to columns: those whose entries are in the chunk of the first one's. Says how many these were.
    fn append(&self, from: u32, most: usize, states: &mut StateBatch) -> u32 {
        let some = &self.customers.chunk(Chunks::<Customer>::chunk_of(from))[Chunks::<Customer>::within(from)..];
        let some = &some[..most.min(some.len())];
        let first = some[0].begin;
        let chunk = Chunks::<Entry>::chunk_of(first);
        let some = &some[..some.partition_point(|customer| Chunks::<Entry>::chunk_of(customer.begin) == chunk)];
        let (chunk, after) = (self.entries.chunk(chunk), from + some.len() as u32);
        let next = if (after as usize) < self.len() { Some(self.customers.get(after)) } else { None };
        let entries = &chunk[entries_within(first, next, chunk.len())];
        let of = |at: usize| {
            let end = some.get(at + 1).map_or(entries.len(), |next| (next.begin - first) as usize);
            &entries[(some[at].begin - first) as usize..end]
        };
        states.push_ids(some.iter().map(|customer| (joined_view(customer.view), self.long.get(customer.view))));
        states.first_seen.extend((0..some.len()).map(|at| of(at).iter().fold(i64::MAX, |least, entry| least.min(entry.start))));
        if entries.iter().all(|entry| entry.window != HISTORY && { entry.amounts }.is_inline()) {
            let begin = states.windows.len() as u32;
            states.ends.extend(some[1..].iter().map(|customer| begin + (customer.begin - first)));
            states.ends.push(begin + entries.len() as u32);
            states.windows.extend(entries.iter().map(|entry| entry.window));
            states.starts.extend(entries.iter().map(|entry| entry.start));
            states.references.extend(entries.iter().map(|entry| entry.reference));
            states.orders.extend(entries.iter().map(|entry| { entry.amounts }.inline().0));
            states.cents.extend(entries.iter().map(|entry| { entry.amounts }.inline().1));
        } else {
            for at in 0..some.len() {
                let windows = of(at).iter().filter(|entry| entry.window != HISTORY);
                windows.for_each(|entry| states.push_sum(entry.window, &entry.sum(&self.overflow)));
                states.ends.push(states.windows.len() as u32);
            }
        }
        some.len() as u32
    }

    /// Columns of all customers, at most so many in a batch.
    pub(super) fn to_states(&self, most: usize) -> Vec<StateBatch> {
        let columns = |customers: Range<u32>| {
            let mut states = StateBatch::with_capacity(customers.len(), customers.len() + customers.len() / 4);
            self.fill(customers, &mut states);
            states
        };
        self.ranges(most).into_iter().map(columns).collect()
    }
}

/// Where in their chunk, which has so many, the entries of a customer lie that begin at a place, given the customer that follows.
#[inline]
pub(super) fn entries_within(begin: u32, next: Option<&Customer>, chunk: usize) -> Range<usize> {
    let in_chunk = |next: &&Customer| Chunks::<Entry>::chunk_of(next.begin) == Chunks::<Entry>::chunk_of(begin);
    let end = next.filter(in_chunk).map_or(chunk, |next| Chunks::<Entry>::within(next.begin));
    Chunks::<Entry>::within(begin)..end
}

/// Adds a row to the entries of a customer, which begin at a place and are the last ones.
#[inline]
pub(super) fn add(entries: &mut Vec<Entry>, begin: usize, addend: Addend, overflow: &mut Vec<EntrySum>) {
    let mut at = entries.len();
    while at > begin && entries[at - 1].window > addend.window {
        at -= 1;
    }
    if at > begin && entries[at - 1].window == addend.window {
        let entry = &mut entries[at - 1];
        let mut sum = entry.sum(overflow);
        sum.add(&addend.into());
        entry.set(&sum, overflow);
        return;
    }
    let entry = Entry::new(addend, overflow);
    if at == entries.len() { entries.push(entry) } else { entries.insert(at, entry) }
}

impl Entry {
    /// The entry of a first row.
    #[inline]
    pub(super) fn new(addend: Addend, overflow: &mut Vec<EntrySum>) -> Self {
        let Addend { window, start, reference, amounts } = addend;
        let amounts = Packed::new(amounts).unwrap_or_else(|| push_overflow(overflow, &addend.into()));
        Entry { start, reference, amounts, window }
    }

    #[inline]
    fn sum(&self, overflow: &[EntrySum]) -> EntrySum {
        match { self.amounts }.get() {
            Ok(amounts) => Addend { window: self.window, start: self.start, reference: self.reference, amounts }.into(),
            Err(at) => overflow[at],
        }
    }

    #[inline]
    fn set(&mut self, sum: &EntrySum, overflow: &mut Vec<EntrySum>) {
        (self.start, self.reference) = (sum.start, sum.reference);
        let inline =
            if sum.carry == 0 { Packed::new(Amounts { orders: sum.orders, cents: sum.cents, fraction: sum.fraction }) } else { None };
        self.amounts = match (inline, { self.amounts }.get()) {
            (Some(inline), Ok(_)) => inline,
            (_, Err(at)) => {
                overflow[at] = *sum;
                self.amounts
            }
            (None, Ok(_)) => push_overflow(overflow, sum),
        };
    }
}

#[cold]
fn push_overflow(overflow: &mut Vec<EntrySum>, sum: &EntrySum) -> Packed {
    overflow.push(*sum);
    Packed::overflow(overflow.len() - 1)
}
