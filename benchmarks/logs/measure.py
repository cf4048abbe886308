"""``python -m benchmarks.logs.measure``: one contestant reads one log, watched from outside."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import psutil

from benchmarks.endpoint.tls import make_certificate
from benchmarks.logs.figures import LogFigures
from benchmarks.logs.plan import make_plan
from benchmarks.logs.programs import InThreads, InTriggerer, longest
from benchmarks.logs.scenarios import LOGS_FULL, LOGS_QUICK, PLAIN
from benchmarks.logs.tally import tally
from benchmarks.measurement import print_measured
from benchmarks.processes import Endpoint
from benchmarks.readings import Usage, ticking
from benchmarks.schedule import make_schedule

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.logs.plan import LogEvent
    from benchmarks.logs.programs import Reading
    from benchmarks.logs.scenarios import LogScenario
    from benchmarks.logs.tally import Tally


def measure(scenario: LogScenario, contestant: str, seed: int, folder: Path) -> LogFigures:
    """Run one contestant through one log.

    :param folder: An empty one.
    """
    certificate = make_certificate(folder)
    (job,) = make_schedule(scenario.shape, seed)
    plan = make_plan(scenario.log, seed) if scenario.log else ()
    with ExitStack() as stack:
        endpoint = Endpoint(scenario, seed, certificate)
        stack.callback(endpoint.close)
        kind = InThreads if contestant in PLAIN else InTriggerer
        environ = {"AWS_CA_BUNDLE": str(certificate.bundle)}
        reading: Reading = kind(scenario, contestant, endpoint.url, folder, environ)
        stack.callback(reading.close)
        process = psutil.Process(reading.pid)
        others = (psutil.Process(), psutil.Process(endpoint.pid))
        started = time.time()
        endpoint.start(started)
        began, before = time.time(), Usage.now(process, others)
        with ticking() as idle_lags:
            reading.read(job, started)
        ended, used = time.time(), Usage.now(process, others) - before
        counts = endpoint.counts()
        lines, lags, complaints = reading.finish()
        found = tally(plan, lines, started)
        held_up_at, held_up = longest(lags, min(counts["log_calls"], default=began), found.last)
        counted, counting, calls = _rated(plan, found, counts["log_calls"])
        return LogFigures(
            scenario=scenario.name,
            contestant=contestant,
            events=len(plan),
            missing=found.missing,
            doubled=found.doubled,
            counted=counted,
            counting=counting,
            calls=calls,
            all_calls=len(counts["log_calls"]),
            served=counts["served"],
            throttled=counts["throttled"],
            refused=counts["refused"],
            cpu=used.cpu,
            lag_max=held_up,
            lag_max_at=held_up_at - started,
            idle_lag_max=max(idle_lags, default=0.0),
            load=used.load(ended - began),
            latencies=found.latencies,
            complaints=complaints,
        )


def _rated(plan: Sequence[LogEvent], found: Tally, calls: Sequence[float]) -> tuple[int, float, int]:
    """Give how many events count for the rate, the seconds they took, and the calls.

    Of a log that is there from the start, its events, from the first call on. Of one that is being written
    all lines but those that came late, from the first to the last: it is the writing that takes the time.
    """
    is_there = sum(event.arrives <= 0 for event in plan) > len(plan) / 2
    if is_there:
        counted, first, last = found.stock, min(calls, default=0.0), found.stock_read
    else:
        counted = len(found.prompt)
        first, last = min(found.prompt, default=0.0), max(found.prompt, default=0.0)
    return counted, max(0.0, last - first), sum(at <= last for at in calls)


def main() -> None:
    """Measure once, and print the figures as JSON."""
    print_measured((*LOGS_FULL, *LOGS_QUICK), measure)


if __name__ == "__main__":
    main()
