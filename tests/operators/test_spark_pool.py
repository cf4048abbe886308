"""A job on a pool of clusters: placed at once, waited for here or in the triggerer, placed once more."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from airflow import DAG
from airflow_fixtures import FakeTaskInstance, context, deferred, payload_of, wait_for

from airflow_provider_emrkit import ClusterPool, ClusterSpec, EmrSparkOperator, InvalidValueError, SparkJob
from airflow_provider_emrkit.exceptions import (
    BootstrapError,
    ClusterLostError,
    PoolBusyError,
    RunCancelledError,
    RunLeftError,
    RunTimedOutError,
    SubmitDeniedError,
    SubmitRefusedError,
)
from airflow_provider_emrkit.localemr.run.contract import ClusterStartError
from airflow_provider_emrkit.operators import pooled as pooled_module
from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.runs.states import RunState, RunStatus
from airflow_provider_emrkit.runs.token import RunToken
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


def clusters(emr: Any, *states: str) -> list[str]:
    return [one["Id"] for one in emr.list_clusters(ClusterStates=list(states))["Clusters"]]


def all_steps(emr: Any) -> list[dict[str, Any]]:
    return [step for one in clusters(emr) for step in emr.list_steps(ClusterId=one)["Steps"]]


@pytest.fixture
def busy(localemr_server):
    """A pool whose one cluster runs the job of another task; gives a function that ends that."""
    localemr_server.runner.script("sales.other", hold=True)
    other = FakeTaskInstance(task_id="other")
    with DAG("sales", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc)):
        operator = EmrSparkOperator(task_id="other", job=JOB, compute=POOL, deferrable=True)
    deferred(operator, other)
    localemr_server.runner.wait_started("sales.other")
    return SimpleNamespace(
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
    two = replace(POOL, steps_per_cluster=2)
    first = make(two).execute(context(ti))
    second = make(two).execute(context(replace(ti, run_id="manual__2")))
    assert second["cluster_id"] == first["cluster_id"]
    assert len(all_steps(emr)) == 2


def test_a_deferred_job_that_has_room_is_watched_like_any_other(ti):
    trigger = deferred(make(deferrable=True), ti)
    assert type(trigger) is EmrJobRunTrigger
    assert ti.xcoms["emrkit_run"] == trigger.job_run.to_dict()


def test_a_worker_waits_for_room(busy, emr, ti, task_log):
    def end_when_it_waits() -> None:
        wait_for(lambda: any(line.startswith("Waiting for room") for line in task_log.lines))
        busy.end()

    threading.Thread(target=end_when_it_waits).start()
    value = make().execute(context(ti))
    assert (value["state"], value["cluster_id"]) == ("COMPLETED", busy.cluster_id)
    (waiting,) = [
        line for line in task_log.lines if line.startswith("Waiting for room in pool medium: it has 1")
    ]
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


def test_a_job_that_finds_no_room_in_time_says_what_the_pool_is_busy_with(busy, emr, ti):
    with pytest.raises(PoolBusyError, match=r"no room in pool medium .*wait_timeout.*sales\.other"):
        make(replace(POOL, wait_timeout=0.5)).execute(context(ti))
    assert len(all_steps(emr)) == 1


def test_a_deferred_job_that_may_not_wait_at_all_fails_on_its_worker(busy, ti):
    with pytest.raises(PoolBusyError):
        make(replace(POOL, wait_timeout=0), deferrable=True).execute(context(ti))


def test_nobody_is_held_to_wait_for_a_task_that_has_gone_to_the_triggerer(busy, localemr_server, ti):
    """Others would let it go first, until its worker's word is a minute old."""
    deferred(make(deferrable=True), ti)
    lease = localemr_server.client("s3").get_object(Bucket="staging", Key="emrkit/pools/medium.json")
    assert json.loads(lease["Body"].read())["waiting"] == {}


