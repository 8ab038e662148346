//! Lens 1 partials: what Lens 1 needs to know of every window, in a file that can be combined with others of other machines or countries
//! without a customer's id leaving any of them.
//!
//! | file | owns |
//! |---|---|
//! | here | [`Partials`], the lens; [`Tally`], what it counts of a window |
//! | `pairs` | customers and spend per recency and frequency |
//! | `answers` | [`Lens1Partial`] and its windows: what they answer |
//! | `merge_partials` | merging and comparing; whether two share customers |
//! | `file` | the bytes, drawn there |
//!
//! A tally holds how many customers there are of each spend, how many of each pair of recency and frequency and what they spent, and a
//! Theta sketch of them. From the first two every number of Lens 1 and of what is beside it follows exactly, for any percentiles and any
//! number of score bins, and the grid of recency and frequency scores. What has three-digit scores does not: that takes every customer's
//! monetary value beside the pair, and scores of single partials say nothing of the scores among all customers. The sketch is for one question, whether two partials share customers.
//!
//! Invariants: a partial's bytes depend on the rows and windows alone; merged partials of customers split in any way are the partial of all
//! of them, to the byte; a merge of partials that share customers is refused, and one that may share some has to be asked for.
//!
//! Limits: a partial has no ids, but it is not anonymous. Amounts that only one customer spent are in it, and so are hashes of ids: up to
//! 65,536 a window, in which a known id can be looked for. A customer who has two ids is two customers. Histograms are exact, so they take
//! what they need, beside the engine's memory limit: for every window and thread up to 40 bytes for each distinct amount and 80 for each
//! distinct pair, half as much again while they grow, and 1.5 MiB for the sketch. A file has 20 bytes for each amount, 40 for each pair and
//! up to half a megabyte for each sketch; writing or reading takes up to 8 times its length. A million customers who spend as customers do
//! make 1.7 MB; a million of whom no two spent the same, 21 MB.
//!
//! ```
//! use lensflow::Pipeline;
//! use lensflow::model::{Granularity, Windows};
//! use lensflow::partials::{Lens1Partial, Partials};
//!
//! # fn main() -> lensflow::Result<()> {
//! let every = Windows::Every(Granularity::Quarter);
//! let mut pipeline = Pipeline::builder().windows(every).lens(Partials).build()?;
//! pipeline.run_files(&["examples/data/cdnow_periods.csv"])?;
//! let audit = pipeline.finish()?;
//! let ((), tallies) = audit.custom;
//! let partial = Lens1Partial::new(&audit.report, tallies);
//!
//! // Elsewhere, later:
//! let back = Lens1Partial::from_bytes(&partial.to_bytes()?)?;
//! let lens1 = back.windows()[0].lens1(&[10, 20])?;
//! assert_eq!(lens1.total_revenue, audit.report.windows[0].lens1.total_revenue);
//! // Partials of the same customers do not add up.
//! assert!(Lens1Partial::merge(vec![back, partial], false).is_err());
//! # Ok(())
//! # }
//! ```

pub(crate) mod answers;
pub(crate) mod file;
pub(crate) mod merge_partials;
pub(crate) mod pairs;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod partials_tests;

#[cfg(feature = "text")]
pub use self::answers::render_partials;
pub use self::answers::{Counted, Lens1Partial, Rows, WindowLens1, WindowPartial};
#[cfg(any(test, feature = "testing"))]
pub use self::file::forged_partial;
pub use self::file::is_partial;
pub use self::merge_partials::{Compared, ComparedCohorts, MergedPartial, PartialComparison, Together, compare};

use self::pairs::{Pair, Pairs};
use crate::base::error::Result;
use crate::base::merge::Merge;
use crate::finalize::Block;
use crate::lens::portable::{batch, complete, foreign, sums};
use crate::lens::sketch::{CustomerSketch, DEFAULT_LG_K, Sketching};
use crate::lens::{Lens, PortableLens};
use crate::model::window::Window;
use crate::ranks::histogram::Histogram;
use crate::ranks::order_stats::Ranks;
use arrow::array::{Array, AsArray, Int32Array, Int64Array, LargeBinaryArray, RecordBatch, UInt32Array, UInt64Array};
use arrow::datatypes::{Decimal128Type, Int32Type, Int64Type, UInt32Type, UInt64Type};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Counts what Lens 1 needs to know of every window's customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Partials;

/// The counts of a window's customers.
#[derive(Debug)]
pub struct Tally {
    /// Cents.
    spend: Histogram,
    pairs: Pairs,
    sketch: Sketching,
}

impl Default for Tally {
    fn default() -> Self {
        Tally { spend: Histogram::default(), pairs: Pairs::default(), sketch: Sketching::new(DEFAULT_LG_K) }
    }
}

impl Merge for Tally {
    fn merge(&mut self, other: Tally) {
        self.spend.merge(other.spend);
        self.pairs.merge(other.pairs);
        self.sketch.merge(other.sketch);
    }
}

impl Lens for Partials {
    type Partial = Vec<Tally>;
    type Answer = Vec<Tally>;

    fn empty(&self, windows: &[Window]) -> Vec<Tally> {
        windows.iter().map(|_| Tally::default()).collect()
    }

    fn observe(&self, partial: &mut Vec<Tally>, block: &Block) {
        let mut scratch = [0; 16];
        let values = block.recency_days.iter().zip(&block.frequency).zip(&block.total_spend);
        for ((&customer, &window), ((&recency, &frequency), &spend)) in block.customer.iter().zip(&block.window).zip(values) {
            let tally = &mut partial[window as usize];
            tally.spend.add(spend);
            tally.pairs.add(Pair { recency, frequency, customers: 1, spend: spend.into() });
            tally.sketch.add(block.ids().id(customer as usize, &mut scratch));
        }
    }

