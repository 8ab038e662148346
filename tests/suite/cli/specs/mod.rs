//! Specs: a file does what flags do, to the byte; what it says wrongly is named with its place and the nearest right thing. What is
//! checked and told without running it is in `plans`.

mod plans;

use super::*;

/// A folder with rows, a state and a spec.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Desk {
        let desk = Desk(tempfile::tempdir().unwrap());
        for (seed, file) in [("1", "a.csv"), ("2", "b.parquet")] {
            desk.run(&["generate", "--customers", "2K", "--seed", seed, "-o", file]).expect(0);
        }
        desk
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, spec: &str) -> &Desk {
        fs::write(self.path().join("spec.toml"), spec).unwrap();
        self
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        lensflow(self.path(), arguments)
    }

    fn check(&self, more: &[&str]) -> Ran {
        self.run(&[&["check", "spec.toml"], more].concat())
    }

    fn explain(&self, more: &[&str]) -> String {
        self.run(&[&["explain", "spec.toml"], more].concat()).expect(0).out().to_owned()
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path().join(name)).unwrap()
    }

    /// All files below the folder, with their bytes.
    fn all(&self) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let bytes = if path.is_dir() { Vec::new() } else { fs::read(&path).unwrap() };
                found.insert(path.to_string_lossy().into_owned(), bytes);
                if path.is_dir() {
                    folders.push(path);
                }
            }
        }
        found
    }
}

#[test]
fn a_spec_gives_the_bytes_of_the_flags() {
    let desk = Desk::new();
    let outputs = ["r.json", "r.md", "rfm.csv", "moves.csv", "rejects.csv"];
    let flags = [
        "audit",
        "a.csv",
        "b.parquet",
        "--window",
        "h1=2023-01-01..2023-07-01",
        "--window",
        "2023-Q3",
        "--report",
        "r.json",
        "--report",
        "r.md",
        "--rfm-out",
        "rfm.csv",
        "--migration-out",
        "moves.csv",
        "--sorted",
        "--rejects",
        "rejects.csv",
        "--on-bad-row",
        "reject",
        "--percentiles",
        "5,50",
        "--bins",
        "3",
        "--workers",
        "2",
        "--memory-limit",
        "100MiB",
        "--spill-dir",
        ".",
    ];
    desk.run(&flags).expect(0);
    let expected = outputs.map(|name| desk.read(name));
    outputs.iter().for_each(|name| fs::remove_file(desk.path().join(name)).unwrap());
    desk.write(
        r#"
        [source]
        inputs = ["a.csv", "b.*"]
        on_bad_row = "reject"
        [windows]
        list = ["h1=2023-01-01..2023-07-01", "2023-Q3"]
        [limits]
        workers = 2
        memory_limit = "100MiB"
        spill_dir = "."
        batch_rows = 100
        [report]
        out = ["r.json", "r.md"]
        migration_out = "moves.csv"
        rejects = "rejects.csv"
        percentiles = [5, 50]
        [rfm]
        out = "rfm.csv"
        sorted = true
        bins = 3
        "#,
    );
    let ran = desk.run(&["run", "spec.toml"]).expect(0);
    assert!(ran.stdout.is_empty() && !ran.stderr.contains("WARN"), "{ran:?}");
    assert!(outputs.map(|name| desk.read(name)) == expected);

    // Without outputs the answers are for people, as with flags; columns have other names.
    let renamed = String::from_utf8(desk.read("a.csv")).unwrap().replace("customer_id", "cust").replacen("total_spend", "spent", 1);
    fs::write(desk.path().join("renamed.txt"), renamed).unwrap();
    let flags = ["--column", "customer_id=cust", "--column", "total_spend=spent", "--format", "csv", "--every", "quarter"];
    let expected = desk.run(&[&["audit", "renamed.txt"], &flags[..]].concat()).expect(0);
    desk.write("[source]\ninputs = 'renamed.txt'\nformat = 'csv'\n[columns]\ncustomer_id = 'cust'\ntotal_spend = 'spent'\n[windows]\nevery = 'quarter'");
    assert_eq!(desk.run(&["run", "spec.toml"]).expect(0).out(), expected.out());

    // Stdin is an input like any other.
    desk.write("[source]\ninputs = ['-', 'b.parquet']\n[report]\nout = '-'");
    let piped = |arguments: &[&str]| Lensflow::new(desk.path(), arguments).stdin(desk.read("a.csv")).run().expect(0).stdout;
    assert!(piped(&["run", "spec.toml"]) == piped(&["audit", "-", "b.parquet", "--every", "year", "--report", "-"]));
}

