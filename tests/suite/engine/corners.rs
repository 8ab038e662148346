//! Corners that random rows would hardly hit, each in a few ways that differ in everything.

use super::equals::equals;
use super::run::{PLAIN, Run, Spill, Way, batches_in_engine_order, run};
use crate::make::{Case, Ids, Layout, Row, Spend, Times, period};
use crate::model::Answers;
use lensflow::error::Kind;
use lensflow::model::{Granularity, Window, Windows};
use lensflow::model::{OnBadRow, Reason};
use lensflow::report::Report;
use lensflow::spec::Parallel;
use lensflow::time::{DAY, MAX_TIMESTAMP, MIN_TIMESTAMP};

/// Compares in a few ways that differ in everything.
fn check(case: &Case) {
    equals(case, &PLAIN);
    let spill = |budget, disk| Some(Spill { budget, disk });
    for (workers, batch, parallel, way, spill) in [
        (1, 7, Parallel::On, Way::Run, None),
        (2, 1, Parallel::On, Way::Both, spill(Spill::AT_ONCE, false)),
        (3, 1_000, Parallel::default(), Way::Run, spill(10_000, true)),
        (7, 7, Parallel::Auto { threshold: 0 }, Way::Push, None),
    ] {
        equals(case, &Run { workers, batch, shuffle: Some(workers as u64), parallel, way, policy: OnBadRow::Reject, spill });
    }
}

fn windows(texts: &[&str]) -> Windows {
    Windows::List(texts.iter().map(|t| t.parse().expect(t)).collect())
}

fn case(windows: Windows, rows: Vec<Row>) -> Case {
    Case { windows, percentiles: vec![1, 10, 20, 50, 100], bins: 5, rows, layout: Layout::default() }
}

fn quarter(id: &str, orders: i64, spend: &str, last: Option<&str>) -> Row {
    period(id, "2023-01-01", "2023-04-01", orders, spend, last)
}

/// Who is left out of the one window, and why.
fn reason(case: &Case) -> Option<Reason> {
    check(case);
    Answers::of(case).left_out.first().map(|(_, _, reason)| *reason)
}

#[test]
fn nothing_in() {
    check(&case(windows(&["2023-Q1"]), Vec::new()));
    check(&case(windows(&["2023-Q1", "2023-Q2", "2023-Q4"]), Vec::new()));
    for granularity in [Granularity::Month, Granularity::Quarter, Granularity::Half, Granularity::Year] {
        check(&case(Windows::Every(granularity), Vec::new()));
    }
    // All rows bad is nothing, too: no calendar window comes from a bad row.
    check(&case(Windows::Every(Granularity::Month), vec![period("a", "2023-02-01", "2023-01-01", 1, "1", None)]));
}

#[test]
fn one_customer() {
    check(&case(windows(&["2023-Q1"]), vec![quarter("7", 3, "10.00", Some("2023-03-31T23:59:59.999999"))]));
    check(&case(windows(&["2023-Q1", "2023-Q2"]), vec![quarter("7", 1, "0.01", None)]));
    let many = (0..5_000).map(|i| quarter("客户-a-long-id-of-one-customer", i % 3, "0.005", None)).collect();
    check(&case(windows(&["2023-Q1"]), many));
}

#[test]
fn equal_customers_and_ties() {
    let ids = (0..101).map(|i| format!("customer number {i}"));
    check(&case(windows(&["2023-Q1"]), ids.clone().map(|id| quarter(&id, 2, "19.99", None)).collect()));
    let tied = |(i, id): (usize, String)| quarter(&id, 1 + i64::from(i > 96), ["5.00", "5.01"][usize::from(i == 50)], None);
    for bins in 1..=9 {
        check(&Case { bins, ..case(windows(&["2023-Q1"]), ids.clone().enumerate().map(tied).collect()) });
    }
}

