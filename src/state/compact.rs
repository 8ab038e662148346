//! Several run files → one: keeps the number of run files small, and merges states of several machines.
//!
//! Updates add small files. When there are [`FAN`] files of about one size, the next update makes one of them while it reads. So a state
//! has few files, and each row is written again once for every power of [`FAN`] that the state outgrows it by.

use super::manifest::{Manifest, RunEntry, compacted_name, run_name};
use super::order_ids::{copy_order_ids, share_no_order};
use super::sealed::Record;
use super::state_folder::{Folder, is_state, vacant};
use super::{Io, Rollup, RunFile, Section, State, Writer};
use crate::base::cancel::Cancel;
use crate::base::error::{Error, Result};
use crate::base::merge::Merge;
use crate::base::threads::parallel_fold;
use crate::model::hash::PARTITIONS;
use crate::spill::{FRAME_CUSTOMERS, RunWriter, Sorted};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// The number of run files of a size that become one. A size is a power of this.
const FAN: usize = 8;

/// How many of the newest runs should become one, given their customers, oldest first; 0 for none. What they become may make others due,
/// and then becomes one with them at once.
pub(crate) fn due(customers: &[u64]) -> usize {
    let size = |customers: u64| customers.max(1).ilog(FAN as u64);
    // Customers, and how many runs have them.
    let mut runs: Vec<(u64, usize)> = customers.iter().map(|&customers| (customers, 1)).collect();
    while let Some(&(newest, count)) = runs.last() {
        let same = runs.iter().rev().take_while(|(customers, _)| size(*customers) <= size(newest)).count();
        if same < FAN {
            return if count > 1 { count } else { 0 };
        }
        let sum = runs.drain(runs.len() - same..).fold((0, 0), |(a, b), (customers, runs)| (a + customers, b + runs));
        runs.push(sum);
    }
    0
}

/// Writes what some run files hold as one, on the threads of the current pool.
pub(crate) fn compact(files: &[Arc<RunFile>], to: &Writer, cancel: &Cancel) -> Result<()> {
    parallel_fold(
        PARTITIONS,
        || (),
        |(), partition| {
            cancel.check()?;
            let streams: Vec<Box<dyn Sorted + '_>> =
                files.iter().map(|file| Box::new(file.stream(partition, &Rollup::Same)) as _).collect();
            let mut writer = RunWriter::new(to.frames());
            crate::spill::merge(streams, FRAME_CUSTOMERS, |states| writer.write(states))?;
            to.add(partition, writer.finish());
            Ok(())
        },
    )?;
    for section in Section::ROWS {
        files.iter().try_for_each(|file| file.copy_records(section, to))?;
    }
    copy_order_ids(files, to, cancel)
}

/// The newest run files that became one.
pub(crate) struct Compacted {
    /// How many.
    pub(crate) runs: usize,
    pub(crate) into: RunEntry,
}

/// Makes one of the newest of some run files, if that is due, on the threads of the current pool. They count until the record that names
/// the new one is committed, as a generation.
pub(crate) fn compact_due<R: Record>(folder: &Folder<R>, generation: u64, runs: &[RunEntry], cancel: &Cancel) -> Result<Option<Compacted>> {
    let customers: Vec<u64> = runs.iter().map(|run| run.customers).collect();
    let count = due(&customers);
    if count == 0 {
        return Ok(None);
    }
    let open = |run: &RunEntry| RunFile::open(&folder.path().join(&run.file), folder.io()).map(Arc::new);
    let files: Vec<_> = runs[runs.len() - count..].iter().map(open).collect::<Result<_>>()?;
    let name = compacted_name(generation);
    let writer = Writer::create(&folder.path().join(&name), folder.io())?;
    compact(&files, &writer, cancel)?;
    Ok(Some(Compacted { runs: count, into: RunEntry::new(name, writer.finish()?) }))
}

/// Compacts a folder while that is due, each time as a generation of its own. Gives the record in the end.
pub(crate) fn compact_while_due<R: Record>(folder: &Folder<R>, mut record: R, cancel: &Cancel) -> Result<R> {
    loop {
        let mut next = record.clone();
        let (generation, runs) = next.runs_mut();
        *generation += 1;
        let Some(Compacted { runs: count, into }) = compact_due(folder, *generation, runs, cancel)? else { return Ok(record) };
        runs.truncate(runs.len() - count);
        runs.push(into);
        cancel.check()?;
        folder.commit(&next)?;
        record = next;
    }
}

/// The result of merging states.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MergedState {
    /// The new state.
    pub manifest: Manifest,
    /// Inputs that several of the states had taken in.
    pub duplicates: Vec<String>,
}

/// The result that merging states would have, but for its run files: the states are not read, and nothing is written.
///
/// # Errors
/// When they were made with other windows or another policy about bad rows; when two of them took in the same input, unless
/// `allow_duplicate`; when the folder holds something already.
pub fn check_merge(out: &Path, states: &[State], allow_duplicate: bool) -> Result<MergedState> {
    let merged = added_up(states, allow_duplicate)?;
    if is_state(out) {
        return Err(there_already(out));
    }
    vacant::<Manifest>(out)?;
    Ok(merged)
}

