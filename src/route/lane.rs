//! Lanes: bounded channels from every thread that routes to every worker, the way back for empty buffers, and the poison that ends a run.
//!
//! Workers route and accumulate, so they send to each other; one that finds another's lane full takes from its own until there is room,
//! and so no circle of full lanes can block. Empty buffers flow back without waiting. A thread that fails records the cause in the
//! [`Poison`](crate::base::threads::Poison) and drops its ends; the others notice at the next send or receive.
//!
//! Lanes are bounded twice. A lane holds so many buffers; and of buffers that are [heavy](Rows::is_heavy), because their ids are very long,
//! all lanes together hold so many bytes: the `scale`. What is on it is a part of the budget, until the owner of the rows counts them itself. A
//! buffer that is alone on the scale may have any weight, so that every one gets through.

use super::row_buffer::Rows;
use crate::base::error::{Error, Result, Stage};
use crate::spill::{Budget, Plan, Reservation};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Release};
use std::sync::atomic::{AtomicBool, AtomicU64};

/// Buffers that may wait in a lane.
const BUFFERS_PER_LANE: usize = 256;

/// Rows of one partition.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) partition: usize,
    pub(crate) rows: Rows,
    /// The weight of heavy rows, which goes off the scale when this is dropped.
    pub(crate) weight: Option<Weight>,
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
    scale: Arc<Scale>,
}

/// The bytes of heavy buffers in all lanes.
#[derive(Debug)]
struct Scale {
    bytes: AtomicU64,
    most: u64,
    budget: Budget,
    /// Told when it has become lighter, and by those who were told and have put their buffer on it: there may be room for another.
    lighter: Sender<()>,
    room: Receiver<()>,
    /// An end of a lane is gone: what lies in it is never taken, and nothing waits for that.
    is_over: AtomicBool,
}

/// The receiving side of a lane.
#[derive(Debug)]
pub(crate) struct LaneEnd {
    pub(crate) deliveries: Receiver<Delivery>,
    /// Dropped after it: who is told that it is over finds the lane closed.
    _over: Over,
}

/// Says that an end is gone, when it is dropped.
#[derive(Debug)]
struct Over(Arc<Scale>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.is_over.store(true, Release);
        let _ = self.0.lighter.try_send(());
    }
}

/// What a buffer weighs, while it is on the scale.
#[derive(Debug)]
pub(crate) struct Weight {
    scale: Arc<Scale>,
    held: Reservation,
}

impl Drop for Weight {
    fn drop(&mut self) {
        let bytes = self.held.bytes();
        // Before there is room for another, so that the budget never has both.
        self.held.hold(0);
        self.scale.bytes.fetch_sub(bytes, AcqRel);
        // One word is enough, however often it is said.
        let _ = self.scale.lighter.try_send(());
    }
}

