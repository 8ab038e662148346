//! The files that an audit writes: which there are, and whether they can be.

use super::answer_format::{AnswerFormat, Written};
use super::{STDOUT, in_a_folder, no_input_is_written};
use crate::base::error::{Error, Result};
use crate::pipeline::Order;
#[cfg(feature = "html")]
use crate::report::html::PageOptions;
use crate::report::json_text::JsonNumbers;
use crate::report::rfm_columns::RfmColumns;
use crate::report::table::TableWriter;
use std::path::{Path, PathBuf};

/// The files of an audit; `-` is stdout. Without any, there is the [`Report`](crate::report::Report) that comes back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outputs {
    /// The answers, `.html`, `.xlsx`, `.json`, `.md` or `.txt` by extension; stdout is JSON.
    pub reports: Vec<PathBuf>,
    /// A row per customer and window, `.parquet`, `.csv`, `.jsonl` or `.arrow` by extension.
    pub rfm: Option<PathBuf>,
    /// A row per customer and pair of windows, likewise.
    pub migrations: Option<PathBuf>,
    /// Rows and customers that were left out, likewise.
    pub rejects: Option<PathBuf>,
    /// A row per cohort and window, likewise; for this, cohorts have to be asked for.
    pub cohorts: Option<PathBuf>,
    /// The cut points of a window, and its name; the last window with customers where none is named.
    pub cuts: Option<(PathBuf, Option<String>)>,
    /// A Lens 1 partial, for merging with those of other customers.
    pub partial: Option<PathBuf>,
    /// How JSON has amounts and percentages.
    pub json_numbers: JsonNumbers,
    /// The file of a template for pages of HTML, instead of their own.
    pub template: Option<PathBuf>,
    /// How pages of HTML are made; a template that is named takes the place of the one in here.
    #[cfg(feature = "html")]
    pub page: PageOptions,
    /// Other files that were read for this, such as cut points and segments: no output may be written over them.
    pub beside: Vec<PathBuf>,
    /// The order of rows.
    pub order: Order,
    /// The columns of the rows per customer and window.
    pub rfm_columns: RfmColumns,
    /// Whether texts in CSV tables get an apostrophe where a spreadsheet would take them for formulas.
    pub csv_safe: bool,
}

impl Outputs {
    /// Every path that will be written.
    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.reports.iter().chain(self.beside_reports())
    }

    fn beside_reports(&self) -> impl Iterator<Item = &PathBuf> {
        self.tables().chain(&self.partial).chain(self.cuts.iter().map(|(path, _)| path))
    }

    fn tables(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.rfm, &self.migrations, &self.cohorts, &self.rejects].into_iter().flatten()
    }

    /// Whether anything but answers goes to stdout, so that nothing else may.
    pub fn takes_stdout(&self) -> bool {
        self.beside_reports().any(|path| path == Path::new(STDOUT))
    }

    /// Checks that each output has a format and a folder to be in, and that none is written twice.
    ///
    /// # Errors
    /// The first that has not.
    pub fn check(&self) -> Result<()> {
        self.reports.iter().try_for_each(|path| AnswerFormat::of(path).map(drop))?;
        Written::of(self)?;
        self.tables().try_for_each(|path| TableWriter::format_of(path, None).map(drop))?;
        self.partial.iter().try_for_each(|path| may_be_partial(path))?;
        self.paths().try_for_each(|path| in_a_folder(path))?;
        no_input_is_written(self.paths(), &[] as &[&Path])
    }
}

pub(super) fn may_be_partial(path: &Path) -> Result<()> {
    if path.extension().is_some_and(|extension| extension == "gz" || extension == "zst") {
        let error = Error::usage(format!("{}: a partial is not compressed", path.display()));
        return Err(error.help("end its name otherwise, such as in .partial"));
    }
    Ok(())
}
