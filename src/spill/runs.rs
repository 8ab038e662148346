//! The runs of one partition. Little memory makes many small runs. Some of them are then merged into one, as a log-structured store
//! does, so that their handles and reading them back take little memory too.

use super::frame::FRAME_CUSTOMERS;
use super::merge_runs::{Sorted, merge};
use super::run::{Run, RunWriter};
use super::store::RunStore;
use crate::base::error::Result;
use crate::model::state_batch::States;

/// The number of runs that become one, and of those that become one again. A run is written once more for every such step.
const FAN: u64 = 32;

/// Some runs, larger ones first.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    runs: Vec<Run>,
    /// How many were ever added: as a number to the base [`FAN`], its digits say how many runs there are of each size.
    added: u64,
    memory: usize,
}

impl Runs {
    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The memory that knowing them takes.
    pub(crate) fn memory(&self) -> usize {
        self.memory
    }

    /// Adds a run. Now and then, runs are merged for that.
    ///
    /// # Errors
    /// When runs cannot be read or written.
    pub(crate) fn push(&mut self, run: Run, store: &dyn RunStore) -> Result<()> {
        self.runs.push(run);
        self.added += 1;
        let mut size = FAN;
        while self.added.is_multiple_of(size) {
            let first = self.runs.len().saturating_sub(FAN as usize);
            let merged = merge_runs(self.runs.drain(first..), store)?;
            self.runs.push(merged);
            size *= FAN;
        }
        self.count_memory();
        Ok(())
    }

    fn count_memory(&mut self) {
        self.memory = self.runs.iter().map(Run::own_memory).sum();
    }

    /// Merges the runs and other streams of the partition, and hands on what comes out, at most `most` customers at a time. Where the frames
    /// of all runs take more than `memory` bytes, some runs are merged first.
    ///
    /// # Errors
    /// When runs cannot be read or written; what `emit` fails with.
    pub(crate) fn merge(
        self,
        others: Vec<Box<dyn Sorted + '_>>,
        store: &dyn RunStore,
        memory: u64,
        most: usize,
        emit: impl FnMut(&States) -> Result<()>,
    ) -> Result<()> {
        let mut runs = self.runs;
        loop {
            let mut sum = 0;
            let fit = runs.iter().rev().take_while(|run| {
                sum += run.memory();
                sum <= memory
            });
            let fit = fit.count().max(2);
            if fit >= runs.len() {
                break;
            }
            // The last are the smallest.
            let merged = merge_runs(runs.drain(runs.len() - fit..), store)?;
            runs.insert(0, merged);
        }
        let mut streams = others;
        streams.extend(runs.into_iter().map(|run| Box::new(run.read(store)) as _));
        merge(streams, most, emit)
    }
}

/// One run of several.
fn merge_runs(runs: impl Iterator<Item = Run>, store: &dyn RunStore) -> Result<Run> {
    let mut writer = RunWriter::new(store);
    merge(runs.map(|run| Box::new(run.read(store)) as _).collect(), FRAME_CUSTOMERS, |states| writer.write(states))?;
    Ok(writer.finish())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::base::merge::Merge;
    use crate::base::money::Total;
    use crate::model::samples::{Model, model_of, states};
    use crate::spill::doubles::Memory;
    use crate::spill::merge_runs::SortedBatches;
    use proptest::prelude::*;

    /// The sum of several states.
    fn sum(all: &[States]) -> Model {
        let mut sum = Model::new();
        for (key, (first_seen, entries)) in all.iter().flat_map(model_of) {
            let (seen, windows) = sum.entry(key).or_insert((first_seen, Default::default()));
            *seen = first_seen.min(*seen);
            for (window, (start, reference, orders, total)) in entries {
                let own = windows.entry(window).or_insert((start, reference, 0, Total::default()));
                *own = (own.0.min(start), own.1.max(reference), own.2.saturating_add(orders), own.3);
                own.3.merge(total);
            }
        }
        sum
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// However many runs there were, and however little memory to read them in, the sum is the same.
        #[test]
        fn runs_add_up(few in prop::collection::vec(states(0..4), 1..5), times in 1..400u64, memory in prop_oneof![Just(1), Just(1 << 20)]) {
            let store = Memory::default();
            let mut runs = Runs::default();
            let mut writer = RunWriter::new(&store);
            let all: Vec<States> = few.iter().cycle().take(times as usize).cloned().collect();
            for part in &all {
                writer.write(part).unwrap();
                runs.push(writer.finish(), &store).unwrap();
                prop_assert!(runs.runs.len() < 2 * FAN as usize, "{} runs", runs.runs.len());
                prop_assert_eq!(runs.memory(), runs.runs.iter().map(Run::own_memory).sum::<usize>());
            }
            let (mut merged, here) = (Model::new(), vec![few[0].clone()]);
            runs.merge(vec![Box::new(SortedBatches(here.clone().into_iter()))], &store, memory, 3, |states| {
                merged.extend(model_of(states));
                Ok(())
            }).unwrap();
            prop_assert_eq!(merged, sum(&[all, here].concat()));
        }
    }
}