/// A shop's export as shops write it, whatever layer says how it is read: the answers are those of the flags, to the byte.
#[test]
fn a_spec_of_orders_gives_the_bytes_of_the_flags() {
    let desk = Desk::new();
    let text = "Invoice;Cust;Date;Quantity;UnitPrice;Name\n1;7.0;12/1/2010 8:26;6;2.55;CAF\u{c9}\n1;7.0;12/1/2010 8:26;6;3.39;B\n\
        2;7.0;12/31/2010 23:30;1;1.85;C\n2;7.0;12/31/2010 23:30;1;1.85;C\n3;9.0;12/2/2010 9:41;3;27.50;D\nC3;9.0;1/3/2011 9:41;-1;27.50;D\n\
        4;;12/1/2010 11:52;56;1.00;E\n5;x;12/1/2010 11:52;1;1.00;E\n";
    fs::write(desk.path().join("orders.csv"), text.chars().map(|c| c as u8).collect::<Vec<_>>()).unwrap();
    let flags = "--from transactions --column order_id=Invoice --column customer_id=Cust --column event_ts=Date --column quantity=Quantity \
        --column unit_price=UnitPrice --column product_id=Name --id-format integer --encoding latin1 --refunds net --anonymous report --duplicates drop \
        --timezone Europe/Berlin --on-bad-row reject";
    let flags: Vec<&str> = flags.split_whitespace().chain(["--date-format", "%m/%d/%Y %H:%M"]).collect();
    let audit = ["--every", "month", "--report", "r.json", "--rfm-out", "rfm.csv", "--rejects", "bad.csv"];
    desk.run(&[&["audit", "orders.csv"], &flags[..], &audit].concat()).expect(0);
    let outputs = ["r.json", "rfm.csv", "bad.csv"];
    let take = || outputs.map(|name| (desk.read(name), fs::remove_file(desk.path().join(name)).unwrap()).0);
    let expected = take();
    let report: serde_json::Value = serde_json::from_slice(&expected[0]).unwrap();
    let counted = |name: &str| report["input"]["transactions"][name].as_u64().unwrap();
    assert_eq!(["orders", "refund_lines", "anonymous_orders", "duplicate_lines"].map(counted), [3, 1, 1, 1]);
    let spec = r#"
        [source]
        inputs = "orders.csv"
        from = "transactions"
        on_bad_row = "reject"
        id_format = "integer"
        date_format = "%m/%d/%Y %H:%M"
        encoding = "latin1"
        [transactions]
        refunds = "net"
        anonymous = "report"
        duplicates = "drop"
        timezone = "Europe/Berlin"
        [columns]
        order_id = "Invoice"
        customer_id = "Cust"
        event_ts = "Date"
        quantity = "Quantity"
        unit_price = "UnitPrice"
        product_id = "Name"
        [windows]
        every = "month"
        [report]
        out = "r.json"
        rejects = "bad.csv"
        [rfm]
        out = "rfm.csv"
        "#;
    desk.write(spec).run(&["run", "spec.toml"]).expect(0);
    assert!(take() == expected);
    // Other layers say the same in the place of what is wrong in the file.
    desk.write(
        &spec
            .replace("\"Europe/Berlin\"", "\"Asia/Tokyo\"")
            .replace("\"drop\"", "\"keep\"")
            .replace("order_id = \"Invoice\"", "order_id = \"Name\""),
    );
    let run = ["run", "spec.toml", "--set", "transactions.timezone=Europe/Berlin", "--set", "columns.order_id=Invoice"];
    let run = Lensflow::new(desk.path(), &run).env("LENSFLOW_TRANSACTIONS_DUPLICATES", "drop");
    run.env("LENSFLOW_COLUMNS_UNIT_PRICE", "UnitPrice").run().expect(0);
    assert!(take() == expected);

    // Into a state, and its audit; sketches are those of the state.
    desk.run(&[&["update", "flags", "orders.csv", "-q"], &flags[..]].concat()).expect(0);
    desk.run(&[&["audit", "flags"], &audit[..]].concat()).expect(0);
    let expected = take();
    desk.write(&format!("{spec}[state]\npath = 'state'")).run(&["run", "spec.toml", "-q"]).expect(0);
    assert!(take() == expected);
    let december = ["--window", "2010-12", "-o"];
    desk.run(&[&["sketch", "orders.csv"], &flags[..], &december, &["lines.theta"]].concat()).expect(0);
    desk.run(&[&["sketch", "state"], &december[..], &["state.theta"]].concat()).expect(0);
    assert!(desk.read("lines.theta") == desk.read("state.theta"));
}

