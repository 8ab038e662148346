"""The drop-in for AutoCLV: names, order of arguments, defaults, texts of errors, and where its meaning differs from ours."""

from __future__ import annotations

import copy
import dataclasses
import gc
import inspect
import logging
import pickle
import random
from datetime import datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from types import SimpleNamespace
from typing import Any

import lensflow
import pytest
from conftest import Golden
from lensflow.compat import autoclv
from lensflow.compat.autoclv import (
    CustomerDataMartBuilder,
    CustomerMigration,
    Lens1Metrics,
    Lens2Metrics,
    PeriodAggregation,
    PeriodGranularity,
    RFMMetrics,
    RFMScore,
    analyze_period_comparison,
    analyze_single_period,
    calculate_revenue_concentration,
    calculate_rfm,
    calculate_rfm_scores,
)
from lensflow.compat.autoclv.rfm import _one_by_one

START, END = datetime(2023, 1, 1), datetime(2024, 1, 1)


def metrics(customer: str = "C", frequency: int = 1, spend: str = "100.00", recency: int = 10) -> RFMMetrics:
    total = Decimal(spend)
    return RFMMetrics(customer, recency, frequency, total / frequency, START, END, total)


def period(customer: str = "C", month: int = 1, orders: int = 1, spend: Any = 10.0, last: datetime | None = None) -> PeriodAggregation:
    start = datetime(2023, month, 1)
    return PeriodAggregation(customer, start, (start + timedelta(days=32)).replace(day=1), orders, spend, 1.0, 1, last)


FIELDS = {
    PeriodAggregation: "customer_id period_start period_end total_orders total_spend total_margin total_quantity last_transaction_ts",
    RFMMetrics: "customer_id recency_days frequency monetary observation_start observation_end total_spend",
    RFMScore: "customer_id r_score f_score m_score rfm_score",
    Lens1Metrics: "total_customers one_time_buyers one_time_buyer_pct total_revenue top_10pct_revenue_contribution "
    "top_20pct_revenue_contribution avg_orders_per_customer median_customer_value rfm_distribution",
    CustomerMigration: "retained churned new reactivated",
    autoclv.CohortPeriodMetrics: "period_number active_customers cumulative_activation_rate avg_orders_per_customer avg_revenue_per_customer "
    "avg_orders_per_cohort_member avg_revenue_per_cohort_member total_revenue",
    autoclv.Lens3Metrics: "cohort_name acquisition_date cohort_size periods",
    Lens2Metrics: "period1_metrics period2_metrics migration retention_rate churn_rate reactivation_rate customer_count_change "
    "revenue_change_pct avg_order_value_change_pct",
    autoclv.OrderAggregation: "order_id customer_id order_ts first_item_ts last_item_ts total_spend total_margin total_quantity distinct_products",
}


@pytest.mark.parametrize("kind", FIELDS, ids=lambda kind: kind.__name__)
def test_fields_are_in_order(kind: type) -> None:
    assert [field.name for field in dataclasses.fields(kind)] == FIELDS[kind].split()


PARALLEL = [("parallel", True), ("parallel_threshold", 10_000_000), ("n_workers", None)]
SIGNATURES = {
    calculate_rfm: [("period_aggregations", ...), ("observation_end", ...), *PARALLEL],
    calculate_rfm_scores: [("rfm_metrics", ...), ("recency_bins", 5), ("frequency_bins", 5), ("monetary_bins", 5)],
    analyze_single_period: [("rfm_metrics", ...), ("rfm_scores", None), *PARALLEL],
    analyze_period_comparison: [
        ("period1_rfm", ...),
        ("period2_rfm", ...),
        ("all_customer_history", None),
        ("period1_metrics", None),
        ("period2_metrics", None),
        *PARALLEL,
    ],
    calculate_revenue_concentration: [("rfm_metrics", ...), ("percentiles", (10, 20))],
}


@pytest.mark.parametrize("function", SIGNATURES, ids=lambda function: function.__name__)
def test_arguments_are_in_order_with_their_defaults(function: Any) -> None:
    given = inspect.signature(function).parameters.values()
    found = [(one.name, ... if one.default is inspect.Parameter.empty else one.default) for one in given]
    assert found == SIGNATURES[function]


