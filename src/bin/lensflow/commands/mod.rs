//! The trait of all jobs: each can be checked, told and done. A kind of job is a file, named as its command is.

pub(crate) mod audit_command;
pub(crate) mod compare_command;
pub(crate) mod follow_command;
pub(crate) mod generate_command;
pub(crate) mod inspect_command;
pub(crate) mod manage_command;
pub(crate) mod merge_command;
pub(crate) mod peek_command;
pub(crate) mod periods_command;
pub(crate) mod segments_command;
pub(crate) mod sketch_command;
pub(crate) mod update_command;

use crate::layers::{Said, Value, is_spec};
use crate::page::{ELSEWHERE, Inputs, Page};
use crate::refuse::STDIN;
use crate::talk::{Host, print};
use lensflow::Result;
use lensflow::error::{Error, Kind};
use lensflow::jobs::AuditJob;
use lensflow::orders::Lines;
use lensflow::report::output::Output;
use lensflow::spec::Spec;
use std::io::Write;
use std::path::Path;

/// A job, understood.
pub(crate) trait Job {
    /// A line that says what it does.
    fn summary(&self, inputs: Inputs) -> String;

    /// Checks what can be known before rows are read: that inputs are there and have their columns, that states fit, that outputs can be
    /// written and write over nothing. Nothing is written.
    ///
    /// # Errors
    /// The first fault that is found.
    fn check(&self) -> Result<Inputs>;

    /// Does it.
    ///
    /// # Errors
    /// Faults of inputs, and outputs that cannot be written.
    fn run(&self, host: &mut Host<'_>) -> Result<()>;

    /// Tells what it reads.
    fn tell_inputs(&self, page: &mut Page) -> Inputs;

    /// Tells what it writes.
    fn tell_outputs(&self, page: &mut Page) {
        self.audit().into_iter().for_each(|audit| page.audit_outputs(audit));
    }

    /// The audit in it, if there is one.
    fn audit(&self) -> Option<&AuditJob> {
        None
    }

    /// The options of its stages, if it has any.
    fn spec(&self) -> Option<&Spec> {
        self.audit().map(|audit| &audit.spec)
    }

    /// Whether windows are audited.
    fn is_audited(&self) -> bool {
        self.audit().is_some()
    }

    /// How its orders and line items are read and grouped, if it reads any.
    fn lines(&self) -> Option<&Lines> {
        None
    }
}

/// Checks a job and its limits, and says what it would do.
///
/// # Errors
/// The first fault that is found.
pub(crate) fn check(job: &dyn Job, said: &Said) -> Result<String> {
    if let Some(spec) = job.spec() {
        spec.memory_split().map_err(|error| match said.get("limits.memory_limit") {
            Some(entry) => entry.refused(error),
            None => error,
        })?;
        if let Some(folder) = spec.spill_dir.as_ref().filter(|folder| !folder.is_dir()) {
            let error = Error::new(Kind::Io, "there is no such folder to spill into").input(folder.to_string_lossy());
            return Err(error.help("make it, or leave `spill_dir` out for the system's"));
        }
    }
    Ok(format!("{}: good: {}\n", name(said), job.summary(job.check()?)))
}

/// The plan, for people: what is done, the stages in order with what each was told, and what was said elsewhere than the rest.
pub(crate) fn explain(job: &dyn Job, said: &Said) -> String {
    let mut page = Page::default();
    let inputs = job.tell_inputs(&mut page);
    job.lines().into_iter().for_each(|lines| page.orders(lines));
    job.spec().into_iter().for_each(|spec| page.stages(spec, job.is_audited()));
    job.tell_outputs(&mut page);
    for entry in said.elsewhere() {
        let shown = match &entry.value {
            Value::Table(_) => continue,
            Value::Text(text) => text.clone(),
            other => other.to_string(),
        };
        page.say(ELSEWHERE, entry.row.key, format!("{shown} from {}", entry.origin));
    }
    format!("{}: {}\n\n{}", name(said), job.summary(inputs), page.render())
}

/// The name that stands before a summary.
fn name(said: &Said) -> &str {
    said.spec.as_deref().unwrap_or("command line")
}

/// Writes a spec to a file, or to stdout.
///
/// # Errors
/// A file that is no spec, which would be overwritten, or a folder that cannot be written to.
pub(crate) fn save_spec(toml: &str, path: &Path) -> Result<()> {
    if path == Path::new(STDIN) {
        return print(toml);
    }
    let file = path.to_string_lossy();
    // Anything but an earlier spec is more likely an input, or an output of the job, than a place for a spec.
    if path.is_file() && std::fs::read(path).is_ok_and(|found| !is_spec(&found)) {
        return Err(Error::usage("there is a file that is not a spec, which would be overwritten").input(file).help("name another file"));
    }
    let mut output = Output::create(path)?;
    output.write_all(toml.as_bytes()).map_err(|e| Error::io("cannot write the spec", e).input(file))?;
    output.complete()?;
    output.commit()
}
