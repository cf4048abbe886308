"""Where the logs of a job run of EMR Serverless go, as it and its application are set up. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_GROUP = "/aws/emr-serverless"


@dataclass(frozen=True)
class LogPlaces:
    """Where the logs of a job run go.

    :param uri: On S3; None for nowhere.
    :param group: CloudWatch log group; None for none.
    :param prefix: What the names of its streams start with; empty, or ending in a slash.
    :param executors: Whether CloudWatch gets those of executors, too.

    >>> streams = {"cloudWatchLoggingConfiguration": {"enabled": True, "logStreamNamePrefix": "nightly"}}
    >>> LogPlaces.of({"monitoringConfiguration": streams}, {})
    LogPlaces(uri=None, group='/aws/emr-serverless', prefix='nightly/', executors=False)
    """

    uri: str | None = None
    group: str | None = None
    prefix: str = ""
    executors: bool = False

    @classmethod
    def of(cls, application: Mapping[str, Any], job_run: Mapping[str, Any]) -> LogPlaces:
        """Read them of GetApplication's answer, and of GetJobRun's or StartJobRun's input."""
        monitoring = monitoring_of(application, job_run)
        uri = (monitoring.get("s3MonitoringConfiguration") or {}).get("logUri") or None
        streams = monitoring.get("cloudWatchLoggingConfiguration") or {}
        if not streams.get("enabled"):
            return cls(uri)
        prefix = (streams.get("logStreamNamePrefix") or "").rstrip("/")
        return cls(
            uri,
            streams.get("logGroupName") or DEFAULT_GROUP,
            f"{prefix}/" if prefix else "",
            bool((streams.get("logTypes") or {}).get("SPARK_EXECUTOR")),
        )


def monitoring_of(application: Mapping[str, Any], job_run: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the ``monitoringConfiguration`` that holds: each member is the run's, or else its application's.

    >>> run = {"configurationOverrides": {"monitoringConfiguration": {"s3MonitoringConfiguration": {}}}}
    >>> monitoring_of({"monitoringConfiguration": {"s3MonitoringConfiguration": {"logUri": "s3://a"}}}, run)
    {'s3MonitoringConfiguration': {}}
    """
    overrides = job_run.get("configurationOverrides") or {}
    inherited = application.get("monitoringConfiguration") or {}
    return {**inherited, **(overrides.get("monitoringConfiguration") or {})}


def job_folder(application_id: str, job_run_id: str) -> str:
    """Give the folder of a job run's logs, below what they are put to.

    >>> job_folder("00app", "00run")
    'applications/00app/jobs/00run/'
    """
    return f"applications/{application_id}/jobs/{job_run_id}/"
