//! Orders and line items that are pushed batch by batch: the answers are those of a source with the same rows.

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use lensflow::model::{Granularity, OnBadRow, Windows};
use lensflow::orders::{Anonymous, Duplicates, Lines, OrderOptions, Refunds};
use lensflow::source::Batches;
use lensflow::source::transactions::TransactionOptions;
use lensflow::{Audit, Pipeline, Result};
use std::fs::File;
use std::sync::Arc;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/golden_transactions/tx_line_items/transactions.csv");

/// The golden lines, all columns as text.
fn golden(batch_rows: usize) -> Vec<RecordBatch> {
    let names = ["order_id", "customer_id", "event_ts", "quantity", "unit_price", "unit_cost", "product_id"];
    let schema = Schema::new(names.map(|name| Field::new(name, DataType::Utf8, true)).to_vec());
    let reader = arrow::csv::ReaderBuilder::new(Arc::new(schema)).with_header(true).with_batch_size(batch_rows);
    reader.build(File::open(GOLDEN).unwrap()).unwrap().map(|batch| batch.unwrap()).collect()
}

/// Lines of order, customer, day of January, quantity and price.
fn batch(rows: &[[&str; 5]]) -> RecordBatch {
    let column = |at: usize| rows.iter().map(|row| Some(row[at]).filter(|text| !text.is_empty())).collect::<StringArray>();
    let times: StringArray = rows.iter().map(|row| Some(format!("2024-01-{}", row[2]))).collect();
    let columns =
        [("order_id", column(0)), ("customer_id", column(1)), ("event_ts", times), ("quantity", column(3)), ("unit_price", column(4))];
    RecordBatch::try_from_iter(columns.map(|(name, column)| (name, Arc::new(column) as _))).unwrap()
}

fn pipeline(on_bad_row: OnBadRow) -> Pipeline {
    Pipeline::builder().windows(Windows::Every(Granularity::Month)).workers(2).on_bad_row(on_bad_row).build().unwrap()
}

fn pushed(batches: &[RecordBatch], lines: &Lines, on_bad_row: OnBadRow) -> Result<Audit> {
    let mut pipeline = pipeline(on_bad_row);
    batches.iter().try_for_each(|batch| pipeline.push_orders(batch, lines))?;
    pipeline.finish()
}

fn run(batches: &[RecordBatch], lines: &Lines, on_bad_row: OnBadRow) -> Result<Audit> {
    let mut pipeline = pipeline(on_bad_row);
    let batches = batches.to_vec();
    pipeline
        .run_transactions(Batches::transactions("pushed orders", lines.columns.clone(), &lines.options, batches.into_iter())?, lines)?;
    pipeline.finish()
}

/// The report and the rejects.
fn answers(audit: &Audit) -> (String, Vec<String>) {
    let rejects = audit.rejects().map(|reject| format!("{:?}", reject.unwrap())).collect();
    (audit.report.to_json().unwrap(), rejects)
}

#[test]
fn pushed_orders_have_the_answers_of_a_source() {
    for one_row_per_order in [false, true] {
        for duplicates in [Duplicates::Fail, Duplicates::Drop, Duplicates::Keep] {
            let options = TransactionOptions::default().with_one_row_per_order(one_row_per_order);
            let orders = OrderOptions::default().with_duplicates(duplicates);
            let lines = Lines::default().with_options(options).with_orders(orders);
            let whole = run(&golden(10_000), &lines, OnBadRow::Fail).unwrap();
            for batch_rows in [1_000, 7] {
                let audit = pushed(&golden(batch_rows), &lines, OnBadRow::Fail).unwrap();
                assert!(answers(&audit) == answers(&whole), "{one_row_per_order} {duplicates:?} {batch_rows}");
            }
            assert_eq!(whole.report.input.sources, ["pushed orders"]);
            assert_eq!(whole.report.input.transactions.unwrap().lines, 7_516);
        }
    }
}

#[test]
fn pushed_lines_that_are_left_out_are_named() {
    let batches = [
        batch(&[["1", "anna", "03", "2", "5.00"], ["2", "ben", "04", "-1", "5.00"], ["3", "", "05", "1", "1.00"]]),
        batch(&[["1", "anna", "02", "1", "2.50"], ["4", "carl", "06", "x", "1.00"], ["1", "anna", "03", "2", "5.00"]]),
        batch(&[["5", "dora", "07", "1", "9.00"], ["5", "emil", "07", "1", "8.00"]]),
    ];
    for one_row_per_order in [false, true] {
        let options = TransactionOptions::default().with_one_row_per_order(one_row_per_order);
        let orders = OrderOptions::default().with_refunds(Refunds::Net).with_anonymous(Anonymous::Report);
        let lines = Lines::default().with_options(options).with_orders(orders);
        let (one, other) = (pushed(&batches, &lines, OnBadRow::Reject).unwrap(), run(&batches, &lines, OnBadRow::Reject).unwrap());
        assert_eq!(answers(&one), answers(&other));
        let rejected = one.report.input.transactions.as_ref().unwrap().lines_rejected.values().sum::<u64>();
        // Nothing tells the equal lines of order 1 apart: both count.
        assert_eq!(rejected, if one_row_per_order { 1 } else { 3 });
        let error = |audit: Result<Audit>| audit.err().map(|e| (e.to_string(), e.at_row(), e.advice().map(str::to_owned)));
        assert_eq!(error(pushed(&batches, &lines, OnBadRow::Fail)), error(run(&batches, &lines, OnBadRow::Fail)));
    }
}

#[test]
fn orders_are_pushed_beside_other_rows_and_in_one_way() {
    let lines = Lines::default().with_orders(OrderOptions::default().with_duplicates(Duplicates::Keep));
    let good = batch(&[["1", "anna", "03", "2", "5.00"]]);
    let mut pipeline = pipeline(OnBadRow::Fail);
    pipeline.push_orders(&good, &lines).unwrap();
    assert!(pipeline.push_orders(&good, &Lines::default()).unwrap_err().to_string().contains("same options"));
    let lacking = RecordBatch::try_from_iter([("order_id", Arc::new(StringArray::from(vec!["1"])) as _)]).unwrap();
    assert!(pipeline.push_orders(&lacking, &lines).unwrap_err().to_string().contains("customer_id"));
    // Neither was taken in, and more may come.
    pipeline.push_orders(&good, &lines).unwrap();
    let source = Batches::transactions("others", lines.columns.clone(), &lines.options, vec![good].into_iter()).unwrap();
    pipeline.run_transactions(source, &lines).unwrap();
    let report = pipeline.finish().unwrap().report;
    let counted = report.input.transactions.unwrap();
    assert_eq!((counted.lines, counted.orders), (3, 2));
    assert_eq!(report.input.sources, ["others", "pushed orders"]);
    assert_eq!(report.windows[0].lens1.total_customers, 1);
}
