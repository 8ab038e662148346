//! Exports of known shops come out right without a word about their columns, inputs of no known layout say what they seem to be, and
//! `lensflow peek` says it beforehand.

use super::{Case, all_warnings, shown};
use crate::make::{Item, Layout, Row, items_begin};
use crate::model::Answers;
use crate::model::orders::{Grouped, orders_of};
use crate::support::{Lensflow, Ran};
use lensflow::model::{AmountFrom, Granularity, Windows};
use lensflow::orders::{Anonymous, Duplicates, OrderOptions, Refunds};
use lensflow::time::to_datetime;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// The policies of a shop.
const POLICY: &[&str] = &["--refunds", "net", "--anonymous", "report", "--duplicates", "drop"];

fn layout(name: &str) -> Case {
    Case::new(&format!("layouts/{name}"))
}

fn peek(folder: &Path, arguments: &[&str]) -> Ran {
    Lensflow::new(folder, &[&["peek"], arguments].concat()).run()
}

/// Orders of three months: refunds, which follow a purchase, lines without a customer, lines that come twice.
fn items() -> Vec<Item> {
    let mut items = Vec::new();
    for order in 0..180u8 {
        let refund = order % 13 == 12;
        // A refund is given to the customer of the order before.
        let buyer = if refund { order - 1 } else { order };
        let customer = (buyer % 11 != 3).then_some(buyer % 23);
        for line in 0..1 + order % 5 {
            let item = Item {
                order,
                customer,
                hour: Some(u16::from(buyer) * 11 + u16::from(refund)),
                quantity: if refund { -1 } else { 1 + (order % 4) as i8 },
                price: Some(if refund { 50 } else { 990 + 10 * u16::from(line) + 250 * u16::from(order % 7) }),
                total: None,
                margin: 0,
                product: Some(line),
            };
            items.push(item.clone());
            if (order + line) % 37 == 5 {
                items.push(item);
            }
        }
    }
    items
}

/// The lines as the data set has them, in one of its two spellings.
fn online_retail(items: &[Item], second: bool) -> Vec<u8> {
    let header: &[u8] = match second {
        false => b"InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\r\n",
        true => b"Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\r\n",
    };
    let mut csv = header.to_vec();
    for item in items {
        let time = to_datetime(items_begin() + (i64::from(item.hour.unwrap()) * 60 + 30) * 60_000_000);
        let time = time.format(if second { "%Y-%m-%d %H:%M:%S" } else { "%-m/%-d/%Y %-H:%M" });
        let customer = item.customer.map_or(String::new(), |id| format!("{}{}", 17_850 + u32::from(id), if second { ".0" } else { "" }));
        let letter = if item.quantity < 0 { "C" } else { "" };
        let price = item.price.unwrap();
        let (order, price) = (536_000 + u32::from(item.order), format!("{}.{:02}", price / 1_000, price % 1_000 / 10));
        csv.extend(format!("{letter}{order},8512{},", item.product.unwrap()).bytes());
        // In Latin-1, as in the data set.
        csv.extend(b"\"CAF\xc9 SET, 3 PIECE\"");
        csv.extend(format!(",{},{time},{price},{customer},United Kingdom\r\n", item.quantity).bytes());
    }
    csv
}

/// The model knows customers by numbers of their own.
fn periods(items: &[Item]) -> Vec<Row> {
    let options = OrderOptions::default();
    let options = options.with_refunds(Refunds::Net).with_anonymous(Anonymous::Report).with_duplicates(Duplicates::Drop);
    let Grouped { periods, rejected, .. } = orders_of(items, &options, AmountFrom::Auto);
    assert!(rejected.is_empty(), "{rejected:?}");
    periods
}

