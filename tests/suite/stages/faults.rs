//! Faults: whatever fails, panics or gets stuck in a stage, the caller gets the first cause within a second or so, and nothing hangs.

use crate::support::soon;
use arrow::array::{RecordBatch, StringViewArray};
use lensflow::error::{Kind, Stage};
use lensflow::finalize::Block;
use lensflow::model::Reason;
use lensflow::model::{Bad, Column, Origin, PeriodBatch};
use lensflow::model::{Window, Windows};
use lensflow::source::{Chunk, Sink, Source};
use lensflow::spec::Parallel;
use lensflow::{Error, Lens, Merge, Pipeline, Result, Spec};
use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// What a source, or a chunk, does next.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Act {
    /// So many good rows.
    Rows(u64),
    /// A row that cannot be read.
    BadRow,
    Fail,
    Panic,
    /// Waits for ever.
    Block,
    /// Fails, but not before the others have had time to get stuck.
    FailLate,
}

fn act(act: Act, place: &str) -> Result<()> {
    match act {
        Act::Rows(_) | Act::BadRow => Ok(()),
        Act::Fail => Err(Error::data(format!("the {place} is broken"))),
        Act::Panic => panic!("the {place} went mad"),
        Act::Block => loop {
            thread::park();
        },
        Act::FailLate => {
            thread::sleep(Duration::from_millis(200));
            Err(Error::data(format!("the {place} is broken")))
        }
    }
}

/// Where the act takes place.
#[derive(Debug, Clone, Copy)]
enum Step {
    InSource(Act),
    InChunk(Act),
}

use Step::{InChunk, InSource};

struct Script {
    steps: VecDeque<Step>,
    origin: Arc<Origin>,
    next_row: u64,
}

fn script(steps: &[Step]) -> Script {
    Script { steps: steps.iter().copied().collect(), origin: Arc::new(Origin { name: "a script".to_owned() }), next_row: 1 }
}

impl Source for Script {
    fn inputs(&self) -> Vec<String> {
        vec![self.origin.name.clone()]
    }

    fn next_chunk(&mut self) -> Result<Option<Box<dyn Chunk>>> {
        let Some(step) = self.steps.pop_front() else { return Ok(None) };
        let what = match step {
            InSource(what) => {
                act(what, "source")?;
                what
            }
            InChunk(what) => what,
        };
        let first_row = self.next_row;
        self.next_row += if let Act::Rows(n) = what { n } else { 1 };
        Ok(Some(Box::new(Scripted { what, origin: self.origin.clone(), first_row })))
    }
}

struct Scripted {
    what: Act,
    origin: Arc<Origin>,
    first_row: u64,
}

impl Chunk for Scripted {
    fn decode(self: Box<Self>, sink: &mut Sink<'_>) -> Result<()> {
        act(self.what, "chunk")?;
        let n = if let Act::Rows(n) = self.what { n } else { 1 };
        let bad = Bad { row: 0, column: Column::TotalSpend, reason: Reason::BadNumber, value: "x".to_owned() };
        sink(PeriodBatch {
            origin: self.origin,
            first_row: self.first_row,
            first_line: None,
            ids: StringViewArray::from_iter_values((0..n).map(|i| format!("customer {}", i % 1_000))),
            starts: vec![0; n as usize].into(),
            ends: vec![1_000_000; n as usize].into(),
            orders: vec![1; n as usize].into(),
            cents: vec![100; n as usize].into(),
            fractions: Vec::new().into(),
            last_transactions: Vec::new().into(),
            skipped: Vec::new(),
            bad: if self.what == Act::BadRow { vec![bad] } else { Vec::new() },
            whence: None,
            of_orders: false,
        })
    }
}

fn pipeline(workers: usize) -> Pipeline {
    let spec = Spec::default().with_windows(windows()).with_workers(workers).with_fail_fast(true);
    Pipeline::builder().spec(spec).build().expect("valid options")
}

fn windows() -> Windows {
    Windows::List(vec!["1970".parse::<Window>().expect("a year")])
}

