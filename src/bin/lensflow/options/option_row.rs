//! A row of the [table of options](super::option_table): key, form, the jobs that take it, and its flags.

use super::Kind::{self, *};

/// A row.
#[derive(Debug)]
pub(crate) struct Opt {
    /// Section and key, `windows.list`.
    pub(crate) key: &'static str,
    pub(crate) form: Form,
    /// The jobs in which it does something.
    pub(crate) jobs: &'static [Kind],
    pub(crate) flags: &'static [Flag],
}

/// How an option is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Switch,
    Number,
    Text,
    /// Several: as a flag, again for each.
    Texts,
    /// Several: as a flag, with commas, or again for each.
    Numbers,
    /// The section below it, in braces.
    Table,
}

/// A flag: of some commands, with a name in lower case; or in capitals, what comes without one.
#[derive(Debug)]
pub(crate) struct Flag {
    pub(crate) jobs: &'static [Kind],
    pub(crate) name: &'static str,
    /// The value's name in help; or the words to choose from, with `|` between them.
    pub(crate) value: &'static str,
    pub(crate) help: &'static str,
}

impl Opt {
    pub(crate) fn section(&self) -> &'static str {
        self.key.rsplit_once('.').map_or("", |(section, _)| section)
    }

    pub(crate) fn name(&self) -> &'static str {
        self.key.rsplit_once('.').map_or(self.key, |(_, name)| name)
    }

    /// Whether a command takes it: by a flag, or where no command has one, because its job does.
    pub(crate) fn is_taken_by(&self, command: Kind) -> bool {
        self.flag(command).is_some() || self.flags.is_empty() && self.acts_in(command)
    }

    /// The flag by which a command takes it.
    pub(crate) fn flag(&self, job: Kind) -> Option<&'static Flag> {
        let of = |job: Kind| self.flags.iter().find(|flag| flag.jobs.contains(&job));
        of(job).or_else(|| if job == Peek { of(Audit) } else { None })
    }

    /// Whether it does something in a job. A look takes the options of an audit, for the command that it shows.
    pub(crate) fn acts_in(&self, job: Kind) -> bool {
        self.jobs.contains(&job) || job == Peek && self.jobs.contains(&Audit)
    }
}

impl Flag {
    /// Whether it has no name of its own.
    pub(crate) fn is_positional(&self) -> bool {
        self.name.starts_with(|c: char| c.is_ascii_uppercase())
    }

    /// How it is called in messages.
    pub(crate) fn shown(&self) -> String {
        if self.is_positional() { self.name.to_owned() } else { format!("--{}", self.name) }
    }
}
