//! Windows: weeks, fiscal years, everything, as of a day; data that end before their window does; ends that were meant to be inclusive.

use super::{Case, all_warnings};
use serde_json::{Value, json};
use std::fs;

/// The names, customers and orders of the windows of a report.
fn told(report: &Value) -> Vec<(String, u64, u64)> {
    let count = |window: &Value, name: &str| window["lens1"][name].as_u64().unwrap();
    let windows = report["windows"].as_array().unwrap().iter();
    windows.map(|w| (w["name"].as_str().unwrap().to_owned(), count(w, "total_customers"), count(w, "total_orders"))).collect()
}

fn of(windows: &[(&str, u64, u64)]) -> Vec<(String, u64, u64)> {
    windows.iter().map(|&(name, customers, orders)| (name.to_owned(), customers, orders)).collect()
}

#[test]
fn weeks_are_windows() {
    let case = Case::new("47_weeks");
    let (report, _) = case.is_right("orders.csv --from transactions --every week", &[]);
    assert_eq!(report["windows"][0]["start"], "2023-01-02T00:00:00");
    // A state by days makes the same weeks, and any other window; one by weeks makes no months.
    crate::support::lensflow(case.path(), &["update", "days", "orders.csv", "--from", "transactions", "--every", "day"]).expect(0);
    let (of_days, _) = case.is_right("days --every week", &[]);
    assert_eq!(of_days["windows"], report["windows"]);
    crate::support::lensflow(case.path(), &["update", "weeks", "orders.csv", "--from", "transactions", "--every", "week"]).expect(0);
    case.is_right("weeks --every week", &[]);
    assert!(case.fails("weeks --every month", &[]).contains("the state is kept by week, of which no month is made"));
    let (all, _) = case.report("weeks --every all", &[]);
    let (direct, _) = case.report("orders.csv --from transactions --every all", &[]);
    assert_eq!(told(&all), told(&direct));
}

#[test]
fn a_period_that_is_not_over_is_marked() {
    let case = Case::new("35_last_period_is_not_over");
    let (report, said) = case.is_right("orders.csv --from transactions --every quarter", &[]);
    assert_eq!((&report["input"]["first_day"], &report["input"]["last_day"]), (&json!("2023-01-05"), &json!("2023-04-02")));
    assert_eq!(report["windows"][1]["covered_until"], "2023-04-02");
    assert_eq!(report["windows"][0].get("covered_until"), None);
    let warning = "2023-Q2 is covered until 2023-04-02, 2 of 91 days: changes from 2023-Q1 to it compare unequal spans";
    assert!(all_warnings(&report).contains(warning) && said.contains(warning), "{said}");
    let text = case.audit("orders.csv --from transactions --every quarter", &[]).expect(0);
    assert!(text.out().contains("data from 2023-01-05 to 2023-04-02") && text.out().contains("data until"), "{}", text.out());
    // Seen as of the end of the first quarter, there is only that.
    let (report, _) = case.report("orders.csv --from transactions --every quarter --as-of 2023-03-31", &[]);
    assert_eq!(told(&report), of(&[("2023-Q1", 3, 3)]));
    assert_eq!(super::warnings(&report), "");
}

const ORDERS: &str = "order_id,customer_id,event_ts,line_total\n\
    1,ana,2023-03-30 10:00:00,10.00\n2,ben,2023-04-10 10:00:00,20.00\n3,ana,2023-06-30 23:30:00,30.00\n4,ana,2023-07-05 08:00:00,40.00\n";

#[test]
fn windows_are_seen_as_of_a_day() {
    let case = Case::new("35_last_period_is_not_over");
    fs::write(case.path().join("o.csv"), ORDERS).unwrap();
    let (report, _) = case.report("o.csv --from transactions --every quarter --as-of 2023-06-30 --rfm-out rfm.csv", &[]);
    assert_eq!(told(&report), of(&[("2023-Q1", 1, 1), ("2023-Q2", 2, 2)]));
    let (report, _) = case.report("o.csv --from transactions --every half --as-of 2023-05-31 --rfm-out rfm.csv", &[]);
    assert_eq!(told(&report), of(&[("2023-H1", 2, 2)]));
    assert_eq!(report["windows"][0]["observation_end"], "2023-06-01T00:00:00");
    let rfm = fs::read_to_string(case.path().join("rfm.csv")).unwrap();
    // From 30 March, 10:00, to the end of May are 62 days.
    assert!(rfm.lines().any(|line| line.starts_with("2023-H1,ana,62,")), "{rfm}");
    // A state by months cannot tell what had happened by the middle of one; one by days can.
    for every in ["month", "day"] {
        crate::support::lensflow(case.path(), &["update", every, "o.csv", "--from", "transactions", "--every", every]).expect(0);
    }
    let (of_days, _) = case.report("day --every half --as-of 2023-05-20", &[]);
    assert_eq!(told(&of_days), of(&[("2023-H1", 2, 2)]));
    assert!(
        case.fails("month --every half --as-of 2023-05-20", &[])
            .contains("cannot tell what had happened within 2023-05 by 2023-05-21T00:00:00: it has rows until 2023-07-05T08:00:00")
    );
    assert!(case.fails("o.csv --from transactions --window 2023-Q3 --as-of 2023-06-30", &[]).contains("starts after the day"));
}

