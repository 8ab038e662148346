//! All windows: a small chart for each number, and tables with everything that Lens 1 and Lens 2 say of each window and pair.
//!
//! Charts hold the newest [`DRAWN`] windows, tables the newest [`Audited::listed`]: a page has a size. Windows that the data cover in part are pale.

use super::super::audited::{Audited, day, is_partial, order_value, whole};
use super::super::figure::{DataTable, Figure};
use super::super::report_json::{ReportJson, label};
use super::super::svg::{Area, Canvas, LinearScale, area, polyline};
use crate::base::money::Fixed2;
use serde_json::Value;

/// The most windows of a chart.
const DRAWN: usize = 400;
/// The most windows whose points have dots.
const DOTTED: usize = 24;
/// The most windows whose tables are seen at once.
const OPEN: usize = 13;

/// A small chart. Sums are bars, quotients are lines.
struct Chart<'a> {
    name: &'static str,
    title: &'a str,
    /// Numbers by window: where there is none, there is a gap.
    numbers: Vec<Option<Fixed2>>,
    unit: Unit,
    is_line: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Unit {
    Count,
    Amount,
    Ratio,
    Percent,
}

/// The figure of all windows; of one alone there is none but the tables.
pub(super) fn trends(audited: &Audited<'_>) -> Option<Figure> {
    let windows = audited.windows();
    let newest = windows.last()?;
    let drawn = &windows[windows.len().saturating_sub(DRAWN)..];
    let mut figure = Figure {
        name: "trends",
        title: "All periods".into(),
        claim: match windows.len() {
            1 => format!("One period: {}", newest["name"].name()),
            many => format!("{many} periods, {} to {}", windows[0]["name"].name(), newest["name"].name()),
        },
        tables: vec![lens1(audited)],
        layout: "charts small",
        is_open: windows.len() <= OPEN,
        ..Figure::default()
    };
    figure.tables.extend(lens2(audited));
    figure.tables.extend(bridges(audited));
    if windows.len() > 1 {
        for chart in charts(audited, drawn) {
            figure.pictures.push(picture(audited, drawn, &chart));
        }
        figure.note = "Each chart begins at zero; the number above it is the newest period's.".into();
        if drawn.iter().any(is_partial) {
            figure.note += " Pale bars and hollow dots are periods that the data cover in part.";
        }
        if windows.len() > drawn.len() {
            figure.note += &format!(" The newest {} of {} periods are drawn.", drawn.len(), windows.len());
        }
    }
    Some(figure)
}

fn charts<'a>(audited: &Audited<'_>, drawn: &[Value]) -> Vec<Chart<'a>> {
    let of = |read: &dyn Fn(&Value) -> Option<Fixed2>| drawn.iter().map(read).collect::<Vec<_>>();
    let chart = |name, title, unit, is_line, numbers| Chart { name, title, unit, is_line, numbers };
    let fixed = |key: &'static str| of(&|w| Some(w["lens1"][key].fixed()));
    // A quotient of nothing is a gap in a line.
    let quotient = |read: &dyn Fn(&Value) -> Fixed2| of(&|w| (w["lens1"]["total_customers"].count() > 0).then(|| read(w)));
    let lens1 = |key: &'static str| quotient(&|w| w["lens1"][key].fixed());
    let mut charts = vec![
        chart("revenue", "Revenue", Unit::Amount, false, fixed("total_revenue")),
        chart("customers", "Customers", Unit::Count, false, of(&|w| Some(whole(w["lens1"]["total_customers"].count())))),
        chart("per-customer", "Orders per customer", Unit::Ratio, true, lens1("avg_orders_per_customer")),
        chart("order-value", "Value of an order", Unit::Amount, true, quotient(&order_value)),
        chart("median", "Value of the median customer", Unit::Amount, true, lens1("median_customer_value")),
        chart("once", "Ordered once", Unit::Percent, true, lens1("one_time_buyer_pct")),
    ];
    let offset = audited.windows().len() - drawn.len();
    let pairs = audited.pairs();
    if pairs.len() + 1 == audited.windows().len() && !pairs.is_empty() {
        let of_pair = |read: &dyn Fn(&Value) -> Option<Fixed2>| {
            let pair = |at: usize| (at + offset).checked_sub(1).and_then(|at| pairs.get(at)).and_then(read);
            (0..drawn.len()).map(pair).collect::<Vec<_>>()
        };
        let had_customers = |pair: &Value| pair["lens2"]["retained"].count() + pair["lens2"]["churned"].count() > 0;
        let retention = of_pair(&|pair| had_customers(pair).then(|| pair["lens2"]["retention_rate"].fixed()));
        charts.push(chart("retention", "Came again, of the period before", Unit::Percent, true, retention));
        charts.push(chart("new", "New and came back", Unit::Count, false, of_pair(&|pair| Some(whole(pair["lens2"]["new"].count())))));
    }
    let concentration = |window: &Value| window["lens1"]["revenue_concentration"]["10"].fixed();
    if drawn.iter().any(|window| window["lens1"]["revenue_concentration"]["10"].is_there()) {
        charts.push(chart("top", "Revenue from the best tenth", Unit::Percent, true, quotient(&concentration)));
    }
    charts
}

