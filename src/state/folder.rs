//! The folder of a state: one manifest, the run files that it names, and a lock for whoever writes.
//!
//! A generation appears when its manifest is renamed into place, after everything that it names is on the disk. Until then, and whatever
//! happens, the folder holds the generation before; what a killed writer left is swept by the next.

use super::manifest::Manifest;
use crate::error::{Error, Result};
use crate::spill::Faults;
use std::fs::{File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) const MANIFEST: &str = "MANIFEST";
const LOCK: &str = "LOCK";
const PART: &str = "MANIFEST.part";

/// The disk under a state. Everything that is done to it is a step, so that tests can let any step fail.
#[derive(Debug, Clone, Default)]
pub struct Io(Option<Arc<Faults>>);

impl Io {
    /// A disk with faults.
    #[doc(hidden)]
    pub fn faulty(faults: Arc<Faults>) -> Self {
        Io(Some(faults))
    }

    pub(crate) fn step(&self) -> io::Result<()> {
        self.0.as_ref().map_or(Ok(()), |faults| faults.operate())
    }
}

/// Whether a path is a state's folder.
pub fn is_state(path: &Path) -> bool {
    path.join(MANIFEST).is_file()
}

/// Reads the manifest of a folder, if it has one.
pub(crate) fn read_manifest(folder: &Path, io: &Io) -> Result<Option<Manifest>> {
    let path = folder.join(MANIFEST);
    let mut text = String::new();
    let read = io.step().and_then(|()| File::open(&path)).and_then(|mut file| file.read_to_string(&mut text));
    match read {
        Ok(_) => Manifest::decode(&text, &path).map(Some),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) if e.kind() == io::ErrorKind::InvalidData => Manifest::decode("", &path).map(Some),
        Err(e) => Err(Error::io("cannot read", e).input(path.to_string_lossy())),
    }
}

/// A folder that nobody else writes to.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    io: Io,
    lock: File,
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What a writer that failed has left.
        if let Ok(manifest) = read_manifest(&self.path, &Io::default()) {
            self.sweep(manifest.as_ref());
        }
        // Closing it would do, if no thread were starting a process just now: until that has become another program, it holds the file, too.
        let _ = self.lock.unlock();
    }
}

impl Folder {
    /// Locks a folder, which is made at need, and gives its manifest.
    ///
    /// # Errors
    /// When another process writes to it, it holds something else than a state, or it cannot be written to.
    pub(crate) fn lock(path: &Path, io: &Io) -> Result<(Self, Option<Manifest>)> {
        let name = path.to_string_lossy();
        let failed = |doing: &str, e| Error::io(doing, e).input(&*name);
        io.step().and_then(|()| std::fs::create_dir_all(path)).map_err(|e| failed("cannot make the state's folder", e))?;
        let foreign = || -> io::Result<bool> {
            let mut others = std::fs::read_dir(path)?.filter_map(|entry| entry.ok().map(|entry| entry.file_name()));
            Ok(others.any(|other| other != LOCK && other != PART && !other.to_string_lossy().ends_with(".lfst")))
        };
        if !is_state(path) && foreign().map_err(|e| failed("cannot list the state's folder", e))? {
            let what = "the folder holds other files and no state";
            return Err(Error::usage(what).input(&*name).help("name a folder that is empty or not there yet"));
        }
        let locked = io.step().and_then(|()| File::options().create(true).read(true).append(true).open(path.join(LOCK)));
        let mut lock = locked.map_err(|e| failed("cannot lock the state", e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                let _ = lock.read_to_string(&mut owner);
                let owner = owner.lines().next_back().map_or(String::new(), |pid| format!(", process {pid},"));
                let what = format!("another lensflow{owner} is writing to this state");
                return Err(Error::new(crate::error::Kind::Io, what).input(&*name).help("wait until it has ended, and try again"));
            }
            Err(TryLockError::Error(e)) => return Err(failed("cannot lock the state", e)),
        }
        // For whoever finds it locked; it is only a courtesy.
        let _ = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
        let manifest = read_manifest(path, io)?;
        let folder = Folder { path: path.to_owned(), io: io.clone(), lock };
        folder.sweep(manifest.as_ref());
        Ok((folder, manifest))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn io(&self) -> &Io {
        &self.io
    }

    /// Puts a manifest in place, whose run files are all written.
    ///
    /// # Errors
    /// When it cannot be written: then the one before is still in place, unless only the last step failed, after which either may be.
    pub(crate) fn commit(&self, manifest: &Manifest) -> Result<()> {
        let text = manifest.encode()?;
        let part = self.path.join(PART);
        let put = || {
            self.io.step()?;
            let mut file = File::create(&part)?;
            self.io.step()?;
            file.write_all(text.as_bytes())?;
            self.io.step()?;
            file.sync_all()?;
            // The run files' names, before the manifest that has them.
            self.sync()?;
            self.io.step()?;
            std::fs::rename(&part, self.path.join(MANIFEST))?;
            self.sync()
        };
        put().map_err(|e| Error::io("cannot write the state's manifest", e).input(self.path.to_string_lossy()))?;
        self.sweep(Some(manifest));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.io.step()?;
        if cfg!(unix) { File::open(&self.path)?.sync_all() } else { Ok(()) }
    }

    /// Removes run files that a manifest does not name. Those that cannot be removed harm nobody.
    fn sweep(&self, manifest: Option<&Manifest>) {
        let Ok(entries) = std::fs::read_dir(&self.path) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let named = manifest.is_some_and(|manifest| manifest.runs.iter().any(|run| *name == *run.file));
            if name == PART || name.to_string_lossy().ends_with(".lfst") && !named {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}
