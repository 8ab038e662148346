//! Many sorted streams of states → one: customers who are in several add up, window by window.
//!
//! Every stream has a batch of itself in memory. Up to the least of the last customers of these batches, everything that exists is in
//! memory. That much is put in order by one sort over stretches that are sorted already, and copied column by column. Then the batches that
//! are used up are replaced. A heap would do that a customer at a time, with a branch for every comparison that cannot be predicted.
//!
//! Memory: a batch of every stream, and 16 bytes for each of their customers. What comes out does not depend on how states were split.

use super::combine::{HashedBatch, Key, Output};
use crate::base::error::Result;
use crate::model::state_batch::StateBatch;

/// A stream of states in ascending order by hash, then id.
pub(crate) trait Sorted {
    /// Replaces the states by the next ones; false, and they mean nothing, after the last.
    ///
    /// # Errors
    /// When they cannot be read.
    fn next(&mut self, states: &mut StateBatch) -> Result<bool>;
}

/// Batches of states in memory, as a sorted stream.
pub(crate) struct SortedBatches(pub(crate) std::vec::IntoIter<StateBatch>);

impl Sorted for SortedBatches {
    fn next(&mut self, states: &mut StateBatch) -> Result<bool> {
        self.0.next().map_or(Ok(false), |next| {
            *states = next;
            Ok(true)
        })
    }
}

/// Merges streams and hands on what comes out, at most `most` customers at a time.
///
/// # Errors
/// The errors of a stream or of `emit`.
pub(crate) fn merge<'a>(streams: Vec<Box<dyn Sorted + 'a>>, most: usize, emit: impl FnMut(&StateBatch) -> Result<()>) -> Result<()> {
    merge_by(streams, most, StateBatch::hash, emit)
}

fn merge_by<'a>(
    streams: Vec<Box<dyn Sorted + 'a>>,
    most: usize,
    hash: fn(&StateBatch, usize) -> u64,
    mut emit: impl FnMut(&StateBatch) -> Result<()>,
) -> Result<()> {
    let mut inputs: Vec<Input<'a>> = streams.into_iter().map(|stream| Input { stream, batch: HashedBatch::default(), at: 0 }).collect();
    let mut output = Output::new(most);
    let mut order = Vec::new();
    loop {
        let mut live = Vec::with_capacity(inputs.len());
        for mut input in inputs {
            if input.fill(hash)? {
                live.push(input);
            }
        }
        inputs = live;
        match &mut inputs[..] {
            [] => return output.flush(&mut emit),
            [only] if only.at == 0 && only.batch.states.len() <= output.most => {
                output.flush(&mut emit)?;
                emit(&only.batch.states)?;
                only.at = only.batch.states.len();
            }
            _ => {
                let ends = ends(&inputs);
                order.clear();
                for ((source, input), &end) in (0u32..).zip(&mut inputs).zip(&ends) {
                    let hashes = input.batch.hashes[input.at..end].iter();
                    order.extend((input.at as u32..).zip(hashes).map(|(customer, &hash)| Key { hash, source, customer }));
                    input.at = end;
                }
                let batches: Vec<&HashedBatch> = inputs.iter().map(|input| &input.batch).collect();
                output.put(&batches, &mut order, &mut emit)?;
            }
        }
    }
}

struct Input<'a> {
    stream: Box<dyn Sorted + 'a>,
    batch: HashedBatch,
    /// The first customer of the batch who has not been merged.
    at: usize,
}

impl Input<'_> {
    /// Makes sure that there is a customer; false when there are no more.
    fn fill(&mut self, hash: fn(&StateBatch, usize) -> u64) -> Result<bool> {
        while self.at == self.batch.states.len() {
            if !self.stream.next(&mut self.batch.states)? {
                return Ok(false);
            }
            let HashedBatch { states, hashes } = &mut self.batch;
            hashes.clear();
            hashes.extend((0..states.len()).map(|customer| hash(states, customer)));
            self.at = 0;
        }
        Ok(true)
    }
}

