//! What was read ahead of inputs that can be read only once, standard input and named pipes: a look at their beginning keeps it, and who
//! reads them next begins at their first byte.
//!
//! A process has one standard input, so that there is one such store. What comes through a pipe is kept in memory as far as it was looked
//! at; where all of it had to lie in a temporary file, that file is kept.

use super::files::STDIN;
use crate::base::threads::lock;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::sync::Mutex;

static KEPT: Mutex<BTreeMap<String, Kept>> = Mutex::new(BTreeMap::new());

/// The beginning of an input, and the reader of the rest.
struct Kept {
    bytes: Vec<u8>,
    rest: Box<dyn Read + Send>,
    /// All of it, uncompressed, where it was put into a file.
    spooled: Option<File>,
}

/// A reader of an input that can be read only once, from its first byte on. One that only looks keeps what it reads.
pub(super) fn open(name: &str, looks: bool) -> std::io::Result<Box<dyn Read + Send>> {
    let open = || -> std::io::Result<Box<dyn Read + Send>> {
        if name == STDIN { Ok(Box::new(std::io::stdin())) } else { Ok(Box::new(File::open(name)?)) }
    };
    let mut all = lock(&KEPT);
    if looks {
        if !all.contains_key(name) {
            all.insert(name.to_owned(), Kept { bytes: Vec::new(), rest: open()?, spooled: None });
        }
        return Ok(Box::new(Look { name: name.to_owned(), at: 0 }));
    }
    match all.remove(name) {
        None => open(),
        Some(Kept { spooled: Some(mut file), .. }) => {
            file.rewind()?;
            Ok(Box::new(file))
        }
        Some(kept) => Ok(Box::new(Cursor::new(kept.bytes).chain(kept.rest))),
    }
}

/// Keeps a file that holds all of an input, instead of what was read of it.
pub(super) fn spooled(name: &str, file: &File) -> std::io::Result<()> {
    if let Some(kept) = lock(&KEPT).get_mut(name) {
        kept.spooled = Some(file.try_clone()?);
        kept.bytes = Vec::new();
    }
    Ok(())
}

/// Reads an input's beginning, and keeps it.
struct Look {
    name: String,
    at: u64,
}

impl Read for Look {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut all = lock(&KEPT);
        let Some(kept) = all.get_mut(&self.name) else { return Ok(0) };
        let n = match &mut kept.spooled {
            Some(file) => {
                file.seek(SeekFrom::Start(self.at))?;
                file.read(buffer)?
            }
            None => {
                let at = usize::try_from(self.at).unwrap_or(usize::MAX);
                if at >= kept.bytes.len() {
                    let n = kept.rest.read(buffer)?;
                    kept.bytes.extend_from_slice(&buffer[..n]);
                    n
                } else {
                    (&kept.bytes[at..]).read(buffer)?
                }
            }
        };
        self.at += n as u64;
        Ok(n)
    }
}
