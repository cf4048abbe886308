"""Carries plans out: one thread for all applications, and one more for each start and each attempt.

The thread sleeps on the store's condition and wakes only for news, or when a time limit has come.
"""

from __future__ import annotations

import logging
import threading
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.faults.jobs import JobFaults
from airflow_provider_emrkit.localemr.run.contract import ClusterStartError
from airflow_provider_emrkit.localemr.serverless import plan as plans
from airflow_provider_emrkit.localemr.serverless import transitions
from airflow_provider_emrkit.localemr.serverless.attempts import INTERNAL_ERROR, Attempts
from airflow_provider_emrkit.localemr.serverless.image_settings import image_uris
from airflow_provider_emrkit.localemr.serverless.model import WAITING_STATES
from airflow_provider_emrkit.localemr.serverless.run_rules import grace_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_provider_emrkit.localemr.faults.active import Faults
    from airflow_provider_emrkit.localemr.faults.logs import LateLogs
    from airflow_provider_emrkit.localemr.run.contract import JobRunner
    from airflow_provider_emrkit.localemr.serverless.model import ApplicationRecord, RunRecord
    from airflow_provider_emrkit.localemr.serverless.store import ServerlessStore

log = logging.getLogger(__name__)

_IDLE = "The application was idle for {:g} minutes and stopped by itself"


