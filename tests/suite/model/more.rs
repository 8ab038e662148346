//! More of a window and of a pair of windows, from the definitions: sorted lists and sums.

use super::amounts::{divide, fixed, share};
use super::rfm::Rfm;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A whole number that may be beyond 64 bits: then a JSON value holds the nearest double, as it does when a report is read back.
pub(super) fn whole(n: i128) -> Value {
    serde_json::from_str(&n.to_string()).expect("a number")
}

/// More of one window.
pub(super) fn of_window(customers: &[Rfm]) -> Value {
    let n = customers.len();
    let mut spends: Vec<i128> = customers.iter().map(|c| c.total_spend).collect();
    spends.sort_unstable();
    let revenue: i128 = spends.iter().sum();
    let least = |k: usize| spends[..k].iter().sum::<i128>();

    let mut cells: BTreeMap<String, (u64, i128, i128)> = BTreeMap::new();
    for customer in customers {
        let cell = cells.entry(customer.scores.iter().map(usize::to_string).collect()).or_default();
        *cell = (cell.0 + 1, cell.1 + customer.frequency, cell.2 + customer.total_spend);
    }
    let cell = |(score, (customers, orders, revenue)): (&String, &(u64, i128, i128))| {
        (score.clone(), json!({"customers": customers, "orders": whole(*orders), "revenue": fixed(*revenue)}))
    };
    let decile = |d: usize| {
        let (from, to) = (n * (d - 1) / 10, n * d / 10);
        let own = least(n - from) - least(n - to);
        json!({
            "decile": d,
            "customers": to - from,
            "revenue": fixed(own),
            "share_pct": fixed(share(own, revenue)),
            "cumulative_pct": fixed(share(revenue - least(n - to), revenue)),
        })
    };
    let orders = |o: i128| customers.iter().filter(|c| c.frequency.min(10) == o).count();
    let orders: BTreeMap<String, usize> = (1..=10).map(|o| (if o == 10 { "10+".to_owned() } else { o.to_string() }, orders(o))).collect();
    let mut steps: BTreeMap<String, u64> = BTreeMap::new();
    for spend in &spends {
        let (mut lower, mut bounds) = (0, (0..).flat_map(|e| [1, 2, 5].map(|k| k * 10i128.pow(e))));
        while let Some(bound) = bounds.next().filter(|bound| bound * 100 <= *spend) {
            lower = bound;
        }
        *steps.entry(lower.to_string()).or_default() += 1;
    }
    json!({
        "rfm_cells": cells.iter().map(cell).collect::<serde_json::Map<_, _>>(),
        "deciles": (1..=10).map(decile).collect::<Vec<_>>(),
        "lorenz": (0..=100).map(|k| fixed(share(least(n * k / 100), revenue))).collect::<Vec<_>>(),
        "gini": gini(&spends, revenue),
        "orders_distribution": orders,
        "spend_distribution": steps,
    })
}

/// Of ascending spends: half the mean difference of all pairs, as a share of the mean. The sum over pairs is another form of the definition.
fn gini(spends: &[i128], revenue: i128) -> String {
    if revenue == 0 {
        return "0.0000".to_owned();
    }
    let differences: i128 = (0..spends.len()).flat_map(|i| spends[..i].iter().map(move |x| spends[i] - x)).sum();
    let ten_thousandths = divide(differences * 10_000, spends.len() as i128 * revenue);
    format!("{}.{:04}", ten_thousandths / 10_000, ten_thousandths % 10_000)
}

fn part(name: &str, amounts: &[i128]) -> Value {
    json!({"customers": amounts.len(), name: fixed(amounts.iter().sum())})
}

/// Where the money went from one window to the next.
pub(super) fn bridge(one: &[Rfm], two: &[Rfm], seen_before: impl Fn(&str) -> bool) -> Value {
    let spends = |customers: &[Rfm]| customers.iter().map(|c| (c.id.clone(), c.total_spend)).collect::<BTreeMap<String, i128>>();
    let (before, after) = (spends(one), spends(two));
    let changes: Vec<i128> = before.iter().filter_map(|(id, spend)| Some(after.get(id)? - spend)).collect();
    let only = |from: &BTreeMap<String, i128>, not: &BTreeMap<String, i128>| {
        from.iter().filter(|(id, _)| !not.contains_key(*id)).map(|(id, spend)| (id.clone(), *spend)).collect::<Vec<_>>()
    };
    let (gone, came) = (only(&before, &after), only(&after, &before));
    let amounts = |customers: &[(String, i128)], of: &dyn Fn(&str) -> bool| {
        customers.iter().filter(|(id, _)| of(id)).map(|(_, spend)| *spend).collect::<Vec<_>>()
    };
    let losses: Vec<i128> = changes.iter().filter(|c| **c < 0).map(|c| -c).collect();
    let gains: Vec<i128> = changes.iter().copied().filter(|c| *c > 0).collect();
    json!({
        "revenue_before": fixed(before.values().sum()),
        "churned": part("revenue", &amounts(&gone, &|_| true)),
        "shrunk": part("loss", &losses),
        "grown": part("gain", &gains),
        "unchanged": {"customers": changes.iter().filter(|c| **c == 0).count()},
        "new": part("revenue", &amounts(&came, &|id| !seen_before(id))),
        "reactivated": part("revenue", &amounts(&came, &|id| seen_before(id))),
        "revenue_after": fixed(after.values().sum()),
    })
}

/// Customers by their scores in either window.
pub(super) fn score_migration(one: &[Rfm], two: &[Rfm]) -> Value {
    let scores = |customers: &[Rfm]| customers.iter().map(|c| (c.id.clone(), c.scores)).collect::<BTreeMap<String, [usize; 3]>>();
    let (before, after) = (scores(one), scores(two));
    let ids: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let of = |measure: usize| {
        let mut cells: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        for id in &ids {
            let score = |window: &BTreeMap<String, [usize; 3]>| window.get(*id).map_or(0, |scores| scores[measure]).to_string();
            *cells.entry(score(&before)).or_default().entry(score(&after)).or_default() += 1;
        }
        cells
    };
    json!({"r": of(0), "f": of(1), "m": of(2)})
}
