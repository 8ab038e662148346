//! Plans: layers count in their order, `check` finds each kind of fault and writes nothing, and `explain` tells what would be done, of the
//! specs in `pipelines/specs` as well.

use super::*;

const ROWS: &str = "[source]\ninputs = ['a.csv']\n";

#[test]
fn flags_count_over_the_environment_and_that_over_the_file() {
    let desk = Desk::new();
    desk.write(&format!("{ROWS}[limits]\nworkers = 3\nmemory_limit = '1GiB'\n[windows]\nlist = ['2023-Q1']"));
    let told = |variables: &[(&str, &str)], flags: &[&str]| {
        let run = Lensflow::new(desk.path(), &[&["explain", "spec.toml"], flags].concat());
        variables.iter().fold(run, |run, (name, value)| run.env(name, value)).run().expect(0).out().to_owned()
    };
    let says = |told: &str, wanted: &[&str]| wanted.iter().for_each(|wanted| assert!(told.contains(wanted), "{wanted}: {told}"));
    let file = told(&[], &[]);
    says(&file, &["workers       3", "1.00 GiB", "2023-Q1  2023-01-01 to 2023-04-01"]);
    assert!(!file.contains("elsewhere"), "{file}");
    let variables = [
        ("LENSFLOW_LIMITS_WORKERS", "2"),
        ("LENSFLOW_LIMITS_MEMORY_LIMIT", "2GiB"),
        ("LENSFLOW_WINDOWS_EVERY", "month"),
        ("LENSFLOW_RFM_BINS", ""),
    ];
    let environment = told(&variables, &[]);
    says(&environment, &["2.00 GiB", "2GiB from LENSFLOW_LIMITS_MEMORY_LIMIT", "2 from LENSFLOW_LIMITS_WORKERS", "each month"]);
    assert!(!environment.contains("2023-Q1") && !environment.contains("BINS"), "{environment}");
    let flags =
        ["--memory-limit", "512MiB", "--set", "limits.workers=1", "--set", "windows.list=[\"2023-Q2\", \"x=2023-07-01..2023-08-01\"]"];
    let all = told(&variables, &flags);
    says(&all, &["512.00 MiB", "512MiB from --memory-limit", "1 from --set limits.workers", "x        2023-07-01 to 2023-08-01"]);
    assert!(!all.contains("LENSFLOW_LIMITS"), "{all}");
    // A text that is also a number, a truth, or a list of one.
    says(
        &told(&[], &["--set", "rfm.out=2023.csv", "--set", "report.out=true.json", "--spill-dir", "."]),
        &["2023.csv", "true.json", "from --spill-dir"],
    );

    let refused = |variable: Option<(&str, &str)>, flags: &[&str], wanted: &str| {
        let run = Lensflow::new(desk.path(), &[&["check", "spec.toml"], flags].concat());
        let message = error(variable.into_iter().fold(run, |run, (name, value)| run.env(name, value)).run(), 2);
        assert!(message.contains(wanted), "{wanted}: {message}");
    };
    refused(Some(("LENSFLOW_LIMITS_WROKERS", "2")), &[], "lensflow: LENSFLOW_LIMITS_WROKERS: [limits] has no key \"wrokers\"");
    refused(Some(("LENSFLOW_LIMITS_WROKERS", "2")), &[], "help: did you mean LENSFLOW_LIMITS_WORKERS?");
    refused(Some(("LENSFLOW_SOURCE_SYNTHETIC_SEEDS", "2")), &[], "help: did you mean LENSFLOW_SOURCE_SYNTHETIC_SEED?");
    refused(
        Some(("LENSFLOW_LIMITS_WORKERS", "two")),
        &[],
        "lensflow: LENSFLOW_LIMITS_WORKERS: a whole number, such as 8, is expected, not \"two\"",
    );
    refused(None, &["--set", "serve.metrics=1"], "lensflow: --set serve.metrics: it does nothing unless");
    refused(None, &["--set", "limits.threads=2"], "help: did you mean limits.workers, the number of threads?");
    // Variables for other jobs, and for made-up rows, make no other job of a spec.
    let others =
        ["SERVE_METRICS=1", "STATE_PATH=state", "SOURCE_FOLLOW=inbox", "SOURCE_SYNTHETIC_SEED=1", "COMPARE_A=x", "RFM_SORTED=true"];
    let others = others.map(|other| other.split_once('=').unwrap()).map(|(key, value)| (format!("LENSFLOW_{key}"), value));
    let others: Vec<_> = others.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    assert_eq!(told(&others, &[]), file);
    refused(None, &["--set", "limits.wrokers=2"], "help: did you mean limits.workers?");
    refused(None, &["--set", "limit.workers=2"], "help: did you mean [limits]?");
    refused(None, &["--set", "limits.workers"], "it has no \"=\"");
    refused(None, &["--set", "workers=2"], "it names no section");
    refused(None, &["--set", "limits.workers=0"], "lensflow: --set limits.workers: 0 workers");
    refused(None, &["--workers", "2", "--set", "limits.workers=2"], "--set limits.workers and --workers say the same option");
    refused(None, &["--memory-limit", "much"], "lensflow: --memory-limit: \"much\" is not a size");
    refused(None, &["--memory-limit", "64MiB"], "--memory-limit: a memory limit of 64 MiB is too small: 3 workers need at least 72 MiB");
}

