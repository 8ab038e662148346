//! Any Arrow schema → [`PeriodBatch`]. Columns that already have the engine's layout are taken as they are, without a copy.
//!
//! [`Columns::batch`] converts columns that were found, of types that were accepted (`arrow_rows`). Values that cannot be read become
//! [`Bad`] entries; nothing here decides what happens to them.

use super::arrow_types::{is_text, unpack};
use super::row_kind::ArrowColumns;
use super::values::Values;
use super::values::date_reader::Dates;
use super::values::numbers::Numbers;
use super::{Chunk, Sink};
use crate::base::error::{Error, Result, Stage};
use crate::base::money::{Amount, AmountError};
use crate::base::time::{Clock, DAY, MAX_TIMESTAMP, MIN_TIMESTAMP};
use crate::model::columns::Column;
use crate::model::note::Notes;
use crate::model::period_batch::{Bad, NO_TIMESTAMP, Origin, PeriodBatch, kept_value};
use crate::model::reject::Reason;
use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray, RecordBatch, StringViewArray, StringViewBuilder};
use arrow::buffer::ScalarBuffer;
use arrow::compute::cast;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Date64Type, Decimal128Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow::error::ArrowError;
use arrow::util::display::array_value_to_string;
use std::sync::Arc;

/// The position of each column in a batch.
#[derive(Debug, Clone)]
pub struct Columns {
    origin: Arc<Origin>,
    at: [Option<usize>; 6],
    values: Values,
    notes: Notes,
}

impl Columns {
    pub(super) fn new(at: [Option<usize>; 6], values: &Values, notes: &Notes, origin: Arc<Origin>) -> Self {
        Columns { origin, at, values: values.clone(), notes: notes.clone() }
    }

    /// Converts a batch.
    ///
    /// # Errors
    /// When an array's type is not the schema's.
    pub fn batch(&self, batch: &RecordBatch, first_row: u64) -> Result<PeriodBatch> {
        let fail = |e: ArrowError| Error::data("a column cannot be converted").cause(e).input(&self.origin.name);
        let array = |column: Column| match self.at[column as usize] {
            Some(at) => unpack(batch.column(at)).and_then(|array| text_as_views(array, &self.values)).map(Some).map_err(fail),
            None => Ok(None),
        };
        let (mut dates, mut numbers) = (self.values.dates(), self.values.numbers());
        let required = |column: Column| array(column)?.ok_or_else(|| Error::internal(format!("{} was not resolved", column.name())));
        let mut bad = Vec::new();
        let mut ids = id_texts(&required(Column::CustomerId)?).map_err(fail)?;
        if !self.values.keeps_ids() {
            ids = customer_ids(&ids, &self.values, Column::CustomerId, &mut bad);
        }
        nulls(&ids, Column::CustomerId, &mut bad);
        let mut times = |array: &ArrayRef, column: Column| {
            if !column.is_optional() {
                nulls(array, column, &mut bad);
            }
            timestamps(array, column, &mut dates, &mut bad).map_err(fail)
        };
        let starts = times(&required(Column::PeriodStart)?, Column::PeriodStart)?;
        let ends = times(&required(Column::PeriodEnd)?, Column::PeriodEnd)?;
        let last_transactions = match array(Column::LastTransactionTs)? {
            Some(array) => times(&array, Column::LastTransactionTs)?,
            None => ScalarBuffer::from(Vec::new()),
        };
        let orders = orders(&required(Column::TotalOrders)?, &mut numbers, &mut bad).map_err(fail)?;
        let (cents, fractions) = amounts(&required(Column::TotalSpend)?, &mut numbers, &mut bad).map_err(fail)?;
        numbers.note(&self.notes);
        [&starts, &ends, &last_transactions].into_iter().for_each(|times| dates.note_dates(times, &self.notes));
        bad.sort_unstable();
        let origin = self.origin.clone();
        let mut batch = PeriodBatch {
            origin,
            first_row,
            first_line: None,
            ids,
            starts,
            ends,
            orders,
            cents,
            fractions,
            last_transactions,
            bad,
            skipped: Vec::new(),
            whence: None,
            of_orders: false,
        };
        if self.values.ends_are_inclusive() {
            batch.end_after();
        }
        Ok(batch)
    }
}

