"""lensflow on Spark 4 and Sail: the rows stay on the cluster, and its customers come back.

>>> from lensflow.engines import spark                                   # doctest: +SKIP
>>> audit = spark.audit(session.table("periods"), every="quarter")       # doctest: +SKIP
>>> spark.update(session.table("last_night"), "shop.state")              # doctest: +SKIP

A frame has a row per customer and period, with the columns of period aggregations. Answers are those of :func:`lensflow.audit` of these rows.
The cluster needs this wheel on its workers, and pyarrow, which Spark itself needs there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from .._audit import Audit
from .._audit import audit as _audit
from .._options import StrPath
from . import SCHEMA, Job, _stream, accumulate, job, merge, take_in

#: Keys of answers; all others say how rows are read.
_ANSWERS = ("windows", "as_of", "percentiles", "bins", "rfm_columns", "segments", "cuts")


def update(df: Any, state: StrPath, *, every: str = "month", name: str = "spark", tasks: int | None = None, **options: Any) -> int:
    """Takes the rows of a frame into a state, all or nothing; gives their number. The same rows again change nothing, and give 0.

    ``tasks`` is the number of tasks that merge. ``memory`` is what a task may take up, in bytes; other options say how rows are read:
    ``columns``, ``on_bad_row``, ``max_rejects``.
    """
    memory = options.pop("memory", None)
    work = job(every, **options)
    rows = df.mapInArrow(partial(_accumulate, work, memory), SCHEMA)
    rows = rows.repartition(tasks, "partition") if tasks else rows.repartition("partition")
    merged = rows.mapInArrow(partial(_merge, work, memory), SCHEMA).toArrow()
    read, known = take_in(work, state, name, merged)
    return 0 if known else read


def audit(df: Any, *, every: str | None = None, tasks: int | None = None, **options: Any) -> Audit:
    """The audit of a frame. Options of answers are those of :func:`lensflow.audit`: ``every`` or ``windows``; others are those of
    :func:`update`. For windows of your own, customers come back by day."""
    answers = {key: options.pop(key) for key in _ANSWERS if key in options}
    # The rows behind the answers are read from files that stay open when their folder is gone.
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "spark"
        update(df, state, every=every or "day", tasks=tasks, **options)
        if every is not None:
            answers["every"] = every
        if not (state / "MANIFEST").exists():
            return _audit([], **answers)
        return _audit(state, **answers)


def _number() -> int | None:
    """The number of the task's partition, where the engine tells it."""
    try:
        from pyspark import TaskContext

        context = TaskContext.get()
        return None if context is None else int(context.partitionId())
    except Exception:
        return None


def _accumulate(work: Job, memory: int | None, batches: Iterator[Any]) -> Iterator[Any]:
    rows = _stream(batches)
    first = next(rows, None)
    if first is not None:
        yield from _read(accumulate(work, _chain(first, rows), number=_number(), memory=memory))


def _merge(work: Job, memory: int | None, batches: Iterator[Any]) -> Iterator[Any]:
    rows = _stream(batches)
    first = next(rows, None)
    if first is not None:
        yield from _read(merge(work, _chain(first, rows), memory=memory))


def _chain(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def _read(frames: Any) -> Iterator[Any]:
    import pyarrow

    yield from pyarrow.RecordBatchReader.from_stream(frames)
