//! The command line as its users meet it: exit codes, what goes to which stream, bad rows, damaged inputs, and outputs that appear whole
//! or not at all.

use super::support::*;
use arrow::array::{ArrayRef, BinaryArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use lensflow::audit::Order;
use lensflow::error::Kind;
use lensflow::spec::Spec;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

const HEADER: &str = "customer_id,period_start,period_end,total_orders,total_spend,last_transaction_ts";
/// The first is observed beyond its end, the second ends after it is last observed.
const WINDOWS: [&str; 4] = ["--window", "h1=2023-01-01..2023-07-01@2023-07-10", "--window", "h2=2023-07-01..2024-01-01@2023-12-15"];

/// Rows that a run must not count, and what it has to say: reason, column, value.
const BAD_ROWS: [(&str, [&str; 3]); 22] = [
    (",2023-01-01,2023-02-01,1,5,", ["missing_value", "customer_id", ""]),
    ("bad,,2023-02-01,1,5,", ["missing_value", "period_start", ""]),
    ("bad,2023-01-01,,1,5,", ["missing_value", "period_end", ""]),
    ("bad,2023-01-01,2023-02-01,,5,", ["missing_value", "total_orders", ""]),
    ("bad,2023-01-01,2023-02-01,1,,", ["missing_value", "total_spend", ""]),
    ("bad,2023-01-01,2023-02-01,1.5,5,", ["bad_number", "total_orders", "1.5"]),
    ("bad,2023-01-01,2023-02-01,99999999999999999999,5,", ["bad_number", "total_orders", "99999999999999999999"]),
    ("bad,2023-01-01,2023-02-01,1,\"12,50\",", ["bad_number", "total_spend", "12,50"]),
    ("bad,2023-01-01,2023-02-01,1,NaN,", ["bad_number", "total_spend", "NaN"]),
    ("bad,2023-02-30,2023-03-01,1,5,", ["bad_timestamp", "period_start", "2023-02-30"]),
    ("bad,2023-01-01,soon,1,5,", ["bad_timestamp", "period_end", "soon"]),
    ("bad,2023-01-01,2023-02-01,1,5,0000-01-01", ["bad_timestamp", "last_transaction_ts", "0000-01-01"]),
    // A row's first fault in the order of its columns is the one that is named.
    ("bad,2023-01-01,2023-13-01,x,y,z", ["bad_timestamp", "period_end", "2023-13-01"]),
    ("bad,2023-02-01,2023-02-01,1,5,", ["period_reversed", "period_end", "2023-02-01T00:00:00"]),
    ("bad,2023-03-01,2023-02-01,1,5,", ["period_reversed", "period_end", "2023-02-01T00:00:00"]),
    ("bad,2023-01-01,2023-02-01,-1,5,", ["negative_orders", "total_orders", "-1"]),
    ("bad,2023-01-01,2023-02-01,1,1000000000000000,", ["amount_out_of_range", "total_spend", "1000000000000000"]),
    ("bad,2023-01-01,2023-02-01,1,-1e15,", ["amount_out_of_range", "total_spend", "-1e15"]),
    ("bad,2022-12-15,2023-01-15,1,5,", ["straddles_window", "period_end", "2022-12-15T00:00:00..2023-01-15T00:00:00"]),
    ("bad,2023-06-15,2023-07-15,1,5,", ["straddles_window", "period_end", "2023-06-15T00:00:00..2023-07-15T00:00:00"]),
    (
        "bad,2023-06-30,2023-07-01,1,5,2023-07-10 00:00:00.000001",
        ["after_observation_end", "last_transaction_ts", "2023-07-10T00:00:00.000001"],
    ),
    ("bad,2023-07-01,2024-01-01,1,5,2023-12-15T02:00:00+01:00", ["after_observation_end", "last_transaction_ts", "2023-12-15T01:00:00"]),
];

/// Customers that a run must not count in a window: rows, window, reason, column, value.
const BAD_CUSTOMERS: [(&[&str], [&str; 4]); 4] = [
    (&["none,2023-01-01,2023-02-01,0,5,", "none,2023-02-01,2023-03-01,0,0,"], ["h1", "no_orders", "total_orders", "0"]),
    (&["owes,2023-08-01,2023-09-01,1,5.005,", "owes,2023-09-01,2023-10-01,1,-15.25,"], ["h2", "negative_spend", "total_spend", "-10.25"]),
    (&["late,2023-12-01,2024-01-01,1,5,"], ["h2", "after_observation_end", "period_end", "2024-01-01T00:00:00"]),
    (&["much,2023-01-01,2023-02-01,1,999999999999999,"; 11], ["h1", "amount_out_of_range", "total_spend", "10999999999999989.00"]),
];

fn csv_of(rows: &[&str]) -> String {
    format!("{HEADER}\n{}\n", rows.join("\n"))
}

fn good_rows(n: usize) -> Vec<String> {
    let day = |month: usize| format!("2023-{month:02}-01");
    let row = |i: usize| {
        let (customer, month) = (i * 7 % (n / 3).max(1), i % 11 + 1);
        format!("good-{customer:05},{},{},{},{}.{:03},{}T12:00:00", day(month), day(month + 1), i % 4 + 1, i % 97, i % 1000, day(month))
    };
    (0..n).map(row).collect()
}

/// All columns as text, which can hold any fault that a CSV can; empty fields are null.
fn text_batch(table: &Table, null_is_empty: bool) -> RecordBatch {
    let column = |i: usize| {
        let field = |row: &'_ Vec<String>| if row[i].is_empty() && !null_is_empty { None } else { Some(row[i].clone()) };
        let array: ArrayRef = Arc::new(StringArray::from_iter(table.rows.iter().map(field)));
        (table.header[i].clone(), array, true)
    };
    RecordBatch::try_from_iter_with_nullable((0..table.header.len()).map(column).collect::<Vec<_>>()).unwrap()
}

/// The lines of an error, which are one or two and no more: what is wrong, and perhaps what to do about it.
#[track_caller]
fn error(ran: Ran, code: i32) -> String {
    let ran = ran.expect(code);
    let lines: Vec<_> = ran.stderr.lines().collect();
    assert!(matches!(lines.as_slice(), [what] | [what, _] if what.starts_with("lensflow: ")), "{}", ran.stderr);
    assert!(lines.get(1).is_none_or(|help| help.starts_with("  help: ")), "{}", ran.stderr);
    assert!(ran.stdout.is_empty(), "an error leaves stdout alone: {}", ran.out());
    ran.stderr
}

/// The names of everything in a folder.
fn listing(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn answers_go_to_stdout_and_talk_to_stderr() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| lensflow(folder.path(), arguments);
    fs::write(folder.path().join("periods.csv"), Case::load("01_tiny").csv).unwrap();

    let text = run(&["audit", "periods.csv", "--every", "half"]).expect(0);
    assert!(text.out().contains("periods.csv: 5 customers, 8 rows read, 8 accepted, 0 rejected"), "{}", text.out());
    assert_eq!(text.stderr, "");
    for arguments in [["-v", "--parallel=off"], ["-vv", "--parallel=on"], ["--quiet", "--workers=3"]] {
        let talking = run(&[&["audit", "periods.csv", "--every", "half"], &arguments[..]].concat()).expect(0);
        assert_eq!(talking.out(), text.out());
        assert_eq!(talking.stderr.contains("done"), arguments[0] != "--quiet", "{}", talking.stderr);
    }

    // `-` is JSON on stdout; files at once in every form, by extension.
    let forms = ["--report", "r.json", "--report", "r.md", "--report", "r.txt", "--report", "-"];
    let json = run(&[&["audit", "periods.csv", "--every", "half"], &forms[..]].concat()).expect(0);
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!((json.out(), json.stderr.as_str()), (read("r.json").as_str(), ""));
    let report: Value = serde_json::from_str(json.out()).unwrap();
    assert_eq!(report["windows"][0]["lens1"]["total_revenue"], "139.99");
    assert_eq!(read("r.txt"), text.out());
    assert!(read("r.md").starts_with("# Customer-base audit\n") && read("r.md").contains("139.99"), "{}", read("r.md"));

    // Rows on stdout are CSV, and then nothing else goes there.
    let rows = run(&["audit", "periods.csv", "--every", "half", "--sorted", "--rfm-out", "-"]).expect(0);
    assert_eq!(Table::parse(rows.out()).rows.len(), 7);
    assert_eq!(rows.stderr, "");

    let help = run(&["audit", "--help"]).expect(0);
    assert!(help.out().contains("--every") && help.out().contains("Exit codes") && help.stderr.is_empty());
    assert!(run(&["--version"]).expect(0).out().starts_with("lensflow "));
    assert_eq!(error(run(&["audit", "nothing.csv", "--every", "half"]), 1), "lensflow: nothing.csv: there is no such file or folder\n");
    assert!(run(&[]).expect(2).stderr.contains("Usage: lensflow"));
    assert!(run(&["audit", "--evry"]).expect(2).stderr.contains("--every"));
}

#[test]
fn messages_can_be_json_and_never_have_colours_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let rows = csv_of(&["ana,2023-01-01,2023-02-01,1,5,", "ana,2023-02-01,2023-03-01,1,500,"]);
    fs::write(folder.path().join("jump.csv"), rows).unwrap();
    let lines = |ran: &Ran| ran.stderr.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>();

    let failed = lensflow(folder.path(), &["audit", "nothing.csv", "--every", "month", "--log-format", "json"]).expect(1);
    assert!(matches!(lines(&failed).as_slice(), [one]
        if one["level"] == "ERROR" && one["fields"]["message"] == "nothing.csv: there is no such file or folder"));
    let usage = lensflow(folder.path(), &["--log-format", "json", "audit", "jump.csv"]).expect(2);
    let [line] = lines(&usage).try_into().unwrap();
    assert_eq!(line["fields"]["message"], "no window is given");
    assert!(line["fields"]["help"].as_str().unwrap().contains("--every month"));

    // A change by 9,900 % is worth a warning, beside the report and in it.
    let warned = ["audit", "jump.csv", "--every", "month", "--report", "-", "-vv", "--log-format", "json"];
    let warned = lensflow(folder.path(), &warned).expect(0);
    let warnings: Vec<_> = lines(&warned).into_iter().filter(|line| line["level"] == "WARN").collect();
    let report: Value = serde_json::from_str(warned.out()).unwrap();
    assert_eq!(warnings.len(), report["warnings"].as_array().unwrap().len());
    assert!(!warnings.is_empty() && warnings[0]["fields"]["message"] == report["warnings"][0]);

    let plain = |arguments: &[&str]| {
        let forced = Lensflow::new(folder.path(), arguments).env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1").run();
        assert!(!forced.stdout.contains(&0x1b) && !forced.stderr.contains('\u{1b}'), "{forced:?}");
        assert_eq!(forced.stderr, lensflow(folder.path(), arguments).stderr);
    };
    plain(&["audit", "jump.csv", "--every", "month", "--report", "-"]);
    plain(&["audit", "nothing.csv", "--every", "month"]);
    plain(&["audit", "--no-such-flag"]);
    plain(&["--help"]);
}

