//! The pipeline: spec → stages. It starts the threads of a run and knows the order of its stages.
//!
//! [`Pipeline::builder`] takes the options; `build` checks them and starts the [`worker`](crate::accumulate::worker)s. From then on rows
//! come in by any mix of [`push`](Pipeline::push) (decoded and routed on the caller's thread) and [`run`](Pipeline::run) (a source,
//! decoded by the workers). [`finish`](Pipeline::finish) takes the workers' partitions, finalizes, asks the lenses, and gives the [`Audit`].
//!
//! Memory between the stages is bounded: lanes hold a fixed number of buffers, of very long ids so many bytes, and a thread that fills
//! them waits. When a thread fails or panics, the first cause goes into the poison, the lanes close, and the caller gets that cause; a
//! [`Cancel`] stops all threads likewise. Threads that are stuck in a read (of standard input, say) are left behind rather than waited for.
//!
//! | file | owns |
//! |---|---|
//! | here | [`Pipeline`]: a run, from its first row to its answers |
//! | `builder` | the options of a run; threads and lanes are made there |
//! | `order_lines` | orders and line items: grouped, then rows like any other |
//! | `keeping` | orders beside states that keep the ids of theirs |
//! | `saved_states` | states that are taken in, or come out instead of answers |
//! | `verdict` | whether a run has too many bad rows, judged here or for parts of it elsewhere |
//! | `outcome` | [`Audit`]: the outcome |

use self::keeping::Keeping;
use crate::accumulate::Closed;
use crate::accumulate::worker::{Decoding, Job};
use crate::base::cancel::Cancel;
use crate::base::error::{Error, Result, Stage};
use crate::base::memory::no_thread;
use crate::base::money::Total;
use crate::base::threads::{Poison, lock, with_pool};
use crate::base::time::MIN_TIMESTAMP;
use crate::finalize::arithmetic::{BlockTimes, Finalizer};
use crate::finalize::finish::Resources;
use crate::lens::Lens;
use crate::model::hash::PARTITIONS;
use crate::model::note::{Notes, Topic};
use crate::model::period_batch::Origin;
use crate::model::window::{Granularity, Window, Windows};
use crate::orders::{LineSummary, PushedLines};
use crate::reduce::reduce;
use crate::report::rfm_columns::RfmColumns;
use crate::report::table::TableWriter;
use crate::report::{InputSummary, Report};
use crate::route::lane::Lanes;
use crate::route::{Ends, Ledger, Router};
use crate::source::Source;
use crate::source::files::Files;
use crate::source::mapping::judge;
use crate::source::row_kind::{Aggregations, ArrowColumns, RowKind};
use crate::spec::Spec;
use crate::spill::{Budget, Plan, RunStore, Sorting, Tiered};
use crate::state::retention::DroppedBefore;
use crate::stats::Stats;
use arrow::array::RecordBatch;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
pub(crate) mod builder;
mod keeping;
mod order_lines;
pub mod outcome;
mod saved_states;
mod verdict;

pub use builder::Builder;
pub use outcome::{Audit, Order};
pub(crate) use verdict::{Unjudged, judge_parts};

/// How often the caller's thread looks whether a run was poisoned elsewhere.
const POISON_POLL: Duration = Duration::from_millis(50);
/// How long decoding threads get to notice that the run is over.
const GRACE: Duration = Duration::from_millis(500);

/// How rejects are sorted while rows come in: beside everything else that the run does then, and so in memory of their own.
fn sorting_of_rejects(plan: &Plan, workers: usize, store: Arc<dyn RunStore>, cancel: Cancel) -> Sorting {
    let memory = plan.reject_memory;
    // Those who push rows route them, too.
    let heap = memory / (workers as u64 + 1);
    Sorting { store: Arc::new(Tiered::new(Budget::new(memory), store)), heap, merge: plan.merge_memory * workers as u64, cancel }
}

fn start(name: String, work: impl FnOnce() + Send + 'static) -> Result<()> {
    let started = thread::Builder::new().name(name).spawn(work);
    started.map(drop).map_err(no_thread)
}

