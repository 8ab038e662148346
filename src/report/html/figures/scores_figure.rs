//! From which score to which: a matrix each for recency, frequency and monetary value.

use super::super::audited::Audited;
use super::super::figure::{DataTable, Figure};
use super::super::report_json::ReportJson;
use super::super::svg::{Area, Canvas};
use super::heat;
use crate::base::money::Fixed2;
use serde_json::Value;

const MEASURES: [(&str, &str, &str); 3] = [("r", "R", "recency"), ("f", "F", "frequency"), ("m", "M", "monetary value")];

/// The figure of a pair.
pub(super) fn scores(audited: &Audited<'_>) -> Option<Figure> {
    let pair = audited.pair()?;
    let migration = Some(&pair["score_migration"]).filter(|migration| migration.is_object())?;
    let style = audited.style;
    let [from, to] = [pair["from"].name(), pair["to"].name()];
    let mut figure = Figure {
        name: "scores",
        title: format!("Scores from {from} to {to}"),
        claim: String::new(),
        note: format!(
            "A row holds the customers with a score in {from}, a column those with a score in {to}; the highest is best. Numbers are percent of \
            the row. “–” is not active: the column holds who left, the row who came."
        ),
        layout: "charts",
        ..Figure::default()
    };
    for (key, letter, name) in MEASURES {
        let matrix = &migration[key];
        let last = scores_of(matrix);
        if last == 0 {
            continue;
        }
        figure.pictures.push(picture(matrix, last, (key, letter, name)));
        let columns = ["From".to_owned(), "Not active".to_owned()].into_iter().chain((1..=last).map(|to| format!("To {letter}{to}")));
        let mut table = DataTable::new(format!("Customers by {name} score"), 1, columns);
        for score in (1..=last).rev().chain([0]) {
            let name = if score == 0 { "Not active".to_owned() } else { format!("{letter}{score}") };
            let cell = |to: u32| style.number(&matrix[score.to_string()][to.to_string()].count().to_string());
            table.row([name].into_iter().chain((0..=last).map(|to| if (score, to) == (0, 0) { "–".to_owned() } else { cell(to) })));
        }
        figure.tables.push(table);
    }
    let best = scores_of(&migration["m"]);
    let row = migration["m"][best.to_string()].entries();
    let all: i128 = row.iter().map(|(_, n)| n.count()).sum();
    let gone = migration["m"][best.to_string()]["0"].count();
    let is_one = migration["m"].entries().iter().filter(|(score, _)| *score != "0").count() < 2;
    figure.claim = match (figure.pictures.is_empty(), all) {
        (true, _) => return None,
        (_, 0) => "How scores moved".to_owned(),
        _ if is_one => "How scores moved".to_owned(),
        _ => format!(
            "{} of those with the highest value of an order in {from} did not buy in {to}",
            style.percent(&Fixed2::percent(gone, all).to_string())
        ),
    };
    Some(figure)
}

/// The highest score of a matrix.
fn scores_of(matrix: &Value) -> u32 {
    let scores = matrix.entries().into_iter().flat_map(|(from, row)| {
        let columns = row.entries().into_iter().map(|(to, _)| to);
        std::iter::once(from).chain(columns).filter_map(|score| score.parse().ok()).collect::<Vec<u32>>()
    });
    scores.filter(|&score| score <= 9).max().unwrap_or_default()
}

fn picture(matrix: &Value, last: u32, (key, letter, name): (&str, &str, &str)) -> String {
    let count = f64::from(last) + 1.0;
    let (width, height, left, top) = (230.0 / count, 186.0 / count, 34.0, 40.0);
    let mut canvas = Canvas::new(270.0, 232.0);
    canvas.text((left, 14.0), "strong", &format!("{letter} · {name}"));
    let called = |score: u32| if score == 0 { "–".to_owned() } else { format!("{letter}{score}") };
    let columns: Vec<u32> = (1..=last).chain([0]).collect();
    for (i, &column) in columns.iter().enumerate() {
        canvas.text((left + (i as f64 + 0.5) * width, top - 7.0), "small middle", &called(column));
    }
    for (j, &row) in (1..=last).rev().chain([0]).collect::<Vec<_>>().iter().enumerate() {
        let cells = &matrix[row.to_string()];
        let all: i128 = cells.entries().iter().map(|(_, n)| n.count()).sum();
        let y = top + j as f64 * height;
        canvas.text((left - 7.0, y + height / 2.0 + 4.0), "small end", &called(row));
        for (i, &column) in columns.iter().enumerate() {
            let customers = cells[column.to_string()].count();
            if (row, column) == (0, 0) {
                continue;
            }
            let area = Area::new(left + i as f64 * width + 1.0, y + 1.0, width - 2.0, height - 2.0);
            let share = customers as f64 / all.max(1) as f64;
            let level = heat(share);
            canvas.cell(area, &format!("h{level}"), "");
            if customers > 0 {
                let text = match share * 100.0 {
                    low if low < 0.5 => "<1".to_owned(),
                    share => format!("{share:.0}"),
                };
                canvas.text((area.x + area.width / 2.0, y + height / 2.0 + 4.0), &format!("t{level} middle"), &text);
            }
        }
    }
    let description = format!("Rows are the {name} scores before, columns those after; the table has the numbers.");
    canvas.finish(&format!("scores-{key}"), &format!("From {name} score to {name} score"), &description)
}
