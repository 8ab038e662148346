//! Values that could mean two things, and values that are hardly meant: what is not refused is said.

use super::files::packed;
use super::{Case, warnings};
use crate::support::Lensflow;
use serde_json::Value;
use std::fs;

const HEADER: &str = "order_id,customer_id,event_ts,line_total";

/// A CSV of lines, `t.csv`.
fn lines(header: &str, rows: &[&str]) -> Case {
    let case = Case::new("11_decimal_comma");
    fs::write(case.path().join("t.csv"), format!("{header}\n{}\n", rows.join("\n"))).unwrap();
    case
}

/// What an audit by months warns of.
#[track_caller]
fn noted(case: &Case, more: &[&str]) -> String {
    warnings(&case.report("t.csv --every month", more).0)
}

/// What peek shows, and its JSON.
#[track_caller]
fn peeked(case: &Case, more: &[&str]) -> (String, Value) {
    let peek = |first: &[&str]| Lensflow::new(case.path(), &[&["peek", "t.csv"], more, first].concat()).run().expect(0);
    (peek(&[]).out().to_owned(), serde_json::from_str(peek(&["--json"]).out()).unwrap())
}

#[test]
fn days_that_could_be_months_are_said_where_a_layout_decides() {
    let header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country";
    let row = |date: &str| format!("1,S{date},x,1,{date},5,100,UK");
    let uci = |dates: &[&str]| {
        lines(header, &dates.iter().map(|date| row(date)).collect::<Vec<_>>().iter().map(String::as_str).collect::<Vec<_>>())
    };
    let either = uci(&["01/12/2010 08:26", "02/12/2010 08:26", "05/05/2011 09:00"]);
    let said = noted(&either, &[]);
    assert!(said.contains("2 dates could be read with day and month the other way round"), "{said}");
    assert!(said.contains("read as %m/%d/%Y %H:%M; if that is wrong, run with `date_format=%d/%m/%Y %H:%M`"), "{said}");
    // Who says it knows it; and one date proves it for all.
    assert!(!noted(&either, &["--date-format", "%m/%d/%Y %H:%M"]).contains("the other way round"));
    assert!(!noted(&uci(&["01/12/2010 08:26", "12/13/2010 08:26"]), &[]).contains("the other way round"));
    // Peek has both commands.
    let (text, json) = peeked(&either, &[]);
    assert!(text.contains("--date-format '%d/%m/%Y %H:%M'") && text.contains("--date-format '%m/%d/%Y %H:%M'"), "{text}");
    assert!(json["command"].is_null() && json["readings"].as_array().unwrap().len() == 2, "{json}");
}

#[test]
fn offsets_without_a_time_zone_and_odd_years_are_said() {
    let away = lines(HEADER, &["1,a,2024-01-31T23:30:00-05:00,5", "2,b,2024-01-05T10:00:00Z,5", "3,c,2024-01-05 10:00:00,5"]);
    assert!(noted(&away, &[]).contains("1 time has an offset from UTC, and periods are cut at UTC midnight"));
    assert!(!noted(&away, &["--timezone", "America/New_York"]).contains("UTC midnight"));
    let other = lines(HEADER, &["1,a,2024/01/31 23:30:00 -0500,5", "2,a,2024/01/31 23:30:00 -0500,5"]);
    assert!(noted(&other, &["--date-format", "%Y/%m/%d %H:%M:%S %z"]).contains("2 times have an offset"));
    let odd = lines(HEADER, &["1,a,1924-01-31,5", "2,b,1997-01-05,5", "3,c,1970-01-20 10:00:00,5"]);
    assert!(noted(&odd, &[]).contains("2 times lie before 1980 or after 2099"));
    assert!(!noted(&lines(HEADER, &["1,a,1997-01-31,5"]), &[]).contains("lie"));
    // Numbers that another format makes a time of now.
    for (time, format, right) in [("1672913472", "epoch-ms", "epoch"), ("20230105", "epoch", "%Y%m%d"), ("44931", "epoch", "excel")] {
        let case = lines(HEADER, &[&format!("1,a,{time},5")]);
        let said = case.fails("t.csv --every month", &["--date-format", format]);
        assert!(said.contains(&format!("--date-format {right} too")) || said.contains(&format!("--date-format \"{right}\" too")), "{said}");
    }
}

