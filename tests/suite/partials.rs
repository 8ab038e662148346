//! Lens 1 partials: what they answer is what the audit reports, and partials of customers split in any way are, merged in any order, the
//! partial of all of them.

use crate::engine::run::{PLAIN, Run, run_with, runs};
use crate::make::{Case, Dice, cases, half_year_rows};
use crate::model::lens1::rf_distribution;
use crate::support::{Golden, Lensflow, Ran, config, listing};
use lensflow::Pipeline;
use lensflow::error::Kind;
use lensflow::lens::{Lens1Metrics, PortableLens, ScoreCell};
use lensflow::merge::Merge;
use lensflow::model::Windows;
use lensflow::partials::{Counted, Lens1Partial, Partials, is_partial};
use lensflow::report::Report;
use lensflow::source::files::Files;
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

fn partial_of(case: &Case, how: &Run) -> (Report, Lens1Partial) {
    let audit = run_with(case, how, Pipeline::builder().lens(Partials)).unwrap_or_else(|e| panic!("{how:?}: {e}"));
    let sums = audit.cohort_sums().cloned();
    let partial = Lens1Partial::new(&audit.report, audit.custom.1).with_cohorts(sums);
    (audit.report, partial)
}

/// Every number of the report, and its scores without the third digit.
#[track_caller]
fn answers_equal(partial: &Lens1Partial, report: &Report, percentiles: &[u32], bins: u32) {
    assert_eq!(partial.windows().len(), report.windows.len());
    assert_eq!((partial.rows().read, partial.rows().accepted), (report.input.rows_read, report.input.rows_accepted));
    assert_eq!(partial.rows().rejected, report.input.rows_rejected);
    if let Some(cohorts) = partial.cohorts() {
        let Report { cohorts: lens3, cohort_comparisons: lens4, health: lens5, .. } = report.clone();
        assert_eq!((Some(cohorts.cohorts), Some(cohorts.comparisons), Some(cohorts.health)), (lens3, lens4, lens5));
    }
    for (window, said) in partial.windows().iter().zip(&report.windows) {
        let answer = window.answer(percentiles, bins).unwrap();
        let mut without_grid: Lens1Metrics = said.lens1.clone();
        without_grid.rfm_distribution.clear();
        assert_eq!(answer.lens1, without_grid);
        assert_eq!((window.customers(), &answer.customers_rejected), (said.lens1.total_customers, &said.customers_rejected));
        assert_eq!(answer.rf_distribution, rf_distribution(&said.lens1.rfm_distribution));
        let mut without_cells = said.more.clone();
        without_cells.rfm_cells.clear();
        assert_eq!(answer.more, without_cells);
        let mut cells: BTreeMap<String, ScoreCell> = BTreeMap::new();
        said.more.rfm_cells.iter().for_each(|(score, cell)| cells.entry(score[..2].to_owned()).or_default().merge(*cell));
        assert!(answer.rf_cells.is_none_or(|said| said == cells));
    }
}

proptest! {
    #![proptest_config(config(100))]

    #[test]
    fn partials_of_different_customers_add_up(
        case in cases(),
        how in runs(),
        parts in prop::collection::vec(runs(), 1..5),
        groups in prop::collection::vec(0..5usize, 1..10),
        seed in any::<u64>(),
    ) {
        // Calendar windows depend on the rows, and each part has rows of its own.
        let (report, _) = partial_of(&case, &PLAIN);
        let list = report.windows.iter().map(|w| format!("{}={}..{}@{}", w.name, time(w.start), time(w.end), time(w.observation_end)));
        prop_assume!(!report.windows.is_empty());
        let case = Case { windows: Windows::List(list.map(|text| text.parse().unwrap()).collect()), ..case };
        let (report, whole) = partial_of(&case, &how);
        answers_equal(&whole, &report, &case.percentiles, case.bins);
        let bytes = whole.to_bytes().unwrap();

        let said = case.said();
        let group = |row: usize| said[row].id.as_ref().map_or(row, |id| groups[id.bytes().map(usize::from).sum::<usize>() % groups.len()]);
        let of = |(at, how): (usize, &Run)| {
            let rows = (0..case.rows.len()).filter(|&row| group(row) % parts.len() == at).map(|row| case.rows[row].clone()).collect();
            partial_of(&Case { rows, ..case.clone() }, how).1
        };
        let mut split: Vec<Lens1Partial> = parts.iter().enumerate().map(of).collect();
        Dice(seed).shuffle(&mut split);
        // All at once, or some first and the others afterwards.
        let rest = split.split_off(seed as usize % split.len());
        let merge = |parts| Lens1Partial::merge(parts, false).unwrap().partial;
        let mut all = if split.is_empty() { Vec::new() } else { vec![merge(split)] };
        all.extend(rest);
        let merged = merge(all);
        prop_assert!(merged.to_bytes().unwrap() == bytes);
        prop_assert_eq!(merged.counted(), Counted::Once);
        let back = Lens1Partial::from_bytes(&bytes).unwrap();
        answers_equal(&back, &report, &case.percentiles, case.bins);
        prop_assert!(back.to_bytes().unwrap() == bytes);

        // With itself it shares everybody.
        let customers: u64 = back.windows().iter().map(|w| w.customers()).sum();
        let twice = Lens1Partial::merge(vec![back, whole], true);
        prop_assert_eq!(twice.map_err(|e| e.kind()).err(), (customers > 0).then_some(Kind::Data));
    }
}

