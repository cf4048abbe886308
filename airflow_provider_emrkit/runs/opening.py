"""Finds the implementation of the protocol for a connection, and in it the one for a sort of run."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.compute.serverless import ServerlessApplication
from airflow_provider_emrkit.logs.wishes import NO_WISHES
from airflow_provider_emrkit.runs.cluster_steps import ClusterSteps
from airflow_provider_emrkit.runs.job_run import JOB_RUN, STEP

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_emrkit.applications.awaited import LeftWaits
    from airflow_provider_emrkit.hooks.emrkit import EmrKitHook
    from airflow_provider_emrkit.jobs.spark_job import SparkJob
    from airflow_provider_emrkit.logs.sources import LogSources
    from airflow_provider_emrkit.logs.wishes import LogWishes
    from airflow_provider_emrkit.runs.earlier import Found
    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.protocol import Compute, FailureFacts, Released, Runs
    from airflow_provider_emrkit.runs.states import RunStatus
    from airflow_provider_emrkit.runs.token import RunToken


def open_runs(
    hook: EmrKitHook, pause: Callable[[float], bool] | None = None, left: LeftWaits | None = None
) -> Runs:
    """Open the jobs of a connection; asks Airflow for its connections, so it blocks.

    :param hook: The connection.
    :param pause: Waits some seconds; gives True when the wait was ended because the work is to stop.
    :param left: The waits for applications of a deferrable task; None for one that waits on its worker.
    """
    return EverySort(hook, pause or threading.Event().wait, left)


class EverySort:
    """Runs of every sort, each in the hands of its own implementation.

    :param hook: The connection.
    :param pause: Waits some seconds; gives True when the wait was ended because the work is to stop.
    :param left: The waits for applications of a deferrable task; None for one that waits on its worker.

    >>> EverySort(hook, stop.wait).states(runs)  # doctest: +SKIP
    """

    def __init__(
        self, hook: EmrKitHook, pause: Callable[[float], bool], left: LeftWaits | None = None
    ) -> None:
        settings = hook.settings
        self._hook = hook
        self._pause = pause
        self._left = left
        self._steps = ClusterSteps(
            hook.clients, settings.cluster_defaults(), pause, staging_uri=settings.staging_uri
        )

    @cached_property
    def _job_runs(self) -> Runs:
        from airflow_provider_emrkit.runs.serverless_runs import ServerlessRuns

        defaults = self._hook.settings.application_defaults()
        return ServerlessRuns(self._hook.clients, defaults, self._pause, left=self._left)

    def submit(
        self, job: SparkJob, compute: Compute, token: RunToken, wishes: LogWishes = NO_WISHES
    ) -> JobRun:
        """Start a job."""
        return self._on(compute).submit(job, compute, token, wishes)

    def earlier(self, compute: Compute, token: RunToken, since: float | None) -> Sequence[Found]:
        """Find what earlier attempts of a task instance have started on such compute."""
        return self._on(compute).earlier(compute, token, since)

    def states(self, runs: Sequence[JobRun]) -> Mapping[JobRun, RunStatus]:
        """Ask how runs are doing."""
        found: dict[JobRun, RunStatus] = {}
        for kind in (STEP, JOB_RUN):
            of_kind = [run for run in runs if run.kind == kind]
            if of_kind:
                found.update(self._of(of_kind[0]).states(of_kind))
        return found

    def end(self, run: JobRun, patience: float) -> Released:
        """End a run."""
        return self._of(run).end(run, patience)

    def log_sources(self, run: JobRun) -> LogSources:
        """Find out where the run's logs can be followed."""
        return self._of(run).log_sources(run)

    def failure_facts(self, run: JobRun, patience: float = 0.0) -> FailureFacts:
        """Collect what tells why a run failed."""
        return self._of(run).failure_facts(run, patience)

    def release(self, run: JobRun) -> Released:
        """End what was made for the run."""
        return self._of(run).release(run)

    def cost(self, run: JobRun, status: RunStatus) -> Mapping[str, Any] | None:
        """Tell what a finished run has used."""
        return self._of(run).cost(run, status)

    def _on(self, compute: Compute) -> Runs:
        return self._job_runs if isinstance(compute, ServerlessApplication) else self._steps

    def _of(self, run: JobRun) -> Runs:
        return self._job_runs if run.kind == JOB_RUN else self._steps
