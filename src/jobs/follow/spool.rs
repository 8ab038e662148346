//! The spool of an endless stream: a thread reads it as fast as segments are committed, and cuts it into segments of whole rows, a file each.
//!
//! A segment is complete when its first row has waited long enough, or its rows are many enough. It then gets its name, whose numbers rise.
//! The state knows the last one it has taken in, so that a segment which a killed process has committed, and not removed, is not taken in
//! again. A segment that it had not completed is cut after its last whole row and completed.
//!
//! Known limits: rows that a killed process had read and not yet written are lost: those of one read of the pipe, at most.

use super::{Follow, Waiting};
use crate::base::error::{Error, Result, Stage};
use crate::base::threads::lock;
use crate::jobs::new_inputs::last_segment;
use crate::jobs::update::Update;
use crate::source::endless::{Endless, Head, Piece};
use crate::source::files::Format;
use crate::source::row_kind::Aggregations;
use crate::spill::folder::{LockedFolder, NotLocked, part_name, publish};
use crate::state::{State, is_state};
use arrow::ipc::writer::StreamWriter;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The name of the stream in messages, and in the state.
const STREAM: &str = "stdin";
const PART: &str = "part";
const MENDED: &str = "mended";
/// At the end, a stream that was silent for so long is taken to have no more rows now.
const SILENCE: Duration = Duration::from_millis(200);
/// A stream that never is silent is read for so long; then its reader stops between two pieces, which loses none.
const LAST_WORDS: Duration = Duration::from_millis(700);
/// A reader that has not stopped after so long is waiting for its stream, and is left behind.
const PATIENCE: Duration = Duration::from_secs(2);

/// When a segment is complete.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) time: Duration,
    pub(super) rows: u64,
}

/// A segment that is being written.
struct Segment {
    path: PathBuf,
    writer: Writer,
    rows: u64,
    begun: Instant,
}

enum Writer {
    Text(File),
    Arrow(Box<StreamWriter<File>>),
}

impl Segment {
    fn create(path: PathBuf, head: &Head) -> Result<Self> {
        let part = part(&path);
        let make = || -> std::io::Result<Writer> {
            let mut file = File::create(&part)?;
            Ok(match head {
                Head::Text(header) => {
                    file.write_all(header)?;
                    Writer::Text(file)
                }
                Head::Arrow(schema) => {
                    let writer = StreamWriter::try_new(file, schema).map_err(std::io::Error::other)?;
                    Writer::Arrow(Box::new(writer))
                }
            })
        };
        let writer = make().map_err(|e| failed(&part, e))?;
        Ok(Segment { path, writer, rows: 0, begun: Instant::now() })
    }

    fn append(&mut self, piece: &Piece) -> Result<()> {
        let written = match (&mut self.writer, piece) {
            (Writer::Text(file), Piece::Text { bytes, .. }) => {
                // The last record of a stream may lack its newline.
                let end = if bytes.ends_with(b"\n") { &b""[..] } else { b"\n" };
                file.write_all(bytes).and_then(|()| file.write_all(end))
            }
            (Writer::Arrow(writer), Piece::Batch(batch)) => writer.write(batch).map_err(std::io::Error::other),
            _ => Err(std::io::Error::other("a piece of another format")),
        };
        self.rows += piece.rows();
        written.map_err(|e| failed(&self.path, e))
    }

    /// Completes it: from now on it is a file like any other.
    fn complete(self) -> Result<PathBuf> {
        let Segment { path, writer, .. } = self;
        let put = || {
            let file = match writer {
                Writer::Text(file) => file,
                Writer::Arrow(mut writer) => {
                    writer.finish().map_err(std::io::Error::other)?;
                    writer.into_inner().map_err(std::io::Error::other)?
                }
            };
            publish(&file, &part(&path), &path)
        };
        put().map_err(|e| failed(&path, e))?;
        Ok(path)
    }
}

fn part(path: &Path) -> PathBuf {
    path.with_file_name(part_name(&path.file_name().unwrap_or_default().to_string_lossy()))
}

fn failed(path: &Path, cause: std::io::Error) -> Error {
    Error::io("cannot write to the spool", cause).input(path.to_string_lossy())
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
    heard: Option<Instant>,
    /// No more comes.
    ended: bool,
    /// No more is wanted.
    over: bool,
    fault: Option<Error>,
}

pub(super) struct Spool {
    shared: Arc<Shared>,
    limits: Limits,
    /// Complete segments, the oldest first.
    complete: Vec<PathBuf>,
    /// There is one reader.
    _locked: LockedFolder,
}

