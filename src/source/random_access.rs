//! An input whose bytes are read at any position: a file, or an object of a store. What threads read does not move each other's place.

#[cfg(feature = "cloud")]
use super::objects::{COLUMN, Object, Stretch};
#[cfg(feature = "cloud")]
use crate::base::threads::lock;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;
#[cfg(feature = "cloud")]
use std::sync::Mutex;

#[derive(Debug, Clone)]
pub(crate) enum RandomAccess {
    File(Arc<File>),
    /// An object, and the stretches that are read from front to back.
    #[cfg(feature = "cloud")]
    Object(Arc<Object>, Arc<[Mutex<Stretch>]>),
}

impl From<File> for RandomAccess {
    fn from(file: File) -> Self {
        RandomAccess::File(Arc::new(file))
    }
}

#[cfg(feature = "cloud")]
impl From<Arc<Object>> for RandomAccess {
    fn from(object: Arc<Object>) -> Self {
        RandomAccess::Object(object, Arc::new([]))
    }
}

impl RandomAccess {
    /// In bytes.
    pub(crate) fn size(&self) -> u64 {
        match self {
            RandomAccess::File(file) => file.metadata().map_or(0, |about| about.len()),
            #[cfg(feature = "cloud")]
            RandomAccess::Object(object, _) => object.size(),
        }
    }

    /// The same input, of which these stretches will be read from front to back: where bytes come from afar, some are asked for ahead.
    pub(crate) fn ahead(&self, stretches: impl Iterator<Item = Range<u64>>) -> Self {
        match self {
            RandomAccess::File(file) => {
                let _ = stretches;
                RandomAccess::File(file.clone())
            }
            #[cfg(feature = "cloud")]
            RandomAccess::Object(object, _) => {
                let within = |range: Range<u64>| range.start.min(object.size())..range.end.min(object.size());
                let blocks = stretches.map(within).map(|range| Mutex::new(Stretch::new(object.clone(), range, COLUMN)));
                RandomAccess::Object(object.clone(), blocks.collect())
            }
        }
    }

    /// Reads on from a position.
    pub(crate) fn read_from(&self, at: u64) -> ReadFrom {
        ReadFrom { input: self.clone(), at }
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        match self {
            RandomAccess::File(file) => {
                #[cfg(unix)]
                return std::os::unix::fs::FileExt::read_at(&**file, buffer, at);
                #[cfg(windows)]
                return std::os::windows::fs::FileExt::seek_read(&**file, buffer, at);
            }
            #[cfg(feature = "cloud")]
            RandomAccess::Object(object, stretches) => {
                for blocks in stretches.iter() {
                    let mut blocks = lock(blocks);
                    if blocks.has(at) {
                        return blocks.read_at(buffer, at);
                    }
                }
                let end = object.size().min(at.saturating_add(buffer.len() as u64));
                let bytes = if at < end { object.fetch(at..end)?.wait()? } else { return Ok(0) };
                buffer[..bytes.len()].copy_from_slice(&bytes);
                Ok(bytes.len())
            }
        }
    }
}

/// Reads on from a position.
#[derive(Debug)]
pub(crate) struct ReadFrom {
    input: RandomAccess,
    at: u64,
}

impl Read for ReadFrom {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read_at(buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}
