//! Inputs that are made to hurt, or are damaged: an error that says so, in little memory, and never another answer without a word.

mod claimed_texts;
mod claims;
mod cut;
mod differences;
mod flips;
mod forged;
mod refused_memory;
mod signs;

use crate::support::*;
use lensflow::Error;
use lensflow::model::{Granularity, Windows};
use lensflow::spec::Spec;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs the binary with so many KiB of addresses: it is refused more.
fn within(kib: u64, folder: &Path, arguments: &[&str]) -> Ran {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -v {kib}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_lensflow")]);
    Lensflow::through(shell, folder, arguments).run()
}

/// A file of the folder of hostile inputs.
fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/hostile").join(name)
}

/// The report of some bytes as an input, and the rows that were read.
fn answer(folder: &Path, name: &str, bytes: &[u8]) -> Result<(String, u64), Error> {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    let spec = Spec::default().with_windows(Windows::Every(Granularity::Month)).with_workers(2);
    let audit = audit(&spec, &[path.to_str().unwrap()])?;
    Ok((without_sources(&audit.report), audit.report.input.rows_read))
}
