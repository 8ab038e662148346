//! The laws of merging, for every mergeable value that can be reached from outside: associative, commutative, with an identity, total.
//! And for every lens: blocks may be observed in any groups, partials merged in any order, and sent as Arrow batches in between.

use crate::engine::run::{Run, run_with, runs};
use crate::make::{Case, cases};
use crate::model::amounts::units;
use crate::support::config;
use arrow::array::RecordBatch;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use lensflow::finalize::Block;
use lensflow::lens::{
    Bridge, CohortLens, Distribution, Flow, Lens1, Lens2, Measures, PortableLens, ScoreCell, ScoreCells, ScoreMigrations, ScoreMoves,
};
use lensflow::model::{Window, Windows};
use lensflow::money::{Amount, Fixed2, Total};
use lensflow::testing::Histogram;
use lensflow::testing::Ranks;
use lensflow::{Lens, Merge, Pipeline};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn merged<T: Merge>(mut a: T, b: T) -> T {
    a.merge(b);
    a
}

/// All laws for three values.
fn laws<T: Merge + Clone + PartialEq>([a, b, c]: &[T; 3], identity: &T) {
    same(&merged(a.clone(), b.clone()), &merged(b.clone(), a.clone()));
    same(&merged(merged(a.clone(), b.clone()), c.clone()), &merged(a.clone(), merged(b.clone(), c.clone())));
    same(&merged(identity.clone(), a.clone()), a);
    same(&merged(a.clone(), identity.clone()), a);
}

/// Equal; without showing both, which can be long. The failing input is shown anyway.
#[track_caller]
fn same<T: PartialEq>(a: &T, b: &T) {
    assert!(a == b, "not the same");
}

fn three<S: Strategy + Clone>(strategy: S) -> impl Strategy<Value = [S::Value; 3]> {
    [strategy.clone(), strategy.clone(), strategy]
}

/// Counts up to the end of what they can be.
fn counts() -> impl Strategy<Value = u64> + Clone {
    prop_oneof![4 => 0..1_000u64, 1 => any::<u64>(), 1 => Just(u64::MAX)]
}

/// Small values, values about the end of what is kept densely, and any.
fn histograms() -> impl Strategy<Value = Histogram> + Clone {
    let value = |large| prop_oneof![6 => 0..300i64, large => 65_530..65_540i64, 1 => -5..0i64, 1 => any::<i64>()];
    let counted = |large| prop::collection::vec((value(large), 1..1_000u64), 0..20);
    prop_oneof![9 => counted(0), 1 => counted(1)].prop_map(|counted| {
        let mut histogram = Histogram::default();
        counted.into_iter().for_each(|(value, count)| histogram.add_many(value, count));
        histogram
    })
}

fn measures() -> impl Strategy<Value = Measures> + Clone {
    (histograms(), histograms(), histograms(), histograms()).prop_map(|(recency, frequency, monetary, spend)| Measures {
        recency,
        frequency,
        monetary,
        spend,
    })
}

fn flows() -> impl Strategy<Value = Flow> + Clone {
    (counts(), 0..i128::MAX / 8).prop_map(|(customers, cents)| Flow { customers, cents })
}

fn bridges() -> impl Strategy<Value = Bridge> + Clone {
    let bridge = |([churned, shrunk, grown, new, reactivated], unchanged): ([Flow; 5], u64)| Bridge {
        churned,
        shrunk,
        grown,
        unchanged,
        new,
        reactivated,
    };
    (prop::array::uniform5(flows()), counts()).prop_map(bridge)
}

fn score_cells() -> impl Strategy<Value = ScoreCells> + Clone {
    let cell = (prop::array::uniform3(prop_oneof![4 => 0..6u8, 1 => 0..10u8]), counts(), 0..1_000_000i128, -5..1_000_000i128);
    prop::collection::vec(cell, 0..10).prop_map(|cells| {
        let mut scores = ScoreCells::default();
        for (score, customers, orders, cents) in cells {
            assert!(scores.add(score, ScoreCell { customers, orders, revenue: Fixed2::from_hundredths(cents) }));
        }
        scores
    })
}

fn score_moves() -> impl Strategy<Value = ScoreMoves> + Clone {
    prop::collection::vec((0..3usize, prop::array::uniform2(0..10u8), counts()), 0..10).prop_map(|cells| {
        let mut moves = ScoreMoves::default();
        cells.into_iter().for_each(|(measure, scores, customers)| assert!(moves.add(measure, scores, customers)));
        moves
    })
}