class Scheduler:
    """Starts and stops applications, and gives their job runs their turn.

    :param store: Where the records are; its lock is held by whoever calls ``news``.
    :param runner: What really runs jobs.
    :param now: Clock.
    :param max_running: How many attempts may run at once, of all applications.
    :param digests: Finds the digests of images, by their URI.
    :param faults: What goes wrong on demand.
    :param late_logs: Delivers logs late when faults say so.

    >>> Scheduler(store, runner, utc_now, 8, digests, faults, late_logs)  # doctest: +SKIP
    """

    def __init__(
        self,
        store: ServerlessStore,
        runner: JobRunner,
        now: Callable[[], datetime],
        max_running: int,
        digests: Callable[[Iterable[str]], dict[str, str]],
        faults: Faults,
        late_logs: LateLogs,
    ) -> None:
        self.changed = threading.Condition(store.lock)
        self._store = store
        self._runner = runner
        self._now = now
        self._max_running = max_running
        self._digests = digests
        self._faults = JobFaults(faults, late_logs, self.changed)
        faults.subscribe(self._wake)
        self._attempts = Attempts(store, runner, now, digests, self._faults, self._attempt_ended, self.news)
        self._dirty: set[str] = set()
        self._due: dict[str, datetime] = {}
        self._starts: dict[str, threading.Thread] = {}
        self._thread: threading.Thread | None = None
        self._is_stopping = False

    def news(self, application_id: str) -> None:
        """Have an application looked after, and wake everybody who waits; the lock must be held."""
        self._dirty.add(application_id)
        if self._thread is None and not self._is_stopping:
            thread = threading.Thread(target=self._run, name="localemr-serverless", daemon=True)
            thread.start()
            self._thread = thread
        self.changed.notify_all()

    def _wake(self) -> None:
        with self.changed:
            self.changed.notify_all()

    def stop(self, seconds: float) -> bool:
        """End all job runs and the thread; False when a process did not end.

        :param seconds: How long to wait for them to end in good order, before they are killed.
        """
        with self.changed:
            self._is_stopping = True
            thread, self._thread = self._thread, None
            self.changed.notify_all()
        if thread is not None:
            thread.join()
        return self._attempts.stop(seconds)

    def restart(self) -> None:
        """Go on after a stop, with what is there."""
        with self.changed:
            self._dirty.clear()
            self._due.clear()
            self._starts.clear()
            self._is_stopping = False

    def _run(self) -> None:
        with self.changed:
            while not self._is_stopping:
                now = self._now()
                waiting = self._dirty | {name for name, due in self._due.items() if due <= now}
                self._dirty = set()
                for name in sorted(waiting, key=self._waits_since):
                    self._look_after(name, now)
                if not self._dirty:
                    self.changed.wait(self._seconds_to_wait())

    def _waits_since(self, application_id: str) -> datetime:
        """Say since when an application has a job run that has not begun: who waits longest is first."""
        active = self._store.active_runs(application_id)
        waiting = (run.created for run in active if run.state in WAITING_STATES)
        return next(waiting, datetime.max.replace(tzinfo=timezone.utc))

    def _seconds_to_wait(self) -> float | None:
        if not self._due:
            return None
        return max(0.0, (min(self._due.values()) - self._now()).total_seconds())

    def _look_after(self, application_id: str, now: datetime) -> None:
        self._due.pop(application_id, None)
        application = self._store.find_application(application_id)
        if application is None:
            return
        try:
            self._carry_out_plan(application, now)
        except Exception as error:
            log.exception("the job runs of %s can't be scheduled", application_id)
            self._give_up(application, INTERNAL_ERROR.format(error))

    def _carry_out_plan(self, application: ApplicationRecord, now: datetime) -> None:
        active = self._store.active_runs(application.id)
        self._note_idleness(application, bool(active), now)
        plan = plans.make_plan(application, active, now, self._max_running - self._attempts.count)
        for move in plan.moves:
            self._carry_out(application, move, now)
        if plan.moves:
            self.news(application.id)
        elif plan.until is not None:
            self._due[application.id] = plan.until

    def _note_idleness(self, application: ApplicationRecord, is_busy: bool, now: datetime) -> None:
        if application.state != "STARTED" or is_busy == (application.idle_since is None):
            return
        application.idle_since = None if is_busy else now
        self._store.commit(application)

    def _carry_out(self, application: ApplicationRecord, move: plans.Move, now: datetime) -> None:
        match move:
            case plans.StartApplication():
                self.start_application(application)
            case plans.StopApplication():
                self._stop_application(application, move.is_idle, now)
            case plans.StartAttempt(run):
                self._attempts.start(application, run)
                transitions.move(run, "SCHEDULED", now)
                run.digests = application.digests
                self._store.commit(run)
            case plans.Admit(run):
                transitions.move(run, "PENDING", now)
                self._store.commit(run)
            case plans.Queue(run):
                transitions.move(run, "QUEUED", now)
                self._store.commit(run)
            case plans.Refuse(run, details):
                transitions.end(run, "FAILED", now, details)
                self._store.commit(run)
            case plans.Cancel(run, details):
                self._attempts.cancel(run, grace_seconds(run, None), details)
            case plans.Kill(run):
                self._attempts.kill(run)

    def cancel(self, run: RunRecord, seconds: float, details: str) -> None:
        """Cancel a job run; the lock must be held. See ``transitions.request_cancel``."""
        self._attempts.cancel(run, seconds, details)
        self.news(run.application_id)

    def start_application(self, application: ApplicationRecord) -> None:
        """Begin to start an application; the lock must be held."""
        thread = threading.Thread(
            target=self._prepare, args=(application,), name=f"localemr-{application.id}", daemon=True
        )
        # It asks with the lock whether it is wanted; a machine that has no room for it changes nothing.
        thread.start()
        transitions.enter(application, "STARTING", self._now())
        self._starts[application.id] = thread
        self._store.commit(application)

    def _prepare(self, application: ApplicationRecord) -> None:
        problem, digests = None, {}
        try:
            self._faults.before_start(application, lambda: self._is_wanted(application))
            digests = self._digests(image_uris(application.settings, at_start=True))
            self._runner.prepare(application.release_label, lambda line: self._progress(application, line))
        except ClusterStartError as error:
            problem = str(error)
        except Exception as error:
            log.exception("application %s can't start because of an internal error", application.id)
            problem = INTERNAL_ERROR.format(error)
        with self.changed:
            if not self._is_wanted(application):
                return
            self._starts.pop(application.id)
            if problem is None:
                self._attempts.note_prepared(application)
                application.digests = digests
                transitions.enter(application, "STARTED", self._now())
                self._store.commit(application)
                self.news(application.id)
            else:
                transitions.enter(application, "STOPPED", self._now(), problem)
                self._give_up(application, problem)

    def _is_wanted(self, application: ApplicationRecord) -> bool:
        """Tell whether this thread still is the one that starts the application."""
        is_last = self._starts.get(application.id) is threading.current_thread()
        return is_last and application.state == "STARTING" and not self._is_stopping

    def _progress(self, application: ApplicationRecord, line: str) -> None:
        """Show the runner's progress, and make it give up, by raising, when the start is not wanted any more.

        :raises ClusterStartError: when the application was stopped meanwhile.
        """
        with self.changed:
            if not self._is_wanted(application):
                raise ClusterStartError("the application was stopped while it started")
            application.details = line
            self._store.commit(application)
            self.changed.notify_all()

    def _give_up(self, application: ApplicationRecord, problem: str) -> None:
        """Fail the job runs that wait for an application that can't run them."""
        for run in self._store.active_runs(application.id):
            if run.state in WAITING_STATES:
                transitions.end(run, "FAILED", self._now(), problem)
                self._store.commit(run)
        self._store.commit(application)
        self.changed.notify_all()

    def _stop_application(self, application: ApplicationRecord, is_idle: bool, now: datetime) -> None:
        if application.state == "STOPPING":
            transitions.enter(application, "STOPPED", now, application.details)
        else:
            minutes = application.idle_limit.total_seconds() / 60 if application.idle_limit else 0
            transitions.enter(application, "STOPPING", now, _IDLE.format(minutes) if is_idle else "")
        self._store.commit(application)

    def _attempt_ended(self) -> None:
        """Look at all applications with job runs: there is room for another attempt."""
        for application_id in self._store.active_applications():
            self.news(application_id)
