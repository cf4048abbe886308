"""Where the lines of a job are read from."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from airflow_provider_emrkit.console import stream_link
from airflow_provider_emrkit.hooks.log_events import read_events, read_last_events
from airflow_provider_emrkit.logs.reading import MAX_PAGES, StreamCursor, read_on
from airflow_provider_emrkit.logs.text import event_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence


class LogLine(NamedTuple):
    """One line that a job wrote.

    (A tuple, for there are many, and these are made the fastest.)

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


class LogSources(ABC):
    """The sources of one run, as far as they can be known by now.

    >>> class Nothing(LogSources):
    ...     def current(self):
    ...         return ()
    >>> Nothing().uploaded_within
    0.0
    """

    @abstractmethod
    def current(self) -> Sequence[LogSource]:
        """Name what can be read now; blocks."""

    def observe(self, lines: Iterable[LogLine]) -> None:  # noqa: B027 - most sets have nothing to learn
        """Learn from what was read, such as the id that further sources are named by."""

    def note_end(self) -> None:  # noqa: B027 - most sets read the same after the end
        """Note that the run has ended, where that changes what is read."""

    @property
    def note(self) -> str | None:
        """Say what the reader of the log should know about where it comes from, if anything.

        It may have something else to say later on.
        """
        return None

    @property
    def silence(self) -> str | None:
        """Say why there may be no line, to be told when there is none, if that is known."""
        return None

    @property
    def pause(self) -> float | None:
        """Give the seconds between two looks that make sense; None for as often as one likes."""
        return None

    @property
    def uploaded_within(self) -> float:
        """Give the seconds after the end of the run in which the last lines are there; 0 for at once."""
        return 0.0


@dataclass(frozen=True)
class CloudWatchStream:
    """A CloudWatch log stream; each of its events is given once, also when it comes late.

    :param logs: boto3 client of CloudWatch Logs.
    :param group: Log group.
    :param stream: Log stream; it need not exist yet.
    :param label: What its lines are marked with.
    :param since: Only events from this time on (milliseconds since 1970); None for all.
    :param clock: Seconds that only go up.

    >>> CloudWatchStream(boto3.client("logs"), "/aws/emr/j-1", "steps/s-1/stderr", "stderr")  # doctest: +SKIP
    """

    logs: Any = field(repr=False)
    group: str
    stream: str
    label: str
    since: int | None = None
    clock: Callable[[], float] = field(default=time.monotonic, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The group and the stream."""
        return f"{self.group} {self.stream}"

    def link(self, region: str) -> str:
        """Give the stream's page in the CloudWatch console."""
        return stream_link(region, self.group, self.stream)

    def read(self, cursor: StreamCursor | None) -> Read:
        """Read what has come since (GetLogEvents), also what is older and came late."""
        ask = partial(read_events, self.logs, self.group, self.stream)
        events, moved, complete = read_on(ask, cursor, self.clock(), time.time(), self.since or 0)
        return Read(self._lines(events), moved, complete)

    def from_end(self, limit: int) -> Read:
        """Read the end of the stream (GetLogEvents)."""
        since, now = self.since or 0, self.clock()
        page, is_whole = read_last_events(self.logs, self.group, self.stream, limit, since, MAX_PAGES)
        cursor = StreamCursor.after(page, since, now, is_whole=is_whole) if page.token else None
        lines = self._lines(page.events)
        return Read(lines[-limit:], cursor, skipped=not is_whole or len(lines) > limit)

    def _lines(self, events: Sequence[Mapping[str, Any]]) -> list[LogLine]:
        label = self.label
        return [
            LogLine(event["timestamp"], text, label)
            for event in events
            for text in event_lines(event["message"])
        ]
