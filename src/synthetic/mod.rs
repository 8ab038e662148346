//! A seeded generator of period aggregations, for stress tests and benchmarks. Memory is constant, for up to 2^40 customers, and the rows do
//! not depend on the number of threads.
//!
//! Every customer is acquired in one of the months and stays until churn takes them; each month alive they may place orders. All of it
//! is drawn from streams that depend on the seed, the customer and the month only, so any row can be made without the others. Rows come
//! month by month, as a shop's own aggregation would write them, and within a month in an order that has nothing to do with the ids.
//! The line items of these customers, of which the rows are the sums, are made in `line_items`.

mod generator;
pub(crate) mod line_items;
mod period_source;
pub(crate) mod scenario;

pub use self::generator::Generator;
pub use self::line_items::{SyntheticTransactions, transaction_schema};
pub use self::period_source::{SyntheticSource, schema};
pub use self::scenario::{Event, Scenario};

use self::generator::{Month, gcd, poisson};
use crate::base::error::{Error, Result};
use crate::base::time::DAY;
use crate::model::window::{Granularity, Window, Windows};
use rand_distr::{LogNormal, Zipf};
use serde::{Deserialize, Serialize};

/// The share of spend that is margin, in percent.
const MARGIN: i64 = 30;
/// The form of ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum IdStyle {
    /// `C-000000042`
    Sequential,
    /// `67b4ec1f-cb69-4545-ad7f-049a5e3defad`
    Uuid,
    /// `user42@example2.com`
    Email,
    /// `客户-185-é`, `é-42`, `клиент-43`: six scripts in turn, some inside 12 bytes, most beyond.
    Unicode,
}

/// How rows fall on customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Skew {
    /// At most one row per customer and month.
    Uniform,
    /// As many rows, on customers by Zipf's law with exponent 1.
    Zipf,
    /// As many rows, half of them on one customer.
    Hot,
}

/// The options of a generator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Synthetic {
    /// Customers; with a skew, at most so many.
    pub customers: u64,
    /// How they behave.
    pub scenario: Scenario,
    /// Other rows for every other seed.
    pub seed: u64,
    /// The first month, `2023-01`.
    pub from: String,
    /// The last month, inclusive.
    pub to: String,
    /// How rows fall on customers.
    pub skew: Skew,
    /// The form of ids.
    pub ids: IdStyle,
    /// The share of rows without a `last_transaction_ts`; 0 to 1.
    pub null_timestamps: f64,
}

impl Default for Synthetic {
    fn default() -> Self {
        Synthetic {
            customers: 1_000_000,
            scenario: Scenario::baseline(),
            seed: 42,
            from: "2023-01".to_owned(),
            to: "2023-12".to_owned(),
            skew: Skew::Uniform,
            ids: IdStyle::Sequential,
            null_timestamps: 0.0,
        }
    }
}

