"""Answers as HTML, for notebooks. No script, and every text from outside is escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._audit import Audit

_STYLE = "text-align:right;font-variant-numeric:tabular-nums"


def report_html(audit: Audit) -> str:
    """Lens 1 of each window, Lens 2 of each pair, and what is to know of them."""
    lens1 = [
        ("customers", [f"{w.lens1.total_customers:,}" for w in audit.windows]),
        ("one-time buyers %", [_number(w.lens1.one_time_buyer_pct) for w in audit.windows]),
        ("orders", [f"{w.lens1.total_orders:,}" for w in audit.windows]),
        ("orders per customer", [_number(w.lens1.avg_orders_per_customer) for w in audit.windows]),
        ("revenue", [_number(w.lens1.total_revenue) for w in audit.windows]),
        ("median customer value", [_number(w.lens1.median_customer_value) for w in audit.windows]),
    ]
    if audit.windows:
        for share in audit.windows[0].lens1.revenue_concentration:
            values = [_number(w.lens1.revenue_concentration[share]) for w in audit.windows]
            lens1.append((f"revenue of top {share} %, in %", values))
    names = [w.name for w in audit.windows]
    parts = [_table("Lens 1: each period", names, lens1)]
    if audit.comparisons:
        pairs = audit.comparisons
        lens2 = [
            ("retained", [f"{p.lens2.retained:,}" for p in pairs]),
            ("churned", [f"{p.lens2.churned:,}" for p in pairs]),
            ("new", [f"{p.lens2.new:,}" for p in pairs]),
            ("of them reactivated", [f"{p.lens2.reactivated:,}" for p in pairs]),
            ("retention %", [_number(p.lens2.retention_rate) for p in pairs]),
            ("churn %", [_number(p.lens2.churn_rate) for p in pairs]),
            ("change in customers", [f"{p.lens2.customer_count_change:+,}" for p in pairs]),
            ("change in revenue %", [_number(p.lens2.revenue_change_pct, "+") for p in pairs]),
            ("change in order value %", [_number(p.lens2.avg_order_value_change_pct, "+") for p in pairs]),
        ]
        parts.append(_table("Lens 2: period against period", [f"{p.start} → {p.end}" for p in pairs], lens2))
    parts += [f"<p><strong>Note:</strong> {escape(warning)}</p>" for warning in audit.warnings]
    read = f"{audit.input.customers:,} customers, {audit.input.rows_read:,} rows read"
    return f"<section><p>{read}</p>{''.join(parts)}</section>"


def _number(value: Any, sign: str = "") -> str:
    return format(value, f"{sign},")


def _table(caption: str, names: list[str], rows: list[tuple[str, list[str]]]) -> str:
    head = "".join(f'<th scope="col" style="{_STYLE}">{escape(name)}</th>' for name in names)
    body = "".join(
        f'<tr><th scope="row" style="text-align:left">{escape(label)}</th>'
        + "".join(f'<td style="{_STYLE}">{escape(value)}</td>' for value in values)
        + "</tr>"
        for label, values in rows
    )
    return f"<table><caption>{escape(caption)}</caption><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table>"
