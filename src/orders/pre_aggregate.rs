//! Batches of lines → partial orders in their partitions, on all threads: they take chunks of the source in turn, judge their lines, and add up
//! those of an order that follow each other.

use super::partial_order::{Detail, MOST_LINES, PartialOrder, sum};
use super::partitions::{Partitions, Scatter};
use super::validate::{customer, is_refund, validate};
use super::{Duplicates, LineSummary, Lines, Orders, Setting, Validation, provenance};
use crate::base::cancel::{Cancel, Discard};
use crate::base::error::{Error, Result, Stage};
use crate::base::merge::Merge;
use crate::base::money::Amount;
use crate::base::threads::{Poison, lock};
use crate::model::hash::hash_id;
use crate::model::ids::INLINE;
use crate::model::line_batch::TransactionBatch;
use crate::model::reject::OnBadRow;
use crate::source::Source;
use crate::spec::Spec;
use crate::spill::{Disk, Plan, RunStore, Tiered};
use crate::stats::Stats;
use arrow::array::builder::make_view;
use arrow::array::{Array, StringViewArray};
use rapidhash::quality::RapidHasher;
use std::hash::Hasher;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};

impl Orders {
    /// Reads a source to its end. `lines` is what it was opened with; `detail` says whether margins and quantities are wanted too.
    ///
    /// # Errors
    /// A bad line under [`OnBadRow::Fail`](crate::model::reject::OnBadRow::Fail); what the source or the disk fails with; being cancelled.
    pub(crate) fn read(source: impl Source<TransactionBatch>, lines: &Lines, detail: bool, setting: Setting) -> Result<Self> {
        let Setting { budget, store, threads, on_bad_row, rejects, cancel, stats, merge } = setting;
        let partitions = Partitions::new(budget.clone(), store, threads, source.size_bytes(), merge);
        let validation = Validation::new(lines, on_bad_row, rejects, cancel.clone());
        stats.expect_bytes(source.size_bytes().unwrap_or(0));
        // Where nothing is left out of an order but all of it, and nobody is told which lines that were, no line is asked for again.
        let together = validation.rejects.is_none()
            && match lines.orders.duplicates {
                Duplicates::Keep => true,
                Duplicates::Fail => on_bad_row == OnBadRow::Fail,
                Duplicates::Drop => false,
            };
        let intake =
            Intake { source: Mutex::new((0, source)), partitions: &partitions, validation: &validation, stats: &stats, together, detail };
        let poison = Poison::new(cancel);
        let held = budget.hold(partitions.open_memory(threads));
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| intake.work(&poison));
            }
        });
        drop((held, intake));
        if poison.is_set() {
            return Err(poison.take());
        }
        Ok(Orders { partitions, validation: Arc::new(validation), threads, merge, grouped: AtomicUsize::new(0) })
    }

    /// The same without a pipeline, in the memory that a spec has for one.
    ///
    /// # Errors
    /// The same, or when the memory limit is too small.
    pub fn read_alone(
        source: impl Source<TransactionBatch>,
        lines: &Lines,
        spec: &Spec,
        cancel: &Cancel,
        stats: &Arc<Stats>,
    ) -> Result<Self> {
        let threads = spec.worker_count();
        let plan = Plan::new(spec.memory_limit, threads, 0)?;
        let disk: Arc<dyn RunStore> = Arc::new(Disk::within(spec.spill_dir.as_deref())?);
        cancel.add_store(Arc::downgrade(&(disk.clone() as Arc<dyn Discard>)))?;
        let store = Arc::new(Tiered::new(plan.budget.clone(), disk));
        let (cancel, stats, merge) = (cancel.clone(), stats.clone(), plan.merge_memory);
        let setting = Setting { budget: plan.budget, store, threads, on_bad_row: spec.on_bad_row, rejects: None, cancel, stats, merge };
        Self::read(source, lines, true, setting)
    }
}

