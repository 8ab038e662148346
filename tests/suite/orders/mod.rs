//! Orders and line items: what they become is what a plain model says, whatever the format, the order of lines, the threads and the memory;
//! and an audit of them is the audit of their period aggregations.

use crate::engine::equals::{left_out, rows_equal};
use crate::make::{Case, Item, Layout, Table, amounts, items, items_csv, order_options};
use crate::model::Answers;
use crate::model::amounts::units;
use crate::model::orders::{Grouped, orders_of};
use crate::support::{config, lensflow};
use arrow::array::{ArrayRef, Decimal128Array, Int32Array, RecordBatch, StringArray, TimestampMillisecondArray};
use lensflow::model::TransactionColumns;
use lensflow::model::{Granularity, Windows};
use lensflow::model::{MaxRejects, OnBadRow, Reason};
use lensflow::money::{Fixed2, Total};
use lensflow::orders::{Duplicates, Lines, OrderOptions, Refunds};
use lensflow::report::json_text::{JsonNumbers, to_json};
use lensflow::source::files::Files;
use lensflow::source::transactions::TransactionOptions;
use lensflow::spec::Spec;
use lensflow::{Pipeline, Result};
use parquet::arrow::ArrowWriter;
use proptest::prelude::*;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

mod exports;

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
    fs::write(folder.join("shuffled/2.jsonl"), Table::parse(&csv(other)).to_jsonl(false)).unwrap();
    // With the types that a database would give them.
    let column = |at: usize| shuffled.iter().map(move |row| row.split(',').nth(at).unwrap());
    let cents = |text: &str| units(text).unwrap() / 10i128.pow(16);
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
    // Types that only other writers write.
    let file = File::create(folder.join("shuffled.parquet")).unwrap();
    let mut table = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    table.write(&batch).unwrap();
    table.close().unwrap();
    ["sorted.csv", "shuffled", "shuffled.parquet"].map(str::to_owned).to_vec()
}

/// Windows without how much of them is covered: period aggregations do not say on which days there were orders.
fn uncovered(windows: &serde_json::Value) -> serde_json::Value {
    let mut windows = windows.clone();
    let fields = windows.as_array_mut().unwrap().iter_mut().map(|window| window.as_object_mut().unwrap());
    fields.for_each(|window| window.retain(|name, _| !name.starts_with("covered_")));
    windows
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
                (fs::read(folder.path().join(out)).unwrap(), uncovered(&report["windows"]), report["comparisons"].clone())
            };
            assert!(audit(&input, "transactions", "a.parquet") == audit("p.csv", "periods", "b.parquet"), "{input} by {every}");
        }
    }
}

proptest! {
    #![proptest_config(config(48))]

    /// Whatever the lines, the policies, the threads and the memory: what customers did is what the model says, and every line is accounted for.
    #[test]
    fn orders_are_what_a_plain_model_says(items in items(), options in order_options(), amount in amounts(), workers in 1..4usize, budget in prop_oneof![Just(0u64), Just(20_000), Just(1 << 30)]) {
        let folder = tempfile::tempdir().unwrap();
        let half = items.len() / 2;
        for (name, some) in [("a.csv", &items[..half]), ("b.csv", &items[half..])] {
            fs::write(folder.path().join(name), items_csv(some)).unwrap();
        }
        let audit = |policy| -> Result<_> {
            let names = ["a.csv", "b.csv"].map(|name| folder.path().join(name).to_string_lossy().into_owned());
            let source = Files::find_transactions(&names, None, TransactionColumns::default(), &TransactionOptions::default().with_amount(amount), 7)?;
            let builder = Pipeline::builder().windows(Windows::Every(Granularity::Month)).workers(workers).state_budget(budget).on_bad_row(policy);
            let mut pipeline = builder.max_rejects(MaxRejects::Rows(u64::MAX)).build()?;
            pipeline.run_transactions(source, &Lines::default().with_options(TransactionOptions::default().with_amount(amount)).with_orders(options.clone()))?;
            pipeline.finish()
        };
        let Grouped { periods, rejected, refund_lines, anonymous_orders, filled, first_bad } = orders_of(&items, &options, amount);
        let audit_of_all = audit(OnBadRow::Reject).unwrap();
        let summary = audit_of_all.report.input.transactions.clone().unwrap();
        prop_assert_eq!(summary.lines, items.len() as u64);
        prop_assert_eq!(&summary.lines_rejected, &rejected);
        prop_assert_eq!((summary.refund_lines, summary.anonymous_orders), (refund_lines, anonymous_orders));
        let warned = |what: &str| {
            let found = audit_of_all.report.warnings.iter().find(|warning| warning.contains(what));
            found.map_or(0, |warning| warning.split(' ').next().unwrap().parse::<usize>().unwrap())
        };
        prop_assert_eq!((warned("without a customer: "), warned("without an event_ts: ")), filled);
        prop_assert_eq!(summary.orders as i64, periods.iter().filter_map(|period| period.orders).sum::<i64>());
        // From here on they are rows like any other: of customers, windows and what changed, too.
        let spec = Spec::default().with_windows(Windows::Every(Granularity::Month));
        let (windows, percentiles, bins) = (spec.windows, spec.percentiles, spec.bins);
        let model = Answers::of(&Case { windows, percentiles, bins, rows: periods, layout: Layout::default() });
        rows_equal(&audit_of_all, &model);
        let text = to_json(&audit_of_all.report, JsonNumbers::Text).unwrap();
        let report: serde_json::Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(uncovered(&report["windows"]), uncovered(&model.report["windows"]));
        prop_assert_eq!(&report["comparisons"], &model.report["comparisons"]);
        let rejects: Vec<_> = audit_of_all.rejects().collect::<Result<_>>().unwrap();
        let (lines, customers): (Vec<_>, Vec<_>) = rejects.iter().partition(|reject| reject.window.is_none());
        prop_assert_eq!(left_out(&customers), model.left_out);
        prop_assert_eq!(lines.len() as u64, rejected.values().sum::<u64>());
        if !rejected.is_empty() {
            let error = audit(OnBadRow::Fail).unwrap_err();
            let named = rejected.keys().any(|reason| error.to_string().contains(reason.name()));
            prop_assert!(named && error.advice().is_some(), "{error}");
            let first = first_bad.unwrap() as u64;
            let first = Some(if first < half as u64 { first } else { first - half as u64 } + 1);
            // A run that fails takes refunds and lines without a customer for what the advice makes of them, so that other causes are found:
            // lines that are left out for want of these are then not bad.
            let are_taken = rejected.contains_key(&Reason::Refund) || rejected.contains_key(&Reason::MissingValue);
            prop_assert!(error.at_row() == first || are_taken && error.at_row().is_some(), "{}: {:?}", error, first);
        }
    }
}

