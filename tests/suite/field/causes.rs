//! What a shop's file is full of is told at once, with a line to paste that gives the right numbers.

use super::{Case, warnings};
use crate::make::{Case as Rows, Item, Layout, items_begin};
use crate::model::Answers;
use crate::model::orders::orders_of;
use crate::support::lensflow;
use lensflow::model::{AmountFrom, Granularity, Windows};
use lensflow::orders::OrderOptions;
use lensflow::time::format_timestamp;
use serde_json::Value;
use std::fs;

const RETAIL: &str = "online_retail_II.csv --layout none --from transactions --every month --column order_id=Invoice --column event_ts=InvoiceDate \
    --column quantity=Quantity --column unit_price=Price --column product_id=StockCode --id-format integer";
const CUSTOMER: [&str; 2] = ["--column", "customer_id=Customer ID"];

/// Customers who only gave money back belong to netted refunds: they are left out and counted with their amount, also by a state.
#[test]
fn customers_who_only_give_back_are_left_out() {
    let case = Case::new("44_who_only_gives_back");
    let line = format!("{RETAIL} --refunds net --anonymous report --duplicates keep");
    let (report, _) = case.is_right(&line, &CUSTOMER);
    assert_eq!(warnings(&report), "");
    assert_eq!(report["windows"][1]["customers_rejected"], serde_json::json!({"no_orders": 1}));
    assert_eq!(super::shown(&report["windows"][1]["customers_rejected_amount"]["no_orders"]), "-5.10");
    let told = case.audit(&line, &CUSTOMER).expect(0);
    assert!(told.out().contains("left out of 2011-01: 1 customer who only gave money back, -5.10\n"), "{}", told.out());
    let update = line.replace("--every month ", "").replace("online", "state online");
    let update: Vec<&str> = ["update"].into_iter().chain(update.split_whitespace()).chain(CUSTOMER).collect();
    lensflow(case.path(), &update).expect(0);
    case.is_right("state --every month", &[]);
}

#[test]
fn all_causes_are_told_at_once() {
    let case = Case::new("44_who_only_gives_back");
    let said = case.fails(RETAIL, &CUSTOMER);
    assert!(said.starts_with("lensflow: 3 lines without a customer (3.94) · 6 refunds (-1,025.26) · 1 copy\n"), "{said}");
    assert!(
        said.contains("the first of 6: online_retail_II.csv: row 4 (line 5): customer \"20002\": refund: quantity is \"-100.00\""),
        "{said}"
    );
    assert!(said.ends_with("help: go on with --anonymous report --refunds net --duplicates drop\n"), "{said}");
    // The first alone is as it was.
    let first = case.fails(RETAIL, &[&CUSTOMER[..], &["--fail-fast"]].concat());
    assert!(first.starts_with("lensflow: online_retail_II.csv: row 4 (line 5): customer \"20002\": refund: "), "{first}");
}

