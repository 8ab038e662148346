//! Signals: whatever a run is at, nothing of it stays on the disk, stderr has one line, and the process dies of the signal.

use super::spill::Waiting;
use super::*;
use std::io::{PipeReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

const SIGNALS: [(&str, i32); 3] = [("SIGHUP", 1), ("SIGINT", 2), ("SIGTERM", 15)];
/// The signals that whoever started the tests does not ignore on their behalf, as `nohup` does.
fn signals() -> impl Iterator<Item = (&'static str, i32)> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap_or("0");
    let ignored = u64::from_str_radix(mask.trim(), 16).unwrap();
    SIGNALS.into_iter().filter(move |(_, number)| ignored & 1 << (number - 1) == 0)
}

fn parts(folder: &Path) -> usize {
    listing(folder).iter().filter(|name| name.ends_with(".part")).count()
}

const OUTPUTS: [&str; 8] = ["--rfm-out", "rfm.parquet", "--migration-out", "m.csv.gz", "--report", "r.json", "--report", "r.md"];

/// The end of standard input never comes: it is silent before its first row or after some, or has ever more of them.
#[test]
fn a_run_that_reads_is_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("r.json"), "old").unwrap();
    let before = listing(folder.path());
    let rows = csv_of(&["ana,2023-01-01,2023-02-01,1,5,"; 1_000]);
    for (case, (name, number)) in signals().enumerate() {
        let mut run = Running::begin(
            folder.path(),
            &[&["audit", "-", "--from", "periods", "--every", "month"], &OUTPUTS[..]].concat(),
            Stdio::piped(),
        );
        let mut stdin = run.stdin();
        let kept = match case {
            0 => Some(stdin),
            1 => {
                stdin.write_all(rows.as_bytes()).unwrap();
                Some(stdin)
            }
            _ => {
                let more = rows.split_once('\n').unwrap().1.to_owned();
                stdin.write_all(rows.as_bytes()).unwrap();
                thread::spawn(move || while stdin.write_all(more.as_bytes()).is_ok() {});
                None
            }
        };
        until("it has its outputs", || parts(folder.path()) == 4);
        run.signal(name);
        let status = run.end(SOON);
        assert_eq!((status.signal(), run.stderr()), (Some(number), format!("lensflow: interrupted by {name}\n")));
        assert_eq!(listing(folder.path()), before);
        drop(kept);
    }
    assert_eq!(fs::read_to_string(folder.path().join("r.json")).unwrap(), "old");
}

#[test]
fn what_was_spilled_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let spill = folder.path().join("spill");
    fs::create_dir(&spill).unwrap();
    let mut run = Waiting::begin(folder.path(), &long_rows(TOO_MANY));
    assert!(!listing(&spill.join(&run.spilled)).is_empty());
    run.run.signal("SIGTERM");
    assert_eq!(run.run.end(SOON).signal(), Some(15));
    assert_eq!(listing(&spill), BTreeSet::new());
}

/// The main thread is in the middle of a write for which there is no reader.
#[test]
fn a_run_that_writes_is_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    lensflow(folder.path(), &["generate", "--customers", "20K", "-o", "periods.parquet"]).expect(0);
    let before = listing(folder.path());
    for (order, more) in [("--workers=1", &["--rfm-out", "-"][..]), ("--sorted", &["--rfm-out", "rfm.csv", "--migration-out", "-"])] {
        let arguments = ["audit", "periods.parquet", "--every", "month", order, "--report", "r.json", "--log-format", "json"];
        let mut run = Running::begin(folder.path(), &[&arguments, more].concat(), Stdio::piped());
        let mut stdout = run.0.stdout.take().unwrap();
        stdout.read_exact(&mut [0; 10]).unwrap();
        assert!(parts(folder.path()) > 0);
        run.signal("SIGTERM");
        assert_eq!(run.end(SOON).signal(), Some(15));
        let message: Value = serde_json::from_str(&run.stderr()).unwrap();
        assert_eq!((&message["level"], &message["fields"]["message"]), (&"ERROR".into(), &"interrupted by SIGTERM".into()));
        assert_eq!(listing(folder.path()), before);
    }
}

#[test]
fn generating_is_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Running::begin(folder.path(), &["generate", "--customers", "1G", "-o", "rows.csv"], Stdio::piped());
    let grows = |name: String| fs::metadata(folder.path().join(name)).is_ok_and(|file| file.len() > 0);
    until("there are rows", || listing(folder.path()).into_iter().any(grows));
    run.signal("SIGTERM");
    assert_eq!((run.end(SOON).signal(), run.stderr()), (Some(15), "lensflow: interrupted by SIGTERM\n".to_owned()));
    assert_eq!(listing(folder.path()), BTreeSet::new());
}

