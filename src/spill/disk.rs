//! Frames on disk: a few files that only grow, in a private [folder](LockedFolder) that is gone when the run is.
//!
//! Nothing is made before the first frame comes. A frame is one write at its own place in a file, so threads do not wait for each other,
//! and one read. Limits: space is not given back before the end.
//!
//! Folders of killed processes are swept away when a process first gets a disk below a parent folder, whether it ever spills or not: the
//! next run of the command gives the space back, however small it is. A process sweeps a parent once, so that a program with many
//! pipelines does not list it for each. Processes that die later are left to the next one.

use super::folder::{LockedFolder, probe, sweep};
use super::io::Io;
use super::store::{Counters, FrameRef, RunStore};
use crate::base::cancel::Discard;
use crate::base::error::{Error, Result};
use crate::base::threads::lock;
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, OnceLock};

/// Data files of a run: threads that write to different ones do not wait for each other.
const FILES: usize = 4;

/// The folders that this process has swept.
static SWEPT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// The data files of a run, and the folder that is removed with them. Files are closed before it is.
#[derive(Debug)]
struct DataFolder {
    files: Vec<File>,
    locked: LockedFolder,
}

impl DataFolder {
    fn make(parent: &Path, io: &Io) -> io::Result<Self> {
        let locked = LockedFolder::make(parent, io)?;
        let files = (0..FILES).map(|number| locked.create_data(number, io)).collect::<io::Result<_>>()?;
        Ok(DataFolder { files, locked })
    }
}

/// Frames in files.
#[derive(Debug)]
pub struct Disk {
    parent: PathBuf,
    io: Io,
    folder: OnceLock<DataFolder>,
    /// Held while the folder is made or discarded; true when there may be none any more.
    discarded: Mutex<bool>,
    /// The length of each file.
    ends: [AtomicU64; FILES],
    /// Frames go to one file after the other.
    turn: AtomicU64,
    counters: Counters,
}

impl Disk {
    /// Frames below the system's folder for temporary files. Whether it can be written to shows when something is spilled.
    pub fn temporary() -> Self {
        Self::below(std::env::temp_dir(), &Io::default())
    }

    /// Frames below a folder, if one is said, else below the system's; on a disk that may have faults.
    ///
    /// # Errors
    /// The errors of [`new`](Disk::new).
    pub(crate) fn within(parent: Option<&Path>, io: &Io) -> Result<Self> {
        parent.map_or_else(|| Ok(Self::below(std::env::temp_dir(), io)), |parent| Self::new_on(parent, io))
    }

    /// Frames below a folder, which must exist.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn new(parent: &Path) -> Result<Self> {
        Self::new_on(parent, &Io::default())
    }

    fn new_on(parent: &Path, io: &Io) -> Result<Self> {
        io.perform(|| probe(parent)).map_err(|e| failed("write to", parent, e))?;
        Ok(Self::below(parent.to_owned(), io))
    }

    fn below(parent: PathBuf, io: &Io) -> Self {
        // Leftovers do no harm: if they cannot be swept, they stay.
        let _ = sweep_once(&parent);
        Disk {
            parent,
            io: io.clone(),
            folder: OnceLock::new(),
            discarded: Mutex::default(),
            ends: Default::default(),
            turn: AtomicU64::new(0),
            counters: Counters::default(),
        }
    }

    fn folder(&self) -> io::Result<&DataFolder> {
        if let Some(folder) = self.folder.get() {
            return Ok(folder);
        }
        let discarded = lock(&self.discarded);
        match self.folder.get() {
            Some(folder) => Ok(folder),
            None if *discarded => Err(io::Error::other("the run has ended")),
            None => {
                let folder = DataFolder::make(&self.parent, &self.io)?;
                Ok(self.folder.get_or_init(|| folder))
            }
        }
    }

    fn append(&self, frame: &[u8]) -> io::Result<FrameRef> {
        let folder = self.folder()?;
        let file = (self.turn.fetch_add(1, Relaxed) % FILES as u64) as usize;
        // What fails leaves a hole.
        let at = self.ends[file].fetch_add(frame.len() as u64, Relaxed);
        self.io.write_at(&folder.files[file], frame, at)?;
        self.counters.written.fetch_add(frame.len() as u64, Relaxed);
        Ok(FrameRef::Disk { file, at, length: frame.len() })
    }
}

