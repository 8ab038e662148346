//! Exports as shops have them. Each case is a folder of `tests/data/field`: the input, made up in the layout of a public report, and
//! `expected.json`, the right answers. A test says with which options they come out, or which error or note says why not.

mod advice;
mod calendar_windows;
mod causes;
mod doubts;
mod files;
mod layouts;
mod mapped_columns;
mod order_parts;
mod parquet_types;
mod shop_damage;
mod traps;
mod written_values;

use crate::support::{Lensflow, Ran};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// A case, copied to a folder of its own.
pub(super) struct Case {
    folder: tempfile::TempDir,
    expected: Value,
}

#[allow(dead_code)]
impl Case {
    pub(super) fn new(name: &str) -> Case {
        let folder = tempfile::tempdir().unwrap();
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/field").join(name);
        copy(&from, folder.path());
        let expected = serde_json::from_slice(&fs::read(from.join("expected.json")).unwrap()).unwrap();
        fs::remove_file(folder.path().join("expected.json")).unwrap();
        Case { folder, expected }
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs `lensflow audit` with these arguments, which blanks separate, and further ones as they are.
    pub(super) fn audit(&self, line: &str, more: &[&str]) -> Ran {
        let arguments: Vec<&str> = ["audit"].into_iter().chain(line.split_whitespace()).chain(more.iter().copied()).collect();
        Lensflow::new(self.path(), &arguments).run()
    }

    /// The report of an audit that has to succeed, and what it says on stderr.
    #[track_caller]
    pub(super) fn report(&self, line: &str, more: &[&str]) -> (Value, String) {
        let ran = self.audit(line, &[more, &["--report", "report.json"]].concat()).expect(0);
        (serde_json::from_slice(&fs::read(self.path().join("report.json")).unwrap()).unwrap(), ran.stderr)
    }

    /// Audits, and compares the answers with those that are right. Gives the report, and what was said on stderr.
    #[track_caller]
    pub(super) fn is_right(&self, line: &str, more: &[&str]) -> (Value, String) {
        let (report, said) = self.report(line, more);
        compare(&self.expected, &report, &said);
        (report, said)
    }

    /// As [`is_right`](Case::is_right), by the expected answers of one of several inputs.
    #[track_caller]
    pub(super) fn is_right_of(&self, input: &str, line: &str, more: &[&str]) -> (Value, String) {
        let (report, said) = self.report(line, more);
        compare(&self.expected[input], &report, &said);
        (report, said)
    }

    /// Runs an audit that must fail with a user's error, and gives what it says.
    #[track_caller]
    pub(super) fn fails(&self, line: &str, more: &[&str]) -> String {
        let ran = self.audit(line, more);
        assert!(matches!(ran.code, Some(1 | 2)) && !ran.stderr.contains("panicked"), "{ran:?}");
        ran.stderr
    }
}

/// The warnings of a report, one a line, but for how the columns were told and how much of the windows is covered.
pub(super) fn warnings(report: &Value) -> String {
    let is_usual = |line: &&str| line.starts_with("read as ") || line.contains(" is covered ");
    all_warnings(report).lines().filter(|line| !is_usual(line)).map(|line| line.to_owned() + "\n").collect()
}

/// All warnings of a report, one a line.
pub(super) fn all_warnings(report: &Value) -> String {
    report["warnings"].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned() + "\n").collect()
}

/// An amount or a count as a text, whether it is a JSON number or a text.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(amount) if amount.is_f64() => format!("{:.2}", amount.as_f64().unwrap()),
        other => other.to_string(),
    }
}

#[track_caller]
fn compare(expected: &Value, report: &Value, said: &str) {
    let named = |list: &Value, name: &str| list.as_array().unwrap().iter().map(|item| shown(&item[name])).collect::<Vec<_>>();
    assert_eq!(named(&report["windows"], "name"), named(&expected["windows"], "name"), "{said}");
    for (window, right) in report["windows"].as_array().unwrap().iter().zip(expected["windows"].as_array().unwrap()) {
        let names = [
            ("customers", "total_customers"),
            ("one_time_buyers", "one_time_buyers"),
            ("orders", "total_orders"),
            ("revenue", "total_revenue"),
        ];
        for (name, field) in names.into_iter().filter(|(name, _)| right.get(name).is_some()) {
            assert_eq!(shown(&window["lens1"][field]), shown(&right[name]), "{name} of {}: {said}", window["name"]);
        }
    }
    for right in expected["comparisons"].as_array().unwrap() {
        let found = report["comparisons"].as_array().unwrap().iter().find(|c| c["from"] == right["from"] && c["to"] == right["to"]);
        for name in ["retained", "churned", "new", "reactivated"] {
            assert_eq!(found.unwrap()["lens2"][name], right[name], "{name} of {right}: {said}");
        }
    }
    if let Some(right) = expected.get("anonymous") {
        let lines = &report["input"]["transactions"];
        assert_eq!(shown(&lines["anonymous_orders"]), shown(&right["orders"]), "{said}");
        assert_eq!(shown(&lines["anonymous_revenue"]), shown(&right["revenue"]), "{said}");
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Title lines are another matter: a total row below the rows is a bad row.
#[test]
fn a_total_row_is_left_out_as_a_bad_row() {
    let columns = ["order_id=Order ID", "customer_id=Customer ID", "event_ts=Date", "line_total=Total"].map(|column| ["--column", column]);
    let line = "report_without_title.csv --from transactions --every month --on-bad-row reject";
    let (report, _) = Case::new("40_title_lines_and_a_total_row").is_right(line, &columns.concat());
    assert!(warnings(&report).lines().all(|note| note.contains("is covered")), "{report}");
}
