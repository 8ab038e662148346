//! The tasks of an update, one at a time: for engines that run them on many machines. The third way of embedding lensflow, after a
//! [`Pipeline`](crate::Pipeline) in a process and the command.
//!
//! ```text
//!  driver          tasks on any machine                  tasks on any machine                    driver
//!  inputs ─splits─▶ work units ─accumulate─▶ (key, frame) ─shuffle by key─▶ merge ─▶ run files ─messages─▶ the state's next generation
//! ```
//!
//! | function | runs | does |
//! |---|---|---|
//! | [`splits`] | on the driver | inputs → work units: row groups of Parquet files, records of CSVs, other inputs whole |
//! | [`accumulate`] | as a task | work units → rows of a key and bytes: frames of customers, and messages |
//! | [`merge`] | as a task | rows of some keys → run files in a folder that the driver sees, and messages |
//! | [`merge_frames`] | as a task | the same without such a folder: rows of those keys, fewer of them |
//! | [`Update::run_on`](crate::jobs::Update::run_on) | on the driver | all of it: an update of a state whose tasks an engine runs |
//!
//! An engine needs to know nothing of the rows but that those of one key belong into one task; the frames are those of runs, with a checksum
//! each. Work units, the job and messages are data with serde. A task may be tried several times, and rows of several tries may come: those of
//! one count. Files that a try leaves behind have names of their own, and are swept by the next update.
//!
//! Bad rows are no errors of a task: they travel as messages, and the driver fails with the one that one process would have failed with.
//! Errors of a task are what trying again may help against (reads that fail), or what the machine lacks.
//!
//! What is checked: each work unit was counted once, and every frame that was sent was merged, once.
//!
//! | file | owns |
//! |---|---|
//! | here | [`EngineJob`], [`WorkUnit`], [`Limits`], [`splits`] |
//! | `accumulate_task` | [`accumulate`] |
//! | `merge_task` | [`merge`] and [`merge_frames`] |
//! | `message` | [`TaskMessage`], and all messages of an update as one [`Gathered`] |
//! | `stages` | the stages inside, for benches |
//!
//! `examples/tasks.rs` runs an update in four processes. Not here yet: finishing (the passes over customers) as tasks. A driver audits the state
//! that it has updated with [`run_state`](crate::Pipeline::run_state), which takes a third of the whole work.

mod accumulate_task;
mod merge_task;
mod message;
#[doc(hidden)]
pub mod stages;

pub use self::accumulate_task::{RowsOut, accumulate, accumulate_batches};
pub use self::merge_task::{merge, merge_frames};
pub(crate) use self::message::Gathered;
pub use self::message::TaskMessage;

use crate::base::error::Result;
use crate::model::hash::PARTITIONS;
use crate::model::window::{Granularity, Windows};
use crate::source::files::{Files, Format};
use crate::source::portions::Portion;
use crate::spec::Spec;
use crate::state::retention::DroppedBefore;
use serde::{Deserialize, Serialize};
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;

/// The key of rows that are messages: they concern no customers, and any task may pass them on.
pub const MESSAGE: u32 = i32::MAX as u32;

/// A number that no other task has, nor another try of the same.
fn any_number() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

/// Keys of a part of an update: its partitions, and sections of rows.
const KEYS: u32 = PARTITIONS as u32 + 8;

/// A task's view of an update: how rows are read, and by which windows customers are kept. The same for all tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EngineJob {
    /// Columns, policy and options of reading; its windows are those of the state.
    pub(crate) spec: Spec,
    pub(crate) format: Option<Format>,
    pub(crate) dropped: Option<(DroppedBefore, Granularity)>,
    pub(crate) later_windows: Option<Windows>,
    /// The generation that the update makes.
    pub(crate) generation: u64,
}

impl EngineJob {
    /// A job of its own, whose customers are kept by a kind of calendar windows: for engines that make no state of files.
    #[must_use]
    pub fn new(spec: Spec, every: Granularity) -> Self {
        EngineJob { spec: spec.with_windows(Windows::Every(every)), format: None, dropped: None, later_windows: None, generation: 1 }
    }

    /// The options of a task within limits.
    fn spec_within(&self, limits: &Limits) -> Spec {
        let Limits { memory, workers, spill_dir } = limits.clone();
        let spec = self.spec.clone().with_workers(workers);
        spec.with_memory_limit(memory.or(self.spec.memory_limit)).with_spill_dir(spill_dir.or_else(|| self.spec.spill_dir.clone()))
    }
}

/// A part of the inputs that one task reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkUnit {
    /// Its place among all units: the order in which one process would read them.
    pub number: u64,
    /// The part of the update that it is of. Inputs that can be taken out again are parts of their own.
    pub part: u32,
    /// Whether other inputs are of the same part.
    pub(crate) several: bool,
    /// The input.
    pub input: String,
    /// The portion of it.
    pub portion: Portion,
}

/// The limits of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Bytes of memory that it may take up.
    pub memory: Option<u64>,
    /// Its threads; none is as many as there are cores.
    pub workers: Option<usize>,
    /// The folder to spill into.
    pub spill_dir: Option<PathBuf>,
}

/// Divides inputs into work units of so many bytes about. The inputs of a part are files, folders or globs; CSVs that are larger than a unit
/// are read once, to find where their records end.
///
/// # Errors
/// When something named is not there, or the options of reading are not right.
pub fn splits<S: AsRef<str>>(parts: &[Vec<S>], format: Option<Format>, spec: &Spec, bytes: u64) -> Result<Vec<WorkUnit>> {
    let mut units = Vec::new();
    for (part, inputs) in (0..).zip(parts) {
        let files = Files::find(inputs, format, spec)?;
        let several = files.are_several();
        for (input, portion) in files.portions(bytes) {
            units.push(WorkUnit { number: units.len() as u64, part, several, input, portion });
        }
    }
    Ok(units)
}
