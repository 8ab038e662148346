//! The job of a spec that follows: the library's loop with this command's answers, messages and metrics.

use super::Job;
use super::update_command::{Again, overlap};
use crate::allocator::keep_to_limit;
use crate::metrics::Metrics;
use crate::page::{self, Inputs, Page};
use crate::serve::serve;
use crate::talk::Host;
use humantime::format_duration;
use lensflow::Result;
use lensflow::error::{Error, Kind};
use lensflow::jobs::audit::bad_rows;
use lensflow::jobs::follow::{self, Feed, Finished, FollowEvent, Follower};
use lensflow::jobs::{AuditJob, Host as _, Outputs, Update, inside, may_be_folder, real};
use lensflow::memory::default_limit;
use lensflow::model::{Granularity, OnBadRow};
use lensflow::orders::Lines;
use lensflow::source::files::Format;
use lensflow::spec::Spec;
use lensflow::state::{Remembered, State, is_state, windows_fit};
use lensflow::text::{counted, grouped};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Rows are taken in as they come, for as long as the process runs.
#[derive(Debug, Clone)]
pub(crate) struct Follow {
    pub(crate) feed: Feed,
    /// Where inputs go that cannot be taken in.
    pub(crate) quarantine: PathBuf,
    pub(crate) state: PathBuf,
    pub(crate) every: Option<Granularity>,
    /// How long rows wait at most until the state has them, and how many of them.
    pub(crate) commit: Duration,
    pub(crate) commit_rows: u64,
    pub(crate) format: Option<Format>,
    /// The policy for bad rows; none is that of the state.
    pub(crate) on_bad_row: Option<OnBadRow>,
    pub(crate) again: Again,
    pub(crate) settings: Remembered,
    pub(crate) spec: Spec,
    /// Where what comes is orders and line items, how they are read and grouped.
    pub(crate) lines: Option<Lines>,
    pub(crate) outputs: Outputs,
    /// How old outputs may become; with zero, each commit makes them anew.
    pub(crate) refresh: Duration,
    pub(crate) metrics: Option<SocketAddr>,
}

impl Follow {
    /// The library's update, with what was done before about bad rows.
    fn update(&self) -> Result<Update> {
        let before = is_state(&self.state).then(|| State::open(&self.state)).transpose()?;
        let on_bad_row = bad_rows(self.on_bad_row, before.as_ref(), OnBadRow::default());
        let audited = self.outputs.paths().next().map(|_| self.spec.windows.clone());
        let (every, format, lines) = (self.every, self.format, self.lines.clone());
        let spec = self.spec.clone().with_on_bad_row(on_bad_row);
        Ok(self.again.of(Update { every, audited, spec, format, lines, settings: self.settings.clone(), ..Update::default() }))
    }

    /// Where rows come from.
    fn from(&self) -> String {
        match &self.feed {
            Feed::Stdin { .. } => "stdin".to_owned(),
            Feed::Inbox { folder, .. } => folder.display().to_string(),
        }
    }

    /// The audit that makes the answers, if they go anywhere.
    fn answers(&self) -> Option<AuditJob> {
        self.outputs.paths().next()?;
        let spec = self.spec.clone().with_columns(Default::default());
        Some(AuditJob::new([self.state.to_string_lossy()]).spec(spec).outputs(self.outputs.clone()))
    }
}

impl Job for Follow {
    fn check(&self) -> Result<Inputs> {
        let every = self.update()?.check(&self.state)?;
        windows_fit(&self.spec.windows, every, &self.state)?;
        self.outputs.check()?;
        may_be_folder(&self.quarantine)?;
        let Feed::Inbox { folder, finished, .. } = &self.feed else { return Ok(Inputs::default()) };
        if !folder.is_dir() {
            let error = Error::new(Kind::Io, "there is no such folder to follow").input(folder.to_string_lossy());
            return Err(error.help("make it, or name another with `follow`"));
        }
        let done = if let Finished::Move(done) = finished { Some(done) } else { None };
        done.map_or(Ok(()), |done| may_be_folder(done))?;
        if let Some(output) = inside(self.outputs.paths(), folder) {
            let error = Error::usage("an output in the inbox would be taken in").input(output.to_string_lossy());
            return Err(error.help("write it to another folder"));
        }
        let places = [Some(&self.quarantine), done, Some(&self.state)];
        if let Some(place) = places.into_iter().flatten().find(|place| real(place) == real(folder)) {
            let error = Error::usage("the inbox itself cannot be where files are moved to, nor the state").input(place.to_string_lossy());
            return Err(error.help("name a folder of its own"));
        }
        Ok(Inputs::default())
    }

