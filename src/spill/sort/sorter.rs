//! The sorter: records come in in any order and go out sorted, in the memory that it is given. Rows that are wanted sorted go through it
//! (RFM rows, migration rows, order lines), and rejects, whose order must not depend on which thread found them first.
//!
//! ```text
//!  record ──▶ SortBuffer ──heap──▶ sort ──run──▶ RunStore ──runs──▶ merge in rounds ──▶ Records ──▶ Merged ──▶ record
//!  any order  one per        by the thread  memory while the   until one merge     can be     the least
//!             thread         that filled it budget has room    can read them all   read again next
//! ```
//!
//! A record is bytes, sorted as bytes (see [`sort_key`](crate::base::bytes::sort_key)). So one sorter serves rows of all kinds, and the
//! result does not depend on how records were spread over threads, heaps or runs.
//!
//! Memory: a heap of fixed size for every thread that puts records in; then, heaps gone, a frame of every run that is merged, as many as
//! [`Sorting::merge`] allows. A frame that the store holds in memory is read where it lies and has its part of the budget from the store.
//! So few records stay in memory, sorted once and packed, and never see the disk; the store decides which of more do.

use super::merged::{FRAME, Records, Run, Writer, prefix};
use crate::base::cancel::Cancel;
use crate::base::error::{Error, Result};
use crate::base::memory::reserve;
use crate::base::threads::lock;
use crate::spill::store::RunStore;
use rayon::prelude::*;
use std::mem::take;
use std::sync::{Arc, Mutex};

/// The store and the memory that records are sorted in.
#[derive(Debug, Clone)]
pub(crate) struct Sorting {
    /// Takes the runs.
    pub(crate) store: Arc<dyn RunStore>,
    /// Bytes for the records of one thread.
    pub(crate) heap: u64,
    /// Bytes for the frames of one merge. It reads two runs at least.
    pub(crate) merge: u64,
    /// Ends merging from outside.
    pub(crate) cancel: Cancel,
}

impl Sorting {
    /// A run that waits for its records.
    fn writer(&self) -> Writer<'_> {
        // Only tests have so little memory that frames are smaller for it.
        Writer::new(&*self.store, (self.merge / 16).min(FRAME as u64) as usize)
    }
}

/// Sorts records. All of it may be called from many threads at once.
#[derive(Debug)]
pub(crate) struct Sorter {
    sorting: Sorting,
    /// Heaps without a buffer.
    idle: Mutex<Vec<Heap>>,
    runs: Mutex<Vec<Run>>,
}

/// Records that wait to be sorted.
#[derive(Debug, Default)]
struct Heap {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

/// A record of a heap.
#[derive(Debug)]
struct Entry {
    prefix: [u64; 2],
    at: u32,
    length: u32,
}

/// The buffer that one thread puts records in. When it is dropped, the next buffer goes on with its heap.
pub(crate) struct SortBuffer<'a> {
    sorter: &'a Sorter,
    heap: Heap,
}

impl Sorter {
    pub(crate) fn new(sorting: Sorting) -> Self {
        Sorter { sorting, idle: Mutex::default(), runs: Mutex::default() }
    }

    /// A buffer to put records in.
    pub(crate) fn buffer(&self) -> SortBuffer<'_> {
        let heap = lock(&self.idle).pop();
        SortBuffer { sorter: self, heap: heap.unwrap_or_default() }
    }

    /// The records, once all buffers are dropped. Heaps are sorted on the threads of the current pool.
    ///
    /// # Errors
    /// When runs cannot be written, or read to be merged.
    pub(crate) fn finish(&self) -> Result<Arc<Records>> {
        let heaps = take(&mut *lock(&self.idle));
        heaps.into_par_iter().try_for_each(|mut heap| self.sort(&mut heap))?;
        let Sorting { store, merge, cancel, .. } = &self.sorting;
        let runs = take(&mut *lock(&self.runs));
        // Of runs in memory any number can be read at once.
        let (held, mut runs): (Vec<Run>, Vec<Run>) = runs.into_iter().partition(|run| run.read_memory == 0);
        loop {
            let mut memory = 0;
            let fit = runs.iter().take_while(|run| {
                memory += run.read_memory;
                memory <= *merge
            });
            let fit = fit.count().max(2);
            if fit >= runs.len() {
                break;
            }
            // No more than it takes for the others to fit.
            let some = runs.drain(..fit.min(runs.len() - fit + 1)).collect();
            let mut merged = Arc::new(Records::new(store.clone(), some, cancel.clone())).read();
            let mut writer = self.sorting.writer();
            while let Some(record) = merged.next()? {
                writer.put(record)?;
            }
            runs.push(writer.finish()?);
        }
        runs.extend(held);
        Ok(Arc::new(Records::new(store.clone(), runs, cancel.clone())))
    }

    /// Makes a run of a heap's records.
    fn sort(&self, heap: &mut Heap) -> Result<()> {
        let Heap { bytes, entries } = heap;
        if entries.is_empty() {
            return Ok(());
        }
        let record = |entry: &Entry| &bytes[entry.at as usize..][..entry.length as usize];
        entries.sort_unstable_by(|a, b| a.prefix.cmp(&b.prefix).then_with(|| record(a).cmp(record(b))));
        let mut writer = self.sorting.writer();
        entries.iter().try_for_each(|entry| writer.put(record(entry)))?;
        lock(&self.runs).push(writer.finish()?);
        heap.clear(self.sorting.heap);
        Ok(())
    }
}

