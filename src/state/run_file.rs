//! A run file: the customers of one update of a state, or of several that were compacted. It has a run for every partition, and records
//! that belong to no customer: rows left out, rows that every audit judges for itself, ids of orders. `FORMAT.md` draws the bytes.
//!
//! A [`Writer`] is a store for frames that any number of threads append to; the index at the end says which belong together. A
//! [`RunFile`] is opened by its index, which is held in memory; frames are read one at a time. Files never change once they are written.
//!
//! The index has the checksum of each frame, and the manifest that of the index: a file that a manifest names is that file to the last byte.
//! What a right checksum covers may still be nonsense, if somebody wanted it to be: [`RunFile::read`] checks all that finalizing relies on.

use super::rollup::Rollup;
use super::sound;
use crate::base::bytes::checksum::unsealed;
use crate::base::bytes::pack::{pack, take, unpack};
use crate::base::cancel::{Cancel, Discard};
use crate::base::error::{Error, Result};
use crate::base::threads::lock;
use crate::model::entry::HISTORY;
use crate::model::hash::PARTITIONS;
use crate::model::state_batch::StateBatch;
use crate::spill::{Counters, FrameRef, Io, Records, Run, RunStore, Sorted, decode};
use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};
use std::collections::HashMap;
use std::fs::File;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};

pub(crate) const MAGIC: [u8; 4] = *b"LFST";
/// The version that is written.
const VERSION: u16 = 3;
/// The versions that are read: the index of the first does not know the frames' checksums, the second has no ids of orders.
const READ: std::ops::RangeInclusive<u64> = 1..=VERSION as u64;
/// Magic, version, two zeros.
const HEADER: u64 = 8;
/// Magic, version, two zeros, the number of frames, the length of the index, where it begins, the checksum.
const FOOTER: usize = 32;
const SECRETS: RapidSecrets = RapidSecrets::seed_cpp(0x4c46_5354);
/// Partitions, rows left out, open rows, ids of orders.
pub(super) const SECTIONS: usize = PARTITIONS + 3;

/// Records of a run file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    /// Rows that were left out.
    Rejects,
    /// Rows for audits to judge.
    Open,
    /// The ids of orders, in order, each as an [`OrderMark`](crate::orders::OrderMark).
    Orders,
}

impl Section {
    /// Those whose records are rows.
    pub(crate) const ROWS: [Section; 2] = [Section::Rejects, Section::Open];
}

/// Frames in a file.
#[derive(Debug)]
pub(crate) struct Frames {
    file: File,
    name: String,
    end: AtomicU64,
    io: Io,
    counters: Counters,
    /// The checksums of frames that were written, by their places.
    written: Mutex<HashMap<u64, u64>>,
    /// Those that frames must have, where the index knows them.
    checks: HashMap<u64, u64>,
}

impl Frames {
    fn new(file: File, name: String, end: u64, io: &Io, checks: HashMap<u64, u64>) -> Self {
        let (counters, written) = (Counters::default(), Mutex::default());
        Frames { file, name, end: AtomicU64::new(end), io: io.clone(), counters, written, checks }
    }

    /// The error for a frame that is not what was written.
    pub(super) fn damaged(&self, at: u64) -> Error {
        let what = format!("the run file is damaged: what lies at byte {at} is not what was written");
        Error::data(what).input(&self.name).help(super::DAMAGED_HELP)
    }

    fn failed(&self, doing: &str, cause: std::io::Error) -> Error {
        Error::io(doing, cause).input(&self.name)
    }
}

impl Discard for Frames {}

impl RunStore for Frames {
    fn put(&self, frame: &[u8]) -> Result<FrameRef> {
        let at = self.end.fetch_add(frame.len() as u64, Relaxed);
        self.io.write_at(&self.file, frame, at).map_err(|e| self.failed("cannot write", e))?;
        self.counters.written.fetch_add(frame.len() as u64, Relaxed);
        lock(&self.written).insert(at, checksum_of(frame));
        Ok(FrameRef::Disk { file: 0, at, length: frame.len() })
    }

