//! From options to a job: each value in its place, and defaults where nothing was said. What does not go together was
//! [refused](crate::refuse) before.

mod recognized;
mod scoring;

use crate::commands::Job;
use crate::commands::compare_command::Compare;
use crate::commands::follow_command::Follow;
use crate::commands::generate_command::Generate;
use crate::commands::inspect_command::Inspect;
use crate::commands::manage_command::Manage;
use crate::commands::merge_command::Merge;
use crate::commands::peek_command::Peek;
use crate::commands::periods_command::Periods;
use crate::commands::segments_command::SegmentsJob;
use crate::commands::sketch_command::Sketch;
use crate::commands::update_command::{Again, Update};
use crate::layers::{Entry, Origin, Said};
use crate::make::scoring::Scoring;
use crate::options::row_options::of_lines;
use crate::options::row_options::{lines, reading};
use crate::options::{self, Kind, Options, Then};
use crate::refuse::{STDIN, refuse};
use lensflow::Result;
use lensflow::error::Error;
use lensflow::jobs::follow::{Feed, Finished};
use lensflow::jobs::peek::PeekJob;
use lensflow::jobs::{AuditJob, Outputs};
use lensflow::lens::sketch::DEFAULT_LG_K;
use lensflow::model::{Column, ColumnMap, Granularity, Told, Windows};
use lensflow::orders::Lines;
use lensflow::pipeline::Order;
use lensflow::spec::Spec;
use lensflow::state::{State, is_state};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often an audit is kept when nothing is said.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(120);
/// How often a folder is looked at, how long rows that are followed wait, and how many of them.
const POLL: Duration = Duration::from_secs(2);
const COMMIT: Duration = Duration::from_secs(10);
const COMMIT_ROWS: u64 = 1_000_000;

/// All that can be asked for.
#[derive(Debug)]
pub(crate) enum Made {
    Audit(AuditJob),
    Peek(Peek),
    Periods(Periods),
    Update(Update),
    Merge(Merge),
    Follow(Follow),
    Sketch(Sketch),
    Compare(Compare),
    Generate(Generate),
    Inspect(Inspect),
    Manage(Manage),
    Segments(SegmentsJob),
}

impl Made {
    pub(crate) fn job(&self) -> &dyn Job {
        match self {
            Made::Audit(job) => job,
            Made::Peek(job) => job,
            Made::Periods(job) => job,
            Made::Update(job) => job,
            Made::Merge(job) => job,
            Made::Follow(job) => job,
            Made::Sketch(job) => job,
            Made::Compare(job) => job,
            Made::Generate(job) => job,
            Made::Inspect(job) => job,
            Made::Manage(job) => job,
            Made::Segments(job) => job,
        }
    }
}

/// The job that was asked for. Variables that would do nothing in it are left out of what was said.
///
/// # Errors
/// Values that are none, and what does not go together.
pub(crate) fn job(said: &mut Said) -> Result<Made> {
    let mut options = refuse(said)?;
    let mut by_columns = by_state(said, &options)?;
    if by_columns.entries().count() > said.entries().count() {
        options = refuse(&mut by_columns)?;
    }
    let told = recognized::told(&by_columns, &options)?;
    let (mut by, mut look) = (None, PeekJob::default());
    if let Some(told) = told {
        by_columns = told.said;
        options = refuse(&mut by_columns)?;
        said.keep_those_of(&by_columns);
        by = told.recognized.told.clone();
        (look.recognition, look.recognized) = (told.recognition, told.recognized);
    }
    let said = &by_columns;
    let is_guessed = said.kind == Kind::Peek && look.recognized.seen.is_some();
    let lines = (is_guessed || of_lines(said.kind, &options)).then(|| {
        let mut lines = lines(&options, by.clone());
        lines.options.reading.dates_told = dates_are_told(said);
        lines
    });
    let scoring = scoring::scoring(said, &options)?;
    let make = Make { lines, said, options, told: by, scoring };
    match said.kind {
        Kind::Peek => Ok(Made::Peek(make.peek(look))),
        Kind::Audit | Kind::Spec => Ok(Made::Audit(make.audit())),
        Kind::Periods => make.periods(),
        Kind::Update => make.update(),
        Kind::Merge => make.merge(),
        Kind::Follow => make.follow(),
        Kind::Sketch => make.sketch(),
        Kind::Compare => make.compare(),
        Kind::Generate => make.generate(),
        Kind::Inspect => {
            let said = make.options.inspect;
            Ok(Made::Inspect(Inspect { path: there(said.path)?, json: said.json }))
        }
        Kind::Segments => make.segments(),
        Kind::Manage => {
            let said = make.options.manage;
            let (action, state, names) = (there(said.action)?, there(said.state)?, said.names.unwrap_or_default());
            let csv_safe = make.options.report.csv_safe;
            Ok(Made::Manage(Manage { action, state, names, before: said.before, out: said.out, csv_safe, json: said.json }))
        }
    }
}

