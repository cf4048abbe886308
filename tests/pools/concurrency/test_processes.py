"""Fifty real processes that use one pool of a local EMR at once: some are killed, some stand still for longer
than a lease lasts, and any call to S3 or EMR may fail, be throttled, or lose its request or its answer.

In a round most of the time is waited: for a dead holder's lease, for steps, for those that stand still. So
some rounds are run at once, each with a local EMR and fifty processes of its own.

As many rounds as fit into a minute are run; ``EMRKIT_POOL_ROUNDS=200`` sets how many instead, and
``EMRKIT_POOL_STAGES=1`` how many at once. A failure tells the round's seed; ``EMRKIT_POOL_SEED=17`` begins
with that one.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config
from pool_processes.orders import BUCKET, order_of
from pool_processes.verdict import Verdict

from airflow_provider_emrkit.localemr.faults.client import FaultsClient
from airflow_provider_emrkit.pools.record import PoolRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent / "pool_processes"
# In which rounds begin, unless their number is set.
SECONDS = 40.0
STAGES = int(os.environ.get("EMRKIT_POOL_STAGES", "3"))
ROUNDS = int(os.environ.get("EMRKIT_POOL_ROUNDS", "0"))
FIRST = int(os.environ.get("EMRKIT_POOL_SEED", "0"))
PROCESSES = 50
# Only bounds a hang, with the start and the end of the stages: a round takes as long as the machine lets it.
LONGEST_ROUND = 1_200.0


class Program:
    """A program that answers lines by lines."""

    def __init__(self, file: str, *arguments: str) -> None:
        argv = [sys.executable, str(HERE / file), *arguments]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.first = self._read()

    def ask(self, line: str = "") -> str:
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> str:
        line = self._process.stdout.readline().strip()
        assert line, f"{self._process.args} ended"
        return line

    def end(self) -> None:
        self._process.stdin.close()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:  # it was in the middle of a round that has failed
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


class Stage:
    """The local EMR, and the process that all others are forked from."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.server = Program("server.py", str(directory))
        self.url = self.server.first
        self.crew = Program("crew.py", self.url, str(directory))
        self.s3, self.emr = (self._client(service) for service in ("s3", "emr"))

    def _client(self, service):
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="localemr",
            aws_secret_access_key="localemr",
            config=Config(s3={"addressing_style": "path"}),
        )

    def end(self) -> None:
        self.crew.end()
        self.server.end()

    def run(self, seed: int):
        """Run one round; gives what went wrong, and what is told of the round."""
        plan = plan_of(seed)
        faults = FaultsClient(self.url)
        self._reset()
        seen = (self.directory / "news.jsonl").stat().st_size
        faults.put(plan["faults"])
        result = json.loads(self.crew.ask(json.dumps(plan)))
        faults.remove()
        self._wait_for_steps()
        assert self.server.ask() == "True"
        with (self.directory / "news.jsonl").open() as file:
            file.seek(seen)
            news = [json.loads(line) for line in file]
        told = [json.loads(line) for line in (self.directory / f"told-{seed}.jsonl").read_text().splitlines()]
        return self._judge(plan, result, news, told), {
            **result,
            "clusters": len({one["cluster"] for one in news}),
        }

    def _reset(self) -> None:
        request = urllib.request.Request(f"{self.url}/moto-api/reset", method="POST")
        with urllib.request.urlopen(request, timeout=120):
            self.server.ask("forget")
        self.s3.create_bucket(Bucket=BUCKET)

    def _wait_for_steps(self) -> None:
        states = ["STARTING", "BOOTSTRAPPING", "RUNNING"]
        end = time.monotonic() + 120
        while self.emr.list_clusters(ClusterStates=states)["Clusters"]:
            assert time.monotonic() < end
            time.sleep(0.05)

    def _judge(self, plan, result, news, told) -> list[str]:
        verdict = Verdict(plan["max_clusters"], plan["steps_per_cluster"])
        verdict.hear(news)
        tokens = {str(order_of(plan["seed"], number, plan).token): number for number in range(PROCESSES)}
        verdict.compare(told, tokens, set(result["killed"]))
        if result["failed"] or result["late"]:
            verdict.problems.append(f"processes failed: {result['failed']}, did not end: {result['late']}")
        if len(verdict.states) != plan["max_clusters"]:
            verdict.problems.append(
                f"{len(verdict.states)} clusters were started, not {plan['max_clusters']}"
            )
        key = f"pools/round-{plan['seed']}.json"
        record = PoolRecord.from_json(self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
        if record.draining:
            verdict.problems.append(f"{record.draining} drain")
        return verdict.problems


def plan_of(seed: int) -> dict:
    """Give what a round is like."""
    chance = random.Random(seed)
    rate = chance.choice((0.0, 0.02, 0.05, 0.1))
    kinds = ("throttle", "error", "lost_request", "lost_answer")
    faults = {
        kind: [
            {"service": service, "probability": rate / len(kinds), "seed": seed} for service in ("emr", "s3")
        ]
        for kind in kinds
    }
    return {
        "seed": seed,
        "since": time.time(),
        "max_clusters": 3,
        "steps_per_cluster": chance.choice((2, 4, 8)),
        "kills": chance.choice((0, 5, 12)),
        "stops": chance.choice((0, 4, 8)),
        "faults": faults if rate else {},
    }


@dataclass
class Rounds:
    """Rounds that are run at once, as many as there are stages, until one fails."""

    seeds: Iterator[int]
    until: float
    seconds: list[float] = field(default_factory=list)
    killed: int = 0
    failures: list[str] = field(default_factory=list)

    def run_on(self, stage: Stage) -> None:
        """Run one after the other on a stage."""
        for seed in self.seeds:
            try:
                problems, about = stage.run(seed)
            except BaseException as error:
                self.failures.append(f"round {seed}, {plan_of(seed)}: {error!r}")
                raise
            if problems:
                self.failures.append(f"round {seed}, {plan_of(seed)}, {about}:\n" + "\n".join(problems))
            self.seconds.append(about["seconds"])
            self.killed += len(about["killed"])
            if self.failures or time.monotonic() > self.until:
                return


@pytest.fixture
def stages(tmp_path):
    stages = []
    try:
        for number in range(STAGES):
            (tmp_path / str(number)).mkdir()
            stages.append(Stage(tmp_path / str(number)))
        yield stages
    finally:
        for stage in stages:
            stage.end()


@pytest.mark.e2e
@pytest.mark.alone
@pytest.mark.timeout(SECONDS + LONGEST_ROUND + ROUNDS * 60)
def test_the_invariants_of_a_pool_hold_with_real_processes(stages):
    began = time.monotonic()
    seeds = range(FIRST, FIRST + (ROUNDS or 10_000))
    rounds = Rounds(iter(seeds), float("inf") if ROUNDS else began + SECONDS)
    with ThreadPoolExecutor(len(stages)) as pool:
        runs = [pool.submit(rounds.run_on, stage) for stage in stages]
    assert not rounds.failures, "\n".join(rounds.failures)
    for run in runs:
        run.result()
    took = time.monotonic() - began
    count = len(rounds.seconds)
    print(
        f"{count} rounds in {took:.0f} s, {took / count:.1f} s for each of them, "
        f"from {min(rounds.seconds):.1f} to {max(rounds.seconds):.1f} s; {rounds.killed} processes killed"
    )
