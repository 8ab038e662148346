//! The folder of a state or of a checkpoint: one [`Record`], the run files that it names, and a lock for whoever writes.
//!
//! A generation appears when its record is renamed into place, after everything that it names is on the disk. Until then, and whatever
//! happens, the folder holds the generation before; what a killed writer left is swept by the next.

use super::sealed::{Record, decode, encode};
use crate::base::error::{Error, Result};
#[cfg(any(test, feature = "testing"))]
use crate::spill::Faults;
use std::fs::{File, TryLockError};
use std::io::{self, Read, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
#[cfg(any(test, feature = "testing"))]
use std::sync::Arc;

const LOCK: &str = "LOCK";
const RUNS: &str = ".lfst";

/// The disk under a state. Everything that is done to it is a step, so that tests can let any step fail.
#[derive(Debug, Clone, Default)]
pub struct Io {
    #[cfg(any(test, feature = "testing"))]
    faults: Option<Arc<Faults>>,
}

impl Io {
    /// A disk with faults.
    #[cfg(any(test, feature = "testing"))]
    #[doc(hidden)]
    pub fn faulty(faults: Arc<Faults>) -> Self {
        Io { faults: Some(faults) }
    }

    pub(crate) fn step(&self) -> io::Result<()> {
        #[cfg(any(test, feature = "testing"))]
        if let Some(faults) = &self.faults {
            return faults.operate();
        }
        Ok(())
    }
}

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
    if others.any(|other| other != LOCK && *other != *part::<R>() && !other.to_string_lossy().ends_with(RUNS)) {
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

/// A folder that nobody else writes to.
#[derive(Debug)]
pub(crate) struct Folder<R: Record> {
    path: PathBuf,
    io: Io,
    lock: File,
    record: PhantomData<R>,
}

impl<R: Record> Drop for Folder<R> {
    fn drop(&mut self) {
        // What a writer that failed has left.
        if let Ok(record) = read_record::<R>(&self.path, &Io::default()) {
            self.sweep(record.as_ref());
        }
        // Closing it would do, if no thread were starting a process just now: until that has become another program, it holds the file, too.
        let _ = self.lock.unlock();
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
        let locked = io.step().and_then(|()| File::options().create(true).read(true).append(true).open(path.join(LOCK)));
        let mut lock = locked.map_err(|e| failed("lock", e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                let _ = lock.read_to_string(&mut owner);
                let owner = owner.lines().next_back().map_or(String::new(), |pid| format!(", process {pid},"));
                let what = format!("another lensflow{owner} is writing to this {what}");
                return Err(Error::new(crate::base::error::Kind::Io, what).input(&*name).help("wait until it has ended, and try again"));
            }
            Err(TryLockError::Error(e)) => return Err(failed("lock", e)),
        }
        // For whoever finds it locked; it is only a courtesy.
        let _ = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
        let record = read_record(path, io)?;
        let folder = Folder { path: path.to_owned(), io: io.clone(), lock, record: PhantomData };
        folder.sweep(record.as_ref());
        Ok((folder, record))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn io(&self) -> &Io {
        &self.io
    }

    /// Puts a record in place, whose run files are all written.
    ///
    /// # Errors
    /// When it cannot be written: then the one before is still in place, unless only the last step failed, after which either may be.
    pub(crate) fn commit(&self, record: &R) -> Result<()> {
        let text = encode(record)?;
        let part = self.path.join(part::<R>());
        let put = || {
            self.io.step()?;
            let mut file = File::create(&part)?;
            self.io.step()?;
            file.write_all(text.as_bytes())?;
            self.io.step()?;
            file.sync_all()?;
            // The run files' names, before the record that has them.
            self.sync()?;
            self.io.step()?;
            std::fs::rename(&part, self.path.join(R::FILE))?;
            self.sync()
        };
        put().map_err(|e| Error::io(format!("cannot write the {}'s record", R::WHAT), e).input(self.path.to_string_lossy()))?;
        self.sweep(Some(record));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.io.step()?;
        if cfg!(unix) { File::open(&self.path)?.sync_all() } else { Ok(()) }
    }

    /// Removes run files that a record does not name. Those that cannot be removed harm nobody.
    fn sweep(&self, record: Option<&R>) {
        let Ok(entries) = std::fs::read_dir(&self.path) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let named = record.is_some_and(|record| record.runs().1.iter().any(|run| *name == *run.file));
            if *name == *part::<R>() || name.to_string_lossy().ends_with(RUNS) && !named {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }

    /// Removes all that is in the folder, and the folder itself if nothing else is: first the record, so that nothing counts that is
    /// only partly there.
    pub(crate) fn remove(self) -> Result<()> {
        let gone = match std::fs::remove_file(self.path.join(R::FILE)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        };
        gone.map_err(|e| Error::io(format!("cannot remove the {}", R::WHAT), e).input(self.path.to_string_lossy()))?;
        self.sweep(None);
        let path = self.path.clone();
        drop(self);
        // Both are a matter of tidiness.
        let _ = std::fs::remove_file(path.join(LOCK)).and_then(|()| std::fs::remove_dir(path));
        Ok(())
    }
}

/// The file that a record is written to before it gets its name.
fn part<R: Record>() -> String {
    format!("{}.part", R::FILE)
}
