//! Reduce: partitions → blocks → merged partials → answers. The last stage that computes; [`report`](crate::report) only shows.
//!
//! All passes run in parallel, and none depends on order. First the blocks are made and counted: partitions are finished and cut into
//! [`Blocks`], and Lens 1 and Lens 2 observe them. Then come up to 7 refining passes where histograms gave up precision. Last is a pass
//! with scores: the other lenses observe each block, and its rows are written where that is wanted.

use crate::accumulate::Closed;
use crate::base::error::{Result, Stage};
use crate::base::merge::Merge;
use crate::base::threads::parallel_fold;
use crate::finalize::Block;
use crate::finalize::arithmetic::Finalizer;
use crate::finalize::blocks::{Blocks, Span, Workspace};
use crate::finalize::finish::{Finished, Resources, finish};
use crate::finalize::pass_progress::PassProgress;
use crate::lens::Lens;
use crate::lens::bridge::RevenueBridge;
use crate::lens::cohort_answers::Cohorts;
use crate::lens::cohorts::{CohortLens, CohortSums};
use crate::lens::distribution::Distribution;
use crate::lens::lens1::{Lens1, Lens1Metrics};
use crate::lens::lens2::{Change, Lens2};
use crate::lens::more::More;
use crate::lens::refining::{Refinements, Refining};
use crate::lens::score_migration::ScoreMigrations;
use crate::lens::segment_counts::SegmentLens;
use crate::lens::sorted_spends::coefficients;
use crate::model::reject::{LeftOut, OnBadRow, Reason};
use crate::report::rfm_columns::RfmColumn;
use crate::report::rfm_rows::Rfm;
use crate::report::rows::Rows;
use crate::report::stream::Stream;
use crate::report::table::TableWriter;
use crate::report::{PairAnswers, WindowAnswers};
use crate::spec::Spec;
use crate::stats::Stats;
use std::sync::Arc;

/// The answers of all passes.
pub(crate) struct Reduced<A> {
    /// With scorers.
    pub(crate) blocks: Blocks,
    pub(crate) windows: Vec<WindowAnswers>,
    pub(crate) pairs: Vec<PairAnswers>,
    /// With the sums that they follow from.
    pub(crate) cohorts: Option<(Cohorts, CohortSums)>,
    pub(crate) warnings: Vec<String>,
    /// Customers left out of a window.
    pub(crate) left_out: LeftOut,
    pub(crate) custom: A,
}

