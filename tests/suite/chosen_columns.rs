//! The columns of RFM rows that are asked for: what they hold is what a plain model says, in every format and order, whatever the threads
//! and the memory; without a word of them nothing changes; what the rows do not tell is refused.

use crate::make::{Table, items, items_csv, order_options};
use crate::support::{Golden, config, lensflow, read_parquet};
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use lensflow::model::{MaxRejects, OnBadRow, TransactionColumn, TransactionColumns, Windows};
use lensflow::orders::Lines;
use lensflow::pipeline::Order;
use lensflow::report::rfm_columns::RfmColumns;
use lensflow::report::rows::rfm_schema;
use lensflow::report::table::TableWriter;
use lensflow::time::{format_timestamp, parse_timestamp};
use lensflow::{Error, Pipeline, Result};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const USUAL: &str =
    "window,customer_id,recency_days,frequency,monetary,total_spend,observation_start,observation_end,r_score,f_score,m_score,rfm_score";
const DAY: i64 = 86_400_000_000;
/// Memory for all states of the tests.
const MUCH: u64 = 1 << 30;
const FORMATS: [&str; 4] = ["rfm.csv", "rfm.jsonl", "rfm.parquet", "rfm.arrow"];

/// A text with a line for each row, as CSV has it.
fn text_of(batch: &RecordBatch) -> String {
    let mut out = Vec::new();
    let writer = arrow::csv::WriterBuilder::new().with_timestamp_format("%Y-%m-%dT%H:%M:%S%.f".to_owned());
    writer.build(&mut out).write(batch).unwrap();
    String::from_utf8(out).unwrap()
}

/// Rows of a file in any of the formats, as CSV; those of a CSV as they are.
fn rows_of(path: &Path) -> String {
    let bytes = fs::read(path).unwrap();
    match path.extension().unwrap().to_str().unwrap() {
        "parquet" => text_of(&read_parquet(path)),
        "arrow" => {
            let reader = arrow::ipc::reader::FileReader::try_new(std::io::Cursor::new(bytes), None).unwrap();
            let schema = reader.schema();
            text_of(&concat_batches(&schema, &reader.map(|batch| batch.unwrap()).collect::<Vec<_>>()).unwrap())
        }
        "jsonl" => {
            let (text, mut csv) = (String::from_utf8(bytes).unwrap(), String::new());
            // As the fields were written: a JSON object need not keep their order.
            let field = |field: &str| match field.split_once(':').unwrap() {
                (name, "null") => (name.trim_matches('"').to_owned(), String::new()),
                (name, value) => (name.trim_matches('"').to_owned(), value.trim_matches('"').to_owned()),
            };
            for line in text.lines() {
                let fields = line.trim_start_matches('{').trim_end_matches('}').split(",\"");
                let (names, values): (Vec<_>, Vec<_>) = fields.map(field).unzip();
                if csv.is_empty() {
                    csv = names.join(",") + "\n";
                }
                csv += &(values.join(",") + "\n");
            }
            csv
        }
        _ => String::from_utf8(bytes).unwrap(),
    }
}

/// The first customers of a real shop, whose orders have no refunds.
fn shop() -> Table {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/cdnow_transactions.csv")).unwrap();
    let mut table = Table::parse(&text);
    table.rows.retain(|row| row[1].as_str() < "00900");
    // Dates have a time of day, other than midnight for most.
    table.rows.iter_mut().for_each(|row| row[2] = format!("{}T{:02}:30:00", row[2], row[0].parse::<u32>().unwrap() % 24));
    table
}

/// What a customer did in a window.
#[derive(Default)]
struct Did {
    orders: BTreeSet<String>,
    first: i64,
    last: i64,
    cents: i64,
}

fn moment(text: &str) -> i64 {
    parse_timestamp(text.as_bytes()).unwrap()
}

fn day(time: i64) -> i64 {
    time.div_euclid(DAY)
}

