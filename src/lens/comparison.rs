//! Lens 2: one window against the next. Exact within a run, because a customer's windows meet in one block.
//!
//! [`Comparison`] counts who was retained, churned, new or reactivated; [`Change`] adds what Lens 1 of both windows knows about money.

use super::Lens;
use super::single_period::{Lens1Metrics, analyze_single_period, batch, foreign};
use crate::base::error::{Error, Result};
use crate::base::merge::Merge;
use crate::base::money::{Fixed2, Percent};
use crate::base::threads::with_threads;
use crate::finalize::Block;
use crate::model::window::Window;
use crate::rfm::RfmMetrics;
use crate::spec::{DEFAULT_PERCENTILES, Parallelism};
use arrow::array::{AsArray, RecordBatch, UInt64Array};
use arrow::datatypes::UInt64Type;
use rayon::slice::ParallelSliceMut;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A change beyond this many hundredths of a percent (±500 %) from something that was not zero is worth a warning.
const EXTREME_CHANGE: i128 = 50_000;

/// What became of a customer between two windows.
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
/// place of the pair's first window, and what became of them. `starts` are those of the windows.
pub fn migrations(block: &Block, starts: &[i64], mut take: impl FnMut(u32, usize, Status)) {
    for rows in block.customer.chunk_by(|a, b| a == b).scan(0, |from, same| {
        *from += same.len();
        Some(*from - same.len()..*from)
    }) {
        let customer = block.customer[rows.start];
        let active = &block.window[rows];
        for (at, &window) in active.iter().enumerate() {
            let window = window as usize;
            let before = at.checked_sub(1).map(|at| active[at] as usize);
            if window > 0 && before != Some(window - 1) {
                let seen = block.first_seen[customer as usize] < starts[window];
                take(customer, window - 1, if seen { Status::Reactivated } else { Status::New });
            }
            if window + 1 < starts.len() {
                let stays = active.get(at + 1).is_some_and(|&next| next as usize == window + 1);
                take(customer, window, if stays { Status::Retained } else { Status::Churned });
            }
        }
    }
}

/// Customers by what became of them. New counts the reactivated, too.
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

impl Merge for Migration {
    fn merge(&mut self, other: Migration) {
        self.retained.merge(other.retained);
        self.churned.merge(other.churned);
        self.new.merge(other.new);
        self.reactivated.merge(other.reactivated);
    }
}

/// Counts migrations for every pair of adjacent windows.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Comparison {
    /// The start of each window.
    starts: Vec<i64>,
}

impl Comparison {
    /// For these windows.
    pub fn new(windows: &[Window]) -> Self {
        Comparison { starts: windows.iter().map(|w| w.start).collect() }
    }
}

impl Lens for Comparison {
    type Partial = Vec<Migration>;
    type Answer = Vec<Migration>;

    fn empty(&self, windows: &[Window]) -> Vec<Migration> {
        vec![Migration::default(); windows.len().saturating_sub(1)]
    }

    fn observe(&self, partial: &mut Vec<Migration>, block: &Block) {
        migrations(block, &self.starts, |_, first, status| {
            let counts = &mut partial[first];
            match status {
                Status::Retained => counts.retained += 1,
                Status::Churned => counts.churned += 1,
                Status::New => counts.new += 1,
                Status::Reactivated => {
                    counts.new += 1;
                    counts.reactivated += 1;
                }
            }
        });
    }

    fn finish(&self, _: &[Window], partial: Vec<Migration>) -> Vec<Migration> {
        partial
    }

    /// One batch, a row a pair of windows: `retained`, `churned`, `new`, `reactivated`.
    fn encode(&self, partial: &Vec<Migration>, out: &mut Vec<RecordBatch>) -> Result<()> {
        let column = |of: fn(&Migration) -> u64| Arc::new(UInt64Array::from_iter_values(partial.iter().map(of))) as _;
        out.push(batch([
            ("retained", column(|m| m.retained)),
            ("churned", column(|m| m.churned)),
            ("new", column(|m| m.new)),
            ("reactivated", column(|m| m.reactivated)),
        ])?);
        Ok(())
    }

    fn decode(&self, batches: &mut dyn Iterator<Item = RecordBatch>) -> Result<Vec<Migration>> {
        let batch = batches.next().ok_or_else(|| foreign("comparison"))?;
        let column = |name: &str| {
            let array = batch.column_by_name(name).and_then(|a| a.as_primitive_opt::<UInt64Type>());
            array.cloned().ok_or_else(|| foreign("comparison"))
        };
        let (retained, churned, new, reactivated) = (column("retained")?, column("churned")?, column("new")?, column("reactivated")?);
        let row =
            |i| Migration { retained: retained.value(i), churned: churned.value(i), new: new.value(i), reactivated: reactivated.value(i) };
        Ok((0..batch.num_rows()).map(row).collect())
    }
}

/// What changed from one window to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

    /// What a reader should look at twice.
    pub(crate) fn warnings(&self, from: &str, to: &str, first: Sales) -> Vec<String> {
        let changes = [("revenue", self.revenue_change_pct), ("average order value", self.avg_order_value_change_pct)];
        let extreme = |(_, change): &(&str, Percent)| first.0 > 0 && change.hundredths().abs() > EXTREME_CHANGE;
        let text = |(what, change)| {
            format!("{what} changed by {change} % from {from} to {to}: check that both periods' data are complete and right")
        };
        changes.into_iter().filter(extreme).map(text).collect()
    }
}