/// A column whose type cannot hold what it should.
pub(super) fn unfit(name: &str, data_type: &DataType, column: &str, wanted: &str, origin: &Origin) -> Error {
    let what = format!("column {name:?} is {data_type}, which cannot be {column}: it takes {wanted}");
    Error::data(what).input(&origin.name).stage(Stage::Source)
}

/// An Arrow batch to convert.
pub(crate) struct ArrowChunk<C> {
    pub(crate) batch: RecordBatch,
    pub(crate) columns: C,
    pub(crate) first_row: u64,
    pub(crate) bytes: u64,
}

impl<C: ArrowColumns> Chunk<C::Batch> for ArrowChunk<C> {
    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn decode(self: Box<Self>, sink: &mut Sink<'_, C::Batch>) -> Result<()> {
        sink(self.columns.batch(&self.batch, self.first_row)?)
    }
}

/// An all-null column of no type is what some writers make of an empty one.
pub(super) fn accepts(column: Column, data_type: &DataType, values: &Values) -> bool {
    let integer = data_type.is_integer();
    let number = integer || data_type.is_floating() || data_type.is_decimal();
    data_type == &DataType::Null
        || match column {
            Column::CustomerId => is_text(data_type) || integer,
            Column::PeriodStart | Column::PeriodEnd | Column::LastTransactionTs if number => values.date_formats().read_numbers(),
            Column::TotalOrders | Column::TotalSpend => is_text(data_type) || number,
            _ => is_text(data_type) || matches!(data_type, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64),
        }
}

/// The types that hold times.
pub(super) const TIMES_WANTED: &str = "a timestamp, a date or text, or numbers such as seconds since 1970 by a format of dates";

pub(super) const fn wanted(column: Column) -> &'static str {
    match column {
        Column::CustomerId => "text or an integer",
        Column::TotalOrders => "an integer",
        Column::TotalSpend => "a decimal, a float, an integer or decimal text",
        _ => TIMES_WANTED,
    }
}

/// Lists every null as a missing value.
pub(super) fn nulls<C: Copy>(array: &dyn Array, column: C, bad: &mut Vec<Bad<C>>) {
    let Some(nulls) = array.logical_nulls().filter(|nulls| nulls.null_count() > 0) else { return };
    let missing = (0..array.len()).filter(|&row| nulls.is_null(row));
    bad.extend(missing.map(|row| Bad { row: row as u32, column, reason: Reason::MissingValue, value: String::new() }));
}

/// Every column of text becomes one of views, where an empty one is a null, as in a CSV, and so is one that stands for no value.
pub(super) fn text_as_views(array: ArrayRef, values: &Values) -> Result<ArrayRef, ArrowError> {
    if !is_text(array.data_type()) {
        return Ok(array);
    }
    let views = cast(&array, &DataType::Utf8View)?;
    let texts = views.as_string_view();
    if !values.has_nulls() && texts.iter().all(|text| text.is_none_or(|t| !t.is_empty())) {
        return Ok(views);
    }
    let kept = texts.iter().map(|text| text.map(|text| values.or_empty(text)).filter(|text| !text.is_empty()));
    Ok(Arc::new(kept.collect::<StringViewArray>()))
}

/// The ids of customers as the options say; null where there is none. Bad values are listed, and kept.
pub(super) fn customer_ids<C: Copy>(ids: &StringViewArray, values: &Values, column: C, bad: &mut Vec<Bad<C>>) -> StringViewArray {
    let mut read = StringViewBuilder::with_capacity(ids.len());
    for (row, id) in ids.iter().enumerate() {
        let Some(id) = id else {
            read.append_null();
            continue;
        };
        match values.customer_id(id) {
            Some(id) => read.append_option(Some(id).filter(|id| !id.is_empty())),
            None => {
                bad.push(Bad { row: row as u32, column, reason: Reason::BadNumber, value: kept_value(id) });
                // Not a missing value, too.
                read.append_value(id);
            }
        }
    }
    read.finish()
}

