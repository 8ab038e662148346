"""Rows behind the answers, as Arrow data that any library takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._errors import UsageError

if TYPE_CHECKING:
    import os

    import pandas
    import polars
    import pyarrow

    from ._lensflow import RowStream


class Rows:
    """A table that is made when it is asked for, batch by batch, and as often as it is asked for.

    It has ``__arrow_c_stream__``: ``polars.DataFrame(rows)``, ``pyarrow.table(rows)`` and ``duckdb.sql("… from rows")`` take it.
    """

    __slots__ = ("_stream",)

    def __init__(self, stream: RowStream) -> None:
        self._stream = stream

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._stream.__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        return self._stream.__arrow_c_schema__()

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return self._stream.columns()

    def to_polars(self) -> polars.DataFrame:
        """A polars frame; needs polars."""
        return _imported("polars").DataFrame(self)  # type: ignore[no-any-return]

    def to_arrow(self) -> pyarrow.Table:
        """A pyarrow table; needs pyarrow."""
        return _imported("pyarrow").table(self)

    def to_pandas(self, **options: Any) -> pandas.DataFrame:
        """A pandas frame; needs pandas and pyarrow. Options are those of ``pyarrow.Table.to_pandas``."""
        _imported("pandas")
        return self.to_arrow().to_pandas(**options)

    def write(self, path: str | os.PathLike[str], *, csv_safe: bool = False) -> int:
        """Writes a file, ``.parquet``, ``.csv``, ``.jsonl`` or ``.arrow``, whole or not at all. Gives the number of rows.

        With ``csv_safe``, texts that a spreadsheet would take for formulas get an apostrophe.
        """
        return self._stream.write(path, csv_safe)

    def __repr__(self) -> str:
        return f"Rows({', '.join(self.columns)})"


def _imported(name: str) -> Any:
    try:
        return __import__(name)
    except ImportError as error:
        raise UsageError(f"this needs {name}", help=f"pip install {name}") from error
