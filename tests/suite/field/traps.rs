//! Inputs that look right and are not: each comes out right, is refused, or is told with its count. Nothing is added up in silence.

use super::{all_warnings, shown};
use crate::support::Lensflow;
use serde_json::Value;
use std::fs;

/// Files and a command line, audited by the year.
struct Trap {
    folder: tempfile::TempDir,
}

impl Trap {
    fn new(files: &[(&str, &str)]) -> Trap {
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, text)| fs::write(folder.path().join(name), text).unwrap());
        Trap { folder }
    }

    fn audit(&self, arguments: &[&str]) -> crate::support::Ran {
        Lensflow::new(self.folder.path(), &[&["audit"], arguments, &["--every", "all", "--report", "r.json"]].concat()).run()
    }

    /// The revenue of an audit that has to succeed, and its warnings.
    #[track_caller]
    fn comes_to(&self, arguments: &[&str], revenue: &str) -> String {
        let ran = self.audit(arguments).expect(0);
        let report: Value = serde_json::from_slice(&fs::read(self.folder.path().join("r.json")).unwrap()).unwrap();
        assert_eq!(shown(&report["windows"][0]["lens1"]["total_revenue"]), revenue, "{}", ran.stderr);
        let warnings = all_warnings(&report);
        // What is in the report is told on the terminal, too.
        assert!(warnings.lines().all(|line| line.contains('`') || ran.stderr.contains(line)), "{warnings}\n{}", ran.stderr);
        warnings
    }

    #[track_caller]
    fn is_refused(&self, arguments: &[&str], parts: &[&str]) {
        let ran = self.audit(arguments);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        parts.iter().for_each(|part| assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr));
    }
}

const OURS: &str = "order_id,customer_id,event_ts,line_total";

fn ours(rows: &str) -> String {
    format!("{OURS}\n{rows}")
}

const SHOPIFY: &str = "Name,Email,Financial Status,Total,Created at,Lineitem quantity,Lineitem name,Lineitem price,Tags
#1,a@x.de,paid,50.00,2024-01-05 10:00:00 +0000,1,P,50.00,
#2,a@x.de,voided,20.00,2024-01-06 10:00:00 +0000,1,P,20.00,
#3,b@x.de,paid,30.00,2024-01-06 10:00:00 +0000,1,P,30.00,wholesale
";

/// A filter that is said adds to those of a layout; one that names the values to read replaces that of its column, and is not told otherwise.
#[test]
fn filters_add_to_those_of_a_layout() {
    let shop = Trap::new(&[("orders.csv", SHOPIFY)]);
    shop.comes_to(&["orders.csv"], "80.00");
    let said = shop.comes_to(&["orders.csv", "--except", "Tags=wholesale"], "50.00");
    assert!(said.contains("except=Total= or Financial Status=voided,refunded,expired"), "{said}");
    let said = shop.comes_to(&["orders.csv", "--only", "Financial Status=voided"], "20.00");
    assert!(!said.contains("voided,refunded"), "{said}");
    shop.comes_to(&["orders.csv", "--only", "financial_status=paid,voided", "--except", "Tags=wholesale"], "70.00");
    // A layout's own words may well be absent; those of a person are told.
    let said = shop.comes_to(&["orders.csv", "--except", "Tags=wholesale,resale"], "50.00");
    assert!(said.contains("no row has the value \"resale\"") && !said.contains("\"expired\""), "{said}");
    // The same in an update, and in the command that a look gives.
    let folder = shop.folder.path();
    Lensflow::new(folder, &["update", "state", "orders.csv", "--every", "month", "--except", "Tags=wholesale"]).run().expect(0);
    shop.comes_to(&["state"], "50.00");
    let seen = Lensflow::new(folder, &["peek", "orders.csv", "--except", "Tags=wholesale", "--json"]).run().expect(0);
    let seen: Value = serde_json::from_str(seen.out()).unwrap();
    let command: Vec<&str> = seen["command"].as_array().unwrap().iter().skip(2).map(|word| word.as_str().unwrap()).collect();
    let is_period = |at: usize| command[at] == "--every" || at > 0 && command[at - 1] == "--every";
    let command: Vec<&str> = (0..command.len()).filter(|&at| !is_period(at)).map(|at| command[at]).collect();
    shop.comes_to(&command, "50.00");
}

