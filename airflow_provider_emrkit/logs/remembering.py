"""Remembers which events of a stream were read last, in few bytes each. Pure."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Events of a stream that are remembered at most, and of one that is silent; each takes 16 bytes. (A triggerer
# writes some thousand lines a second in all: its streams can't all have as many in a minute.)
MAX_KEPT = 30_000
KEPT_SILENT = 32


def mark_of(event: Mapping[str, Any]) -> int:
    """Give 64 bits that tell an event from others of the same time, in every process the same.

    (Events have no id that GetLogEvents would tell.)
    """
    text = f"{event.get('ingestionTime')} {event['message']}".encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big", signed=True)


def _numbers() -> array[int]:
    return array("q")


@dataclass
class Memory:
    """The last events of a stream: every one that was read and is not older than ``floor`` is in it.

    :param floor: Milliseconds since 1970.

    >>> memory = Memory()
    >>> memory.add([{"timestamp": 5, "ingestionTime": 6, "message": "a"}], floor=0)
    >>> len(memory)
    1
    """

    floor: int = 0
    _times: array[int] = field(default_factory=_numbers, repr=False)
    _marks: array[int] = field(default_factory=_numbers, repr=False)

    def __len__(self) -> int:
        return len(self._times)

    def copy(self) -> Memory:
        """Give one that can be changed while this one stays."""
        return Memory(self.floor, self._times[:], self._marks[:])

    def add(self, events: Sequence[Mapping[str, Any]], floor: int) -> None:
        """Remember events.

        :param floor: Older ones may be forgotten.
        """
        floor = max(floor, self.floor)
        for event in events:
            if event["timestamp"] >= floor:
                self._times.append(event["timestamp"])
                self._marks.append(mark_of(event))
        self.floor = floor
        # Not with each event: forgetting costs a look at all.
        if len(self) > 2 * MAX_KEPT:
            self.trim(floor)

    def trim(self, floor: int, most: int | None = None) -> None:
        """Forget the oldest events.

        Those of one moment are kept or forgotten together, so that all from some moment on are known.

        :param floor: Older ones are forgotten.
        :param most: How many are kept at most; :data:`MAX_KEPT` if not given.
        """
        floor, most = max(floor, self.floor), MAX_KEPT if most is None else most
        times = sorted(when for when in self._times if when >= floor)
        if len(times) > most:
            floor = times[-most - 1] + 1
        kept = [(when, mark) for when, mark in zip(self._times, self._marks, strict=True) if when >= floor]
        self.floor = floor
        self._times = array("q", [when for when, _ in kept])
        self._marks = array("q", [mark for _, mark in kept])

    def counts(self) -> dict[tuple[int, int], int]:
        """Count the events that look the same: a job may well write a line twice in a millisecond."""
        return dict(Counter(zip(self._times, self._marks, strict=True)))

    def marks_at(self, when: int) -> set[int]:
        """Give the marks of the events of one moment."""
        return {mark for time, mark in zip(self._times, self._marks, strict=True) if time == when}

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON."""
        return {"floor": self.floor, "times": list(self._times), "marks": list(self._marks)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Memory:
        """Take up what :meth:`to_dict` gave."""
        return cls(values["floor"], array("q", values["times"]), array("q", values["marks"]))
