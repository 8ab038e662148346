//! Reduce: partitions → pieces → merged partials → answers. The last stage that computes; [`report`](crate::report) only shows.
//!
//! Two passes, both in parallel and both insensitive to order: the first finishes each partition, cuts it into [`Pieces`] and counts what
//! the scores depend on; the second scores each block, lets the remaining lenses observe it, and writes its rows where that is wanted.

use crate::accumulate::{Closed, Folded, Room};
use crate::base::cancel::Cancel;
use crate::base::error::{Result, Stage};
use crate::base::merge::Merge;
use crate::base::threads::share_out;
use crate::finalize::{Block, Finalizer};
use crate::lens::Lens;
use crate::lens::comparison::{Change, Comparison};
use crate::lens::refining::{Refinements, Refining};
use crate::lens::single_period::{Distribution, Lens1Metrics, SinglePeriod, SortedMeasures};
use crate::model::reject::{OnBadRow, REJECT_HELP, Reject};
use crate::model::state_batch::States;
use crate::pieces::{Held, IdBytes, Piece, Pieces, Resident, SavedRun, Span, Workspace};
use crate::report::LeftOut;
use crate::report::rows::Rfm;
use crate::report::stream::Stream;
use crate::report::table::TableWriter;
use crate::spec::Spec;
use crate::spill::{FRAME_CUSTOMERS, Held as InMemory, Place, Plan, RunStore, Runs, Sorted, Sorter, encode};
use crate::stats::Stats;
use std::sync::{Arc, Mutex};

/// The most entries of a piece: far more than its customers have, but for very many windows.
const ENTRIES_PER_PIECE: usize = 1 << 18;

/// What a run found out.
pub(crate) struct Reduced<A> {
    /// With scorers.
    pub(crate) pieces: Pieces,
    pub(crate) lens1: Vec<Lens1Metrics>,
    pub(crate) lens2: Vec<Change>,
    pub(crate) warnings: Vec<String>,
    /// Customers left out of a window.
    pub(crate) left_out: LeftOut,
    pub(crate) custom: A,
}

/// Finishes the partitions, asks the built-in lenses and the caller's own, on the threads of the current pool.
pub(crate) fn reduce<L: Lens>(
    spec: &Spec,
    partitions: Vec<Closed>,
    memory: &Resources,
    finalizer: Finalizer,
    custom: &L,
    stats: &Stats,
    rfm: Option<&mut TableWriter>,
) -> Result<Reduced<L::Answer>> {
    stats.enter(Stage::Finalize);
    let windows = finalizer.windows.clone();
    let threads = rayon::current_num_threads();
    let first = (SinglePeriod::sharing(memory.plan.histogram_values, windows.len(), threads), Comparison::new(&windows));
    let (mut pieces, partial, refused) = finish_partitions(partitions, memory, finalizer, &first, stats)?;
    if let (OnBadRow::Fail, Some(first)) = (spec.on_bad_row, refused.first) {
        return Err(first.into_error().help(REJECT_HELP).stage(Stage::Finalize));
    }
    stats.enter(Stage::Lens);
    let (measures, migrations) = first.finish(&windows, partial);
    let mut refining = Refining::new(measures, spec.bins, &spec.percentiles, threads > 1);
    while refining.needs_pass() {
        let observe = |refinements: &mut Refinements, at, workspace: &mut Workspace| {
            refinements.observe(pieces.block(at, workspace)?);
            Ok(())
        };
        refining.absorb(pass(&pieces, || refining.pass(), observe)?);
    }
    let sorted = refining.finish();
    pieces.scorers = sorted.iter().map(|s| s.scorer(spec.bins)).collect();

    stats.enter(Stage::Reduce);
    let second = (Distribution, custom);
    let partial = match rfm {
        None => observe(&pieces, &second, stats)?,
        Some(table) => {
            table.fit_groups(pieces.ids().mean());
            let spans = Span::cut(&pieces.rows(), table.rows_per_part());
            let stream = Stream::new(&pieces, Rfm::new(&windows), &second, spans);
            match table.write_stream_with(&stream, memory.plan.groups) {
                Ok(()) => stream.into_partial(),
                // Whoever reads the rows has had enough of them; the answers are for somebody else. The table says so at its end.
                Err(error) if error.is_broken_pipe() => observe(&pieces, &second, stats)?,
                Err(error) => return Err(error),
            }
        }
    };
    let (distributions, custom) = second.finish(&windows, partial);

    let ranks = |s: &SortedMeasures, distribution| Lens1Metrics::new(&s.frequency, &s.spend, &spec.percentiles, distribution);
    let lens1: Vec<Lens1Metrics> = sorted.iter().zip(distributions).map(|(s, d)| ranks(s, d)).collect();
    let sales: Vec<(i128, i128)> = lens1.iter().map(|l| (l.total_revenue.hundredths(), l.total_orders)).collect();
    let (mut lens2, mut warnings) = (Vec::new(), Vec::new());
    for (at, migration) in migrations.into_iter().enumerate() {
        let change = Change::new(migration, sales[at], sales[at + 1]);
        warnings.extend(change.warnings(&windows[at].name, &windows[at + 1].name, sales[at]));
        lens2.push(change);
    }
    Ok(Reduced { pieces, lens1, lens2, warnings, left_out: refused.counts, custom })
}

