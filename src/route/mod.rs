//! Route: takes decoded batches, decides about every row, and scatters what counts into per-partition buffers.
//!
//! A [`Router`] belongs to one thread. It takes [`PeriodBatch`]es from [`source`](crate::source) and hands [`Rows`] to an [`Outlet`],
//! which brings them over [`lane`]s to [`accumulate`](crate::accumulate). Ids are hashed here, once; the hash travels with the row.
//!
//! Scattering happens in two steps. Written straight to all partitions, every row would miss the cache and the processor's table of pages.
//! So rows are staged in the few buffers of the sections, which stay in the cache; when a section's buffer is full, its rows go to its
//! partitions together.
//!
//! | file | owns |
//! |---|---|
//! | here | [`Router`]: the decision about each row, and the two steps |
//! | `row_buffer` | the message: some rows of one partition |
//! | `period_times` | advice about rows whose periods do not fit the windows |
//! | `lane` | channels to the workers, and the way back for empty buffers |

pub(crate) mod lane;
mod period_times;
pub(crate) mod row_buffer;

use self::lane::Outlet;
pub(crate) use self::period_times::Ends;
use self::period_times::Times;
use self::row_buffer::Rows;
use crate::base::error::{Result, Stage};
use crate::base::merge::Merge;
use crate::base::money::Amount;
use crate::base::threads::lock;
use crate::model::amounts::Amounts;
use crate::model::cause::SharedCauses;
use crate::model::classifier::{Classifier, Place};
use crate::model::columns::Column;
use crate::model::entry::{Addend, HISTORY, reference};
use crate::model::hash::{PARTITIONS, PARTITIONS_PER_SECTION, SECTIONS, hash_id, hash_in_section, partition_in_section, section_of};
use crate::model::period_batch::{Bad, NO_TIMESTAMP, PeriodBatch};
use crate::model::read_options::ReadOptions;
use crate::model::reject::{OnBadRow, Reason, Reject, shown_timestamp};
use crate::model::window::{Span, Windows};
use crate::source::values;
use crate::spec::Spec;
use crate::spill::Sorter;
use crate::stats::Stats;
use arrow::array::Array;
use std::sync::{Arc, Mutex};

/// Shared by the routers of a run: where rows left out go, and which windows had rows.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Takes the rows left out, where they are not only counted.
    pub(crate) rejects: Option<Arc<Sorter>>,
    /// Takes rows that are bad only for the windows of this run, where later windows may hold them: open rows.
    pub(crate) open: Option<Arc<Sorter>>,
    /// These later windows, where they are known.
    pub(crate) later_windows: Option<Windows>,
    /// The bad rows that end the run when everything is read, and those that were left out, by reason.
    pub(crate) causes: SharedCauses,
    /// The least and the greatest window key of the rows accepted so far.
    pub(crate) keys: Mutex<Option<(u32, u32)>>,
    /// Whether the ends of periods look as if they were inclusive.
    pub(crate) ends: Mutex<Ends>,
    /// From when to when accepted rows say that something happened.
    pub(crate) span: Mutex<Option<Span>>,
    /// The end of the last period with money that was given back without an order: when in it is not said.
    pub(crate) refunds_until: Mutex<Option<i64>>,
}

impl Ledger {
    /// Says that there are rows in windows from the first of these keys to the last.
    pub(crate) fn cover(&self, keys: Option<(u32, u32)>) {
        let Some((least, greatest)) = keys else { return };
        let mut all = lock(&self.keys);
        let (a, b) = all.unwrap_or((least, greatest));
        *all = Some((a.min(least), b.max(greatest)));
    }

