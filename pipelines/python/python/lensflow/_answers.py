"""Answers as typed objects: windows and pairs of windows, and what is said of each. Amounts, percentages and averages are exact."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar


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
class CutPoints:
    """What scores were given by instead of each window's own quantiles: the cut points of ``"recency"``, ``"frequency"`` and
    ``"monetary"``, those of them that were given; ``None`` where everybody has 3. ``origin`` says which window they are from."""

    measures: dict[str, list[Decimal] | None]
    origin: str | None


@dataclass(frozen=True, slots=True)
class ScoreCell:
    """The customers of one RFM score."""

    customers: int
    orders: int
    revenue: Decimal


@dataclass(frozen=True, slots=True)
class Decile:
    """A tenth of the customers by spend; the first spent most."""

    decile: int
    customers: int
    revenue: Decimal
    share_pct: Decimal
    cumulative_pct: Decimal


@dataclass(frozen=True, slots=True)
class More:
    """Who brings how much of a window's revenue, and how orders and spends are distributed.

    ``rfm_cells`` has the RFM scores that occur. ``lorenz[k]`` is the share of revenue, in percent, of the ``k`` % of customers who
    spent least. ``orders_distribution`` counts customers with ``"1"`` to ``"9"`` and ``"10+"`` orders; ``spend_distribution`` by spend
    in steps of 1-2-5: at ``20`` are those from 20 to less than 50.
    """

    rfm_cells: dict[str, ScoreCell]
    deciles: list[Decile]
    lorenz: list[Decimal]
    gini: Decimal
    orders_distribution: dict[str, int]
    spend_distribution: dict[int, int]


@dataclass(frozen=True, slots=True)
class Segment:
    """The customers of one segment in a window."""

    segment: str
    customers: int
    customers_pct: Decimal
    orders: int
    revenue: Decimal
    revenue_pct: Decimal
    average_order_value: Decimal


@dataclass(frozen=True, slots=True)
class Lens1:
    """One window: its customers, orders and revenue. Amounts, averages and percentages are exact, with two decimals.

    ``more`` says who brings how much of the revenue. With ``segments=``, ``segments`` has each of them, in the order of the rules, and
    ``segment_cells`` counts customers by segment for each recency and frequency score, ``"51"``.
    """

    total_customers: int
    one_time_buyers: int
    one_time_buyer_pct: Decimal
    total_revenue: Decimal
    total_orders: int
    revenue_concentration: dict[int, Decimal]
    avg_orders_per_customer: Decimal
    median_customer_value: Decimal
    rfm_distribution: dict[str, int]
    more: More
    segments: list[Segment]
    segment_cells: dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class Earned:
    """Customers, and what they spent."""

    customers: int
    revenue: Decimal


@dataclass(frozen=True, slots=True)
class Shrunk:
    """Customers who spent less, and how much less."""

    customers: int
    loss: Decimal


@dataclass(frozen=True, slots=True)
class Grown:
    """Customers who spent more, and how much more."""

    customers: int
    gain: Decimal


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Customers who spent the same."""

    customers: int


@dataclass(frozen=True, slots=True)
class RevenueBridge:
    """Where the money went: ``revenue_before``, less ``churned`` and ``shrunk``, plus ``grown``, ``new`` (not seen before) and
    ``reactivated``, is ``revenue_after``, to the cent."""

    revenue_before: Decimal
    churned: Earned
    shrunk: Shrunk
    grown: Grown
    unchanged: Unchanged
    new: Earned
    reactivated: Earned
    revenue_after: Decimal


@dataclass(frozen=True, slots=True)
class ScoreMigration:
    """Customers by score in the first window, then by score in the second; 0 is not active there. Only what occurs."""

    r: dict[int, dict[int, int]]
    f: dict[int, dict[int, int]]
    m: dict[int, dict[int, int]]


@dataclass(frozen=True, slots=True)
class Lens2:
    """Two adjacent windows: who stayed, who left, who is new, who came back.

    ``revenue_bridge`` says where the money went, ``score_migration`` how scores moved. With ``segments=``, ``segment_migration`` counts
    customers by segment in the first window, then in the second; ``"inactive"`` is not active there.
    """

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
    revenue_bridge: RevenueBridge
    score_migration: ScoreMigration
    segment_migration: dict[str, dict[str, int]] | None


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

    @property
    def more(self) -> More:
        """``lens1.more``."""
        return self.lens1.more

    @property
    def segments(self) -> list[Segment]:
        """``lens1.segments``."""
        return self.lens1.segments


