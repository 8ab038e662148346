"""Segments and cut points as Python says them: rules as dicts, numbers as numbers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from ._errors import UsageError

_RULES = 'write {"champions": {"r": 5, "orders": "4.."}}, a list of dicts with a name, the path of a TOML file, or "standard"'
_CUTS = 'write {"frequency": [1, 2, 3, 5]}, with recency, frequency or monetary, or the path of a file of cut points'


def is_rules(segments: Any) -> bool:
    """Whether segments are rules, and not the name of some."""
    return segments is not None and not isinstance(segments, (str, os.PathLike))


def rules_of(segments: Any) -> str:
    """Rules as the JSON of a segment file: a list of dicts with a name, a dict by name, or a file's own shape."""
    rules: dict[str, Any] = {"segment": segments}
    if isinstance(segments, Mapping):
        if isinstance(segments.get("segment"), list):
            rules = dict(segments)
        else:
            by_name = segments.items()
            rules = {"segment": [{"name": name, **_mapping(ranges)} for name, ranges in by_name if name != "exclusive"]}
            if isinstance(exclusive := segments.get("exclusive"), bool):
                rules["exclusive"] = exclusive
            elif exclusive is not None:
                rules["segment"].append({"name": "exclusive", **_mapping(exclusive)})
    if isinstance(rules["segment"], (bytes, Mapping)) or not isinstance(rules["segment"], Iterable):
        raise UsageError(f"segments: {type(segments).__name__} is no list of rules", help=_RULES)
    rules["segment"] = [{str(key): _range(value) for key, value in _mapping(rule).items()} for rule in rules["segment"]]
    return json.dumps(rules)


def _mapping(rule: Any) -> Mapping[str, Any]:
    if not isinstance(rule, Mapping):
        raise UsageError(f"segments: {rule!r} is no rule", help=_RULES)
    return rule


def _range(value: Any) -> str | int:
    """``5``, ``Decimal("9.99")`` and ``"4.."`` as they are; ``(2, 3)`` is from 2 to 3, ``(4, None)`` from 4."""
    if isinstance(value, (tuple, list)) and len(value) == 2:
        return "..".join("" if end is None else str(end) for end in value)
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        return value
    if isinstance(value, (float, Decimal)):
        return str(value)
    raise UsageError(f"segments: {value!r} is no range", help='write 4, "4..", "2..3", or (2, 3), and (4, None) for no end')


def cuts_of(cuts: Any) -> list[str]:
    """Cut points as the option has them: ``frequency=1,2,3,5``, or the name of a file."""
    if isinstance(cuts, (str, os.PathLike)):
        return [os.fspath(cuts)]
    if isinstance(cuts, Mapping):
        return [f"{measure}={','.join(_numbers(measure, points))}" for measure, points in cuts.items()]
    if isinstance(cuts, Iterable):
        return [text for part in cuts for text in cuts_of(part)]
    raise UsageError(f"cuts: {cuts!r} are no cut points", help=_CUTS)


def _numbers(measure: object, points: Any) -> list[str]:
    if isinstance(points, str):
        return [points]
    if not isinstance(points, Iterable):
        raise UsageError(f"cuts: {points!r} is no list of cut points of {measure}", help=_CUTS)
    return [str(point) for point in points]
