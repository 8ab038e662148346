//! Globs: patterns of file names, and the files that match one. Without the feature `glob` there are none, and one that is given is refused.

use crate::base::error::Result;
use std::path::PathBuf;

#[cfg(feature = "glob")]
mod with {
    use super::*;
    use crate::base::error::{Error, Stage};

    pub(crate) use glob::Pattern;

    /// A pattern of names.
    ///
    /// # Errors
    /// When the text is not a glob.
    pub(crate) fn pattern(text: &str) -> Result<Pattern> {
        Pattern::new(text).map_err(|e| Error::usage(format!("{text:?} is not a glob")).cause(e))
    }

    /// The files that match the glob of an input, without hidden ones.
    ///
    /// # Errors
    /// When it is not a glob, or a folder cannot be listed.
    pub(crate) fn matching(name: &str) -> Result<Vec<PathBuf>> {
        let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::default() };
        let found = glob::glob_with(name, options).map_err(|e| Error::usage("not a file, and not a glob either").cause(e).input(name))?;
        let found = found.filter(|found| found.as_ref().map_or(true, |path| path.is_file()));
        found
            .collect::<Result<_, _>>()
            .map_err(|e| Error::io("cannot list what the glob matches", e.into()).input(name).stage(Stage::Source))
    }
}

#[cfg(not(feature = "glob"))]
mod with {
    use super::*;
    use crate::base::error::Error;

    /// There is none.
    pub(crate) enum Pattern {}

    impl Pattern {
        pub(crate) fn matches(&self, _: &str) -> bool {
            match *self {}
        }
    }

    pub(crate) fn pattern(_: &str) -> Result<Pattern> {
        Err(Error::left_out("globs", "glob"))
    }

    pub(crate) fn matching(name: &str) -> Result<Vec<PathBuf>> {
        if super::is_glob(name) { Err(Error::left_out("globs", "glob").input(name)) } else { Ok(Vec::new()) }
    }
}

pub(crate) use with::{Pattern, matching, pattern};

/// Whether a text has a wildcard.
pub(super) fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '['])
}
