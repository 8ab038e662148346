//! The headline numbers of the window in focus: each with its change from the window before and a spark line over all windows.

use super::super::audited::{Audited, change, order_value, ratio_change, whole};
use super::super::report_json::ReportJson;
use super::super::svg::{Canvas, LinearScale, area, polyline};
use crate::base::money::Fixed2;
use serde::Serialize;
use serde_json::Value;

/// The most windows of a spark line.
const SPARKS: usize = 60;

/// A headline number.
#[derive(Debug, Clone, Serialize)]
pub(in super::super) struct Tile {
    pub(in super::super) label: &'static str,
    pub(in super::super) value: String,
    /// The change, with its sign; empty where there is nothing to compare with.
    pub(in super::super) change: String,
    /// `up`, `down` or `same`.
    pub(in super::super) direction: &'static str,
    /// What it was before.
    pub(in super::super) before: String,
    /// SVG.
    pub(in super::super) spark: String,
}

/// How a number is written, and how its change.
#[derive(Clone, Copy)]
enum Unit {
    Count,
    Amount,
    /// A quotient of two numbers of Lens 1, whose exact change is shown and not that of the rounded numbers.
    Quotient(&'static str, &'static str),
    /// Its change is in percentage points.
    Percent,
}

/// The tiles of the window in focus.
pub(in super::super) fn tiles(audited: &Audited<'_>) -> Vec<Tile> {
    let Some(window) = audited.window() else { return Vec::new() };
    let mut tiles = Vec::new();
    let mut tile = |label, unit, of: &dyn Fn(&Value) -> Fixed2| {
        let series: Vec<f64> = audited.windows().iter().map(|window| of(window).to_f64()).collect();
        let before = audited.before().map(of);
        let changed = match unit {
            Unit::Quotient(over, under) => audited.before().and_then(|before| ratio_change(before, window, over, under)),
            _ => before.and_then(|before| change(before, of(window))),
        };
        tiles.push(made(audited, label, unit, (before, of(window), changed), &series));
    };
    tile("Revenue", Unit::Amount, &|w| w["lens1"]["total_revenue"].fixed());
    tile("Customers", Unit::Count, &|w| whole(w["lens1"]["total_customers"].count()));
    tile("Orders per customer", Unit::Quotient("total_orders", "total_customers"), &|w| w["lens1"]["avg_orders_per_customer"].fixed());
    tile("Value of an order", Unit::Quotient("total_revenue", "total_orders"), &order_value);
    tile("Value of the median customer", Unit::Amount, &|w| w["lens1"]["median_customer_value"].fixed());
    tile("Ordered once", Unit::Percent, &|w| w["lens1"]["one_time_buyer_pct"].fixed());
    if let Some((share, _)) = window["lens1"]["revenue_concentration"].entries().into_iter().find(|(share, _)| *share == "10") {
        tile("Revenue from the best tenth", Unit::Percent, &|w| w["lens1"]["revenue_concentration"][share].fixed());
    }
    if let Some(pair) = audited.pair() {
        let rate = |pair: &Value| pair["lens2"]["retention_rate"].fixed();
        let series: Vec<f64> = audited.pairs().iter().map(|pair| rate(pair).to_f64()).collect();
        let earlier = audited.pairs().iter().position(|other| other == pair).and_then(|at| at.checked_sub(1));
        let before = earlier.and_then(|at| audited.pairs().get(at)).map(rate);
        tiles.push(made(audited, "Came again", Unit::Percent, (before, rate(pair), None), &series));
    }
    tiles
}

/// A tile of what a number was, what it is, and its change in percent.
fn made(
    audited: &Audited<'_>,
    label: &'static str,
    unit: Unit,
    (before, now, changed): (Option<Fixed2>, Fixed2, Option<Fixed2>),
    series: &[f64],
) -> Tile {
    let style = audited.style;
    let write = |number: Fixed2| match unit {
        Unit::Count => style.number(&(number.hundredths() / 100).to_string()),
        Unit::Amount | Unit::Quotient("total_revenue", _) => style.amount(&number.to_string()),
        Unit::Quotient(..) => style.number(&number.to_string()),
        Unit::Percent => style.percent(&number.to_string()),
    };
    let difference = before.map(|before| Fixed2::from_hundredths(now.hundredths().saturating_sub(before.hundredths())));
    let written = match (unit, difference) {
        (Unit::Percent, Some(difference)) => Some(format!("{} pts", style.signed(style.number(&difference.to_string())))),
        _ => changed.map(|change| style.signed(style.percent(&change.to_string()))),
    };
    let direction = match changed.or(difference).map_or(0, Fixed2::hundredths) {
        1.. => "up",
        0 => "same",
        _ => "down",
    };
    Tile {
        label,
        value: write(now),
        change: written.unwrap_or_default(),
        direction,
        before: before.map(write).unwrap_or_default(),
        spark: spark(series),
    }
}

/// A line over all windows, from zero up.
fn spark(series: &[f64]) -> String {
    let series = &series[series.len().saturating_sub(SPARKS)..];
    let Some(&last) = series.last().filter(|_| series.len() > 1) else { return String::new() };
    let mut canvas = Canvas::new(220.0, 34.0);
    let most = series.iter().copied().fold(0.0, f64::max);
    let (x, y) = (LinearScale::new((0.0, (series.len() - 1) as f64), (2.0, 216.0)), LinearScale::new((0.0, most), (33.0, 4.0)));
    let points: Vec<(f64, f64)> = series.iter().enumerate().map(|(i, &number)| (x.at(i as f64), y.at(number))).collect();
    canvas.path(&area(&points, 33.0), "wash", "");
    canvas.path(&polyline(&points), "stroke", "");
    canvas.dot((216.0, y.at(last)), 3.0, "ink", "");
    canvas.finish_silent("spark")
}
