//! The pipeline: spec → stages. The only file that starts the engine's threads and knows the order of its stages.
//!
//! [`Pipeline::builder`] checks the options; `build` starts the [`worker`](crate::worker)s. From then on rows come in by any mix of
//! [`push`](Pipeline::push) (decoded and routed on the caller's thread) and [`run`](Pipeline::run) (a source, decoded by the workers).
//! [`finish`](Pipeline::finish) takes the workers' partitions, finalizes, asks the lenses, and gives the [`Audit`].
//!
//! Memory between the stages is bounded: lanes hold a fixed number of buffers, and whoever fills one waits. When a thread fails or
//! panics, the first cause goes into the poison, the lanes close, and the caller gets that cause; a [`Cancel`] stops everybody likewise.
//! Threads that are stuck in a read (of standard input, say) are left behind rather than waited for.

mod lines;
mod saved;

use crate::accumulate::{Accumulator, Closed};
use crate::audit::Audit;
use crate::base::cancel::{Cancel, Discard};
use crate::base::error::{Error, Result, Stage};
use crate::base::threads::{Poison, lock, with_pool};
use crate::finalize::Finalizer;
use crate::lens::Lens;
use crate::model::columns::ColumnMap;
use crate::model::hash::PARTITIONS;
use crate::model::period_batch::Origin;
use crate::model::reject::OnBadRow;
use crate::model::window::{Window, Windows};
use crate::orders::LineSummary;
use crate::reduce::{Resources, reduce};
use crate::report::table::TableWriter;
use crate::report::{InputSummary, Report};
use crate::route::lane::{Lanes, lanes};
use crate::route::{Ledger, Router};
use crate::source::Source;
use crate::source::arrow_columns::Columns;
use crate::source::files::Files;
use crate::spec::{Parallel, Spec};
use crate::spill::{Budget, Disk, Plan, RunStore, Sorter, Sorting, Tiered};
use crate::stats::Stats;
use crate::worker::{Decoding, Job, Worker};
use arrow::array::RecordBatch;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// How often the caller's thread looks whether a run was poisoned elsewhere.
const POISON_POLL: Duration = Duration::from_millis(50);
/// How long decoding threads get to notice that the run is over.
const GRACE: Duration = Duration::from_millis(500);

/// Options of a pipeline; see [`Spec`] for what they mean.
#[derive(Debug, Clone, Default)]
pub struct Builder<L = ()> {
    spec: Spec,
    lens: L,
    forget_rejects: bool,
    saving: bool,
    judges: Option<Windows>,
    cancel: Cancel,
    store: Option<Arc<dyn RunStore>>,
    state_budget: Option<u64>,
}

impl<L: Lens> Builder<L> {
    /// All options at once.
    #[must_use]
    pub fn spec(mut self, spec: Spec) -> Self {
        self.spec = spec;
        self
    }

    /// The windows to audit.
    #[must_use]
    pub fn windows(mut self, windows: Windows) -> Self {
        self.spec.windows = windows;
        self
    }

    /// Where the input keeps its columns.
    #[must_use]
    pub fn columns(mut self, columns: ColumnMap) -> Self {
        self.spec.columns = columns;
        self
    }

    /// The shares of customers whose share of revenue Lens 1 reports, in percent.
    #[must_use]
    pub fn percentiles(mut self, percentiles: impl Into<Vec<u32>>) -> Self {
        self.spec.percentiles = percentiles.into();
        self
    }

    /// Score bins per dimension.
    #[must_use]
    pub fn bins(mut self, bins: u32) -> Self {
        self.spec.bins = bins;
        self
    }

    /// What to do about bad rows.
    #[must_use]
    pub fn on_bad_row(mut self, policy: OnBadRow) -> Self {
        self.spec.on_bad_row = policy;
        self
    }