#[test]
fn made_up_rows_are_those_of_generate() {
    let desk = Desk::new();
    let options = "--customers 3K --scenario seasonal --seed 9 --from 2023-02 --to 2023-05 --skew zipf --ids uuid --null-timestamps 0.25";
    let options: Vec<&str> = options.split(' ').collect();
    desk.run(&[&["generate", "-o", "rows.parquet"], &options[..]].concat()).expect(0);
    desk.run(&["audit", "rows.parquet", "--every", "month", "--report", "files.json", "--rfm-out", "files.csv"]).expect(0);
    let table = "customers = 3_000\nscenario = 'seasonal'\nseed = 9\nfrom = '2023-02'\nto = '2023-05'\nskew = 'zipf'\nids = 'uuid'\nnull_timestamps = 0.25\n";
    let rest = "[windows]\nevery = 'month'\n[report]\nout = 'made.json'\n[rfm]\nout = 'made.csv'\n";
    desk.write(&format!("[source.synthetic]\n{table}{rest}")).run(&["run", "spec.toml"]).expect(0);
    assert!(desk.read("made.csv") == desk.read("files.csv"));
    let report = |name: &str| without_sources(&serde_json::from_slice::<lensflow::report::Report>(&desk.read(name)).unwrap());
    assert_eq!(report("made.json"), report("files.json"));
    // Within braces, and from variables, it is the same table.
    let inline = table.trim().replace('\n', ", ");
    desk.write(&format!("[source]\nsynthetic = {{ {inline} }}\n{rest}")).run(&["run", "spec.toml"]).expect(0);
    assert!(desk.read("made.csv") == desk.read("files.csv"));
    desk.write(&format!("[source]\ninputs = 'a.csv'\n{rest}"));
    let sets = table.trim().lines().map(|line| format!("--set=source.synthetic.{}", line.replace(' ', "")));
    let sets: Vec<String> = ["run".to_owned(), "spec.toml".to_owned()].into_iter().chain(sets).collect();
    desk.run(&sets.iter().map(String::as_str).collect::<Vec<_>>()).expect(0);
    assert!(desk.read("made.csv") == desk.read("files.csv"));
}

#[test]
fn an_update_and_its_audit_are_the_two_commands() {
    let desk = Desk::new();
    desk.run(&["update", "flags", "a.csv", "--every", "quarter", "-q"]).expect(0);
    desk.run(&["update", "flags", "b.parquet", "-q"]).expect(0);
    desk.run(&["audit", "flags", "--every", "half", "--report", "flags.json", "--rfm-out", "flags.parquet"]).expect(0);
    desk.write(
        r#"
        [source]
        inputs = "a.csv"
        [state]
        path = "state"
        every = "quarter"
        [windows]
        every = "half"
        [report]
        out = "spec.json"
        [rfm]
        out = "spec.parquet"
        "#,
    );
    let first = desk.run(&["run", "spec.toml"]).expect(0);
    assert!(first.stderr.contains("state: generation 1, 1 input taken in"), "{}", first.stderr);
    desk.run(&["run", "spec.toml", "--set", "source.inputs=b.parquet"]).expect(0);
    assert!(desk.read("spec.json") == desk.read("flags.json") && desk.read("spec.parquet") == desk.read("flags.parquet"));
    let again = desk.run(&["run", "spec.toml"]).expect(0);
    assert!(again.stderr.contains("taken in before") && again.stderr.contains("unchanged"), "{}", again.stderr);
    desk.run(&["run", "spec.toml", "--set", "state.allow_duplicate=true", "-q"]).expect(0);
    assert!(desk.read("spec.json") != desk.read("flags.json"), "rows that are allowed twice count twice");

    // An audit that cannot write is found out before the state changes, and one that nobody asked for is not made.
    let before = desk.read("state/MANIFEST");
    for (more, code, wanted) in [
        ("rfm.out=none/x.csv", 1, "none/x.csv: cannot write"),
        ("rfm.out=b.parquet", 2, "b.parquet is an input"),
        ("windows.every=month", 2, "the state is kept by quarter"),
    ] {
        let message = error(desk.run(&["run", "spec.toml", "--set", "source.inputs=b.parquet", "--set", more]), code);
        assert!(message.contains(wanted), "{wanted}: {message}");
    }
    assert!(desk.read("state/MANIFEST") == before);
    desk.write("[source]\ninputs = 'a.csv'\n[state]\npath = 'alone'");
    assert!(desk.run(&["run", "spec.toml"]).expect(0).stdout.is_empty());

    // States merge, and rejects come from what they left out.
    desk.run(&["update", "one", "a.csv", "-q", "--on-bad-row", "reject"]).expect(0);
    desk.run(&["update", "two", "b.parquet", "-q", "--on-bad-row", "reject"]).expect(0);
    desk.write(
        "[state]\npath = 'both'\nmerge = ['one', 'two']\n[windows]\nevery = 'half'\n[report]\nout = 'both.json'\nrejects = 'rejects.csv'",
    );
    assert_eq!(desk.check(&[]).expect(0).out(), "spec.toml: good: merge of one and two into both, then an audit by half\n");
    desk.run(&["run", "spec.toml"]).expect(0);
    assert!(desk.read("both.json") == desk.read("flags.json"));
    assert!(error(desk.check(&[]), 2).contains("there is a state already"));
}

