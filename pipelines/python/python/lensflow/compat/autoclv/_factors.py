"""Numbers with two decimals, half a cent away from zero, and checks of them: what Lenses 4 and 5 have in common."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

ZERO = Decimal("0.00")


def exact(value: Any) -> Decimal:
    return Decimal(str(value))


def rounded(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def quotient(part: Any, whole: Any) -> Decimal:
    return rounded(exact(part) / exact(whole)) if whole > 0 else ZERO


def percent(part: Any, whole: Any) -> Decimal:
    return rounded(exact(part) / exact(whole) * 100) if whole > 0 else ZERO


def check_least(record: Any, names: Iterable[str]) -> None:
    for name in names:
        if (value := getattr(record, name)) < 0:
            raise ValueError(f"{name} must be >= 0, got {value}")


def check_share(record: Any, name: str) -> None:
    if not 0 <= (value := getattr(record, name)) <= 100:
        raise ValueError(f"{name} must be in [0, 100], got {value}")
