"""Which clusters of a pool get no more work: pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from airflow_provider_emrkit.compute.pool_mark import PoolMark

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

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
    lacking: Sequence[Wanted],
    steps_per_cluster: int,
    pool: Sequence[Standing],
    record: PoolRecord,
    spared: Collection[str],
) -> list[str]:
    """Give the clusters whose places the oldest job needs that has none, and others like it.

    Those that do for that job are full, and get room again. Others may do for younger jobs, which would keep
    them busy for ever, and the older one waiting.

    :param lacking: The jobs for which there is no room and can't be made, the oldest first.
    :param pool: The clusters, with the work that they get now.
    :param spared: Those that get work which is older still.
    """
    if not lacking:
        return []
    oldest = lacking[0]
    like_it = PoolMark("", "", oldest.spec, oldest.capacity, "")
    jobs = sum(like_it.satisfies(job.spec, job.capacity) for job in lacking)
    needed = math.ceil(jobs / steps_per_cluster)
    candidates = (one for one in pool if one.takes_work and one.cluster.id not in spared)
    useless = [one for one in candidates if not does(one, [oldest])]
    idle = sorted((one for one in useless if one.is_idle), key=lambda one: last_used(one, record))
    at_work = sorted((one for one in useless if not one.is_idle), key=lambda one: one.active)
    ending = [one for one in pool if one.draining and not one.is_going]
    # What is idle leaves its place at once, what still works leaves it some time.
    now = max(0, needed - sum(one.is_idle for one in ending))
    later = max(0, needed - len(ending) - len(idle[:now]))
    return [one.cluster.id for one in (*idle[:now], *at_work[:later])]


def last_used(standing: Standing, record: PoolRecord) -> float:
    """Tell when a cluster's spec was used last, as far as is known, in seconds since 1970."""
    cluster = standing.cluster
    known = (cluster.created_at, *(step.created_at for step in cluster.steps))
    return max(record.specs.get(cluster.mark.spec, 0.0), *(at or 0.0 for at in known))


def does(standing: Standing, jobs: Iterable[Wanted]) -> bool:
    """Tell whether a cluster does for at least one of some jobs."""
    return any(standing.cluster.mark.satisfies(job.spec, job.capacity) for job in jobs)