#[test]
fn check_finds_what_can_be_known_and_writes_nothing() {
    let desk = Desk::new();
    desk.run(&["update", "state", "a.csv", "-q", "--every", "quarter"]).expect(0);
    desk.run(&["update", "rejecting", "b.parquet", "-q", "--on-bad-row", "reject"]).expect(0);
    fs::create_dir(desk.path().join("inbox")).unwrap();
    fs::create_dir(desk.path().join("full")).unwrap();
    fs::write(desk.path().join("full/notes.txt"), "notes").unwrap();
    fs::write(desk.path().join("other.csv"), "x,y\n1,2\n").unwrap();
    fs::write(desk.path().join("broken.parquet"), "PAR1 and no more").unwrap();
    fs::write(desk.path().join("lines.csv"), "order_id,customer_id,event_ts,line_total\n1,a,2023-01-05,5\n").unwrap();
    desk.run(&["update", "orders", "lines.csv", "-q", "--from", "transactions"]).expect(0);
    let lines = |named: &str, more: &str| format!("[source]\ninputs = [{named}]\nfrom = 'transactions'\n{more}");
    let rows = |more: &str| format!("{ROWS}{more}");
    let input = |named: &str| format!("[source]\ninputs = [{named}]\n");
    let inbox = |more: &str| format!("[source]\nfollow = 'inbox'\n{more}");
    let into = |state: &str| rows(&format!("[state]\npath = '{state}'\n"));
    let faults: Vec<(String, i32, &str)> = vec![
        (input("'none.csv'"), 1, "none.csv: there is no such file or folder"),
        (input("'none/*.csv'"), 1, "the glob matches no file"),
        (input("'a.csv', './a.csv'"), 2, "are the same file"),
        (input("'a.csv', 'other.csv'"), 1, "other.csv: there is no column \"customer_id\""),
        (input("'broken.parquet'"), 1, "broken.parquet"),
        (input("'state', './state'"), 2, "is given twice"),
        (rows("[columns]\ncustomer_id = 'cust'"), 1, "there is no column \"cust\""),
        (input("'state'") + "[windows]\nevery = 'month'", 2, "state: the state is kept by quarter"),
        (input("'state'") + "[windows]\nlist = ['2023-01']", 2, "inside a quarter"),
        (input("'rejecting'") + "on_bad_row = 'fail'", 2, "rejecting: the state was made with on_bad_row = \"reject\" in [source]"),
        (input("'state', 'rejecting'"), 2, "rejecting: the state was made with on_bad_row = \"reject\" in [source]"),
        (rows("[limits]\nworkers = 4\nmemory_limit = '64MiB'"), 2, ":5: limits.memory_limit: a memory limit of 64 MiB is too small"),
        (rows("[limits]\nspill_dir = 'none'"), 1, "none: there is no such folder to spill into"),
        (rows("[report]\nout = 'report.pdf'"), 2, "end it in .html, .xlsx, .json, .md or .txt"),
        (rows("[rfm]\nout = 'rfm.xlsx'"), 2, "end it in .parquet, .csv, .jsonl or .arrow"),
        (rows("[rfm]\nout = 'none/rfm.csv'"), 1, "none/rfm.csv: cannot write: there is no folder none"),
        (rows("[rfm]\nout = 'a.csv/rfm.csv'"), 1, "cannot write: what should be its folder is a file"),
        (rows("[report]\nout = ['r.json', './r.json']"), 2, "r.json would be written twice"),
        (rows("[rfm]\nout = './a.csv'"), 2, "is an input: it would be overwritten"),
        (rows("[rfm]\nout = 'same.csv'\n[report]\npartial_out = 'same.csv'"), 2, "same.csv would be written twice"),
        (rows("[state]\ncheckpoint = 'full'"), 2, "full: the folder holds other files and no checkpoint"),
        (rows("[state]\ncheckpoint = 'a.csv/here'"), 1, "a.csv: a folder is wanted here, and it is a file"),
        (into("state") + "every = 'year'", 2, "state: the state is kept by quarter, not by year"),
        (into("rejecting") + "[source.synthetic]", 2, "source.synthetic: a state takes in files"),
        (into("full"), 2, "full: the folder holds other files and no state"),
        (into("state") + "[windows]\nevery = 'month'", 2, "the state is kept by quarter"),
        (into("new") + "[windows]\nlist = ['2023-01-01..2023-01-15']", 2, "new: window 2023-01-01..2023-01-15"),
        (into("new") + "[rfm]\nout = 'a.csv'", 2, "a.csv is an input"),
        ("[source]\ninputs = 'state'\n[state]\npath = 'new'".to_owned(), 2, "state: a state takes in files, and this is a state"),
        ("[state]\npath = 'new'\nmerge = ['state', 'none']".to_owned(), 1, "none: there is no state"),
        ("[state]\npath = 'new'\nmerge = ['state', 'rejecting']".to_owned(), 2, "the state is kept by month, and state by quarter"),
        ("[state]\npath = 'state'\nmerge = ['rejecting']".to_owned(), 2, "state: there is a state already"),
        ("[source]\nfollow = 'none'\n[state]\npath = 'new'".to_owned(), 1, "none: there is no such folder to follow"),
        (inbox("finished = 'move'\ndone = './inbox'\n[state]\npath = 'new'"), 2, "the inbox itself cannot be"),
        (inbox("quarantine = 'a.csv'\n[state]\npath = 'new'"), 1, "a.csv: a folder is wanted here"),
        (inbox("[state]\npath = 'state'\nevery = 'month'"), 2, "the state is kept by quarter, not by month"),
        (inbox("[state]\npath = 'state'\n[windows]\nevery = 'month'"), 2, "the state is kept by quarter"),
        (inbox("[state]\npath = 'new'\n[report]\nout = 'none/r.json'"), 1, "none/r.json: cannot write"),
        (lines("'a.csv'", ""), 1, "a.csv: there is no column \"order_id\""),
        (lines("'lines.csv'", "[columns]\nevent_ts = 'day'"), 1, "lines.csv: there is no column \"day\""),
        (lines("'a.csv'", "[state]\npath = 'state'"), 1, "a.csv: there is no column \"order_id\""),
        (lines("'orders'", ""), 2, "no file is named beside it whose rows could be orders"),
        (
            lines("'orders', 'lines.csv'", "[transactions]\ntimezone = 'Asia/Tokyo'"),
            2,
            "orders: the state was made of lines that were grouped",
        ),
        (lines("'lines.csv'", "[transactions]\nrefunds = 'net'\n[state]\npath = 'orders'"), 2, "orders: the state was made of lines"),
        (inbox("from = 'transactions'\n[transactions]\nanonymous = 'drop'\n[state]\npath = 'orders'"), 2, "orders: the state was made of"),
    ];
    for (spec, code, wanted) in faults {
        desk.write(&spec);
        let before = desk.all();
        let message = error(desk.check(&[]), code);
        assert!(message.contains(wanted), "{spec}\nshould say {wanted:?}: {message}");
        desk.run(&["explain", "spec.toml"]);
        assert!(desk.all() == before, "{spec}");
    }
    for (spec, wanted) in [
        (rows(""), "audit of 1 file by year"),
        (input("'-'"), "audit of stdin by year"),
        (input("'state', 'b.parquet'"), "audit of 1 state and 1 file by year"),
        (input("'state'") + "[windows]\nlist = ['2023-Q1', '2023-Q2']", "audit of 1 state in 2 windows"),
        ("[source]\nsynthetic = { customers = 5_000 }".to_owned(), "audit of 5,000 made-up customers by year"),
        (into("state"), "update of state from 1 file"),
        (into("new/") + "[rfm]\nbins = 4", "update of new/ from 1 file, then an audit by year"),
        (inbox("[state]\npath = 'new'"), "following inbox into new, audited by year"),
        (lines("'lines.csv', 'orders'", ""), "audit of 1 state and 1 file by year"),
        (lines("'lines.csv'", "[state]\npath = 'orders'"), "update of orders from 1 file"),
        (inbox("from = 'transactions'\n[state]\npath = 'orders'"), "following inbox into orders, audited by year"),
    ] {
        desk.write(&spec);
        let before = desk.all();
        assert_eq!(desk.check(&[]).expect(0).out(), format!("spec.toml: good: {wanted}\n"));
        assert!(desk.explain(&[]).starts_with(&format!("spec.toml: {wanted}\n\nsource")), "{spec}");
        assert!(desk.all() == before, "{spec}");
    }
}

