//! A run: one partition's customers in ascending order, as frames in a store. Written once, read once.
//!
//! A run is what spilling leaves of a partition; [`merge`](super::merge) puts a partition's runs together again. The handle owns its
//! frames: reading a frame frees it, and so does dropping the run.

use super::frame::{decode, encode, frame_end};
use super::merge_runs::Sorted;
use super::store::{FrameRef, RunStore};
use crate::base::error::Result;
use crate::model::state_batch::StateBatch;
use std::sync::atomic::Ordering::Relaxed;

/// The handle of a run: the places of its frames, and its size.
#[derive(Debug, Default)]
pub(crate) struct Run {
    frames: Vec<FrameRef>,
    customers: u64,
    entries: u64,
    /// Bytes of long ids.
    long: u64,
}

impl Run {
    /// The memory that reading it takes, about: that of one frame.
    pub(crate) fn memory(&self) -> u64 {
        let frames = self.frames.len().max(1) as u64;
        (self.customers * 44 + self.entries * 36 + self.long) / frames
    }

    /// The memory that knowing it takes.
    pub(crate) fn own_memory(&self) -> usize {
        size_of::<Run>() + self.frames.capacity() * size_of::<FrameRef>()
    }

    /// Its frames, customers and entries.
    pub(crate) fn into_parts(self) -> (Vec<FrameRef>, u64, u64) {
        (self.frames, self.customers, self.entries)
    }

    /// Reads it, frame by frame.
    pub(crate) fn read(self, store: &dyn RunStore) -> RunReader<'_> {
        RunReader { store, frames: self.frames.into_iter(), bytes: Vec::new() }
    }
}

/// Writes runs, one after the other.
pub(crate) struct RunWriter<'a> {
    store: &'a dyn RunStore,
    run: Run,
    bytes: Vec<u8>,
}

impl<'a> RunWriter<'a> {
    pub(crate) fn new(store: &'a dyn RunStore) -> Self {
        RunWriter { store, run: Run::default(), bytes: Vec::new() }
    }

    /// Appends customers, who follow all that were written to this run. States are cut into frames; frames do not span states, so
    /// states of few customers make small frames.
    ///
    /// # Errors
    /// When the store takes no more. The run is then worthless.
    pub(crate) fn write(&mut self, states: &StateBatch) -> Result<()> {
        let mut from = 0;
        while from < states.len() {
            let end = frame_end(states, from);
            self.bytes.clear();
            encode(states, from..end, &mut self.bytes)?;
            self.run.frames.push(self.store.put(&self.bytes)?);
            let counters = self.store.counters();
            counters.frames.fetch_add(1, Relaxed);
            counters.bytes.fetch_add(self.bytes.len() as u64, Relaxed);
            from = end;
        }
        self.run.customers += states.len() as u64;
        self.run.entries += states.windows.len() as u64;
        self.run.long += states.long.len() as u64;
        Ok(())
    }

    /// The run of all that was written since the last one.
    pub(crate) fn finish(&mut self) -> Run {
        self.store.counters().runs.fetch_add(1, Relaxed);
        self.run.frames.shrink_to_fit();
        std::mem::take(&mut self.run)
    }
}

/// A run on its way back.
pub(crate) struct RunReader<'a> {
    store: &'a dyn RunStore,
    frames: std::vec::IntoIter<FrameRef>,
    bytes: Vec<u8>,
}

impl Sorted for RunReader<'_> {
    fn next(&mut self, states: &mut StateBatch) -> Result<bool> {
        let Some(block) = self.frames.next() else { return Ok(false) };
        decode(self.store.get(&block, &mut self.bytes)?, states)?;
        Ok(true)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::model::samples::{customer, many, model_of, states};
    use crate::spill::budget::Budget;
    use crate::spill::doubles::{Faulty, Memory};
    use crate::spill::frame::FRAME_CUSTOMERS;
    use crate::spill::store::Tiered;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn runs_come_back(parts in prop::collection::vec(states(0..9), 0..4)) {
            let store = Memory::default();
            let mut writer = RunWriter::new(&store);
            for part in &parts {
                writer.write(part).unwrap();
                let run = writer.finish();
                prop_assert_eq!((run.customers, run.entries), (part.len() as u64, part.windows.len() as u64));
                let mut reader = run.read(&store);
                let mut back = StateBatch::default();
                prop_assert_eq!(reader.next(&mut back).unwrap(), part.len() > 0);
                prop_assert_eq!(&back, part);
                prop_assert!(!reader.next(&mut back).unwrap());
            }
            prop_assert_eq!(store.counters().runs.load(Relaxed), parts.len() as u64);
        }
    }

    /// States of any size are cut into frames, whose memory is free again once they are read.
    #[test]
    fn large_runs_are_many_frames() {
        let all = many(2 * FRAME_CUSTOMERS + 5);
        let budget = Budget::unlimited();
        let store = Tiered::new(budget.clone(), std::sync::Arc::new(Memory::default()));
        let mut writer = RunWriter::new(&store);
        writer.write(&all).unwrap();
        let run = writer.finish();
        assert_eq!(budget.reserved(), store.counters().bytes.load(Relaxed));
        let mut reader = run.read(&store);
        let (mut back, mut sizes, mut index) = (StateBatch::default(), Vec::new(), 0);
        while reader.next(&mut back).unwrap() {
            sizes.push(back.len());
            for i in 0..back.len() {
                assert_eq!(customer(&back, i), customer(&all, index));
                index += 1;
            }
        }
        assert_eq!(sizes, [FRAME_CUSTOMERS, FRAME_CUSTOMERS, 5]);
        assert_eq!(budget.reserved(), 0);
    }

    /// Whichever operation fails, the error comes out, and only that operation's.
    #[test]
    fn faults_come_out() {
        let all = many(FRAME_CUSTOMERS + 1);
        let through = |fails: u64| -> Result<u64> {
            let store = Faulty::new(Memory::default(), fails);
            let mut writer = RunWriter::new(&store);
            writer.write(&all)?;
            let mut reader = writer.finish().read(&store);
            let (mut back, mut model) = (StateBatch::default(), model_of(&StateBatch::default()));
            while reader.next(&mut back)? {
                model.extend(model_of(&back));
            }
            assert_eq!(model.len(), all.len());
            Ok(store.operations())
        };
        let operations = through(u64::MAX).unwrap();
        assert_eq!(operations, 4);
        for fails in 0..operations {
            assert_eq!(through(fails).unwrap_err().kind(), crate::base::error::Kind::Io);
        }
    }
}
