//! Following a folder: every file that is complete is in the state once, or in the quarantine, whatever becomes of it and whenever the
//! process ends.

use crate::make::{short_row_cents, short_rows};
use crate::support::{listing, visible};
use lensflow::error::Kind;
use lensflow::jobs::Update;
use lensflow::jobs::follow::{Feed, Finished, Follow, FollowEvent, Follower};
use lensflow::model::{Granularity, Windows};
use lensflow::orders::Lines;
use lensflow::state::{Io, State};
use lensflow::testing::Faults;
use lensflow::{Error, Pipeline, Result, Stop};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// What a state has: rows and revenue in cents.
pub(crate) fn total(state: &Path) -> (u64, i128) {
    let mut pipeline = Pipeline::builder().windows(Windows::Every(Granularity::Year)).workers(1).build().unwrap();
    pipeline.run_state(&State::open(state).unwrap()).unwrap();
    let report = pipeline.finish().unwrap().report;
    (report.input.rows_accepted, report.windows.iter().map(|window| window.lens1.total_revenue.hundredths()).sum())
}

/// What rows come to, likewise.
pub(crate) fn sum(rows: impl Iterator<Item = usize>) -> (u64, i128) {
    rows.fold((0, 0), |(rows, cents), i| (rows + 1, cents + short_row_cents(i)))
}

/// Notes what happens, and stops after some commits.
#[derive(Default)]
struct Notes {
    committed: usize,
    refreshed: usize,
    failed: Vec<String>,
    quarantined: BTreeMap<PathBuf, String>,
    stop: Stop,
    /// Stops when this many files are committed or put aside, counting from here.
    until: usize,
    /// Does something after each look.
    look: Option<Box<dyn FnMut(usize)>>,
    /// Does something after a commit, before files are put away.
    then: Option<Box<dyn FnOnce()>>,
    looks: usize,
}

impl Follower for Notes {
    fn refresh(&mut self) -> Result<()> {
        self.refreshed += 1;
        Ok(())
    }

    fn notice(&mut self, event: FollowEvent<'_>) {
        match event {
            FollowEvent::Committed { updated, .. } => {
                self.committed += updated.taken.len() + updated.known.len();
                if let Some(then) = self.then.take() {
                    then();
                }
            }
            FollowEvent::Quarantined { file, reason } => drop(self.quarantined.insert(file.to_owned(), reason.to_string())),
            FollowEvent::Failed { error, .. } => self.failed.push(error.to_string()),
            FollowEvent::Waiting(_) => {
                self.looks += 1;
                if let Some(look) = &mut self.look {
                    look(self.looks);
                }
            }
            _ => {}
        }
        if self.committed + self.quarantined.len() >= self.until || self.looks > 400 {
            self.stop.stop();
        }
    }
}

fn follow(folder: &Path, finished: Finished) -> Follow {
    fs::create_dir_all(folder.join("inbox")).unwrap();
    Follow {
        feed: Feed::Inbox { folder: folder.join("inbox"), glob: None, poll: Duration::from_millis(1), finished },
        state: folder.join("state"),
        update: Update::default(),
        commit: Duration::ZERO,
        commit_rows: 1_000,
        refresh: Duration::ZERO,
        quarantine: folder.join("inbox/_quarantine"),
        stop: Stop::default(),
    }
}

fn run(follow: &Follow, until: usize, look: Option<Box<dyn FnMut(usize)>>) -> (Notes, Result<(), Error>) {
    let stop = Stop::default();
    let mut notes = Notes { until, stop: stop.clone(), look, ..Notes::default() };
    let done = Follow { stop, ..follow.clone() }.run(&mut notes);
    (notes, done)
}

