"""How much time has passed, also for a machine that was asleep meanwhile."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class SleeplessClock:
    """Seconds since it was made: never fewer than have passed between two looks. Thread-safe.

    The monotonic clock stands still while a machine is suspended, as a laptop or a paused virtual machine is;
    the clock on the wall goes on, but may be put back. Of both, what has gone on by more since the last look
    counts. So it may be fast, when somebody puts the clock forward, and is never slow.

    :param clocks: What to go by.

    >>> clock = SleeplessClock()
    >>> clock() <= clock()
    True
    """

    def __init__(self, clocks: Sequence[Callable[[], float]] = (time.monotonic, time.time)) -> None:
        self._clocks = clocks
        self._lock = threading.Lock()
        self._seen = [clock() for clock in clocks]
        self._passed = 0.0

    def __call__(self) -> float:
        """Give the seconds."""
        with self._lock:
            seen = [clock() for clock in self._clocks]
            # Not less than nothing, even if all of them are put back.
            self._passed += max(0.0, *(new - old for new, old in zip(seen, self._seen, strict=True)))
            self._seen = seen
            return self._passed


elapsed = SleeplessClock()
"""This process's."""
