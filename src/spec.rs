//! The options of a run: windows, columns, policies, limits. Plain data with serde; nothing here does I/O.

use crate::base::error::{Error, Result};
use crate::model::cause::MaxRejects;
use crate::model::columns::ColumnMap;
use crate::model::read_options::ReadOptions;
use crate::model::reject::OnBadRow;
use crate::model::segments::Segments;
use crate::model::window::{Granularity, Windows};
use crate::ranks::cut_points::{CutPoints, MeasureCuts};
use crate::spill::{MemorySplit, Plan};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The shares of customers, in percent, whose share of revenue Lens 1 reports by default.
pub const DEFAULT_PERCENTILES: [u32; 2] = [10, 20];

/// More windows than these have no cohorts: their sums would take more than 10 MB of each thread, and their answers 100 MB.
pub const MOST_COHORT_WINDOWS: usize = 600;

/// A whole run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Spec {
    /// The windows to audit.
    pub windows: Windows,
    /// The moment that the windows are seen as of, in microseconds since 1970: they are observed until then, and what lies after it is
    /// history. `None` is their own ends.
    pub as_of: Option<i64>,
    /// The input's names of the columns.
    pub columns: ColumnMap,
    /// How the values of period aggregations are read.
    pub reading: ReadOptions,
    /// Lens 1 reports the revenue share of the top p % of customers for each p; 1 to 100.
    pub percentiles: Vec<u32>,
    /// Score bins per dimension; 1 to 9.
    pub bins: u32,
    /// The measures that are scored by given cut points instead of the quantiles of each window.
    pub cut_points: CutPoints,
    /// The segments that customers are counted by.
    pub segments: Option<Segments>,
    /// Whether Lenses 3, 4 and 5 are asked for: customers by the window that they came in.
    pub cohorts: bool,
    /// The policy about bad rows.
    pub on_bad_row: OnBadRow,
    /// Whether the first bad row that a thread finds ends the run, instead of all of them together when everything is read.
    pub fail_fast: bool,
    /// How many rows may be left out as bad, under [`OnBadRow::Reject`]; those that a policy for refunds, duplicates or lines without a
    /// customer leaves out are not counted.
    pub max_rejects: MaxRejects,
    /// Threads that decode and accumulate; `None` is one per core, or fewer where memory is short.
    pub workers: Option<usize>,
    /// When the stages after accumulation use more than one thread.
    pub parallel: Parallel,
    /// Rows that a reader decodes at a time.
    pub batch_rows: usize,
    /// Bytes of memory that the whole process may take up; `None` is 70 % of what the machine or its container has.
    pub memory_limit: Option<u64>,
    /// The folder to spill into; `None` is the system's for temporary files.
    pub spill_dir: Option<PathBuf>,
}

impl Default for Spec {
    fn default() -> Self {
        Spec {
            windows: Windows::Every(Granularity::Year),
            as_of: None,
            columns: ColumnMap::default(),
            reading: ReadOptions::default(),
            percentiles: DEFAULT_PERCENTILES.to_vec(),
            bins: 5,
            cut_points: CutPoints::default(),
            segments: None,
            cohorts: false,
            on_bad_row: OnBadRow::Fail,
            fail_fast: false,
            max_rejects: MaxRejects::default(),
            workers: None,
            parallel: Parallel::default(),
            batch_rows: 8_192,
            memory_limit: None,
            spill_dir: None,
        }
    }
}

impl Spec {
    /// Sets [`windows`](Spec::windows).
    #[must_use]
    pub fn with_windows(mut self, windows: Windows) -> Self {
        self.windows = windows;
        self
    }

    /// Sets [`as_of`](Spec::as_of); [`as_of`](crate::model::as_of) reads one.
    #[must_use]
    pub fn with_as_of(mut self, as_of: impl Into<Option<i64>>) -> Self {
        self.as_of = as_of.into();
        self
    }

    /// Sets [`columns`](Spec::columns).
    #[must_use]
    pub fn with_columns(mut self, columns: ColumnMap) -> Self {
        self.columns = columns;
        self
    }

    /// Sets [`reading`](Spec::reading).
    #[must_use]
    pub fn with_reading(mut self, reading: ReadOptions) -> Self {
        self.reading = reading;
        self
    }

