//! The functions on slices: equal to the pipeline's answers on the same rows, the same on any number of threads, sorted by the bytes of the
//! ids, and closed to input that makes no sense. The types that go in and out of them are in [`values`].

mod values;

use crate::engine::run::{PLAIN, rfm_rows, run, sorted_rfm};
use crate::make::{Case, Row, cases, time};
use crate::model::Answers;
use crate::model::rfm::{Rfm, scores};
use crate::support::config;
use chrono::NaiveDateTime;
use lensflow::error::Kind;
use lensflow::model::Reason;
use lensflow::model::{Granularity, Windows};
use lensflow::money::{Amount, Fixed2, Money};
use lensflow::report::Report;
use lensflow::spec::{DEFAULT_PERCENTILES, Parallel};
use lensflow::synthetic::{IdStyle, Skew, Synthetic};
use lensflow::time::{from_datetime, to_datetime};
use lensflow::{
    CustomerMigration, Lens1Metrics, Parallelism, PeriodAggregation, Pipeline, RfmMetrics, RfmScore, ScoreBins, analyze_period_comparison,
    analyze_single_period, calculate_rfm, calculate_rfm_scores,
};
use proptest::prelude::*;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use values::round_trip;

const SEQUENTIAL: Parallelism = Parallelism::SEQUENTIAL;

fn threads(n: usize) -> Parallelism {
    Parallelism { parallel: Parallel::On, n_workers: Some(n) }
}

/// The result of one thread, after making sure that every other number gives the same.
fn always<T: PartialEq + Debug>(call: impl Fn(&Parallelism) -> lensflow::Result<T>) -> lensflow::Result<T> {
    let one = call(&SEQUENTIAL);
    for parallelism in [threads(1), threads(2), threads(5), Parallelism::default()] {
        match (&one, call(&parallelism)) {
            (Ok(one), Ok(other)) => assert_eq!(*one, other, "{parallelism:?}"),
            (Err(_), Err(_)) => {}
            (one, other) => panic!("{parallelism:?}: {other:?}, but one thread: {one:?}"),
        }
    }
    one
}

fn day(text: &str) -> NaiveDateTime {
    to_datetime(time(text))
}

fn money(text: &str) -> Money {
    text.parse().expect(text)
}

fn amount(text: &str) -> Amount {
    text.parse().expect(text)
}

fn period(id: &str, orders: u64, spend: &str) -> PeriodAggregation {
    PeriodAggregation::new(id, day("2023-01-01"), day("2023-02-01"), orders, amount(spend)).expect("a valid period")
}

fn metrics(id: &str, recency: i64, frequency: u64, monetary: i128) -> RfmMetrics {
    let (monetary, spend) = (Money::from_hundredths(monetary), Money::from_hundredths(monetary * i128::from(frequency)));
    RfmMetrics::new(id, recency, frequency, monetary, day("2023-01-01"), day("2023-02-01"), spend).expect("valid metrics")
}

/// The case's accepted rows, as the functions take them.
fn periods(case: &Case, model: &Answers) -> Vec<PeriodAggregation> {
    let rows = case.said().into_iter().enumerate().filter(|(i, _)| !model.rejected_rows.contains_key(i)).map(|(_, row)| row);
    let period = |row: Row| {
        let (start, end) = (to_datetime(row.start?), to_datetime(row.end?));
        let period = PeriodAggregation::new(row.id?, start, end, row.orders?.unsigned_abs(), row.spend?.parse().ok()?).ok()?;
        match row.last {
            Some(last) => period.with_last_transaction(to_datetime(last)).ok(),
            None => Some(period),
        }
    };
    rows.map(|row| period(row).expect("an accepted row")).collect()
}

