//! Keyword arguments → what is said to a job. Each keyword is the name of an option of the command; from here on there is one road, that of
//! the command: its layers, its types, its refusals.

use crate::layers::{Entry, Origin, Said, Value};
use crate::options::Kind;
use crate::options::option_table::{Form, OPTIONS, Opt};
use lensflow::error::{Error, Result};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString};

/// Keywords that are not the last part of a key, or of several.
pub(crate) const NAMES: &[(&str, &str)] = &[
    ("source", "source.from"),
    ("windows", "windows.list"),
    ("rfm_columns", "rfm.columns"),
    ("rows", "generate.as"),
    ("except_", "source.except"),
    ("inputs", "source.inputs"),
];

/// What keywords say to a job of a kind. Keywords are names of options, or their whole keys, `columns.order_id`.
pub(crate) fn said(kind: Kind, keywords: &Bound<'_, PyDict>) -> PyResult<Result<Said>> {
    let mut flags = Vec::new();
    for (keyword, value) in keywords {
        let keyword: String = keyword.extract()?;
        let row = match row(kind, &keyword) {
            Ok(row) => row,
            Err(error) => return Ok(Err(error)),
        };
        let value = of_form(row.form, value_of(&value)?);
        flags.push(Entry { row, value, origin: Origin::Flag(keyword) });
    }
    // Variables are for commands: a program says what it means.
    Ok(Said::by_flags(kind, flags, std::iter::empty()))
}

fn row(kind: Kind, keyword: &str) -> Result<&'static Opt> {
    let key = NAMES.iter().find(|(name, _)| *name == keyword).map_or(keyword, |(_, key)| key);
    let exact = OPTIONS.iter().find(|row| row.key == key && row.is_taken_by(kind));
    let taken =
        || OPTIONS.iter().filter(|row| row.is_taken_by(kind) && row.section() != "columns" && !row.section().contains("synthetic."));
    let named = || taken().find(|row| row.name() == key && !NAMES.iter().any(|(_, known)| *known == row.key));
    let made_up = || OPTIONS.iter().find(|row| row.name() == key && row.section() == "source.synthetic" && row.is_taken_by(kind));
    exact.or_else(named).or_else(made_up).ok_or_else(|| {
        let error = Error::usage(format!("there is no option {keyword:?}"));
        if let Some(column) = key.strip_prefix("columns.") {
            let known: Vec<_> = OPTIONS.iter().filter(|row| row.section() == "columns").map(Opt::name).collect();
            return Error::usage(format!("there is no column {column:?} to name")).help(format!("the columns are {}", known.join(", ")));
        }
        let called = |row: &Opt| NAMES.iter().find(|(_, known)| *known == row.key).map_or(row.name(), |(name, _)| name);
        let known: Vec<_> = taken().map(called).collect();
        let likeness = |name: &str| strsim::jaro_winkler(&keyword.to_lowercase(), name);
        match known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))) {
            Some(near) if likeness(near) >= 0.8 => error.help(format!("did you mean {near}?")),
            _ => error.help(format!("the options are {}", known.join(", "))),
        }
    })
}

/// A value of Python's own types.
fn value_of(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    if let Ok(is) = value.cast::<PyBool>() {
        return Ok(Value::Bool(is.is_true()));
    }
    if value.is_instance_of::<PyInt>() {
        let text = value.str()?.to_string();
        return Ok(text.parse().map_or(Value::Text(text), Value::Whole));
    }
    if value.is_instance_of::<PyFloat>() {
        return Ok(Value::Real(value.extract()?));
    }
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(Value::Text(text.to_cow()?.into_owned()));
    }
    if let Ok(list) = value.cast::<PyList>() {
        return Ok(Value::List(list.iter().map(|part| Ok((value_of(&part)?, 0))).collect::<PyResult<_>>()?));
    }
    Ok(Value::Text(value.str()?.to_string()))
}

/// Numbers are texts where the option takes texts.
fn of_form(form: Form, value: Value) -> Value {
    match (form, value) {
        (Form::Text | Form::Texts, value @ (Value::Whole(_) | Value::Real(_))) => Value::Text(value.to_string()),
        (_, value) => value,
    }
}
