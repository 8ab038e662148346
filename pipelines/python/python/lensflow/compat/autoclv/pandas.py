"""Frames in and out, for pandas. Amounts in frames are floats."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import pandas as pd

from .data_mart import PeriodAggregation
from .lens1 import Lens1Metrics, analyze_single_period
from .lens2 import Lens2Metrics, analyze_period_comparison
from .rfm import RFMMetrics, RFMScore, calculate_rfm

_RFM = ("customer_id", "recency_days", "frequency", "monetary", "total_spend", "observation_start", "observation_end")


def _checked(df: pd.DataFrame, columns: Iterable[str], what: str) -> list[dict[str, Any]]:
    """The rows of a frame, which must have these columns, without nulls in them."""
    wanted = list(columns)
    if missing := set(wanted) - set(df.columns):
        raise ValueError(f"DataFrame missing required columns: {missing}")
    if df.empty:
        return []
    if with_nulls := [name for name in wanted if df[name].isnull().any()]:
        raise ValueError(f"Null/NaN values found in columns: {with_nulls}. {what} require complete data.")
    rows: list[dict[str, Any]] = df[wanted].to_dict("records")
    return rows


def _time(value: Any) -> datetime:
    moment: datetime = pd.to_datetime(value).to_pydatetime()
    return moment


def _amount(value: Any) -> Decimal:
    if not isinstance(value, (int, float)):
        raise TypeError(f"Expected numeric type, got {type(value)}")
    return Decimal(str(value))


def rfm_to_dataframe(rfm_metrics: Sequence[RFMMetrics]) -> pd.DataFrame:
    """A row per customer, sorted by ``customer_id``."""
    metrics = sorted(rfm_metrics, key=lambda one: one.customer_id)
    columns: dict[str, list[Any]] = {name: [getattr(one, name) for one in metrics] for name in _RFM}
    for name in ("monetary", "total_spend"):
        columns[name] = [float(amount) for amount in columns[name]]
    return pd.DataFrame(columns, columns=list(_RFM))


def dataframe_to_rfm(rfm_df: pd.DataFrame) -> list[RFMMetrics]:
    """The metrics of the rows of a frame, in its order."""
    return [
        RFMMetrics(
            customer_id=str(row["customer_id"]),
            recency_days=int(row["recency_days"]),
            frequency=int(row["frequency"]),
            monetary=_amount(row["monetary"]),
            observation_start=_time(row["observation_start"]),
            observation_end=_time(row["observation_end"]),
            total_spend=_amount(row["total_spend"]),
        )
        for row in _checked(rfm_df, _RFM, "RFM calculations")
    ]


def dataframe_to_period_aggregations(
    periods_df: pd.DataFrame,
    customer_id_col: str = "customer_id",
    period_start_col: str = "period_start",
    period_end_col: str = "period_end",
    total_orders_col: str = "total_orders",
    total_spend_col: str = "total_spend",
    total_margin_col: str = "total_margin",
    total_quantity_col: str = "total_quantity",
) -> list[PeriodAggregation]:
    """The period aggregations of the rows of a frame, in its order."""
    columns = (
        customer_id_col,
        period_start_col,
        period_end_col,
        total_orders_col,
        total_spend_col,
        total_margin_col,
        total_quantity_col,
    )
    return [
        PeriodAggregation(
            customer_id=str(row[customer_id_col]),
            period_start=_time(row[period_start_col]),
            period_end=_time(row[period_end_col]),
            total_orders=int(row[total_orders_col]),
            total_spend=float(row[total_spend_col]),
            total_margin=float(row[total_margin_col]),
            total_quantity=int(row[total_quantity_col]),
        )
        for row in _checked(periods_df, columns, "Period aggregations")
    ]


def calculate_rfm_df(
    periods_df: pd.DataFrame,
    observation_end: datetime,
    customer_id_col: str = "customer_id",
    period_start_col: str = "period_start",
    period_end_col: str = "period_end",
    total_orders_col: str = "total_orders",
    total_spend_col: str = "total_spend",
    total_margin_col: str = "total_margin",
    total_quantity_col: str = "total_quantity",
    parallel: bool = True,
    parallel_threshold: int = 10_000_000,
    n_workers: int | None = None,
) -> pd.DataFrame:
    """The metrics of every customer of a frame of period aggregations, as a frame."""
    periods = dataframe_to_period_aggregations(
        periods_df,
        customer_id_col,
        period_start_col,
        period_end_col,
        total_orders_col,
        total_spend_col,
        total_margin_col,
        total_quantity_col,
    )
    return rfm_to_dataframe(calculate_rfm(periods, observation_end, parallel, parallel_threshold, n_workers))


def lens1_to_dataframe(lens1: Lens1Metrics) -> pd.DataFrame:
    """One row; the distribution of scores as text."""
    return pd.DataFrame(
        [
            {
                "total_customers": lens1.total_customers,
                "one_time_buyers": lens1.one_time_buyers,
                "one_time_buyer_pct": float(lens1.one_time_buyer_pct),
                "total_revenue": float(lens1.total_revenue),
                "top_10pct_revenue_contribution": float(lens1.top_10pct_revenue_contribution),
                "top_20pct_revenue_contribution": float(lens1.top_20pct_revenue_contribution),
                "avg_orders_per_customer": float(lens1.avg_orders_per_customer),
                "median_customer_value": float(lens1.median_customer_value),
                "rfm_distribution": str(lens1.rfm_distribution),
            }
        ]
    )


def analyze_single_period_df(rfm_df: pd.DataFrame, rfm_scores_df: pd.DataFrame | None = None) -> pd.DataFrame:
    """Lens 1 of a frame of metrics, as a frame of one row; with a frame of scores, with their distribution."""
    scores = None
    if rfm_scores_df is not None:
        rows = _checked(rfm_scores_df, ("customer_id", "r_score", "f_score", "m_score"), "RFM scores")
        scores = [_score(row) for row in rows]
    return lens1_to_dataframe(analyze_single_period(dataframe_to_rfm(rfm_df), scores))


def _score(row: dict[str, Any]) -> RFMScore:
    r, f, m = (int(row[name]) for name in ("r_score", "f_score", "m_score"))
    return RFMScore(str(row["customer_id"]), r, f, m, f"{r}{f}{m}")


def lens2_to_dataframes(lens2: Lens2Metrics) -> dict[str, pd.DataFrame]:
    """Four frames: ``metrics``, ``migration``, ``period1_summary``, ``period2_summary``.

    A customer who came back has two rows in ``migration``, ``new`` and ``reactivated``.
    """
    rates = ("retention_rate", "churn_rate", "reactivation_rate")
    changes = ("revenue_change_pct", "avg_order_value_change_pct")
    metrics: dict[str, float] = {name: float(getattr(lens2, name)) for name in rates}
    metrics["customer_count_change"] = lens2.customer_count_change
    metrics |= {name: float(getattr(lens2, name)) for name in changes}
    statuses = ("retained", "churned", "new", "reactivated")
    moves = sorted((customer, at) for at, status in enumerate(statuses) for customer in getattr(lens2.migration, status))
    return {
        "metrics": pd.DataFrame([metrics]),
        "migration": pd.DataFrame(
            [(customer, statuses[at]) for customer, at in moves], columns=["customer_id", "status"]
        ),
        "period1_summary": lens1_to_dataframe(lens2.period1_metrics),
        "period2_summary": lens1_to_dataframe(lens2.period2_metrics),
    }


def analyze_period_comparison_df(period1_rfm_df: pd.DataFrame, period2_rfm_df: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Lens 2 of two frames of metrics, as four frames."""
    return lens2_to_dataframes(analyze_period_comparison(dataframe_to_rfm(period1_rfm_df), dataframe_to_rfm(period2_rfm_df)))
