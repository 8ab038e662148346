//! Cohorts by age: a curve for each, and the factors of neighbouring cohorts at one age (Lens 4): share of active customers × orders of
//! each × value of an order = revenue per customer of the cohort.

use super::super::audited::Audited;
use super::super::figure::{DataTable, Figure};
use super::super::report_json::{ReportJson, label};
use super::super::svg::{Area, Canvas, LinearScale, polyline};
use super::cohort_triangle_figure::{aged, cohort_name, newest};
use crate::base::money::Fixed2;
use serde_json::Value;

/// The most curves.
const CURVES: usize = 12;
/// The most ages of a curve.
const AGES: usize = 120;

/// How strong a colour the at-th of so many cohorts has: the newest the strongest.
pub(super) fn strength(at: usize, count: usize) -> usize {
    if count < 2 { 11 } else { at * 11 / (count - 1) }
}

/// The curves of the newest cohorts with two ages at least.
pub(super) fn curves(audited: &Audited<'_>) -> Option<Figure> {
    let cohorts: Vec<&Value> = aged(audited).into_iter().filter(|cohort| cohort["ages"].items().len() > 1).collect();
    let drawn = newest(&cohorts, CURVES);
    let (first, last) = (drawn.first()?, drawn.last()?);
    let style = audited.style;
    let at_one = |cohort: &Value| style.percent(&cohort["ages"][1]["active_pct"].said());
    let claim = match drawn.len() {
        1 => format!("Of {}, {} bought in the period after their first", cohort_name(first), at_one(first)),
        _ => format!(
            "Of {}, {} bought in the period after their first; of {}, {}",
            cohort_name(last),
            at_one(last),
            cohort_name(first),
            at_one(first)
        ),
    };
    let more = match cohorts.len() > drawn.len() {
        true => format!(" The newest {} of {} cohorts with two ages are drawn.", drawn.len(), cohorts.len()),
        false => String::new(),
    };
    let series: Vec<(String, Vec<f64>)> = drawn.iter().map(|cohort| (cohort_name(cohort), points(cohort, "active_pct"))).collect();
    let money: Vec<(String, Vec<f64>)> =
        drawn.iter().map(|cohort| (cohort_name(cohort), points(cohort, "cumulative_revenue_per_member"))).collect();
    let percent = |tick: f64| style.percent(&style.short(hundredths(tick)));
    let amount = |tick: f64| style.short_amount(hundredths(tick));
    Some(Figure {
        name: "cohort_curves",
        title: "Cohorts by age".into(),
        claim,
        note: format!("Each line is a cohort; the stronger its colour, the newer it is.{more}"),
        pictures: vec![
            lines("cohort-curves", "Active customers by age, % of the cohort", &series, &percent),
            lines("cohort-values", "Revenue through each age per customer", &money, &amount),
        ],
        tables: vec![repeat_windows(audited, &cohorts)],
        layout: "charts pair",
        ..Figure::default()
    })
}

fn hundredths(number: f64) -> Fixed2 {
    Fixed2::from_hundredths((number * 100.0).round() as i128)
}

fn points(cohort: &Value, key: &str) -> Vec<f64> {
    cohort["ages"].items().iter().take(AGES).map(|age| age[key].float()).collect()
}

/// When customers came for the second time, by cohort.
fn repeat_windows(audited: &Audited<'_>, cohorts: &[&Value]) -> DataTable {
    let mut table = DataTable::new("Periods from the first to the second", 1, ["Cohort", "Periods", "Customers"]);
    table.texts = 1;
    for cohort in newest(cohorts, CURVES) {
        for (distance, customers) in cohort["second_window"].entries().into_iter().filter(|(key, _)| *key != "never") {
            table.row([cohort_name(cohort), label(distance, 12), audited.style.number(&customers.said())]);
        }
    }
    table.keep_first(audited.listed * 2, "rows");
    table
}

