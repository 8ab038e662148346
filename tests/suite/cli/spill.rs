//! The memory limit on the command line: what it accepts, what becomes of the spill folder, and how much memory is taken.

use super::*;
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, Stdio};
use std::thread;
use std::time::Duration;

/// The least memory for one worker.
const LITTLE: [&str; 4] = ["--memory-limit", "56MiB", "--workers", "1"];

fn spill_folders(folder: &Path) -> BTreeSet<String> {
    listing(folder).into_iter().filter(|name| name.starts_with("lensflow-spill-")).collect()
}

#[test]
fn limits_that_cannot_be_kept_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("periods.csv"), csv_of(&["ana,2023-01-01,2023-02-01,1,5,"])).unwrap();
    for (limit, wanted) in [
        (
            "10MiB",
            "a memory limit of 10 MiB is too small: 2 workers need at least 64 MiB\n  help: give --memory-limit 64MiB or more, or fewer workers",
        ),
        ("67108863", "2 workers need at least 64 MiB"),
        ("0", "\"0\" is not a size: it is zero\n  help: write a size as 2GiB, 512MB, 1.5G or 50%"),
        ("0%", "it is zero"),
        ("101%", "there is no more than 100 %"),
        ("lots", "it does not begin with a number"),
        ("-64MiB", "it does not begin with a number"),
        ("64QiB", "its unit is none of B, KiB, MiB"),
        ("", "it does not begin with a number"),
    ] {
        let limit = format!("--memory-limit={limit}");
        let arguments = ["audit", "periods.csv", "--every", "month", "--workers", "2", "--rfm-out", "rfm.csv", &limit];
        let message = error(lensflow(folder.path(), &arguments), 2);
        assert!(message.contains(wanted), "{limit} should say {wanted:?}: {message}");
    }
    for name in ["nowhere", "periods.csv"] {
        let message = error(lensflow(folder.path(), &["audit", "periods.csv", "--every", "month", "--spill-dir", name]), 1);
        assert!(message.contains(&format!("cannot write to the spill folder {name}: ")) && message.contains("--spill-dir"), "{message}");
    }
    assert_eq!(listing(folder.path()), ["periods.csv".to_owned()].into());
    let least = ["audit", "periods.csv", "--every", "month", "--workers", "2", "--memory-limit", "64MiB", "--spill-dir", "."];
    lensflow(folder.path(), &least).expect(0);
    assert_eq!(listing(folder.path()), ["periods.csv".to_owned()].into(), "nothing was spilled, so there is no folder");
}

/// The last line of a run that talks says what memory and disk it took.
#[test]
fn the_end_says_what_it_took() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("long.csv"), long_rows(TOO_MANY)).unwrap();
    fs::write(folder.path().join("short.csv"), long_rows(1)).unwrap();
    let run = |input: &str, more: &[&str]| {
        let ran = lensflow(folder.path(), &[&["audit", input, "--every", "month", "-v", "--spill-dir", "."], more].concat()).expect(0);
        ran.stderr.lines().last().unwrap().to_owned()
    };
    let number = |line: &Value, field: &str| line["fields"][field].as_u64().unwrap_or_else(|| panic!("no {field} in {line}"));

    let line: Value = serde_json::from_str(&run("long.csv", &[&["--log-format", "json"], &LITTLE[..]].concat())).unwrap();
    assert_eq!((line["level"].as_str(), line["fields"]["message"].as_str()), (Some("INFO"), Some("done")));
    assert_eq!((number(&line, "rows"), number(&line, "customers")), (TOO_MANY as u64, TOO_MANY as u64));
    assert!(line["fields"]["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{line}");
    assert!(number(&line, "runs") > 0 && number(&line, "bytes_spilled") > number(&line, "runs"), "{line}");
    assert!(number(&line, "peak_reserved") > 1 << 20, "{line}");
    assert_eq!(number(&line, "peak_rss") > 1 << 20, cfg!(target_os = "linux"), "{line}");

    let line = run("short.csv", &[]);
    for field in [" done ", " rows=1 ", " customers=1 ", " seconds=", " bytes_spilled=0 ", " runs=0 ", " peak_reserved=", " peak_rss="] {
        assert!(line.contains(field), "no {field:?} in {line:?}");
    }
}

/// A disk of its own, of one megabyte.
#[cfg(target_os = "linux")]
struct SmallDisk<'a>(&'a Path);

#[cfg(target_os = "linux")]
impl<'a> SmallDisk<'a> {
    /// None where nobody may mount.
    fn mount(at: &'a Path) -> Option<Self> {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(at).stderr(Stdio::null()).status();
        mounted.is_ok_and(|status| status.success()).then_some(SmallDisk(at))
    }
}

