//! Every option: its row in the table, and the type of its value.
//!
//! Options come from [`layers`](crate::layers) and go on to [`refuse`](crate::refuse) and [`make`](crate::make): the drawing is in `main.rs`.
//!
//! | file | owns |
//! |---|---|
//! | [`option_table`] | the row of each option: key, form, jobs, flags, help |
//! | here | the types that serde reads; they know nothing of where a value comes from |
//! | [`value_types`] | the types and checks of single values |
//! | [`row_options`] | options of rows, as the library has them |
//! | [`speech`] | how an option is called where it is advised: as a flag, or as a key |
//!
//! A new option is a row in the table, a field here, a line in `pipelines/README.md`, and its use in a job. Flags, variables and spec have
//! it then, and so do help, completions, `--save-spec` and messages. Invariant: fields are named as keys are, which a test holds; an
//! option that was not said is `None`, so that a job can tell and the default stands where the job is made.

mod option_row;
pub(crate) mod option_table;
#[cfg(test)]
mod option_table_tests;
pub(crate) mod row_options;
pub(crate) mod speech;
pub(crate) mod value_types;

use lensflow::jobs::RowsAre;
use lensflow::model::{
    AmountFrom, AmountUnit, Encoding, Granularity, IdFormat, MaxRejects, NaiveTimes, NumberFormat, OnBadRow, PeriodEnds, Quote, RowFilter,
    Window, YearStart,
};
use lensflow::orders::{Anonymous, Duplicates, Refunds};
use lensflow::report::html::{Currency, Locale};
use lensflow::report::json_text::JsonNumbers;
use lensflow::report::rfm_columns::RfmColumns;
use lensflow::source::files::Format;
use lensflow::source::layouts::LayoutChoice;
use lensflow::synthetic::{IdStyle, Scenario, Skew, Synthetic};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use value_types::{
    Action, Address, Customers, Glob, SegmentsAction, Size, Time, Zone, batch_rows, bins, commit_rows, date, dates, header_line, lg_k,
    moment, month, null_timestamps, path, paths, percentiles, poll, text, texts, words, workers,
};

/// A kind of job. [`Spec`](Kind::Spec) is any of them: the commands that read a spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Audit,
    Peek,
    Periods,
    Update,
    Merge,
    Follow,
    Sketch,
    Compare,
    Generate,
    Inspect,
    Manage,
    Segments,
    Spec,
}

impl Kind {
    /// The command that does it.
    pub(crate) fn command(self) -> &'static str {
        match self {
            Kind::Audit | Kind::Spec => "audit",
            Kind::Peek => "peek",
            Kind::Periods => "periods",
            Kind::Update => "update",
            Kind::Merge => "merge",
            Kind::Follow => "run",
            Kind::Sketch => "sketch",
            Kind::Compare => "compare",
            Kind::Generate => "generate",
            Kind::Inspect => "inspect",
            Kind::Manage => "state",
            Kind::Segments => "segments",
        }
    }
}

