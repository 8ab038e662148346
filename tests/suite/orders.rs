//! Orders and line items: what they become is what a plain model says, whatever the format, the order of lines, the threads and the memory;
//! and an audit of them is the audit of their period aggregations.

use crate::model::config;
use crate::support::{Lensflow, lensflow};
use arrow::array::{ArrayRef, Decimal128Array, Int32Array, RecordBatch, StringArray, TimestampMillisecondArray};
use lensflow::model::TransactionColumns;
use lensflow::model::{Granularity, Windows};
use lensflow::model::{OnBadRow, Reason};
use lensflow::orders::{Anonymous, Duplicates, Lines, OrderOptions, Refunds};
use lensflow::pipeline::Order;
use lensflow::report::table::TableWriter;
use lensflow::source::files::Files;
use lensflow::source::transactions::TransactionOptions;
use lensflow::{Pipeline, Result};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/golden_transactions/tx_line_items");

/// The golden lines in other formats and orders.
fn golden(folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(format!("{GOLDEN}/transactions.csv")).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    let mut sorted: Vec<&str> = rows.lines().collect();
    sorted.sort_unstable();
    let mut shuffled = sorted.clone();
    shuffled.sort_by_key(|row| row.bytes().fold(7u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)));
    let csv = |rows: &[&str]| format!("{header}\n{}\n", rows.join("\n"));
    fs::write(folder.join("sorted.csv"), csv(&sorted)).unwrap();
    let (one, other) = shuffled.split_at(shuffled.len() / 3);
    fs::create_dir(folder.join("shuffled")).unwrap();
    fs::write(folder.join("shuffled/1.csv"), csv(one)).unwrap();
    let names: Vec<&str> = header.split(',').collect();
    let object = |row: &&str| {
        let fields: Vec<_> = names.iter().zip(row.split(',')).map(|(name, value)| format!("{name:?}:{value:?}")).collect();
        format!("{{{}}}\n", fields.join(","))
    };
    fs::write(folder.join("shuffled/2.jsonl"), other.iter().map(object).collect::<String>()).unwrap();
    // With the types that a database would give them.
    let column = |at: usize| shuffled.iter().map(move |row| row.split(',').nth(at).unwrap());
    let cents = |text: &str| {
        let (whole, part) = text.split_once('.').unwrap();
        whole.parse::<i128>().unwrap() * 100 + format!("{part:0<2}").parse::<i128>().unwrap()
    };
    let decimals = |at: usize| Decimal128Array::from_iter_values(column(at).map(cents)).with_precision_and_scale(18, 2).unwrap();
    let time = |text: &str| chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S").unwrap().and_utc().timestamp_millis();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("unit_cost", Arc::new(decimals(5))),
        ("order_id", Arc::new(StringArray::from_iter_values(column(0)))),
        ("quantity", Arc::new(Int32Array::from_iter_values(column(3).map(|text| text.parse::<i32>().unwrap())))),
        ("event_ts", Arc::new(TimestampMillisecondArray::from_iter_values(column(2).map(time)))),
        ("customer_id", Arc::new(StringArray::from_iter_values(column(1)))),
        ("unit_price", Arc::new(decimals(4))),
        ("product_id", Arc::new(StringArray::from_iter_values(column(6)))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut table = TableWriter::create(&folder.join("shuffled.parquet"), None, &batch.schema()).unwrap();
    table.write(&batch).unwrap();
    table.finish().unwrap().commit().unwrap();
    ["sorted.csv", "shuffled", "shuffled.parquet"].map(str::to_owned).to_vec()
}

#[test]
fn golden_cases_are_equal() {
    let folder = tempfile::tempdir().unwrap();
    for input in golden(folder.path()) {
        for every in ["month", "quarter", "year"] {
            let expected = fs::read_to_string(format!("{GOLDEN}/expected_{every}.csv")).unwrap();
            for workers in ["1", "7"] {
                let limit = if workers == "1" { "64MiB" } else { "2GiB" };
                let arguments = ["periods", &input, "--every", every, "-o", "p.csv", "--workers", workers, "--memory-limit", limit, "-q"];
                lensflow(folder.path(), &arguments).expect(0);
                let found = fs::read_to_string(folder.path().join("p.csv")).unwrap();
                assert_eq!(found, expected.replace("\r\n", "\n"), "{input} by {every}");
            }
            let audit = |input: &str, from: &str, out: &str| {
                let arguments = ["audit", input, "--from", from, "--every", every, "--rfm-out", out, "--report", "r.json"];
                lensflow(folder.path(), &arguments).expect(0);
                let report: serde_json::Value = serde_json::from_slice(&fs::read(folder.path().join("r.json")).unwrap()).unwrap();
                (fs::read(folder.path().join(out)).unwrap(), report["windows"].clone(), report["comparisons"].clone())
            };
            assert!(audit(&input, "transactions", "a.parquet") == audit("p.csv", "periods", "b.parquet"), "{input} by {every}");
        }
    }
}

/// A line, in cents and hours.
#[derive(Debug, Clone)]
struct Item {
    order: u8,
    customer: Option<u8>,
    hour: u16,
    quantity: i8,
    price: u16,
    margin: i16,
    product: u8,
}

