//! The frames of run files by themselves, as they travel between machines: out of a file, together with others' into a file, and several files
//! one after the other into one.

use super::run_file::SECTIONS;
use super::{RunFile, Section, Writer, sound};
use crate::base::cancel::Cancel;
use crate::base::error::{Error, Result};
use crate::model::hash::PARTITIONS;
use crate::model::state_batch::{LONG_PER_BATCH, StateBatch};
use crate::spill::{Budget, Disk, FRAME_CUSTOMERS, Io, Plan, Records, RunStore, RunWriter, Runs, Sorter, Sorting, Tiered, decode};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// The sections whose records are merged, by number.
const MERGED: [(u16, Section); 2] =
    [((PARTITIONS + Section::Rejects as usize) as u16, Section::Rejects), ((PARTITIONS + Section::Open as usize) as u16, Section::Open)];

/// Hands on every frame of a file that is being written, by section and in order.
///
/// # Errors
/// When it cannot be read; what `take` fails with.
pub(crate) fn each_frame(of: &Writer, mut take: impl FnMut(u16, &[u8]) -> Result<()>) -> Result<()> {
    let mut scratch = Vec::new();
    for section in 0..SECTIONS {
        for frame in of.frames_of(section) {
            take(section as u16, of.frames().get(&frame, &mut scratch)?)?;
        }
    }
    Ok(())
}

/// Frames of any sections, from anywhere and in any order, that become a run file for each part of an update.
pub(crate) struct FrameMerge {
    store: Arc<Tiered>,
    merge_memory: u64,
    /// By the part of the update that they are of.
    partitions: BTreeMap<u32, BTreeMap<usize, Runs>>,
    records: BTreeMap<(u32, u16), Sorter>,
    frames: BTreeMap<u32, u64>,
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
        let (partitions, records, frames, states) = Default::default();
        let store = Arc::new(Tiered::new(plan.budget, disk));
        Ok(FrameMerge { store, merge_memory: plan.merge_memory, partitions, records, frames, sorting, states, cancel: cancel.clone() })
    }

    /// The parts that have frames.
    pub(crate) fn parts(&self) -> Vec<u32> {
        self.frames.keys().copied().collect()
    }

    /// Takes a frame of a part.
    ///
    /// # Errors
    /// When it is damaged, or has what no state has.
    pub(crate) fn take(&mut self, part: u32, section: u16, frame: &[u8]) -> Result<()> {
        self.cancel.check()?;
        *self.frames.entry(part).or_default() += 1;
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

    /// Writes what was taken of a part, as a process writes it that has read all of it. Gives the numbers of customers, and of frames taken.
    ///
    /// # Errors
    /// When frames cannot be read back, or the file cannot be written.
    pub(crate) fn finish(&mut self, part: u32, to: &Writer) -> Result<(u64, u64)> {
        let mut customers = 0;
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
        Ok((customers, self.frames.remove(&part).unwrap_or_default()))
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
