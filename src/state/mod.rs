//! Saved state: every customer's orders in all inputs so far, on the disk, so that tomorrow's audit reads tomorrow's rows only.
//!
//! ```text
//!  inputs ──▶ pipeline ──partitions──▶ save ──frames──▶ run file ──named by──▶ MANIFEST
//!  not yet    windows: the state's     sorted            one an update,        replaced as a whole:
//!  taken in   calendar                                   never changed         the new generation
//!
//!  MANIFEST ──▶ run files ──frames──▶ rollup ──▶ merge ──▶ finalize, as after any run
//!                                     months to the audit's windows
//! ```
//!
//! | file | owns |
//! |---|---|
//! | here | [`State`]: a generation, open to be read |
//! | [`manifest`](Manifest) | the record of a state: the contents of a generation |
//! | `checkpoint_record` | the record of a checkpoint: how far one long run has read |
//! | `sealed` | records as files with a checksum |
//! | `state_folder` | the folder of a record: lock, commit, sweep |
//! | `run_file` | frames and their index; `FORMAT.md` draws them |
//! | `sound` | whether what a frame holds may be in a state |
//! | `save` | partitions → a run file |
//! | `part` | what one input brought, as long as it can be taken out again |
//! | `change` | what is taken out: inputs, customers |
//! | `retention` | periods that were dropped |
//! | `compact` | several run files → one, of one state or of several |
//! | `rollup` | the state's windows → an audit's |
//! | `frames` | frames by themselves: out of run files on their way to other machines, and into one again |
//! | `inspect` | a manifest for people, and a run file by itself |
//! | `order_ids` | the ids of orders, where a state keeps them |
//! | `forged` | files made to look right, for fuzzing |
//! | `open_rows` | open rows: those that each audit judges for itself |
//!
//! [`Update`](crate::jobs::Update) makes the next generation of inputs, [`compare`](crate::jobs::compare()) sets windows of two states against
//! each other.
//!
//! A state has one record per customer and calendar window. That is all an audit needs whose windows are unions of the state's, but for
//! rows that cross a boundary of the state's windows, or whose last transaction lies after their window's end: another audit's windows may
//! hold them. Such rows are *open*: kept as they were read, and judged by every audit as if they came from their file.
//!
//! Invariants: an audit of a state is the audit of all inputs ever taken in, to the byte. Run files never change. A folder holds the
//! generation before or the one after, whenever a writer was interrupted.

mod change;
pub(crate) mod checkpoint_record;
pub(crate) mod compact;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod forged;
pub(crate) mod frames;
mod inspect;
pub(crate) mod manifest;
pub(crate) mod open_rows;
pub(crate) mod order_ids;
pub(crate) mod part;
pub(crate) mod retention;
pub(crate) mod rollup;
pub(crate) mod run_file;
pub(crate) mod save;
pub(crate) mod sealed;
mod sound;
pub(crate) mod state_folder;

pub use self::change::{Changed, forget, remove};
pub use self::compact::{MergedState, check_merge, merge};
pub use self::inspect::{RunSummary, is_run_file};
pub use self::manifest::{Input, Manifest, Remembered, RunEntry};
pub(crate) use self::open_rows::OpenRows;
pub(crate) use self::order_ids::OrderIds;
pub use self::part::{MOST_APART, PartCounts};
pub use self::retention::drop_before;
pub(crate) use self::rollup::Rollup;
pub(crate) use self::run_file::{RunFile, Section, Writer};
pub(crate) use self::save::Saved;
pub use self::state_folder::is_state;
pub(crate) use self::state_folder::refuse_own_file;
pub use crate::spill::Io;

use crate::base::error::{Error, Kind, Result};
use crate::base::time::format_timestamp;
use crate::model::reject::OnBadRow;
use crate::model::window::{Granularity, Window, Windows};
use crate::orders::OrderOptions;
use crate::spec::Spec;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The advice about a state that cannot be read.
const DAMAGED_HELP: &str = "restore the state from a copy, or make it anew from its inputs";

/// A generation of a state, open to be read. Later updates do not touch it.
///
/// ```no_run
/// use lensflow::state::State;
/// use lensflow::{Pipeline, Result};
/// use std::path::Path;
///
/// # fn main() -> Result<()> {
/// let state = State::open(Path::new("shop.state"))?;
/// println!("{} rows from {} inputs", state.manifest().rows_read, state.manifest().inputs.len());
/// let mut pipeline = Pipeline::builder().build()?;
/// pipeline.run_state(&state)?;
/// let report = pipeline.finish()?.report;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct State {
    path: PathBuf,
    manifest: Manifest,
    runs: Vec<Arc<RunFile>>,
    io: Io,
}

