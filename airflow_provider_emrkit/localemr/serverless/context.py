"""What EMR Serverless' operations act on: the store, the scheduler, the runner and the clock."""

from __future__ import annotations

import logging
import os
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.aws_json import ApiError
from airflow_provider_emrkit.localemr.clock import utc_now
from airflow_provider_emrkit.localemr.faults.active import Faults
from airflow_provider_emrkit.localemr.faults.logs import LateLogs
from airflow_provider_emrkit.localemr.serverless import transitions
from airflow_provider_emrkit.localemr.serverless.errors import not_found
from airflow_provider_emrkit.localemr.serverless.scheduler import Scheduler
from airflow_provider_emrkit.localemr.serverless.store import ServerlessStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from airflow_provider_emrkit.localemr.call import Call
    from airflow_provider_emrkit.localemr.run.contract import JobRunner
    from airflow_provider_emrkit.localemr.serverless.journal import ServerlessJournal
    from airflow_provider_emrkit.localemr.serverless.model import ApplicationRecord, RunRecord

log = logging.getLogger(__name__)

_REMEMBERED = timedelta(days=60)
_LISTENERS_SECONDS = 5.0


class Serverless:
    """The applications of one local EMR. Operations run with ``store.lock`` held.

    :param runner: What really runs jobs.
    :param page_url: Gives the address of a Spark application's page.
    :param hold_seconds: How long a waiter's request is held back for news.
    :param now: Clock.
    :param journal: What there was in an earlier process, and where changes are kept; None for nowhere.
    :param max_running: How many attempts may run at once, of all applications.
    :param digests: Finds the digests of images, by their URI.
    :param faults: What goes wrong on demand; None for nothing.

    >>> serverless = Serverless(runner, page_url)  # doctest: +SKIP
    """

    def __init__(
        self,
        runner: JobRunner,
        page_url: Callable[[str], str],
        *,
        hold_seconds: float = 20.0,
        now: Callable[[], datetime] = utc_now,
        journal: ServerlessJournal | None = None,
        max_running: int | None = None,
        digests: Callable[[Iterable[str]], dict[str, str]] = lambda _: {},
        faults: Faults | None = None,
    ) -> None:
        self.runner = runner
        self.page_url = page_url
        self.store = ServerlessStore(journal)
        self.now = now
        self._hold_seconds = hold_seconds
        self._is_stopping = False
        faults = faults or Faults()
        self._late_logs = LateLogs(faults)
        self.scheduler = Scheduler(
            self.store,
            runner,
            lambda: self.now(),
            max_running or default_max_running(),
            digests,
            faults,
            self._late_logs,
        )
        self._take_over()

    def _take_over(self) -> None:
        """Judge the records of an earlier process: what was active is lost, what is old is forgotten."""
        now = self.now()
        with self.store.lock:
            for application in self.store.all_applications():
                for run in list(self.store.runs(application.id)):
                    self._judge(run, now)
                self._judge(application, now)
                if application.state == "STARTED":
                    self.scheduler.news(application.id)

    def _judge(self, record: ApplicationRecord | RunRecord, now: datetime) -> None:
        if transitions.lose(record, now):
            self.store.commit(record)
        if record.ended is not None and now - record.ended > _REMEMBERED:
            self.store.forget(record)

    def application(self, call: Call) -> ApplicationRecord:
        """Find the application that a request names.

        :raises ApiError: ``ResourceNotFoundException`` when it is not there.
        """
        return self.find_application(call.region, call.params["applicationId"])

    def find_application(self, region: str, application_id: str) -> ApplicationRecord:
        """Find an application.

        :raises ApiError: ``ResourceNotFoundException`` when it is not there.
        """
        found = self.store.application(region, application_id)
        if found is None:
            raise not_found("Application", application_id)
        return found

    def run(self, call: Call) -> RunRecord:
        """Find the job run that a request names.

        :raises ApiError: ``ResourceNotFoundException`` when it, or its application, is not there.
        """
        return self.find_run(self.application(call), call.params["jobRunId"])

    def find_run(self, application: ApplicationRecord, run_id: str) -> RunRecord:
        """Find a job run.

        :raises ApiError: ``ResourceNotFoundException`` when it is not there.
        """
        found = self.store.run(application.id, run_id)
        if found is None:
            raise not_found("JobRun", run_id)
        return found

    def add(self, record: ApplicationRecord | RunRecord) -> None:
        """Keep a new record.

        :raises ApiError: ``InternalServerException`` while everything is being ended.
        """
        if self._is_stopping:
            raise ApiError("InternalServerException", "localemr is stopping; nothing new is started.", 500)
        self.store.add(record)

    def changed(self, application: ApplicationRecord) -> None:
        """Keep what an operation changed of an application, and have it looked after."""
        self.store.commit(application)
        self.scheduler.news(application.id)

    def hold(self, call: Call, is_over: Callable[[], bool]) -> None:
        """Hold a waiter's request back until ``is_over``: it would sleep long and ask again."""
        if call.is_waiter:
            self.scheduler.changed.wait_for(lambda: self._is_stopping or is_over(), self._hold_seconds)

    def stop(self, seconds: float = 15.0) -> bool:
        """End all job runs and what runs them, and wait for it; applications stay as they are.

        :param seconds: How long to wait for them to end in good order, before they are killed.
        :return: False when one did not end.
        """
        ended = self._end_runs(seconds)
        self.runner.stop()
        self.store.changes.settle(_LISTENERS_SECONDS)
        return ended

    def _end_runs(self, seconds: float) -> bool:
        with self.store.lock:
            self._is_stopping = True
        ended = self.scheduler.stop(seconds)
        self._late_logs.flush(_LISTENERS_SECONDS)
        return ended

    def reset(self, seconds: float = 15.0) -> None:
        """End all job runs, and forget everything."""
        if not self._end_runs(seconds):
            log.warning("not every job run ended before the reset")
        self.store.changes.settle(_LISTENERS_SECONDS)
        with self.store.lock:
            self.store.clear()
            self.scheduler.restart()
            self._is_stopping = False


def default_max_running() -> int:
    """Give how many attempts this machine takes at once: each is a JVM."""
    return max(8, 2 * (os.cpu_count() or 1))