fn amounts() -> impl Strategy<Value = Amount> + Clone {
    let cents = (-99_999_999_999_999_999..=99_999_999_999_999_999i64).prop_map(|cents| Amount::from_cents(cents).expect("in range"));
    let units = (-10i128.pow(33) + 1..10i128.pow(33)).prop_map(|units| Amount::from_decimal(units, 18).expect("in range"));
    let small = (-10_000..10_000i128).prop_map(|units| Amount::from_decimal(units, 4).expect("in range"));
    prop_oneof![cents, units, small]
}

fn totals() -> impl Strategy<Value = Total> + Clone {
    prop::collection::vec(amounts(), 0..20).prop_map(|amounts| {
        let mut total = Total::default();
        amounts.into_iter().for_each(|amount| total.add(amount));
        total
    })
}

fn windows(n: usize) -> Vec<Window> {
    let window = |i: i64| Window { name: format!("{i}"), start: i * 10, end: i * 10 + 10, observation_end: i * 10 + 10 };
    (0..n as i64).map(window).collect()
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn of_numbers(values in three(counts())) {
        laws(&values, &0);
        laws(&[(), (), ()], &());
    }

    #[test]
    fn of_options(values in three(prop::option::of(counts()))) {
        laws(&values, &None);
    }

    #[test]
    fn of_lists(values in three(prop::collection::vec(counts(), 0..5))) {
        laws(&values, &Vec::new());
    }

    #[test]
    fn of_maps(values in three(prop::collection::btree_map(0..6u8, counts(), 0..6))) {
        laws(&values, &BTreeMap::new());
    }

    #[test]
    fn of_pairs_and_nests(values in three((counts(), prop::collection::vec(prop::collection::btree_map("[ab]", prop::option::of(counts()), 0..3), 0..4)))) {
        laws(&values, &(0, Vec::new()));
    }

    #[test]
    fn of_totals(values in three(totals())) {
        laws(&values, &Total::default());
    }

    #[test]
    fn of_histograms(values in three(histograms())) {
        laws(&values, &Histogram::default());
    }

    #[test]
    fn of_measures(values in three(measures())) {
        laws(&values, &Measures::default());
    }

    #[test]
    fn of_bridges(values in three(bridges())) {
        laws(&values, &Bridge::default());
    }

    #[test]
    fn of_score_cells(values in three(score_cells()), moves in three(score_moves())) {
        laws(&values, &ScoreCells::default());
        laws(&moves, &ScoreMoves::default());
    }

    /// A total is the sum of its amounts, in whatever groups and order they came.
    #[test]
    fn totals_are_sums(amounts in prop::collection::vec((amounts(), 0..4usize), 0..50)) {
        let mut groups = [Total::default(); 4];
        let mut whole = Total::default();
        for &(amount, group) in &amounts {
            groups[group].add(amount);
            whole.add(amount);
        }
        let [a, b, c, d] = groups;
        prop_assert_eq!(merged(merged(d, b), merged(c, a)), whole);
        let units: i128 = amounts.iter().map(|(amount, _)| units(&amount.to_string()).expect("an amount")).sum();
        let (cent, sign) = (10i128.pow(16), if units < 0 { -1 } else { 1 });
        prop_assert_eq!(whole.rounded(), Fixed2::from_hundredths(sign * ((2 * units.abs() + cent) / (2 * cent))));
    }

    /// Counting apart and merging is counting together.
    #[test]
    fn histograms_count(values in prop::collection::vec((any::<i16>(), 0..3usize), 0..100)) {
        let mut groups = [Histogram::default(), Histogram::default(), Histogram::default()];
        let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
        for &(value, group) in &values {
            // Values on both sides of what is kept densely.
            let value = i64::from(value) * 5;
            groups[group].add(value);
            *counts.entry(value).or_default() += 1;
        }
        let [a, b, c] = groups;
        prop_assert_eq!(merged(c, merged(b, a)).sorted(), counts.into_iter().collect::<Vec<_>>());
    }
}

/// Whatever was counted before, merging must not fail, and counts must not start again from 0.
#[test]
fn merging_counts_is_total() {
    for value in [0, 70_000, -1] {
        let mut many = Histogram::default();
        many.add_many(value, u64::MAX);
        let mut more = many.clone();
        more.merge(many.clone());
        assert_eq!(more, many, "{value}");
        more.add(value);
        assert_eq!(more.sorted(), [(value, u64::MAX)], "{value}");
    }
}

#[test]
fn a_value_that_occurs_no_times_does_not_occur() {
    for value in [0, 70_000, -1] {
        let mut histogram = Histogram::default();
        histogram.add_many(value, 0);
        assert_eq!(histogram, Histogram::default(), "{value}");
        assert!(Ranks::new(&histogram).is_empty(), "{value}");
    }
}

