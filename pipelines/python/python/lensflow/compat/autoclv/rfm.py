"""Recency, frequency and monetary value of each customer, and scores of them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from ... import _lensflow
from .data_mart import PeriodAggregation

_CENT = Decimal("0.01")


class _Fields:
    """``vars`` of an object with slots: what it would be without."""

    __slots__ = ()

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, weakref_slot=True)
class RFMMetrics(_Fields):
    """One customer's recency in days, number of orders, and value of an order."""

    customer_id: str
    recency_days: int
    frequency: int
    monetary: Decimal
    observation_start: datetime
    observation_end: datetime
    total_spend: Decimal

    def __post_init__(self) -> None:
        def wrong(what: str) -> ValueError:
            return ValueError(f"{what} (customer_id={self.customer_id})")

        if self.recency_days < 0:
            raise wrong(f"Recency cannot be negative: {self.recency_days}")
        if self.frequency <= 0:
            raise wrong(f"Frequency must be positive: {self.frequency}")
        if self.monetary < 0:
            raise wrong(f"Monetary value cannot be negative: {self.monetary}")
        if self.total_spend < 0:
            raise wrong(f"Total spend cannot be negative: {self.total_spend}")
        each = self.total_spend / self.frequency
        if abs(self.monetary - each) > _CENT:
            raise wrong(f"Monetary ({self.monetary}) != total_spend / frequency ({each})")


@dataclass(frozen=True)
class RFMScore:
    """One customer's scores, 1 to 5, the best customers highest."""

    customer_id: str
    r_score: int
    f_score: int
    m_score: int
    rfm_score: str

    def __post_init__(self) -> None:
        for name in ("r_score", "f_score", "m_score"):
            score = getattr(self, name)
            if not 1 <= score <= 5:
                raise ValueError(f"{name} must be between 1 and 5: {score} (customer_id={self.customer_id})")
        digits = f"{self.r_score}{self.f_score}{self.m_score}"
        if self.rfm_score != digits:
            what = f"rfm_score ({self.rfm_score}) does not match r/f/m scores ({digits})"
            raise ValueError(f"{what} (customer_id={self.customer_id})")


def check_workers(n_workers: int | None) -> None:
    """Refuses fewer than one."""
    if n_workers is not None and n_workers < 1:
        raise ValueError(f"n_workers must be >= 1, got {n_workers}")


def calculate_rfm(
    period_aggregations: Sequence[PeriodAggregation],
    observation_end: datetime,
    parallel: bool = True,
    parallel_threshold: int = 10_000_000,
    n_workers: int | None = None,
) -> list[RFMMetrics]:
    """The metrics of every customer, sorted by ``customer_id``."""
    if not period_aggregations:
        return []
    if n_workers is None or n_workers >= 1:
        try:
            return _lensflow.compat_rfm(period_aggregations, observation_end, RFMMetrics, Decimal)
        except (TypeError, ValueError, OverflowError):
            # What the fast way refuses is said, or done, in that library's own way.
            pass
    return _one_by_one(period_aggregations, observation_end, n_workers)


def _one_by_one(periods: Sequence[Any], observation_end: datetime, n_workers: int | None) -> list[RFMMetrics]:
    """The plain way, for what the engine does not take: it is slow, and its errors are those of the library."""
    sums: dict[str, list[Any]] = {}
    for period in periods:
        last, spend = period.last_transaction_ts, Decimal(str(period.total_spend))
        known = sums.get(period.customer_id)
        if last is not None and last > observation_end:
            what = f"Transaction timestamp ({last}) cannot be after observation_end ({observation_end})"
            raise ValueError(f"{what} for customer {period.customer_id}")
        if known is None:
            sums[period.customer_id] = [last, period.period_end, period.period_start, period.total_orders, spend]
            continue
        if last is not None and (known[0] is None or last > known[0]):
            known[0] = last
        known[1], known[2] = max(known[1], period.period_end), min(known[2], period.period_start)
        known[3] += period.total_orders
        known[4] += spend
    check_workers(n_workers)
    metrics = []
    for customer, (last, end, start, orders, spend) in sums.items():
        days = (observation_end - (end if last is None else last)).days
        total = spend.quantize(_CENT, rounding=ROUND_HALF_UP)
        each = (total / orders).quantize(_CENT, rounding=ROUND_HALF_UP) if orders else Decimal("0.00")
        metrics.append(RFMMetrics(customer, days, orders, each, start, observation_end, total))
    metrics.sort(key=lambda one: one.customer_id)
    return metrics


def calculate_rfm_scores(
    rfm_metrics: Sequence[RFMMetrics],
    recency_bins: int = 5,
    frequency_bins: int = 5,
    monetary_bins: int = 5,
) -> list[RFMScore]:
    """Scores by the quantiles of each measure, sorted by ``customer_id``. Where values are equal there can be fewer scores."""
    if not rfm_metrics:
        return []
    recency = _scores([float(one.recency_days) for one in rfm_metrics], recency_bins, best_is_low=True)
    frequency = _scores([float(one.frequency) for one in rfm_metrics], frequency_bins)
    monetary = _scores([float(one.monetary) for one in rfm_metrics], monetary_bins)
    scores = [
        RFMScore(one.customer_id, r, f, m, f"{r}{f}{m}")
        for one, r, f, m in zip(rfm_metrics, recency, frequency, monetary, strict=True)
    ]
    scores.sort(key=lambda score: score.customer_id)
    return scores


def _scores(values: list[float], bins: int, best_is_low: bool = False) -> list[int]:
    """Each value's score. All arithmetic is of doubles, in this order: ties are decided by their last bit."""
    in_order = sorted(values)
    distinct = len(set(in_order))
    if distinct == 1:
        return [3] * len(values)
    parts = min(bins, distinct)
    step = 1 / parts
    edges: list[float] = []
    for k in range(parts + 1):
        share = (k * step if k < parts else 1.0) * 100 / 100
        at = (len(values) - 1) * share
        below = int(at)
        past = at - below
        low, high = in_order[below], in_order[min(below + 1, len(values) - 1)]
        edge = low + (high - low) * past if past < 0.5 else high - (high - low) * (1 - past)
        if not edges or edge != edges[-1]:
            edges.append(edge)
    found = [max(bisect_left(edges, value) - 1, 0) for value in values]
    most = max(found)
    return [most - at + 1 if best_is_low else at + 1 for at in found]
