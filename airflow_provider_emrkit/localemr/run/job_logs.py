"""Where the logs of a job run's driver and executors go, as EMR Serverless lays it out. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.run.cloudwatch import EXECUTOR, LogTarget
from airflow_provider_emrkit.localemr.run.outputs import LogPlace
from airflow_provider_emrkit.localemr.run.s3_logs import LogLocation, log_location

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_emrkit.localemr.run.contract import JobRunRequest

UPLOAD_EVERY = 15.0
"""Seconds between two uploads of a running job's logs; EMR Serverless' own rhythm."""

_DRIVER = "SPARK_DRIVER"
_GROUP = "/aws/emr-serverless"
_DEFAULT_LOG_TYPES: Mapping[str, tuple[str, ...]] = {_DRIVER: ("STDOUT", "STDERR")}


def job_folder(request: JobRunRequest) -> str:
    """Give the folder of an attempt's logs, on S3 as in CloudWatch Logs.

    >>> job_folder(JobRunRequest("00app", "00run", 2, "emr-7.11.0", "s3://b/job.py"))  # doctest: +SKIP
    'applications/00app/jobs/00run/attempts/2'
    """
    folder = f"applications/{request.application_id}/jobs/{request.run_id}"
    if request.attempt == 1 and not request.keeps_attempts_apart:
        return folder
    return f"{folder}/attempts/{request.attempt}"


def job_target(monitoring: Mapping[str, Any]) -> LogTarget | None:
    """Read a ``monitoringConfiguration``; None when it sends nothing to CloudWatch Logs."""
    config = monitoring.get("cloudWatchLoggingConfiguration") or {}
    if not config.get("enabled"):
        return None
    asked = config.get("logTypes")
    types = {str(key): tuple(name.upper() for name in names) for key, names in (asked or {}).items()}
    prefix = str(config.get("logStreamNamePrefix") or "").strip("/")
    return LogTarget(config.get("logGroupName") or _GROUP, prefix, types or _DEFAULT_LOG_TYPES)


def job_location(monitoring: Mapping[str, Any], folder: str) -> LogLocation | None:
    """Read a ``monitoringConfiguration``; None when it keeps no logs on S3."""
    config = monitoring.get("s3MonitoringConfiguration") or {}
    return log_location(config.get("logUri"), folder)


def driver_logs(target: LogTarget | None, folder: str) -> dict[str, LogPlace]:
    """Give the logs of a driver."""
    return _places(target, folder, _DRIVER, _DRIVER)


def executor_logs(target: LogTarget | None, folder: str, number: int) -> dict[str, LogPlace]:
    """Give the logs of an executor."""
    return _places(target, folder, EXECUTOR, f"{EXECUTOR}/{number}")


def _places(target: LogTarget | None, folder: str, log_type: str, path: str) -> dict[str, LogPlace]:
    # EMR Serverless puts "/applications/…" behind the prefix, also behind one that is empty.
    slash = "/" if target and not target.prefix else ""
    return {
        name: LogPlace(
            target.stream(log_type, f"{slash}{folder}/{path}", name) if target else None, f"{path}/{name}"
        )
        for name in ("stdout", "stderr")
    }
