//! Threads: locks, pools, and work shared out among them.

mod ordered;
mod poison;

pub(crate) use super::threads::ordered::in_order;
pub(crate) use super::threads::poison::Poison;

use super::error::Result;
use super::memory::no_thread;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks also after a panic elsewhere: the panic has been reported, and what these locks guard is whole at any time.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does `work` with every item on all threads of the current pool, each with a value of its own. Gives back the threads' values, and what
/// came of the items, in their order. Of several errors it is that of the first item.
pub(crate) fn parallel_map<I: Send, T: Send, R: Send>(
    items: Vec<I>,
    start: impl Fn() -> T + Sync,
    work: impl Fn(&mut T, I) -> Result<R> + Sync,
) -> Result<(Vec<T>, Vec<R>)> {
    let slots: Vec<Mutex<(Option<I>, Option<R>)>> = items.into_iter().map(|item| Mutex::new((Some(item), None))).collect();
    let own = parallel_fold(slots.len(), start, |own, at| {
        let item = lock(&slots[at]).0.take();
        if let Some(item) = item {
            let result = work(own, item)?;
            lock(&slots[at]).1 = Some(result);
        }
        Ok(())
    })?;
    let results = slots.into_iter().filter_map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner).1);
    Ok((own, results.collect()))
}

/// Does `work` for every number below `count` on all threads of the current pool, each with a value of its own, which are given back.
/// Of several errors it is the one with the lowest number.
pub(crate) fn parallel_fold<T: Send>(
    count: usize,
    start: impl Fn() -> T + Sync,
    work: impl Fn(&mut T, usize) -> Result<()> + Sync,
) -> Result<Vec<T>> {
    use rayon::prelude::*;
    let next = AtomicUsize::new(0);
    let one = |_| {
        let mut own = start();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count {
                return Ok(own);
            }
            if let Err(error) = work(&mut own, at) {
                // No thread begins anything more; lower numbers are under way or done.
                next.fetch_max(count, Ordering::Relaxed);
                return Err((at, error));
            }
        }
    };
    let threads = rayon::current_num_threads();
    let done: Vec<_> = if threads == 1 { vec![one(0)] } else { (0..threads).into_par_iter().map(one).collect() };
    let (mut values, mut first): (Vec<T>, Option<(usize, _)>) = (Vec::new(), None);
    for result in done {
        match result {
            Ok(value) => values.push(value),
            Err((at, error)) if first.as_ref().is_none_or(|(least, _)| at < *least) => first = Some((at, error)),
            Err(_) => {}
        }
    }
    first.map_or(Ok(values), |(_, error)| Err(error))
}

/// Runs `work` with so many threads at its disposal, and tells it whether there is more than one.
pub(crate) fn with_threads<T: Send>(threads: usize, work: impl FnOnce(bool) -> Result<T> + Send) -> Result<T> {
    if threads < 2 { work(false) } else { with_pool(threads, || work(true)) }
}

/// Runs `work` in a pool of so many threads, also of one: the stages within ask the current pool for its threads, and sort and encode on
/// them. Outside of every pool they would get rayon's global one, with a thread per core.
pub(crate) fn with_pool<T: Send>(threads: usize, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(|i| format!("finalize-{i}")).build();
    pool.map_err(no_thread)?.install(work)
}