impl Discard for Disk {
    fn discard(&self) {
        // Held to the end, so that every call returns only when the folder is gone.
        let mut discarded = lock(&self.discarded);
        *discarded = true;
        self.folder.get().into_iter().for_each(|folder| folder.locked.remove());
    }
}

impl RunStore for Disk {
    fn put(&self, frame: &[u8]) -> Result<FrameRef> {
        self.append(frame).map_err(|e| failed("write to", &self.parent, e))
    }

    fn get<'a>(&self, block: &'a FrameRef, scratch: &'a mut Vec<u8>) -> Result<&'a [u8]> {
        let (Some(folder), &FrameRef::Disk { file, at, length }) = (self.folder.get(), block) else {
            return Err(Error::internal("a frame was looked for in the wrong store"));
        };
        scratch.resize(length, 0);
        self.io.read_at(&folder.files[file], scratch, at).map_err(|e| failed("read back from", &self.parent, e))?;
        Ok(scratch)
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
    use crate::spill::doubles::Faults;
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
                    let blocks: Vec<FrameRef> = frames.iter().map(|frame| disk.put(frame).unwrap()).collect();
                    let mut scratch = vec![1; 20];
                    for (block, frame) in blocks.iter().zip(&frames).rev() {
                        assert_eq!(disk.get(block, &mut scratch).unwrap(), frame);
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
        let disk = Disk::below(missing, &Io::default());
        assert_eq!(disk.put(b"x").unwrap_err().kind(), crate::base::error::Kind::Io);
        // Shorter than it was.
        let disk = Disk::new(parent.path()).unwrap();
        let block = disk.put(b"x").unwrap();
        disk.folder.get().unwrap().files[0].set_len(0).unwrap();
        assert!(disk.get(&block, &mut Vec::new()).is_err());
    }

    /// Whichever operation fails, it is an error; what was written before and after comes back, and nothing is left behind.
    #[test]
    fn any_operation_may_fail() {
        let through = |faults: Faults| {
            let parent = tempfile::tempdir().unwrap();
            let faults = std::sync::Arc::new(faults);
            let mut failed = 0;
            if let Ok(disk) = Disk::new_on(parent.path(), &Io::faulty(faults.clone())) {
                let frames: Vec<Vec<u8>> = (1..9).map(|i| vec![i; 100]).collect();
                let put: Vec<_> = frames.iter().map(|frame| disk.put(frame)).collect();
                for (put, frame) in put.iter().zip(&frames) {
                    let mut scratch = Vec::new();
                    match put.as_ref().map(|block| disk.get(block, &mut scratch)) {
                        Ok(Ok(read)) => assert_eq!(read, frame),
                        _ => failed += 1,
                    }
                }
            } else {
                failed = 1;
            }
            assert!(names(parent.path()).is_empty(), "{:?}", names(parent.path()));
            (faults.operations(), failed)
        };
        let (operations, failed) = through(Faults::new(u64::MAX));
        assert!(operations > 16 && failed == 0, "{operations}");
        for at in 0..operations {
            for make in [Faults::new, Faults::untold] {
                assert_eq!(through(make(at)).1, 1, "operation {at}");
            }
            assert!(through(Faults::lasting(at)).1 >= 1);
        }
    }

    /// A full disk is an error with advice, and what there is of the frame goes with the rest.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_an_error() {
        let parent = tempfile::tempdir().unwrap();
        let mut folder = DataFolder::make(parent.path(), &Io::default()).unwrap();
        folder.files[0] = std::fs::OpenOptions::new().read(true).write(true).open("/dev/full").unwrap();
        let disk = Disk::below(parent.path().to_owned(), &Io::default());
        disk.folder.set(folder).unwrap();
        let error = disk.put(b"too much").unwrap_err();
        assert!(error.to_string().contains(&*parent.path().to_string_lossy()), "{error}");
        assert!(error.advice().unwrap().contains("`memory_limit`"));
        assert!(disk.put(b"elsewhere").is_ok());
        drop(disk);
        assert!(names(parent.path()).is_empty());
    }
}
