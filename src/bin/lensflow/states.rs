//! The jobs of `lensflow update` and `merge`, of states.

use crate::args::{Talk, policy};
use crate::inputs::keep_to_limit;
use crate::progress::Progress;
use crate::say;
use crate::signals::Job;
use lensflow::model::{Granularity, OnBadRow, Windows};
use lensflow::orders::{Lines, special_lines};
use lensflow::source::files::Format;
use lensflow::spec::Spec;
use lensflow::state::{Io, State, is_state};
use lensflow::text::counted;
use lensflow::{Result, state};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Instant;

/// An update of a state.
#[derive(Debug, Clone)]
pub(crate) struct UpdateJob {
    pub(crate) state: PathBuf,
    pub(crate) inputs: Vec<String>,
    pub(crate) every: Option<Granularity>,
    pub(crate) format: Option<Format>,
    /// What is done about bad rows is what was done before, if nothing is said.
    pub(crate) on_bad_row: Option<OnBadRow>,
    pub(crate) spec: Spec,
    /// Where the inputs are orders and line items, how they are read and grouped.
    pub(crate) lines: Option<Lines>,
    pub(crate) allow_duplicate: bool,
    /// The windows of the audit that comes after it.
    pub(crate) audited: Option<Windows>,
}

/// A merge of states into a new one.
#[derive(Debug, Clone)]
pub(crate) struct MergeJob {
    pub(crate) out: PathBuf,
    pub(crate) states: Vec<PathBuf>,
    pub(crate) allow_duplicate: bool,
}

/// Takes inputs into a state.
pub(crate) fn update(args: &UpdateJob, talk: &Talk, job: &Job) -> Result<()> {
    let began = Instant::now();
    let before = is_state(&args.state).then(|| State::open(&args.state)).transpose()?;
    let spec = Spec { on_bad_row: policy(args.on_bad_row, before.as_ref()), ..args.spec.clone() };
    spec.validate()?;
    keep_to_limit(&spec);
    let update = lensflow::jobs::Update {
        every: args.every,
        spec,
        format: args.format,
        allow_duplicate: args.allow_duplicate,
        audited: args.audited.clone(),
        lines: args.lines.clone(),
        cancel: job.cancel.clone(),
        ..lensflow::jobs::Update::default()
    };
    let mut bar = None;
    let updated = update.run(&args.state, &args.inputs, |stats| {
        bar = (std::io::stderr().is_terminal() && !talk.quiet).then(|| Progress::watch(stats));
    })?;
    drop(bar);
    if !talk.quiet {
        for known in &updated.known {
            let before = if known.before == known.name { String::new() } else { format!(", as {}", known.before) };
            say(&format!("{}: taken in before{before}; it changes nothing (--allow-duplicate takes it in again)", known.name));
        }
        let generation = updated.manifest.generation;
        let what = match updated.taken.len() {
            0 => "unchanged".to_owned(),
            n => {
                let (inputs, rows) = (counted(n, "input", "inputs"), counted(updated.rows, "row", "rows"));
                format!("{inputs} taken in: {rows} of {}", counted(updated.customers, "customer", "customers"))
            }
        };
        say(&format!("{}: generation {generation}, {what}", args.state.display()));
        updated.lines.iter().flat_map(special_lines).for_each(|said| say(&format!("  {said}")));
    }
    if !updated.taken.is_empty() && updated.manifest.rows_open() > 0 {
        let (open, every) = (counted(updated.manifest.rows_open(), "row", "rows"), updated.manifest.every);
        tracing::warn!("{open} of the state cross from one {every} to another, or end after theirs: each audit reads them again");
    }
    let seconds = began.elapsed().as_secs_f64();
    tracing::info!(rows = updated.rows, customers = updated.customers, compacted = updated.compacted, seconds, "done");
    Ok(())
}

/// Merges states.
pub(crate) fn merge(args: &MergeJob, talk: &Talk, job: &Job) -> Result<()> {
    let states = args.states.iter().map(|path| State::open(path)).collect::<Result<Vec<_>>>()?;
    let merged = state::merge(&args.out, &states, args.allow_duplicate, &job.cancel, &Io::default())?;
    if !talk.quiet {
        merged.duplicates.iter().for_each(|name| say(&format!("{name}: several states had it; its rows count several times")));
        let (states, inputs) = (counted(states.len(), "state", "states"), merged.manifest.inputs.len());
        say(&format!("{}: {states} merged, {}", args.out.display(), counted(inputs, "input", "inputs")));
    }
    Ok(())
}
