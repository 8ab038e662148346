//! Files of random layouts with random damage: the answers are those of the plain model, or the run fails, or a note names the difference.
//! What is never allowed is another number without a word.

use super::{all_warnings, shown, warnings};
use crate::make::Dice;
use crate::support::{Lensflow, config};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// An order as it was: a customer, a moment, and its lines.
struct Order {
    number: usize,
    customer: usize,
    /// Days and minutes after 1 January 2023.
    day: u32,
    minute: u32,
    lines: Vec<Line>,
}

struct Line {
    product: usize,
    quantity: i64,
    cents: i64,
}

/// The names of the columns: order, customer, time, product, description, quantity, price.
const NAMES: [[&str; 7]; 4] = [
    ["order_id", "customer_id", "event_ts", "product_id", "text", "quantity", "unit_price"],
    ["InvoiceNo", "CustomerID", "InvoiceDate", "StockCode", "Description", "Quantity", "UnitPrice"],
    ["Order ID", "Customer Id", "event_ts", "Product-ID", "Name", "QUANTITY", "Unit Price"],
    ["Bestellnr", "Kunde", "Zeit", "Artikel", "Bezeichnung", "Menge", "Preis"],
];
const ROLES: [&str; 7] = ["order_id", "customer_id", "event_ts", "product_id", "", "quantity", "unit_price"];

/// How a file is written.
#[derive(Debug, Clone, Copy)]
struct Style {
    names: usize,
    delimiter: char,
    date: usize,
    number: usize,
    form: usize,
}

/// How it is damaged; beside each, words of which one must be said where the answers are others.
const DAMAGE: [(&str, &[&str]); 16] = [
    ("none", &[]),
    ("a quote that is not closed", &[]),
    ("a row that is too short", &["worth"]),
    ("a customer called NULL", &["NULL"]),
    ("an id in other capitals", &["case"]),
    ("ids with .0", &[".0", "integer"]),
    ("no customer on further lines", &[]),
    ("no price in a line", &["worth"]),
    ("a line twice", &["equal", "copies", "duplicate"]),
    ("a refund", &["refund"]),
    // A layout says which formats its dates have.
    ("a date of another kind", &["%d-%b-%y"]),
    ("thousands", &["separator", "number_format", "number-format", "thousands"]),
    ("a header in the middle", &[]),
    ("a total below", &[]),
    ("no quantity column", &["quantity"]),
    ("blanks around an id", &["blank"]),
];

fn orders(dice: &mut Dice) -> Vec<Order> {
    let count = 8 + dice.below(25);
    (0..count)
        .map(|number| Order {
            number,
            customer: dice.below(6),
            day: dice.below(88) as u32,
            minute: dice.below(1_440) as u32,
            lines: (0..1 + dice.below(3))
                .map(|product| Line { product, quantity: 1 + dice.below(3) as i64, cents: 100 + dice.below(250_000) as i64 })
                .collect(),
        })
        .collect()
}

/// Customers, orders and cents of each month.
fn model(orders: &[Order]) -> BTreeMap<String, (usize, usize, i64)> {
    let mut months: BTreeMap<String, (BTreeSet<usize>, usize, i64)> = BTreeMap::new();
    for order in orders {
        let month = months.entry(day(order.day).format("%Y-%m").to_string()).or_default();
        month.0.insert(order.customer);
        month.1 += 1;
        month.2 += order.lines.iter().map(|line| line.quantity * line.cents).sum::<i64>();
    }
    months.into_iter().map(|(name, (customers, orders, cents))| (name, (customers.len(), orders, cents))).collect()
}

fn day(day: u32) -> chrono::NaiveDate {
    chrono::NaiveDate::from_ymd_opt(2023, 1, 1).unwrap() + chrono::Days::new(day.into())
}

impl Style {
    fn roll(dice: &mut Dice) -> Style {
        let mut style = Style {
            names: dice.below(4),
            delimiter: [',', ';', '\t', '|'][dice.below(4)],
            date: dice.below(4),
            number: dice.below(3),
            form: dice.below(4),
        };
        // A decimal comma cannot be told from a delimiter, and shops whose layout is known write their dates in one way.
        if style.delimiter == ',' && style.number == 1 {
            style.number = 0;
        }
        if style.names == 1 && style.date == 3 {
            style.date = 2;
        }
        style
    }

