//! How a plan is laid out: stages, topics and what there is to say, in aligned columns; and what several jobs say of inputs and outputs.
//! An input that is not there is no fault here; it is said so in its place.

use humantime::format_duration;
use indicatif::BinaryBytes;
use lensflow::jobs::audit::bad_rows;
use lensflow::jobs::{self, AuditJob, Outputs};
use lensflow::model::{AmountFrom, AmountUnit, Encoding, IdFormat, NaiveTimes, NumberFormat, Quote, ReadOptions};
use lensflow::model::{Granularity, OnBadRow, PARTITIONS, Window, Windows};
use lensflow::orders::{Anonymous, Duplicates, Lines, OrderOptions, Refunds};
use lensflow::pipeline::Order;
use lensflow::report::rfm_columns::RfmColumns;
use lensflow::source::files::Format;
use lensflow::spec::Spec;
use lensflow::state::{State, is_state};
use lensflow::synthetic::Synthetic;
use lensflow::text::{counted, grouped};
use lensflow::time::format_timestamp;
use std::fmt::Display;
use std::path::Path;

/// The stage of what was said in another layer than the rest.
pub(crate) const ELSEWHERE: &str = "elsewhere";
/// So many files are named.
const NAMED: usize = 10;

/// How many files and states a job reads.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Inputs {
    pub(crate) files: usize,
    pub(crate) states: usize,
}

