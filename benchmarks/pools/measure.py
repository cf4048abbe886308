"""``python -m benchmarks.pools.measure``: places jobs on a pool that the endpoint plays."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from functools import reduce
from operator import or_
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import boto3
import psutil

from airflow_provider_emrkit.hooks.clients import AwsClients
from airflow_provider_emrkit.pools.holder import new_holder
from airflow_provider_emrkit.pools.outcomes import Placed
from airflow_provider_emrkit.pools.placing import Placing
from airflow_provider_emrkit.triggers.pool_desk import PATIENCE, PoolDesk
from benchmarks.contestants import REGION
from benchmarks.endpoint.tls import make_certificate
from benchmarks.measurement import print_measured
from benchmarks.pools.figures import PlacementFigures
from benchmarks.pools.plan import PLACE, make_orders
from benchmarks.pools.scenarios import POOLS_FULL, POOLS_QUICK
from benchmarks.processes import Endpoint
from benchmarks.readings import Usage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from airflow_provider_emrkit.pools.order import PoolOrder
    from airflow_provider_emrkit.pools.outcomes import Outcome
    from airflow_provider_emrkit.triggers.poller import SharedPoller
    from benchmarks.pools.scenarios import PlacementScenario


def measure(scenario: PlacementScenario, contestant: str, seed: int, folder: Path) -> PlacementFigures:
    """Place the jobs of a scenario: one as its worker does, several as the triggers of one process do.

    :param folder: An empty one.
    """
    certificate = make_certificate(folder)
    endpoint = Endpoint(scenario, seed, certificate)
    try:
        session = boto3.Session(aws_access_key_id="bench", aws_secret_access_key="bench")  # noqa: S106
        url = endpoint.url
        clients = AwsClients(session, REGION, lambda _: url, verify=str(certificate.bundle))
        return asyncio.run(_Placements(scenario, contestant, endpoint, clients).measure())
    finally:
        endpoint.close()


class _Placements:
    def __init__(
        self, scenario: PlacementScenario, contestant: str, endpoint: Endpoint, clients: AwsClients
    ) -> None:
        self._scenario = scenario
        self._contestant = contestant
        self._endpoint = endpoint
        self._clients = clients
        self._placing = Placing(clients, new_holder(), threading.Event().wait)
        self._others = (psutil.Process(endpoint.pid),)
        self._unplaced = 0

    async def measure(self) -> PlacementFigures:
        # Of a poller, a desk uses the connection that it has opened.
        poller = SimpleNamespace(connected=SimpleNamespace(aws=self._clients))
        desk = PoolDesk(cast("SharedPoller", poller), PLACE)
        try:
            await self._turn(desk, 0)
            self._unplaced = 0
            began, before = time.time(), Usage.now(psutil.Process(), self._others)
            turns = [await self._turn(desk, number) for number in range(1, self._scenario.turns + 1)]
            used = Usage.now(psutil.Process(), self._others) - before
        finally:
            desk.close()
        return PlacementFigures(
            scenario=self._scenario.name,
            contestant=self._contestant,
            placements=self._scenario.placements,
            clusters=self._scenario.shape.clusters,
            turns=len(turns),
            # No Counter: asdict would count its items.
            served=dict(reduce(or_, (served for _, _, served in turns))),
            refused=self._endpoint.counts()["refused"],
            cpus=[cpu for _, cpu, _ in turns],
            latencies=[seconds for seconds, _, _ in turns],
            unplaced=self._unplaced,
            load=used.load(time.time() - began),
        )

    async def _turn(self, desk: PoolDesk, number: int) -> tuple[float, float, Counter[str]]:
        """Place all jobs once, in a pool that is as it was at first.

        :return: Seconds, seconds of the processor, and calls.
        """
        self._endpoint.start(time.time())
        before = Counter(self._endpoint.counts()["served"])
        orders = make_orders(self._scenario.placements, self._scenario.shape.clusters, number)
        began, cpu = time.monotonic(), time.process_time()
        outcomes = self._by_worker(orders) if len(orders) == 1 else await self._by_desk(desk, orders)
        seconds, spent = time.monotonic() - began, time.process_time() - cpu
        steps = {outcome.run.step_id for outcome in outcomes if isinstance(outcome, Placed)}
        self._unplaced += len(orders) - len(steps)
        return seconds, spent, Counter(self._endpoint.counts()["served"]) - before

    def _by_worker(self, orders: Sequence[PoolOrder]) -> Sequence[Outcome | None]:
        return list(self._placing.round(orders, PATIENCE).values())

    async def _by_desk(self, desk: PoolDesk, orders: Sequence[PoolOrder]) -> Sequence[Outcome | None]:
        """Join the desk with all orders, and wait until each has a step."""
        joined = [desk.join(order) for order in orders]
        end = time.monotonic() + self._scenario.cut_off
        for waiting in joined:
            while not waiting.is_settled and (left := end - time.monotonic()) > 0:
                await waiting.wait(left)
            desk.leave(waiting)
        return [waiting.outcome for waiting in joined]


def main() -> None:
    """Measure once, and print the figures as JSON."""
    print_measured((*POOLS_FULL, *POOLS_QUICK), measure)


if __name__ == "__main__":
    main()
