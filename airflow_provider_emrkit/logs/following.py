"""Follows log sources until something else ends, or until they fall silent; knows nothing of Airflow."""

from __future__ import annotations

import random
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.hooks.errors import error_code, is_throttled, is_transient
from airflow_provider_emrkit.hooks.patience import MAX_FAULTS, Trouble
from airflow_provider_emrkit.logs.reading import StreamCursor
from airflow_provider_emrkit.logs.tail import LogCursor, LogTail

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping, Sequence

    from airflow_provider_emrkit.logs.sources import LogLine, LogSources


@dataclass
class Following:
    """CloudWatch streams that are read on and on. Not thread-safe; ``look`` blocks while AWS answers.

    :param sources: The streams.
    :param until: Tells whether what writes to them has ended; None for nobody knows.
    :param drain: Seconds of silence to wait for then, since lines come a little late.
    :param max_drain: Seconds after which they are not waited for any more.
    :param poll_interval: Seconds between two looks.
    :param cursor: Where to start, as plain JSON; :meth:`keep_place` writes there how far one has come.
    :param clock: Seconds that only go up.
    :param jitter: A random number from 0 to 1.

    >>> following = Following(sources, until=lambda: True)  # doctest: +SKIP
    >>> while not following.is_over:  # doctest: +SKIP
    ...     lines = following.look()
    """

    sources: LogSources
    until: Callable[[], bool] | None = None
    drain: float = 5.0
    max_drain: float = 30.0
    poll_interval: float = 2.0
    cursor: MutableMapping[str, Any] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random
    is_over: bool = False
    delay: float = 0.0
    _notes: list[str] = field(default_factory=list)
    _told: str | None = None
    _refusal: Exception | None = None
    _faults: int = 0
    _ended: float | None = None
    _last_line: float = 0.0

    def __post_init__(self) -> None:
        positions = {name: StreamCursor.from_dict(place) for name, place in self.cursor.items()}
        self._tail = LogTail(self.sources, sys.maxsize, LogCursor(positions))
        self._trouble = Trouble(self.jitter)
        self._last_line = self.clock()

    def look(self) -> Sequence[LogLine]:
        """Read what is new, ordered by time; sets ``is_over``, and ``delay`` until the next look.

        :raises Exception: what AWS raised, when that does not pass; after what could be read was given.
        """
        if self._refusal is not None:
            raise self._refusal
        if self._ended is None and self.until is not None and self.until():
            self._ended = self.clock()  # before reading: what it wrote until now is read after this
        try:
            new = self._tail.read()
        except Exception as error:
            self._fail(error)
            return ()
        if new.lines or self._trouble.streak:
            # There may have been lines, too, where nobody could see them.
            self._last_line = self.clock()
        if new.errors:
            self._fail(new.errors[0])
            return new.lines
        self._trouble.end()
        self._faults = 0
        self.is_over = new.complete and self._is_silent()
        self.delay = self.poll_interval if new.complete and not self.is_over else 0.0
        return new.lines

    def take_notes(self) -> Sequence[str]:
        """Give, once, what there is to tell about the streams themselves."""
        notes, self._notes = self._notes, []
        if self.sources.note and self.sources.note != self._told:
            self._told = self.sources.note
            notes.append(self._told)
        return notes

    def keep_place(self) -> None:
        """Write to ``cursor`` how far the lines go that were given."""
        self.cursor.update((name, place.to_dict()) for name, place in self._tail.cursor.positions.items())

    def _is_silent(self) -> bool:
        now = self.clock()
        if self.until is None:
            return now - self._last_line >= self.drain
        if self._ended is None:
            return False
        silent = now - max(self._ended, self._last_line)
        return silent >= self.drain or now - self._ended >= self.max_drain

    def _fail(self, error: Exception) -> None:
        """Back off from what passes; whatever else goes wrong is raised by the next look."""
        self._faults += not is_throttled(error)
        self.delay = self._trouble.delay(self.poll_interval)
        if not is_transient(error) or self._faults >= MAX_FAULTS:
            self._refusal, self.delay = error, 0.0
        elif self._trouble.streak == 1:
            code = error_code(error) or type(error).__name__
            self._notes.append(f"The logs could not be read ({code}); trying again.")
