"""Reading EMR's answers about steps and clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.logs.cluster_sources import CloudWatchPlace
from airflow_provider_emrkit.logs.text import one_line
from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.runs.states import NOT_LISTED, RunStatus, step_state

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from airflow_provider_emrkit.runs.token import Mark

KIND = "step"
# ListSteps takes so many ids at once.
IDS_AT_ONCE = 10


def list_steps(emr: Any, cluster_id: str, step_ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Describe steps of a cluster by id (ListSteps, ten at a time)."""
    found: dict[str, Mapping[str, Any]] = {}
    for start in range(0, len(step_ids), IDS_AT_ONCE):
        answer = emr.list_steps(ClusterId=cluster_id, StepIds=list(step_ids[start : start + IDS_AT_ONCE]))
        found.update({step["Id"]: step for step in answer.get("Steps", [])})
    return found


def steps_of(
    emr: Any, cluster_id: str, pages: int, states: Sequence[str] = ()
) -> Iterator[Mapping[str, Any]]:
    """Give the newest steps of a cluster (ListSteps, newest first).

    :param states: Only those in these states; by default in any.
    """
    request: dict[str, Any] = {"ClusterId": cluster_id}
    if states:
        request["StepStates"] = list(states)
    for _ in range(pages):
        answer = emr.list_steps(**request)
        yield from answer.get("Steps", [])
        if not answer.get("Marker"):
            return
        request["Marker"] = answer["Marker"]


def cluster_state(cluster: Mapping[str, Any]) -> tuple[str, str, str]:
    """Give a cluster's state, the code of its reason, and the reason in EMR's words."""
    status = cluster.get("Status") or {}
    reason = status.get("StateChangeReason") or {}
    details = (detail.get("ErrorMessage") for detail in status.get("ErrorDetails") or ())
    said = dict.fromkeys(filter(None, (reason.get("Message"), *details)))
    return status.get("State") or "", reason.get("Code") or "", one_line("; ".join(said))


def error_codes(cluster: Mapping[str, Any]) -> tuple[str, ...]:
    """Give the codes of what ended a cluster (Cluster.Status.ErrorDetails)."""
    details = (cluster.get("Status") or {}).get("ErrorDetails") or ()
    return tuple(dict.fromkeys(detail["ErrorCode"] for detail in details if detail.get("ErrorCode")))


def ready_at(cluster: Mapping[str, Any]) -> float | None:
    """Tell when a cluster was up (Cluster.Status.Timeline.ReadyDateTime)."""
    timeline = (cluster.get("Status") or {}).get("Timeline") or {}
    return seconds(timeline.get("ReadyDateTime"))


def created_at(step_or_cluster: Mapping[str, Any]) -> float | None:
    """Tell when a step or cluster was submitted (Status.Timeline.CreationDateTime)."""
    timeline = (step_or_cluster.get("Status") or {}).get("Timeline") or {}
    return seconds(timeline.get("CreationDateTime"))


def ended_at(step_or_cluster: Mapping[str, Any]) -> float | None:
    """Tell when a step or cluster ended (Status.Timeline.EndDateTime)."""
    timeline = (step_or_cluster.get("Status") or {}).get("Timeline") or {}
    return seconds(timeline.get("EndDateTime"))


def run_of(
    cluster: Mapping[str, Any],
    step_id: str,
    mark: Mark,
    *,
    name: str,
    region: str,
    submitted_at: float,
    owns_cluster: bool,
) -> JobRun:
    """Make the handle of a step.

    :param cluster: Its cluster, from DescribeCluster; or RunJobFlow's input, with the ``Id`` it has got.
    :param name: The step's name.
    :param submitted_at: Seconds since 1970.
    """
    place = CloudWatchPlace.of(cluster)
    return JobRun(
        kind=KIND,
        cluster_id=cluster["Id"],
        step_id=step_id,
        token=str(mark),
        name=name,
        region=region,
        owns_cluster=owns_cluster,
        submitted_at=submitted_at,
        log_uri=cluster.get("LogUri"),
        log_group=place.group if place else None,
        log_prefix=place.prefix if place else "",
        executors_sent=bool(place and place.executors),
        relaunch=mark.relaunch,
    )


def run_status(step: Mapping[str, Any] | None, cluster: Mapping[str, Any] | None) -> RunStatus:
    """Judge a step from ListSteps' answer and, where it was asked for, DescribeCluster's."""
    status = (step or {}).get("Status") or {}
    timeline = status.get("Timeline") or {}
    state, code, message = cluster_state(cluster or {})
    detail = status.get("State") or ""
    started = timeline.get("StartDateTime")
    return RunStatus(
        state=step_state(detail, state, code, ever_ran=started is not None),
        detail=detail or NOT_LISTED,
        message=failure_message(step),
        compute_state=state,
        compute_message=message,
        compute_code=code,
        compute_errors=error_codes(cluster or {}),
        compute_ready_at=ready_at(cluster or {}),
        started_at=seconds(started),
        ended_at=seconds(timeline.get("EndDateTime")),
    )


def failure_message(step: Mapping[str, Any] | None) -> str:
    """Give EMR's words for why a step failed (Step.Status.FailureDetails, StateChangeReason)."""
    status = (step or {}).get("Status") or {}
    details = status.get("FailureDetails") or {}
    reason = status.get("StateChangeReason") or {}
    said: Iterable[str | None] = (details.get("Reason"), details.get("Message"), reason.get("Message"))
    return one_line("; ".join(dict.fromkeys(part for part in said if part)), 1_000)


def seconds(when: datetime | None) -> float | None:
    """Give a time of an AWS answer in seconds since 1970."""
    return None if when is None else when.timestamp()
