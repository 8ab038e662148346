//! The command line as its users meet it: exit codes, what goes to which stream, bad rows, damaged inputs, signals, and outputs that
//! appear whole or not at all.

mod bad_rows;
mod command_sources;
mod damage;
#[cfg(unix)]
mod following;
#[cfg(unix)]
mod odd_files;
mod options;
#[cfg(unix)]
mod signals;
mod specs;
mod spill;

use crate::make::*;
use crate::support::*;
use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use lensflow::error::Kind;
use lensflow::pipeline::Order;
use lensflow::spec::Spec;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// The first is observed beyond its end, the second ends after it is last observed.
const WINDOWS: [&str; 4] = ["--window", "h1=2023-01-01..2023-07-01@2023-07-10", "--window", "h2=2023-07-01..2024-01-01@2023-12-15"];

/// The lines of an error, which are one or two and no more: what is wrong, and perhaps what to do about it.
#[track_caller]
fn error(ran: Ran, code: i32) -> String {
    let ran = ran.expect(code);
    // Notes about what was read come before it.
    let told: String = ran.stderr.lines().skip_while(|line| line.starts_with(" WARN ")).map(|line| line.to_owned() + "\n").collect();
    let lines: Vec<_> = told.lines().collect();
    // What is wrong, the causes if there are several, and what to do.
    assert!(lines[0].starts_with("lensflow: ") && lines[1..].iter().all(|line| line.starts_with("  ")), "{}", ran.stderr);
    assert!(lines.len() == 1 || lines.iter().rposition(|line| line.starts_with("  help: ")) == Some(lines.len() - 1), "{}", ran.stderr);
    assert!(ran.stdout.is_empty(), "an error leaves stdout alone: {}", ran.out());
    told
}

