//! What can be known before rows are read: that inputs are there and have their columns, that states fit the windows, that the memory
//! limit is enough, and that outputs can be written and write over nothing. Nothing is written.

use super::job::{Follow, Job};
use super::layers::Layers;
use crate::args::policy;
use crate::audit::{AuditJob, Input, ReportFormat};
use crate::inputs::{files, lines_fit, with_states};
use crate::outputs::{self, Outputs, real};
use crate::partials;
use crate::states::UpdateJob;
use lensflow::error::{Error, Kind};
use lensflow::jobs::Checkpoints;
use lensflow::jobs::follow::{Feed, Finished};
use lensflow::model::{Granularity, OnBadRow};
use lensflow::report::table::TableWriter;
use lensflow::spec::Spec;
use lensflow::state::{State, is_state, windows_fit};
use lensflow::{Result, state};
use std::path::{Path, PathBuf};

/// Checks a job, and gives the files and the number of states that it would read.
///
/// # Errors
/// The first fault that is found.
pub(crate) fn check(layers: &Layers, job: &Job) -> Result<(Vec<String>, usize)> {
    let memory = |spec: &Spec| match (spec.memory_split(), layers.get("limits", "memory_limit")) {
        (Err(error), Some(entry)) => Err(entry.refused(None, error)),
        (split, _) => split.map(drop),
    };
    job.spec().map_or(Ok(()), memory)?;
    if let Some(folder) = job.spec().and_then(|spec| spec.spill_dir.as_ref()) {
        is_folder(folder, "there is no such folder to spill into", "make it, or leave spill_dir out for the system's")?;
    }
    match job {
        Job::Audit(audit) => {
            possible(audit)?;
            let (states, files) = opened(audit)?;
            let spec = audit.spec(&states)?;
            lines_fit(audit.lines.as_ref(), &states, &files)?;
            states.iter().try_for_each(|state| state.fits(&spec))?;
            no_input_is_written(&audit.out, audit.partial_out.as_ref(), &files)?;
            Ok((files, states.len()))
        }
        Job::Update { update, .. } => {
            beforehand(job)?;
            Ok((found(update, true)?, 0))
        }
        Job::Merge { merge, .. } => beforehand(job).map(|()| (Vec::new(), merge.states.len())),
        Job::Follow(follow) => followed(follow).map(|()| (Vec::new(), 0)),
    }
}

/// Checks that the audit of a state will be possible, before the state is changed.
///
/// # Errors
/// The first fault that is found, of the state or of its audit.
pub(crate) fn beforehand(job: &Job) -> Result<()> {
    let (every, on_bad_row, path, files) = match job {
        Job::Update { update, .. } => {
            let (every, on_bad_row) = updatable(update)?;
            (every, on_bad_row, &update.state, found(update, false)?)
        }
        Job::Merge { merge, .. } => {
            let states = merge.states.iter().map(|path| State::open(path)).collect::<Result<Vec<_>>>()?;
            let merged = state::check_merge(&merge.out, &states, merge.allow_duplicate)?.manifest;
            (merged.every, merged.on_bad_row, &merge.out, Vec::new())
        }
        Job::Audit(_) | Job::Follow(_) => return Ok(()),
    };
    let Some(audit) = job.audit() else { return Ok(()) };
    possible(audit)?;
    windows_fit(&audit.spec.windows, every, path)?;
    if audit.out.rejects.is_some() && on_bad_row == OnBadRow::Fail {
        let error = Error::usage("the state was made with on_bad_row = \"fail\", so that there are no rejects to write");
        return Err(error.input(path.to_string_lossy()).help("leave rejects out, or make another state"));
    }
    no_input_is_written(&audit.out, audit.partial_out.as_ref(), &files)
}

/// Checks what of an audit does not depend on its inputs: that it can write.
///
/// # Errors
/// Outputs without a format or a folder, or one that would be written twice.
fn possible(audit: &AuditJob) -> Result<()> {
    writable(&audit.out)?;
    if let Some(partial) = &audit.partial_out {
        partials::may_be_called(partial)?;
        in_a_folder(partial)?;
    }
    no_input_is_written(&audit.out, audit.partial_out.as_ref(), &[])?;
    audit.checkpoint.as_ref().map_or(Ok(()), |(folder, _)| may_be_folder(folder).and_then(|()| Checkpoints::check(folder)))
}

fn no_input_is_written(out: &Outputs, partial: Option<&PathBuf>, inputs: &[String]) -> Result<()> {
    outputs::check(&out.paths().chain(partial).collect::<Vec<_>>(), inputs)
}