fn items() -> impl Strategy<Value = Vec<Item>> {
    let customer = prop_oneof![1 => Just(None), 20 => (0..6u8).prop_map(Some)];
    let quantity = prop_oneof![1 => -3..0i8, 12 => 0..4i8];
    let item = (0..40u8, customer, 0..2_000u16, quantity, 0..900u16, -99..99i16, 0..3u8);
    // Most orders are of one customer, and some lines are there twice.
    let item = item.prop_map(|(order, customer, hour, quantity, price, margin, product)| {
        let customer = if order < 37 && customer.is_some() { Some(order % 6) } else { customer };
        Item { order, customer, hour, quantity, price, margin, product }
    });
    let item = prop_oneof![6 => item.clone().prop_map(|item| vec![item]), 1 => item.prop_map(|item| vec![item.clone(), item])];
    prop::collection::vec(item, 0..80).prop_map(|items| items.concat())
}

fn csv(items: &[Item]) -> String {
    let row = |item: &Item| {
        let customer = item.customer.map_or(String::new(), |id| format!("c{id}"));
        let (day, hour) = (item.hour / 24, item.hour % 24);
        let date = chrono::NaiveDate::from_ymd_opt(2023, 1, 1).unwrap() + chrono::Days::new(day.into());
        let Item { order, quantity, price, margin, product, .. } = item;
        // A tenth of a cent each, so that rounding an order is not rounding its lines.
        format!(
            "o{order},{customer},{date}T{hour:02}:30:00,{quantity},{}.{:03},{}{}.{:02},p{product}\n",
            price / 1_000,
            price % 1_000,
            if *margin < 0 { "-" } else { "" },
            margin.abs() / 100,
            margin.abs() % 100
        )
    };
    let head = "order_id,customer_id,event_ts,quantity,unit_price,unit_margin,product_id\n";
    items.iter().map(row).fold(head.to_owned(), |text, row| text + &row)
}

/// What is said of a customer in a month: orders, cents.
type Said = BTreeMap<(u8, u16), (i64, i64)>;

/// What customers did, lines left out by reason, refund lines, orders of nobody, and which line ends the run.
fn model(items: &[Item], options: &OrderOptions) -> (Said, BTreeMap<Reason, u64>, u64, u64, Option<usize>) {
    let mut rejected = BTreeMap::new();
    let mut reject = |reason, lines| *rejected.entry(reason).or_insert(0) += lines;
    let mut refunds = 0;
    let mut orders: BTreeMap<u8, Vec<&Item>> = BTreeMap::new();
    // Lines by themselves are all looked at before orders are.
    let (mut bad_line, mut bad_order) = (None, None);
    let place = |item: &Item| items.iter().position(|other| std::ptr::eq(item, other));
    for item in items {
        let refund = item.quantity < 0;
        match (item.customer, options.anonymous) {
            (None, Anonymous::Fail) => {
                reject(Reason::MissingValue, 1);
                bad_line = bad_line.or(place(item));
                continue;
            }
            (None, Anonymous::Drop) => continue,
            _ => {}
        }
        match options.refunds {
            Refunds::Fail if refund => {
                reject(Reason::Refund, 1);
                bad_line = bad_line.or(place(item));
                continue;
            }
            Refunds::Drop if refund => {
                refunds += 1;
                continue;
            }
            _ => refunds += u64::from(refund),
        }
        orders.entry(item.order).or_default().push(item);
    }
    let (mut said, mut nobody) = (Said::new(), 0);
    for lines in orders.into_values() {
        let mut seen = BTreeSet::new();
        // What lines are worth tells them apart, and not what makes it up.
        let worth = |item: &Item, each: i64| i64::from(item.quantity) * each;
        let key = |item: &Item| {
            (item.customer, item.hour, item.quantity, worth(item, item.price.into()), worth(item, item.margin.into()), item.product)
        };
        let lines: Vec<&Item> = match options.duplicates {
            Duplicates::Keep => lines,
            _ => lines
                .into_iter()
                .filter(|item| {
                    seen.insert(key(item)) || {
                        if options.duplicates == Duplicates::Fail {
                            reject(Reason::DuplicateLine, 1);
                            bad_order = bad_order.into_iter().chain(place(item)).min();
                        }
                        false
                    }
                })
                .collect(),
        };
        if let Some(other) = lines.iter().find(|item| item.customer != lines[0].customer) {
            bad_order = bad_order.into_iter().chain(place(other)).min();
            reject(Reason::OrderCustomerConflict, lines.len() as u64);
            continue;
        }
        let counts = lines.iter().any(|item| item.quantity >= 0);
        let hour = lines.iter().filter(|item| !counts || item.quantity >= 0).map(|item| item.hour).min().unwrap();
        let mills: i64 = lines.iter().map(|item| i64::from(item.quantity) * i64::from(item.price)).sum();
        let cents = if mills >= 0 { (mills + 5) / 10 } else { (mills - 5) / 10 };
        match lines[0].customer {
            None => nobody += u64::from(counts),
            Some(customer) => {
                let month =
                    (chrono::NaiveDate::from_ymd_opt(2023, 1, 1).unwrap() + chrono::Days::new((hour / 24).into())).format("%m").to_string();
                let entry = said.entry((customer, month.parse().unwrap())).or_default();
                *entry = (entry.0 + i64::from(counts), entry.1 + cents);
            }
        }
    }
    (said, rejected, refunds, nobody, bad_line.or(bad_order))
}

