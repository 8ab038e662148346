//! What a spec asks for, once everything in it is understood, and how that is done.

use super::check;
use crate::args::Talk;
use crate::audit::{self, AuditJob, Input};
use crate::outputs::Outputs;
use crate::states::{self, MergeJob, UpdateJob};
use crate::{follow, signals};
use lensflow::Result;
use lensflow::jobs::follow::Feed;
use lensflow::model::{Granularity, OnBadRow, Windows};
use lensflow::orders::Lines;
use lensflow::source::files::Format;
use lensflow::spec::Spec;
use lensflow::text::{counted, grouped};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// All that a spec can ask for.
#[derive(Debug, Clone)]
pub(crate) enum Job {
    Audit(Box<AuditJob>),
    Update { update: Box<UpdateJob>, audit: Option<Box<AuditJob>> },
    Merge { merge: MergeJob, audit: Option<Box<AuditJob>> },
    Follow(Box<Follow>),
}

/// Rows are taken in as they come, for as long as the process runs.
#[derive(Debug, Clone)]
pub(crate) struct Follow {
    pub(crate) feed: Feed,
    /// Where inputs go that cannot be taken in.
    pub(crate) quarantine: PathBuf,
    pub(crate) state: PathBuf,
    pub(crate) every: Option<Granularity>,
    /// How long rows wait at most until the state has them.
    pub(crate) commit: Duration,
    /// How many of them wait at most.
    pub(crate) commit_rows: u64,
    pub(crate) format: Option<Format>,
    /// What is done about bad rows is what was done before, if nothing is said.
    pub(crate) on_bad_row: Option<OnBadRow>,
    pub(crate) spec: Spec,
    /// Where what comes is orders and line items, how they are read and grouped.
    pub(crate) lines: Option<Lines>,
    pub(crate) out: Outputs,
    /// How old outputs may become; with zero, each commit makes them anew.
    pub(crate) refresh: Duration,
    pub(crate) metrics: Option<SocketAddr>,
}

impl Job {
    /// Does it.
    pub(crate) fn run(&self, talk: &Talk, job: &signals::Job) -> Result<()> {
        // An audit that cannot be is found out before the state is changed.
        check::beforehand(self)?;
        match self {
            Job::Audit(_) => {}
            Job::Update { update, .. } => states::update(update, talk, job)?,
            Job::Merge { merge, .. } => states::merge(merge, talk, job)?,
            Job::Follow(wanted) => follow::run(wanted, talk, job)?,
        }
        self.audit().map_or(Ok(()), |audit| audit::run(audit, talk, job).map(drop))
    }

    /// The audit in it, if there is one.
    pub(crate) fn audit(&self) -> Option<&AuditJob> {
        match self {
            Job::Audit(audit) => Some(audit),
            Job::Update { audit, .. } | Job::Merge { audit, .. } => audit.as_deref(),
            Job::Follow(_) => None,
        }
    }

    /// The options of its stages. A merge has none but its audit's.
    pub(crate) fn spec(&self) -> Option<&Spec> {
        match self {
            Job::Update { update, audit: None } => Some(&update.spec),
            Job::Follow(follow) => Some(&follow.spec),
            other => other.audit().map(|audit| &audit.spec),
        }
    }

    /// How its orders and line items are read and grouped, if it reads any.
    pub(crate) fn lines(&self) -> Option<&Lines> {
        match self {
            Job::Audit(audit) => audit.lines.as_ref(),
            Job::Update { update, .. } => update.lines.as_ref(),
            Job::Merge { .. } => None,
            Job::Follow(follow) => follow.lines.as_ref(),
        }
    }

    /// What it does, in a line; so many files were found.
    pub(crate) fn summary(&self, files: usize, states: usize) -> String {
        let files = || if files == 0 { "no files yet".to_owned() } else { counted(files, "file", "files") };
        let then = |audit: &Option<Box<AuditJob>>| {
            audit.as_ref().map_or(String::new(), |audit| format!(", then an audit {}", windows(&audit.spec.windows)))
        };
        match self {
            Job::Audit(audit) => {
                let what = match &audit.input {
                    Input::Synthetic(synthetic) => format!("{} made-up customers", grouped(synthetic.customers)),
                    Input::Named(named) if *named == ["-"] => "stdin".to_owned(),
                    Input::Named(_) if states == 0 => files(),
                    Input::Named(named) if named.len() == states => counted(states, "state", "states"),
                    Input::Named(_) => format!("{} and {}", counted(states, "state", "states"), files()),
                };
                format!("audit of {what} {}", windows(&audit.spec.windows))
            }
            Job::Update { update, audit } => {
                let from = if update.inputs == ["-"] { "stdin".to_owned() } else { files() };
                format!("update of {} from {from}{}", update.state.display(), then(audit))
            }
            Job::Merge { merge, audit } => {
                let states = merge.states.iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
                format!("merge of {} into {}{}", states.join(" and "), merge.out.display(), then(audit))
            }
            Job::Follow(follow) => {
                let from = match &follow.feed {
                    Feed::Stdin { .. } => "stdin".to_owned(),
                    Feed::Inbox { folder, .. } => folder.display().to_string(),
                };
                format!("following {from} into {}, audited {}", follow.state.display(), windows(&follow.spec.windows))
            }
        }
    }
}

/// How windows are called in a sentence.
pub(crate) fn windows(windows: &Windows) -> String {
    match windows {
        Windows::Every(every) => format!("by {every}"),
        Windows::List(list) => format!("in {}", counted(list.len(), "window", "windows")),
    }
}
