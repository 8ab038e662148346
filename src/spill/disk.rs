//! Frames on disk: a few files that only grow, in a private [`Folder`] that is gone when the run is.
//!
//! Nothing is made before the first frame comes. A frame is one write at its own place in a file, so threads do not wait for each other,
//! and one read. Limits: space is not given back before the end.
//!
//! What killed processes left is swept away when a process first gets a disk below a folder, whether it is ever written to or not: the
//! next run of the command gives the space back, however small it is. Once is enough. A program that builds pipeline after pipeline need
//! not list a folder for each that never spills, and those who die meanwhile are for the next process.

use super::folder::{FILES, Folder, probe, sweep};
use super::store::{Counters, Place, RunStore};
use crate::base::bytes::positional::{read_at, write_at};
use crate::base::cancel::Discard;
use crate::base::error::{Error, Result};
use crate::base::threads::lock;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, OnceLock};

/// The folders that this process has swept.
static SWEPT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Frames in files.
#[derive(Debug)]
pub struct Disk {
    parent: PathBuf,
    folder: OnceLock<Folder>,
    /// Held while the folder is made or discarded; true when there may be none any more.
    discarded: Mutex<bool>,
    /// Where the files end.
    ends: [AtomicU64; FILES],
    /// Frames go to one file after the other.
    turn: AtomicU64,
    counters: Counters,
}

impl Disk {
    /// Frames below the system's folder for temporary files. Whether it can be written to shows when something is spilled.
    pub fn temporary() -> Self {
        Self::below(std::env::temp_dir())
    }

    /// Frames below a folder, if one is said, else below the system's.
    ///
    /// # Errors
    /// Those of [`new`](Disk::new).
    pub(crate) fn within(parent: Option<&Path>) -> Result<Self> {
        parent.map_or_else(|| Ok(Self::temporary()), Self::new)
    }

    /// Frames below a folder, which must exist.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn new(parent: &Path) -> Result<Self> {
        probe(parent).map_err(|e| failed("write to", parent, e))?;
        Ok(Self::below(parent.to_owned()))
    }

    fn below(parent: PathBuf) -> Self {
        // Leftovers harm nobody, so if they cannot be swept, they stay.
        let _ = sweep_once(&parent);
        Disk {
            parent,
            folder: OnceLock::new(),
            discarded: Mutex::default(),
            ends: Default::default(),
            turn: AtomicU64::new(0),
            counters: Counters::default(),
        }
    }

    fn folder(&self) -> io::Result<&Folder> {
        if let Some(folder) = self.folder.get() {
            return Ok(folder);
        }
        let discarded = lock(&self.discarded);
        match self.folder.get() {
            Some(folder) => Ok(folder),
            None if *discarded => Err(io::Error::other("the run has ended")),
            None => {
                let folder = Folder::make(&self.parent)?;
                Ok(self.folder.get_or_init(|| folder))
            }
        }
    }

    fn append(&self, frame: &[u8]) -> io::Result<Place> {
        let folder = self.folder()?;
        let file = (self.turn.fetch_add(1, Relaxed) % FILES as u64) as usize;
        // What fails leaves a hole.
        let at = self.ends[file].fetch_add(frame.len() as u64, Relaxed);
        write_at(&folder.files[file], frame, at)?;
        self.counters.written.fetch_add(frame.len() as u64, Relaxed);
        Ok(Place::Disk { file, at, length: frame.len() })
    }
}

impl Discard for Disk {
    fn discard(&self) {
        // Held to the end: whoever else discards it returns when it is gone.
        let mut discarded = lock(&self.discarded);
        *discarded = true;
        self.folder.get().into_iter().for_each(Folder::remove);
    }
}

impl RunStore for Disk {
    fn put(&self, frame: &[u8]) -> Result<Place> {
        self.append(frame).map_err(|e| failed("write to", &self.parent, e))
    }

