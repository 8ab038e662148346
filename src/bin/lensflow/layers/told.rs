//! What an input's columns tell is a layer below all that is said. What was said can be said again, as the arguments of a command.

use super::value::Value;
use super::{Entry, Origin, Said};
use crate::options::Kind;
use crate::options::option_table::{Form, OPTIONS};
use lensflow::Result;
use lensflow::error::Error;
use lensflow::model::RowFilter;
use lensflow::state::Remembered;

/// Options of inputs that a state remembers, beside columns and orders. Not what belongs to one file.
const REMEMBERED: &[&str] = &[
    "source.from",
    "source.id_format",
    "source.null",
    "source.number_format",
    "source.amount_unit",
    "source.date_format",
    "source.naive_times",
    "source.encoding",
    "source.period_ends",
    "source.quote",
    "source.escape",
    "source.only",
    "source.except",
];

/// Options that say which rows are read.
const FILTERS: [&str; 2] = ["source.only", "source.except"];

impl Said {
    /// What was said, with what an input's columns tell below it. Options that this job has not are passed over. What is said of a key
    /// counts alone, but for filters: those that are told add to those that are said.
    ///
    /// # Errors
    /// An option that no job has, and a filter that is none.
    pub(crate) fn told(&self, settings: &[(String, Vec<String>)], by: &str) -> Result<Said> {
        let mut said = self.clone();
        for (key, values) in settings {
            let Some(place) = OPTIONS.iter().position(|row| row.key == key) else {
                return Err(Error::internal(format!("{by} asks for the option {key}, which this version has not")));
            };
            let row = &OPTIONS[place];
            if !row.acts_in(self.kind) {
                continue;
            }
            let values = if FILTERS.contains(&row.key) { self.filters_beside(values)? } else { values.clone() };
            if values.is_empty() {
                continue;
            }
            if let Some(entry) = said.entries.get_mut(&place) {
                if FILTERS.contains(&row.key) {
                    entry.value = entry.value.with(&values);
                }
                continue;
            }
            let value = match row.form {
                Form::Switch => Value::Bool(values.iter().any(|value| value == "true")),
                Form::Texts => Value::List(values.iter().map(|value| (Value::Text(value.clone()), 1)).collect()),
                _ => Value::Text(values.join(",")),
            };
            said.entries.insert(place, Entry { row, value, origin: Origin::Told(by.to_owned()) });
        }
        Ok(said)
    }

    /// Those of some filters that are told which are not replaced by one that is said.
    fn filters_beside(&self, told: &[String]) -> Result<Vec<String>> {
        let only: Vec<RowFilter> = self
            .get("source.only")
            .map_or_else(Vec::new, |entry| entry.value.texts())
            .iter()
            .map(|text| text.parse())
            .collect::<Result<_>>()?;
        let mut beside = Vec::new();
        for text in told {
            let filter: RowFilter = text.parse()?;
            if !filter.is_replaced_by(&only) {
                beside.push(text.clone());
            }
        }
        Ok(beside)
    }

    /// How inputs are read, for a state to remember: what of it can be said again.
    pub(crate) fn settings(&self) -> Remembered {
        let kept = self
            .entries
            .values()
            .filter(|entry| matches!(entry.row.section(), "columns" | "transactions") || REMEMBERED.contains(&entry.row.key));
        kept.map(|entry| (entry.row.key.to_owned(), entry.value.texts())).collect()
    }

    /// What was said as another kind of job, without what only this one takes.
    pub(crate) fn as_job(&self, kind: Kind) -> Said {
        let entries = self.entries.iter().filter(|(_, entry)| entry.row.jobs.contains(&kind));
        Said { spec: None, kind, entries: entries.map(|(place, entry)| (*place, entry.clone())).collect() }
    }

    /// Leaves out what was told by some.
    pub(crate) fn without_told_by(mut self, is: impl Fn(&str) -> bool) -> Said {
        self.entries.retain(|_, entry| !matches!(&entry.origin, Origin::Told(by) if is(by)));
        self
    }

    /// The arguments that say it, after the name of a command.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let (mut named, mut flags) = (Vec::new(), Vec::new());
        for entry in self.entries.values() {
            let texts = entry.value.texts();
            if entry.row.section() == "columns" {
                flags.extend(texts.iter().flat_map(|text| ["--column".to_owned(), format!("{}={text}", entry.row.name())]));
                continue;
            }
            match entry.row.flag(self.kind) {
                Some(flag) if flag.is_positional() => named.extend(texts),
                Some(flag) if entry.row.form == Form::Switch => flags.push(flag.shown()),
                Some(flag) if entry.row.form == Form::Numbers => flags.extend([flag.shown(), texts.join(",")]),
                Some(flag) => flags.extend(texts.into_iter().flat_map(|text| [flag.shown(), text])),
                None => {}
            }
        }
        named.extend(flags);
        named
    }

    /// Leaves out what another has left out.
    pub(crate) fn keep_those_of(&mut self, other: &Said) {
        self.entries.retain(|place, _| other.entries.contains_key(place));
    }
}

/// A command as a shell takes it.
pub(crate) fn shell(command: &str, arguments: &[String]) -> String {
    let quoted = |text: &String| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_./:@=+-,%".contains(c);
        if !text.is_empty() && text.chars().all(plain) { text.clone() } else { format!("'{}'", text.replace('\'', "'\\''")) }
    };
    let words: Vec<String> = arguments.iter().map(quoted).collect();
    format!("lensflow {command} {}", words.join(" "))
}
