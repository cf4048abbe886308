"""The faults of EMR Serverless: applications that start slowly, job runs that wait or fail."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.faults.job_kinds import (
    FailedApplication,
    FailedRun,
    SlowApplication,
    WaitingRun,
)
from airflow_provider_emrkit.localemr.run.contract import ClusterStartError, JobRunResult

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from airflow_provider_emrkit.localemr.faults.active import Active, Faults
    from airflow_provider_emrkit.localemr.faults.logs import LateLogs
    from airflow_provider_emrkit.localemr.faults.model import Subject
    from airflow_provider_emrkit.localemr.run.contract import JobRunRequest
    from airflow_provider_emrkit.localemr.serverless.model import ApplicationRecord, RunRecord


@dataclass(frozen=True)
class AttemptFaults:
    """What goes wrong with one attempt of a job run.

    :param waiting: It waits.
    :param failed: It fails.
    """

    waiting: Active[WaitingRun] | None = None
    failed: Active[FailedRun] | None = None

    def judge(self, result: JobRunResult) -> JobRunResult:
        """Give how the attempt ended, in view of them."""
        if self.failed is None or self.failed.is_lifted or result.cancelled:
            return result
        return JobRunResult(succeeded=False, details=self.failed.fault.message)


class JobFaults:
    """What goes wrong with the applications and job runs of a server.

    :param faults: All faults of the server.
    :param late_logs: Delivers logs late.
    :param changed: Told of news of applications and runs, and of changes of the faults.

    >>> faults = JobFaults(Faults(), late_logs, scheduler.changed)  # doctest: +SKIP
    """

    def __init__(self, faults: Faults, late_logs: LateLogs, changed: threading.Condition) -> None:
        self._faults = faults
        self._late_logs = late_logs
        self._changed = changed

    def before_start(self, application: ApplicationRecord, is_wanted: Callable[[], bool]) -> None:
        """Delay an application's start, or let it fail; without the lock.

        :param is_wanted: Whether it is still to be started.
        :raises ClusterStartError: when it fails.
        """
        slow = self._faults.strike(SlowApplication, _subject(application))
        if slow is not None:
            self._hold(slow, slow.fault.seconds, is_wanted)
        failed = self._faults.strike(FailedApplication, _subject(application))
        if failed is not None:
            raise ClusterStartError(failed.fault.message, "INTERNAL_ERROR")

    def of_attempt(self, application: ApplicationRecord, run: RunRecord) -> AttemptFaults:
        """Decide what goes wrong with an attempt, in the order in which attempts are started."""
        subject = _subject(application, run)
        return AttemptFaults(
            self._faults.strike(WaitingRun, subject), self._faults.strike(FailedRun, subject)
        )

    def before_attempt(self, run: RunRecord, struck: AttemptFaults) -> None:
        """Delay an attempt, or let it fail; without the lock.

        :raises ClusterStartError: when it fails without having run, or was cancelled meanwhile.
        """
        if struck.waiting is not None:
            self._hold(struck.waiting, struck.waiting.fault.seconds, lambda: run.cancel is None)
        if run.cancel is not None:
            raise ClusterStartError(run.cancel.details)
        failed = struck.failed
        if failed is not None and not failed.is_lifted and not failed.fault.runs:
            raise ClusterStartError(failed.fault.message, "INTERNAL_ERROR")

    def request(self, application: ApplicationRecord, run: RunRecord, asked: JobRunRequest) -> JobRunRequest:
        """Give the request for an attempt whose logs may be late."""
        deliver = functools.partial(self._deliver, _subject(application, run), run.id)
        return replace(asked, deliver=deliver)

    def _deliver(self, subject: Subject, run_id: str, client: Any, logs: str) -> Any:
        return self._late_logs.client(client, logs, subject, run_id)

    def _hold(self, active: Active[Any], seconds: float, is_wanted: Callable[[], bool]) -> None:
        with self._changed:
            self._changed.wait_for(lambda: active.is_lifted or not is_wanted(), seconds)


def _subject(application: ApplicationRecord, run: RunRecord | None = None) -> Subject:
    names = {"application": (application.name or "", application.id)}
    return names if run is None else {**names, "run": (str(run.request.get("name") or ""), run.id)}
