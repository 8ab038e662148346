//! lensflow for Python: audits of files and of Arrow data, saved states, and the functions of a library that it takes the place of.
//!
//! ```text
//!  python/lensflow/  keywords, what a source is, answers as objects          plain Python, typed
//!        │
//!  said         keywords → what is said to a job
//!  options, layers, refuse, make, commands, page: the command's own files    one road for options, and for jobs
//!  process/     what the command's process is to its jobs, here
//!  arrow_in     Arrow data of any object → batches
//!  running      a run on a thread; signals, progress
//!  audit, rows  answers, and the rows behind them
//!  engines      tasks of an update over Arrow data, for engines of many machines
//!  jobs         states, a look, made-up rows: the command's jobs
//!  errors       the library's errors → `lensflow.Error`
//!  compat       objects in, objects out
//!  blank        objects of a frozen class
//!  aggregations objects → rows
//! ```
//!
//! The files of the command are compiled in here a second time, not copied: an option that the command learns is a keyword here, with
//! its checks and its words. They ask a process for signals, messages and memory, and `process` is that process: it prints nothing.
//!
//! Invariants: the interpreter's lock is free while a run goes on. Nothing is printed. Data are read batch by batch, and memory is
//! bounded as the command's is. An answer is the same bytes as the command's, but for the names of inputs.

mod aggregations;
mod arrow_in;
mod audit;
mod blank;
mod compat;
mod engines;
mod errors;
mod jobs;
mod process;
mod rows;
mod running;
mod said;

#[path = "../../../src/bin/lensflow/commands/mod.rs"]
#[allow(dead_code)]
mod commands;
#[path = "../../../src/bin/lensflow/layers/mod.rs"]
#[allow(dead_code)]
mod layers;
#[path = "../../../src/bin/lensflow/make/mod.rs"]
#[allow(dead_code)]
mod make;
#[path = "../../../src/bin/lensflow/options/mod.rs"]
#[allow(dead_code)]
mod options;
#[path = "../../../src/bin/lensflow/page.rs"]
#[allow(dead_code)]
mod page;
#[path = "../../../src/bin/lensflow/refuse.rs"]
#[allow(dead_code)]
mod refuse;
use process::{allocator, following as metrics, following as serve, signals, talk};

use pyo3::prelude::*;

#[pymodule(gil_used = false)]
fn _lensflow(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<audit::Answers>()?;
    module.add_class::<rows::RowStream>()?;
    module.add_class::<aggregations::Aggregations>()?;
    module.add_class::<aggregations::NoRows>()?;
    module.add_function(wrap_pyfunction!(audit::audit, module)?)?;
    module.add_function(wrap_pyfunction!(compat::compat_rfm, module)?)?;
    module.add_class::<engines::Frames>()?;
    module.add_function(wrap_pyfunction!(engines::engine_job, module)?)?;
    module.add_function(wrap_pyfunction!(engines::engine_accumulate, module)?)?;
    module.add_function(wrap_pyfunction!(engines::engine_merge, module)?)?;
    module.add_function(wrap_pyfunction!(engines::engine_take_in, module)?)?;
    module.add_function(wrap_pyfunction!(jobs::job, module)?)
}
