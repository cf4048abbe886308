"""How a run is doing, in words that fit steps and EMR Serverless runs alike."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class RunState(str, Enum):
    """State of a run.

    >>> RunState.FAILED.is_final
    True
    """

    STARTING = "starting"  # its compute is not up yet
    QUEUED = "queued"  # its compute is up and does something else
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    NEVER_RAN = "never_ran"  # its compute did not come up
    LOST = "lost"  # its compute went away
    UNLISTED = "unlisted"  # EMR has forgotten it while its compute went on

    @property
    def is_final(self) -> bool:
        """Whether it stays like that."""
        return self in _FINAL


_FINAL = frozenset(
    {RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED, RunState.NEVER_RAN, RunState.LOST}
    | {RunState.UNLISTED}
)

CLUSTER_UP = frozenset({"RUNNING", "WAITING"})
CLUSTER_COMING_UP = frozenset({"STARTING", "BOOTSTRAPPING"})
CLUSTER_GOING = frozenset({"TERMINATING", "TERMINATED", "TERMINATED_WITH_ERRORS"})
CLUSTER_GONE = frozenset({"TERMINATED", "TERMINATED_WITH_ERRORS"})

# The detail of a step that EMR does not list.
NOT_LISTED = "not listed"

_STEP_STATES = {
    "PENDING": RunState.QUEUED,
    "RUNNING": RunState.RUNNING,
    "CANCEL_PENDING": RunState.CANCELLING,
    "COMPLETED": RunState.SUCCEEDED,
    "FAILED": RunState.FAILED,
    "CANCELLED": RunState.CANCELLED,
    "INTERRUPTED": RunState.LOST,
}
# Why a cluster ended, where nobody wished it and the job did nothing (Cluster.Status.StateChangeReason).
_LOSSES = frozenset({"INTERNAL_ERROR", "INSTANCE_FAILURE", "INSTANCE_FLEET_TIMEOUT"})
_NEVER_UP = frozenset({"VALIDATION_ERROR", "BOOTSTRAP_FAILURE", "INSTANCE_FLEET_TIMEOUT"})


@dataclass(frozen=True, slots=True)
class RunStatus:
    """How a run is doing. Plain JSON both ways.

    :param state: See :class:`RunState`.
    :param detail: EMR's own word for it, e.g. ``PENDING``.
    :param message: What EMR says about it, e.g. the failure's reason.
    :param compute_state: State of the cluster, where it was asked for.
    :param compute_message: Why the cluster is in that state, as EMR says.
    :param compute_code: The code of that reason, e.g. ``BOOTSTRAP_FAILURE``.
    :param compute_errors: The codes of what led to it, e.g. ``INTERNAL_ERROR_SPOT_NO_CAPACITY_PRIMARY``.
    :param started_at: When the job started, in seconds since 1970.
    :param ended_at: When it ended.
    :param compute_ready_at: When its cluster was up, where that is known; of a job run of EMR Serverless,
        since when it waits for workers, or, while it is QUEUED, for its turn.
    :param attempt: Which attempt of EMR Serverless' own retries it is, from 1; 0 where there are none.
    :param by_event: Whether an event told it, which is quick but proves nothing.
    :param image_digest: The digest of the image that its driver got; empty where it is not known.

    >>> RunStatus.from_dict(RunStatus(RunState.RUNNING, "RUNNING").to_dict()).state
    <RunState.RUNNING: 'running'>
    """

    state: RunState
    detail: str
    message: str = ""
    compute_state: str = ""
    compute_message: str = ""
    started_at: float | None = None
    ended_at: float | None = None
    compute_ready_at: float | None = None
    by_event: bool = False
    compute_code: str = ""
    compute_errors: tuple[str, ...] = ()
    attempt: int = 0
    image_digest: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain JSON."""
        return {**asdict(self), "state": self.state.value, "compute_errors": list(self.compute_errors)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> RunStatus:
        """Read it back; unknown members are ignored."""
        known = {field.name: data[field.name] for field in fields(cls) if field.name in data}
        errors = tuple(known.get("compute_errors", ()))
        return cls(**{**known, "state": RunState(known["state"]), "compute_errors": errors})


def step_state(step: str, cluster: str = "", reason: str = "", ever_ran: bool = True) -> RunState:
    """Judge a step's state together with its cluster's.

    :param step: ``Step.Status.State``; empty for a step EMR does not list.
    :param cluster: ``Cluster.Status.State``, or empty when it was not asked for.
    :param reason: ``Cluster.Status.StateChangeReason.Code``.
    :param ever_ran: Whether the step was ever started.

    >>> step_state("PENDING", "BOOTSTRAPPING")
    <RunState.STARTING: 'starting'>
    """
    state = _STEP_STATES.get(step, RunState.QUEUED)
    if state in (RunState.QUEUED, RunState.RUNNING, RunState.CANCELLING) and cluster in CLUSTER_GONE:
        return _gone(reason, ever_ran)
    if state is RunState.QUEUED and cluster in CLUSTER_COMING_UP:
        return RunState.STARTING
    if state in (RunState.CANCELLED, RunState.FAILED, RunState.LOST) and cluster in CLUSTER_GOING:
        if not ever_ran and reason in _NEVER_UP | _LOSSES:
            return RunState.NEVER_RAN
        return RunState.LOST if reason in _LOSSES else state
    return state


def _gone(reason: str, ever_ran: bool) -> RunState:
    """The cluster has ended with the step still open in EMR's books."""
    if reason == "USER_REQUEST":
        return RunState.CANCELLED
    return RunState.LOST if ever_ran else RunState.NEVER_RAN
