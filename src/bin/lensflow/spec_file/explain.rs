//! The plan, for people: what is done, the stages in order with what each was told, and what did not come from the file. An input that is
//! not there is no fault here; it is said so in its place.

use super::job::{Follow, Job};
use super::layers::{Entry, Layers, Value};
use super::page::{ELSEWHERE, Page};
use crate::args::policy;
use crate::audit::{AuditJob, Input};
use crate::inputs::files;
use crate::states::UpdateJob;
use humantime::format_duration;
use indicatif::BinaryBytes;
use lensflow::Result;
use lensflow::jobs::follow::{Feed, Finished};
use lensflow::model::{Granularity, OnBadRow};
use lensflow::orders::{Anonymous, Duplicates, Lines, Refunds};
use lensflow::source::files::Format;
use lensflow::source::transactions::{Encoding, IdFormat};
use lensflow::spec::Spec;
use lensflow::state::{State, is_state};
use lensflow::synthetic::Synthetic;
use lensflow::text::grouped;
use std::path::Path;

/// So many files are named.
const NAMED: usize = 10;

/// What a spec would do.
pub(crate) fn explain(layers: &Layers, job: &Job) -> String {
    let mut page = Page::default();
    let (mut files, mut states) = (0, 0);
    match job {
        Job::Audit(audit) => match &audit.input {
            Input::Named(named) => {
                let (found, others): (Vec<_>, Vec<_>) = named.iter().cloned().partition(|name| is_state(Path::new(name)));
                found.iter().for_each(|state| page.state(Path::new(state), "state"));
                states = found.len();
                files = page.files(&others, audit.format, audit.lines.as_ref(), &audit.spec);
                let first = found.first().and_then(|path| State::open(Path::new(path)).ok());
                page.bad_rows(policy(audit.on_bad_row, first.as_ref()), first.is_some() && audit.on_bad_row.is_none());
            }
            Input::Synthetic(synthetic) => page.synthetic(synthetic, audit.on_bad_row),
        },
        Job::Update { update, .. } => files = page.update(update),
        Job::Merge { merge, .. } => {
            merge.states.iter().for_each(|path| page.state(path, "states"));
            states = merge.states.len();
            page.say("source", "into", merge.out.display());
            page.say("source", "inputs twice", if merge.allow_duplicate { "count twice" } else { "are refused" });
        }
        Job::Follow(follow) => page.follow(follow),
    }
    job.lines().into_iter().for_each(|lines| page.orders(lines));
    if let Some(spec) = job.spec() {
        let audited = job.audit().is_some() || matches!(job, Job::Follow(_));
        page.stages(spec, audited);
    }
    match job {
        Job::Follow(follow) => page.outputs(&follow.out, None),
        other => other.audit().into_iter().for_each(|audit| page.audit(audit)),
    }
    if let Job::Follow(follow) = job {
        page.say(
            "report",
            "refresh",
            if follow.refresh.is_zero() { "at each commit".to_owned() } else { format!("every {}", format_duration(follow.refresh)) },
        );
        page.say("serve", "metrics", follow.metrics.map_or("none".to_owned(), |at| format!("http://{at}/metrics")));
    }
    for entry in layers.elsewhere() {
        page.say(ELSEWHERE, &format!("{}.{}", entry.section, entry.key), format!("{} from {}", shown(entry), entry.origin));
    }
    format!("{}: {}\n\n{}", layers.name, job.summary(files, states), page.render())
}

/// An override as it was written.
fn shown(entry: &Entry) -> String {
    match (&entry.written, &entry.value) {
        (Some(written), _) => written.clone(),
        (None, Value::Text(text)) => text.clone(),
        (None, _) => "set".to_owned(),
    }
}