/// The rows of some columns, by window and customer: orders are by id, or what a customer buys on one day.
fn model(table: &Table, windows: &[Bounds], by_day: bool, row: impl Fn(Bounds, &str, &Did) -> String) -> Vec<String> {
    let mut did: BTreeMap<(usize, &str), Did> = BTreeMap::new();
    // A customer's lines of an order have the time of the earliest.
    let order_of = |line: &Vec<String>| if by_day { format!("{} {}", line[1], &line[2][..10]) } else { line[0].clone() };
    let mut times: BTreeMap<String, i64> = BTreeMap::new();
    for line in &table.rows {
        let time = moment(&line[2]);
        times.entry(order_of(line)).and_modify(|first| *first = time.min(*first)).or_insert(time);
    }
    for line in &table.rows {
        let order = order_of(line);
        let time = times[&order];
        let window = windows.iter().position(|(_, start, end)| (*start..*end).contains(&time)).unwrap();
        let did = did.entry((window, line[1].as_str())).or_insert_with(|| Did { first: time, last: time, ..Did::default() });
        (did.first, did.last) = (did.first.min(time), did.last.max(time));
        did.orders.insert(order);
        did.cents += line[4].replace('.', "").parse::<i64>().unwrap();
    }
    did.iter().map(|((window, customer), did)| row(windows[*window], customer, did)).collect()
}

