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
use super::group_records::group_records;
use super::input_counts::InputCounts;
use super::nameless::{Admission, admission};
use super::open_order::OpenOrder;
use super::order_hashes::OrderHashes;
use super::order_notes::{MOST_DAYS, OrderNotes};
use super::partial_order::PartialOrder;
use super::partitions::Partition;
use super::settle::{Settled, Sums};
use super::to_periods::PeriodFinder;
use super::validate::Validation;
use super::{Duplicates, LineSummary, Orders, Refunds, line_record, nameless};
use crate::base::error::Result;
use crate::base::money::Total;
use crate::model::hash::hash_id;
use crate::model::period_batch::NO_TIMESTAMP;
use crate::model::reject::OnBadRow;
use crate::model::worth::WorthColumn;
use crate::spill::{Sorter, Sorting};
use std::hint::black_box;
use std::sync::atomic::Ordering;

/// Partial orders of an order that are looked at together.
const MOST_TOGETHER: usize = 1 << 11;
/// Partial orders that are touched at a time before they are taken. They are taken in the order of their hashes, so each is a cache miss. The
/// misses of a short loop overlap; those between orders, with all the work for an order in between, would not.
const AHEAD: usize = 64;

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
        grouper.notes.note(&self.validation.notes, periods.granularity());
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
        let mut hashes = OrderHashes::with_capacity(count);
        for (partials, _) in &buffers {
            (0..partials.len()).for_each(|at| hashes.add(hash_id(partials.order(at))));
        }
        // A partial order that is alone is an order as it is, and taken from its buffer.
        let mut index: Vec<(u64, u32, u32)> = Vec::new();
        let mut hash = hashes.all.iter();
        for ((partials, _), buffer) in buffers.iter().zip(0..) {
            for (at, &hash) in (0..partials.len()).zip(&mut hash) {
                match hashes.is_alone(hash) {
                    true => {
                        let partial = partials.get(at);
                        grouper.notes.ids.look(partial.order);
                        grouper.take_alone(&partial)?;
                    }
                    false => index.push((hash, buffer, at as u32)),
                }
            }
        }
        index.sort_unstable();
        let partial = |&(_, buffer, at): &(u64, u32, u32)| buffers[buffer as usize].0.get(at as usize);
        let mut several: Vec<PartialOrder<'_>> = Vec::new();
        let (large, mut heap, mut nameless) = (self.sorter(), None, false);
        let (mut next, mut touched) = (0, 0);
        for same in index.chunk_by(|a, b| a.0 == b.0) {
            if next >= touched {
                touched = index.len().min(next + AHEAD);
                let ahead = index[next..touched].iter().map(|&(_, buffer, at)| buffers[buffer as usize].0.touch(at as usize));
                black_box(ahead.fold(0, |all, byte| all ^ byte));
            }
            next += same.len();
            if same.len() > MOST_TOGETHER {
                let (buffer, _) = heap.get_or_insert_with(|| (large.buffer(), self.partitions.budget().hold(self.merge)));
                same.iter().map(partial).try_for_each(|partial| {
                    nameless |= partial.customer.is_none();
                    line_record::write(&partial, |append| buffer.push(append))
                })?;
                continue;
            }
            several.clear();
            several.extend(same.iter().map(partial));
            several.sort_unstable_by_key(|partial| (partial.order, partial.position));
            several.chunk_by(|a, b| a.order == b.order).try_for_each(|order| {
                grouper.notes.ids.look(order[0].order);
                grouper.take_all(order)
            })?;
        }
        self.validation.cancel.check()?;
        match heap.take() {
            None => Ok(()),
            Some((buffer, _held)) => {
                drop(buffer);
                group_records(&large.finish()?, grouper, nameless)
            }
        }
    }

    fn group_sorted(&self, partition: Partition, grouper: &mut Grouper<'_, impl Take>) -> Result<()> {
        let (sorter, mut nameless) = (self.sorter(), false);
        {
            let mut buffer = sorter.buffer();
            partition.read(&**self.partitions.store(), |partials, _| {
                self.validation.cancel.check()?;
                (0..partials.len()).map(|at| partials.get(at)).try_for_each(|partial| {
                    nameless |= partial.customer.is_none();
                    line_record::write(&partial, |append| buffer.push(append))
                })
            })?;
        }
        group_records(&sorter.finish()?, grouper, nameless)
    }

    fn sorter(&self) -> Sorter {
        let (store, cancel) = (self.partitions.store().clone(), self.validation.cancel.clone());
        Sorter::new(Sorting { store, heap: self.merge, merge: self.merge, cancel })
    }
}