@pytest.mark.parametrize(
    ("state", "error"), [("failed", RunCancelledError), ("running", RunLeftError)], ids=["user", "worker"]
)
def test_a_worker_that_waits_for_room_stops_when_airflow_stops_the_task(
    busy, emr, ti, task_log, monkeypatch, state, error
):
    monkeypatch.setattr(pooled_module, "PAUSE", 60.0)
    monkeypatch.setattr("airflow_provider_emrkit.operators.stopping.read_task_state", lambda ti: state)
    operator = make()

    def stop() -> None:
        wait_for(lambda: any("Waiting for room" in line for line in task_log.lines))
        operator.on_kill()

    stopper = threading.Thread(target=stop)
    stopper.start()
    with pytest.raises(error):
        operator.execute(context(ti))
    stopper.join()
    busy.end()
    assert len(all_steps(emr)) == 1


def test_a_retry_goes_on_with_the_job_that_waits_or_runs_on_the_pool(localemr_server, emr, ti):
    localemr_server.runner.script("sales.load", hold=True)
    deferred(make(deferrable=True), ti)
    localemr_server.runner.wait_started("sales.load")
    localemr_server.runner.finish("sales.load")
    value = make().execute(context(replace(ti, try_number=2, xcoms={})))
    assert value["step_id"] == ti.xcoms["emrkit_run"]["step_id"]
    assert len(all_steps(emr)) == 1


@pytest.fixture
def pending(busy, emr, ti):
    """A job that waits behind another one on the pool's cluster."""
    with pytest.raises(PoolBusyError):  # the pool is looked at, so that its cluster is known to be listed
        make(replace(POOL, wait_timeout=0)).execute(context(replace(ti, task_id="third")))
    step = {"Name": RunToken("sales", "manual__1", "load", -1, 0, 1).marked(), "ActionOnFailure": "CONTINUE"}
    step["HadoopJarStep"] = {"Jar": "command-runner.jar", "Args": ["spark-submit", "s3://code/job.py"]}
    (step_id,) = emr.add_job_flow_steps(JobFlowId=busy.cluster_id, Steps=[step])["StepIds"]
    run = JobRun(
        "step", busy.cluster_id, step_id, "t", step["Name"], "us-east-1", submitted_at=1.0, pool="medium"
    )

    def event(relaunch: int = 0) -> dict[str, Any]:
        trigger = EmrJobRunTrigger(
            replace(run, relaunch=relaunch).to_dict(), log_drain=0.1, poll_interval=0.05
        )
        trigger.task_instance = ti
        return payload_of(trigger)

    return SimpleNamespace(run=run, cluster_id=busy.cluster_id, step_id=step_id, event=event)


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_job_whose_cluster_went_before_it_began_is_placed_once_more(pending, emr, ti, task_log, deferrable):
    emr.terminate_job_flows(JobFlowIds=[pending.cluster_id])
    event = pending.event()
    operator = make(deferrable=deferrable)
    if deferrable:
        with pytest.raises(BaseException) as caught:  # noqa: PT011 - TaskDeferred moved between versions
            operator.execute_complete(context(ti), event)
        run = caught.value.trigger.job_run.to_dict()  # type: ignore[attr-defined]
        assert run["step_id"]
        assert run == {**ti.xcoms["emrkit_run"], "relaunch": 1}
    else:
        run = operator.execute_complete(context(ti), event)
        assert run["state"] == "COMPLETED"
        assert run["attempts"] == {"try_number": 1, "relaunches": 1}
    assert run["cluster_id"] != pending.cluster_id
    told = f"Cluster {pending.cluster_id} went before step {pending.step_id} began"
    assert [line for line in task_log.lines if line.startswith(told) and "once more" in line]


def test_a_job_is_placed_once_more_only_once(pending, emr, ti):
    emr.terminate_job_flows(JobFlowIds=[pending.cluster_id])
    event = pending.event(relaunch=1)
    with pytest.raises((RunCancelledError, ClusterLostError)):
        make().execute_complete(context(ti), event)


