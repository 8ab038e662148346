"""States, looks, and made-up customers."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import lensflow
import polars
import pytest
from conftest import CDNOW_ORDERS, CDNOW_PERIODS


def month(seed: int, path: Path) -> Path:
    assert lensflow.generate(path, customers=500, seed=seed, start=f"2023-0{seed}", end=f"2023-0{seed}") > 0
    return path


def test_a_state_says_what_its_inputs_say(tmp_path: Path) -> None:
    files = [month(seed, tmp_path / f"{seed}.csv") for seed in (1, 2, 3)]
    state = lensflow.State(tmp_path / "state")
    for at, file in enumerate(files):
        update = state.update(file)
        assert update.generation == at + 1
    whole = lensflow.audit(files, every="quarter")
    assert state.audit(every="quarter").windows == whole.windows
    assert lensflow.audit(state, every="quarter").windows == whole.windows
    assert [Path(entry["name"]).name for entry in state.history()] == ["1.csv", "2.csv", "3.csv"]
    # Again: it changes nothing.
    again = state.update(files[0])
    assert again.generation == 3 and "taken in before" in again.told[0]


def test_arrow_data_into_a_state(tmp_path: Path) -> None:
    file = month(1, tmp_path / "1.csv")
    state = lensflow.State(tmp_path / "state")
    frame = polars.read_csv(file, infer_schema=False)
    state.update(frame, name="january")
    assert [Path(entry["name"]).name for entry in state.history()] == ["january.arrow"]
    assert state.audit(every="month").windows == lensflow.audit(file, every="month").windows
    assert not (tmp_path / "state.arrow").exists()
    # One name is one input: the same again changes nothing, other rows are refused until it is said what is meant.
    assert "taken in before" in state.update(frame, name="january").told[0]
    with pytest.raises(lensflow.DataError) as raised:
        state.update(frame.head(10), name="january")
    assert "replace=True" in str(raised.value.help)
    state.update(frame.head(10), name="january", replace=True)
    assert state.audit(every="month").input.rows_read == 10
    with pytest.raises(lensflow.UsageError, match="no input named") as unknown:
        state.remove("february")
    assert "state.history()" in str(unknown.value.help)
    state.remove(state.history()[0]["name"])
    assert state.history() == []
    with pytest.raises(lensflow.UsageError, match="path"):
        state.update(frame, name="a/b")


def test_customers_are_forgotten_and_exported(tmp_path: Path) -> None:
    state = lensflow.State(tmp_path / "state")
    state.update(CDNOW_PERIODS, every="quarter")
    state.export(tmp_path / "all.parquet")
    rows = polars.read_parquet(tmp_path / "all.parquet")
    customer = rows["customer_id"][0]
    assert "1 customer taken out" in state.forget(customer)[-1]
    assert state.audit(every="quarter").input.customers == 23_569
    with pytest.raises(lensflow.UsageError):
        state.forget()


def test_old_periods_are_dropped(tmp_path: Path) -> None:
    state = lensflow.State(tmp_path / "state")
    state.update(CDNOW_PERIODS, every="quarter")
    assert "dropped" in state.drop(date(1997, 7, 1))[-1]
    audit = state.audit(every="quarter")
    assert audit.windows[0].name == "1997-Q3"
    assert audit.lens1["1997-Q3"].total_customers == lensflow.audit(CDNOW_PERIODS, every="quarter").lens1["1997-Q3"].total_customers


def test_warnings_come_with_an_update(tmp_path: Path) -> None:
    state = lensflow.State(tmp_path / "state")
    # Its rows are of quarters, and a state is kept by month where nothing is said.
    assert any("cross" in warning for warning in state.update(CDNOW_PERIODS).warnings)


def test_states_are_merged(tmp_path: Path) -> None:
    parts = []
    for seed in (1, 2):
        part = lensflow.State(tmp_path / f"state{seed}")
        part.update(month(seed, tmp_path / f"{seed}.csv"))
        parts.append(part)
    merged = lensflow.State(tmp_path / "merged")
    merged.merge(*parts)
    whole = lensflow.audit([tmp_path / "1.csv", tmp_path / "2.csv"], every="month")
    assert merged.audit(every="month").windows == whole.windows
    with pytest.raises(lensflow.Error):
        merged.merge(*parts)


def test_errors_of_states(tmp_path: Path) -> None:
    with pytest.raises(lensflow.Error):
        lensflow.State(tmp_path / "none").history()
    bad = polars.DataFrame({"customer_id": ["a"], "period_start": ["x"], "period_end": ["y"], "total_orders": [1], "total_spend": [1.0]})
    with pytest.raises(lensflow.DataError):
        lensflow.State(tmp_path / "state").update(bad)
    assert not (tmp_path / "state").exists() or not any((tmp_path / "state").glob("*manifest*"))


def test_a_look(run: Any) -> None:
    seen = lensflow.peek(CDNOW_ORDERS)
    said = json.loads(run("peek", str(CDNOW_ORDERS), "--json").stdout)
    assert dict(seen) == said
    assert str(seen) == run("peek", str(CDNOW_ORDERS)).stdout
    assert seen["rows"] == "transactions"
    frame = lensflow.peek(polars.read_csv(CDNOW_ORDERS, infer_schema=False).head(100))
    assert frame["rows"] == "transactions" and len(frame["columns"]) == len(seen["columns"])
    assert (frame["input"], frame["rows_read"]) == ("arrow", 100)


def test_made_up_customers_are_those_of_the_command(run: Any, tmp_path: Path) -> None:
    rows = lensflow.generate(tmp_path / "own.parquet", customers="1K", seed=7, rows="transactions", scenario="seasonal")
    run("generate", "--customers", "1K", "--seed", "7", "--as", "transactions", "--scenario", "seasonal", "-o", "other.parquet")
    assert (tmp_path / "own.parquet").read_bytes() == (tmp_path / "other.parquet").read_bytes()
    assert polars.read_parquet(tmp_path / "own.parquet").height == rows


@pytest.mark.parametrize("columns", [{}, {"order_id": "Invoice", "customer_id": "Customer", "event_ts": "Day", "line_total": "Total"}])
def test_a_part_without_rows(tmp_path: Path, columns: dict[str, str]) -> None:
    nothing, none, some, whole = (lensflow.State(tmp_path / name) for name in ("nothing", "none", "some", "whole"))
    for state in (nothing, none):
        state.update(iter(()), name="part", source="orders", columns=columns)
    lines = {"order_id": ["1", "2"], "customer_id": ["a", "b"], "event_ts": ["2024-01-05", "2024-02-05"], "line_total": ["9.90", "5.00"]}
    some.update(polars.DataFrame(lines).rename(columns), name="some", source="orders", columns=columns)
    whole.merge(nothing, none, some)
    assert whole.audit(every="quarter").windows == some.audit(every="quarter").windows
    assert lensflow.audit([], source="orders", every="quarter", columns=columns).input.rows_read == 0
