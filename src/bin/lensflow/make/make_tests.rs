//! Every key is taken by some job, and jobs have what was said.

use super::{Made, job};
use crate::layers::Said;
use crate::options::option_table::{Form, OPTIONS};
use lensflow::jobs::follow::{Feed, Finished};
use lensflow::model::{AmountFrom, AmountUnit, Encoding, IdFormat, NaiveTimes, NumberFormat, Quote, ReadOptions};
use lensflow::model::{TransactionColumn, TransactionColumns};
use lensflow::orders::{Anonymous, Duplicates, Lines, OrderOptions, Refunds};
use lensflow::pipeline::Order;
use lensflow::source::transactions::TransactionOptions;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn said(text: &str) -> Said {
    Said::by_spec("spec.toml", text, Vec::new(), std::iter::empty()).unwrap()
}

/// Each of these is a job, and all of them together say every key.
const JOBS: &[&str] = &[
    r#"
    [source]
    inputs = ["a.csv"]
    format = "csv"
    on_bad_row = "reject"
    max_rejects = "5%"
    period_ends = "inclusive"
    [columns]
    customer_id = "a"
    period_start = "b"
    period_end = "c"
    total_orders = "d"
    total_spend = "e"
    last_transaction_ts = "f"
    [state]
    checkpoint = "kept"
    checkpoint_every = "5m"
    [windows]
    list = ["2023-Q1"]
    as_of = "2023-03-20"
    [limits]
    workers = 2
    memory_limit = "1GiB"
    spill_dir = "spill"
    batch_rows = 100
    [report]
    out = ["r.json", "r.html"]
    percentiles = 10
    cohorts = true
    cohorts_out = "cohorts.parquet"
    json_numbers = "text"
    template = "page.html"
    currency = "EUR"
    locale = "de"
    csv_safe = true
    migration_out = "m.csv"
    rejects = "bad.csv"
    partial_out = "part"
    [rfm]
    out = "rfm.csv"
    columns = "+last_order_ts"
    bins = 3
    cuts = "recency=30,60,90,180"
    cuts_out = "cuts.json"
    cuts_window = "2023-Q1"
    segments = "standard"
    sorted = true
    "#,
    r#"
    [source.synthetic]
    customers = "10K"
    scenario = "stable"
    seed = 18_446_744_073_709_551_615
    from = "2023-02"
    to = "2023-03"
    skew = "hot"
    ids = "email"
    null_timestamps = 1
    "#,
    r#"
    [source]
    inputs = ["a.csv"]
    on_bad_row = "reject"
    [state]
    path = "state"
    every = "quarter"
    allow_duplicate = true
    replace = true
    rejects = "bad.csv"
    "#,
    r#"
    [state]
    path = "state"
    merge = ["a", "b"]
    allow_duplicate = true
    disjoint = true
    [windows]
    every = "year"
    year_starts = "04-01"
    "#,
    r#"
    [source]
    follow = "inbox"
    glob = "*.csv"
    poll = "1s"
    finished = "move"
    done = "done"
    quarantine = "bad"
    [state]
    path = "state"
    commit = "1m"
    commit_rows = 5
    allow_changed = true
    undo = "7d"
    [report]
    refresh = 0
    [serve]
    metrics = "0.0.0.0:80"
    "#,
    r#"
    [source]
    inputs = ["orders.csv"]
    from = "transactions"
    layout = "none"
    id_format = "integer"
    sheet = "Sheet1"
    max_field = "2MiB"
    date_format = ["%d.%m.%Y"]
    encoding = "latin1"
    null = ["NULL", "\\N"]
    number_format = "1.234,56"
    amount_unit = "cents"
    naive_times = "local"
    quote = "none"
    escape = "~"
    header_line = 3
    only = ["status=paid"]
    except = ["kind=test"]
    [transactions]
    amount = "total"
    policy = "strict"
    anonymous_id = ["0", "Guest"]
    one_row_per_order = false
    refunds = "net"
    anonymous = "report"
    duplicates = "keep"
    timezone = "Europe/Berlin"
    [columns]
    customer_id = "a"
    order_id = "b"
    event_ts = "c"
    quantity = "d"
    unit_price = "e"
    line_total = "f"
    line_margin = "g"
    unit_margin = "h"
    unit_cost = "i"
    product_id = "j"
    "#,
    r#"
    [source]
    inputs = ["orders.csv"]
    [periods]
    every = "month"
    out = "periods.csv"
    "#,
    r#"
    [source]
    inputs = ["a.csv"]
    fail_fast = true
    [sketch]
    window = "2023-Q3"
    lg_k = 12
    out = "a.theta"
    "#,
    r#"
    [compare]
    a = "a.theta"
    b = "b.theta"
    json = true
    disjoint = true
    "#,
    r#"
    [source.synthetic]
    customers = 10
    [generate]
    out = "a"
    as = "transactions"
    format = "csv"
    "#,
    r#"
    [source]
    inputs = ["orders.csv"]
    [peek]
    all = true
    json = true
    "#,
    r#"
    [inspect]
    path = "state"
    json = true
    "#,
    r#"
    [segments]
    action = "check"
    of = "standard"
    "#,
    r#"
    [manage]
    action = "history"
    state = "state"
    json = true
    "#,
    r#"
    [manage]
    action = "export"
    state = "state"
    out = "a.csv"
    "#,
    r#"
    [manage]
    action = "remove"
    state = "state"
    names = ["a.csv"]
    "#,
    r#"
    [manage]
    action = "drop"
    state = "state"
    before = "2023-01-01"
    "#,
    r#"
    [source]
    inputs = ["a.csv"]
    from = "transactions"
    [state]
    path = "state"
    order_ids = "keep"
    "#,
];

