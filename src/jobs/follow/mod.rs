//! Following: a state takes in files or a stream as they come, for as long as the process lives,
//! and its answers are made anew from time to time.
//!
//! ```text
//!  inbox/ ──files that are complete──┐                        ┌─▶ report and rows, anew
//!                                    ├──▶ update ──▶ state ───┤
//!  stdin ──▶ spool/ ──segments───────┘      │                 └─▶ finished files: kept, moved, deleted
//!                                           └──bad files──▶ quarantine/, each with its reason
//! ```
//!
//! | file | owns |
//! |---|---|
//! | here | [`Follow`], the loop: when to commit, when to refresh, what to do about a file that is bad |
//! | `events` | what is told of it |
//! | `inbox` | which files of a folder are complete, and where they go |
//! | `spool`, `segment` | an endless stream → segments, which are files like any other |
//! | `quarantine` | files that are put aside, with their reasons |
//! | `pauses` | when what failed is tried again |
//!
//! A stream is cut into segments on the disk first, which are files like those of an inbox: they can be quarantined, tried again, and gone
//! on with after a crash. One commit is one [`Update`] of all files that wait. If one is bad, it is put aside and the others are
//! tried again. A failure that no file is to blame for (a full disk, another process writing to the state) is tried again later.
//!
//! Orders and line items are grouped file by file, whichever files come with one commit: the lines of an order must be in one file, and a
//! stream of them is followed where each row is an order.
//!
//! Invariants: a file is in the state, in the quarantine, or still where it was; never in two of these, and never counted twice: files
//! that a killed process had committed are known by fingerprint, or by their number in the stream. Memory does not grow with the number of
//! commits, but for the state's manifest, which names every input.

pub(crate) mod events;
pub(crate) mod inbox;
pub(crate) mod pauses;
pub(crate) mod quarantine;
pub(crate) mod segment;
pub(crate) mod spool;

pub use self::events::{Doing, FollowEvent, Follower};
pub use self::inbox::Finished;

use self::inbox::Inbox;
use self::pauses::Pauses;
use self::spool::Spool;
use super::update::Update;
use crate::base::cancel::Stop;
use crate::base::error::{Error, Kind, Result};
use crate::source::files::Format;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often the loop looks around. Nothing is done more often than that.
const TICK: Duration = Duration::from_millis(50);

/// At the end of a stream, what fails is tried again so often.
const LAST_TRIES: u32 = 3;

/// After such a time, and then after twice as long, and so on.
const LAST_PAUSE: Duration = Duration::from_millis(200);

/// The least time before answers that could not be made are tried again: a state may be large, and wrong until it is mended by hand.
const RETRY: Duration = Duration::from_secs(10);

/// Bytes of a row, about: an estimate of the rows of a file before it is read.
const BYTES_PER_ROW: u64 = 32;

/// The inputs that are followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Feed {
    /// Files that appear in a folder.
    Inbox {
        /// The folder, without those below it.
        folder: PathBuf,
        /// Names that are meant, as a glob, which takes the feature `glob`; none is every name with the extension of a format.
        glob: Option<String>,
        /// How often the folder is looked at. A file is complete when it was the same at two looks.
        poll: Duration,
        /// Whether a file that was taken in is kept, moved or deleted.
        finished: Finished,
    },
    /// Standard input, which need never end: CSV, JSONL or an Arrow stream.
    Stdin {
        /// The folder for rows that were read and are not committed yet.
        spool: PathBuf,
    },
}

