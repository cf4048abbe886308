"""CloudWatch streams that a job writes to by itself, for instance through an appender of its own."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.hooks.log_events import stream_names
from airflow_provider_emrkit.logs.sources import CloudWatchStream, LogSources
from airflow_provider_emrkit.logs.wishes import ANY_ENDING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_emrkit.logs.sources import LogSource

# Streams that the beginning of a name may stand for.
MAX_STREAMS = 50
# Seconds between two looks for streams that have appeared.
LOOK_PAUSE = 10.0

# What lines of emrkit, and of the outputs it finds by itself, are marked with.
_TAKEN = re.compile(r"(?:emrkit|submit|(?:submit |executor \S+ )?(?:stdout|stderr))(?: of attempt \d+)?")


@dataclass
class UserStreams(LogSources):
    """The streams that a DAG author has named.

    :param logs: boto3 client of CloudWatch Logs.
    :param streams: Group and name; a ``*`` ends a name that is the beginning of many.
    :param since: Milliseconds since 1970 from which on they are read: they may be shared by many runs.
    :param clock: Seconds, for the looks after streams that may have appeared.

    >>> UserStreams(boto3.client("logs"), [("/team/sales", "driver-*")], 1_700_000_000_000)  # doctest: +SKIP
    """

    logs: Any = field(repr=False)
    streams: Sequence[tuple[str, str]]
    since: int
    clock: Callable[[], float] = time.monotonic
    _found: dict[tuple[str, str], None] = field(default_factory=dict)
    _crowded: dict[tuple[str, str], None] = field(default_factory=dict)
    _next_look: float | None = None

    @property
    def note(self) -> str | None:
        """Say which streams are left out."""
        if not self._crowded:
            return None
        names = ", ".join(f"{group} {name}" for group, name in self._crowded)
        return f"Of the log streams {names} the first {MAX_STREAMS} are followed; there are more."

    def current(self) -> Sequence[LogSource]:
        """Name the streams; those whose beginnings are given, as they appear (DescribeLogStreams)."""
        now = self.clock()
        if self._next_look is None or now >= self._next_look:
            self._look()
            self._next_look = now + LOOK_PAUSE
        return [
            CloudWatchStream(self.logs, group, stream, label_of(group, stream), since=self.since)
            for group, stream in self._found
        ]

    def _look(self) -> None:
        for group, name in self.streams:
            if not name.endswith(ANY_ENDING):
                self._found[group, name] = None
                continue
            names = stream_names(self.logs, group, name.removesuffix(ANY_ENDING))
            self._found.update(dict.fromkeys((group, stream) for stream in islice(names, MAX_STREAMS)))
            if next(names, None) is not None:
                self._crowded[group, name] = None


def label_of(group: str, stream: str) -> str:
    """Give what the lines of a stream are marked with: its name, unless it is that of another output.

    >>> label_of("/team", "driver-1"), label_of("/team", "stderr")
    ('driver-1', '/team:stderr')
    """
    return f"{group}:{stream}" if _TAKEN.fullmatch(stream.strip()) else stream