fn money(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

type Bounds = (&'static str, i64, i64);

/// The one window of all of the data, and its quarters.
fn bounds() -> [(Vec<Bounds>, &'static str); 2] {
    let at = |text: &str| moment(text);
    let quarters = ["1997-01-01", "1997-04-01", "1997-07-01", "1997-10-01", "1998-01-01", "1998-04-01", "1998-07-01"];
    let names = ["1997-Q1", "1997-Q2", "1997-Q3", "1997-Q4", "1998-Q1", "1998-Q2"];
    let quarters = names.iter().zip(quarters.windows(2)).map(|(name, pair)| (*name, at(pair[0]), at(pair[1]))).collect();
    [(vec![("all", at("1997-01-01"), at("1998-07-01"))], "all"), (quarters, "quarter")]
}

/// The rows of a run of the library, in both orders: the second sorted by text, as the first is.
fn run(file: &Path, columns: &str, every: &str, by_day: bool, workers: usize, budget: u64) -> Result<[Vec<String>; 2]> {
    let order = if by_day { "customer_id+day" } else { "order_id" };
    let lines = Lines::default().with_columns(TransactionColumns([(TransactionColumn::OrderId, order.to_owned())].into()));
    let builder = Pipeline::builder().windows(Windows::Every(every.parse()?)).rfm_columns(columns.parse()?);
    let mut pipeline = builder.workers(workers).state_budget(budget).build()?;
    let stats = pipeline.stats();
    pipeline.run_transactions(lines.find(&[file.to_string_lossy()], None, 1_000)?, &lines)?;
    let audit = pipeline.finish()?;
    assert_eq!(stats.snapshot().runs > 0, budget < MUCH);
    let rows = |order| -> Result<Vec<String>> {
        let batches = audit.rfm(order)?.collect::<Result<Vec<_>>>()?;
        let text = text_of(&concat_batches(&audit.rfm_schema(), &batches).unwrap());
        Ok(text.lines().map(str::to_owned).collect())
    };
    let mut in_order = rows(Order::Engine)?;
    in_order[1..].sort_unstable();
    Ok([in_order, rows(Order::Sorted)?])
}

/// Each choice of columns against the model: by threads, memory and order.
#[test]
fn columns_are_what_a_plain_model_says() {
    let folder = tempfile::tempdir().unwrap();
    let (table, file) = (shop(), folder.path().join("shop.csv"));
    fs::write(&file, table.to_csv()).unwrap();
    let time = format_timestamp;
    for (windows, every) in &bounds() {
        let named = |name: &str| if *every == "all" { String::new() } else { format!(",{name}") };
        let shown = |days: i64| time(days * DAY)[..10].to_owned();
        let recency = |end: i64, did: &Did| (end - did.last).div_euclid(DAY);
        let of_r = |(name, _, end): Bounds, customer: &str, did: &Did| {
            let (day, spend) = (shown(day(did.last)), money(did.cents));
            format!("{customer},{day},{},{},{spend}{}", recency(end, did), did.orders.len(), named(name))
        };
        let of_lifetimes = |(name, _, end): Bounds, customer: &str, did: &Did| {
            let days = [day(did.last) - day(did.first), day(end - 1) - day(did.first)];
            format!("{customer},{},{},{}{}", did.orders.len() - 1, days[0], days[1], named(name))
        };
        let of_times = |(name, start, end): Bounds, customer: &str, did: &Did| {
            let times = [did.first, start, end, did.last].map(time).join(",");
            format!("{customer},{},{times},{name}", money(did.cents))
        };
        let window = if *every == "all" { "" } else { ",window" };
        let (r, by_days) = (model(&table, windows, false, of_r), model(&table, windows, true, of_lifetimes));
        let times = "customer_id,total_spend,first_order_ts,observation_start,observation_end,last_order_ts,window";
        let cases = [
            ("r", false, format!("customer_id,date_most_recent,recency_days,transaction_count,amount{window}"), r),
            ("lifetimes", true, format!("customer_id,frequency,recency,T{window}"), by_days),
            (times, false, times.to_owned(), model(&table, windows, false, of_times)),
        ];
        for (columns, by_day, header, rows) in cases {
            let expected: Vec<String> = std::iter::once(header).chain(rows).collect();
            for (workers, budget) in [(1, MUCH), (7, 20_000), (1, 1)] {
                let [in_order, sorted] = run(&file, columns, every, by_day, workers, budget).unwrap();
                assert!(sorted == expected, "{columns} by {every}, {workers}: {:?}", sorted.iter().zip(&expected).find(|(a, b)| a != b));
                let mut unordered = expected.clone();
                unordered[1..].sort_unstable();
                assert!(in_order == unordered, "{columns} by {every}, {workers}");
            }
        }
        // These are some of the usual columns, in another order.
        let all = run(&file, USUAL, every, false, 2, MUCH).unwrap();
        let fields = "customer_id,recency_days,frequency,monetary,observation_start,observation_end,total_spend,r_score,f_score,m_score";
        for (columns, names) in
            [("autoclv", format!("{fields},rfm_score{window}")), ("rfm_score,customer_id", "rfm_score,customer_id".into())]
        {
            let mut found = run(&file, columns, every, false, 7, 1).unwrap();
            for (found, all) in found.iter_mut().zip(&all) {
                let names: Vec<String> = names.split(',').map(str::to_owned).collect();
                let mut expected = Table::parse(&all.join("\n")).select(&names).rows;
                let mut rows = Table::parse(&found.join("\n")).select(&names).rows;
                expected.sort_unstable();
                rows.sort_unstable();
                assert!(found[0] == names.join(",") && rows == expected, "{columns} by {every}");
            }
        }
    }
}

/// The four formats hold one table, in either order, and the usual columns are the same bytes whether they are named or not.
#[test]
fn formats_agree() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("shop.csv"), shop().to_csv()).unwrap();
    let audit = |more: &[&str]| {
        let arguments = ["audit", "shop.csv", "--from", "transactions", "--every", "quarter", "-q", "--report", "r.json", "--rfm-out"];
        lensflow(folder.path(), &[&arguments, more].concat()).expect(0);
    };
    let more = format!("{USUAL},last_order_ts,first_order_ts");
    for sorted in [&[][..], &["--sorted"]] {
        for (columns, header) in [
            ("+last_order_ts,first_order_ts", more.as_str()),
            ("r", "customer_id,date_most_recent,recency_days,transaction_count,amount,window"),
            ("lifetimes", "customer_id,frequency,recency,T,window"),
        ] {
            let by_day: &[&str] = if columns == "lifetimes" { &["--column", "order_id=customer_id+day"] } else { &[] };
            let mut first = None;
            for (at, name) in FORMATS.into_iter().enumerate() {
                audit(
                    &[&[name, "--columns", columns, "--workers", ["1", "7"][at % 2], "--memory-limit", "110MiB"], by_day, sorted].concat(),
                );
                let rows = rows_of(&folder.path().join(name));
                assert!(rows.starts_with(&format!("{header}\n")) && rows.lines().count() > 1_000, "{}", &rows[..200]);
                assert!(*first.get_or_insert_with(|| rows.clone()) == rows, "{name} of {columns}");
            }
        }
        for name in FORMATS {
            let path = folder.path().join(name);
            audit(&[&[name], sorted].concat());
            let usual = fs::read(&path).unwrap();
            audit(&[&[name, "--columns", USUAL], sorted].concat());
            assert!(fs::read(&path).unwrap() == usual && rows_of(&path).starts_with(&format!("{USUAL}\n")), "{name}");
        }
    }
}

/// A customer of whom no row has a time of a last transaction has none; presets say so, too.
#[test]
fn a_last_order_may_be_unknown() {
    let golden = Golden::load("16_some_timestamps");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("p.csv"), &golden.csv).unwrap();
    let at = |name: &str| golden.table.header.iter().position(|n| n == name).unwrap();
    let (customer, start, last) = (at("customer_id"), at("period_start"), at("last_transaction_ts"));
    let mut expected: BTreeMap<(String, String), i64> = BTreeMap::new();
    for row in golden.table.rows.iter().filter(|row| !row[last].is_empty()) {
        let window = if row[start].as_str() < "2023-07" { "h1" } else { "h2" };
        let latest = expected.entry((window.to_owned(), row[customer].clone())).or_insert(i64::MIN);
        *latest = moment(&row[last]).max(*latest);
    }
    let arguments = golden.arguments();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    for (columns, place) in [("window,customer_id,last_order_ts", [0, 1, 2]), ("r", [5, 0, 1])] {
        for name in FORMATS {
            let more = ["audit", "p.csv", "--rfm-out", name, "--columns", columns, "--sorted", "-q", "--report", "r.json"];
            lensflow(folder.path(), &[&more, &arguments[..]].concat()).expect(0);
            let rows = Table::parse(&rows_of(&folder.path().join(name))).rows;
            for row in &rows {
                let [window, customer, last] = place.map(|at| row[at].clone());
                let known = expected.get(&(window, customer)).map(|&time| format_timestamp(time)).unwrap_or_default();
                assert_eq!(last, if columns == "r" { known.get(..10).unwrap_or_default() } else { &known }, "{name}: {row:?}");
            }
            let unknown = rows.iter().filter(|row| row[place[2]].is_empty()).count();
            assert!((1..rows.len()).contains(&unknown), "{name}: {unknown} of {}", rows.len());
        }
    }
}