impl Heap {
    /// The memory that its records take up.
    fn memory(&self) -> u64 {
        (self.bytes.len() + self.entries.len() * size_of::<Entry>()) as u64
    }

    /// Forgets the records and keeps the memory, but for what a record too large for the heap has taken.
    fn clear(&mut self, most: u64) {
        self.bytes.clear();
        self.bytes.shrink_to(most as usize + FRAME);
        self.entries.clear();
    }
}

impl SortBuffer<'_> {
    /// Puts in the record that is appended to the bytes. When the heap is full, it leaves as a run.
    ///
    /// # Errors
    /// When that cannot be written, or the system refuses the memory.
    #[inline]
    pub(crate) fn push(&mut self, append: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        let SortBuffer { sorter, heap: Heap { bytes, entries } } = self;
        if bytes.capacity() == 0 {
            // At once: growing would take twice of it. What is not used yet takes up nothing, so both may have room for more than fits.
            reserve(bytes, sorter.sorting.heap as usize + FRAME)?;
            reserve(entries, sorter.sorting.heap as usize / size_of::<Entry>())?;
        }
        let at = bytes.len();
        append(bytes);
        let record = &bytes[at..];
        let (Ok(at), Ok(length)) = (u32::try_from(at), u32::try_from(record.len())) else {
            return Err(Error::internal("a row is too large to be sorted"));
        };
        entries.push(Entry { prefix: prefix(record), at, length });
        if self.heap.memory() >= sorter.sorting.heap { sorter.sort(&mut self.heap) } else { Ok(()) }
    }
}

