//! The partial orders of a partition → its orders.
//!
//! A partial order that shares the hash of its order with no other is an order as it is. The others are sorted by that hash, and those of
//! each order are added up, in the order of the input.
//!
//! A partition that does not fit the memory of one thread, and an order of very many lines, go through the sorter as records, line by line.
//! There an order takes up its sums only, however many lines it has; the ids of orders that are left out are kept until the partition ends.
//!
//! Faults of orders show only here, and not in the order of the input. So where a fault ends the run, all partitions are grouped first.

use super::fault::Fault;
use super::line_record::Record;
use super::partial_order::PartialOrder;
use super::partitions::Partition;
use super::pre_aggregate::earlier;
use super::settle::{Settled, Sums};
use super::to_periods::PeriodFinder;
use super::validate::Validation;
use super::{Duplicates, LineSummary, Orders, line_record};
use crate::base::error::{Error, Result};
use crate::base::money::Total;
use crate::model::hash::hash_id;
use crate::model::reject::OnBadRow;
use crate::spill::{Records, Sorter, Sorting};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Partial orders of an order that are looked at together.
const MOST_TOGETHER: usize = 1 << 11;

/// An order, or a customer's refunds that belong to none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order<'a> {
    pub(super) customer: &'a [u8],
    /// The time of its earliest line that is no refund, or of all where all are; microseconds since 1970, UTC.
    pub(super) time: i64,
    /// Whether it counts as an order.
    pub(super) counts: bool,
    /// Cents, rounded.
    pub(super) spend: i64,
    pub(super) margin: i64,
    pub(super) quantity: Total,
    /// The position of its first line.
    pub(super) position: u64,
}

