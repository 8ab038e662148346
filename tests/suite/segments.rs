//! Cut points and segments: frozen cut points are those of the definition and change nothing; segments in rows, in answers and in moves are
//! the same customers, whatever the memory, from files and from states.

use crate::support::{Golden, Lensflow};
use lensflow::lens::INACTIVE;
use lensflow::model::Segments;
use lensflow::pipeline::{Audit, Order};
use lensflow::report::table::TableWriter;
use lensflow::report::{CutFile, Report};
use lensflow::source::files::Files;
use lensflow::spec::Spec;
use lensflow::{Pipeline, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const CASES: [&str; 8] =
    ["01_tiny", "02_empty", "03_one_customer", "11_quarters", "12_months", "18_mills", "25_three_bins", "50_cdnow_quarters"];

fn audit(csv: &Path, spec: &Spec) -> Result<Audit> {
    let mut pipeline = Pipeline::builder().spec(spec.clone()).build()?;
    pipeline.run(Files::find(&[csv.to_string_lossy()], None, spec)?)?;
    pipeline.finish()
}

/// The cut points that an audit writes of each window are those of the definition, digit by digit; and a window that is scored by its own
/// has the scores that it had.
#[test]
fn frozen_cut_points_are_the_inner_edges() {
    let folder = tempfile::tempdir().unwrap();
    for name in CASES {
        let case = Golden::load(name);
        let csv = folder.path().join("periods.csv");
        fs::write(&csv, &case.csv).unwrap();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/golden/{name}/expected_cuts.json"));
        let expected: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        for window in &case.windows {
            let window_name = window.split('=').next().unwrap();
            let mut arguments =
                ["audit", "periods.csv", "--cuts-out", "cuts.json", "--cuts-window", window_name].map(str::to_owned).to_vec();
            arguments.extend(case.arguments());
            let ran = Lensflow::new(folder.path(), &arguments).run();
            if expected[window_name]["r"].is_null() && expected[window_name]["m"].is_null() && ran.code == Some(1) {
                // Without customers there is nothing to score others by.
                assert!(ran.stderr.contains("no customers"), "{}", ran.stderr);
                continue;
            }
            ran.expect(0);
            let file = CutFile::from_json(&fs::read_to_string(folder.path().join("cuts.json")).unwrap()).unwrap();
            let of = |measure: &str| serde_json::to_value(&file.measures[measure].cut_points).unwrap();
            for (measure, letter) in [("recency", "r"), ("frequency", "f"), ("monetary", "m")] {
                assert_eq!(of(measure), expected[window_name][letter], "{name} {window_name} {measure}");
            }
            let scored = |more: &[&str]| {
                let mut arguments = ["audit", "periods.csv", "--rfm-out", "-", "--sorted", "--window", window].map(str::to_owned).to_vec();
                arguments.extend(more.iter().map(|&m| m.to_owned()));
                Lensflow::new(folder.path(), &arguments).run().expect(0).out().to_owned()
            };
            let bins = case.bins.to_string();
            assert_eq!(scored(&["--bins", &bins, "--cuts", "cuts.json"]), scored(&["--bins", &bins]), "{name} {window_name}");
        }
    }
}

fn csv_rows(text: &[u8]) -> Vec<BTreeMap<String, String>> {
    csv::Reader::from_reader(text).deserialize().map(|row| row.unwrap()).collect()
}

/// Counts the rows of an audit by segment, and its moves, and compares both with its report.
fn rows_agree(folder: &Path, audit: &Audit, segments: &Segments) {
    let table = |name: &str, schema, write: &dyn Fn(&mut TableWriter)| {
        let mut table = TableWriter::create(&folder.join(name), None, &schema).unwrap();
        write(&mut table);
        table.finish().unwrap().commit().unwrap();
        csv_rows(&fs::read(folder.join(name)).unwrap())
    };
    for order in [Order::Engine, Order::Sorted] {
        let rfm = table("rfm.csv", audit.rfm_schema(), &|table| audit.write_rfm(table, order).unwrap());
        let moves = table("moves.csv", audit.migration_schema(), &|table| audit.write_migrations(table, order).unwrap());
        let mut by_window: BTreeMap<(&str, &str), (u64, i128, i128)> = BTreeMap::new();
        let mut of: BTreeMap<(&str, &str), &str> = BTreeMap::new();
        for row in &rfm {
            let sum = by_window.entry((&row["window"], &row["segment"])).or_default();
            let cents: i128 = row["total_spend"].replace('.', "").parse().unwrap();
            *sum = (sum.0 + 1, sum.1 + row["frequency"].parse::<i128>().unwrap(), sum.2 + cents);
            of.insert((&row["window"], &row["customer_id"]), &row["segment"]);
        }
        for window in &audit.report.windows {
            assert_eq!(window.segments.iter().map(|s| &s.segment).collect::<Vec<_>>(), segments.names().iter().collect::<Vec<_>>());
            for said in &window.segments {
                let counted = by_window.remove(&(window.name.as_str(), said.segment.as_str())).unwrap_or_default();
                assert_eq!((said.customers, said.orders, said.revenue.hundredths()), counted, "{} {}", window.name, said.segment);
                let cells: u64 = window.segment_cells.values().filter_map(|cell| cell.get(&said.segment)).sum();
                assert_eq!(cells, said.customers);
            }
        }
        assert!(by_window.is_empty(), "{by_window:?}");
        let mut counts: BTreeMap<(&str, &str, &str), u64> = BTreeMap::new();
        for row in &moves {
            let segment = |window: &str| of.get(&(window, row["customer_id"].as_str())).copied().unwrap_or(INACTIVE);
            assert_eq!((row["from_segment"].as_str(), row["to_segment"].as_str()), (segment(&row["from"]), segment(&row["to"])), "{row:?}");
            *counts.entry((&row["from"], &row["from_segment"], &row["to_segment"])).or_default() += 1;
        }
        for pair in &audit.report.comparisons {
            for (before, all) in pair.segment_migration.as_ref().unwrap() {
                for (after, &customers) in all {
                    assert_eq!(counts.remove(&(pair.from.as_str(), before.as_str(), after.as_str())), Some(customers));
                }
            }
        }
        assert!(counts.is_empty(), "{counts:?}");
    }
}

#[test]
fn segments_are_the_same_customers_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let mine = r#"{"segment": [{"name": "big", "total_spend": "60.."}, {"name": "often", "orders": "2..", "r": "2.."}, {"name": "late", "recency_days": "60.."}]}"#;
    for name in ["01_tiny", "11_quarters", "24_zero_spend"] {
        let case = Golden::load(name);
        let csv = folder.path().join("periods.csv");
        fs::write(&csv, &case.csv).unwrap();
        for segments in [Segments::standard(), serde_json::from_str(mine).unwrap()] {
            let spec = case.spec().with_bins(5).with_segments(segments.clone());
            let plain = audit(&csv, &spec).unwrap();
            rows_agree(folder.path(), &plain, &segments);
            let little = spec.clone().with_memory_limit(Some(96 << 20)).with_workers(Some(3)).with_batch_rows(7);
            assert_eq!(audit(&csv, &little).unwrap().report, plain.report, "{name}");
            let back: Report = serde_json::from_str(&plain.report.to_json().unwrap()).unwrap();
            assert_eq!(back, plain.report);
        }
    }
}

