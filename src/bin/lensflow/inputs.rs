//! What commands have in common that read rows.

#[cfg(target_os = "linux")]
use crate::allocator;
use lensflow::Result;
use lensflow::error::Error;
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

/// Prepares the process for the memory that it may take up.
pub(crate) fn keep_to_limit(spec: &Spec) {
    #[cfg(target_os = "linux")]
    spec.memory_limit.into_iter().for_each(allocator::keep_to);
    #[cfg(not(target_os = "linux"))]
    let _ = spec;
}