/// Takes orders one by one.
pub(super) trait Take: FnMut(&Order<'_>) -> Result<()> {}
impl<T: FnMut(&Order<'_>) -> Result<()>> Take for T {}

impl Orders {
    /// Groups a partition, which can be done once; `take` gets its orders.
    pub(super) fn group(&self, partition: usize, periods: &PeriodFinder, take: impl Take) -> Result<()> {
        let partition = self.partitions.take(partition);
        let mut grouper = Grouper::new(&self.validation, periods, take);
        let needed = partition.needed();
        let room = self.partitions.budget().reserve(needed);
        if room.is_some() || needed <= self.merge {
            self.group_in_memory(partition, &mut grouper)?;
        } else {
            self.group_sorted(partition, &mut grouper)?;
        }
        self.validation.count(grouper.tally);
        // With the last partition, the faults of all orders are known.
        let last = self.grouped.fetch_add(1, Ordering::AcqRel) + 1 == self.partitions.len();
        if last { self.validation.verdict() } else { Ok(()) }
    }

    fn group_in_memory(&self, partition: Partition, grouper: &mut Grouper<'_, impl Take>) -> Result<()> {
        let mut buffers = Vec::new();
        partition.read(&**self.partitions.store(), |partials, reservation| {
            buffers.push((partials, reservation));
            Ok(())
        })?;
        let count = buffers.iter().map(|(partials, _)| partials.len()).sum();
        let mut hashes = Hashes::with_capacity(count);
        for (partials, _) in &buffers {
            (0..partials.len()).for_each(|at| hashes.add(hash_id(partials.order(at))));
        }
        // A partial order that is alone is an order as it is, and taken from its buffer.
        let mut index: Vec<(u64, u32, u32)> = Vec::new();
        let mut hash = hashes.all.iter();
        for ((partials, _), buffer) in buffers.iter().zip(0..) {
            for (at, &hash) in (0..partials.len()).zip(&mut hash) {
                match hashes.is_alone(hash) {
                    true => grouper.take_alone(&partials.get(at))?,
                    false => index.push((hash, buffer, at as u32)),
                }
            }
        }
        index.sort_unstable();
        let partial = |&(_, buffer, at): &(u64, u32, u32)| buffers[buffer as usize].0.get(at as usize);
        let mut several: Vec<PartialOrder<'_>> = Vec::new();
        let (large, mut heap) = (self.sorter(), None);
        for same in index.chunk_by(|a, b| a.0 == b.0) {
            if same.len() > MOST_TOGETHER {
                let (buffer, _) = heap.get_or_insert_with(|| (large.buffer(), self.partitions.budget().hold(self.merge)));
                same.iter().try_for_each(|at| line_record::write(&partial(at), |append| buffer.push(append)))?;
                continue;
            }
            several.clear();
            several.extend(same.iter().map(partial));
            several.sort_unstable_by_key(|partial| (partial.order, partial.position));
            several.chunk_by(|a, b| a.order == b.order).try_for_each(|order| grouper.take_all(order))?;
        }
        self.validation.cancel.check()?;
        match heap.take() {
            None => Ok(()),
            Some((buffer, _held)) => {
                drop(buffer);
                group_records(&large.finish()?, grouper)
            }
        }
    }

    fn group_sorted(&self, partition: Partition, grouper: &mut Grouper<'_, impl Take>) -> Result<()> {
        let sorter = self.sorter();
        {
            let mut buffer = sorter.buffer();
            partition.read(&**self.partitions.store(), |partials, _| {
                self.validation.cancel.check()?;
                (0..partials.len()).try_for_each(|at| line_record::write(&partials.get(at), |append| buffer.push(append)))
            })?;
        }
        group_records(&sorter.finish()?, grouper)
    }

    fn sorter(&self) -> Sorter {
        let (store, cancel) = (self.partitions.store().clone(), self.validation.cancel.clone());
        Sorter::new(Sorting { store, heap: self.merge, merge: self.merge, cancel })
    }
}

/// Groups lines that come in the order of their orders, and in each of their digests.
fn group_records(records: &Arc<Records>, grouper: &mut Grouper<'_, impl Take>) -> Result<()> {
    let damaged = || Error::internal("a record that is no line's");
    let mut refused: BTreeMap<Vec<u8>, Fault> = BTreeMap::new();
    let (mut before, mut sorted) = (Before::default(), records.read());
    while let Some(found) = sorted.next()? {
        let record = line_record::read(found).ok_or_else(damaged)?;
        if record.key != before.key
            && let Outcome::Refused(fault) = grouper.end()?
        {
            refused.insert(before.key.clone(), fault);
        }
        let is_duplicate = before.is_same_as(&record) && grouper.finds_duplicates();
        if is_duplicate {
            grouper.leave_out_duplicate(&record.partial())?;
        }
        if !is_duplicate || grouper.keeps_duplicates() {
            grouper.add(&record.partial());
        }
        before.set(&record);
    }
    if let Outcome::Refused(fault) = grouper.end()? {
        refused.insert(before.key, fault);
    }
    // Only now it is known which orders are left out. Each of their lines is, with its reason.
    if refused.is_empty() {
        return Ok(());
    }
    let (mut before, mut sorted) = (Before::default(), records.read());
    while let Some(found) = sorted.next()? {
        let record = line_record::read(found).ok_or_else(damaged)?;
        let Some(&fault) = refused.get(record.key) else { continue };
        if !(before.is_same_as(&record) && grouper.finds_duplicates()) {
            grouper.refuse(&record.partial(), fault)?;
        }
        before.set(&record);
    }
    Ok(())
}

/// The line before: its order, and its digest. No order's key is empty.
#[derive(Default)]
struct Before {
    key: Vec<u8>,
    digest: u64,
}

impl Before {
    fn is_same_as(&self, record: &Record<'_>) -> bool {
        self.digest == record.digest && self.key == record.key
    }

    fn set(&mut self, record: &Record<'_>) {
        self.digest = record.digest;
        if self.key != record.key {
            self.key.clear();
            self.key.extend_from_slice(record.key);
        }
    }
}

/// The hashes of a partition's partial orders, and which of them are there once for certain: each sets one of sixteen bits for every partial order, so of
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

/// Adds partial orders up to orders.
struct Grouper<'a, T> {
    validation: &'a Validation,
    periods: &'a PeriodFinder,
    tally: LineSummary,
    take: T,
    open: Option<OpenOrder>,
    /// The customer of the first line of the open order.
    customer: Vec<u8>,
    /// The first line of another customer, and that customer.
    other: Option<(u64, Option<Vec<u8>>)>,
    /// Digests of lines, their positions, and the indices of their partial orders.
    digests: Vec<(u64, u64, u32)>,
}

/// The outcome of grouping an order.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// It counts, or it names no customer.
    Taken,
    /// All of its lines are to be left out, for this.
    Refused(Fault),
}

