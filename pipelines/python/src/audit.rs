//! `audit` of files or of Arrow data, and its answers.

use crate::arrow_in::Batches;
use crate::errors::raised;
use crate::make::{self, Made};
use crate::options::Kind;
use crate::options::speech::Speech;
use crate::process::talk::{Host, Talk};
use crate::rows::{RowStream, Which};
use crate::running::{Raised, run_raising};
use crate::said::said;
use lensflow::Audit;
use lensflow::error::{Error, Result};
use lensflow::jobs::AuditJob;
use lensflow::pipeline::Order;
use lensflow::report::json_text::{JsonNumbers, to_json};
use lensflow::report::text_tables::{Style, render};
use lensflow::source::Batches as Source;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::Arc;

/// What Arrow data are called in reports and errors when nothing is said.
const ARROW: &str = "arrow";

/// The file of rows that stay in memory.
const NOT_WRITTEN: &str = "rows-in-memory.parquet";

/// The answers of an audit, and the rows behind them.
#[pyclass(frozen, module = "lensflow._lensflow")]
pub(crate) struct Answers {
    audit: Arc<Audit>,
    of_lines: bool,
}

#[pymethods]
impl Answers {
    /// The report as JSON: the bytes that the command writes. `numbers` is `number` or `text`.
    fn json(&self, py: Python<'_>, numbers: &str) -> PyResult<String> {
        let numbers = match numbers {
            "number" => JsonNumbers::Number,
            "text" => JsonNumbers::Text,
            _ => return Err(raised(py, &Error::usage(format!("numbers: {numbers:?} is neither \"number\" nor \"text\"")))),
        };
        py.detach(|| to_json(&self.audit.report, numbers)).map_err(|error| raised(py, &error))
    }

    /// The answers as tables for people.
    fn text(&self, py: Python<'_>, markdown: bool) -> String {
        let style = if markdown { Style::Markdown } else { Style::Text };
        py.detach(|| crate::errors::say(&render(&self.audit.report, style)))
    }

    /// Rows: `rfm`, `migration` or `rejects`.
    fn rows(&self, which: &str, sorted: bool) -> RowStream {
        let which = match which {
            "rfm" => Which::Rfm,
            "migration" => Which::Migration,
            _ => Which::Rejects,
        };
        let order = if sorted { Order::Sorted } else { Order::Engine };
        RowStream { audit: self.audit.clone(), which, order, of_lines: self.of_lines }
    }
}

/// An audit. With `data`, of Arrow data that are called `name`; else of the inputs that the options name.
#[pyfunction]
#[pyo3(signature = (options, data=None, name=None, progress=None))]
pub(crate) fn audit(
    py: Python<'_>,
    options: &Bound<'_, PyDict>,
    data: Option<&Bound<'_, PyAny>>,
    name: Option<String>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<Answers> {
    let objects = Raised::default();
    let batches = data.map(|data| Batches::of(data, &objects)).transpose()?;
    let folder = batches.is_some().then(tempfile::tempdir).transpose()?;
    let look = folder.as_ref().map(|folder| folder.path().join("arrow.arrow"));
    if let Some(look) = &look {
        options.set_item("inputs", [look.to_string_lossy()])?;
    }
    if options.contains("rfm_columns")? {
        // Columns are refused where no rows are asked for; here they can be asked for afterwards.
        options.set_item("rfm.out", NOT_WRITTEN)?;
    }
    let mut said = said(Kind::Audit, options)?.map_err(|error| raised(py, &error))?;
    let name = name.unwrap_or_else(|| ARROW.to_owned());
    let answers = run_raising(py, progress, &objects, move |signals, watched| {
        let mut batches = batches;
        if let (Some(batches), Some(look)) = (&mut batches, &look) {
            batches.look(look)?;
        }
        let made = make::job(&mut said).map_err(|error| named(error, look.as_deref(), &name))?;
        let Made::Audit(mut job) = made else { return Err(Error::internal("an audit was asked for")) };
        drop(folder);
        job.cancel = signals.cancel.clone();
        job.outputs.rfm = None;
        let mut host = Host::new(signals, Talk, Speech::Keys).watched_by(watched);
        let audit = match batches {
            Some(batches) => of_batches(&job, batches, &name, &mut host)?,
            None => job.answer(&mut host)?,
        };
        let of_lines = audit.report.input.transactions.is_some();
        Ok(Answers { audit: Arc::new(audit), of_lines })
    })?;
    Ok(answers)
}

fn of_batches(job: &AuditJob, batches: Batches, name: &str, host: &mut Host<'_>) -> Result<Audit> {
    job.answer_with(host, |pipeline| match &job.lines {
        Some(lines) => pipeline.run_transactions(lines.batches(name, batches)?, lines),
        None => pipeline.run(Source::reading(name, &job.spec, batches)?),
    })
}

/// An error about Arrow data, which are not called as the file is where they were looked at.
fn named(error: Error, look: Option<&std::path::Path>, name: &str) -> Error {
    let Some(look) = look.map(|look| look.to_string_lossy().into_owned()) else { return error };
    let message = error.to_string().replace(&look, name);
    let named = Error::new(error.kind(), message.strip_prefix(&format!("{name}: ")).unwrap_or(&message)).input(name);
    match error.advice() {
        Some(advice) => named.help(advice.replace(&look, name)),
        None => named,
    }
}