fn time(at: i64) -> String {
    lensflow::time::format_timestamp(at)
}

#[test]
fn partials_answer_as_the_golden_cases_do() {
    let folder = tempfile::tempdir().unwrap();
    for case in Golden::all() {
        let spec = case.spec();
        let path = folder.path().join("periods.csv");
        fs::write(&path, &case.csv).unwrap();
        let files = Files::find(&[path.to_string_lossy()], None, &spec).unwrap();
        let mut pipeline = Pipeline::builder().spec(spec).lens(Some(Partials)).lens(None::<Partials>).build().unwrap();
        pipeline.run(files).unwrap();
        let audit = pipeline.finish().unwrap();
        let sums = audit.cohort_sums().cloned();
        assert!(sums.is_some());
        let (((), tallies), none) = audit.custom;
        assert!(none.is_none());
        let partial = Lens1Partial::new(&audit.report, tallies.unwrap()).with_cohorts(sums);
        answers_equal(&partial, &audit.report, &case.percentiles, case.bins);

        // As Arrow batches, too.
        let mut batches = Vec::new();
        Partials.encode(&partial.into_tallies(), &mut batches).unwrap();
        let back = Partials.decode(&mut batches.into_iter()).unwrap();
        answers_equal(&Lens1Partial::new(&audit.report, back), &audit.report, &case.percentiles, case.bins);

        // And the command writes the same bytes, whatever else it writes.
        let command = |more: &[&str]| {
            let mut arguments = ["audit", "periods.csv", "--partial-out", "p.partial"].map(str::to_owned).to_vec();
            arguments.extend(case.arguments().into_iter().chain(more.iter().map(|&m| m.to_owned())));
            Lensflow::new(folder.path(), &arguments).run().expect(0);
            fs::read(folder.path().join("p.partial")).unwrap()
        };
        let bytes = command(&["--workers", "1"]);
        assert!(command(&["--rfm-out", "rfm.csv", "--report", "r.json"]) == bytes, "{}", case.name);
        let read = Lens1Partial::read(&folder.path().join("p.partial")).unwrap();
        assert!(read.cohorts().is_some());
        answers_equal(&read, &audit.report, &case.percentiles, case.bins);
    }
}

/// Files that older versions wrote stay readable; versions 2, without cohorts, and 3, with them, are still written as they were.
#[test]
fn golden_bytes() {
    let path = |version: u32| {
        let name = format!("tests/data/partials/11_quarters.v{version}.partial");
        Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
    };
    let case = Golden::load("11_quarters");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("periods.csv"), &case.csv).unwrap();
    let mut arguments = ["audit", "periods.csv", "--partial-out", "3.partial", "--report", "r.json"].map(str::to_owned).to_vec();
    arguments.extend(case.arguments());
    Lensflow::new(folder.path(), &arguments).run().expect(0);
    let report: Report = serde_json::from_slice(&fs::read(folder.path().join("r.json")).unwrap()).unwrap();
    arguments.retain(|argument| argument != "--cohorts");
    arguments[3] = "2.partial".to_owned();
    Lensflow::new(folder.path(), &arguments).run().expect(0);
    for version in [1, 2, 3] {
        let golden = Lens1Partial::read(&path(version)).unwrap();
        answers_equal(&golden, &report, &case.percentiles, case.bins);
        assert_eq!(golden.windows()[0].answer(&[10], 5).unwrap().rf_cells.is_some(), version > 1);
        assert_eq!(golden.cohorts().is_some(), version == 3);
    }
    for version in [2, 3] {
        let bytes = fs::read(folder.path().join(format!("{version}.partial"))).unwrap();
        assert!(bytes == fs::read(path(version)).unwrap(), "version {version} has other bytes");
    }
}

