"""Golden cases through every way in: the answers of an independent implementation, and the bytes of the command."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import lensflow
import pandas
import polars
import pyarrow
import pyarrow.csv
import pytest
from conftest import Golden

TIMES = ("period_start", "period_end", "last_transaction_ts")


def arrow(golden: Golden) -> pyarrow.Table:
    """Typed columns; amounts as they are written."""
    options = pyarrow.csv.ConvertOptions(
        column_types={
            "customer_id": pyarrow.string(),
            "total_spend": pyarrow.string(),
            "total_orders": pyarrow.int64(),
            **{name: pyarrow.timestamp("us") for name in TIMES},
        },
        strings_can_be_null=True,
    )
    return pyarrow.csv.read_csv(io.BytesIO(golden.csv.encode()), convert_options=options)


def from_polars(golden: Golden) -> Any:
    return polars.from_arrow(arrow(golden))


def from_pandas(golden: Golden) -> Any:
    types = {"customer_id": str, "total_spend": str, "last_transaction_ts": str}
    return pandas.read_csv(io.StringIO(golden.csv), dtype=types, keep_default_na=False, na_values=[""])


def from_pyarrow(golden: Golden) -> Any:
    return arrow(golden)


def from_duckdb(golden: Golden) -> Any:
    table = arrow(golden)
    return duckdb.connect().from_arrow(table)


def from_batches(golden: Golden) -> Any:
    """A generator: it can be read once, and is."""
    return (batch for batch in arrow(golden).to_batches(max_chunksize=3))


def from_tables(golden: Golden) -> Any:
    table = arrow(golden)
    return [table.slice(0, 5), table.slice(5)]


def from_objects(golden: Golden) -> Any:
    def of(row: dict[str, str]) -> SimpleNamespace:
        last = row.get("last_transaction_ts")
        return SimpleNamespace(
            customer_id=row["customer_id"],
            period_start=datetime.fromisoformat(row["period_start"]),
            period_end=datetime.fromisoformat(row["period_end"]),
            total_orders=int(row["total_orders"]),
            total_spend=Decimal(row["total_spend"]),
            last_transaction_ts=datetime.fromisoformat(last) if last else None,
        )

    return [of(row) for row in golden.rows]


WAYS = [from_polars, from_pandas, from_pyarrow, from_duckdb, from_batches, from_tables, from_objects]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_every_way_in_gives_the_bytes_of_the_command(
    golden: Golden, way: Callable[[Golden], Any], run: Any, tmp_path: Path
) -> None:
    (tmp_path / "periods.csv").write_text(golden.csv)
    run("audit", "periods.csv", *golden.flags, "--report", "report.json", "--rfm-out", "rfm.parquet", "--migration-out", "moves.csv")
    audit = lensflow.audit(way(golden), name="periods.csv", **golden.options)
    assert audit.to_json() == (tmp_path / "report.json").read_text()
    audit.rfm().write(tmp_path / "own.parquet")
    audit.migration().write(tmp_path / "own.csv")
    assert (tmp_path / "own.parquet").read_bytes() == (tmp_path / "rfm.parquet").read_bytes()
    assert (tmp_path / "own.csv").read_bytes() == (tmp_path / "moves.csv").read_bytes()


def test_answers_are_those_of_an_independent_implementation(golden: Golden, tmp_path: Path) -> None:
    file = tmp_path / "periods.csv"
    file.write_text(golden.csv)
    audit = lensflow.audit(file, **golden.options)
    for window in golden.expected["windows"]:
        lens1, expected = audit.lens1[window["name"]], window["lens1"]
        assert lens1.total_customers == expected["total_customers"]
        assert lens1.total_revenue == Decimal(expected["total_revenue"])
        assert lens1.median_customer_value == Decimal(expected["median_customer_value"])
        shares = {int(p): Decimal(share) for p, share in expected["revenue_concentration"].items()}
        assert lens1.revenue_concentration == shares
        assert lens1.rfm_distribution == expected["rfm_distribution"]
    for pair, own in zip(golden.expected["comparisons"], audit.comparisons, strict=True):
        assert own.lens2.retained == pair["lens2"]["retained"]
        assert own.lens2.retention_rate == Decimal(pair["lens2"]["retention_rate"])
    rows = audit.rfm(sorted=True).to_arrow().to_pylist()
    expected_rows = golden.rfm
    assert len(rows) == len(expected_rows)
    for row, other in zip(rows, sorted(expected_rows, key=lambda row: (order(golden, row), row["customer_id"].encode())), strict=True):
        assert (row["customer_id"], row["recency_days"], row["frequency"]) == (
            other["customer_id"],
            int(other["recency_days"]),
            int(other["frequency"]),
        )
        assert (row["monetary"], row["total_spend"]) == (Decimal(other["monetary"]), Decimal(other["total_spend"]))
        assert row["rfm_score"] == other["rfm_score"]


def order(golden: Golden, row: dict[str, str]) -> int:
    return [window["name"] for window in golden.case["windows"]].index(row["window"])


def test_a_dict_is_the_report(golden: Golden, tmp_path: Path) -> None:
    (tmp_path / "periods.csv").write_text(golden.csv)
    audit = lensflow.audit(tmp_path / "periods.csv", **golden.options)
    assert audit.to_dict() == json.loads(audit.to_json())
    assert json.loads(json.dumps(audit.to_dict())) == audit.to_dict()
    text = audit.to_dict(numbers="text")
    for one, exact in zip(text["windows"], audit.to_dict(numbers="decimal")["windows"], strict=True):
        assert Decimal(one["lens1"]["total_revenue"]) == exact["lens1"]["total_revenue"]
