//! Generated line items: the orders behind the generated rows of period aggregations. An audit of the lines and an audit of the rows have
//! equal customers, orders and revenue. A row is drawn first, from the streams of the rows; its orders are drawn from a stream of their own.
//!
//! The last order of a row happens at its `last_transaction_ts`, where it has one. Lines of an order are next to each other.

use super::MARGIN;
use super::generator::{GeneratedRows, Generator, stream};
use crate::base::error::{Error, Result};
use crate::base::money::Amount;
use crate::model::line_batch::TransactionBatch;
use crate::model::period_batch::{NO_TIMESTAMP, Origin};
use crate::model::worth::{WorthColumn, WorthColumns};
use crate::source::{Chunk, Sink, Source};
use arrow::array::{ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringViewArray, StringViewBuilder, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use rand_core::Rng;
use std::fmt::Write;
use std::sync::Arc;

/// Customers that a chunk looks at: fewer than for rows, of which each has several lines.
const SLOTS: u64 = 1 << 13;
/// Lines of an order, at most; as many have 1 as 2 and so on.
const LINES: u64 = 5;
/// The most that a line has of its product.
const QUANTITY: u64 = 4;
/// Products in the shop.
const PRODUCTS: u64 = 1_000;
/// No chunk has so many lines.
const ROWS_PER_CHUNK: u64 = SLOTS << 15;

/// Generated lines, column by column.
struct GeneratedLines {
    orders: StringViewArray,
    customers: StringViewArray,
    times: Vec<i64>,
    quantities: Vec<i64>,
    /// Unit prices and costs in cents.
    prices: Vec<i64>,
    costs: Vec<i64>,
    products: StringViewArray,
}

impl Generator {
    fn line_chunks_per_month(&self) -> u64 {
        self.spec.customers.div_ceil(SLOTS)
    }

    /// The number of chunks of line items.
    pub fn line_chunks(&self) -> u64 {
        self.line_chunks_per_month() * self.months.len() as u64
    }

    fn lines(&self, chunk: u64) -> GeneratedLines {
        let number = chunk / self.line_chunks_per_month();
        let first = chunk % self.line_chunks_per_month() * SLOTS;
        let GeneratedRows { customers: drawn, ids, starts, ends, orders: counts, cents, last, .. } =
            self.rows_of(number, first..first + SLOTS);
        let (mut orders, mut customers, mut products) = (StringViewBuilder::new(), StringViewBuilder::new(), StringViewBuilder::new());
        let (mut times, mut quantities, mut prices, mut costs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut moments, mut lines, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        let mut text = String::new();
        for (row, &customer) in drawn.iter().enumerate() {
            let mut rng = stream(self.spec.seed, customer, u64::MAX - 2 - number);
            // The other orders are before the last one, which may be in the month's first second.
            let until = if last[row] == NO_TIMESTAMP { ends[row] - 1_000_000 } else { last[row] };
            let seconds = ((until - starts[row]) / 1_000_000) as u64 + 1;
            moments.clear();
            moments.extend((0..counts[row]).map(|_| starts[row] + (rng.next_u64() % seconds) as i64 * 1_000_000));
            moments.sort_unstable();
            moments.iter_mut().last().into_iter().filter(|_| last[row] != NO_TIMESTAMP).for_each(|moment| *moment = last[row]);
            lines.clear();
            lines.extend(moments.iter().map(|_| 1 + rng.next_u64() % LINES));
            weights.clear();
            weights.extend((0..lines.iter().sum()).map(|_| 1 + rng.next_u64() % 100));
            let mut spends = shares(cents[row], &weights);
            for (place, (&moment, &lines)) in moments.iter().zip(&lines).enumerate() {
                text.clear();
                // Writing to a String cannot fail.
                let _ = write!(text, "O{number}-{customer}-{place}");
                // Each product once: no two lines of an order are duplicates.
                let first = rng.next_u64();
                for (nth, spend) in (0..).zip(spends.by_ref().take(lines as usize)) {
                    // As many as drawn, or the next fewer for which the price is whole cents.
                    let drawn = 1 + rng.next_u64() % QUANTITY;
                    let quantity = (1..=drawn as i64).rev().find(|quantity| spend % quantity == 0).unwrap_or(1);
                    let price = spend / quantity;
                    orders.append_value(&text);
                    customers.append_value(ids.value(row));
                    times.push(moment);
                    quantities.push(quantity);
                    prices.push(price);
                    costs.push(price - price * MARGIN / 100);
                    products.append_value(format!("P-{:04}", first.wrapping_add(nth) % PRODUCTS));
                }
            }
        }
        let (orders, customers, products) = (orders.finish(), customers.finish(), products.finish());
        GeneratedLines { orders, customers, times, quantities, prices, costs, products }
    }

    /// The line items of a chunk.
    ///
    /// # Errors
    /// Never, in practice: the columns have one length.
    pub fn line_batch(&self, chunk: u64) -> Result<RecordBatch> {
        let GeneratedLines { orders, customers, times, quantities, prices, costs, products } = self.lines(chunk);
        let unfit = |e| Error::internal("generated lines do not fit a batch").cause(e);
        let money = |cents: Vec<i64>| {
            let values = cents.into_iter().map(i128::from);
            Decimal128Array::from_iter_values(values).with_precision_and_scale(18, 2).map_err(unfit)
        };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(orders),
            Arc::new(customers),
            Arc::new(TimestampMicrosecondArray::from(times)),
            Arc::new(Int64Array::from(quantities)),
            Arc::new(money(prices)?),
            Arc::new(money(costs)?),
            Arc::new(products),
        ];
        RecordBatch::try_new(transaction_schema(), columns).map_err(unfit)
    }

    /// The line items as a source.
    pub fn transactions(self) -> SyntheticTransactions {
        let origin = Arc::new(Origin { name: "synthetic".to_owned() });
        SyntheticTransactions { generator: Arc::new(self), origin, next: 0 }
    }
}

/// Divides cents by weights, to the cent.
fn shares(cents: i64, weights: &[u64]) -> impl Iterator<Item = i64> {
    let all: u64 = weights.iter().sum();
    let mut before = (0, 0);
    weights.iter().map(move |weight| {
        let weights = before.0 + weight;
        let sum = (i128::from(cents) * i128::from(weights) / i128::from(all)) as i64;
        let share = sum - before.1;
        before = (weights, sum);
        share
    })
}

/// The columns of generated line items.
pub fn transaction_schema() -> SchemaRef {
    let money = DataType::Decimal128(18, 2);
    Arc::new(Schema::new(vec![
        Field::new("order_id", DataType::Utf8View, false),
        Field::new("customer_id", DataType::Utf8View, false),
        Field::new("event_ts", DataType::Timestamp(TimeUnit::Microsecond, None), false),
        Field::new("quantity", DataType::Int64, false),
        Field::new("unit_price", money.clone(), false),
        Field::new("unit_cost", money, false),
        Field::new("product_id", DataType::Utf8View, false),
    ]))
}

/// Generated line items as a source.
pub struct SyntheticTransactions {
    generator: Arc<Generator>,
    origin: Arc<Origin>,
    next: u64,
}

impl Source<TransactionBatch> for SyntheticTransactions {
    fn inputs(&self) -> Vec<String> {
        vec![self.origin.name.clone()]
    }

    fn next_chunk(&mut self) -> Result<Option<Box<dyn Chunk<TransactionBatch>>>> {
        if self.next == self.generator.line_chunks() {
            return Ok(None);
        }
        let chunk = LineChunk { generator: self.generator.clone(), origin: self.origin.clone(), number: self.next };
        self.next += 1;
        Ok(Some(Box::new(chunk)))
    }
}

struct LineChunk {
    generator: Arc<Generator>,
    origin: Arc<Origin>,
    number: u64,
}

impl Chunk<TransactionBatch> for LineChunk {
    fn decode(self: Box<Self>, sink: &mut Sink<'_, TransactionBatch>) -> Result<()> {
        let GeneratedLines { orders, customers, times, quantities, prices, costs, products } = self.generator.lines(self.number);
        // Prices are far below what an amount holds.
        let amount = |cents| Amount { cents, fraction: 0 };
        let each = |of: fn(i64, i64) -> i64| prices.iter().zip(&costs).zip(&quantities).map(move |((p, c), q)| amount(of(*p, *c) * q));
        sink(TransactionBatch {
            origin: self.origin,
            // As for rows, how many lines the chunks before made is not known.
            first_row: self.number.saturating_mul(ROWS_PER_CHUNK).saturating_add(1),
            first_line: None,
            orders,
            customers,
            times: times.into(),
            spend: each(|price, _| price).collect(),
            worth: WorthColumns::all(WorthColumn::UnitPrice),
            margin: each(|price, cost| price - cost).collect(),
            quantity: quantities.iter().map(|quantity| amount(quantity * 100)).collect(),
            products: Some(products),
            bad: Vec::new(),
            skipped: Vec::new(),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::synthetic::{IdStyle, Skew, Synthetic};
    use arrow::array::AsArray;
    use arrow::datatypes::{Decimal128Type, Int64Type, TimestampMicrosecondType};
    use std::collections::{BTreeMap, BTreeSet};

    /// Orders, cents, and the last time, by customer and month.
    type Sums = BTreeMap<(String, i64), (usize, i64, i64)>;

    fn of_rows(generator: &Generator) -> Sums {
        let mut sums = Sums::new();
        for chunk in 0..generator.chunks() {
            let rows = generator.rows(chunk);
            for row in 0..rows.orders.len() {
                let sum = sums.entry((rows.ids.value(row).to_owned(), rows.starts[row])).or_insert((0, 0, NO_TIMESTAMP));
                *sum = (sum.0 + rows.orders[row] as usize, sum.1 + rows.cents[row], sum.2.max(rows.last[row]));
            }
        }
        sums
    }

    fn of_lines(generator: &Generator) -> Sums {
        let mut sums: BTreeMap<(String, i64), (BTreeSet<String>, i64, i64)> = BTreeMap::new();
        let mut source = generator.clone().transactions();
        let (mut seen, mut lines) = (BTreeSet::new(), 0);
        while let Some(chunk) = source.next_chunk().unwrap() {
            chunk
                .decode(&mut |batch: TransactionBatch| {
                    let mut open = String::new();
                    for row in 0..batch.times.len() {
                        let order = batch.orders.value(row);
                        assert!(order == open || seen.insert(order.to_owned()), "lines of {order} lie apart");
                        order.clone_into(&mut open);
                        let month = generator.months.iter().find(|m| (m.start..m.end).contains(&batch.times[row])).unwrap();
                        let key = (batch.customers.value(row).to_owned(), month.start);
                        let sum = sums.entry(key).or_insert((BTreeSet::new(), 0, NO_TIMESTAMP));
                        sum.0.insert(order.to_owned());
                        assert_eq!(batch.spend[row].fraction, 0);
                        *sum = (std::mem::take(&mut sum.0), sum.1 + batch.spend[row].cents, sum.2.max(batch.times[row]));
                    }
                    lines += batch.times.len();
                    Ok(())
                })
                .unwrap();
        }
        let mean = lines as f64 / seen.len() as f64;
        assert!((2.9..3.1).contains(&mean), "{mean}");
        sums.into_iter().map(|(key, (orders, cents, last))| (key, (orders.len(), cents, last))).collect()
    }

    #[test]
    fn lines_add_up_to_rows() {
        for (skew, ids) in [(Skew::Uniform, IdStyle::Sequential), (Skew::Zipf, IdStyle::Unicode), (Skew::Hot, IdStyle::Uuid)] {
            let generator = Synthetic { customers: 9_000, skew, ids, ..Synthetic::default() }.generator().unwrap();
            assert!(of_lines(&generator) == of_rows(&generator), "{skew:?}");
        }
        // Without a last time, orders may be any time.
        let generator = Synthetic { customers: 3_000, null_timestamps: 1.0, ..Synthetic::default() }.generator().unwrap();
        let timeless = |sums: Sums| sums.into_iter().map(|(key, sum)| (key, (sum.0, sum.1))).collect::<Vec<_>>();
        assert!(timeless(of_lines(&generator)) == timeless(of_rows(&generator)));
    }

    #[test]
    fn lines_are_the_same_every_time_and_either_way() {
        let generator = Synthetic { customers: 10_000, ..Synthetic::default() }.generator().unwrap();
        let mut source = generator.clone().transactions();
        for number in 0..generator.line_chunks() {
            let batch = generator.line_batch(number).unwrap();
            assert_eq!(generator.line_batch(number).unwrap(), batch);
            let (quantities, prices) = (batch.column(3).as_primitive::<Int64Type>(), batch.column(4).as_primitive::<Decimal128Type>());
            source
                .next_chunk()
                .unwrap()
                .unwrap()
                .decode(&mut |lines| {
                    assert!(lines.orders == *batch.column(0).as_string_view() && lines.customers == *batch.column(1).as_string_view());
                    assert_eq!(lines.times, *batch.column(2).as_primitive::<TimestampMicrosecondType>().values());
                    let spends = prices.values().iter().zip(quantities.values()).map(|(price, quantity)| *price as i64 * quantity);
                    assert!(lines.spend.iter().map(|spend| spend.cents).eq(spends));
                    Ok(())
                })
                .unwrap();
        }
        assert!(source.next_chunk().unwrap().is_none());
        let other = Synthetic { customers: 10_000, seed: 43, ..Synthetic::default() }.generator().unwrap();
        assert_ne!(other.line_batch(0).unwrap(), generator.line_batch(0).unwrap());
    }
}