fn run(folder: &Path, arguments: &str) -> Ran {
    Lensflow::new(folder, &arguments.split(' ').collect::<Vec<_>>()).run()
}

/// Writes rows, and audits them into a partial and a report.
fn write_rows(folder: &Path, name: &str, ids: std::ops::Range<u32>) {
    fs::write(folder.join(format!("{name}.csv")), half_year_rows(ids)).unwrap();
    run(folder, &format!("audit {name}.csv --every half --partial-out {name}.partial --report {name}.json")).expect(0);
}

fn inspect_lines(at: &Path, name: &str, wanted: &str) {
    let ran = run(at, &format!("inspect {name}")).expect(0);
    assert!(ran.out().lines().any(|line| line == wanted), "{}", ran.out());
}

#[test]
fn countries_are_put_together_on_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let (at, read) = (folder.path(), |name: &str| fs::read(folder.path().join(name)).unwrap());
    for (name, ids) in [("all", 0..3_000), ("north", 0..1_000), ("south", 1_000..2_500), ("east", 2_500..3_000), ("near", 900..1_200)] {
        write_rows(at, name, ids);
    }
    let said = run(at, "merge merged.partial north.partial south.partial east.partial").expect(0);
    assert_eq!(said.stderr, "merged.partial: 3 partials merged, 2 windows; they share no customer of a window\n");
    assert!(is_partial(&at.join("merged.partial")) && !is_partial(&at.join("all.csv")) && !is_partial(at));
    assert!(read("merged.partial") == read("all.partial"));

    run(at, "audit all.csv --every half --partial-out paused.partial --report all.json --checkpoint pause").expect(0);
    assert!(read("paused.partial") == read("all.partial"));

    let spec = "[source]\ninputs = ['all.csv']\n[windows]\nevery = 'half'\n[report]\npartial_out = 'spec.partial'\n";
    fs::write(at.join("job.toml"), spec).unwrap();
    run(at, "run job.toml").expect(0);
    assert!(read("spec.partial") == read("all.partial"));
    let named = run(at, "check job.toml --set report.partial_out=spec.zst").expect(2).stderr;
    assert!(named.contains("is not compressed"), "{named}");

    // Compared, they say what each audit says, and what that of all would.
    let compared = run(at, "compare north.partial south.partial --json --percentiles 1,50").expect(0);
    let compared: Value = serde_json::from_slice(&compared.stdout).unwrap();
    run(at, "audit north.csv south.csv --every half --report both.json --percentiles 1,50").expect(0);
    let both: Value = serde_json::from_slice(&read("both.json")).unwrap();
    let window = &compared["windows"][1];
    let (together, expected) = (&window["together"], &both["windows"][1]["lens1"]);
    assert_eq!((&window["in_common"], &together["counted"]), (&"disjoint".into(), &"once".into()));
    for field in ["total_customers", "total_revenue", "median_customer_value", "revenue_concentration", "one_time_buyer_pct"] {
        assert_eq!(together["lens1"][field], expected[field], "{field}");
    }
    assert_eq!(window["overlap"]["retained"]["high"], 0);
    let text = run(at, "compare north.partial south.partial").expect(0);
    let parts = ["together", "): disjoint", "retained: in both", "RFM grid", "0 exactly"];
    parts.iter().for_each(|part| assert!(text.out().contains(part), "{part}: {}", text.out()));

    // Customers of both, and files that do not go together.
    let text = run(at, "compare north.partial near.partial --disjoint").expect(0);
    assert!(text.out().contains("not disjoint, so not put together: 100 exactly customers in both"), "{}", text.out());
    run(at, "update state all.csv -q").expect(0);
    run(at, "sketch all.csv --window 2023-H1 -o all.theta").expect(0);
    run(at, "audit east.csv --every year --partial-out year.partial --report east.json").expect(0);
    fs::write(at.join("cut.partial"), &read("all.partial")[..5_000]).unwrap();
    for (arguments, code, wanted) in [
        ("merge m.partial north.partial near.partial", 1, "north.partial and near.partial share customers: 100 of 2023-H1"),
        ("merge m.partial north.partial near.partial --disjoint", 1, "share customers"),
        ("merge m.partial north.partial year.partial", 1, "different windows: only in the first: 2023-H1 ["),
        ("merge m.partial north.partial ./north.partial", 2, "./north.partial is given twice"),
        ("merge north.partial north.partial south.partial", 2, "is an input"),
        ("merge m.partial.gz north.partial south.partial", 2, "is not compressed"),
        ("merge m.partial north.partial state", 2, "merge partials with partials"),
        ("merge m.partial north.partial all.theta", 2, "not a Lens 1 partial"),
        ("merge m.partial north.partial south.partial --allow-duplicate", 2, "--allow-duplicate is for states"),
        ("merge m.partial all.theta state", 1, "neither a state nor"),
        ("merge new-state state --disjoint", 2, "--disjoint is for partials"),
        ("merge m.partial cut.partial north.partial", 1, "cut.partial: the partial is damaged"),
        ("compare north.partial year.partial", 1, "no window in common"),
        ("compare north.partial all.theta", 2, "a partial goes with partials"),
        ("compare state@2023-H1 north.partial", 2, "a partial goes with partials"),
        ("compare state@2023-H1 all.theta --disjoint", 2, "--disjoint is for two partials"),
        ("compare north.partial south.partial --percentiles 0", 2, "percentile 0"),
        ("audit all.csv --every half --partial-out all.csv", 2, "is an input"),
        ("audit all.csv --every half --partial-out p.zst", 2, "not compressed"),
        ("audit all.csv --every half --partial-out p --report p", 2, "written twice"),
        ("inspect cut.partial", 1, "copy it again"),
        ("inspect all.csv", 1, "neither a Lens 1 partial"),
        ("inspect none.partial", 1, "there is no such file or folder"),
    ] {
        let ran = run(at, arguments).expect(code);
        assert!(ran.stderr.contains(wanted) && ran.stdout.is_empty(), "{arguments}: {}", ran.stderr);
    }
    assert!(!listing(at).iter().any(|name| name.starts_with("m.") || name.contains(".part") && !name.ends_with(".partial")));

    // Cohorts of other customers add up; no customer may be in two parts, in whichever windows they are.
    let of_cohorts = |name: &str| {
        run(at, &format!("audit {name} --every half --cohorts --partial-out {name}.c.partial --report {name}.json")).expect(0);
        serde_json::from_slice::<Report>(&read(&format!("{name}.json"))).unwrap()
    };
    let report = of_cohorts("all.csv");
    ["north.csv", "south.csv", "east.csv"].iter().for_each(|name| drop(of_cohorts(name)));
    run(at, "merge c.partial north.csv.c.partial south.csv.c.partial east.csv.c.partial").expect(0);
    assert!(read("c.partial") == read("all.csv.c.partial"));
    answers_equal(&Lens1Partial::read(&at.join("c.partial")).unwrap(), &report, &[10, 20], 5);
    inspect_lines(at, "c.partial", "1 cohort with customers");
    let mixed = run(at, "merge m.partial north.csv.c.partial south.partial").expect(1).stderr;
    assert!(mixed.contains("north.csv.c.partial has cohorts, and south.partial has none"), "{mixed}");
    let compared = run(at, "compare north.csv.c.partial south.csv.c.partial --json").expect(0);
    let compared: Value = serde_json::from_slice(&compared.stdout).unwrap();
    run(at, "audit north.csv south.csv --every half --cohorts --report both.json --json-numbers text").expect(0);
    let both: Value = serde_json::from_slice(&read("both.json")).unwrap();
    let text = |value: &Value| serde_json::from_value::<lensflow::lens::Cohorts>(value.clone()).unwrap();
    let together = text(&compared["cohorts"]["together"]);
    let [lens3, lens4, lens5] = ["cohorts", "cohort_comparisons", "health"].map(|key| both[key].clone());
    assert_eq!(together, text(&serde_json::json!({"cohorts": lens3, "cohort_comparisons": lens4, "health": lens5})));
    for (name, half) in [("first", "2023-01"), ("second", "2023-07")] {
        let rows = half_year_rows(0..50);
        let rows: Vec<&str> = rows.lines().enumerate().filter(|(at, row)| *at == 0 || row.contains(half)).map(|(_, row)| row).collect();
        fs::write(at.join(format!("{name}.csv")), rows.join("\n")).unwrap();
        let windows = "--window 2023-H1 --window 2023-H2";
        run(at, &format!("audit {name}.csv {windows} --cohorts --partial-out {name}.partial --report {name}.json")).expect(0);
    }
    let twice = run(at, "merge m.partial first.partial second.partial").expect(1).stderr;
    assert!(twice.contains("first.partial and second.partial share customers: ") && twice.contains("all windows together"), "{twice}");

    let inspect = |name: &str, parts: &[&str]| {
        let ran = run(at, &format!("inspect {name}")).expect(0);
        parts.iter().for_each(|part| assert!(ran.out().contains(part), "{name} lacks {part}: {}", ran.out()));
    };
    inspect(
        "all.partial",
        &["Lens 1 of 2 windows; each customer of a window counts once", "3,000 customers; the sketch holds all of them"],
    );
    inspect("all.theta", &["a Theta sketch, ", "customers: 3,000 exactly"]);
    inspect(
        "state/run-00000001.lfst",
        &["3,000 customers, ", "every checksum is right", "of 1,024 partitions", "450 for each audit to judge"],
    );
    let mut run_file = read("state/run-00000001.lfst");
    run_file[100] ^= 1;
    fs::write(at.join("bad.lfst"), run_file).unwrap();
    assert!(run(at, "inspect bad.lfst").expect(1).stderr.contains("bad.lfst: the run file is damaged"));
}