/// Adds partial orders up to orders.
pub(super) struct Grouper<'a, T> {
    pub(super) validation: &'a Validation,
    periods: &'a PeriodFinder,
    tally: LineSummary,
    take: T,
    open: OpenOrder,
    pub(super) notes: OrderNotes,
    /// Digests of lines, their positions, and the indices of their partial orders.
    digests: Vec<(u64, u64, u32)>,
}

/// The outcome of grouping an order.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It counts, or it names no customer.
    Taken,
    /// All of its lines are to be left out, for this.
    Refused(Fault),
}

impl<'a, T: Take> Grouper<'a, T> {
    fn new(validation: &'a Validation, periods: &'a PeriodFinder, take: T) -> Self {
        Grouper {
            validation,
            periods,
            tally: LineSummary::default(),
            take,
            open: OpenOrder::default(),
            notes: OrderNotes::default(),
            digests: Vec::new(),
        }
    }

    pub(super) fn finds_duplicates(&self) -> bool {
        self.validation.duplicates != Duplicates::Keep
    }

    /// Whether duplicates are added up in spite of being found: they end the run anyway, and then some cannot be told from the partial order
    /// that they are a part of.
    pub(super) fn keeps_duplicates(&self) -> bool {
        self.validation.duplicates == Duplicates::Fail && self.validation.on_bad_row == OnBadRow::Fail
    }

    /// Whether lines that are equal to one before them do not count. Where no product tells them apart, they may be two of one kind, so that
    /// they are left out only if that was asked for.
    pub(super) fn leaves_out(&self, digest: u64) -> bool {
        has_product(digest) || matches!(self.validation.duplicates, Duplicates::Drop | Duplicates::BetweenInputs)
    }

    /// Whether so many lines that are equal to one before them do not count; they are noted where no product tells them apart.
    pub(super) fn is_copy(&mut self, digest: u64, lines: u64) -> bool {
        let leaves_out = self.leaves_out(digest);
        if !has_product(digest) {
            *(if leaves_out { &mut self.notes.equal_lines_dropped } else { &mut self.notes.equal_lines }) += lines;
        }
        leaves_out
    }

    /// Whether lines count. Those without a customer are counted here, and refused if they are bad.
    pub(super) fn admit(&mut self, partial: &PartialOrder<'_>, named: bool) -> Result<bool> {
        if partial.customer.is_some() {
            return Ok(true);
        }
        let options = &self.validation.options;
        nameless::count(partial, named, options, &mut self.tally);
        match admission(partial, named, options) {
            Admission::Counts => Ok(true),
            Admission::LeftOut => Ok(false),
            Admission::Bad(fault) => {
                self.refuse(partial, fault)?;
                // What else is wrong with the line and its order is told, too.
                let reads_on = self.validation.reads_on();
                if reads_on && fault == Fault::Anonymous && !partial.counts && options.refunds == Refunds::Fail {
                    self.refuse(partial, Fault::Refund)?;
                }
                Ok(reads_on)
            }
        }
    }

