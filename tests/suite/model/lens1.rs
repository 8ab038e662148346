//! Lens 1: one window's customers by themselves.

use super::amounts::{divide, fixed, share};
use super::rfm::Rfm;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Lens 1 of a window's customers.
pub(super) fn lens1(customers: &[Rfm], percentiles: &[u32]) -> Value {
    let n = customers.len();
    let mut spends: Vec<i128> = customers.iter().map(|c| c.total_spend).collect();
    spends.sort_unstable();
    let revenue: i128 = spends.iter().sum();
    let orders: i128 = customers.iter().map(|c| c.frequency).sum();
    let one_time = customers.iter().filter(|c| c.frequency == 1).count();
    let top = |p: u32| spends.iter().rev().take((n * p as usize / 100).max(1)).sum::<i128>();
    let concentration: BTreeMap<String, String> = percentiles.iter().map(|&p| (p.to_string(), fixed(share(top(p), revenue)))).collect();
    let median = match n {
        0 => 0,
        _ if n % 2 == 1 => spends[n / 2],
        _ => divide(spends[n / 2 - 1] + spends[n / 2], 2),
    };
    let mut distribution: BTreeMap<String, u64> = BTreeMap::new();
    for customer in customers {
        *distribution.entry(customer.scores.iter().map(usize::to_string).collect()).or_default() += 1;
    }
    json!({
        "total_customers": n,
        "one_time_buyers": one_time,
        "one_time_buyer_pct": fixed(share(one_time as i128, n as i128)),
        "total_revenue": fixed(revenue),
        // Beyond 64 bits a JSON value holds the nearest double, as it does when the report is read back.
        "total_orders": serde_json::from_str::<Value>(&orders.to_string()).expect("a number"),
        "revenue_concentration": concentration,
        "avg_orders_per_customer": fixed(if n == 0 { 0 } else { divide(orders * 100, n as i128) }),
        "median_customer_value": fixed(median),
        "rfm_distribution": distribution,
    })
}

/// The counts of scores without their third digit.
pub(crate) fn rf_distribution(distribution: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let mut grid = BTreeMap::new();
    distribution.iter().for_each(|(score, n)| *grid.entry(score[..2].to_owned()).or_default() += n);
    grid
}
