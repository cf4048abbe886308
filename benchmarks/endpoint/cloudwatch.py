"""CloudWatch Logs: streams whose events become visible as they arrive (GetLogEvents, DescribeLogStreams)."""

from __future__ import annotations

import heapq
import itertools
import json
from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.endpoint.refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.logs.plan import LogEvent

# Milliseconds since 1970, and the number of its arrival: the order of a stream's events.
Key = tuple[int, int]

# A page holds so many events and bytes at most, where each event counts as its message and some more.
MOST_EVENTS = 10_000
MOST_BYTES = 1_048_576
BYTES_BESIDE = 26

# Each fifth page that goes on from a token is empty, though there are more events: readers have to bear it.
EMPTY_PAGE = 5

STREAMS_AT_ONCE = 50


@dataclass(frozen=True, order=True)
class _Event:
    key: Key
    size: int = field(compare=False)
    json: bytes = field(compare=False)


@dataclass
class _Stream:
    """What has arrived in a stream, in the order in which it is read."""

    created: int
    events: list[_Event] = field(default_factory=list)
    pages: int = 0

    def take(self, event: _Event) -> None:
        if self.events and event.key < self.events[-1].key:
            insort(self.events, event)
        else:
            self.events.append(event)

    def gives_nothing(self) -> bool:
        """Tell whether the page that is asked for is one of the empty ones."""
        self.pages += 1
        return self.pages % EMPTY_PAGE == 0

    def first_at(self, milliseconds: int) -> int:
        return bisect_left(self.events, (milliseconds, -1), key=_key)

    def first_after(self, key: Key) -> int:
        return bisect_right(self.events, key, key=_key)


class CloudWatch:
    """Answers as CloudWatch Logs would about one group.

    A stream is ordered by the events' timestamps, and by arrival where these are the same. A token stands for
    a place in that order: what arrives later with an older timestamp lies behind it, and is not given to
    those who go on from it.

    :param group: The log group.
    :param names: Its streams; each is there as soon as its first event is.
    :param plan: Their events.
    :param started: When the plan's second 0 was, in seconds since 1970.
    """

    def __init__(self, group: str, names: Sequence[str], plan: Sequence[LogEvent], started: float) -> None:
        self._group = group
        self._names = names
        self._streams: dict[str, _Stream] = {}
        self._nonce = itertools.count(1)
        by_arrival = sorted(plan, key=lambda event: event.arrives)
        self._coming = [
            (event.arrives, number, names[event.stream], _as_event(event, number, started))
            for number, event in enumerate(by_arrival)
        ]
        heapq.heapify(self._coming)
        self._arrive(0.0)
        self.operations: Mapping[str, Callable[[Mapping[str, Any], float], dict[str, Any] | bytes]] = {
            "GetLogEvents": self._get_log_events,
            "DescribeLogStreams": self._describe_log_streams,
        }

    def _arrive(self, now: float) -> None:
        while self._coming and self._coming[0][0] <= now:
            _, _, name, event = heapq.heappop(self._coming)
            stream = self._streams.setdefault(name, _Stream(event.key[0]))
            stream.take(event)

    def _get_log_events(self, request: Mapping[str, Any], now: float) -> bytes:
        self._arrive(now)
        stream = self._stream(request)
        token = str(request.get("nextToken") or "")
        first, end = self._range(stream, token, request)
        limit = min(MOST_EVENTS, int(request.get("limit") or MOST_EVENTS))
        if token.startswith("b/") or not (token or request.get("startFromHead")):
            first = _start_of_page(stream.events, first, end, limit)
        else:
            end = _end_of_page(stream.events, first, end, limit)
        if first == end:
            place = _place(token) if token else _before(stream, first)
            forward, backward = self._tokens(place, place)
            return _page([], token or forward, token or backward)
        if token and stream.gives_nothing():
            return _page([], *self._tokens(_place(token), _place(token)))
        page = stream.events[first:end]
        return _page(page, *self._tokens(page[-1].key, page[0].key))

    def _stream(self, request: Mapping[str, Any]) -> _Stream:
        known = self._names if request.get("logGroupName") == self._group else ()
        stream = self._streams.get(str(request.get("logStreamName")))
        if stream is None or not known:
            what = "stream" if known else "group"
            raise RefusedError("ResourceNotFoundException", f"The specified log {what} does not exist.")
        return stream

    def _range(self, stream: _Stream, token: str, request: Mapping[str, Any]) -> tuple[int, int]:
        """Give the first event that may be given, and the one after the last."""
        first = stream.first_at(int(request["startTime"])) if "startTime" in request else 0
        end = stream.first_at(int(request["endTime"])) if "endTime" in request else len(stream.events)
        if token.startswith("f/"):
            first = max(first, stream.first_after(_place(token)))
        elif token:
            end = min(end, bisect_left(stream.events, _place(token), key=_key))
        return first, max(first, end)

    def _tokens(self, last: Key, first: Key) -> tuple[str, str]:
        """Name the places to go on from, forward and backward; a place never has the same name twice."""
        nonce = next(self._nonce)
        return f"f/{_name(last)}/{nonce}", f"b/{_name(first)}/{nonce}"

    def _describe_log_streams(self, request: Mapping[str, Any], now: float) -> dict[str, Any]:
        self._arrive(now)
        if request.get("logGroupName") != self._group or not self._streams:
            raise RefusedError("ResourceNotFoundException", "The specified log group does not exist.")
        prefix = str(request.get("logStreamNamePrefix") or "")
        found = sorted(name for name in self._streams if name.startswith(prefix))
        first = int(request.get("nextToken") or 0)
        most = min(STREAMS_AT_ONCE, int(request.get("limit") or STREAMS_AT_ONCE))
        answer: dict[str, Any] = {"logStreams": [self._described(name) for name in found[first:][:most]]}
        if len(found) > first + most:
            answer["nextToken"] = str(first + most)
        return answer

    def _described(self, name: str) -> dict[str, Any]:
        """Describe a stream; AWS tells of its last event up to an hour late, so here it is left out."""
        stream = self._streams[name]
        arn = f"arn:aws:logs:us-east-1:123456789012:log-group:{self._group}:log-stream:{name}"
        return {
            "logStreamName": name,
            "creationTime": stream.created,
            "firstEventTimestamp": stream.events[0].key[0],
            "arn": arn,
            "storedBytes": 0,
        }


