//! A partial of Lens 1 with its windows, and its answers.

use super::Tally;
use crate::base::error::Result;
use crate::base::merge::Merge;
use crate::base::money::Fixed2;
use crate::base::text::{counted, grouped};
use crate::lens::cohort_answers::Cohorts;
use crate::lens::cohorts::CohortSums;
use crate::lens::distribution::ScoreCell;
use crate::lens::lens1::Lens1Metrics;
use crate::lens::more::More;
use crate::lens::sketch::CustomerSketch;
use crate::model::reject::Reason;
use crate::model::window::Window;
use crate::ranks::histogram::Histogram;
use crate::ranks::order_stats::Ranks;
use crate::ranks::score::Scorer;
#[cfg(feature = "text")]
use crate::report::text_tables::{Style, render_windows};
use crate::report::{Report, WindowReport};
use crate::spec::{validate_bins, validate_percentiles};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

/// Whether each customer of a window is counted once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Counted {
    /// It is known: one run counted them all, or the sketches of all parts hold all of their customers.
    Once,
    /// The caller who merged it said so.
    Assumed,
}

/// The rows that a partial was made of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Rows {
    /// Rows in all.
    pub read: u64,
    /// Rows that count, in a window or as history.
    pub accepted: u64,
    /// Rows left out, by reason.
    pub rejected: BTreeMap<Reason, u64>,
}

impl Merge for Rows {
    fn merge(&mut self, other: Rows) {
        self.read.merge(other.read);
        self.accepted.merge(other.accepted);
        Merge::merge(&mut self.rejected, other.rejected);
    }
}

/// Lens 1 of some windows, to be combined with that of other customers.
#[derive(Debug)]
pub struct Lens1Partial {
    /// The name for messages.
    pub(super) name: String,
    pub(super) counted: Counted,
    pub(super) rows: Rows,
    pub(super) cohorts: Option<CohortSums>,
    pub(super) windows: Vec<WindowPartial>,
}

/// The part of a partial that is about one window.
#[derive(Debug)]
pub struct WindowPartial {
    pub(super) window: Window,
    pub(super) customers_rejected: BTreeMap<Reason, u64>,
    pub(super) tally: Tally,
}

/// Lens 1 of a window, as far as partials tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WindowLens1 {
    /// Every number; the distribution of three-digit scores is empty.
    pub lens1: Lens1Metrics,
    /// Customers per recency and frequency score, two digits, for those that occur.
    pub rf_distribution: BTreeMap<String, u64>,
    /// Their orders and revenue, too; nothing where a partial of version 1 is part of it, which has no spend of pairs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rf_cells: Option<BTreeMap<String, ScoreCell>>,
    /// Who brings how much of the revenue, and how orders and spends are distributed; without cells of three-digit scores.
    #[serde(default)]
    pub more: More,
    /// Customers left out of the window, by reason.
    pub customers_rejected: BTreeMap<Reason, u64>,
}

impl Lens1Partial {
    /// That of a run: its report, and what the lens [`Partials`](super::Partials) answered beside it.
    pub fn new(report: &Report, tallies: Vec<Tally>) -> Self {
        let window = |(said, tally): (&WindowReport, Tally)| {
            let &WindowReport { start, end, observation_end, .. } = said;
            let window = Window { name: said.name.clone(), start, end, observation_end };
            WindowPartial { window, customers_rejected: said.customers_rejected.clone(), tally }
        };
        let input = &report.input;
        Lens1Partial {
            name: "the partial".to_owned(),
            counted: Counted::Once,
            rows: Rows { read: input.rows_read, accepted: input.rows_accepted, rejected: input.rows_rejected.clone() },
            cohorts: None,
            windows: report.windows.iter().zip(tallies).map(window).collect(),
        }
    }

    /// With the sums of cohorts: those of the same run, [`Audit::cohort_sums`](crate::Audit::cohort_sums).
    #[must_use]
    pub fn with_cohorts(mut self, sums: Option<CohortSums>) -> Self {
        self.cohorts = sums;
        self
    }

    /// Lenses 3, 4 and 5, where the partial has cohorts: as the audit of all its customers reports them.
    pub fn cohorts(&self) -> Option<Cohorts> {
        let windows = || self.windows.iter().map(|window| window.window.name.as_str());
        self.cohorts.as_ref().map(|sums| Cohorts::new(windows(), sums))
    }

    /// Under the name that messages are to use.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The name for messages: as a rule, its file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its windows, in time order.
    pub fn windows(&self) -> &[WindowPartial] {
        &self.windows
    }

    /// The rows that it was made of.
    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    /// The counts of the lens, to be sent or merged as its partial.
    pub fn into_tallies(self) -> Vec<Tally> {
        self.windows.into_iter().map(|window| window.tally).collect()
    }

    /// Whether each customer is known to be counted once.
    pub fn counted(&self) -> Counted {
        self.counted
    }
}

impl WindowPartial {
    /// The window.
    pub fn window(&self) -> &Window {
        &self.window
    }

    /// The number of customers.
    pub fn customers(&self) -> u64 {
        self.tally.pairs.customers()
    }

    /// Customers left out, by reason.
    pub fn customers_rejected(&self) -> &BTreeMap<Reason, u64> {
        &self.customers_rejected
    }

    /// The sketch of its customers.
    pub fn sketch(&self) -> CustomerSketch {
        self.tally.sketch.compact()
    }

