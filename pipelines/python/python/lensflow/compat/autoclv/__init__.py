"""The interface of AutoCLV's customer-base audit, on lensflow's engine.

    from lensflow.compat.autoclv import PeriodAggregation, calculate_rfm

in the place of ``from customer_base_audit.foundation.rfm import …``. Names, the order of arguments, defaults and the texts of errors are
that library's, and so is what the numbers mean, also where ``lensflow.audit`` differs: with a history that includes period 2, every new
customer is reactivated; times without an offset stay so. ``parallel``, ``parallel_threshold`` and ``n_workers`` are about threads, and
never change an answer.

``install()`` puts these modules where that library's are, for code that cannot be changed.
"""

from .customer_contract import CustomerContract, CustomerIdentifier
from .data_mart import CustomerDataMart, CustomerDataMartBuilder, OrderAggregation, PeriodAggregation, PeriodGranularity
from .lens1 import Lens1Metrics, analyze_single_period, calculate_revenue_concentration
from .lens2 import CustomerMigration, Lens2Metrics, analyze_period_comparison
from .rfm import RFMMetrics, RFMScore, calculate_rfm, calculate_rfm_scores

__all__ = [
    "CustomerContract",
    "CustomerDataMart",
    "CustomerDataMartBuilder",
    "CustomerIdentifier",
    "CustomerMigration",
    "Lens1Metrics",
    "Lens2Metrics",
    "OrderAggregation",
    "PeriodAggregation",
    "PeriodGranularity",
    "RFMMetrics",
    "RFMScore",
    "analyze_period_comparison",
    "analyze_single_period",
    "calculate_revenue_concentration",
    "calculate_rfm",
    "calculate_rfm_scores",
    "install",
]


def install() -> None:
    """Makes ``customer_base_audit``'s modules of RFM, Lens 1, Lens 2, the data mart and pandas those of this package."""
    import importlib
    import sys

    own = __name__
    places = {
        "customer_base_audit.foundation": own,
        "customer_base_audit.foundation.rfm": f"{own}.rfm",
        "customer_base_audit.foundation.data_mart": f"{own}.data_mart",
        "customer_base_audit.foundation.customer_contract": f"{own}.customer_contract",
        "customer_base_audit.analyses.lens1": f"{own}.lens1",
        "customer_base_audit.analyses.lens2": f"{own}.lens2",
        "customer_base_audit.pandas": f"{own}.pandas",
    }
    for place, module in places.items():
        try:
            sys.modules[place] = importlib.import_module(module)
        except ImportError:
            if not module.endswith(".pandas"):
                raise
    if "customer_base_audit" not in sys.modules and importlib.util.find_spec("customer_base_audit") is None:
        # Without that library, packages that hold nothing but these.
        for package in ("customer_base_audit", "customer_base_audit.analyses"):
            module_ = type(sys)(package)
            module_.__path__ = []
            sys.modules.setdefault(package, module_)
