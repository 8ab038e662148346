//! A folder with one owner: made or opened, locked, swept of what a killed process left, and removed or kept at the end.
//!
//! | folder | made by | lock file | at the end |
//! |---|---|---|---|
//! | a run's spilled data, `lensflow-spill-XXXXXX` | [`make`](LockedFolder::make) | `lensflow.lock` | removed |
//! | a state, a checkpoint, the spool of a stream | [`lock`](LockedFolder::lock) | `LOCK`, with the owner's process number | kept |
//!
//! The lock lasts as long as its owner lives: the system gives up the locks of a killed process. So a lock that can be taken says that the
//! owner is dead, and what it left may be removed. Process numbers, which are used again, decide nothing. Output files have no folder of their
//! own and are locked one by one; [`sweep_parts`] removes those whose owner is dead.
//!
//! A sweep may meet a folder that is just being made. The maker locks first and then checks that the lock file is still the one in the
//! folder; if a sweep was faster, another folder is made. A sweep checks that, too, and that the folder is private and belongs to its own
//! user. It removes files by the names that they are given here, never the target of a link, and the lock file last.
//!
//! Limits: machines that share a network disk must not be granted one lock at the same time.

use super::io::{Io, is_no_file};
use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The lock file of a folder that is kept.
pub(crate) const LOCK: &str = "LOCK";
/// The lock file of a folder that is removed.
const PRIVATE_LOCK: &str = "lensflow.lock";
/// The beginning of the names of folders that are removed.
const PREFIX: &str = "lensflow-spill-";
/// The beginning of the names of their data files.
const DATA: &str = "frames-";
/// Data files that a folder has at most.
const MOST_DATA: usize = 16;
/// New folders that sweeps may take away before making one fails. More than chance would explain.
const ATTEMPTS: usize = 100;
/// Files younger than this are not swept: they may be too new to be locked.
const NEW: Duration = Duration::from_secs(60);

/// A folder that this process owns until it is dropped.
#[derive(Debug)]
pub(crate) struct LockedFolder {
    path: PathBuf,
    /// The open lock file. None while the folder is being made, and where nothing can be locked.
    lock: Option<File>,
    /// Whether the folder is removed on drop.
    is_temporary: bool,
}

/// Why a folder could not be locked.
#[derive(Debug)]
pub(crate) enum NotLocked {
    /// Another process owns it; its number, where that could be read.
    Taken(Option<String>),
    /// The lock file cannot be opened or locked.
    Failed(io::Error),
}

impl LockedFolder {
    /// Makes a private folder below another one. It is removed on drop.
    pub(super) fn make(parent: &Path, io: &Io) -> io::Result<Self> {
        for _ in 0..ATTEMPTS {
            let mut builder = tempfile::Builder::new();
            builder.prefix(PREFIX);
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                builder.permissions(std::fs::Permissions::from_mode(0o700));
            }
            let path = io.perform(|| builder.tempdir_in(parent))?.keep();
            let mut folder = LockedFolder { path, lock: None, is_temporary: true };
            let marker = folder.path.join(PRIVATE_LOCK);
            let lock = io.perform(|| create(&marker))?;
            match lock_at(&lock, &marker) {
                Ok(()) => folder.lock = Some(lock),
                // Where nothing can be locked, nothing is swept either.
                Err(TryLockError::Error(_)) => {}
                Err(TryLockError::WouldBlock) => {
                    std::mem::forget(folder);
                    continue;
                }
            }
            return Ok(folder);
        }
        Err(io::Error::other("others remove every folder that is made there"))
    }

    /// Locks a folder that is there. It is kept on drop.
    pub(crate) fn lock(path: &Path, io: &Io) -> Result<Self, NotLocked> {
        let marker = path.join(LOCK);
        if is_no_file(&marker) {
            return Err(NotLocked::Failed(io::Error::other("its lock file is a link or a pipe, and must be a file")));
        }
        let opened = io.perform(|| File::options().create(true).read(true).append(true).open(&marker));
        let mut lock = opened.map_err(NotLocked::Failed)?;
        match lock_at(&lock, &marker) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                let _ = lock.read_to_string(&mut owner);
                return Err(NotLocked::Taken(owner.lines().next_back().map(str::to_owned)));
            }
            Err(TryLockError::Error(e)) => return Err(NotLocked::Failed(e)),
        }
        // For messages of processes that find it locked. It is only a courtesy.
        let _ = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
        Ok(LockedFolder { path: path.to_owned(), lock: Some(lock), is_temporary: false })
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes one of the data files of a folder that is removed.
    pub(super) fn create_data(&self, number: usize, io: &Io) -> io::Result<File> {
        io.perform(|| create(&self.path.join(format!("{DATA}{number}"))))
    }

    /// Removes the files of the folder that are leftovers by their names, as many as can be.
    ///
    /// # Errors
    /// The first error of removing one, or of listing the folder.
    pub(crate) fn sweep(&self, is_leftover: impl Fn(&str) -> bool) -> io::Result<()> {
        remove_files(&self.path, is_leftover)
    }

    /// Removes the folder from the disk before it is dropped: its data files, the lock file, and the folder if nothing else is in it. What
    /// cannot be removed now is swept later.
    pub(crate) fn remove(&self) {
        let _ = match self.is_temporary {
            true => remove_private(&self.path),
            false => std::fs::remove_file(self.path.join(LOCK)).and_then(|()| std::fs::remove_dir(&self.path)),
        };
    }

    /// Writes a file anew as a whole: under another name first, then renamed into its place. Names that were made in the folder before are on
    /// the disk before the new file has its name.
    ///
    /// # Errors
    /// When that fails; the file that was there is then still there, unless only the last step failed, after which either may be.
    pub(crate) fn replace(&self, name: &str, bytes: &[u8], io: &Io) -> io::Result<()> {
        let part = self.path.join(part_name(name));
        let mut file = io.create(&part)?;
        io.write(&mut file, bytes)?;
        io.sync(&file)?;
        io.sync_folder(&self.path)?;
        io.rename(&part, &self.path.join(name))?;
        io.sync_folder(&self.path)
    }
}

