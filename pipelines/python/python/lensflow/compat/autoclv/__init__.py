"""The interface of AutoCLV's customer-base audit, on lensflow's engine.

    from lensflow.compat.autoclv import PeriodAggregation, calculate_rfm

in the place of ``from customer_base_audit.foundation.rfm import …``. Names, the order of arguments, defaults and the texts of errors are
that library's, and so is what the numbers mean, also where ``lensflow.audit`` differs: with a history that includes period 2, every new
customer is reactivated; times without an offset stay so. ``parallel``, ``parallel_threshold`` and ``n_workers`` are about threads, and
never change an answer.

``install()`` puts these modules where that library's are, for code that cannot be changed.
"""

from .cohorts import (
    CohortDefinition,
    CohortMetadata,
    assign_cohorts,
    create_monthly_cohorts,
    create_quarterly_cohorts,
    create_yearly_cohorts,
    normalize_to_utc,
    validate_cohort_coverage,
    validate_non_overlapping,
)
from .customer_contract import CustomerContract, CustomerIdentifier
from .data_mart import CustomerDataMart, CustomerDataMartBuilder, OrderAggregation, PeriodAggregation, PeriodGranularity
from .lens1 import Lens1Metrics, analyze_single_period, calculate_revenue_concentration
from .lens2 import CustomerMigration, Lens2Metrics, analyze_period_comparison
from .lens3 import (
    CohortPeriodMetrics,
    Lens3Metrics,
    analyze_cohort_evolution,
    calculate_cumulative_activation_curve,
    calculate_retention_curve,
)
from .lens4 import (
    CohortComparison,
    CohortDecomposition,
    Lens4Metrics,
    TimeToSecondPurchase,
    calculate_cohort_decomposition,
    calculate_time_to_second_purchase,
    compare_cohort_pair,
    compare_cohorts,
)
from .lens5 import (
    CohortRepeatBehavior,
    CohortRevenuePeriod,
    CustomerBaseHealthScore,
    Lens5Metrics,
    assess_customer_base_health,
    calculate_acquisition_dependence,
    calculate_health_score,
    calculate_overall_retention_rate,
    calculate_revenue_metrics,
    calculate_revenue_predictability,
    determine_cohort_quality_trend,
)
from .rfm import RFMMetrics, RFMScore, calculate_rfm, calculate_rfm_scores

__all__ = [
    "CohortComparison",
    "CohortDecomposition",
    "CohortDefinition",
    "CohortMetadata",
    "CohortPeriodMetrics",
    "CohortRepeatBehavior",
    "CohortRevenuePeriod",
    "CustomerBaseHealthScore",
    "CustomerContract",
    "CustomerDataMart",
    "CustomerDataMartBuilder",
    "CustomerIdentifier",
    "CustomerMigration",
    "Lens1Metrics",
    "Lens2Metrics",
    "Lens3Metrics",
    "Lens4Metrics",
    "Lens5Metrics",
    "OrderAggregation",
    "PeriodAggregation",
    "PeriodGranularity",
    "RFMMetrics",
    "RFMScore",
    "TimeToSecondPurchase",
    "analyze_cohort_evolution",
    "analyze_period_comparison",
    "analyze_single_period",
    "assess_customer_base_health",
    "assign_cohorts",
    "calculate_acquisition_dependence",
    "calculate_cohort_decomposition",
    "calculate_cumulative_activation_curve",
    "calculate_health_score",
    "calculate_overall_retention_rate",
    "calculate_retention_curve",
    "calculate_revenue_concentration",
    "calculate_revenue_metrics",
    "calculate_revenue_predictability",
    "calculate_rfm",
    "calculate_rfm_scores",
    "calculate_time_to_second_purchase",
    "compare_cohort_pair",
    "compare_cohorts",
    "create_monthly_cohorts",
    "create_quarterly_cohorts",
    "create_yearly_cohorts",
    "determine_cohort_quality_trend",
    "install",
    "normalize_to_utc",
    "validate_cohort_coverage",
    "validate_non_overlapping",
]


def install() -> None:
    """Puts these modules in the places of ``customer_base_audit``'s, for code that imports them from there.

    Where that library is installed, the rest of it stays, and works with these. Call it before anything of it is imported.
    """
    import importlib.util
    import sys
    from types import ModuleType

    own = __name__
    modules = {
        "foundation.cohorts": "cohorts",
        "foundation.customer_contract": "customer_contract",
        "foundation.data_mart": "data_mart",
        "foundation.rfm": "rfm",
        "analyses.lens1": "lens1",
        "analyses.lens2": "lens2",
        "analyses.lens3": "lens3",
        "analyses.lens4": "lens4",
        "analyses.lens5": "lens5",
    }
    if importlib.util.find_spec("pandas") is not None:
        modules["pandas"] = "pandas"
    for place, module in modules.items():
        sys.modules[f"customer_base_audit.{place}"] = importlib.import_module(f"{own}.{module}")
    if importlib.util.find_spec("customer_base_audit") is not None:
        return
    # Without that library, packages that hold nothing but these.
    for name in ("customer_base_audit", "customer_base_audit.foundation", "customer_base_audit.analyses"):
        package = ModuleType(name)
        package.__path__ = []
        if name != "customer_base_audit":
            vars(package).update({public: globals()[public] for public in __all__ if public != "install"})
        sys.modules[name] = package
