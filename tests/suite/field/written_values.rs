//! Values as people and programs write them: numbers, times, words for no value, ids.

use super::{Case, warnings};
use std::fs;

const TRANSACTIONS: &str = "--from transactions --every month";

/// A CSV of lines beside an empty case, by the name of the case whose right answers it has.
fn lines(case: &str, header: &str, rows: &[&str]) -> Case {
    let case = Case::new(case);
    fs::write(case.path().join("t.csv"), format!("{header}\n{}\n", rows.join("\n"))).unwrap();
    case
}

#[test]
fn words_for_no_value() {
    let case = Case::new("03_null_as_text");
    let line = format!("result_grid.csv {TRANSACTIONS} --anonymous report");
    let (report, _) = case.is_right(&format!("{line} --null NULL"), &[]);
    assert_eq!(warnings(&report), "");
    let (report, said) = case.report(&line, &[]);
    assert!(
        warnings(&report).contains("a customer is called \"NULL\", with 3 orders") && warnings(&report).contains("`null=NULL`"),
        "{report}"
    );
    assert!(said.contains("NULL"), "{said}");
    let rows = ["1,C1,2023-01-05,15.00", "2,C2,2023-01-06,10", "3,C1,2023-02-02,12", "4,(null),2023-01-07,40", "5,\\N,2023-01-08,50"];
    let case = lines("03_null_as_text", "order_id,customer_id,event_ts,line_total", &[&rows[..], &["6,,2023-01-09,\\N"]].concat());
    case.is_right(&format!("t.csv {TRANSACTIONS} --anonymous report --null (null),\\N"), &[]);
    let said = case.fails(&format!("t.csv {TRANSACTIONS} --anonymous report"), &[]);
    assert!(said.contains("--null"), "{said}");
}

#[test]
fn times_that_end_in_utc() {
    let case = Case::new("09_timestamps_that_end_in_utc");
    case.is_right(&format!("orders.csv {TRANSACTIONS}"), &[]);
    case.is_right("periods.jsonl --every month", &[]);
}

const GERMAN: [&str; 8] =
    ["--column", "order_id=Bestellnr", "--column", "customer_id=Kundennr", "--column", "event_ts=Datum", "--column", "line_total=Betrag"];

#[test]
fn decimal_commas_and_thousands() {
    let case = Case::new("11_decimal_comma");
    let more = [&GERMAN[..], &["--date-format", "%d.%m.%Y %H:%M"]].concat();
    let said = case.fails(&format!("bestellungen.csv {TRANSACTIONS}"), &more);
    assert!(said.contains("--number-format 1.234,56 reads it as 25.00"), "{said}");
    case.is_right(&format!("bestellungen.csv {TRANSACTIONS} --number-format 1.234,56"), &more);
    let case = Case::new("12_currency_and_thousands");
    let line = format!("thousands.csv {TRANSACTIONS}");
    assert!(case.fails(&line, &[]).contains("--number-format 1,234.56"));
    case.is_right_of("thousands.csv", &format!("{line} --number-format 1,234.56"), &[]);
    let columns = ["order_id=Transaction ID", "customer_id=Customer ID", "event_ts=Date+Time", "line_total=Net Sales"];
    let more: Vec<&str> = columns.iter().flat_map(|column| ["--column", column]).collect();
    let line = format!("transactions.csv {TRANSACTIONS} --refunds net");
    // The first could be May, but another has a 31st month then.
    let one = case.fails(&line, &more);
    assert!(one.contains("give --date-format \"%m/%d/%Y %H:%M:%S\"\n"), "{one}");
    let more = [&more[..], &["--date-format", "%m/%d/%Y %H:%M:%S"]].concat();
    assert!(case.fails(&line, &more).contains("--number-format 1,234.56"));
    case.is_right_of("transactions.csv", &format!("{line} --number-format 1,234.56"), &more);
}

/// What only the person can know is at least said.
#[test]
fn points_that_may_be_thousands() {
    let header = "order_id,customer_id,event_ts,line_total";
    let case = lines("11_decimal_comma", header, &["1,a,2023-01-01,1.234", "2,b,2023-01-02,12.500", "3,b,2023-01-02,7"]);
    let (report, _) = case.report(&format!("t.csv {TRANSACTIONS}"), &[]);
    assert!(warnings(&report).contains("2 amounts have a point and three decimals"), "{report}");
    let case = lines("11_decimal_comma", header, &["1,a,2023-01-01,1.234", "2,b,2023-01-02,12.500", "3,b,2023-01-02,7.50"]);
    let (report, _) = case.report(&format!("t.csv {TRANSACTIONS}"), &[]);
    assert!(!warnings(&report).contains("three decimals"), "{report}");
    let case = lines("11_decimal_comma", header, &["1,a,2023-01-01,$5", "2,b,2023-01-02,€7", "3,b,2023-01-02,7"]);
    assert!(case.fails(&format!("t.csv {TRANSACTIONS}"), &[]).contains("several currencies"));
}