#[test]
fn completions_and_the_manual_are_printed() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, wanted) in [
        (&["completions", "bash"][..], &["complete -F", "--rfm-out", "generate"][..]),
        (&["completions", "zsh"], &["#compdef lensflow"]),
        (&["man"], &[".TH lensflow", "\\-\\-every", "lensflow\\-audit"]),
    ] {
        let ran = lensflow(folder.path(), arguments).expect(0);
        assert_eq!(ran.stderr, "");
        wanted.iter().for_each(|wanted| assert!(ran.out().contains(wanted), "{arguments:?} lacks {wanted}: {}", ran.out()));
    }
}

#[test]
fn wrong_usage_is_refused_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("periods.csv"), csv_of(&["bad"])).unwrap();
    fs::create_dir(folder.path().join("in")).unwrap();
    fs::write(folder.path().join("in/periods.csv"), csv_of(&["bad"])).unwrap();
    let month = ["--every", "month"];
    let wrong: &[(&[&str], &str)] = &[
        (&[], "help: give --window START..END at least once, or --every month|quarter|half|year"),
        (&["--every", "fortnight"], "one of month, quarter, half, year"),
        (&["--window", "a=2023", "--window", "a=2024"], "two windows are named \"a\""),
        (&["--window", "2023", "--window", "2023-07"], "window 2023-07 [2023-07-01T00:00:00, 2023-08-01T00:00:00) overlaps"),
        (&["--window", "2024", "--window", "2023"], "in time order"),
        (&["--window", "a=2023-01-01..2022-01-01"], "ends before it starts"),
        (&["--window", "a=2023-01-01..2023-02-01@2022-12-31"], "is observed from 2022-12-31T00:00:00, before it starts"),
        (&["--window", "spring"], "\"spring\" is not a window"),
        (&["--window", "2023-02-30..2024-01-01"], "\"2023-02-30\" is not a date"),
        (&["--window", "2023-Q5"], "\"2023-Q5\" is not a window"),
        (&[&month[..], &["--format", "xlsx"]].concat(), "help: one of parquet, csv, jsonl, arrow"),
        (&[&month[..], &["--workers", "0"]].concat(), "0 workers"),
        (&[&month[..], &["--percentiles", "0"]].concat(), "percentile 0 is outside 1 to 100"),
        (&[&month[..], &["--percentiles", "10,101"]].concat(), "percentile 101 is outside 1 to 100"),
        (&[&month[..], &["--bins", "0"]].concat(), "0 score bins"),
        (&[&month[..], &["--bins", "10"]].concat(), "1 to 9"),
        (&[&month[..], &["--rejects", "rejects.csv"]].concat(), "help: add --on-bad-row reject"),
        (&[&month[..], &["--report", "report.pdf"]].concat(), "end it in .json, .md or .txt"),
        (&[&month[..], &["--rfm-out", "rfm.xlsx"]].concat(), "end it in .parquet, .csv, .jsonl or .arrow"),
        (&[&month[..], &["--report", "a.json", "--report", "a.json"]].concat(), "a.json would be written twice"),
        (&[&month[..], &["--report", "-", "--rfm-out", "-"]].concat(), "would be written twice"),
        (&[&month[..], &["--rfm-out", "./periods.csv"]].concat(), "is an input"),
        (&[&month[..], &["periods.csv"]].concat(), "periods.csv is given twice: its rows would count twice"),
        (&[&month[..], &["in", "in/periods.csv"]].concat(), "in/periods.csv is given twice"),
        (&[&month[..], &["--column", "customer_id"]].concat(), "such as customer_id=cust_no"),
        (&[&month[..], &["--column", "customer=c"]].concat(), "one of customer_id, period_start"),
        (&[&month[..], &["--column", "customer_id=a", "--column", "customer_id=b"]].concat(), "customer_id is given twice"),
    ];
    let before = listing(folder.path());
    for (arguments, wanted) in wrong {
        let message = error(lensflow(folder.path(), &[&["audit", "periods.csv"], *arguments].concat()), 2);
        assert!(message.contains(wanted), "{arguments:?} should say {wanted:?}: {message}");
    }
    for arguments in [&["--every", "month", "--window", "2023"][..], &["--every", "month", "--percentiles", "x"], &["--sort"]] {
        let ran = lensflow(folder.path(), &[&["audit", "periods.csv"], arguments].concat()).expect(2);
        assert!(ran.stdout.is_empty() && ran.stderr.starts_with("error: "), "{ran:?}");
    }
    for (arguments, wanted) in [
        (&["--customers", "10", "-o", "x.csv", "--workers", "0"][..], "0 workers"),
        (&["--customers", "10", "-o", "x.xlsx"], "end it in .parquet"),
        (&["--customers", "10", "-o", "x.csv", "--scenario", "boom"], "baseline"),
        (&["--customers", "10", "-o", "x.csv", "--from", "2023-05", "--to", "2023-04"], "2023-0"),
        (&["--customers", "10", "-o", "x.csv", "--null-timestamps", "1.5"], "1.5"),
    ] {
        let message = error(lensflow(folder.path(), &[&["generate"], arguments].concat()), 2);
        assert!(message.contains(wanted), "{arguments:?} should say {wanted:?}: {message}");
    }
    assert_eq!(listing(folder.path()), before);
}