    /// Threads that decode and accumulate.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.spec.workers = Some(workers);
        self
    }

    /// When the later stages use more than one thread.
    #[must_use]
    pub fn parallel(mut self, parallel: Parallel) -> Self {
        self.spec.parallel = parallel;
        self
    }

    /// Bytes of memory that the whole process may take up, instead of 70 % of what there is; what does not fit is spilled.
    #[must_use]
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.spec.memory_limit = Some(bytes);
        self
    }

    /// The folder to spill into, instead of the system's for temporary files.
    #[must_use]
    pub fn spill_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.spec.spill_dir = Some(folder.into());
        self
    }

    /// Where to spill instead of to a folder.
    #[doc(hidden)]
    #[must_use]
    pub fn run_store(mut self, store: Arc<dyn RunStore>) -> Self {
        self.store = Some(store);
        self
    }

    /// Bytes for customers' states, whatever the memory limit: with next to none, everything is spilled as soon as it comes.
    #[doc(hidden)]
    #[must_use]
    pub fn state_budget(mut self, bytes: u64) -> Self {
        self.state_budget = Some(bytes);
        self
    }

    /// Whether [`Audit::rejects`] holds what was left out (the default), or it is only counted.
    #[must_use]
    pub fn keep_rejects(mut self, keep: bool) -> Self {
        self.forget_rejects = !keep;
        self
    }

    /// What decides what is kept of rows: the spec, and whether rejects are.
    pub(crate) fn options(&self) -> (&Spec, bool) {
        (&self.spec, !self.forget_rejects)
    }

    /// Ends in a saved state instead of answers: rows that other windows may hold are left open.
    pub(crate) fn saving(mut self) -> Self {
        self.saving = true;
        self
    }

    /// The windows that will judge rows which are left open: what is bad in them is bad now.
    pub(crate) fn judged_by(mut self, windows: Option<Windows>) -> Self {
        self.judges = windows;
        self
    }

    /// What ends the run from outside.
    #[must_use]
    pub fn cancel(mut self, cancel: Cancel) -> Self {
        self.cancel = cancel;
        self
    }

    /// A lens of the caller's own beside Lens 1 and Lens 2; it observes blocks with scores. Again for a second: a pair of lenses is one.
    #[must_use]
    pub fn lens<M: Lens>(self, lens: M) -> Builder<(L, M)> {
        let Builder { spec, lens: own, forget_rejects, saving, judges, cancel, store, state_budget } = self;
        Builder { spec, lens: (own, lens), forget_rejects, saving, judges, cancel, store, state_budget }
    }

    /// Checks the options and starts the accumulators.
    ///
    /// # Errors
    /// Options that contradict each other, no threads to be had, or it was cancelled already.
    pub fn build(self) -> Result<Pipeline<L>> {
        self.spec.validate()?;
        let poison = Arc::new(Poison::new(self.cancel.clone()));
        let count = self.spec.worker_count();
        let plan = Plan::new(self.spec.memory_limit, count, self.spec.windows.listed())?;
        let plan = match self.state_budget {
            Some(bytes) => plan.with_state_budget(bytes),
            None => plan,
        };
        let store: Arc<dyn RunStore> = match self.store {
            Some(store) => store,
            None => Arc::new(Disk::within(self.spec.spill_dir.as_deref())?),
        };
        self.cancel.add_store(Arc::downgrade(&(store.clone() as Arc<dyn Discard>)))?;
        let (lanes, lane_ends) = lanes(count, &plan);
        let (done, results) = bounded(count);
        let stats = Arc::new(Stats::default());
        stats.enter(Stage::Accumulate);
        let keep_rejects = self.spec.on_bad_row == OnBadRow::Reject && !self.forget_rejects;
        let sorter = || Arc::new(Sorter::new(sorting_of_rejects(&plan, count, store.clone(), self.cancel.clone())));
        let rejects = keep_rejects.then(sorter);
        let ledger =
            Arc::new(Ledger { rejects: rejects.clone(), open: self.saving.then(sorter), judges: self.judges, ..Ledger::default() });
        let mut jobs = Vec::with_capacity(count);
        for (index, lane) in lane_ends.into_iter().enumerate() {
            let (job, taken) = unbounded();
            jobs.push(job);
            let router = Router::new(&self.spec, plan.rows_per_buffer, stats.clone(), ledger.clone());
            let accumulator = Accumulator::new(index, count, &plan, store.clone());
            let worker = Worker::new(router, accumulator, lane, lanes.clone());
            let (done, poison) = (done.clone(), poison.clone());
            start(format!("worker-{index}"), move || match catch_unwind(AssertUnwindSafe(|| worker.run(&taken))) {
                // Nobody waits for the partitions of a run that has ended.
                Ok(Ok(partitions)) => drop(partitions.map(|partitions| done.send(partitions))),
                Ok(Err(error)) => poison.set(error),
                Err(panic) => poison.set(Error::panicked(Stage::Accumulate, panic)),
            })?;
        }
        let router = Router::new(&self.spec, plan.rows_per_buffer, stats.clone(), ledger.clone());
        let pushed = Arc::new(Origin { name: "pushed".to_owned() });
        stats.share(plan.budget.clone(), store.clone(), lanes.depths());
        let resources =
            Resources { store: Arc::new(Tiered::new(plan.budget.clone(), store)), plan, rejects, cancel: self.cancel, saved: Vec::new() };
        let unfinished = Unfinished(Some(resources.store.clone()));
        let state = Running { lanes, router, jobs, results, resources, unfinished };
        Ok(Pipeline {
            spec: self.spec,
            lens: self.lens,
            state,
            stats,
            ledger,
            poison,
            pushed,
            pushed_rows: 0,
            inputs: Vec::new(),
            lines: None,
        })
    }
}

