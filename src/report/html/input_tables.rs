//! Data and policies: everything that the report says of its inputs, as rows of texts.
//!
//! What this page has words for has them; any other key of the JSON is shown by its name, so that nothing which a later version reports
//! is hidden.

use super::audited::Audited;
use super::figure::DataTable;
use super::report_json::{ReportJson, label, shortened};
use serde_json::Value;

/// Inputs, warnings and values of a list that are shown at most.
const LISTED: usize = 20;
/// Windows whose left-out customers are listed at most.
const WINDOWS: usize = 20;

/// Words for keys. Keys in [`TABLES`] have tables of their own.
const WORDS: &[(&str, &str)] = &[
    ("sources", "Inputs"),
    ("rows_read", "Rows read"),
    ("rows_accepted", "Rows accepted"),
    ("customers", "Customers"),
    ("first_day", "First day"),
    ("last_day", "Last day"),
    ("timezone", "Time zone"),
    ("transactions.lines", "Lines read"),
    ("transactions.orders", "Orders of customers"),
    ("transactions.refund_lines", "Lines that give money back"),
    ("transactions.refunds", "Money given back"),
    ("transactions.anonymous_lines", "Lines without a customer"),
    ("transactions.anonymous_dropped", "Worth of those left out"),
    ("transactions.anonymous_orders", "Orders without a customer"),
    ("transactions.anonymous_revenue", "Revenue of orders without a customer"),
    ("transactions.duplicate_lines", "Copies of lines left out"),
    ("transactions.duplicates", "Worth of these copies"),
];

const TABLES: [&str; 3] = ["rows_rejected", "transactions.lines_rejected", "transactions.rejected_amounts"];

/// Words for reasons.
const REASONS: &[(&str, &str)] = &[
    ("missing_value", "a value is missing"),
    ("bad_number", "not a number"),
    ("bad_timestamp", "not a date"),
    ("period_reversed", "ends before it starts"),
    ("negative_orders", "fewer than no orders"),
    ("amount_out_of_range", "amount too large"),
    ("straddles_window", "lies across a period's end"),
    ("after_observation_end", "after the end of what is seen"),
    ("no_orders", "no order in the period"),
    ("negative_spend", "got back more than they spent"),
];

fn reason(key: &str) -> String {
    let words = REASONS.iter().find(|reason| reason.0 == key).map(|reason| reason.1);
    words.map_or_else(|| shortened(key), |words| format!("{words} ({key})"))
}

/// What the report says of its inputs, and the tables of what was left out.
pub(super) fn input_tables(audited: &Audited<'_>) -> Vec<DataTable> {
    let (input, style) = (&audited.report["input"], audited.style);
    let mut facts = DataTable::new("What was read", 2, ["What", "Value"]);
    let mut found = Vec::new();
    list(input, "", &mut found);
    let place = |path: &str| WORDS.iter().position(|word| word.0 == path).unwrap_or(WORDS.len());
    found.sort_by_key(|(path, _)| place(path));
    for (path, value) in found {
        let known = WORDS.iter().find(|word| word.0 == path).map(|word| word.1.to_owned());
        let name = known.unwrap_or_else(|| shortened(&path.replace(['_', '.'], " ")));
        facts.row([name, written(audited, value)]);
    }
    facts.row(["Made by".to_owned(), format!("lensflow {}", audited.report["lensflow"].name())]);
    let mut rows = DataTable::new("Rows left out, by reason", 1, ["Reason", "Rows"]);
    for (key, count) in input["rows_rejected"].entries() {
        rows.row([reason(key), style.number(&count.said())]);
    }
    let of_lines = &input["transactions"];
    let mut lines = DataTable::new("Lines left out, by reason", 1, ["Reason".to_owned(), "Lines".to_owned(), style.column("Worth")]);
    for (key, count) in of_lines["lines_rejected"].entries() {
        let worth = Some(&of_lines["rejected_amounts"][key]).filter(|worth| worth.is_there());
        lines.row([reason(key), style.number(&count.said()), worth.map_or("–".to_owned(), |worth| style.number(&worth.said()))]);
    }
    let columns = ["Period".to_owned(), "Reason".to_owned(), "Customers".to_owned(), style.column("Their spend")];
    let mut left_out = DataTable::new("Customers left out of a period", 2, columns);
    let windows = audited.windows();
    for window in &windows[windows.len().saturating_sub(WINDOWS)..] {
        for (key, count) in window["customers_rejected"].entries() {
            let amount = style.number(&window["customers_rejected_amount"][key].said());
            left_out.row([label(&window["name"].name(), 40), reason(key), style.number(&count.said()), amount]);
        }
    }
    if windows.len() > WINDOWS {
        left_out.note = format!("Of the newest {WINDOWS} periods; the JSON report has all of them.");
    }
    if rows.rows.is_empty() && lines.rows.is_empty() {
        facts.row(["Left out".to_owned(), "no row".to_owned()]);
    }
    [facts, rows, lines, left_out].into_iter().filter(|table| !table.rows.is_empty()).collect()
}

/// The warnings, as many as are read.
pub(super) fn warnings(report: &Value) -> Vec<String> {
    let all = report["warnings"].items();
    let mut shown: Vec<String> = all.iter().take(LISTED).map(|warning| long_text(&warning.said())).collect();
    if all.len() > LISTED {
        shown.push(format!("and {} more, which the JSON report has", all.len() - LISTED));
    }
    shown
}

/// A sentence that may hold long names.
fn long_text(text: &str) -> String {
    crate::base::text::visible_name(&crate::base::text::shortened(text, 300)).into_owned()
}

/// Everything below a value that is no object, and its path.
fn list<'a>(value: &'a Value, path: &str, found: &mut Vec<(String, &'a Value)>) {
    for (key, value) in value.entries() {
        let path = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        if TABLES.contains(&path.as_str()) || found.len() > 200 {
            continue;
        }
        match value.is_object() {
            true => list(value, &path, found),
            false => found.push((path, value)),
        }
    }
}

fn written(audited: &Audited<'_>, value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let shown: Vec<String> = items.iter().take(LISTED).map(|item| written(audited, item)).collect();
            let more = if items.len() > LISTED { format!(" and {} more", items.len() - LISTED) } else { String::new() };
            shown.join(", ") + &more
        }
        Value::Object(_) => shortened(&value.to_string()),
        // A text is an amount if it has its two decimals.
        Value::String(text) if text.parse::<crate::base::money::Fixed2>().is_ok() && text.contains('.') => audited.style.amount(text),
        Value::String(_) => value.name(),
        _ => audited.style.number(&value.name()),
    }
}