/// The error of a run; neither going on nor finishing may hang or succeed afterwards.
fn fault(workers: usize, steps: &[Step]) -> Error {
    let source = script(steps);
    soon(move || {
        let mut pipeline = pipeline(workers);
        let error = pipeline.run(source).expect_err("the source is at fault");
        assert!(pipeline.run(script(&[InChunk(Act::Rows(1))])).is_err(), "it went on after: {error}");
        assert!(pipeline.finish().is_err(), "it finished after: {error}");
        error
    })
}

fn says(error: &Error, kind: Kind, stage: Stage, text: &str) {
    assert!(error.to_string().contains(text), "{error}");
    assert_eq!((error.kind(), error.at_stage()), (kind, Some(stage)), "{error}");
}

const GOOD: Step = InChunk(Act::Rows(1_000));

#[test]
fn without_a_fault_there_is_an_audit() {
    for workers in [1, 2, 5] {
        let rows = soon(move || {
            let mut pipeline = pipeline(workers);
            pipeline.run(script(&[GOOD; 20])).expect("no fault");
            pipeline.run(script(&[])).expect("no fault");
            pipeline.finish().expect("an audit").report.input.rows_accepted
        });
        assert_eq!(rows, 20_000);
    }
}

#[test]
fn a_source_that_fails() {
    for workers in [1, 2, 5] {
        for good in [0, 1, 30] {
            let mut steps = vec![GOOD; good];
            steps.extend([InSource(Act::Fail), GOOD, GOOD]);
            says(&fault(workers, &steps), Kind::Data, Stage::Source, "the source is broken");
        }
    }
}

#[test]
fn a_source_that_panics() {
    for workers in [1, 2, 5] {
        says(&fault(workers, &[GOOD, InSource(Act::Panic), GOOD]), Kind::Internal, Stage::Source, "the source went mad");
    }
}

#[test]
fn a_chunk_that_fails() {
    for workers in [1, 2, 5] {
        for good in [0, 1, 30] {
            let mut steps = vec![GOOD; good];
            steps.extend([InChunk(Act::Fail), GOOD, GOOD]);
            says(&fault(workers, &steps), Kind::Data, Stage::Source, "the chunk is broken");
        }
    }
}

#[test]
fn a_chunk_that_panics() {
    for workers in [1, 2, 5] {
        says(&fault(workers, &[GOOD, InChunk(Act::Panic), GOOD]), Kind::Internal, Stage::Source, "the chunk went mad");
    }
}

#[test]
fn a_bad_row_is_found_in_routing() {
    for workers in [1, 2, 5] {
        let error = fault(workers, &[InChunk(Act::Rows(10)), InChunk(Act::BadRow), GOOD]);
        says(&error, Kind::Data, Stage::Route, "bad_number");
        assert_eq!((error.at_input(), error.at_row()), (Some("a script"), Some(11)));
    }
}

/// Threads that are stuck in a read, or in a chunk, are left behind.
#[test]
fn what_is_stuck_holds_up_nothing() {
    let mut cases: Vec<(usize, Vec<Step>, Kind, Stage, &str)> = Vec::new();
    for workers in [2, 3, 5] {
        for stuck in [InSource(Act::Block), InChunk(Act::Block)] {
            cases.push((workers, vec![InChunk(Act::FailLate), stuck], Kind::Data, Stage::Source, "the chunk is broken"));
            cases.push((workers, vec![InChunk(Act::Fail), stuck], Kind::Data, Stage::Source, "the chunk is broken"));
            cases.push((workers, vec![InChunk(Act::Panic), GOOD, stuck], Kind::Internal, Stage::Source, "the chunk went mad"));
            cases.push((workers, vec![InChunk(Act::BadRow), GOOD, stuck], Kind::Data, Stage::Route, "bad_number"));
        }
        let mut steps = vec![InChunk(Act::Block); workers - 1];
        steps.push(InSource(Act::FailLate));
        cases.push((workers, steps, Kind::Data, Stage::Source, "the source is broken"));
    }
    // Each of them waits a second for the threads that it leaves behind.
    thread::scope(|scope| {
        for (workers, steps, kind, stage, text) in &cases {
            scope.spawn(move || says(&fault(*workers, steps), *kind, *stage, text));
        }
    });
}