/// How a state follows a feed.
///
/// ```no_run
/// use lensflow::Stop;
/// use lensflow::jobs::Update;
/// use lensflow::jobs::follow::{Feed, Finished, Follow, FollowEvent, Follower};
/// use std::time::Duration;
///
/// struct Printer;
///
/// impl Follower for Printer {
///     fn refresh(&mut self) -> lensflow::Result<()> {
///         Ok(()) // audit the state here
///     }
///
///     fn notice(&mut self, event: FollowEvent<'_>) {
///         println!("{event:?}");
///     }
/// }
///
/// let follow = Follow {
///     feed: Feed::Inbox {
///         folder: "inbox".into(),
///         glob: None,
///         poll: Duration::from_secs(1),
///         finished: Finished::Keep,
///     },
///     state: "shop.state".into(),
///     update: Update::default(),
///     commit: Duration::from_secs(10),
///     commit_rows: 1_000_000,
///     refresh: Duration::from_secs(60),
///     quarantine: "quarantine".into(),
///     stop: Stop::default(),
/// };
/// follow.run(&mut Printer)?;
/// # Ok::<(), lensflow::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Follow {
    /// The inputs that are followed.
    pub feed: Feed,
    /// The state's folder.
    pub state: PathBuf,
    /// How files are taken in. Its [`Cancel`](crate::Cancel) ends everything at once.
    pub update: Update,
    /// The longest that a complete file waits to be committed.
    pub commit: Duration,
    /// About how many rows wait at most, before they are committed earlier.
    pub commit_rows: u64,
    /// The shortest time between two refreshes; zero refreshes after every commit.
    pub refresh: Duration,
    /// The folder for bad files.
    pub quarantine: PathBuf,
    /// Ends following in order: rows that were read of a stream are committed, the answers are refreshed.
    pub stop: Stop,
}

/// A source of files: an inbox or a spool.
trait Waiting {
    /// Files that are complete and were not yet told to be done or bad. `last` asks for all that there will be.
    fn look(&mut self, last: bool) -> Result<Vec<PathBuf>>;

    /// Whether no more will come.
    fn has_ended(&self) -> bool;

    /// A file is in the state.
    fn done(&mut self, file: &Path) -> Result<()>;

    /// Whether a file is what it was when it was complete; if not, it is waited for again.
    fn is_complete(&mut self, file: &Path) -> bool;

    /// A file was put aside, or is gone.
    fn gone(&mut self, file: &Path);

    /// Why a file is not to be taken in although it is complete.
    fn objection(&self, _: &Path) -> Option<Error> {
        None
    }

    /// What has failed while files were waited for, and is tried again; each failure once.
    fn trouble(&mut self) -> Option<Error> {
        None
    }

    /// Whether something fails now.
    fn is_troubled(&self) -> bool {
        false
    }

    /// Why no more will come, if that should not be so.
    fn fault(&mut self) -> Option<Error> {
        None
    }
}

impl Follow {
    /// Follows until it is stopped, cancelled, or the stream ends.
    ///
    /// # Errors
    /// Failures that cannot become right by themselves: options that contradict the state, a stream of orders' lines, a stream that cannot be read on,
    /// being cancelled.
    pub fn run(&self, follower: &mut dyn Follower) -> Result<()> {
        match &self.feed {
            Feed::Inbox { folder, glob, poll, finished } => {
                let (format, io) = (self.update.format, &self.update.io);
                let inbox = Inbox::new(folder, glob.as_deref(), *poll, finished.clone(), format, &self.state, io)?;
                self.with_updates(false).follow(inbox, follower)
            }
            Feed::Stdin { .. } => self.run_stream(Box::new(std::io::stdin()), follower),
        }
    }

    /// Follows a stream that is not standard input.
    #[doc(hidden)]
    pub fn run_stream(&self, stream: Box<dyn Read + Send>, follower: &mut dyn Follower) -> Result<()> {
        let Feed::Stdin { spool } = &self.feed else { return Err(Error::usage("a folder is followed, and no stream")) };
        if self.update.lines.as_ref().is_some_and(|lines| !lines.options.one_row_per_order) {
            let what = "a stream is cut between any two rows, and the lines of an order have to come together";
            return Err(Error::usage(what).help("send whole orders, one a row, or follow a folder"));
        }
        let (limits, follow) = (spool::Limits { time: self.commit, rows: self.commit_rows }, self.with_updates(true));
        follow.follow(Spool::open(spool, limits, &follow, stream)?, follower)
    }

    /// With updates as they are needed: which files come with one commit is a matter of time, and no answer depends on that.
    fn with_updates(&self, endless: bool) -> Follow {
        Follow { update: Update { endless, apart: true, ..self.update.clone() }, ..self.clone() }
    }

