//! The measures of a window's customers: four histograms, and their sorted form, from which scores and Lens 1 are computed.

use crate::base::merge::Merge;
use crate::ranks::cut_points::CutPoints;
use crate::ranks::histogram::Histogram;
use crate::ranks::order_stats::Ranks;
use crate::ranks::score::Scorer;
use serde::{Deserialize, Serialize};

/// Recency, frequency, monetary value and spend of a window's customers, counted by value.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Measures {
    /// Days.
    pub recency: Histogram,
    /// Orders.
    pub frequency: Histogram,
    /// Cents per order.
    pub monetary: Histogram,
    /// Cents.
    pub spend: Histogram,
}

impl Measures {
    /// Histograms that count at most so many distinct values one by one, each.
    pub fn with_limit(limit: usize) -> Self {
        Measures::with_limits(limit, limit)
    }

    /// With one limit for days and orders, and one for amounts.
    pub fn with_limits(narrow: usize, wide: usize) -> Self {
        let (few, many) = (|| Histogram::with_limit(narrow), || Histogram::with_limit(wide));
        Measures { recency: few(), frequency: few(), monetary: many(), spend: many() }
    }

    /// Bytes held.
    pub fn memory(&self) -> usize {
        self.all().map(Histogram::memory).iter().sum()
    }

    #[inline]
    pub(crate) fn add(&mut self, recency: i64, frequency: i64, monetary: i64, spend: i64) {
        self.recency.add(recency);
        self.frequency.add(frequency);
        self.monetary.add(monetary);
        self.spend.add(spend);
    }

    pub(super) fn all(&self) -> [&Histogram; 4] {
        [&self.recency, &self.frequency, &self.monetary, &self.spend]
    }

    pub(super) fn by_number(&mut self, measure: u8) -> Option<&mut Histogram> {
        match measure {
            0 => Some(&mut self.recency),
            1 => Some(&mut self.frequency),
            2 => Some(&mut self.monetary),
            3 => Some(&mut self.spend),
            _ => None,
        }
    }
}

impl Merge for Measures {
    fn merge(&mut self, other: Measures) {
        self.recency.merge(other.recency);
        self.frequency.merge(other.frequency);
        self.monetary.merge(other.monetary);
        self.spend.merge(other.spend);
    }
}

/// The sorted measures of a window: what scores and Lens 1 are computed from.
#[derive(Debug, Clone, Default)]
pub(crate) struct SortedMeasures {
    pub(crate) recency: Ranks,
    pub(crate) frequency: Ranks,
    pub(crate) monetary: Ranks,
    pub(crate) spend: Ranks,
}

impl SortedMeasures {
    pub(crate) fn new(measures: Measures) -> Self {
        let Measures { recency, frequency, monetary, spend } = measures;
        let sort = |histogram: Histogram| Ranks::new(&histogram);
        SortedMeasures { recency: sort(recency), frequency: sort(frequency), monetary: sort(monetary), spend: sort(spend) }
    }

    pub(crate) fn scorer(&self, bins: u32, given: &CutPoints) -> Scorer {
        Scorer::new(&self.recency, &self.frequency, &self.monetary, [bins; 3]).with_given(given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lens::lens1::Lens1Metrics;
    use crate::ranks::histogram::Cell;
    use std::collections::BTreeMap;

    /// Cells that overlap, full to the brim: no answer means much, none panics.
    #[test]
    fn foreign_cells_are_survived() {
        let mut histogram = Histogram::with_limit(4);
        for (min, max) in [(i64::MIN, i64::MAX), (0, 9), (i64::MAX - 1, i64::MAX), (i64::MIN, 0)] {
            for count in [u64::MAX, 2] {
                let sum = i128::from(max) * i128::from(count);
                assert!(histogram.add_bucket(Cell { min, max, count, sum }));
                histogram.add(max);
            }
        }
        let measures = Measures { recency: histogram.clone(), frequency: histogram.clone(), monetary: histogram.clone(), spend: histogram };
        let sorted = SortedMeasures::new(measures);
        sorted.scorer(5, &CutPoints::default()).score(0, 0, 0);
        Lens1Metrics::new(&sorted.frequency, &sorted.spend, &[1, 50, 100], BTreeMap::new());
        (0..10).for_each(|k| _ = (sorted.spend.top_sum(k), sorted.spend.at(k)));
    }
}
