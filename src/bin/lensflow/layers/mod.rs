//! From flags, variables and a spec to one set of entries: each key's value, and where it was said.
//!
//! ```text
//!  defaults < spec < LENSFLOW_SECTION_KEY < flags        the rightmost that says it counts
//! ```
//!
//! | file | owns |
//! |---|---|
//! | here | which entry counts, and how its place is called; the spec that entries make |
//! | [`command_line`] | the command line: names, help, and texts |
//! | [`told`] | what an input's columns tell, as a layer below all; arguments that say what was said |
//! | [`value`] | values, and how serde reads them |
//!
//! Flags override variables; where a spec is read, `--set` and its shorthands do. Variables are set for a whole shell, so what is exported
//! for one command must not stop another: a command looks only at the variables of options that it takes, and a spec at those of options
//! that its job takes. Spec and flags say which job that is. One that is taken and would do nothing is [left out](Said::leave_out) later.
//! Invariants: after [`Said`] is made, nothing asks where a value came from but to name it; a spec that [`Said::toml`] writes says what
//! was said, variables too, and nothing else. Limits: names and values are UTF-8, but for paths that flags say; there is no `include`.

pub(crate) mod command_line;
mod told;
mod value;

pub(crate) use told::shell;
pub(crate) use value::Value;

use crate::options::option_table::{ALTERNATIVES, Form, OPTIONS, Opt};
use crate::options::{Kind, Options};
use lensflow::Result;
use lensflow::error::Error;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::{self, Write};
use std::io::IsTerminal;
use toml::de::{DeTable, DeValue};
use value::{Section, line_of, nearest};

/// What other programs call the number of threads.
const OF_THREADS: &[&str] = &["parallel", "parallelism", "threads", "cores", "cpus", "jobs"];

/// The section of made-up rows: how they are is not that there are any.
const SYNTHETIC: &str = "source.synthetic";
/// The beginning of variables.
const PREFIX: &str = "LENSFLOW_";

/// Where something was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// In a spec, on a line.
    File(String, usize),
    Variable(String),
    Flag(String),
    /// In no layer: the columns of the input tell.
    Told(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File(file, line) => write!(f, "{file}:{line}"),
            Origin::Variable(name) | Origin::Flag(name) | Origin::Told(name) => f.write_str(name),
        }
    }
}

/// An option's value, and its origin.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) row: &'static Opt,
    pub(crate) value: Value,
    pub(crate) origin: Origin,
}

impl Entry {
    /// The beginning of errors about it; an element of a list may be on another line.
    pub(crate) fn place(&self, line: Option<usize>) -> String {
        match &self.origin {
            Origin::File(file, first) => format!("{file}:{}: {}", line.unwrap_or(*first), self.row.key),
            other => other.to_string(),
        }
    }

    /// An error about it.
    pub(crate) fn wrong(&self, what: &str) -> Error {
        Error::usage(format!("{}: {what}", self.place(None)))
    }

    /// The library's error about its value, with its place.
    pub(crate) fn refused(&self, error: Error) -> Error {
        let placed = Error::new(error.kind(), format!("{}: {error}", self.place(None)));
        match error.advice() {
            Some(advice) => placed.help(advice),
            None => placed,
        }
    }
}

/// All that was said.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    /// The name of the spec; none where flags say it all.
    pub(crate) spec: Option<String>,
    /// The command; or the kind of job that a spec is of.
    pub(crate) kind: Kind,
    /// By key, in the order of the table.
    entries: BTreeMap<usize, Entry>,
}

impl Said {
    /// Reads the layers of a command: its flags and, below them, the variables of options that it takes.
    ///
    /// # Errors
    /// Names that are not known, an option that is given twice, and no input where none is piped in.
    pub(crate) fn by_flags(kind: Kind, flags: Vec<Entry>, environment: impl Iterator<Item = (OsString, OsString)>) -> Result<Self> {
        let mut said = Said { spec: None, kind, entries: BTreeMap::new() };
        said.add(variables(environment)?.into_iter().filter(|entry| entry.row.is_taken_by(kind)).collect())?;
        said.add(flags)?;
        if let Some(inputs) = row("source.inputs")
            && let Some(flag) = inputs.flag(kind)
            && ["source.inputs", SYNTHETIC].iter().all(|key| said.get(key).is_none())
        {
            if std::io::stdin().is_terminal() {
                return Err(Error::usage("no input is given").help("name files, folders or globs, or pipe rows in and name -"));
            }
            let stdin = Value::List(vec![(Value::Text("-".to_owned()), 1)]);
            said.add(vec![Entry { row: inputs, value: stdin, origin: Origin::Flag(flag.shown()) }])?;
        }
        Ok(said)
    }