/// Lines over age, from zero.
fn lines(name: &str, title: &str, series: &[(String, Vec<f64>)], written: &dyn Fn(f64) -> String) -> String {
    let mut canvas = Canvas::new(420.0, 236.0);
    let plot = Area::new(4.0, 34.0, 356.0, 168.0);
    let ages = series.iter().map(|(_, points)| points.len()).max().unwrap_or(1);
    let most = series.iter().flat_map(|(_, points)| points).copied().fold(0.0, f64::max);
    let x = LinearScale::new((0.0, (ages - 1).max(1) as f64), (plot.x, plot.right()));
    let y = axis(&mut canvas, plot, title, most, 4, written);
    for tick in x.ticks(6).into_iter().filter(|tick| tick.fract().abs() < 1e-9) {
        canvas.text((x.at(tick), plot.bottom() + 15.0), "tick middle", &format!("{tick:.0}"));
    }
    canvas.text((plot.right(), plot.bottom() + 29.0), "small end", "age in periods →");
    for (at, (name, points)) in series.iter().enumerate() {
        let path: Vec<(f64, f64)> = points.iter().enumerate().map(|(age, &number)| (x.at(age as f64), y.at(number))).collect();
        canvas.path(&polyline(&path), &format!("curve o{}", strength(at, series.len())), name);
        if let Some(&end) = path.last() {
            canvas.dot(end, 2.4, &format!("ink o{}", strength(at, series.len())), name);
        }
    }
    let described = series.iter().map(|(name, points)| format!("{name}: {} ages", points.len()));
    canvas.finish(name, title, &described.collect::<Vec<_>>().join("; "))
}

/// A title, and a scale from zero with its lines and numbers.
fn axis(canvas: &mut Canvas, plot: Area, title: &str, most: f64, about: usize, written: &dyn Fn(f64) -> String) -> LinearScale {
    let y = LinearScale::new((0.0, if most > 0.0 { most } else { 1.0 }), (plot.bottom(), plot.y));
    canvas.text((plot.x, 16.0), "", title);
    for tick in y.ticks(about) {
        canvas.line((plot.x, y.at(tick)), (plot.right(), y.at(tick)), "grid");
        canvas.text((plot.right() + 6.0, y.at(tick) + 4.0), "tick", &written(tick));
    }
    canvas.line((plot.x, plot.bottom()), (plot.right(), plot.bottom()), "axis");
    y
}

/// The four factors: key, name, and whether it is an amount.
const FACTORS: [(&str, &str, bool); 4] = [
    ("active_pct", "Active, % of the cohort", false),
    ("orders_per_active", "× orders of each", false),
    ("average_order_value", "× value of an order", true),
    ("revenue_per_member", "= revenue per customer", true),
];

/// The age at which neighbours are drawn: 1, where any have it.
fn compared_age(all: &[Value]) -> usize {
    usize::from(all.iter().any(|pair| pair["ages"].items().len() > 1))
}

/// The factors of neighbouring cohorts at one age; in a table, those of the newest two at every age.
pub(super) fn neighbours(audited: &Audited<'_>) -> Option<Figure> {
    let (style, all) = (audited.style, audited.report["cohort_comparisons"].items());
    let age = compared_age(all);
    let pairs: Vec<&Value> = all.iter().filter(|pair| pair["ages"].items().len() > age).collect();
    let (pairs, all_pairs) = (newest(&pairs, AGES), pairs.len());
    let pair = *pairs.last()?;
    let [from, to] = ["from", "to"].map(|side| pair[side].name());
    let change = pair["ages"][age]["revenue_per_member"]["change_pct"].fixed();
    let size = style.percent(change.to_string().trim_start_matches('-'));
    let claim = match change.hundredths() {
        0 => format!("At age {age}, a customer of {to} brings as much as one of {from} did"),
        1.. => format!("At age {age}, a customer of {to} brings {size} more than one of {from} did"),
        _ => format!("At age {age}, a customer of {to} brings {size} less than one of {from} did"),
    };
    let more = if all_pairs > pairs.len() { format!(" The newest {} of {all_pairs} pairs are drawn.", pairs.len()) } else { String::new() };
    Some(Figure {
        name: "cohort_factors",
        title: format!("Cohorts beside the one before, at age {age}"),
        claim,
        note: format!(
            "Each dot is a cohort at age {age}, each line leads to the next. Revenue per customer of a cohort is the share of active \
            customers × orders of each × value of an order.{more}"
        ),
        pictures: FACTORS.iter().map(|factor| factor_picture(audited, pairs, age, factor)).collect(),
        tables: vec![all_neighbours(audited, all), of_pair(audited, pair, &[from, to])],
        layout: "charts four",
        ..Figure::default()
    })
}