def test_answers_are_frozen_and_aggregations_are_not() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        metrics().frequency = 2  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        calculate_rfm([period()], END)[0].frequency = 2  # type: ignore[misc]
    one = period()
    one.total_orders = 5
    assert not hasattr(one, "__dict__")


REFUSED: list[tuple[Any, str]] = [
    (lambda: RFMMetrics("C1", -1, 1, Decimal(1), START, END, Decimal(1)), "Recency cannot be negative: -1 (customer_id=C1)"),
    (lambda: RFMMetrics("C1", 1, 0, Decimal(1), START, END, Decimal(1)), "Frequency must be positive: 0 (customer_id=C1)"),
    (lambda: RFMMetrics("C1", 1, 1, Decimal(-1), START, END, Decimal(1)), "Monetary value cannot be negative: -1 (customer_id=C1)"),
    (lambda: RFMMetrics("C1", 1, 1, Decimal(1), START, END, Decimal(-1)), "Total spend cannot be negative: -1 (customer_id=C1)"),
    (
        lambda: RFMMetrics("C1", 1, 2, Decimal("50.02"), START, END, Decimal(100)),
        "Monetary (50.02) != total_spend / frequency (50) (customer_id=C1)",
    ),
    (lambda: RFMScore("C1", 6, 1, 1, "611"), "r_score must be between 1 and 5: 6 (customer_id=C1)"),
    (lambda: RFMScore("C1", 1, 0, 1, "101"), "f_score must be between 1 and 5: 0 (customer_id=C1)"),
    (lambda: RFMScore("C1", 1, 1, 9, "119"), "m_score must be between 1 and 5: 9 (customer_id=C1)"),
    (lambda: RFMScore("C1", 1, 2, 3, "321"), "rfm_score (321) does not match r/f/m scores (123) (customer_id=C1)"),
    (lambda: lens1(total_customers=-1), "Total customers cannot be negative: -1"),
    (lambda: lens1(one_time_buyers=-1), "One-time buyers cannot be negative: -1"),
    (lambda: lens1(one_time_buyers=11), "One-time buyers (11) cannot exceed total customers (10)"),
    (lambda: lens1(total_revenue=Decimal(-5)), "Total revenue cannot be negative: -5"),
    (lambda: lens1(one_time_buyer_pct=Decimal(101)), "One-time buyer percentage must be 0-100: 101"),
    (lambda: lens1(top_10pct_revenue_contribution=Decimal(101)), "Top 10% revenue contribution must be 0-100: 101"),
    (lambda: lens1(top_20pct_revenue_contribution=Decimal(-1)), "Top 20% revenue contribution must be 0-100: -1"),
    (lambda: moves("a", "a"), "Customer IDs cannot be both retained and churned: frozenset({'a'})"),
    (lambda: moves("a", "", "a"), "Customer IDs cannot be both retained and new: frozenset({'a'})"),
    (lambda: moves("", "a", "a"), "Customer IDs cannot be both churned and new: frozenset({'a'})"),
    (
        lambda: moves("", "", "a", "b"),
        "Reactivated customers must be a subset of new customers: reactivated=frozenset({'b'}), new=frozenset({'a'})",
    ),
    (lambda: lens2(retention_rate=Decimal(101)), "Retention rate must be 0-100: 101"),
    (lambda: lens2(churn_rate=Decimal(-1)), "Churn rate must be 0-100: -1"),
    (lambda: lens2(reactivation_rate=Decimal(101)), "Reactivation rate must be 0-100: 101"),
    (lambda: lens2(churn_rate=Decimal("39.8")), "Retention rate (60) + churn rate (39.8) must equal 100, got 99.8"),
    (lambda: calculate_revenue_concentration([], [0]), "Percentiles must be in range 1-100, got: 0"),
    (lambda: calculate_rfm([period()], END, n_workers=0), "n_workers must be >= 1, got 0"),
    (lambda: calculate_rfm([period()], END, parallel=False, n_workers=-2), "n_workers must be >= 1, got -2"),
    (lambda: analyze_single_period([], n_workers=0), "n_workers must be >= 1, got 0"),
    (
        lambda: calculate_rfm([period("X", last=datetime(2025, 1, 1))], END),
        "Transaction timestamp (2025-01-01 00:00:00) cannot be after observation_end (2024-01-01 00:00:00) for customer X",
    ),
    (lambda: calculate_rfm([period("X", orders=0)], END), "Frequency must be positive: 0 (customer_id=X)"),
    (lambda: calculate_rfm([period("X", spend=-1.0)], END), "Monetary value cannot be negative: -1.00 (customer_id=X)"),
    (lambda: calculate_rfm([period("X")], START), "Recency cannot be negative: -31 (customer_id=X)"),
    (lambda: analyze_period_comparison([metrics("a"), metrics("a")], []), "Duplicate customer IDs found in period1_rfm: ['a']"),
    (lambda: analyze_period_comparison([], [metrics("a"), metrics("a")]), "Duplicate customer IDs found in period2_rfm: ['a']"),
    (
        lambda: analyze_period_comparison([metrics("a")], [], ["b"]),
        "all_customer_history must include all period1 customers. Missing customer IDs: frozenset({'a'})",
    ),
]


