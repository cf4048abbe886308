"""How a pool comes to have a number of clusters: pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_provider_emrkit.pools.awaiting import claimed_starts
from airflow_provider_emrkit.pools.decision import Wanted
from airflow_provider_emrkit.pools.growing import places_left
from airflow_provider_emrkit.pools.retiring import in_the_way, surplus
from airflow_provider_emrkit.pools.standing import standings, unlisted_starts

if TYPE_CHECKING:
    from airflow_provider_emrkit.pools.pool_setup import PoolSetup
    from airflow_provider_emrkit.pools.record import PoolRecord
    from airflow_provider_emrkit.pools.survey import Survey


@dataclass(frozen=True)
class SizePlan:
    """What brings a pool to a number of clusters, as far as may be.

    :param serving: Ids of the clusters that get work, those that start included.
    :param starts: How many to start now.
    :param surplus: Ids of those that are too many; they get no more work.
    :param in_the_way: Ids of clusters of other settings whose places are needed; they get no more work.
    :param missing: How many there will be too few all the same, since the pool may not grow further.

    >>> SizePlan(starts=2).missing
    0
    """

    serving: tuple[str, ...] = ()
    starts: int = 0
    surplus: tuple[str, ...] = ()
    in_the_way: tuple[str, ...] = ()
    missing: int = 0


def plan_size(setup: PoolSetup, size: int, survey: Survey, record: PoolRecord, *, shrink: bool) -> SizePlan:
    """Plan a pool's way to a number of clusters that do for jobs of a setup.

    :param record: What the survey lists must have been settled.
    :param shrink: Whether there may be too many: the idle ones go first, then those with the fewest steps.
    """
    pool = standings(survey, record, setup.bounds.steps_per_cluster)
    serving = [one for one in pool if one.takes_work and setup.is_served_by(one.cluster.mark)]
    claimed = claimed_starts(record)
    missing = size - len(serving) - len(claimed)
    job = Wanted("", 0.0, setup.spec, setup.capacity)
    if missing <= 0:
        bounds = replace(setup.bounds, max_clusters=max(0, size - len(claimed)))
        too_many = surplus(bounds, [job], serving) if shrink else []
        kept = [one.cluster.id for one in serving if one.cluster.id not in too_many]
        return SizePlan(tuple(kept), surplus=tuple(too_many))
    starts = min(missing, places_left(setup.bounds, pool, unlisted_starts(record, 1)))
    lacking = missing - starts
    return SizePlan(
        tuple(one.cluster.id for one in serving),
        starts=starts,
        in_the_way=tuple(in_the_way([job] * lacking, 1, pool, record, ())),
        missing=lacking,
    )
