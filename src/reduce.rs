//! Reduce: partitions → blocks → merged partials → answers. The last stage that computes; [`report`](crate::report) only shows.
//!
//! Two passes over the blocks, both in parallel and both insensitive to order: the first finalizes each partition and counts what the
//! scores depend on; the last scores each block and lets the remaining lenses observe it. Where too many values differ to count each of
//! them, there are passes in between that count those around the ones that matter.

use crate::accumulate::Partition;
use crate::calendar::Window;
use crate::error::Result;
use crate::finalize::{Block, finalize};
use crate::lens::Lens;
use crate::lens::comparison::{Change, Comparison};
use crate::lens::refining::{Refinements, Refining};
use crate::lens::single_period::{Distribution, Lens1Metrics, SinglePeriod, SortedMeasures};
use crate::merge::Merge;
use crate::reject::Reject;
use crate::score::Scorer;
use crate::spec::Spec;
use crate::stats::Stats;
use rayon::prelude::*;

/// The most distinct values that the histograms of all windows and threads count one by one, together.
const MAX_VALUES: usize = 1 << 22;

/// What a run found out.
pub(crate) struct Reduced<A> {
    /// In the order of partitions, with scores.
    pub(crate) blocks: Vec<Block>,
    pub(crate) lens1: Vec<Lens1Metrics>,
    pub(crate) lens2: Vec<Change>,
    pub(crate) warnings: Vec<String>,
    pub(crate) custom: A,
}

/// Finalizes the partitions. Rejected customers come sorted.
pub(crate) fn finalize_all(
    partitions: Vec<Partition>,
    windows: &[Window],
    first_key: u32,
    stats: &Stats,
    parallel: bool,
) -> (Vec<Block>, Vec<Reject>) {
    let one = |partition: Partition| {
        let finished = finalize(partition, windows, first_key);
        stats.partition_finished();
        finished
    };
    let finished: Vec<(Block, Vec<Reject>)> =
        if parallel { partitions.into_par_iter().map(one).collect() } else { partitions.into_iter().map(one).collect() };
    let (blocks, rejects): (Vec<_>, Vec<_>) = finished.into_iter().unzip();
    let mut rejects: Vec<Reject> = rejects.into_iter().flatten().collect();
    rejects.sort_unstable();
    (blocks, rejects)
}

/// Asks the built-in lenses and the caller's own.
pub(crate) fn reduce<L: Lens>(
    spec: &Spec,
    mut blocks: Vec<Block>,
    windows: &[Window],
    custom: &L,
    stats: &Stats,
    parallel: bool,
) -> Result<Reduced<L::Answer>> {
    stats.enter(crate::error::Stage::Lens);
    let threads = if parallel { rayon::current_num_threads() } else { 1 };
    let first = (SinglePeriod::sharing(MAX_VALUES, windows.len(), threads), Comparison::new(windows));
    let partial = observe_all(&first, &mut blocks, windows, parallel, |_| ());
    let (measures, migrations) = first.finish(windows, partial);
    let mut refining = Refining::new(measures, spec.bins, &spec.percentiles, parallel);
    while refining.needs_pass() {
        let pass = fold_all(&mut blocks, parallel, || refining.pass(), |pass, block| Refinements::observe(pass, block));
        refining.absorb(pass);
    }
    let sorted = refining.finish();
    let scorers: Vec<Scorer> = sorted.iter().map(|s| s.scorer(spec.bins)).collect();

    stats.enter(crate::error::Stage::Reduce);
    let second = (Distribution, custom);
    let partial = observe_all(&second, &mut blocks, windows, parallel, |block| {
        score(block, &scorers);
        stats.partition_finished();
    });
    let (distributions, custom) = second.finish(windows, partial);

    let ranks = |s: &SortedMeasures, distribution| Lens1Metrics::new(&s.frequency, &s.spend, &spec.percentiles, distribution);
    let lens1: Vec<Lens1Metrics> = sorted.iter().zip(distributions).map(|(s, d)| ranks(s, d)).collect();
    let sales: Vec<(i128, i128)> = lens1.iter().map(|l| (l.total_revenue.hundredths(), l.total_orders)).collect();
    let (mut lens2, mut warnings) = (Vec::new(), Vec::new());
    for (at, migration) in migrations.into_iter().enumerate() {
        let change = Change::new(migration, sales[at], sales[at + 1]);
        warnings.extend(change.warnings(&windows[at].name, &windows[at + 1].name, sales[at]));
        lens2.push(change);
    }
    Ok(Reduced { blocks, lens1, lens2, warnings, custom })
}

fn observe_all<L: Lens>(
    lens: &L,
    blocks: &mut [Block],
    windows: &[Window],
    parallel: bool,
    prepare: impl Fn(&mut Block) + Sync,
) -> L::Partial {
    let observe = |partial: &mut L::Partial, block: &mut Block| {
        prepare(block);
        lens.observe(partial, block);
    };
    fold_all(blocks, parallel, || lens.empty(windows), observe)
}

fn fold_all<P: Merge + Send>(
    blocks: &mut [Block],
    parallel: bool,
    empty: impl Fn() -> P + Sync,
    observe: impl Fn(&mut P, &mut Block) + Sync,
) -> P {
    let fold = |chunk: &mut [Block]| {
        let mut partial = empty();
        chunk.iter_mut().for_each(|block| observe(&mut partial, block));
        partial
    };
    let merge = |mut a: P, b: P| {
        a.merge(b);
        a
    };
    if parallel {
        // A chunk a thread makes few partials; they can be large.
        let chunk = blocks.len().div_ceil(4 * rayon::current_num_threads()).max(1);
        blocks.par_chunks_mut(chunk).map(fold).reduce(&empty, merge)
    } else {
        fold(blocks)
    }
}

fn score(block: &mut Block, scorers: &[Scorer]) {
    for (window, scorer) in block.windows.iter_mut().zip(scorers) {
        let values = window.recency_days.iter().zip(&window.frequency).zip(&window.monetary);
        window.scores = values.map(|((&r, &f), &m)| scorer.score(r.into(), f, m)).collect();
    }
}
