"""How long a run may take, as a whole and in each part of its life."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.runs.states import NOT_LISTED, RunState
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_emrkit.runs.job_run import JobRun
    from airflow_provider_emrkit.runs.states import RunStatus

# What the limits are called, with what happened to a run that passed one. Where two pass at the same moment
# the first one is told.
_PASSED = {
    "starting": "waited for its {place} to start for more than",
    "queued": "waited on its {place} for other work for more than",
    "running": "ran for more than",
    "total": "took, since its submission, more than",
}


@dataclass(frozen=True)
class Limits:
    """How long a run may take, in seconds; None for as long as it likes.

    :param total: From the submission to the end.
    :param starting: From the submission until the cluster is up.
    :param queued: From then until the job starts.
    :param running: From the job's start to its end.
    :raises InvalidValueError: when one is no number of seconds above 0.

    >>> Limits.from_dict(Limits(total=3600.0).to_dict()).total
    3600.0
    """

    total: float | None = None
    starting: float | None = None
    queued: float | None = None
    running: float | None = None

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                problem = f"is of type {type(value).__name__}"
            elif not 0 < value < math.inf:
                problem = "is out of bounds"
            else:
                continue
            raise InvalidValueError("Limits", name, value, problem, "give a number of seconds above 0")

    def to_dict(self) -> dict[str, float]:
        """Give the limits there are, as plain JSON."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Limits:
        """Read them back; members that another version of emrkit wrote are ignored."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in data.items() if name in known})


@dataclass(frozen=True)
class Breach:
    """A limit that a run has passed.

    :param which: Its name: ``total``, ``starting``, ``queued`` or ``running``.
    :param seconds: The limit.
    :param sentence: What happened, for people.
    """

    which: str
    seconds: float
    sentence: str


def breach(limits: Limits, run: JobRun, status: RunStatus | None, now: float) -> Breach | None:
    """Tell which limit a run has passed, the one that passed first where there are several.

    Everything is judged from times that EMR keeps, and so alike by everybody who looks, whenever that is.

    :param status: How the run is doing; None while that is not known.
    :param now: Seconds since 1970.

    >>> from airflow_provider_emrkit.runs.job_run import JobRun
    >>> run = JobRun("step", "j-1", "s-1", "t-1", "sales", "us-east-1", submitted_at=100.0)
    >>> breach(Limits(total=60.0), run, None, 160.0).sentence
    'step s-1 on cluster j-1 took, since its submission, more than 1 min (limit total)'
    """
    passed = [(when, which) for which, when in _deadlines(limits, run, status).items() if when <= now]
    if not passed:
        return None
    which = min(passed, key=lambda one: one[0])[1]
    seconds = float(getattr(limits, which))
    passed_by = _PASSED[which].format(place=run.place)
    return Breach(which, seconds, f"{run} {passed_by} {_in_words(seconds)} (limit {which})")


def next_deadline(limits: Limits, run: JobRun, status: RunStatus | None) -> float | None:
    """Tell when the run will pass a limit if nothing changes, in seconds since 1970; None for never."""
    return min(_deadlines(limits, run, status).values(), default=None)


def _deadlines(limits: Limits, run: JobRun, status: RunStatus | None) -> dict[str, float]:
    """Give the deadlines that hold in the present state, in the order of :data:`_PASSED`."""
    if status is not None and status.state.is_final:
        return {}
    since = {"total": run.submitted_at}
    if status is not None:
        since |= _present_part(run, status)
    deadlines = {}
    for which in _PASSED:
        seconds = getattr(limits, which)
        if seconds is not None and which in since:
            deadlines[which] = since[which] + seconds
    return deadlines


def _present_part(run: JobRun, status: RunStatus) -> dict[str, float]:
    """Give the part of its life the run is in, and when that began; empty where nobody can tell."""
    if status.state is RunState.STARTING:
        # What EMR Serverless tries once more, or has QUEUED before, starts later than it was submitted.
        return {"starting": max(run.submitted_at, status.compute_ready_at or 0.0)}
    if status.state is RunState.QUEUED:
        if status.detail == NOT_LISTED:  # it may wait, run, or have ended long ago
            return {}
        if status.compute_ready_at is not None:
            return {"queued": max(run.submitted_at, status.compute_ready_at)}
        # A cluster of others was up before; one of the run's own was not, so its start would be counted too.
        return {} if run.owns_cluster else {"queued": run.submitted_at}
    # A run that is being cancelled still runs, and may go on doing so.
    return {} if status.started_at is None else {"running": status.started_at}


def _in_words(seconds: float) -> str:
    """Give a time in the largest units that keep it exact.

    >>> _in_words(5400.0)
    '1 h 30 min'
    """
    whole, rest = divmod(seconds, 60)
    if rest or whole < 1:
        return f"{seconds:g} s"
    hours, minutes = divmod(int(whole), 60)
    return " ".join(
        part for part in (f"{hours} h" if hours else "", f"{minutes} min" if minutes else "") if part
    )