def lens1(**changes: Any) -> Lens1Metrics:
    hundred = Decimal(100)
    good: dict[str, Any] = dict(zip(FIELDS[Lens1Metrics].split(), (10, 5, Decimal(50), *[hundred] * 5, {}), strict=True))
    return Lens1Metrics(**(good | changes))


def moves(*sets: str) -> CustomerMigration:
    return CustomerMigration(*[frozenset(one) for one in (*sets, "", "", "", "")[:4]])


def lens2(**changes: Any) -> Lens2Metrics:
    values = (lens1(), lens1(), moves(), Decimal(60), Decimal(40), Decimal(0), 0, Decimal(0), Decimal(0))
    good: dict[str, Any] = dict(zip(FIELDS[Lens2Metrics].split(), values, strict=True))
    return Lens2Metrics(**(good | changes))


@pytest.mark.parametrize(("wrong", "text"), REFUSED, ids=[text[:40] for _, text in REFUSED])
def test_what_is_refused_is_said_in_its_words(wrong: Any, text: str) -> None:
    with pytest.raises(ValueError) as raised:
        wrong()
    assert str(raised.value) == text


def test_nothing_comes_of_nothing_before_any_check() -> None:
    assert calculate_rfm([], END, n_workers=0) == []
    assert calculate_rfm_scores([]) == []
    assert calculate_revenue_concentration([]) == {10: 0, 20: 0}
    assert analyze_single_period([]).total_customers == 0


def test_bins_beyond_five_end_in_a_score_that_is_none() -> None:
    many = [metrics(f"C{i}", 1 + i, f"{100 * (1 + i)}", i) for i in range(50)]
    with pytest.raises(ValueError, match="r_score must be between 1 and 5"):
        calculate_rfm_scores(many, recency_bins=9)


def made_up(customers: int, seed: int, zone: timezone | None = None) -> list[PeriodAggregation]:
    dice, rows = random.Random(seed), []
    for at in range(customers):
        for month in sorted(dice.sample(range(1, 13), dice.randint(1, 4))):
            start = datetime(2023, month, 1, tzinfo=zone)
            end = (start + timedelta(days=32)).replace(day=1)
            last = None if dice.random() < 0.3 else start + timedelta(seconds=dice.randrange(27 * 86_400))
            spend = dice.choice([round(dice.uniform(0, 500), 2), dice.uniform(0, 9), 0.1 + 0.2, 0.005, 1e-7, 1e12])
            rows.append(PeriodAggregation(f"C{dice.randrange(10**6)}-{at}", start, end, dice.randint(1, 9), spend, 0.0, 1, last))
    dice.shuffle(rows)
    return rows


