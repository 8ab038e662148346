"""A bar for progress; needs tqdm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._errors import UsageError


def bar() -> Callable[[Any], None]:
    """A callback that draws a bar of what was read: bytes where their number is known, and rows."""
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise UsageError("progress=True needs tqdm", help="pip install tqdm, or give a function") from error
    drawn: Any = None

    def tell(progress: Any) -> None:
        nonlocal drawn
        by_bytes = progress.bytes_total > 0
        if drawn is None:
            total = progress.bytes_total if by_bytes else None
            drawn = tqdm(total=total, unit="B" if by_bytes else " rows", unit_scale=True)
        drawn.set_description(progress.stage)
        drawn.update((progress.bytes_read if by_bytes else progress.rows_read) - drawn.n)
        if progress.done:
            drawn.close()

    return tell
