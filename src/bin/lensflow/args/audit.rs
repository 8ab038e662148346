//! What can be said to `lensflow audit`, and how it becomes a job.

use super::lines::{From, LineArgs};
use super::{Machine, Reading};
use crate::audit::{AuditJob, Input};
use crate::inputs::named;
use crate::outputs::Outputs;
use clap::Args;
use lensflow::error::{Error, Result};
use lensflow::model::{Granularity, Window, Windows};
use lensflow::spec::Spec;
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  lensflow audit periods.parquet --every quarter
  lensflow audit 'orders/*.csv' --from transactions --every quarter
  lensflow audit 'data/*.csv' --window h1=2023-01-01..2023-07-01 --window h2=2023-07-01..2024-01-01 --report audit.json
  zcat periods.csv.gz | lensflow audit - --every month --rfm-out rfm.parquet --report audit.md
  lensflow audit state/ today.csv --every quarter

The input has a row per customer and period, with the columns customer_id, period_start, period_end (exclusive),
total_orders, total_spend and, optionally, last_transaction_ts; or, with --from transactions, a row per line of an order,
as lensflow periods --help says. A state that lensflow update made stands for everything it has taken in. Data goes to
stdout, everything else to stderr.
Exit codes: 0 done, 1 bad data or a failed read or write, 2 wrong usage. Interrupted by Ctrl-C, SIGTERM or SIGHUP, it
writes no output file, removes what it has spilled, and dies of the signal: 128 and its number to a shell. With
--checkpoint it first writes what it has read, while it reads, in up to ten seconds; a second signal ends it at once.";

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES, after_help = "More with --help.")]
pub(crate) struct Audit {
    /// Files, folders, globs, or - for stdin: Parquet, CSV, JSONL or Arrow IPC; CSV and JSONL may be .gz or .zst. Or states
    input: Vec<String>,

    /// A window to audit, [NAME=]START..END[@OBSERVATION_END] or a calendar period such as 2023-Q3; repeat in time order
    #[arg(long, value_name = "WINDOW", conflicts_with = "every")]
    window: Vec<String>,

    /// Audit the calendar windows that the rows fall in: month, quarter, half or year
    #[arg(long, value_name = "PERIOD")]
    every: Option<String>,

    /// Write the answers to a file, .json, .md or .txt by extension; - is JSON on stdout; repeat for several
    #[arg(long, value_name = "PATH")]
    report: Vec<PathBuf>,

    /// Write a row per customer and window with RFM metrics and scores, .parquet, .csv, .jsonl or .arrow
    #[arg(long, value_name = "PATH")]
    rfm_out: Option<PathBuf>,

    /// Write a row per pair of windows and customer: retained, churned, new or reactivated
    #[arg(long, value_name = "PATH")]
    migration_out: Option<PathBuf>,

    /// Write a Lens 1 partial, which lensflow merge and compare combine with those of other customers; it names no customer
    #[arg(long, value_name = "PATH")]
    partial_out: Option<PathBuf>,

    /// Report the share of revenue of the top p % of customers, for each p
    #[arg(long, value_name = "P,P", value_delimiter = ',', default_values_t = [10, 20])]
    percentiles: Vec<u32>,

    /// Score bins per dimension, 1 to 9
    #[arg(long, default_value_t = 5)]
    bins: u32,

    /// Sort rows by window and customer_id, instead of the engine's own order
    #[arg(long)]
    sorted: bool,

    /// Write what was left out, with reasons; needs --on-bad-row reject
    #[arg(long, value_name = "PATH")]
    rejects: Option<PathBuf>,

    /// Keep a checkpoint in a folder: interrupted and started again with the same arguments, the run goes on from there. Not of
    /// transactions
    #[arg(long, value_name = "FOLDER")]
    checkpoint: Option<PathBuf>,

    /// The time between two checkpoints, such as 2m or 90s
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = humantime::parse_duration, requires = "checkpoint")]
    checkpoint_every: Duration,

    /// What a row of the input is: what a customer did in a period, or an order or a line of one
    #[arg(long, value_enum, default_value_t = From::Periods)]
    from: From,

    #[command(flatten)]
    reading: Reading,

    #[command(flatten)]
    lines: LineArgs,

    #[command(flatten)]
    machine: Machine,
}

impl Audit {
    /// What is to be done, checked as far as it can be without looking at the inputs.
    pub(crate) fn job(&self) -> Result<AuditJob> {
        let windows = match &self.every {
            Some(every) => Windows::Every(every.parse::<Granularity>()?),
            None => Windows::List(self.window.iter().map(|w| w.parse::<Window>()).collect::<Result<_>>()?),
        };
        let lines = self.lines.of(self.from, &self.reading)?;
        if lines.is_some() && self.checkpoint.is_some() {
            let what = "a checkpoint of orders and line items is not kept yet";
            return Err(Error::usage(what).help("leave --checkpoint out, or make period aggregations with lensflow periods first"));
        }
        let columns = if lines.is_some() { Default::default() } else { self.reading.columns()? };
        let spec = Spec { windows, columns, percentiles: self.percentiles.clone(), bins: self.bins, ..self.machine.spec()? };
        Ok(AuditJob {
            input: Input::Named(named(&self.input, "audit")?),
            lines,
            format: self.reading.format()?,
            on_bad_row: self.reading.on_bad_row(),
            spec,
            out: Outputs {
                report: self.report.clone(),
                rfm: self.rfm_out.clone(),
                migration: self.migration_out.clone(),
                rejects: self.rejects.clone(),
                sorted: self.sorted,
            },
            partial_out: self.partial_out.clone(),
            checkpoint: self.checkpoint.clone().map(|folder| (folder, self.checkpoint_every)),
        })
    }
}
