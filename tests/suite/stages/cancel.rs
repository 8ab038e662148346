//! A run that is cancelled ends soon, says so, and has nothing on the disk any more, whatever its threads are at.

use crate::engine::run::Spill;
use crate::support::{listing, soon};
use arrow::array::RecordBatch;
use lensflow::error::Kind;
use lensflow::finalize::Block;
use lensflow::model::{Granularity, Window, Windows};
use lensflow::pipeline::Builder;
use lensflow::pipeline::{Audit, Order};
use lensflow::report::output::Output;
use lensflow::report::rows::rfm_schema;
use lensflow::report::table::TableWriter;
use lensflow::source::{Chunk, Source};
use lensflow::spec::Parallel;
use lensflow::stats::Stats;
use lensflow::synthetic::{Synthetic, SyntheticSource};
use lensflow::{Cancel, Lens, Pipeline, Result};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

fn is_cancelled<T>(result: Result<T>) {
    let error = result.map(drop).expect_err("it was cancelled");
    assert_eq!((error.kind(), error.is_broken_pipe()), (Kind::Cancelled, false), "{error}");
    assert!(error.to_string().ends_with("the run was cancelled"), "{error}");
}

fn rows() -> SyntheticSource {
    Synthetic { customers: 300, ..Synthetic::default() }.generator().expect("valid").source()
}

/// Everything is spilled at once.
fn builder(cancel: &Cancel, spill: &Path) -> Builder {
    let builder = Pipeline::builder().windows(Windows::Every(Granularity::Quarter)).workers(2).parallel(Parallel::On);
    builder.cancel(cancel.clone()).spill_dir(spill).state_budget(Spill::AT_ONCE)
}

fn names(folder: &Path) -> Vec<String> {
    listing(folder).into_iter().collect()
}

#[test]
fn nothing_begins_any_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let cancel = Cancel::default();
    assert!(!cancel.is_cancelled() && cancel.check().is_ok());
    cancel.clone().cancel();
    cancel.cancel();
    assert!(cancel.is_cancelled());
    is_cancelled(cancel.check());
    is_cancelled(builder(&cancel, folder.path()).build());
    is_cancelled(Output::create_with(&folder.path().join("r.json"), &cancel));
    is_cancelled(TableWriter::create_with(&folder.path().join("rfm.csv"), None, &rfm_schema(), &cancel));
    assert_eq!(names(folder.path()), [""; 0]);
}

/// Rows, then nothing for ever.
struct Stuck(SyntheticSource);

impl Source for Stuck {
    fn inputs(&self) -> Vec<String> {
        self.0.inputs()
    }

    fn next_chunk(&mut self) -> Result<Option<Box<dyn Chunk>>> {
        match self.0.next_chunk()? {
            None => loop {
                thread::park();
            },
            chunk => Ok(chunk),
        }
    }
}

#[test]
fn a_run_that_waits_for_rows_is_cancelled() {
    soon(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let cancel = Cancel::default();
        let mut pipeline = builder(&cancel, folder.path()).build().expect("valid options");
        let stats = pipeline.stats();
        thread::scope(|scope| {
            let run = scope.spawn(|| pipeline.run(Stuck(rows())));
            while stats.snapshot().bytes_spilled == 0 {
                thread::sleep(Duration::from_millis(1));
            }
            assert_eq!(names(folder.path()).len(), 1);
            cancel.cancel();
            assert_eq!(names(folder.path()), [""; 0], "what was spilled is still there");
            is_cancelled(run.join().expect("it does not panic"));
        });
        is_cancelled(pipeline.run(rows()));
        is_cancelled(pipeline.push(&RecordBatch::new_empty(lensflow::synthetic::schema())));
        is_cancelled(pipeline.finish());
        assert_eq!(names(folder.path()), [""; 0], "it has gone on spilling");
    });
}

/// Cancels when it sees a block.
struct Canceller(Cancel);

impl Lens for Canceller {
    type Partial = ();
    type Answer = ();

    fn empty(&self, _: &[Window]) {}

    fn observe(&self, (): &mut (), _: &Block) {
        self.0.cancel();
    }

    fn finish(&self, _: &[Window], (): ()) {}
}

#[test]
fn a_run_that_finishes_is_cancelled() {
    for parallel in [Parallel::Off, Parallel::On] {
        let folder = tempfile::tempdir().expect("a folder");
        let cancel = Cancel::default();
        let builder = builder(&cancel, folder.path()).parallel(parallel).lens(Canceller(cancel.clone()));
        let mut pipeline = builder.build().expect("valid options");
        pipeline.run(rows()).expect("good rows");
        is_cancelled(pipeline.finish());
        assert_eq!(names(folder.path()), [""; 0]);
    }
}

fn finished(cancel: &Cancel, spill: &Path) -> (Audit, Arc<Stats>) {
    let mut pipeline = builder(cancel, spill).build().expect("valid options");
    let stats = pipeline.stats();
    pipeline.run(rows()).expect("good rows");
    (pipeline.finish().expect("good rows"), stats)
}

#[test]
fn rows_that_are_written_are_cancelled() {
    for order in [Order::Engine, Order::Sorted] {
        let (folder, spill) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let cancel = Cancel::default();
        let (audit, _) = finished(&cancel, spill.path());
        let table = |name: &str| TableWriter::create_with(&folder.path().join(name), None, &rfm_schema(), &cancel).expect("a table");
        let mut whole = table("whole.csv");
        audit.write_rfm(&mut whole, order).expect("rows");
        let mut completed = table("completed.csv.gz").finish().expect("an empty table");
        completed.complete().expect("a write");
        let mut begun = table("begun.parquet");
        let reading = audit.rfm(order).expect("rows");
        assert_eq!((names(folder.path()).len(), names(spill.path()).len()), (3, 1));
        cancel.cancel();
        assert_eq!((names(folder.path()), names(spill.path())), (Vec::new(), Vec::new()));
        is_cancelled(reading.collect::<Result<Vec<_>>>());
        is_cancelled(audit.write_rfm(&mut begun, order));
        is_cancelled(audit.rfm(order).and_then(|rows| rows.collect::<Result<Vec<_>>>()));
        is_cancelled(whole.finish().and_then(Output::commit));
        is_cancelled(completed.commit());
        assert_eq!(names(folder.path()), [""; 0]);
    }
}

/// Cancelling is for what is unfinished: what has its place stays, and what was dropped is forgotten.
#[test]
fn what_is_done_stays() {
    let (folder, spill) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let cancel = Cancel::default();
    let output = |name: &str| Output::create_with(&folder.path().join(name), &cancel).expect("an output");
    drop(output("dropped.json"));
    output("done.json").commit().expect("a file");
    let (audit, _stats) = finished(&cancel, spill.path());
    assert_eq!(names(spill.path()).len(), 1);
    drop(audit);
    assert_eq!(names(spill.path()), [""; 0], "whoever still counts keeps what was spilled");
    cancel.cancel();
    assert_eq!(names(folder.path()), ["done.json"]);
}
