//! The job of `lensflow audit`.

use crate::args::{Talk, policy};
use crate::inputs::{keep_to_limit, lines_fit, with_states};
use crate::outputs::{self, Outputs};
use crate::progress::Progress;
use crate::signals::Job;
use crate::{partials, print};
use lensflow::error::Error;
use lensflow::jobs::{Checkpointed, Checkpoints};
use lensflow::model::OnBadRow;
use lensflow::orders::Lines;
use lensflow::partials::{Lens1Partial, Partials};
use lensflow::pipeline::Order;
use lensflow::report::output::Output;
use lensflow::report::table::TableWriter;
use lensflow::report::text_tables::{Style, render};
use lensflow::report::{Report, rows};
use lensflow::source::Source;
use lensflow::source::files::{Files, Format};
use lensflow::spec::Spec;
use lensflow::state::{Io, State};
use lensflow::stats::{Snapshot, Stats};
use lensflow::synthetic::Synthetic;
use lensflow::{Pipeline, Result};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// An audit, as flags or a spec ask for it.
#[derive(Debug, Clone)]
pub(crate) struct AuditJob {
    pub(crate) input: Input,
    /// Where the files are orders and line items, how they are read and grouped.
    pub(crate) lines: Option<Lines>,
    pub(crate) format: Option<Format>,
    /// What is done about bad rows is what was done by the states, if nothing is said.
    pub(crate) on_bad_row: Option<OnBadRow>,
    pub(crate) spec: Spec,
    pub(crate) out: Outputs,
    /// Where to write the Lens 1 partial, beside the answers.
    pub(crate) partial_out: Option<PathBuf>,
    /// The folder that keeps what was read, and how often it is brought up to date. Only of what can be read again: files and states.
    pub(crate) checkpoint: Option<(PathBuf, Duration)>,
}

/// Where an audit's rows come from.
#[derive(Debug, Clone)]
pub(crate) enum Input {
    /// Files, folders, globs, `-` and states.
    Named(Vec<String>),
    Synthetic(Synthetic),
}

impl AuditJob {
    /// The spec, once it is known what the states did about bad rows; checked.
    pub(crate) fn spec(&self, states: &[State]) -> Result<Spec> {
        let spec = Spec { on_bad_row: policy(self.on_bad_row, states.first()), ..self.spec.clone() };
        if self.out.rejects.is_some() && spec.on_bad_row == OnBadRow::Fail {
            return Err(Error::usage("--rejects has nothing to write while bad rows end the run").help("add --on-bad-row reject"));
        }
        spec.validate()?;
        Ok(spec)
    }
}

