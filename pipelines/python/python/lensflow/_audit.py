"""Audits: what is read, and the answers."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, TypeVar, Unpack

from . import _lensflow
from ._errors import UsageError
from ._html import report_html
from ._options import AuditOptions, StrPath, plain
from ._rows import Rows
from ._sources import Data, inputs_of


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. Counts are 0 where they are not known."""

    stage: str
    rows_read: int
    rows_accepted: int
    bytes_read: int
    bytes_total: int
    customers: int
    bytes_spilled: int
    done: bool


@dataclass(frozen=True, slots=True)
class Input:
    """What was read."""

    sources: list[str]
    rows_read: int
    rows_accepted: int
    rows_rejected: dict[str, int]
    customers: int
    first_day: date | None
    last_day: date | None
    transactions: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Lens1:
    """One window: its customers, orders and revenue. Amounts, averages and percentages are exact, with two decimals."""

    total_customers: int
    one_time_buyers: int
    one_time_buyer_pct: Decimal
    total_revenue: Decimal
    total_orders: int
    revenue_concentration: dict[int, Decimal]
    avg_orders_per_customer: Decimal
    median_customer_value: Decimal
    rfm_distribution: dict[str, int]


@dataclass(frozen=True, slots=True)
class Lens2:
    """Two adjacent windows: who stayed, who left, who is new, who came back."""

    retained: int
    churned: int
    new: int
    reactivated: int
    retention_rate: Decimal
    churn_rate: Decimal
    reactivation_rate: Decimal
    customer_count_change: int
    revenue_change_pct: Decimal
    avg_order_value_change_pct: Decimal


