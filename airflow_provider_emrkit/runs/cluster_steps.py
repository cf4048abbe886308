"""Spark jobs as steps of EMR clusters: of one that exists, or of one that is made for the job."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.logs.wishes import NO_WISHES
from airflow_provider_emrkit.runs.gathered_calls import GatheredEmr
from airflow_provider_emrkit.runs.step_cost import read_step_cost
from airflow_provider_emrkit.runs.step_ending import StepEnding
from airflow_provider_emrkit.runs.step_failure import read_facts
from airflow_provider_emrkit.runs.step_search import StepSearch
from airflow_provider_emrkit.runs.step_sources import live_sources, step_sources
from airflow_provider_emrkit.runs.step_states import StepMemory, step_states
from airflow_provider_emrkit.runs.step_submission import StepSubmission

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_emrkit.compute.defaults import ClusterDefaults
    from airflow_provider_emrkit.hooks.clients import AwsClients
    from airflow_provider_emrkit.jobs.spark_job import SparkJob
    from airflow_provider_emrkit.logs.sources import LogSources
    from airflow_provider_emrkit.logs.wishes import LogWishes
    from airflow_provider_emrkit.runs.earlier import Found
    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.protocol import Compute, FailureFacts, Released
    from airflow_provider_emrkit.runs.states import RunStatus
    from airflow_provider_emrkit.runs.token import RunToken


class ClusterSteps:
    """Runs Spark jobs as steps of EMR clusters.

    :param clients: AWS clients.
    :param defaults: What the connection says about clusters.
    :param pause: Waits some seconds; gives True when the wait was ended because the work is to stop.
    :param settle: Waits some seconds, whatever happens.
    :param staging_uri: ``s3://bucket/prefix`` for arguments that are too long for a step.

    >>> ClusterSteps(hook.clients, hook.settings.cluster_defaults(), stop.wait)  # doctest: +SKIP
    """

    def __init__(
        self,
        clients: AwsClients,
        defaults: ClusterDefaults,
        pause: Callable[[float], bool],
        settle: Callable[[float], object] | None = None,
        staging_uri: str | None = None,
    ) -> None:
        self._clients = clients
        self._pause = pause
        self._settle = settle or threading.Event().wait
        self._memory = StepMemory()
        self._gathered = GatheredEmr(lambda: self._emr)
        self._submission = StepSubmission(clients, defaults, pause, self._settle, staging_uri)
        self._search = StepSearch(clients, pause, staging_uri)

    @property
    def _ending(self) -> StepEnding:
        return StepEnding(self._gathered, self._settle)

    @property
    def _emr(self) -> Any:
        return self._clients.client("emr")

    def submit(
        self, job: SparkJob, compute: Compute, token: RunToken, wishes: LogWishes = NO_WISHES
    ) -> JobRun:
        """Start a job, once; see :class:`~airflow_provider_emrkit.runs.step_submission.StepSubmission`."""
        return self._submission.submit(job, compute, token, wishes)

    def earlier(self, compute: Compute, token: RunToken, since: float | None) -> Sequence[Found]:
        """Find what earlier attempts of a task instance have started, by the marks in names."""
        return self._search.earlier(compute, token, since)

    def states(self, runs: Sequence[JobRun]) -> Mapping[JobRun, RunStatus]:
        """Ask how steps are doing; see :func:`~airflow_provider_emrkit.runs.step_states.step_states`.

        AWS's refusals for its rate are not sat out here, but by whoever asks again and again.
        """
        return step_states(self._clients.client("emr", retries=False), runs, self._memory)

    def end(self, run: JobRun, patience: float) -> Released:
        """End a run for good; see :class:`~airflow_provider_emrkit.runs.step_ending.StepEnding`."""
        return self._ending.end(run, patience)

    def log_sources(self, run: JobRun) -> LogSources:
        """Tell where the run's logs can be followed, as its cluster was set up; asks nobody."""
        return step_sources(self._clients, run)

    def failure_facts(self, run: JobRun, patience: float = 0.0) -> FailureFacts:
        """Collect EMR's words and the ends of the logs, which are waited for where they are on S3 alone."""
        return read_facts(self._clients, run, live_sources(self._clients, run), patience, self._pause)

    def release(self, run: JobRun) -> Released:
        """Terminate the cluster that was made for a run, and see that it ends."""
        return self._ending.release(run)

    def cost(self, run: JobRun, status: RunStatus) -> Mapping[str, Any] | None:
        """Tell what a step has used (DescribeCluster)."""
        return read_step_cost(self._emr, run, status)
