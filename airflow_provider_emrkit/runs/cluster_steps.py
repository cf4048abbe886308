"""Spark jobs as steps of EMR clusters: of one that exists, or of one that is made for the job."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.logs.causes import LogText
from airflow_provider_emrkit.logs.cluster_sources import (
    ArchivedSources,
    CloudWatchPlace,
    NoSources,
    StepCloudWatchSources,
)
from airflow_provider_emrkit.logs.sources import LogLine
from airflow_provider_emrkit.runs.cluster_end import end_cluster
from airflow_provider_emrkit.runs.protocol import FailureFacts, Released
from airflow_provider_emrkit.runs.step_calls import failure_message, list_steps, needs_cluster, run_status
from airflow_provider_emrkit.runs.step_submission import StepSubmission

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_emrkit.compute.defaults import ClusterDefaults
    from airflow_provider_emrkit.hooks.clients import AwsClients
    from airflow_provider_emrkit.jobs.spark_job import SparkJob
    from airflow_provider_emrkit.logs.sources import LogSources
    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.protocol import Compute
    from airflow_provider_emrkit.runs.states import RunStatus
    from airflow_provider_emrkit.runs.token import RunToken

# Lines at the end of each log that a failure's cause is looked for in.
TAIL_LINES = 1_000


class ClusterSteps:
    """Runs Spark jobs as steps of EMR clusters.

    :param clients: AWS clients.
    :param defaults: What the connection says about clusters.
    :param pause: Waits some seconds; gives True when the wait was ended because the work is to stop.
    :param settle: Waits some seconds, whatever happens.

    >>> ClusterSteps(hook.clients, hook.settings.cluster_defaults(), stop.wait)  # doctest: +SKIP
    """

    def __init__(
        self,
        clients: AwsClients,
        defaults: ClusterDefaults,
        pause: Callable[[float], bool],
        settle: Callable[[float], object] | None = None,
    ) -> None:
        self._clients = clients
        self._settle = settle or threading.Event().wait
        self._submission = StepSubmission(clients, defaults, pause, self._settle)

    @property
    def _emr(self) -> Any:
        return self._clients.client("emr")

    def submit(self, job: SparkJob, compute: Compute, token: RunToken) -> JobRun:
        """Start a job, once; see :class:`~airflow_provider_emrkit.runs.step_submission.StepSubmission`."""
        return self._submission.submit(job, compute, token)

    def find(self, compute: Compute, token: RunToken) -> JobRun | None:
        """Find the run that carries a token."""
        return self._submission.find(compute, token)

    def states(self, runs: Sequence[JobRun]) -> Mapping[JobRun, RunStatus]:
        """Ask how steps are doing (ListSteps, DescribeCluster where the step alone does not tell)."""
        statuses: dict[JobRun, RunStatus] = {}
        for cluster_id in dict.fromkeys(run.cluster_id for run in runs):
            here = [run for run in runs if run.cluster_id == cluster_id]
            steps = list_steps(self._emr, cluster_id, [run.step_id for run in here])
            unclear = any(needs_cluster(steps.get(run.step_id)) for run in here)
            cluster = self._describe(cluster_id) if unclear else None
            statuses.update({run: run_status(steps.get(run.step_id), cluster) for run in here})
        return statuses

    def cancel(self, run: JobRun) -> Released:
        """End a step (CancelSteps), or its cluster when that was made for it (TerminateJobFlows)."""
        if run.owns_cluster:
            self._emr.terminate_job_flows(JobFlowIds=[run.cluster_id])
            return Released(True, f"cluster {run.cluster_id} is being terminated")
        answer = self._emr.cancel_steps(ClusterId=run.cluster_id, StepIds=[run.step_id])
        infos = answer.get("CancelStepsInfoList") or [{}]
        if infos[0].get("Status") == "FAILED":
            now = self.states([run])[run]
            if now.state.is_final:
                return Released(True, f"{run} is {now.detail} already")
            return Released(False, f"{run} could not be cancelled: {infos[0].get('Reason')}")
        return Released(True, f"{run} is being cancelled")

    def log_sources(self, run: JobRun) -> LogSources:
        """Find out from the cluster where its logs go (DescribeCluster)."""
        place = CloudWatchPlace.of(self._describe(run.cluster_id))
        if place:
            logs = self._clients.client("logs")
            return StepCloudWatchSources(logs, place, run.step_id, run.driver_apart)
        where = step_logs_uri(run)
        if where is None:
            return NoSources(
                f"Cluster {run.cluster_id} keeps no logs: it has neither CloudWatch logging nor a LogUri."
            )
        return NoSources(
            f"Cluster {run.cluster_id} does not send its logs to CloudWatch (emr-7.11.0 and later can); "
            f"EMR puts them to {where} every few minutes."
        )

    def failure_facts(self, run: JobRun) -> FailureFacts:
        """Collect EMR's words (ListSteps) and the ends of the logs, from CloudWatch or else from S3."""
        step = list_steps(self._emr, run.cluster_id, [run.step_id]).get(run.step_id) or {}
        details = (step.get("Status") or {}).get("FailureDetails") or {}
        texts = _log_ends(self.log_sources(run))
        followed = bool(texts)
        if not followed and run.log_uri:
            # Also a cluster that is to send its logs to CloudWatch may not be allowed to, or too short-lived.
            s3 = self._clients.client("s3")
            archive = ArchivedSources(s3, run.log_uri, run.cluster_id, run.step_id, run.driver_apart)
            texts = _log_ends(archive)
        return FailureFacts(failure_message(step), details.get("LogFile") or "", texts, followed=followed)

    def release(self, run: JobRun) -> Released:
        """Terminate the cluster that was made for a run, and see that it ends."""
        if not run.owns_cluster:
            return Released(True, f"cluster {run.cluster_id} goes on")
        return end_cluster(self._emr, run, self._settle)

    def _describe(self, cluster_id: str) -> Mapping[str, Any]:
        cluster: Mapping[str, Any] = self._emr.describe_cluster(ClusterId=cluster_id)["Cluster"]
        return cluster


def step_logs_uri(run: JobRun) -> str | None:
    """Give the folder EMR archives a step's own logs in, as an ``s3://`` URI; None when it keeps none."""
    if not run.log_uri:
        return None
    _, _, path = run.log_uri.partition("://")
    return f"s3://{path.rstrip('/')}/{run.cluster_id}/steps/{run.step_id}/"


def _log_ends(sources: LogSources) -> Sequence[LogText]:
    """Read the ends of all logs, the driver's first.

    What spark-submit wrote is read first all the same: it names the YARN application, and so the driver's
    logs.
    """
    texts: dict[str, LogText] = {}
    for _ in range(2):
        for source in sources.current():
            if source.name in texts:
                continue
            lines = source.last_lines(TAIL_LINES)
            texts[source.name] = LogText(f"{source.label} in {source.name}", lines)
            sources.observe([LogLine(None, line, source.label) for line in lines])
    return [text for text in reversed(texts.values()) if text.lines]