fn options() -> impl Strategy<Value = OrderOptions> {
    let refunds = prop_oneof![Just(Refunds::Fail), Just(Refunds::Net), Just(Refunds::Drop)];
    let anonymous = prop_oneof![Just(Anonymous::Fail), Just(Anonymous::Drop), Just(Anonymous::Report)];
    let duplicates = prop_oneof![Just(Duplicates::Fail), Just(Duplicates::Drop), Just(Duplicates::Keep)];
    (refunds, anonymous, duplicates).prop_map(|(refunds, anonymous, duplicates)| OrderOptions {
        refunds,
        anonymous,
        duplicates,
        ..Default::default()
    })
}

proptest! {
    #![proptest_config(config(48))]

    /// Whatever the lines, the policies, the threads and the memory: what customers did is what the model says, and every line is accounted for.
    #[test]
    fn orders_are_what_a_plain_model_says(items in items(), options in options(), workers in 1..4usize, budget in prop_oneof![Just(0u64), Just(20_000), Just(1 << 30)]) {
        let folder = tempfile::tempdir().unwrap();
        let half = items.len() / 2;
        for (name, some) in [("a.csv", &items[..half]), ("b.csv", &items[half..])] {
            fs::write(folder.path().join(name), csv(some)).unwrap();
        }
        let audit = |policy| -> Result<_> {
            let names = ["a.csv", "b.csv"].map(|name| folder.path().join(name).to_string_lossy().into_owned());
            let source = Files::find_transactions(&names, None, TransactionColumns::default(), &TransactionOptions::default(), 7)?;
            let builder = Pipeline::builder().windows(Windows::Every(Granularity::Month)).workers(workers).state_budget(budget).on_bad_row(policy);
            let mut pipeline = builder.build()?;
            pipeline.run_transactions(source, &Lines { orders: options.clone(), ..Lines::default() })?;
            pipeline.finish()
        };
        let (said, rejected, refunds, nobody, first) = model(&items, &options);
        let audit_of_all = audit(OnBadRow::Reject).unwrap();
        let summary = audit_of_all.report.input.transactions.clone().unwrap();
        prop_assert_eq!(summary.lines, items.len() as u64);
        prop_assert_eq!(&summary.lines_rejected, &rejected);
        prop_assert_eq!((summary.refund_lines, summary.anonymous_orders), (refunds, nobody));
        prop_assert_eq!(summary.orders as i64, said.values().map(|(orders, _)| orders).sum::<i64>());
        let mut found = Said::new();
        for batch in audit_of_all.rfm(Order::Engine).unwrap() {
            use arrow::array::AsArray;
            use arrow::datatypes::{Decimal128Type, Int64Type};
            let batch = batch.unwrap();
            let text = |name: &str, row: usize| arrow::util::display::array_value_to_string(batch.column_by_name(name).unwrap(), row).unwrap();
            for row in 0..batch.num_rows() {
                let month = text("window", row)[5..].parse().unwrap();
                let orders = batch.column_by_name("frequency").unwrap().as_primitive::<Int64Type>().value(row);
                let cents = batch.column_by_name("total_spend").unwrap().as_primitive::<Decimal128Type>().value(row) as i64;
                found.insert((text("customer_id", row)[1..].parse().unwrap(), month), (orders, cents));
            }
        }
        // Customers who only gave back, or more than they spent, are nobody's in a month.
        let valid: Said = said.into_iter().filter(|(_, (orders, cents))| *orders > 0 && *cents >= 0).collect();
        prop_assert_eq!(found, valid);
        let kept = audit_of_all.rejects().filter(|reject| reject.as_ref().is_ok_and(|reject| reject.window.is_none())).count() as u64;
        prop_assert_eq!(kept, rejected.values().sum::<u64>());
        if !rejected.is_empty() {
            let error = audit(OnBadRow::Fail).unwrap_err();
            let named = rejected.keys().any(|reason| error.to_string().contains(reason.name()));
            prop_assert!(named && error.advice().is_some(), "{error}");
            let first = first.unwrap() as u64;
            prop_assert_eq!(error.at_row(), Some(if first < half as u64 { first } else { first - half as u64 } + 1), "{}", error);
        }
    }
}

