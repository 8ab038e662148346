//! Sorted records: runs of them as frames in a store, and many runs read as one.
//!
//! A [`Writer`] turns records that come in order into the frames of a [`Run`]; [`Merged`] reads any number of runs frame by frame and
//! gives their records in order, equal ones as often as there are. `FORMAT.md` draws the frames. Reading gives what was written,
//! or an error: every frame has a checksum, which is checked before anything else of the frame is used.
//!
//! Memory: of every run one frame, [`FRAME`] bytes or as many as one record takes; none of a frame that the store holds in memory.
//! Reading takes nothing away, so [`Records`] can be read again; their frames go with them.
//!
//! Limits: a run's handle takes 40 bytes for each of its frames, 0.06 % of what is spilled, which no budget counts.

use crate::base::bytes::checksum::{CHECKSUM, damaged, seal, unsealed};
use crate::base::bytes::sort_key::{put_number, take_number};
use crate::base::cancel::Cancel;
use crate::base::error::Result;
use crate::spill::store::{FrameRef, RunStore};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Bytes of a frame, but for one of a single record: enough for one access to the disk, few enough to merge many runs at once.
pub(super) const FRAME: usize = 1 << 16;
const MAGIC: [u8; 4] = *b"LFSR";
const VERSION: u16 = 1;
const HEADER: usize = 8;
/// A record's length takes up so much at most.
const LENGTH: usize = 10;

/// Records in order, as frames.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub(super) frames: Vec<FrameRef>,
    /// The memory that reading it takes: that of its longest frame which is not in memory.
    pub(super) read_memory: u64,
}

/// Writes one run.
pub(super) struct Writer<'a> {
    store: &'a dyn RunStore,
    /// The most bytes of a frame with more than one record.
    most: usize,
    run: Run,
    /// Empty, or with a record at least.
    frame: Vec<u8>,
    bytes: u64,
}

impl<'a> Writer<'a> {
    pub(super) fn new(store: &'a dyn RunStore, most: usize) -> Self {
        Writer { store, most, run: Run::default(), frame: Vec::with_capacity(FRAME), bytes: 0 }
    }

    /// Appends a record, which none that was written to this run follows.
    ///
    /// # Errors
    /// When the store takes no more. The run is then worthless.
    pub(super) fn put(&mut self, record: &[u8]) -> Result<()> {
        if !self.frame.is_empty() && self.frame.len() + LENGTH + record.len() + CHECKSUM > self.most {
            self.flush()?;
        }
        if self.frame.is_empty() {
            self.frame.extend_from_slice(&MAGIC);
            self.frame.extend_from_slice(&VERSION.to_le_bytes());
            self.frame.resize(HEADER, 0);
        }
        put_number(record.len() as u64, &mut self.frame);
        self.frame.extend_from_slice(record);
        Ok(())
    }

    /// The run.
    ///
    /// # Errors
    /// When the store takes no more.
    pub(super) fn finish(mut self) -> Result<Run> {
        if !self.frame.is_empty() {
            self.flush()?;
        }
        // What never left memory was not spilled.
        if self.run.read_memory > 0 {
            let counters = self.store.counters();
            counters.runs.fetch_add(1, Relaxed);
            counters.frames.fetch_add(self.run.frames.len() as u64, Relaxed);
            counters.bytes.fetch_add(self.bytes, Relaxed);
        }
        Ok(self.run)
    }

    fn flush(&mut self) -> Result<()> {
        seal(&mut self.frame, 0);
        let block = self.store.put(&self.frame)?;
        self.bytes += self.frame.len() as u64;
        // A frame in memory that no budget counts is taken to be on the disk.
        if !matches!(block, FrameRef::Memory(_, Some(_))) {
            self.run.read_memory = self.run.read_memory.max(self.frame.len() as u64);
        }
        self.run.frames.push(block);
        self.frame.clear();
        self.frame.shrink_to(FRAME);
        Ok(())
    }
}

/// The range of a frame's records in its bytes.
fn payload(frame: &[u8]) -> Option<Range<usize>> {
    let body = unsealed(frame)?;
    let (header, payload) = body.split_first_chunk::<HEADER>()?;
    let is_ours = header[..4] == MAGIC && header[4..6] == VERSION.to_le_bytes() && header[6..] == [0; 2];
    (is_ours && !payload.is_empty()).then_some(HEADER..body.len())
}

