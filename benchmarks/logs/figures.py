"""What was measured of one contestant who read a job's log."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.figures import Latencies

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class LogFigures(Latencies):
    """One contestant's run of one load.

    :param events: How many events there were.
    :param missing: How many of them no line showed when it was over.
    :param doubled: Lines that showed once more what others had shown.
    :param counted: Lines that are taken for ``rate``: those of a log that was there from the start, else
        those whose events were not late.
    :param counting: The seconds that these took: from the first call, or the first line, to the last line.
    :param calls: Calls to CloudWatch Logs until then.
    :param all_calls: Those until the end.
    :param served: Calls that were answered, by operation.
    :param throttled: Calls that were refused for their number, by operation.
    :param refused: Calls that were refused for another reason, by operation and code.
    :param cpu: Seconds of processor time of the process that reads, until the end.
    :param lag_max: The longest that the event loop was held up between the first call and the last line, in
        seconds; NaN where there is none.
    :param lag_max_at: When that was, in seconds after the start.
    :param idle_lag_max: The same for a thread of another process, which only ticks: the machine's own part.
    :param load: What other programs took of the machine meanwhile, 1.0 for all of it.
    :param latencies: From the arrival of each event to its line, in seconds.
    :param complaints: The first warnings and errors of the log.
    """

    scenario: str
    contestant: str
    events: int
    missing: int
    doubled: int
    counted: int
    counting: float
    calls: int
    all_calls: int
    served: Mapping[str, int]
    throttled: Mapping[str, int]
    refused: Mapping[str, int]
    cpu: float
    lag_max: float
    lag_max_at: float
    idle_lag_max: float
    load: float
    latencies: Sequence[float] = field(repr=False)
    complaints: Sequence[str] = ()

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.counted / self.counting if self.counting > 0 else 0.0

    @property
    def calls_per_10_000(self) -> float:
        """Calls for 10,000 events."""
        return self.calls / self.counted * 10_000 if self.counted else math.inf

    def to_json(self) -> dict[str, Any]:
        """Give all of it, the latencies in summary."""
        return self.summary("lag_max", "rate", "calls_per_10_000")
