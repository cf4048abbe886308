"""What a pool is busy with, in words for those who wait for it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from airflow_provider_emrkit.logs.text import one_line
from airflow_provider_emrkit.pools.standing import standings, unlisted_starts
from airflow_provider_emrkit.runs.states import CLUSTER_COMING_UP
from airflow_provider_emrkit.runs.token import MARK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_emrkit.pools.order import PoolBounds
    from airflow_provider_emrkit.pools.record import PoolRecord
    from airflow_provider_emrkit.pools.standing import Standing
    from airflow_provider_emrkit.pools.survey import PoolStep, Survey

SHOWN_STEPS = 3
SHOWN_CHARACTERS = 80


def busy_words(
    survey: Survey, record: PoolRecord, bounds: PoolBounds, now: float | None = None, *, pool: str = ""
) -> str:
    """Tell what a pool is busy with, in one sentence that is safe to show.

    :param record: Its claims must have been settled.
    :param now: Seconds since 1970.
    :param pool: The pool's name; by default what its clusters say.

    >>> busy_words(survey, record, PoolBounds(1))  # doctest: +SKIP
    'pool medium has 1 of 1 cluster; 1 step is on them, of 1 at once: sales.load for 12 min (j-1)'
    """
    now = time.time() if now is None else now
    there = [one for one in standings(survey, record, bounds.steps_per_cluster) if not one.is_going]
    name = pool or next((one.mark.pool for one in survey.clusters), "")
    unlisted = len(unlisted_starts(record, bounds.steps_per_cluster))
    parts = (
        _clusters(name, there, unlisted, bounds),
        _steps(there, bounds, now),
        _on_their_way(record),
        _waiting(record, now),
    )
    return "; ".join(filter(None, parts))


def duration_words(seconds: float) -> str:
    """Put a time into words, as exact as one wants to know it.

    >>> [duration_words(seconds) for seconds in (5.4, 750.0, 7_500.0, 200_000.0)]
    ['5 s', '12 min', '2 h 5 min', '2 d 7 h']
    """
    seconds = max(0, int(seconds))
    for unit, size, smaller, part in (
        ("d", 86_400, "h", 3_600),
        ("h", 3_600, "min", 60),
        ("min", 60, "", 60),
    ):
        whole, rest = divmod(seconds, size)
        if whole:
            return f"{whole} {unit}" + (f" {rest // part} {smaller}" if rest // part else "")
    return f"{seconds} s"


def _clusters(name: str, pool: Sequence[Standing], unlisted: int, bounds: PoolBounds) -> str:
    states = {
        "starting": unlisted + sum(one.cluster.state in CLUSTER_COMING_UP for one in pool),
        "draining": sum(one.draining for one in pool),
    }
    some = ", ".join(f"{number} {word}" for word, number in states.items() if number)
    number = f"{len(pool) + unlisted} of {_count(bounds.max_clusters, 'cluster')}"
    shown = f"pool {name}" if name else "the pool"
    return f"{shown} has {number}" + (f" ({some})" if some else "")


def _steps(pool: Sequence[Standing], bounds: PoolBounds, now: float) -> str:
    """Name those that have run longest: they keep the others waiting."""
    steps = [(step, one.cluster.id) for one in pool for step in one.cluster.steps]
    if not steps:
        return "no steps are on them" if pool else ""
    steps.sort(key=lambda found: (found[0].started_at is None, _begun(found[0], now)))
    named = [f"{_name(step)} for {_age(step, now)} ({cluster})" for step, cluster in steps[:SHOWN_STEPS]]
    more = len(steps) - len(named)
    tail = f" and {more} more" if more else ""
    at_once = sum(bounds.steps_per_cluster for one in pool if one.takes_work)
    verb = "is" if len(steps) == 1 else "are"
    return f"{_count(len(steps), 'step')} {verb} on them, of {at_once} at once: {', '.join(named)}{tail}"


def _on_their_way(record: PoolRecord) -> str:
    jobs = sum(claim.deed == "place" for claim in record.claims)
    return f"{_count(jobs, 'job')} may be on the way" if jobs else ""


def _waiting(record: PoolRecord, now: float) -> str:
    since = [at for one in record.waiting.values() for at in one.since]
    if not since:
        return ""
    verb = "waits" if len(since) == 1 else "wait"
    return f"{_count(len(since), 'job')} {verb}, the oldest for {duration_words(now - min(since))}"


def _begun(step: PoolStep, now: float) -> float:
    return next((at for at in (step.started_at, step.created_at) if at is not None), now)


def _age(step: PoolStep, now: float) -> str:
    return duration_words(now - _begun(step, now)) + ("" if step.started_at is not None else ", waiting")


def _name(step: PoolStep) -> str:
    """Give what people call a step; anybody may have named it anything."""
    return one_line(step.name.rpartition(MARK)[0] or step.name, SHOWN_CHARACTERS) or step.id


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
