//! The format of answers, by the extension of their file, and how they are written in it: JSON, Markdown, text, a page of HTML, or a workbook.

use super::{Outputs, STDOUT, no_input_is_written};
use crate::base::error::{Error, Result};
use crate::report::Report;
#[cfg(feature = "html")]
use crate::report::html::{PageOptions, PageTemplate, page_of};
use crate::report::json_text::{JsonNumbers, to_json};
use crate::report::text_tables::{Style, render};
#[cfg(feature = "xlsx")]
use crate::report::xlsx::workbook;
use std::path::Path;

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

    /// The bytes of answers in a format.
    pub(super) fn render(&self, format: AnswerFormat, report: &Report) -> Result<Vec<u8>> {
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