/// Whether an input's columns told how dates are written, and not a person, now or with the first inputs of a state.
fn dates_are_told(said: &Said) -> bool {
    let told = said.get("source.date_format").map(|entry| &entry.origin);
    matches!(told, Some(Origin::Told(by)) if !by.starts_with("the state "))
}

/// What was said, with what the state that takes inputs in remembers of earlier ones below it.
fn by_state(said: &Said, options: &Options) -> Result<Said> {
    match &options.state.path {
        Some(path) if matches!(said.kind, Kind::Update | Kind::Follow) && is_state(path) => {
            let state = State::open(path)?;
            let settings: Vec<_> = state.manifest().settings.iter().map(|(key, values)| (key.clone(), values.clone())).collect();
            said.told(&settings, &format!("the state {}", path.display()))
        }
        _ => Ok(said.clone()),
    }
}

/// What becomes of inputs that the state knows by name.
fn again(state: &crate::options::State) -> Again {
    let order_ids = state.order_ids.map(|ids| ids == options::Ids::Keep);
    Again { replace: state.replace, allow_changed: state.allow_changed, undo: state.undo.map(|time| time.0), order_ids }
}

/// An option that was found to be said.
fn there<T>(option: Option<T>) -> Result<T> {
    option.ok_or_else(|| Error::internal("an option that is needed was not said"))
}

/// A calendar period of the fiscal year; [`refuse`] has seen that it is one.
fn of_year(windows: &options::Windows, every: Granularity) -> Granularity {
    windows.year_starts.and_then(|start| every.of_year_from(start).ok()).unwrap_or(every)
}

/// The input's names of columns, where they are said.
fn column_names(options: &Options) -> BTreeMap<String, String> {
    options.columns.clone()
}

struct Make<'a> {
    said: &'a Said,
    options: Options,
    lines: Option<Lines>,
    /// What the columns told, for the notes.
    told: Option<Told>,
    scoring: Scoring,
}