    fn is_stream(&self) -> bool {
        matches!(self.feed, Feed::Stdin { .. })
    }

    fn follow(&self, mut feed: impl Waiting, follower: &mut dyn Follower) -> Result<()> {
        // The answers may be those of a generation before the one that a killed process has committed.
        let mut stale = crate::state::is_state(&self.state);
        let (mut committed, mut refreshed): (Option<Instant>, Option<Instant>) = (None, None);
        let (mut pause, mut pauses, mut last_tries) = (self.refresh, Pauses::default(), 0);
        loop {
            let stopped = self.stop.is_stopped();
            // A file that is complete is as good tomorrow; what was read of a stream is nowhere else.
            let over = feed.has_ended() || stopped;
            let mut failed = None;
            let files = match feed.look(over) {
                Ok(files) => {
                    follower.notice(FollowEvent::Waiting(files.len()));
                    match feed.trouble() {
                        Some(error) => pauses.tell(Doing::Looking, &error, follower),
                        None if !feed.is_troubled() => pauses.mended(Doing::Looking, follower),
                        None => {}
                    }
                    files
                }
                Err(error) => {
                    failed = Some(self.later(Doing::Looking, error, &mut pauses, over, follower)?);
                    Vec::new()
                }
            };
            pauses.keep_only(&files);
            let none_waits = files.is_empty();
            let files: Vec<PathBuf> = files.into_iter().filter(|file| pauses.is_over(file)).collect();
            let is_due = committed.is_none_or(|last| last.elapsed() >= self.commit) || rows_of(&files) >= self.commit_rows;
            let commits = !files.is_empty() && (self.is_stream() || is_due && !stopped);
            let mut done = Ok(());
            if commits {
                done = self.commit(&mut feed, files, &mut stale, &mut pauses, follower);
                committed = Some(Instant::now());
            }
            match done {
                Ok(()) if (commits || none_waits) && failed.is_none() && pauses.has_no_file() => pauses.mended(Doing::Committing, follower),
                Ok(()) => {}
                Err(error) => failed = Some(self.later(Doing::Committing, error, &mut pauses, over, follower)?),
            }
            if over && self.is_stream() && failed.is_some() && last_tries < LAST_TRIES {
                std::thread::sleep(LAST_PAUSE * (1 << last_tries));
                last_tries += 1;
                continue;
            }
            if stale && (over || refreshed.is_none_or(|last| last.elapsed() >= pause)) {
                let began = Instant::now();
                match follower.refresh() {
                    Ok(()) => {
                        (stale, pause) = (false, self.refresh);
                        pauses.mended(Doing::Refreshing, follower);
                        follower.notice(FollowEvent::Refreshed { time: began.elapsed() });
                    }
                    Err(error) if over => return Err(failed.unwrap_or(error)),
                    Err(error) => {
                        pause = self.refresh.max(RETRY);
                        self.later(Doing::Refreshing, error, &mut pauses, over, follower)?;
                    }
                }
                refreshed = Some(Instant::now());
            }
            if over {
                // Files of a folder are where they were.
                let failed = failed.filter(|_| self.is_stream()).map(|error| match error.advice() {
                    None => {
                        error.help("what was read of the stream and is not in the state is in the spool; begin again, and it is taken in")
                    }
                    Some(_) => error,
                });
                // A fault of the stream says more: not all that was read is in the spool.
                return feed.fault().or(failed).map_or(Ok(()), Err);
            }
            // A commit has taken long enough.
            if !commits {
                self.stop.wait(TICK);
            }
        }
    }

    /// Puts off a step that failed, unless it cannot become right by itself; gives the error back.
    fn later(&self, doing: Doing, error: Error, pauses: &mut Pauses, over: bool, follower: &mut dyn Follower) -> Result<Error> {
        if self.update.cancel.is_cancelled() || matches!(error.kind(), Kind::Usage | Kind::Internal) {
            return Err(error);
        }
        pauses.tell(doing, &error, follower);
        if !over {
            // Not as fast as it can fail.
            self.stop.wait(pauses.of(doing));
        }
        Ok(error)
    }

