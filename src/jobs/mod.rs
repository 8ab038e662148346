//! Whole programs over pipelines: audits from named inputs to files in their places, a state that takes in more, runs that can be killed,
//! folders and streams that are followed, comparisons, and the functions on slices. A job says what it found out and what it wrote; it
//! prints nothing. A program that runs an audit may watch it through a [`Host`].
//!
//! | file | owns |
//! |---|---|
//! | here | [`Host`], and what jobs have in common |
//! | `audit` | inputs → answers in files |
//! | `audit_outputs` | the files of an audit |
//! | `answer` | inputs → answers in memory |
//! | `answer_format` | answers as JSON, text, Markdown or a page, by their file's extension |
//! | `peek` | inputs → what they are, and what an audit would meet in them |
//! | `recognize` | the columns of inputs → what their rows are |
//! | `period_table` | orders → a table of period aggregations |
//! | `new_inputs` | which inputs of an update its state has not |
//! | `given_cuts` | cut points from files and texts, and the file of a window's own |
//! | `policies` | whether an update goes with its state |
//! | `part_rejects` | what an update left out, as a table |
//! | `update` | inputs that a state has not taken in yet → its next generation |
//! | `engine_update` | an update whose inputs are read by the tasks of an engine |
//! | `export_state` | a state → a table of period aggregations |
//! | `checkpoint` | a long run that goes on where it was killed |
//! | `follow` | a state that takes in files or a stream as they come |
//! | `compare` | Lens 2 of windows of two states |
//! | `slices` | the functions for callers who hold everything in memory |

#[cfg(all(feature = "sketch", feature = "synthetic", feature = "text"))]
mod answer;
#[cfg(all(feature = "sketch", feature = "synthetic", feature = "text"))]
mod answer_format;
#[cfg(all(feature = "sketch", feature = "synthetic", feature = "text"))]
pub mod audit;
#[cfg(all(feature = "sketch", feature = "synthetic", feature = "text"))]
mod audit_outputs;
pub(crate) mod checkpoint;
pub(crate) mod compare;
mod engine_update;
pub(crate) mod export_state;
pub mod follow;
#[cfg(feature = "text")]
mod given_cuts;
pub(crate) mod new_inputs;
mod part_rejects;
#[cfg(feature = "text")]
pub mod peek;
pub(crate) mod period_table;
mod policies;
pub mod recognize;
pub mod slices;
pub(crate) mod update;

#[cfg(all(feature = "sketch", feature = "synthetic", feature = "text"))]
pub use answer_format::write_reports;
#[cfg(all(feature = "sketch", feature = "synthetic", feature = "text"))]
pub use audit::{AuditJob, Audited, Outputs, WrittenFile};
pub use checkpoint::{Checkpointed, Checkpoints};
pub use compare::{Side, compare};
pub use export_state::export_state;
#[cfg(feature = "text")]
pub use given_cuts::{read_cut_points, write_cut_points};
pub use new_inputs::Known;
pub use period_table::write_periods;
pub use recognize::{Recognition, Recognized, RowsAre};
pub use update::{Update, Updated};

use crate::base::cancel::Cancel;
use crate::base::error::{Error, Kind, Result};
use crate::orders::Lines;
use crate::report::output::folder_is_there;
use crate::source::Source;
use crate::source::files::{Files, Format};
use crate::source::objects::refuse_written;
use crate::spec::Spec;
use crate::state::order_ids::share_no_order;
use crate::state::refuse_own_file;
use crate::state::{State, is_state};
use crate::stats::Stats;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Standard output, as a path.
const STDOUT: &str = "-";

/// The process around a job: it shows how far the job is, and it may be asked to end. `()` does neither.
pub trait Host {
    /// The job counts in these from now on. With a checkpoint they come anew when reading goes on from it.
    fn watch(&mut self, _stats: Arc<Stats>) {}

    /// Whether the job heeds its [`Stop`](crate::Stop) from now on: it then ends in order, and what it has read is kept.
    fn heeds_stop(&mut self, _heeds: bool) {}

    /// Puts finished outputs in their places, all or none, by calling `publish`. A host that may end the process does not do so
    /// meanwhile.
    ///
    /// # Errors
    /// Those of `publish`.
    fn undisturbed(&mut self, publish: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        publish()
    }
}

impl Host for () {}

