//! The mapping of columns: which columns of an input are which of ours. It is resolved for each input on its own, since headers differ.
//!
//! In come the names of an input's columns and what is [`Wanted`]; out comes [`Located`]: the position of each column, or, where a column of
//! ours is made of several or of none, a [`Derive`] that makes the texts of a record. All formats share it.
//!
//! | file | owns |
//! |---|---|
//! | here | what is wanted, and what was found |
//! | `locate` | the order in which names are looked for |
//! | `header` | an input's names: exact ones, names that are alike, values in the names of folders |
//! | `grammar` | what a mapping's value says: `A\|B`, `a+b`, `customer_id+day` |
//! | `derive`, `filter` | a record's fields → the texts of our columns, or nothing where a filter leaves it out |
//! | `watched` | columns that nothing reads: currencies are counted, a status is noted |
//! | `judge` | what must not end in an answer, when all is read: several currencies, a second header |
//! | `advice` | messages about columns that are missing, or that have two roles |
//!
//! A name counts as it is written before it counts as grammar, and an exact name before one that is alike. What is alike is said in a note.

mod advice;
mod derive;
mod filter;
mod grammar;
mod header;
mod judge;
mod locate;
mod watched;

pub(super) use self::derive::{Derive, Scratch};
pub(super) use self::header::{is_among, nearest};
pub(crate) use self::judge::judge;
pub(super) use self::locate::Request;
pub(crate) use self::watched::{LATER, NOTHING, Watch, Watched, is_like_currency, is_void, later, placed};

use std::borrow::Cow;

/// How several columns make one of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Join {
    /// They do not.
    Never,
    /// As an id: unequal parts make unequal ids.
    Id,
    /// As a time: the date, a blank, the time of day.
    Time,
}

/// A column to look for.
#[derive(Debug, Clone)]
pub(crate) struct Wanted<'a> {
    /// Its name in options and messages.
    pub(crate) column: &'static str,
    /// What the input calls it, in the grammar of mappings.
    pub(crate) name: Cow<'a, str>,
    /// Whether it has to be there.
    pub(crate) required: bool,
    /// Whether it is read; if not, it is only looked for where it is required.
    pub(crate) read: bool,
    pub(crate) join: Join,
}

impl Wanted<'_> {
    /// The first of its names.
    pub(crate) fn first_name(&self) -> &str {
        self.name.split('|').next().unwrap_or_default().trim()
    }
}

/// Where the columns lie in an input.
#[derive(Debug, Clone)]
pub(crate) enum Located<const N: usize> {
    /// Each is a column as it is, or is not there.
    Plain(Plain<N>),
    /// Some are made of others.
    Derived(Derive<N>),
}

/// The positions of columns that are ours as they are.
#[derive(Debug, Clone)]
pub(crate) struct Plain<const N: usize> {
    pub(crate) at: [Option<usize>; N],
    /// Columns that nothing reads, but whose values are counted.
    pub(crate) watched: Watched,
}

impl<const N: usize> Located<N> {
    /// No column.
    pub(crate) const NONE: Self = Located::Plain(Plain { at: [None; N], watched: NOTHING });

    /// Whether a column was found.
    pub(crate) fn has(&self, column: usize) -> bool {
        match self {
            Located::Plain(plain) => plain.at[column].is_some(),
            Located::Derived(derive) => derive.has(column),
        }
    }

    /// The position of a column that is one of the input's, if it was found and is no join.
    pub(crate) fn place(&self, column: usize) -> Option<usize> {
        match self {
            Located::Plain(plain) => plain.at[column],
            Located::Derived(derive) => match &derive.fields_of(column).collect::<Vec<_>>()[..] {
                [only] => Some(derive.fields[*only]),
                _ => None,
            },
        }
    }

    /// Says where a column lies that was not found, behind all that were.
    pub(crate) fn add(&mut self, column: usize, position: usize) {
        match self {
            Located::Plain(plain) => plain.at[column] = Some(position),
            Located::Derived(derive) => derive.add(column, position),
        }
    }

    /// Watches for columns that no row had so far, behind all that were found, the first at this position; gives their names. Those that `is_there` are not
    /// among them.
    pub(crate) fn watch_later(&mut self, position: usize, is_there: impl Fn(&str) -> bool) -> Vec<&'static str> {
        let watched = match self {
            Located::Plain(plain) => &plain.watched,
            Located::Derived(derive) => &derive.watched,
        };
        let new: Vec<&str> = LATER.into_iter().filter(|name| !is_there(name) && later(name, 0, watched).is_some()).collect();
        for (&name, position) in new.iter().zip(position..) {
            match self {
                Located::Plain(plain) => plain.watched.extend(later(name, position, &NOTHING)),
                Located::Derived(derive) => derive.watch(name, position),
            }
        }
        new
    }

    /// As the columns lie among the fields that are read alone.
    pub(crate) fn compact(self) -> Self {
        let fields = self.fields();
        match self {
            Located::Plain(Plain { at, watched }) => {
                let place = |at: usize| fields.partition_point(|known| *known < at);
                Located::Plain(Plain { at: at.map(|at| at.map(place)), watched: placed(watched, place) })
            }
            derived => derived,
        }
    }

    /// The places of a column's fields among those that are read.
    pub(crate) fn fields_of(&self, column: usize) -> Vec<usize> {
        match self {
            Located::Plain(plain) => plain.at[column].into_iter().map(|at| self.fields().partition_point(|known| *known < at)).collect(),
            Located::Derived(derive) => derive.fields_of(column).collect(),
        }
    }

    /// The positions that are read, ascending.
    pub(crate) fn fields(&self) -> Vec<usize> {
        match self {
            Located::Plain(plain) => {
                positions(&plain.at.iter().copied().chain(plain.watched.iter().map(|column| Some(column.at))).collect::<Vec<_>>())
            }
            Located::Derived(derive) => derive.fields.clone(),
        }
    }
}

/// The positions of columns that were found, ascending.
pub(crate) fn positions(at: &[Option<usize>]) -> Vec<usize> {
    let mut at: Vec<usize> = at.iter().copied().flatten().collect();
    at.sort_unstable();
    at.dedup();
    at
}
