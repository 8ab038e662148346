//! Following a folder on a disk that fails at any operation, be it in taking files in, moving them, or putting bad ones aside: each file is in
//! one place as a whole, and each row in the state once, at the latest when the process begins again.

use crate::follow::{sum, total};
use crate::follow_faults::{Said, follow};
use crate::make::short_rows;
use crate::support::listing;
use lensflow::jobs::follow::{Feed, Finished, Follow};
use lensflow::state::{Io, is_state};
use lensflow::testing::Faults;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

const BAD: &str = "customer_id,period_start,period_end,total_orders,total_spend\nx,2023-02-30,2023-03-05,1,5\n";

/// The files that there are: their names, and what they hold.
fn sent() -> BTreeMap<String, String> {
    let files = [("a.csv", short_rows(0..30)), ("b.csv", short_rows(30..70)), ("bad.csv", BAD.to_owned())];
    files.into_iter().map(|(name, text)| (name.to_owned(), text)).collect()
}

fn job(folder: &Path, finished: &Finished, io: Io) -> Follow {
    let mut follow = follow(folder, io);
    let finished = match finished {
        Finished::Move(to) => Finished::Move(folder.join(to)),
        other => other.clone(),
    };
    follow.feed = Feed::Inbox { folder: folder.join("inbox"), glob: None, poll: Duration::from_millis(1), finished };
    follow
}

/// Follows until all is taken in, or as long as it may take where that cannot be; whether it was.
fn run(follow: &Follow, patience: Duration) -> bool {
    let (stop, begun) = (follow.stop.clone(), Instant::now());
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (told, inbox, state) = (done.clone(), follow.clone(), follow.state.clone());
    let look = move |_: &mut Said| {
        let is_done = is_state(&state) && waiting(&inbox).is_empty() && total(&state) == sum(0..70);
        told.store(is_done, std::sync::atomic::Ordering::Relaxed);
        if is_done || begun.elapsed() > patience {
            stop.stop();
        }
    };
    let mut said = Said { look: Some(Box::new(look)), ..Said::default() };
    // What cannot become right by itself ends it.
    let _ = follow.run(&mut said);
    done.load(std::sync::atomic::Ordering::Relaxed)
}

/// The files that are not where they should be in the end.
fn waiting(follow: &Follow) -> Vec<String> {
    let Feed::Inbox { folder, finished, .. } = &follow.feed else { return Vec::new() };
    let is_done = |name: &String| *finished == Finished::Keep && name != "bad.csv";
    listing(folder).into_iter().filter(|name| !is_done(name)).collect()
}

/// Each file is there as a whole, in one place, unless it was to be deleted and is in the state.
fn check(folder: &Path, finished: &Finished, what: &str) {
    let mut found: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for place in ["inbox", "quarantine", "done"] {
        let path = folder.join(place);
        for name in if path.exists() { listing(&path) } else { Default::default() } {
            // The reason of a file; a copy that is not complete.
            if name.ends_with(".reason.txt") || name.ends_with(".part") {
                continue;
            }
            let whose = name.trim_start_matches('.').trim_end_matches(".finished").to_owned();
            // One file may have two names for a moment.
            if whose == name || !is_one(&path.join(&name), &path.join(&whose)) {
                found.entry(whose).or_default().push((place.to_owned(), fs::read_to_string(path.join(name)).unwrap()));
            }
        }
    }
    let state = folder.join("state");
    let there = if is_state(&state) { total(&state) } else { (0, 0) };
    assert!([(0, 0), sum(0..30), sum(30..70), sum(0..70)].contains(&there), "{what}: {} rows", there.0);
    for (name, text) in sent() {
        let own = if name == "a.csv" { sum(0..30) } else { sum(30..70) };
        match found.remove(&name).as_deref() {
            Some([(_, there)]) => assert!(*there == text, "{what}: {name} is not whole"),
            None if *finished == Finished::Delete && name != "bad.csv" => {
                assert!(there == own || there == sum(0..70), "{what}: {name} is lost");
            }
            None => panic!("{what}: {name} is lost"),
            Some(places) => panic!("{what}: {name} is in {places:?}"),
        }
    }
    assert!(found.is_empty(), "{what}: {found:?}");
}

#[cfg(unix)]
fn is_one(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let which = |path: &Path| fs::metadata(path).ok().map(|about| (about.dev(), about.ino()));
    which(a) == which(b)
}

#[cfg(not(unix))]
fn is_one(_: &Path, _: &Path) -> bool {
    false
}

fn through(faults: Faults, finished: &Finished, what: &str) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("inbox")).unwrap();
    sent().iter().for_each(|(name, text)| fs::write(folder.path().join("inbox").join(name), text).unwrap());
    let faults = Arc::new(faults);
    run(&job(folder.path(), finished, Io::faulty(faults.clone())), Duration::from_millis(400));
    let operations = faults.operations();
    check(folder.path(), finished, what);
    // The next process goes on, whatever was between two places.
    assert!(
        run(&job(folder.path(), finished, Io::default()), Duration::from_secs(30)),
        "{what}: {:?}",
        listing(&folder.path().join("inbox"))
    );
    check(folder.path(), finished, what);
    let reasons = listing(&folder.path().join("quarantine")).into_iter().filter(|name| name.ends_with(".reason.txt")).count();
    assert_eq!(reasons, 1, "{what}: a file that is put aside has a reason, and no other has");
    operations
}

#[test]
fn inbox_files_on_failing_disks_are_in_one_place_and_count_once() {
    for finished in [Finished::Move("done".into()), Finished::Delete, Finished::Keep] {
        let operations = through(Faults::new(u64::MAX), &finished, "no fault");
        assert!(operations > 30, "{operations}");
        thread::scope(|scope| {
            for at in 0..operations {
                let finished = &finished;
                scope.spawn(move || {
                    for (kind, make) in [
                        ("fails", Faults::new as fn(u64) -> Faults),
                        ("fails from then on", Faults::lasting),
                        ("is untold", Faults::untold),
                    ] {
                        through(make(at), finished, &format!("{finished:?}: operation {at} {kind}"));
                    }
                });
            }
        });
    }
}
