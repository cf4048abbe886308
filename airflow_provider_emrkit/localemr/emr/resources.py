"""What an account has besides clusters: security configurations, Studios, pages of applications, settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.emr.journal import Journal
    from airflow_provider_emrkit.localemr.emr.model import ResourceKind, ResourceRecord

_Key = tuple[str, str, str]


class Resources:
    """Resources by kind, region and name, in memory and in a journal.

    :param journal: Where changes are kept, and what there is from the start; None for nowhere.

    >>> Resources().get("studio", "us-east-1", "es-1") is None
    True
    """

    def __init__(self, journal: Journal | None = None) -> None:
        self._journal = journal
        self._records: dict[_Key, ResourceRecord] = {}
        if journal is not None:
            self._records = {_key(record): record for record in journal.resources()}

    def put(self, record: ResourceRecord) -> None:
        """Keep a resource, in place of the one that had its name."""
        self._records[_key(record)] = record
        if self._journal is not None:
            self._journal.save_resource(record)

    def get(self, kind: ResourceKind, region: str, name: str) -> ResourceRecord | None:
        """Find a resource."""
        return self._records.get((kind, region, name))

    def all(self, kind: ResourceKind, region: str) -> list[ResourceRecord]:
        """List a region's resources of a kind, newest first."""
        return [
            record
            for record in reversed(self._records.values())
            if record.kind == kind and record.region == region
        ]

    def remove(self, record: ResourceRecord) -> None:
        """Forget a resource, if it is there."""
        self._records.pop(_key(record), None)
        if self._journal is not None:
            self._journal.forget_resource(record)

    def clear(self) -> None:
        """Forget what is in memory; the journal is cleared as a whole."""
        self._records.clear()


def _key(record: ResourceRecord) -> _Key:
    return record.kind, record.region, record.name
