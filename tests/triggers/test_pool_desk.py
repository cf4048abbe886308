from __future__ import annotations

import asyncio
import contextvars
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from virtual_time import run_virtually

from airflow_provider_emrkit.compute.pool_mark import PoolPlace
from airflow_provider_emrkit.exceptions import AccessDeniedError, SubmitDeniedError, SubmitRefusedError
from airflow_provider_emrkit.hooks.quotas import Quotas
from airflow_provider_emrkit.pools.order import PoolBounds, PoolOrder
from airflow_provider_emrkit.pools.outcomes import Placed, Refused, Waits
from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.runs.token import RunToken
from airflow_provider_emrkit.runs.tolerance import REFUSALS
from airflow_provider_emrkit.triggers import pool_desk as desk_module
from airflow_provider_emrkit.triggers.connecting import Connected, Connecting
from airflow_provider_emrkit.triggers.poller import SharedPoller
from airflow_provider_emrkit.triggers.pool_desk import GATHER, PAUSE, PoolDesk, look_for_room

PLACE = PoolPlace("medium", "", "s3://staging/emrkit/pools/medium.json")
FULL = Waits("pool medium has 1 of 1 cluster")
marker: contextvars.ContextVar[str] = contextvars.ContextVar("marker")


def order_of(number: int) -> PoolOrder:
    token = RunToken("sales", "manual__1", "load", number, 0, 1)
    step = {"Name": token.marked()}
    return PoolOrder(PLACE, PoolBounds(1), "0123456789ab", (1, 0, 0), {}, step, token, float(number))


def run_for(order: PoolOrder) -> JobRun:
    name = order.token.marked()
    return JobRun(
        "step", "j-1", f"s-{order.token.map_index}", str(order.token), name, "us-east-1", pool="medium"
    )


@dataclass
class FakePlacing:
    """Has room for so many jobs; keeps when it was asked to place which."""

    room: int = 0
    errors: list[Exception] = field(default_factory=list)
    rounds: list[tuple[float, list[int]]] = field(default_factory=list)
    searches: list[list[int]] = field(default_factory=list)
    left: list[float] = field(default_factory=list)
    seen: list[Any] = field(default_factory=list)
    takes: float = 0.0
    refusals: int = 0
    placed: dict[str, JobRun] = field(default_factory=dict)

    def round(self, orders: Any, patience: float) -> dict[str, Any]:
        self.rounds.append((_now(), [order.token.map_index for order in orders]))
        self.seen.append(marker.get(None))
        asyncio.get_running_loop().now += self.takes  # type: ignore[attr-defined]
        if self.errors:
            raise self.errors.pop(0)
        if self.refusals:
            self.refusals -= 1
            return {str(order.token): Refused(SubmitDeniedError("expired")) for order in orders}
        outcomes: dict[str, Any] = {}
        for order in sorted(orders, key=lambda one: one.since):
            has_room, self.room = self.room > 0, max(0, self.room - 1)
            if has_room:
                self.placed[str(order.token)] = run_for(order)
            outcomes[str(order.token)] = Placed(run_for(order)) if has_room else FULL
        return outcomes

    def find(self, orders: Any) -> dict[str, JobRun]:
        self.searches.append([order.token.map_index for order in orders])
        if self.errors:
            raise self.errors.pop(0)
        return {
            str(one.token): self.placed[str(one.token)] for one in orders if str(one.token) in self.placed
        }

    def leave(self, place: PoolPlace) -> None:
        assert place == PLACE
        self.left.append(_now())

    @property
    def times(self) -> list[float]:
        return [when for when, _ in self.rounds]


def _now() -> float:
    return asyncio.get_running_loop().time() - 1_000


def make(placing: FakePlacing, **connected: Any) -> PoolDesk:
    poller = SharedPoller(Connecting("emrkit_default", "us-east-1"))
    clients: Any = object()
    poller.connecting.now = Connected(None, Quotas({}), clients=clients, **connected)  # type: ignore[arg-type]
    return PoolDesk(poller, PLACE, lambda clients, holder: placing)  # type: ignore[arg-type,return-value]


