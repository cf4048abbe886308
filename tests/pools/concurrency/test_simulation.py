"""Fifty processes that use one pool at once, with something going wrong between any two calls.

They run in virtual time against an S3 and an EMR in memory. A failure tells its seed and the calls that led
to it; with ``EMRKIT_POOL_SEED=17`` in the environment that seed alone is run, and all calls are shown.
"""

from __future__ import annotations

import os

import pytest
from pool_world.day import Day, Plan
from pool_world.invariants import broken
from pool_world.scheduler import EPOCH

from airflow_provider_emrkit.pools.lease import SECONDS
from airflow_provider_emrkit.pools.order import PoolBounds

ROUNDS = 200
# So many rounds are one test, so that workers of pytest-xdist share them.
AT_ONCE = 10
# Calls that a failure shows.
SHOWN = 60


def told(day: Day, lines: int) -> str:
    return "\n".join(
        f"{moment - EPOCH:9.3f} " + " ".join(str(part)[:300] for part in parts)
        for moment, *parts in day.world.trace[-lines:]
    )


def seeds() -> list[range]:
    only = os.environ.get("EMRKIT_POOL_SEED")
    if only:
        return [range(int(only), int(only) + 1)]
    return [range(first, first + AT_ONCE) for first in range(0, ROUNDS, AT_ONCE)]


@pytest.mark.parametrize("rounds", seeds(), ids=lambda rounds: f"{rounds.start}-{rounds.stop - 1}")
def test_the_invariants_of_a_pool_hold_whatever_goes_wrong(rounds):
    for seed in rounds:
        day = Day(seed).run()
        problems = broken(day)
        lines = None if "EMRKIT_POOL_SEED" in os.environ else SHOWN
        assert not problems, (
            f"seed {seed}, {day.plan}:\n" + "\n".join(problems) + "\n" + told(day, lines or 10**9)
        )


def test_fifty_jobs_of_one_second_start_three_clusters_that_are_all_used():
    day = Day(1, Plan(PoolBounds(3, 0, 4), busy=3_600.0)).run()
    assert broken(day) == []
    assert [len(cluster.steps) > 4 for cluster in day.emr.clusters.values()][:3] == [True] * 3
    assert sorted(len(job.steps(day.emr)) for job in day.jobs) == [1] * 51


@pytest.mark.parametrize("seed", range(4))
def test_who_waits_longest_is_next(seed):
    day = Day(seed, Plan(PoolBounds(1, 0, 2), spread=200.0)).run()
    assert broken(day) == []
    jobs = [(job.order.since, job.steps(day.emr)[0].created) for job in day.jobs]
    overtaken_by = [
        younger - since for since, placed in jobs for younger, earlier in jobs if earlier < placed
    ]
    # Each process tries every ten seconds or so, and it takes the lease some to come round to all of them.
    assert max(overtaken_by) < 40
    assert max(placed - since for since, placed in jobs) > 200


def test_idle_clusters_of_another_definition_leave_their_places_at_once():
    # Two definitions, clusters of both; jobs of both want all the places.
    day = Day(1, Plan(PoolBounds(2, 0, 2), specs=2, there=2)).run()
    assert broken(day) == []
    assert [cluster.why for cluster in day.emr.clusters.values()].count("asked") > 0


def test_a_holder_that_died_is_waited_for_no_longer_than_its_lease_lasts():
    day = Day(1, Plan(PoolBounds(2, 0, 25)))
    day.faults.planned["list_clusters"] = "die before"
    day.run()
    assert broken(day) == []
    first, *_ = sorted(step.created for steps in day.emr.steps.values() for step in steps)
    assert SECONDS < first - EPOCH < SECONDS + 10


def test_the_same_seed_gives_the_same_day():
    first, second = (Day(4).run() for _ in range(2))
    assert [step.token for steps in first.emr.steps.values() for step in steps] == [
        step.token for steps in second.emr.steps.values() for step in steps
    ]
    assert len(first.world.trace) == len(second.world.trace)
