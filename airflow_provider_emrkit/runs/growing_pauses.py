"""Pauses between the looks whether something that was told to end has ended."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Seconds until the first look; each pause is longer than the one before.
FIRST_PAUSE = 0.5
PAUSE_GROWTH = 1.5
LONGEST_PAUSE = 5.0
# Part of the patience after which something is ended by force.
GENTLE_PART = 1 / 3


class GrowingPauses:
    """Pauses that grow, for as long as somebody has patience.

    :param pause: Waits some seconds.
    :param clock: Seconds that only go up.
    :param patience: Seconds.
    :param jitter: A random number from 0 to 1: those who were throttled together don't come back together.

    >>> GrowingPauses(threading.Event().wait, time.monotonic, patience=20.0).goes_on()  # doctest: +SKIP
    True
    """

    def __init__(
        self,
        pause: Callable[[float], object],
        clock: Callable[[], float],
        patience: float,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._pause = pause
        self._clock = clock
        self._jitter = jitter
        self._patience = patience
        self._began = clock()
        self._paused = 0.0
        self._next = FIRST_PAUSE

    @property
    def gentle(self) -> bool:
        """Whether it is too early for force."""
        return self._passed() < self._patience * GENTLE_PART

    def goes_on(self) -> bool:
        """Pause; gives False, without a pause, when the patience is over."""
        passed = self._passed()
        if passed >= self._patience:
            return False
        # The moment for force is not slept through, and the last look is at the end.
        until = self._patience * GENTLE_PART if self.gentle else self._patience
        seconds = min(self._next * (0.8 + 0.4 * self._jitter()), until - passed)
        self._next = min(self._next * PAUSE_GROWTH, LONGEST_PAUSE)
        self._pause(seconds)
        self._paused += seconds
        return True

    def _passed(self) -> float:
        return max(self._clock() - self._began, self._paused)
