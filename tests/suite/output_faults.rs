//! Outputs on a disk that fails at any operation: an error, and under each name what was there before or all of what should be there. What
//! is done again without faults gives what it should.

use crate::make::csv_of;
use crate::support::listing;
use lensflow::error::Kind;
use lensflow::jobs::{AuditJob, Outputs, Update, export_state};
use lensflow::model::{Granularity, MaxRejects, OnBadRow, Windows};
use lensflow::pipeline::Order;
use lensflow::state::{Io, State, is_state};
use lensflow::testing::Faults;
use lensflow::{Cancel, Result, Spec};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread;

const NAMES: [&str; 6] = ["report.json", "report.md", "rfm.parquet", "moves.csv.gz", "rejects.csv", "audit.partial"];
const OLD: &[u8] = b"what was here before";

/// Rows of so many customers, some of them bad. Each customer is one frame more of a state, and so one operation more.
fn rows(count: u32, customers: u32) -> String {
    let row = |i: u32| {
        let end = if i.is_multiple_of(100) { "2022-01-01" } else { "2023-02-01" };
        format!("a customer with a long name and the number {},2023-01-0{},{end},{},{}.5,", i % customers, i % 9 + 1, i % 7 + 1, i % 1_000)
    };
    csv_of(&(0..count).map(row).collect::<Vec<_>>())
}

fn spec() -> Spec {
    let spec = Spec::default().with_windows(Windows::Every(Granularity::Quarter)).with_workers(1);
    spec.with_on_bad_row(OnBadRow::Reject).with_max_rejects(MaxRejects::Rows(100))
}

fn audit(input: &Path, folder: &Path, order: Order, io: &Io) -> Result<()> {
    let mut outputs = Outputs::default();
    let path = |at: usize| folder.join(NAMES[at]);
    outputs.reports = vec![path(0), path(1)];
    (outputs.rfm, outputs.migrations, outputs.rejects, outputs.partial) = (Some(path(2)), Some(path(3)), Some(path(4)), Some(path(5)));
    outputs.order = order;
    let mut job = AuditJob::new([input.to_string_lossy()]).spec(spec()).outputs(outputs);
    job.io = io.clone();
    job.run(&mut ())?.done()
}

/// The files of a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    listing(folder).into_iter().map(|name| (name.clone(), fs::read(folder.join(name)).unwrap())).collect()
}

/// Does work at a folder that fails at its every operation in turn, in three ways, beside what was there before and without. `work` is told the
/// folder and the disk; what is there when it does not fail is what may be there when it does.
fn fails_whole(what: &str, least: u64, work: impl Fn(&Path, &Io) -> Result<()> + Sync) {
    let through = |faults: Faults, with_old: bool, names: &[&String]| {
        let folder = tempfile::tempdir().unwrap();
        names.iter().filter(|_| with_old).for_each(|name| fs::write(folder.path().join(name), OLD).unwrap());
        let faults = Arc::new(faults);
        let done = work(folder.path(), &Io::faulty(faults.clone()));
        (done, faults.operations(), files(folder.path()), folder)
    };
    let (done, operations, expected, _folder) = through(Faults::new(u64::MAX), false, &[]);
    done.unwrap();
    assert!(operations >= least, "{what}: {operations} operations");
    let names: Vec<&String> = expected.keys().collect();
    let one = |at: u64| {
        let with_old = at.is_multiple_of(2);
        for (kind, make) in
            [("fails", Faults::new as fn(u64) -> Faults), ("fails from then on", Faults::lasting), ("is untold", Faults::untold)]
        {
            let (done, _, there, folder) = through(make(at), with_old, &names);
            let at = format!("{what}: operation {at} {kind}");
            let error = done.expect_err(&at);
            assert_eq!(error.kind(), Kind::Io, "{at}: {error}");
            // A file that cannot be made is said to be so without its temporary name, and so without the system's text.
            let said = error.to_string();
            assert!(said.contains("a fault was wanted here") || said.contains("cannot write: other error"), "{at}: {said}");
            for (name, bytes) in &there {
                let whole = expected.get(name).unwrap_or_else(|| panic!("{at}: {name} is left behind"));
                assert!(bytes == whole || with_old && bytes == OLD, "{at}: {name} is half there");
            }
            assert!(!with_old || there.len() == expected.len(), "{at}: something is lost");
            if kind == "fails" {
                work(folder.path(), &Io::default()).unwrap();
                assert!(files(folder.path()) == expected, "{at}: it is not mended by doing it again");
            }
        }
    };
    let half = operations / 2;
    thread::scope(|scope| {
        scope.spawn(|| (0..half).for_each(one));
        (half..operations).for_each(one);
    });
}

