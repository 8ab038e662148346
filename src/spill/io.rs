//! The disk under everything that is written: states, checkpoints, spools, what an inbox has done with, outputs, spilled frames. Each operation
//! on it is one function here, so that tests can let any one fail, and none is forgotten: [`Io`] is the only way to the disk of all these.
//!
//! Files are made here under names that may hold anything: what an earlier process left, a link to a file of somebody else, a named pipe.
//! [`create`](Io::create) takes such a name away and makes a file that was not there; [`open`](Io::open) opens files and nothing that could
//! make it wait.
//!
//! What a system promises, and what is relied on: a rename is done or not; what was synced is there after a crash, a name once its folder was.
//! After a sync that failed nothing is known of a file's bytes, so that it is written again or given up, never synced again.

use crate::base::bytes::positional;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// The disk. Each operation on it is a step, so that tests can let any one fail.
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
    pub(crate) fn perform<T>(&self, operation: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        #[cfg(any(test, feature = "testing"))]
        if let Some(faults) = &self.faults {
            return faults.operate(operation, || ());
        }
        operation()
    }

    /// Writes: a disk with faults writes half of it, as a full one does.
    fn write_with(&self, bytes: &[u8], mut write: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        #[cfg(any(test, feature = "testing"))]
        if let Some(faults) = &self.faults {
            let half = &bytes[..bytes.len() / 2];
            let write = std::cell::RefCell::new(write);
            return faults.operate(|| (write.borrow_mut())(bytes), || drop((write.borrow_mut())(half)));
        }
        write(bytes)
    }

    /// Makes a file. What has its name is removed first: it is never written through a link, nor into a pipe.
    pub(crate) fn create(&self, path: &Path) -> io::Result<File> {
        self.perform(|| {
            match std::fs::remove_file(path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
            OpenOptions::new().read(true).write(true).create_new(true).open(path)
        })
    }

    /// Opens a file to be read; a pipe or a device is none.
    pub(crate) fn open(&self, path: &Path) -> io::Result<File> {
        self.perform(|| if std::fs::metadata(path)?.is_file() { File::open(path) } else { Err(no_file()) })
    }

    /// Makes a folder, and those above it that are not there.
    pub(crate) fn make_folder(&self, path: &Path) -> io::Result<()> {
        self.perform(|| std::fs::create_dir_all(path))
    }

    /// Appends bytes.
    pub(crate) fn write(&self, file: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
        self.write_with(bytes, |bytes| file.write_all(bytes))
    }

    /// Writes bytes at a place of a file.
    pub(crate) fn write_at(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        self.write_with(bytes, |bytes| positional::write_at(file, bytes, at))
    }

    /// Reads the bytes at a place of a file.
    pub(crate) fn read_at(&self, file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
        self.perform(|| positional::read_at(file, bytes, at))
    }

    /// Cuts off what follows so many bytes of a file.
    pub(crate) fn cut(&self, file: &File, length: u64) -> io::Result<()> {
        self.perform(|| file.set_len(length))
    }

    /// Waits until the bytes of a file are on the disk.
    pub(crate) fn sync(&self, file: &File) -> io::Result<()> {
        self.perform(|| file.sync_all())
    }

    /// Gives a file another name, in place of what has it.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.perform(|| std::fs::rename(from, to))
    }

    /// Gives a file one more name, which none may have.
    pub(crate) fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.perform(|| std::fs::hard_link(from, to))
    }

    /// Removes a file that need not be there.
    pub(crate) fn remove(&self, path: &Path) -> io::Result<()> {
        self.perform(|| match std::fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        })
    }

    /// Waits until the names in a folder are on the disk, where a system can say so.
    pub(crate) fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.perform(|| if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) })
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
