"""Fifty processes with a job each, forked from one in which everything is imported and made already.

``python crew.py URL DIRECTORY`` takes one round per line of input, a JSON object with a ``seed``, and answers
it by a line when all processes have ended. What each of them was told is in ``DIRECTORY/told-SEED.jsonl``.
While they run, this process kills some of them and lets others stand still for longer than a lease lasts.
"""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
import random
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parents[1]
PROCESSES = 50
# Seconds. The lease's, in tests: S3 tells its times to the second.
LEASE, MARGIN, CLAIM_LIFE, WAITING_LIFE = 4.0, 1.0, 9.0, 9.0
PATIENCE, PAUSE = 10.0, (0.2, 0.6)
STANDS_STILL = (0.5, 7.0)
# Only bounds a hang.
LONGEST = 600.0


class Clients:
    """AWS clients that are made, and know all they need, before processes are forked."""

    region_name = "us-east-1"
    has_own_endpoint = True

    def __init__(self, url: str) -> None:
        import boto3
        from botocore.config import Config

        self._made = {
            (service, retries): boto3.client(
                service,
                endpoint_url=url,
                region_name=self.region_name,
                aws_access_key_id="localemr",
                aws_secret_access_key="localemr",
                config=Config(
                    retries={"mode": "standard", "total_max_attempts": 5 if retries else 1},
                    s3={"addressing_style": "path"},
                ),
            )
            for service in ("s3", "emr")
            for retries in (True, False)
        }

    def client(self, service: str, *, retries: bool = True) -> Any:
        return self._made[service, retries]

    def warm_up(self) -> None:
        """Make some calls, so that not each process has to load what they need."""
        for (service, _), client in self._made.items():
            list(client.list_buckets()["Buckets"] if service == "s3" else client.list_clusters()["Clusters"])
            client.close()  # no two processes may share a connection


def work(clients: Any, order: Any, name: str, told: int, chance: random.Random) -> None:
    """Place a job, as a worker does that waits for it, and tell what came of it."""
    from airflow_provider_emrkit.pools.outcomes import Placed, Refused
    from airflow_provider_emrkit.pools.placing import Placing

    def pause(seconds: float) -> bool:
        time.sleep(seconds)
        return False

    placing = Placing(clients, name, pause)
    token = str(order.token)
    while True:
        outcome = placing.round([order], PATIENCE)[token]
        if isinstance(outcome, (Placed, Refused)):
            break
        time.sleep(chance.uniform(*PAUSE))
    about = {"token": token, "process": name}
    if isinstance(outcome, Placed):
        about |= {"cluster": outcome.run.cluster_id, "step": outcome.run.step_id}
    else:
        about |= {"refused": str(outcome.error)}
    os.write(told, json.dumps(about).encode() + b"\n")


@dataclass
class Crew:
    """The processes of one round."""

    chance: random.Random
    kills: int
    stops: int
    pids: set[int] = field(default_factory=set)
    stopped: dict[int, float] = field(default_factory=dict)
    killed: list[int] = field(default_factory=list)

    def reap(self) -> dict[int, int]:
        """Give the processes that have ended, and how."""
        ended = {}
        for pid in list(self.pids):
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                ended[pid] = status
                self.pids.discard(pid)
                self.stopped.pop(pid, None)
        return ended

    def trouble(self, now: float) -> None:
        """Kill one, let one stand still, let those go on whose time has come."""
        for pid, until in list(self.stopped.items()):
            if now >= until:
                os.kill(pid, signal.SIGCONT)
                del self.stopped[pid]
        running = sorted(self.pids - self.stopped.keys())
        if not running:
            return
        if self.kills > 0 and self.chance.random() < 0.03:
            victim = self.chance.choice(running)
            os.kill(victim, signal.SIGKILL)
            self.killed.append(victim)
            self.kills -= 1
        elif self.stops > 0 and self.chance.random() < 0.03:
            self.stops -= 1
            victim = self.chance.choice(running)
            os.kill(victim, signal.SIGSTOP)
            self.stopped[victim] = now + self.chance.uniform(*STANDS_STILL)

    def end(self) -> None:
        """Kill what is left."""
        for pid in self.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def run_round(clients: Clients, directory: Path, plan: dict[str, Any]) -> dict[str, Any]:
    """Let the processes of a round do their work."""
    from pool_processes.orders import order_of

    seed = plan["seed"]
    chance = random.Random(seed)
    crew = Crew(chance, plan["kills"], plan["stops"])
    told = os.open(directory / f"told-{seed}.jsonl", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    names: dict[int, int] = {}
    began = time.monotonic()
    failed: list[int] = []
    try:
        for number in range(PROCESSES):
            pid = os.fork()
            if pid == 0:
                _child(clients, order_of(seed, number, plan), told, number)
            crew.pids.add(pid)
            names[pid] = number
        while crew.pids and time.monotonic() - began < LONGEST:
            crew.trouble(time.monotonic())
            failed += [names[pid] for pid, status in crew.reap().items() if status and pid not in crew.killed]
            time.sleep(0.03)
        late = sorted(names[pid] for pid in crew.pids)
    finally:
        crew.end()
        os.close(told)
    killed = [names[pid] for pid in crew.killed]
    return {"killed": killed, "failed": failed, "late": late, "seconds": round(time.monotonic() - began, 2)}


def _child(clients: Clients, order: Any, told: int, number: int) -> None:
    status = 1
    try:
        seed = os.getpid()
        random.seed(seed)
        work(clients, order, f"here:{seed}:{number}", told, random.Random(seed))
        status = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(status)


def main(url: str, directory: Path) -> None:
    # What the processes need is imported here, once.
    import airflow_provider_emrkit.pools.placing  # noqa: F401
    from pool_processes.orders import shorten

    # Airflow's logging writes to the standard output, which is for answers.
    logging.disable(logging.CRITICAL)
    gc.disable()  # it would touch, and so copy, all memory that the processes share
    clients = Clients(url)
    clients.warm_up()
    shorten(LEASE, MARGIN, CLAIM_LIFE, WAITING_LIFE)
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(run_round(clients, directory, json.loads(line))), flush=True)


if __name__ == "__main__":
    sys.path[:0] = [str(HERE), str(HERE.parents[2])]
    main(sys.argv[1], Path(sys.argv[2]))