fn functions_equal_the_pipeline(case: &Case) {
    let model = Answers::of(case);
    let audit = run(case, &PLAIN).unwrap_or_else(|e| panic!("{e}"));
    let rows = rfm_rows(&sorted_rfm(&audit));
    let all = periods(case, &model);
    let bins = ScoreBins { recency: case.bins, frequency: case.bins, monetary: case.bins };
    let mut known: Vec<Option<(Vec<RfmMetrics>, Lens1Metrics)>> = Vec::new();
    for (window, report) in audit.windows().iter().zip(&audit.report.windows) {
        let inside =
            |p: &&PeriodAggregation| from_datetime(p.period_start()) >= window.start && from_datetime(p.period_end()) <= window.end;
        let periods: Vec<PeriodAggregation> = all.iter().filter(inside).cloned().collect();
        let result = always(|parallelism| calculate_rfm(&periods, to_datetime(window.observation_end), parallelism));
        let left_out: Vec<Reason> = model.left_out.iter().filter(|(name, ..)| *name == window.name).map(|l| l.2).collect();
        let metrics = match result {
            Ok(metrics) => metrics,
            Err(e) => {
                assert!(left_out.iter().any(|reason| e.to_string().contains(reason.name())), "{left_out:?}: {e}");
                known.push(None);
                continue;
            }
        };
        assert_eq!(left_out, [], "no error");
        let scores = always(|parallelism| calculate_rfm_scores(&metrics, &bins, parallelism)).expect("scores");
        let row = |(m, s): (&RfmMetrics, &RfmScore)| {
            assert_eq!(m.customer_id(), s.customer_id());
            assert_eq!(s.rfm_score(), s.scores().map(|digit| digit.to_string()).concat());
            Rfm {
                window: window.name.clone(),
                id: m.customer_id().to_owned(),
                recency_days: m.recency_days(),
                frequency: m.frequency().into(),
                monetary: m.monetary().hundredths(),
                total_spend: m.total_spend().hundredths(),
                start: from_datetime(m.observation_start()),
                observation_end: from_datetime(m.observation_end()),
                scores: s.scores().map(usize::from),
            }
        };
        let found: Vec<Rfm> = metrics.iter().zip(&scores).map(row).collect();
        assert_eq!(found, rows.iter().filter(|row| row.window == window.name).cloned().collect::<Vec<_>>());
        let lens1 = always(|parallelism| analyze_single_period(&metrics, Some(&scores), &case.percentiles, parallelism)).expect("lens 1");
        assert_eq!(lens1, report.lens1);
        // What is valid once is valid again.
        metrics.iter().for_each(round_trip);
        scores.iter().for_each(round_trip);
        round_trip(&lens1);
        known.push(Some((metrics, lens1)));
    }
    for (i, (pair, report)) in known.windows(2).zip(&audit.report.comparisons).enumerate() {
        let [Some((one, lens1)), Some((two, lens2))] = pair else { continue };
        let start = audit.windows()[i + 1].start;
        let seen: Vec<String> =
            all.iter().filter(|p| from_datetime(p.period_start()) < start).map(|p| p.customer_id().to_owned()).collect();
        let compare = |parallelism: &Parallelism| analyze_period_comparison(one, two, Some(&seen), Some(lens1), Some(lens2), parallelism);
        let lens2 = always(compare).expect("lens 2");
        let found = json!({
            "retained": lens2.migration.retained.len(),
            "churned": lens2.migration.churned.len(),
            "new": lens2.migration.new.len(),
            "reactivated": lens2.migration.reactivated.len(),
            "retention_rate": lens2.retention_rate,
            "churn_rate": lens2.churn_rate,
            "reactivation_rate": lens2.reactivation_rate,
            "customer_count_change": lens2.customer_count_change,
            "revenue_change_pct": lens2.revenue_change_pct,
            "avg_order_value_change_pct": lens2.avg_order_value_change_pct,
        });
        assert_eq!(found, serde_json::to_value(&report.lens2).expect("JSON"));
        let names = [&audit.windows()[i].name, &audit.windows()[i + 1].name];
        assert_eq!(lens2.warnings.len(), model.warnings.iter().filter(|w| [&w[2], &w[3]] == names).count());
        let moved = |statuses: &[&str]| {
            let of = |m: &&[String; 4]| [&m[0], &m[1]] == names && statuses.contains(&m[3].as_str());
            model.moved.iter().filter(of).map(|m| m[2].clone()).collect::<BTreeSet<String>>()
        };
        assert_eq!(lens2.migration.retained, moved(&["retained"]));
        assert_eq!(lens2.migration.churned, moved(&["churned"]));
        assert_eq!(lens2.migration.new, moved(&["new", "reactivated"]));
        assert_eq!(lens2.migration.reactivated, moved(&["reactivated"]));
        round_trip(&lens2);
        // Without a history nobody comes back, and lens 1 is computed where it is not given.
        let alone = always(|parallelism| analyze_period_comparison(one, two, None, None, None, parallelism)).expect("lens 2");
        assert_eq!(alone.migration.reactivated, BTreeSet::new());
        assert_eq!(alone.retention_rate, lens2.retention_rate);
        assert_eq!(alone.period1_metrics, analyze_single_period(one, None, &DEFAULT_PERCENTILES, &SEQUENTIAL).expect("lens 1"));
    }
}

