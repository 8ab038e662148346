//! Checkpoints of one long run: the rows read so far and the place in the inputs, so that it goes on from there when it is started again.
//!
//! ```text
//!  inputs ──chunks──▶ pipeline ──when it is time──▶ run file ──named by──▶ CHECKPOINT: run files, and the place in the inputs
//!  in order                                         rows since the last
//!  the last stretch ──▶ pipeline ◀──merged when finishing── run files
//! ```
//!
//! A checkpoint is a state by the windows of the run itself, so writing one costs as much as an update: the customers who came since the one
//! before. Between two, a run is as fast as without; a run that ends before the first writes none. A place in the inputs is a number of
//! chunks ([`paced`](crate::source::paced)); going on skips them without decoding. The record on the disk is
//! [`state::checkpoint_record`](crate::state::checkpoint_record)'s.
//!
//! Invariants: the answers are those of a run that was never interrupted, to the byte. The folder holds the checkpoint before or the one
//! after, whenever a run is killed. Inputs that are not what they were are refused: by length, time of change, and a hash of both ends.
//!
//! Known limits: an input through a pipe cannot be skipped and is refused. Finishing is not interrupted in order: it is begun again.

use super::update::save_run;
use crate::base::cancel::{Cancel, Stop};
use crate::base::error::{Error, Kind, Result, Stage};
use crate::base::text::grouped;
use crate::base::threads::with_pool;
use crate::lens::Lens;
use crate::pipeline::{Builder, Pipeline};
use crate::source::files::{Files, STDIN};
use crate::source::objects::is_url;
use crate::source::paced::Paced;
use crate::state::checkpoint_record::{Checkpoint, CheckpointJob, SeenInput};
use crate::state::compact::compact_while_due;
use crate::state::manifest::run_name;
use crate::state::sealed::{Record, RowCounts, encode};
use crate::state::state_folder::{Folder, vacant};
use crate::state::{Io, RunEntry, RunFile, State};
use crate::stats::Stats;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};
use xxhash_rust::xxh3::xxh3_128;

/// Bytes at either end of a file that tell whether it is the same.
const END: u64 = 1 << 16;

/// How a run keeps checkpoints.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    /// The folder, which is made at need and gone after the run.
    pub folder: PathBuf,
    /// The time between two.
    pub every: Duration,
    /// Ends reading in order, with a last checkpoint.
    pub stop: Stop,
    /// Ends the run at once.
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

/// Looks at a file: its length, its time of change, and a hash of both its ends.
fn seen_file(name: &str) -> Result<SeenInput> {
    let look = || {
        let mut file = File::open(name)?;
        let about = file.metadata()?;
        let changed = about.modified()?.duration_since(UNIX_EPOCH).map_or(1, |time| (time.as_nanos() as u64).max(1));
        let mut ends = Vec::new();
        (&mut file).take(END).read_to_end(&mut ends)?;
        file.seek(SeekFrom::Start(about.len().saturating_sub(END)))?;
        file.take(END).read_to_end(&mut ends)?;
        Ok(SeenInput { name: name.to_owned(), bytes: about.len(), changed, ends: format!("{:032x}", xxh3_128(&ends)) })
    };
    look().map_err(|e| Error::io("cannot read", e).input(name).stage(Stage::Source))
}

/// Looks at a state: its manifest says all that is in it.
fn seen_state(state: &State) -> Result<SeenInput> {
    let ends = format!("{:032x}", xxh3_128(encode(state.manifest())?.as_bytes()));
    let bytes = state.manifest().runs.iter().map(|run| run.bytes).sum();
    Ok(SeenInput { name: state.path().to_string_lossy().into_owned(), bytes, changed: 0, ends })
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
        // What one stretch finds, another would not know of.
        let builder = builder.clone().fail_fast(true);
        let paths = files.paths();
        if let Some(url) = paths.iter().find(|path| is_url(path)) {
            let error =
                Error::usage("a run with a checkpoint looks again whether its inputs are what they were, which is not done with objects");
            return Err(error.input(url).help("copy it to a disk first, or leave `checkpoint` out"));
        }
        if let Some(pipe) = paths.iter().find(|path| *path == STDIN || !Path::new(path).is_file()) {
            let error = Error::usage("a run with a checkpoint may have to find its place in the input again, and a pipe has none");
            return Err(error.input(if pipe == STDIN { "stdin" } else { pipe }).help("put it into a file, or leave `checkpoint` out"));
        }
        let look = || states.iter().map(seen_state).chain(paths.iter().map(|path| seen_file(path))).collect::<Result<Vec<_>>>();
        let inputs = look()?;
        let job = {
            let (spec, keeps_rejects) = builder.options();
            let (windows, columns) = (spec.windows.clone(), spec.columns.clone());
            let reading = spec.reading.clone().with_told(None);
            CheckpointJob { windows, as_of: spec.as_of, columns, reading, on_bad_row: spec.on_bad_row, keeps_rejects }
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
                return Err(error.help("begin again when it is written completely"));
            }
            let (ended, stopped) = (source.has_ended(), self.stop.is_stopped());
            // The rows of a short run are in memory, and stay there.
            if ended && !stopped && reached.generation == 0 {
                states.iter().try_for_each(|state| pipeline.run_state(state))?;
                return Ok((pipeline, Checkpointed(folder)));
            }
            reached = self.write(&folder, reached, pipeline, source.place())?;
            source.forget_notes();
            if stopped {
                let rows = grouped(reached.rows_read);
                let error = Error::new(Kind::Cancelled, format!("interrupted after {rows} rows, which the checkpoint has"));
                return Err(error.input(self.folder.to_string_lossy()).help("the same command goes on from there"));
            }
            if ended {
                let keys = reached.keys();
                let open = |run: &RunEntry| RunFile::open(&folder.path().join(&run.file), &self.io).map(|run| Arc::new(run.within(keys)));
                let runs = reached.runs.iter().map(open).collect::<Result<Vec<_>>>()?;
                let mut pipeline = builder.clone().build()?;
                watch(pipeline.stats());
                pipeline.run_checkpoint(&reached, &runs)?;
                states.iter().try_for_each(|state| pipeline.run_state(state))?;
                return Ok((pipeline, Checkpointed(folder)));
            }
        }
    }

    /// Writes a checkpoint of the rows that a pipeline has read since the one before.
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
        let (saved, run) = save_run(pipeline, folder, &run_name(next.generation))?;
        next.counts_mut().add(RowCounts::of(&saved));
        next.runs.extend(run);
        self.cancel.check()?;
        folder.commit(&next)?;
        tracing::info!(rows = next.rows_read, seconds = began.elapsed().as_secs_f64(), "checkpoint");
        with_pool(threads, || compact_while_due(folder, next, &self.cancel))
    }
}