/// Orders of very many lines, in little memory and in much: lines that are there twice are found wherever they are, and so is who is not the
/// customer.
#[test]
fn large_orders_are_orders_like_any_other() {
    const LINES: usize = 6_000;
    let folder = tempfile::tempdir().unwrap();
    let line = |i: usize, customer: &str| format!("{},{customer},2023-01-05,{i}\n", if i.is_multiple_of(3) { "other" } else { "large" });
    let all: String = (0..LINES).map(|i| line(i, "a")).collect();
    let text = format!("order_id,customer_id,event_ts,line_total\n{all}{all}{}", line(LINES + 1, "b"));
    let file = folder.path().join("large.csv");
    let audit = |text: &str, duplicates, on_bad_row, budget| -> Result<_> {
        fs::write(&file, text).unwrap();
        let lines = Lines { orders: OrderOptions { duplicates, ..Default::default() }, ..Default::default() };
        let source = lines.find(&[file.to_string_lossy()], None, 500)?;
        let builder =
            Pipeline::builder().windows(Windows::Every(Granularity::Month)).workers(2).state_budget(budget).on_bad_row(on_bad_row);
        let mut pipeline = builder.keep_rejects(true).build()?;
        pipeline.run_transactions(source, &lines)?;
        pipeline.finish()
    };
    let sum: usize = (0..LINES).sum();
    for budget in [0, 100_000, 1 << 30] {
        let alone = text.trim_end().rsplit_once('\n').unwrap().0;
        let found = audit(alone, Duplicates::Drop, OnBadRow::Reject, budget).unwrap().report;
        assert_eq!(found.windows[0].lens1.total_revenue.to_string(), format!("{sum}.00"), "{budget}");
        assert_eq!(found.input.transactions.unwrap().duplicate_lines, LINES as u64);
        let error = audit(alone, Duplicates::Fail, OnBadRow::Fail, budget).unwrap_err();
        assert!(error.to_string().contains("duplicate_line") && error.at_row() == Some(LINES as u64 + 1), "{budget}: {error}");
        let error = audit(&text, Duplicates::Keep, OnBadRow::Fail, budget).unwrap_err();
        assert!(error.to_string().contains("order_customer_conflict") && error.at_row() == Some(2 * LINES as u64 + 1), "{budget}: {error}");
        let found = audit(&text, Duplicates::Drop, OnBadRow::Reject, budget).unwrap();
        let large = (LINES - LINES / 3) as u64 + 1;
        assert_eq!(found.report.input.transactions.as_ref().unwrap().lines_rejected[&Reason::OrderCustomerConflict], large, "{budget}");
        assert_eq!(found.rejects().count() as u64, large);
        assert_eq!(found.report.windows[0].lens1.total_revenue.to_string(), format!("{}.00", (0..LINES).step_by(3).sum::<usize>()));
    }
}

/// Of several things that are wrong with an order, the one that comes first in the input is named, also where lines that follow each other
/// are there twice.
#[test]
fn the_first_bad_line_of_an_order_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let lines = ["1,b,2023-01-05,1\n", "1,a,2023-01-05,2\n", "1,a,2023-01-05,2\n", "2,a,2023-01-05,3\n"];
    for (order, named) in [
        ([0, 1, 2, 3], "row 2 (line 3): customer \"a\": order_customer_conflict"),
        ([1, 2, 3, 0], "row 2 (line 3): customer \"a\": duplicate_line"),
    ] {
        let text = order.map(|at| lines[at]).concat();
        fs::write(folder.path().join("bad.csv"), format!("order_id,customer_id,event_ts,line_total\n{text}")).unwrap();
        let error = lensflow(folder.path(), &["audit", "bad.csv", "--from", "transactions", "--every", "year"]).expect(1).stderr;
        assert!(error.contains(named), "{error}");
    }
}

/// Rows that are whole orders are period aggregations, too, however little memory there is.
#[test]
fn whole_orders_are_spilled() {
    let folder = tempfile::tempdir().unwrap();
    let row = |i: usize| format!("customer number {},2023-01-05,{}\n", i % 100, i % 90);
    let text: String = (0..100_000).map(row).collect();
    fs::write(folder.path().join("whole.csv"), format!("customer_id,order_ts,line_total\n{text}")).unwrap();
    let periods = |limit: &str| {
        let arguments = ["periods", "whole.csv", "--one-row-per-order", "--every", "month", "-o", "p.csv", "--memory-limit", limit];
        lensflow(folder.path(), &[&arguments[..], &["--workers", "2"]].concat()).expect(0);
        fs::read_to_string(folder.path().join("p.csv")).unwrap()
    };
    let found = periods("64MiB");
    assert_eq!(found, periods("1GiB"));
    assert!(found.contains("\ncustomer number 7,2023-01-01T00:00:00,2023-02-01T00:00:00,1000,"), "{found}");
}

