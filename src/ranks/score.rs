//! RFM scores: quantile bins over all customers of a window.
//!
//! The method is pandas 2's `qcut(duplicates="drop")`, down to the order of its floating-point operations: edges by linear interpolation
//! (numpy's `lerp`), equal edges dropped, bins `(lo, hi]` with the lowest edge included. Edges are the only floats of this crate. Once
//! known they are turned into thresholds on integers, so scoring a customer is a few integer comparisons per dimension.
//!
//! A measure with given [cut points](super::cut_points) is scored by those, whatever its values.
//!
//! Where a histogram has buckets, [`Scorer::ask`] collects the order statistics that a [`Scorer`] will need, before it is made.

use super::cut_points::{CutPoints, MeasureCuts};
use super::order_stats::{Open, Ranks};
use crate::base::money::Fixed2;
use serde::{Deserialize, Serialize};

/// The score of all customers where there is only one distinct value.
const MIDDLE: u8 = 3;

/// The cuts of one dimension.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Cuts {
    Uniform,
    Bins {
        /// Ascending, the lowest and the highest value's included; given cut points have infinite ends.
        edges: Vec<f64>,
        /// Ascending: for every edge that a value lies above, the smallest integer above it, whether or not it is a value.
        above: Vec<i64>,
        /// The largest bin in use.
        top: u8,
        reversed: bool,
    },
}

impl Cuts {
    fn new(ranks: &Ranks, bins: u32, to_f64: fn(i64) -> f64, reversed: bool) -> Self {
        // Beyond 2⁵³ cents, amounts that differ may share a double, and then they are one value.
        let distinct = ranks.distinct_by(distinct_limit(bins), to_f64);
        if distinct <= 1 {
            return Cuts::Uniform;
        }
        let edges = edges(ranks, u64::from(bins).min(distinct), to_f64);
        let within = (ranks.min(), ranks.max());
        let above: Vec<i64> = edges.iter().filter_map(|&edge| first_above(within, |v| to_f64(v) > edge)).collect();
        let top = bin(&above, ranks.max());
        Cuts::Bins { edges, above, top, reversed }
    }

    /// Scores by given cut points.
    fn given(cuts: &MeasureCuts, to_f64: fn(i64) -> f64, reversed: bool) -> Self {
        let Some(cuts) = cuts.values() else { return Cuts::Uniform };
        let range = (i64::MIN, i64::MAX);
        // Every value is above a lowest edge; none lies above a cut point beyond all values.
        let above = cuts.iter().filter_map(|&cut| first_above(range, |v| to_f64(v) > cut));
        let above = std::iter::once(i64::MIN).chain(above).collect();
        let edges = [&[f64::NEG_INFINITY], cuts, &[f64::INFINITY]].concat();
        Cuts::Bins { edges, above, top: cuts.len() as u8, reversed }
    }

    /// The edges; nothing where all have one score.
    fn edges(&self) -> Option<&[f64]> {
        match self {
            Cuts::Uniform => None,
            Cuts::Bins { edges, .. } => Some(edges),
        }
    }

    /// Asks what [`Cuts::new`] will want to know.
    fn ask(open: &mut Open<'_>, bins: u32, to_f64: fn(i64) -> f64) {
        let n = open.ranks().len();
        match open.distinct_by(distinct_limit(bins), to_f64) {
            // Where the edges are depends on it.
            None | Some(..2) => {}
            Some(distinct) => edge_ranks(n, u64::from(bins).min(distinct)).flat_map(|(ranks, _)| ranks).for_each(|rank| open.at(rank)),
        }
    }

    fn score(&self, value: i64) -> u8 {
        match self {
            Cuts::Uniform => MIDDLE,
            Cuts::Bins { above, .. } => self.score_of_bin(bin(above, value)),
        }
    }

