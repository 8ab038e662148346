//! The allocator of the command on Linux: jemalloc. Rows wait in many small buffers that one thread fills and another empties, and states
//! grow in steps; jemalloc uses such memory again where the system's allocator asks for more, and page faults are what new memory costs.
//! The library leaves the choice of an allocator to the program that embeds it.
//!
//! Measured with 10 million customers, all rows written: in 500 MiB the process takes 592 MiB with jemalloc's own ten seconds until freed
//! memory goes back to the system, and 425 MiB with half a second; the time is the same. Huge pages, which jemalloc can ask for, were a
//! quarter faster at best and slower at worst, by what the kernel has at hand.

use lensflow::spec::Spec;
#[cfg(target_os = "linux")]
use linux::keep_to;

/// Prepares the process for the memory that it may take up.
pub(crate) fn keep_to_limit(spec: &Spec) {
    #[cfg(target_os = "linux")]
    spec.memory_limit.into_iter().for_each(keep_to);
    #[cfg(not(target_os = "linux"))]
    let _ = spec;
}

#[cfg(target_os = "linux")]
mod linux {
    use tikv_jemalloc_ctl::{Access, AsName, arenas, background_thread};
    use tikv_jemallocator::Jemalloc;

    #[global_allocator]
    static ALLOCATOR: Jemalloc = Jemalloc;

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
        let _ = background_thread::write(true);
        if limit >= TIGHT {
            return;
        }
        let _ = "arenas.dirty_decay_ms\0".name().write(SOON);
        for arena in 0..arenas::narenas::read().unwrap_or(0) {
            let _ = format!("arena.{arena}.dirty_decay_ms\0").name().write(SOON);
        }
    }
}