async def settled(desk: PoolDesk, number: int) -> Any:
    waiting = desk.join(order_of(number))
    while not waiting.is_settled:
        await waiting.wait(60.0)
    if waiting.error:
        raise waiting.error
    return waiting.outcome


def test_a_thousand_jobs_that_wait_share_one_round():
    placing = FakePlacing(room=1_000)

    async def scenario() -> list[Any]:
        desk = make(placing)
        return await asyncio.gather(*(settled(desk, number) for number in range(1_000)))

    outcomes = run_virtually(scenario())
    assert [outcome.run.step_id for outcome in outcomes] == [f"s-{number}" for number in range(1_000)]
    assert [len(orders) for _, orders in placing.rounds] == [1_000]


def test_those_that_come_together_are_placed_together_and_soon():
    placing = FakePlacing(room=2)

    async def scenario() -> None:
        desk = make(placing)
        first = asyncio.ensure_future(settled(desk, 1))
        await asyncio.sleep(GATHER / 2)
        await asyncio.gather(first, settled(desk, 2))

    run_virtually(scenario())
    assert [orders for _, orders in placing.rounds] == [[1, 2]]
    assert GATHER <= placing.times[0] <= 2 * GATHER


def test_while_somebody_waits_there_is_a_round_every_some_seconds_whoever_has_been_placed():
    placing = FakePlacing(room=1)

    async def scenario() -> None:
        desk = make(placing)
        jobs = [asyncio.ensure_future(settled(desk, number)) for number in (1, 2)]
        await asyncio.sleep(10 * PAUSE)
        placing.room = 1
        await asyncio.gather(*jobs)

    run_virtually(scenario())
    orders = [orders for _, orders in placing.rounds]
    assert orders == [[1, 2]] + [[2]] * (len(orders) - 1)
    gaps = [later - earlier for earlier, later in zip(placing.times, placing.times[1:], strict=False)]
    assert all(PAUSE <= gap <= 1.2 * PAUSE for gap in gaps)
    assert 9 <= len(gaps) <= 13


def test_when_nobody_waits_there_are_no_rounds():
    placing = FakePlacing(room=1)

    async def scenario() -> None:
        await settled(make(placing), 1)
        await asyncio.sleep(10 * PAUSE)

    run_virtually(scenario())
    assert len(placing.rounds) == 1
    assert placing.left == []  # a round that has placed all has told so


def test_one_who_comes_while_others_wait_does_not_wait_for_the_next_round():
    placing = FakePlacing()

    async def scenario() -> None:
        desk = make(placing)
        jobs = [asyncio.ensure_future(settled(desk, 1))]
        await asyncio.sleep(2 * GATHER + 0.1)
        placing.room = 2
        jobs.append(asyncio.ensure_future(settled(desk, 2)))
        await asyncio.gather(*jobs)

    run_virtually(scenario())
    assert [orders for _, orders in placing.rounds] == [[1], [1, 2]]
    assert placing.times[1] < placing.times[0] + 4 * GATHER


def test_the_end_of_a_job_on_the_pool_has_a_round_made_soon(monkeypatch):
    placing = FakePlacing()

    async def scenario() -> None:
        desk = make(placing)
        ids = ("emrkit_default", "us-east-1")
        elsewhere = SimpleNamespace(
            connecting=SimpleNamespace(emrkit_conn_id="mine", region_name="us-east-1")
        )
        monkeypatch.setattr(desk_module, "_desks", {(*ids, PLACE): desk})
        job = asyncio.ensure_future(settled(desk, 1))
        await asyncio.sleep(2 * GATHER + 0.1)
        look_for_room(desk._poller, "small")
        look_for_room(elsewhere, "medium")  # type: ignore[arg-type]
        await asyncio.sleep(3 * GATHER)
        assert len(placing.rounds) == 1
        placing.room = 1
        look_for_room(desk._poller, "medium")
        await asyncio.wait_for(job, 2 * GATHER)

    run_virtually(scenario())
    assert len(placing.rounds) == 2


