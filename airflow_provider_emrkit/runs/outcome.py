"""What a finished run means for its task: a result, or an exception that says why."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit import exceptions
from airflow_provider_emrkit.exceptions import (
    ClusterLostError,
    EmrKitError,
    RunCancelledError,
    RunError,
    RunNotFoundError,
    RunTimedOutError,
    SubmitRefusedError,
)
from airflow_provider_emrkit.logs.causes import Cause, find_cause
from airflow_provider_emrkit.logs.start_causes import find_start_cause
from airflow_provider_emrkit.runs.classify import classify
from airflow_provider_emrkit.runs.job_run import JOB_RUN, STEP
from airflow_provider_emrkit.runs.progress import duration
from airflow_provider_emrkit.runs.serverless_classify import classify_job_run
from airflow_provider_emrkit.runs.start_logs import bootstrap_log
from airflow_provider_emrkit.runs.states import CLUSTER_GOING, RunState
from airflow_provider_emrkit.runs.token import MARK, Mark

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.protocol import FailureFacts
    from airflow_provider_emrkit.runs.states import RunStatus

# What names a run of each sort, and tells of what it ran on.
_IDS: dict[str, tuple[str, ...]] = {
    STEP: ("cluster_id", "step_id", "owns_cluster"),
    JOB_RUN: ("application_id", "job_run_id", "image", "image_digest"),
}
_CLASSIFY = {STEP: classify, JOB_RUN: classify_job_run}


def result(run: JobRun, status: RunStatus, cost: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Give what a task that succeeded returns, and so leaves in XCom.

    Its members: ``kind``; ``cluster_id``, ``step_id`` and ``owns_cluster`` of a step, ``application_id``,
    ``job_run_id``, ``image`` and ``image_digest`` of a job run of EMR Serverless; ``name``, ``token``,
    ``region``, ``state`` (EMR's word), ``submitted_at``, ``started_at``, ``ended_at`` (seconds since 1970),
    ``waited_seconds`` (from submission to the start), ``seconds`` (the job's own), ``total_seconds`` (from
    submission to the end), ``attempts``, ``log_uri``, ``log_group``, ``log_prefix`` and ``cost`` (see
    :func:`~.step_cost.step_cost` and :func:`~.serverless_cost.job_run_cost`).

    :param cost: What AWS says the run has used; None when it does not say.
    """
    return {
        "kind": run.kind,
        **_ids(run, status),
        "name": run.name,
        "token": run.token,
        "region": run.region,
        "state": status.detail,
        "submitted_at": run.submitted_at,
        "started_at": status.started_at,
        "ended_at": status.ended_at,
        "waited_seconds": duration(run.submitted_at, status.started_at),
        "seconds": duration(status.started_at, status.ended_at),
        "total_seconds": duration(run.submitted_at, status.ended_at),
        "attempts": attempts(run),
        "log_uri": run.log_uri,
        "log_group": run.log_group,
        "log_prefix": run.log_prefix,
        "cost": None if cost is None else dict(cost),
    }


def _ids(run: JobRun, status: RunStatus) -> dict[str, Any]:
    ids = {name: getattr(run, name) for name in _IDS[run.kind]}
    # What it got counts, not what it was to get.
    return {**ids, "image_digest": status.image_digest} if status.image_digest else ids


def attempts(run: JobRun) -> dict[str, int | None]:
    """Tell which attempt a run is: the ``try_number`` that submitted it, and the ``relaunches`` within that.

    A later try that took over the run of an earlier one shows the earlier one's number.
    """
    mark = Mark.of(MARK + run.token)
    return {"try_number": mark.try_number if mark else None, "relaunches": run.relaunch}


def unwatchable(run: JobRun, kind: str | None, reason: str, became: str) -> EmrKitError:
    """Give the exception for a run that could not be watched to its end.

    :param kind: Name of the error's type; one that is none of emrkit's makes a :class:`RunError`.
    :param reason: What the error said.
    :param became: What has become of the run.
    """
    error, said = retyped(kind, reason, RunError)
    return error(f"{run} could not be watched any longer ({said}), so it was to end: {became}")


def unplaced(kind: str | None, reason: str) -> EmrKitError:
    """Give the exception for a job that was not placed in its pool.

    :param kind: Name of the error's type; one that is none of emrkit's makes a :class:`SubmitRefusedError`.
    :param reason: What the error said.

    >>> unplaced("PoolBusyError", "2 of 2 clusters are full")
    PoolBusyError('2 of 2 clusters are full')
    """
    error, said = retyped(kind, reason, SubmitRefusedError)
    return error(said)


def retyped(kind: str | None, reason: str, other: type[EmrKitError]) -> tuple[type[EmrKitError], str]:
    """Give the type of an error by its name, and what to say: with the name, where it is none of emrkit's."""
    found = getattr(exceptions, kind or "", None)
    if isinstance(found, type) and issubclass(found, EmrKitError):
        return found, reason
    return other, f"{kind}: {reason}" if kind else reason


def failure(run: JobRun, status: RunStatus, facts: FailureFacts) -> RunError:
    """Give the exception for a run that did not succeed: what, why, where that was seen, what may help."""
    if status.state is RunState.UNLISTED:
        kept = "; it keeps the last 1,000 steps of a cluster" if run.kind == STEP else ""
        return RunNotFoundError(
            f"EMR does not list {run.what} of {run.where} any more{kept}. See from what the job wrote how it "
            "ended, before it is started again"
        )
    cause = _cause(run, status, facts)
    verdict = _CLASSIFY[run.kind](status, cause)
    if verdict.hint:
        cause = replace(cause, hint=verdict.hint)
    if verdict.error is RunTimedOutError:
        return RunTimedOutError(f"{run} was ended: {_said(status)} - {verdict.hint}", cause=cause)
    if verdict.error is RunCancelledError:
        reason = _said(status)
        return RunCancelledError(f"{run} was cancelled" + (f": {reason}" if reason else ""), cause=cause)
    what = _what(run, status, lost=verdict.error is ClusterLostError)
    # Where nothing was found, EMR may know a log.
    unread = facts.log_file and status.state is RunState.FAILED and not cause.source
    log_file = f"; log: {facts.log_file}" if unread else ""
    return verdict.error(f"{what}: {cause.sentence()}{log_file}", cause=cause)


def _what(run: JobRun, status: RunStatus, *, lost: bool) -> str:
    if status.state is RunState.FAILED:
        return f"{run} failed" + (f" in attempt {status.attempt}" if status.attempt > 1 else "")
    if status.state is RunState.LOST:
        return f"{run.where} was lost while {run} ran"
    return f"{run.where} ended before {run} could run" if lost else f"{run.where} did not start"


def _cause(run: JobRun, status: RunStatus, facts: FailureFacts) -> Cause:
    if status.state is RunState.FAILED:
        return find_cause(facts.texts, facts.message or status.message, facts.image)
    said = _said(status)
    start = find_start_cause(facts.start_texts)
    if start is None:
        return Cause(said, "cluster", source=bootstrap_log(run, said) or "")
    known = start.message in said  # EMR, too, may quote it
    return replace(
        start, message=said if known else f"{said}: {start.message}", kind="cluster", about="", hint=""
    )


def _said(status: RunStatus) -> str:
    """Give EMR's words for a run that did not end by itself."""
    if status.state is not RunState.CANCELLED:
        return status.compute_message or status.message or status.compute_state
    # What EMR says about a cluster that goes on has nothing to do with it.
    return (status.compute_message if status.compute_state in CLUSTER_GOING else "") or status.message
