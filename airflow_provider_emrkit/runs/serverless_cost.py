"""What a job run of EMR Serverless is billed for, as EMR Serverless tells."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.hooks.errors import explain, is_aws_error, is_transient
from airflow_provider_emrkit.runs.serverless_calls import get_job_run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.states import RunStatus

_log = logging.getLogger(__name__)

# Seconds between the looks for what EMR Serverless adds to a job run some time after its end.
PAUSES = (1.0, 2.0, 3.0, 4.0)

# Members of the API's utilizations, in a cost's words.
_PARTS = {"vCPUHour": "vcpu_hours", "memoryGBHour": "memory_gb_hours", "storageGBHour": "storage_gb_hours"}


def read_job_run_cost(
    client: Any, run: JobRun, status: RunStatus, pause: Callable[[float], bool]
) -> dict[str, Any] | None:
    """Ask EMR Serverless what a finished job run is billed for (GetJobRun).

    :param client: boto3 client of EMR Serverless.
    :param pause: Waits some seconds, as it is told a little after the end; gives True when the task is to
        stop.
    :return: None when EMR Serverless does not say, or can't be asked: that fails no run.
    """
    waits = iter(PAUSES if status.state.is_final else ())
    while True:
        cost, refusal = _ask(client, run)
        wait = None if refusal and not is_transient(refusal) else next(waits, None)
        if cost is not None or wait is None or pause(wait):
            break
    if refusal:
        said = explain(refusal, run.region)
        _log.info("What %s is billed for could not be asked for: %s", run, said)
    return cost


def _ask(client: Any, run: JobRun) -> tuple[dict[str, Any] | None, Exception | None]:
    """Give what a job run is billed for, and AWS's error where it did not answer."""
    try:
        return job_run_cost(get_job_run(client, run.application_id, run.job_run_id)), None
    except Exception as error:
        if not is_aws_error(error) and not is_transient(error):
            raise
        return None, error


def job_run_cost(job_run: Mapping[str, Any]) -> dict[str, Any] | None:
    """Read what a job run is billed for, of GetJobRun's answer.

    Members of the result:

    - ``vcpu_hours``, ``memory_gb_hours``, ``storage_gb_hours``: what is billed
      (``billedResourceUtilization``), a minute of each worker at least, and storage beyond 20 GB a worker,
    - ``used``: the same three of what was used (``totalResourceUtilization``),
    - ``seconds``: how long it ran, all attempts together,
    - ``queued_seconds``: how long it was QUEUED,
    - ``attempts``: how many there were.

    What an application keeps ready for others is billed beside it.

    :return: None when EMR Serverless does not say (yet).

    >>> cost = job_run_cost({"billedResourceUtilization": {"vCPUHour": 0.25, "memoryGBHour": 1.0}})
    >>> cost["vcpu_hours"], cost["storage_gb_hours"]
    (0.25, 0.0)
    """
    billed = job_run.get("billedResourceUtilization")
    if not billed:
        return None
    queued = job_run.get("queuedDurationMilliseconds")
    return {
        **_parts(billed),
        "used": _parts(job_run.get("totalResourceUtilization") or {}),
        "seconds": job_run.get("totalExecutionDurationSeconds"),
        "queued_seconds": None if queued is None else queued / 1000,
        "attempts": job_run.get("attempt") or 1,
    }


def _parts(utilization: Mapping[str, float]) -> dict[str, float]:
    return {ours: float(utilization.get(theirs) or 0.0) for theirs, ours in _PARTS.items()}


def billed(cost: Mapping[str, Any]) -> str:
    """Put what a job run is billed for into words.

    >>> billed({"vcpu_hours": 0.25, "memory_gb_hours": 1.0, "storage_gb_hours": 0.0})
    '0.25 vCPU-hours, 1 GB-hours of memory, 0 GB-hours of storage'
    """
    vcpu, memory, storage = (f"{cost[name]:.4g}" for name in _PARTS.values())
    return f"{vcpu} vCPU-hours, {memory} GB-hours of memory, {storage} GB-hours of storage"