/// Metrics of many customers in no order, with ties.
fn customers() -> impl Strategy<Value = Vec<RfmMetrics>> {
    let recency = prop_oneof![3 => 0..30i64, 1 => 0..3_700_000i64];
    let frequency = prop_oneof![3 => 1..5u64, 1 => 1..1_000_000u64];
    let monetary = prop_oneof![2 => 0..20i128, 2 => 0..100_000i128, 1 => 0..1_000_000_000_000i128];
    prop::collection::vec((recency, frequency, monetary), 0..200).prop_map(|values| {
        let n = values.len();
        let customer = |(i, (r, f, m))| metrics(&format!("{}", i * 37 % n.max(1)), r, f, m);
        values.into_iter().enumerate().map(customer).collect()
    })
}

proptest! {
    #![proptest_config(config(150))]

    #[test]
    fn they_equal_the_pipeline(case in cases()) {
        functions_equal_the_pipeline(&case);
    }

    #[test]
    fn scores_follow_their_definition(customers in customers(), bins in [1..=9u32, 1..=9u32, 1..=9u32]) {
        let [recency, frequency, monetary] = bins;
        let found = always(|p| calculate_rfm_scores(&customers, &ScoreBins { recency, frequency, monetary }, p)).expect("scores");
        let mut sorted: Vec<&RfmMetrics> = customers.iter().collect();
        sorted.sort_by_key(|m| m.customer_id().as_bytes());
        let of = |value: fn(&RfmMetrics) -> f64, bins: u32, reversed| scores(&sorted.iter().map(|m| value(m)).collect::<Vec<_>>(), bins as usize, reversed);
        let r = of(|m| m.recency_days() as f64, recency, true);
        let f = of(|m| m.frequency() as f64, frequency, false);
        let m = of(|m| m.monetary().to_string().parse().expect("a decimal"), monetary, false);
        for (i, score) in found.iter().enumerate() {
            prop_assert_eq!(score.customer_id(), sorted[i].customer_id());
            prop_assert_eq!(score.scores().map(usize::from), [r[i], f[i], m[i]], "{}", i);
        }
    }
}

#[test]
fn workers_follow_the_options() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    assert_eq!(Parallelism::default().workers_for(9_999_999).expect("some"), 1);
    assert_eq!(Parallelism::default().workers_for(10_000_000).expect("some"), cores.saturating_sub(1).max(1));
    assert_eq!(threads(5).workers_for(0).expect("some"), 5);
    assert_eq!(Parallelism { parallel: Parallel::Off, ..threads(5) }.workers_for(u64::MAX).expect("some"), 1);
    assert_eq!(Parallelism { parallel: Parallel::Auto { threshold: 7 }, ..threads(5) }.workers_for(6).expect("some"), 1);
}

#[test]
fn no_workers_are_an_error_everywhere() {
    for none in [threads(0), Parallelism { n_workers: Some(0), ..Parallelism::default() }, Parallelism { n_workers: Some(0), ..SEQUENTIAL }]
    {
        let errors = [
            calculate_rfm(&[period("a", 1, "1")], day("2023-03-01"), &none).err(),
            calculate_rfm(&[], day("2023-03-01"), &none).err(),
            calculate_rfm_scores(&[metrics("a", 1, 1, 1)], &ScoreBins::default(), &none).err(),
            analyze_single_period(&[], None, &DEFAULT_PERCENTILES, &none).err(),
            analyze_period_comparison(&[], &[], None, None, None, &none).err(),
        ];
        for (i, error) in errors.into_iter().enumerate() {
            assert_eq!(error.unwrap_or_else(|| panic!("no error from call {i}")).kind(), Kind::Usage);
        }
    }
}

