//! An audit of inputs into outputs: files, states, or made-up rows → answers, a row per customer, moves between windows, rejects, and a
//! Lens 1 partial.
//!
//! Outputs are opened before the work and put in their places after it, all or none: a folder that cannot be written to is found out at
//! once, and a failed audit leaves what was there before. With a checkpoint, what was read is kept from time to time, and a job that is
//! started again goes on from there. Limit: no checkpoint of orders and line items.

use super::answer_format::{AnswerFormat, Written, open_report};
pub use super::audit_outputs::Outputs;
use super::audit_outputs::may_be_partial;
use super::{Host, STDOUT, files, inside, lines_fit, may_be_folder, no_input_is_written, with_states};
use crate::base::cancel::{Cancel, Stop};
use crate::base::error::{Error, Result};
use crate::jobs::checkpoint::{Checkpointed, Checkpoints};
use crate::jobs::given_cuts::{cuts_of, no_such_window, write_cuts};
use crate::model::reject::OnBadRow;
use crate::model::window::Windows;
use crate::orders::Lines;
use crate::partials::{Lens1Partial, Partials};
use crate::pipeline::{Order, Pipeline};
use crate::report::output::Output;
use crate::report::table::TableWriter;
use crate::report::{Report, cohort_schema, rows};
use crate::source::files::Format;
use crate::spec::Spec;
use crate::state::{Io, State};
use crate::stats::{Snapshot, Stats};
use crate::synthetic::Synthetic;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// An audit: its inputs, its options, and where the answers go.
///
/// ```
/// use lensflow::model::{Granularity, Windows};
/// use lensflow::jobs::{AuditJob, Outputs};
/// use lensflow::Spec;
///
/// let spec = Spec::default().with_windows(Windows::Every(Granularity::Quarter));
/// let audited = AuditJob::new(["examples/data/cdnow_periods.csv"]).spec(spec).run(&mut ())?;
/// assert_eq!(audited.report.windows.len(), 6);
/// assert_eq!(audited.counted.customers, 23_570);
/// # Ok::<(), lensflow::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct AuditJob {
    /// Files, folders, globs, `-` for stdin, and saved states.
    pub inputs: Vec<String>,
    /// Made-up rows, after those of the inputs.
    pub synthetic: Option<Synthetic>,
    /// Where the files are orders and line items, how they are read and grouped.
    pub lines: Option<Lines>,
    /// The format of the files, where names and first bytes do not tell.
    pub format: Option<Format>,
    /// The policy for bad rows; `None` is that of the states, or else that of the spec.
    pub on_bad_row: Option<OnBadRow>,
    /// Windows, columns, limits.
    pub spec: Spec,
    /// The files to write.
    pub outputs: Outputs,
    /// The folder that keeps what was read, and how often it is brought up to date.
    pub checkpoint: Option<(PathBuf, Duration)>,
    /// Ends the job at once.
    pub cancel: Cancel,
    /// Ends reading in order, with a last checkpoint.
    pub stop: Stop,
    /// The disk.
    #[doc(hidden)]
    pub io: Io,
}

/// The outcome of an audit.
#[derive(Debug)]
#[non_exhaustive]
pub struct Audited {
    /// The answers.
    pub report: Report,
    /// The counters at its end.
    pub counted: Snapshot,
    /// The files that were written, without stdout.
    pub files: Vec<WrittenFile>,
    checkpointed: Option<Checkpointed>,
}

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WrittenFile {
    /// Its path, as it was named.
    pub path: PathBuf,
    /// The rows of a table; a report has none.
    pub rows: Option<u64>,
}

impl Audited {
    /// Removes the checkpoint, if there was one: to be called once the answers are where they should be.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn done(self) -> Result<()> {
        self.checkpointed.map_or(Ok(()), Checkpointed::remove)
    }
}

/// The inputs of an audit, found.
#[derive(Debug)]
pub struct Found {
    /// Saved states.
    pub states: Vec<State>,
    /// Files.
    pub files: Vec<String>,
}

impl AuditJob {
    /// An audit of files, folders, globs, `-` and saved states.
    pub fn new(inputs: impl IntoIterator<Item = impl Into<String>>) -> Self {
        AuditJob { inputs: inputs.into_iter().map(Into::into).collect(), ..AuditJob::default() }
    }