/// An order that is not all there yet.
struct OpenOrder {
    named: bool,
    time: i64,
    counts: bool,
    spend: Total,
    margin: Total,
    quantity: Total,
    /// The position of its first line.
    position: u64,
}

impl<'a, T: Take> Grouper<'a, T> {
    fn new(validation: &'a Validation, periods: &'a PeriodFinder, take: T) -> Self {
        Grouper {
            validation,
            periods,
            tally: LineSummary::default(),
            take,
            open: None,
            customer: Vec::new(),
            other: None,
            digests: Vec::new(),
        }
    }

    fn finds_duplicates(&self) -> bool {
        self.validation.options.duplicates != Duplicates::Keep
    }

    /// Whether duplicates are added up in spite of being found: they end the run anyway, and then some cannot be told from the partial order
    /// that they are a part of.
    fn keeps_duplicates(&self) -> bool {
        self.validation.options.duplicates == Duplicates::Fail && self.validation.on_bad_row == OnBadRow::Fail
    }

    /// Takes a partial order that is all of its order.
    #[inline]
    fn take_alone(&mut self, partial: &PartialOrder<'_>) -> Result<()> {
        // With few digests, it is quickly known that there are no duplicates.
        let digests = partial.digests;
        let duplicates = digests.len() > 8 || (1..digests.len()).any(|at| digests[..at].contains(&digests[at]));
        if duplicates {
            return self.take_all(std::slice::from_ref(partial));
        }
        let PartialOrder { customer, time, counts, spend, detail, position, .. } = *partial;
        let sums = Sums { time, counts, spend, margin: detail.margin, quantity: detail.quantity };
        match (self.periods.settle(customer.is_some(), &sums, &mut self.tally), customer) {
            (Ok(Some(Settled { spend, margin })), Some(customer)) => {
                (self.take)(&Order { customer, time, counts, spend, margin, quantity: detail.quantity.into(), position })
            }
            (Ok(_), _) => Ok(()),
            (Err(_), _) => self.take_all(std::slice::from_ref(partial)),
        }
    }

