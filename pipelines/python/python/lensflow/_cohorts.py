"""Lenses 3, 4 and 5 as typed objects: what becomes of the customers who came in one window. Amounts, percentages and averages are exact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ._answers import of


@dataclass(frozen=True, slots=True)
class CohortAge:
    """A cohort at an age, counted in windows from its own."""

    age: int
    window: str
    active: int
    active_pct: Decimal
    orders: int
    revenue: Decimal
    orders_per_active: Decimal
    revenue_per_active: Decimal
    revenue_per_member: Decimal
    cumulative_revenue: Decimal
    cumulative_revenue_per_member: Decimal


@dataclass(frozen=True, slots=True)
class Cohort:
    """Lens 3: the customers who came in one window, or ``"earlier"``; those have no ages.

    ``left_censored``: they may be older than the data. ``second_window`` counts customers by the distance, in windows, from the first to
    the second window that they are valid in; at ``None`` are those of one window only.
    """

    name: str
    size: int
    left_censored: bool
    ages: list[CohortAge]
    second_window: dict[int | None, int]
    repeat_customers: int
    repeat_pct: Decimal
    orders_per_repeat_customer: Decimal


@dataclass(frozen=True, slots=True)
class Factor:
    """A factor of two cohorts at one age, and its change in percent."""

    start: Decimal
    end: Decimal
    change_pct: Decimal


@dataclass(frozen=True, slots=True)
class ComparedAge:
    """Two cohorts at one age. ``revenue_per_member`` is the product of the others, before they are rounded."""

    age: int
    active_pct: Factor
    orders_per_active: Factor
    average_order_value: Factor
    revenue_per_member: Factor


@dataclass(frozen=True, slots=True)
class CohortComparison:
    """Lens 4: a cohort, ``start``, and the next one, ``end``, at every age that both have."""

    start: str
    end: str
    start_size: int
    end_size: int
    ages: list[ComparedAge]


@dataclass(frozen=True, slots=True)
class CohortShare:
    """What a cohort brings to a window."""

    cohort: str
    active: int
    orders: int
    revenue: Decimal
    revenue_pct: Decimal


@dataclass(frozen=True, slots=True)
class WindowHealth:
    """Lens 5: how much of a window comes from cohorts before it, and from which."""

    window: str
    revenue: Decimal
    active: int
    revenue_earlier: Decimal
    revenue_earlier_pct: Decimal
    active_earlier: int
    active_earlier_pct: Decimal
    by_cohort: list[CohortShare]


def cohort_of(values: Mapping[str, Any]) -> Cohort:
    second = {None if distance == "never" else int(distance): customers for distance, customers in values["second_window"].items()}
    return of(Cohort, {**values, "ages": [of(CohortAge, age) for age in values["ages"]], "second_window": second})


_FACTORS = ("active_pct", "orders_per_active", "average_order_value", "revenue_per_member")


def cohort_comparison_of(values: Mapping[str, Any]) -> CohortComparison:
    def factor(change: Mapping[str, Any]) -> Factor:
        return Factor(change["from"], change["to"], change["change_pct"])

    ages = [of(ComparedAge, {**age, **{name: factor(age[name]) for name in _FACTORS}}) for age in values["ages"]]
    return CohortComparison(values["from"], values["to"], values["size"]["from"], values["size"]["to"], ages)


def health_of(values: Mapping[str, Any]) -> WindowHealth:
    return of(WindowHealth, {**values, "by_cohort": [of(CohortShare, share) for share in values["by_cohort"]]})