def test_rounds_that_take_long_leave_most_of_emrs_quota_to_others():
    placing = FakePlacing(takes=40.0)

    async def scenario() -> None:
        job = asyncio.ensure_future(settled(make(placing), 1))
        await asyncio.sleep(1_200.0)
        placing.room = 1
        await job

    run_virtually(scenario())
    pauses = [
        later - earlier - 40.0 for earlier, later in zip(placing.times, placing.times[1:], strict=False)
    ]
    assert all(79.9 <= pause <= 96.1 for pause in pauses)
    assert len(pauses) >= 8


def test_however_many_jobs_end_rounds_that_take_long_are_not_made_all_the_time():
    placing = FakePlacing(takes=40.0)

    async def scenario() -> None:
        desk = make(placing)
        job = asyncio.ensure_future(settled(desk, 1))
        for _ in range(1_200):
            await asyncio.sleep(1.0)
            desk.look_soon()
        placing.room = 1
        await job

    run_virtually(scenario())
    pauses = [
        later - earlier - 40.0 for earlier, later in zip(placing.times, placing.times[1:], strict=False)
    ]
    assert all(39.9 <= pause <= 42.0 for pause in pauses[:-1])
    assert len(pauses) >= 14


def test_who_has_left_is_placed_no_more_and_the_others_are_told():
    placing = FakePlacing()

    async def scenario() -> None:
        desk = make(placing)
        waiting = desk.join(order_of(1))
        await waiting.wait(60.0)
        assert waiting.words == FULL.words
        desk.leave(waiting)
        desk.leave(waiting)
        placing.room = 1
        await asyncio.sleep(10 * PAUSE)

    run_virtually(scenario())
    assert len(placing.rounds) == 1
    assert len(placing.left) == 1


def test_who_leaves_while_others_wait_leaves_them_alone():
    placing = FakePlacing()

    async def scenario() -> None:
        desk = make(placing)
        one, other = desk.join(order_of(1)), desk.join(order_of(2))
        await one.wait(60.0)
        desk.leave(one)
        await asyncio.sleep(2 * PAUSE)
        assert not other.is_settled

    run_virtually(scenario())
    assert placing.rounds[-1][1] == [2]
    assert placing.left == []


def test_two_triggers_of_one_job_get_the_same_outcome():
    placing = FakePlacing(room=1)

    async def scenario() -> list[Any]:
        desk = make(placing)
        return await asyncio.gather(settled(desk, 1), settled(desk, 1))

    one, other = run_virtually(scenario())
    assert one == other
    assert placing.rounds[0][1] == [1]


def test_a_job_that_is_refused_waits_no_more():
    placing = FakePlacing()
    refused = Refused(SubmitRefusedError("the selection of pool medium failed"))
    placing.round = lambda orders, patience: {str(order.token): refused for order in orders}  # type: ignore[method-assign]
    assert run_virtually(_first(placing)) == refused


def test_what_can_t_be_known_ends_the_wait_with_emrkit_s_error():
    denied = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "ListClusters")
    placing = FakePlacing(errors=[denied])
    with pytest.raises(AccessDeniedError):
        run_virtually(_first(placing))


async def _first(placing: FakePlacing) -> Any:
    return await settled(make(placing), 1)


def test_orders_for_the_same_clusters_have_one_request_in_memory():
    async def scenario() -> int:
        desk = make(FakePlacing())
        orders = [replace(order_of(number), cluster={"ReleaseLabel": "emr-7.11.0"}) for number in range(100)]
        return len({id(desk.join(order).order.cluster) for order in orders})

    assert run_virtually(scenario()) == 1


