"""Clusters that really run Spark, on this machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.run.bootstrap import run_bootstrap_actions
from airflow_provider_emrkit.localemr.run.clients import aws_client
from airflow_provider_emrkit.localemr.run.cloudwatch import log_target
from airflow_provider_emrkit.localemr.run.cluster import SparkCluster, sweep
from airflow_provider_emrkit.localemr.run.commands import CommandPlanner
from airflow_provider_emrkit.localemr.run.contract import ClusterRequest, ClusterStartError
from airflow_provider_emrkit.localemr.run.environment import (
    FAST_COLLECTOR,
    FAST_JVM,
    FORGIVING_JVM,
    Place,
    write_shims,
)
from airflow_provider_emrkit.localemr.run.fetch import S3Fetch
from airflow_provider_emrkit.localemr.run.outputs import Outputs
from airflow_provider_emrkit.localemr.run.resource_manager import ResourceManager
from airflow_provider_emrkit.localemr.run.s3_logs import log_location
from airflow_provider_emrkit.localemr.run.step import StepContext
from airflow_provider_emrkit.localemr.run.submit_program import write_settings
from airflow_provider_emrkit.localemr.run.yarn_service import YarnService
from airflow_provider_emrkit.localemr.spark.archive import archive_path
from airflow_provider_emrkit.localemr.spark.conf import ClusterConf
from airflow_provider_emrkit.localemr.spark.install import InstallError, uv_program
from airflow_provider_emrkit.localemr.spark.launcher import make_java_home
from airflow_provider_emrkit.localemr.spark.prefetch import s3_jar
from airflow_provider_emrkit.localemr.spark.software import Software, install_software, make_environment
from airflow_provider_emrkit.localemr.spark.submit import Machine
from airflow_provider_emrkit.localemr.spark.versions import UnsupportedReleaseError, candidates
from airflow_provider_emrkit.releases import release

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from airflow_provider_emrkit.localemr.config import ServerConfig

_MIB = 1024 * 1024


class SparkClusterRunner:
    """Starts clusters as directories of this machine; implements the contract's ``ClusterRunner``.

    Making one ends what an earlier process left running in the same data directory.

    :param config: The server's configuration; its address answers AWS's APIs, for jobs and for logs.

    >>> runner = SparkClusterRunner(ServerConfig(data_dir=Path("data")))  # doctest: +SKIP
    >>> cluster = runner.start(ClusterRequest("j-1", "emr-7.11.0"), print)  # doctest: +SKIP
    """

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self._endpoint_url = config.url
        self._clusters = config.data_dir.resolve() / "clusters"
        self._cache_dir = config.cache_dir.resolve()
        sweep(self._clusters)

    def check(self, release_label: str) -> None:
        """Refuse a release label that can't be run here.

        :raises ClusterStartError: with the mend in its message.
        """
        try:
            candidates(release_label)
        except (UnsupportedReleaseError, ValueError) as error:
            raise ClusterStartError(str(error)) from error

    def start(self, request: ClusterRequest, progress: Callable[[str], None]) -> SparkCluster:
        """Install what the cluster needs and bootstrap it: minutes the first time, then a second.

        :raises ClusterStartError: when the software can't be had or a bootstrap action fails.
        """
        self.check(request.release_label)
        try:
            software = install_software(request.release_label, self._cache_dir, progress)
        except InstallError as error:
            raise ClusterStartError(str(error)) from error
        directory = self._clusters / request.cluster_id
        with contextlib.ExitStack() as undo:
            undo.callback(shutil.rmtree, directory, ignore_errors=True)
            try:
                cluster = self._prepare(request, software, directory)
            except (InstallError, OSError) as error:
                raise ClusterStartError(
                    f"the cluster's files can't be made: {error}", "INTERNAL_ERROR"
                ) from error
            undo.callback(cluster.stop)
            run_bootstrap_actions(request.bootstrap_actions, cluster.context, progress)
            undo.pop_all()
        return cluster

    def _prepare(self, request: ClusterRequest, software: Software, directory: Path) -> SparkCluster:
        jar = s3_jar(self._cache_dir)
        machine = Machine(
            os.cpu_count() or 1, memory_limit_mib(), (os.fspath(jar),), os.fspath(software.spark_home)
        )
        conf = ClusterConf(
            directory=directory / "conf",
            data_dir=directory,
            ivy_dir=self._cache_dir / "ivy",
            endpoint_url=self._endpoint_url,
            region=request.region,
            machine=machine,
            configurations=request.configurations,
        )
        place = Place(
            directory=directory,
            spark_home=software.spark_home,
            java_home=make_java_home(
                software.java, directory / "java", archive_path(software, jar, self._cache_dir)
            ),
            endpoint_url=self._endpoint_url,
            region=request.region,
            class_path=machine.class_path,
            exported=conf.environment,
            jvm=_jvm_options(request.release_label),
        )
        conf.write()
        place.home.mkdir(parents=True, exist_ok=True)
        make_environment(software.python, place.venv)
        write_shims(place, uv_program())
        context = self._context(request, place, machine, conf.requested)
        yarn = YarnService(context.manager, context.planner, context.fetch)
        write_settings(
            place.settings, machine, conf.requested, fast_collector=FAST_COLLECTOR, yarn=yarn.address
        )
        return SparkCluster(directory, context, yarn)

    def _context(
        self, request: ClusterRequest, place: Place, machine: Machine, defaults: Mapping[str, str]
    ) -> StepContext:
        s3 = aws_client("s3", self._endpoint_url, request.region)
        fetch = S3Fetch(s3)
        outputs = Outputs(
            logs_client=aws_client("logs", self._endpoint_url, request.region),
            s3_client=s3,
            target=log_target(request.monitoring, request.cluster_id),
            location=log_location(request.log_uri, request.cluster_id),
        )
        return StepContext(
            cluster_id=request.cluster_id,
            place=place,
            planner=CommandPlanner(place, machine, defaults, fetch),
            fetch=fetch,
            outputs=outputs,
            manager=ResourceManager(place, outputs, time.time_ns() // 1_000_000),
        )


def memory_limit_mib() -> int:
    """Give the most memory (MiB) a step's JVM may have: half of this machine's."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _MIB // 2


def _jvm_options(label: str) -> tuple[str, ...]:
    return (*FAST_JVM, FORGIVING_JVM) if release(label).java == "8" else FAST_JVM
