//! Stores of frames: a [`RunStore`] takes bytes, says where they lie, and gives them back. It does not know their meaning.
//!
//! A run's stack is [`Tiered`] over [`Disk`](super::disk::Disk): frames stay in memory while a [`Budget`] has room, the others go to the
//! disk. Stores for tests are in `doubles`.
//!
//! A [`FrameRef`] belongs to the store that handed it out. Dropping one in memory frees its bytes; space on the disk comes back with the
//! store.

use super::budget::{Budget, Reservation};
use crate::base::cancel::Discard;
use crate::base::error::Result;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// Keeps frames. All of it may be called from many threads at once.
pub trait RunStore: Discard {
    /// Takes bytes in.
    ///
    /// # Errors
    /// When there is no room for them.
    fn put(&self, frame: &[u8]) -> Result<FrameRef>;

    /// The bytes of a frame. `scratch` is read into where they are not in memory already.
    ///
    /// # Errors
    /// When they cannot be read.
    fn get<'a>(&self, block: &'a FrameRef, scratch: &'a mut Vec<u8>) -> Result<&'a [u8]>;

    /// Counts of what was spilled so far.
    fn counters(&self) -> &Counters;
}

/// The place of a frame: its bytes in memory, or their position in a file.
#[derive(Debug)]
pub enum FrameRef {
    /// In memory, with its part of a budget where one counts it.
    Memory(Box<[u8]>, Option<Reservation>),
    /// In a file.
    Disk {
        /// Which of the store's files.
        file: usize,
        /// The first byte.
        at: u64,
        /// The number of bytes.
        length: usize,
    },
}

/// Counts of what was spilled so far.
#[derive(Debug, Default)]
pub struct Counters {
    /// Runs finished.
    pub runs: AtomicU64,
    /// Frames of these runs, wherever they went.
    pub frames: AtomicU64,
    /// Bytes of these frames.
    pub bytes: AtomicU64,
    /// Bytes written to files, of those.
    pub written: AtomicU64,
}

/// In memory while the budget has room, then in another store.
#[derive(Debug)]
pub struct Tiered {
    budget: Budget,
    next: Arc<dyn RunStore>,
}

impl Tiered {
    /// Keeps what the budget grants; the rest goes to `next`.
    pub fn new(budget: Budget, next: Arc<dyn RunStore>) -> Self {
        Tiered { budget, next }
    }
}

impl Discard for Tiered {
    fn discard(&self) {
        self.next.discard();
    }
}

impl RunStore for Tiered {
    fn put(&self, frame: &[u8]) -> Result<FrameRef> {
        match self.budget.reserve(frame.len() as u64) {
            Some(reservation) => Ok(FrameRef::Memory(frame.into(), Some(reservation))),
            None => self.next.put(frame),
        }
    }

    fn get<'a>(&self, block: &'a FrameRef, scratch: &'a mut Vec<u8>) -> Result<&'a [u8]> {
        match block {
            FrameRef::Memory(bytes, _) => Ok(bytes),
            FrameRef::Disk { .. } => self.next.get(block, scratch),
        }
    }

    fn counters(&self) -> &Counters {
        self.next.counters()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::spill::doubles::Memory;

    #[test]
    fn tiers_fill_and_empty() {
        let budget = Budget::new(10);
        let store = Tiered::new(budget.clone(), Arc::new(Memory::default()));
        let (first, second) = (store.put(b"sixsix").unwrap(), store.put(b"fives").unwrap());
        assert!(matches!((&first, &second), (FrameRef::Memory(_, Some(_)), FrameRef::Memory(_, None))));
        let scratch = &mut Vec::new();
        assert_eq!(store.get(&first, scratch).unwrap(), b"sixsix");
        assert_eq!(store.get(&second, scratch).unwrap(), b"fives");
        drop(first);
        assert_eq!(budget.reserved(), 0);
        assert!(matches!(store.put(b"again").unwrap(), FrameRef::Memory(_, Some(_))));
    }
}
