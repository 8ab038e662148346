//! Ending work from outside: for a button that says stop, a limit of time, a signal. At once with [`Cancel`], in order with [`Stop`].
//!
//! A [`Cancel`] is given to a pipeline ([`Builder::cancel`](crate::pipeline::Builder::cancel)) and to its outputs
//! ([`TableWriter::create_with`](crate::report::table::TableWriter::create_with),
//! [`Output::create_with`](crate::report::output::Output::create_with)); any clone of it, on any thread, ends them all. The thread that
//! cancels removes what they have on the disk itself: others may be stuck in a read that never ends or in a write to a full pipe, and
//! the process may end right after. The other threads look from time to time, and stop at the next batch, partition, block or row group.
//!
//! Invariant: whatever would be left behind is known here from its first moment on the disk to its last. It is made while the lock that
//! cancelling takes is held, or by a store that was told before; and it is removed before the last owner lets go of it.

use super::error::{Error, Result};
use super::threads::lock;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use tempfile::{NamedTempFile, TempPath};

/// Ends a run, from any thread. Clones end the same.
///
/// ```
/// use lensflow::error::Kind;
/// use lensflow::{Cancel, Pipeline};
///
/// let cancel = Cancel::default();
/// let pipeline = Pipeline::builder().cancel(cancel.clone()).build()?;
/// std::thread::spawn(move || cancel.cancel()).join().unwrap();
/// assert_eq!(pipeline.finish().unwrap_err().kind(), Kind::Cancelled);
/// # Ok::<(), lensflow::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    cancelled: AtomicBool,
    known: Mutex<Known>,
    /// Nothing on the disk is this one's own where it has a parent.
    parent: Option<Cancel>,
}

/// Something on the disk that goes when its run is cancelled.
pub trait Discard: Send + Sync + std::fmt::Debug {
    /// Gives everything back at once: the run has failed, but some of its threads may be long in letting go of it.
    fn discard(&self) {}
}

/// Files and stores that may have to be removed.
#[derive(Debug, Default)]
struct Known {
    stores: Vec<Weak<dyn Discard>>,
    names: Vec<Weak<Name>>,
}

impl Cancel {
    /// Ends what this was given to, for good. When it returns, spilled states and unfinished output files are off the disk; threads may
    /// still be on their way to the end.
    pub fn cancel(&self) {
        let mut known = self.known();
        self.0.cancelled.store(true, Ordering::Release);
        let Known { stores, names } = &mut *known;
        stores.drain(..).filter_map(|store| store.upgrade()).for_each(|store| store.discard());
        names.drain(..).filter_map(|name| name.upgrade()).for_each(|name| name.remove());
    }

    /// Whether it is over.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Acquire) || self.0.parent.as_ref().is_some_and(Cancel::is_cancelled)
    }

    /// For work of the caller's own, to be asked from time to time.
    ///
    /// # Errors
    /// One of [`Kind::Cancelled`](crate::base::error::Kind::Cancelled) when it is over.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::cancelled()) } else { Ok(()) }
    }

    /// One that ends when this one does, and can end without it.
    pub(crate) fn child(&self) -> Cancel {
        let shared = Shared { parent: Some(self.clone()), ..Shared::default() };
        Cancel(Arc::new(shared))
    }

    /// Will discard a store. The owner discards it before letting go of it.
    pub(crate) fn add_store(&self, store: Weak<dyn Discard>) -> Result<()> {
        let mut known = self.known();
        self.check()?;
        known.stores.retain(|store| store.strong_count() > 0);
        known.stores.push(store);
        Ok(())
    }

    /// Makes a temporary file, and will remove it.
    pub(crate) fn add_file(&self, make: impl FnOnce() -> Result<NamedTempFile>) -> Result<Temporary> {
        let mut known = self.known();
        self.check()?;
        let (file, path) = make()?.into_parts();
        let name = Arc::new(Name(Mutex::new(Some(path))));
        known.names.retain(|name| name.strong_count() > 0);
        known.names.push(Arc::downgrade(&name));
        Ok(Temporary { file, name })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.0.known)
    }
}

/// Asks work that goes on for long to come to an end in order: a run with a checkpoint writes one, following commits what it has. Clones
/// are the same request. To end work at once, use [`Cancel`].
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<(Mutex<bool>, Condvar)>);

impl Stop {
    /// Asks, for good.
    pub fn stop(&self) {
        *lock(&self.0.0) = true;
        self.0.1.notify_all();
    }

    /// Whether a stop was asked for.
    pub fn is_stopped(&self) -> bool {
        *lock(&self.0.0)
    }

    /// Sleeps for `time`, or until a stop is asked for; says whether one was.
    pub fn wait(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut stopped = lock(&self.0.0);
        while !*stopped {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            stopped = self.0.1.wait_timeout(stopped, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        *stopped
    }
}

/// A file that is removed unless it gets its place.
#[derive(Debug)]
pub(crate) struct Temporary {
    pub(crate) file: File,
    name: Arc<Name>,
}

impl Temporary {
    /// Renames the file, over another one if need be.
    pub(crate) fn persist(&self, place: &Path) -> Result<()> {
        // Cancelling waits for this lock: a rename is never cut in half.
        let mut name = self.name.lock();
        let path = name.take().ok_or_else(Error::cancelled)?;
        path.persist(place).map_err(|e| Error::io("cannot write", e.error))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        self.name.remove();
    }
}

/// The name of a temporary file, until it is renamed or removed.
#[derive(Debug)]
struct Name(Mutex<Option<TempPath>>);

impl Name {
    /// Removes the file, or waits until another thread has removed it.
    fn remove(&self) {
        let mut name = self.lock();
        drop(name.take());
    }

    fn lock(&self) -> MutexGuard<'_, Option<TempPath>> {
        lock(&self.0)
    }
}