/// A state, month by month, on the command line.
#[test]
fn moves_between_segments_of_a_state() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &str| Lensflow::new(folder.path(), &arguments.split(' ').collect::<Vec<_>>()).run();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/cdnow_periods.csv");
    fs::copy(example, folder.path().join("cdnow.csv")).unwrap();
    run("update state cdnow.csv --every month").expect(0);
    let of_file = run("audit cdnow.csv --every quarter --segments standard --report file.json").expect(0);
    assert!(of_file.out().is_empty());
    let said = run("segments move state --every quarter --segments standard --migration-out moved.csv").expect(0);
    assert!(said.out().contains("Moves between segments, from 1997-Q1 (down) to 1997-Q2 (across)"), "{}", said.out());
    run("audit state --every quarter --segments standard --report state.json").expect(0);
    let report = |name: &str| serde_json::from_str::<Report>(&fs::read_to_string(folder.path().join(name)).unwrap()).unwrap();
    assert_eq!(report("file.json").windows, report("state.json").windows);
    assert_eq!(report("file.json").comparisons, report("state.json").comparisons);
    let moved = csv_rows(&fs::read(folder.path().join("moved.csv")).unwrap());
    let counted: u64 = report("state.json")
        .comparisons
        .iter()
        .flat_map(|c| c.segment_migration.as_ref().unwrap().values())
        .flat_map(|to| to.values())
        .sum();
    assert_eq!(moved.len() as u64, counted);
}