/// A running audit.
///
/// ```
/// use lensflow::Pipeline;
/// use lensflow::model::{Granularity, Windows};
/// use lensflow::pipeline::Order;
///
/// let mut pipeline = Pipeline::builder().windows(Windows::Every(Granularity::Quarter)).build()?;
/// pipeline.run_files(&["examples/data/cdnow_periods.csv"])?;
/// let audit = pipeline.finish()?;
/// let first = &audit.report.windows[0];
/// assert_eq!((first.name.as_str(), first.lens1.total_customers), ("1997-Q1", 23_570));
/// let rows: usize = audit.rfm(Order::Engine)?.map(|batch| batch.map_or(0, |batch| batch.num_rows())).sum();
/// assert_eq!(rows as u64, audit.report.windows.iter().map(|window| window.lens1.total_customers).sum::<u64>());
/// # Ok::<(), lensflow::Error>(())
/// ```
pub struct Pipeline<L = ()> {
    pub(crate) spec: Spec,
    lens: L,
    rfm_columns: RfmColumns,
    state: Running,
    stats: Arc<Stats>,
    ledger: Arc<Ledger>,
    poison: Arc<Poison>,
    pushed: Arc<Origin>,
    pushed_rows: u64,
    /// How pushed rows are read.
    pushed_kind: Aggregations,
    inputs: Vec<String>,
    /// Of the lines, where there were any.
    pub(crate) lines: Option<LineSummary>,
    /// The rows by which the bad ones are judged.
    judged: Judged,
    /// It is a part of a run, and judged with the whole.
    judged_elsewhere: bool,
    /// Whether refunds are netted, here or in a state that was taken in.
    nets_refunds: bool,
    /// Whether rows are orders, here or in a state that was taken in.
    has_orders: bool,
    /// How orders and line items were read, if any were.
    lines_read: Option<crate::model::read_options::ReadOptions>,
    /// Lines that were pushed and wait to be grouped.
    pushed_lines: Option<PushedLines>,
    /// Whether lines were read.
    has_lines: bool,
    /// Before what a state has dropped what lies there, and its periods.
    pub(crate) dropped: Option<(DroppedBefore, Granularity)>,
    /// What tells known orders from new ones, if a state keeps the ids of its orders.
    keeping: Option<Keeping>,
}

/// What of the counters of a run is not counted when its bad rows are judged, and what is instead.
#[derive(Default)]
struct Judged {
    /// Rows of states: they were judged when they were taken in.
    of_states: u64,
    rejected_of_states: u64,
    /// Rows that are the orders of lines, and these lines.
    orders: u64,
    lines: u64,
    lines_rejected: u64,
}

struct Running {
    lanes: Lanes,
    router: Router,
    /// One for each worker.
    jobs: Vec<Sender<Job>>,
    results: Receiver<Vec<Closed>>,
    resources: Resources,
    unfinished: Unfinished,
}

/// The store of a run that has no audit yet. Dropped with it, it discards what was spilled.
struct Unfinished(Option<Arc<dyn RunStore>>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        self.0.iter().for_each(|store| store.discard());
    }
}

impl<L> fmt::Debug for Pipeline<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline").field("spec", &self.spec).field("inputs", &self.inputs).finish_non_exhaustive()
    }
}

impl Pipeline {
    /// The options, all at their defaults.
    pub fn builder() -> Builder {
        Builder::default()
    }
}

impl<L: Lens> Pipeline<L> {
    /// The counters, to watch from another thread.
    pub fn stats(&self) -> Arc<Stats> {
        self.stats.clone()
    }

