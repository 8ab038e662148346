//! Golden answers: every case equal through every format, column type and way in, and the same bytes however the work is divided.

use crate::make::{Dice, Encoding, Table, Types};
use crate::support::*;
use arrow::datatypes::{DataType, Field, TimeUnit};
use lensflow::model::{Granularity, Windows};
use lensflow::pipeline::{Audit, Order};
use lensflow::spec::{Parallel, Spec};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// All that is wrong at once, by case and way.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn add(&mut self, case: &Golden, way: &str, found: Vec<String>) {
        if !found.is_empty() {
            self.0.push(format!("{} by {way}:\n    {}", case.name, found.iter().take(5).cloned().collect::<Vec<_>>().join("\n    ")));
        }
    }

    fn check(self) {
        assert!(self.0.is_empty(), "{} ways go wrong:\n{}", self.0.len(), self.0.join("\n"));
    }
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_string_lossy().into_owned()
}

/// What is wrong with a case whose rows lie in one file.
fn faults_of(case: &Golden, spec: &Spec, folder: &Path, file: &str, bytes: &[u8]) -> Vec<String> {
    fs::write(folder.join(file), bytes).unwrap();
    match audit(spec, &[path(folder, file)]) {
        Ok(audit) => {
            let input = &audit.report.input;
            let mut found = case.differences(&Outcome::of(&audit, folder));
            let rows = case.table.rows.len() as u64;
            let ids: BTreeSet<_> = case.table.rows.iter().map(|row| &row[0]).collect();
            if (input.rows_read, input.rows_accepted, input.customers) != (rows, rows, ids.len() as u64) {
                found.push(format!("{rows} rows of {} customers went in, the report says {input:?}", ids.len()));
            }
            found
        }
        Err(error) => vec![error.to_string()],
    }
}

#[test]
fn every_case_is_equal_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let mut faults = Faults::default();
    for case in Golden::all() {
        // The CSV as it came, and the others made of it.
        faults.add(case, "the case's own CSV", faults_of(case, &case.spec(), folder.path(), "own.csv", case.csv.as_bytes()));
        for encoding in [Encoding::JsonNumbers, Encoding::JsonTexts, Encoding::Parquet, Encoding::ArrowFile] {
            let bytes = encoding.encode(&case.table);
            faults.add(case, encoding.file_name(), faults_of(case, &case.spec(), folder.path(), encoding.file_name(), &bytes));
        }
    }
    faults.check();
}

#[test]
fn every_case_is_equal_through_standard_input() {
    let mut faults = Faults::default();
    let encodings = [Encoding::Csv, Encoding::JsonNumbers, Encoding::ArrowStream, Encoding::Parquet, Encoding::CsvGzip, Encoding::CsvZstd];
    for case in Golden::all() {
        for encoding in encodings {
            let folder = tempfile::tempdir().unwrap();
            let mut arguments = vec!["audit".to_owned(), "-".to_owned()];
            arguments.extend(OUTPUTS.map(str::to_owned).into_iter().chain(case.arguments()));
            if encoding == Encoding::JsonNumbers && case.table.rows.is_empty() {
                // Nothing at all is JSONL without rows only to whoever says so.
                arguments.extend(["--format", "jsonl"].map(str::to_owned));
            }
            let ran = Lensflow::new(folder.path(), &arguments).stdin(encoding.encode(&case.table)).run();
            let found = match (ran.code, ran.stdout.is_empty()) {
                (Some(0), true) => case.differences(&Outcome::read(folder.path())),
                _ => vec![format!("{ran:?}")],
            };
            faults.add(case, &format!("{} on stdin", encoding.file_name()), found);
        }
    }
    faults.check();
}

