//! Checkpoints of one long run: what was read of its inputs so far, so that it goes on from there when it is started again.
//!
//! ```text
//!  inputs ──chunks──▶ pipeline ──when it is time──▶ run file ──named by──▶ CHECKPOINT: run files, and the place in the inputs
//!  in order                                         what came since the last
//!  the last stretch ──▶ pipeline ◀──merged when finishing── run files
//! ```
//!
//! A checkpoint is a state by the windows of the run itself, so it takes what an update takes: the customers who came since the one
//! before. Between two, a run is as fast as without; one that ends before the first is not told from one without. A place in the inputs is a
//! number of chunks ([`paced`](crate::source::paced)); going on skips them without decoding.
//!
//! Invariants: the answers are those of a run that was never interrupted, to the byte. The folder holds the checkpoint before or the one
//! after, whenever a run is killed. Inputs that are not what they were are refused: by length, time of change, and a hash of both ends.
//!
//! Known limits: what comes through a pipe cannot be skipped and is refused. Finishing is not interrupted in order: it is begun again.

use crate::base::cancel::{Cancel, Stop};
use crate::base::error::{Error, Kind, Result, Stage};
use crate::base::merge::Merge;
use crate::base::text::grouped;
use crate::base::threads::with_pool;
use crate::lens::Lens;
use crate::model::columns::ColumnMap;
use crate::model::hash::PARTITIONS;
use crate::model::reject::{OnBadRow, Reason};
use crate::model::window::Windows;
use crate::pipeline::Builder;
use crate::pipeline::Pipeline;
use crate::source::files::{Files, STDIN};
use crate::source::paced::Paced;
use crate::state::compact::compact_while_due;
use crate::state::manifest::{RunEntry, run_name};
use crate::state::sealed::{FORMAT, HASH, Record};
use crate::state::state_folder::{Folder, vacant};
use crate::state::{Io, RunFile, State, Writer};
use crate::stats::Stats;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};
use xxhash_rust::xxh3::Xxh3;

/// Bytes at either end of a file that tell whether it is the same.
const END: u64 = 1 << 16;

/// How a run keeps checkpoints.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    /// The folder, which is made at need and gone after the run.
    pub folder: PathBuf,
    /// The time between two.
    pub every: Duration,
    /// What ends reading in order, with a last checkpoint.
    pub stop: Stop,
    /// What ends the run at once.
    pub cancel: Cancel,
    /// The disk.
    #[doc(hidden)]
    pub io: Io,
}

impl Checkpoints {
    /// Checks that a folder may keep checkpoints: it is not there yet, empty, or keeps one.
    ///
    /// # Errors
    /// When it holds anything else, is no folder, or cannot be listed.
    pub fn check(folder: &Path) -> Result<()> {
        vacant::<Checkpoint>(folder)
    }
}

/// The checkpoint of a run that has read everything.
#[derive(Debug)]
pub struct Checkpointed(Folder<Checkpoint>);

impl Checkpointed {
    /// Removes the checkpoint: the run has done what it was for.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(self) -> Result<()> {
        self.0.remove()
    }
}

/// The record of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Checkpoint {
    format: u32,
    lensflow: String,
    generation: u64,
    hash: String,
    partitions: usize,
    /// What the rows were read for.
    job: Job,
    inputs: Vec<Seen>,
    /// How far the inputs were read, one after the other.
    chunks: u64,
    bytes: u64,
    pub(crate) rows_read: u64,
    pub(crate) rows_accepted: u64,
    pub(crate) rows_rejected: BTreeMap<Reason, u64>,
    /// The first and the last window with a row, where windows are not listed.
    pub(crate) windows: Option<(u32, u32)>,
    runs: Vec<RunEntry>,
}

/// What decides what is kept of the rows. Whatever else is asked may be another thing when the run goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Job {
    windows: Windows,
    columns: ColumnMap,
    on_bad_row: OnBadRow,
    keeps_rejects: bool,
}

