"""EMR Serverless job runs that really run Spark, on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.run.contract import ClusterStartError, JobRunRequest
from airflow_provider_emrkit.localemr.spark.versions import UnsupportedReleaseError, candidates

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emrkit.localemr.config import ServerConfig
    from airflow_provider_emrkit.localemr.run.job import SparkJob


class SparkJobRunner:
    """Runs EMR Serverless jobs as processes of this machine; implements the contract's ``JobRunner``.

    Making one ends what an earlier process left running in the same data directory.

    :param config: The server's configuration; its address answers AWS's APIs, for jobs and for logs.

    >>> runner = SparkJobRunner(ServerConfig(data_dir=Path("data")))  # doctest: +SKIP
    >>> job = runner.start(JobRunRequest("00app", "00run", 1, "emr-7.11.0", "s3://b/job.py"))  # doctest: +SKIP
    >>> job.wait().succeeded  # doctest: +SKIP
    True
    """

    def __init__(self, config: ServerConfig) -> None:
        self._config = config

    def check(self, release_label: str, architecture: str = "X86_64") -> None:  # noqa: ARG002 - one machine, one architecture
        """Refuse a release label that can't be run here.

        :param architecture: Accepted as it is; this machine's own one runs.
        :raises ClusterStartError: with the mend in its message.
        """
        try:
            candidates(release_label)
        except (UnsupportedReleaseError, ValueError) as error:
            raise ClusterStartError(str(error)) from error

    def prepare(self, release_label: str, progress: Callable[[str], None]) -> None:
        """Install what an application needs: minutes the first time, then nothing.

        :raises ClusterStartError: when the software can't be had.
        """
        raise NotImplementedError

    def start(self, request: JobRunRequest) -> SparkJob:
        """Start an attempt; several may run at once.

        :raises ClusterStartError: when its software or files can't be had.
        """
        raise NotImplementedError

    def stop(self) -> None:
        """Kill whatever still runs and remove its files. Idempotent."""
