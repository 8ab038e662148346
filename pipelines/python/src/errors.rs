//! Errors of the library → `lensflow.Error`, with options called as Python's keywords are.
//!
//! The library names options in backquotes, with a value or without: `` `on_bad_row=reject` ``. A Python programmer reads
//! `on_bad_row="reject"`.

use crate::options::option_table::{Form, OPTIONS};
use crate::said::NAMES;
use lensflow::error::{Error, Kind};
use pyo3::prelude::*;

/// How the advice about columns that tell nothing begins: it is commands, and what a Python programmer says instead.
const OF_UNKNOWN: &str = "orders and line items: lensflow";
const KNOWN: &str = "say source=\"orders\" with columns={\"order_id\": …, \"customer_id\": …, \"event_ts\": …, \"line_total\": …}, or \
     source=\"periods\" with columns={\"customer_id\": …, \"period_start\": …, …}; lensflow.peek(data) shows what the columns hold";

/// The exception of an error.
pub(crate) fn raised(py: Python<'_>, error: &Error) -> PyErr {
    exception(py, error).unwrap_or_else(|failed| failed)
}

fn exception(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let kind = match error.kind() {
        Kind::Usage => "usage",
        Kind::Data => "data",
        Kind::Io | Kind::Memory => "io",
        Kind::Cancelled => "cancelled",
        _ => "internal",
    };
    let (message, help) =
        (say(&error.to_string()), error.advice().map(|advice| if advice.starts_with(OF_UNKNOWN) { KNOWN.to_owned() } else { say(advice) }));
    let make = py.import("lensflow._errors")?.getattr("_error")?;
    let value = make.call1((kind, message, error.at_input(), error.at_row(), error.at_customer(), help))?;
    Ok(PyErr::from_value(value))
}

/// A message with its options as keywords.
pub(crate) fn say(message: &str) -> String {
    let mut parts = message.split('`');
    let mut said = parts.next().unwrap_or_default().to_owned();
    while let Some(option) = parts.next() {
        match parts.next() {
            Some(after) => said += &(keyword(option).unwrap_or_else(|| format!("`{option}`")) + after),
            None => said += &format!("`{option}"),
        }
    }
    said.replace("lensflow state history STATE", "state.history()")
}

/// An option as a keyword; none if it is none.
fn keyword(text: &str) -> Option<String> {
    let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
    if let Some(column) = name.strip_prefix("columns.") {
        return Some(value.map_or_else(|| format!("columns[{column:?}]"), |value| format!("columns={{{column:?}: {value:?}}}")));
    }
    if name == "from" || name == "source.from" {
        let value = value.map(|value| if value == "transactions" { "orders" } else { value });
        return Some(value.map_or_else(|| "source".to_owned(), |value| format!("source={value:?}")));
    }
    let row = OPTIONS.iter().find(|row| row.key == name).or_else(|| OPTIONS.iter().find(|row| row.name() == name))?;
    let known = NAMES.iter().find(|(_, key)| *key == row.key).map_or(row.name(), |(known, _)| known);
    Some(match value {
        None => known.to_owned(),
        Some("true") if row.form == Form::Switch => format!("{known}=True"),
        Some("false") if row.form == Form::Switch => format!("{known}=False"),
        Some(value) if value.starts_with('[') || row.form == Form::Number || value == "…" => format!("{known}={value}"),
        Some(value) => format!("{known}={value:?}"),
    })
}
