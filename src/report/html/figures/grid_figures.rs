//! Recency × frequency, twice: how many customers a cell has, and what a customer of it is worth; with the name of the segment that most
//! of its customers are in.

use super::super::audited::{Audited, per, whole};
use super::super::figure::{DataTable, Figure};
use super::super::report_json::{ReportJson, label, shortened};
use super::super::svg::{Area, Canvas};
use super::heat;
use crate::base::money::Fixed2;
use serde_json::Value;
use std::collections::BTreeMap;

/// Customers and revenue of a cell, by recency and frequency score.
type Cells = BTreeMap<(u32, u32), (i128, i128)>;

fn cells(window: &Value) -> Cells {
    let digit = |score: &str, at: usize| score.chars().nth(at).and_then(|digit| digit.to_digit(10));
    let mut cells = Cells::new();
    let mut add = |score: &str, customers: i128, revenue: i128| {
        if let Some(at) = digit(score, 0).zip(digit(score, 1)) {
            let cell = cells.entry(at).or_default();
            *cell = (cell.0.saturating_add(customers), cell.1.saturating_add(revenue));
        }
    };
    match window["more"]["rfm_cells"].as_object() {
        Some(_) => window["more"]["rfm_cells"]
            .entries()
            .into_iter()
            .for_each(|(score, cell)| add(score, cell["customers"].count(), cell["revenue"].fixed().hundredths())),
        None => window["lens1"]["rfm_distribution"].entries().into_iter().for_each(|(score, n)| add(score, n.count(), 0)),
    }
    cells
}

/// The segment that most customers of a cell are in.
fn segment(window: &Value, (r, f): (u32, u32)) -> String {
    let names = window["segment_cells"][format!("{r}{f}")].entries();
    // The first of those that are equal.
    let most = names.iter().rev().max_by_key(|(_, customers)| customers.count());
    most.map(|(name, _)| shortened(name)).unwrap_or_default()
}

/// How many customers the cells have.
pub(super) fn customers(audited: &Audited<'_>) -> Option<Figure> {
    let window = audited.window()?;
    let (cells, style) = (cells(window), audited.style);
    let all: i128 = cells.values().map(|cell| cell.0).sum();
    let (&(r, f), &(most, _)) = cells.iter().max_by_key(|(_, cell)| cell.0)?;
    let texts: BTreeMap<_, _> = cells.iter().map(|(&at, cell)| (at, (cell.0 as f64, style.short(whole(cell.0))))).collect();
    let mut table = DataTable::new("Customers by RFM score", 1, ["RFM score", "Customers"]);
    if window["more"]["rfm_cells"].is_there() {
        table.columns.extend(["Orders".to_owned(), style.column("Revenue")]);
        for (score, cell) in window["more"]["rfm_cells"].entries() {
            let numbers = ["customers", "orders", "revenue"].map(|key| style.number(&cell[key].said()));
            table.row([shortened(score)].into_iter().chain(numbers));
        }
    } else {
        for (score, count) in window["lens1"]["rfm_distribution"].entries() {
            table.row([shortened(score), style.number(&count.said())]);
        }
    }
    let share = style.percent(&Fixed2::percent(most, all).to_string());
    Some(Figure {
        name: "grid_customers",
        title: format!("Customers by recency and frequency in {}", window["name"].name()),
        claim: format!("The largest group, {share} of the customers, is in R{r} F{f}"),
        note: note(window, audited.cut_points()),
        pictures: vec![picture(window, &texts, "grid-customers", "Customers by recency and frequency score", "customers")],
        tables: vec![table],
        ..Figure::default()
    })
}

