"""What data are: paths, Arrow data, or objects."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any, Protocol, TypeAlias, Union

from . import _lensflow
from ._aggregations import batches_of, is_aggregation
from ._errors import UsageError
from ._options import StrPath


class ArrowStream(Protocol):
    """Arrow data: a frame of polars or pandas, a table of pyarrow, a relation of DuckDB."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


Data: TypeAlias = Union[StrPath, Iterable[StrPath], ArrowStream, Iterable[ArrowStream], Iterable[object]]

_WAYS = "give paths, or anything with __arrow_c_stream__: a frame of polars or pandas, a table of pyarrow, a relation of DuckDB"


def inputs_of(data: Any, said: Mapping[str, Any]) -> tuple[list[str], Any]:
    """The paths that data name, or else the Arrow data that they are. ``said`` tells what rows are where there are none."""
    if isinstance(data, (str, os.PathLike)):
        return [os.fspath(data)], None
    if _is_arrow(data):
        return [], _ready(data)
    if _is_polars(data) and hasattr(data, "collect_batches"):
        # A lazy frame, as it is read.
        return [], map(_ready, data.collect_batches())
    if isinstance(data, (Mapping, bytes)) or not isinstance(data, Iterable):
        raise UsageError(f"{type(data).__name__} is no data that can be read", help=_WAYS)
    iterator = iter(data)
    first = next(iterator, None)
    if first is None:
        return [], _nothing(said)
    whole = chain([first], iterator)
    if isinstance(first, (str, os.PathLike)):
        return [os.fspath(path) for path in whole], None
    if _is_arrow(first):
        return [], map(_ready, whole)
    if is_aggregation(first):
        return [], batches_of(whole)
    raise UsageError(f"an iterable of {type(first).__name__} is no data that can be read", help=_WAYS)


def _nothing(said: Mapping[str, Any]) -> Any:
    """No rows, as of a part that got none: with the columns that are needed, under the names that they were given."""
    if said.get("source") not in ("orders", "transactions"):
        return batches_of([])
    names = ("order_id", "customer_id", "event_ts", "line_total")
    return _lensflow.NoRows([said.get(f"columns.{name}", name) for name in names])


def _is_arrow(data: Any) -> bool:
    return hasattr(data, "__arrow_c_stream__") or hasattr(data, "__arrow_c_array__")


def _is_polars(data: Any) -> bool:
    return type(data).__module__.partition(".")[0] == "polars"


def _ready(data: Any) -> Any:
    """Arrow data that other readers take: polars gives columns of nothing but nulls in a way that is no Arrow."""
    if not _is_polars(data) or not hasattr(data, "schema"):
        return data
    import polars

    def plain(kind: Any) -> Any:
        if kind == polars.Null:
            return polars.String
        if isinstance(kind, polars.Struct):
            return polars.Struct({field.name: plain(field.dtype) for field in kind.fields})
        if isinstance(kind, polars.List):
            return polars.List(plain(kind.inner))
        if isinstance(kind, polars.Array):
            return polars.Array(plain(kind.inner), kind.size)
        return kind

    kinds = {name: plain(kind) for name, kind in data.schema.items()}
    changed = {name: kind for name, kind in kinds.items() if kind != data.schema[name]}
    return data.cast(changed) if changed else data