#[test]
fn a_missing_column_is_named_with_those_that_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut table = Case::load("01_tiny").table;
    let rfm = |arguments: &[&str]| {
        let ran = lensflow(folder.path(), &[&["audit", "--every", "half", "--sorted", "--rfm-out", "-"], arguments].concat()).expect(0);
        ran.out().to_owned()
    };
    fs::write(folder.path().join("standard.csv"), table.to_csv()).unwrap();
    let standard = rfm(&["standard.csv"]);
    for (name, other) in [("customer_id", "cust_no"), ("total_spend", "Total_Spent"), ("last_transaction_ts", "seen")] {
        table.header.iter_mut().filter(|header| *header == name).for_each(|header| *header = other.to_owned());
    }
    let mapping = ["--column", "customer_id=cust_no", "--column", "total_spend=Total_Spent", "--column", "last_transaction_ts=seen"];
    for encoding in [Encoding::Csv, Encoding::JsonTexts, Encoding::Parquet, Encoding::ArrowFile, Encoding::ArrowStream] {
        let name = encoding.file_name();
        let bytes = match encoding {
            Encoding::Csv => table.to_csv().into_bytes(),
            Encoding::JsonTexts => {
                let plain = Case::load("01_tiny").table.to_jsonl(false);
                plain.replace("customer_id", "cust_no").replace("total_spend", "Total_Spent").replace("last_transaction_ts", "seen").into()
            }
            arrow => arrow.encode_batch(&text_batch(&table, false)),
        };
        fs::write(folder.path().join(name), bytes).unwrap();
        let missing = error(lensflow(folder.path(), &["audit", name, "--every", "half", mapping[0], mapping[1]]), 1);
        for wanted in [name, "there is no column \"total_spend\"", "\"cust_no\"", "\"period_start\"", "--column total_spend=Total_Spent"] {
            assert!(missing.contains(wanted), "{name} should say {wanted:?}: {missing}");
        }
        assert_eq!(rfm(&[&[name], &mapping[..]].concat()), standard, "{name}");
        // An optional column that was asked for by name has to be there, too.
        let typo = error(
            lensflow(
                folder.path(),
                &[&["audit", name, "--every", "half"], &mapping[..4], &["--column", "last_transaction_ts=sen"]].concat(),
            ),
            1,
        );
        assert!(typo.contains("there is no column \"sen\"") && typo.contains("last_transaction_ts=seen"), "{typo}");
    }
    fs::write(folder.path().join("twins.csv"), format!("{HEADER},total_spend\n")).unwrap();
    assert!(
        error(lensflow(folder.path(), &["audit", "twins.csv", "--every", "half"]), 1).contains("two columns are named \"total_spend\"")
    );
}

#[test]
fn a_bad_row_is_named_in_full() {
    let folder = tempfile::tempdir().unwrap();
    let good = "ana,2023-01-01,2023-02-01,1,999999999999999.99,2023-01-20";
    let audit = |name: &str, bytes: &[u8]| {
        fs::write(folder.path().join(name), bytes).unwrap();
        let outputs = ["--report", "report.json", "--rfm-out", "rfm.parquet"];
        error(lensflow(folder.path(), &[&["audit", name], &outputs[..], &WINDOWS].concat()), 1)
    };
    for (row, [reason, column, value]) in BAD_ROWS {
        let csv = csv_of(&[good, good, row, "bad,x,y,z,,"]);
        let table = Table::parse(&csv);
        let id = &table.rows[2][0];
        let customer = if id.is_empty() { String::new() } else { format!("customer \"{id}\": ") };
        let value = if value.is_empty() { "empty".to_owned() } else { format!("\"{value}") };
        let texts = text_batch(&table, false);
        for (name, line, bytes) in [
            ("periods.csv", " (line 4)", csv.clone().into_bytes()),
            ("periods.jsonl", " (line 3)", table.to_jsonl(false).into_bytes()),
            ("periods.parquet", "", Encoding::Parquet.encode_batch(&texts)),
            ("periods.arrow", "", Encoding::ArrowFile.encode_batch(&texts)),
        ] {
            let message = audit(name, &bytes);
            assert!(message.starts_with(&format!("lensflow: {name}: row 3{line}: {customer}{reason}: ")), "{row}: {message}");
            assert!(message.contains(&format!("{column} is {value}")), "{row}: {message}");
            assert!(message.contains("--on-bad-row reject"), "{row}: {message}");
        }
    }
    for (rows, [window, reason, column, value]) in BAD_CUSTOMERS {
        let csv = csv_of(&[&[good], rows].concat());
        let id = rows[0].split(',').next().unwrap();
        for (name, bytes) in [
            ("periods.csv", csv.clone().into_bytes()),
            ("periods.jsonl", Table::parse(&csv).to_jsonl(true).into_bytes()),
            ("periods.parquet", Encoding::Parquet.encode_batch(&text_batch(&Table::parse(&csv), false))),
        ] {
            let message = audit(name, &bytes);
            assert!(message.starts_with(&format!("lensflow: customer \"{id}\" in window {window}: {reason}: ")), "{id}: {message}");
            assert!(message.contains(&format!(": {column} is \"")) && message.contains(value), "{id}: {message}");
        }
    }
    // Rows are counted through quoted newlines, where lines are not, and through blank lines.
    let quoted = audit("periods.csv", csv_of(&["\"an\na\",2023-01-01,2023-02-01,1,5,", "bad,2023-01-01,2023-02-01,1,x,"]).as_bytes());
    assert!(quoted.starts_with("lensflow: periods.csv: row 2: customer \"bad\": bad_number"), "{quoted}");
    let blank = audit("periods.csv", csv_of(&[good, "", "", "bad,2023-01-01,2023-02-01,1,x,"]).as_bytes());
    assert!(blank.starts_with("lensflow: periods.csv: row 2: ") || blank.starts_with("lensflow: periods.csv: row 2 (line 5): "), "{blank}");
    assert_eq!(listing(folder.path()), ["periods.arrow", "periods.csv", "periods.jsonl", "periods.parquet"].map(str::to_owned).into());
}