/// Lanes to `n` workers, with the receiving side of each.
pub(crate) fn lanes(n: usize, plan: &Plan) -> (Lanes, Vec<LaneEnd>) {
    let (used, spare) = bounded(plan.spare_buffers);
    let (senders, receivers): (_, Vec<_>) = (0..n).map(|_| bounded(BUFFERS_PER_LANE)).unzip();
    let (lighter, room) = bounded(1);
    let (most, budget) = (plan.heavy_memory, plan.budget.clone());
    let scale = Arc::new(Scale { bytes: AtomicU64::new(0), most, budget, lighter, room, is_over: AtomicBool::new(false) });
    let ends = receivers.into_iter().map(|deliveries| LaneEnd { deliveries, _over: Over(scale.clone()) }).collect();
    let (rows_per_buffer, spare_buffers) = (plan.rows_per_buffer, plan.spare_buffers);
    (Lanes { senders, used, spare, rows_per_buffer, spare_buffers, scale }, ends)
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

    /// Rows that may be sent; none when they are heavy, and there is no room for them on the scale: then [`Lanes::room`] says when to try again.
    #[inline]
    pub(crate) fn weigh(&self, rows: &Rows) -> Option<Option<Weight>> {
        if rows.is_heavy() { self.weigh_heavy(rows.memory() as u64) } else { Some(None) }
    }

    #[cold]
    fn weigh_heavy(&self, bytes: u64) -> Option<Option<Weight>> {
        let scale = &self.scale;
        if scale.is_over.load(Acquire) {
            // Sending says so, to this one and to all that wait.
            let _ = scale.lighter.try_send(());
            return Some(None);
        }
        let fits = |before: u64| (before == 0 || before.saturating_add(bytes) <= scale.most).then(|| before.saturating_add(bytes));
        scale.bytes.fetch_update(AcqRel, Acquire, fits).ok()?;
        // Who waits for less may fit beside it.
        let _ = scale.lighter.try_send(());
        Some(Some(Weight { scale: scale.clone(), held: scale.budget.hold(bytes) }))
    }

    /// Gives a word when there may be room on the scale.
    pub(crate) fn room(&self) -> &Receiver<()> {
        &self.scale.room
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

/// For a thread that is not a worker itself: it waits while a lane is full, or the scale is.
impl Outlet for Lanes {
    fn empty(&mut self) -> Rows {
        self.empty_rows()
    }

    fn take(&mut self, partition: usize, rows: Rows) -> Result<()> {
        let ended = || Error::ended(Stage::Route);
        let weight = loop {
            match self.weigh(&rows) {
                Some(weight) => break weight,
                None => self.room().recv().map_err(|_| ended())?,
            }
        };
        self.to(partition).send(Delivery { partition, rows, weight }).map_err(|_| ended())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::model::entry::{Addend, HISTORY};
    use arrow::array::builder::make_view;
    use std::time::Duration;

    fn rows(id_bytes: usize) -> Rows {
        let (id, mut rows) = (vec![b'x'; id_bytes], Rows::with_capacity(8));
        rows.push(&id, make_view(&id, 0, 0), 0, Addend { window: HISTORY, start: 0, reference: 0, amounts: Default::default() });
        rows
    }

    fn plan() -> Plan {
        Plan { heavy_memory: 3 << 20, ..Plan::new(Some(64 << 20), 2, 2).unwrap() }
    }

    #[test]
    fn heavy_buffers_are_bounded_by_bytes_and_one_always_passes() {
        let plan = plan();
        let (lanes, _ends) = lanes(2, &plan);
        let light: Vec<_> = (0..1_000).map(|_| lanes.weigh(&rows(200)).unwrap()).collect();
        assert!(light.iter().all(Option::is_none) && plan.budget.reserved() == 0);
        let (first, second) = (lanes.weigh(&rows(1 << 20)).unwrap(), lanes.weigh(&rows(1 << 20)).unwrap());
        assert!(lanes.weigh(&rows(1 << 20)).is_none(), "the rows themselves weigh, too");
        assert!((2 << 20..3 << 20).contains(&plan.budget.reserved()), "{}", plan.budget.reserved());
        drop((first, second));
        assert_eq!(plan.budget.reserved(), 0);
        let alone = lanes.weigh(&rows(50 << 20)).unwrap();
        assert!(lanes.weigh(&rows(1 << 20)).is_none());
        drop(alone);
        assert!(lanes.weigh(&rows(1 << 20)).is_some());
    }

    /// Many senders of any weights: none waits for ever, and never is more on the way than may be.
    #[test]
    fn whatever_waits_gets_through() {
        const SENDERS: usize = 6;
        const EACH: usize = 200;
        let plan = plan();
        let (lanes, ends) = lanes(2, &plan);
        // The heaviest one, alone.
        let most = (5 << 20) + (1 << 16);
        std::thread::scope(|scope| {
            for sender in 0..SENDERS {
                let mut lanes = lanes.clone();
                scope.spawn(move || {
                    for i in 0..EACH {
                        let bytes = [100, 20_000, 300_000, 1 << 20, 5 << 20][(i * 7 + sender) % 5];
                        lanes.take(i % 2, rows(bytes)).unwrap();
                    }
                });
            }
            // Kept until all is over: an end that is gone would let everything pass.
            let budget = &plan.budget;
            let receive = move |end: LaneEnd| {
                for _ in 0..SENDERS * EACH / 2 {
                    let delivery = end.deliveries.recv_timeout(Duration::from_secs(60)).expect("a sender waits for ever");
                    assert!(budget.reserved() <= most, "{}", budget.reserved());
                    drop(delivery.weight);
                }
                end
            };
            let receivers: Vec<_> = ends.into_iter().map(|end| scope.spawn(move || receive(end))).collect();
            let ends: Vec<_> = receivers.into_iter().map(|receiver| receiver.join()).collect();
            assert!(ends.iter().all(Result::is_ok));
        });
        assert_eq!(plan.budget.reserved(), 0);
    }

    /// Where the owners of rows are gone, there is an end to waiting.
    #[test]
    fn senders_do_not_wait_for_those_who_are_gone() {
        let plan = plan();
        let (mut lanes, mut ends) = lanes(2, &plan);
        lanes.take(0, rows(3 << 20)).unwrap();
        let waiting = [0; 3].map(|partition| {
            let mut lanes = lanes.clone();
            std::thread::spawn(move || lanes.take(partition, rows(3 << 20)).unwrap_err())
        });
        std::thread::sleep(Duration::from_millis(20));
        drop(ends.remove(0));
        for waiting in waiting {
            assert!(waiting.join().unwrap().is_echo());
        }
        lanes.take(1, rows(3 << 20)).unwrap();
    }
}