    fn get<'a>(&self, place: &'a Place, room: &'a mut Vec<u8>) -> Result<&'a [u8]> {
        let (Some(folder), &Place::Disk { file, at, length }) = (self.folder.get(), place) else {
            return Err(Error::internal("a frame was looked for in the wrong store"));
        };
        room.resize(length, 0);
        read_at(&folder.files[file], room, at).map_err(|e| failed("read back from", &self.parent, e))?;
        Ok(room)
    }

    fn counters(&self) -> &Counters {
        &self.counters
    }
}

fn sweep_once(parent: &Path) -> io::Result<()> {
    let folder = parent.canonicalize()?;
    let mut swept = lock(&SWEPT);
    if !swept.contains(&folder) {
        sweep(&folder)?;
        swept.insert(folder);
    }
    Ok(())
}

fn failed(doing: &str, parent: &Path, cause: io::Error) -> Error {
    Error::io(format!("cannot {doing} the spill folder {}", parent.display()), cause)
        .help("give another folder with `spill_dir` or more memory with `memory_limit`")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::spill::folder::tests::{abandoned, names};

    #[test]
    fn frames_come_back_from_many_threads() {
        let parent = tempfile::tempdir().unwrap();
        let disk = Disk::new(parent.path()).unwrap();
        assert!(names(parent.path()).is_empty(), "nothing was spilled yet");
        std::thread::scope(|scope| {
            for thread in 0..4u8 {
                let disk = &disk;
                scope.spawn(move || {
                    let frames: Vec<Vec<u8>> = (0..50).map(|i| vec![thread * 50 + i; usize::from(i) * 7]).collect();
                    let places: Vec<Place> = frames.iter().map(|frame| disk.put(frame).unwrap()).collect();
                    let mut room = vec![1; 20];
                    for (place, frame) in places.iter().zip(&frames).rev() {
                        assert_eq!(disk.get(place, &mut room).unwrap(), frame);
                    }
                });
            }
        });
        assert_eq!(disk.counters().written.load(Relaxed), 4 * 7 * (0..50).sum::<u64>());
        assert_eq!(names(parent.path()).len(), 1);
        drop(disk);
        assert!(names(parent.path()).is_empty(), "the folder was left behind");
    }

    #[test]
    fn a_folder_is_swept_once() {
        let parent = tempfile::tempdir().unwrap();
        let dead = abandoned(parent.path());
        Disk::new(parent.path()).unwrap();
        assert!(!dead.exists(), "nothing was written, but the dead are gone");
        let later = abandoned(parent.path());
        Disk::new(&parent.path().join(".")).unwrap();
        assert!(later.exists(), "swept again");
    }

    #[test]
    fn failures_name_the_folder_and_the_way_out() {
        let parent = tempfile::tempdir().unwrap();
        let missing = parent.path().join("missing");
        let error = Disk::new(&missing).unwrap_err();
        assert!(error.to_string().contains("missing") && error.advice().unwrap().contains("`spill_dir`"), "{error}");
        let disk = Disk::below(missing);
        assert_eq!(disk.put(b"x").unwrap_err().kind(), crate::base::error::Kind::Io);
        // Shorter than it was.
        let disk = Disk::new(parent.path()).unwrap();
        let place = disk.put(b"x").unwrap();
        disk.folder.get().unwrap().files[0].set_len(0).unwrap();
        assert!(disk.get(&place, &mut Vec::new()).is_err());
    }

    /// A full disk is an error with advice, and what there is of the frame goes with the rest.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_an_error() {
        let parent = tempfile::tempdir().unwrap();
        let mut folder = Folder::make(parent.path()).unwrap();
        folder.files[0] = std::fs::OpenOptions::new().read(true).write(true).open("/dev/full").unwrap();
        let disk = Disk::below(parent.path().to_owned());
        disk.folder.set(folder).unwrap();
        let error = disk.put(b"too much").unwrap_err();
        assert!(error.to_string().contains(&*parent.path().to_string_lossy()), "{error}");
        assert!(error.advice().unwrap().contains("`memory_limit`"));
        assert!(disk.put(b"elsewhere").is_ok());
        drop(disk);
        assert!(names(parent.path()).is_empty());
    }
}
