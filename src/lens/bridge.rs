//! Where the money went from one window to the next: what was lost with customers who left or spent less, and won with those who came,
//! came back or spent more. [`Bridge`] is the partial of [`Lens2`](super::Lens2), [`RevenueBridge`] the answer.
//!
//! Invariant: the revenue of the first window, less churned, less shrunk, plus grown, plus new, plus reactivated, is that of the second.

use super::lens2::Migration;
use super::portable::{batch, complete, sums};
use crate::base::error::Result;
use crate::base::merge::Merge;
use crate::base::money::{Fixed2, Money};
use arrow::array::{ArrayRef, AsArray, RecordBatch, UInt64Array};
use arrow::datatypes::{Decimal128Type, UInt64Type};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Some customers and the money that moved with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Flow {
    /// Customers.
    pub customers: u64,
    /// Cents, at least 0.
    pub cents: i128,
}

impl Flow {
    #[inline]
    pub(super) fn add(&mut self, cents: i128) {
        self.customers += 1;
        self.cents += cents;
    }
}

impl Merge for Flow {
    fn merge(&mut self, other: Flow) {
        self.customers.merge(other.customers);
        self.cents = self.cents.saturating_add(other.cents);
    }
}

/// The flows of a pair of windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Bridge {
    /// Active in the first only, and what they spent there.
    pub churned: Flow,
    /// Active in both with less spend in the second, and by how much.
    pub shrunk: Flow,
    /// Active in both with more spend in the second, and by how much.
    pub grown: Flow,
    /// Customers active in both with equal spend.
    pub unchanged: u64,
    /// Active in the second only and never seen before it, and what they spent there.
    pub new: Flow,
    /// Active in the second only but seen before it, and what they spent there.
    pub reactivated: Flow,
}

impl Bridge {
    /// Adds a customer active in both, with what they spent in each.
    #[inline]
    pub(super) fn add_retained(&mut self, before: i64, after: i64) {
        let change = i128::from(after) - i128::from(before);
        match change {
            0 => self.unchanged += 1,
            1.. => self.grown.add(change),
            _ => self.shrunk.add(-change),
        }
    }

    /// The customers alone.
    pub fn migration(&self) -> Migration {
        let (mut retained, mut new) = (self.shrunk.customers, self.new.customers);
        retained.merge(self.grown.customers);
        retained.merge(self.unchanged);
        new.merge(self.reactivated.customers);
        Migration { retained, churned: self.churned.customers, new, reactivated: self.reactivated.customers }
    }

    /// Those with money, in the order of [`FLOWS`].
    fn flows(&self) -> [Flow; 5] {
        [self.churned, self.shrunk, self.grown, self.new, self.reactivated]
    }
}

impl Merge for Bridge {
    fn merge(&mut self, other: Bridge) {
        self.churned.merge(other.churned);
        self.shrunk.merge(other.shrunk);
        self.grown.merge(other.grown);
        self.unchanged.merge(other.unchanged);
        self.new.merge(other.new);
        self.reactivated.merge(other.reactivated);
    }
}

/// The columns of customers and cents of each flow.
const FLOWS: [[&str; 2]; 5] = [
    ["churned", "churned_amount"],
    ["shrunk", "shrunk_amount"],
    ["grown", "grown_amount"],
    ["new", "new_amount"],
    ["reactivated", "reactivated_amount"],
];

pub(super) fn encode_bridges(bridges: &[Bridge]) -> Result<RecordBatch> {
    let counts = |of: &dyn Fn(&Bridge) -> u64| -> ArrayRef { Arc::new(UInt64Array::from_iter_values(bridges.iter().map(of))) };
    let mut columns = vec![("unchanged", counts(&|bridge| bridge.unchanged))];
    for (at, [customers, amount]) in FLOWS.into_iter().enumerate() {
        columns.push((customers, counts(&|bridge| bridge.flows()[at].customers)));
        columns.push((amount, sums(bridges.iter().map(|bridge| bridge.flows()[at].cents))));
    }
    batch(columns)
}

pub(super) fn decode_bridges(batch: RecordBatch) -> Option<Vec<Bridge>> {
    let batch = complete(batch)?;
    let counts = |name: &str| batch.column_by_name(name)?.as_primitive_opt::<UInt64Type>();
    let unchanged = counts("unchanged")?;
    let mut columns = Vec::new();
    for [customers, amount] in FLOWS {
        columns.push((counts(customers)?, batch.column_by_name(amount)?.as_primitive_opt::<Decimal128Type>()?));
    }
    let row = |row: usize| {
        let flow = |at: usize| Flow { customers: columns[at].0.value(row), cents: columns[at].1.value(row) };
        let [churned, shrunk, grown, new, reactivated] = [0, 1, 2, 3, 4].map(flow);
        Bridge { churned, shrunk, grown, unchanged: unchanged.value(row), new, reactivated }
    };
    Some((0..batch.num_rows()).map(row).collect())
}

/// Where the money went between two windows, exactly.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RevenueBridge {
    /// The first window's revenue.
    pub revenue_before: Money,
    /// Active in the first only, with their revenue there.
    pub churned: WithRevenue,
    /// Active in both, with less spend in the second.
    pub shrunk: WithLoss,
    /// Active in both, with more spend in the second.
    pub grown: WithGain,
    /// Active in both, with equal spend.
    pub unchanged: CustomersOnly,
    /// Active in the second only and not seen before, with their revenue there.
    pub new: WithRevenue,
    /// Active in the second only and seen before, with their revenue there.
    pub reactivated: WithRevenue,
    /// The second window's revenue.
    pub revenue_after: Money,
}

/// Customers and what they spent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WithRevenue {
    /// Customers.
    pub customers: u64,
    /// What they spent.
    pub revenue: Money,
}

/// Customers and by how much less they spent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WithLoss {
    /// Customers.
    pub customers: u64,
    /// The sum of their losses, positive.
    pub loss: Money,
}

/// Customers and by how much more they spent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WithGain {
    /// Customers.
    pub customers: u64,
    /// The sum of their gains.
    pub gain: Money,
}

/// Customers with whom no money moved.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CustomersOnly {
    /// Customers.
    pub customers: u64,
}

impl RevenueBridge {
    /// The bridge between two revenues in cents.
    pub(crate) fn new(bridge: &Bridge, before: i128, after: i128) -> Self {
        let money = Fixed2::from_hundredths;
        let with_revenue = |flow: Flow| WithRevenue { customers: flow.customers, revenue: money(flow.cents) };
        RevenueBridge {
            revenue_before: money(before),
            churned: with_revenue(bridge.churned),
            shrunk: WithLoss { customers: bridge.shrunk.customers, loss: money(bridge.shrunk.cents) },
            grown: WithGain { customers: bridge.grown.customers, gain: money(bridge.grown.cents) },
            unchanged: CustomersOnly { customers: bridge.unchanged },
            new: with_revenue(bridge.new),
            reactivated: with_revenue(bridge.reactivated),
            revenue_after: money(after),
        }
    }
}