#[test]
fn sums_beyond_64_bits_of_cents() {
    let largest = "999999999999999.99";
    let largest_rows = |n: usize, text: &str| vec![quarter("a", 1, text, None); n];
    assert_eq!(reason(&case(windows(&["2023-Q1"]), largest_rows(9, largest))), None);
    // The tenth reaches 10¹⁶ less ten cents; one more cent each would be too much.
    assert_eq!(reason(&case(windows(&["2023-Q1"]), largest_rows(10, largest))), None);
    for n in [11, 100, 2_000] {
        assert_eq!(reason(&case(windows(&["2023-Q1"]), largest_rows(n, largest))), Some(Reason::AmountOutOfRange), "{n}");
        assert_eq!(reason(&case(windows(&["2023-Q1"]), largest_rows(n, "-999999999999999.99"))), Some(Reason::NegativeSpend), "{n}");
        // And back: what overflowed must not be lost.
        let mut rows = largest_rows(n, largest);
        rows.extend(largest_rows(n, "-999999999999999.99"));
        rows.push(quarter("a", 1, "5.004999999999999999", None));
        let case = case(windows(&["2023-Q1"]), rows);
        assert_eq!(reason(&case), None, "{n}");
        assert_eq!(Answers::of(&case).rfm[0].total_spend, 500);
    }
    let mut at_the_limit = largest_rows(10, largest);
    at_the_limit.push(quarter("a", 1, "0.099999999999999999", None));
    assert_eq!(reason(&case(windows(&["2023-Q1"]), at_the_limit.clone())), Some(Reason::AmountOutOfRange));
    at_the_limit.push(quarter("a", 1, "-0.01", None));
    assert_eq!(reason(&case(windows(&["2023-Q1"]), at_the_limit)), None);
}

#[test]
fn fractions_that_make_whole_cents() {
    let thirds = |n| vec![quarter("a", 1, "0.003333333333333333", None); n];
    for n in [1, 2, 3, 1_000] {
        check(&case(windows(&["2023-Q1"]), thirds(n)));
    }
    for (spend, cents) in
        [("0.005", 1), ("0.004999999999999999", 0), ("-0.004999999999999999", 0), ("1.015", 102), ("0.0000000000000000005", 0)]
    {
        let case = case(windows(&["2023-Q1"]), vec![quarter("a", 1, spend, None)]);
        check(&case);
        assert_eq!(Answers::of(&case).rfm[0].total_spend, cents, "{spend}");
    }
    assert_eq!(reason(&case(windows(&["2023-Q1"]), vec![quarter("a", 1, "-0.005", None)])), Some(Reason::NegativeSpend));
}

#[test]
fn orders_near_the_end_of_64_bits() {
    let most = i64::MAX - 1;
    assert_eq!(reason(&case(windows(&["2023-Q1"]), vec![quarter("a", most, "99.99", None)])), None);
    assert_eq!(reason(&case(windows(&["2023-Q1"]), vec![quarter("a", most, "999999999999999.99", None)])), None);
    let more = |rest: i64| vec![quarter("a", most, "1", None), quarter("a", rest, "1", None), quarter("b", 1, "1", None)];
    assert_eq!(reason(&case(windows(&["2023-Q1"]), more(0))), None);
    for rest in [1, 2, most] {
        assert_eq!(reason(&case(windows(&["2023-Q1"]), more(rest))), Some(Reason::AmountOutOfRange), "{rest}");
    }
    // Three of them need more than 64 bits in total; the report and its averages hold that.
    let three = ["a", "b", "c"].map(|id| quarter(id, most, "7", None));
    check(&case(windows(&["2023-Q1"]), three.to_vec()));
}

