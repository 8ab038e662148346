//! The disk under everything that is kept: states, checkpoints, spools, outputs. Each operation on it is a step that tests can let fail.
//!
//! Files are made here under names that may hold anything: what an earlier process left, a link to a file of somebody else, a named pipe.
//! [`create`](Io::create) takes such a name away and makes a file that was not there; [`open`](Io::open) opens files and nothing that could
//! make it wait.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// The disk under a folder that is kept. Each operation on it is a step, so that tests can let any one fail.
#[derive(Debug, Clone, Default)]
pub struct Io {
    #[cfg(any(test, feature = "testing"))]
    faults: Option<std::sync::Arc<super::doubles::Faults>>,
}

impl Io {
    /// A disk with faults.
    #[cfg(any(test, feature = "testing"))]
    #[doc(hidden)]
    pub fn faulty(faults: std::sync::Arc<super::doubles::Faults>) -> Self {
        Io { faults: Some(faults) }
    }

    /// An operation of the caller's own.
    pub(crate) fn step(&self) -> io::Result<()> {
        #[cfg(any(test, feature = "testing"))]
        if let Some(faults) = &self.faults {
            return faults.operate();
        }
        Ok(())
    }

    /// Makes a file. What has its name is removed first: it is never written through a link, nor into a pipe.
    pub(crate) fn create(&self, path: &Path) -> io::Result<File> {
        self.step()?;
        match std::fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        OpenOptions::new().read(true).write(true).create_new(true).open(path)
    }

    /// Opens a file to be read; a pipe or a device is none.
    pub(crate) fn open(&self, path: &Path) -> io::Result<File> {
        self.step()?;
        if std::fs::metadata(path)?.is_file() { File::open(path) } else { Err(no_file()) }
    }

    /// Appends bytes. A disk with faults writes half of them, as a full one does.
    pub(crate) fn write(&self, file: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
        if let Err(e) = self.step() {
            let _ = file.write_all(&bytes[..bytes.len() / 2]);
            return Err(e);
        }
        file.write_all(bytes)
    }

    /// Waits until the bytes of a file are on the disk.
    pub(crate) fn sync(&self, file: &File) -> io::Result<()> {
        self.step()?;
        file.sync_all()
    }

    /// Gives a file another name, in place of what has it.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        std::fs::rename(from, to)
    }

    /// Removes a file that need not be there.
    pub(crate) fn remove(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        match std::fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    /// Waits until the names in a folder are on the disk, where a system can say so.
    pub(crate) fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.step()?;
        if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
    }

    /// Gives a complete file its name, once its bytes are on the disk; afterwards its name is, too.
    pub(crate) fn publish(&self, file: &File, part: &Path, whole: &Path) -> io::Result<()> {
        self.sync(file)?;
        self.rename(part, whole)?;
        self.sync_folder(folder_of(whole))
    }
}

/// The folder that a path is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether a path is taken by what is no file: a link, a pipe, a folder.
pub(crate) fn is_no_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|about| !about.is_file())
}

fn no_file() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is no file, but a pipe, a device or a folder")
}
