//! Cohorts on the command line: rows as tables, states by month that are audited by quarter, merged states, and what is refused. That the
//! numbers are right is held by golden cases, by the model, and by the laws of merging.

use crate::support::*;
use lensflow::Spec;
use lensflow::error::Kind;
use lensflow::jobs::{AuditJob, Outputs};
use lensflow::report::Report;
use std::fs;
use std::path::Path;

fn run(folder: &Path, arguments: &str) -> Ran {
    Lensflow::new(folder, &arguments.split(' ').collect::<Vec<_>>()).run()
}

fn report(path: &Path) -> Report {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Rows of cohorts as CSV, of the answers.
fn rows_of(report: &Report) -> String {
    let mut rows = "cohort,window,age,active,orders,revenue\n".to_owned();
    for cohort in report.cohorts.iter().flatten() {
        // Those who came earlier have no ages: what they do is in Lens 5.
        for window in report.health.iter().flatten().filter(|_| cohort.name == "earlier") {
            let part = window.by_cohort.iter().find(|part| part.cohort == cohort.name);
            let (active, orders, revenue) =
                part.map_or((0, 0, "0.00".to_owned()), |part| (part.active, part.orders, part.revenue.to_string()));
            rows += &format!("earlier,{},,{active},{orders},{revenue}\n", window.window);
        }
        for age in &cohort.ages {
            rows += &format!("{},{},{},{},{},{}\n", cohort.name, age.window, age.age, age.active, age.orders, age.revenue);
        }
    }
    rows
}

#[test]
fn rows_of_cohorts_are_those_of_the_answers() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for name in ["13_history", "11_quarters", "02_empty"] {
        let case = Golden::load(name);
        fs::write(at.join("periods.csv"), &case.csv).unwrap();
        let windows: String = case.windows.iter().map(|window| format!(" --window {window}")).collect();
        for file in ["c.csv", "c.parquet", "c.jsonl", "c.arrow"] {
            run(at, &format!("audit periods.csv --cohorts-out {file} --report r.json{windows}")).expect(0);
        }
        let report = report(&at.join("r.json"));
        let rows = rows_of(&report);
        assert_eq!(fs::read_to_string(at.join("c.csv")).unwrap(), rows, "{name}");
        let count = rows.lines().count() - 1;
        assert_eq!((name == "02_empty", name == "13_history"), (count == 0, rows.contains("\nearlier,")), "{rows}");
        assert_eq!(fs::read_to_string(at.join("c.jsonl")).unwrap().lines().count(), count);
        let parquet = read_parquet(&at.join("c.parquet"));
        assert_eq!((parquet.num_rows(), parquet.num_columns()), (count, 6));
    }
}

#[test]
fn states_and_merged_states_have_the_cohorts_of_their_rows() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    run(at, "generate --customers 2K --from 2023-01 --to 2024-03 --seed 4 -o all.csv").expect(0);
    let rows = fs::read_to_string(at.join("all.csv")).unwrap();
    let (header, rows) = rows.split_once('\n').unwrap();
    // Rows of one customer are in both halves.
    for (name, keep) in [("even", 0), ("odd", 1)] {
        let half: Vec<&str> = rows.lines().enumerate().filter(|(number, _)| number % 2 == keep).map(|(_, row)| row).collect();
        fs::write(at.join(format!("{name}.csv")), format!("{header}\n{}\n", half.join("\n"))).unwrap();
        run(at, &format!("update {name} {name}.csv -q")).expect(0);
    }
    run(at, "update whole even.csv odd.csv -q").expect(0);
    run(at, "merge merged even odd").expect(0);
    for windows in ["--every month", "--every quarter", "--every year", "--window 2023-Q2 --window 2023-Q4 --window 2024-01"] {
        let cohorts = |inputs: &str| {
            let said = run(at, &format!("audit {inputs} {windows} --cohorts --report -")).expect(0);
            let report: Report = serde_json::from_slice(&said.stdout).unwrap();
            (report.cohorts, report.cohort_comparisons, report.health)
        };
        let expected = cohorts("all.csv");
        assert!(expected.0.iter().flatten().any(|cohort| cohort.ages.len() > 1) || windows.contains("year"), "{windows}");
        assert_eq!(expected.0.as_ref().unwrap()[0].name == "earlier", windows.contains("--window"));
        for inputs in ["whole", "merged", "even odd", "even odd.csv", "all.csv --memory-limit 60MiB --workers 1"] {
            assert!(cohorts(inputs) == expected, "{inputs} by {windows}");
        }
    }
}

#[test]
fn tables_and_workbooks_have_cohorts_where_they_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::write(at.join("periods.csv"), Golden::load("11_quarters").csv).unwrap();
    run(at, "audit periods.csv --every quarter --cohorts --report r.md --report r.xlsx --report r.txt --report r.html").expect(0);
    let text = |name: &str| fs::read_to_string(at.join(name)).unwrap();
    for part in
        ["Lens 3: active customers", "2023-Q1 or earlier", "Lens 3: revenue through each age", "Lens 4: each cohort", "Lens 5: how much"]
    {
        assert!(text("r.md").contains(part) && text("r.txt").contains(part), "{part}");
    }
    assert!(text("r.html").contains("figure-cohort_triangle") && text("r.html").contains("figure-cohort_layers"));
    let with = fs::read(at.join("r.xlsx")).unwrap().len();
    run(at, "audit periods.csv --every quarter --report r.md --report r.xlsx --report r.json --report r.html").expect(0);
    assert!(!text("r.md").contains("ohort") && !text("r.json").contains("ohort") && !text("r.html").contains("ohort"));
    assert!(fs::read(at.join("r.xlsx")).unwrap().len() < with);
}

#[test]
fn what_cannot_be_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let rows = "customer_id,period_start,period_end,total_orders,total_spend\na,2021-01-01,2021-01-02,1,5\na,2023-01-01,2023-01-02,1,5\n";
    fs::write(at.join("days.csv"), rows).unwrap();
    let refused = run(at, "audit days.csv --every day --cohorts").expect(2).stderr;
    assert!(refused.contains("731 windows are too many for cohorts") && refused.contains("leave --cohorts out"), "{refused}");
    run(at, "audit days.csv --every month --cohorts").expect(0);
    let mut outputs = Outputs::default();
    outputs.cohorts = Some(at.join("c.csv"));
    let job = AuditJob::new([at.join("days.csv").to_string_lossy()]).outputs(outputs);
    assert_eq!(job.clone().run(&mut ()).unwrap_err().kind(), Kind::Usage);
    let audited = job.spec(Spec::default().with_cohorts(true)).run(&mut ()).unwrap();
    assert_eq!(fs::read_to_string(at.join("c.csv")).unwrap(), rows_of(&audited.report));
}
