"""The applications of one cluster: what YARN's ResourceManager knows on EMR."""

from __future__ import annotations

import itertools
import threading
import time
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.run.application import Driver, RunningApplication
from airflow_provider_emrkit.localemr.run.yarn import Application

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.run.environment import Place
    from airflow_provider_emrkit.localemr.run.outputs import Outputs

MAX_ENDED = 1_000
"""Applications that are remembered after their end."""


class ResourceManager:
    """Starts, lists and ends the applications of one cluster.

    :param place: The cluster's directories and programs.
    :param outputs: What the cluster does with logs.
    :param started: Start of the cluster (ms since the epoch), part of every application's id.

    >>> manager = ResourceManager(place, outputs, 1700000000000)  # doctest: +SKIP
    >>> manager.submit(Driver(command, work)).ids.application_id  # doctest: +SKIP
    'application_1700000000000_0001'
    """

    def __init__(self, place: Place, outputs: Outputs, started: int) -> None:
        self._place = place
        self._outputs = outputs
        self._started = started
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._applications: dict[str, RunningApplication] = {}
        self._is_stopped = False

    def submit(self, driver: Driver) -> RunningApplication:
        """Start an application.

        :raises OSError: when it can't be started.
        :raises RuntimeError: after ``stop``.
        """
        ids = self.new_ids()
        directory = self._place.applications / ids.application_id
        directory.mkdir(parents=True)
        with self._lock:
            if self._is_stopped:
                raise RuntimeError(f"{ids.application_id}: its cluster was stopped")
            started = RunningApplication(ids, driver, directory, self._place, self._outputs)
            ended = [name for name, known in self._applications.items() if known.is_over]
            for name in ended[: max(0, len(ended) - MAX_ENDED)]:
                del self._applications[name]
            self._applications[ids.application_id] = started
        return started

    def new_ids(self) -> Application:
        """Give the ids of one more application."""
        return Application(self._started, next(self._numbers))

    def find(self, application_id: str) -> RunningApplication | None:
        """Find an application by its id."""
        with self._lock:
            return self._applications.get(application_id)

    def applications(self) -> list[RunningApplication]:
        """List all applications, newest first, as YARN does."""
        with self._lock:
            return list(reversed(self._applications.values()))

    def last_active(self) -> float | None:
        """Say when an application ran last (seconds since the epoch): now while one does; None for never."""
        ends = [time.time() if known.ended is None else known.ended for known in self.applications()]
        return max(ends, default=None)

    def stop(self) -> None:
        """Kill whatever still runs and write its logs. Idempotent."""
        with self._lock:
            self._is_stopped = True
            running = [known for known in self._applications.values() if not known.is_over]
        for application in running:
            application.kill(force=True)
        for application in running:
            application.wait()
