//! From which segment to which: two bars of segments and a ribbon for each move between them, and the matrix behind them.

use super::super::audited::{Audited, whole};
use super::super::figure::{DataTable, Figure};
use super::super::report_json::{ReportJson, label};
use super::super::svg::{Area, Canvas, ribbon};
use crate::base::money::Fixed2;
use crate::lens::segment_counts::INACTIVE;
use serde_json::Value;

const HEIGHT: f64 = 400.0;
const TOP: f64 = 30.0;
/// Between the parts of a bar.
const GAP: f64 = 4.0;
/// A ribbon thinner than this is not drawn.
const THINNEST: f64 = 2.4;
/// The most segments of the picture and of the matrix; of more, the last are one.
const DRAWN: usize = 24;

/// The figure of a pair.
pub(super) fn segment_moves(audited: &Audited<'_>) -> Option<Figure> {
    let pair = audited.pair()?;
    let moves = Some(&pair["segment_migration"]).filter(|moves| moves.is_object())?;
    let style = audited.style;
    let [from, to] = [pair["from"].name(), pair["to"].name()];
    // In the order of the rules; those who are not active, last.
    let segments = audited.window()?["segments"].items();
    let mut names: Vec<String> = segments.iter().map(|segment| segment["segment"].said()).collect();
    names.push(INACTIVE.to_owned());
    let mut counts: Vec<Vec<i128>> = names.iter().map(|from| names.iter().map(|to| moves[from][to].count()).collect()).collect();
    let (mut stayed, mut both) = (0, 0);
    for (i, row) in counts.iter().enumerate().take(names.len() - 1) {
        stayed += row[i];
        both += row[..names.len() - 1].iter().sum::<i128>();
    }
    let gathered = names.len().saturating_sub(DRAWN + 1);
    if gathered > 1 {
        gather(&mut names, &mut counts, gathered);
    }
    if counts.iter().flatten().sum::<i128>() == 0 {
        return None;
    }
    let shown = |name: &str| if name == INACTIVE { "Not active".to_owned() } else { Value::from(name).name() };
    let columns = std::iter::once("From".to_owned()).chain(names.iter().map(|name| format!("To {}", shown(name))));
    let mut table = DataTable::new("Customers by segment before and after", 1, columns);
    for (name, row) in names.iter().zip(&counts) {
        let cell = |n: &i128| style.number(&n.to_string());
        table.row([shown(name)].into_iter().chain(row.iter().map(cell)));
    }
    let claim = match both {
        0 => format!("No customer of {from} bought again in {to}"),
        _ => format!("Of those who bought in both, {} stayed in their segment", style.percent(&Fixed2::percent(stayed, both).to_string())),
    };
    let more = if gathered > 1 { " Segments at the end are drawn as one; the JSON report has each." } else { "" };
    Some(Figure {
        name: "segment_moves",
        title: format!("Segments from {from} to {to}"),
        claim,
        note: format!(
            "Blue stayed, orange left, green came or came back, grey changed their segment. The thinnest ribbons are left out.{more}"
        ),
        pictures: vec![picture(audited, [&from, &to], &names.iter().map(|name| shown(name)).collect::<Vec<_>>(), &counts)],
        tables: vec![table],
        layout: "charts wide",
        ..Figure::default()
    })
}

/// Makes one segment of the last ones before those who are not active.
fn gather(names: &mut Vec<String>, counts: &mut Vec<Vec<i128>>, many: usize) {
    let from = names.len() - 1 - many;
    let sum_of = |row: &mut Vec<i128>| {
        let sum = row[from..from + many].iter().sum();
        row.splice(from..from + many, [sum]);
    };
    counts.iter_mut().for_each(sum_of);
    let rows: Vec<Vec<i128>> = counts.drain(from..from + many).collect();
    let sum = (0..rows[0].len()).map(|at| rows.iter().map(|row| row[at]).sum()).collect();
    counts.insert(from, sum);
    names.splice(from..from + many, [format!("{many} segments")]);
}

/// The places of the parts of a bar, each from its top to its bottom.
fn edges(sizes: &[i128], scale: f64) -> Vec<(f64, f64)> {
    let mut y = TOP;
    let edge = |size: &i128| {
        let (top, bottom) = (y, y + *size as f64 * scale);
        y = bottom + if *size > 0 { GAP } else { 0.0 };
        (top, bottom)
    };
    sizes.iter().map(edge).collect()
}

fn picture(audited: &Audited<'_>, periods: [&str; 2], names: &[String], counts: &[Vec<i128>]) -> String {
    let style = audited.style;
    let left: Vec<i128> = counts.iter().map(|row| row.iter().sum()).collect();
    let right: Vec<i128> = (0..names.len()).map(|to| counts.iter().map(|row| row[to]).sum()).collect();
    let all: i128 = left.iter().sum::<i128>().max(1);
    let scale = HEIGHT / all as f64;
    let (before, after) = (edges(&left, scale), edges(&right, scale));
    let bottom = before.iter().chain(&after).map(|edge| edge.1).fold(TOP, f64::max);
    let mut canvas = Canvas::new(720.0, bottom + 12.0);
    let (x1, x2, width) = (190.0, 518.0, 12.0);
    let (mut starts, mut ends): (Vec<f64>, Vec<f64>) = (before.iter().map(|e| e.0).collect(), after.iter().map(|e| e.0).collect());
    let last = names.len() - 1;
    let mut told = Vec::new();
    for (i, row) in counts.iter().enumerate() {
        for (j, &customers) in row.iter().enumerate() {
            let size = customers as f64 * scale;
            let (start, end) = ((x1 + width, starts[i], starts[i] + size), (x2, ends[j], ends[j] + size));
            starts[i] += size;
            ends[j] += size;
            if size < THINNEST {
                continue;
            }
            let class = match (i, j) {
                _ if i == j => "flow retained",
                _ if j == last => "flow churned",
                _ if i == last => "flow new",
                _ => "flow moved",
            };
            let said = format!("{} to {}: {}", names[i], names[j], style.number(&customers.to_string()));
            // Where a page has little room, the table tells the numbers.
            canvas.path(&ribbon(start, end), class, if audited.listed > 12 { &said } else { "" });
            told.push((customers, said));
        }
    }
    for (sizes, edges, x, is_left) in [(&left, &before, x1, true), (&right, &after, x2, false)] {
        let (text_x, anchor) = if is_left { (x - 8.0, " end") } else { (x + width + 8.0, "") };
        canvas.text((if is_left { x + width } else { x }, 16.0), "strong middle", &label(periods[usize::from(!is_left)], 24));
        let mut free = 0.0_f64;
        for ((name, &size), &(top, bottom)) in names.iter().zip(sizes).zip(edges) {
            if size == 0 {
                continue;
            }
            canvas.cell(Area::new(x, top, width, (bottom - top).max(1.0)), "total", &style.number(&size.to_string()));
            let y = ((top + bottom) / 2.0 + 4.0).max(free + 12.0);
            canvas.text((text_x, y), &format!("small{anchor}"), &format!("{} {}", label(name, 22), style.short(whole(size))));
            free = y;
        }
    }
    told.sort_by_key(|(customers, _)| std::cmp::Reverse(*customers));
    let most = told.into_iter().take(12).map(|(_, said)| said).collect::<Vec<_>>().join("; ");
    canvas.finish("segment-moves", "Moves between segments", &format!("The largest moves. {most}."))
}