    fn score_of_bin(&self, bin: u8) -> u8 {
        match self {
            Cuts::Uniform => MIDDLE,
            Cuts::Bins { top, reversed: true, .. } => top - bin + 1,
            Cuts::Bins { .. } => bin + 1,
        }
    }
}

/// More edges than any scores have, and a power of two.
const STEPS: usize = 16;

/// [`Cuts`] for many values: the number of edges that a value lies above is found in four steps, without a branch that may be predicted wrongly.
#[derive(Debug, Clone)]
struct Steps {
    /// As in the cuts, and then values that are never reached.
    above: [i64; STEPS],
    /// By the number of edges.
    scores: [u8; STEPS],
}

impl Steps {
    fn new(cuts: &Cuts) -> Self {
        let edges = match cuts {
            Cuts::Uniform => &[],
            Cuts::Bins { above, .. } => &above[..above.len().min(STEPS - 1)],
        };
        let mut steps = Steps { above: [i64::MAX; STEPS], scores: [0; STEPS] };
        steps.above[..edges.len()].copy_from_slice(edges);
        for (count, score) in steps.scores.iter_mut().enumerate() {
            *score = cuts.score_of_bin(count.clamp(1, edges.len().max(1)) as u8 - 1);
        }
        steps
    }

    #[inline]
    fn score(&self, value: i64) -> u8 {
        let mut count = 0;
        for step in [STEPS / 2, STEPS / 4, STEPS / 8, STEPS / 16] {
            count += if self.above[(count + step - 1) % STEPS] <= value { step } else { 0 };
        }
        self.scores[count % STEPS]
    }
}

/// A [`Scorer`] for the customers of many blocks.
#[derive(Debug, Clone)]
pub(crate) struct BlockScorer {
    recency: Steps,
    frequency: Steps,
    monetary: Steps,
}

impl From<&Scorer> for BlockScorer {
    fn from(scorer: &Scorer) -> Self {
        let Scorer { recency, frequency, monetary } = scorer;
        BlockScorer { recency: Steps::new(recency), frequency: Steps::new(frequency), monetary: Steps::new(monetary) }
    }
}

impl BlockScorer {
    /// Recency, frequency and monetary score.
    #[inline]
    pub(crate) fn score(&self, recency_days: i32, frequency: i64, monetary_cents: i64) -> [u8; 3] {
        [self.recency.score(recency_days.into()), self.frequency.score(frequency), self.monetary.score(monetary_cents)]
    }
}

/// The bin of a value: the number of edges below it, minus 1, at least 0.
#[inline]
fn bin(above: &[i64], value: i64) -> u8 {
    above.iter().map(|&a| u8::from(a <= value)).sum::<u8>().max(1) - 1
}

/// More distinct values than there are bins make no difference, but two and one do.
fn distinct_limit(bins: u32) -> u64 {
    u64::from(bins).max(2)
}

/// The smallest integer from the smallest to the largest value for which a condition holds that stays true from there on.
fn first_above((mut low, max): (i64, i64), holds: impl Fn(i64) -> bool) -> Option<i64> {
    let mut high = max;
    while low < high {
        // Rounded down, so that it is below `high`.
        let middle = low.wrapping_add((high.wrapping_sub(low) as u64 / 2) as i64);
        (low, high) = if holds(middle) { (low, middle) } else { (middle + 1, high) };
    }
    holds(low).then_some(low)
}

/// For each of the q + 1 quantile edges of n values, the ranks of its neighbours, and how far it lies from the first to the second.
fn edge_ranks(n: u64, q: u64) -> impl Iterator<Item = ([u64; 2], f64)> {
    let step = 1.0 / q as f64;
    (0..=q).map(move |k| {
        let p = if k == q { 1.0 } else { k as f64 * step };
        let p = (p * 100.0) / 100.0;
        let v = (n - 1) as f64 * p;
        let i = v.floor();
        ([i as u64, (i as u64).saturating_add(1).min(n - 1)], v - i)
    })
}