#[test]
fn events_are_filtered_by_the_layout_and_by_the_person() {
    let text = "event_name,event_timestamp,user_pseudo_id,transaction_id,purchase_revenue,platform
purchase,1704448800000000,u1,T1,40,WEB
add_to_cart,1704448800000000,u1,,15,WEB
refund,1704449800000000,u1,T1,40,WEB
purchase,1704448900000000,u2,T2,7,APP
purchase,1704448900000000,u3,(not set),5,WEB
";
    let events = Trap::new(&[("events.csv", text)]);
    events.comes_to(&["events.csv"], "47.00");
    events.comes_to(&["events.csv", "--only", "platform=WEB"], "40.00");
    let said = events.comes_to(&["events.csv"], "47.00");
    assert!(said.contains("except transaction_id=(not set): 1 row is left out"), "{said}");
}

/// The total of an order that stands on each of its rows counts once where that is known, and is told where it is likely.
#[test]
fn totals_of_orders_count_once() {
    let rows = "1,2024-01-05 10:00:00,completed,a@x.de,50.00,Pen\n1,2024-01-05 10:00:00,completed,a@x.de,50.00,Ink\n\
                2,2024-01-06 10:00:00,completed,b@x.de,10.00,Pen\n";
    let woo = format!("order_id,order_date,order_status,billing_email,order_total,item_name\n{rows}");
    Trap::new(&[("woo.csv", &woo)]).comes_to(&["woo.csv"], "60.00");
    let lines = ours("1,a,2024-01-05,50\n1,a,2024-01-05,50\n2,b,2024-01-06,10\n2,b,2024-01-06,10\n3,b,2024-01-06,10\n");
    let likely = Trap::new(&[("t.csv", &lines)]);
    let said = likely.comes_to(&["t.csv"], "130.00");
    assert!(said.contains("2 orders of several lines have the same line_total on each line") && said.contains("60.00 less"), "{said}");
    for more in [&[][..], &["--duplicates", "drop"], &["--memory-limit", "64M"]] {
        let said = likely.comes_to(&[&["t.csv", "--amount", "order"], more].concat(), "70.00");
        assert!(!said.contains("line_total"), "{said}");
    }
    // Most orders differ: nothing is told.
    let mut lines = ours("");
    (0..10).for_each(|order| lines += &format!("{order},a,2024-01-05,5\n{order},a,2024-01-05,{}\n", order + 4));
    let said = Trap::new(&[("t.csv", &lines)]).comes_to(&["t.csv"], "135.00");
    assert!(!said.contains("the same line_total"), "{said}");
    // Totals that do not agree, in any order of rows.
    for rows in ["1,a,2024-01-05,50\n1,a,2024-01-05,50\n1,a,2024-01-05,20\n", "1,a,2024-01-05,20\n2,b,2024-01-05,7\n1,a,2024-01-05,50\n"] {
        let trap = Trap::new(&[("t.csv", &ours(rows))]);
        trap.is_refused(&["t.csv", "--amount", "order"], &["order_worth_conflict", "of order \"1\" says another total", "--amount total"]);
    }
    // Lines without a total belong to the order; a refund beside it is netted.
    let rows = ours("1,a,2024-01-05,50\n1,a,2024-01-05,\n1,a,2024-01-08,-20\n");
    Trap::new(&[("t.csv", &rows)]).comes_to(&["t.csv", "--amount", "order", "--refunds", "net"], "30.00");
    // Without a column of products, the guess says it.
    let guess = "Order ID,Customer ID,Date,SKU,Total\n1,a,2024-01-05,P,50.00\n1,a,2024-01-05,Q,50.00\n2,b,2024-01-06,P,10.00\n";
    Trap::new(&[("g.csv", guess)])
        .is_refused(&["g.csv"], &["--amount order", "Total is read as that of the whole order", "--amount total"]);
}

