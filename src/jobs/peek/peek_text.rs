//! What was seen of inputs, for people, in 80 columns.

use super::Peeked;
use crate::base::text::{counted, grouped, wrapped};
use crate::jobs::recognize::RowsAre;
use crate::source::sniff::{ColumnProfile, ValueKind};
use std::fmt::Write;

/// Columns of a terminal.
const WIDTH: usize = 80;

/// What was seen, with the command that goes on from there; one for each of the ways to read the input.
pub fn render(peeked: &Peeked, commands: &[String]) -> String {
    let mut text = String::new();
    let more =
        if peeked.more_inputs > 0 { format!(" and {}", counted(peeked.more_inputs, "more input", "more inputs")) } else { String::new() };
    text += &wrapped(&format!("{}{more}: {}", peeked.input, about(peeked)), WIDTH, "");
    let rows = match (peeked.rows, peeked.layout) {
        (RowsAre::Auto, _) if peeked.readings.iter().all(|reading| reading.lacking.is_empty()) && peeked.lines.is_some() => {
            "orders and line items, if the columns below are right".to_owned()
        }
        (RowsAre::Auto, _) => "rows of no known meaning".to_owned(),
        (_, Some(layout)) => format!("the layout {layout}: orders and line items"),
        (RowsAre::Periods, None) => "period aggregations".to_owned(),
        (RowsAre::Transactions, None) => "orders and line items".to_owned(),
    };
    let whole = if peeked.all { "all" } else { "a sample of" };
    text += &wrapped(&format!("{rows}; {whole} {}", counted(peeked.rows_read, "row", "rows")), WIDTH, "");
    text.push('\n');
    if peeked.more_inputs > 0 {
        text += &wrapped(&format!("The columns, by the beginning of {}:", peeked.input), WIDTH, "");
    }
    columns(&mut text, peeked);
    text.push('\n');
    for line in facts(peeked) {
        text += &wrapped(&line, WIDTH, "");
    }
    for note in &peeked.notes {
        text += &wrapped(&format!("- {note}"), WIDTH, "  ");
    }
    match commands {
        [only] => {
            let _ = writeln!(text, "\nTo go on:\n  {only}");
        }
        several => {
            text.push_str("\nTo go on, the one that is right:\n");
            for (command, reading) in several.iter().zip(&peeked.readings) {
                text += &wrapped(&format!("- if {}:", reading.says), WIDTH, "  ");
                let _ = writeln!(text, "  {command}");
            }
        }
    }
    let lacking = peeked.readings.first().map(|reading| reading.lacking.join(", ")).filter(|lacking| !lacking.is_empty());
    if let Some(lacking) = lacking {
        text += &wrapped(&format!("In place of NAME, the name of your column; not found is: {lacking}"), WIDTH, "");
    }
    text
}

/// What the bytes are.
fn about(peeked: &Peeked) -> String {
    let mut said = vec![peeked.format.map_or("unknown format".to_owned(), |format| format!("{format:?}").to_uppercase())];
    said.extend(peeked.compression.map(str::to_owned));
    said.extend(peeked.encoding.map(str::to_owned));
    said.extend(peeked.delimiter.map(|delimiter| match delimiter {
        '\t' => "tabs between fields".to_owned(),
        other => format!("{other:?} between fields"),
    }));
    said.extend(peeked.header_line.map(|line| format!("header on line {line}")));
    said.push(counted(peeked.columns.len(), "column", "columns"));
    said.extend(peeked.bytes.map(|bytes| counted(bytes, "byte", "bytes")));
    said.join(", ")
}

fn facts(peeked: &Peeked) -> Vec<String> {
    let mut facts = Vec::new();
    if let (Some(first), Some(last)) = (&peeked.first_day, &peeked.last_day) {
        facts.push(format!("days: {first} to {last}{}", if peeked.all { "" } else { ", of the sample" }));
    }
    if let Some(lines) = &peeked.lines {
        facts.push(format!(
            "{} of {}, {}",
            counted(lines.lines, "line", "lines"),
            counted(lines.orders, "order", "orders"),
            counted(peeked.customers, "customer", "customers")
        ));
    } else if peeked.customers > 0 {
        facts.push(counted(peeked.customers, "customer", "customers"));
    }
    facts
}

/// A line a column: its name, its role, how it reads, and examples.
fn columns(text: &mut String, peeked: &Peeked) {
    let width = |words: &mut dyn Iterator<Item = usize>, most: usize| words.max().unwrap_or(0).min(most);
    let names = width(&mut peeked.columns.iter().map(|column| column.profile.name.chars().count()), 22);
    let roles = width(&mut peeked.columns.iter().filter_map(|column| column.role.as_ref()).map(|role| role.chars().count()), 12);
    for column in &peeked.columns {
        let (name, role) = (cut(&column.profile.name, names), cut(column.role.as_deref().unwrap_or(""), roles));
        let line = format!("  {name:<names$}  {role:<roles$}  {}", reads(&column.profile));
        let _ = writeln!(text, "{}", cut(line.trim_end(), WIDTH));
    }
}

/// How a column's values read.
fn reads(profile: &ColumnProfile) -> String {
    let kind = match profile.kind {
        ValueKind::Empty => "empty".to_owned(),
        ValueKind::Date => match &profile.dates[..] {
            [only] if only.format.is_none() => "ISO 8601".to_owned(),
            [only] => only.formats().join(" and "),
            several => several.iter().filter_map(|date| date.format.as_deref()).take(2).collect::<Vec<_>>().join(" or "),
        },
        ValueKind::WholeNumber => "whole number".to_owned(),
        ValueKind::Amount => profile.number_format.map_or("amount".to_owned(), |format| format!("amount as {format}")),
        ValueKind::Currency => "currency".to_owned(),
        ValueKind::Word => format!("one of {}", profile.distinct),
        ValueKind::Id => "id".to_owned(),
        ValueKind::Text => "text".to_owned(),
    };
    let empty = match profile.empty {
        0 => String::new(),
        _ if profile.kind == ValueKind::Empty => String::new(),
        some => format!(", {} empty", grouped(some)),
    };
    let negative = if profile.negative > 0 { format!(", {} negative", grouped(profile.negative)) } else { String::new() };
    format!("{kind}{empty}{negative}: {}", profile.examples.join(" · "))
}

/// A text of so many characters at most.
fn cut(text: &str, most: usize) -> String {
    let text = text.replace(char::is_control, " ");
    if text.chars().count() <= most { text } else { text.chars().take(most.saturating_sub(1)).chain(['…']).collect() }
}