#[test]
fn windows_roll_back_from_a_day() {
    let case = Case::new("35_last_period_is_not_over");
    fs::write(case.path().join("o.csv"), ORDERS).unwrap();
    for every in ["day", "week", "month"] {
        crate::support::lensflow(case.path(), &["update", every, "o.csv", "--from", "transactions", "--every", every]).expect(0);
    }
    // From the last day, 5 July; the windows are those of a list.
    let (of_days, _) = case.report("day --every rolling-90d --rfm-out days.csv", &[]);
    assert_eq!(told(&of_days), of(&[("2023-01-07..2023-04-07", 1, 1), ("2023-04-07..2023-07-06", 2, 3)]));
    let list = "--window 2023-01-07..2023-04-07 --window 2023-04-07..2023-07-06";
    let (listed, _) = case.report(&format!("o.csv --from transactions {list} --rfm-out list.csv"), &[]);
    assert_eq!((told(&listed), &listed["comparisons"]), (told(&of_days), &of_days["comparisons"]));
    let without = |name: &str, column: usize| {
        let text = fs::read_to_string(case.path().join(name)).unwrap();
        let cut =
            |line: &str| line.split(',').enumerate().filter(|(at, _)| *at != column).map(|(_, cell)| cell.to_owned()).collect::<Vec<_>>();
        text.lines().map(cut).collect::<Vec<_>>()
    };
    let start = fs::read_to_string(case.path().join("days.csv")).unwrap();
    let start = start.lines().next().unwrap().split(',').position(|name| name == "observation_start").unwrap();
    // Orders in listed windows have no period but their moment.
    assert_eq!(without("days.csv", start), without("list.csv", start));
    // As of a day, of files, states by day, and both; what lies after it is in none.
    for as_of in ["2023-07-10", "2023-07-05", "2023-07-04", "2023-06-29", "2023-04-09"] {
        let [file, state] = ["o.csv --from transactions", "day"].map(|input| {
            let (mut report, _) = case.report(&format!("{input} --every rolling-30d --as-of {as_of} --rfm-out r.csv"), &[]);
            report["input"] = Value::Null;
            (report, fs::read_to_string(case.path().join("r.csv")).unwrap())
        });
        assert_eq!(file, state, "{as_of}");
    }
    let (report, _) = case.report("o.csv --from transactions --every rolling-30d --as-of 2023-07-04", &[]);
    let names: Vec<String> = told(&report).into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["2023-03-07..2023-04-06", "2023-04-06..2023-05-06", "2023-05-06..2023-06-05", "2023-06-05..2023-07-05"]);
    // Whole weeks of a state by week; no months.
    let (weeks, _) = case.report("week --every rolling-28d --as-of 2023-07-09", &[]);
    let (days, _) = case.report("day --every rolling-28d --as-of 2023-07-09", &[]);
    assert_eq!((&weeks["windows"], &weeks["comparisons"]), (&days["windows"], &days["comparisons"]));
    assert_eq!(told(&case.report("week --every rolling-28d", &[]).0), told(&weeks));
    assert!(case.fails("week --every rolling-28d --as-of 2023-07-08", &[]).contains("of which no rolling-28d is made"));
    assert!(case.fails("month --every rolling-90d", &[]).contains("the state is kept by month, of which no rolling-90d"));
    // Where they end has to be said of files, by day.
    let told = case.fails("o.csv --from transactions --every rolling-90d", &[]);
    assert!(told.contains("not said where rolling windows end") && told.contains("--as-of 2023-06-30"), "{told}");
    assert!(case.fails("day o.csv --from transactions --every rolling-90d", &[]).contains("has taken it in"));
    assert!(case.fails("day --every rolling-90d --as-of 2023-07-10T12:00:00", &[]).contains("rolling windows end with a day"));
    assert!(case.fails("day --every rolling-0d", &[]).contains("no number of days"));
    let refused =
        crate::support::lensflow(case.path(), &["update", "x", "o.csv", "--from", "transactions", "--every", "rolling-9d"]).expect(2);
    assert!(refused.stderr.contains("rolling windows are no calendar periods"), "{}", refused.stderr);
}

