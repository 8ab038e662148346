//! A partition's bundles → its orders. A bundle whose order's hash no other has is an order as it is; the others are sorted by that hash, and
//! those of each order are added up, in the order of the input.
//!
//! A partition that does not fit the memory of one thread goes through the sorter as records, and its orders come out of that one by one.
//! Of an order that is itself so large, what is kept to be named line by line, or to be found twice, ends at [`MOST_OPEN`].

use super::bundle::{Bundle, Bundles};
use super::intake::earlier;
use super::judge::rejected;
use super::partitions::Partition;
use super::{Anonymous, Desk, Duplicates, Orders, Tally, record};
use crate::error::{Error, Result};
use crate::merge::Merge;
use crate::money::{Amount, Money, Total};
use crate::reject::Reason;
use crate::route::hash_id;
use crate::source::transactions::TransactionColumn as Column;
use crate::spill::{Sorter, Sorting};
use crate::sync::lock;

/// Bytes of an order's bundles that are looked at together.
const MOST_OPEN: u64 = 8 << 20;

/// An order, or a customer's refunds that belong to none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order<'a> {
    pub(super) customer: &'a [u8],
    /// Of its earliest line that is no refund, or of all where all are; microseconds since 1970, UTC.
    pub(super) time: i64,
    /// Whether it counts as an order.
    pub(super) counts: bool,
    /// Cents, rounded.
    pub(super) spend: i64,
    pub(super) margin: Total,
    pub(super) quantity: Total,
}