#[test]
fn the_grid_of_segments_is_drawn_and_gaps_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &str| Lensflow::new(folder.path(), &arguments.split(' ').collect::<Vec<_>>()).run();
    let standard = run("segments check standard").expect(0);
    assert!(standard.out().contains("  R5  ACD  ACD") && standard.out().contains("only in one"), "{}", standard.out());
    let mine = "[[segment]]\nname = \"best\"\nr = 5\nf = \"4..\"\n\n[[segment]]\nname = \"recent\"\nr = \"4..\"\n\n[[segment]]\nname = \"rich\"\nr = 1\nmonetary = \"100..\"\n";
    fs::write(folder.path().join("mine.toml"), mine).unwrap();
    let checked = run("segments check mine.toml").expect(0).out().to_owned();
    for said in
        ["of 125 score cells, 50 in no segment", "of 125 score cells, 25 covered in part", "of 125 score cells, 10 in several segments"]
    {
        assert!(checked.contains(said), "{said}: {checked}");
    }
    fs::write(folder.path().join("a.csv"), crate::make::half_year_rows(0..50)).unwrap();
    let audited = run("audit a.csv --every half --segments mine.toml --report a.json").expect(0);
    assert!(audited.stderr.contains("50 in no segment"), "{}", audited.stderr);
    for (arguments, code, why) in [
        ("audit a.csv --every half --segments standard --bins 4", 2, "they go up to 4 here"),
        ("audit a.csv --every half --segments nowhere.toml", 1, "nowhere.toml"),
        ("audit a.csv --every half --rfm-out r.csv --columns customer_id,segment", 2, "no segments are asked for"),
        ("audit a.csv --every half --cuts spend=1,2", 2, "no measure that is scored"),
        ("audit a.csv --every half --cuts recency=90,30", 2, "cut points rise"),
        ("audit a.csv --every half --cuts-window x", 2, "--cuts-out"),
        ("audit a.csv --every half --cuts-out c.json --cuts-window x", 2, "the windows are"),
        ("segments move a.csv --every half", 2, "by which segments"),
        ("segments move a.csv --every half --segments standard", 2, "there is no state"),
        ("audit a.csv --every half --segments standard --bins 9", 2, "go up to 9 here"),
        ("audit a.csv --window 2023-H1 --cuts-out c.json --cuts-window x --check", 2, "the windows are 2023-H1"),
        ("segments check standard --every half", 2, "reads no customers"),
    ] {
        let ran = run(arguments);
        assert!(ran.code == Some(code) && ran.stderr.contains(why), "{arguments}: {:?} {}", ran.code, ran.stderr);
    }
    run("audit a.csv --every half --segments standard --cuts recency=30,90,180,365 --bins 3 --report a.md").expect(0);
    let report = fs::read_to_string(folder.path().join("a.md")).unwrap();
    assert!(report.contains("scored by given cut points: recency 30,90,180,365") && report.contains("Segments: customers"), "{report}");
}

#[test]
fn windows_scored_by_one_another() {
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("periods.csv");
    fs::write(&csv, &Golden::load("12_months").csv).unwrap();
    let run = |arguments: &str| Lensflow::new(folder.path(), &arguments.split(' ').collect::<Vec<_>>()).run();
    run("audit periods.csv --every month --cuts-out cuts.json").expect(0);
    let ran = run("audit periods.csv --every month --cuts cuts.json --cuts frequency=1,3 --report r.json --rfm-out r.csv").expect(0);
    assert!(ran.stderr.contains("r.json"));
    let report: Report = serde_json::from_str(&fs::read_to_string(folder.path().join("r.json")).unwrap()).unwrap();
    let cuts = report.cut_points.unwrap();
    assert!(cuts.from.unwrap().starts_with("frequency as said, others from window"), "it says where they come from");
    // Given cut points are written as they are given, and are not written over.
    run("audit periods.csv --every month --cuts recency=5,10,15,20 --cuts-out given.json").expect(0);
    let given = CutFile::from_json(&fs::read_to_string(folder.path().join("given.json")).unwrap()).unwrap();
    let recency = serde_json::to_value(&given.measures["recency"]).unwrap();
    assert_eq!(recency, serde_json::json!({"cut_points": ["5", "10", "15", "20"], "edges": ["5", "10", "15", "20"], "effective_bins": 5}));
    let over = run("audit periods.csv --every month --cuts cuts.json --report cuts.json").expect(2);
    assert!(over.stderr.contains("it would be overwritten"), "{}", over.stderr);
    let scores = csv_rows(&fs::read(folder.path().join("r.csv")).unwrap());
    for row in scores {
        let expected = match row["frequency"].parse::<u32>().unwrap() {
            1 => "1",
            2 | 3 => "2",
            _ => "3",
        };
        assert_eq!(row["f_score"], expected);
    }
}
