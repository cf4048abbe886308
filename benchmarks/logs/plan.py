"""What a job writes to CloudWatch Logs, and when: drawn once, the same for all who read it."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

GROUP = "/aws/emr/bench"
APPLICATION = "application_1700000000000_0001"
_CONTAINER = f"applications/{APPLICATION}/container_1700000000000_0001_01_000001"

# A late event is at least so many seconds late.
_SLIGHTLY = 0.5

_KEY = re.compile(r"\btask (\d+\.\d{7}) ")
_TEXT = "25/01/01 00:00:00 INFO TaskSetManager: Finished task {} of " + APPLICATION + " "


@dataclass(frozen=True)
class LogShape:
    """What a log is made of.

    :param streams: How many streams; see :func:`stream_names`.
    :param events: How many events each of them gets.
    :param rate: How many of them are written in a second.
    :param begins: When the first is written, in seconds after the start; below 0 what is there already.
    :param size: Bytes of each.
    :param late: Share of the events that arrive later than they were written, behind younger ones.
    :param lateness: By so many seconds at most.
    :param twins: Share of the events that are the same as the one before, the time included.
    """

    streams: int
    events: int
    rate: float
    begins: float
    size: int = 120
    late: float = 0.0
    lateness: float = 0.0
    twins: float = 0.0

    @property
    def ends(self) -> float:
        """When the last has arrived, at the latest, in seconds after the start."""
        return self.begins + self.events / self.rate + self.lateness


@dataclass(frozen=True)
class LogEvent:
    """One event of a stream.

    :param stream: Number of the stream.
    :param written: When it was written, in seconds after the start: its timestamp.
    :param arrives: From when on it can be read.
    :param text: One line.
    """

    stream: int
    written: float
    arrives: float
    text: str


def stream_names(shape: LogShape, step_id: str) -> Sequence[str]:
    """Name the streams as EMR does: the step's own, then its driver's."""
    own = [f"steps/{step_id}/stderr", f"steps/{step_id}/stdout"]
    return [*own, f"{_CONTAINER}/stderr", f"{_CONTAINER}/stdout"][: shape.streams]


def make_plan(shape: LogShape, seed: int) -> Sequence[LogEvent]:
    """Draw all events, each stream's by the time they were written.

    :param seed: The same seed gives the same events.
    """
    dice = random.Random(seed)
    return [event for stream in range(shape.streams) for event in _stream(stream, shape, dice)]


def _stream(stream: int, shape: LogShape, dice: random.Random) -> Iterator[LogEvent]:
    before: LogEvent | None = None
    for number in range(shape.events):
        if before is not None and dice.random() < shape.twins:
            yield before
            continue
        # CloudWatch knows no more than milliseconds; a busy job writes several lines in one.
        written = round(shape.begins + number / shape.rate, 3)
        is_late = dice.random() < shape.late
        arrives = written + (dice.uniform(_SLIGHTLY, shape.lateness) if is_late else 0.0)
        before = LogEvent(stream, written, arrives, _text(f"{stream}.{number:07}", shape.size))
        yield before


def _text(key: str, size: int) -> str:
    return _TEXT.format(key).ljust(size, ".")[:size]


def key_of(line: str) -> str | None:
    """Find in a line of a task's log which event it shows; None when it shows none.

    >>> key_of("[stderr] 25/01/01 00:00:00 INFO TaskSetManager: Finished task 0.0000017 of application_1")
    '0.0000017'
    """
    found = _KEY.search(line)
    return found and found.group(1)
