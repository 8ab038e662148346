//! Lenses: questions about a finished customer base, as factories of mergeable partials.
//!
//! A lens makes an empty partial, observes blocks into it, and finishes it into an answer; partials merge in between, in any order, on
//! any number of threads. Blocks come from [`finalize`](crate::finalize): Lens 1 and Lens 2 observe blocks without scores, all other
//! lenses blocks with them. Partials go to [`reduce`](crate::reduce). A lens of your own needs a codec ([`PortableLens`]) only if its
//! partials travel between machines.
//!
//! | file | owns |
//! |---|---|
//! | here | [`Lens`], and lenses made of others: pairs, options, references |
//! | `portable` | [`PortableLens`]: partials as Arrow batches |
//! | `lens1` | [`Lens1`] and its answer, [`Lens1Metrics`] |
//! | `measures` | the histograms that Lens 1 counts |
//! | `refining` | further passes where histograms had to give up precision |
//! | `distribution` | [`Distribution`]: customers, orders and revenue per RFM score |
//! | `more` | [`More`] of one window: deciles, Lorenz curve, Gini coefficient, distributions |
//! | `sorted_spends` | the Gini coefficient where histograms leave it open |
//! | `lens2` | [`Lens2`] and its answer, [`Change`]; migrations |
//! | `bridge` | [`Bridge`], the partial of Lens 2; [`RevenueBridge`] |
//! | `score_migration` | [`ScoreMigrations`]: customers by their scores in two adjacent windows |
//! | `cohorts` | [`CohortLens`]: what the customers who came in one window do in later ones |
//! | `cohort_answers` | [`Cohorts`]: Lenses 3, 4 and 5 of them |
//! | `segment_counts` | [`SegmentLens`]: customers by segment, and who moved from which to which |
//! | `sketch` | Theta sketches of customers |
//!
//! Invariant: a partial does not depend on the order of blocks and merges, so an answer depends on the customers alone.

pub(crate) mod bridge;
pub(crate) mod cohort_answers;
pub(crate) mod cohorts;
pub(crate) mod distribution;
pub mod lens1;
pub mod lens2;
pub(crate) mod measures;
pub(crate) mod more;
pub(crate) mod portable;
pub(crate) mod refining;
pub(crate) mod score_migration;
pub(crate) mod segment_counts;
#[cfg(feature = "sketch")]
pub mod sketch;
pub(crate) mod sorted_spends;

pub use bridge::{Bridge, CustomersOnly, Flow, RevenueBridge, WithGain, WithLoss, WithRevenue};
pub use cohort_answers::{
    Cohort, CohortAge, CohortComparison, CohortShare, CohortSizes, Cohorts, ComparedAge, FactorChange, SecondWindow, WindowHealth,
};
pub use cohorts::{CohortLens, CohortSums};
pub use distribution::{Distribution, ScoreCell, ScoreCells};
pub use lens1::{Lens1, Lens1Metrics};
pub use lens2::{Change, Lens2, Migration, Status};
pub use measures::Measures;
pub use more::{Decile, More, OrdersDistribution};
pub use portable::PortableLens;
pub use score_migration::{MovesByScore, ScoreMigration, ScoreMigrations, ScoreMoves};
pub use segment_counts::{INACTIVE, SegmentAnswer, SegmentLens, SegmentMigration, SegmentSums, WindowSegments};

use crate::base::merge::Merge;
use crate::finalize::Block;
use crate::model::window::Window;

/// A question about a customer base.
///
/// This one counts the customers of each window who spent more than 1,000.00:
///
/// ```
/// use lensflow::finalize::Block;
/// use lensflow::model::Window;
/// use lensflow::{Lens, Pipeline};
///
/// struct BigSpenders;
///
/// impl Lens for BigSpenders {
///     type Partial = Vec<u64>;
///     type Answer = Vec<(String, u64)>;
///
///     fn empty(&self, windows: &[Window]) -> Vec<u64> {
///         vec![0; windows.len()]
///     }
///
///     fn observe(&self, counts: &mut Vec<u64>, block: &Block) {
///         for (&window, &cents) in block.window.iter().zip(&block.total_spend) {
///             counts[window as usize] += u64::from(cents > 100_000);
///         }
///     }
///
///     fn finish(&self, windows: &[Window], counts: Vec<u64>) -> Vec<(String, u64)> {
///         windows.iter().map(|window| window.name.clone()).zip(counts).collect()
///     }
/// }
///
/// let mut pipeline = Pipeline::builder().lens(BigSpenders).build()?;
/// pipeline.run_files(&["examples/data/cdnow_periods.csv"])?;
/// let ((), answer) = pipeline.finish()?.custom;
/// assert_eq!(answer[0].0, "1997");
/// # Ok::<(), lensflow::Error>(())
/// ```
pub trait Lens: Send + Sync {
    /// The counts of some blocks, to be merged with those of others.
    type Partial: Merge + Send;
    /// The answer to the question.
    type Answer;

    /// The partial of no block.
    fn empty(&self, windows: &[Window]) -> Self::Partial;

    /// Learns from a block.
    fn observe(&self, partial: &mut Self::Partial, block: &Block);

    /// Turns the merged partial of all blocks into the answer.
    fn finish(&self, windows: &[Window], partial: Self::Partial) -> Self::Answer;
}

/// The lens that asks nothing.
impl Lens for () {
    type Partial = ();
    type Answer = ();

    fn empty(&self, _: &[Window]) {}

    fn observe(&self, (): &mut (), _: &Block) {}

    fn finish(&self, _: &[Window], (): ()) {}
}

/// Two lenses in one pass.
impl<A: Lens, B: Lens> Lens for (A, B) {
    type Partial = (A::Partial, B::Partial);
    type Answer = (A::Answer, B::Answer);

    fn empty(&self, windows: &[Window]) -> Self::Partial {
        (self.0.empty(windows), self.1.empty(windows))
    }

    fn observe(&self, partial: &mut Self::Partial, block: &Block) {
        self.0.observe(&mut partial.0, block);
        self.1.observe(&mut partial.1, block);
    }

    fn finish(&self, windows: &[Window], partial: Self::Partial) -> Self::Answer {
        (self.0.finish(windows, partial.0), self.1.finish(windows, partial.1))
    }
}

/// A lens that may not be wanted.
impl<L: Lens> Lens for Option<L> {
    type Partial = Option<L::Partial>;
    type Answer = Option<L::Answer>;

    fn empty(&self, windows: &[Window]) -> Self::Partial {
        self.as_ref().map(|lens| lens.empty(windows))
    }

    fn observe(&self, partial: &mut Self::Partial, block: &Block) {
        if let (Some(lens), Some(partial)) = (self, partial) {
            lens.observe(partial, block);
        }
    }

    fn finish(&self, windows: &[Window], partial: Self::Partial) -> Self::Answer {
        self.as_ref().zip(partial).map(|(lens, partial)| lens.finish(windows, partial))
    }
}

/// A lens behind a reference.
impl<L: Lens> Lens for &L {
    type Partial = L::Partial;
    type Answer = L::Answer;

    fn empty(&self, windows: &[Window]) -> L::Partial {
        L::empty(self, windows)
    }

    fn observe(&self, partial: &mut L::Partial, block: &Block) {
        L::observe(self, partial, block);
    }

    fn finish(&self, windows: &[Window], partial: L::Partial) -> L::Answer {
        L::finish(self, windows, partial)
    }
}
