"""Lens 4: cohorts beside each other. As in that library, each factor is rounded before it is multiplied, a customer's periods are numbered
as they come, and what counts as active is rows; ``lensflow.audit`` counts ages in windows, and rounds once."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import attrgetter
from statistics import median

from ._factors import ZERO, check_least, check_share, exact, percent, quotient, rounded
from .data_mart import PeriodAggregation

logger = logging.getLogger(__name__)

#: Cohorts of fewer customers get a warning.
MIN_COHORT_SIZE = 10

_ALIGNMENTS = ("left-aligned", "time-aligned")

@dataclass(frozen=True)
class CohortDecomposition:
    """A cohort in a period: ``revenue`` is the product of its size and of the four factors, each rounded before."""

    cohort_id: str
    period_number: int
    cohort_size: int
    active_customers: int
    pct_active: Decimal
    total_orders: int
    aof: Decimal
    total_revenue: Decimal
    aov: Decimal
    margin: Decimal
    revenue: Decimal

    def __post_init__(self) -> None:
        check_least(self, ("period_number", "cohort_size", "active_customers"))
        if self.active_customers > self.cohort_size:
            raise ValueError(f"active_customers ({self.active_customers}) cannot exceed cohort_size ({self.cohort_size})")
        check_share(self, "pct_active")
        check_share(self, "margin")
        check_least(self, ("total_orders", "aof", "aov", "total_revenue", "revenue"))


@dataclass(frozen=True)
class TimeToSecondPurchase:
    """How long it took the customers of a cohort from their first period to their second."""

    cohort_id: str
    customers_with_repeat: int
    repeat_rate: Decimal
    median_days: Decimal
    mean_days: Decimal
    cumulative_repeat_by_period: Mapping[int, Decimal]

    def __post_init__(self) -> None:
        check_least(self, ("customers_with_repeat",))
        check_share(self, "repeat_rate")
        check_least(self, ("median_days", "mean_days"))


@dataclass(frozen=True)
class CohortComparison:
    """Two cohorts in the periods of one number."""

    cohort_a_id: str
    cohort_b_id: str
    period_number: int
    pct_active_delta: Decimal
    aof_delta: Decimal
    aov_delta: Decimal
    revenue_delta: Decimal
    pct_active_change_pct: Decimal
    aof_change_pct: Decimal
    aov_change_pct: Decimal
    revenue_change_pct: Decimal


@dataclass(frozen=True)
class Lens4Metrics:
    """All cohorts, period by period."""

    cohort_decompositions: Sequence[CohortDecomposition]
    time_to_second_purchase: Sequence[TimeToSecondPurchase]
    cohort_comparisons: Sequence[CohortComparison]
    alignment_type: str

    def __post_init__(self) -> None:
        _check_alignment(self.alignment_type)
        for one, next_one in zip(self.cohort_decompositions, self.cohort_decompositions[1:]):
            if one.cohort_id > next_one.cohort_id:
                raise ValueError("cohort_decompositions must be sorted by cohort_id")
            if one.cohort_id == next_one.cohort_id and one.period_number >= next_one.period_number:
                raise ValueError("cohort_decompositions must be sorted by period_number within each cohort")


def _check_alignment(alignment_type: str) -> None:
    if alignment_type not in _ALIGNMENTS:
        raise ValueError(f"alignment_type must be 'left-aligned' or 'time-aligned', got '{alignment_type}'")


def calculate_cohort_decomposition(
    cohort_id: str,
    period_number: int,
    cohort_size: int,
    period_data: Sequence[PeriodAggregation],
    include_margin: bool = False,
) -> CohortDecomposition:
    """A cohort's factors in a period, whose rows are given. Without margin, that is 100 %."""
    orders = sum(row.total_orders for row in period_data)
    spent = rounded(exact(sum(row.total_spend for row in period_data)))
    margin = Decimal("100.00")
    if include_margin:
        margin = percent(rounded(exact(sum(row.total_margin for row in period_data))), spent)
    pct_active, aof, aov = percent(len(period_data), cohort_size), quotient(orders, len(period_data)), quotient(spent, orders)
    revenue = rounded(cohort_size * (pct_active / 100) * aof * aov * (margin / 100))
    return CohortDecomposition(
        cohort_id=cohort_id,
        period_number=period_number,
        cohort_size=cohort_size,
        active_customers=len(period_data),
        pct_active=pct_active,
        total_orders=orders,
        aof=aof,
        total_revenue=spent,
        aov=aov,
        margin=margin,
        revenue=revenue,
    )