/// Many rows on their way when it happens: full lanes must not keep anybody.
#[test]
fn a_fault_amid_many_rows() {
    for workers in [1, 2, 5] {
        let mut steps = vec![InChunk(Act::Rows(20_000)); 20];
        steps.insert(10, InChunk(Act::Panic));
        says(&fault(workers, &steps), Kind::Internal, Stage::Source, "the chunk went mad");
    }
}

/// A stage may say more than the pipeline knows; it is kept.
#[test]
fn an_error_keeps_its_own_words() {
    struct Broken;
    impl Source for Broken {
        fn inputs(&self) -> Vec<String> {
            Vec::new()
        }

        fn next_chunk(&mut self) -> Result<Option<Box<dyn Chunk>>> {
            let cause = std::io::Error::other("no such tape");
            Err(Error::io("cannot read", cause).stage(Stage::Route).input("tape 7").row(5).help("insert tape 7"))
        }
    }
    let error = soon(|| pipeline(3).run(Broken).expect_err("it is broken"));
    assert_eq!(error.to_string(), "tape 7: row 5: cannot read: no such tape");
    assert_eq!((error.kind(), error.at_stage(), error.advice()), (Kind::Io, Some(Stage::Route), Some("insert tape 7")));
}

#[test]
fn a_pushed_batch_that_does_not_fit() {
    soon(|| {
        let mut first = pipeline(2);
        let error = first.push(&RecordBatch::new_empty(Arc::new(arrow::datatypes::Schema::empty()))).expect_err("no columns");
        assert_eq!((error.kind(), error.at_stage()), (Kind::Data, Some(Stage::Source)), "{error}");
    });
}

/// Where a lens panics.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Spot {
    Empty,
    Observe,
    Merge,
    Finish,
}

#[derive(Debug, Clone, Copy)]
struct Mad(Spot);

struct MadPartial(Spot);

fn go_mad(here: Spot, there: Spot) {
    assert!(here != there, "the lens went mad in {here:?}");
}

impl Merge for MadPartial {
    fn merge(&mut self, _: MadPartial) {
        go_mad(Spot::Merge, self.0);
    }
}

impl Lens for Mad {
    type Partial = MadPartial;
    type Answer = ();

    fn empty(&self, _: &[Window]) -> MadPartial {
        go_mad(Spot::Empty, self.0);
        MadPartial(self.0)
    }

    fn observe(&self, _: &mut MadPartial, _: &Block) {
        go_mad(Spot::Observe, self.0);
    }

    fn finish(&self, _: &[Window], _: MadPartial) {
        go_mad(Spot::Finish, self.0);
    }
}

#[test]
fn a_lens_that_panics() {
    for (spot, parallel) in [
        (Spot::Empty, Parallel::On),
        (Spot::Observe, Parallel::Off),
        (Spot::Observe, Parallel::On),
        (Spot::Merge, Parallel::On),
        (Spot::Finish, Parallel::Off),
        (Spot::Finish, Parallel::On),
    ] {
        let error = soon(move || {
            let mut pipeline = Pipeline::builder().windows(windows()).workers(3).parallel(parallel).lens(Mad(spot)).build().expect("valid");
            pipeline.run(script(&[GOOD; 3])).expect("good rows");
            pipeline.finish().map(drop).expect_err("the lens panics")
        });
        assert!(error.to_string().contains(&format!("the lens went mad in {spot:?}")), "{error}");
        assert_eq!(error.kind(), Kind::Internal);
        assert!(matches!(error.at_stage(), Some(Stage::Lens | Stage::Reduce)), "{spot:?}: {:?}", error.at_stage());
        assert!(spot != Spot::Observe || error.at_stage() == Some(Stage::Lens));
    }
}

/// A pipeline that is dropped half way leaves nobody waiting.
#[test]
fn a_pipeline_that_is_dropped() {
    soon(|| {
        for workers in [1, 2, 5] {
            let mut pipeline = pipeline(workers);
            pipeline.run(script(&[GOOD; 10])).expect("good rows");
            drop(pipeline);
        }
    });
}
