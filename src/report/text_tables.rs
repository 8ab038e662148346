//! The answers as tables for people: in the terminal, as a text file, or as Markdown.

use super::{ComparisonReport, Report, WindowReport};
use crate::base::money::{Fixed2, Money};
use crate::base::text::{counted, grouped, money};
use crate::model::reject::Reason;
use crate::orders::{LineSummary, special_lines};
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle, presets};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::{Display, Write};

/// A rule under the header and nothing else: numbers are read down a column.
const RULED: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));
/// Tables are split so that they stay within this many columns of text, where nothing else is said.
pub const WIDTH: usize = 100;
/// Between tables side by side.
const GAP: usize = 4;

/// How tables look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Style {
    /// Lines drawn with box characters.
    Text,
    /// GitHub's Markdown.
    Markdown,
}

/// The whole report, in [`WIDTH`] columns.
pub fn render(report: &Report, style: Style) -> String {
    render_within(report, style, WIDTH)
}

/// The whole report; as text, its tables are split so that they stay within so many columns, as far as a label and one column do.
pub fn render_within(report: &Report, style: Style, width: usize) -> String {
    let mut page = Page::new(style, width);
    page.input(report);
    page.lens1(&report.windows);
    page.grids(&report.windows);
    page.segments(&report.windows);
    page.lens2(&report.comparisons);
    // The newest: all of them are in JSON.
    report.comparisons.iter().next_back().into_iter().for_each(|pair| page.moves(pair, &report.windows));
    page.cohorts(report);
    page.text
}

/// Lens 1 of windows side by side, and their grids.
pub fn render_windows(windows: &[WindowReport], style: Style) -> String {
    let mut page = Page::new(style, WIDTH);
    page.lens1(windows);
    page.grids(windows);
    page.text.trim_start().to_owned()
}

/// A text that grows.
pub(super) struct Page {
    pub(super) style: Style,
    width: usize,
    pub(super) text: String,
}

impl Page {
    pub(super) fn new(style: Style, width: usize) -> Self {
        Page { style, width, text: String::new() }
    }

