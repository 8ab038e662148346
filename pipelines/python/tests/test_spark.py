"""Frames of Spark, by Sail: a Spark without a JVM. Skipped where it is not installed. `LENSFLOW_SPARK=local[2]` runs them on Spark itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lensflow
import pytest
from conftest import CDNOW_PERIODS as CDNOW
from conftest import Golden

pyarrow = pytest.importorskip("pyarrow")


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    sql = pytest.importorskip("pyspark.sql")
    if master := os.environ.get("LENSFLOW_SPARK"):
        session = sql.SparkSession.builder.master(master).config("spark.sql.shuffle.partitions", "3").getOrCreate()
        yield session
        session.stop()
        return
    spark = pytest.importorskip("pysail.spark")
    server = spark.SparkConnectServer()
    server.start()
    _, port = server.listening_address
    session = sql.SparkSession.builder.remote(f"sc://localhost:{port}").getOrCreate()
    yield session
    session.stop()
    server.stop()


def texts(path: Path) -> Any:
    """The rows of a CSV as texts, as they are written."""
    from pyarrow import csv

    header = path.read_text(encoding="utf-8").splitlines()[0].split(",")
    kinds = dict.fromkeys(header, pyarrow.string())
    return csv.read_csv(path, convert_options=csv.ConvertOptions(column_types=kinds, strings_can_be_null=True))


def said(audit: lensflow.Audit) -> tuple[dict[str, Any], Any]:
    report = audit.to_dict(numbers="text")
    report["input"].pop("sources")
    return report, pyarrow.table(audit.rfm(sorted=True))


@pytest.mark.parametrize("parts", [1, 4])
def test_cdnow(session: Any, parts: int, tmp_path: Path) -> None:
    from lensflow.engines import spark

    df = session.createDataFrame(texts(CDNOW)).repartition(parts)
    expected = lensflow.audit(CDNOW, every="quarter")
    assert said(spark.audit(df, every="quarter", tasks=3)) == said(expected)
    state = tmp_path / "state"
    assert spark.update(df, state, tasks=2) == expected.input.rows_read
    # The same rows, divided otherwise.
    assert spark.update(df.repartition(3), state, tasks=4) == 0
    assert said(lensflow.State(state).audit(every="quarter")) == said(expected)


def test_golden(session: Any, golden: Golden, tmp_path: Path) -> None:
    from lensflow.engines import spark

    if golden.name == "50_cdnow_quarters" or not golden.rows:
        pytest.skip("another test, or no rows")
    path = tmp_path / "periods.csv"
    path.write_text(golden.csv)
    df = session.createDataFrame(texts(path))
    assert said(spark.audit(df, tasks=2, **golden.options)) == said(lensflow.audit(path, **golden.options))


def test_a_bad_row(session: Any, tmp_path: Path) -> None:
    from lensflow.engines import spark

    table = texts(CDNOW)
    spends = table.column("total_spend").to_pylist()
    spends[1000] = "much"
    table = table.set_column(table.schema.get_field_index("total_spend"), "total_spend", pyarrow.array(spends))
    df = session.createDataFrame(table)
    with pytest.raises(lensflow.DataError, match="total_spend is \"much\""):
        spark.update(df, tmp_path / "state")
    assert spark.update(df, tmp_path / "state", on_bad_row="reject") == table.num_rows
