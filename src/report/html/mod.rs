//! A report as one page of HTML: tables, pictures and what they say, with no script, nothing that is loaded, and the same bytes for the
//! same report.
//!
//! ```text
//!  the report's JSON ──▶ audited ──▶ figures ──▶ template ──▶ page
//!                        what is     claims,      the page's own,
//!                        in focus    svg, tables  or another
//! ```
//!
//! | file | owns |
//! |---|---|
//! | here | [`page`]: from JSON to HTML; [`page_of`]: from a report; and the options of a page |
//! | `page_template` | templates: those of this folder, one of somebody's own, filters, and errors with file and line |
//! | `number_style` | [`Locale`], [`Currency`]: how numbers are written |
//! | `report_json` | reading the JSON: what is not there is nothing |
//! | `audited` | the window and the pair in focus |
//! | `figure` | what a figure is |
//! | `figures/` | each figure |
//! | `svg/` | pictures |
//! | `input_tables` | data and policies |
//! | `templates/` | the page, its style, a figure |
//!
//! The page depends on nothing but the JSON of [`Report`], so that a report of any version or of another program
//! can be shown. Names come from outside: every text is escaped by the template or by [`svg`], and the page's policy forbids scripts and
//! loading. It has fewer than 300 KB: with many windows, only the newest has details.

mod audited;
mod figure;
mod figures;
mod input_tables;
mod number_style;
mod page_template;
mod report_json;
mod svg;

pub use number_style::{Currency, Locale};
pub use page_template::PageTemplate;

use crate::base::error::{Error, Result};
use crate::report::Report;
use crate::report::json_text::{JsonNumbers, to_json};
use audited::{Audited, day, is_partial};
use figure::{DataTable, Figure};
use figures::{Tile, figures, tiles};
use number_style::NumberStyle;
use report_json::ReportJson;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A page has fewer bytes.
const SIZE: usize = 300_000;
/// How many windows its tables have at most: the first of these with which it is small enough.
const LISTED: [usize; 5] = [60, 36, 24, 12, 6];

/// How a page is made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PageOptions {
    /// A template instead of the page's own.
    pub template: Option<PageTemplate>,
    /// The currency of all amounts; none is shown by default.
    pub currency: Option<Currency>,
    /// Whose marks numbers have.
    pub locale: Locale,
}

/// What a template sees beside the report.
#[derive(Serialize)]
struct Context<'a> {
    /// The JSON as it is; amounts are texts, as in JSON with `json_numbers = "text"`.
    report: &'a Value,
    /// The headline numbers.
    tiles: Vec<Tile>,
    /// Figures by name; in `order`, the names as they come on the page.
    figures: BTreeMap<&'static str, Figure>,
    order: Vec<&'static str>,
    input: Vec<DataTable>,
    warnings: Vec<String>,
    summary: Summary,
    currency: Option<String>,
    locale: String,
}

/// The page's first lines.
#[derive(Serialize)]
struct Summary {
    /// The version that made the report.
    version: String,
    /// The window in focus, and the one before it.
    window: Option<String>,
    before: Option<String>,
    /// From its first day to the day after its last.
    from: String,
    to: String,
    /// Whether the data cover it in part only, and from and until when.
    is_partial: bool,
    covered_from: String,
    covered_until: String,
    /// The inputs in few words.
    inputs: String,
    customers: String,
    windows: usize,
    /// The first and the last window.
    first_window: String,
    last_window: String,
    first_day: String,
    last_day: String,
    /// What happened, in a sentence or two.
    sentences: Vec<String>,
    /// By which cut points scores were given, if not by the window's own.
    cut_points: Option<DataTable>,
}

/// A page of a report's JSON, in which amounts may be texts or numbers; as texts they are exact.
///
/// ```
/// use lensflow::report::html::{PageOptions, page};
///
/// let report = serde_json::json!({"lensflow": "0.1.0", "input": {"sources": ["<script>"]}, "windows": []});
/// let html = page(&report, &PageOptions::default())?;
/// assert!(html.contains("&lt;script&gt;") && !html.contains("<script"));
/// # Ok::<(), lensflow::Error>(())
/// ```
///
/// # Errors
/// A template that cannot be read or that asks for what is not there; the message names its file and line.
pub fn page(report: &Value, options: &PageOptions) -> Result<String> {
    if !report["windows"].is_array() {
        return Err(Error::data("this JSON is no report: it has no windows"));
    }
    let style = NumberStyle { locale: options.locale, currency: options.currency };
    let mut html = String::new();
    // Long names and many scores at once are rare: then fewer windows are listed.
    for listed in LISTED {
        html = page_template::render(options.template.as_ref(), style, &context(&Audited::new(report, style, listed), options))?;
        // A template of one's own may be large by itself.
        if html.len() < SIZE || options.template.is_some() {
            break;
        }
    }
    Ok(html)
}

