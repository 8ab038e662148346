//! Little memory changes no byte of what a run says, and trouble with what was spilled is an error, never another answer.

use crate::engine::run::Spill;
use crate::make::batches;
use crate::support::{listing, soon, without_sources, written};
use arrow::array::RecordBatch;
use lensflow::cancel::Discard;
use lensflow::error::{Error, Kind, Stage};
use lensflow::model::ColumnMap;
use lensflow::model::Windows;
use lensflow::model::{MaxRejects, OnBadRow, Reason};
use lensflow::pipeline::Builder;
use lensflow::pipeline::{Audit, Order};
use lensflow::report::rows::rfm_schema;
use lensflow::report::table::TableWriter;
use lensflow::source::Batches;
use lensflow::spec::Parallel;
use lensflow::stats::Snapshot;
use lensflow::testing::{Counters, Disk, Faulty, FrameRef, Memory, RunStore};
use lensflow::{Pipeline, Result};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// The twelve months, so that what comes before is history.
fn months() -> Windows {
    Windows::List((1..=12).map(|month| format!("2023-{month:02}").parse().unwrap()).collect())
}

fn builder(workers: usize) -> Builder {
    let parallel = if workers == 1 { Parallel::Off } else { Parallel::On };
    Pipeline::builder()
        .windows(months())
        .on_bad_row(OnBadRow::Reject)
        .max_rejects(MaxRejects::Rows(u64::MAX))
        .workers(workers)
        .parallel(parallel)
}

/// Half of the batches pushed, the others read from a source; RFM rows written on the way, and everything else after it.
fn audit(builder: Builder, batches: &[RecordBatch], folder: &Path) -> Result<(Audit, Snapshot)> {
    let mut pipeline = builder.build()?;
    let stats = pipeline.stats();
    let (pushed, read) = batches.split_at(batches.len() / 2);
    pushed.iter().try_for_each(|batch| pipeline.push(batch))?;
    #[allow(clippy::unnecessary_to_owned, reason = "a source owns its batches")]
    pipeline.run(Batches::new("rows of a test", ColumnMap::default(), read.to_vec().into_iter()))?;
    let mut table = TableWriter::create(&folder.join("on_the_way.csv"), None, &rfm_schema())?;
    let audit = pipeline.finish_into(Some(&mut table))?;
    let table = table.finish()?;
    let counts = stats.snapshot();
    let all = [Order::Engine, Order::Sorted];
    all.into_iter().try_for_each(|order| audit.rfm(order)?.chain(audit.migrations(order)?).try_for_each(|batch| batch.map(drop)))?;
    audit.rejects().try_for_each(|reject| reject.map(drop))?;
    table.commit()?;
    Ok((audit, counts))
}

/// All that a run says, as bytes.
fn everything(audit: &Audit, folder: &Path) -> Vec<Vec<u8>> {
    let rejects = audit.rejects().map(|reject| format!("{:?}\n", reject.unwrap())).collect::<String>();
    let on_the_way = fs::read(folder.join("on_the_way.csv")).unwrap();
    let [engine, sorted] = [Order::Engine, Order::Sorted].map(|order| {
        let rows =
            ["rfm.csv", "rfm.parquet", "rfm.arrow", "migrations.csv", "migrations.arrow"].map(|name| written(folder, name, order, audit));
        rows.concat()
    });
    vec![without_sources(&audit.report).into_bytes(), rejects.into_bytes(), on_the_way, engine, sorted]
}

/// Threads that a failed run has left behind may still be on their way out.
#[track_caller]
fn becomes_empty(folder: &Path) {
    let begun = Instant::now();
    while !listing(folder).is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(5), "left behind: {:?}", listing(folder));
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn little_memory_changes_no_byte() {
    let batches = batches(1_001, 12_000);
    let folder = tempfile::tempdir().unwrap();
    let (plain, counts) = audit(builder(1), &batches, folder.path()).unwrap();
    assert_eq!((counts.runs, counts.bytes_spilled, counts.customers), (0, 0, 1_001));
    let expected = everything(&plain, folder.path());
    let reasons: BTreeSet<Reason> = plain.rejects().map(|reject| reject.unwrap().reason).collect();
    let wanted = [Reason::NoOrders, Reason::NegativeSpend, Reason::AmountOutOfRange, Reason::PeriodReversed];
    assert!(wanted.iter().all(|reason| reasons.contains(reason)), "{reasons:?}");
    let changes = &plain.report.comparisons;
    assert!(changes.len() == 11 && changes.iter().all(|c| c.lens2.retained > 0 && c.lens2.reactivated > 0), "{changes:?}");

    for (workers, budget, disk) in [(1, Spill::AT_ONCE, true), (3, Spill::AT_ONCE, false), (1, 100_000, false), (3, 300_000, true)] {
        let spilled = tempfile::tempdir().unwrap();
        let builder = builder(workers).state_budget(budget);
        let builder = if disk { builder.spill_dir(spilled.path()) } else { builder.run_store(Arc::new(Memory::default())) };
        let (audit, counts) = audit(builder, &batches, folder.path()).unwrap();
        let runs = if budget == Spill::AT_ONCE { 5_000 } else { 50 };
        assert!(counts.runs > runs && (counts.bytes_spilled > 0) == disk, "{workers} workers, {budget} bytes: {counts:?}");
        for (i, (expected, actual)) in expected.iter().zip(&everything(&audit, folder.path())).enumerate() {
            assert!(expected == actual, "output {i} differs: {workers} workers, {budget} bytes, disk {disk}");
        }
        assert_eq!(listing(spilled.path()).len(), usize::from(disk));
        drop(audit);
        becomes_empty(spilled.path());
    }
}

