"""What a pool is busy with, in words for those who wait for it, and how often they are told."""

from __future__ import annotations

import time
from dataclasses import dataclass
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
# Seconds between two lines that say different things of one wait, and until the same is said again.
CHANGED = 60.0
UNCHANGED = 300.0


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
        _definitions(there),
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


@dataclass(slots=True)
class WaitingNews:
    """Tells what is new about a wait, and now and then that there is nothing new.

    :param pool: Name of the pool.

    >>> WaitingNews("medium").news("2 of 2 clusters are full", 0.0)
    'Waiting for room in pool medium: 2 of 2 clusters are full'
    """

    pool: str
    _last: str | None = None
    _told_at: float = 0.0

    def news(self, words: str, now: float) -> str | None:
        """Give a line when it is time for one.

        :param words: What the pool is busy with.
        :param now: Seconds, by any clock that runs on.
        """
        since = CHANGED if words != self._last else UNCHANGED
        if self._last is not None and now - self._told_at < since:
            return None
        self._last, self._told_at = words, now
        return f"Waiting for room in pool {self.pool}: {_short(self.pool, words)}"


def busy_message(pool: str, seconds: float, words: str) -> str:
    """Say that a job found no room in time.

    :param seconds: How long it waited.
    :param words: What the pool is busy with; empty where nobody knows.

    >>> busy_message("medium", 90.0, "2 of 2 clusters are full")
    'no room in pool medium within 90 s (wait_timeout), so the job was not placed: 2 of 2 clusters are full'
    """
    message = f"no room in pool {pool} within {seconds:.0f} s (wait_timeout), so the job was not placed"
    return f"{message}: {_short(pool, words)}" if words else message


def _clusters(name: str, pool: Sequence[Standing], unlisted: int, bounds: PoolBounds) -> str:
    states = {
        "starting": unlisted + sum(one.cluster.state in CLUSTER_COMING_UP for one in pool),
        "draining": sum(one.draining for one in pool),
    }
    some = ", ".join(f"{number} {word}" for word, number in states.items() if number)
    number = f"{len(pool) + unlisted} of {_count(bounds.max_clusters, 'cluster')}"
    shown = f"pool {name}" if name else "the pool"
    return f"{shown} has {number}" + (f" ({some})" if some else "")


def _definitions(pool: Sequence[Standing]) -> str:
    """Warn of a pool that several DAGs define differently, or whose definition was changed."""
    specs = {one.cluster.mark.spec for one in pool}
    return f"they are of {len(specs)} definitions, and a job takes those of its own" if len(specs) > 1 else ""


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
    jobs = len(record.claims_to("place"))
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


def _short(pool: str, words: str) -> str:
    """Name the pool once."""
    for named in (f"pool {pool} has ", "the pool has "):
        if words.startswith(named):
            return f"it has {words.removeprefix(named)}"
    return words