/// The states and the files of an audit, opened and with their columns.
fn opened(audit: &AuditJob) -> Result<(Vec<State>, Vec<String>)> {
    let Input::Named(named) = &audit.input else { return Ok((Vec::new(), Vec::new())) };
    let (states, others) = with_states(named.clone())?;
    let files = files(&others, audit.format, audit.lines.as_ref(), &audit.spec, true)?;
    Ok((states, files))
}

/// The calendar windows and the policy that the state has, or will have once it is there.
fn updatable(update: &UpdateJob) -> Result<(Granularity, OnBadRow)> {
    let there = is_state(&update.state).then(|| State::open(&update.state)).transpose()?;
    let on_bad_row = policy(update.on_bad_row, there.as_ref());
    let spec = Spec { on_bad_row, ..update.spec.clone() };
    let (every, lines) = (update.every, update.lines.clone());
    let every = lensflow::jobs::Update { every, spec, lines, ..lensflow::jobs::Update::default() }.check(&update.state)?;
    Ok((every, on_bad_row))
}

/// The files that a state takes in.
fn found(update: &UpdateJob, look: bool) -> Result<Vec<String>> {
    if let Some(input) = update.inputs.iter().find(|input| is_state(Path::new(input))) {
        let error = Error::usage("a state takes in files, and this is a state").input(input);
        return Err(error.help("say merge = [...] in [state] to make one state of several"));
    }
    files(&update.inputs, update.format, update.lines.as_ref(), &update.spec, look)
}

/// Checks that what is followed can be taken in, and that its answers can be made and do not become what is followed.
///
/// # Errors
/// The first fault that is found.
pub(crate) fn followed(follow: &Follow) -> Result<()> {
    let files = lensflow::jobs::Update { every: follow.every, lines: follow.lines.clone(), ..lensflow::jobs::Update::default() };
    let there = is_state(&follow.state).then(|| State::open(&follow.state)).transpose()?;
    let on_bad_row = policy(follow.on_bad_row, there.as_ref());
    let spec = Spec { on_bad_row, ..follow.spec.clone() };
    let every = lensflow::jobs::Update { spec, ..files }.check(&follow.state)?;
    windows_fit(&follow.spec.windows, every, &follow.state)?;
    writable(&follow.out)?;
    follow.out.check(&[])?;
    may_be_folder(&follow.quarantine)?;
    let Feed::Inbox { folder, finished, .. } = &follow.feed else { return Ok(()) };
    is_folder(folder, "there is no such folder to follow", "make it, or name another with follow")?;
    let done = if let Finished::Move(done) = finished { Some(done) } else { None };
    done.map_or(Ok(()), |done| may_be_folder(done))?;
    if let Some(output) = outputs::inside(follow.out.paths(), folder) {
        let error = Error::usage("an output in the inbox would be taken in").input(output.to_string_lossy());
        return Err(error.help("write it to another folder"));
    }
    let places = [Some(&follow.quarantine), done, Some(&follow.state)];
    if let Some(place) = places.into_iter().flatten().find(|place| real(place) == real(folder)) {
        let error = Error::usage("the inbox itself cannot be where files are moved to, nor the state").input(place.to_string_lossy());
        return Err(error.help("name a folder of its own"));
    }
    Ok(())
}

/// Checks that each output has a format and a folder to be in.
fn writable(out: &Outputs) -> Result<()> {
    out.report.iter().try_for_each(|path| ReportFormat::of(path).map(drop))?;
    let tables = [&out.rfm, &out.migration, &out.rejects].into_iter().flatten();
    tables.into_iter().try_for_each(|path| TableWriter::format_of(path, None).map(drop))?;
    out.paths().try_for_each(|path| in_a_folder(path))
}

fn in_a_folder(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let no = |what: &str| Err(Error::new(Kind::Io, format!("cannot write: {what}")).input(path.to_string_lossy()));
    match std::fs::metadata(folder) {
        _ if path == Path::new("-") => Ok(()),
        _ if path.is_dir() => no("it is a folder"),
        Err(_) => no("its folder is not there"),
        Ok(folder) if !folder.is_dir() => no("what should be its folder is a file"),
        Ok(folder) if folder.permissions().readonly() => no("its folder may not be written to"),
        Ok(_) => Ok(()),
    }
}

fn is_folder(folder: &Path, or: &str, help: &str) -> Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    Err(Error::new(Kind::Io, or).input(folder.to_string_lossy()).help(help))
}

/// Checks that a folder is there, or can be made.
fn may_be_folder(path: &Path) -> Result<()> {
    match path.ancestors().find(|part| part.exists()) {
        Some(there) if !there.is_dir() => {
            Err(Error::new(Kind::Io, "a folder is wanted here, and it is a file").input(there.to_string_lossy()))
        }
        _ => Ok(()),
    }
}
