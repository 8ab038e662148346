//! Signals: when Ctrl-C (SIGINT), SIGTERM or SIGHUP ends a job, nothing of it stays on the disk, stderr says so, and the process
//! dies of the signal, as its caller expects.
//!
//! A thread waits for the first signal and sees to all of that by itself, through the job's [`Cancel`]: whatever the main thread is at,
//! be it a write to a full pipe, is of no more account. Only while it puts outputs in their places, all or none, it is waited for; and
//! when its job is done, signals are what they were before.
//!
//! A job that goes on for long may end in order instead: it is asked to by its [`Stop`], and has [`PATIENCE`] to write what it has. Then the
//! process ends with the code that a shell would show, 128 and the signal's number.
//!
//! A second signal ends the process at once, but not if it comes together with the first: `timeout` sends its signal to the process and
//! to its group, and a terminal that closes hangs up twice.
//!
//! A job that the system refuses memory ends in the same way, but with an error and its exit code; see [`allocator`](crate::allocator).
//!
//! Limits: a signal that is to be ignored, as `nohup` has it, is left alone where the system tells without being asked in C, which is
//! Linux. What is not Unix has no signals, and an interrupted job leaves there what a killed one does.

use crate::allocator::Keeper;
use lensflow::error::{Error, Result};
use lensflow::memory::no_thread;
use lensflow::{Cancel, Stop};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// How long a job may take to end in order: with what follows, less than the ten seconds that service managers wait.
const PATIENCE: Duration = Duration::from_secs(8);

/// How long a job that was refused memory is waited for where it must not be interrupted: it may have been refused right there.
const LAST_WORD: Duration = Duration::from_secs(2);

/// The first signal.
static SIGNAL: AtomicI32 = AtomicI32::new(0);

/// The exit code of a job that was asked to end in order, and did.
pub(crate) fn exit_code() -> Option<u8> {
    let signal = SIGNAL.load(Ordering::Acquire);
    (signal > 0).then(|| 128 + signal as u8)
}

/// A job that signals can end.
#[derive(Clone, Default)]
pub(crate) struct Signals {
    pub(crate) cancel: Cancel,
    /// Asks for an end in order, where that is heeded.
    pub(crate) stop: Stop,
    heeds: Arc<AtomicBool>,
    /// Held by a thread that must not be interrupted, and for good by the one that ends the process.
    last_word: Arc<Mutex<()>>,
    /// Whether a signal ends the process at once.
    over: Arc<AtomicBool>,
}

impl Signals {
    /// Does a job. The error of a signal, or of memory that was refused, goes to `complain` instead of coming back.
    pub(crate) fn watched(complain: impl FnOnce(&Error) + Copy + Send + 'static, work: impl FnOnce(&Signals) -> Result<()>) -> Result<()> {
        let job = Signals::default();
        job.watch(complain)?;
        job.watch_memory(complain)?;
        let done = work(&job);
        std::mem::forget(job.last_word());
        job.over.store(true, Ordering::Release);
        done
    }

    /// Does what a signal must find done or not begun.
    pub(crate) fn undisturbed<T>(&self, work: impl FnOnce() -> T) -> T {
        let _held = self.last_word();
        work()
    }

    /// Whether what goes on heeds [`Signals::stop`] from now on. If it fails because of that, the process is about to end.
    pub(crate) fn heed(&self, heeds: bool) {
        self.heeds.store(heeds, Ordering::Release);
    }

    /// Waits for a signal to do its work, if there was one: then for ever.
    fn last_word(&self) -> MutexGuard<'_, ()> {
        self.last_word.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the process when the system refuses it memory: nothing unfinished stays on the disk.
    fn watch_memory(&self, complain: impl FnOnce(&Error) + Send + 'static) -> Result<()> {
        let (job, (tell, ready)) = (self.clone(), sync_channel(1));
        let work = move || {
            let keeper = match Keeper::new() {
                Ok(keeper) => keeper,
                Err(error) => return drop(tell.send(Err(error))),
            };
            drop(tell.send(Ok(())));
            let bytes = keeper.wait();
            let refused = Instant::now();
            let _held = loop {
                match job.last_word.try_lock() {
                    Ok(held) => break Some(held),
                    Err(TryLockError::Poisoned(held)) => break Some(held.into_inner()),
                    Err(TryLockError::WouldBlock) if refused.elapsed() > LAST_WORD => break None,
                    Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(20)),
                }
            };
            job.cancel.cancel();
            complain(&lensflow::memory::refused(bytes));
            std::process::exit(1);
        };
        start("memory", work).map_err(no_thread)?;
        ready.recv().unwrap_or_else(|_| Err(Error::internal("the thread that watches the memory is gone")))
    }

    #[cfg(not(unix))]
    fn watch(&self, _: impl FnOnce(&Error) + Send + 'static) -> Result<()> {
        Ok(())
    }

    #[cfg(unix)]
    fn watch(&self, complain: impl FnOnce(&Error) + Send + 'static) -> Result<()> {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
        let fail = |e| Error::internal("cannot wait for signals").cause(e);
        let ignored = unix::ignored();
        let wanted: Vec<i32> = [SIGHUP, SIGINT, SIGTERM].into_iter().filter(|signal| ignored & 1 << (signal - 1) == 0).collect();
        for &signal in &wanted {
            signal_hook::flag::register_conditional_default(signal, self.over.clone()).map_err(fail)?;
        }
        let mut signals = signal_hook::iterator::Signals::new(&wanted).map_err(fail)?;
        let job = self.clone();
        start("signals", move || {
            if let Some(signal) = signals.forever().next() {
                job.end(signal, complain);
            }
        })
        .map_err(fail)
    }

    /// Ends the process.
    #[cfg(unix)]
    fn end(&self, signal: i32, complain: impl FnOnce(&Error)) {
        use signal_hook::low_level::{emulate_default_handler, signal_name};
        let over = self.over.clone();
        let soon = start("signals", move || {
            std::thread::sleep(unix::TOGETHER);
            over.store(true, Ordering::Release);
        });
        if soon.is_err() {
            self.over.store(true, Ordering::Release);
        }
        SIGNAL.store(signal, Ordering::Release);
        self.stop.stop();
        let asked = Instant::now();
        while self.heeds.load(Ordering::Acquire) && asked.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _held = self.last_word();
        self.cancel.cancel();
        crate::progress::clear();
        let name = signal_name(signal).unwrap_or("a signal");
        complain(&Error::new(lensflow::error::Kind::Cancelled, format!("interrupted by {name}")));
        // Does not return: all three signals are known.
        let _ = emulate_default_handler(signal);
    }
}

fn start(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

#[cfg(unix)]
mod unix {
    use std::time::Duration;

    /// Signals within this time are one: long for a program that sends two, short for a person.
    pub(super) const TOGETHER: Duration = Duration::from_millis(200);

    /// The signals that this process was told to ignore, a bit each.
    pub(super) fn ignored() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
    }
}
