//! What is taken out of a state: inputs whose parts lie apart, by dropping their run files; customers, by writing the run files that know
//! them again.

use super::manifest::{Input, Manifest, RunEntry, part_name};
use super::sealed::FORMAT;
use super::state_folder::{Folder, refuse_lost};
use super::{Io, RunFile, Section, State, Writer};
use crate::base::cancel::Cancel;
use crate::base::error::{Error, Kind, Result};
use crate::model::hash::{PARTITIONS, hash_id, partition_of};
use crate::model::reject::Reject;
use crate::model::state_batch::StateBatch;
use crate::spill::{RunWriter, copy};
use std::collections::BTreeSet;
use std::path::Path;

/// The result of taking something out of a state.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Changed {
    /// The state as it is now.
    pub manifest: Manifest,
    /// Inputs that were taken out.
    pub inputs: Vec<Input>,
    /// Customers that were taken out.
    pub customers: Vec<String>,
    /// Customers that the state does not know.
    pub unknown: Vec<String>,
    /// Run files that were written again.
    pub rewritten: usize,
}

pub(super) fn lock(path: &Path, io: &Io) -> Result<(Folder<Manifest>, Manifest)> {
    if !super::is_state(path) {
        refuse_lost::<Manifest>(path)?;
        return Err(Error::new(Kind::Io, "there is no state").input(path.to_string_lossy()).help("an update of that name makes one"));
    }
    match Folder::<Manifest>::lock(path, io)? {
        (folder, Some(manifest)) => Ok((folder, manifest)),
        (_, None) => Err(Error::new(Kind::Io, "there is no state").input(path.to_string_lossy())),
    }
}

/// The manifest of the next generation, in which the parts have their own counts.
pub(super) fn next(manifest: &Manifest) -> Manifest {
    let mut next = Manifest { together: manifest.counts_together(), generation: manifest.generation + 1, ..manifest.clone() };
    (next.format, next.lensflow) = (FORMAT, env!("CARGO_PKG_VERSION").to_owned());
    next
}

/// Takes inputs out of a state, by their names, or, where several had a name, by the name and the generation: `day.csv@3`. What is left is
/// the state of the other inputs, to the byte of any audit.
///
/// # Errors
/// When the state has no such input; when its part lies apart no more; when another process writes to the state.
///
/// ```
/// use lensflow::jobs::Update;
/// use lensflow::state::{Io, State, remove};
///
/// let folder = tempfile::tempdir().unwrap();
/// let (state, day) = (folder.path().join("state"), folder.path().join("day.csv"));
/// std::fs::write(&day, "customer_id,period_start,period_end,total_orders,total_spend\na,2024-01-05,2024-01-06,1,9.90\n").unwrap();
/// Update::default().run(&state, &["examples/data/cdnow_periods.csv", day.to_str().unwrap()], |_| ())?;
/// let changed = remove(&state, &[day.to_str().unwrap()], &Io::default())?;
/// assert_eq!((changed.inputs.len(), State::open(&state)?.manifest().inputs.len()), (1, 1));
/// # Ok::<(), lensflow::Error>(())
/// ```
pub fn remove<S: AsRef<str>>(path: &Path, names: &[S], io: &Io) -> Result<Changed> {
    let (folder, manifest) = lock(path, io)?;
    let which = names.iter().map(|name| manifest.named(name.as_ref(), path)).collect::<Result<BTreeSet<_>>>()?;
    let mut next = next(&manifest);
    let inputs = next.take_out(&which, path)?;
    next.add_up();
    if !inputs.is_empty() {
        folder.commit(&next)?;
    }
    let (customers, unknown) = Default::default();
    Ok(Changed { manifest: next, inputs, customers, unknown, rewritten: 0 })
}

