//! Work that is begun in order, done on several threads, and handed over in order: the thread that has done the next item hands it over,
//! while the others go on with theirs.

use super::lock;
use crate::base::error::{Error, Result};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, PoisonError};

/// Finished items that wait for earlier ones.
struct Done<T, H> {
    waiting: BTreeMap<usize, T>,
    /// The number of what is to be handed over next.
    next: usize,
    hand_over: H,
    /// Nothing more is handed over.
    over: bool,
    first_error: Option<(usize, Error)>,
}

impl<T, H> Done<T, H> {
    fn fail(&mut self, at: usize, error: Error) {
        self.over = true;
        if self.first_error.as_ref().is_none_or(|(first, _)| at < *first) {
            self.first_error = Some((at, error));
        }
    }
}

/// Calls `take` until there is nothing left, `work` for each on one of so many threads of the current pool, and `hand_over` with what came
/// of it, in the order of taking. At most twice as many as threads are under way or waiting. `work` must not use the pool itself. Of
/// several errors it is that of the first.
pub(crate) fn in_order<P, T: Send>(
    threads: usize,
    take: impl FnMut() -> Result<Option<P>> + Send,
    work: impl Fn(P) -> Result<T> + Sync,
    hand_over: impl FnMut(T) -> Result<()> + Send,
) -> Result<()> {
    let source = Mutex::new((0, take));
    let done = Mutex::new(Done { waiting: BTreeMap::new(), next: 0, hand_over, over: false, first_error: None });
    let moved = Condvar::new();
    let one = |_| {
        loop {
            let (at, taken) = {
                let mut source = lock(&source);
                let (count, take) = &mut *source;
                *count += 1;
                (*count - 1, take())
            };
            let alarm = Alarm(&done, &moved);
            let result = match taken {
                Ok(None) => return,
                Ok(Some(part)) => work(part),
                Err(error) => Err(error),
            };
            let mut done = lock(&done);
            while at > done.next + threads && !done.over {
                done = moved.wait(done).unwrap_or_else(PoisonError::into_inner);
            }
            match result {
                Ok(value) => drop(done.waiting.insert(at, value)),
                Err(error) => done.fail(at, error),
            }
            while !done.over {
                let next = done.next;
                let Some(value) = done.waiting.remove(&next) else { break };
                match (done.hand_over)(value) {
                    Ok(()) => done.next += 1,
                    Err(error) => done.fail(next, error),
                }
            }
            let over = done.over;
            drop(done);
            moved.notify_all();
            std::mem::forget(alarm);
            if over {
                return;
            }
        }
    };
    (0..threads).into_par_iter().for_each(one);
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.first_error.map_or(Ok(()), |(_, error)| Err(error))
}

/// Wakes the waiting threads when one of them panics.
struct Alarm<'a, T, H>(&'a Mutex<Done<T, H>>, &'a Condvar);

impl<T, H> Drop for Alarm<'_, T, H> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            lock(self.0).over = true;
            self.1.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    const THREADS: usize = 3;

    fn run(count: usize, work: impl Fn(usize) -> Result<usize> + Send + Sync) -> (Result<()>, Vec<usize>) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(THREADS).build().expect("threads");
        let (mut numbers, mut seen) = (0..count, Vec::new());
        let result = pool.install(|| {
            in_order(
                THREADS,
                || Ok(numbers.next()),
                work,
                |number| {
                    seen.push(number);
                    Ok(())
                },
            )
        });
        (result, seen)
    }

    #[test]
    fn what_takes_long_is_waited_for() {
        let under_way = AtomicUsize::new(0);
        let slow = |number: usize| {
            let ahead = under_way.fetch_max(number, Ordering::Relaxed);
            if number.is_multiple_of(7) {
                std::thread::sleep(Duration::from_millis(3));
                assert!(number == 0 || ahead < number + 3 * THREADS, "no thread runs ahead");
            }
            Ok(number)
        };
        let (result, seen) = run(200, slow);
        assert!(result.is_ok());
        assert_eq!(seen, (0..200).collect::<Vec<_>>());
        assert!(run(0, Ok).1.is_empty());
    }

    #[test]
    fn the_first_error_ends_it() {
        let fails = |number: usize| if number >= 20 { Err(Error::internal(format!("{number}"))) } else { Ok(number) };
        let (result, seen) = run(200, fails);
        let error = result.expect_err("an error").to_string();
        assert!(["20", "21", "22"].iter().any(|at| error.contains(at)), "{error}");
        assert!(seen.len() <= 20 && seen.iter().copied().eq(0..seen.len()));
    }

    #[test]
    fn nobody_waits_for_a_panic() {
        let panics = |number: usize| if number == 5 { panic!("on purpose") } else { Ok(number) };
        assert!(catch_unwind(AssertUnwindSafe(|| run(200, panics))).is_err());
    }
}