#[test]
fn column_types_do_not_matter() {
    use DataType::{Date32, Date64, Dictionary, Float32, Float64, Int16, Int32, Int64, LargeUtf8, Null, UInt32, UInt64, Utf8, Utf8View};
    let plain = Types::default;
    let id = |id| Types { id: Some(id), ..plain() };
    let periods = |periods| Types { periods: Some(periods), ..plain() };
    let spend = |spend| Types { spend: Some(spend), ..plain() };
    let orders = |orders| Types { orders: Some(orders), ..plain() };
    let times = |unit: TimeUnit, zone: Option<&str>| {
        let time = Some(DataType::Timestamp(unit, zone.map(Into::into)));
        Types { periods: time.clone(), last: time, ..plain() }
    };
    let dictionary = |key: DataType, value: DataType| Dictionary(Box::new(key), Box::new(value));
    let runs = DataType::RunEndEncoded(Arc::new(Field::new("run_ends", Int32, false)), Arc::new(Field::new("values", Utf8, true)));
    let texts = Types { id: Some(Utf8), periods: Some(Utf8), last: Some(Utf8), orders: Some(Utf8), spend: Some(Utf8) };
    let variants = [
        ("10_cents_halves", orders(Int16)),
        ("10_cents_halves", orders(UInt64)),
        ("10_cents_halves", orders(Float64)),
        ("10_cents_halves", spend(Float64)),
        ("10_cents_halves", spend(DataType::Decimal32(9, 2))),
        ("10_cents_halves", spend(DataType::Decimal64(18, 2))),
        ("10_cents_halves", spend(DataType::Decimal256(50, 6))),
        ("15_no_timestamps", Types { last: Some(Null), ..plain() }),
        ("16_some_timestamps", times(TimeUnit::Second, None)),
        ("16_some_timestamps", times(TimeUnit::Millisecond, None)),
        ("16_some_timestamps", times(TimeUnit::Nanosecond, None)),
        ("16_some_timestamps", times(TimeUnit::Microsecond, Some("UTC"))),
        ("16_some_timestamps", times(TimeUnit::Microsecond, Some("+02:00"))),
        ("16_some_timestamps", times(TimeUnit::Microsecond, Some("Europe/Berlin"))),
        ("16_some_timestamps", periods(Date32)),
        ("16_some_timestamps", periods(Date64)),
        ("16_some_timestamps", texts.clone()),
        ("17_whole_amounts", spend(Int32)),
        ("17_whole_amounts", spend(UInt32)),
        ("17_whole_amounts", spend(Float32)),
        ("18_mills", spend(Float64)),
        ("19_long_decimals", spend(Float64)),
        ("19_long_decimals", spend(LargeUtf8)),
        ("20_uuid_ids", id(LargeUtf8)),
        ("20_uuid_ids", id(Utf8View)),
        ("20_uuid_ids", id(dictionary(Int32, Utf8))),
        ("20_uuid_ids", id(runs)),
        ("21_unicode_ids", id(dictionary(UInt32, LargeUtf8))),
        ("21_unicode_ids", id(Utf8View)),
        ("21_unicode_ids", texts),
        ("22_integer_ids", id(Int64)),
        ("22_integer_ids", id(Int32)),
        ("22_integer_ids", id(UInt64)),
        ("22_integer_ids", id(dictionary(Int16, Int64))),
    ];
    let folder = tempfile::tempdir().unwrap();
    let mut faults = Faults::default();
    for (name, types) in variants {
        let case = Golden::load(name);
        if types.spend == Some(Float64) {
            // A float stands for its shortest decimal: only where that is the case's text can the answers be equal.
            let shortest = |text: &str| text.parse::<f64>().unwrap().to_string();
            let plain =
                |text: &str| if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text.to_owned() };
            assert!(case.table.rows.iter().all(|row| shortest(&row[4]) == plain(&row[4])), "{name}");
        }
        let batch = case.table.batch_of(&types);
        for encoding in [Encoding::Parquet, Encoding::ArrowFile, Encoding::ArrowStream] {
            let runs = matches!(types.id, Some(DataType::RunEndEncoded(..)));
            if runs && encoding == Encoding::Parquet {
                continue;
            }
            let found = faults_of(&case, &case.spec(), folder.path(), encoding.file_name(), &encoding.encode_batch(&batch));
            faults.add(&case, &format!("{} with {types:?}", encoding.file_name()), found);
        }
    }
    faults.check();
}

#[test]
fn columns_are_found_by_name_wherever_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let mut case = Golden::load("11_quarters");
    let header: Vec<_> = case.table.header.iter().rev().cloned().collect();
    let table = case.table.select(&header);
    let mut faults = Faults::default();
    for encoding in [Encoding::Csv, Encoding::JsonTexts, Encoding::Parquet, Encoding::ArrowFile, Encoding::ArrowStream] {
        let found = faults_of(&case, &case.spec(), folder.path(), encoding.file_name(), &encoding.encode(&table));
        faults.add(&case, &format!("{} in reverse", encoding.file_name()), found);
    }
    // Texts that the spreadsheets of the world make of the same rows.
    let tabs = table.to_csv().replace(',', "\t");
    let semicolons = format!("\u{feff}{}", table.to_csv().replace(',', ";").replace('\n', "\r\n"));
    let quoted: String = table.to_csv().lines().map(|line| format!("\"{}\"\n\n", line.replace(',', "\",\""))).collect();
    for (way, text) in [("tabs", &tabs), ("semicolons, CRLF and a byte order mark", &semicolons), ("quotes and blank lines", &quoted)] {
        faults.add(&case, way, faults_of(&case, &case.spec(), folder.path(), "text.csv", text.as_bytes()));
    }
    let no_newline = case.csv.trim_end().to_owned();
    case.csv = no_newline;
    faults.add(&case, "no newline at the end", faults_of(&case, &case.spec(), folder.path(), "text.csv", case.csv.as_bytes()));
    faults.check();
}