    fn get<'a>(&self, block: &'a FrameRef, scratch: &'a mut Vec<u8>) -> Result<&'a [u8]> {
        let &FrameRef::Disk { at, length, .. } = block else {
            return Err(Error::internal("a frame was looked for in the wrong store"));
        };
        scratch.resize(length, 0);
        self.io.read_at(&self.file, scratch, at).map_err(|e| self.failed("cannot read", e))?;
        match self.checks.get(&at) {
            Some(check) if *check != checksum_of(scratch) => Err(self.damaged(at)),
            _ => Ok(scratch),
        }
    }

    fn counters(&self) -> &Counters {
        &self.counters
    }
}

/// The checksum at the end of a frame.
fn checksum_of(frame: &[u8]) -> u64 {
    frame.last_chunk().map_or(0, |checksum| u64::from_le_bytes(*checksum))
}

/// The index of a run file: the positions of all frames.
#[derive(Debug)]
pub(super) struct Index {
    /// The frames of each partition's run, of rows left out, of open rows, of ids of orders.
    pub(super) sections: Vec<Vec<(u64, u32)>>,
    customers: Vec<u64>,
    entries: Vec<u64>,
}

impl Default for Index {
    fn default() -> Self {
        Index { sections: vec![Vec::new(); SECTIONS], customers: vec![0; PARTITIONS], entries: vec![0; PARTITIONS] }
    }
}

impl Index {
    fn frames(&self) -> usize {
        self.sections.iter().map(Vec::len).sum()
    }

    fn encode(&self, checks: &HashMap<u64, u64>) -> Vec<u8> {
        let mut out = Vec::new();
        pack(&self.sections.iter().map(|frames| frames.len() as u32).collect::<Vec<_>>(), &mut out);
        pack(&self.sections.iter().flatten().map(|&(at, _)| at).collect::<Vec<_>>(), &mut out);
        pack(&self.sections.iter().flatten().map(|&(_, length)| length).collect::<Vec<_>>(), &mut out);
        pack(&self.customers, &mut out);
        pack(&self.entries, &mut out);
        pack(&self.sections.iter().flatten().map(|(at, _)| checks.get(at).copied().unwrap_or(0)).collect::<Vec<_>>(), &mut out);
        out
    }

    /// The index of a file whose frames lie before `end`, and their checksums, which the first version lacks.
    fn decode(mut bytes: &[u8], frames: usize, end: u64, version: u64) -> Option<(Self, HashMap<u64, u64>)> {
        let bytes = &mut bytes;
        let (mut counts, mut ats, mut lengths) = (Vec::<u32>::new(), Vec::<u64>::new(), Vec::<u32>::new());
        unpack(bytes, if version > 2 { SECTIONS } else { SECTIONS - 1 }, &mut counts)?;
        if counts.iter().map(|&count| count as usize).sum::<usize>() != frames {
            return None;
        }
        unpack(bytes, frames, &mut ats)?;
        unpack(bytes, frames, &mut lengths)?;
        let mut index = Index { customers: Vec::new(), entries: Vec::new(), ..Index::default() };
        unpack(bytes, PARTITIONS, &mut index.customers)?;
        unpack(bytes, PARTITIONS, &mut index.entries)?;
        let mut checks = Vec::<u64>::new();
        if version > 1 {
            unpack(bytes, frames, &mut checks)?;
        }
        let checks = ats.iter().copied().zip(checks).collect();
        let sum = |counts: &[u64]| counts.iter().try_fold(0u64, |sum, &count| sum.checked_add(count));
        sum(&index.customers).and(sum(&index.entries))?;
        let inside = |&(at, length): &(u64, u32)| at >= HEADER && at.checked_add(length.into()).is_some_and(|to| to <= end);
        let mut all = ats.into_iter().zip(lengths);
        for (section, count) in index.sections.iter_mut().zip(counts) {
            section.extend(all.by_ref().take(count as usize));
        }
        (bytes.is_empty() && index.sections.iter().flatten().all(inside)).then_some((index, checks))
    }
}