    /// Takes a partial order that is all of its order.
    #[inline]
    fn take_alone(&mut self, partial: &PartialOrder<'_>) -> Result<()> {
        // With few digests, it is quickly known that there are no duplicates.
        let digests = partial.digests;
        let duplicates = digests.len() > 8 || (1..digests.len()).any(|at| digests[..at].contains(&digests[at]));
        let PartialOrder { customer, time, counts, spend, detail, position, .. } = *partial;
        let is_special =
            self.validation.waiting.is_some() || time == NO_TIMESTAMP || partial.worth == WorthColumn::Nothing || partial.reach > MOST_DAYS;
        let once = partial.lines > 1 && self.validation.is_once();
        if duplicates || is_special || once {
            return self.take_all(std::slice::from_ref(partial));
        }
        let sums = Sums { time, counts, spend, margin: detail.margin, quantity: detail.quantity };
        let Some(customer) = customer else { return self.take_all(std::slice::from_ref(partial)) };
        match self.periods.settle(true, &sums, &mut self.tally) {
            Ok(Some(Settled { spend, margin })) => {
                if partial.lines > 1 && counts && partial.worth == WorthColumn::LineTotal && self.validation.has_order_ids() {
                    self.notes.add_totals(partial.spend.into(), partial.each());
                }
                (self.take)(&Order { customer, time, counts, spend, margin, quantity: detail.quantity.into(), position })
            }
            Ok(None) => Ok(()),
            Err(_) => self.take_all(std::slice::from_ref(partial)),
        }
    }

