//! Any Arrow schema → [`TransactionBatch`], by the conversions of [`arrow_columns`](super::super::arrow_columns).

use super::Transactions;
use super::dates::Dates;
use super::line_rows::{Worth, reason, whole, without_point};
use crate::base::error::{Error, Result};
use crate::base::money::Amount;
use crate::model::line_batch::{BadLine, TransactionBatch};
use crate::model::line_columns::TransactionColumn;
use crate::model::period_batch::Origin;
use crate::model::reject::Reason;
use crate::source::arrow_columns::{each_amount, is_text, nulls, push_bad, text_as_views, timestamps, unpack, whole_cents};
use crate::source::row_kind::TypedColumns;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use arrow::error::ArrowError;
use arrow::util::display::array_value_to_string;
use std::borrow::Cow;
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
pub(super) fn accepts(column: TransactionColumn, data_type: &DataType, integers: bool) -> bool {
    let number = data_type.is_integer() || data_type.is_floating() || data_type.is_decimal();
    let time = matches!(data_type, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64);
    let fits = match column {
        TransactionColumn::EventTs => time,
        _ if is_id(column) => data_type.is_integer() || integers && number,
        _ => number,
    };
    data_type == &DataType::Null || is_text(data_type) || fits
}

pub(super) const fn wanted(column: TransactionColumn) -> &'static str {
    match column {
        TransactionColumn::EventTs => "a timestamp, a date or ISO 8601 text",
        _ if is_id(column) => "text or an integer",
        _ => "a decimal, a float, an integer or decimal text",
    }
}

impl TypedColumns for LineColumns {
    type Batch = TransactionBatch;

    fn batch(&self, batch: &RecordBatch, first_row: u64) -> Result<TransactionBatch> {
        let fail = |e: ArrowError| Error::data("a column cannot be converted").cause(e).input(&self.origin.name);
        let array = |column: TransactionColumn| match self.at[column as usize] {
            Some(at) => unpack(batch.column(at)).and_then(text_as_views).map(Some).map_err(fail),
            None => Ok(None),
        };
        let required =
            |column: TransactionColumn| array(column)?.ok_or_else(|| Error::internal(format!("{} was not resolved", column.name())));
        let (said, integers) = (&self.kind.0, self.kind.are_ids_integers());
        let mut bad = Vec::new();
        let orders = match said.options.one_row_per_order {
            true => StringViewArray::new_null(0),
            false => {
                let orders = any_ids(&required(TransactionColumn::OrderId)?, integers).map_err(fail)?;
                nulls(&orders, TransactionColumn::OrderId, &mut bad);
                orders
            }
        };
        let customers = customers(&required(TransactionColumn::CustomerId)?, integers, &mut bad).map_err(fail)?;
        let products = match array(TransactionColumn::ProductId)? {
            Some(array) => Some(any_ids(&array, integers).map_err(fail)?).filter(|ids| ids.null_count() < ids.len()),
            None => None,
        };
        let time = required(TransactionColumn::EventTs)?;
        if said.options.one_row_per_order {
            nulls(&time, TransactionColumn::EventTs, &mut bad);
        }
        let mut dates = Dates::new(said.dates.clone());
        let times = timestamps(&time, TransactionColumn::EventTs, |text| dates.read(text), &mut bad).map_err(fail)?;
        let mut arrays = [const { None }; 6];
        for (number, column) in arrays.iter_mut().zip(TransactionColumn::NUMBERS) {
            *number = array(column)?;
        }
        let (amount, margins) = (said.options.amount, self.kind.reads_margins());
        let worth = match plain(&arrays).and_then(|said| Worth::of_cents(said, batch.num_rows(), amount, margins)) {
            Some(worth) => worth,
            None => self.worth(&arrays, batch.num_rows(), &mut bad).map_err(fail)?,
        };
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
            bad,
        })
    }
}

impl LineColumns {
    /// The worth of lines with any numbers.
    fn worth(&self, arrays: &[Option<ArrayRef>; 6], rows: usize, bad: &mut Vec<BadLine>) -> Result<Worth, ArrowError> {
        let mut numbers = [const { None }; 6];
        for ((number, array), column) in numbers.iter_mut().zip(arrays).zip(TransactionColumn::NUMBERS) {
            *number = array.as_ref().map(|array| amounts(array, column, bad)).transpose()?;
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

fn amounts(array: &ArrayRef, column: TransactionColumn, bad: &mut Vec<BadLine>) -> Result<Vec<Option<Amount>>, ArrowError> {
    let mut amounts = vec![None; array.len()];
    each_amount(array, |row, amount| match amount {
        Ok(amount) => amounts[row] = Some(amount),
        Err(e) => push_bad(array, row, column, reason(e), bad),
    })?;
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

fn any_ids(array: &ArrayRef, integers: bool) -> Result<StringViewArray, ArrowError> {
    let ids = texts(array)?;
    Ok(match integers && ids.iter().flatten().any(|id| without_point(id) != id) {
        true => ids.iter().map(|id| id.map(without_point)).collect(),
        false => ids,
    })
}

fn customers(array: &ArrayRef, integers: bool, bad: &mut Vec<BadLine>) -> Result<StringViewArray, ArrowError> {
    let ids = texts(array)?;
    if !integers || array.data_type().is_integer() {
        return Ok(ids);
    }
    let read = |(row, id): (usize, Option<&str>)| {
        let id = id?;
        let whole = whole(id);
        if whole.is_none() {
            let (row, column) = (row as u32, TransactionColumn::CustomerId);
            bad.push(BadLine { row, column, reason: Reason::BadNumber, value: id.to_owned() });
        }
        whole.map(Cow::into_owned)
    };
    Ok(ids.iter().enumerate().map(read).collect())
}