#[test]
fn calendar_quarters_of_cdnow_are_the_named_ones() {
    let folder = tempfile::tempdir().unwrap();
    let mut case = Golden::load("50_cdnow_quarters");
    let spec = case.spec().with_windows(Windows::Every(Granularity::Quarter));
    let renamed = |text: &str| text.replace("1997q", "1997-Q").replace("1998q", "1998-Q");
    case.expected = serde_json::from_str(&renamed(&case.expected.to_string())).unwrap();
    // Customers of a first window that a calendar makes may be older than the data.
    case.expected["cohorts"][0]["left_censored"] = true.into();
    case.expected_rfm = renamed(&case.expected_rfm);
    let found = faults_of(&case, &spec, folder.path(), "periods.csv", case.csv.as_bytes());
    assert!(found.is_empty(), "{found:#?}");
}

/// Every output of a run but the names of its inputs: the report, and the rows in both orders and several formats.
fn everything(folder: &Path, audit: &Audit) -> Vec<(&'static str, Vec<u8>)> {
    let rows = [
        ("rfm_sorted.csv", Order::Sorted),
        ("rfm_engine.parquet", Order::Engine),
        ("migrations_sorted.csv", Order::Sorted),
        ("migrations_engine.arrow", Order::Engine),
    ];
    let mut all = vec![("report", without_sources(&audit.report).into_bytes())];
    all.extend(rows.map(|(name, order)| (name, written(folder, name, order, audit))));
    all
}

#[test]
fn the_same_rows_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| path(folder.path(), name);
    let case = Golden::load("50_cdnow_quarters");
    let mut shuffled = case.table.clone();
    Dice(1998).shuffle(&mut shuffled.rows);
    fs::write(at("rows.csv"), &case.csv).unwrap();
    fs::write(at("shuffled.csv"), shuffled.to_csv()).unwrap();
    fs::create_dir_all(at("split/deeper")).unwrap();
    let thirds = ["split/a.parquet", "split/b.jsonl", "split/deeper/c.csv.gz"];
    let encodings = [Encoding::Parquet, Encoding::JsonNumbers, Encoding::CsvGzip];
    for ((name, encoding), rows) in thirds.iter().zip(encodings).zip(shuffled.rows.chunks(shuffled.rows.len().div_ceil(3))) {
        let part = Table { header: shuffled.header.clone(), rows: rows.to_vec() };
        fs::write(at(name), encoding.encode(&part)).unwrap();
    }
    let spec = |workers, parallel, batch_rows| case.spec().with_workers(Some(workers)).with_parallel(parallel).with_batch_rows(batch_rows);
    let ways = [
        ("2 workers", spec(2, Parallel::Auto { threshold: 1 }, 8_192), vec![at("rows.csv")]),
        ("7 workers", spec(7, Parallel::On, 1_000), vec![at("rows.csv")]),
        ("parallel off", spec(7, Parallel::Off, 333), vec![at("rows.csv")]),
        ("shuffled", spec(3, Parallel::On, 8_192), vec![at("shuffled.csv")]),
        ("a folder", spec(2, Parallel::On, 8_192), vec![at("split")]),
        ("globs in another order", spec(7, Parallel::Off, 8_192), vec![at("split/deeper/*.gz"), at("split/?.[jp]*")]),
        ("files in another order", spec(1, Parallel::On, 100), thirds.iter().rev().map(|name| at(name)).collect()),
    ];
    let base = audit(&spec(1, Parallel::Off, 8_192), &[at("rows.csv")]).unwrap();
    let found = case.differences(&Outcome::of(&base, folder.path()));
    assert!(found.is_empty(), "{found:#?}");
    let base = everything(folder.path(), &base);
    for (way, spec, inputs) in ways {
        let audit = audit(&spec, &inputs).unwrap();
        for ((output, one), (_, other)) in base.iter().zip(everything(folder.path(), &audit)) {
            assert!(*one == other, "{output} differs with {way}");
        }
        let files = if inputs.len() == 1 && !inputs[0].contains("split") { 1 } else { 3 };
        assert_eq!(audit.report.input.sources.len(), files, "{way}");
    }
}
