//! Batches of lines → sorted records, on all threads: they take chunks of the source in turn, judge their lines, and put what counts into
//! the sorter of its part.

use super::group::{is_refund, rejected};
use super::line::{Line, Place};
use super::{Anonymous, Desk, OrderOptions, Orders, PARTS, Refunds, Setting, Tally};
use crate::cancel::Cancel;
use crate::error::{Error, Result, Stage};
use crate::merge::Merge;
use crate::reject::Reason;
use crate::rfm::with_pool;
use crate::route::hash_id;
use crate::route::lane::Poison;
use crate::source::Source;
use crate::source::transactions::{TransactionBatch, TransactionColumn as Column, TransactionOptions};
use crate::spec::Spec;
use crate::spill::{Desk as SortDesk, Disk, Plan, RunStore, Sorter, Sorting, Tiered};
use crate::stats::Stats;
use crate::sync::lock;
use arrow::array::Array;
use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

/// Of the memory for states, the part that lines may take up before they leave as runs.
const SHARE: u64 = 2;
/// For the frames that one part is merged from.
const MERGE: u64 = 4 << 20;
/// The most that a heap has a use for.
const HEAP: u64 = 64 << 20;

impl Orders {
    /// Reads a source to its end. `options` are those that the source was opened with.
    ///
    /// # Errors
    /// A bad line under [`OnBadRow::Fail`](crate::reject::OnBadRow::Fail); what the source or the disk fails with; being cancelled.
    pub(crate) fn read(
        source: impl Source<TransactionBatch>,
        (orders, options): (&OrderOptions, &TransactionOptions),
        setting: Setting,
    ) -> Result<Self> {
        let Setting { budget, store, threads, on_bad_row, rejects, cancel, stats } = setting;
        let share = budget.limit() / SHARE;
        let heap = |heaps: usize| (share / heaps as u64).min(HEAP);
        let sorting = Sorting { store: store.clone(), heap: heap(threads * PARTS), merge: MERGE, cancel: cancel.clone() };
        let (origins, tally) = (Mutex::default(), Mutex::default());
        let desk = Desk { options: orders.clone(), on_bad_row, origins, tally, rejects, cancel: cancel.clone() };
        let sorters: Vec<Sorter> = (0..PARTS).map(|_| Sorter::new(sorting.clone())).collect();
        stats.expect_bytes(source.size_bytes().unwrap_or(0));
        let held = budget.hold(sorting.heap * (threads * PARTS) as u64);
        let intake = Intake { source: Mutex::new((0, source)), options, sorters: &sorters, desk: &desk, stats: &stats };
        let poison = Poison::new(cancel);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| intake.work(&poison));
            }
        });
        if poison.is_set() {
            return Err(poison.take());
        }
        let parts = with_pool(threads, || sorters.iter().map(Sorter::finish).collect::<Result<_>>())?;
        drop((held, sorters));
        Ok(Orders { parts, desk: Arc::new(desk), store, threads, heap: heap(threads) })
    }

    /// The same without a pipeline, in the memory that a spec has for one.
    ///
    /// # Errors
    /// The same, or when the memory limit is too small.
    pub fn read_alone(
        source: impl Source<TransactionBatch>,
        options: (&OrderOptions, &TransactionOptions),
        spec: &Spec,
        cancel: &Cancel,
        stats: &Arc<Stats>,
    ) -> Result<Self> {
        let threads = spec.worker_count();
        let plan = Plan::new(spec.memory_limit, threads, 0)?;
        let disk: Arc<dyn RunStore> = Arc::new(Disk::within(spec.spill_dir.as_deref())?);
        cancel.add_store(&disk)?;
        let store = Arc::new(Tiered::new(plan.budget.clone(), disk));
        let (cancel, stats) = (cancel.clone(), stats.clone());
        let setting = Setting { budget: plan.budget, store, threads, on_bad_row: spec.on_bad_row, rejects: None, cancel, stats };
        Self::read(source, options, setting)
    }
}

/// What threads work on together.
struct Intake<'a, S> {
    source: Mutex<(u64, S)>,
    options: &'a TransactionOptions,
    sorters: &'a [Sorter],
    desk: &'a Desk,
    stats: &'a Stats,
}