def test_searches_are_gathered():
    placing = FakePlacing(placed={str(order_of(1).token): run_for(order_of(1))})

    async def scenario() -> list[Any]:
        desk = make(placing)
        return await asyncio.gather(*(desk.find(order_of(number)) for number in range(1_000)))

    found = run_virtually(scenario())
    assert [run.step_id for run in found if run] == ["s-1"]
    assert [len(search) for search in placing.searches] == [1_000]


def test_a_search_that_fails_tells_everybody_who_waits_for_it():
    placing = FakePlacing(errors=[SubmitRefusedError("EMR does not answer")])

    async def scenario() -> list[Any]:
        desk = make(placing)
        return await asyncio.gather(
            *(desk.find(order_of(number)) for number in (1, 2)), return_exceptions=True
        )

    assert [str(error) for error in run_virtually(scenario())] == ["EMR does not answer"] * 2


def test_rounds_have_nothing_of_the_trigger_that_came_first():
    placing = FakePlacing(room=1)

    async def scenario() -> None:
        desk = make(placing)
        marker.set("the first trigger's")
        await settled(desk, 1)

    run_virtually(scenario())
    assert placing.seen == [None]


async def renewed(desk: PoolDesk, number: int) -> Any:
    """Give what comes of a job whose trigger opens the connection again when it is asked to."""
    waiting = desk.join(order_of(number))
    while not waiting.is_settled:
        if waiting.renews:
            waiting.renews = False
            await desk._poller.renew(None)
        await waiting.wait(60.0)
    return waiting.outcome


def outcomes_with_renewals(placing: FakePlacing, jobs: int, monkeypatch: Any) -> tuple[list[Any], list[bool]]:
    renewals = []

    async def renew(log: Any, *, refused: bool = False) -> None:
        renewals.append(refused)

    async def scenario() -> list[Any]:
        desk = make(placing)
        monkeypatch.setattr(desk._poller.connecting, "renew", renew)
        monkeypatch.setattr(desk._poller, "_follow_queue", lambda: None)
        return await asyncio.gather(*(renewed(desk, number) for number in range(jobs)))

    return run_virtually(scenario()), renewals


def test_credentials_that_ran_out_are_renewed_and_nobody_who_waits_fails(monkeypatch):
    placing = FakePlacing(room=2, refusals=REFUSALS - 1)
    outcomes, renewals = outcomes_with_renewals(placing, 2, monkeypatch)
    assert [outcome.run.step_id for outcome in outcomes] == ["s-0", "s-1"]
    assert renewals == [True] * (REFUSALS - 1)


def test_credentials_that_stay_refused_are_believed(monkeypatch):
    placing = FakePlacing(room=1, refusals=100)
    [outcome], _ = outcomes_with_renewals(placing, 1, monkeypatch)
    assert type(outcome.error) is SubmitDeniedError
    assert len(placing.rounds) == REFUSALS


def test_an_old_connection_is_opened_again_by_one_of_those_who_wait():
    placing = FakePlacing()

    async def scenario() -> int:
        desk = make(placing, at=-1e9)
        waiting = [desk.join(order_of(number)) for number in range(10)]
        await asyncio.sleep(3 * GATHER)
        return sum(one.renews for one in waiting)

    assert run_virtually(scenario()) == 1


def test_a_round_that_is_under_way_when_one_withdraws_is_waited_for():
    """With a real loop: the round is in a thread."""
    import threading

    begun, go_on = threading.Event(), threading.Event()

    class SlowPlacing(FakePlacing):
        def round(self, orders: Any, patience: float) -> dict[str, Any]:
            begun.set()
            assert go_on.wait(20)
            return {str(order.token): Placed(run_for(order)) for order in orders}

    async def scenario() -> Any:
        desk = make(SlowPlacing())
        waiting = desk.join(order_of(1))
        await asyncio.to_thread(begun.wait, 20)
        withdrawing = asyncio.ensure_future(desk.withdraw(waiting))
        await asyncio.sleep(0.05)
        assert not withdrawing.done()
        go_on.set()
        await withdrawing
        return waiting.outcome

    assert asyncio.run(scenario()) == Placed(run_for(order_of(1)))
