//! The layer below all that is said: what the columns of inputs tell of their rows.

use super::column_names;
use crate::layers::{Said, shell};
use crate::options::row_options::reading;
use crate::options::row_options::rows_are;
use crate::options::{Kind, Options};
use crate::refuse::STDIN;
use lensflow::Result;
use lensflow::error::Error;
use lensflow::jobs::{Recognition, Recognized, RowsAre};
use lensflow::source::layouts::LayoutChoice;
use lensflow::state::is_state;
use std::path::Path;

/// What was told, and what is said with it.
pub(super) struct Told {
    pub(super) said: Said,
    pub(super) recognition: Recognition,
    pub(super) recognized: Recognized,
}

/// Looks at the first input of a job whose rows are not known, or whose layout is not.
///
/// # Errors
/// An input that lacks the columns of the layout that is asked for, or whose columns tell nothing.
pub(super) fn told(said: &Said, options: &Options) -> Result<Option<Told>> {
    let rows = rows_are(said.kind, options);
    let layout = options.source.layout.unwrap_or_default();
    let follows = said.kind == Kind::Follow || rows == RowsAre::Periods;
    let is_known = rows == RowsAre::Transactions && layout == LayoutChoice::None;
    if said.kind != Kind::Peek && (follows || is_known) {
        return Ok(None);
    }
    let recognition = Recognition {
        inputs: options.source.inputs.iter().flatten().filter(|name| !is_state(Path::new(name))).cloned().collect(),
        format: options.source.format,
        reading: reading(options),
        rows,
        layout,
        columns: column_names(options),
        one_row_per_order: options.transactions.one_row_per_order,
    };
    if recognition.inputs.is_empty() {
        return Ok(None);
    }
    let mut recognized = match recognition.run() {
        Ok(recognized) => recognized,
        Err(error) if layout != LayoutChoice::Auto => return Err(error),
        // What cannot be opened is an error of the job itself, which says more of it.
        Err(_) => {
            let of_lines = said.entries().any(|entry| entry.row.section() == "transactions");
            Recognized::of(if rows == RowsAre::Transactions || of_lines { RowsAre::Transactions } else { RowsAre::Periods })
        }
    };
    if recognized.rows == RowsAre::Auto && said.kind != Kind::Peek {
        return Err(unknown(said, &recognition, &recognized)?);
    }
    let by = recognized.layout.map_or_else(|| "the input's columns".to_owned(), |layout| format!("the layout {layout}"));
    if recognized.rows != RowsAre::Auto && !recognized.settings.iter().any(|(key, _)| key == "source.from") {
        let rows = if recognized.rows == RowsAre::Transactions { "transactions" } else { "periods" };
        recognized.settings.push(("source.from".to_owned(), vec![rows.to_owned()]));
    }
    Ok(Some(Told { said: said.told(&recognized.settings, &by)?, recognition, recognized }))
}

/// What was seen, and the two ways on.
fn unknown(said: &Said, recognition: &Recognition, recognized: &Recognized) -> Result<Error> {
    let seen = recognized.seen.clone().unwrap_or_default();
    let name = said.kind.command();
    let as_lines = said.told(&recognized.settings, "a guess")?.as_job(said.kind);
    let periods = vec![("source.from".to_owned(), vec!["periods".to_owned()])];
    let as_periods = said.told(&periods, "a guess")?.as_job(said.kind);
    let mut help = format!(
        "orders and line items: {}; period aggregations: {} --column customer_id=NAME --column period_start=NAME …",
        shell(name, &as_lines.arguments()),
        shell(name, &as_periods.arguments())
    );
    for doubt in &recognized.doubts {
        help += &format!("; {doubt}");
    }
    help += &format!("; more about the input: {}", shell("peek", &recognition.inputs));
    // Names of columns may be anything.
    let help = help.replace(char::is_control, "?");
    let error = Error::data(seen);
    Ok(match recognition.inputs.first() {
        Some(input) if input == STDIN => error.input("stdin").help(help),
        Some(input) => error.input(input).help(help),
        None => error.help(help),
    })
}
