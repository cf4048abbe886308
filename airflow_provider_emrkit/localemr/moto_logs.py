"""moto's CloudWatch Logs with AWS's order of events: the one place that knows moto's log streams from inside.

moto sorts a stream's events at each GetLogEvents, and its tokens count them: an event that arrives with an
older time moves all later ones, so that a reader gets the last one twice and that one never. On AWS a token
is a position in time. Here events are kept in their order, and a position is a time and an event's number,
which goes up with its arrival: what arrives later lies behind it with the same time, before it with an older.
"""

from __future__ import annotations

import re
import threading
from bisect import bisect_left, insort
from typing import TYPE_CHECKING, Any, NamedTuple

from moto.logs import models
from moto.logs.exceptions import InvalidParameterException

if TYPE_CHECKING:
    from collections.abc import Iterable

# Limits of GetLogEvents: events, and bytes with what each event counts for beside its message.
MAX_EVENTS = 10_000
MAX_BYTES = 1_048_576
EVENT_OVERHEAD = 26

_TOKEN = re.compile(r"[bf]/([0-9]{20})([0-9]{36})")
# One by one, others are moved out of the way for each.
_MANY = 100

MOTO_STREAM = models.LogStream
"""What moto itself makes."""


class Position(NamedTuple):
    """A place between events: before the event with this time and number, and all later ones.

    >>> Position(1_700_000_000_000, 7).token("f")
    'f/00000001700000000000000000000000000000000000000000000007'
    """

    time: int
    number: int

    def token(self, direction: str) -> str:
        """Write it as a token.

        :param direction: ``f`` or ``b``, which AWS's tokens begin with.
        """
        return f"{direction}/{self.time:020d}{self.number:036d}"


def read_token(token: object) -> tuple[str, Position]:
    """Read a token: its direction and position.

    :raises InvalidParameterException: when it is none.
    """
    found = _TOKEN.fullmatch(token) if isinstance(token, str) else None
    if found is None:
        raise InvalidParameterException("The specified nextToken is invalid.")
    return found[0][0], Position(int(found[1]), int(found[2]))


def place_of(event: models.LogEvent) -> Position:
    """Give the position just before an event."""
    return Position(event.timestamp, event.event_id)


def behind(event: models.LogEvent) -> Position:
    """Give the position just after an event."""
    return Position(event.timestamp, event.event_id + 1)


class Stream(MOTO_STREAM):
    """A log stream that knows its events by their place as well, not only by their arrival."""

    # One for all streams: moto numbers the events of all of them in one series.
    _lock = threading.RLock()

    def __init__(self, *args: Any, **names: Any) -> None:
        super().__init__(*args, **names)
        self._ordered: list[models.LogEvent] = []

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_ordered"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._ordered = sorted(self.events, key=place_of)

    def put_log_events(self, log_events: list[dict[str, Any]]) -> str:
        """Take events in."""
        with self._lock:
            count = len(self.events)
            try:
                return super().put_log_events(log_events)
            finally:
                self._ordered = _with(self._ordered, self.events[count:])

    def get_log_events(
        self,
        start_time: Any,
        end_time: Any,
        limit: int | None,
        next_token: str | None,
        start_from_head: Any,
    ) -> tuple[list[dict[str, Any]], str | None, str | None]:
        """Give a page of events, and the tokens of what is before and behind it."""
        if limit is not None and not 1 <= limit <= MAX_EVENTS:
            constraint = f"Member must have value between 1 and {MAX_EVENTS}"
            raise InvalidParameterException(constraint=constraint, parameter="limit", value=limit)
        first = Position(max(0, int(start_time or 0)), 0)
        with self._lock:
            low = self._index(first)
            high = self._index(Position(int(end_time), 0)) if end_time else len(self._ordered)
            if next_token:
                direction, start = read_token(next_token)
            elif start_from_head or low >= high:
                direction, start = "f", first
            else:
                direction, start = "b", behind(self._ordered[high - 1])
            found = self._page(direction, self._index(start), (low, high), limit or MAX_EVENTS)
        if not found:
            return [], start.token("b"), start.token("f")
        answer = [event.to_response_dict() for event in found]
        return answer, place_of(found[0]).token("b"), behind(found[-1]).token("f")

    def _page(self, direction: str, index: int, limits: tuple[int, int], most: int) -> list[models.LogEvent]:
        low, high = limits
        if direction == "f":
            begin = max(index, low)
            return _fitting(self._ordered[begin : min(begin + most, high)])
        end = min(index, high)
        return _fitting(self._ordered[max(low, end - most) : max(low, end)][::-1])[::-1]

    def _index(self, place: Position) -> int:
        return bisect_left(self._ordered, place, key=place_of)

    def _update(self) -> None:
        events = self._ordered
        self.first_event_timestamp = events[0].timestamp if events else None
        self.last_event_timestamp = events[-1].timestamp if events else None


def use() -> None:
    """Let moto make these streams from now on, also those that are read from a file. Idempotent."""
    # moto makes them through a name of its module. Through vars: the name is a type to a type checker.
    vars(models).update(LogStream=Stream)


def _with(events: list[models.LogEvent], arrived: list[models.LogEvent]) -> list[models.LogEvent]:
    """Give events in their order with others that have arrived, in their order too."""
    if not events or not arrived or place_of(events[-1]) < place_of(arrived[0]):
        events += arrived
        return events
    if len(arrived) > _MANY:
        return sorted([*events, *arrived], key=place_of)
    for event in arrived:
        insort(events, event, key=place_of)
    return events


def _fitting(events: Iterable[models.LogEvent]) -> list[models.LogEvent]:
    """Give the first events that fit into an answer, at least one."""
    found: list[models.LogEvent] = []
    size = 0
    for event in events:
        size += _size(event.message) + EVENT_OVERHEAD
        if found and size > MAX_BYTES:
            break
        found.append(event)
    return found


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
