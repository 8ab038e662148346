//! Checkpoints: a run that was interrupted, however often and however badly, and goes on says what one says that was not.

use super::crashes::{copy, restore, row};
use super::*;
use crate::support::{Running, lensflow, listing, setting};
use lensflow::Stop;
use lensflow::error::Kind;
use lensflow::jobs::Checkpoints;
use lensflow::source::files::Files;
use lensflow::testing::Faults;
use std::fs;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn checkpoints(folder: &Path) -> Checkpoints {
    let (stop, cancel, io) = (Stop::default(), Cancel::default(), Io::default());
    Checkpoints { folder: folder.join("checkpoint"), every: Duration::ZERO, stop, cancel, io }
}

/// Reads with checkpoints, begins anew whenever reading stops, which is after `stops` stretches each, fifty times at most.
fn audit_in_steps(
    keep: &Checkpoints,
    windows: &Windows,
    policy: OnBadRow,
    states: &[State],
    files: &[String],
    stops: usize,
) -> Result<Said> {
    let builder = Pipeline::builder().spec(spec(windows.clone(), policy));
    for begun in 0..=50 {
        let stop = Stop::default();
        let keep = Checkpoints { stop: stop.clone(), ..keep.clone() };
        let mut stretches = 0;
        let watch = |_| {
            stretches += 1;
            if stretches > stops && begun < 50 {
                stop.stop();
            }
        };
        let found = Files::find(files, None, &Default::default()).unwrap();
        match keep.read(&builder, states, found, watch) {
            Ok((pipeline, checkpointed)) => {
                let said = said(&pipeline.finish()?)?;
                checkpointed.remove().unwrap();
                assert!(!keep.folder.exists(), "the checkpoint is gone with the run");
                return Ok(said);
            }
            Err(error) if error.kind() == Kind::Cancelled => assert!(stop.is_stopped() && keep.folder.join("CHECKPOINT").exists()),
            Err(error) => return Err(error),
        }
    }
    panic!("it never ends");
}

proptest! {
    #![proptest_config(config(24))]

    /// Files of all kinds, some states beside them, any windows, stopped after any number of stretches: the same bytes.
    #[test]
    fn going_on_is_not_told_from_never_having_stopped(
        rows in monthly_rows(),
        each in 1..40usize,
        in_state in 0..3usize,
        stops in 0..4usize,
        every in prop::sample::select(vec![Granularity::Month, Granularity::Quarter, Granularity::Year]),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path(), &rows, each);
        let (policy, windows) = (OnBadRow::Reject, Windows::Every(every));
        let in_state = in_state.min(files.len().saturating_sub(1));
        let path = folder.path().join("state");
        let mut states = Vec::new();
        if in_state > 0 {
            take_in(&update(Granularity::Month, policy), &path, &files[..in_state]).unwrap();
            states.push(State::open(&path).unwrap());
        }
        let expected = audit(&windows, policy, &states, &files[in_state..]).unwrap();
        let said = audit_in_steps(&checkpoints(folder.path()), &windows, policy, &states, &files[in_state..], stops).unwrap();
        prop_assert_eq!(said, expected);
    }
}

fn sample(folder: &Path) -> Vec<String> {
    let rows = (0..12).flat_map(|i| {
        [
            row(&format!("customer {i}"), "2023-01-05", "2023-01-20", None),
            row("one in all", "2023-02-01", "2023-03-01", Some("2023-02-10")),
            row("reversed", "2023-02-01", "2023-01-01", None),
        ]
    });
    files(folder, &rows.collect::<Vec<_>>(), 3)
}

const WINDOWS: Windows = Windows::Every(Granularity::Month);

/// A disk that fails at any operation leaves a checkpoint from which the run goes on, or none.
#[test]
fn failing_disks_leave_a_checkpoint_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let files = &sample(folder.path())[..4];
    let expected = audit(&WINDOWS, OnBadRow::Reject, &[], files).unwrap();
    let sound = checkpoints(folder.path());
    let mut operation = 0;
    loop {
        let faults = Arc::new(Faults::new(operation));
        let faulty = Checkpoints { io: Io::faulty(faults.clone()), ..sound.clone() };
        match audit_in_steps(&faulty, &WINDOWS, OnBadRow::Reject, &[], files, 100) {
            Ok(said) => assert_eq!(said, expected),
            Err(error) => {
                assert_eq!(error.kind(), Kind::Io, "{error}");
                assert_eq!(audit_in_steps(&sound, &WINDOWS, OnBadRow::Reject, &[], files, 100).unwrap(), expected, "operation {operation}");
            }
        }
        if faults.operations() <= operation {
            break;
        }
        operation += 1;
    }
    assert!(operation > 50, "{operation} operations");
}