#[test]
fn every_key_is_taken_somewhere() {
    let mut taken = BTreeSet::new();
    for text in JOBS {
        let mut said = said(text);
        job(&mut said).unwrap_or_else(|error| panic!("{text}: {error}"));
        taken.extend(said.entries().map(|entry| entry.row.key));
    }
    assert_eq!(taken, OPTIONS.iter().map(|row| row.key).collect());
}

/// A spec that is written from a spec says as much.
#[test]
fn specs_are_written_as_they_are_read() {
    for text in JOBS {
        let (first, again) = (said(text), said(&said(text).toml().unwrap()));
        let values = |said: &Said| {
            said.entries().filter(|e| e.row.form != Form::Table).map(|e| (e.row.key, e.value.to_string())).collect::<Vec<_>>()
        };
        assert_eq!((values(&first), first.kind), (values(&again), again.kind));
        assert_eq!(first.toml().unwrap(), again.toml().unwrap());
    }
}

#[test]
fn jobs_have_what_was_said() {
    let job = |at: usize| job(&mut said(JOBS[at])).unwrap();
    let Made::Audit(audit) = job(0) else { panic!("an audit") };
    assert_eq!(audit.checkpoint, Some((PathBuf::from("kept"), Duration::from_secs(300))));
    assert_eq!((audit.outputs.partial.as_deref(), audit.outputs.order), (Some(Path::new("part")), Order::Sorted));
    assert_eq!((audit.spec.percentiles.as_slice(), audit.spec.columns.0.len()), (&[10][..], 6));
    let Made::Update(update) = job(2) else { panic!("an update alone") };
    assert!(update.allow_duplicate && update.on_bad_row.is_some() && update.audit.is_none());
    let Made::Merge(merge) = job(3) else { panic!("a merge and an audit") };
    assert!(merge.inputs.len() == 2 && merge.audit.is_some());
    let Made::Follow(follow) = job(4) else { panic!("following") };
    let Feed::Inbox { finished, poll, .. } = &follow.feed else { panic!("an inbox") };
    assert_eq!((finished, poll), (&Finished::Move(PathBuf::from("done")), &Duration::from_secs(1)));
    assert_eq!((follow.commit, follow.commit_rows, follow.refresh), (Duration::from_secs(60), 5, Duration::ZERO));
    assert_eq!(follow.metrics.unwrap().to_string(), "0.0.0.0:80");
}

/// Whichever job takes lines in, they are read and grouped as was said; the audit of a state that they went into knows nothing of them.
#[test]
fn lines_are_what_was_said() {
    let columns = TransactionColumn::ALL.into_iter().zip("bacdefghij".chars().map(String::from)).collect();
    let reading = ReadOptions::default()
        .with_id_format(IdFormat::Integer)
        .with_date_formats(["%d.%m.%Y"])
        .with_encoding(Encoding::Latin1)
        .with_nulls(["NULL", "\\N"])
        .with_number_format(NumberFormat::PointComma)
        .with_amount_unit(AmountUnit::Cents)
        .with_naive_times(NaiveTimes::Local)
        .with_quote(Quote::None)
        .with_escape('~')
        .with_header_line(3)
        .with_sheet(Some("Sheet1".to_owned()))
        .with_max_field(Some(2 << 20))
        .with_only(["status=paid".parse().unwrap()])
        .with_except(["kind=test".parse().unwrap()]);
    let options = TransactionOptions::default()
        .with_one_row_per_order(false)
        .with_amount(AmountFrom::Total)
        .with_anonymous_ids(["0", "Guest"])
        .with_reading(reading);
    let timezone = "Europe/Berlin".parse().unwrap();
    let orders = OrderOptions::default()
        .with_refunds(Refunds::Net)
        .with_anonymous(Anonymous::Report)
        .with_duplicates(Duplicates::Keep)
        .with_timezone(timezone);
    let lines = Some(Lines::default().with_columns(TransactionColumns(columns)).with_options(options).with_orders(orders));
    let with = |more: &str| job(&mut said(&format!("{}{more}", JOBS[5]))).unwrap();
    let Made::Audit(audit) = with("") else { panic!("an audit") };
    assert!(audit.lines == lines && audit.spec.columns.0.is_empty());
    let Made::Update(update) = with("[state]\npath = 'x'\n[rfm]\nbins = 4") else { panic!("an update and an audit") };
    assert!(update.lines == lines && update.spec.columns.0.is_empty() && update.audit.unwrap().lines.is_none());
    let inbox = JOBS[5].replace("inputs = [\"orders.csv\"]", "follow = 'inbox'").replace("layout = \"none\"", "") + "[state]\npath = 'x'";
    let Made::Follow(follow) = job(&mut said(&inbox)).unwrap() else { panic!("following") };
    assert!(follow.lines == lines && follow.spec.columns.0.is_empty());
    // Without a word, what flags take without a word.
    let Made::Audit(audit) = job(&mut said("[source]\ninputs = 'a.csv'\nfrom = 'transactions'")).unwrap() else { panic!("an audit") };
    assert_eq!(audit.lines, Some(Lines::default()));
    let Made::Audit(audit) = job(&mut said("[source]\ninputs = 'a.csv'\nfrom = 'periods'")).unwrap() else { panic!("an audit") };
    assert_eq!(audit.lines, None);
}