/// The q + 1 quantile edges with equal neighbours dropped.
fn edges(ranks: &Ranks, q: u64, to_f64: fn(i64) -> f64) -> Vec<f64> {
    let mut edges = Vec::with_capacity(q as usize + 1);
    for (neighbours, g) in edge_ranks(ranks.len(), q) {
        let [a, b] = neighbours.map(|rank| to_f64(ranks.at(rank)));
        let edge = if g >= 0.5 { b - (b - a) * (1.0 - g) } else { a + (b - a) * g };
        if edges.last() != Some(&edge) {
            edges.push(edge);
        }
    }
    edges
}

fn whole(value: i64) -> f64 {
    value as f64
}

fn cents(value: i64) -> f64 {
    Fixed2::from_hundredths(value.into()).to_f64()
}

/// Scores the customers of one window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scorer {
    recency: Cuts,
    frequency: Cuts,
    monetary: Cuts,
}

impl Scorer {
    /// From the order statistics of all customers: recency in days, frequency in orders, monetary in cents; bins for each.
    pub(crate) fn new(recency: &Ranks, frequency: &Ranks, monetary: &Ranks, bins: [u32; 3]) -> Self {
        Scorer {
            recency: Cuts::new(recency, bins[0], whole, true),
            frequency: Cuts::new(frequency, bins[1], whole, false),
            monetary: Cuts::new(monetary, bins[2], cents, false),
        }
    }

    /// Scores the measures that have given cut points by them.
    pub(crate) fn with_given(mut self, cuts: &CutPoints) -> Self {
        cuts.recency.iter().for_each(|cuts| self.recency = Cuts::given(cuts, whole, true));
        cuts.frequency.iter().for_each(|cuts| self.frequency = Cuts::given(cuts, whole, false));
        cuts.monetary.iter().for_each(|cuts| self.monetary = Cuts::given(cuts, cents, false));
        self
    }

    /// The edges of recency, frequency and monetary scores; nothing where all customers have one score.
    pub fn edges(&self) -> [Option<&[f64]>; 3] {
        [self.recency.edges(), self.frequency.edges(), self.monetary.edges()]
    }

    /// The best recency, frequency and monetary score that a customer can have.
    pub(crate) fn best_scores(&self) -> [u8; 3] {
        [&self.recency, &self.frequency, &self.monetary].map(|cuts| match cuts {
            Cuts::Uniform => MIDDLE,
            Cuts::Bins { top, .. } => top + 1,
        })
    }

    /// Asks for the order statistics that [`Scorer::new`] will want to know.
    pub(crate) fn ask(recency: &mut Open<'_>, frequency: &mut Open<'_>, monetary: &mut Open<'_>, bins: [u32; 3]) {
        Cuts::ask(recency, bins[0], whole);
        Cuts::ask(frequency, bins[1], whole);
        Cuts::ask(monetary, bins[2], cents);
    }

    /// Recency, frequency and monetary score.
    #[inline]
    pub fn score(&self, recency_days: i64, frequency: i64, monetary_cents: i64) -> [u8; 3] {
        [self.recency.score(recency_days), self.frequency.score(frequency), self.monetary.score(monetary_cents)]
    }
}

/// Score bins per dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScoreBins {
    /// 1 to 9.
    pub recency: u32,
    /// 1 to 9.
    pub frequency: u32,
    /// 1 to 9.
    pub monetary: u32,
}