def test_a_job_that_somebody_cancelled_is_not_placed_once_more(pending, emr, ti):
    emr.cancel_steps(ClusterId=pending.cluster_id, StepIds=[pending.step_id])
    event = pending.event()
    emr.terminate_job_flows(JobFlowIds=[pending.cluster_id])
    with pytest.raises(RunCancelledError):
        make().execute_complete(context(ti), event)
    assert len(clusters(emr)) == 1


def test_a_job_whose_cluster_can_t_come_up_is_not_placed_once_more(localemr_server, emr, ti):
    error = ClusterStartError("On the master instance, bootstrap action 1 failed", "BOOTSTRAP_FAILURE")
    localemr_server.runner.start_error = error
    localemr_server.runner.hold_starts()

    def fail_once_the_job_is_there() -> None:
        wait_for(lambda: bool(all_steps(emr)))
        localemr_server.runner.release_starts()

    threading.Thread(target=fail_once_the_job_is_there).start()
    with pytest.raises(BootstrapError):
        make().execute(context(ti))
    assert len(clusters(emr)) == 1


def test_a_job_that_a_pool_s_cluster_lost_while_it_ran_is_started_again_where_that_is_wished(ti, emr):
    gone = JobRun("step", "j-GONE", "s-1", "t", "n", "us-east-1", submitted_at=1.0, pool="medium")
    status = RunStatus(
        RunState.LOST,
        "RUNNING",
        compute_state="TERMINATED_WITH_ERRORS",
        compute_code="INSTANCE_FAILURE",
        started_at=2.0,
    )
    event = {"state": "ended", "run": gone.to_dict(), "status": status.to_dict(), "message": ""}
    with pytest.raises(ClusterLostError):
        make().execute_complete(context(ti), event)
    value = make(infra_retries=1).execute_complete(context(ti), event)
    assert (value["state"], value["attempts"]["relaunches"]) == ("COMPLETED", 1)


def event_of(state: str, **rest: Any) -> dict[str, Any]:
    run = JobRun("step", "", "", "t-0-1", "n", "us-east-1", pool="medium").to_dict()
    return {"state": state, "run": run, "status": None, "message": "why", "error": None, **rest}


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (event_of("busy"), PoolBusyError),
        (event_of("refused", error="SubmitDeniedError"), SubmitDeniedError),
        (event_of("timeout"), RunTimedOutError),
        (event_of("error", error="KeyError"), SubmitRefusedError),
    ],
)
def test_what_a_trigger_could_not_place_fails_its_task_with_the_reason(ti, event, error):
    with pytest.raises(error, match="why") as caught:
        make().execute_complete(context(ti), event)
    assert type(caught.value) is error


def test_a_job_that_a_failed_trigger_may_have_placed_is_ended(localemr_server, emr, ti):
    localemr_server.runner.script("sales.load", hold=True)
    deferred(make(deferrable=True), ti)
    localemr_server.runner.wait_started("sales.load")
    with pytest.raises(SubmitRefusedError):
        make().execute_complete(context(ti), event_of("error", error="KeyError"))
    wait_for(lambda: all_steps(emr)[0]["Status"]["State"] == "CANCELLED")


def test_what_a_trigger_could_not_show_in_airflow_the_worker_does(ti):
    deferred(make(deferrable=True), ti)
    run = ti.xcoms.pop("emrkit_run")
    status = RunStatus(RunState.SUCCEEDED, "COMPLETED", started_at=1.0, ended_at=2.0)
    event = {"state": "ended", "run": run, "status": status.to_dict(), "message": ""}
    make().execute_complete(context(ti), event)
    assert "emrkit_run" not in ti.xcoms
    make().execute_complete(context(ti), {**event, "announced": False})
    assert ti.xcoms["emrkit_run"] == run


def test_templates_in_a_pool_are_rendered():
    operator = make(replace(POOL, team="{{ params.team }}"))
    assert "compute" in operator.template_fields
    rendered = operator.render_template(operator.compute, {"params": {"team": "etl"}})
    assert rendered == replace(POOL, team="etl")


def test_what_is_no_compute_is_refused_with_all_that_are():
    with pytest.raises(InvalidValueError, match="ClusterPool"):
        make("medium")  # type: ignore[arg-type]