/// Up to where customers are known of every stream: to the end of the batch that ends first.
fn ends(inputs: &[Input<'_>]) -> Vec<usize> {
    let last = |input: &Input<'_>| input.batch.states.len() - 1;
    let least = inputs.iter().min_by(|a, b| a.batch.compare(last(a), &b.batch, last(b)));
    let end = |input: &Input<'_>| {
        let Some(least) = least else { return input.at };
        let bound = last(least);
        let mut end = input.batch.hashes.partition_point(|&hash| hash < least.batch.hashes[bound]);
        while end < input.batch.states.len() && input.batch.compare(end, &least.batch, bound).is_le() {
            end += 1;
        }
        end
    };
    inputs.iter().map(end).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::base::error::{Error, Kind};
    use crate::base::merge::Merge;
    use crate::base::money::Total;
    use crate::model::samples::{Model, model, states_of};
    use proptest::prelude::*;

    /// A hash that many ids share, so that ids decide.
    fn weak(states: &StateBatch, customer: usize) -> u64 {
        states.hash(customer) % 3
    }

    fn weakened(model: Model) -> Model {
        model.into_iter().map(|((hash, id), customer)| ((hash % 3, id), customer)).collect()
    }

    fn added(into: &mut Model, model: &Model) {
        for (key, (first_seen, entries)) in model {
            let (seen, windows) = into.entry(key.clone()).or_insert((*first_seen, Default::default()));
            *seen = *first_seen.min(seen);
            for (window, &(start, reference, orders, total)) in entries {
                let held = windows.entry(*window).or_insert((start, reference, 0, Total::default()));
                *held = (held.0.min(start), held.1.max(reference), held.2.saturating_add(orders), held.3);
                held.3.merge(total);
            }
        }
    }

    /// A stream of a model's customers, in batches of which some are empty.
    fn stream(model: &Model, sizes: &[usize]) -> SortedBatches {
        let mut customers = model.iter().map(|(key, customer)| (key.clone(), customer.clone()));
        let batches = sizes.iter().map(|&size| states_of(&customers.by_ref().take(size).collect()));
        let mut batches: Vec<StateBatch> = batches.collect();
        batches.push(states_of(&customers.collect()));
        SortedBatches(batches.into_iter())
    }

    /// The merged states. Checks that no more came at once than was asked for.
    fn merged(streams: Vec<SortedBatches>, most: usize, hash: fn(&StateBatch, usize) -> u64) -> Vec<StateBatch> {
        let mut out = Vec::new();
        let streams = streams.into_iter().map(|stream| Box::new(stream) as Box<dyn Sorted>).collect();
        merge_by(streams, most, hash, |states| {
            assert!((1..=most).contains(&states.len()));
            out.push(states.clone());
            Ok(())
        })
        .unwrap();
        out
    }

    proptest! {
        /// Any split of states, in any batches, merges to what all of them are at once.
        #[test]
        fn merging_is_adding(
            models in prop::collection::vec((model(0..12), prop::collection::vec(0..4usize, 0..4)), 0..6),
            most in prop_oneof![1..4usize, Just(1_000)],
            weakly in any::<bool>(),
        ) {
            let hash = if weakly { weak } else { StateBatch::hash };
            let mut sum = Model::new();
            let mut streams = Vec::new();
            for (model, sizes) in models {
                let model = if weakly { weakened(model) } else { model };
                added(&mut sum, &model);
                streams.push(stream(&model, &sizes));
            }
            let mut rest = sum.into_iter();
            for states in merged(streams, most, hash) {
                prop_assert_eq!(&states, &states_of(&rest.by_ref().take(states.len()).collect()));
            }
            prop_assert_eq!(rest.next(), None);
        }
    }

    #[test]
    fn failures_come_out() {
        struct Fails;
        impl Sorted for Fails {
            fn next(&mut self, _: &mut StateBatch) -> Result<bool> {
                Err(Error::data("no"))
            }
        }
        let held = || Box::new(SortedBatches(vec![crate::model::samples::sample()].into_iter())) as Box<dyn Sorted>;
        let failed = merge(vec![held(), Box::new(Fails)], 9, |_| Ok(()));
        assert_eq!(failed.unwrap_err().kind(), Kind::Data);
        let failed = merge(vec![held(), held()], 9, |_| Err(Error::usage("no")));
        assert_eq!(failed.unwrap_err().kind(), Kind::Usage);
    }
}
