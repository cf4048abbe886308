"""EMR Serverless job runs that really run Spark, on this machine."""

from __future__ import annotations

import contextlib
import shutil
import threading
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.engine.settings import RECORDS
from airflow_provider_emrkit.localemr.engine.sweeping import sweep_containers
from airflow_provider_emrkit.localemr.run.clients import aws_client, s3_client
from airflow_provider_emrkit.localemr.run.cluster import UPLOADS, sweep
from airflow_provider_emrkit.localemr.run.commands import CommandPlanner
from airflow_provider_emrkit.localemr.run.contract import ClusterStartError, JobRunRequest
from airflow_provider_emrkit.localemr.run.directories import JOBS
from airflow_provider_emrkit.localemr.run.event_logs import job_application_id
from airflow_provider_emrkit.localemr.run.fetch import S3Fetch
from airflow_provider_emrkit.localemr.run.job import JobContext, SparkJob
from airflow_provider_emrkit.localemr.run.job_logs import UPLOAD_EVERY, job_folder, job_location, job_target
from airflow_provider_emrkit.localemr.run.leftover_uploads import abort_leftover_uploads
from airflow_provider_emrkit.localemr.run.outputs import Outputs
from airflow_provider_emrkit.localemr.run.preparation import Wanted, check_release, install, prepare
from airflow_provider_emrkit.localemr.s3_access import s3_access
from airflow_provider_emrkit.localemr.spark.install import InstallError
from airflow_provider_emrkit.localemr.spark.serverless import cluster_configurations

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_emrkit.localemr.config import ServerConfig


class SparkJobRunner:
    """Runs EMR Serverless jobs on this machine, those with an image in containers.

    It implements the contract's ``JobRunner``.

    Making one ends what an earlier process left running in the same data directory.

    :param config: The server's configuration; its address answers AWS's APIs, for jobs and for logs.

    >>> runner = SparkJobRunner(ServerConfig(data_dir=Path("data")))  # doctest: +SKIP
    >>> request = JobRunRequest("00app", "00run", 1, "emr-7.11.0", "s3://bucket/job.py")
    >>> job = runner.start(request)  # doctest: +SKIP
    >>> job.wait().succeeded  # doctest: +SKIP
    True
    """

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self._directory = config.data_dir.resolve() / JOBS
        self._jobs: list[SparkJob] = []
        self._lock = threading.Lock()
        self._stopped = False
        sweep_containers(config.data_dir.resolve() / RECORDS)
        sweep(self._directory)

    def check(self, release_label: str, architecture: str = "X86_64") -> None:  # noqa: ARG002 - this machine's own runs
        """Refuse a release label that can't be run here.

        :param architecture: Any will do; this machine's own one runs.
        :raises ClusterStartError: with the mend in its message.
        """
        check_release(release_label)

    def prepare(self, release_label: str, progress: Callable[[str], None]) -> None:
        """Install what an application needs: minutes the first time, then nothing.

        :raises ClusterStartError: when the software can't be had.
        """
        install(release_label, self._config, progress)

    def start(self, request: JobRunRequest) -> SparkJob:
        """Start an attempt; several may run at once.

        :raises ClusterStartError: when its software can't be had, or its directory not be made.
        """
        directory = self._directory / job_application_id(request.run_id, request.attempt)
        with contextlib.ExitStack() as undo:
            undo.callback(shutil.rmtree, directory, ignore_errors=True)
            try:
                job = SparkJob(request, self._context(request, directory))
            except (InstallError, OSError) as error:
                raise ClusterStartError(
                    f"the job's files can't be made: {error}", "INTERNAL_ERROR"
                ) from error
            undo.pop_all()
        self._remember(job)
        return job

    def stop(self) -> None:
        """Kill whatever still runs and remove its files. Idempotent."""
        with self._lock:
            self._stopped = True
            jobs, self._jobs = self._jobs, []
        for job in jobs:
            job.cancel(force=True)
        for job in jobs:
            job.wait()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _remember(self, job: SparkJob) -> None:
        with self._lock:
            self._jobs = [*(known for known in self._jobs if not known.is_over), job]
            if not self._stopped:
                return
        job.cancel(force=True)
        job.wait()
        raise ClusterStartError("the local EMR is being stopped", "INTERNAL_ERROR")

    def _context(self, request: JobRunRequest, directory: Path) -> JobContext:
        software = install(request.release_label, self._config, lambda _: None)
        target = job_target(request.monitoring)
        wanted = Wanted(
            request.release_label,
            request.region,
            cluster_configurations(request.configurations),
            executor_logs=target is not None and target.takes_executors,
        )
        prepared = prepare(self._config, wanted, software, directory)
        s3 = s3_client(s3_access(self._config), request.region)
        abort_leftover_uploads(s3, self._directory.parent / UPLOADS)
        outputs = Outputs(
            logs_client=request.deliver(aws_client("logs", self._config.url, request.region), "cloudwatch"),
            s3_client=request.deliver(s3, "s3"),
            target=target,
            location=job_location(request.monitoring, job_folder(request)),
            upload_every=UPLOAD_EVERY,
        )
        planner = CommandPlanner(prepared.place, prepared.machine, prepared.defaults, S3Fetch(s3))
        return JobContext(planner, outputs)
