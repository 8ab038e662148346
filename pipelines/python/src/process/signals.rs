//! What ends a job here: a [`Cancel`], which the thread that waits for the job pulls when Python has a signal.

use lensflow::{Cancel, Stop};

/// A job that can be ended.
#[derive(Clone, Default)]
pub(crate) struct Signals {
    pub(crate) cancel: Cancel,
    pub(crate) stop: Stop,
}

impl Signals {
    /// Puts finished outputs in their places. A signal does not end this process, so that nothing is to be held off.
    pub(crate) fn undisturbed<T>(&self, work: impl FnOnce() -> T) -> T {
        work()
    }
}
