//! What scores and segments are made by: cut points and rules, from texts and files.

use crate::layers::Said;
use crate::options::value_types::SegmentsAction;
use crate::options::{Kind, Options};
use lensflow::error::Error;
use lensflow::jobs::read_cut_points;
use lensflow::model::Segments;
use lensflow::{CutPoints, Result};

/// How the name of the segments that come with the program is written.
const STANDARD: &str = "standard";

/// Cut points and segments.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scoring {
    pub(crate) cut_points: CutPoints,
    pub(crate) segments: Option<Segments>,
}

/// Reads what is said of them.
///
/// # Errors
/// Files that cannot be read, and what is in them or said that makes no sense, with its place.
pub(super) fn scoring(said: &Said, options: &Options) -> Result<Scoring> {
    let named = |key: &str, error: Error| match said.get(key) {
        Some(entry) => entry.refused(error),
        None => error,
    };
    let cut_points = read_cut_points(options.rfm.cuts.as_deref().unwrap_or_default()).map_err(|e| named("rfm.cuts", e))?;
    let is_check = said.kind == Kind::Segments && options.segments.action == Some(SegmentsAction::Check);
    let (key, rules) = match is_check {
        true => ("segments.of", &options.segments.of),
        false => ("rfm.segments", &options.rfm.segments),
    };
    let segments = rules.as_deref().map(segments).transpose().map_err(|e| named(key, e))?;
    Ok(Scoring { cut_points, segments })
}

fn segments(name: &str) -> Result<Segments> {
    if name == STANDARD {
        return Ok(Segments::standard());
    }
    let unread = |e| Error::io("cannot read the segments", e).input(name).help("name a TOML file of rules, or say standard");
    let text = std::fs::read_to_string(name).map_err(unread)?;
    let refused = |e: toml::de::Error| {
        let help = "a [[segment]] has a name and ranges of r, f, m, orders, recency_days, total_spend or monetary";
        // Words in backticks are options elsewhere.
        Error::usage(e.to_string().trim_end().replace('`', "\"")).input(name).help(help)
    };
    toml::from_str(&text).map_err(refused)
}
