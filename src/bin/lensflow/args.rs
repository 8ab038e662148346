//! The command line: what can be said, and how it becomes a spec. Nothing here reads or writes data.

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use lensflow::calendar::{Granularity, Window, Windows};
use lensflow::error::{Error, Result};
use lensflow::reject::OnBadRow;
use lensflow::source::files::Format;
use lensflow::source::synthetic::{IdStyle, Scenario, Skew, Synthetic};
use lensflow::source::{Column, ColumnMap};
use lensflow::spec::{Parallel, Spec};
use lensflow::spill::parse_size;
use std::path::{Path, PathBuf};

/// Customer-base analytics at any size: RFM, Lens 1 and Lens 2 of "The Customer-Base Audit", exact to the cent.
#[derive(Debug, Parser)]
#[command(name = "lensflow", version, max_term_width = 110, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    #[command(flatten)]
    pub(crate) talk: Talk,
}

#[derive(Debug, Args)]
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
    /// Audit a customer base: read period aggregations, answer RFM, Lens 1 and Lens 2
    Audit(Box<Audit>),
    /// Generate period aggregations of a made-up customer base
    Generate(Box<Generate>),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

const AUDIT_EXAMPLES: &str = "\
Examples:
  lensflow audit orders.parquet --every quarter
  lensflow audit 'data/*.csv' --window h1=2023-01-01..2023-07-01 --window h2=2023-07-01..2024-01-01 --report audit.json
  zcat periods.csv.gz | lensflow audit - --every month --rfm-out rfm.parquet --report audit.md

The input has a row per customer and period, with the columns customer_id, period_start, period_end (exclusive),
total_orders, total_spend and, optionally, last_transaction_ts. Data goes to stdout, everything else to stderr.
Exit codes: 0 done, 1 bad data or a failed read or write, 2 wrong usage. Interrupted by Ctrl-C, SIGTERM or SIGHUP, it
writes no output file, removes what it has spilled, and dies of the signal: 128 and its number to a shell.";

#[derive(Debug, Args)]
#[command(after_long_help = AUDIT_EXAMPLES, after_help = "More with --help.")]
pub(crate) struct Audit {
    /// Files, folders, globs, or - for stdin: Parquet, CSV, JSONL or Arrow IPC; CSV and JSONL may be .gz or .zst
    pub(crate) input: Vec<String>,

    /// A window to audit, [NAME=]START..END[@OBSERVATION_END] or a calendar period such as 2023-Q3; repeat in time order
    #[arg(long, value_name = "WINDOW", conflicts_with = "every")]
    window: Vec<String>,

    /// Audit the calendar windows that the rows fall in: month, quarter, half or year
    #[arg(long, value_name = "PERIOD")]
    every: Option<String>,

    /// Write the answers to a file, .json, .md or .txt by extension; - is JSON on stdout; repeat for several
    #[arg(long, value_name = "PATH")]
    pub(crate) report: Vec<PathBuf>,

    /// Write a row per customer and window with RFM metrics and scores, .parquet, .csv, .jsonl or .arrow
    #[arg(long, value_name = "PATH")]
    pub(crate) rfm_out: Option<PathBuf>,

    /// Write a row per pair of windows and customer: retained, churned, new or reactivated
    #[arg(long, value_name = "PATH")]
    pub(crate) migration_out: Option<PathBuf>,

    /// Report the share of revenue of the top p % of customers, for each p
    #[arg(long, value_name = "P,P", value_delimiter = ',', default_values_t = [10, 20])]
    percentiles: Vec<u32>,

    /// Score bins per dimension, 1 to 9
    #[arg(long, default_value_t = 5)]
    bins: u32,

    /// Sort rows by window and customer_id, instead of the engine's own order
    #[arg(long)]
    pub(crate) sorted: bool,

    /// What to do about a bad row: end the run, or leave it out and count it
    #[arg(long, value_enum, default_value_t = Policy::Fail)]
    on_bad_row: Policy,

    /// Write what was left out, with reasons; needs --on-bad-row reject
    #[arg(long, value_name = "PATH")]
    pub(crate) rejects: Option<PathBuf>,

    /// The input's format, where its name and first bytes do not tell: parquet, csv, jsonl or arrow
    #[arg(long)]
    format: Option<String>,

    /// Where the input keeps a column: customer_id=cust_no; repeat
    #[arg(long, value_name = "COLUMN=NAME")]
    column: Vec<String>,

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

impl Audit {
    /// The spec, checked.
    pub(crate) fn spec(&self) -> Result<Spec> {
        let windows = match &self.every {
            Some(every) => Windows::Every(every.parse::<Granularity>()?),
            None => Windows::List(self.window.iter().map(|w| w.parse::<Window>()).collect::<Result<_>>()?),
        };
        let on_bad_row = if self.on_bad_row == Policy::Reject { OnBadRow::Reject } else { OnBadRow::Fail };
        if self.rejects.is_some() && on_bad_row == OnBadRow::Fail {
            return Err(Error::usage("--rejects has nothing to write while bad rows end the run").help("add --on-bad-row reject"));
        }
        let parallel = match self.parallel {
            When::Auto => Parallel::Auto { threshold: self.parallel_threshold },
            When::On => Parallel::On,
            When::Off => Parallel::Off,
        };
        let spec = Spec {
            windows,
            columns: self.columns()?,
            percentiles: self.percentiles.clone(),
            bins: self.bins,
            on_bad_row,
            workers: self.workers,
            parallel,
            memory_limit: self.memory_limit.as_deref().map(parse_size).transpose()?,
            spill_dir: self.spill_dir.clone(),
            ..Spec::default()
        };
        spec.validate()?;
        Ok(spec)
    }

