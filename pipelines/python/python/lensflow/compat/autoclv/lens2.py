"""Lens 2: a period against the one before."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from .lens1 import Lens1Metrics, analyze_single_period, rounded
from .rfm import RFMMetrics, check_workers

logger = logging.getLogger(__name__)

#: A change in % beyond which the data may be wrong.
_EXTREME = Decimal("500")


@dataclass(frozen=True)
class CustomerMigration:
    """Who stayed, who left, who is new, and who of the new came back."""

    retained: frozenset[str]
    churned: frozenset[str]
    new: frozenset[str]
    reactivated: frozenset[str]

    def __post_init__(self) -> None:
        for first, second in (("retained", "churned"), ("retained", "new"), ("churned", "new")):
            if both := getattr(self, first) & getattr(self, second):
                raise ValueError(f"Customer IDs cannot be both {first} and {second}: {both}")
        if not self.reactivated <= self.new:
            what = "Reactivated customers must be a subset of new customers"
            raise ValueError(f"{what}: reactivated={self.reactivated}, new={self.new}")


@dataclass(frozen=True)
class Lens2Metrics:
    """Two periods, who moved between them, and how much changed. Rates and changes are in %."""

    period1_metrics: Lens1Metrics
    period2_metrics: Lens1Metrics
    migration: CustomerMigration
    retention_rate: Decimal
    churn_rate: Decimal
    reactivation_rate: Decimal
    customer_count_change: int
    revenue_change_pct: Decimal
    avg_order_value_change_pct: Decimal

    def __post_init__(self) -> None:
        rates = {"Retention": self.retention_rate, "Churn": self.churn_rate, "Reactivation": self.reactivation_rate}
        for what, rate in rates.items():
            if not 0 <= rate <= 100:
                raise ValueError(f"{what} rate must be 0-100: {rate}")
        both = self.retention_rate + self.churn_rate
        # Of nobody, both are 0.
        if both > 0 and abs(both - 100) > Decimal("0.1"):
            what = f"Retention rate ({self.retention_rate}) + churn rate ({self.churn_rate})"
            raise ValueError(f"{what} must equal 100, got {both}")


def analyze_period_comparison(
    period1_rfm: Sequence[RFMMetrics],
    period2_rfm: Sequence[RFMMetrics],
    all_customer_history: Sequence[str] | None = None,
    period1_metrics: Lens1Metrics | None = None,
    period2_metrics: Lens1Metrics | None = None,
    parallel: bool = True,
    parallel_threshold: int = 10_000_000,
    n_workers: int | None = None,
) -> Lens2Metrics:
    """Lens 2 of two periods' metrics. New customers whom the history knows are reactivated, whatever period it knows them of."""
    check_workers(n_workers)
    first, second = _ids(period1_rfm, "period1_rfm"), _ids(period2_rfm, "period2_rfm")
    before = analyze_single_period(period1_rfm) if period1_metrics is None else period1_metrics
    after = analyze_single_period(period2_rfm) if period2_metrics is None else period2_metrics
    retained, churned, new = first & second, first - second, second - first
    reactivated: frozenset[str] = frozenset()
    if all_customer_history:
        history = frozenset(all_customer_history)
        if missing := first - history:
            what = "all_customer_history must include all period1 customers"
            raise ValueError(f"{what}. Missing customer IDs: {missing}")
        reactivated = new & history
    orders = [sum(one.frequency for one in period) for period in (period1_rfm, period2_rfm)]
    revenue_change = _change(before.total_revenue, after.total_revenue)
    value_change = Decimal("0.00")
    if all(orders):
        value_change = _change(before.total_revenue / Decimal(orders[0]), after.total_revenue / Decimal(orders[1]))
    if before.total_revenue > 0 and abs(revenue_change) > _EXTREME:
        _warn("revenue", revenue_change, "major business event")
    if orders[0] > 0 and abs(value_change) > _EXTREME:
        _warn("AOV", value_change, "major pricing change")
    return Lens2Metrics(
        period1_metrics=before,
        period2_metrics=after,
        migration=CustomerMigration(retained, churned, new, reactivated),
        retention_rate=_share(retained, first),
        churn_rate=_share(churned, first),
        reactivation_rate=_share(reactivated, second),
        customer_count_change=len(second) - len(first),
        revenue_change_pct=revenue_change,
        avg_order_value_change_pct=value_change,
    )


def _ids(period: Sequence[RFMMetrics], name: str) -> frozenset[str]:
    counts = Counter(one.customer_id for one in period)
    if twice := [customer for customer, count in counts.items() if count > 1]:
        raise ValueError(f"Duplicate customer IDs found in {name}: {twice}")
    return frozenset(counts)


def _share(part: frozenset[str], whole: frozenset[str]) -> Decimal:
    return rounded(Decimal(len(part)) / Decimal(len(whole)) * 100) if whole else Decimal("0")


def _change(before: Decimal, after: Decimal) -> Decimal:
    if before > 0:
        return rounded((after - before) / before * 100)
    return Decimal("100.00") if after > 0 else Decimal("0.00")


def _warn(what: str, change: Decimal, or_else: str) -> None:
    logger.warning(
        "Extreme %s change detected: %s%%. This indicates a potential data quality issue or %s. "
        "Verify period1 and period2 data is correct.",
        what,
        change,
        or_else,
    )
