"""What goes wrong between a process and AWS: between every two calls something may."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

WRITES = ("run_job_flow", "add_job_flow_steps", "terminate_job_flows", "put_object")

# Weights. What is in both tables strikes any call.
ANY: Mapping[str, float] = {
    "die before": 0.4,
    "die after": 0.4,
    "stall before": 1.0,
    "stall after": 1.0,
    "lost request": 1.5,
    "throttled": 2.0,
    "fault": 1.5,
    "slow": 2.0,
}
WRITING: Mapping[str, float] = {
    **ANY,
    "lost answer": 3.0,
    "late": 3.0,
    "die, late": 0.4,
    "throttled but done": 1.5,
    "fault but done": 1.5,
}
CONDITIONAL: Mapping[str, float] = {**WRITING, "conflict": 1.5}
REFUSABLE: Mapping[str, float] = {**WRITING, "refused": 0.5}


@dataclass(frozen=True)
class Strike:
    """One fault.

    :param kind: One of the kinds in the tables; empty for none.
    :param seconds: Of a stall, a slow answer, or how late the request arrives.
    :param waits: Whether a lost answer is waited for until the client gives up.
    """

    kind: str = ""
    seconds: float = 0.0
    waits: bool = False


CALM = Strike()


@dataclass
class Faults:
    """Chooses what goes wrong.

    :param random: What decides.
    :param rate: Share of the calls that something strikes.
    :param deaths: How many processes may die.
    :param stall: Seconds of a stall, from and to; the longest are longer than a lease.
    :param late: Seconds that a request is late, from and to: AWS takes none that was signed five minutes ago.
    :param struck: Counts what was done, by call and kind.
    :param planned: What happens to the next call of a name, without any chance.
    """

    random: Random
    rate: float = 0.0
    deaths: int = 0
    stall: tuple[float, float] = (5.0, 90.0)
    late: tuple[float, float] = (5.0, 298.0)
    struck: dict[tuple[str, str], int] = field(default_factory=dict)
    planned: dict[str, str] = field(default_factory=dict)

    def strike(self, call: str) -> Strike:
        """Say what happens to a call."""
        if call in self.planned:
            return Strike(self.planned.pop(call))
        if self.random.random() >= self.rate:
            return CALM
        table = ANY if call not in WRITES else WRITING
        if call == "put_object":
            table = CONDITIONAL
        elif call in ("run_job_flow", "add_job_flow_steps"):
            table = REFUSABLE
        (kind,) = self.random.choices(list(table), list(table.values()))
        if kind.startswith("die"):
            if self.deaths <= 0:
                return CALM
            self.deaths -= 1
        self.struck[call, kind] = self.struck.get((call, kind), 0) + 1
        return Strike(kind, self._seconds(kind), waits=self.random.random() < 0.5)

    def _seconds(self, kind: str) -> float:
        if kind.startswith("stall"):
            return self.random.uniform(*self.stall)
        if kind in ("late", "die, late"):
            return self.random.uniform(*self.late)
        return self.random.uniform(3.0, 20.0) if kind == "slow" else 0.0

    def has_struck(self, call: str = "", *kinds: str) -> bool:
        """Tell whether something went wrong with a call (any, when not given), of kinds with these words."""
        return any(
            call in (one, "") and (not kinds or any(word in kind for word in kinds))
            for one, kind in self.struck
        )
