//! A run on a thread of its own, while Python's thread waits, without the interpreter's lock, and looks after signals and progress.
//!
//! Invariants: Ctrl-C ends a run within a second, whatever its threads are stuck in, and nothing of it stays on the disk. The run's threads
//! take the lock only to ask a Python object for its next batch.

use crate::errors::raised;
use crate::process::signals::Signals;
use crate::process::talk::Watched;
use lensflow::error::{Error, Result};
use lensflow::stats::Stats;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// How often signals are looked for, and progress is told.
const LOOK: Duration = Duration::from_millis(100);
/// How long an ended run may take to let go.
const GRACE: Duration = Duration::from_millis(700);

/// What a Python object raised on a thread of the run.
pub(crate) type Raised = Arc<Mutex<Option<PyErr>>>;

/// Does work on a thread of its own. Ends it when Python has a signal, or when `progress` raises.
pub(crate) fn run<T: Send + 'static>(
    py: Python<'_>,
    progress: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce(&Signals, Watched) -> Result<T> + Send + 'static,
) -> PyResult<T> {
    run_raising(py, progress, &Raised::default(), work)
}

/// As [`run`], where Python objects may raise on threads of the run: what they raise counts more than what came of it.
pub(crate) fn run_raising<T: Send + 'static>(
    py: Python<'_>,
    progress: Option<&Bound<'_, PyAny>>,
    objects: &Raised,
    work: impl FnOnce(&Signals, Watched) -> Result<T> + Send + 'static,
) -> PyResult<T> {
    let (signals, watched, (done, ended)) = (Signals::default(), Watched::default(), channel());
    // A receiver is for one thread at a time, which this is.
    let ended = Mutex::new(ended);
    let (own, seen) = (signals.clone(), watched.clone());
    let started = thread::Builder::new().name("lensflow".to_owned()).spawn(move || {
        // Who waited may have gone.
        let _ = done.send(work(&own, seen));
    });
    started.map_err(|e| raised(py, &Error::internal("cannot start a thread").cause(e)))?;
    loop {
        match wait(py, &ended, LOOK) {
            Ok(Ok(value)) => {
                progress.map_or(Ok(()), |progress| tell(progress, &watched, true))?;
                return Ok(value);
            }
            Ok(Err(error)) => {
                let by_object = objects.lock().unwrap_or_else(PoisonError::into_inner).take();
                return Err(by_object.unwrap_or_else(|| raised(py, &error)));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(raised(py, &Error::internal("a thread of the run panicked"))),
        }
        let looked = py.check_signals().and_then(|()| progress.map_or(Ok(()), |progress| tell(progress, &watched, false)));
        if let Err(error) = looked {
            py.detach(|| signals.cancel.cancel());
            let _ = wait(py, &ended, GRACE);
            return Err(error);
        }
    }
}

fn wait<T: Send>(py: Python<'_>, ended: &Mutex<Receiver<T>>, most: Duration) -> Result<T, RecvTimeoutError> {
    py.detach(|| ended.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(most))
}

fn tell(progress: &Bound<'_, PyAny>, watched: &Watched, done: bool) -> PyResult<()> {
    let stats: Option<Arc<Stats>> = watched.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let Some(stats) = stats else { return Ok(()) };
    let snapshot = stats.snapshot();
    let counts = PyDict::new(progress.py());
    counts.set_item("stage", stats.stage().to_string())?;
    counts.set_item("rows_read", snapshot.rows_read)?;
    counts.set_item("rows_accepted", snapshot.rows_accepted)?;
    counts.set_item("bytes_read", snapshot.bytes_read)?;
    counts.set_item("bytes_total", snapshot.bytes_total)?;
    counts.set_item("customers", snapshot.customers)?;
    counts.set_item("bytes_spilled", snapshot.bytes_spilled)?;
    counts.set_item("done", done)?;
    progress.call1((counts,)).map(drop)
}
