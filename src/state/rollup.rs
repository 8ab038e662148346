//! From the windows that a state was kept by to those of an audit: months become quarters, or windows of the caller's own.
//!
//! Every window of an audit is a union of the state's, so a customer's entries need only be added up; entries outside every window are
//! history, of which `first_seen` says all there is to know.

use crate::model::state_batch::StateBatch;

/// Which window of an audit each window of a state belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rollup {
    /// Each is one of its own, by the same key.
    Same,
    /// By the state's key, counted from the first; ascending.
    Listed {
        /// The key of the first window.
        first: u32,
        /// The key of the audit's window, where there is one.
        keys: Vec<Option<u32>>,
    },
}

impl Rollup {
    fn key(&self, window: u32) -> Option<u32> {
        match self {
            Rollup::Same => Some(window),
            Rollup::Listed { first, keys } => keys.get(window.checked_sub(*first)? as usize).copied().flatten(),
        }
    }

    /// Moves the one window of its list to another place.
    pub(crate) fn moved_to(mut self, place: u32) -> Self {
        if let Rollup::Listed { keys, .. } = &mut self {
            keys.iter_mut().flatten().for_each(|key| *key = place);
        }
        self
    }

    /// Adds up the entries of every customer that belong to one window.
    pub(crate) fn apply(&self, states: &mut StateBatch) {
        if *self == Rollup::Same {
            return;
        }
        let rests = std::mem::take(&mut states.rests);
        let mut rests = rests.iter().peekable();
        let (mut from, mut kept) = (0, 0);
        for customer in 0..states.ends.len() {
            let begin = kept;
            let end = states.ends[customer] as usize;
            for entry in from..end {
                let rest = rests.next_if(|rest| rest.entry as usize == entry);
                let Some(key) = self.key(states.windows[entry]) else { continue };
                let mut sum = states.sum(entry);
                if let Some(rest) = rest {
                    (sum.carry, sum.fraction) = (rest.carry, rest.fraction);
                }
                if kept > begin && states.windows[kept - 1] == key {
                    sum.add(&states.sum(kept - 1));
                    states.set_sum(kept - 1, key, &sum);
                    continue;
                }
                states.set_sum(kept, key, &sum);
                kept += 1;
            }
            states.ends[customer] = kept as u32;
            from = end;
        }
        states.windows.truncate(kept);
        for column in [&mut states.starts, &mut states.references, &mut states.orders, &mut states.cents] {
            column.truncate(kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::merge::Merge;
    use crate::base::money::Total;
    use crate::model::samples::{Model, model, model_of, states_of};
    use proptest::prelude::*;

    /// The plain model: sums in maps.
    fn expected(model: &Model, rollup: &Rollup) -> Model {
        let mut expected = Model::new();
        for (id, (first_seen, entries)) in model {
            let own = &mut expected.entry(id.clone()).or_insert((*first_seen, Default::default())).1;
            for (&window, &(start, reference, orders, total)) in entries {
                let Some(key) = rollup.key(window) else { continue };
                let sum = own.entry(key).or_insert((start, reference, 0, Total::default()));
                (sum.0, sum.1, sum.2) = (sum.0.min(start), sum.1.max(reference), sum.2.saturating_add(orders));
                sum.3.merge(total);
            }
        }
        expected
    }

    proptest! {
        #[test]
        fn windows_add_up(model in model(0..9), keys in prop::collection::vec(prop::option::of(0..9u32), 0..4), first in 0..2u32) {
            let mut keys = keys;
            let mut sorted: Vec<u32> = keys.iter().copied().flatten().collect();
            sorted.sort_unstable();
            keys.iter_mut().flatten().zip(sorted).for_each(|(key, ascending)| *key = ascending);
            for rollup in [Rollup::Same, Rollup::Listed { first, keys: keys.clone() }] {
                let mut states = states_of(&model);
                rollup.apply(&mut states);
                prop_assert_eq!(model_of(&states), expected(&model, &rollup), "{:?}", rollup);
            }
        }
    }
}
