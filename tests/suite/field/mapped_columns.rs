//! Mapping columns: several names, joined columns, folders, structs; and choosing rows.

use super::{Case, warnings};
use crate::support::Lensflow;
use std::fs;
use std::path::Path;

const LINES: &str = "--from transactions --layout none --every month";

fn columns<'a>(pairs: &[&'a str]) -> Vec<&'a str> {
    pairs.iter().flat_map(|pair| ["--column", pair]).collect()
}

#[test]
fn orders_without_an_id_are_those_of_a_day() {
    let case = Case::new("21_no_order_id");
    let line = format!("transactions.csv {LINES} --duplicates keep");
    let named = columns(&["event_ts=t_dat", "line_total=price", "product_id=article_id"]);
    let said = case.fails(&line, &named);
    assert!(said.contains("--column order_id=customer_id+day") && said.contains("--one-row-per-order"), "{said}");
    assert!(!said.contains("order_id=customer_id\n") && !said.contains("did you mean"), "{said}");
    let said = case.fails(&line, &[&named[..], &["--column", "order_id=customer_id"]].concat());
    assert!(said.contains("cannot be both order_id and customer_id"), "{said}");
    case.is_right(&line, &[&named[..], &["--column", "order_id=customer_id+day"]].concat());
}

#[test]
fn receipts_are_joined() {
    let named = columns(&["order_id=store+till+day+receipt_no", "customer_id=member", "event_ts=ts", "line_total=amount"]);
    let (report, _) = Case::new("22_receipt_numbers_begin_anew").is_right(&format!("receipts.csv {LINES}"), &named);
    assert_eq!(warnings(&report), "");
}

#[test]
fn folders_are_columns() {
    let case = Case::new("30_date_in_the_folder_names");
    for input in ["orders", "orders/*/*.parquet"] {
        case.is_right(&format!("{input} {LINES} --column event_ts=order_date"), &[]);
    }
    let (report, _) = case.report(&format!("orders {LINES} --column event_ts=order_date --except order_date=2023-01-05,2023-01-06"), &[]);
    assert_eq!((report["windows"].as_array().unwrap().len(), &report["windows"][0]["name"]), (1, &"2023-02".into()));
    assert!(warnings(&report).contains("2 rows are left out"), "{}", warnings(&report));
}

#[test]
fn rows_are_chosen_by_their_status() {
    let case = Case::new("36_cancelled_orders_by_status");
    let line = format!("orders_items.csv {LINES}");
    let named = columns(&["event_ts=order_purchase_timestamp", "line_total=price"]);
    let (report, said) = case.is_right(&line, &[&named[..], &["--only", "order_status=Delivered,unheard of"]].concat());
    let told = warnings(&report);
    assert!(told.contains("2 rows are left out") && told.contains("no row has the value \"unheard of\""), "{told}");
    assert!(said.contains("only order_status=Delivered,unheard of: 2 rows are left out"), "{said}");
    let said = case.fails(&line, &[&named[..], &["--only", "order_state=delivered"]].concat());
    assert!(said.contains("no column \"order_state\" to filter by") && said.contains("order_status"), "{said}");
}

