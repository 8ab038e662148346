//! The frames of run files by themselves, as they travel between machines: out of a file, together with others' into a file, and several files
//! one after the other into one.

use super::run_file::SECTIONS;
use super::{RunFile, Section, Writer, sound};
use crate::base::cancel::Cancel;
use crate::base::error::{Error, Kind, Result};
use crate::model::hash::PARTITIONS;
use crate::model::reject::Reject;
use crate::model::state_batch::{LONG_PER_BATCH, StateBatch};
use crate::spill::{
    Budget, Disk, FRAME_CUSTOMERS, FrameRef, Io, Plan, Records, RunStore, RunWriter, Runs, Sorter, Sorting, Tiered, decode,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// The most frames that a task may have for a section: some 17 billion customers of a partition.
const MOST_FRAMES: u32 = 1 << 22;

/// The sections whose records are merged, by number.
const MERGED: [(u16, Section); 2] =
    [((PARTITIONS + Section::Rejects as usize) as u16, Section::Rejects), ((PARTITIONS + Section::Open as usize) as u16, Section::Open)];

/// Where a frame on its way comes from: engines may bring what several tries of a task have sent, of which one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    /// The task, by its first work unit.
    pub(crate) task: u64,
    /// The try: any number that no other has.
    pub(crate) attempt: u64,
    /// Its place among the frames that the task has for the section, and how many these are.
    index: u32,
    count: u32,
}

impl Sent {
    fn put(self, out: &mut Vec<u8>) {
        let Sent { task, attempt, index, count } = self;
        out.extend_from_slice(&task.to_le_bytes());
        out.extend_from_slice(&attempt.to_le_bytes());
        out.extend_from_slice(&index.to_le_bytes());
        out.extend_from_slice(&count.to_le_bytes());
    }

    /// Takes it off the front of a frame.
    fn take(bytes: &[u8]) -> Option<(Sent, &[u8])> {
        let (task, rest) = bytes.split_first_chunk()?;
        let (attempt, rest) = rest.split_first_chunk()?;
        let (index, rest) = rest.split_first_chunk()?;
        let (count, rest) = rest.split_first_chunk()?;
        let (task, attempt) = (u64::from_le_bytes(*task), u64::from_le_bytes(*attempt));
        Some((Sent { task, attempt, index: u32::from_le_bytes(*index), count: u32::from_le_bytes(*count) }, rest))
    }
}

/// Hands on every frame of a file that is being written, by section and in order, with a head that says where it comes from. Gives the number of
/// sections that have any.
///
/// # Errors
/// When it cannot be read; what `take` fails with.
pub(crate) fn each_frame(of: &Writer, task: u64, attempt: u64, mut take: impl FnMut(u16, &[u8]) -> Result<()>) -> Result<u64> {
    let (mut scratch, mut out, mut sections) = (Vec::new(), Vec::new(), 0);
    for section in 0..SECTIONS {
        let frames = of.frames_of(section);
        sections += u64::from(!frames.is_empty());
        for (index, frame) in (0..).zip(&frames) {
            out.clear();
            Sent { task, attempt, index, count: frames.len() as u32 }.put(&mut out);
            out.extend_from_slice(of.frames().get(frame, &mut scratch)?);
            take(section as u16, &out)?;
        }
    }
    Ok(sections)
}

/// What has come of a task's frames for a section.
#[derive(Debug)]
struct Come {
    attempt: u64,
    count: u32,
    /// Which of them have not come yet.
    missing: Vec<u32>,
}

/// Frames of any sections, from anywhere and in any order, that become a run file for each part of an update.
pub(crate) struct FrameMerge {
    store: Arc<Tiered>,
    merge_memory: u64,
    /// By the part of the update that they are of.
    partitions: BTreeMap<u32, BTreeMap<usize, Runs>>,
    records: BTreeMap<(u32, u16), Sorter>,
    /// By part, section and task.
    come: BTreeMap<(u32, u16, u64), Come>,
    sorting: Sorting,
    states: StateBatch,
    cancel: Cancel,
}

impl FrameMerge {
    /// In so much memory, and in a folder for what does not fit.
    ///
    /// # Errors
    /// When the memory is too little.
    pub(crate) fn new(memory: Option<u64>, spill_dir: Option<&Path>, io: &Io, cancel: &Cancel) -> Result<Self> {
        let plan = Plan::new(memory, 1, 0)?;
        let disk: Arc<dyn RunStore> = Arc::new(Disk::within(spill_dir, io)?);
        let sorting = Sorting {
            store: Arc::new(Tiered::new(Budget::new(plan.reject_memory), disk.clone())),
            heap: plan.reject_memory / 2,
            merge: plan.merge_memory,
            cancel: cancel.clone(),
        };
        let (partitions, records, come, states) = Default::default();
        let store = Arc::new(Tiered::new(plan.budget, disk));
        Ok(FrameMerge { store, merge_memory: plan.merge_memory, partitions, records, come, sorting, states, cancel: cancel.clone() })
    }

    /// The parts that have frames.
    pub(crate) fn parts(&self) -> Vec<u32> {
        let mut parts: Vec<u32> = self.come.keys().map(|(part, ..)| *part).collect();
        parts.dedup();
        parts
    }