fn picture(audited: &Audited<'_>, windows: &[Value], chart: &Chart<'_>) -> String {
    let style = audited.style;
    let short = |number: Fixed2| match chart.unit {
        // What is short enough is said with all of its digits.
        Unit::Amount if number < whole(10_000) => style.amount(&number.to_string()),
        Unit::Amount => style.short_amount(number),
        Unit::Percent => style.percent(&number.to_string()),
        Unit::Ratio => style.number(&number.to_string()),
        Unit::Count => style.short(number),
    };
    let mut canvas = Canvas::new(270.0, 132.0);
    let plot = Area::new(2.0, 42.0, 226.0, 68.0);
    let count = windows.len();
    let most = chart.numbers.iter().flatten().map(|number| number.to_f64()).fold(0.0, f64::max);
    let y = LinearScale::new((0.0, most), (plot.bottom(), plot.y));
    let width = plot.width / count as f64;
    let middle = |at: usize| plot.x + (at as f64 + 0.5) * width;
    canvas.text((plot.x, 13.0), "", chart.title);
    let newest = chart.numbers.last().copied().flatten();
    canvas.text((plot.x, 32.0), "strong value", &newest.map_or("–".to_owned(), short));
    for tick in y.ticks(2) {
        let written = style.short(Fixed2::from_hundredths((tick * 100.0).round() as i128));
        let written = if chart.unit == Unit::Percent { style.percent(&written) } else { written };
        canvas.line((plot.x, y.at(tick)), (plot.right(), y.at(tick)), "grid");
        canvas.text((plot.right() + 5.0, y.at(tick) + 4.0), "tick", &written);
    }
    canvas.line((plot.x, plot.bottom()), (plot.right(), plot.bottom()), "axis");
    let tooltip = |at: usize, number: Fixed2| match count {
        told if told <= audited.listed => format!("{}: {}", label(&windows[at]["name"].name(), 24), short(number)),
        _ => String::new(),
    };
    if chart.is_line {
        for run in runs(&chart.numbers) {
            let points: Vec<(f64, f64)> = run.iter().map(|&(at, number)| (middle(at), y.at(number.to_f64()))).collect();
            canvas.path(&area(&points, plot.bottom()), "wash", "");
            canvas.path(&polyline(&points), "stroke", "");
            for (&(at, number), &point) in run.iter().zip(&points) {
                let (radius, class) = match (is_partial(&windows[at]), at + 1 == count) {
                    (true, _) => (2.8, "hollow"),
                    (_, true) => (3.2, "ink"),
                    _ if count > DOTTED => continue,
                    _ => (1.8, "ink"),
                };
                canvas.dot(point, radius, class, &tooltip(at, number));
            }
        }
    } else {
        let gap = (width * 0.15).min(4.0);
        for (at, number) in chart.numbers.iter().enumerate() {
            let Some(number) = number else { continue };
            let top = y.at(number.to_f64());
            let bar = Area::new(plot.x + at as f64 * width + gap, top, width - 2.0 * gap, plot.bottom() - top);
            let class = if is_partial(&windows[at]) { "bar part" } else { "bar" };
            canvas.cell(bar, class, &tooltip(at, *number));
        }
    }
    canvas.text((plot.x, 126.0), "small", &label(&windows[0]["name"].name(), 16));
    if let Some(last) = windows.last().filter(|_| count > 1) {
        canvas.text((plot.right(), 126.0), "small end", &label(&last["name"].name(), 16));
    }
    let ends = [chart.numbers.iter().flatten().next(), chart.numbers.iter().flatten().next_back()];
    let ends = ends.map(|number| number.copied().map_or("–".to_owned(), short));
    canvas.finish(&format!("trend-{}", chart.name), chart.title, &format!("From {} to {}; the table has all numbers.", ends[0], ends[1]))
}