    /// Takes all partial orders of an order.
    fn take_all(&mut self, partials: &[PartialOrder<'_>]) -> Result<()> {
        let duplicates = self.find_duplicates(partials)?;
        let once = || partials.iter().filter(|partial| duplicates.binary_search(&partial.position).is_err());
        once().for_each(|partial| self.add(partial));
        match self.end()? {
            Outcome::Taken => Ok(()),
            Outcome::Refused(fault) => once().try_for_each(|partial| self.refuse(partial, fault)),
        }
    }

    /// Adds what belongs to the open order.
    fn add(&mut self, partial: &PartialOrder<'_>) {
        let PartialOrder { customer, time, counts, position, .. } = *partial;
        let nothing = Total::default;
        let open = self.open.get_or_insert_with(|| {
            self.customer.clear();
            self.customer.extend_from_slice(customer.unwrap_or_default());
            let (spend, margin, quantity) = (nothing(), nothing(), nothing());
            OpenOrder { named: customer.is_some(), time, counts, spend, margin, quantity, position }
        });
        let first = open.named.then_some(&self.customer[..]);
        let other = self.other.as_ref().map_or(u64::MAX, |(position, _)| *position);
        if customer != first && position < open.position {
            self.other = Some((open.position, first.map(<[u8]>::to_vec)));
            open.named = customer.is_some();
            self.customer.clear();
            self.customer.extend_from_slice(customer.unwrap_or_default());
        } else if customer != first && position < other {
            self.other = Some((position, customer.map(<[u8]>::to_vec)));
        }
        open.position = open.position.min(position);
        open.time = earlier((open.time, open.counts), (time, counts));
        open.counts |= counts;
        open.spend.add(partial.spend);
        open.margin.add(partial.detail.margin);
        open.quantity.add(partial.detail.quantity);
    }

    /// Finds lines that are duplicates of lines before them. They end the run, or are left out: then their positions are given.
    fn find_duplicates(&mut self, partials: &[PartialOrder<'_>]) -> Result<Vec<u64>> {
        self.digests.clear();
        for (partial, at) in partials.iter().zip(0..) {
            self.digests.extend(partial.digests.iter().zip(partial.position..).map(|(&digest, position)| (digest, position, at)));
        }
        self.digests.sort_unstable();
        let same = self.digests.chunk_by(|a, b| a.0 == b.0);
        let mut duplicates: Vec<(u64, u32)> = same.flat_map(|same| same[1..].iter().map(|&(_, position, at)| (position, at))).collect();
        duplicates.sort_unstable();
        for &(position, at) in &duplicates {
            self.leave_out_duplicate(&PartialOrder { position, ..partials[at as usize] })?;
        }
        if self.keeps_duplicates() {
            duplicates.clear();
        }
        Ok(duplicates.into_iter().map(|(position, _)| position).collect())
    }

    /// Leaves out a line that is a duplicate of one before it.
    #[cold]
    fn leave_out_duplicate(&mut self, line: &PartialOrder<'_>) -> Result<()> {
        if self.validation.options.duplicates == Duplicates::Drop {
            self.tally.duplicate_lines += 1;
            self.tally.duplicates.add(line.spend);
            return Ok(());
        }
        let amount = (self.validation.on_bad_row != OnBadRow::Fail).then(|| line.spend.into());
        self.validation.refuse(line, Fault::Duplicate, amount)
    }

    /// Ends the order that was added up, if any.
    fn end(&mut self) -> Result<Outcome> {
        let Some(OpenOrder { named, time, counts, spend, margin, quantity, position }) = self.open.take() else {
            return Ok(Outcome::Taken);
        };
        if let Some((position, customer)) = self.other.take() {
            // The first line of another customer.
            let line = PartialOrder { customer: customer.as_deref(), position, time, ..PartialOrder::default() };
            return self.end_bad(&line, Fault::Conflict, spend);
        }
        match self.periods.settle(named, &Sums { time, counts, spend, margin, quantity }, &mut self.tally) {
            Ok(None) => Ok(Outcome::Taken),
            Ok(Some(Settled { spend, margin })) => {
                (self.take)(&Order { customer: &self.customer, time, counts, spend, margin, quantity, position })?;
                Ok(Outcome::Taken)
            }
            Err(fault) => {
                self.end_bad(&PartialOrder { customer: Some(&self.customer), time, position, ..PartialOrder::default() }, fault, spend)
            }
        }
    }

    /// Ends an order with a fault. Where that ends the run, this line of it is named; else all its lines are left out.
    fn end_bad(&self, line: &PartialOrder<'_>, fault: Fault, spend: Total) -> Result<Outcome> {
        match self.validation.on_bad_row {
            OnBadRow::Fail => self.validation.refuse(line, fault, Some(spend)).map(|()| Outcome::Taken),
            OnBadRow::Reject => Ok(Outcome::Refused(fault)),
        }
    }

    /// Leaves out the lines of an order with a fault.
    #[cold]
    fn refuse(&self, partial: &PartialOrder<'_>, fault: Fault) -> Result<()> {
        // What lines are worth that were added up is told once.
        let amount = |position| if position == partial.position { partial.spend.into() } else { Total::default() };
        (partial.position..)
            .take(partial.lines.into())
            .try_for_each(|position| self.validation.refuse(&PartialOrder { position, ..*partial }, fault, Some(amount(position))))
    }
}
