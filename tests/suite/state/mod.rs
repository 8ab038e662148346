//! Saved states: an audit of a state is the audit of all inputs that it ever took in, to the byte, however they were taken in, and
//! whatever went wrong meanwhile.

mod checkpoint;
mod crashes;
mod histories;
mod known_orders;
mod lost;
mod old_versions;
mod retained;
mod seen_as_of;

use crate::make::{Layout, Row, monthly_rows};
use crate::support::{Lensflow, config};
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use lensflow::jobs::{Update, Updated};
use lensflow::model::{Granularity, Windows};
use lensflow::model::{MaxRejects, OnBadRow, Reject};
use lensflow::pipeline::{Audit, Order};
use lensflow::report::rows::{migration_schema, rfm_schema};
use lensflow::report::table::TableWriter;
use lensflow::spec::{Parallel, Spec};
use lensflow::state::{Io, State, merge};
use lensflow::{Cancel, Pipeline, Result};
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything that an audit says.
#[derive(Debug, PartialEq)]
struct Said {
    report: String,
    rfm: RecordBatch,
    moved: RecordBatch,
    rejects: Vec<Reject>,
}

fn said(audit: &Audit) -> Result<Said> {
    let rfm: Vec<_> = audit.rfm(Order::Engine)?.collect::<Result<_>>()?;
    let moved: Vec<_> = audit.migrations(Order::Engine)?.collect::<Result<_>>()?;
    Ok(Said {
        report: audit.report.to_json()?,
        rfm: concat_batches(&rfm_schema(), &rfm).unwrap(),
        moved: concat_batches(&migration_schema(), &moved).unwrap(),
        rejects: audit.rejects().collect::<Result<_>>()?,
    })
}

fn spec(windows: Windows, policy: OnBadRow) -> Spec {
    let spec = Spec::default().with_windows(windows).with_on_bad_row(policy).with_max_rejects(MaxRejects::Rows(u64::MAX));
    spec.with_workers(Some(2)).with_parallel(Parallel::On).with_cohorts(true)
}

fn audit(windows: &Windows, policy: OnBadRow, states: &[State], files: &[String]) -> Result<Said> {
    audit_within(windows, policy, states, files, None)
}

fn audit_within(windows: &Windows, policy: OnBadRow, states: &[State], files: &[String], budget: Option<u64>) -> Result<Said> {
    let builder = Pipeline::builder().spec(spec(windows.clone(), policy));
    let builder = budget.into_iter().fold(builder, |builder, bytes| builder.state_budget(bytes));
    let mut pipeline = builder.build()?;
    states.iter().try_for_each(|state| pipeline.run_state(state))?;
    if !files.is_empty() {
        pipeline.run_files(files)?;
    }
    said(&pipeline.finish()?)
}

fn update(every: Granularity, policy: OnBadRow) -> Update {
    Update { every: Some(every), spec: spec(Windows::Every(every), policy), ..Update::default() }
}

fn take_in(update: &Update, state: &Path, files: &[String]) -> Result<Updated> {
    update.run(state, files, |_| ())
}

/// Rows as files of about so many rows.
fn files(folder: &Path, rows: &[Row], each: usize) -> Vec<String> {
    let write = |(i, rows): (usize, &[Row])| {
        let path = folder.join(format!("{i:03}.{}", if i % 2 == 0 { "csv" } else { "parquet" }));
        let batch = Layout::default().batch(rows);
        let mut table = TableWriter::create(&path, None, &batch.schema()).unwrap();
        table.write(&batch).unwrap();
        table.finish().unwrap().commit().unwrap();
        path.to_string_lossy().into_owned()
    };
    rows.chunks(each).enumerate().map(write).collect()
}

/// Windows that are unions of months.
fn unions() -> impl Strategy<Value = Windows> {
    let every = [Granularity::Month, Granularity::Quarter, Granularity::Half, Granularity::Year].map(Windows::Every);
    let list = |texts: &[&str]| Windows::List(texts.iter().map(|text| text.parse().unwrap()).collect());
    let lists = [
        list(&["2022-12", "2023-01", "2023-03"]),
        list(&["a=2022-11-01..2023-02-01@2023-03-15", "b=2023-02-01..2023-07-01"]),
        list(&["old=0001-01-01..1970-01-01", "new=1970-01-01..2023-01-01"]),
    ];
    prop::sample::select([every.to_vec(), lists.to_vec()].concat())
}