    /// Lens 1. The distribution of scores is empty: see [`grid`](WindowPartial::grid).
    ///
    /// # Errors
    /// A percentile outside 1 to 100.
    pub fn lens1(&self, percentiles: &[u32]) -> Result<Lens1Metrics> {
        validate_percentiles(percentiles)?;
        let [_, frequency] = self.tally.pairs.histograms();
        Ok(Lens1Metrics::new(&Ranks::new(&frequency), &Ranks::new(&self.tally.spend), percentiles, BTreeMap::new()))
    }

    /// Customers, orders and revenue per recency and frequency score, two digits such as `"54"`, for those that occur. Revenue is 0 where a
    /// partial of version 1 is part of it: see [`answer`](WindowPartial::answer).
    ///
    /// # Errors
    /// Fewer than 1 bin or more than 9.
    pub fn grid(&self, bins: u32) -> Result<BTreeMap<String, ScoreCell>> {
        validate_bins(bins)?;
        let [recency, frequency] = self.tally.pairs.histograms();
        let none = Ranks::new(&Histogram::default());
        let scorer = Scorer::new(&Ranks::new(&recency), &Ranks::new(&frequency), &none, [bins; 3]);
        let mut grid: BTreeMap<String, ScoreCell> = BTreeMap::new();
        for pair in self.tally.pairs.iter() {
            let [r, f, _] = scorer.score(pair.recency.into(), pair.frequency, 0);
            let orders = i128::from(pair.frequency).saturating_mul(pair.customers.into());
            let cell = ScoreCell { customers: pair.customers, orders, revenue: Fixed2::from_hundredths(pair.spend) };
            grid.entry(format!("{r}{f}")).or_default().merge(cell);
        }
        Ok(grid)
    }

    /// What there is beside Lens 1. No score cells: see [`grid`](WindowPartial::grid).
    pub fn more(&self) -> More {
        let [_, frequency] = self.tally.pairs.histograms();
        let spend = Ranks::new(&self.tally.spend);
        // Exact histograms leave no coefficient open.
        let gini = spend.gini().unwrap_or_default();
        More::new(&Ranks::new(&frequency), &spend, gini, BTreeMap::new())
    }

    /// All that it answers.
    ///
    /// # Errors
    /// Those of [`lens1`](WindowPartial::lens1) and [`grid`](WindowPartial::grid).
    pub fn answer(&self, percentiles: &[u32], bins: u32) -> Result<WindowLens1> {
        let grid = self.grid(bins)?;
        Ok(WindowLens1 {
            lens1: self.lens1(percentiles)?,
            rf_distribution: grid.iter().map(|(score, cell)| (score.clone(), cell.customers)).collect(),
            rf_cells: self.tally.pairs.spend_known().then_some(grid),
            more: self.more(),
            customers_rejected: self.customers_rejected.clone(),
        })
    }
}

/// Lens 1 of windows side by side under their names, and their grids of recency and frequency scores.
#[cfg(feature = "text")]
pub fn render_partials(windows: &[(String, &Window, &WindowLens1)], style: Style) -> String {
    let report = |(name, window, answer): &(String, &Window, &WindowLens1)| {
        // A grid has no use for the third digit.
        let lens1 = Lens1Metrics { rfm_distribution: answer.rf_distribution.clone(), ..answer.lens1.clone() };
        let &&Window { start, end, observation_end, .. } = window;
        WindowReport {
            name: name.clone(),
            start,
            end,
            observation_end,
            covered_from: None,
            covered_until: None,
            lens1,
            more: More::default(),
            segments: Vec::new(),
            segment_cells: BTreeMap::new(),
            customers_rejected: BTreeMap::new(),
            customers_rejected_amount: BTreeMap::new(),
        }
    };
    render_windows(&windows.iter().map(report).collect::<Vec<_>>(), style)
}

/// For people.
impl Display for Lens1Partial {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let known = match self.counted {
            Counted::Once => "each customer of a window counts once",
            Counted::Assumed => "that no customer is in two of its parts was said at the merge, not found",
        };
        writeln!(f, "Lens 1 of {}; {known}", counted(self.windows.len(), "window", "windows"))?;
        let Rows { read, accepted, rejected } = &self.rows;
        let left_out: u64 = rejected.values().sum();
        writeln!(f, "{} rows read, {} accepted, {} rejected", grouped(read), grouped(accepted), grouped(left_out))?;
        for (reason, count) in rejected {
            writeln!(f, "  rows rejected, {reason}: {}", grouped(count))?;
        }
        if let Some(Cohorts { cohorts, .. }) = self.cohorts() {
            writeln!(f, "{} with customers", counted(cohorts.len(), "cohort", "cohorts"))?;
        }
        for window in &self.windows {
            let (amounts, pairs, sketch) = (window.tally.spend.sorted().len(), window.tally.pairs.len(), window.sketch());
            let exact = if sketch.is_exact() { "all of them" } else { "a sample of them" };
            writeln!(f, "\n{}", super::merge_partials::shown(&window.window))?;
            writeln!(f, "  {} customers; the sketch holds {exact}", grouped(window.customers()))?;
            writeln!(f, "  {} amounts, {} pairs of recency and frequency", grouped(amounts), grouped(pairs))?;
            for (reason, count) in &window.customers_rejected {
                writeln!(f, "  customers left out, {reason}: {}", grouped(count))?;
            }
        }
        Ok(())
    }
}
