"""Customer-base analytics, exact: RFM, Lens 1 and Lens 2 of "The Customer-Base Audit".

>>> import lensflow
>>> audit = lensflow.audit("orders.csv", every="quarter")       # doctest: +SKIP
>>> audit.lens1["2024-Q1"].total_customers                      # doctest: +SKIP
23570

``audit`` reads files, and any Arrow data: polars and pandas frames, pyarrow tables, DuckDB relations, Spark frames.
``State`` remembers every customer between runs. ``peek`` looks at files before an audit, ``generate`` makes customers up.
Nothing but the standard library is needed; polars, pandas and pyarrow are imported when they are asked for.
"""

from ._answers import (
    Comparison,
    CutPoints,
    Decile,
    Earned,
    Grown,
    Input,
    Lens1,
    Lens2,
    More,
    RevenueBridge,
    ScoreCell,
    ScoreMigration,
    Segment,
    Shrunk,
    Unchanged,
    Window,
)
from ._audit import Audit, Progress, audit
from ._cohorts import Cohort, CohortAge, CohortComparison, CohortShare, ComparedAge, Factor, WindowHealth
from ._errors import Cancelled, DataError, Error, InternalError, IoError, UsageError
from ._lensflow import __version__
from ._options import AuditOptions, GenerateOptions, ReadOptions, UpdateOptions
from ._rows import Rows
from ._state import Peek, State, Update, generate, peek

__all__ = [
    "Audit",
    "AuditOptions",
    "Cancelled",
    "Cohort",
    "CohortAge",
    "CohortComparison",
    "CohortShare",
    "ComparedAge",
    "Comparison",
    "CutPoints",
    "DataError",
    "Decile",
    "Earned",
    "Error",
    "Factor",
    "GenerateOptions",
    "Grown",
    "Input",
    "InternalError",
    "IoError",
    "Lens1",
    "Lens2",
    "More",
    "Peek",
    "Progress",
    "ReadOptions",
    "RevenueBridge",
    "Rows",
    "ScoreCell",
    "ScoreMigration",
    "Segment",
    "Shrunk",
    "State",
    "Unchanged",
    "Update",
    "UpdateOptions",
    "UsageError",
    "Window",
    "WindowHealth",
    "__version__",
    "audit",
    "generate",
    "peek",
]
