//! One road for options: what a command line says, its spec says, and both do and tell it alike; what does not go together is refused in
//! one text, whichever layer says it.

use super::*;

/// A folder with inputs of every kind, made once; each command runs in a copy of it.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Desk {
        let desk = Desk(tempfile::tempdir().unwrap());
        let at = desk.0.path();
        let run = |line: &str| drop(lensflow(at, &line.split(' ').collect::<Vec<_>>()).expect(0));
        run("generate --customers 300 -o a.csv");
        run("generate --customers 200 --seed 2 --from 2023-01 --to 2023-06 --ids email -o b.parquet");
        run("generate --customers 90 --as transactions -o lines.csv");
        let renamed = fs::read_to_string(at.join("a.csv")).unwrap().replacen("customer_id", "cust", 1);
        fs::write(at.join("renamed.txt"), renamed).unwrap();
        let shop = "Invoice,customer_id,Date,line_total\n1,7.0,12/31/2022 8:26,5\n1,7.0,12/31/2022 8:26,5\n2,,1/5/2023 9:00,4\n5,8.0,1/4/2023 9:00,3\n\
            3,8.0,1/6/2023 9:00,-1\n4,9.0,1/13/2023 9:00,6\n";
        fs::write(at.join("shop.csv"), shop).unwrap();
        fs::write(at.join("own.html"), "{{ summary.window }}: {{ report.windows[0].lens1.total_revenue | amount }}").unwrap();
        let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/field/15_workbook/Online Retail.xlsx");
        fs::copy(book, at.join("book.xlsx")).unwrap();
        run("update state a.csv -q");
        run("update other b.parquet -q");
        run("sketch a.csv --window 2023-Q1 -o a.theta");
        run("audit a.csv --window 2023-H1 --partial-out a.partial --report a.json");
        run("audit b.parquet --window 2023-H1 --partial-out b.partial --report b.json");
        desk
    }

    /// What a command does to a copy of the folder: its code, its streams, and all files.
    fn does(&self, arguments: &[&str], spec: Option<&str>) -> (Option<i32>, String, String, BTreeMap<String, Vec<u8>>) {
        let copy = tempfile::tempdir().unwrap();
        copy_all(self.0.path(), copy.path());
        if let Some(spec) = spec {
            fs::write(copy.path().join("job.toml"), spec).unwrap();
        }
        let run = Lensflow::new(copy.path(), arguments).stdin(fs::read(copy.path().join("a.csv")).unwrap()).run();
        drop(fs::remove_file(copy.path().join("job.toml")));
        // Runs of a state that several workers wrote are in any order: a state is as good as its answers.
        for state in ["new", "state", "both"].map(|name| copy.path().join(name)).iter().filter(|state| state.is_dir()) {
            let (state, report) = (state.to_string_lossy(), format!("{}.json", state.display()));
            lensflow(copy.path(), &["audit", &state, "--every", "year", "--report", &report]).expect(0);
            fs::remove_dir_all(&*state).unwrap();
            let text = fs::read_to_string(&report).unwrap();
            fs::write(&report, text.replace(&*copy.path().to_string_lossy(), "")).unwrap();
        }
        let (out, mut files) = (run.out().to_owned(), BTreeMap::new());
        all(copy.path(), &mut files);
        (run.code, out, run.stderr, files)
    }
}

fn copy_all(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let place = to.join(path.file_name().unwrap());
        if path.is_dir() {
            fs::create_dir(&place).unwrap();
            copy_all(&path, &place);
        } else {
            fs::copy(&path, place).unwrap();
        }
    }
}

/// All files below a folder, but for the lock of a state, which names the process that had it.
fn all(folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all(&path, found);
        } else if path.file_name().unwrap() != "LOCK" {
            let name = path.components().rev().take(2).map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>();
            found.insert(if name[1].starts_with(".tmp") { name[0].to_string() } else { name.join(" of ") }, fs::read(path).unwrap());
        }
    }
}

