//! The way from one window's revenue to the next's: what left, shrank, grew, came and came back, as a waterfall.

use super::super::audited::Audited;
use super::super::figure::{DataTable, Figure};
use super::super::report_json::{ReportJson, label};
use super::super::svg::{Area, Canvas, LinearScale, rounded};
use crate::base::money::Fixed2;
use serde_json::Value;

/// A step: its name in the picture and in the table, where its amount and its customers are, and its sign.
type Step = (&'static str, &'static str, &'static str, &'static str, i128);

const STEPS: [Step; 5] = [
    ("left", "Left (churned)", "churned", "revenue", -1),
    ("spent less", "Stayed and spent less (shrunk)", "shrunk", "loss", -1),
    ("spent more", "Stayed and spent more (grown)", "grown", "gain", 1),
    ("new", "New", "new", "revenue", 1),
    ("came back", "Came back (reactivated)", "reactivated", "revenue", 1),
];

/// The figure of a pair.
pub(super) fn bridge(audited: &Audited<'_>) -> Option<Figure> {
    let pair = audited.pair()?;
    let bridge = Some(&pair["revenue_bridge"]).filter(|bridge| bridge.is_object())?;
    let style = audited.style;
    let [from, to] = [pair["from"].name(), pair["to"].name()];
    let amount = |&(_, _, kind, key, _): &Step| bridge[kind][key].fixed();
    let of = |key: &str| style.amount(&bridge[key].said());
    let lost = [0, 1].map(|at| amount(&STEPS[at]).hundredths()).iter().sum();
    let won = [2, 3, 4].map(|at| amount(&STEPS[at]).hundredths()).iter().sum();
    let sum = |hundredths: i128| style.amount(&Fixed2::from_hundredths(hundredths).to_string());
    let largest = STEPS.iter().max_by_key(|step| amount(step).hundredths())?;
    let claim = match amount(largest).hundredths() {
        0 => "No customer's revenue changed".to_owned(),
        _ => format!("{} was lost and {} was won", sum(lost), sum(won)),
    };
    let is_nothing = ["revenue_before", "revenue_after"].iter().all(|key| bridge[key].fixed() == Fixed2::ZERO);
    let mut table = DataTable::new("From one revenue to the other", 1, ["".to_owned(), "Customers".to_owned(), style.column("Revenue")]);
    table.row([format!("Revenue of {from}"), String::new(), style.number(&bridge["revenue_before"].said())]);
    for &(_, name, kind, key, sign) in &STEPS {
        let minus = if sign < 0 && bridge[kind][key].fixed() != Fixed2::ZERO { "−" } else { "" };
        let amount = format!("{minus}{}", style.number(&bridge[kind][key].said()));
        table.row([name.to_owned(), style.number(&bridge[kind]["customers"].said()), amount]);
        if kind == "grown" {
            let unchanged = style.number(&bridge["unchanged"]["customers"].said());
            table.row(["Stayed and spent as much (unchanged)".to_owned(), unchanged, style.number("0.00")]);
        }
    }
    table.row([format!("Revenue of {to}"), String::new(), style.number(&bridge["revenue_after"].said())]);
    Some(Figure {
        name: "bridge",
        title: format!("Revenue from {from} to {to}"),
        claim,
        note: "Customers who spent less or more bought in both periods.".into(),
        pictures: if is_nothing {
            Vec::new()
        } else {
            vec![picture(audited, bridge, [&from, &to], &[of("revenue_before"), of("revenue_after")])]
        },
        tables: vec![table],
        ..Figure::default()
    })
}

fn picture(audited: &Audited<'_>, bridge: &Value, names: [&str; 2], ends: &[String; 2]) -> String {
    let style = audited.style;
    let row = 32.0;
    let mut canvas = Canvas::new(420.0, 7.0 * row + 4.0);
    let plot = Area::new(126.0, 4.0, 204.0, 7.0 * row);
    // In cents, as they add up.
    let mut at = bridge["revenue_before"].fixed().hundredths();
    let mut bars = vec![(label(names[0], 17), String::new(), 0, at, "total", at)];
    for &(short, _, kind, key, sign) in &STEPS {
        let amount = bridge[kind][key].fixed().hundredths().saturating_mul(sign);
        let customers = style.short(super::super::audited::whole(bridge[kind]["customers"].count()));
        let next = at.saturating_add(amount);
        bars.push((short.to_owned(), customers, at, next, if sign < 0 { "loss" } else { "gain" }, amount));
        at = next;
    }
    bars.push((label(names[1], 17), String::new(), 0, bridge["revenue_after"].fixed().hundredths(), "total", at));
    let most = bars.iter().map(|bar| bar.2.max(bar.3)).max().unwrap_or_default().max(1) as f64;
    let scale = LinearScale::new((0.0, most), (plot.x, plot.right()));
    canvas.line((plot.x, plot.y), (plot.x, plot.bottom()), "axis");
    for (i, (name, customers, from, to, class, amount)) in bars.iter().enumerate() {
        let y = plot.y + i as f64 * row + 4.0;
        let (start, end) = (scale.at(*from as f64), scale.at(*to as f64));
        let bar = Area::new(start.min(end), y, (start - end).abs().max(1.0), row - 10.0);
        let written = style.short_amount(Fixed2::from_hundredths(*amount));
        let written = if *class == "total" { written } else { style.signed(written) };
        let middle = y + (row - 10.0) / 2.0 + 4.0;
        canvas.path(&rounded(bar, false), class, &format!("{name}: {written}"));
        if i + 1 < bars.len() {
            canvas.line((end, y + row - 10.0), (end, y + row), "link");
        }
        match customers.as_str() {
            "" => canvas.text((plot.x - 8.0, middle), "end strong", name),
            _ => {
                canvas.text((plot.x - 8.0, middle - 5.0), "end", name);
                canvas.text((plot.x - 8.0, middle + 7.0), "end small", &format!("{customers} customers"));
            }
        }
        canvas.text((416.0, middle), "end strong", &written);
    }
    let description = format!("From {} in {} to {} in {}.", ends[0], names[0], ends[1], names[1]);
    canvas.finish("bridge", "From one period's revenue to the next, step by step", &description)
}
