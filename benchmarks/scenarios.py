"""What is measured: sizes, intervals, quotas, and who takes part."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.endpoint.buckets import EMR_DEFAULTS, Quota
from benchmarks.goals import Goal
from benchmarks.schedule import Shape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.logs.plan import LogShape

EMRKIT, SENSOR, ADD_STEPS = "emrkit", "EmrStepSensorTrigger", "EmrAddStepsTrigger"
PEERS = (SENSOR, ADD_STEPS)

# Takes part in any load, but only when it is named.
FLOOR = "floor"

# An account that has had its quotas raised: no bucket of the endpoint is ever empty.
RAISED: Mapping[str, Quota] = {}


@dataclass(frozen=True)
class Scenario:
    """One load. All who take part get the same jobs at the same times.

    :param name: For ``--only``.
    :param title: What the table says.
    :param interval: Seconds between two looks at a job's state.
    :param contestants: Who takes part, the one that the others are compared with last.
    :param cut_off: Seconds after the start at which it is over, whoever has not ended.
    :param quotas: What the endpoint lets pass.
    :param push: Whether state changes also come through a queue.
    :param settled: Seconds after the start at which all triggers have long been started: memory is measured.
    :param goals: What emrkit is to reach.
    :param together: Whether its runs may go on at the same time as those of its like: where throttling
        decides, and not the processor.
    :param log: What the first job writes to CloudWatch Logs, if anything.
    """

    name: str
    title: str
    shape: Shape
    interval: float
    contestants: tuple[str, ...]
    cut_off: float
    settled: float
    quotas: Mapping[str, Quota] = field(default_factory=dict)
    push: bool = False
    goals: tuple[Goal, ...] = ()
    together: bool = False
    log: LogShape | None = None


FULL = (
    Scenario(
        "steps-1000",
        "1,000 steps, 20 clusters, 10 s",
        Shape(1_000, 20, arrival=15, first_end=70, last_end=110),
        interval=10,
        contestants=(SENSOR, ADD_STEPS, EMRKIT),
        cut_off=240,
        settled=55,
        quotas=RAISED,
        goals=(
            Goal("calls", "≥ 15 times fewer API calls", at_least=15, than=PEERS),
            Goal("cpu", "≥ 10 times less CPU", at_least=10, than=PEERS),
            Goal("kib", "≥ 30 times less memory per trigger", at_least=30, than=PEERS),
            Goal("lag_max", "event-loop lag < 0.7 s", below=0.7),
        ),
    ),
    Scenario(
        "steps-10000",
        "10,000 steps, 40 clusters, 10 s",
        Shape(10_000, 40, arrival=30, first_end=75, last_end=130),
        interval=10,
        contestants=(EMRKIT,),
        cut_off=240,
        settled=60,
        quotas=RAISED,
        goals=(
            Goal("cpu_share", "< 25 % of a core", below=0.25),
            Goal("kib", "< 20 KiB a trigger", below=20),
        ),
    ),
    Scenario(
        "quotas-100",
        "100 steps, 20 clusters, 30 s, default quotas",
        Shape(100, 20, arrival=10, first_end=30, last_end=60),
        interval=30,
        contestants=(SENSOR, EMRKIT),
        cut_off=330,
        settled=28,
        quotas=EMR_DEFAULTS,
        together=True,
        goals=(
            Goal("unfinished", "all detected", below=1),
            Goal("latency_p50", "median ≤ 30 s", below=30),
        ),
    ),
    Scenario(
        "quotas-1000",
        "1,000 steps, 20 clusters, 30 s, default quotas",
        Shape(1_000, 20, arrival=15, first_end=30, last_end=60),
        interval=30,
        contestants=(SENSOR, EMRKIT),
        cut_off=330,
        settled=28,
        quotas=EMR_DEFAULTS,
        together=True,
        goals=(
            Goal("unfinished", "all detected", below=1),
            Goal("latency_p50", "median ≤ 30 s", below=30),
        ),
    ),
    Scenario(
        "push-1000",
        "1,000 steps, 20 clusters, pushed (SQS)",
        Shape(1_000, 20, arrival=10, first_end=30, last_end=60),
        interval=30,
        contestants=(EMRKIT,),
        cut_off=150,
        settled=28,
        quotas=EMR_DEFAULTS,
        push=True,
        goals=(
            Goal("unfinished", "all detected", below=1),
            Goal("latency_p95", "p95 ≤ 1 s", below=1.0),
        ),
    ),
)

# The same kinds of load at a size that a continuous integration can bear. The figures of so few triggers are
# mostly those of starting up, so the goals are lower.
QUICK = (
    Scenario(
        "steps-100",
        "100 steps, 4 clusters, 5 s",
        Shape(100, 4, arrival=3, first_end=14, last_end=20),
        interval=5,
        contestants=(SENSOR, EMRKIT),
        cut_off=60,
        settled=8,
        quotas=RAISED,
        goals=(
            Goal("unfinished", "all detected", below=1),
            Goal("calls", "≥ 3 times fewer API calls", at_least=3, than=(SENSOR,)),
            Goal("cpu", "≥ 2 times less CPU", at_least=2, than=(SENSOR,)),
            Goal("kib", "≥ 4 times less memory per trigger", at_least=4, than=(SENSOR,)),
        ),
    ),
    Scenario(
        "quotas-40",
        "40 steps, 10 clusters, 10 s, default quotas",
        Shape(40, 10, arrival=3, first_end=8, last_end=12),
        interval=10,
        contestants=(SENSOR, EMRKIT),
        cut_off=40,
        settled=6,
        quotas=EMR_DEFAULTS,
        together=True,
        goals=(Goal("unfinished", "all detected", below=1),),
    ),
    Scenario(
        "push-100",
        "100 steps, 20 clusters, pushed (SQS)",
        Shape(100, 20, arrival=2, first_end=6, last_end=10),
        interval=30,
        contestants=(EMRKIT,),
        cut_off=45,
        settled=5,
        quotas=EMR_DEFAULTS,
        push=True,
        goals=(
            Goal("unfinished", "all detected", below=1),
            Goal("latency_p95", "p95 ≤ 1 s", below=1.0),
        ),
    ),
)
