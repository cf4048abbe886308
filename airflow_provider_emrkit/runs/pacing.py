"""When to look at a run again: soon where something is about to happen, seldom where nothing is."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_emrkit.runs.states import RunState

if TYPE_CHECKING:
    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.states import RunStatus

# Seconds between two looks at a job that is about to start, and seconds after a change in which it is.
SOON_INTERVAL = 2.0
SOON = 30.0
# Part of a quota's burst that looks out of turn leave to others.
KEPT_SPARE = 0.5

# A run that has been in its state for so many intervals is looked at less and less often: the interval grows
# with that time, up to so many times itself or so many seconds, and so adds little to what has passed anyway.
LONG_AFTER = 20
LONGEST_FACTOR = 6
LONGEST = 60.0

# Part of its usual time, before and after its usual end, in which a run is looked at as often as at first.
NEAR_END = 0.15

# With events that tell changes at once, looking is only the safety net.
PUSH_FACTOR = 12
PUSH_LEAST = 60.0

# Jobs whose usual time is remembered.
MAX_REMEMBERED = 2_000


@dataclass(frozen=True, slots=True)
class Situation:
    """What decides how soon to look at a run again.

    :param status: How it is doing; None before the first answer.
    :param unchanged_for: Seconds it has been like that.
    :param usual_seconds: How long jobs of the same task ran before; None when nobody knows.
    :param now: Seconds since 1970.
    :param spare: What is left of the API quota's burst, from 0 to 1.
    :param alone: Whether a look serves few runs: one that serves many comes soon enough by itself.
    :param pushed: Whether events tell its changes at once.
    """

    status: RunStatus | None
    unchanged_for: float = 0.0
    usual_seconds: float | None = None
    now: float = 0.0
    spare: float = 1.0
    alone: bool = True
    pushed: bool = False


def pause(base: float, situation: Situation, soon: float = SOON_INTERVAL) -> float:
    """Give the seconds until the next look at a run.

    :param base: The usual ones.
    :param soon: Those while something is about to happen.

    >>> pause(10.0, Situation(None))
    10.0
    """
    status = situation.status
    if situation.pushed:
        return max(PUSH_FACTOR * base, PUSH_LEAST)
    if status is None:
        return base
    waits = status.state in (RunState.STARTING, RunState.QUEUED)
    if waits and situation.unchanged_for < SOON and situation.alone and situation.spare > KEPT_SPARE:
        return min(base, soon)
    if situation.unchanged_for <= LONG_AFTER * base:
        return base
    return min(_long(base, situation.unchanged_for), _until_near_end(base, situation))


def _long(base: float, unchanged_for: float) -> float:
    return min(unchanged_for / LONG_AFTER, LONGEST_FACTOR * base, max(base, LONGEST))


def _until_near_end(base: float, situation: Situation) -> float:
    """Give the seconds until the time the run usually ends about; base during that time."""
    status, usual = situation.status, situation.usual_seconds
    if status is None or status.started_at is None or usual is None:
        return float("inf")
    ran = situation.now - status.started_at
    if ran > usual * (1 + NEAR_END):
        return float("inf")
    return max(base, usual * (1 - NEAR_END) - ran)


@dataclass
class UsualTimes:
    """How long jobs of the same task run, as far as this process has seen.

    >>> times = UsualTimes()
    >>> times.of(run) is None  # doctest: +SKIP
    True
    """

    _seconds: OrderedDict[str, float] = field(default_factory=OrderedDict)

    def learn(self, run: JobRun, status: RunStatus) -> None:
        """Take note of a run that succeeded; the last ones count the most."""
        if status.state is not RunState.SUCCEEDED or status.started_at is None or status.ended_at is None:
            return
        name, took = _name(run), status.ended_at - status.started_at
        before = self._seconds.pop(name, took)
        self._seconds[name] = (before + took) / 2
        while len(self._seconds) > MAX_REMEMBERED:
            self._seconds.popitem(last=False)

    def of(self, run: JobRun) -> float | None:
        """Give the usual seconds of a run's job; None when none has been seen."""
        return self._seconds.get(_name(run))


def _name(run: JobRun) -> str:
    """Name what a run's job has in common with those before it: without the run's own token."""
    return run.name.rpartition(" emrkit:")[0] or run.name
