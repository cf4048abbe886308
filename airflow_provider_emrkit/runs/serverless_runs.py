"""Spark jobs as job runs of EMR Serverless."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.runs.protocol import Released
from airflow_provider_emrkit.runs.serverless_cost import read_job_run_cost
from airflow_provider_emrkit.runs.serverless_ending import ServerlessEnding
from airflow_provider_emrkit.runs.serverless_failure import job_run_sources, read_job_run_facts
from airflow_provider_emrkit.runs.serverless_search import ServerlessSearch
from airflow_provider_emrkit.runs.serverless_states import JobRunMemory, job_run_states
from airflow_provider_emrkit.runs.serverless_submission import ServerlessSubmission

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_emrkit.applications.awaited import LeftWaits
    from airflow_provider_emrkit.compute.defaults import ApplicationDefaults
    from airflow_provider_emrkit.hooks.clients import AwsClients
    from airflow_provider_emrkit.jobs.spark_job import SparkJob
    from airflow_provider_emrkit.logs.sources import LogSources
    from airflow_provider_emrkit.logs.wishes import LogWishes
    from airflow_provider_emrkit.runs.earlier import Found
    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.protocol import Compute, FailureFacts
    from airflow_provider_emrkit.runs.states import RunStatus
    from airflow_provider_emrkit.runs.token import RunToken


class ServerlessRuns:
    """Runs Spark jobs on applications of EMR Serverless.

    :param clients: AWS clients.
    :param defaults: What the connection says about applications.
    :param pause: Waits some seconds; gives True when the wait was ended because the work is to stop.
    :param settle: Waits some seconds, whatever happens.
    :param left: The waits of a deferrable task; None for one that waits on its worker.

    >>> ServerlessRuns(hook.clients, hook.settings.application_defaults(), stop.wait)  # doctest: +SKIP
    """

    def __init__(
        self,
        clients: AwsClients,
        defaults: ApplicationDefaults,
        pause: Callable[[float], bool],
        settle: Callable[[float], object] | None = None,
        left: LeftWaits | None = None,
    ) -> None:
        self._clients = clients
        self._pause = pause
        self._settle = settle or threading.Event().wait
        self._memory = JobRunMemory()
        self._submission = ServerlessSubmission(clients, defaults, pause, self._settle, left)
        self._search = ServerlessSearch(clients, defaults, pause)

    def submit(self, job: SparkJob, compute: Compute, token: RunToken, wishes: LogWishes) -> JobRun:
        """Start a job, once; see :class:`~.serverless_submission.ServerlessSubmission`."""
        return self._submission.submit(job, compute, token, wishes)

    def earlier(self, compute: Compute, token: RunToken, since: float | None) -> Sequence[Found]:
        """Find what earlier attempts of a task instance have started, by the marks in names."""
        return self._search.earlier(compute, token, since)

    def states(self, runs: Sequence[JobRun]) -> Mapping[JobRun, RunStatus]:
        """Ask how job runs are doing; see :func:`~.serverless_states.job_run_states`.

        AWS's refusals for its rate are not sat out here, but by whoever asks again and again.
        """
        return job_run_states(self._clients.client("emr-serverless", retries=False), runs, self._memory)

    def end(self, run: JobRun, patience: float) -> Released:
        """Cancel a job run and see that it ends; see :class:`~.serverless_ending.ServerlessEnding`."""
        return ServerlessEnding(self._clients.client("emr-serverless"), self._settle).end(run, patience)

    def log_sources(self, run: JobRun) -> LogSources:
        """Tell where the run's logs can be followed, as it was set up; asks nobody."""
        return job_run_sources(self._clients, run)

    def failure_facts(self, run: JobRun, patience: float = 0.0) -> FailureFacts:
        """Collect EMR Serverless' words and the ends of the last attempt's logs."""
        return read_job_run_facts(self._clients, run, patience, self._pause)

    def release(self, run: JobRun) -> Released:
        """Do nothing: the application serves others, and stops by itself when it is idle."""
        return Released(True, f"{run.where} goes on")

    def cost(self, run: JobRun, status: RunStatus) -> Mapping[str, Any] | None:
        """Tell what a job run is billed for (GetJobRun)."""
        client = self._clients.client("emr-serverless", retries=False)  # who asks here asks again by itself
        return read_job_run_cost(client, run, status, self._pause)
