"""Audits: what is read, and the answers."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, TypeVar, Unpack, overload

from . import _lensflow
from ._answers import ByCohort, ByPair, ByWindow, Comparison, CutPoints, Input, Lens1, Lens2, Window, comparison_of, cut_points_of, input_of, window_of
from ._cohorts import Cohort, CohortComparison, WindowHealth, cohort_comparison_of, cohort_of, health_of
from ._errors import UsageError
from ._html import report_html
from ._options import AuditOptions, StrPath, plain
from ._rows import Rows
from ._scoring import is_rules, rules_of
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


_Path = TypeVar("_Path", bound=StrPath)


class Audit:
    """The answers of an audit, and the rows behind them.

    It holds what the rows are made of: in memory, and where that is too little, in a folder for temporary files. That goes when the
    audit and its rows are let go of.
    """

    __slots__ = (
        "_answers",
        "cohort_comparisons",
        "cohorts",
        "comparisons",
        "cut_points",
        "health",
        "input",
        "lens1",
        "lens2",
        "warnings",
        "windows",
    )

    def __init__(self, answers: _lensflow.Answers) -> None:
        self._answers = answers
        report = json.loads(answers.json("number"), parse_float=Decimal)
        #: What was read.
        self.input: Input = input_of(report["input"])
        #: What scores were given by, where ``cuts`` said so.
        self.cut_points: CutPoints | None = cut_points_of(report.get("cut_points"))
        #: The windows, in time order.
        self.windows: list[Window] = [window_of(window) for window in report["windows"]]
        #: The pairs of adjacent windows, in time order.
        self.comparisons: list[Comparison] = [comparison_of(pair) for pair in report["comparisons"]]
        #: What is to know of the answers: the report's warnings, and what the rules of segments leave open.
        self.warnings: list[str] = report["warnings"] + answers.gaps()
        #: Lens 1 by window.
        self.lens1: ByWindow[Lens1] = ByWindow({window.name: window.lens1 for window in self.windows})
        #: Lens 2 by pair of windows.
        self.lens2: ByPair[Lens2] = ByPair({f"{pair.start} → {pair.end}": pair.lens2 for pair in self.comparisons})

        cohorts = [cohort_of(cohort) for cohort in report.get("cohorts", [])]
        #: Lens 3 by cohort, with ``cohorts=True``.
        self.cohorts: ByCohort[Cohort] = ByCohort({cohort.name: cohort for cohort in cohorts})
        #: Lens 4: each cohort and the next one, with ``cohorts=True``.
        self.cohort_comparisons: list[CohortComparison] = [cohort_comparison_of(pair) for pair in report.get("cohort_comparisons", [])]
        #: Lens 5 by window, with ``cohorts=True``.
        self.health: ByWindow[WindowHealth] = ByWindow({month["window"]: health_of(month) for month in report.get("health", [])})

    def to_json(self, *, numbers: Literal["number", "text"] = "number") -> str:
        """The report as JSON: the bytes that ``lensflow audit --report`` writes."""
        return self._answers.json(numbers)

    def to_dict(self, *, numbers: Literal["number", "text", "decimal"] = "number") -> dict[str, Any]:
        """The JSON report as a dict. Amounts are floats, or with ``numbers`` texts or ``Decimal``, which are exact."""
        if numbers == "decimal":
            return json.loads(self._answers.json("number"), parse_float=Decimal)  # type: ignore[no-any-return]
        return json.loads(self._answers.json(numbers))  # type: ignore[no-any-return]

    def rfm(self, *, sorted: bool = False) -> Rows:
        """A row per customer and window: recency, frequency, monetary value, and scores; with ``segments``, the segment.

        Rows come in the engine's order, which is fixed by the rows alone; ``sorted``, by window and customer.
        """
        return Rows(self._answers.rows("rfm", sorted))

    def migration(self, *, sorted: bool = False) -> Rows:
        """A row per pair of windows and customer: retained, churned, new or reactivated; with ``segments``, from which to which."""
        return Rows(self._answers.rows("migration", sorted))

    def cohort_rows(self) -> Rows:
        """A row per cohort and window: age, active customers, orders and revenue; with ``cohorts=True``."""
        return Rows(self._answers.rows("cohorts", False))

    def rejects(self) -> Rows:
        """Rows and customers that were left out, with their reasons; with ``on_bad_row="reject"``."""
        return Rows(self._answers.rows("rejects", False))

    def text(self) -> str:
        """The answers as tables for people."""
        return self._answers.text(False)

    def markdown(self) -> str:
        """The answers as tables in Markdown."""
        return self._answers.text(True)

    @overload
    def html(
        self, path: None = None, *, currency: str | None = None, locale: str | None = None, template: StrPath | None = None
    ) -> str: ...

    @overload
    def html(
        self, path: _Path, *, currency: str | None = None, locale: str | None = None, template: StrPath | None = None
    ) -> _Path: ...

    def html(
        self,
        path: StrPath | None = None,
        *,
        currency: str | None = None,
        locale: str | None = None,
        template: StrPath | None = None,
    ) -> StrPath:
        """The answers as one page with pictures: the bytes that ``lensflow audit --report x.html`` writes.

        Writes the page to ``path``, whole or not at all, and gives the path; without one, gives the page. ``currency``, ``"EUR"``, is
        what amounts have beside them; ``locale``, ``"de"``, sets the marks of numbers; ``template`` is the file of a template of your own.
        """
        if path is None:
            return self._answers.page(currency, locale, template)
        self._write(path, ".html", currency, locale, template)
        return path

    def xlsx(self, path: _Path) -> _Path:
        """Writes the answers as a workbook with charts, whole or not at all, and gives the path."""
        self._write(path, ".xlsx")
        return path

    def write(self, path: StrPath) -> None:
        """Writes the report as the command does, ``.html``, ``.xlsx``, ``.json``, ``.md`` or ``.txt`` by its name."""
        self._answers.write(path)

    def write_cuts(self, path: _Path, *, window: str | None = None) -> _Path:
        """Writes the cut points of a window, the last with customers if none is named, and gives the path.

        Other windows are scored by them with ``audit(…, cuts=path)``, so that scores of one and the other compare.
        """
        self._answers.write_cuts(path, window)
        return path

    def _write(self, path: StrPath, ending: str, *page: Any) -> None:
        if os.path.splitext(os.fspath(path))[1] != ending:
            raise UsageError(f"{os.fspath(path)}: the name does not end in {ending}", source=os.fspath(path), help=f"end it in {ending}")
        self._answers.write(path, *page)

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

    ``segments`` names groups of customers: ``"standard"``, the path of a TOML file, or rules, ``{"big": {"r": "4..", "orders": (2, 9)}}``.
    ``cohorts=True`` asks for Lenses 3, 4 and 5, too.
    ``cuts`` are cut points to score by, ``{"frequency": [1, 2, 3, 5]}``, or the path of a file of them.

    ``progress`` is called with a :class:`Progress` about ten times a second; ``True`` is a bar, which needs tqdm. Ctrl-C ends the run.
    """
    segments = options.get("segments")
    rules = rules_of(segments) if is_rules(segments) else None
    said = plain({name: value for name, value in options.items() if name != "segments" or rules is None})
    if refused := [key for key in _FILES if key in said]:
        raise UsageError(f"{refused[0]}: the answers of an audit come back", help=_FILES[refused[0]])
    watch = _watch(progress)
    found, stream = inputs_of(data, said)
    if stream is None:
        said["inputs"] = found
        if name is not None:
            raise UsageError("name: files have names of their own", help="leave it out")
        return Audit(_lensflow.audit(said, progress=watch, segments=rules))
    return Audit(_lensflow.audit(said, data=stream, name=name, progress=watch, segments=rules))


_FILES = {
    "out": "audit.write(path) writes the report, and audit.rfm().write(path) the rows",
    "cohorts_out": "audit.cohort_rows().write(path) writes them",
    "currency": 'audit.html(path, currency="EUR") has it',
    "locale": 'audit.html(path, locale="de") has it',
    "template": 'audit.html(path, template="mine.html") has it',
    "json_numbers": 'audit.to_json(numbers="text") has them as texts',
    "csv_safe": "audit.rfm().write(path, csv_safe=True) has it",
    "cuts_out": "audit.write_cuts(path) writes them",
    "cuts_window": 'audit.write_cuts(path, window="2023-03") writes its own',
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