proptest! {
    #![proptest_config(config(40))]

    #[test]
    fn an_audit_of_a_state_is_the_audit_of_its_inputs(
        rows in monthly_rows(),
        windows in unions(),
        each in 1..30usize,
        at_once in 1..4usize,
        beside in 0..3usize,
        budget in prop::option::of(1..5_000u64),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path(), &rows, each);
        let (taken, beside) = files.split_at(files.len().saturating_sub(beside));
        let path = folder.path().join("state");
        let update = update(Granularity::Month, OnBadRow::Reject);
        for some in taken.chunks(at_once) {
            take_in(&update, &path, some).unwrap();
            // The second time changes nothing.
            let again = take_in(&update, &path, some).unwrap();
            prop_assert_eq!((again.taken.len(), again.known.len()), (0, some.len()));
        }
        let states: Vec<State> = if taken.is_empty() { Vec::new() } else { vec![State::open(&path).unwrap()] };
        let expected = audit(&windows, OnBadRow::Reject, &[], &files).unwrap();
        let found = audit_within(&windows, OnBadRow::Reject, &states, beside, budget).unwrap();
        prop_assert_eq!(found, expected);
    }

    /// However inputs are spread over states, merging these is one state.
    #[test]
    fn merged_states_are_one(rows in monthly_rows(), windows in unions(), each in 1..30usize, parts in 1..4usize) {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path(), &rows, each);
        prop_assume!(!files.is_empty());
        let update = update(Granularity::Month, OnBadRow::Reject);
        let paths: Vec<PathBuf> = (0..parts).map(|part| folder.path().join(format!("state-{part}"))).collect();
        for (i, file) in files.iter().enumerate() {
            take_in(&update, &paths[i % parts], std::slice::from_ref(file)).unwrap();
        }
        let states: Vec<State> = paths.iter().take(files.len()).map(|path| State::open(path).unwrap()).collect();
        let out = folder.path().join("merged");
        merge(&out, &states, false, &Cancel::default(), &Io::default()).unwrap();
        let expected = audit(&windows, OnBadRow::Reject, &[], &files).unwrap();
        let merged = State::open(&out).unwrap();
        prop_assert!(merged.manifest().runs.len() == 1);
        prop_assert_eq!(&audit(&windows, OnBadRow::Reject, &[merged], &[]).unwrap(), &expected);
        prop_assert_eq!(&audit(&windows, OnBadRow::Reject, &states, &[]).unwrap(), &expected);
    }

    /// Under the policy that fails, what fails with the files fails when they are taken in, or when the state is audited.
    #[test]
    fn what_fails_fails(rows in monthly_rows(), windows in unions(), each in 5..60usize) {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path(), &rows, each);
        prop_assume!(!files.is_empty());
        let path = folder.path().join("state");
        let expected = audit(&windows, OnBadRow::Fail, &[], &files);
        let found = take_in(&update(Granularity::Month, OnBadRow::Fail), &path, &files);
        let found = found.and_then(|_| audit(&windows, OnBadRow::Fail, &[State::open(&path)?], &[]));
        match (expected, found) {
            (Ok(expected), Ok(found)) => prop_assert_eq!(found, expected),
            (Err(_), Err(_)) => {}
            (expected, found) => prop_assert!(false, "{expected:?}\n{found:?}"),
        }
    }
}

/// Updates, one after the other, are compacted, and the answers stay.
#[test]
fn many_updates_are_compacted() {
    let folder = tempfile::tempdir().unwrap();
    let row = |i: usize| Row {
        id: Some(format!("customer {}", i % 37)),
        start: Some(1_672_531_200_000_000 + (i as i64 % 300) * 86_400_000_000),
        end: Some(1_672_531_200_000_000 + (i as i64 % 300 + 1) * 86_400_000_000),
        orders: Some(1),
        spend: Some(format!("{i}.25")),
        last: None,
    };
    let rows: Vec<Row> = (0..400).map(row).collect();
    let files = files(folder.path(), &rows, 10);
    let path = folder.path().join("state");
    let update = Update { undo: Some(Duration::ZERO), ..update(Granularity::Month, OnBadRow::Fail) };
    let mut most = 0;
    for file in &files {
        let updated = take_in(&update, &path, std::slice::from_ref(file)).unwrap();
        most = most.max(updated.manifest.runs.len());
        // Nothing is left that the manifest does not name.
        let found = std::fs::read_dir(&path).unwrap().filter(|e| e.as_ref().unwrap().path().extension().is_some_and(|e| e == "lfst"));
        assert_eq!(found.count(), updated.manifest.runs.len());
    }
    assert!(most <= 9, "{most} run files");
    let windows = Windows::Every(Granularity::Quarter);
    let found = audit(&windows, OnBadRow::Fail, &[State::open(&path).unwrap()], &[]).unwrap();
    assert_eq!(found, audit(&windows, OnBadRow::Fail, &[], &files).unwrap());
}