/// How rejects are sorted while rows come in: beside everything else that the run does then, and so in memory of their own.
fn sorting_of_rejects(plan: &Plan, workers: usize, store: Arc<dyn RunStore>, cancel: Cancel) -> Sorting {
    let memory = plan.reject_memory;
    // Those who push rows route them, too.
    let heap = memory / (workers as u64 + 1);
    Sorting { store: Arc::new(Tiered::new(Budget::new(memory), store)), heap, merge: plan.merge_memory * workers as u64, cancel }
}

fn start(name: String, work: impl FnOnce() + Send + 'static) -> Result<()> {
    let started = thread::Builder::new().name(name).spawn(work);
    started.map(drop).map_err(|e| Error::internal("cannot start a thread").cause(e))
}

/// A running audit.
pub struct Pipeline<L = ()> {
    pub(crate) spec: Spec,
    lens: L,
    state: Running,
    stats: Arc<Stats>,
    ledger: Arc<Ledger>,
    poison: Arc<Poison>,
    pushed: Arc<Origin>,
    pushed_rows: u64,
    inputs: Vec<String>,
    /// Of the lines, where there were any.
    pub(crate) lines: Option<LineSummary>,
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
    /// A missing or unfit column, a bad row under [`OnBadRow::Fail`], or the first cause of a failure elsewhere.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns = Columns::resolve(&batch.schema(), &self.spec.columns, &self.pushed)?;
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
        let files = Files::find(named, None, self.spec.columns.clone(), self.spec.batch_rows)?;
        self.run(files.spool_in(self.spec.spill_dir.clone()))
    }

    /// Reads a source to its end, with as many decoding threads as there are workers.
    ///
    /// # Errors
    /// What the source, the rows or another thread failed with first.
    pub fn run(&mut self, source: impl Source + 'static) -> Result<()> {
        let workers = self.spec.worker_count();
        self.inputs.extend(source.inputs());
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
        Ok(())
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
    /// A customer who is not valid in a window under [`OnBadRow::Fail`], windows that cannot be, or a failure
    /// elsewhere.
    pub fn finish(self) -> Result<Audit<L::Answer>>
    where
        L::Answer: Send,
    {
        self.finish_into(None)
    }

    /// The same, and writes the RFM rows to a table on the way, in the engine's order: that saves the pass that
    /// [`Audit::write_rfm`] makes.
    ///
    /// # Errors
    /// Those of [`finish`](Pipeline::finish), and of writing.
    pub fn finish_into(self, rfm: Option<&mut TableWriter>) -> Result<Audit<L::Answer>>
    where
        L::Answer: Send,
    {
        let windows = self.spec.windows.clone();
        self.answer(windows, rfm)
    }

    /// The same for other windows than rows were judged by, which may be in any order.
    pub(crate) fn finish_with(self, windows: Vec<Window>) -> Result<Audit<L::Answer>>
    where
        L::Answer: Send,
    {
        self.answer(Windows::List(windows), None)
    }

    fn answer(self, windows: Windows, rfm: Option<&mut TableWriter>) -> Result<Audit<L::Answer>>
    where
        L::Answer: Send,
    {
        let Pipeline { spec, lens, state, stats, ledger, poison, mut inputs, lines, .. } = self;
        let (partitions, resources, mut unfinished) = state.close(&poison)?;
        let keys = *lock(&ledger.keys);
        let (windows, first_key) = windows.resolve(keys)?;
        let finalizer = Finalizer { windows, first_key };
        // Each row has at most one customer of its own.
        let threads = if spec.finishes_in_parallel(stats.snapshot().rows_accepted) { spec.worker_count() } else { 1 };
        let answer = || {
            let reduced = reduce(&spec, partitions, &resources, finalizer, &lens, &stats, rfm)?;
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
            transactions: lines.map(LineSummary::rounded),
        };
        let windows = &reduced.pieces.finalizer().windows;
        let report = Report::new(input, windows, reduced.lens1, reduced.lens2, reduced.warnings, reduced.left_out);
        stats.enter(Stage::Report);
        unfinished.0 = None;
        Ok(Audit::new(report, reduced.pieces, rejects, reduced.custom, resources, threads))
    }
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
