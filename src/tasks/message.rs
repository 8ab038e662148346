//! What tasks tell the driver, and all of it together.

use crate::base::error::{Error, ErrorMessage, Result};
use crate::base::merge::Merge;
use crate::pipeline::{Unjudged, judge_parts};
use crate::spec::Spec;
use crate::state::part::PartCounts;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A message of a task to the driver.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TaskMessage(Told);

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Told {
    Counted(Box<Counted>),
    Fault(Fault),
    Piece(Piece),
    Again { part: u32, task: u64, taken: u64, sent: u64 },
}

/// What was read of work units of one part.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Counted {
    pub(super) part: u32,
    pub(super) units: Vec<u64>,
    /// Sections of which frames were handed on.
    pub(super) sections: u64,
    pub(super) counts: PartCounts,
    pub(super) unjudged: Unjudged,
}

/// What was wrong with a work unit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Fault {
    pub(super) part: u32,
    pub(super) number: u64,
    pub(super) error: ErrorMessage,
}

/// A run file with some partitions of a part.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Piece {
    pub(super) part: u32,
    /// Its name in the folder.
    pub(crate) file: String,
    /// Its first section: that of no other merge.
    pub(super) first: u16,
    pub(super) customers: u64,
    /// Sections that were merged, once for each task that had any of one.
    pub(super) sections: u64,
}

impl TaskMessage {
    pub(super) fn of_counts(counted: Counted) -> Self {
        TaskMessage(Told::Counted(Box::new(counted)))
    }

    pub(super) fn of_fault(fault: Fault) -> Self {
        TaskMessage(Told::Fault(fault))
    }

    pub(super) fn of_piece(piece: Piece) -> Self {
        TaskMessage(Told::Piece(piece))
    }

    pub(super) fn of_frames(part: u32, task: u64, taken: u64, sent: u64) -> Self {
        TaskMessage(Told::Again { part, task, taken, sent })
    }

    /// As bytes, for rows with the key [`MESSAGE`](super::MESSAGE).
    ///
    /// # Errors
    /// None that is known.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|e| Error::internal("a message cannot be written").cause(e))
    }

    /// A message from its bytes.
    ///
    /// # Errors
    /// When they are none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).map_err(|e| Error::data("a message of a task cannot be read").cause(e))
    }
}

/// A part of an update as its tasks left it.
#[derive(Debug, Default)]
pub(crate) struct GatheredPart {
    pub(crate) counts: PartCounts,
    unjudged: Unjudged,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) customers: u64,
    /// Sections that were handed on and not merged yet.
    sections: i64,
}

/// All messages of an update.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    parts: BTreeMap<u32, GatheredPart>,
    units: BTreeSet<u64>,
    /// Tasks whose counts have come.
    tasks: BTreeMap<(u32, u64), Vec<u64>>,
    /// Merges whose files have come.
    pieces: BTreeSet<(u32, u16)>,
    twice: Option<u64>,
    least: Option<Fault>,
}

impl Gathered {
    /// Adds a message. What another try of the same task has said before counts once.
    pub(crate) fn add(&mut self, TaskMessage(told): TaskMessage) {
        match told {
            Told::Counted(counted) => {
                let Counted { part, units, sections, counts, unjudged } = *counted;
                let task = (part, units.first().copied().unwrap_or(0));
                if self.tasks.get(&task) == Some(&units) {
                    return;
                }
                self.tasks.insert(task, units.clone());
                self.twice = units.iter().copied().find(|&unit| !self.units.insert(unit)).or(self.twice);
                let part = self.parts.entry(part).or_default();
                part.counts.join(counts);
                part.unjudged.merge(unjudged);
                part.sections += sections as i64;
            }
            Told::Fault(fault) => {
                if self.least.as_ref().is_none_or(|least| (fault.part, fault.number) < (least.part, least.number)) {
                    self.least = Some(fault);
                }
            }
            Told::Piece(piece) => {
                if !self.pieces.insert((piece.part, piece.first)) {
                    return;
                }
                let part = self.parts.entry(piece.part).or_default();
                part.customers += piece.customers;
                part.sections -= piece.sections as i64;
                part.pieces.push(piece);
            }
            Told::Again { part, task, taken, sent } => {
                if self.tasks.insert((part, task), Vec::new()).is_none() {
                    self.parts.entry(part).or_default().sections += sent as i64 - taken as i64;
                }
            }
        }
    }

    /// The part of an update that is next to be taken in, judged as one process judges it.
    ///
    /// # Errors
    /// What one process would fail with; when rows were lost or came twice on the way, which is the engine's fault.
    pub(crate) fn take(&mut self, number: u32, spec: &Spec) -> Result<GatheredPart> {
        if let Some(fault) = self.least.take_if(|fault| fault.part <= number) {
            return Err(fault.error.into_error());
        }
        let mut part = self.parts.remove(&number).unwrap_or_default();
        if part.sections != 0 {
            return Err(Error::internal(format!("customers were lost on their way, or came twice: {}", part.sections)));
        }
        let rows = (part.counts.rows_read, part.counts.rows_rejected.values().sum());
        let notes = judge_parts(spec, rows, std::mem::take(&mut part.unjudged), part.counts.notes.notes())?;
        part.counts.notes = notes.kept();
        Ok(part)
    }

    /// Fails unless each of so many work units was read once.
    ///
    /// # Errors
    /// The unit that was not: the engine's fault. Where units had faults, others need not be read.
    pub(crate) fn check_units(&self, units: u64) -> Result<()> {
        if let Some(unit) = self.twice {
            return Err(Error::internal(format!("the engine counted work unit {unit} twice")));
        }
        match (0..units).find(|unit| !self.units.contains(unit)) {
            Some(unit) if self.least.is_none() => Err(Error::internal(format!("the engine has not read work unit {unit}"))),
            _ => Ok(()),
        }
    }
}

impl PartCounts {
    /// Adds the counts of another portion of the same inputs.
    fn join(&mut self, mut more: PartCounts) {
        let (mut own, others) = (std::mem::take(&mut self.notes), std::mem::take(&mut more.notes));
        own.join(&others);
        self.merge(more);
        self.notes = own;
    }
}