impl Make<'_> {
    fn spec(&self) -> Spec {
        let Options { source, windows, limits, report, rfm, columns, .. } = &self.options;
        let default = Spec::default();
        let name = |column: Column| Some((column, columns.get(column.name())?.clone()));
        // Those of lines are with the lines.
        let columns = Column::ALL.into_iter().filter(|_| self.lines.is_none()).filter_map(name).collect();
        Spec::default()
            .with_windows(match &windows.list {
                Some(list) => Windows::List(list.clone()),
                None => Windows::Every(of_year(windows, windows.every.unwrap_or(Granularity::Year))),
            })
            .with_as_of(windows.as_of)
            .with_columns(ColumnMap(columns))
            .with_reading(reading(&self.options).with_told(self.told.clone()))
            .with_percentiles(report.percentiles.clone().unwrap_or(default.percentiles))
            .with_bins(rfm.bins.unwrap_or(default.bins))
            .with_cut_points(self.scoring.cut_points.clone())
            .with_segments(self.scoring.segments.clone())
            .with_cohorts(report.cohorts || report.cohorts_out.is_some())
            .with_fail_fast(source.fail_fast)
            .with_max_rejects(source.max_rejects.unwrap_or_default())
            .with_workers(limits.workers)
            .with_memory_limit(limits.memory_limit.map(|size| size.0))
            .with_spill_dir(limits.spill_dir.clone())
            .with_batch_rows(limits.batch_rows.unwrap_or(default.batch_rows))
    }

    fn outputs(&self) -> Outputs {
        let Options { report, rfm, .. } = self.options.clone();
        let mut outputs = Outputs::default();
        outputs.beside = rfm.cuts.iter().flatten().chain(&rfm.segments).map(PathBuf::from).filter(|path| path.exists()).collect();
        outputs.reports = report.out.unwrap_or_default();
        outputs.rfm = rfm.out;
        outputs.cuts = rfm.cuts_out.map(|path| (path, rfm.cuts_window));
        outputs.rfm_columns = rfm.columns.unwrap_or_default();
        outputs.migrations = report.migration_out;
        outputs.cohorts = report.cohorts_out;
        outputs.rejects = report.rejects;
        outputs.partial = report.partial_out;
        outputs.json_numbers = report.json_numbers;
        outputs.template = report.template;
        outputs.page.currency = report.currency;
        outputs.page.locale = report.locale.unwrap_or_default();
        outputs.csv_safe = report.csv_safe;
        outputs.order = if rfm.sorted { Order::Sorted } else { Order::Engine };
        outputs
    }

    fn segments(self) -> Result<Made> {
        let said = self.options.segments.clone();
        let (action, of) = (there(said.action)?, there(said.of)?);
        let mut audit = AuditJob::new([of]).spec(self.spec()).outputs(self.outputs());
        audit.format = self.options.source.format;
        Ok(Made::Segments(SegmentsJob { action, audit }))
    }

    fn audit(&self) -> AuditJob {
        let Options { source, state, .. } = self.options.clone();
        let mut audit = AuditJob::new(source.inputs.unwrap_or_default()).spec(self.spec()).outputs(self.outputs());
        audit.synthetic = source.synthetic.map(|made| made.synthetic());
        audit.lines = self.lines.clone();
        audit.format = source.format;
        audit.on_bad_row = source.on_bad_row;
        let every = state.checkpoint_every.map_or(CHECKPOINT_EVERY, |time| time.0);
        audit.checkpoint = state.checkpoint.map(|folder| (folder, every));
        audit
    }

    /// The audit of a state that was just changed, if anything is said of one. What the state took in came with columns of its own.
    fn audit_after(&self, state: &Path) -> Option<Box<AuditJob>> {
        let asks = |entry: &&Entry| {
            ["windows", "report", "rfm"].contains(&entry.row.section())
                && !["windows.year_starts", "report.csv_safe"].contains(&entry.row.key)
        };
        self.said.entries().find(asks)?;
        let spec = self.spec().with_columns(ColumnMap::default());
        let mut audit = AuditJob::new([state.to_string_lossy()]).spec(spec).outputs(self.outputs());
        audit.on_bad_row = self.options.source.on_bad_row;
        Some(Box::new(audit))
    }

    fn peek(self, look: PeekJob) -> Peek {
        let job = PeekJob { spec: self.spec(), lines: self.lines, all: self.options.peek.all, ..look };
        Peek { job, said: self.said.clone(), json: self.options.peek.json, spec_file: None }
    }

    fn periods(self) -> Result<Made> {
        let spec = self.spec().with_on_bad_row(self.options.source.on_bad_row.unwrap_or_default());
        let Options { source, periods, windows, report, .. } = self.options;
        let (every, out) = (of_year(&windows, there(periods.every)?), there(periods.out)?);
        let (inputs, format, lines) = (there(source.inputs)?, source.format, self.lines.unwrap_or_default());
        Ok(Made::Periods(Periods { inputs, format, every, lines, spec, out, csv_safe: report.csv_safe }))
    }

    fn update(self) -> Result<Made> {
        let path = there(self.options.state.path.clone())?;
        let (spec, audit) = (self.spec(), self.audit_after(&path));
        let Options { source, state, windows, .. } = self.options;
        Ok(Made::Update(Update {
            state: path,
            inputs: there(source.inputs)?,
            every: state.every.map(|every| of_year(&windows, every)),
            format: source.format,
            on_bad_row: source.on_bad_row,
            spec,
            lines: self.lines,
            allow_duplicate: state.allow_duplicate,
            again: again(&state),
            settings: self.said.settings(),
            rejects: state.rejects,
            csv_safe: self.options.report.csv_safe,
            audit,
        }))
    }

    fn merge(self) -> Result<Made> {
        let out = there(self.options.state.path.clone())?;
        let audit = self.audit_after(&out);
        let state = self.options.state;
        let (inputs, allow_duplicate, disjoint) = (there(state.merge)?, state.allow_duplicate, state.disjoint);
        Ok(Made::Merge(Merge { out, inputs, allow_duplicate, disjoint, audit }))
    }

    fn follow(self) -> Result<Made> {
        let (spec, outputs) = (self.spec(), self.outputs());
        let Options { source, state, report, serve, windows, .. } = self.options;
        let again = again(&state);
        let (path, follow) = (there(state.path)?, there(source.follow)?);
        // Beside the state, not in it: it holds its own files alone.
        let beside = |what: &str| PathBuf::from(format!("{}.{what}", path.to_string_lossy().trim_end_matches('/')));
        let (feed, aside) = if follow == STDIN {
            (Feed::Stdin { spool: beside("spool") }, beside("quarantine"))
        } else {
            let folder = PathBuf::from(follow);
            let aside = folder.join("_quarantine");
            let finished = match source.finished.unwrap_or_default() {
                Then::Move => Finished::Move(source.done.unwrap_or_else(|| folder.join("_done"))),
                Then::Delete => Finished::Delete,
                Then::Keep => Finished::Keep,
            };
            let poll = source.poll.map_or(POLL, |time| time.0);
            (Feed::Inbox { folder, glob: source.glob.map(|glob| glob.0), poll, finished }, aside)
        };
        Ok(Made::Follow(Follow {
            feed,
            quarantine: source.quarantine.unwrap_or(aside),
            state: path,
            every: state.every.map(|every| of_year(&windows, every)),
            commit: state.commit.map_or(COMMIT, |time| time.0),
            commit_rows: state.commit_rows.unwrap_or(COMMIT_ROWS),
            format: source.format,
            on_bad_row: source.on_bad_row,
            again,
            settings: self.said.settings(),
            spec,
            lines: self.lines,
            outputs,
            refresh: report.refresh.map_or(Duration::ZERO, |time| time.0),
            metrics: serve.metrics.map(|address| address.0),
        }))
    }

    fn sketch(self) -> Result<Made> {
        let spec = self.spec();
        let Options { source, sketch, .. } = self.options;
        Ok(Made::Sketch(Sketch {
            inputs: there(source.inputs)?,
            format: source.format,
            on_bad_row: source.on_bad_row,
            lines: self.lines,
            spec: spec.with_windows(Windows::List(vec![there(sketch.window)?])),
            lg_k: sketch.lg_k.unwrap_or(DEFAULT_LG_K),
            out: there(sketch.out)?,
        }))
    }

    fn compare(self) -> Result<Made> {
        let spec = self.spec();
        let Options { compare, report, .. } = self.options;
        let (a, b) = (there(compare.a)?, there(compare.b)?);
        Ok(Made::Compare(Compare { a, b, json: compare.json, json_numbers: report.json_numbers, disjoint: compare.disjoint, spec }))
    }

    fn generate(self) -> Result<Made> {
        let Options { source, generate, limits, .. } = self.options;
        let (synthetic, rows) = (there(source.synthetic)?.synthetic(), generate.rows);
        let (out, format, workers) = (there(generate.out)?, generate.format, limits.workers);
        Ok(Made::Generate(Generate { synthetic, rows, out, format, workers }))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod make_tests;