#[test]
fn online_retail_is_right_to_the_cent_in_both_spellings() {
    let items = items();
    let case = crate::make::Case {
        windows: Windows::Every(Granularity::Month),
        percentiles: vec![10, 20],
        bins: 5,
        rows: periods(&items),
        layout: Layout::default(),
    };
    let right = Answers::of(&case).report;
    for second in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("online_retail.csv"), online_retail(&items, second)).unwrap();
        let line = [&["audit", "online_retail.csv", "--every", "month", "--report", "r.json"], POLICY].concat();
        let ran = Lensflow::new(folder.path(), &line).run().expect(0);
        let report: Value = serde_json::from_slice(&fs::read(folder.path().join("r.json")).unwrap()).unwrap();
        assert_eq!(report["windows"].as_array().unwrap().len(), 3);
        for (window, right) in report["windows"].as_array().unwrap().iter().zip(right["windows"].as_array().unwrap()) {
            for field in ["total_customers", "total_orders", "total_revenue", "one_time_buyers", "median_customer_value"] {
                assert_eq!(shown(&window["lens1"][field]), shown(&right["lens1"][field]), "{field} of {}: {}", window["name"], ran.stderr);
            }
        }
        assert!(all_warnings(&report).contains("read as uci-online-retail: order_id=Invoice"), "{}", all_warnings(&report));
        assert!(ran.stderr.contains("read as uci-online-retail"), "{}", ran.stderr);
    }
}

#[test]
fn exports_of_shops_come_out_right_without_a_flag() {
    for (name, input) in LAYOUTS {
        let (report, said) = layout(name).is_right(&format!("{input} --every month"), &[]);
        assert!(said.contains("read as ") && all_warnings(&report).contains("read as "), "{name}: {said}");
    }
}

/// Layouts and inputs.
const LAYOUTS: &[(&str, &str)] = &[
    ("amazon", "orders.txt"),
    ("google_merchandise", "events.jsonl"),
    ("google_merchandise", "sessions.csv"),
    ("h_and_m", "transactions_train.csv"),
    ("olist", "orders_items_customers.csv"),
    ("shopify", "orders_export.csv"),
    ("square", "items.csv"),
    ("woocommerce", "orders.csv"),
];

#[test]
fn files_of_two_spellings_are_one_input() {
    Case::new("39_two_years_two_headers").is_right("year_2009_2010.csv year_2010_2011.csv --every year", &[]);
}

#[test]
fn what_comes_through_a_pipe_is_read_from_its_beginning() {
    let case = layout("h_and_m");
    let text = fs::read(case.path().join("transactions_train.csv")).unwrap();
    let audit = |input: &str, bytes: Vec<u8>| {
        let ran = Lensflow::new(case.path(), &["audit", input, "--every", "month", "--report", "-", "-q"]).stdin(bytes).run().expect(0);
        let report: Value = serde_json::from_str(ran.out()).unwrap();
        (report["windows"].clone(), report["comparisons"].clone())
    };
    let right = audit("transactions_train.csv", Vec::new());
    assert_eq!(audit("-", text.clone()), right);
    assert_eq!(audit("-", crate::make::gzip(&text)), right);
    // What has to lie in a file is put there once.
    assert!(peek(case.path(), &["transactions_train.csv"]).expect(0).out().contains("the layout h-and-m"));
}

#[test]
fn the_own_word_counts_more_than_the_layout() {
    let case = layout("h_and_m");
    let (report, said) =
        case.report("transactions_train.csv --every month --column order_id=customer_id+article_id --duplicates drop", &[]);
    assert!(!said.contains("order_id=customer_id+day") && said.contains("event_ts=t_dat"), "{said}");
    assert_eq!(report["input"]["transactions"]["duplicate_lines"], 1);
    let said = case.fails("transactions_train.csv --every month --layout none", &[]);
    assert!(said.contains("neither those of period aggregations nor those of orders and line items"), "{said}");
    let said = case.fails("transactions_train.csv --every month --layout shopify", &[]);
    assert!(said.contains("the layout shopify has columns that are not there") && said.contains("\"Financial Status\""), "{said}");
}

