//! RFM scores: quantile bins over all customers of a window.
//!
//! The method is pandas 2's `qcut(duplicates="drop")`, down to the order of its floating-point operations: edges by linear interpolation
//! (numpy's `lerp`), equal edges dropped, bins `(lo, hi]` with the lowest edge included. Edges are the only floats of this crate. Once
//! known they are turned into thresholds on integers, so scoring a customer is a few integer comparisons per dimension.

use crate::lens::order_stats::Ranks;
use crate::money::Fixed2;
use serde::{Deserialize, Serialize};

/// The score of everybody where there is only one distinct value.
const MIDDLE: u8 = 3;

/// The cuts of one dimension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Cuts {
    Uniform,
    Bins {
        /// Ascending: for every edge that a value lies above, the smallest such value.
        above: Vec<i64>,
        /// The largest bin in use.
        top: u8,
        reversed: bool,
    },
}

impl Cuts {
    fn new(ranks: &Ranks, bins: u32, to_f64: fn(i64) -> f64, reversed: bool) -> Self {
        // Beyond 2⁵³ cents, amounts that differ may share a double, and then they are one value.
        let distinct = ranks.distinct_by(to_f64);
        if distinct <= 1 {
            return Cuts::Uniform;
        }
        let bins = u64::from(bins).min(distinct);
        let edges = edges(ranks, bins, to_f64);
        let above: Vec<i64> = edges.iter().filter_map(|&edge| ranks.first_where(|v| to_f64(v) > edge)).collect();
        let top = bin(&above, ranks.max());
        Cuts::Bins { above, top, reversed }
    }

    #[inline]
    fn score(&self, value: i64) -> u8 {
        match self {
            Cuts::Uniform => MIDDLE,
            Cuts::Bins { above, top, reversed } => {
                let bin = bin(above, value);
                if *reversed { top - bin + 1 } else { bin + 1 }
            }
        }
    }
}

/// The bin of a value: the number of edges below it, minus 1, at least 0.
#[inline]
fn bin(above: &[i64], value: i64) -> u8 {
    above.iter().map(|&a| u8::from(a <= value)).sum::<u8>().max(1) - 1
}

/// The q + 1 quantile edges with equal neighbours dropped.
fn edges(ranks: &Ranks, q: u64, to_f64: fn(i64) -> f64) -> Vec<f64> {
    let n = ranks.len();
    let step = 1.0 / q as f64;
    let mut edges = Vec::with_capacity(q as usize + 1);
    for k in 0..=q {
        let p = if k == q { 1.0 } else { k as f64 * step };
        let p = (p * 100.0) / 100.0;
        let v = (n - 1) as f64 * p;
        let i = v.floor();
        let g = v - i;
        let i = i as u64;
        let (a, b) = (to_f64(ranks.at(i)), to_f64(ranks.at((i + 1).min(n - 1))));
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

    /// Recency, frequency and monetary score.
    #[inline]
    pub fn score(&self, recency_days: i64, frequency: i64, monetary_cents: i64) -> [u8; 3] {
        [self.recency.score(recency_days), self.frequency.score(frequency), self.monetary.score(monetary_cents)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lens::order_stats::Histogram;

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

    #[test]
    fn ties_use_fewer_bins() {
        assert_eq!(scores(&[1, 1, 1, 1, 2], 5, false), [1, 1, 1, 1, 1]);
        // The edge at two thirds of [1, 1, 2, 3] is a hair below 2 in doubles, as it is in pandas.
        assert_eq!(scores(&[1, 1, 2, 3], 5, false), [1, 1, 2, 2]);
        assert_eq!(scores(&[1, 2, 3, 4, 5], 5, false), [1, 2, 3, 4, 5]);
        assert_eq!(scores(&[1, 2, 3, 4, 5], 5, true), [5, 4, 3, 2, 1]);
        assert_eq!(scores(&[1, 2], 1, false), [1, 1]);
    }
}
