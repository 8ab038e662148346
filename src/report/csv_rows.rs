//! CSV rows of Arrow batches, as bytes: any thread makes those of a part, and they are appended in order.
//!
//! A field is quoted where it holds a comma, a quote or a line end; quotes in it are doubled. Nothing is an empty field. The values of a
//! dictionary are written once a batch and copied. The types that answers have are written here, all others by Arrow's own formatter.

use super::table::TIME;
use crate::base::error::{Error, Result};
use arrow::array::types::{Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::DateTime;
use std::fmt::Display;

const DAY: i64 = 86_400_000_000;

/// Writes a column's field of a row.
type Cell<'a> = Box<dyn Fn(usize, &mut Vec<u8>) -> Result<()> + 'a>;

/// How texts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Texts {
    #[default]
    AsTheyAre,
    /// So that no spreadsheet takes them for formulas.
    Safe,
}

/// Writes a text.
type Put = fn(&[u8], &mut Vec<u8>);

/// The header line.
pub(super) fn header(schema: &SchemaRef) -> Vec<u8> {
    let mut out = Vec::new();
    for (at, field) in schema.fields().iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        put_text(field.name().as_bytes(), &mut out);
    }
    end_line(0, &mut out);
    out
}

/// Appends the rows of a batch, whose columns may be dictionaries.
///
/// # Errors
/// A column of a nested type, or a value that has no text.
pub(super) fn put_rows(batch: &RecordBatch, texts: Texts, out: &mut Vec<u8>) -> Result<()> {
    let put: Put = match texts {
        Texts::AsTheyAre => put_text,
        Texts::Safe => put_safe,
    };
    let cells = batch.columns().iter().map(|column| nullable(column.as_ref(), put)).collect::<Result<Vec<_>>>()?;
    for row in 0..batch.num_rows() {
        let begun = out.len();
        for (at, cell) in cells.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            cell(row, out)?;
        }
        end_line(begun, out);
    }
    Ok(())
}

/// Ends a line that began there. An empty one would be none.
fn end_line(begun: usize, out: &mut Vec<u8>) {
    if out.len() == begun {
        out.extend_from_slice(b"\"\"");
    }
    out.push(b'\n');
}

fn nullable(array: &dyn Array, put: Put) -> Result<Cell<'_>> {
    let cell = cell(array, put)?;
    let Some(nulls) = array.nulls().filter(|nulls| nulls.null_count() > 0) else { return Ok(cell) };
    Ok(Box::new(move |row, out| if nulls.is_null(row) { Ok(()) } else { cell(row, out) }))
}

/// A cell that can always be written.
fn always<'a>(put: impl Fn(usize, &mut Vec<u8>) + 'a) -> Cell<'a> {
    Box::new(move |row, out| {
        put(row, out);
        Ok(())
    })
}

/// The cells of a column in which nothing is missing.
fn cell(array: &dyn Array, put: Put) -> Result<Cell<'_>> {
    macro_rules! whole {
        ($type:ty, $put:ident) => {{
            let values = array.as_primitive::<$type>().values();
            always(move |row, out| $put(values[row].into(), out))
        }};
    }
    Ok(match array.data_type() {
        DataType::Int32 => whole!(Int32Type, put_signed),
        DataType::Int64 => whole!(Int64Type, put_signed),
        DataType::UInt8 => whole!(UInt8Type, put_unsigned),
        DataType::UInt16 => whole!(UInt16Type, put_unsigned),
        DataType::UInt32 => whole!(UInt32Type, put_unsigned),
        DataType::UInt64 => whole!(UInt64Type, put_unsigned),
        &DataType::Decimal128(precision, scale @ 0..=18) if scale as u8 <= precision => {
            let values = array.as_primitive::<Decimal128Type>().values();
            always(move |row, out| put_decimal(values[row], scale as u32, out))
        }
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            let values = array.as_primitive::<TimestampMicrosecondType>().values();
            Box::new(move |row, out| put_time(values[row], out))
        }
        DataType::Utf8 => {
            let values = array.as_string::<i32>();
            always(move |row, out| put(values.value(row).as_bytes(), out))
        }
        DataType::Utf8View => {
            let values = array.as_string_view();
            always(move |row, out| put(values.value(row).as_bytes(), out))
        }
        DataType::Dictionary(key, _) if **key == DataType::UInt16 => {
            let dictionary = array.as_dictionary::<UInt16Type>();
            let (keys, values) = (dictionary.keys().values(), nullable(dictionary.values().as_ref(), put)?);
            let (mut bytes, mut ends) = (Vec::new(), vec![0]);
            for value in 0..dictionary.values().len() {
                values(value, &mut bytes)?;
                ends.push(bytes.len());
            }
            Box::new(move |row, out| {
                let key = usize::from(keys[row]);
                out.extend_from_slice(&bytes[ends[key]..ends[key + 1]]);
                Ok(())
            })
        }
        nested if nested.is_nested() => return Err(no_text(format!("CSV has no place for {nested}"))),
        _ => {
            const OPTIONS: FormatOptions<'static> = FormatOptions::new().with_timestamp_format(Some(TIME));
            let formatter = ArrayFormatter::try_new(array, &OPTIONS).map_err(no_text)?;
            Box::new(move |row, out| {
                let text = formatter.value(row).try_to_string().map_err(no_text)?;
                put(text.as_bytes(), out);
                Ok(())
            })
        }
    })
}

