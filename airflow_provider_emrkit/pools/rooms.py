"""The room for jobs that a pool has while a decision is made, on its clusters and on those it is to start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_emrkit.compute.pool_mark import PoolMark
from airflow_provider_emrkit.pools.selection import Candidate
from airflow_provider_emrkit.runs.states import CLUSTER_COMING_UP, CLUSTER_UP

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_emrkit.pools.decision import Wanted
    from airflow_provider_emrkit.pools.standing import Standing

# The state of a cluster that is only to be started.
PLANNED = "PLANNED"

# In this order: a job on a cluster that is up begins at once, on one that starts it waits for the boot.
TIERS = (CLUSTER_UP, CLUSTER_COMING_UP, frozenset({PLANNED}))


class Rooms:
    """Where jobs can go; it changes as they are placed.

    >>> rooms = Rooms()
    >>> rooms.plan("ba9876543210", job, steps=2)  # doctest: +SKIP
    >>> [one.room for one in rooms.fitting(job)]  # doctest: +SKIP
    [2]
    """

    def __init__(self, candidates: Iterable[Candidate] = ()) -> None:
        self._candidates = {one.id: one for one in candidates}

    @classmethod
    def of(cls, pool: Iterable[Standing]) -> Rooms:
        """Give those of a pool's clusters."""
        return cls(_candidate(standing) for standing in pool)

    def copy(self) -> Rooms:
        """Give the same, to try something with."""
        return Rooms(self._candidates.values())

    def plan(self, start: str, job: Wanted, steps: int) -> None:
        """Add a cluster that is to be started and will be as a job wishes it."""
        mark = PoolMark("", "", job.spec, job.capacity, start)
        self._candidates[start] = Candidate(start, "", PLANNED, mark, steps=0, room=steps)

    def fitting(self, *jobs: Wanted) -> list[Candidate]:
        """Give what has room and does for at least one of some jobs."""
        return [
            one
            for one in self._candidates.values()
            if one.room > 0 and any(one.mark.satisfies(job.spec, job.capacity) for job in jobs)
        ]

    def take(self, cluster: str) -> None:
        """Put a job on a cluster."""
        self._candidates[cluster] = self._candidates[cluster].with_job()


def _candidate(standing: Standing) -> Candidate:
    cluster = standing.cluster
    started = tuple(step.started_at for step in cluster.steps if step.started_at is not None)
    return Candidate(
        cluster.id,
        cluster.name,
        cluster.state,
        cluster.mark,
        standing.active,
        standing.room,
        cluster.created_at,
        started,
    )