/// What the amounts of lines are must be known, and that they can be added.
#[test]
fn amounts_are_there_and_of_one_currency() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let audit = |name: &str, more: &[&str]| {
        Lensflow::new(at, &[&["audit", name, "--from", "transactions", "--every", "month"], more].concat()).run()
    };
    fs::write(at.join("n.csv"), "order_id,customer_id,event_ts,betrag,qty\n1,a,2023-01-05,5,2\n").unwrap();
    let said = audit("n.csv", &[]).expect(1).stderr;
    assert!(said.contains("n.csv: there is no column \"line_total\"") && said.contains("--column line_total=betrag"), "{said}");
    let ran = audit("n.csv", &["--amount", "none"]).expect(0);
    assert!(ran.out().contains("0.00") && ran.out().contains("--column quantity=qty"), "{}", ran.out());
    let header = "order_id,customer_id,event_ts,line_total,Currency\n";
    let rows = ["1,a,2023-01-05,5,EUR\n", "2,\"b\",2023-01-06,6,usd\n", "3,c,2023-01-07,7,eur\n", "4,d,2023-01-07,8,\n"];
    fs::write(at.join("c.csv"), header.to_owned() + &rows.concat()).unwrap();
    fs::write(at.join("c.jsonl"), json(&rows)).unwrap();
    for name in ["c.csv", "c.jsonl"] {
        for more in [&[][..], &["--column", "order_id=order_id+customer_id"]] {
            let said = audit(name, more).expect(1).stderr;
            assert!(said.contains("several currencies") && said.contains("EUR in 2 rows, USD in 1 row"), "{said}");
            assert!(said.contains("--only Currency=EUR"), "{said}");
            let one = audit(name, &[more, &["--only", "Currency=EUR"]].concat()).expect(0);
            assert!(one.out().contains("2 orders of 2 lines"), "{}", one.out());
            audit(name, &[more, &["--only", "Currency=EUR,USD"]].concat()).expect(0);
        }
    }
}

fn json(rows: &[&str]) -> String {
    let line = |row: &&str| {
        let fields: Vec<_> = row.trim().split(',').map(|field| field.trim_matches('"')).collect();
        let [order, customer, time, total, currency] = fields[..] else { panic!("{row}") };
        format!(
            "{{\"order_id\":{order},\"customer_id\":\"{customer}\",\"event_ts\":\"{time}\",\"line_total\":{total},\"Currency\":\"{currency}\"}}\n"
        )
    };
    rows.iter().map(line).collect()
}

#[test]
fn names_in_other_capitals_are_taken() {
    let case = Case::new("38_one_file_calls_the_amount_otherwise");
    let (report, _) = case.is_right(&format!("2023-01.csv 2023-02.csv {LINES}"), &["-q"]);
    assert_eq!(warnings(&report), "\"Line_Total\" is read as line_total\n");
}

#[test]
fn two_headers_are_read_by_several_names() {
    let case = Case::new("39_two_years_two_headers");
    let line = "year_2009_2010.csv year_2010_2011.csv --from transactions --every year";
    let named = ["order_id=Invoice", "order_id=InvoiceNo", "customer_id=Customer ID", "event_ts=InvoiceDate", "unit_price=Price|UnitPrice"];
    let (report, _) = case.is_right(line, &columns(&named));
    assert!(warnings(&report).contains("\"CustomerID\" is read as customer_id"), "{}", warnings(&report));
}

#[test]
fn a_date_and_a_time_make_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let text = "Transaction ID,Date,Time,Customer ID,Net Sales\nT1,01/05/2023,23:30:00,a,5\nT2,01/06/2023,,a,5\n";
    fs::write(folder.path().join("t.csv"), text).unwrap();
    let named = columns(&["order_id=Transaction ID", "event_ts=Date+Time", "line_total=Net Sales"]);
    let ran = |more: &[&str]| {
        let line = ["audit", "t.csv", "--from", "transactions", "--every", "month", "--date-format", "%m/%d/%Y %H:%M:%S"];
        Lensflow::new(folder.path(), &[&line[..], &named, more].concat()).run()
    };
    let said = ran(&[]).expect(1).stderr;
    assert!(said.contains("row 2") && said.contains("missing_value: event_ts is empty"), "{said}");
    let rows = ["--except", "Time=", "--rfm-out", "rfm.csv"];
    ran(&rows).expect(0);
    let rfm = fs::read_to_string(folder.path().join("rfm.csv")).unwrap();
    assert!(rfm.contains("\n2023-01,a,26,"), "{rfm}");
}

