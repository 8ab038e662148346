//! Segments of customers: how many each window has and what they bring, how they lie on the grid of scores, and who moved from which
//! segment to which. Observes blocks that have scores; the rules are [`Segments`].

use super::Lens;
use super::distribution::ScoreCell;
use super::lens2::{Status, migrations};
use crate::base::merge::Merge;
use crate::base::money::{Fixed2, Money, Percent};
use crate::finalize::Block;
pub use crate::model::segments::INACTIVE;
use crate::model::segments::{SegmentValues, Segments};
use crate::model::window::Window;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Counts the customers of segments, by window and by pair of adjacent windows.
#[derive(Debug, Clone)]
pub struct SegmentLens {
    segments: Arc<Segments>,
    /// The start of each window.
    starts: Vec<i64>,
}

/// What [`SegmentLens`] counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SegmentSums {
    windows: Vec<WindowSums>,
    /// By pair: customers by segment before and after, row by row; the last of either is not to be active there.
    moves: Vec<Vec<u64>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct WindowSums {
    /// By segment.
    sums: Vec<ScoreCell>,
    /// Customers by segment, then by recency and frequency score, a digit each.
    cells: Vec<u64>,
}

/// Scores have one digit.
const DIGITS: usize = 10;

impl Merge for WindowSums {
    fn merge(&mut self, other: WindowSums) {
        self.sums.merge(other.sums);
        self.cells.merge(other.cells);
    }
}

impl Merge for SegmentSums {
    fn merge(&mut self, other: SegmentSums) {
        self.windows.merge(other.windows);
        self.moves.merge(other.moves);
    }
}

/// A segment of one window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SegmentAnswer {
    /// Its name.
    pub segment: String,
    /// Customers.
    pub customers: u64,
    /// In percent of the window's customers.
    pub customers_pct: Percent,
    /// Their orders.
    pub orders: i128,
    /// What they spent.
    pub revenue: Money,
    /// In percent of the window's revenue.
    pub revenue_pct: Percent,
    /// Revenue per order.
    pub average_order_value: Money,
}

/// The segments of one window.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WindowSegments {
    /// In the order of the rules, `other` last; those without customers, too.
    pub segments: Vec<SegmentAnswer>,
    /// Customers by segment, per recency and frequency score; only what occurs.
    pub cells: BTreeMap<String, BTreeMap<String, u64>>,
}

/// Customers by segment in the first window, then by segment in the second; `inactive` are those who are not active there. Only what occurs.
pub type SegmentMigration = BTreeMap<String, BTreeMap<String, u64>>;

/// A customer's values in a row of a block.
#[inline]
pub(crate) fn values(block: &Block, row: usize) -> SegmentValues {
    SegmentValues {
        scores: block.scores[row],
        orders: block.frequency[row],
        recency_days: block.recency_days[row].into(),
        total_spend: block.total_spend[row],
        monetary: block.monetary[row],
    }
}

/// The segments of a migration: before and after, nothing where the customer is not active.
#[inline]
pub(crate) fn moved(segments: &Segments, block: &Block, status: Status, row: usize) -> [Option<usize>; 2] {
    let of = |row: usize| Some(segments.of(&values(block, row)));
    match status {
        Status::Retained => [of(row), of(row + 1)],
        Status::Churned => [of(row), None],
        Status::New | Status::Reactivated => [None, of(row)],
    }
}

impl SegmentLens {
    /// For these windows.
    pub fn new(segments: Arc<Segments>, windows: &[Window]) -> Self {
        SegmentLens { segments, starts: windows.iter().map(|w| w.start).collect() }
    }

    fn names(&self) -> &[String] {
        self.segments.names()
    }

    fn answer(&self, window: &WindowSums) -> WindowSegments {
        let whole = window.sums.iter().fold(ScoreCell::default(), |mut whole, cell| {
            whole.merge(*cell);
            whole
        });
        let segment = |(name, sum): (&String, &ScoreCell)| SegmentAnswer {
            segment: name.clone(),
            customers: sum.customers,
            customers_pct: Fixed2::percent(sum.customers.into(), whole.customers.into()),
            orders: sum.orders,
            revenue: sum.revenue,
            revenue_pct: Fixed2::percent(sum.revenue.hundredths(), whole.revenue.hundredths()),
            // Cents over orders, in hundredths: a quotient of cents scaled down by the 100 that quotients scale up by.
            average_order_value: Fixed2::quotient(sum.revenue.hundredths(), sum.orders.saturating_mul(100)),
        };
        let mut cells: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        let places = self.names().iter().flat_map(|name| (0..DIGITS * DIGITS).map(move |score| (name, score)));
        for ((name, score), &customers) in places.zip(&window.cells).filter(|(_, customers)| **customers > 0) {
            cells.entry(format!("{score:02}")).or_default().insert(name.clone(), customers);
        }
        WindowSegments { segments: self.names().iter().zip(&window.sums).map(segment).collect(), cells }
    }

    fn migration(&self, moves: &[u64]) -> SegmentMigration {
        let names = || self.names().iter().map(String::as_str).chain([INACTIVE]);
        let mut migration = SegmentMigration::new();
        let places = names().flat_map(|from| names().map(move |to| (from, to)));
        for ((from, to), &customers) in places.zip(moves).filter(|(_, customers)| **customers > 0) {
            migration.entry(from.to_owned()).or_default().insert(to.to_owned(), customers);
        }
        migration
    }
}

impl Lens for SegmentLens {
    type Partial = SegmentSums;
    type Answer = (Vec<WindowSegments>, Vec<SegmentMigration>);

    fn empty(&self, windows: &[Window]) -> SegmentSums {
        let names = self.names().len();
        let window = WindowSums { sums: vec![ScoreCell::default(); names], cells: vec![0; names * DIGITS * DIGITS] };
        let moves = vec![0; (names + 1) * (names + 1)];
        SegmentSums { windows: vec![window; windows.len()], moves: vec![moves; windows.len().saturating_sub(1)] }
    }

    fn observe(&self, partial: &mut SegmentSums, block: &Block) {
        for row in 0..block.len() {
            let customer = values(block, row);
            let at = self.segments.of(&customer);
            let window = &mut partial.windows[block.window[row] as usize];
            let revenue = Fixed2::from_hundredths(customer.total_spend.into());
            window.sums[at].merge(ScoreCell { customers: 1, orders: customer.orders.into(), revenue });
            let [r, f, _] = customer.scores.map(usize::from);
            window.cells[(at * DIGITS + r) * DIGITS + f] += 1;
        }
        let inactive = self.names().len();
        migrations(block, &self.starts, |_, first, status, row| {
            let [from, to] = moved(&self.segments, block, status, row).map(|at| at.unwrap_or(inactive));
            partial.moves[first][from * (inactive + 1) + to] += 1;
        });
    }

    fn finish(&self, _: &[Window], partial: SegmentSums) -> Self::Answer {
        let windows = partial.windows.iter().map(|window| self.answer(window)).collect();
        (windows, partial.moves.iter().map(|moves| self.migration(moves)).collect())
    }
}
