"""What a shared poller needs of a connection, asked for by the triggers that it serves."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit._compat import AirflowNotFoundException
from airflow_provider_emrkit.exceptions import EmrKitError
from airflow_provider_emrkit.hooks.clients import MAX_AGE, renew_clients
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from airflow_provider_emrkit.events.queue import EventQueue
    from airflow_provider_emrkit.hooks.clients import AwsClients
    from airflow_provider_emrkit.hooks.quotas import Quotas
    from airflow_provider_emrkit.runs.protocol import Runs

# Seconds for which a connection is asked for that Airflow, its secrets backend or STS does not give just now:
# a triggerer that starts while one of them has trouble must not end the jobs it takes over.
PATIENCE = 300.0
PAUSES = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0)


@dataclass(frozen=True)
class Connected:
    """A connection, made use of.

    :param runs: The jobs of its account and region.
    :param quotas: What calls are held to.
    :param queue: Where state changes are told at once, if there is such a queue.
    :param on_aws: Whether EMR is AWS's own, so that the AWS console shows what there is.
    :param at: When it was asked for, in monotonic seconds.
    :param clients: Its AWS clients.
    """

    runs: Runs
    quotas: Quotas
    queue: EventQueue | None = None
    on_aws: bool = True
    at: float = field(default_factory=time.monotonic)
    clients: AwsClients | None = None

    @property
    def aws(self) -> AwsClients:
        """Its AWS clients, which it was opened with."""
        if self.clients is None:
            raise RuntimeError("the connection has no clients")
        return self.clients

    @property
    def is_old(self) -> bool:
        """Whether it is time to look whether the connection was changed."""
        return time.monotonic() - self.at > MAX_AGE


def connect(emrkit_conn_id: str, region_name: str) -> Connected:
    """Open a connection; asks Airflow for it, so it blocks."""
    from airflow_provider_emrkit.hooks.emrkit import EmrKitHook
    from airflow_provider_emrkit.runs.opening import open_runs

    hook = EmrKitHook(emrkit_conn_id, region_name)
    clients = hook.clients
    on_aws = not clients.has_own_endpoint
    return Connected(open_runs(hook), clients.quotas, _queue(hook), on_aws, clients=clients)


def _queue(hook: Any) -> EventQueue | None:
    if not hook.settings.events_queue_url:
        return None
    from airflow_provider_emrkit.events.queue import EventQueue

    return EventQueue(hook.clients.client("sqs"), hook.settings.events_queue_url)


class Connecting:
    """Opens one connection for all triggers that use it, once, and again when it may have changed.

    Airflow's connections can't be asked for from any thread or task, but from a trigger's own coroutine.

    :param emrkit_conn_id: The ``emrkit`` connection.
    :param region_name: AWS region.

    >>> connected = await Connecting("emrkit_default", "us-east-1").connected(self.log)  # doctest: +SKIP
    """

    def __init__(self, emrkit_conn_id: str, region_name: str) -> None:
        self.emrkit_conn_id = emrkit_conn_id
        self.region_name = region_name
        self.now: Connected | None = None
        self._lock = asyncio.Lock()

    async def connected(self, log: Any) -> Connected:
        """Give the connection; the first trigger opens it, the others wait for that one.

        :param log: The trigger's log.
        :raises Exception: what Airflow raised, when the connection is not there or can't be right, or when
            it could not be asked for during :data:`PATIENCE` seconds.
        """
        async with self._lock:
            if self.now is None:
                self.now = await self._patiently(log)
            return self.now

    async def renew(self, log: Any, *, refused: bool = False) -> None:
        """Open the connection again, since it may have changed; the old one stays when that does not work.

        :param refused: Whether AWS refuses the credentials, so that none must be kept.
        """
        async with self._lock:
            if refused:
                renew_clients(self.emrkit_conn_id, self.region_name)
            try:
                self.now = await self._open()
            except Exception as error:
                log.warning("Connection %s could not be read again: %s", self.emrkit_conn_id, error)

    async def _patiently(self, log: Any) -> Connected:
        until, attempt = time.monotonic() + PATIENCE, 0
        while True:
            try:
                return await self._open()
            except (EmrKitError, InvalidValueError, AirflowNotFoundException):
                raise
            except Exception as error:
                if time.monotonic() > until:
                    raise
                if not attempt:
                    text = "Connection %s could not be read (%s: %s); the job goes on, trying again."
                    log.warning(text, self.emrkit_conn_id, type(error).__name__, error)
            pause = PAUSES[min(attempt, len(PAUSES) - 1)]
            attempt += 1
            await asyncio.sleep(pause * random.uniform(0.75, 1.25))

    async def _open(self) -> Connected:
        from asgiref.sync import sync_to_async

        return await sync_to_async(connect)(self.emrkit_conn_id, self.region_name)
