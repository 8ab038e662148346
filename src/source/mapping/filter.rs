//! Filters of rows, ready to be asked: which column they look at, and what they count.

use super::derive::Part;
use crate::model::note::{Notes, Topic};
use crate::model::read_options::ReadOptions;

/// Between a filter and a value of it, in the subject of a note.
const OF: char = '\u{1f}';

/// A filter of a column.
#[derive(Debug, Clone)]
pub(super) struct Filter {
    /// As it was said, for notes.
    name: String,
    pub(super) column: String,
    values: Vec<String>,
    /// Whether rows with one of the values are read, or all others.
    only: bool,
    /// Where the column lies.
    pub(super) part: Part,
}

/// What a filter has counted since it was asked last.
#[derive(Debug, Clone, Default)]
pub(super) struct FilterCounts {
    left_out: u64,
    /// Rows without a value, where that is none of its values.
    silent: u64,
    /// Rows with each of its values.
    with: Vec<u64>,
}

impl Filter {
    /// The filters of an input, those of one column and kind as one. They are to be told where their columns lie.
    pub(super) fn all(options: &ReadOptions) -> Vec<Filter> {
        let mut filters: Vec<Filter> = Vec::new();
        let said = options.only.iter().map(|filter| (filter, true)).chain(options.except.iter().map(|filter| (filter, false)));
        for (said, only) in said {
            let known = filters.iter_mut().find(|filter| filter.only == only && filter.column == said.column);
            let kind = if only { "only" } else { "except" };
            match known {
                Some(filter) => {
                    filter.values.extend(said.values.iter().cloned());
                    filter.name += &format!(" and {said}");
                }
                None => filters.push(Filter {
                    name: format!("{kind} {said}"),
                    column: said.column.clone(),
                    values: said.values.clone(),
                    only,
                    part: Part::Text(String::new()),
                }),
            }
        }
        filters
    }

    /// Whether a row with this text is read.
    pub(super) fn keeps(&self, text: Option<&str>, counts: &mut FilterCounts) -> bool {
        counts.with.resize(self.values.len(), 0);
        let text = text.unwrap_or_default().trim();
        let mut has = false;
        for (value, with) in self.values.iter().zip(&mut counts.with) {
            let is_it = value.eq_ignore_ascii_case(text);
            *with += u64::from(is_it);
            has |= is_it;
        }
        counts.silent += u64::from(text.is_empty() && !has);
        has == self.only
    }
}

impl FilterCounts {
    pub(super) fn leave_out(&mut self) {
        self.left_out += 1;
    }

    /// Adds what was counted to the notes.
    pub(super) fn tell(&mut self, filter: &Filter, notes: &Notes) {
        let FilterCounts { left_out, silent, with } = std::mem::take(self);
        if left_out > 0 {
            notes.tally(Topic::FilteredRows, &filter.name, left_out);
        }
        if silent > 0 {
            notes.tally(Topic::SilentRows, &filter.name, silent);
        }
        for (value, with) in filter.values.iter().zip(with) {
            notes.tally(Topic::ValueOfFilter, &format!("{}{OF}{value}", filter.name), with);
        }
    }
}
