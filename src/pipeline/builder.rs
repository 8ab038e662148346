//! The options of a pipeline: windows, policies, memory, threads.

use crate::accumulate::Accumulator;
use crate::accumulate::worker::Worker;
use crate::base::cancel::Cancel;
use crate::base::cancel::Discard;
use crate::base::error::Error;
use crate::base::error::Result;
use crate::base::error::Stage;
use crate::base::threads::Poison;
use crate::finalize::finish::Resources;
use crate::lens::Lens;
use crate::model::cause::MaxRejects;
use crate::model::columns::ColumnMap;
use crate::model::period_batch::Origin;
use crate::model::reject::OnBadRow;
use crate::model::window::Windows;
use crate::pipeline::Judged;
use crate::pipeline::Pipeline;
use crate::pipeline::Running;
use crate::pipeline::Unfinished;
use crate::pipeline::sorting_of_rejects;
use crate::pipeline::start;
use crate::report::rfm_columns::RfmColumns;
use crate::route::Ledger;
use crate::route::Router;
use crate::route::lane::lanes;
use crate::source::row_kind::{Aggregations, RowKind};
use crate::spec::Parallel;
use crate::spec::Spec;
use crate::spill::Disk;
use crate::spill::Io;
use crate::spill::Plan;
use crate::spill::RunStore;
use crate::spill::Sorter;
use crate::spill::Tiered;
use crate::stats::Stats;
use crossbeam_channel::bounded;
use crossbeam_channel::unbounded;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::path::PathBuf;
use std::sync::Arc;

/// Options of a pipeline; see [`Spec`] for what they mean.
#[derive(Debug, Clone, Default)]
pub struct Builder<L = ()> {
    spec: Spec,
    lens: L,
    rfm_columns: RfmColumns,
    forget_rejects: bool,
    saving: bool,
    judged_elsewhere: bool,
    later_windows: Option<Windows>,
    cancel: Cancel,
    io: Io,
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

    /// The input's names of the columns.
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

    /// Whether Lenses 3, 4 and 5 are asked for: customers by the window that they came in.
    #[must_use]
    pub fn cohorts(mut self, cohorts: bool) -> Self {
        self.spec.cohorts = cohorts;
        self
    }

    /// The columns of RFM rows.
    #[must_use]
    pub fn rfm_columns(mut self, columns: RfmColumns) -> Self {
        self.rfm_columns = columns;
        self
    }

    /// The policy about bad rows.
    #[must_use]
    pub fn on_bad_row(mut self, policy: OnBadRow) -> Self {
        self.spec.on_bad_row = policy;
        self
    }

    /// Whether the first bad row ends the run, instead of all of them together.
    #[must_use]
    pub fn fail_fast(mut self, fail_fast: bool) -> Self {
        self.spec.fail_fast = fail_fast;
        self
    }

