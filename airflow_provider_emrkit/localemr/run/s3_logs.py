"""A step's log files on S3, gzipped, where EMR puts them below the cluster's ``LogUri``."""

from __future__ import annotations

import gzip
import logging
import shutil
import tempfile
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

log = logging.getLogger(__name__)

UPLOAD_EVERY = 300.0
"""Seconds between two uploads of a running step's logs; EMR's own rhythm."""


@dataclass(frozen=True)
class LogLocation:
    """A cluster's folder below its ``LogUri``.

    :param bucket: S3 bucket.
    :param prefix: Key prefix with the cluster's id, ending in ``/``.

    >>> log_location("s3n://logs/emr", "j-1").uri("steps/s-1/stderr.gz")
    's3://logs/emr/j-1/steps/s-1/stderr.gz'
    """

    bucket: str
    prefix: str

    def key(self, path: str) -> str:
        """Give the S3 key of a log."""
        return self.prefix + path

    def uri(self, path: str) -> str:
        """Give the S3 URI of a log."""
        return f"s3://{self.bucket}/{self.prefix}{path}"


def log_location(log_uri: str | None, cluster_id: str) -> LogLocation | None:
    """Read a ``LogUri`` (``s3://``, ``s3a://`` or ``s3n://``); None when there is none."""
    scheme, found, rest = (log_uri or "").partition("://")
    bucket, _, path = rest.partition("/")
    if not found or scheme not in {"s3", "s3a", "s3n"} or not bucket:
        return None
    folder = path.strip("/")
    return LogLocation(bucket, f"{folder}/{cluster_id}/" if folder else f"{cluster_id}/")


class S3Logs:
    """Uploads a set of growing files, now and then and at the end; a failure is logged, not raised.

    :param client: A boto3 client of S3.
    :param files: Path below the location (without ``.gz``) → local file.
    :param every: Seconds between two uploads.

    >>> logs = S3Logs(boto3.client("s3"), location, {"steps/s-1/stderr": Path("stderr")})  # doctest: +SKIP
    """

    def __init__(
        self, client: Any, location: LogLocation, files: Mapping[str, Path], every: float = UPLOAD_EVERY
    ) -> None:
        self._client = client
        self._location = location
        self._files = dict(files)
        self._every = every
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="localemr-s3-logs", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Upload everything a last time and end. Idempotent."""
        if not self._ended.is_set():
            self._ended.set()
            self._thread.join()
            self._upload()

    def _run(self) -> None:
        while not self._ended.wait(self._every):
            self._upload()

    def _upload(self) -> None:
        try:
            for path, file in self._files.items():
                upload_gzipped(self._client, self._location, path, file)
        except Exception as error:
            log.warning("the step's logs can't be written to %s: %s", self._location.uri(""), error)


def upload_gzipped(client: Any, location: LogLocation, path: str, file: Path) -> None:
    """Upload one file as ``<path>.gz``; the file is read in pieces, whatever its size."""
    with tempfile.TemporaryFile() as packed:
        with file.open("rb") as source, gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as target:
            shutil.copyfileobj(source, target)
        packed.seek(0)
        client.put_object(Bucket=location.bucket, Key=location.key(f"{path}.gz"), Body=packed)
