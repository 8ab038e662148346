"""Orders and line items: files, frames, shop exports, policies."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import lensflow
import pandas
import polars
import pytest
from conftest import CDNOW_ORDERS, ROOT

SHOP = {
    "Invoice": ["1001", "1001", "1002", "1003"],
    "Customer": ["anna", "anna", "ben", "anna"],
    "Date": ["12/31/2024", "12/31/2024", "1/2/2025", "1/9/2025"],
    "Items": [2, 1, 1, 3],
    "Price": [9.90, 4.50, 20.0, 9.90],
}
SHOP_OPTIONS: dict[str, Any] = {
    "source": "orders",
    "every": "month",
    "date_format": "%m/%d/%Y",
    "columns": {
        "order_id": "Invoice",
        "customer_id": "Customer",
        "event_ts": "Date",
        "quantity": "Items",
        "unit_price": "Price",
    },
}


def without_sources(audit: lensflow.Audit) -> dict[str, Any]:
    report = audit.to_dict()
    del report["input"]["sources"]
    return report


def test_a_shop_export_as_file_and_as_frame(tmp_path: Path) -> None:
    file = tmp_path / "shop.csv"
    polars.DataFrame(SHOP).write_csv(file)
    by_file = lensflow.audit(file, **SHOP_OPTIONS)
    assert by_file.input.transactions is not None
    assert (by_file.input.transactions["lines"], by_file.input.transactions["orders"]) == (4, 3)
    assert str(by_file.lens1["2025-01"].total_revenue) == "49.70"
    for frame in (polars.DataFrame(SHOP), pandas.DataFrame(SHOP)):
        assert without_sources(lensflow.audit(frame, **SHOP_OPTIONS)) == without_sources(by_file)


def test_frames_are_told_by_their_columns(run: Any, tmp_path: Path) -> None:
    run("audit", str(CDNOW_ORDERS), "--every", "quarter", "--report", "report.json")
    frame = polars.read_csv(CDNOW_ORDERS, infer_schema=False)
    audit = lensflow.audit(frame, every="quarter", name=str(CDNOW_ORDERS))
    assert audit.to_json() == (tmp_path / "report.json").read_text()
    assert audit.lens1["1997-Q1"].total_customers == 23_570


@pytest.mark.parametrize("every", ["month", "quarter", "year"])
def test_golden_orders(every: Any, run: Any, tmp_path: Path) -> None:
    text = (ROOT / "tests/data/golden_transactions/tx_line_items/transactions.csv").read_text()
    (tmp_path / "lines.csv").write_text(text)
    run("audit", "lines.csv", "--from", "transactions", "--every", every, "--report", "report.json", "--rfm-out", "rfm.csv")
    frame = polars.read_csv(io.StringIO(text), infer_schema=False)
    audit = lensflow.audit(frame, source="orders", every=every, name="lines.csv")
    assert audit.to_json() == (tmp_path / "report.json").read_text()
    audit.rfm().write(tmp_path / "own.csv")
    assert (tmp_path / "own.csv").read_bytes() == (tmp_path / "rfm.csv").read_bytes()


def test_policies() -> None:
    lines = {**SHOP, "Items": [2, 1, 1, -1]}
    with pytest.raises(lensflow.DataError) as raised:
        lensflow.audit(polars.DataFrame(lines), **SHOP_OPTIONS)
    assert 'refunds="net"' in str(raised.value.help)
    audit = lensflow.audit(polars.DataFrame(lines), **SHOP_OPTIONS, policy="shop")
    assert audit.input.transactions is not None and audit.input.transactions["refund_lines"] == 1


def test_filters_take_dicts() -> None:
    lines = polars.DataFrame({**SHOP, "Status": ["paid", "paid", "open", "paid"]})
    audit = lensflow.audit(lines, **SHOP_OPTIONS, only={"Status": ["paid", "shipped"]})
    assert audit.input.customers == 1
    assert lensflow.audit(lines, **SHOP_OPTIONS, except_={"Status": "open"}).windows == audit.windows
