//! Filters of rows, ready to be asked: which column they look at, and what they count.

use super::derive::Part;
use crate::model::note::{Notes, OF, Topic};
use crate::model::read_options::ReadOptions;
use crate::model::row_filter::RowFilter;

/// So many values of a filter are shown.
const SHOWN: usize = 4;

/// A filter of a column.
#[derive(Debug, Clone)]
pub(super) struct Filter {
    /// As it was said, for notes.
    name: String,
    pub(super) column: String,
    /// Each with whether it was asked for, and not told by the input's columns.
    values: Vec<(String, bool)>,
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
            let asked = options.told.as_ref().is_none_or(|told| !told.filters.contains(said));
            let values = said.values.iter().map(|value| (value.clone(), asked));
            match filters.iter_mut().find(|filter| filter.only == only && filter.column == said.column) {
                Some(filter) => {
                    filter.values.extend(values);
                    filter.name += &format!(" and {}", shown(said));
                }
                None => filters.push(Filter {
                    name: format!("{} {}", if only { "only" } else { "except" }, shown(said)),
                    column: said.column.clone(),
                    values: values.collect(),
                    only,
                    part: Part::Text(String::new()),
                }),
            }
        }
        filters
    }

    /// Whether its values are those that are read, and not those that are left out.
    pub(super) fn names_what_is_read(&self) -> bool {
        self.only
    }

    /// Whether a row with this text is read.
    pub(super) fn keeps(&self, text: Option<&str>, counts: &mut FilterCounts) -> bool {
        counts.with.resize(self.values.len(), 0);
        let text = text.unwrap_or_default().trim();
        let mut has = false;
        for ((value, _), with) in self.values.iter().zip(&mut counts.with) {
            let is_it = value.eq_ignore_ascii_case(text);
            *with += u64::from(is_it);
            has |= is_it;
        }
        counts.silent += u64::from(text.is_empty() && !has);
        has == self.only
    }
}

/// A filter as it was said, but for values after the first few.
fn shown(filter: &RowFilter) -> String {
    match filter.values.len().checked_sub(SHOWN) {
        Some(more @ 2..) => format!("{},… ({more} more)", RowFilter { values: filter.values[..SHOWN].to_vec(), ..filter.clone() }),
        _ => filter.to_string(),
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
        for ((value, _), with) in filter.values.iter().zip(with).filter(|((_, asked), _)| *asked) {
            notes.tally(Topic::ValueOfFilter, &format!("{}{OF}{value}", filter.name), with);
        }
    }
}
