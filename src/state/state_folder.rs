//! The folder of a state or of a checkpoint: one [`Record`], the run files that it names, and a lock for the process that writes.
//!
//! A generation appears when its record is renamed into place, after everything that it names is on the disk. Until then, and whatever
//! happens, the folder holds the generation before. Files of a killed writer are swept by the next.

use super::sealed::{Record, decode, encode};
use crate::base::error::{Error, Kind, Result};
use crate::spill::Io;
use crate::spill::folder::{LOCK, LockedFolder, NotLocked, part_name};
use std::fs::File;
use std::io::{self, Read};
use std::marker::PhantomData;
use std::path::Path;

/// The end of the names of run files.
const RUNS: &str = ".lfst";

/// Whether a path is a state's folder.
pub fn is_state(path: &Path) -> bool {
    path.join(super::Manifest::FILE).is_file()
}

/// Checks that a record may be kept in a folder: it is there already, or the folder is not there yet, empty, or holds only what an
/// interrupted writer left.
///
/// # Errors
/// When the folder holds anything else, is none, or cannot be listed.
pub(crate) fn vacant<R: Record>(path: &Path) -> Result<()> {
    if !path.exists() || path.join(R::FILE).is_file() {
        return Ok(());
    }
    let (name, what) = (path.to_string_lossy(), R::WHAT);
    let entries = std::fs::read_dir(path).map_err(|e| Error::io(format!("cannot list the {what}'s folder"), e).input(&*name))?;
    let mut others = entries.filter_map(|entry| entry.ok().map(|entry| entry.file_name()));
    if others.any(|other| other != LOCK && *other != *part_name(R::FILE) && !other.to_string_lossy().ends_with(RUNS)) {
        let what = format!("the folder holds other files and no {what}");
        return Err(Error::usage(what).input(&*name).help("name a folder that is empty or not there yet"));
    }
    Ok(())
}

/// Reads the record of a folder, if it has one.
pub(crate) fn read_record<R: Record>(folder: &Path, io: &Io) -> Result<Option<R>> {
    let path = folder.join(R::FILE);
    let mut text = String::new();
    let read = io.step().and_then(|()| File::open(&path)).and_then(|mut file| file.read_to_string(&mut text));
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
        if let Ok(record) = read_record::<R>(self.path(), &Io::default()) {
            self.sweep(record.as_ref());
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
        io.step().and_then(|()| std::fs::create_dir_all(path)).map_err(|e| failed("make", e))?;
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
        let folder = Folder { locked, io: io.clone(), record: PhantomData };
        folder.sweep(record.as_ref());
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

    /// Removes run files that a record does not name. One that cannot be removed does no harm.
    fn sweep(&self, record: Option<&R>) {
        let is_named = |name: &str| record.is_some_and(|record| record.runs().1.iter().any(|run| run.file == name));
        let part = part_name(R::FILE);
        let _ = self.locked.sweep(|name| name == part || name.ends_with(RUNS) && !is_named(name));
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
        self.locked.remove();
        Ok(())
    }
}
