//! What can go wrong with a state: a disk that fails at any moment, processes that are killed, writers at the same time, damaged files,
//! and states that do not fit what is asked of them.

use super::*;
use crate::make::period;
use crate::support::{Running, lensflow, listing, setting};
use lensflow::error::Kind;
use lensflow::testing::Faults;
use std::fs;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

const WINDOWS: Windows = Windows::Every(Granularity::Quarter);

pub(super) fn row(id: &str, start: &str, end: &str, last: Option<&str>) -> Row {
    period(id, start, end, 2, "10.005", last)
}

/// Nine files: with rows of all sorts, so that updates write customers, rejects and open rows, and the last one compacts.
fn sample(folder: &Path) -> Vec<String> {
    let rows = (0..9).flat_map(|i| {
        [
            row(&format!("customer {i}"), "2023-01-05", "2023-01-20", None),
            row("one in all", "2023-02-01", "2023-03-01", Some("2023-02-10")),
            row("across months", "2023-01-20", "2023-02-10", None),
            row("reversed", "2023-02-01", "2023-01-01", None),
        ]
    });
    files(folder, &rows.collect::<Vec<_>>(), 4)
}

/// A disk that fails once, at any operation, leaves the state before or the state after; doing it again gives the state after.
#[test]
fn failing_disks_leave_the_state_before_or_after() {
    let folder = tempfile::tempdir().unwrap();
    let files = sample(folder.path());
    let path = folder.path().join("state");
    let policy = OnBadRow::Reject;
    let sound = update(Granularity::Month, policy);
    // The first makes the state, the second adds to it, the last compacts it.
    for at in [0, 1, 8] {
        let _ = fs::remove_dir_all(&path);
        files[..at].iter().for_each(|file| drop(take_in(&sound, &path, std::slice::from_ref(file)).unwrap()));
        let before = (at > 0).then(|| copy(&path));
        let said = |files: &[String]| audit(&WINDOWS, policy, &[], files).unwrap();
        let (was, is) = (said(&files[..at]), said(&files[..=at]));
        let mut operation = 0;
        loop {
            let _ = fs::remove_dir_all(&path);
            before.iter().for_each(|before| restore(before, &path));
            let faults = Arc::new(Faults::new(operation));
            let faulty = Update { io: Io::faulty(faults.clone()), ..sound.clone() };
            let done = take_in(&faulty, &path, &files[at..=at]);
            let state = || [State::open(&path).unwrap()];
            if lensflow::state::is_state(&path) {
                let now = audit(&WINDOWS, policy, &state(), &[]).unwrap();
                assert!(now == is || done.is_err() && now == was, "operation {operation} of update {at}");
            } else {
                assert!(at == 0 && done.is_err());
            }
            if let Err(error) = &done {
                assert_eq!(error.kind(), Kind::Io, "{error}");
            }
            let left = if path.exists() { listing(&path) } else { Default::default() };
            let found = left.iter().filter(|name| name.ends_with(".lfst") || name.ends_with(".part")).count();
            let named = if lensflow::state::is_state(&path) { state()[0].manifest().runs.len() } else { 0 };
            assert_eq!(found, named, "operation {operation} of update {at} left something behind");
            take_in(&sound, &path, &files[at..=at]).unwrap();
            assert_eq!(audit(&WINDOWS, policy, &state(), &[]).unwrap(), is, "operation {operation} of update {at}");
            if faults.operations() <= operation {
                break;
            }
            operation += 1;
        }
        assert!(operation > 10, "{operation} operations");
    }
}

pub(super) fn copy(path: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let file = |entry: std::io::Result<fs::DirEntry>| entry.map(|e| (e.file_name().into(), fs::read(e.path()).unwrap())).unwrap();
    fs::read_dir(path).unwrap().map(file).collect()
}

