//! What the suites share: golden cases and outcomes, the binary as a child process, and a few looks at the disk.

mod outcome;
mod process;
mod waits;
#[cfg(feature = "cloud")]
mod web;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
pub(crate) use outcome::*;
pub(crate) use process::*;
use proptest::prelude::ProptestConfig;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::str::FromStr;
pub(crate) use waits::*;
#[cfg(feature = "cloud")]
pub(crate) use web::*;

/// The number of cases of a property, unless the environment wants another.
pub(crate) fn config(default: u32) -> ProptestConfig {
    let cases = setting("SUITE_CASES", default);
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 2_000, ..ProptestConfig::default() }
}

/// A number that the environment may set.
pub(crate) fn setting<T: FromStr>(name: &str, default: T) -> T {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// What is in a folder.
pub(crate) fn listing(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

/// What is in a folder and not put aside or hidden.
pub(crate) fn visible(folder: &Path) -> Vec<String> {
    listing(folder).into_iter().filter(|name| !name.starts_with(['.', '_'])).collect()
}

/// All rows of a Parquet file.
pub(crate) fn read_parquet(path: &Path) -> RecordBatch {
    let builder = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(fs::File::open(path).unwrap()).unwrap();
    let schema = builder.schema().clone();
    let batches: Vec<_> = builder.build().unwrap().map(|batch| batch.unwrap()).collect();
    concat_batches(&schema, &batches).unwrap()
}
