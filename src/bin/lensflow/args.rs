//! The command line: what can be said, and how it becomes a job. Nothing here reads or writes data.

mod audit;
mod generate;
pub(crate) mod lines;
mod spec;
mod state;

pub(crate) use audit::Audit;
pub(crate) use generate::{Generate, RowsArg, count};
pub(crate) use lines::Periods;
pub(crate) use spec::FromSpec;
pub(crate) use state::{Compare, Inspect, Merge, Sketch, Update};

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use lensflow::error::{Error, Result};
use lensflow::model::{Column, ColumnMap, OnBadRow};
use lensflow::source::files::Format;
use lensflow::spec::{Parallel, Spec};
use lensflow::spill::parse_size;
use lensflow::state::State;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Customer-base analytics at any size: RFM, Lens 1 and Lens 2 of "The Customer-Base Audit", exact to the cent.
#[derive(Debug, Parser)]
#[command(name = "lensflow", version, max_term_width = 110, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    #[command(flatten)]
    pub(crate) talk: Talk,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Talk {
    /// Say nothing on stderr but errors
    #[arg(long, short, global = true, conflicts_with = "verbose", help_heading = "Messages")]
    pub(crate) quiet: bool,

    /// Say more on stderr; twice for details
    #[arg(long, short, global = true, action = ArgAction::Count, help_heading = "Messages")]
    pub(crate) verbose: u8,

    /// How messages on stderr are written
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, help_heading = "Messages")]
    pub(crate) log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Audit a customer base: read period aggregations or orders, answer RFM, Lens 1 and Lens 2
    Audit(Box<Audit>),
    /// Make period aggregations of orders and line items: what each customer did in each period
    Periods(Box<Periods>),
    /// Make a saved state, or add to one: what all inputs so far say of every customer
    Update(Box<Update>),
    /// Merge saved states into a new one, or Lens 1 partials of different customers, exactly
    Merge(Merge),
    /// Do what a spec says: an audit, an update, a merge, or following what comes
    Run(Box<FromSpec>),
    /// Check a spec as far as that can be done without reading rows; nothing is written
    Check(Box<FromSpec>),
    /// Say what a spec would do: stages, workers, memory, files, windows, outputs
    Explain(Box<FromSpec>),
    /// Write a sketch of a window's customers: small, without names, and comparable anywhere
    Sketch(Box<Sketch>),
    /// Compare two windows, of states or sketches, or two Lens 1 partials: exactly where states are at hand, else with bounds
    Compare(Box<Compare>),
    /// Say what a saved state, a Lens 1 partial, a sketch or a run file holds
    Inspect(Inspect),
    /// Generate period aggregations, or transactions, of a made-up customer base
    Generate(Box<Generate>),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// How rows are read.
#[derive(Debug, Args)]
pub(crate) struct Reading {
    /// What to do about a bad row: end the run, or leave it out and count it [default: fail, or what a state was made with]
    #[arg(long, value_enum)]
    on_bad_row: Option<Policy>,

    /// The input's format, where its name and first bytes do not tell: parquet, csv, jsonl or arrow
    #[arg(long)]
    format: Option<String>,

    /// Where the input keeps a column: customer_id=cust_no; repeat
    #[arg(long, value_name = "COLUMN=NAME")]
    column: Vec<String>,
}

/// Threads and memory.
#[derive(Debug, Args)]
#[command(next_help_heading = "Threads and memory")]
pub(crate) struct Machine {
    /// Threads that decode and accumulate; one per core by default
    #[arg(long, value_name = "N")]
    workers: Option<usize>,

    /// Memory that the process may take up, such as 2GiB, 512MB or 50%; what does not fit is spilled [default: 70%]
    #[arg(long, value_name = "SIZE")]
    memory_limit: Option<String>,

    /// Folder to spill into, instead of the system's for temporary files
    #[arg(long, value_name = "FOLDER")]
    spill_dir: Option<PathBuf>,

    /// Whether finishing uses more than one thread; off also decodes with one. The answers are the same
    #[arg(long, value_enum, default_value_t = When::Auto)]
    parallel: When,

    /// With --parallel auto, the number of customers from which on finishing is parallel
    #[arg(long, value_name = "N", default_value_t = Parallel::DEFAULT_THRESHOLD)]
    parallel_threshold: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Policy {
    Fail,
    Reject,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum When {
    Auto,
    On,
    Off,
}

/// What is done about bad rows: what was said, or what was done by a state.
pub(crate) fn policy(said: Option<OnBadRow>, state: Option<&State>) -> OnBadRow {
    said.or(state.map(|state| state.manifest().on_bad_row)).unwrap_or_default()
}

impl Machine {
    fn spec(&self) -> Result<Spec> {
        let parallel = match self.parallel {
            When::Auto => Parallel::Auto { threshold: self.parallel_threshold },
            When::On => Parallel::On,
            When::Off => Parallel::Off,
        };
        Ok(Spec {
            workers: self.workers,
            parallel,
            memory_limit: self.memory_limit.as_deref().map(parse_size).transpose()?,
            spill_dir: self.spill_dir.clone(),
            ..Spec::default()
        })
    }
}

impl Reading {
    fn on_bad_row(&self) -> Option<OnBadRow> {
        self.on_bad_row.map(|policy| match policy {
            Policy::Fail => OnBadRow::Fail,
            Policy::Reject => OnBadRow::Reject,
        })
    }

    pub(crate) fn format(&self) -> Result<Option<Format>> {
        self.format.as_deref().map(str::parse).transpose()
    }

    fn columns(&self) -> Result<ColumnMap> {
        self.named_columns(Column::from_name, Column::name, || Column::ALL.map(Column::name).join(", ")).map(ColumnMap)
    }

    /// What `--column` says, of columns of one kind.
    fn named_columns<C: Ord + Copy>(
        &self,
        from_name: impl Fn(&str) -> Option<C>,
        name_of: impl Fn(C) -> &'static str,
        known: impl Fn() -> String,
    ) -> Result<BTreeMap<C, String>> {
        let mut map = BTreeMap::new();
        for text in &self.column {
            let (column, name) = text.split_once('=').ok_or_else(|| {
                Error::usage(format!("--column {text}: it has no \"=\"")).help("write COLUMN=NAME, such as customer_id=cust_no")
            })?;
            let column = from_name(column).ok_or_else(|| {
                Error::usage(format!("--column {text}: there is no column {column:?}")).help(format!("one of {}", known()))
            })?;
            if map.insert(column, name.to_owned()).is_some() {
                return Err(Error::usage(format!("--column {} is given twice", name_of(column))));
            }
        }
        Ok(map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