@pytest.mark.parametrize("seed", range(5))
def test_the_engine_is_the_plain_way(seed: int) -> None:
    rows = made_up(300, seed)
    fast, plain = calculate_rfm(rows, END), _one_by_one(rows, END, None)
    assert fast == plain
    assert [one.customer_id for one in fast] == sorted(one.customer_id for one in fast)
    assert all(type(one.monetary) is Decimal and type(one.recency_days) is int for one in fast)


def test_threads_never_change_an_answer() -> None:
    rows = made_up(500, 9)
    once = calculate_rfm(rows, END, parallel=False)
    for workers in (1, 2, 7):
        assert calculate_rfm(rows, END, True, 1, workers) == once


def test_times_stay_as_they_are() -> None:
    naive = calculate_rfm([period()], END)[0]
    assert naive.observation_start.tzinfo is None and naive.observation_end is END
    utc = timezone.utc
    aware = calculate_rfm(made_up(20, 1, utc), END.replace(tzinfo=utc))
    assert all(one.observation_start.tzinfo is utc for one in aware)
    with pytest.raises(TypeError):
        calculate_rfm(made_up(20, 1, utc), END)


def test_what_the_fast_way_does_not_take_goes_the_plain_way() -> None:
    backwards = PeriodAggregation("", datetime(2023, 2, 1), datetime(2023, 1, 1), 2, 10, 0.0, 1)
    assert calculate_rfm([backwards], END)[0].frequency == 2
    by_number: Any = [dataclasses.replace(period(), customer_id=number) for number in (10, 9)]
    assert [one.customer_id for one in calculate_rfm(by_number, END)] == [9, 10]
    no_text = [period("\ud800"), period("a")]
    assert [one.customer_id for one in calculate_rfm(no_text, END)] == ["a", "\ud800"]
    with pytest.raises(TypeError, match="float"):
        calculate_rfm([dataclasses.replace(period(), total_orders=1.5)], END)  # type: ignore[arg-type]
    many = [dataclasses.replace(period(), total_orders=2**62)] * 2
    assert calculate_rfm(many, END)[0].frequency == 2**63


def test_ids_are_in_the_order_of_their_characters() -> None:
    ids = ["", "a", "ab", "a\0", "customer-1", "customer-10", "customer-100000000", "customer-1000000000", "customer-é", "é", "\U0001f600", "\uffee"]
    found = [one.customer_id for one in calculate_rfm([period(one) for one in (*ids, *reversed(ids))], END)]
    assert found == sorted(ids)
    shared = [f"{'long-' * 9}{at:07}" for at in range(500)]
    random.Random(4).shuffle(shared)
    assert [one.customer_id for one in calculate_rfm([period(one) for one in shared], END)] == sorted(shared)


def test_answers_are_objects_as_if_they_were_made_by_hand() -> None:
    rows = made_up(50, 3)
    for one in calculate_rfm(rows, END):
        fields = {field.name: getattr(one, field.name) for field in dataclasses.fields(one)}
        by_hand = RFMMetrics(**fields)
        assert type(one) is RFMMetrics and one == by_hand and hash(one) == hash(by_hand) and repr(one) == repr(by_hand)
        assert vars(one) == vars(by_hand) == dataclasses.asdict(one) == fields and list(vars(one)) == list(fields)
        for again in (pickle.loads(pickle.dumps(one)), copy.copy(one), copy.deepcopy(one), dataclasses.replace(one)):
            assert again == one and again is not one
        assert one.observation_end is END and any(one.observation_start is row.period_start for row in rows)


@pytest.mark.parametrize("is_on", [True, False])
def test_the_collector_is_left_as_it_was(is_on: bool) -> None:
    (gc.enable if is_on else gc.disable)()
    try:
        calculate_rfm(made_up(20, 5), END)
        assert gc.isenabled() is is_on
        with pytest.raises(ValueError, match="Frequency must be positive"):
            calculate_rfm([period(orders=0)], END)
        assert gc.isenabled() is is_on
    finally:
        gc.enable()


