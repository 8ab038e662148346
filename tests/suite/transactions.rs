//! Orders and line items as input: every format and column type gives the same lines, exact and aligned, and what cannot be read is named.

use crate::make::{Dice, Encoding, Table, gzip, line_batch, line_tables};
use crate::model::orders::{Line, line_of};
use crate::support::lensflow;
use arrow::array::{Array, ArrayRef, Float64Array, Int64Array, RecordBatch, TimestampMicrosecondArray};
use lensflow::Result;
use lensflow::model::{AmountFrom, BadLine, TransactionBatch, TransactionColumn as Column, TransactionColumns};
use lensflow::model::{Encoding as Bytes, IdFormat, ReadOptions};
use lensflow::money::{Amount, AmountError, Fixed2, Total};
use lensflow::source::files::Files;
use lensflow::source::transactions::TransactionOptions;
use lensflow::source::{Batches, Source};
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// All lines of a file, and what is bad of them by the number of its row.
type Lines = (Vec<Line>, Vec<(u64, BadLine)>);

/// Reads a file; also one of lines that say no worth, as tests of other columns have them.
fn read_with(file: &Path, map: TransactionColumns, options: &TransactionOptions) -> Result<Lines> {
    let read = |options: &TransactionOptions| {
        let files = Files::find_transactions(&[file.to_string_lossy()], None, map.clone(), options, 7)?;
        files.check()?;
        decoded(files, options, file.extension().is_some_and(|e| e == "jsonl"))
    };
    let without_worth = options.clone().with_amount(AmountFrom::None);
    read(options).or_else(|e| if e.to_string().contains("\"line_total\"") { read(&without_worth) } else { Err(e) })
}

fn decoded(mut source: impl Source<TransactionBatch>, options: &TransactionOptions, headless: bool) -> Result<Lines> {
    let (mut lines, mut bad) = (Vec::new(), Vec::new());
    while let Some(chunk) = source.next_chunk()? {
        chunk.decode(&mut |batch: TransactionBatch| {
            assert_eq!(batch.first_row, lines.len() as u64 + 1);
            assert!(batch.first_line.is_none_or(|line| line > batch.first_row || headless));
            let text = |array: &arrow::array::StringViewArray, row: usize| array.is_valid(row).then(|| array.value(row).to_owned());
            for row in 0..batch.times.len() {
                lines.push(Line {
                    order: if batch.orders.is_empty() { None } else { text(&batch.orders, row) },
                    customer: text(&batch.customers, row),
                    time: batch.times[row],
                    spend: batch.spend[row],
                    margin: batch.margin[row],
                    quantity: batch.quantity[row],
                    product: batch.products.as_ref().and_then(|products| text(products, row)),
                });
            }
            let is_none = options.one_row_per_order && batch.orders.is_empty();
            assert!(is_none || batch.orders.len() == batch.times.len());
            assert_eq!(batch.customers.len(), batch.times.len());
            bad.extend(batch.bad.into_iter().map(|bad| (batch.first_row + u64::from(bad.row), BadLine { row: 0, ..bad })));
            Ok(())
        })?;
    }
    Ok((lines, bad))
}

/// What a text in a file of that name is.
fn read_bytes(name: &str, bytes: &[u8], options: &TransactionOptions) -> Result<Lines> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    fs::write(&file, bytes).unwrap();
    read_with(&file, TransactionColumns::default(), options)
}

fn csv(text: &str) -> Lines {
    read_bytes("lines.csv", text.as_bytes(), &TransactionOptions::default()).unwrap()
}

/// What is bad, in short.
fn shown(bad: &[(u64, BadLine)]) -> Vec<String> {
    bad.iter().map(|(row, bad)| format!("{row} {} {} {:?}", bad.column.name(), bad.reason, bad.value)).collect()
}

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