/// Lines of a stage, a topic and what there is to say.
#[derive(Default)]
pub(crate) struct Page(Vec<(&'static str, String, String)>);

impl Page {
    pub(crate) fn say(&mut self, stage: &'static str, topic: &str, what: impl Display) {
        self.0.push((stage, topic.to_owned(), what.to_string()));
    }

    /// Says what the stages between were told.
    pub(crate) fn stages(&mut self, spec: &Spec, audited: bool) {
        self.say("route", "partitions", format!("{}, by a hash of the id", grouped(PARTITIONS)));
        match spec.memory_split() {
            Ok(split) => {
                let whose = if spec.workers.is_some() { "" } else { ", one per core, or fewer where memory is short" };
                self.say("accumulate", "workers", format!("{}{whose}", split.workers));
                self.say("accumulate", "batches", format!("{} rows", grouped(spec.batch_rows)));
                let limit = split.limit.map_or("none".to_owned(), |limit| BinaryBytes(limit).to_string());
                let whose = if spec.memory_limit.is_none() && split.limit.is_some() { ", 70 % of what there is" } else { "" };
                self.say("accumulate", "memory limit", format!("{limit}{whose}"));
                let mut part = |topic: &str, bytes: u64, what: &str| {
                    self.say("accumulate", &format!("  {topic}"), format!("{:>11}{what}", BinaryBytes(bytes).to_string()));
                };
                let folder = spec.spill_dir.as_deref().map_or("the system's folder".to_owned(), |folder| folder.display().to_string());
                split.states.into_iter().for_each(|bytes| part("states", bytes, &format!("  and what is more spills to {folder}")));
                part("buffers", split.buffers, "  between route and accumulate");
                part("histograms", split.histograms, "  at most");
                part("merging", split.merging, "  of what has spilled");
                part("row groups", split.encoding, &format!("  {} at a time", split.row_groups));
                self.say("accumulate", "  the rest", "for the program, for what is being decoded, and for the allocator");
            }
            Err(error) => self.say("accumulate", "memory limit", error),
        }
        if !audited {
            return;
        }
        self.windows(&spec.windows);
        if let Some(as_of) = spec.as_of {
            self.say("finalize", "as of", format_timestamp(as_of));
        }
        let shares = spec.percentiles.iter().map(|p| format!("{p} %")).collect::<Vec<_>>();
        let shares = if shares.is_empty() { "none".to_owned() } else { shares.join(", ") };
        self.say("lens", "Lens 1", format!("each window; revenue of the top {shares}"));
        self.say("lens", "Lens 2", "each pair of neighbours");
        if spec.cohorts {
            self.say("lens", "Lenses 3 to 5", "customers by the window that they came in");
        }
        self.say("reduce", "scores", format!("1 to {}", spec.bins));
        for (measure, cuts) in spec.cut_points.given() {
            self.say("reduce", "cut points", format!("{measure} {cuts}"));
        }
        if let Some(segments) = &spec.segments {
            self.say("reduce", "segments", segments.names().join(", "));
        }
    }

    /// Tells of an audit's outputs and its checkpoint.
    pub(crate) fn audit_outputs(&mut self, audit: &AuditJob) {
        self.outputs(&audit.outputs);
        if let Some((folder, time)) = &audit.checkpoint {
            self.say("report", "checkpoint", format!("{} every {}", folder.display(), format_duration(*time)));
        }
    }

    pub(crate) fn outputs(&mut self, out: &Outputs) {
        if out.reports.is_empty() && !out.takes_stdout() {
            self.say("report", "answers", "on stdout");
        }
        out.reports.iter().for_each(|path| self.say("report", "answers", named(path)));
        out.template.iter().for_each(|path| self.say("report", "template", named(path)));
        let order = if out.order == Order::Sorted { "by window and id" } else { "in the engine's order" };
        let rows = [("RFM rows", &out.rfm), ("migrations", &out.migrations)];
        for (topic, path) in rows.into_iter().filter_map(|(topic, path)| Some((topic, path.as_ref()?))) {
            self.say("report", topic, format!("{}, {order}", named(path)));
        }
        if out.rfm.is_some() && out.rfm_columns != RfmColumns::default() {
            self.say("report", "columns", out.rfm_columns.to_string());
        }
        out.cohorts.iter().for_each(|path| self.say("report", "cohorts", named(path)));
        out.rejects.iter().for_each(|path| self.say("report", "rejects", named(path)));
        out.partial.iter().for_each(|path| self.say("report", "partial", named(path)));
        out.cuts.iter().for_each(|(path, _)| self.say("report", "cut points", named(path)));
    }

    pub(crate) fn state(&mut self, path: &Path, topic: &str) {
        let what = match State::open(path) {
            Ok(state) => {
                let manifest = state.manifest();
                let bytes: u64 = manifest.runs.iter().map(|run| run.bytes).sum();
                let rows = grouped(manifest.rows_read);
                format!("{}  {}, {rows} rows taken in, kept by {}", path.display(), BinaryBytes(bytes), manifest.every)
            }
            Err(error) => error.to_string(),
        };
        self.say("source", topic, what);
    }

    /// Says which files there are, and gives their number.
    pub(crate) fn files(&mut self, named: &[String], format: Option<Format>, lines: Option<&Lines>, spec: &Spec) -> usize {
        if named.is_empty() {
            return 0;
        }
        let number = match jobs::files(named, format, lines, spec, false) {
            Ok(files) => {
                let width = files.iter().take(NAMED).map(|name| name.chars().count()).max().unwrap_or(0);
                for name in files.iter().take(NAMED) {
                    let size = std::fs::metadata(name).ok().filter(|file| file.is_file());
                    let size = size.map_or(String::new(), |file| format!("  {:>11}", BinaryBytes(file.len()).to_string()));
                    self.say("source", "inputs", format!("{name:<width$}{size}"));
                }
                if files.len() > NAMED {
                    self.say("source", "inputs", format!("and {} more", grouped(files.len() - NAMED)));
                }
                files.len()
            }
            Err(error) => {
                self.say("source", "inputs", error);
                0
            }
        };
        self.format(format, lines, spec);
        number
    }

    pub(crate) fn format(&mut self, format: Option<Format>, lines: Option<&Lines>, spec: &Spec) {
        self.say(
            "source",
            "format",
            format.map_or("as names and first bytes tell".to_owned(), |format| format!("{format:?}").to_lowercase()),
        );
        let mut column = |column: &str, name: &str| self.say("source", "columns", format!("{column} is {name:?}"));
        match lines {
            Some(lines) => lines.columns.0.iter().for_each(|(at, name)| column(at.name(), name)),
            None => spec.columns.0.iter().for_each(|(at, name)| column(at.name(), name)),
        }
        let reading = lines.map_or(&spec.reading, |lines| &lines.options.reading);
        reading.only.iter().for_each(|filter| self.say("source", "only rows", format!("with {filter}")));
        reading.except.iter().for_each(|filter| self.say("source", "no rows", format!("with {filter}")));
        lines.into_iter().for_each(|lines| self.reading(lines));
        self.values(lines.map_or(&spec.reading, |lines| &lines.options.reading));
    }

    /// Says how values are read.
    fn values(&mut self, reading: &ReadOptions) {
        match reading.id_format {
            IdFormat::Integer => self.say("source", "ids", "whole numbers"),
            IdFormat::Trim => self.say("source", "ids", "without blanks around them"),
            IdFormat::Fold => self.say("source", "ids", "in lower case, without blanks around them"),
            _ => {}
        }
        if !reading.nulls.is_empty() {
            self.say("source", "no value", reading.nulls.join(", "));
        }
        if reading.number_format != NumberFormat::Plain {
            self.say("source", "numbers", format!("as {}", reading.number_format.name()));
        }
        match reading.amount_unit {
            AmountUnit::Cents => self.say("source", "amounts", "in cents"),
            AmountUnit::Millionths => self.say("source", "amounts", "in millionths"),
            _ => {}
        }
        reading.date_formats.iter().for_each(|dates| self.say("source", "dates", format!("as {dates}, or ISO 8601")));
    }

    /// Says how orders and line items are read.
    fn reading(&mut self, lines: &Lines) {
        let options = &lines.options;
        self.say("source", "rows", if options.one_row_per_order { "orders, each of them whole" } else { "lines of orders" });
        let amount = match options.amount {
            AmountFrom::Total => Some("as line_total says, and nothing where it is empty"),
            AmountFrom::Order => Some("the order's, as line_total says on each of them, once"),
            AmountFrom::Price => Some("quantity x unit_price"),
            AmountFrom::None => Some("nothing"),
            _ => None,
        };
        amount.into_iter().for_each(|amount| self.say("source", "lines are worth", amount));
        if options.reading.encoding == Encoding::Latin1 {
            self.say("source", "encoding", "latin1");
        }
        match options.reading.quote {
            Some(Quote::None) => self.say("source", "quotes", "are plain text"),
            Some(Quote::Double) => self.say("source", "quotes", "are around fields, also over several lines"),
            _ => {}
        }
        options.reading.escape.iter().for_each(|escape| self.say("source", "escape", format!("{escape} before a quote in a field")));
        options.reading.sheet.iter().for_each(|sheet| self.say("source", "sheet", format!("{sheet:?}")));
        options.reading.max_field.iter().for_each(|bytes| self.say("source", "ids", format!("of {bytes} bytes at most")));
        options.reading.header_line.iter().for_each(|line| self.say("source", "header", format!("on line {line}")));
    }

    /// Says how lines are grouped.
    pub(crate) fn orders(&mut self, lines: &Lines) {
        let options = &lines.orders;
        if *options == OrderOptions::shop().with_timezone(options.timezone) {
            self.say("orders", "policy", "shop: refunds are netted, lines without a customer reported, copies left out");
        }
        let naive = if lines.options.reading.naive_times == NaiveTimes::Local { "; times without an offset, too" } else { "" };
        self.say("orders", "calendar", format!("that of {}{naive}", options.timezone));
        let refunds = match options.refunds {
            Refunds::Fail => "are bad rows",
            Refunds::Net => "lessen what the customer has spent",
            Refunds::Drop => "are left out and counted",
        };
        self.say("orders", "refunds", refunds);
        let anonymous = match options.anonymous {
            Anonymous::Fail => "are bad rows",
            Anonymous::Drop => "are left out and counted",
            Anonymous::Report => "are left out, their orders and revenue reported apart",
        };
        self.say("orders", "anonymous", anonymous);
        if !lines.options.anonymous_ids.is_empty() {
            self.say("orders", "no customers", lines.options.anonymous_ids.join(", "));
        }
        let duplicates = match options.duplicates {
            _ if lines.options.one_row_per_order => "each row is an order: ids that come again are noted",
            Duplicates::Fail => "are bad rows, but for the first",
            Duplicates::Drop => "are left out and counted, but for the first",
            Duplicates::BetweenInputs => "are left out and counted where another input has them too",
            Duplicates::Keep => "count like any other",
        };
        self.say("orders", "duplicates", duplicates);
    }

    pub(crate) fn bad_rows(&mut self, policy: OnBadRow, inherited: bool, spec: &Spec) {
        let what = match policy {
            OnBadRow::Fail if spec.fail_fast => "the first one ends the run".to_owned(),
            OnBadRow::Fail => "end the run when all is read, and are told together".to_owned(),
            OnBadRow::Reject => format!("are left out and counted, {} at most", spec.max_rejects),
        };
        self.say("source", "bad rows", format!("{what}{}", if inherited { ", as when the state was made" } else { "" }));
    }

    /// Tells of made-up rows.
    pub(crate) fn made_up(&mut self, made: &Synthetic) {
        let Synthetic { customers, seed, from, to, skew, ids, null_timestamps, .. } = made;
        self.say("source", "made up", format!("{} customers, {from} to {to}, seed {seed}", grouped(customers)));
        let (skew, ids) = (format!("{skew:?}").to_lowercase(), format!("{ids:?}").to_lowercase());
        self.say("source", "ids", format!("{ids}, rows on them: {skew}, without a timestamp: {null_timestamps}"));
    }

    /// Tells of states and files, and what is done about bad rows; how many files and states there are.
    pub(crate) fn inputs(
        &mut self,
        inputs: &[String],
        format: Option<Format>,
        lines: Option<&Lines>,
        spec: &Spec,
        on_bad_row: Option<OnBadRow>,
    ) -> Inputs {
        let (states, others): (Vec<_>, Vec<_>) = inputs.iter().cloned().partition(|name| is_state(Path::new(name)));
        states.iter().for_each(|state| self.state(Path::new(state), "state"));
        let files = self.files(&others, format, lines, spec);
        let first = states.first().and_then(|path| State::open(Path::new(path)).ok());
        self.bad_rows(bad_rows(on_bad_row, first.as_ref(), spec.on_bad_row), first.is_some() && on_bad_row.is_none(), spec);
        Inputs { files, states: states.len() }
    }

    /// Tells which state is written to, and what it does about bad rows.
    pub(crate) fn kept(&mut self, path: &Path, every: Option<Granularity>, on_bad_row: Option<OnBadRow>, spec: &Spec) {
        let there = is_state(path).then(|| State::open(path).ok()).flatten();
        if is_state(path) {
            self.state(path, "into");
        } else {
            self.say("source", "into", format!("{}, a new state by {}", path.display(), every.unwrap_or(Granularity::Month)));
        }
        let inherited = there.is_some() && on_bad_row.is_none();
        // A change that fails changes nothing, and need not read on.
        self.bad_rows(bad_rows(on_bad_row, there.as_ref(), OnBadRow::default()), inherited, &spec.clone().with_fail_fast(true));
    }

    /// Tells which windows there are.
    pub(crate) fn windows(&mut self, windows: &Windows) {
        match windows {
            Windows::Every(Granularity::All) => self.say("finalize", "windows", "all, from the first day of the data to the last"),
            Windows::Every(every) => self.say("finalize", "windows", format!("each {every} that rows fall in")),
            Windows::List(list) => {
                let width = list.iter().map(|window| window.name.chars().count()).max().unwrap_or(0);
                list.iter().for_each(|window| self.say("finalize", "windows", span(window, width)));
            }
        }
    }

    pub(crate) fn render(&self) -> String {
        let width = |texts: &mut dyn Iterator<Item = &str>| texts.map(|text| text.chars().count()).max().unwrap_or(0);
        let stages = width(&mut self.0.iter().map(|(stage, ..)| *stage));
        // Keys with their sections are longer than topics.
        let of = |last: bool| self.0.iter().filter(move |(stage, ..)| (*stage == ELSEWHERE) == last).map(|(_, topic, _)| topic.as_str());
        let (topics, keys) = (width(&mut of(false)), width(&mut of(true)));
        let mut before = ("", "");
        let mut lines = String::new();
        for (stage, topic, what) in &self.0 {
            let (shown, again) = (if before.0 == *stage { "" } else { stage }, before == (stage, topic.as_str()));
            let topics = if *stage == ELSEWHERE { keys } else { topics };
            let topic_shown = if again { "" } else { topic };
            lines += format!("{shown:<stages$}  {topic_shown:<topics$}  {what}").trim_end();
            lines.push('\n');
            before = (stage, topic);
        }
        lines
    }
}

/// How so many files are called in a sentence.
pub(crate) fn files(files: usize) -> String {
    if files == 0 { "no files yet".to_owned() } else { counted(files, "file", "files") }
}

/// How so many files that were found behind names are called in a sentence.
pub(crate) fn inputs(named: &[String], found: usize) -> String {
    if named == ["-"] { "stdin".to_owned() } else { files(found) }
}

/// The audit that follows, if there is one.
pub(crate) fn then(audit: Option<&AuditJob>) -> String {
    audit.map_or(String::new(), |audit| format!(", then an audit {}", windows(&audit.spec.windows)))
}

/// How windows are called in a sentence.
pub(crate) fn windows(windows: &Windows) -> String {
    match windows {
        Windows::Every(Granularity::All) => "as one window".to_owned(),
        Windows::Every(every) => format!("by {every}"),
        Windows::List(list) => format!("in {}", counted(list.len(), "window", "windows")),
    }
}

/// How an output is called.
pub(crate) fn named(path: &Path) -> String {
    if path == Path::new("-") { "stdout".to_owned() } else { path.display().to_string() }
}

fn span(window: &Window, width: usize) -> String {
    let time = |at: i64| format_timestamp(at).trim_end_matches("T00:00:00").to_owned();
    let observed =
        if window.observation_end == window.end { String::new() } else { format!(", seen from {}", time(window.observation_end)) };
    format!("{:<width$}  {} to {}{observed}", window.name, time(window.start), time(window.end))
}