#[test]
fn numbers_since_1970() {
    let case = Case::new("19_epoch_milliseconds");
    let line = format!("events.jsonl {TRANSACTIONS}");
    assert!(case.fails(&line, &[]).contains("give --date-format epoch-ms"));
    case.is_right(&format!("{line} --date-format epoch-ms"), &[]);
}

#[test]
fn times_without_an_offset() {
    let case = Case::new("24_local_times_with_a_timezone");
    let line = format!("orders.csv {TRANSACTIONS} --timezone America/New_York");
    let (report, _) = case.report(&line, &[]);
    assert!(warnings(&report).contains("4 times have no offset: read as UTC"), "{report}");
    let (report, _) = case.is_right(&format!("{line} --naive-times local"), &[]);
    assert_eq!(warnings(&report).matches("offset").count(), 0);
    assert!(case.fails(&format!("orders.csv {TRANSACTIONS} --naive-times local"), &[]).contains("--timezone"));
    // A date is a day of the zone, whatever is said of times.
    let rows = ["1,a,2023-01-01,1", "2,a,2023-01-31,1", "3,a,2023-02-01T03:00:00Z,1"];
    let case = lines("24_local_times_with_a_timezone", "order_id,customer_id,event_ts,line_total", &rows);
    let (report, _) = case.report(&format!("t.csv {TRANSACTIONS} --timezone America/New_York"), &[]);
    assert_eq!(report["windows"].as_array().unwrap().len(), 1, "{report}");
}

#[test]
fn ids_in_another_form() {
    let case = Case::new("26_emails_in_another_case");
    let line = format!("orders.csv {TRANSACTIONS}");
    let (report, _) = case.report(&line, &[]);
    assert!(warnings(&report).contains("4 of 4 ids differ from another by case or blanks only"), "{report}");
    let (report, _) = case.is_right(&format!("{line} --id-format fold"), &[]);
    assert_eq!(warnings(&report), "");
    let case = Case::new("28_ids_with_point_zero_in_one_file");
    let line = format!("jan.csv feb.csv {TRANSACTIONS} --anonymous report");
    let (report, _) = case.report(&line, &[]);
    assert!(warnings(&report).contains("2 ids are whole numbers with .0"), "{report}");
    case.is_right(&format!("{line} --id-format integer"), &[]);
    let rows = ["1,1.23E+11,2023-01-01,1", "2,0,2023-01-01,2", "3,Guest,2023-01-01,2"];
    let case = lines("26_emails_in_another_case", "order_id,customer_id,event_ts,line_total", &rows);
    let said = case.fails(&format!("t.csv {TRANSACTIONS} --id-format integer"), &[]);
    assert!(said.contains("a spreadsheet has lost digits"), "{said}");
    let (report, _) = case.report(&format!("t.csv {TRANSACTIONS} --anonymous report --anonymous-id 0,Guest"), &[]);
    assert_eq!(report["input"]["transactions"]["anonymous_orders"], 2, "{report}");
    assert!(warnings(&report).contains("1 id is a number such as 1.23E+11"), "{report}");
}

#[test]
fn fractions_of_a_cent() {
    let (report, _) = Case::new("43_three_decimals").report(&format!("orders.csv {TRANSACTIONS}"), &[]);
    assert!(warnings(&report).contains("6 orders have fractions of a cent: +0.03"), "{report}");
}

#[test]
fn dates_written_in_several_ways() {
    let case = Case::new("46_two_ways_to_write_dates");
    let line = format!("orders.csv {TRANSACTIONS}");
    let mut more = vec!["--date-format", "%m/%d/%Y %H:%M"];
    assert!(case.fails(&line, &more).contains("add --date-format \"%m/%d/%Y\" too"));
    more.extend(["--date-format", "%m/%d/%Y"]);
    assert!(case.fails(&line, &more).contains("add --date-format \"%m/%d/%Y %I:%M:%S %p\" too"));
    more.extend(["--date-format", "%m/%d/%Y %I:%M:%S %p"]);
    case.is_right(&line, &more);
    // Of period aggregations, too.
    let header = "customer_id,period_start,period_end,total_orders,total_spend";
    let case = lines("46_two_ways_to_write_dates", header, &["\" A \",1/1/2023,2/1/2023,\"1,000\",\"1,234,5\""]);
    let line = "t.csv --every month --date-format %m/%d/%Y --number-format 1,234.56 --id-format fold --amount-unit cents";
    assert!(case.fails(line, &[]).contains("bad_number"));
    let case = lines("46_two_ways_to_write_dates", header, &["\" A \",1/1/2023,2/1/2023,\"1,000\",\"$123,450\"", "NA,NA,NA,NA,NA"]);
    let (report, _) = case.report(&format!("{line} --null NA --on-bad-row reject"), &[]);
    let first = &report["windows"][0]["lens1"];
    assert_eq!((first["total_orders"].to_string(), super::shown(&first["total_revenue"])), ("1000".into(), "1234.50".into()));
}
