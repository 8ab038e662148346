//! What the suites share: golden cases, their rows in every format and column type, the library and the binary run on them, and their
//! outcomes compared.

mod process;

use arrow::array::{
    ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit, TimestampMicrosecondType};
use chrono::{NaiveDate, NaiveDateTime};
use lensflow::model::{Window, Windows};
use lensflow::pipeline::{Audit, Order};
use lensflow::report::table::TableWriter;
use lensflow::report::{Report, rows};
use lensflow::source::files::Files;
use lensflow::spec::Spec;
use lensflow::{Pipeline, Result};
pub(crate) use process::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// A golden case: the input, what is asked of it, and the answers.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) csv: String,
    pub(crate) table: Table,
    /// As `--window` takes them.
    pub(crate) windows: Vec<String>,
    pub(crate) percentiles: Vec<u32>,
    pub(crate) bins: u32,
    pub(crate) expected: Value,
    /// As CSV.
    pub(crate) expected_rfm: String,
}

/// What is in a folder.
pub(crate) fn listing(folder: &Path) -> std::collections::BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A file, or the same name with `.gz`.
fn read_text(path: &Path) -> String {
    if path.exists() {
        return fs::read_to_string(path).unwrap();
    }
    let mut text = String::new();
    let packed = fs::File::open(path.with_extension("csv.gz")).unwrap();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    text
}

impl Case {
    pub(crate) fn load(name: &str) -> Case {
        let folder = root().join("tests/data/golden").join(name);
        let real = name == "50_cdnow_quarters";
        let csv = read_text(&if real { root().join("examples/data/cdnow_periods.csv") } else { folder.join("periods.csv") });
        let json = |name: &str| serde_json::from_str::<Value>(&read_text(&folder.join(name))).unwrap();
        let case = json("case.json");
        let window = |w: &Value| {
            let text = |key: &str| w[key].as_str().unwrap();
            let observed = w.get("observation_end").map_or(String::new(), |end| format!("@{}", end.as_str().unwrap()));
            format!("{}={}..{}{observed}", text("name"), text("start"), text("end"))
        };
        Case {
            name: name.to_owned(),
            table: Table::parse(&csv),
            csv,
            windows: case["windows"].as_array().unwrap().iter().map(window).collect(),
            percentiles: case["percentiles"].as_array().unwrap().iter().map(|p| p.as_u64().unwrap() as u32).collect(),
            bins: case["bins"].as_u64().unwrap() as u32,
            expected: json("expected.json"),
            expected_rfm: read_text(&folder.join("expected_rfm.csv")),
        }
    }

    pub(crate) fn all() -> Vec<Case> {
        let folders = fs::read_dir(root().join("tests/data/golden")).unwrap().map(|entry| entry.unwrap().path());
        let mut names: Vec<_> = folders.filter(|p| p.is_dir()).map(|p| p.file_name().unwrap().to_string_lossy().into_owned()).collect();
        names.sort();
        assert_eq!(names.len(), 22, "{names:?}");
        names.iter().map(|name| Case::load(name)).collect()
    }

    pub(crate) fn spec(&self) -> Spec {
        let windows = self.windows.iter().map(|w| w.parse::<Window>().unwrap()).collect();
        let base = Spec::default();
        Spec { windows: Windows::List(windows), percentiles: self.percentiles.clone(), bins: self.bins, workers: Some(2), ..base }
    }

    /// The same as arguments of `lensflow audit`.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let percentiles: Vec<_> = self.percentiles.iter().map(u32::to_string).collect();
        let mut arguments = vec!["--percentiles".to_owned(), percentiles.join(","), "--bins".to_owned(), self.bins.to_string()];
        arguments.extend(self.windows.iter().flat_map(|w| ["--window".to_owned(), w.clone()]));
        arguments
    }

    /// Where an outcome is not what it has to be.
    pub(crate) fn differences(&self, outcome: &Outcome) -> Vec<String> {
        let mut found = Vec::new();
        compare("report", &self.expected, &outcome.report, &mut found);
        let mut expected = csv::Reader::from_reader(self.expected_rfm.as_bytes());
        let mut actual = csv::Reader::from_reader(outcome.rfm.as_bytes());
        let at = places(&mut actual, expected.headers().unwrap());
        let (mut wanted, mut row) = (csv::StringRecord::new(), csv::StringRecord::new());
        for number in 1.. {
            let there = (expected.read_record(&mut wanted).unwrap(), actual.read_record(&mut row).unwrap());
            if there == (false, false) {
                break;
            }
            if there != (true, true) || !wanted.iter().eq(at.iter().map(|&i| &row[i])) {
                found.push(format!("rfm row {number} is {row:?} instead of {wanted:?}"));
                break;
            }
        }
        found.extend(migration_differences(&self.expected, &outcome.migrations));
        found
    }
}