/// Customers left out while partitions are finished.
#[derive(Default)]
struct Refused {
    counts: LeftOut,
    /// The least, where they are not kept.
    first: Option<Reject>,
}

impl Refused {
    /// Counts a reject; keeps it where that is wanted.
    fn take(&mut self, window: u32, reject: Reject, kept: Option<&Sorter>) -> Result<()> {
        *self.counts.entry(window).or_default().entry(reject.reason).or_default() += 1;
        match kept {
            Some(kept) => kept.desk().push(|out| reject.write(out)),
            None => {
                self.first = self.first.take().into_iter().chain([reject]).min();
                Ok(())
            }
        }
    }
}

impl Merge for Refused {
    fn merge(&mut self, other: Refused) {
        Merge::merge(&mut self.counts, other.counts);
        self.first = self.first.take().into_iter().chain(other.first).min();
    }
}

/// The first pass.
fn finish_partitions<L: Lens>(
    partitions: Vec<Closed>,
    memory: &Resources,
    finalizer: Finalizer,
    lens: &L,
    stats: &Stats,
) -> Result<(Pieces, L::Partial, Refused)> {
    let windows = &finalizer.windows;
    // A piece is one frame, whatever its customers did.
    let most = FRAME_CUSTOMERS.min(ENTRIES_PER_PIECE / windows.len().max(1));
    let mut partitions = partitions;
    partitions.sort_by_key(|(number, ..)| *number);
    let places: Vec<Mutex<(Option<Closed>, Vec<Piece>)>> = partitions.into_iter().map(|p| Mutex::new((Some(p), Vec::new()))).collect();
    let start = || (Room::default(), States::default(), Block::default(), lens.empty(windows), Refused::default(), IdBytes::default());
    let finish = |(room, states, block, partial, refused, ids): &mut (Room, States, Block, L::Partial, Refused, IdBytes), at: usize| {
        memory.cancel.check()?;
        let Ok(mut place) = places[at].lock() else { return Ok(()) };
        let Some((number, partition, mut reserved)) = place.0.take() else { return Ok(()) };
        let pieces = &mut place.1;
        let mut observe = |states: &States| {
            let mut taken = Ok(());
            let mut take = |window, reject| {
                if taken.is_ok() {
                    taken = refused.take(window, reject, memory.rejects.as_deref());
                }
            };
            finalizer.fill(states, block, Some(&mut take));
            taken?;
            lens.observe(partial, block);
            stats.count_customers(states.len() as u64);
            ids.add(states);
            Ok(block.len())
        };
        let saved: Vec<_> = memory.saved.iter().filter(|run| run.file.frames_of(number) > 0).collect();
        let mut streams: Vec<Box<dyn Sorted + '_>> = saved.iter().map(|run| Box::new(run.file.stream(number, &run.remap)) as _).collect();
        let mut merge = |streams, runs: Runs, observe: &mut dyn FnMut(&States) -> Result<usize>| {
            runs.merge(streams, &*memory.store, memory.plan.merge_memory, most, |states| {
                memory.cancel.check()?;
                pieces.push(Piece { rows: observe(states)?, held: Held::Frame(memory.frame(states)?) });
                Ok(())
            })
        };
        match partition.close(most, room) {
            // What was saved stays where it is.
            Ok(folded) if folded.len() == 0 && saved.len() == 1 => {
                let mut bytes = Vec::new();
                for frame in 0..saved[0].file.frames_of(number) {
                    saved[0].file.read(number, frame, &mut bytes, states)?;
                    saved[0].remap.apply(states);
                    let held = Held::Saved { run: saved[0].clone(), partition: number, frame };
                    pieces.push(Piece { rows: observe(states)?, held });
                }
            }
            Ok(folded) if !saved.is_empty() => {
                let ranges = folded.pieces(most).into_iter();
                streams.push(Box::new(FoldedStream { folded, ranges }));
                merge(streams, Runs::default(), &mut observe)?;
            }
            Ok(folded) => {
                // It stays as it is, unless it no longer fits.
                let fits = reserved.resize(folded.memory() as u64);
                let partition = Arc::new(Resident { folded, _reserved: reserved });
                for customers in partition.folded.pieces(most) {
                    partition.folded.fill(customers.clone(), states);
                    let held =
                        if fits { Held::Folded { partition: partition.clone(), customers } } else { Held::Frame(memory.frame(states)?) };
                    pieces.push(Piece { rows: observe(states)?, held });
                }
            }
            Err((states, runs)) => {
                drop(reserved);
                streams.push(Box::new(InMemory(states.into_iter())));
                merge(streams, runs, &mut observe)?;
            }
        }
        stats.partition_finished();
        Ok(())
    };
    let done = share_out(places.len(), start, finish).map_err(|e| e.stage(Stage::Finalize))?;
    let (mut all, mut left_out, mut ids) = (lens.empty(windows), Refused::default(), IdBytes::default());
    for (.., partial, refused, own_ids) in done {
        all.merge(partial);
        left_out.merge(refused);
        ids.merge(own_ids);
    }
    let pieces = places.into_iter().filter_map(|place| place.into_inner().ok()).flat_map(|(_, pieces)| pieces).collect();
    Ok((Pieces::new(pieces, finalizer, ids, memory.store.clone(), memory.cancel.clone()), all, left_out))
}

