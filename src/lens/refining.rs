//! Exact answers from histograms that had to give up some of their precision: further passes over the blocks, for what is still open.
//!
//! [`reduce`](crate::reduce) starts with the [`Measures`] of all blocks. As long as [`Refining::needs_pass`], it lets [`Refinements`]
//! observe every block once more and gives them back. Histograms within their limit need no pass; others one or two as a rule, and at
//! most 7. A pass answers for as many windows as fit its memory, in their order; more windows than that take more passes.

use super::lens1::Lens1Metrics;
use super::measures::{Measures, SortedMeasures};
use super::more::More;
use crate::base::merge::Merge;
use crate::finalize::Block;
use crate::ranks::refinement::Refinement;
use crate::ranks::score::Scorer;
use rayon::prelude::*;

/// The most cells that one thread holds in a pass, unless one window needs more: 12 MiB.
const MAX_CELLS: usize = 1 << 18;
/// So often cells are told apart for the Gini coefficient alone. Where that has not settled it, sorting all spends does.
const GINI_PASSES: std::ops::Range<u8> = 0..if cfg!(test) { 0 } else { 3 };

/// The questions that are still open of every window's measures.
#[derive(Debug)]
pub(crate) struct Refining<'a> {
    sorted: Vec<SortedMeasures>,
    bins: u32,
    percentiles: &'a [u32],
    max_cells: usize,
    next: Refinements,
    /// Of each window: in how many passes something of it was refined.
    passes: Vec<u8>,
}

impl<'a> Refining<'a> {
    /// The measures of all blocks, to be asked for scores and Lens 1.
    pub(crate) fn new(measures: Vec<Measures>, bins: u32, percentiles: &'a [u32], parallel: bool) -> Self {
        let sort = SortedMeasures::new;
        let sorted = if parallel { measures.into_par_iter().map(sort).collect() } else { measures.into_iter().map(sort).collect() };
        Refining::of_sorted(sorted, bins, percentiles, MAX_CELLS)
    }

    fn of_sorted(sorted: Vec<SortedMeasures>, bins: u32, percentiles: &'a [u32], max_cells: usize) -> Self {
        let passes = vec![0; sorted.len()];
        let mut refining = Refining { sorted, bins, percentiles, max_cells, next: Refinements::default(), passes };
        refining.plan();
        refining
    }

    /// Whether the blocks must be observed once more.
    pub(crate) fn needs_pass(&self) -> bool {
        !self.next.windows.is_empty()
    }

    /// The partial that has to observe every block: one such, or several that are merged.
    pub(crate) fn pass(&self) -> Refinements {
        self.next.clone()
    }

    /// Takes in the partial of all blocks.
    pub(crate) fn absorb(&mut self, pass: Refinements) {
        for ((sorted, passes), refinements) in self.sorted.iter_mut().zip(&mut self.passes).zip(pass.windows) {
            *passes += u8::from(refinements.iter().any(|refinement| !refinement.is_empty()));
            let [recency, frequency, monetary, spend] = refinements;
            sorted.recency.refine(recency);
            sorted.frequency.refine(frequency);
            sorted.monetary.refine(monetary);
            sorted.spend.refine(spend);
        }
        self.plan();
    }

    /// Measures that answer for scores, Lens 1 and what there is beside it exactly, once no pass is needed; but the Gini coefficient may be
    /// open still.
    pub(crate) fn finish(self) -> Vec<SortedMeasures> {
        self.sorted
    }

    fn plan(&mut self) {
        let mut cells = 0;
        let mut windows = Vec::new();
        for (sorted, &passes) in self.sorted.iter().zip(&self.passes) {
            let refinements = self.ask(sorted, passes);
            let more: usize = refinements.iter().map(Refinement::len).sum();
            let fits = cells == 0 || cells + more <= self.max_cells;
            cells += if fits { more } else { 0 };
            windows.push(if fits { refinements } else { Default::default() });
            if !fits {
                break;
            }
        }
        let needed = windows.iter().rposition(|w| w.iter().any(|r| !r.is_empty())).map_or(0, |last| last + 1);
        windows.truncate(needed);
        self.next = Refinements { windows };
    }

