"""One simulated day: 50 processes, one pool, and whatever goes wrong."""

from __future__ import annotations

import random
from dataclasses import dataclass

from airflow_provider_emrkit.compute.pool_mark import PoolMark
from airflow_provider_emrkit.pools.order import PoolBounds
from airflow_provider_emrkit.pools.placing import Placing
from airflow_provider_emrkit.pools.record import PoolRecord
from pool_world.behaviour import Attendant, deferring, triggerer, worker
from pool_world.emr import Pace, VirtualEmr
from pool_world.faults import Faults
from pool_world.jobs import BUCKET, KEY, PLACE, Job, make_order
from pool_world.s3 import VirtualS3
from pool_world.scheduler import Process, World
from pool_world.virtual import virtual
from pool_world.wire import Clients

PROCESSES = 50
# Seconds of virtual time: after so many, whoever has not come to an end never will.
LONGEST = 4 * 3600.0
# Seconds in which no claim can last and no idle cluster live.
QUIET = 1_500.0


@dataclass(frozen=True)
class Plan:
    """What a day is like.

    :param bounds: Of the pool.
    :param rate: Share of the calls that something goes wrong with.
    :param deaths: How many processes may die.
    :param spread: Seconds in which the jobs come; one for all at once.
    :param deferred: How many of the workers defer, to two triggerers.
    :param adopted: Whether a third triggerer gets the jobs of one that is thought to be dead.
    :param specs: How many definitions of the pool there are.
    :param lost: How many clusters are lost.
    :param there: How many clusters are there at the start.
    :param busy: Seconds in which no step ends before all clusters there may be were started.
    """

    bounds: PoolBounds
    rate: float = 0.0
    deaths: int = 0
    spread: float = 1.0
    deferred: int = 0
    adopted: bool = False
    specs: int = 1
    lost: int = 0
    there: int = 0
    busy: float = 0.0

    @classmethod
    def of(cls, seed: int) -> Plan:
        """Give the plan of a seed: half of the days begin with 50 jobs in one second and an empty pool."""
        chance = random.Random(seed)
        rate = chance.choice((0.0, 0.02, 0.05, 0.1, 0.1, 0.2))
        deaths = chance.choice((0, 5, 15)) if rate else 0
        if seed % 2 == 0:
            bounds = PoolBounds(3, 0, chance.choice((2, 4, 6)))
            return cls(bounds, rate, deaths, deferred=chance.choice((0, 0, 30)), busy=3_600.0)
        biggest = chance.randint(1, 5)
        bounds = PoolBounds(biggest, chance.choice((0, biggest)), chance.randint(1, 6))
        if biggest * bounds.steps_per_cluster < 4:
            bounds = PoolBounds(2, 0, 3)
        return cls(
            bounds,
            rate,
            deaths,
            spread=chance.choice((1.0, 60.0, 200.0)),
            deferred=chance.choice((0, 20, 40)),
            adopted=chance.random() < 0.4,
            specs=chance.choice((1, 1, 2)),
            lost=chance.choice((0, 0, 1, 3)),
            there=chance.choice((0, 0, 1, biggest)),
        )


