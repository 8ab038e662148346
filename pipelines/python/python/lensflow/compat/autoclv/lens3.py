"""Lens 3: what becomes of one cohort. In that library's floats, over the periods that happen to be there; ``lensflow.audit`` counts ages
in windows, also those without activity, and its numbers are exact."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from .data_mart import PeriodAggregation


@dataclass(frozen=True)
class CohortPeriodMetrics:
    """A cohort in one period. Means are over its customers who are active there, or over all of its members.

    ``cumulative_activation_rate`` is the share of members who were active in this or any earlier period: it never falls.
    """

    period_number: int
    active_customers: int
    cumulative_activation_rate: float
    avg_orders_per_customer: float
    avg_revenue_per_customer: float
    avg_orders_per_cohort_member: float
    avg_revenue_per_cohort_member: float
    total_revenue: float

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "cumulative_activation_rate":
                if not 0 <= value <= 1:
                    raise ValueError(f"{field.name} must be between 0 and 1, got {value}")
            elif value < 0:
                raise ValueError(f"{field.name} must be >= 0, got {value}")


@dataclass(frozen=True)
class Lens3Metrics:
    """A cohort, period by period."""

    cohort_name: str
    acquisition_date: datetime
    cohort_size: int
    periods: Sequence[CohortPeriodMetrics]

    def __post_init__(self) -> None:
        if self.cohort_size < 0:
            raise ValueError(f"cohort_size must be >= 0, got {self.cohort_size}")
        numbers, wanted = [period.period_number for period in self.periods], list(range(len(self.periods)))
        if numbers != sorted(numbers):
            raise ValueError("periods must be ordered by period_number")
        if numbers != wanted:
            raise ValueError(f"period_numbers must be contiguous starting from 0. Expected {wanted}, got {numbers}")


def analyze_cohort_evolution(
    cohort_name: str,
    acquisition_date: datetime,
    period_aggregations: Sequence[PeriodAggregation],
    cohort_customer_ids: Sequence[str],
) -> Lens3Metrics:
    """Lens 3 of a cohort. Periods are those that start at the acquisition or later and have a row, numbered from 0."""
    members = set(cohort_customer_ids)
    if not members:
        raise ValueError("cohort_customer_ids cannot be empty")
    if twice := len(cohort_customer_ids) - len(members):
        raise ValueError(f"cohort_customer_ids contains {twice} duplicate IDs. Each customer should appear exactly once.")
    by_start: dict[datetime, list[PeriodAggregation]] = defaultdict(list)
    for row in period_aggregations:
        if row.customer_id in members:
            by_start[row.period_start].append(row)
    if not by_start:
        what = f"No period aggregations found for cohort {cohort_name}"
        raise ValueError(f"{what}. Check that cohort_customer_ids match customer_id values in period_aggregations.")
    starts = sorted(start for start in by_start if start >= acquisition_date)
    if not starts:
        what = f"No periods found on or after acquisition_date {acquisition_date.isoformat()}"
        raise ValueError(f"{what}. Earliest period: {min(by_start).isoformat()}")
    seen: set[str] = set()
    periods = []
    for number, start in enumerate(starts):
        rows = by_start[start]
        active = {row.customer_id for row in rows}
        seen |= active
        orders, revenue = sum(row.total_orders for row in rows), sum(row.total_spend for row in rows)
        periods.append(
            CohortPeriodMetrics(
                period_number=number,
                active_customers=len(active),
                cumulative_activation_rate=len(seen) / len(members),
                avg_orders_per_customer=orders / len(active),
                avg_revenue_per_customer=revenue / len(active),
                avg_orders_per_cohort_member=orders / len(members),
                avg_revenue_per_cohort_member=revenue / len(members),
                total_revenue=revenue,
            )
        )
    return Lens3Metrics(cohort_name, acquisition_date, len(members), periods)


def calculate_cumulative_activation_curve(cohort_metrics: Lens3Metrics) -> Mapping[int, float]:
    """By period, the share of members who were active in it or before."""
    return {period.period_number: period.cumulative_activation_rate for period in cohort_metrics.periods}


def calculate_retention_curve(cohort_metrics: Lens3Metrics) -> Mapping[int, float]:
    """The older name of :func:`calculate_cumulative_activation_curve`: it is no retention."""
    warnings.warn(
        "calculate_retention_curve() is deprecated and will be removed in a future version. "
        "Use calculate_cumulative_activation_curve() instead: what is returned is cumulative activation, not retention.",
        DeprecationWarning,
        stacklevel=2,
    )
    return calculate_cumulative_activation_curve(cohort_metrics)
