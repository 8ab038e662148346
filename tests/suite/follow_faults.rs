//! Following on a disk that fails: every row of a stream is in the state once, or the process ends with an error and the spool has what is
//! missing, for the next process. Files of an inbox wait until they can be read.

use crate::follow::{sum, total};
use crate::make::{SHORT_HEADER, short_rows};
use crate::support::{listing, visible};
use lensflow::error::Kind;
use lensflow::jobs::Update;
use lensflow::jobs::follow::{Doing, Feed, Finished, Follow, FollowEvent, Follower};
use lensflow::state::{Io, is_state};
use lensflow::testing::Faults;
use lensflow::{Result, Spec, Stop};
use std::fs;
use std::io::{Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

pub(crate) type Look = Box<dyn FnMut(&mut Said)>;

/// What it says of what fails.
#[derive(Default)]
pub(crate) struct Said {
    pub(crate) failed: Vec<(Doing, String)>,
    pub(crate) mended: Vec<Doing>,
    pub(crate) quarantined: usize,
    pub(crate) committed: usize,
    /// Does something at a look.
    pub(crate) look: Option<Look>,
}

impl Follower for Said {
    fn refresh(&mut self) -> Result<()> {
        Ok(())
    }

    fn notice(&mut self, event: FollowEvent<'_>) {
        match event {
            FollowEvent::Failed { doing, error } => self.failed.push((doing, error.to_string())),
            FollowEvent::Mended(doing) => self.mended.push(doing),
            FollowEvent::Quarantined { .. } => self.quarantined += 1,
            FollowEvent::Committed { updated, .. } => self.committed += updated.taken.len(),
            FollowEvent::Waiting(_) => {
                if let Some(mut look) = self.look.take() {
                    look(self);
                    self.look = Some(look);
                }
            }
            _ => {}
        }
    }
}

/// A stream that pauses between its pieces.
struct Pausing(std::vec::IntoIter<String>, Cursor<Vec<u8>>);

impl Pausing {
    fn new(pieces: Vec<String>) -> Box<Self> {
        Box::new(Pausing(pieces.into_iter(), Cursor::default()))
    }
}

impl Read for Pausing {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.1.read(buffer)?;
        if read > 0 {
            return Ok(read);
        }
        let Some(piece) = self.0.next() else { return Ok(0) };
        thread::sleep(Duration::from_millis(60));
        self.1 = Cursor::new(piece.into_bytes());
        self.1.read(buffer)
    }
}

/// Three segments.
fn rows() -> Box<Pausing> {
    let piece = |rows| short_rows(rows).strip_prefix(SHORT_HEADER).unwrap().to_owned();
    Pausing::new(vec![SHORT_HEADER.to_owned(), piece(0..100), piece(100..200), piece(200..300)])
}

fn nothing() -> Box<Pausing> {
    Pausing::new(vec![SHORT_HEADER.to_owned()])
}

pub(crate) fn follow(folder: &Path, io: Io) -> Follow {
    let spec = Spec::default().with_workers(1);
    Follow {
        feed: Feed::Stdin { spool: folder.join("spool") },
        state: folder.join("state"),
        update: Update { io, spec, ..Update::default() },
        commit: Duration::ZERO,
        commit_rows: 1_000,
        refresh: Duration::ZERO,
        quarantine: folder.join("quarantine"),
        stop: Stop::default(),
    }
}

fn spooled(folder: &Path) -> Vec<String> {
    listing(&folder.join("spool")).into_iter().filter(|name| name != "LOCK").collect()
}

