"""Keyword arguments: the options of the command, under its own names, with Python's values.

A keyword is the name of an option, with underscores. Its value may be a text, as in a spec, or what Python has for it: a ``date``, a
``Path``, a ``timedelta``, a list, a dict of column names. What it means, what is refused, and how, is the command's.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, TypeAlias, TypedDict, Union

from ._errors import UsageError
from ._scoring import cuts_of

StrPath: TypeAlias = Union[str, "os.PathLike[str]"]
Day: TypeAlias = Union[str, dt.date]
WindowLike: TypeAlias = Union[str, tuple[Day, Day], tuple[str, Day, Day], tuple[str, Day, Day, Day]]
#: A calendar period; or of an audit ``"all"``, and ``"rolling-90d"``.
Every: TypeAlias = Union[Literal["day", "week", "month", "quarter", "half", "year", "all"], str]
Texts: TypeAlias = Union[str, Sequence[str]]
#: A range of a segment: ``5``, ``"4.."``, ``(2, 3)``, ``(4, None)``.
Range: TypeAlias = Union[str, int, float, Decimal, tuple[Union[int, float, Decimal, None], Union[int, float, Decimal, None]]]
Rule: TypeAlias = Mapping[str, Range]
#: ``"standard"``, the path of a TOML file, rules by name, or a list of rules that have a name.
SegmentsLike: TypeAlias = Union[StrPath, Mapping[str, Union[Rule, Sequence[Rule], bool]], Sequence[Rule]]
#: Cut points by measure, the path of a file of them, or both.
CutsLike: TypeAlias = Union[StrPath, Mapping[str, Sequence[Union[int, float, Decimal, str]]], Sequence["CutsLike"]]
Filters: TypeAlias = Union[str, Sequence[str], Mapping[str, Texts]]


class ReadOptions(TypedDict, total=False):
    """How inputs are read, and what may be used for it. Each is the option of the command that has its name."""

    source: Literal["auto", "periods", "orders", "transactions"]
    layout: str
    format: Literal["parquet", "csv", "jsonl", "arrow", "workbook"]
    columns: Mapping[str, str]
    id_format: Literal["as-is", "integer", "trim", "fold"]
    null: Texts
    number_format: str
    amount_unit: Literal["units", "cents", "millionths"]
    date_format: Texts
    naive_times: Literal["utc", "local"]
    encoding: Literal["utf8", "latin1"]
    period_ends: Literal["exclusive", "inclusive"]
    quote: Literal["double", "none"]
    escape: str
    header_line: int
    only: Filters
    except_: Filters
    sheet: str
    max_field: int | str
    on_bad_row: Literal["fail", "reject"]
    max_rejects: int | str
    one_row_per_order: bool
    policy: Literal["strict", "shop"]
    amount: Literal["auto", "total", "order", "price", "none"]
    refunds: Literal["fail", "net", "drop"]
    anonymous: Literal["fail", "drop", "report"]
    anonymous_id: Texts
    duplicates: Literal["fail", "drop", "between-inputs", "keep"]
    timezone: str
    year_starts: str
    workers: int
    memory_limit: int | str
    spill_dir: StrPath
    batch_rows: int


class AuditOptions(ReadOptions, total=False):
    """The options of an audit."""

    every: Every
    windows: WindowLike | Sequence[WindowLike] | Mapping[str, tuple[Day, Day]]
    as_of: Day
    percentiles: Sequence[int]
    bins: int
    cohorts: bool
    rfm_columns: Texts
    segments: SegmentsLike
    cuts: CutsLike
    fail_fast: bool


class UpdateOptions(ReadOptions, total=False):
    """The options of an update of a state."""

    every: Every
    order_ids: Literal["keep", "none"]
    allow_duplicate: bool
    replace: bool
    allow_changed: bool
    undo: str | dt.timedelta
    rejects: StrPath


class GenerateOptions(TypedDict, total=False):
    """The options of made-up customers."""

    rows: Literal["periods", "transactions"]
    scenario: str
    seed: int
    skew: Literal["uniform", "zipf", "hot"]
    ids: Literal["sequential", "uuid", "email", "unicode"]
    null_timestamps: float
    workers: int


Plain: TypeAlias = Union[str, int, float, bool, list[str], list[int]]


def plain(options: Mapping[str, Any]) -> dict[str, Plain]:
    """Options with the values that they have in a spec."""
    said: dict[str, Plain] = {}
    for name, value in options.items():
        if value is None:
            continue
        if name == "columns":
            if not isinstance(value, Mapping):
                raise UsageError("columns: a dict is expected", help='columns={"customer_id": "Customer"}')
            said |= {f"columns.{ours}": str(theirs) for ours, theirs in value.items()}
        elif name == "source":
            said[name] = "transactions" if value == "orders" else value
        elif name == "windows":
            said[name] = [_window(window) for window in _windows(value)]
        elif name in ("only", "except_") and isinstance(value, Mapping):
            said[name] = [f"{column}={','.join(_texts(values))}" for column, values in value.items()]
        elif name == "cuts":
            said[name] = cuts_of(value)
        elif name == "rfm_columns" and not isinstance(value, str):
            said[name] = ",".join(value)
        else:
            said[name] = _plain(value)
    return said


def _plain(value: Any) -> Any:
    if isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, dt.timedelta):
        return f"{value // dt.timedelta(milliseconds=1)}ms"
    if isinstance(value, dt.date):
        return _day(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Iterable):
        return [_plain(part) for part in value]
    return str(value)


def _texts(values: Any) -> list[str]:
    return [values] if isinstance(values, str) else [str(value) for value in values]


def _windows(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return [(name, *bounds) for name, bounds in value.items()]
    if isinstance(value, str) or isinstance(value, tuple) and len(value) == 2 and not isinstance(value[0], tuple):
        if isinstance(value, tuple) and all(isinstance(part, str) and not _is_day(part) for part in value):
            return list(value)
        return [value]
    return list(value)


def _is_day(text: str) -> bool:
    return len(text) >= 10 and text[4] == text[7] == "-"


def _window(window: Any) -> str:
    if isinstance(window, str):
        return window
    parts = [_day(part) if isinstance(part, dt.date) else str(part) for part in window]
    if len(parts) == 2:
        return "..".join(parts)
    if len(parts) in (3, 4):
        return f"{parts[0]}={parts[1]}..{parts[2]}" + (f"@{parts[3]}" if len(parts) == 4 else "")
    raise UsageError(f"windows: {window!r} is no window", help='write "2023-Q3", ("2023-01-01", "2023-07-01"), or with a name before them')


def _day(value: dt.date) -> str:
    if isinstance(value, dt.datetime):
        return value.isoformat() if value.time() != dt.time() or value.tzinfo else value.date().isoformat()
    return value.isoformat()