    /// Takes a frame of a part, unless it has come already, also by another try of its task.
    ///
    /// # Errors
    /// When it is damaged, or has what no state has.
    pub(crate) fn take(&mut self, part: u32, section: u16, frame: &[u8]) -> Result<()> {
        self.cancel.check()?;
        let (sent, frame) = Sent::take(frame).ok_or_else(nonsense)?;
        if sent.index >= sent.count || sent.count > MOST_FRAMES {
            return Err(nonsense());
        }
        let begun = || Come { attempt: sent.attempt, count: sent.count, missing: (0..sent.count).collect() };
        let come = self.come.entry((part, section, sent.task)).or_insert_with(begun);
        let place = come.missing.iter().position(|index| *index == sent.index);
        let Some(place) = place.filter(|_| (come.attempt, come.count) == (sent.attempt, sent.count)) else { return Ok(()) };
        come.missing.swap_remove(place);
        if usize::from(section) < PARTITIONS {
            decode(frame, &mut self.states)?;
            if !sound::is_sound(&self.states, section.into()) {
                return Err(nonsense());
            }
            let mut writer = RunWriter::new(&*self.store);
            writer.write(&self.states)?;
            let runs = self.partitions.entry(part).or_default().entry(section.into()).or_default();
            return runs.push(writer.finish(), &*self.store);
        }
        if !MERGED.iter().any(|(known, _)| *known == section) {
            return Err(nonsense());
        }
        let sorter = self.records.entry((part, section)).or_insert_with(|| Sorter::new(self.sorting.clone()));
        let frame = self.store.put(frame)?;
        let mut records = Arc::new(Records::of_frames(self.store.clone(), vec![frame], self.cancel.clone())).read();
        let mut buffer = sorter.buffer();
        while let Some(record) = records.next()? {
            buffer.push(|out| out.extend_from_slice(record))?;
        }
        Ok(())
    }

    /// Writes what was taken of a part, as a process writes it that has read all of it. Gives the number of customers; that of sections, once for
    /// each task that had any of one; and the first section, which another try of the same merge has, too.
    ///
    /// # Errors
    /// When frames are missing, or cannot be read back, or the file cannot be written.
    pub(crate) fn finish(&mut self, part: u32, to: &Writer) -> Result<(u64, u64, u16)> {
        let (mut customers, mut sections, mut first) = (0, 0, None);
        for (&(_, section, _), come) in self.come.iter().filter(|((of, ..), _)| *of == part) {
            first.get_or_insert(section);
            if !come.missing.is_empty() {
                let what = format!("{} of {} frames were lost on their way", come.missing.len(), come.count);
                return Err(Error::new(Kind::Io, what));
            }
            sections += 1;
        }
        for (partition, runs) in self.partitions.remove(&part).unwrap_or_default() {
            let mut full = Full { writer: RunWriter::new(to.frames()), held: StateBatch::default() };
            runs.merge(Vec::new(), &*self.store, self.merge_memory, FRAME_CUSTOMERS, |states| {
                self.cancel.check()?;
                customers += states.len() as u64;
                full.take(states)
            })?;
            to.add(partition, full.finish()?);
        }
        for (section, which) in MERGED {
            super::save::save_records(which, self.records.remove(&(part, section)).as_ref(), to)?;
        }
        Ok((customers, sections, first.unwrap_or_default()))
    }
}

/// Writes customers in batches that are as full as those of a partition in memory.
struct Full<'a> {
    writer: RunWriter<'a>,
    held: StateBatch,
}

impl Full<'_> {
    fn take(&mut self, states: &StateBatch) -> Result<()> {
        if self.held.len() == 0 && states.len() == FRAME_CUSTOMERS && states.long.len() < LONG_PER_BATCH {
            return self.writer.write(states);
        }
        for customer in 0..states.len() {
            if self.held.len() == FRAME_CUSTOMERS || self.held.long.len() >= LONG_PER_BATCH {
                self.write()?;
            }
            for entry in states.begin(customer)..states.ends[customer] as usize {
                self.held.push_sum(states.windows[entry], &states.sum(entry));
            }
            self.held.push(states.views[customer], states.id(customer, &mut [0; 16]), states.first_seen[customer]);
        }
        Ok(())
    }

    fn write(&mut self) -> Result<()> {
        self.writer.write(&self.held)?;
        self.held.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<crate::spill::Run> {
        self.write()?;
        Ok(self.writer.finish())
    }
}

fn nonsense() -> Error {
    Error::data("a frame of customers is damaged: what it holds cannot be in its partition")
}

/// Puts run files that have no partition in common into one, in the order of partitions.
///
/// # Errors
/// When one cannot be read, or the other cannot be written.
pub(crate) fn gather(pieces: &[RunFile], to: &Writer, cancel: &Cancel) -> Result<()> {
    for partition in 0..PARTITIONS {
        cancel.check()?;
        pieces.iter().filter(|piece| piece.frames_of(partition) > 0).try_for_each(|piece| piece.copy_partition(partition, to))?;
    }
    for section in Section::ROWS {
        pieces.iter().try_for_each(|piece| piece.copy_records(section, to))?;
    }
    Ok(())
}

/// What the rows of a file are, whatever their places were and however they were divided: 128 bits in hexadecimal.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn fingerprint(file: &RunFile, cancel: &Cancel) -> Result<String> {
    let (mut hash, mut scratch) = (Xxh3::new(), Vec::new());
    for (section, frames) in file.index.sections[..PARTITIONS].iter().enumerate() {
        cancel.check()?;
        for &(at, length) in frames {
            let frame = FrameRef::Disk { file: 0, at, length: length as usize };
            hash.update(&(section as u64).to_le_bytes());
            hash.update(file.frames.get(&frame, &mut scratch)?);
        }
    }
    for section in Section::ROWS {
        let (mut records, mut sum, mut record) = (file.records(section, cancel.clone()).read(), 0u128, Vec::new());
        while let Some(bytes) = records.next()? {
            let row = Reject::read(bytes).ok_or_else(nonsense)?;
            record.clear();
            Reject { source: String::new(), row: 0, line: None, ..row }.write(&mut record);
            sum = sum.wrapping_add(xxh3_128(&record));
        }
        hash.update(&sum.to_le_bytes());
    }
    Ok(format!("{:032x}", hash.digest128()))
}
