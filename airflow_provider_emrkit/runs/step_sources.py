"""Where a step's logs can be followed, as its cluster was set up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_emrkit.logs.cluster_sources import (
    ArchivedSources,
    CloudWatchPlace,
    NoSources,
    StepCloudWatchSources,
)
from airflow_provider_emrkit.logs.joined_sources import FallbackSources, JoinedSources
from airflow_provider_emrkit.logs.s3_folders import bucket_and_prefix
from airflow_provider_emrkit.logs.user_streams import UserStreams

if TYPE_CHECKING:
    from airflow_provider_emrkit.hooks.clients import AwsClients
    from airflow_provider_emrkit.logs.sources import LogSources
    from airflow_provider_emrkit.runs.job_run import JobRun


def step_sources(clients: AwsClients, run: JobRun) -> LogSources:
    """Give the sources of a step's logs; asks nobody.

    CloudWatch where its cluster sends them there, else S3 where it archives them; and the streams that the
    DAG author has named.
    """
    cloudwatch, where = _cloudwatch(clients, run), step_logs_uri(run)
    if cloudwatch:
        return _with_streams(clients, run, _with_fallback(clients, run, cloudwatch))
    if where is None:
        text = f"Cluster {run.cluster_id} keeps no logs: it has neither CloudWatch logging nor a LogUri."
        return _with_streams(clients, run, NoSources(text))
    reason = (
        f"Cluster {run.cluster_id} does not send its logs to CloudWatch (emr-7.11.0 and later can); "
        f"EMR puts them to {where} every few minutes, and they are shown here as they come."
    )
    return _with_streams(clients, run, archived_sources(clients, run, reason))


def live_sources(clients: AwsClients, run: JobRun) -> LogSources:
    """Give those sources of a step's logs that lines come to as they are written: CloudWatch's."""
    return _with_streams(clients, run, _cloudwatch(clients, run) or NoSources(None))


def archived_sources(clients: AwsClients, run: JobRun, reason: str | None = None) -> ArchivedSources:
    """Give a step's logs on S3; its cluster must have a ``LogUri``.

    :param reason: Why they are read there, for the reader of the log.
    """
    return ArchivedSources(
        clients.client("s3"),
        run.log_uri or "",
        run.cluster_id,
        run.step_id,
        run.driver_apart,
        reason,
        run.executor_logs,
    )


def step_logs_uri(run: JobRun) -> str | None:
    """Give the folder EMR archives a step's own logs in, as an ``s3://`` URI; None when it keeps none."""
    if not run.log_uri:
        return None
    bucket, root = bucket_and_prefix(run.log_uri)
    return f"s3://{bucket}/{root}{run.cluster_id}/steps/{run.step_id}/"


def _cloudwatch(clients: AwsClients, run: JobRun) -> StepCloudWatchSources | None:
    if not run.log_group:
        return None
    reason = None
    if run.executor_logs and not run.executors_sent:
        reason = (
            f"Cluster {run.cluster_id} does not send its executors' logs to CloudWatch (its LogTypes have no "
            "SPARK_EXECUTOR), so they are not shown here."
        )
    return StepCloudWatchSources(
        clients.client("logs"),
        CloudWatchPlace(run.log_group, run.log_prefix),
        run.step_id,
        run.driver_apart,
        executors=run.executor_logs and run.executors_sent,
        reason=reason,
    )


def _with_fallback(clients: AwsClients, run: JobRun, cloudwatch: StepCloudWatchSources) -> LogSources:
    silence = (
        f"Cluster {run.cluster_id} is set up to send its logs to CloudWatch, but nothing has come to log "
        f"group {run.log_group}; its instance profile may not be allowed to write there."
    )
    where = step_logs_uri(run)
    if where is None:
        return FallbackSources(cloudwatch, None, silence)
    silence += f" EMR puts them to {where} as well, every few minutes."
    return FallbackSources(cloudwatch, archived_sources(clients, run), silence)


def _with_streams(clients: AwsClients, run: JobRun, sources: LogSources) -> LogSources:
    """Add the streams that the DAG author has named."""
    if not run.log_streams:
        return sources
    since = int(run.submitted_at * 1000)
    theirs = UserStreams(clients.client("logs"), run.log_streams, since)
    return JoinedSources([sources, theirs], clients.region_name)
