"""CloudWatch log events, in parts: there are many, and those that are written do not change."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

from moto.logs import models

from airflow_provider_emrkit.localemr.moto_logs import MOTO_STREAM, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

PER_PART = 1000


class _Events(tuple[str, ...]):
    """The names of a stream's parts, in the place of its events."""


class LogEvents:
    """Takes the events out of the log streams of a pickle.

    :param known: Names of parts that need no pickling any more.

    >>> events = LogEvents(())
    >>> events.reduced(1)
    NotImplemented
    """

    def __init__(self, known: Container[str]) -> None:
        self._known = known
        self.parts: dict[str, bytes | None] = {}

    def reduced(self, obj: Any) -> Any:
        """Reduce a stream or its events, as ``reducer_override`` of :mod:`pickle`; else NotImplemented."""
        kind = type(obj)
        if kind is _Events:
            return read_events, (tuple(obj),)
        if not isinstance(obj, MOTO_STREAM):
            return NotImplemented
        starts = range(0, len(obj.events), PER_PART)
        names = _Events(self._taken(obj.arn, obj.events[at : at + PER_PART]) for at in starts)
        state = obj.__getstate__() if isinstance(obj, Stream) else vars(obj)
        return new_stream, (), {**state, "events": names}

    def _taken(self, stream: str, events: Sequence[Any]) -> str:
        # moto numbers all events of all streams in one series: one made anew never has the same numbers.
        name = f"{stream} {events[0].event_id}-{events[-1].event_id} {len(events)}"
        self.parts[name] = None if name in self._known else pickle.dumps(events, pickle.HIGHEST_PROTOCOL)
        return name


def new_stream() -> Any:
    """Make a stream with nothing in it, of the kind that moto makes now."""
    return models.LogStream.__new__(models.LogStream)


def _nowhere(name: str) -> bytes:
    raise LookupError(f"nothing is known of {name}")


def read_events(names: Sequence[str], part: Callable[[str], bytes] = _nowhere) -> list[Any]:
    """Give the events of some parts, and let moto go on numbering after them.

    :param part: Gives the bytes of a part; whoever unpickles says it.
    """
    found = [event for name in names for event in pickle.loads(part(name))]  # noqa: S301 - see state.py
    if found:
        kind = type(found[-1])
        last = max(kind._event_id, 1 + max(event.event_id for event in found))  # noqa: SLF001 - moto's counter
        kind._event_id = last  # noqa: SLF001
    return found