def _key(event: _Event) -> Key:
    return event.key


def _as_event(event: LogEvent, number: int, started: float) -> _Event:
    timestamp = round((started + event.written) * 1000)
    message = {
        "timestamp": timestamp,
        "message": event.text,
        "ingestionTime": round((started + event.arrives) * 1000),
    }
    return _Event((timestamp, number), len(event.text.encode()) + BYTES_BESIDE, json.dumps(message).encode())


def _end_of_page(events: Sequence[_Event], first: int, end: int, limit: int) -> int:
    end = min(end, first + limit)
    sizes = itertools.accumulate(events[index].size for index in range(first, end))
    return first + sum(1 for _ in itertools.takewhile(lambda size: size <= MOST_BYTES, sizes))


def _start_of_page(events: Sequence[_Event], first: int, end: int, limit: int) -> int:
    first = max(first, end - limit)
    sizes = itertools.accumulate(events[index].size for index in range(end - 1, first - 1, -1))
    return end - sum(1 for _ in itertools.takewhile(lambda size: size <= MOST_BYTES, sizes))


def _before(stream: _Stream, first: int) -> Key:
    """Give the place after which what comes next is new."""
    return stream.events[first - 1].key if first else (-1, -1)


def _name(place: Key) -> str:
    return f"{place[0] + 1:020}{place[1] + 1:020}"


def _place(token: str) -> Key:
    try:
        place = token.split("/")[1]
        return int(place[:20]) - 1, int(place[20:]) - 1
    except (IndexError, ValueError):
        raise RefusedError("InvalidParameterException", "The specified nextToken is invalid.") from None


def _page(events: Sequence[_Event], forward: str, backward: str) -> bytes:
    tokens = json.dumps({"nextForwardToken": forward, "nextBackwardToken": backward})[1:].encode()
    return b'{"events":[' + b",".join(event.json for event in events) + b"]," + tokens
