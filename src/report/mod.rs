//! Report: the answers as data ([`Report`]), as JSON, as tables for people ([`text_tables`]), and the rows behind them ([`rows`]), written
//! whole or not at all ([`output`], [`table`]).
//!
//! | file | owns |
//! |---|---|
//! | here | [`Report`]: the answers as data |
//! | `cut_file` | the cut points of a window, to score others by |
//! | `coverage` | how much of each window the data cover |
//! | `rows` | all rows: their schemas, and how blocks become batches of migration rows and of rejects |
//! | `rfm_columns` | the columns of RFM rows that can be asked for, presets, and which of them a run can give |
//! | `cohort_rows` | rows of cohorts, from the sums of their lens |
//! | `rfm_rows` | how blocks become batches of RFM rows |
//! | `stream` | which rows of which blocks go into which batch, in the engine's order or sorted |
//! | `table` | tables of batches in any of the four formats |
//! | `csv_rows` | the lines of CSV files |
//! | `parquet` | Parquet files |
//! | `json_text` | answers as JSON, with amounts as numbers or as texts |
//! | `text_tables`, `segment_tables`, `cohort_tables` | tables for people: terminal, text, Markdown |
//! | `html` | a page with pictures |
//! | `xlsx` | a workbook with charts |
//! | `output` | files that appear whole or not at all |

use crate::model::reject::LeftOut;
pub(crate) mod cohort_rows;
#[cfg(feature = "text")]
mod cohort_tables;
mod coverage;
#[cfg(feature = "csv")]
mod csv_rows;
mod cut_file;
#[cfg(feature = "html")]
pub mod html;
pub mod json_text;
pub mod output;
#[cfg(feature = "parquet")]
mod parquet;
pub mod rfm_columns;
pub(crate) mod rfm_rows;
pub mod rows;
#[cfg(feature = "text")]
pub(crate) mod segment_tables;
pub(crate) mod stream;
pub mod table;
#[cfg(feature = "text")]
pub mod text_tables;
#[cfg(feature = "xlsx")]
pub mod xlsx;

pub use self::cohort_rows::cohort_schema;
pub use self::cut_file::{CutFile, MeasureFile};
#[cfg(feature = "text")]
pub use self::segment_tables::render_moves;

use crate::base::error::Result;
use crate::base::money::Money;
use crate::base::time::iso;
use crate::lens::bridge::RevenueBridge;
use crate::lens::cohort_answers::{Cohort, CohortComparison, Cohorts, WindowHealth};
use crate::lens::lens1::Lens1Metrics;
use crate::lens::lens2::Change;
use crate::lens::more::More;
use crate::lens::score_migration::ScoreMigration;
use crate::lens::segment_counts::{SegmentAnswer, SegmentMigration, WindowSegments};
use crate::model::reject::Reason;
use crate::model::window::{Span, Window};
use crate::orders::LineSummary;
use crate::ranks::cut_points::CutPoints;
use chrono::NaiveDate;
use json_text::JsonNumbers;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything a run answers. A function of the rows and the options alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// The version that made it.
    pub lensflow: String,
    /// The inputs and their rows.
    pub input: InputSummary,
    /// The cut points that scores were given by, where they are not those of each window itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_points: Option<CutPoints>,
    /// Lens 1 of each window, in time order.
    pub windows: Vec<WindowReport>,
    /// Lens 2 of each pair of adjacent windows.
    pub comparisons: Vec<ComparisonReport>,
    /// Lens 3 of each cohort, where cohorts are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cohorts: Option<Vec<Cohort>>,
    /// Lens 4 of each cohort and the next one, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cohort_comparisons: Option<Vec<CohortComparison>>,
    /// Lens 5 of each window, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Vec<WindowHealth>>,
    /// Changes so large that the data may be wrong.
    pub warnings: Vec<String>,
}

/// The inputs and their rows. `rows_read` is `rows_accepted` plus all of `rows_rejected`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InputSummary {
    /// The inputs by name, sorted.
    pub sources: Vec<String>,
    /// Rows in all.
    pub rows_read: u64,
    /// Rows that count, in a window or as history.
    pub rows_accepted: u64,
    /// Rows left out, by reason.
    pub rows_rejected: BTreeMap<Reason, u64>,
    /// Distinct customers of the accepted rows.
    pub customers: u64,
    /// The first day that anything happened on, in the time zone of the windows; of period aggregations, the first day of a period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_day: Option<NaiveDate>,
    /// The last day that anything happened on; of period aggregations without a last transaction, the last day of a period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_day: Option<NaiveDate>,
    /// The lines, if the input was orders and line items; the rows are then their orders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transactions: Option<LineSummary>,
}

