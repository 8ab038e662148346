//! A Theta sketch of every window's customers: small, mergeable, and comparable with any other of any machine and time, where the
//! customers themselves are not at hand.
//!
//! Sketches are those of Apache DataSketches, with the seed and the hash of its Java and C++ libraries: an id is hashed as its UTF-8
//! bytes, so files go back and forth. What a sketch keeps are the least hashes of all ids, up to k of them, and the next one as their
//! bound; that depends on the customers alone, so its bytes do, too.
//!
//! Source: Dasgupta, Lang, Rhodes and Thaler, "A Framework for Estimating Stream Expression Cardinalities", ICDT 2016.

use super::Lens;
use super::portable::{PortableLens, batch, foreign};
use crate::base::error::{Error, Result};
use crate::base::merge::Merge;
use crate::finalize::Block;
use crate::model::window::Window;
use arrow::array::{Array, AsArray, BinaryArray, RecordBatch};
use datasketches::common::NumStdDev;
use datasketches::hash::value::raw_bytes::from_slice;
use datasketches::theta::{CompactThetaSketch, ThetaANotB, ThetaIntersection, ThetaSketch, ThetaSketchBuilder, ThetaUnionBuilder};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// log₂ of how many hashes a sketch keeps by default: 512 KiB, and errors of 0.8 % in 95 of 100 cases.
pub const DEFAULT_LG_K: u8 = 16;
/// The smallest and the largest that there are.
const LG_K: std::ops::RangeInclusive<u8> = 5..=26;
/// An overlap of fewer kept hashes says nothing of its size.
const TOO_FEW: usize = 10;
/// Of the normal distribution: 95 % lie within so many standard deviations.
const Z: f64 = 1.959_963_984_540_054;

/// Sketches the customers of every window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawSketches")]
pub struct Sketches {
    lg_k: u8,
}

#[derive(Deserialize)]
struct RawSketches {
    lg_k: u8,
}

impl TryFrom<RawSketches> for Sketches {
    type Error = Error;

    fn try_from(raw: RawSketches) -> Result<Self> {
        Sketches::new(raw.lg_k)
    }
}

impl Default for Sketches {
    fn default() -> Self {
        Sketches { lg_k: DEFAULT_LG_K }
    }
}

impl Sketches {
    /// With sketches that keep up to 2^`lg_k` hashes, 8 bytes each.
    ///
    /// # Errors
    /// When `lg_k` is outside 5 to 26.
    pub fn new(lg_k: u8) -> Result<Self> {
        if LG_K.contains(&lg_k) {
            return Ok(Sketches { lg_k });
        }
        Err(Error::usage(format!("a sketch of 2^{lg_k} hashes: there are those of 2^5 to 2^26")))
    }
}

/// The sketch of a window's customers while it is built and merged.
#[derive(Debug)]
pub struct Sketching {
    lg_k: u8,
    /// Of blocks observed here; none before the first.
    own: Option<ThetaSketch>,
    /// Of others.
    others: Option<CompactThetaSketch>,
}

impl Sketching {
    pub(crate) fn new(lg_k: u8) -> Self {
        Sketching { lg_k, own: None, others: None }
    }

    /// Of customers who were sketched elsewhere.
    pub(crate) fn of(sketch: CustomerSketch, lg_k: u8) -> Self {
        Sketching { lg_k, own: None, others: Some(sketch.0) }
    }

    pub(crate) fn add(&mut self, id: &[u8]) {
        if self.own.is_none() {
            self.own = ThetaSketchBuilder::default().lg_k(self.lg_k).build().ok();
        }
        self.own.iter_mut().for_each(|own| own.update(from_slice(id)));
    }

    /// The sketch of all.
    pub(crate) fn compact(&self) -> CustomerSketch {
        let own = self.own.as_ref().map(|own| own.compact(false));
        CustomerSketch::union(own.iter().chain(&self.others), self.lg_k)
    }
}

impl Merge for Sketching {
    fn merge(&mut self, other: Sketching) {
        let own = other.own.map(|own| own.compact(false));
        let all = self.others.iter().chain(&own).chain(&other.others);
        self.others = Some(CustomerSketch::union(all, self.lg_k).0);
    }
}

impl Lens for Sketches {
    type Partial = Vec<Sketching>;
    type Answer = Vec<CustomerSketch>;

    fn empty(&self, windows: &[Window]) -> Vec<Sketching> {
        windows.iter().map(|_| Sketching::new(self.lg_k)).collect()
    }