    /// How many rows may be left out as bad.
    #[must_use]
    pub fn max_rejects(mut self, most: MaxRejects) -> Self {
        self.spec.max_rejects = most;
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

    /// The disk of the folder to spill into.
    pub(crate) fn disk(mut self, io: &Io) -> Self {
        self.io = io.clone();
        self
    }

    /// A store to spill to instead of a folder.
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

    /// Whether [`Audit::rejects`](super::Audit::rejects) holds what was left out (the default), or it is only counted.
    #[must_use]
    pub fn keep_rejects(mut self, keep: bool) -> Self {
        self.forget_rejects = !keep;
        self
    }

    /// The options that decide what is kept of rows: the spec, and whether rejects are.
    pub(crate) fn options(&self) -> (&Spec, bool) {
        (&self.spec, !self.forget_rejects)
    }

    /// Ends in a saved state instead of answers: rows that other windows may hold are left open, and the first bad row ends the run.
    pub(crate) fn saving(mut self) -> Self {
        self.saving = true;
        self.spec.fail_fast = true;
        self
    }

    /// Is a part of a run: whether it has too many bad rows is judged where the whole is known.
    pub(crate) fn judged_elsewhere(mut self) -> Self {
        self.judged_elsewhere = true;
        self
    }

    /// The windows that will judge rows which are left open: what is bad in them is bad now.
    pub(crate) fn later_windows(mut self, windows: Option<Windows>) -> Self {
        self.later_windows = windows;
        self
    }

    /// Ends the run from outside.
    #[must_use]
    pub fn cancel(mut self, cancel: Cancel) -> Self {
        self.cancel = cancel;
        self
    }

    /// A lens of the caller's own beside Lens 1 and Lens 2; it observes blocks with scores. Again for a second: a pair of lenses is one.
    #[must_use]
    pub fn lens<M: Lens>(self, lens: M) -> Builder<(L, M)> {
        let Builder {
            spec,
            lens: own,
            rfm_columns,
            forget_rejects,
            saving,
            judged_elsewhere,
            later_windows,
            cancel,
            io,
            store,
            state_budget,
        } = self;
        let lens = (own, lens);
        Builder { spec, lens, rfm_columns, forget_rejects, saving, judged_elsewhere, later_windows, cancel, io, store, state_budget }
    }

    /// Checks the options and starts the workers.
    ///
    /// # Errors
    /// Options that contradict each other, no threads to be had, or it was cancelled already.
    pub fn build(mut self) -> Result<Pipeline<L>> {
        self.spec.validate()?;
        if let Some(as_of) = self.spec.as_of {
            self.spec.windows = self.spec.windows.ending(as_of)?;
        }
        if !self.spec.windows.have_ends() {
            let what = "it is not said where rolling windows end";
            return Err(
                Error::usage(what).help("say the last day with `windows.as_of=2023-06-30`; of states alone it is that of their last row")
            );
        }
        let poison = Arc::new(Poison::new(self.cancel.clone()));
        let count = self.spec.worker_count();
        let plan = Plan::new(self.spec.memory_limit, count, self.spec.windows.listed())?;
        let plan = match self.state_budget {
            Some(bytes) => plan.with_state_budget(bytes),
            None => plan,
        };
        let store: Arc<dyn RunStore> = match self.store {
            Some(store) => store,
            None => Arc::new(Disk::within(self.spec.spill_dir.as_deref(), &self.io)?),
        };
        self.cancel.add_store(Arc::downgrade(&(store.clone() as Arc<dyn Discard>)))?;
        let (lanes, lane_ends) = lanes(count, &plan);
        let (done, results) = bounded(count);
        let stats = Arc::new(Stats::default());
        stats.enter(Stage::Accumulate);
        let keep_rejects = self.spec.on_bad_row == OnBadRow::Reject && !self.forget_rejects;
        let sorter = || Arc::new(Sorter::new(sorting_of_rejects(&plan, count, store.clone(), self.cancel.clone())));
        let rejects = keep_rejects.then(sorter);
        let ledger = Arc::new(Ledger {
            rejects: rejects.clone(),
            open: self.saving.then(sorter),
            later_windows: self.later_windows,
            ..Ledger::default()
        });
        let mut jobs = Vec::with_capacity(count);
        for (index, lane) in lane_ends.into_iter().enumerate() {
            let (job, taken) = unbounded();
            jobs.push(job);
            let router = Router::new(&self.spec, plan.rows_per_buffer, stats.clone(), ledger.clone());
            let accumulator = Accumulator::new(index, count, &plan, store.clone());
            let worker = Worker::new(router, accumulator, lane, lanes.clone());
            let (done, poison) = (done.clone(), poison.clone());
            start(format!("worker-{index}"), move || match catch_unwind(AssertUnwindSafe(|| worker.run(&taken))) {
                // The pipeline may have ended meanwhile and not take the partitions.
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
        let pushed_kind = Aggregations::of(&self.spec)?;
        stats.share_notes(pushed_kind.notes());
        let unfinished = Unfinished(Some(resources.store.clone()));
        let state = Running { lanes, router, jobs, results, resources, unfinished };
        Ok(Pipeline {
            spec: self.spec,
            lens: self.lens,
            rfm_columns: self.rfm_columns,
            state,
            stats,
            ledger,
            poison,
            pushed,
            pushed_rows: 0,
            pushed_kind,
            inputs: Vec::new(),
            lines: None,
            judged: Judged::default(),
            judged_elsewhere: self.judged_elsewhere,
            nets_refunds: false,
            has_orders: false,
            lines_read: None,
            pushed_lines: None,
            has_lines: false,
            dropped: None,
            keeping: None,
        })
    }
}
