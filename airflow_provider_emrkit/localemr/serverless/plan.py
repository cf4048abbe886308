"""What is to be done about an application and its job runs now, and when to look again. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from airflow_provider_emrkit.localemr.serverless.model import (
    ADMITTED_STATES,
    BUSY_STATES,
    RESTING_STATES,
    WAITING_STATES,
    ApplicationRecord,
    RunRecord,
)
from airflow_provider_emrkit.localemr.serverless.workers import Size, workers_of

_NOT_STARTED = "The application is stopped, and nothing starts it: autoStartConfiguration is not enabled"


@dataclass(frozen=True)
class StartApplication:
    """A job run needs the application."""


@dataclass(frozen=True)
class StopApplication:
    """The application is to rest: it was told to, or was idle for too long.

    :param is_idle: Which of the two.
    """

    is_idle: bool = False


@dataclass(frozen=True)
class Admit:
    """A job run's turn has come; it is PENDING until it gets a process."""

    run: RunRecord


@dataclass(frozen=True)
class Queue:
    """A job run waits in the application's queue."""

    run: RunRecord


@dataclass(frozen=True)
class StartAttempt:
    """A job run gets a process."""

    run: RunRecord


@dataclass(frozen=True)
class Cancel:
    """A job run took too long."""

    run: RunRecord
    details: str


@dataclass(frozen=True)
class Kill:
    """A job run that was cancelled did not end by itself in the time it had."""

    run: RunRecord


@dataclass(frozen=True)
class Refuse:
    """A job run can't ever have its turn."""

    run: RunRecord
    details: str


Move = StartApplication | StopApplication | Admit | Queue | StartAttempt | Cancel | Kill | Refuse


@dataclass
class Plan:
    """What is to be done.

    :param moves: To be done now, in this order; then a new plan is to be made.
    :param until: When to look again if nothing happens before; None for never.
    """

    moves: list[Move] = field(default_factory=list)
    until: datetime | None = None

    def at(self, due: datetime, now: datetime, move: Move) -> None:
        """Add what is to be done at a time."""
        if due <= now:
            self.moves.append(move)
        elif self.until is None or due < self.until:
            self.until = due


def make_plan(application: ApplicationRecord, active: list[RunRecord], now: datetime, room: int) -> Plan:
    """Say what is to be done about an application.

    :param active: Its job runs that are not at their end, oldest first.
    :param room: How many more attempts this machine takes at once.
    """
    plan = Plan()
    for run in active:
        _watch(plan, run, now)
    waiting = [run for run in active if run.state in WAITING_STATES]
    if application.state == "STOPPING":
        plan.moves.append(StopApplication())
    elif waiting:
        _wake(plan, application, waiting)
        _admit(plan, application, active, now)
    if application.state == "STARTED":
        _start(plan, waiting, room)
    limit = application.idle_limit
    if not active and application.idle_since is not None and limit is not None:
        plan.at(application.idle_since + limit, now, StopApplication(is_idle=True))
    return plan


def _watch(plan: Plan, run: RunRecord, now: datetime) -> None:
    """See to the time limits of a job run that has, or is about to get, a process."""
    cancel = run.cancel
    if cancel is not None:
        if run.state in BUSY_STATES and not cancel.killed:
            plan.at(cancel.since + timedelta(seconds=cancel.seconds), now, Kill(run))
        return
    minutes = run.timeout_minutes
    if run.state == "RUNNING" and minutes and run.attempt.started is not None:
        details = f"Job run was cancelled: it ran longer than its executionTimeoutMinutes of {minutes}"
        plan.at(run.attempt.started + timedelta(minutes=minutes), now, Cancel(run, details))


def _wake(plan: Plan, application: ApplicationRecord, waiting: list[RunRecord]) -> None:
    if application.state not in RESTING_STATES:
        return
    if application.auto_start:
        plan.moves.append(StartApplication())
    else:
        plan.moves += [Refuse(run, _NOT_STARTED) for run in waiting]


def _admit(plan: Plan, application: ApplicationRecord, active: list[RunRecord], now: datetime) -> None:
    """Decide who of those who were submitted or are QUEUED may go on."""
    scheduler, maximum = application.scheduler, application.settings.get("maximumCapacity", {})
    admitted = [run for run in active if run.state in ADMITTED_STATES]
    count, used = len(admitted), sum((_least(run, maximum) for run in admitted), Size())
    for run in active:
        if run.state not in ("SUBMITTED", "QUEUED"):
            continue
        least = _least(run, maximum)
        is_large = not least.fits(maximum)
        if is_large or (scheduler is None and not (used + least).fits(maximum)):
            plan.moves.append(Refuse(run, _capacity_details(maximum)))
        elif scheduler is None or (count < scheduler["maxConcurrentRuns"] and (used + least).fits(maximum)):
            count, used = count + 1, used + least
            plan.moves.append(Admit(run))
        else:
            _queue(plan, run, now, scheduler["queueTimeoutMinutes"])


def _least(run: RunRecord, maximum: dict[str, str]) -> Size:
    # Without a maximum, sizes decide nothing.
    return workers_of(run).least if maximum else Size()


def _queue(plan: Plan, run: RunRecord, now: datetime, minutes: int) -> None:
    if run.queued_since is None:
        plan.moves.append(Queue(run))
        return
    details = f"Job run was QUEUED longer than the queueTimeoutMinutes of the application, {minutes}"
    plan.at(run.queued_since + timedelta(minutes=minutes), now, Refuse(run, details))


def _capacity_details(maximum: dict[str, str]) -> str:
    shown = ", ".join(f"{name}: {value}" for name, value in maximum.items())
    return (
        "ApplicationMaxCapacityExceededException: Worker could not be allocated as the application has "
        f"exceeded maximumCapacity settings: [{shown}]"
    )


def _start(plan: Plan, waiting: list[RunRecord], room: int) -> None:
    pending = [run for run in waiting if run.state == "PENDING"]
    plan.moves += [StartAttempt(run) for run in pending[:room]]
