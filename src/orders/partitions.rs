//! Partitions: partial orders wait in them until all lines have been read. The highest bits of an order's hash name its partition, so all
//! lines of an order end up in one partition, and a partition is grouped by itself, in the cache.
//!
//! Every thread that takes lines in has a buffer for each partition. A full one stays in memory as it is while the budget has room; when
//! there is none, it leaves as a frame, which the store keeps in memory or on the disk. Nothing is sorted before it is grouped.

use super::partial_order::{MOST_PARTIALS, PartialOrder, PartialOrders};
use crate::base::error::Result;
use crate::base::threads::lock;
use crate::model::hash::hash_id;
use crate::spill::{Budget, FrameRef, Reservation, RunStore};
use std::mem::{replace, take};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};

/// A thread that writes to many buffers in turn waits for the memory of each. So there are only as many as it takes.
const MOST: usize = 1 << 10;
const LEAST: usize = 1 << 5;
/// The part of the budget that buffers on their way take up.
const OPEN: u64 = 16;
/// Bytes that grouping takes for each of an input, nearly. Parquet may have a line in fewer; then what partitions have given back serves the
/// others, and the first may have to be sorted.
const GROWTH: u64 = 2;
/// The most partial orders of a buffer.
const ROOM: u64 = 2_048;
/// The memory of a partial order, nearly: itself and what lies beside it.
const PARTIAL: u64 = 96;

/// All partitions.
#[derive(Debug)]
pub(super) struct Partitions {
    partitions: Vec<Mutex<Partition>>,
    /// Partial orders of a buffer.
    room: usize,
    budget: Budget,
    store: Arc<dyn RunStore>,
}

/// The partial orders of a partition, in no order.
#[derive(Debug, Default)]
pub(super) struct Partition {
    held: Vec<(PartialOrders, Reservation)>,
    frames: Vec<FrameRef>,
    partials: u64,
    /// The memory of the frames when they are read.
    framed: u64,
}

impl Partitions {
    /// Empty partitions: as few as it takes to group each partition of an input of so many bytes in `merge` bytes, and at most as many as the
    /// budget has buffers for, when each thread has one for each partition.
    pub(super) fn new(budget: Budget, store: Arc<dyn RunStore>, threads: usize, bytes: Option<u64>, merge: u64) -> Self {
        let open = budget.limit() / OPEN / PARTIAL / threads as u64;
        let room = |partitions: usize| open / partitions as u64;
        let needed = bytes.map_or(u64::MAX, |bytes| bytes.saturating_mul(GROWTH));
        let enough = |partitions: usize| needed / partitions as u64 <= merge || room(2 * partitions) < 64;
        let count = (LEAST.ilog2()..MOST.ilog2()).map(|bits| 1 << bits).find(|&count| enough(count)).unwrap_or(MOST);
        // Powers of two are what allocators do not round up.
        let room = 1 << room(count).clamp(1, ROOM).ilog2();
        debug_assert!(room <= MOST_PARTIALS);
        Partitions { partitions: (0..count).map(|_| Mutex::default()).collect(), room, budget, store }
    }

    /// The memory of the buffers of so many threads, nearly.
    pub(super) fn open_memory(&self, threads: usize) -> u64 {
        (threads * self.len() * self.room) as u64 * PARTIAL
    }

    pub(super) fn len(&self) -> usize {
        self.partitions.len()
    }

    pub(super) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Takes a partition out. Its memory is given back to the budget when it has been read.
    pub(super) fn take(&self, partition: usize) -> Partition {
        take(&mut *lock(&self.partitions[partition]))
    }

    pub(super) fn store(&self) -> &Arc<dyn RunStore> {
        &self.store
    }
}

/// Puts partial orders into their partitions, on one thread.
pub(super) struct Scatter {
    partitions: Arc<Partitions>,
    open: Vec<PartialOrders>,
    shift: u32,
    frame: Vec<u8>,
}

impl Scatter {
    pub(super) fn new(partitions: Arc<Partitions>) -> Self {
        let (count, open) = (partitions.len(), (0..partitions.len()).map(|_| PartialOrders::default()).collect());
        Scatter { partitions, open, shift: u64::BITS - count.ilog2(), frame: Vec::new() }
    }

    /// Takes a partial order, with its ids as Arrow has them.
    ///
    /// # Errors
    /// When the store takes no more.
    #[inline]
    pub(super) fn push(&mut self, partial: &PartialOrder<'_>, order: u128, customer: u128) -> Result<()> {
        let partition = (hash_id(partial.order) >> self.shift) as usize;
        let buffer = &mut self.open[partition];
        if !buffer.has_room() {
            self.make_room(partition)?;
        }
        self.open[partition].push(partial, order, customer);
        Ok(())
    }

    /// Hands over what is in the buffers.
    ///
    /// # Errors
    /// When the store takes no more.
    pub(super) fn finish(&mut self) -> Result<()> {
        (0..self.open.len())
            .filter(|&partition| self.open[partition].len() > 0)
            .collect::<Vec<_>>()
            .into_iter()
            .try_for_each(|partition| self.hand_over(partition))
    }