def test_any_objects_with_these_attributes() -> None:
    class Row(PeriodAggregation):
        @property
        def total_spend(self) -> Decimal:  # type: ignore[override]
            return Decimal("7.125")

        @total_spend.setter
        def total_spend(self, _: Any) -> None: ...

    rows: Any = [Row(*("a", START, END, 2, 0, 0.0, 1)), SimpleNamespace(**dataclasses.asdict(period("a", 3, 1, "1.5")))]
    found = calculate_rfm(rows, END)[0]
    assert (str(found.total_spend), str(found.monetary)) == ("8.63", "2.88")
    with pytest.raises(AttributeError, match="last_transaction_ts"):
        calculate_rfm([SimpleNamespace(customer_id="a", period_start=START, period_end=END, total_orders=1, total_spend=1.0)], END)  # type: ignore[list-item]


def test_numbers_of_every_size() -> None:
    for spend in ("0.00", "0.01", "655.35", "655.36", "655.37", "999999999999.99"):
        once, twice = calculate_rfm([period("a", spend=spend)], END)[0], calculate_rfm([period("b", orders=2, spend=spend)], END)[0]
        assert str(once.monetary) == str(once.total_spend) == spend
        assert twice.monetary == (Decimal(spend) / 2).quantize(Decimal("0.01"), ROUND_HALF_UP)


def test_golden_answers(golden: Golden) -> None:
    def time(text: str) -> datetime:
        return datetime.fromisoformat(text)

    for window in golden.case["windows"]:
        end = time(window.get("observation_end", window["end"]))
        rows = [
            PeriodAggregation(
                row["customer_id"],
                time(row["period_start"]),
                time(row["period_end"]),
                int(row["total_orders"]),
                Decimal(row["total_spend"]),  # type: ignore[arg-type]
                0.0,
                0,
                time(row["last_transaction_ts"]) if row.get("last_transaction_ts") else None,
            )
            for row in golden.rows
            if row["period_start"] >= window["start"] and row["period_end"] <= window["end"]
        ]
        found = calculate_rfm(rows, end)
        expected = sorted((row for row in golden.rfm if row["window"] == window["name"]), key=lambda row: row["customer_id"].encode())
        assert [(one.customer_id, one.recency_days, one.frequency, str(one.monetary), str(one.total_spend)) for one in found] == [
            (row["customer_id"], int(row["recency_days"]), int(row["frequency"]), row["monetary"], row["total_spend"]) for row in expected
        ]
        if golden.case["bins"] <= 5 and expected:
            bins = golden.case["bins"]
            scores = calculate_rfm_scores(found, bins, bins, bins)
            assert [score.rfm_score for score in scores] == [row["rfm_score"] for row in expected]


def test_with_a_history_that_has_period_2_every_new_customer_is_reactivated() -> None:
    first, second = [metrics("a"), metrics("b")], [metrics("b"), metrics("c")]
    found = analyze_period_comparison(first, second, ["a", "b", "c"])
    assert found.migration.reactivated == found.migration.new == {"c"}
    assert analyze_period_comparison(first, second).migration.reactivated == set()
    assert found.retention_rate == Decimal("50.00") and found.customer_count_change == 0


def test_large_changes_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        analyze_period_comparison([metrics("a", 1, "1.00")], [metrics("b", 1, "900.00")])
    assert "Extreme revenue change detected: 89900.00%" in caplog.text
    assert "Extreme AOV change detected" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        analyze_period_comparison([], [metrics("b", 1, "900.00")])
    assert caplog.text == ""


LINE = {"order_id": "1", "customer_id": "a", "event_ts": datetime(2024, 5, 31), "quantity": 1, "unit_price": 10.0}
BAD_LINES = [
    ({"quantity": -1}, "Transaction quantity cannot be negative", {"index": 1, "quantity": -1}),
    ({"unit_price": -1}, "Unit price cannot be negative", {"index": 1, "unit_price": Decimal(-1)}),
    ({"line_total": -1}, "Line total cannot be negative", {"index": 1, "line_total": Decimal(-1)}),
    ({"unit_cost": -1}, "Unit cost cannot be negative", {"index": 1, "unit_cost": Decimal(-1)}),
]


