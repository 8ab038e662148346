"""Line items → orders → what each customer did in each period."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import Enum
from typing import Any

_CENT = Decimal("0.01")


class PeriodGranularity(str, Enum):
    """The calendar periods of a mart."""

    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


@dataclass(slots=True)
class OrderAggregation:
    """An order: its times, and the sums of its lines."""

    order_id: str
    customer_id: str
    order_ts: datetime
    first_item_ts: datetime
    last_item_ts: datetime
    total_spend: float
    total_margin: float
    total_quantity: int
    distinct_products: int


@dataclass(slots=True)
class PeriodAggregation:
    """What one customer did from ``period_start`` until before ``period_end``."""

    customer_id: str
    period_start: datetime
    period_end: datetime
    total_orders: int
    total_spend: float
    total_margin: float
    total_quantity: int
    last_transaction_ts: datetime | None = None


@dataclass
class CustomerDataMart:
    """Orders, and period aggregations by granularity."""

    orders: list[OrderAggregation]
    periods: dict[PeriodGranularity, list[PeriodAggregation]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, list[dict[str, object]]]:
        """All of it as plain values; times as ISO 8601."""
        tables = {"orders": [_plain(order) for order in self.orders]}
        for granularity, rows in self.periods.items():
            tables[f"periods_{granularity.value}"] = [_plain(row) for row in rows]
        return tables


def _plain(row: OrderAggregation | PeriodAggregation) -> dict[str, object]:
    values = {name: getattr(row, name) for name in row.__slots__}
    if values.get("last_transaction_ts", ...) is None:
        del values["last_transaction_ts"]
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}


class CustomerDataMartBuilder:
    """Builds a mart of line items: mappings with ``order_id``, ``customer_id``, ``event_ts`` and what lines are worth."""

    def __init__(self, period_granularities: Sequence[PeriodGranularity] | None = None) -> None:
        wanted = (PeriodGranularity.QUARTER, PeriodGranularity.YEAR) if period_granularities is None else period_granularities
        self.period_granularities = tuple(dict.fromkeys(wanted))

    def build(self, transactions: Iterable[Mapping[str, object]]) -> CustomerDataMart:
        """Groups lines into orders by their ids, and orders into periods by their first moment."""
        orders = _orders(transactions)
        return CustomerDataMart(orders, {every: _periods(orders, every) for every in self.period_granularities})


class _Sum:
    """An order or a period that is being added up."""

    __slots__ = ("customer_id", "end", "first", "last", "margin", "orders", "products", "quantity", "spend")

    def __init__(self, customer_id: str, first: datetime, end: datetime | None = None) -> None:
        self.customer_id, self.first, self.last, self.end = customer_id, first, first, end
        self.spend, self.margin = Decimal(0), Decimal(0)
        self.quantity, self.orders = 0, 0
        self.products: set[str] = set()


def _cents(amount: Decimal) -> float:
    return float(amount.quantize(_CENT, rounding=ROUND_HALF_UP))


def _orders(transactions: Iterable[Mapping[str, Any]]) -> list[OrderAggregation]:
    sums: dict[str, _Sum] = {}
    for at, line in enumerate(transactions):
        try:
            order_id, customer_id = str(line["order_id"]), str(line["customer_id"])
        except KeyError as error:
            raise KeyError(f"Transaction at index {at} missing key {error.args[0]}") from error
        moment = line.get("event_ts") or line.get("order_ts")
        if not isinstance(moment, datetime):
            raise TypeError("Transactions must provide an event_ts/order_ts datetime", {"index": at, "value": moment})
        quantity, total, margin = _worth(at, line)
        order = sums.get(order_id)
        if order is None:
            order = sums[order_id] = _Sum(customer_id, moment)
        order.first, order.last = min(order.first, moment), max(order.last, moment)
        order.spend += total
        order.margin += margin
        order.quantity += quantity
        if product := str(line.get("product_id", "")):
            order.products.add(product)
    orders = [
        OrderAggregation(
            order_id, order.customer_id, order.first, order.first, order.last,
            _cents(order.spend), _cents(order.margin), order.quantity, len(order.products),
        )
        for order_id, order in sums.items()
    ]  # fmt: skip
    orders.sort(key=lambda order: (order.customer_id, order.order_ts))
    return orders


def _worth(at: int, line: Mapping[str, Any]) -> tuple[int, Decimal, Decimal]:
    """The quantity, the total and the margin of a line."""

    def at_least_zero(value: Any, what: str, name: str) -> Any:
        if value < 0:
            raise ValueError(f"{what} cannot be negative", {"index": at, name: value})
        return value

    def amount(name: str) -> Decimal:
        return Decimal(str(line.get(name, 0.0)))

    quantity = at_least_zero(int(line.get("quantity", 1) or 0), "Transaction quantity", "quantity")
    price = at_least_zero(amount("unit_price"), "Unit price", "unit_price")
    total = amount("line_total") if "line_total" in line else price * quantity
    at_least_zero(total, "Line total", "line_total")
    if "line_margin" in line:
        return quantity, total, amount("line_margin")
    cost = at_least_zero(amount("unit_cost"), "Unit cost", "unit_cost")
    each = amount("unit_margin") if "unit_margin" in line else price - cost
    return quantity, total, each * quantity


def _periods(orders: Iterable[OrderAggregation], every: PeriodGranularity) -> list[PeriodAggregation]:
    sums: dict[tuple[str, datetime], _Sum] = {}
    for order in orders:
        start, end = _period_of(order.order_ts, every)
        period = sums.get((order.customer_id, start))
        if period is None:
            period = sums[order.customer_id, start] = _Sum(order.customer_id, start, end)
            period.last = order.order_ts
        period.orders += 1
        period.spend += Decimal(str(order.total_spend))
        period.margin += Decimal(str(order.total_margin))
        period.quantity += order.total_quantity
        period.last = max(period.last, order.order_ts)
    periods = [
        PeriodAggregation(
            period.customer_id, period.first, period.end or period.first, period.orders,
            _cents(period.spend), _cents(period.margin), period.quantity, period.last,
        )
        for period in sums.values()
    ]  # fmt: skip
    return sorted(periods, key=lambda period: (period.customer_id, period.period_start))


def _period_of(moment: datetime, every: PeriodGranularity) -> tuple[datetime, datetime]:
    months = {PeriodGranularity.MONTH: 1, PeriodGranularity.QUARTER: 3, PeriodGranularity.YEAR: 12}.get(every)
    if months is None:
        raise ValueError(f"Unsupported granularity: {every}")
    first = (moment.month - 1) // months * months
    start = moment.replace(month=first + 1, day=1, hour=0, minute=0, second=0, microsecond=0)
    years, month = divmod(first + months, 12)
    return start, start.replace(year=start.year + years, month=month + 1)
