//! What can be said to the commands about saved states, sketches and partials.

use super::lines::{From, LineArgs};
use super::{Machine, Reading, policy};
use crate::inputs::named;
use crate::states::{MergeJob, UpdateJob};
use clap::Args;
use lensflow::error::Result;
use lensflow::model::{Granularity, Window, Windows};
use lensflow::orders::Lines;
use lensflow::spec::Spec;
use lensflow::state::State;
use std::path::PathBuf;

const UPDATE_EXAMPLES: &str = "\
Examples:
  lensflow update state/ 2024-*.parquet           makes the state at first
  lensflow update state/ 2025-01.parquet          adds a month: costs what that month costs
  lensflow audit state/ --every quarter           the same answers, to the byte, as from all files

The same rows given twice change nothing: inputs are known by their bytes, whatever they are called. Whatever interrupts
an update, the state is the one before or the one after. One lensflow at a time may write to a state; any number may
read it meanwhile.";

#[derive(Debug, Args)]
#[command(after_long_help = UPDATE_EXAMPLES, after_help = "More with --help.")]
pub(crate) struct Update {
    /// The state's folder, which is made at first
    state: PathBuf,

    /// Files, folders, globs, or - for stdin, as for audit
    input: Vec<String>,

    /// The calendar windows of a new state: month, quarter, half or year; audits may use these and unions of them [default: month]
    #[arg(long, value_name = "PERIOD")]
    every: Option<String>,

    /// Take in again what was taken in before
    #[arg(long)]
    allow_duplicate: bool,

    /// What a row of the input is: what a customer did in a period, or an order or a line of one, of which all come with one update
    #[arg(long, value_enum, default_value_t = From::Periods)]
    from: From,

    #[command(flatten)]
    reading: Reading,

    #[command(flatten)]
    lines: LineArgs,

    #[command(flatten)]
    machine: Machine,
}

impl Update {
    /// What is to be done.
    pub(crate) fn job(&self) -> Result<UpdateJob> {
        let lines = self.lines.of(self.from, &self.reading)?;
        Ok(UpdateJob {
            state: self.state.clone(),
            inputs: named(&self.input, "update STATE_DIR")?,
            every: self.every.as_deref().map(str::parse::<Granularity>).transpose()?,
            format: self.reading.format()?,
            on_bad_row: self.reading.on_bad_row(),
            spec: Spec { columns: if lines.is_some() { Default::default() } else { self.reading.columns()? }, ..self.machine.spec()? },
            lines,
            allow_duplicate: self.allow_duplicate,
            audited: None,
        })
    }
}

const MERGE_EXAMPLES: &str = "\
Examples:
  lensflow merge all/ germany/ france/                       states: a state
  lensflow merge all.partial germany.partial france.partial  partials of lensflow audit --partial-out: a partial

States may share customers. They must have been made with the same --every and --on-bad-row.

Partials must have the same windows and different customers. Up to 65,536 customers a window, that these differ is known;
beyond, it can only be found that they do not, and --disjoint vouches for what is not known.";

#[derive(Debug, Args)]
#[command(after_long_help = MERGE_EXAMPLES, after_help = "More with --help.")]
pub(crate) struct Merge {
    /// The folder of the new state, or the file of the new partial
    pub(crate) out: PathBuf,

    /// The states or the partials to merge; they stay as they are
    #[arg(required = true, value_name = "INPUT")]
    pub(crate) inputs: Vec<PathBuf>,

    /// Merge also states that have taken in the same input
    #[arg(long)]
    pub(crate) allow_duplicate: bool,

    /// Merge also partials whose customers are not known to differ: you say that no customer is in two of them
    #[arg(long)]
    pub(crate) disjoint: bool,
}