@pytest.mark.parametrize(("change", "text", "where"), BAD_LINES, ids=[text for _, text, _ in BAD_LINES])
def test_bad_lines(change: dict[str, Any], text: str, where: dict[str, Any]) -> None:
    with pytest.raises(ValueError) as raised:
        CustomerDataMartBuilder().build([LINE, {**LINE, **change}])
    assert raised.value.args == (text, where)


def test_lines_without_what_is_needed() -> None:
    with pytest.raises(KeyError, match="Transaction at index 0 missing key order_id"):
        CustomerDataMartBuilder().build([{"customer_id": "a"}])
    with pytest.raises(TypeError, match="Transactions must provide an event_ts/order_ts datetime"):
        CustomerDataMartBuilder().build([{**LINE, "event_ts": "2024-05-31"}])


def test_a_mart() -> None:
    lines = [LINE, {**LINE, "product_id": "p", "unit_cost": 4.0}, {**LINE, "order_id": "2", "event_ts": datetime(2024, 12, 31)}]
    mart = CustomerDataMartBuilder().build(lines)
    assert [(order.order_id, order.total_spend, order.total_margin, order.distinct_products) for order in mart.orders] == [
        ("1", 20.0, 16.0, 1),
        ("2", 10.0, 10.0, 0),
    ]
    assert list(mart.periods) == [PeriodGranularity.QUARTER, PeriodGranularity.YEAR]
    assert [(p.period_start, p.period_end) for p in mart.periods[PeriodGranularity.QUARTER]] == [
        (datetime(2024, 4, 1), datetime(2024, 7, 1)),
        (datetime(2024, 10, 1), datetime(2025, 1, 1)),
    ]
    months = CustomerDataMartBuilder([PeriodGranularity.MONTH]).build(lines).periods[PeriodGranularity.MONTH]
    assert [p.period_end for p in months] == [datetime(2024, 6, 1), datetime(2025, 1, 1)]
    plain = mart.as_dict()
    assert list(plain) == ["orders", "periods_quarter", "periods_year"]
    assert plain["periods_year"][0]["last_transaction_ts"] == "2024-12-31T00:00:00"
    rfm = calculate_rfm(mart.periods[PeriodGranularity.YEAR], datetime(2025, 1, 1))
    assert (rfm[0].frequency, rfm[0].recency_days) == (2, 1)


def test_frames() -> None:
    pandas = pytest.importorskip("pandas")
    from lensflow.compat.autoclv import pandas as frames

    rfm = [metrics("b", 2, "50.00"), metrics("a")]
    frame = frames.rfm_to_dataframe(rfm)
    assert list(frame["customer_id"]) == ["a", "b"]
    assert frames.dataframe_to_rfm(frame)[1].total_spend == Decimal("50.0")
    with pytest.raises(ValueError, match=r"DataFrame missing required columns: \{'monetary'\}"):
        frames.dataframe_to_rfm(frame.drop(columns="monetary"))
    with pytest.raises(ValueError, match=r"Null/NaN values found in columns: \['monetary'\]"):
        frames.dataframe_to_rfm(frame.assign(monetary=[1.0, None]))
    periods = pandas.DataFrame([dataclasses.asdict(one) for one in (period(), period(month=2))]).drop(columns="last_transaction_ts")
    again = frames.calculate_rfm_df(periods.rename(columns={"customer_id": "id"}), END, customer_id_col="id", n_workers=2)
    assert list(again["frequency"]) == [2]
    scores = pandas.DataFrame([dataclasses.asdict(score) for score in calculate_rfm_scores(rfm)])
    assert frames.analyze_single_period_df(frame, scores)["rfm_distribution"][0].count(":") == 2
    moved = frames.lens2_to_dataframes(analyze_period_comparison(rfm, [metrics("c")], ["a", "b", "c"]))
    assert list(moved["migration"].itertuples(index=False, name=None)) == [
        ("a", "churned"),
        ("b", "churned"),
        ("c", "new"),
        ("c", "reactivated"),
    ]


def test_ours_differ_where_the_page_says_so() -> None:
    rows = [period("a", 1), period("b", 4)]
    audit = lensflow.audit(rows, windows=["2023-Q1", "2023-Q2"])
    assert (audit.lens2[0].new, audit.lens2[0].reactivated) == (1, 0)