#[test]
fn golden_line_items_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/golden_transactions/tx_line_items");
    let (lines, bad) = read_with(&folder.join("transactions.csv"), TransactionColumns::default(), &TransactionOptions::default()).unwrap();
    assert_eq!((lines.len(), bad.len()), (7_516, 0));
    let sum = |value: fn(&Line) -> Amount| {
        let mut total = Total::default();
        lines.iter().for_each(|line| total.add(value(line)));
        total.rounded()
    };
    let (spend, margin, quantity) = (sum(|line| line.spend), sum(|line| line.margin), sum(|line| line.quantity));
    for period in ["month", "quarter", "year"] {
        let expected = Table::parse(&fs::read_to_string(folder.join(format!("expected_{period}.csv"))).unwrap());
        let at = |name: &str| expected.header.iter().position(|n| n == name).unwrap();
        let sum = |name| expected.rows.iter().map(|row| row[at(name)].parse::<Fixed2>().unwrap().hundredths()).sum::<i128>();
        let sums = [sum("total_spend"), sum("total_margin"), sum("total_quantity")].map(Fixed2::from_hundredths);
        assert_eq!([spend, margin, quantity], sums, "{period}");
        let count = |mut all: Vec<&Option<String>>| {
            all.sort();
            all.dedup();
            all.len() as i128
        };
        assert_eq!(count(lines.iter().map(|line| &line.order).collect()) * 100, sum("total_orders"));
        assert_eq!(
            count(lines.iter().map(|line| &line.customer).collect()),
            count(expected.rows.iter().map(|row| Some(row[0].clone())).collect::<Vec<_>>().iter().collect())
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn every_format_and_type_gives_the_same_lines(table in line_tables(), seed in any::<u64>()) {
        let folder = tempfile::tempdir().unwrap();
        let lines: Vec<Line> = table.rows.iter().map(|row| line_of(&table.header, row)).collect();
        let batch = line_batch(&table, &mut Dice(seed));
        let files = [
            ("lines.csv", table.to_csv().into_bytes()),
            ("numbers.jsonl", table.to_jsonl(true).into_bytes()),
            ("texts.jsonl", table.to_jsonl(false).into_bytes()),
            ("lines.parquet", Encoding::Parquet.encode_batch(&batch)),
            ("lines.arrow", Encoding::ArrowFile.encode_batch(&batch)),
            ("lines.arrows", Encoding::ArrowStream.encode_batch(&batch)),
        ];
        for (name, bytes) in files {
            let file = folder.path().join(name);
            fs::write(&file, bytes).unwrap();
            let (read, bad) = read_with(&file, TransactionColumns::default(), &TransactionOptions::default()).unwrap();
            prop_assert_eq!(&read, &lines, "{}", name);
            prop_assert_eq!(shown(&bad), Vec::<String>::new(), "{}", name);
        }
        let says_worth = table.header.iter().any(|name| ["line_total", "unit_price"].contains(&name.as_str()));
        let options = TransactionOptions::default().with_amount(if says_worth { AmountFrom::Auto } else { AmountFrom::None });
        let pieces: Vec<_> = (0..batch.num_rows()).step_by(4).map(|at| batch.slice(at, 4.min(batch.num_rows() - at))).collect();
        let source = Batches::transactions("pieces", TransactionColumns::default(), &options, pieces.into_iter()).unwrap();
        prop_assert_eq!(decoded(source, &options, false).unwrap().0, lines);
    }

    /// Against digits multiplied as on paper.
    #[test]
    fn products_are_exact(a in number(), b in number()) {
        let product = Amount::from_decimal(a, 18).unwrap().times(Amount::from_decimal(b, 18).unwrap());
        prop_assert_eq!(product, on_paper(a, b));
    }

    #[test]
    fn differences_are_exact(a in number(), b in number()) {
        let difference = Amount::from_decimal(a, 18).unwrap().minus(Amount::from_decimal(b, 18).unwrap());
        prop_assert_eq!(difference, Amount::from_decimal(a - b, 18));
    }
}

/// Units of 10⁻¹⁸ of all sizes; cents, and such whose products lie halfway.
fn number() -> impl Strategy<Value = i128> {
    let any = (0..34u32).prop_flat_map(|digits| -(10i128.pow(digits)) + 1..10i128.pow(digits));
    let round = (-1_000_000..1_000_000i128, 0..28u32)
        .prop_map(|(n, zeros)| n * 10i128.pow(zeros))
        .prop_filter("an amount", |n| n.abs() < 10i128.pow(33));
    let cents = (-100_000_000..100_000_000i128).prop_map(|cents| cents * 10i128.pow(16));
    prop_oneof![any, round, cents, select(vec![5i128 * 10i128.pow(17), -(5 * 10i128.pow(17)), 3 * 10i128.pow(33 - 1), 1, -1])]
}

fn on_paper(a: i128, b: i128) -> Result<Amount, AmountError> {
    let digits = |n: i128| n.unsigned_abs().to_string().bytes().rev().map(|d| u32::from(d - b'0')).collect::<Vec<_>>();
    let (left, right) = (digits(a), digits(b));
    let mut product = vec![0u32; left.len() + right.len() + 40];
    for (i, x) in left.iter().enumerate() {
        for (j, y) in right.iter().enumerate() {
            product[i + j] += x * y;
        }
    }
    for at in 0..product.len() - 1 {
        product[at + 1] += product[at] / 10;
        product[at] %= 10;
    }
    let sign = if (a < 0) != (b < 0) { "-" } else { "" };
    let text: String = product.iter().rev().map(u32::to_string).collect();
    let (whole, fraction) = text.split_at(text.len() - 36);
    format!("{sign}{whole}.{fraction}").parse()
}

#[test]
fn values_that_are_not_said() {
    let (lines, bad) = csv("order_id,customer_id,order_ts,unit_price\n1,,2023-01-01,2.5\n\"1\",a,2023-01-01 10:00,\n");
    assert_eq!(shown(&bad), Vec::<String>::new());
    assert_eq!(
        (lines[0].customer.as_deref(), lines[0].spend, lines[0].margin, lines[0].quantity),
        (None, amount("2.5"), amount("2.5"), amount("1"))
    );
    assert_eq!((lines[1].spend, lines[1].product.as_ref()), (Amount::default(), None));
    // A total without anything else is no margin.
    let (lines, _) = csv("order_id,customer_id,event_ts,line_total,order_ts\n1,a,2023-01-01,7,x\n");
    assert_eq!((lines[0].spend, lines[0].margin), (amount("7"), Amount::default()));
    let single = TransactionOptions::default().with_one_row_per_order(true);
    let (lines, bad) = read_bytes("l.csv", b"customer_id,event_ts,line_total\na,2023-01-01,7\n", &single).unwrap();
    assert_eq!((lines[0].order.as_ref(), lines[0].spend, bad.len()), (None, amount("7"), 0));
    // What an order would be called does not matter then.
    let json = b"{\"order_id\":1.5,\"customer_id\":1,\"order_ts\":\"2023-01-01\",\"quantity\":2}\n";
    let (lines, bad) = read_bytes("l.jsonl", json, &single).unwrap();
    assert_eq!((lines[0].customer.as_deref(), lines[0].quantity, bad.len()), (Some("1"), amount("2"), 0));
    assert!(read_bytes("l.jsonl", json, &TransactionOptions::default()).unwrap_err().to_string().contains("order_id is 1.5"));
}

#[test]
fn bad_values_are_named_with_their_rows() {
    let text =
        "order_id,customer_id,event_ts,quantity,unit_price,line_margin\n1,a,2023-01-01,1,1,1\n,a,2023-02-30,x,1e15,\n2,a,,1e9,1e9,nan\n";
    let (lines, bad) = csv(text);
    let expected = [
        "2 order_id missing_value \"\"",
        "2 event_ts bad_timestamp \"2023-02-30\"",
        "2 quantity bad_number \"x\"",
        "2 unit_price amount_out_of_range \"1e15\"",
        "3 unit_price amount_out_of_range \"1000000000.00 x 1000000000.00\"",
        "3 line_margin bad_number \"nan\"",
    ];
    assert_eq!((lines.len(), shown(&bad)), (3, expected.map(str::to_owned).to_vec()));
    let table = Table::parse(text);
    for (name, bytes) in
        [("l.jsonl", table.to_jsonl(false).into_bytes()), ("l.parquet", Encoding::Parquet.encode_batch(&table.text_batch(true)))]
    {
        let (_, bad) = read_bytes(name, &bytes, &TransactionOptions::default()).unwrap();
        assert_eq!(shown(&bad), expected, "{name}");
    }
}

#[test]
fn products_that_are_too_large() {
    let header = "order_id,customer_id,event_ts,quantity,unit_price,line_total,unit_margin,unit_cost";
    let (lines, bad) = csv(&format!("{header}\n1,a,2023-01-01,1e8,1,5,1e8,\n1,a,2023-01-01,1e8,1,,,-1e8\n1,a,2023-01-01,1e8,1e8,5,5,\n"));
    let expected = [
        "1 unit_margin amount_out_of_range \"100000000.00 x 100000000.00\"",
        "2 unit_cost amount_out_of_range \"100000000.00 x (1.00 - -100000000.00)\"",
    ];
    assert_eq!((shown(&bad), lines[2].margin), (expected.map(str::to_owned).to_vec(), amount("5e8")));
}

#[test]
fn ids_that_are_whole_numbers() {
    let integer = TransactionOptions::default().with_reading(ReadOptions::default().with_id_format(IdFormat::Integer));
    let header = "order_id,customer_id,event_ts,product_id\n";
    let rows = "C12,12923.0,2023-01-01,85123A\n536365.0,007,2023-01-01,9.0\n1,x1,2023-01-01,\n1,1.5,2023-01-01,\n1,,2023-01-01,\n1,98765432109876543210,2023-01-01,1.50\n";
    let table = Table::parse(&format!("{header}{rows}"));
    for (name, bytes) in [
        ("l.csv", table.to_csv().into_bytes()),
        ("l.jsonl", table.to_jsonl(true).into_bytes()),
        ("l.arrow", Encoding::ArrowFile.encode_batch(&table.text_batch(true))),
    ] {
        let (lines, bad) = read_bytes(name, &bytes, &integer).unwrap();
        let customers: Vec<_> = lines.iter().map(|line| line.customer.as_deref()).collect();
        assert_eq!(
            (customers[0], customers[1], customers[4], customers[5]),
            (Some("12923"), Some("7"), None, Some("98765432109876543210")),
            "{name}"
        );
        assert_eq!((lines[0].order.as_deref(), lines[1].order.as_deref()), (Some("C12"), Some("536365")));
        assert_eq!(
            lines.iter().map(|line| line.product.as_deref()).collect::<Vec<_>>(),
            [Some("85123A"), Some("9"), None, None, None, Some("1.50")]
        );
        assert_eq!(shown(&bad), ["3 customer_id bad_number \"x1\"", "4 customer_id bad_number \"1.5\""], "{name}");
        assert!(integer.help(&bad[0].1).unwrap().contains("`id_format="));
    }
    let ids: ArrayRef = Arc::new(Float64Array::from(vec![Some(12923.0), None, Some(1.5), Some(f64::NAN)]));
    let orders: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3, 4]));
    let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![0; 4]));
    let batch =
        RecordBatch::try_from_iter_with_nullable([("order_id", orders, true), ("customer_id", ids, true), ("event_ts", times, true)])
            .unwrap();
    let bytes = Encoding::Parquet.encode_batch(&batch);
    let (lines, bad) = read_bytes("l.parquet", &bytes, &integer).unwrap();
    assert_eq!(lines.iter().map(|line| line.customer.as_deref()).collect::<Vec<_>>(), [Some("12923"), None, Some("1.5"), None]);
    assert_eq!(shown(&bad), ["3 customer_id bad_number \"1.5\""]);
    let error = read_bytes("l.parquet", &bytes, &TransactionOptions::default()).unwrap_err();
    assert!(error.to_string().contains("customer_id") && error.advice().unwrap().contains("`id_format=integer`"), "{error}");
    let error =
        read_bytes("l.jsonl", b"{\"order_id\":1,\"customer_id\":1.0,\"event_ts\":\"2023-01-01\"}\n", &TransactionOptions::default());
    assert!(error.unwrap_err().to_string().contains("customer_id is 1.0"));
}