    /// Every question that [`Scorer::new`], [`Lens1Metrics::new`] and [`More::new`] will have.
    fn ask(&self, sorted: &SortedMeasures, passes: u8) -> [Refinement; 4] {
        let SortedMeasures { recency, frequency, monetary, spend } = sorted;
        let mut open = [recency.open(), frequency.open(), monetary.open(), spend.open()];
        let [recency, frequency, monetary, spend] = &mut open;
        Scorer::ask(recency, frequency, monetary, [self.bins; 3]);
        Lens1Metrics::ask(frequency, spend, self.percentiles);
        More::ask(frequency, spend);
        if GINI_PASSES.contains(&passes) {
            spend.gini();
        }
        open.map(|open| open.refinement())
    }
}

/// The partial of a pass: recency, frequency, monetary and spend of the first windows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Refinements {
    windows: Vec<[Refinement; 4]>,
}

impl Refinements {
    /// Learns from a block.
    pub(crate) fn observe(&mut self, block: &Block) {
        let values = block.recency_days.iter().zip(&block.frequency).zip(block.monetary.iter().zip(&block.total_spend));
        for (&window, ((&r, &f), (&m, &s))) in block.window.iter().zip(values) {
            self.observe_row(window as usize, r.into(), f, m, s);
        }
    }

    #[inline]
    pub(crate) fn observe_row(&mut self, window: usize, recency: i64, frequency: i64, monetary: i64, spend: i64) {
        if let Some([r, f, m, s]) = self.windows.get_mut(window) {
            r.add(recency);
            f.add(frequency);
            m.add(monetary);
            s.add(spend);
        }
    }
}