/// An input as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    name: String,
    bytes: u64,
    /// Nanoseconds since 1970; 0 of a state.
    changed: u64,
    ends: String,
}

impl Record for Checkpoint {
    const FILE: &'static str = "CHECKPOINT";
    const WHAT: &'static str = "checkpoint";
    const DAMAGED_HELP: &'static str = "remove its folder, and the run begins again";

    fn runs(&self) -> (u64, &[RunEntry]) {
        (self.generation, &self.runs)
    }

    fn runs_mut(&mut self) -> (&mut u64, &mut Vec<RunEntry>) {
        (&mut self.generation, &mut self.runs)
    }

    fn is_sound(&self) -> bool {
        let known = self.rows_accepted.checked_add(self.rows_rejected.values().sum::<u64>());
        self.hash == HASH && self.partitions == PARTITIONS && known == Some(self.rows_read)
    }
}

impl Checkpoint {
    /// That of a run that has read nothing.
    fn new(job: Job, inputs: Vec<Seen>) -> Self {
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
            runs: Vec::new(),
        }
    }

    /// The files that were read.
    pub(crate) fn files(&self) -> impl Iterator<Item = String> {
        self.inputs.iter().filter(|input| input.changed > 0).map(|input| input.name.clone())
    }

    /// Refuses to go on with another job, or other inputs.
    fn fits(&self, job: &Job, inputs: &[Seen], folder: &Path) -> Result<()> {
        let folder = folder.to_string_lossy();
        let again = "remove the folder to begin again, or name another one";
        if self.job != *job {
            let what = "the checkpoint is of a run with other windows, columns or treatment of bad rows";
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

impl Seen {
    fn file(name: &str) -> Result<Self> {
        let look = || {
            let mut file = File::open(name)?;
            let about = file.metadata()?;
            let changed = about.modified()?.duration_since(UNIX_EPOCH).map_or(1, |time| (time.as_nanos() as u64).max(1));
            let (mut hash, mut room) = (Xxh3::new(), Vec::new());
            (&mut file).take(END).read_to_end(&mut room)?;
            file.seek(SeekFrom::Start(about.len().saturating_sub(END)))?;
            file.take(END).read_to_end(&mut room)?;
            hash.update(&room);
            Ok(Seen { name: name.to_owned(), bytes: about.len(), changed, ends: format!("{:032x}", hash.digest128()) })
        };
        look().map_err(|e| Error::io("cannot read", e).input(name).stage(Stage::Source))
    }

    /// A state is what its manifest says.
    fn state(state: &State) -> Result<Self> {
        let mut hash = Xxh3::new();
        hash.update(crate::state::sealed::encode(state.manifest())?.as_bytes());
        let (name, bytes) = (state.path().to_string_lossy().into_owned(), state.manifest().runs.iter().map(|run| run.bytes).sum());
        Ok(Seen { name, bytes, changed: 0, ends: format!("{:032x}", hash.digest128()) })
    }
}

impl Checkpoints {
    /// Reads states and files into a pipeline of this builder, which is then ready to finish; goes on from the checkpoint in the folder, if
    /// there is one. `watch` gets the counters of every stretch.
    ///
    /// # Errors
    /// When the checkpoint is of another run or its inputs have changed; when another process writes to it; [`Kind::Cancelled`] when reading
    /// was stopped, after the checkpoint was written; what reading fails with.
    pub fn read<L: Lens + Clone>(
        &self,
        builder: &Builder<L>,
        states: &[State],
        files: Files,
        mut watch: impl FnMut(Arc<Stats>),
    ) -> Result<(Pipeline<L>, Checkpointed)> {
        let paths = files.paths();
        if let Some(pipe) = paths.iter().find(|path| *path == STDIN || !Path::new(path).is_file()) {
            let error = Error::usage("a run with a checkpoint may have to find its place in the input again, and a pipe has none");
            return Err(error.input(if pipe == STDIN { "stdin" } else { pipe }).help("put it into a file, or leave `checkpoint` out"));
        }
        let look = || states.iter().map(Seen::state).chain(paths.iter().map(|path| Seen::file(path))).collect::<Result<Vec<_>>>();
        let inputs = look()?;
        let job = {
            let (spec, keeps_rejects) = builder.options();
            let (windows, columns) = (spec.windows.clone(), spec.columns.clone());
            Job { windows, columns, on_bad_row: spec.on_bad_row, keeps_rejects }
        };
        let (folder, there) = Folder::<Checkpoint>::lock(&self.folder, &self.io)?;
        let mut reached = match there {
            Some(checkpoint) => checkpoint.fits(&job, &inputs, &self.folder).map(|()| checkpoint)?,
            None => Checkpoint::new(job, inputs.clone()),
        };
        let source = Paced::new(files);
        source.skip_to((reached.chunks, reached.bytes), &self.cancel).map_err(|e| e.help(Checkpoint::DAMAGED_HELP))?;
        if reached.generation > 0 {
            tracing::info!(rows = reached.rows_read, "goes on from the checkpoint");
        }
        loop {
            let mut pipeline = builder.clone().build()?;
            let stats = pipeline.stats();
            stats.count_bytes(source.place().1);
            watch(stats);
            let (stop, every, began) = (self.stop.clone(), self.every, Instant::now());
            pipeline.run(source.until(move || stop.is_stopped() || began.elapsed() >= every))?;
            if look()? != inputs {
                let error = Error::data("an input was changed while it was read").stage(Stage::Source);
                return Err(error.help("begin again when whoever writes it is done"));
            }
            let (ended, stopped) = (source.has_ended(), self.stop.is_stopped());
            // What a short run has read is in memory, and stays there.
            if ended && !stopped && reached.generation == 0 {
                states.iter().try_for_each(|state| pipeline.run_state(state))?;
                return Ok((pipeline, Checkpointed(folder)));
            }
            reached = self.write(&folder, reached, pipeline, source.place())?;
            if stopped {
                let rows = grouped(reached.rows_read);
                let error = Error::new(Kind::Cancelled, format!("interrupted after {rows} rows, which the checkpoint has"));
                return Err(error.input(self.folder.to_string_lossy()).help("the same command goes on from there"));
            }
            if ended {
                let open = |run: &RunEntry| RunFile::open(&folder.path().join(&run.file), &self.io).map(Arc::new);
                let runs = reached.runs.iter().map(open).collect::<Result<Vec<_>>>()?;
                let mut pipeline = builder.clone().build()?;
                watch(pipeline.stats());
                pipeline.run_checkpoint(&reached, &runs)?;
                states.iter().try_for_each(|state| pipeline.run_state(state))?;
                return Ok((pipeline, Checkpointed(folder)));
            }
        }
    }

    /// Writes what a pipeline has read since the checkpoint before.
    fn write<L: Lens>(
        &self,
        folder: &Folder<Checkpoint>,
        before: Checkpoint,
        pipeline: Pipeline<L>,
        (chunks, bytes): (u64, u64),
    ) -> Result<Checkpoint> {
        let began = Instant::now();
        let threads = pipeline.spec.worker_count();
        let mut next = Checkpoint { generation: before.generation + 1, chunks, bytes, ..before };
        let name = run_name(next.generation);
        let writer = Writer::create(&folder.path().join(&name), &self.io)?;
        let saved = pipeline.save(&writer)?;
        next.rows_read += saved.rows.rows_read;
        next.rows_accepted += saved.rows.rows_accepted;
        Merge::merge(&mut next.rows_rejected, saved.rows.rows_rejected);
        next.windows = crate::state::compact::union(next.windows, saved.keys);
        if saved.rows.rows_read > 0 {
            next.runs.push(RunEntry::new(name, writer.finish()?));
        }
        self.cancel.check()?;
        folder.commit(&next)?;
        tracing::info!(rows = next.rows_read, seconds = began.elapsed().as_secs_f64(), "checkpoint");
        with_pool(threads, || compact_while_due(folder, next, &self.cancel))
    }
}
