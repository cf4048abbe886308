"""Scripts, jars and files of a step, brought to its directory from S3, the cluster's HDFS or this machine."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from airflow_provider_emrkit.localemr.run.commands import CommandError
from airflow_provider_emrkit.localemr.spark.hdfs import local_path

_S3 = frozenset({"s3", "s3a", "s3n"})


class S3Fetch:
    """Fetches with one S3 client.

    :param client: A boto3 client of S3.
    :param data_dir: The cluster's directory, which holds its HDFS; None where there is none.

    >>> S3Fetch(boto3.client("s3"))("s3://bucket/jobs/etl.py", Path("/tmp"))  # doctest: +SKIP
    PosixPath('/tmp/etl.py')
    """

    def __init__(self, client: Any, data_dir: Path | None = None) -> None:
        self._client = client
        self._data_dir = data_dir

    def __call__(self, uri: str, directory: Path) -> Path:
        """Copy an object or a local file into a directory, under its own name.

        :raises CommandError: when it is not there.
        """
        name = uri.rpartition("/")[2]
        if name in {"", ".", ".."}:
            raise CommandError(f"{uri!r} names no file; give its full path or S3 URI.")
        target = directory / name
        scheme, found, rest = uri.partition("://")
        if found and scheme in _S3:
            bucket, _, key = rest.partition("/")
            self._download(uri, bucket, key, target)
        elif not found or scheme in {"file", "local"}:
            # Not urlsplit: the host of a file URL is always this machine, and may be no host at all.
            source = "/" + unquote(rest.partition("/")[2]) if found else uri
            self._copy(uri, Path(source), target)
        elif scheme == "hdfs" and self._data_dir:
            self._copy(uri, self._on_hdfs(uri, self._data_dir), target)
        else:
            raise CommandError(f"{uri!r} can't be fetched; use an s3:// URI or a path on this machine.")
        return target

    def _download(self, uri: str, bucket: str, key: str, target: Path) -> None:
        try:
            with target.open("wb") as file:
                self._client.download_fileobj(bucket, key, file)
        except Exception as error:
            raise CommandError(f"{uri} can't be read: {error}") from error

    @staticmethod
    def _on_hdfs(uri: str, data_dir: Path) -> Path:
        try:
            return local_path(uri, data_dir)
        except ValueError as error:
            raise CommandError(f"{error}; use a plain path.") from error

    def _copy(self, uri: str, source: Path, target: Path) -> None:
        try:
            shutil.copy(os.fspath(source), target)
        except OSError as error:
            raise CommandError(f"{uri} can't be read: {error.strerror or error}") from error
