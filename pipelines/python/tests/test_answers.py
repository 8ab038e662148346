"""Typed answers: they hold what the report holds, all of it, with exact numbers."""

from __future__ import annotations

import dataclasses
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import lensflow
from conftest import CDNOW_PERIODS, Golden


def plain(value: Any) -> Any:
    """A typed answer as JSON with texts has it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return str(value) if isinstance(value, Decimal) else value


def test_answers_are_those_of_an_independent_implementation(golden: Golden, tmp_path: Path) -> None:
    file = tmp_path / "periods.csv"
    file.write_text(golden.csv)
    audit = lensflow.audit(file, **golden.options)
    expected = json.loads(golden.text("expected_more.json"))
    for window, own in zip(expected["windows"], audit.windows, strict=True):
        assert plain(own.more) == window["more"]
        assert audit.lens1[window["name"]].more is own.more
    for pair, comparison in zip(expected["comparisons"], audit.comparisons, strict=True):
        assert plain(comparison.revenue_bridge) == pair["revenue_bridge"]
        assert plain(comparison.score_migration) == pair["score_migration"]


def named(value: Any) -> Any:
    """A typed answer of cohorts, with the names that JSON has."""
    value = plain(value)
    if isinstance(value, list):
        return [named(part) for part in value]
    if not isinstance(value, dict):
        return value
    value = {"never" if key == "None" else key: named(part) for key, part in value.items()}
    if "start_size" in value:
        value["size"] = {"from": value.pop("start_size"), "to": value.pop("end_size")}
    return {{"start": "from", "end": "to"}.get(key, key): part for key, part in value.items()}


def test_cohorts_are_those_of_an_independent_implementation(golden: Golden, tmp_path: Path) -> None:
    file = tmp_path / "periods.csv"
    file.write_text(golden.csv)
    audit = lensflow.audit(file, cohorts=True, **golden.options)
    expected = json.loads(golden.text("expected_more.json"))
    assert named(list(audit.cohorts.values())) == expected["cohorts"]
    assert named(audit.cohort_comparisons) == expected["cohort_comparisons"]
    assert named(list(audit.health.values())) == expected["health"]
    rows = audit.cohort_rows().to_arrow()
    assert rows.num_rows == sum(len(cohort.ages) or len(audit.windows) for cohort in audit.cohorts.values())
    assert rows.column_names == ["cohort", "window", "age", "active", "orders", "revenue"]
    without = lensflow.audit(file, **golden.options)
    assert not without.cohorts and not without.cohort_comparisons and not without.health
    assert without.cohort_rows().to_arrow().num_rows == 0


def test_nothing_of_the_report_is_left_out() -> None:
    audit = lensflow.audit(CDNOW_PERIODS, every="half", segments="standard", cuts={"frequency": [1, 2, 3, 5]})
    report = audit.to_dict(numbers="text")
    assert set(report) == {"lensflow", "input", "cut_points", "windows", "comparisons", "warnings"}
    for window, own in zip(report["windows"], audit.windows, strict=True):
        beside = {name: window[name] for name in ("more", "segments", "segment_cells")}
        assert plain(own.lens1) == {**window["lens1"], **beside}
        assert set(window) - {"lens1", *beside} <= {field.name for field in dataclasses.fields(own)}
        assert sum(segment.customers for segment in own.segments) == own.lens1.total_customers
    for pair, comparison in zip(report["comparisons"], audit.comparisons, strict=True):
        beside = {name: pair[name] for name in ("revenue_bridge", "score_migration", "segment_migration")}
        assert set(pair) == {"from", "to", "lens2", *beside}
        assert plain(comparison.lens2) == {**pair["lens2"], **beside}
        assert comparison.segment_migration is comparison.lens2.segment_migration
    assert audit.cut_points == lensflow.CutPoints({"frequency": [Decimal(1), Decimal(2), Decimal(3), Decimal(5)]}, None)


def test_numbers_are_exact_and_keys_are_numbers() -> None:
    audit = lensflow.audit(CDNOW_PERIODS, every="half")
    more = audit.lens1[0].more
    assert isinstance(more.gini, Decimal) and more.gini.as_tuple().exponent == -4
    assert len(more.lorenz) == 101 and more.lorenz[0] == 0 and more.lorenz[100] == 100
    assert sum(decile.revenue for decile in more.deciles) == audit.lens1[0].total_revenue
    assert sum(cell.revenue for cell in more.rfm_cells.values()) == audit.lens1[0].total_revenue
    assert sum(more.spend_distribution.values()) == sum(more.orders_distribution.values()) == audit.lens1[0].total_customers
    assert all(isinstance(step, int) for step in more.spend_distribution)
    pair = audit.lens2["1997-H2", "1998-H1"]
    bridge = pair.revenue_bridge
    lost = bridge.churned.revenue + bridge.shrunk.loss
    won = bridge.grown.gain + bridge.new.revenue + bridge.reactivated.revenue
    assert bridge.revenue_before - lost + won == bridge.revenue_after == audit.lens1["1998-H1"].total_revenue
    for measure in (pair.score_migration.r, pair.score_migration.f, pair.score_migration.m):
        assert sum(to.get(0, 0) for to in measure.values()) == pair.churned > 0
        assert sum(measure[0].values()) == pair.new == pair.reactivated > 0
    assert audit.lens1[0].segments == [] and audit.lens2[0].segment_migration is None and audit.cut_points is None


def test_a_window_without_customers() -> None:
    lens1 = lensflow.audit(CDNOW_PERIODS, windows="2023").lens1["2023"]
    assert (lens1.total_customers, lens1.more.rfm_cells, lens1.more.gini) == (0, {}, Decimal("0.0000"))
