//! Folders that are not what they were: a record that is lost, run files of other states, files that were made to deceive, and outputs that
//! would take the place of a state's own files. All of that is an error, and the state is left as it is.

use super::crashes::{copy, row};
use super::*;
use crate::support::{lensflow, listing};
use lensflow::error::Kind;
use lensflow::state::check_merge;
use lensflow::testing::Faults;
use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};
use std::fs;
use std::sync::Arc;

fn one_row(folder: &Path, name: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, format!("customer_id,period_start,period_end,total_orders,total_spend\n{name},2023-01-05,2023-01-20,1,5\n")).unwrap();
    path.to_string_lossy().into_owned()
}

/// The manifest is lost, or the folder was copied in part: nothing writes to it, and nothing is removed.
#[test]
fn f5_a_state_without_its_manifest_is_not_wiped() {
    let folder = tempfile::tempdir().unwrap();
    let update = update(Granularity::Month, OnBadRow::Reject);
    for updates in 1..4 {
        let path = folder.path().join(format!("state-{updates}"));
        (0..updates).for_each(|i| drop(take_in(&update, &path, &[one_row(folder.path(), &format!("{i}.csv"))]).unwrap()));
        fs::remove_file(path.join("MANIFEST")).unwrap();
        let before = copy(&path);
        let lost = |error: lensflow::Error| {
            assert!(error.to_string().contains("no MANIFEST") && error.advice().is_some(), "{error}");
            assert_eq!(error.kind(), Kind::Data);
            assert!(copy(&path).len() >= updates && copy(&path).iter().all(|file| before.contains(file)), "something was removed");
        };
        lost(take_in(&update, &path, &[one_row(folder.path(), "more.csv")]).unwrap_err());
        lost(update.check(&path).unwrap_err());
        lost(State::open(&path).unwrap_err());
        lost(lensflow::state::forget(&path, &["0.csv"], &Cancel::default(), &Io::default()).unwrap_err());
        let other = folder.path().join("other");
        take_in(&update, &other, &[one_row(folder.path(), "more.csv")]).unwrap();
        let other = [State::open(&other).unwrap()];
        lost(check_merge(&path, &other, true).unwrap_err());
        lost(merge(&path, &other, true, &Cancel::default(), &Io::default()).unwrap_err());
        let ran = lensflow(folder.path(), &["update", &format!("state-{updates}"), "more.csv"]).expect(1);
        assert!(ran.stderr.contains("no MANIFEST") && ran.stderr.contains("restore MANIFEST"), "{}", ran.stderr);
    }
}

/// What a first update leaves that was killed is swept, at any operation.
#[test]
fn f5_a_first_update_that_was_killed_can_be_done_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = [one_row(folder.path(), "a.csv"), one_row(folder.path(), "b.csv")];
    let update = update(Granularity::Month, OnBadRow::Reject);
    let path = folder.path().join("state");
    for left in [&["NEW"][..], &["NEW", "run-00000001.lfst"], &["NEW", "run-00000001.lfst", "run-00000001-01.lfst", "MANIFEST.part"]] {
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        left.iter().for_each(|name| fs::write(path.join(name), "killed").unwrap());
        take_in(&update, &path, &file).unwrap();
        assert_eq!(listing(&path).into_iter().collect::<Vec<_>>(), ["LOCK", "MANIFEST", "run-00000001-01.lfst", "run-00000001.lfst"]);
    }
    // A mark that was left over means nothing beside a record, and does not outlive the next update.
    fs::write(path.join("NEW"), "").unwrap();
    take_in(&update, &path, &[one_row(folder.path(), "c.csv")]).unwrap();
    assert!(!path.join("NEW").exists());
    // With files of later generations, it is not believed.
    fs::write(path.join("NEW"), "").unwrap();
    fs::remove_file(path.join("MANIFEST")).unwrap();
    assert!(take_in(&update, &path, &file).unwrap_err().to_string().contains("no MANIFEST"));
}

/// Two states of the same customers, whose run files are of one length.
fn twins(folder: &Path) -> [PathBuf; 2] {
    [11, 17].map(|k| {
        let rows: String = (0..500).map(|i| format!("c{i},2023-01-01,2023-02-01,{},{}\n", 1 + i % 3, 100 + i * k % 97)).collect();
        let (file, path) = (folder.join(format!("{k}.csv")), folder.join(format!("s{k}")));
        fs::write(&file, "customer_id,period_start,period_end,total_orders,total_spend\n".to_owned() + &rows).unwrap();
        let spec = Spec::default().with_workers(Some(1)).with_parallel(Parallel::Off);
        take_in(&Update { spec, ..Update::default() }, &path, &[file.to_string_lossy().into_owned()]).unwrap();
        path
    })
}

/// The run file of another state does not pass for the one that the manifest names.
#[test]
fn f13_a_run_file_of_another_state_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = twins(folder.path());
    let run = "run-00000001.lfst";
    assert_eq!(fs::metadata(a.join(run)).unwrap().len(), fs::metadata(b.join(run)).unwrap().len());
    let [of_a, of_b] = [&a, &b].map(|path| fs::read(path.join(run)).unwrap());
    fs::write(a.join(run), &of_b).unwrap();
    let error = State::open(&a).unwrap_err();
    assert!(error.to_string().contains("not the one that the manifest names") && error.kind() == Kind::Data, "{error}");
    // Nor does any frame of it.
    let at = (8..of_a.len()).find(|&at| of_a[at] != of_b[at]).unwrap();
    let frame = |bytes: &[u8]| {
        let begin = (0..=at).rev().find(|&begin| bytes[begin..].starts_with(b"LFRN")).unwrap();
        let end = (at..bytes.len()).find(|&end| bytes[end..].starts_with(b"LFRN")).unwrap();
        begin..end
    };
    assert_eq!(frame(&of_a), frame(&of_b));
    let mut mixed = of_a.clone();
    mixed[frame(&of_a)].copy_from_slice(&of_b[frame(&of_b)]);
    fs::write(a.join(run), &mixed).unwrap();
    let error = State::open(&a).and_then(|state| audit(&Windows::Every(Granularity::Month), OnBadRow::Fail, &[state], &[])).unwrap_err();
    assert!(error.to_string().contains("is not what was written"), "{error}");
}

