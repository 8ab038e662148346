//! Waiting, and how long that may take.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Longer than this is not soon, or within a second, even on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(5);
/// Longer than this is for ever.
pub(crate) const EVER: Duration = Duration::from_secs(30);

/// The result of work that must end soon.
pub(crate) fn soon<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, end) = mpsc::channel();
    let begun = Instant::now();
    thread::spawn(move || {
        // Nobody listens any more when it took for ever.
        let _ = done.send(catch_unwind(AssertUnwindSafe(work)));
    });
    let result = end.recv_timeout(EVER).unwrap_or_else(|_| panic!("it hangs"));
    let took = begun.elapsed();
    let value = result.unwrap_or_else(|panic| resume_unwind(panic));
    assert!(took < SOON, "it took {took:?}");
    value
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < EVER, "it never happens: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