#[test]
fn of_many_bad_rows_the_earliest_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut rows = good_rows(40_000);
    rows[12_345] = "bad,2023-01-01,2023-02-01,1,first,".to_owned();
    (12_346..40_000).step_by(97).for_each(|i| rows[i] = "bad,2023-01-01,2023-02-01,1,later,".to_owned());
    fs::write(folder.path().join("periods.csv"), csv_of(&rows.iter().map(String::as_str).collect::<Vec<_>>())).unwrap();
    for workers in ["1", "2", "7"] {
        let message = error(lensflow(folder.path(), &["audit", "periods.csv", "--every", "month", "--workers", workers]), 1);
        let wanted = "lensflow: periods.csv: row 12346 (line 12347): customer \"bad\": bad_number";
        assert!(message.starts_with(wanted) && message.contains("\"first\""), "{workers} workers: {message}");
    }
}

/// Typed columns can only hold some of the faults; these they can.
#[test]
fn bad_values_of_typed_columns_are_named_in_full() {
    let folder = tempfile::tempdir().unwrap();
    let (january, february) = (1_672_531_200_000_000, 1_675_209_600_000_000);
    let rows = [
        (Some("ana"), Some(january), Some(2), Some(1.5), None, None),
        (None, Some(january), Some(2), Some(1.5), None, Some("missing_value")),
        (Some("bo"), None, Some(2), Some(1.5), None, Some("missing_value")),
        (Some("bo"), Some(january), None, Some(1.5), None, Some("missing_value")),
        (Some("bo"), Some(january), Some(2), None, None, Some("missing_value")),
        (Some("bo"), Some(january), Some(2), Some(f64::NAN), None, Some("bad_number")),
        (Some("bo"), Some(january), Some(2), Some(f64::NEG_INFINITY), None, Some("bad_number")),
        (Some("bo"), Some(january), Some(2), Some(1e15), None, Some("amount_out_of_range")),
        (Some("bo"), Some(january), Some(-2), Some(1.5), None, Some("negative_orders")),
        (Some("bo"), Some(february), Some(2), Some(1.5), None, Some("period_reversed")),
        (Some("bo"), Some(-99_999_999_999_999_999), Some(2), Some(1.5), None, Some("bad_timestamp")),
        (Some("bo"), Some(january), Some(2), Some(1.5), Some(i64::MAX), Some("bad_timestamp")),
    ];
    let columns: [(&str, ArrayRef); 6] = [
        ("customer_id", Arc::new(StringArray::from_iter(rows.iter().map(|r| r.0)))),
        ("period_start", Arc::new(TimestampMicrosecondArray::from_iter(rows.iter().map(|r| r.1)))),
        ("period_end", Arc::new(TimestampMicrosecondArray::from_iter(rows.iter().map(|_| Some(february))))),
        ("total_orders", Arc::new(Int64Array::from_iter(rows.iter().map(|r| r.2)))),
        ("total_spend", Arc::new(Float64Array::from_iter(rows.iter().map(|r| r.3)))),
        ("last_transaction_ts", Arc::new(TimestampMicrosecondArray::from_iter(rows.iter().map(|r| r.4)))),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap();
    for encoding in [Encoding::Parquet, Encoding::ArrowFile, Encoding::ArrowStream] {
        let name = encoding.file_name();
        fs::write(folder.path().join(name), encoding.encode_batch(&batch)).unwrap();
        let message = error(lensflow(folder.path(), &["audit", name, "--every", "month"]), 1);
        assert!(message.starts_with(&format!("lensflow: {name}: row 2: missing_value: ")), "{message}");
        let reject = ["audit", name, "--every", "month", "--on-bad-row", "reject", "--rejects", "-"];
        let rejects = Table::parse(lensflow(folder.path(), &reject).expect(0).out());
        let found = rejects.select(&["row", "reason"].map(str::to_owned)).rows;
        let bad = rows.iter().zip(1..).filter_map(|(row, number)| row.5.map(|reason| vec![format!("{number}"), reason.to_owned()]));
        assert_eq!(found, bad.collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn rejects_reconcile_and_good_rows_are_still_audited() {
    let folder = tempfile::tempdir().unwrap();
    let good = good_rows(30_000);
    let mut rows = Vec::new();
    let mut bad: Vec<(u64, [&str; 3])> = Vec::new();
    let mut faults = BAD_ROWS.iter().cycle();
    for (i, row) in good.iter().enumerate() {
        if i % 103 == 50 {
            let (row, why) = faults.next().unwrap();
            rows.push(*row);
            bad.push((rows.len() as u64, *why));
        }
        rows.push(row);
    }
    rows.extend(BAD_CUSTOMERS.iter().flat_map(|(rows, _)| *rows));
    let table = Table::parse(&csv_of(&rows));
    let texts = text_batch(&table, false);
    let write = |name: &str, bytes: Vec<u8>| fs::write(folder.path().join(name), bytes).unwrap();
    write("good.csv", csv_of(&good.iter().map(String::as_str).collect::<Vec<_>>()).into());
    write("all.csv", table.to_csv().into());
    write("all.jsonl", table.to_jsonl(false).into());
    write("all.parquet", Encoding::Parquet.encode_batch(&texts));
    write("all.arrow", Encoding::ArrowFile.encode_batch(&texts));
    write("all.arrows", Encoding::ArrowStream.encode_batch(&texts));
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    let audit = |inputs: &[&str], more: &[&str]| -> Value {
        let reject = ["--on-bad-row", "reject", "--rejects", "rejects.csv", "--report", "-", "--rfm-out", "rfm.csv", "--sorted"];
        let ran = lensflow(folder.path(), &[&["audit"], inputs, &reject[..], &WINDOWS, more].concat()).expect(0);
        serde_json::from_str(ran.out()).unwrap()
    };
    let answers = |report: &Value| {
        let windows: Vec<_> = report["windows"].as_array().unwrap().iter().map(|w| w["lens1"].clone()).collect();
        (windows, report["comparisons"].clone())
    };

    let clean = audit(&["good.csv"], &[]);
    let (clean_rfm, nothing) = (read("rfm.csv"), read("rejects.csv"));
    assert_eq!(clean["input"]["rows_rejected"], serde_json::json!({}));
    assert_eq!(Table::parse(std::str::from_utf8(&nothing).unwrap()).rows.len(), 0);

    let report = audit(&["all.csv"], &["--workers", "1"]);
    let rejects = read("rejects.csv");
    assert!(audit(&["all.csv"], &["--workers", "7", "--parallel", "on"]) == report && read("rejects.csv") == rejects);
    assert!(answers(&report) == answers(&clean) && read("rfm.csv") == clean_rfm);

    // Counts add up, in total and by reason.
    let mut counted: BTreeMap<&str, u64> = BTreeMap::new();
    bad.iter().for_each(|(_, [reason, ..])| *counted.entry(reason).or_default() += 1);
    let input = &report["input"];
    assert_eq!(input["rows_rejected"], serde_json::json!(counted));
    assert_eq!(input["rows_read"], rows.len());
    assert_eq!(input["rows_accepted"], rows.len() - bad.len());
    assert_eq!(report["windows"][0]["customers_rejected"], serde_json::json!({"no_orders": 1, "amount_out_of_range": 1}));
    assert_eq!(report["windows"][1]["customers_rejected"], serde_json::json!({"negative_spend": 1, "after_observation_end": 1}));

    // Rows come in order with where they are, then customers by window and id.
    let listed = Table::parse(std::str::from_utf8(&rejects).unwrap());
    assert_eq!(listed.rows.len(), bad.len() + BAD_CUSTOMERS.len());
    let columns = ["source", "row", "line", "window", "reason", "column", "value", "customer_id"].map(str::to_owned);
    let listed = listed.select(&columns).rows;
    for (row, (number, [reason, column, value])) in listed.iter().zip(&bad) {
        let line = number + 1;
        assert_eq!(row[..6], ["all.csv", &number.to_string(), &line.to_string(), "", reason, column].map(str::to_owned));
        assert!(row[6].starts_with(value) && (*value == row[6] || *reason == "period_reversed"), "{row:?} instead of {value}");
        assert_eq!(row[7], table.rows[*number as usize - 1][0]);
    }
    let customers = [("h1", "much"), ("h1", "none"), ("h2", "late"), ("h2", "owes")];
    for (row, (window, id)) in listed[bad.len()..].iter().zip(customers) {
        let (_, [_, reason, column, value]) = BAD_CUSTOMERS.iter().find(|(rows, _)| rows[0].starts_with(id)).unwrap();
        assert_eq!([&row[3], &row[4], &row[5], &row[7]], [window, reason, column, id]);
        assert!(row[6].contains(value) && row[0].is_empty() && row[1].is_empty(), "{row:?}");
    }

    // The same rows are rejected for the same reasons in every format.
    let comparable = |rows: &[Vec<String>]| rows.iter().map(|row| [&row[1..2], &row[3..]].concat()).collect::<Vec<_>>();
    for name in ["all.jsonl", "all.parquet", "all.arrow", "all.arrows"] {
        let other = audit(&[name], &[]);
        let others = Table::parse(std::str::from_utf8(&read("rejects.csv")).unwrap()).select(&columns).rows;
        let differs = comparable(&listed).into_iter().zip(comparable(&others)).find(|(a, b)| a != b);
        assert_eq!(differs, None, "{name}");
        assert_eq!(other["input"]["rows_rejected"], input["rows_rejected"], "{name}");
        assert!(answers(&other) == answers(&clean) && read("rfm.csv") == clean_rfm, "{name}");
    }
    // Of several inputs each is listed by itself, in the order of their names.
    audit(&["all.parquet", "all.csv"], &["--workers", "7"]);
    let sources = Table::parse(std::str::from_utf8(&read("rejects.csv")).unwrap());
    let sources: Vec<_> = sources.rows.iter().map(|row| row[0].as_str()).filter(|source| !source.is_empty()).collect();
    assert!(sources.is_sorted() && sources.len() == 2 * bad.len());
}

/// What a damaged input may not do: succeed, panic, say much, or leave or change an output.
struct Damage {
    folder: tempfile::TempDir,
    kept: [(&'static str, &'static str); 2],
}

impl Damage {
    fn new() -> Damage {
        let damage = Damage { folder: tempfile::tempdir().unwrap(), kept: [("report.json", "kept"), ("rfm.parquet", "kept, too")] };
        fs::create_dir(damage.folder.path().join("out")).unwrap();
        damage.kept.iter().for_each(|(name, text)| fs::write(damage.folder.path().join("out").join(name), text).unwrap());
        damage
    }

    fn run(&self, input: &str, feed: Option<Feed>) -> Ran {
        let outputs = ["--report", "out/report.json", "--rfm-out", "out/rfm.parquet", "--migration-out", "out/m.csv.gz"];
        let run = Lensflow::new(self.folder.path(), &[&["audit", input, "--every", "month"], &outputs[..]].concat());
        let ran = if let Some(feed) = feed { run.feed(feed) } else { run }.run();
        if ran.code != Some(0) {
            let out = self.folder.path().join("out");
            assert_eq!(listing(&out), self.kept.map(|(name, _)| name.to_owned()).into(), "{input}: {}", ran.stderr);
            self.kept.iter().for_each(|(name, text)| assert_eq!(fs::read_to_string(out.join(name)).unwrap(), *text, "{input}"));
        }
        ran
    }

    #[track_caller]
    fn refused(&self, name: &str, bytes: &[u8], wanted: &str) {
        fs::write(self.folder.path().join(name), bytes).unwrap();
        let message = error(self.run(name, None), 1);
        assert!(message.starts_with(&format!("lensflow: {name}: ")), "{message}");
        assert!(message.contains(wanted), "{name} should say {wanted:?}: {message}");
    }
}

#[test]
fn damaged_texts_are_refused() {
    let damage = Damage::new();
    let row = "ana,2023-01-01,2023-02-01,1,5,";
    let csv = csv_of(&[row, row]);
    let json = Table::parse(&csv).to_jsonl(true);
    let texts = |wanted: &str, with: &str| csv.replacen(wanted, with, 1).into_bytes();
    let lines = |tail: &[u8]| [json.as_bytes(), tail].concat();
    damage.refused("empty.csv", b"", "begins with a header");
    damage.refused("empty", b"", "the input is empty");
    damage.refused("empty.csv.gz", &gzip(b""), "begins with a header");
    damage.refused("ragged.csv", &texts("1,5,\n", "1,5\n"), "row 1 (line 2): the row has 5 fields where the header has 6");
    damage.refused("wide.csv", csv_of(&[row, "ana,2023-01-01,2023-02-01,1,5,,"]).as_bytes(), "row 2 (line 3): the row has 7 fields");
    damage.refused("quote.csv", &texts("\nana", "\n\"ana"), "line 2: a quote opens here and is never closed");
    damage.refused("header.csv", &texts("customer_id", "\"customer_id"), "line 1: a quote opens here");
    damage.refused("nul.csv", &texts(",1,5", ",1,\x005"), "line 2: there is a NUL byte");
    damage.refused(
        "latin1.csv",
        &[csv_of(&[row]).as_bytes(), b"\xe9mile,2023-01-01,2023-02-01,1,5,\n"].concat(),
        "row 2 (line 3): customer_id is not valid UTF-8",
    );
    damage.refused("utf16.csv", &csv.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>(), "NUL");
    damage.refused("array.jsonl", &lines(b"[1]\n"), "row 3 (line 3): the line is not a JSON object");
    damage.refused("cut.jsonl", &lines(b"{\"customer_id\":\"bo\",\"per"), "row 3 (line 3): the line is not a JSON object");
    damage.refused("two.jsonl", &lines(format!("{}{json}", json.lines().next().unwrap()).as_bytes()), "row 3 (line 3): ");
    damage.refused("latin1.jsonl", &lines(b"{\"customer_id\":\"\xe9mile\"}\n"), "row 3 (line 3): ");
    damage.refused("nul.jsonl", &lines(b"\0\n"), "line 3: there is a NUL byte");
    damage.refused("id.jsonl", json.replacen("\"ana\"", "1.5", 1).as_bytes(), "row 1 (line 1): customer_id is 1.5");
    damage.refused("id2.jsonl", json.replacen("\"ana\"", "[\"ana\"]", 1).as_bytes(), "row 1 (line 1): customer_id is [\"ana\"]");

    let packed = gzip(csv_of(&good_rows(2_000).iter().map(String::as_str).collect::<Vec<_>>()).as_bytes());
    for cut in [packed.len() - 1, packed.len() - 8, packed.len() / 2, 12, 5, 3] {
        damage.refused("cut.csv.gz", &packed[..cut], "");
    }
    let mut wrong = packed.clone();
    wrong[packed.len() - 6] ^= 1;
    damage.refused("sum.csv.gz", &wrong, "");
    let packed = zstd::encode_all(csv.as_bytes(), 1).unwrap();
    for cut in [packed.len() - 1, packed.len() / 2, 5] {
        damage.refused("cut.csv.zst", &packed[..cut], "");
    }
    fs::create_dir(damage.folder.path().join("nothing")).unwrap();
    assert!(error(damage.run("nothing", None), 1).contains("the folder holds no .parquet"));
    assert!(error(damage.run("*.nothing", None), 1).contains("the glob matches no file"));
    assert!(error(damage.run("-", Some(Box::new(|_| Ok(())))), 1).contains("stdin: the input is empty"));
}

#[test]
fn garbage_is_refused_whatever_it_is_called() {
    let damage = Damage::new();
    let mut dice = Dice(5);
    let noise: Vec<u8> = (0..5_000).map(|_| dice.next() as u8).collect();
    let letters: Vec<u8> = noise.iter().map(|b| b"abc,;\"{}[]:0123 \n"[usize::from(*b) % 17]).collect();
    let csv = csv_of(&good_rows(10).iter().map(String::as_str).collect::<Vec<_>>());
    let parquet = Encoding::Parquet.encode(&Table::parse(&csv));
    let arrow = Encoding::ArrowFile.encode(&Table::parse(&csv));
    let contents: [&[u8]; 7] = [&noise, &letters, b"PAR1", b"PAR1PAR1", b"ARROW1\0\0ARROW1", &[0xff; 64], b"\x1f\x8b\x08 and so on"];
    for name in ["garbage.parquet", "garbage.arrow", "garbage.csv", "garbage.jsonl", "garbage.csv.gz", "garbage"] {
        contents.iter().for_each(|bytes| damage.refused(name, bytes, ""));
    }
    // Files that are in order but have another one's name.
    damage.refused("csv.parquet", csv.as_bytes(), "not a Parquet file");
    damage.refused("csv.arrow", csv.as_bytes(), "not Arrow IPC");
    damage.refused("csv.jsonl", csv.as_bytes(), "");
    damage.refused("parquet.csv", &parquet, "");
    damage.refused("arrow.parquet", &arrow, "not a Parquet file");
    damage.refused("parquet.jsonl", &parquet, "");
}

#[test]
fn unfit_column_types_are_refused() {
    let damage = Damage::new();
    let table = Table::parse(&csv_of(&["ana,2023-01-01,2023-02-01,1,5,2023-01-20"]));
    let unfit: [(usize, ArrayRef, &str); 6] = [
        (
            0,
            Arc::new(Float64Array::from(vec![1.0])),
            "column \"customer_id\" is Float64, which cannot be customer_id: it takes text or an integer",
        ),
        (0, Arc::new(BinaryArray::from(vec![&b"ana"[..]])), "column \"customer_id\" is Binary"),
        (1, Arc::new(Int64Array::from(vec![1])), "column \"period_start\" is Int64, which cannot be period_start: it takes a timestamp"),
        (3, Arc::new(BooleanArray::from(vec![true])), "column \"total_orders\" is Boolean"),
        (4, Arc::new(BooleanArray::from(vec![true])), "column \"total_spend\" is Boolean, which cannot be total_spend: it takes a decimal"),
        (5, Arc::new(Float64Array::from(vec![1.0])), "column \"last_transaction_ts\" is Float64"),
    ];
    for (at, array, wanted) in unfit {
        let plain = table.batch();
        let columns = plain.schema_ref().fields().iter().zip(plain.columns()).enumerate();
        let columns =
            columns.map(|(i, (field, column))| (field.name().clone(), if i == at { array.clone() } else { column.clone() }, true));
        let batch = RecordBatch::try_from_iter_with_nullable(columns.collect::<Vec<_>>()).unwrap();
        for encoding in [Encoding::Parquet, Encoding::ArrowFile, Encoding::ArrowStream] {
            damage.refused(encoding.file_name(), &encoding.encode_batch(&batch), wanted);
        }
    }
}

#[test]
fn cut_or_corrupt_columnar_files_never_pass_for_whole() {
    let damage = Damage::new();
    let rows = good_rows(2_500);
    let table = Table::parse(&csv_of(&rows.iter().map(String::as_str).collect::<Vec<_>>()));
    for encoding in [Encoding::Parquet, Encoding::ArrowFile] {
        let bytes = encoding.encode(&table);
        let n = bytes.len();
        for cut in [1, 4, 8, 12, n / 4, n / 2, n * 3 / 4, n - 1_000, n - 100, n - 9, n - 8, n - 4, n - 1] {
            damage.refused(encoding.file_name(), &bytes[..cut], "");
        }
    }
    // A stream may end between messages, and the mark that begins one says nothing yet; everywhere else it is cut.
    // The library is asked, which is faster.
    let bytes = Encoding::ArrowStream.encode(&table);
    let spec = Spec { windows: lensflow::calendar::Windows::Every(lensflow::calendar::Granularity::Month), ..Spec::default() };
    let path = damage.folder.path().join("cut.arrows");
    let between: BTreeSet<usize> = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(&[0xff; 4])).collect();
    let inside_a_mark = |cut: usize| (0..4).any(|back| between.contains(&(cut - back)));
    let near = between.iter().flat_map(|&at| at.saturating_sub(3)..=(at + 9).min(bytes.len()));
    for cut in (1..bytes.len()).step_by(997).chain(near).filter(|cut| *cut > 0 && *cut < bytes.len()) {
        fs::write(&path, &bytes[..cut]).unwrap();
        match audit(&spec, &[path.to_string_lossy()]) {
            Ok(audit) if audit.report.input.rows_read < rows.len() as u64 => {
                assert!(inside_a_mark(cut), "cut at {cut} of {}: {} rows pass for all", bytes.len(), audit.report.input.rows_read);
            }
            Ok(_) => {}
            Err(error) => assert!(matches!(error.kind(), Kind::Data | Kind::Io), "cut at {cut}: {error}"),
        }
    }
}

#[test]
fn wrong_lengths_in_a_file_do_not_take_the_process_down() {
    let damage = Damage::new();
    let table = Table::parse(&csv_of(&good_rows(50).iter().map(String::as_str).collect::<Vec<_>>()));
    for encoding in [Encoding::Parquet, Encoding::ArrowFile, Encoding::ArrowStream] {
        let bytes = encoding.encode(&table);
        // Where lengths and offsets are: the tail of a file, and the high bytes of words in a stream's second message.
        let messages: Vec<usize> = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(&[0xff; 4])).collect();
        let places: Vec<usize> = match encoding {
            Encoding::ArrowStream => (messages[1] + 7..messages[1] + 140).step_by(4).collect(),
            _ => (bytes.len() - 48..bytes.len()).collect(),
        };
        for at in places {
            let mut wrong = bytes.clone();
            wrong[at] = 0x7f;
            fs::write(damage.folder.path().join(encoding.file_name()), &wrong).unwrap();
            let ran = damage.run(encoding.file_name(), None);
            assert!(matches!(ran.code, Some(0 | 1)) && !ran.stderr.contains("panicked"), "{encoding:?} at {at}: {ran:?}");
            damage.kept.iter().for_each(|(name, text)| fs::write(damage.folder.path().join("out").join(name), text).unwrap());
            let _ = fs::remove_file(damage.folder.path().join("out/m.csv.gz"));
        }
    }
}

#[test]
fn lines_that_end_in_carriage_returns_are_read_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let rows = csv_of(&["ana,2023-01-01,2023-02-01,1,5,", "bo,2023-01-01,2023-02-01,1,5,"]);
    fs::write(folder.path().join("mac.csv"), rows.replace('\n', "\r")).unwrap();
    let ran = lensflow(folder.path(), &["audit", "mac.csv", "--every", "month"]);
    assert!(ran.code == Some(1) || ran.out().contains("2 rows read"), "rows are lost silently: {}{}", ran.out(), ran.stderr);
}

#[test]
fn texts_are_read_alike_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let rows = [
        "an empty start,,2023-02-01,1,5,",
        "an empty end,2023-01-01,,1,5,",
        "an empty count,2023-01-01,2023-02-01,,5,",
        "an empty amount,2023-01-01,2023-02-01,1,,",
        "a blank time,2023-01-01,2023-02-01,1,5, ",
        "a great count,2023-01-01,2023-02-01,1000000000000000,5,",
        "a count like a float,2023-01-01,2023-02-01,3.0,5,",
        "an amount with room, 2023-01-01 ,2023-02-01 , 1 , 5 ,",
    ];
    let table = Table::parse(&csv_of(&rows));
    let found = ["periods.csv", "periods.jsonl", "nulls.parquet", "empty.parquet", "empty.arrow"].map(|name| {
        let bytes = match name {
            "periods.csv" => table.to_csv().into_bytes(),
            "periods.jsonl" => table.to_jsonl(false).into_bytes(),
            "empty.arrow" => Encoding::ArrowFile.encode_batch(&text_batch(&table, true)),
            _ => Encoding::Parquet.encode_batch(&text_batch(&table, name == "empty.parquet")),
        };
        fs::write(folder.path().join(name), bytes).unwrap();
        let reject = ["audit", name, "--every", "month", "--on-bad-row", "reject", "--rejects", "-"];
        let rejects = Table::parse(lensflow(folder.path(), &reject).expect(0).out());
        rejects.select(&["customer_id", "reason", "column", "value"].map(str::to_owned)).rows
    });
    let [csv, others @ ..] = found;
    let empty = [
        ("an empty start", "period_start"),
        ("an empty end", "period_end"),
        ("an empty count", "total_orders"),
        ("an empty amount", "total_spend"),
    ];
    for (row, (id, column)) in csv.iter().zip(empty) {
        assert_eq!(row[..3], [id, "missing_value", column].map(str::to_owned));
    }
    others.iter().for_each(|other| assert_eq!(*other, csv));
}