@dataclass(frozen=True, slots=True)
class Comparison:
    """A pair of adjacent windows, and its answers."""

    start: str
    end: str
    lens2: Lens2

    @property
    def revenue_bridge(self) -> RevenueBridge:
        """``lens2.revenue_bridge``."""
        return self.lens2.revenue_bridge

    @property
    def score_migration(self) -> ScoreMigration:
        """``lens2.score_migration``."""
        return self.lens2.score_migration

    @property
    def segment_migration(self) -> dict[str, dict[str, int]] | None:
        """``lens2.segment_migration``."""
        return self.lens2.segment_migration


_Answer = TypeVar("_Answer")


class ByWindow(Mapping[str, _Answer]):
    """Answers by the name of their window, in time order; also by place: ``[0]`` is the first, ``[-1]`` the last."""

    __slots__ = ("_answers",)
    _kind = "window"

    def __init__(self, answers: dict[str, _Answer]) -> None:
        self._answers = answers

    def __getitem__(self, name: str | int) -> _Answer:
        if isinstance(name, int):
            return list(self._answers.values())[name]
        try:
            return self._answers[name]
        except KeyError:
            known = ", ".join(self._answers) or "none"
            raise KeyError(f"{name!r} is no {self._kind} of this audit; there are: {known}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._answers)

    def __len__(self) -> int:
        return len(self._answers)

    def __repr__(self) -> str:
        return repr(self._answers)


class ByCohort(ByWindow[_Answer]):
    """Answers by the name of their cohort: ``"earlier"``, or that of its window."""

    __slots__ = ()
    _kind = "cohort"


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


_Of = TypeVar("_Of")


def of(kind: type[_Of], values: Mapping[str, Any]) -> _Of:
    """An object of the values it knows: a later engine may say more."""
    return kind(**{field.name: values.get(field.name) for field in fields(kind)})  # type: ignore[arg-type]


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def input_of(values: Mapping[str, Any]) -> Input:
    return of(Input, {**values, "first_day": _day(values.get("first_day")), "last_day": _day(values.get("last_day"))})


def cut_points_of(values: Mapping[str, Any] | None) -> CutPoints | None:
    if values is None:
        return None
    cuts = {name: points for name, points in values.items() if name in ("recency", "frequency", "monetary")}
    exact = {name: None if points is None else [Decimal(point) for point in points] for name, points in cuts.items()}
    return CutPoints(exact, values.get("from"))


def window_of(values: Mapping[str, Any]) -> Window:
    times = {key: datetime.fromisoformat(values[key]) for key in ("start", "end", "observation_end")}
    days = {key: _day(values.get(key)) for key in ("covered_from", "covered_until")}
    return of(Window, {**values, **times, **days, "lens1": _lens1(values)})


def comparison_of(values: Mapping[str, Any]) -> Comparison:
    return Comparison(values["from"], values["to"], _lens2(values))


def _lens1(window: Mapping[str, Any]) -> Lens1:
    lens1 = window["lens1"]
    return of(
        Lens1,
        {
            **lens1,
            "revenue_concentration": {int(percent): share for percent, share in lens1["revenue_concentration"].items()},
            "more": _more(window["more"]),
            "segments": [of(Segment, segment) for segment in window.get("segments", [])],
            "segment_cells": window.get("segment_cells", {}),
        },
    )


def _more(more: Mapping[str, Any]) -> More:
    made = {
        "rfm_cells": {score: of(ScoreCell, cell) for score, cell in more["rfm_cells"].items()},
        "deciles": [of(Decile, decile) for decile in more["deciles"]],
        "spend_distribution": {int(step): customers for step, customers in more["spend_distribution"].items()},
    }
    return of(More, {**more, **made})


_FLOWS = {"churned": Earned, "shrunk": Shrunk, "grown": Grown, "unchanged": Unchanged, "new": Earned, "reactivated": Earned}


def _lens2(pair: Mapping[str, Any]) -> Lens2:
    bridge = pair["revenue_bridge"]
    made = {
        "revenue_bridge": of(RevenueBridge, {**bridge, **{name: of(kind, bridge[name]) for name, kind in _FLOWS.items()}}),
        "score_migration": ScoreMigration(**{measure: _moves(pair["score_migration"][measure]) for measure in "rfm"}),
        "segment_migration": pair.get("segment_migration"),
    }
    return of(Lens2, {**pair["lens2"], **made})


def _moves(scores: Mapping[str, Mapping[str, int]]) -> dict[int, dict[int, int]]:
    return {int(before): {int(after): customers for after, customers in to.items()} for before, to in scores.items()}
