"""Calls CloudWatch Logs, one known stream at a time.

(FilterLogEvents would read many streams at once, but an account has five calls a second of it.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.hooks.errors import error_code

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# The most that GetLogEvents gives in one call.
MAX_EVENTS = 10_000


@dataclass(frozen=True)
class EventPage:
    """What one GetLogEvents call gave.

    :param events: ``timestamp`` and ``ingestionTime`` (milliseconds) and ``message``, as CloudWatch sends
        them, ordered by their timestamps.
    :param token: Where to go on; the same as was sent when there is nothing more for now.
    """

    events: Sequence[Mapping[str, Any]]
    token: str | None

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> EventPage:
        """Take it from CloudWatch's answer."""
        return cls(answer.get("events", []), answer.get("nextForwardToken"))


class TokenRefusedError(Exception):
    """CloudWatch Logs does not take a token (any more); they are valid for a day.

    >>> raise TokenRefusedError("f/123")  # doctest: +SKIP
    """


def read_events(
    logs: Any, group: str, stream: str, token: str | None = None, start: int | None = None
) -> EventPage | None:
    """Read a page of a stream, from its start or from where the last page ended (GetLogEvents).

    :param token: ``EventPage.token`` of the page before, or None for the start.
    :param start: Only events from this time on (milliseconds); with a token, the same as where it came from.
    :return: None while there is no such group or stream; both are made when the first line is written.
    :raises TokenRefusedError: when the token is too old.
    """
    request = {"logGroupName": group, "logStreamName": stream, "startFromHead": True, "limit": MAX_EVENTS}
    if token:
        request["nextToken"] = token
    if start:
        request["startTime"] = start
    answer = _get_log_events(logs, request)
    return None if answer is None else EventPage.of(answer)


def read_last_events(
    logs: Any, group: str, stream: str, limit: int, start: int | None = None, max_pages: int = 1
) -> tuple[EventPage, bool]:
    """Read the last events of a stream, oldest first; none when there is no such stream (GetLogEvents).

    A page may hold fewer events than there are, even none, so that one reads back to the start or the limit.

    :param limit: Events to read at most.
    :param start: Only events from this time on (milliseconds).
    :param max_pages: Calls to make at most.
    :return: The events and the token to go on with after them; and whether they begin where the stream does.
    """
    request: dict[str, Any] = {"logGroupName": group, "logStreamName": stream, "startFromHead": False}
    if start:
        request["startTime"] = start
    events: list[Mapping[str, Any]] = []
    forward: str | None = None
    for _ in range(max_pages):
        answer = _get_log_events(logs, {**request, "limit": min(MAX_EVENTS, limit - len(events))}) or {}
        forward = forward or answer.get("nextForwardToken")
        events[:0] = answer.get("events", [])
        back = answer.get("nextBackwardToken")
        if back in (None, request.get("nextToken")):
            return EventPage(events, forward), True
        if len(events) >= limit:
            break
        request["nextToken"] = back
    return EventPage(events, forward), False


def stream_names(logs: Any, group: str, prefix: str) -> Iterator[str]:
    """Name the streams of a group that start with a prefix (DescribeLogStreams); none without the group."""
    paginator = logs.get_paginator("describe_log_streams")
    pages = paginator.paginate(logGroupName=group, logStreamNamePrefix=prefix)
    try:
        for page in pages:
            for stream in page.get("logStreams", []):
                yield stream["logStreamName"]
    except logs.exceptions.ClientError as error:
        if error_code(error) != "ResourceNotFoundException":
            raise


def _get_log_events(logs: Any, request: Mapping[str, Any]) -> Mapping[str, Any] | None:
    try:
        answer: Mapping[str, Any] = logs.get_log_events(**request)
    except logs.exceptions.ClientError as error:
        code = error_code(error)
        if code == "ResourceNotFoundException":
            return None
        if code == "InvalidParameterException" and "nextToken" in request:
            raise TokenRefusedError(request["nextToken"]) from error
        raise
    return answer