/// Numbers without gaps, with their places.
fn runs(numbers: &[Option<Fixed2>]) -> Vec<Vec<(usize, Fixed2)>> {
    let mut runs: Vec<Vec<(usize, Fixed2)>> = vec![Vec::new()];
    for (at, number) in numbers.iter().enumerate() {
        match (number, runs.last_mut()) {
            (Some(number), Some(run)) => run.push((at, *number)),
            (None, Some(run)) if !run.is_empty() => runs.push(Vec::new()),
            _ => {}
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

fn lens1(audited: &Audited<'_>) -> DataTable {
    let (style, windows) = (audited.style, audited.windows());
    let shares: Vec<&str> = windows[0]["lens1"]["revenue_concentration"].entries().into_iter().map(|entry| entry.0).take(6).collect();
    let has = |test: &dyn Fn(&Value) -> bool| windows.iter().any(test);
    let (sees, covers, knows_gini) = (has(&|w| w["observation_end"] != w["end"]), has(&is_partial), has(&|w| w["more"]["gini"].is_there()));
    let texts = 3 + usize::from(sees) + usize::from(covers);
    let mut columns: Vec<String> = ["Period", "From", "To, exclusive"].map(str::to_owned).into();
    columns.extend(sees.then(|| "As of".to_owned()));
    columns.extend(covers.then(|| "Data".to_owned()));
    columns.extend(["Customers", "Orders"].map(str::to_owned));
    columns.push(style.column("Revenue"));
    columns.extend(["Orders per customer".to_owned(), style.column("Value of an order"), style.column("Median customer")]);
    columns.extend(["Ordered once".to_owned(), "Ordered once, %".to_owned()]);
    columns.extend(shares.iter().map(|share| format!("Top {}, %", style.percent(share))));
    columns.extend(knows_gini.then(|| "Gini".to_owned()));
    let mut table = DataTable::new("Lens 1: each period", texts, columns);
    for window in &windows[windows.len().saturating_sub(audited.listed)..] {
        let lens1 = &window["lens1"];
        let mut row = vec![in_table(&window["name"], windows), day(&window["start"]), day(&window["end"])];
        row.extend(sees.then(|| day(&window["observation_end"])));
        row.extend(covers.then(|| match (window["covered_from"].name(), window["covered_until"].name()) {
            (from, until) if from.is_empty() && until.is_empty() => "complete".to_owned(),
            (from, until) if until.is_empty() => format!("from {from}"),
            (from, until) if from.is_empty() => format!("until {until}"),
            (from, until) => format!("{from} to {until}"),
        }));
        row.extend(
            ["total_customers", "total_orders", "total_revenue", "avg_orders_per_customer"].map(|key| style.number(&lens1[key].said())),
        );
        row.push(style.number(&order_value(window).to_string()));
        row.extend(["median_customer_value", "one_time_buyers", "one_time_buyer_pct"].map(|key| style.number(&lens1[key].said())));
        row.extend(shares.iter().map(|share| style.number(&lens1["revenue_concentration"][*share].said())));
        row.extend(knows_gini.then(|| style.number(&window["more"]["gini"].said())));
        table.rows.push(row);
    }
    noted(audited, table, windows.len(), "periods")
}

fn lens2(audited: &Audited<'_>) -> Option<DataTable> {
    let (style, pairs) = (audited.style, audited.pairs());
    const COLUMNS: [(&str, &str); 10] = [
        ("Stayed", "retained"),
        ("Left", "churned"),
        ("New", "new"),
        ("of them came back", "reactivated"),
        ("Retention, %", "retention_rate"),
        ("Churn, %", "churn_rate"),
        ("Reactivation, %", "reactivation_rate"),
        ("Change in customers", "customer_count_change"),
        ("Change of revenue, %", "revenue_change_pct"),
        ("Change of the value of an order, %", "avg_order_value_change_pct"),
    ];
    let columns = ["From", "To"].into_iter().chain(COLUMNS.iter().map(|column| column.0));
    let mut table = DataTable::new("Lens 2: period against period", 2, columns);
    for pair in &pairs[pairs.len().saturating_sub(audited.listed)..] {
        let numbers = COLUMNS.iter().map(|column| style.number(&pair["lens2"][column.1].said()));
        table.row(["from", "to"].map(|side| in_table(&pair[side], pairs)).into_iter().chain(numbers));
    }
    (!pairs.is_empty()).then(|| noted(audited, table, pairs.len(), "pairs of periods"))
}

fn bridges(audited: &Audited<'_>) -> Option<DataTable> {
    let (style, pairs) = (audited.style, audited.pairs());
    const STEPS: [(&str, &str, &str); 5] = [
        ("Left", "churned", "revenue"),
        ("Less", "shrunk", "loss"),
        ("More", "grown", "gain"),
        ("New", "new", "revenue"),
        ("Back", "reactivated", "revenue"),
    ];
    let columns = ["From".to_owned(), "To".to_owned(), style.column("Before")].into_iter();
    let columns = columns.chain(STEPS.iter().map(|step| style.column(step.0))).chain([style.column("After")]);
    let mut table = DataTable::new("Revenue from period to period", 2, columns);
    for pair in pairs[pairs.len().saturating_sub(audited.listed)..].iter().filter(|pair| pair["revenue_bridge"].is_object()) {
        let bridge = &pair["revenue_bridge"];
        let steps = STEPS.iter().map(|&(_, kind, key)| style.number(&bridge[kind][key].said()));
        let ends = ["revenue_before", "revenue_after"].map(|key| style.number(&bridge[key].said()));
        let [before, after] = ends;
        let names = ["from", "to"].map(|side| in_table(&pair[side], pairs));
        table.row(names.into_iter().chain([before]).chain(steps).chain([after]));
    }
    (!table.rows.is_empty()).then(|| noted(audited, table, pairs.len(), "pairs of periods"))
}

/// A name in a table of all windows: of many, each has less room.
fn in_table(name: &Value, all: &[Value]) -> String {
    label(&name.name(), if all.len() > OPEN { 36 } else { 72 })
}

fn noted(audited: &Audited<'_>, mut table: DataTable, all: usize, what: &str) -> DataTable {
    if all > audited.listed {
        table.note = format!("The newest {} of {all} {what}; the JSON report has all of them.", audited.listed);
    }
    table
}
