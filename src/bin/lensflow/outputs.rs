//! What an audit is to write, and that nothing would be written over.

use lensflow::Result;
use lensflow::error::Error;
use std::path::{Path, PathBuf};

/// The files of an audit. Without any, the answers are for people, on stdout.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outputs {
    pub(crate) report: Vec<PathBuf>,
    pub(crate) rfm: Option<PathBuf>,
    pub(crate) migration: Option<PathBuf>,
    pub(crate) rejects: Option<PathBuf>,
    /// Whether rows are sorted by window and id.
    pub(crate) sorted: bool,
}

impl Outputs {
    /// Every path that will be written.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.report.iter().chain(&self.rfm).chain(&self.migration).chain(&self.rejects)
    }

    /// Every path that will be written, checked against each other and the inputs that were found.
    pub(crate) fn check(&self, inputs: &[String]) -> Result<()> {
        check(&self.paths().collect::<Vec<_>>(), inputs)
    }

    /// Whether rows go to stdout, so that nothing else may.
    pub(crate) fn rows_on_stdout(&self) -> bool {
        [&self.rfm, &self.migration, &self.rejects].into_iter().flatten().any(|path| path == Path::new("-"))
    }
}

/// Checks paths to write against each other and the inputs.
pub(crate) fn check(outputs: &[&PathBuf], inputs: &[String]) -> Result<()> {
    for (i, path) in outputs.iter().enumerate() {
        if outputs[i + 1..].iter().any(|other| real(other) == real(path)) {
            return Err(Error::usage(format!("{} would be written twice", path.display())));
        }
        if *path != Path::new("-") && inputs.iter().any(|input| real(Path::new(input)) == real(path)) {
            return Err(Error::usage(format!("{} is an input: it would be overwritten", path.display())));
        }
    }
    Ok(())
}

/// The first of some paths that lies in a folder.
pub(crate) fn inside<'a>(mut paths: impl Iterator<Item = &'a PathBuf>, folder: &Path) -> Option<&'a PathBuf> {
    paths.find(|path| path.parent().is_some_and(|parent| real(parent) == real(folder)))
}

/// A path however it is spelled: links followed as far as the file or its folder exists.
pub(crate) fn real(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beside = || Some(std::fs::canonicalize(folder).ok()?.join(path.file_name()?));
    std::fs::canonicalize(path).ok().or_else(beside).unwrap_or_else(|| path.to_owned())
}