/// States, opened, apart from the names of other inputs.
///
/// # Errors
/// A state that cannot be read, or that is named twice; several that keep the ids of their orders and have one in common.
pub fn with_states(inputs: &[String]) -> Result<(Vec<State>, Vec<String>)> {
    let (states, others): (Vec<_>, Vec<_>) = inputs.iter().cloned().partition(|input| is_state(Path::new(input)));
    let states = State::open_all(&states)?;
    if states.iter().filter(|state| state.manifest().order_ids).count() > 1 {
        share_no_order(&states, &Cancel::default())?;
    }
    Ok((states, others))
}

/// Checks that what is said of lines is said of some file, and that states have grouped their lines alike.
///
/// # Errors
/// [`Kind::Usage`].
pub fn lines_fit(lines: Option<&Lines>, states: &[State], files: &[String]) -> Result<()> {
    let Some(lines) = lines else { return Ok(()) };
    if files.is_empty() && !states.is_empty() {
        let what = "a state knows what its rows were, and no file is named beside it whose rows could be orders and line items";
        return Err(Error::usage(what).help("leave `from=transactions` out"));
    }
    states.iter().try_for_each(|state| state.groups_alike(&lines.orders))
}

/// The files behind names. With `look`, each is opened and must have its columns; no rows are read.
///
/// # Errors
/// A file that is not there, or with `look`, one that cannot be read.
pub fn files(named: &[String], format: Option<Format>, lines: Option<&Lines>, spec: &Spec, look: bool) -> Result<Vec<String>> {
    fn looked<B: 'static>(files: Files<B>, look: bool) -> Result<Vec<String>>
    where
        Files<B>: Source<B>,
    {
        if look { files.check().map(|()| files.inputs()) } else { Ok(files.inputs()) }
    }
    match lines {
        Some(lines) => looked(lines.find(named, format, spec.batch_rows)?, look),
        None => looked(Files::find(named, format, spec)?, look),
    }
}

/// Checks that nothing is written twice, nor over an input.
///
/// # Errors
/// The first path that is.
pub fn no_input_is_written<'a>(outputs: impl Iterator<Item = &'a PathBuf>, inputs: &[impl AsRef<Path>]) -> Result<()> {
    let outputs: Vec<_> = outputs.collect();
    for (i, path) in outputs.iter().enumerate() {
        if outputs[i + 1..].iter().any(|other| real(other) == real(path)) {
            return Err(Error::usage(format!("{} would be written twice", path.display())));
        }
        if *path != Path::new(STDOUT) && inputs.iter().any(|input| real(input.as_ref()) == real(path)) {
            return Err(Error::usage(format!("{} is an input: it would be overwritten", path.display())));
        }
    }
    Ok(())
}

/// The first of some paths that lies in a folder.
pub fn inside<'a>(mut paths: impl Iterator<Item = &'a PathBuf>, folder: &Path) -> Option<&'a PathBuf> {
    paths.find(|path| path.parent().is_some_and(|parent| real(parent) == real(folder)))
}

/// A path however it is spelled: links followed as far as the file or its folder exists.
pub fn real(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beside = || Some(std::fs::canonicalize(folder).ok()?.join(path.file_name()?));
    std::fs::canonicalize(path).ok().or_else(beside).unwrap_or_else(|| path.to_owned())
}

/// Checks that a file can be made at a path.
///
/// # Errors
/// A path that is a folder or a state's own file, or whose folder is not there or may not be written to.
pub fn in_a_folder(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let no = |what: &str| Err(Error::new(Kind::Io, format!("cannot write: {what}")).input(path.to_string_lossy()));
    if path != Path::new(STDOUT) {
        folder_is_there(path)?;
        refuse_own_file(path)?;
    }
    match std::fs::metadata(folder) {
        _ if path == Path::new(STDOUT) => Ok(()),
        _ if path.is_dir() => no("it is a folder"),
        Err(_) => no("its folder cannot be looked at"),
        Ok(folder) if !folder.is_dir() => no("what should be its folder is a file"),
        Ok(folder) if folder.permissions().readonly() => no("its folder may not be written to"),
        Ok(_) => Ok(()),
    }
}

/// Checks that a folder is there, or can be made.
///
/// # Errors
/// When a file is in its way.
pub fn may_be_folder(path: &Path) -> Result<()> {
    refuse_written(path)?;
    match path.ancestors().find(|part| part.exists()) {
        Some(there) if !there.is_dir() => {
            Err(Error::new(Kind::Io, "a folder is wanted here, and it is a file").input(there.to_string_lossy()))
        }
        _ => Ok(()),
    }
}
