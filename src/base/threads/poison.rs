//! The poison that ends a run: the first fault of any thread, told to all of them.

use crate::base::cancel::Cancel;
use crate::base::error::Error;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The first fault of a run.
///
/// Which fault is the first must not depend on which thread is faster. Chunks are numbered in the order of the input: a fault in one stops
/// the work on later chunks only, so that earlier ones can still show an earlier fault. Faults outside any chunk stop everything.
#[derive(Debug)]
pub(crate) struct Poison {
    /// The number of the earliest chunk at fault.
    chunk: AtomicU64,
    first: Mutex<Option<(u64, Error)>>,
    /// Ends the run like a fault, whatever else is at fault.
    pub(crate) cancel: Cancel,
}

/// The number of faults that no chunk caused; chunks count from 1.
pub(crate) const OUTSIDE: u64 = 0;

impl Poison {
    pub(crate) fn new(cancel: Cancel) -> Self {
        Poison { chunk: AtomicU64::new(u64::MAX), first: Mutex::new(None), cancel }
    }

    /// Records a fault that no chunk caused.
    pub(crate) fn set(&self, error: Error) {
        self.set_in_chunk(OUTSIDE, error);
    }

    /// Records a fault in a chunk.
    pub(crate) fn set_in_chunk(&self, chunk: u64, error: Error) {
        // A thread that was stopped by another's fault has no fault of its own.
        let rank = if error.is_echo() { u64::MAX } else { chunk };
        if let Ok(mut first) = self.first.lock()
            && first.as_ref().is_none_or(|(known, _)| rank < *known)
        {
            *first = Some((rank, error));
        }
        self.chunk.fetch_min(chunk, Ordering::AcqRel);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.chunk.load(Ordering::Acquire) != u64::MAX || self.cancel.is_cancelled()
    }

    /// Whether work on a chunk is of no more use.
    pub(crate) fn stops(&self, chunk: u64) -> bool {
        self.chunk.load(Ordering::Acquire) < chunk || self.cancel.is_cancelled()
    }

    /// Takes the cause. The caller of a poisoned run gets it once; asking again says that it is over.
    pub(crate) fn take(&self) -> Error {
        if let Err(cancelled) = self.cancel.check() {
            return cancelled;
        }
        // A thread that notices the end may be faster than the one that caused it.
        for _ in 0..50 {
            let waits = self.first.lock().is_ok_and(|first| first.as_ref().map_or(!self.is_set(), |(_, e)| e.is_echo()));
            if !waits {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let first = self.first.lock().ok().and_then(|mut first| first.take());
        first.map_or_else(|| Error::internal("the pipeline has failed before"), |(_, error)| error)
    }
}
