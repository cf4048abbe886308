"""Finds the implementation of the protocol for a connection."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from airflow_provider_emrkit.runs.cluster_steps import ClusterSteps

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emrkit.hooks.emrkit import EmrKitHook
    from airflow_provider_emrkit.runs.protocol import Runs


def open_runs(hook: EmrKitHook, pause: Callable[[float], bool] | None = None) -> Runs:
    """Open the jobs of a connection; asks Airflow for its connections, so it blocks.

    :param hook: The connection.
    :param pause: Waits some seconds; gives True when the wait was ended because the work is to stop.
    """
    pause = pause or threading.Event().wait
    settings = hook.settings
    return ClusterSteps(hook.clients, settings.cluster_defaults(), pause, staging_uri=settings.staging_uri)