#[test]
fn totals_hold_2_to_the_60_of_the_largest_amounts() {
    for (text, cents) in [("999999999999999.99", 99_999_999_999_999_999i128), ("-999999999999999.99", -99_999_999_999_999_999)] {
        let mut total = Total::default();
        total.add(text.parse().expect("an amount"));
        for _ in 0..60 {
            total.merge(total);
        }
        assert_eq!(total.rounded(), Fixed2::from_hundredths(cents << 60));
    }
}

/// A batch after a journey as an Arrow IPC stream.
fn journey(batch: &RecordBatch) -> RecordBatch {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).expect("a stream");
    writer.write(batch).expect("a batch");
    let bytes = writer.into_inner().expect("bytes");
    let mut reader = StreamReader::try_new(bytes.as_slice(), None).expect("a stream");
    let back = reader.next().expect("a batch").expect("a batch");
    assert!(reader.next().is_none());
    back
}

/// The partial after it was encoded and decoded, with a journey in between or without.
fn through_arrow<L: PortableLens>(lens: &L, partial: &L::Partial, far: bool) -> L::Partial {
    let mut batches = Vec::new();
    lens.encode(partial, &mut batches).expect("it encodes");
    if far {
        batches = batches.iter().map(journey).collect();
    }
    let mut batches = batches.into_iter();
    let back = lens.decode(&mut batches).expect("it decodes");
    assert!(batches.next().is_none(), "the lens left batches behind");
    back
}

/// The laws for partials of a lens, and that encoding keeps them.
fn lens_laws<L: PortableLens>(lens: &L, n: usize, partials: &[L::Partial; 3])
where
    L::Partial: Clone + PartialEq,
{
    let windows = windows(n);
    laws(partials, &lens.empty(&windows));
    let [a, b, _] = partials;
    for far in [false, true] {
        same(&merged(lens.empty(&windows), through_arrow(lens, a, far)), a);
        same(&merged(through_arrow(lens, a, far), b.clone()), &merged(a.clone(), b.clone()));
        let both = merged(through_arrow(lens, b, far), through_arrow(lens, a, far));
        same(&merged(both, lens.empty(&windows)), &merged(a.clone(), b.clone()));
    }
}

/// Three partials for as many windows each.
fn partials<S: Strategy + Clone>(one: S, n: usize) -> impl Strategy<Value = [Vec<S::Value>; 3]> {
    three(prop::collection::vec(one, n))
}

proptest! {
    #![proptest_config(config(64))]

    #[test]
    fn of_single_period(values in partials(measures(), 3)) {
        lens_laws(&Lens1::default(), 3, &values);
        lens_laws(&&Lens1::default(), 3, &values);
    }

    #[test]
    fn of_comparison(values in partials(bridges(), 2), moves in partials(score_moves(), 2)) {
        lens_laws(&Lens2::new(&windows(3)), 3, &values);
        lens_laws(&ScoreMigrations::new(&windows(3)), 3, &moves);
    }

    #[test]
    fn of_distribution(values in partials(score_cells(), 3)) {
        lens_laws(&Distribution, 3, &values);
        lens_laws(&None::<Distribution>, 3, &[None, None, None]);
        lens_laws(&Some(Distribution), 3, &values.map(Some));
    }

    #[test]
    fn of_tuples_of_lenses(a in partials(measures(), 3), b in partials(bridges(), 2), c in partials(score_cells(), 3)) {
        let lens = ((Lens1::default(), Lens2::new(&windows(3))), (Distribution, ()));
        let [a0, a1, a2] = a;
        let [b0, b1, b2] = b;
        let [c0, c1, c2] = c;
        lens_laws(&lens, 3, &[((a0, b0), (c0, ())), ((a1, b1), (c1, ())), ((a2, b2), (c2, ()))]);
    }

    /// A decoded partial may be finished as it is; windows without customers are not lost.
    #[test]
    fn decoded_partials_have_the_same_answers(a in prop::collection::vec(measures(), 0..3), b in prop::collection::vec(score_cells(), 0..3), c in prop::collection::vec(bridges(), 0..3), empty in 0..3usize) {
        let (mut a, mut b, mut c) = (a, b, c);
        let n = a.len() + empty;
        a.resize(n, Measures::default());
        b.resize(n, ScoreCells::default());
        c.resize(n.saturating_sub(1), Bridge::default());
        let windows = windows(n);
        let single = Lens1::default();
        same(&single.finish(&windows, through_arrow(&single, &a, true)), &single.finish(&windows, a));
        same(&Distribution.finish(&windows, through_arrow(&Distribution, &b, true)), &Distribution.finish(&windows, b));
        let comparison = Lens2::new(&windows);
        same(&comparison.finish(&windows, through_arrow(&comparison, &c, true)), &comparison.finish(&windows, c));
    }
}