pub(super) fn restore(files: &[(PathBuf, Vec<u8>)], path: &Path) {
    fs::create_dir_all(path).unwrap();
    files.iter().for_each(|(name, bytes)| fs::write(path.join(name), bytes).unwrap());
}

/// Whichever byte of a state changes, or is cut off, an audit says so or does not depend on it.
#[test]
fn damage_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let files = sample(folder.path());
    let path = folder.path().join("state");
    take_in(&update(Granularity::Month, OnBadRow::Reject), &path, &files[..2]).unwrap();
    let whole = copy(&path);
    let look = || State::open(&path).and_then(|state| audit(&WINDOWS, OnBadRow::Reject, &[state], &[]));
    let expected = look().unwrap();
    for (name, bytes) in whole.iter().filter(|(name, _)| name.as_os_str() != "LOCK") {
        for at in (0..bytes.len()).step_by(7) {
            for cut in [false, true] {
                let mut damaged = bytes.clone();
                if cut {
                    damaged.truncate(at)
                } else {
                    damaged[at] ^= 0x10
                }
                fs::write(path.join(name), damaged).unwrap();
                match look() {
                    Ok(said) => assert!(!cut && said == expected, "byte {at} of {} went unnoticed", name.display()),
                    Err(error) => {
                        assert!(matches!(error.kind(), Kind::Data | Kind::Io), "{error}");
                        assert!(error.at_input().is_some_and(|input| input.contains("state")), "{error}");
                    }
                }
            }
        }
        fs::write(path.join(name), bytes).unwrap();
    }
    assert_eq!(look().unwrap(), expected);
}

#[test]
fn one_writer_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let files = sample(folder.path());
    let path = folder.path().join("state");
    fs::create_dir(&path).unwrap();
    let lock = fs::File::create(path.join("LOCK")).unwrap();
    lock.lock().unwrap();
    let error = take_in(&update(Granularity::Month, OnBadRow::Reject), &path, &files).unwrap_err();
    assert!(error.to_string().contains("is writing to this state"), "{error}");
    drop(lock);
    take_in(&update(Granularity::Month, OnBadRow::Reject), &path, &files).unwrap();
}

/// What does not fit is refused with what to do, and changes nothing.
#[test]
fn other_policies_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let files = sample(folder.path());
    let path = folder.path().join("state");
    take_in(&update(Granularity::Quarter, OnBadRow::Reject), &path, &files[..1]).unwrap();
    let before = copy(&path);
    let refused = |error: lensflow::Error, part: &str| {
        assert_eq!(error.kind(), Kind::Usage, "{error}");
        assert!(error.to_string().contains(part) && error.advice().is_some(), "{error}");
    };
    refused(take_in(&update(Granularity::Month, OnBadRow::Reject), &path, &files[1..]).unwrap_err(), "kept by quarter, not by month");
    refused(take_in(&update(Granularity::Quarter, OnBadRow::Fail), &path, &files[1..]).unwrap_err(), "`on_bad_row=reject`, not fail");
    let state = [State::open(&path).unwrap()];
    let audit = |windows: &Windows, policy| audit(windows, policy, &state, &[]).unwrap_err();
    refused(audit(&Windows::Every(Granularity::Month), OnBadRow::Reject), "of which no month is made");
    refused(audit(&WINDOWS, OnBadRow::Fail), "`on_bad_row=reject`");
    for (window, part) in [("2023-01", "inside a quarter"), ("2023-01-01..2023-04-01@2023-02-01", "observed from before its end")] {
        refused(audit(&Windows::List(vec![window.parse().unwrap()]), OnBadRow::Reject), part);
    }
    let other = folder.path().join("other");
    take_in(&update(Granularity::Month, OnBadRow::Reject), &other, &files[1..2]).unwrap();
    let states = [State::open(&path).unwrap(), State::open(&other).unwrap()];
    let merged = |states: &[State]| merge(&folder.path().join("merged"), states, false, &Cancel::default(), &Io::default());
    refused(merged(&states).unwrap_err(), "kept by month");
    take_in(&update(Granularity::Quarter, OnBadRow::Reject), &folder.path().join("same"), &files[..1]).unwrap();
    let same = [State::open(&path).unwrap(), State::open(&folder.path().join("same")).unwrap()];
    refused(merged(&same).unwrap_err(), "its rows would count twice");
    refused(merged(&[same[0].clone(), same[0].clone()]).unwrap_err(), "its rows would count twice");
    refused(take_in(&update(Granularity::Quarter, OnBadRow::Reject), folder.path(), &files[..1]).unwrap_err(), "other files and no state");
    assert_eq!(copy(&path), before);
}

