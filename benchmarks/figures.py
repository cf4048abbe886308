"""What was measured of one run."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """Give the smallest value that at least a share of all are not above; NaN of nothing.

    >>> percentile([4.0, 1.0, 3.0, 2.0], 0.5)
    2.0
    """
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


class Latencies:
    """Figures that are made of how long things took.

    Of a dataclass with ``latencies``, in seconds.
    """

    latencies: Sequence[float]

    @property
    def latency_p50(self) -> float:
        """Seconds, median."""
        return percentile(self.latencies, 0.5)

    @property
    def latency_p95(self) -> float:
        """Seconds."""
        return percentile(self.latencies, 0.95)

    @property
    def latency_max(self) -> float:
        """Seconds."""
        return percentile(self.latencies, 1.0)

    def summary(self, *derived: str) -> dict[str, Any]:
        """Give all of it as plain JSON, the latencies in summary.

        :param derived: Further figures, by the names of their properties.
        """
        values = {name: value for name, value in asdict(self).items() if name != "latencies"}  # type: ignore[call-overload]
        names = (*derived, "latency_p50", "latency_p95", "latency_max")
        return {**values, **{name: _finite(getattr(self, name)) for name in names}}


@dataclass(frozen=True)
class Figures(Latencies):
    """One contestant's run of one scenario.

    :param jobs: How many triggers there were.
    :param seconds: From the first deferral to the last event, or to the cut-off.
    :param served: Calls that were answered, by operation.
    :param throttled: Calls that were refused for their number, by operation.
    :param refused: Calls that were refused for another reason, by operation and code.
    :param cpu: Seconds of processor time of the triggerer's process in that time, all threads, kernel
        included.
    :param kib: Memory per trigger: growth of the process (PSS, or USS where there is none) from just before
        the first one until all had started; clients and modules that the first one loads are part of it.
        NaN when they had not all started before the first job ended.
    :param kib_peak: The same, at its highest during the run.
    :param lag_max: The longest that the event loop was held up, in seconds.
    :param lag_max_at: When that was, in seconds after the start.
    :param lag_p99: What 99 % of its delays did not exceed.
    :param idle_lag_max: The same for a thread of another process, which only ticks: the machine's own part.
    :param connections: The most connections to AWS that were open at once.
    :param latencies: From the end of each job to its trigger's event, in seconds; of those whose event told
        that the job succeeded, and not before it had.
    :param failed: Triggers that ended with anything else.
    :param load: What other programs took of the machine meanwhile, 1.0 for all of it.
    :param complaints: The first warnings and errors of the triggerer's log.
    """

    scenario: str
    contestant: str
    jobs: int
    seconds: float
    served: Mapping[str, int]
    throttled: Mapping[str, int]
    refused: Mapping[str, int]
    cpu: float
    kib: float
    kib_peak: float
    lag_max: float
    lag_max_at: float
    lag_p99: float
    idle_lag_max: float
    connections: int
    failed: int
    load: float
    latencies: Sequence[float] = field(repr=False)
    complaints: Sequence[str] = ()

    @property
    def calls(self) -> int:
        """How many calls were made, those that were throttled included."""
        return sum(self.served.values()) + sum(self.throttled.values())

    @property
    def cpu_share(self) -> float:
        """How much of one core it took, over the whole run."""
        return self.cpu / self.seconds

    @property
    def unfinished(self) -> int:
        """How many jobs were not known to have succeeded at the end."""
        return self.jobs - len(self.latencies)

    def to_json(self) -> dict[str, Any]:
        """Give all of it, the latencies in summary."""
        return self.summary("kib", "calls", "cpu_share", "unfinished")


def _finite(value: float) -> float | None:
    return None if math.isnan(value) else value
