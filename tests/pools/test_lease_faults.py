"""A lease under random faults: in hundreds of seeded rounds nothing is lost, and two never hold it at once.

Some processes share a pool. Of their calls to S3, some fail, some are done though nobody hears of it, some
arrive when nobody expects them any more, some twice; processes stall and die between any two of them. Time is
virtual, and at each step one of the processes, by lot, may go on.
"""

from __future__ import annotations

import contextlib
import random
import threading
import uuid
from dataclasses import replace
from datetime import datetime, timezone
from io import BytesIO
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from faulty_emr import aws_error, timed_out, unreachable
from faulty_s3 import FaultyS3, VirtualTime

from airflow_provider_emrkit.compute.pool_mark import PoolPlace
from airflow_provider_emrkit.exceptions import LeaseError
from airflow_provider_emrkit.pools.lease import PoolLease

PLACE = PoolPlace("medium", "", "s3://data/medium.json")
SEEDS = range(300)
PROCESSES = 4
TURNS = 4


class MemoryS3:
    """The two calls that a lease makes, as S3 does them: each at once, or not at all."""

    exceptions = SimpleNamespace(ClientError=ClientError)
    meta = SimpleNamespace(
        service_model=SimpleNamespace(
            operation_model=lambda _: SimpleNamespace(
                input_shape=SimpleNamespace(members={"IfMatch": 1, "IfNoneMatch": 1})
            )
        )
    )

    def __init__(self):
        self._content = b""
        self._etag = ""

    def get_object(self, **_):
        if not self._etag:
            raise aws_error("NoSuchKey", status=404)
        return {
            "Body": BytesIO(self._content),
            "ContentLength": len(self._content),
            "ETag": self._etag,
            "LastModified": datetime.now(timezone.utc),
            "ResponseMetadata": {},
        }

    def put_object(self, **request):
        seen = request.get("IfMatch")
        if seen and not self._etag:
            raise aws_error("NoSuchKey", status=404)
        if seen != self._etag if seen else "IfNoneMatch" in request and self._etag:
            raise aws_error("PreconditionFailed", status=412)
        self._content, self._etag = request["Body"], uuid.uuid4().hex
        return {"ETag": self._etag, "ResponseMetadata": {}}


class Died(BaseException):
    """A process ends between two lines."""


class Turns:
    """Lets threads go on one at a time, whose turn it is being drawn by lot."""

    def __init__(self, lot):
        self._lot = lot
        self._turns = {}
        self._main = threading.Semaphore(0)
        self.mine = threading.local()

    def start(self, work):
        turn = threading.Semaphore(0)
        thread = threading.Thread(target=self._run, args=(turn, work), daemon=True)
        self._turns[thread] = turn
        thread.start()

    def _run(self, turn, work):
        self.mine.turn = turn
        turn.acquire()
        try:
            work()
        finally:
            del self._turns[threading.current_thread()]
            self._main.release()

    def give_up(self):
        """Let another one go on."""
        self._main.release()
        self.mine.turn.acquire()

    def run(self, between):
        while self._turns:
            self._lot.choice(list(self._turns.values())).release()
            assert self._main.acquire(timeout=20)
            between()


class RandomS3(FaultyS3):
    """S3 as one process reaches it."""

    def __init__(self, world):
        super().__init__(world.store, world.time)
        self._world = world
        self._written = world.written

    def _call(self, name, really, **request):
        world = self._world
        world.step()
        fate = world.lot.random()
        if name == "put_object" and fate < 0.10:
            world.late.append(lambda: self.really(really, request))
            if fate < 0.06:
                raise timed_out()
        elif fate < 0.14:
            raise unreachable()
        elif fate < 0.17:
            raise aws_error("ServiceUnavailable", status=503)
        answer = self.really(really, request)
        world.step()
        if fate > 0.90:
            raise timed_out()
        return answer


class World:
    """One round."""

    def __init__(self, seed):
        self.lot = random.Random(seed)
        self.time = VirtualTime()
        self.store = MemoryS3()
        self.written = {}
        self.late = []
        self.turns = Turns(self.lot)
        self.holders = []
        self.sent, self.acknowledged, self.fences = set(), set(), []
        self.wrong = []

    def step(self):
        """Another process may go on; time passes, and now and then much; now and then this one dies."""
        self.time.now += self.lot.choice((0.0, 0.01, 0.2, 1.0)) if self.lot.random() < 0.97 else 45.0
        self.turns.give_up()
        if self.lot.random() < 0.005:
            raise Died

    def pause(self, seconds):
        self.time.now += seconds * self.lot.random()
        self.turns.give_up()
        return False

    def arrivals(self):
        while self.late and self.lot.random() < 0.05:
            with contextlib.suppress(ClientError):
                self.late.pop(self.lot.randrange(len(self.late)))()

    def look(self):
        """Nobody but one may believe to hold the lease."""
        self.arrivals()
        holding = [held for held in self.holders if held.remaining() > 0]
        if len(holding) > 1:
            self.wrong.append([held.record.holder for held in holding])

    def process(self, name):
        with contextlib.suppress(Died):
            lease = PoolLease(RandomS3(self), PLACE, name, clock=self.time, pause=self.pause)
            for turn in range(TURNS):
                with contextlib.suppress(LeaseError):
                    self._work(lease.take(200.0, self.pause), f"{name}-{turn}")

    def _work(self, held, name):
        self.holders.append(held)
        self.fences.append(held.record.fence)
        for number in range(self.lot.randint(1, 3)):
            self.sent.add(mark := f"{name}-{number}")
            held.write(replace(held.record, draining=held.record.draining | {mark}))
            self.acknowledged.add(mark)
            self.step()
        self.sent.add(mark := f"{name}-last")
        held.release(replace(held.record, draining=held.record.draining | {mark}))

    def run(self):
        for number in range(PROCESSES):
            self.turns.start(lambda number=number: self.process(f"process-{number}"))
        self.turns.run(self.look)
        while self.late:
            with contextlib.suppress(ClientError):
                self.late.pop()()
        return PoolLease(FaultyS3(self.store, self.time), PLACE, "reader").read()


@pytest.mark.parametrize("block", [SEEDS[start : start + 50] for start in range(0, len(SEEDS), 50)], ids=str)
def test_nothing_is_lost_and_two_never_hold_it_at_once(block):
    written = taken = 0
    for seed in block:
        random.seed(seed)  # the lease draws its pauses from it
        world = World(seed)
        record = world.run()
        assert not world.wrong, (seed, world.wrong)
        assert world.acknowledged <= record.draining <= world.sent, seed
        assert len(set(world.fences)) == len(world.fences), (seed, world.fences)
        assert record.fence >= len(world.fences), seed
        written += len(world.acknowledged)
        taken += len(world.fences)
    # The faults leave enough to go wrong.
    assert taken > len(block) * PROCESSES * TURNS * 0.6
    assert written > taken