#[test]
fn files_are_kept_moved_or_deleted() {
    for finished in ["keep", "move", "delete"] {
        let folder = tempfile::tempdir().unwrap();
        let done = folder.path().join("inbox/_done");
        let follow = follow(
            folder.path(),
            match finished {
                "keep" => Finished::Keep,
                "move" => Finished::Move(done.clone()),
                _ => Finished::Delete,
            },
        );
        let inbox = folder.path().join("inbox");
        fs::write(inbox.join("a.csv"), short_rows(0..10)).unwrap();
        fs::write(inbox.join("bad.csv"), "no header of ours\n1\n").unwrap();
        fs::write(inbox.join("b.csv"), short_rows(10..20) + "c,2023-01-01,2023-02-01,one,1\n").unwrap();
        fs::write(inbox.join("c.csv"), short_rows(20..50)).unwrap();
        for not_meant in [".hidden.csv", "_x.csv", "d.csv.part", "notes.txt"] {
            fs::write(inbox.join(not_meant), short_rows(0..1)).unwrap();
        }
        let (notes, ended) = run(&follow, 4, None);
        ended.unwrap();
        assert_eq!((notes.committed, notes.failed.len()), (2, 0), "{:?}", notes.failed);
        assert!(notes.refreshed > 0);
        assert_eq!(total(&follow.state), sum((0..10).chain(20..50)));
        let aside = listing(&follow.quarantine);
        assert_eq!(aside.into_iter().collect::<Vec<_>>(), ["b.csv", "b.csv.reason.txt", "bad.csv", "bad.csv.reason.txt"]);
        let reason = fs::read_to_string(follow.quarantine.join("b.csv.reason.txt")).unwrap();
        assert!(reason.contains("row 11") && reason.contains("one"), "{reason}");
        let left: Vec<_> = listing(&inbox).into_iter().filter(|name| name.ends_with(".csv") && !name.starts_with(['.', '_'])).collect();
        assert_eq!(left, if finished == "keep" { vec!["a.csv", "c.csv"] } else { vec![] });
        assert_eq!(done.exists() && listing(&done).len() == 2, finished == "move");

        // Again: nothing is counted twice, and what comes meanwhile is taken in.
        let more = inbox.join("more.csv");
        let look = move |looks| {
            if looks == 3 {
                fs::write(&more, short_rows(50..60)).unwrap()
            }
        };
        let (notes, ended) = run(&follow, 1, Some(Box::new(look)));
        ended.unwrap();
        assert_eq!((notes.committed, notes.quarantined.len()), (1, 0), "{:?}", notes.failed);
        assert_eq!(total(&follow.state), sum((0..10).chain(20..60)));
    }
}

/// A file is not taken in while it is written to, and one that was taken in is not taken in again when it has changed.
#[test]
fn files_that_change_are_not_taken_in_halfway() {
    let folder = tempfile::tempdir().unwrap();
    let follow = follow(folder.path(), Finished::Keep);
    let file = folder.path().join("inbox/slow.csv");
    let whole = short_rows(0..200);
    let grows = file.clone();
    let look = move |looks: usize| {
        let end = (whole.len() * looks / 20).min(whole.len());
        if looks <= 20 {
            fs::write(&grows, &whole[..end]).unwrap();
        }
    };
    let (notes, ended) = run(&follow, 1, Some(Box::new(look)));
    ended.unwrap();
    assert_eq!((notes.committed, notes.quarantined.len()), (1, 0));
    assert_eq!(total(&follow.state), sum(0..200));
    // Changed while nobody looks (and as long as before), and changed while somebody does.
    for seen in [false, true] {
        let change = if seen { short_rows(0..202) } else { short_rows(0..200).replace("c7,", "d7,") };
        fs::write(&file, if seen { short_rows(0..200) } else { change.clone() }).unwrap();
        let (changed, path) = (change, file.clone());
        let look = move |looks| {
            if seen && looks == 3 {
                fs::write(&path, &changed).unwrap()
            }
        };
        let (notes, ended) = run(&follow, 1, Some(Box::new(look)));
        ended.unwrap();
        let reasons: Vec<_> = notes.quarantined.values().collect();
        assert!(notes.committed == 0 && reasons.len() == 1 && reasons[0].contains("has changed since"), "{reasons:?}");
        assert_eq!(total(&follow.state), sum(0..200));
    }
}

/// A disk that fails once, at any operation, makes it later and nothing else.
#[test]
fn failing_disks_only_delay() {
    let operations_of = |failing: u64| {
        let folder = tempfile::tempdir().unwrap();
        let faults = Arc::new(Faults::new(failing));
        let mut follow = follow(folder.path(), Finished::Delete);
        follow.update.io = Io::faulty(faults.clone());
        fs::write(folder.path().join("inbox/a.csv"), short_rows(0..10)).unwrap();
        fs::write(folder.path().join("inbox/b.csv"), short_rows(10..20)).unwrap();
        let (notes, ended) = run(&follow, 2, None);
        ended.unwrap();
        assert_eq!(total(&follow.state), sum(0..20), "operation {failing}");
        let waiting = || listing(&folder.path().join("inbox"));
        if !waiting().is_empty() {
            // It stops when both are taken in: one that could not be put away then still waits for that.
            assert!(notes.failed.len() == 1 && waiting().len() == 1, "operation {failing}: {:?}", waiting());
            run(&follow, 1, None).1.unwrap();
        }
        assert!(notes.quarantined.is_empty() && waiting().is_empty(), "operation {failing}: {:?}", waiting());
        assert_eq!(total(&follow.state), sum(0..20), "operation {failing}");
        faults.operations()
    };
    let operations = operations_of(u64::MAX);
    assert!(operations > 10, "{operations}");
    // Some of them. Each failure waits a second, and so they wait side by side.
    thread::scope(|scope| (3..=operations).step_by(4).for_each(|failing| drop(scope.spawn(move || operations_of(failing)))));
}