    fn observe(&self, partial: &mut Vec<Sketching>, block: &Block) {
        let mut scratch = [0; 16];
        for (&customer, &window) in block.customer.iter().zip(&block.window) {
            partial[window as usize].add(block.ids().id(customer as usize, &mut scratch));
        }
    }

    fn finish(&self, _: &[Window], partial: Vec<Sketching>) -> Vec<CustomerSketch> {
        partial.iter().map(Sketching::compact).collect()
    }
}

impl PortableLens for Sketches {
    /// One batch, a row a window: `sketch`, the compact form.
    fn encode(&self, partial: &Vec<Sketching>, out: &mut Vec<RecordBatch>) -> Result<()> {
        let sketches: Vec<Vec<u8>> = partial.iter().map(|sketch| sketch.compact().to_bytes()).collect();
        out.push(batch([("sketch", Arc::new(BinaryArray::from_iter_values(sketches)) as _)])?);
        Ok(())
    }

    fn decode(&self, batches: &mut dyn Iterator<Item = RecordBatch>) -> Result<Vec<Sketching>> {
        let batch = batches.next().ok_or_else(|| foreign("sketch"))?;
        let sketches = batch.column_by_name("sketch").and_then(|column| column.as_binary_opt::<i32>()).ok_or_else(|| foreign("sketch"))?;
        let read = |at: usize| {
            let sketch = CustomerSketch::from_bytes(sketches.value(at)).map_err(|_| foreign("sketch"))?;
            Ok(Sketching::of(sketch, self.lg_k))
        };
        (0..sketches.len()).map(read).collect()
    }
}

/// A sketch of some customers.
#[derive(Debug, Clone)]
pub struct CustomerSketch(CompactThetaSketch);

/// A number of customers: what it most likely is, and between what it lies in 95 of 100 cases. All three are the same where it is exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    /// The most likely.
    pub estimate: u64,
    /// The lower bound.
    pub low: u64,
    /// The upper bound.
    pub high: u64,
}

/// A share in percent, likewise.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// The most likely.
    pub estimate: f64,
    /// The lower bound.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
}

/// Lens 2 as far as sketches tell: what became of the customers of one sketch in another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Overlap {
    /// Customers of the first.
    pub first: Estimate,
    /// Customers of the second.
    pub second: Estimate,
    /// In both; nothing where the sketches have too little in common to say.
    pub retained: Option<Estimate>,
    /// In the first only.
    pub churned: Estimate,
    /// In the second only.
    pub new: Estimate,
    /// Retained, in percent of the first's customers.
    pub retention_rate: Option<Share>,
    /// Churned, in percent of the first's customers.
    pub churn_rate: Option<Share>,
}

/// How many customers two sketches have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InCommon {
    /// None, for certain: one is empty, or both hold all of their customers.
    Disjoint,
    /// None of those that the sketches hold. There may be others: at most so many in 95 of 100 cases.
    AtMost(u64),
    /// Some, for certain.
    Some(Estimate),
}

impl CustomerSketch {
    fn union<'a>(sketches: impl Iterator<Item = &'a CompactThetaSketch>, lg_k: u8) -> Self {
        // Neither can fail: k was checked, and all have the one seed.
        let mut union = ThetaUnionBuilder::default().lg_k(lg_k).build().unwrap_or_else(|e| unreachable!("{e}"));
        sketches.for_each(|sketch| drop(union.update(sketch)));
        CustomerSketch(union.to_sketch(true))
    }

    /// Reads the compact form of any DataSketches library.
    ///
    /// # Errors
    /// When the bytes are no Theta sketch, or one with another seed.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        CompactThetaSketch::deserialize(bytes).map(CustomerSketch).map_err(|e| Error::data("not a Theta sketch").cause(e))
    }

    /// The compact form, ordered, which any DataSketches library reads.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.serialize()
    }

    /// How many customers there are.
    pub fn customers(&self) -> Estimate {
        estimate(&self.0)
    }

    /// Whether it holds all customers, so that what it says is no estimate.
    pub fn is_exact(&self) -> bool {
        !self.0.is_estimation_mode()
    }

    /// How many customers are in both.
    ///
    /// # Errors
    /// When the two do not go together.
    pub fn in_common(&self, other: &CustomerSketch) -> Result<InCommon> {
        let both = self.intersection(other)?;
        let certain = self.0.is_empty() || other.0.is_empty() || self.is_exact() && other.is_exact();
        Ok(match both.num_retained() {
            0 if certain => InCommon::Disjoint,
            0 => InCommon::AtMost(estimate(&both).high),
            some => {
                let Estimate { estimate, low, high } = estimate(&both);
                // Those that were found are there, whatever the estimate's lower bound says.
                InCommon::Some(Estimate { estimate, low: low.max(some as u64), high })
            }
        })
    }

    fn intersection(&self, other: &CustomerSketch) -> Result<CompactThetaSketch> {
        let mut both = ThetaIntersection::default();
        both.update(&self.0).and_then(|()| both.update(&other.0)).map_err(incomparable)?;
        both.to_sketch(true).ok_or_else(|| Error::internal("an intersection without a result"))
    }

    /// Compares these customers with those of another sketch.
    ///
    /// # Errors
    /// When the two do not go together.
    pub fn overlap(&self, second: &CustomerSketch) -> Result<Overlap> {
        let both = self.intersection(second)?;
        let churned = ThetaANotB::default().compute(&self.0, &second.0, true).map_err(incomparable)?;
        let new = ThetaANotB::default().compute(&second.0, &self.0, true).map_err(incomparable)?;
        let exact = self.is_exact() && second.is_exact();
        let enough = exact || both.num_retained() >= TOO_FEW;
        // Both say what became of a random sample of the first's customers: those whose hashes lie below the bound of either sketch.
        let (stayed, left) = (both.num_retained(), churned.num_retained());
        let share = |part: usize| enough.then(|| share(part, stayed + left, exact));
        Ok(Overlap {
            first: self.customers(),
            second: second.customers(),
            retained: enough.then(|| estimate(&both)),
            churned: estimate(&churned),
            new: estimate(&new),
            retention_rate: share(stayed),
            churn_rate: share(left),
        })
    }
}