/// Every expected key has to be there with an equal value; keys that are counts of something may not be more, either.
fn compare(at: &str, expected: &Value, actual: &Value, found: &mut Vec<String>) {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => {
            let closed = at.ends_with("rfm_distribution") || at.ends_with("revenue_concentration");
            if closed && expected.len() != actual.len() {
                found.push(format!("{at} has {} keys instead of {}", actual.len(), expected.len()));
            }
            for (key, expected) in expected {
                compare(&format!("{at}.{key}"), expected, actual.get(key).unwrap_or(&Value::Null), found);
            }
        }
        (Value::Array(expected), Value::Array(actual)) if expected.len() == actual.len() => {
            for (i, (expected, actual)) in expected.iter().zip(actual).enumerate() {
                compare(&format!("{at}[{i}]"), expected, actual, found);
            }
        }
        _ if expected == actual => {}
        _ => found.push(format!("{at} is {actual} instead of {expected}")),
    }
}

/// Where columns of these names are.
fn places(csv: &mut csv::Reader<&[u8]>, names: &csv::StringRecord) -> Vec<usize> {
    let header = csv.headers().unwrap();
    names.iter().map(|name| header.iter().position(|h| h == name).unwrap_or_else(|| panic!("no column {name} in {header:?}"))).collect()
}

/// Migration rows have to count up to Lens 2.
fn migration_differences(expected: &Value, migrations: &str) -> Vec<String> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut reader = csv::Reader::from_reader(migrations.as_bytes());
    let at = places(&mut reader, &csv::StringRecord::from(vec!["from", "to", "status"]));
    let mut row = csv::StringRecord::new();
    while reader.read_record(&mut row).unwrap() {
        let key = [&row[at[0]], &row[at[1]], &row[at[2]]];
        match counts.get_mut(key.join(" ").as_str()) {
            Some(count) => *count += 1,
            None => drop(counts.insert(key.join(" "), 1)),
        }
    }
    let mut found = Vec::new();
    for pair in expected["comparisons"].as_array().unwrap() {
        let (from, to) = (pair["from"].as_str().unwrap(), pair["to"].as_str().unwrap());
        let mut count = |status: &str| counts.remove(&format!("{from} {to} {status}")).unwrap_or(0);
        let reactivated = count("reactivated");
        let counted = [
            ("retained", count("retained")),
            ("churned", count("churned")),
            ("new", count("new") + reactivated),
            ("reactivated", reactivated),
        ];
        for (status, counted) in counted {
            if pair["lens2"][status] != counted {
                found.push(format!("{from} to {to}: {counted} migration rows say {status} instead of {}", pair["lens2"][status]));
            }
        }
    }
    if !counts.is_empty() {
        found.push(format!("migration rows that belong nowhere: {counts:?}"));
    }
    found
}

/// What a run gives, from the library or from the binary.
pub(crate) struct Outcome {
    pub(crate) report: Value,
    /// Sorted rows as CSV.
    pub(crate) rfm: String,
    pub(crate) migrations: String,
}

/// Runs the library on files.
pub(crate) fn audit<S: AsRef<str>>(spec: &Spec, inputs: &[S]) -> Result<Audit> {
    let mut pipeline = Pipeline::builder().spec(spec.clone()).build()?;
    pipeline.run(Files::find(inputs, None, spec.columns.clone(), spec.batch_rows)?)?;
    pipeline.finish()
}

/// Rows of a run written to a file, and the file's bytes.
pub(crate) fn written(folder: &Path, name: &str, order: Order, audit: &Audit) -> Vec<u8> {
    let path = folder.join(name);
    let migrations = name.starts_with("migration");
    let schema = if migrations { rows::migration_schema() } else { rows::rfm_schema() };
    let mut table = TableWriter::create(&path, None, &schema).unwrap();
    match migrations {
        true => audit.migrations(order).unwrap().for_each(|batch| table.write(&batch.unwrap()).unwrap()),
        false => audit.rfm(order).unwrap().for_each(|batch| table.write(&batch.unwrap()).unwrap()),
    }
    table.finish().unwrap().commit().unwrap();
    fs::read(&path).unwrap()
}

impl Outcome {
    pub(crate) fn of(audit: &Audit, folder: &Path) -> Outcome {
        let text = |name| String::from_utf8(written(folder, name, Order::Sorted, audit)).unwrap();
        let report = serde_json::from_str(&audit.report.to_json().unwrap()).unwrap();
        Outcome { report, rfm: text("rfm.csv"), migrations: text("migrations.csv") }
    }

    /// Reads what [`OUTPUTS`] made.
    pub(crate) fn read(folder: &Path) -> Outcome {
        let text = |name| fs::read_to_string(folder.join(name)).unwrap();
        Outcome { report: serde_json::from_str(&text("report.json")).unwrap(), rfm: text("rfm.csv"), migrations: text("migrations.csv") }
    }
}

/// Arguments that make the binary write what [`Outcome::read`] reads.
pub(crate) const OUTPUTS: [&str; 7] = ["--report", "report.json", "--rfm-out", "rfm.csv", "--migration-out", "migrations.csv", "--sorted"];

