"""The trigger of a job that waits for room in a pool: has it placed, and then watches it like any other."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit._compat import push_xcom
from airflow_provider_emrkit.pools.outcomes import Placed, Refused
from airflow_provider_emrkit.pools.words import CHANGED, WaitingNews, busy_message
from airflow_provider_emrkit.triggers.job_run import FIRST_START, EmrJobRunTrigger

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_emrkit.pools.order import PoolOrder
    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.states import RunStatus
    from airflow_provider_emrkit.triggers.pool_desk import PoolDesk, WaitingOrder

# Seconds that a run that has ended is held back until Airflow has taken its ids and links.
ANNOUNCED = 10.0


class EmrPooledRunTrigger(EmrJobRunTrigger):
    """Waits for room in a pool, places the job there, and watches it until it ends.

    Its event is that of :class:`~airflow_provider_emrkit.triggers.job_run.EmrJobRunTrigger`, with
    ``announced``: whether Airflow has the run's ids and links. Where the job was not placed its ``run`` has
    no ids, and ``state`` is ``busy`` (no room within the pool's ``wait_timeout``), ``refused``, ``timeout``
    or ``error``.

    :param run: ``JobRun.to_dict()`` of what is to be, without ids of cluster and step.
    :param order_uri: Where the order is on S3.
    :param wait_until: When the job's time to wait is up, in seconds since 1970.
    :param waits_since: Since when it waits.
    :param rest: As for ``EmrJobRunTrigger``.

    >>> trigger = EmrPooledRunTrigger(run.to_dict(), "s3://my-bucket/emrkit/…")  # doctest: +SKIP
    """

    _waiting: WaitingOrder | None = None
    _is_found = False
    _is_announced = False

    def __init__(
        self,
        run: Mapping[str, Any],
        order_uri: str = "",
        wait_until: float | None = None,
        waits_since: float = 0.0,
        **rest: Any,
    ) -> None:
        super().__init__(run, **rest)
        self.order_uri = order_uri
        self.wait_until = wait_until
        self.waits_since = waits_since
        self._to_be = self.job_run

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what Airflow makes the trigger from again, which does not know of the placed run."""
        _, kwargs = super().serialize()
        own = {"order_uri": self.order_uri, "wait_until": self.wait_until, "waits_since": self.waits_since}
        kwargs |= {"run": self._to_be.to_dict(), **own}
        return "airflow_provider_emrkit.triggers.pooled.EmrPooledRunTrigger", kwargs

    async def _to_the_end(self) -> dict[str, Any]:
        if not self._is_placed:
            unplaced = await self._place()
            if unplaced is not None:
                return unplaced
        announcing = asyncio.ensure_future(self._announce())
        payload = await super()._to_the_end()
        # Airflow may take long to answer; who waits for the job's log and its end does not wait for that.
        await asyncio.wait({announcing}, timeout=ANNOUNCED)
        return {**payload, "announced": self._is_announced}

    @property
    def _is_placed(self) -> bool:
        return bool(self.job_run.step_id)

    def _may_be_again(self) -> bool:
        return self._is_found

    def _may_have_been_placed(self) -> bool:
        """Tell whether another start of this trigger may have placed the job; see there for what is not sure.

        What such a start is about to do, or has just done, is in the pool's record besides.
        """
        return self.deferred_at is None or time.time() - self.deferred_at > FIRST_START

    async def _place(self) -> dict[str, Any] | None:
        """Have the job placed; gives the event when that is not to be."""
        desk, order = await self._at_the_desk()
        if self._may_have_been_placed():
            self._take(await desk.find(order), found=True)
        if self._is_placed:
            return None
        with self._waits_at(desk, order) as waiting:
            await self._wait(desk, waiting)
        return await self._settled(desk, waiting)

    async def _at_the_desk(self) -> tuple[PoolDesk, PoolOrder]:
        from airflow_provider_emrkit.pools.ordering import read_order
        from airflow_provider_emrkit.triggers.pool_desk import pool_desk

        poller = await self._connect()
        if self._waiting is not None:
            return pool_desk(poller, self._waiting.order.place), self._waiting.order
        read = partial(read_order, poller.connected.aws.client("s3"), self.order_uri)
        order = await poller.in_context(poller.log_reads, read)
        return pool_desk(poller, order.place), order

    @contextmanager
    def _waits_at(self, desk: PoolDesk, order: PoolOrder) -> Iterator[WaitingOrder]:
        waiting = self._waiting = desk.join(order)
        try:
            yield waiting
        finally:
            desk.leave(waiting)

    async def _wait(self, desk: PoolDesk, waiting: WaitingOrder) -> None:
        """Wait until the job is placed or refused, or its time is up."""
        news = WaitingNews(self.job_run.pool)
        while not waiting.is_settled:
            if waiting.renews:
                waiting.renews = False
                await (await self._connect()).renew(self.log)
            line = news.news(waiting.words, time.time()) if waiting.words else None
            if line:
                self.log.info("%s", line)
            left = self._seconds_left(waiting)
            if left <= 0:
                await desk.withdraw(waiting)
                return
            await waiting.wait(min(left, CHANGED))

    def _seconds_left(self, waiting: WaitingOrder) -> float:
        # One round there is in any case, also where no triggerer was there all the time.
        wait_until = None if waiting.outcome is None else self.wait_until
        ends = [when for when in (wait_until, self.deadline) if when is not None]
        return min(ends, default=float("inf")) - time.time()

    async def _settled(self, desk: PoolDesk, waiting: WaitingOrder) -> dict[str, Any] | None:
        """Take what came of waiting; gives the event when the job was not placed."""
        if waiting.error is not None:
            raise waiting.error
        outcome = waiting.outcome
        if isinstance(outcome, Refused):
            error = outcome.error
            return {**self._payload("refused", message=str(error)), "error": type(error).__name__}
        await self._take_outcome(desk, waiting)
        if self._is_placed:
            return None
        if self.deadline is not None and time.time() >= self.deadline:
            message = f"the job waited for room in pool {self.job_run.pool}: {waiting.words}"
            return {**self._payload("timeout", message=message), "limit": "execution_timeout"}
        waited = time.time() - self.waits_since
        return self._payload("busy", message=busy_message(self.job_run.pool, waited, waiting.words))

    async def _take_outcome(self, desk: PoolDesk, waiting: WaitingOrder) -> None:
        if isinstance(waiting.outcome, Placed):
            self._take(waiting.outcome.run)
        else:
            # A request of the last round may have been carried out without an answer.
            self._take(await desk.find(waiting.order), found=True)

    def _take(self, run: JobRun | None, *, found: bool = False) -> None:
        if run is None:
            return
        self._is_found, self._waiting = found, None
        self.job_run = replace(
            run,
            pool=self._to_be.pool,
            driver_apart=self._to_be.driver_apart,
            executor_logs=self._to_be.executor_logs,
            log_streams=self._to_be.log_streams,
        )

    async def _announce(self) -> None:
        """Show the run in Airflow while it goes on; where that does not work, the worker does it later."""
        from asgiref.sync import sync_to_async

        from airflow_provider_emrkit.links import PLACED, announce, console_links

        run = self.job_run
        told = "Found in pool %s: step %s on cluster %s (%s)" if self._is_found else PLACED
        self.log.info(told, run.pool, run.step_id, run.cluster_id, run.region)
        on_aws = (await self._connect()).connected.on_aws
        links = console_links(run, on_aws=on_aws, task_instance=self.task_instance)
        if "cluster" in links:
            self.log.info("Console: %s", links["cluster"])
        if self.task_instance is None:
            return
        try:
            await sync_to_async(announce)(run, links, partial(push_xcom, self.task_instance))
        except Exception as error:
            self.log.warning("Airflow did not take the ids and links of %s yet: %s", run, error)
        else:
            self._is_announced = True

    def _left(self) -> str:
        return super()._left() if self._is_placed else f"{self.job_run} waits no more"

    async def _end(self) -> str:
        """End the run, where it was placed or is being placed; else have it placed no more."""
        if not self._is_placed:
            try:
                await self._look_once_more()
            except Exception as error:
                self.log.exception("It is not known whether %s was placed", self.job_run)
                return f"it is not known whether {self.job_run} was placed: {error}"
        return (
            await super()._end() if self._is_placed else f"{self.job_run} was not placed, and waits no more"
        )

    async def _look_once_more(self) -> None:
        """Find out whether the job was placed after all, after the round that is under way."""
        desk, order = await self._at_the_desk()
        if self._waiting is None:
            self._take(await desk.find(order), found=True)
        else:
            await desk.withdraw(self._waiting)
            await self._take_outcome(desk, self._waiting)

    def _payload(self, state: str, status: RunStatus | None = None, message: str = "") -> dict[str, Any]:
        return {**super()._payload(state, status, message), "announced": self._is_announced}