    /// Reads the layers of a spec: its text and, above it, variables and flags.
    ///
    /// # Errors
    /// Text that is not TOML, names that are not known, an option that is given twice.
    pub(crate) fn by_spec(
        name: &str,
        text: &str,
        flags: Vec<Entry>,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self> {
        let layered = |layers: Vec<Vec<Entry>>| {
            let mut said = Said { spec: Some(name.to_owned()), kind: Kind::Spec, entries: BTreeMap::new() };
            layers.into_iter().try_for_each(|layer| said.add(layer)).map(|()| said)
        };
        let (file, mut variables) = (file(name, text)?, variables(environment)?);
        let asked = layered(vec![file.clone(), flags.clone()])?;
        let kind = asked.kind_of_job();
        let is_made_up = asked.get(SYNTHETIC).is_some();
        variables.retain(|entry| entry.row.jobs.contains(&kind) && (is_made_up || entry.row.section() != SYNTHETIC));
        Ok(Said { kind, ..layered(vec![file, variables, flags])? })
    }

    /// The kind of job that keys ask for.
    fn kind_of_job(&self) -> Kind {
        let has = |section: &str| self.entries.values().any(|entry| entry.row.section() == section);
        let own = [
            ("periods", Kind::Periods),
            ("sketch", Kind::Sketch),
            ("compare", Kind::Compare),
            ("generate", Kind::Generate),
            ("peek", Kind::Peek),
            ("inspect", Kind::Inspect),
            ("manage", Kind::Manage),
            ("segments", Kind::Segments),
        ];
        let keys = [("source.follow", Kind::Follow), ("state.merge", Kind::Merge), ("state.path", Kind::Update)];
        let by_section = own.iter().find(|(section, _)| has(section)).map(|(_, kind)| *kind);
        let by_key = || keys.iter().find(|(key, _)| self.get(key).is_some()).map(|(_, kind)| *kind);
        by_section.or_else(by_key).unwrap_or(Kind::Audit)
    }

    /// The typed options.
    ///
    /// # Errors
    /// A value of the wrong type, or that its type refuses, with its place.
    pub(crate) fn options(&self) -> Result<Options> {
        let options = Options::deserialize(Section::of(self.entries.values())).map_err(Error::from)?;
        // A type that takes no empty text has said so better.
        if let Some(empty) = self.entries.values().find(|entry| entry.value.has_empty_text()) {
            return Err(empty.refused(Error::usage("the value is empty").help("give a value, or leave the option out")));
        }
        Ok(options)
    }

    /// The entry of an option, if it was said.
    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.values().find(|entry| entry.row.key == key)
    }

    /// Leaves out an option that a variable says; whether one does.
    pub(crate) fn leave_out(&mut self, key: &str) -> bool {
        let before = self.entries.len();
        self.entries.retain(|_, entry| entry.row.key != key || !matches!(entry.origin, Origin::Variable(_) | Origin::Told(_)));
        self.entries.len() < before
    }