/// Currencies are told apart by any column that says them, and by the amounts themselves.
#[test]
fn currencies_are_never_added_up() {
    for name in ["order_currency", "Order Currency Code", "presentment_currency", "Item Currency", "iso_currency", "Cur", "WAERK", "Moeda"]
    {
        let text = format!("{OURS},{name}\n1,a,2024-01-05,10,EUR\n2,a,2024-01-05,20,USD\n");
        let trap = Trap::new(&[("t.csv", &text)]);
        trap.is_refused(&["t.csv"], &["several currencies", &format!("{name}=EUR")]);
        trap.comes_to(&["t.csv", "--only", &format!("{name}=EUR")], "10.00");
        trap.comes_to(&["t.csv", "--only", &format!("{name}=EUR,USD")], "30.00");
    }
    // What is told beside the currency is none.
    for name in ["currency_rate", "exchange rate", "Currency Symbol"] {
        let text = format!("{OURS},{name}\n1,a,2024-01-05,10,1.1\n2,a,2024-01-05,20,1.2\n");
        Trap::new(&[("t.csv", &text)]).comes_to(&["t.csv"], "30.00");
    }
    let signs = |rows: &str| Trap::new(&[("t.csv", &ours(rows))]);
    signs("1,a,2024-01-05,$10\n2,a,2024-01-05,€20\n").is_refused(&["t.csv"], &["several currencies", "EUR in 1 amount"]);
    let said = signs("1,a,2024-01-05,$10\n2,a,2024-01-05,USD 20\n").comes_to(&["t.csv"], "30.00");
    assert!(said.contains("the currency USD"), "{said}");
    // A JSON column that comes late.
    let mut lines: String = (0..1_500)
        .map(|order| format!("{{\"order_id\":{order},\"customer_id\":1,\"event_ts\":\"2024-01-05\",\"line_total\":1}}\n"))
        .collect();
    lines += "{\"order_id\":\"x\",\"customer_id\":1,\"event_ts\":\"2024-01-05\",\"line_total\":1,\"currency\":\"EUR\",\"status\":\"cancelled\"}\n";
    let said = Trap::new(&[("t.jsonl", &lines)]).comes_to(&["t.jsonl"], "1501.00");
    assert!(said.contains("1 row has \"cancelled\" in \"status\""), "{said}");
    lines += "{\"order_id\":\"y\",\"customer_id\":1,\"event_ts\":\"2024-01-05\",\"line_total\":1,\"currency\":\"USD\"}\n";
    Trap::new(&[("t.jsonl", &lines)]).is_refused(&["t.jsonl"], &["several currencies"]);
}

/// What became of an order is told by words, by flags, by times, whatever the column is called.
#[test]
fn what_became_of_orders_is_told() {
    let cases = [
        ("status", "Payment failed", "1 row has \"payment failed\" in \"status\""),
        ("Order Status", "CANCELLED_BY_CUSTOMER", "1 row has \"cancelled_by_customer\""),
        ("Type", "Refund", "1 row has \"refund\" in \"Type\""),
        ("is_cancelled", "True", "1 row has \"true\" in \"is_cancelled\""),
        ("Cancelled", "1", "1 row has \"1\" in \"Cancelled\""),
        ("isTest", "yes", "1 row has \"yes\" in \"isTest\""),
        ("cancelled_at", "2024-01-06", "1 row has a value in \"cancelled_at\""),
        ("Refund Date", "2024-01-06", "1 row has a value in \"Refund Date\""),
        ("Stornodatum", "06.01.2024", "1 row has a value in \"Stornodatum\""),
    ];
    for (column, value, note) in cases {
        let text = format!("{OURS},{column}\n1,a,2024-01-05,10,{value}\n2,a,2024-01-05,20,\n");
        let trap = Trap::new(&[("t.csv", &text)]);
        let said = trap.comes_to(&["t.csv"], "30.00");
        assert!(said.contains(note), "{column}: {said}");
        // The advice is right.
        let advice = said.lines().find(|line| line.contains(note)).and_then(|line| line.split('`').nth(1)).unwrap();
        let (flag, value) = advice.split_once('=').unwrap();
        trap.comes_to(&["t.csv", &format!("--{flag}"), value], "20.00");
    }
    for (column, value) in
        [("status", "not cancelled"), ("Status", "unfulfilled"), ("State", "CA"), ("is_cancelled", "false"), ("Return Policy", "30d")]
    {
        let text = format!("{OURS},{column}\n1,a,2024-01-05,10,{value}\n2,a,2024-01-05,20,\n");
        let said = Trap::new(&[("t.csv", &text)]).comes_to(&["t.csv"], "30.00");
        assert!(!said.contains("is counted"), "{column}: {said}");
    }
    // A filter leaves out one status; the others are still looked at.
    let text = format!("{OURS},status\n1,a,2024-01-05,10,cancelled\n2,a,2024-01-05,20,refunded\n");
    let said = Trap::new(&[("t.csv", &text)]).comes_to(&["t.csv", "--except", "status=cancelled"], "20.00");
    assert!(said.contains("1 row has \"refunded\""), "{said}");
}

