"""Events of this server's services, put onto its own EventBridge bus."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime


class EventSender:
    """Sends events (EventBridge PutEvents).

    :param client_for: Gives the EventBridge client of a region.
    :param now: Clock, for the events' time.

    >>> EventSender(client_for, utc_now).send("us-east-1", [event])  # doctest: +SKIP
    """

    def __init__(self, client_for: Callable[[str], Any], now: Callable[[], datetime]) -> None:
        self._client_for = client_for
        self._now = now

    def send(self, region: str, events: Sequence[Mapping[str, Any]]) -> None:
        """Send events, at most ten, onto a region's default bus.

        :param events: See :func:`event`.
        """
        if events:
            entries = [{**item, "Time": self._now()} for item in events]
            self._client_for(region).put_events(Entries=entries)


def event(source: str, detail_type: str, detail: Mapping[str, Any]) -> dict[str, Any]:
    """Give an event as PutEvents takes it.

    >>> event("aws.emr", "EMR Step Status Change", {"state": "RUNNING"})["Detail"]
    '{"state": "RUNNING"}'
    """
    return {"Source": source, "DetailType": detail_type, "Detail": json.dumps(detail)}