def test_lens3_numbers_the_periods_that_are_there_and_ours_counts_windows() -> None:
    rows = [period("a", 1, 2, 30.0), period("b", 1, 1, 10.0), period("a", 12, 1, 5.0), period("x", 2, 9, 99.0)]
    lens3 = autoclv.analyze_cohort_evolution("2023-01", START, rows, ["a", "b", "c"])
    assert [(one.period_number, one.active_customers) for one in lens3.periods] == [(0, 2), (1, 1)]
    assert lens3.periods[1] == autoclv.CohortPeriodMetrics(1, 1, 2 / 3, 1.0, 5.0, 1 / 3, 5 / 3, 5.0)
    assert autoclv.calculate_cumulative_activation_curve(lens3) == {0: 2 / 3, 1: 2 / 3}
    with pytest.warns(DeprecationWarning, match="is deprecated"):
        assert autoclv.calculate_retention_curve(lens3) == {0: 2 / 3, 1: 2 / 3}
    ours = lensflow.audit([row for row in rows if row.customer_id != "x"], every="month", cohorts=True).cohorts["2023-01"]
    assert (ours.size, len(ours.ages), [age.active for age in ours.ages if age.active]) == (2, 12, [2, 1])
    assert ours.ages[11].active_pct == Decimal("50.00")