#[test]
fn explain_tells_the_plan_of_each_example() {
    let desk = Desk::new();
    let pipelines = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines/specs");
    fs::create_dir(desk.path().join("incoming")).unwrap();
    for i in 0..13 {
        fs::write(desk.path().join(format!("incoming/{i:02}.csv")), desk.read("a.csv")).unwrap();
    }
    desk.run(&["update", "germany", "a.csv", "-q"]).expect(0);
    let facts: &[(&str, &[&str])] = &[
        ("audit", &["each quarter", "top 1 %, 10 %, 20 %", "audit.md", "rfm.parquet, by window and id", "end the run when all is read"]),
        (
            "nightly",
            &[
                "update of state/ from 13 files, then an audit by quarter",
                "incoming/09.csv",
                "and 3 more",
                "state/, a new state by month",
                "2.00 GiB",
                "rejects.csv",
            ],
        ),
        (
            "follow",
            &[
                "inbox/: files like *.csv, looked for every 2s",
                "files move to inbox/_done",
                "inbox/_quarantine",
                "every 30s or 1,000,000 rows",
                "every 1m",
                "http://127.0.0.1:9184/metrics",
            ],
        ),
        (
            "orders",
            &[
                "lines of orders",
                "refunds       lessen what",
                "anonymous     are left out, their",
                "duplicates    are left out and counted, but",
                "that of UTC",
            ],
        ),
        ("tight-memory", &["100.00 MiB", "32.00 MiB", "spills to spill/", "workers       2", "histograms", "merging", "row groups"]),
        ("merge", &["germany/  ", "kept by month", "france/: there is no state", "europe/", "2023-H2  2023-07-01 to 2024-01-01"]),
        (
            "stress",
            &["1,000,000 made-up customers in 4 windows", "uuid", "uniform", "seed 7", "spring   2023-01-01 to 2023-05-01", "1 to 9"],
        ),
    ];
    assert_eq!(facts.len(), fs::read_dir(&pipelines).unwrap().count(), "each example is here");
    let stages = ["\nsource ", "\nroute ", "\naccumulate ", "\nfinalize ", "\nlens ", "\nreduce ", "\nreport "];
    for (name, facts) in facts {
        let path = pipelines.join(format!("{name}.toml"));
        let ran = desk.run(&["explain", &path.to_string_lossy()]).expect(0);
        facts.iter().for_each(|fact| assert!(ran.out().contains(fact), "{name} should say {fact:?}: {}", ran.out()));
        let at: Vec<_> = stages.iter().map(|stage| ran.out().find(stage).unwrap()).collect();
        assert!(at.is_sorted(), "{}", ran.out());
        assert!(ran.out().lines().all(|line| line.trim_end() == line), "{}", ran.out());
    }
}

