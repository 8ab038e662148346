//! The private folder of a run's data files: made, locked, removed, and swept away where its owner was killed.
//!
//! The folder `lensflow-spill-XXXXXX` holds a lock file, locked for as long as its owner lives: a killed process leaves the folder but not
//! the lock, and the next one with a run that may spill to the same place takes the lock and sweeps the folder away. Process numbers,
//! which come round again, are not asked.
//!
//! Sweeping may meet a folder in the making. Whoever makes one locks first and then makes sure that the lock file is still the one in the
//! folder; if a sweeper was faster, another folder is made. A sweeper makes sure of the same, and that the folder is private and its own
//! user's; it removes files by the names they are given here, never what a link points to, and the lock file last.
//!
//! Limits: a network disk that grants every machine the same lock must not be shared.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// Data files in a folder: writers of different ones do not wait for each other.
pub(super) const FILES: usize = 4;
/// How folders are called, before what makes their names unique.
const PREFIX: &str = "lensflow-spill-";
const LOCK: &str = "lensflow.lock";
/// How data files are called, before their number.
const DATA: &str = "frames-";
/// A sweeper could be faster this often, but not by chance.
const ATTEMPTS: usize = 100;

/// The folder, removed on drop.
#[derive(Debug)]
pub(super) struct Folder {
    /// The data files, of which there are [`FILES`].
    pub(super) files: Vec<File>,
    path: PathBuf,
    lock: Option<File>,
}

impl Folder {
    /// Makes one below another folder.
    pub(super) fn make(parent: &Path) -> io::Result<Self> {
        for _ in 0..ATTEMPTS {
            let mut builder = tempfile::Builder::new();
            builder.prefix(PREFIX);
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                builder.permissions(std::fs::Permissions::from_mode(0o700));
            }
            let path = builder.tempdir_in(parent)?.keep();
            let mut folder = Folder { files: Vec::new(), path, lock: None };
            let lock = create(&folder.path.join(LOCK))?;
            match lock.try_lock() {
                Ok(()) if is_at(&lock, &folder.path.join(LOCK)) => {}
                // Where nothing can be locked, nobody can sweep either.
                Err(TryLockError::Error(_)) => {}
                Ok(()) | Err(TryLockError::WouldBlock) => {
                    std::mem::forget(folder);
                    continue;
                }
            }
            folder.lock = Some(lock);
            for number in 0..FILES {
                folder.files.push(create(&folder.path.join(format!("{DATA}{number}")))?);
            }
            return Ok(folder);
        }
        Err(io::Error::other("others remove every folder that is made there"))
    }
}

impl Folder {
    /// Removes it from the disk. What cannot be removed now is swept later.
    pub(super) fn remove(&self) {
        let _ = remove(&self.path);
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.files.clear();
        self.remove();
    }
}

/// Removes what a folder of ours holds, and then the folder. The lock is held and goes last: what is left without it is never swept.
fn remove(path: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(DATA) {
            std::fs::remove_file(entry.path())?;
        }
    }
    // A folder may have come no further than its name.
    let _ = std::fs::remove_file(path.join(LOCK));
    std::fs::remove_dir(path)
}

/// A file without a name tells whether files can be made in a folder, and whose they are.
pub(super) fn probe(parent: &Path) -> io::Result<Metadata> {
    // The error's own text would name a file that nobody has heard of.
    tempfile::tempfile_in(parent).map_err(|e| e.raw_os_error().map_or_else(|| e.kind().into(), io::Error::from_raw_os_error))?.metadata()
}

/// Removes the folders of owners that died. Fails when the parent cannot be written to; folders that cannot be removed stay.
pub(super) fn sweep(parent: &Path) -> io::Result<()> {
    let own = probe(parent)?;
    for entry in std::fs::read_dir(parent)?.flatten() {
        let named = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if named && let Ok(true) = sweep_one(&entry.path(), &own) {
            tracing::info!(folder = %entry.path().display(), "removed what a run that was killed had spilled");
        }
    }
    Ok(())
}