/// Refunds that add to revenue, and ids of orders that are not what they should be, are counted.
#[test]
fn odd_signs_and_ids_are_told() {
    let text = "order_id,customer_id,event_ts,line_total,quantity\n1,a,2024-01-05,30,1\n2,a,2024-01-06,10,-1\n";
    let trap = Trap::new(&[("t.csv", text)]);
    let said = trap.comes_to(&["t.csv", "--refunds", "net"], "40.00");
    assert!(said.contains("1 refund adds 10.00 to revenue"), "{said}");
    trap.comes_to(&["t.csv", "--refunds", "drop"], "30.00");
    let rows = "1.23E+11,a,2024-01-05,1\n1001.0,a,2024-01-05,1\n 7,b,2024-01-05,1\nNULL,b,2024-01-05,1\n2e,c,2024-01-05,1\n";
    let said = Trap::new(&[("t.csv", &ours(rows).replace(" 7", "\u{a0}7"))]).comes_to(&["t.csv"], "5.00");
    for part in [
        "1 id of an order is a number such as 1.23E+11",
        "1 id of an order is a whole number with .0",
        "1 id of an order has blanks at its ends",
        "an order is called \"NULL\"",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let cents = "order_id,customer_id,event_ts,amount_cents\n1,a,2024-01-05,1050\n";
    let trap = Trap::new(&[("t.csv", cents)]);
    let said = trap.comes_to(&["t.csv", "--from", "transactions", "--column", "line_total=amount_cents"], "1050.00");
    assert!(said.contains("\"amount_cents\" is read as whole amounts"), "{said}");
    trap.is_refused(&["t.csv", "--from", "auto", "--column", "order_id=order_id"], &["amount_cents"]);
}

/// Two files put one after the other are read where their columns are in one order, and never where they are not.
#[test]
fn a_second_header_is_a_bad_row_or_an_error() {
    let rows: String = (0..200).map(|order| format!("{order},c{},2024-01-05,1\n", order % 7)).collect();
    let same = ours(&format!("{rows}{OURS}\n900,a,2024-01-05,5\n"));
    Trap::new(&[("t.csv", &same)]).comes_to(&["t.csv", "--on-bad-row", "reject"], "205.00");
    for header in
        ["customer_id,order_id,event_ts,line_total", "order_id,customer_id,event_ts,tax", "event_ts,order_id,customer_id,line_total"]
    {
        let other = ours(&format!("{rows}{header}\na,900,2024-01-05,5\n"));
        let trap = Trap::new(&[("t.csv", &other)]);
        for policy in ["fail", "reject"] {
            trap.is_refused(&["t.csv", "--on-bad-row", policy], &["row 201", "columns in another order", "cut them apart"]);
        }
    }
}

/// Orders that lie in several inputs, whose lines all count, are told.
#[test]
fn orders_in_several_inputs_are_told() {
    let (first, second) = (ours("1,a,2024-01-05,21\n2,a,2024-01-06,5\n"), ours("1,a,2024-01-05,42\n3,b,2024-01-07,1\n"));
    let trap = Trap::new(&[("a.csv", &first), ("b.csv", &second)]);
    let said = trap.comes_to(&["a.csv", "b.csv", "--policy", "shop"], "69.00");
    assert!(said.contains("1 order has lines in several inputs"), "{said}");
    let said = trap.comes_to(&["b.csv"], "43.00");
    assert!(!said.contains("several inputs"), "{said}");
}

/// Exports that overlap have copies of each other's lines; what comes twice in one of them may be two of one article.
#[test]
fn copies_between_inputs_are_told_from_those_within_one() {
    let header = "order_id,customer_id,event_ts,line_total,product_id";
    // An order of so many lines that it is sorted, and a small one.
    for lines in [2, 3_000] {
        let twice = "1,a,2024-01-05,1,p\n".repeat(lines);
        let first = format!("{header}\n{twice}2,b,2024-01-06,5,q\n");
        let second = format!("{header}\n{twice}1,a,2024-01-05,1,p\n3,b,2024-01-07,7,q\n");
        let trap = Trap::new(&[("a.csv", &first), ("b.csv", &second)]);
        let both = ["a.csv", "b.csv", "--duplicates"];
        let said = trap.comes_to(&[&both[..], &["between-inputs"]].concat(), &format!("{}.00", lines + 1 + 12));
        assert!(said.contains("1 order has lines in several inputs"), "{said}");
        let said = trap.comes_to(&[&both[..], &["drop"]].concat(), "13.00");
        let (between, within) = (lines, lines);
        let number = |count: usize| if count < 1_000 { count.to_string() } else { format!("{},{:03}", count / 1_000, count % 1_000) };
        assert!(said.contains(&format!("{} lines are equal to one of the same order in another input", number(between))), "{said}");
        assert!(said.contains(&format!("{} lines are equal to one of the same order in the same input", number(within))), "{said}");
        trap.comes_to(&[&both[..], &["keep"]].concat(), &format!("{}.00", 2 * lines + 1 + 12));
        let said = trap.comes_to(&["b.csv", "--duplicates", "drop"], "8.00");
        assert!(!said.contains("same order"), "{said}");
    }
}

/// A till's export: sales by `#`, dates and times of day in two columns, voided sales by their status. The command of a look is right.
#[test]
fn a_till_is_read_by_the_command_of_a_look() {
    let rows = [
        "1/5/23,1:07 PM,51,S1,2,$10.00,$20.00,0007,Completed",
        "1/5/23,1:07 PM,51,S2,1,\"$1,299.00\",\"$1,299.00\",0007,Completed",
        "1/25/23,9:30 AM,52,S1,1,$10.00,$10.00,0008,Voided",
        "2/1/23,9:30 AM,53,S1,-1,$10.00,-$10.00,0007,Completed",
    ];
    let text = format!("Date,Time,Sale #,SKU,Qty,Unit Price,Line Total,Customer No.,Sale Status\n{}\n", rows.join("\n"));
    let trap = Trap::new(&[("h1.csv", &text), ("h2.csv", &text.replace("/23,", "/24,").replace("M,5", "M,6"))]);
    let folder = trap.folder.path();
    for named in [&["--every", "all"][..], &["--every", "all", "--column", "order_id=Sale #"]] {
        let seen = Lensflow::new(folder, &[&["peek", "h1.csv", "h2.csv", "--json"], named].concat()).run().expect(0);
        let seen: Value = serde_json::from_str(seen.out()).unwrap();
        assert_eq!((&seen["first_day"], &seen["last_day"], &seen["all"]), (&"2023-01-05".into(), &"2024-01-25".into(), &true.into()));
        let command: Vec<&str> = seen["command"].as_array().unwrap().iter().skip(2).map(|word| word.as_str().unwrap()).collect();
        let command: Vec<&str> = command.into_iter().filter(|word| !["--every", "all"].contains(word)).collect();
        let said = trap.comes_to(&command, "2618.00");
        assert!(said.contains("except Sale Status=voided: 2 rows are left out"), "{said}");
    }
}

/// A handful of bad rows is no more than half of all.
#[test]
fn rows_that_are_all_bad_are_no_slips() {
    let rows: String = (0..9).map(|order| format!("{order},a,someday,1\n")).collect();
    Trap::new(&[("t.csv", &ours(&rows))]).is_refused(&["t.csv", "--on-bad-row", "reject"], &["9 of 9 rows are bad"]);
    let rows: String = (0..9).map(|order| format!("{order},a,2024-01-05,1\n")).collect();
    let one = Trap::new(&[("t.csv", &ours(&(rows + "x,a,someday,1\n")))]);
    one.comes_to(&["t.csv", "--on-bad-row", "reject"], "9.00");
    one.is_refused(&["t.csv", "--on-bad-row", "reject", "--max-rejects", "0%"], &["1 of 10 rows are bad"]);
}

/// Amounts and customers are not guessed from columns of something else.
#[test]
fn guesses_know_what_is_none() {
    let text = "Orders,Order Status,Ref,When,STORE_ID,Account Manager,Sales Tax,Shipping Amount,Total Discount,amount_cents\n\
                3,sent,1,2024-01-05,9,m1,1.50,2.50,3.50,1050\n4,sent,2,2024-01-06,9,m2,1.50,2.50,3.50,2050\n";
    let ran = Trap::new(&[("t.csv", text)]).audit(&["t.csv"]);
    assert_eq!(ran.code, Some(1));
    for wrong in ["=STORE_ID", "=Account", "=Orders", "=Order Status", "=Sales", "=Shipping", "=Total"] {
        assert!(!ran.stderr.contains(wrong), "{wrong}: {}", ran.stderr);
    }
    assert!(ran.stderr.contains("line_total=amount_cents") && ran.stderr.contains("--amount-unit cents"), "{}", ran.stderr);
}

/// What is proposed for a column that is missing, or guessed, is one that can be meant.
#[test]
fn proposals_can_be_meant() {
    let cases: [(&str, &str, &[&str]); 9] = [
        (
            "household_key,BASKET_ID,DATE,SALES_VALUE,STORE_ID",
            "1,2,2024-01-05,3.10,4",
            &["customer_id=household_key", "line_total=SALES_VALUE"],
        ),
        ("Order ID,Customer ID,Date,Tax Amount,Net", "1,a,2024-01-05,1.5,9.5", &["line_total=Net"]),
        ("Order ID,Customer ID,Date,Total Items,Paid Amount", "1,a,2024-01-05,2,9.5", &["'line_total=Paid Amount'"]),
        (
            "Order ID,Customer ID,Date,Total Quantity,Subtotal (inc tax),Order Total (inc tax)",
            "1,a,2024-01-05,2,9,9.5",
            &["'line_total=Order Total (inc tax)'"],
        ),
        ("Order ID,Customer ID,Date,Unit Cost,Qty,Ext Price", "1,a,2024-01-05,2,2,9.5", &["'line_total=Ext Price'"]),
        (
            "Date,Time,Transaction ID,From Email Address,Gross,Fee",
            "2024-01-05,10:00:00,1,a@x,9.5,-1",
            &["'customer_id=From Email Address'", "line_total=Gross"],
        ),
        ("order_id,customer_id,ship_date,delivery_date,order_day,amount", "1,a,2024-01-07,2024-01-09,2024-01-05,5", &["line_total=amount"]),
        ("Invoice,Account Manager,Client Name,Date,Value", "1,Bob,Ann,2024-01-05,5", &["order_id=Invoice"]),
        ("Order,Customer Since,Customer ID,Price", "1,2020-01-01,a,5", &["unit_price=Price"]),
    ];
    for (header, row, right) in cases {
        let trap = Trap::new(&[("t.csv", &format!("{header}\n{row}\n{row}\n"))]);
        let said = trap.audit(&["t.csv"]).stderr + &trap.audit(&["t.csv", "--from", "transactions"]).stderr;
        right.iter().for_each(|right| assert!(said.contains(right), "{right}: {said}"));
        for wrong in ["=STORE_ID", "=Tax", "line_total=Total", "=ship", "=delivery", "=Account", "=Customer Since", "=Fee", "=Unit Cost"] {
            assert!(!said.contains(wrong), "{wrong}: {said}");
        }
    }
}

/// Exports that are saved again with quotes are read as such.
#[test]
fn quoted_files_of_an_unquoted_layout() {
    let header = ["amazon-order-id", "purchase-date", "order-status", "sku", "item-price", "quantity", "buyer-email"];
    let rows = [
        ["1", "2024-01-05T10:00:00+00:00", "Shipped", "A", "10.00", "1", "a@x"],
        ["2", "2024-01-06T10:00:00+00:00", "Cancelled", "B", "7.00", "1", "b@x"],
    ];
    let file = |between: &str, quote: &str| -> String {
        let line = |fields: &[&str]| fields.iter().map(|field| format!("{quote}{field}{quote}")).collect::<Vec<_>>().join(between) + "\n";
        line(&header) + &rows.iter().map(|row| line(row)).collect::<String>()
    };
    for (between, quote) in [("\t", ""), ("\t", "\""), (",", "\""), (",", "")] {
        Trap::new(&[("orders.csv", &file(between, quote))]).comes_to(&["orders.csv"], "10.00");
    }
    let inch = file("\t", "").replace("\tA\t", "\t24\" TV\t").replace("\tB\t", "\t\"B\" b\t");
    Trap::new(&[("orders.csv", &inch)]).comes_to(&["orders.csv"], "10.00");
}
