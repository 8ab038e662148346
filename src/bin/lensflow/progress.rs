//! The progress bar: drawn from [`Stats`] on stderr, only when that is a terminal, and gone when the work is done or interrupted.

use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use lensflow::error::Stage;
use lensflow::model::PARTITIONS;
use lensflow::stats::Stats;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const REDRAW: Duration = Duration::from_millis(100);

/// There is one at most.
static BAR: OnceLock<ProgressBar> = OnceLock::new();

/// Takes the bar away for good, also while another thread draws it.
pub(crate) fn clear() {
    BAR.get().into_iter().for_each(ProgressBar::finish_and_clear);
}

/// Draws until it is dropped.
pub(crate) struct Progress {
    stats: Arc<Mutex<Arc<Stats>>>,
    over: Arc<AtomicBool>,
    drawing: Option<JoinHandle<()>>,
}

impl Progress {
    pub(crate) fn watch(stats: Arc<Stats>) -> Self {
        let stats = Arc::new(Mutex::new(stats));
        let over = Arc::new(AtomicBool::new(false));
        let (seen, watched) = (over.clone(), stats.clone());
        let drawing = std::thread::Builder::new().name("progress".to_owned()).spawn(move || {
            let bar = BAR.get_or_init(|| ProgressBar::new(0));
            // An update's may be over, and its audit's begins.
            bar.reset();
            let began = Instant::now();
            while !seen.load(Ordering::Relaxed) {
                let stats = watched.lock().unwrap_or_else(PoisonError::into_inner).clone();
                draw(bar, &stats, began);
                std::thread::sleep(REDRAW);
            }
            clear();
        });
        // Without a thread there is no bar, and nothing else is lost.
        Progress { stats, over, drawing: drawing.ok() }
    }

    /// The run goes on with other counters.
    pub(crate) fn turn_to(&self, stats: Arc<Stats>) {
        *self.stats.lock().unwrap_or_else(PoisonError::into_inner) = stats;
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(drawing) = self.drawing.take() {
            let _ = drawing.join();
        }
    }
}

fn draw(bar: &ProgressBar, stats: &Stats, began: Instant) {
    let now = stats.snapshot();
    let stage = stats.stage();
    let rate = now.rows_read as f64 / began.elapsed().as_secs_f64().max(0.001);
    let reading = stage == Stage::Accumulate || stage == Stage::Source;
    let (done, all) = match stage {
        _ if reading => (now.bytes_read, now.bytes_total),
        Stage::Report => (now.rows_written, now.rows_to_write),
        _ => (now.partitions_finished, PARTITIONS as u64),
    };
    let shape = if all == 0 { "{spinner} {msg} {elapsed}" } else { "{wide_bar} {percent:>3} % {msg} ETA {eta}" };
    if let Ok(style) = ProgressStyle::with_template(shape) {
        bar.set_style(style);
    }
    bar.set_length(all);
    bar.set_position(done.min(all));
    let rows = HumanCount(now.rows_read);
    bar.set_message(match stage {
        Stage::Report => format!("{stage}: {} rows written", HumanCount(now.rows_written)),
        _ if reading => format!("{stage}: {rows} rows, {} rows/s", HumanCount(rate as u64)),
        _ => format!("{stage}: {rows} rows, {} customers", HumanCount(now.customers)),
    });
    bar.tick();
}