    /// Sets windows, columns and limits.
    #[must_use]
    pub fn spec(mut self, spec: Spec) -> Self {
        self.spec = spec;
        self
    }

    /// Sets the files to write.
    #[must_use]
    pub fn outputs(mut self, outputs: Outputs) -> Self {
        self.outputs = outputs;
        self
    }

    /// Has the files read as orders and line items.
    #[must_use]
    pub fn lines(mut self, lines: Lines) -> Self {
        self.lines = Some(lines);
        self
    }

    /// Sets what ends the job at once.
    #[must_use]
    pub fn cancel(mut self, cancel: Cancel) -> Self {
        self.cancel = cancel;
        self
    }

    /// The windows; rolling ones end as of the moment that is said or, of states alone, with their last day.
    fn ending(&self, spec: &Spec, states: &[State]) -> Result<Windows> {
        let are_alone = states.len() == self.inputs.len() && self.synthetic.is_none();
        let end = spec.as_of.or_else(|| states.iter().filter(|_| are_alone).filter_map(State::end).max());
        end.map_or_else(|| Ok(spec.windows.clone()), |end| spec.windows.clone().ending(end))
    }

    /// The spec, checked, once it is known what the states did about bad rows; and that the rows tell the columns that are asked for.
    pub(super) fn spec_of(&self, states: &[State]) -> Result<Spec> {
        let spec = Spec { on_bad_row: bad_rows(self.on_bad_row, states.first(), self.spec.on_bad_row), ..self.spec.clone() };
        if self.outputs.rejects.is_some() && spec.on_bad_row == OnBadRow::Fail {
            return Err(Error::usage("there are no rejects to write while bad rows end the run").help("add `on_bad_row=reject`"));
        }
        if self.outputs.cohorts.is_some() && !spec.cohorts {
            return Err(Error::usage("there are no cohorts to write where they are not asked for").help("add `report.cohorts`"));
        }
        spec.validate()?;
        let spec = Spec { windows: self.ending(&spec, states)?, ..spec };
        let columns = &self.outputs.rfm_columns;
        if !states.is_empty() || self.synthetic.is_some() {
            columns.check(None)?;
        }
        columns.check(self.lines.as_ref())?;
        columns.check_options(&spec)?;
        if let (Some((_, Some(name))), Windows::List(list)) = (&self.outputs.cuts, &spec.windows)
            && !list.iter().any(|window| window.name == *name)
        {
            return Err(no_such_window(name, list.iter().map(|window| window.name.as_str())));
        }
        Ok(spec)
    }

    /// Checks everything that can be known before rows are read, and finds the inputs. Nothing is written.
    ///
    /// # Errors
    /// The first fault.
    pub fn check(&self) -> Result<Found> {
        self.check_outputs()?;
        let (states, named) = with_states(&self.inputs)?;
        let files = files(&named, self.format, self.lines.as_ref(), &self.spec, true)?;
        let spec = self.spec_of(&states)?;
        lines_fit(self.lines.as_ref(), &states, &files)?;
        states.iter().try_for_each(|state| state.fits(&spec))?;
        no_input_is_written(self.outputs.paths(), &files)?;
        Ok(Found { states, files })
    }

    /// Checks what does not depend on the inputs: outputs and the checkpoint's folder.
    ///
    /// # Errors
    /// The first fault.
    pub fn check_outputs(&self) -> Result<()> {
        self.outputs.check()?;
        let folder = self.checkpoint.as_ref().map(|(folder, _)| folder);
        folder.map_or(Ok(()), |folder| may_be_folder(folder).and_then(|()| Checkpoints::check(folder)))
    }