#[test]
fn nothing_in_nothing_out() {
    assert_eq!(always(|p| calculate_rfm(&[], day("2023-03-01"), p)).expect("rows"), []);
    assert_eq!(always(|p| calculate_rfm_scores(&[], &ScoreBins::default(), p)).expect("rows"), []);
    let lens1 = always(|p| analyze_single_period(&[], None, &[1, 100], p)).expect("lens 1");
    let zeros = BTreeMap::from([(1, Fixed2::ZERO), (100, Fixed2::ZERO)]);
    let mut nothing = Lens1Metrics::default();
    nothing.revenue_concentration = zeros;
    assert_eq!(lens1, nothing);
    let lens2 = always(|p| analyze_period_comparison(&[], &[], Some(&[]), None, None, p)).expect("lens 2");
    assert_eq!((lens2.migration, lens2.customer_count_change), (CustomerMigration::default(), 0));
}

#[test]
fn rows_of_a_customer_add_up_and_come_sorted_by_bytes() {
    let rows = ["b", "é", "a\u{10000}", "a", "B", "007", "7", "b"].map(|id| period(id, 1, "0.005"));
    let metrics = always(|p| calculate_rfm(&rows, day("2023-02-01"), p)).expect("metrics");
    let ids: Vec<&str> = metrics.iter().map(RfmMetrics::customer_id).collect();
    assert_eq!(ids, ["007", "7", "B", "a", "a\u{10000}", "b", "é"]);
    assert_eq!((metrics[5].frequency(), metrics[5].total_spend(), metrics[5].monetary()), (2, money("0.01"), money("0.01")));
    assert_eq!((metrics[0].total_spend(), metrics[0].recency_days()), (money("0.01"), 0));
}

#[test]
fn customers_that_are_not_valid_are_an_error() {
    let fails = |rows: &[PeriodAggregation], end: &str, what: &str| {
        let error = always(|p| calculate_rfm(rows, day(end), p)).expect_err(what);
        assert_eq!(error.kind(), Kind::Data);
        assert!(error.to_string().contains(what) && error.to_string().contains("the one"), "{what}: {error}");
    };
    let good = period("good", 1, "1");
    fails(&[good.clone(), period("the one", 0, "1")], "2023-03-01", "no_orders");
    fails(&[good.clone(), period("the one", 1, "-0.01")], "2023-03-01", "negative_spend");
    fails(&[period("the one", 1, "1")], "2023-01-31T23:59", "after_observation_end");
    fails(&[good.clone(), period("the one", u64::MAX, "1")], "2023-03-01", "amount_out_of_range");
    fails(&[good, period("the one", 1 << 62, "1"), period("the one", 1 << 62, "1")], "2023-03-01", "amount_out_of_range");
    fails(&vec![period("the one", 1, "999999999999999.99"); 11], "2023-03-01", "amount_out_of_range");
    let late = period("the one", 1, "1").with_last_transaction(day("2023-03-01T00:00:00.000001")).expect("a time");
    fails(std::slice::from_ref(&late), "2023-03-01", "observation_end");
    assert!(calculate_rfm(&[late], day("2023-03-01T00:00:00.000001"), &SEQUENTIAL).is_ok());
}

