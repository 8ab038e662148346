"""Errors: what went wrong, where, and what to do about it."""

from __future__ import annotations


class Error(Exception):
    """What lensflow raises. Its text says all of it; the parts are attributes.

    ``kind`` is ``usage``, ``data``, ``io``, ``internal`` or ``cancelled``. ``source`` is the input it happened in, ``row`` the row
    of the input, counted from 1 without a header, ``customer`` the customer it is about, ``help`` what can be done about it; each is
    ``None`` where it is not known.
    """

    kind: str = "internal"

    def __init__(
        self,
        message: str,
        *,
        source: str | None = None,
        row: int | None = None,
        customer: str | None = None,
        help: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.source = source
        self.row = row
        self.customer = customer
        self.help = help

    def __str__(self) -> str:
        return self.message if self.help is None else f"{self.message}\n  help: {self.help}"

    def __reduce__(self) -> tuple[object, ...]:
        parts = {"source": self.source, "row": self.row, "customer": self.customer, "help": self.help}
        return _again, (type(self), self.message, parts)


class UsageError(Error, ValueError):
    """Something was asked for that makes no sense."""

    kind = "usage"


class DataError(Error, ValueError):
    """The input says something that it must not."""

    kind = "data"


class IoError(Error, OSError):
    """The operating system refused a read or a write."""

    kind = "io"


class InternalError(Error, RuntimeError):
    """A bug in lensflow."""

    kind = "internal"


class Cancelled(Error):
    """The run was ended from outside."""

    kind = "cancelled"


_KINDS: dict[str, type[Error]] = {kind.kind: kind for kind in (UsageError, DataError, IoError, InternalError, Cancelled)}


def _error(
    kind: str, message: str, source: str | None, row: int | None, customer: str | None, help: str | None
) -> Error:
    return _KINDS.get(kind, InternalError)(message, source=source, row=row, customer=customer, help=help)


def _again(kind: type[Error], message: str, parts: dict[str, str | None]) -> Error:
    return kind(message, **parts)  # type: ignore[arg-type]