fn incomparable(cause: datasketches::error::Error) -> Error {
    Error::data("the sketches cannot be compared").cause(cause)
}

fn estimate(sketch: &CompactThetaSketch) -> Estimate {
    let round = |value: f64| value.round().max(0.0) as u64;
    Estimate {
        estimate: round(sketch.estimate()),
        low: round(sketch.lower_bound(NumStdDev::Two)),
        high: round(sketch.upper_bound(NumStdDev::Two)),
    }
}

/// The share of a sample, with Wilson's score interval (Wilson 1927).
fn share(part: usize, whole: usize, exact: bool) -> Share {
    if whole == 0 {
        return Share { estimate: 0.0, low: 0.0, high: if exact { 0.0 } else { 100.0 } };
    }
    let (n, p) = (whole as f64, part as f64 / whole as f64);
    if exact {
        return Share { estimate: 100.0 * p, low: 100.0 * p, high: 100.0 * p };
    }
    let scale = 1.0 + Z * Z / n;
    let center = (p + Z * Z / (2.0 * n)) / scale;
    let reach = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt() / scale;
    Share { estimate: 100.0 * p, low: 100.0 * (center - reach).max(0.0), high: 100.0 * (center + reach).min(1.0) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn sketching(lg_k: u8, ids: std::ops::Range<u32>) -> Sketching {
        let mut sketching = Sketching::new(lg_k);
        ids.for_each(|id| sketching.add(format!("C-{id:09}").as_bytes()));
        sketching
    }

    fn merged(mut a: Sketching, b: Sketching) -> Sketching {
        a.merge(b);
        a
    }

    /// The bytes are those of the customers, however they were spread and in whatever order they came.
    #[test]
    fn a_sketch_depends_on_its_customers_alone() {
        for (lg_k, n) in [(5, 0), (5, 1), (5, 31), (5, 32), (5, 33), (5, 1_000), (10, 1_500), (10, 100_000)] {
            let part = |from: u32, to: u32| sketching(lg_k, n * from / 12..n * to / 12);
            let whole = part(0, 12).compact().to_bytes();
            let halves = || (part(0, 7), part(5, 12));
            let (a, b) = halves();
            assert_eq!(merged(a, b).compact().to_bytes(), whole, "{n} of 2^{lg_k}");
            let (a, b) = halves();
            assert_eq!(merged(b, a).compact().to_bytes(), whole, "{n} of 2^{lg_k}, not commutative");
            let left = merged(merged(part(0, 4), part(4, 8)), part(8, 12));
            let right = merged(part(0, 4), merged(part(4, 8), part(8, 12)));
            assert_eq!((left.compact().to_bytes(), right.compact().to_bytes()), (whole.clone(), whole.clone()), "not associative");
            let empty = || Sketching::new(lg_k);
            assert_eq!(merged(empty(), part(0, 12)).compact().to_bytes(), whole, "no left identity");
            assert_eq!(merged(part(0, 12), empty()).compact().to_bytes(), whole, "no right identity");
            let back = CustomerSketch::from_bytes(&whole).unwrap();
            assert_eq!(back.to_bytes(), whole);
        }
    }

    /// Written by the C++ library of Apache DataSketches 5.2.0.
    #[test]
    fn golden_bytes() {
        let golden: [(u8, u32, &[u8]); 4] = [
            (5, 0, include_bytes!("../../tests/data/sketches/k5_n0.theta")),
            (5, 1, include_bytes!("../../tests/data/sketches/k5_n1.theta")),
            (5, 1_000, include_bytes!("../../tests/data/sketches/k5_n1000.theta")),
            (12, 1_000, include_bytes!("../../tests/data/sketches/k12_n1000.theta")),
        ];
        for (lg_k, n, bytes) in golden {
            let (own, read) = (sketching(lg_k, 0..n).compact().to_bytes(), CustomerSketch::from_bytes(bytes).unwrap());
            assert_eq!(read.to_bytes(), own, "{n} of 2^{lg_k}");
            // Of an empty one, C++ says the seed's hash, too, which means nothing there.
            assert!(n == 0 || own == bytes, "{n} of 2^{lg_k}");
        }
    }

    /// Bounds hold as often as they say, and nearly always within three deviations.
    #[test]
    fn estimates_keep_to_their_bounds() {
        let (mut misses, mut far) = (0, 0);
        for pair in 0..100u32 {
            let (n, shift) = (3_000 + 317 * pair, 40 * pair);
            let base = 1_000_000 * pair;
            let (a, b) = (sketching(10, base..base + n).compact(), sketching(10, base + shift..base + n + shift).compact());
            let overlap = a.overlap(&b).unwrap();
            let check = |Estimate { estimate, low, high }: Estimate, truth: u32| {
                let (miss, reach) = (truth.abs_diff(estimate as u32), (high - low) as u32);
                (!(low..=high).contains(&truth.into()), miss > reach)
            };
            let pairs = [(overlap.first, n), (overlap.second, n), (overlap.new, shift), (overlap.churned, shift)];
            for (estimate, truth) in pairs.into_iter().chain(overlap.retained.map(|retained| (retained, n - shift))) {
                let (out, very) = check(estimate, truth);
                misses += u32::from(out);
                far += u32::from(very);
            }
            if let Some(rate) = overlap.retention_rate {
                let truth = 100.0 * f64::from(n - shift) / f64::from(n);
                misses += u32::from(!(rate.low..=rate.high).contains(&truth));
            }
        }
        assert!(misses < 50 && far < 5, "{misses} and {far} of 600");
    }

    #[test]
    fn small_sketches_are_exact_and_disjoint_large_ones_too_small_to_say() {
        let overlap = sketching(10, 0..500).compact().overlap(&sketching(10, 400..600).compact()).unwrap();
        let exactly = |n| Estimate { estimate: n, low: n, high: n };
        assert_eq!((overlap.first, overlap.second, overlap.retained), (exactly(500), exactly(200), Some(exactly(100))));
        assert_eq!((overlap.churned, overlap.new), (exactly(400), exactly(100)));
        assert_eq!(overlap.retention_rate, Some(Share { estimate: 20.0, low: 20.0, high: 20.0 }));
        let overlap = sketching(10, 0..50_000).compact().overlap(&sketching(10, 49_990..99_990).compact()).unwrap();
        assert_eq!((overlap.retained, overlap.retention_rate, overlap.churn_rate), (None, None, None));
        assert_eq!(sketching(10, 0..500).compact().in_common(&sketching(10, 400..600).compact()).unwrap(), InCommon::Some(exactly(100)));
        assert_eq!(sketching(10, 0..500).compact().in_common(&sketching(10, 500..600).compact()).unwrap(), InCommon::Disjoint);
        assert_eq!(sketching(10, 0..50_000).compact().in_common(&sketching(10, 0..0).compact()).unwrap(), InCommon::Disjoint);
        for (from, to) in [(50_000, 100_000), (50_000, 50_500)] {
            let said = sketching(10, 0..50_000).compact().in_common(&sketching(10, from..to).compact()).unwrap();
            // Of 1 in 49 customers, none was found.
            assert!(matches!(said, InCommon::AtMost(100..300)), "{said:?}");
        }
        let said = sketching(10, 0..50_000).compact().in_common(&sketching(10, 40_000..90_000).compact()).unwrap();
        assert!(matches!(said, InCommon::Some(Estimate { low: 5_000..10_000, high: 10_000..15_000, .. })), "{said:?}");
        assert!(Sketches::new(4).is_err() && Sketches::new(27).is_err() && Sketches::new(26).is_ok());
        assert!(CustomerSketch::from_bytes(b"no sketch").is_err());
    }
}
