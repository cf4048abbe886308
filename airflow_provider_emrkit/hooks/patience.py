"""Asks AWS again, where asking twice does no harm, and less often while it fails."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_emrkit.hooks.errors import is_throttled, is_transient

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")

# Seconds between the attempts to ask what has to be known, while AWS throttles or can't be reached, some
# minutes in all: EMR takes such a call in two seconds, and all retries of a DAG may ask at once.
ASK_PAUSES = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 60.0, 60.0, 60.0)
# Attempts that may fail for other reasons: an address that nobody answers at does not get better.
MAX_FAULTS = 5
# Seconds of the longest pause after calls that failed.
MAX_BACKOFF = 60.0


@dataclass
class Trouble:
    """A streak of calls that failed for reasons that pass: backed off with jitter.

    :param jitter: A random number from 0 to 1.

    >>> Trouble(lambda: 1.0).delay(10.0)
    20.0
    """

    jitter: Callable[[], float] = random.random
    streak: int = 0

    def delay(self, pause: float) -> float:
        """Give the seconds to wait after another failure.

        :param pause: The seconds where all is well.
        """
        self.streak += 1
        longest: float = min(MAX_BACKOFF, pause * 2 ** min(self.streak, 16))
        return pause + self.jitter() * max(0.0, longest - pause)

    def end(self) -> None:
        """Note that a call went well."""
        self.streak = 0


def patiently(
    ask: Callable[[], T],
    pause: Callable[[float], bool],
    pauses: Sequence[float] = ASK_PAUSES,
    faults: int = MAX_FAULTS,
) -> T:
    """Ask AWS again while it throttles or can't be reached; only for calls that may be made twice.

    :param pause: Waits some seconds; gives True when the wait was ended because the work is to stop.
    :param pauses: Seconds between the attempts.
    :param faults: Attempts that may fail for another reason than throttling.
    """
    try:
        return ask()
    except Exception as error:
        faults -= not is_throttled(error)
        given_up = not pauses or not faults or not is_transient(error)
        if given_up or pause(pauses[0] * random.uniform(0.5, 1.5)):
            raise
    return patiently(ask, pause, pauses[1:], faults)