fn no_text(cause: impl Display) -> Error {
    Error::internal("rows cannot be written").cause(cause.to_string())
}

/// A text that a spreadsheet would take for a formula gets an apostrophe before it, which spreadsheets take for the sign of a text.
fn put_safe(text: &[u8], out: &mut Vec<u8>) {
    match text {
        // An amount below zero is none; a plus would be lost without the apostrophe.
        [b'-', number @ ..] if is_number(number) => put_text(text, out),
        [b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r', ..] => put_text(&[b"'", text].concat(), out),
        _ => put_text(text, out),
    }
}

/// Whether it is digits, with one point at most among them.
fn is_number(text: &[u8]) -> bool {
    let points = text.iter().filter(|byte| **byte == b'.').count();
    text.first().is_some_and(u8::is_ascii_digit) && points <= 1 && text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
}

fn put_text(text: &[u8], out: &mut Vec<u8>) {
    if !text.iter().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r')) {
        return out.extend_from_slice(text);
    }
    out.push(b'"');
    for part in text.split_inclusive(|&byte| byte == b'"') {
        out.extend_from_slice(part);
        if part.ends_with(b"\"") {
            out.push(b'"');
        }
    }
    out.push(b'"');
}

fn put_signed(number: i64, out: &mut Vec<u8>) {
    if number < 0 {
        out.push(b'-');
    }
    put_unsigned(number.unsigned_abs(), out);
}

fn put_unsigned(number: u64, out: &mut Vec<u8>) {
    put_digits(number, 1, out);
}

