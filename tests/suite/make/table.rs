//! Rows of text with a header, and the same rows as CSV, JSON lines and Arrow columns.

use super::time;
use crate::model::amounts::units;
use arrow::array::{
    ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, TimeUnit, TimestampMicrosecondType};
use std::fmt::Write as _;
use std::sync::Arc;

/// Rows of text with a header.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Table {
    pub(crate) header: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

/// How columns are typed; everything else is as [`Table::batch`] says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Types {
    pub(crate) id: Option<DataType>,
    pub(crate) periods: Option<DataType>,
    pub(crate) last: Option<DataType>,
    pub(crate) orders: Option<DataType>,
    pub(crate) spend: Option<DataType>,
}

impl Table {
    pub(crate) fn parse(csv: &str) -> Table {
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let owned = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect::<Vec<_>>();
        let header = owned(reader.headers().unwrap());
        Table { header, rows: reader.records().map(|record| owned(&record.unwrap())).collect() }
    }

    fn column(&self, name: &str) -> impl Iterator<Item = &str> {
        let at = self.header.iter().position(|n| n == name).unwrap_or_else(|| panic!("no column {name}"));
        self.rows.iter().map(move |row| row[at].as_str())
    }

    /// These columns, in this order.
    pub(crate) fn select(&self, names: &[String]) -> Table {
        let at: Vec<usize> =
            names.iter().map(|n| self.header.iter().position(|h| h == n).unwrap_or_else(|| panic!("no column {n}"))).collect();
        let pick = |row: &Vec<String>| at.iter().map(|&i| row[i].clone()).collect();
        Table { header: names.to_vec(), rows: self.rows.iter().map(pick).collect() }
    }

    pub(crate) fn to_csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(&self.header).unwrap();
        self.rows.iter().for_each(|row| writer.write_record(row).unwrap());
        String::from_utf8(writer.into_inner().unwrap()).unwrap()
    }

    /// JSON lines: numbers and `null` as such, or everything as text with nulls left out (but not the customer's) and nothing but ASCII.
    pub(crate) fn to_jsonl(&self, numbers: bool) -> String {
        let mut text = String::new();
        for row in &self.rows {
            let fields = self.header.iter().zip(row).filter_map(|(name, value)| {
                let value = match value.as_str() {
                    "" if numbers || name == "customer_id" => "null".to_owned(),
                    "" => return None,
                    value if numbers && serde_json::from_str::<serde_json::Number>(value).is_ok() => value.to_owned(),
                    value if numbers => serde_json::to_string(value).unwrap(),
                    value => ascii_json(value),
                };
                Some(format!("{name:?}:{value}"))
            });
            writeln!(text, "{{{}}}", fields.collect::<Vec<_>>().join(",")).unwrap();
        }
        text
    }

    /// All columns as text, which can hold any fault that a CSV can; empty fields are null, or empty texts.
    pub(crate) fn text_batch(&self, null_is_empty: bool) -> RecordBatch {
        let column = |name: &String| {
            let texts = self.column(name).map(|text| Some(text).filter(|text| null_is_empty || !text.is_empty()));
            (name.clone(), Arc::new(StringArray::from_iter(texts)) as ArrayRef, true)
        };
        RecordBatch::try_from_iter_with_nullable(self.header.iter().map(column).collect::<Vec<_>>()).unwrap()
    }

    /// Arrow columns: Utf8 ids, timestamps in microseconds, Int64 counts and Decimal128 amounts.
    pub(crate) fn batch(&self) -> RecordBatch {
        let optional = |text: &str| if text.is_empty() { None } else { Some(text.to_owned()) };
        let columns = self.header.iter().map(|name| {
            let texts = self.column(name);
            let array: ArrayRef = match name.as_str() {
                "customer_id" => Arc::new(StringArray::from_iter(texts.map(optional))),
                "total_orders" | "total_quantity" => Arc::new(Int64Array::from_iter(texts.map(|t| t.parse::<i64>().ok()))),
                "total_spend" | "total_margin" => {
                    let scale = self.column(name).map(decimals).max().unwrap_or(0).max(2);
                    // Parquet keeps up to 18 digits as integers and more as bytes.
                    let precision = if scale <= 3 { 18 } else { 38 };
                    let values =
                        texts.map(|t| if t.is_empty() { None } else { Some(units(t).expect("an amount") / 10i128.pow(18 - scale as u32)) });
                    Arc::new(Decimal128Array::from_iter(values).with_precision_and_scale(precision, scale as i8).unwrap())
                }
                _ => Arc::new(TimestampMicrosecondArray::from_iter(texts.map(|t| if t.is_empty() { None } else { Some(time(t)) }))),
            };
            (name.as_str(), array, true)
        });
        RecordBatch::try_from_iter_with_nullable(columns.collect::<Vec<_>>()).unwrap()
    }

    /// Columns of other types with the same values.
    pub(crate) fn batch_of(&self, types: &Types) -> RecordBatch {
        let batch = self.batch();
        let schema = batch.schema();
        let columns = schema.fields().iter().zip(batch.columns()).map(|(field, array)| {
            let wanted = match field.name().as_str() {
                "customer_id" => &types.id,
                "period_start" | "period_end" => &types.periods,
                "last_transaction_ts" => &types.last,
                "total_orders" => &types.orders,
                "total_spend" => &types.spend,
                _ => &None,
            };
            let texts = || StringArray::from_iter(self.column(field.name()).map(|t| if t.is_empty() { None } else { Some(t) }));
            let array: ArrayRef = match wanted {
                None => array.clone(),
                Some(DataType::Null) => new_null_array(&DataType::Null, array.len()),
                // A zone says how to show an instant; the instant stays.
                Some(DataType::Timestamp(TimeUnit::Microsecond, Some(zone))) => {
                    Arc::new(array.as_primitive::<TimestampMicrosecondType>().clone().with_timezone(zone.clone()))
                }
                Some(DataType::Float64) if field.name() == "total_spend" => {
                    Arc::new(Float64Array::from_iter_values(self.column("total_spend").map(|t| t.parse::<f64>().unwrap())))
                }
                // Texts as the CSV has them, not as Arrow would print a value.
                Some(text @ (DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)) => cast(&texts(), text).unwrap(),
                Some(other) => cast(array, other).unwrap(),
            };
            (Field::new(field.name(), array.data_type().clone(), true), array)
        });
        let (fields, arrays): (Vec<_>, Vec<_>) = columns.unzip();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
    }
}

fn decimals(text: &str) -> usize {
    text.split_once('.').map_or(0, |(_, fraction)| fraction.len())
}

fn ascii_json(text: &str) -> String {
    let mut json = String::from("\"");
    for unit in text.encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte @ (b' '..=b'!' | b'#'..=b'[' | b']'..=b'~')) => json.push(char::from(byte)),
            _ => write!(json, "\\u{unit:04x}").unwrap(),
        }
    }
    json + "\""
}