def calculate_time_to_second_purchase(
    cohort_id: str,
    cohort_size: int,
    customer_periods: dict[str, list[PeriodAggregation]],
) -> TimeToSecondPurchase:
    """Days from the start of a customer's first period to that of the second; the periods of each are in time order."""
    days = [(rows[1].period_start - rows[0].period_start).days for rows in customer_periods.values() if len(rows) > 1]
    first = next(iter(customer_periods.values()), [])
    if len(first) > 1:
        logger.warning(
            "Time-to-second-purchase for cohort %s calculated using period boundaries. Expected accuracy: ±%d days. "
            "Use transaction timestamps for precise timing analysis.",
            cohort_id,
            (first[1].period_start - first[0].period_start).days // 2,
        )
    counts = [len(rows) for rows in customer_periods.values()]
    cumulative = {
        number: percent(sum(count > number + 1 for count in counts), cohort_size) for number in range(max(counts, default=0))
    }
    return TimeToSecondPurchase(
        cohort_id=cohort_id,
        customers_with_repeat=len(days),
        repeat_rate=percent(len(days), cohort_size),
        median_days=rounded(exact(median(days))) if days else ZERO,
        mean_days=quotient(sum(days), len(days)),
        cumulative_repeat_by_period=cumulative,
    )


def compare_cohort_pair(cohort_a_decomp: CohortDecomposition, cohort_b_decomp: CohortDecomposition) -> CohortComparison:
    """Two cohorts in the periods of one number; revenue is that per customer of the cohort."""
    a, b = cohort_a_decomp, cohort_b_decomp
    if a.period_number != b.period_number:
        raise ValueError(f"Cannot compare cohorts at different periods: {a.period_number} != {b.period_number}")
    revenue = [one.total_revenue / Decimal(one.cohort_size) if one.cohort_size > 0 else ZERO for one in (a, b)]
    return CohortComparison(
        cohort_a_id=a.cohort_id,
        cohort_b_id=b.cohort_id,
        period_number=a.period_number,
        pct_active_delta=b.pct_active - a.pct_active,
        aof_delta=b.aof - a.aof,
        aov_delta=b.aov - a.aov,
        revenue_delta=revenue[1] - revenue[0],
        pct_active_change_pct=_change(a.pct_active, b.pct_active),
        aof_change_pct=_change(a.aof, b.aof),
        aov_change_pct=_change(a.aov, b.aov),
        revenue_change_pct=_change(*revenue),
    )


def _change(before: Decimal, after: Decimal) -> Decimal:
    if before > 0:
        return rounded((after - before) / before * 100)
    return Decimal("100.00") if after > 0 else ZERO


def compare_cohorts(
    period_aggregations: Sequence[PeriodAggregation],
    cohort_assignments: dict[str, str],
    alignment_type: str = "left-aligned",
    include_margin: bool = False,
) -> Lens4Metrics:
    """Lens 4. ``left-aligned`` numbers the periods of each customer as they come, ``time-aligned`` those of all; only the former compares.

    Neighbours are so by the order of their names.
    """
    _check_alignment(alignment_type)
    if not period_aggregations or not cohort_assignments:
        return Lens4Metrics([], [], [], alignment_type)
    by_customer: dict[str, list[PeriodAggregation]] = defaultdict(list)
    for row in sorted(period_aggregations, key=attrgetter("period_start")):
        by_customer[row.customer_id].append(row)
    sizes = Counter(cohort_assignments.values())
    for cohort, size in sizes.items():
        if size < MIN_COHORT_SIZE:
            logger.warning(
                "Cohort %s has only %d customers (minimum %d recommended for reliable statistics). Metrics may be unstable: "
                "median/mean calculations, percentage changes, and comparisons should be interpreted with caution.",
                cohort,
                size,
                MIN_COHORT_SIZE,
            )
    left_aligned = alignment_type == "left-aligned"
    places = {start: place for place, start in enumerate(sorted({row.period_start for row in period_aggregations}))}
    cells: dict[tuple[str, int], list[PeriodAggregation]] = defaultdict(list)
    members: dict[str, dict[str, list[PeriodAggregation]]] = {cohort: {} for cohort in sizes}
    for customer, cohort in cohort_assignments.items():
        rows = by_customer.get(customer)
        if not rows:
            continue
        members[cohort][customer] = rows
        for place, row in enumerate(rows):
            cells[cohort, place if left_aligned else places[row.period_start]].append(row)
    decompositions = [
        calculate_cohort_decomposition(cohort, number, sizes[cohort], rows, include_margin)
        for (cohort, number), rows in sorted(cells.items(), key=lambda cell: cell[0])
    ]
    seconds = [calculate_time_to_second_purchase(cohort, size, members[cohort]) for cohort, size in sorted(sizes.items())]
    comparisons = []
    if left_aligned:
        by_number: dict[int, list[CohortDecomposition]] = defaultdict(list)
        for one in decompositions:
            by_number[one.period_number].append(one)
        for _, ones in sorted(by_number.items()):
            comparisons += [compare_cohort_pair(a, b) for a, b in zip(ones, ones[1:])]
    else:
        logger.info("Cohort comparisons not supported for time-aligned mode: its cohorts are of different ages. Use left-aligned mode.")
    return Lens4Metrics(decompositions, seconds, comparisons, alignment_type)
