//! Lens 5 as a layer cake: the revenue of each window, in layers by cohort, the oldest at the bottom.

use super::super::audited::Audited;
use super::super::figure::{DataTable, Figure};
use super::super::report_json::{ReportJson, label};
use super::super::svg::{Area, Canvas, LinearScale, polyline};
use super::cohort_curves_figure::strength;
use super::cohort_triangle_figure::{cohort_name, newest};
use crate::base::money::Fixed2;
use serde_json::Value;
use std::collections::BTreeMap;

/// The most layers; older cohorts are one of them.
const LAYERS: usize = 12;
/// The most windows of the picture.
const DRAWN: usize = 120;

/// A layer: its name, and its revenue in each window in cents.
struct Layer {
    name: String,
    revenue: Vec<f64>,
}

/// The figure of all windows.
pub(super) fn layers(audited: &Audited<'_>) -> Option<Figure> {
    let (style, health) = (audited.style, audited.report["health"].items());
    let cohorts = audited.report["cohorts"].items();
    let last = health.iter().rev().find(|window| window["active"].count() > 0)?;
    let drawn = newest(health, DRAWN);
    let layers = stacked(cohorts, drawn);
    let share = style.percent(&last["revenue_earlier_pct"].said());
    let mut note = "Each layer is the revenue of one cohort, the oldest at the bottom.".to_owned();
    if cohorts.len() > layers.len() {
        note += &format!(" The {} oldest of {} cohorts are one layer.", cohorts.len() + 1 - layers.len(), cohorts.len());
    }
    if health.len() > drawn.len() {
        note += &format!(" The newest {} of {} periods are drawn.", drawn.len(), health.len());
    }
    Some(Figure {
        name: "cohort_layers",
        title: "Revenue by cohort".into(),
        claim: format!("{share} of the revenue of {} came from earlier cohorts", last["window"].name()),
        note,
        pictures: vec![picture(audited, drawn, &layers)],
        tables: vec![table(audited, health), shares(audited, last)],
        layout: "charts wide narrow",
        ..Figure::default()
    })
}

fn stacked(cohorts: &[Value], windows: &[Value]) -> Vec<Layer> {
    let merged = (cohorts.len() + 1).saturating_sub(LAYERS);
    let merged = if cohorts.len() > LAYERS { merged } else { 0 };
    let place = |at: usize| if merged > 0 { at.saturating_sub(merged - 1) } else { at };
    // The report names a cohort by its window.
    let places: BTreeMap<String, usize> = (0..).zip(cohorts).map(|(at, cohort)| (cohort["name"].said(), place(at))).collect();
    let named = |cohort: &Value| Layer { name: cohort_name(cohort), revenue: vec![0.0; windows.len()] };
    let mut layers: Vec<Layer> = cohorts.iter().skip(merged.saturating_sub(1)).map(named).collect();
    if merged > 0
        && let Some((oldest, last)) = layers.first_mut().zip(cohorts.get(merged - 1))
    {
        oldest.name = format!("until {}", last["name"].name());
    }
    for (at, window) in windows.iter().enumerate() {
        for part in window["by_cohort"].items() {
            let layer = places.get(&part["cohort"].said()).and_then(|&place| layers.get_mut(place));
            layer.into_iter().for_each(|layer| layer.revenue[at] += part["revenue"].float().max(0.0));
        }
    }
    layers
}