#[test]
fn what_cannot_become_right_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let follow = follow(folder.path(), Finished::Keep);
    fs::write(folder.path().join("inbox/a.csv"), short_rows(0..10)).unwrap();
    run(&follow, 1, None).1.unwrap();
    fs::write(folder.path().join("inbox/b.csv"), short_rows(10..20)).unwrap();
    let every = Some(Granularity::Quarter);
    let other = Follow { update: Update { every, ..Update::default() }, ..follow.clone() };
    assert!(run(&other, 1, None).1.unwrap_err().to_string().contains("kept by month"));
    let feed = Feed::Inbox { folder: folder.path().join("none"), glob: None, poll: Duration::ZERO, finished: Finished::Keep };
    let error = run(&Follow { feed, ..follow }, 1, None).1.unwrap_err();
    assert!(error.to_string().contains("no such folder"), "{error}");
}

/// A file that gets the name of another while that is being committed is a file of its own.
#[test]
fn a_namesake_that_arrives_meanwhile_is_taken_in() {
    for finished in [Finished::Delete, Finished::Move("done".into())] {
        let folder = tempfile::tempdir().unwrap();
        let finished = if finished == Finished::Delete { finished } else { Finished::Move(folder.path().join("done")) };
        let mut follow = follow(folder.path(), finished);
        follow.update.allow_changed = true;
        let file = folder.path().join("inbox/latest.csv");
        fs::write(&file, short_rows(0..10)).unwrap();
        let (stop, other) = (Stop::default(), folder.path().join("other"));
        let then = move || {
            fs::write(&other, short_rows(10..30)).unwrap();
            fs::rename(&other, &file).unwrap();
        };
        let mut notes = Notes { until: 2, stop: stop.clone(), then: Some(Box::new(then)), ..Notes::default() };
        Follow { stop, ..follow.clone() }.run(&mut notes).unwrap();
        assert_eq!(total(&follow.state), sum(0..30), "{:?}", notes.failed);
        assert!(visible(&folder.path().join("inbox")).is_empty());
        // Killed before it was put away.
        fs::write(folder.path().join("inbox/.again.csv.finished"), short_rows(10..30)).unwrap();
        assert_eq!(run(&follow, 1, None).0.committed, 1);
        assert_eq!(total(&follow.state), sum(0..30));
        assert!(listing(&folder.path().join("inbox")).iter().all(|name| !name.ends_with(".finished")));
    }
}

/// A row that only the audits to come find bad is found before it is too late to put its file aside.
#[test]
fn what_audits_will_refuse_is_put_aside() {
    let folder = tempfile::tempdir().unwrap();
    let mut follow = follow(folder.path(), Finished::Delete);
    follow.update.audited = Some(Windows::Every(Granularity::Month));
    let inbox = folder.path().join("inbox");
    let head = "customer_id,period_start,period_end,total_orders,total_spend,last_transaction_ts\n";
    fs::write(inbox.join("good.csv"), format!("{head}a,2023-01-01,2023-02-01,1,10.01,2023-01-05\n")).unwrap();
    fs::write(inbox.join("late.csv"), format!("{head}b,2023-01-01,2023-02-01,1,10.01,2023-02-05\n")).unwrap();
    fs::write(inbox.join("long.csv"), format!("{head}c,2023-01-01,2023-04-01,1,10.01,\n")).unwrap();
    let (notes, ended) = run(&follow, 3, None);
    ended.unwrap();
    let reasons: Vec<_> = notes.quarantined.values().cloned().collect();
    assert!(reasons.len() == 2 && reasons[0].contains("after_observation_end") && reasons[1].contains("straddles_window"), "{reasons:?}");
    assert_eq!(total(&follow.state), (1, 1_001));
    // By quarters, the first of them would have been good.
    follow.update.audited = Some(Windows::Every(Granularity::Quarter));
    fs::rename(follow.quarantine.join("late.csv"), inbox.join("late.csv")).unwrap();
    assert_eq!(run(&follow, 1, None).0.committed, 1);
}

