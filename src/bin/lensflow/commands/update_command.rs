//! `lensflow update`: inputs are taken into a state; where a spec asks for it, an audit of the state follows.

use super::Job;
use crate::allocator::keep_to_limit;
use crate::page::{self, Inputs, Page};
use crate::talk::Host;
use lensflow::Result;
use lensflow::error::Error;
use lensflow::jobs::audit::bad_rows;
use lensflow::jobs::{self, AuditJob, Host as _, files, no_input_is_written};
use lensflow::model::{Granularity, OnBadRow};
use lensflow::orders::{Lines, special_lines};
use lensflow::source::files::Format;
use lensflow::spec::Spec;
use lensflow::state::{Remembered, State, is_state, windows_fit};
use lensflow::text::counted;
use lensflow::time::format_timestamp;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What becomes of names that came before with other contents and of orders that come again, and how long inputs can be taken out again.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Again {
    pub(crate) replace: bool,
    pub(crate) allow_changed: bool,
    pub(crate) undo: Option<Duration>,
    pub(crate) order_ids: Option<bool>,
}

impl Again {
    pub(crate) fn of(self, update: jobs::Update) -> jobs::Update {
        let Again { replace, allow_changed, undo, order_ids } = self;
        jobs::Update { replace, allow_changed, undo, order_ids, ..update }
    }

    pub(crate) fn tell(self, page: &mut Page) {
        let changed = match self {
            Again { replace: true, .. } => "takes the place of the earlier one",
            Again { allow_changed: true, .. } => "is added",
            _ => "is an error",
        };
        page.say("source", "a known name with other contents", changed);
        if let Some(keeps) = self.order_ids {
            page.say("source", "orders that come again", if keeps { "are left out" } else { "count twice" });
        }
    }
}

/// An update.
#[derive(Debug, Clone)]
pub(crate) struct Update {
    pub(crate) state: PathBuf,
    pub(crate) inputs: Vec<String>,
    pub(crate) every: Option<Granularity>,
    pub(crate) format: Option<Format>,
    /// The policy for bad rows; none is that of the state.
    pub(crate) on_bad_row: Option<OnBadRow>,
    pub(crate) spec: Spec,
    /// Where the inputs are orders and line items, how they are read and grouped.
    pub(crate) lines: Option<Lines>,
    pub(crate) allow_duplicate: bool,
    pub(crate) again: Again,
    /// How the inputs are read, for the state to remember.
    pub(crate) settings: Remembered,
    /// The table of what is left out of the inputs.
    pub(crate) rejects: Option<PathBuf>,
    pub(crate) csv_safe: bool,
    /// An audit that comes after it.
    pub(crate) audit: Option<Box<AuditJob>>,
}

impl Update {
    /// The library's update, for a state that may be there.
    fn update(&self, before: Option<&State>) -> jobs::Update {
        let on_bad_row = bad_rows(self.on_bad_row, before, OnBadRow::default());
        self.again.of(jobs::Update {
            every: self.every,
            spec: self.spec.clone().with_on_bad_row(on_bad_row),
            format: self.format,
            allow_duplicate: self.allow_duplicate,
            audited: self.audit.as_ref().map(|audit| audit.spec.windows.clone()),
            lines: self.lines.clone(),
            settings: self.settings.clone(),
            rejects: self.rejects.clone(),
            csv_safe: self.csv_safe,
            ..jobs::Update::default()
        })
    }

    fn before(&self) -> Result<Option<State>> {
        is_state(&self.state).then(|| State::open(&self.state)).transpose()
    }

    /// Checks what can be known before rows are read, and gives the files; with `look`, whether these have their columns.
    ///
    /// # Errors
    /// The first fault, of the update or of the audit after it.
    fn find(&self, look: bool) -> Result<Vec<String>> {
        let update = self.update(self.before()?.as_ref());
        let every = update.check(&self.state)?;
        if let Some(input) = self.inputs.iter().find(|input| is_state(Path::new(input))) {
            let error = Error::usage("a state takes in files, and this is a state").input(input);
            return Err(error.help("`state.merge` makes one state of several"));
        }
        let files = files(&self.inputs, self.format, self.lines.as_ref(), &self.spec, look)?;
        no_input_is_written(self.rejects.iter(), &files)?;
        if let Some(audit) = &self.audit {
            audit_fits(audit, every, update.spec.on_bad_row, &self.state)?;
            no_input_is_written(audit.outputs.paths(), &files)?;
        }
        Ok(files)
    }
}

