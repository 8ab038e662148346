//! Lens 2: one window against the next. Exact within a run, because a customer's windows meet in one block.
//!
//! The lens [`Lens2`] sums the customers who were retained, churned, new or reactivated, and what they spent, into a
//! [`Bridge`] a pair. Two answers follow from it: [`Change`], which adds the changes of revenue that come from Lens 1
//! of both windows, and the [`RevenueBridge`](super::bridge::RevenueBridge).

use super::Lens;
use super::bridge::{Bridge, decode_bridges, encode_bridges};
use super::portable::{PortableLens, foreign};
use crate::base::error::Result;
use crate::base::money::{Fixed2, Percent};
use crate::finalize::Block;
use crate::model::window::Window;
use arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};

/// A change beyond this many hundredths of a percent (±500 %) from something that was not zero is worth a warning.
const EXTREME_CHANGE: i128 = 50_000;

/// A customer's change between two windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Active in both.
    Retained,
    /// Active in the first only.
    Churned,
    /// Active in the second only, and never seen before it.
    New,
    /// Active in the second only, but seen before it.
    Reactivated,
}

impl Status {
    /// The name in migration rows.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Retained => "retained",
            Status::Churned => "churned",
            Status::New => "new",
            Status::Reactivated => "reactivated",
        }
    }
}

/// Calls `take` for every customer of the block and pair of adjacent windows in either of which they are active: with the customer, the
/// place of the pair's first window, what became of them, and a row of theirs in the block: in the pair's first window if they are active
/// there, and then the next row is the second's if they are retained; else in the second. `starts` are those of the windows.
#[inline]
pub fn migrations(block: &Block, starts: &[i64], mut take: impl FnMut(u32, usize, Status, usize)) {
    let rows = block.customer.len();
    let (customers, windows) = (&block.customer[..rows], &block.window[..rows]);
    // Whether the row before was of the same customer, in the window just before.
    let mut follows = false;
    for row in 0..rows {
        let (customer, window) = (customers[row], windows[row] as usize);
        let stays = row + 1 < rows && customers[row + 1] == customer && windows[row + 1] as usize == window + 1;
        if window > 0 && !follows {
            let seen = block.first_seen[customer as usize] < starts[window];
            take(customer, window - 1, if seen { Status::Reactivated } else { Status::New }, row);
        }
        if window + 1 < starts.len() {
            take(customer, window, if stays { Status::Retained } else { Status::Churned }, row);
        }
        follows = stays;
    }
}

/// Customers by status. New counts the reactivated, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Migration {
    /// Active in both windows.
    pub retained: u64,
    /// Active in the first only.
    pub churned: u64,
    /// Active in the second only.
    pub new: u64,
    /// Those of the new who were seen before the second window.
    pub reactivated: u64,
}

/// Sums the migrations of every pair of adjacent windows.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Lens2 {
    /// The start of each window.
    starts: Vec<i64>,
}

impl Lens2 {
    /// For these windows.
    pub fn new(windows: &[Window]) -> Self {
        Lens2 { starts: windows.iter().map(|w| w.start).collect() }
    }
}

impl Lens for Lens2 {
    type Partial = Vec<Bridge>;
    type Answer = Vec<Bridge>;

    fn empty(&self, windows: &[Window]) -> Vec<Bridge> {
        vec![Bridge::default(); windows.len().saturating_sub(1)]
    }

    fn observe(&self, partial: &mut Vec<Bridge>, block: &Block) {
        let spend = &block.total_spend;
        migrations(block, &self.starts, |_, first, status, row| match status {
            Status::Retained => partial[first].add_retained(spend[row], spend[row + 1]),
            Status::Churned => partial[first].churned.add(spend[row].into()),
            Status::New => partial[first].new.add(spend[row].into()),
            Status::Reactivated => partial[first].reactivated.add(spend[row].into()),
        });
    }

    fn finish(&self, _: &[Window], partial: Vec<Bridge>) -> Vec<Bridge> {
        partial
    }
}

impl PortableLens for Lens2 {
    /// One batch, a row a pair of windows: `unchanged` (customers), and for `churned`, `shrunk`, `grown`, `new` and `reactivated` the
    /// customers under that name and the cents in `churned_amount` and so on. `new` are only those who were not seen before.
    fn encode(&self, partial: &Vec<Bridge>, out: &mut Vec<RecordBatch>) -> Result<()> {
        out.push(encode_bridges(partial)?);
        Ok(())
    }

    fn decode(&self, batches: &mut dyn Iterator<Item = RecordBatch>) -> Result<Vec<Bridge>> {
        batches.next().and_then(decode_bridges).ok_or_else(|| foreign("comparison"))
    }
}

/// The answer of Lens 2 for a pair of windows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Change {
    /// Active in both windows.
    pub retained: u64,
    /// Active in the first only.
    pub churned: u64,
    /// Active in the second only.
    pub new: u64,
    /// Those of the new who were seen before.
    pub reactivated: u64,
    /// Retained, in percent of the first window's customers.
    pub retention_rate: Percent,
    /// Churned, in percent of the first window's customers.
    pub churn_rate: Percent,
    /// Reactivated, in percent of the second window's customers.
    pub reactivation_rate: Percent,
    /// The second window's customers less the first's.
    pub customer_count_change: i64,
    /// The change of revenue; 100.00 from nothing to something.
    pub revenue_change_pct: Percent,
    /// The change of revenue per order; 0.00 when either window has no orders.
    pub avg_order_value_change_pct: Percent,
}

/// Revenue in cents and orders of a window.
type Sales = (i128, i128);

impl Change {
    pub(crate) fn new(migration: Migration, first: Sales, second: Sales) -> Self {
        let Migration { retained, churned, new, reactivated } = migration;
        let (n1, n2) = (retained + churned, retained + new);
        let percent = |part: u64, whole: u64| Fixed2::percent(part.into(), whole.into());
        let ((revenue1, orders1), (revenue2, orders2)) = (first, second);
        let order_value_change = if orders1 > 0 && orders2 > 0 { Fixed2::change_of_ratios(first, second) } else { Fixed2::ZERO };
        Change {
            retained,
            churned,
            new,
            reactivated,
            retention_rate: percent(retained, n1),
            churn_rate: percent(churned, n1),
            reactivation_rate: percent(reactivated, n2),
            customer_count_change: n2 as i64 - n1 as i64,
            revenue_change_pct: Fixed2::change_of_ratios((revenue1, 1), (revenue2, 1)),
            avg_order_value_change_pct: order_value_change,
        }
    }

    /// Warnings about changes so large that the data may be wrong.
    pub(crate) fn warnings(&self, from: &str, to: &str, first: Sales) -> Vec<String> {
        let changes = [("revenue", self.revenue_change_pct), ("average order value", self.avg_order_value_change_pct)];
        let extreme = |(_, change): &(&str, Percent)| first.0 > 0 && change.hundredths().abs() > EXTREME_CHANGE;
        let text = |(what, change)| {
            format!("{what} changed by {change} % from {from} to {to}: check that both periods' data are complete and right")
        };
        changes.into_iter().filter(extreme).map(text).collect()
    }
}
