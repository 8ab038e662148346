//! Counts and fingerprints of inputs as their bytes go by: how many were read, and which they were, for inputs that can be read only once.

use crate::base::error::{Error, Result, Stage};
use crate::base::threads::lock;
use std::fs::File;
use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use xxhash_rust::xxh3::Xxh3;

/// A reader that counts what it gives.
pub(super) struct Counted<R> {
    pub(super) reader: R,
    pub(super) bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.reader.read(buffer)?;
        self.bytes.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// A reader of a file from its beginning that fails where the file has become shorter since it was opened: what is gone may have been rows.
pub(super) struct Whole {
    file: File,
    size: u64,
    read: u64,
}

impl Whole {
    /// Of a file that had so many bytes when it was opened.
    pub(super) fn new(file: File, size: u64) -> Self {
        Whole { file, size, read: 0 }
    }
}

impl Read for Whole {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.file.read(buffer)?;
        self.read += n as u64;
        if n == 0 && !buffer.is_empty() && self.read < self.size {
            let what = format!("it became shorter while it was read: it had {} bytes, and ends after {}", self.size, self.read);
            return Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, what));
        }
        Ok(n)
    }
}

/// The names, lengths and fingerprints of the inputs that can be read only once, as far as they were read.
#[derive(Clone, Default)]
pub(crate) struct Streamed(Arc<Mutex<Vec<(String, u64, Xxh3)>>>);

impl Streamed {
    /// Counts and fingerprints what is read of an input from here on.
    pub(super) fn follow<R: Read>(&self, name: &str, reader: R) -> Fingerprinted<R> {
        let mut all = lock(&self.0);
        all.push((name.to_owned(), 0, Xxh3::new()));
        Fingerprinted { reader, streamed: self.clone(), at: all.len() - 1 }
    }

    /// Takes out the names, lengths and fingerprints so far.
    pub(crate) fn take(&self) -> Vec<(String, u64, String)> {
        let all = std::mem::take(&mut *lock(&self.0));
        all.into_iter().map(|(name, bytes, hash)| (name, bytes, hexadecimal(&hash))).collect()
    }
}

/// A reader whose bytes are fingerprinted as they go by.
pub(super) struct Fingerprinted<R> {
    reader: R,
    streamed: Streamed,
    /// Its index among all of them.
    at: usize,
}

impl<R: Read> Read for Fingerprinted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.reader.read(buffer)?;
        if let Some((_, bytes, hash)) = lock(&self.streamed.0).get_mut(self.at) {
            *bytes += n as u64;
            hash.update(&buffer[..n]);
        }
        Ok(n)
    }
}

/// The length of a file, and a 128-bit hash of its bytes.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn fingerprint(path: &str) -> Result<(u64, String)> {
    let fail = |e| Error::io("cannot read", e).input(path).stage(Stage::Source);
    let mut file = File::open(path).map_err(fail)?;
    let (mut hash, mut bytes, mut scratch) = (Xxh3::new(), 0, vec![0; 1 << 18]);
    loop {
        match file.read(&mut scratch).map_err(fail)? {
            0 => return Ok((bytes, hexadecimal(&hash))),
            n => {
                bytes += n as u64;
                hash.update(&scratch[..n]);
            }
        }
    }
}

fn hexadecimal(hash: &Xxh3) -> String {
    format!("{:032x}", hash.digest128())
}
