"""What is wrong is said with its place and the way out, in Python's own words."""

from __future__ import annotations

import pickle
from pathlib import Path

import lensflow
import polars
import pytest
from conftest import CDNOW_PERIODS

ROW = {
    "customer_id": ["anna"],
    "period_start": ["2024-01-01"],
    "period_end": ["2024-02-01"],
    "total_orders": [1],
    "total_spend": ["9.50"],
}


def frame(**changes: object) -> polars.DataFrame:
    return polars.DataFrame({**ROW, **changes})


def test_kinds_are_python_errors() -> None:
    with pytest.raises(ValueError) as usage:
        lensflow.audit(CDNOW_PERIODS, every="fortnight")  # type: ignore[typeddict-item]
    assert isinstance(usage.value, lensflow.UsageError) and usage.value.kind == "usage"
    with pytest.raises(OSError) as io:
        lensflow.audit("nowhere.csv", every="month")
    assert isinstance(io.value, lensflow.Error) and io.value.source == "nowhere.csv"
    with pytest.raises(ValueError) as data:
        lensflow.audit(frame(total_spend=["much"]), every="month")
    assert isinstance(data.value, lensflow.DataError) and data.value.kind == "data"


def test_a_bad_row_has_its_place() -> None:
    with pytest.raises(lensflow.DataError) as raised:
        lensflow.audit(frame(total_spend=["much"]), every="month", name="my frame")
    error = raised.value
    assert (error.source, error.row, error.customer) == ("my frame", 1, "anna")
    assert "total_spend" in error.message and error.message in str(error)


def test_help_names_keywords() -> None:
    many = polars.concat([frame(total_spend=["much"]), *[frame(customer_id=[f"c{i}"]) for i in range(50)]])
    with pytest.raises(lensflow.DataError) as raised:
        lensflow.audit(many, every="month")
    assert 'on_bad_row="reject"' in str(raised.value.help)
    audit = lensflow.audit(many, every="month", on_bad_row="reject", max_rejects=5)
    assert audit.input.rows_rejected == {"bad_number": 1}
    assert audit.rejects().to_arrow().num_rows == 1


def test_unknown_options_are_told_with_the_nearest() -> None:
    with pytest.raises(lensflow.UsageError, match="evry") as raised:
        lensflow.audit(CDNOW_PERIODS, evry="month")  # type: ignore[call-arg]
    assert raised.value.help == "did you mean every?"
    with pytest.raises(lensflow.UsageError, match="report"):
        lensflow.audit(CDNOW_PERIODS, every="month", out="x.json")  # type: ignore[call-arg]
    with pytest.raises(lensflow.UsageError, match="workers"):
        lensflow.audit(CDNOW_PERIODS, every="month", workers=0)
    with pytest.raises(lensflow.UsageError, match="column"):
        lensflow.audit(CDNOW_PERIODS, every="month", columns={"customer": "x"})


def test_columns_that_tell_nothing() -> None:
    with pytest.raises(lensflow.DataError) as raised:
        lensflow.audit(polars.DataFrame({"a": [1], "b": ["x"]}), every="month", name="a frame")
    assert raised.value.source == "a frame"
    assert "/tmp" not in str(raised.value)


def test_what_is_no_data() -> None:
    for nothing in (5, {"a": 1}, None, object()):
        with pytest.raises(lensflow.UsageError):
            lensflow.audit(nothing, every="month")  # type: ignore[arg-type]


def test_what_an_iterator_raises_comes_through() -> None:
    def batches() -> object:
        yield frame()
        raise KeyError("gone")

    with pytest.raises(KeyError, match="gone"):
        lensflow.audit(batches(), every="month")  # type: ignore[arg-type]


def test_no_rows_at_all() -> None:
    audit = lensflow.audit([], every="month")
    assert (audit.input.rows_read, len(audit.windows)) == (0, 0)
    empty = lensflow.audit(frame().clear(), windows="2024-01")
    assert empty.lens1["2024-01"].total_customers == 0


def test_columns_of_nothing_but_nulls() -> None:
    nulls = frame(last_transaction_ts=[None], other=[None], nested=[{"a": None, "b": [None]}])
    for data in (nulls, nulls.lazy(), [nulls, nulls], nulls.clear()):
        audit = lensflow.audit(data, windows="2024-01")
        assert audit.input.customers == (0 if data is not nulls and isinstance(data, polars.DataFrame) else 1)


def test_errors_can_be_pickled() -> None:
    error = lensflow.DataError("text", source="file", row=3, customer="anna", help="do")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.row, str(again)) == (lensflow.DataError, 3, str(error))


def test_a_report_is_not_half_written(tmp_path: Path) -> None:
    audit = lensflow.audit(CDNOW_PERIODS, every="quarter")
    for name in ("a.json", "a.md", "a.txt"):
        audit.write(tmp_path / name)
    assert (tmp_path / "a.json").read_text() == audit.to_json()
    with pytest.raises(lensflow.UsageError, match="extension"):
        audit.write(tmp_path / "a.doc")
    with pytest.raises(OSError):
        audit.rfm().write(tmp_path / "no" / "rows.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "a.md", "a.txt"]
