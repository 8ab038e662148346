//! An inbox: a folder where others put files. A file is complete when it was the same at two looks: of the same length, and changed at the
//! same time. A program that writes a file bit by bit gives it another name first (hidden, or without a format's extension) and renames it.
//! Links, folders and hidden files are left alone.

use super::quarantine::move_as;
use super::{Waiting, has_format};
use crate::base::error::{Error, Result, Stage};
use crate::source::files::{Format, fingerprint};
use crate::source::globs::{Pattern, pattern};
use crate::state::{Input, Io, State, is_state};
use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// The end of a file that was taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finished {
    /// It stays where it is.
    Keep,
    /// It is moved into this folder.
    Move(PathBuf),
    /// It is removed.
    Delete,
}

/// The length and time of change of a file at the last look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Looks {
    bytes: u64,
    changed: Option<SystemTime>,
    /// Tells it from another file that got its name.
    #[cfg(unix)]
    inode: u64,
}

impl Looks {
    fn of(about: &Metadata) -> Self {
        Looks {
            bytes: about.len(),
            changed: about.modified().ok(),
            #[cfg(unix)]
            inode: std::os::unix::fs::MetadataExt::ino(about),
        }
    }
}

/// How far a file has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// It may still be written to.
    Arriving,
    /// It can be taken in.
    Complete,
    /// It was taken in.
    Done,
    /// It was taken in, and has changed since. It may still be written to.
    Changing,
    /// It was taken in, has changed since, and is complete again.
    Changed,
}

pub(super) struct Inbox {
    folder: PathBuf,
    glob: Option<Pattern>,
    format: Option<Format>,
    poll: Duration,
    looked: Option<Instant>,
    finished: Finished,
    io: Io,
    /// Files that are there now.
    files: HashMap<PathBuf, (Looks, Progress)>,
}

impl Inbox {
    /// Looks at a folder. Files that stay in it after they were taken in are known from the state by their names and lengths.
    pub(super) fn new(
        folder: &Path,
        glob: Option<&str>,
        poll: Duration,
        finished: Finished,
        format: Option<Format>,
        state: &Path,
        io: &Io,
    ) -> Result<Self> {
        if !folder.is_dir() {
            let error = Error::usage("there is no such folder to follow").input(folder.to_string_lossy());
            return Err(error.help("make it, or name another one"));
        }
        let glob = glob.map(pattern).transpose()?;
        give_all_back(folder, io);
        let mut inbox =
            Inbox { folder: folder.to_owned(), glob, format, poll, looked: None, finished, io: io.clone(), files: HashMap::new() };
        if inbox.finished == Finished::Keep && is_state(state) {
            inbox.recognize(&State::open_with(state, io)?);
        }
        Ok(inbox)
    }

    /// Finds files that the state has under their names, and those that have changed since.
    fn recognize(&mut self, state: &State) {
        let known: HashMap<&str, &Input> = state.manifest().inputs.iter().map(|input| (input.name.as_str(), input)).collect();
        for (path, looks) in self.listing().unwrap_or_default() {
            let name = path.to_string_lossy();
            let Some(input) = known.get(&*name) else { continue };
            let is_same = input.bytes == looks.bytes && fingerprint(&name).is_ok_and(|is| is.hash == input.fingerprint);
            self.files.insert(path.clone(), (looks, if is_same { Progress::Done } else { Progress::Changing }));
        }
    }

    fn listing(&self) -> Result<Vec<(PathBuf, Looks)>> {
        let fail = |e| Error::io("cannot list the folder", e).input(self.folder.to_string_lossy()).stage(Stage::Source);
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let (name, path) = (entry.file_name(), entry.path());
            let name = name.to_string_lossy();
            let wanted = match &self.glob {
                Some(glob) => glob.matches(&name),
                None => has_format(&path, self.format),
            };
            if name.starts_with(['.', '_']) || !wanted {
                continue;
            }
            // A file that is gone again, or cannot be asked for, is not there yet. Links are left alone.
            let Ok(about) = entry.metadata() else { continue };
            if about.is_file() {
                files.push((path, Looks::of(&about)));
            }
        }
        Ok(files)
    }
}

/// The name of a file between being taken in and being put away.
fn put_away_name(file: &Path) -> PathBuf {
    file.with_file_name(format!(".{}{FINISHED}", file.file_name().unwrap_or_default().to_string_lossy()))
}

