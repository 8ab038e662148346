//! The spool of an endless stream: a thread reads it as fast as segments are committed, and cuts it into segments of whole rows, a file each.
//!
//! A segment is complete when its first row has waited long enough, or its rows are many enough. It then gets its name, whose numbers rise.
//! The state knows the last one it has taken in, so that a segment which was committed, and not removed, is not taken in again. Segments
//! are taken in in the order of their numbers: one that cannot be completed holds up those after it. A segment that a killed process had
//! not completed is cut after its last whole row and completed.
//!
//! Rows that cannot be written are tried again in a segment of their own, for some seconds. If that does not help, reading ends with the
//! fault, once everything before it is taken in.
//!
//! Known limits: rows that a process had read and not yet written when it ended are lost: those of one read of the pipe, at most.

use super::segment::{MENDED, PART, Segment, failed, mend};
use super::{Follow, Waiting};
use crate::base::error::{Error, Kind, Result, Stage};
use crate::base::memory::no_thread;
use crate::base::threads::lock;
use crate::jobs::new_inputs::last_segment;
use crate::jobs::update::Update;
use crate::source::endless::{Endless, Piece};
use crate::source::files::Format;
use crate::source::row_kind::Aggregations;
use crate::spill::Io;
use crate::spill::folder::{LockedFolder, NotLocked};
use crate::state::{State, is_state};
use std::collections::VecDeque;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The name of the stream in messages, and in the state.
const STREAM: &str = "stdin";
/// At the end, a stream that was silent for so long is taken to have no more rows now.
const SILENCE: Duration = Duration::from_millis(200);
/// A stream that never is silent is read for so long; then its reader stops between two pieces, which loses none.
const LAST_WORDS: Duration = Duration::from_millis(700);
/// A reader that has not stopped after so long is waiting for its stream, and is left behind.
const PATIENCE: Duration = Duration::from_secs(2);
/// Rows that cannot be written are tried again after so long, then after twice as long, and so on.
const PAUSE: Duration = Duration::from_millis(100);
/// How often they are tried.
const TRIES: u32 = 6;

/// When a segment is complete.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) time: Duration,
    pub(super) rows: u64,
}

/// State that the reading thread shares with the committing one.
#[derive(Default)]
struct Shared {
    open: Mutex<Reading>,
    /// There is room for more rows.
    has_room: Condvar,
}

#[derive(Default)]
struct Reading {
    segment: Option<Segment>,
    /// Segments that take no more, before that one.
    closed: VecDeque<Segment>,
    heard: Option<Instant>,
    /// No more comes.
    ended: bool,
    /// No more is wanted.
    over: bool,
    fault: Option<Error>,
    /// Rows cannot be written, and are tried again; the last reason, until it is told.
    trouble: Option<Error>,
    is_troubled: bool,
}

impl Reading {
    /// Writes rows to the segment, or to a new one.
    fn write(&mut self, piece: &Piece, create: impl FnOnce() -> Result<Segment>) -> Result<()> {
        let segment = match &mut self.segment {
            Some(segment) => segment,
            none => none.insert(create()?),
        };
        let written = segment.append(piece);
        if let Some(closed) = self.segment.take_if(|segment| segment.is_closed) {
            match closed.rows {
                0 if !closed.is_torn => closed.discard(),
                _ => self.closed.push_back(closed),
            }
        }
        written
    }
}

pub(super) struct Spool {
    shared: Arc<Shared>,
    limits: Limits,
    /// Segments that take no more and have no names yet, the oldest first.
    closing: VecDeque<Segment>,
    io: Io,
    /// Complete segments, the oldest first.
    complete: Vec<PathBuf>,
    /// There is one reader.
    _locked: LockedFolder,
}

