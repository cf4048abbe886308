"""Where the lines of a job are read from."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_emrkit.hooks.errors import error_code
from airflow_provider_emrkit.hooks.logs import read_events, read_last_events
from airflow_provider_emrkit.logs.text import clean_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# Calls that one read of a source makes at most; the rest is read next time.
MAX_PAGES = 10
# Bytes of an unpacked log that are kept; the end of it is what tells.
MAX_KEPT = 16 * 1024 * 1024
# Bytes that are unpacked at all, however much an archive claims to hold.
MAX_UNPACKED = 1024 * 1024 * 1024
BLOCK = 1024 * 1024


@dataclass(frozen=True)
class LogLine:
    """One line that a job wrote.

    :param timestamp: When it was written, in milliseconds since 1970; None when nobody knows.
    :param text: The line, safe to show.
    :param label: Which of the job's outputs it came from, e.g. ``stderr``.
    """

    timestamp: int | None
    text: str
    label: str


@dataclass(frozen=True)
class Read:
    """What one look at a source gave.

    :param cursor: Where to go on.
    :param complete: Whether that was all there is for now.
    """

    lines: Sequence[LogLine] = ()
    cursor: str | None = None
    complete: bool = True


class LogSource(Protocol):
    """One output of a job that can be read from a cursor on."""

    @property
    def name(self) -> str:
        """What tells it from other sources, for people too."""

    @property
    def label(self) -> str:
        """What its lines are marked with."""

    def read(self, cursor: str | None) -> Read:
        """Read what has come since; blocks.

        :param cursor: ``Read.cursor`` of the look before, or None for the start.
        """

    def last_lines(self, limit: int) -> Sequence[str]:
        """Read the last lines, oldest first; blocks."""


class LogSources(Protocol):
    """The sources of one run, as far as they can be known by now."""

    def current(self) -> Sequence[LogSource]:
        """Name what can be read now; blocks."""

    def observe(self, lines: Iterable[LogLine]) -> None:
        """Learn from what was read, such as the id that further sources are named by."""

    @property
    def note(self) -> str | None:
        """Say what the reader of the log should know about where it comes from, if anything."""


@dataclass(frozen=True)
class CloudWatchStream:
    """A CloudWatch log stream.

    :param logs: boto3 client of CloudWatch Logs.
    :param group: Log group.
    :param stream: Log stream; it need not exist yet.
    :param label: What its lines are marked with.

    >>> CloudWatchStream(boto3.client("logs"), "/aws/emr/j-1", "steps/s-1/stderr", "stderr")  # doctest: +SKIP
    """

    logs: Any = field(repr=False)
    group: str
    stream: str
    label: str

    @property
    def name(self) -> str:
        """The group and the stream."""
        return f"{self.group} {self.stream}"

    def read(self, cursor: str | None) -> Read:
        """Read what has come since (GetLogEvents), up to :data:`MAX_PAGES` pages.

        A page may be empty and yet not the last; the end is where the token stays the same.
        """
        lines: list[LogLine] = []
        for _ in range(MAX_PAGES):
            page = read_events(self.logs, self.group, self.stream, cursor)
            if page is None:
                return Read(lines, cursor)
            for event in page.events:
                lines.extend(self._lines(event))
            if page.token in (None, cursor):
                return Read(lines, cursor)
            cursor = page.token
        return Read(lines, cursor, complete=False)

    def last_lines(self, limit: int) -> Sequence[str]:
        """Read the end of the stream (GetLogEvents)."""
        events = read_last_events(self.logs, self.group, self.stream, limit)
        return [line.text for event in events for line in self._lines(event)][-limit:]

    def _lines(self, event: Mapping[str, Any]) -> Iterable[LogLine]:
        return [LogLine(event["timestamp"], text, self.label) for text in clean_lines(event["message"])]


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

    def read(self, cursor: str | None) -> Read:
        """Read the lines after those that were read before (GetObject); the cursor counts them."""
        done = int(cursor or 0)
        texts = self._texts()
        new = [LogLine(None, text, self.label) for text in texts[done:]]
        return Read(new, str(max(done, len(texts))))

    def last_lines(self, limit: int) -> Sequence[str]:
        """Read the end of the log (GetObject)."""
        return self._texts()[-limit:]

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
