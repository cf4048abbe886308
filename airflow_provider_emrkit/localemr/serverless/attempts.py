"""The attempts that have, or are about to get, a process; a thread for each."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.run.contract import KILLED_LIMIT, ClusterStartError, JobRunResult
from airflow_provider_emrkit.localemr.serverless import transitions
from airflow_provider_emrkit.localemr.serverless.effective import job_run_request
from airflow_provider_emrkit.localemr.serverless.image_settings import image_uris

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from airflow_provider_emrkit.localemr.faults.jobs import AttemptFaults, JobFaults
    from airflow_provider_emrkit.localemr.run.contract import JobRunner, RunningJob
    from airflow_provider_emrkit.localemr.serverless.model import ApplicationRecord, RunRecord
    from airflow_provider_emrkit.localemr.serverless.store import ServerlessStore

log = logging.getLogger(__name__)

INTERNAL_ERROR = "localemr failed ({}); its log holds the traceback"
STOPPED = "Job run was cancelled: localemr was stopped"


@dataclass
class _Live:
    """An attempt's thread, and its process once there is one."""

    run: RunRecord
    thread: threading.Thread
    process: RunningJob | None = None


class Attempts:
    """Runs attempts.

    :param store: Where the records are; all but ``stop`` must be called with its lock held.
    :param runner: What really runs jobs.
    :param now: Clock.
    :param digests: Finds the digests of images, by their URI.
    :param faults: What goes wrong on demand.
    :param ended: Called, with the lock held, when an attempt has ended.
    :param news: Called, with the lock held and an application's id, when a job run has a new state.

    >>> attempts = Attempts(store, runner, utc_now, digests, faults, print, print)  # doctest: +SKIP
    >>> attempts.start(application, run)  # doctest: +SKIP
    """

    def __init__(
        self,
        store: ServerlessStore,
        runner: JobRunner,
        now: Callable[[], datetime],
        digests: Callable[[Iterable[str]], dict[str, str]],
        faults: JobFaults,
        ended: Callable[[], None],
        news: Callable[[str], None],
    ) -> None:
        self._store = store
        self._runner = runner
        self._now = now
        self._digests = digests
        self._faults = faults
        self._ended = ended
        self._news = news
        self._live: dict[str, _Live] = {}
        self._prepared: dict[str, str] = {}

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._live)

    def note_prepared(self, application: ApplicationRecord) -> None:
        """Remember that an application's software is in place."""
        self._prepared[application.id] = application.release_label

    def start(self, application: ApplicationRecord, run: RunRecord) -> None:
        """Start a job run's present attempt."""
        faults = self._faults.of_attempt(application, run)
        thread = threading.Thread(
            target=self._run, args=(application, run, faults), name=f"localemr-{run.id}", daemon=True
        )
        # It waits for the lock; a machine that has no room for it leaves the records as they were.
        thread.start()
        self._live[run.id] = _Live(run, thread)

    def cancel(self, run: RunRecord, seconds: float, details: str) -> None:
        """Cancel a job run; see ``transitions.request_cancel``."""
        transitions.request_cancel(run, self._now(), seconds, details)
        self._store.commit(run)
        # Without a grace it is killed at once: told to end as well, it might end in good order, or might not.
        self._signal(run, force=seconds <= 0)

    def kill(self, run: RunRecord) -> None:
        """Kill the process of a job run that was cancelled."""
        if run.cancel is not None:
            run.cancel.killed = True
            self._store.commit(run)
        self._signal(run, force=True)

    def _signal(self, run: RunRecord, *, force: bool) -> None:
        live = self._live.get(run.id)
        if live is not None and live.process is not None:
            # Signalling looks at every process of the machine; the store's lock is held.
            threading.Thread(target=live.process.cancel, kwargs={"force": force}, daemon=True).start()

    def _run(self, application: ApplicationRecord, run: RunRecord, faults: AttemptFaults) -> None:
        try:
            result = self._result(application, run, faults)
        except ClusterStartError as error:
            result = JobRunResult(False, details=str(error))
        except Exception as error:
            log.exception("job run %s ends because of an internal error", run.id)
            with self._store.lock:
                # No process outlives its record.
                self._signal(run, force=True)
            result = JobRunResult(False, details=INTERNAL_ERROR.format(error))
        with self._store.lock:
            self._live.pop(run.id, None)
            transitions.finish_attempt(run, result, self._now())
            self._store.commit(run)
            self._news(run.application_id)
            self._ended()

    def _result(self, application: ApplicationRecord, run: RunRecord, faults: AttemptFaults) -> JobRunResult:
        # An application that was STARTED when an earlier process ended has not been prepared in this one.
        if self._prepared.get(application.id) != run.release_label:
            self._runner.prepare(run.release_label, lambda _: self._check_wanted(run))
            with self._store.lock:
                self._prepared[application.id] = run.release_label
        self._resolve_images(run)
        self._faults.before_attempt(run, faults)
        with self._store.lock:
            request = self._faults.request(application, run, job_run_request(run))
        process = self._runner.start(request)
        with self._store.lock:
            self._live[run.id].process = process
            cancel = run.cancel
        if cancel is not None:
            process.cancel(force=cancel.killed)
        if process.wait_begun():
            self._note_running(run)
        return faults.judge(process.wait())

    def _note_running(self, run: RunRecord) -> None:
        with self._store.lock:
            if run.cancel is None:
                transitions.move(run, "RUNNING", self._now())
                self._store.commit(run)
                self._news(run.application_id)

    def _resolve_images(self, run: RunRecord) -> None:
        """Find the digests of the images that are resolved for each attempt."""
        uris = image_uris(run.application, at_start=False)
        if not uris:
            return
        found = self._digests(uris)
        with self._store.lock:
            run.digests = {**run.digests, **found}
            self._store.commit(run)

    def _check_wanted(self, run: RunRecord) -> None:
        with self._store.lock:
            if run.cancel is not None:
                raise ClusterStartError(run.cancel.details)

    def stop(self, seconds: float) -> bool:
        """End all active job runs; False when a process did not end.

        :param seconds: How long to wait for them to end in good order, before they are killed.
        """
        with self._store.lock:
            for application_id in self._store.active_applications():
                for run in self._store.active_runs(application_id):
                    self.cancel(run, seconds, STOPPED)
            live = list(self._live.values())
        if not _joined(live, seconds):
            with self._store.lock:
                for attempt in live:
                    self.kill(attempt.run)
            if not _joined(live, KILLED_LIMIT):
                return False
        self._prepared.clear()
        return True


def _joined(live: list[_Live], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    for attempt in live:
        attempt.thread.join(max(0.0, deadline - time.monotonic()))
    return not any(attempt.thread.is_alive() for attempt in live)
