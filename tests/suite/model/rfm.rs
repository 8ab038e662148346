//! A customer in a window: recency, frequency, monetary value, and their scores.

use super::amounts::{CENT, divide, fixed};
use super::rows::Good;
use lensflow::model::Reason;
use lensflow::model::Window;
use lensflow::time::DAY;

/// A customer in a window.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rfm {
    pub(crate) window: String,
    pub(crate) id: String,
    pub(crate) recency_days: i64,
    pub(crate) frequency: i128,
    /// In cents.
    pub(crate) monetary: i128,
    /// In cents.
    pub(crate) total_spend: i128,
    pub(crate) start: i64,
    pub(crate) observation_end: i64,
    pub(crate) scores: [usize; 3],
}

/// What a customer spent in a window, in cents.
pub(super) fn spent(rows: &[Good]) -> i128 {
    divide(rows.iter().map(|r| r.units).sum(), CENT)
}

/// A customer and window's rows, or why they do not make a customer.
pub(super) fn finish(window: &Window, id: &str, rows: &[Good]) -> Result<Rfm, Reason> {
    let frequency: i128 = rows.iter().map(|r| i128::from(r.orders)).sum();
    let total_spend = spent(rows);
    let end = rows.iter().map(|r| r.end).max().expect("a row");
    let reference = rows.iter().filter_map(|r| r.last).max().unwrap_or(end);
    let recency_days = (window.observation_end - reference).div_euclid(DAY);
    if frequency == 0 {
        return Err(Reason::NoOrders);
    }
    if total_spend < 0 {
        return Err(Reason::NegativeSpend);
    }
    if recency_days < 0 {
        return Err(Reason::AfterObservationEnd);
    }
    if total_spend >= 10i128.pow(18) || frequency >= i128::from(i64::MAX) {
        return Err(Reason::AmountOutOfRange);
    }
    Ok(Rfm {
        window: window.name.clone(),
        id: id.to_owned(),
        recency_days,
        frequency,
        monetary: divide(total_spend, frequency),
        total_spend,
        start: rows.iter().map(|r| r.start).min().expect("a row"),
        observation_end: window.observation_end,
        scores: [0; 3],
    })
}

/// The scores of a dimension, customer by customer.
pub(crate) fn scores(values: &[f64], bins: usize, reversed: bool) -> Vec<usize> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mut distinct = sorted.clone();
    distinct.dedup();
    if distinct.len() <= 1 {
        return vec![3; values.len()];
    }
    let (n, q) = (sorted.len(), bins.min(distinct.len()));
    let step = 1.0 / q as f64;
    let mut edges = Vec::new();
    for k in 0..=q {
        let p = if k == q { 1.0 } else { k as f64 * step };
        let p = (p * 100.0) / 100.0;
        let v = (n - 1) as f64 * p;
        let i = v.floor();
        let g = v - i;
        let (a, b) = (sorted[i as usize], sorted[(i as usize + 1).min(n - 1)]);
        edges.push(if g < 0.5 { a + (b - a) * g } else { b - (b - a) * (1.0 - g) });
    }
    edges.dedup();
    let bin = |value: &f64| edges.iter().filter(|edge| *edge < value).count().max(1) - 1;
    let bins: Vec<usize> = values.iter().map(bin).collect();
    let largest = bins.iter().copied().max().expect("a value");
    bins.into_iter().map(|bin| if reversed { largest - bin + 1 } else { bin + 1 }).collect()
}

/// Gives the customers of a window their scores.
pub(super) fn give_scores(customers: &mut [Rfm], bins: usize) {
    type Dimension = (fn(&Rfm) -> f64, bool);
    let dimensions: [Dimension; 3] =
        [(|c| c.recency_days as f64, true), (|c| c.frequency as f64, false), (|c| fixed(c.monetary).parse().expect("a decimal"), false)];
    for (at, (value, reversed)) in dimensions.into_iter().enumerate() {
        let values: Vec<f64> = customers.iter().map(value).collect();
        for (customer, score) in customers.iter_mut().zip(scores(&values, bins, reversed)) {
            customer.scores[at] = score;
        }
    }
}
