//! Tables of segments for people: how many customers each has, what they bring, and who moved.

use super::text_tables::{Page, Style};
use super::{ComparisonReport, Report, WindowReport};
use crate::base::text::grouped;
use crate::lens::segment_counts::{INACTIVE, SegmentAnswer};

/// The moves between segments of all pairs of windows, in so many columns of text.
pub fn render_moves(report: &Report, style: Style, width: usize) -> String {
    let mut page = Page::new(style, width);
    page.segments(&report.windows);
    report.comparisons.iter().for_each(|pair| page.moves(pair, &report.windows));
    page.text.trim_start().to_owned()
}

/// The names that occur, in the order of the rules; those who are not active last.
fn ordered<'a>(occur: impl Iterator<Item = &'a String>, windows: &'a [WindowReport]) -> Vec<&'a str> {
    let occur: std::collections::BTreeSet<&str> = occur.map(String::as_str).collect();
    let rules = windows.first().into_iter().flat_map(|window| &window.segments).map(|segment| segment.segment.as_str());
    rules.chain([INACTIVE]).filter(|name| occur.contains(name)).collect()
}

impl Page {
    /// Segments of windows side by side.
    pub(super) fn segments(&mut self, windows: &[WindowReport]) {
        let Some(first) = windows.first().filter(|window| !window.segments.is_empty()) else { return };
        let names: Vec<String> = windows.iter().map(|w| w.name.clone()).collect();
        let mut table = |heading: &str, of: &dyn Fn(&SegmentAnswer) -> String| {
            self.heading(heading);
            let row = |at: usize| {
                let cells = windows.iter().map(|w| w.segments.get(at).map(of).unwrap_or_default());
                (first.segments[at].segment.clone(), cells.collect::<Vec<_>>())
            };
            let is_empty = |at: &usize| windows.iter().all(|w| w.segments.get(*at).is_none_or(|s| s.customers == 0));
            let rows: Vec<_> = (0..first.segments.len()).filter(|at| !is_empty(at)).map(row).collect();
            self.side_by_side(&names, &rows);
        };
        table("Segments: customers", &|segment| grouped(segment.customers));
        table("Segments: share of revenue in %", &|segment| segment.revenue_pct.to_string());
    }

    /// Who moved from which segment to which, between two windows.
    pub(super) fn moves(&mut self, pair: &ComparisonReport, windows: &[WindowReport]) {
        let Some(moves) = pair.segment_migration.as_ref().filter(|moves| !moves.is_empty()) else { return };
        self.heading(&format!("Moves between segments, from {} (down) to {} (across): customers", pair.from, pair.to));
        let from = ordered(moves.keys(), windows);
        let to = ordered(moves.values().flat_map(|to| to.keys()), windows);
        let count = |from: &str, to: &str| moves.get(from).and_then(|all| all.get(to)).map_or(String::new(), |n| grouped(*n));
        let rows: Vec<_> = from.iter().map(|from| ((*from).to_owned(), to.iter().map(|to| count(from, to)).collect())).collect();
        let break_names = |name: &str| if self.style == Style::Text { name.replace(' ', "\n") } else { name.to_owned() };
        self.side_by_side(&to.iter().map(|name| break_names(name)).collect::<Vec<_>>(), &rows);
    }
}
