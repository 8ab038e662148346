//! Order ids that come more than once where each row is an order of its own. Such rows count; how many there are is noted.
//!
//! Kept are the hashes of order ids and how often each came: of all ids while there are at most [`MOST`], then of every second id, every
//! fourth, and so on, chosen by their hashes. So the memory is bounded, and what is kept is a function of the ids alone, in any order and
//! by any number of threads. Copies of a whole file are always seen; one id of many millions that comes twice mostly is not.

use crate::base::threads::lock;
use crate::model::hash::hash_id;
use crate::model::note::{Notes, Topic};
use hashbrown::HashMap;
use std::hash::RandomState;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

/// The most ids that are kept, in 8 MB.
const MOST: usize = 1 << 18;

/// The ids of a run's orders; shared by threads.
#[derive(Debug, Default)]
pub(super) struct RepeatedIds {
    /// One of 2^level ids is kept.
    level: AtomicU32,
    kept: Mutex<HashMap<u64, u64, RandomState>>,
}

impl RepeatedIds {
    /// Takes in ids, and empties `ids`.
    pub(super) fn add(&self, ids: &mut Vec<u64>) {
        self.keep(ids, MOST);
    }

    fn keep(&self, ids: &mut Vec<u64>, most: usize) {
        let level = self.level.load(Ordering::Relaxed);
        ids.retain(|&id| is_kept(id, level));
        if ids.is_empty() {
            return;
        }
        let mut kept = lock(&self.kept);
        let mut level = self.level.load(Ordering::Relaxed);
        for id in ids.drain(..) {
            if !is_kept(id, level) {
                continue;
            }
            *kept.entry(id).or_default() += 1;
            while kept.len() > most {
                level += 1;
                kept.retain(|&id, _| is_kept(id, level));
            }
        }
        self.level.store(level, Ordering::Relaxed);
    }

    /// Notes the ids that came more than once.
    pub(super) fn note(&self, notes: &Notes) {
        let (kept, level) = (lock(&self.kept), self.level.load(Ordering::Relaxed));
        let again = kept.values().filter(|&&times| times > 1);
        let (ids, rows) = again.fold((0, 0), |(ids, rows), times| (ids + 1, rows + times - 1));
        let subject = if level == 0 { String::new() } else { format!("1/{}", 1u64 << level) };
        notes.add_most(Topic::RepeatedOrderIds, &subject, ids, Default::default(), rows);
    }
}

/// The hash of an order's id.
#[inline]
pub(super) fn order_hash(id: &str) -> u64 {
    hash_id(id.as_bytes())
}

fn is_kept(id: u64, level: u32) -> bool {
    id.trailing_zeros() >= level
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// What is kept does not depend on the order of ids, nor on how many are added at a time.
        #[test]
        fn the_ids_alone_say_what_is_kept(ids in prop::collection::vec(0u64..60, 0..300), at_once in 1usize..50, most in 1usize..40) {
            let hashes: Vec<u64> = ids.iter().map(|id| order_hash(&id.to_string())).collect();
            let (one, other) = (RepeatedIds::default(), RepeatedIds::default());
            one.keep(&mut hashes.clone(), most);
            let mut sorted = hashes.clone();
            sorted.sort_unstable();
            sorted.chunks(at_once).for_each(|some| other.keep(&mut some.to_vec(), most));
            let level = one.level.load(Ordering::Relaxed);
            prop_assert_eq!(level, other.level.load(Ordering::Relaxed));
            let kept = lock(&one.kept);
            prop_assert_eq!(&*kept, &*lock(&other.kept));
            prop_assert!(kept.len() <= most);
            for (id, times) in &*kept {
                prop_assert_eq!(*times, hashes.iter().filter(|hash| *hash == id).count() as u64);
            }
            // No more is left out than is needed.
            let below = |level: u32| hashes.iter().filter(|&&id| is_kept(id, level)).collect::<std::collections::HashSet<_>>().len();
            prop_assert_eq!(kept.len(), below(level));
            prop_assert!(level == 0 || below(level - 1) > most);
        }
    }
}
