//! What jobs say. Answers that the command would print are kept for the caller, and so is what it would tell; warnings come as warnings.

use super::screen::Screen;
use super::signals::Signals;
use crate::options::speech::Speech;
use lensflow::error::Result;
use lensflow::jobs;
use lensflow::stats::Stats;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

thread_local! {
    /// What the job on this thread has printed.
    static PRINTED: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps what would go to stdout.
pub(crate) fn print(text: impl AsRef<[u8]>) -> Result<()> {
    PRINTED.with_borrow_mut(|printed| printed.push_str(&String::from_utf8_lossy(text.as_ref())));
    Ok(())
}

/// Takes what was printed on this thread.
pub(crate) fn printed() -> String {
    PRINTED.take()
}

/// How much is said: everything, to the caller.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Talk;

impl Talk {
    pub(crate) fn silent(self) -> Self {
        self
    }
}

/// The counters of the run that goes on, for who watches it.
pub(crate) type Watched = Arc<Mutex<Option<Arc<Stats>>>>;

/// This process as a job sees it.
pub(crate) struct Host<'a> {
    pub(crate) signals: &'a Signals,
    pub(crate) talk: Talk,
    pub(crate) screen: Screen,
    pub(crate) speech: Speech,
    watched: Watched,
    stats: Option<Arc<Stats>>,
    noted: BTreeSet<String>,
    told: Mutex<Vec<String>>,
    warnings: Vec<String>,
}

impl<'a> Host<'a> {
    pub(crate) fn new(signals: &'a Signals, talk: Talk, speech: Speech) -> Self {
        let (watched, told, warnings) = (Watched::default(), Mutex::default(), Vec::new());
        Host { signals, talk, screen: Screen::default(), speech, watched, stats: None, noted: BTreeSet::new(), told, warnings }
    }

    /// With counters that another thread can look at.
    pub(crate) fn watched_by(mut self, watched: Watched) -> Self {
        self.watched = watched;
        self
    }

    pub(crate) fn shown(&mut self) {}

    /// Keeps what was noticed about the inputs and was not kept yet.
    pub(crate) fn warn(&mut self) {
        for note in self.stats.take().iter().flat_map(|stats| stats.notes().texts()) {
            if self.noted.insert(note.clone()) {
                self.warnings.push(self.speech.say(&note));
            }
        }
    }

    /// The notes are in the answers.
    pub(crate) fn noted(&mut self) {
        self.noted.extend(self.stats.take().iter().flat_map(|stats| stats.notes().texts()));
    }

    /// Keeps what was done.
    pub(crate) fn tell(&self, line: &str) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).push(self.speech.say(line));
    }

    /// What was told, and what is to be warned of.
    pub(crate) fn end(mut self) -> (Vec<String>, Vec<String>) {
        self.warn();
        (self.told.into_inner().unwrap_or_else(PoisonError::into_inner), self.warnings)
    }
}

impl jobs::Host for Host<'_> {
    fn watch(&mut self, stats: Arc<Stats>) {
        if self.stats.as_ref().is_some_and(|known| !Arc::ptr_eq(known, &stats)) {
            self.warn();
        }
        self.stats = Some(stats.clone());
        *self.watched.lock().unwrap_or_else(PoisonError::into_inner) = Some(stats);
    }

    fn undisturbed(&mut self, outputs: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        self.signals.undisturbed(outputs)
    }
}
