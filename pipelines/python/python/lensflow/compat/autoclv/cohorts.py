"""Cohorts by when customers were acquired: definitions, and which customer is of which."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, TypedDict, Union

from .customer_contract import CustomerIdentifier

logger = logging.getLogger(__name__)


class CohortMetadata(TypedDict, total=False):
    """What may be said of a cohort."""

    description: str
    campaign_id: str
    acquisition_channel: str
    created_by: str
    created_at: str


@dataclass(frozen=True)
class CohortDefinition:
    """The customers who were acquired from one moment until before another."""

    cohort_id: str
    start_date: datetime
    end_date: datetime
    metadata: Union[CohortMetadata, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        start, end = self.start_date, self.end_date
        if start >= end:
            raise ValueError(f"start_date must be before end_date: start={start.isoformat()}, end={end.isoformat()}")


def normalize_to_utc(dt: datetime) -> datetime:
    """The same moment in UTC; a time without an offset is refused."""
    if dt.tzinfo is None:
        hint = "Use timezone-aware datetimes. For UTC timestamps, use: datetime(..., tzinfo=timezone.utc)"
        raise ValueError(f"Naive datetime not allowed. {hint}")
    return dt.astimezone(timezone.utc)


def validate_non_overlapping(cohort_definitions: Sequence[CohortDefinition]) -> None:
    """Refuses cohorts that a customer could be in twice."""
    ordered = sorted(cohort_definitions, key=lambda cohort: cohort.start_date)
    for one, next_one in zip(ordered, ordered[1:]):
        if one.end_date > next_one.start_date:
            ends, starts = one.end_date.isoformat(), next_one.start_date.isoformat()
            what = f"'{one.cohort_id}' (ends {ends}) overlaps with '{next_one.cohort_id}' (starts {starts})"
            raise ValueError(f"Overlapping cohorts detected: {what}")


def assign_cohorts(
    customers: Sequence[CustomerIdentifier],
    cohort_definitions: Sequence[CohortDefinition],
    require_full_coverage: bool = True,
) -> dict[str, str]:
    """The cohort of each customer: the first that holds the moment of acquisition."""
    counts = Counter(customer.customer_id for customer in customers)
    if twice := [customer for customer, count in counts.items() if count > 1]:
        raise ValueError(f"Duplicate customer_id values detected: {twice[:5]}. Each customer must appear exactly once.")
    assigned: dict[str, str] = {}
    unassigned: list[str] = []
    for customer in customers:
        holding = (cohort for cohort in cohort_definitions if cohort.start_date <= customer.acquisition_ts < cohort.end_date)
        if (found := next(holding, None)) is None:
            unassigned.append(customer.customer_id)
        else:
            assigned[customer.customer_id] = found.cohort_id
    if not unassigned:
        return assigned
    coverage = f"{len(assigned) / len(customers) * 100:.1f}% coverage"
    if require_full_coverage:
        raise ValueError(
            f"{len(unassigned)} customers fall outside cohort ranges ({coverage}).\n"
            f"First 5 unassigned: {unassigned[:5]}\n"
            "This may indicate missing cohort definitions or data quality issues.\n"
            "To allow partial coverage, set require_full_coverage=False (not recommended)."
        )
    share = len(unassigned) / len(customers) * 100
    logger.warning(
        f"Cohort assignment incomplete: {len(unassigned)}/{len(customers)} customers ({share:.1f}%) fall outside cohort ranges "
        f"({coverage}). These customers will be excluded from cohort analysis. First 5 unassigned: {unassigned[:5]}."
    )
    return assigned


def validate_cohort_coverage(
    customers: Sequence[CustomerIdentifier],
    cohort_definitions: Sequence[CohortDefinition],
    require_full_coverage: bool = False,
) -> tuple[int, int]:
    """How many customers have a cohort, and how many have none."""
    assigned = len(assign_cohorts(customers, cohort_definitions, require_full_coverage=require_full_coverage))
    return assigned, len(customers) - assigned


def _calendar(
    customers: Sequence[CustomerIdentifier],
    start: datetime | None,
    end: datetime | None,
    months: int,
    named: Callable[[datetime], tuple[str, dict[str, int]]],
) -> list[CohortDefinition]:
    """Cohorts of so many months each, from the period of the first customer to that of the last where nothing else is said."""
    if not customers and (start is None or end is None):
        raise ValueError("Either customers must be non-empty or both start_date and end_date must be provided")
    zones = [customer.acquisition_ts.tzinfo for customer in customers]
    for customer, zone in zip(customers, zones):
        if zone != zones[0]:
            what = f"Expected {zones[0]}, got {zone} for customer {customer.customer_id}"
            raise ValueError(f"Inconsistent timezone detected. {what}. All acquisition_ts must use the same timezone.")

    def begin(moment: datetime, periods: int) -> datetime:
        month = (moment.month - 1) // months * months + periods * months
        return datetime(moment.year + month // 12, month % 12 + 1, 1, tzinfo=moment.tzinfo)

    if start is None:
        start = begin(min(customer.acquisition_ts for customer in customers), 0)
    if end is None:
        end = begin(max(customer.acquisition_ts for customer in customers), 1)
    cohorts = []
    while start < end:
        after = begin(start, 1)
        name, metadata = named(start)
        cohorts.append(CohortDefinition(name, start, after, metadata))
        start = after
    return cohorts


def create_monthly_cohorts(
    customers: Sequence[CustomerIdentifier], start_date: datetime | None = None, end_date: datetime | None = None
) -> list[CohortDefinition]:
    """A cohort a month, ``2023-01``."""

    def named(at: datetime) -> tuple[str, dict[str, int]]:
        return at.strftime("%Y-%m"), {"year": at.year, "month": at.month}

    return _calendar(customers, start_date, end_date, 1, named)


def create_quarterly_cohorts(
    customers: Sequence[CustomerIdentifier], start_date: datetime | None = None, end_date: datetime | None = None
) -> list[CohortDefinition]:
    """A cohort a quarter, ``2023-Q1``."""

    def named(at: datetime) -> tuple[str, dict[str, int]]:
        quarter = (at.month - 1) // 3 + 1
        return f"{at.year}-Q{quarter}", {"year": at.year, "quarter": quarter}

    return _calendar(customers, start_date, end_date, 3, named)


def create_yearly_cohorts(
    customers: Sequence[CustomerIdentifier], start_date: datetime | None = None, end_date: datetime | None = None
) -> list[CohortDefinition]:
    """A cohort a year, ``2023``."""

    def named(at: datetime) -> tuple[str, dict[str, int]]:
        return str(at.year), {"year": at.year}

    return _calendar(customers, start_date, end_date, 12, named)
