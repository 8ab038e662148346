//! A seeded generator of period aggregations, for stress tests and benchmarks: the same rows for any number of threads, in constant
//! memory, for as many customers as a 64-bit number counts.
//!
//! Every customer is acquired in one of the months and stays until churn takes them; each month alive they may place orders. All of it
//! is drawn from streams that depend on the seed, the customer and the month only, so any row can be made without the others. Rows come
//! month by month, as a shop's own aggregation would write them, and within a month in an order that has nothing to do with the ids.
//! The same customers' line items, of which the rows are the sums, are made by [`orders`].

pub(crate) mod line_items;
pub(crate) mod scenario;
pub use self::line_items::{SyntheticTransactions, transaction_schema};
pub use self::scenario::{Event, Scenario};
use crate::base::error::{Error, Result};
use crate::base::time::DAY;
use crate::model::period_batch::{Origin, PeriodBatch};
use crate::model::window::{Granularity, Window, Windows};
use crate::source::{Chunk, Sink, Source};
use arrow::array::{ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringViewArray, StringViewBuilder, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use rand_core::{Rng, SeedableRng};
use rand_distr::{Distribution, LogNormal, Zipf};
use rand_xoshiro::SplitMix64;
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;

/// Customers that a chunk looks at.
const SLOTS: u64 = 1 << 16;
/// The share of spend that is margin, in percent.
const MARGIN: i64 = 30;
/// An average order of this much or more, in cents, is cut: the tail of the log-normal has no end.
const MAX_PRICE: f64 = 1e9;
/// What stands before and after a customer's number in [`IdStyle::Unicode`]. Without digits, so no two customers have the same id.
const SCRIPTS: [(&str, &str); 6] =
    [("é-", ""), ("клиент-", ""), ("πελάτης-", "-Ω"), ("고객🛒", ""), ("ग्राहक-", "-お客様番号"), ("客户-", "-é")];

/// What ids look like.
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

/// What to generate.
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
    /// What ids look like.
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

/// A [`Synthetic`] ready to make rows, chunk by chunk.
#[derive(Debug, Clone)]
pub struct Generator {
    spec: Synthetic,
    months: Vec<Month>,
    zipf: Zipf<f64>,
    /// Customers are visited in the order `i · stride mod customers`.
    stride: u64,
}

#[derive(Debug, Clone)]
struct Month {
    start: i64,
    end: i64,
    /// The chances of at most 0, 1, 2 … orders.
    orders_at_most: Vec<f64>,
    price: LogNormal<f64>,
    /// The hazard of leaving, summed over the months before this one.
    hazard_before: f64,
}

/// Generated rows, column by column.
struct Columns {
    /// Who drew the row: with a skew, not who bought.
    customers: Vec<u64>,
    ids: StringViewArray,
    starts: Vec<i64>,
    ends: Vec<i64>,
    orders: Vec<i64>,
    cents: Vec<i64>,
    quantities: Vec<i64>,
    last: Vec<i64>,
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
        let (windows, _) = Windows::Every(Granularity::Month).resolve(Some((key(&first), key(&last))))?;
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

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The cumulative distribution of a Poisson variable, as far as a double can tell it from 1.
fn poisson(mean: f64) -> Vec<f64> {
    let (mut term, mut sum) = ((-mean).exp(), 0.0);
    let mut at_most = Vec::new();
    for k in 1.. {
        sum += term;
        at_most.push(sum);
        term *= mean / f64::from(k);
        if (term < 1e-17 && f64::from(k) > mean) || k > 4_000 {
            break;
        }
    }
    at_most
}

/// An independent stream for a customer, and for a customer and a month.
fn stream(seed: u64, customer: u64, month: u64) -> SplitMix64 {
    let mix = |x: u64| SplitMix64::from_seed(x.to_le_bytes()).next_u64();
    SplitMix64::from_seed(mix(mix(seed ^ customer.rotate_left(20)) ^ month).to_le_bytes())
}

fn unit(rng: &mut SplitMix64) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

impl Generator {
    fn chunks_per_month(&self) -> u64 {
        self.spec.customers.div_ceil(SLOTS)
    }

    /// The number of chunks.
    pub fn chunks(&self) -> u64 {
        self.chunks_per_month() * self.months.len() as u64
    }

    fn rows(&self, chunk: u64) -> Columns {
        let first = chunk % self.chunks_per_month() * SLOTS;
        self.rows_of(chunk / self.chunks_per_month(), first..first + SLOTS)
    }

    /// A month's rows of the customers who are visited at these places.
    fn rows_of(&self, number: u64, slots: Range<u64>) -> Columns {
        let month = &self.months[number as usize];
        let slots = slots.start..slots.end.min(self.spec.customers);
        let capacity = (slots.end - slots.start) as usize / 2;
        let mut ids = StringViewBuilder::with_capacity(capacity);
        let column = || Vec::with_capacity(capacity);
        let (mut orders, mut cents, mut quantities, mut last) = (column(), column(), column(), column());
        let mut customers = Vec::with_capacity(capacity);
        let mut id = String::new();
        let seconds = (month.end - month.start) / 1_000_000;
        for slot in slots {
            let customer = (u128::from(slot) * u128::from(self.stride) % u128::from(self.spec.customers)) as u64;
            let Some((mut rng, count)) = self.orders_of(customer, number, month) else { continue };
            let price = (month.price.sample(&mut rng) * 100.0).min(MAX_PRICE);
            let spend = (price * count as f64).round() as i64;
            let buyer = match self.spec.skew {
                Skew::Uniform => customer,
                Skew::Zipf => self.zipf.sample(&mut rng) as u64 - 1,
                Skew::Hot => {
                    if rng.next_u64() & 1 == 0 {
                        0
                    } else {
                        customer
                    }
                }
            };
            customers.push(customer);
            id.clear();
            self.write_id(buyer, &mut id);
            ids.append_value(&id);
            orders.push(count);
            cents.push(spend);
            quantities.push(count * (1 + (rng.next_u64() % 3) as i64));
            let second = (rng.next_u64() % seconds as u64) as i64;
            let is_null = unit(&mut rng) < self.spec.null_timestamps;
            last.push(if is_null { crate::model::NO_TIMESTAMP } else { month.start + second * 1_000_000 });
        }
        let n = orders.len();
        let (starts, ends) = (vec![month.start; n], vec![month.end; n]);
        Columns { customers, ids: ids.finish(), starts, ends, orders, cents, quantities, last }
    }

    /// The customer's orders in a month with the stream that drew them, or none without any.
    fn orders_of(&self, customer: u64, number: u64, month: &Month) -> Option<(SplitMix64, i64)> {
        let mut life = stream(self.spec.seed, customer, u64::MAX);
        let acquired = life.next_u64() % self.months.len() as u64;
        if number < acquired {
            return None;
        }
        // Leaves when the hazard since the acquisition has reached an exponential draw.
        let endurance = -(1.0 - unit(&mut life)).ln();
        if month.hazard_before - self.months[acquired as usize].hazard_before > endurance {
            return None;
        }
        let mut rng = stream(self.spec.seed, customer, number);
        let draw = unit(&mut rng);
        let count = month.orders_at_most.partition_point(|&p| p <= draw) as i64;
        let count = if number == acquired { count.max(1) } else { count };
        (count > 0).then_some((rng, count))
    }

    fn write_id(&self, customer: u64, id: &mut String) {
        // Writing to a String cannot fail.
        let _ = match self.spec.ids {
            IdStyle::Sequential => write!(id, "C-{customer:09}"),
            IdStyle::Email => write!(id, "user{customer}@example{}.com", customer % 10),
            IdStyle::Unicode => {
                let (before, after) = SCRIPTS[(customer % SCRIPTS.len() as u64) as usize];
                write!(id, "{before}{customer}{after}")
            }
            IdStyle::Uuid => {
                let mut rng = stream(self.spec.seed, customer, u64::MAX - 1);
                let (a, b) = (rng.next_u64(), rng.next_u64());
                let (time, mid, version) = (a >> 32, a >> 16 & 0xffff, a & 0xfff);
                let (variant, node) = (b >> 48 & 0x3fff | 0x8000, b & 0xffff_ffff_ffff);
                write!(id, "{time:08x}-{mid:04x}-4{version:03x}-{variant:04x}-{node:012x}")
            }
        };
    }

    /// The rows of a chunk with all eight columns of period aggregations.
    ///
    /// # Errors
    /// Never, in practice: the columns have one length.
    pub fn record_batch(&self, chunk: u64) -> Result<RecordBatch> {
        let Columns { ids, starts, ends, orders, cents, quantities, last, .. } = self.rows(chunk);
        let unfit = |e| Error::internal("generated rows do not fit a batch").cause(e);
        let money = |values: &mut dyn Iterator<Item = i64>| {
            Decimal128Array::from_iter_values(values.map(i128::from)).with_precision_and_scale(18, 2).map_err(unfit)
        };
        let spend = money(&mut cents.iter().copied())?;
        let margin = money(&mut cents.iter().map(|c| c * MARGIN / 100))?;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(ids),
            Arc::new(TimestampMicrosecondArray::from(starts)),
            Arc::new(TimestampMicrosecondArray::from(ends)),
            Arc::new(Int64Array::from(orders)),
            Arc::new(spend),
            Arc::new(margin),
            Arc::new(Int64Array::from(quantities)),
            Arc::new(TimestampMicrosecondArray::from_iter(last.into_iter().map(|t| (t != crate::model::NO_TIMESTAMP).then_some(t)))),
        ];
        RecordBatch::try_new(schema(), columns).map_err(unfit)
    }

    /// The same rows as a source of a pipeline.
    pub fn source(self) -> SyntheticSource {
        let origin = Arc::new(Origin { name: "synthetic".to_owned() });
        SyntheticSource { generator: Arc::new(self), origin, next: 0 }
    }
}

/// The columns of generated rows.
pub fn schema() -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Microsecond, None);
    let money = DataType::Decimal128(18, 2);
    Arc::new(Schema::new(vec![
        Field::new("customer_id", DataType::Utf8View, false),
        Field::new("period_start", time.clone(), false),
        Field::new("period_end", time.clone(), false),
        Field::new("total_orders", DataType::Int64, false),
        Field::new("total_spend", money.clone(), false),
        Field::new("total_margin", money, false),
        Field::new("total_quantity", DataType::Int64, false),
        Field::new("last_transaction_ts", time, true),
    ]))
}

