//! The command line `lensflow`: a thin layer over the library. Arguments in [`args`], the bar in [`progress`], Ctrl-C in [`signals`], the
//! two jobs here.

#[cfg(target_os = "linux")]
mod allocator;
mod args;
mod progress;
mod signals;

use anyhow::Context;
use args::{Audit, Cli, Command, Generate, LogFormat, Talk};
use arrow::array::RecordBatch;
use clap::{CommandFactory, Parser};
use lensflow::audit::Order;
use lensflow::error::{Error, Kind};
use lensflow::report::output::Output;
use lensflow::report::table::{RowStream, TableWriter};
use lensflow::report::text::{Style, render};
use lensflow::report::{Report, rows};
use lensflow::source::Source;
use lensflow::source::files::Files;
use lensflow::source::synthetic::{self, Generator};
use lensflow::spec::validate_workers;
use lensflow::stats::Snapshot;
use lensflow::{Pipeline, Result};
use progress::Progress;
use signals::Job;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Err(error) = log(&cli.talk) {
        say(&format!("lensflow: {error:#}"));
        return ExitCode::FAILURE;
    }
    let log_format = cli.talk.log_format;
    let interrupted = move |error: &Error| complain(error, log_format);
    let done = match &cli.command {
        Command::Audit(audit) => Job::watched(interrupted, |job| run_audit(audit, &cli.talk, job)),
        Command::Generate(generate) => Job::watched(interrupted, |job| run_generate(generate, job)),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "lensflow", &mut script);
            print(&script)
        }
        Command::Man => man(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error, log_format);
            ExitCode::from(if error.kind() == Kind::Usage { 2 } else { 1 })
        }
    }
}

fn complain(error: &Error, format: LogFormat) {
    match format {
        LogFormat::Json => tracing::error!(help = error.advice(), "{error}"),
        LogFormat::Text => {
            say(&format!("lensflow: {error}"));
            if let Some(help) = error.advice() {
                say(&format!("  help: {help}"));
            }
        }
    }
}

/// Says something on stderr, if anybody listens.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Sends messages to stderr, and keeps panics off it: they come back as errors.
fn log(talk: &Talk) -> anyhow::Result<()> {
    let level = match (talk.quiet, talk.verbose) {
        (true, _) => tracing::Level::ERROR,
        (_, 0) => tracing::Level::WARN,
        (_, 1) => tracing::Level::INFO,
        _ => tracing::Level::DEBUG,
    };
    let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let lines = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_ansi(color).with_target(false);
    let installed = match talk.log_format {
        LogFormat::Text => tracing::subscriber::set_global_default(lines.without_time().finish()),
        LogFormat::Json => tracing::subscriber::set_global_default(lines.json().finish()),
    };
    installed.context("messages cannot be set up")?;
    std::panic::set_hook(Box::new(|panic| tracing::debug!("{panic}")));
    Ok(())
}

fn run_audit(args: &Audit, talk: &Talk, job: &Job) -> Result<()> {
    let began = Instant::now();
    let spec = args.spec()?;
    #[cfg(target_os = "linux")]
    spec.memory_limit.into_iter().for_each(allocator::keep_to);
    let inputs = if args.input.is_empty() && !std::io::stdin().is_terminal() { vec!["-".to_owned()] } else { args.input.clone() };
    if inputs.is_empty() {
        return Err(Error::usage("no input is given").help("name files, folders or globs, or pipe rows into lensflow audit -"));
    }
    let files = Files::find(&inputs, args.format()?, spec.columns.clone(), spec.batch_rows)?;
    args.check_outputs(&files.inputs())?;
    // Outputs are opened before the work and put in place after it: a folder that cannot be written to is found out at once.
    let order = if args.sorted { Order::Sorted } else { Order::Engine };
    let cancel = &job.cancel;
    let table =
        |path: &Option<PathBuf>, schema| path.as_ref().map(|path| TableWriter::create_with(path, None, &schema, cancel)).transpose();
    let rfm_out = table(&args.rfm_out, rows::rfm_schema())?;
    let migration_out = table(&args.migration_out, rows::migration_schema())?;
    let rejects_out = table(&args.rejects, rows::reject_schema())?;
    let report = |path: &PathBuf| Ok((ReportFormat::of(path)?, Output::create_with(path, cancel)?));
    let reports = args.report.iter().map(report).collect::<Result<Vec<_>>>()?;

    let mut pipeline = Pipeline::builder().spec(spec).cancel(cancel.clone()).keep_rejects(args.rejects.is_some()).build()?;
    let stats = pipeline.stats();
    let bar = (std::io::stderr().is_terminal() && !talk.quiet).then(|| Progress::watch(stats.clone()));
    pipeline.run(files)?;
    // Rows in the engine's order are written while the answers are computed.
    let (mut on_the_way, rfm_sorted) = if order == Order::Engine { (rfm_out, None) } else { (None, rfm_out) };
    let audit = pipeline.finish_into(on_the_way.as_mut())?;

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
        outputs.extend(written(table, |table| audit.reject_rows().try_for_each(|batch| table.write(&batch?)))?);
    }
    for (format, mut output) in reports {
        let text = format.render(&audit.report)?;
        output.write_all(text.as_bytes()).map_err(|e| Error::io("cannot write the report", e))?;
        outputs.push(output);
    }
    drop(bar);
    if !args.report.is_empty() {
        audit.report.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    }
    outputs.iter_mut().try_for_each(|output| output.complete().or_else(unless_broken_pipe))?;
    job.undisturbed(|| outputs.into_iter().try_for_each(|output| output.commit().or_else(unless_broken_pipe)))?;
    if args.report.is_empty() && !writes_to_stdout(args) {
        print(render(&audit.report, Style::Text).as_bytes())?;
    }
    let seconds = began.elapsed().as_secs_f64();
    let Snapshot { rows_read: rows, customers, bytes_spilled, runs, peak_reserved, peak_rss, .. } = stats.snapshot();
    tracing::info!(rows, customers, seconds, bytes_spilled, runs, peak_reserved, peak_rss, "done");
    Ok(())
}