/// Takes customers out of a state, with all their orders and with the rows of theirs that were left out or are open. No file of the state
/// names them afterwards. The counts of rows stay: they say what was read.
///
/// # Errors
/// When another process writes to the state; when anything cannot be read or written. The state is then what it was.
pub fn forget<S: AsRef<str>>(path: &Path, customers: &[S], cancel: &Cancel, io: &Io) -> Result<Changed> {
    let (folder, manifest) = lock(path, io)?;
    let gone: BTreeSet<&[u8]> = customers.iter().map(|id| id.as_ref().as_bytes()).collect();
    let state = State::open_with(path, io)?;
    let mut next = next(&manifest);
    let (mut known, mut rewritten) = (BTreeSet::new(), 0);
    for (at, file) in state.runs().iter().enumerate() {
        cancel.check()?;
        let found = find(file, &gone, cancel)?;
        if found.is_empty() {
            continue;
        }
        known.extend(found);
        let name = part_name(next.generation, rewritten);
        let writer = Writer::create(&path.join(&name), io)?;
        rewrite(file, &gone, &writer, cancel)?;
        let (old, new) = (next.runs[at].clone(), RunEntry::new(name, writer.finish()?));
        next.inputs.iter_mut().filter(|input| input.run.as_ref() == Some(&old.file)).for_each(|input| input.run = Some(new.file.clone()));
        next.renamed(&old.file, &new.file);
        next.runs[at] = RunEntry { counts: next.runs[at].counts.take(), ..new };
        rewritten += 1;
    }
    if rewritten > 0 {
        cancel.check()?;
        folder.commit(&next)?;
    }
    let (customers, unknown) = customers.iter().map(|id| id.as_ref().to_owned()).partition(|id| known.contains(id.as_bytes()));
    Ok(Changed { manifest: if rewritten > 0 { next } else { manifest }, inputs: Vec::new(), customers, unknown, rewritten })
}

/// Those of some customers that a run file knows.
fn find<'a>(file: &RunFile, gone: &BTreeSet<&'a [u8]>, cancel: &Cancel) -> Result<BTreeSet<&'a [u8]>> {
    let mut found = BTreeSet::new();
    let (mut scratch, mut states) = (Vec::new(), StateBatch::default());
    let partitions: BTreeSet<usize> = gone.iter().map(|id| partition_of(hash_id(id))).collect();
    for partition in partitions {
        for frame in 0..file.frames_of(partition) {
            file.read(partition, frame, &mut scratch, &mut states)?;
            found.extend((0..states.len()).filter_map(|customer| gone.get(states.id(customer, &mut [0; 16])).copied()));
        }
    }
    for section in Section::ROWS {
        let mut records = file.records(section, cancel.clone()).read();
        while let Some(record) = records.next().map_err(|e| e.input(file.name()))? {
            found.extend(named_in(record, gone));
        }
    }
    Ok(found)
}

/// The customer that a record is about, if it is one of some.
fn named_in<'a>(record: &[u8], gone: &BTreeSet<&'a [u8]>) -> Option<&'a [u8]> {
    gone.get(Reject::read(record)?.customer_id.as_bytes()).copied()
}

/// Writes a run file again without some customers.
fn rewrite(file: &RunFile, gone: &BTreeSet<&[u8]>, to: &Writer, cancel: &Cancel) -> Result<()> {
    let (mut scratch, mut states, mut kept) = (Vec::new(), StateBatch::default(), StateBatch::default());
    let touched: BTreeSet<usize> = gone.iter().map(|id| partition_of(hash_id(id))).collect();
    for partition in 0..PARTITIONS {
        cancel.check()?;
        if !touched.contains(&partition) {
            file.copy_partition(partition, to)?;
            continue;
        }
        let mut writer = RunWriter::new(to.frames());
        for frame in 0..file.frames_of(partition) {
            file.read(partition, frame, &mut scratch, &mut states)?;
            without(&states, gone, &mut kept);
            writer.write(&kept)?;
        }
        to.add(partition, writer.finish());
    }
    for section in Section::ROWS {
        let kept = copy(&file.records(section, cancel.clone()), to.frames(), |record| named_in(record, gone).is_none());
        to.add_records(section, &kept.map_err(|e| e.input(file.name()))?);
    }
    // They name nobody, and an order that comes again must not bring its customer back.
    file.copy_records(Section::Orders, to)
}

/// The customers of a batch but some.
fn without(states: &StateBatch, gone: &BTreeSet<&[u8]>, kept: &mut StateBatch) {
    kept.clear();
    for customer in 0..states.len() {
        let mut room = [0; 16];
        let id = states.id(customer, &mut room);
        if gone.contains(id) {
            continue;
        }
        for entry in states.begin(customer)..states.ends[customer] as usize {
            kept.push_sum(states.windows[entry], &states.sum(entry));
        }
        kept.push(states.views[customer], id, states.first_seen[customer]);
    }
}