/// Zones, spreadsheets, whole orders: what a shop's export needs, on the command line.
#[test]
fn real_exports_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let text = "InvoiceNo;CustomerID;InvoiceDate;Quantity;UnitPrice;Description\n\
        536365;17850.0;12/1/2010 8:26;6;2.55;CAF\u{c9}\n536365;17850.0;12/1/2010 8:26;6;3.39;LAMP\n\
        536366;17850.0;12/31/2010 23:30;1;1.85;MUG\nC536379;14527.0;12/2/2010 9:41;-1;27.50;DISCOUNT\n536414;;12/1/2010 11:52;56;1.00;GIFT\n";
    let latin1: Vec<u8> = text.chars().map(|c| c as u8).collect();
    fs::write(at.join("retail.csv"), latin1).unwrap();
    let columns = ["order_id=InvoiceNo", "customer_id=CustomerID", "event_ts=InvoiceDate", "quantity=Quantity", "unit_price=UnitPrice"];
    let mut arguments = vec!["periods", "retail.csv", "--every", "month", "-o", "p.csv", "--encoding", "latin1", "--id-format", "integer"];
    columns.iter().for_each(|column| arguments.extend(["--column", column]));
    let refused = |arguments: &[&str], parts: &[&str]| {
        let ran = Lensflow::new(at, arguments).run().expect(1);
        parts.iter().for_each(|part| assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr));
        assert!(!at.join("p.csv").exists());
    };
    refused(&arguments, &["row 1 (line 2)", "bad_timestamp", "12/1/2010 8:26", "--date-format"]);
    arguments.extend(["--date-format", "%m/%d/%Y %H:%M"]);
    refused(&arguments, &["row 4", "refund", "--refunds net"]);
    arguments.extend(["--refunds", "drop"]);
    refused(&arguments, &["row 5", "missing_value", "--anonymous drop"]);
    arguments.extend(["--anonymous", "report", "--timezone", "Europe/Berlin"]);
    lensflow(at, &arguments).expect(0);
    let expected = "customer_id,period_start,period_end,total_orders,total_spend,total_margin,total_quantity,last_transaction_ts\n\
        17850,2010-12-01T00:00:00,2011-01-01T00:00:00,1,35.64,35.64,12,2010-12-01T09:26:00\n\
        17850,2011-01-01T00:00:00,2011-02-01T00:00:00,1,1.85,1.85,1,2011-01-01T00:30:00\n";
    assert_eq!(fs::read_to_string(at.join("p.csv")).unwrap(), expected);
    // Whole orders, one a row.
    fs::write(at.join("orders.csv"), "customer_id,order_ts,line_total\na,2023-01-05,1.50\na,2023-01-06,2\nb,2023-02-01,3\n").unwrap();
    let audit = ["audit", "orders.csv", "--from", "transactions", "--one-row-per-order", "--every", "month", "--report", "r.json"];
    lensflow(at, &audit).expect(0);
    let report: serde_json::Value = serde_json::from_slice(&fs::read(at.join("r.json")).unwrap()).unwrap();
    assert_eq!((&report["input"]["transactions"]["orders"], &report["windows"][0]["lens1"]["total_revenue"]), (&3.into(), &"3.50".into()));
    // What was left out, each line with its reason: of every order that fails, all lines.
    let text = "order_id,customer_id,event_ts,quantity,unit_price\n1,a,2023-01-05,1,2.50\n1,b,2023-01-06,1,3\n2,,2023-01-06,1,2\n\
        3,c,2023-13-05,x,2\n4,d,2023-02-01,1,5\n4,d,2023-02-01,1,5\n5,e,2023-02-03,-1,4.005\n\
        6,f,2023-02-04,1,9e14\n6,f,2023-02-04,1,8e14\n";
    fs::write(at.join("bad.csv"), text).unwrap();
    let expected = "source,row,line,window,reason,column,value,order_id,customer_id,event_ts,line_total\n\
        bad.csv,1,2,,order_customer_conflict,customer_id,a,1,a,2023-01-05T00:00:00,2.50\n\
        bad.csv,2,3,,order_customer_conflict,customer_id,b,1,b,2023-01-06T00:00:00,3.00\n\
        bad.csv,3,4,,missing_value,customer_id,,2,,2023-01-06T00:00:00,2.00\n\
        bad.csv,4,5,,bad_timestamp,event_ts,2023-13-05,3,c,,2.00\n\
        bad.csv,6,7,,duplicate_line,order_id,4,4,d,2023-02-01T00:00:00,5.00\n\
        bad.csv,7,8,,refund,quantity,-1.00,5,e,2023-02-03T00:00:00,-4.005\n\
        bad.csv,8,9,,amount_out_of_range,line_total,1700000000000000.00,6,f,2023-02-04T00:00:00,900000000000000.00\n\
        bad.csv,9,10,,amount_out_of_range,line_total,1700000000000000.00,6,f,2023-02-04T00:00:00,800000000000000.00\n";
    for more in [&["--workers", "1"][..], &["--workers", "3"], &["--memory-limit", "100MiB"]] {
        let arguments =
            ["audit", "bad.csv", "--from", "transactions", "--every", "month", "--on-bad-row", "reject", "--rejects", "rejects.csv"];
        lensflow(at, &[&arguments[..], more].concat()).expect(0);
        assert_eq!(fs::read_to_string(at.join("rejects.csv")).unwrap(), expected);
    }
    let compared = ["audit", "orders.csv", "--from", "transactions", "--one-row-per-order", "--duplicates", "drop", "--every", "month"];
    assert!(Lensflow::new(at, &compared).run().expect(2).stderr.contains("rows are not compared with each other"));
    // What windows refuse is named by its line, and periods say what they left out.
    let late = ["audit", "bad.csv", "--from", "transactions", "--window", "2023-01-01..2023-07-01@2023-01-31", "--on-bad-row", "reject"];
    lensflow(at, &[&late[..], &["--duplicates", "drop", "--rejects", "rejects.csv"]].concat()).expect(0);
    let rejects = fs::read_to_string(at.join("rejects.csv")).unwrap();
    let refused = "bad.csv,5,6,,after_observation_end,event_ts,2023-02-01T00:00:00,4,d,2023-02-01T00:00:00,5.00\n";
    assert!(rejects.contains(refused), "{rejects}");
    let arguments = ["periods", "bad.csv", "--every", "month", "-o", "q.csv", "--on-bad-row", "reject"];
    let said = lensflow(at, &arguments).expect(0).stderr;
    assert!(said.contains("lines rejected, order_customer_conflict: 2") && said.contains("duplicate_line: 1"), "{said}");
    // The one taken for the other.
    let mistaken = |arguments: &[&str]| Lensflow::new(at, arguments).run().expect(1).stderr;
    assert!(mistaken(&["audit", "p.csv", "--from", "transactions", "--every", "month"]).contains("without --from transactions"));
    fs::write(at.join("lines.csv"), "order_id,customer_id,event_ts\n1,a,2023-01-05\n").unwrap();
    assert!(mistaken(&["audit", "lines.csv", "--every", "month"]).contains("read with --from transactions"));
    // What would do nothing, or could not be done.
    lensflow(at, &["update", "state", "orders.csv", "--from", "transactions", "--one-row-per-order", "-q"]).expect(0);
    for (arguments, wanted) in [
        ("audit p.csv --refunds net", "--refunds is for orders and line items"),
        ("sketch p.csv --window 2023 -o x.theta --anonymous drop", "--anonymous is for orders and line items"),
        ("audit orders.csv --from transactions --one-row-per-order --column order_id=customer_id", "order ids are not looked for"),
        ("audit orders.csv --from transactions --format parquet --encoding latin1", "--encoding does nothing with this --format"),
        ("audit orders.csv --from transactions --one-row-per-order --checkpoint kept", "a checkpoint of orders and line items is not kept"),
        ("audit state --from transactions --every month", "no file is named beside it"),
        (
            "audit state orders.csv --from transactions --one-row-per-order --every month --timezone Asia/Tokyo",
            "state: the state was made of lines",
        ),
        ("sketch state orders.csv --window 2023 -o x.theta --from transactions --refunds drop", "state: the state was made of lines"),
    ] {
        let ran = Lensflow::new(at, &arguments.split(' ').collect::<Vec<_>>()).run().expect(2);
        assert!(ran.stderr.contains(wanted) && ran.stdout.is_empty(), "{arguments}: {}", ran.stderr);
    }
    assert!(!at.join("kept").exists() && !at.join("x.theta").exists());
    let zone = Lensflow::new(at, &["periods", "orders.csv", "--every", "month", "-o", "x.csv", "--timezone", "Mars"]).run().expect(2);
    assert!(zone.stderr.contains("\"Mars\" is not a time zone"));
}

