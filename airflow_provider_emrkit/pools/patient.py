"""EMR, asked under a lease: again where it throttles, and never for longer than the lease lasts."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.hooks.patience import patiently
from airflow_provider_emrkit.pools.acts import keep

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emrkit.pools.lease import HeldLease

# Seconds between the attempts of a call: whoever asks holds the lease, for which others wait.
PAUSES = (1.0, 2.0, 4.0)


class PatientEmr:
    """The calls that look at a pool. For the threads of one look at a time.

    :param emr: boto3 client of EMR that does not retry.
    :param held: The lease, which is renewed while EMR is slow to answer.
    :param pause: Waits some seconds; gives True when the work is to stop.

    >>> look(PatientEmr(emr, held, stop.wait), place, steps_enough=2)  # doctest: +SKIP
    """

    def __init__(self, emr: Any, held: HeldLease, pause: Callable[[float], bool]) -> None:
        self._emr = emr
        self._held = held
        self._pause = pause
        self._renewing = threading.Lock()

    def list_clusters(self, **request: Any) -> Any:
        """List clusters."""
        return self._ask(partial(self._emr.list_clusters, **request))

    def list_steps(self, **request: Any) -> Any:
        """List steps of a cluster."""
        return self._ask(partial(self._emr.list_steps, **request))

    def _ask(self, ask: Callable[[], Any]) -> Any:
        return patiently(partial(self._while_held, ask), self._pause, PAUSES)

    def _while_held(self, ask: Callable[[], Any]) -> Any:
        # A lease is for one thread at a time; those that do not get to renew it only read.
        if self._renewing.acquire(blocking=False):
            try:
                keep(self._held)
            finally:
                self._renewing.release()
        return ask()
