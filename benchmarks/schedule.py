"""When each job of a run is deferred, starts and ends: the same for all who are compared."""

from __future__ import annotations

import random
from dataclasses import dataclass

from airflow_provider_emrkit.runs.token import RunToken

_ID_CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Job:
    """One step. Its times are seconds after the start of the run.

    :param number: From 1; the id of its trigger too.
    :param name: Of the step, with emrkit's mark in it.
    :param token: emrkit's, of that mark.
    :param deferred: When its task is deferred, so that its trigger is handed to the triggerer.
    :param starts: When it goes from PENDING to RUNNING.
    :param ends: When it is COMPLETED, whether somebody looks or not.
    """

    number: int
    cluster_id: str
    step_id: str
    name: str
    token: str
    deferred: float
    starts: float
    ends: float

    def state(self, now: float) -> str | None:
        """Give EMR's word for its state; None before it is submitted.

        >>> Job(1, "j-1", "s-1", "etl", "", 0.0, 2.0, 9.0).state(5.0)
        'RUNNING'
        """
        if now < self.deferred:
            return None
        if now < self.starts:
            return "PENDING"
        return "RUNNING" if now < self.ends else "COMPLETED"


@dataclass(frozen=True)
class Shape:
    """What a schedule is made of.

    :param jobs: How many.
    :param clusters: How many clusters they are spread over, evenly.
    :param arrival: They are deferred within so many seconds, at random.
    :param first_end: The first may end so many seconds after the start.
    :param last_end: All have ended by then; in between they end at random.
    :param at_once: Whether they start when they are deferred, and not at random between that and their end.
    """

    jobs: int
    clusters: int
    arrival: float
    first_end: float
    last_end: float
    at_once: bool = False


def make_schedule(shape: Shape, seed: int) -> tuple[Job, ...]:
    """Draw the jobs of a run, in the order in which they are deferred.

    :param seed: The same seed gives the same jobs.
    """
    dice = random.Random(seed)
    clusters = [f"j-{_identifier(dice)}" for _ in range(shape.clusters)]
    arrivals = sorted(dice.uniform(0.0, shape.arrival) for _ in range(shape.jobs))
    return tuple(
        _draw(number, clusters[number % shape.clusters], deferred, shape, dice)
        for number, deferred in enumerate(arrivals, start=1)
    )


def _draw(number: int, cluster_id: str, deferred: float, shape: Shape, dice: random.Random) -> Job:
    ends = dice.uniform(shape.first_end, shape.last_end)
    starts = deferred if shape.at_once else deferred + dice.uniform(0.1, 0.5) * (ends - deferred)
    token = RunToken("bench", "scheduled__2025-01-01T00:00:00+00:00", f"task_{number}", -1, 0, 1)
    name = token.marked(f"bench.task_{number}")
    return Job(number, cluster_id, f"s-{_identifier(dice)}", name, str(token), deferred, starts, ends)


def _identifier(dice: random.Random) -> str:
    return "".join(dice.choices(_ID_CHARACTERS, k=13))
