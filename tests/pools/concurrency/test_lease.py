"""Processes that take one lease from each other, with something going wrong between any two calls."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from pool_world.faults import Faults
from pool_world.jobs import BUCKET, KEY, PLACE
from pool_world.s3 import VirtualS3
from pool_world.scheduler import World
from pool_world.virtual import virtual
from pool_world.wire import Clients

from airflow_provider_emrkit.exceptions import LeaseError
from airflow_provider_emrkit.pools.lease import PoolLease
from airflow_provider_emrkit.pools.record import PoolRecord

ROUNDS, PROCESSES, TAKES = 60, 8, 6


class LeaseWorld:
    """Processes that take a lease, write that they have, work a little, and give it back."""

    def __init__(self, seed: int) -> None:
        self.world = World(seed)
        self.s3 = VirtualS3(self.world)
        rate = random.Random(seed).choice((0.0, 0.1, 0.3))
        self.faults = Faults(self.world.random, rate, deaths=3 if rate else 0)
        self.done: list[str] = []
        self._at_work: dict[str, object] = {}

    def run(self) -> LeaseWorld:
        with virtual(self.world):
            try:
                for number in range(PROCESSES):
                    self.world.spawn(f"p{number}", self._body, self.world.random.uniform(0, 5))
                self.world.run(20_000)
            finally:
                self.world.close()
        return self

    def _body(self, process) -> None:
        clients = Clients(process, {"s3": self.s3}, self.faults)
        lease = PoolLease(
            clients.client("s3", retries=bool(len(process.name) % 2)),
            PLACE,
            process.name,
            pause=process.pause,
        )
        for number in range(TAKES):
            try:
                self._hold(process, lease.take(60.0, process.pause), f"{process.name}.{number}")
            except LeaseError as error:
                self.world.note(process.name, "LeaseError", str(error))
            process.sleep(self.world.random.uniform(0, 10))

    def _hold(self, process, held, mark: str) -> None:
        self._work(process, held)
        held.write(replace(held.record, draining=held.record.draining | {mark}))
        self._work(process, held)
        # What was written can't be lost again, however it ends.
        self.done.append(mark)
        self._at_work.pop(process.name, None)
        held.release()

    def _work(self, process, held) -> None:
        """Be at work for a moment, in which nobody else may be."""
        while self.world.random.random() < 0.6:
            held.check()
            others = [
                name for name, one in self._at_work.items() if one.remaining() > 0 and name != process.name
            ]
            if others:
                self.world.violate(f"{process.name} and {others} hold the lease at once")
            self._at_work[process.name] = held
            process.sleep(self.world.random.choice((0.1, 1.0, 5.0)))


@pytest.mark.parametrize("first", range(0, ROUNDS, 20))
def test_nobody_holds_a_lease_that_somebody_else_has_and_nothing_written_is_lost(first):
    for seed in range(first, first + 20):
        run = LeaseWorld(seed).run()
        record = PoolRecord.from_json(run.s3.objects[BUCKET, KEY].body)
        assert run.world.violations == [], seed
        assert set(run.done) <= record.draining, seed
        assert all(process.done or process.dead for process in run.world.processes), seed
        if not run.faults.rate:
            # Some wait in vain, or work for longer than the lease lasts.
            assert len(run.done) > PROCESSES * TAKES / 2
