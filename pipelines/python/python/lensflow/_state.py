"""Saved states, a look at inputs, and made-up customers."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import Any, Unpack

from . import _lensflow
from ._audit import Audit, Progress, _watch, audit
from ._errors import UsageError
from ._options import AuditOptions, GenerateOptions, ReadOptions, StrPath, UpdateOptions, plain
from ._sources import Data, inputs_of

Watch = Callable[[Progress], object]


@dataclass(frozen=True, slots=True)
class Update:
    """What an update did: what it told, warnings, and the generation that the state has now."""

    told: list[str]
    warnings: list[str]
    generation: int


class State:
    """A folder that remembers every customer, so that tonight's run reads only tonight's rows.

    The folder is made by the first :meth:`update`. An audit of it says exactly what an audit of all its inputs would say.
    """

    __slots__ = ("path",)

    def __init__(self, path: StrPath) -> None:
        self.path = os.fspath(path)

    def update(
        self,
        data: Data,
        /,
        *,
        name: str | None = None,
        progress: Watch | bool | None = None,
        **options: Unpack[UpdateOptions],
    ) -> Update:
        """Takes inputs in, all or nothing. What the state has already changes nothing.

        Arrow data are called ``name`` in the history; without one, by the time at which they came.
        """
        said = plain(options) | {"path": self.path}
        found, stream = inputs_of(data, said)
        watch = _watch(progress)
        if stream is None:
            if name is not None:
                raise UsageError("name: files have names of their own", help="leave it out")
            _, told, warnings = _lensflow.job("update", said | {"inputs": found}, progress=watch)
        else:
            name = name or f"arrow-{datetime.now(timezone.utc):%Y%m%dT%H%M%S.%f}"
            _, told, warnings = _lensflow.job("update", said, data=stream, name=name, progress=watch)
        return Update(told, warnings, self.inspect()["generation"])

    def audit(self, *, progress: Watch | bool | None = None, **options: Unpack[AuditOptions]) -> Audit:
        """Audits what is in the state."""
        return audit(self.path, progress=progress, **options)

    def merge(self, *states: StrPath | State, allow_duplicate: bool = False) -> Update:
        """Makes this state, which must not be there, of others; they stay as they are."""
        inputs = [state.path if isinstance(state, State) else os.fspath(state) for state in states]
        said = {"path": self.path, "merge": inputs, "allow_duplicate": allow_duplicate}
        _, told, warnings = _lensflow.job("merge", {key: value for key, value in said.items() if value is not False})
        return Update(told, warnings, self.inspect()["generation"])

    def inspect(self) -> dict[str, Any]:
        """What the state holds: its generation, windows, inputs and customers, as ``lensflow inspect --json`` says it."""
        return json.loads(_lensflow.job("inspect", {"path": self.path, "json": True})[0])  # type: ignore[no-any-return]

    def history(self) -> list[dict[str, Any]]:
        """What came in, the oldest first."""
        said = {"action": "history", "state": self.path, "json": True}
        return json.loads(_lensflow.job("state", said)[0])  # type: ignore[no-any-return]

    def remove(self, *names: str) -> list[str]:
        """Takes inputs out, as the history names them."""
        return self._manage("remove", names)

    def forget(self, *customers: str) -> list[str]:
        """Takes customers out, for good."""
        return self._manage("forget", customers)

    def drop(self, before: str | date) -> list[str]:
        """Drops what customers did before a day, for good; that they existed stays. A period of the state begins on that day."""
        said = plain({"action": "drop", "state": self.path, "before": before})
        return _lensflow.job("state", said)[1]

    def export(self, path: StrPath, *, csv_safe: bool = False) -> list[str]:
        """Writes a row for each customer and period, ``.parquet``, ``.csv``, ``.jsonl`` or ``.arrow``."""
        said: dict[str, Any] = {"action": "export", "state": self.path, "out": os.fspath(path)}
        if csv_safe:
            said["csv_safe"] = True
        return _lensflow.job("state", said)[1]

    def _manage(self, action: str, names: Sequence[str]) -> list[str]:
        if not names:
            raise UsageError(f"{action}: nothing is named", help="give one name or several")
        return _lensflow.job("state", {"action": action, "state": self.path, "names": list(names)})[1]

    def __fspath__(self) -> str:
        return self.path

    def __repr__(self) -> str:
        return f"State({self.path!r})"


class Peek(dict[str, Any]):
    """What a look at inputs saw: the keys of ``lensflow peek --json``. Its text is what the command prints."""

    def __init__(self, values: dict[str, Any], text: str) -> None:
        super().__init__(values)
        self._text = text

    def __str__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(self._text)}</pre>"


def peek(data: Data, /, *, all: bool = False, **options: Unpack[ReadOptions]) -> Peek:
    """Looks at inputs before an audit: what they are, what their columns seem to be, and the command to go on with."""
    said = plain(options)
    if all:
        said["all"] = True
    found, stream = inputs_of(data, said)
    if stream is None:
        said["inputs"] = found
        return Peek(json.loads(_lensflow.job("peek", said | {"json": True})[0]), _lensflow.job("peek", said)[0])
    # Data may be there to be read once alone; the command that would go on has no file to name.
    values = json.loads(_lensflow.job("peek", said | {"json": True}, data=stream)[0])
    del values["command"]
    return Peek(values, json.dumps(values, indent=2, ensure_ascii=False))


def generate(
    path: StrPath,
    /,
    *,
    customers: int | str,
    start: str | None = None,
    end: str | None = None,
    progress: Watch | bool | None = None,
    **options: Unpack[GenerateOptions],
) -> int:
    """Writes rows of made-up customers, from the month ``start`` to ``end``, ``"2023-01"``. Gives the number of rows."""
    said = plain(options) | {"customers": customers, "out": os.fspath(path)}
    said |= {f"source.synthetic.{key}": value for key, value in (("from", start), ("to", end)) if value is not None}
    _, told, _ = _lensflow.job("generate", said, progress=_watch(progress))
    digits = "".join(c for c in told[-1].rsplit(":", 1)[-1] if c.isdigit()) if told else "0"
    return int(digits or 0)
