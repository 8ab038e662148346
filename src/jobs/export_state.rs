//! A state → a table of period aggregations: a row for each customer and calendar window, for SQL and other programs, and for a new state.
//! Open rows are there as they were read. Rows that were left out, and the names of inputs, are not.

use crate::base::cancel::Cancel;
use crate::base::error::{Error, Result};
use crate::base::money::{Total, UNITS_PER_CENT};
use crate::model::entry::reference_time;
use crate::model::hash::PARTITIONS;
use crate::model::period_batch::{NO_TIMESTAMP, PeriodBatch};
use crate::model::state_batch::StateBatch;
use crate::report::table::TableWriter;
use crate::source::Source;
use crate::source::files::Format;
use crate::spill::{FRAME_CUSTOMERS, Sorted};
use crate::state::{OpenRows, Rollup, State};
use arrow::array::{Array, ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringViewBuilder, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use std::path::Path;
use std::sync::Arc;

/// Cents of 18 digits.
const MOST_CENTS: i128 = 10_i128.pow(18);

/// Writes a state to a table that `path` or `format` names, and gives the number of rows. Amounts have two decimals, or 18 where any has a
/// fraction of a cent. An update of a new state takes the table in, and any audit of it then gives the same answers about customers.
///
/// # Errors
/// When the state is damaged, an amount has more than 20 digits before the point, or the table cannot be written.
pub fn export_state(state: &State, path: &Path, format: Option<Format>, csv_safe: bool, cancel: &Cancel) -> Result<u64> {
    let mut are_cents = true;
    each(state, cancel, |rows| {
        are_cents &= rows.spend.iter().all(|total| total.is_cents() && total.rounded().hundredths().abs() < MOST_CENTS);
        Ok(())
    })?;
    let schema = schema(if are_cents { DataType::Decimal128(18, 2) } else { DataType::Decimal128(38, 18) });
    let mut table = TableWriter::create_on(path, format, &schema, cancel, state.io())?.csv_safe(csv_safe);
    each(state, cancel, |rows| table.write(&rows.take(&schema, are_cents)?))?;
    let rows = table.rows();
    let mut output = table.finish()?;
    output.complete()?;
    output.commit()?;
    Ok(rows)
}

/// The columns of the table.
fn schema(money: DataType) -> SchemaRef {
    let time = || DataType::Timestamp(TimeUnit::Microsecond, None);
    let field = |name: &str, data_type, nullable| Field::new(name, data_type, nullable);
    Arc::new(Schema::new(vec![
        field("customer_id", DataType::Utf8View, false),
        field("period_start", time(), false),
        field("period_end", time(), false),
        field("total_orders", DataType::Int64, false),
        field("total_spend", money, false),
        field("last_transaction_ts", time(), true),
    ]))
}

/// Gives `take` all rows, some at a time.
fn each(state: &State, cancel: &Cancel, mut take: impl FnMut(&mut Rows) -> Result<()>) -> Result<()> {
    let mut rows = Rows::default();
    for partition in 0..PARTITIONS {
        let streams = state.runs().iter().map(|file| Box::new(file.stream(partition, &Rollup::Same)) as Box<dyn Sorted + '_>).collect();
        crate::spill::merge(streams, FRAME_CUSTOMERS, |states| {
            cancel.check()?;
            rows.add(states, state);
            take(&mut rows)?;
            rows.clear();
            Ok(())
        })?;
    }
    let mut open = OpenRows::new(state.runs().to_vec(), cancel.clone());
    while let Some(chunk) = open.next_chunk()? {
        chunk.decode(&mut |batch| {
            rows.add_open(&batch);
            take(&mut rows)?;
            rows.clear();
            Ok(())
        })?;
    }
    Ok(())
}

/// Rows, column by column.
#[derive(Default)]
struct Rows {
    ids: StringViewBuilder,
    starts: Vec<i64>,
    ends: Vec<i64>,
    orders: Vec<i64>,
    spend: Vec<Total>,
    last: Vec<Option<i64>>,
}

impl Rows {
    fn clear(&mut self) {
        *self = Rows::default();
    }

    fn add(&mut self, states: &StateBatch, state: &State) {
        let (every, mut rest) = (state.manifest().every, 0);
        for customer in 0..states.len() {
            let id = states.text(customer);
            for entry in states.begin(customer)..states.ends[customer] as usize {
                let (time, is_transaction) = reference_time(states.references[entry]);
                self.ids.append_value(&id);
                self.starts.push(states.starts[entry]);
                // Without a transaction, recency counts from the end of the last period.
                self.ends.push(if is_transaction { every.start(states.windows[entry] + 1) } else { time });
                self.orders.push(states.orders[entry]);
                self.spend.push(states.total(entry, &mut rest));
                self.last.push(is_transaction.then_some(time));
            }
        }
    }

    fn add_open(&mut self, batch: &PeriodBatch) {
        for row in 0..batch.starts.len() {
            self.ids.append_value(batch.ids.value(row));
            self.starts.push(batch.starts[row]);
            self.ends.push(batch.ends[row]);
            self.orders.push(batch.orders[row]);
            self.spend.push(Total::new(batch.cents[row].into(), batch.fractions.get(row).copied().unwrap_or(0)));
            self.last.push(batch.last_transactions.get(row).copied().filter(|&last| last != NO_TIMESTAMP));
        }
    }

    fn take(&mut self, schema: &SchemaRef, are_cents: bool) -> Result<RecordBatch> {
        let Rows { mut ids, starts, ends, orders, spend, last } = std::mem::take(self);
        let units = |total: &Total| {
            let (carry, cents, fraction) = total.split();
            let cents = carry + i128::from(cents);
            if are_cents { Some(cents) } else { cents.checked_mul(UNITS_PER_CENT.into())?.checked_add(fraction.into()) }
        };
        let spend: Option<Vec<i128>> = spend.iter().map(units).collect();
        let spend = spend.ok_or_else(|| Error::data("a customer's spend in a window has too many digits for a table"))?;
        let (precision, scale) = if are_cents { (18, 2) } else { (38, 18) };
        let broken = |e| Error::internal("rows cannot be put into a batch").cause(e);
        let spend = Decimal128Array::from_iter_values(spend).with_precision_and_scale(precision, scale).map_err(broken)?;
        let ids = ids.finish();
        debug_assert_eq!(ids.len(), starts.len());
        let columns: Vec<ArrayRef> = vec![
            Arc::new(ids),
            Arc::new(TimestampMicrosecondArray::from(starts)),
            Arc::new(TimestampMicrosecondArray::from(ends)),
            Arc::new(Int64Array::from(orders)),
            Arc::new(spend),
            Arc::new(TimestampMicrosecondArray::from(last)),
        ];
        RecordBatch::try_new(schema.clone(), columns).map_err(broken)
    }
}
