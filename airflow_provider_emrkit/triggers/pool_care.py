"""The trigger that looks at a pool until what a task waits for is so."""

from __future__ import annotations

import asyncio
import random
import sys
import threading
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit._compat import BaseTrigger, TriggerEvent
from airflow_provider_emrkit.compute.pool_mark import PoolPlace
from airflow_provider_emrkit.pools.watching import condition_from_dict, condition_to_dict
from airflow_provider_emrkit.triggers import settling

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from airflow_provider_emrkit.pools.watching import PoolWatch, Tick
    from airflow_provider_emrkit.triggers.poller import SharedPoller


class EmrPoolTrigger(BaseTrigger):
    """Looks at a pool until something is so, and ends what is to end when it has no work.

    Its event holds ``state`` (``done``, ``timeout`` or ``error``), ``message``, ``error`` (the name of its
    type) and ``report``, all plain JSON. Ending the task ends nothing: what was begun at the pool goes on.

    :param place: The pool: ``name``, ``team`` and ``uri``.
    :param condition: What is waited for, as
        :func:`~airflow_provider_emrkit.pools.watching.condition_to_dict` gives it.
    :param emrkit_conn_id: The ``emrkit`` connection.
    :param region_name: AWS region.
    :param poll_interval: Seconds between two looks.
    :param deadline: When the task's time is up, in seconds since 1970; None for never.
    :param report: What the task did before; comes back in the event.

    >>> EmrPoolTrigger(asdict(place), condition_to_dict(awaited), "emrkit_default")  # doctest: +SKIP
    """

    def __init__(
        self,
        place: Mapping[str, str],
        condition: Mapping[str, Any],
        emrkit_conn_id: str = "emrkit_default",
        region_name: str = "",
        poll_interval: float = 10.0,
        deadline: float | None = None,
        report: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call,unused-ignore]
        self.place = PoolPlace(place["name"], place["team"], place["uri"])
        self.condition = condition_from_dict(condition)
        self.emrkit_conn_id = sys.intern(emrkit_conn_id)
        self.region_name = sys.intern(region_name)
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.report = dict(report or {})
        self._gone = threading.Event()

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what Airflow makes the trigger from again. No secrets: 3.x stores it in plain text."""
        kwargs = {
            "place": asdict(self.place),
            "condition": condition_to_dict(self.condition),
            "emrkit_conn_id": self.emrkit_conn_id,
            "region_name": self.region_name,
            "poll_interval": self.poll_interval,
            "deadline": self.deadline,
            "report": self.report,
        }
        return "airflow_provider_emrkit.triggers.pool_care.EmrPoolTrigger", kwargs

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until it is so, or the time is up."""
        begun = settling.now()
        try:
            payload = await self._watch()
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self.log.exception("Watching pool %s failed", self.place.name)
            payload = self._payload("error", str(error), type(error).__name__)
        finally:
            self._gone.set()  # a thread that works for it waits no longer
        await settling.worker_has_ended(begun)
        yield TriggerEvent(payload)  # type: ignore[no-untyped-call,unused-ignore]

    async def _watch(self) -> dict[str, Any]:
        from airflow_provider_emrkit.triggers.poller import shared_poller

        poller = shared_poller(self.emrkit_conn_id, self.region_name)
        watch = await self._open(poller)
        while True:
            tick = await poller.in_context(poller.ends, watch.tick)
            self._tell(tick)
            if tick.done:
                return self._payload("done", tick.words)
            left = float("inf") if self.deadline is None else self.deadline - time.time()
            if left <= 0:
                return self._payload("timeout", tick.words)
            await asyncio.sleep(min(left, tick.delay * random.uniform(0.9, 1.1)))
            await self._renew(poller, watch, tick)

    async def _open(self, poller: SharedPoller) -> PoolWatch:
        from airflow_provider_emrkit.pools.care import PoolCare
        from airflow_provider_emrkit.pools.holder import new_holder
        from airflow_provider_emrkit.pools.watching import PoolWatch

        connected = await poller.connecting.connected(self.log)
        care = PoolCare(connected.aws, self.place, new_holder(), self._gone.wait)
        return PoolWatch(care, self.condition, self.poll_interval)

    async def _renew(self, poller: SharedPoller, watch: PoolWatch, tick: Tick) -> None:
        """Have the connection opened again where it may have changed."""
        from airflow_provider_emrkit.pools.care import PoolCare

        if tick.refused or poller.connected.is_old:
            await poller.connecting.renew(self.log, refused=tick.refused)
        if poller.connected.aws is not watch.care.clients:
            old = watch.care
            watch.care = PoolCare(poller.connected.aws, self.place, old.lease.holder, old.pause)

    def _tell(self, tick: Tick) -> None:
        for level, text in tick.lines:
            self.log.log(level, "%s", text)

    def _payload(self, state: str, message: str, error: str | None = None) -> dict[str, Any]:
        return {"state": state, "message": message, "error": error, "report": self.report}
