//! Orders → period aggregations: a row for each customer and calendar period, sorted by the bytes of the customer's id and by time.
//!
//! In come the partitions of [`Orders`]; out go Arrow batches, to a sink that the caller gives.
//!
//! Each partition gives its orders to a sorter, whose records are a customer, a period and an order. The sorted orders of one customer and
//! period follow each other and are added up while they are read. So the memory needed is that of sorting, and the rows do not depend on
//! the number of threads.

use super::group::Order;
use super::to_periods::{PeriodFinder, cents};
use super::{LineSummary, Orders};
use crate::base::bytes::sort_key::{put_number, put_signed, put_text, take_bytes, take_number, take_signed, take_text};
use crate::base::error::{Error, Result, Stage};
use crate::base::merge::Merge;
use crate::base::money::Total;
use crate::base::threads::{parallel_fold, with_pool};
use crate::base::time::format_timestamp;
use crate::model::window::Granularity;
use crate::spill::{Records, Sorter, Sorting};
use arrow::array::{ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringBuilder, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const ROWS: usize = 8_192;
/// Decimals of money, and of quantities.
const MONEY: DataType = DataType::Decimal128(18, 2);
const QUANTITY: DataType = DataType::Decimal128(38, 6);

/// A margin's absolute value stays below so many cents: 18 digits.
const MOST_CENTS: i128 = 10_i128.pow(18);

/// The columns of period aggregations; quantities are integers where all are whole, else decimals.
pub fn schema(whole_quantities: bool) -> SchemaRef {
    let time = || DataType::Timestamp(TimeUnit::Microsecond, None);
    let field = |name: &str, data_type, nullable| Field::new(name, data_type, nullable);
    Arc::new(Schema::new(vec![
        field("customer_id", DataType::Utf8, false),
        field("period_start", time(), false),
        field("period_end", time(), false),
        field("total_orders", DataType::Int64, false),
        field("total_spend", MONEY, false),
        field("total_margin", MONEY, false),
        field("total_quantity", if whole_quantities { DataType::Int64 } else { QUANTITY }, false),
        field("last_transaction_ts", time(), true),
    ]))
}

/// The sums of a customer in a period.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Row {
    customer: Vec<u8>,
    start: i64,
    orders: i64,
    spend: i128,
    margin: i128,
    quantity: Total,
    last: Option<i64>,
}

/// Orders sorted by customer and period, ready to be added up to rows.
pub struct PeriodRows {
    records: Arc<Records>,
    every: Granularity,
    schema: SchemaRef,
    summary: LineSummary,
}

impl Orders {
    /// Groups all lines to orders, and sorts these by customer and calendar period.
    ///
    /// # Errors
    /// An order that no row can hold; what grouping or sorting fails with.
    pub fn into_period_rows(self, every: Granularity) -> Result<PeriodRows> {
        let whole = AtomicBool::new(true);
        let periods = PeriodFinder::new(Some(every), self.validation.options.timezone);
        let sorting =
            Sorting { store: self.partitions.store().clone(), heap: self.merge, merge: self.merge, cancel: self.validation.cancel.clone() };
        let sorter = Sorter::new(sorting);
        let records = with_pool(self.threads, || {
            parallel_fold(
                self.partitions.len(),
                || (),
                |(), partition| {
                    let (mut buffer, mut found) = (sorter.buffer(), periods.clone());
                    self.group(partition, &periods, |order: &Order<'_>| {
                        let (time, (start, _)) = found.find(order.time, order.counts);
                        let (cents, fraction) = whole_cents(order.quantity).ok_or_else(|| Error::internal("an order of too much"))?;
                        if cents % 100 != 0 || fraction != 0 {
                            whole.store(false, Ordering::Relaxed);
                        }
                        buffer.push(|out| {
                            put_text(order.customer, out);
                            out.extend_from_slice(&(start as u64 ^ 1 << 63).to_be_bytes());
                            out.push(order.counts.into());
                            put_signed(time, out);
                            put_signed(order.spend, out);
                            put_signed(order.margin, out);
                            put_signed(cents, out);
                            put_number(fraction, out);
                        })
                    })
                },
            )?;
            sorter.finish()
        })?;
        Ok(PeriodRows { records, every, schema: schema(whole.into_inner()), summary: self.summary() })
    }
}

impl PeriodRows {
    /// The columns of the batches: those of [`schema`].
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The counts of the lines and orders that the rows were made of.
    pub fn summary(&self) -> &LineSummary {
        &self.summary
    }

