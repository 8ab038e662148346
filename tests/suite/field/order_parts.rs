//! Lines that say only in part what their order is: worth, customer, time, product.

use super::{Case, warnings};
use crate::support::Lensflow;
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use std::sync::Arc;

const SHOP: [&str; 8] =
    ["--column", "order_id=Name", "--column", "customer_id=Email", "--column", "event_ts=Created at", "--column", "line_total=Total"];
const SHOP_DATES: [&str; 6] = ["--date-format", "%Y-%m-%d %H:%M:%S %z", "--timezone", "America/New_York", "--anonymous", "report"];
const SHOP_PARTS: [&str; 4] = ["--column", "quantity=Lineitem quantity", "--column", "unit_price=Lineitem price"];
const LINE: &str = "orders_export.csv --from transactions --layout none --every month";

/// The total on the first line counts once; further lines are no copies of each other, and are said to be worth nothing.
#[test]
fn a_total_on_the_first_line_counts_once() {
    let case = Case::new("05_order_total_on_first_line_only");
    let (report, said) = case.is_right(LINE, &[&SHOP[..], &SHOP_DATES].concat());
    for said in [&said, &warnings(&report)] {
        assert!(said.contains("3 lines say nothing of their worth and count 0.00"), "{said}");
    }
}

/// Lines of one order that mix totals and prices are an error that shows both, and what it advises is right.
#[test]
fn lines_that_mix_totals_and_prices_are_an_error() {
    let case = Case::new("05_order_total_on_first_line_only");
    let columns = [&SHOP[..], &SHOP_DATES, &SHOP_PARTS].concat();
    let said = case.fails(LINE, &columns);
    for part in ["order_worth_conflict", "\"#1001\"", "row 1", "row 2", "--amount total", "--amount price"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let (report, _) = case.is_right(LINE, &[&columns[..], &["--amount", "total"]].concat());
    // Nothing but what the export's other columns say.
    assert!(warnings(&report).lines().all(|line| line.contains("is not read") || line.contains("has \"refunded\"")), "{report}");
    let (report, _) = case.report(LINE, &[&columns[..], &["--amount", "price"]].concat());
    assert_eq!(super::shown(&report["windows"][0]["lens1"]["total_revenue"]), "70.00");
}

/// Rows that are whole orders and say no worth are counted.
#[test]
fn whole_orders_without_worth_are_counted() {
    let case = Case::new("05_order_total_on_first_line_only");
    let columns = [&SHOP[2..], &SHOP_DATES, &["--one-row-per-order"]].concat();
    let (report, said) = case.report(LINE, &columns);
    assert!(said.contains("3 lines say nothing of their worth") && warnings(&report).contains("3 lines say nothing"), "{said}");
}

/// A line without customer or time has those of its order's other lines.
#[test]
fn customer_and_time_are_those_of_the_order() {
    let columns = ["order_id=Order", "customer_id=Buyer", "event_ts=Sale Date", "quantity=Quantity", "unit_price=Sold For"];
    let columns = columns.map(|column| ["--column", column]).concat();
    let case = Case::new("07_customer_and_date_on_first_line_only");
    let line = "orders.csv --from transactions --every month";
    for policy in [&[][..], &["--anonymous", "drop"], &["--anonymous", "report", "--duplicates", "drop"]] {
        let (report, said) = case.is_right(line, &[&columns[..], policy].concat());
        for said in [&said, &warnings(&report)] {
            assert!(said.contains("2 lines without a customer: each has that of its order's other lines"), "{said}");
            assert!(said.contains("2 lines without an event_ts: each has the time of its order's other lines"), "{said}");
        }
    }
}

/// Orders that reach over many days are said, with the longest.
#[test]
fn orders_that_reach_over_many_days_are_said() {
    let columns = ["order_id=receipt_no", "customer_id=member", "event_ts=ts", "line_total=amount"];
    let columns = columns.map(|column| ["--column", column]).concat();
    let (report, said) = Case::new("22_receipt_numbers_begin_anew").report("receipts.csv --from transactions --every month", &columns);
    for said in [&said, &warnings(&report)] {
        assert!(said.contains("1 order reaches over 65 days"), "{said}");
    }
}

/// Lines that say no worth at all, and orders of such lines, are counted.
#[test]
fn lines_without_worth_are_counted() {
    let columns = ["--column", "event_ts=order_purchase_timestamp", "--column", "line_total=price"];
    let case = Case::new("36_cancelled_orders_by_status");
    let (report, said) = case.report("orders_items.csv --from transactions --layout none --every month", &columns);
    for said in [&said, &warnings(&report)] {
        assert!(said.contains("1 line says nothing of its worth and counts 0.00"), "{said}");
        assert!(said.contains("1 order without a line that says its worth"), "{said}");
    }
}

/// Refunds count in the month of their order, which is said where it is another; lines that nothing tells apart count, unless copies are
/// dropped. Updates and period aggregations say it, too.
#[test]
fn notes_are_said_by_every_command_that_reads_orders() {
    let folder = tempfile::tempdir().unwrap();
    let text = "order_id,customer_id,event_ts,line_total\n1,a,2023-01-30,10\n1,,2023-02-02,-4\n1,,2023-01-31,-1\n2,b,2023-01-05,3\n2,b,2023-01-05,3\n";
    std::fs::write(folder.path().join("lines.csv"), text).unwrap();
    let moved = "1 refund (-4.00) lies in another month than the order";
    let commands = [
        ("audit lines.csv --from transactions --every month --report r.json", ""),
        ("update state lines.csv --from transactions --every month", ""),
        ("periods lines.csv --every month -o p.csv", ""),
        ("periods lines.csv --every month -o q.csv --duplicates drop", "left out"),
    ];
    for (command, dropped) in commands {
        let arguments: Vec<&str> = command.split(' ').chain(["--refunds", "net"]).collect();
        let said = Lensflow::new(folder.path(), &arguments).run().expect(0).stderr;
        assert!(said.contains(moved) && said.contains("2 lines without a customer"), "{command}: {said}");
        let equal = if dropped.is_empty() {
            "1 line is equal to another of the order, and no product tells them apart: it counts"
        } else {
            dropped
        };
        assert!(said.contains(equal), "{command}: {said}");
    }
    let periods = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(periods("p.csv").contains("a,2023-01-01T00:00:00,2023-02-01T00:00:00,1,5.00"), "{}", periods("p.csv"));
    assert!(periods("p.csv").contains("b,2023-01-01T00:00:00,2023-02-01T00:00:00,1,6.00"), "{}", periods("p.csv"));
    assert!(periods("q.csv").contains("b,2023-01-01T00:00:00,2023-02-01T00:00:00,1,3.00"), "{}", periods("q.csv"));
}

/// What a column that nothing reads says of orders that mostly do not count, and of discounts, is noted, in every format; the advice is right.
#[test]
fn a_status_and_a_discount_that_nothing_reads_are_noted() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let header = "order_id,customer_id,event_ts,quantity,unit_price,Order Status,Currency,discount";
    let rows = ["1,a,2024-01-05,1,5,Paid,EUR,0", "2,b,2024-01-06,1,6,Cancelled,EUR,1", "3,b,2024-01-06,1,6,cancelled,EUR,0"];
    std::fs::write(at.join("a.csv"), format!("{header}\n{}\n", rows.join("\n"))).unwrap();
    let names: Vec<&str> = header.split(',').collect();
    let object = |row: &&str| {
        let fields = names.iter().zip(row.split(',')).map(|(name, value)| format!("{name:?}:{value:?}"));
        format!("{{{}}}\n", fields.collect::<Vec<_>>().join(","))
    };
    std::fs::write(at.join("a.jsonl"), rows.iter().map(object).collect::<String>()).unwrap();
    let column = |at: usize| Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.split(',').nth(at).unwrap()))) as ArrayRef;
    let batch = RecordBatch::try_from_iter(names.iter().enumerate().map(|(at, name)| (*name, column(at)))).unwrap();
    let mut writer = ArrowWriter::try_new(std::fs::File::create(at.join("a.parquet")).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    for file in ["a.csv", "a.jsonl", "a.parquet"] {
        let line = ["audit", file, "--from", "transactions", "--layout", "none", "--every", "month", "--report", "r.json"];
        let said = Lensflow::new(at, &line).run().expect(0).stderr;
        assert!(said.contains("2 rows have \"cancelled\" in \"Order Status\", and they are counted"), "{file}: {said}");
        assert!(said.contains("\"discount\" is not read"), "{file}: {said}");
        let said = Lensflow::new(at, &[&line[..], &["--except", "Order Status=cancelled"]].concat()).run().expect(0).stderr;
        assert!(!said.contains("are counted") && said.contains("2 rows are left out"), "{file}: {said}");
        let report: serde_json::Value = serde_json::from_slice(&std::fs::read(at.join("r.json")).unwrap()).unwrap();
        assert_eq!(super::shown(&report["windows"][0]["lens1"]["total_revenue"]), "5.00", "{file}");
    }
}