    /// Leaves out an option that was told.
    pub(crate) fn leave_out_told(&mut self, key: &str) {
        self.entries.retain(|_, entry| entry.row.key != key || !matches!(entry.origin, Origin::Told(_)));
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// The entries of another layer than the rest: said not by the spec, or not by flags where there is none.
    pub(crate) fn elsewhere(&self) -> impl Iterator<Item = &Entry> {
        let by_spec = self.spec.is_some();
        self.entries.values().filter(move |entry| match &entry.origin {
            Origin::File(..) => false,
            Origin::Flag(_) => by_spec,
            Origin::Variable(_) | Origin::Told(_) => true,
        })
    }

    /// An error about all of it.
    pub(crate) fn wrong(&self, what: &str) -> Error {
        Error::usage(self.spec.as_ref().map_or_else(|| what.to_owned(), |name| format!("{name}: {what}")))
    }

    /// The spec that says it.
    ///
    /// # Errors
    /// A path that is not UTF-8.
    pub(crate) fn toml(&self) -> Result<String> {
        if let Some(entry) = self.entries.values().find(|entry| !entry.value.is_utf8()) {
            return Err(entry.wrong("a spec is UTF-8, and this path is not").help("name another path"));
        }
        let (mut toml, mut section) = (String::new(), "");
        for entry in self.entries.values() {
            let is_table = entry.row.form == Form::Table;
            let header = if is_table { entry.row.key } else { entry.row.section() };
            // A table is the section of that name, and said with the first of its keys, if it has any.
            if is_table && self.entries.values().any(|other| other.row.section() == header) {
                continue;
            }
            if section != header {
                let _ = writeln!(toml, "{}[{header}]", if toml.is_empty() { "" } else { "\n" });
                section = header;
            }
            if !is_table {
                let whence = if let Origin::Variable(name) = &entry.origin { format!("  # from {name}") } else { String::new() };
                let _ = writeln!(toml, "{} = {}{whence}", entry.row.name(), entry.value);
            }
        }
        Ok(toml)
    }

    /// Puts a layer's entries in the places of what was said before.
    fn add(&mut self, layer: Vec<Entry>) -> Result<()> {
        let mut given = BTreeMap::new();
        for Entry { row, origin, .. } in &layer {
            match given.insert(row.key, origin) {
                // Only flags of the form `--set KEY=VALUE` can be repeated so that it comes to this.
                Some(first) if first == origin => return Err(Error::usage(format!("{origin}=… is given twice")).help("leave one out")),
                Some(first) => return Err(Error::usage(format!("{first} and {origin} say the same option")).help("leave one out")),
                None => {}
            }
        }
        let tables: Vec<_> = layer.iter().filter(|entry| entry.row.form == Form::Table).map(spread).collect::<Result<_>>()?;
        let mut layer: Vec<Entry> = tables.into_iter().flatten().chain(layer).collect();
        // The parts of a table are as good as the table.
        let parts = layer.iter().find_map(|entry| Some((row(entry.row.section())?, entry.origin.clone())));
        layer.extend(parts.map(|(row, origin)| Entry { row, value: Value::Table(Vec::new()), origin }));
        for entry in &layer {
            let others = ALTERNATIVES.iter().filter(|keys| keys.contains(&entry.row.key)).flat_map(|keys| keys.iter());
            for other in others.filter(|other| **other != entry.row.key) {
                self.entries.retain(|_, entry| entry.row.key != *other && entry.row.section() != *other);
            }
        }
        for entry in layer {
            let place = OPTIONS.iter().position(|row| row.key == entry.row.key).unwrap_or(OPTIONS.len());
            if entry.row.form != Form::Table || !self.entries.contains_key(&place) {
                self.entries.insert(place, entry);
            }
        }
        Ok(())
    }
}

/// The entries that a table in braces says.
fn spread(table: &Entry) -> Result<Vec<Entry>> {
    let Value::Table(keys) = &table.value else {
        return Err(table.wrong("a table is expected").help(format!("write {} = {{ customers = \"1M\" }}", table.row.name())));
    };
    let part = |(key, value, line): &(String, Value, usize)| {
        let origin = match &table.origin {
            Origin::File(file, _) => Origin::File(file.clone(), *line),
            other => other.clone(),
        };
        let row = known(table.row.key, key, &origin.to_string(), |row| row.name().to_owned())?;
        Ok(Entry { row, value: value.clone(), origin })
    };
    keys.iter().map(part).collect()
}

/// Whether bytes are a spec: a text with no sections and keys but those that are known.
pub(crate) fn is_spec(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| file("", text).is_ok())
}

