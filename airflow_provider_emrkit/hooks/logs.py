"""Reads CloudWatch Logs, one known stream at a time.

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

    :param events: ``timestamp`` (milliseconds), ``message``, … as CloudWatch sends them.
    :param token: Where to go on; the same as was sent when there is nothing more for now.
    """

    events: Sequence[Mapping[str, Any]]
    token: str | None


def read_events(logs: Any, group: str, stream: str, token: str | None) -> EventPage | None:
    """Read a page of a stream, from its start or from where the last page ended (GetLogEvents).

    :param token: ``EventPage.token`` of the page before, or None for the start.
    :return: None while there is no such group or stream; both are made when the first line is written.
    """
    request = {"logGroupName": group, "logStreamName": stream, "startFromHead": True, "limit": MAX_EVENTS}
    if token:
        request["nextToken"] = token
    answer = _get_log_events(logs, request)
    if answer is None:
        return None
    return EventPage(answer.get("events", []), answer.get("nextForwardToken"))


def read_last_events(logs: Any, group: str, stream: str, limit: int) -> EventPage:
    """Read the last events of a stream, oldest first; none when there is no such stream (GetLogEvents)."""
    request = {"logGroupName": group, "logStreamName": stream, "startFromHead": False, "limit": limit}
    answer = _get_log_events(logs, request) or {}
    return EventPage(answer.get("events", []), answer.get("nextForwardToken"))


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
        if error_code(error) == "ResourceNotFoundException":
            return None
        raise
    return answer