impl Page {
    fn state(&mut self, path: &Path, topic: &str) {
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
    fn files(&mut self, named: &[String], format: Option<Format>, lines: Option<&Lines>, spec: &Spec) -> usize {
        if named.is_empty() {
            return 0;
        }
        let number = match files(named, format, lines, spec, false) {
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

    fn format(&mut self, format: Option<Format>, lines: Option<&Lines>, spec: &Spec) {
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
        lines.into_iter().for_each(|lines| self.lines(lines));
    }

    /// Says how orders and line items are read.
    fn lines(&mut self, lines: &Lines) {
        let options = &lines.options;
        self.say("source", "rows", if options.one_row_per_order { "orders, each of them whole" } else { "lines of orders" });
        if options.id_format == IdFormat::Integer {
            self.say("source", "ids", "whole numbers");
        }
        options.date_format.iter().for_each(|dates| self.say("source", "dates", format!("as {dates}, or ISO 8601")));
        if options.encoding == Encoding::Latin1 {
            self.say("source", "encoding", "latin1");
        }
    }

    /// Says how lines are grouped.
    fn orders(&mut self, lines: &Lines) {
        let options = &lines.orders;
        self.say("orders", "calendar", format!("that of {}", options.timezone));
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
        let duplicates = match options.duplicates {
            _ if lines.options.one_row_per_order => "are not looked for: each row is an order",
            Duplicates::Fail => "are bad rows, but for the first",
            Duplicates::Drop => "are left out and counted, but for the first",
            Duplicates::Keep => "count like any other",
        };
        self.say("orders", "duplicates", duplicates);
    }

    fn bad_rows(&mut self, policy: OnBadRow, inherited: bool) {
        let what = match policy {
            OnBadRow::Fail => "the first one ends the run",
            OnBadRow::Reject => "are left out and counted",
        };
        self.say("source", "bad rows", format!("{what}{}", if inherited { ", as when the state was made" } else { "" }));
    }

    fn synthetic(&mut self, synthetic: &Synthetic, on_bad_row: Option<OnBadRow>) {
        let Synthetic { customers, seed, from, to, skew, ids, null_timestamps, .. } = synthetic;
        self.say("source", "made up", format!("{} customers, {from} to {to}, seed {seed}", grouped(customers)));
        let (skew, ids) = (format!("{skew:?}").to_lowercase(), format!("{ids:?}").to_lowercase());
        self.say("source", "ids", format!("{ids}, rows on them: {skew}, without a timestamp: {null_timestamps}"));
        self.bad_rows(on_bad_row.unwrap_or_default(), false);
    }

    fn update(&mut self, update: &UpdateJob) -> usize {
        let files = self.files(&update.inputs, update.format, update.lines.as_ref(), &update.spec);
        let there = is_state(&update.state).then(|| State::open(&update.state));
        let there = self.kept(&update.state, there, update.every);
        self.bad_rows(policy(update.on_bad_row, there.as_ref()), there.is_some() && update.on_bad_row.is_none());
        self.say("source", "inputs twice", if update.allow_duplicate { "count twice" } else { "change nothing" });
        files
    }

    /// Says what state is written to.
    fn kept(&mut self, path: &Path, there: Option<Result<State>>, every: Option<Granularity>) -> Option<State> {
        let every = every.unwrap_or(Granularity::Month);
        match there {
            None => {
                self.say("source", "into", format!("{}, a new state by {every}", path.display()));
                None
            }
            Some(Ok(state)) => {
                self.state(path, "into");
                Some(state)
            }
            Some(Err(error)) => {
                self.say("source", "into", error);
                None
            }
        }
    }

    fn follow(&mut self, follow: &Follow) {
        match &follow.feed {
            Feed::Stdin { spool } => self.say("source", "follow", format!("stdin, kept in {} until the state has it", spool.display())),
            Feed::Inbox { folder, glob, poll, finished } => {
                let what = glob.as_ref().map_or("files of a known extension".to_owned(), |glob| format!("files like {glob}"));
                self.say("source", "follow", format!("{}: {what}, looked for every {}", folder.display(), format_duration(*poll)));
                self.say(
                    "source",
                    "finished",
                    match finished {
                        Finished::Keep => "files stay".to_owned(),
                        Finished::Move(to) => format!("files move to {}", to.display()),
                        Finished::Delete => "files are deleted".to_owned(),
                    },
                );
            }
        }
        self.say("source", "quarantine", format!("{}, for what cannot be taken in", follow.quarantine.display()));
        self.format(follow.format, follow.lines.as_ref(), &follow.spec);
        let there = is_state(&follow.state).then(|| State::open(&follow.state));
        let there = self.kept(&follow.state, there, follow.every);
        self.bad_rows(policy(follow.on_bad_row, there.as_ref()), there.is_some() && follow.on_bad_row.is_none());
        let (time, rows) = (format_duration(follow.commit), grouped(follow.commit_rows));
        self.say("source", "commit", format!("every {time} or {rows} rows"));
    }

    fn audit(&mut self, audit: &AuditJob) {
        self.outputs(&audit.out, audit.partial_out.as_ref());
        if let Some((folder, time)) = &audit.checkpoint {
            self.say("report", "checkpoint", format!("{} every {}", folder.display(), format_duration(*time)));
        }
    }
}