    /// Sets [`percentiles`](Spec::percentiles).
    #[must_use]
    pub fn with_percentiles(mut self, percentiles: Vec<u32>) -> Self {
        self.percentiles = percentiles;
        self
    }

    /// Sets [`bins`](Spec::bins).
    #[must_use]
    pub fn with_bins(mut self, bins: u32) -> Self {
        self.bins = bins;
        self
    }

    /// Sets [`cut_points`](Spec::cut_points).
    #[must_use]
    pub fn with_cut_points(mut self, cut_points: CutPoints) -> Self {
        self.cut_points = cut_points;
        self
    }

    /// Sets [`segments`](Spec::segments).
    #[must_use]
    pub fn with_segments(mut self, segments: impl Into<Option<Segments>>) -> Self {
        self.segments = segments.into();
        self
    }

    /// Sets [`cohorts`](Spec::cohorts).
    #[must_use]
    pub fn with_cohorts(mut self, cohorts: bool) -> Self {
        self.cohorts = cohorts;
        self
    }

    /// Sets [`on_bad_row`](Spec::on_bad_row).
    #[must_use]
    pub fn with_on_bad_row(mut self, on_bad_row: OnBadRow) -> Self {
        self.on_bad_row = on_bad_row;
        self
    }

    /// Sets [`fail_fast`](Spec::fail_fast).
    #[must_use]
    pub fn with_fail_fast(mut self, fail_fast: bool) -> Self {
        self.fail_fast = fail_fast;
        self
    }

    /// Sets [`max_rejects`](Spec::max_rejects).
    #[must_use]
    pub fn with_max_rejects(mut self, max_rejects: MaxRejects) -> Self {
        self.max_rejects = max_rejects;
        self
    }

    /// Sets [`workers`](Spec::workers).
    #[must_use]
    pub fn with_workers(mut self, workers: impl Into<Option<usize>>) -> Self {
        self.workers = workers.into();
        self
    }

    /// Sets [`parallel`](Spec::parallel).
    #[must_use]
    pub fn with_parallel(mut self, parallel: Parallel) -> Self {
        self.parallel = parallel;
        self
    }

    /// Sets [`batch_rows`](Spec::batch_rows).
    #[must_use]
    pub fn with_batch_rows(mut self, batch_rows: usize) -> Self {
        self.batch_rows = batch_rows;
        self
    }

    /// Sets [`memory_limit`](Spec::memory_limit).
    #[must_use]
    pub fn with_memory_limit(mut self, memory_limit: impl Into<Option<u64>>) -> Self {
        self.memory_limit = memory_limit.into();
        self
    }

    /// Sets [`spill_dir`](Spec::spill_dir).
    #[must_use]
    pub fn with_spill_dir(mut self, spill_dir: impl Into<Option<PathBuf>>) -> Self {
        self.spill_dir = spill_dir.into();
        self
    }

    /// Checks every option against every other.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::base::error::Kind::Usage), naming the option at fault.
    pub fn validate(&self) -> Result<()> {
        self.windows.validate()?;
        if let (Windows::List(list), Some(as_of)) = (&self.windows, self.as_of)
            && let Some(late) = list.iter().find(|window| window.start >= as_of)
        {
            let help = "leave the window out, or choose a later day for `windows.as_of`";
            return Err(Error::usage(format!("window {late} starts after the day that it is seen as of")).help(help));
        }
        validate_percentiles(&self.percentiles)?;
        validate_bins(self.bins)?;
        self.segments.as_ref().map_or(Ok(()), |segments| segments.check(self.best_scores()))?;
        self.workers.map_or(Ok(()), validate_workers)?;
        if self.cohorts {
            cohorts_fit(self.windows.listed())?;
        }
        if self.batch_rows == 0 {
            return Err(Error::usage("a batch of 0 rows holds nothing").help("give at least 1"));
        }
        Ok(())
    }

    /// The best recency, frequency and monetary score that can occur.
    pub fn best_scores(&self) -> [u32; 3] {
        let CutPoints { recency, frequency, monetary, .. } = &self.cut_points;
        [recency, frequency, monetary].map(|given| given.as_ref().map_or(self.bins, MeasureCuts::best_score))
    }

