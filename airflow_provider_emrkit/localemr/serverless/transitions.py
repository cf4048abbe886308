"""What happens to the records of applications and job runs; no threads, processes or clock."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.serverless.model import (
    BUSY_STATES,
    FAILED_ATTEMPTS_PER_HOUR,
    ApplicationRecord,
    ApplicationState,
    AttemptRecord,
    CancelRecord,
    RunRecord,
    RunState,
)

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_emrkit.localemr.run.contract import JobRunResult

LOST = "localemr ended while the job run was there: its process is gone"
APPLICATION_LOST = "localemr ended while the application started"

_HOUR = timedelta(hours=1)


def enter(application: ApplicationRecord, state: ApplicationState, now: datetime, details: str = "") -> None:
    """Put an application into a state."""
    application.state, application.details, application.updated = state, details, now
    application.idle_since = now if state == "STARTED" else None
    if state == "TERMINATED":
        application.ended = now


def first_attempt(now: datetime) -> list[AttemptRecord]:
    """Give the attempts of a new job run."""
    return [AttemptRecord(1, now, now)]


def move(run: RunRecord, state: RunState, now: datetime, details: str = "") -> None:
    """Put a job run and its present attempt into a state on their way."""
    if run.state == "QUEUED":
        run.queued_seconds = queued_seconds(run, now)
    run.queued_since = now if state == "QUEUED" else None
    attempt = run.attempt
    for record in (run, attempt):
        record.state, record.details, record.updated = state, details, now
    if state == "RUNNING" and attempt.started is None:
        attempt.started = now


def queued_seconds(run: RunRecord, now: datetime) -> float | None:
    """Say how long a job run has been QUEUED; None when it never was."""
    if run.queued_since is None:
        return run.queued_seconds
    return (run.queued_seconds or 0.0) + (now - run.queued_since).total_seconds()


def end(run: RunRecord, state: RunState, now: datetime, details: str = "") -> None:
    """Put a job run and its present attempt into an end state."""
    move(run, state, now, details)
    run.ended = run.attempt.ended = now


def request_cancel(run: RunRecord, now: datetime, seconds: float, details: str) -> None:
    """Cancel a job run: at once when it only waits, through CANCELLING when it is busy.

    :param seconds: How long its process may take to end by itself.
    :param details: What its ``stateDetails`` will say.
    """
    if not run.is_active:
        return
    if run.state not in BUSY_STATES:
        end(run, "CANCELLED", now, details)
    elif run.cancel is None:
        run.cancel = CancelRecord(now, seconds, details)
        move(run, "CANCELLING", now, details)
    else:
        # Asked once more: the shorter time counts.
        gone = (now - run.cancel.since).total_seconds()
        run.cancel.seconds = min(run.cancel.seconds, gone + seconds)


def finish_attempt(run: RunRecord, result: JobRunResult, now: datetime) -> None:
    """Record how an attempt's process ended, and make the next attempt when there is to be one."""
    if result.succeeded:
        end(run, "SUCCESS", now)
    elif run.cancel is not None:
        end(run, "CANCELLED", now, run.cancel.details)
    else:
        # Nobody here cancelled it: somebody killed its process.
        fail(run, result.details or "The job's process was ended from outside.", now)


def fail(run: RunRecord, details: str, now: datetime) -> None:
    """Fail an attempt, and with it the job run unless its ``retryPolicy`` allows another attempt."""
    end(run, "FAILED", now, details)
    if not _may_retry(run, now):
        return
    run.ended = None
    run.attempts.append(AttemptRecord(run.attempt.number + 1, now, now))
    move(run, "PENDING", now, f"Attempt {run.attempt.number - 1} failed: {details}")


def _may_retry(run: RunRecord, now: datetime) -> bool:
    policy = run.request.get("retryPolicy", {})
    if run.mode == "BATCH":
        return len(run.attempts) < int(policy.get("maxAttempts", 1))
    limit = int(policy.get("maxFailedAttemptsPerHour", FAILED_ATTEMPTS_PER_HOUR))
    lately = [item for item in run.attempts if item.ended is not None and now - item.ended < _HOUR]
    return len(lately) < limit


def lose(record: ApplicationRecord | RunRecord, now: datetime) -> bool:
    """Judge a record of an earlier process, whose processes are gone; False when nothing is to be changed.

    A STARTED application stays so: it is nothing but the promise to run jobs at once.
    """
    if isinstance(record, RunRecord):
        return _lose_run(record, now)
    if record.state == "CREATING":
        enter(record, "CREATED", now)
    elif record.state == "STARTING":
        enter(record, "STOPPED", now, APPLICATION_LOST)
    elif record.state == "STOPPING":
        enter(record, "STOPPED", now)
    elif record.state == "STARTED":
        # The time while localemr was down doesn't count as idle.
        record.idle_since = now
    else:
        return False
    return True


def _lose_run(run: RunRecord, now: datetime) -> bool:
    if not run.is_active:
        return False
    if run.cancel is not None:
        end(run, "CANCELLED", now, run.cancel.details)
    else:
        end(run, "FAILED", now, LOST)
    return True
