//! Quarantine: a folder for files that cannot be taken in, each with a text that says why.

use crate::base::error::{Error, Result};
use crate::spill::Io;
use crate::spill::folder::part_name;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Puts a file aside, with what is wrong with it, and says where it is now. Its reason is there before it is.
pub(super) fn put(file: &Path, folder: &Path, reason: &Error) -> Result<PathBuf> {
    let fail = |doing: &str, e| Error::io(format!("cannot {doing} the quarantine"), e).input(folder.to_string_lossy());
    fs::create_dir_all(folder).map_err(|e| fail("make", e))?;
    let place = free(folder, file);
    let mut text = format!("{reason}\n");
    if let Some(help) = reason.advice() {
        text += &format!("help: {help}\n");
    }
    text += &format!("It was {}, and nothing of it was taken in.\n", file.display());
    let beside = place.with_file_name(format!("{}.reason.txt", name(&place)));
    let io = Io::default();
    let written = io.create(&beside).and_then(|mut file| io.write(&mut file, text.as_bytes()));
    written.map_err(|e| fail("write a reason into", e))?;
    rename(file, &place).map_err(|e| fail("move a file into", e))?;
    Ok(place)
}

/// Moves a file into a folder, which is made at need, with the name of another.
pub(super) fn move_as(file: &Path, named: &Path, folder: &Path) -> Result<()> {
    let moved = fs::create_dir_all(folder).and_then(|()| rename(file, &free(folder, named)));
    moved.map_err(|e| Error::io("cannot be moved", e).input(named.to_string_lossy()))
}

/// Renames a file, also to another disk.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(e) if e.kind() == io::ErrorKind::CrossesDevices => {
            // Complete before it has its name.
            let part = to.with_file_name(part_name(&format!(".{}", name(to))));
            let io = Io::default();
            let mut copy = io.create(&part)?;
            io::copy(&mut io.open(from)?, &mut copy)?;
            io.publish(&copy, &part, to)?;
            fs::remove_file(from)
        }
        renamed => renamed,
    }
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

    #[test]
    fn nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let aside = folder.path().join("aside");
        for (content, place) in [("a", "x.csv.gz"), ("b", "x-2.csv.gz"), ("c", "x-3.csv.gz")] {
            let file = folder.path().join("x.csv.gz");
            fs::write(&file, content).unwrap();
            assert_eq!(put(&file, &aside, &Error::data("it is bad").help("mend it")).unwrap(), aside.join(place));
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
        put(&folder.path().join("x.csv"), &aside, &Error::data("it is bad")).unwrap();
        assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
        assert!(fs::read_to_string(aside.join("x.csv.reason.txt")).unwrap().starts_with("it is bad"));
    }
}