/// An order that its window does not observe is named by its first line, and so is the first of many, however they are read; all of its
/// lines are left out.
#[test]
fn orders_after_the_observation_end_are_named_in_the_order_of_the_input() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let line = |i: usize| format!("O{i},c{i},2023-0{}-05,{i}\n", 1 + i % 6);
    let text = format!("order_id,customer_id,event_ts,line_total\n{}", (0..2_999).map(line).collect::<String>() + "O1,c1,2023-02-07,1\n");
    fs::write(at.join("late.csv"), &text).unwrap();
    let window = ["--from", "transactions", "--window", "2023-01-01..2023-03-01@2023-02-01"];
    let named = "row 2 (line 3): customer \"c1\": after_observation_end: event_ts is \"2023-02-05T00:00:00\"";
    for more in [&["late.csv"][..], &["-"], &["late.csv", "--one-row-per-order"], &["late.csv", "--workers", "7"]] {
        let ran = Lensflow::new(at, &[&["audit"], more, &window].concat()).stdin(text.clone().into_bytes()).run().expect(1);
        assert!(ran.stderr.contains(named), "{}", ran.stderr);
    }
    // Of whole orders, what is wrong with the one before is told first, wherever batches end.
    fs::write(at.join("both.csv"), "customer_id,event_ts,line_total\na,2023-02-05,1\nb,2023-01-05,-1\n").unwrap();
    let said = lensflow(at, &[&["audit", "both.csv", "--one-row-per-order"], &window[..]].concat()).expect(1).stderr;
    assert!(said.contains("row 1 (line 2): customer \"a\": after_observation_end"), "{said}");
    let reject = ["audit", "late.csv", "--on-bad-row", "reject", "--rejects", "rejects.csv"];
    for more in [&[][..], &["--one-row-per-order"], &["--memory-limit", "64MiB"]] {
        lensflow(at, &[&reject, &window[..], more].concat()).expect(0);
        let rejects = fs::read_to_string(at.join("rejects.csv")).unwrap();
        assert_eq!(rejects.lines().filter(|line| line.contains(",c1,")).count(), 2, "{rejects}");
        assert_eq!(rejects.lines().count(), 1 + 501);
    }
}