proptest! {
    #![proptest_config(config(48))]

    /// That rows begin with the moments of orders changes nothing else: not with refunds, nor with windows that leave some out.
    #[test]
    fn keeping_first_orders_changes_nothing_else(
        items in items(), options in order_options(), workers in 1..4usize, spills in any::<bool>(), sorted in any::<bool>(),
        windows in prop::sample::select(vec!["month", "week", "all", "2023-01-10..2023-02-01 2023-02-10..", "..2023-01-20@2023-01-15 2023-03"]),
        as_of in prop::option::of(prop::sample::select(vec!["2023-01-17", "2023-02-20T03:30:00"])),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("lines.csv");
        fs::write(&file, items_csv(&items)).unwrap();
        let lines = Lines::default().with_orders(options);
        let every = || Ok::<_, Error>(Windows::Every(windows.parse()?));
        let windows = every().or_else(|_| windows.split(' ').map(str::parse).collect::<Result<_>>().map(Windows::List)).unwrap();
        let as_of = as_of.map(|text| lensflow::model::as_of(text).unwrap());
        let as_of = as_of.filter(|_| matches!(windows, Windows::Every(_)));
        let audit = |columns: &str| -> Result<_> {
            let spec = lensflow::Spec::default().with_windows(windows.clone()).with_as_of(as_of).with_workers(workers);
            let spec = spec.with_on_bad_row(OnBadRow::Reject).with_max_rejects(MaxRejects::Rows(u64::MAX));
            let builder = Pipeline::builder().spec(spec).rfm_columns(columns.parse()?);
            let mut pipeline = if spills { builder.state_budget(1) } else { builder }.build()?;
            pipeline.run_transactions(lines.find(&[file.to_string_lossy()], None, 7)?, &lines)?;
            pipeline.finish()
        };
        let (usual, more) = (audit(USUAL).unwrap(), audit("+first_order_ts,last_order_ts").unwrap());
        prop_assert_eq!(usual.report.to_json().unwrap(), more.report.to_json().unwrap());
        let left_out = |audit: &lensflow::Audit| audit.rejects().map(|reject| format!("{:?}", reject.unwrap())).collect::<Vec<_>>();
        prop_assert_eq!(left_out(&usual), left_out(&more));
        let order = if sorted { Order::Sorted } else { Order::Engine };
        let text = |batches: Vec<RecordBatch>| batches.iter().map(text_of).collect::<String>();
        let all = |audit: &lensflow::Audit| text(audit.migrations(order).unwrap().map(|batch| batch.unwrap()).collect());
        prop_assert_eq!(all(&usual), all(&more));
        let twelve = |audit: &lensflow::Audit| {
            let rows = audit.rfm(order).unwrap().map(|batch| batch.unwrap().project(&(0..12).collect::<Vec<_>>()).unwrap());
            text(rows.collect())
        };
        prop_assert_eq!(twelve(&usual), twelve(&more));
        // A first order lies in its window, and not after the last.
        for batch in more.rfm(order).unwrap() {
            let rows = Table::parse(&text_of(&batch.unwrap())).rows;
            for row in rows {
                let [start, end, first, last] = [6, 7, 12, 13].map(|at| moment(&row[at]));
                prop_assert!(start <= first && first <= last && last <= end, "{row:?}");
                prop_assert!(row[3] != "1" || first == last, "{row:?}");
            }
        }
    }
}

