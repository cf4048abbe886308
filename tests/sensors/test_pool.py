"""The sensor of pools, as Airflow runs it, against a real local EMR."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from airflow import DAG
from airflow_fixtures import wait_for

from airflow_provider_emrkit import ClusterPool, ClusterSpec, EmrPoolSensor, InvalidValueError
from airflow_provider_emrkit.exceptions import AccessDeniedError
from airflow_provider_emrkit.hooks.clients import ATTEMPTS
from airflow_provider_emrkit.pools.opening import open_pool
from airflow_provider_emrkit.testing.faults import faults

POOL = ClusterPool("medium", ClusterSpec("emr-7.11.0", size="tiny"), max_clusters=1)


def make(pool: ClusterPool = POOL, **kwargs: Any) -> EmrPoolSensor:
    with DAG("sales", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc)):
        return EmrPoolSensor(
            task_id="room", cluster_pool=pool, **{"poke_interval": 0.05, "timeout": 20, **kwargs}
        )


@pytest.fixture
def full(localemr_server, emrkit_connection):
    """The pool is full until the function that this gives is called."""
    care, setup = open_pool(POOL, "emrkit_default")
    (cluster,) = care.warm_up(setup, 1).started
    localemr_server.wait_cluster(cluster, "WAITING")
    localemr_server.runner.script("load", hold=True)
    step = localemr_server.add_step(cluster, "load")
    localemr_server.wait_step(cluster, step, "RUNNING")
    return lambda: localemr_server.runner.finish("load")


def deferral_of(sensor: EmrPoolSensor, ti: Any) -> Any:
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - TaskDeferred moved between versions
        sensor.execute({"ti": ti})
    assert hasattr(caught.value, "trigger"), caught.value
    return caught.value


def payload_of(trigger: Any) -> dict[str, Any]:
    _, kwargs = trigger.serialize()
    again = type(trigger)(**json.loads(json.dumps(kwargs)))

    async def first_event() -> dict[str, Any]:
        return (await anext(again.run())).payload

    return asyncio.run(first_event())


def test_a_pool_that_may_grow_has_room(emrkit_connection, ti, task_log):
    make().execute({"ti": ti})
    assert "Pool medium: has room; the pool has 0 of 1 cluster" in task_log.lines


def test_it_waits_until_there_is_room(full, ti, task_log):
    sensor = make()
    assert not sensor.poke({"ti": ti})
    assert "load" in task_log.lines[-1]
    threading.Timer(0.2, full).start()
    sensor.execute({"ti": ti})


def test_it_looks_once_when_it_is_to_be_rescheduled(full, ti):
    from airflow.exceptions import AirflowRescheduleException

    ti.get_first_reschedule_date = lambda context: datetime.now(timezone.utc)
    sensor = make(mode="reschedule", poke_interval=60)
    if hasattr(sensor, "_is_sensor"):  # Airflow 3 asks the task instance, Airflow 2 the database
        with pytest.raises(AirflowRescheduleException):
            sensor.execute({"ti": ti})


def test_deferred_it_waits_in_the_triggerer(full, ti):
    sensor = make(deferrable=True)
    deferral = deferral_of(sensor, ti)
    assert deferral.timeout == timedelta(seconds=20)
    threading.Timer(0.2, full).start()
    event = payload_of(deferral.trigger)
    assert event["state"] == "done"
    assert sensor.execute_complete({"ti": ti}, event) is None


def test_deferred_it_need_not_wait_for_what_is_so(emrkit_connection, ti):
    assert make(deferrable=True).execute({"ti": ti}) is None


def test_it_waits_until_the_pool_is_healthy(localemr_server, emrkit_connection, ti):
    pool = replace(POOL, min_clusters=1)
    sensor = make(pool, until="is_healthy")
    assert not sensor.poke({"ti": ti})
    care, setup = open_pool(pool, "emrkit_default")
    care.warm_up(setup)
    wait_for(lambda: sensor.poke({"ti": ti}))


def test_throttling_does_not_fail_it(localemr_server, emrkit_connection, ti, monkeypatch):
    monkeypatch.setitem(ATTEMPTS, "emr", 1)  # what boto3 does about it by itself takes its time
    sensor = make()
    with faults(localemr_server.endpoint_url, throttle={"operation": "ListClusters"}):
        assert not sensor.poke({"ti": ti})
    assert sensor.poke({"ti": ti})


def test_a_refusal_fails_it_when_it_stays(localemr_server, emrkit_connection, ti):
    sensor = make()
    denied = {"operation": "ListClusters", "code": "AccessDeniedException", "status": 400, "message": "no"}
    with faults(localemr_server.endpoint_url, error=denied):
        for _ in range(3):
            assert not sensor.poke({"ti": ti})
        with pytest.raises(
            AccessDeniedError, match="pool medium could not be looked at: permission is missing"
        ):
            sensor.poke({"ti": ti})


def test_what_the_triggerer_could_not_do_is_the_task_s_error(emrkit_connection, ti):
    event = {"state": "error", "error": "AccessDeniedError", "message": "no", "report": {}}
    with pytest.raises(AccessDeniedError, match="no"):
        make().execute_complete({"ti": ti}, event)


def test_templates_are_rendered_inside_of_the_pool_too(emrkit_connection):
    sensor = make(replace(POOL, name="{{ size }}"))
    sensor.render_template_fields({"size": "small"})
    assert sensor.cluster_pool.name == "small"


@pytest.mark.parametrize(
    ("wrong", "told"), [({"cluster_pool": "medium"}, "cluster_pool"), ({"until": "is_full"}, "until")]
)
def test_what_can_t_be_right_is_refused_when_the_dag_is_parsed(wrong, told):
    with pytest.raises(InvalidValueError, match=rf"EmrPoolSensor\.{told}"):
        EmrPoolSensor(task_id="room", **{"cluster_pool": POOL, **wrong})
