"""Waiting for an application, no longer than is sensible, and no longer than the task lives."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.applications.awaited import ApplicationNotYet, Awaited, mark_of
from airflow_provider_emrkit.exceptions import EmrKitError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from airflow_provider_emrkit.applications.awaited import LeftWaits

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 10.0
# Seconds between two lines that say what is waited for.
SAY_AGAIN = 300.0
# Seconds that a deferrable task waits on its worker before it leaves the wait to its trigger. An idle
# application stops, and one without workers that are kept ready starts, in less, and going there and back
# takes Airflow as long; a start that EMR refuses is asked for three times in it.
HERE = 5.0
# Seconds until a worker looks again where nothing need change that a trigger could see: EMR does not stop the
# application yet, though it shows no job runs of it.
UNSEEN = 60.0


class Waiting:
    """One wait; a context that is left when it has come to its end.

    :param pause: Waits some seconds; gives True when the wait was ended because the work is to stop.
    :param limit: Seconds in all.
    :param clock: Seconds that only go up.
    :param name: Which of the task's waits it is.
    :param left: The waits of a deferrable task, which leaves long ones to its trigger; None for one that
        waits on its worker.
    :ivar asked: How often EMR was asked for what is waited for, on other workers too.

    >>> with Waiting(stop.wait, limit=600.0) as waiting:  # doctest: +SKIP
    ...     while not is_done() and waiting.goes_on("application 00f1 is STARTING"): ...
    """

    def __init__(
        self,
        pause: Callable[[float], bool],
        limit: float,
        clock: Callable[[], float] = time.monotonic,
        *,
        name: str = "",
        left: LeftWaits | None = None,
    ) -> None:
        self._pause = pause
        self._limit = limit
        self._clock = clock
        self._name = name
        self._left = left
        self._before = left.seconds(name) if left else 0.0
        self.asked = left.asked(name) if left else 0
        self._began = clock()
        self._paused = 0.0
        self._next = FIRST_PAUSE
        self._said = float("-inf")

    def __enter__(self) -> Waiting:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self._left:
            self._left.end(self._name)

    @property
    def seconds(self) -> float:
        """How long it has waited, on other workers and in the triggerer too."""
        return self._before + self._here

    @property
    def _here(self) -> float:
        return max(self._clock() - self._began, self._paused)

    def is_time_to_say(self) -> bool:
        """Tell whether a line about the wait is due: at its start, and then from time to time."""
        due = self.seconds - self._said >= SAY_AGAIN
        if due:
            self._said = self.seconds
        return due

    def came_to(self, state: str) -> str:
        """Give the state that the trigger has seen after the wait was left in this one; empty for none."""
        return self._left.came_to(self._name, state) if self._left else ""

    def task_is_stopped(self) -> bool:
        """Tell whether Airflow stops the task, however that has ended the wait."""
        return self._pause(0.0)

    def goes_on(self, what: str, seen: Mapping[str, Any] | None = None, *, busy: bool = False) -> bool:
        """Pause; gives False, without a pause, when the time is up.

        :param what: What is waited for, in the error.
        :param seen: The application that has to change, as it was described; None for a wait that is not
            left to a trigger, as it is short.
        :param busy: Whether the end of its job runs is waited for, too.
        :raises EmrKitError: when the work is to stop.
        :raises ApplicationNotYet: when a deferrable task is to wait in the triggerer.
        """
        seconds = min(self._next, self._limit - self.seconds)
        if seconds <= 0:
            return False
        is_long = self._left is not None and seen is not None and self._here + seconds > HERE
        if self._pause(0.0 if is_long else seconds):
            raise EmrKitError(f"Airflow stopped the task while it waited: {what}")
        if is_long and self._left and seen:
            raise ApplicationNotYet(self._awaited(what, self._left, seen, busy=busy))
        self._paused += seconds
        self._next = min(self._next * 1.5, LONGEST_PAUSE)
        return True

    def _awaited(self, what: str, left: LeftWaits, seen: Mapping[str, Any], *, busy: bool) -> Awaited:
        now, rest = time.time(), self._limit - self.seconds
        if seen["state"] == "STARTED" and not busy:
            rest = min(rest, UNSEEN)
        return Awaited(
            application_id=seen["applicationId"],
            wait=self._name,
            state=seen["state"],
            mark=mark_of(seen),
            busy=busy,
            what=what,
            until=now + rest,
            since={**left.since, self._name: now - self.seconds},
            deadline=left.deadline,
            asked=self.asked,
        )
