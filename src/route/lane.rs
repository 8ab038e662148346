//! Lanes: bounded channels from every thread that routes to every worker, the way back for empty buffers, and the poison that ends a run.
//!
//! Workers route and accumulate, so they send to each other; one that finds another's lane full takes from its own until there is room,
//! and so no circle of full lanes can block. Empty buffers flow back without waiting. A thread that fails records the cause in the
//! [`Poison`](crate::base::threads::Poison) and drops its ends; the others notice at the next send or receive.

use super::row_buffer::Rows;
use crate::base::error::{Error, Result, Stage};
use crate::spill::Plan;
use crossbeam_channel::{Receiver, Sender, bounded};

/// Buffers that may wait in a lane.
const BUFFERS_PER_LANE: usize = 256;

/// Rows of one partition.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) partition: usize,
    pub(crate) rows: Rows,
}

/// The sending side, one clone per thread that routes.
#[derive(Debug, Clone)]
pub(crate) struct Lanes {
    senders: Vec<Sender<Delivery>>,
    used: Sender<Rows>,
    spare: Receiver<Rows>,
    rows_per_buffer: usize,
    /// The most empty buffers that a worker keeps for later.
    pub(crate) spare_buffers: usize,
}

/// Lanes to `n` workers, with the receiving side of each.
pub(crate) fn lanes(n: usize, plan: &Plan) -> (Lanes, Vec<Receiver<Delivery>>) {
    let (used, spare) = bounded(plan.spare_buffers);
    let (senders, receivers) = (0..n).map(|_| bounded(BUFFERS_PER_LANE)).unzip();
    (Lanes { senders, used, spare, rows_per_buffer: plan.rows_per_buffer, spare_buffers: plan.spare_buffers }, receivers)
}

impl Lanes {
    /// Tells how many buffers wait in each lane, as often as it is asked. It keeps the lanes open.
    pub(crate) fn depths(&self) -> impl Fn() -> Vec<usize> + Send + Sync + use<> {
        let senders = self.senders.clone();
        move || senders.iter().map(Sender::len).collect()
    }

    /// The worker that owns a partition.
    #[inline]
    pub(crate) fn owner(partition: usize, workers: usize) -> usize {
        partition % workers
    }

    /// The lane to the owner of a partition.
    pub(crate) fn to(&self, partition: usize) -> &Sender<Delivery> {
        &self.senders[Self::owner(partition, self.senders.len())]
    }

    /// An empty buffer, used before if there is one.
    pub(crate) fn empty_rows(&self) -> Rows {
        self.spare.try_recv().unwrap_or_else(|_| Rows::with_capacity(self.rows_per_buffer))
    }

    /// Gives a buffer back; never waits.
    pub(crate) fn recycle(&self, mut rows: Rows) {
        rows.clear();
        // When enough are waiting already, this one is freed.
        drop(self.used.try_send(rows));
    }
}

/// Takes a router's full buffers.
pub(crate) trait Outlet {
    /// An empty buffer.
    fn empty(&mut self) -> Rows;

    /// Takes rows of a partition.
    fn take(&mut self, partition: usize, rows: Rows) -> Result<()>;
}

/// For a thread that is not a worker itself: it waits while a lane is full.
impl Outlet for Lanes {
    fn empty(&mut self) -> Rows {
        self.empty_rows()
    }

    fn take(&mut self, partition: usize, rows: Rows) -> Result<()> {
        self.to(partition).send(Delivery { partition, rows }).map_err(|_| Error::ended(Stage::Route))
    }
}
