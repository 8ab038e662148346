//! Counts and fingerprints of inputs as their bytes go by: how many were read, and which they were, for inputs that can be read only once.

use super::format::{compression, read_head};
use super::objects::{self, is_url};
use crate::base::error::{Error, Result, Stage};
use crate::base::threads::lock;
use std::fs::File;
use std::io::{Read, Seek};
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
pub(crate) struct Streamed(Arc<Mutex<Vec<(String, u64, Hashes)>>>);

impl Streamed {
    /// Counts and fingerprints what is read of an input from here on.
    pub(super) fn follow<R: Read>(&self, name: &str, reader: R) -> Fingerprinted<R> {
        let mut all = lock(&self.0);
        all.push((name.to_owned(), 0, Hashes::default()));
        Fingerprinted { reader, streamed: self.clone(), at: all.len() - 1 }
    }

    /// Takes out the names and fingerprints so far.
    pub(crate) fn take(&self) -> Vec<(String, Fingerprint)> {
        let all = std::mem::take(&mut *lock(&self.0));
        let fingerprint = |bytes, hash: Hashes| hash.fingerprint(bytes);
        all.into_iter().map(|(name, bytes, hash)| (name, fingerprint(bytes, hash))).collect()
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

/// The length of an input and what its bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    pub(crate) bytes: u64,
    /// XXH3 of the bytes, 128 bits in hexadecimal.
    pub(crate) hash: String,
    /// Likewise of the text: without compression, a byte order mark and carriage returns. None where that is the same.
    pub(crate) content: Option<String>,
}

/// The hashes of bytes and of their text, which are one as long as they are the same.
#[derive(Clone, Default)]
struct Hashes {
    bytes: Xxh3,
    text: Option<Xxh3>,
    /// Whether they are text; not known before the first.
    are_text: Option<bool>,
}

const PARQUET: &[u8] = b"PAR1";
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl Hashes {
    fn update(&mut self, mut bytes: &[u8]) {
        let before = self.bytes.clone();
        self.bytes.update(bytes);
        if self.are_text.is_none() && !bytes.is_empty() {
            self.are_text = Some(!bytes.starts_with(PARQUET) && memchr::memchr(0, bytes).is_none());
            if let Some(rest) = bytes.strip_prefix(BYTE_ORDER_MARK) {
                (self.text, bytes) = (Some(before.clone()), rest);
            }
        }
        if self.are_text != Some(true) {
            return;
        }
        if self.text.is_none() && memchr::memchr(b'\r', bytes).is_some() {
            self.text = Some(before);
        }
        if let Some(text) = &mut self.text {
            bytes.split(|&byte| byte == b'\r').for_each(|line| text.update(line));
        }
    }

    fn fingerprint(self, bytes: u64) -> Fingerprint {
        Fingerprint { bytes, hash: hexadecimal(&self.bytes), content: self.text.as_ref().map(hexadecimal) }
    }
}

/// The length of a file, and the hashes of its bytes and its text. Of an object, what its store says of it.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn fingerprint(path: &str) -> Result<Fingerprint> {
    if is_url(path) {
        return objects::fingerprint(path);
    }
    let fail = |e| Error::io("cannot read", e).input(path).stage(Stage::Source);
    let file = File::open(path).map_err(fail)?;
    let mut found = hashed(file).map_err(fail)?;
    // What cannot be unpacked is an error when it is read.
    if let Ok(Some(unpacked)) = unpacked(path)
        && let Ok(Fingerprint { hash, content, .. }) = hashed(unpacked)
    {
        found.content = Some(content.unwrap_or(hash));
    }
    Ok(found)
}

/// The bytes that a compressed file holds; none where it is not compressed as a whole.
fn unpacked(path: &str) -> std::io::Result<Option<Box<dyn Read + Send>>> {
    let mut file = File::open(path)?;
    let head = read_head(&mut file)?;
    file.rewind()?;
    compression(&head).map(|compression| compression.reader(Box::new(file))).transpose()
}

fn hashed(mut reader: impl Read) -> std::io::Result<Fingerprint> {
    let (mut hashes, mut bytes, mut scratch) = (Hashes::default(), 0, vec![0; 1 << 18]);
    loop {
        match reader.read(&mut scratch)? {
            0 => return Ok(hashes.fingerprint(bytes)),
            n => {
                bytes += n as u64;
                hashes.update(&scratch[..n]);
            }
        }
    }
}

/// The hash of some bytes, as fingerprints have it.
#[cfg(feature = "cloud")]
pub(super) fn hash_of(bytes: &[u8]) -> String {
    let mut hash = Xxh3::default();
    hash.update(bytes);
    hexadecimal(&hash)
}

fn hexadecimal(hash: &Xxh3) -> String {
    format!("{:032x}", hash.digest128())
}