/// Follows on a disk with faults; then, after an error, without. Gives the operations, and the error that it ended with.
fn exactly_once(faults: Faults, what: &str) -> (u64, Option<lensflow::Error>) {
    let folder = tempfile::tempdir().unwrap();
    let faults = Arc::new(faults);
    let mut said = Said::default();
    let ended = follow(folder.path(), Io::faulty(faults.clone())).run_stream(rows(), &mut said);
    let operations = faults.operations();
    assert_eq!(said.quarantined, 0, "{what}");
    match &ended {
        Ok(()) => assert_eq!(total(&folder.path().join("state")), sum(0..300), "{what}: {:?}", said.failed),
        Err(error) => {
            assert_eq!(error.kind(), Kind::Io, "{what}: {error}");
            // What was read and could not be written is not in the spool, but no row is there in part.
            let mut ended = follow(folder.path(), Io::default());
            ended.update.endless = false;
            ended.run_stream(nothing(), &mut said).unwrap();
            let state = folder.path().join("state");
            let (rows, cents) = if is_state(&state) { total(&state) } else { (0, 0) };
            assert_eq!((rows, cents), sum(0..rows as usize), "{what}: {error}");
            let unwritten =
                said.failed.iter().any(|(_, said)| said.contains("cannot write to the spool")) || error.to_string().contains("spool");
            assert!(rows == 300 || unwritten, "{what}: {rows} rows, {error}");
        }
    }
    assert_eq!(spooled(folder.path()), Vec::<String>::new(), "{what}");
    (operations, ended.err())
}

/// A disk that fails once, at any operation: all rows are in the state, once, at the end.
#[test]
fn one_failure_at_any_operation_loses_no_row_and_counts_none_twice() {
    let (operations, _) = exactly_once(Faults::new(u64::MAX), "no fault");
    assert!(operations > 60, "{operations}");
    thread::scope(|scope| {
        for at in 0..operations {
            scope.spawn(move || {
                // Not done; and done, but said to have failed.
                for (faults, what) in [(Faults::new(at), "operation"), (Faults::untold(at), "untold operation")] {
                    let (_, failed) = exactly_once(faults, &format!("{what} {at}"));
                    // Only what happens before anything is read ends it.
                    assert!(failed.is_none() || at < 4, "{what} {at}: {failed:?}");
                }
            });
        }
    });
}

/// A disk that fails from any operation on: the process ends with an error, and the next one takes in what is in the spool.
#[test]
fn lasting_failure_at_any_operation_ends_with_an_error_and_keeps_the_segments() {
    let (operations, _) = exactly_once(Faults::lasting(u64::MAX), "no fault");
    thread::scope(|scope| {
        for at in (0..operations).step_by(2) {
            scope.spawn(move || exactly_once(Faults::lasting(at), &format!("from operation {at} on")));
        }
    });
}

/// The sync after the state's record has its new name fails: it is committed, and tried again.
#[test]
fn f1_a_commit_that_failed_in_its_last_step_is_not_done_again() {
    let folder = tempfile::tempdir().unwrap();
    let segment = |name: &str, rows| {
        let path = folder.path().join(name);
        fs::write(&path, short_rows(rows)).unwrap();
        path.to_string_lossy().into_owned()
    };
    let (a, b) = (segment("1-1.csv", 0..100), segment("1-2.csv", 100..200));
    let state = folder.path().join("state");
    let update = |io| Update { endless: true, io, ..Update::default() };
    let faults = Arc::new(Faults::new(u64::MAX));
    update(Io::faulty(faults.clone())).run(&folder.path().join("other"), &[&a], |_| ()).unwrap();
    for at in 0..faults.operations() {
        let _ = fs::remove_dir_all(&state);
        let faulty = update(Io::faulty(Arc::new(Faults::new(at))));
        let _ = faulty.run(&state, &[&a], |_| ());
        let again = update(Io::default()).run(&state, &[&a, &b], |_| ()).unwrap();
        assert_eq!(again.taken.len() + again.known.len(), 2);
        assert_eq!(total(&state), sum(0..200), "operation {at}");
    }
}

/// The disk is full in the middle of a row: no cut row counts.
#[test]
fn f3_no_cut_row_is_taken_in() {
    let folder = tempfile::tempdir().unwrap();
    let row = |i: usize| format!("customer-{i},2023-01-01,2023-02-01,1,123456.78\n");
    let text = |rows: std::ops::Range<usize>| rows.map(row).collect::<String>();
    for at in 2..9 {
        let folder = folder.path().join(at.to_string());
        fs::create_dir(&folder).unwrap();
        let stream = Pausing::new(vec![SHORT_HEADER.to_owned() + &text(0..101), text(101..202), text(202..303)]);
        let mut follow = follow(&folder, Io::faulty(Arc::new(Faults::lasting(at))));
        follow.commit = Duration::from_secs(3_600);
        let mut said = Said::default();
        follow.run_stream(stream, &mut said).unwrap_err();
        follow.update.io = Io::default();
        follow.run_stream(nothing(), &mut said).unwrap();
        if is_state(&folder.join("state")) {
            let (rows, cents) = total(&folder.join("state"));
            assert_eq!(cents, rows as i128 * 12_345_678, "operation {at}");
        }
    }
}