/// All that can be said, by section.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Options {
    pub(crate) source: Source,
    pub(crate) transactions: Transactions,
    pub(crate) columns: BTreeMap<String, String>,
    pub(crate) state: State,
    pub(crate) windows: Windows,
    pub(crate) limits: Limits,
    pub(crate) report: Report,
    pub(crate) rfm: Rfm,
    pub(crate) serve: Serve,
    pub(crate) periods: Periods,
    pub(crate) sketch: Sketch,
    pub(crate) compare: Compare,
    pub(crate) generate: Generate,
    pub(crate) peek: Peek,
    pub(crate) inspect: Inspect,
    pub(crate) manage: Manage,
    pub(crate) segments: SegmentsOptions,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Source {
    pub(crate) inputs: Option<Vec<String>>,
    pub(crate) from: Option<RowsAre>,
    #[serde(deserialize_with = "text")]
    pub(crate) layout: Option<LayoutChoice>,
    #[serde(deserialize_with = "text")]
    pub(crate) format: Option<Format>,
    pub(crate) id_format: IdFormat,
    #[serde(deserialize_with = "words")]
    pub(crate) null: Vec<String>,
    pub(crate) number_format: NumberFormat,
    pub(crate) amount_unit: AmountUnit,
    #[serde(deserialize_with = "dates")]
    pub(crate) date_format: Vec<String>,
    pub(crate) naive_times: NaiveTimes,
    pub(crate) encoding: Encoding,
    pub(crate) period_ends: PeriodEnds,
    pub(crate) quote: Option<Quote>,
    pub(crate) escape: Option<char>,
    #[serde(deserialize_with = "header_line")]
    pub(crate) header_line: Option<u64>,
    #[serde(deserialize_with = "texts")]
    pub(crate) only: Option<Vec<RowFilter>>,
    #[serde(deserialize_with = "texts")]
    pub(crate) except: Option<Vec<RowFilter>>,
    pub(crate) sheet: Option<String>,
    pub(crate) max_field: Option<Size>,
    pub(crate) on_bad_row: Option<OnBadRow>,
    pub(crate) fail_fast: bool,
    #[serde(deserialize_with = "text")]
    pub(crate) max_rejects: Option<MaxRejects>,
    pub(crate) synthetic: Option<Made>,
    pub(crate) follow: Option<String>,
    pub(crate) glob: Option<Glob>,
    #[serde(deserialize_with = "poll")]
    pub(crate) poll: Option<Time>,
    pub(crate) finished: Option<Then>,
    #[serde(deserialize_with = "path")]
    pub(crate) done: Option<PathBuf>,
    #[serde(deserialize_with = "path")]
    pub(crate) quarantine: Option<PathBuf>,
}

/// The meaning of a row that is made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Rows {
    #[default]
    Periods,
    Transactions,
}

/// The fate of a file that was taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Then {
    #[default]
    Keep,
    Move,
    Delete,
}

/// Made-up rows.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Made {
    customers: Option<Customers>,
    #[serde(deserialize_with = "text")]
    scenario: Option<Scenario>,
    seed: Option<u64>,
    #[serde(deserialize_with = "month")]
    from: Option<String>,
    #[serde(deserialize_with = "month")]
    to: Option<String>,
    skew: Option<Skew>,
    ids: Option<IdStyle>,
    #[serde(deserialize_with = "null_timestamps")]
    null_timestamps: Option<f64>,
}