/// Does it, and says what was counted.
pub(crate) fn run(args: &AuditJob, talk: &Talk, job: &Job) -> Result<Snapshot> {
    let began = Instant::now();
    let (named, synthetic) = match &args.input {
        Input::Named(named) => (named.clone(), None),
        Input::Synthetic(synthetic) => (Vec::new(), Some(synthetic.generator()?)),
    };
    let (states, inputs) = with_states(named)?;
    let spec = args.spec(&states)?;
    lines_fit(args.lines.as_ref(), &states, &inputs)?;
    keep_to_limit(&spec);
    let (periods, transactions): (&[String], _) = match &args.lines {
        Some(lines) => (&[], Some((lines, lines.find_sales(&inputs, args.format, spec.batch_rows)?.spool_in(spec.spill_dir.clone())))),
        None => (&inputs, None),
    };
    let files = Files::find(periods, args.format, spec.columns.clone(), spec.batch_rows)?.spool_in(spec.spill_dir.clone());
    let found = [files.inputs(), transactions.iter().flat_map(|(_, files)| files.inputs()).collect()].concat();
    outputs::check(&args.out.paths().chain(&args.partial_out).collect::<Vec<_>>(), &found)?;
    if let Some((folder, _)) = &args.checkpoint
        && let Some(output) = outputs::inside(args.out.paths().chain(&args.partial_out), folder)
    {
        let error = Error::usage("an output in the checkpoint's folder: that is gone when the run is done");
        return Err(error.input(output.to_string_lossy()).help("write it to another folder"));
    }
    // Outputs are opened before the work and put in place after it: a folder that cannot be written to is found out at once.
    let order = if args.out.sorted { Order::Sorted } else { Order::Engine };
    let cancel = &job.cancel;
    let table =
        |path: &Option<PathBuf>, schema| path.as_ref().map(|path| TableWriter::create_with(path, None, &schema, cancel)).transpose();
    let rfm_out = table(&args.out.rfm, rows::rfm_schema())?;
    let migration_out = table(&args.out.migration, rows::migration_schema())?;
    let of_lines = args.lines.is_some();
    let rejects_out = table(&args.out.rejects, if of_lines { rows::line_reject_schema() } else { rows::reject_schema() })?;
    let report = |path: &PathBuf| Ok((ReportFormat::of(path)?, Output::create_with(path, cancel)?));
    let reports = args.out.report.iter().map(report).collect::<Result<Vec<_>>>()?;
    let partial_out = args.partial_out.as_deref().map(|path| partials::create(path, job)).transpose()?;

    let lens = partial_out.as_ref().map(|_| Partials);
    let builder = Pipeline::builder().spec(spec).lens(lens).cancel(cancel.clone()).keep_rejects(args.out.rejects.is_some());
    let shows = std::io::stderr().is_terminal() && !talk.quiet;
    let (mut bar, mut stats) = (None::<Progress>, Arc::default());
    let mut watch = |latest: Arc<Stats>| {
        stats = latest.clone();
        match &bar {
            Some(bar) => bar.turn_to(latest),
            None => bar = shows.then(|| Progress::watch(latest)),
        }
    };
    let (pipeline, checkpointed) = match &args.checkpoint {
        None => {
            let mut pipeline = builder.build()?;
            watch(pipeline.stats());
            states.iter().try_for_each(|state| pipeline.run_state(state))?;
            synthetic.map_or(Ok(()), |generator| pipeline.run(generator.source()))?;
            pipeline.run(files)?;
            if let Some((lines, files)) = transactions {
                pipeline.run_transactions(files, lines)?;
            }
            (pipeline, None)
        }
        Some((folder, every)) => {
            let (folder, every, stop) = (folder.clone(), *every, job.stop.clone());
            let checkpoints = Checkpoints { folder, every, stop, cancel: cancel.clone(), io: Io::default() };
            let (pipeline, checkpointed) = job.in_order(|| checkpoints.read(&builder, &states, files, watch))?;
            (pipeline, Some(checkpointed))
        }
    };
    // Rows in the engine's order are written while the answers are computed.
    let (mut on_the_way, rfm_sorted) = if order == Order::Engine { (rfm_out, None) } else { (None, rfm_out) };
    let mut audit = pipeline.finish_into(on_the_way.as_mut())?;

    let mut outputs = Vec::new();
    if let Some(table) = on_the_way {
        outputs.extend(written(table, |_| Ok(()))?);
    }
    if let Some(table) = rfm_sorted {
        outputs.extend(written(table, |table| audit.write_rfm(table, order))?);
    }
    if let Some(table) = migration_out {
        outputs.extend(written(table, |table| audit.write_migrations(table, order))?);
    }
    if let Some(table) = rejects_out {
        let take = |table: &mut TableWriter| match of_lines {
            true => audit.line_reject_rows().try_for_each(|batch| table.write(&batch?)),
            false => audit.reject_rows().try_for_each(|batch| table.write(&batch?)),
        };
        outputs.extend(written(table, take)?);
    }
    for (format, mut output) in reports {
        let text = format.render(&audit.report)?;
        output.write_all(text.as_bytes()).map_err(|e| Error::io("cannot write the report", e))?;
        outputs.push(output);
    }
    if let Some((output, tallies)) = partial_out.zip(audit.custom.1.take()) {
        outputs.push(partials::fill(output, &Lens1Partial::new(&audit.report, tallies))?);
    }
    drop(bar);
    if !args.out.report.is_empty() {
        audit.report.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    }
    outputs.iter_mut().try_for_each(|output| output.complete().or_else(unless_broken_pipe))?;
    job.undisturbed(|| outputs.into_iter().try_for_each(|output| output.commit().or_else(unless_broken_pipe)))?;
    let partial_on_stdout = args.partial_out.as_deref() == Some(Path::new("-"));
    if args.out.report.is_empty() && !args.out.rows_on_stdout() && !partial_on_stdout {
        print(render(&audit.report, Style::Text).as_bytes())?;
    }
    checkpointed.map_or(Ok(()), Checkpointed::remove)?;
    let seconds = began.elapsed().as_secs_f64();
    let counted = stats.snapshot();
    let &Snapshot { rows_read: rows, customers, bytes_spilled, runs, peak_reserved, peak_rss, .. } = &counted;
    tracing::info!(rows, customers, seconds, bytes_spilled, runs, peak_reserved, peak_rss, "done");
    Ok(counted)
}

/// Fills a table and ends it; none when its reader went away, which is no reason to withhold the other outputs.
fn written(mut table: TableWriter, fill: impl FnOnce(&mut TableWriter) -> Result<()>) -> Result<Option<Output>> {
    let output = fill(&mut table).and_then(|()| table.finish()).map(Some);
    output.or_else(|error| unless_broken_pipe(error).map(|()| None))
}

fn unless_broken_pipe(error: Error) -> Result<()> {
    if error.is_broken_pipe() { Ok(()) } else { Err(error) }
}

#[derive(Clone, Copy)]
pub(crate) enum ReportFormat {
    Json,
    Text(Style),
}

impl ReportFormat {
    pub(crate) fn of(path: &Path) -> Result<Self> {
        match path.extension().and_then(|e| e.to_str()) {
            Some("json") => Ok(ReportFormat::Json),
            Some("md") => Ok(ReportFormat::Text(Style::Markdown)),
            Some("txt") => Ok(ReportFormat::Text(Style::Text)),
            _ if path == Path::new("-") => Ok(ReportFormat::Json),
            _ => {
                let error = Error::usage("the extension says no format of a report").input(path.to_string_lossy());
                Err(error.help("end it in .json, .md or .txt"))
            }
        }
    }

    fn render(self, report: &Report) -> Result<String> {
        match self {
            ReportFormat::Json => report.to_json(),
            ReportFormat::Text(style) => Ok(render(report, style)),
        }
    }
}