impl State {
    /// Opens the state in a folder.
    ///
    /// # Errors
    /// When there is none, it cannot be read, or it is damaged.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_with(path, &Io::default())
    }

    /// Opens several states, which must differ.
    ///
    /// # Errors
    /// The errors of [`open`](State::open), or when one is there twice.
    pub fn open_all<S: AsRef<str>>(paths: &[S]) -> Result<Vec<Self>> {
        let real = |path: &str| std::fs::canonicalize(path).unwrap_or_else(|_| path.into());
        let mut seen = std::collections::BTreeSet::new();
        if let Some(twice) = paths.iter().find(|path| !seen.insert(real(path.as_ref()))) {
            return Err(Error::usage(format!("the state {} is given twice: its rows would count twice", twice.as_ref())));
        }
        paths.iter().map(|path| Self::open(Path::new(path.as_ref()))).collect()
    }

    /// Opens the state in a folder, on a disk that may have faults.
    #[doc(hidden)]
    pub fn open_with(path: &Path, io: &Io) -> Result<Self> {
        loop {
            let Some(manifest) = state_folder::read_record::<Manifest>(path, io)? else {
                state_folder::refuse_lost::<Manifest>(path)?;
                let error = Error::new(Kind::Io, "there is no state").input(path.to_string_lossy());
                return Err(error.help("an update of that name makes one"));
            };
            match Self::of(path, manifest, io) {
                Ok(state) => return Ok(state),
                // An update that was committed meanwhile may have removed what the generation before it was made of.
                Err((generation, error)) => {
                    let later = state_folder::read_record::<Manifest>(path, io)?;
                    if later.is_none_or(|later| later.generation == generation) {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Opens all that a manifest names; with an error comes the generation.
    fn of(path: &Path, manifest: Manifest, io: &Io) -> Result<Self, (u64, Error)> {
        let open = |entry: &RunEntry| {
            let file = path.join(&entry.file);
            let run = RunFile::open(&file, io)?;
            if (RunEntry { counts: entry.counts.clone(), ..RunEntry::new(entry.file.clone(), run.written()) }) != *entry {
                let what = "the run file is damaged: it is not the one that the manifest names";
                return Err(Error::data(what).input(file.to_string_lossy()).help(DAMAGED_HELP));
            }
            Ok(Arc::new(run.within(manifest.windows)))
        };
        let runs = manifest.runs.iter().map(open).collect::<Result<_>>().map_err(|error| (manifest.generation, error))?;
        Ok(State { path: path.to_owned(), manifest, runs, io: io.clone() })
    }

    /// The manifest of the generation.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The disk that it was opened on.
    pub(crate) fn io(&self) -> &Io {
        &self.io
    }

    pub(crate) fn runs(&self) -> &[Arc<RunFile>] {
        &self.runs
    }

    /// The end of the last period of its own that has a row.
    pub fn end(&self) -> Option<i64> {
        self.manifest.windows.map(|(_, last)| self.manifest.every.start(last + 1))
    }

    /// Checks that an audit with these options can take the state in.
    ///
    /// # Errors
    /// When it was made with another policy about bad rows, or by windows of which the audit's are no unions.
    pub fn fits(&self, spec: &Spec) -> Result<()> {
        let manifest = &self.manifest;
        // Of a state that no bad row ever came into, nothing was left out, either.
        if manifest.on_bad_row == OnBadRow::Reject && spec.on_bad_row == OnBadRow::Fail {
            let was = manifest.on_bad_row.name();
            let error = Error::usage(format!("the state was made with `on_bad_row={was}`")).input(self.path.to_string_lossy());
            return Err(error.help(format!("audit it with `on_bad_row={was}`, or make another state")));
        }
        self.rollup(&spec.windows, spec.as_of).map(drop)
    }

    /// Checks that the lines it has taken in, if it has any, were grouped so.
    ///
    /// # Errors
    /// When they were grouped otherwise: what an order is would differ from one part of the answers to another.
    pub fn groups_alike(&self, orders: &OrderOptions) -> Result<()> {
        self.manifest.groups_alike(orders, &self.path)
    }

    /// Which of an audit's windows the state's belong to, as they are seen as of a moment.
    pub(crate) fn rollup(&self, windows: &Windows, as_of: Option<i64>) -> Result<Rollup> {
        let every = self.manifest.every;
        let Some((first, last)) = self.manifest.windows else {
            if let Windows::Every(_) = windows {
                windows_fit(windows, every, &self.path)?;
            }
            if let Some(dropped) = self.manifest.dropped_before {
                dropped.allows(windows, None, as_of, &self.path.to_string_lossy())?;
            }
            return Ok(Rollup::Listed { first: 0, keys: Vec::new() });
        };
        fit_until(windows, every, &self.path, self.manifest.span.map(|span| span.last))?;
        if let Some(dropped) = self.manifest.dropped_before {
            dropped.allows(windows, Some(every.start(first)), as_of, &self.path.to_string_lossy())?;
        }
        if let Some(as_of) = as_of {
            self.can_be_seen(as_of)?;
        }
        let before = |index: &u32| as_of.is_none_or(|as_of| every.start(*index) < as_of);
        let key = |index: u32| match windows {
            Windows::Every(wanted) => Some(wanted.index(every.start(index))),
            Windows::List(list) => (0u32..).zip(list).find(|(_, window)| holds(window, every, index)).map(|(key, _)| key),
        };
        match windows {
            Windows::Every(wanted) if *wanted == every && before(&last) => Ok(Rollup::Same),
            _ => Ok(Rollup::Listed { first, keys: (first..=last).map(|index| Some(index).filter(before).and_then(key)).collect() }),
        }
    }

    /// Checks that the state can tell what had happened by a moment: one between two of its windows, or after all that it has.
    fn can_be_seen(&self, as_of: i64) -> Result<()> {
        let (every, last) = (self.manifest.every, self.manifest.last_moment());
        let between = every.start(every.index(as_of)) == as_of;
        if between || last.is_some_and(|last| last < as_of) || self.manifest.windows.is_none_or(|(_, last)| every.start(last + 1) <= as_of)
        {
            return Ok(());
        }
        let (moment, period) = (format_timestamp(as_of), every.name(every.index(as_of)));
        let why = match last {
            Some(last) => format!("it has rows until {}", format_timestamp(last)),
            None => "it was made by a version that did not note until when it has rows".to_owned(),
        };
        let what = format!("the state is kept by {every}, and cannot tell what had happened within {period} by {moment}: {why}");
        let help = format!("choose the last day of a {every} for `windows.as_of`, or one after all rows, or keep the state by day");
        Err(Error::usage(what).input(self.path.to_string_lossy()).help(help))
    }

    /// The first and the last of an audit's calendar windows with a row of the state.
    pub(crate) fn keys(&self, spec: &Spec) -> Option<(u32, u32)> {
        let ((first, last), every) = (self.manifest.windows?, self.manifest.every);
        // Windows that begin after the moment that all are seen as of are history.
        let last = spec.as_of.map_or(last, |as_of| last.min(every.index(as_of - 1)));
        match &spec.windows {
            Windows::Every(_) if last < first => None,
            Windows::Every(wanted) => Some((wanted.index(every.start(first)), wanted.index(every.start(last)))),
            Windows::List(_) => None,
        }
    }
}

impl RunEntry {
    pub(crate) fn new(file: String, run_file::Written { bytes, checksum, customers, entries }: run_file::Written) -> Self {
        RunEntry { file, bytes, checksum: format!("{checksum:016x}"), customers, entries, counts: None }
    }
}

/// Checks that a state by calendar windows, which need not be there yet, can answer for an audit's.
///
/// # Errors
/// [`Kind::Usage`], naming the state's folder and the window that is no union of its windows.
pub fn windows_fit(windows: &Windows, every: Granularity, path: &Path) -> Result<()> {
    fit_until(windows, every, path, None)
}

/// The same, where it is known when something last happened.
fn fit_until(windows: &Windows, every: Granularity, path: &Path, last: Option<i64>) -> Result<()> {
    let refuse = |what: String| {
        let help = format!("choose windows that begin and end where a {every} does, or make a state by shorter windows");
        Error::usage(what).input(path.to_string_lossy()).help(help)
    };
    match windows {
        Windows::Every(wanted) if !wanted.is_made_of(every) => {
            Err(refuse(format!("the state is kept by {every}, of which no {wanted} is made")))
        }
        Windows::Every(_) => Ok(()),
        Windows::List(list) => list.iter().try_for_each(|window| fits(window, every, last).map_err(refuse)),
    }
}

/// Whether a state by calendar windows can tell what lies in a window.
fn fits(window: &Window, every: Granularity, last: Option<i64>) -> Result<(), String> {
    for (boundary, what) in [(window.start, "starts"), (window.end, "ends")] {
        if every.start(every.index(boundary)) != boundary && boundary != crate::base::time::MAX_TIMESTAMP {
            return Err(format!("window {window} {what} inside a {every}, and the state is kept by {every}"));
        }
    }
    if window.observation_end < window.end && last.is_none_or(|last| window.observation_end <= last) {
        let until = last.map_or(String::new(), |last| format!(", of which it has some until {}", format_timestamp(last)));
        return Err(format!("window {window} is observed from before its end, and the state cannot leave out single rows{until}"));
    }
    Ok(())
}

/// Whether a calendar window lies in another.
fn holds(window: &Window, every: Granularity, index: u32) -> bool {
    window.start <= every.start(index) && every.start(index + 1) <= window.end
}