#[test]
fn the_first_and_the_last_microsecond() {
    let all = |start, end, last| Row { start: Some(start), end: Some(end), last, ..quarter("a", 1, "1", None) };
    let first = Window { name: "first".to_owned(), start: MIN_TIMESTAMP, end: MIN_TIMESTAMP + DAY, observation_end: MIN_TIMESTAMP + DAY };
    let last = Window { name: "last".to_owned(), start: MAX_TIMESTAMP - DAY, end: MAX_TIMESTAMP, observation_end: MAX_TIMESTAMP };
    let ever = Window { name: "ever".to_owned(), start: MIN_TIMESTAMP, end: MAX_TIMESTAMP, observation_end: MAX_TIMESTAMP };
    let rows = vec![
        all(MIN_TIMESTAMP, MIN_TIMESTAMP + 1, Some(MIN_TIMESTAMP)),
        all(MIN_TIMESTAMP, MIN_TIMESTAMP + DAY, None),
        all(MAX_TIMESTAMP - 1, MAX_TIMESTAMP, Some(MAX_TIMESTAMP)),
        all(MAX_TIMESTAMP - DAY, MAX_TIMESTAMP, None),
        all(MIN_TIMESTAMP + DAY, MAX_TIMESTAMP - DAY, None),
        all(MIN_TIMESTAMP, MAX_TIMESTAMP, Some(MIN_TIMESTAMP)),
        all(MIN_TIMESTAMP - 1, MAX_TIMESTAMP, None),
        all(MIN_TIMESTAMP, MAX_TIMESTAMP + 1, None),
        all(MIN_TIMESTAMP, MIN_TIMESTAMP + 1, Some(MAX_TIMESTAMP + 1)),
        all(i64::MIN, i64::MAX, None),
        all(MIN_TIMESTAMP, MIN_TIMESTAMP + 1, Some(i64::MIN)),
    ];
    check(&case(Windows::List(vec![first, last]), rows.clone()));
    check(&case(Windows::List(vec![ever]), rows));
    check(&case(windows(&["0001", "9998"]), vec![period("a", "0001-01-01", "0002-01-01", 1, "1", None)]));
}

/// A calendar window may end with the last microsecond that there is; what is said of it can be read back.
#[test]
fn the_last_calendar_year() {
    let rows =
        vec![period("a", "9998-01-01", "9998-12-31", 1, "1", None), period("a", "9999-01-01", "9999-12-31T23:59:59.999999", 1, "1", None)];
    for windows in [Windows::Every(Granularity::Year), windows(&["9998", "9999"])] {
        let audit = run(&case(windows, rows.clone()), &PLAIN).expect("two good rows");
        let json = audit.report.to_json().expect("JSON");
        let report: Report = serde_json::from_str(&json).unwrap_or_else(|e| panic!("{e} in {json}"));
        assert_eq!(report, audit.report);
        assert_eq!(report.comparisons[0].lens2.retained, 1);
    }
}

#[test]
fn leap_days() {
    let rows = vec![
        period("a", "2024-02-29", "2024-03-01", 1, "1", Some("2024-02-29T23:59:59")),
        period("b", "2024-02-28", "2024-02-29", 1, "1", None),
        period("b", "2023-02-28", "2023-03-01", 1, "1", None),
        period("c", "2024-02-29", "2024-03-02", 1, "1", None),
        period("d", "2100-02-28", "2100-03-01", 1, "1", None),
    ];
    check(&case(windows(&["2023-02", "2024-02"]), rows.clone()));
    // So many months as lie between the two are too many for cohorts.
    let (early, late) = rows.split_at(4);
    [early, late].into_iter().for_each(|rows| check(&case(Windows::Every(Granularity::Month), rows.to_vec())));
    check(&case(Windows::Every(Granularity::Year), rows));
}