/// A run that spills whatever comes to a store, with all that it reads again afterwards: the report and the rows written on the way.
fn small(store: Arc<dyn RunStore>, workers: usize, batches: &[RecordBatch]) -> Result<Vec<Vec<u8>>> {
    let folder = tempfile::tempdir().unwrap();
    let done = audit(builder(workers).state_budget(Spill::AT_ONCE).run_store(store), batches, folder.path());
    if done.is_err() {
        assert_eq!(listing(folder.path()), BTreeSet::new(), "of a failed run something is left");
    }
    let on_the_way = || fs::read(folder.path().join("on_the_way.csv")).unwrap();
    done.map(|(audit, _)| vec![without_sources(&audit.report).into_bytes(), on_the_way()])
}

fn few() -> Vec<RecordBatch> {
    let all = batches(7, 24);
    all.iter().flat_map(|batch| [batch.slice(0, 8), batch.slice(8, 8), batch.slice(16, 8)]).collect()
}

/// Whichever write or read fails, in routing bad rows, accumulating, finishing, sorting or writing rows: a clear error, and nothing left
/// of anything.
#[test]
fn a_store_that_fails() {
    // Most of the time goes by in waiting.
    let seen = thread::scope(|scope| {
        let [one, three] = [1, 3].map(|workers| scope.spawn(move || faults_of_every_operation(workers)));
        &one.join().unwrap() | &three.join().unwrap()
    });
    let has = |stage: Stage, doing: &str| seen.contains(&(format!("{:?}", Some(stage)), doing.to_owned()));
    // Rejects are merged in the end of finishing, and rows are sorted after it.
    let writes = [Stage::Route, Stage::Accumulate, Stage::Finalize, Stage::Reduce, Stage::Report];
    let reads = [Stage::Finalize, Stage::Reduce, Stage::Report];
    assert!(writes.iter().all(|stage| has(*stage, "cannot wri")) && reads.iter().all(|stage| has(*stage, "cannot rea")), "{seen:?}");
}

/// Where a run fails, and with what, if every operation of the store is the one that fails, one after the other.
fn faults_of_every_operation(workers: usize) -> BTreeSet<(String, String)> {
    let mut seen = BTreeSet::new();
    let mut successes = 0;
    for fails in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let failed: Option<Error> = soon(move || {
            let store = Arc::new(Faulty::new(Disk::new(&path).unwrap(), fails));
            small(store, workers, &few()).err()
        });
        becomes_empty(folder.path());
        let Some(error) = failed else {
            successes += 1;
            // Threads do not always need the same number of operations.
            if successes == workers { break } else { continue }
        };
        assert_eq!(error.kind(), Kind::Io, "{fails}: {error}");
        let text = error.to_string();
        assert!(text == "cannot write a run: a fault was wanted here" || text == "cannot read a run: a fault was wanted here", "{text}");
        seen.insert((format!("{:?}", error.at_stage()), text[..10].to_owned()));
    }
    seen
}

/// A disk that gives back one byte of one read changed.
#[derive(Debug)]
struct Flips {
    disk: Disk,
    /// Which read.
    read: u64,
    /// Where, as a share of the length in 256ths.
    at: usize,
    reads: AtomicU64,
}

impl RunStore for Flips {
    fn put(&self, frame: &[u8]) -> Result<FrameRef> {
        self.disk.put(frame)
    }

    fn get<'a>(&self, place: &'a FrameRef, room: &'a mut Vec<u8>) -> Result<&'a [u8]> {
        let length = self.disk.get(place, room)?.len();
        if self.reads.fetch_add(1, Relaxed) == self.read {
            room[length * self.at / 256] ^= 1 << (self.read % 8);
        }
        Ok(&room[..length])
    }

    fn counters(&self) -> &Counters {
        self.disk.counters()
    }
}

impl Discard for Flips {}

/// Whichever byte of whatever is read back was changed, it is noticed.
#[test]
fn a_byte_that_was_changed() {
    let folder = tempfile::tempdir().unwrap();
    let batches = few();
    let right = small(Arc::new(Memory::default()), 1, &batches).unwrap();
    for at in [0, 30, 128, 255] {
        for read in 0.. {
            let disk = Disk::new(folder.path()).unwrap();
            let store = Arc::new(Flips { disk, read, at, reads: AtomicU64::new(0) });
            let found = small(store.clone(), 1, &batches);
            if store.reads.load(Relaxed) <= read {
                assert_eq!(found.unwrap(), right);
                assert!(read > 50, "only {read} reads");
                break;
            }
            let error = found.expect_err("somebody must notice");
            assert_eq!(error.kind(), Kind::Data);
            assert!(error.to_string().contains("a spilled run is damaged"), "{error}");
        }
    }
}
