//! Values: amounts, periods, metrics, scores, options and answers, as texts and by serde. What is shown reads back as itself, and what
//! makes no sense is refused, by constructor and by serde alike.

use super::{SEQUENTIAL, always, amount, day, metrics, money, period, threads};
use crate::model::amounts::units;
use crate::support::config;
use chrono::NaiveDateTime;
use lensflow::error::Kind;
use lensflow::lens::lens2::{Migration, Status};
use lensflow::model::{Column, ColumnMap};
use lensflow::model::{Granularity, Window, Windows};
use lensflow::model::{MaxRejects, OnBadRow, Reason, Reject};
use lensflow::money::{Amount, AmountError, Fixed2, Money};
use lensflow::spec::{DEFAULT_PERCENTILES, Parallel};
use lensflow::stats::Snapshot;
use lensflow::synthetic::{Event, IdStyle, Scenario, Skew, Synthetic};
use lensflow::time::{MAX_TIMESTAMP, MIN_TIMESTAMP, format_timestamp, parse_timestamp};
use lensflow::{
    Lens1Metrics, Lens2Metrics, Parallelism, PeriodAggregation, Pipeline, RfmMetrics, RfmScore, ScoreBins, Spec, analyze_period_comparison,
    calculate_rfm, calculate_rfm_scores,
};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Debug;

proptest! {
    #![proptest_config(config(1_000))]

    #[test]
    fn amounts_are_read_exactly(text in "[+-]?[0-9]{0,18}(\\.[0-9]{0,22})?([eE][+-]?[0-9]{1,2})?") {
        let read = text.parse::<Amount>();
        let expected = units(&text);
        prop_assert_eq!(read.map(|a| units(&a.to_string()).expect("it shows a number")), expected);
    }

    #[test]
    fn decimals_are_read_exactly(unscaled in prop_oneof![any::<i64>().prop_map(i128::from), any::<i128>(), -2_000..2_000i128], scale in -20..=60i8) {
        let expected = units(&format!("{unscaled}e{}", -i32::from(scale)));
        prop_assert_eq!(Amount::from_decimal(unscaled, scale).map(|a| units(&a.to_string()).expect("it shows a number")), expected);
    }

    #[test]
    fn doubles_are_read_as_they_are_written(x in prop_oneof![any::<f64>(), -1e6..1e6f64, (-100_000_000..100_000_000i64).prop_map(|c| c as f64 / 100.0), (-1_000_000_000_000_000..1_000_000_000_000_000i64).prop_map(|c| c as f64 / 100.0)]) {
        let expected = if x.is_finite() { units(&x.to_string()) } else { Err(AmountError::NotANumber) };
        prop_assert_eq!(Amount::from_f64(x).map(|a| units(&a.to_string()).expect("it shows a number")), expected);
    }

    #[test]
    fn quotients_round_half_away_from_zero(n in -1_000_000..1_000_000i128, d in 1..2_000i128) {
        let half_up = |n: i128| n.signum() * ((2 * n.abs() + d) / (2 * d));
        prop_assert_eq!(Fixed2::quotient(n, d), Fixed2::from_hundredths(half_up(n * 100)));
        prop_assert_eq!(Fixed2::percent(n, d), Fixed2::from_hundredths(half_up(n * 10_000)));
        prop_assert_eq!(Fixed2::quotient(n, -d), Fixed2::from_hundredths(-half_up(n * 100)));
    }

    #[test]
    fn shown_numbers_read_back(hundredths in any::<i128>(), timestamp in MIN_TIMESTAMP..=MAX_TIMESTAMP) {
        let number = Fixed2::from_hundredths(hundredths);
        round_trip(&number);
        prop_assert_eq!(number.to_f64(), number.to_string().parse::<f64>().expect("a decimal"));
        prop_assert_eq!(parse_timestamp(format_timestamp(timestamp).as_bytes()), Some(timestamp));
        let whole = timestamp - timestamp.rem_euclid(1_000_000);
        prop_assert_eq!(parse_timestamp(format_timestamp(whole).as_bytes()), Some(whole));
    }
}

#[test]
fn defaults_are_the_documented_ones() {
    assert_eq!(Parallelism::default(), Parallelism { parallel: Parallel::Auto { threshold: 10_000_000 }, n_workers: None });
    assert_eq!(ScoreBins::default(), ScoreBins { recency: 5, frequency: 5, monetary: 5 });
    assert_eq!(DEFAULT_PERCENTILES, [10, 20]);
    let spec = Spec::default();
    assert_eq!((spec.percentiles, spec.bins, spec.on_bad_row, spec.workers), (vec![10, 20], 5, OnBadRow::Fail, None));
    assert_eq!(spec.parallel, Parallel::Auto { threshold: Parallel::DEFAULT_THRESHOLD });
}

