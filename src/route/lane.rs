//! Lanes: bounded channels from every routing thread to every accumulator, the way back for empty buffers, and the poison that ends a run.
//!
//! The graph has no cycle that can block: rows flow forward through bounded channels, empty buffers flow back without waiting.
//! Whoever fails records the cause in [`Poison`] and drops its ends; everybody else notices at the next send or receive.

use super::rows::Rows;
use crate::error::Error;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Buffers that may wait in a lane: with 8 KiB each, 2 MiB a lane.
const BUFFERS_PER_LANE: usize = 256;
/// Empty buffers that may wait to be used again.
const SPARE_BUFFERS: usize = 4_096;

/// The first fault of a run.
#[derive(Debug, Default)]
pub(crate) struct Poison {
    set: AtomicBool,
    first: Mutex<Option<Error>>,
}

impl Poison {
    /// Records a cause. Of several faults in one input the one in the earliest row stays, whichever thread met it first.
    pub(crate) fn set(&self, error: Error) {
        if let Ok(mut first) = self.first.lock() {
            let earlier = |old: &Error| {
                if error.is_echo() || old.is_echo() {
                    return old.is_echo() && !error.is_echo();
                }
                old.at_input().is_some() && old.at_input() == error.at_input() && error.at_row().is_some() && error.at_row() < old.at_row()
            };
            if first.as_ref().is_none_or(earlier) {
                *first = Some(error);
            }
        }
        self.set.store(true, Ordering::Release);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.set.load(Ordering::Acquire)
    }

    /// Takes the cause. The caller of a poisoned run gets it once; asking again says that it is over.
    pub(crate) fn take(&self) -> Error {
        // A thread that notices the end may be faster than the one that caused it.
        for _ in 0..50 {
            let known = self.first.lock().is_ok_and(|first| first.as_ref().is_some_and(|e| !e.is_echo()));
            if known {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let first = self.first.lock().ok().and_then(|mut first| first.take());
        first.unwrap_or_else(|| Error::internal("the pipeline has failed before"))
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
    pub(crate) poison: Arc<Poison>,
}

/// The receiving side of one accumulator.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) receiver: Receiver<Delivery>,
    spare: Sender<Rows>,
}

/// Lanes to `n` accumulators.
pub(crate) fn lanes(n: usize, poison: Arc<Poison>) -> (Lanes, Vec<Lane>) {
    let (spare_sender, spare) = bounded(SPARE_BUFFERS);
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..n).map(|_| bounded(BUFFERS_PER_LANE)).unzip();
    let lanes = receivers.into_iter().map(|receiver| Lane { receiver, spare: spare_sender.clone() }).collect();
    (Lanes { senders, spare, poison }, lanes)
}

impl Lanes {
    /// The accumulator that owns a partition.
    pub(crate) fn owner(partition: usize, accumulators: usize) -> usize {
        partition % accumulators
    }

    /// Sends full rows to the partition's owner and waits while its lane is full. False when the run is over.
    pub(crate) fn send(&self, partition: usize, rows: Rows) -> bool {
        let lane = &self.senders[Self::owner(partition, self.senders.len())];
        !self.poison.is_set() && lane.send(Delivery { partition, rows }).is_ok()
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
