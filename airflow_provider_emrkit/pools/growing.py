"""How many clusters a pool lacks: pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from airflow_provider_emrkit.pools.selection import fewest_steps

if TYPE_CHECKING:
    from collections.abc import Sequence, Sized

    from airflow_provider_emrkit.pools.decision import Wanted
    from airflow_provider_emrkit.pools.order import PoolBounds
    from airflow_provider_emrkit.pools.rooms import Rooms
    from airflow_provider_emrkit.pools.standing import Standing


def growth(
    bounds: PoolBounds,
    jobs: Sequence[Wanted],
    others: int,
    pool: Sequence[Standing],
    rooms: Rooms,
    unlisted: Sequence[int],
) -> list[Wanted]:
    """Tell which clusters to start: what the jobs need that find no room, within the pool's bounds.

    :param jobs: The jobs of this process, the oldest first.
    :param others: How many jobs other processes have waiting that are like the oldest of these.
    :param pool: The clusters there are.
    :param rooms: Their room; it is left as it is.
    :param unlisted: The room of each cluster that may be starting, whatever that is like.
    :return: For each cluster to start, the job that tells what it is like.
    """
    if not jobs:
        return []
    places = places_left(bounds, pool, unlisted)
    models, spare = _own(jobs, rooms.copy(), sum(unlisted), places, bounds.steps_per_cluster)
    for_others = math.ceil(max(0, others - spare) / bounds.steps_per_cluster)
    to_minimum = bounds.min_clusters - _alike(jobs[0], pool) - len(unlisted) - len(models)
    more = min(places - len(models), max(for_others, to_minimum, 0))
    return models + [jobs[0]] * more


def places_left(bounds: PoolBounds, pool: Sequence[Standing], unlisted: Sized) -> int:
    """Tell how many clusters may be started, of any spec; those that end already leave their place."""
    there = sum(not standing.is_going for standing in pool)
    return max(0, bounds.max_clusters - there - len(unlisted))


def _own(
    jobs: Sequence[Wanted], rooms: Rooms, unlisted: int, places: int, steps: int
) -> tuple[list[Wanted], int]:
    """Give what to start for this process's jobs, and the room that they leave."""
    models: list[Wanted] = []
    full = set()  # wishes: what one found no room for has none for another
    for job in jobs:
        fitting = () if job.wishes in full else rooms.fitting(job)
        if fitting:
            rooms.take(fewest_steps(fitting))
        elif unlisted > 0:
            unlisted -= 1
        elif len(models) < places:
            start = f"start {len(models)}"
            models.append(job)
            rooms.plan(start, job, steps)
            rooms.take(start)
        else:
            full.add(job.wishes)
    return models, unlisted + sum(one.room for one in rooms.fitting(*jobs))


def _alike(job: Wanted, pool: Sequence[Standing]) -> int:
    marks = (standing.cluster.mark for standing in pool if standing.takes_work)
    return sum(mark.satisfies(job.spec, job.capacity) for mark in marks)
