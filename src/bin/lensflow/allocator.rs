//! The allocator of the command: on Linux jemalloc, elsewhere the system's; and what comes of a request for memory that the system refuses.
//!
//! Rows wait in many small buffers that one thread fills and another empties, and states grow in steps; jemalloc uses such memory again
//! where the system's allocator asks for more, and page faults are what new memory costs. The library leaves the choice of an allocator to
//! the program that embeds it.
//!
//! Measured with 10 million customers, all rows written: in 500 MiB the process takes 592 MiB with jemalloc's own ten seconds until freed
//! memory goes back to the system, and 425 MiB with half a second; the time is the same. Huge pages, which jemalloc can ask for, were a
//! quarter faster at best and slower at worst, by what the kernel has at hand.
//!
//! A refused request, under `ulimit -v` say, would abort the process: a crash in the eyes of its caller, with unfinished outputs and a spill
//! folder left behind until the next run sweeps them away. The library asks for the largest pieces in a way that can be refused
//! ([`may_be_refused`]), and has an error then. All others come through [`Watched`]: the thread that was refused stays where it is, and
//! a [`Keeper`], a thread that was started before and has some memory in reserve, ends the job as a signal does. So no unsafe code
//! touches a file, and the only one that is needed hands requests on. Where there is no keeper, between jobs, nothing is on the disk.
//!
//! Limit: the C library asks for memory of its own, and aborts where it is refused some that it needs, such as for a new thread. What is
//! left then is swept by a later run, as after a kill.

use lensflow::error::{Error, Result};
use lensflow::memory::{self, may_be_refused};
use lensflow::spec::Spec;
#[cfg(target_os = "linux")]
use linux::keep_to;
use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::hint::black_box;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

#[cfg(not(target_os = "linux"))]
const BENEATH: std::alloc::System = std::alloc::System;
#[cfg(target_os = "linux")]
const BENEATH: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Watched = Watched;

/// The memory of a keeper, with which it ends a job: it is asked for, and not used before, so that it takes up addresses alone.
const RESERVE: usize = 4 << 20;
/// How long a refused thread waits for the keeper to end the process.
const PATIENCE: Duration = Duration::from_secs(20);

/// The first request that was refused, in bytes.
static REFUSED: AtomicUsize = AtomicUsize::new(0);
static KEEPER: OnceLock<Thread> = OnceLock::new();

thread_local! {
    static IS_KEEPER: Cell<bool> = const { Cell::new(false) };
}

/// An allocator that sees what the one beneath it refuses.
struct Watched;

// SAFETY: each request is handed on as it came, under the promises of its caller, and so is what comes back: the allocator beneath keeps
// the contract. What is done about a null pointer allocates nothing and does not unwind.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Watched {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: see above.
        seen(unsafe { BENEATH.alloc(layout) }, layout.size())
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: see above.
        seen(unsafe { BENEATH.alloc_zeroed(layout) }, layout.size())
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: see above.
        seen(unsafe { BENEATH.realloc(block, layout, size) }, size)
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: see above.
        unsafe { BENEATH.dealloc(block, layout) }
    }
}

#[inline]
fn seen(block: *mut u8, bytes: usize) -> *mut u8 {
    if block.is_null() {
        refused(bytes);
    }
    block
}

/// Returns where a refusal is awaited, or no keeper is there: Rust does the rest.
#[cold]
fn refused(bytes: usize) {
    let Some(keeper) = KEEPER.get() else { return };
    if may_be_refused() || IS_KEEPER.get() {
        return;
    }
    let _ = REFUSED.compare_exchange(0, bytes.max(1), Ordering::AcqRel, Ordering::Acquire);
    keeper.unpark();
    thread::sleep(PATIENCE);
}

/// A thread that waits for a refusal. It has the memory to do something about it.
pub(crate) struct Keeper(Vec<u8>);

impl Keeper {
    /// Makes this thread the keeper. What it frees is its own to use again, so that it must be made where it waits.
    pub(crate) fn new() -> Result<Self> {
        let mut reserve = Vec::new();
        IS_KEEPER.set(true);
        // Small pieces of all sizes that will be wanted: of each, this thread has some at hand from now on.
        drop(black_box((1..512).map(|eights| Vec::<u8>::with_capacity(8 * eights)).collect::<Vec<_>>()));
        reserve.try_reserve_exact(RESERVE).map_err(|_| memory::refused(RESERVE as u64))?;
        KEEPER.set(thread::current()).map_err(|_| Error::internal("there is one keeper at most"))?;
        Ok(Keeper(black_box(reserve)))
    }

    /// Waits, for as long as the process lives if need be, and gives the bytes of the request that was refused.
    pub(crate) fn wait(self) -> u64 {
        loop {
            match REFUSED.load(Ordering::Acquire) {
                0 => thread::park(),
                bytes => {
                    drop(self.0);
                    return bytes as u64;
                }
            }
        }
    }
}

/// Prepares the process for the memory that it may take up.
pub(crate) fn keep_to_limit(spec: &Spec) {
    #[cfg(target_os = "linux")]
    spec.memory_limit.into_iter().for_each(keep_to);
    #[cfg(not(target_os = "linux"))]
    let _ = spec;
}

#[cfg(target_os = "linux")]
mod linux {
    use lensflow::memory::address_limit;
    use tikv_jemalloc_ctl::{Access, AsName, arenas, background_thread};

    /// Read by jemalloc before anything is allocated.
    // SAFETY: the symbol is the one that jemalloc declares for this, a pointer to text that ends in NUL, and nothing else defines it. A
    // reference to an array is such a pointer, and it is only read.
    #[allow(unsafe_code)]
    #[unsafe(export_name = "_rjem_malloc_conf")]
    static OPTIONS: &[u8; 36] = b"dirty_decay_ms:500,muzzy_decay_ms:0\0";

    /// Below this limit, freed memory goes back sooner.
    const TIGHT: u64 = 1 << 30;

    /// Prepares for a run within a memory limit.
    ///
    /// Memory that one thread took and others give back belongs to the first one's arena, and jemalloc looks after an arena when it is used, which after
    /// a phase of a run is seldom. So a thread of its own does. Measured with 120 million line items in 2 GiB, ten runs each: 1.7 to 2.3 GiB without
    /// it, 1.5 to 1.6 with it; in 256 MiB, where a run had taken 294, 243. It takes no more time.
    ///
    /// In little memory freed memory goes back sooner, too: with UUIDs, jemalloc's half a second held 11 MiB too many of 64, and 22 of 128. Giving memory
    /// back at once would take a fifth less still, but twice the time, for page faults.
    pub(super) fn keep_to(limit: u64) {
        const SOON: isize = 20;
        // What cannot be set stays as it is: a matter of some mebibytes, or of a tenth.
        if address_limit().is_none() {
            // Where it may be that no thread more can be had, jemalloc would say so again and again.
            let _ = background_thread::write(true);
        }
        if limit >= TIGHT {
            return;
        }
        let _ = "arenas.dirty_decay_ms\0".name().write(SOON);
        for arena in 0..arenas::narenas::read().unwrap_or(0) {
            let _ = format!("arena.{arena}.dirty_decay_ms\0").name().write(SOON);
        }
    }
}
