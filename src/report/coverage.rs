//! How much of each window the data cover: the marks of windows that lie partly before or after the data, and the warnings about them.
//!
//! A window is covered in part when a tenth of it or more, and at least a day, lies after the last day of the data, or before the first.
//! Nothing is said of less: a shop need not sell on each day. The numbers are what they are; only comparing them is unfair.

use super::WindowReport;
use crate::base::text::{counted, grouped};
use crate::base::time::{DAY, to_datetime};
use crate::model::window::Span;
use chrono::NaiveDate;

/// The day that holds a moment.
pub(super) fn day(timestamp: i64) -> NaiveDate {
    to_datetime(timestamp).date()
}

/// Marks the windows that the data cover in part; gives a warning for each. Where rows are periods, data begin with the first of them.
pub(super) fn mark(windows: &mut [WindowReport], span: Span, as_of: Option<i64>) -> Vec<String> {
    let last = windows.len().saturating_sub(1);
    let names: Vec<String> = windows.iter().map(|window| window.name.clone()).collect();
    let seen_until = as_of.map_or(span.day_after(), |as_of| as_of.min(span.day_after()));
    let mut warnings = Vec::new();
    for (at, window) in windows.iter_mut().enumerate() {
        let (start, end) = (window.start, window.end);
        let is_much = |missing: i64| missing >= DAY && missing.saturating_mul(10) >= end - start;
        let until = seen_until.clamp(start, end);
        let from = span.first_day().clamp(start, end);
        window.covered_until = is_much(end - until).then(|| day(seen_until - 1));
        window.covered_from = is_much(from - start).then(|| day(span.first));
        let covered = match (window.covered_from, window.covered_until) {
            (None, None) => continue,
            _ if until <= start || from >= end => "not covered by the data".to_owned(),
            (Some(from), None) => format!("covered from {from} on"),
            (None, Some(until)) => format!("covered until {until}"),
            (Some(from), Some(until)) => format!("covered from {from} until {until}"),
        };
        // A day that is there in part counts as one.
        let days = |length: i64| (length + DAY - 1) / DAY;
        let part = format!("{} of {}", grouped(days((until - from).max(0))), counted(days(end - start), "day", "days"));
        let compared = match at {
            _ if last == 0 => String::new(),
            0 => format!(": changes from it to {} compare unequal spans", names[1]),
            _ => format!(": changes from {} to it compare unequal spans", names[at - 1]),
        };
        warnings.push(format!("{} is {covered}, {part}{compared}", window.name));
    }
    warnings
}
