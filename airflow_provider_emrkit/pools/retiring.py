"""Which clusters of a pool get no more work: pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_emrkit.pools.decision import Wanted
    from airflow_provider_emrkit.pools.order import PoolBounds
    from airflow_provider_emrkit.pools.record import PoolRecord
    from airflow_provider_emrkit.pools.standing import Standing

# Seconds that a spec is used by nobody before its clusters are ended. Two DAGs may define one pool in
# different ways; they are not to end each other's clusters by turns.
SPEC_REST = 600.0


def surplus(bounds: PoolBounds, jobs: Sequence[Wanted], pool: Sequence[Standing]) -> list[str]:
    """Give the clusters that a pool has too many, since its bound was lowered.

    Those with the least work go first, of them what does for no job at hand, then the youngest.
    """
    staying = [standing for standing in pool if standing.takes_work]
    too_many = max(0, len(staying) - bounds.max_clusters)

    def rank(one: Standing) -> tuple[int, bool, float]:
        created = one.cluster.created_at
        return one.active, does(one, jobs), -(math.inf if created is None else created)

    return [one.cluster.id for one in sorted(staying, key=rank)[:too_many]]


def outdated(jobs: Sequence[Wanted], pool: Sequence[Standing], record: PoolRecord, now: float) -> list[str]:
    """Give the clusters of another spec than the jobs at hand want, which nobody has used for a while.

    Those of the same spec that are too small are left to their idle timeout.
    """
    wanted = {job.spec for job in jobs}
    others = (one for one in pool if one.takes_work and one.cluster.mark.spec not in wanted)
    return [one.cluster.id for one in others if jobs and now - last_used(one, record) >= SPEC_REST]


def in_the_way(
    lacking: int, jobs: Sequence[Wanted], pool: Sequence[Standing], record: PoolRecord
) -> list[str]:
    """Give the clusters whose places the jobs at hand need, and that do for none of them.

    :param lacking: How many clusters are needed and can't be started.
    """
    useless = [one for one in pool if one.takes_work and not does(one, jobs)]
    idle = sorted((one for one in useless if one.is_idle), key=lambda one: last_used(one, record))
    at_work = sorted((one for one in useless if not one.is_idle), key=lambda one: one.active)
    ending = [one for one in pool if one.draining and not one.is_going]
    # What is about to end leaves its place at once, what still works leaves it some time.
    now = max(0, lacking - sum(one.is_idle for one in ending))
    later = max(0, lacking - len(ending) - len(idle[:now]))
    return [one.cluster.id for one in (*idle[:now], *at_work[:later])]


def last_used(standing: Standing, record: PoolRecord) -> float:
    """Tell when a cluster's spec was used last, as far as is known, in seconds since 1970."""
    cluster = standing.cluster
    known = (cluster.created_at, *(step.created_at for step in cluster.steps))
    return max(record.specs.get(cluster.mark.spec, 0.0), *(at or 0.0 for at in known))


def does(standing: Standing, jobs: Iterable[Wanted]) -> bool:
    """Tell whether a cluster does for at least one of some jobs."""
    return any(standing.cluster.mark.satisfies(job.spec, job.capacity) for job in jobs)
