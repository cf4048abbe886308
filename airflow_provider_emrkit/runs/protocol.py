"""What every compute can do with a job: the seam between operators and EMR's ways to run Spark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_emrkit.compute.targets import DynamicCluster, ExistingCluster
    from airflow_provider_emrkit.jobs.spark_job import SparkJob
    from airflow_provider_emrkit.logs.causes import LogText
    from airflow_provider_emrkit.logs.sources import LogSources
    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.states import RunStatus
    from airflow_provider_emrkit.runs.token import RunToken

    Compute = DynamicCluster | ExistingCluster


@dataclass(frozen=True)
class FailureFacts:
    """What can be found out about a failed run.

    :param message: EMR's own words.
    :param log_file: The log EMR points to, an S3 URI.
    :param texts: The ends of the run's logs, the most telling first.
    :param followed: Whether these logs were in the task's log already, while the job ran.
    """

    message: str = ""
    log_file: str = ""
    texts: Sequence[LogText] = ()
    followed: bool = True


@dataclass(frozen=True)
class Released:
    """Whether a run, or what was made for it, is gone, or going.

    :param done: False when somebody has to look after it.
    :param message: What was found.
    """

    done: bool
    message: str


class Runs(Protocol):
    """Submits and looks after jobs on one sort of compute, through one connection. Every method blocks."""

    def submit(self, job: SparkJob, compute: Compute, token: RunToken) -> JobRun:
        """Start a job whose files are all on S3, once.

        :raises SubmitRefusedError: when AWS does not take it.
        """

    def find(self, compute: Compute, token: RunToken) -> JobRun | None:
        """Find the run that carries a token, if there is one."""

    def states(self, runs: Sequence[JobRun]) -> Mapping[JobRun, RunStatus]:
        """Ask how runs are doing, in as few calls as possible."""

    def cancel(self, run: JobRun) -> Released:
        """End a run, in one short call. A cluster of others goes on."""

    def log_sources(self, run: JobRun) -> LogSources:
        """Find out where the run's logs can be followed while it runs."""

    def failure_facts(self, run: JobRun) -> FailureFacts:
        """Collect what tells why a run failed."""

    def release(self, run: JobRun) -> Released:
        """End what was made for the run, and look whether it does end."""