/// A margin that no row can hold is a fault of its order, named by its first line; a total that none can hold ends `periods`.
#[test]
fn what_periods_cannot_hold_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let text = "order_id,customer_id,event_ts,line_total,line_margin\n1,a,2023-01-05,1,6e14\n2,b,2023-01-05,2,1\n1,a,2023-01-05,3,6e14\n";
    fs::write(at.join("margins.csv"), text).unwrap();
    let arguments = ["periods", "margins.csv", "--every", "month", "-o", "-"];
    let error = lensflow(at, &arguments).expect(1).stderr;
    assert!(error.contains("row 1 (line 2): customer \"a\": amount_out_of_range: line_margin is \"1200000000000000.00\""), "{error}");
    let left = lensflow(at, &[&arguments[..], &["--on-bad-row", "reject"]].concat()).expect(0);
    assert!(left.out().lines().count() == 2 && left.out().contains("\nb,"), "{}", left.out());
    assert!(left.stderr.contains("lines rejected, amount_out_of_range: 2"), "{}", left.stderr);
    let lines: String = (0..100).map(|line| format!("1,a,2023-01-05,999999999999999,{line}\n")).collect();
    fs::write(at.join("quantities.csv"), format!("order_id,customer_id,event_ts,quantity,line_total\n{lines}")).unwrap();
    let error = lensflow(at, &["periods", "quantities.csv", "--every", "month", "-o", "p.csv"]).expect(1).stderr;
    assert!(error.contains("row 1 (line 2): customer \"a\": amount_out_of_range: quantity is \"99999999999999900.00\""), "{error}");
    let total = |spend: &str| {
        let row = |order: u8| format!("{order},a,2023-01-05,{spend},6e14\n");
        fs::write(at.join("totals.csv"), format!("order_id,customer_id,event_ts,line_total,line_margin\n{}{}", row(1), row(2))).unwrap();
        lensflow(at, &["periods", "totals.csv", "--every", "month", "-o", "p.csv"])
    };
    let error = total("6e14").expect(1).stderr;
    assert!(error.contains("total_spend of customer \"a\"") && error.contains("help: ") && !at.join("p.csv").exists(), "{error}");
    total("1").expect(0);
    assert!(fs::read_to_string(at.join("p.csv")).unwrap().contains(",2,2.00,1200000000000000.00,2,"));
}

/// JSONL whose first lines leave the customer out is read like any other, by whatever way it comes.
#[test]
fn lines_of_nobody_may_leave_the_customer_out() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let arguments = ["periods", "-", "--every", "month", "-o", "-", "--anonymous", "report"];
    for nobody in [1, 3, 999, 1_200] {
        let line = |i: usize| format!("{{\"order_id\":{i},\"event_ts\":\"2023-01-05\",\"line_total\":10}}\n");
        let named = "{\"order_id\":\"x\",\"customer_id\":\"c\",\"event_ts\":\"2023-01-05\",\"line_total\":10}\n";
        let text = (0..nobody).map(line).collect::<String>() + named;
        let file = at.join("lines.jsonl");
        fs::write(&file, &text).unwrap();
        let piped = Lensflow::new(at, &arguments).stdin(text.clone().into_bytes()).run().expect(0);
        let read = lensflow(at, &[&["periods", "lines.jsonl"], &arguments[2..]].concat()).expect(0);
        assert_eq!((piped.out(), piped.stderr.replace("stdin", "lines.jsonl")), (read.out(), read.stderr.clone()));
        assert!(read.out().contains("\nc,2023-01-01T00:00:00,") && read.out().lines().count() == 2, "{}", read.out());
        fs::write(&file, (0..nobody).map(line).collect::<String>()).unwrap();
        let none = lensflow(at, &[&["periods", "lines.jsonl"], &arguments[2..]].concat()).expect(0);
        assert_eq!(none.out().lines().count(), 1);
        assert!(none.stderr.contains("no key of the first lines is \"customer_id\""), "{}", none.stderr);
    }
    // A name that is surely meant, or that was said, must be there.
    fs::write(at.join("typo.jsonl"), "{\"order_id\":1,\"CustomerID\":\"a\",\"event_ts\":\"2023-01-05\",\"line_total\":5}\n").unwrap();
    let typo = [&["periods", "typo.jsonl"], &arguments[2..]].concat();
    assert!(lensflow(at, &typo).expect(1).stderr.contains("did you mean \"CustomerID\"?"));
    let said = lensflow(at, &[&typo[..], &["--column", "customer_id=kunde"]].concat()).expect(1).stderr;
    assert!(said.contains("there is no column \"kunde\""), "{said}");
}

/// What says too little of a file's columns or its bytes.
#[test]
fn hints_are_given_for_what_exports_get_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let run = |name: &str, bytes: &[u8], more: &[&str]| {
        fs::write(at.join(name), bytes).unwrap();
        Lensflow::new(at, &[&["periods", name, "--every", "month", "-o", "-"], more].concat()).run()
    };
    let said = run("price.csv", b"order_id,customer_id,event_ts,UnitPrice\n1,a,2023-01-05,5\n", &[]).expect(0).stderr;
    assert!(said.contains("lines without are worth 0.00") && said.contains("UnitPrice"), "{said}");
    for (name, bytes) in [
        ("header.csv", &b"order_id,K\xe4ufer,event_ts,line_total\n1,a,2023-01-05,5\n"[..]),
        ("line.jsonl", b"{\"order_id\":1,\"customer_id\":\"K\xe4\",\"event_ts\":\"2023-01-05\",\"line_total\":5}\n"),
    ] {
        let said = run(name, bytes, &[]).expect(1).stderr;
        assert!(said.contains("--encoding latin1"), "{said}");
    }
    let said = run("ids.jsonl", b"{\"order_id\":1.0,\"customer_id\":\"a\",\"event_ts\":\"2023-01-05\"}\n", &[]).expect(1).stderr;
    assert!(said.contains("--id-format integer"), "{said}");
    let cards = b"order_id,customer_id,event_ts,line_total\n1.0,1234567890123456.0,2023-01-05,5\n2,-7.00,2023-01-05,5\n";
    let read = run("cards.csv", cards, &["--id-format", "integer"]).expect(0);
    assert!(read.out().contains("\n1234567890123456,") && read.out().contains("\n-7,"), "{}", read.out());
    // Whole orders are not compared: nobody reads what they cost.
    let json =
        "{\"customer_id\":\"a\",\"event_ts\":\"2023-01-05\",\"line_total\":1,\"unit_cost\":\"n/a\",\"product_id\":1.5,\"order_id\":true}\n";
    let csv = "customer_id,event_ts,line_total,unit_cost,line_margin,quantity,unit_price\na,2023-01-05,1,n/a,1,9e14,9e14\n";
    for (name, text) in [("whole.csv", csv), ("whole.jsonl", json)] {
        fs::write(at.join(name), text).unwrap();
        lensflow(at, &["audit", name, "--from", "transactions", "--one-row-per-order", "--every", "month"]).expect(0);
    }
    let back = b"order_id,customer_id,event_ts,line_total\n1,a,2023-01-05,10\n2,,2023-01-05,-5\n";
    let said = run("back.csv", back, &["--anonymous", "report", "--refunds", "net"]).expect(0).stderr;
    assert!(said.contains("without a customer: 1 line; reported: 0 orders, -5.00"), "{said}");
}

