"""Kills processes at random."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from havoc.victims import NotOursError, Victims

from demo.processes import command_of, process

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

    from havoc.programs import AirflowPrograms, LocalEmrProgram
    from havoc.victims import Worker

# Of 50 runs: how often each kind of death comes. The first three hit a worker: its task's process, both of
# its processes (a lost machine), the one that supervises the task (which lives on, an orphan). The scheduler
# takes all workers along.
DEATHS = {"task": 24, "worker": 4, "supervisor": 3, "triggerer": 4, "scheduler": 2, "localemr": 3}
RUNS = 50
# Seconds between two deaths, and seconds that the local EMR stays away.
PAUSE = (0.2, 2.5)
ABSENCE = (0.2, 6.0)
# Seconds of its life that a worker's young task is given: it starts, submits, and begins to wait or to end.
LIFE = (0.0, 7.0)


def deaths(runs: int, kinds: tuple[str, ...]) -> Mapping[str, int]:
    """How many of each kind for a number of runs: at least one of each, twice as many where named twice."""
    return {kind: max(1, round(DEATHS[kind] * runs / RUNS)) * kinds.count(kind) for kind in kinds}


class Killer:
    """Kills workers, the triggerer, the scheduler and the local EMR, which alone is started again here.

    :param random: Decides who, and when.
    :param budget: How many of each kind of death.
    :param local_emr_is_back: Called after the local EMR was started again.
    """

    def __init__(
        self,
        random: random.Random,
        airflow: AirflowPrograms,
        localemr: LocalEmrProgram,
        budget: Mapping[str, int],
        local_emr_is_back: Callable[[], None],
    ) -> None:
        self._random = random
        self._airflow = airflow
        self._localemr = localemr
        self._local_emr_is_back = local_emr_is_back
        self._order = [kind for kind, number in budget.items() for _ in range(number)]
        random.shuffle(self._order)
        self._next = time.monotonic()
        self._aim: tuple[Worker, float] | None = None
        self.done: Counter[str] = Counter()
        self.log: list[tuple[float, str]] = []

    @property
    def over(self) -> bool:
        """Whether nothing is left to be killed."""
        return not self._order

    @property
    def progress(self) -> float:
        """Which part of the killing is done, 0 to 1."""
        killed = self.done.total()
        return killed / (killed + len(self._order)) if self._order else 1.0

    def strike_when_due(self) -> None:
        """Kill the next one when its time has come; one that finds no victim stays due."""
        if self.over or time.monotonic() < self._next:
            return
        kind = self._order[0]
        if kind == "localemr":
            told = self._local_emr()
        else:
            told = self._component(kind) if kind in self._airflow.components else self._worker(kind)
        if told:
            self._order.pop(0)
            self.done[kind] += 1
            self.log.append((time.time(), f"{kind}: {told}"))
            self._next = time.monotonic() + self._random.uniform(*PAUSE)

    def _worker(self, kind: str) -> str:
        victims = Victims(self._airflow.roots)
        if self._aim is None:
            self._aim = self._choose(victims)
            return ""
        worker, when = self._aim
        if time.monotonic() < when:
            if not victims.owns(worker.task):
                self._aim = None
            return ""
        self._aim = None
        told = f"pid {worker.task.pid} ({command_of(worker.task.pid)})"
        with suppress(NotOursError):  # it has ended in time
            return told if self._kill_worker(victims, worker, kind) else ""
        return ""

    def _choose(self, victims: Victims) -> tuple[Worker, float] | None:
        """Aim at any worker now, or at the youngest a little later, while it starts its job."""
        workers = sorted(victims.workers(), key=lambda worker: worker.task.started)
        if not workers:
            return None
        if self._random.random() < 0.5:
            return self._random.choice(workers), time.monotonic()
        return workers[-1], time.monotonic() + self._random.uniform(*LIFE)

    def _kill_worker(self, victims: Victims, worker: Worker, kind: str) -> bool:
        if kind == "task":
            victims.kill(worker.task)
            return True
        return victims.kill_supervisor(worker, with_task=kind == "worker")

    def _component(self, name: str) -> str:
        """Take one of Airflow's programs with all its processes."""
        child = self._airflow.components[name]
        with suppress(NotOursError):  # it has ended by itself, and is not yet started again
            Victims([child.process]).kill_tree(child.process)
            return f"pid {child.process.pid}"
        return ""

    def _local_emr(self) -> str:
        server = self._localemr.child.process
        Victims([server]).kill(server)
        absence = self._random.uniform(*ABSENCE)
        back = time.monotonic() + absence
        while process(server.pid) is not None or time.monotonic() < back:
            time.sleep(0.05)
        self._localemr.start()
        self._local_emr_is_back()
        return f"pid {server.pid}, away for {absence:.1f} s"