/// Money given back is no first order, whether it lies in an order's window or comes alone; what is observed begins with the window.
#[test]
fn refunds_are_no_first_orders() {
    let folder = tempfile::tempdir().unwrap();
    let lines = "order_id,customer_id,event_ts,line_total\n1,ana,2023-01-03T10:00:00,-5\n2,ana,2023-01-20T11:00:00,30\n3,ana,2023-02-28T12:00:00,8\n\
        4,ben,2023-01-05T09:00:00,-1\n5,cem,2023-01-06T08:00:00,9\n5,cem,2023-01-02T08:00:00,-2\n6,cem,2023-01-31T23:00:00,-1\n7,dan,2023-02-01T07:00:00,4\n";
    fs::write(folder.path().join("l.csv"), lines).unwrap();
    let rows = |windows: &[&str], columns: &str| {
        let arguments = ["audit", "l.csv", "--from", "transactions", "--refunds", "net", "--rfm-out", "-", "--sorted", "-q", "--columns"];
        let run = lensflow(folder.path(), &[&arguments[..], &[columns], windows].concat()).expect(0);
        run.out().lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let columns = "customer_id,frequency,total_spend,observation_start,first_order_ts,last_order_ts";
    let january = [
        "ana,1,25.00,2023-01-01T00:00:00,2023-01-20T11:00:00,2023-01-20T11:00:00",
        "cem,1,6.00,2023-01-01T00:00:00,2023-01-06T08:00:00,2023-01-06T08:00:00",
    ];
    let february = [
        "ana,1,8.00,2023-02-01T00:00:00,2023-02-28T12:00:00,2023-02-28T12:00:00",
        "dan,1,4.00,2023-02-01T00:00:00,2023-02-01T07:00:00,2023-02-01T07:00:00",
    ];
    for windows in [&["--every", "month"][..], &["--window", "2023-01", "--window", "2023-02"]] {
        assert_eq!(rows(windows, columns), [january, february].concat());
    }
    let all = [
        "ana,2,33.00,2023-01-06T00:00:00,2023-01-20T11:00:00,2023-02-28T12:00:00",
        "cem,1,6.00,2023-01-06T00:00:00,2023-01-06T08:00:00,2023-01-06T08:00:00",
        "dan,1,4.00,2023-01-06T00:00:00,2023-02-01T07:00:00,2023-02-01T07:00:00",
    ];
    assert_eq!(rows(&["--every", "all"], columns), all);
    // Without the times of orders, likewise; and of a state of orders.
    let start = "customer_id,observation_start";
    let starts = |rows: &[&str]| rows.iter().map(|row| [0, 3].map(|at| row.split(',').nth(at).unwrap()).join(",")).collect::<Vec<_>>();
    assert_eq!(rows(&["--every", "all"], start), starts(&all));
    let quarter = ["ana,2023-01-01T00:00:00", "cem,2023-01-01T00:00:00", "dan,2023-01-01T00:00:00"];
    assert_eq!(rows(&["--window", "2023-Q1"], start), quarter);
    lensflow(folder.path(), &["update", "state", "l.csv", "--from", "transactions", "--refunds", "net", "-q"]).expect(0);
    for every in ["quarter", "year", "all"] {
        let state = ["audit", "state", "--every", every, "--rfm-out", "-", "--sorted", "-q", "--columns", USUAL];
        let state = lensflow(folder.path(), &state).expect(0);
        assert_eq!(state.out().lines().skip(1).collect::<Vec<_>>(), rows(&["--every", every], USUAL), "{every}");
    }
}

/// An order at the observation end itself is observed, and its day is the last one.
#[test]
fn an_age_is_no_less_than_the_days_active() {
    let folder = tempfile::tempdir().unwrap();
    let lines = "customer_id,event_ts,line_total\nana,2023-01-01,5\nana,2023-01-01,4\nana,2023-01-11,5\nben,2023-01-04,1\n";
    fs::write(folder.path().join("l.csv"), lines).unwrap();
    let arguments =
        "audit l.csv --from transactions --column order_id=customer_id+day --rfm-out - --sorted -q --columns lifetimes --window";
    let arguments: Vec<&str> = arguments.split(' ').chain(["2023-01-01..2023-02-01@2023-01-11"]).collect();
    assert_eq!(lensflow(folder.path(), &arguments).expect(0).out(), "customer_id,frequency,recency,T\nana,1,10,10\nben,0,0,6\n");
}

#[test]
fn what_rows_do_not_tell_is_refused() {
    for (text, wanted) in [
        ("", "a column's name is missing"),
        ("+", "a column's name is missing"),
        ("customer_id,customer_id", "named twice"),
        ("+last_order_ts,+last_order_ts", "named twice"),
        ("customer_id,+last_order_ts", "to be added"),
        ("lifetimes,customer_id", "\"lifetimes\" is no column"),
        ("customer_id=cust", "is no column"),
    ] {
        let error = text.parse::<RfmColumns>().unwrap_err();
        assert!(error.to_string().contains(wanted) && error.advice().is_some(), "{text}: {error}");
    }
    assert!("nothing".parse::<RfmColumns>().unwrap_err().advice().unwrap().contains("rfm_score, last_order_ts, first_order_ts"));
    let columns = |text: &str| text.parse::<RfmColumns>().unwrap();
    assert_eq!(columns(USUAL), RfmColumns::default());
    assert_eq!(columns(" + last_order_ts , first_order_ts").to_string(), "+last_order_ts,first_order_ts");
    assert_eq!([columns("r"), columns("rfm_score,window")].map(|columns| columns.to_string()), ["r", "rfm_score,window"]);

    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("l.csv"), "order_id,customer_id,event_ts,line_total\n1,ana,2023-01-03,5\n").unwrap();
    lensflow(folder.path(), &"update state l.csv --from transactions -q".split(' ').collect::<Vec<_>>()).expect(0);
    let by_day = "audit l.csv --from transactions --column order_id=customer_id+day --columns lifetimes";
    for (line, wanted) in [
        ("audit state --columns +first_order_ts", "--columns: first_order_ts is made of the moment of a first order"),
        ("audit state l.csv --from transactions --columns +first_order_ts", "nor saved states hold"),
        ("audit l.csv --from transactions --columns lifetimes", "--column order_id=customer_id+day"),
        ("audit l.csv --one-row-per-order --from transactions --columns lifetimes", "an order has an id of its own"),
        (&format!("{by_day} --timezone America/New_York"), "--timezone has other days"),
        (&format!("{by_day} --id-format trim"), "leave --id-format out"),
    ] {
        let line = format!("{line} --every year --rfm-out r.csv");
        let refused = lensflow(folder.path(), &line.split(' ').collect::<Vec<_>>()).expect(2);
        assert!(refused.stderr.contains(wanted), "{line}: {}", refused.stderr);
        assert!(!folder.path().join("r.csv").exists());
    }
    for line in
        [by_day.to_owned() + " --timezone America/New_York --naive-times local", by_day.replace("customer_id+day", "day+customer_id")]
    {
        let line = format!("{line} --every year --rfm-out r.csv");
        lensflow(folder.path(), &line.split(' ').collect::<Vec<_>>()).expect(0);
    }
    // A table for other rows is refused, in any order.
    let mut pipeline = Pipeline::builder().rfm_columns(columns("r")).build().unwrap();
    pipeline.run_files(&["examples/data/cdnow_periods.csv"]).unwrap();
    let audit = pipeline.finish().unwrap();
    let mut table = TableWriter::create(&folder.path().join("r.parquet"), None, &rfm_schema()).unwrap();
    for order in [Order::Engine, Order::Sorted] {
        let error = audit.write_rfm(&mut table, order).unwrap_err();
        assert!(error.to_string().contains("customer_id,date_most_recent,recency_days"), "{error}");
    }
    // The library refuses it, too, before rows are read.
    let mut pipeline = Pipeline::builder().rfm_columns(columns("+first_order_ts")).build().unwrap();
    let error = pipeline.run_files(&["examples/data/cdnow_periods.csv"]).unwrap_err();
    assert!(error.to_string().contains("period aggregations") && pipeline.stats().snapshot().rows_read == 0, "{error}");
}