    /// Takes all partial orders of an order.
    fn take_all(&mut self, partials: &[PartialOrder<'_>]) -> Result<()> {
        if partials.iter().all(|partial| partial.customer.is_some()) {
            return self.take_admitted(partials);
        }
        let (named, mut admitted) = (partials.iter().any(|partial| partial.customer.is_some()), Vec::new());
        for partial in partials {
            if self.admit(partial, named)? {
                admitted.push(*partial);
            }
        }
        self.take_admitted(&admitted)
    }

    /// Takes all partial orders of an order that count.
    fn take_admitted(&mut self, partials: &[PartialOrder<'_>]) -> Result<()> {
        let duplicates = self.find_duplicates(partials)?;
        let once = || partials.iter().filter(|partial| duplicates.binary_search(&partial.position).is_err());
        once().for_each(|partial| self.add(partial));
        match self.end()? {
            Outcome::Taken => Ok(()),
            Outcome::Refused(fault) => once().try_for_each(|partial| self.refuse(partial, fault)),
        }
    }

    /// Adds what belongs to the open order.
    pub(super) fn add(&mut self, partial: &PartialOrder<'_>) {
        self.open.see_input(self.validation.input_of(partial.position));
        self.open.add(partial, self.periods, self.validation.is_once());
    }

    /// Finds lines that are duplicates of lines before them. They end the run, or are left out: then their positions are given.
    fn find_duplicates(&mut self, partials: &[PartialOrder<'_>]) -> Result<Vec<u64>> {
        self.digests.clear();
        for (partial, at) in partials.iter().zip(0..) {
            self.digests.extend(partial.digests.iter().zip(partial.position..).map(|(&digest, position)| (digest, position, at)));
        }
        self.digests.sort_unstable();
        let (mut duplicates, digests) = (Vec::new(), std::mem::take(&mut self.digests));
        for same in digests.chunk_by(|a, b| a.0 == b.0).filter(|same| same.len() > 1) {
            let mut counts = InputCounts::default();
            let copies = same.iter().filter(|&&(_, position, _)| self.is_one_more(&mut counts, position));
            let copies: Vec<(u64, u32)> = copies.map(|&(_, position, at)| (position, at)).collect();
            if !copies.is_empty() && self.is_copy(same[0].0, copies.len() as u64) {
                duplicates.extend(copies);
            }
        }
        self.digests = digests;
        duplicates.sort_unstable();
        for &(position, at) in &duplicates {
            self.leave_out_duplicate(&PartialOrder { position, ..partials[at as usize] })?;
        }
        if self.keeps_duplicates() {
            duplicates.clear();
        }
        Ok(duplicates.into_iter().map(|(position, _)| position).collect())
    }

    /// Whether a line that is equal to those that were counted is one too many.
    pub(super) fn is_one_more(&mut self, counts: &mut InputCounts, position: u64) -> bool {
        let is_first = counts.is_empty();
        let between = counts.add(self.validation.input_of(position));
        if !is_first {
            *(if between { &mut self.notes.copies_between } else { &mut self.notes.copies_within }) += 1;
        }
        if self.validation.duplicates == Duplicates::BetweenInputs { between } else { !is_first }
    }

    /// Leaves out a line that is a duplicate of one before it.
    #[cold]
    pub(super) fn leave_out_duplicate(&mut self, line: &PartialOrder<'_>) -> Result<()> {
        self.open.see_input(self.validation.input_of(line.position));
        if matches!(self.validation.duplicates, Duplicates::Drop | Duplicates::BetweenInputs) {
            self.tally.duplicate_lines += 1;
            self.tally.duplicates.add(line.spend);
            return Ok(());
        }
        let amount = (self.validation.on_bad_row != OnBadRow::Fail).then(|| line.spend.into());
        self.validation.refuse(line, Fault::Duplicate, amount)
    }

    /// Ends the order that was added up, if any.
    pub(super) fn end(&mut self) -> Result<Outcome> {
        if self.open.lines == 0 {
            return Ok(Outcome::Taken);
        }
        let mut open = std::mem::take(&mut self.open);
        let outcome = self.end_open(&open);
        open.reset();
        self.open = open;
        outcome
    }

    fn end_open(&mut self, open: &OpenOrder) -> Result<Outcome> {
        let (sums, customer) = (open.sums(), open.is_named().then_some(&open.customer[..]));
        let line = PartialOrder { customer, time: sums.time, position: open.position, ..PartialOrder::default() };
        let once = self.validation.is_once();
        if let Some((fault, position)) = open.fault(once) {
            let other = open.other.as_ref().map(|(_, other)| &other[..]);
            return self.end_bad(
                &PartialOrder { position, order: &open.order, customer: other.or(customer), spend: open.said(position), ..line },
                fault,
                open.spend,
            );
        }
        // An order that waits is counted when it is known to be new.
        let (waiting, mut later) = (&self.validation.waiting, LineSummary::default());
        let counted = if waiting.is_some() { &mut later } else { &mut self.tally };
        match self.periods.settle(customer.is_some(), &sums, counted) {
            Ok(settled) => {
                let asks_for_totals = !once && self.validation.has_order_ids();
                open.note(&mut self.notes, (self.validation.asks_for_worth(), asks_for_totals), self.periods);
                if let Some(waiting) = waiting {
                    waiting.push(&PartialOrder { order: &open.order, ..line }, &sums, open.gives_back)?;
                } else if let Some((Settled { spend, margin }, customer)) = settled.zip(customer) {
                    let Sums { time, counts, quantity, .. } = sums;
                    (self.take)(&Order { customer, time, counts, spend, margin, quantity, position: open.position })?;
                }
                Ok(Outcome::Taken)
            }
            Err(fault) => self.end_bad(&line, fault, open.spend),
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
    pub(super) fn refuse(&self, partial: &PartialOrder<'_>, fault: Fault) -> Result<()> {
        // What lines are worth that were added up is told once.
        let amount = |position| if position == partial.position { partial.spend.into() } else { Total::default() };
        (partial.position..)
            .take(partial.lines.into())
            .try_for_each(|position| self.validation.refuse(&PartialOrder { position, ..*partial }, fault, Some(amount(position))))
    }
}

/// Whether a line of this digest names a product.
const fn has_product(digest: u64) -> bool {
    digest & 1 == 1
}
