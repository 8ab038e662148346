//! More of one window, beside Lens 1: who brings how much of the revenue, and how orders and spends are distributed. [`More`] follows from
//! the sorted histograms that Lens 1 has anyway, and from the sums per score of [`Distribution`](super::distribution::Distribution).

use super::distribution::ScoreCell;
use crate::base::money::{Fixed2, Fixed4, Money, Percent};
use crate::ranks::order_stats::{Open, Ranks};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// More of one window. Of no customers, every number is 0, and there are no cells and no steps.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct More {
    /// Customers, orders and revenue per RFM score, for scores that occur.
    pub rfm_cells: BTreeMap<String, ScoreCell>,
    /// Ten groups of equally many customers, the greatest spenders first.
    pub deciles: Vec<Decile>,
    /// For k = 0 to 100, the share of revenue in percent of the k % of customers who spent least.
    pub lorenz: Vec<Percent>,
    /// 0 where all spent alike, near 1 where one spent everything.
    pub gini: Fixed4,
    /// Customers by their orders: 1 to 9, and 10 or more.
    pub orders_distribution: OrdersDistribution,
    /// Customers by their spend, in steps of 1-2-5 (0, 1, 2, 5, 10, 20, 50 …) of whole units: the key is the step's lower bound, the next
    /// step's bound is not in it. Only steps that occur.
    pub spend_distribution: BTreeMap<u64, u64>,
}

/// A tenth of a window's customers, by spend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Decile {
    /// 1 for those who spent most, to 10.
    pub decile: u32,
    /// Customers. Of fewer than ten customers, some deciles have none.
    pub customers: u64,
    /// What they spent.
    pub revenue: Money,
    /// In percent of all revenue.
    pub share_pct: Percent,
    /// The share of this decile and those before it.
    pub cumulative_pct: Percent,
}

/// Customers with 1, 2, …, 9 orders, and with 10 or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OrdersDistribution(pub [u64; 10]);

/// The keys in reports.
const ORDERS: [&str; 10] = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10+"];

impl Serialize for OrdersDistribution {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(ORDERS.iter().zip(self.0))
    }
}

impl<'de> Deserialize<'de> for OrdersDistribution {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let said = BTreeMap::<String, u64>::deserialize(d)?;
        Ok(OrdersDistribution(ORDERS.map(|orders| said.get(orders).copied().unwrap_or(0))))
    }
}

impl More {
    pub(crate) fn new(frequency: &Ranks, spend: &Ranks, gini: Fixed4, rfm_cells: BTreeMap<String, ScoreCell>) -> Self {
        let (n, revenue) = (spend.len(), spend.sum());
        let lorenz = spend.sums_of_least(lorenz_ranks(n));
        More {
            rfm_cells,
            deciles: deciles(spend, revenue),
            lorenz: lorenz.into_iter().map(|sum| Fixed2::percent(sum, revenue)).collect(),
            gini,
            orders_distribution: OrdersDistribution(std::array::from_fn(|at| match at as i64 + 1 {
                10 => n - frequency.count_below(10).min(n),
                orders => frequency.count(orders),
            })),
            spend_distribution: spend_distribution(spend),
        }
    }

    /// Asks for the order statistics that [`More::new`] will want to know, but for the coefficient.
    pub(crate) fn ask(frequency: &mut Open<'_>, spend: &mut Open<'_>) {
        let n = spend.ranks().len();
        (1..10).for_each(|orders| frequency.count(orders));
        frequency.count_below(10);
        // The sum of the k least is that of all without the greatest.
        lorenz_ranks(n).chain(decile_ranks(n)).for_each(|least| spend.top_sum(n - least));
        let (min, max) = (spend.ranks().min(), spend.ranks().max());
        steps().filter(|(_, cents)| (min..=max).contains(cents)).for_each(|(_, cents)| spend.count_below(cents));
    }
}

/// How many customers the k % of least spend are, for k = 0 to 100.
fn lorenz_ranks(n: u64) -> impl Iterator<Item = u64> {
    (0..=100).map(move |k| share_of(n, k, 100))
}

/// How many customers are not in the first d deciles, for d = 10 down to 0: ascending.
fn decile_ranks(n: u64) -> impl Iterator<Item = u64> {
    (0..=10).rev().map(move |d| n - share_of(n, d, 10))
}

fn share_of(n: u64, part: u64, whole: u64) -> u64 {
    (u128::from(n) * u128::from(part) / u128::from(whole)) as u64
}

fn deciles(spend: &Ranks, revenue: i128) -> Vec<Decile> {
    let n = spend.len();
    // Of those who are not in the first 10, 9 … 0 deciles.
    let least: Vec<i128> = spend.sums_of_least(decile_ranks(n));
    let rest = |d: u64| least[10 - d as usize];
    let decile = |d: u64| {
        let own = rest(d - 1).saturating_sub(rest(d));
        Decile {
            decile: d as u32,
            customers: share_of(n, d, 10) - share_of(n, d - 1, 10),
            revenue: Fixed2::from_hundredths(own),
            share_pct: Fixed2::percent(own, revenue),
            cumulative_pct: Fixed2::percent(revenue.saturating_sub(rest(d)), revenue),
        }
    };
    (1..=10).map(decile).collect()
}

/// The steps' lower bounds, as whole units and in cents: 0, 1, 2, 5, 10 … up to the largest that amounts reach.
fn steps() -> impl Iterator<Item = (u64, i64)> {
    let powers = std::iter::successors(Some(1u64), |power| power.checked_mul(10));
    let bounds = std::iter::once(0).chain(powers.flat_map(|power| [1, 2, 5].into_iter().filter_map(move |k| power.checked_mul(k))));
    bounds.map_while(|bound| Some((bound, i64::try_from(bound).ok()?.checked_mul(100)?)))
}

fn spend_distribution(spend: &Ranks) -> BTreeMap<u64, u64> {
    let steps: Vec<(u64, i64)> = steps().collect();
    let below = |at: usize| steps.get(at).map_or(spend.len(), |&(_, cents)| spend.count_below(cents));
    let counts = steps.iter().enumerate().map(|(at, &(bound, _))| (bound, below(at + 1).saturating_sub(below(at))));
    counts.filter(|&(_, customers)| customers > 0).collect()
}
