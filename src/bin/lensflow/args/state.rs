//! What can be said to the commands about saved states.

use super::{Machine, Reading, policy};
use clap::Args;
use lensflow::error::Result;
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
    pub(crate) state: PathBuf,

    /// Files, folders, globs, or - for stdin, as for audit
    pub(crate) input: Vec<String>,

    /// The calendar windows of a new state: month, quarter, half or year; audits may use these and unions of them [default: month]
    #[arg(long, value_name = "PERIOD")]
    pub(crate) every: Option<String>,

    /// Take in again what was taken in before
    #[arg(long)]
    pub(crate) allow_duplicate: bool,

    #[command(flatten)]
    pub(crate) reading: Reading,

    #[command(flatten)]
    machine: Machine,
}

impl Update {
    /// The spec, checked. What is done about bad rows is what was done before, if nothing is said.
    pub(crate) fn spec(&self, before: Option<&State>) -> Result<Spec> {
        let on_bad_row = policy(self.reading.on_bad_row, before);
        let spec = Spec { columns: self.reading.columns()?, on_bad_row, ..self.machine.spec()? };
        spec.validate()?;
        Ok(spec)
    }
}

#[derive(Debug, Args)]
#[command(after_help = "The states may share customers. They must have been made with the same --every and --on-bad-row.")]
pub(crate) struct Merge {
    /// The folder of the new state
    pub(crate) out: PathBuf,

    /// The states to merge; they stay as they are
    #[arg(required = true, value_name = "STATE")]
    pub(crate) states: Vec<PathBuf>,

    /// Merge also states that have taken in the same input
    #[arg(long)]
    pub(crate) allow_duplicate: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// A state's folder
    pub(crate) path: PathBuf,
}