/// A run file that is being written.
#[derive(Debug)]
pub(crate) struct Writer {
    frames: Frames,
    pub(super) index: Mutex<Index>,
}

/// The size and the checksum of a run file, for a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) bytes: u64,
    pub(crate) checksum: u64,
    pub(crate) customers: u64,
    pub(crate) entries: u64,
}

impl Writer {
    /// A new file, which must not be there.
    pub(crate) fn create(path: &Path, io: &Io) -> Result<Self> {
        let name = path.to_string_lossy().into_owned();
        let failed = |e| Error::io("cannot create", e).input(&name);
        let file = io.perform(|| File::options().read(true).write(true).create_new(true).open(path)).map_err(failed)?;
        let head = head_of(VERSION);
        io.write_at(&file, &head, 0).map_err(failed)?;
        let frames = Frames::new(file, name, HEADER, io, HashMap::new());
        Ok(Writer { frames, index: Mutex::default() })
    }

    /// The store that frames go to.
    pub(crate) fn frames(&self) -> &Frames {
        &self.frames
    }

    /// Says that a run of this store is a partition's. A partition has one.
    pub(crate) fn add(&self, partition: usize, run: Run) {
        let (frames, customers, entries) = run.into_parts();
        let mut index = lock(&self.index);
        index.sections[partition].extend(frames.iter().filter_map(position));
        index.customers[partition] += customers;
        index.entries[partition] += entries;
    }

    /// Says that frames of this store hold records.
    pub(crate) fn add_records(&self, section: Section, frames: &[FrameRef]) {
        lock(&self.index).sections[PARTITIONS + section as usize].extend(frames.iter().filter_map(position));
    }

    /// Whether there are records of a kind.
    pub(crate) fn has(&self, section: Section) -> bool {
        !lock(&self.index).sections[PARTITIONS + section as usize].is_empty()
    }

    /// The places of a section's frames.
    pub(super) fn frames_of(&self, section: usize) -> Vec<FrameRef> {
        let index = lock(&self.index);
        index.sections[section].iter().map(|&(at, length)| FrameRef::Disk { file: 0, at, length: length as usize }).collect()
    }

    /// Writes the index, and waits until all of it is on the disk.
    pub(crate) fn finish(self) -> Result<Written> {
        let Writer { frames, index } = self;
        let index = index.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let at = frames.end.into_inner();
        let mut bytes = index.encode(&lock(&frames.written));
        let length = bytes.len() as u32;
        bytes.extend_from_slice(&head_of(VERSION));
        bytes.extend_from_slice(&(index.frames() as u32).to_le_bytes());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&at.to_le_bytes());
        let checksum = rapidhash_v3_seeded(&bytes, &SECRETS);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        let written = frames.io.write_at(&frames.file, &bytes, at);
        let synced = written.and_then(|()| frames.io.sync(&frames.file));
        synced.map_err(|e| Error::io("cannot write", e).input(&frames.name))?;
        let (customers, entries) = (index.customers.iter().sum(), index.entries.iter().sum());
        Ok(Written { bytes: at + bytes.len() as u64, checksum, customers, entries })
    }
}

/// Magic, version, two zeros: what a file begins with, and its footer.
fn head_of(version: u16) -> [u8; HEADER as usize] {
    let ([a, b, c, d], [low, high]) = (MAGIC, version.to_le_bytes());
    [a, b, c, d, low, high, 0, 0]
}

pub(super) fn position(block: &FrameRef) -> Option<(u64, u32)> {
    match *block {
        FrameRef::Disk { at, length, .. } => Some((at, length as u32)),
        FrameRef::Memory(..) => None,
    }
}

