//! What commands have in common that read rows.

#[cfg(target_os = "linux")]
use crate::allocator;
use lensflow::Result;
use lensflow::error::Error;
use lensflow::orders::Lines;
use lensflow::source::Source;
use lensflow::source::files::{Files, Format};
use lensflow::spec::Spec;
use lensflow::state::{State, is_state};
use std::io::IsTerminal;
use std::path::Path;

/// The inputs that are named, or what is piped in; `command` is how that would be said.
pub(crate) fn named(inputs: &[String], command: &str) -> Result<Vec<String>> {
    match inputs {
        [] if std::io::stdin().is_terminal() => {
            Err(Error::usage("no input is given").help(format!("name files, folders or globs, or pipe rows into lensflow {command} -")))
        }
        [] => Ok(vec!["-".to_owned()]),
        _ => Ok(inputs.to_vec()),
    }
}

/// States, opened, apart from other inputs.
pub(crate) fn with_states(inputs: Vec<String>) -> Result<(Vec<State>, Vec<String>)> {
    let (states, others): (Vec<_>, Vec<_>) = inputs.into_iter().partition(|input| is_state(Path::new(input)));
    Ok((State::open_all(&states)?, others))
}

/// Checks that what is said of lines is said of some file, and of all lines alike: of those that states have taken in, too.
pub(crate) fn lines_fit(lines: Option<&Lines>, states: &[State], files: &[String]) -> Result<()> {
    let Some(lines) = lines else { return Ok(()) };
    if files.is_empty() && !states.is_empty() {
        let what = "a state knows what its rows were, and no file is named beside it whose rows could be orders and line items";
        return Err(Error::usage(what).help("leave --from transactions out, or from = \"transactions\" in a spec"));
    }
    states.iter().try_for_each(|state| state.groups_alike(&lines.orders))
}

/// The files behind names. Each is opened and must have its columns, if it is looked at; no rows are read.
pub(crate) fn files(named: &[String], format: Option<Format>, lines: Option<&Lines>, spec: &Spec, look: bool) -> Result<Vec<String>> {
    fn looked<B: 'static>(files: Files<B>, look: bool) -> Result<Vec<String>>
    where
        Files<B>: Source<B>,
    {
        if look { files.check().map(|()| files.inputs()) } else { Ok(files.inputs()) }
    }
    match lines {
        Some(lines) => looked(lines.find(named, format, spec.batch_rows)?, look),
        None => looked(Files::find(named, format, spec.columns.clone(), spec.batch_rows)?, look),
    }
}

/// Prepares the process for the memory that it may take up.
pub(crate) fn keep_to_limit(spec: &Spec) {
    #[cfg(target_os = "linux")]
    spec.memory_limit.into_iter().for_each(allocator::keep_to);
    #[cfg(not(target_os = "linux"))]
    let _ = spec;
}