/// Together these say every flag of every job.
const LINES: &[&str] = &[
    "audit a.csv b.parquet --every quarter",
    "audit a.csv --window h1=2023-01-01..2023-07-01 --window 2023-Q3 --report r.json --report r.md --report -",
    "audit a.csv --every half --rfm-out rfm.csv --columns +last_order_ts --migration-out m.jsonl --sorted --bins 3 --percentiles 1,50 --percentiles 90 --partial-out p.partial --json-numbers number --csv-safe",
    "audit a.csv --every half --segments standard --cuts recency=30,90,180,365 --cuts frequency=1,2 --cuts-out c.json --cuts-window 2023-H1 --rfm-out r.csv",
    "audit a.csv --every month --period-ends exclusive --on-bad-row reject --max-rejects 2.5% --rejects bad.csv --workers 2 --memory-limit 100MiB --spill-dir . -q",
    "audit renamed.txt --fail-fast --format csv --column customer_id=cust --every year --year-starts 04-01 --as-of 2023-12-31 --report 2023.json",
    "audit shop.csv --from transactions --column order_id=Invoice --column event_ts=Date --date-format %m/%d/%Y|%H:%M --every month \
        --policy shop --encoding latin1 --report r.json",
    "audit --every year --rfm-out -",
    "audit state --every quarter --cohorts --cohorts-out c.jsonl --report r.txt",
    "audit a.csv --every quarter --report r.html --template own.html --currency EUR --locale de",
    "audit a.csv --every year --checkpoint kept --checkpoint-every 1ms --report r.json",
    "audit shop.csv --from transactions --column order_id=Invoice --column event_ts=Date --date-format %m/%d/%Y|%H:%M --every month \
        --refunds net --anonymous report --duplicates drop --timezone Europe/Berlin --id-format integer --encoding latin1 --null NULL,NA \
        --number-format 1,234.56 --amount-unit units --naive-times local --anonymous-id 0,Guest \
        --quote double --escape ~ --header-line 1 --max-field 2MiB --only Invoice=1,2,3,4,5 --except Invoice=77 --amount total --report r.json",
    "audit lines.csv --from transactions --column order_id=order_id --every month --on-bad-row reject --rfm-out - --columns +first_order_ts",
    "audit lines.csv --from transactions --layout none --one-row-per-order --every month --on-bad-row reject",
    "periods lines.csv --every month -o p.csv --workers 1 --memory-limit 1GiB --spill-dir . --on-bad-row reject --max-rejects 50 --format csv",
    "periods shop.csv --every quarter --year-starts 04-01 --fail-fast --policy strict --output p.csv --column order_id=Invoice --column event_ts=Date --date-format %m/%d/%Y|%H:%M \
        --refunds drop --anonymous drop --duplicates keep --timezone Asia/Tokyo --id-format integer --encoding latin1 --null NULL,NA \
        --number-format 1,234.56 --amount-unit units --naive-times local --anonymous-id 0,Guest \
        --quote double --escape ~ --header-line 1 --max-field 2MiB --only Invoice=1,2,3,4,5 --except Invoice=77 --amount total",
    "periods lines.csv --every year -o - --csv-safe --layout none --one-row-per-order --on-bad-row reject",
    "update new a.csv b.parquet --every quarter --on-bad-row reject --max-rejects 7 --workers 2 --memory-limit 1GiB --spill-dir .",
    "update state a.csv --allow-duplicate",
    "update new renamed.txt --format csv --column customer_id=cust --every quarter --year-starts 04-01 --period-ends exclusive",
    "update new lines.csv --from transactions --layout none --policy shop --order-ids keep",
    "update new shop.csv --from transactions --column order_id=Invoice --column event_ts=Date --date-format %m/%d/%Y|%H:%M --refunds net \
        --anonymous drop --duplicates drop --timezone Europe/Berlin --id-format integer --encoding latin1 --null NULL,NA \
        --number-format 1,234.56 --amount-unit units --naive-times local --anonymous-id 0,Guest \
        --quote double --escape ~ --header-line 1 --max-field 2MiB --only Invoice=1,2,3,4,5 --except Invoice=77 --amount total",
    "update new lines.csv --from transactions --layout none --one-row-per-order --on-bad-row reject",
    "merge both state other",
    "merge both state state/../state --allow-duplicate",
    "merge both.partial a.partial b.partial --disjoint",
    "sketch state a.csv --window 2023-Q3 -o x.theta --lg-k 8 --on-bad-row fail --fail-fast --workers 1 --memory-limit 1GiB --spill-dir .",
    "sketch lines.csv --from transactions --layout none --policy shop --on-bad-row reject --max-rejects 10% --window 2023-01 -o x.theta",
    "sketch renamed.txt --format csv --period-ends exclusive --column customer_id=cust --window h=2023-01-01..2023-03-01 --output x.theta",
    "sketch shop.csv --from transactions --window 2023-01 -o x.theta --column order_id=Invoice --column event_ts=Date \
        --date-format %m/%d/%Y|%H:%M --refunds net --anonymous drop --duplicates drop --timezone UTC --id-format integer --encoding latin1 --null NULL,NA \
        --number-format 1,234.56 --amount-unit units --naive-times local --anonymous-id 0,Guest \
        --quote double --escape ~ --header-line 1 --max-field 2MiB --only Invoice=1,2,3,4,5 --except Invoice=77 --amount total",
    "sketch lines.csv --from transactions --layout none --one-row-per-order --on-bad-row reject --window 2023-01 -o x.theta",
    "compare state@2023-Q1 state@2023-Q2 --json --json-numbers text --percentiles 5 --bins 4 --workers 2 --memory-limit 1GiB --spill-dir .",
    "compare a.theta state@2023-Q2",
    "compare a.partial b.partial --disjoint",
    "generate --customers 1K --scenario seasonal --seed 7 --from 2023-02 --to 2023-05 --skew zipf --ids uuid --null-timestamps 0.25 \
        -o x --format jsonl --workers 2",
    "generate --customers 50 --as transactions --output x.csv",
    "audit book.xlsx --sheet Orders --every year --policy shop",
    "periods book.xlsx --sheet Orders --every year --policy shop -o p.csv",
    "update new book.xlsx --sheet Orders --policy shop",
    "sketch book.xlsx --sheet Orders --policy shop --window 2011 -o x.theta",
    "inspect a.theta",
    "inspect state --json",
    "update state renamed.txt --column customer_id=cust --replace --undo 7d",
    "update state b.parquet --allow-changed",
    "update new a.csv --on-bad-row reject --rejects bad.csv --csv-safe",
    "segments check standard --bins 5 --cuts frequency=1,2,3,5 --workers 1 --memory-limit 1GiB --spill-dir .",
    "segments move state --every quarter --year-starts 04-01 --segments standard --migration-out m.csv --report r.json --json-numbers text \
        --rfm-out r.csv --columns +last_order_ts --sorted --csv-safe --report r.html --template own.html --currency EUR --locale de",
    "segments move state --window 2023-Q1 --window 2023-Q2 --as-of 2023-06-30 --segments standard",
    "state history state --json",
    "state remove state a.csv",
    "state forget state C-000000001 x",
    "state drop other --before 2023-04-01",
    "state export state -o exported.csv --csv-safe",
];

