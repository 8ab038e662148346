"""Objects that have the attributes of a period aggregation, as Arrow data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from . import _lensflow


def is_aggregation(item: Any) -> bool:
    """Whether an object says what a customer did in a period."""
    return all(hasattr(item, name) for name in ("customer_id", "period_start", "period_end", "total_orders", "total_spend"))


def batches_of(items: Iterable[Any]) -> _lensflow.Aggregations:
    """The objects as an Arrow stream, some of them at a time."""
    return _lensflow.Aggregations(items)
