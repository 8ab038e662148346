//! A table and rows → a table: rows are sorted by their customers' hashes and merged with the customers that are there.
//!
//! Both sides are read from front to back, and so is what comes of them written. Only the rows, sorted by keys, are read out of order, while they
//! are in the cache. Chunks of the old table are given back as they are used up, so that hardly more than one table's memory is taken.

use super::chunks::Chunks;
use super::sort_keys::{SortedKeys, row_of};
use super::sorted_table::{Customer, Entry, SortedTable, add, entries_within};
use crate::base::error::Result;
use crate::model::amounts::Amounts;
use crate::model::entry::{Addend, HISTORY};
use crate::model::hash::hash_id;
use crate::model::ids::{View, id_bytes};
use crate::route::row_buffer::{Row, Rows};
use std::collections::BTreeMap;
use std::vec::IntoIter;

/// Rows of a customer that are added where the table's entries lie; of more, most are likely to be of the same windows.
const FEW_ROWS: usize = 8;

/// Memory to sort rows in, and to add them in.
#[derive(Debug, Default)]
pub(crate) struct SortScratch {
    keys: SortedKeys,
    entries: Vec<Entry>,
}

impl SortedTable {
    /// Adds rows.
    ///
    /// # Errors
    /// When the system refuses the memory to sort in; the table is what it was.
    pub(super) fn add_rows(&mut self, buffers: &[Rows], SortScratch { keys, entries }: &mut SortScratch) -> Result<()> {
        let keys = keys.sort(buffers)?;
        let mut old = Old::new(std::mem::take(&mut self.customers), std::mem::take(&mut self.entries));
        for same in keys.chunk_by(|a, b| a >> 32 == b >> 32) {
            let Some((&first, others)) = same.split_first() else { continue };
            let hash = (first >> 32) as u32;
            old.move_while(self, |customer| customer.hash < hash);
            let (buffer, row) = row_of(buffers, first);
            let known = old.next.filter(|old| old.hash == hash);
            if known.is_none() && others.is_empty() {
                let view = self.own_view(row.view, buffer.long_id(row.view));
                let (begin, last) = self.entries.together(1);
                last.push(Entry::new(addend(buffer, row), &mut self.overflow));
                self.customers.push(Customer { view, hash, begin });
                continue;
            }
            let all = same.iter().map(|&key| row_of(buffers, key));
            let is_one = match known {
                Some(known) => {
                    old.after().is_none_or(|next| next.hash != hash)
                        && all.clone().all(|(buffer, row)| self.long.is(known.view, row.view, buffer.long_id(row.view)))
                }
                None => all.clone().all(|(other, same)| is_same((buffer, row), (other, same))),
            };
            if !is_one {
                self.add_to_equal_hashes(hash, &mut old, all);
                continue;
            }
            let view = match known {
                Some(known) => known.view,
                None => self.own_view(row.view, buffer.long_id(row.view)),
            };
            let before = if known.is_some() { old.entries() } else { &[] };
            let begin = if same.len() <= FEW_ROWS {
                let (begin, last) = self.entries.together(before.len() + same.len());
                let from = last.len();
                append(last, before);
                all.for_each(|(buffer, row)| add(last, from, addend(buffer, row), &mut self.overflow));
                begin
            } else {
                entries.clear();
                entries.extend_from_slice(before);
                all.for_each(|(buffer, row)| add(entries, 0, addend(buffer, row), &mut self.overflow));
                self.push_entries(entries)
            };
            self.customers.push(Customer { view, hash, begin });
            if known.is_some() {
                old.advance();
            }
        }
        old.move_while(self, |_| true);
        Ok(())
    }

    /// Adds rows of customers with one hash, and those who are there: their order is that of the rest of the hash, then of the id.
    #[cold]
    fn add_to_equal_hashes<'a>(&mut self, hash: u32, old: &mut Old, rows: impl Iterator<Item = (&'a Rows, &'a Row)>) {
        let mut all: BTreeMap<(u64, Vec<u8>), (View, Vec<Entry>)> = BTreeMap::new();
        let key = |view: View, long: &[u8]| {
            let mut room = [0; 16];
            let id = id_bytes(view, long, &mut room);
            (hash_id(id), id.to_vec())
        };
        while let Some(customer) = old.next.filter(|customer| customer.hash == hash) {
            all.insert(key(customer.view, self.long.get(customer.view)), (customer.view, old.entries().to_vec()));
            old.advance();
        }
        for (buffer, row) in rows {
            let long = buffer.long_id(row.view);
            let (_, entries) = all.entry(key(row.view, long)).or_insert_with(|| (self.own_view(row.view, long), Vec::new()));
            add(entries, 0, addend(buffer, row), &mut self.overflow);
        }
        for (view, entries) in all.into_values() {
            let begin = self.push_entries(&entries);
            self.customers.push(Customer { view, hash, begin });
        }
    }

    /// The view of a new customer, whose id is kept if it is long.
    #[inline]
    fn own_view(&mut self, view: View, long: &[u8]) -> View {
        if long.is_empty() { view } else { self.long.push(view, long) }
    }

    fn push_entries(&mut self, entries: &[Entry]) -> u32 {
        let (begin, last) = self.entries.together(entries.len());
        last.extend_from_slice(entries);
        begin
    }
}

