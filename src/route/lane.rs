//! Lanes: bounded channels from every routing thread to every accumulator, the way back for empty buffers, and the poison that ends a run.
//!
//! The graph has no cycle that can block: rows flow forward through bounded channels, empty buffers flow back without waiting.
//! Whoever fails records the cause in [`Poison`] and drops its ends; everybody else notices at the next send or receive.

use super::rows::Rows;
use crate::error::Error;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Buffers that may wait in a lane: with 8 KiB each, 2 MiB a lane.
const BUFFERS_PER_LANE: usize = 256;
/// Empty buffers that may wait to be used again.
const SPARE_BUFFERS: usize = 4_096;

/// The first fault of a run.
///
/// Which fault is the first must not depend on which thread is faster. Chunks are numbered in the order of the input: a fault in one stops
/// the work on later chunks only, so that earlier ones can still show an earlier fault. Faults outside any chunk stop everything.
#[derive(Debug)]
pub(crate) struct Poison {
    /// The number of the earliest chunk at fault.
    chunk: AtomicU64,
    first: Mutex<Option<(u64, Error)>>,
}

/// The number of faults that no chunk caused; chunks count from 1.
const OUTSIDE: u64 = 0;

impl Default for Poison {
    fn default() -> Self {
        Poison { chunk: AtomicU64::new(u64::MAX), first: Mutex::new(None) }
    }
}

impl Poison {
    /// Records a fault that no chunk caused.
    pub(crate) fn set(&self, error: Error) {
        self.set_in_chunk(OUTSIDE, error);
    }

    /// Records a fault in a chunk.
    pub(crate) fn set_in_chunk(&self, chunk: u64, error: Error) {
        // A thread that was stopped by somebody's fault knows nothing of its own.
        let rank = if error.is_echo() { u64::MAX } else { chunk };
        if let Ok(mut first) = self.first.lock()
            && first.as_ref().is_none_or(|(known, _)| rank < *known)
        {
            *first = Some((rank, error));
        }
        self.chunk.fetch_min(chunk, Ordering::AcqRel);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.chunk.load(Ordering::Acquire) != u64::MAX
    }

    /// Whether work on a chunk is of no more use.
    pub(crate) fn stops(&self, chunk: u64) -> bool {
        self.chunk.load(Ordering::Acquire) < chunk
    }

    /// Takes the cause. The caller of a poisoned run gets it once; asking again says that it is over.
    pub(crate) fn take(&self) -> Error {
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

/// Rows of one partition.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) partition: usize,
    pub(crate) rows: Rows,
}

/// The sending side, one clone per routing thread.
#[derive(Debug, Clone)]
pub(crate) struct Lanes {
    senders: Vec<Sender<Delivery>>,
    spare: Receiver<Rows>,
}

/// The receiving side of one accumulator.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) receiver: Receiver<Delivery>,
    spare: Sender<Rows>,
}

/// Lanes to `n` accumulators.
pub(crate) fn lanes(n: usize) -> (Lanes, Vec<Lane>) {
    let (spare_sender, spare) = bounded(SPARE_BUFFERS);
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..n).map(|_| bounded(BUFFERS_PER_LANE)).unzip();
    let lanes = receivers.into_iter().map(|receiver| Lane { receiver, spare: spare_sender.clone() }).collect();
    (Lanes { senders, spare }, lanes)
}

impl Lanes {
    /// The accumulator that owns a partition.
    pub(crate) fn owner(partition: usize, accumulators: usize) -> usize {
        partition % accumulators
    }

    /// Sends full rows to the partition's owner and waits while its lane is full. False when the run is over.
    pub(crate) fn send(&self, partition: usize, rows: Rows) -> bool {
        let lane = &self.senders[Self::owner(partition, self.senders.len())];
        lane.send(Delivery { partition, rows }).is_ok()
    }

    /// An empty buffer, used before if there is one.
    pub(crate) fn empty_rows(&self) -> Rows {
        self.spare.try_recv().unwrap_or_default()
    }
}

impl Lane {
    /// Gives a buffer back; never waits.
    pub(crate) fn recycle(&self, mut rows: Rows) {
        rows.clear();
        // When enough are waiting already, this one is freed.
        drop(self.spare.try_send(rows));
    }
}