/// A partition's customers as a stream.
struct FoldedStream {
    folded: Folded,
    ranges: std::vec::IntoIter<std::ops::Range<u32>>,
}

impl Sorted for FoldedStream {
    fn next(&mut self, states: &mut States) -> Result<bool> {
        Ok(self.ranges.next().is_some_and(|range| {
            self.folded.fill(range, states);
            true
        }))
    }
}

/// What finishing has to work with.
pub(crate) struct Resources {
    pub(crate) plan: Plan,
    /// Takes what does not fit as it is: packed, three times as much stays in memory.
    pub(crate) store: Arc<dyn RunStore>,
    /// Takes the customers left out, where they are not only counted.
    pub(crate) rejects: Option<Arc<Sorter>>,
    pub(crate) cancel: Cancel,
    /// Saved states that the run took in.
    pub(crate) saved: Vec<Arc<SavedRun>>,
}

impl Resources {
    fn frame(&self, states: &States) -> Result<Place> {
        self.cancel.check()?;
        let mut bytes = Vec::new();
        encode(states, 0..states.len(), &mut bytes)?;
        self.store.put(&bytes)
    }
}

/// A pass over all pieces: `observe` makes the block that it needs.
fn pass<P: Merge + Send>(
    pieces: &Pieces,
    empty: impl Fn() -> P + Sync,
    observe: impl Fn(&mut P, usize, &mut Workspace) -> Result<()> + Sync,
) -> Result<P> {
    let start = || (Workspace::default(), empty());
    let done = share_out(pieces.len(), start, |(workspace, partial), at| observe(partial, at, workspace))?;
    Ok(done.into_iter().fold(empty(), |mut all, (_, partial)| {
        all.merge(partial);
        all
    }))
}

/// A pass over scored blocks.
fn observe<L: Lens>(pieces: &Pieces, lens: &L, stats: &Stats) -> Result<L::Partial> {
    let empty = || lens.empty(&pieces.finalizer().windows);
    pass(pieces, empty, |partial, at, workspace| {
        lens.observe(partial, pieces.scored(at, workspace)?);
        stats.partition_finished();
        Ok(())
    })
}
