//! The pipeline: spec → stages. The only file that starts the engine's threads and knows the order of its stages.
//!
//! [`Pipeline::builder`] checks the options; `build` starts the accumulators. From then on rows come in by any mix of
//! [`push`](Pipeline::push) (decoded and routed on the caller's thread) and [`run`](Pipeline::run) (a source, decoded by as many threads
//! as there are workers). [`finish`](Pipeline::finish) closes the lanes, finalizes, asks the lenses, and gives the [`Audit`].
//!
//! Memory between the stages is bounded: lanes hold a fixed number of buffers, and whoever fills one waits. When a thread fails or
//! panics, the first cause goes into the poison, the lanes close, and the caller gets that cause. Threads that are stuck in a read (of
//! standard input, say) are left behind rather than waited for.

use crate::accumulate::{Accumulator, Partition};
use crate::audit::Audit;
use crate::calendar::Windows;
use crate::error::{Error, Result, Stage};
use crate::lens::Lens;
use crate::reduce::{finalize_all, reduce};
use crate::reject::{OnBadRow, REJECT_HELP};
use crate::report::{InputSummary, Report};
use crate::rfm::with_threads;
use crate::route::lane::{Lanes, Poison, lanes};
use crate::route::{Ledger, PARTITIONS, Router};
use crate::source::columns::Columns;
use crate::source::files::Files;
use crate::source::{ColumnMap, Origin, Source};
use crate::spec::{Parallel, Spec};
use crate::stats::Stats;
use arrow::array::RecordBatch;
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
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

    /// Decoding threads and accumulator threads, each.
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

    /// Whether [`Audit::rejects`] holds what was left out (the default), or it is only counted.
    #[must_use]
    pub fn keep_rejects(mut self, keep: bool) -> Self {
        self.forget_rejects = !keep;
        self
    }

    /// A lens of the caller's own beside Lens 1 and Lens 2; it observes blocks with scores. Again for a second: a pair of lenses is one.
    #[must_use]
    pub fn lens<M: Lens>(self, lens: M) -> Builder<(L, M)> {
        Builder { spec: self.spec, lens: (self.lens, lens), forget_rejects: self.forget_rejects }
    }

    /// Checks the options and starts the accumulators.
    ///
    /// # Errors
    /// Options that contradict each other, or no threads to be had.
    pub fn build(self) -> Result<Pipeline<L>> {
        self.spec.validate()?;
        let poison = Arc::new(Poison::default());
        let workers = self.spec.worker_count();
        let (lanes, lane_ends) = lanes(workers);
        let (done, results) = bounded(workers);
        for (index, lane) in lane_ends.into_iter().enumerate() {
            let (done, poison) = (done.clone(), poison.clone());
            let accumulator = Accumulator::new(index, workers, lane);
            start(format!("accumulate-{index}"), move || match catch_unwind(AssertUnwindSafe(|| accumulator.run())) {
                Ok(partitions) => drop(done.send(partitions)),
                Err(panic) => poison.set(Error::panicked(Stage::Accumulate, panic)),
            })?;
        }
        let stats = Arc::new(Stats::default());
        stats.enter(Stage::Accumulate);
        let ledger = Arc::new(Ledger { forget_rejects: self.forget_rejects, ..Ledger::default() });
        let router = Router::new(&self.spec, lanes.clone(), stats.clone(), ledger.clone());
        let pushed = Arc::new(Origin { name: "pushed".to_owned() });
        let state = Running { lanes, router, results };
        Ok(Pipeline { spec: self.spec, lens: self.lens, state, stats, ledger, poison, pushed, pushed_rows: 0, inputs: Vec::new() })
    }
}

fn start(name: String, work: impl FnOnce() + Send + 'static) -> Result<()> {
    let started = thread::Builder::new().name(name).spawn(work);
    started.map(drop).map_err(|e| Error::internal("cannot start a thread").cause(e))
}

/// A running audit.
pub struct Pipeline<L = ()> {
    spec: Spec,
    lens: L,
    state: Running,
    stats: Arc<Stats>,
    ledger: Arc<Ledger>,
    poison: Arc<Poison>,
    pushed: Arc<Origin>,
    pushed_rows: u64,
    inputs: Vec<String>,
}

struct Running {
    lanes: Lanes,
    router: Router,
    results: Receiver<Vec<(usize, Partition)>>,
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

