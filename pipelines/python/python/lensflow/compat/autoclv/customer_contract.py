"""What every record of a customer has to say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class CustomerIdentifier:
    """A customer: since when, from which system, and whether still to be seen."""

    customer_id: str
    acquisition_ts: datetime
    source_system: str
    is_visible: bool = True
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def normalised_metadata(self) -> Mapping[str, Any]:
        """The metadata with texts as keys."""
        return {str(key): value for key, value in self.metadata.items()}


class CustomerContract:
    """Checks records of customers, and makes one of several of the same customer."""

    REQUIRED_FIELDS = {"customer_id", "acquisition_ts", "source_system"}

    def __init__(self, enforce_visibility: bool = False) -> None:
        self.enforce_visibility = enforce_visibility

    def validate_records(
        self, records: Iterable[Mapping[str, Any]], *, source_system: str
    ) -> list[CustomerIdentifier]:
        """The records as identifiers; with ``enforce_visibility``, without those that are not visible."""
        found = (self._identifier(at, record, source_system) for at, record in enumerate(records))
        return [one for one in found if one.is_visible or not self.enforce_visibility]

    def _identifier(self, at: int, record: Mapping[str, Any], source_system: str) -> CustomerIdentifier:
        said = {**record, "source_system": record.get("source_system") or source_system}
        if missing := [name for name in self.REQUIRED_FIELDS if not said.get(name)]:
            where = {"missing_fields": missing, "record_index": at}
            raise ValueError("Record missing required contract fields", where)
        since = said["acquisition_ts"]
        if not isinstance(since, datetime):
            raise TypeError("acquisition_ts must be a datetime instance", {"record_index": at, "value": since})
        if since.year < 1970 or since > datetime.now(since.tzinfo):
            where = {"record_index": at, "value": since.isoformat()}
            raise ValueError("acquisition_ts appears to be outside acceptable range", where)
        visible, metadata = bool(said.get("is_visible", True)), said.get("metadata")
        if metadata is not None and not isinstance(metadata, Mapping):
            raise TypeError("metadata must be a mapping if provided", {"record_index": at, "value": metadata})
        return CustomerIdentifier(str(said["customer_id"]), since, str(said["source_system"]), visible, metadata or {})

    def merge(self, identifiers: Iterable[CustomerIdentifier]) -> list[CustomerIdentifier]:
        """One identifier a customer: since the earliest time, visible if any is, later metadata over earlier."""
        merged: dict[str, CustomerIdentifier] = {}
        for one in identifiers:
            known = merged.get(one.customer_id)
            merged[one.customer_id] = one if known is None else replace(
                known,
                acquisition_ts=min(known.acquisition_ts, one.acquisition_ts),
                is_visible=known.is_visible or one.is_visible,
                metadata={**known.normalised_metadata(), **one.normalised_metadata()},
            )  # fmt: skip
        return list(merged.values())
