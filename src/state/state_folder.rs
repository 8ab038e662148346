//! The folder of a state or of a checkpoint: one [`Record`], the run files that it names, and a lock for the process that writes.
//!
//! A generation appears when its record is renamed into place, after everything that it names is on the disk. Until then, and whatever
//! happens, the folder holds the generation before. Files of a killed writer are swept by the next.
//!
//! A folder with run files and no record may be a state whose record was lost, or was not copied yet: nothing of it is swept. Only the run
//! files of a first generation that was never committed may be: the mark [`NEW`] says so, which is there before them, and goes when the
//! record comes.

use super::checkpoint_record::Checkpoint;
use super::manifest::run_name;
use super::sealed::{Record, decode, encode};
use crate::base::error::{Error, Kind, Result};
use crate::base::text::counted;
use crate::source::objects::refuse_written;
use crate::spill::folder::{LOCK, LockedFolder, NotLocked, part_name};
use crate::spill::{Io, folder_of};
use std::io::{self, Read};
use std::marker::PhantomData;
use std::path::Path;

/// The end of the names of run files.
const RUNS: &str = ".lfst";

/// The file that says that no generation was committed yet.
const NEW: &str = "NEW";

/// Whether a run file is of the first generation, by its name.
fn is_first(name: &str) -> bool {
    name.strip_prefix(run_name(1).trim_end_matches(RUNS)).is_some_and(|rest| rest.starts_with(['.', '-']))
}

/// Whether a path is a state's folder.
pub fn is_state(path: &Path) -> bool {
    path.join(super::Manifest::FILE).is_file()
}

/// Refuses a path that is one of a state's own files, or of a checkpoint's: an output there would be their end.
///
/// # Errors
/// [`Kind::Usage`].
pub(crate) fn refuse_own_file(path: &Path) -> Result<()> {
    let real = std::fs::canonicalize(path).ok();
    let (Some(name), Ok(folder)) =
        (real.as_deref().unwrap_or(path).file_name(), std::fs::canonicalize(folder_of(real.as_deref().unwrap_or(path))))
    else {
        return Ok(());
    };
    let (records, name) = ([super::Manifest::FILE, Checkpoint::FILE], name.to_string_lossy());
    let is_own = name.ends_with(RUNS)
        || [LOCK, NEW].contains(&&*name)
        || records.iter().any(|&record| *name == *record || *name == part_name(record));
    if !is_own || !records.iter().any(|record| folder.join(record).is_file()) {
        return Ok(());
    }
    let error = Error::usage("an output cannot be one of the files that a state or a checkpoint is made of").input(path.to_string_lossy());
    Err(error.help("write it to another folder"))
}

/// Checks that a record may be kept in a folder: it is there already, or the folder is not there yet, empty, or holds only what an
/// interrupted writer left.
///
/// # Errors
/// When the folder holds anything else, or run files whose record is lost, is none, or cannot be listed.
pub(crate) fn vacant<R: Record>(path: &Path) -> Result<()> {
    refuse_written(path)?;
    if !path.exists() || path.join(R::FILE).is_file() {
        return Ok(());
    }
    let (name, what) = (path.to_string_lossy(), R::WHAT);
    let entries = std::fs::read_dir(path).map_err(|e| Error::io(format!("cannot list the {what}'s folder"), e).input(&*name))?;
    let there: Vec<String> = entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned())).collect();
    let is_own = |other: &str| [LOCK, NEW, &part_name(R::FILE)].contains(&other) || other.ends_with(RUNS);
    if there.iter().any(|other| !is_own(other)) {
        let what = format!("the folder holds other files and no {what}");
        return Err(Error::usage(what).input(&*name).help("name a folder that is empty or not there yet"));
    }
    refuse_lost::<R>(path)
}

/// Refuses a folder with run files whose record is lost.
///
/// # Errors
/// [`Kind::Data`].
pub(crate) fn refuse_lost<R: Record>(path: &Path) -> Result<()> {
    let what = R::WHAT;
    let there = std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let there: Vec<String> = there.filter(|other| R::IS_ALL_THERE_IS && (other.ends_with(RUNS) || other == NEW)).collect();
    let is_new = there.iter().any(|other| other == NEW);
    let lost = there.iter().filter(|other| *other != NEW && !(is_new && is_first(other))).count();
    // Another process may just have committed its first.
    if lost == 0 || path.join(R::FILE).is_file() {
        return Ok(());
    }
    let files = counted(lost, "run file", "run files");
    let what = format!("the {what}'s folder holds {files} and no {}: that was lost, or the folder was not copied whole", R::FILE);
    let help = format!("copy it again, or restore {} from a copy; if nothing in the folder is wanted any more, remove the folder", R::FILE);
    Err(Error::data(what).input(path.to_string_lossy()).help(help))
}

