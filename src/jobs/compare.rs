//! Lens 2 of any two windows of any two states. It is exact: the customers of both meet in one pipeline.

use crate::base::cancel::Cancel;
use crate::base::error::Result;
use crate::base::merge::Merge;
use crate::model::reject::OnBadRow;
use crate::model::window::{Window, Windows};
use crate::pipeline::Pipeline;
use crate::report::Report;
use crate::spec::Spec;
use crate::state::State;

/// A window of a state.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// The state.
    pub state: &'a State,
    /// The window.
    pub window: &'a Window,
}

/// Lens 1 of both windows and Lens 2 of the pair. The windows may overlap, or be one and the same of two states. Of the spec, only threads
/// and memory are looked at. Customers who are not valid in their window are left out and counted.
///
/// # Errors
/// When a window is no union of its state's, or a state has open rows; when anything cannot be read.
pub fn compare(a: Side<'_>, b: Side<'_>, spec: Spec, cancel: &Cancel) -> Result<Report> {
    let named = |side: Side<'_>| {
        let name = format!("{}@{}", side.state.path().display(), side.window.name);
        Window { name, ..side.window.clone() }
    };
    let windows = vec![named(a), named(b)];
    // The windows of a pipeline are in time order and apart. These need not be: they are told to it at the end.
    let spec = Spec { windows: Windows::List(vec![a.window.clone()]), on_bad_row: OnBadRow::Reject, cohorts: false, ..spec };
    let mut pipeline = Pipeline::builder().spec(spec).cancel(cancel.clone()).keep_rejects(false).build()?;
    pipeline.run_window(a.state, a.window, 0)?;
    pipeline.run_window(b.state, b.window, 1)?;
    let mut report = pipeline.finish_with(windows)?.report;
    let mut states = vec![a.state, b.state];
    states.dedup_by_key(|state| state.path());
    for state in states {
        report.input.sources.push(state.path().to_string_lossy().into_owned());
        report.input.rows_read += state.manifest().rows_read;
        report.input.rows_accepted += state.manifest().rows_accepted;
        Merge::merge(&mut report.input.rows_rejected, state.manifest().rows_rejected.clone());
    }
    Ok(report)
}