/// Updates that are killed at random moments and done again end in the same state. `SUITE_KILLS` sets how many are killed.
#[test]
fn killed_updates_leave_the_state_before_or_after() {
    let kills = setting("SUITE_KILLS", 20);
    let folder = tempfile::tempdir().unwrap();
    let files = sample(folder.path());
    let windows = ["--every", "quarter", "--on-bad-row", "reject"];
    let audited = |inputs: &[&str], report: &str| {
        lensflow(folder.path(), &[&["audit"], inputs, &windows[..], &["--report", report]].concat()).expect(0);
        fs::read(folder.path().join(report)).unwrap()
    };
    let names: Vec<&str> = files.iter().map(String::as_str).collect();
    let expected: Vec<Vec<u8>> = (1..=names.len()).map(|n| audited(&names[..n], "expected.json")).collect();
    let (mut taken, mut pause) = (0, 0u64);
    for kill in 0..kills {
        if taken == names.len() {
            fs::remove_dir_all(folder.path().join("state")).unwrap();
            taken = 0;
        }
        let run = Running::begin(folder.path(), &["update", "state", names[taken], "-q", "--on-bad-row", "reject"], Stdio::inherit());
        // Every moment of an update, sooner or later.
        pause = (pause * 31 + 7) % 60;
        run.killed_after(Duration::from_micros(pause * 500));
        if folder.path().join("state/MANIFEST").exists() {
            let now = audited(&["state"], "now.json");
            let before = taken.checked_sub(1).map(|last| &expected[last]);
            assert!(now == expected[taken] || Some(&now) == before, "kill {kill}");
        } else {
            assert_eq!(taken, 0);
        }
        lensflow(folder.path(), &["update", "state", names[taken], "-q", "--on-bad-row", "reject"]).expect(0);
        assert_eq!(audited(&["state"], "now.json"), expected[taken], "kill {kill}");
        taken += 1;
    }
}

/// Into a state that was made under `fail` no bad row has come, but for those that only some audits find bad: an audit may leave them out.
#[test]
fn what_was_never_bad_may_be_rejected_later() {
    let folder = tempfile::tempdir().unwrap();
    let rows = [
        row("good", "2023-02-01", "2023-03-01", Some("2023-02-10")),
        row("across", "2023-01-20", "2023-02-10", None),
        row("late", "2023-02-01", "2023-02-20", Some("2023-03-10")),
    ];
    let files = files(folder.path(), &rows, 2);
    let path = folder.path().join("state");
    take_in(&update(Granularity::Month, OnBadRow::Fail), &path, &files).unwrap();
    let state = [State::open(&path).unwrap()];
    let months = Windows::Every(Granularity::Month);
    assert!(audit(&months, OnBadRow::Fail, &state, &[]).is_err());
    let said = audit(&months, OnBadRow::Reject, &state, &[]).unwrap();
    assert_eq!(said.rejects.len(), 2);
    assert_eq!(said, audit(&months, OnBadRow::Reject, &[], &files).unwrap());
    assert_eq!(audit(&WINDOWS, OnBadRow::Fail, &state, &[]).unwrap(), audit(&WINDOWS, OnBadRow::Fail, &[], &files).unwrap());
}
