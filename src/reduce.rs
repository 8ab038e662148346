//! Reduce: partitions → blocks → merged partials → answers. The last stage that computes; [`report`](crate::report) only shows.
//!
//! Two passes over the blocks, both in parallel and both insensitive to order: the first finalizes each partition and counts what the
//! scores depend on; the second scores each block and lets the remaining lenses observe it.

use crate::accumulate::Partition;
use crate::calendar::Window;
use crate::error::Result;
use crate::finalize::{Block, finalize};
use crate::lens::Lens;
use crate::lens::comparison::{Change, Comparison};
use crate::lens::order_stats::Ranks;
use crate::lens::single_period::{Distribution, Lens1Metrics, Measures, SinglePeriod, SortedMeasures};
use crate::merge::Merge;
use crate::reject::Reject;
use crate::score::Scorer;
use crate::spec::Spec;
use crate::stats::Stats;
use rayon::prelude::*;

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
    let first = (SinglePeriod, Comparison::new(windows));
    let partial = observe_all(&first, &mut blocks, windows, parallel, |_| ());
    let (measures, migrations) = first.finish(windows, partial);
    let sorted = sort_all(&measures, parallel);
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
    let observe = |mut partial: L::Partial, block: &mut Block| {
        prepare(block);
        lens.observe(&mut partial, block);
        partial
    };
    let merge = |mut a: L::Partial, b: L::Partial| {
        a.merge(b);
        a
    };
    if parallel {
        // A chunk a thread makes few partials; they can be large.
        let chunk = blocks.len().div_ceil(4 * rayon::current_num_threads()).max(1);
        let partials = blocks.par_chunks_mut(chunk).map(|chunk| chunk.iter_mut().fold(lens.empty(windows), observe));
        partials.reduce(|| lens.empty(windows), merge)
    } else {
        blocks.iter_mut().fold(lens.empty(windows), observe)
    }
}

fn sort_all(measures: &[Measures], parallel: bool) -> Vec<SortedMeasures> {
    let sort = |m: &Measures| SortedMeasures {
        recency: Ranks::new(&m.recency),
        frequency: Ranks::new(&m.frequency),
        monetary: Ranks::new(&m.monetary),
        spend: Ranks::new(&m.spend),
    };
    if parallel { measures.par_iter().map(sort).collect() } else { measures.iter().map(sort).collect() }
}

fn score(block: &mut Block, scorers: &[Scorer]) {
    for (window, scorer) in block.windows.iter_mut().zip(scorers) {
        let values = window.recency_days.iter().zip(&window.frequency).zip(&window.monetary);
        window.scores = values.map(|((&r, &f), &m)| scorer.score(r.into(), f, m)).collect();
    }
}
