//! Two windows' customers as two bars, and four ribbons between them: who stayed, left, came for the first time and came back.

use super::super::audited::{Audited, whole};
use super::super::figure::{DataTable, Figure};
use super::super::report_json::{ReportJson, label};
use super::super::svg::{Area, Canvas, ribbon};
use crate::base::money::Fixed2;

/// The height of the taller bar.
const HEIGHT: f64 = 216.0;
const TOP: f64 = 34.0;
/// Between the parts of a bar.
const GAP: f64 = 5.0;

/// A part of a bar: its name, its customers, its share of the bar, its class.
struct Part {
    name: &'static str,
    customers: i128,
    share: String,
    class: &'static str,
}

/// The figure of a pair.
pub(super) fn flow(audited: &Audited<'_>) -> Option<Figure> {
    let pair = audited.pair()?;
    let (style, lens2) = (audited.style, &pair["lens2"]);
    let count = |name: &str| lens2[name].count();
    let (retained, churned, new, reactivated) = (count("retained"), count("churned"), count("new"), count("reactivated"));
    let [from, to] = [pair["from"].name(), pair["to"].name()];
    let (before, after) = (retained + churned, retained + new);
    let share = |part: i128, all: i128| style.percent(&Fixed2::percent(part, all).to_string());
    let part = |name, customers: i128, all, class| Part { name, customers, share: share(customers, all), class };
    let left = [part("stayed", retained, before, "retained"), part("left", churned, before, "churned")];
    let right = [
        part("stayed", retained, after, "retained"),
        part("new", (new - reactivated).max(0), after, "new"),
        part("came back", reactivated, after, "reactivated"),
    ];
    let number = |count: i128| style.number(&count.to_string());
    let claim = match before {
        0 if after == 0 => "Nobody bought in either period".to_owned(),
        0 => format!("Nobody bought in {from}; {} did in {to}", number(after)),
        _ => format!("{} of the customers of {from} bought again in {to}", share(retained, before)),
    };
    let description = format!(
        "Of {} customers of {from}, {} stayed and {} left; {} customers of {to} are new and {} came back.",
        number(before),
        number(retained),
        number(churned),
        number((new - reactivated).max(0)),
        number(reactivated)
    );
    let mut canvas = Canvas::new(420.0, 286.0);
    draw(&mut canvas, audited, [&from, &to], &left, &right);
    let mut table = DataTable::new("Customers of both periods", 1, ["", "Number"]);
    for (name, key) in [
        ("Stayed (retained)", "retained"),
        ("Left (churned)", "churned"),
        ("New, those who came back included", "new"),
        ("Came back (reactivated)", "reactivated"),
        ("Change in customers", "customer_count_change"),
    ] {
        table.row([name.to_owned(), style.number(&lens2[key].said())]);
    }
    for (name, key) in [
        ("Retention, %", "retention_rate"),
        ("Churn, %", "churn_rate"),
        ("Reactivation, %", "reactivation_rate"),
        ("Change of revenue, %", "revenue_change_pct"),
        ("Change of the value of an order, %", "avg_order_value_change_pct"),
    ] {
        table.row([name.to_owned(), style.number(&lens2[key].said())]);
    }
    Some(Figure {
        name: "flow",
        title: format!("Customers from {from} to {to}"),
        claim,
        note: "Who came back was not there in the earlier period, but bought before it. Who left may come back later.".into(),
        pictures: if before + after == 0 {
            Vec::new()
        } else {
            vec![canvas.finish("flow", "Who stayed, left, came and came back", &description)]
        },
        tables: vec![table],
        layout: "split",
        ..Figure::default()
    })
}

fn draw(canvas: &mut Canvas, audited: &Audited<'_>, names: [&str; 2], left: &[Part], right: &[Part]) {
    let style = audited.style;
    let sum = |parts: &[Part]| parts.iter().map(|part| part.customers).sum::<i128>();
    let most = sum(left).max(sum(right)).max(1) as f64;
    let height = |part: &Part| part.customers as f64 / most * (HEIGHT - 2.0 * GAP);
    let (x1, x2, width) = (118.0, 290.0, 12.0);
    let edges = |parts: &[Part]| {
        let mut y = TOP;
        let edge = |part: &Part| {
            let (top, bottom) = (y, y + height(part));
            y = bottom + if part.customers > 0 { GAP } else { 0.0 };
            (top, bottom)
        };
        parts.iter().map(edge).collect::<Vec<_>>()
    };
    let (from, to) = (edges(left), edges(right));
    let tooltip = |part: &Part| format!("{} {} ({})", style.number(&part.customers.to_string()), part.name, part.share);
    // Who stayed goes across; who left goes down and out, and who came comes in from there.
    let (start, end) = (x1 + width, x2);
    let across = ribbon((start, from[0].0, from[0].1), (end, to[0].0, to[0].1));
    canvas.path(&across, "flow retained", &tooltip(&left[0]));
    let fall = from[1].1.max(TOP + HEIGHT * 0.72) + 6.0;
    let out = ribbon((start, from[1].0, from[1].1), (start + 62.0, fall - (from[1].1 - from[1].0) * 0.2, fall));
    canvas.path(&out, "flow churned", &tooltip(&left[1]));
    let foot = to.iter().map(|edge| edge.1).fold(TOP + HEIGHT * 0.72, f64::max) + 6.0;
    let mut below = foot;
    for (part, &(top, bottom)) in right.iter().zip(&to).skip(1).rev() {
        let thin = (bottom - top) * 0.2;
        let come = ribbon((end - 62.0, below - thin, below), (end, top, bottom));
        canvas.path(&come, &format!("flow {}", part.class), &tooltip(part));
        below -= thin;
    }
    for (parts, edges, x, is_left) in [(left, &from, x1, true), (right, &to, x2, false)] {
        let (text_x, anchor) = if is_left { (x - 8.0, " end") } else { (x + width + 8.0, "") };
        let at_bar = if is_left { x + width } else { x };
        let title = format!("{}: {}", label(names[usize::from(!is_left)], 16), style.number(&sum(parts).to_string()));
        canvas.text((at_bar, 16.0), "strong middle", &title);
        let mut free = 0.0_f64;
        for (part, &(top, bottom)) in parts.iter().zip(edges) {
            if part.customers == 0 {
                continue;
            }
            canvas.cell(Area::new(x, top, width, (bottom - top).max(1.0)), part.class, &tooltip(part));
            let y = ((top + bottom) / 2.0).max(free + 14.0);
            canvas.text((text_x, y), &format!("strong{anchor}"), &style.short(whole(part.customers)));
            canvas.text((text_x, y + 13.0), &format!("small{anchor}"), &format!("{} {}", part.name, part.share));
            free = y + 13.0;
        }
    }
}