#[cfg(target_os = "linux")]
impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_spill_folder_is_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("small")).unwrap();
    let small = folder.path().join("small");
    let Some(_mounted) = SmallDisk::mount(&small) else {
        eprintln!("skipped: a small disk cannot be mounted here");
        return;
    };
    fs::write(folder.path().join("long.csv"), long_rows(TOO_MANY)).unwrap();
    let before = listing(folder.path());
    let outputs = ["--spill-dir", "small", "--report", "r.json", "--rfm-out", "rfm.parquet", "--migration-out", "m.csv"];
    let message = error(lensflow(folder.path(), &[&["audit", "long.csv", "--every", "month"], &LITTLE[..], &outputs].concat()), 1);
    assert_eq!(
        message,
        "lensflow: cannot write to the spill folder small: No space left on device (os error 28)\n  \
         help: give another folder with --spill-dir or more memory with --memory-limit\n"
    );
    assert_eq!(listing(folder.path()), before);
    assert_eq!(listing(&small), BTreeSet::new(), "the folder is left behind");
    // Rejects that are kept go there, too.
    fs::write(folder.path().join("bad.csv"), bad_rows(50_000)).unwrap();
    let before = listing(folder.path());
    let outputs = ["--spill-dir", "small", "--report", "r.json", "--on-bad-row", "reject", "--rejects", "rejects.csv"];
    let audit = ["audit", "bad.csv", "--every", "month", "--max-rejects", "100%"];
    let run = |more: &[&str]| lensflow(folder.path(), &[&audit[..], &LITTLE[..], more].concat());
    assert_eq!(error(run(&outputs), 1), message);
    assert_eq!((listing(folder.path()), listing(&small)), (before, BTreeSet::new()));
    // Who only counts them needs no room.
    run(&outputs[..6]).expect(0);
    fs::remove_file(folder.path().join("r.json")).unwrap();
    // There is room again for the next.
    fs::write(folder.path().join("short.csv"), long_rows(1)).unwrap();
    lensflow(folder.path(), &["audit", "short.csv", "--every", "month", "--spill-dir", "small"]).expect(0);
    assert_eq!(listing(&small), BTreeSet::new());
}

/// A run that has spilled and waits for more rows.
pub(super) struct Waiting {
    pub(super) run: Running,
    stdin: Option<ChildStdin>,
    /// Its spill folder.
    pub(super) spilled: String,
}

impl Waiting {
    pub(super) fn begin(folder: &Path, rows: &str) -> Waiting {
        let before = spill_folders(&folder.join("spill"));
        let arguments = [&["audit", "-", "--every", "month", "--report", "-", "--spill-dir", "spill", "-vv"], &LITTLE[..]].concat();
        let mut run = Running::begin(folder, &arguments, Stdio::piped());
        let mut stdin = run.stdin();
        stdin.write_all(rows.as_bytes()).unwrap();
        let mut lines = BufReader::new(run.0.stderr.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("spilled")), "it did not spill");
        thread::spawn(move || lines.for_each(drop));
        let own = || spill_folders(&folder.join("spill")).difference(&before).next().cloned();
        until("there is a spill folder", || own().is_some());
        Waiting { run, stdin: Some(stdin), spilled: own().unwrap() }
    }
}

/// What a killed run has spilled is removed by the next run with the same spill folder, which need not spill, and nothing else is.
#[cfg(unix)]
#[test]
fn what_a_killed_run_has_spilled_is_swept_away() {
    let folder = tempfile::tempdir().unwrap();
    let spill = folder.path().join("spill");
    fs::create_dir_all(spill.join("lensflow-spill-notes")).unwrap();
    fs::create_dir_all(spill.join("photos")).unwrap();
    fs::write(spill.join("lensflow-spill-notes/notes.txt"), "mine").unwrap();
    fs::write(spill.join("photos/frames-0"), "mine").unwrap();
    let others = listing(&spill);
    let and = |names: &[&str]| others.iter().cloned().chain(names.iter().map(|&name| name.to_owned())).collect::<BTreeSet<String>>();

    let rows = long_rows(TOO_MANY);
    let mut killed = Waiting::begin(folder.path(), &rows);
    let mut alive = Waiting::begin(folder.path(), &rows);
    assert_eq!(listing(&spill), and(&[&killed.spilled, &alive.spilled]));
    killed.run.0.kill().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&killed.run.0.wait().unwrap()), Some(9));
    assert_eq!(listing(&spill), and(&[&killed.spilled, &alive.spilled]), "nobody has swept yet");

    fs::write(folder.path().join("one.csv"), csv_of(&["ana,2023-01-01,2023-02-01,1,5,"])).unwrap();
    lensflow(folder.path(), &["audit", "one.csv", "--every", "month", "--spill-dir", "spill"]).expect(0);
    assert_eq!(listing(&spill), and(&[&alive.spilled]));
    assert_eq!(fs::read_to_string(spill.join("photos/frames-0")).unwrap(), "mine");
    assert_eq!(listing(&spill.join("lensflow-spill-notes")), ["notes.txt".to_owned()].into());

    // The other goes on undisturbed.
    drop(alive.stdin.take());
    let report: Value = serde_json::from_reader(alive.run.0.stdout.take().unwrap()).unwrap();
    assert_eq!(report["input"]["customers"], TOO_MANY);
    assert!(alive.run.0.wait().unwrap().success());
    assert_eq!(listing(&spill), others);
}