    #[cold]
    fn make_room(&mut self, partition: usize) -> Result<()> {
        if self.open[partition].len() > 0 {
            self.hand_over(partition)?;
        }
        if !self.open[partition].has_room() {
            self.open[partition] = PartialOrders::with_capacity(self.partitions.room);
        }
        Ok(())
    }

    fn hand_over(&mut self, at: usize) -> Result<()> {
        let Partitions { partitions, budget, store, .. } = &*self.partitions;
        let buffer = &mut self.open[at];
        let (partials, needed) = (buffer.len() as u64, buffer.needed());
        if let Some(reservation) = budget.reserve(buffer.memory()) {
            let mut partition = lock(&partitions[at]);
            partition.partials += partials;
            let next = buffer.like();
            partition.held.push((replace(buffer, next), reservation));
            return Ok(());
        }
        self.frame.clear();
        buffer.encode(&mut self.frame);
        buffer.clear();
        let place = store.put(&self.frame)?;
        let mut partition = lock(&partitions[at]);
        if !matches!(place, FrameRef::Memory(_, Some(_))) {
            let counters = store.counters();
            counters.runs.fetch_add(partition.frames.is_empty().into(), Relaxed);
            counters.frames.fetch_add(1, Relaxed);
            counters.bytes.fetch_add(self.frame.len() as u64, Relaxed);
        }
        partition.partials += partials;
        partition.framed += needed;
        partition.frames.push(place);
        Ok(())
    }
}

impl Partition {
    /// The memory that grouping it takes beyond what it holds: its frames, and an index.
    pub(super) fn needed(&self) -> u64 {
        const INDEX: u64 = 28;
        self.framed + self.partials * INDEX
    }

    /// All of it, a buffer at a time.
    ///
    /// # Errors
    /// The error of `each`; frames that cannot be read back.
    pub(super) fn read(self, store: &dyn RunStore, mut each: impl FnMut(PartialOrders, Option<Reservation>) -> Result<()>) -> Result<()> {
        self.held.into_iter().try_for_each(|(partials, reservation)| each(partials, Some(reservation)))?;
        let mut room = Vec::new();
        for place in self.frames {
            let partials = PartialOrders::decode(store.get(&place, &mut room)?)?;
            each(partials, None)?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::spill::Memory;

    const MIB: u64 = 1 << 20;

    fn partitions(budget: u64, bytes: Option<u64>, merge: u64) -> Partitions {
        Partitions::new(Budget::new(budget), Arc::new(Memory::default()), 2, bytes, merge)
    }

    #[test]
    fn there_are_as_few_as_can_be_grouped() {
        let found = |budget, bytes, merge| {
            let partitions = partitions(budget, bytes, merge);
            (partitions.len(), partitions.room)
        };
        assert_eq!(found(u64::MAX, Some(1_000), 64 * MIB), (32, 2_048));
        assert_eq!(found(u64::MAX, Some(2_000 * MIB), 64 * MIB), (64, 2_048));
        assert_eq!(found(1_400 * MIB, Some(2_000 * MIB), 32 * MIB), (128, 2_048));
        assert_eq!(found(u64::MAX, None, 64 * MIB), (1_024, 2_048));
        // Never more than have a buffer of some partial orders each.
        assert_eq!(found(53 * MIB, Some(2_000 * MIB), 2 * MIB), (256, 64));
        assert_eq!(found(8 * MIB, Some(2_000 * MIB), MIB), (32, 64));
        assert_eq!(found(0, None, 0), (32, 1));
    }

    /// A partition has all of its partial orders, and all lines of each order, however many stay in memory or leave as frames.
    #[test]
    fn partial_orders_are_in_the_partition_of_their_order() {
        for budget in [0, 100_000, 300_000, u64::MAX] {
            let partitions = Arc::new(partitions(budget, Some(0), MIB));
            let ids: Vec<String> = (0..3_000).map(|i| format!("order number {}", i % 1_000)).collect();
            let mut scatters = [Scatter::new(partitions.clone()), Scatter::new(partitions.clone())];
            for (at, id) in ids.iter().enumerate() {
                let partial =
                    PartialOrder { order: id.as_bytes(), customer: Some(b"c"), position: at as u64, lines: 1, ..PartialOrder::default() };
                let view = |id: &[u8]| arrow::array::builder::make_view(id, 0, 0);
                scatters[at % 2].push(&partial, view(id.as_bytes()), view(b"c")).unwrap();
            }
            scatters.iter_mut().for_each(|scatter| scatter.finish().unwrap());
            let mut found = Vec::new();
            for number in 0..partitions.len() {
                let partition = partitions.take(number);
                assert_eq!(partition.framed > 0, !partition.frames.is_empty());
                let mut read = |partials: PartialOrders, _| {
                    for at in 0..partials.len() {
                        let partial = partials.get(at);
                        assert_eq!((hash_id(partial.order) >> 59) as usize, number);
                        assert_eq!(partial.order, ids[partial.position as usize].as_bytes());
                        found.push(partial.position);
                    }
                    Ok(())
                };
                partition.read(&**partitions.store(), &mut read).unwrap();
            }
            found.sort_unstable();
            assert!(found.into_iter().eq(0..3_000), "with {budget} bytes");
            assert_eq!(partitions.budget().reserved(), 0);
        }
    }
}
