//! Periods that a state has dropped: what customers did in them is gone, that they were there is not.
//!
//! A customer keeps the moment at which they were first seen, also one of whom nothing else is left. So whoever comes back later is reactivated
//! and not new, and cohorts stay what they were: an audit of windows that begin with the first period left, or later, says what it said
//! before, to the byte. Windows that begin earlier are refused. Rows that come later and lie in a dropped period only say that their
//! customers existed, and are noted.

use super::change::{Changed, lock, next};
use super::manifest::{Manifest, RunEntry, part_name};
use super::{Io, RunFile, Section, State, Writer};
use crate::base::cancel::Cancel;
use crate::base::error::{Error, Result};
use crate::base::money::Total;
use crate::base::time::{format_timestamp, iso};
use crate::model::hash::PARTITIONS;
use crate::model::state_batch::StateBatch;
use crate::model::window::Windows;
use crate::spill::RunWriter;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A moment before which nothing is left but that customers existed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct DroppedBefore(#[serde(with = "iso")] pub(crate) i64);

impl DroppedBefore {
    /// Refuses windows of which a part was dropped; for calendar windows, `first` is the first moment of any that has a row.
    ///
    /// # Errors
    /// The window, and what the state, or one of several, has.
    pub(crate) fn allows(self, windows: &Windows, first: Option<i64>, as_of: Option<i64>, name: &str) -> Result<()> {
        let begins = match windows {
            Windows::List(list) => list.iter().map(|window| window.start).min(),
            Windows::Every(every) => first.map(|first| every.start(every.index(first))),
        };
        let early = begins.filter(|begins| *begins < self.0).or(as_of.filter(|as_of| *as_of <= self.0));
        let Some(early) = early else { return Ok(()) };
        let of = match windows {
            Windows::Every(every) if as_of != Some(early) => every.name(every.index(early)),
            _ => format!("what lies before {}", format_timestamp(early)),
        };
        let what = match as_of == Some(early) {
            true => {
                format!("the state has dropped what lies before {self}, and cannot tell what had happened by {}", format_timestamp(early))
            }
            false => format!("the state has dropped what lies before {self}, a part of {of}"),
        };
        Err(Error::usage(what).input(name).help(format!("choose windows that begin on {self} or later, such as `windows.list={self}..`")))
    }
}

impl std::fmt::Display for DroppedBefore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(format_timestamp(self.0).trim_end_matches("T00:00:00"))
    }
}

/// Copies customers, with their entries in windows from one on. Gives the orders in those before, and what they were worth.
pub(crate) fn keep_from(states: &StateBatch, from: u32, kept: &mut StateBatch) -> (u64, Total) {
    kept.clear();
    let (mut orders, mut amount, mut rest) = (0, Total::default(), 0);
    for customer in 0..states.len() {
        for entry in states.begin(customer)..states.ends[customer] as usize {
            let total = states.total(entry, &mut rest);
            if states.windows[entry] >= from {
                kept.push_sum(states.windows[entry], &states.sum(entry));
            } else {
                orders += states.orders[entry].unsigned_abs();
                crate::base::merge::Merge::merge(&mut amount, total);
            }
        }
        kept.push(states.views[customer], states.id(customer, &mut [0; 16]), states.first_seen[customer]);
    }
    (orders, amount)
}

impl Manifest {
    /// The day or moment before which periods were dropped, if any were.
    pub fn dropped_before(&self) -> Option<String> {
        self.dropped_before.map(|dropped| dropped.to_string())
    }
}

/// Drops what customers did in periods before a moment, which has to be where one of the state's periods begins. It cannot be taken back.
///
/// # Errors
/// A moment within a period, or after the last; when another process writes to the state, or anything cannot be read or written. The state is
/// then what it was.
pub fn drop_before(path: &Path, before: i64, cancel: &Cancel, io: &Io) -> Result<Changed> {
    let (folder, manifest) = lock(path, io)?;
    let (every, dropped) = (manifest.every, DroppedBefore(before));
    let refuse = |what: String, help: String| Err(Error::usage(what).input(path.to_string_lossy()).help(help));
    let index = every.index(before);
    if every.start(index) != before {
        let [down, up] = [index, index + 1].map(|index| DroppedBefore(every.start(index)));
        return refuse(format!("the state is kept by {every}, and {dropped} is within one"), format!("say {down} or {up}"));
    }
    let unchanged = |manifest: Manifest| {
        let (inputs, customers, unknown) = Default::default();
        Ok(Changed { manifest, inputs, customers, unknown, rewritten: 0 })
    };
    match manifest.windows {
        Some((_, last)) if index > last => {
            let what = format!("nothing would be left: the last {every} with a row is {}", every.name(last));
            return refuse(what, "say an earlier date".to_owned());
        }
        Some((first, _)) if index <= first || manifest.dropped_before >= Some(dropped) => return unchanged(manifest),
        None => return unchanged(manifest),
        _ => {}
    }
    let state = State::open_with(path, io)?;
    let (mut next, mut rewritten) = (next(&manifest), 0);
    next.dropped_before = Some(dropped);
    for (at, file) in state.runs().iter().enumerate() {
        let counts = next.runs[at].counts.as_deref_mut();
        let first = counts.as_ref().map(|counts| counts.windows.map_or(u32::MAX, |(first, _)| first));
        if first.is_some_and(|first| first >= index) {
            continue;
        }
        counts.into_iter().for_each(|counts| counts.windows = later(counts.windows, index));
        let name = part_name(next.generation, rewritten);
        let writer = Writer::create(&path.join(&name), io)?;
        rewrite(file, index, &writer, cancel)?;
        let (old, new) = (next.runs[at].file.clone(), RunEntry::new(name, writer.finish()?));
        next.inputs.iter_mut().filter(|input| input.run.as_ref() == Some(&old)).for_each(|input| input.run = Some(new.file.clone()));
        next.renamed(&old, &new.file);
        next.runs[at] = RunEntry { counts: next.runs[at].counts.take(), ..new };
        rewritten += 1;
    }
    next.together.windows = later(next.together.windows, index);
    next.add_up();
    cancel.check()?;
    folder.commit(&next)?;
    let (inputs, customers, unknown) = Default::default();
    Ok(Changed { manifest: next, inputs, customers, unknown, rewritten })
}

/// The windows from one on.
pub(crate) fn later(windows: Option<(u32, u32)>, from: u32) -> Option<(u32, u32)> {
    windows.filter(|(_, last)| *last >= from).map(|(first, last)| (first.max(from), last))
}

fn rewrite(file: &RunFile, from: u32, to: &Writer, cancel: &Cancel) -> Result<()> {
    let (mut scratch, mut states, mut kept) = (Vec::new(), StateBatch::default(), StateBatch::default());
    for partition in 0..PARTITIONS {
        cancel.check()?;
        let mut writer = RunWriter::new(to.frames());
        for frame in 0..file.frames_of(partition) {
            file.read(partition, frame, &mut scratch, &mut states)?;
            keep_from(&states, from, &mut kept);
            writer.write(&kept)?;
        }
        to.add(partition, writer.finish());
    }
    [Section::Rejects, Section::Open, Section::Orders].into_iter().try_for_each(|section| file.copy_records(section, to))
}