#[test]
fn periods_that_make_no_sense_are_refused() {
    let (a, b) = (day("2023-01-01"), day("2023-02-01"));
    assert!(PeriodAggregation::new("", a, b, 1, amount("1")).is_err());
    assert!(PeriodAggregation::new("a", b, a, 1, amount("1")).is_err());
    assert!(PeriodAggregation::new("a", a, a, 1, amount("1")).is_err());
    assert!(PeriodAggregation::new("a", NaiveDateTime::MIN, b, 1, amount("1")).is_err());
    assert!(PeriodAggregation::new("a", a, NaiveDateTime::MAX, 1, amount("1")).is_err());
    assert!(period("a", 1, "1").with_last_transaction(NaiveDateTime::MAX).is_err());
    assert!(calculate_rfm(&[period("a", 1, "1")], NaiveDateTime::MAX, &SEQUENTIAL).is_err());
    let good = json!({
        "customer_id": "a", "period_start": "2023-01-01T00:00:00", "period_end": "2023-02-01T00:00:00", "total_orders": 1, "total_spend": "1.00",
        "total_margin": "0.305", "total_quantity": -3, "last_transaction_ts": "2023-01-05T06:07:08.000009",
    });
    round_trip(&serde_json::from_value::<PeriodAggregation>(good.clone()).expect("it is good"));
    refuses::<PeriodAggregation>(
        &good,
        &[
            ("customer_id", json!("")),
            ("customer_id", json!(7)),
            ("period_end", json!("2023-01-01T00:00:00")),
            ("period_start", json!("yesterday")),
            ("period_start", json!("+12023-01-01T00:00:00")),
            ("total_orders", json!(-1)),
            ("total_spend", json!("NaN")),
            ("total_spend", json!("1e15")),
            ("total_spend", Value::Null),
            ("last_transaction_ts", json!("+12023-01-01T00:00:00")),
        ],
    );
}

#[test]
fn metrics_that_make_no_sense_are_refused() {
    let new = |recency, frequency, monetary: &str, spend: &str| {
        RfmMetrics::new("a", recency, frequency, money(monetary), day("2023-01-01"), day("2023-02-01"), money(spend))
    };
    assert!(new(0, 3, "3.33", "10.00").is_ok());
    assert!(new(0, 3, "3.34", "10.00").is_ok(), "within a cent");
    assert!(new(0, u64::MAX, "0.00", "0.00").is_ok());
    for (recency, frequency, monetary, spend) in [
        (-1, 1, "1.00", "1.00"),
        (0, 0, "0.00", "0.00"),
        (0, 1, "-1.00", "-1.00"),
        (0, 1, "0.00", "-0.01"),
        (0, 3, "3.35", "10.00"),
        (0, 3, "3.32", "10.00"),
        (0, 1, "1.02", "1.00"),
        (0, u64::MAX, "1.00", "1.00"),
        (0, 2, "1000000000000000000000000000000.00", "1.00"),
    ] {
        assert!(new(recency, frequency, monetary, spend).is_err(), "{recency} {frequency} {monetary} {spend}");
    }
    let largest = Money::from_hundredths(i128::MAX);
    assert!(RfmMetrics::new("a", 0, 2, largest, day("2023-01-01"), day("2023-02-01"), largest).is_err());
    assert!(RfmMetrics::new("a", 0, 1, largest, day("2023-01-01"), day("2023-02-01"), largest).is_ok());
    let good = serde_json::to_value(metrics("a", 1, 2, 350)).expect("JSON");
    refuses::<RfmMetrics>(
        &good,
        &[
            ("recency_days", json!(-1)),
            ("frequency", json!(0)),
            ("frequency", json!(-2)),
            ("monetary", json!("-3.50")),
            ("monetary", json!("3.505")),
            ("monetary", json!(3.505)),
            ("total_spend", json!("8.00")),
            ("total_spend", json!("seven")),
        ],
    );
}

