"""Reading EMR Serverless' answers about job runs and applications."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.compute.serverless_fit import image_configuration
from airflow_provider_emrkit.logs.serverless_places import LogPlaces
from airflow_provider_emrkit.logs.text import one_line
from airflow_provider_emrkit.runs.job_run import JOB_RUN, JobRun
from airflow_provider_emrkit.runs.states import RunState, RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from airflow_provider_emrkit.runs.token import Mark

# Seconds that the clocks of Airflow and AWS may differ by.
CLOCK_SKEW = 300.0

# EMR Serverless gets ready for what is SUBMITTED, PENDING or SCHEDULED; QUEUED waits for other job runs.
_STATES = {
    "SUBMITTED": RunState.STARTING,
    "PENDING": RunState.STARTING,
    "SCHEDULED": RunState.STARTING,
    "QUEUED": RunState.QUEUED,
    "RUNNING": RunState.RUNNING,
    "CANCELLING": RunState.CANCELLING,
    "SUCCESS": RunState.SUCCEEDED,
    "FAILED": RunState.FAILED,
    "CANCELLED": RunState.CANCELLED,
}


def job_run_state(state: str) -> RunState:
    """Judge a job run's state; one that EMR Serverless may invent is not over.

    >>> job_run_state("SCHEDULED")
    <RunState.STARTING: 'starting'>
    """
    return _STATES.get(state, RunState.STARTING)


def get_job_run(client: Any, application_id: str, job_run_id: str, attempt: int = 0) -> Mapping[str, Any]:
    """Describe a job run (GetJobRun).

    :param attempt: Which attempt; 0 for the present one.
    """
    which = {"attempt": attempt} if attempt else {}
    answer = client.get_job_run(applicationId=application_id, jobRunId=job_run_id, **which)
    job_run: Mapping[str, Any] = answer["jobRun"]
    return job_run


def job_run_pages(
    ask: Callable[..., Mapping[str, Any]], request: Mapping[str, Any], most: int
) -> Iterator[tuple[Sequence[Mapping[str, Any]], bool]]:
    """List job runs (ListJobRuns): the summaries of each page, and whether there are more pages.

    :param ask: The client's ``list_job_runs``, or what calls it with more patience.
    :param request: ListJobRuns' input.
    :param most: How many pages are asked for at most.
    """
    more: dict[str, str] = {}
    for _ in range(most):
        answer = ask(**request, **more)
        token = answer.get("nextToken")
        yield answer.get("jobRuns") or (), bool(token)
        if not token:
            return
        more = {"nextToken": token}


def job_run_status(job_run: Mapping[str, Any]) -> RunStatus:
    """Read how a job run is doing from GetJobRun's answer.

    A boto3 that has not heard of ``startedAt`` and ``endedAt`` gives the last change, and how long it took.
    """
    detail = job_run.get("state") or ""
    state = job_run_state(detail)
    ended = _ended_at(job_run) if state.is_final else None
    attempt_at, queued = job_run.get("attemptCreatedAt"), job_run.get("queuedDurationMilliseconds")
    if attempt_at is not None and queued and detail != "QUEUED":
        attempt_at += timedelta(milliseconds=queued)
    return RunStatus(
        state=state,
        detail=detail,
        message=details_of(job_run),
        started_at=_seconds(_started_at(job_run, state)),
        ended_at=_seconds(ended),
        compute_ready_at=_seconds(attempt_at),
        attempt=job_run.get("attempt") or 0,
        image_digest=digest_of(job_run),
    )


def details_of(job_run: Mapping[str, Any]) -> str:
    """Give EMR Serverless' words about a job run's state; empty where they only repeat it."""
    said = one_line(job_run.get("stateDetails") or "", 1_000)
    return "" if said == job_run.get("state") else said


def digest_of(described: Mapping[str, Any]) -> str:
    """Give the digest of the image that drivers run in; empty where it is not known."""
    return str(image_configuration(described, "driver").get("resolvedImageDigest") or "")


def image_of(described: Mapping[str, Any]) -> str:
    """Give the image that drivers run in, of GetApplication's answer or GetJobRun's; empty for EMR's own."""
    return str(image_configuration(described, "driver").get("imageUri") or "")


def run_of(
    application: Mapping[str, Any],
    job_run: Mapping[str, Any],
    job_run_id: str,
    mark: Mark,
    *,
    region: str,
    submitted_at: float,
    grace_seconds: int = 0,
) -> JobRun:
    """Make the handle of a job run.

    :param application: From GetApplication.
    :param job_run: From GetJobRun, or StartJobRun's input.
    :param submitted_at: Seconds since 1970.
    """
    logs = LogPlaces.of(application, job_run)
    return JobRun(
        kind=JOB_RUN,
        cluster_id="",
        step_id="",
        token=str(mark),
        name=job_run.get("name") or "",
        region=region,
        submitted_at=submitted_at,
        log_uri=logs.uri,
        log_group=logs.group,
        log_prefix=logs.prefix,
        executors_sent=logs.executors,
        relaunch=mark.relaunch,
        application_id=application["applicationId"],
        job_run_id=job_run_id,
        grace_seconds=grace_seconds,
        image=image_of(job_run) or image_of(application),
        image_digests=(digest_of(job_run),) if digest_of(job_run) else (),
    )


def created_at(job_run: Mapping[str, Any]) -> float | None:
    """Tell when a job run was submitted, in seconds since 1970."""
    return _seconds(job_run.get("createdAt"))


def knows(client: Any, operation: str, member: str) -> bool:
    """Tell whether the installed boto3 has heard of a member of an operation's input."""
    return member in client.meta.service_model.operation_model(operation).input_shape.members


def _started_at(job_run: Mapping[str, Any], state: RunState) -> datetime | None:
    told: datetime | None = job_run.get("startedAt")
    changed: datetime | None = job_run.get("attemptUpdatedAt") or job_run.get("updatedAt")
    if told or changed is None:
        return told
    if state is RunState.RUNNING:
        return changed
    took = job_run.get("totalExecutionDurationSeconds")
    ended = _ended_at(job_run)
    return ended - timedelta(seconds=took) if state.is_final and took and ended else None


def _ended_at(job_run: Mapping[str, Any]) -> datetime | None:
    told: datetime | None = job_run.get("endedAt") or job_run.get("updatedAt")
    return told


def _seconds(when: datetime | None) -> float | None:
    return None if when is None else when.timestamp()
