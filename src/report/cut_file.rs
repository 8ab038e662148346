//! The cut points of one window as a file, with where they come from: other windows are scored by it with `--cuts`.

use super::Report;
use crate::base::error::{Error, Result};
use crate::base::text::{counted, shortened, visible_name};
use crate::base::time::iso;
use crate::ranks::cut_points::{CutPoints, MeasureCuts};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A file of cut points, version 1.
///
/// ```
/// use lensflow::report::CutFile;
///
/// let file = r#"{"version": 1, "lensflow": "0.1.0", "window": "2023-03", "start": "2023-03-01T00:00:00Z", "end": "2023-04-01T00:00:00Z",
///     "observation_end": "2023-04-01T00:00:00Z", "sources": ["march.csv"], "rows_accepted": 900, "customers": 300, "bins": 5,
///     "measures": {"frequency": {"cut_points": ["1", "2"], "edges": ["1", "1", "2", "9"], "effective_bins": 3}}}"#;
/// let cuts = CutFile::from_json(file)?.cut_points()?;
/// assert_eq!(cuts.frequency.unwrap().best_score(), 3);
/// # Ok::<(), lensflow::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CutFile {
    version: u32,
    /// The version of lensflow that wrote it.
    pub lensflow: String,
    /// The window's name.
    pub window: String,
    /// Inclusive.
    #[serde(with = "iso")]
    pub start: i64,
    /// Exclusive.
    #[serde(with = "iso")]
    pub end: i64,
    /// Recency counted back from here.
    #[serde(with = "iso")]
    pub observation_end: i64,
    /// The inputs by name.
    pub sources: Vec<String>,
    /// Rows that counted in the run.
    pub rows_accepted: u64,
    /// Customers of the window.
    pub customers: u64,
    /// The score bins that were asked for.
    pub bins: u32,
    /// By `recency`, `frequency` and `monetary`.
    pub measures: BTreeMap<String, MeasureFile>,
}

/// The cut points of one measure in a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeasureFile {
    /// The edges between scores, ascending; null where the window had at most one distinct value.
    pub cut_points: MeasureCuts,
    /// All edges, with the lowest and the highest value, as exact decimals.
    pub edges: Vec<String>,
    /// The scores that occur: fewer than the bins where many customers have one value.
    pub effective_bins: u32,
}

const VERSION: u32 = 1;

impl CutFile {
    /// Of a window of a report, given all edges of recency, frequency and monetary scores.
    ///
    /// # Errors
    /// A window without customers: it has no cut points to score others by.
    pub(crate) fn new(report: &Report, window: usize, bins: u32, edges: [Option<Vec<f64>>; 3]) -> Result<Self> {
        let said = report.windows.get(window).ok_or_else(|| Error::internal("a window that is not there"))?;
        if said.lens1.total_customers == 0 {
            let what = format!("window {} has no customers, and so no cut points", said.name);
            return Err(Error::data(what).help("name a window that has some with `cuts_window`"));
        }
        let measure = |edges: Option<Vec<f64>>| MeasureFile {
            cut_points: MeasureCuts::inner(edges.as_deref()),
            effective_bins: edges.as_ref().map_or(1, |edges| edges.len().saturating_sub(1).max(1) as u32),
            // Given cut points have no lowest and highest edge.
            edges: edges.iter().flatten().filter(|edge| edge.is_finite()).map(|&edge| MeasureCuts::exact(edge)).collect(),
        };
        Ok(CutFile {
            version: VERSION,
            lensflow: report.lensflow.clone(),
            window: said.name.clone(),
            start: said.start,
            end: said.end,
            observation_end: said.observation_end,
            sources: report.input.sources.clone(),
            rows_accepted: report.input.rows_accepted,
            customers: said.lens1.total_customers,
            bins,
            measures: CutPoints::MEASURES.iter().map(|name| (*name).to_owned()).zip(edges.map(measure)).collect(),
        })
    }

    /// Reads a file's text.
    ///
    /// # Errors
    /// No such JSON, or one of a version to come.
    pub fn from_json(text: &str) -> Result<Self> {
        let help = "an audit writes such a file with `cuts_out`";
        let wrong = |what: String| Error::data(format!("no file of cut points: {}", what.replace('`', "\""))).help(help);
        let file: CutFile = serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|e| wrong(e.to_string()))?;
        if file.measures.is_empty() {
            return Err(wrong("it has no measures".to_owned()));
        }
        if file.version != VERSION {
            let what = format!("cut points of version {}, and this lensflow reads version {VERSION}", file.version);
            return Err(Error::data(what).help("use the lensflow that wrote it, or a newer one"));
        }
        Ok(file)
    }

    /// The cut points to score other windows by, and where they come from.
    ///
    /// # Errors
    /// A measure that there is not.
    pub fn cut_points(&self) -> Result<CutPoints> {
        let mut all = CutPoints::default();
        for (name, measure) in &self.measures {
            let Some(slot) = all.measure(name) else { return Err(Error::data(format!("{name:?} is no measure that is scored"))) };
            *slot = Some(measure.cut_points.clone());
        }
        let customers = counted(self.customers, "customer", "customers");
        let sources = match &self.sources[..] {
            [] => "no input".to_owned(),
            [first] => shortened(first, 80).into_owned(),
            [first, others @ ..] => format!("{} and {} more", shortened(first, 80), others.len()),
        };
        let from = format!("window {} of {sources} ({customers})", shortened(&self.window, 80));
        all.from = Some(visible_name(&from).into_owned());
        Ok(all)
    }
}
