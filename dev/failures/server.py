"""A local EMR as an EMR 7 cluster is: with Hadoop's S3A for ``s3://``, and executors apart where asked."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.config import STAGING_BUCKET, ServerConfig, default_cache_dir
from airflow_provider_emrkit.localemr.launcher import Owned
from airflow_provider_emrkit.testing import LocalCluster
from airflow_provider_emrkit.testing.session import local_session

if TYPE_CHECKING:
    from types import TracebackType

    from airflow_provider_emrkit.localemr.config import ExecutorKind


class Server:
    """A local EMR with a cluster for each release that is asked for.

    :param executors: Whether Spark's executors are threads of the driver or processes of their own.

    >>> with Server() as server:  # doctest: +SKIP
    ...     server.cluster("emr-7.11.0").run("spark-submit", "s3://data-lake/job.py", check=False)
    """

    def __init__(self, executors: ExecutorKind = "threads") -> None:
        self.data_dir = Path(tempfile.mkdtemp(prefix="localemr-"))
        self.log_uri = f"s3://{STAGING_BUCKET}/logs"
        config = ServerConfig(
            data_dir=self.data_dir,
            port=0,
            cache_dir=default_cache_dir(os.environ),
            ephemeral=True,
            s3_filesystem="s3a",
            executors=executors,
        )
        self._owned = Owned(config, temporary=True)
        self.url = self._owned.status.url
        self._clusters: dict[str, LocalCluster] = {}

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._owned.stop()
        shutil.rmtree(self.data_dir, ignore_errors=True)

    def client(self, service: str) -> Any:
        """Make a boto3 client."""
        make: Any = local_session(self.url).client
        return make(service)

    def cluster(self, release: str) -> LocalCluster:
        """Give the cluster of a release, which waits for steps."""
        if release not in self._clusters:
            self._clusters[release] = LocalCluster.start(
                self.client("emr"), self.client("s3"), self.request(release)
            )
        return self._clusters[release]

    def request(self, release: str, **members: Any) -> dict[str, Any]:
        """Give what ``RunJobFlow`` takes for a cluster of a release.

        :param members: Further members of it.
        """
        instances = {
            "MasterInstanceType": "m5.xlarge",
            "InstanceCount": 1,
            "KeepJobFlowAliveWhenNoSteps": True,
        }
        return {
            "Name": "failures",
            "ReleaseLabel": release,
            "LogUri": self.log_uri,
            "Instances": instances,
            "JobFlowRole": "EMR_EC2_DefaultRole",
            "ServiceRole": "EMR_DefaultRole",
            **members,
        }