#[test]
fn edges_of_windows_and_observation() {
    let q1 = "2023-01-01..2023-04-01@2023-04-10T12:00";
    let rows = vec![
        period("ends on the end", "2023-03-01", "2023-04-01", 1, "1", None),
        period("begins on the start", "2023-01-01", "2023-01-02", 1, "1", None),
        period("is before", "2022-12-01", "2023-01-01", 1, "1", None),
        period("is after", "2023-04-01", "2023-05-01", 1, "1", None),
        period("crosses the start", "2022-12-31T23:59:59.999999", "2023-01-02", 1, "1", None),
        period("crosses the end", "2023-03-01", "2023-04-01T00:00:00.000001", 1, "1", None),
        period("at the observation end", "2023-03-01", "2023-04-01", 1, "1", Some("2023-04-10T12:00")),
        period("a microsecond late", "2023-03-01", "2023-04-01", 1, "1", Some("2023-04-10T12:00:00.000001")),
        period("late, but history", "2023-04-01", "2023-05-01", 1, "1", Some("2024-01-01")),
        period("empty period", "2023-02-01", "2023-02-01", 1, "1", None),
    ];
    let edges = case(windows(&[q1]), rows.clone());
    check(&edges);
    let answers = Answers::of(&edges);
    let reasons: Vec<_> = answers.rejected_rows.iter().map(|(&i, reason)| (rows[i].id.clone().expect("an id"), reason.name())).collect();
    let expected = [
        ("crosses the start", "straddles_window"),
        ("crosses the end", "straddles_window"),
        ("a microsecond late", "after_observation_end"),
        ("empty period", "period_reversed"),
    ];
    assert_eq!(reasons, expected.map(|(id, reason)| (id.to_owned(), reason)));
    assert_eq!(answers.rfm.len(), 3);
    check(&case(windows(&["2023-01", "2023-02", "2023-03"]), rows));
    // An observation end inside the window: what lies after it, by transaction or by period, is not valid.
    let inside = ["2023-01-01..2023-04-01@2023-03-31"];
    assert_eq!(reason(&case(windows(&inside), vec![quarter("a", 1, "1", None)])), Some(Reason::AfterObservationEnd));
    assert_eq!(reason(&case(windows(&inside), vec![quarter("a", 1, "1", Some("2023-03-31"))])), None);
}

#[test]
fn who_was_seen_before_is_reactivated() {
    let rows = vec![
        period("history before", "2022-01-01", "2022-02-01", 0, "0", None),
        period("history before", "2023-04-01", "2023-05-01", 1, "1", None),
        period("history between", "2023-02-01", "2023-03-01", 0, "-9", None),
        period("history between", "2023-04-01", "2023-05-01", 1, "1", None),
        period("invalid in the first", "2023-01-01", "2023-02-01", 0, "1", None),
        period("invalid in the first", "2023-04-01", "2023-05-01", 1, "1", None),
        period("only a bad row", "2023-01-01", "2023-02-01", -1, "1", None),
        period("only a bad row", "2023-04-01", "2023-05-01", 1, "1", None),
        period("history after", "2024-04-01", "2024-05-01", 1, "1", None),
        period("history after", "2023-04-01", "2023-05-01", 1, "1", None),
        period("retained", "2023-01-01", "2023-02-01", 1, "0.10", None),
        period("retained", "2023-04-01", "2023-05-01", 1, "1000", None),
        period("churned", "2023-01-01", "2023-02-01", 1, "0", None),
    ];
    let case = case(windows(&["2023-01", "2023-04"]), rows);
    check(&case);
    let answers = Answers::of(&case);
    let status = |id: &str| answers.moved.iter().find(|m| m[2] == id).map(|m| m[3].as_str());
    assert_eq!(status("history before"), Some("reactivated"));
    assert_eq!(status("history between"), Some("reactivated"));
    assert_eq!(status("invalid in the first"), Some("reactivated"));
    assert_eq!(status("only a bad row"), Some("new"));
    assert_eq!(status("history after"), Some("new"));
    assert_eq!(status("retained"), Some("retained"));
    assert_eq!(status("churned"), Some("churned"));
    assert_eq!(answers.warnings.len(), 2);
}

#[test]
fn ids_are_compared_byte_for_byte() {
    let ids = [
        "7",
        "007",
        "7 ",
        " 7",
        "a",
        "A",
        "a\0",
        "é",
        "e\u{301}",
        "twelve bytes",
        "twelve bytes\0",
        "thirteen byte",
        "thirteen bytf",
        "\u{0}",
    ];
    let rows: Vec<Row> = ids.into_iter().chain(ids).map(|id| quarter(id, 1, "1", None)).collect();
    for ids in [Ids::Utf8, Ids::LargeUtf8, Ids::View, Ids::Dictionary, Ids::Integer] {
        check(&Case { layout: Layout { ids, ..Layout::default() }, ..case(windows(&["2023-Q1"]), rows.clone()) });
    }
    assert_eq!(Answers::of(&case(windows(&["2023-Q1"]), rows)).rfm.len(), ids.len());
}