    /// Takes in files, but for those that are bad; says whether answers are out of date by now. In an inbox, one that can neither be taken
    /// in nor put aside, or not be finished, is put off and stops no other. A segment of a stream stops those after it.
    fn commit(
        &self,
        feed: &mut impl Waiting,
        mut files: Vec<PathBuf>,
        stale: &mut bool,
        pauses: &mut Pauses,
        follower: &mut dyn Follower,
    ) -> Result<()> {
        let mut put_off = |file: &Path, error: Error, follower: &mut dyn Follower| {
            if self.is_stream() {
                return Err(error);
            }
            pauses.put_off(file);
            pauses.tell(Doing::Committing, &error, follower);
            Ok(())
        };
        for file in files.clone() {
            if let Some(reason) = feed.objection(&file) {
                files.retain(|other| *other != file);
                self.put_aside(feed, &file, &reason, follower).or_else(|error| put_off(&file, error, follower))?;
            }
        }
        let mut groups = self.groups(files);
        while let Some(mut files) = groups.pop() {
            let began = Instant::now();
            let names: Vec<_> = files.iter().map(|file| file.to_string_lossy()).collect();
            let done = self.update.run(&self.state, &names, |stats| follower.notice(FollowEvent::Began(stats)));
            let error = match done {
                Ok(updated) => {
                    *stale |= !updated.taken.is_empty();
                    follower.notice(FollowEvent::Committed { updated: &updated, time: began.elapsed() });
                    for file in &files {
                        if let Err(error) = feed.done(file) {
                            put_off(file, error, follower)?;
                        }
                    }
                    continue;
                }
                Err(error) => error,
            };
            let at = error.at_input().and_then(|input| names.iter().position(|name| name == input));
            match at.map(|at| files.remove(at)) {
                Some(file) if !self.is_stream() && (!file.exists() || !feed.is_complete(&file)) => feed.gone(&file),
                Some(file) if error.kind() == Kind::Data => {
                    self.put_aside(feed, &file, &error, follower).or_else(|error| put_off(&file, error, follower))?;
                }
                Some(file) if error.kind() == Kind::Io => put_off(&file, error, follower)?,
                // One of the files is bad, and the error does not name it: each is tried alone, in their order.
                None if error.kind() == Kind::Data && files.len() > 1 => {
                    groups.extend(files.into_iter().rev().map(|file| vec![file]));
                    continue;
                }
                _ => return Err(error),
            }
            if !files.is_empty() {
                groups.push(files);
            }
        }
        Ok(())
    }

    fn put_aside(&self, feed: &mut impl Waiting, file: &Path, reason: &Error, follower: &mut dyn Follower) -> Result<()> {
        let place = quarantine::put(file, &self.quarantine, reason, &self.update.io)?;
        feed.gone(file);
        follower.notice(FollowEvent::Quarantined { file: &place, reason });
        Ok(())
    }

    /// Files that are committed together, the last first.
    fn groups(&self, files: Vec<PathBuf>) -> Vec<Vec<PathBuf>> {
        let mut groups: Vec<Vec<PathBuf>> = Vec::new();
        let mut rows = u64::MAX;
        for file in files {
            let more = rows_of(std::slice::from_ref(&file));
            rows = rows.saturating_add(more);
            match groups.last_mut().filter(|_| rows <= self.commit_rows) {
                Some(group) => group.push(file),
                None => {
                    groups.push(vec![file]);
                    rows = more;
                }
            }
        }
        groups.reverse();
        groups
    }
}

/// About how many rows files hold.
fn rows_of(files: &[PathBuf]) -> u64 {
    let bytes = |file: &PathBuf| std::fs::metadata(file).map_or(0, |about| about.len());
    files.iter().map(bytes).sum::<u64>() / BYTES_PER_ROW
}

/// The format of a file that has a name for one.
fn has_format(path: &Path, format: Option<Format>) -> bool {
    format.is_some() || Format::of_path(path).is_some()
}
