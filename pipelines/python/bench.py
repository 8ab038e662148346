#!/usr/bin/env python3
"""Measures the wheel: time and peak memory, each run in a process of its own.

    python bench.py                 all, with a million customers
    python bench.py --large         also 10 million from a polars frame, in 2 GiB beside the frame
    python bench.py --runs 3        the median of three, all of them in turn
    python bench.py --only objects  what begins so

Where others use the machine, the seconds of processors say more than the seconds that passed.

Objects: a million period aggregations as Python objects through `calculate_rfm`, beside the same done plainly: a dict of sums, then a
checked dataclass for each customer. Arrow: RFM rows of a polars frame, beside the command on the Parquet file that the frame was read
from. Threads: two audits at once, with one worker each, beside one audit with one worker.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

END = datetime(2024, 1, 1)
CENT = Decimal("0.01")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--customers", default="1M")
    parser.add_argument("--command", default=os.environ.get("LENSFLOW") or str(Path(sys.executable).with_name("lensflow")))
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(ONE[asked.one](Path(asked.folder), asked)))
        return
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), asked)
        names = [name for name in ONE if name.startswith(asked.only) and (asked.large or not name.startswith("large"))]
        found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
        for _ in range(asked.runs):
            for name in names:
                found[name].append(one(name, folder, asked))
        print(f"{'':34}{'seconds':>10}{'processor':>11}{'peak MiB':>10}{'before MiB':>12}")
        for name, runs in found.items():
            seconds, processor = (statistics.median(run[what] for run in runs) for what in ("seconds", "processor"))
            peak, before = (max(run[what] for run in runs) for what in ("peak", "before"))
            print(f"{name:34}{seconds:10.2f}{processor:11.2f}{peak:10.0f}{before:12.0f}", flush=True)


def one(name: str, folder: str, asked: argparse.Namespace) -> dict[str, float]:
    again = [sys.executable, __file__, "--one", name, "--folder", folder, "--command", asked.command]
    done = subprocess.run(again, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def make(folder: Path, asked: argparse.Namespace) -> None:
    import lensflow

    lensflow.generate(folder / "periods.parquet", customers=asked.customers, start="2023-01", end="2023-12")
    if asked.large:
        lensflow.generate(folder / "large.parquet", customers="10M", start="2023-01", end="2023-12")


def measured(work: Callable[[], object]) -> dict[str, float]:
    before = rss()
    began, used = time.perf_counter(), processor()
    kept = work()
    seconds, used = time.perf_counter() - began, processor() - used
    del kept
    return {"seconds": seconds, "processor": used, "peak": peak(), "before": before}


def processor() -> float:
    """Seconds of processors that this process and its children used."""
    return sum(os.times()[:4])


def rss() -> float:
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS"))


def peak() -> float:
    return max(resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def objects(folder: Path) -> list[Any]:
    """A million period aggregations."""
    import polars
    from lensflow.compat.autoclv import PeriodAggregation

    frame = polars.read_parquet(folder / "periods.parquet").head(1_000_000)
    columns = [frame[name].to_list() for name in frame.columns]
    by = dict(zip(frame.columns, columns, strict=True))
    times = {name: [time.replace(tzinfo=None) if time else None for time in by[name]] for name in ("period_start", "period_end", "last_transaction_ts")}
    rows = zip(by["customer_id"], times["period_start"], times["period_end"], by["total_orders"], by["total_spend"], times["last_transaction_ts"], strict=True)
    return [PeriodAggregation(customer, start, end, int(orders), float(spend), 0.0, 0, last) for customer, start, end, orders, spend, last in rows]


def plainly(rows: list[Any]) -> list[Any]:
    """RFM as it is done in plain Python: one pass over dicts of sums, then a checked, frozen dataclass a customer."""
    from lensflow.compat.autoclv import RFMMetrics

    sums: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row.customer_id not in sums:
            sums[row.customer_id] = {"last": None, "end": row.period_end, "start": row.period_start, "orders": 0, "spend": Decimal("0")}
        known = sums[row.customer_id]
        last = row.last_transaction_ts
        if last is not None:
            if last > END:
                raise ValueError("after the end")
            if known["last"] is None or last > known["last"]:
                known["last"] = last
        known["end"] = max(known["end"], row.period_end)
        known["start"] = min(known["start"], row.period_start)
        known["orders"] += row.total_orders
        known["spend"] += Decimal(str(row.total_spend))
    metrics = []
    for customer, known in sums.items():
        days = (END - (known["last"] or known["end"])).days
        spend = known["spend"].quantize(CENT, rounding=ROUND_HALF_UP)
        each = (spend / known["orders"]).quantize(CENT, rounding=ROUND_HALF_UP)
        metrics.append(RFMMetrics(customer, days, known["orders"], each, known["start"], END, spend))
    return sorted(metrics, key=lambda one: one.customer_id)


def of_objects(folder: Path, _: argparse.Namespace) -> dict[str, float]:
    from lensflow.compat.autoclv import calculate_rfm

    rows = objects(folder)
    return measured(lambda: calculate_rfm(rows, END))


def of_objects_plainly(folder: Path, _: argparse.Namespace) -> dict[str, float]:
    rows = objects(folder)
    return measured(lambda: plainly(rows))


def of_command(folder: Path, asked: argparse.Namespace) -> dict[str, float]:
    audit = [asked.command, "audit", "-q", str(folder / "periods.parquet"), "--every", "half", "--report", str(folder / "a.json"), "--rfm-out", str(folder / "a.parquet")]
    return measured(lambda: subprocess.run(audit, check=True))


def of_path(folder: Path, _: argparse.Namespace) -> dict[str, float]:
    import lensflow

    return measured(lambda: lensflow.audit(folder / "periods.parquet", every="half").rfm().write(folder / "b.parquet"))


def of_frame(folder: Path, _: argparse.Namespace) -> dict[str, float]:
    import lensflow
    import polars

    frame = polars.read_parquet(folder / "periods.parquet")
    return measured(lambda: lensflow.audit(frame, every="half").rfm().write(folder / "c.parquet"))


def of_frame_to_frame(folder: Path, _: argparse.Namespace) -> dict[str, float]:
    import lensflow
    import polars

    frame = polars.read_parquet(folder / "periods.parquet")
    return measured(lambda: lensflow.audit(frame, every="half").rfm().to_polars())


def at_once(count: int) -> Callable[[Path, argparse.Namespace], dict[str, float]]:
    def audits(folder: Path, _: argparse.Namespace) -> dict[str, float]:
        import threading

        import lensflow

        def work() -> None:
            lensflow.audit(folder / "periods.parquet", every="half", workers=1)

        def together() -> None:
            threads = [threading.Thread(target=work) for _ in range(count)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        return measured(together)

    return audits


def of_large_frame(folder: Path, _: argparse.Namespace) -> dict[str, float]:
    import lensflow
    import polars

    frame = polars.read_parquet(folder / "large.parquet")
    return measured(lambda: lensflow.audit(frame, every="half", memory_limit="2GiB").input)


ONE: dict[str, Callable[[Path, argparse.Namespace], dict[str, float]]] = {
    "objects, calculate_rfm": of_objects,
    "objects, plain Python": of_objects_plainly,
    "the command, Parquet to Parquet": of_command,
    "audit(path), rows to Parquet": of_path,
    "audit(frame), rows to Parquet": of_frame,
    "audit(frame), rows to a frame": of_frame_to_frame,
    "an audit with one worker": at_once(1),
    "two at once, one worker each": at_once(2),
    "large: 10 million, frame, 2 GiB": of_large_frame,
}

if __name__ == "__main__":
    main()
