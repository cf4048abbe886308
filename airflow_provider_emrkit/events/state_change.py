"""What an EventBridge event tells about a run. Pure; events come from outside and are not trusted."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["step", "cluster", "job_run"]

STEP_EVENT = "EMR Step Status Change"
CLUSTER_EVENT = "EMR Cluster State Change"
JOB_RUN_EVENT = "EMR Serverless Job Run State Change"

# What SQS carries at most. EMR's own events have less than 2,000 characters.
MAX_BODY = 1024 * 1024

_STATE = re.compile(r"[A-Z_]{2,40}", re.ASCII)
_CLUSTER_ID = re.compile(r"j-[A-Z0-9]{1,64}", re.ASCII)
_STEP_ID = re.compile(r"s-[A-Z0-9]{1,64}", re.ASCII)
_SERVERLESS_ID = re.compile(r"[0-9a-z-]{1,64}", re.ASCII)
_NO_ID = re.compile("")


@dataclass(frozen=True, slots=True)
class StateChange:
    """A state that a run or its cluster has come into.

    EventBridge delivers EMR's events at its best effort: late, twice, in another order or never. A change is
    a reason to ask EMR, and proves nothing.

    :param kind: What has changed: a ``step``, a ``cluster``, or a ``job_run`` of EMR Serverless.
    :param compute_id: The cluster or application.
    :param run_id: The step or job run; empty for a cluster.
    :param state: EMR's word for the state, e.g. ``COMPLETED``.
    :param at: When, in seconds since 1970; EventBridge tells whole seconds.

    >>> StateChange("step", "j-1", "s-1", "COMPLETED", 1750000000.0).state
    'COMPLETED'
    """

    kind: Kind
    compute_id: str
    run_id: str
    state: str
    at: float

    @property
    def run_kind(self) -> Literal["step", "job_run"]:
        """The sort of runs that it concerns: a cluster's change concerns its steps."""
        return "step" if self.kind == "cluster" else self.kind


class _Shape(NamedTuple):
    """Where an event of one sort carries what, and how its ids look."""

    source: str
    kind: Kind
    compute: str
    compute_id: re.Pattern[str]
    run: str
    run_id: re.Pattern[str]


_SHAPES = {
    STEP_EVENT: _Shape("aws.emr", "step", "clusterId", _CLUSTER_ID, "stepId", _STEP_ID),
    CLUSTER_EVENT: _Shape("aws.emr", "cluster", "clusterId", _CLUSTER_ID, "", _NO_ID),
    JOB_RUN_EVENT: _Shape(
        "aws.emr-serverless", "job_run", "applicationId", _SERVERLESS_ID, "jobRunId", _SERVERLESS_ID
    ),
}


def read_state_change(body: object) -> StateChange | None:
    """Read the body of an SQS message that an EventBridge rule sent.

    :param body: The event as JSON text; anything else is tolerated too.
    :return: None for what is no state change of a step, cluster or job run.

    >>> read_state_change("{}") is None
    True
    """
    event = _json_object(body)
    shape = _SHAPES.get(_text(event, "detail-type"))
    detail = event.get("detail")
    if shape is None or _text(event, "source") != shape.source or not isinstance(detail, dict):
        return None
    at = _seconds(_text(event, "time"))
    compute_id, run_id, state = (_text(detail, name) for name in (shape.compute, shape.run, "state"))
    fits = (
        shape.compute_id.fullmatch(compute_id) and shape.run_id.fullmatch(run_id) and _STATE.fullmatch(state)
    )
    return StateChange(shape.kind, compute_id, run_id, state, at) if fits and at is not None else None


def _json_object(body: object) -> Mapping[str, Any]:
    if not isinstance(body, str) or len(body) > MAX_BODY:
        return {}
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(members: Mapping[str, Any], name: str) -> str:
    found = members.get(name, "")
    return found if isinstance(found, str) else ""


def _seconds(time: str) -> float | None:
    """Read a time such as ``2016-12-16T20:53:09Z``, with or without a fraction."""
    try:
        when = datetime.fromisoformat(time.replace("Z", "+00:00"))
    except ValueError:
        return None
    return (when if when.tzinfo else when.replace(tzinfo=timezone.utc)).timestamp()