#[test]
fn fiscal_years_start_where_they_are_said_to() {
    let case = Case::new("35_last_period_is_not_over");
    fs::write(case.path().join("o.csv"), ORDERS).unwrap();
    let (report, _) = case.report("o.csv --from transactions --every quarter --year-starts 04-01", &[]);
    assert_eq!(told(&report), of(&[("FY2022/23-Q4", 1, 1), ("FY2023/24-Q1", 2, 2), ("FY2023/24-Q2", 1, 1)]));
    assert!(case.fails("o.csv --from transactions --every month --year-starts 04-01", &[]).contains("wherever the year starts"));
    assert!(case.fails("o.csv --from transactions --every year --year-starts 02-30", &[]).contains("not all months have"));
}

#[test]
fn everything_is_one_window_and_ends_may_be_open() {
    let case = Case::new("35_last_period_is_not_over");
    fs::write(case.path().join("o.csv"), ORDERS).unwrap();
    let (report, _) = case.report("o.csv --from transactions --every all", &[]);
    assert_eq!(told(&report), of(&[("all", 2, 4)]));
    let bounds = |window: &Value| ["start", "end", "observation_end"].map(|name| window[name].as_str().unwrap()[..10].to_owned());
    assert_eq!(bounds(&report["windows"][0]), ["2023-03-30", "2023-07-06", "2023-07-06"]);
    let (report, _) = case.report("o.csv --from transactions --window ..2023-06-01 --window 2023-06-01..", &[]);
    assert_eq!(told(&report), of(&[("..2023-06-01", 2, 2), ("2023-06-01..", 1, 2)]));
    assert_eq!(bounds(&report["windows"][0])[0], "2023-03-30");
    assert_eq!(bounds(&report["windows"][1])[1..], ["2023-07-06", "2023-07-06"]);
    let (report, _) = case.report("o.csv --from transactions --every all --as-of 2023-12-31", &[]);
    assert_eq!(report["windows"][0]["observation_end"], "2024-01-01T00:00:00");
}

#[test]
fn inclusive_ends_are_noted_and_read() {
    let case = Case::new("48_period_ends_inclusive");
    let (report, said) = case.report("last_days.csv --every month --rfm-out rfm.csv", &[]);
    assert!(all_warnings(&report).contains("ends are exclusive") && said.contains("--period-ends inclusive"), "{said}");
    let recency = |rfm: &str| {
        let column = rfm.lines().next().unwrap().split(',').position(|name| name == "recency_days").unwrap();
        rfm.lines().skip(1).map(|line| line.split(',').nth(column).unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(recency(&fs::read_to_string(case.path().join("rfm.csv")).unwrap()).iter().all(|days| days == "1"));
    let (report, _) = case.report("last_days.csv --every month --rfm-out rfm.csv --period-ends inclusive", &[]);
    assert_eq!(super::warnings(&report), "");
    assert!(recency(&fs::read_to_string(case.path().join("rfm.csv")).unwrap()).iter().all(|days| days == "0"));
    let told = case.fails("one_day.csv --every month", &[]);
    assert!(told.contains("ends are exclusive") && told.contains("--period-ends inclusive"), "{told}");
    case.report("one_day.csv --every month --period-ends inclusive", &[]);
}

#[test]
fn an_end_that_cuts_off_the_last_day_is_named() {
    let case = Case::new("35_last_period_is_not_over");
    let rows =
        "customer_id,period_start,period_end,total_orders,total_spend,last_transaction_ts\nana,2023-12-01,2024-01-01,1,5.00,2023-12-30\n";
    fs::write(case.path().join("p.csv"), rows).unwrap();
    let told = case.fails("p.csv --window 2023-01-01..2023-12-31", &[]);
    assert!(told.contains("--window ..2024-01-01@2023-12-31"), "{told}");
    let (report, _) = case.report("p.csv --window ..2024-01-01@2023-12-31", &[]);
    assert_eq!(report["windows"][0]["lens1"]["total_orders"], 1);
}