/// Fills a table and ends it; none when its reader went away, which is no reason to withhold the other outputs.
fn written(mut table: TableWriter, fill: impl FnOnce(&mut TableWriter) -> Result<()>) -> Result<Option<Output>> {
    let output = fill(&mut table).and_then(|()| table.finish()).map(Some);
    output.or_else(|error| unless_broken_pipe(error).map(|()| None))
}

fn unless_broken_pipe(error: Error) -> Result<()> {
    if error.is_broken_pipe() { Ok(()) } else { Err(error) }
}

fn writes_to_stdout(args: &Audit) -> bool {
    [&args.rfm_out, &args.migration_out, &args.rejects].into_iter().flatten().any(|path| path == Path::new("-"))
}

#[derive(Clone, Copy)]
enum ReportFormat {
    Json,
    Text(Style),
}

impl ReportFormat {
    fn of(path: &Path) -> Result<Self> {
        match path.extension().and_then(|e| e.to_str()) {
            Some("json") => Ok(ReportFormat::Json),
            Some("md") => Ok(ReportFormat::Text(Style::Markdown)),
            Some("txt") => Ok(ReportFormat::Text(Style::Text)),
            _ if path == Path::new("-") => Ok(ReportFormat::Json),
            _ => {
                Err(Error::usage(format!("--report {}: the extension says no format", path.display())).help("end it in .json, .md or .txt"))
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

fn run_generate(args: &Generate, job: &Job) -> Result<()> {
    let generator = args.synthetic()?.generator()?;
    let mut table = TableWriter::create_with(&args.output, args.format()?, &synthetic::schema(), &job.cancel)?;
    args.workers.map_or(Ok(()), validate_workers)?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.workers.unwrap_or(0)).build();
    let pool = pool.map_err(|e| Error::internal("cannot start threads").cause(e))?;
    pool.install(|| table.write_stream(&Chunks { generator, next: AtomicU64::new(0) }))?;
    let mut output = table.finish()?;
    output.complete()?;
    job.undisturbed(|| output.commit())
}

/// The chunks of a generator in order, made on any thread.
struct Chunks {
    generator: Generator,
    next: AtomicU64,
}

impl RowStream for Chunks {
    type Part = u64;

    fn next_part(&self) -> Result<Option<u64>> {
        let part = self.next.fetch_add(1, Ordering::Relaxed);
        Ok((part < self.generator.chunks()).then_some(part))
    }

    fn parts_per_group(&self, _rows: usize) -> usize {
        32
    }

    fn build(&self, part: &u64, sink: &mut dyn FnMut(RecordBatch) -> Result<()>) -> Result<()> {
        sink(self.generator.record_batch(*part)?)
    }
}

fn man() -> Result<()> {
    let mut page = Vec::new();
    let command = Cli::command();
    let mut write = |command: clap::Command| clap_mangen::Man::new(command).render(&mut page).map_err(|e| Error::io("cannot write", e));
    write(command.clone())?;
    for subcommand in command.get_subcommands().filter(|c| matches!(c.get_name(), "audit" | "generate")) {
        let name: &'static str = if subcommand.get_name() == "audit" { "lensflow-audit" } else { "lensflow-generate" };
        write(subcommand.clone().name(name))?;
    }
    print(&page)
}

fn print(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|e| Error::io("cannot write to stdout", e))
}