impl<S: Source<TransactionBatch>> Intake<'_, S> {
    fn work(&self, poison: &Poison) {
        let mut chunk = 0;
        match catch_unwind(AssertUnwindSafe(|| self.take_chunks(poison, &mut chunk))) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => poison.set_in_chunk(chunk, error),
            Err(panic) => poison.set_in_chunk(chunk, Error::panicked(Stage::Source, panic)),
        }
    }

    fn take_chunks(&self, poison: &Poison, number: &mut u64) -> Result<()> {
        let mut desks: Vec<SortDesk<'_>> = self.sorters.iter().map(Sorter::desk).collect();
        let mut tally = Tally::default();
        loop {
            let next = {
                let mut source = lock(&self.source);
                source.0 += 1;
                *number = source.0;
                if poison.stops(*number) {
                    return Err(Error::ended(Stage::Source));
                }
                source.1.next_chunk().map_err(|e| e.stage(Stage::Source))?
            };
            let Some(undecoded) = next else { break };
            let bytes = undecoded.bytes();
            undecoded.decode(&mut |batch| {
                if poison.stops(*number) {
                    return Err(Error::ended(Stage::Source));
                }
                self.take(&batch, &mut desks, &mut tally)
            })?;
            self.stats.count_bytes(bytes);
        }
        lock(&self.desk.tally).merge(tally);
        Ok(())
    }

    fn take(&self, batch: &TransactionBatch, desks: &mut [SortDesk<'_>], tally: &mut Tally) -> Result<()> {
        let origin = self.origin(&batch.origin.name);
        let mut bad = batch.bad.iter().peekable();
        let n = batch.times.len();
        tally.summary.lines += n as u64;
        let alone = self.options.one_row_per_order;
        for i in 0..n {
            let row = batch.first_row + i as u64;
            let line = batch.first_line.map_or(0, |line| line + i as u64);
            let place = Place { origin, row, line };
            // Each row is an order of its own: nothing else has its number.
            let own = alone.then(|| [origin.to_be_bytes(), row.to_be_bytes()].concat());
            let order: Cow<'_, [u8]> = match own {
                Some(own) => Cow::Owned(own),
                None => Cow::Borrowed(batch.orders.value(i).as_bytes()),
            };
            let customer = batch.customers.is_valid(i).then(|| batch.customers.value(i)).filter(|id| !id.is_empty());
            let product = batch.products.as_ref().filter(|products| products.is_valid(i)).map_or("", |products| products.value(i));
            let line = Line {
                hash: hash_id(&order),
                order,
                customer: customer.map(|id| Cow::Borrowed(id.as_bytes())),
                time: batch.times[i],
                product: Cow::Borrowed(product.as_bytes()),
                spend: batch.spend[i],
                margin: batch.margin[i],
                quantity: batch.quantity[i],
                place,
            };
            let mut faults = 0;
            while let Some(fault) = bad.next_if(|bad| bad.row as usize == i) {
                if faults == 0 {
                    let help = self.options.help(fault);
                    let reject = rejected(&line, self.desk, fault.reason, fault.column, fault.value.clone());
                    self.desk.reject(reject, help.as_deref().unwrap_or(crate::reject::REJECT_HELP))?;
                }
                faults += 1;
            }
            if faults == 0 && self.counts(&line, tally)? {
                desks[(line.hash >> (u64::BITS - PARTS.ilog2())) as usize].push(|out| line.write(out))?;
            }
        }
        Ok(())
    }

    /// Whether a line counts, or is left out for what it is.
    #[inline]
    fn counts(&self, line: &Line<'_>, tally: &mut Tally) -> Result<bool> {
        if line.customer.is_none() {
            match self.desk.options.anonymous {
                Anonymous::Fail => return self.anonymous(line).map(|()| false),
                Anonymous::Drop => {
                    tally.summary.anonymous_lines += 1;
                    return Ok(false);
                }
                Anonymous::Report => tally.summary.anonymous_lines += 1,
            }
        }
        if is_refund(line) {
            if self.desk.options.refunds == Refunds::Fail {
                return self.refund(line).map(|()| false);
            }
            tally.summary.refund_lines += 1;
            tally.refunded.add(line.spend);
            return Ok(self.desk.options.refunds == Refunds::Net);
        }
        Ok(true)
    }

    #[cold]
    fn anonymous(&self, line: &Line<'_>) -> Result<()> {
        let reject = rejected(line, self.desk, Reason::MissingValue, Column::CustomerId, String::new());
        self.desk.reject(reject, "leave such lines out with --anonymous drop, or report them with --anonymous report")
    }

    #[cold]
    fn refund(&self, line: &Line<'_>) -> Result<()> {
        let (column, value) = match line.quantity.cents < 0 {
            true => (Column::Quantity, line.quantity.to_string()),
            false => (Column::LineTotal, line.spend.to_string()),
        };
        let reject = rejected(line, self.desk, Reason::Refund, column, value);
        self.desk.reject(reject, "take them off what the customer spent with --refunds net, or leave them out with --refunds drop")
    }

    /// The place of an input among all.
    fn origin(&self, name: &str) -> u64 {
        let mut origins = lock(&self.desk.origins);
        let place = origins.iter().position(|other| other == name).unwrap_or_else(|| {
            origins.push(name.to_owned());
            origins.len() - 1
        });
        place as u64
    }
}