/// A run file, open to be read.
#[derive(Debug)]
pub(crate) struct RunFile {
    pub(super) frames: Arc<Frames>,
    pub(super) index: Index,
    checksum: u64,
    bytes: u64,
    /// The windows that entries may have.
    keys: RangeInclusive<u32>,
}

impl RunFile {
    /// Opens a file and reads its index.
    ///
    /// # Errors
    /// When it cannot be read, or is not a whole run file of this version.
    pub(crate) fn open(path: &Path, io: &Io) -> Result<Self> {
        let name = path.to_string_lossy().into_owned();
        let failed = |e| Error::io("cannot read", e).input(&name);
        let damaged = |what: &str| Error::data(format!("the run file is damaged: {what}")).input(&name).help(super::DAMAGED_HELP);
        let file = io.open(path).map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        let Some(footer_at) = bytes.checked_sub(FOOTER as u64).filter(|&at| at >= HEADER) else {
            return Err(damaged("it is too short"));
        };
        let (mut header, mut footer) = ([0; HEADER as usize], [0; FOOTER]);
        io.read_at(&file, &mut header, 0).map_err(failed)?;
        io.read_at(&file, &mut footer, footer_at).map_err(failed)?;
        let mut rest = &footer[..];
        let mut number = |size| take(&mut rest, size).map(|bytes| bytes.iter().rev().fold(0u64, |n, &byte| n << 8 | u64::from(byte)));
        let (magic, version, _) = (number(4), number(2).unwrap_or(0), number(2));
        if magic != Some(u32::from_le_bytes(MAGIC).into()) {
            return Err(damaged("it does not end as one"));
        }
        if !READ.contains(&version) {
            let what = format!("a run file of version {version}, and this lensflow reads versions 1 to {VERSION}");
            return Err(Error::data(what).input(&name).help("use the lensflow that wrote it, or a newer one"));
        }
        if [&header[..], &footer[..HEADER as usize]] != [head_of(version as u16); 2] {
            return Err(damaged("it does not begin as it ends"));
        }
        let (frames, length, at) = (number(4).unwrap_or(0), number(4).unwrap_or(0), number(8).unwrap_or(0));
        if at < HEADER || at.checked_add(length) != Some(footer_at) {
            return Err(damaged("its index is not where it says"));
        }
        let mut index = vec![0; length as usize];
        io.read_at(&file, &mut index, at).map_err(failed)?;
        index.extend_from_slice(&footer);
        let (sealed, checksum) = index.split_at(index.len() - 8);
        let sum = rapidhash_v3_seeded(sealed, &SECRETS);
        if sum.to_le_bytes() != checksum {
            return Err(damaged("its checksum is not that of its index"));
        }
        let decoded = Index::decode(&index[..length as usize], frames as usize, at, version);
        let (index, checks) = decoded.ok_or_else(|| damaged("its index makes no sense"))?;
        let frames = Frames::new(file, name, at, io, checks);
        Ok(RunFile { frames: Arc::new(frames), index, checksum: sum, bytes, keys: 0..=HISTORY - 1 })
    }

    /// Has only entries of these windows; with none, it has no entry.
    pub(crate) fn within(self, windows: Option<(u32, u32)>) -> Self {
        #[allow(clippy::reversed_empty_ranges)]
        let keys = windows.map_or(1..=0, |(first, last)| first..=last);
        RunFile { keys, ..self }
    }

    pub(crate) fn written(&self) -> Written {
        let (customers, entries) = (self.index.customers.iter().sum(), self.index.entries.iter().sum());
        Written { bytes: self.bytes, checksum: self.checksum, customers, entries }
    }

    pub(crate) fn name(&self) -> &str {
        &self.frames.name
    }

    /// The number of frames of a partition.
    pub(crate) fn frames_of(&self, partition: usize) -> usize {
        self.index.sections[partition].len()
    }