/// `timeout` signals the process and then its group, to which the process belongs, too.
#[test]
fn a_signal_may_come_twice() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        let mut run = Running::begin(
            folder.path(),
            &[&["audit", "-", "--from", "periods", "--every", "month"], &OUTPUTS[..]].concat(),
            Stdio::piped(),
        );
        until("it has its outputs", || parts(folder.path()) == 4);
        let both = format!("kill -s TERM {0}; kill -s TERM {0} || true", run.0.id());
        assert!(Command::new("sh").args(["-c", &both]).stderr(Stdio::null()).status().unwrap().success());
        assert_eq!((run.end(SOON).signal(), run.stderr()), (Some(15), "lensflow: interrupted by SIGTERM\n".to_owned()));
        assert_eq!(listing(folder.path()), BTreeSet::new());
    }
}

/// A pipe that takes no more, and its other end.
fn full_pipe() -> (PipeReader, Stdio) {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut filling = writer.try_clone().unwrap();
    let written = Arc::new(AtomicUsize::new(0));
    let counted = written.clone();
    thread::spawn(move || {
        while filling.write_all(&[b'x'; 1 << 10]).is_ok() {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    let mut last = 0;
    until("it is full", || {
        thread::sleep(Duration::from_millis(200));
        let before = std::mem::replace(&mut last, written.load(Ordering::Relaxed));
        last > 0 && last == before
    });
    (reader, writer.into())
}

/// When the first cannot end it, because nobody reads what it has to say, the second does.
#[test]
fn the_second_signal_ends_it_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (_reader, stderr) = full_pipe();
    let mut run = Running::begin(folder.path(), &[&["audit", "-", "--from", "periods", "--every", "month"], &OUTPUTS[..]].concat(), stderr);
    until("it has its outputs", || parts(folder.path()) == 4);
    run.signal("SIGTERM");
    until("it has cleaned up", || listing(folder.path()).is_empty());
    thread::sleep(Duration::from_millis(300));
    assert_eq!(run.0.try_wait().unwrap(), None);
    let (name, number) = signals().next().unwrap();
    run.signal(name);
    assert_eq!(run.end(SOON).signal(), Some(number));
}

/// What `nohup` started outlives its terminal.
#[cfg(target_os = "linux")]
#[test]
fn a_signal_that_is_to_be_ignored_is_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' HUP INT; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_lensflow")]);
    let mut run = Running::through(
        shell,
        folder.path(),
        &["audit", "-", "--from", "periods", "--every", "month", "--report", "r.json"],
        Stdio::piped(),
    );
    until("it has its outputs", || parts(folder.path()) == 1);
    run.signal("SIGHUP");
    run.signal("SIGINT");
    run.signal("SIGTERM");
    assert_eq!((run.end(SOON).signal(), run.stderr()), (Some(15), "lensflow: interrupted by SIGTERM\n".to_owned()));
}

/// With a checkpoint, a run writes what it has read and ends with the signal's code; started again, it says what it would have said.
#[test]
fn a_run_with_a_checkpoint_ends_in_order() {
    let folder = tempfile::tempdir().unwrap();
    for seed in ["1", "2", "3", "4"] {
        let name = format!("{seed}.csv");
        Lensflow::new(folder.path(), &["generate", "--customers", "20K", "--seed", seed, "-o", &name]).run().expect(0);
    }
    let audit = ["audit", "*.csv", "--every", "quarter", "--report", "r.json", "--rfm-out", "rfm.csv"];
    Lensflow::new(folder.path(), &audit).run().expect(0);
    let results = || ["r.json", "rfm.csv"].map(|name| fs::read(folder.path().join(name)).unwrap());
    let expected = results();
    let keep = [&audit[..], &["--checkpoint", "kept", "--checkpoint-every", "1h"]].concat();
    for (name, number) in signals().filter(|(name, _)| *name != "SIGHUP") {
        ["r.json", "rfm.csv"].iter().for_each(|name| fs::remove_file(folder.path().join(name)).unwrap());
        let mut run = Running::begin(folder.path(), &keep, Stdio::piped());
        until("it has begun", || folder.path().join("kept/LOCK").exists());
        run.signal(name);
        assert_eq!(run.end(SOON).code(), Some(128 + number));
        let said = run.stderr();
        assert!(said.starts_with("lensflow: kept: interrupted after ") && said.contains("the same command goes on"), "{said}");
        assert_eq!((parts(folder.path()), folder.path().join("kept/CHECKPOINT").exists()), (0, true));
        let other = Lensflow::new(folder.path(), &[&keep[..], &["--except", "total_orders=1"]].concat()).run().expect(2);
        assert!(other.stderr.contains("the checkpoint is of a run with other"), "{}", other.stderr);
        Lensflow::new(folder.path(), &keep).run().expect(0);
        assert_eq!(results(), expected);
        assert!(!folder.path().join("kept").exists());
    }
}
