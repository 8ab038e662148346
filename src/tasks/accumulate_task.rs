//! Work units, or batches of rows, → frames by partition: an ordinary pipeline, whose customers go out instead of being answered for.

use super::message::{Counted, Fault, TaskMessage};
use super::{EngineJob, KEYS, Limits, MESSAGE, WorkUnit, any_number};
use crate::base::cancel::Cancel;
use crate::base::error::{Error, ErrorMessage, Kind, Result};
use crate::pipeline::Pipeline;
use crate::source::files::Files;
use crate::source::{Batches, IntoBatch};
use crate::state::part::PartCounts;
use crate::state::{Io, Writer, frames};

/// Takes the rows of a task: a key and bytes.
pub type RowsOut<'a> = dyn FnMut(u32, &[u8]) -> Result<()> + 'a;

/// Reads work units and hands on their customers as rows of a key and bytes. Rows of one key belong into one task.
///
/// # Errors
/// What trying again may help against, or what the machine lacks; what `out` fails with. A bad row or a damaged input is a message instead.
pub fn accumulate(job: &EngineJob, mut units: Vec<WorkUnit>, limits: &Limits, cancel: &Cancel, out: &mut RowsOut<'_>) -> Result<()> {
    units.sort_by_key(|unit| (unit.part, unit.number));
    for units in units.chunk_by(|a, b| a.part == b.part) {
        let (part, several) = (units[0].part, units[0].several);
        let portions = units.iter().map(|unit| (unit.number, unit.input.clone(), unit.portion.clone())).collect();
        let mut numbered = None;
        let read = read_into(job, limits, cancel, |pipeline, spec| {
            let nothing: [&str; 0] = [];
            let files = Files::find(&nothing, job.format, spec)?.spool_in(spec.spill_dir.clone());
            let (files, numbers) = files.of_portions(portions, several);
            numbered = Some(numbers);
            pipeline.run(files)
        });
        let first = || numbered.as_ref().and_then(|numbered| numbered.least()).unwrap_or(units[0].number);
        if !emit(read, part, units.iter().map(|unit| unit.number).collect(), first, out)? {
            break;
        }
    }
    Ok(())
}

/// As [`accumulate`], of Arrow batches or an Arrow reader. `number` says which of the unit's partitions of batches these are, and names them
/// in messages.
///
/// # Errors
/// Those of [`accumulate`].
pub fn accumulate_batches<I>(
    job: &EngineJob,
    number: u64,
    batches: I,
    limits: &Limits,
    cancel: &Cancel,
    out: &mut RowsOut<'_>,
) -> Result<()>
where
    I: Iterator + Send + 'static,
    I::Item: IntoBatch,
{
    let read =
        read_into(job, limits, cancel, |pipeline, spec| pipeline.run(Batches::reading(format!("partition {number}"), spec, batches)?));
    emit(read, 0, vec![number], || number, out).map(drop)
}

/// What was counted, and the customers.
type Read = (Counted, Writer, tempfile::TempDir);

/// Runs a pipeline over some rows and keeps its customers in a file of their own.
fn read_into(
    job: &EngineJob,
    limits: &Limits,
    cancel: &Cancel,
    run: impl FnOnce(&mut Pipeline, &crate::spec::Spec) -> Result<()>,
) -> Result<Read> {
    let spec = job.spec_within(limits);
    let folder = spec.spill_dir.as_ref().map_or_else(tempfile::tempdir, tempfile::tempdir_in);
    let folder = folder.map_err(|e| Error::io("cannot make a folder to spill into", e))?;
    let builder = Pipeline::builder().spec(spec.clone()).cancel(cancel.clone()).saving().judged_elsewhere();
    let mut pipeline = builder.later_windows(job.later_windows.clone()).build()?;
    pipeline.dropped = job.dropped;
    run(&mut pipeline, &spec)?;
    let writer = Writer::create(&folder.path().join("frames"), &Io::default())?;
    let (saved, unjudged) = pipeline.save_part(&writer)?;
    let counts = PartCounts::of(&saved);
    Ok((Counted { part: 0, units: Vec::new(), sections: 0, counts, unjudged }, writer, folder))
}

/// Hands on what was read, or what was wrong with it; false after a fault.
fn emit(read: Result<Read>, part: u32, units: Vec<u64>, first: impl FnOnce() -> u64, out: &mut RowsOut<'_>) -> Result<bool> {
    let (mut counted, writer, _folder) = match read {
        Ok(read) => read,
        Err(error) if matches!(error.kind(), Kind::Io | Kind::Memory | Kind::Cancelled) => return Err(error),
        Err(error) => {
            let fault = Fault { part, number: first(), error: ErrorMessage::from(&error) };
            out(MESSAGE, &TaskMessage::of_fault(fault).to_bytes()?)?;
            return Ok(false);
        }
    };
    let task = units.first().copied().unwrap_or(0);
    (counted.part, counted.units) = (part, units);
    counted.sections = frames::each_frame(&writer, task, any_number(), |section, frame| out(part * KEYS + u32::from(section), frame))?;
    out(MESSAGE, &TaskMessage::of_counts(counted).to_bytes()?)?;
    Ok(true)
}
