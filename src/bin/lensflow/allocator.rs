//! The allocator of the command on Linux: jemalloc. Rows wait in many small buffers that one thread fills and another empties, and states
//! grow in steps; jemalloc uses such memory again where the system's allocator asks for more, and page faults are what new memory costs.
//! Huge pages, which jemalloc can ask for, were a quarter faster at best and slower at worst, by what the kernel has at hand. The library
//! leaves the choice of an allocator to whoever embeds it.

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;