pub(super) fn push_bad<C>(array: &dyn Array, row: usize, column: C, reason: Reason, bad: &mut Vec<Bad<C>>) {
    let value = kept_value(&array_value_to_string(array, row).unwrap_or_default());
    bad.push(Bad { row: row as u32, column, reason, value });
}

/// Ids as text: what is text already, and the digits of integers.
pub(super) fn id_texts(array: &ArrayRef) -> Result<StringViewArray, ArrowError> {
    let views = match array.data_type() {
        DataType::Utf8View => array.as_string_view().clone(),
        DataType::Null => StringViewArray::new_null(array.len()),
        DataType::UInt64 => decimal_texts(array.as_primitive::<arrow::datatypes::UInt64Type>()),
        _ => decimal_texts(cast(array, &DataType::Int64)?.as_primitive::<Int64Type>()),
    };
    Ok(views)
}

fn decimal_texts<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>) -> StringViewArray
where
    T::Native: std::fmt::Display,
{
    use std::fmt::Write;
    let mut builder = StringViewBuilder::with_capacity(array.len());
    let mut text = String::new();
    for value in array.iter() {
        text.clear();
        match value {
            Some(value) if write!(text, "{value}").is_ok() => builder.append_value(&text),
            _ => builder.append_null(),
        }
    }
    builder.finish()
}

/// Microseconds since 1970, UTC, or [`NO_TIMESTAMP`]; those that are text or numbers are read by the formats of dates.
pub(super) fn timestamps<C: Copy>(
    array: &ArrayRef,
    column: C,
    dates: &mut Dates,
    bad: &mut Vec<Bad<C>>,
) -> Result<ScalarBuffer<i64>, ArrowError> {
    let clock = match array.data_type() {
        DataType::Timestamp(_, None) => Clock::Naive,
        DataType::Date32 | DataType::Date64 => Clock::Day,
        _ => Clock::Utc,
    };
    let values: ScalarBuffer<i64> = match array.data_type() {
        DataType::Timestamp(TimeUnit::Microsecond, _) => array.as_primitive::<TimestampMicrosecondType>().values().clone(),
        DataType::Timestamp(TimeUnit::Second, _) => scaled::<TimestampSecondType>(array, |v| v.saturating_mul(1_000_000)),
        DataType::Timestamp(TimeUnit::Millisecond, _) => scaled::<TimestampMillisecondType>(array, |v| v.saturating_mul(1_000)),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => scaled::<TimestampNanosecondType>(array, |v| v.div_euclid(1_000)),
        DataType::Date32 => scaled::<Date32Type>(array, |v| i64::from(v).saturating_mul(DAY)),
        DataType::Date64 => scaled::<Date64Type>(array, |v| v.saturating_mul(1_000)),
        DataType::Null => ScalarBuffer::from(vec![NO_TIMESTAMP; array.len()]),
        // What cannot be read stays outside the range, which the check below sees.
        _ => {
            let texts = if is_text(array.data_type()) { array.clone() } else { cast(array, &DataType::Utf8View)? };
            let read = |text: Option<&str>| text.and_then(|text| dates.read(text.as_bytes())).unwrap_or(NO_TIMESTAMP);
            texts.as_string_view().iter().map(read).collect::<Vec<_>>().into()
        }
    };
    // A column's type may say a place that no option does.
    if matches!(array.data_type(), DataType::Timestamp(_, Some(zone)) if !is_utc(zone)) {
        dates.count_away(array.len() - array.null_count());
    }
    let values = if clock != Clock::Utc && dates.has_zone() { placed(array, &values, clock, dates) } else { values };
    let inside = |v: i64| (MIN_TIMESTAMP..=MAX_TIMESTAMP).contains(&v);
    let nulls = array.logical_nulls().filter(|nulls| nulls.null_count() > 0);
    if nulls.is_none() && values.iter().all(|&v| inside(v)) {
        return Ok(values);
    }
    let mut values = values.to_vec();
    for (row, value) in values.iter_mut().enumerate() {
        if nulls.as_ref().is_some_and(|n| n.is_null(row)) {
            *value = NO_TIMESTAMP;
        } else if !inside(*value) {
            push_bad(array, row, column, Reason::BadTimestamp, bad);
            *value = NO_TIMESTAMP;
        }
    }
    Ok(values.into())
}