    /// Takes a batch with the columns of [`Column`](crate::model::columns::Column), in any accepted types. Waits while the pipeline is full.
    ///
    /// # Errors
    /// A missing or unfit column, columns of RFM rows that period aggregations do not tell, or the first cause of a failure elsewhere. Bad rows
    /// are an error as they are of [`run`](Pipeline::run).
    pub fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rfm_columns.check(None)?;
        let columns = self.pushed_kind.resolve(&batch.schema(), &self.pushed)?;
        let batch = columns.batch(batch, self.pushed_rows + 1)?;
        self.pushed_rows += batch.starts.len() as u64;
        if self.poison.is_set() {
            return Err(self.poison.take());
        }
        if self.pushed_rows > 0 && !self.inputs.contains(&self.pushed.name) {
            self.inputs.push(self.pushed.name.clone());
        }
        let Running { router, lanes, .. } = &mut self.state;
        router.route(&batch, lanes).map_err(|e| self.fail(e))
    }

    /// Reads files, folders, globs or `-`, with the columns and batch size of the spec; see [`Files::find`].
    ///
    /// # Errors
    /// When something named is not there, or what [`run`](Pipeline::run) fails with.
    pub fn run_files<S: AsRef<str>>(&mut self, named: &[S]) -> Result<()> {
        let files = Files::find(named, None, &self.spec)?;
        self.run(files.spool_in(self.spec.spill_dir.clone()))
    }

    /// Reads a source to its end, with as many decoding threads as there are workers.
    ///
    /// # Errors
    /// Columns of RFM rows that period aggregations do not tell; the first fault of the source or of another thread. Bad rows are an error of
    /// [`finish`](Pipeline::finish), all of them together, or, with [`fail_fast`](Spec::fail_fast), one of this function.
    pub fn run(&mut self, source: impl Source + 'static) -> Result<()> {
        self.rfm_columns.check(None)?;
        self.read(source)
    }

    /// Reads a source of rows of any kind.
    fn read(&mut self, mut source: impl Source + 'static) -> Result<()> {
        let workers = self.spec.worker_count();
        source.share(workers);
        self.inputs.extend(source.inputs());
        let notes = source.notes();
        self.stats.share_notes(notes.clone());
        self.stats.expect_bytes(source.size_bytes().unwrap_or(0));
        let (done, ended) = bounded(workers);
        let decoding = Arc::new(Decoding::new(source, self.poison.clone(), self.stats.clone(), done));
        for jobs in &self.state.jobs {
            // A worker that is gone has left its cause in the poison.
            let _ = jobs.send(Job::Decode(decoding.clone()));
        }
        drop(decoding);
        let mut running = workers;
        while running > 0 {
            match ended.recv_timeout(POISON_POLL) {
                Ok(()) => running -= 1,
                Err(RecvTimeoutError::Timeout) if !self.poison.is_set() => {}
                Err(_) => break,
            }
        }
        if self.poison.is_set() {
            // Give the others a moment: one of them may find a fault in an earlier chunk.
            while running > 0 && !self.poison.cancel.is_cancelled() && ended.recv_timeout(GRACE).is_ok() {
                running -= 1;
            }
            return Err(self.poison.take());
        }
        if self.judged_elsewhere { Ok(()) } else { judge(&notes).map_err(|e| self.fail(e)) }
    }

    /// Keeps the first cause and closes nothing: the caller holds the pipeline and decides.
    fn fail(&self, error: Error) -> Error {
        if error.is_echo() {
            return self.poison.take();
        }
        self.poison.set(Error::internal("the pipeline has failed before"));
        error
    }

    /// Ends the input and computes the answers.
    ///
    /// # Errors
    /// Bad rows or customers who are not valid in a window under [`OnBadRow::Fail`](crate::model::OnBadRow::Fail), more bad rows than
    /// [`max_rejects`](Spec::max_rejects) lets be left out under [`OnBadRow::Reject`](crate::model::OnBadRow::Reject), windows that cannot be, or
    /// a failure elsewhere.
    pub fn finish(self) -> Result<Audit<L::Answer>>
    where
        L::Answer: Send,
    {
        self.finish_into(None)
    }

    /// Ends the input and answers, and writes the RFM rows to a table on the way, in the engine's order: that saves the pass that
    /// [`Audit::write_rfm`] makes.
    ///
    /// # Errors
    /// Those of [`finish`](Pipeline::finish), and of writing.
    pub fn finish_into(self, rfm: Option<&mut TableWriter>) -> Result<Audit<L::Answer>>
    where
        L::Answer: Send,
    {
        judge(&self.stats.notes())?;
        let windows = self.spec.windows.clone();
        self.answer(windows, rfm)
    }

    /// Answers for other windows than rows were judged by, which may be in any order.
    pub(crate) fn finish_with(self, windows: Vec<Window>) -> Result<Audit<L::Answer>>
    where
        L::Answer: Send,
    {
        self.answer(Windows::List(windows), None)
    }

    fn answer(mut self, windows: Windows, rfm: Option<&mut TableWriter>) -> Result<Audit<L::Answer>>
    where
        L::Answer: Send,
    {
        self.finish_orders()?;
        if self.poison.is_set() {
            return Err(self.poison.take());
        }
        self.judge()?;
        let Pipeline {
            spec, lens, rfm_columns, state, stats, ledger, poison, mut inputs, lines, nets_refunds, has_orders, dropped, ..
        } = self;
        let (partitions, resources, mut unfinished) = state.close(&poison)?;
        let (keys, span) = (ledger.keys_seen(&spec), *lock(&ledger.span));
        note_ends(*lock(&ledger.ends), &stats);
        let (windows, first_key) = windows.resolve(keys, span, spec.as_of)?;
        if let Some((dropped, _)) = dropped
            && let Some(window) = windows.first()
        {
            // Files beside a state may have rows in periods of which it has none any more.
            dropped.allows(&Windows::List(vec![window.clone()]), None, spec.as_of, &window.name)?;
        }
        let (last_order, first_order) = (rfm_columns.needs_last(), rfm_columns.needs_first());
        let times = BlockTimes { of_orders: has_orders, last_order, first_order };
        let finalizer = Finalizer { windows, first_key, times };
        rfm_columns.check_options(&spec)?;
        let columns = rfm_columns.of(&spec);
        // Each row has at most one customer of its own.
        let threads = if spec.finishes_in_parallel(stats.snapshot().rows_accepted) { spec.worker_count() } else { 1 };
        let answer = || {
            let reduced =
                reduce((&spec, nets_refunds), partitions, &resources, finalizer, &lens, &stats, rfm.map(|table| (table, &columns[..])))?;
            let rejects = resources.rejects.as_ref().map(|rejects| rejects.finish().map_err(|e| e.stage(Stage::Reduce)));
            Ok((reduced, rejects.transpose()?))
        };
        let answered = catch_unwind(AssertUnwindSafe(|| with_pool(threads, answer)));
        let answered = answered.unwrap_or_else(|panic| Err(Error::panicked(Stage::Lens, panic)));
        // Whatever else went wrong then is only what came of it.
        poison.cancel.check()?;
        let (reduced, rejects) = answered?;

        inputs.sort();
        let snapshot = stats.snapshot();
        let input = InputSummary {
            sources: inputs,
            rows_read: snapshot.rows_read,
            rows_accepted: snapshot.rows_accepted,
            rows_rejected: snapshot.rows_rejected,
            customers: snapshot.customers,
            first_day: None,
            last_day: None,
            transactions: lines.map(LineSummary::rounded),
        };
        let windows = &reduced.blocks.finalizer().windows;
        let empty = windows.is_empty().then(|| "no row counts for a customer: there is no window, and nothing to answer".to_owned());
        let warnings = [stats.notes().texts(), reduced.warnings, empty.into_iter().collect()].concat();
        let mut report = Report::new(input, windows, reduced.windows, reduced.pairs, warnings, reduced.left_out);
        report.cut_points = (!spec.cut_points.is_empty()).then(|| spec.cut_points.clone());
        report.set_span(span, spec.as_of);
        let cohort_sums = reduced.cohorts.map(|(cohorts, sums)| {
            report.set_cohorts(cohorts);
            sums
        });
        stats.enter(Stage::Report);
        unfinished.0 = None;
        let made_of = (reduced.blocks, columns, spec.segments.clone());
        Ok(Audit::new((report, cohort_sums), made_of, rejects, reduced.custom, resources, threads, stats))
    }
}