/// Each says something about a source of one file; the second is what is refused, and where.
#[test]
fn what_is_wrong_is_named_with_its_place() {
    let desk = Desk::new();
    desk.run(&["update", "state", "a.csv", "-q"]).expect(0);
    let before = desk.all().len() + 1;
    let inbox = "[source]\nfollow = 'inbox'\n[state]\npath = 'x'\n";
    let rows = "[source]\ninputs = 'a.csv'\n";
    let lines = "[source]\ninputs = 'a.csv'\nfrom = 'transactions'\n";
    let wrong: &[(&str, &str, &str)] = &[
        ("", "[limits]\nmemroy_limit = '1GiB'", ":2: [limits] has no key \"memroy_limit\"\n  help: did you mean memory_limit?"),
        ("", "[limits]\nzzz = 1", ":2: [limits] has no key \"zzz\"\n  help: its keys are workers, memory_limit, spill_dir"),
        ("", "[limits]\nrefresh = '1m'", ":2: [limits] has no key \"refresh\"\n  help: it belongs to [report]"),
        ("", "\n\n[limit]\nworkers = 1", ":3: there is no section [limit]\n  help: did you mean [limits]?"),
        ("", "[zzz]", ":1: there is no section [zzz]\n  help: the sections are [source], [transactions], [columns]"),
        ("", "workers = 1", ":1: \"workers\" is in no section\n  help: it belongs below [limits]"),
        ("", "['source.synthetic']", ":1: there is no section [source.synthetic]"),
        ("", "[source]\nsynthetic = { seeds = 1 }", ":2: [source.synthetic] has no key \"seeds\"\n  help: did you mean seed?"),
        ("", "[source]\nsynthetic = 5", ":2: source.synthetic: a table is expected"),
        ("", "[source\n", ":1: "),
        ("", "[source]\nglob = '*'\nglob = '*'", ":3: duplicate key"),
        ("", "[limits]\nworkers = 'two'", ":2: limits.workers: a whole number, such as 8, is expected, not \"two\""),
        ("", "[limits]\nworkers = -2", ":2: limits.workers: a number from 0 on is expected, not -2"),
        ("", "[limits]\nworkers = 0", ":2: limits.workers: 0 workers cannot do any work"),
        ("", "[limits]\nmemory_limit = '2 bananas'", ":2: limits.memory_limit: \"2 bananas\" is not a size"),
        ("", "[limits]\nmemory_limit = true", "a number with a unit, such as \"2G\", is expected, not true"),
        ("", "[source]\nfinished = 'yes'", "\"yes\" is not among the choices\n  help: one of keep, move, delete"),
        ("", "[limits]\nparallel = 'on'", ":2: [limits] has no key \"parallel\""),
        ("", "[limits]\nbatch_rows = 0", "a batch of 0 rows holds nothing"),
        ("", "[limits]\nspill_dir = 5", ":2: limits.spill_dir: a text in quotes is expected, not 5"),
        ("", "[source]\ninputs = [\n'a.csv',\n7]", ":4: source.inputs: a text in quotes is expected, not 7"),
        ("", "[source]\ninputs = []", ":2: source.inputs: no input is named"),
        ("", "[source]\non_bad_row = 'rejct'", "\"rejct\" is not among the choices\n  help: did you mean \"reject\"?"),
        ("", "[source]\nformat = 'xlsx'", ":2: source.format: \"xlsx\" is not a format\n  help: one of parquet, csv, jsonl, arrow"),
        ("", "[source.synthetic]\ncustomers = 'ten'", ":2: source.synthetic.customers: \"ten\": a whole number such as 1500"),
        ("", "[source.synthetic]\nscenario = 'boom'", ":2: source.synthetic.scenario: there is no scenario \"boom\""),
        ("", "[source.synthetic]\nnull_timestamps = 1.5", "the share of null timestamps is 1.5"),
        ("", "[windows]\nlist = [\n'2023-Q1',\n'2023-Q9',\n]", ":4: windows.list: \"2023-Q9\" is not a window"),
        ("", "[windows]\nlist = ['2023-Q2', '2023-Q1']", ":2: windows.list: window 2023-Q1"),
        ("", "[windows]\nlist = []", ":2: windows.list: no window is given"),
        ("", "[windows]\nlist = ['2023']\nevery = 'month'", ":3: windows.every: windows come from every or from list"),
        ("", "[windows]\nevery = 2023-01-01", ":2: windows.every: a text in quotes is expected, not 2023-01-01"),
        ("", "[report]\npercentiles = [10, 0]", ":2: report.percentiles: percentile 0 is outside 1 to 100"),
        ("", "[rfm]\nbins = 10", ":2: rfm.bins: 10 score bins"),
        ("", "[rfm]\nsorted = 'yes'", ":2: rfm.sorted: true or false is expected, not \"yes\""),
        ("", "[state]\nevery = 'fortnight'", ":2: state.every: \"fortnight\" is not a calendar period"),
        ("", "[state]\ncheckpoint = 'c'\ncheckpoint_every = 'soon'", ":3: state.checkpoint_every: \"soon\" is not a duration"),
        ("", "[serve]\nmetrics = 'here'", ":2: serve.metrics: \"here\" is not an address"),
        ("", "", "no input is named\n  help: add inputs"),
        // What would do nothing, or contradicts itself.
        (rows, "poll = '2s'", ":3: source.poll: it does nothing unless an inbox or stdin is followed"),
        (rows, "glob = '*'", "source.glob: it does nothing unless"),
        (rows, "finished = 'keep'", "source.finished: it does nothing unless"),
        (rows, "[state]\npath = 'x'\ncommit = '1s'", "state.commit: it does nothing unless"),
        (rows, "[state]\npath = 'x'\ncommit_rows = 5", "state.commit_rows: it does nothing unless"),
        (rows, "[report]\nrefresh = '1m'", ":4: report.refresh: it does nothing unless"),
        (rows, "[serve]\nmetrics = 9184", ":4: serve.metrics: it does nothing unless"),
        (rows, "synthetic = {}", "source.synthetic: made-up rows come instead of inputs"),
        (rows, "[state]\nevery = 'month'", "state.every: it does nothing without path"),
        (rows, "[state]\nallow_duplicate = true", "state.allow_duplicate: it does nothing without path"),
        (rows, "[state]\ncheckpoint_every = '2m'", "state.checkpoint_every: it does nothing without checkpoint"),
        (rows, "[state]\npath = 'x'\ncheckpoint = 'c'", "state.checkpoint: only an audit that changes no state"),
        ("[source]\nsynthetic = {}\n", "[state]\ncheckpoint = 'c'", "state.checkpoint: rows that are made up"),
        ("[source]\ninputs = '-'\n", "[state]\ncheckpoint = 'c'", "state.checkpoint: what comes through a pipe"),
        (rows, "[state]\npath = 'x'\nmerge = ['state']", "source.inputs: a merge takes in states alone"),
        (rows, "[report]\nrejects = 'r.csv'", "report.rejects: there is nothing to write while bad rows end the run"),
        (rows, "[rfm]\nsorted = true", "rfm.sorted: there are no rows to sort"),
        ("[source]\nsynthetic = {}\n", "format = 'csv'", "source.format: made-up rows have a form of their own"),
        ("[source]\nsynthetic = {}\n", "[columns]\ncustomer_id = 'c'", "columns.customer_id: made-up rows"),
        ("[source]\nsynthetic = {}\n", "[state]\npath = 'x'", "source.synthetic: a state takes in files"),
        ("[state]\nmerge = ['state']\n", "", "state.merge: it is not said into which state"),
        ("[state]\npath = 'x'\nmerge = []\n", "", "state.merge: no state is named"),
        ("[state]\npath = 'x'\nmerge = ['state']\n", "every = 'year'", "state.every: a merged state is kept as"),
        ("[state]\npath = 'state'\n", "", "to audit the state alone, name it there: inputs = [\"state\"]"),
        ("[source]\nfollow = '-'\n", "", "source.follow: what comes is taken into a state, and none is named"),
        ("[source]\nfollow = '-'\n", "poll = '1s'", "source.poll: it does nothing while stdin is followed"),
        ("[source]\nfollow = '-'\nformat = 'parquet'\n[state]\npath = 'x'", "", "source.format: Parquet ends with what is read first"),
        (inbox, "allow_duplicate = true", "state.allow_duplicate: the same bytes"),
        (inbox, "merge = ['state']", "state.merge: what is followed is taken into a state, and nothing else"),
        (inbox, "checkpoint = 'c'", "state.checkpoint: only an audit that changes no state"),
        (inbox, "commit_rows = 0", "state.commit_rows: 0 rows are none"),
        (inbox, "[source.synthetic]", "source.synthetic: what is followed"),
        (inbox, "[report]\npartial_out = 'p'", "report.partial_out: what is followed has no end"),
        ("[source]\nfollow = 'inbox'\ndone = 'd'\n", "", "source.done: nothing is moved there"),
        ("[source]\nfollow = 'inbox'\npoll = 2\n", "", "source.poll: a duration, such as \"30s\" or \"2m\", is expected, not 2"),
        ("[source]\nfollow = 'inbox'\npoll = '0s'\n", "", "source.poll: a time is expected that is longer than nothing"),
        ("[source]\nfollow = 'inbox'\nglob = '***'\n", "", "source.glob: \"***\" is not a glob"),
        // Orders and line items.
        (rows, "from = 'orders'", ":3: source.from: \"orders\" is not among the choices\n  help: one of auto, periods, transactions"),
        (rows, "[transactions]\nrefunds = 'net'", ":4: transactions.refunds: it is for orders and line items\n  help: add from = "),
        (rows, "[transactions]\ntimezone = 'UTC'", ":4: transactions.timezone: it is for orders and line items"),
        (rows, "from = 'periods'\n[columns]\nline_total = 'x'", ":5: columns.line_total: it is for orders and line items"),
        (lines, "[columns]\ncustomer_id = 'c'\nperiod_end = 'x'", ":6: columns.period_end: orders and line items have no such column"),
        (
            lines,
            "[transactions]\nrefunds = 'nett'",
            ":5: transactions.refunds: \"nett\" is not among the choices\n  help: did you mean \"net\"?",
        ),
        (lines, "encoding = 'koi8'", ":4: source.encoding: \"koi8\" is not among the choices"),
        (lines, "[transactions]\ntimezone = 'Mars'", ":5: transactions.timezone: \"Mars\" is not a time zone"),
        (lines, "date_format = '%H'", ":4: source.date_format: "),
        (
            lines,
            "[transactions]\none_row_per_order = true\nduplicates = 'drop'",
            ":6: transactions.duplicates: with one_row_per_order, each row is an order",
        ),
        (lines, "[state]\ncheckpoint = 'c'", ":5: state.checkpoint: a checkpoint of orders and line items is not kept yet"),
        (lines, "[state]\npath = 'x'\nmerge = ['state']", "source.inputs: a merge takes in states alone"),
        ("[state]\npath = 'x'\nmerge = ['state']\n", "[source]\nfrom = 'transactions'", "source.from: a merge takes in states alone"),
        ("[source]\nsynthetic = {}\n", "from = 'transactions'", "source.from: made-up rows have a form of their own"),
        (
            "[source]\nfollow = '-'\nfrom = 'transactions'\n",
            "[state]\npath = 'x'",
            ":2: source.follow: a stream is cut between any two rows, and the lines of an order have to come together",
        ),
    ];
    for (spec, more, wanted) in wrong {
        desk.write(&format!("{spec}{more}"));
        for command in ["run", "check", "explain"] {
            let message = error(desk.run(&[command, "spec.toml"]), 2);
            assert!(
                message.starts_with("lensflow: spec.toml") && message.contains(wanted),
                "{spec}{more}\nshould say {wanted:?}: {message}"
            );
        }
    }
    assert_eq!(desk.all().len(), before, "nothing was written");
    assert!(error(desk.run(&["run", "none.toml"]), 1).contains("none.toml: cannot read the spec"));
}