#[test]
fn outputs_on_failing_disks_are_whole_or_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("rows.csv");
    fs::write(&input, rows(500, 500)).unwrap();
    // A file for each: made, written at least once, synced, renamed, its folder synced.
    let least = 5 * NAMES.len() as u64;
    fails_whole("in the engine's order", least, |folder, io| audit(&input, folder, Order::Engine, io));
    fails_whole("sorted", least, |folder, io| audit(&input, folder, Order::Sorted, io));
}

#[test]
fn exports_on_failing_disks_are_whole_or_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let (input, state) = (folder.path().join("rows.csv"), folder.path().join("state"));
    fs::write(&input, rows(500, 7)).unwrap();
    let update = Update { spec: spec(), every: Some(Granularity::Month), ..Update::default() };
    update.run(&state, &[input.to_str().unwrap()], |_| ()).unwrap();
    for name in ["all.parquet", "all.csv.zst", "all.jsonl", "all.arrow"] {
        let cancel = Cancel::default();
        fails_whole(name, 6, |folder, io| {
            let state = State::open_with(&state, io)?;
            export_state(&state, &folder.join(name), None, false, &cancel).map(drop)
        });
    }
}

/// A table of rejects comes with an update: as a whole, and only once the state has what it is about.
#[test]
fn rejects_of_updates_on_failing_disks_are_whole_or_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("rows.csv");
    fs::write(&input, rows(500, 7)).unwrap();
    let through = |faults: Faults| {
        let folder = tempfile::tempdir().unwrap();
        let (state, rejects, faults) = (folder.path().join("state"), folder.path().join("rejects.csv"), Arc::new(faults));
        let io = Io::faulty(faults.clone());
        let update = Update { spec: spec(), every: Some(Granularity::Month), rejects: Some(rejects.clone()), io, ..Update::default() };
        let done = update.run(&state, &[input.to_str().unwrap()], |_| ()).map(drop);
        let again = Update { io: Io::default(), ..update };
        (done, faults.operations(), folder, state, rejects, again)
    };
    let (done, operations, _folder, _, rejects, _) = through(Faults::new(u64::MAX));
    done.unwrap();
    let expected = fs::read(rejects).unwrap();
    assert!(operations > 20, "{operations}");
    for at in 0..operations {
        for make in [Faults::new, Faults::lasting, Faults::untold] {
            let (done, _, folder, state, rejects, again) = through(make(at));
            if let Err(error) = &done {
                assert_eq!(error.kind(), Kind::Io, "operation {at}: {error}");
            }
            let has_it = is_state(&state);
            assert!(
                !rejects.exists() || has_it && fs::read(&rejects).unwrap() == expected,
                "operation {at}: a table of what was not taken in"
            );
            assert!(done.is_err() || rejects.exists(), "operation {at}");
            assert!(listing(folder.path()).iter().all(|name| !name.ends_with(".part")), "operation {at}");
            let updated = again.run(&state, &[input.to_str().unwrap()], |_| ()).unwrap();
            assert_eq!(updated.taken.len() + updated.known.len(), 1);
            assert_eq!(State::open(&state).unwrap().manifest().rows_read, 500, "operation {at}");
        }
    }
}