/// The most bytes of memory that a run of the binary took up, as the system counts them.
#[cfg(target_os = "linux")]
fn peak(folder: &Path, arguments: &[&str]) -> u64 {
    let mut run = Running::begin(folder, arguments, Stdio::inherit());
    let status = format!("/proc/{}/status", run.0.id());
    let mut peak = 0;
    // It only grows, so the last look before the end is as good as one after it.
    while run.0.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0) << 10);
        thread::sleep(Duration::from_millis(2));
    }
    assert!(run.0.wait().unwrap().success());
    peak
}

/// All of the process keeps to the limit, not only what it counts.
#[cfg(target_os = "linux")]
#[test]
fn the_process_keeps_to_its_limit() {
    const LIMIT: u64 = 64 << 20;
    // An unoptimized program's own pages are nearly half of that.
    const MOST: u64 = LIMIT / 100 * if cfg!(debug_assertions) { 115 } else { 105 };
    let folder = tempfile::tempdir().unwrap();
    for (ids, input, output) in [("uuid", "periods.csv", "rfm.parquet"), ("uuid", "periods.parquet", "rfm.csv")] {
        lensflow(folder.path(), &["generate", "--customers", "300K", "--ids", ids, "-o", input]).expect(0);
        let outputs = ["--rfm-out", output, "--report", "r.json", "--spill-dir", "."];
        let limited = ["--workers", "2", "--memory-limit", "64MiB"];
        let peak = peak(folder.path(), &[&["audit", input, "--every", "quarter"], &limited[..], &outputs].concat());
        assert!(peak <= MOST, "{input} to {output}: {} MiB of {} MiB", peak >> 20, LIMIT >> 20);
    }
    // Ids that are long by themselves are in buffers on their way, too.
    fs::write(folder.path().join("long.csv"), long_rows(TOO_MANY)).unwrap();
    let audit = "audit long.csv --every month --report r.json --rfm-out long.parquet --memory-limit 64MiB --workers 2";
    // Memory is given back by time: a machine that is busy with something else may be late once.
    let once = |audit: &str| peak(folder.path(), &audit.split(' ').collect::<Vec<_>>());
    let within = |audit: &str| Some(once(audit)).filter(|&peak| peak <= LIMIT).unwrap_or_else(|| once(audit).min(once(audit)));
    let peak = within(audit);
    assert!(peak <= MOST, "long ids: {} MiB of {} MiB", peak >> 20, LIMIT >> 20);
    // Sorted, they may all be in one place.
    let mixed = (0..100_000).map(|i| if i % 10 > 0 { format!("a-short-id-{i:07}") } else { format!("z{i:07}{}", "y".repeat(500)) });
    let rows = mixed.map(|id| format!("{id},2023-01-01,2023-02-01,1,5,\n"));
    fs::write(folder.path().join("mixed.csv"), [format!("{HEADER}\n")].into_iter().chain(rows).collect::<String>()).unwrap();
    let peak = within("audit mixed.csv --every month --report r.json --rfm-out mixed.parquet --sorted --memory-limit 64MiB --workers 2");
    assert!(peak <= MOST, "mixed ids: {} MiB of {} MiB", peak >> 20, LIMIT >> 20);
}

/// Rows to be sorted, and rows left out, in numbers that memory has no room for: outside it they are the same.
#[cfg(target_os = "linux")]
#[test]
fn sorted_rows_and_rejects_keep_to_the_limit() {
    const LIMIT: u64 = 64 << 20;
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    let keeps = |what: &str, arguments: &[&str], outputs: [&str; 2]| {
        let run = |limits: &[&str]| peak(folder.path(), &[arguments, limits, &["--workers", "1", "--spill-dir", "."]].concat());
        let much = run(&[]);
        let expected = outputs.map(read);
        let little = run(&["--memory-limit", "64MiB"]);
        assert!(little <= LIMIT / 100 * 105, "{what}: {} MiB of {} MiB", little >> 20, LIMIT >> 20);
        assert!(much > LIMIT, "{what}: {} MiB are no test of {} MiB", much >> 20, LIMIT >> 20);
        assert!(outputs.map(read) == expected, "{what}: other bytes");
    };
    lensflow(folder.path(), &["generate", "--customers", "150K", "--ids", "uuid", "-o", "periods.parquet"]).expect(0);
    let sorted = "audit periods.parquet --every quarter --sorted --rfm-out rfm.parquet --migration-out moves.csv --report r.json";
    let sorted: Vec<&str> = sorted.split(' ').collect();
    keeps("sorted rows", &sorted, ["rfm.parquet", "moves.csv"]);
    fs::write(folder.path().join("bad.csv"), bad_rows(150_000)).unwrap();
    let reject = "audit bad.csv --every month --on-bad-row reject --max-rejects 100% --rejects rejects.csv --report r.json";
    let reject: Vec<&str> = reject.split(' ').collect();
    keeps("rejects", &reject, ["rejects.csv", "r.json"]);
}