/// A file with all kinds of faults: the line to paste runs, and gives what the plain model says of its lines.
#[test]
fn the_pasted_line_gives_the_right_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let mut items = Vec::new();
    for i in 0..600u16 {
        let order = i / 3;
        let item = Item {
            order: order as u8,
            customer: (order % 7 != 3).then_some((order % 23) as u8),
            hour: Some(order * 13),
            quantity: if order % 11 == 5 { -2 } else { 1 + (i % 4) as i8 },
            price: Some(2_500 + i % 90 * 10),
            total: None,
            margin: 0,
            product: Some((i % 3) as u8),
        };
        items.extend(std::iter::repeat_n(item, if i % 13 == 0 { 2 } else { 1 }));
    }
    let mut text = "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID\n".to_owned();
    for (i, Item { order, customer, hour, quantity, price, product, .. }) in items.iter().enumerate() {
        let (price, product) = (price.unwrap(), product.unwrap());
        let time = format_timestamp(items_begin() + (i64::from(hour.unwrap()) * 60 + 30) * 60_000_000);
        let customer = customer.map_or(String::new(), |id| format!("c{id}"));
        text += &format!("{order},p{product},{quantity},{time},{}.{:03},{customer}\n", price / 1_000, price % 1_000);
        if i % 200 == 7 {
            text += &format!("{order},p{product},some,{time},1,{customer}\n");
        }
    }
    fs::write(at.join("online_retail.csv"), text).unwrap();
    let audit = "audit online_retail.csv --layout none --from transactions --every month --column order_id=InvoiceNo --column customer_id=CustomerID \
        --column event_ts=InvoiceDate --column quantity=Quantity --column unit_price=UnitPrice --column product_id=StockCode";
    let audit: Vec<&str> = audit.split_whitespace().collect();
    let run = |more: &[&str]| lensflow(at, &[&audit[..], more].concat());
    let report = |more: &[&str]| -> Value {
        run(&[more, &["--json-numbers", "text", "--report", "report.json"]].concat()).expect(0);
        serde_json::from_slice(&fs::read(at.join("report.json")).unwrap()).unwrap()
    };

    let said = run(&["--rfm-out", "rfm.csv"]).expect(1).stderr;
    for how in [&["--workers", "1"][..], &["--workers", "5"], &["--memory-limit", "64MiB"]] {
        assert_eq!(run(how).expect(1).stderr, said);
    }
    assert!(!at.join("rfm.csv").exists());
    let (mut anonymous, mut refunds) = ((0, 0), (0, 0));
    for item in &items {
        let worth = i64::from(item.quantity) * i64::from(item.price.unwrap()) / 10;
        let count = |(lines, sum): (i64, i64), is: bool| if is { (lines + 1, sum + worth) } else { (lines, sum) };
        (anonymous, refunds) = (count(anonymous, item.customer.is_none()), count(refunds, item.quantity < 0));
    }
    let said_of = |(lines, cents): (i64, i64), what: &str| {
        let sign = if cents < 0 { "-" } else { "" };
        format!("{lines} {what} ({sign}{}.{:02})", lensflow::text::grouped(cents.abs() / 100), cents.abs() % 100)
    };
    let [anonymous, refunds] = [said_of(anonymous, "lines without a customer"), said_of(refunds, "refunds")];
    let wanted = format!("lensflow: {anonymous} · 4 lines whose quantity cannot be read · {refunds} · 47 copies\n");
    assert!(said.contains(&wanted), "{wanted}{said}");

    let paste = said.trim_end().rsplit_once("help: go on with ").unwrap().1;
    let found = report(&paste.split_whitespace().collect::<Vec<_>>());
    let periods = orders_of(&items, &OrderOptions::shop(), AmountFrom::Auto).periods;
    let (windows, percentiles) = (Windows::Every(Granularity::Month), vec![10, 20]);
    let model = Answers::of(&Rows { windows, percentiles, bins: 5, rows: periods, layout: Layout::default() });
    // Period aggregations do not say on which days there were orders.
    let uncovered = |windows: &Value| {
        let mut windows = windows.clone();
        let fields = windows.as_array_mut().unwrap().iter_mut().map(|window| window.as_object_mut().unwrap());
        fields.for_each(|window| window.retain(|name, _| !name.starts_with("covered_")));
        windows
    };
    assert_eq!(uncovered(&found["windows"]), uncovered(&model.report["windows"]), "{paste}");
    assert_eq!(found["comparisons"], model.report["comparisons"], "{paste}");
    assert_eq!(report(&["--policy", "shop", "--on-bad-row", "reject"]), found);
    let explained = run(&["--policy", "shop", "--explain"]).expect(0);
    assert!(explained.out().contains("policy") && explained.out().contains("shop: refunds are netted"), "{}", explained.out());
    assert!(run(&["--policy", "shop", "--save-spec", "-"]).expect(0).out().contains("policy = \"shop\"\n"));
}