    /// Does it.
    ///
    /// # Errors
    /// Options that make no sense, inputs that cannot be read, bad rows, outputs that cannot be written.
    pub fn run(&self, host: &mut dyn Host) -> Result<Audited> {
        let ready = self.ready()?;
        let (spec, states) = (ready.spec.clone(), &ready.states);
        if let Some((folder, _)) = &self.checkpoint
            && let Some(output) = inside(self.outputs.paths(), folder)
        {
            let error = Error::usage("an output in the checkpoint's folder: that is gone when the run is done");
            return Err(error.input(output.to_string_lossy()).help("write it to another folder"));
        }
        let of_lines = self.lines.is_some() || states.iter().any(|state| state.manifest().transactions.is_some());
        let outputs = Open::of(&self.outputs, &spec, of_lines, &self.cancel, &self.io)?;

        let lens = self.outputs.partial.as_ref().map(|_| Partials);
        let builder = Pipeline::builder()
            .spec(spec)
            .rfm_columns(self.outputs.rfm_columns.clone())
            .lens(lens)
            .cancel(self.cancel.clone())
            .disk(&self.io);
        let builder = builder.keep_rejects(self.outputs.rejects.is_some());
        let mut stats: Arc<Stats> = Arc::default();
        let mut watch = |latest: Arc<Stats>, host: &mut dyn Host| {
            stats = latest.clone();
            host.watch(latest);
        };
        let (pipeline, checkpointed) = match &self.checkpoint {
            None => {
                let mut pipeline = builder.build()?;
                watch(pipeline.stats(), host);
                ready.feed(&mut pipeline)?;
                (pipeline, None)
            }
            Some((folder, every)) => {
                let (folder, every, stop) = (folder.clone(), *every, self.stop.clone());
                let checkpoints = Checkpoints { folder, every, stop, cancel: self.cancel.clone(), io: self.io.clone() };
                host.heeds_stop(true);
                let (pipeline, checkpointed) = checkpoints.read(&builder, &ready.states, ready.periods, |latest| watch(latest, host))?;
                host.heeds_stop(false);
                (pipeline, Some(checkpointed))
            }
        };
        let (report, tables) = outputs.fill(pipeline, self.outputs.order, host)?;
        let files = self.outputs.paths().filter(|path| *path != Path::new(STDOUT));
        let rows = |path: &Path| tables.iter().find(|(name, _)| Path::new(name) == path).map(|(_, rows)| *rows);
        let files = files.map(|path| WrittenFile { path: path.clone(), rows: rows(path) }).collect();
        Ok(Audited { report, counted: stats.snapshot(), files, checkpointed })
    }
}

/// Outputs that were opened, and are not in their places yet.
struct Open {
    rfm: Option<TableWriter>,
    migrations: Option<TableWriter>,
    cohorts: Option<TableWriter>,
    rejects: Option<TableWriter>,
    reports: Vec<(AnswerFormat, Output)>,
    written: Written,
    partial: Option<Output>,
    cuts: Option<(Output, Option<String>)>,
    bins: u32,
    of_lines: bool,
}

impl Open {
    fn of(wanted: &Outputs, spec: &Spec, of_lines: bool, cancel: &Cancel, io: &Io) -> Result<Open> {
        let table = |path: &Option<PathBuf>, schema| {
            let make = |path: &PathBuf| Ok(TableWriter::create_on(path, None, &schema, cancel, io)?.csv_safe(wanted.csv_safe));
            path.as_ref().map(make).transpose()
        };
        Ok(Open {
            rfm: table(&wanted.rfm, wanted.rfm_columns.schema(spec))?,
            migrations: table(&wanted.migrations, rows::migration_schema_with(spec.segments.is_some()))?,
            cohorts: table(&wanted.cohorts, cohort_schema())?,
            rejects: table(&wanted.rejects, if of_lines { rows::line_reject_schema() } else { rows::reject_schema() })?,
            reports: wanted.reports.iter().map(|path| open_report(path, cancel, io)).collect::<Result<_>>()?,
            partial: wanted.partial.as_deref().map(|path| create_partial_on(path, cancel, io)).transpose()?,
            cuts: wanted.cuts.as_ref().map(|(path, window)| Ok((Output::create_on(path, cancel, io)?, window.clone()))).transpose()?,
            bins: spec.bins,
            written: Written::of(wanted)?,
            of_lines,
        })
    }

