//! From the file, the environment and the flags to one set of entries. A later layer's entry takes the place of an earlier one's, and
//! every entry knows who said it. What entries mean is for [`values`](super::values) and [`resolve`](super::resolve).

use super::keys::{ALTERNATIVES, SECTIONS, Section, section_advice};
use lensflow::Result;
use lensflow::error::Error;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value as TOML has it. In a list, with the line that each is on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Whole(i128),
    Real(f64),
    Bool(bool),
    List(Vec<(Value, usize)>),
    Table(Vec<(String, Value, usize)>),
    /// A date or a time, which no key takes.
    Time(String),
}

/// Who said something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// The file, at a line.
    File(String, usize),
    Variable(String),
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File(file, line) => write!(f, "{file}, line {line}"),
            Origin::Variable(name) => f.write_str(name),
            Origin::Flag(flag) => f.write_str(flag),
        }
    }
}

/// What was said about a key.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) section: &'static str,
    pub(crate) key: &'static str,
    pub(crate) value: Value,
    pub(crate) origin: Origin,
    /// As it was written, where that was no TOML file.
    pub(crate) written: Option<String>,
}

impl Entry {
    /// What errors about it begin with; an element of a list may be on another line.
    pub(crate) fn place(&self, line: Option<usize>) -> String {
        match &self.origin {
            Origin::File(file, first) => format!("{file}, line {}: [{}] {}", line.unwrap_or(*first), self.section, self.key),
            other => other.to_string(),
        }
    }

    /// An error about it.
    pub(crate) fn wrong(&self, what: impl fmt::Display) -> Error {
        Error::usage(format!("{}: {what}", self.place(None)))
    }

    /// What the library says about its value, with its place.
    pub(crate) fn refused(&self, line: Option<usize>, error: Error) -> Error {
        placed(&self.place(line), error)
    }
}

fn placed(place: &str, error: Error) -> Error {
    let placed = Error::new(error.kind(), format!("{place}: {error}"));
    match error.advice() {
        Some(advice) => placed.help(advice),
        None => placed,
    }
}

/// All that was said.
#[derive(Debug, Clone)]
pub(crate) struct Layers {
    /// What the file is called.
    pub(crate) name: String,
    entries: BTreeMap<(&'static str, &'static str), Entry>,
}

impl Layers {
    /// Reads all layers: the file's text, then the environment, then `--set` and the shorthands for it.
    ///
    /// # Errors
    /// Text that is not TOML, sections and keys that are not known, a flag that is given twice.
    pub(crate) fn read(
        name: &str,
        text: &str,
        environment: impl Iterator<Item = (OsString, OsString)>,
        sets: &[String],
        shorthands: Vec<(&str, &'static str, &str)>,
    ) -> Result<Self> {
        let mut layers = Layers { name: name.to_owned(), entries: BTreeMap::new() };
        let table = DeTable::parse(text).map_err(|e| {
            let line = e.span().map_or(String::new(), |span| format!(", line {}", line_of(text, span.start)));
            Error::usage(format!("{name}{line}: {}", e.message().trim_end())).help("a spec is TOML: [section] and, below it, key = value")
        })?;
        layers.add_file(text, table.get_ref())?;
        let mut variables: Vec<_> = environment.filter(|(_, value)| !value.is_empty()).collect();
        variables.sort();
        layers.add_layer(variables.into_iter().map(of_variable).filter_map(Result::transpose).collect::<Result<_>>()?);
        let short = |(flag, key, text): (&str, &'static str, &str)| {
            let origin = Origin::Flag(flag.to_owned());
            Ok(Entry { section: "limits", key, value: of_text(text), origin, written: Some(text.to_owned()) })
        };
        let flags = sets.iter().map(|set| of_set(set)).chain(shorthands.into_iter().map(short)).collect::<Result<Vec<Entry>>>()?;
        for (at, flag) in flags.iter().enumerate() {
            if flags[..at].iter().any(|before| (before.section, before.key) == (flag.section, flag.key)) {
                return Err(Error::usage(format!("{}: {}.{} is set twice", flag.origin, flag.section, flag.key)));
            }
        }
        layers.add_layer(flags);
        layers.spread_tables()?;
        Ok(layers)
    }

    pub(crate) fn get(&self, section: &str, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|(at, _)| **at == (section, key)).map(|(_, entry)| entry)
    }

    /// All entries of a section.
    pub(crate) fn section(&self, section: &str) -> impl Iterator<Item = &Entry> {
        self.entries.values().filter(move |entry| entry.section == section)
    }

    /// What was not said by the file.
    pub(crate) fn elsewhere(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().filter(|entry| !matches!(entry.origin, Origin::File(..)))
    }

    fn add_file(&mut self, text: &str, table: &DeTable<'_>) -> Result<()> {
        for (name, value) in table {
            let line = line_of(text, name.span().start);
            let at = format!("{}, line {line}", self.name);
            let name = name.get_ref().as_ref();
            let Some(keys) = value.get_ref().as_table() else {
                let section = SECTIONS.iter().find(|section| section.key(name).is_some());
                let help = section.map_or_else(|| section_advice(name), |section| format!("it belongs below [{}]", section.name));
                return Err(Error::usage(format!("{at}: {name:?} is in no section")).help(help));
            };
            let Some(section) = Section::of(name).filter(|section| !section.name.contains('.')) else {
                return Err(Error::usage(format!("{at}: there is no section [{name}]")).help(section_advice(name)));
            };
            for (key, value) in keys {
                let line = line_of(text, key.span().start);
                let entry = Entry {
                    section: section.name,
                    key: known(section, key.get_ref(), &format!("{}, line {line}", self.name), |_, key| key.to_owned())?,
                    value: plain(value, text),
                    origin: Origin::File(self.name.clone(), line),
                    written: None,
                };
                self.entries.insert((entry.section, entry.key), entry);
            }
        }
        Ok(())
    }

