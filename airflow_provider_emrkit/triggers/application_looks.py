"""Looks at applications that the triggers of this process share: many tasks may wait for the same one."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.applications.calls import ApplicationCalls
from airflow_provider_emrkit.runs.tolerance import REFUSAL_PAUSE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_emrkit.hooks.clients import AwsClients
    from airflow_provider_emrkit.triggers.poller import SharedPoller

# Seconds for which an answer serves everybody who asks. EMR lets an account list job runs once a second.
FRESH = 2.0
FRESH_WITH_RUNS = 5.0
# Seconds until the connection is opened again for another trigger.
RENEWAL_PAUSE = 60.0


@dataclass(frozen=True)
class Look:
    """What was seen.

    :param application: GetApplication's ``application``; None for one that is gone.
    :param has_runs: Whether it has job runs that have not ended; False where that was not asked.
    """

    application: Mapping[str, Any] | None
    has_runs: bool = False


class ApplicationLooks:
    """Looks at applications through one connection, once for all that ask about the same time.

    :param poller: Has the connection and the threads.

    >>> looks = application_looks(poller)  # doctest: +SKIP
    >>> (await looks.look("00f1abcdefgh2i0j", with_runs=False)).application["state"]  # doctest: +SKIP
    'STARTING'
    """

    def __init__(self, poller: SharedPoller) -> None:
        self.loop = poller.loop
        self._poller = poller
        self._looks: dict[tuple[str, bool], tuple[float, asyncio.Future[Look]]] = {}
        self._renewed_at = float("-inf")

    async def look(self, application_id: str, *, with_runs: bool) -> Look:
        """Look at an application now, or take what another trigger has just seen.

        :param with_runs: Whether to ask for its job runs, too.
        :raises EmrKitError: what AWS refused, which is its cause; nothing is asked twice here.
        """
        now, key = self.loop.time(), (application_id, with_runs)
        self._looks = {
            which: (began, answer)
            for which, (began, answer) in self._looks.items()
            if not answer.done() or now - began < (FRESH_WITH_RUNS if which[1] else FRESH)
        }
        if key not in self._looks:
            ask = partial(_look, self._poller.connected.aws, application_id, with_runs=with_runs)
            self._looks[key] = now, self.loop.run_in_executor(self._poller.ends, ask)
        return await asyncio.shield(self._looks[key][1])

    async def renew(self, log: Any, *, refused: bool = False) -> None:
        """Open the connection again, when it is time to or AWS refuses the credentials; once for all.

        :param log: The trigger's log.
        """
        now = self.loop.time()
        due = refused or self._poller.connected.is_old
        if due and now - self._renewed_at > (REFUSAL_PAUSE / 2 if refused else RENEWAL_PAUSE):
            self._renewed_at = now
            await self._poller.connecting.renew(log, refused=refused)


def _look(clients: AwsClients, application_id: str, *, with_runs: bool) -> Look:
    calls = ApplicationCalls(clients, lambda _: True)  # who asks here asks again by itself
    application = calls.find(application_id)
    is_up = application is not None and application["state"] == "STARTED"
    return Look(application, with_runs and is_up and calls.has_active_runs(application_id))


_all: dict[tuple[str, str], ApplicationLooks] = {}
_lock = threading.Lock()


def application_looks(poller: SharedPoller) -> ApplicationLooks:
    """Give the looks of a connection in the running event loop.

    :param poller: Has the connection.
    """
    key = (poller.connecting.emrkit_conn_id, poller.connecting.region_name)
    with _lock:
        looks = _all.get(key)
        if looks is None or looks.loop is not poller.loop:
            looks = _all[key] = ApplicationLooks(poller)
        return looks
