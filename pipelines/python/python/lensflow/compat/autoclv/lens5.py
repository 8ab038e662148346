"""Lens 5: the whole customer base, by cohort, and that library's index of health. ``lensflow.audit`` has no index: its weights are a choice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from ._factors import ZERO, check_least, check_share, exact, percent, quotient, rounded
from .data_mart import PeriodAggregation

#: What the trend of cohorts counts for, and what each part weighs.
_QUALITY = {"improving": Decimal(80), "stable": Decimal(50), "declining": Decimal(20)}
_WEIGHTS = (Decimal("0.30"), Decimal("0.30"), Decimal("0.20"), Decimal("0.20"))
_GRADES = (("A", 90), ("B", 80), ("C", 70), ("D", 60))


@dataclass(frozen=True)
class CohortRevenuePeriod:
    """What a cohort brings in a period."""

    cohort_id: str
    period_start: datetime
    total_revenue: Decimal
    pct_of_period_revenue: Decimal
    active_customers: int
    avg_revenue_per_customer: Decimal

    def __post_init__(self) -> None:
        check_least(self, ("total_revenue",))
        check_share(self, "pct_of_period_revenue")
        check_least(self, ("active_customers", "avg_revenue_per_customer"))


@dataclass(frozen=True)
class CohortRepeatBehavior:
    """How many customers of a cohort ordered again; those without an order are not counted."""

    cohort_id: str
    cohort_size: int
    one_time_buyers: int
    repeat_buyers: int
    repeat_rate: Decimal
    avg_orders_per_repeat_buyer: Decimal

    def __post_init__(self) -> None:
        check_least(self, ("cohort_size", "one_time_buyers", "repeat_buyers"))
        if self.one_time_buyers + self.repeat_buyers != self.cohort_size:
            both = f"one_time_buyers ({self.one_time_buyers}) + repeat_buyers ({self.repeat_buyers})"
            raise ValueError(f"{both} must equal cohort_size ({self.cohort_size})")
        check_share(self, "repeat_rate")
        if self.repeat_buyers > 0 and self.avg_orders_per_repeat_buyer < 2:
            raise ValueError(f"avg_orders_per_repeat_buyer must be >= 2 (by definition), got {self.avg_orders_per_repeat_buyer}")


@dataclass(frozen=True)
class CustomerBaseHealthScore:
    """That library's index of health, and what it is made of."""

    total_customers: int
    total_active_customers: int
    overall_retention_rate: Decimal
    cohort_quality_trend: str
    revenue_predictability_pct: Decimal
    acquisition_dependence_pct: Decimal
    health_score: Decimal
    health_grade: str

    def __post_init__(self) -> None:
        check_least(self, ("total_customers", "total_active_customers"))
        if self.total_active_customers > self.total_customers:
            active = f"total_active_customers ({self.total_active_customers})"
            raise ValueError(f"{active} cannot exceed total_customers ({self.total_customers})")
        check_share(self, "overall_retention_rate")
        _check_trend(self.cohort_quality_trend)
        for name in ("revenue_predictability_pct", "acquisition_dependence_pct", "health_score"):
            check_share(self, name)
        if self.health_grade not in ("A", "B", "C", "D", "F"):
            raise ValueError(f"health_grade must be 'A', 'B', 'C', 'D', or 'F', got '{self.health_grade}'")


@dataclass(frozen=True)
class Lens5Metrics:
    """Revenue by period and cohort, repeat behaviour by cohort, and the index."""

    cohort_revenue_contributions: Sequence[CohortRevenuePeriod]
    cohort_repeat_behavior: Sequence[CohortRepeatBehavior]
    health_score: CustomerBaseHealthScore
    analysis_start_date: datetime
    analysis_end_date: datetime

    def __post_init__(self) -> None:
        _check_dates(self.analysis_start_date, self.analysis_end_date)
        parts = self.cohort_revenue_contributions
        for one, next_one in zip(parts, parts[1:]):
            if one.period_start > next_one.period_start:
                raise ValueError("cohort_revenue_contributions must be sorted by period_start")
            if one.period_start == next_one.period_start and one.cohort_id >= next_one.cohort_id:
                raise ValueError("cohort_revenue_contributions must be sorted by cohort_id within each period")


def _check_trend(trend: str) -> None:
    if trend not in _QUALITY:
        raise ValueError(f"cohort_quality_trend must be 'improving', 'stable', or 'declining', got '{trend}'")


def _check_dates(start: datetime, end: datetime) -> None:
    if start >= end:
        raise ValueError(f"analysis_start_date ({start}) must be before analysis_end_date ({end})")


def determine_cohort_quality_trend(cohort_metrics: Sequence[CohortRepeatBehavior]) -> str:
    """The last cohort's repeat rate against the first's: ``improving`` from 1.1 times on, ``declining`` up to 0.9 times."""
    if len(cohort_metrics) < 2:
        return "stable"
    first, last = cohort_metrics[0].repeat_rate, cohort_metrics[-1].repeat_rate
    if first == 0:
        return "improving" if last > 0 else "stable"
    ratio = last / first
    return "improving" if ratio >= Decimal("1.1") else "declining" if ratio <= Decimal("0.9") else "stable"


def calculate_revenue_metrics(
    cohort_revenue_contributions: Sequence[CohortRevenuePeriod], newest_cohort_id: str
) -> tuple[Decimal, Decimal]:
    """The shares of revenue, in %, that come from all cohorts but the newest, and from the newest."""
    revenue = sum((part.total_revenue for part in cohort_revenue_contributions), Decimal(0))
    parts = (part.total_revenue for part in cohort_revenue_contributions if part.cohort_id == newest_cohort_id)
    newest = sum(parts, Decimal(0))
    return percent(revenue - newest, revenue), percent(newest, revenue)