    fn finish(&self, _: &[Window], partial: Vec<Tally>) -> Vec<Tally> {
        partial
    }
}

impl PortableLens for Partials {
    /// Three batches, sorted: `window` (its place in the run), `total_spend` (cents), `customers`; `window`, `recency_days`, `frequency`,
    /// `customers` and, unless it is not known, their `total_spend`; and, a row a window, `sketch`, in the compact form.
    fn encode(&self, partial: &Vec<Tally>, out: &mut Vec<RecordBatch>) -> Result<()> {
        encode(partial.iter(), out)
    }

    fn decode(&self, batches: &mut dyn Iterator<Item = RecordBatch>) -> Result<Vec<Tally>> {
        decoded(batches).ok_or_else(|| foreign("Lens 1 partial"))
    }
}

fn encode<'a>(tallies: impl Iterator<Item = &'a Tally> + Clone, out: &mut Vec<RecordBatch>) -> Result<()> {
    let (mut windows, mut cells) = (Vec::new(), Vec::new());
    for (window, tally) in (0u32..).zip(tallies.clone()) {
        cells.extend(tally.spend.sorted());
        windows.resize(cells.len(), window);
    }
    out.push(batch([
        ("window", Arc::new(UInt32Array::from(windows)) as _),
        ("total_spend", Arc::new(Int64Array::from_iter_values(cells.iter().map(|cell| cell.0))) as _),
        ("customers", Arc::new(UInt64Array::from_iter_values(cells.iter().map(|cell| cell.1))) as _),
    ])?);
    let (mut windows, mut cells) = (Vec::new(), Vec::new());
    for (window, tally) in (0u32..).zip(tallies.clone()) {
        cells.extend(tally.pairs.sorted());
        windows.resize(cells.len(), window);
    }
    let mut columns = vec![
        ("window", Arc::new(UInt32Array::from(windows)) as _),
        ("recency_days", Arc::new(Int32Array::from_iter_values(cells.iter().map(|pair| pair.recency))) as _),
        ("frequency", Arc::new(Int64Array::from_iter_values(cells.iter().map(|pair| pair.frequency))) as _),
        ("customers", Arc::new(UInt64Array::from_iter_values(cells.iter().map(|pair| pair.customers))) as _),
    ];
    if tallies.clone().all(|tally| tally.pairs.spend_known()) {
        columns.push(("total_spend", sums(cells.iter().map(|pair| pair.spend))));
    }
    out.push(batch(columns)?);
    let sketches = tallies.map(|tally| tally.sketch.compact().to_bytes());
    out.push(batch([("sketch", Arc::new(LargeBinaryArray::from_iter_values(sketches)) as _)])?);
    Ok(())
}

fn decoded(batches: &mut dyn Iterator<Item = RecordBatch>) -> Option<Vec<Tally>> {
    let (spend, pairs, sketches) = (complete(batches.next()?)?, complete(batches.next()?)?, complete(batches.next()?)?);
    let sketches = sketches.column_by_name("sketch")?.as_binary_opt::<i64>()?;
    let read = |at: usize| {
        let sketch = Sketching::of(CustomerSketch::from_bytes(sketches.value(at)).ok()?, DEFAULT_LG_K);
        Some(Tally { sketch, ..Tally::default() })
    };
    let mut partial = (0..sketches.len()).map(read).collect::<Option<Vec<Tally>>>()?;
    let windows = spend.column_by_name("window")?.as_primitive_opt::<UInt32Type>()?;
    let values = spend.column_by_name("total_spend")?.as_primitive_opt::<Int64Type>()?;
    let customers = spend.column_by_name("customers")?.as_primitive_opt::<UInt64Type>()?;
    let mut spenders = vec![0u64; partial.len()];
    for row in 0..spend.num_rows() {
        let window = windows.value(row) as usize;
        partial.get_mut(window)?.spend.add_many(values.value(row), customers.value(row));
        spenders[window].merge(customers.value(row));
    }
    let windows = pairs.column_by_name("window")?.as_primitive_opt::<UInt32Type>()?;
    let recency = pairs.column_by_name("recency_days")?.as_primitive_opt::<Int32Type>()?;
    let frequency = pairs.column_by_name("frequency")?.as_primitive_opt::<Int64Type>()?;
    let customers = pairs.column_by_name("customers")?.as_primitive_opt::<UInt64Type>()?;
    let spends = match pairs.column_by_name("total_spend") {
        Some(column) => Some(column.as_primitive_opt::<Decimal128Type>()?),
        None => None,
    };
    for row in 0..pairs.num_rows() {
        let tally = partial.get_mut(windows.value(row) as usize)?;
        let spend = spends.map_or(0, |spends| spends.value(row));
        let (recency, frequency, customers) = (recency.value(row), frequency.value(row), customers.value(row));
        tally.pairs.add(Pair { recency, frequency, customers, spend });
    }
    if spends.is_none() {
        partial.iter_mut().for_each(|tally| tally.pairs.forget_spend());
    }
    // All three are of the same customers; two of these may have one hash.
    let agree = |(tally, spenders): (&Tally, &u64)| {
        let (customers, sketch) = (tally.pairs.customers(), tally.sketch.compact());
        let spend_agrees = !tally.pairs.spend_known() || tally.pairs.spend() == Ranks::new(&tally.spend).sum();
        spend_agrees && customers == *spenders && (!sketch.is_exact() || sketch.customers().estimate <= customers)
    };
    partial.iter().zip(&spenders).all(agree).then_some(partial)
}