/// Whether a type's time zone is UTC.
fn is_utc(zone: &str) -> bool {
    ["UTC", "Z", "GMT", "Etc/UTC", "+00:00", "+00", "+0000", "-00:00"].contains(&zone)
}

/// Times that say no offset, in UTC.
#[cold]
fn placed(array: &ArrayRef, values: &[i64], clock: Clock, dates: &mut Dates) -> ScalarBuffer<i64> {
    let inside = |v: i64| (MIN_TIMESTAMP..=MAX_TIMESTAMP).contains(&v);
    let place = |(row, &value)| match array.is_valid(row) && inside(value) {
        true => dates.place(value, clock).unwrap_or(NO_TIMESTAMP),
        false => value,
    };
    values.iter().enumerate().map(place).collect::<Vec<_>>().into()
}

fn scaled<T: ArrowPrimitiveType>(array: &ArrayRef, scale: impl Fn(T::Native) -> i64) -> ScalarBuffer<i64> {
    array.as_primitive::<T>().values().iter().map(|&v| scale(v)).collect::<Vec<_>>().into()
}

fn orders(array: &ArrayRef, numbers: &mut Numbers, bad: &mut Vec<Bad>) -> Result<ScalarBuffer<i64>, ArrowError> {
    let column = Column::TotalOrders;
    nulls(array, column, bad);
    if let Some(array) = array.as_primitive_opt::<Int64Type>() {
        return Ok(array.values().clone());
    }
    if array.data_type().is_integer() {
        // Only a UInt64 can fail to fit, and becomes a null here.
        let wide = cast(array, &DataType::Int64)?;
        for row in (0..array.len()).filter(|&row| wide.is_null(row) && array.is_valid(row)) {
            push_bad(array, row, column, Reason::BadNumber, bad);
        }
        return Ok(wide.as_primitive::<Int64Type>().values().clone());
    }
    let mut values = vec![0; array.len()];
    if let Some(texts) = array.as_string_view_opt() {
        for (row, text) in texts.iter().enumerate() {
            match text.map(|text| numbers.count(text.as_bytes())) {
                Some(Some(count)) => values[row] = count,
                Some(None) => push_bad(array, row, column, Reason::BadNumber, bad),
                None => {}
            }
        }
        return Ok(values.into());
    }
    each_number(array, |row, amount| match amount {
        Ok(Amount { cents, fraction: 0 }) if cents % 100 == 0 => values[row] = cents / 100,
        _ => push_bad(array, row, column, Reason::BadNumber, bad),
    })?;
    Ok(values.into())
}

type Amounts = (ScalarBuffer<i64>, ScalarBuffer<u64>);

fn amounts(array: &ArrayRef, numbers: &mut Numbers, bad: &mut Vec<Bad>) -> Result<Amounts, ArrowError> {
    let column = Column::TotalSpend;
    if let Some(cents) = whole_cents(array).filter(|_| numbers.are_units()) {
        return Ok((cents.into(), Vec::new().into()));
    }
    nulls(array, column, bad);
    let mut cents = vec![0; array.len()];
    let mut fractions = Vec::new();
    each_amount(array, numbers, |row, amount| match amount {
        Ok(amount) => {
            cents[row] = amount.cents;
            if amount.fraction != 0 {
                if fractions.is_empty() {
                    fractions = vec![0; array.len()];
                }
                fractions[row] = amount.fraction;
            }
        }
        Err(AmountError::NotANumber) => push_bad(array, row, column, Reason::BadNumber, bad),
        Err(AmountError::OutOfRange) => push_bad(array, row, column, Reason::AmountOutOfRange, bad),
    })?;
    Ok((cents.into(), fractions.into()))
}

