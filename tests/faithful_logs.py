"""CloudWatch Logs in memory, as faithful as is known, with all that makes reading it hard."""

from __future__ import annotations

import random
from bisect import bisect_right, insort
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

START = 1_700_000_000_000


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "GetLogEvents")


@dataclass
class FaithfulLogs:
    """One stream, ordered by the events' times and, within one, by their arrival.

    :param random: Decides about sizes of pages, empty ones and refusals.
    :param tokens: ``places`` in the order of the events, as AWS's, which late events stay behind; or
        ``numbers`` in the list of events, as moto's, which move when a late event is put in before them.
    :param hard: How often (0 to 1) a call is throttled, a page empty though it is not the last, or small.
    :param exists: Whether the stream does.
    """

    random: random.Random = field(default_factory=lambda: random.Random(1))
    tokens: str = "places"
    hard: float = 0.0
    exists: bool = True
    calls: int = 0
    asked: list[dict[str, Any]] = field(default_factory=list)
    events: list[tuple[int, int, int, str]] = field(default_factory=list)
    expired: set[str] = field(default_factory=set)
    refuse: list[str] = field(default_factory=list)

    class exceptions:  # noqa: N801 - as boto3 calls it
        ClientError = ClientError

    def put(self, when: int, message: str, arrived: int | None = None) -> None:
        """Deliver an event; times are milliseconds after :data:`START`."""
        number = len(self.events)
        insort(self.events, (START + when, number, START + (when if arrived is None else arrived), message))

    def get_log_events(self, **request: Any) -> dict[str, Any]:
        self.calls += 1
        self.asked.append(request)
        if not self.exists:
            raise refused("ResourceNotFoundException")
        if self.refuse:
            raise refused(self.refuse.pop(0))
        if self.random.random() < self.hard / 4:
            raise refused("ThrottlingException")
        token = request.get("nextToken", "")
        if token in self.expired:
            raise refused("InvalidParameterException")
        seen = [event for event in self.events if event[0] >= request.get("startTime", 0)]
        if not request["startFromHead"]:
            return self._back(seen, token, request["limit"])
        first = self._first(seen, token)
        if token and first == len(seen):
            return {"events": [], "nextForwardToken": token, "nextBackwardToken": "b/x"}
        size = request["limit"]
        # moto's pages are as large as was asked for.
        if self.tokens == "places" and self.random.random() < self.hard:
            size = self.random.choice([0, 1, 2, 3, 5, 10, 20])
        page = seen[first : first + size]
        return self._answer(page, self._token(seen, first + len(page)))

    def _first(self, seen: list[tuple[int, int, int, str]], token: str) -> int:
        if not token:
            return 0
        when, number = map(int, token.split("/")[1:3])
        if self.tokens == "numbers":
            return number
        return bisect_right(seen, (when, number), key=lambda event: event[:2])

    def _token(self, seen: list[tuple[int, int, int, str]], end: int) -> str:
        nonce = self.calls
        if self.tokens == "numbers":
            return f"f/0/{end}/{nonce}"
        when, number = seen[end - 1][:2] if end else (0, 0)
        return f"f/{when}/{number}/{nonce}"

    def _back(self, seen: list[tuple[int, int, int, str]], token: str, limit: int) -> dict[str, Any]:
        end = int(token.split("/")[1]) if token else len(seen)
        size = self.random.choice([0, 1, 2, 5]) if self.random.random() < self.hard else limit
        start = max(0, end - size)
        answer = self._answer(seen[start:end], self._token(seen, end))
        return {**answer, "nextBackwardToken": token if token and not end else f"b/{start}/{self.calls}"}

    def _answer(self, page: list[tuple[int, int, int, str]], token: str) -> dict[str, Any]:
        events = [
            {"timestamp": when, "ingestionTime": ingested, "message": message}
            for when, _, ingested, message in page
        ]
        return {"events": events, "nextForwardToken": token, "nextBackwardToken": "b/x"}
