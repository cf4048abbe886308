"""Whether a pool has room, and whether it is healthy: pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_emrkit.pools.awaiting import LATELY, Asked, Finding
from airflow_provider_emrkit.pools.decision import Wanted, decide
from airflow_provider_emrkit.pools.order import PoolBounds, known_members
from airflow_provider_emrkit.pools.selection import fewest_steps
from airflow_provider_emrkit.pools.standing import standings
from airflow_provider_emrkit.pools.words import busy_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_emrkit.pools.awaiting import View
    from airflow_provider_emrkit.pools.endings import Ending
    from airflow_provider_emrkit.pools.pool_setup import PoolSetup

Question = Literal["has_room", "is_healthy"]

# Seconds in which a cluster that did not come up counts.
RECENT = 3_600.0


@dataclass(frozen=True)
class HowItIs:
    """A question about a pool. Plain JSON both ways.

    :param question: ``has_room``: a job that is placed now would not wait. ``is_healthy``: no such cluster
        failed to come up in the last hour, and ``min_clusters`` are up or start.
    :param spec: What its clusters are like but for their size.
    :param capacity: How big they are at least.
    :param bounds: How it may grow.

    >>> question = HowItIs("has_room", "0123456789ab", (1, 2, 0), PoolBounds(3))
    >>> HowItIs.from_dict(question.to_dict()) == question
    True
    """

    question: Question
    spec: str
    capacity: tuple[int, int, int]
    bounds: PoolBounds

    @classmethod
    def of(cls, question: Question, setup: PoolSetup) -> HowItIs:
        """Ask it of a pool."""
        return cls(question, setup.spec, setup.capacity, setup.bounds)

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain JSON."""
        return {**asdict(self), "capacity": list(self.capacity)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> HowItIs:
        """Read it back; members that another version of emrkit wrote are ignored."""
        primary, core, task = data["capacity"]
        bounds = PoolBounds(**known_members(PoolBounds, data["bounds"]))
        return cls(data["question"], data["spec"], (primary, core, task), bounds)

    def asks(self, view: View) -> Asked:
        """Tell what EMR has to be asked beside the look: which clusters did not come up."""
        return Asked(since=view.now - RECENT - LATELY if self.question == "is_healthy" else None)

    def judge(self, view: View) -> Finding:
        """Tell whether it is so."""
        return self._has_room(view) if self.question == "has_room" else self._is_healthy(view)

    def _has_room(self, view: View) -> Finding:
        job = Wanted("the sensor's", view.now, self.spec, self.capacity)
        plan = decide(
            self.bounds,
            [job],
            view.survey,
            view.record,
            process="",
            now=view.now,
            choose=fewest_steps,
            new_start=lambda: "new",
        )
        busy = busy_words(view.survey, view.record, self.bounds)
        return Finding(bool(plan.placements), f"{'has room' if plan.placements else 'has no room'}; {busy}")

    def _is_healthy(self, view: View) -> Finding:
        failed = [one for one in view.endings.values() if self._did_not_come_up(one, view.now)]
        pool = standings(view.survey, view.record, self.bounds.steps_per_cluster)
        marks = [one.cluster.mark for one in pool if one.takes_work]
        there = sum(mark.satisfies(self.spec, self.capacity) for mark in marks)
        coming = len(view.record.claims_to("start"))
        healthy = there + coming >= self.bounds.min_clusters and not failed
        words = ["is healthy" if healthy else "is not healthy"]
        words += [f"{there + coming} of at least {self.bounds.min_clusters} clusters are up or start"]
        words += [f"did not come up in the last hour: {one}" for one in failed]
        return Finding(healthy, "; ".join(words))

    def _did_not_come_up(self, ending: Ending, now: float) -> bool:
        alike = ending.mark is not None and ending.mark.spec == self.spec
        recent = ending.ended_at is None or now - ending.ended_at < RECENT
        return alike and recent and ending.never_came_up and ending.state == "TERMINATED_WITH_ERRORS"
