//! The metrics of a long-lived process: counters and gauges with the names that Prometheus expects, and whether it is well. Told by
//! [`Metrics::notice`] what happens; what changes by itself is looked up at each request.

use lensflow::jobs::follow::{Doing, FollowEvent};
use lensflow::memory::rss;
use lensflow::stats::{Snapshot, Stats};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Bounds of commit times, in seconds.
const SECONDS: [f64; 10] = [0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Why {
    reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Worker {
    worker: u64,
}

type Float = Gauge<f64, AtomicU64>;

/// All of them.
pub(crate) struct Metrics {
    registry: Registry,
    rows: Counter,
    rows_in_progress: Gauge,
    rows_per_second: Float,
    rejected: Family<Why, Counter>,
    customers: Gauge,
    inputs: Counter,
    quarantined: Counter,
    waiting: Gauge,
    spilled: Counter,
    resident: Gauge,
    limit: Gauge,
    descriptors: Gauge,
    depths: Family<Worker, Gauge>,
    commits: Counter,
    commit_seconds: Histogram,
    last_commit: Float,
    generation: Gauge,
    refresh_seconds: Histogram,
    failures: Counter,
    now: Mutex<Now>,
}

/// The state of the process.
#[derive(Default)]
struct Now {
    update: Option<(Arc<Stats>, Instant)>,
    /// Of the last update.
    rate: f64,
    workers: u64,
    /// The faults of the moment.
    ills: BTreeMap<Doing, String>,
}

impl Metrics {
    /// With the memory that the process may take up, where that is limited.
    pub(crate) fn new(memory_limit: Option<u64>) -> Self {
        let histogram = || Histogram::new(SECONDS);
        let mut metrics = Metrics {
            registry: Registry::with_prefix("lensflow"),
            rows: Counter::default(),
            rows_in_progress: Gauge::default(),
            rows_per_second: Float::default(),
            rejected: Family::default(),
            customers: Gauge::default(),
            inputs: Counter::default(),
            quarantined: Counter::default(),
            waiting: Gauge::default(),
            spilled: Counter::default(),
            resident: Gauge::default(),
            limit: Gauge::default(),
            descriptors: Gauge::default(),
            depths: Family::default(),
            commits: Counter::default(),
            commit_seconds: histogram(),
            last_commit: Float::default(),
            generation: Gauge::default(),
            refresh_seconds: histogram(),
            failures: Counter::default(),
            now: Mutex::default(),
        };
        metrics.limit.set(memory_limit.unwrap_or(0) as i64);
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let r = &mut self.registry;
        r.register("rows", "Rows committed since the process began", self.rows.clone());
        r.register("rows_in_progress", "Rows read by the update that is going on", self.rows_in_progress.clone());
        r.register("rows_per_second", "Rows per second of the update that is going on, or of the last", self.rows_per_second.clone());
        r.register("rejected_rows", "Rows, or lines of orders, left out since the process began, by reason", self.rejected.clone());
        r.register("customers", "Distinct customers, when the answers were last made", self.customers.clone());
        r.register("inputs", "Files or segments committed since the process began", self.inputs.clone());
        r.register("quarantined", "Files put aside since the process began", self.quarantined.clone());
        r.register("waiting", "Files that are complete and not yet committed", self.waiting.clone());
        r.register("spilled_bytes", "Bytes written to the spill folder since the process began", self.spilled.clone());
        r.register("resident_bytes", "Memory that the process takes up", self.resident.clone());
        r.register("memory_limit_bytes", "Memory that the process may take up; 0 where nothing limits it", self.limit.clone());
        r.register("open_files", "File descriptors that the process holds; 0 where the system does not tell", self.descriptors.clone());
        r.register("queue_depth", "Buffers of rows that wait for a worker, of at most 256", self.depths.clone());
        r.register("commits", "Commits since the process began", self.commits.clone());
        r.register("commit_seconds", "How long commits took", self.commit_seconds.clone());
        r.register("last_commit_timestamp_seconds", "When the last commit was, since 1970; 0 before the first", self.last_commit.clone());
        r.register("generation", "How often the state was changed", self.generation.clone());
        r.register("refresh_seconds", "How long making the answers took", self.refresh_seconds.clone());
        r.register("failures", "What failed and is tried again", self.failures.clone());
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts what happened.
    pub(crate) fn notice(&self, event: &FollowEvent<'_>) {
        match event {
            FollowEvent::Began(stats) => {
                let mut now = self.now();
                now.workers = now.workers.max(stats.snapshot().queue_depths.len() as u64);
                now.update = Some((stats.clone(), Instant::now()));
            }
            FollowEvent::Committed { updated, time } => {
                let mut now = self.now();
                if let Some((stats, _)) = now.update.take() {
                    self.spilled.inc_by(stats.snapshot().bytes_spilled);
                }
                let seconds = time.as_secs_f64();
                now.ills.remove(&Doing::Committing);
                let lines = updated.lines.iter().flat_map(|lines| &lines.lines_rejected);
                for (reason, count) in updated.rows_rejected.iter().chain(lines) {
                    self.rejected.get_or_create(&Why { reason: reason.to_string() }).inc_by(*count);
                }
                self.generation.set(updated.manifest.generation as i64);
                if !updated.taken.is_empty() {
                    now.rate = updated.rows as f64 / seconds.max(1e-6);
                    self.rows.inc_by(updated.rows);
                    self.inputs.inc_by(updated.taken.len() as u64);
                    self.commits.inc();
                    self.commit_seconds.observe(seconds);
                    self.last_commit.set(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64()));
                }
            }
            FollowEvent::Quarantined { .. } => drop(self.quarantined.inc()),
            FollowEvent::Refreshed { time } => {
                self.refresh_seconds.observe(time.as_secs_f64());
                self.now().ills.remove(&Doing::Refreshing);
            }
            FollowEvent::Failed { doing, error } => {
                self.failures.inc();
                self.now().ills.insert(*doing, error.to_string());
            }
            FollowEvent::Waiting(files) => {
                self.waiting.set(*files as i64);
                let mut now = self.now();
                now.ills.remove(&Doing::Looking);
                // What could not be taken in is not there any more.
                if *files == 0 {
                    now.ills.remove(&Doing::Committing);
                }
            }
            _ => {}
        }
    }

    /// Distinct customers, as the answers have them.
    pub(crate) fn set_customers(&self, customers: u64) {
        self.customers.set(customers as i64);
    }

    /// Why it is not well, if it is not.
    pub(crate) fn illness(&self) -> Option<String> {
        self.now().ills.values().next().cloned()
    }

    /// The page for Prometheus.
    pub(crate) fn page(&self) -> String {
        {
            let mut now = self.now();
            let (Snapshot { rows_read, queue_depths, .. }, seconds) = match &now.update {
                Some((stats, began)) => (stats.snapshot(), began.elapsed().as_secs_f64()),
                None => Default::default(),
            };
            self.rows_in_progress.set(rows_read as i64);
            self.rows_per_second.set(if now.update.is_some() { rows_read as f64 / seconds.max(1e-6) } else { now.rate });
            now.workers = now.workers.max(queue_depths.len() as u64);
            for worker in 0..now.workers {
                let depth = queue_depths.get(worker as usize).copied().unwrap_or(0);
                self.depths.get_or_create(&Worker { worker }).set(depth as i64);
            }
        }
        self.resident.set(rss().unwrap_or(0) as i64);
        self.descriptors.set(std::fs::read_dir("/proc/self/fd").map_or(0, |all| all.count() as i64));
        let mut page = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut page, &self.registry);
        page
    }
}