#[test]
fn a_checkpointed_spec_says_what_it_says_without() {
    let desk = Desk::new();
    desk.write(&format!("{ROWS}[report]\nout = 'r.json'"));
    desk.run(&["run", "spec.toml"]).expect(0);
    let expected = desk.read("r.json");
    let flags = ["--set", "state.checkpoint=kept", "--set", "state.checkpoint_every=1ms", "--set", "report.out=kept.json"];
    assert!(desk.explain(&flags).contains("kept every 1ms"));
    desk.run(&[&["run", "spec.toml"], &flags[..]].concat()).expect(0);
    assert!(desk.read("kept.json") == expected && !desk.path().join("kept").exists());
}

#[test]
fn defaults_of_following_and_of_checkpoints_are_told() {
    let desk = Desk::new();
    fs::create_dir(desk.path().join("inbox")).unwrap();
    desk.write("[source]\nfollow = 'inbox'\n[state]\npath = 'new'\n[report]\nout = 'r.json'");
    let told = desk.explain(&[]);
    for wanted in ["every 2s", "files stay", "inbox/_quarantine", "every 10s or 1,000,000 rows", "at each commit", "metrics       none"] {
        assert!(told.contains(wanted), "{wanted}: {told}");
    }
    desk.write("[source]\nfollow = '-'\n[state]\npath = 'new/'\n[serve]\nmetrics = 9184");
    let told = desk.explain(&["--set", "source.quarantine=elsewhere", "--set", "state.commit=90s"]);
    assert!(
        told.contains("http://127.0.0.1:9184/metrics") && told.contains("elsewhere, for what") && told.contains("every 1m 30s or"),
        "{told}"
    );
    let told = desk.explain(&[]);
    assert!(told.contains("new.quarantine") && told.contains("kept in new.spool"), "{told}");
    desk.write(&format!("{ROWS}[state]\ncheckpoint = 'kept'\n[report]\npartial_out = 'part.bin'"));
    let told = desk.explain(&["--set", "state.checkpoint_every=1h 30m"]);
    assert!(told.contains("kept every 1h 30m") && told.contains("partial       part.bin"), "{told}");
}
