"""Asks AWS again, where asking twice does no harm."""

from __future__ import annotations

import random
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