#[test]
fn a_saved_spec_is_its_command_line() {
    let desk = Desk::new();
    for line in LINES {
        let words: Vec<String> = line.split_whitespace().map(|word| word.replace('|', " ")).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let with = |more: &[&'static str]| [&words[..], more].concat();
        let (code, spec, stderr, files) = desk.does(&with(&["--save-spec", "-"]), None);
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{line}");
        assert_eq!(files.len(), desk.does(&["--version"], None).3.len(), "{line}: nothing but the spec is written");
        let quiet: &[&str] = if words.contains(&"-q") { &["-q"] } else { &[] };
        let (flags, file) = (desk.does(&words, None), desk.does(&[&["run", "job.toml"], quiet].concat(), Some(&spec)));
        // Notes name options as they are said: as flags, or as keys.
        let is_note = |line: &&str| line.starts_with(" WARN ") || line.starts_with("  warning: ");
        let said = |text: &str| text.lines().filter(|line| !is_note(line)).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!((flags.0, said(&flags.1), said(&flags.2)), (Some(0), said(&file.1), said(&file.2)), "{line}\n{spec}");
        assert_eq!(flags.3.keys().collect::<Vec<_>>(), file.3.keys().collect::<Vec<_>>(), "{line}\n{spec}");
        for (name, bytes) in &flags.3 {
            assert!(file.3[name] == *bytes, "{line}: {name} differs\n{spec}");
        }
        let (flags, file) = (desk.does(&with(&["--explain"]), None), desk.does(&["explain", "job.toml"], Some(&spec)));
        assert_eq!((flags.0, file.0), (Some(0), Some(0)), "{line}: {} {}", flags.2, file.2);
        assert_eq!(flags.1.strip_prefix("command line: ").unwrap(), file.1.strip_prefix("job.toml: ").unwrap(), "{line}");
        let (flags, file) = (desk.does(&with(&["--check"]), None), desk.does(&["check", "job.toml"], Some(&spec)));
        assert_eq!((flags.0, file.0), (Some(0), Some(0)), "{line}: {} {}", flags.2, file.2);
        assert_eq!(flags.1.strip_prefix("command line: good: ").unwrap(), file.1.strip_prefix("job.toml: good: ").unwrap(), "{line}");
    }
    let nothing = error(lensflow(desk.0.path(), &["inspect", "a.csv", "--check"]), 1);
    assert!(nothing.contains("neither a Lens 1 partial, nor a sketch"), "{nothing}");
}

#[test]
fn every_flag_of_every_job_is_tried() {
    let folder = tempfile::tempdir().unwrap();
    for job in ["audit", "periods", "update", "merge", "sketch", "compare", "generate", "inspect", "segments", "state"] {
        let lines: Vec<_> = LINES.iter().filter(|line| line.split(' ').next() == Some(job)).collect();
        let help = lensflow(folder.path(), &[job, "--help"]).expect(0);
        // A flag begins a line, behind its short name, and its value or its help follows; others are spoken of.
        let named = |line: &str| {
            let (_, flag) = line.split_once("--")?;
            let (name, rest) = flag.split_at(flag.find(|c: char| c != '-' && !c.is_ascii_lowercase()).unwrap_or(flag.len()));
            (rest.is_empty() || rest.starts_with(" <") || rest.starts_with("  ")).then(|| format!("--{name}"))
        };
        let flags: Vec<String> = help.out().lines().filter(|line| line.trim_start().starts_with('-')).filter_map(named).collect();
        let flags = flags.iter().map(String::as_str);
        let general =
            ["--help", "--help.", "--version", "--quiet", "--verbose", "--log-format", "--color", "--explain", "--check", "--save-spec"];
        for flag in flags.filter(|flag| !general.contains(flag)) {
            let is_said = |word: &str| word == flag || flag == "--output" && word == "-o";
            assert!(lines.iter().any(|line| line.split_whitespace().any(is_said)), "no line of {job} says {flag}");
        }
    }
}

/// Flags of an audit of `a.csv` by year and the spec that says that, the flag and the key at fault, and what is wrong.
const WRONG: &[(&str, &str, &str, &str, &str)] = &[
    ("--window 2023", "[windows]\nlist = '2023'", "--every", "windows.every", "windows come from"),
    ("--refunds net", "[transactions]\nrefunds = 'net'", "--refunds", "transactions.refunds", "it is for orders and line items"),
    ("--column line_total=x", "[columns]\nline_total = 'x'", "--column line_total", "columns.line_total", "it is for orders"),
    (
        "--checkpoint-every 2m",
        "[state]\ncheckpoint_every = '2m'",
        "--checkpoint-every",
        "state.checkpoint_every",
        "it does nothing without",
    ),
    ("--checkpoint-every soon", "[state]\ncheckpoint_every = 'soon'", "--checkpoint-every", "state.checkpoint_every", "is not a duration"),
    ("--sorted", "[rfm]\nsorted = true", "--sorted", "rfm.sorted", "there are no rows to sort"),
    ("--columns r", "[rfm]\ncolumns = 'r'", "--columns", "rfm.columns", "no rows to have columns"),
    (
        "--rfm-out r.csv --columns +rcency",
        "[rfm]\nout = 'r.csv'\ncolumns = '+rcency'",
        "--columns",
        "rfm.columns",
        "\"rcency\" is no column of RFM rows",
    ),
    (
        "--rfm-out r.csv --columns +rfm_score",
        "[rfm]\nout = 'r.csv'\ncolumns = '+rfm_score'",
        "--columns",
        "rfm.columns",
        "rfm_score is there without being added",
    ),
    (
        "--rfm-out r.csv --columns +first_order_ts",
        "[rfm]\nout = 'r.csv'\ncolumns = '+first_order_ts'",
        "--columns",
        "rfm.columns",
        "neither period aggregations nor saved states hold",
    ),
    ("--max-rejects 5", "[source]\nmax_rejects = '5'", "--max-rejects", "source.max_rejects", "no row may be left out"),
    ("--max-rejects few", "[source]\nmax_rejects = 'few'", "--max-rejects", "source.max_rejects", "neither a number of rows nor a share"),
    ("--rejects r.csv", "[report]\nrejects = 'r.csv'", "--rejects", "report.rejects", "there is nothing to write"),
    ("--currency EUR", "[report]\ncurrency = 'EUR'", "--currency", "report.currency", "no answers are a page of HTML"),
    ("--currency Euro", "[report]\ncurrency = 'Euro'", "--currency", "report.currency", "\"Euro\" is no code of a currency"),
    ("--locale x", "[report]\nlocale = 'x'", "--locale", "report.locale", "\"x\" is no locale"),
    ("--template t.html", "[report]\ntemplate = 't.html'", "--template", "report.template", "no answers are a page of HTML"),
    ("--bins 10", "[rfm]\nbins = 10", "--bins", "rfm.bins", "10 score bins"),
    ("--bins many", "[rfm]\nbins = 'many'", "--bins", "rfm.bins", "a whole number, such as 8, is expected, not \"many\""),
    ("--workers 0", "[limits]\nworkers = 0", "--workers", "limits.workers", "0 workers"),
    ("--percentiles 10,0", "[report]\npercentiles = [10, 0]", "--percentiles", "report.percentiles", "percentile 0"),
    ("--memory-limit much", "[limits]\nmemory_limit = 'much'", "--memory-limit", "limits.memory_limit", "\"much\" is not a size"),
    ("--on-bad-row rejct", "[source]\non_bad_row = 'rejct'", "--on-bad-row", "source.on_bad_row", "is not among the choices"),
    ("--format xlsx", "[source]\nformat = 'xlsx'", "--format", "source.format", "is not a format"),
];

/// Of orders, likewise.
const WRONG_LINES: &[(&str, &str, &str, &str, &str)] = &[
    ("--column period_end=x", "[columns]\nperiod_end = 'x'", "--column period_end", "columns.period_end", "no such column"),
    (
        "--one-row-per-order --duplicates drop",
        "[transactions]\none_row_per_order = true\nduplicates = 'drop'",
        "--duplicates",
        "transactions.duplicates",
        "each row is an order",
    ),
    (
        "--rfm-out r.csv --columns lifetimes",
        "[rfm]\nout = 'r.csv'\ncolumns = 'lifetimes'",
        "--columns",
        "rfm.columns",
        "an order has an id of its own",
    ),
    ("--checkpoint kept", "[state]\ncheckpoint = 'kept'", "--checkpoint", "state.checkpoint", "is not kept yet"),
    ("--timezone Mars", "[transactions]\ntimezone = 'Mars'", "--timezone", "transactions.timezone", "is not a time zone"),
    ("--date-format %H", "date_format = '%H'", "--date-format", "source.date_format", "%H"),
];

/// Why options would do nothing.
const IDLE: &[&str] = &[
    "it is for orders",
    "it does nothing",
    "no rows to sort",
    "no rows to have columns",
    "nothing to write",
    "no row may be left out",
    "no answers are a page",
    "no such column",
    "each row is an order",
];

#[test]
fn what_does_not_go_together_is_refused_in_one_text() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.csv"), csv_of(&["ana,2023-01-01,2023-02-01,1,5,"])).unwrap();
    let plain = |text: &str| text.replace("--", "").replace('-', "_");
    let lines = WRONG_LINES.iter().map(|wrong| (true, wrong));
    for (of_lines, (flags, toml, flag, key, wanted)) in WRONG.iter().map(|wrong| (false, wrong)).chain(lines) {
        let from = if of_lines { "--from transactions " } else { "" };
        let line = format!("audit a.csv --every year {from}{flags}");
        let told = error(lensflow(folder.path(), &line.split(' ').collect::<Vec<_>>()), 2);
        let from = if of_lines { "from = 'transactions'\n" } else { "" };
        let toml =
            toml.strip_prefix("[source]\n").map_or_else(|| format!("{toml}\n"), |key| format!("[source]\ninputs = 'a.csv'\n{key}\n"));
        let source = if toml.starts_with("[source]") { String::new() } else { format!("[source]\ninputs = 'a.csv'\n{from}") };
        let every = "every = 'year'\n";
        let spec =
            if toml.starts_with("[windows]") { format!("{source}{toml}{every}") } else { format!("{source}{toml}[windows]\n{every}") };
        fs::write(folder.path().join("job.toml"), &spec).unwrap();
        let written = error(lensflow(folder.path(), &["run", "job.toml"]), 2);
        let what = |text: &str, place: &str| {
            let first = text.lines().next().unwrap().to_owned();
            let (_, what) = first.split_once(place).unwrap_or_else(|| panic!("{place}: {text}"));
            plain(what)
        };
        assert!(told.starts_with(&format!("lensflow: {flag}: ")) && told.contains(wanted), "{line}: {told}");
        assert!(written.starts_with("lensflow: job.toml:") && written.contains(&format!(": {key}: ")), "{spec}: {written}");
        let without = |text: String| text.replace("windows.every", "every").replace("window ", "list ").replace("window,", "list,");
        assert_eq!(without(what(&told, &format!("{flag}: "))), without(what(&written, &format!("{key}: "))), "{line}");
        assert_eq!(told.lines().count(), written.lines().count(), "{told}{written}");
        // A variable says it, too; but for one that a flag takes the place of, and those that would do nothing, which are left out.
        let (others, value) = flags.split_once(flag).unwrap_or(("", ""));
        if *key == "windows.every" {
            continue;
        }
        let variable = format!("LENSFLOW_{}", key.replace('.', "_").to_uppercase());
        let value = value.trim_start_matches(['=', ' ']);
        let line = format!("audit a.csv --every year {}{others}", if of_lines { "--from transactions " } else { "" });
        let run = || Lensflow::new(folder.path(), &line.split_whitespace().collect::<Vec<_>>());
        let exported = run().env(&variable, if value.is_empty() { "true" } else { value }).run();
        if IDLE.iter().any(|why| wanted.contains(why)) {
            let without = run().run();
            assert_eq!(
                (exported.code, exported.out(), &exported.stderr),
                (without.code, without.out(), &without.stderr),
                "{variable} {line}"
            );
        } else {
            assert_eq!(error(exported, 2), told.replacen(*flag, &variable, 1), "{line}");
        }
    }
}

