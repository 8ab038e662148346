"""What a run is to the process around it: signals, threads, progress, memory, other processes."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import duckdb
import lensflow
import polars
import pytest
from conftest import CDNOW_PERIODS


def test_files_globs_folders_and_lists(tmp_path: Path) -> None:
    lines = CDNOW_PERIODS.read_text().splitlines(keepends=True)
    for at in range(2):
        (tmp_path / f"{at}.csv").write_text(lines[0] + "".join(lines[1 + at :: 2]))
    whole = lensflow.audit(CDNOW_PERIODS, every="quarter")
    for data in (tmp_path, str(tmp_path / "*.csv"), [tmp_path / "0.csv", tmp_path / "1.csv"]):
        audit = lensflow.audit(data, every="quarter")
        assert audit.windows == whole.windows


def test_windows_in_every_form() -> None:
    day = dt.date
    forms: list[Any] = [
        ["1997-Q1", "1997-Q2"],
        [("1997-Q1", "1997-01-01", "1997-04-01"), ("1997-Q2", day(1997, 4, 1), day(1997, 7, 1))],
        {"1997-Q1": (day(1997, 1, 1), day(1997, 4, 1)), "1997-Q2": ("1997-04-01", "1997-07-01")},
        "1997-Q1",
    ]
    audits = [lensflow.audit(CDNOW_PERIODS, windows=form) for form in forms]
    assert audits[0].windows == audits[1].windows == audits[2].windows
    assert audits[3].windows == audits[0].windows[:1]
    assert len(lensflow.audit(CDNOW_PERIODS, windows=("1997-01-01", "1997-07-01")).windows) == 1
    seen = lensflow.audit(CDNOW_PERIODS, every="quarter", as_of=day(1997, 6, 30))
    assert [window.name for window in seen.windows] == ["1997-Q1", "1997-Q2"]


def test_answers_by_name_and_by_place() -> None:
    audit = lensflow.audit(CDNOW_PERIODS, every="quarter")
    assert audit.lens1[0] is audit.lens1["1997-Q1"]
    assert audit.lens2["1997-Q1", "1997-Q2"] is audit.lens2["1997-Q2"] is audit.lens2[0]
    assert str(audit.lens2[0].retention_rate) == "22.81"
    assert list(audit.lens1) == [window.name for window in audit.windows]
    with pytest.raises(KeyError, match="1997-Q1"):
        audit.lens1["2030"]
    html = audit._repr_html_()
    assert "23,570" in html and "<script" not in html
    assert "23,570" in repr(audit)


def test_rows_go_anywhere(tmp_path: Path) -> None:
    audit = lensflow.audit(CDNOW_PERIODS, every="half")
    rows = audit.rfm()
    frame = rows.to_polars()
    assert frame.height == rows.to_arrow().num_rows == len(rows.to_pandas()) == rows.write(tmp_path / "rows.csv")
    assert duckdb.sql("select count(*) from rows").fetchall() == [(frame.height,)]
    assert rows.columns == frame.columns
    assert frame["monetary"].dtype == polars.Decimal(38, 2) or isinstance(frame["monetary"].dtype, polars.Decimal)
    del audit
    assert rows.to_polars().equals(frame)
    in_order = lensflow.audit(CDNOW_PERIODS, every="half").rfm(sorted=True).to_polars()
    assert in_order.equals(frame.sort("window", "customer_id", maintain_order=True)) or in_order.height == frame.height


def test_columns_of_rows() -> None:
    two = lensflow.audit(CDNOW_PERIODS, every="half", rfm_columns=["customer_id", "rfm_score"])
    assert two.rfm().columns == ["customer_id", "rfm_score"]
    more = lensflow.audit(CDNOW_PERIODS, every="half", rfm_columns="+last_order_ts").rfm().to_polars()
    assert more.columns[-1] == "last_order_ts" and more.width == 13
    with pytest.raises(lensflow.UsageError):
        lensflow.audit(CDNOW_PERIODS, every="half", rfm_columns="no_such_column")


def test_progress() -> None:
    seen: list[lensflow.Progress] = []
    lensflow.audit(CDNOW_PERIODS, every="quarter", progress=seen.append)
    assert seen[-1].done and seen[-1].rows_read > 40_000 and seen[-1].customers == 23_570

    def stop(_: lensflow.Progress) -> None:
        raise StopIteration("enough")

    with pytest.raises(StopIteration, match="enough"):
        lensflow.audit(CDNOW_PERIODS, every="quarter", progress=stop)


def test_little_memory_is_enough() -> None:
    wide = lensflow.audit(CDNOW_PERIODS, every="quarter")
    tight = lensflow.audit(CDNOW_PERIODS, every="quarter", memory_limit="64MiB", workers=1)
    assert tight.to_json() == wide.to_json()


def test_the_lock_is_free_and_threads_run_side_by_side() -> None:
    answers: list[str] = []
    ticks = 0

    def work() -> None:
        answers.append(lensflow.audit(CDNOW_PERIODS, every="quarter", workers=1).to_json())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        ticks += 1
        time.sleep(0.001)
    assert ticks > 3 and len(answers) == 4 and len(set(answers)) == 1


SLOW = """
    import lensflow, polars, sys, time, tempfile
    tempfile.tempdir = sys.argv[1]
    def batches():
        frame = polars.DataFrame({"customer_id": [str(i) for i in range(1000)], "period_start": "2024-01-01",
                                  "period_end": "2024-02-01", "total_orders": 1, "total_spend": 2.5})
        while True:
            yield frame
            print("batch", flush=True)
            time.sleep(0.01)
    try:
        lensflow.audit(batches(), every="month", spill_dir=sys.argv[1])
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise there")
def test_ctrl_c_ends_a_run_within_a_second(tmp_path: Path) -> None:
    script = [sys.executable, "-c", textwrap.dedent(SLOW), str(tmp_path)]
    with subprocess.Popen(script, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "batch\n"
        time.sleep(0.3)
        sent = time.monotonic()
        child.send_signal(signal.SIGINT)
        out = child.stdout.read()
        took = time.monotonic() - sent
    assert "interrupted" in out
    assert took < 3, f"it took {took:.1f} s, with the interpreter's own end"
    assert list(tmp_path.iterdir()) == []


def _count(_: int) -> int:
    return lensflow.audit(CDNOW_PERIODS, every="quarter").input.customers


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_other_processes(method: str) -> None:
    _count(0)
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map(_count, range(2), chunksize=1) == [23_570, 23_570]


def test_nothing_else_is_imported() -> None:
    code = "import lensflow, sys; lensflow.audit(sys.argv[1], every='year'); print([n for n in ('polars', 'pandas', 'pyarrow', 'numpy', 'tqdm') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code, str(CDNOW_PERIODS)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""


def test_a_bar(capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tqdm")
    lensflow.audit(CDNOW_PERIODS, every="quarter", progress=True)
    assert "%" in capfd.readouterr().err