    fn line(&mut self, text: impl Display) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{text}");
    }

    pub(super) fn heading(&mut self, text: &str) {
        if !self.text.ends_with("\n\n") {
            self.line("");
        }
        match self.style {
            Style::Text => self.line(text),
            Style::Markdown => self.line(format_args!("## {text}\n")),
        }
    }

    fn input(&mut self, report: &Report) {
        let input = &report.input;
        if self.style == Style::Markdown {
            self.line("# Customer-base audit\n");
        }
        let rejected: u64 = input.rows_rejected.values().sum();
        let sources = match input.sources.as_slice() {
            [one] => self.escaped(one),
            many => format!("{} inputs", many.len()),
        };
        let customers = counted(input.customers, "customer", "customers");
        match &input.transactions {
            Some(LineSummary { lines, orders, lines_rejected, .. }) => self.line(format_args!(
                "{sources}: {customers}, {} of {}, {} rejected",
                counted(*orders, "order", "orders"),
                counted(*lines, "line", "lines"),
                counted(lines_rejected.values().sum::<u64>(), "line", "lines")
            )),
            None => self.line(format_args!(
                "{sources}: {customers}, {} read, {} accepted, {} rejected",
                counted(input.rows_read, "row", "rows"),
                grouped(input.rows_accepted),
                grouped(rejected)
            )),
        }
        if let Some((first, last)) = input.first_day.zip(input.last_day) {
            self.line(format_args!("{}data from {first} to {last}", if self.style == Style::Markdown { "\n" } else { "" }));
        }
        if let Some(cuts) = &report.cut_points {
            let given = cuts.given().map(|(measure, given)| format!("{measure} {given}"));
            let from = cuts.from.as_ref().map(|from| format!(" ({from})")).unwrap_or_default();
            let gap = if self.style == Style::Markdown { "\n" } else { "" };
            self.line(format_args!("{gap}scored by given cut points: {}{from}", given.collect::<Vec<_>>().join("; ")));
        }
        let bullet = if self.style == Style::Markdown { "- " } else { "  " };
        if self.style == Style::Markdown {
            self.line("");
        }
        for said in input.transactions.iter().flat_map(special_lines) {
            self.line(format_args!("{bullet}{said}"));
        }
        for (reason, count) in &input.rows_rejected {
            self.line(format_args!("{bullet}rows rejected, {reason}: {}", grouped(*count)));
        }
        for window in &report.windows {
            for (&reason, &count) in &window.customers_rejected {
                let amount = window.customers_rejected_amount.get(&reason).copied().unwrap_or_default();
                let who = match reason {
                    Reason::NoOrders if amount < Money::ZERO => "who only gave money back".to_owned(),
                    Reason::NoOrders => "without an order".to_owned(),
                    Reason::NegativeSpend => "who got back more than they spent".to_owned(),
                    _ => format!("({reason})"),
                };
                let customers = counted(count, &format!("customer {who}"), &format!("customers {who}"));
                self.line(format_args!("{bullet}left out of {}: {customers}, {}", window.name, money(amount)));
            }
        }
        for warning in &report.warnings {
            self.line(format_args!("{bullet}warning: {warning}"));
        }
        if report.windows.is_empty() {
            self.line(format_args!("{bullet}no row lies in any window"));
        }
    }

    fn lens1(&mut self, windows: &[WindowReport]) {
        if windows.is_empty() {
            return;
        }
        self.heading("Lens 1: each period");
        let mut rows: Vec<(String, Vec<String>)> = Vec::new();
        let mut row = |label: &str, of: &dyn Fn(&WindowReport) -> String| {
            rows.push((label.to_owned(), windows.iter().map(of).collect()));
        };
        row("from", &|w| day(w.start));
        row("to, exclusive", &|w| day(w.end));
        if windows.iter().any(|w| w.observation_end != w.end) {
            row("as of", &|w| day(w.observation_end));
        }
        let shown = |day: Option<chrono::NaiveDate>| day.map(|day| day.to_string()).unwrap_or_default();
        if windows.iter().any(|w| w.covered_from.is_some()) {
            row("data from", &|w| shown(w.covered_from));
        }
        if windows.iter().any(|w| w.covered_until.is_some()) {
            row("data until", &|w| shown(w.covered_until));
        }
        row("customers", &|w| grouped(w.lens1.total_customers));
        row("one-time buyers", &|w| grouped(w.lens1.one_time_buyers));
        row("one-time buyers %", &|w| w.lens1.one_time_buyer_pct.to_string());
        row("orders", &|w| grouped(w.lens1.total_orders));
        row("orders per customer", &|w| w.lens1.avg_orders_per_customer.to_string());
        row("revenue", &|w| money(w.lens1.total_revenue));
        row("median customer value", &|w| money(w.lens1.median_customer_value));
        for percentile in windows[0].lens1.revenue_concentration.keys() {
            let share = |w: &WindowReport| w.lens1.revenue_concentration.get(percentile).map(Fixed2::to_string).unwrap_or_default();
            row(&format!("revenue of top {percentile} %, in %"), &share);
        }
        self.side_by_side(&windows.iter().map(|w| w.name.clone()).collect::<Vec<_>>(), &rows);
    }

    fn grids(&mut self, windows: &[WindowReport]) {
        let shown: Vec<&WindowReport> = windows.iter().filter(|w| !w.lens1.rfm_distribution.is_empty()).collect();
        if shown.is_empty() {
            return;
        }
        self.heading("RFM grid: customers by recency score (R, down) and frequency score (F, across)");
        let mut tables = Vec::new();
        for window in shown {
            let mut cells: BTreeMap<(char, char), u64> = BTreeMap::new();
            for (score, count) in &window.lens1.rfm_distribution {
                let mut digits = score.chars();
                if let (Some(r), Some(f)) = (digits.next(), digits.next()) {
                    *cells.entry((r, f)).or_default() += count;
                }
            }
            let recency: std::collections::BTreeSet<char> = cells.keys().map(|k| k.0).collect();
            let frequency: std::collections::BTreeSet<char> = cells.keys().map(|k| k.1).collect();
            let mut table = self.table(std::iter::once(window.name.clone()).chain(frequency.iter().map(|f| format!("F{f}"))));
            for r in recency.iter().rev() {
                let counts = frequency.iter().map(|f| cells.get(&(*r, *f)).map_or("0".to_owned(), |n| grouped(*n)));
                table.add_row(std::iter::once(format!("R{r}")).chain(counts));
            }
            tables.push(table);
        }
        match self.style {
            Style::Markdown => tables.into_iter().for_each(|table| self.show(table)),
            Style::Text => self.in_rows(tables),
        }
    }

    /// As many small tables beside each other as fit.
    fn in_rows(&mut self, tables: Vec<Table>) {
        let blocks: Vec<Vec<String>> = tables.into_iter().map(|table| aligned(table).lines().map(str::to_owned).collect()).collect();
        let width = |block: &Vec<String>| block.iter().map(|line| line.chars().count()).max().unwrap_or(0);
        let mut from = 0;
        while from < blocks.len() {
            let (mut to, mut used) = (from, 0);
            while to < blocks.len() && (to == from || used + width(&blocks[to]) <= self.width) {
                used += width(&blocks[to]) + GAP;
                to += 1;
            }
            for line in 0..blocks[from..to].iter().map(Vec::len).max().unwrap_or(0) {
                let cells = blocks[from..to].iter().map(|b| format!("{:<1$}", b.get(line).map_or("", String::as_str), width(b) + GAP));
                let text: String = cells.collect();
                self.line(text.trim_end());
            }
            self.line("");
            from = to;
        }
    }

    fn lens2(&mut self, comparisons: &[ComparisonReport]) {
        if comparisons.is_empty() {
            return;
        }
        self.heading("Lens 2: period against period");
        let mut rows: Vec<(String, Vec<String>)> = Vec::new();
        let mut row = |label: &str, of: &dyn Fn(&ComparisonReport) -> String| {
            rows.push((label.to_owned(), comparisons.iter().map(of).collect()));
        };
        row("retained", &|c| grouped(c.lens2.retained));
        row("churned", &|c| grouped(c.lens2.churned));
        row("new", &|c| grouped(c.lens2.new));
        row("of them reactivated", &|c| grouped(c.lens2.reactivated));
        row("retention %", &|c| c.lens2.retention_rate.to_string());
        row("churn %", &|c| c.lens2.churn_rate.to_string());
        row("reactivation %", &|c| c.lens2.reactivation_rate.to_string());
        row("change in customers", &|c| signed(grouped(c.lens2.customer_count_change)));
        row("change in revenue %", &|c| signed(c.lens2.revenue_change_pct.to_string()));
        row("change in order value %", &|c| signed(c.lens2.avg_order_value_change_pct.to_string()));
        let arrow = if self.style == Style::Text { "\n→ " } else { " → " };
        let names: Vec<String> = comparisons.iter().map(|c| format!("{}{arrow}{}", c.from, c.to)).collect();
        self.side_by_side(&names, &rows);
        if comparisons.iter().any(|c| c.lens2.reactivated > 0) {
            self.line("reactivated: not in the earlier period, but first bought before it\n");
        }
    }

    /// A table with a label column and as many others as fit, then another, until all are shown.
    pub(super) fn side_by_side(&mut self, names: &[String], rows: &[(String, Vec<String>)]) {
        let label = rows.iter().map(|r| r.0.chars().count()).max().unwrap_or(0) + 2;
        let mut from = 0;
        while from < names.len() {
            let (mut to, mut width) = (from, label);
            while to < names.len() {
                let cells = rows.iter().map(|r| r.1[to].as_str()).chain(names[to].lines());
                // A blank on either side, and the rule between columns.
                width += cells.map(|c| c.chars().count()).max().unwrap_or(0) + 3;
                if width > self.width && to > from && self.style == Style::Text {
                    break;
                }
                to += 1;
            }
            let mut table = self.table(std::iter::once(String::new()).chain(names[from..to].iter().cloned()));
            for (label, cells) in rows {
                table.add_row(std::iter::once(self.escaped(label)).chain(cells[from..to].iter().cloned()));
            }
            self.show(table);
            from = to;
        }
    }

    fn table(&self, header: impl Iterator<Item = String>) -> Table {
        let header: Vec<String> = header.map(|name| self.escaped(&name)).collect();
        let mut table = Table::new();
        table.load_style(match self.style {
            Style::Text => RULED,
            Style::Markdown => presets::ASCII_MARKDOWN,
        });
        table.set_content_arrangement(ContentArrangement::Disabled).set_header(header);
        table
    }

    /// A name from outside, where a bar would end a cell.
    fn escaped(&self, name: &str) -> String {
        if self.style == Style::Markdown { name.replace('|', "\\|").replace('<', "&lt;") } else { name.to_owned() }
    }

    fn show(&mut self, table: Table) {
        self.line(format_args!("{}\n", aligned(table)));
    }
}

/// The text of a table whose numbers stand to the right.
fn aligned(mut table: Table) -> String {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}

/// A timestamp without its clock where that says nothing.
fn day(timestamp: i64) -> String {
    let text = crate::base::time::format_timestamp(timestamp);
    text.strip_suffix("T00:00:00").map(str::to_owned).unwrap_or(text)
}

pub(super) fn signed(text: String) -> String {
    if text.starts_with('-') || text.trim_matches(['0', '.']).is_empty() { text } else { format!("+{text}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([grouped(0), grouped(999), grouped(1_000), grouped(-1_234_567)], ["0", "999", "1,000", "-1,234,567"]);
        assert_eq!(money(Fixed2::from_hundredths(250_031_563)), "2,500,315.63");
        assert_eq!([signed("0.00".into()), signed("5.20".into()), signed("-1.00".into())], ["0.00", "+5.20", "-1.00"]);
    }
}
