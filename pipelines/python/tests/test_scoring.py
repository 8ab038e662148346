"""Segments and cut points in Python's own types: what the command makes of a file of the same rules."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import lensflow
import polars
import pyarrow
import pytest
from conftest import CDNOW_PERIODS
from lensflow._options import CutsLike, SegmentsLike

TOML = """
exclusive = true
[[segment]]
name = "big and recent"
r = "4.."
total_spend = "1000.."
[[segment]]
name = "one order"
orders = 1
total_spend = "..999.99"
[[segment]]
name = "some orders"
orders = "2..3"
total_spend = "..999.99"
"""

LIST: list[dict[str, Any]] = [
    {"name": "big and recent", "r": (4, None), "total_spend": "1000.."},
    {"name": "one order", "orders": 1, "total_spend": (None, Decimal("999.99"))},
    {"name": "some orders", "orders": (2, 3), "total_spend": "..999.99"},
]

BY_NAME = {rule["name"]: {key: value for key, value in rule.items() if key != "name"} for rule in LIST}


def files(audit: lensflow.Audit, folder: Path) -> list[bytes]:
    audit.rfm().write(folder / "own.parquet")
    audit.migration().write(folder / "own.csv")
    return [audit.to_json().encode(), (folder / "own.parquet").read_bytes(), (folder / "own.csv").read_bytes()]


def by_command(run: Any, folder: Path, *flags: str) -> list[bytes]:
    names = ("expected.json", "expected.parquet", "expected.csv")
    outputs = zip(("--report", "--rfm-out", "--migration-out"), names, strict=True)
    run("audit", os.fspath(CDNOW_PERIODS), "--every", "half", *flags, *(part for output in outputs for part in output))
    return [(folder / name).read_bytes() for name in names]


def test_the_standard_segments(run: Any, tmp_path: Path) -> None:
    audit = lensflow.audit(CDNOW_PERIODS, every="half", segments="standard")
    assert files(audit, tmp_path) == by_command(run, tmp_path, "--segments", "standard")
    assert audit.warnings == audit.to_dict()["warnings"]


@pytest.mark.parametrize(
    "segments",
    [LIST, tuple(LIST), BY_NAME, {"exclusive": True, **BY_NAME}, {"exclusive": True, "segment": LIST}, "file"],
    ids=["list", "tuple", "by name", "by name, exclusive", "as a file", "file"],
)
def test_segments_of_ones_own(segments: SegmentsLike, run: Any, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(TOML)
    audit = lensflow.audit(CDNOW_PERIODS, every="half", segments=file if segments == "file" else segments)
    assert files(audit, tmp_path) == by_command(run, tmp_path, "--segments", "mine.toml")
    assert [segment.segment for segment in audit.lens1[0].segments] == ["big and recent", "one order", "some orders", "other"]
    assert any("in part" in warning for warning in audit.warnings)


def test_rows_have_their_segments() -> None:
    audit = lensflow.audit(CDNOW_PERIODS, every="half", segments="standard")
    rfm, moves = audit.rfm(), audit.migration()
    assert rfm.columns[-1] == "segment"
    assert moves.columns == ["from", "to", "customer_id", "status", "from_segment", "to_segment"]
    for rows in (rfm, moves):
        schema = pyarrow.schema(rows)
        table = rows.to_arrow()
        assert schema == table.schema and table.column_names == rows.columns
        assert rows.to_polars().columns == rows.columns
    counted = rfm.to_polars().group_by("window", "segment").len().rows_by_key(["window", "segment"])
    for window in audit.windows:
        assert {s.segment: s.customers for s in window.segments if s.customers} == {
            segment: rows[0][0] for (name, segment), rows in counted.items() if name == window.name
        }
    matrix = audit.lens2[0].segment_migration
    assert matrix is not None
    first = moves.to_polars().filter(polars.col("from") == audit.comparisons[0].start)
    for (before, after), number in first.group_by("from_segment", "to_segment").len().rows_by_key(["from_segment", "to_segment"]).items():
        assert matrix[before][after] == number[0][0]
    plain = lensflow.audit(CDNOW_PERIODS, every="half")
    assert "segment" not in plain.rfm().columns and plain.migration().columns == ["from", "to", "customer_id", "status"]


def test_segments_of_states_and_of_frames(tmp_path: Path) -> None:
    state = lensflow.State(tmp_path / "state")
    state.update(CDNOW_PERIODS)
    frame = polars.read_csv(CDNOW_PERIODS, infer_schema=False)
    expected = lensflow.audit(CDNOW_PERIODS, every="half", segments=LIST, cuts={"recency": [30, 60, 90]}).windows
    assert state.audit(every="half", segments=LIST, cuts={"recency": [30, 60, 90]}).windows == expected
    assert lensflow.audit(frame, every="half", segments=LIST, cuts={"recency": [30, 60, 90]}).windows == expected


def test_rules_that_make_no_sense() -> None:
    wrong: list[Any] = [
        5,
        [],
        ["champions"],
        {"champions": 5},
        b"standard",
        [{"name": "a", "r": [1, 2, 3]}],
        [{"name": "a", "r": True}],
        [{"name": "a", "r": "5..4"}],
        [{"name": "a", "score": 1}],
        [{"name": "other", "r": 1}],
        [{"r": 1}],
        [{"name": "a", "orders": 1.5}],
        {"exclusive": True, "segment": [{"name": "a", "r": 1}, {"name": "b", "f": 1}]},
    ]
    for segments in wrong:
        with pytest.raises(lensflow.UsageError, match="segment") as raised:
            lensflow.audit(CDNOW_PERIODS, every="half", segments=segments)
        assert raised.value.help
        assert "line 1" not in str(raised.value)
    with pytest.raises(lensflow.UsageError, match="go up to 3"):
        lensflow.audit(CDNOW_PERIODS, every="half", segments="standard", bins=3)
    with pytest.raises(lensflow.IoError, match="no_such.toml"):
        lensflow.audit(CDNOW_PERIODS, every="half", segments="no_such.toml")


@pytest.mark.parametrize(
    ("cuts", "flags"),
    [
        ({"frequency": [1, 2, 3, 5]}, ["frequency=1,2,3,5"]),
        ({"frequency": (1, 2.5), "monetary": [Decimal("9.99"), 20], "recency": range(30, 90, 30)}, ["frequency=1,2.5", "monetary=9.99,20", "recency=30,60"]),
        (["frequency=1,2", {"recency": [30]}], ["frequency=1,2", "recency=30"]),
        ("recency=30,60", ["recency=30,60"]),
    ],
    ids=str,
)
def test_cut_points(cuts: CutsLike, flags: list[str], run: Any, tmp_path: Path) -> None:
    audit = lensflow.audit(CDNOW_PERIODS, every="half", cuts=cuts)
    assert files(audit, tmp_path) == by_command(run, tmp_path, *(part for flag in flags for part in ("--cuts", flag)))
    assert audit.cut_points is not None and audit.cut_points.origin is None
    assert set(audit.cut_points.measures) == {flag.split("=")[0] for flag in flags}


def test_cut_points_of_a_window_score_others(run: Any, tmp_path: Path) -> None:
    first = lensflow.audit(CDNOW_PERIODS, windows=["1997-H1", "1997-H2"])
    assert first.cut_points is None
    path = tmp_path / "cuts.json"
    assert first.write_cuts(path, window="1997-H1") is path
    window = ["--window", "1997-H1", "--window", "1997-H2"]
    run("audit", os.fspath(CDNOW_PERIODS), *window, "--cuts-out", "expected.json", "--cuts-window", "1997-H1", "-q")
    assert path.read_bytes() == (tmp_path / "expected.json").read_bytes()
    other = lensflow.audit(CDNOW_PERIODS, windows=["1997-H1", "1997-H2"], cuts=path)
    assert other.cut_points is not None and other.cut_points.origin is not None and "1997-H1" in other.cut_points.origin
    assert other.lens1["1997-H1"].rfm_distribution == first.lens1["1997-H1"].rfm_distribution
    assert other.lens1["1997-H2"].rfm_distribution != first.lens1["1997-H2"].rfm_distribution
    said = json.loads(path.read_text())["measures"]["frequency"]["cut_points"]
    assert other.cut_points.measures["frequency"] == [Decimal(point) for point in said]
    assert first.write_cuts(tmp_path / "last.json").read_bytes() != path.read_bytes()
    with pytest.raises(lensflow.UsageError, match="1999"):
        first.write_cuts(tmp_path / "none.json", window="1999")
    for write in (other.write, other.write_cuts):
        with pytest.raises(lensflow.UsageError, match="overwritten"):
            write(path)
    with pytest.raises(lensflow.UsageError):
        first.write_cuts("-")
    assert not (tmp_path / "none.json").exists()


def test_cut_points_that_make_no_sense(tmp_path: Path) -> None:
    (tmp_path / "cuts.json").write_text("{}")
    wrong: list[Any] = [{"spend": [1]}, {"recency": [2, 1]}, {"recency": 5}, {"recency": ["x"]}, {"recency": list(range(9))}, 5]
    for cuts in wrong:
        with pytest.raises(lensflow.UsageError, match="cut"):
            lensflow.audit(CDNOW_PERIODS, every="half", cuts=cuts)
    with pytest.raises(lensflow.DataError, match="cut points"):
        lensflow.audit(CDNOW_PERIODS, every="half", cuts=tmp_path / "cuts.json")