impl Drop for LockedFolder {
    fn drop(&mut self) {
        if self.is_temporary {
            self.remove();
        }
        // Closing it would do, if no thread were starting a process just now: until that has become another program, it holds the file, too.
        let _ = self.lock.as_ref().map(File::unlock);
    }
}

/// The end of the names of files that are not complete.
pub(crate) const PART: &str = ".part";

/// The name that a file has until it is complete.
pub(crate) fn part_name(name: &str) -> String {
    format!("{name}{PART}")
}

/// A file without a name tells whether files can be made in a folder, and to which user they belong.
pub(super) fn probe(parent: &Path) -> io::Result<Metadata> {
    // The error's own text would name a file that the user has never heard of.
    tempfile::tempfile_in(parent).map_err(|e| e.raw_os_error().map_or_else(|| e.kind().into(), io::Error::from_raw_os_error))?.metadata()
}

/// Removes the private folders of owners that died. Folders that cannot be removed stay.
///
/// # Errors
/// When the parent cannot be listed or written to.
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

/// Removes a private folder if its owner died. False where the owner lives, or the folder is another user's or something else.
fn sweep_one(path: &Path, own: &Metadata) -> io::Result<bool> {
    let (folder, marker) = (path.symlink_metadata()?, path.join(PRIVATE_LOCK));
    let file = marker.symlink_metadata()?;
    if !folder.is_dir() || !file.is_file() || !is_private(&folder, own) || !is_private(&file, own) {
        return Ok(false);
    }
    let lock = OpenOptions::new().read(true).write(true).open(&marker)?;
    if lock_at(&lock, &marker).is_err() {
        return Ok(false);
    }
    remove_private(path).map(|()| true)
}