    /// What has to be said of such a file.
    fn flags(self) -> Vec<String> {
        let mut flags: Vec<String> = Vec::new();
        if self.names == 3 {
            for (role, name) in ROLES.iter().zip(NAMES[3]).filter(|(role, _)| !role.is_empty()) {
                flags.extend(["--column".to_owned(), format!("{role}={name}")]);
            }
        }
        match self.date {
            2 if self.names != 1 => flags.extend(["--date-format", "%m/%d/%Y %H:%M"].map(str::to_owned)),
            3 => flags.extend(["--date-format", "%d.%m.%Y %H:%M"].map(str::to_owned)),
            _ => {}
        }
        if self.number == 1 {
            flags.extend(["--number-format", "1.234,56"].map(str::to_owned));
        }
        flags
    }

    fn time(self, order: &Order) -> String {
        let time = day(order.day).and_hms_opt(order.minute / 60, order.minute % 60, 0).unwrap();
        let format = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%m/%d/%Y %H:%M", "%d.%m.%Y %H:%M"][self.date];
        time.format(format).to_string()
    }

    fn price(self, cents: i64) -> String {
        let (whole, rest) = (cents / 100, cents % 100);
        match self.number {
            0 => format!("{whole}.{rest:02}"),
            1 if whole >= 1_000 => format!("{}.{:03},{rest:02}", whole / 1_000, whole % 1_000),
            1 => format!("{whole},{rest:02}"),
            _ => format!("${whole}.{rest:02}"),
        }
    }

    fn file(self) -> &'static str {
        ["orders.csv", "orders.txt.csv", "orders.jsonl", "orders.json"][self.form]
    }

    fn bytes(self, header: &[String], rows: &[Vec<String>]) -> Vec<u8> {
        if self.form >= 2 {
            let object = |row: &Vec<String>| {
                let pairs =
                    header.iter().zip(row).map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), Value::from(value.as_str())));
                format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
            };
            let objects: Vec<String> = rows.iter().map(object).collect();
            return if self.form == 2 { objects.join("\n").into_bytes() } else { format!("[\n{}\n]\n", objects.join(",\n")).into_bytes() };
        }
        let line = |fields: &[String]| fields.join(&self.delimiter.to_string()) + "\r\n";
        let text = rows.iter().fold(line(header), |text, row| text + &line(row));
        match self.form {
            0 => text.into_bytes(),
            // UTF-16, as spreadsheets save "Unicode text".
            _ => [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect(),
        }
    }
}

/// The rows of a file, damaged in one way.
fn table(orders: &[Order], style: Style, damage: &str, dice: &mut Dice) -> (Vec<String>, Vec<Vec<String>>) {
    let mut header: Vec<String> = NAMES[style.names].map(str::to_owned).to_vec();
    let mut rows = Vec::new();
    for order in orders {
        for (at, line) in order.lines.iter().enumerate() {
            let customer =
                if damage == "no customer on further lines" && at > 0 { String::new() } else { format!("{}", 12_000 + order.customer) };
            rows.push(vec![
                format!("{}", 500_000 + order.number),
                customer,
                style.time(order),
                format!("P{}", line.product),
                format!("thing {}", line.product),
                line.quantity.to_string(),
                style.price(line.cents),
            ]);
        }
    }
    let at = dice.below(rows.len());
    match damage {
        "a quote that is not closed" => rows[at][4] = "\"Grand thing".to_owned(),
        "a row that is too short" => drop(rows[at].pop()),
        "a customer called NULL" => rows[at][1] = "NULL".to_owned(),
        "an id in other capitals" => {
            rows.iter_mut().for_each(|row| row[1] = format!("mail{}@x", row[1]));
            rows[at][1] = rows[at][1].to_uppercase();
        }
        "ids with .0" => rows.iter_mut().skip(at).for_each(|row| row[1] += ".0"),
        "no price in a line" => rows[at][6].clear(),
        "a line twice" => rows.insert(at, rows[at].clone()),
        "a refund" => {
            rows.push(rows[at].iter().enumerate().map(|(i, text)| if i == 5 { format!("-{text}") } else { text.clone() }).collect())
        }
        "a date of another kind" => rows[at][2] = "05-Jan-23".to_owned(),
        "thousands" => rows[at][6] = "1,234.50".to_owned(),
        "a header in the middle" => rows.insert(at, header.clone()),
        "a total below" => rows.push(["Total", "", "", "", "", "", "99999.00"].map(str::to_owned).to_vec()),
        "no quantity column" => header[5] = "pieces".to_owned(),
        "blanks around an id" => rows[at][1] = format!(" {} ", rows[at][1]),
        _ => {}
    }
    // A field that holds the delimiter is quoted, as every writer does.
    if style.form < 2 {
        let quoted = |text: &mut String| *text = format!("\"{text}\"");
        rows.iter_mut().flatten().filter(|text| text.contains(style.delimiter) && !text.contains('"')).for_each(quoted);
    }
    (header, rows)
}