    /// The plan of a run with these options for its memory.
    ///
    /// # Errors
    /// When the limit is less than so many workers need.
    pub fn memory_split(&self) -> Result<MemorySplit> {
        let workers = self.worker_count();
        Ok(Plan::new(self.memory_limit, workers, self.windows.listed())?.split(self.memory_limit, workers))
    }

    /// The number of threads that decode and accumulate: by default, one per core, or as many as the memory is enough for.
    pub(crate) fn worker_count(&self) -> usize {
        match self.parallel {
            Parallel::Off => 1,
            _ => self.workers.unwrap_or_else(|| self.memory_limit.map_or(usize::MAX, Plan::most_workers).min(cores())),
        }
    }

    /// Whether the stages after accumulation run in parallel for this many customers.
    pub(crate) fn finishes_in_parallel(&self, customers: u64) -> bool {
        self.worker_count() > 1 && self.parallel.is_on_for(customers)
    }
}

/// Whether so many windows can have cohorts.
pub(crate) fn cohorts_fit(windows: usize) -> Result<()> {
    if windows <= MOST_COHORT_WINDOWS {
        return Ok(());
    }
    let what = format!("{windows} windows are too many for cohorts, which are told for {MOST_COHORT_WINDOWS} at most");
    Err(Error::usage(what).help("choose longer windows, such as `windows.every=month`, or leave `report.cohorts` out"))
}

pub(crate) fn validate_percentiles(percentiles: &[u32]) -> Result<()> {
    match percentiles.iter().find(|p| !(1..=100).contains(*p)) {
        Some(p) => Err(Error::usage(format!("percentile {p} is outside 1 to 100"))),
        None => Ok(()),
    }
}

pub(crate) fn validate_bins(bins: u32) -> Result<()> {
    if (1..=9).contains(&bins) {
        return Ok(());
    }
    Err(Error::usage(format!("{bins} score bins: a score is one digit, so it takes 1 to 9")))
}

/// Checks a number of threads.
///
/// # Errors
/// None, or more than any machine has a use for.
pub fn validate_workers(workers: usize) -> Result<()> {
    match workers {
        0 => Err(Error::usage("0 workers cannot do any work").help("give at least 1, or leave it out for one per core")),
        1..=1_024 => Ok(()),
        _ => Err(Error::usage(format!("{workers} workers are too many")).help("at most 1024; one per core is best")),
    }
}

pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// When a run's stages after accumulation, and the functions on slices, use more than one thread. The answers are the same either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Parallel {
    /// From this many distinct customers on: below it, starting threads costs more than they save.
    Auto {
        /// Distinct customers.
        threshold: u64,
    },
    /// Always.
    On,
    /// Never; one thread decodes and accumulates, too.
    Off,
}

impl Parallel {
    /// Measured on two cores: about here, more threads begin to save what it takes to start them.
    pub const DEFAULT_THRESHOLD: u64 = 50_000;

    /// Whether so many distinct customers take more than one thread.
    fn is_on_for(self, customers: u64) -> bool {
        match self {
            Parallel::Off => false,
            Parallel::On => true,
            Parallel::Auto { threshold } => customers >= threshold,
        }
    }
}

impl Default for Parallel {
    fn default() -> Self {
        Parallel::Auto { threshold: Self::DEFAULT_THRESHOLD }
    }
}

/// How the functions on slices use threads. The results are the same either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Parallelism {
    /// When more than one thread is used; by default, from 10 million distinct customers on.
    pub parallel: Parallel,
    /// Threads then; `None` is one less than there are cores, and at least 1.
    pub n_workers: Option<usize>,
}

impl Default for Parallelism {
    fn default() -> Self {
        Parallelism { parallel: Parallel::Auto { threshold: 10_000_000 }, n_workers: None }
    }
}

impl Parallelism {
    /// One thread, always.
    pub const SEQUENTIAL: Parallelism = Parallelism { parallel: Parallel::Off, n_workers: None };

    /// The number of threads for this many distinct customers.
    ///
    /// # Errors
    /// When `n_workers` is 0, or more than any machine has a use for.
    pub fn workers_for(&self, customers: u64) -> Result<usize> {
        match self.n_workers {
            Some(0) => Err(Error::usage("n_workers must be at least 1, got 0")),
            _ if !self.parallel.is_on_for(customers) => Ok(1),
            Some(n) => validate_workers(n).map(|()| n),
            None => Ok(cores().saturating_sub(1).max(1)),
        }
    }
}
