"""The trigger that waits until an application is not any more as a task has left it."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit._compat import BaseTrigger, TriggerEvent
from airflow_provider_emrkit.applications.awaited import Awaited
from airflow_provider_emrkit.triggers import settling

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from airflow_provider_emrkit.triggers.application_looks import ApplicationLooks, Look

# Seconds in which the triggers of one application come together before it is looked at first.
GATHER = 1.0
# Seconds between two looks, which grow; where job runs are waited for, a look is dearer.
FIRST_PAUSE = 2.0
PAUSE_GROWTH = 1.5
LONGEST_PAUSE = 10.0
LONGEST_BUSY_PAUSE = 15.0
# Seconds between two lines that say what is waited for.
SAY_AGAIN = 300.0
# Looks in a row that fail before the log tells.
TOLD_AFTER = 3


class EmrApplicationTrigger(BaseTrigger):
    """Looks at an application until it has changed, or the time is up. It changes nothing.

    Its event holds ``state`` (``changed``, ``up`` for the end of the wait's time, ``timeout`` for the end of
    the task's, or ``error``), ``awaited``, ``seen`` (the application's state), ``message`` and ``error`` (the
    name of its type), all plain JSON. The task looks again then, and does what is to be done, so that nothing
    is left to be undone when a user ends the task meanwhile.

    :param awaited: What is waited for, as :class:`~airflow_provider_emrkit.applications.awaited.Awaited`
        gives it.
    :param emrkit_conn_id: The ``emrkit`` connection.
    :param region_name: AWS region.

    >>> EmrApplicationTrigger(awaited.to_dict(), "emrkit_default", "us-east-1")  # doctest: +SKIP
    """

    def __init__(
        self,
        awaited: Mapping[str, Any],
        emrkit_conn_id: str = "emrkit_default",
        region_name: str = "",
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call,unused-ignore]
        self.awaited = Awaited.from_dict(awaited)
        self.emrkit_conn_id = sys.intern(emrkit_conn_id)
        self.region_name = sys.intern(region_name)
        self._seen = self.awaited.state

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what Airflow makes the trigger from again. No secrets: 3.x stores it in plain text."""
        kwargs = {
            "awaited": self.awaited.to_dict(),
            "emrkit_conn_id": self.emrkit_conn_id,
            "region_name": self.region_name,
        }
        return "airflow_provider_emrkit.triggers.application.EmrApplicationTrigger", kwargs

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until it has changed, or the time is up."""
        begun = settling.now()
        try:
            payload = self._payload(await self._watch())
        except Exception as error:
            # The task has to wake up whatever happens here.
            self.log.exception("Watching application %s failed", self.awaited.application_id)
            payload = {**self._payload("error", str(error)), "error": type(error).__name__}
        await settling.worker_has_ended(begun)
        yield TriggerEvent(payload)  # type: ignore[no-untyped-call,unused-ignore]

    async def _watch(self) -> str:
        """Give the state of the event."""
        from airflow_provider_emrkit.triggers.application_looks import application_looks
        from airflow_provider_emrkit.triggers.poller import shared_poller

        poller = shared_poller(self.emrkit_conn_id, self.region_name)
        await poller.connecting.connected(self.log)
        deadline = float("inf") if self.awaited.deadline is None else self.awaited.deadline
        rhythm = _Rhythm(application_looks(poller), self.awaited, self.log)
        while True:
            rhythm.say()
            left = min(self.awaited.until, deadline) - time.time()
            look = await rhythm.look(left)
            if look is not None:
                self._seen = look.application["state"] if look.application else "TERMINATED"
                if self.awaited.has_passed(look.application, has_runs=look.has_runs):
                    return "changed"
            if rhythm.is_last:
                return "up" if time.time() < deadline else "timeout"

    def _payload(self, state: str, message: str = "") -> dict[str, Any]:
        return {
            "state": state,
            "awaited": self.awaited.to_dict(),
            "seen": self._seen,
            "message": message or self.awaited.what,
            "error": None,
        }


class _Rhythm:
    """When to look, and what a look that fails means."""

    def __init__(self, looks: ApplicationLooks, awaited: Awaited, log: Any) -> None:
        from airflow_provider_emrkit.hooks.patience import Trouble
        from airflow_provider_emrkit.runs.tolerance import Tolerance

        self.is_last = False
        self._looks = looks
        self._awaited = awaited
        self._log = log
        self._trouble = Trouble()
        self._tolerance = Tolerance()
        self._pause = random.uniform(0.0, GATHER)
        self._next = FIRST_PAUSE
        self._said = float("-inf")

    def say(self) -> None:
        """Write what is waited for, at the start and then from time to time."""
        now = self._looks.loop.time()
        if now - self._said >= SAY_AGAIN:
            self._said = now
            self._log.info("Waiting in the triggerer: %s", self._awaited.what)

    async def look(self, left: float) -> Look | None:
        """Look when it is time to; None for a failure that may pass.

        :param left: Seconds until the last look.
        :raises EmrKitError: when AWS refuses for good.
        """
        self.is_last = left <= self._pause
        await asyncio.sleep(max(0.0, min(left, self._pause)))
        try:
            await self._looks.renew(self._log)
            look = await self._looks.look(self._awaited.application_id, with_runs=self._awaited.busy)
        except Exception as error:
            self._pause = await self._after(error)
            return None
        self._trouble.end()
        self._tolerance.end()
        self._pause = self._next * random.uniform(0.8, 1.2)
        longest = LONGEST_BUSY_PAUSE if self._awaited.busy else LONGEST_PAUSE
        self._next = min(self._next * PAUSE_GROWTH, longest)
        return look

    async def _after(self, error: Exception) -> float:
        """Give the seconds until the next look after one that failed."""
        from airflow_provider_emrkit.hooks.errors import error_code, is_denied, is_transient

        said = error.__cause__ or error
        if is_transient(said):
            delay = self._trouble.delay(self._next)
            if self._trouble.streak == TOLD_AFTER:
                code = error_code(said) or type(said).__name__
                text = "EMR did not answer (%s); asking again more slowly."
                self._log.warning(text, code)
            return delay
        pause = self._tolerance.pause(said, 0.0)
        if pause is None:
            raise error
        if is_denied(said):
            await self._looks.renew(self._log, refused=True)
        return pause