def calculate_revenue_predictability(cohort_revenue_contributions: Sequence[CohortRevenuePeriod], newest_cohort_id: str) -> Decimal:
    """The first of :func:`calculate_revenue_metrics`."""
    return calculate_revenue_metrics(cohort_revenue_contributions, newest_cohort_id)[0]


def calculate_acquisition_dependence(cohort_revenue_contributions: Sequence[CohortRevenuePeriod], newest_cohort_id: str) -> Decimal:
    """The second of :func:`calculate_revenue_metrics`."""
    return calculate_revenue_metrics(cohort_revenue_contributions, newest_cohort_id)[1]


def calculate_overall_retention_rate(
    period_aggregations: Sequence[PeriodAggregation], cohort_assignments: dict[str, str]
) -> Decimal:
    """Customers with a row, in % of those with a cohort."""
    return percent(len({row.customer_id for row in period_aggregations}), len(cohort_assignments))


def calculate_health_score(
    overall_retention: Decimal, cohort_quality_trend: str, revenue_predictability: Decimal, acquisition_dependence: Decimal
) -> tuple[Decimal, str]:
    """The index, 0 to 100, and its grade."""
    shares = {
        "overall_retention": overall_retention,
        "revenue_predictability": revenue_predictability,
        "acquisition_dependence": acquisition_dependence,
    }
    for name, share in shares.items():
        if not 0 <= share <= 100:
            raise ValueError(f"{name} must be in [0, 100], got {share}")
    _check_trend(cohort_quality_trend)
    parts = (overall_retention, _QUALITY[cohort_quality_trend], revenue_predictability, 100 - acquisition_dependence)
    score = rounded(sum((part * weight for part, weight in zip(parts, _WEIGHTS)), Decimal(0)))
    return score, next((grade for grade, least in _GRADES if score >= least), "F")


def _contributions(rows: Sequence[PeriodAggregation], cohort_assignments: dict[str, str]) -> list[CohortRevenuePeriod]:
    spent: dict[tuple[datetime, str], Decimal] = defaultdict(Decimal)
    active: dict[tuple[datetime, str], set[str]] = defaultdict(set)
    totals: dict[datetime, Decimal] = defaultdict(Decimal)
    for row in rows:
        if (cohort := cohort_assignments.get(row.customer_id)) is not None:
            amount = exact(row.total_spend)
            spent[row.period_start, cohort] += amount
            totals[row.period_start] += amount
            active[row.period_start, cohort].add(row.customer_id)
    parts = []
    for (start, cohort), amount in sorted(spent.items(), key=lambda part: part[0]):
        revenue, customers = rounded(amount), len(active[start, cohort])
        share = percent(revenue, totals[start])
        parts.append(CohortRevenuePeriod(cohort, start, revenue, share, customers, quotient(revenue, customers)))
    return parts


def _repeat_behavior(rows: Sequence[PeriodAggregation], cohort_assignments: dict[str, str]) -> list[CohortRepeatBehavior]:
    orders: Counter[str] = Counter()
    for row in rows:
        orders[row.customer_id] += row.total_orders
    by_cohort: dict[str, list[int]] = defaultdict(list)
    for customer, cohort in cohort_assignments.items():
        by_cohort[cohort].append(orders[customer])
    behavior = []
    for cohort, counts in sorted(by_cohort.items()):
        repeat = [count for count in counts if count > 1]
        once = counts.count(1)
        mean = quotient(sum(repeat), len(repeat)) if repeat else ZERO
        size = once + len(repeat)
        behavior.append(CohortRepeatBehavior(cohort, size, once, len(repeat), percent(len(repeat), size), mean))
    return behavior


def assess_customer_base_health(
    period_aggregations: Sequence[PeriodAggregation],
    cohort_assignments: dict[str, str],
    analysis_start_date: datetime,
    analysis_end_date: datetime,
) -> Lens5Metrics:
    """Lens 5 of the periods that start between two dates; repeat behaviour is that of all periods. The newest cohort is the last by name."""
    for name, given in (("period_aggregations", period_aggregations), ("cohort_assignments", cohort_assignments)):
        if not given:
            raise ValueError(f"{name} cannot be empty")
    _check_dates(analysis_start_date, analysis_end_date)
    rows = [row for row in period_aggregations if analysis_start_date <= row.period_start < analysis_end_date]
    if not rows:
        raise ValueError(f"No periods found in analysis window [{analysis_start_date}, {analysis_end_date})")
    contributions = _contributions(rows, cohort_assignments)
    behavior = _repeat_behavior(period_aggregations, cohort_assignments)
    retention = calculate_overall_retention_rate(rows, cohort_assignments)
    trend = determine_cohort_quality_trend(behavior)
    predictability, dependence = calculate_revenue_metrics(contributions, behavior[-1].cohort_id)
    score, grade = calculate_health_score(retention, trend, predictability, dependence)
    health = CustomerBaseHealthScore(
        total_customers=len(cohort_assignments),
        total_active_customers=len({row.customer_id for row in rows}),
        overall_retention_rate=retention,
        cohort_quality_trend=trend,
        revenue_predictability_pct=predictability,
        acquisition_dependence_pct=dependence,
        health_score=score,
        health_grade=grade,
    )
    return Lens5Metrics(contributions, behavior, health, analysis_start_date, analysis_end_date)