    /// The keys of the first and the last window to answer for. Windows end with the last row, also where that lies after the moment that they
    /// are seen as of: those without a row before it are gaps.
    pub(crate) fn keys_seen(&self, spec: &Spec) -> Option<(u32, u32)> {
        let (first, last) = (*lock(&self.keys))?;
        let (Windows::Every(every), Some(as_of)) = (&spec.windows, spec.as_of) else { return Some((first, last)) };
        let goes_on =
            lock(&self.span).is_some_and(|span| span.last >= as_of) || lock(&self.refunds_until).is_some_and(|until| until > as_of);
        Some((first, if goes_on { last.max(every.index(as_of - 1)) } else { last }))
    }

    /// Says that there are data from one moment to another.
    pub(crate) fn extend(&self, span: Option<Span>) {
        lock(&self.span).merge(span);
    }
}

/// The fault of a row, and the time that it is at odds with: a window's boundary, an observation end, the period's start.
struct Fault {
    reason: Reason,
    column: Column,
    at: Option<i64>,
}

/// Rows of a section that are staged, at most: with those of all sections a part of the cache that leaves room for what is being decoded.
const STAGED_ROWS: usize = 128;

/// Scatters the batches of one thread.
pub(crate) struct Router {
    /// One for each section.
    staged: Vec<Rows>,
    /// One for each partition.
    buffers: Vec<Rows>,
    classifier: Classifier,
    /// Of the later windows, which decide about open rows.
    later: Option<Classifier>,
    policy: OnBadRow,
    fail_fast: bool,
    /// For advice.
    reading: ReadOptions,
    stats: Arc<Stats>,
    ledger: Arc<Ledger>,
    keys: Option<(u32, u32)>,
    span: Span,
    refunds_until: Option<i64>,
    ends: Ends,
}

impl Router {
    /// No more rows are staged than go into a buffer.
    pub(crate) fn new(spec: &Spec, rows_per_buffer: usize, stats: Arc<Stats>, ledger: Arc<Ledger>) -> Self {
        let staged = std::iter::repeat_with(|| Rows::with_capacity(STAGED_ROWS.min(rows_per_buffer))).take(SECTIONS).collect();
        let buffers = std::iter::repeat_with(Rows::default).take(PARTITIONS).collect();
        let later = ledger.later_windows.as_ref().map(|windows| Classifier::new(windows, None));
        let classifier = Classifier::new(&spec.windows, spec.as_of);
        Router {
            staged,
            buffers,
            classifier,
            later,
            policy: spec.on_bad_row,
            fail_fast: spec.fail_fast,
            reading: spec.reading.clone(),
            stats,
            ledger,
            keys: None,
            span: Span::EMPTY,
            refunds_until: None,
            ends: Ends::None,
        }
    }

    /// Takes a batch; buffers that are full go to the outlet.
    pub(crate) fn route(&mut self, batch: &PeriodBatch, outlet: &mut impl Outlet) -> Result<()> {
        let n = batch.starts.len();
        let views = batch.ids.views();
        let mut bad = batch.bad.iter().peekable();
        let mut skipped = &batch.skipped[..];
        let mut accepted = 0;
        // What would come of the rows of a run that fails is of no use: they are only looked at.
        let fails = self.policy == OnBadRow::Fail && self.ledger.causes.are_there();
        for (i, &view) in views.iter().enumerate() {
            if let [row, rest @ ..] = skipped
                && *row as usize == i
            {
                skipped = rest;
                continue;
            }
            if bad.peek().is_some_and(|b| b.row as usize == i) {
                let mut faults = Vec::new();
                while let Some(fault) = bad.next_if(|b| b.row as usize == i) {
                    faults.push(fault.clone());
                }
                self.reject(batch, i, faults, None)?;
                continue;
            }
            match self.classify(batch, i) {
                Ok(_) if fails => {}
                Ok((key, reference)) => {
                    accepted += 1;
                    let id = batch.ids.value(i).as_bytes();
                    let hash = hash_id(id);
                    let (orders, cents) = (batch.orders[i], batch.cents[i]);
                    let amounts = Amounts { orders, cents, fraction: batch.fractions.get(i).copied().unwrap_or(0) };
                    let section = section_of(hash);
                    let staged = &mut self.staged[section];
                    staged.push(id, view, hash_in_section(hash), Addend { window: key, start: batch.starts[i], reference, amounts });
                    if staged.is_full() {
                        self.scatter(section, outlet)?;
                    }
                }
                Err(Fault { reason, column, at }) => {
                    let value = field(batch, i, column);
                    self.reject(batch, i, vec![Bad { row: i as u32, column, reason, value }], at)?;
                }
            }
        }
        let read = (n - batch.skipped.len()) as u64;
        self.stats.count_rows(read, accepted);
        // Lines are counted before they become orders.
        if !batch.of_orders {
            self.ledger.causes.count_read(&batch.origin.name, read);
        }
        Ok(())
    }