impl Synthetic {
    /// Checks the numbers and prepares the months.
    ///
    /// # Errors
    /// No customers, months that are none or out of order, a share outside 0 to 1, prices or orders that are no finite numbers.
    pub fn generator(&self) -> Result<Generator> {
        let month = |text: &String| {
            let window = text.parse::<Window>().ok().filter(|w| w.name == *text && w.end - w.start <= 31 * DAY);
            window.ok_or_else(|| Error::usage(format!("{text:?} is not a month")).help("write it as 2023-07"))
        };
        let (first, last) = (month(&self.from)?, month(&self.to)?);
        let key = |w: &Window| Granularity::Month.index(w.start);
        if key(&last) < key(&first) {
            return Err(Error::usage(format!("the last month, {}, is before the first, {}", self.to, self.from)));
        }
        let share = |what: &str, x: f64| match (0.0..=1.0).contains(&x) {
            true => Ok(()),
            false => Err(Error::usage(format!("{what} is {x}: it must be between 0 and 1"))),
        };
        share("the share of null timestamps", self.null_timestamps)?;
        share("the monthly churn", self.scenario.monthly_churn)?;
        if self.customers == 0 || self.customers > 1 << 40 {
            return Err(Error::usage(format!("{} customers cannot be generated", self.customers)).help("1 to 10^12"));
        }
        let (windows, _) = Windows::Every(Granularity::Month).resolve(Some((key(&first), key(&last))), None, None)?;
        let mut hazard_before = 0.0;
        let mut months = Vec::new();
        for (number, window) in (0..).zip(windows) {
            let (mean, price) = (self.scenario.orders(number), self.scenario.price_log_mean + self.scenario.price(number).ln());
            let distribution = LogNormal::new(price, self.scenario.price_log_sd);
            let unfit = |_| Error::usage(format!("{}: the scenario's prices are no distribution", window.name));
            if !(0.0..=1_000.0).contains(&mean) {
                return Err(Error::usage(format!("{}: {mean} orders a month cannot be generated", window.name)).help("0 to 1000"));
            }
            let orders_at_most = poisson(mean);
            months.push(Month { start: window.start, end: window.end, orders_at_most, price: distribution.map_err(unfit)?, hazard_before });
            share("a month's churn", self.scenario.churn(number))?;
            hazard_before += -(1.0 - self.scenario.churn(number).min(0.999_999)).ln();
        }
        let unfit = |_| Error::usage("so many customers have no Zipf distribution");
        let zipf = Zipf::new(self.customers as f64, 1.0).map_err(unfit)?;
        // About 0.618 of all customers, and without a common divisor with their number: visits each once, neighbours far apart.
        let mut stride = ((self.customers as f64 * 0.618_033_988_749) as u64).max(1);
        while gcd(stride, self.customers) != 1 {
            stride += 1;
        }
        Ok(Generator { spec: self.clone(), months, zipf, stride })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use arrow::array::{Array, AsArray, RecordBatch};
    use arrow::compute::concat_batches;
    use std::collections::HashMap;

    fn rows(spec: &Synthetic) -> RecordBatch {
        let generator = spec.generator().unwrap();
        let batches: Vec<_> = (0..generator.chunks()).map(|c| generator.record_batch(c).unwrap()).collect();
        concat_batches(&schema(), &batches).unwrap()
    }

    fn per_customer(batch: &RecordBatch) -> HashMap<String, usize> {
        let mut counts = HashMap::new();
        for id in batch.column(0).as_string_view().iter().flatten() {
            *counts.entry(id.to_owned()).or_default() += 1;
        }
        counts
    }

    #[test]
    fn every_customer_buys_and_rows_are_the_same_every_time() {
        let spec = Synthetic { customers: 70_000, ..Synthetic::default() };
        let batch = rows(&spec);
        let counts = per_customer(&batch);
        assert_eq!(counts.len(), 70_000);
        assert!(counts.values().all(|n| *n <= 12));
        let mean = batch.num_rows() as f64 / 70_000.0;
        assert!((2.8..3.2).contains(&mean), "{mean}");
        assert_eq!(rows(&spec), batch);
        assert_ne!(rows(&Synthetic { seed: 43, ..spec }), batch);
    }

    #[test]
    fn unicode_ids_are_distinct_and_of_all_lengths() {
        let spec = Synthetic { customers: 70_000, ids: IdStyle::Unicode, ..Synthetic::default() };
        let counts = per_customer(&rows(&spec));
        assert_eq!(counts.len(), 70_000);
        assert!(["客户-185-é", "é-42", "клиент-43"].iter().all(|id| counts.contains_key(*id)));
        let inside = counts.keys().filter(|id| id.len() <= 12).count();
        assert!((10_000..30_000).contains(&inside), "{inside} are inside 12 bytes");
        let mut lengths: Vec<usize> = counts.keys().map(String::len).collect();
        lengths.sort_unstable();
        lengths.dedup();
        assert!(lengths[0] <= 5 && lengths.len() > 20, "{lengths:?}");
        assert_eq!(per_customer(&rows(&spec)), counts);
    }

    #[test]
    fn skews_and_nulls() {
        let base = Synthetic { customers: 20_000, null_timestamps: 0.3, ids: IdStyle::Uuid, ..Synthetic::default() };
        let nulls = rows(&base).column(7).null_count() as f64 / rows(&base).num_rows() as f64;
        assert!((0.28..0.32).contains(&nulls), "{nulls}");
        let hot = rows(&Synthetic { skew: Skew::Hot, ..base.clone() });
        let share = *per_customer(&hot).values().max().unwrap() as f64 / hot.num_rows() as f64;
        assert!((0.49..0.51).contains(&share), "{share}");
        let zipf = per_customer(&rows(&Synthetic { skew: Skew::Zipf, ..base }));
        assert!(*zipf.values().max().unwrap() > 2_000);
    }

    #[test]
    fn scenarios_differ_and_nonsense_is_refused() {
        let total = |name: &str| rows(&Synthetic { customers: 5_000, scenario: name.parse().unwrap(), ..Synthetic::default() }).num_rows();
        assert!(total("high-churn") < total("baseline"));
        assert!(total("product-recall") < total("baseline"));
        assert!(total("heavy-promotion") > total("baseline"));
        assert!(total("product-launch") > total("baseline"));
        assert!(total("stable") > total("baseline"));
        assert_ne!(total("seasonal"), total("baseline"));
        let refused = |spec: Synthetic| assert!(spec.generator().is_err(), "{spec:?}");
        refused(Synthetic { customers: 0, ..Synthetic::default() });
        refused(Synthetic { from: "2023-13".into(), ..Synthetic::default() });
        refused(Synthetic { from: "2023".into(), ..Synthetic::default() });
        refused(Synthetic { from: "2024-01".into(), ..Synthetic::default() });
        refused(Synthetic { null_timestamps: 1.5, ..Synthetic::default() });
        assert!("nonsense".parse::<Scenario>().is_err());
    }
}