/// Beyond what sketches hold, nobody can know; somebody may say so.
#[test]
fn large_bases_are_disjoint_only_if_somebody_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write_rows(at, "small", 0..65_536);
    write_rows(at, "large", 65_536..140_000);
    write_rows(at, "more", 140_000..140_010);
    write_rows(at, "across", 60_000..140_000);
    let refused = run(at, "merge m.partial small.partial large.partial").expect(2).stderr;
    assert!(refused.contains("are not known to be disjoint: up to ") && refused.contains("say --disjoint"), "{refused}");
    let said = run(at, "merge m.partial small.partial large.partial --disjoint").expect(0).stderr;
    assert!(said.contains("2 partials merged, 2 windows; that they share no customer was said, not found: up to "), "{said}");
    run(at, "merge known.partial small.partial more.partial").expect(0);
    let overlap = run(at, "merge x.partial small.partial across.partial --disjoint").expect(1).stderr;
    assert!(overlap.contains("share customers: about "), "{overlap}");

    // Whoever reads it later is told.
    assert!(
        run(at, "inspect m.partial").expect(0).out().contains("that no customer is in two of its parts was said at the merge, not found")
    );
    let compared = run(at, "compare m.partial more.partial").expect(0);
    assert!(compared.out().contains("not known to be disjoint, so not put together: up to "), "{}", compared.out());
    assert!(compared.out().contains("m.partial: that no customer is in two of its parts was said"), "{}", compared.out());
    let compared = run(at, "compare m.partial more.partial --disjoint").expect(0);
    assert!(compared.out().contains("disjoint, as you say; up to "), "{}", compared.out());
    // Each said so, or each was known: the numbers are those of all.
    run(at, "audit small.csv large.csv --every half --report both.json --partial-out both.partial").expect(0);
    let report: Report = serde_json::from_slice(&fs::read(at.join("both.json")).unwrap()).unwrap();
    let merged = Lens1Partial::read(&at.join("m.partial")).unwrap();
    answers_equal(&merged, &report, &[10, 20], 5);
    assert_eq!(merged.counted(), Counted::Assumed);
}