impl Spool {
    /// Goes on with what is in the folder, and begins to read.
    pub(super) fn open(folder: &Path, limits: Limits, follow: &Follow, reader: Box<dyn Read + Send>) -> Result<Self> {
        fs::create_dir_all(folder).map_err(|e| failed(folder, e))?;
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
        let spool = Spool { shared: Arc::default(), limits, complete, _locked: locked };
        let (shared, folder) = (spool.shared.clone(), folder.to_owned());
        let read = move || -> Result<()> {
            let mut stream = begin(reader, STREAM, format, &own)?;
            let mut number = 0u64;
            // A piece that was read is written before the end is looked at.
            while let Some(piece) = stream.next_piece()? {
                let mut reading = lock(&shared.open);
                reading.heard = Some(Instant::now());
                if reading.segment.is_none() {
                    number += 1;
                    let name = format!("{begun:020}-{number:06}.{}", stream.extension);
                    reading.segment = Some(Segment::create(folder.join(name), &stream.head)?);
                }
                reading.segment.as_mut().map_or(Ok(()), |segment| segment.append(&piece))?;
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
        thread.map_err(|e| Error::internal("cannot start a thread").cause(e))?;
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
    let remove = |path: &Path| fs::remove_file(path).map_err(|e| failed(path, e));
    for path in entries(Some(MENDED))? {
        remove(&path)?;
    }
    for path in entries(Some(PART))? {
        let whole = path.with_extension("");
        let mended = if whole.exists() { Ok(()) } else { mend(&path, &whole, follow) };
        mended.map_err(|e| failed(&path, e))?;
        if path.exists() {
            remove(&path)?;
        }
    }
    let (done, mut complete): (Vec<_>, Vec<_>) = entries(None)?.into_iter().partition(|path| {
        let stem = path.file_stem().unwrap_or_default();
        committed.as_deref().is_some_and(|last| *stem <= *last)
    });
    done.iter().try_for_each(|path| remove(path))?;
    complete.sort_unstable();
    Ok(complete)
}

/// Gives a segment that was not completed its name, cut after its last whole row. One without rows stays.
fn mend(part: &Path, whole: &Path, follow: &Follow) -> std::io::Result<()> {
    if Format::of_path(whole) != Some(Format::Arrow) {
        let mut file = File::options().read(true).write(true).open(part)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let end = memchr::memrchr(b'\n', &text).map_or(0, |at| at + 1);
        file.set_len(end as u64)?;
        return if end > 0 { publish(&file, part, whole) } else { Ok(()) };
    }
    // It ends where it was cut off.
    let opened = begin(Box::new(File::open(part)?), &part.to_string_lossy(), Some(Format::Arrow), follow);
    let Ok(mut stream) = opened else { return Ok(()) };
    let Head::Arrow(schema) = &stream.head else { return Ok(()) };
    let mended = part.with_extension(MENDED);
    let mut writer = StreamWriter::try_new(File::create(&mended)?, schema).map_err(std::io::Error::other)?;
    while let Ok(Some(Piece::Batch(batch))) = stream.next_piece() {
        writer.write(&batch).map_err(std::io::Error::other)?;
    }
    writer.finish().map_err(std::io::Error::other)?;
    publish(writer.get_ref(), &mended, whole)
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
            let silent = reading.heard.is_none_or(|heard| heard.elapsed() >= SILENCE) && asked.elapsed() >= SILENCE;
            reading.over |= last && asked.elapsed() >= LAST_WORDS;
            if reading.over {
                self.shared.has_room.notify_all();
            }
            let is_last = reading.ended || last && (silent || asked.elapsed() >= PATIENCE);
            let Limits { time, rows } = self.limits;
            let due = |segment: &Segment| is_last || segment.rows >= rows || segment.begun.elapsed() >= time;
            if reading.segment.as_ref().is_some_and(due)
                && let Some(segment) = reading.segment.take()
            {
                self.complete.push(segment.complete()?);
                self.shared.has_room.notify_all();
            }
            if is_last || !last {
                return Ok(self.complete.clone());
            }
            drop(reading);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn has_ended(&self) -> bool {
        lock(&self.shared.open).ended
    }

    fn fault(&mut self) -> Option<Error> {
        lock(&self.shared.open).fault.take()
    }

    fn done(&mut self, file: &Path) -> Result<()> {
        self.gone(file);
        fs::remove_file(file).map_err(|e| failed(file, e))
    }

    fn is_complete(&mut self, _: &Path) -> bool {
        true
    }

    fn gone(&mut self, file: &Path) {
        self.complete.retain(|complete| complete != file);
    }
}