/// Takes orders one by one.
pub(super) trait Take: FnMut(&Order<'_>) -> Result<()> {}
impl<T: FnMut(&Order<'_>) -> Result<()>> Take for T {}

impl Orders {
    /// Groups a partition, which can be done once; `take` gets its orders.
    pub(super) fn group(&self, partition: usize, take: impl Take) -> Result<()> {
        let partition = self.partitions.take(partition);
        let mut grouper = Grouper::new(&self.desk, take);
        let needed = partition.needed();
        let room = self.partitions.budget().reserve(needed);
        if room.is_some() || needed <= self.merge {
            self.group_in_memory(partition, &mut grouper)?;
        } else {
            self.group_sorted(partition, &mut grouper)?;
        }
        lock(&self.desk.tally).merge(grouper.tally);
        Ok(())
    }

    fn group_in_memory(&self, partition: Partition, grouper: &mut Grouper<'_, impl Take>) -> Result<()> {
        let mut buffers = Vec::new();
        partition.read(&**self.partitions.store(), |bundles, reservation| {
            buffers.push((bundles, reservation));
            Ok(())
        })?;
        let count = buffers.iter().map(|(bundles, _)| bundles.len()).sum();
        let mut hashes = Hashes::with_capacity(count);
        for (bundles, _) in &buffers {
            (0..bundles.len()).for_each(|at| hashes.add(hash_id(bundles.order(at))));
        }
        // What is alone is an order as it is, and taken where it lies.
        let mut index: Vec<(u64, u32, u32)> = Vec::new();
        let mut hash = hashes.all.iter();
        for ((bundles, _), buffer) in buffers.iter().zip(0..) {
            for (at, &hash) in (0..bundles.len()).zip(&mut hash) {
                match hashes.is_alone(hash) {
                    true => grouper.take_alone(&bundles.get(at))?,
                    false => index.push((hash, buffer, at as u32)),
                }
            }
        }
        index.sort_unstable();
        let bundle = |&(_, buffer, at): &(u64, u32, u32)| buffers[buffer as usize].0.get(at as usize);
        let mut several: Vec<Bundle<'_>> = Vec::new();
        for same in index.chunk_by(|a, b| a.0 == b.0) {
            several.clear();
            several.extend(same.iter().map(bundle));
            several.sort_unstable_by_key(|bundle| (bundle.order, bundle.place));
            for order in several.chunk_by(|a, b| a.order == b.order) {
                grouper.add(order)?;
                grouper.end()?;
            }
        }
        self.desk.cancel.check()
    }

    fn group_sorted(&self, partition: Partition, grouper: &mut Grouper<'_, impl Take>) -> Result<()> {
        let (store, cancel) = (self.partitions.store().clone(), self.desk.cancel.clone());
        let sorter = Sorter::new(Sorting { store: store.clone(), heap: self.merge, merge: self.merge, cancel });
        {
            let mut desk = sorter.desk();
            partition.read(&*store, |bundles, _| {
                self.desk.cancel.check()?;
                (0..bundles.len()).try_for_each(|at| desk.push(|out| record::write(&bundles.get(at), out)))
            })?;
        }
        let mut sorted = sorter.finish()?.read();
        let (mut key, mut open, mut digests) = (Vec::new(), Bundles::default(), Vec::new());
        while let Some(found) = sorted.next()? {
            let damaged = || Error::internal("a record that is no bundle's");
            let order = record::order(found).ok_or_else(damaged)?;
            if order != key || open.needed() > MOST_OPEN {
                grouper.add(&(0..open.len()).map(|at| open.get(at)).collect::<Vec<_>>())?;
                open.clear();
            }
            if order != key {
                grouper.end()?;
                key.clear();
                key.extend_from_slice(order);
            }
            record::read(found, &mut digests, &mut open).ok_or_else(damaged)?;
        }
        grouper.add(&(0..open.len()).map(|at| open.get(at)).collect::<Vec<_>>())?;
        grouper.end()
    }
}

/// The hashes of a partition's bundles, and which of them are there once for certain: each sets one of sixteen bits for every bundle, so of
/// those that are alone one in sixteen is not known to be.
struct Hashes {
    all: Vec<u64>,
    seen: Vec<u64>,
    again: Vec<u64>,
}

impl Hashes {
    fn with_capacity(count: usize) -> Self {
        let words = (count / 4).next_power_of_two();
        Hashes { all: Vec::with_capacity(count), seen: vec![0; words], again: vec![0; words] }
    }

    /// The word and the bit of a hash. The highest bits of all are those of the partition.
    #[inline]
    fn slot(&self, hash: u64) -> (usize, u64) {
        ((hash >> 6) as usize & (self.seen.len() - 1), 1 << (hash & 63))
    }

    #[inline]
    fn add(&mut self, hash: u64) {
        let (word, bit) = self.slot(hash);
        self.again[word] |= self.seen[word] & bit;
        self.seen[word] |= bit;
        self.all.push(hash);
    }

    #[inline]
    fn is_alone(&self, hash: u64) -> bool {
        let (word, bit) = self.slot(hash);
        self.again[word] & bit == 0
    }
}

/// Makes orders of bundles.
struct Grouper<'a, T> {
    desk: &'a Desk,
    tally: Tally,
    take: T,
    open: Option<Open>,
    /// Of whom the open order is.
    customer: Vec<u8>,
    /// Digests of lines, their places, and their bundles.
    digests: Vec<(u64, u64, u32)>,
}

const CONFLICT_HELP: &str = "is the column of order ids the right one? Such orders are left out with --on-bad-row reject";

/// An order that is not all there yet.
struct Open {
    named: bool,
    time: i64,
    counts: bool,
    spend: Total,
    margin: Total,
    quantity: Total,
    /// Of its first line.
    place: u64,
    lines: u64,
    /// Of two customers, and left out already.
    refused: bool,
}

impl Open {
    /// Without anything added up.
    fn of(bundle: &Bundle<'_>) -> Self {
        let Bundle { customer, time, counts, place, .. } = *bundle;
        let nothing = Total::default;
        let (spend, margin, quantity) = (nothing(), nothing(), nothing());
        Open { named: customer.is_some(), time, counts, spend, margin, quantity, place, lines: 0, refused: false }
    }

    fn add(&mut self, bundle: &Bundle<'_>) {
        self.time = earlier((self.time, self.counts), (bundle.time, bundle.counts));
        self.counts |= bundle.counts;
        self.spend.add(bundle.spend);
        self.margin.add(bundle.detail.margin);
        self.quantity.add(bundle.detail.quantity);
        self.lines += u64::from(bundle.lines);
    }
}

impl<'a, T: Take> Grouper<'a, T> {
    fn new(desk: &'a Desk, take: T) -> Self {
        Grouper { desk, tally: Tally::default(), take, open: None, customer: Vec::new(), digests: Vec::new() }
    }

    /// Takes a bundle that is all of its order.
    #[inline]
    fn take_alone(&mut self, bundle: &Bundle<'_>) -> Result<()> {
        // Of few lines it is known at once that none is there twice.
        let digests = bundle.digests;
        let twice = digests.len() > 8 || (1..digests.len()).any(|at| digests[..at].contains(&digests[at]));
        let Bundle { time, counts, spend, detail, .. } = *bundle;
        match bundle.customer {
            Some(customer) if !twice && spend.fraction == 0 && Amount::from_cents(spend.cents).is_ok() => {
                self.tally.summary.orders += u64::from(counts);
                let one = |amount| {
                    let mut total = Total::default();
                    total.add(amount);
                    total
                };
                let (margin, quantity) = (one(detail.margin), one(detail.quantity));
                (self.take)(&Order { customer, time, counts, spend: spend.cents, margin, quantity })
            }
            _ => {
                self.add(std::slice::from_ref(bundle))?;
                self.end()
            }
        }
    }

    /// Adds bundles of one order, in the order of their places.
    fn add(&mut self, bundles: &[Bundle<'_>]) -> Result<()> {
        let twice = self.find_twice(bundles)?;
        let bundles = || bundles.iter().filter(|bundle| twice.binary_search(&bundle.place).is_err());
        let (mut others, mut lines) = (false, 0);
        for bundle in bundles() {
            let open = self.open.get_or_insert_with(|| {
                self.customer.clear();
                self.customer.extend_from_slice(bundle.customer.unwrap_or_default());
                Open::of(bundle)
            });
            others |= bundle.customer != open.named.then_some(&self.customer[..]);
            lines += u64::from(bundle.lines);
            open.add(bundle);
        }
        let Some(mut open) = self.open.take_if(|open| others || open.refused) else { return Ok(()) };
        open.refused = true;
        if open.lines == lines { self.refuse(bundles().collect(), &open) } else { self.refuse_large(&open, bundles().next()) }?;
        self.open = Some(open);
        Ok(())
    }

    /// The places of bundles with a line that is there twice, all but the first, which are left out or end the run.
    fn find_twice(&mut self, bundles: &[Bundle<'_>]) -> Result<Vec<u64>> {
        self.digests.clear();
        for (bundle, at) in bundles.iter().zip(0..) {
            self.digests.extend(bundle.digests.iter().zip(bundle.place..).map(|(&digest, place)| (digest, place, at)));
        }
        self.digests.sort_unstable();
        let same = self.digests.chunk_by(|a, b| a.0 == b.0);
        let mut twice: Vec<(u64, u32)> = same.flat_map(|same| same[1..].iter().map(|&(_, place, at)| (place, at))).collect();
        twice.sort_unstable();
        for &(place, at) in &twice {
            if self.desk.options.duplicates == Duplicates::Drop {
                self.tally.summary.duplicate_lines += 1;
                continue;
            }
            let line = Bundle { place, ..bundles[at as usize] };
            let order = String::from_utf8_lossy(line.order).into_owned();
            let help = "leave all but one out with --duplicates drop, or let them count with --duplicates keep";
            self.desk.reject(rejected(&line, self.desk, Reason::DuplicateLine, Column::OrderId, order), help)?;
        }
        Ok(twice.into_iter().map(|(_, at)| bundles[at as usize].place).collect())
    }

    /// Leaves out an order that names two customers. The first line of another customer than the order's first is named where that ends
    /// the run.
    #[cold]
    fn refuse(&self, mut bundles: Vec<&Bundle<'_>>, open: &Open) -> Result<()> {
        let first = open.named.then_some(&self.customer[..]);
        let other = bundles.iter().position(|bundle| bundle.customer != first).unwrap_or(0);
        bundles.rotate_left(other);
        for bundle in bundles {
            let customer = bundle.customer.map_or(String::new(), |id| String::from_utf8_lossy(id).into_owned());
            for place in (bundle.place..).take(bundle.lines.into()) {
                let line = Bundle { place, ..*bundle };
                let reject = rejected(&line, self.desk, Reason::OrderCustomerConflict, Column::CustomerId, customer.clone());
                self.desk.reject(reject, CONFLICT_HELP)?;
            }
        }
        Ok(())
    }

    /// The same of an order that is too large to be kept.
    #[cold]
    fn refuse_large(&self, open: &Open, bundle: Option<&Bundle<'_>>) -> Result<()> {
        let (source, row, _) = self.desk.places.find(open.place);
        let order = bundle.map_or(String::new(), |bundle| String::from_utf8_lossy(bundle.order).into_owned());
        let what = format!("order {order:?} has very many lines, and not of one customer");
        Err(Error::data(what).input(source).row(row).help(CONFLICT_HELP))
    }

    /// Ends the order that was added up, if any.
    fn end(&mut self) -> Result<()> {
        let Some(open) = self.open.take().filter(|open| !open.refused) else { return Ok(()) };
        let Open { named, time, counts, spend, margin, quantity, place, .. } = open;
        let summary = &mut self.tally.summary;
        if !named {
            if self.desk.options.anonymous == Anonymous::Report {
                summary.anonymous_orders += u64::from(counts);
                let revenue = &mut summary.anonymous_revenue;
                *revenue = Money::from_hundredths(revenue.hundredths() + spend.rounded().hundredths());
            }
            return Ok(());
        }
        let Ok(cents) = super::source::cents(spend) else { return self.too_large(spend, time, place) };
        summary.orders += u64::from(counts);
        (self.take)(&Order { customer: &self.customer, time, counts, spend: cents, margin, quantity })
    }

    #[cold]
    fn too_large(&self, spend: Total, time: i64, place: u64) -> Result<()> {
        let (customer, value) = (Some(&self.customer[..]), spend.rounded().to_string());
        let line = Bundle { customer, time, place, ..Bundle::default() };
        let help = "what an order comes to must be below 10^15; is the column of order ids the right one?";
        self.desk.reject(rejected(&line, self.desk, Reason::AmountOutOfRange, Column::LineTotal, value), help)
    }
}
