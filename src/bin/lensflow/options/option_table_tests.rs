//! The table of options agrees with the grammar of specs and with the columns of the library.

use super::option_table::*;
use lensflow::model::{Column, TransactionColumn};

#[test]
fn every_key_is_in_the_grammar_and_every_line_of_it_is_a_key() {
    let page = include_str!("../../../../pipelines/README.md");
    let mut section = None;
    let mut described = Vec::new();
    for line in page.lines() {
        if let Some(name) = line.strip_prefix("### `[").and_then(|rest| rest.split(']').next()) {
            section = Some(name);
        } else if line.starts_with('#') {
            section = None;
        } else if let (Some(section), Some(cells)) = (section, line.strip_prefix("| `")) {
            described.extend(cells.split('`').next().map(|key| format!("{section}.{key}")));
        }
    }
    assert_eq!(described, OPTIONS.iter().map(|row| row.key).collect::<Vec<_>>());
}

#[test]
fn columns_are_those_of_the_engine() {
    let of_lines = TransactionColumn::ALL.map(TransactionColumn::name).into_iter().filter(|name| Column::from_name(name).is_none());
    let all: Vec<_> = Column::ALL.map(Column::name).into_iter().chain(of_lines).collect();
    assert_eq!(OPTIONS.iter().filter(|row| row.section() == "columns").map(Opt::name).collect::<Vec<_>>(), all);
}

#[test]
fn alternatives_are_keys() {
    assert!(ALTERNATIVES.concat().iter().all(|key| OPTIONS.iter().any(|row| row.key == *key)));
}
