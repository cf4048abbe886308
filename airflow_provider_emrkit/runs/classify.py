"""Which error a run that did not succeed is. Pure: facts in, error type out.

What EMR says about the cluster counts before what the logs say about the job: a job whose cluster dies fails
with all sorts of messages.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_emrkit.exceptions import (
    BootstrapError,
    CapacityError,
    ClusterFailedError,
    ClusterLostError,
    ClusterSettingsError,
    DockerError,
    JobDeniedError,
    JobNotFoundError,
    OutOfMemoryError,
    RunCancelledError,
    RunFailedError,
    UserCodeError,
)
from airflow_provider_emrkit.logs.causes import says_little
from airflow_provider_emrkit.logs.signal import DENIED, DOCKER, MEMORY, NODE, NOT_FOUND
from airflow_provider_emrkit.runs.states import CLUSTER_GOING, RunState

if TYPE_CHECKING:
    from airflow_provider_emrkit.exceptions import RunError
    from airflow_provider_emrkit.logs.causes import Cause
    from airflow_provider_emrkit.runs.states import RunStatus


@dataclass(frozen=True)
class Verdict:
    """What a failure is.

    :param error: The type to raise.
    :param hint: What may help, where the cause itself does not say.

    >>> Verdict(CapacityError).error.retryable
    True
    """

    error: type[RunError]
    hint: str = ""


@dataclass(frozen=True)
class _Rule:
    """Why a cluster did not come up: by its codes, which EMR extends at their ends, or by its message."""

    verdict: Verdict
    codes: tuple[str, ...] = ()
    words: re.Pattern[str] | None = None

    def fits(self, status: RunStatus) -> bool:
        said = (*status.compute_errors, status.compute_code)
        if any(code.startswith(prefix) for code in said for prefix in self.codes):
            return True
        return self.words is not None and bool(self.words.search(status.compute_message))


# The first that fits counts.
_NEVER_UP = (
    _Rule(
        Verdict(BootstrapError, "see what the bootstrap action, or an application's installation, wrote"),
        ("BOOTSTRAP_FAILURE",),
        re.compile(r"[Bb]ootstrap action \d+ (?:returned|failed|could not)|application provisioning failed"),
    ),
    _Rule(
        Verdict(CapacityError, "wait, spread the starts of clusters, or have the account's EC2 quota raised"),
        ("EC2_QUOTA", "INTERNAL_ERROR_EC2_QUOTA"),
        re.compile(
            r"service quota|(?:QUOTA|quota|limit) (?:was |has been )?(?:EXCEEDED|exceeded)|LimitExceeded"
            r"|[Tt]hrottl(?:ed|ing) (?:from|by) Amazon EC2"
        ),
    ),
    _Rule(
        Verdict(
            CapacityError, "allow more instance types or zones (subnet_ids), or On-Demand instead of Spot"
        ),
        ("INTERNAL_ERROR_EC2_INSUFFICIENT_CAPACITY", "INTERNAL_ERROR_SPOT_", "INSTANCE_FLEET_TIMEOUT"),
        re.compile(
            r"out of capacity|[Ii]nsufficient\w* .{0,20}capacity|InsufficientInstanceCapacity"
            r"|[Ss]pot (?:capacity|price|instances?) .{0,40}(?:not available|unavailable|exceed|fulfilled)"
        ),
    ),
    _Rule(
        Verdict(
            ClusterSettingsError, "correct the cluster's settings: subnet, security groups, roles or types"
        ),
        ("VALIDATION_ERROR",),
    ),
)
# The cluster had come up, and ended before the job's turn.
_ENDED_EARLY = frozenset({"INSTANCE_FAILURE", "STEP_FAILURE", "ALL_STEPS_COMPLETED"})
_IDLE = re.compile(r"auto-?\s?terminat|\bidle\b", re.IGNORECASE)
# What EMR says about a step that was cancelled (Step.Status.StateChangeReason).
_BY_USER = re.compile(r"by user", re.IGNORECASE)
_TERMINATED = re.compile(r"terminated", re.IGNORECASE)

_BY_ABOUT: dict[str, type[RunError]] = {
    MEMORY: OutOfMemoryError,
    DOCKER: DockerError,
    NODE: ClusterLostError,
    DENIED: JobDeniedError,
    NOT_FOUND: JobNotFoundError,
}
_USER_KINDS = frozenset({"python", "java", "submit"})
# EMR quotes the line of the log that it takes for the cause.
_QUOTED_EXCEPTION = re.compile(r"(?:^|[\s;])[\w.$]*(?:Error|Exception)(?::|;|$)")


def classify(status: RunStatus, cause: Cause) -> Verdict:
    """Judge a run that has ended without success.

    :param status: Its state, and what EMR says about its cluster.
    :param cause: What its logs, or EMR, say.

    >>> from airflow_provider_emrkit.logs.causes import Cause
    >>> from airflow_provider_emrkit.runs.states import RunState, RunStatus
    >>> classify(RunStatus(RunState.FAILED, "FAILED"), Cause("ValueError: no day", "python")).error.__name__
    'UserCodeError'
    """
    if status.state is RunState.NEVER_RAN:
        return _never_ran(status)
    if status.state is RunState.LOST:
        return _lost(status)
    if status.state is RunState.CANCELLED:
        return _cancelled(status)
    return _failed(status, cause)


def may_relaunch(error: BaseException) -> bool:
    """Tell whether a job may be started again by itself: what AWS took away, never what the job did.

    >>> may_relaunch(CapacityError("no instances")), may_relaunch(UserCodeError("ValueError"))
    (True, False)
    """
    return isinstance(error, (CapacityError, ClusterLostError))


def never_began(status: RunStatus) -> bool:
    """Tell whether a job never began because its cluster went, so that another cluster may well run it.

    Who ended the cluster, and why, does not matter: nobody meant this job. One that somebody cancelled is not
    meant here, nor one whose cluster could not come up as it is set up, since the next one could not either.

    >>> from airflow_provider_emrkit.runs.states import RunStatus
    >>> never_began(RunStatus(RunState.CANCELLED, "CANCELLED", compute_state="TERMINATED"))
    True
    """
    ended = status.state in (RunState.CANCELLED, RunState.LOST, RunState.NEVER_RAN)
    if not ended or status.started_at is not None or status.compute_state not in CLUSTER_GOING:
        return False
    if status.state is RunState.CANCELLED and _BY_USER.search(status.message):
        return False
    return status.compute_ready_at is not None or not _can_never_come_up(status)


def _can_never_come_up(status: RunStatus) -> bool:
    if status.compute_code == "VALIDATION_ERROR":
        return True
    fitting = (rule.verdict.error for rule in _NEVER_UP if rule.fits(status))
    return next(fitting, None) in (BootstrapError, ClusterSettingsError)


def _never_ran(status: RunStatus) -> Verdict:
    if status.compute_code in _ENDED_EARLY or status.compute_ready_at is not None:
        return Verdict(ClusterLostError)
    fitting = (rule.verdict for rule in _NEVER_UP if rule.fits(status))
    return next(fitting, Verdict(ClusterFailedError))


def _lost(status: RunStatus) -> Verdict:
    return Verdict(RunCancelledError if _ended_with_its_cluster(status) else ClusterLostError)


def _ended_with_its_cluster(status: RunStatus) -> bool:
    """Tell whether somebody ended the cluster, and the job with it: then nothing was lost, nothing failed."""
    wished = status.compute_state in CLUSTER_GOING and status.compute_code == "USER_REQUEST"
    return wished and not _IDLE.search(status.compute_message)


def _cancelled(status: RunStatus) -> Verdict:
    """Nobody may have cancelled it: its cluster ended because it was idle, or another step of it failed."""
    if status.compute_state not in CLUSTER_GOING or _BY_USER.search(status.message):
        return Verdict(RunCancelledError)
    another = status.compute_code == "STEP_FAILURE"
    never_ran = status.started_at is None
    done = status.compute_code == "ALL_STEPS_COMPLETED" and _TERMINATED.search(status.message)
    if another or (never_ran and (done or _IDLE.search(status.compute_message))):
        return Verdict(ClusterLostError)
    return Verdict(RunCancelledError)


def _failed(status: RunStatus, cause: Cause) -> Verdict:
    if _ended_with_its_cluster(status) and cause.kind not in _USER_KINDS:
        return Verdict(RunCancelledError)
    if cause.about in _BY_ABOUT:
        return Verdict(_BY_ABOUT[cause.about])
    if cause.kind in _USER_KINDS:
        return Verdict(UserCodeError)
    quoted = cause.kind == "api" and _QUOTED_EXCEPTION.search(cause.message) and not says_little(cause)
    return Verdict(UserCodeError if quoted else RunFailedError)