/// Lens 1 of one window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WindowReport {
    /// The window's name.
    pub name: String,
    /// Inclusive.
    #[serde(with = "iso")]
    pub start: i64,
    /// Exclusive.
    #[serde(with = "iso")]
    pub end: i64,
    /// Recency counts back from here.
    #[serde(with = "iso")]
    pub observation_end: i64,
    /// The first day of the data, where a tenth of the window or more lies before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covered_from: Option<NaiveDate>,
    /// The last day of the data, or of what is seen, where a tenth of the window or more lies after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covered_until: Option<NaiveDate>,
    /// The answers.
    pub lens1: Lens1Metrics,
    /// Who brings how much of the revenue, and how orders and spends are distributed.
    #[serde(default)]
    pub more: More,
    /// Customers by segment, where segments are asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<SegmentAnswer>,
    /// Customers by segment, per recency and frequency score.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub segment_cells: BTreeMap<String, BTreeMap<String, u64>>,
    /// Customers left out of the window, by reason; their rows count as accepted.
    pub customers_rejected: BTreeMap<Reason, u64>,
    /// What these customers spent in the window, by reason: below zero where they only gave money back. With `lens1.total_revenue` it is all
    /// that was spent in the window.
    #[serde(default)]
    pub customers_rejected_amount: BTreeMap<Reason, Money>,
}

/// Lens 2 of a pair of windows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ComparisonReport {
    /// The first window's name.
    pub from: String,
    /// The second window's name.
    pub to: String,
    /// The answers.
    pub lens2: Change,
    /// Where the money went.
    #[serde(default)]
    pub revenue_bridge: RevenueBridge,
    /// Customers by their scores in either window.
    #[serde(default)]
    pub score_migration: ScoreMigration,
    /// Customers by segment in either window, where segments are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment_migration: Option<SegmentMigration>,
}

/// What a run answers of one window.
pub(crate) struct WindowAnswers {
    pub(crate) lens1: Lens1Metrics,
    pub(crate) more: More,
    pub(crate) segments: Option<WindowSegments>,
}

/// What a run answers of a pair of adjacent windows.
pub(crate) struct PairAnswers {
    pub(crate) lens2: Change,
    pub(crate) revenue_bridge: RevenueBridge,
    pub(crate) score_migration: ScoreMigration,
    pub(crate) segment_migration: Option<SegmentMigration>,
}

impl Report {
    pub(crate) fn new(
        input: InputSummary,
        windows: &[Window],
        of_windows: Vec<WindowAnswers>,
        of_pairs: Vec<PairAnswers>,
        warnings: Vec<String>,
        mut left_out: LeftOut,
    ) -> Self {
        let mut window = |((at, w), WindowAnswers { lens1, more, segments }): ((u32, &Window), WindowAnswers)| {
            let left_out = left_out.remove(&at).unwrap_or_default();
            let WindowSegments { segments, cells } = segments.unwrap_or_default();
            WindowReport {
                name: w.name.clone(),
                start: w.start,
                end: w.end,
                observation_end: w.observation_end,
                covered_from: None,
                covered_until: None,
                lens1,
                more,
                segments,
                segment_cells: cells,
                customers_rejected: left_out.iter().map(|(&reason, sum)| (reason, sum.customers)).collect(),
                customers_rejected_amount: left_out.iter().map(|(&reason, sum)| (reason, sum.amount)).collect(),
            }
        };
        let pair = |(pair, answers): (&[Window], PairAnswers)| {
            let PairAnswers { lens2, revenue_bridge, score_migration, segment_migration } = answers;
            let (from, to) = (pair[0].name.clone(), pair[1].name.clone());
            ComparisonReport { from, to, lens2, revenue_bridge, score_migration, segment_migration }
        };
        Report {
            lensflow: env!("CARGO_PKG_VERSION").to_owned(),
            input,
            cut_points: None,
            windows: (0..).zip(windows).zip(of_windows).map(&mut window).collect(),
            comparisons: windows.windows(2).zip(of_pairs).map(pair).collect(),
            cohorts: None,
            cohort_comparisons: None,
            health: None,
            warnings,
        }
    }

    /// Says what cohorts do.
    pub(crate) fn set_cohorts(&mut self, all: Cohorts) {
        let Cohorts { cohorts, comparisons, health } = all;
        (self.cohorts, self.cohort_comparisons, self.health) = (Some(cohorts), Some(comparisons), Some(health));
    }

    /// Says from when to when there are data, and which windows they cover in part.
    pub(crate) fn set_span(&mut self, span: Option<Span>, as_of: Option<i64>) {
        let Some(span) = span else { return };
        (self.input.first_day, self.input.last_day) = (Some(coverage::day(span.first)), Some(coverage::day(span.last)));
        let warnings = coverage::mark(&mut self.windows, span, as_of);
        self.warnings.extend(warnings);
    }

    /// JSON, indented, with a newline at the end. Money and percentages are numbers with two decimals, such as `12.50`: see
    /// [`json_text`], which can also write them as texts. Either is read back by `Deserialize`, exactly.
    ///
    /// # Errors
    /// Never, in practice: every field has a JSON form.
    pub fn to_json(&self) -> Result<String> {
        json_text::to_json(self, JsonNumbers::Number)
    }
}