/// Appends entries, of which there is mostly one.
#[inline]
fn append(last: &mut Vec<Entry>, entries: &[Entry]) {
    match entries {
        [one] => last.push(*one),
        _ => last.extend_from_slice(entries),
    }
}

/// What a row adds.
#[inline]
fn addend(buffer: &Rows, row: &Row) -> Addend {
    let Row { window, start, reference, .. } = *row;
    let amounts = if window == HISTORY { Amounts::default() } else { buffer.amounts(row) };
    Addend { window, start, reference, amounts }
}

/// Whether two rows are of one customer.
#[inline]
fn is_same((a, row): (&Rows, &Row), (b, other): (&Rows, &Row)) -> bool {
    let long = a.long_id(row.view);
    if long.is_empty() { row.view == other.view } else { row.view[0] == other.view[0] && long == b.long_id(other.view) }
}

/// The customers of the table that is being replaced, from the next one on.
struct Old {
    /// The next one.
    next: Option<Customer>,
    chunks: IntoIter<Vec<Customer>>,
    customers: Vec<Customer>,
    at: usize,
    /// The customers after these, if they are known already.
    more: Option<Vec<Customer>>,
    entry_chunks: IntoIter<Vec<Entry>>,
    entries: Vec<Entry>,
    /// The number of the chunk that these are.
    number: usize,
}

impl Old {
    fn new(customers: Chunks<Customer>, entries: Chunks<Entry>) -> Self {
        let (mut chunks, mut entry_chunks) = (customers.into_chunks(), entries.into_chunks());
        let (customers, entries) = (chunks.next().unwrap_or_default(), entry_chunks.next().unwrap_or_default());
        let mut old = Old { next: None, chunks, customers, at: 0, more: None, entry_chunks, entries, number: 0 };
        old.more = old.chunks.next();
        old.next = old.customers.first().copied();
        old
    }

    /// The customer after the next one.
    #[inline]
    fn after(&self) -> Option<&Customer> {
        self.customers.get(self.at + 1).or_else(|| self.more.as_ref()?.first())
    }

    /// The entries of the next customer.
    #[inline]
    fn entries(&self) -> &[Entry] {
        match &self.next {
            Some(next) => &self.entries[entries_within(next.begin, self.after(), self.entries.len())],
            None => &[],
        }
    }

    /// Goes on by one customer.
    #[inline]
    fn advance(&mut self) {
        self.go_to(self.at + 1);
    }

    /// Goes on to a customer of this chunk, or to the first one of the chunk after it.
    #[inline]
    fn go_to(&mut self, at: usize) {
        self.at = at;
        if self.at == self.customers.len() {
            self.customers = self.more.take().unwrap_or_default();
            self.more = self.chunks.next();
            self.at = 0;
        }
        self.next = self.customers.get(self.at).copied();
        while let Some(next) = self.next
            && Chunks::<Entry>::chunk_of(next.begin) > self.number
        {
            self.entries = self.entry_chunks.next().unwrap_or_default();
            self.number += 1;
        }
    }

    /// Moves customers to a table, up to one that is not to be moved.
    #[inline]
    fn move_while(&mut self, table: &mut SortedTable, is_moved: impl Fn(&Customer) -> bool) {
        while let Some(first) = self.next.filter(&is_moved) {
            let chunk = Chunks::<Entry>::chunk_of(first.begin);
            let some = &self.customers[self.at..];
            let here = |customer: &&Customer| is_moved(customer) && Chunks::<Entry>::chunk_of(customer.begin) == chunk;
            let mut count = 1 + some[1..].iter().take_while(here).count();
            let room = table.entries.room();
            let entries = loop {
                let next = some.get(count).or_else(|| self.more.as_ref()?.first());
                let entries = entries_within(first.begin, next, self.entries.len());
                if entries.len() <= room || count == 1 {
                    break entries;
                }
                count -= 1;
            };
            let (begin, last) = table.entries.together(entries.len());
            append(last, &self.entries[entries]);
            for customer in &some[..count] {
                table.customers.push(Customer { begin: customer.begin - first.begin + begin, ..*customer });
            }
            self.go_to(self.at + count);
        }
    }
}