#[test]
fn a_file_counts_once_by_whatever_names() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("periods.csv"), csv_of(&["ana,2023-01-01,2023-02-01,1,5,"])).unwrap();
    let ran = lensflow(folder.path(), &["audit", "periods.csv", "./periods.csv", "--every", "month"]);
    assert!(ran.code == Some(2) || ran.out().contains(" 1 rows read"), "rows count twice: {}{}", ran.out(), ran.stderr);
}

#[test]
fn a_line_without_an_end_is_refused_within_seconds() {
    let damage = Damage::new();
    let row = "ana,2023-01-01,2023-02-01,1,5,\n";
    let starts = ["", HEADER, &format!("{HEADER}\n{row}"), &format!("{HEADER}\n{row}\""), "{\"customer_id\":\""].map(str::to_owned);
    for start in starts {
        let feed: Feed = Box::new(move |out| {
            let block = vec![b'x'; 1 << 20];
            out.write_all(start.as_bytes())?;
            (0..1 << 10).try_for_each(|_| out.write_all(&block))
        });
        let message = error(damage.run("-", Some(feed)), 1);
        assert!(message.starts_with("lensflow: stdin: line ") && message.contains("16 MiB"), "{message}");
    }
}

#[test]
fn outputs_appear_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    write("periods.csv", &Case::load("11_quarters").csv);
    write("bad.csv", &csv_of(&["bad,2023-01-01,2023-02-01,1,x,"]));
    let quarters = ["--every", "quarter", "--sorted"];
    let run = |arguments: &[&str]| lensflow(folder.path(), &[&["audit", "periods.csv"], arguments, &quarters[..]].concat());

    // What is there already is replaced, and all formats hold the same rows.
    write("rfm.csv", "old");
    run(&["--rfm-out", "rfm.csv"]).expect(0);
    run(&["--rfm-out", "rfm.csv.gz"]).expect(0);
    run(&["--rfm-out", "rfm.csv.zst"]).expect(0);
    let (csv, mut unpacked) = (read("rfm.csv"), Vec::new());
    std::io::copy(&mut flate2::read::GzDecoder::new(read("rfm.csv.gz").as_slice()), &mut unpacked).unwrap();
    assert!(csv.len() > 40_000 && unpacked == csv && zstd::decode_all(read("rfm.csv.zst").as_slice()).unwrap() == csv);
    run(&["--rfm-out", "rfm.parquet", "--migration-out", "migration.jsonl"]).expect(0);
    let table = Table::parse(std::str::from_utf8(&csv).unwrap());
    let rows = read_parquet(&folder.path().join("rfm.parquet"));
    assert_eq!((rows.num_rows(), rows.num_columns()), (table.rows.len(), table.header.len()));
    let options = arrow::util::display::FormatOptions::new().with_timestamp_format(Some("%Y-%m-%dT%H:%M:%S"));
    for (column, array) in rows.columns().iter().enumerate() {
        let shown = arrow::util::display::ArrayFormatter::try_new(array, &options).unwrap();
        assert!((0..rows.num_rows()).all(|row| shown.value(row).to_string() == table.rows[row][column]), "{}", table.header[column]);
    }
    let line: Value = serde_json::from_slice(read("migration.jsonl").split(|b| *b == b'\n').next().unwrap()).unwrap();
    assert_eq!((&line["from"], &line["to"]), (&"2023-Q1".into(), &"2023-Q2".into()));

    // A folder that is not there, or a folder in the place of a file, is found out and nothing else is written.
    let before = listing(folder.path());
    fs::create_dir(folder.path().join("taken.csv")).unwrap();
    for arguments in [["--rfm-out", "none/rfm.csv", "--report", "r.json"], ["--report", "r.json", "--rfm-out", "taken.csv"]] {
        let message = error(run(&arguments), 1);
        assert!(
            message.contains("cannot write") && message.contains(if arguments[1] == "r.json" { "taken.csv" } else { "none/rfm.csv" }),
            "{message}"
        );
    }
    fs::remove_dir(folder.path().join("taken.csv")).unwrap();
    assert_eq!(listing(folder.path()), before);
    error(lensflow(folder.path(), &[&["audit", "bad.csv", "--report", "r.json", "--migration-out", "m.csv"], &quarters[..]].concat()), 1);
    assert_eq!(listing(folder.path()), before);
}