/// The bytes of the header that say nothing are looked at, too.
#[test]
fn f22_every_byte_of_a_header_counts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    take_in(&update(Granularity::Month, OnBadRow::Reject), &path, &[one_row(folder.path(), "a.csv")]).unwrap();
    let run = path.join("run-00000001.lfst");
    let whole = fs::read(&run).unwrap();
    for at in 0..8 {
        for bit in 0..8 {
            let mut changed = whole.clone();
            changed[at] ^= 1 << bit;
            fs::write(&run, changed).unwrap();
            assert_eq!(State::open(&path).unwrap_err().kind(), Kind::Data, "byte {at}");
        }
    }
}

/// A manifest that says less than its run files hold, with a right checksum: an error, and no panic.
#[test]
fn f22_windows_that_a_state_cannot_have_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let rows = [row("a", "2023-01-05", "2023-01-20", None), row("b", "2023-03-05", "2023-03-20", None)];
    take_in(&update(Granularity::Month, OnBadRow::Reject), &path, &files(folder.path(), &rows, 2)).unwrap();
    let text = fs::read_to_string(path.join("MANIFEST")).unwrap();
    let (first, last) = State::open(&path).unwrap().manifest().windows.unwrap();
    let pair = |a: u32, b: u32| move |indent: &str| format!("[\n{indent}  {a},\n{indent}  {b}\n{indent}]");
    let (json, _) = text.trim_end().rsplit_once('\n').unwrap();
    for (a, b) in [(first, last - 1), (first + 1, last), (0, 0), (u32::MAX - 5, u32::MAX - 3)] {
        let mut changed = format!("{json}\n");
        for indent in ["  ", "        ", "    ", "      "] {
            changed = changed.replace(&pair(first, last)(indent), &pair(a, b)(indent));
        }
        assert_ne!(changed, format!("{json}\n"));
        let seal = rapidhash_v3_seeded(changed.as_bytes(), &RapidSecrets::seed_cpp(0x4c46_4d46));
        fs::write(path.join("MANIFEST"), format!("{changed}checksum {seal:016x}\n")).unwrap();
        let looked = std::panic::catch_unwind(|| {
            let state = State::open(&path)?;
            audit(&Windows::Every(Granularity::Month), OnBadRow::Reject, &[state], &[]).map(drop)
        });
        let error = looked.expect("no panic").unwrap_err();
        assert_eq!(error.kind(), Kind::Data, "{error}");
    }
}

/// No output takes the place of one of a state's own files, by any way there.
#[test]
fn f23_no_output_is_a_file_of_a_state() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    take_in(&update(Granularity::Month, OnBadRow::Fail), &path, &[one_row(folder.path(), "a.csv")]).unwrap();
    let before = copy(&path);
    let refused = |arguments: &[&str]| {
        let ran = lensflow(folder.path(), arguments);
        assert!(matches!(ran.code, Some(1 | 2)), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("is made of") || ran.stderr.contains("no format"), "{}", ran.stderr);
        assert_eq!(copy(&path), before, "{arguments:?}");
    };
    for own in ["MANIFEST", "LOCK", "run-00000001.lfst", "MANIFEST.part", "NEW"] {
        let own = format!("state/{own}");
        for arguments in [&["audit", "state", "--every", "year", "--rfm-out"][..], &["sketch", "a.csv", "--window", "2023", "--output"]] {
            refused(&[arguments, &[&own]].concat());
        }
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("state/MANIFEST", folder.path().join("link.csv")).unwrap();
        std::os::unix::fs::symlink("state", folder.path().join("folder")).unwrap();
        refused(&["audit", "state", "--every", "year", "--rfm-out", "link.csv"]);
        refused(&["sketch", "a.csv", "--window", "2023", "--output", "folder/MANIFEST"]);
    }
    // Others may be there.
    lensflow(folder.path(), &["audit", "state", "--every", "year", "--rfm-out", "rfm.csv"]).expect(0);
}

/// An output is on the disk before it has its name, and a disk that fails at any operation leaves what was there before.
#[test]
fn f21_an_output_on_a_failing_disk_is_the_one_before_or_the_one_after() {
    use lensflow::report::output::Output;
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.csv");
    let mut operations = 0;
    loop {
        fs::write(&path, "before").unwrap();
        let faults = Arc::new(Faults::new(operations));
        let write = || -> Result<()> {
            let mut output = Output::create_on(&path, &Cancel::default(), &Io::faulty(faults.clone()))?;
            output.write_all(b"after").unwrap();
            output.complete()?;
            output.commit()
        };
        let written = write();
        let now = fs::read_to_string(&path).unwrap();
        // Only the last step comes after the new name.
        let is_last = operations == 4;
        assert_eq!(now == "after", written.is_ok() || is_last, "operation {operations}: {now}");
        assert_eq!(listing(folder.path()).into_iter().collect::<Vec<_>>(), ["out.csv"], "operation {operations}");
        if faults.operations() <= operations {
            break;
        }
        operations += 1;
    }
    // Made, written, synced, renamed, its folder synced.
    assert_eq!(operations, 5);
}
