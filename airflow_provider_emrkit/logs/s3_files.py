"""Logs that EMR archives on S3."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_emrkit.console import object_link
from airflow_provider_emrkit.hooks.errors import error_code
from airflow_provider_emrkit.logs.sources import LogLine, Read
from airflow_provider_emrkit.logs.text import clean_lines

# Bytes of an unpacked log that are kept; the end of it is what tells.
MAX_KEPT = 16 * 1024 * 1024
# Bytes that are unpacked at all, however much an archive claims to hold.
MAX_UNPACKED = 1024 * 1024 * 1024
BLOCK = 1024 * 1024


@dataclass(frozen=True)
class S3LogFile:
    """A gzipped log that EMR archives on S3, rewritten as a whole every few minutes.

    :param s3: boto3 client of S3.
    :param bucket: Bucket.
    :param key: Key, ending in ``.gz``.
    :param label: What its lines are marked with.

    >>> S3LogFile(boto3.client("s3"), "logs", "j-1/steps/s-1/stderr.gz", "stderr")  # doctest: +SKIP
    """

    s3: Any = field(repr=False)
    bucket: str
    key: str
    label: str

    @property
    def name(self) -> str:
        """The object's URI."""
        return f"s3://{self.bucket}/{self.key}"

    def link(self, region: str) -> str:
        """Give the object's page in the S3 console."""
        return object_link(region, self.bucket, self.key)

    def read(self, cursor: int | None) -> Read:
        """Read the lines after those that were read before (GetObject); the cursor counts them."""
        done = cursor or 0
        texts = self._texts()
        new = [LogLine(None, text, self.label) for text in texts[done:]]
        return Read(new, max(done, len(texts)))

    def from_end(self, limit: int) -> Read:
        """Read the end of the log (GetObject)."""
        texts = self._texts()
        lines = [LogLine(None, text, self.label) for text in texts[-limit:]]
        return Read(lines, len(texts), skipped=len(texts) > limit)

    def _texts(self) -> list[str]:
        try:
            body = self.s3.get_object(Bucket=self.bucket, Key=self.key)["Body"]
        except self.s3.exceptions.ClientError as error:
            if error_code(error) in ("NoSuchKey", "404", "NoSuchBucket"):
                return []
            raise
        with body:
            text = _unpacked(body)
        return clean_lines(text) if text else []


def _unpacked(body: Any) -> str:
    """Unpack the end of a log; a broken or endless archive gives what can be read of it."""
    kept = b""
    try:
        with gzip.GzipFile(fileobj=body) as archive:
            for _ in range(MAX_UNPACKED // BLOCK):
                block = archive.read(BLOCK)
                if not block:
                    break
                kept = (kept + block)[-MAX_KEPT:]
    except (OSError, EOFError, zlib.error):
        # Archived while it was written, or no archive at all: the lines so far are still worth having.
        return kept.decode("utf-8", "replace")
    return kept.decode("utf-8", "replace")