/// The largest values that metrics can hold are scored as any others.
#[test]
fn scores_of_the_largest_values() {
    let most = i64::MAX.unsigned_abs();
    for bins in [2, 3, 9] {
        let bins = ScoreBins { recency: bins, frequency: bins, monetary: bins };
        // Few orders where the monetary value is large, and the other way round: their product must fit.
        let by_frequency = [metrics("a", 0, 1, 0), metrics("b", 0, 2, 0), metrics("c", 0, most, 0)];
        let top = always(|p| calculate_rfm_scores(&by_frequency, &bins, p)).expect("scores");
        let expected = scores(&[1.0, 2.0, most as f64], bins.frequency as usize, false);
        assert_eq!(top.iter().map(|s| usize::from(s.scores()[1])).collect::<Vec<_>>(), expected, "frequency, {bins:?}");
        let by_recency = [metrics("a", 0, 1, 0), metrics("b", 1, 1, 0), metrics("c", i64::MAX, 1, 0)];
        let top = always(|p| calculate_rfm_scores(&by_recency, &bins, p)).expect("scores");
        let expected = scores(&[0.0, 1.0, most as f64], bins.recency as usize, true);
        assert_eq!(top.iter().map(|s| usize::from(s.scores()[0])).collect::<Vec<_>>(), expected, "recency, {bins:?}");
        let by_money = [metrics("a", 0, 1, 0), metrics("b", 0, 1, 1), metrics("c", 0, 1, i64::MAX.into())];
        let top = always(|p| calculate_rfm_scores(&by_money, &bins, p)).expect("scores");
        let expected = scores(&[0.0, 0.01, 92_233_720_368_547_758.07], bins.monetary as usize, false);
        assert_eq!(top.iter().map(|s| usize::from(s.scores()[2])).collect::<Vec<_>>(), expected, "monetary, {bins:?}");
    }
}

#[test]
fn values_beyond_64_bits_are_an_error() {
    let beyond = i128::from(i64::MAX) + 1;
    for metrics in [metrics("a", 0, beyond as u64, 0), metrics("a", 0, 1, beyond)] {
        let metrics = [metrics];
        assert!(always(|p| calculate_rfm_scores(&metrics, &ScoreBins::default(), p)).is_err());
        assert!(always(|p| analyze_single_period(&metrics, None, &DEFAULT_PERCENTILES, p)).is_err());
    }
}

#[test]
fn lens_1_options_and_scores() {
    let customers = [metrics("a", 1, 1, 1_000), metrics("b", 2, 4, 250)];
    for percentile in [0, 101, u32::MAX] {
        let error = always(|p| analyze_single_period(&customers, None, &[10, percentile], p)).expect_err("a percentile");
        assert_eq!(error.kind(), Kind::Usage);
        assert!(Pipeline::builder().percentiles([percentile]).build().is_err());
    }
    let without = always(|p| analyze_single_period(&customers, None, &[50, 50, 100], p)).expect("lens 1");
    assert_eq!(without.rfm_distribution, BTreeMap::new());
    assert_eq!(without.revenue_concentration, BTreeMap::from([(50, money("50.00")), (100, money("100.00"))]));
    assert_eq!((without.one_time_buyers, without.total_orders, without.total_revenue), (1, 5, money("20.00")));
    assert_eq!((without.avg_orders_per_customer, without.median_customer_value), (money("2.50"), money("10.00")));
}

#[test]
fn lens_2_needs_each_customer_once_and_all_of_period_1() {
    let (a, b, c) = (metrics("a", 1, 1, 100), metrics("b", 1, 1, 100), metrics("c", 1, 2, 100));
    let compare = |one: &[RfmMetrics], two: &[RfmMetrics], history: Option<&[&str]>| {
        let history: Option<Vec<String>> = history.map(|ids| ids.iter().map(|id| (*id).to_owned()).collect());
        always(|p| analyze_period_comparison(one, two, history.as_deref(), None, None, p))
    };
    for (one, two, period) in
        [([a.clone(), a.clone()], [b.clone(), c.clone()], "period1"), ([a.clone(), b.clone()], [c.clone(), c.clone()], "period2")]
    {
        let error = compare(&one, &two, None).expect_err("a duplicate");
        assert!(error.kind() == Kind::Data && error.to_string().contains(period), "{error}");
    }
    let (one, two) = ([a.clone(), b.clone()], [b, c]);
    let error = compare(&one, &two, Some(&["a", "c"])).expect_err("b is missing");
    assert!(error.kind() == Kind::Data && error.to_string().contains("\"b\""), "{error}");
    assert_eq!(compare(&one, &two, Some(&["a", "b"])).expect("lens 2").migration.reactivated, BTreeSet::new());
    let back = compare(&one, &two, Some(&["c", "z", "b", "a", "a"])).expect("lens 2");
    assert_eq!(back.migration.reactivated, BTreeSet::from(["c".to_owned()]));
    assert_eq!((back.reactivation_rate, back.customer_count_change), (money("50.00"), 0));
    assert_eq!(compare(&one, &two, Some(&[])).expect("lens 2").migration.reactivated, BTreeSet::new());
    let grown = compare(&[a], &[metrics("a", 1, 2, 350)], None).expect("lens 2");
    assert_eq!((grown.revenue_change_pct, grown.avg_order_value_change_pct, grown.warnings.len()), (money("600.00"), money("250.00"), 1));
}