impl Made {
    pub(crate) fn synthetic(&self) -> Synthetic {
        let (said, default) = (self.clone(), Synthetic::default());
        Synthetic {
            customers: said.customers.map_or(default.customers, |customers| customers.0),
            scenario: said.scenario.unwrap_or(default.scenario),
            seed: said.seed.unwrap_or(default.seed),
            from: said.from.unwrap_or(default.from),
            to: said.to.unwrap_or(default.to),
            skew: said.skew.unwrap_or(default.skew),
            ids: said.ids.unwrap_or(default.ids),
            null_timestamps: said.null_timestamps.unwrap_or(default.null_timestamps),
        }
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Transactions {
    pub(crate) one_row_per_order: bool,
    pub(crate) policy: Policy,
    pub(crate) refunds: Option<Refunds>,
    pub(crate) anonymous: Option<Anonymous>,
    pub(crate) duplicates: Option<Duplicates>,
    pub(crate) amount: AmountFrom,
    #[serde(deserialize_with = "words")]
    pub(crate) anonymous_id: Vec<String>,
    pub(crate) timezone: Zone,
}

/// What is done about refunds, lines without a customer and equal lines where nothing else is said of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Policy {
    #[default]
    Strict,
    Shop,
}

/// Whether a state keeps the ids of its orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ids {
    Keep,
    None,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct State {
    #[serde(deserialize_with = "path")]
    pub(crate) path: Option<PathBuf>,
    #[serde(deserialize_with = "text")]
    pub(crate) every: Option<Granularity>,
    pub(crate) allow_duplicate: bool,
    pub(crate) replace: bool,
    pub(crate) allow_changed: bool,
    pub(crate) undo: Option<Time>,
    pub(crate) order_ids: Option<Ids>,
    #[serde(deserialize_with = "path")]
    pub(crate) rejects: Option<PathBuf>,
    #[serde(deserialize_with = "paths")]
    pub(crate) merge: Option<Vec<PathBuf>>,
    pub(crate) disjoint: bool,
    pub(crate) commit: Option<Time>,
    #[serde(deserialize_with = "commit_rows")]
    pub(crate) commit_rows: Option<u64>,
    #[serde(deserialize_with = "path")]
    pub(crate) checkpoint: Option<PathBuf>,
    pub(crate) checkpoint_every: Option<Time>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Windows {
    #[serde(deserialize_with = "text")]
    pub(crate) every: Option<Granularity>,
    #[serde(deserialize_with = "texts")]
    pub(crate) list: Option<Vec<Window>>,
    #[serde(deserialize_with = "moment")]
    pub(crate) as_of: Option<i64>,
    #[serde(deserialize_with = "text")]
    pub(crate) year_starts: Option<YearStart>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limits {
    #[serde(deserialize_with = "workers")]
    pub(crate) workers: Option<usize>,
    pub(crate) memory_limit: Option<Size>,
    #[serde(deserialize_with = "path")]
    pub(crate) spill_dir: Option<PathBuf>,
    #[serde(deserialize_with = "batch_rows")]
    pub(crate) batch_rows: Option<usize>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Report {
    #[serde(deserialize_with = "paths")]
    pub(crate) out: Option<Vec<PathBuf>>,
    #[serde(deserialize_with = "percentiles")]
    pub(crate) percentiles: Option<Vec<u32>>,
    pub(crate) cohorts: bool,
    #[serde(deserialize_with = "path")]
    pub(crate) cohorts_out: Option<PathBuf>,
    #[serde(deserialize_with = "path")]
    pub(crate) migration_out: Option<PathBuf>,
    #[serde(deserialize_with = "path")]
    pub(crate) rejects: Option<PathBuf>,
    #[serde(deserialize_with = "path")]
    pub(crate) partial_out: Option<PathBuf>,
    pub(crate) json_numbers: JsonNumbers,
    #[serde(deserialize_with = "path")]
    pub(crate) template: Option<PathBuf>,
    #[serde(deserialize_with = "text")]
    pub(crate) currency: Option<Currency>,
    #[serde(deserialize_with = "text")]
    pub(crate) locale: Option<Locale>,
    pub(crate) csv_safe: bool,
    pub(crate) refresh: Option<Time>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Rfm {
    #[serde(deserialize_with = "path")]
    pub(crate) out: Option<PathBuf>,
    #[serde(deserialize_with = "text")]
    pub(crate) columns: Option<RfmColumns>,
    #[serde(deserialize_with = "bins")]
    pub(crate) bins: Option<u32>,
    pub(crate) cuts: Option<Vec<String>>,
    #[serde(deserialize_with = "path")]
    pub(crate) cuts_out: Option<PathBuf>,
    pub(crate) cuts_window: Option<String>,
    pub(crate) segments: Option<String>,
    pub(crate) sorted: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SegmentsOptions {
    #[serde(deserialize_with = "text")]
    pub(crate) action: Option<SegmentsAction>,
    pub(crate) of: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Serve {
    pub(crate) metrics: Option<Address>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Periods {
    #[serde(deserialize_with = "text")]
    pub(crate) every: Option<Granularity>,
    #[serde(deserialize_with = "path")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Sketch {
    #[serde(deserialize_with = "text")]
    pub(crate) window: Option<Window>,
    #[serde(deserialize_with = "lg_k")]
    pub(crate) lg_k: Option<u8>,
    #[serde(deserialize_with = "path")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Compare {
    pub(crate) a: Option<String>,
    pub(crate) b: Option<String>,
    pub(crate) json: bool,
    pub(crate) disjoint: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Generate {
    #[serde(deserialize_with = "path")]
    pub(crate) out: Option<PathBuf>,
    #[serde(rename = "as")]
    pub(crate) rows: Rows,
    #[serde(deserialize_with = "text")]
    pub(crate) format: Option<Format>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Peek {
    pub(crate) all: bool,
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Inspect {
    #[serde(deserialize_with = "path")]
    pub(crate) path: Option<PathBuf>,
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Manage {
    #[serde(deserialize_with = "text")]
    pub(crate) action: Option<Action>,
    #[serde(deserialize_with = "path")]
    pub(crate) state: Option<PathBuf>,
    pub(crate) names: Option<Vec<String>>,
    #[serde(deserialize_with = "date")]
    pub(crate) before: Option<i64>,
    #[serde(deserialize_with = "path")]
    pub(crate) out: Option<PathBuf>,
    pub(crate) json: bool,
}