/// Refunds are rounded once, however many updates a state has had.
#[test]
fn refunds_of_a_state_are_rounded_once() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for (name, order) in [("1.csv", 1), ("2.csv", 3)] {
        let text = format!("order_id,customer_id,event_ts,line_total\n{order},a,2023-01-05,10\n{},a,2023-01-05,-0.004\n", order + 1);
        fs::write(at.join(name), text).unwrap();
        lensflow(at, &["update", "state", name, "--from", "transactions", "--refunds", "net", "-q"]).expect(0);
    }
    let both = ["1.csv", "2.csv", "--from", "transactions", "--refunds", "net"];
    for inputs in [&["state"][..], &both] {
        lensflow(at, &[&["audit"], inputs, &["--every", "month", "--report", "r.json"]].concat()).expect(0);
        let report: serde_json::Value = serde_json::from_slice(&fs::read(at.join("r.json")).unwrap()).unwrap();
        assert_eq!(report["input"]["transactions"]["refunds"], "-0.01", "{inputs:?}");
    }
}

/// A state that orders are taken into, in two updates, is audited as their period aggregations are; other policies are refused.
#[test]
fn orders_are_taken_into_a_state() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    golden(at);
    let text = fs::read_to_string(at.join("sorted.csv")).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    let half = |first: bool| rows.lines().filter(|row| (row.as_bytes()[5] < b'5') == first).collect::<Vec<_>>().join("\n");
    fs::write(at.join("1.csv"), format!("{header}\n{}\n", half(true))).unwrap();
    fs::write(at.join("2.csv"), format!("{header}\n{}\n", half(false))).unwrap();
    for file in ["1.csv", "2.csv", "1.csv"] {
        lensflow(at, &["update", "state", file, "--from", "transactions", "--every", "quarter", "-q"]).expect(0);
    }
    let read = |name: &str| fs::read(at.join(name)).unwrap();
    let report = |name: &str| serde_json::from_slice::<serde_json::Value>(&read(name)).unwrap();
    lensflow(at, &["audit", "state", "--every", "quarter", "--rfm-out", "a.csv", "--report", "a.json"]).expect(0);
    lensflow(at, &["audit", "sorted.csv", "--from", "transactions", "--every", "quarter", "--rfm-out", "b.csv", "--report", "b.json"])
        .expect(0);
    assert!(read("a.csv") == read("b.csv"));
    for part in ["windows", "comparisons"] {
        assert_eq!(report("a.json")[part], report("b.json")[part]);
    }
    assert_eq!(report("a.json")["input"]["transactions"], report("b.json")["input"]["transactions"]);
    let other = Lensflow::new(at, &["update", "state", "2.csv", "--from", "transactions", "--refunds", "net"]).run().expect(2);
    assert!(other.stderr.contains("grouped otherwise"), "{}", other.stderr);
    let told = lensflow(at, &["inspect", "state"]).expect(0);
    assert!(told.out().contains("7,516 lines of 3,000 orders, grouped in UTC with --refunds fail"), "{}", told.out());
}

/// The orders of CDNOW, as the README has them.
#[test]
fn cdnow_is_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/cdnow_transactions.csv");
    let arguments = ["audit", data, "--from", "transactions", "--every", "year", "--report", "r.json", "--report", "r.txt"];
    lensflow(folder.path(), &arguments).expect(0);
    let report: serde_json::Value = serde_json::from_slice(&fs::read(folder.path().join("r.json")).unwrap()).unwrap();
    assert_eq!((&report["input"]["customers"], &report["input"]["transactions"]["orders"]), (&23_570.into(), &69_659.into()));
    let cents = |window: &serde_json::Value| window["lens1"]["total_revenue"].as_str().unwrap().replace('.', "").parse::<i64>().unwrap();
    assert_eq!(report["windows"].as_array().unwrap().iter().map(cents).sum::<i64>(), 250_031_563);
    let text = fs::read_to_string(folder.path().join("r.txt")).unwrap();
    assert!(text.contains("23,570 customers, 69,659 orders of 69,659 lines, 0 lines rejected"), "{text}");
}