/// Keeps the blocks of a run.
struct Keep;

#[derive(Default)]
struct Kept(Vec<Block>);

impl Merge for Kept {
    fn merge(&mut self, other: Kept) {
        self.0.extend(other.0);
    }
}

impl Lens for Keep {
    type Partial = Kept;
    type Answer = Vec<Block>;

    fn empty(&self, _: &[Window]) -> Kept {
        Kept::default()
    }

    fn observe(&self, kept: &mut Kept, block: &Block) {
        if block.customers() > 0 {
            kept.0.push(block.clone());
        }
    }

    fn finish(&self, _: &[Window], kept: Kept) -> Vec<Block> {
        kept.0
    }
}

/// Observes the blocks in four groups and merges the groups' partials in some order; every second one travels.
fn in_groups<L: PortableLens>(lens: &L, windows: &[Window], blocks: &[Block], groups: &[usize]) -> L::Partial {
    let mut partials: Vec<L::Partial> = (0..4).map(|_| lens.empty(windows)).collect();
    for (block, group) in blocks.iter().zip(groups.iter().cycle()) {
        lens.observe(&mut partials[*group], block);
    }
    let mut whole = lens.empty(windows);
    for (i, partial) in partials.into_iter().enumerate() {
        let partial = if i % 2 == 0 { partial } else { through_arrow(lens, &partial, true) };
        // Now from the one side, now from the other.
        whole = if i < 2 { merged(whole, partial) } else { merged(partial, whole) };
    }
    whole
}

fn any_grouping_is_the_same(case: &Case, how: &Run, groups: &[usize]) {
    let audit = run_with(case, how, Pipeline::builder().lens(Keep)).unwrap_or_else(|e| panic!("{how:?}: {e}"));
    let (blocks, windows) = (&audit.custom.1, audit.windows());
    assert_eq!(blocks.iter().map(|b| b.customers() as u64).sum::<u64>(), audit.report.input.customers);
    let (lens, one_group) = (((Lens1::default(), Lens2::new(windows)), Distribution), [0]);
    let whole = in_groups(&lens, windows, blocks, &one_group);
    let partial = in_groups(&lens, windows, blocks, groups);
    assert_eq!(partial, whole);
    let ((measures, bridges), distributions) = lens.finish(windows, partial);
    assert_eq!((measures.len(), distributions.len()), (windows.len(), windows.len()));
    for ((report, measures), distribution) in audit.report.windows.iter().zip(&measures).zip(distributions) {
        assert_eq!(report.more.rfm_cells, distribution);
        assert_eq!(report.lens1.total_revenue, Fixed2::from_hundredths(Ranks::new(&measures.spend).sum()));
        let customers = report.lens1.total_customers;
        let all = [&measures.recency, &measures.frequency, &measures.monetary, &measures.spend];
        assert_eq!(all.map(|histogram| Ranks::new(histogram).len()), [customers; 4]);
    }
    let cohorts = CohortLens::new(windows, false, matches!(case.windows, Windows::Every(_))).expect("few windows");
    let answers = cohorts.finish(windows, in_groups(&cohorts, windows, blocks, groups));
    assert_eq!((Some(answers.cohorts), Some(answers.comparisons)), (audit.report.cohorts, audit.report.cohort_comparisons));
    assert_eq!(Some(answers.health), audit.report.health);
    for (report, bridge) in audit.report.comparisons.iter().zip(bridges) {
        let (said, lens2, counts) = (&report.revenue_bridge, &report.lens2, bridge.migration());
        let customers = (counts.retained, counts.churned, counts.new, counts.reactivated);
        assert_eq!(customers, (lens2.retained, lens2.churned, lens2.new, lens2.reactivated));
        let cents = |money: Fixed2| money.hundredths();
        let after = cents(said.revenue_before) - cents(said.churned.revenue) - cents(said.shrunk.loss) + cents(said.grown.gain);
        assert_eq!(after + cents(said.new.revenue) + cents(said.reactivated.revenue), cents(said.revenue_after));
    }
}

proptest! {
    #![proptest_config(config(100))]

    #[test]
    fn blocks_may_be_observed_in_any_groups(case in cases(), how in runs(), groups in prop::collection::vec(0..4usize, 1..20)) {
        any_grouping_is_the_same(&case, &how, &groups);
    }
}
