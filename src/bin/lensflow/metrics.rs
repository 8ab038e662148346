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
use prometheus_client::registry::{Metric, Registry};
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

/// Registers a metric, which copies share.
fn add<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

impl Metrics {
    /// With the memory that the process may take up, where that is limited.
    pub(crate) fn new(memory_limit: Option<u64>) -> Self {
        let mut registry = Registry::with_prefix("lensflow");
        let r = &mut registry;
        let metrics = Metrics {
            rows: add(r, "rows", "Rows committed since the process began", Counter::default()),
            rows_in_progress: add(r, "rows_in_progress", "Rows read by the update that is going on", Gauge::default()),
            rows_per_second: add(r, "rows_per_second", "Rows per second of the update that is going on, or of the last", Float::default()),
            rejected: add(r, "rejected_rows", "Rows, or lines of orders, left out since the process began, by reason", Family::default()),
            customers: add(r, "customers", "Distinct customers, when the answers were last made", Gauge::default()),
            inputs: add(r, "inputs", "Files or segments committed since the process began", Counter::default()),
            quarantined: add(r, "quarantined", "Files put aside since the process began", Counter::default()),
            waiting: add(r, "waiting", "Files that are complete and not yet committed", Gauge::default()),
            spilled: add(r, "spilled_bytes", "Bytes written to the spill folder since the process began", Counter::default()),
            resident: add(r, "resident_bytes", "Memory that the process takes up", Gauge::default()),
            limit: add(r, "memory_limit_bytes", "Memory that the process may take up; 0 where nothing limits it", Gauge::default()),
            descriptors: add(
                r,
                "open_files",
                "File descriptors that the process holds; 0 where the system does not tell",
                Gauge::default(),
            ),
            depths: add(r, "queue_depth", "Buffers of rows that wait for a worker, of at most 256", Family::default()),
            commits: add(r, "commits", "Commits since the process began", Counter::default()),
            commit_seconds: add(r, "commit_seconds", "How long commits took", Histogram::new(SECONDS)),
            last_commit: add(
                r,
                "last_commit_timestamp_seconds",
                "When the last commit was, since 1970; 0 before the first",
                Float::default(),
            ),
            generation: add(r, "generation", "How often the state was changed", Gauge::default()),
            refresh_seconds: add(r, "refresh_seconds", "How long making the answers took", Histogram::new(SECONDS)),
            failures: add(r, "failures", "What failed and is tried again", Counter::default()),
            now: Mutex::default(),
            registry,
        };
        metrics.limit.set(memory_limit.unwrap_or(0) as i64);
        metrics
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
            }
            FollowEvent::Failed { doing, error } => {
                self.failures.inc();
                self.now().ills.insert(*doing, error.to_string());
            }
            FollowEvent::Mended(doing) => drop(self.now().ills.remove(doing)),
            FollowEvent::Waiting(files) => drop(self.waiting.set(*files as i64)),
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