    /// Takes a batch with the columns of [`Column`](crate::source::Column), in any accepted types. Waits while the pipeline is full.
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
        self.state.router.route(&batch).map_err(|e| self.fail(e))
    }

    /// Reads files, folders, globs or `-`, with the columns and batch size of the spec; see [`Files::find`].
    ///
    /// # Errors
    /// When something named is not there, or what [`run`](Pipeline::run) fails with.
    pub fn run_files<S: AsRef<str>>(&mut self, named: &[S]) -> Result<()> {
        self.run(Files::find(named, None, self.spec.columns.clone(), self.spec.batch_rows)?)
    }

    /// Reads a source to its end, with as many decoding threads as there are workers.
    ///
    /// # Errors
    /// What the source, the rows or another thread failed with first.
    pub fn run(&mut self, source: impl Source + 'static) -> Result<()> {
        let workers = self.spec.worker_count();
        self.inputs.extend(source.inputs());
        self.stats.expect_bytes(source.size_bytes().unwrap_or(0));
        let source: Arc<Mutex<Numbered<dyn Source>>> = Arc::new(Mutex::new(Numbered { chunk: 0, source }));
        let (done, ended) = bounded(workers);
        for index in 0..workers {
            let (source, done, poison, stats) = (source.clone(), done.clone(), self.poison.clone(), self.stats.clone());
            let mut router = Router::new(&self.spec, self.state.lanes.clone(), stats.clone(), self.ledger.clone());
            start(format!("route-{index}"), move || {
                let mut chunk = 0;
                match catch_unwind(AssertUnwindSafe(|| decode(&source, &mut chunk, &mut router, &poison, &stats))) {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => poison.set_in_chunk(chunk, error),
                    Err(panic) => poison.set_in_chunk(chunk, Error::panicked(Stage::Source, panic)),
                }
                // The caller may have stopped listening after a failure.
                let _ = done.send(());
            })
            // Threads that did start must not go on as if nothing were missing.
            .inspect_err(|_| self.poison.set(Error::internal("not all threads could be started")))?;
        }
        drop(done);
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
            while running > 0 && ended.recv_timeout(GRACE).is_ok() {
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
    /// A customer who is not valid in a window under [`OnBadRow::Fail`], windows that cannot be, or a failure elsewhere.
    pub fn finish(self) -> Result<Audit<L::Answer>>
    where
        L::Answer: Send,
    {
        let Pipeline { spec, lens, state, stats, ledger, poison, mut inputs, .. } = self;
        let Running { lanes, mut router, results } = state;
        let workers = spec.worker_count();
        if poison.is_set() || router.flush().is_err() {
            return Err(poison.take());
        }
        drop((router, lanes));
        let mut partitions: Vec<Partition> = std::iter::repeat_with(Partition::default).take(PARTITIONS).collect();
        for _ in 0..workers {
            for (number, partition) in results.recv().map_err(|_| poison.take())? {
                partitions[number] = partition;
            }
        }
        let customers = partitions.iter().map(|p| p.state.customers.len() as u64).sum();
        stats.set_customers(customers);
        tracing::debug!(customers, "accumulated");
        let keys = ledger.keys.lock().map_or(None, |keys| *keys);
        let (windows, first_key) = spec.windows.resolve(keys)?;

        let threads = if spec.finishes_in_parallel(customers) { workers } else { 1 };
        let answers = catch_unwind(AssertUnwindSafe(|| {
            with_threads(threads, |parallel| {
                stats.enter(Stage::Finalize);
                let (blocks, left_out) = finalize_all(partitions, &windows, first_key, &stats, parallel);
                if let (OnBadRow::Fail, Some(first)) = (spec.on_bad_row, left_out.first()) {
                    return Err(first.clone().into_error().help(REJECT_HELP).stage(Stage::Finalize));
                }
                Ok((reduce(&spec, blocks, &windows, &lens, &stats, parallel)?, left_out))
            })
        }));
        let (reduced, left_out) = answers.unwrap_or_else(|panic| Err(Error::panicked(Stage::Lens, panic)))?;

        let mut rejects = ledger.rejects.lock().map(|mut rejects| std::mem::take(&mut *rejects)).unwrap_or_default();
        rejects.sort_unstable();
        inputs.sort();
        let snapshot = stats.snapshot();
        let input = InputSummary {
            sources: inputs,
            rows_read: snapshot.rows_read,
            rows_accepted: snapshot.rows_accepted,
            rows_rejected: snapshot.rows_rejected,
            customers,
        };
        let report = Report::new(input, &windows, reduced.lens1, reduced.lens2, reduced.warnings, &left_out);
        if !ledger.forget_rejects {
            rejects.extend(left_out);
        }
        stats.enter(Stage::Report);
        Ok(Audit::new(report, windows, reduced.blocks, rejects, reduced.custom, threads))
    }
}

/// What a decoding thread does: take the next chunk, decode it, route its batches, until the source or the run ends. `chunk` is the
/// number of the chunk at hand, for whoever has to say where it failed.
fn decode(source: &Mutex<Numbered<dyn Source>>, chunk: &mut u64, router: &mut Router, poison: &Poison, stats: &Stats) -> Result<()> {
    let over = || Error::ended(Stage::Source);
    loop {
        let next = {
            let mut source = source.lock().map_err(|_| over())?;
            source.chunk += 1;
            *chunk = source.chunk;
            if poison.stops(*chunk) {
                return Err(over());
            }
            source.source.next_chunk().map_err(|e| e.stage(Stage::Source))?
        };
        let Some(undecoded) = next else { return router.flush() };
        let bytes = undecoded.bytes();
        let mut sink = |batch| if poison.stops(*chunk) { Err(over()) } else { router.route(&batch) };
        undecoded.decode(&mut sink).map_err(|e| e.stage(Stage::Source))?;
        stats.count_bytes(bytes);
    }
}

/// A source whose chunks are counted.
struct Numbered<S: ?Sized> {
    chunk: u64,
    source: S,
}