#[test]
fn variables_are_a_layer_below_flags() {
    let desk = Desk::new();
    let run = |line: &str, variable: (&str, &str)| {
        Lensflow::new(desk.0.path(), &line.split(' ').collect::<Vec<_>>()).env(variable.0, variable.1).run()
    };
    let told = run("audit a.csv --explain", ("LENSFLOW_WINDOWS_EVERY", "month")).expect(0);
    assert!(told.out().contains("each month") && told.out().contains("month from LENSFLOW_WINDOWS_EVERY"), "{}", told.out());
    let told = run("audit a.csv --window 2023-Q1 --explain", ("LENSFLOW_WINDOWS_EVERY", "month")).expect(0);
    assert!(!told.out().contains("LENSFLOW"), "{}", told.out());
    let saved = run("audit a.csv --every year --save-spec -", ("LENSFLOW_LIMITS_WORKERS", "2")).expect(0);
    let wanted = "[source]\ninputs = [\"a.csv\"]\n\n[windows]\nevery = \"year\"\n\n[limits]\nworkers = 2  # from LENSFLOW_LIMITS_WORKERS\n";
    assert_eq!(saved.out(), wanted);
    // What a command does not take disturbs others only.
    let updated = run("update state b.parquet", ("LENSFLOW_WINDOWS_EVERY", "month")).expect(0);
    assert!(updated.stdout.is_empty() && updated.stderr.contains("1 input taken in"), "{updated:?}");
    run("audit a.csv --every year --check", ("LENSFLOW_STATE_PATH", "state")).expect(0);
    // Nor does an option that does nothing with these rows; a spec that is saved does not have it.
    let told = run("audit a.csv --every year --save-spec - -v", ("LENSFLOW_TRANSACTIONS_REFUNDS", "net")).expect(0);
    assert!(told.stderr.contains("LENSFLOW_TRANSACTIONS_REFUNDS: it is for orders and line items; the variable is left out"), "{told:?}");
    assert!(!told.out().contains("refunds"), "{told:?}");
    let kept = error(run("audit lines.csv --from transactions --every year", ("LENSFLOW_STATE_CHECKPOINT", "kept")), 2);
    assert!(kept.starts_with("lensflow: LENSFLOW_STATE_CHECKPOINT: a checkpoint of orders"), "what was asked for is not left out: {kept}");
    let refused = error(run("audit a.csv --every year", ("LENSFLOW_LIMITS_WROKERS", "2")), 2);
    assert!(refused.contains("did you mean LENSFLOW_LIMITS_WORKERS?"), "{refused}");
}