/// What the checkpoint was not made for is refused, with what to do; so are inputs that changed.
#[test]
fn other_runs_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let files = sample(folder.path());
    let keep = checkpoints(folder.path());
    let begin = |windows: &Windows, policy, files: &[String], stop: bool| {
        let keep = Checkpoints { stop: Stop::default(), ..keep.clone() };
        if stop {
            keep.stop.stop();
        }
        let found = Files::find(files, None, &Default::default()).unwrap();
        keep.read(&Pipeline::builder().spec(spec(windows.clone(), policy)), &[], found, |_| ()).map(drop).unwrap_err()
    };
    assert_eq!(begin(&WINDOWS, OnBadRow::Reject, &files, true).kind(), Kind::Cancelled);
    let before = copy(&keep.folder);
    let refused = |error: lensflow::Error, part: &str| {
        assert_eq!(error.kind(), Kind::Usage, "{error}");
        assert!(error.to_string().contains(part) && error.advice().is_some(), "{error}");
    };
    refused(begin(&Windows::Every(Granularity::Year), OnBadRow::Reject, &files, false), "other windows");
    refused(begin(&WINDOWS, OnBadRow::Fail, &files, false), "treatment of bad rows");
    refused(begin(&WINDOWS, OnBadRow::Reject, &files[1..], false), "is not an input now");
    let with_more: Vec<String> = files.iter().cloned().chain(["-".to_owned()]).collect();
    refused(begin(&WINDOWS, OnBadRow::Reject, &with_more, false), "a pipe has none");
    let was = fs::read(&files[3]).unwrap();
    fs::write(&files[3], [&was[..], b"\n"].concat()).unwrap();
    refused(begin(&WINDOWS, OnBadRow::Reject, &files, false), "has changed since the checkpoint");
    // The same length, but another moment.
    std::thread::sleep(Duration::from_millis(10));
    fs::write(&files[3], &was).unwrap();
    refused(begin(&WINDOWS, OnBadRow::Reject, &files, false), "has changed since the checkpoint");
    assert_eq!(copy(&keep.folder).iter().filter(|(name, _)| name.as_os_str() != "LOCK").count(), before.len() - 1);
    let error = audit_in_steps(&keep, &WINDOWS, OnBadRow::Reject, &[], &files, 100).unwrap_err();
    assert!(error.advice().is_some_and(|help| help.contains("remove the folder")));
    let _ = fs::remove_dir_all(&keep.folder);
    audit_in_steps(&keep, &WINDOWS, OnBadRow::Reject, &[], &files, 100).unwrap();
}

/// Whichever byte of a checkpoint changes, or is cut off, going on says so or does not depend on it.
#[test]
fn damage_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let files = sample(folder.path());
    let keep = checkpoints(folder.path());
    let expected = audit(&WINDOWS, OnBadRow::Reject, &[], &files).unwrap();
    keep.stop.stop();
    let found = Files::find(&files, None, &Default::default()).unwrap();
    keep.read(&Pipeline::builder().spec(spec(WINDOWS, OnBadRow::Reject)), &[], found, |_| ()).map(drop).unwrap_err();
    let whole = copy(&keep.folder);
    for (name, bytes) in whole.iter().filter(|(name, _)| name.as_os_str() != "LOCK") {
        // The index of a run file is long, and all alike.
        for at in (0..bytes.len()).step_by(bytes.len() / 60 + 1) {
            let _ = fs::remove_dir_all(&keep.folder);
            restore(&whole, &keep.folder);
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            fs::write(keep.folder.join(name), damaged).unwrap();
            match audit_in_steps(&keep, &WINDOWS, OnBadRow::Reject, &[], &files, 100) {
                Ok(said) => assert_eq!(said, expected, "byte {at} of {}", name.display()),
                Err(error) => assert!(matches!(error.kind(), Kind::Data | Kind::Io), "{error}"),
            }
        }
    }
}

/// Audits that are killed at random moments and started again end with the same bytes. `SUITE_KILLS` sets how many are killed.
#[test]
fn killed_audits_go_on() {
    let kills: u64 = setting("SUITE_KILLS", 20);
    let folder = tempfile::tempdir().unwrap();
    // Files of several chunks, in every way that chunks are made.
    for (seed, name) in ["a.csv", "b.parquet", "c.jsonl.gz", "d.csv.zst"].iter().enumerate() {
        lensflow(folder.path(), &["generate", "--customers", "12K", "--seed", &seed.to_string(), "-o", name]).expect(0);
    }
    let inputs = ["a.csv", "b.parquet", "c.jsonl.gz", "d.csv.zst"];
    let run = |more: &[&'static str]| {
        [&["audit"], &inputs[..], &["--every", "quarter", "-q", "--rfm-out", "rfm.csv", "--report", "r.json"], more].concat()
    };
    let results = || ["rfm.csv", "r.json"].map(|name| fs::read(folder.path().join(name)).unwrap());
    lensflow(folder.path(), &run(&[])).expect(0);
    let expected = results();
    let keep = run(&["--checkpoint", "checkpoint", "--checkpoint-every", "10ms"]);
    let began = Instant::now();
    ["rfm.csv", "r.json"].iter().for_each(|name| fs::remove_file(folder.path().join(name)).unwrap());
    lensflow(folder.path(), &keep).expect(0);
    let whole = began.elapsed();
    assert_eq!(results(), expected);
    let (mut ended, mut pause) = (0, 0u64);
    for _ in 0..kills {
        let run = Running::begin(folder.path(), &keep, Stdio::inherit());
        // Every moment of a run, sooner or later.
        pause = (pause * 31 + 17) % 100;
        if run.killed_after(whole.mul_f64(pause as f64 / 100.0)) {
            ended += 1;
            assert_eq!(results(), expected);
        }
    }
    lensflow(folder.path(), &keep).expect(0);
    assert_eq!(results(), expected);
    assert!(!folder.path().join("checkpoint").exists() && ended < kills);
    // What unfinished outputs a killed process leaves is known; nothing else is there.
    let left = listing(folder.path()).into_iter().filter(|name| !name.ends_with(".part")).count();
    assert_eq!(left, inputs.len() + 2);
}