impl Job for Update {
    fn run(&self, host: &mut Host<'_>) -> Result<()> {
        if self.audit.is_some() {
            self.find(false)?;
        }
        let began = Instant::now();
        let update = jobs::Update { cancel: host.signals.cancel.clone(), ..self.update(self.before()?.as_ref()) };
        update.spec.validate()?;
        keep_to_limit(&update.spec);
        let updated = update.run(&self.state, &self.inputs, |stats| host.watch(stats))?;
        host.shown();
        for known in &updated.known {
            let before = if known.before == known.name { String::new() } else { format!(", as {}", known.before) };
            host.tell(&format!("{}: taken in before{before}; it changes nothing (`allow_duplicate` takes it in again)", known.name));
        }
        for input in &updated.replaced {
            host.tell(&format!("{}: the rows of generation {} are taken out", input.name, input.generation));
        }
        let what = match updated.taken.len() {
            0 => "unchanged".to_owned(),
            n => {
                let (inputs, rows) = (counted(n, "input", "inputs"), counted(updated.rows, "row", "rows"));
                // A customer may be in several parts.
                let of = counted(updated.customers, "customer", "customers");
                if updated.parts == 1 { format!("{inputs} taken in: {rows} of {of}") } else { format!("{inputs} taken in: {rows}") }
            }
        };
        host.tell(&format!("{}: generation {}, {what}", self.state.display(), updated.manifest.generation));
        if let (Some(rows), Some(path)) = (updated.rejects, &self.rejects) {
            host.tell(&format!("{}: {}", path.display(), counted(rows, "row", "rows")));
        }
        updated.lines.iter().flat_map(special_lines).for_each(|said| host.tell(&format!("  {said}")));
        overlap(&updated);
        if !updated.taken.is_empty() && updated.manifest.rows_open() > 0 {
            let (open, every) = (counted(updated.manifest.rows_open(), "row", "rows"), updated.manifest.every);
            tracing::warn!("{open} of the state cross from one {every} to another, or end after theirs: each audit reads them again");
        }
        let seconds = began.elapsed().as_secs_f64();
        tracing::info!(rows = updated.rows, customers = updated.customers, compacted = updated.compacted, seconds, "done");
        self.audit.as_ref().map_or(Ok(()), |audit| super::audit_command::run(audit, host).map(drop))
    }

    fn tell_inputs(&self, page: &mut Page) -> Inputs {
        let files = page.files(&self.inputs, self.format, self.lines.as_ref(), &self.spec);
        page.kept(&self.state, self.every, self.on_bad_row, &self.spec);
        page.say("source", "inputs twice", if self.allow_duplicate { "count twice" } else { "change nothing" });
        self.again.tell(page);
        Inputs { files, states: 0 }
    }

    fn tell_outputs(&self, page: &mut Page) {
        if let Some(path) = &self.rejects {
            page.say("report", "rejects of the inputs", path.display());
        }
        self.audit().into_iter().for_each(|audit| page.audit_outputs(audit));
    }

    fn summary(&self, Inputs { files, .. }: Inputs) -> String {
        format!("update of {} from {}{}", self.state.display(), page::inputs(&self.inputs, files), page::then(self.audit()))
    }

    fn check(&self) -> Result<Inputs> {
        self.find(true).map(|files| Inputs { files: files.len(), states: 0 })
    }

    fn audit(&self) -> Option<&AuditJob> {
        self.audit.as_deref()
    }

    fn spec(&self) -> Option<&Spec> {
        Some(self.audit().map_or(&self.spec, |audit| &audit.spec))
    }

    fn lines(&self) -> Option<&Lines> {
        self.lines.as_ref()
    }
}

/// Says that orders may have come again, which the state cannot know.
pub(crate) fn overlap(updated: &jobs::Updated) {
    let day = |time: i64| format_timestamp(time)[..10].to_owned();
    if let Some((last, first)) = updated.overlap {
        let (last, first) = (day(last), day(first));
        tracing::warn!(
            "these orders begin on {first}, and the state had some until {last}: orders that come again count twice, unless a state keeps \
             order ids from its first update on (`order_ids=keep`)"
        );
    }
}

/// Checks that an audit of a state will be possible, before the state is changed.
///
/// # Errors
/// The first fault.
pub(crate) fn audit_fits(audit: &AuditJob, every: Granularity, on_bad_row: OnBadRow, path: &Path) -> Result<()> {
    audit.check_outputs()?;
    windows_fit(&audit.spec.windows, every, path)?;
    if audit.outputs.rejects.is_some() && on_bad_row == OnBadRow::Fail {
        let error = Error::usage("the state was made with `on_bad_row=fail`, so that there are no rejects to write");
        return Err(error.input(path.to_string_lossy()).help("leave `rejects` out, or make another state"));
    }
    Ok(())
}