impl Spool {
    /// Goes on with what is in the folder, and begins to read.
    pub(super) fn open(folder: &Path, limits: Limits, follow: &Follow, reader: Box<dyn Read + Send>) -> Result<Self> {
        follow.update.io.make_folder(folder).map_err(|e| failed(folder, e))?;
        let locked = LockedFolder::lock(folder, &follow.update.io).map_err(|e| match e {
            NotLocked::Taken(_) => {
                let error = Error::usage("another lensflow follows a stream with this spool").input(folder.to_string_lossy());
                error.help("end that one first, or name another state")
            }
            NotLocked::Failed(e) => failed(folder, e),
        })?;
        let (own, format) = (follow.clone(), follow.update.format);
        let complete = recover(folder, follow)?;
        // Numbers rise, also where the clock was put back.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos());
        let last = |name: &str| name.split('-').next().and_then(|number| number.parse::<u128>().ok()).unwrap_or(0);
        let names = complete.iter().filter_map(|path| path.file_stem()?.to_str().map(last));
        let begun = names.chain(committed(follow)?.as_deref().map(last)).fold(now, |begun, last| begun.max(last + 1));
        let spool =
            Spool { shared: Arc::default(), limits, closing: VecDeque::new(), io: own.update.io.clone(), complete, _locked: locked };
        let (shared, folder, io) = (spool.shared.clone(), folder.to_owned(), own.update.io.clone());
        let read = move || -> Result<()> {
            let mut stream = begin(reader, STREAM, format, &own)?;
            let mut number = 0u64;
            // A piece that was read is written before the end is looked at.
            while let Some(piece) = stream.next_piece()? {
                let mut reading = lock(&shared.open);
                reading.heard = Some(Instant::now());
                let mut tries = 0;
                loop {
                    let create = || {
                        number += 1;
                        Segment::create(folder.join(format!("{begun:020}-{number:06}.{}", stream.extension)), &stream.head, &io)
                    };
                    let Err(error) = reading.write(&piece, create) else { break };
                    tries += 1;
                    if reading.over || tries == TRIES || reading.closed.iter().any(|segment| segment.is_torn) {
                        let help = "make room on its disk, and send the stream again from the row after the last that is in the state or the spool";
                        return Err(error.help(help));
                    }
                    (reading.trouble, reading.is_troubled) = (Some(error), true);
                    let pause = PAUSE * (1 << (tries - 1));
                    reading = shared.has_room.wait_timeout(reading, pause).unwrap_or_else(PoisonError::into_inner).0;
                }
                (reading.trouble, reading.is_troubled) = (None, false);
                while !reading.over && reading.segment.as_ref().is_some_and(|segment| segment.rows >= limits.rows) {
                    reading = shared.has_room.wait(reading).unwrap_or_else(PoisonError::into_inner);
                }
                if reading.over {
                    return Ok(());
                }
            }
            Ok(())
        };
        let shared = spool.shared.clone();
        let thread = std::thread::Builder::new().name("stream".to_owned()).spawn(move || {
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(read));
            let done = done.unwrap_or_else(|panic| Err(Error::panicked(Stage::Source, panic)));
            let mut reading = lock(&shared.open);
            reading.fault = done.err();
            reading.ended = true;
        });
        thread.map_err(no_thread)?;
        Ok(spool)
    }
}

/// Begins to read a stream, with the columns that are followed.
fn begin(reader: Box<dyn Read + Send>, name: &str, format: Option<Format>, follow: &Follow) -> Result<Endless> {
    let Update { spec, lines, .. } = &follow.update;
    match lines {
        Some(lines) => Endless::open(reader, name, format, &lines.kind()?),
        None => Endless::open(reader, name, format, &Aggregations::of(spec)?),
    }
}

/// The last segment that the state has.
fn committed(follow: &Follow) -> Result<Option<String>> {
    if is_state(&follow.state) { Ok(last_segment(State::open(&follow.state)?.manifest())) } else { Ok(None) }
}

