"""Pools for the tests of what decides about them: clusters, steps, claims and jobs, in few words."""

from __future__ import annotations

from typing import Any

from airflow_provider_emrkit.compute.pool_mark import PoolMark, PoolPlace
from airflow_provider_emrkit.pools.decision import Wanted
from airflow_provider_emrkit.pools.record import Claim, PoolRecord, Waiting
from airflow_provider_emrkit.pools.survey import PoolCluster, PoolStep, Survey

NOW = 1_700_000_000.0
PLACE = PoolPlace("medium", "", "s3://my-bucket/emrkit/pools/medium.json")
SPEC, OTHER_SPEC = "0123456789ab", "ba9876543210"
SIZE, BIGGER, SMALLER = (1, 2, 8), (1, 4, 8), (1, 1, 8)


def token(number: int) -> str:
    """Give the run token of a job."""
    return f"{number:016x}-0-1"


def start_id(number: int) -> str:
    """Give the id of a cluster's start."""
    return f"{number:012x}"


def step(number: int, state: str = "RUNNING", age: float = 60.0, name: str = "sales.load") -> PoolStep:
    """Make a step of a job, placed some seconds ago."""
    started = None if state == "PENDING" else NOW - age
    return PoolStep(f"s-{number}", f"{name} emrkit:{token(number)}", state, NOW - age, started)


def cluster(
    number: int,
    state: str = "WAITING",
    steps: Any = (),
    *,
    spec: str = SPEC,
    capacity: tuple[int, int, int] = SIZE,
    age: float | None = None,
) -> PoolCluster:
    """Make a cluster: the lower its number, the older.

    :param steps: The numbers of the jobs that run on it, or steps.
    """
    mark = PoolMark(PLACE.name, PLACE.key, spec, capacity, start_id(number))
    created = NOW - (3_600.0 - number if age is None else age)
    its_steps = tuple(one if isinstance(one, PoolStep) else step(one) for one in steps)
    return PoolCluster(f"j-{number}", mark.marked(), mark, state, created, created, its_steps)


def survey(*clusters: PoolCluster) -> Survey:
    """Make a survey of clusters."""
    return Survey(clusters)


def job(
    number: int, waits: float = 10.0, *, spec: str = SPEC, capacity: tuple[int, int, int] = SIZE
) -> Wanted:
    """Make a job that has waited for some seconds."""
    return Wanted(token(number), NOW - waits, spec, capacity)


def jobs(*numbers: int, **wishes: Any) -> list[Wanted]:
    """Make jobs, the first of which has waited longest."""
    return [job(number, 100.0 - index, **wishes) for index, number in enumerate(numbers)]


def placing(number: int, cluster_id: str, lasts: float = 60.0) -> Claim:
    """Make the claim of a placement."""
    return Claim("place", token(number), cluster_id, NOW + lasts)


def starting(number: int, cluster_id: str = "", lasts: float = 60.0) -> Claim:
    """Make the claim of a start."""
    return Claim("start", start_id(number), cluster_id, NOW + lasts)


def record(*claims: Claim, **others: Any) -> PoolRecord:
    """Make a record."""
    return PoolRecord(claims=claims, **others)


def waiting(*waits: float, seen: float = 5.0) -> Waiting:
    """Make what a process tells of jobs that have waited for some seconds."""
    return Waiting(NOW - seen, tuple(sorted(NOW - one for one in waits)))
