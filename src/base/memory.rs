//! Memory that the system may refuse: by a limit of addresses (`ulimit -v`), or where it does not promise more than it has.
//!
//! Rust ends a process whose request for memory is refused. So the requests that grow with the data are asked for here first, and a no is an
//! [`Error`] of [`Kind::Memory`] like any other: tables of customers, memory to sort in. Requests of some kibibytes are not: there are too
//! many of them, also in libraries underneath. A program can see to those with an allocator of its own, as the command line does: while
//! [`may_be_refused`] says so, a no is awaited, and else it ends the process.
//!
//! Limit: a control group does not refuse memory; its kernel kills a process that has too much.

use super::error::{Error, Kind, Result};
use std::cell::Cell;

thread_local! {
    static ASKS: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is asking for memory that need not be given: for allocators, which may call this at any time.
pub fn may_be_refused() -> bool {
    ASKS.try_with(Cell::get).unwrap_or(false)
}

/// The error about so many bytes that the system refused.
pub fn refused(bytes: u64) -> Error {
    let what = format!("the system refuses memory: {} more", size(bytes));
    Error::new(Kind::Memory, what).help(
        "give a lower `memory_limit`, so that more goes to the disk instead, or let the process have more: see `ulimit -v`, and what else runs",
    )
}

/// The error about a thread that the system does not start: it has no memory for it, or too many threads run.
pub fn no_thread(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Kind::Memory, "the system starts no more threads")
        .help("give fewer `workers`, or let the process have more memory or threads: see `ulimit -v` and `ulimit -u`")
        .cause(cause)
}

/// Makes a request for so many bytes that may be refused.
///
/// # Errors
/// When it was.
pub(crate) fn ask<T, E>(bytes: usize, request: impl FnOnce() -> Result<T, E>) -> Result<T> {
    struct Asks;
    impl Drop for Asks {
        fn drop(&mut self) {
            ASKS.set(false);
        }
    }
    ASKS.set(true);
    let asks = Asks;
    let answer = request();
    drop(asks);
    answer.map_err(|_| refused(bytes as u64))
}

/// Makes room for so many more values at the end of a list.
///
/// # Errors
/// When the system refuses the memory.
pub(crate) fn reserve<T>(list: &mut Vec<T>, more: usize) -> Result<()> {
    ask(more.saturating_mul(size_of::<T>()), || list.try_reserve(more))
}

/// Appends bytes to a list that may become long: it grows by a quarter, where a vector grows by as much again as it has.
#[inline]
pub(crate) fn append(list: &mut Vec<u8>, bytes: &[u8]) {
    if list.capacity() - list.len() < bytes.len() {
        list.reserve_exact(bytes.len().max(list.len() / 4));
    }
    list.extend_from_slice(bytes);
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..0x10_0000 => format!("{} KiB", bytes.div_ceil(1 << 10)),
        _ => format!("{} MiB", bytes.div_ceil(1 << 20)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_no_is_an_error_with_advice() {
        assert!(!may_be_refused());
        let mut list = vec![1u64];
        let error = reserve(&mut list, usize::MAX / 32).unwrap_err();
        assert_eq!(error.kind(), Kind::Memory);
        assert!(error.to_string().contains("MiB more") && error.advice().unwrap().contains("`memory_limit`"), "{error:?}");
        assert!(ask(7, || if may_be_refused() { Err(()) } else { Ok(()) }).unwrap_err().to_string().ends_with("7 bytes more"));
        reserve(&mut list, 100).unwrap();
        assert!(list.capacity() > 100 && !may_be_refused());
    }

    #[test]
    fn long_lists_grow_by_a_quarter() {
        let (mut list, mut grown) = (Vec::new(), 0);
        for i in 0..100_000u32 {
            let before = list.capacity();
            append(&mut list, &i.to_le_bytes());
            grown += u32::from(list.capacity() != before);
            assert!(list.capacity() <= list.len() / 4 * 5 + 8);
        }
        assert!(list.chunks(4).map(|bytes| u32::from_le_bytes(bytes.try_into().unwrap())).eq(0..100_000) && grown < 100, "{grown}");
    }
}
