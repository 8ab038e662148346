//! Counters of a run, to be read while it goes on. The library never prints: the command line draws these.

use crate::base::error::Stage;
use crate::base::threads::lock;
use crate::model::note::Notes;
use crate::model::reject::Reason;
use crate::spill::{Budget, RunStore, peak_rss};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// Counters of a run, shared by its threads. Reading them costs nothing to the run.
#[derive(Debug, Default)]
pub struct Stats {
    rows_read: AtomicU64,
    rows_accepted: AtomicU64,
    bytes_read: AtomicU64,
    bytes_total: AtomicU64,
    customers: AtomicU64,
    partitions_finished: AtomicU64,
    rows_written: AtomicU64,
    rows_to_write: AtomicU64,
    stage: AtomicU8,
    rejected: Mutex<BTreeMap<Reason, u64>>,
    memory: OnceLock<(Budget, Arc<dyn RunStore>)>,
    depths: OnceLock<Depths>,
    notes: Mutex<Vec<Notes>>,
}

/// Tells how many buffers wait for each worker now.
struct Depths(Box<dyn Fn() -> Vec<usize> + Send + Sync>);

impl std::fmt::Debug for Depths {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries((self.0)()).finish()
    }
}

/// The counters at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// Rows that sources handed over.
    pub rows_read: u64,
    /// Rows that count, in a window or as history.
    pub rows_accepted: u64,
    /// Rows left out, by reason.
    pub rows_rejected: BTreeMap<Reason, u64>,
    /// Bytes of input that were decoded, as they lie on disk.
    pub bytes_read: u64,
    /// Bytes of input in all; 0 when not known.
    pub bytes_total: u64,
    /// Distinct customers, once accumulation has ended.
    pub customers: u64,
    /// Partitions finished, of [`PARTITIONS`](crate::model::hash::PARTITIONS).
    pub partitions_finished: u64,
    /// Rows written to tables that are filled one after the other.
    pub rows_written: u64,
    /// Rows that these tables will have in all, about; 0 when not known.
    pub rows_to_write: u64,
    /// Bytes written to the spill folder.
    pub bytes_spilled: u64,
    /// Runs spilled: sorted states of one partition, sorted rows, or sorted rejects.
    pub runs: u64,
    /// Buffers of rows that wait for each worker, of at most 256.
    pub queue_depths: Vec<usize>,
    /// The most bytes that states took up at once, by the run's own account.
    pub peak_reserved: u64,
    /// The most bytes of memory that the process ever took up; 0 where the system does not tell.
    pub peak_rss: u64,
}

const STAGES: [Stage; 7] = [Stage::Source, Stage::Route, Stage::Accumulate, Stage::Finalize, Stage::Lens, Stage::Reduce, Stage::Report];

impl Stats {
    /// The counters now. While a run goes on they may be a batch apart from each other.
    pub fn snapshot(&self) -> Snapshot {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Snapshot {
            rows_read: load(&self.rows_read),
            rows_accepted: load(&self.rows_accepted),
            rows_rejected: self.rejected.lock().map(|map| map.clone()).unwrap_or_default(),
            bytes_read: load(&self.bytes_read),
            bytes_total: load(&self.bytes_total),
            customers: load(&self.customers),
            partitions_finished: load(&self.partitions_finished),
            rows_written: load(&self.rows_written),
            rows_to_write: load(&self.rows_to_write),
            bytes_spilled: self.memory.get().map_or(0, |(_, store)| load(&store.counters().written)),
            runs: self.memory.get().map_or(0, |(_, store)| load(&store.counters().runs)),
            queue_depths: self.depths.get().map_or_else(Vec::new, |depths| (depths.0)()),
            peak_reserved: self.memory.get().map_or(0, |(budget, _)| budget.peak()),
            peak_rss: peak_rss().unwrap_or(0),
        }
    }

    /// [`Snapshot::rows_read`] alone.
    pub(crate) fn rows_read(&self) -> u64 {
        self.rows_read.load(Ordering::Relaxed)
    }

    /// What was noticed about the inputs so far.
    pub fn notes(&self) -> Notes {
        Notes::all(&lock(&self.notes))
    }

    /// Shows the notes of another input, too.
    pub(crate) fn share_notes(&self, notes: Notes) {
        lock(&self.notes).push(notes);
    }

    /// The stage that most of the work is in now.
    pub fn stage(&self) -> Stage {
        STAGES[usize::from(self.stage.load(Ordering::Relaxed)).min(STAGES.len() - 1)]
    }

    pub(crate) fn enter(&self, stage: Stage) {
        let at = STAGES.iter().position(|s| *s == stage).unwrap_or(0);
        self.stage.store(at as u8, Ordering::Relaxed);
        self.partitions_finished.store(0, Ordering::Relaxed);
    }

    /// Watches a run's memory and lanes, too.
    pub(crate) fn share(&self, budget: Budget, store: Arc<dyn RunStore>, depths: impl Fn() -> Vec<usize> + Send + Sync + 'static) {
        // A run has one budget, one store and one set of lanes.
        let _ = (self.memory.set((budget, store)), self.depths.set(Depths(Box::new(depths))));
    }

    pub(crate) fn count_rows(&self, read: u64, accepted: u64) {
        self.rows_read.fetch_add(read, Ordering::Relaxed);
        self.rows_accepted.fetch_add(accepted, Ordering::Relaxed);
    }

    pub(crate) fn count_rejects(&self, reason: Reason, count: u64) {
        if let Ok(mut map) = self.rejected.lock() {
            *map.entry(reason).or_default() += count;
        }
    }

    pub(crate) fn count_bytes(&self, bytes: u64) {
        self.bytes_read.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn expect_bytes(&self, bytes: u64) {
        self.bytes_total.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn count_customers(&self, customers: u64) {
        self.customers.fetch_add(customers, Ordering::Relaxed);
    }

    pub(crate) fn partition_finished(&self) {
        self.partitions_finished.fetch_add(1, Ordering::Relaxed);
    }
    /// A table begins that will have so many rows, about.
    pub(crate) fn expect_written(&self, rows: u64) {
        self.enter(Stage::Report);
        self.rows_to_write.fetch_add(rows, Ordering::Relaxed);
    }

    pub(crate) fn count_written(&self, rows: u64) {
        self.rows_written.fetch_add(rows, Ordering::Relaxed);
    }
}
