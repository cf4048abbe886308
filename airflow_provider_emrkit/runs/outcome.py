"""What a finished run means for its task: a result, or an exception that says why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.exceptions import (
    ClusterFailedError,
    ClusterLostError,
    RunCancelledError,
    RunError,
    RunFailedError,
)
from airflow_provider_emrkit.logs.causes import find_cause
from airflow_provider_emrkit.runs.progress import duration
from airflow_provider_emrkit.runs.states import RunState

if TYPE_CHECKING:
    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.protocol import FailureFacts
    from airflow_provider_emrkit.runs.states import RunStatus


def result(run: JobRun, status: RunStatus) -> dict[str, Any]:
    """Give what a task that succeeded returns, and so leaves in XCom.

    Its members: ``kind``, ``cluster_id``, ``step_id``, ``name``, ``token``, ``region``, ``state`` (EMR's
    word), ``submitted_at``, ``started_at``, ``ended_at`` (seconds since 1970), ``seconds`` (the job's own),
    ``total_seconds`` (from submission to the end), ``log_uri`` and ``owns_cluster``.
    """
    return {
        "kind": run.kind,
        "cluster_id": run.cluster_id,
        "step_id": run.step_id,
        "name": run.name,
        "token": run.token,
        "region": run.region,
        "state": status.detail,
        "submitted_at": run.submitted_at,
        "started_at": status.started_at,
        "ended_at": status.ended_at,
        "seconds": duration(status.started_at, status.ended_at),
        "total_seconds": duration(run.submitted_at, status.ended_at),
        "log_uri": run.log_uri,
        "owns_cluster": run.owns_cluster,
    }


def failure(run: JobRun, status: RunStatus, facts: FailureFacts) -> RunError:
    """Give the exception for a run that did not succeed: what, why, where that was seen, what may help."""
    if status.state is RunState.CANCELLED:
        reason = status.compute_message or status.message
        return RunCancelledError(f"{run} was cancelled" + (f": {reason}" if reason else ""))
    if status.state is RunState.NEVER_RAN:
        return ClusterFailedError(
            f"cluster {run.cluster_id} did not start: {status.compute_message or status.compute_state}"
        )
    if status.state is RunState.LOST:
        reason = status.compute_message or status.message or status.compute_state
        return ClusterLostError(f"cluster {run.cluster_id} was lost while {run} ran: {reason}")
    cause = find_cause(facts.texts, facts.message or status.message)
    log_file = f"; log: {facts.log_file}" if facts.log_file else ""
    return RunFailedError(f"{run} failed: {cause.sentence()}{log_file}", cause=cause)
