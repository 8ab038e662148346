//! How a plan is laid out: the lines of the stages that every job has, and columns that are aligned.

use crate::outputs::Outputs;
use indicatif::BinaryBytes;
use lensflow::model::{PARTITIONS, Window, Windows};
use lensflow::spec::{Parallel, Spec};
use lensflow::text::grouped;
use lensflow::time::format_timestamp;
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// Where values come from that the file does not say.
pub(super) const ELSEWHERE: &str = "elsewhere";

/// Lines of a stage, a topic and what there is to say.
#[derive(Default)]
pub(super) struct Page(Vec<(&'static str, String, String)>);

impl Page {
    pub(super) fn say(&mut self, stage: &'static str, topic: &str, what: impl Display) {
        self.0.push((stage, topic.to_owned(), what.to_string()));
    }

    /// Says what the stages between were told.
    pub(super) fn stages(&mut self, spec: &Spec, audited: bool) {
        self.say("route", "partitions", format!("{}, by a hash of the id", grouped(PARTITIONS)));
        match spec.memory_split() {
            Ok(split) => {
                let whose = if spec.workers.is_some() || spec.parallel == Parallel::Off {
                    ""
                } else {
                    ", one per core, or fewer where memory is short"
                };
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
        let parallel = match spec.parallel {
            Parallel::Auto { threshold } => format!("from {} customers on", grouped(threshold)),
            Parallel::On => "always".to_owned(),
            Parallel::Off => "never".to_owned(),
        };
        self.say("finalize", "in parallel", parallel);
        if !audited {
            return;
        }
        match &spec.windows {
            Windows::Every(every) => self.say("finalize", "windows", format!("each {every} that rows fall in")),
            Windows::List(list) => {
                let width = list.iter().map(|window| window.name.chars().count()).max().unwrap_or(0);
                list.iter().for_each(|window| self.say("finalize", "windows", span(window, width)));
            }
        }
        let shares = spec.percentiles.iter().map(|p| format!("{p} %")).collect::<Vec<_>>();
        let shares = if shares.is_empty() { "none".to_owned() } else { shares.join(", ") };
        self.say("lens", "Lens 1", format!("each window; revenue of the top {shares}"));
        self.say("lens", "Lens 2", "each pair of neighbours");
        self.say("reduce", "scores", format!("1 to {}", spec.bins));
    }

    pub(super) fn outputs(&mut self, out: &Outputs, partial: Option<&PathBuf>) {
        if out.report.is_empty() && !out.rows_on_stdout() {
            self.say("report", "answers", "on stdout");
        }
        out.report.iter().for_each(|path| self.say("report", "answers", named(path)));
        let order = if out.sorted { "by window and id" } else { "in the engine's order" };
        let rows = [("RFM rows", &out.rfm), ("migrations", &out.migration)];
        for (topic, path) in rows.into_iter().filter_map(|(topic, path)| Some((topic, path.as_ref()?))) {
            self.say("report", topic, format!("{}, {order}", named(path)));
        }
        out.rejects.iter().for_each(|path| self.say("report", "rejects", named(path)));
        partial.into_iter().for_each(|path| self.say("report", "partial", named(path)));
    }

    pub(super) fn render(&self) -> String {
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

fn named(path: &Path) -> String {
    if path == Path::new("-") { "stdout".to_owned() } else { path.display().to_string() }
}

fn span(window: &Window, width: usize) -> String {
    let time = |at: i64| format_timestamp(at).trim_end_matches("T00:00:00").to_owned();
    let observed =
        if window.observation_end == window.end { String::new() } else { format!(", seen from {}", time(window.observation_end)) };
    format!("{:<width$}  {} to {}{observed}", window.name, time(window.start), time(window.end))
}
