"""Clusters that really run Spark, on this machine."""

from __future__ import annotations

import contextlib
import shutil
import time
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.engine.settings import RECORDS
from airflow_provider_emrkit.localemr.engine.sweeping import sweep_containers
from airflow_provider_emrkit.localemr.run.bootstrap import run_bootstrap_actions
from airflow_provider_emrkit.localemr.run.clients import aws_client, s3_client
from airflow_provider_emrkit.localemr.run.cloudwatch import log_target
from airflow_provider_emrkit.localemr.run.cluster import UPLOADS, SparkCluster, sweep
from airflow_provider_emrkit.localemr.run.commands import CommandPlanner
from airflow_provider_emrkit.localemr.run.contract import ClusterRequest, ClusterStartError
from airflow_provider_emrkit.localemr.run.directories import CLUSTERS
from airflow_provider_emrkit.localemr.run.environment import write_own_programs
from airflow_provider_emrkit.localemr.run.fetch import S3Fetch
from airflow_provider_emrkit.localemr.run.leftover_uploads import abort_leftover_uploads
from airflow_provider_emrkit.localemr.run.outputs import Outputs
from airflow_provider_emrkit.localemr.run.preparation import Prepared, Wanted, check_release, install, prepare
from airflow_provider_emrkit.localemr.run.resource_manager import ResourceManager
from airflow_provider_emrkit.localemr.run.s3_logs import log_location
from airflow_provider_emrkit.localemr.run.step import StepContext
from airflow_provider_emrkit.localemr.run.submit_program import write_settings
from airflow_provider_emrkit.localemr.run.yarn_service import YarnService
from airflow_provider_emrkit.localemr.s3_access import s3_access
from airflow_provider_emrkit.localemr.spark.image import image_rules
from airflow_provider_emrkit.localemr.spark.install import InstallError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_emrkit.localemr.config import ServerConfig
    from airflow_provider_emrkit.localemr.run.cloudwatch import LogTarget
    from airflow_provider_emrkit.localemr.spark.software import Software


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
        self._clusters = config.data_dir.resolve() / CLUSTERS
        sweep_containers(config.data_dir.resolve() / RECORDS)
        sweep(self._clusters)

    def check(self, release_label: str) -> None:
        """Refuse a release label that can't be run here.

        :raises ClusterStartError: with the mend in its message.
        """
        check_release(release_label)

    def start(self, request: ClusterRequest, progress: Callable[[str], None]) -> SparkCluster:
        """Install what the cluster needs and bootstrap it: minutes the first time, then a second.

        :raises ClusterStartError: when the software can't be had or a bootstrap action fails.
        """
        software = install(request.release_label, self._config, progress)
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
        target = log_target(request.monitoring, request.cluster_id)
        executor_logs = target is not None and target.takes_executors
        wanted = Wanted(request.release_label, request.region, request.configurations, executor_logs)
        prepared = prepare(self._config, wanted, software, directory)
        context = self._context(request, prepared, target)
        write_own_programs(prepared.place)
        yarn = YarnService(context.manager, context.planner, context.fetch)
        write_settings(
            prepared.place.settings,
            prepared.machine,
            prepared.defaults,
            fast_collector=prepared.place.collector,
            yarn=yarn.address,
        )
        return SparkCluster(directory, context, yarn)

    def _context(self, request: ClusterRequest, prepared: Prepared, target: LogTarget | None) -> StepContext:
        s3 = s3_client(s3_access(self._config), request.region)
        abort_leftover_uploads(s3, self._clusters.parent / UPLOADS)
        fetch = S3Fetch(s3, prepared.place.directory)
        outputs = Outputs(
            logs_client=request.deliver(aws_client("logs", self._endpoint_url, request.region), "cloudwatch"),
            s3_client=request.deliver(s3, "s3"),
            target=target,
            location=log_location(request.log_uri, request.cluster_id),
        )
        return StepContext(
            cluster_id=request.cluster_id,
            place=prepared.place,
            planner=CommandPlanner(
                prepared.place,
                prepared.machine,
                prepared.defaults,
                fetch,
                image_rules(request.release_label, request.configurations),
            ),
            fetch=fetch,
            outputs=outputs,
            manager=ResourceManager(prepared.place, outputs, time.time_ns() // 1_000_000),
        )