/// More than one buffer of rows, more than one batch of output, and partitions that fold several times.
#[test]
fn many_customers_and_rows() {
    let rows = (0..30_000_i64).map(|i| {
        let (customer, month) = (i * 7_919 % 9_001, i % 12 + 1);
        let (start, end) = (format!("2023-{month:02}-01"), format!("2023-{month:02}-28"));
        let id = if customer % 2 == 0 { format!("{customer}") } else { format!("customer number {customer}") };
        period(&id, &start, &end, i % 4, &format!("{}.{:03}", i % 977, i % 1_000), None)
    });
    let case = case(windows(&["2023-H1", "2023-H2"]), rows.collect());
    equals(&case, &PLAIN);
    let spill = Some(Spill { budget: 200_000, disk: true });
    let run = Run { workers: 3, batch: 1_000, shuffle: Some(3), parallel: Parallel::On, way: Way::Run, policy: OnBadRow::Reject, spill };
    equals(&case, &run);
    let (plain, other) = (batches_in_engine_order(&case, &PLAIN), batches_in_engine_order(&case, &run));
    assert!(plain.len() > 1);
    assert_eq!(plain, other);
}

/// An empty text is a missing value in any format, as it is in CSV.
#[test]
fn blank_texts_are_missing_values() {
    use arrow::array::{ArrayRef, RecordBatch, StringArray};
    let good = ["a", "2023-01-01", "2023-02-01", "1", "1.00", "2023-01-15"];
    let names = ["customer_id", "period_start", "period_end", "total_orders", "total_spend", "last_transaction_ts"];
    for blank in 0..names.len() {
        let column = |(i, name): (usize, &'static str)| {
            let text = if i == blank { "" } else { good[i] };
            (name, std::sync::Arc::new(StringArray::from(vec![text])) as ArrayRef)
        };
        let batch = RecordBatch::try_from_iter(names.into_iter().enumerate().map(column)).expect("a batch");
        let builder = lensflow::Pipeline::builder().windows(windows(&["2023-Q1"])).on_bad_row(OnBadRow::Reject).workers(1);
        let builder = builder.max_rejects("100%".parse().expect("a share"));
        let mut pipeline = builder.build().expect("valid options");
        pipeline.push(&batch).expect("rejects");
        let report = pipeline.finish().expect("an audit").report;
        let rejected: Vec<_> = report.input.rows_rejected.into_iter().collect();
        let expected = if blank == 5 { vec![] } else { vec![(Reason::MissingValue, 1)] };
        assert_eq!(rejected, expected, "{}", names[blank]);
    }
}

#[test]
fn doubles_are_their_shortest_decimal() {
    let spends =
        ["0.1", "0.2", "0.30000000000000004", "2.675", "1.005", "1e-7", "123456789012345.67", "-0.0", "4.35", "1e14", "999999999999999.9"];
    let mut rows: Vec<Row> = spends.iter().enumerate().map(|(i, spend)| quarter(&format!("{i}"), 1, spend, None)).collect();
    rows.extend(["1e15", "-1e15", "NaN", "inf"].map(|spend| quarter("bad", 1, spend, None)));
    let layout = Layout { spend: Spend::Float, times: Times::Nanos, ..Layout::default() };
    check(&Case { layout, ..case(windows(&["2023-Q1"]), rows) });
}

#[test]
fn calendars_that_are_too_long_are_an_error() {
    let far = |year: &str| period("a", &format!("{year}-01-01"), &format!("{year}-01-02"), 1, "1", None);
    let case = case(Windows::Every(Granularity::Month), vec![far("1023"), far("2023")]);
    let error = run(&case, &PLAIN).expect_err("12,000 windows");
    assert_eq!(error.kind(), Kind::Data, "{error}");
}

/// Rows number windows in 16 bits.
#[test]
fn too_many_windows_are_refused() {
    let window = |i: i64| Window { name: i.to_string(), start: i * DAY, end: (i + 1) * DAY, observation_end: (i + 1) * DAY };
    let windows = |n: i64| Windows::List((0..n).map(window).collect());
    windows(1 << 16).validate().unwrap();
    let error = windows((1 << 16) + 1).validate().unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Usage, "65537 windows are too many"));
}