/// The entries of a spec's text.
fn file(name: &str, text: &str) -> Result<Vec<Entry>> {
    let table = DeTable::parse(text).map_err(|e| {
        let line = e.span().map_or(String::new(), |span| format!(":{}", line_of(text, span.start)));
        Error::usage(format!("{name}{line}: {}", e.message().trim_end())).help("a spec is TOML: [section] and, below it, key = value")
    })?;
    let mut entries = Vec::new();
    for (section, keys) in table.get_ref() {
        let at = format!("{name}:{}", line_of(text, section.span().start));
        let section = section.get_ref().as_ref();
        let DeValue::Table(keys) = keys.get_ref() else {
            let known = OPTIONS.iter().find(|row| row.name() == section);
            let help = known.map_or_else(|| section_advice(section), |row| format!("it belongs below [{}]", row.section()));
            return Err(Error::usage(format!("{at}: {section:?} is in no section")).help(help));
        };
        if !sections().any(|known| known == section && !known.contains('.')) {
            return Err(Error::usage(format!("{at}: there is no section [{section}]")).help(section_advice(section)));
        }
        for (key, value) in keys {
            let origin = Origin::File(name.to_owned(), line_of(text, key.span().start));
            let row = known(section, key.get_ref(), &origin.to_string(), |row| row.name().to_owned())?;
            entries.push(Entry { row, value: Value::of_toml(value, text), origin });
        }
    }
    Ok(entries)
}

/// The entries of the environment. An empty variable says nothing; one that begins as ours do and means nothing is a slip.
fn variables(environment: impl Iterator<Item = (OsString, OsString)>) -> Result<Vec<Entry>> {
    let mut variables: Vec<_> = environment.filter(|(_, value)| !value.is_empty()).collect();
    variables.sort();
    let ours = variables.iter().filter_map(|(name, value)| Some((name.to_str()?, name.to_str()?.strip_prefix(PREFIX)?, value)));
    let entry = |(name, rest, value): (&str, &str, &OsString)| {
        let sections = sections().filter_map(|section| Some((section, rest.strip_prefix(&variable(section))?.strip_prefix('_')?)));
        // The key is the shorter, the more the section's name says.
        let Some((section, key)) = sections.min_by_key(|(_, key)| key.len()) else {
            let error = Error::usage(format!("{name}: no section of a spec begins so"));
            return Err(error.help("variables are LENSFLOW_SECTION_KEY, such as LENSFLOW_LIMITS_MEMORY_LIMIT"));
        };
        let row = known(section, &key.to_lowercase(), name, |row| PREFIX.to_owned() + &variable(row.key))?;
        let text = value.to_str().ok_or_else(|| Error::usage(format!("{name}: it is not UTF-8")))?;
        Ok(Entry { row, value: Value::of_setting(text, row.form), origin: Origin::Variable(name.to_owned()) })
    };
    ours.map(entry).collect()
}

fn variable(key: &str) -> String {
    key.replace('.', "_").to_uppercase()
}

/// The names of sections, each once, in the order of the grammar.
fn sections() -> impl Iterator<Item = &'static str> {
    let new = |at: &usize| OPTIONS[..*at].iter().all(|row| row.section() != OPTIONS[*at].section());
    (0..OPTIONS.len()).filter(new).map(|at| OPTIONS[at].section())
}

fn row(key: &str) -> Option<&'static Opt> {
    OPTIONS.iter().find(|row| row.key == key)
}

/// The option of that name in a section; `say` is how one is written where this one was.
fn known(section: &str, key: &str, at: &str, say: impl Fn(&Opt) -> String) -> Result<&'static Opt> {
    let in_section = || OPTIONS.iter().filter(|row| row.section() == section);
    if let Some(row) = in_section().find(|row| row.name() == key) {
        return Ok(row);
    }
    let near = nearest(key, in_section().map(Opt::name)).and_then(|near| in_section().find(|row| row.name() == near));
    let threads = in_section().find(|row| row.key == "limits.workers" && OF_THREADS.contains(&key));
    let help = match (threads.or(near), OPTIONS.iter().find(|row| row.name() == key)) {
        (Some(workers), _) if threads.is_some() => format!("did you mean {}, the number of threads?", say(workers)),
        (Some(near), _) => format!("did you mean {}?", say(near)),
        (None, Some(elsewhere)) => format!("it belongs to [{}]", elsewhere.section()),
        (None, None) => format!("its keys are {}", in_section().map(Opt::name).collect::<Vec<_>>().join(", ")),
    };
    Err(Error::usage(format!("{at}: [{section}] has no key {key:?}")).help(help))
}

/// Advice about a section that is not there.
fn section_advice(name: &str) -> String {
    let names = || sections().filter(|name| !name.contains('.'));
    match nearest(name, names()) {
        Some(known) => format!("did you mean [{known}]?"),
        None => format!("the sections are {}", names().map(|name| format!("[{name}]")).collect::<Vec<_>>().join(", ")),
    }
}
