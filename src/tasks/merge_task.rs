//! Rows of some keys → run files, or fewer rows: customers who were read by several tasks add up.

use super::accumulate_task::RowsOut;
use super::message::{Piece, TaskMessage};
use super::{EngineJob, KEYS, Limits, MESSAGE, any_number};
use crate::base::cancel::Cancel;
use crate::base::error::{Error, Result};
use crate::state::frames::{FrameMerge, each_frame};
use crate::state::manifest::run_name;
use crate::state::{Io, Writer};
use std::path::Path;

/// Merges rows of some keys into run files in a folder, and gives the messages for the driver: those that came with the rows, and where the
/// files are. The folder is that of the state.
///
/// # Errors
/// When rows are not what was sent, or files cannot be read or written.
pub fn merge<B: AsRef<[u8]>>(
    job: &EngineJob,
    rows: impl IntoIterator<Item = Result<(u32, B)>>,
    folder: &Path,
    limits: &Limits,
    cancel: &Cancel,
) -> Result<Vec<TaskMessage>> {
    let (mut merged, mut messages) = taken(rows, limits, job, cancel)?;
    // Another try of this task may write at the same time.
    let own = any_number();
    for part in merged.parts() {
        let name = format!("{}-piece-{part}-{own:016x}.lfst", run_name(job.generation).trim_end_matches(".lfst"));
        let writer = Writer::create(&folder.join(&name), &Io::default())?;
        let (customers, sections, first) = merged.finish(part, &writer)?;
        writer.finish()?;
        messages.push(TaskMessage::of_piece(Piece { part, file: name, first, customers, sections }));
    }
    Ok(messages)
}

/// As [`merge`], for engines without a folder that the driver sees: hands the merged customers on as rows, which the driver merges once more.
///
/// # Errors
/// Those of [`merge`], and what `out` fails with.
pub fn merge_frames<B: AsRef<[u8]>>(
    job: &EngineJob,
    rows: impl IntoIterator<Item = Result<(u32, B)>>,
    limits: &Limits,
    cancel: &Cancel,
    out: &mut RowsOut<'_>,
) -> Result<()> {
    let (mut merged, messages) = taken(rows, limits, job, cancel)?;
    let spill_dir = job.spec_within(limits).spill_dir;
    for part in merged.parts() {
        let folder = spill_dir.as_ref().map_or_else(tempfile::tempdir, tempfile::tempdir_in);
        let folder = folder.map_err(|e| Error::io("cannot make a folder to spill into", e))?;
        let writer = Writer::create(&folder.path().join("frames"), &Io::default())?;
        let (_, taken, first) = merged.finish(part, &writer)?;
        // Work units have lesser numbers.
        let task = u64::MAX - u64::from(first);
        let sent = each_frame(&writer, task, any_number(), |section, frame| out(part * KEYS + u32::from(section), frame))?;
        out(MESSAGE, &TaskMessage::of_frames(part, task, taken, sent).to_bytes()?)?;
    }
    messages.iter().try_for_each(|message| out(MESSAGE, &message.to_bytes()?))
}

/// Takes all rows in.
fn taken<B: AsRef<[u8]>>(
    rows: impl IntoIterator<Item = Result<(u32, B)>>,
    limits: &Limits,
    job: &EngineJob,
    cancel: &Cancel,
) -> Result<(FrameMerge, Vec<TaskMessage>)> {
    let spec = job.spec_within(limits);
    let mut merged = FrameMerge::new(spec.memory_limit, spec.spill_dir.as_deref(), &Io::default(), cancel)?;
    let mut messages = Vec::new();
    for row in rows {
        let (key, bytes) = row?;
        match key {
            MESSAGE => messages.push(TaskMessage::from_bytes(bytes.as_ref())?),
            key => merged.take(key / KEYS, (key % KEYS) as u16, bytes.as_ref())?,
        }
    }
    Ok((merged, messages))
}
