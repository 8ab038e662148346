//! `audit` of files or of Arrow data, and its answers.

use crate::arrow_in::Batches;
use crate::errors::raised;
use crate::make::{self, Made};
use crate::options::Kind;
use crate::options::speech::Speech;
use crate::process::talk::{Host, Talk};
use crate::rows::{RowStream, Which};
use crate::running::{Raised, run, run_raising};
use crate::said::said;
use lensflow::error::{Error, Result};
use lensflow::jobs::{AuditJob, Outputs, no_input_is_written, write_cut_points, write_reports};
use lensflow::model::Segments;
use lensflow::pipeline::Order;
use lensflow::report::html::{PageOptions, PageTemplate, page_of};
use lensflow::report::json_text::{JsonNumbers, to_json};
use lensflow::report::text_tables::{Style, render};
use lensflow::source::Batches as Source;
use lensflow::{Audit, Spec};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::path::{Path, PathBuf};
use std::str::FromStr;
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
    spec: Spec,
    /// Files that were read for it beside its inputs: they are not written over.
    beside: Vec<PathBuf>,
}

/// How a page is made: a currency, a locale, and the file of a template.
fn page_options(py: Python<'_>, currency: Option<&str>, locale: Option<&str>) -> PyResult<PageOptions> {
    let mut page = PageOptions::default();
    page.currency = of_option(py, "currency", currency)?;
    page.locale = of_option(py, "locale", locale)?.unwrap_or_default();
    Ok(page)
}

fn of_option<T: FromStr<Err = Error>>(py: Python<'_>, name: &str, text: Option<&str>) -> PyResult<Option<T>> {
    let refused = |error: Error| {
        let placed = Error::new(error.kind(), format!("{name}: {error}"));
        raised(
            py,
            &match error.advice() {
                Some(advice) => placed.help(advice),
                None => placed,
            },
        )
    };
    text.map(T::from_str).transpose().map_err(refused)
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

    /// The page of HTML.
    #[pyo3(signature = (currency=None, locale=None, template=None))]
    fn page(&self, py: Python<'_>, currency: Option<&str>, locale: Option<&str>, template: Option<PathBuf>) -> PyResult<String> {
        let mut page = page_options(py, currency, locale)?;
        let made = py.detach(|| {
            page.template = template.as_deref().map(PageTemplate::read).transpose()?;
            page_of(&self.audit.report, &page)
        });
        made.map_err(|error| raised(py, &error))
    }

    /// Writes the report in the format that a file's name says, whole or not at all: the bytes that the command writes.
    #[pyo3(signature = (path, currency=None, locale=None, template=None))]
    fn write(
        &self,
        py: Python<'_>,
        path: PathBuf,
        currency: Option<&str>,
        locale: Option<&str>,
        template: Option<PathBuf>,
    ) -> PyResult<()> {
        let mut outputs = Outputs::default();
        outputs.page = page_options(py, currency, locale)?;
        outputs.template = template;
        outputs.beside = self.beside.clone();
        outputs.reports = vec![a_file(py, path)?];
        let audit = self.audit.clone();
        run(py, None, move |signals, _| write_reports(&audit.report, &outputs, &signals.cancel))
    }

    /// Writes the cut points of a window, for other audits.
    #[pyo3(signature = (path, window=None))]
    fn write_cuts(&self, py: Python<'_>, path: PathBuf, window: Option<String>) -> PyResult<()> {
        let (audit, bins, path) = (self.audit.clone(), self.spec.bins, a_file(py, path)?);
        no_input_is_written([&path].into_iter(), &self.beside).map_err(|error| raised(py, &error))?;
        run(py, None, move |signals, _| write_cut_points(&audit, window.as_deref(), bins, &path, &signals.cancel))
    }

    /// What the rules of segments leave open, in sentences.
    fn gaps(&self) -> Vec<String> {
        self.spec.segments.as_ref().map(|segments| segments.gaps(self.spec.best_scores())).unwrap_or_default()
    }

    /// Rows: `rfm`, `migration`, `cohorts` or `rejects`.
    fn rows(&self, which: &str, sorted: bool) -> RowStream {
        let which = match which {
            "rfm" => Which::Rfm,
            "migration" => Which::Migration,
            "cohorts" => Which::Cohorts,
            _ => Which::Rejects,
        };
        let order = if sorted { Order::Sorted } else { Order::Engine };
        RowStream { audit: self.audit.clone(), which, order, of_lines: self.of_lines }
    }
}

/// A file, and not the process's own output, which this is no program to write to.
fn a_file(py: Python<'_>, path: PathBuf) -> PyResult<PathBuf> {
    if path == Path::new("-") {
        return Err(raised(py, &Error::usage("\"-\" is no file").help("give a path")));
    }
    Ok(path)
}

/// Rules of segments, from JSON of a segment file's shape.
fn rules(py: Python<'_>, json: &str) -> PyResult<Segments> {
    let read = serde_json::from_str::<serde_json::Value>(json).and_then(serde_json::from_value::<Segments>);
    let help = "write a list of rules, such as {\"name\": \"big\", \"r\": \"4..\", \"total_spend\": \"1000..\"}; \
                they can ask for r, f, m, orders, recency_days, total_spend and monetary";
    read.map_err(|e| raised(py, &Error::usage(format!("segments: {e}")).help(help)))
}

/// An audit. With `data`, of Arrow data that are called `name`; else of the inputs that the options name. `segments` are rules as JSON.
#[pyfunction]
#[pyo3(signature = (options, data=None, name=None, progress=None, segments=None))]
pub(crate) fn audit(
    py: Python<'_>,
    options: &Bound<'_, PyDict>,
    data: Option<&Bound<'_, PyAny>>,
    name: Option<String>,
    progress: Option<&Bound<'_, PyAny>>,
    segments: Option<&str>,
) -> PyResult<Answers> {
    let segments = segments.map(|json| rules(py, json)).transpose()?;
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
        if segments.is_some() {
            job.spec = job.spec.with_segments(segments);
        }
        let (spec, beside) = (job.spec.clone(), job.outputs.beside.clone());
        let mut host = Host::new(signals, Talk, Speech::Keys).watched_by(watched);
        let audit = match batches {
            Some(batches) => of_batches(&job, batches, &name, &mut host)?,
            None => job.answer(&mut host)?,
        };
        let of_lines = audit.report.input.transactions.is_some();
        Ok(Answers { audit: Arc::new(audit), of_lines, spec, beside })
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