fn picture(audited: &Audited<'_>, windows: &[Value], layers: &[Layer]) -> String {
    let style = audited.style;
    let mut canvas = Canvas::new(480.0, 258.0);
    let plot = Area::new(50.0, 12.0, 324.0, 210.0);
    let count = windows.len();
    let total = |at: usize| layers.iter().map(|layer| layer.revenue[at]).sum::<f64>();
    let most = (0..count).map(total).fold(0.0, f64::max);
    let y = LinearScale::new((0.0, if most > 0.0 { most } else { 1.0 }), (plot.bottom(), plot.y));
    // One window has no width of its own.
    let x = |at: usize| if count > 1 { plot.x + plot.width * at as f64 / (count - 1) as f64 } else { plot.x + plot.width / 2.0 };
    for tick in y.ticks(4) {
        canvas.line((plot.x, y.at(tick)), (plot.right(), y.at(tick)), "grid");
        canvas.text(
            (plot.x - 6.0, y.at(tick) + 4.0),
            "tick end",
            &style.short_amount(Fixed2::from_hundredths((tick * 100.0).round() as i128)),
        );
    }
    let mut base = vec![0.0; count];
    let mut free = f64::INFINITY;
    for (number, layer) in layers.iter().enumerate() {
        let top: Vec<f64> = base.iter().zip(&layer.revenue).map(|(base, own)| base + own).collect();
        let edge = |sums: &[f64]| match count {
            1 => vec![(plot.x, y.at(sums[0])), (plot.right(), y.at(sums[0]))],
            _ => sums.iter().enumerate().map(|(at, &sum)| (x(at), y.at(sum))).collect::<Vec<_>>(),
        };
        let (mut outline, mut below) = (edge(&top), edge(&base));
        below.reverse();
        outline.extend(below);
        if layer.revenue.iter().any(|&own| own > 0.0) {
            let class = format!("layer o{}", strength(number, layers.len()));
            canvas.path(&format!("{}Z", polyline(&outline)), &class, &layer.name);
        }
        if let (Some(&low), Some(&high)) = (base.last(), top.last()) {
            let middle = (y.at(low) + y.at(high)) / 2.0;
            if y.at(low) - y.at(high) >= 3.0 && middle <= free - 12.0 {
                canvas.text((plot.right() + 8.0, middle + 4.0), "small", &label(&layer.name, 18));
                free = middle;
            }
        }
        base = top;
    }
    canvas.line((plot.x, plot.bottom()), (plot.right(), plot.bottom()), "axis");
    let steps = count.div_ceil(6).max(1);
    for place in (0..count).step_by(steps).filter(|place| place + steps / 2 < count || *place + 1 == count) {
        let class = match (place, count) {
            (_, 1) => "tick middle",
            (0, _) => "tick",
            (last, _) if last + 1 == count => "tick end",
            _ => "tick middle",
        };
        canvas.text((x(place), plot.bottom() + 16.0), class, &label(&windows[place]["window"].name(), 12));
    }
    let described =
        windows.iter().rev().take(12).rev().map(|window| {
            format!("{}: {} of earlier cohorts", window["window"].name(), style.percent(&window["revenue_earlier_pct"].said()))
        });
    canvas.finish("cohort-layers", "Revenue by cohort in each period", &described.collect::<Vec<_>>().join("; "))
}

fn table(audited: &Audited<'_>, health: &[Value]) -> DataTable {
    let style = audited.style;
    let columns = ["Period".to_owned(), style.column("Revenue"), style.column("From earlier cohorts"), "From earlier, %".to_owned()];
    let columns = columns.into_iter().chain(["Customers", "Of earlier cohorts", "Of earlier, %"].map(str::to_owned));
    let mut table = DataTable::new("Lens 5: how much comes from earlier cohorts", 1, columns);
    for window in newest(health, audited.listed) {
        let keys = ["revenue", "revenue_earlier", "revenue_earlier_pct", "active", "active_earlier", "active_earlier_pct"];
        table.row([window["window"].name()].into_iter().chain(keys.map(|key| style.number(&window[key].said()))));
    }
    if health.len() > table.rows.len() {
        table.note = format!("The newest {} of {} periods; the JSON report has all of them.", table.rows.len(), health.len());
    }
    table
}

/// The newest window by cohort.
fn shares(audited: &Audited<'_>, window: &Value) -> DataTable {
    let style = audited.style;
    let columns = ["Cohort".to_owned(), "Customers".to_owned(), "Orders".to_owned(), style.column("Revenue"), "Revenue, %".to_owned()];
    let mut table = DataTable::new(format!("Lens 5: {} by cohort", window["window"].name()), 1, columns);
    let parts = window["by_cohort"].items();
    for part in newest(parts, audited.listed) {
        let numbers = ["active", "orders", "revenue", "revenue_pct"].map(|key| style.number(&part[key].said()));
        table.row([part["cohort"].name()].into_iter().chain(numbers));
    }
    if parts.len() > table.rows.len() {
        table.note = format!("The newest {} of {} cohorts; the JSON report has all of them.", table.rows.len(), parts.len());
    }
    table
}