/// All formats give the same rows, whether columns are plain, joined, in structs or filtered.
#[test]
fn formats_agree_on_columns_that_are_made() {
    use arrow::array::{ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray, StructArray, TimestampMillisecondArray};
    use arrow::datatypes::{DataType, Field};
    use std::sync::Arc;
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let micros = |hour: i64| Some((1_672_876_800 + hour * 3_600) * 1_000);
    let ids = Arc::new(StringArray::from(vec![Some("a"), Some("b"), None, Some("a")])) as ArrayRef;
    let names = Arc::new(StringArray::from(vec!["x"; 4])) as ArrayRef;
    let customer = StructArray::from(vec![
        (Arc::new(Field::new("name", DataType::Utf8, true)), names),
        (Arc::new(Field::new("id", DataType::Utf8, true)), ids),
    ]);
    let amounts = Decimal128Array::from(vec![500, 1_050, 725, 100]).with_precision_and_scale(12, 2).unwrap();
    let batch = RecordBatch::try_from_iter([
        ("store", Arc::new(Int64Array::from(vec![1, 12, 1, 1])) as ArrayRef),
        ("no", Arc::new(Int64Array::from(vec![23, 3, 7, 23])) as ArrayRef),
        ("customer", Arc::new(customer) as ArrayRef),
        ("ts", Arc::new(TimestampMillisecondArray::from(vec![micros(1), micros(30), micros(2), micros(3)])) as ArrayRef),
        ("amount", Arc::new(amounts) as ArrayRef),
        ("status", Arc::new(StringArray::from(vec!["paid", "paid", "paid", "void"])) as ArrayRef),
    ])
    .unwrap();
    let write = |name: &str| fs::File::create(at.join(name)).unwrap();
    let mut parquet = parquet::arrow::ArrowWriter::try_new(write("l.parquet"), batch.schema(), None).unwrap();
    parquet.write(&batch).unwrap();
    parquet.close().unwrap();
    let mut ipc = arrow::ipc::writer::FileWriter::try_new(write("l.arrow"), &batch.schema()).unwrap();
    ipc.write(&batch).unwrap();
    ipc.finish().unwrap();
    let mut json = String::new();
    let mut csv = "store,no,customer.id,ts,amount,status\n".to_owned();
    for (store, no, id, ts, amount, status) in [
        (1, 23, "a", "2023-01-05T01:00:00", "5.00", "paid"),
        (12, 3, "b", "2023-01-06T06:00:00", "10.50", "paid"),
        (1, 7, "", "2023-01-05T02:00:00", "7.25", "paid"),
        (1, 23, "a", "2023-01-05T03:00:00", "1.00", "void"),
    ] {
        let who = if id.is_empty() { "null".to_owned() } else { format!("{{\"name\":\"x\",\"id\":\"{id}\"}}") };
        json +=
            &format!("{{\"store\":{store},\"no\":{no},\"customer\":{who},\"ts\":\"{ts}\",\"amount\":{amount},\"status\":\"{status}\"}}\n");
        csv += &format!("{store},{no},{id},{ts},{amount},{status}\n");
    }
    fs::write(at.join("l.jsonl"), json).unwrap();
    fs::write(at.join("l.csv"), csv).unwrap();
    let audited = |name: &str, order: &str, more: &[&str]| audited(at, name, order, more);
    for (order, more, counts) in [
        ("no", &[][..], "2 orders of 4 lines"),
        ("store+no", &[], "2 orders of 4 lines"),
        ("store+day+no", &["--only", "status=PAID"], "2 orders of 3 lines"),
        ("customer_id+day", &["--except", "status=void"], "2 orders of 3 lines"),
    ] {
        let plain = audited("l.csv", order, more);
        assert!(plain.0.contains(counts), "{}", plain.0);
        for other in ["l.parquet", "l.arrow", "l.jsonl"] {
            assert_eq!(audited(other, order, more).1, plain.1, "{other} {order}");
        }
    }
}

/// The text and the rows of an audit.
fn audited(at: &Path, name: &str, order: &str, more: &[&str]) -> (String, String) {
    let order = format!("order_id={order}");
    let named = columns(&[&order, "customer_id=customer.id", "event_ts=ts", "line_total=amount"]);
    let line = ["audit", name, "--from", "transactions", "--every", "month", "--anonymous", "report", "--sorted", "--rfm-out", "rfm.csv"];
    let ran = Lensflow::new(at, &[&line[..], &named, more].concat()).run().expect(0);
    (ran.out().to_owned(), fs::read_to_string(at.join("rfm.csv")).unwrap())
}
