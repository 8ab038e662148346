//! What the loop tells the program that follows.

use crate::base::error::{Error, Result};
use crate::jobs::update::Updated;
use crate::stats::Stats;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// An event that a [`Follower`] is told of.
#[derive(Debug)]
#[non_exhaustive]
pub enum FollowEvent<'a> {
    /// An update begins, with these counters.
    Began(Arc<Stats>),
    /// Files were taken in, or were known already.
    Committed {
        /// The result of the update.
        updated: &'a Updated,
        /// How long it took.
        time: Duration,
    },
    /// A file was put aside.
    Quarantined {
        /// Its place in the quarantine.
        file: &'a Path,
        /// Why it cannot be taken in.
        reason: &'a Error,
    },
    /// The answers are those of the state as it is.
    Refreshed {
        /// How long it took.
        time: Duration,
    },
    /// Something failed that will be tried again.
    Failed {
        /// The step that failed.
        doing: Doing,
        /// Why it failed.
        error: &'a Error,
    },
    /// A step that had failed works again, and nothing is left that it failed with.
    Mended(Doing),
    /// So many files are complete and wait. Said at every look.
    Waiting(usize),
}

/// The steps of following.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Doing {
    /// Looking for what has come.
    Looking,
    /// Taking it in.
    Committing,
    /// Making the answers.
    Refreshing,
}

/// The program that follows: makes the answers, and is told of events.
pub trait Follower {
    /// Makes the answers of the state anew.
    ///
    /// # Errors
    /// When they cannot be made or written; it is then asked again later.
    fn refresh(&mut self) -> Result<()>;

    /// Takes note of an event.
    fn notice(&mut self, event: FollowEvent<'_>);
}