/// Reads the record of a folder, if it has one.
pub(crate) fn read_record<R: Record>(folder: &Path, io: &Io) -> Result<Option<R>> {
    let path = folder.join(R::FILE);
    let mut text = String::new();
    let read = io.open(&path).and_then(|mut file| file.read_to_string(&mut text));
    match read {
        Ok(_) => decode(&text, &path).map(Some),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) if e.kind() == io::ErrorKind::InvalidData => decode("", &path).map(Some),
        Err(e) => Err(Error::io("cannot read", e).input(path.to_string_lossy())),
    }
}

/// A folder that only this process writes to.
#[derive(Debug)]
pub(crate) struct Folder<R: Record> {
    locked: LockedFolder,
    io: Io,
    record: PhantomData<R>,
}

impl<R: Record> Drop for Folder<R> {
    fn drop(&mut self) {
        // A writer that failed may have left something.
        if let Ok(record) = read_record::<R>(self.path(), &Io::default())
            && self.sweep(record.as_ref())
        {
            let _ = std::fs::remove_file(self.path().join(NEW));
        }
    }
}

impl<R: Record> Folder<R> {
    /// Locks a folder, which is made at need, and gives its record.
    ///
    /// # Errors
    /// When another process writes to it, it holds something else, or it cannot be written to.
    pub(crate) fn lock(path: &Path, io: &Io) -> Result<(Self, Option<R>)> {
        let (name, what) = (path.to_string_lossy(), R::WHAT);
        let failed = |doing: &str, e| Error::io(format!("cannot {doing} the {what}'s folder"), e).input(&*name);
        io.make_folder(path).map_err(|e| failed("make", e))?;
        vacant::<R>(path)?;
        let locked = LockedFolder::lock(path, io).map_err(|e| match e {
            NotLocked::Taken(owner) => {
                let owner = owner.map_or(String::new(), |pid| format!(", process {pid},"));
                let what = format!("another lensflow{owner} is writing to this {what}");
                Error::new(Kind::Io, what).input(&*name).help("wait until it has ended, and try again")
            }
            NotLocked::Failed(e) => failed("lock", e),
        })?;
        // With an error, the folder is unlocked and not swept.
        let record = read_record(path, io)?;
        if record.is_none() {
            // It may have been another process's a moment ago.
            vacant::<R>(path)?;
        }
        let folder = Folder { locked, io: io.clone(), record: PhantomData };
        folder.sweep(record.as_ref());
        let mark = path.join(NEW);
        if record.is_none() && R::IS_ALL_THERE_IS && !mark.exists() {
            let marked = io.create(&mark).and_then(|_| io.sync_folder(path));
            marked.map_err(|e| failed("write to", e))?;
        }
        Ok((folder, record))
    }

    pub(crate) fn path(&self) -> &Path {
        self.locked.path()
    }

    pub(crate) fn io(&self) -> &Io {
        &self.io
    }

    /// Puts a record in place, whose run files are all written.
    ///
    /// # Errors
    /// When it cannot be written: then the one before is still in place, unless only the last step failed, after which either may be.
    pub(crate) fn commit(&self, record: &R) -> Result<()> {
        let written = self.locked.replace(R::FILE, encode(record)?.as_bytes(), &self.io);
        written.map_err(|e| Error::io(format!("cannot write the {}'s record", R::WHAT), e).input(self.path().to_string_lossy()))?;
        self.sweep(Some(record));
        Ok(())
    }

    /// Waits until the record that is in place is on the disk: an earlier commit may have failed in its last step.
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) fn settle(&self) -> Result<()> {
        let settled = self.io.sync_folder(self.path());
        settled.map_err(|e| Error::io(format!("cannot write the {}'s record", R::WHAT), e).input(self.path().to_string_lossy()))
    }

    /// Removes run files that a record does not name, and with a record the mark that there was none. What cannot be removed does no harm.
    /// Says whether all of it is gone.
    fn sweep(&self, record: Option<&R>) -> bool {
        let is_named = |name: &str| record.is_some_and(|record| record.runs().1.iter().any(|run| run.file == name));
        let part = part_name(R::FILE);
        let is_old = |name: &str| name == part || name == NEW && record.is_some() || name.ends_with(RUNS) && !is_named(name);
        self.locked.sweep(is_old).is_ok()
    }

    /// Removes all that is in the folder, and the folder itself if nothing else is: first the record, so that nothing counts that is
    /// only partly there.
    ///
    /// # Errors
    /// When the record cannot be removed. The rest is a matter of tidiness.
    pub(crate) fn remove(self) -> Result<()> {
        let gone = match std::fs::remove_file(self.path().join(R::FILE)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        };
        gone.map_err(|e| Error::io(format!("cannot remove the {}", R::WHAT), e).input(self.path().to_string_lossy()))?;
        self.sweep(None);
        let _ = std::fs::remove_file(self.path().join(NEW));
        self.locked.remove();
        Ok(())
    }
}
