//! Quarantine: a folder for files that cannot be taken in, each with a text that says why.

use crate::base::error::{Error, Result};
use crate::spill::Io;
use crate::spill::folder::part_name;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Puts a file aside, with what is wrong with it, and says where it is now. Its reason is there before it is.
pub(super) fn put(file: &Path, folder: &Path, reason: &Error, io: &Io) -> Result<PathBuf> {
    let fail = |doing: &str, e| Error::io(format!("cannot {doing} the quarantine"), e).input(folder.to_string_lossy());
    io.make_folder(folder).map_err(|e| fail("make", e))?;
    let place = free(folder, file);
    let mut text = format!("{reason}\n");
    if let Some(help) = reason.advice() {
        text += &format!("help: {help}\n");
    }
    text += &format!("It was {}, and nothing of it was taken in.\n", file.display());
    let beside = place.with_file_name(format!("{}.reason.txt", name(&place)));
    let written = io.create(&beside).and_then(|mut file| io.write(&mut file, text.as_bytes()));
    let put = written
        .map_err(|e| fail("write a reason into", e))
        .and_then(|()| rename(file, &place, io).map_err(|e| fail("move a file into", e)));
    if put.is_err() && !place.exists() {
        // A reason without a file would only puzzle.
        let _ = io.remove(&beside);
    }
    put.map(|()| place)
}

/// Moves a file into a folder, which is made at need, with the name of another.
pub(super) fn move_as(file: &Path, named: &Path, folder: &Path, io: &Io) -> Result<()> {
    let moved = io.make_folder(folder).and_then(|()| rename(file, &free(folder, named), io));
    moved.map_err(|e| Error::io("cannot be moved", e).input(named.to_string_lossy()))
}

/// Renames a file, also to another disk.
fn rename(from: &Path, to: &Path, io: &Io) -> io::Result<()> {
    match io.rename(from, to) {
        Err(e) if e.kind() == io::ErrorKind::CrossesDevices => copy_over(from, to, io),
        renamed => renamed,
    }
}

/// Copies a file, which is complete before it has its name, and removes the first. When that fails, the first is still there.
fn copy_over(from: &Path, to: &Path, io: &Io) -> io::Result<()> {
    let part = to.with_file_name(part_name(&format!(".{}", name(to))));
    let copied = io.create(&part).and_then(|mut copy| {
        let (mut file, mut block) = (io.open(from)?, vec![0; 1 << 20]);
        loop {
            match file.read(&mut block)? {
                0 => break,
                read => io.write(&mut copy, &block[..read])?,
            }
        }
        io.publish(&copy, &part, to)
    });
    copied.inspect_err(|_| drop(io.remove(&part)))?;
    io.remove(from)
}

/// A place for a file where none is: under its name, or one with a number.
fn free(folder: &Path, file: &Path) -> PathBuf {
    let name = name(file);
    let (stem, extensions) = name.split_once('.').map_or((&name[..], String::new()), |(stem, rest)| (stem, format!(".{rest}")));
    let numbered = (2..).map(|n| folder.join(format!("{stem}-{n}{extensions}")));
    let mut places = std::iter::once(folder.join(&name)).chain(numbered);
    places.find(|place| !place.exists()).unwrap_or_else(|| folder.join(&name))
}

fn name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::spill::Faults;
    use std::fs;
    use std::sync::Arc;

    #[test]
    fn nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let aside = folder.path().join("aside");
        for (content, place) in [("a", "x.csv.gz"), ("b", "x-2.csv.gz"), ("c", "x-3.csv.gz")] {
            let file = folder.path().join("x.csv.gz");
            fs::write(&file, content).unwrap();
            assert_eq!(put(&file, &aside, &Error::data("it is bad").help("mend it"), &Io::default()).unwrap(), aside.join(place));
            assert!(!file.exists() && fs::read_to_string(aside.join(place)).unwrap() == content);
            let reason = fs::read_to_string(aside.join(format!("{place}.reason.txt"))).unwrap();
            assert!(reason.starts_with("it is bad\nhelp: mend it\n"), "{reason}");
        }
    }
    #[test]
    #[cfg(unix)]
    fn nothing_is_written_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (aside, precious) = (folder.path().join("aside"), folder.path().join("precious"));
        fs::create_dir(&aside).unwrap();
        fs::write(&precious, "precious").unwrap();
        std::os::unix::fs::symlink(&precious, aside.join("x.csv.reason.txt")).unwrap();
        fs::write(folder.path().join("x.csv"), "a").unwrap();
        put(&folder.path().join("x.csv"), &aside, &Error::data("it is bad"), &Io::default()).unwrap();
        assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
        assert!(fs::read_to_string(aside.join("x.csv.reason.txt")).unwrap().starts_with("it is bad"));
    }

    /// Whichever operation fails, the file is in one of the two places, as a whole, and the next try succeeds.
    #[test]
    fn a_file_is_copied_to_another_disk_or_not() {
        const BYTES: usize = 3_000_000;
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("x.csv"), folder.path().join("there/x.csv"));
        let copy = |faults: Faults| {
            let _ = fs::remove_dir_all(folder.path().join("there"));
            fs::create_dir(folder.path().join("there")).unwrap();
            fs::write(&from, vec![7; BYTES]).unwrap();
            let faults = Arc::new(faults);
            let done = copy_over(&from, &to, &Io::faulty(faults.clone()));
            (done, faults.operations())
        };
        let (done, operations) = copy(Faults::new(u64::MAX));
        assert!(done.is_ok() && !from.exists() && operations > 6, "{operations}");
        for at in 0..operations {
            for make in [Faults::new, Faults::lasting, Faults::untold] {
                let (done, _) = copy(make(at));
                assert!(done.is_err());
                let whole = |path: &Path| fs::read(path).is_ok_and(|bytes| bytes == vec![7; BYTES]);
                assert!(whole(&from) || whole(&to), "operation {at}: the file is lost");
                assert!(!to.exists() || whole(&to), "operation {at}: half of it has its name");
            }
        }
    }
}
