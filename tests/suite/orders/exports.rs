//! What shops' exports need, on the command line.

use super::golden;
use crate::support::{Lensflow, lensflow};
use std::fs;

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
    assert_eq!((&report["input"]["transactions"]["orders"], &report["windows"][0]["lens1"]["total_revenue"]), (&3.into(), &3.5.into()));
    // Ids that come again are noted, in whatever format; refunds may have the id of their order.
    let rows = "order_id,customer_id,order_ts,line_total\n7,a,2023-01-05,1\n8,a,2023-01-06,2\n7,b,2023-02-01,3\n7,b,2023-02-01,3\n8,a,2023-02-02,-1\n";
    fs::write(at.join("again.csv"), rows).unwrap();
    let jsonl = "{\"order_id\":1.5,\"customer_id\":\"a\",\"order_ts\":\"2023-01-05\",\"line_total\":1}\n".repeat(3);
    fs::write(at.join("again.jsonl"), jsonl).unwrap();
    for (file, noted) in [("again.csv", "1 order id comes more than once"), ("again.jsonl", "1 order id comes more than once")] {
        let arguments =
            ["audit", file, "--from", "transactions", "--one-row-per-order", "--every", "month", "--refunds", "net", "--report", "r.json"];
        let said = lensflow(at, &arguments).expect(0).stderr;
        let report = fs::read_to_string(at.join("r.json")).unwrap();
        for text in [said, report] {
            assert!(text.contains(noted) && text.contains("2 rows count again"), "{text}");
        }
    }
    assert!(!lensflow(at, &[&audit[..], &["-v"]].concat()).expect(0).stderr.contains("more than once"));
    // What was left out, each line with its reason: of every order that fails, all lines.
    let text = "order_id,customer_id,event_ts,quantity,unit_price,product_id\n1,a,2023-01-05,1,2.50,\n1,b,2023-01-06,1,3,\n2,,2023-01-06,1,2,\n\
        3,c,2023-13-05,x,2,\n4,d,2023-02-01,1,5,p\n4,d,2023-02-01,1,5,p\n5,e,2023-02-03,-1,4.005,\n\
        6,f,2023-02-04,1,9e14,\n6,f,2023-02-04,1,8e14,\n";
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
    let most = ["--max-rejects", "100%"];
    for more in [&["--workers", "1"][..], &["--workers", "3"], &["--memory-limit", "100MiB"]] {
        let arguments =
            ["audit", "bad.csv", "--from", "transactions", "--every", "month", "--on-bad-row", "reject", "--rejects", "rejects.csv"];
        lensflow(at, &[&arguments[..], &most, more].concat()).expect(0);
        assert_eq!(fs::read_to_string(at.join("rejects.csv")).unwrap(), expected);
    }
    let compared = ["audit", "orders.csv", "--from", "transactions", "--one-row-per-order", "--duplicates", "drop", "--every", "month"];
    assert!(Lensflow::new(at, &compared).run().expect(2).stderr.contains("rows are not compared with each other"));
    // What windows refuse is named by its line, and periods say what they left out.
    let late = ["audit", "bad.csv", "--from", "transactions", "--window", "2023-01-01..2023-07-01@2023-01-31", "--on-bad-row", "reject"];
    lensflow(at, &[&late[..], &["--duplicates", "drop", "--rejects", "rejects.csv"], &most].concat()).expect(0);
    let rejects = fs::read_to_string(at.join("rejects.csv")).unwrap();
    let refused = "bad.csv,5,6,,after_observation_end,event_ts,2023-02-01T00:00:00,4,d,2023-02-01T00:00:00,5.00\n";
    assert!(rejects.contains(refused), "{rejects}");
    let arguments = ["periods", "bad.csv", "--every", "month", "-o", "q.csv", "--on-bad-row", "reject"];
    let said = lensflow(at, &[&arguments[..], &most].concat()).expect(0).stderr;
    assert!(said.contains("lines rejected, order_customer_conflict: 2") && said.contains("duplicate_line: 1"), "{said}");
    // The one taken for the other.
    let mistaken = |arguments: &[&str]| Lensflow::new(at, arguments).run().expect(1).stderr;
    assert!(mistaken(&["audit", "p.csv", "--from", "transactions", "--every", "month"]).contains("read with --from periods"));
    fs::write(at.join("lines.csv"), "order_id,customer_id,event_ts\n1,a,2023-01-05\n").unwrap();
    assert!(mistaken(&["audit", "lines.csv", "--from", "periods", "--every", "month"]).contains("read with --from transactions"));
    // What would do nothing, or could not be done.
    lensflow(at, &["update", "state", "orders.csv", "--from", "transactions", "--one-row-per-order", "-q"]).expect(0);
    for (arguments, wanted) in [
        ("audit p.csv --every month --refunds net", "--refunds: it is for orders and line items"),
        ("sketch p.csv --window 2023 -o x.theta --anonymous drop", "--anonymous: it is for orders and line items"),
        ("audit orders.csv --from transactions --format parquet --encoding latin1", "--encoding: text in Parquet and Arrow is UTF-8"),
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
    let reject = ["audit", "late.csv", "--on-bad-row", "reject", "--max-rejects", "20%", "--rejects", "rejects.csv"];
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
    let left = lensflow(at, &[&arguments[..], &["--on-bad-row", "reject", "--max-rejects", "2"]].concat()).expect(0);
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
    // A name that is alike is taken; one that is surely meant, or that was said, must be there.
    let typo = |name: &str| {
        let line = format!("{{\"order_id\":1,\"{name}\":\"a\",\"event_ts\":\"2023-01-05\",\"line_total\":5}}\n");
        fs::write(at.join("typo.jsonl"), line).unwrap();
        [&["periods", "typo.jsonl"], &arguments[2..]].concat()
    };
    assert!(lensflow(at, &typo("CustomerID")).expect(0).stderr.contains("\"CustomerID\" is read as customer_id"));
    let typo = typo("custmer_id");
    assert!(lensflow(at, &typo).expect(1).stderr.contains("did you mean \"custmer_id\"?"));
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
    let said = run("price.csv", b"order_id,customer_id,event_ts,each\n1,a,2023-01-05,5\n", &[]).expect(1).stderr;
    assert!(said.contains("no column \"line_total\"") && said.contains("--amount none"), "{said}");
    for (name, bytes) in [
        ("header.csv", &b"order_id,K\xe4ufer,event_ts,line_total\n1,a,2023-01-05,5\n"[..]),
        ("line.jsonl", b"{\"order_id\":1,\"customer_id\":\"K\xe4\",\"event_ts\":\"2023-01-05\",\"line_total\":5}\n"),
    ] {
        let said = run(name, bytes, &[]).expect(1).stderr;
        assert!(said.contains("--encoding latin1"), "{said}");
    }
    let said =
        run("ids.jsonl", b"{\"order_id\":1.0,\"customer_id\":\"a\",\"event_ts\":\"2023-01-05\",\"line_total\":5}\n", &[]).expect(1).stderr;
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
        assert_eq!(report["input"]["transactions"]["refunds"], -0.01, "{inputs:?}");
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
    let cents = |window: &serde_json::Value| (window["lens1"]["total_revenue"].as_f64().unwrap() * 100.0).round() as i64;
    assert_eq!(report["windows"].as_array().unwrap().iter().map(cents).sum::<i64>(), 250_031_563);
    let text = fs::read_to_string(folder.path().join("r.txt")).unwrap();
    assert!(text.contains("23,570 customers, 69,659 orders of 69,659 lines, 0 lines rejected"), "{text}");
}