/// Removes a folder if its owner died. False where that is not so, or where the folder is none of ours.
fn sweep_one(path: &Path, own: &Metadata) -> io::Result<bool> {
    let (folder, marker) = (path.symlink_metadata()?, path.join(LOCK));
    let file = marker.symlink_metadata()?;
    if !folder.is_dir() || !file.is_file() || !is_private(&folder, own) || !is_private(&file, own) {
        return Ok(false);
    }
    let lock = OpenOptions::new().read(true).write(true).open(&marker)?;
    if lock.try_lock().is_err() || !is_at(&lock, &marker) {
        return Ok(false);
    }
    remove(path).map(|()| true)
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Whether an open file is the one at a path now.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), path.symlink_metadata()) {
        (Ok(file), Ok(there)) => (file.dev(), file.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// Whether an open file is the one at a path now: an open file's name is not given to another.
#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}

/// Whether something belongs to the user of `own` and to nobody else.
#[cfg(unix)]
fn is_private(metadata: &Metadata, own: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    metadata.uid() == own.uid() && metadata.mode() & 0o077 == 0
}

#[cfg(not(unix))]
fn is_private(_: &Metadata, _: &Metadata) -> bool {
    true
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests {
    use super::*;

    /// What lies in a folder.
    pub(in crate::spill) fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// What a killed process leaves behind: the folder, with the lock given back by the system.
    pub(in crate::spill) fn abandoned(parent: &Path) -> PathBuf {
        let mut folder = Folder::make(parent).unwrap();
        io::Write::write_all(&mut folder.files[0], b"lost").unwrap();
        drop(folder.lock.take());
        let path = folder.path.clone();
        std::mem::forget(folder);
        path
    }

    #[test]
    #[cfg(unix)]
    fn others_may_not_look() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::make(parent.path()).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder.path), 0o700);
        for name in names(&folder.path) {
            assert_eq!(mode(&folder.path.join(name)), 0o600);
        }
    }

    #[test]
    fn only_what_the_dead_left_is_swept() {
        let parent = tempfile::tempdir().unwrap();
        let alive = Folder::make(parent.path()).unwrap();
        let dead = [abandoned(parent.path()), abandoned(parent.path())];
        let foreign = parent.path().join("lensflow-spill-notes");
        std::fs::create_dir(&foreign).unwrap();
        std::fs::write(foreign.join("notes.txt"), "mine").unwrap();
        // One folder of ours holds something that is not.
        std::fs::write(dead[1].join("notes.txt"), "mine too").unwrap();
        sweep(parent.path()).unwrap();
        assert!(alive.path.join(LOCK).exists() && foreign.join("notes.txt").exists());
        assert!(!dead[0].exists());
        assert_eq!(names(&dead[1]), ["notes.txt"]);
        assert_eq!(names(&alive.path).len(), FILES + 1);
    }

    #[test]
    #[cfg(unix)]
    fn links_are_not_followed() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let (parent, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(outside.path().join("frames-0"), "precious").unwrap();
        std::fs::write(outside.path().join(LOCK), "precious").unwrap();
        std::fs::set_permissions(outside.path().join(LOCK), std::fs::Permissions::from_mode(0o600)).unwrap();
        // The folder a link, the marker a link, a data file a link.
        symlink(outside.path(), parent.path().join("lensflow-spill-folder")).unwrap();
        let folder = abandoned(parent.path());
        std::fs::remove_file(folder.join(LOCK)).unwrap();
        symlink(outside.path().join(LOCK), folder.join(LOCK)).unwrap();
        let data = abandoned(parent.path());
        symlink(outside.path().join("frames-0"), data.join("frames-9")).unwrap();
        // Open to others: somebody else may have put things there.
        let open = abandoned(parent.path());
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o755)).unwrap();
        sweep(parent.path()).unwrap();
        assert_eq!(names(outside.path()), ["frames-0", LOCK]);
        assert!(folder.join("frames-0").exists() && open.join("frames-0").exists());
        assert!(!data.exists());
    }

    /// Runs that begin, end, die and sweep at the same time lose nothing that is in use.
    #[test]
    fn sweepers_and_makers_race() {
        let parent = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for round in 0..25 {
                        if round % 3 == 0 {
                            abandoned(parent.path());
                        }
                        let folder = Folder::make(parent.path()).unwrap();
                        sweep(parent.path()).unwrap();
                        assert!(is_at(folder.lock.as_ref().unwrap(), &folder.path.join(LOCK)));
                        assert_eq!(names(&folder.path).len(), FILES + 1);
                    }
                });
            }
        });
        sweep(parent.path()).unwrap();
        assert!(names(parent.path()).is_empty(), "{:?}", names(parent.path()));
    }
}
