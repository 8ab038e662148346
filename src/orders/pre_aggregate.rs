//! Batches of lines → partial orders in their partitions.
//!
//! In come the chunks of a source, which several threads decode together, or batches that are pushed one at a time; out go [`Orders`]. Every
//! line is validated; the lines of an order that follow each other are added up, where no single line is asked for again.

use super::open_order::reach;
use super::partial_order::{Detail, MOST_LINES, PartialOrder, sum};
use super::partitions::{Partitions, Scatter};
use super::validate::{BadLines, Validation, Validator, customer, is_refund};
use super::{Duplicates, Lines, Orders, Setting};
use crate::base::cancel::{Cancel, Discard};
use crate::base::error::Result;
use crate::base::money::Amount;
use crate::base::threads::Poison;
use crate::model::hash::hash_id;
use crate::model::ids::INLINE;
use crate::model::line_batch::TransactionBatch;
use crate::model::period_batch::NO_TIMESTAMP;
use crate::model::reject::OnBadRow;
use crate::model::worth::WorthColumn;
use crate::source::Source;
use crate::source::mapping::judge;
use crate::source::shared::{BatchTaker, SharedSource};
use crate::spec::Spec;
use crate::spill::{Disk, Io, Plan, Reservation, RunStore, Tiered};
use crate::stats::Stats;
use arrow::array::builder::make_view;
use arrow::array::{Array, StringViewArray};
use rapidhash::quality::RapidHasher;
use std::hash::Hasher;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

impl Orders {
    /// Reads a source to its end. `lines` is what it was opened with; `detail` says whether margins and quantities are wanted too.
    ///
    /// # Errors
    /// A bad line under [`OnBadRow::Fail`]; what the source or the disk fails with; being cancelled.
    pub(crate) fn read(mut source: impl Source<TransactionBatch>, lines: &Lines, detail: bool, setting: Setting) -> Result<Self> {
        let (threads, stats, size) = (setting.threads, setting.stats.clone(), source.size_bytes());
        let poison = Arc::new(Poison::new(setting.cancel.clone()));
        stats.expect_bytes(size.unwrap_or(0));
        let aggregation = PreAggregation::new(lines, detail, setting, size);
        source.share(threads);
        let source = SharedSource::new(source, poison.clone(), stats);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| source.decode(&mut aggregation.aggregator()));
            }
        });
        if poison.is_set() {
            return Err(poison.take());
        }
        Ok(aggregation.into_orders())
    }

    /// Reads a source to its end without a pipeline, in the memory that a spec has for one; margins and quantities are read, too. `lines` is
    /// what the source was opened with.
    ///
    /// # Errors
    /// A bad line under [`OnBadRow::Fail`]; what the source or the disk fails with; being cancelled;
    /// a memory limit that is too small.
    pub fn read_alone(
        source: impl Source<TransactionBatch>,
        lines: &Lines,
        spec: &Spec,
        cancel: &Cancel,
        stats: &Arc<Stats>,
    ) -> Result<Self> {
        let threads = spec.worker_count();
        let plan = Plan::new(spec.memory_limit, threads, 0)?;
        let disk: Arc<dyn RunStore> = Arc::new(Disk::within(spec.spill_dir.as_deref(), &Io::default())?);
        cancel.add_store(Arc::downgrade(&(disk.clone() as Arc<dyn Discard>)))?;
        let store = Arc::new(Tiered::new(plan.budget.clone(), disk));
        let notes = source.notes();
        stats.share_notes(notes.clone());
        let (cancel, stats, merge) = (cancel.clone(), stats.clone(), plan.merge_memory);
        let (fail_fast, max_rejects) = (spec.fail_fast, spec.max_rejects);
        let bad = BadLines {
            on_bad_row: spec.on_bad_row,
            fail_fast,
            max_rejects,
            rejects: None,
            causes: None,
            stats: stats.clone(),
            waiting: None,
        };
        let setting = Setting { budget: plan.budget, store, threads, bad, cancel, stats, merge };
        let orders = Self::read(source, lines, true, setting)?;
        judge(&notes)?;
        Ok(orders)
    }
}