impl Default for ScoreBins {
    fn default() -> Self {
        ScoreBins { recency: 5, frequency: 5, monetary: 5 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ranks::histogram::Histogram;
    use proptest::prelude::*;

    fn ranks(values: &[i64]) -> Ranks {
        let mut histogram = Histogram::default();
        values.iter().for_each(|&v| histogram.add(v));
        Ranks::new(&histogram)
    }

    fn scores(values: &[i64], bins: u32, reversed: bool) -> Vec<u8> {
        let cuts = Cuts::new(&ranks(values), bins, whole, reversed);
        values.iter().map(|&v| cuts.score(v)).collect()
    }

    #[test]
    fn all_equal_is_the_middle() {
        assert_eq!(scores(&[7, 7, 7], 5, false), [3, 3, 3]);
        assert_eq!(scores(&[7], 2, true), [3]);
    }

    /// Frozen cut points score as the window's own quantiles do; those of another window score any value.
    #[test]
    fn given_cut_points_score() {
        let given = MeasureCuts::parse(&["5", "10"]).expect("cut points");
        assert_eq!(MeasureCuts::inner(Cuts::given(&given, whole, true).edges()), given);
        for (values, bins) in [(&[1, 2, 3, 4, 5][..], 5), (&[1, 1, 2, 3], 5), (&[1, 1, 1, 1, 2], 5), (&[4, 4], 5), (&[0, 9, 9, 20], 2)] {
            for reversed in [false, true] {
                let own = Cuts::new(&ranks(values), bins, whole, reversed);
                let frozen = Cuts::given(&MeasureCuts::inner(own.edges()), whole, reversed);
                assert!(values.iter().all(|&v| own.score(v) == frozen.score(v)), "{values:?}, {own:?} and {frozen:?}");
            }
        }
        let cuts = MeasureCuts::parse(&["30", "90.5", "1e300"]).expect("cut points");
        let score = |value, reversed| Cuts::given(&cuts, whole, reversed).score(value);
        assert_eq!([i64::MIN, 30, 31, 90, 91, i64::MAX].map(|v| score(v, false)), [1, 1, 2, 2, 3, 3]);
        assert_eq!([-1, 30, 31, 91].map(|v| score(v, true)), [4, 4, 3, 2]);
        let none: &[&str] = &[];
        assert_eq!(Cuts::given(&MeasureCuts::parse(none).expect("none"), whole, true).score(7), 1);
        assert_eq!(Cuts::given(&MeasureCuts::default(), whole, true).score(7), 3);
        let money = MeasureCuts::parse(&["19.99"]).expect("cut points");
        assert_eq!([1_999, 2_000].map(|v| Cuts::given(&money, cents, false).score(v)), [1, 2]);
    }

    #[test]
    fn ties_use_fewer_bins() {
        assert_eq!(scores(&[1, 1, 1, 1, 2], 5, false), [1, 1, 1, 1, 1]);
        // The edge at two thirds of [1, 1, 2, 3] is a hair below 2 in doubles, as it is in pandas.
        assert_eq!(scores(&[1, 1, 2, 3], 5, false), [1, 1, 2, 2]);
        assert_eq!(scores(&[1, 2, 3, 4, 5], 5, false), [1, 2, 3, 4, 5]);
        assert_eq!(scores(&[1, 2, 3, 4, 5], 5, true), [5, 4, 3, 2, 1]);
        assert_eq!(scores(&[1, 2], 1, false), [1, 1]);
    }

    proptest! {
        /// In four steps, a score is what it is edge by edge.
        #[test]
        fn steps_score_as_cuts_do(values in prop::collection::vec(prop_oneof![0..20i64, 0..1i64 << 60], 0..60), bins in 1..10u32, reversed in any::<bool>()) {
            let mut histogram = Histogram::default();
            values.iter().for_each(|&value| histogram.add(value));
            let cuts = if values.is_empty() { Cuts::Uniform } else { Cuts::new(&Ranks::new(&histogram), bins, cents, reversed) };
            let steps = Steps::new(&cuts);
            let around = values.iter().flat_map(|value| [value - 1, *value, value + 1]);
            for value in around.chain([0, 1 << 61]).filter(|&value| value >= 0) {
                prop_assert_eq!(steps.score(value), cuts.score(value), "{} by {:?}", value, cuts);
            }
        }
    }
}