impl Merge for Refinements {
    fn merge(&mut self, other: Refinements) {
        for (mine, more) in self.windows.iter_mut().zip(other.windows) {
            mine.iter_mut().zip(more).for_each(|(a, b)| a.merge(b));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::base::money::Fixed4;
    use crate::ranks::cut_points::CutPoints;
    use crate::ranks::histogram::Histogram;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Row = [i64; 4];
    const PERCENTILES: [u32; 4] = [1, 10, 20, 50];

    /// Values of one kind: one value, few, cents, ties where doubles are the same, clusters within clusters, any.
    fn values() -> impl Strategy<Value = Vec<i64>> {
        let far = prop_oneof![Just(1i64 << 62), Just(1 << 54), Just(1 << 40), Just(0)];
        let cluster = (0..63u32, 0..6i64).prop_map(|(k, more)| (1i64 << k).saturating_add(more));
        let list = |value: BoxedStrategy<i64>| prop::collection::vec(value, 120).boxed();
        prop_oneof![
            any::<i64>().prop_map(|value| vec![value; 120]),
            list((0..5i64).boxed()),
            list((0..30_000i64).boxed()),
            list((0..=i64::MAX).boxed()),
            list(any::<i64>().boxed()),
            list(cluster.boxed()),
            (far, 1..3_000i64).prop_flat_map(move |(from, width)| list((from..from + width).boxed())),
        ]
    }

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let n = prop_oneof![3 => 0..=120usize, 1 => 0..4usize];
        (n, values(), values(), values(), values()).prop_map(|(n, r, f, m, s)| (0..n).map(|i| [r[i], f[i], m[i], s[i]]).collect())
    }

    /// Which of a few partials observes a row, and which of them is the next to be merged into the first.
    fn grouping() -> impl Strategy<Value = (Vec<usize>, Vec<usize>)> {
        (prop::collection::vec(0..4usize, 120), prop::collection::vec(0..4usize, 3))
    }

    fn in_groups<P: Merge + Clone>(
        empty: &P,
        rows: &[Row],
        (groups, order): &(Vec<usize>, Vec<usize>),
        observe: impl Fn(&mut P, Row),
    ) -> P {
        let mut partials = vec![empty.clone(); 4];
        rows.iter().zip(groups).for_each(|(&row, &group)| observe(&mut partials[group], row));
        for next in order {
            let taken = partials.remove(next % partials.len());
            partials[0].merge(taken);
        }
        partials.remove(0)
    }

    fn add(measures: &mut Measures, [recency, frequency, monetary, spend]: Row) {
        measures.add(recency, frequency, monetary, spend);
    }

    /// The answers of a report, and the passes that it took.
    #[allow(clippy::type_complexity)]
    fn answers(
        limit: usize,
        bins: u32,
        percentiles: &[u32],
        rows: &[Row],
        grouping: &(Vec<usize>, Vec<usize>),
    ) -> ((Lens1Metrics, More), Vec<[u8; 3]>, usize) {
        let measures = in_groups(&Measures::with_limit(limit), rows, grouping, add);
        let mut refining = Refining::new(vec![measures], bins, percentiles, false);
        let mut passes = 0;
        while refining.needs_pass() {
            passes += 1;
            refining.absorb(in_groups(&refining.pass(), rows, grouping, |pass, [r, f, m, s]| pass.observe_row(0, r, f, m, s)));
        }
        let sorted = refining.finish().remove(0);
        let scorer = sorted.scorer(bins, &CutPoints::default());
        let scores = rows.iter().map(|&[r, f, m, _]| scorer.score(r, f, m)).collect();
        let lens1 = Lens1Metrics::new(&sorted.frequency, &sorted.spend, percentiles, BTreeMap::new());
        let gini = sorted.spend.gini().unwrap_or_default();
        ((lens1, More::new(&sorted.frequency, &sorted.spend, gini, BTreeMap::new())), scores, passes)
    }

    /// Every value's score, as the definition has it.
    fn model_scores(values: &[i64], bins: u32, to_f64: impl Fn(i64) -> f64, reversed: bool) -> Vec<u8> {
        let doubles: Vec<f64> = values.iter().map(|&v| to_f64(v)).collect();
        let mut sorted = doubles.clone();
        sorted.sort_by(f64::total_cmp);
        let mut distinct = sorted.clone();
        distinct.dedup();
        if distinct.len() <= 1 {
            return vec![3; values.len()];
        }
        let (n, q) = (values.len(), (bins as usize).min(distinct.len()));
        let edge = |k: usize| {
            let p = if k == q { 1.0 } else { k as f64 * (1.0 / q as f64) };
            let v = (n - 1) as f64 * ((p * 100.0) / 100.0);
            let (i, g) = (v.floor() as usize, v - v.floor());
            let (a, b) = (sorted[i], sorted[(i + 1).min(n - 1)]);
            if g < 0.5 { a + (b - a) * g } else { b - (b - a) * (1.0 - g) }
        };
        let mut edges: Vec<f64> = (0..=q).map(edge).collect();
        edges.dedup();
        let bins: Vec<u8> = doubles.iter().map(|&v| (edges.iter().filter(|&&e| e < v).count().max(1) - 1) as u8).collect();
        let top = bins.iter().copied().max().unwrap_or(0);
        bins.iter().map(|bin| if reversed { top - bin } else { *bin } + 1).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn limits_change_no_answer(rows in rows(), limit in prop_oneof![1..5usize, Just(16), Just(64)], bins in 1..=9u32, all in any::<bool>(), grouping in grouping()) {
            let every: Vec<u32> = (1..=100).collect();
            let percentiles = if all { &every } else { &PERCENTILES[..] };
            let (lens1, scores, passes) = answers(limit, bins, percentiles, &rows, &grouping);
            let (mut expected, _, none) = answers(usize::MAX, bins, percentiles, &rows, &grouping);
            if lens1.1.gini == Fixed4::default() {
                // Left open, or 0.
                expected.1.gini = Fixed4::default();
            }
            prop_assert_eq!(none, 0);
            prop_assert!(passes <= 7, "{passes} passes");
            prop_assert_eq!(&lens1, &expected);

            let column = |at: usize| rows.iter().map(|row| row[at]).collect::<Vec<i64>>();
            let cents = |v: i64| crate::base::money::Fixed2::from_hundredths(v.into()).to_f64();
            let r = model_scores(&column(0), bins, |v| v as f64, true);
            let f = model_scores(&column(1), bins, |v| v as f64, false);
            let m = model_scores(&column(2), bins, cents, false);
            prop_assert_eq!(scores, (0..rows.len()).map(|i| [r[i], f[i], m[i]]).collect::<Vec<_>>());
            prop_assert_eq!(lens1.0.one_time_buyers, column(1).iter().filter(|v| **v == 1).count() as u64);
            let mut spend = column(3);
            spend.sort_unstable();
            prop_assert_eq!(lens1.0.total_revenue.hundredths(), spend.iter().map(|&v| i128::from(v)).sum::<i128>());
        }

        /// However the histograms came about: where one has buckets, all have, and the same ones.
        #[test]
        fn merging_in_any_order_is_the_same(rows in rows(), limit in prop_oneof![1..5usize, Just(16), Just(64)], a in grouping(), b in grouping()) {
            let empty = Measures::with_limit(limit);
            let merged = in_groups(&empty, &rows, &a, add);
            prop_assert_eq!(&merged, &in_groups(&empty, &rows, &b, add));
            let distinct = rows.iter().map(|row| row[3]).collect::<std::collections::BTreeSet<_>>().len();
            prop_assert_eq!(merged.spend.is_exact(), distinct <= limit);
            let mut with_default = Measures::default();
            with_default.merge(merged.clone());
            prop_assert_eq!(&with_default, &merged);
        }
    }

    /// Many windows with something open share the memory of a pass: each gets its turn.
    #[test]
    fn windows_take_turns() {
        let value = |window: usize, i: u64| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (2 + window)) as i64;
        let sorted = (0..5).map(|window| {
            let mut measures = Measures::with_limit(16);
            (0..1_000).for_each(|i| add(&mut measures, [value(window, i); 4]));
            SortedMeasures::new(measures)
        });
        let mut refining = Refining::of_sorted(sorted.collect(), 5, &PERCENTILES, 1);
        let mut passes = 0;
        while refining.needs_pass() {
            let mut pass = refining.pass();
            assert_eq!(pass.windows.iter().filter(|w| w.iter().any(|r| !r.is_empty())).count(), 1);
            for (window, i) in (0..5).flat_map(|window| (0..1_000).map(move |i| (window, i))) {
                let v = value(window, i);
                pass.observe_row(window, v, v, v, v);
            }
            refining.absorb(pass);
            passes += 1;
            assert!(passes <= 35);
        }
        for (window, sorted) in refining.finish().into_iter().enumerate() {
            let mut values: Vec<i64> = (0..1_000).map(|i| value(window, i)).collect();
            values.sort_unstable();
            assert_eq!(sorted.spend.twice_median(), i128::from(values[499]) + i128::from(values[500]));
            assert_eq!(sorted.spend.top_sum(200), values[800..].iter().map(|&v| i128::from(v)).sum());
        }
    }

    #[test]
    fn memory_stays_in_bounds() {
        for (limit, most) in [(1 << 6, 1 << 16), (1 << 10, 1 << 19), (1 << 16, 4 << 20)] {
            let mut histogram = Histogram::with_limit(limit);
            for i in 0..200_000u64 {
                let value = i.wrapping_mul(0x9E37_79B9_7F4A_7C15);
                histogram.add((value >> (1 + i % 60)) as i64);
                assert!(histogram.memory() <= most, "{} bytes for a limit of {limit}", histogram.memory());
            }
        }
    }
}