#[test]
fn dates_as_people_write_them() {
    let text = "order_id,customer_id,event_ts\n1,a,12/1/2010 8:26\n1,a,12/1/2010 8:26\n1,a,2010-12-02\n";
    let with = |format: &str| TransactionOptions::default().with_reading(ReadOptions::default().with_date_formats([format]));
    let (lines, bad) = read_bytes("l.csv", text.as_bytes(), &with("%m/%d/%Y %H:%M")).unwrap();
    let (first, day) = (1_291_191_960_000_000, 86_400_000_000);
    assert_eq!(lines.iter().map(|line| line.time).collect::<Vec<_>>(), [first, first, first + day - 30_360_000_000]);
    assert!(bad.is_empty());
    let arrow = Encoding::ArrowStream.encode_batch(&Table::parse(text).text_batch(true));
    assert_eq!(read_bytes("l.arrow", &arrow, &with("%m/%d/%Y %H:%M")).unwrap().0, lines);
    let (_, bad) = csv(text);
    assert_eq!(shown(&bad[..1]), ["1 event_ts bad_timestamp \"12/1/2010 8:26\""]);
    let help = TransactionOptions::default().help(&bad[0].1).unwrap();
    assert!(
        help.contains("=%m/%d/%Y %H:%M` if this is 1 December 2010") && help.contains("=%d/%m/%Y %H:%M` if this is 12 January 2010"),
        "{help}"
    );
    assert!(with("%H:%M").check().is_err() && with("%m/%d/%Y").check().is_ok());
    assert!(read_bytes("l.csv", text.as_bytes(), &with("nonsense")).is_err());
}