    fn columns(&self) -> Result<ColumnMap> {
        let mut map = ColumnMap::default();
        for text in &self.column {
            let known = || Column::ALL.map(Column::name).join(", ");
            let (column, name) = text.split_once('=').ok_or_else(|| {
                Error::usage(format!("--column {text}: it has no \"=\"")).help("write COLUMN=NAME, such as customer_id=cust_no")
            })?;
            let column = Column::from_name(column).ok_or_else(|| {
                Error::usage(format!("--column {text}: there is no column {column:?}")).help(format!("one of {}", known()))
            })?;
            if map.0.insert(column, name.to_owned()).is_some() {
                return Err(Error::usage(format!("--column {} is given twice", column.name())));
            }
        }
        Ok(map)
    }

    pub(crate) fn format(&self) -> Result<Option<Format>> {
        self.format.as_deref().map(str::parse).transpose()
    }

    /// Every path that will be written, checked against each other and the inputs that were found.
    pub(crate) fn check_outputs(&self, inputs: &[String]) -> Result<()> {
        let outputs = || self.report.iter().chain(&self.rfm_out).chain(&self.migration_out).chain(&self.rejects);
        for (i, path) in outputs().enumerate() {
            if outputs().skip(i + 1).any(|other| real(other) == real(path)) {
                return Err(Error::usage(format!("{} would be written twice", path.display())));
            }
            if path != Path::new("-") && inputs.iter().any(|input| real(Path::new(input)) == real(path)) {
                return Err(Error::usage(format!("{} is an input: it would be overwritten", path.display())));
            }
        }
        Ok(())
    }
}

/// A path however it is spelled: links followed as far as the file or its folder exists.
fn real(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beside = || Some(std::fs::canonicalize(folder).ok()?.join(path.file_name()?));
    std::fs::canonicalize(path).ok().or_else(beside).unwrap_or_else(|| path.to_owned())
}

#[derive(Debug, Args)]
pub(crate) struct Generate {
    /// How many customers; 10K, 10M and 1G are understood
    #[arg(long, value_name = "N", value_parser = count)]
    customers: u64,

    /// How they behave: baseline, high-churn, product-recall, heavy-promotion, product-launch, seasonal or stable
    #[arg(long, default_value = "baseline")]
    scenario: String,

    /// Other rows for every other seed
    #[arg(long, default_value_t = 42)]
    seed: u64,

    /// The first month
    #[arg(long, value_name = "YYYY-MM", default_value = "2023-01")]
    from: String,

    /// The last month, inclusive
    #[arg(long, value_name = "YYYY-MM", default_value = "2023-12")]
    to: String,

    /// How rows fall on customers; hot gives half of all rows to one
    #[arg(long, value_enum, default_value_t = SkewArg::Uniform)]
    skew: SkewArg,

    /// What ids look like
    #[arg(long, value_enum, default_value_t = IdsArg::Sequential)]
    ids: IdsArg,

    /// The share of rows without last_transaction_ts, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    null_timestamps: f64,

    /// The file to write, .parquet, .csv, .jsonl or .arrow; CSV and JSONL also .gz or .zst; - is CSV on stdout
    #[arg(long, short, value_name = "PATH")]
    pub(crate) output: PathBuf,

    /// The format, where the file's name does not tell
    #[arg(long)]
    format: Option<String>,

    /// Threads; one per core by default
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SkewArg {
    Uniform,
    Zipf,
    Hot,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum IdsArg {
    /// C-000000042
    Sequential,
    /// 67b4ec1f-cb69-4545-ad7f-049a5e3defad
    Uuid,
    /// user42@example2.com
    Email,
    /// 客户-185-é, é-42, клиент-43: six scripts, some short, most long
    Unicode,
}

impl Generate {
    pub(crate) fn synthetic(&self) -> Result<Synthetic> {
        Ok(Synthetic {
            customers: self.customers,
            scenario: self.scenario.parse::<Scenario>()?,
            seed: self.seed,
            from: self.from.clone(),
            to: self.to.clone(),
            skew: match self.skew {
                SkewArg::Uniform => Skew::Uniform,
                SkewArg::Zipf => Skew::Zipf,
                SkewArg::Hot => Skew::Hot,
            },
            ids: match self.ids {
                IdsArg::Sequential => IdStyle::Sequential,
                IdsArg::Uuid => IdStyle::Uuid,
                IdsArg::Email => IdStyle::Email,
                IdsArg::Unicode => IdStyle::Unicode,
            },
            null_timestamps: self.null_timestamps,
        })
    }

    pub(crate) fn format(&self) -> Result<Option<Format>> {
        self.format.as_deref().map(str::parse).transpose()
    }
}

/// Reads `1500`, `1_500`, `10K`, `10M`, `1G`.
fn count(text: &str) -> Result<u64, String> {
    let plain: String = text.chars().filter(|c| !matches!(c, '_' | ',')).collect();
    let (digits, factor) = match plain.char_indices().next_back() {
        Some((at, 'k' | 'K')) => (&plain[..at], 1_000),
        Some((at, 'm' | 'M')) => (&plain[..at], 1_000_000),
        Some((at, 'g' | 'G' | 'b' | 'B')) => (&plain[..at], 1_000_000_000),
        _ => (plain.as_str(), 1),
    };
    let number: Option<u64> = digits.parse().ok();
    number.and_then(|n| n.checked_mul(factor)).ok_or_else(|| "a whole number such as 1500, 10K, 10M or 1G is expected".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn counts() {
        assert_eq!(count("10M"), Ok(10_000_000));
        assert_eq!(count("1_500"), Ok(1_500));
        assert!(count("ten").is_err() && count("").is_err() && count("99999999999G").is_err() && count("K").is_err());
    }
}