/// The report without the names of its inputs, which are the one thing that may differ between two ways to hand in the same rows.
pub(crate) fn without_sources(report: &Report) -> String {
    let mut report = report.clone();
    report.input.sources.clear();
    report.to_json().unwrap()
}

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

    /// JSON lines: numbers and `null` as such, or everything as text with nulls left out and nothing but ASCII.
    pub(crate) fn to_jsonl(&self, numbers: bool) -> String {
        let mut text = String::new();
        let ids_are_integers = self.column("customer_id").all(|id| id.parse::<u64>().is_ok_and(|n| n.to_string() == id));
        for row in &self.rows {
            let fields = self.header.iter().zip(row).filter_map(|(name, value)| {
                let number = name.starts_with("total_") || name == "customer_id" && ids_are_integers;
                let value = match (value.as_str(), numbers) {
                    ("", true) => "null".to_owned(),
                    ("", false) => return None,
                    (number_text, true) if number => number_text.to_owned(),
                    (text, true) => serde_json::to_string(text).unwrap(),
                    (text, false) => ascii_json(text),
                };
                Some(format!("\"{name}\":{value}"))
            });
            writeln!(text, "{{{}}}", fields.collect::<Vec<_>>().join(",")).unwrap();
        }
        text
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
                    let values = texts.map(|t| if t.is_empty() { None } else { Some(scaled(t, scale)) });
                    Arc::new(Decimal128Array::from_iter(values).with_precision_and_scale(precision, scale as i8).unwrap())
                }
                _ => Arc::new(TimestampMicrosecondArray::from_iter(texts.map(|t| if t.is_empty() { None } else { Some(microseconds(t)) }))),
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

/// A decimal text as an integer of that many decimals.
fn scaled(text: &str, scale: usize) -> i128 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<scale$}").parse().unwrap()
}

fn microseconds(text: &str) -> i64 {
    let day = text.parse::<NaiveDate>().map(|day| day.and_hms_opt(0, 0, 0).unwrap());
    day.or_else(|_| text.parse::<NaiveDateTime>()).unwrap().and_utc().timestamp_micros()
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

/// A way to write the same rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Csv,
    JsonNumbers,
    JsonTexts,
    Parquet,
    ArrowFile,
    ArrowStream,
    CsvGzip,
    CsvZstd,
}

impl Encoding {
    pub(crate) const fn file_name(self) -> &'static str {
        match self {
            Encoding::Csv => "periods.csv",
            Encoding::JsonNumbers => "periods_numbers.jsonl",
            Encoding::JsonTexts => "periods_texts.jsonl",
            Encoding::Parquet => "periods.parquet",
            Encoding::ArrowFile => "periods.arrow",
            Encoding::ArrowStream => "periods.arrows",
            Encoding::CsvGzip => "periods.csv.gz",
            Encoding::CsvZstd => "periods.csv.zst",
        }
    }

    pub(crate) fn encode(self, table: &Table) -> Vec<u8> {
        match self {
            Encoding::Csv => table.to_csv().into_bytes(),
            Encoding::JsonNumbers => table.to_jsonl(true).into_bytes(),
            Encoding::JsonTexts => table.to_jsonl(false).into_bytes(),
            Encoding::CsvGzip => gzip(table.to_csv().as_bytes()),
            Encoding::CsvZstd => zstd::encode_all(table.to_csv().as_bytes(), 1).unwrap(),
            Encoding::Parquet | Encoding::ArrowFile | Encoding::ArrowStream => self.encode_batch(&table.batch()),
        }
    }

    /// Several row groups or batches, so that threads share them.
    pub(crate) fn encode_batch(self, batch: &RecordBatch) -> Vec<u8> {
        const ROWS: usize = 1_000;
        let pieces = (0..batch.num_rows()).step_by(ROWS).map(|at| batch.slice(at, ROWS.min(batch.num_rows() - at)));
        let (schema, mut bytes) = (batch.schema(), Vec::new());
        match self {
            Encoding::Parquet => {
                let properties = parquet::file::properties::WriterProperties::builder().set_max_row_group_row_count(Some(ROWS)).build();
                let mut writer = parquet::arrow::ArrowWriter::try_new(&mut bytes, schema, Some(properties)).unwrap();
                writer.write(batch).unwrap();
                writer.close().unwrap();
            }
            Encoding::ArrowFile => {
                let mut writer = arrow::ipc::writer::FileWriter::try_new(&mut bytes, &schema).unwrap();
                pieces.for_each(|piece| writer.write(&piece).unwrap());
                writer.finish().unwrap();
            }
            Encoding::ArrowStream => {
                let mut writer = arrow::ipc::writer::StreamWriter::try_new(&mut bytes, &schema).unwrap();
                pieces.for_each(|piece| writer.write(&piece).unwrap());
                writer.finish().unwrap();
            }
            other => panic!("{other:?} does not hold Arrow batches"),
        }
        bytes
    }
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// All rows of a Parquet file.
pub(crate) fn read_parquet(path: &Path) -> RecordBatch {
    let builder = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(fs::File::open(path).unwrap()).unwrap();
    let schema = builder.schema().clone();
    let batches: Vec<_> = builder.build().unwrap().map(|batch| batch.unwrap()).collect();
    concat_batches(&schema, &batches).unwrap()
}

/// A seeded source of numbers that looks random (SplitMix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}