#[test]
fn answers_go_to_stdout_and_talk_to_stderr() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| lensflow(folder.path(), arguments);
    fs::write(folder.path().join("periods.csv"), Golden::load("01_tiny").csv).unwrap();

    let text = run(&["audit", "periods.csv", "--every", "half"]).expect(0);
    assert!(text.out().contains("periods.csv: 5 customers, 8 rows read, 8 accepted, 0 rejected"), "{}", text.out());
    assert_eq!(text.stderr, "");
    for arguments in [["-v", "--workers=1"], ["-vv", "--workers=2"], ["--quiet", "--workers=3"]] {
        let talking = run(&[&["audit", "periods.csv", "--every", "half"], &arguments[..]].concat()).expect(0);
        assert_eq!(talking.out(), text.out());
        assert_eq!(talking.stderr.contains("done"), arguments[0] != "--quiet", "{}", talking.stderr);
    }

    // `-` is JSON on stdout; files at once in every form, by extension.
    let forms = ["--report", "r.json", "--report", "r.md", "--report", "r.txt", "--report", "-"];
    let json = run(&[&["audit", "periods.csv", "--every", "half"], &forms[..]].concat()).expect(0);
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!((json.out(), json.stderr.as_str()), (read("r.json").as_str(), "r.json\nr.md\nr.txt\n"));
    let report: Value = serde_json::from_str(json.out()).unwrap();
    assert_eq!(report["windows"][0]["lens1"]["total_revenue"], 139.99);
    assert_eq!(read("r.txt"), text.out());
    assert!(read("r.md").starts_with("# Customer-base audit\n") && read("r.md").contains("139.99"), "{}", read("r.md"));

    // What was written is said, and not with -q; a folder that is not there is named.
    let tables = ["--rfm-out", "rfm.parquet", "--migration-out", "m.csv", "--report", "r.json"];
    let told = run(&[&["audit", "periods.csv", "--every", "half"], &tables[..]].concat()).expect(0);
    assert_eq!(told.stderr, "r.json\nrfm.parquet: 7 rows\nm.csv: 5 rows\n");
    for format in ["csv", "jsonl", "arrow"] {
        let name = format!("rfm.{format}");
        let told = run(&["audit", "periods.csv", "--every", "half", "--sorted", "--rfm-out", &name]).expect(0);
        assert_eq!(told.stderr, format!("{name}: 7 rows\n"));
    }
    assert_eq!(run(&[&["audit", "periods.csv", "--every", "half", "-q"], &tables[..]].concat()).expect(0).stderr, "");
    let missing = error(run(&["audit", "periods.csv", "--every", "half", "--report", "out/x.json"]), 1);
    let help = "  help: make it, or name a file in a folder that is there\n";
    assert_eq!(missing, format!("lensflow: out/x.json: cannot write: there is no folder out\n{help}"));

    // Tables are as wide as COLUMNS says, never narrower than 80, and have colours when they are asked for.
    for columns in ["80", "20", "200"] {
        let wide = ["audit", "periods.csv", "--every", "month", "--color", "never"];
        let shown = Lensflow::new(folder.path(), &wide).env("COLUMNS", columns).run().expect(0);
        // Sentences are left as they are.
        let tables = shown.out().split_once("Lens 1").unwrap().1;
        let widest = tables.lines().filter(|line| line.starts_with([' ', '\u{2500}'])).map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= columns.parse::<usize>().unwrap().max(80), "{}", shown.out());
    }
    let painted = run(&["audit", "periods.csv", "--every", "half", "--color", "always"]).expect(0);
    assert!(painted.out().contains("\u{1b}[1mLens 1: each period\u{1b}[0m\n"), "{}", painted.out());

    // Rows on stdout are CSV, and then nothing else goes there.
    let rows = run(&["audit", "periods.csv", "--every", "half", "--sorted", "--rfm-out", "-"]).expect(0);
    assert_eq!(Table::parse(rows.out()).rows.len(), 7);
    assert_eq!(rows.stderr, "");

    let help = run(&["audit", "--help"]).expect(0);
    assert!(help.out().contains("--every") && help.out().contains("Exit codes") && help.stderr.is_empty());
    assert!(run(&["--version"]).expect(0).out().starts_with("lensflow "));
    assert_eq!(error(run(&["audit", "nothing.csv", "--every", "half"]), 1), "lensflow: nothing.csv: there is no such file or folder\n");
    assert!(run(&[]).expect(2).stderr.contains("Usage: lensflow"));
    let unknown = run(&["audit", "--evry"]).expect(2);
    assert!(unknown.stderr.contains("--every") && !unknown.stderr.contains("as a value"), "{}", unknown.stderr);
    assert!(!run(&["audit", "--by", "month"]).expect(2).stderr.contains("tip"));
    let short = run(&["audit", "-h"]).expect(0);
    assert!(short.out().lines().count() <= 40, "{}", short.out());
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
    assert!(line["fields"]["help"].as_str().unwrap().contains("--every day|week|month"));
    let unknown = lensflow(folder.path(), &["audit", "--log-format", "json", "--evry", "month"]).expect(2);
    let [line] = lines(&unknown).try_into().unwrap();
    assert!(line["level"] == "ERROR" && line["fields"]["message"].as_str().unwrap().contains("'--evry'"), "{line}");

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
        (&[], "help: give --window START..END at least once, or --every day|week|month|quarter|half|year|all"),
        (&["--every", "fortnight"], "one of day, week, month, quarter, half, year, all"),
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
        (&[&month[..], &["--window", "2023"]].concat(), "--every: windows come from --every or from --window, not from both"),
        (&[&month[..], &["--percentiles", "x"]].concat(), "--percentiles: a whole number, such as 8, is expected, not \"x\""),
        (&[&month[..], &["--workers", "1e1"]].concat(), "--workers: a whole number, such as 8, is expected, not 10.0"),
        (&[&month[..], &["--percentiles", "0"]].concat(), "percentile 0 is outside 1 to 100"),
        (&[&month[..], &["--percentiles", "10,101"]].concat(), "percentile 101 is outside 1 to 100"),
        (&[&month[..], &["--bins", "0"]].concat(), "0 score bins"),
        (&[&month[..], &["--bins", "10"]].concat(), "1 to 9"),
        (&[&month[..], &["--rejects", "rejects.csv"]].concat(), "help: add --on-bad-row reject"),
        (&[&month[..], &["--report", "report.pdf"]].concat(), "end it in .html, .xlsx, .json, .md or .txt"),
        (&[&month[..], &["--rfm-out", "rfm.xlsx"]].concat(), "end it in .parquet, .csv, .jsonl or .arrow"),
        (&[&month[..], &["--report", "a.json", "--report", "a.json"]].concat(), "a.json would be written twice"),
        (&[&month[..], &["--report", "-", "--rfm-out", "-"]].concat(), "would be written twice"),
        (&[&month[..], &["--rfm-out", "./periods.csv"]].concat(), "is an input"),
        (&[&month[..], &["periods.csv"]].concat(), "periods.csv is given twice: its rows would count twice"),
        (&[&month[..], &["in", "in/periods.csv"]].concat(), "in/periods.csv is given twice"),
        (&[&month[..], &["--column", "customer_id"]].concat(), "such as customer_id=cust_no"),
        (&[&month[..], &["--column", "customer=c"]].concat(), "one of customer_id, period_start"),
    ];
    let before = listing(folder.path());
    for (arguments, wanted) in wrong {
        let message = error(lensflow(folder.path(), &[&["audit", "periods.csv"], *arguments].concat()), 2);
        assert!(message.contains(wanted), "{arguments:?} should say {wanted:?}: {message}");
    }
    let ran = lensflow(folder.path(), &["audit", "periods.csv", "--sort"]).expect(2);
    assert!(ran.stdout.is_empty() && ran.stderr.starts_with("error: "), "{ran:?}");
    for (arguments, wanted) in [
        (&["--customers", "10", "-o", "x.csv", "--workers", "0"][..], "0 workers"),
        (&["--customers", "10", "-o", "x.xlsx"], "end it in .parquet"),
        (&["--customers", "10", "-o", "x.csv", "--scenario", "boom"], "baseline"),
        (&["--customers", "10", "-o", "x.csv", "--from", "2023-05", "--to", "2023-04"], "lensflow: --to: the last month, 2023-04,"),
        (&["--customers", "10", "-o", "x.csv", "--from", "2024-05"], "lensflow: --from: the last month, 2023-12,"),
        (&["--customers", "10", "-o", "x.csv", "--from", "May"], "lensflow: --from: \"May\" is not a month"),
        (&["--customers", "10", "-o", "x.csv", "--to", "2023-13"], "lensflow: --to: \"2023-13\" is not a month"),
        (&["--customers", "10", "-o", "x.csv", "--null-timestamps", "1.5"], "lensflow: --null-timestamps: the share"),
        (&["--null-timestamps", "0.5", "-o", "x.csv", "--customers", "0"], "lensflow: --customers: 0 customers"),
    ] {
        let message = error(lensflow(folder.path(), &[&["generate"], arguments].concat()), 2);
        assert!(message.contains(wanted), "{arguments:?} should say {wanted:?}: {message}");
    }
    assert_eq!(listing(folder.path()), before);
}

