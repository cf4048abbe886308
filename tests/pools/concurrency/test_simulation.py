"""Fifty processes that use one pool at once, with something going wrong between any two calls.

They run in virtual time against an S3 and an EMR in memory. A failure tells its seed and the calls that led
to it; ``EMRKIT_POOL_SEED=17 pytest tests/pools/concurrency/test_simulation.py`` repeats it and shows all calls.
"""

from __future__ import annotations

import os

import pytest
from pool_world.day import Day
from pool_world.invariants import broken

ROUNDS = 200
# So many rounds are one test, so that workers of pytest-xdist share them.
AT_ONCE = 10
# Calls that a failure shows.
SHOWN = 60


def told(day: Day, lines: int) -> str:
    return "\n".join(
        f"{moment - 1_800_000_000:9.3f} " + " ".join(str(part)[:300] for part in parts)
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
        assert not problems, f"seed {seed}, {day.plan}:\n" + "\n".join(problems) + "\n" + told(day, lines or 10**9)


def test_the_same_seed_gives_the_same_day():
    first, second = (Day(4).run() for _ in range(2))
    assert [step.token for steps in first.emr.steps.values() for step in steps] == [
        step.token for steps in second.emr.steps.values() for step in steps
    ]
    assert len(first.world.trace) == len(second.world.trace)
