"""Pages and workbooks: the bytes of the command, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import lensflow
import polars
import pytest
from conftest import CDNOW_PERIODS


@pytest.fixture(scope="module")
def audit() -> lensflow.Audit:
    return lensflow.audit(CDNOW_PERIODS, every="half", segments="standard")


ASKED = ["audit", os.fspath(CDNOW_PERIODS), "--every", "half", "--segments", "standard"]


def test_a_page_is_that_of_the_command(audit: lensflow.Audit, run: Any, tmp_path: Path) -> None:
    (tmp_path / "mine.html").write_text("<p>{{ summary.window }}: {{ report.windows[0].lens1.total_revenue | amount }}</p>")
    ways: list[dict[str, Any]] = [{}, {"currency": "EUR", "locale": "de"}, {"template": tmp_path / "mine.html", "currency": "USD"}]
    pages = set()
    for options in ways:
        flags = [part for name, value in options.items() for part in (f"--{name}", os.fspath(value))]
        run(*ASKED, *flags, "--report", "expected.html")
        expected = (tmp_path / "expected.html").read_bytes()
        path = tmp_path / "own.html"
        assert audit.html(path, **options) is path
        assert path.read_bytes() == expected
        assert audit.html(**options).encode() == expected
        pages.add(expected)
    assert len(pages) == 3
    assert b"1998-H1: $" in expected


def test_a_workbook_is_that_of_the_command(audit: lensflow.Audit, run: Any, tmp_path: Path) -> None:
    run(*ASKED, "--report", "expected.xlsx")
    assert audit.xlsx(os.fspath(tmp_path / "own.xlsx")) == os.fspath(tmp_path / "own.xlsx")
    assert (tmp_path / "own.xlsx").read_bytes() == (tmp_path / "expected.xlsx").read_bytes()


def test_every_format_is_that_of_the_command(audit: lensflow.Audit, run: Any, tmp_path: Path) -> None:
    endings = ("html", "xlsx", "json", "md", "txt")
    run(*ASKED, *(part for ending in endings for part in ("--report", f"expected.{ending}")))
    for ending in endings:
        audit.write(tmp_path / f"own.{ending}")
        assert (tmp_path / f"own.{ending}").read_bytes() == (tmp_path / f"expected.{ending}").read_bytes()


def test_what_cannot_be_written_leaves_what_was_there(audit: lensflow.Audit, tmp_path: Path) -> None:
    page, template = tmp_path / "page.html", tmp_path / "mine.html"
    page.write_text("what was there")
    template.write_text("{{ no_such_thing }}")
    with pytest.raises(lensflow.Error, match="mine.html"):
        audit.html(page, template=template)
    with pytest.raises(lensflow.UsageError, match="currency"):
        audit.html(page, currency="euros")
    with pytest.raises(lensflow.UsageError, match="locale"):
        audit.html(locale="klingon")
    with pytest.raises(lensflow.UsageError, match="input"):
        audit.html(template, template=template)
    for path in ("page.json", "page", "-"):
        with pytest.raises(lensflow.UsageError, match="html"):
            audit.html(tmp_path / path)
    with pytest.raises(lensflow.UsageError, match="xlsx"):
        audit.xlsx(page)
    with pytest.raises(lensflow.UsageError):
        audit.write("-")
    with pytest.raises(OSError):
        audit.html(tmp_path / "nowhere" / "page.html")
    assert page.read_text() == "what was there"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.html", "page.html"]


def test_an_input_is_not_overwritten(tmp_path: Path) -> None:
    table = tmp_path / "orders.json"
    table.write_text('{"order_id": 1, "customer_id": "anna", "event_ts": "2024-01-02", "line_total": 9.5}\n')
    audit = lensflow.audit(table, source="orders", format="jsonl", every="month")
    with pytest.raises(lensflow.UsageError, match="input"):
        audit.write(table)
    assert table.read_text().startswith('{"order_id"')


def test_names_from_outside_stay_text() -> None:
    hostile = "<script>alert(1)</script>"
    rows = {"order_id": [1], "customer_id": [hostile], "event_ts": ["2024-01-02"], "line_total": ["9.50"]}
    page = lensflow.audit(polars.DataFrame(rows), source="orders", every="month", name=hostile).html()
    assert "&lt;script&gt;alert" in page and "<script" not in page


def test_options_of_outputs_have_their_places() -> None:
    for option in ("currency", "locale", "template", "cuts_out", "cuts_window", "json_numbers", "csv_safe"):
        with pytest.raises(lensflow.UsageError, match=option) as raised:
            lensflow.audit(CDNOW_PERIODS, every="year", **{option: "x"})  # type: ignore[arg-type]
        assert str(raised.value.help).startswith("audit.")