impl Drop for SortBuffer<'_> {
    fn drop(&mut self) {
        if self.heap.bytes.capacity() > 0 {
            lock(&self.sorter.idle).push(take(&mut self.heap));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::base::error::Kind;
    use crate::spill::budget::Budget;
    use crate::spill::doubles::{Faulty, Memory};
    use crate::spill::store::Tiered;
    use proptest::prelude::*;
    use std::sync::atomic::Ordering::Relaxed;

    /// Records put into several buffers in turn, then read back.
    fn sorted(sorting: Sorting, buffers: usize, records: &[Vec<u8>]) -> Result<Vec<Vec<u8>>> {
        let sorter = Sorter::new(sorting);
        // Each buffer is dropped now and then, as it is between rejects.
        for records in records.chunks(buffers * 3) {
            let mut buffers: Vec<SortBuffer<'_>> = (0..buffers).map(|_| sorter.buffer()).collect();
            for (at, record) in records.iter().enumerate() {
                let buffer = at % buffers.len();
                buffers[buffer].push(|out| out.extend_from_slice(record))?;
            }
        }
        let found = sorter.finish()?;
        let read = |mut merged: crate::spill::Merged| {
            let mut records = Vec::new();
            while let Some(record) = merged.next()? {
                records.push(record.to_vec());
            }
            Ok(records)
        };
        let (first, again): (Vec<_>, Result<Vec<_>>) = (read(found.read())?, read(found.read()));
        assert_eq!(first, again?);
        Ok(first)
    }

    fn records() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let record = prop_oneof![3 => prop::collection::vec(0..3u8, 0..4), 2 => prop::collection::vec(254..=255u8, 14..19), 1 => prop::collection::vec(any::<u8>(), 0..300)];
        prop::collection::vec(record, 0..120)
    }

    proptest! {
        /// However little memory there is for heaps, for merging or for frames that stay, what comes out is what a plain sort says.
        #[test]
        fn sorting_is_sorting(
            records in records(),
            heap in prop_oneof![Just(0u64), 1..400u64, Just(1 << 20)],
            merge in prop_oneof![Just(0u64), 1..2_000u64, Just(1 << 20)],
            held in prop_oneof![Just(0u64), 1..4_000u64],
            buffers in 1..4usize,
        ) {
            let store: Arc<dyn RunStore> = Arc::new(Tiered::new(Budget::new(held), Arc::new(Memory::default())));
            let mut expected = records.clone();
            expected.sort();
            prop_assert_eq!(sorted(Sorting { store, heap, merge, cancel: Cancel::default() }, buffers, &records).unwrap(), expected);
        }
    }

    fn many(count: u32) -> Vec<Vec<u8>> {
        (0..count).map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes().to_vec()).collect()
    }

    /// Records that fit into memory stay there.
    #[test]
    fn few_records_are_not_spilled() {
        let disk = Arc::new(Faulty::new(Memory::default(), 0));
        let budget = Budget::new(1 << 20);
        let store = Arc::new(Tiered::new(budget.clone(), disk.clone()));
        let found = sorted(Sorting { store, heap: 1_000, merge: 0, cancel: Cancel::default() }, 2, &many(5_000)).unwrap();
        assert!(found.len() == 5_000 && found.is_sorted());
        assert_eq!((disk.operations(), disk.counters().runs.load(Relaxed)), (0, 0));
        assert!(budget.peak() > 20_000 && budget.reserved() == 0, "{} {}", budget.peak(), budget.reserved());
    }

    /// Runs are merged until one merge has memory to read the rest, and no longer.
    #[test]
    fn rounds_end_when_the_rest_fits() {
        for merge in [0, 30, 300, 1_000, 3_500, 1 << 20] {
            let store = Arc::new(Memory::default());
            // Four records of 28 bytes fill a heap.
            let sorter = Sorter::new(Sorting { store: store.clone(), heap: 100, merge, cancel: Cancel::default() });
            let mut buffer = sorter.buffer();
            many(400).iter().for_each(|record| buffer.push(|out| out.extend_from_slice(record)).unwrap());
            drop(buffer);
            let memories = sorter.finish().unwrap().read_memories();
            let (sum, longest) = (memories.iter().sum::<u64>(), memories.iter().max().unwrap());
            assert!(memories.len() == 2 || sum <= merge, "too many for {merge}: {memories:?}");
            assert!(memories.len() == 100 || sum + 2 * longest > merge, "too few for {merge}: {memories:?}");
        }
    }

    /// Whichever operation fails, in writing runs, in rounds of merging or in reading, the error comes out.
    #[test]
    fn faults_come_out() {
        let through = |fails: u64| {
            let store = Arc::new(Faulty::new(Memory::default(), fails));
            let found = sorted(Sorting { store: store.clone(), heap: 60, merge: 200, cancel: Cancel::default() }, 2, &many(40));
            (store.operations(), found)
        };
        let (operations, found) = through(u64::MAX);
        assert!(found.unwrap().is_sorted() && operations > 100, "{operations}");
        for fails in 0..operations {
            assert_eq!(through(fails).1.unwrap_err().kind(), Kind::Io, "{fails}");
        }
    }

    /// Neither rounds of merging nor the last one go on when it is over.
    #[test]
    fn merging_is_cancelled() {
        for merge in [0, 1 << 20] {
            let cancel = Cancel::default();
            let sorter = Sorter::new(Sorting { store: Arc::new(Memory::default()), heap: 60, merge, cancel: cancel.clone() });
            many(40).iter().for_each(|record| sorter.buffer().push(|out| out.extend_from_slice(record)).unwrap());
            cancel.cancel();
            let error = sorter.finish().and_then(|records| records.read().next().map(drop)).unwrap_err();
            assert_eq!(error.kind(), Kind::Cancelled, "{merge}");
        }
    }

    /// Many threads, each with its buffer.
    #[test]
    fn threads_share() {
        let sorter = Sorter::new(Sorting { store: Arc::new(Memory::default()), heap: 2_000, merge: 4_000, cancel: Cancel::default() });
        let all = many(8_000);
        std::thread::scope(|scope| {
            for records in all.chunks(1_000) {
                let sorter = &sorter;
                scope.spawn(move || {
                    records.chunks(7).for_each(|some| {
                        let mut buffer = sorter.buffer();
                        some.iter().for_each(|record| buffer.push(|out| out.extend_from_slice(record)).unwrap());
                    })
                });
            }
        });
        assert!(lock(&sorter.idle).len() <= 8, "a heap for every thread");
        let mut merged = sorter.finish().unwrap().read();
        let (mut last, mut count) = (Vec::new(), 0);
        while let Some(record) = merged.next().unwrap() {
            assert!(*last <= *record);
            last = record.to_vec();
            count += 1;
        }
        assert_eq!(count, 8_000);
    }
}
