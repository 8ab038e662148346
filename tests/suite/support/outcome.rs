//! Golden cases, what a run gives, from the library or from the binary, and where that is not what it has to be.

use crate::make::Table;
use lensflow::model::{Window, Windows};
use lensflow::pipeline::{Audit, Order};
use lensflow::report::table::TableWriter;
use lensflow::report::{Report, rows};
use lensflow::source::files::Files;
use lensflow::spec::Spec;
use lensflow::{Pipeline, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// A golden case: the input, what is asked of it, and the answers.
pub(crate) struct Golden {
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

/// The report with what is beside Lens 1 and Lens 2.
fn with_more(mut report: Value, more: &Value) -> Value {
    for list in ["windows", "comparisons"] {
        let (Some(all), Some(more)) = (report[list].as_array_mut(), more[list].as_array()) else { panic!("no list of {list}") };
        assert_eq!(all.len(), more.len(), "{list}");
        for (entry, more) in all.iter_mut().zip(more) {
            let (Some(entry), Some(more)) = (entry.as_object_mut(), more.as_object()) else { panic!("no entries of {list}") };
            entry.extend(more.clone());
        }
    }
    for key in ["cohorts", "cohort_comparisons", "health"] {
        report[key] = more[key].clone();
    }
    report
}

impl Golden {
    pub(crate) fn load(name: &str) -> Golden {
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
        Golden {
            name: name.to_owned(),
            table: Table::parse(&csv),
            csv,
            windows: case["windows"].as_array().unwrap().iter().map(window).collect(),
            percentiles: case["percentiles"].as_array().unwrap().iter().map(|p| p.as_u64().unwrap() as u32).collect(),
            bins: case["bins"].as_u64().unwrap() as u32,
            expected: with_more(json("expected.json"), &json("expected_more.json")),
            expected_rfm: read_text(&folder.join("expected_rfm.csv")),
        }
    }

    /// All of them, read once.
    pub(crate) fn all() -> &'static [Golden] {
        static ALL: LazyLock<Vec<Golden>> = LazyLock::new(|| {
            let folders = fs::read_dir(root().join("tests/data/golden")).unwrap().map(|entry| entry.unwrap().path());
            let mut names: Vec<_> = folders.filter(|p| p.is_dir()).map(|p| p.file_name().unwrap().to_string_lossy().into_owned()).collect();
            names.sort();
            assert_eq!(names.len(), 22, "{names:?}");
            names.iter().map(|name| Golden::load(name)).collect()
        });
        &ALL
    }

    pub(crate) fn spec(&self) -> Spec {
        let windows = self.windows.iter().map(|w| w.parse::<Window>().unwrap()).collect();
        let base = Spec::default();
        let base = base.with_windows(Windows::List(windows)).with_percentiles(self.percentiles.clone()).with_bins(self.bins);
        base.with_cohorts(true).with_workers(Some(2))
    }

    /// The same as arguments of `lensflow audit`.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let percentiles: Vec<_> = self.percentiles.iter().map(u32::to_string).collect();
        let mut arguments =
            vec!["--percentiles".to_owned(), percentiles.join(","), "--bins".to_owned(), self.bins.to_string(), "--cohorts".to_owned()];
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

/// Counts of something: what is not expected may not be there.
const CLOSED: [&str; 5] = ["rfm_distribution", "revenue_concentration", "rfm_cells", "spend_distribution", "second_window"];

/// Every expected key has to be there with an equal value; keys that are counts of something may not be more, either.
fn compare(at: &str, expected: &Value, actual: &Value, found: &mut Vec<String>) {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => {
            let closed = CLOSED.iter().any(|name| at.ends_with(name)) || at.contains("score_migration.");
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
        // An amount is a number, or a text where that was asked for.
        (Value::String(text), Value::Number(number)) if text.parse().is_ok_and(|amount: f64| number.as_f64() == Some(amount)) => {}
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
    pipeline.run(Files::find(inputs, None, spec)?)?;
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