    /// Puts a layer's entries in the places of what was said before.
    fn add_layer(&mut self, entries: Vec<Entry>) {
        for entry in &entries {
            let at = (entry.section, entry.key);
            // The parts of a table are as good as the table.
            let at = if entry.section == "source.synthetic" { ("source", "synthetic") } else { at };
            let others = ALTERNATIVES.iter().filter(|keys| keys.contains(&at)).flat_map(|keys| keys.iter());
            for other in others.filter(|other| **other != at) {
                self.entries.remove(other);
                // So do they go with it.
                self.entries.retain(|(section, _), _| *other != ("source", "synthetic") || *section != "source.synthetic");
            }
        }
        self.entries.extend(entries.into_iter().map(|entry| ((entry.section, entry.key), entry)));
    }

    /// Makes entries of what `synthetic = { … }` says, but for keys that a later layer has said.
    fn spread_tables(&mut self) -> Result<()> {
        let Some(table) = self.entries.get(&("source", "synthetic")) else {
            let Some(first) = self.section("source.synthetic").next().cloned() else { return Ok(()) };
            let entry = Entry { section: "source", key: "synthetic", value: Value::Table(Vec::new()), ..first };
            self.entries.insert((entry.section, entry.key), entry);
            return Ok(());
        };
        let table = table.clone();
        let Value::Table(keys) = &table.value else {
            return Err(table.wrong("a table is expected").help("write synthetic = { customers = \"1M\" }"));
        };
        let section = SECTIONS.iter().find(|section| section.name == "source.synthetic").ok_or_else(|| Error::internal("a section"))?;
        for (key, value, line) in keys {
            let origin = match &table.origin {
                Origin::File(file, _) => Origin::File(file.clone(), *line),
                other => other.clone(),
            };
            let key = known(section, key, &origin.to_string(), |_, key| key.to_owned())?;
            let entry = Entry { section: section.name, key, value: value.clone(), origin, written: None };
            self.entries.entry((entry.section, entry.key)).or_insert(entry);
        }
        Ok(())
    }
}

/// A section's key of that name.
fn known(section: &'static Section, key: &str, at: &str, say: impl Fn(&Section, &str) -> String) -> Result<&'static str> {
    section.key(key).ok_or_else(|| Error::usage(format!("{at}: [{}] has no key {key:?}", section.name)).help(section.advice(key, say)))
}

/// What an environment variable says, if it is one of a spec's.
/// Variables that are the tests' own.
const OTHERS: [&str; 2] = ["LENSFLOW_KILLS", "LENSFLOW_COMMITS"];

fn of_variable((name, value): (OsString, OsString)) -> Result<Option<Entry>> {
    let Some(name) = name.to_str() else { return Ok(None) };
    let Some((section, key)) = Section::of_variable(name) else {
        // One that is ours by name and means nothing is a slip.
        if name.starts_with("LENSFLOW_") && !OTHERS.contains(&name) {
            let error = Error::usage(format!("{name}: no section of a spec begins so"));
            return Err(error.help("variables are LENSFLOW_SECTION_KEY, such as LENSFLOW_LIMITS_MEMORY_LIMIT"));
        }
        return Ok(None);
    };
    let key = known(section, &key, name, |section, key| section.variable(key))?;
    let text = value.into_string().map_err(|_| Error::usage(format!("{name}: it is not UTF-8")))?;
    let value = of_text(&text);
    Ok(Some(Entry { section: section.name, key, value, origin: Origin::Variable(name.to_owned()), written: Some(text) }))
}

/// What `--set SECTION.KEY=VALUE` says.
fn of_set(set: &str) -> Result<Entry> {
    let form = "write --set SECTION.KEY=VALUE, such as --set limits.memory_limit=1GiB";
    let (name, text) = set.split_once('=').ok_or_else(|| Error::usage(format!("--set {set}: it has no \"=\"")).help(form))?;
    let name = name.trim();
    let (section, key) = name.rsplit_once('.').ok_or_else(|| Error::usage(format!("--set {name}: it names no section")).help(form))?;
    let flag = format!("--set {name}");
    let Some(section) = Section::of(section) else {
        return Err(Error::usage(format!("{flag}: there is no section [{section}]")).help(section_advice(section)));
    };
    let key = known(section, key, &flag, |section, key| format!("{}.{key}", section.name))?;
    Ok(Entry { section: section.name, key, value: of_text(text), origin: Origin::Flag(flag), written: Some(text.to_owned()) })
}

/// A text as TOML, or as itself where it is none.
fn of_text(text: &str) -> Value {
    DeValue::parse(text).map_or_else(|_| Value::Text(text.to_owned()), |value| plain(&value, text))
}

fn plain(value: &Spanned<DeValue<'_>>, text: &str) -> Value {
    let line = |span: std::ops::Range<usize>| line_of(text, span.start);
    match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => {
            i128::from_str_radix(number.as_str(), number.radix()).map_or_else(|_| Value::Real(f64::NAN), Value::Whole)
        }
        DeValue::Float(number) => Value::Real(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(is) => Value::Bool(*is),
        DeValue::Datetime(time) => Value::Time(time.to_string()),
        DeValue::Array(list) => Value::List(list.iter().map(|value| (plain(value, text), line(value.span()))).collect()),
        DeValue::Table(table) => {
            let keys = table.iter().map(|(key, value)| (key.get_ref().to_string(), plain(value, text), line(key.span())));
            Value::Table(keys.collect())
        }
    }
}

/// The line of a place in a text, counted from 1.
fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}