@dataclass(frozen=True, slots=True)
class Window:
    """A window, its answers, and who was left out of it."""

    name: str
    start: datetime
    end: datetime
    observation_end: datetime
    covered_from: date | None
    covered_until: date | None
    lens1: Lens1
    customers_rejected: dict[str, int]
    customers_rejected_amount: dict[str, Decimal]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A pair of adjacent windows, and its answers."""

    start: str
    end: str
    lens2: Lens2


_Answer = TypeVar("_Answer")


class ByWindow(Mapping[str, _Answer]):
    """Answers by the name of their window, in time order; also by place: ``[0]`` is the first, ``[-1]`` the last."""

    __slots__ = ("_answers",)

    def __init__(self, answers: dict[str, _Answer]) -> None:
        self._answers = answers

    def __getitem__(self, name: str | int) -> _Answer:
        if isinstance(name, int):
            return list(self._answers.values())[name]
        try:
            return self._answers[name]
        except KeyError:
            known = ", ".join(self._answers) or "none"
            raise KeyError(f"{name!r} is no window of this audit; there are: {known}") from None

    def __iter__(self) -> Any:
        return iter(self._answers)

    def __len__(self) -> int:
        return len(self._answers)

    def __repr__(self) -> str:
        return repr(self._answers)


class ByPair(ByWindow[_Answer]):
    """Answers by the pair of windows, ``["2023-Q1", "2023-Q2"]``, by the name of the second alone, or by place."""

    __slots__ = ()

    def __getitem__(self, name: Any) -> _Answer:
        if isinstance(name, tuple) and len(name) == 2:
            first, second = name
            name = f"{first} → {second}"
        elif isinstance(name, str) and name not in self._answers:
            name = next((pair for pair in self._answers if pair.split(" → ")[-1] == name), name)
        return super().__getitem__(name)


class Audit:
    """The answers of an audit, and the rows behind them.

    It holds what the rows are made of: in memory, and where that is too little, in a folder for temporary files. That goes when the
    audit and its rows are let go of.
    """

    __slots__ = ("_answers", "_report", "comparisons", "input", "lens1", "lens2", "warnings", "windows")

    def __init__(self, answers: _lensflow.Answers) -> None:
        self._answers = answers
        report = json.loads(answers.json("number"), parse_float=Decimal)
        #: What was read.
        self.input: Input = _input(report["input"])
        #: The windows, in time order.
        self.windows: list[Window] = [_window(window) for window in report["windows"]]
        #: The pairs of adjacent windows, in time order.
        self.comparisons: list[Comparison] = [
            Comparison(pair["from"], pair["to"], _of(Lens2, pair["lens2"])) for pair in report["comparisons"]
        ]
        #: What is to know of the answers.
        self.warnings: list[str] = report["warnings"]
        #: Lens 1 by window.
        self.lens1: ByWindow[Lens1] = ByWindow({window.name: window.lens1 for window in self.windows})
        #: Lens 2 by pair of windows.
        self.lens2: ByPair[Lens2] = ByPair({f"{pair.start} → {pair.end}": pair.lens2 for pair in self.comparisons})

    def to_json(self, *, numbers: Literal["number", "text"] = "number") -> str:
        """The report as JSON: the bytes that ``lensflow audit --report`` writes."""
        return self._answers.json(numbers)

    def to_dict(self, *, numbers: Literal["number", "text", "decimal"] = "number") -> dict[str, Any]:
        """The JSON report as a dict. Amounts are floats, or with ``numbers`` texts or ``Decimal``, which are exact."""
        if numbers == "decimal":
            return json.loads(self._answers.json("number"), parse_float=Decimal)  # type: ignore[no-any-return]
        return json.loads(self._answers.json(numbers))  # type: ignore[no-any-return]

    def rfm(self, *, sorted: bool = False) -> Rows:
        """A row per customer and window: recency, frequency, monetary value, and scores.

        Rows come in the engine's order, which is fixed by the rows alone; ``sorted``, by window and customer.
        """
        return Rows(self._answers.rows("rfm", sorted))

    def migration(self, *, sorted: bool = False) -> Rows:
        """A row per pair of windows and customer: retained, churned, new or reactivated."""
        return Rows(self._answers.rows("migration", sorted))

    def rejects(self) -> Rows:
        """Rows and customers that were left out, with their reasons; with ``on_bad_row="reject"``."""
        return Rows(self._answers.rows("rejects", False))

    def text(self) -> str:
        """The answers as tables for people."""
        return self._answers.text(False)

    def markdown(self) -> str:
        """The answers as tables in Markdown."""
        return self._answers.text(True)

    def write(self, path: StrPath) -> None:
        """Writes the report, ``.json``, ``.md`` or ``.txt`` by its name."""
        name = os.fspath(path)
        texts = {".json": self.to_json, ".md": self.markdown, ".txt": self.text}
        make = texts.get(os.path.splitext(name)[1])
        if make is None:
            raise UsageError(f"{name}: the extension says no format of a report", source=name, help="end it in .json, .md or .txt")
        beside = f"{name}.{os.getpid()}.tmp"
        try:
            with open(beside, "w", encoding="utf-8", newline="") as file:
                file.write(make())
            os.replace(beside, name)
        finally:
            if os.path.exists(beside):
                os.unlink(beside)

    def __repr__(self) -> str:
        names = ", ".join(window.name for window in self.windows)
        return f"Audit({self.input.customers:,} customers, {self.input.rows_read:,} rows; windows: {names or 'none'})"

    def _repr_html_(self) -> str:
        return report_html(self)


def audit(
    data: Data,
    /,
    *,
    name: str | None = None,
    progress: Callable[[Progress], object] | bool | None = None,
    **options: Unpack[AuditOptions],
) -> Audit:
    """Audits a customer base.

    ``data`` is a path, a glob, a folder, a saved state, or a list of such; or Arrow data: anything with ``__arrow_c_stream__``, an
    iterable of such, or a list of objects that have the attributes of a period aggregation. Arrow data are read batch by batch and
    called ``name`` in the report.

    Windows are calendar periods, ``every="quarter"``, or ``windows=["2023-Q3", ("2023-10-01", "2024-01-01")]``. All other options
    are those of ``lensflow audit``, under their names. ``source="orders"`` says that rows are orders or line items; without it, the
    columns tell.

    ``progress`` is called with a :class:`Progress` about ten times a second; ``True`` is a bar, which needs tqdm. Ctrl-C ends the run.
    """
    said = plain(options)
    if refused := [key for key in _FILES if key in said]:
        raise UsageError(f"{refused[0]}: the answers of an audit come back", help=_FILES[refused[0]])
    watch = _watch(progress)
    found, stream = inputs_of(data, said)
    if stream is None:
        said["inputs"] = found
        if name is not None:
            raise UsageError("name: files have names of their own", help="leave it out")
        return Audit(_lensflow.audit(said, progress=watch))
    return Audit(_lensflow.audit(said, data=stream, name=name, progress=watch))


_FILES = {
    "out": "audit.write(path) writes the report, and audit.rfm().write(path) the rows",
    "migration_out": "audit.migration().write(path) writes them",
    "rejects": "audit.rejects().write(path) writes them",
    "partial_out": "lensflow audit --partial-out writes one",
    "checkpoint": "lensflow audit --checkpoint keeps one",
    "sorted": "audit.rfm(sorted=True) sorts them",
}


def _watch(progress: Callable[[Progress], object] | bool | None) -> Callable[[dict[str, Any]], object] | None:
    if progress is None or progress is False:
        return None
    if progress is True:
        from ._progress import bar

        progress = bar()
    tell = progress
    return lambda counts: tell(Progress(**counts))


_Of = TypeVar("_Of")


def _of(kind: type[_Of], values: Mapping[str, Any]) -> _Of:
    """An object of the values it knows: a later engine may say more."""
    known = {field.name: values.get(field.name) for field in fields(kind)}  # type: ignore[arg-type]
    if "revenue_concentration" in known:
        known["revenue_concentration"] = {int(p): share for p, share in values["revenue_concentration"].items()}
    return kind(**known)


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _input(values: Mapping[str, Any]) -> Input:
    return _of(Input, {**values, "first_day": _day(values.get("first_day")), "last_day": _day(values.get("last_day"))})


def _window(values: Mapping[str, Any]) -> Window:
    times = {key: datetime.fromisoformat(values[key]) for key in ("start", "end", "observation_end")}
    days = {key: _day(values.get(key)) for key in ("covered_from", "covered_until")}
    return _of(Window, {**values, **times, **days, "lens1": _of(Lens1, values["lens1"])})
