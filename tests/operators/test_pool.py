"""Operators that care for a pool, as Airflow runs them, against a real local EMR."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest
from airflow import DAG
from airflow_fixtures import wait_for

from airflow_provider_emrkit import (
    ClusterPool,
    ClusterSpec,
    EmrPoolDeleteOperator,
    EmrPoolDrainOperator,
    EmrPoolResizeOperator,
    EmrPoolWarmUpOperator,
    InvalidValueError,
)
from airflow_provider_emrkit.compute.pool_mark import PoolMark
from airflow_provider_emrkit.exceptions import (
    BootstrapError,
    EmrKitError,
    RunTimedOutError,
    SubmitDeniedError,
)
from airflow_provider_emrkit.testing.faults import faults

POOL = ClusterPool("medium", ClusterSpec("emr-7.11.0", size="tiny"), min_clusters=2, max_clusters=3)
OPERATORS = {
    EmrPoolWarmUpOperator: {},
    EmrPoolResizeOperator: {"clusters": 1},
    EmrPoolDrainOperator: {},
    EmrPoolDeleteOperator: {},
}
ALL = [pytest.param(kind, kwargs, id=kind.__name__) for kind, kwargs in OPERATORS.items()]


@pytest.fixture(autouse=True)
def _connected(emrkit_connection):
    """There is a connection to the local EMR."""


def make(kind: type, pool: ClusterPool = POOL, **kwargs: Any) -> Any:
    with DAG("sales", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc)):
        operator = kind(task_id="care", cluster_pool=pool, **kwargs)
    operator.poll_interval = 0.05
    return operator


def run(operator: Any, ti: Any) -> dict[str, Any]:
    """Run the task to its end, through the triggerer where it is deferred."""
    result, deferral = begun(operator, ti)
    if deferral is None:
        return result
    event = payload_of(deferral.trigger)
    return getattr(operator, deferral.method_name)({"ti": ti}, event)


def begun(operator: Any, ti: Any) -> tuple[Any, Any]:
    try:
        return operator.execute({"ti": ti}), None
    except BaseException as deferral:  # TaskDeferred moved between versions
        if not hasattr(deferral, "trigger"):
            raise
        return None, deferral


def payload_of(trigger: Any) -> dict[str, Any]:
    """What a triggerer of another process makes of it."""
    _, kwargs = trigger.serialize()
    again = type(trigger)(**json.loads(json.dumps(kwargs)))

    async def first_event() -> dict[str, Any]:
        return (await anext(again.run())).payload

    return asyncio.run(first_event())


def states(emr: Any) -> dict[str, str]:
    """The clusters of the pool that have not ended."""
    listed = emr.list_clusters()["Clusters"]
    found = {one["Id"]: one["Status"]["State"] for one in listed if PoolMark.of(one["Name"])}
    return {one: state for one, state in found.items() if not state.startswith("TERMINAT")}


def work(localemr_server: Any, cluster: str, name: str) -> str:
    localemr_server.runner.script(name, hold=True)
    step = localemr_server.add_step(cluster, name)
    localemr_server.wait_step(cluster, step, "RUNNING")
    return step


BOTH = pytest.mark.parametrize("deferrable", [False, True], ids=["on a worker", "deferred"])


# --- warm up ----------------------------------------------------------------------------------------------


@BOTH
def test_a_pool_is_warm_when_its_clusters_are_up(emr, ti, deferrable):
    value = run(make(EmrPoolWarmUpOperator, deferrable=deferrable), ti)
    assert value["pool"] == "medium"
    assert states(emr) == dict.fromkeys(value["started"], "WAITING")
    assert len(value["started"]) == 2
    json.dumps(value)


def test_a_warm_pool_is_left_as_it_is(emr, ti):
    first = run(make(EmrPoolWarmUpOperator), ti)
    second = run(make(EmrPoolWarmUpOperator), ti)
    assert second["started"] == []
    assert sorted(second["serving"]) == sorted(first["started"])


def test_a_number_of_clusters_may_be_given(emr, ti):
    run(make(EmrPoolWarmUpOperator, clusters=3), ti)
    assert len(states(emr)) == 3


def test_without_waiting_the_clusters_need_not_be_up(localemr_server, emr, ti):
    localemr_server.runner.hold_starts()
    value = run(make(EmrPoolWarmUpOperator, wait=False), ti)
    assert set(states(emr)) == set(value["started"])
    assert "WAITING" not in states(emr).values()
    localemr_server.runner.release_starts()


@BOTH
def test_clusters_that_do_not_come_up_fail_the_task_with_emr_s_reason(localemr_server, ti, deferrable):
    operator = make(EmrPoolWarmUpOperator, deferrable=deferrable)
    told = "has clusters that did not come up: cluster j-"
    with (
        faults(localemr_server.endpoint_url, bootstrap_failure={}),
        pytest.raises(BootstrapError, match=told),
    ):
        run(operator, ti)


def test_what_emr_refuses_fails_the_task(localemr_server, emr, ti):
    denied = {"operation": "RunJobFlow", "code": "AccessDeniedException", "status": 400, "message": "no"}
    told = "no cluster of pool medium was started .*permission is missing"
    with faults(localemr_server.endpoint_url, error=denied), pytest.raises(SubmitDeniedError, match=told):
        run(make(EmrPoolWarmUpOperator), ti)
    assert states(emr) == {}


@BOTH
def test_a_wait_ends_with_its_timeout_and_the_clusters_stay(localemr_server, emr, ti, deferrable):
    localemr_server.runner.hold_starts()
    operator = make(EmrPoolWarmUpOperator, deferrable=deferrable, timeout=1.0)
    with pytest.raises(
        RunTimedOutError, match=r"the time to wait is up .*its clusters stay.*0 of 2 clusters"
    ):
        run(operator, ti)
    localemr_server.runner.release_starts()
    wait_for(lambda: list(states(emr).values()) == ["WAITING"] * 2)


def test_a_stopped_wait_leaves_the_clusters_and_says_so(localemr_server, emr, ti):
    localemr_server.runner.hold_starts()
    operator = make(EmrPoolWarmUpOperator)
    operator.poll_interval = 30.0

    def stop_when_it_waits() -> None:
        wait_for(lambda: len(states(emr)) == 2)
        operator.on_kill()

    stopper = threading.Thread(target=stop_when_it_waits)
    stopper.start()
    with pytest.raises(EmrKitError, match=r"Airflow stopped the task: its clusters stay, .* work for 900 s"):
        run(operator, ti)
    stopper.join()
    localemr_server.runner.release_starts()
    wait_for(lambda: list(states(emr).values()) == ["WAITING"] * 2)


def test_a_task_that_has_not_begun_can_be_stopped():
    make(EmrPoolWarmUpOperator).on_kill()


def test_a_deferred_task_says_what_stays_when_it_is_ended(ti, task_log):
    begun(make(EmrPoolWarmUpOperator, deferrable=True), ti)
    assert "Should the task be ended meanwhile: its clusters stay" in task_log.lines[-1]


def test_the_log_tells_what_is_waited_for(localemr_server, ti, task_log):
    localemr_server.runner.hold_starts()

    def release_when_told() -> None:
        wait_for(lambda: any("0 of 1" in line for line in task_log.lines))
        localemr_server.runner.release_starts()

    threading.Thread(target=release_when_told).start()
    run(make(EmrPoolWarmUpOperator, clusters=1), ti)
    said = [line for line in task_log.lines if line.startswith("Pool medium:")]
    assert "0 of 1 clusters came up, j-" in said[0]
    assert said[-1] == "Pool medium: 1 of 1 clusters came up"


# --- resize, drain, delete --------------------------------------------------------------------------------


@BOTH
def test_a_pool_grows_and_shrinks(emr, ti, deferrable):
    run(make(EmrPoolResizeOperator, clusters=3, deferrable=deferrable), ti)
    assert len(states(emr)) == 3
    value = run(make(EmrPoolResizeOperator, clusters=1, deferrable=deferrable), ti)
    assert len(value["retired"]) == 2
    assert len(states(emr)) == 1


@BOTH
def test_a_drained_pool_is_waited_for_until_its_work_is_done(localemr_server, emr, ti, deferrable):
    busy, _ = run(make(EmrPoolWarmUpOperator), ti)["started"]
    step = work(localemr_server, busy, "load")

    def finish_when_the_idle_one_has_gone() -> None:
        wait_for(lambda: set(states(emr)) == {busy})
        localemr_server.runner.finish("load")

    threading.Thread(target=finish_when_the_idle_one_has_gone).start()
    value = run(make(EmrPoolDrainOperator, deferrable=deferrable), ti)
    assert value["draining"] == [busy]
    assert states(emr) == {}
    assert emr.describe_step(ClusterId=busy, StepId=step)["Step"]["Status"]["State"] == "COMPLETED"


def test_one_cluster_is_drained(emr, ti):
    one, other = run(make(EmrPoolWarmUpOperator), ti)["started"]
    run(make(EmrPoolDrainOperator, cluster_ids=[one]), ti)
    assert set(states(emr)) == {other}


@BOTH
def test_a_deleted_pool_leaves_nothing(localemr_server, emr, ti, deferrable):
    run(make(EmrPoolWarmUpOperator), ti)
    run(make(EmrPoolDeleteOperator, deferrable=deferrable), ti)
    assert states(emr) == {}
    assert "Contents" not in localemr_server.client("s3").list_objects_v2(
        Bucket="staging", Prefix="emrkit/pools"
    )


def test_by_force_it_does_not_wait_for_work(localemr_server, emr, ti):
    busy, _ = run(make(EmrPoolWarmUpOperator), ti)["started"]
    step = work(localemr_server, busy, "load")
    run(make(EmrPoolDeleteOperator, force=True), ti)
    assert states(emr) == {}
    assert emr.describe_step(ClusterId=busy, StepId=step)["Step"]["Status"]["State"] == "CANCELLED"


@pytest.mark.parametrize(("kind", "kwargs"), ALL)
def test_each_may_be_done_again(emr, ti, kind, kwargs):
    run(make(kind, **kwargs), ti)
    before = states(emr)
    value = run(make(kind, **kwargs), ti)
    assert (value["started"], value["retired"]) == ([], [])
    assert states(emr) == before


# --- templates --------------------------------------------------------------------------------------------


def test_templates_are_rendered_inside_of_the_pool_too(emr, ti):
    pool = replace(POOL, name="{{ size }}", spec=replace(POOL.spec, tags={"day": "{{ ds }}"}))
    operator = make(EmrPoolWarmUpOperator, pool, clusters="{{ number }}")
    operator.render_template_fields({"size": "small", "ds": "2024-01-01", "number": 1})
    value = run(operator, ti)
    cluster = emr.describe_cluster(ClusterId=value["started"][0])["Cluster"]
    assert value["pool"] == "small"
    assert len(value["started"]) == 1
    assert {"Key": "day", "Value": "2024-01-01"} in cluster["Tags"]


def test_a_rendered_number_is_checked(ti):
    operator = make(EmrPoolResizeOperator, clusters="{{ number }}")
    operator.render_template_fields({"number": 7})
    with pytest.raises(InvalidValueError, match=r"EmrPoolResizeOperator\.clusters: 7"):
        run(operator, ti)
