//! The jobs of `lensflow run`, `check` and `explain`: what a file says, done, checked or told.
//!
//! ```text
//!  file, environment, flags ──▶ layers ──▶ read ──▶ resolve ──▶ Job ──▶ run: the job that flags would ask for
//!  keys: what may be said       entries    values   one of            ──▶ check: all that is known before rows are read
//!                               and their  and      four jobs         ──▶ explain: what would be done, stage by stage
//!                               origins    defaults
//! ```
//!
//! | file | owns |
//! |---|---|
//! | `keys` | the names of sections and keys, and the nearest to a wrong one |
//! | `layers` | which entry counts, and who said it |
//! | `values`, `read` | what an entry means |
//! | `resolve` | which job that is, and what contradicts itself |
//! | `job` | the four jobs, and how they are run |
//! | `check`, `explain` | the other two commands |
//! | `page` | how a plan is laid out |
//!
//! Invariant: a spec is done by the same functions as flags, so that the answers are the same bytes. Sections and keys are named as the
//! flags are. Limits: no expressions, no file that includes another.

pub(crate) mod check;
mod explain;
pub(crate) mod job;
mod keys;
mod layers;
mod page;
mod read;
mod resolve;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod values;

use crate::args::{FromSpec, Talk};
use crate::{print, signals};
use job::Job;
use layers::Layers;
use lensflow::Result;
use lensflow::error::Error;

/// Does what a spec says.
pub(crate) fn run(args: &FromSpec, talk: &Talk, job: &signals::Job) -> Result<()> {
    let (_, wanted) = read(args)?;
    wanted.run(talk, job)
}

/// Says whether a spec could be run now.
pub(crate) fn check(args: &FromSpec) -> Result<()> {
    let (layers, job) = read(args)?;
    let (files, states) = check::check(&layers, &job)?;
    print(format!("{}: good: {}\n", layers.name, job.summary(files.len(), states)).as_bytes())
}

/// Says what a spec would do.
pub(crate) fn explain(args: &FromSpec) -> Result<()> {
    let (layers, job) = read(args)?;
    print(explain::explain(&layers, &job).as_bytes())
}

fn read(args: &FromSpec) -> Result<(Layers, Job)> {
    let name = args.spec.to_string_lossy();
    let bytes = std::fs::read(&args.spec).map_err(|e| Error::io("cannot read the spec", e).input(&*name))?;
    let text = String::from_utf8(bytes).map_err(|_| Error::usage("a spec is a text in UTF-8, and this is none").input(&*name))?;
    let layers = Layers::read(&name, &text, std::env::vars_os(), &args.set, args.shorthands())?;
    let job = resolve::resolve(&layers)?;
    Ok((layers, job))
}