fn factor_picture(audited: &Audited<'_>, pairs: &[&Value], age: usize, &(key, title, is_amount): &(&str, &str, bool)) -> String {
    let style = audited.style;
    let written = |tick: f64| match is_amount {
        true => style.short_amount(hundredths(tick)),
        false => style.short(hundredths(tick)),
    };
    let of = |pair: &Value, side: &str| (pair[side].name(), pair["ages"][age][key][side].clone());
    let cohorts: Vec<(String, Value)> =
        pairs.iter().take(1).map(|pair| of(pair, "from")).chain(pairs.iter().map(|pair| of(pair, "to"))).collect();
    let mut canvas = Canvas::new(270.0, 142.0);
    let plot = Area::new(4.0, 30.0, 222.0, 84.0);
    let most = cohorts.iter().map(|(_, number)| number.float()).fold(0.0, f64::max);
    let y = axis(&mut canvas, plot, title, most, 2, &written);
    let x = LinearScale::new((0.0, (cohorts.len() - 1).max(1) as f64), (plot.x + 4.0, plot.right() - 4.0));
    let points: Vec<(f64, f64)> = cohorts.iter().enumerate().map(|(at, (_, number))| (x.at(at as f64), y.at(number.float()))).collect();
    canvas.path(&polyline(&points), "stroke", "");
    for ((name, number), &point) in cohorts.iter().zip(&points).take(audited.listed) {
        canvas.dot(point, 2.4, "ink", &format!("{name}: {}", style.number(&number.said())));
    }
    let ends = cohorts.first().zip(cohorts.last());
    if let Some(((first, _), (last, _))) = ends {
        canvas.text((plot.x, plot.bottom() + 15.0), "tick", &label(first, 16));
        canvas.text((plot.right(), plot.bottom() + 15.0), "tick end", &label(last, 16));
    }
    let described = cohorts.iter().rev().take(12).rev().map(|(name, number)| format!("{name}: {}", style.number(&number.said())));
    canvas.finish(&format!("cohort-{}", key.replace('_', "-")), title, &described.collect::<Vec<_>>().join("; "))
}

/// Two neighbours at every age.
fn of_pair(audited: &Audited<'_>, pair: &Value, [from, to]: &[String; 2]) -> DataTable {
    let style = audited.style;
    let mut table = DataTable::new(format!("Lens 4: {from} and {to} at each age"), 0, ["Age"]);
    for (_, name, is_amount) in FACTORS {
        let name = name.trim_start_matches(['×', '=', ' ']);
        let name = if is_amount { style.column(name) } else { name.to_owned() };
        table.columns.extend([format!("{from}: {name}"), format!("{to}: {name}"), "change, %".to_owned()]);
    }
    for age in pair["ages"].items().iter().take(audited.listed) {
        let cells = FACTORS.iter().flat_map(|(key, ..)| ["from", "to", "change_pct"].map(|side| style.number(&age[*key][side].said())));
        table.row([age["age"].said()].into_iter().chain(cells));
    }
    table
}

/// All neighbours at the first ages.
fn all_neighbours(audited: &Audited<'_>, all: &[Value]) -> DataTable {
    let columns = ["From", "To", "Age", "Active, change in %", "Orders of each, change in %", "Value of an order, change in %"];
    let columns = columns.into_iter().chain(["Revenue per customer, change in %"]);
    let mut table = DataTable::new("Lens 4: each cohort beside the one before", 2, columns);
    for pair in newest(all, audited.listed) {
        for age in pair["ages"].items().iter().take(2) {
            let changes = FACTORS.iter().map(|(key, ..)| audited.style.number(&age[*key]["change_pct"].said()));
            table.row([pair["from"].name(), pair["to"].name(), age["age"].said()].into_iter().chain(changes));
        }
    }
    table.note = "Ages 0 and 1; the JSON report has all of them.".to_owned();
    table
}