/// At least so many digits, up to 20.
fn put_digits(mut number: u64, least: usize, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    while number > 0 {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    out.extend_from_slice(&digits[at.min(digits.len() - least)..]);
}

fn put_decimal(value: i128, scale: u32, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    let (unit, value) = (10_u64.pow(scale), value.unsigned_abs());
    let (whole, decimals) = match u64::try_from(value) {
        Ok(value) => {
            put_unsigned(value / unit, out);
            return put_decimals(value % unit, scale, out);
        }
        Err(_) => (value / u128::from(unit), value % u128::from(unit)),
    };
    out.extend_from_slice(whole.to_string().as_bytes());
    put_decimals(decimals as u64, scale, out);
}

fn put_decimals(decimals: u64, scale: u32, out: &mut Vec<u8>) {
    if scale > 0 {
        out.push(b'.');
        put_digits(decimals, scale as usize, out);
    }
}

/// `2023-07-01T00:00:00`, with three or six decimals where the seconds are not whole.
fn put_time(micros: i64, out: &mut Vec<u8>) -> Result<()> {
    let (days, clock) = (micros.div_euclid(DAY), micros.rem_euclid(DAY) as u64);
    let (year, month, day) = civil(days);
    if !(0..=9999).contains(&year) {
        let time = DateTime::from_timestamp_micros(micros).ok_or_else(|| no_text("a time is out of range"))?;
        out.extend_from_slice(time.naive_utc().format(TIME).to_string().as_bytes());
        return Ok(());
    }
    let (seconds, fraction) = (clock / 1_000_000, clock % 1_000_000);
    put_digits(year as u64, 4, out);
    for (before, number) in [(b'-', month), (b'-', day), (b'T', seconds / 3600), (b':', seconds / 60 % 60), (b':', seconds % 60)] {
        out.push(before);
        put_digits(number, 2, out);
    }
    match (fraction, fraction % 1000) {
        (0, _) => {}
        (_, 0) => put_decimals(fraction / 1000, 3, out),
        _ => put_decimals(fraction, 6, out),
    }
    Ok(())
}

/// Year, month and day of a day since 1970 in the Gregorian calendar; years begin in March inside.
fn civil(days: i64) -> (i64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month as u64, of_month as u64)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use arrow::array::{
        ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array, Int32Array, Int64Array, StringArray,
        StringViewArray, TimestampMicrosecondArray, TimestampSecondArray, UInt8Array, UInt16Array, UInt64Array,
    };
    use std::sync::Arc;

    /// What Arrow's own writer makes of a batch.
    fn by_arrow(batch: &RecordBatch) -> String {
        let mut out = Vec::new();
        arrow::csv::WriterBuilder::new().with_timestamp_format(TIME.to_owned()).build(&mut out).write(batch).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn ours(batch: &RecordBatch) -> String {
        let mut out = header(&batch.schema());
        put_rows(batch, Texts::default(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn times() -> Vec<Option<i64>> {
        let mut times: Vec<_> = (-3_000..3_000).map(|day| day * 97 * DAY + day * 1_000_003).collect();
        times.extend([0, -1, 1, 1_000, 999_999, 10_000, -DAY, 951_782_400_000_000, 253_402_300_800_000_000, -62_167_219_200_000_001]);
        times.into_iter().map(Some).chain([None]).collect()
    }

    #[test]
    fn bytes_are_those_of_arrows_writer() {
        let texts =
            || ["", "a", "a,b", "\"", "a\"b\"", "line\nend", "cr\r", " blank ", "ü", "a;b", "'", "a longer id than views keep, \"x\""];
        let repeated = |at: usize| at % texts().len();
        let times = times();
        let rows = times.len();
        let wide = |at: usize| [0, -5, 99, -100, i128::MAX / 1_000, -(1 << 90), 123_456_789, 7][at % 8];
        let text_values = || (0..rows).map(|at| (at % 7 != 3).then(|| texts()[repeated(at)]));
        let keys = UInt16Array::from_iter((0..rows).map(|at| (at % 5 != 2).then_some(repeated(at) as u16)));
        let dictionary = DictionaryArray::try_new(keys.clone(), Arc::new(StringViewArray::from_iter_values(texts())) as ArrayRef).unwrap();
        let days = TimestampMicrosecondArray::from_iter_values((0..12).map(|day| day * DAY));
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("time", Arc::new(TimestampMicrosecondArray::from(times.clone()))),
            ("a, \"b\"", Arc::new(StringArray::from_iter(text_values()))),
            ("view", Arc::new(StringViewArray::from_iter(text_values()))),
            ("dictionary", Arc::new(dictionary)),
            ("days", Arc::new(DictionaryArray::try_new(keys, Arc::new(days) as ArrayRef).unwrap())),
            ("date", Arc::new(Date32Array::from_iter((0..rows).map(|at| (at % 4 > 0).then_some(at as i32 * 37 - 90_000))))),
            ("int32", Arc::new(Int32Array::from_iter_values((0..rows).map(|at| [i32::MIN, i32::MAX, 0, -1, 10][at % 5])))),
            ("int64", Arc::new(Int64Array::from_iter_values((0..rows).map(|at| [i64::MIN, i64::MAX, 0, -1, 10][at % 5])))),
            ("uint8", Arc::new(UInt8Array::from_iter_values((0..rows).map(|at| at as u8)))),
            ("uint64", Arc::new(UInt64Array::from_iter((0..rows).map(|at| (at % 3 > 0).then_some(u64::MAX >> (at % 64)))))),
            (
                "money",
                Arc::new(
                    Decimal128Array::from_iter_values((0..rows).map(|at| wide(at) as i64 as i128 % 10_i128.pow(17)))
                        .with_precision_and_scale(18, 2)
                        .unwrap(),
                ),
            ),
            ("wide", Arc::new(Decimal128Array::from_iter_values((0..rows).map(wide)).with_precision_and_scale(38, 18).unwrap())),
            ("whole", Arc::new(Decimal128Array::from_iter_values((0..rows).map(wide)).with_precision_and_scale(38, 0).unwrap())),
            ("float", Arc::new(Float64Array::from_iter_values((0..rows).map(|at| at as f64 / 7.0)))),
            ("seconds", Arc::new(TimestampSecondArray::from_iter_values((0..rows).map(|at| at as i64 * 1_000)))),
            ("truth", Arc::new(BooleanArray::from_iter((0..rows).map(|at| (at % 3 > 0).then_some(at % 2 == 0))))),
        ];
        for (name, column) in &columns {
            let batch = RecordBatch::try_from_iter_with_nullable([(*name, column.clone(), true)]).unwrap();
            assert!(ours(&batch) == by_arrow(&batch), "{name}");
        }
        let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true))).unwrap();
        assert!(ours(&batch) == by_arrow(&batch));
        assert_eq!(ours(&batch.slice(0, 0)), by_arrow(&batch.slice(0, 0)));
    }
}
