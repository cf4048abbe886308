"""``python -m benchmarks.measure``: one contestant under a scenario's load, watched from outside."""

from __future__ import annotations

import math
import time
from contextlib import ExitStack
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks.contestants import CONTESTANTS, connections
from benchmarks.endpoint.tls import make_certificate
from benchmarks.figures import Figures, percentile
from benchmarks.measurement import print_measured
from benchmarks.processes import Endpoint, Triggerer
from benchmarks.readings import Usage, memory, ticking
from benchmarks.scenarios import FLOOR, FULL, QUICK
from benchmarks.schedule import make_schedule
from benchmarks.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from airflow.triggers.base import BaseTrigger

    from benchmarks.scenarios import Scenario

# The triggerer syncs once a second; by the third time it has done all it does before there is a trigger.
IDLE_SYNCS = 3

# Seconds between two looks at the process's memory.
SAMPLE = 2.0


def measure(scenario: Scenario, contestant: str, seed: int, folder: Path) -> Figures:
    """Run one contestant through one scenario.

    :param folder: An empty one.
    :raises benchmarks.supervisor.SilentError: when the triggerer ends or hangs.
    """
    certificate = make_certificate(folder)
    environ = {"AWS_CA_BUNDLE": str(certificate.bundle), **CONTESTANTS[contestant].environ(scenario)}
    with ExitStack() as stack:
        endpoint = Endpoint(scenario, seed, certificate)
        stack.callback(endpoint.close)
        triggerer = Triggerer(folder, environ)
        stack.callback(triggerer.close)
        return _Run(scenario, contestant, seed, endpoint, triggerer).measure()


class _Run:
    def __init__(
        self, scenario: Scenario, contestant: str, seed: int, endpoint: Endpoint, triggerer: Triggerer
    ) -> None:
        self._scenario = scenario
        self._contestant = CONTESTANTS[contestant]
        self._name = contestant
        self._jobs = make_schedule(scenario.shape, seed)
        self._endpoint = endpoint
        self._triggerer = triggerer
        self._process = psutil.Process(triggerer.process.pid)
        self._others = (psutil.Process(), psutil.Process(endpoint.pid))
        self._started: float | None = None
        self._created = 0
        self._idle = 0.0
        self._memory: float | None = None
        self._peak = 0.0
        self._next_sample = 0.0
        self._supervisor = Supervisor(triggerer.sock, connections(scenario, endpoint.url), self._due)

    def measure(self) -> Figures:
        self._supervisor.serve(lambda: self._supervisor.syncs >= IDLE_SYNCS)
        self._idle = memory(self._process)
        before = Usage.now(self._process, self._others)
        self._started = time.time()
        self._endpoint.start(self._started)
        with ticking() as idle_lags:
            self._supervisor.serve(self._is_over)
        seconds = time.time() - self._started
        used = Usage.now(self._process, self._others) - before
        counts = self._endpoint.counts()
        self._triggerer.stop()
        self._supervisor.serve_to_the_end()
        return self._figures(seconds, used, counts, max(idle_lags, default=0.0))

    def _due(self) -> Sequence[tuple[int, BaseTrigger]]:
        """Give the triggers of the jobs that have been deferred since the last time."""
        if self._started is None:
            return ()
        now, first = time.time() - self._started, self._created
        while self._created < len(self._jobs) and self._jobs[self._created].deferred <= now:
            self._created += 1
        new = self._jobs[first : self._created]
        return [(job.number, self._contestant.trigger(job, self._scenario)) for job in new]

    def _is_over(self) -> bool:
        elapsed = time.time() - (self._started or 0.0)
        if elapsed >= self._next_sample:
            self._next_sample = elapsed + SAMPLE
            self._sample(elapsed)
        finished = len(self._supervisor.payloads.keys() | self._supervisor.failures.keys())
        return finished == len(self._jobs) or elapsed >= self._scenario.cut_off

    def _sample(self, elapsed: float) -> None:
        used = memory(self._process)
        self._peak = max(self._peak, used)
        waiting = self._scenario.settled <= elapsed < self._scenario.shape.first_end
        if self._memory is not None or not waiting:
            return
        # Those that are throttled, or starved by other programs, may not all have started.
        if self._name == FLOOR or self._endpoint.counts()["shown"] == len(self._jobs):
            self._memory = used

    def _figures(self, seconds: float, used: Usage, counts: dict[str, Any], idle_lag: float) -> Figures:
        started = self._started or 0.0
        report = self._triggerer.report()
        lags = [(at, lag) for at, lag in report["lags"] if started <= at <= started + seconds]
        longest_at, longest = max(lags, key=itemgetter(1), default=(started, 0.0))
        latencies, failed = self._results(report["fired"])
        return Figures(
            scenario=self._scenario.name,
            contestant=self._name,
            jobs=len(self._jobs),
            seconds=seconds,
            served=counts["served"],
            throttled=counts["throttled"],
            refused=counts["refused"],
            cpu=used.cpu,
            kib=math.nan if self._memory is None else self._kib(self._memory),
            kib_peak=self._kib(self._peak),
            lag_max=longest,
            lag_max_at=longest_at - started,
            lag_p99=percentile([lag for _, lag in lags], 0.99),
            idle_lag_max=idle_lag,
            connections=counts["connections"],
            failed=failed,
            load=used.load(seconds),
            latencies=latencies,
            complaints=self._complaints(),
        )

    def _kib(self, used: float) -> float:
        return (used - self._idle) / len(self._jobs) / 1024

    def _results(self, fired: dict[str, float]) -> tuple[list[float], int]:
        """Give the latencies of those who told the truth, and how many did not."""
        jobs = {job.number: job for job in self._jobs}
        latencies, failed = [], len(self._supervisor.failures)
        for number, payload in self._supervisor.payloads.items():
            latency = fired[str(number)] - (self._started or 0.0) - jobs[number].ends
            if latency >= 0 and self._contestant.succeeded(payload):
                latencies.append(latency)
            else:
                failed += 1
        return latencies, failed

    def _complaints(self) -> list[str]:
        wrong = [
            f"event of trigger {number}: {payload}"
            for number, payload in self._supervisor.payloads.items()
            if not self._contestant.succeeded(payload)
        ]
        return [*list(self._supervisor.failures.values())[:3], *wrong[:3], *self._triggerer.complaints]


def main() -> None:
    """Measure once, and print the figures as JSON."""
    print_measured((*FULL, *QUICK), measure)


if __name__ == "__main__":
    main()