    /// Gives `sink` the rows in batches, in order; returns how many rows there were.
    ///
    /// # Errors
    /// A customer's total that no row can hold; what reading the sorted orders, or the sink, fails with.
    pub fn write(self, mut sink: impl FnMut(&RecordBatch) -> Result<()>) -> Result<u64> {
        let PeriodRows { records, every, schema, .. } = self;
        let (mut merged, mut rows, mut count) = (records.read(), Vec::new(), 0);
        let mut send = |rows: &mut Vec<Row>| {
            count += rows.len() as u64;
            sink(&batch(rows, every, &schema)?)?;
            rows.clear();
            Ok::<(), Error>(())
        };
        let mut current: Option<Row> = None;
        while let Some(record) = merged.next()? {
            let (mut row, counts, time) = read(record).ok_or_else(|| Error::internal("a record that is no order's"))?;
            row.orders = counts.into();
            row.last = counts.then_some(time);
            match &mut current {
                Some(same) if same.customer == row.customer && same.start == row.start => same.add(&row),
                _ => {
                    rows.extend(current.replace(row));
                    if rows.len() == ROWS {
                        send(&mut rows)?;
                    }
                }
            }
        }
        rows.extend(current);
        if !rows.is_empty() {
            send(&mut rows)?;
        }
        Ok(count)
    }
}

impl std::fmt::Debug for PeriodRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PeriodRows").field("every", &self.every).field("summary", &self.summary).finish_non_exhaustive()
    }
}

impl Row {
    fn add(&mut self, other: &Row) {
        self.orders += other.orders;
        self.spend += other.spend;
        self.margin += other.margin;
        self.quantity.merge(other.quantity);
        self.last = self.last.max(other.last);
    }
}

/// An order's record: its row, whether it counts, its time.
fn read(record: &[u8]) -> Option<(Row, bool, i64)> {
    let mut rest = record;
    let bytes = &mut rest;
    let customer = take_text(bytes)?.into_owned();
    let start = (u64::from_be_bytes(take_bytes(bytes)?) ^ 1 << 63) as i64;
    let counts = take_bytes::<1>(bytes)? != [0];
    let time = take_signed(bytes)?;
    let (spend, margin) = (take_signed(bytes)?.into(), take_signed(bytes)?.into());
    let quantity = Total::new(take_signed(bytes)?.into(), take_number(bytes)?);
    Some((Row { customer, start, spend, margin, quantity, ..Row::default() }, counts, time))
}

/// A sum as cents that fit 64 bits, and their fraction.
fn whole_cents(total: Total) -> Option<(i64, u64)> {
    let (beyond, cents, fraction) = total.split();
    (beyond == 0).then_some((cents, fraction))
}

fn batch(rows: &[Row], every: Granularity, schema: &SchemaRef) -> Result<RecordBatch> {
    // Spend that could be written and not be read again would be of no use.
    for row in rows {
        let what = match whole_cents(row.quantity) {
            _ if cents(Total::new(row.spend, 0)).is_none() => "total_spend",
            _ if row.margin.abs() >= MOST_CENTS => "total_margin",
            None => "total_quantity",
            Some(_) => continue,
        };
        let (customer, start) = (String::from_utf8_lossy(&row.customer), format_timestamp(row.start));
        return Err(Error::data(format!("{what} of customer {customer:?} in the period from {start} is too large for a row"))
            .help("are the columns of customers, amounts and quantities the right ones? Shorter periods come to less")
            .stage(Stage::Report));
    }
    let times = |of: &dyn Fn(&Row) -> Option<i64>| Arc::new(rows.iter().map(of).collect::<TimestampMicrosecondArray>()) as ArrayRef;
    let decimals = |of: &dyn Fn(&Row) -> i128, data_type: DataType| {
        Arc::new(Decimal128Array::from_iter_values(rows.iter().map(of)).with_data_type(data_type)) as ArrayRef
    };
    let quantities = match schema.field_with_name("total_quantity").is_ok_and(|field| field.data_type() == &DataType::Int64) {
        true => {
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| whole_cents(row.quantity).map_or(0, |(cents, _)| cents / 100))))
        }
        false => decimals(&|row| row.quantity.millionths(), QUANTITY),
    };
    let mut ids = StringBuilder::new();
    rows.iter().for_each(|row| ids.append_value(String::from_utf8_lossy(&row.customer)));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(ids.finish()),
        times(&|row| Some(row.start)),
        times(&|row| Some(every.start(every.index(row.start) + 1))),
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.orders))),
        decimals(&|row| row.spend, MONEY),
        decimals(&|row| row.margin, MONEY),
        quantities,
        times(&|row| row.last),
    ];
    RecordBatch::try_new(schema.clone(), columns).map_err(|e| Error::internal("rows of periods").cause(e))
}
