//! The record of a checkpoint: how far one long run has read its inputs, and the run files that hold what it read.
//!
//! It is the `CHECKPOINT` file of its folder, sealed and committed as a manifest is. [`jobs::checkpoint`](crate::jobs::checkpoint) writes it
//! and goes on from it; here is only what lies on the disk, and whether a run may go on from it.

use super::manifest::RunEntry;
use super::sealed::{FORMAT, HASH, Record, record_fields};
use crate::base::error::{Error, Result};
use crate::model::columns::ColumnMap;
use crate::model::hash::PARTITIONS;
use crate::model::note::KeptNotes;
use crate::model::read_options::ReadOptions;
use crate::model::reject::{OnBadRow, Reason};
use crate::model::window::{Span, Windows};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The record of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Checkpoint {
    pub(crate) format: u32,
    pub(crate) lensflow: String,
    pub(crate) generation: u64,
    pub(crate) hash: String,
    pub(crate) partitions: usize,
    /// The options of the run that decide what is kept of a row.
    pub(crate) job: CheckpointJob,
    pub(crate) inputs: Vec<SeenInput>,
    /// How far the inputs were read, one after the other.
    pub(crate) chunks: u64,
    pub(crate) bytes: u64,
    pub(crate) rows_read: u64,
    pub(crate) rows_accepted: u64,
    pub(crate) rows_rejected: BTreeMap<Reason, u64>,
    /// The first and the last window with a row, where windows are not listed.
    pub(crate) windows: Option<(u32, u32)>,
    /// From when to when there are data; none where rows were taken in by a version that did not look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) span: Option<Span>,
    /// What was noticed about the inputs.
    #[serde(default, skip_serializing_if = "KeptNotes::is_empty")]
    pub(crate) notes: KeptNotes,
    pub(crate) runs: Vec<RunEntry>,
}

/// The options that decide what is kept of a row. All others may be different when the run goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckpointJob {
    pub(crate) windows: Windows,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) as_of: Option<i64>,
    pub(crate) columns: ColumnMap,
    /// How values are read, and which rows.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) reading: ReadOptions,
    pub(crate) on_bad_row: OnBadRow,
    pub(crate) keeps_rejects: bool,
}

/// An input as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SeenInput {
    pub(crate) name: String,
    pub(crate) bytes: u64,
    /// Nanoseconds since 1970; 0 of a state.
    pub(crate) changed: u64,
    pub(crate) ends: String,
}

fn is_default(reading: &ReadOptions) -> bool {
    *reading == ReadOptions::default()
}

impl Record for Checkpoint {
    const FILE: &'static str = "CHECKPOINT";
    const WHAT: &'static str = "checkpoint";
    const DAMAGED_HELP: &'static str = "remove its folder, and the run begins again";
    const IS_ALL_THERE_IS: bool = false;

    record_fields!();

    /// A run judges every row by its own windows, so none is open.
    fn is_sound(&self) -> bool {
        self.counts().judged() == Some(self.rows_read)
    }
}

impl Checkpoint {
    /// The record of a run that has read nothing.
    pub(crate) fn new(job: CheckpointJob, inputs: Vec<SeenInput>) -> Self {
        Checkpoint {
            format: FORMAT,
            lensflow: env!("CARGO_PKG_VERSION").to_owned(),
            generation: 0,
            hash: HASH.to_owned(),
            partitions: PARTITIONS,
            job,
            inputs,
            chunks: 0,
            bytes: 0,
            rows_read: 0,
            rows_accepted: 0,
            rows_rejected: BTreeMap::new(),
            windows: None,
            span: None,
            notes: KeptNotes::default(),
            runs: Vec::new(),
        }
    }

    /// The windows that customers may have bought in.
    pub(crate) fn keys(&self) -> Option<(u32, u32)> {
        match &self.job.windows {
            Windows::Every(_) => self.windows,
            Windows::List(list) => list.len().checked_sub(1).map(|last| (0, last as u32)),
        }
    }

    /// The files that were read.
    pub(crate) fn files(&self) -> impl Iterator<Item = String> {
        self.inputs.iter().filter(|input| input.changed > 0).map(|input| input.name.clone())
    }

    /// Refuses to go on with another job, or other inputs.
    pub(crate) fn fits(&self, job: &CheckpointJob, inputs: &[SeenInput], folder: &Path) -> Result<()> {
        let folder = folder.to_string_lossy();
        let again = "remove the folder to begin again, or name another one";
        if self.job != *job {
            let what = "the checkpoint is of a run with other windows, columns, options of reading or treatment of bad rows";
            return Err(Error::usage(what).input(folder).help(format!("go on with the arguments that it was begun with; {again}")));
        }
        for pair in self.inputs.iter().map(Some).chain([None]).zip(inputs.iter().map(Some).chain([None])) {
            let (name, what) = match pair {
                (Some(was), Some(is)) if was == is => continue,
                (Some(was), Some(is)) if was.name == is.name => (&is.name, "it has changed since the checkpoint was written"),
                (Some(was), _) => (&was.name, "the checkpoint has read it, and it is not an input now"),
                (None, Some(is)) => (&is.name, "the checkpoint knows nothing of this input"),
                (None, None) => continue,
            };
            return Err(Error::usage(what).input(name).help(format!("the checkpoint is in {folder}; {again}")));
        }
        Ok(())
    }
}