    /// Fills them, and puts them in their places. A reader that goes away costs only what it read.
    fn fill(self, pipeline: Pipeline<((), Option<Partials>)>, order: Order, host: &mut dyn Host) -> Result<(Report, Vec<(String, u64)>)> {
        // Rows in the engine's order are written while the answers are computed.
        let (mut meanwhile, sorted) = if order == Order::Engine { (self.rfm, None) } else { (None, self.rfm) };
        let mut audit = pipeline.finish_into(meanwhile.as_mut())?;
        let (mut outputs, mut rows) = (Vec::new(), Vec::new());
        let mut written = |table, fill: &dyn Fn(&mut TableWriter) -> Result<()>| written(table, &mut rows, fill);
        if let Some(table) = meanwhile {
            outputs.extend(written(table, &|_| Ok(()))?);
        }
        if let Some(table) = sorted {
            outputs.extend(written(table, &|table| audit.write_rfm(table, order))?);
        }
        if let Some(table) = self.migrations {
            outputs.extend(written(table, &|table| audit.write_migrations(table, order))?);
        }
        if let Some(table) = self.cohorts {
            outputs.extend(written(table, &|table| audit.cohort_rows()?.map_or(Ok(()), |rows| table.write(&rows)))?);
        }
        if let Some(table) = self.rejects {
            let take = |table: &mut TableWriter| match self.of_lines {
                true => audit.line_reject_rows().try_for_each(|batch| table.write(&batch?)),
                false => audit.reject_rows().try_for_each(|batch| table.write(&batch?)),
            };
            outputs.extend(written(table, &take)?);
        }
        for mut file in self.reports {
            self.written.fill(&mut file, &audit.report)?;
            outputs.push(file.1);
        }
        if let Some((mut output, window)) = self.cuts {
            write_cuts(&mut output, &cuts_of(&audit, window.as_deref(), self.bins)?)?;
            outputs.push(output);
        }
        if let Some((output, tallies)) = self.partial.zip(audit.custom.1.take()) {
            let partial = Lens1Partial::new(&audit.report, tallies).with_cohorts(audit.cohort_sums().cloned());
            outputs.push(write_partial(output, &partial)?);
        }
        let report = audit.report.clone();
        std::thread::scope(|scope| {
            // What customers took up is given back while the outputs are brought to the disk.
            let _ = std::thread::Builder::new().spawn_scoped(scope, move || drop(audit));
            outputs.iter_mut().try_for_each(|output| output.complete().or_else(unless_broken_pipe))?;
            host.undisturbed(&mut || outputs.drain(..).try_for_each(|output| output.commit().or_else(unless_broken_pipe)))
        })?;
        Ok((report, rows))
    }
}

/// Fills a table and ends it; none when its reader went away, which is no reason to withhold the other outputs. Adds its name and rows.
fn written(mut table: TableWriter, rows: &mut Vec<(String, u64)>, fill: &dyn Fn(&mut TableWriter) -> Result<()>) -> Result<Option<Output>> {
    let filled = fill(&mut table);
    rows.push((table.name().to_owned(), table.rows()));
    let output = filled.and_then(|()| table.finish()).map(Some);
    output.or_else(|error| unless_broken_pipe(error).map(|()| None))
}

fn unless_broken_pipe(error: Error) -> Result<()> {
    if error.is_broken_pipe() { Ok(()) } else { Err(error) }
}

/// The policy for bad rows: the one that was said, that of a state, or else another.
pub fn bad_rows(said: Option<OnBadRow>, state: Option<&State>, or: OnBadRow) -> OnBadRow {
    said.or(state.map(|state| state.manifest().on_bad_row)).unwrap_or(or)
}

/// The output for a partial.
///
/// # Errors
/// A name that promises compression, or a folder that cannot be written to.
pub fn create_partial(path: &Path, cancel: &Cancel) -> Result<Output> {
    create_partial_on(path, cancel, &Io::default())
}

fn create_partial_on(path: &Path, cancel: &Cancel, io: &Io) -> Result<Output> {
    may_be_partial(path)?;
    Output::create_on(path, cancel, io)
}

/// Writes a partial to its output.
///
/// # Errors
/// When it cannot be written.
pub fn write_partial(mut output: Output, partial: &Lens1Partial) -> Result<Output> {
    output.write_all(&partial.to_bytes()?).map_err(|e| Error::io("cannot write the partial", e))?;
    Ok(output)
}