#[test]
fn marks_of_numbers_that_could_be_either_are_said() {
    let header = "Order,Customer,Date,Amount";
    let case = lines(header, &["1,a,2023-01-01,\"1,234\"", "2,b,2023-01-02,950", "3,b,2023-01-03,\"12,000\""]);
    let (text, json) = peeked(&case, &[]);
    assert!(
        text.contains("- if Amount adds up to 14,184.00:\n  lensflow audit t.csv --from transactions --number-format 1,234.56"),
        "{text}"
    );
    assert!(text.contains("- if Amount adds up to 963.23:\n  lensflow audit t.csv --from transactions --number-format 1.234,56"), "{text}");
    assert!(json["command"].is_null());
    let said = case.fails("t.csv --every month", &[]);
    assert!(said.contains("read as 1,234.56 it adds up to 14,184.00, as 1.234,56 to 963.23"), "{said}");
    let ours = lines(HEADER, &["1,a,2023-01-01,\"1,234\"", "2,b,2023-01-02,950"]);
    let said = case_notes(&ours, "1.234,56");
    assert!(said.contains("1 amount has a comma and three decimals") && said.contains("`number_format=1,234.56`"), "{said}");
    assert!(!case_notes(&ours, "1,234.56").contains("three decimals"));
    let fails = ours.fails("t.csv --every month", &[]);
    assert!(fails.contains("--number-format 1,234.56 reads it as 1234.00, or --number-format 1.234,56 reads it as 1.234"), "{fails}");
    // A quantity that has another way to write than amounts.
    let header = "order_id,customer_id,event_ts,quantity,unit_price";
    let kilos = lines(header, &["1,a,2023-01-01,0.500,\"1.234,56\""]);
    let fails = kilos.fails("t.csv --every month", &["--number-format", "1.234,56"]);
    assert!(fails.contains("no one format reads both amounts and quantities: plain reads it as 0.50"), "{fails}");
    let kilos = lines(header, &["1,a,2023-01-01,1.000,\"1.234,56\""]);
    assert!(case_notes(&kilos, "1.234,56").contains("1 quantity is written as in 1.000, and it is read as thousands"));
}

#[track_caller]
fn case_notes(case: &Case, format: &str) -> String {
    noted(case, &["--number-format", format])
}

/// The command has what was seen, also of columns with our names, and what is missing is guessed or asked for.
#[test]
fn peek_ends_with_a_command_that_works() {
    let works = |case: &Case, revenue: f64| {
        let (_, json) = peeked(case, &[]);
        let command = json["command"].as_array().unwrap_or_else(|| panic!("{json}")).iter().map(|word| word.as_str().unwrap());
        let words: Vec<&str> = command.skip(1).chain(["--report", "-"]).collect();
        let ran = Lensflow::new(case.path(), &words).run().expect(0);
        let report: Value = serde_json::from_str(ran.out()).unwrap();
        let sums = report["windows"].as_array().unwrap().iter().map(|window| window["lens1"]["total_revenue"].as_f64().unwrap());
        assert_eq!(sums.sum::<f64>(), revenue, "{words:?}");
    };
    works(&lines(HEADER, &["1,a,13/02/2023,\"1.234,50\"", "2,b,03/04/2023,\"3,00\""]), 1237.5);
    works(&lines(HEADER, &["1,a,13/02/2023 10:00,5", "2,b,03/04/2023,6"]), 11.0);
    works(&lines("order_id,Customer,event_ts,line_total", &["1,a,2023-01-05,5", "2,b,2023-01-06,6"]), 11.0);
    let header = "order_id,date,status,billing_email,order_total";
    works(&lines(header, &["1,1/25/2023 10:00,completed,a@x,30.00", "2,1/26/2023 10:00,completed,b@x,20.00"]), 50.0);
    let nobody = lines("order_id,event_ts,line_total", &["1,2023-01-05,5", "2,2023-01-06,6"]);
    let (text, json) = peeked(&nobody, &[]);
    assert!(text.contains("--column customer_id=NAME") && json["command"].is_null(), "{text}");
}

#[test]
fn cells_of_workbooks_are_what_they_are() {
    let case = Case::new("11_decimal_comma");
    fs::write(case.path().join("t.xlsx"), packed("cells.xlsx")).unwrap();
    let said = case.fails("t.xlsx --every month", &["--sheet", "mixed"]);
    assert!(said.contains("column C has 2 dates and 2 texts such as \"13/01/2023\""), "{said}");
    let (report, _) =
        case.report("t.xlsx --every month", &["--sheet", "parts", "--column", "event_ts=Date+Time", "--timezone", "Asia/Tokyo"]);
    assert!(warnings(&report).contains("2 times have no offset"), "a date and a time of day are a time: {report}");
    let said = case.fails("t.xlsx --every month", &["--sheet", "formula"]);
    assert!(said.contains("1 cell holds a formula without a result") && said.contains("line_total is \"=10*2\""), "{said}");
}
