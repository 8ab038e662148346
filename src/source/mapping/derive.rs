//! A record's fields → the texts of our columns, where these are not simply columns of the input.
//!
//! Joined ids are the parts with `+` between them; a `+` or a backslash in a part has a backslash before it, so that ("1", "23") and
//! ("12", "3") differ and what is printed can be read. A part that is empty stays one; where all are, there is no id.

use super::filter::{Filter, FilterCounts};
use super::watched::{NOTHING, Watch, Watched, later, placed};
use super::{Join, positions};
use crate::model::note::Notes;

/// A part of a column of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// A column of the input.
    Field(usize),
    /// The same text in every row.
    Text(String),
    /// The calendar day of the time, as it is written.
    Day,
}

/// Makes the texts of our columns of a record's fields.
#[derive(Debug, Clone)]
pub(crate) struct Derive<const N: usize> {
    /// The positions of the fields that are needed, ascending: a record is these.
    pub(crate) fields: Vec<usize>,
    /// The parts of each column; none where it is not there. Fields are places in `fields`.
    columns: [Vec<Part>; N],
    joins: [Join; N],
    /// Those that are made of several parts; the time first, of which others may have the day.
    made: Vec<usize>,
    time: Option<usize>,
    nulls: Vec<String>,
    filters: Vec<Filter>,
    /// Columns that are counted.
    pub(super) watched: Watched,
    /// The names of the fields, for messages.
    names: Vec<String>,
}

/// Where the texts of a row are made.
#[derive(Debug)]
pub(crate) struct Scratch<const N: usize> {
    texts: [String; N],
    counts: Vec<FilterCounts>,
    watch: Watch,
}

impl<const N: usize> Default for Scratch<N> {
    fn default() -> Self {
        Scratch { texts: [const { String::new() }; N], counts: Vec::new(), watch: Watch::default() }
    }
}

impl<const N: usize> Derive<N> {
    pub(super) fn new(
        mut columns: [Vec<Part>; N],
        joins: [Join; N],
        nulls: &[String],
        mut filters: Vec<Filter>,
        watched: Watched,
        names: &[&str],
    ) -> Self {
        let field = |part: &Part| if let Part::Field(at) = part { Some(*at) } else { None };
        let parts = columns.iter().flatten().chain(filters.iter().map(|filter| &filter.part));
        let fields = positions(&parts.map(field).chain(watched.iter().map(|column| Some(column.at))).collect::<Vec<_>>());
        let place = |at: usize| fields.partition_point(|known| *known < at);
        let watched = placed(watched, place);
        for part in columns.iter_mut().flatten().chain(filters.iter_mut().map(|filter| &mut filter.part)) {
            if let Part::Field(at) = part {
                *at = fields.partition_point(|known| known < at);
            }
        }
        let time = (0..N).find(|&column| joins[column] == Join::Time);
        let mut made: Vec<usize> = (0..N).filter(|&column| columns[column].len() > 1).collect();
        made.sort_by_key(|column| Some(*column) != time);
        let names = fields.iter().map(|&at| names[at].to_owned()).collect();
        Derive { fields, columns, joins, made, time, nulls: nulls.to_vec(), filters, watched, names }
    }

    /// Says that a column is the field at a position behind all others.
    pub(super) fn add(&mut self, column: usize, position: usize) {
        self.columns[column] = vec![Part::Field(self.fields.len())];
        self.fields.push(position);
        self.names.push(String::new());
    }

    /// Watches a column at a position behind all others.
    pub(super) fn watch(&mut self, name: &str, position: usize) {
        self.watched.extend(later(name, self.fields.len(), &NOTHING));
        self.fields.push(position);
        self.names.push(name.to_owned());
    }

    /// Whether a column is there.
    pub(crate) fn has(&self, column: usize) -> bool {
        !self.columns[column].is_empty()
    }

    /// The places in a record of the fields that a column is made of.
    pub(crate) fn fields_of(&self, column: usize) -> impl Iterator<Item = usize> {
        self.columns[column].iter().filter_map(|part| if let Part::Field(at) = part { Some(*at) } else { None })
    }

    /// Whether a column is made of several parts.
    pub(crate) fn is_joined(&self, column: usize) -> bool {
        self.columns[column].len() > 1
    }

    /// The name of a field.
    pub(crate) fn name_of(&self, field: usize) -> &str {
        &self.names[field]
    }

