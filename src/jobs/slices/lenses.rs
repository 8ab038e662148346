//! Lens 1 and Lens 2 of metrics in memory.

use crate::base::error::{Error, Result};
use crate::base::merge::Merge;
use crate::base::money::Percent;
use crate::base::threads::with_threads;
use crate::jobs::slices::values::{RfmMetrics, RfmScore};
use crate::lens::lens1::Lens1Metrics;
use crate::lens::lens2::{Change, Migration};
use crate::ranks::histogram::Histogram;
use crate::ranks::order_stats::Ranks;
use crate::spec::{DEFAULT_PERCENTILES, Parallelism, validate_percentiles};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Lens 1 of one period, from metrics in memory. Without scores the distribution is empty.
///
/// # Errors
/// A percentile outside 1 to 100; 0 workers; a value beyond 64 bits.
pub fn analyze_single_period(
    rfm_metrics: &[RfmMetrics],
    rfm_scores: Option<&[RfmScore]>,
    percentiles: &[u32],
    parallelism: &Parallelism,
) -> Result<Lens1Metrics> {
    validate_percentiles(percentiles)?;
    with_threads(parallelism.workers_for(rfm_metrics.len() as u64)?, |parallel| {
        let count = |mut sums: Result<(Histogram, Histogram)>, m: &RfmMetrics| {
            let values = (i64::try_from(m.frequency()), i64::try_from(m.total_spend().hundredths()));
            match (&mut sums, values) {
                (Ok((frequency, spend)), (Ok(f), Ok(s))) => {
                    frequency.add(f);
                    spend.add(s);
                }
                (Ok(_), _) => sums = Err(Error::data(format!("the metrics of customer {:?} do not fit 64 bits", m.customer_id()))),
                (Err(_), _) => {}
            }
            sums
        };
        let empty = || Ok((Histogram::default(), Histogram::default()));
        let (frequency, spend) = if parallel {
            let merge = |a: Result<(Histogram, Histogram)>, b| {
                let (mut a, b) = (a?, b?);
                a.merge(b);
                Ok(a)
            };
            rfm_metrics.par_iter().fold(empty, count).reduce(empty, merge)?
        } else {
            rfm_metrics.iter().fold(empty(), count)?
        };
        let mut distribution = BTreeMap::new();
        for score in rfm_scores.unwrap_or_default() {
            *distribution.entry(score.rfm_score().to_owned()).or_default() += 1;
        }
        Ok(Lens1Metrics::new(&Ranks::new(&frequency), &Ranks::new(&spend), percentiles, distribution))
    })
}

/// The ids of customers by their change between two periods.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
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
#[non_exhaustive]
pub struct Lens2Metrics {
    /// Lens 1 of the first period.
    pub period1_metrics: Lens1Metrics,
    /// Lens 1 of the second period.
    pub period2_metrics: Lens1Metrics,
    /// The customers by their change.
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
    /// Changes so large that the data may be wrong.
    pub warnings: Vec<String>,
}

/// Lens 2 of two periods in memory. `all_customer_history` is every id ever seen up to and including period 1 (at least period 1's):
/// with it, new customers who are in it count as reactivated; without it none do. Lens 1 of either period is computed where it is
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
