"""One cluster that runs: its directory and its steps."""

from __future__ import annotations

import shutil
import threading
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.run.leftover_uploads import keep_records
from airflow_provider_emrkit.localemr.run.process import SESSION_FILE, Session
from airflow_provider_emrkit.localemr.run.step import SparkStep, StepContext

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_emrkit.localemr.run.contract import StepRequest
    from airflow_provider_emrkit.localemr.run.yarn_service import YarnService


class SparkCluster:
    """A cluster whose software is in place; implements the contract's ``RunningCluster``.

    :param directory: The cluster's directory, removed by ``stop``.
    :param context: What its steps share.
    :param yarn: Serves its programs; closed by ``stop``.

    >>> cluster = SparkCluster(Path("/data/clusters/j-1"), context, yarn)  # doctest: +SKIP
    >>> step = StepRequest("s-1", "hello", "command-runner.jar", ["true"])  # doctest: +SKIP
    >>> cluster.start_step(step).wait()  # doctest: +SKIP
    """

    def __init__(self, directory: Path, context: StepContext, yarn: YarnService) -> None:
        self._directory = directory
        self.context = context
        self._yarn = yarn
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
            started = SparkStep(step, self.context)
            self._steps = [*(known for known in self._steps if not known.is_over), started]
            return started

    def last_active(self) -> float | None:
        """Say when an application ran last: the present time while one does; None when there was none."""
        return self.context.manager.last_active()

    def stop(self) -> None:
        """Kill whatever still runs, write its logs, and remove the cluster's files. Idempotent."""
        with self._lock:
            self._stopped = True
            steps, self._steps = self._steps, []
        for step in steps:
            step.cancel(force=True)
        for step in steps:
            step.wait()
        self._yarn.close()
        self.context.manager.stop()
        shutil.rmtree(self._directory, ignore_errors=True)


UPLOADS = "uploads"
"""Directory, beside the clusters', of the records of uploads that an earlier localemr's jobs left."""


def sweep(clusters: Path) -> None:
    """End what an earlier localemr left behind: steps that still run, and the clusters' directories.

    :param clusters: The directory that holds the clusters' directories.
    """
    if not clusters.is_dir():
        return
    for directory in clusters.iterdir():
        # Of steps, bootstrap actions and applications.
        for file in sorted(directory.glob(f"*/*/{SESSION_FILE}")):
            session = Session.load(file)
            if session:
                session.sweep()
        keep_records(directory.glob("*/*"), clusters.parent / UPLOADS)
        shutil.rmtree(directory, ignore_errors=True)
