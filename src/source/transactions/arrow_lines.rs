//! Any Arrow schema → [`TransactionBatch`], by the conversions of [`arrow_columns`](super::super::arrow_columns).

use super::Transactions;
use super::line_rows::{Worth, reason};
use crate::base::error::{Error, Result};
use crate::base::money::Amount;
use crate::model::line_batch::{BadLine, TransactionBatch};
use crate::model::line_columns::TransactionColumn;
use crate::model::period_batch::Origin;
use crate::source::arrow_columns::{
    TIMES_WANTED, customer_ids, each_amount, each_quantity, nulls, push_bad, text_as_views, timestamps, whole_cents,
};
use crate::source::arrow_types::{is_text, unpack};
use crate::source::row_kind::TypedColumns;
use crate::source::values::Values;
use crate::source::values::numbers::Numbers;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use arrow::error::ArrowError;
use arrow::util::display::array_value_to_string;
use std::sync::Arc;

/// The position of each column in a batch.
#[derive(Clone)]
pub(crate) struct LineColumns {
    pub(super) kind: Transactions,
    pub(super) origin: Arc<Origin>,
    pub(super) at: [Option<usize>; 10],
}

pub(super) const fn is_id(column: TransactionColumn) -> bool {
    matches!(column, TransactionColumn::OrderId | TransactionColumn::CustomerId | TransactionColumn::ProductId)
}

/// An all-null column of no type is what some writers make of an empty one.
pub(super) fn accepts(column: TransactionColumn, data_type: &DataType, integers: bool, numeric_times: bool) -> bool {
    let number = data_type.is_integer() || data_type.is_floating() || data_type.is_decimal();
    let time = matches!(data_type, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64);
    let fits = match column {
        TransactionColumn::EventTs => time || numeric_times && number,
        _ if is_id(column) => data_type.is_integer() || integers && number,
        _ => number,
    };
    data_type == &DataType::Null || is_text(data_type) || fits
}

pub(super) const fn wanted(column: TransactionColumn) -> &'static str {
    match column {
        TransactionColumn::EventTs => TIMES_WANTED,
        _ if is_id(column) => "text or an integer",
        _ => "a decimal, a float, an integer or decimal text",
    }
}

impl TypedColumns for LineColumns {
    type Batch = TransactionBatch;

    fn batch(&self, batch: &RecordBatch, first_row: u64) -> Result<TransactionBatch> {
        let fail = |e: ArrowError| Error::data("a column cannot be converted").cause(e).input(&self.origin.name);
        let array = |column: TransactionColumn| match self.at[column as usize] {
            Some(at) => unpack(batch.column(at)).and_then(|array| text_as_views(array, &self.kind.0.values)).map(Some).map_err(fail),
            None => Ok(None),
        };
        let required =
            |column: TransactionColumn| array(column)?.ok_or_else(|| Error::internal(format!("{} was not resolved", column.name())));
        let (said, values) = (&self.kind.0, &self.kind.0.values);
        let mut bad = Vec::new();
        let orders = match said.options.one_row_per_order {
            true => match array(TransactionColumn::OrderId)? {
                Some(orders) => any_ids(&orders, values).map_err(fail)?,
                None => StringViewArray::new_null(0),
            },
            false => {
                let orders = any_ids(&required(TransactionColumn::OrderId)?, values).map_err(fail)?;
                nulls(&orders, TransactionColumn::OrderId, &mut bad);
                orders
            }
        };
        let customers = customers(&required(TransactionColumn::CustomerId)?, values, &mut bad).map_err(fail)?;
        let products = match array(TransactionColumn::ProductId)? {
            Some(array) => Some(any_ids(&array, values).map_err(fail)?).filter(|ids| ids.null_count() < ids.len()),
            None => None,
        };
        let time = required(TransactionColumn::EventTs)?;
        if said.options.one_row_per_order {
            nulls(&time, TransactionColumn::EventTs, &mut bad);
        }
        let (mut dates, mut numbers) = (values.dates(), values.numbers());
        let times = timestamps(&time, TransactionColumn::EventTs, &mut dates, &mut bad).map_err(fail)?;
        let mut arrays = [const { None }; 6];
        for (number, column) in arrays.iter_mut().zip(TransactionColumn::NUMBERS) {
            *number = array(column)?;
        }
        let plain = if numbers.are_units() { plain(&arrays) } else { None };
        let (amount, margins) = (said.options.amount, self.kind.reads_margins());
        let worth = match plain.and_then(|said| Worth::of_cents(said, batch.num_rows(), amount, margins)) {
            Some(worth) => worth,
            None => self.worth(&arrays, batch.num_rows(), &mut numbers, &mut bad).map_err(fail)?,
        };
        dates.note(&times, &said.notes);
        numbers.note(&said.notes);
        bad.sort_unstable();
        let Worth { spend, margin, quantity, columns: worth, .. } = worth;
        let origin = self.origin.clone();
        Ok(TransactionBatch {
            origin,
            first_row,
            first_line: None,
            orders,
            customers,
            times,
            spend,
            worth,
            margin,
            quantity,
            products,
            skipped: Vec::new(),
            bad,
        })
    }
}