@pytest.mark.parametrize(
    ("ids", "date", "match"),
    [
        ([], START, "cohort_customer_ids cannot be empty"),
        (["a", "b", "a"], START, "contains 1 duplicate IDs"),
        (["z"], START, "No period aggregations found for cohort 2023-01. Check"),
        (["a"], END, "No periods found on or after acquisition_date 2024-01-01T00:00:00. Earliest period: 2023-01-01"),
    ],
)
def test_lens3_refuses_what_that_library_does(ids: list[str], date: datetime, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        autoclv.analyze_cohort_evolution("2023-01", date, [period("a")], ids)


def test_lens3_metrics_are_checked() -> None:
    one = autoclv.CohortPeriodMetrics(0, 1, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    for field in dataclasses.fields(one):
        match = f"{field.name} must be between 0 and 1, got -1" if "rate" in field.name else f"{field.name} must be >= 0, got -1"
        with pytest.raises(ValueError, match=match):
            dataclasses.replace(one, **{field.name: -1})
    third = dataclasses.replace(one, period_number=2)
    for periods, match in [([third, one], "must be ordered by period_number"), ([one, third], "must be contiguous starting from 0")]:
        with pytest.raises(ValueError, match=match):
            autoclv.Lens3Metrics("c", START, 1, periods)
    with pytest.raises(ValueError, match="cohort_size must be >= 0, got -1"):
        autoclv.Lens3Metrics("c", START, -1, [])


COHORTS = {"a": "2023-01", "b": "2023-01", "c": "2023-02"}


def rows_of_cohorts() -> list[PeriodAggregation]:
    return [period("a", 1, 2, 30.0), period("b", 1, 1, 10.0), period("a", 3, 1, 5.0), period("c", 2, 1, 8.0), period("c", 3, 3, 24.0)]


def test_lens4_multiplies_rounded_factors() -> None:
    lens4 = autoclv.compare_cohorts(rows_of_cohorts(), COHORTS)
    january = autoclv.CohortDecomposition(
        cohort_id="2023-01",
        period_number=0,
        cohort_size=2,
        active_customers=2,
        pct_active=Decimal("100.00"),
        total_orders=3,
        aof=Decimal("1.50"),
        total_revenue=Decimal("40.00"),
        aov=Decimal("13.33"),
        margin=Decimal("100.00"),
        revenue=Decimal("39.99"),
    )
    assert lens4.cohort_decompositions[0] == january
    # The second period of a customer is number 1, also where a window lies between.
    assert [(one.cohort_id, one.period_number) for one in lens4.cohort_decompositions] == [
        ("2023-01", 0),
        ("2023-01", 1),
        ("2023-02", 0),
        ("2023-02", 1),
    ]
    first = lens4.time_to_second_purchase[0]
    assert (first.customers_with_repeat, first.median_days, first.cumulative_repeat_by_period) == (1, Decimal("59.00"), {0: 50, 1: 0})
    assert [(pair.period_number, pair.revenue_change_pct) for pair in lens4.cohort_comparisons] == [(0, -60), (1, 860)]
    by_time = autoclv.compare_cohorts(rows_of_cohorts(), COHORTS, "time-aligned")
    assert [one.period_number for one in by_time.cohort_decompositions] == [0, 2, 1, 2] and not by_time.cohort_comparisons
    with pytest.raises(ValueError, match="alignment_type must be 'left-aligned' or 'time-aligned', got 'x'"):
        autoclv.compare_cohorts([], {}, "x")
    # Ours takes the exact factors.
    ours = lensflow.audit(rows_of_cohorts(), every="month", cohorts=True).cohort_comparisons[0].ages[0]
    assert (ours.average_order_value.start, ours.revenue_per_member.start) == (Decimal("13.33"), Decimal("20.00"))


def test_lens5_has_an_index_and_ours_has_none() -> None:
    lens5 = autoclv.assess_customer_base_health(rows_of_cohorts(), COHORTS, START, datetime(2023, 4, 1))
    assert [(one.cohort_id, one.total_revenue) for one in lens5.cohort_revenue_contributions] == [
        ("2023-01", 40),
        ("2023-02", 8),
        ("2023-01", 5),
        ("2023-02", 24),
    ]
    assert [(one.cohort_size, one.repeat_buyers, one.repeat_rate) for one in lens5.cohort_repeat_behavior] == [(2, 1, 50), (1, 1, 100)]
    health = lens5.health_score
    assert (health.cohort_quality_trend, health.revenue_predictability_pct) == ("improving", Decimal("58.44"))
    assert (health.health_score, health.health_grade) == (Decimal("77.38"), "C")
    ours = lensflow.audit(rows_of_cohorts(), every="month", cohorts=True).health["2023-03"]
    assert (ours.revenue, ours.revenue_earlier_pct, [part.cohort for part in ours.by_cohort]) == (29, 100, ["2023-01", "2023-02"])
    for rows, cohorts, dates, match in [
        ([], COHORTS, (START, END), "period_aggregations cannot be empty"),
        (rows_of_cohorts(), {}, (START, END), "cohort_assignments cannot be empty"),
        (rows_of_cohorts(), COHORTS, (END, START), "must be before analysis_end_date"),
        (rows_of_cohorts(), COHORTS, (END, datetime(2025, 1, 1)), "No periods found in analysis window"),
        (rows_of_cohorts(), {"a": "2023-01"}, (START, END), r"overall_retention must be in \[0, 100\], got 300.00"),
    ]:
        with pytest.raises(ValueError, match=match):
            autoclv.assess_customer_base_health(rows, cohorts, *dates)


def test_cohorts_are_assigned_by_acquisition() -> None:
    at = [datetime(2022, 12, 31), datetime(2023, 1, 1), datetime(2023, 5, 2)]
    customers = [autoclv.CustomerIdentifier(name, moment, "shop") for name, moment in zip("abc", at, strict=True)]
    quarters = autoclv.create_quarterly_cohorts(customers)
    assert [cohort.cohort_id for cohort in quarters] == ["2022-Q4", "2023-Q1", "2023-Q2"]
    assert autoclv.assign_cohorts(customers, quarters) == {"a": "2022-Q4", "b": "2023-Q1", "c": "2023-Q2"}
    assert autoclv.validate_cohort_coverage(customers, quarters[1:]) == (2, 1)
    assert len(autoclv.create_monthly_cohorts(customers)) == 6 and len(autoclv.create_yearly_cohorts(customers)) == 2
    with pytest.raises(ValueError, match=r"1 customers fall outside cohort ranges \(66.7% coverage\)"):
        autoclv.assign_cohorts(customers, quarters[1:])
    with pytest.raises(ValueError, match="Overlapping cohorts detected"):
        autoclv.validate_non_overlapping([*quarters, autoclv.CohortDefinition("x", at[0], at[2])])
