"""What was measured of placing jobs on a pool."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.figures import Latencies, percentile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ACT = "AddJobFlowSteps"
OF_S3 = ("GetObject", "PutObject")


@dataclass(frozen=True)
class PlacementFigures(Latencies):
    """One process that places jobs, several times over.

    :param placements: Jobs that are placed at the same time.
    :param clusters: Clusters of the pool.
    :param turns: How often that was done; the first, which opens connections, is none of them.
    :param served: Calls that were answered in a turn, by operation; of each, in the turn that took the most.
    :param refused: Calls that were refused in all turns, by operation and code.
    :param cpus: Seconds of processor time of the process, all threads, of each turn.
    :param latencies: Seconds of each turn, until the last job had its step.
    :param unplaced: Jobs of all turns that got no step.
    :param load: What other programs took of the machine meanwhile, 1.0 for all of it.
    """

    scenario: str
    contestant: str
    placements: int
    clusters: int
    turns: int
    served: Mapping[str, int]
    refused: Mapping[str, int]
    cpus: Sequence[float] = field(repr=False)
    latencies: Sequence[float] = field(repr=False)
    unplaced: int
    load: float

    @property
    def looks(self) -> int:
        """Calls to EMR that it took to decide."""
        return sum(number for name, number in self.served.items() if name not in (*OF_S3, ACT))

    @property
    def acts(self) -> int:
        """Calls to EMR that did it."""
        return self.served.get(ACT, 0)

    @property
    def s3_calls(self) -> int:
        """Calls to S3, for the lease."""
        return sum(self.served.get(name, 0) for name in OF_S3)

    @property
    def looks_per_placement(self) -> float:
        """Calls to EMR that it took to decide, for each job."""
        return self.looks / self.placements

    @property
    def calls_per_placement(self) -> float:
        """All calls to EMR and S3, for each job."""
        return (self.looks + self.acts + self.s3_calls) / self.placements

    @property
    def cpu_ms(self) -> float:
        """Milliseconds of processor time for each job, median of the turns."""
        return percentile(self.cpus, 0.5) * 1_000 / self.placements

    @property
    def wall_ms(self) -> float:
        """Milliseconds until all had their steps, median of the turns."""
        return self.latency_p50 * 1_000

    def to_json(self) -> dict[str, Any]:
        """Give all of it, the latencies in summary."""
        derived = ("looks", "acts", "s3_calls", "looks_per_placement", "calls_per_placement")
        return self.summary(*derived, "cpu_ms", "wall_ms")
