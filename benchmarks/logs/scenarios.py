"""What is measured of reading logs: how much is written, how, and who reads it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks.goals import Goal
from benchmarks.logs.plan import LogShape
from benchmarks.scenarios import EMRKIT, Scenario
from benchmarks.schedule import Shape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.endpoint.buckets import Quota

BARE, HOOK, FETCHER = "GetLogEvents", "AwsLogsHook", "AwsTaskLogFetcher"
ASYNC, ECS = "AwsLogsHook-async", "TaskDoneTrigger"

OWN_HOOK = "CloudWatchLogsHook"

# Those that are no triggers: they read in threads of a process of their own, as a worker does.
PLAIN = (BARE, HOOK, FETCHER, OWN_HOOK)
LOG_READERS = (*PLAIN, ASYNC, ECS)

# Seconds between two looks of all of them.
PAUSE = 2.0

# Of an account and region.
CLOUDWATCH_QUOTAS: Mapping[str, Quota] = {"GetLogEvents": (25, 25.0), "DescribeLogStreams": (25, 25.0)}


@dataclass(frozen=True)
class LogScenario(Scenario):
    """One log. All who take part read the same events, which arrive at the same times.

    :param sink: Whether the lines go on into a task's log, and are counted where they come out of it.
    """

    sink: bool = False


def _scenario(
    name: str, title: str, log: LogShape, contestants: tuple[str, ...], goals: tuple[Goal, ...], *, sink: bool
) -> LogScenario:
    # The job runs for a while after its last event: nobody misses it because it was not waited for.
    ends = max(log.ends, _LEAST) + _REST
    return LogScenario(
        name,
        title,
        Shape(1, 1, arrival=0.1, first_end=ends, last_end=ends, at_once=True),
        interval=5,
        contestants=contestants,
        cut_off=ends + _DRAIN,
        settled=0,
        quotas=CLOUDWATCH_QUOTAS,
        goals=goals,
        log=log,
        sink=sink,
    )


# Seconds: for readers that find a log that is there already, from the last event to the end of the job, and
# from that to the end of the measurement.
_LEAST, _REST, _DRAIN = 10.0, 6.0, 30.0

_COMPLETE = (Goal("missing", "none lost", at_most=0), Goal("doubled", "none doubled", at_most=0))
_FAST = (
    Goal("rate", "≥ 20,000 events/s", no_less_than=20_000),
    Goal("calls_per_10_000", "≤ 2 calls for 10,000 events", at_most=2),
)
_SMOOTH = (Goal("lag_max", "event loop never held up for > 0.2 s", at_most=0.2),)

# All is there, but for some events of the last seconds that arrive later.
_STOCK = LogShape(1, 50_100, rate=1_000, begins=-50.1, late=0.01, lateness=10, twins=0.01)
# 4 streams that are written to, out of order.
_LIVE = LogShape(4, 2_000, rate=100, begins=4, late=0.05, lateness=10, twins=0.02)
# A job that writes a lot.
_BUSY = LogShape(1, 40_000, rate=2_000, begins=4, late=0.01, lateness=5, twins=0.01)

LOGS_FULL = (
    _scenario(
        "logs-bulk",
        "reading: 50,100 events, one stream",
        _STOCK,
        (BARE, HOOK, FETCHER, ASYNC, ECS, OWN_HOOK, EMRKIT),
        (*_FAST, *_COMPLETE),
        sink=False,
    ),
    _scenario(
        "logs-live",
        "reading: 4 streams, 100 events/s each, 20 s, 5 % late",
        _LIVE,
        (FETCHER, ECS, OWN_HOOK, EMRKIT),
        (*_COMPLETE, Goal("all_calls", "≤ 150 calls in all (40 s)", at_most=150)),
        sink=False,
    ),
    _scenario(
        "logs-sink",
        "into the task log: 2,000 lines/s, 20 s",
        _BUSY,
        (FETCHER, ECS, EMRKIT),
        (*_SMOOTH, *_COMPLETE),
        sink=True,
    ),
    _scenario(
        "logs-sink-bulk",
        "into the task log: 20,000 lines at once",
        replace(_STOCK, events=20_000, begins=-20),
        (FETCHER, ECS, EMRKIT),
        _COMPLETE,
        sink=True,
    ),
)

LOGS_QUICK = (
    _scenario(
        "logs-bulk-quick",
        "reading: 50,100 events, one stream",
        _STOCK,
        (FETCHER, EMRKIT),
        (*_FAST, *_COMPLETE),
        sink=False,
    ),
    _scenario(
        "logs-live-quick",
        "reading: 4 streams, 100 events/s each, 5 s, 5 % late",
        replace(_LIVE, events=500),
        (EMRKIT,),
        _COMPLETE,
        sink=False,
    ),
    _scenario(
        "logs-sink-quick",
        "into the task log: 2,000 lines/s, 6 s",
        replace(_BUSY, events=12_000),
        (EMRKIT,),
        (*_SMOOTH, *_COMPLETE),
        sink=True,
    ),
)
