//! The command's other jobs: states, a look, made-up rows. A job's answers are what the command prints, as JSON where it has any; what it
//! tells comes beside.

use crate::arrow_in::Batches;
use crate::errors::raised;
use crate::make::{self, Made};
use crate::options::Kind;
use crate::options::speech::Speech;
use crate::process::talk::{Host, Talk, printed};
use crate::process::warned::warned;
use crate::running::{Raised, run_raising};
use crate::said::said;
use lensflow::error::Error;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::path::PathBuf;

/// Rows that a look takes of Arrow data, unless it takes all.
const LOOKED_AT: usize = 1 << 17;

/// Arrow data as a file, for jobs that take files. It goes when it is let go of.
struct Spool {
    folder: PathBuf,
    file: PathBuf,
}

impl Spool {
    /// For an update, beside its state, so that data of one name are one input; for others, where temporary files are.
    fn of(kind: Kind, options: &Bound<'_, PyDict>, name: &str) -> PyResult<Self> {
        let state = options.get_item("path")?.filter(|_| kind == Kind::Update);
        let folder = match state {
            Some(state) => PathBuf::from(format!("{}.arrow", state.extract::<String>()?.trim_end_matches('/'))),
            None => tempfile::tempdir()?.keep(),
        };
        std::fs::create_dir_all(&folder)?;
        let file = folder.join(format!("{name}.arrow"));
        Ok(Spool { folder, file })
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // What is not there any more, or holds another's file, stays so.
        let _ = std::fs::remove_file(&self.file);
        let _ = std::fs::remove_dir(&self.folder);
    }
}

/// A job by the name of its command. Gives what it printed, what it told, and warnings. With `data`, Arrow data are its input, called
/// `name`.
#[pyfunction]
#[pyo3(signature = (command, options, data=None, name=None, progress=None))]
pub(crate) fn job(
    py: Python<'_>,
    command: &str,
    options: &Bound<'_, PyDict>,
    data: Option<&Bound<'_, PyAny>>,
    name: Option<&str>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<(String, Vec<String>, Vec<String>)> {
    let kind = match command {
        "peek" => Kind::Peek,
        "periods" => Kind::Periods,
        "update" => Kind::Update,
        "merge" => Kind::Merge,
        "sketch" => Kind::Sketch,
        "compare" => Kind::Compare,
        "generate" => Kind::Generate,
        "inspect" => Kind::Inspect,
        "state" => Kind::Manage,
        _ => return Err(raised(py, &Error::usage(format!("there is no job {command:?}")))),
    };
    let objects = Raised::default();
    let batches = data.map(|data| Batches::of(data, &objects)).transpose()?;
    let name = name.unwrap_or("arrow").to_owned();
    if name.contains(['/', '\\']) {
        return Err(raised(py, &Error::usage(format!("name: {name:?} is a path")).help("give a name without folders")));
    }
    let spool = batches.is_some().then(|| Spool::of(kind, options, &name)).transpose()?;
    if let Some(spool) = &spool {
        options.set_item("inputs", [spool.file.to_string_lossy()])?;
    }
    let most = if kind == Kind::Peek && !options.contains("all")? { LOOKED_AT } else { usize::MAX };
    let mut said = said(kind, options)?.map_err(|error| raised(py, &error))?;
    run_raising(py, progress, &objects, move |signals, watched| {
        // To the caller the file is what it was made of.
        let called = spool.as_ref().map(|spool| (spool.file.to_string_lossy().into_owned(), name));
        let of_caller = |text: String| called.as_ref().map_or(text.clone(), |(file, name)| text.replace(file, name));
        if let (Some(batches), Some(spool)) = (batches, &spool) {
            batches.spool(&spool.file, most, &signals.cancel)?;
        }
        let made = make::job(&mut said)?;
        if let Made::Follow(_) = made {
            return Err(Error::usage("following is a job of the command").help("run `lensflow run` with a spec"));
        }
        let mut host = Host::new(signals, Talk, Speech::Keys).watched_by(watched);
        // What this thread printed before is of another job.
        printed();
        let (done, mut warnings) = warned(|| made.job().run(&mut host));
        done?;
        let (told, noted) = host.end();
        warnings.extend(noted);
        let all = |lines: Vec<String>| lines.into_iter().map(of_caller).collect();
        Ok((of_caller(printed()), all(told), all(warnings)))
    })
}
