//! Cut points from files and texts, and the file of a window's own.

use crate::base::cancel::Cancel;
use crate::base::error::{Error, Result};
use crate::pipeline::Audit;
use crate::ranks::cut_points::{CutPoints, MeasureCuts};
use crate::report::CutFile;
use crate::report::json_text::{JsonNumbers, to_json};
use crate::report::output::Output;
use std::io::Write;
use std::path::Path;

/// Reads cut points: each text is a measure's own, `frequency=1,2,3,5`, or the name of a file that an audit wrote. What is said of a measure
/// holds before a file's.
///
/// # Errors
/// A measure twice, no such measure or file, or numbers that are none or do not rise.
pub fn read_cut_points(texts: &[String]) -> Result<CutPoints> {
    let (mut said, mut file) = (CutPoints::default(), None);
    for text in texts {
        let measure = text.split_once('=').filter(|_| !Path::new(text).exists());
        let Some((name, numbers)) = measure else {
            let read = std::fs::read_to_string(text).map_err(|e| Error::io("cannot read the cut points", e).input(text))?;
            if file.replace(CutFile::from_json(&read).and_then(|file| file.cut_points()).map_err(|e| e.input(text))?).is_some() {
                return Err(Error::usage("cut points of two files").help("name one file; measures of your own can stand beside it"));
            }
            continue;
        };
        let Some(slot) = said.measure(name.trim()) else {
            let what = format!("{name:?} is no measure that is scored");
            return Err(Error::usage(what)
                .help(format!("one of {}, such as frequency=1,2,3,5; or the name of a file", CutPoints::MEASURES.join(", "))));
        };
        let numbers: Vec<&str> = numbers.split(',').collect();
        if slot.replace(MeasureCuts::parse(&numbers)?).is_some() {
            return Err(Error::usage(format!("cut points of {name} twice")).help("write all of a measure's in one list"));
        }
    }
    let Some(mut file) = file else { return Ok(said) };
    let mut own = Vec::new();
    for name in CutPoints::MEASURES {
        if let (Some(from), Some(slot)) = (said.measure(name).and_then(Option::take), file.measure(name)) {
            *slot = Some(from);
            own.push(name);
        }
    }
    if let (Some(from), false) = (&mut file.from, own.is_empty()) {
        *from = format!("{} as said, others from {from}", own.join(" and "));
    }
    Ok(file)
}

/// Writes the cut points of a window of answers that are in memory, to score other windows by: of the named one, or of the last that has
/// customers. `bins` are those of the audit.
///
/// # Errors
/// No such window, one without customers, and a file that cannot be written.
pub fn write_cut_points<A>(audit: &Audit<A>, window: Option<&str>, bins: u32, path: &Path, cancel: &Cancel) -> Result<()> {
    let text = cuts_of(audit, window, bins)?;
    let mut output = Output::create_with(path, cancel)?;
    write_cuts(&mut output, &text)?;
    output.commit()
}

/// Writes a file of cut points into its output.
pub(super) fn write_cuts(output: &mut Output, text: &str) -> Result<()> {
    output.write_all(text.as_bytes()).map_err(|e| Error::io("cannot write the cut points", e))
}

/// The error for a window that a run does not have.
pub(super) fn no_such_window<'a>(name: &str, windows: impl Iterator<Item = &'a str>) -> Error {
    let names = windows.collect::<Vec<_>>().join(", ");
    Error::usage(format!("there is no window {name:?} to take cut points from")).help(format!("the windows are {names}"))
}

/// The file of a window's cut points: those of the named one, or of the last that has customers.
pub(super) fn cuts_of<A>(audit: &Audit<A>, window: Option<&str>, bins: u32) -> Result<String> {
    let windows = &audit.report.windows;
    let at = match window {
        Some(name) => {
            let found = windows.iter().position(|w| w.name == name);
            found.ok_or_else(|| no_such_window(name, windows.iter().map(|w| w.name.as_str())))?
        }
        None => windows.iter().rposition(|w| w.lens1.total_customers > 0).ok_or_else(|| {
            Error::data("no window has customers, and so there are no cut points").help("leave `cuts_out` out, or audit other rows")
        })?,
    };
    let edges = audit.score_edges(at).ok_or_else(|| Error::internal("a window without scores"))?;
    to_json(&CutFile::new(&audit.report, at, bins, edges)?, JsonNumbers::Number)
}
