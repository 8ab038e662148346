"""What the page says of engines, run as it is written there. An engine that is not installed is skipped."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import lensflow
import pytest
from conftest import CDNOW_ORDERS

PAGE = Path(__file__).resolve().parents[1] / "README.md"


def written(heading: str) -> str:
    """The code under a heading."""
    under = PAGE.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return "\n\n".join(re.findall(r"^```python\n(.*?)^```$", under, re.MULTILINE | re.DOTALL))


def names(heading: str) -> dict[str, Any]:
    """What that code defines. Its module cannot be imported, so that engines send functions whole to their workers."""
    space: dict[str, Any] = {"__name__": "page"}
    exec(compile(written(heading), str(PAGE), "exec"), space)
    return space


@pytest.fixture(scope="module")
def orders() -> Any:
    """Orders as an Arrow table."""
    pyarrow, text = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.csv")
    kinds = {"order_id": pyarrow.string(), "customer_id": pyarrow.string(), "line_total": pyarrow.decimal128(18, 2)}
    return text.read_csv(CDNOW_ORDERS, convert_options=text.ConvertOptions(column_types=kinds))


@pytest.fixture(scope="module")
def expected() -> lensflow.Audit:
    return lensflow.audit(CDNOW_ORDERS, every="quarter")


def test_delta(orders: Any, expected: lensflow.Audit, tmp_path: Path) -> None:
    deltalake = pytest.importorskip("deltalake")
    uri = str(tmp_path / "orders")
    for at, rows in enumerate((orders.slice(0, 40_000), orders.slice(40_000))):
        deltalake.write_deltalake(uri, rows, mode="append" if at else "error")
    assert names("Delta and Iceberg")["of_delta"](uri).windows == expected.windows
    stream = deltalake.QueryBuilder().register("orders", deltalake.DeltaTable(uri)).execute("select * from orders")
    assert lensflow.audit(stream, source="orders", every="quarter").windows == expected.windows


def test_iceberg(orders: Any, expected: lensflow.Audit, tmp_path: Path) -> None:
    catalogs = pytest.importorskip("pyiceberg.catalog")
    pytest.importorskip("sqlalchemy")
    catalog = catalogs.load_catalog("here", type="sql", uri=f"sqlite:///{tmp_path}/catalog.db", warehouse=f"file://{tmp_path}/all")
    catalog.create_namespace("shop")
    table = catalog.create_table("shop.orders", schema=orders.schema)
    for rows in (orders.slice(0, 40_000), orders.slice(40_000)):
        table.append(rows)
    assert names("Delta and Iceberg")["of_iceberg"](catalog, "shop.orders").windows == expected.windows


def test_dask(orders: Any, expected: lensflow.Audit, tmp_path: Path) -> None:
    frames = pytest.importorskip("dask.dataframe")
    frame = frames.from_pandas(orders.to_pandas(), npartitions=4).shuffle("customer_id")
    assert names("Dask, Ray and Spark")["of_dask"](frame, tmp_path).windows == expected.windows


@pytest.mark.timeout(400)
@pytest.mark.filterwarnings("ignore")
def test_ray(orders: Any, expected: lensflow.Audit, tmp_path: Path) -> None:
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        # By customer, so that orders are whole.
        dataset = ray.data.from_arrow(orders).repartition(4, keys=["customer_id"])
        assert names("Dask, Ray and Spark")["of_ray"](dataset, tmp_path).windows == expected.windows
    finally:
        ray.shutdown()


@pytest.mark.timeout(400)
@pytest.mark.filterwarnings("ignore")
def test_spark(orders: Any, expected: lensflow.Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sql = pytest.importorskip("pyspark.sql")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    session = sql.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    try:
        frame = session.createDataFrame(orders)
        assert lensflow.audit(frame, source="orders", every="quarter").windows == expected.windows
        of_spark = names("Dask, Ray and Spark")["of_spark"]
        assert of_spark(frame, tmp_path, 5).windows == expected.windows
        # More partitions than customers.
        few, folder = frame.limit(3), tmp_path / "few"
        folder.mkdir()
        assert of_spark(few, folder, 8).input.customers == few.select("customer_id").distinct().count()
    finally:
        session.stop()


def test_dbt(expected: lensflow.Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dbt.adapters.duckdb")
    duckdb = pytest.importorskip("duckdb")
    from dbt.cli.main import dbtRunner  # type: ignore[import-not-found, unused-ignore]

    files = {
        "dbt_project.yml": "name: shop\nprofile: shop\nversion: '1.0'\nconfig-version: 2\nmodel-paths: [models]\n",
        "profiles.yml": "shop:\n  target: here\n  outputs:\n    here: {type: duckdb, path: shop.duckdb}\n",
        "models/orders.sql": "select order_id, customer_id, event_ts, cast(line_total as decimal(18, 2)) as line_total "
        f"from read_csv('{CDNOW_ORDERS}', types = {{'order_id': 'varchar', 'customer_id': 'varchar'}})",
        "models/scores.py": written("A dbt model"),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
    done = dbtRunner().invoke(["run", "--project-dir", str(tmp_path), "--profiles-dir", str(tmp_path)])
    assert done.success, done.exception or done.result
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as db:
        months = db.execute("select sum(total_spend) from scores where \"window\" between '1997-01' and '1997-03'").fetchall()
    assert months == [(expected.lens1["1997-Q1"].total_revenue,)]
