"""Where the lines of a job are read from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_emrkit.console import stream_link
from airflow_provider_emrkit.hooks.logs import read_events, read_last_events
from airflow_provider_emrkit.logs.text import clean_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# Calls that one read of a source makes at most; the rest is read next time.
MAX_PAGES = 10


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

    :param cursor: Where to go on; whatever the source needs for that.
    :param complete: Whether that was all there is for now.
    :param skipped: Whether there may be lines before these that were not read.
    """

    lines: Sequence[LogLine] = ()
    cursor: Any = None
    complete: bool = True
    skipped: bool = False


class LogSource(Protocol):
    """One output of a job that can be read from a cursor on."""

    @property
    def name(self) -> str:
        """What tells it from other sources, for people too."""

    @property
    def label(self) -> str:
        """What its lines are marked with."""

    def link(self, region: str) -> str:
        """Give its page in the AWS console."""

    def read(self, cursor: Any) -> Read:
        """Read what has come since; blocks.

        :param cursor: ``Read.cursor`` of the look before, or None for the start.
        """

    def from_end(self, limit: int) -> Read:
        """Read the last lines, and where to go on after them; blocks.

        :param limit: Lines to give at most.
        """


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

    def link(self, region: str) -> str:
        """Give the stream's page in the CloudWatch console."""
        return stream_link(region, self.group, self.stream)

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

    def from_end(self, limit: int) -> Read:
        """Read the end of the stream (GetLogEvents)."""
        page = read_last_events(self.logs, self.group, self.stream, limit)
        lines = [line for event in page.events for line in self._lines(event)]
        return Read(lines[-limit:], page.token, skipped=len(lines) >= limit)

    def _lines(self, event: Mapping[str, Any]) -> Iterable[LogLine]:
        return [LogLine(event["timestamp"], text, self.label) for text in clean_lines(event["message"])]
