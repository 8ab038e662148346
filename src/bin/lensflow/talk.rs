//! Messages on stderr and stdout, and this process as a job sees it: the bar, the signals, and the words for options.

use crate::options::speech::Speech;
use crate::progress::Progress;
use crate::screen::{Screen, has_color};
use crate::signals::Signals;
use anyhow::Context;
use clap::ArgMatches;
use lensflow::error::{Error, Result};
use lensflow::jobs;
use lensflow::stats::Stats;
use lensflow::text::{shortened, visible, wrapped};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use terminal_size::{Width, terminal_size_of};

/// How much is said, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Talk {
    pub(crate) quiet: bool,
    verbose: u8,
    json: bool,
    color: bool,
    screen: Screen,
}

impl Talk {
    pub(crate) fn of(matches: &ArgMatches) -> Self {
        let json = matches.get_one::<String>("log-format").is_some_and(|format| format == "json");
        let color = has_color(matches, &std::io::stderr());
        let (quiet, verbose) = (matches.get_flag("quiet"), matches.get_count("verbose"));
        Talk { quiet, verbose, json, color, screen: Screen::of(matches) }
    }

    /// In JSON, where the command line is not understood.
    pub(crate) fn in_json() -> Self {
        Talk { quiet: false, verbose: 0, json: true, color: false, screen: Screen::default() }
    }

    /// Nothing but warnings and errors.
    pub(crate) fn silent(self) -> Self {
        Talk { quiet: true, ..self }
    }

    /// Sends messages to stderr, with options as they are called here, and keeps panics off it: they come back as errors.
    pub(crate) fn begin(self, speech: Speech) -> anyhow::Result<()> {
        let level = match (self.quiet, self.verbose) {
            (true, _) => tracing::Level::ERROR,
            (_, 0) => tracing::Level::WARN,
            (_, 1) => tracing::Level::INFO,
            _ => tracing::Level::DEBUG,
        };
        let lines =
            tracing_subscriber::fmt().with_max_level(level).with_writer(move || Spoken(speech)).with_ansi(self.color).with_target(false);
        let installed = match self.json {
            false => tracing::subscriber::set_global_default(lines.without_time().finish()),
            true => tracing::subscriber::set_global_default(lines.json().finish()),
        };
        installed.context("messages cannot be set up")?;
        std::panic::set_hook(Box::new(|panic| tracing::debug!("{panic}")));
        Ok(())
    }

    /// Says what went wrong, and what can be done about it.
    pub(crate) fn complain(self, error: &Error, speech: Speech) {
        let (what, help) = (harmless(&speech.say(&error.to_string())), error.advice().map(|advice| harmless(&speech.say(advice))));
        if self.json {
            tracing::error!(help, "{what}");
            return;
        }
        say(&format!("lensflow: {what}"));
        help.into_iter().for_each(|help| say(&format!("  help: {help}")));
    }
}

/// Writes messages to stderr, with options as they are called here. A message comes in one piece.
struct Spoken(Speech);

impl Write for Spoken {
    fn write(&mut self, message: &[u8]) -> std::io::Result<usize> {
        let said = self.0.say(&String::from_utf8_lossy(message));
        std::io::stderr().write_all(in_lines(&said).as_bytes()).map(|()| message.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

/// Messages are not broken into shorter lines.
const NARROWEST: u16 = 60;
/// The most characters of a line of a message.
const LONGEST: usize = 4_000;

/// A message with names and values from outside, as a terminal may have it.
fn harmless(message: &str) -> String {
    visible(&shortened(message, LONGEST)).into_owned()
}

/// A message in lines of the terminal's width, if stderr is one.
fn in_lines(message: &str) -> Cow<'_, str> {
    match terminal_size_of(std::io::stderr()) {
        Some((Width(columns), _)) => message.lines().map(|line| wrapped(line, columns.max(NARROWEST).into(), "    ")).collect(),
        None => message.into(),
    }
}

/// Says something on stderr, if it is open.
pub(crate) fn say(line: &str) {
    let line = harmless(line);
    let _ = writeln!(std::io::stderr(), "{}", in_lines(&line).trim_end_matches('\n'));
}

/// Writes to stdout.
pub(crate) fn print(text: impl AsRef<[u8]>) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_ref()).and_then(|()| out.flush()).map_err(|e| Error::io("cannot write to stdout", e))
}

/// This process as a job sees it.
pub(crate) struct Host<'a> {
    pub(crate) signals: &'a Signals,
    pub(crate) talk: Talk,
    pub(crate) screen: Screen,
    pub(crate) speech: Speech,
    bar: Option<Progress>,
    stats: Option<Arc<Stats>>,
    /// Notes that were shown.
    noted: BTreeSet<String>,
}

impl<'a> Host<'a> {
    pub(crate) fn new(signals: &'a Signals, talk: Talk, speech: Speech) -> Self {
        Host { signals, talk, screen: talk.screen, speech, bar: None, stats: None, noted: BTreeSet::new() }
    }

    /// Takes the bar away.
    pub(crate) fn shown(&mut self) {
        self.bar = None;
    }

    /// Shows what was noticed about the inputs and was not shown yet.
    pub(crate) fn warn(&mut self) {
        self.shown();
        for note in self.stats.take().iter().flat_map(|stats| stats.notes().texts()) {
            if self.noted.insert(note.clone()) {
                tracing::warn!("{}", harmless(&note));
            }
        }
    }

    /// The notes were shown with the answers.
    pub(crate) fn noted(&mut self) {
        self.noted.extend(self.stats.take().iter().flat_map(|stats| stats.notes().texts()));
    }

    /// Says what was done, unless nothing is to be said.
    pub(crate) fn tell(&self, line: &str) {
        let line = self.speech.say(line);
        match self.talk {
            Talk { quiet: true, .. } => {}
            Talk { json: true, .. } => {
                let now = humantime::format_rfc3339_micros(std::time::SystemTime::now()).to_string();
                let fields = serde_json::json!({ "message": harmless(&line) });
                say(&serde_json::json!({ "timestamp": now, "level": "INFO", "fields": fields }).to_string());
            }
            _ => say(&line),
        }
    }
}

impl jobs::Host for Host<'_> {
    fn watch(&mut self, stats: Arc<Stats>) {
        if self.stats.as_ref().is_some_and(|known| !Arc::ptr_eq(known, &stats)) {
            self.warn();
        }
        self.stats = Some(stats.clone());
        match &self.bar {
            Some(bar) => bar.turn_to(stats),
            None => self.bar = (std::io::stderr().is_terminal() && !self.talk.quiet).then(|| Progress::watch(stats)),
        }
    }

    fn heeds_stop(&mut self, heeds: bool) {
        self.signals.heed(heeds);
    }

    fn undisturbed(&mut self, publish: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        self.signals.undisturbed(publish)
    }
}