/// Records in no more runs than are read at once.
#[derive(Debug)]
pub(crate) struct Records {
    store: Arc<dyn RunStore>,
    runs: Vec<Run>,
    cancel: Cancel,
}

impl Records {
    pub(super) fn new(store: Arc<dyn RunStore>, runs: Vec<Run>, cancel: Cancel) -> Self {
        Records { store, runs, cancel }
    }

    /// The records of one run with these frames.
    pub(crate) fn of_frames(store: Arc<dyn RunStore>, frames: Vec<FrameRef>, cancel: Cancel) -> Self {
        Self::new(store, vec![Run { frames, read_memory: FRAME as u64 }], cancel)
    }

    #[cfg(test)]
    pub(super) fn read_memories(&self) -> Vec<u64> {
        self.runs.iter().map(|run| run.read_memory).collect()
    }

    /// All of them in order, from the first.
    pub(crate) fn read(self: &Arc<Self>) -> Merged {
        Merged { records: self.clone(), heads: Vec::new(), order: Vec::new(), begun: false }
    }
}

/// Records on their way back.
pub(crate) struct Merged {
    records: Arc<Records>,
    /// The position in each run.
    heads: Vec<Head>,
    /// The runs that have a record, as a heap: the one with the least comes first.
    order: Vec<u32>,
    begun: bool,
}

/// The position of a run's next record.
struct Head {
    /// Memory for frames that are not in memory already.
    scratch: Vec<u8>,
    /// The frames that were begun.
    frames: usize,
    /// The record, in the last of these.
    record: Range<usize>,
    /// The records after it, there.
    rest: Range<usize>,
    prefix: [u64; 2],
}

impl Merged {
    /// The next record. After an error there is none.
    ///
    /// # Errors
    /// When a run cannot be read.
    pub(crate) fn next(&mut self) -> Result<Option<&[u8]>> {
        let moved = if self.begun { self.pass() } else { self.begin() };
        if moved.is_err() {
            self.order.clear();
        }
        moved?;
        Ok(self.order.first().map(|&least| self.record(least)))
    }

    fn begin(&mut self) -> Result<()> {
        self.begun = true;
        let head =
            |run: &Run| Head { scratch: Vec::with_capacity(run.read_memory as usize), frames: 0, record: 0..0, rest: 0..0, prefix: [0; 2] };
        self.heads = self.records.runs.iter().map(head).collect();
        for run in 0..self.heads.len() as u32 {
            if self.advance(run)? {
                self.order.push(run);
            }
        }
        (0..self.order.len() / 2).rev().for_each(|at| self.settle(at));
        Ok(())
    }

    /// Goes on to the record after the least.
    fn pass(&mut self) -> Result<()> {
        let Some(&least) = self.order.first() else { return Ok(()) };
        if !self.advance(least)? {
            self.order.swap_remove(0);
        }
        self.settle(0);
        Ok(())
    }

    /// Goes on to a run's next record; false when there is none.
    fn advance(&mut self, run: u32) -> Result<bool> {
        let (head, frames) = (&mut self.heads[run as usize], &self.records.runs[run as usize].frames);
        if head.rest.is_empty() {
            let Some(block) = frames.get(head.frames) else { return Ok(false) };
            self.records.cancel.check()?;
            head.rest = payload(self.records.store.get(block, &mut head.scratch)?).ok_or_else(damaged)?;
            head.frames += 1;
        }
        let mut rest = &bytes(&frames[head.frames - 1], &head.scratch)[head.rest.clone()];
        let length = take_number(&mut rest).and_then(|length| usize::try_from(length).ok()).filter(|&length| length <= rest.len());
        let begin = head.rest.end - rest.len();
        head.record = begin..begin + length.ok_or_else(damaged)?;
        head.rest = head.record.end..head.rest.end;
        head.prefix = prefix(&rest[..head.record.len()]);
        Ok(true)
    }

    fn record(&self, run: u32) -> &[u8] {
        let (head, frames) = (&self.heads[run as usize], &self.records.runs[run as usize].frames);
        &bytes(&frames[head.frames - 1], &head.scratch)[head.record.clone()]
    }

    fn is_less(&self, a: u32, b: u32) -> bool {
        let prefix = |run: u32| self.heads[run as usize].prefix;
        prefix(a).cmp(&prefix(b)).then_with(|| self.record(a).cmp(self.record(b))).is_lt()
    }