    /// Adds what filters have counted, and watched columns, to the notes.
    pub(crate) fn tell(&self, scratch: &mut Scratch<N>, notes: &Notes) {
        self.filters.iter().zip(&mut scratch.counts).for_each(|(filter, counts)| counts.tell(filter, notes));
        scratch.watch.tell(&self.watched, notes);
    }

    /// Whether all filters let a row through.
    fn keeps(&self, fields: &[Option<&str>], scratch: &mut Scratch<N>) -> bool {
        scratch.counts.resize_with(self.filters.len(), FilterCounts::default);
        let mut keeps = true;
        for (filter, counts) in self.filters.iter().zip(&mut scratch.counts) {
            // Each counts its values in all rows; a row that several leave out is counted by the first of them.
            if !filter.keeps(self.text(&filter.part, fields), counts) && std::mem::take(&mut keeps) {
                counts.leave_out();
            }
        }
        keeps
    }

    /// The column that has a field, the first if it is several.
    pub(crate) fn column_of(&self, field: usize) -> Option<usize> {
        (0..N).find(|&column| self.fields_of(column).any(|at| at == field))
    }

    /// The texts of a record whose needed fields are these; none where a filter leaves it out. `day` writes the day of a time.
    pub(crate) fn texts<'a>(
        &'a self,
        fields: &[Option<&'a str>],
        scratch: &'a mut Scratch<N>,
        day: impl Fn(&str, &mut String),
    ) -> Option<[Option<&'a str>; N]> {
        if !self.filters.is_empty() && !self.keeps(fields, scratch) {
            return None;
        }
        scratch.watch.see(&self.watched, |at| fields[at]);
        for &column in &self.made {
            let mut text = std::mem::take(&mut scratch.texts[column]);
            text.clear();
            let time = self.time.filter(|time| *time != column).and_then(|time| match &self.columns[time][..] {
                [only] => self.text(only, fields),
                [] => None,
                _ => Some(&*scratch.texts[time]).filter(|text| !text.is_empty()),
            });
            self.join(column, fields, time, &mut text, &day);
            scratch.texts[column] = text;
        }
        let scratch = &*scratch;
        Some(std::array::from_fn(|column| match &self.columns[column][..] {
            [] => None,
            [only] => self.text(only, fields),
            _ => Some(&*scratch.texts[column]).filter(|text| !text.is_empty()),
        }))
    }

    /// A part's text; none where it is empty, or a word that means so.
    fn text<'a>(&'a self, part: &'a Part, fields: &[Option<&'a str>]) -> Option<&'a str> {
        let text = match part {
            Part::Field(at) => fields[*at],
            Part::Text(text) => Some(&**text),
            Part::Day => None,
        };
        text.filter(|text| !text.is_empty() && !self.nulls.iter().any(|null| null == text))
    }

    /// Writes a column that is made of several parts; nothing where it is null.
    fn join(&self, column: usize, fields: &[Option<&str>], time: Option<&str>, out: &mut String, day: &impl Fn(&str, &mut String)) {
        let parts = &self.columns[column];
        let mut is_null = true;
        for (at, part) in parts.iter().enumerate() {
            let text = self.text(part, fields);
            if self.joins[column] == Join::Time {
                // A date without its time of day is not midnight.
                let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return out.clear() };
                out.push_str(if at > 0 { " " } else { "" });
                out.push_str(if at + 1 < parts.len() { without_midnight(text) } else { text });
                is_null = false;
                continue;
            }
            out.push_str(if at > 0 { "+" } else { "" });
            match (part, time) {
                (Part::Day, Some(time)) => {
                    is_null = false;
                    day(time, out);
                }
                _ => {
                    let text = text.unwrap_or_default();
                    is_null &= text.is_empty();
                    escape(text, out);
                }
            }
        }
        if is_null {
            out.clear();
        }
    }
}

/// A text with a backslash before what joins.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        if matches!(c, '+' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
}

/// A date without the midnight that databases write after it.
fn without_midnight(date: &str) -> &str {
    let Some((day, time)) = date.split_once(['T', ' ']) else { return date };
    let is_midnight = time.starts_with("00:00") && time.bytes().all(|byte| matches!(byte, b'0' | b':' | b'.'));
    if is_midnight { day } else { date }
}