/// Paths of outputs, states and folders are any that the system takes; inputs, and specs, are UTF-8.
#[cfg(unix)]
#[test]
fn paths_need_not_be_utf8() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    // An X stands for a byte that is no UTF-8.
    let path = |text: &str| {
        let bytes: Vec<u8> = text.bytes().map(|byte| if byte == b'X' { 0xFF } else { byte }).collect();
        std::ffi::OsStr::from_bytes(&bytes).to_owned()
    };
    fs::create_dir(folder.path().join(path("X"))).unwrap();
    let run = |line: &str, code: i32| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lensflow"));
        let ran = command.current_dir(folder.path()).args(line.split(' ').map(path)).output().unwrap();
        let stderr = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(code), "{line}: {stderr}");
        stderr
    };
    let has = |name: &str| folder.path().join(path(name)).exists();
    run("generate --customers 50 -o aX.csv", 0);
    run("generate --customers 50 -o a.csv", 0);
    run(
        "audit a.csv --every year --spill-dir X --checkpoint keptX --report rX.json --report rX.md --rfm-out rfmX.csv --migration-out mX.csv",
        0,
    );
    run("audit a.csv --every year --on-bad-row reject --rejects badX.csv --partial-out pX", 0);
    run("merge qX pX", 0);
    assert!(run("merge pX pX", 2).contains("is an input: it would be overwritten"));
    run("update stateX a.csv", 0);
    run("merge bothX stateX", 0);
    run("sketch a.csv --window 2023 -o sX.theta", 0);
    ["bothX", "qX", "sX.theta"].iter().for_each(|held| drop(run(&format!("inspect {held}"), 0)));
    ["aX.csv", "rX.json", "rX.md", "rfmX.csv", "mX.csv", "badX.csv"].iter().for_each(|name| assert!(has(name), "{name}"));
    assert!(run("audit aX.csv --every year", 2).starts_with("lensflow: INPUT: \"a\\xFF.csv\" is not UTF-8"));
    assert!(run("audit a.csv --every yearX", 2).starts_with("lensflow: --every: \"year\\xFF\" is not UTF-8"));
    run("audit a.csv --every year --save-spec specX.toml", 0);
    run("check specX.toml", 0);
    assert!(run("audit a.csv --every year --report rX.json --save-spec -", 2).starts_with("lensflow: --report: a spec is UTF-8"));
}
