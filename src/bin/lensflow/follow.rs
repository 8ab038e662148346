//! The job of a spec that follows: the library's loop with this command's answers, messages and metrics.

use crate::args::{Talk, policy};
use crate::audit::{self, AuditJob, Input};
use crate::inputs::keep_to_limit;
use crate::metrics::Metrics;
use crate::say;
use crate::serve::serve;
use crate::signals::Job;
use crate::spec_file::check;
use crate::spec_file::job::Follow;
use lensflow::Result;
use lensflow::jobs::Update;
use lensflow::jobs::follow;
use lensflow::jobs::follow::{Feed, FollowEvent, Follower};
use lensflow::spec::Spec;
use lensflow::spill::default_limit;
use lensflow::state::{State, is_state};
use lensflow::text::grouped;
use std::sync::Arc;

/// Does it, until a signal comes or the stream ends.
pub(crate) fn run(wanted: &Follow, talk: &Talk, job: &Job) -> Result<()> {
    check::followed(wanted)?;
    let before = is_state(&wanted.state).then(|| State::open(&wanted.state)).transpose()?;
    let spec = Spec { on_bad_row: policy(wanted.on_bad_row, before.as_ref()), ..wanted.spec.clone() };
    spec.validate()?;
    keep_to_limit(&spec);
    let metrics = Arc::new(Metrics::new(spec.memory_limit.or_else(default_limit)));
    let served = wanted.metrics.map(|address| serve(address, metrics.clone())).transpose()?;
    if !talk.quiet {
        let from = match &wanted.feed {
            Feed::Stdin { .. } => "stdin".to_owned(),
            Feed::Inbox { folder, .. } => folder.display().to_string(),
        };
        let at = served.map_or(String::new(), |address| format!(", metrics at http://{address}/metrics"));
        say(&format!("following {from} into {}{at}", wanted.state.display()));
    }
    let (update, stop) = (update(wanted, spec, job), job.stop.clone());
    let follow = follow::Follow {
        feed: wanted.feed.clone(),
        state: wanted.state.clone(),
        update,
        commit: wanted.commit,
        commit_rows: wanted.commit_rows,
        refresh: wanted.refresh,
        quarantine: wanted.quarantine.clone(),
        stop,
    };
    let quiet = Talk { quiet: true, ..talk.clone() };
    let mut follower = Command { audit: answers(wanted), metrics, quiet, job };
    job.in_order(|| follow.run(&mut follower))
}

fn update(wanted: &Follow, spec: Spec, job: &Job) -> Update {
    let audited = wanted.out.paths().next().map(|_| wanted.spec.windows.clone());
    let (every, format, lines, cancel) = (wanted.every, wanted.format, wanted.lines.clone(), job.cancel.clone());
    Update { every, audited, spec, format, lines, cancel, ..Update::default() }
}

/// The audit that makes the answers, if they go anywhere.
fn answers(wanted: &Follow) -> Option<AuditJob> {
    wanted.out.paths().next()?;
    let input = Input::Named(vec![wanted.state.to_string_lossy().into_owned()]);
    let spec = Spec { columns: Default::default(), ..wanted.spec.clone() };
    let out = wanted.out.clone();
    Some(AuditJob { input, lines: None, format: None, on_bad_row: None, spec, out, partial_out: None, checkpoint: None })
}

/// This command as it follows.
struct Command<'a> {
    audit: Option<AuditJob>,
    metrics: Arc<Metrics>,
    quiet: Talk,
    job: &'a Job,
}

impl Follower for Command<'_> {
    fn refresh(&mut self) -> Result<()> {
        let Some(audit) = &self.audit else { return Ok(()) };
        let counted = audit::run(audit, &self.quiet, self.job)?;
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
                let (inputs, rows, seconds) = (updated.taken.len(), grouped(updated.rows), time.as_secs_f64());
                tracing::info!("generation {}: {inputs} inputs, {rows} rows in {seconds:.2} s", updated.manifest.generation);
            }
            FollowEvent::Quarantined { file, reason } => tracing::warn!("put aside as {}: {reason}", file.display()),
            FollowEvent::Failed { error, .. } => tracing::warn!("tried again: {error}"),
            _ => {}
        }
    }
}
