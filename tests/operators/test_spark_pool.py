"""A job on a pool of clusters: placed at once, waited for here or in the triggerer, placed once more."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from airflow import DAG
from airflow_fixtures import FakeTaskInstance, wait_for

from airflow_provider_emrkit import ClusterPool, ClusterSpec, EmrSparkOperator, InvalidValueError, SparkJob
from airflow_provider_emrkit.exceptions import PoolBusyError, RunCancelledError, SubmitRefusedError
from airflow_provider_emrkit.operators import pooled as pooled_module
from airflow_provider_emrkit.runs.watch import Pace
from airflow_provider_emrkit.triggers.job_run import EmrJobRunTrigger
from airflow_provider_emrkit.triggers.pooled import EmrPooledRunTrigger

JOB = SparkJob("s3://code/job.py", deploy_mode="client")
POOL = ClusterPool("medium", ClusterSpec("emr-7.11.0", size="tiny"), max_clusters=1, wait_timeout=30)


@pytest.fixture(autouse=True)
def _quick(emrkit_connection, monkeypatch):
    monkeypatch.setattr(EmrSparkOperator, "_pace", lambda self: Pace(poll=0.05, logs=0.02, drain=0.1))
    monkeypatch.setattr(pooled_module, "PAUSE", 0.2)


def make(pool: ClusterPool = POOL, **kwargs: Any) -> EmrSparkOperator:
    with DAG("sales", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc)):
        return EmrSparkOperator(task_id="load", job=JOB, compute=pool, **kwargs)


def context(ti: FakeTaskInstance) -> Any:
    started = datetime.now(timezone.utc) - timedelta(minutes=5)
    return {"ti": ti, "dag_run": SimpleNamespace(start_date=started)}


def deferred(operator: EmrSparkOperator, ti: FakeTaskInstance) -> Any:
    """The trigger that a task waits for."""
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - TaskDeferred moved between versions
        operator.execute(context(ti))
    assert hasattr(caught.value, "trigger"), caught.value
    trigger = caught.value.trigger
    trigger.task_instance = ti
    return trigger


def payload_of(trigger: Any) -> dict[str, Any]:
    async def first_event() -> dict[str, Any]:
        return (await anext(trigger.run())).payload

    return asyncio.run(first_event())


def clusters(emr: Any, *states: str) -> list[str]:
    return [one["Id"] for one in emr.list_clusters(ClusterStates=list(states))["Clusters"]]


def all_steps(emr: Any) -> list[dict[str, Any]]:
    return [step for one in clusters(emr) for step in emr.list_steps(ClusterId=one)["Steps"]]


@pytest.fixture
def busy(localemr_server, emr):
    """A pool whose one cluster runs the job of another task; gives a function that ends that."""
    localemr_server.runner.script("sales.other", hold=True)
    other = FakeTaskInstance(task_id="other")
    with DAG("sales", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc)):
        operator = EmrSparkOperator(task_id="other", job=JOB, compute=POOL, deferrable=True)
    deferred(operator, other)
    localemr_server.runner.wait_started("sales.other")
    yield SimpleNamespace(
        cluster_id=other.xcoms["emrkit_run"]["cluster_id"],
        step_id=other.xcoms["emrkit_run"]["step_id"],
        end=lambda: localemr_server.runner.finish("sales.other"),
    )


def test_a_job_starts_the_pool_and_leaves_its_cluster_to_others(localemr_server, emr, ti, task_log):
    localemr_server.runner.script("sales.load", stdout=["24 rows"])
    value = make().execute(context(ti))
    assert (value["state"], value["owns_cluster"]) == ("COMPLETED", False)
    assert ti.xcoms["emrkit_run"]["pool"] == "medium"
    where = f"step {value['step_id']} on cluster {value['cluster_id']} (us-east-1)"
    assert f"In pool medium: {where}" in task_log.lines
    assert "[stdout] 24 rows" in task_log.lines
    assert clusters(emr, "WAITING", "RUNNING") == [value["cluster_id"]]


def test_the_next_job_goes_to_the_same_cluster(emr, ti):
    first = make().execute(context(ti))
    second = make().execute(context(replace(ti, run_id="manual__2")))
    assert second["cluster_id"] == first["cluster_id"]
    assert len(all_steps(emr)) == 2


def test_a_deferred_job_that_has_room_is_watched_like_any_other(ti):
    trigger = deferred(make(deferrable=True), ti)
    assert type(trigger) is EmrJobRunTrigger
    assert ti.xcoms["emrkit_run"] == trigger.job_run.to_dict()


def test_a_worker_waits_for_room(busy, emr, ti, task_log):
    threading.Timer(1.0, busy.end).start()
    value = make().execute(context(ti))
    assert (value["state"], value["cluster_id"]) == ("COMPLETED", busy.cluster_id)
    (waiting,) = [line for line in task_log.lines if line.startswith("Waiting for room in pool medium: it has 1")]
    assert "sales.other" in waiting


def test_a_deferred_task_waits_for_room_in_the_triggerer(busy, emr, ti, task_log, monkeypatch):
    trigger = deferred(make(deferrable=True), ti)
    assert type(trigger) is EmrPooledRunTrigger
    assert len(all_steps(emr)) == 1
    assert [line for line in task_log.lines if line.startswith("Waiting for room in pool medium: ")]
    monkeypatch.setattr("airflow_provider_emrkit.triggers.pool_desk.PAUSE", 0.3)
    monkeypatch.setattr("airflow_provider_emrkit.triggers.pooled.push_xcom", FakeTaskInstance.xcom_push)
    threading.Timer(1.0, busy.end).start()
    event = payload_of(trigger)
    assert (event["state"], event["run"]["cluster_id"]) == ("ended", busy.cluster_id)
    assert ti.xcoms["emrkit_run"] == event["run"]
    assert make(deferrable=True).execute_complete(context(ti), event)["state"] == "COMPLETED"
