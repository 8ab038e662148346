//! Entries as what their keys take: each accessor gives nothing where nothing was said, and otherwise the value or an error that says
//! where it was said and what is expected.

use super::keys::nearest;
use super::layers::{Entry, Layers, Value};
use crate::args::count;
use crate::args::lines::of_word;
use lensflow::Result;
use lensflow::error::Error;
use serde::de::DeserializeOwned;
use std::path::PathBuf;
use std::time::Duration;

/// A value with the line it is on, where it is one of a list.
pub(crate) type Item<T> = (T, Option<usize>);

impl Layers {
    pub(crate) fn text(&self, section: &str, key: &str) -> Result<Option<String>> {
        self.get(section, key).map(Entry::text).transpose()
    }

    pub(crate) fn path(&self, section: &str, key: &str) -> Result<Option<PathBuf>> {
        Ok(self.text(section, key)?.map(PathBuf::from))
    }

    pub(crate) fn switch(&self, section: &str, key: &str) -> Result<bool> {
        self.get(section, key).map_or(Ok(false), |entry| match entry.value {
            Value::Bool(is) => Ok(is),
            _ => Err(entry.expected("true or false")),
        })
    }

    pub(crate) fn whole<T: TryFrom<i128>>(&self, section: &str, key: &str) -> Result<Option<T>> {
        self.get(section, key).map(|entry| entry.whole(&entry.value, None)).transpose()
    }

    pub(crate) fn real(&self, section: &str, key: &str) -> Result<Option<f64>> {
        let real = |entry: &Entry| match entry.value {
            Value::Real(number) if number.is_finite() => Ok(number),
            Value::Whole(number) => Ok(number as f64),
            _ => Err(entry.expected("a number, such as 0.25,")),
        };
        self.get(section, key).map(real).transpose()
    }

    /// A text that the library reads, or refuses in its own words.
    pub(crate) fn parsed<T>(&self, section: &str, key: &str, parse: impl Fn(&str) -> Result<T>) -> Result<Option<T>> {
        let parsed = |entry: &Entry| parse(&entry.text()?).map_err(|e| entry.refused(None, e));
        self.get(section, key).map(parsed).transpose()
    }

    /// One of some words.
    pub(crate) fn choice<T: Copy>(&self, section: &str, key: &str, choices: &[(&'static str, T)]) -> Result<Option<T>> {
        let choose = |entry: &Entry| {
            let text = entry.text()?;
            let words = || choices.iter().map(|(word, _)| *word);
            choices.iter().find(|(word, _)| *word == text).map(|(_, choice)| *choice).ok_or_else(|| {
                let all = format!("one of {}", words().collect::<Vec<_>>().join(", "));
                let help = nearest(&text, words()).map_or(all, |word| format!("did you mean {word:?}?"));
                entry.wrong(format!("{text:?} is not among the choices")).help(help)
            })
        };
        self.get(section, key).map(choose).transpose()
    }

    /// One of the words by which a type of the library goes.
    pub(crate) fn word<T: DeserializeOwned>(&self, section: &str, key: &str, words: &[&'static str]) -> Result<Option<T>> {
        let words: Vec<_> = words.iter().map(|word| (*word, *word)).collect();
        let unknown = |e| Error::internal(format!("a word of {key} means nothing")).cause(e);
        self.choice(section, key, &words)?.map(|word| of_word(word).map_err(unknown)).transpose()
    }

    /// Such as `30s` or `1h 30m`.
    pub(crate) fn duration(&self, section: &str, key: &str) -> Result<Option<Duration>> {
        let read = |entry: &Entry| match entry.value {
            Value::Text(ref text) => humantime::parse_duration(text)
                .map_err(|e| entry.wrong(format!("{text:?} is not a duration: {e}")).help("write a duration as 500ms, 30s, 2m or 1h 30m")),
            Value::Whole(0) => Ok(Duration::ZERO),
            _ => Err(entry.expected("a duration, such as \"30s\" or \"2m\",")),
        };
        self.get(section, key).map(read).transpose()
    }

    /// Bytes or customers: a number, or a text with a unit that the library reads.
    pub(crate) fn amount(&self, section: &str, key: &str, parse: impl Fn(&str) -> Result<u64>) -> Result<Option<u64>> {
        let read = |entry: &Entry| match &entry.value {
            Value::Whole(number) => parse(&number.to_string()).map_err(|e| entry.refused(None, e)),
            Value::Text(text) => parse(text).map_err(|e| entry.refused(None, e)),
            _ => Err(entry.expected("a number with a unit, such as \"2G\",")),
        };
        self.get(section, key).map(read).transpose()
    }

    /// Texts; one alone is a list of one.
    pub(crate) fn texts(&self, section: &str, key: &str) -> Result<Option<Vec<Item<String>>>> {
        let texts = |entry: &Entry| match &entry.value {
            Value::List(list) => {
                let text = |(value, line): &(Value, usize)| match value {
                    Value::Text(text) => Ok((text.clone(), Some(*line))),
                    other => Err(entry.unlike(other, Some(*line), "a text in quotes")),
                };
                list.iter().map(text).collect()
            }
            _ => Ok(vec![(entry.text()?, None)]),
        };
        self.get(section, key).map(texts).transpose()
    }

    /// Whole numbers; one alone is a list of one.
    pub(crate) fn wholes<T: TryFrom<i128>>(&self, section: &str, key: &str) -> Result<Option<Vec<T>>> {
        let wholes = |entry: &Entry| match &entry.value {
            Value::List(list) => list.iter().map(|(value, line)| entry.whole(value, Some(*line))).collect(),
            value => Ok(vec![entry.whole(value, None)?]),
        };
        self.get(section, key).map(wholes).transpose()
    }
}

impl Entry {
    /// Its text. A flag's or a variable's is what was written, whatever else that may be in TOML.
    pub(crate) fn text(&self) -> Result<String> {
        match (&self.value, &self.written) {
            (Value::Text(text), _) => Ok(text.clone()),
            (Value::Whole(_) | Value::Real(_) | Value::Bool(_) | Value::Time(_), Some(written)) => Ok(written.clone()),
            _ => Err(self.expected("a text in quotes")),
        }
    }

    fn whole<T: TryFrom<i128>>(&self, value: &Value, line: Option<usize>) -> Result<T> {
        let Value::Whole(number) = value else { return Err(self.unlike(value, line, "a whole number")) };
        T::try_from(*number).map_err(|_| {
            let what = if *number < 0 { "a number from 0 on" } else { "a smaller number" };
            self.unlike(value, line, what)
        })
    }

    /// Says what is expected in its place.
    fn expected(&self, what: &str) -> Error {
        self.unlike(&self.value, None, what)
    }

    /// Says what is expected in the place of a value, which is its own or one of its list's.
    fn unlike(&self, value: &Value, line: Option<usize>, what: &str) -> Error {
        let found = match value {
            Value::Text(text) => format!("{text:?}"),
            Value::Whole(number) => number.to_string(),
            Value::Real(number) => number.to_string(),
            Value::Bool(is) => is.to_string(),
            Value::Time(time) => time.clone(),
            Value::List(_) => "a list".to_owned(),
            Value::Table(_) => "a table".to_owned(),
        };
        Error::usage(format!("{}: {what} is expected, not {found}", self.place(line)))
    }
}

/// A number of customers, as `lensflow generate` reads it.
pub(crate) fn customers(text: &str) -> Result<u64> {
    count(text).map_err(|what| Error::usage(format!("{text:?}: {what}")))
}
