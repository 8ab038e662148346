//! A system that refuses memory: an error in plain words, never a crash, nothing half done on the disk, and a state that is what it was.

use super::*;
use std::collections::BTreeSet;

/// KiB of addresses between two tries of a small job; a large one gets an eighth more each time.
const STEP: u64 = 8 << 10;

/// Does a job with more and more addresses, from as many as a small one needs to as many as it needs itself. `refused` is told of each
/// time that it ended for lack of memory, and whether in order: where it is the C library that is refused memory, it aborts, and a later run
/// has to sweep. That may be so now and then.
fn until_it_fits(folder: &Path, arguments: &[&str], mut refused: impl FnMut(u64, bool)) {
    let rows = "customer_id,period_start,period_end,total_orders,total_spend\nana,2023-01-01,2023-02-01,1,5\n";
    fs::write(folder.join("tiny.csv"), rows).unwrap();
    let tiny = ["audit", "tiny.csv", "--every", "month", "--memory-limit", "1GiB", "--workers", "2", "-q"];
    let begin = (1..100).map(|n| n * STEP).find(|&kib| within(kib, folder, &tiny).code == Some(0)).expect("a small job fits");
    fs::remove_file(folder.join("tiny.csv")).unwrap();
    let (mut in_order, mut aborted) = (0, 0);
    for kib in std::iter::successors(Some(begin + STEP), |kib| Some(kib + kib / 8)).take(40) {
        let ran = within(kib, folder, arguments);
        let said = &ran.stderr;
        match ran.code {
            Some(0) => {
                assert!(in_order >= 2 && aborted * 3 <= in_order, "{in_order} ends in order, {aborted} others");
                return;
            }
            Some(1) => {
                in_order += 1;
                assert!(said.starts_with("lensflow: the system ") && said.len() < 1_000, "{kib} KiB: {said}");
                assert!(said.contains("refuses memory: ") || said.contains("starts no more threads"), "{kib} KiB: {said}");
                assert!(said.contains("ulimit -v"), "{kib} KiB: {said}");
            }
            None if said.contains("memory") => aborted += 1,
            code => panic!("{kib} KiB: {code:?}, {said}"),
        }
        refused(kib, ran.code.is_some());
    }
    panic!("it never fits");
}

fn input(folder: &Path) {
    let generate = ["generate", "--customers", "150K", "--ids", "uuid", "-o", "in.parquet", "-q"];
    crate::support::lensflow(folder, &generate).expect(0);
}

/// Outputs are there as a whole or not at all, and what was spilled is gone.
#[test]
#[cfg(target_os = "linux")]
fn an_audit_without_memory_leaves_nothing_behind() {
    for outputs in [&["--rfm-out", "rfm.parquet"][..], &["--rfm-out", "rfm.csv.gz", "--sorted", "--migration-out", "moves.parquet"]] {
        let folder = tempfile::tempdir().unwrap();
        input(folder.path());
        let audit = ["audit", "in.parquet", "--every", "quarter", "--report", "r.json", "--spill-dir", ".", "--workers", "2", "-q"];
        let unlimited = ["--memory-limit", "4GiB"];
        until_it_fits(folder.path(), &[&audit[..], &unlimited, outputs].concat(), |kib, in_order| {
            let mut there = listing(folder.path());
            for name in there.clone().iter().filter(|name| !in_order && name.ends_with(".part")) {
                fs::remove_file(folder.path().join(name)).unwrap();
                there.remove(name);
            }
            there.retain(|name| in_order || !name.starts_with("lensflow-spill-"));
            assert_eq!(there, BTreeSet::from(["in.parquet".to_owned()]), "{kib} KiB");
        });
    }
}

#[test]
#[cfg(target_os = "linux")]
fn an_update_without_memory_leaves_the_state_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    input(folder.path());
    let rows = "customer_id,period_start,period_end,total_orders,total_spend\nana,2023-01-01,2023-02-01,1,5\n";
    fs::write(folder.path().join("first.csv"), rows).unwrap();
    crate::support::lensflow(folder.path(), &["update", "state", "first.csv", "-q"]).expect(0);
    let files = || listing(&folder.path().join("state"));
    let audit =
        || crate::support::lensflow(folder.path(), &["audit", "state", "--every", "quarter", "--report", "-", "-q"]).expect(0).stdout;
    let (before, answers) = (files(), audit());
    let update = ["update", "state", "in.parquet", "--memory-limit", "4GiB", "--workers", "2", "-q"];
    until_it_fits(folder.path(), &update, |kib, _| {
        let left: BTreeSet<String> = files().difference(&before).cloned().collect();
        assert!(left.iter().all(|name| name.ends_with(".lfst") || name.ends_with(".part")), "{kib} KiB: {left:?}");
        assert!(audit() == answers, "{kib} KiB: the state has changed");
    });
    assert!(audit() != answers);
    let runs = files().iter().filter(|name| name.ends_with(".lfst")).count();
    assert!(runs <= 2, "what was left is swept by the next update: {:?}", files());
}
