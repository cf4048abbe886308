"""What must hold of what a pool's clusters did, told by the news of the local EMR."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.runs.token import Mark

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ALIVE = ("STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING")
ACTIVE = ("PENDING", "RUNNING", "CANCEL_PENDING")


@dataclass
class Verdict:
    """Goes through the news of one pool in their order, and notes what must never happen."""

    max_clusters: int
    steps_per_cluster: int
    problems: list[str] = field(default_factory=list)
    states: dict[str, str] = field(default_factory=dict)
    steps: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    placed: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))

    def hear(self, news: Iterable[Mapping[str, Any]]) -> None:
        """Take in what happened."""
        for one in news:
            if "step" in one:
                self._step(one)
            else:
                self._cluster(one)

    def _cluster(self, news: Mapping[str, Any]) -> None:
        cluster, state = news["cluster"], news["state"]
        is_new = cluster not in self.states
        active = [step for step, its in self.steps[cluster].items() if its in ACTIVE]
        if state not in ALIVE and self.states.get(cluster) in ALIVE and active:
            self.problems.append(f"{cluster} was ended with work: {active}")
        self.states[cluster] = state
        alive = [one for one, its in self.states.items() if its in ALIVE]
        if is_new and len(alive) > self.max_clusters:
            self.problems.append(f"{len(alive)} clusters of at most {self.max_clusters}: {alive}")

    def _step(self, news: Mapping[str, Any]) -> None:
        cluster, step = news["cluster"], news["step"]
        if step not in self.steps[cluster]:
            token = str(Mark.of(news["step_name"]))
            self.placed[token].append((cluster, step))
            if len(self.placed[token]) > 1:
                self.problems.append(f"job {token} was placed again: {self.placed[token]}")
        self.steps[cluster][step] = news["step_state"]
        active = sum(state in ACTIVE for state in self.steps[cluster].values())
        if active > self.steps_per_cluster:
            self.problems.append(f"{active} steps of at most {self.steps_per_cluster} on {cluster}")

    def compare(self, told: Sequence[Mapping[str, Any]], tokens: Mapping[str, int], dead: set[int]) -> None:
        """See that the processes were told what is so, and that all jobs of live ones are done.

        :param told: What each was told.
        :param tokens: The jobs, and the number of the process of each.
        :param dead: Numbers of the processes that were killed.
        """
        for one in told:
            if "refused" in one:
                self.problems.append(f"job {one['token']} was refused: {one['refused']}")
            elif (one["cluster"], one["step"]) not in self.placed[one["token"]]:
                self.problems.append(f"{one} is not so: {self.placed[one['token']]}")
        count = Counter(one["token"] for one in told)
        for token, number in tokens.items():
            if number not in dead and count[token] != 1:
                self.problems.append(f"process {number} was told of {count[token]} placements")
            for cluster, step in self.placed[token]:
                if self.steps[cluster][step] != "COMPLETED":
                    self.problems.append(f"job {token} ended {self.steps[cluster][step]}")
        unused = [cluster for cluster in self.states if not self.steps[cluster]]
        if unused:
            self.problems.append(f"clusters were started for nothing: {unused}")
