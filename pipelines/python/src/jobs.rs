//! The command's other jobs: states, a look, made-up rows. A job's answers are what the command prints, as JSON where it has any; what it
//! tells comes beside.

use crate::arrow_in::Batches;
use crate::errors::raised;
use crate::make::{self, Made};
use crate::options::Kind;
use crate::options::speech::Speech;
use crate::process::talk::{Host, Talk, printed};
use crate::running::{Raised, run_raising};
use crate::said::said;
use lensflow::error::Error;
use pyo3::prelude::*;
use pyo3::types::PyDict;

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
    let folder = batches.is_some().then(tempfile::tempdir).transpose()?;
    let spooled = folder.as_ref().map(|folder| folder.path().join(format!("{}.arrow", name.unwrap_or("arrow"))));
    if let Some(spooled) = &spooled {
        options.set_item("inputs", [spooled.to_string_lossy()])?;
    }
    let mut said = said(kind, options)?.map_err(|error| raised(py, &error))?;
    run_raising(py, progress, &objects, move |signals, watched| {
        if let (Some(batches), Some(spooled)) = (batches, &spooled) {
            batches.spool(spooled)?;
        }
        let made = make::job(&mut said)?;
        if let Made::Follow(_) = made {
            return Err(Error::usage("following is a job of the command").help("run `lensflow run` with a spec"));
        }
        let mut host = Host::new(signals, Talk, Speech::Keys).watched_by(watched);
        // What this thread printed before is of another job.
        printed();
        made.job().run(&mut host)?;
        let (told, warnings) = host.end();
        drop(folder);
        Ok((printed(), told, warnings))
    })
}