/// Who moved how between two periods, by id.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CustomerMigration {
    /// Active in both periods.
    pub retained: BTreeSet<String>,
    /// Active in the first only.
    pub churned: BTreeSet<String>,
    /// Active in the second only.
    pub new: BTreeSet<String>,
    /// Those of the new who are in the history.
    pub reactivated: BTreeSet<String>,
}

/// Lens 2 of two periods in memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lens2Metrics {
    /// Lens 1 of the first period.
    pub period1_metrics: Lens1Metrics,
    /// Lens 1 of the second period.
    pub period2_metrics: Lens1Metrics,
    /// Who moved.
    pub migration: CustomerMigration,
    /// Retained, in percent of the first period's customers.
    pub retention_rate: Percent,
    /// Churned, in percent of the first period's customers.
    pub churn_rate: Percent,
    /// Reactivated, in percent of the second period's customers.
    pub reactivation_rate: Percent,
    /// The second period's customers less the first's.
    pub customer_count_change: i64,
    /// The change of revenue.
    pub revenue_change_pct: Percent,
    /// The change of revenue per order.
    pub avg_order_value_change_pct: Percent,
    /// Changes that should be looked at twice.
    pub warnings: Vec<String>,
}

/// Lens 2 of two periods in memory. `all_customer_history` is every id ever seen up to and including period 1 (at least period 1's):
/// with it, new customers who are in it count as reactivated; without it nobody does. Lens 1 of either period is computed where it is
/// not given.
///
/// # Errors
/// A customer twice in a period; a history that lacks customers of period 1; 0 workers.
pub fn analyze_period_comparison(
    period1_rfm: &[RfmMetrics],
    period2_rfm: &[RfmMetrics],
    all_customer_history: Option<&[String]>,
    period1_metrics: Option<&Lens1Metrics>,
    period2_metrics: Option<&Lens1Metrics>,
    parallelism: &Parallelism,
) -> Result<Lens2Metrics> {
    let workers = parallelism.workers_for(period1_rfm.len().max(period2_rfm.len()) as u64)?;
    let sorted = |rfm: &[RfmMetrics], period: &str| {
        with_threads(workers, |parallel| {
            let mut ids: Vec<String> = rfm.iter().map(|m| m.customer_id().to_owned()).collect();
            if parallel {
                ids.par_sort_unstable()
            } else {
                ids.sort_unstable()
            }
            match ids.windows(2).find(|pair| pair[0] == pair[1]) {
                Some(pair) => Err(Error::data(format!("duplicate customer ids in {period}: {:?}", pair[0]))),
                None => Ok(ids.into_iter().collect::<BTreeSet<String>>()),
            }
        })
    };
    let (one, two) = (sorted(period1_rfm, "period1_rfm")?, sorted(period2_rfm, "period2_rfm")?);
    let new: BTreeSet<String> = two.difference(&one).cloned().collect();
    // An empty history is no history, as in the Python library.
    let reactivated = match all_customer_history.filter(|history| !history.is_empty()) {
        Some(history) => {
            let history: BTreeSet<&str> = history.iter().map(String::as_str).collect();
            if let Some(missing) = one.iter().find(|id| !history.contains(id.as_str())) {
                let count = one.iter().filter(|id| !history.contains(id.as_str())).count();
                let what = format!("all_customer_history must include all customers of period 1: it lacks {count}, such as {missing:?}");
                return Err(Error::data(what));
            }
            new.iter().filter(|id| history.contains(id.as_str())).cloned().collect()
        }
        None => BTreeSet::new(),
    };
    let migration = CustomerMigration {
        retained: one.intersection(&two).cloned().collect(),
        churned: one.difference(&two).cloned().collect(),
        new,
        reactivated,
    };
    let lens1 = |given: Option<&Lens1Metrics>, rfm| match given {
        Some(given) => Ok(given.clone()),
        None => analyze_single_period(rfm, None, &DEFAULT_PERCENTILES, parallelism),
    };
    let (period1_metrics, period2_metrics) = (lens1(period1_metrics, period1_rfm)?, lens1(period2_metrics, period2_rfm)?);
    let orders = |rfm: &[RfmMetrics]| rfm.iter().map(|m| i128::from(m.frequency())).sum::<i128>();
    let first = (period1_metrics.total_revenue.hundredths(), orders(period1_rfm));
    let second = (period2_metrics.total_revenue.hundredths(), orders(period2_rfm));
    let counts = Migration {
        retained: migration.retained.len() as u64,
        churned: migration.churned.len() as u64,
        new: migration.new.len() as u64,
        reactivated: migration.reactivated.len() as u64,
    };
    let change = Change::new(counts, first, second);
    Ok(Lens2Metrics {
        warnings: change.warnings("period 1", "period 2", first),
        period1_metrics,
        period2_metrics,
        migration,
        retention_rate: change.retention_rate,
        churn_rate: change.churn_rate,
        reactivation_rate: change.reactivation_rate,
        customer_count_change: change.customer_count_change,
        revenue_change_pct: change.revenue_change_pct,
        avg_order_value_change_pct: change.avg_order_value_change_pct,
    })
}
