"""Opens a pool as a DAG defines it, with an Airflow connection."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from airflow_provider_emrkit.hooks.emrkit import EmrKitHook
from airflow_provider_emrkit.pools.care import PoolCare
from airflow_provider_emrkit.pools.holder import new_holder
from airflow_provider_emrkit.pools.pool_setup import PoolSetup
from airflow_provider_emrkit.runs.step_compiling import StepCompiling

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emrkit.compute.pool import ClusterPool


def open_pool(
    pool: ClusterPool, emrkit_conn_id: str, pause: Callable[[float], bool] | None = None
) -> tuple[PoolCare, PoolSetup]:
    """Give what changes a pool, and what its clusters are to be like. Blocks: it asks Airflow.

    :param pool: The pool, rendered.
    :param emrkit_conn_id: The ``emrkit`` connection.
    :param pause: Waits some seconds; gives True when the work is to stop.
    :raises InvalidValueError: when the pool has no place.

    >>> care, setup = open_pool(medium, "emrkit_default")  # doctest: +SKIP
    """
    hook = EmrKitHook(emrkit_conn_id)
    pause = pause or threading.Event().wait
    setup = PoolSetup.of(pool, hook.settings, StepCompiling(hook.clients, pause))
    return PoolCare(hook.clients, setup.place, new_holder(), pause), setup