    fn run(&self, host: &mut Host<'_>) -> Result<()> {
        self.check()?;
        let update = Update { cancel: host.signals.cancel.clone(), ..self.update()? };
        update.spec.validate()?;
        keep_to_limit(&update.spec);
        let metrics = Arc::new(Metrics::new(update.spec.memory_limit.or_else(default_limit)));
        let served = self.metrics.map(|address| serve(address, metrics.clone())).transpose()?;
        let at = served.map_or(String::new(), |address| format!(", metrics at http://{address}/metrics"));
        host.heeds_stop(true);
        host.tell(&format!("following {} into {}{at}", self.from(), self.state.display()));
        let follow = follow::Follow {
            feed: self.feed.clone(),
            state: self.state.clone(),
            update,
            commit: self.commit,
            commit_rows: self.commit_rows,
            refresh: self.refresh,
            quarantine: self.quarantine.clone(),
            stop: host.signals.stop.clone(),
        };
        let own = |talk| Host::new(host.signals, talk, host.speech);
        let mut follower = Command { audit: self.answers(), metrics, host: own(host.talk.silent()), said: own(host.talk) };
        follow.run(&mut follower)?;
        host.heeds_stop(false);
        Ok(())
    }

    fn tell_inputs(&self, page: &mut Page) -> Inputs {
        match &self.feed {
            Feed::Stdin { spool } => page.say("source", "follow", format!("stdin, kept in {} until the state has it", spool.display())),
            Feed::Inbox { folder, glob, poll, finished } => {
                let what = glob.as_ref().map_or("files of a known extension".to_owned(), |glob| format!("files like {glob}"));
                page.say("source", "follow", format!("{}: {what}, looked for every {}", folder.display(), format_duration(*poll)));
                let finished = match finished {
                    Finished::Keep => "files stay".to_owned(),
                    Finished::Move(to) => format!("files move to {}", to.display()),
                    Finished::Delete => "files are deleted".to_owned(),
                };
                page.say("source", "finished", finished);
            }
        }
        page.say("source", "quarantine", format!("{}, for what cannot be taken in", self.quarantine.display()));
        page.format(self.format, self.lines.as_ref(), &self.spec);
        page.kept(&self.state, self.every, self.on_bad_row, &self.spec);
        let (time, rows) = (format_duration(self.commit), grouped(self.commit_rows));
        page.say("source", "commit", format!("every {time} or {rows} rows"));
        Inputs::default()
    }

    fn tell_outputs(&self, page: &mut Page) {
        page.outputs(&self.outputs);
        let refresh = if self.refresh.is_zero() { "at each commit".to_owned() } else { format!("every {}", format_duration(self.refresh)) };
        page.say("report", "refresh", refresh);
        page.say("serve", "metrics", self.metrics.map_or("none".to_owned(), |at| format!("http://{at}/metrics")));
    }

    fn summary(&self, _: Inputs) -> String {
        format!("following {} into {}, audited {}", self.from(), self.state.display(), page::windows(&self.spec.windows))
    }

    fn spec(&self) -> Option<&Spec> {
        Some(&self.spec)
    }

    fn is_audited(&self) -> bool {
        true
    }

    fn lines(&self) -> Option<&Lines> {
        self.lines.as_ref()
    }
}

/// This command as it follows.
struct Command<'a> {
    audit: Option<AuditJob>,
    metrics: Arc<Metrics>,
    /// For audits, which say nothing of their outputs.
    host: Host<'a>,
    /// For what is said: a line a commit.
    said: Host<'a>,
}

impl Follower for Command<'_> {
    fn refresh(&mut self) -> Result<()> {
        let Some(audit) = &self.audit else { return Ok(()) };
        let counted = super::audit_command::run(audit, &mut self.host)?;
        self.metrics.set_customers(counted.customers);
        Ok(())
    }

    fn notice(&mut self, event: FollowEvent<'_>) {
        self.metrics.notice(&event);
        match event {
            FollowEvent::Committed { updated, time } => {
                for known in &updated.known {
                    tracing::info!("{}: taken in before, as {}; it changes nothing", known.name, known.before);
                }
                overlap(updated);
                let (inputs, rows) = (counted(updated.taken.len(), "input", "inputs"), counted(updated.rows, "row", "rows"));
                let (generation, seconds) = (updated.manifest.generation, time.as_secs_f64());
                self.said.tell(&format!("generation {generation}: {inputs}, {rows} in {seconds:.2} s"));
            }
            FollowEvent::Quarantined { file, reason } => {
                tracing::warn!("put aside as {}: {}", file.display(), self.host.speech.say(&reason.to_string()))
            }
            FollowEvent::Failed { error, .. } => tracing::warn!("tried again: {}", self.host.speech.say(&error.to_string())),
            _ => {}
        }
    }
}