fn context<'a>(audited: &Audited<'a>, options: &PageOptions) -> Context<'a> {
    let figures = figures(audited);
    Context {
        report: audited.report,
        tiles: tiles(audited),
        order: figures.iter().map(|figure| figure.name).collect(),
        figures: figures.into_iter().map(|figure| (figure.name, figure)).collect(),
        input: input_tables::input_tables(audited),
        warnings: input_tables::warnings(audited.report),
        summary: summary(audited),
        currency: options.currency.map(|currency| currency.to_string()),
        locale: options.locale.to_string(),
    }
}

/// The page of a report.
///
/// # Errors
/// Those of [`page`].
pub fn page_of(report: &Report, options: &PageOptions) -> Result<String> {
    let json = to_json(report, JsonNumbers::Text)?;
    page(&serde_json::from_str(&json).map_err(|e| Error::internal("a report's JSON cannot be read").cause(e))?, options)
}

fn summary(audited: &Audited<'_>) -> Summary {
    let (report, style) = (audited.report, audited.style);
    let input = &report["input"];
    let (window, before) = (audited.window().unwrap_or(&Value::Null), audited.before());
    let inputs = match input["sources"].items() {
        [] => "no input".to_owned(),
        [one] => one.name(),
        many => format!("{} inputs", style.number(&many.len().to_string())),
    };
    let windows = audited.windows();
    let name = |window: Option<&Value>| window.map(|window| window["name"].name()).unwrap_or_default();
    Summary {
        version: report["lensflow"].name(),
        window: audited.window().map(|window| window["name"].name()),
        before: before.map(|before| before["name"].name()),
        from: day(&window["start"]),
        to: day(&window["end"]),
        is_partial: is_partial(window),
        covered_from: window["covered_from"].name(),
        covered_until: window["covered_until"].name(),
        inputs,
        customers: style.number(&input["customers"].said()),
        windows: windows.len(),
        first_window: name(windows.first()),
        last_window: name(windows.last()),
        first_day: input["first_day"].name(),
        last_day: input["last_day"].name(),
        sentences: sentences(audited),
        cut_points: cut_points(audited.cut_points(), style),
    }
}

/// What happened in the window in focus.
fn sentences(audited: &Audited<'_>) -> Vec<String> {
    let (style, Some(window)) = (audited.style, audited.window()) else { return Vec::new() };
    let lens1 = &window["lens1"];
    let (name, customers) = (window["name"].name(), lens1["total_customers"].count());
    if customers == 0 {
        return vec![format!("No customer bought in {name}.")];
    }
    let who = if customers == 1 { "customer" } else { "customers" };
    let [customers, revenue] = [style.number(&customers.to_string()), style.amount(&lens1["total_revenue"].said())];
    let mut sentences = vec![format!("{customers} {who} spent {revenue} in {name}.")];
    if let Some(pair) = audited.pair() {
        let (lens2, from) = (&pair["lens2"], pair["from"].name());
        let change = lens2["revenue_change_pct"].said();
        let size = style.percent(change.trim_start_matches('-'));
        let had_revenue = audited.before().is_some_and(|before| before["lens1"]["total_revenue"].fixed().hundredths() > 0);
        sentences.push(match lens2["revenue_change_pct"].fixed().hundredths() {
            _ if !had_revenue => format!("There was no revenue in {from}."),
            0 => format!("That is as much as in {from}."),
            1.. => format!("That is {size} more than in {from}."),
            _ => format!("That is {size} less than in {from}."),
        });
        if lens2["retained"].count() + lens2["churned"].count() > 0 {
            let (rate, new) = (style.percent(&lens2["retention_rate"].said()), lens2["new"].count());
            let new = style.number(&new.to_string());
            sentences.push(format!("{rate} of the customers of {from} came again, and {new} joined who were not there."));
        }
    }
    sentences
}

/// A cut point as people read it: its digits are those of a double.
fn rounded(text: &str) -> String {
    let number: f64 = text.parse().unwrap_or_default();
    let text = format!("{number:.2}");
    text.strip_suffix(".00").map_or(text.clone(), str::to_owned)
}

fn cut_points(given: &Value, style: NumberStyle) -> Option<DataTable> {
    let cuts = given.as_object()?;
    let from = given["from"].name();
    let title = if from.is_empty() { "Given cut points".to_owned() } else { format!("Given cut points, from {from}") };
    let mut table = DataTable::new(title, 2, ["Score", "A score ends with"]);
    for (key, name) in [("recency", "Recency, days"), ("frequency", "Frequency, orders"), ("monetary", "Monetary value of an order")] {
        let Some(points) = cuts.get(key) else { continue };
        let points = match points.as_array() {
            None => "one value: everybody has 3".to_owned(),
            Some(points) if points.is_empty() => "none: everybody has 1".to_owned(),
            Some(points) => points.iter().map(|point| style.number(&rounded(&point.said()))).collect::<Vec<_>>().join("  ·  "),
        };
        table.row([name.to_owned(), points]);
    }
    Some(table)
}
