//! When what failed is tried again: after a second, then after two, four, and so on up to a minute. Steps that failed are remembered until
//! they work, and files until they are gone or taken in.

use super::{Doing, FollowEvent, Follower};
use crate::base::error::Error;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const LEAST: Duration = Duration::from_secs(1);
const MOST: Duration = Duration::from_secs(60);

/// What failed, how often, and what waits for that.
#[derive(Default)]
pub(super) struct Pauses {
    steps: BTreeMap<Doing, u32>,
    files: HashMap<PathBuf, (u32, Instant)>,
}

/// The pause after so many failures, one after the other.
fn after(failures: u32) -> Duration {
    (LEAST * (1 << failures.saturating_sub(1).min(6))).min(MOST)
}

impl Pauses {
    /// Says that a step has failed, and remembers it.
    pub(super) fn tell(&mut self, doing: Doing, error: &Error, follower: &mut dyn Follower) {
        *self.steps.entry(doing).or_default() += 1;
        follower.notice(FollowEvent::Failed { doing, error });
    }

    /// Says that a step works, if it failed before.
    pub(super) fn mended(&mut self, doing: Doing, follower: &mut dyn Follower) {
        if self.steps.remove(&doing).is_some() {
            follower.notice(FollowEvent::Mended(doing));
        }
    }

    /// How long to wait before a step is tried again.
    pub(super) fn of(&self, doing: Doing) -> Duration {
        after(self.steps.get(&doing).copied().unwrap_or_default())
    }

    /// Puts a file off.
    pub(super) fn put_off(&mut self, file: &Path) {
        let (failures, until) = self.files.entry(file.to_owned()).or_insert((0, Instant::now()));
        *failures += 1;
        *until = Instant::now() + after(*failures);
    }

    /// Whether a file may be tried.
    pub(super) fn is_over(&self, file: &Path) -> bool {
        self.files.get(file).is_none_or(|(_, until)| *until <= Instant::now())
    }

    /// Forgets files that do not wait any more.
    pub(super) fn keep_only(&mut self, files: &[PathBuf]) {
        if !self.files.is_empty() {
            self.files.retain(|file, _| files.contains(file));
        }
    }

    /// Whether no file is put off.
    pub(super) fn has_no_file(&self) -> bool {
        self.files.is_empty()
    }
}