/// What threads work on together.
struct Intake<'a, S> {
    source: Mutex<(u64, S)>,
    partitions: &'a Partitions,
    validation: &'a Validation,
    stats: &'a Stats,
    /// Whether lines of an order that follow each other are added up.
    together: bool,
    /// Whether margins and quantities are wanted.
    detail: bool,
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
        let mut bundler = Bundler { digests: [0; MOST_LINES], scatter: self.partitions.scatter() };
        let mut tally = LineSummary::default();
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
            let mut position = provenance::of_chunk(*number);
            undecoded.decode(&mut |batch| {
                if poison.stops(*number) {
                    return Err(Error::ended(Stage::Source));
                }
                self.validation.provenance.begin(position, &batch);
                self.take(&batch, position, &mut bundler, &mut tally)?;
                position += batch.times.len() as u64;
                Ok(())
            })?;
            self.stats.count_bytes(bytes);
        }
        lock(&self.validation.summary).merge(tally);
        bundler.scatter.finish()
    }

    fn take(&self, batch: &TransactionBatch, position: u64, bundler: &mut Bundler<'_>, tally: &mut LineSummary) -> Result<()> {
        if self.validation.reading.one_row_per_order {
            // Each row is an order of its own: nothing else has its place.
            return validate(batch, position, self.validation, tally, |mut rows| {
                rows.try_for_each(|row| {
                    let order = format!("{:x}", position + row as u64).into_bytes();
                    self.put(batch, row..row + 1, position, &order, make_view(&order, 0, 0), bundler)
                })
            });
        }
        let orders = batch.orders.views();
        validate(batch, position, self.validation, tally, |rows| {
            let mut first = rows.start;
            while first < rows.end {
                let most = if self.together { rows.end.min(first + MOST_LINES) } else { first + 1 };
                let next = (first + 1..most).find(|&row| !is_same(batch, first, row)).unwrap_or(most);
                self.put(batch, first..next, position, batch.orders.value(first).as_bytes(), orders[first], bundler)?;
                first = next;
            }
            Ok(())
        })
    }

    /// Puts rows of one order and one customer where they belong.
    #[inline(always)]
    fn put(
        &self,
        batch: &TransactionBatch,
        rows: Range<usize>,
        position: u64,
        order: &[u8],
        view: u128,
        Bundler { digests, scatter }: &mut Bundler<'_>,
    ) -> Result<()> {
        let first = rows.start;
        let customer = customer(batch, first);
        let digests = match self.validation.options.duplicates {
            Duplicates::Keep => &[],
            _ => {
                let customer = customer.map_or(0, hash_id);
                let digests = &mut digests[..rows.len()];
                digests.iter_mut().zip(rows.clone()).for_each(|(slot, row)| *slot = digest(batch, row, customer));
                &*digests
            }
        };
        let (mut time, mut counts, mut spend) = (batch.times[first], !is_refund(batch, first), batch.spend[first]);
        for row in first + 1..rows.end {
            let own = !is_refund(batch, row);
            time = earlier((time, counts), (batch.times[row], own));
            counts |= own;
            spend = sum(spend, batch.spend[row]);
        }
        let detail = if self.detail { detail(batch, rows.clone()) } else { Detail::default() };
        let (position, lines) = (position + first as u64, rows.len() as u8);
        scatter.push(
            &PartialOrder { order, customer, time, counts, position, lines, spend, detail, digests },
            view,
            batch.customers.views()[first],
        )
    }
}

/// What a thread makes partial orders with.
struct Bundler<'a> {
    /// Room for those of one partial order. Not a vector: its length, written and read back at once, would wait for all that is on its way to memory.
    digests: [u64; MOST_LINES],
    scatter: Scatter<'a>,
}

/// The time of two parts of an order: the earlier one, of those that count if any does.
#[inline]
pub(super) fn earlier(a: (i64, bool), b: (i64, bool)) -> i64 {
    match (a.1, b.1) {
        (true, false) => a.0,
        (false, true) => b.0,
        _ => a.0.min(b.0),
    }
}

fn detail(batch: &TransactionBatch, rows: Range<usize>) -> Detail {
    let margin = batch.margin.get(rows.clone()).unwrap_or_default();
    let sum_of = |amounts: &[Amount]| amounts.iter().copied().fold(Amount::default(), sum);
    Detail { margin: sum_of(margin), quantity: sum_of(&batch.quantity[rows]) }
}

/// Whether two rows are of one order and one customer.
#[inline]
fn is_same(batch: &TransactionBatch, a: usize, b: usize) -> bool {
    let named = |row: usize| batch.customers.is_valid(row);
    has_same(&batch.orders, a, b) && named(a) == named(b) && (!named(a) || has_same(&batch.customers, a, b))
}

/// Whether two values are equal. Mostly their views are.
#[inline]
fn has_same(ids: &StringViewArray, a: usize, b: usize) -> bool {
    ids.views()[a] == ids.views()[b] || ids.value(a) == ids.value(b)
}

/// What tells a line from others of its order: two that are not the same have different digests, but for one pair in 2⁶⁴.
#[inline]
fn digest(batch: &TransactionBatch, i: usize, customer: u64) -> u64 {
    let mut hasher = RapidHasher::new(customer);
    let pair = |a: u64, b: u64| u128::from(a) | u128::from(b) << 64;
    match batch.products.as_ref().filter(|products| products.is_valid(i)).map(|products| (products.views()[i], products)) {
        // A short id is all in its view.
        Some((view, _)) if view as u32 as usize <= INLINE => hasher.write_u128(view),
        Some((_, products)) => hasher.write(products.value(i).as_bytes()),
        None => hasher.write_u128(0),
    }
    let (spend, margin, quantity) = (batch.spend[i], batch.margin.get(i).copied().unwrap_or_default(), batch.quantity[i]);
    hasher.write_u128(pair(batch.times[i] as u64, spend.cents as u64));
    hasher.write_u128(pair(margin.cents as u64, quantity.cents as u64));
    let fractions = [spend, margin, quantity].map(|amount| amount.fraction);
    if fractions != [0; 3] {
        fractions.iter().for_each(|&fraction| hasher.write_u64(fraction));
    }
    hasher.finish()
}
