"""Counts what came of a log's events: all of them, once each, and how soon."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.logs.plan import key_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.logs.plan import LogEvent


@dataclass(frozen=True)
class Tally:
    """What came.

    :param taken: Lines that show an event, repeated ones included.
    :param missing: Events that no line shows.
    :param doubled: Lines that show an event which as many lines before them show as there are of it.
    :param latencies: From the arrival of each event to its line, in seconds.
    :param stock_read: When the last of the events came that had been there from the start; 0.0 when none had.
    :param stock: How many of those came.
    :param prompt: When the lines came whose events were not late, in seconds since 1970.
    :param last: When the last line came.
    """

    taken: int
    missing: int
    doubled: int
    latencies: Sequence[float]
    stock_read: float
    stock: int
    prompt: Sequence[float]
    last: float


def tally(plan: Sequence[LogEvent], lines: Iterable[tuple[float, str]], started: float) -> Tally:
    """Compare what came with what was written.

    Some events are the same as others: then as many lines have to show them as there are of them.

    :param lines: When each line came, in seconds since 1970, and the line.
    :param started: Second 0 of the plan, in seconds since 1970.
    """
    waiting: dict[str, list[LogEvent]] = defaultdict(list)
    for event in plan:
        waiting[key_of(event.text) or ""].append(event)
    came: Counter[str] = Counter()
    latencies: list[float] = []
    stock: list[float] = []
    times: list[float] = []
    prompt: list[float] = []
    for at, line in lines:
        key = key_of(line)
        if key is None:
            continue
        came[key] += 1
        times.append(at)
        if came[key] > len(waiting[key]):
            continue
        event = waiting[key][came[key] - 1]
        latencies.append(at - started - max(0.0, event.arrives))
        if event.arrives <= 0:
            stock.append(at)
        if event.arrives <= event.written:
            prompt.append(at)
    return Tally(
        taken=len(times),
        missing=len(plan) - len(latencies),
        doubled=len(times) - len(latencies),
        latencies=latencies,
        stock_read=max(stock, default=0.0),
        stock=len(stock),
        prompt=prompt,
        last=max(times, default=0.0),
    )
