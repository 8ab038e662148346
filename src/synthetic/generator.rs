//! The generator: draws the rows of a month and of some customers, as columns.
//!
//! Every draw comes from a stream of its own, which the seed, the customer and the month name.

use super::{IdStyle, Skew, Synthetic};
use crate::model::period_batch::NO_TIMESTAMP;
use arrow::array::{StringViewArray, StringViewBuilder};
use rand_core::{Rng, SeedableRng};
use rand_distr::{Distribution, LogNormal, Zipf};
use rand_xoshiro::SplitMix64;
use std::fmt::Write;
use std::ops::Range;

/// Customers that a chunk looks at.
pub(super) const SLOTS: u64 = 1 << 16;
/// An average order of this much or more, in cents, is cut: the tail of the log-normal has no end.
const MAX_PRICE: f64 = 1e9;
/// The texts before and after a customer's number in [`IdStyle::Unicode`]. They have no digits, so that ids are distinct.
const SCRIPTS: [(&str, &str); 6] =
    [("é-", ""), ("клиент-", ""), ("πελάτης-", "-Ω"), ("고객🛒", ""), ("ग्राहक-", "-お客様番号"), ("客户-", "-é")];

/// A [`Synthetic`] ready to make rows, chunk by chunk.
#[derive(Debug, Clone)]
pub struct Generator {
    pub(super) spec: Synthetic,
    pub(super) months: Vec<Month>,
    pub(super) zipf: Zipf<f64>,
    /// Customers are visited in the order `i · stride mod customers`.
    pub(super) stride: u64,
}

/// A month, and the distributions that its orders are drawn from.
#[derive(Debug, Clone)]
pub(super) struct Month {
    pub(super) start: i64,
    pub(super) end: i64,
    /// The chances of at most 0, 1, 2 … orders.
    pub(super) orders_at_most: Vec<f64>,
    pub(super) price: LogNormal<f64>,
    /// The hazard of leaving, summed over the months before this one.
    pub(super) hazard_before: f64,
}

/// Generated rows, column by column.
pub(super) struct GeneratedRows {
    /// The customer who drew the row; with a skew, another one may have bought.
    pub(super) customers: Vec<u64>,
    pub(super) ids: StringViewArray,
    pub(super) starts: Vec<i64>,
    pub(super) ends: Vec<i64>,
    pub(super) orders: Vec<i64>,
    pub(super) cents: Vec<i64>,
    pub(super) quantities: Vec<i64>,
    pub(super) last: Vec<i64>,
}

pub(super) fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The cumulative distribution of a Poisson variable, as far as a double can tell it from 1.
pub(super) fn poisson(mean: f64) -> Vec<f64> {
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
pub(super) fn stream(seed: u64, customer: u64, month: u64) -> SplitMix64 {
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

    pub(super) fn rows(&self, chunk: u64) -> GeneratedRows {
        let first = chunk % self.chunks_per_month() * SLOTS;
        self.rows_of(chunk / self.chunks_per_month(), first..first + SLOTS)
    }

    /// A month's rows of the customers who are visited at these places.
    pub(super) fn rows_of(&self, number: u64, slots: Range<u64>) -> GeneratedRows {
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
            last.push(if is_null { NO_TIMESTAMP } else { month.start + second * 1_000_000 });
        }
        let n = orders.len();
        let (starts, ends) = (vec![month.start; n], vec![month.end; n]);
        GeneratedRows { customers, ids: ids.finish(), starts, ends, orders, cents, quantities, last }
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
}