#[test]
fn columns_that_tell_nothing_are_named_with_the_two_ways_on() {
    let folder = tempfile::tempdir().unwrap();
    let csv = "Bestellnr;Kunde;Datum;Summe\n1;a;31.12.2023;5\n2;b;2.1.2024;6\n";
    fs::write(folder.path().join("a b.csv"), csv).unwrap();
    let ran = Lensflow::new(folder.path(), &["audit", "a b.csv", "--every", "month"]).run().expect(1);
    let command = "lensflow audit 'a b.csv' --from transactions --date-format %d.%m.%Y --amount order --column customer_id=Kunde --column order_id=Bestellnr \
                   --column event_ts=Datum --column line_total=Summe --every month";
    assert!(ran.stderr.contains(command) && ran.stderr.contains("--from periods"), "{}", ran.stderr);
    assert!(ran.stderr.contains("\"Bestellnr\", \"Kunde\", \"Datum\", \"Summe\""), "{}", ran.stderr);
    // The command that is shown is one that works, and peek shows it too.
    let words = [
        "audit",
        "a b.csv",
        "--from",
        "transactions",
        "--date-format",
        "%d.%m.%Y",
        "--amount",
        "order",
        "--every",
        "month",
        "--report",
        "-",
        "-q",
    ];
    let columns = ["customer_id=Kunde", "order_id=Bestellnr", "event_ts=Datum", "line_total=Summe"].map(|column| ["--column", column]);
    let report: Value =
        serde_json::from_str(Lensflow::new(folder.path(), &[&words, &columns.concat()[..]].concat()).run().expect(0).out()).unwrap();
    assert_eq!(shown(&report["windows"][1]["lens1"]["total_revenue"]), "6.00");
    let seen = peek(folder.path(), &["a b.csv"]).expect(0);
    assert!(seen.out().contains(command), "{}", seen.out());
    assert!(seen.out().lines().filter(|line| !line.contains("lensflow audit")).all(|line| line.chars().count() <= 80), "{}", seen.out());
}

#[test]
fn a_look_says_what_an_audit_would_meet_and_its_command_runs() {
    let folder = tempfile::tempdir().unwrap();
    let items = items();
    fs::write(folder.path().join("online_retail.csv"), online_retail(&items, false)).unwrap();
    for more in [&[][..], &["--all"]] {
        let line = [&["online_retail.csv", "--json", "--every", "quarter", "--save-spec", "spec.toml"], more].concat();
        let seen: Value = serde_json::from_str(peek(folder.path(), &line).expect(0).out()).unwrap();
        assert_eq!(seen["layout"], "uci-online-retail");
        assert_eq!(seen["encoding"], "latin1");
        assert_eq!((&seen["rows_read"], &seen["all"]), (&Value::from(items.len()), &Value::from(true)));
        let refunds = items.iter().filter(|item| item.quantity < 0 && item.customer.is_some()).count();
        assert!(seen["lines"]["refund_lines"].as_u64().unwrap() >= refunds as u64);
        assert!(seen["lines"]["duplicate_lines"].as_u64().unwrap() > 0 && seen["lines"]["anonymous_lines"].as_u64().unwrap() > 0);
        let roles: Vec<_> = seen["columns"].as_array().unwrap().iter().map(|column| column["role"].as_str().unwrap_or("-")).collect();
        assert_eq!(roles, ["order_id", "product_id", "-", "quantity", "event_ts", "unit_price", "customer_id", "-"]);
        let command: Vec<&str> = seen["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
        assert_eq!(command[..3], ["lensflow", "audit", "online_retail.csv"]);
        let audited = |arguments: &[&str]| -> Value {
            let report: Value = serde_json::from_str(Lensflow::new(folder.path(), arguments).run().expect(0).out()).unwrap();
            report["windows"].clone()
        };
        let by_command = audited(&[&command[1..], &["--report", "-"]].concat());
        assert_eq!(by_command, audited(&["run", "spec.toml", "--set", "report.out=-"]));
        assert!(by_command[0]["lens1"]["total_customers"].as_u64().unwrap() > 10);
        fs::remove_file(folder.path().join("spec.toml")).unwrap();
    }
}