/// Removes incomplete files whose owner died, by the beginning of their names: those that are not new and can be locked.
pub(crate) fn sweep_parts(folder: &Path, prefix: &str) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if !entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix) && name.ends_with(PART)) {
            continue;
        }
        // Opening a named pipe would wait, and a link may lead anywhere.
        let Some(about) = entry.metadata().ok().filter(Metadata::is_file) else { continue };
        let age = about.modified().ok().and_then(|time| time.elapsed().ok());
        let is_dead = || File::options().write(true).open(entry.path()).is_ok_and(|file| lock_at(&file, &entry.path()).is_ok());
        if age.is_some_and(|age| age > NEW) && is_dead() {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Removes the data files of a private folder, and then the folder. The caller holds the lock. Its file goes last: without it, nothing of
/// the folder is ever swept.
fn remove_private(path: &Path) -> io::Result<()> {
    if let Err(e) = remove_files(path, |name| name.starts_with(DATA)) {
        // To list a folder takes memory, and there may be none left.
        (0..MOST_DATA).for_each(|number| drop(std::fs::remove_file(path.join(format!("{DATA}{number}")))));
        if e.kind() != io::ErrorKind::OutOfMemory {
            return Err(e);
        }
    }
    // A folder that was just made may lack it.
    let _ = std::fs::remove_file(path.join(PRIVATE_LOCK));
    std::fs::remove_dir(path)
}

/// Removes files of a folder by their names, as many as can be. Gives the first error.
fn remove_files(folder: &Path, wanted: impl Fn(&str) -> bool) -> io::Result<()> {
    let mut result = Ok(());
    for entry in std::fs::read_dir(folder)? {
        let removed = entry.and_then(|entry| match wanted(&entry.file_name().to_string_lossy()) {
            true => std::fs::remove_file(entry.path()),
            false => Ok(()),
        });
        result = result.and(removed);
    }
    result
}

/// Locks an open file that must be the one at a path.
fn lock_at(file: &File, path: &Path) -> Result<(), TryLockError> {
    file.try_lock()?;
    if is_at(file, path) { Ok(()) } else { Err(TryLockError::WouldBlock) }
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

/// Whether a file belongs to the user of `own`, and other users have no access.
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

    /// Data files of a folder, for tests.
    const FILES: usize = 4;

    /// The names in a folder, sorted.
    pub(in crate::spill) fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// A folder with data files.
    fn made(parent: &Path) -> LockedFolder {
        let folder = LockedFolder::make(parent, &Io::default()).unwrap();
        (0..FILES).for_each(|number| drop(folder.create_data(number, &Io::default()).unwrap()));
        folder
    }

    /// A folder as a killed process leaves it, with the lock given up by the system.
    pub(in crate::spill) fn abandoned(parent: &Path) -> PathBuf {
        let mut folder = made(parent);
        std::fs::write(folder.path.join("frames-0"), b"lost").unwrap();
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
        let folder = made(parent.path());
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder.path), 0o700);
        for name in names(&folder.path) {
            assert_eq!(mode(&folder.path.join(name)), 0o600);
        }
    }

    #[test]
    fn only_what_the_dead_left_is_swept() {
        let parent = tempfile::tempdir().unwrap();
        let alive = made(parent.path());
        let dead = [abandoned(parent.path()), abandoned(parent.path())];
        let foreign = parent.path().join("lensflow-spill-notes");
        std::fs::create_dir(&foreign).unwrap();
        std::fs::write(foreign.join("notes.txt"), "mine").unwrap();
        // One folder of ours holds something that is not.
        std::fs::write(dead[1].join("notes.txt"), "mine too").unwrap();
        sweep(parent.path()).unwrap();
        assert!(alive.path.join(PRIVATE_LOCK).exists() && foreign.join("notes.txt").exists());
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
        std::fs::write(outside.path().join(PRIVATE_LOCK), "precious").unwrap();
        std::fs::set_permissions(outside.path().join(PRIVATE_LOCK), std::fs::Permissions::from_mode(0o600)).unwrap();
        // The folder a link, the marker a link, a data file a link.
        symlink(outside.path(), parent.path().join("lensflow-spill-folder")).unwrap();
        let folder = abandoned(parent.path());
        std::fs::remove_file(folder.join(PRIVATE_LOCK)).unwrap();
        symlink(outside.path().join(PRIVATE_LOCK), folder.join(PRIVATE_LOCK)).unwrap();
        let data = abandoned(parent.path());
        symlink(outside.path().join("frames-0"), data.join("frames-9")).unwrap();
        // Open to others: another user may have put things there.
        let open = abandoned(parent.path());
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o755)).unwrap();
        sweep(parent.path()).unwrap();
        assert_eq!(names(outside.path()), ["frames-0", PRIVATE_LOCK]);
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
                        let folder = made(parent.path());
                        sweep(parent.path()).unwrap();
                        assert!(is_at(folder.lock.as_ref().unwrap(), &folder.path.join(PRIVATE_LOCK)));
                        assert_eq!(names(&folder.path).len(), FILES + 1);
                    }
                });
            }
        });
        sweep(parent.path()).unwrap();
        assert!(names(parent.path()).is_empty(), "{:?}", names(parent.path()));
    }

    #[test]
    fn a_kept_folder_has_one_owner() {
        let parent = tempfile::tempdir().unwrap();
        let lock = || LockedFolder::lock(parent.path(), &Io::default());
        let folder = lock().unwrap();
        let own = std::process::id().to_string();
        assert!(matches!(lock(), Err(NotLocked::Taken(Some(owner))) if owner == own));
        folder.replace("record", b"one", &Io::default()).unwrap();
        std::fs::write(parent.path().join("record.part"), "killed").unwrap();
        folder.sweep(|name| name.ends_with(".part")).unwrap();
        drop(folder);
        assert_eq!(names(parent.path()), [LOCK, "record"]);
        let folder = lock().unwrap();
        folder.remove();
        assert_eq!(names(parent.path()), ["record"], "what is not ours stays");
        assert_eq!(std::fs::read(parent.path().join("record")).unwrap(), b"one");
    }

    #[test]
    fn files_of_the_living_are_not_swept() {
        let parent = tempfile::tempdir().unwrap();
        let old = std::time::SystemTime::now() - 2 * NEW;
        let make = |name: &str, time| {
            let file = File::create(parent.path().join(name)).unwrap();
            file.set_modified(time).unwrap();
            file
        };
        let alive = make(".out.alive.part", old);
        alive.try_lock().unwrap();
        drop((make(".out.dead.part", old), make(".out.new.part", std::time::SystemTime::now()), make(".other.dead.part", old)));
        sweep_parts(parent.path(), ".out.");
        assert_eq!(names(parent.path()), [".other.dead.part", ".out.alive.part", ".out.new.part"]);
    }
}
