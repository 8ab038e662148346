//! The command line `lensflow`: a thin layer over the library. This file is the table of its commands.
//!
//! ```text
//!  command line  ──▶ layers ──▶ options ──▶ refuse ──▶ make ──▶ a job: audit, peek, periods, update, merge, follow, sketch, compare,
//!  variables, spec   one entry  typed       what does           generate or inspect; checked, told, saved or done
//!                    a key                  not fit
//! ```
//!
//! | file | owns |
//! |---|---|
//! | `options/` | the table of options, and the types of their values |
//! | `layers/` | flags, variables and the spec as one set of entries |
//! | `refuse`, `make` | what does not go together; the job that is left |
//! | `page` | how a plan is laid out |
//! | `commands/` | the trait of all jobs, and a file for each kind of job |
//! | `screen`, `talk`, `progress`, `signals`, `metrics`, `serve`, `allocator` | what a process does around a job |
//!
//! A file imports only files before it in this order: `options`; the process (`screen` to `allocator`); `layers`; `refuse`; `page`;
//! `commands`, which may use each other; `make`; this file.

mod allocator;
mod commands;
mod layers;
mod make;
mod metrics;
mod options;
mod page;
mod progress;
mod refuse;
mod screen;
mod serve;
mod signals;
mod talk;

use crate::make::Made;
use clap::ArgMatches;
use layers::Said;
use layers::command_line::{self, Page};
use lensflow::Result;
use lensflow::error::{Error, Kind as Fault};
use lensflow::text::visible;
use options::Kind;
use options::speech::Speech;
use signals::Signals;
use std::path::PathBuf;
use std::process::ExitCode;
use talk::{Host, Talk, print, say};

/// The commands. Those with a kind are jobs by flags; the three that read a spec do any job.
const COMMANDS: &[Page] = &[
    Page {
        name: "audit",
        kind: Kind::Audit,
        about: "Audit a customer base: read period aggregations or orders, answer RFM, Lens 1 and Lens 2",
        more: include_str!("help/audit.txt"),
        usage: "lensflow audit [OPTIONS] <--every <EVERY>|--window <WINDOW>> [INPUT]...",
    },
    Page {
        name: "peek",
        kind: Kind::Peek,
        about: "Look at files before an audit: what they are, what their columns seem to be, and the command to go on with",
        more: include_str!("help/peek.txt"),
        usage: "lensflow peek [OPTIONS] [INPUT]...",
    },
    Page {
        name: "periods",
        kind: Kind::Periods,
        about: "Make period aggregations of orders and line items: what each customer did in each period",
        more: include_str!("help/periods.txt"),
        usage: "lensflow periods [OPTIONS] --every <EVERY> --output <PATH> [INPUT]...",
    },
    Page {
        name: "update",
        kind: Kind::Update,
        about: "Make a saved state, or add to one: what all inputs so far say of every customer",
        more: include_str!("help/update.txt"),
        usage: "lensflow update [OPTIONS] <STATE> [INPUT]...",
    },
    Page {
        name: "merge",
        kind: Kind::Merge,
        about: "Merge saved states into a new one, or Lens 1 partials of different customers, exactly",
        more: include_str!("help/merge.txt"),
        usage: "lensflow merge [OPTIONS] <OUT> <INPUT>...",
    },
    Page {
        name: "run",
        kind: Kind::Spec,
        about: "Do what a spec says: any of the other jobs, or following what comes",
        more: include_str!("help/spec.txt"),
        usage: "lensflow run [OPTIONS] <SPEC>",
    },
    Page {
        name: "check",
        kind: Kind::Spec,
        about: "Check a spec as far as that can be done without reading rows; nothing is written",
        more: include_str!("help/spec.txt"),
        usage: "lensflow check [OPTIONS] <SPEC>",
    },
    Page {
        name: "explain",
        kind: Kind::Spec,
        about: "Say what a spec would do: stages, workers, memory, files, windows, outputs",
        more: include_str!("help/spec.txt"),
        usage: "lensflow explain [OPTIONS] <SPEC>",
    },
    Page {
        name: "sketch",
        kind: Kind::Sketch,
        about: "Write a sketch of a window's customers: small, without names, and comparable anywhere",
        more: include_str!("help/sketch.txt"),
        usage: "lensflow sketch [OPTIONS] --window <WINDOW> --output <PATH> [INPUT]...",
    },
    Page {
        name: "compare",
        kind: Kind::Compare,
        about: "Compare two windows, of states or sketches, or two Lens 1 partials: exactly where states are at hand, else with bounds",
        more: include_str!("help/compare.txt"),
        usage: "lensflow compare [OPTIONS] <A> <B>",
    },
    Page {
        name: "inspect",
        kind: Kind::Inspect,
        about: "Say what a saved state, a Lens 1 partial, a sketch or a run file holds",
        more: "",
        usage: "lensflow inspect [OPTIONS] <PATH>",
    },
    Page {
        name: "state",
        kind: Kind::Manage,
        about: "See what came into a saved state, take inputs or customers out of it, or write its customers as a table",
        more: include_str!("help/state.txt"),
        usage: "lensflow state [OPTIONS] <ACTION> <STATE> [NAME]...",
    },
    Page {
        name: "segments",
        kind: Kind::Segments,
        about: "Draw which score cells segments cover, or tell who moved from which segment to which",
        more: include_str!("help/segments.txt"),
        usage: "lensflow segments [OPTIONS] <ACTION> <FILE>",
    },
    Page {
        name: "generate",
        kind: Kind::Generate,
        about: "Generate period aggregations, or transactions, of a made-up customer base",
        more: "",
        usage: "lensflow generate [OPTIONS] --customers <N> --output <PATH>",
    },
];

