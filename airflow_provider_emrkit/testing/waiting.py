"""Waiting for a state of the local EMR."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

_POLL = 0.2


def wait_for_state(
    describe: Callable[[], dict[str, Any]], states: Collection[str], timeout: float, what: str
) -> dict[str, Any]:
    """Ask until something is in one of some states, and give the answer.

    :param describe: Gives an answer with EMR's ``Status``.
    :param timeout: Seconds.
    :param what: What is waited for, for the message.
    :raises TimeoutError: when it is in none of them after ``timeout``.

    >>> wait_for_state(lambda: {"Status": {"State": "WAITING"}}, {"WAITING"}, 1, "the cluster")
    {'Status': {'State': 'WAITING'}}
    """
    deadline, pause = time.monotonic() + timeout, threading.Event()
    while (found := describe())["Status"]["State"] not in states:
        if time.monotonic() >= deadline:
            raise TimeoutError(f"{what} is {found['Status']['State']} after {timeout:g} s")
        pause.wait(_POLL)
    return found