impl LineColumns {
    /// The worth of lines with any numbers.
    fn worth(&self, arrays: &[Option<ArrayRef>; 6], rows: usize, read: &mut Numbers, bad: &mut Vec<BadLine>) -> Result<Worth, ArrowError> {
        let mut numbers = [const { None }; 6];
        for ((number, array), column) in numbers.iter_mut().zip(arrays).zip(TransactionColumn::NUMBERS) {
            *number = array.as_ref().map(|array| amounts(array, column, read, bad)).transpose()?;
        }
        let mut worth = Worth::with_capacity(rows, self.kind.0.options.amount, self.kind.reads_margins());
        for row in 0..rows {
            worth.push(numbers.each_ref().map(|number| number.as_ref().and_then(|values| values[row])), bad);
        }
        Ok(worth)
    }
}

/// The cents of all columns that are there, where none has anything else.
fn plain(arrays: &[Option<ArrayRef>; 6]) -> Option<[Option<Vec<i64>>; 6]> {
    let mut plain = [const { None }; 6];
    for (cents, array) in plain.iter_mut().zip(arrays) {
        if let Some(array) = array {
            *cents = Some(whole_cents(array)?);
        }
    }
    Some(plain)
}

fn amounts(
    array: &ArrayRef,
    column: TransactionColumn,
    numbers: &mut Numbers,
    bad: &mut Vec<BadLine>,
) -> Result<Vec<Option<Amount>>, ArrowError> {
    let mut amounts = vec![None; array.len()];
    let take = |row, amount| match amount {
        Ok(amount) => amounts[row] = Some(amount),
        Err(e) => push_bad(array, row, column, reason(e), bad),
    };
    match column {
        TransactionColumn::Quantity => each_quantity(array, numbers, take)?,
        _ => each_amount(array, numbers, take)?,
    }
    Ok(amounts)
}

/// Ids as text, numbers that are not integers as they would be written. A float that is no number names no customer.
fn texts(array: &ArrayRef) -> Result<StringViewArray, ArrowError> {
    match array.data_type() {
        data_type if data_type.is_floating() => {
            let wide = cast(array, &DataType::Float64)?;
            let values = wide.as_primitive::<Float64Type>().iter();
            Ok(values.map(|value| value.filter(|v| !v.is_nan()).map(|v| v.to_string())).collect())
        }
        data_type if data_type.is_decimal() => {
            let text = |row| array.is_valid(row).then(|| array_value_to_string(array, row)).transpose();
            (0..array.len()).map(text).collect()
        }
        _ => crate::source::arrow_columns::id_texts(array),
    }
}

fn any_ids(array: &ArrayRef, values: &Values) -> Result<StringViewArray, ArrowError> {
    let ids = texts(array)?;
    Ok(match !values.keeps_ids() && ids.iter().flatten().any(|id| values.any_id(id) != id) {
        true => ids.iter().map(|id| id.map(|id| values.any_id(id)).filter(|id| !id.is_empty())).collect(),
        false => ids,
    })
}

fn customers(array: &ArrayRef, values: &Values, bad: &mut Vec<BadLine>) -> Result<StringViewArray, ArrowError> {
    let ids = texts(array)?;
    Ok(if values.keeps_ids() { ids } else { customer_ids(&ids, values, TransactionColumn::CustomerId, bad) })
}
