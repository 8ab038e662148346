//! A worker: one of the engine's threads. It owns every n-th partition and folds what is routed to it, and while there is a source it
//! takes chunks in turn with the other workers, decodes and routes them. So n workers keep n cores busy, whatever costs more.
//!
//! Workers send to each other over [`lane`](crate::route::lane)s. One that finds another's lane full, or too many heavy rows under way, folds
//! what is in its own until there is room, so they never wait for each other in a circle; rows for its own partitions it takes at once.

use super::accumulator::{Accumulator, Closed};
use crate::base::error::{Error, Result, Stage};
use crate::base::threads::Poison;
use crate::model::period_batch::PeriodBatch;
use crate::route::Router;
use crate::route::lane::{Delivery, LaneEnd, Lanes, Outlet};
use crate::route::row_buffer::Rows;
use crate::source::Source;
use crate::source::shared::{BatchTaker, SharedSource};
use crate::stats::Stats;
use crossbeam_channel::{Receiver, Sender, TrySendError, select};
use std::sync::Arc;

/// An instruction to a worker, besides the rows in its lane.
pub(crate) enum Job {
    /// Take part in decoding a source.
    Decode(Arc<Decoding>),
    /// No more rows come: hand over the partitions.
    Finish,
}

/// A source that workers decode together.
pub(crate) struct Decoding {
    source: SharedSource<Box<dyn Source>, PeriodBatch>,
    /// Told by each worker that is done with it.
    done: Sender<()>,
}

impl Decoding {
    pub(crate) fn new(source: impl Source + 'static, poison: Arc<Poison>, stats: Arc<Stats>, done: Sender<()>) -> Self {
        Decoding { source: SharedSource::new(Box::new(source), poison, stats), done }
    }
}

/// One of the engine's threads.
pub(crate) struct Worker {
    router: Router,
    mailbox: Mailbox,
}

/// A worker's partitions and its lanes: folds rows of its own partitions, and sends the others on.
struct Mailbox {
    accumulator: Accumulator,
    lane: LaneEnd,
    lanes: Lanes,
    /// Empty buffers, the last used on top: it is the one that is still in the cache.
    empty: Vec<Rows>,
}

impl Worker {
    pub(crate) fn new(router: Router, accumulator: Accumulator, lane: LaneEnd, lanes: Lanes) -> Self {
        Worker { router, mailbox: Mailbox { accumulator, lane, lanes, empty: Vec::new() } }
    }

    /// Works until told to finish, then hands over the partitions; nothing when the run is over before.
    pub(crate) fn run(mut self, jobs: &Receiver<Job>) -> Result<Option<Vec<Closed>>> {
        loop {
            select! {
                recv(self.mailbox.lane.deliveries) -> delivery => match delivery {
                    Ok(delivery) => self.mailbox.fold(delivery)?,
                    Err(_) => return Ok(None),
                },
                recv(jobs) -> job => match job {
                    Ok(Job::Decode(decoding)) => {
                        decoding.source.decode(&mut self);
                        // The caller may have stopped listening after a failure.
                        let _ = decoding.done.send(());
                    }
                    Ok(Job::Finish) => break,
                    Err(_) => return Ok(None),
                },
            }
        }
        // The pipeline says so only after everything was sent.
        self.mailbox.drain()?;
        Ok(Some(self.mailbox.accumulator.into_partitions()))
    }
}

impl BatchTaker<PeriodBatch> for Worker {
    #[inline]
    fn take(&mut self, batch: PeriodBatch) -> Result<()> {
        self.router.route(&batch, &mut self.mailbox)?;
        self.mailbox.drain()
    }

    fn finish(&mut self) -> Result<()> {
        self.router.flush(&mut self.mailbox)
    }
}

impl Mailbox {
    fn fold(&mut self, Delivery { partition, rows, weight }: Delivery) -> Result<()> {
        // From now on the accumulator counts them.
        drop(weight);
        self.add(partition, rows)
    }

    /// Takes rows of one of its own partitions.
    fn add(&mut self, partition: usize, rows: Rows) -> Result<()> {
        let Mailbox { accumulator, lanes, empty, .. } = self;
        accumulator.take(partition, rows, |mut rows| {
            if empty.len() < lanes.spare_buffers {
                rows.clear();
                empty.push(rows);
            } else {
                lanes.recycle(rows);
            }
        })
    }

    /// Folds what others have sent.
    fn drain(&mut self) -> Result<()> {
        while let Ok(delivery) = self.lane.deliveries.try_recv() {
            self.fold(delivery)?;
        }
        Ok(())
    }
}

impl Outlet for Mailbox {
    fn empty(&mut self) -> Rows {
        self.empty.pop().unwrap_or_else(|| self.lanes.empty_rows())
    }

    fn take(&mut self, partition: usize, rows: Rows) -> Result<()> {
        if self.accumulator.owns(partition) {
            return self.add(partition, rows);
        }
        let ended = || Error::ended(Stage::Route);
        let weight = loop {
            if let Some(weight) = self.lanes.weigh(&rows) {
                break weight;
            }
            select! {
                recv(self.lanes.room()) -> room => room.map_err(|_| ended())?,
                recv(self.lane.deliveries) -> own => self.fold(own.map_err(|_| ended())?)?,
            }
        };
        let mut delivery = Delivery { partition, rows, weight };
        let lane = self.lanes.to(partition).clone();
        loop {
            match lane.try_send(delivery) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Disconnected(_)) => return Err(ended()),
                Err(TrySendError::Full(back)) => delivery = back,
            }
            select! {
                send(lane, delivery) -> sent => return sent.map_err(|_| ended()),
                recv(self.lane.deliveries) -> own => self.fold(own.map_err(|_| ended())?)?,
            }
        }
    }
}