#[test]
fn a_failed_run_leaves_stdout_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("bad.csv"), csv_of(&["bad,2023-01-01,2023-02-01,1,x,"])).unwrap();
    for output in ["--report", "--rfm-out", "--migration-out"] {
        error(lensflow(folder.path(), &["audit", "bad.csv", "--every", "month", output, "-"]), 1);
    }
}

#[cfg(unix)]
#[test]
fn output_files_are_as_open_as_the_umask_says() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    for (umask, wanted) in [("022", 0o644), ("027", 0o640), ("077", 0o600), ("002", 0o664)] {
        let mut shell = Command::new("sh");
        shell.args(["-c", "umask $0; exec \"$@\"", umask, env!("CARGO_BIN_EXE_lensflow")]);
        Lensflow::through(shell, folder.path(), &["generate", "--customers", "10", "-o", "rows.csv"]).run().expect(0);
        let mode = fs::metadata(folder.path().join("rows.csv")).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, wanted, "umask {umask}: {mode:o}");
    }
}

#[test]
fn a_reader_that_leaves_is_no_fault_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    let case = Case::load("30_five_thousand");
    fs::write(folder.path().join("periods.csv"), &case.csv).unwrap();
    for arguments in [
        &["audit", "periods.csv", "--every", "month"][..],
        &["audit", "periods.csv", "--every", "month", "--report", "-"],
        &["audit", "periods.csv", "--every", "month", "--rfm-out", "-"],
        &["audit", "periods.csv", "--every", "month", "--migration-out", "-", "--sorted"],
        &["generate", "--customers", "20K", "-o", "-"],
        &["completions", "bash"],
        &["man"],
        &["--help"],
    ] {
        let ran = Lensflow::new(folder.path(), arguments).stdout_closed().run().expect(0);
        assert_eq!(ran.stderr, "", "{arguments:?}");
    }
}