    /// Reads a frame of a partition, by its number.
    ///
    /// # Errors
    /// When it cannot be read, is not what was written, or has what no state has.
    pub(crate) fn read(&self, partition: usize, frame: usize, scratch: &mut Vec<u8>, states: &mut StateBatch) -> Result<()> {
        let at = self.read_again(partition, frame, scratch, states)?;
        if sound::is_sound(states, partition) { Ok(()) } else { Err(self.nonsense(at)) }
    }

    /// Reads a frame that was read before and was sound then. Gives its place.
    pub(crate) fn read_again(&self, partition: usize, frame: usize, scratch: &mut Vec<u8>, states: &mut StateBatch) -> Result<u64> {
        let (at, length) = self.index.sections[partition][frame];
        let block = FrameRef::Disk { file: 0, at, length: length as usize };
        let bytes = self.frames.get(&block, scratch)?;
        decode(bytes, states).map_err(|_| self.frames.damaged(at))?;
        if states.windows.iter().all(|key| self.keys.contains(key)) { Ok(at) } else { Err(self.nonsense(at)) }
    }

    /// The error for a frame with what no state has.
    fn nonsense(&self, at: u64) -> Error {
        let what = format!("the run file is damaged: what lies at byte {at} cannot be in this state");
        Error::data(what).input(self.name()).help(super::DAMAGED_HELP)
    }

    /// A partition's customers, with the windows of an audit.
    pub(crate) fn stream<'a>(&'a self, partition: usize, rollup: &'a Rollup) -> impl Sorted + 'a {
        Stream { file: self, rollup, partition, next: 0, scratch: Vec::new(), last: None }
    }

    /// All records of a kind, as they were written.
    pub(crate) fn records(&self, section: Section, cancel: Cancel) -> Arc<Records> {
        let frames = self.index.sections[PARTITIONS + section as usize].iter();
        let frames = frames.map(|&(at, length)| FrameRef::Disk { file: 0, at, length: length as usize }).collect();
        Arc::new(Records::of_frames(self.frames.clone(), frames, cancel))
    }

    /// Appends the frames of a section to another file, as they are, but none that is damaged.
    fn copy_frames(&self, section: usize, to: &Writer) -> Result<Vec<FrameRef>> {
        let mut scratch = Vec::new();
        let frames = self.index.sections[section].iter().map(|&(at, length)| {
            let block = FrameRef::Disk { file: 0, at, length: length as usize };
            let frame = self.frames.get(&block, &mut scratch)?;
            unsealed(frame).ok_or_else(|| self.frames.damaged(at))?;
            to.frames.put(frame)
        });
        frames.collect()
    }

    /// Appends a partition's customers to another file, as they are.
    pub(crate) fn copy_partition(&self, partition: usize, to: &Writer) -> Result<()> {
        let copied = self.copy_frames(partition, to)?;
        let mut index = lock(&to.index);
        index.sections[partition].extend(copied.iter().filter_map(position));
        index.customers[partition] += self.index.customers[partition];
        index.entries[partition] += self.index.entries[partition];
        Ok(())
    }

    /// Appends its records of a kind to another file.
    pub(crate) fn copy_records(&self, section: Section, to: &Writer) -> Result<()> {
        let copied = self.copy_frames(PARTITIONS + section as usize, to)?;
        to.add_records(section, &copied);
        Ok(())
    }
}

struct Stream<'a> {
    file: &'a RunFile,
    rollup: &'a Rollup,
    partition: usize,
    next: usize,
    scratch: Vec<u8>,
    /// The last customer of the frame before.
    last: Option<(u64, Vec<u8>)>,
}

impl Sorted for Stream<'_> {
    fn next(&mut self, states: &mut StateBatch) -> Result<bool> {
        if self.next == self.file.frames_of(self.partition) {
            return Ok(false);
        }
        self.file.read(self.partition, self.next, &mut self.scratch, states)?;
        if !sound::follows(states, &mut self.last) {
            return Err(self.file.nonsense(self.file.index.sections[self.partition][self.next].0));
        }
        self.rollup.apply(states);
        self.next += 1;
        Ok(true)
    }
}