    /// Lets the run at a place of the heap sink below those with lesser records.
    fn settle(&mut self, mut at: usize) {
        loop {
            let mut least = at;
            for child in [2 * at + 1, 2 * at + 2] {
                if child < self.order.len() && self.is_less(self.order[child], self.order[least]) {
                    least = child;
                }
            }
            if least == at {
                return;
            }
            self.order.swap(at, least);
            at = least;
        }
    }
}

/// The bytes of a frame that was read.
fn bytes<'a>(block: &'a FrameRef, scratch: &'a [u8]) -> &'a [u8] {
    match block {
        FrameRef::Memory(bytes, _) => bytes,
        FrameRef::Disk { .. } => scratch,
    }
}

/// The first bytes of a record, which decide most comparisons.
pub(super) fn prefix(record: &[u8]) -> [u64; 2] {
    let mut first = [0; 16];
    let length = record.len().min(16);
    first[..length].copy_from_slice(&record[..length]);
    let word = |at: usize| u64::from_be_bytes(std::array::from_fn(|i| first[at + i]));
    [word(0), word(8)]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::base::cancel::Discard;
    use crate::base::error::Kind;
    use crate::spill::budget::Budget;
    use crate::spill::{Memory, Tiered};
    use proptest::prelude::*;

    /// The records of runs that each hold some, read back with frames of so many bytes.
    fn back(store: Arc<dyn RunStore>, most: usize, runs: &[Vec<Vec<u8>>]) -> Result<Vec<Vec<u8>>> {
        let run = |records: &Vec<Vec<u8>>| {
            let mut writer = Writer::new(&*store, most);
            records.iter().try_for_each(|record| writer.put(record))?;
            writer.finish()
        };
        let runs = runs.iter().map(run).collect::<Result<_>>()?;
        collect(Arc::new(Records::new(store.clone(), runs, Cancel::default())).read())
    }

    fn collect(mut merged: Merged) -> Result<Vec<Vec<u8>>> {
        let mut found = Vec::new();
        while let Some(record) = merged.next()? {
            found.push(record.to_vec());
        }
        assert!(merged.next()?.is_none(), "it begins again");
        Ok(found)
    }

    fn records(prefix: &str, count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|i| format!("{prefix} {i:03}").into_bytes()).collect()
    }

    proptest! {
        #[test]
        fn runs_merge(
            mut runs in prop::collection::vec(prop::collection::vec(prop::collection::vec(0..4u8, 0..20), 0..12), 0..9),
            most in prop_oneof![Just(0usize), 20..90usize, Just(FRAME)],
        ) {
            runs.iter_mut().for_each(|run| run.sort());
            let mut all = runs.concat();
            all.sort();
            prop_assert_eq!(back(Arc::new(Memory::default()), most, &runs).unwrap(), all);
        }
    }

    #[test]
    fn frames_are_bounded() {
        let store = Memory::default();
        let mut writer = Writer::new(&store, FRAME);
        let sizes = [10, 40_000, 30_000, 35_507, 1, 100_000, 3];
        for (at, size) in (0..).zip(sizes) {
            writer.put(&vec![at; size]).unwrap();
        }
        let run = writer.finish().unwrap();
        let lengths: Vec<usize> = run.frames.iter().map(|block| bytes(block, &[]).len()).collect();
        let around = HEADER + CHECKSUM;
        assert_eq!(lengths, [around + 40_014, around + 65_513, around + 2, around + 100_003, around + 4]);
        assert_eq!(lengths[1] + LENGTH - 3, FRAME, "as full as may be");
        assert_eq!(run.read_memory, lengths[3] as u64);
        assert_eq!(store.counters().frames.load(Relaxed), 5);
        assert_eq!(store.counters().bytes.load(Relaxed), lengths.iter().sum::<usize>() as u64);
    }

    /// Frames that the store holds in memory take no more of it to be read, and do not count as spilled. They are freed with the records.
    #[test]
    fn frames_in_memory_are_read_where_they_lie() {
        let budget = Budget::new(1_000);
        let store: Arc<dyn RunStore> = Arc::new(Tiered::new(budget.clone(), Arc::new(Memory::default())));
        let write = |records: &[Vec<u8>]| {
            let mut writer = Writer::new(&*store, 100);
            records.iter().for_each(|record| writer.put(record).unwrap());
            writer.finish().unwrap()
        };
        let (held, spilled) = (write(&records("held", 50)), write(&records("spilled", 50)));
        assert_eq!((held.read_memory, spilled.read_memory > 0, store.counters().runs.load(Relaxed)), (0, true, 1));
        assert!(budget.reserved() > 700, "{}", budget.reserved());
        let both = Arc::new(Records::new(store.clone(), vec![spilled, held], Cancel::default()));
        let all = [records("held", 50), records("spilled", 50)].concat();
        let (first, second) = (both.read(), both.read());
        drop(both);
        assert_eq!(collect(first).unwrap(), all);
        assert_eq!(collect(second).unwrap(), all, "they can be read again");
        assert_eq!(budget.reserved(), 0);
    }

    /// One byte of all that is written comes back changed.
    #[derive(Debug)]
    struct Flips {
        memory: Memory,
        at: u64,
        written: std::sync::atomic::AtomicU64,
    }

    impl Discard for Flips {}

    impl RunStore for Flips {
        fn put(&self, frame: &[u8]) -> Result<FrameRef> {
            let mut frame = frame.to_vec();
            let before = self.written.fetch_add(frame.len() as u64, Relaxed);
            if let Some(byte) = self.at.checked_sub(before).and_then(|at| frame.get_mut(at as usize)) {
                *byte ^= 1 << (self.at % 8);
            }
            self.memory.put(&frame)
        }

        fn get<'a>(&self, block: &'a FrameRef, scratch: &'a mut Vec<u8>) -> Result<&'a [u8]> {
            self.memory.get(block, scratch)
        }

        fn counters(&self) -> &crate::spill::Counters {
            self.memory.counters()
        }
    }

    #[test]
    fn damage_is_an_error() {
        let runs = [records("a", 7), records("b", 5)];
        for at in 0.. {
            let store = Arc::new(Flips { memory: Memory::default(), at, written: Default::default() });
            let found = back(store.clone(), 60, &runs);
            if store.written.load(Relaxed) <= at {
                assert_eq!(found.unwrap(), runs.concat());
                assert!(at >= 120, "only {at} bytes");
                break;
            }
            let error = found.expect_err("damage must be noticed");
            assert_eq!(error.kind(), Kind::Data);
            assert!(error.to_string().contains("a spilled run is damaged"), "{error}");
        }
    }

    /// Bytes that are no frame of ours, or made to deceive, are an error and no panic.
    #[test]
    fn foreign_frames_are_refused() {
        let sealed = |body: &[u8]| {
            let mut frame = body.to_vec();
            seal(&mut frame, 0);
            frame
        };
        let read = |frame: &[u8]| {
            let store: Arc<dyn RunStore> = Arc::new(Memory::default());
            let run = Run { frames: vec![store.put(frame).unwrap()], read_memory: 0 };
            collect(Arc::new(Records::new(store, vec![run], Cancel::default())).read())
        };
        assert_eq!(read(&sealed(b"LFSR\x01\0\0\0\x02hi\0")).unwrap(), [&b"hi"[..], b""]);
        let bodies: [&[u8]; 8] = [
            b"",
            b"LFSR\x01\0\0\0",
            b"LFSR\x02\0\0\0\x02hi",
            b"LFSR\x01\0\x01\0\x02hi",
            b"LFRN\x01\0\0\0\x02hi",
            b"LFSR\x01\0\0\0\x03hi",
            b"LFSR\x01\0\0\0\x82",
            b"LFSR\x01\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01hi",
        ];
        for body in bodies {
            assert_eq!(read(&sealed(body)).unwrap_err().kind(), Kind::Data, "{body:?}");
        }
        assert!(read(b"short").is_err());
    }

    /// The bytes of version 1. If this fails, the format has changed: see `FORMAT.md`.
    #[test]
    fn golden_bytes() {
        let store = Memory::default();
        let mut writer = Writer::new(&store, FRAME);
        writer.put(b"").unwrap();
        writer.put(&[7; 200]).unwrap();
        let run = writer.finish().unwrap();
        let frame = bytes(&run.frames[0], &[]);
        let body = [&b"LFSR\x01\0\0\0\0\xc8\x01"[..], &[7; 200]].concat();
        assert_eq!(frame[..body.len()], body);
        assert_eq!(frame[body.len()..], 0xc701_82ae_ff9a_dfd6_u64.to_le_bytes());
    }
}
