"""What happens to a cluster's records when something happens to it; no threads, processes or clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.emr.model import (
    BUSY_STEP_STATES,
    ENDED_STATES,
    ClusterRecord,
    Failure,
    StepRecord,
)

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.run.contract import StepResult

_TERMINATING_ACTIONS = frozenset({"TERMINATE_CLUSTER", "TERMINATE_JOB_FLOW"})


@dataclass(frozen=True)
class StartStep:
    """A pending step's turn has come."""

    step: StepRecord


@dataclass(frozen=True)
class Terminate:
    """The cluster ends by itself.

    :param is_idle: Because nothing was to be done for some time.
    """

    code: str
    message: str
    is_idle: bool = False


@dataclass(frozen=True)
class Wait:
    """Nothing to do until news come, or until ``until``."""

    until: datetime | None = None


Move = StartStep | Terminate | Wait


def next_move(cluster: ClusterRecord, now: datetime) -> Move:
    """Say what a cluster that is up does next."""
    active = cluster.active_steps
    running = sum(step.state in BUSY_STEP_STATES for step in active)
    pending = next((step for step in active if step.state == "PENDING"), None)
    if pending is not None and running < cluster.step_concurrency:
        return StartStep(pending)
    if active:
        return Wait()
    if not cluster.keep_alive:
        return Terminate("ALL_STEPS_COMPLETED", _completed_text(cluster))
    return _idle_move(cluster, now)


def _idle_move(cluster: ClusterRecord, now: datetime) -> Move:
    # EMR's own rule: protection guards against everything but the regular end of a cluster without KeepAlive.
    if cluster.auto_termination is None or cluster.idle_since is None or cluster.termination_protected:
        return Wait()
    end = cluster.idle_since + timedelta(seconds=cluster.auto_termination)
    if now < end:
        return Wait(end)
    message = f"Cluster was idle for {cluster.auto_termination:g} seconds (auto-termination policy)"
    return Terminate("ALL_STEPS_COMPLETED", message, is_idle=True)


def _completed_text(cluster: ClusterRecord) -> str:
    failed = any(step.state in ("FAILED", "CANCELLED", "INTERRUPTED") for step in cluster.steps.values())
    return "Steps completed with errors" if failed else "Steps completed"


def settle(cluster: ClusterRecord, now: datetime) -> None:
    """Put a cluster that is up into RUNNING while it has steps to run, else into WAITING."""
    if cluster.active_steps:
        cluster.state, cluster.reason_message, cluster.idle_since = "RUNNING", "Running step", None
        return
    if cluster.state != "WAITING":
        cluster.idle_since = now
    ready_text = (
        "Cluster ready after last step completed." if cluster.steps else "Cluster ready to run steps."
    )
    cluster.state, cluster.reason_message = "WAITING", ready_text


def start_step(step: StepRecord, now: datetime) -> None:
    """PENDING → RUNNING."""
    step.state, step.started = "RUNNING", now


def request_cancel(step: StepRecord, now: datetime) -> bool:
    """Cancel a step: at once when it is PENDING, through CANCEL_PENDING when it runs.

    :return: False when it is at its end already.
    """
    if step.state == "PENDING":
        _cancelled(step, "Cancelled by user", now)
        return True
    if step.state in BUSY_STEP_STATES:
        step.state = "CANCEL_PENDING"
        return True
    return False


def finish_step(cluster: ClusterRecord, step: StepRecord, result: StepResult, now: datetime) -> None:
    """Record how a step's process ended, and do what its ActionOnFailure says."""
    if result.succeeded:
        step.state, step.ended = "COMPLETED", now
    elif result.cancelled or step.state == "CANCEL_PENDING" or cluster.state == "TERMINATING":
        by_user = step.state == "CANCEL_PENDING"
        _cancelled(step, "Cancelled by user" if by_user else "Job terminated", now)
    else:
        step.state, step.ended = "FAILED", now
        step.failure = Failure(result.reason or "Unknown Error.", result.message, result.log_file)
        _act_on_failure(cluster, step, now)


def _act_on_failure(cluster: ClusterRecord, step: StepRecord, now: datetime) -> None:
    # EMR: once several steps may run at a time, a failed one neither ends the cluster nor cancels others,
    # whatever it asked for while the level was still 1.
    if step.action_on_failure == "CONTINUE" or not cluster.is_open or cluster.step_concurrency > 1:
        return
    if step.action_on_failure in _TERMINATING_ACTIONS and not cluster.termination_protected:
        begin_termination(cluster, "STEP_FAILURE", "Shut down as step failed", now)
        return
    cancel_pending_steps(cluster, "Cancelled after a step failed", now)


def begin_termination(cluster: ClusterRecord, code: str, message: str, now: datetime) -> None:
    """Put an open cluster into TERMINATING and cancel its pending steps; nothing happens to any other."""
    if not cluster.is_open:
        return
    cluster.state, cluster.reason_code, cluster.reason_message = "TERMINATING", code, message
    cluster.idle_since = None
    cancel_pending_steps(cluster, "Job terminated", now)


def finish_termination(cluster: ClusterRecord, now: datetime) -> None:
    """Put a cluster into its end state: TERMINATED, or TERMINATED_WITH_ERRORS when its reason is an error."""
    cluster.state, cluster.ended = cluster.end_state, now


def lose(cluster: ClusterRecord, message: str, now: datetime) -> None:
    """End a cluster whose machines are gone, and its steps with it; one that has ended stays as it is.

    A cluster that was TERMINATING already ends for the reason it had.
    """
    if cluster.state in ENDED_STATES:
        return
    begin_termination(cluster, "INTERNAL_ERROR", message, now)
    for step in cluster.active_steps:
        if step.state == "RUNNING":
            step.state, step.message, step.ended = "INTERRUPTED", "Job terminated", now
        else:
            _cancelled(step, "Job terminated", now)
    finish_termination(cluster, now)


def cancel_pending_steps(cluster: ClusterRecord, message: str, now: datetime) -> None:
    """PENDING → CANCELLED for all of a cluster's steps."""
    for step in cluster.steps.values():
        if step.state == "PENDING":
            _cancelled(step, message, now)


def _cancelled(step: StepRecord, message: str, now: datetime) -> None:
    step.state, step.message, step.ended = "CANCELLED", message, now
