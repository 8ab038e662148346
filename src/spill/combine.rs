//! The second half of [`merge_runs`](super::merge_runs): of customers whose order is known, equal ones are added up and the others copied.
//!
//! Customers are picked first; when there are enough, their columns are copied one after the other. What was added up is one more source
//! to pick from, so that copying is the same for all.

use crate::base::error::Result;
use crate::model::ids::{INLINE, long_view, parts};
use crate::model::state_batch::{Rest, StateBatch};
use std::cmp::Ordering;

/// States are handed on early when their long ids take up this much.
const LONG: usize = 1 << 24;

/// States with their hashes.
#[derive(Default)]
pub(super) struct HashedBatch {
    pub(super) states: StateBatch,
    pub(super) hashes: Vec<u64>,
}

impl HashedBatch {
    /// A customer against another's.
    pub(super) fn compare(&self, customer: usize, other: &HashedBatch, others: usize) -> Ordering {
        let by_hash = self.hashes[customer].cmp(&other.hashes[others]);
        let view = self.states.views[customer];
        if by_hash.is_ne() || parts(view).0 <= INLINE && view == other.states.views[others] {
            return by_hash;
        }
        self.states.id(customer, &mut [0; 16]).cmp(other.states.id(others, &mut [0; 16]))
    }
}

/// A customer: in which batch, and where in it.
#[derive(Clone, Copy)]
pub(super) struct Key {
    pub(super) hash: u64,
    pub(super) source: u32,
    pub(super) customer: u32,
}

/// The output: customers are picked, and when there are enough, their columns are copied one after the other.
#[derive(Default)]
pub(super) struct Output {
    /// The most customers to hand on at once.
    pub(super) most: usize,
    /// Customers who were in several batches, added up: one more source to pick from.
    sums: StateBatch,
    picked: Picked,
    /// Memory to work in: the entries of one customer, by window.
    same: Vec<(u32, u32, u32)>,
    states: StateBatch,
}

/// The places to copy from: the source and the customer in it, the source and the entry in it.
#[derive(Default)]
struct Picked {
    customers: Vec<(u32, u32)>,
    entries: Vec<(u32, u32)>,
}

impl Picked {
    #[inline]
    fn push(&mut self, source: u32, customer: u32, states: &StateBatch) {
        self.customers.push((source, customer));
        for entry in states.begin(customer as usize) as u32..states.ends[customer as usize] {
            self.entries.push((source, entry));
        }
    }
}

impl Output {
    pub(super) fn new(most: usize) -> Self {
        Output { most: most.max(1), ..Output::default() }
    }

    /// Takes customers in, and hands on what there is as often as it is enough.
    pub(super) fn put(
        &mut self,
        batches: &[&HashedBatch],
        order: &mut [Key],
        emit: &mut impl FnMut(&StateBatch) -> Result<()>,
    ) -> Result<()> {
        order.sort_by_key(|key| key.hash);
        let id = |key: &Key| (batches[key.source as usize], key.customer as usize);
        let compare = |a: &Key, b: &Key| id(a).0.compare(id(a).1, id(b).0, id(b).1);
        let mut at = 0;
        while at < order.len() {
            let Key { hash, source, customer } = order[at];
            let same = order[at..].iter().take_while(|key| key.hash == hash).count();
            let mut members = 1;
            if same == 1 {
                self.picked.push(source, customer, &batches[source as usize].states);
            } else {
                let all = &mut order[at..at + same];
                // Nearly always they are one customer.
                members = all.iter().take_while(|key| compare(&all[0], key).is_eq()).count();
                if members < same {
                    all.sort_by(compare);
                    members = all.iter().take_while(|key| compare(&all[0], key).is_eq()).count();
                }
                self.add_up(&all[..members], batches);
                self.picked.push(batches.len() as u32, self.sums.len() as u32 - 1, &self.sums);
            }
            at += members;
            if self.states.len() + self.picked.customers.len() >= self.most {
                self.copy(batches);
                self.flush(emit)?;
            }
        }
        self.copy(batches);
        if self.states.long.len() < LONG { Ok(()) } else { self.flush(emit) }
    }

    /// Adds a customer's states up, to one more customer of the sums.
    fn add_up(&mut self, members: &[Key], batches: &[&HashedBatch]) {
        let states = |source: u32| &batches[source as usize].states;
        let mut first_seen = i64::MAX;
        self.same.clear();
        for &Key { source, customer, .. } in members {
            let (states, customer) = (states(source), customer as usize);
            first_seen = first_seen.min(states.first_seen[customer]);
            let entries = states.begin(customer)..states.ends[customer] as usize;
            self.same.extend(entries.map(|entry| (states.windows[entry], source, entry as u32)));
        }
        self.same.sort_unstable();
        for same in self.same.chunk_by(|a, b| a.0 == b.0) {
            let mut sum = states(same[0].1).sum(same[0].2 as usize);
            same[1..].iter().for_each(|&(_, source, entry)| sum.add(&states(source).sum(entry as usize)));
            self.sums.push_sum(same[0].0, &sum);
        }
        let (states, customer) = (states(members[0].source), members[0].customer as usize);
        self.sums.push(states.views[customer], states.id(customer, &mut [0; 16]), first_seen);
    }

    /// Copies what was picked.
    fn copy(&mut self, batches: &[&HashedBatch]) {
        let Output { sums, picked: Picked { customers, entries }, states: out, .. } = self;
        let sources: Vec<&StateBatch> = batches.iter().map(|batch| &batch.states).chain([&*sums]).collect();
        let first = out.windows.len() as u32;
        let mut end = first;
        for &(source, customer) in customers.iter() {
            let (source, customer) = (sources[source as usize], customer as usize);
            let view = source.views[customer];
            if parts(view).0 > INLINE {
                out.views.push(long_view(view, 0, out.long.len() as u32));
                out.long.extend_from_slice(source.id(customer, &mut [0; 16]));
            } else {
                out.views.push(view);
            }
            end += source.ends[customer] - source.begin(customer) as u32;
            out.ends.push(end);
        }
        copy_column(&sources, customers, |source| &source.first_seen, &mut out.first_seen);
        copy_column(&sources, entries, |source| &source.windows, &mut out.windows);
        copy_column(&sources, entries, |source| &source.starts, &mut out.starts);
        copy_column(&sources, entries, |source| &source.references, &mut out.references);
        copy_column(&sources, entries, |source| &source.orders, &mut out.orders);
        copy_column(&sources, entries, |source| &source.cents, &mut out.cents);
        if sources.iter().any(|source| !source.rests.is_empty()) {
            let rest =
                |(at, &(source, entry)): (u32, &(u32, u32))| sources[source as usize].rest(entry as usize).map(|r| Rest { entry: at, ..r });
            out.rests.extend((first..).zip(entries.iter()).filter_map(rest));
        }
        customers.clear();
        entries.clear();
        sums.clear();
    }

    /// Hands on what there is.
    pub(super) fn flush(&mut self, emit: &mut impl FnMut(&StateBatch) -> Result<()>) -> Result<()> {
        if self.states.len() > 0 {
            emit(&self.states)?;
            self.states.clear();
        }
        Ok(())
    }
}

/// Appends the values of one column at the places that were picked.
fn copy_column<T: Copy>(sources: &[&StateBatch], places: &[(u32, u32)], column: impl Fn(&StateBatch) -> &Vec<T>, out: &mut Vec<T>) {
    let columns: Vec<&[T]> = sources.iter().map(|source| &column(source)[..]).collect();
    out.extend(places.iter().map(|&(source, at)| columns[source as usize][at as usize]));
}
