//! Stdout and stderr as screens: how wide text is, and whether it has colours.

use crate::options::speech::Speech;
use clap::ArgMatches;
use lensflow::text::{visible, wrapped};
use std::io::IsTerminal;
use terminal_size::{Width, terminal_size_of};

/// Text on no terminal has this many columns, as reports in files have.
const WIDTH: usize = lensflow::report::text_tables::WIDTH;
/// Narrower tables are not made.
const NARROWEST: usize = 80;
/// How the line of a warning begins.
const WARNING: &str = "warning: ";

/// How text on stdout looks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    /// Columns: those that `COLUMNS` says, or the terminal has.
    pub(crate) width: usize,
    color: bool,
    is_terminal: bool,
}

impl Default for Screen {
    fn default() -> Self {
        Screen { width: NARROWEST, color: false, is_terminal: false }
    }
}

/// Whether a stream has colours, by `--color`, `NO_COLOR` and what it is.
pub(crate) fn has_color(matches: &ArgMatches, stream: &impl IsTerminal) -> bool {
    match matches.get_one::<String>("color").map(String::as_str) {
        Some("always") => true,
        Some("never") => false,
        _ => stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
    }
}

impl Screen {
    pub(crate) fn of(matches: &ArgMatches) -> Self {
        let said = std::env::var("COLUMNS").ok().and_then(|text| text.trim().parse().ok()).filter(|&columns: &usize| columns > 0);
        let seen = || terminal_size_of(std::io::stdout()).map(|(Width(columns), _)| usize::from(columns));
        let width = said.or_else(seen).unwrap_or(WIDTH).max(NARROWEST);
        Screen { width, color: has_color(matches, &std::io::stdout()), is_terminal: std::io::stdout().is_terminal() }
    }

    /// Tables whose warnings name options as they are called here, in lines of the screen's width where it is one.
    pub(crate) fn told(self, text: String, speech: Speech) -> String {
        let line = |line: &str| match line.trim_start().starts_with(WARNING) {
            true if self.is_terminal => wrapped(&speech.say(line), self.width, "    "),
            true => speech.say(line),
            false => line.to_owned(),
        };
        self.painted(text.split_inclusive('\n').map(line).collect())
    }

    /// Tables with headings in bold and warnings in yellow, where there are colours. Signs from outside do nothing.
    pub(crate) fn painted(self, text: String) -> String {
        let text = visible(&text).into_owned();
        if !self.color {
            return text;
        }
        let paint = |line: &str| {
            let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
            let style = match line {
                _ if line.starts_with("Lens ") || line.starts_with("RFM grid") => 1,
                _ if line.trim_start().starts_with(WARNING) => 33,
                _ => return format!("{line}{end}"),
            };
            format!("\u{1b}[{style}m{line}\u{1b}[0m{end}")
        };
        text.split_inclusive('\n').map(paint).collect()
    }
}