proptest! {
    #![proptest_config(config(48))]

    /// What is left out is told with its worth: together with the revenue of the windows it is what all lines are worth.
    #[test]
    fn the_report_reconciles(mut items in items(), options in order_options(), budget in prop_oneof![Just(0u64), Just(1 << 30)]) {
        // Whole cents: orders are rounded, and lines are not.
        items.iter_mut().flat_map(|item| &mut item.price).for_each(|price| *price -= *price % 10);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("lines.csv");
        fs::write(&file, items_csv(&items)).unwrap();
        let lines = Lines::default().with_orders(options.clone());
        let builder = Pipeline::builder().windows(Windows::Every(Granularity::Month)).workers(2).state_budget(budget);
        let mut pipeline = builder.on_bad_row(OnBadRow::Reject).max_rejects(MaxRejects::Rows(u64::MAX)).build().unwrap();
        pipeline.run_transactions(lines.find(&[file.to_string_lossy()], None, 7).unwrap(), &lines).unwrap();
        let report = pipeline.finish().unwrap().report;
        let read = report.input.transactions.unwrap();
        let refunds = if options.refunds == Refunds::Drop { read.refunds } else { Total::default() };
        let of_windows = report.windows.iter().flat_map(|w| w.customers_rejected_amount.values().chain([&w.lens1.total_revenue]));
        let totals = read.rejected_amounts.values().copied().chain([refunds, read.anonymous_dropped, read.duplicates]).map(Total::rounded);
        let told: i128 = of_windows.copied().chain(totals).chain([read.anonymous_revenue]).map(Fixed2::hundredths).sum();
        let worth = |item: &Item| item.total.map_or_else(|| i64::from(item.quantity) * i64::from(item.price.unwrap_or(0)) / 10, i64::from);
        let all: i64 = items.iter().map(worth).sum();
        prop_assert_eq!(told, i128::from(all));
    }
}

/// Orders of very many lines, in little memory and in much: lines that are there twice are found wherever they are, and so is who is not the
/// customer.
#[test]
fn large_orders_are_orders_like_any_other() {
    const LINES: usize = 6_000;
    let folder = tempfile::tempdir().unwrap();
    let line = |i: usize, customer: &str| format!("{},{customer},2023-01-05,{i},p\n", if i.is_multiple_of(3) { "other" } else { "large" });
    let all: String = (0..LINES).map(|i| line(i, "a")).collect();
    let text = format!("order_id,customer_id,event_ts,line_total,product_id\n{all}{all}{}", line(LINES + 1, "b"));
    let file = folder.path().join("large.csv");
    let audit = |text: &str, duplicates, on_bad_row, budget| -> Result<_> {
        fs::write(&file, text).unwrap();
        let lines = Lines::default().with_orders(OrderOptions::default().with_duplicates(duplicates));
        let source = lines.find(&[file.to_string_lossy()], None, 500)?;
        let builder =
            Pipeline::builder().windows(Windows::Every(Granularity::Month)).workers(2).state_budget(budget).on_bad_row(on_bad_row);
        let mut pipeline = builder.max_rejects(MaxRejects::Rows(u64::MAX)).keep_rejects(true).build()?;
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
    let lines = ["1,b,2023-01-05,1,p\n", "1,a,2023-01-05,2,p\n", "1,a,2023-01-05,2,p\n", "2,a,2023-01-05,3,p\n"];
    for (order, named) in [
        ([0, 1, 2, 3], "row 2 (line 3): customer \"a\": order_customer_conflict"),
        ([1, 2, 3, 0], "row 2 (line 3): customer \"a\": duplicate_line"),
    ] {
        let text = order.map(|at| lines[at]).concat();
        fs::write(folder.path().join("bad.csv"), format!("order_id,customer_id,event_ts,line_total,product_id\n{text}")).unwrap();
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
