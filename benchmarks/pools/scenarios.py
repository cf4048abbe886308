"""What is measured of placing: jobs on a pool of clusters that are at work."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.goals import Goal
from benchmarks.scenarios import EMRKIT, RAISED, Scenario
from benchmarks.schedule import Shape

CLUSTERS, STEPS = 20, 50

# Steps that are there all the time.
_SHAPE = Shape(CLUSTERS * STEPS, CLUSTERS, arrival=0.0, first_end=3_600, last_end=3_600)


@dataclass(frozen=True)
class PlacementScenario(Scenario):
    """Jobs that are placed on a pool at the same time, several times over.

    :param placements: How many jobs.
    :param turns: How often.
    """

    placements: int = 1
    turns: int = 20


def _scenario(name: str, placements: int, turns: int, goals: tuple[Goal, ...]) -> PlacementScenario:
    jobs = "1 job" if placements == 1 else f"{placements} jobs at once"
    return PlacementScenario(
        name,
        f"{jobs}, pool of {CLUSTERS} clusters x {STEPS} steps",
        _SHAPE,
        interval=0,
        contestants=(EMRKIT,),
        cut_off=60,
        settled=0,
        quotas=RAISED,
        goals=(Goal("unplaced", "all placed", at_most=0), *goals),
        placements=placements,
        turns=turns,
    )


_DECISION = Goal("looks", "decided with ≤ 1 + clusters calls to EMR", at_most=1 + CLUSTERS)
_ONE = (
    _DECISION,
    Goal("cpu_ms", "< 150 ms of CPU", below=150),
    Goal("wall_ms", "placed within 1 s", below=1_000),
)
_MANY = (
    _DECISION,
    Goal("looks_per_placement", "decided with ≤ 0.25 calls to EMR a job", at_most=0.25),
    Goal("cpu_ms", "< 5 ms of CPU a job", below=5),
)

POOLS_FULL = (_scenario("pool-1", 1, 20, _ONE), _scenario("pool-100", 100, 10, _MANY))
POOLS_QUICK = (_scenario("pool-1-quick", 1, 5, _ONE), _scenario("pool-100-quick", 100, 3, _MANY))