#[test]
fn a_reader_that_leaves_does_not_cost_the_other_outputs() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("periods.csv"), Case::load("30_five_thousand").csv).unwrap();
    let both = ["audit", "periods.csv", "--every", "month", "--rfm-out", "-", "--report", "r.json"];
    let ran = Lensflow::new(folder.path(), &both).stdout_closed().run();
    assert!(ran.code != Some(0) || folder.path().join("r.json").exists(), "success without the report: {ran:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("periods.csv"), Case::load("01_tiny").csv).unwrap();
    for arguments in [
        &["audit", "periods.csv", "--every", "half"][..],
        &["audit", "periods.csv", "--every", "half", "--report", "-"],
        &["audit", "periods.csv", "--every", "half", "--rfm-out", "-"],
        &["generate", "--customers", "100", "-o", "-"],
        &["generate", "--customers", "100", "-o", "/dev/full", "--format", "parquet"],
    ] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let message = error(Lensflow::new(folder.path(), arguments).stdout_to(full).run(), 1);
        assert!(message.contains("No space left on device"), "{message}");
    }
}

#[test]
fn generated_rows_depend_on_the_options_alone() {
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    let generate = |name: &str, workers: &str, more: &[&str]| {
        let rows = ["generate", "--customers", "12K", "--ids", "uuid", "--null-timestamps", "0.1", "--workers", workers, "-o", name];
        lensflow(folder.path(), &[&rows[..], more].concat()).expect(0)
    };
    let names = ["rows.csv", "rows.jsonl", "rows.parquet", "rows.arrow", "rows.csv.gz", "rows.jsonl.zst"];
    let mut answers = Vec::new();
    for name in names {
        generate(name, "1", &[]);
        let one = read(name);
        let ran = generate(name, "3", &[]);
        assert!(read(name) == one, "{name} differs by workers");
        assert!(ran.stdout.is_empty() && ran.stderr.is_empty(), "{ran:?}");
        let spec = Spec { windows: lensflow::calendar::Windows::Every(lensflow::calendar::Granularity::Quarter), ..Spec::default() };
        let audit = audit(&spec, &[folder.path().join(name).to_string_lossy()]).unwrap();
        let rows = written(folder.path(), "rfm.csv", Order::Engine, &audit);
        answers.push((without_sources(&audit.report), rows, written(folder.path(), "migrations.csv", Order::Sorted, &audit)));
    }
    for (name, answer) in names.iter().zip(&answers) {
        assert!(*answer == answers[0], "the audit of {name} differs from that of {}", names[0]);
    }
    for workers in ["1", "3"] {
        assert!(generate("-", workers, &[]).stdout == read("rows.csv"), "stdout differs from the file");
    }
    assert!(generate("-", "1", &["--seed", "43"]).stdout != read("rows.csv"), "the seed says nothing");
    let typed = generate("-", "2", &["--format", "jsonl"]);
    assert!(typed.stdout == read("rows.jsonl"), "the format says nothing");
}