const FINISHED: &str = ".finished";

/// Gives a file its name again, unless another has it by now.
fn give_back(own: &Path, file: &Path, io: &Io) -> io::Result<()> {
    match io.link(own, file) {
        // It has both names, where only the second step failed before.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && is_one(own, file) => {}
        linked => linked?,
    }
    io.remove(own)
}

/// Whether two names are those of one file.
fn is_one(a: &Path, b: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let which = |path: &Path| path.symlink_metadata().ok().map(|about| (about.dev(), about.ino()));
        which(a).is_some() && which(a) == which(b)
    }
    #[cfg(not(unix))]
    {
        let _ = (a, b);
        false
    }
}

/// Gives files that a killed process was putting away their names again.
fn give_all_back(folder: &Path, io: &Io) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(own) = name.strip_prefix('.').and_then(|name| name.strip_suffix(FINISHED)) {
            let _ = give_back(&entry.path(), &folder.join(own), io);
        }
    }
}

impl Waiting for Inbox {
    fn look(&mut self, _: bool) -> Result<Vec<PathBuf>> {
        if self.looked.is_none_or(|last| last.elapsed() >= self.poll) {
            let now = self.listing()?;
            let mut before = std::mem::take(&mut self.files);
            for (path, looks) in now {
                let progress = match before.remove(&path) {
                    Some((same, Progress::Arriving)) if same == looks => Progress::Complete,
                    Some((same, Progress::Changing)) if same == looks => Progress::Changed,
                    Some((same, progress)) if same == looks => progress,
                    Some((_, Progress::Done | Progress::Changing | Progress::Changed)) => Progress::Changing,
                    _ => Progress::Arriving,
                };
                self.files.insert(path, (looks, progress));
            }
            self.looked = Some(Instant::now());
        }
        let complete = self.files.iter().filter(|(_, (_, progress))| matches!(progress, Progress::Complete | Progress::Changed));
        let mut files: Vec<PathBuf> = complete.map(|(path, _)| path.clone()).collect();
        files.sort_unstable();
        Ok(files)
    }

    fn has_ended(&self) -> bool {
        false
    }

    fn done(&mut self, file: &Path) -> Result<()> {
        if self.finished == Finished::Keep {
            self.files.entry(file.to_owned()).and_modify(|(_, progress)| *progress = Progress::Done);
            return Ok(());
        }
        // Another may have got its name meanwhile. Under a name of our own, the file stays what it is while it is looked at.
        let own = put_away_name(file);
        let fail = |e| Error::io("cannot be put away", e).input(file.to_string_lossy());
        if let Err(error) = self.io.rename(file, &own) {
            // Where a disk has done it and says otherwise, too.
            let _ = give_back(&own, file, &self.io);
            return Err(fail(error));
        }
        let is_it = fs::metadata(&own).is_ok_and(|about| self.files.get(file).is_some_and(|(looks, _)| *looks == Looks::of(&about)));
        let put = match &self.finished {
            _ if !is_it => give_back(&own, file, &self.io).map_err(fail),
            Finished::Move(folder) => move_as(&own, file, folder, &self.io),
            _ => self.io.remove(&own).map_err(fail),
        };
        if put.is_ok() {
            self.files.remove(file);
        } else {
            // It is in the state, which knows it when it is tried again.
            let _ = give_back(&own, file, &self.io);
        }
        put
    }

    fn is_complete(&mut self, file: &Path) -> bool {
        let now = fs::metadata(file).ok().map(|about| Looks::of(&about));
        self.files.get(file).is_some_and(|(looks, _)| Some(*looks) == now)
    }

    fn gone(&mut self, file: &Path) {
        self.files.remove(file);
    }

    fn objection(&self, file: &Path) -> Option<Error> {
        if file.to_str().is_none() {
            let help = "give it another name, and put it back";
            return Some(Error::data("its name is not UTF-8").input(file.to_string_lossy()).help(help));
        }
        self.files.get(file).filter(|(_, progress)| *progress == Progress::Changed)?;
        let what = "it was taken in before, and has changed since: rows that are still in it would count twice";
        Some(Error::data(what).input(file.to_string_lossy()).help("put new rows into a file with a name of its own"))
    }
}