/// Generated rows as a source.
pub struct SyntheticSource {
    generator: Arc<Generator>,
    origin: Arc<Origin>,
    next: u64,
}

impl Source for SyntheticSource {
    fn inputs(&self) -> Vec<String> {
        vec![self.origin.name.clone()]
    }

    fn next_chunk(&mut self) -> Result<Option<Box<dyn Chunk>>> {
        if self.next == self.generator.chunks() {
            return Ok(None);
        }
        let chunk = SyntheticChunk { generator: self.generator.clone(), origin: self.origin.clone(), number: self.next };
        self.next += 1;
        Ok(Some(Box::new(chunk)))
    }
}

struct SyntheticChunk {
    generator: Arc<Generator>,
    origin: Arc<Origin>,
    number: u64,
}

impl Chunk for SyntheticChunk {
    fn decode(self: Box<Self>, sink: &mut Sink<'_>) -> Result<()> {
        let Columns { ids, starts, ends, orders, cents, last, .. } = self.generator.rows(self.number);
        // How many rows the chunks before made is not known; chunks are numbered apart instead.
        let first_row = self.number * SLOTS + 1;
        sink(PeriodBatch {
            origin: self.origin,
            first_row,
            first_line: None,
            ids,
            starts: starts.into(),
            ends: ends.into(),
            orders: orders.into(),
            cents: cents.into(),
            fractions: Vec::new().into(),
            last_transactions: last.into(),
            bad: Vec::new(),
            whence: None,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use arrow::array::AsArray;
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