fn there_already(out: &Path) -> Error {
    let error = Error::usage("there is a state already").input(out.to_string_lossy());
    error.help("name a new folder, and put it in the other's place afterwards")
}

/// The manifests of states as one, without run files.
fn added_up(states: &[State], allow_duplicate: bool) -> Result<MergedState> {
    let [first, others @ ..] = states else {
        return Err(Error::usage("no state is given").help("name the states to merge"));
    };
    let Manifest { every, on_bad_row, order_ids, dropped_before, .. } = *first.manifest();
    for state in others {
        let name = state.path().to_string_lossy();
        let own = state.manifest();
        if own.every != every {
            let what = format!("the state is kept by {}, and {} by {every}", own.every, first.path().display());
            return Err(Error::usage(what).input(name).help("make one of them anew with the other's `every`"));
        }
        if own.order_ids != order_ids {
            let what = format!("only one of it and {} keeps the ids of orders", first.path().display());
            return Err(Error::usage(what).input(name).help("make one of them anew with the other's `order_ids`"));
        }
        if own.dropped_before != dropped_before {
            let what = format!("it has not dropped the same periods as {}", first.path().display());
            return Err(Error::usage(what).input(name).help("drop them from both"));
        }
        if own.on_bad_row != on_bad_row {
            let what = format!("the state was made with another `on_bad_row` than {}", first.path().display());
            return Err(Error::usage(what).input(name).help("make one of them anew with the other's"));
        }
    }
    let mut manifest = Manifest { generation: 1, order_ids, dropped_before, ..Manifest::new(every, on_bad_row) };
    // By fingerprint and length, which of the states has an input.
    let mut taken: BTreeMap<(&str, u64), usize> = BTreeMap::new();
    let mut duplicates = Vec::new();
    for (at, state) in states.iter().enumerate() {
        let own = state.manifest();
        for input in &own.inputs {
            let before = taken.insert((&input.fingerprint, input.bytes), at);
            // Parts without rows are alike, and count nothing.
            if let Some(before) = before.filter(|before| *before != at && input.rows != Some(0)) {
                if !allow_duplicate {
                    let before = states[before].path().display();
                    let what = format!("{} was taken in by {before} already: its rows would count twice", input.name);
                    let help = "leave one of the states out, or say `allow_duplicate` if the rows are not the same";
                    return Err(Error::usage(what).input(state.path().to_string_lossy()).help(help));
                }
                duplicates.push(input.name.clone());
            }
        }
        manifest.inputs.extend(own.inputs.iter().cloned().map(|input| super::Input { generation: 1, run: None, ..input }));
        manifest.together.merge(own.counts_all());
        match (&mut manifest.transactions, own.transactions.clone()) {
            (Some((options, _)), Some((other, _))) if *options != other => {
                let what = format!("its lines were grouped otherwise than those of {}", first.path().display());
                return Err(Error::usage(what)
                    .input(state.path().to_string_lossy())
                    .help("make one of them anew with the other's options"));
            }
            (Some((_, lines)), Some((_, more))) => lines.merge(more),
            (all, own) => *all = all.take().or(own),
        }
    }
    manifest.add_up();
    Ok(MergedState { manifest, duplicates })
}

/// Merges states into a new one: exact, whether they share customers or not.
///
/// # Errors
/// The errors of [`check_merge`], or when anything cannot be read or written.
pub fn merge(out: &Path, states: &[State], allow_duplicate: bool, cancel: &Cancel, io: &Io) -> Result<MergedState> {
    let MergedState { mut manifest, duplicates } = added_up(states, allow_duplicate)?;
    let (folder, there) = Folder::<Manifest>::lock(out, io)?;
    if there.is_some() {
        return Err(there_already(out));
    }
    let files: Vec<Arc<RunFile>> = states.iter().flat_map(|state| state.runs().iter().cloned()).collect();
    if manifest.order_ids && !allow_duplicate {
        share_no_order(states, cancel)?;
    }
    if !files.is_empty() {
        let name = run_name(1);
        let writer = Writer::create(&folder.path().join(&name), io)?;
        compact(&files, &writer, cancel)?;
        manifest.runs.push(RunEntry::new(name, writer.finish()?));
    }
    cancel.check()?;
    folder.commit(&manifest)?;
    Ok(MergedState { manifest, duplicates })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However long a state goes on, it has few files, and rows are not written again often.
    #[test]
    fn runs_stay_few() {
        for (first, each) in [(1, 1), (10_000_000, 100_000), (100_000, 100_000), (0, 0)] {
            let (mut runs, mut rewritten, mut most) = (vec![first], 0, 0);
            for _ in 0..1_000 {
                // An update compacts what others have left, while it reads.
                let count = due(&runs);
                let sum: u64 = runs.drain(runs.len() - count..).sum();
                rewritten += sum;
                runs.extend((count > 0).then_some(sum));
                runs.push(each);
                most = most.max(runs.len());
            }
            let all: u64 = runs.iter().sum();
            assert!(most <= 4 * FAN, "{most} run files");
            assert!(rewritten <= 5 * all, "{rewritten} customers written again, of {all}");
        }
    }
}