impl Merge {
    /// What is to be done, where the inputs are states.
    pub(crate) fn job(&self) -> MergeJob {
        MergeJob { out: self.out.clone(), states: self.inputs.clone(), allow_duplicate: self.allow_duplicate }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// A state's folder, or the file of a Lens 1 partial, of a sketch, or of a run in a state's folder
    pub(crate) path: PathBuf,
}

const SKETCH_EXAMPLES: &str = "\
Examples:
  lensflow sketch state/ --window 2023-Q3 -o 2023-q3.theta
  lensflow sketch orders.csv --from transactions --window 2023-Q3 -o 2023-q3.theta
  lensflow compare 2023-q3.theta elsewhere-2023-q4.theta

The file is the compact form of an Apache DataSketches Theta sketch, which that project's Java, C++, Python and Rust
libraries read. It names no customer.";

#[derive(Debug, Args)]
#[command(after_long_help = SKETCH_EXAMPLES, after_help = "More with --help.")]
pub(crate) struct Sketch {
    /// States, files, folders, globs, or - for stdin, as for audit
    #[arg(required = true)]
    pub(crate) input: Vec<String>,

    /// The window whose customers to sketch
    #[arg(long, value_name = "WINDOW")]
    pub(crate) window: String,

    /// Keep up to 2^K hashes of 8 bytes: estimates are off by 2/sqrt(2^K) in 95 of 100 cases at most, 0.8 % for 16
    #[arg(long, value_name = "K", default_value_t = lensflow::lens::sketch::DEFAULT_LG_K)]
    pub(crate) lg_k: u8,

    /// The file to write
    #[arg(long, short, value_name = "PATH")]
    pub(crate) output: PathBuf,

    /// What a row of the input is: what a customer did in a period, or an order or a line of one
    #[arg(long, value_enum, default_value_t = From::Periods)]
    from: From,

    #[command(flatten)]
    pub(crate) reading: Reading,

    #[command(flatten)]
    lines: LineArgs,

    #[command(flatten)]
    machine: Machine,
}

impl Sketch {
    /// The options of its stages, and how lines are read and grouped, if the input is that.
    pub(crate) fn spec(&self, states: &[State]) -> Result<(Spec, Option<Lines>)> {
        let windows = Windows::List(vec![self.window.parse::<Window>()?]);
        let on_bad_row = policy(self.reading.on_bad_row(), states.first());
        let lines = self.lines.of(self.from, &self.reading)?;
        let columns = if lines.is_some() { Default::default() } else { self.reading.columns()? };
        let spec = Spec { windows, columns, on_bad_row, ..self.machine.spec()? };
        spec.validate()?;
        Ok((spec, lines))
    }
}

const COMPARE_EXAMPLES: &str = "\
Examples:
  lensflow compare state@2023-Q3 state@2023-Q4            exact: both states are at hand
  lensflow compare ours@2023-Q3 theirs@2023-Q3            two states, one window
  lensflow compare 2023-q3.theta state@2023-Q4            an estimate, with 95 % bounds
  lensflow compare germany.partial france.partial         Lens 1 of each and of both, window by window

A and B are a state with the window that is meant, or a file that lensflow sketch or any DataSketches library wrote; or
both are files that lensflow audit --partial-out wrote.";

#[derive(Debug, Args)]
#[command(after_long_help = COMPARE_EXAMPLES, after_help = "More with --help.")]
pub(crate) struct Compare {
    /// STATE@WINDOW, or the file of a sketch or a partial
    pub(crate) a: String,

    /// What to compare it with, likewise
    pub(crate) b: String,

    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,

    /// Put partials together also where their customers are not known to differ: you say that no customer is in both
    #[arg(long)]
    pub(crate) disjoint: bool,

    /// Report the share of revenue of the top p % of customers, for each p; not of sketches
    #[arg(long, value_name = "P,P", value_delimiter = ',', default_values_t = [10, 20])]
    percentiles: Vec<u32>,

    /// Score bins per dimension, 1 to 9; not of sketches
    #[arg(long, default_value_t = 5)]
    bins: u32,

    #[command(flatten)]
    machine: Machine,
}

impl Compare {
    pub(crate) fn spec(&self) -> Result<Spec> {
        Ok(Spec { percentiles: self.percentiles.clone(), bins: self.bins, ..self.machine.spec()? })
    }
}