/// Generated rows are the same rows whether a source makes them or a caller pushes them.
#[test]
fn generated_rows_pushed_or_read() {
    for (skew, ids) in
        [(Skew::Uniform, IdStyle::Sequential), (Skew::Zipf, IdStyle::Uuid), (Skew::Hot, IdStyle::Email), (Skew::Uniform, IdStyle::Unicode)]
    {
        let generator =
            || Synthetic { customers: 3_000, skew, ids, null_timestamps: 0.1, ..Synthetic::default() }.generator().expect("valid");
        let builder = || Pipeline::builder().windows(Windows::Every(Granularity::Quarter)).workers(2);
        let mut read = builder().build().expect("valid");
        read.run(generator().source()).expect("rows");
        let mut pushed = builder().build().expect("valid");
        let generator = generator();
        for chunk in 0..generator.chunks() {
            pushed.push(&generator.record_batch(chunk).expect("rows")).expect("good rows");
        }
        let (read, pushed) = (read.finish().expect("an audit"), pushed.finish().expect("an audit"));
        assert_eq!(
            (&read.report.input.sources[..], &pushed.report.input.sources[..]),
            (&["synthetic".to_owned()][..], &["pushed".to_owned()][..])
        );
        let same = |report: &Report| {
            let mut report = report.clone();
            report.input.sources.clear();
            report
        };
        assert_eq!(same(&read.report), same(&pushed.report));
        assert_eq!(sorted_rfm(&read), sorted_rfm(&pushed));
        round_trip(&read.report);
    }
}

/// Which of many invalid customers the error names depends on the rows alone.
#[test]
fn the_error_is_the_same_on_any_number_of_threads() {
    let mut rows: Vec<PeriodAggregation> = (0..3_000).map(|i| period(&format!("customer {i}"), i % 2, "1")).collect();
    let error = |rows: &[PeriodAggregation], parallelism: &Parallelism| {
        calculate_rfm(rows, day("2023-03-01"), parallelism).expect_err("half are invalid").to_string()
    };
    let one = error(&rows, &SEQUENTIAL);
    for _ in 0..30 {
        rows.reverse();
        assert_eq!(error(&rows, &SEQUENTIAL), one);
        assert_eq!(error(&rows, &threads(5)), one);
    }
}

/// All inputs of up to eight customers with up to four values, whose edges fall on and between values in every way that there is.
#[test]
fn scores_of_all_small_inputs() {
    for values in [[1, 2, 3, 4], [1, 7, 29, 110]] {
        for code in 0..9usize.pow(4) {
            let times = [code % 9, code / 9 % 9, code / 81 % 9, code / 729];
            let repeated = |(value, n): (i128, usize)| std::iter::repeat_n(value, n);
            let values: Vec<i128> = values.into_iter().zip(times).flat_map(repeated).collect();
            if !(2..=8).contains(&values.len()) {
                continue;
            }
            let customer = |(i, &value): (usize, &i128)| metrics(&format!("{i}"), value as i64, value as u64, value);
            let customers: Vec<RfmMetrics> = values.iter().enumerate().map(customer).collect();
            let (whole, money) =
                (values.iter().map(|&v| v as f64).collect::<Vec<_>>(), values.iter().map(|&v| v as f64 / 100.0).collect::<Vec<_>>());
            for bins in 1..=9 {
                let all = ScoreBins { recency: bins, frequency: bins, monetary: bins };
                let found = calculate_rfm_scores(&customers, &all, &SEQUENTIAL).expect("scores");
                let of = |at: usize| found.iter().map(|s| usize::from(s.scores()[at])).collect::<Vec<_>>();
                let bins = bins as usize;
                let expected = [scores(&whole, bins, true), scores(&whole, bins, false), scores(&money, bins, false)];
                assert_eq!([of(0), of(1), of(2)], expected, "{values:?}, {bins} bins");
            }
        }
    }
}
