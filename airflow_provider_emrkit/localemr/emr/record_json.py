"""Records as JSON texts, and back; a record of an older or newer localemr is read as far as it is known."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_emrkit.localemr.emr.model import (
    ClusterRecord,
    Failure,
    InstancesRecord,
    ResourceRecord,
    StepRecord,
)

if TYPE_CHECKING:
    from collections.abc import Callable

Record = ClusterRecord | StepRecord | ResourceRecord
R = TypeVar("R", ClusterRecord, StepRecord, ResourceRecord)

# A cluster's steps are records of their own.
_LEFT_OUT = frozenset({"steps"})
# By name, not by looking at values: requests may hold any text.
_TIMES = frozenset({"created", "modified", "started", "ready", "ended", "idle_since"})
_PARTS: dict[str, Callable[[Any], Any]] = {
    "failure": lambda value: Failure(**value),
    "instances": lambda value: [InstancesRecord(**item) for item in value],
}


def to_json(record: Record) -> str:
    """Write a record; a cluster without its steps."""
    return json.dumps({item.name: getattr(record, item.name) for item in _kept(record)}, default=_plain)


def from_json(kind: type[R], text: str) -> R:
    """Read a record.

    :raises ValueError: when the text is not JSON, or a value can't be what it says it is.
    :raises TypeError: when the record lacks something it can't be without.
    """
    data = json.loads(text)
    known = {item.name for item in _kept(kind)}
    return kind(**{name: _value(name, value) for name, value in data.items() if name in known})


def _kept(record: Any) -> list[Any]:
    return [item for item in fields(record) if item.name not in _LEFT_OUT]


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (Failure, InstancesRecord)):
        return {item.name: getattr(value, item.name) for item in fields(value)}
    raise TypeError(f"a record can't hold {type(value).__name__}")


def _value(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in _TIMES:
        return datetime.fromisoformat(value)
    return _PARTS[name](value) if name in _PARTS else value
