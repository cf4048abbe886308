"""Reads a CloudWatch stream on, each event once. Pure but for the calls, which are handed in.

CloudWatch orders a stream by the events' own times, and a token stands for a place in that order. What is
delivered late lies behind the token then, and whoever goes on by tokens alone never sees it. So the events of
the last minute are remembered, and from time to time they are read again (a *sweep*) in the place of a look
at what is new, which costs no call more: what was not there before is given now.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.hooks.log_events import EventPage, TokenRefusedError
from airflow_provider_emrkit.logs.remembering import KEPT_SILENT, MAX_KEPT, Memory, mark_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# Calls that one read makes at most; the rest is read next time.
MAX_PAGES = 10

# A page with fewer events and fewer bytes is not full. An event is fresh for so many milliseconds after AWS
# took it in, the difference of the clocks included.
FULL_EVENTS = 7_500
FULL_BYTES = 750_000
FRESH = 10_000

# Milliseconds before the newest event that are read again in a sweep: how late an event may be.
WINDOW = 60_000
# Seconds of silence after which the last events are read again, in the time that a run's logs are waited for
# after its end; and without news after which a stream is taken for idle and what is remembered is dropped.
SILENCE = 3.0
IDLE = 60.0
# Seconds between two sweeps of a stream that goes on, at least and at most, and of one where events may or do
# come late: that is silent, or had such events the last time.
SWEEP_PAUSE = 10.0
MAX_SWEEP_PAUSE = 30.0
SHORT_SWEEP_PAUSE = 4.0
MIN_SWEEP_PAUSE = 2.0
# Events that are read again in a second at most, on average.
SWEPT_PER_SECOND = 200
SWEPT_PER_SECOND_SOON = 1_000
# Milliseconds that the newest event may be ahead of AWS's clock. All that comes after one that is further
# ahead lies behind its token.
MAX_AHEAD = 1_000


@dataclass
class StreamCursor:
    """How far a stream has been read, and what is remembered of it. Treat it as opaque.

    :param token: Where to go on; None to begin at ``start``.
    :param start: The start time that the token was given for (milliseconds); 0 for the stream's beginning.
    :param newest: Time of the newest event read; -1 before the first.
    :param ingested: When CloudWatch took in the latest event, by its own clock.
    :param memory: The last events.

    >>> StreamCursor.from_dict(StreamCursor("f/1", newest=17).to_dict()).token
    'f/1'
    """

    token: str | None = None
    start: int = 0
    newest: int = -1
    ingested: int = -1
    memory: Memory = field(default_factory=Memory)
    # What a sweep has yet to find, and up to which time it looks for it; None when no sweep is under way.
    _missing: dict[tuple[int, int], int] | None = field(default=None, repr=False)
    _until: int = field(default=-1, repr=False)
    _is_routine: bool = field(default=False, repr=False)
    # By the clock of the reader.
    _last_news: float = field(default=float("-inf"), repr=False)
    _last_sweep: float = field(default=float("-inf"), repr=False)
    _unswept: int = field(default=0, repr=False)
    _found_late: bool = field(default=False, repr=False)
    _at_end: bool = field(default=False, repr=False)
    _is_idle: bool = field(default=True, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Give what it takes to go on in another process, as small plain JSON."""
        memory = self.memory.copy()
        memory.trim(0, KEPT_SILENT)
        place = {"token": self.token, "start": self.start, "newest": self.newest, "ingested": self.ingested}
        return {**place, "memory": memory.to_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> StreamCursor:
        """Take up what another process has left; the first look is a sweep, since it may be long ago.

        :raises ValueError: when it is something else.
        """
        try:
            place = {name: values[name] for name in ("token", "start", "newest", "ingested")}
            return cls(**place, memory=Memory.from_dict(values["memory"]), _at_end=True, _is_idle=False)
        except (KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"no cursor of a stream: {error!r}") from error

    @classmethod
    def begin(cls, since: int, now: float) -> StreamCursor:
        """Give the cursor for the first look at a stream.

        :param since: Only events from this time on (milliseconds).
        """
        return cls(start=since, memory=Memory(floor=since), _last_sweep=now)

    @classmethod
    def after(cls, page: EventPage, since: int, now: float, *, is_whole: bool) -> StreamCursor:
        """Give the cursor that goes on after the end of a stream.

        :param page: The end.
        :param is_whole: Whether it begins where the stream does.
        """
        cursor = cls.begin(since, now)
        cursor.take(page, now)
        cursor.end_look(complete=True)
        if page.events and not is_whole:
            # Of the first moment, only a part may have been read.
            cursor.memory.trim(page.events[0]["timestamp"] + 1)
        return cursor

    def copy(self) -> StreamCursor:
        """Give one that can be moved on while this one stays."""
        missing = self._missing.copy() if self._missing is not None else None
        return replace(self, memory=self.memory.copy(), _missing=missing)

    def sweep_is_due(self, now: float) -> bool:
        """Tell whether to read the last events again, instead of what comes after them."""
        if self.token is None:
            return self.newest >= 0
        if self._missing is not None or not self._at_end or self._is_idle:
            return False
        if self.memory.floor > self.newest:
            return False  # too much was written in one moment for remembering any of it
        silent = now - self._last_news
        if silent >= SILENCE and self._last_sweep <= self._last_news:
            return True
        if self._unswept > MAX_KEPT / 2:
            return True  # soon they can't all be remembered any more
        return now - self._last_sweep >= self._sweep_pause(silent)

    def begin_sweep(self, now: float, *, is_routine: bool = False) -> None:
        """Go on without the token: from the earliest moment that all events are remembered of.

        :param is_routine: Whether the stream has been read to its end, as far as is known.
        """
        self._is_routine = is_routine
        self.memory.trim(min(self.newest, self.ingested) - WINDOW)
        self.token, self.start = None, self.memory.floor
        self._missing, self._until = self.memory.counts(), self.newest
        self._last_sweep, self._found_late, self._unswept = now, False, 0

    def take(self, page: EventPage, now: float) -> Sequence[Mapping[str, Any]] | None:
        """Move on over a page.

        :return: Its events that are new; None when it shows that events came late, which a sweep has to find.
        """
        if self._missing is None and self._shows_late_events(page.events):
            self.begin_sweep(now)
            return None
        self._at_end = page.token in (None, self.token)
        self.token = page.token or self.token
        new = self._new(page.events)
        if new:
            self._remember(new)
            self._unswept += len(new)
            self._last_news = now
            self._is_idle = False
        if self._at_end:
            self._missing = None
        return new

    def is_done(self, new: Sequence[Any], page: EventPage, today: float) -> bool:
        """Tell whether a page was the last one for now.

        :param new: What was new of it.
        :param today: Seconds since 1970.
        """
        if self._at_end or (self._missing is None and _is_being_written(page, today)):
            return True
        if new or self._missing is None:
            return False
        # A sweep that found all there was, and nothing else, has come to where the stream ended before.
        return self._is_routine and not self._missing

    def end_look(self, *, complete: bool) -> None:
        """End a sweep that has found everything, and forget what is too old for others to come late."""
        self._at_end = complete
        self._missing = self._missing or None
        if complete and self._last_sweep - self._last_news > IDLE and not self._is_ahead():
            self._is_idle = True
            self.memory.trim(0, KEPT_SILENT)

    def _sweep_pause(self, silent: float) -> float:
        if self._is_ahead():
            return MIN_SWEEP_PAUSE
        if self._found_late or silent >= SILENCE:
            return min(max(SHORT_SWEEP_PAUSE, len(self.memory) / SWEPT_PER_SECOND_SOON), SWEEP_PAUSE)
        return min(max(SWEEP_PAUSE, len(self.memory) / SWEPT_PER_SECOND), MAX_SWEEP_PAUSE)

    def _is_ahead(self) -> bool:
        return self.newest > self.ingested + MAX_AHEAD

    def _shows_late_events(self, events: Sequence[Mapping[str, Any]]) -> bool:
        """Tell whether a page that goes on from a token reaches back behind it.

        Some servers' tokens are places in a list, which move when something is put in before them.
        """
        known = None
        for event in events:
            when = event["timestamp"]
            if when > self.newest:
                return False
            if when < self.newest:
                return True
            known = self.memory.marks_at(when) if known is None else known
            if known and mark_of(event) in known:
                return True
        return False

    def _new(self, events: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
        missing = self._missing
        if missing is None or not events:
            return events
        new = []
        for event in events:
            when = event["timestamp"]
            if when <= self._until:
                key = (when, mark_of(event))
                if count := missing.pop(key, 0):
                    if count > 1:
                        missing[key] = count - 1
                    continue
                self._found_late = True
            new.append(event)
        if events[-1]["timestamp"] > self._until:
            self._missing = None
        return new

    def _remember(self, new: Sequence[Mapping[str, Any]]) -> None:
        self.newest = max(self.newest, max(event["timestamp"] for event in new))
        ingested = (event.get("ingestionTime", event["timestamp"]) for event in new)
        self.ingested = max(self.ingested, max(ingested))
        self.memory.add(new, min(self.newest, self.ingested) - WINDOW)


def _is_being_written(page: EventPage, today: float) -> bool:
    """Tell whether a page ends with what is being written just now.

    Each further call would find what was written during the one before, and a look would never end.
    """
    events = page.events
    if not events or len(events) >= FULL_EVENTS:
        return False
    if events[-1].get("ingestionTime", 0) < today * 1000 - FRESH:
        return False  # of what was written before, a page may hold any part
    return sum(len(event["message"]) for event in events) < FULL_BYTES


def read_on(
    ask: Callable[[str | None, int], EventPage | None],
    cursor: StreamCursor | None,
    now: float,
    today: float,
    since: int = 0,
) -> tuple[list[Mapping[str, Any]], StreamCursor | None, bool]:
    """Read what a stream has got since.

    A page may be empty and yet not the last; the end is where the token stays the same, or what is being
    written just now.

    :param ask: Gives a page of the stream for a token and a start time; None when there is no stream (yet).
    :param cursor: Where the last read ended; None for the start. It is not changed.
    :param now: Seconds that only go up.
    :param today: Seconds since 1970.
    :param since: Only events from this time on, where there is no cursor.
    :return: The new events in their order, where to go on, and whether that was all for now.
    :raises Exception: what ``ask`` raised, unless something had been read by then.
    """
    moved = cursor.copy() if cursor else StreamCursor.begin(since, now)
    if moved.sweep_is_due(now):
        moved.begin_sweep(now, is_routine=moved.token is not None)
    events: list[Mapping[str, Any]] = []
    for number in range(MAX_PAGES):
        try:
            page = ask(moved.token, moved.start)
        except TokenRefusedError:
            moved.begin_sweep(now)
            continue
        except Exception:
            if not number:
                raise
            return _ended(events, moved, complete=False)
        if page is None:
            return events, moved if events else cursor, True
        new = moved.take(page, now)
        if new is None:
            continue
        events += new
        if moved.is_done(new, page, today):
            return _ended(events, moved, complete=True)
    return _ended(events, moved, complete=False)


def _ended(
    events: list[Mapping[str, Any]], cursor: StreamCursor, *, complete: bool
) -> tuple[list[Mapping[str, Any]], StreamCursor, bool]:
    cursor.end_look(complete=complete)
    # In order already where nothing came late, which costs next to nothing then.
    events.sort(key=itemgetter("timestamp"))
    return events, cursor, complete
