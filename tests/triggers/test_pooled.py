"""The trigger of a job that waits for room, against a real local EMR."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from airflow_fixtures import FakeTaskInstance, wait_for

from airflow_provider_emrkit.compute.cluster_spec import ClusterSpec
from airflow_provider_emrkit.compute.pool import ClusterPool
from airflow_provider_emrkit.exceptions import SubmitDeniedError, SubmitRefusedError
from airflow_provider_emrkit.hooks.emrkit import EmrKitHook
from airflow_provider_emrkit.jobs.spark_job import SparkJob
from airflow_provider_emrkit.logs.wishes import LogWishes
from airflow_provider_emrkit.operators.pooled import StagedOrder
from airflow_provider_emrkit.pools.ordering import make_order, stage_order
from airflow_provider_emrkit.pools.outcomes import Placed, Refused, Waits
from airflow_provider_emrkit.pools.placing import Placing
from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.runs.step_compiling import StepCompiling
from airflow_provider_emrkit.runs.token import RunToken
from airflow_provider_emrkit.triggers import job_run, pool_desk, pooled
from airflow_provider_emrkit.triggers.pooled import EmrPooledRunTrigger

if TYPE_CHECKING:
    from collections.abc import Callable

# What Airflow 3.3 and later say when they cancel a trigger because of a user, before they call on_kill.
USER_ACTION = "__airflow_user_action__"
POOL = ClusterPool("medium", ClusterSpec("emr-7.11.0", size="tiny"), max_clusters=1)
TO_BE = JobRun("step", "", "", "0123456789abcdef-0-1", "sales.load", "us-east-1", pool="medium")


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(pool_desk, "PAUSE", 0.2)
    monkeypatch.setattr(pool_desk, "GATHER", 0.05)
    # A busy machine may need long from the trigger's making to its start.
    monkeypatch.setattr(pooled, "FIRST_START", 50.0)
    monkeypatch.setattr(pooled, "push_xcom", FakeTaskInstance.xcom_push)
    pool_desk._desks.clear()


def order_of(task: str, *, secret: str = "", since: float | None = None) -> Any:
    hook = EmrKitHook()
    compiling = StepCompiling(hook.clients, threading.Event().wait, hook.settings.staging_uri)
    job = SparkJob("s3://code/job.py", args=[secret] if secret else [], deploy_mode="client")
    token = RunToken("sales", "manual__1", task, -1, 0, 1)
    since = time.time() if since is None else since
    return make_order(compiling, POOL, job, token, hook.settings, LogWishes(), since=since)


def make(order: Any, **kwargs: Any) -> EmrPooledRunTrigger:
    hook = EmrKitHook()
    uri = stage_order(order, hook.settings.staging_uri, hook.client("s3"))
    run = StagedOrder(uri, order, 0.0).run_to_be("us-east-1").to_dict()
    quick = {"poll_interval": 0.05, "log_poll_interval": 0.02, "log_drain": 0.1, "deferred_at": time.time()}
    trigger = EmrPooledRunTrigger(run, uri, waits_since=order.since, **{**quick, **kwargs})
    trigger.task_instance = FakeTaskInstance()  # type: ignore[assignment]
    return trigger


REALLY_PLACE = Placing.round


def place(order: Any) -> JobRun:
    """Place a job as another process does, also where rounds here come to what the test says."""
    another = Placing(EmrKitHook().clients, "another", threading.Event().wait)
    (placed,) = REALLY_PLACE(another, [order], 10.0).values()
    assert isinstance(placed, Placed)
    return placed.run


def payload_of(trigger: EmrPooledRunTrigger) -> dict[str, Any]:
    async def first_event() -> dict[str, Any]:
        return (await anext(trigger.run())).payload

    payload = asyncio.run(first_event())
    assert json.loads(json.dumps(payload)) == payload
    return payload


def cancel(
    trigger: EmrPooledRunTrigger,
    after: Callable[[], Any],
    *message: str,
    during: Any = None,
    then: Any = None,
) -> None:
    """Do what a triggerer does: cancel the trigger's coroutine, and call on_kill where Airflow 3.3 would.

    :param during: Called in a while, which the cancelled trigger may wait for.
    :param then: Called when the trigger is gone, and the round that was under way is over.
    """

    async def run() -> None:
        task = asyncio.create_task(anext(trigger.run()))
        await asyncio.to_thread(after)
        task.cancel(*message)
        if during:
            threading.Timer(0.2, during).start()
        with pytest.raises(asyncio.CancelledError):
            await task
        if message:
            await trigger.on_kill()
        if then:
            await asyncio.to_thread(wait_for, no_round_is_made)
            await asyncio.to_thread(then)
        await asyncio.sleep(0.6)  # rounds go on, if they do

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job_run, "AIRFLOW_V_3_3_PLUS", bool(message))
        asyncio.run(run())


def no_round_is_made() -> bool:
    return all(desk._round is None for desk in pool_desk._desks.values())


def say_task_is(state: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_run, "read_task_state", lambda task_instance: state)


def waits(task_log: Any) -> None:
    """Wait until the trigger waits for room."""
    wait_for(lambda: any("Waiting for room" in line for line in task_log.lines))


def steps(emr: Any) -> dict[str, str]:
    """The states of all steps, by what people call them."""
    found = {}
    for cluster in emr.list_clusters()["Clusters"]:
        for step in emr.list_steps(ClusterId=cluster["Id"])["Steps"]:
            found[step["Name"].split(" ")[0]] = step["Status"]["State"]
    return found


@pytest.fixture
def full(localemr_server, emrkit_connection, emr):
    """The pool is full: its one cluster runs another job. Gives what ends that, and waits for its end."""
    localemr_server.runner.script("sales.other", hold=True)
    run = place(order_of("other"))
    localemr_server.runner.wait_started("sales.other")

    def end() -> None:
        localemr_server.runner.finish("sales.other")
        localemr_server.wait_step(run.cluster_id, run.step_id, "COMPLETED")

    return end


@pytest.fixture
def rounds(monkeypatch):
    """Rounds that come to what the test says; gives what they were asked."""
    asked: list[Any] = []
    begun, go_on = threading.Event(), threading.Event()
    answer: dict[str, Any] = {"outcome": Waits("pool medium has no room"), "begun": begun, "go_on": go_on}

    def fake(self: Placing, orders: Any, patience: float) -> dict[str, Any]:
        asked.append(orders)
        begun.set()
        assert go_on.wait(20)
        outcome = answer["outcome"]
        return {str(one.token): outcome(one) if callable(outcome) else outcome for one in orders}

    monkeypatch.setattr(Placing, "round", fake)
    answer["asked"] = asked
    return answer


@pytest.mark.parametrize(
    "trigger",
    [
        pytest.param(EmrPooledRunTrigger(TO_BE.to_dict()), id="defaults"),
        pytest.param(
            EmrPooledRunTrigger(
                TO_BE.to_dict(), "s3://a/b", 1.0, 2.0, emrkit_conn_id="mine", deadline=3.0, on_kill="leave"
            ),
            id="more arguments",
        ),
    ],
)
def test_it_can_be_made_again_from_what_it_serializes(trigger):
    path, kwargs = trigger.serialize()
    assert path == f"{EmrPooledRunTrigger.__module__}.{EmrPooledRunTrigger.__name__}"
    assert json.loads(json.dumps(kwargs)) == kwargs
    assert EmrPooledRunTrigger(**kwargs).serialize() == (path, kwargs)


def test_what_it_serializes_is_small_and_has_nothing_of_the_job_s_arguments(emrkit_connection):
    kwargs = json.dumps(make(order_of("load", secret="open sesame")).serialize()[1])
    assert "sesame" not in kwargs
    assert len(kwargs) < 1_500


def test_it_serializes_the_same_after_the_job_was_placed(localemr_server, emrkit_connection):
    trigger = make(order_of("load"))
    before = trigger.serialize()
    assert payload_of(trigger)["state"] == "ended"
    assert trigger.serialize() == before


def test_a_job_is_placed_when_there_is_room_and_then_watched(full, localemr_server, emr, task_log):
    localemr_server.runner.script("sales.load", stdout=["24 rows"])

    def end_when_it_waits() -> None:
        waits(task_log)
        full()

    ender = threading.Thread(target=end_when_it_waits)
    ender.start()
    payload = payload_of(make(order_of("load")))
    ender.join()
    assert (payload["state"], payload["status"]["state"]) == ("ended", "succeeded")
    run = JobRun.from_dict(payload["run"])
    assert f"In pool medium: step {run.step_id} on cluster {run.cluster_id} (us-east-1)" in task_log.lines
    assert "[stdout] 24 rows" in task_log.lines
    assert [
        line for line in task_log.lines if line.startswith("Waiting for room in pool medium: it has 1 of 1")
    ]


def test_what_was_placed_is_seen_in_airflow_while_it_runs(localemr_server, emrkit_connection):
    localemr_server.runner.script("sales.load", hold=True)
    trigger = make(order_of("load"))

    async def scenario() -> dict[str, Any]:
        event = asyncio.create_task(anext(trigger.run()))
        await asyncio.to_thread(localemr_server.runner.wait_started, "sales.load")
        await asyncio.to_thread(wait_for, lambda: "emrkit_run" in trigger.task_instance.xcoms)
        assert not event.done()
        localemr_server.runner.finish("sales.load")
        return (await event).payload

    payload = asyncio.run(scenario())
    assert trigger.task_instance.xcoms["emrkit_run"] == payload["run"]
    assert payload["announced"] is True


def test_an_airflow_that_does_not_take_the_ids_stops_nothing(emrkit_connection, monkeypatch, task_log):
    def refuse(*_: Any) -> None:
        raise RuntimeError("the API is away")

    monkeypatch.setattr(pooled, "push_xcom", refuse)
    payload = payload_of(make(order_of("load")))
    assert (payload["state"], payload["announced"]) == ("ended", False)
    assert any("did not take the ids" in line for line in task_log.lines)


def test_an_airflow_that_takes_the_ids_late_holds_up_nothing(emrkit_connection, monkeypatch, task_log):
    def slow(*_: Any) -> None:
        wait_for(lambda: any("is COMPLETED" in line for line in task_log.lines))

    monkeypatch.setattr(pooled, "push_xcom", slow)
    payload = payload_of(make(order_of("load")))
    assert (payload["state"], payload["announced"]) == ("ended", True)


@pytest.mark.parametrize("ended", [False, True])
def test_a_trigger_that_starts_again_goes_on_with_the_job_that_was_placed(
    localemr_server, emrkit_connection, emr, monkeypatch, ended
):
    localemr_server.runner.script("sales.load", hold=not ended)
    order = order_of("load")
    run = place(order)
    if ended:
        localemr_server.wait_step(run.cluster_id, run.step_id, "COMPLETED")
    else:
        localemr_server.runner.wait_started("sales.load")
        threading.Timer(0.5, lambda: localemr_server.runner.finish("sales.load")).start()
    monkeypatch.setattr(Placing, "round", lambda *_: pytest.fail("it was to be placed again"))
    payload = payload_of(make(order, deferred_at=time.time() - 60.0))
    assert payload["run"]["step_id"] == run.step_id
    assert payload["status"]["state"] == "succeeded"
    assert len(emr.list_steps(ClusterId=run.cluster_id)["Steps"]) == 1


def test_one_that_starts_for_the_first_time_does_not_search(rounds, emrkit_connection, monkeypatch):
    monkeypatch.setattr(Placing, "find", lambda self, orders: pytest.fail("it has searched"))
    rounds["go_on"].set()
    rounds["outcome"] = Refused(SubmitRefusedError("no"))
    assert payload_of(make(order_of("load")))["state"] == "refused"


@pytest.mark.parametrize("message", [(), (USER_ACTION,)], ids=["before 3.3", "3.3"])
def test_a_job_whose_task_a_user_ends_is_placed_no_more(full, emr, monkeypatch, task_log, message):
    say_task_is("failed", monkeypatch)
    cancel(make(order_of("load")), lambda: waits(task_log), *message, then=full)
    assert steps(emr) == {"sales.other": "COMPLETED"}
    assert any("was not placed, and waits no more" in line for line in task_log.lines)


@pytest.mark.parametrize("message", [(), (USER_ACTION,)], ids=["before 3.3", "3.3"])
def test_a_job_that_is_placed_while_a_user_ends_its_task_is_ended(
    rounds, localemr_server, emrkit_connection, emr, monkeypatch, message
):
    say_task_is("failed", monkeypatch)
    localemr_server.runner.script("sales.load", hold=True)
    order = order_of("load")
    rounds["outcome"] = lambda order: Placed(place(order))
    cancel(make(order), lambda: rounds["begun"].wait(20), *message, during=rounds["go_on"].set)
    wait_for(lambda: steps(emr).get("sales.load") == "CANCELLED")


def test_a_triggerer_that_goes_leaves_the_job_to_the_next_one(full, emr, monkeypatch, task_log):
    say_task_is("deferred", monkeypatch)
    order = order_of("load")
    cancel(make(order), lambda: waits(task_log), then=full)
    assert not any(desk._waiting for desk in pool_desk._desks.values())
    assert steps(emr) == {"sales.other": "COMPLETED"}
    assert payload_of(make(order, deferred_at=time.time() - 60.0))["state"] == "ended"
    assert steps(emr) == {"sales.other": "COMPLETED", "sales.load": "COMPLETED"}


def test_a_task_whose_time_is_up_does_not_wait_any_more(full, emr):
    payload = payload_of(make(order_of("load"), deadline=time.time() + 1.0))
    assert (payload["state"], payload["limit"]) == ("timeout", "execution_timeout")
    assert payload["run"]["step_id"] == ""
    full()
    assert "sales.load" not in steps(emr)


def test_a_job_that_found_no_room_in_time_says_what_the_pool_is_busy_with(full, emr):
    since = time.time()
    payload = payload_of(make(order_of("load", since=since), wait_until=since + 1.0))
    assert payload["state"] == "busy"
    assert "no room in pool medium within" in payload["message"]
    assert "sales.other" in payload["message"]
    full()
    assert "sales.load" not in steps(emr)


def test_a_job_that_waited_while_no_triggerer_was_there_is_given_a_round(emrkit_connection):
    order = order_of("load", since=time.time() - 100.0)
    assert payload_of(make(order, wait_until=time.time() - 40.0))["state"] == "ended"


def test_a_job_that_the_last_round_places_is_watched(rounds, localemr_server, emrkit_connection, monkeypatch):
    order = order_of("load")
    run = place(order)
    trigger = make(order)
    withdraws, withdraw = threading.Event(), pool_desk.PoolDesk.withdraw

    async def withdraw_seen(desk: Any, waiting: Any) -> None:
        withdraws.set()
        await withdraw(desk, waiting)

    monkeypatch.setattr(pool_desk.PoolDesk, "withdraw", withdraw_seen)
    monkeypatch.setattr(pooled, "CHANGED", 0.05)

    def outcome(order: Any) -> Any:
        if len(rounds["asked"]) == 1:
            return Waits("pool medium has no room")
        # Its time is up while this round goes on.
        trigger.wait_until = time.time()
        assert withdraws.wait(20)
        return Placed(run)

    rounds["outcome"] = outcome
    rounds["go_on"].set()
    payload = payload_of(trigger)
    assert (payload["state"], payload["run"]["step_id"]) == ("ended", run.step_id)
    assert len(rounds["asked"]) == 2


def test_a_job_that_was_placed_without_an_answer_is_found_when_its_time_is_up(
    rounds, localemr_server, emrkit_connection
):
    order = order_of("load")
    run = place(order)
    rounds["go_on"].set()
    payload = payload_of(make(order, wait_until=time.time() + 0.5))
    assert (payload["state"], payload["run"]["step_id"]) == ("ended", run.step_id)


def test_what_is_refused_for_good_is_told_with_its_type(rounds, emrkit_connection):
    rounds["go_on"].set()
    rounds["outcome"] = Refused(SubmitDeniedError("allow elasticmapreduce:RunJobFlow"))
    payload = payload_of(make(order_of("load")))
    assert (payload["state"], payload["error"]) == ("refused", "SubmitDeniedError")
    assert payload["message"] == "allow elasticmapreduce:RunJobFlow"


def test_an_order_that_is_gone_wakes_the_task(emrkit_connection, task_log):
    trigger = make(order_of("load"))
    trigger.order_uri = "s3://staging/emrkit/gone.json"
    payload = payload_of(trigger)
    assert (payload["state"], payload["run"]["step_id"]) == ("error", "")
    assert "gone.json" in payload["message"]


def test_waiting_is_told_once_a_minute_at_most(rounds, emrkit_connection, task_log):
    rounds["go_on"].set()
    numbers = iter(range(1_000))
    rounds["outcome"] = lambda order: Waits(f"pool medium has no room, {next(numbers)} jobs wait")
    trigger = make(order_of("load"))

    async def scenario() -> None:
        event = asyncio.create_task(anext(trigger.run()))
        await asyncio.to_thread(wait_for, lambda: len(rounds["asked"]) > 3)
        event.cancel()

    asyncio.run(scenario())
    assert len([line for line in task_log.lines if "Waiting for room" in line]) == 1