/// Notes whether the ends of periods look as if they were inclusive.
fn note_ends(ends: Ends, stats: &Stats) {
    let notes = Notes::default();
    match ends {
        Ends::None => return,
        Ends::LookInclusive(end, rows) => {
            notes.add_most(Topic::InclusiveEnds, "", rows, Total::default(), end.abs_diff(MIN_TIMESTAMP));
        }
        Ends::Exclusive => notes.say(Topic::ExclusiveEnds, ""),
    }
    stats.share_notes(notes);
}

impl Running {
    /// Ends the input: the partitions, what finishing has to work with, and what must not be dropped before that is done.
    fn close(self, poison: &Poison) -> Result<(Vec<Closed>, Resources, Unfinished)> {
        let Running { mut lanes, mut router, jobs, results, resources, unfinished } = self;
        if poison.is_set() || router.flush(&mut lanes).is_err() {
            return Err(poison.take());
        }
        jobs.iter().for_each(|jobs| drop(jobs.send(Job::Finish)));
        drop((router, lanes));
        let mut partitions = Vec::with_capacity(PARTITIONS);
        let mut waiting = jobs.len();
        while waiting > 0 {
            match results.recv_timeout(POISON_POLL) {
                Ok(closed) => {
                    partitions.extend(closed);
                    waiting -= 1;
                }
                Err(RecvTimeoutError::Timeout) if !poison.is_set() => {}
                Err(_) => return Err(poison.take()),
            }
        }
        Ok((partitions, resources, unfinished))
    }
}
