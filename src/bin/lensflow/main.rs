//! The command line `lensflow`: a thin layer over the library. Arguments in [`args`], the bar in [`progress`], Ctrl-C in [`signals`], the
//! jobs in [`audit`], [`states`], [`sketches`], [`partials`], [`inspect`] and [`generate`]; [`spec_file`] has them done as a file says.

#[cfg(target_os = "linux")]
mod allocator;
mod args;
mod audit;
mod follow;
mod generate;
mod inputs;
mod inspect;
mod metrics;
mod outputs;
mod partials;
mod periods;
mod progress;
mod serve;
mod signals;
mod sketches;
mod spec_file;
mod states;

use anyhow::Context;
use args::{Cli, Command, LogFormat, Talk};
use clap::{CommandFactory, Parser};
use lensflow::Result;
use lensflow::error::{Error, Kind};
use signals::Job;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Err(error) = log(&cli.talk) {
        say(&format!("lensflow: {error:#}"));
        return ExitCode::FAILURE;
    }
    let log_format = cli.talk.log_format;
    let interrupted = move |error: &Error| complain(error, log_format);
    let done = match &cli.command {
        Command::Audit(audit) => Job::watched(interrupted, |job| audit::run(&audit.job()?, &cli.talk, job).map(drop)),
        Command::Periods(wanted) => Job::watched(interrupted, |job| periods::run(&wanted.job()?, &cli.talk, job)),
        Command::Update(update) => Job::watched(interrupted, |job| states::update(&update.job()?, &cli.talk, job)),
        Command::Merge(merge) => Job::watched(interrupted, |job| partials::merge(merge, &cli.talk, job)),
        Command::Run(spec) => Job::watched(interrupted, |job| spec_file::run(spec, &cli.talk, job)),
        Command::Check(spec) => spec_file::check(spec),
        Command::Explain(spec) => spec_file::explain(spec),
        Command::Sketch(sketch) => Job::watched(interrupted, |job| sketches::sketch(sketch, job)),
        Command::Compare(compare) => Job::watched(interrupted, |job| sketches::compare(compare, job)),
        Command::Inspect(inspect) => Job::watched(interrupted, |job| inspect::run(inspect, job)),
        Command::Generate(generate) => Job::watched(interrupted, |job| generate::run(generate, job)),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "lensflow", &mut script);
            print(&script)
        }
        Command::Man => man(),
    };
    match done {
        Ok(()) => signals::exit_code().map_or(ExitCode::SUCCESS, ExitCode::from),
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error, log_format);
            ExitCode::from(match error.kind() {
                Kind::Usage => 2,
                Kind::Cancelled => signals::exit_code().unwrap_or(1),
                _ => 1,
            })
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

fn man() -> Result<()> {
    let mut page = Vec::new();
    let command = Cli::command();
    let mut write = |command: clap::Command| clap_mangen::Man::new(command).render(&mut page).map_err(|e| Error::io("cannot write", e));
    write(command.clone())?;
    for (plain, name) in [
        ("audit", "lensflow-audit"),
        ("periods", "lensflow-periods"),
        ("update", "lensflow-update"),
        ("merge", "lensflow-merge"),
        ("run", "lensflow-run"),
        ("check", "lensflow-check"),
        ("explain", "lensflow-explain"),
        ("sketch", "lensflow-sketch"),
        ("compare", "lensflow-compare"),
        ("inspect", "lensflow-inspect"),
        ("generate", "lensflow-generate"),
    ] {
        command.get_subcommands().filter(|c| c.get_name() == plain).try_for_each(|c| write(c.clone().name(name)))?;
    }
    print(&page)
}

fn print(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|e| Error::io("cannot write to stdout", e))
}