#[test]
fn spreadsheets_in_latin_1() {
    let text = b"Invoice,customer_id,event_ts,product_id\n1,Fran\xe7ois,2023-01-01,\"5\x80 d\xe9j\xe0, vu\"\n";
    let latin = TransactionOptions::default().with_reading(ReadOptions::default().with_encoding(Bytes::Latin1));
    let folder = tempfile::tempdir().unwrap();
    let map = TransactionColumns([(Column::OrderId, "Invoice".to_owned())].into());
    for (name, bytes) in [("l.csv", text.to_vec()), ("l.csv.gz", gzip(text))] {
        let file = folder.path().join(name);
        fs::write(&file, bytes).unwrap();
        let (lines, _) = read_with(&file, map.clone(), &latin).unwrap();
        assert_eq!((lines[0].customer.as_deref(), lines[0].product.as_deref()), (Some("François"), Some("5€ déjà, vu")));
        let error = read_with(&file, map.clone(), &TransactionOptions::default()).unwrap_err();
        assert!(error.advice().unwrap().contains("`encoding=latin1`"), "{error}");
    }
    let json = b"{\"order_id\":\"\xe9\",\"customer_id\":7,\"event_ts\":\"2023-01-01\"}\n";
    assert_eq!(read_bytes("l.jsonl", json, &latin).unwrap().0[0].order.as_deref(), Some("é"));
}

