//! The format of answers, by the extension of their file, and how they are written in it: JSON, Markdown, text, a page of HTML, or a workbook.

use super::{Outputs, STDOUT, no_input_is_written};
use crate::base::cancel::Cancel;
use crate::base::error::{Error, Result};
use crate::report::Report;
#[cfg(feature = "html")]
use crate::report::html::{PageOptions, PageTemplate, page_of};
use crate::report::json_text::{JsonNumbers, to_json};
use crate::report::output::Output;
use crate::report::text_tables::{Style, render};
#[cfg(feature = "xlsx")]
use crate::report::xlsx::workbook;
use crate::state::Io;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A format of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AnswerFormat {
    Json,
    Text(Style),
    #[cfg(feature = "html")]
    Html,
    #[cfg(feature = "xlsx")]
    Workbook,
}

impl AnswerFormat {
    /// The format that a file's name says; stdout is JSON.
    pub(super) fn of(path: &Path) -> Result<Self> {
        match path.extension().and_then(|e| e.to_str()) {
            Some("json") => Ok(AnswerFormat::Json),
            Some("md") => Ok(AnswerFormat::Text(Style::Markdown)),
            Some("txt") => Ok(AnswerFormat::Text(Style::Text)),
            #[cfg(feature = "html")]
            Some("html") => Ok(AnswerFormat::Html),
            #[cfg(not(feature = "html"))]
            Some("html") => Err(Error::left_out("pages of HTML", "html").input(path.to_string_lossy())),
            #[cfg(feature = "xlsx")]
            Some("xlsx") => Ok(AnswerFormat::Workbook),
            #[cfg(not(feature = "xlsx"))]
            Some("xlsx") => Err(Error::left_out("answers as workbooks", "xlsx").input(path.to_string_lossy())),
            _ if path == Path::new(STDOUT) => Ok(AnswerFormat::Json),
            _ => {
                let error = Error::usage("the extension says no format of a report").input(path.to_string_lossy());
                Err(error.help("end it in .html, .xlsx, .json, .md or .txt"))
            }
        }
    }
}

/// How answers are written; a template is read already.
#[derive(Debug)]
pub(super) struct Written {
    json_numbers: JsonNumbers,
    #[cfg(feature = "html")]
    page: PageOptions,
}

impl Written {
    /// What is said of it.
    ///
    /// # Errors
    /// When a template cannot be read, or would be overwritten.
    pub(super) fn of(outputs: &Outputs) -> Result<Self> {
        #[cfg(not(feature = "html"))]
        if outputs.template.is_some() {
            return Err(Error::left_out("pages of HTML", "html"));
        }
        no_input_is_written(outputs.paths(), outputs.template.as_slice())?;
        no_input_is_written(outputs.paths(), &outputs.beside)?;
        #[cfg(feature = "html")]
        let mut page = outputs.page.clone();
        #[cfg(feature = "html")]
        if let Some(path) = &outputs.template {
            page.template = Some(PageTemplate::read(path)?);
        }
        Ok(Written {
            json_numbers: outputs.json_numbers,
            #[cfg(feature = "html")]
            page,
        })
    }

    /// Writes answers into a file that is not in its place yet.
    pub(super) fn fill(&self, (format, output): &mut (AnswerFormat, Output), report: &Report) -> Result<()> {
        let bytes = self.render(*format, report)?;
        output.write_all(&bytes).map_err(|e| Error::io("cannot write the report", e))
    }

    /// The bytes of answers in a format.
    fn render(&self, format: AnswerFormat, report: &Report) -> Result<Vec<u8>> {
        let text = match format {
            AnswerFormat::Json => to_json(report, self.json_numbers),
            AnswerFormat::Text(style) => Ok(render(report, style)),
            #[cfg(feature = "html")]
            AnswerFormat::Html => page_of(report, &self.page),
            #[cfg(feature = "xlsx")]
            AnswerFormat::Workbook => return workbook(report),
        };
        text.map(String::into_bytes)
    }
}

/// The file of answers, opened, with its format.
pub(super) fn open_report(path: &Path, cancel: &Cancel, io: &Io) -> Result<(AnswerFormat, Output)> {
    Ok((AnswerFormat::of(path)?, Output::create_on(path, cancel, io)?))
}

/// Writes answers that are in memory to the reports of outputs, with the bytes that an audit with these outputs gives them: all or none.
/// Nothing else of the outputs is written.
///
/// ```
/// use lensflow::jobs::{AuditJob, Outputs, write_reports};
///
/// let audit = AuditJob::new(["examples/data/cdnow_periods.csv"]).answer(&mut ())?;
/// let folder = tempfile::tempdir().unwrap();
/// let mut outputs = Outputs::default();
/// outputs.reports = vec![folder.path().join("audit.json"), folder.path().join("audit.md")];
/// write_reports(&audit.report, &outputs, &lensflow::Cancel::default())?;
/// assert_eq!(std::fs::read_to_string(&outputs.reports[0]).unwrap(), audit.report.to_json()?);
/// # Ok::<(), lensflow::Error>(())
/// ```
///
/// # Errors
/// A name that says no format, a template that cannot be used, a file that was an input of the answers, and what cannot be written.
pub fn write_reports(report: &Report, outputs: &Outputs, cancel: &Cancel) -> Result<()> {
    outputs.check()?;
    no_input_is_written(outputs.reports.iter(), &report.input.sources)?;
    let written = Written::of(outputs)?;
    let mut files = outputs.reports.iter().map(|path: &PathBuf| open_report(path, cancel, &Io::default())).collect::<Result<Vec<_>>>()?;
    files.iter_mut().try_for_each(|file| written.fill(file, report))?;
    files.iter_mut().try_for_each(|(_, output)| output.complete())?;
    files.into_iter().try_for_each(|(_, output)| output.commit())
}
