"""A local EMR of a test run's own."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from types import TracebackType

    from airflow_provider_emrkit.localemr.launcher import Owned
    from airflow_provider_emrkit.testing.cluster import LocalCluster
    from airflow_provider_emrkit.testing.faults import FaultsInForce

DEFAULT_RELEASE = "emr-7.11.0"
"""The release of clusters that are not asked for by another."""

_RESET_TIMEOUT = 120.0


class MissingExtraError(Exception):
    """The packages of the extra ``[local]`` are not installed; the message says how to install them."""


@dataclass(frozen=True, kw_only=True)
class _Kept:
    """What is there while it runs.

    :param instance: The server's process.
    :param data_dir: Its directory.
    :param temporary: Whether that is removed at the end.
    """

    instance: Owned
    data_dir: Path
    temporary: bool


class LocalEmr:
    """A running local EMR: one server process on this machine that answers every AWS API.

    Made by :meth:`start`. It ends with ``stop``, at the end of a ``with`` block, or with this process, even
    if that is killed.

    >>> with LocalEmr.start() as emr:  # doctest: +SKIP
    ...     emr.client("s3").create_bucket(Bucket="data")
    ...     step = emr.cluster().run("spark-submit", "s3://data/job.py")
    """

    def __init__(self, kept: _Kept, release: str) -> None:
        self._kept = kept
        self._clusters: dict[str, LocalCluster] = {}
        self.release = release
        self.url = kept.instance.status.url

    @classmethod
    def start(
        cls,
        *,
        release: str = DEFAULT_RELEASE,
        port: int = 0,
        data_dir: Path | None = None,
        cache_dir: Path | None = None,
        keep: bool = False,
        faults: Path | None = None,
    ) -> LocalEmr:
        """Start one; it begins with nothing, and nothing of it is kept.

        :param release: Release of clusters that are not asked for by another.
        :param port: Its port; any free one by default.
        :param data_dir: Where its log and its clusters' files are while it runs; a new temporary directory by
            default, which is removed at the end.
        :param cache_dir: Where Spark and Java are downloaded to, once; that of ``emrkit local`` by default.
        :param keep: Leave a temporary directory there.
        :param faults: File with faults to begin with.
        :raises MissingExtraError: without the packages of the extra ``[local]``.
        :raises InstanceError: when it can't be started; the message says why.
        """
        from airflow_provider_emrkit.localemr.launcher import missing_packages

        missing = missing_packages()
        if missing:
            raise MissingExtraError(
                f"a local EMR needs {', '.join(missing)}; "
                'install it with: pip install "airflow-provider-emrkit[local]"'
            )
        directory = data_dir.absolute() if data_dir else Path(tempfile.mkdtemp(prefix="localemr-"))
        temporary = data_dir is None and not keep
        try:
            instance = _start(directory, port, cache_dir, faults, temporary=temporary)
        except BaseException:
            if temporary:
                shutil.rmtree(directory, ignore_errors=True)
            raise
        return cls(_Kept(instance=instance, data_dir=directory, temporary=temporary), release)

    def __enter__(self) -> LocalEmr:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End it and everything that it started. Idempotent."""
        self._kept.instance.stop()
        if self._kept.temporary:
            shutil.rmtree(self._kept.data_dir, ignore_errors=True)

    @property
    def endpoint_url(self) -> str:
        """Address of every AWS API; the same as ``url``."""
        return self.url

    @property
    def data_dir(self) -> Path:
        """Its directory, with its log ``localemr.log``."""
        return self._kept.data_dir

    @property
    def staging_uri(self) -> str:
        """A place on S3 that is always there."""
        from airflow_provider_emrkit.localemr.config import STAGING_BUCKET

        return f"s3://{STAGING_BUCKET}/staging"

    @property
    def log_uri(self) -> str:
        """Where the logs of the clusters go that are started here."""
        from airflow_provider_emrkit.localemr.config import STAGING_BUCKET

        return f"s3://{STAGING_BUCKET}/logs"

    @property
    def variables(self) -> dict[str, str]:
        """What points the AWS CLI, boto3 and Airflow at it."""
        from airflow_provider_emrkit.localemr.config import client_environment

        return client_environment(self.url, os.environ)

    @property
    def environment(self) -> dict[str, str]:
        """A whole environment for subprocesses: this one, without AWS settings that lead elsewhere."""
        from airflow_provider_emrkit.localemr.config import directed_environment

        return directed_environment(self.url, os.environ)

    def connection_uri(self, conn_id: str = "aws_default") -> str:
        """Give an Airflow connection to it as a URI, e.g. for ``AIRFLOW_CONN_AWS_DEFAULT``.

        :param conn_id: ``aws_default`` or ``emrkit_default``.
        """
        from airflow_provider_emrkit.localemr.config import connection_uri, connections

        known: Mapping[str, Any] = connections(self.url)
        if conn_id not in known:
            raise ValueError(f"connection {conn_id!r} is not known; use one of {', '.join(known)}")
        return connection_uri(known[conn_id])

    def session(self, region: str | None = None) -> Any:
        """Make a boto3 session all of whose clients use it, whatever this process's environment says.

        :param region: Region of its clients; ``us-east-1`` by default.
        """
        from airflow_provider_emrkit.testing.session import local_session

        return local_session(self.url, region)

    def client(self, service: str, region: str | None = None) -> Any:
        """Make a boto3 client.

        :param service: Name of the service, e.g. ``s3``.
        """
        return self.session(region).client(service)

    def cluster(self, release: str | None = None) -> LocalCluster:
        """Give a cluster that waits for steps: the one given before, or a new one when that has ended.

        :param release: Its release; this local EMR's by default.
        :raises LocalClusterError: when it can't be started; the message says why.
        """
        label = release or self.release
        known = self._clusters.get(label)
        if known is None or not known.is_usable:
            self._clusters[label] = self.start_cluster(label)
        return self._clusters[label]

    def start_cluster(self, release: str | None = None, **request: Any) -> LocalCluster:
        """Start a cluster of the caller's own, and wait until it waits for steps.

        :param release: Its release; this local EMR's by default.
        :param request: Members of the ``RunJobFlow`` request, e.g. ``BootstrapActions``.
        :raises LocalClusterError: when it can't be started; the message says why.
        """
        from airflow_provider_emrkit.testing.cluster import LocalCluster

        defaults = {"ReleaseLabel": release or self.release, "LogUri": self.log_uri}
        return LocalCluster.start(self.client("emr"), self.client("s3"), {**defaults, **request})

    def faults(self, **kinds: Any) -> AbstractContextManager[FaultsInForce]:
        """Let things go wrong while a ``with`` block lasts.

        :param kinds: See :func:`airflow_provider_emrkit.testing.faults.faults`.
        """
        from airflow_provider_emrkit.testing.faults import faults

        return faults(self.url, **kinds)

    def reset(self) -> None:
        """End all clusters and runs, and empty all services."""
        import urllib.request

        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        request = urllib.request.Request(f"{self.url}/moto-api/reset", method="POST")  # noqa: S310 - our own
        with direct.open(request, timeout=_RESET_TIMEOUT):
            self._clusters.clear()


def _start(
    directory: Path, port: int, cache_dir: Path | None, faults: Path | None, *, temporary: bool
) -> Owned:
    from airflow_provider_emrkit.localemr.config import ServerConfig, default_cache_dir
    from airflow_provider_emrkit.localemr.launcher import Owned

    config = ServerConfig(
        data_dir=directory,
        port=port,
        cache_dir=cache_dir.absolute() if cache_dir else default_cache_dir(os.environ),
        ephemeral=True,
        faults=faults.absolute() if faults else None,
    )
    return Owned(config, temporary=temporary)
