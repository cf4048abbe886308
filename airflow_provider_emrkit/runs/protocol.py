"""What every compute can do with a job: the seam between operators and EMR's ways to run Spark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_emrkit.compute.pool import ClusterPool
    from airflow_provider_emrkit.compute.serverless import ServerlessApplication
    from airflow_provider_emrkit.compute.targets import DynamicCluster, ExistingCluster
    from airflow_provider_emrkit.jobs.spark_job import SparkJob
    from airflow_provider_emrkit.logs.causes import LogText
    from airflow_provider_emrkit.logs.sources import LogSources
    from airflow_provider_emrkit.logs.wishes import LogWishes
    from airflow_provider_emrkit.runs.earlier import Found
    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.states import RunStatus
    from airflow_provider_emrkit.runs.token import RunToken

    Compute = DynamicCluster | ExistingCluster | ClusterPool | ServerlessApplication


@dataclass(frozen=True)
class FailureFacts:
    """What can be found out about a failed run.

    :param message: EMR's own words.
    :param log_file: The log EMR points to, an S3 URI.
    :param texts: The ends of the run's logs, the most telling first.
    :param followed: Whether these logs were in the task's log already, while the job ran.
    :param start_texts: The ends of what was written while the cluster came up, where it did not.
    :param image: The image that the driver ran in; empty where it is not known to have one.
    """

    message: str = ""
    log_file: str = ""
    texts: Sequence[LogText] = ()
    followed: bool = True
    start_texts: Sequence[LogText] = ()
    image: str = ""


@dataclass(frozen=True)
class Released:
    """Whether a run, or what was made for it, is gone, or going.

    :param done: False when somebody has to look after it.
    :param message: What was found.
    :param ended: Whether it was seen to have ended, and not only to be about to.
    """

    done: bool
    message: str
    ended: bool = False


class Runs(Protocol):
    """Submits and looks after jobs on one sort of compute, through one connection. Every method blocks."""

    def submit(self, job: SparkJob, compute: Compute, token: RunToken, wishes: LogWishes) -> JobRun:
        """Start a job whose files are all on S3, once, whatever becomes of the answers.

        :param wishes: What is wanted of its logs.
        :raises SubmitRefusedError: when AWS does not take it.
        """

    def earlier(self, compute: Compute, token: RunToken, since: float | None) -> Sequence[Found]:
        """Find all that earlier attempts of a task instance have started, the newest first.

        :param since: Seconds since 1970 from which on to look; None for as long as is reasonable.
        """

    def states(self, runs: Sequence[JobRun]) -> Mapping[JobRun, RunStatus]:
        """Ask how runs are doing, in as few calls as possible."""

    def end(self, run: JobRun, patience: float) -> Released:
        """End a run, by force where it does not go by itself, and look whether it has ended.

        A cluster of others goes on. May be called twice, also at once.

        :param patience: Seconds it may take; the answer says how far it got.
        """

    def log_sources(self, run: JobRun) -> LogSources:
        """Find out where the run's logs can be followed while it runs."""

    def failure_facts(self, run: JobRun, patience: float = 0.0) -> FailureFacts:
        """Collect what tells why a run failed.

        :param patience: Seconds for which logs that are archived late may be waited for.
        """

    def release(self, run: JobRun) -> Released:
        """End what was made for the run, and look whether it does end."""

    def cost(self, run: JobRun, status: RunStatus) -> Mapping[str, Any] | None:
        """Tell what AWS says about what a finished run has used; None when it does not say."""