/// The cents of a column with two decimals, or none, in which nothing is missing or too large: nearly every file's.
pub(super) fn whole_cents(array: &ArrayRef) -> Option<Vec<i64>> {
    if array.data_type().is_signed_integer() && array.null_count() == 0 {
        let wide = cast(array, &DataType::Int64).ok()?;
        let cents = |&value: &i64| value.checked_mul(100).filter(|&cents| Amount::from_cents(cents).is_ok());
        return wide.as_primitive::<Int64Type>().values().iter().map(cents).collect();
    }
    let values = array.as_primitive_opt::<Decimal128Type>().filter(|a| a.scale() == 2 && a.null_count() == 0)?.values();
    let cents: Vec<i64> = values.iter().map(|&value| value as i64).collect();
    let fits = |(&value, &cents): (&i128, &i64)| i128::from(cents) == value && Amount::from_cents(cents).is_ok();
    values.iter().zip(&cents).all(fits).then_some(cents)
}

/// Calls `take` with every value that is not null, read as an amount of money.
pub(super) fn each_amount(
    array: &ArrayRef,
    numbers: &mut Numbers,
    mut take: impl FnMut(usize, Result<Amount, AmountError>),
) -> Result<(), ArrowError> {
    if let Some(texts) = array.as_string_view_opt() {
        texts.iter().enumerate().for_each(|(row, text)| text.iter().for_each(|text| take(row, numbers.amount(text.as_bytes()))));
        return Ok(());
    }
    each_number(array, |row, number| take(row, number.and_then(|number| numbers.in_units(number))))
}

/// Calls `take` with every value that is not null, read as a quantity.
pub(super) fn each_quantity(
    array: &ArrayRef,
    numbers: &mut Numbers,
    mut take: impl FnMut(usize, Result<Amount, AmountError>),
) -> Result<(), ArrowError> {
    if let Some(texts) = array.as_string_view_opt() {
        texts.iter().enumerate().for_each(|(row, text)| text.iter().for_each(|text| take(row, numbers.quantity(text.as_bytes()))));
        return Ok(());
    }
    each_number(array, take)
}

/// Calls `take` with every value that is not null, of a column of numbers.
fn each_number(array: &ArrayRef, mut take: impl FnMut(usize, Result<Amount, AmountError>)) -> Result<(), ArrowError> {
    let mut each = |valid: &dyn Array, read: &dyn Fn(usize) -> Result<Amount, AmountError>| {
        for row in 0..valid.len() {
            if valid.is_valid(row) {
                take(row, read(row));
            }
        }
    };
    match array.data_type() {
        DataType::Null => {}
        DataType::Decimal128(_, scale) => {
            let values = array.as_primitive::<Decimal128Type>();
            each(values, &|row| Amount::from_decimal(values.value(row), *scale));
        }
        DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) => {
            let wide = cast(array, &DataType::Decimal128(38, *scale))?;
            let values = wide.as_primitive::<Decimal128Type>();
            each(values, &|row| Amount::from_decimal(values.value(row), *scale));
        }
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>();
            each(values, &|row| Amount::from_f64(values.value(row)));
        }
        data_type if data_type.is_signed_integer() => {
            let wide = cast(array, &DataType::Int64)?;
            let values = wide.as_primitive::<Int64Type>();
            each(values, &|row| Amount::from_decimal(i128::from(values.value(row)), 0));
        }
        // Narrow floats by their own shortest decimal, unsigned integers, 256-bit decimals: by their text.
        _ => each(array, &|row| Amount::parse(array_value_to_string(array, row).unwrap_or_default().as_bytes())),
    }
    Ok(())
}
