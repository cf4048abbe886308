"""The records of clusters as JSON texts, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_emrkit.localemr.emr.model import (
    ClusterRecord,
    Failure,
    InstanceBatch,
    InstancesRecord,
    ResourceRecord,
    StepRecord,
)
from airflow_provider_emrkit.localemr.record_json import RecordJson

if TYPE_CHECKING:
    from collections.abc import Callable

Record = ClusterRecord | StepRecord | ResourceRecord
R = TypeVar("R", ClusterRecord, StepRecord, ResourceRecord)

# A cluster's steps are records of their own.
_LEFT_OUT = frozenset({"steps"})
# By name, not by looking at values: requests may hold any text.
_TIMES = frozenset({"created", "modified", "started", "ready", "ended", "idle_since", "reconfigured"})
_PARTS: dict[str, Callable[[Any], Any]] = {
    "failure": lambda value: Failure(**value),
    "instances": lambda value: [_JSON.make(InstancesRecord, item) for item in value],
    "batches": lambda value: [_JSON.make(InstanceBatch, item) for item in value],
}
_JSON: RecordJson = RecordJson(times=_TIMES, parts=_PARTS, left_out=_LEFT_OUT)


def to_json(record: Record) -> str:
    """Write a record; a cluster without its steps."""
    return _JSON.write(record)


def from_json(kind: type[R], text: str) -> R:
    """Read a record.

    :raises ValueError: when the text is not JSON, or a value can't be what it says it is.
    :raises TypeError: when the record lacks something it can't be without.
    """
    return _JSON.read(kind, text)