/// The partitions that lines go into, and how they get there; shared by threads.
pub(super) struct PreAggregation {
    partitions: Arc<Partitions>,
    validation: Arc<Validation>,
    /// Whether lines of an order that follow each other are added up.
    together: bool,
    /// Whether margins and quantities are wanted.
    detail: bool,
    threads: usize,
    /// Bytes for each thread to group in.
    merge: u64,
    /// The memory of the buffers that are being filled.
    held: Reservation,
}

impl PreAggregation {
    /// An empty one; `bytes` is the size of the input, where it is known.
    pub(super) fn new(lines: &Lines, detail: bool, setting: Setting, bytes: Option<u64>) -> Self {
        let Setting { budget, store, threads, bad, cancel, stats, merge } = setting;
        let partitions = Arc::new(Partitions::new(budget.clone(), store, threads, bytes, merge));
        // A single line is asked for again only where some lines of an order are left out, or rejects are written.
        let together = bad.rejects.is_none()
            && match lines.duplicates() {
                Duplicates::Keep => true,
                Duplicates::Fail => bad.on_bad_row == OnBadRow::Fail,
                Duplicates::Drop | Duplicates::BetweenInputs => false,
            };
        let validation = Arc::new(Validation::new(lines, bad, cancel));
        stats.share_notes(validation.notes.clone());
        let held = budget.hold(partitions.open_memory(threads));
        PreAggregation { partitions, validation, together, detail, threads, merge, held }
    }

    /// The part of one thread.
    pub(super) fn aggregator(&self) -> PreAggregator {
        let PreAggregation { partitions, validation, together, detail, .. } = self;
        let validator = Validator::new(validation.clone());
        let collector = Collector {
            duplicates: validation.duplicates,
            once: validation.is_once(),
            together: *together,
            detail: *detail,
            digests: [0; MOST_LINES],
            scatter: Scatter::new(partitions.clone()),
        };
        PreAggregator { validator, collector }
    }

    /// The orders, once all aggregators have finished.
    pub(super) fn into_orders(self) -> Orders {
        let PreAggregation { partitions, validation, threads, merge, held, .. } = self;
        drop(held);
        Orders { partitions, validation, threads, merge, grouped: AtomicUsize::new(0) }
    }
}

/// Takes batches of lines on one thread.
pub(super) struct PreAggregator {
    validator: Validator,
    collector: Collector,
}

impl BatchTaker<TransactionBatch> for PreAggregator {
    fn begin_chunk(&mut self, number: u64) {
        self.validator.begin_chunk(number);
    }

    fn take(&mut self, batch: TransactionBatch) -> Result<()> {
        let PreAggregator { validator, collector } = self;
        if validator.validation().reading.one_row_per_order {
            // Each row is an order of its own, named by its position, which no other row has.
            return validator.lines(&batch, |mut rows, position| {
                rows.try_for_each(|row| {
                    let order = format!("{:x}", position + row as u64).into_bytes();
                    collector.put(&batch, row..row + 1, position, &order, make_view(&order, 0, 0))
                })
            });
        }
        let orders = batch.orders.views();
        validator.lines(&batch, |rows, position| {
            let mut first = rows.start;
            while first < rows.end {
                let most = if collector.together { rows.end.min(first + MOST_LINES) } else { first + 1 };
                let next = (first + 1..most)
                    .find(|&row| !is_same(&batch, first, row) || collector.once && batch.spend[row] != batch.spend[first])
                    .unwrap_or(most);
                collector.put(&batch, first..next, position, batch.orders.value(first).as_bytes(), orders[first])?;
                first = next;
            }
            Ok(())
        })
    }

    fn finish(&mut self) -> Result<()> {
        self.validator.finish();
        self.collector.scatter.finish()
    }
}

/// Makes partial orders of lines, and puts them into their partitions.
struct Collector {
    duplicates: Duplicates,
    /// Whether a total is that of the whole order: only lines that say the same are put together.
    once: bool,
    together: bool,
    detail: bool,
    /// Space for the digests of one partial order. Not a vector: its length, written and read back at once, would wait for all that is on its
    /// way to memory.
    digests: [u64; MOST_LINES],
    scatter: Scatter,
}