/// Finishes the partitions, asks the built-in lenses and the caller's own, on the threads of the current pool. With netted refunds, customers
/// whom they leave without an order or with less than nothing do not end the run.
pub(crate) fn reduce<L: Lens>(
    (spec, nets_refunds): (&Spec, bool),
    partitions: Vec<Closed>,
    memory: &Resources,
    finalizer: Finalizer,
    custom: &L,
    stats: &Stats,
    rfm: Option<(&mut TableWriter, &[RfmColumn])>,
) -> Result<Reduced<L::Answer>> {
    stats.enter(Stage::Finalize);
    let windows = finalizer.windows.clone();
    let threads = rayon::current_num_threads();
    let cohorts = spec.cohorts.then(|| CohortLens::of(spec, &windows)).transpose()?;
    let first = (Lens1::sharing(memory.plan.histogram_values, windows.len(), threads), Lens2::new(&windows));
    let observe_block = |partial: &mut _, block: &Block| first.observe(partial, block);
    let Finished { mut blocks, partial, mut refused } =
        finish(partitions, memory, finalizer, || first.empty(&windows), observe_block, stats)?;
    if nets_refunds {
        // That refunds may leave a customer without an order, or with less than nothing, was accepted with them.
        [Reason::NoOrders, Reason::NegativeSpend].into_iter().for_each(|reason| refused.causes.forget(reason));
    }
    if spec.on_bad_row == OnBadRow::Fail && !refused.causes.is_empty() {
        let rows = stats.rows_read();
        return Err(refused.causes.into_error(rows, spec.fail_fast).stage(Stage::Finalize));
    }
    stats.enter(Stage::Lens);
    let (measures, bridges) = first.finish(&windows, partial);
    let mut refining = Refining::new(measures, spec.bins, &spec.percentiles, threads > 1);
    while refining.needs_pass() {
        let observe = |refinements: &mut Refinements, at, workspace: &mut Workspace| {
            refinements.observe(blocks.block(at, workspace)?);
            Ok(())
        };
        refining.absorb(pass(Stage::Lens, &blocks, || refining.pass(), observe, stats)?);
    }
    let sorted = refining.finish();
    blocks.set_scorers(sorted.iter().map(|s| s.scorer(spec.bins, &spec.cut_points)).collect());

    let ginis = coefficients(&sorted, &blocks, || memory.sorting(threads))?;

    let segments = spec.segments.clone().map(|segments| SegmentLens::new(Arc::new(segments), &windows));
    let second = ((Distribution, ScoreMigrations::new(&windows)), ((segments, cohorts), custom));
    let partial = match rfm {
        None => observe(&blocks, &second, stats)?,
        Some((table, columns)) => {
            let rows = Rfm::new(&windows, columns, spec.segments.as_ref());
            table.takes(&rows.schema())?;
            table.fit_groups(blocks.ids().mean());
            let spans = Span::cut(&blocks.rows(), table.rows_per_part());
            let progress = PassProgress::begin(Stage::Reduce, &blocks, spans.iter().flat_map(Span::numbers), stats);
            let stream = Stream::new(&blocks, rows, &second, |at| progress.finished(at), spans);
            match table.write_stream_with(&stream, memory.plan.groups) {
                Ok(()) => stream.into_partial(),
                // The reader of the rows has gone away, but the answers are still wanted. The table reports it at its end.
                Err(error) if error.is_broken_pipe() => observe(&blocks, &second, stats)?,
                Err(error) => return Err(error),
            }
        }
    };
    let cohort_sums = partial.1.0.1.clone();
    let ((distributions, score_migrations), ((segments, cohorts), custom)) = second.finish(&windows, partial);
    let (segments, mut segment_migrations) = segments.unzip();
    let segments = segments.map_or_else(|| vec![None; windows.len()], |all| all.into_iter().map(Some).collect());

    let of_windows: Vec<WindowAnswers> = sorted
        .iter()
        .zip(ginis)
        .zip(distributions.into_iter().zip(segments))
        .map(|((measures, gini), (cells, segments))| {
            let (frequency, spend) = (&measures.frequency, &measures.spend);
            let distribution = cells.iter().map(|(score, cell)| (score.clone(), cell.customers)).collect();
            let lens1 = Lens1Metrics::new(frequency, spend, &spec.percentiles, distribution);
            WindowAnswers { lens1, more: More::new(frequency, spend, gini, cells), segments }
        })
        .collect();
    let sales = |at: usize| (of_windows[at].lens1.total_revenue.hundredths(), of_windows[at].lens1.total_orders);
    let (mut pairs, mut warnings) = (Vec::new(), Vec::new());
    for (at, (bridge, score_migration)) in bridges.into_iter().zip(score_migrations).enumerate() {
        let (before, after) = (sales(at), sales(at + 1));
        let lens2 = Change::new(bridge.migration(), before, after);
        warnings.extend(lens2.warnings(&windows[at].name, &windows[at + 1].name, before));
        let revenue_bridge = RevenueBridge::new(&bridge, before.0, after.0);
        let segment_migration = segment_migrations.as_mut().map(|all| std::mem::take(&mut all[at]));
        pairs.push(PairAnswers { lens2, revenue_bridge, score_migration, segment_migration });
    }
    for ((window, scorer), answers) in windows.iter().zip(blocks.scorers()).zip(&of_windows) {
        let best = scorer.best_scores();
        let beyond = spec.segments.as_ref().map(|segments| segments.beyond(best)).unwrap_or_default();
        if !beyond.is_empty() && answers.lens1.total_customers > 0 {
            let [r, f, m] = best;
            let what = format!("so many customers of {} have equal values that scores go up to R{r}, F{f} and M{m}", window.name);
            warnings.push(format!("{what}: nobody there can be in {}", beyond.join(", ")));
        }
    }
    let cohorts = cohorts.zip(cohort_sums);
    Ok(Reduced { blocks, windows: of_windows, pairs, cohorts, warnings, left_out: refused.counts, custom })
}

/// A pass over all blocks, in a stage: `observe` makes the one that it needs.
fn pass<P: Merge + Send>(
    stage: Stage,
    blocks: &Blocks,
    empty: impl Fn() -> P + Sync,
    observe: impl Fn(&mut P, usize, &mut Workspace) -> Result<()> + Sync,
    stats: &Stats,
) -> Result<P> {
    let progress = PassProgress::begin(stage, blocks, 0..blocks.len(), stats);
    let start = || (Workspace::default(), empty());
    let done = parallel_fold(blocks.len(), start, |(workspace, partial), at| {
        observe(partial, at, workspace)?;
        progress.finished(at);
        Ok(())
    })?;
    Ok(done.into_iter().fold(empty(), |mut all, (_, partial)| {
        all.merge(partial);
        all
    }))
}

/// A pass over scored blocks.
fn observe<L: Lens>(blocks: &Blocks, lens: &L, stats: &Stats) -> Result<L::Partial> {
    let empty = || lens.empty(&blocks.finalizer().windows);
    let observe = |partial: &mut L::Partial, at, workspace: &mut Workspace| {
        lens.observe(partial, blocks.scored(at, workspace)?);
        Ok(())
    };
    pass(Stage::Reduce, blocks, empty, observe, stats)
}