class Day:
    """A simulated day.

    :param seed: Decides all of it.
    :param plan: What it is like; by default the seed's.

    >>> Day(1).run().world.violations
    []
    """

    def __init__(self, seed: int, plan: Plan | None = None) -> None:
        self.plan = plan or Plan.of(seed)
        self.world = World(seed)
        bounds = self.plan.bounds
        self.s3 = VirtualS3(self.world)
        self.emr = VirtualEmr(
            self.world, Pace(busy=self.plan.busy), bounds.max_clusters, bounds.steps_per_cluster
        )
        self.emr.draining = self._draining
        self.faults = Faults(self.world.random, self.plan.rate, self.plan.deaths)
        self.jobs: list[Job] = []
        self.swept_at = 0.0
        self._coming = 0
        self._inboxes: list[list[Job]] = [[], []]

    def run(self) -> Day:
        """Let it pass, and the quiet after it, in which one more job comes."""
        with virtual(self.world):
            try:
                self._prepare()
                self.world.run(LONGEST)
                self.faults.rate = 0.0
                self.world.run(QUIET)
                self._sweep()
            finally:
                self.world.close()
        return self

    def live_processes(self) -> list[Process]:
        """Give the processes that were not killed."""
        return [process for process in self.world.processes if not process.dead]

    # --- its parts ---------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        for number in range(self.plan.there):
            self._old_cluster(number)
        deferring_workers = self.plan.deferred
        others = PROCESSES - deferring_workers - (2 + self.plan.adopted if deferring_workers else 0)
        for number in range(deferring_workers):
            self._come(number, defers=True)
        for number in range(deferring_workers, deferring_workers + others):
            self._come(number, defers=False)
        if deferring_workers:
            self._triggerers()
        for _ in range(self.plan.lost):
            self.world.at(self.world.random.uniform(30, 300), self._lose_one)

    def _come(self, number: int, *, defers: bool) -> None:
        """Let a worker with one job come."""
        delay = self.world.random.uniform(0, self.plan.spread)
        skew = self.world.random.uniform(-1, 1)
        spec = number % self.plan.specs
        order = make_order(number, self.plan.bounds, since=self.world.now + delay + skew, spec=spec)
        job = Job(order)
        self.jobs.append(job)
        name = f"worker-{number}"
        if not defers:
            self.world.spawn(name, worker(self._attendant, job), delay)
            return
        self._coming += 1
        process = self.world.spawn(name, deferring(self._attendant, job, self._defer), delay)
        # A task whose worker has died before it deferred is nobody's.
        self.world.at(delay + 1_200.0, lambda: self._gave_up(process))

    def _defer(self, job: Job) -> None:
        self._coming -= 1
        self.world.random.choice(self._inboxes).append(job)

    def _gave_up(self, process: Process) -> None:
        self._coming -= process.dead

    def _triggerers(self) -> None:
        made = [
            self.world.spawn(f"triggerer-{number}", triggerer(self._attendant, inbox, self._is_all_there))
            for number, inbox in enumerate(self._inboxes)
        ]
        if not self.plan.adopted:
            return
        # Airflow takes a triggerer for dead that is not: for a time two of them see to the same jobs.
        self.world.spawn(
            "triggerer-2", triggerer(self._attendant, self._inboxes[0], self._is_all_there), delay=40.0
        )
        self.world.at(40.0 + self.world.random.uniform(0, 200), lambda: self._kill(made[0]))

    def _kill(self, process: Process) -> None:
        self.world.note(process.name, "killed by Airflow")
        process.dead = True

    def _is_all_there(self) -> bool:
        return self._coming <= 0

    def _attendant(self, process: Process) -> Attendant:
        clients = Clients(process, {"s3": self.s3, "emr": self.emr}, self.faults)
        return Attendant(process, self._placing(process, clients), self.emr)

    def _placing(self, process: Process, clients: Clients) -> Placing:
        return Placing(clients, process.name, process.pause)  # type: ignore[arg-type]

    def _old_cluster(self, number: int) -> None:
        order = make_order(number, self.plan.bounds, since=0.0, spec=number % self.plan.specs)
        mark = PoolMark(PLACE.name, PLACE.key, order.spec, order.capacity, f"{number:012x}")
        self.emr.add_cluster(mark.marked(), self.plan.bounds.steps_per_cluster, 300.0, 0.0)

    def _draining(self) -> frozenset[str]:
        return PoolRecord.from_json(self.s3.objects[BUCKET, KEY].body).draining

    def _lose_one(self) -> None:
        clusters = [one for one in self.emr.clusters.values() if one.state in ("RUNNING", "WAITING")]
        if clusters:
            self.emr.lose(self.world.random.choice(clusters))

    def _sweep(self) -> None:
        """Let one more job come, when all is long quiet."""
        self.swept_at = self.world.now
        job = Job(make_order(1_000, self.plan.bounds, since=self.world.now))
        self.jobs.append(job)
        self.world.spawn("sweeper", worker(self._attendant, job))
        self.world.run(QUIET)