impl Collector {
    /// Puts rows of one order, one customer and one kind where they belong. The first row of the batch is at `position`.
    #[inline(always)]
    fn put(&mut self, batch: &TransactionBatch, rows: Range<usize>, position: u64, order: &[u8], view: u128) -> Result<()> {
        let first = rows.start;
        let customer = customer(batch, first);
        let digests = match self.duplicates {
            Duplicates::Keep => &[],
            _ => {
                let customer = customer.map_or(0, hash_id);
                let digests = &mut self.digests[..rows.len()];
                digests.iter_mut().zip(rows.clone()).for_each(|(slot, row)| *slot = digest(batch, row, customer));
                &*digests
            }
        };
        let (mut time, mut latest, mut spend, mut equal) = (batch.times[first], batch.times[first], batch.spend[first], true);
        for row in first + 1..rows.end {
            time = time.min(batch.times[row]);
            latest = latest.max(batch.times[row]);
            spend = sum(spend, batch.spend[row]);
            equal &= batch.spend[row] == batch.spend[first];
        }
        let (counts, worth) = (!is_refund(batch, first), batch.worth.get(first));
        let reach = if latest == time { 0 } else { reach(time, latest) };
        let detail = if self.detail { detail(batch, rows.clone()) } else { Detail::default() };
        let (position, lines) = (position + first as u64, rows.len() as u8);
        let partial = PartialOrder { order, customer, time, counts, position, lines, spend, worth, equal, reach, detail, digests };
        self.scatter.push(&partial, view, batch.customers.views()[first])
    }
}

fn detail(batch: &TransactionBatch, rows: Range<usize>) -> Detail {
    let margin = batch.margin.get(rows.clone()).unwrap_or_default();
    let sum_of = |amounts: &[Amount]| amounts.iter().copied().fold(Amount::default(), sum);
    Detail { margin: sum_of(margin), quantity: sum_of(&batch.quantity[rows]) }
}

/// Whether two rows are of one order, one customer and one kind: both refunds or not, with a time or without, worth what one column says.
#[inline]
fn is_same(batch: &TransactionBatch, a: usize, b: usize) -> bool {
    let named = |row: usize| batch.customers.is_valid(row);
    has_same(&batch.orders, a, b) && named(a) == named(b) && (!named(a) || has_same(&batch.customers, a, b)) && is_alike(batch, a, b)
}

/// Whether two rows of an order are of one kind. Refunds are of one kind only where they are of one time, so that it is known in which period
/// each lies; and where they name no customer, they are left to be decided one by one.
#[inline]
fn is_alike(batch: &TransactionBatch, a: usize, b: usize) -> bool {
    let timeless = |row: usize| batch.times[row] == NO_TIMESTAMP;
    let alike = is_refund(batch, a) == is_refund(batch, b) && timeless(a) == timeless(b) && batch.worth.get(a) == batch.worth.get(b);
    alike && (!is_refund(batch, a) || batch.times[a] == batch.times[b] && customer(batch, a).is_some())
}

/// Whether two values are equal. Mostly their views are.
#[inline]
fn has_same(ids: &StringViewArray, a: usize, b: usize) -> bool {
    ids.views()[a] == ids.views()[b] || ids.value(a) == ids.value(b)
}

/// A digest that tells a line from others of its order: two lines that are not equal in what was read of them have different digests, but for
/// one pair in 2⁶³. It is odd where the line names a product.
#[inline]
fn digest(batch: &TransactionBatch, i: usize, customer: u64) -> u64 {
    let mut hasher = RapidHasher::new(customer);
    let pair = |a: u64, b: u64| u128::from(a) | u128::from(b) << 64;
    let product = batch.products.as_ref().filter(|products| products.is_valid(i));
    match product.map(|products| (products.views()[i], products)) {
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
    if batch.worth.get(i) == WorthColumn::Nothing {
        hasher.write_u64(1);
    }
    hasher.finish() & !1 | u64::from(product.is_some())
}