fn main() -> ExitCode {
    let matches = command_line::command(COMMANDS).try_get_matches().unwrap_or_else(|error| refused(command_line::untipped(error)));
    let Some((name, matches)) = matches.subcommand() else { return ExitCode::from(2) };
    let page = COMMANDS.iter().find(|page| page.name == name);
    let speech = match page.map(|page| page.kind) {
        Some(Kind::Spec) | None => Speech::Keys,
        Some(kind) => Speech::Flags(kind),
    };
    let talk = Talk::of(matches);
    if let Err(error) = talk.begin(speech) {
        say(&format!("lensflow: {error:#}"));
        return ExitCode::FAILURE;
    }
    let done = match (page, name) {
        (Some(page), _) => command(page, matches, talk, speech),
        (None, "completions") => completions(matches),
        (None, _) => man(),
    };
    match done {
        Ok(()) => signals::exit_code().map_or(ExitCode::SUCCESS, ExitCode::from),
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            talk.complain(&error, speech);
            ExitCode::from(match error.kind() {
                Fault::Usage => 2,
                Fault::Cancelled => signals::exit_code().unwrap_or(1),
                _ => 1,
            })
        }
    }
}

/// Ends the process with what clap says: help, or what is wrong with the command line, which is JSON where messages are.
fn refused(error: clap::Error) -> ! {
    let mut arguments = std::env::args_os().skip_while(|argument| argument != "--log-format" && argument != "--log-format=json");
    let is_json = arguments.next().is_some_and(|flag| flag == "--log-format=json" || arguments.next().is_some_and(|value| value == "json"));
    if error.use_stderr() && is_json {
        let text = error.to_string();
        let (what, usage) = text.split_once('\n').unwrap_or((&text, ""));
        let talk = Talk::in_json();
        if talk.begin(Speech::Keys).is_ok() {
            let usage = usage.split_whitespace().collect::<Vec<_>>().join(" ");
            talk.complain(&Error::usage(what.trim_start_matches("error: ")).help(usage), Speech::Keys);
            std::process::exit(error.exit_code());
        }
    }
    error.exit()
}

/// A job that was asked for, and what is wanted of it.
fn command(page: &Page, matches: &ArgMatches, talk: Talk, speech: Speech) -> Result<()> {
    let flags = command_line::entries(page, matches)?;
    let mut said = match page.kind {
        Kind::Spec => spec(matches, flags)?,
        kind => Said::by_flags(kind, flags, std::env::vars_os())?,
    };
    let wants = |mode: &str| page.name == mode || page.kind != Kind::Spec && matches.get_flag(mode);
    if wants("explain") {
        let made = make::job(&mut said)?;
        return print(visible(&speech.say(&commands::explain(made.job(), &said))).as_bytes());
    }
    if wants("check") {
        let made = make::job(&mut said)?;
        return print(visible(&commands::check(made.job(), &said)?).as_bytes());
    }
    let spec_file = if page.kind == Kind::Spec { None } else { matches.get_one::<PathBuf>("save-spec").cloned() };
    if let Some(file) = &spec_file
        && page.kind != Kind::Peek
    {
        make::job(&mut said)?;
        commands::save_spec(&said.toml()?, file)?;
        if file != std::path::Path::new("-") {
            talk::say(&format!("{}: the spec; nothing was run: lensflow run {}", file.display(), file.display()));
        }
        return Ok(());
    }
    Signals::watched(
        move |error| talk.complain(error, speech),
        |signals| {
            // What comes through a pipe may have to be waited for, to tell what it is.
            let mut made = make::job(&mut said)?;
            if let Made::Peek(peek) = &mut made {
                peek.spec_file = spec_file;
            }
            let mut host = Host::new(signals, talk, speech);
            let done = made.job().run(&mut host);
            host.warn();
            done
        },
    )
}

fn spec(matches: &ArgMatches, flags: Vec<layers::Entry>) -> Result<Said> {
    let path = matches.get_one::<PathBuf>("spec").cloned().unwrap_or_default();
    let name = path.to_string_lossy();
    let bytes = std::fs::read(&path).map_err(|e| Error::io("cannot read the spec", e).input(&*name))?;
    let text = String::from_utf8(bytes).map_err(|_| Error::usage("a spec is a text in UTF-8, and this is none").input(&*name))?;
    Said::by_spec(&name, &text, flags, std::env::vars_os())
}

fn completions(matches: &ArgMatches) -> Result<()> {
    let mut script = Vec::new();
    if let Some(shell) = matches.get_one::<clap_complete::Shell>("shell") {
        clap_complete::generate(*shell, &mut command_line::command(COMMANDS), "lensflow", &mut script);
    }
    print(&script)
}

fn man() -> Result<()> {
    let mut pages = Vec::new();
    let mut write = |command: clap::Command| clap_mangen::Man::new(command).render(&mut pages).map_err(|e| Error::io("cannot write", e));
    let command = command_line::command(COMMANDS);
    write(command.clone())?;
    for page in command.get_subcommands().filter(|page| COMMANDS.iter().any(|known| known.name == page.get_name())) {
        write(page.clone().name(format!("lensflow-{}", page.get_name())))?;
    }
    print(&pages)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command_line::command(super::COMMANDS).debug_assert();
    }
}