/// A killed process has written a part of a row that has several lines.
#[test]
fn f3_a_row_of_several_lines_is_not_cut_between_them() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("spool")).unwrap();
    let text = format!("{SHORT_HEADER}\"a\nb\",2023-01-01,2023-02-01,1,5\n\"c\nd\",2023-01-01,2023-02-01,1,7\n");
    let cut = text.find("d\"").unwrap();
    for end in [cut, cut + 3, text.len() - 1, text.len()] {
        let _ = fs::remove_dir_all(folder.path().join("state"));
        fs::write(folder.path().join("spool/00000000000000000001-000001.csv.part"), &text[..end]).unwrap();
        let mut said = Said::default();
        follow(folder.path(), Io::default()).run_stream(nothing(), &mut said).unwrap();
        let expected = if end == text.len() { (2, 1_200) } else { (1, 500) };
        assert_eq!((total(&folder.path().join("state")), said.quarantined), (expected, 0), "{end}");
        assert!(spooled(folder.path()).is_empty());
    }
}

/// The stream ends while the state's disk is full.
#[test]
fn f4_a_stream_that_ends_before_it_can_be_committed_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("state"), "no folder").unwrap();
    let mut said = Said::default();
    let error = follow(folder.path(), Io::default()).run_stream(rows(), &mut said).unwrap_err();
    assert!(error.advice().is_some() && error.to_string().contains("state"), "{error}");
    assert!(!spooled(folder.path()).is_empty());
    fs::remove_file(folder.path().join("state")).unwrap();
    follow(folder.path(), Io::default()).run_stream(nothing(), &mut said).unwrap();
    assert_eq!(total(&folder.path().join("state")), sum(0..300));
    assert!(spooled(folder.path()).is_empty());
}

/// A file that cannot be read now is not put aside: it waits and holds up no other, and it is said that something is wrong as long as it is.
/// One whose content is at fault is put aside at once.
#[test]
fn f15_a_file_that_cannot_be_read_now_is_not_put_aside() {
    let follows = |failing: u64| {
        let folder = tempfile::tempdir().unwrap();
        let inbox = folder.path().join("inbox");
        fs::create_dir(&inbox).unwrap();
        fs::write(inbox.join("a.csv"), short_rows(0..10)).unwrap();
        fs::write(inbox.join("b.csv"), short_rows(10..20)).unwrap();
        fs::write(inbox.join("damaged.csv.gz"), b"\x1f\x8b\x08\0\0\0\0\0\0\x03 and so on").unwrap();
        let mut follow = follow(folder.path(), Io::faulty(Arc::new(Faults::new(failing))));
        follow.feed = Feed::Inbox { folder: inbox.clone(), glob: None, poll: Duration::from_millis(1), finished: Finished::Delete };
        let (stop, begun) = (follow.stop.clone(), Instant::now());
        let look = move |said: &mut Said| {
            let is_done = said.committed == 2 && said.quarantined == 1 && said.failed.is_empty() == said.mended.is_empty();
            if is_done || begun.elapsed() > Duration::from_secs(30) {
                stop.stop();
            }
        };
        let mut said = Said { look: Some(Box::new(look)), ..Said::default() };
        follow.run(&mut said).unwrap();
        assert_eq!((said.quarantined, said.committed), (1, 2), "operation {failing}: {:?}", said.failed);
        assert_eq!(total(&folder.path().join("state")), sum(0..20));
        assert!(visible(&inbox).is_empty() && listing(&follow.quarantine).contains("damaged.csv.gz"));
        said.failed
            .iter()
            .any(|(doing, error)| *doing == Doing::Committing && error.contains("inbox") && said.mended == [Doing::Committing])
    };
    let told = thread::scope(|scope| {
        let all: Vec<_> = (0..12).map(|failing| scope.spawn(move || follows(failing))).collect();
        all.into_iter().map(|one| one.join().unwrap()).filter(|told| *told).count()
    });
    assert!(told >= 2, "{told}");
}