/// As a user does it: a month at a time, one of them twice, one of them piped in.
#[test]
fn a_year_of_updates_on_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| Lensflow::new(folder.path(), arguments);
    let months: Vec<String> = (1..=12).map(|month| format!("2023-{month:02}")).collect();
    let files: Vec<String> = months.iter().map(|month| format!("{month}.csv")).collect();
    for (month, file) in months.iter().zip(&files) {
        run(&["generate", "--customers", "300", "--seed", &month[5..], "--from", month, "--to", month, "-o", file]).run().expect(0);
    }
    for (at, file) in files.iter().enumerate() {
        let said = run(&["update", "state", file]).run().expect(0).stderr;
        assert!(said.contains("1 input taken in: "), "{said}");
        if at == 4 {
            // Under another name, and through a pipe, it is the same input.
            std::fs::copy(folder.path().join(file), folder.path().join("copy.csv")).unwrap();
            let said = run(&["update", "state", "copy.csv"]).run().expect(0).stderr;
            assert!(said.contains("copy.csv: taken in before, as 2023-05.csv") && said.contains("unchanged"), "{said}");
            let bytes = std::fs::read(folder.path().join(file)).unwrap();
            let said = run(&["update", "state", "-"]).stdin(bytes).run().expect(0).stderr;
            assert!(said.contains("stdin: taken in before, as 2023-05.csv"), "{said}");
        }
    }
    let names: Vec<&str> = files.iter().map(String::as_str).collect();
    for every in ["month", "quarter", "year"] {
        let said = |inputs: &[&str]| {
            let outputs = ["--every", every, "--report", "r.json", "--rfm-out", "r.parquet", "--migration-out", "m.csv"];
            run(&[&["audit"], inputs, &outputs[..]].concat()).run().expect(0);
            ["r.json", "r.parquet", "m.csv"].map(|name| std::fs::read(folder.path().join(name)).unwrap())
        };
        assert!(said(&["state"]) == said(&names), "{every}");
    }
    let said = run(&["inspect", "state"]).run().expect(0);
    let parts = ["kept by month, 2023-01 to 2023-12", "12 inputs", "2023-07.csv", ".lfst"];
    assert!(parts.iter().all(|part| said.out().contains(part)), "{}", said.out());
    run(&["inspect", "nowhere"]).run().expect(1);
    let twice = run(&["audit", "state", "./state", "--every", "year"]).run().expect(2).stderr;
    assert!(twice.contains("./state is given twice"), "{twice}");
    run(&["update", "state"]).stdin(Vec::new()).run().expect(1);
}

/// Comparing two windows is Lens 2 of the files: exact from states, whichever they are, and bounded from sketches.
#[test]
fn windows_of_states_and_sketches_compare() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &str| Lensflow::new(folder.path(), &arguments.split(' ').collect::<Vec<_>>()).run();
    let json = |arguments: &str| serde_json::from_slice::<serde_json::Value>(&run(arguments).expect(0).stdout).unwrap();
    run("generate --customers 4K --from 2023-01 --to 2023-06 -o all.csv").expect(0);
    run("generate --customers 3K --seed 5 --from 2023-04 --to 2023-06 -o other.csv").expect(0);
    run("update one all.csv -q").expect(0);
    run("update two other.csv -q").expect(0);
    run("audit all.csv --window 2023-Q1 --window 2023-Q2 --report lens2.json").expect(0);
    let audit: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.path().join("lens2.json")).unwrap()).unwrap();
    let within = json("compare one@2023-Q1 one@2023-Q2 --json");
    assert_eq!(within["comparisons"][0]["lens2"], audit["comparisons"][0]["lens2"]);
    assert_eq!(within["windows"][1]["lens1"], audit["windows"][1]["lens1"]);

    // Two states, and one window; backwards, too.
    let across = json("compare one@2023-Q2 two@2023-Q2 --json");
    let back = json("compare two@2023-Q2 one@2023-Q2 --json");
    let lens2 = |report: &serde_json::Value, what: &str| report["comparisons"][0]["lens2"][what].as_u64().unwrap();
    assert!(lens2(&across, "retained") > 1_000);
    assert_eq!(lens2(&across, "retained"), lens2(&back, "retained"));
    assert_eq!((lens2(&across, "churned"), lens2(&across, "new")), (lens2(&back, "new"), lens2(&back, "churned")));

    // Sketches are exact while they hold everybody; smaller ones keep to their bounds.
    run("sketch one --window 2023-Q2 -o one.theta").expect(0);
    run("sketch other.csv --window 2023-Q2 --lg-k 8 -o two.theta").expect(0);
    let exact = json("compare one.theta two@2023-Q2 --json");
    assert_eq!(exact["retained"]["low"], exact["retained"]["high"]);
    assert_eq!(exact["retained"]["estimate"].as_u64(), Some(lens2(&across, "retained")));
    let bounded = json("compare one.theta two.theta --json");
    let truth = lens2(&across, "retained");
    let bound = |key: &str| bounded["retained"][key].as_u64().unwrap();
    assert!(bound("low") < truth && truth < bound("high") && bound("low") < bound("high"), "{bounded}");
    assert!(run("compare one.theta two.theta").expect(0).out().contains("retained: in both"));
    assert!(run("compare one two.theta").expect(2).stderr.contains("which window"));
    run("compare nowhere two.theta").expect(1);
    run("compare all.csv two.theta").expect(1);
}
