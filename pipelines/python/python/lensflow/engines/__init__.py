"""lensflow on engines that run Python functions on many machines.

Two functions do all of it: :func:`accumulate` takes the rows of a partition, :func:`merge` what the partitions have sent of some customers. Between
them the engine brings rows of one ``partition`` together. :mod:`lensflow.engines.spark` is the wiring for Spark and Sail; for others it is a
few lines, which the page ``pipelines/engines/spark.md`` shows.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .. import _lensflow
from .._options import StrPath

#: Rows between tasks, as Spark writes it.
SCHEMA = "partition int, frame binary"


@dataclass(frozen=True, slots=True)
class Job:
    """How rows are read, and by which calendar windows customers are kept. The same for all tasks; small, and sent to each."""

    every: str
    spec: str
    text: str = field(repr=False)


def job(
    every: str,
    *,
    columns: Mapping[str, str] | None = None,
    on_bad_row: str = "fail",
    max_rejects: str | int = "1%",
    **spec: Any,
) -> Job:
    """A job over period aggregations. Other options are the fields of the library's ``Spec``."""
    said = {"columns": dict(columns or {}), "on_bad_row": on_bad_row, "max_rejects": str(max_rejects)} | spec
    written = json.dumps(said)
    return Job(every, written, _lensflow.engine_job(written, every))


def accumulate(job: Job, batches: Iterable[Any], *, number: int | None = None, memory: int | None = None) -> _lensflow.Frames:
    """The customers of some batches, as Arrow data with the columns of :data:`SCHEMA`.

    ``number`` names the rows in messages about bad ones; no two tasks have the same. ``memory`` is what the task may take up, in bytes.
    """
    number = random.getrandbits(62) if number is None else number
    return _lensflow.engine_accumulate(job.text, number, batches, memory)


def merge(job: Job, batches: Iterable[Any], *, memory: int | None = None) -> _lensflow.Frames:
    """Customers of which several tasks have read rows, added up. All rows of a ``partition`` must be among the batches."""
    return _lensflow.engine_merge(job.text, batches, memory)


def take_in(job: Job, state: StrPath, name: str, batches: Any) -> tuple[int, bool]:
    """Takes what all tasks have merged into a state, all or nothing. Gives the rows read, and whether the state had them before."""
    return _lensflow.engine_take_in((job.text, job.spec, job.every), os.fspath(state), name, batches)


def _stream(batches: Iterator[Any]) -> Iterator[Any]:
    """Batches without those that are empty."""
    return (batch for batch in batches if batch.num_rows)