/// What cannot be put away or put aside stops neither the other files nor the answers.
/// What lines come to does not depend on which of their files come with one commit: an order counts once in each file that it is in, as
/// with an update for each. Files with an order at fault are put aside, and stop nobody.
#[test]
fn files_of_orders_are_taken_in_each_for_itself() {
    const LINES: &str = "order_id,customer_id,event_ts,line_total\n";
    let of = |orders: std::ops::Range<usize>| {
        // Orders have two lines each. The last two are in the next file, too, and one of a single line is in all of them.
        let line = |i: usize| format!("{},c{},2023-0{m}-02,1.50\n{0},c{1},2023-0{m}-01,2.25\n", i, i % 7, m = i % 9 + 1);
        LINES.to_owned() + &orders.map(line).collect::<String>() + &format!("{0},c0,2023-01-03,0.30\n", 1_000)
    };
    let lines = Lines::default();
    let mut answers = Vec::new();
    for commit_rows in [1, 1_000_000] {
        let folder = tempfile::tempdir().unwrap();
        let update = Update { lines: Some(lines.clone()), ..Update::default() };
        let follow = Follow { commit_rows, update: update.clone(), ..follow(folder.path(), Finished::Delete) };
        let inbox = folder.path().join("inbox");
        let alone = folder.path().join("alone");
        fs::create_dir(&alone).unwrap();
        for (i, name) in ["a.csv", "b.csv", "d.csv", "f.csv"].into_iter().enumerate() {
            fs::write(inbox.join(name), of(i * 10..i * 10 + 12)).unwrap();
            fs::copy(inbox.join(name), alone.join(name)).unwrap();
        }
        fs::write(inbox.join("c.csv"), of(50..52) + "50,somebody else,2023-01-01,1\n").unwrap();
        let large = |i: usize| format!("1,a,2023-01-05,{}\n", 90_000_000_000_000u64 + i as u64);
        fs::write(inbox.join("e.csv"), LINES.to_owned() + &(0..1_100).map(large).collect::<String>()).unwrap();
        let (notes, ended) = run(&follow, 6, None);
        ended.unwrap();
        let bad: Vec<_> = notes.quarantined.iter().map(|(path, why)| (path.file_name().unwrap().to_str().unwrap(), why)).collect();
        assert_eq!(bad.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["c.csv", "e.csv"], "{:?}", notes.failed);
        assert!(bad[0].1.contains("order_customer_conflict") && bad[1].1.contains("amount_out_of_range"), "{bad:?}");
        for name in ["a.csv", "b.csv", "d.csv", "f.csv"] {
            update.run(&folder.path().join("each"), &[alone.join(name).to_string_lossy()], |_| {}).unwrap();
        }
        let audited = |state: &str| {
            let state = State::open(&folder.path().join(state)).unwrap();
            let mut pipeline = Pipeline::builder().windows(Windows::Every(Granularity::Quarter)).build().unwrap();
            pipeline.run_state(&state).unwrap();
            let report = pipeline.finish().unwrap().report;
            (serde_json::to_string(&report.windows).unwrap(), report.input.transactions)
        };
        assert_eq!(audited("state"), audited("each"), "{commit_rows}");
        answers.push(audited("state"));
    }
    assert_eq!(answers[0], answers[1]);
    let counted = answers[0].1.clone().unwrap();
    // Twelve orders a file, and the one that all of them have.
    assert_eq!((counted.orders, counted.lines), (4 * 13, 4 * 25));
}

/// A stream of line items could be cut in the middle of an order.
#[test]
fn streams_of_line_items_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let update = Update { lines: Some(Lines::default()), ..Update::default() };
    let feed = Feed::Stdin { spool: folder.path().join("spool") };
    let (_, ended) = run(&Follow { feed, update, ..follow(folder.path(), Finished::Keep) }, 1, None);
    let error = ended.unwrap_err();
    assert!(error.kind() == Kind::Usage && error.to_string().contains("cut between any two rows"), "{error}");
    assert!(!folder.path().join("spool").exists());
}

#[test]
fn a_folder_that_cannot_be_written_to_stops_nobody() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("blocked"), "a file").unwrap();
    let blocked = folder.path().join("blocked/x");
    for moves in [true, false] {
        let finished = if moves { Finished::Move(blocked.clone()) } else { Finished::Delete };
        let _ = fs::remove_dir_all(folder.path().join("state"));
        let follow = Follow { quarantine: blocked.clone(), ..follow(folder.path(), finished) };
        fs::write(folder.path().join("inbox/a-bad.csv"), "x,y\n1,2\n").unwrap();
        fs::write(folder.path().join("inbox/b.csv"), short_rows(0..10)).unwrap();
        fs::write(folder.path().join("inbox/c.csv"), short_rows(10..30)).unwrap();
        let (notes, ended) = run(&follow, 2, None);
        ended.unwrap();
        assert!(notes.refreshed > 0 && !notes.failed.is_empty());
        assert_eq!(total(&follow.state), sum(0..30));
        let left = visible(&folder.path().join("inbox"));
        assert_eq!(left, if moves { vec!["a-bad.csv", "b.csv", "c.csv"] } else { vec!["a-bad.csv"] });
    }
}