#[test]
fn a_missing_column_is_named_with_those_that_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut table = Golden::load("01_tiny").table;
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
                let plain = Golden::load("01_tiny").table.to_jsonl(false);
                plain.replace("customer_id", "cust_no").replace("total_spend", "Total_Spent").replace("last_transaction_ts", "seen").into()
            }
            arrow => arrow.encode_batch(&table.text_batch(false)),
        };
        fs::write(folder.path().join(name), bytes).unwrap();
        let missing = error(lensflow(folder.path(), &["audit", name, "--every", "half", mapping[0], mapping[1]]), 1);
        for wanted in [name, "there is no column \"total_spend\"", "\"cust_no\"", "\"period_start\"", "--column total_spend=Total_Spent"] {
            assert!(missing.contains(wanted), "{name} should say {wanted:?}: {missing}");
        }
        assert_eq!(rfm(&[&[name], &mapping[..]].concat()), standard, "{name}");
        // Of several names, the first that is there counts.
        let several = ["--column", "customer_id=who|cust_no", "--column", "total_spend=sum", "--column", "total_spend=Total_Spent"];
        assert_eq!(rfm(&[&[name], &several[..], &mapping[4..]].concat()), standard, "{name}");
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
fn outputs_appear_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    write("periods.csv", &Golden::load("11_quarters").csv);
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
    let case = Golden::load("30_five_thousand");
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
    fs::write(folder.path().join("periods.csv"), Golden::load("30_five_thousand").csv).unwrap();
    let both = ["audit", "periods.csv", "--every", "month", "--rfm-out", "-", "--report", "r.json"];
    let ran = Lensflow::new(folder.path(), &both).stdout_closed().run();
    assert!(ran.code != Some(0) || folder.path().join("r.json").exists(), "success without the report: {ran:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("periods.csv"), Golden::load("01_tiny").csv).unwrap();
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
        let rows = ["generate", "--customers", "12K", "--ids", "unicode", "--null-timestamps", "0.1", "--workers", workers, "-o", name];
        lensflow(folder.path(), &[&rows[..], more].concat()).expect(0)
    };
    let names = ["rows.csv", "rows.jsonl", "rows.parquet", "rows.arrow", "rows.csv.gz", "rows.jsonl.zst"];
    let mut answers = Vec::new();
    for name in names {
        generate(name, "1", &[]);
        let one = read(name);
        let ran = generate(name, "3", &[]);
        assert!(read(name) == one, "{name} differs by workers");
        assert!(ran.stdout.is_empty() && ran.stderr.starts_with(&format!("{name}: ")), "{ran:?}");
        let spec = Spec::default().with_windows(lensflow::model::Windows::Every(lensflow::model::Granularity::Quarter));
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