#[test]
fn scores_that_make_no_sense_are_refused() {
    assert_eq!(RfmScore::new("a", 5, 4, 3).expect("digits").rfm_score(), "543");
    for [r, f, m] in [[0, 1, 1], [1, 0, 1], [1, 1, 0], [10, 1, 1], [1, 10, 1], [1, 1, 255]] {
        assert!(RfmScore::new("a", r, f, m).is_err());
    }
    let good = serde_json::to_value(RfmScore::new("a", 5, 4, 3).expect("digits")).expect("JSON");
    refuses::<RfmScore>(
        &good,
        &[("rfm_score", json!("544")), ("rfm_score", json!("")), ("r_score", json!(0)), ("m_score", json!(4)), ("f_score", json!(256))],
    );
    for bins in [0, 10, u32::MAX] {
        for bins in [ScoreBins { recency: bins, ..ScoreBins::default() }, ScoreBins { monetary: bins, ..ScoreBins::default() }] {
            let error = always(|p| calculate_rfm_scores(&[metrics("a", 1, 1, 1)], &bins, p)).expect_err("bins");
            assert_eq!(error.kind(), Kind::Usage);
        }
    }
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let refused = |spec: Spec| {
        assert_eq!(spec.validate().expect_err("it is not valid").kind(), Kind::Usage);
        assert!(Pipeline::builder().spec(spec).build().is_err());
    };
    refused(Spec::default().with_workers(Some(0)));
    refused(Spec::default().with_bins(0));
    refused(Spec::default().with_bins(10));
    refused(Spec::default().with_percentiles(vec![0]));
    refused(Spec::default().with_batch_rows(0));
    refused(Spec::default().with_windows(Windows::List(Vec::new())));
    let window = |text: &str| text.parse::<Window>().expect(text);
    refused(Spec::default().with_windows(Windows::List(vec![window("2023-Q2"), window("2023-Q1")])));
    refused(Spec::default().with_windows(Windows::List(vec![window("a=2023-Q2"), window("a=2023-Q3")])));
    for text in [
        r#"{"bins": -1}"#,
        r#"{"colums": {}}"#,
        r#"{"windows": {"every": "fortnight"}}"#,
        r#"{"windows": {"list": [{"name": "a", "start": "x"}]}}"#,
    ] {
        assert!(serde_json::from_str::<Spec>(text).is_err(), "{text}");
    }
    assert!(serde_json::from_str::<Parallelism>(r#"{"workers": 3}"#).is_err());
    assert!(serde_json::from_str::<ScoreBins>(r#"{"recency": 5, "spend": 5}"#).is_err());
    assert_eq!(serde_json::from_str::<Spec>("{}").expect("defaults"), Spec::default());
    assert_eq!(serde_json::from_str::<Parallelism>("{}").expect("defaults"), Parallelism::default());
    assert_eq!(serde_json::from_str::<ScoreBins>(r#"{"recency": 3}"#).expect("defaults").frequency, 5);
}

/// What is written reads back as itself, from text and from a value.
pub(super) fn round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let text = serde_json::to_string(value).expect("JSON");
    assert_eq!(&serde_json::from_str::<T>(&text).unwrap_or_else(|e| panic!("{e}: {text}")), value);
    let json: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(&serde_json::from_value::<T>(json).unwrap_or_else(|e| panic!("{e}: {text}")), value);
}

/// The good value with any of these fields instead is refused; as it is, it is not.
fn refuses<T: DeserializeOwned>(good: &Value, faults: &[(&str, Value)]) {
    assert!(serde_json::from_value::<T>(good.clone()).is_ok(), "{good}");
    for (field, value) in faults {
        let mut bad = good.clone();
        bad[*field] = value.clone();
        assert!(serde_json::from_value::<T>(bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn options_read_back() {
    let window = |text: &str| text.parse::<Window>().expect(text);
    let named = window("spring=2023-03-01..2023-06-01@2023-06-30T12:00:00.000001");
    let lists = Windows::List(vec![window("2023-Q1"), named.clone(), window("2024")]);
    let columns = ColumnMap(BTreeMap::from([(Column::CustomerId, "Kunde".to_owned()), (Column::TotalSpend, "a \"b\" é".to_owned())]));
    round_trip(&named);
    round_trip(&lists);
    round_trip(&columns);
    for granularity in [Granularity::Month, Granularity::Quarter, Granularity::Half, Granularity::Year] {
        round_trip(&granularity);
        round_trip(&Windows::Every(granularity));
    }
    for parallel in [Parallel::On, Parallel::Off, Parallel::default(), Parallel::Auto { threshold: u64::MAX }] {
        round_trip(&parallel);
        let spec = Spec::default()
            .with_windows(lists.clone())
            .with_columns(columns.clone())
            .with_percentiles(vec![])
            .with_bins(9)
            .with_on_bad_row(OnBadRow::Reject)
            .with_fail_fast(true)
            .with_max_rejects(MaxRejects::Percent(lensflow::money::Fixed2::from_hundredths(250)))
            .with_workers(Some(3))
            .with_parallel(parallel)
            .with_batch_rows(1)
            .with_memory_limit(Some(1 << 30))
            .with_spill_dir(std::path::PathBuf::from("here"));
        round_trip(&spec);
    }
    round_trip(&Spec::default());
    round_trip(&ScoreBins { recency: 1, frequency: 9, monetary: 5 });
    [Parallelism::default(), SEQUENTIAL, threads(5)].iter().for_each(round_trip);
    [OnBadRow::Fail, OnBadRow::Reject].iter().for_each(round_trip);
    for scenario in Scenario::NAMES {
        let scenario: Scenario = scenario.parse().expect("a known name");
        for (skew, ids) in [
            (Skew::Uniform, IdStyle::Sequential),
            (Skew::Zipf, IdStyle::Uuid),
            (Skew::Hot, IdStyle::Email),
            (Skew::Uniform, IdStyle::Unicode),
        ] {
            round_trip(&Synthetic { scenario: scenario.clone(), skew, ids, null_timestamps: 0.25, customers: 7, ..Synthetic::default() });
        }
    }
    round_trip(&Event::Season { amplitude: 0.1 });
}

#[test]
fn answers_read_back() {
    let reasons = [
        Reason::MissingValue,
        Reason::BadNumber,
        Reason::BadTimestamp,
        Reason::PeriodReversed,
        Reason::NegativeOrders,
        Reason::AmountOutOfRange,
        Reason::StraddlesWindow,
        Reason::AfterObservationEnd,
        Reason::NoOrders,
        Reason::NegativeSpend,
    ];
    for reason in reasons {
        round_trip(&reason);
        assert_eq!(serde_json::to_value(reason).expect("JSON"), json!(reason.name()));
    }
    for column in Column::ALL {
        round_trip(&column);
        assert_eq!(serde_json::to_value(column).expect("JSON"), json!(column.name()));
        assert_eq!(Column::from_name(column.name()), Some(column));
    }
    for status in [Status::Retained, Status::Churned, Status::New, Status::Reactivated] {
        round_trip(&status);
        assert_eq!(serde_json::to_value(status).expect("JSON"), json!(status.name()));
    }
    let fields = Column::ALL.map(|c| c.name().to_owned()).to_vec();
    let reject = Reject {
        window: None,
        source: "a.csv".to_owned(),
        row: 3,
        line: Some(4),
        customer_id: "é\"\n".to_owned(),
        reason: Reason::BadNumber,
        column: "total_spend".to_owned(),
        value: "x".to_owned(),
        fields,
        at: Some("2023-01-01T00:00:00".to_owned()),
    };
    round_trip(&reject);
    round_trip(&Reject { window: Some("2023".to_owned()), line: None, ..reject });
    round_trip(&Migration { retained: 1, churned: u64::MAX, new: 3, reactivated: 2 });
    let mut snapshot = Snapshot::default();
    (snapshot.rows_read, snapshot.rows_rejected) = (7, BTreeMap::from([(Reason::NoOrders, 3)]));
    round_trip(&snapshot);
    round_trip(&RfmScore::new("a", 1, 9, 5).expect("digits"));
    round_trip(&amount("-0.000000000000000001"));
    let mut lens1 = Lens1Metrics::default();
    lens1.total_orders = i128::from(u64::MAX);
    lens1.revenue_concentration = BTreeMap::from([(1, money("12.30")), (100, money("100.00"))]);
    lens1.rfm_distribution = BTreeMap::from([("555".to_owned(), 1)]);
    round_trip(&lens1);
    // Beyond 64 bits only text holds it.
    let mut more = lens1;
    more.total_orders = i128::MAX;
    assert_eq!(serde_json::from_str::<Lens1Metrics>(&serde_json::to_string(&more).expect("JSON")).expect("it reads back"), more);
    let (a, b) = (metrics("a", 1, 1, 1), metrics("b", 1, 1, 1_000));
    let history = ["a".to_owned(), "b".to_owned()];
    let lens2 = analyze_period_comparison(&[a], &[b], Some(&history), None, None, &SEQUENTIAL).expect("lens 2");
    assert!(!lens2.warnings.is_empty());
    round_trip::<Lens2Metrics>(&lens2);
    round_trip(&lens2.migration);
}
