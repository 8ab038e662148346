//! Customers' states column by column, in the order of hash and id: what a partition hands over once it takes no more rows, what a run
//! holds, and what finalizing reads.

use super::entry::EntrySum;
use super::hash::hash_id;
use super::ids::{INLINE, long_view, parts};
use crate::base::money::Total;

/// States of distinct customers, ascending by hash, then id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StateBatch {
    /// Ids as Arrow views, all in block 0; ids that do not fit their view lie in `long`.
    pub(crate) views: Vec<u128>,
    /// The bytes of long ids.
    pub(crate) long: Vec<u8>,
    /// Per customer, the earliest `period_start` of all rows, those outside every window included.
    pub(crate) first_seen: Vec<i64>,
    /// Per customer, where the entries end in the columns below; they begin where the customer's before end. Ascending by window.
    pub(crate) ends: Vec<u32>,
    /// Per entry, the window's key.
    pub(crate) windows: Vec<u32>,
    /// The earliest `period_start`.
    pub(crate) starts: Vec<i64>,
    /// The greatest [`reference`](crate::model::entry::reference).
    pub(crate) references: Vec<i64>,
    /// Saturating: the greatest value says that there were more.
    pub(crate) orders: Vec<i64>,
    /// Whole cents.
    pub(crate) cents: Vec<i64>,
    /// The rests of the few entries whose money is not 64 bits of whole cents, ascending by entry.
    pub(crate) rests: Vec<Rest>,
}

/// Bytes of long ids in a batch, about.
pub(crate) const LONG_PER_BATCH: usize = 1 << 20;

/// The part of an entry's money that its cents do not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rest {
    pub(crate) entry: u32,
    /// Less than a cent.
    pub(crate) fraction: u64,
    /// Cents beyond 64 bits, to be added.
    pub(crate) carry: i128,
}

impl StateBatch {
    /// The number of customers.
    pub(crate) fn len(&self) -> usize {
        self.views.len()
    }

    /// The bytes of an id, given room for a short one.
    #[inline]
    pub(crate) fn id<'a>(&'a self, customer: usize, room: &'a mut [u8; 16]) -> &'a [u8] {
        let view = self.views[customer];
        let (length, _, offset) = parts(view);
        if length > INLINE {
            return &self.long[offset..offset + length];
        }
        *room = view.to_le_bytes();
        &room[4..4 + length]
    }

    /// An id as text.
    pub(crate) fn text(&self, customer: usize) -> String {
        String::from_utf8_lossy(self.id(customer, &mut [0; 16])).into_owned()
    }

    /// Takes over the ids of others, and nothing else of theirs.
    pub(crate) fn clone_ids(&mut self, other: &StateBatch) {
        self.views.clone_from(&other.views);
        self.long.clone_from(&other.long);
    }

    /// The hash of an id.
    #[inline]
    pub(crate) fn hash(&self, customer: usize) -> u64 {
        hash_id(self.id(customer, &mut [0; 16]))
    }

    /// Room for so many customers and entries.
    pub(crate) fn with_capacity(customers: usize, entries: usize) -> Self {
        StateBatch {
            views: Vec::with_capacity(customers),
            long: Vec::new(),
            first_seen: Vec::with_capacity(customers),
            ends: Vec::with_capacity(customers),
            windows: Vec::with_capacity(entries),
            starts: Vec::with_capacity(entries),
            references: Vec::with_capacity(entries),
            orders: Vec::with_capacity(entries),
            cents: Vec::with_capacity(entries),
            rests: Vec::new(),
        }
    }

    /// The place of a customer's first entry.
    #[inline]
    pub(crate) fn begin(&self, customer: usize) -> usize {
        if customer == 0 { 0 } else { self.ends[customer - 1] as usize }
    }

    /// Forgets the customers and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.views.clear();
        self.long.clear();
        self.first_seen.clear();
        self.ends.clear();
        self.windows.clear();
        self.starts.clear();
        self.references.clear();
        self.orders.clear();
        self.cents.clear();
        self.rests.clear();
    }

    /// Appends ids, given their views and the bytes of long ones.
    #[inline]
    pub(crate) fn push_ids<'a>(&mut self, ids: impl IntoIterator<Item = (u128, &'a [u8])>) {
        let StateBatch { views, long, .. } = self;
        views.extend(ids.into_iter().map(|(view, id)| {
            if parts(view).0 <= INLINE {
                return view;
            }
            let view = long_view(view, 0, long.len() as u32);
            long.extend_from_slice(id);
            view
        }));
    }

    /// Appends a customer, whose entries have been put in before.
    pub(crate) fn push(&mut self, view: u128, id: &[u8], first_seen: i64) {
        self.push_ids([(view, id)]);
        self.first_seen.push(first_seen);
        self.ends.push(self.windows.len() as u32);
    }
}

impl StateBatch {
    /// The sum of an entry. One with a rest is searched for, which few have; a reader of every entry in turn has [`StateBatch::total`].
    #[inline]
    pub(crate) fn sum(&self, entry: usize) -> EntrySum {
        let (start, reference, orders, cents) = (self.starts[entry], self.references[entry], self.orders[entry], self.cents[entry]);
        let mut sum = EntrySum { start, reference, orders, cents, carry: 0, fraction: 0 };
        if let Some(rest) = self.rest(entry) {
            (sum.carry, sum.fraction) = (rest.carry, rest.fraction);
        }
        sum
    }

    /// The rest of an entry's cents, if it has one.
    #[inline]
    pub(crate) fn rest(&self, entry: usize) -> Option<Rest> {
        if self.rests.is_empty() {
            return None;
        }
        let at = self.rests.binary_search_by_key(&(entry as u32), |rest| rest.entry).ok()?;
        Some(self.rests[at])
    }

    /// The money of an entry, given where in `rests` those of this entry and later ones begin; moves that on.
    #[inline]
    pub(crate) fn total(&self, entry: usize, rest: &mut usize) -> Total {
        let (mut carry, mut fraction) = (0, 0);
        if let Some(found) = self.rests.get(*rest).filter(|rest| rest.entry as usize == entry) {
            (carry, fraction) = (found.carry, found.fraction);
            *rest += 1;
        }
        Total::new(i128::from(self.cents[entry]) + carry, fraction)
    }

    /// Appends an entry of the customer to be pushed next.
    #[inline]
    pub(crate) fn push_sum(&mut self, window: u32, sum: &EntrySum) {
        if !sum.is_whole() {
            self.rests.push(Rest { entry: self.windows.len() as u32, fraction: sum.fraction, carry: sum.carry });
        }
        self.windows.push(window);
        self.starts.push(sum.start);
        self.references.push(sum.reference);
        self.orders.push(sum.orders);
        self.cents.push(sum.cents);
    }

    /// Puts the entry at `at` in place of another sum; of entries with a rest, `at` must be after all others.
    #[inline]
    pub(crate) fn set_sum(&mut self, at: usize, window: u32, sum: &EntrySum) {
        self.windows[at] = window;
        self.starts[at] = sum.start;
        self.references[at] = sum.reference;
        self.orders[at] = sum.orders;
        self.cents[at] = sum.cents;
        self.rests.pop_if(|rest| rest.entry as usize == at);
        if !sum.is_whole() {
            self.rests.push(Rest { entry: at as u32, fraction: sum.fraction, carry: sum.carry });
        }
    }
}