    /// Takes a section's staged rows to their partitions.
    fn scatter(&mut self, section: usize, outlet: &mut impl Outlet) -> Result<()> {
        let staged = &mut self.staged[section];
        let first = section * PARTITIONS_PER_SECTION;
        let buffers = &mut self.buffers[first..first + PARTITIONS_PER_SECTION];
        for row in &staged.rows {
            let at = partition_in_section(row.hash);
            let buffer = &mut buffers[at];
            if buffer.rows.capacity() == 0 {
                *buffer = outlet.empty();
            }
            buffer.push_from(staged, row);
            if buffer.is_full() {
                outlet.take(first + at, std::mem::take(buffer))?;
            }
        }
        staged.clear();
        Ok(())
    }

    /// The window key and the recency reference of a row whose values could be read, or what is wrong with it.
    #[inline]
    fn classify(&mut self, batch: &PeriodBatch, i: usize) -> Result<(u32, i64), Fault> {
        let (start, end) = (batch.starts[i], batch.ends[i]);
        let last = batch.last_transactions.get(i).copied().unwrap_or(NO_TIMESTAMP);
        if end <= start {
            return Err(Fault { reason: Reason::PeriodReversed, column: Column::PeriodEnd, at: Some(start) });
        }
        if batch.orders[i] < 0 {
            return Err(Fault { reason: Reason::NegativeOrders, column: Column::TotalOrders, at: None });
        }
        let key = match self.classifier.place(start, self.classifier.end(start, end, last)) {
            Place::Window { observation_end, .. } if last > observation_end => {
                return Err(Fault { reason: Reason::AfterObservationEnd, column: Column::LastTransactionTs, at: Some(observation_end) });
            }
            Place::Window { key, .. } => {
                let (least, greatest) = self.keys.unwrap_or((key, key));
                self.keys = Some((least.min(key), greatest.max(key)));
                key
            }
            Place::History => HISTORY,
            Place::Straddles(boundary) => {
                return Err(Fault { reason: Reason::StraddlesWindow, column: Column::PeriodEnd, at: Some(boundary) });
            }
        };
        match last {
            _ if !batch.of_orders => {
                self.ends.look(end);
                // A last transaction may be said to lie before its period.
                let (first, last) = if last == NO_TIMESTAMP { (start, end - 1) } else { (start.min(last), start.max(last)) };
                self.span.cover(first, last);
            }
            NO_TIMESTAMP => self.refunds_until = self.refunds_until.max(Some(end)),
            last => self.span.cover(last, last),
        }
        Ok((key, reference(last, end)))
    }

