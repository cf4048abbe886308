"""One cluster that runs: its directory and its steps."""

from __future__ import annotations

import itertools
import shutil
import threading
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.run.process import Session
from airflow_provider_emrkit.localemr.run.step import SESSION_FILE, SparkStep, StepContext
from airflow_provider_emrkit.localemr.run.yarn import Application

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_emrkit.localemr.run.contract import StepRequest


class Applications:
    """Numbers the YARN applications of one cluster.

    :param started: Start of the cluster (ms since the epoch).

    >>> Applications(1700000000000)().application_id
    'application_1700000000000_0001'
    """

    def __init__(self, started: int) -> None:
        self._started = started
        self._numbers = itertools.count(1)

    def __call__(self) -> Application:
        """Give the next one."""
        return Application(self._started, next(self._numbers))


class SparkCluster:
    """A cluster whose software is in place; implements the contract's ``RunningCluster``.

    :param directory: The cluster's directory, removed by ``stop``.
    :param context: What its steps share.

    >>> cluster = SparkCluster(Path("/data/clusters/j-1"), context)  # doctest: +SKIP
    >>> step = StepRequest("s-1", "hello", "command-runner.jar", ["true"])  # doctest: +SKIP
    >>> cluster.start_step(step).wait()  # doctest: +SKIP
    """

    def __init__(self, directory: Path, context: StepContext) -> None:
        self._directory = directory
        self._context = context
        self._steps: list[SparkStep] = []
        self._lock = threading.Lock()
        self._stopped = False

    def start_step(self, step: StepRequest) -> SparkStep:
        """Start a step's process; several may run at once.

        :raises RuntimeError: after ``stop``.
        """
        with self._lock:
            if self._stopped:
                raise RuntimeError(f"step {step.step_id}: its cluster was stopped")
            started = SparkStep(step, self._context)
            self._steps = [*(known for known in self._steps if not known.is_over), started]
            return started

    def stop(self) -> None:
        """Kill whatever still runs, write its logs, and remove the cluster's files. Idempotent."""
        with self._lock:
            self._stopped = True
            steps, self._steps = self._steps, []
        for step in steps:
            step.cancel(force=True)
        for step in steps:
            step.wait()
        shutil.rmtree(self._directory, ignore_errors=True)


def sweep(clusters: Path) -> None:
    """End what an earlier localemr left behind: steps that still run, and the clusters' directories.

    :param clusters: The directory that holds the clusters' directories.
    """
    if not clusters.is_dir():
        return
    for directory in clusters.iterdir():
        for file in sorted(directory.glob(f"steps/*/{SESSION_FILE}")):
            session = Session.load(file)
            if session:
                session.sweep()
        shutil.rmtree(directory, ignore_errors=True)