/// Completes the segments that a killed process has left, and removes those that it had committed.
fn recover(folder: &Path, follow: &Follow) -> Result<Vec<PathBuf>> {
    let committed = committed(follow)?;
    let entries = || -> std::io::Result<Vec<PathBuf>> { fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect() };
    let entries = |extension: Option<&str>| {
        let paths = entries().map_err(|e| failed(folder, e))?.into_iter();
        let is_wanted = |path: &PathBuf| match path.extension().map(|own| own.to_string_lossy()) {
            Some(own) => extension.map_or(own != PART, |extension| own == extension),
            None => false,
        };
        Ok::<_, Error>(paths.filter(is_wanted).collect::<Vec<_>>())
    };
    let io = &follow.update.io;
    let remove = |path: &Path| io.remove(path).map_err(|e| failed(path, e));
    for path in entries(Some(MENDED))? {
        remove(&path)?;
    }
    for path in entries(Some(PART))? {
        let whole = path.with_extension("");
        if !whole.exists() {
            mend(&path, &whole, io, |reader, name, format| begin(reader, name, format, follow))?;
        }
        remove(&path)?;
    }
    let (done, mut complete): (Vec<_>, Vec<_>) = entries(None)?.into_iter().partition(|path| {
        let stem = path.file_stem().unwrap_or_default();
        committed.as_deref().is_some_and(|last| *stem <= *last)
    });
    done.iter().try_for_each(|path| remove(path))?;
    complete.sort_unstable();
    Ok(complete)
}

impl Drop for Spool {
    /// Stops the reader. Rows in no complete segment are found when the spool is opened the next time.
    fn drop(&mut self) {
        lock(&self.shared.open).over = true;
        self.shared.has_room.notify_all();
    }
}

impl Waiting for Spool {
    fn look(&mut self, last: bool) -> Result<Vec<PathBuf>> {
        let asked = Instant::now();
        loop {
            let mut reading = lock(&self.shared.open);
            let silent = !reading.is_troubled && reading.heard.is_none_or(|heard| heard.elapsed() >= SILENCE) && asked.elapsed() >= SILENCE;
            reading.over |= last && asked.elapsed() >= LAST_WORDS;
            if reading.over {
                self.shared.has_room.notify_all();
            }
            let is_last = reading.ended || last && (silent || asked.elapsed() >= PATIENCE);
            let Limits { time, rows } = self.limits;
            let due = |segment: &mut Segment| is_last || segment.rows >= rows || segment.begun.elapsed() >= time;
            self.closing.extend(reading.closed.drain(..));
            if let Some(segment) = reading.segment.take_if(due) {
                self.closing.push_back(segment);
                self.shared.has_room.notify_all();
            }
            drop(reading);
            while let Some(segment) = self.closing.front_mut() {
                self.complete.push(segment.complete()?);
                self.closing.pop_front();
            }
            if is_last || !last {
                return Ok(self.complete.clone());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn has_ended(&self) -> bool {
        lock(&self.shared.open).ended
    }

    fn fault(&mut self) -> Option<Error> {
        let mut reading = lock(&self.shared.open);
        let unwritten = || Error::new(Kind::Io, "rows of the stream could not be written to the spool");
        reading.fault.take().or_else(|| reading.is_troubled.then(|| reading.trouble.take().unwrap_or_else(unwritten)))
    }

    fn trouble(&mut self) -> Option<Error> {
        lock(&self.shared.open).trouble.take()
    }

    fn is_troubled(&self) -> bool {
        lock(&self.shared.open).is_troubled
    }

    fn done(&mut self, file: &Path) -> Result<()> {
        match self.io.remove(file) {
            // A disk may have done it and say otherwise.
            Err(e) if file.exists() => return Err(failed(file, e)),
            _ => self.gone(file),
        }
        Ok(())
    }

    /// Nothing but this process changes a segment.
    fn is_complete(&mut self, _: &Path) -> bool {
        true
    }

    fn gone(&mut self, file: &Path) {
        self.complete.retain(|complete| complete != file);
    }
}