    #[cold]
    fn reject(&mut self, batch: &PeriodBatch, i: usize, faults: Vec<Bad>, at: Option<i64>) -> Result<()> {
        let Some(first) = faults.first() else { return Ok(()) };
        let mut fields: Vec<String> = Column::ALL.into_iter().map(|column| field(batch, i, column)).collect();
        let is_ragged = first.reason == Reason::RaggedRow;
        for fault in faults.iter().filter(|_| !is_ragged) {
            fields[fault.column as usize].clone_from(&fault.value);
        }
        let column = if is_ragged { String::new() } else { first.column.name().to_owned() };
        let value = match first.reason {
            Reason::StraddlesWindow => format!("{}..{}", fields[Column::PeriodStart as usize], fields[Column::PeriodEnd as usize]),
            _ => first.value.clone(),
        };
        let (source, row, line) = batch.whence(i);
        let (place, key) = ((source.clone(), row), (first.reason, first.column.name()));
        let is_read = faults.iter().all(|fault| fault.column != Column::TotalSpend);
        let reject = Reject {
            window: None,
            source,
            row,
            line,
            customer_id: fields[Column::CustomerId as usize].clone(),
            reason: first.reason,
            column,
            value,
            fields,
            at: at.map(shown_timestamp),
        };
        let fits = |later: &mut Classifier| match later.place(batch.starts[i], batch.ends[i]) {
            Place::Window { observation_end, .. } => batch.last_transactions.get(i).copied().unwrap_or(NO_TIMESTAMP) <= observation_end,
            Place::History => true,
            Place::Straddles(_) => false,
        };
        let is_open =
            matches!(reject.reason, Reason::StraddlesWindow | Reason::AfterObservationEnd) && self.later.as_mut().is_none_or(fits);
        if let Some(open) = self.ledger.open.as_ref().filter(|_| is_open) {
            return open.buffer().push(|out| reject.write(out)).map_err(|e| e.stage(Stage::Route));
        }
        let times = Times { start: batch.starts[i], end: batch.ends[i], at };
        let help = || {
            let (column, notes) = (first.column.name(), self.stats.notes());
            let advice = values::advice_about(column, first.reason, &first.value, &self.reading, &notes);
            advice.unwrap_or_else(|| period_times::advice(first.reason, times))
        };
        if self.policy == OnBadRow::Fail && self.fail_fast {
            return Err(reject.into_error().help(help()).stage(Stage::Route));
        }
        let kept = self.ledger.rejects.as_ref().map_or(Ok(()), |rejects| rejects.buffer().push(|out| reject.write(out)));
        let spend = is_read.then(|| spend(batch, i));
        self.ledger.causes.add(key, spend, (&place.0, place.1), || (reject, help()));
        self.stats.count_rejects(key.0, 1);
        kept.map_err(|e| e.stage(Stage::Route))
    }

    /// Hands over what is left. Rows routed later come with the next flush.
    pub(crate) fn flush(&mut self, outlet: &mut impl Outlet) -> Result<()> {
        (0..SECTIONS).try_for_each(|section| self.scatter(section, outlet))?;
        for (partition, buffer) in self.buffers.iter_mut().enumerate() {
            if !buffer.rows.is_empty() {
                outlet.take(partition, std::mem::take(buffer))?;
            }
        }
        self.ledger.cover(self.keys);
        self.ledger.extend(self.span.known());
        let mut refunds_until = lock(&self.ledger.refunds_until);
        *refunds_until = (*refunds_until).max(self.refunds_until);
        let mut ends = lock(&self.ledger.ends);
        *ends = ends.and(self.ends);
        Ok(())
    }
}

/// What was spent according to a row.
fn spend(batch: &PeriodBatch, i: usize) -> Amount {
    Amount { cents: batch.cents[i], fraction: batch.fractions.get(i).copied().unwrap_or(0) }
}

/// A field as text, in the same form whatever the input format.
fn field(batch: &PeriodBatch, i: usize, column: Column) -> String {
    match column {
        Column::CustomerId if batch.ids.is_valid(i) => batch.ids.value(i).to_owned(),
        Column::CustomerId => String::new(),
        Column::PeriodStart => shown_timestamp(batch.starts[i]),
        Column::PeriodEnd => shown_timestamp(batch.ends[i]),
        Column::TotalOrders => batch.orders[i].to_string(),
        Column::TotalSpend => spend(batch, i).to_string(),
        Column::LastTransactionTs => shown_timestamp(batch.last_transactions.get(i).copied().unwrap_or(NO_TIMESTAMP)),
    }
}
