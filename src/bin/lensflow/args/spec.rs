//! What can be said to `lensflow run`, `check` and `explain` beside the spec.

use clap::Args;
use std::path::PathBuf;

const LAYERS: &str = "\
A spec is TOML, with the sections [source], [transactions], [columns], [state], [windows], [limits], [report], [rfm] and
[serve]; pipelines/ in lensflow's sources has examples, and its README.md the grammar. Flags count over environment
variables such as LENSFLOW_LIMITS_MEMORY_LIMIT=1GiB, these over the file, and the file over defaults. Paths are relative
to the working directory, as in flags. Where a folder of orders and line items is followed, all lines of an order must be
in one file.";

#[derive(Debug, Args)]
#[command(after_long_help = LAYERS, after_help = "More with --help.")]
pub(crate) struct FromSpec {
    /// The spec, a TOML file
    pub(crate) spec: PathBuf,

    /// Say something else than the file: limits.workers=2, windows.every=month, source.inputs=["a.csv","b.csv"]; repeat
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    pub(crate) set: Vec<String>,

    /// The same as --set limits.workers=N
    #[arg(long, value_name = "N")]
    workers: Option<String>,

    /// The same as --set limits.memory_limit=SIZE
    #[arg(long, value_name = "SIZE")]
    memory_limit: Option<String>,

    /// The same as --set limits.spill_dir=FOLDER
    #[arg(long, value_name = "FOLDER")]
    spill_dir: Option<String>,
}

impl FromSpec {
    /// The flags that are short for a `--set`: the flag, the key below `limits`, and the text.
    pub(crate) fn shorthands(&self) -> Vec<(&'static str, &'static str, &str)> {
        let all = [
            ("--workers", "workers", &self.workers),
            ("--memory-limit", "memory_limit", &self.memory_limit),
            ("--spill-dir", "spill_dir", &self.spill_dir),
        ];
        all.into_iter().filter_map(|(flag, key, text)| Some((flag, key, text.as_deref()?))).collect()
    }
}
