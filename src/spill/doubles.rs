//! Test doubles, only with the feature `testing` and in this crate's own tests: [`Memory`] keeps all frames, [`Faulty`] is a store that fails
//! when told to, and [`Faults`] lets a disk fail likewise.

use super::store::{Counters, FrameRef, RunStore};
use crate::base::cancel::Discard;
use crate::base::error::{Error, Result};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Everything in memory.
#[derive(Debug, Default)]
pub struct Memory(Counters);

impl Discard for Memory {}

impl RunStore for Memory {
    fn put(&self, frame: &[u8]) -> Result<FrameRef> {
        Ok(FrameRef::Memory(frame.into(), None))
    }

    fn get<'a>(&self, block: &'a FrameRef, _: &'a mut Vec<u8>) -> Result<&'a [u8]> {
        match block {
            FrameRef::Memory(bytes, _) => Ok(bytes),
            FrameRef::Disk { .. } => Err(Error::internal("a frame was looked for in the wrong store")),
        }
    }

    fn counters(&self) -> &Counters {
        &self.0
    }
}

/// Counts operations on a disk, and lets one of them fail, or all from one on.
#[derive(Debug)]
pub struct Faults {
    fails: std::ops::Range<u64>,
    /// What fails was done all the same.
    is_done: bool,
    operations: AtomicU64,
}

impl Faults {
    fn of(fails: std::ops::Range<u64>, is_done: bool) -> Self {
        Faults { fails, is_done, operations: AtomicU64::new(0) }
    }

    /// Lets the operation number `fails` fail, counted from 0.
    pub fn new(fails: u64) -> Self {
        Self::of(fails..fails.saturating_add(1), false)
    }

    /// Lets all operations fail from the number `fails` on.
    pub fn lasting(fails: u64) -> Self {
        Self::of(fails..u64::MAX, false)
    }

    /// Lets the operation number `fails` be done, and says that it failed: as a disk at the other end of a network may.
    pub fn untold(fails: u64) -> Self {
        Self::of(fails..fails.saturating_add(1), true)
    }

    /// The number of operations so far.
    pub fn operations(&self) -> u64 {
        self.operations.load(Relaxed)
    }

    /// Does an operation, or what is left of it when it fails.
    ///
    /// # Errors
    /// Its own, or when it is the one that fails.
    pub(crate) fn operate<T>(&self, whole: impl FnOnce() -> std::io::Result<T>, rest: impl FnOnce()) -> std::io::Result<T> {
        let wanted = || std::io::Error::other("a fault was wanted here");
        match self.fails.contains(&self.operations.fetch_add(1, Relaxed)) {
            true if self.is_done => whole().and_then(|_| Err(wanted())),
            true => {
                rest();
                Err(wanted())
            }
            false => whole(),
        }
    }
}

/// A store whose n-th operation fails, as if the disk had.
#[derive(Debug)]
pub struct Faulty<S> {
    next: S,
    faults: Faults,
}

impl<S: RunStore> Faulty<S> {
    /// Lets the operation number `fails` fail, counted from 0, be it a put or a get; the others go to `next`.
    pub fn new(next: S, fails: u64) -> Self {
        Faulty { next, faults: Faults::new(fails) }
    }

    /// The number of operations so far.
    pub fn operations(&self) -> u64 {
        self.faults.operations()
    }

    fn operate(&self, doing: &str) -> Result<()> {
        self.faults.operate(|| Ok(()), || ()).map_err(|e| Error::io(doing, e))
    }
}

impl<S: RunStore> Discard for Faulty<S> {
    fn discard(&self) {
        self.next.discard();
    }
}

impl<S: RunStore> RunStore for Faulty<S> {
    fn put(&self, frame: &[u8]) -> Result<FrameRef> {
        self.operate("cannot write a run")?;
        self.next.put(frame)
    }

    fn get<'a>(&self, block: &'a FrameRef, scratch: &'a mut Vec<u8>) -> Result<&'a [u8]> {
        self.operate("cannot read a run")?;
        self.next.get(block, scratch)
    }

    fn counters(&self) -> &Counters {
        self.next.counters()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_when_wanted() {
        let store = Faulty::new(Memory::default(), 2);
        let block = store.put(b"1").unwrap();
        let scratch = &mut Vec::new();
        assert!(store.get(&block, scratch).is_ok());
        assert!(store.put(b"2").is_err());
        assert!(store.put(b"3").is_ok());
        assert_eq!(store.operations(), 4);
        let elsewhere = FrameRef::Disk { file: 0, at: 0, length: 1 };
        assert!(Memory::default().get(&elsewhere, scratch).is_err());
    }
}