fn cents(amount: &Value) -> i64 {
    shown(amount).replace('.', "").parse().unwrap()
}

fn is_never_silently_wrong(seed: u64) {
    let mut dice = Dice(seed);
    let (orders, style) = (orders(&mut dice), Style::roll(&mut dice));
    let (damage, words) = DAMAGE[dice.below(DAMAGE.len())];
    let (header, rows) = table(&orders, style, damage, &mut dice);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(style.file()), style.bytes(&header, &rows)).unwrap();
    let mut arguments: Vec<String> = ["audit", style.file(), "--every", "month", "--report", "report.json"].map(str::to_owned).to_vec();
    arguments.extend(style.flags());
    if damage == "no quantity column" {
        arguments.retain(|argument| argument != "quantity=Menge");
        let lonely = arguments.windows(2).position(|pair| pair[0] == "--column" && pair[1] == "--column");
        if let Some(at) = lonely {
            arguments.remove(at);
        }
    }
    if dice.below(2) == 0 {
        arguments.extend(["--policy", "shop"].map(str::to_owned));
    }
    let ran = Lensflow::new(folder.path(), &arguments).run();
    let told = format!("seed {seed}, {style:?}, {damage}\n{arguments:?}\n{}", ran.stderr);
    assert!(!ran.stderr.contains("panicked") && matches!(ran.code, Some(0..=2)), "{told}");
    if ran.code != Some(0) {
        assert!(damage != "none" && damage != "no customer on further lines", "an undamaged file is refused: {told}");
        assert!(ran.stderr.starts_with("lensflow: ") || ran.stderr.contains("\nlensflow: "), "no reason is given: {told}");
        return;
    }
    let report: Value = serde_json::from_slice(&fs::read(folder.path().join("report.json")).unwrap()).unwrap();
    let found: BTreeMap<String, (usize, usize, i64)> = report["windows"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|window| window["lens1"]["total_customers"] != 0)
        .map(|window| {
            let (name, lens1) = (window["name"].as_str().unwrap().to_owned(), &window["lens1"]);
            let count = |name: &str| shown(&lens1[name]).parse().unwrap();
            (name, (count("total_customers"), count("total_orders"), cents(&lens1["total_revenue"])))
        })
        .collect();
    if found == model(&orders) {
        return;
    }
    // The policy for shops counts these beside the answers.
    let counted = |name: &str| report["input"]["transactions"][name].as_u64().is_some_and(|count| count > 0);
    if damage == "a refund" && counted("refund_lines") || damage == "a line twice" && counted("duplicate_lines") {
        return;
    }
    let notes = if damage == "a date of another kind" { all_warnings(&report) } else { warnings(&report) };
    assert!(!words.is_empty() && words.iter().any(|word| notes.contains(word)), "another number without a word: {found:?}\n{notes}{told}");
    assert!(damage == "a refund" || ran.stderr.contains("WARN"), "the note is not on the terminal: {told}");
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn a_damaged_file_is_never_silently_wrong(seed in any::<u64>()) {
        is_never_silently_wrong(seed);
    }
}
