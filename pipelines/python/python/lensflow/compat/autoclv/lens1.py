"""Lens 1: one period."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from .rfm import RFMMetrics, RFMScore, check_workers

_CENT = Decimal("0.01")


@dataclass(frozen=True)
class Lens1Metrics:
    """The customers of a period, and how unevenly its revenue is spread over them."""

    total_customers: int
    one_time_buyers: int
    one_time_buyer_pct: Decimal
    total_revenue: Decimal
    top_10pct_revenue_contribution: Decimal
    top_20pct_revenue_contribution: Decimal
    avg_orders_per_customer: Decimal
    median_customer_value: Decimal
    rfm_distribution: dict[str, int]

    def __post_init__(self) -> None:
        if self.total_customers < 0:
            raise ValueError(f"Total customers cannot be negative: {self.total_customers}")
        if self.one_time_buyers < 0:
            raise ValueError(f"One-time buyers cannot be negative: {self.one_time_buyers}")
        if self.one_time_buyers > self.total_customers:
            what = f"One-time buyers ({self.one_time_buyers}) cannot exceed total customers ({self.total_customers})"
            raise ValueError(what)
        if self.total_revenue < 0:
            raise ValueError(f"Total revenue cannot be negative: {self.total_revenue}")
        shares = {
            "One-time buyer percentage": self.one_time_buyer_pct,
            "Top 10% revenue contribution": self.top_10pct_revenue_contribution,
            "Top 20% revenue contribution": self.top_20pct_revenue_contribution,
        }
        for what, share in shares.items():
            if not 0 <= share <= 100:
                raise ValueError(f"{what} must be 0-100: {share}")


def rounded(value: Decimal) -> Decimal:
    """Two decimals, half away from zero."""
    return value.quantize(_CENT, rounding=ROUND_HALF_UP)


def analyze_single_period(
    rfm_metrics: Sequence[RFMMetrics],
    rfm_scores: Sequence[RFMScore] | None = None,
    parallel: bool = True,
    parallel_threshold: int = 10_000_000,
    n_workers: int | None = None,
) -> Lens1Metrics:
    """Lens 1 of a period's metrics. Without scores, the distribution of scores is empty."""
    check_workers(n_workers)
    if not rfm_metrics:
        none = Decimal("0")
        return Lens1Metrics(0, 0, none, none, none, none, none, none, {})
    customers = len(rfm_metrics)
    once = sum(1 for one in rfm_metrics if one.frequency == 1)
    orders = sum(one.frequency for one in rfm_metrics)
    shares = calculate_revenue_concentration(rfm_metrics)
    spends = sorted(one.total_spend for one in rfm_metrics)
    middle = customers // 2
    median = spends[middle] if customers % 2 else rounded((spends[middle - 1] + spends[middle]) / 2)
    return Lens1Metrics(
        total_customers=customers,
        one_time_buyers=once,
        one_time_buyer_pct=rounded(Decimal(once) / Decimal(customers) * 100),
        total_revenue=rounded(sum(spends, Decimal(0))),
        top_10pct_revenue_contribution=shares[10],
        top_20pct_revenue_contribution=shares[20],
        avg_orders_per_customer=rounded(Decimal(orders) / Decimal(customers)),
        median_customer_value=median,
        rfm_distribution=dict(Counter(score.rfm_score for score in rfm_scores or ())),
    )


def calculate_revenue_concentration(
    rfm_metrics: Sequence[RFMMetrics], percentiles: Sequence[int] = (10, 20)
) -> dict[int, Decimal]:
    """The share of revenue, in %, of the customers who spent most: for each percentile of customers, at least one of them."""
    for percentile in percentiles:
        if not 1 <= percentile <= 100:
            raise ValueError(f"Percentiles must be in range 1-100, got: {percentile}")
    spends = sorted((one.total_spend for one in rfm_metrics), reverse=True)
    revenue = sum(spends, Decimal(0))
    if revenue == 0:
        return {percentile: Decimal("0") for percentile in percentiles}
    shares = {}
    for percentile in percentiles:
        top = max(1, int(len(spends) * percentile / 100))
        shares[percentile] = rounded(sum(spends[:top], Decimal(0)) / revenue * 100)
    return shares