#[test]
fn columns_that_are_not_found() {
    let message = |text: &str| {
        let error = read_bytes("l.csv", text.as_bytes(), &TransactionOptions::default()).unwrap_err();
        format!("{error}; {}", error.advice().unwrap_or_default())
    };
    let text = message("order_id,custmerid,event_ts\n");
    assert!(text.contains("there is no column \"customer_id\"") && text.contains("`columns.customer_id=custmerid`"), "{text}");
    assert!(message("InvoiceNo,customer_id,event_ts\n").contains("\"order_id\""));
    assert!(message("order_id,customer_id,when\n").contains("\"event_ts\""));
    assert!(message("order_id,customer_id,event_ts,quantity,quantity\n").contains("two columns"));
    let map = TransactionColumns([(Column::UnitCost, "cost".to_owned())].into());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("l.jsonl");
    fs::write(&file, "{\"order_id\":1,\"customer_id\":7,\"event_ts\":\"2023-01-01\"}\n").unwrap();
    assert!(read_with(&file, map, &TransactionOptions::default()).unwrap_err().to_string().contains("\"cost\""));
}

#[test]
fn generated_line_items_have_the_sums_of_the_periods() {
    let folder = tempfile::tempdir().unwrap();
    let generate = |name: &str, more: &[&str]| {
        let common =
            ["generate", "--customers", "9K", "--ids", "unicode", "--scenario", "seasonal", "--null-timestamps", "0.1", "-o", name];
        lensflow(folder.path(), &[&common[..], more].concat()).expect(0);
        folder.path().join(name)
    };
    let periods = Table::parse(&fs::read_to_string(generate("periods.csv", &["--as", "periods"])).unwrap());
    let at = |name: &str| periods.header.iter().position(|n| n == name).unwrap();
    let sum = |name| periods.rows.iter().map(|row| row[at(name)].parse::<Fixed2>().unwrap().hundredths()).sum::<i128>();
    for name in ["lines.csv", "lines.jsonl", "lines.parquet", "lines.arrow"] {
        let file = generate(name, &["--as", "transactions", "--workers", "1"]);
        let bytes = fs::read(&file).unwrap();
        generate(name, &["--as", "transactions", "--workers", "3"]);
        assert!(fs::read(&file).unwrap() == bytes, "{name} differs by workers");
        let (lines, bad) = read_with(&file, TransactionColumns::default(), &TransactionOptions::default()).unwrap();
        let mut spend = Total::default();
        lines.iter().for_each(|line| spend.add(line.spend));
        let orders: BTreeSet<_> = lines.iter().map(|line| &line.order).collect();
        let customers: BTreeSet<_> = lines.iter().map(|line| line.customer.as_deref().unwrap()).collect();
        assert_eq!((spend.rounded().hundredths(), orders.len() as i128 * 100, bad.len()), (sum("total_spend"), sum("total_orders"), 0));
        assert_eq!(customers, periods.rows.iter().map(|row| row[at("customer_id")].as_str()).collect());
    }
}