/// What a customer of the cells is worth.
pub(super) fn values(audited: &Audited<'_>) -> Option<Figure> {
    let window = audited.window().filter(|window| window["more"]["rfm_cells"].is_object())?;
    let (cells, style) = (cells(window), audited.style);
    let mean = |cell: &(i128, i128)| per(Fixed2::from_hundredths(cell.1), cell.0);
    let (&(r, f), best) = cells.iter().max_by_key(|(_, cell)| mean(cell))?;
    let texts: BTreeMap<_, _> = cells.iter().map(|(&at, cell)| (at, (mean(cell).to_f64(), style.short_amount(mean(cell))))).collect();
    let lens1 = &window["lens1"];
    let average = per(lens1["total_revenue"].fixed(), lens1["total_customers"].count());
    let columns = ["Recency and frequency".to_owned(), "Segment of most".to_owned(), "Customers".to_owned()];
    let columns = columns.into_iter().chain([style.column("Revenue"), style.column("Revenue per customer")]);
    let mut table = DataTable::new("Revenue per customer by recency and frequency score", 2, columns);
    let has_segments = window["segment_cells"].is_object();
    for (&(r, f), cell) in cells.iter().rev() {
        let numbers = [cell.0.to_string(), Fixed2::from_hundredths(cell.1).to_string(), mean(cell).to_string()];
        let names = [format!("R{r} F{f}"), segment(window, (r, f))];
        table.row(names.into_iter().chain(numbers.iter().map(|number| style.number(number))));
    }
    if !has_segments {
        table.texts = 1;
        table.columns.remove(1);
        table.rows.iter_mut().for_each(|row| drop(row.remove(1)));
    }
    let [best, average] = [mean(best), average].map(|amount| style.amount(&amount.to_string()));
    Some(Figure {
        name: "grid_value",
        title: format!("Revenue per customer by recency and frequency in {}", window["name"].name()),
        claim: format!("A customer in R{r} F{f} brings {best}, the average one {average}"),
        note: note(window, audited.cut_points()),
        pictures: vec![picture(window, &texts, "grid-value", "Revenue per customer by recency and frequency score", "per customer")],
        tables: vec![table],
        ..Figure::default()
    })
}

/// How scores are to be read, and by which cut points they were given.
fn note(window: &Value, cuts: &Value) -> String {
    let named =
        if window["segment_cells"].is_object() { " A cell has the name of the segment that most of its customers are in." } else { "" };
    let cuts = match (cuts["from"].name(), cuts.is_there()) {
        (from, true) if from.is_empty() => " Scores are by given cut points, not by this period's own.".to_owned(),
        (from, true) => format!(" Scores are by given cut points, from {from}, not by this period's own."),
        _ => String::new(),
    };
    format!("R: the higher, the more recent. F: the higher, the more orders.{named}{cuts}")
}

fn picture(window: &Value, cells: &BTreeMap<(u32, u32), (f64, String)>, name: &str, title: &str, what: &str) -> String {
    let highest = |of: &dyn Fn(&(u32, u32)) -> u32| cells.keys().map(of).max().unwrap_or(1).clamp(1, 9);
    let (rows, columns) = (highest(&|at| at.0), highest(&|at| at.1));
    let (left, top, plot_width) = (40.0, 8.0, 372.0);
    let (width, height) = ((plot_width / f64::from(columns)).min(186.0), if rows > 6 { 34.0 } else { 48.0 });
    let mut canvas = Canvas::new(420.0, top + f64::from(rows) * height + 38.0);
    let most = cells.values().map(|cell| cell.0).fold(0.0, f64::max);
    for (j, r) in (1..=rows).rev().enumerate() {
        let y = top + j as f64 * height;
        canvas.text((left - 8.0, y + height / 2.0 + 4.0), "end", &format!("R{r}"));
        for f in 1..=columns {
            let area = Area::new(left + f64::from(f - 1) * width + 1.0, y + 1.0, width - 2.0, height - 2.0);
            let Some((number, text)) = cells.get(&(r, f)) else {
                canvas.cell(area, "none", "");
                continue;
            };
            // Most customers are in few cells: the root tells the others apart.
            let level = heat((number / most).max(0.0).sqrt());
            let segment = segment(window, (r, f));
            let separator = if segment.is_empty() { "" } else { ", " };
            canvas.cell(area, &format!("h{level}"), &format!("R{r} F{f}: {text} {what}{separator}{segment}"));
            let lines = if width < 58.0 { Vec::new() } else { lines(&segment, (width / 5.4) as usize) };
            let middle = area.x + area.width / 2.0;
            let y = y + height / 2.0 + 4.5 - 5.5 * lines.len() as f64;
            canvas.text((middle, y), &format!("t{level} middle strong"), text);
            for (k, line) in lines.iter().enumerate() {
                canvas.text((middle, y + 11.5 * (k as f64 + 1.0)), &format!("t{level} middle tiny"), line);
            }
        }
    }
    let bottom = top + f64::from(rows) * height;
    for f in 1..=columns {
        canvas.text((left + (f64::from(f) - 0.5) * width, bottom + 15.0), "middle", &format!("F{f}"));
    }
    canvas.text((left + 1.0, bottom + 32.0), "small", "↑ bought more recently");
    canvas.text((left + f64::from(columns) * width - 1.0, bottom + 32.0), "small end", "more orders →");
    let description = "Rows are recency scores, columns frequency scores; the table has the numbers of each cell.";
    canvas.finish(name, title, description)
}

/// A name in two lines at most, each of so many characters.
fn lines(name: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in name.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= most => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    if lines.len() > 2 {
        let rest = lines.split_off(1).join(" ");
        lines.push(rest);
    }
    lines.iter().map(|line| label(line, most)).collect()
}
