"""Ends a task's run for whoever asks for it: a kill, and the code that it interrupted."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.hooks.errors import explain, is_aws_error
from airflow_provider_emrkit.runs.protocol import Released

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.protocol import Runs


class RunEnding:
    """Ends runs, and says in the task's log what came of it.

    :param runs: Where they run.
    :param log: The task's log.

    >>> RunEnding(runs, self.log).end(run, 30.0).done  # doctest: +SKIP
    True
    """

    def __init__(self, runs: Runs, log: Any) -> None:
        self._runs = runs
        self._log = log
        self._one_by_one = threading.Lock()
        self._last: tuple[JobRun, Released] | None = None

    def end(self, run: JobRun, patience: float) -> Released:
        """End the run, unless it was seen to end; several who ask do it one after the other.

        :param patience: Seconds it may take.
        """
        with self._one_by_one:
            if self._last is None or self._last[0] != run or not self._last[1].ended:
                self._last = run, self._try(run, patience)
            return self._last[1]

    def _try(self, run: JobRun, patience: float) -> Released:
        try:
            released = self._runs.end(run, patience)
        except Exception as error:
            if not is_aws_error(error):
                raise
            released = Released(False, f"{run} could not be ended: {explain(error, run.region)}")
        level = logging.INFO if released.done else logging.ERROR
        self._log.log(level, "Ending the job: %s", released.message)
        return released

    @contextmanager
    def told_late(self, run: JobRun, seconds: float) -> Iterator[None]:
        """Say so when AWS has not answered after some seconds."""
        late = threading.Timer(seconds, self._tell_late, [run])
        late.daemon = True
        late.start()
        try:
            yield
        finally:
            late.cancel()

    def _tell_late(self, run: JobRun) -> None:
        text = "%s in %s may go on: AWS has not answered the call that ends it. See whether it ends."
        self._log.error(text, run, run.region)
