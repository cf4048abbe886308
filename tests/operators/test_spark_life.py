"""The life of a task: what its retries find, how long its job may take, what a lost cluster means."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from airflow import DAG
from airflow_fixtures import FakeTaskInstance, cluster_state, wait_for
from faulty_emr import throttled

from airflow_provider_emrkit import (
    ClusterSpec,
    DynamicCluster,
    EmrSparkOperator,
    ExistingCluster,
    InvalidValueError,
    SparkJob,
)
from airflow_provider_emrkit.exceptions import (
    CapacityError,
    ExistingRunError,
    RunTimedOutError,
    UserCodeError,
)
from airflow_provider_emrkit.localemr.run.contract import ClusterStartError
from airflow_provider_emrkit.runs.cluster_steps import ClusterSteps
from airflow_provider_emrkit.runs.watch import Pace

JOB = SparkJob("s3://code/job.py", deploy_mode="client")
NEW_CLUSTER = DynamicCluster(ClusterSpec("emr-7.11.0", size="tiny"))


pace_as_configured = EmrSparkOperator._pace


@pytest.fixture(autouse=True)
def _quick(emrkit_connection, monkeypatch):
    pace = Pace(poll=0.05, logs=0.02, drain=0.1)
    monkeypatch.setattr(EmrSparkOperator, "_pace", lambda self: pace)


@pytest.fixture(params=["existing", "dynamic"])
def compute(request: pytest.FixtureRequest) -> Any:
    return (
        ExistingCluster(request.getfixturevalue("waiting_cluster"))
        if request.param == "existing"
        else NEW_CLUSTER
    )


def make(compute: Any = NEW_CLUSTER, **kwargs: Any) -> EmrSparkOperator:
    with DAG("sales", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc)):
        return EmrSparkOperator(task_id="load", job=JOB, compute=compute, **kwargs)


def context(ti: FakeTaskInstance) -> Any:
    started = datetime.now(timezone.utc) - timedelta(minutes=5)
    return {"ti": ti, "dag_run": SimpleNamespace(start_date=started)}


def first_try(compute: Any, ti: FakeTaskInstance) -> dict[str, Any]:
    """A try whose process is gone after the job was submitted: nobody remembers the run."""
    with pytest.raises(BaseException):  # noqa: B017, PT011 - TaskDeferred moved between Airflow versions
        make(compute, deferrable=True).execute(context(ti))
    return ti.xcoms["emrkit_run"]


def retry_of(ti: FakeTaskInstance, **changes: Any) -> FakeTaskInstance:
    return replace(ti, try_number=ti.try_number + 1, xcoms={}, **changes)


def all_steps(emr: Any) -> list[dict[str, Any]]:
    clusters = [cluster["Id"] for cluster in emr.list_clusters()["Clusters"]]
    return [step for cluster in clusters for step in emr.list_steps(ClusterId=cluster)["Steps"]]


def test_a_retry_goes_on_with_the_job_that_runs(localemr_server, emr, ti, compute, task_log):
    localemr_server.runner.script("sales.load", stdout=["24 rows"], hold=True)
    run = first_try(compute, ti)
    localemr_server.runner.wait_started("sales.load")
    localemr_server.runner.finish("sales.load")
    value = make(compute).execute(context(retry_of(ti)))
    assert value["step_id"] == run["step_id"]
    assert value["state"] == "COMPLETED"
    assert len(all_steps(emr)) == 1
    assert any("going on with it" in line for line in task_log.lines)
    if run["owns_cluster"]:  # the other one sends no logs to CloudWatch
        assert "[stdout] 24 rows" in task_log.lines


def test_a_retry_can_defer_for_the_job_that_runs(localemr_server, emr, ti, compute):
    localemr_server.runner.script("sales.load", hold=True)
    run = first_try(compute, ti)
    retry = retry_of(ti)
    assert first_try(compute, retry)["step_id"] == run["step_id"]
    assert len(all_steps(emr)) == 1


def test_a_retry_gives_the_result_of_the_job_that_is_done(localemr_server, emr, ti, compute):
    run = first_try(compute, ti)
    localemr_server.wait_step(run["cluster_id"], run["step_id"], "COMPLETED")
    value = make(compute).execute(context(retry_of(ti)))
    assert (value["step_id"], value["state"]) == (run["step_id"], "COMPLETED")
    assert len(all_steps(emr)) == 1


def test_a_retry_after_a_failure_runs_the_job_again(localemr_server, emr, ti, compute):
    localemr_server.runner.script("sales.load", fails="exit 1")
    run = first_try(compute, ti)
    localemr_server.wait_step(run["cluster_id"], run["step_id"], "FAILED")
    localemr_server.runner.script("sales.load")
    value = make(compute).execute(context(retry_of(ti)))
    assert value["step_id"] != run["step_id"]
    assert len(all_steps(emr)) == 2


def test_a_cleared_task_runs_again_and_what_it_left_is_ended(localemr_server, emr, ti, compute):
    localemr_server.runner.script("sales.load", hold=True)
    run = first_try(compute, ti)
    localemr_server.runner.wait_started("sales.load")
    localemr_server.runner.script("sales.load")
    value = make(compute).execute(context(retry_of(ti, max_tries=ti.try_number)))
    assert value["step_id"] != run["step_id"]
    states = {step["Id"]: step["Status"]["State"] for step in all_steps(emr)}
    assert states == {run["step_id"]: "CANCELLED", value["step_id"]: "COMPLETED"}


def test_other_instances_of_a_mapped_task_are_not_mistaken_for_its_own(localemr_server, emr, ti, compute):
    localemr_server.runner.script("sales.load", hold=True)
    first_try(compute, replace(ti, map_index=0))
    localemr_server.runner.wait_started("sales.load")
    first_try(compute, replace(retry_of(ti), map_index=1))
    assert len(all_steps(emr)) == 2


def test_a_first_try_asks_nothing_more(ti, monkeypatch):
    def refuse(*arguments: Any) -> None:
        raise AssertionError("a first try has no earlier work")

    monkeypatch.setattr(ClusterSteps, "earlier", refuse)
    assert make().execute(context(ti))["state"] == "COMPLETED"


class Store:
    """What Airflow keeps for a task instance, from 3.3 on."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        self.fails = False

    def get(self, key: str) -> Any:
        if self.fails:
            raise ConnectionError("Airflow does not answer")
        return self.kept.get(key)

    def set(self, key: str, value: Any) -> None:
        if self.fails:
            raise ConnectionError("Airflow does not answer")
        self.kept[key] = value


@pytest.fixture
def store(monkeypatch):
    kept = Store()
    monkeypatch.setattr("airflow_provider_emrkit.operators.begun.task_state_store", lambda context: kept)
    return kept


def test_a_first_try_that_airflow_runs_twice_submits_once(localemr_server, emr, ti, store, compute):
    localemr_server.runner.script("sales.load", hold=True)
    run = first_try(compute, ti)
    assert first_try(compute, replace(ti, xcoms={}))["step_id"] == run["step_id"]
    assert len(all_steps(emr)) == 1


def test_a_first_try_of_a_cleared_task_is_not_mistaken_for_one_that_ran(localemr_server, emr, ti, store):
    """Its number starts from 1 again where somebody has cleared the DAG run's task instances away."""
    run = first_try(NEW_CLUSTER, ti)
    localemr_server.wait_step(run["cluster_id"], run["step_id"], "COMPLETED")
    again = first_try(NEW_CLUSTER, replace(ti, max_tries=ti.max_tries + 1, xcoms={}))
    assert again["step_id"] != run["step_id"]


def test_where_airflow_does_not_tell_emr_is_asked(localemr_server, emr, ti, store, task_log):
    store.fails = True
    localemr_server.runner.script("sales.load", hold=True)
    run = first_try(NEW_CLUSTER, ti)
    assert first_try(NEW_CLUSTER, replace(ti, xcoms={}))["step_id"] == run["step_id"]
    assert any("did not tell whether this try has run before" in line for line in task_log.lines)


def test_fresh_ends_the_job_that_runs_and_starts_anew(localemr_server, emr, ti, waiting_cluster):
    compute = ExistingCluster(waiting_cluster)
    localemr_server.runner.script("sales.load", hold=True)
    run = first_try(compute, ti)
    localemr_server.runner.wait_started("sales.load")
    localemr_server.runner.script("sales.load")
    value = make(compute, on_existing="fresh").execute(context(retry_of(ti)))
    assert value["step_id"] != run["step_id"]
    localemr_server.wait_step(waiting_cluster, run["step_id"], "CANCELLED")


def test_fail_refuses_and_leaves_the_job_alone(localemr_server, emr, ti, waiting_cluster):
    compute = ExistingCluster(waiting_cluster)
    localemr_server.runner.script("sales.load", hold=True)
    run = first_try(compute, ti)
    localemr_server.runner.wait_started("sales.load")
    with pytest.raises(ExistingRunError, match=run["step_id"]):
        make(compute, on_existing="fail").execute(context(retry_of(ti)))
    assert [step["Status"]["State"] for step in all_steps(emr)] == ["RUNNING"]


def test_a_job_whose_cluster_got_no_instances_is_started_on_another(localemr_server, emr, ti, task_log):
    localemr_server.runner.start_error = ClusterStartError("no instances left", "INSTANCE_FLEET_TIMEOUT")
    operator = make(infra_retries=2)
    started: list[str] = []
    announce = operator._announce

    def announced(ti: Any, run: Any) -> None:
        started.append(run.token)
        announce(ti, run)
        if len(started) == 2:  # the third cluster gets its instances
            wait_for(lambda: cluster_state(emr, run.cluster_id).startswith("TERMINATED"))
            localemr_server.runner.start_error = None

    operator._announce = announced  # type: ignore[method-assign]
    value = operator.execute(context(ti))
    assert value["state"] == "COMPLETED"
    assert [token.removeprefix(started[0]) for token in started] == ["", "-1", "-2"]
    assert any("Starting the job on a new cluster, 2 of 2" in line for line in task_log.lines)


def test_a_deferred_task_starts_its_job_on_another_cluster_too(localemr_server, emr, ti):
    localemr_server.runner.start_error = ClusterStartError("no instances left", "INSTANCE_FLEET_TIMEOUT")
    run = first_try(NEW_CLUSTER, ti)
    wait_for(lambda: cluster_state(emr, run["cluster_id"]).startswith("TERMINATED"))
    localemr_server.runner.start_error = None
    status = {"state": "never_ran", "detail": "CANCELLED", "compute_message": "no instances left"}
    event = {"state": "ended", "run": run, "status": {**status, "compute_code": "INSTANCE_FLEET_TIMEOUT"}}
    with pytest.raises(BaseException) as raised:  # noqa: PT011
        make(deferrable=True, infra_retries=1).execute_complete(context(ti), event)
    assert type(raised.value).__name__ == "TaskDeferred"
    assert ti.xcoms["emrkit_run"]["relaunch"] == 1
    assert ti.xcoms["emrkit_run"]["cluster_id"] != run["cluster_id"]


def test_without_infra_retries_a_cluster_without_instances_fails_the_task(localemr_server, ti):
    localemr_server.runner.start_error = ClusterStartError("no instances left", "INSTANCE_FLEET_TIMEOUT")
    with pytest.raises(CapacityError, match="no instances left"):
        make().execute(context(ti))


def test_a_job_s_own_failure_is_never_repeated(localemr_server, emr, ti):
    trace = ["Traceback (most recent call last):", '  File "job.py", line 7, in <module>', "ValueError: no"]
    localemr_server.runner.script("sales.load", stderr=trace, fails="exit 1")
    with pytest.raises(UserCodeError):
        make(infra_retries=3).execute(context(ti))
    assert len(all_steps(emr)) == 1


def test_what_an_event_said_is_asked_of_emr(localemr_server, emr, ti, waiting_cluster):
    """A queue may hold anything: a forged COMPLETED must not make a task succeed."""
    compute = ExistingCluster(waiting_cluster)
    localemr_server.runner.script("sales.load", fails="exit 1", hold=True)
    run = first_try(compute, ti)
    localemr_server.runner.wait_started("sales.load")
    localemr_server.runner.finish("sales.load")
    forged = {"state": "succeeded", "detail": "COMPLETED", "by_event": True}
    event = {"state": "ended", "run": run, "status": forged, "message": ""}
    with pytest.raises(Exception, match="failed"):
        make(compute).execute_complete(context(ti), event)


class Calls(list[str]):
    """What is asked of EMR and of logs, in order.

    :param refusals: What the next looks fail with.
    """

    refusals: list[Exception]


@pytest.fixture
def calls(monkeypatch):
    asked = Calls()
    asked.refusals = []

    def note(name: str) -> None:
        ask = getattr(ClusterSteps, name)

        def noted(self: Any, *arguments: Any) -> Any:
            asked.append(name)
            if asked.refusals:
                raise asked.refusals.pop()
            return ask(self, *arguments)

        monkeypatch.setattr(ClusterSteps, name, noted)

    for name in ("states", "log_sources"):
        note(name)
    return asked


@pytest.mark.parametrize("refusals", [pytest.param(0, id="at once"), pytest.param(3, id="throttled")])
def test_the_end_that_an_event_told_costs_one_look_and_no_log_is_read_again(
    localemr_server, emr, ti, task_log, calls, monkeypatch, refusals
):
    monkeypatch.setattr("airflow_provider_emrkit.hooks.patience.random.uniform", lambda *_: 0.01)
    localemr_server.runner.script("sales.load", stdout=["24 rows"])
    run = first_try(NEW_CLUSTER, ti)
    wait_for(lambda: all_steps(emr)[0]["Status"]["State"] == "COMPLETED")
    told = {"state": "succeeded", "detail": "COMPLETED", "ended_at": 1.0, "by_event": True}
    monkeypatch.setenv("AIRFLOW__EMRKIT__WORKER_LOG_LINES", "0")
    calls.clear()
    calls.refusals = [throttled() for _ in range(refusals)]
    value = make().execute_complete(context(ti), {"state": "ended", "run": run, "status": told})
    assert calls == ["states"] * (1 + refusals)
    assert not any("24 rows" in line or "event" in line for line in task_log.lines)
    assert value["ended_at"] > run["submitted_at"] - 1  # what EMR says, not the event


def test_a_configuration_that_can_t_be_right_is_told_before_anything_is_submitted(emr, ti, monkeypatch):
    monkeypatch.setattr(EmrSparkOperator, "_pace", pace_as_configured)
    monkeypatch.setenv("AIRFLOW__EMRKIT__MAX_LOG_LINES", "-5")
    with pytest.raises(InvalidValueError, match="max_log_lines"):
        make().execute(context(ti))
    assert emr.list_clusters()["Clusters"] == []


@pytest.mark.parametrize("by_event", [False, True])
def test_a_worker_repeats_the_last_lines_of_a_log_that_was_followed_elsewhere(
    localemr_server, emr, ti, task_log, monkeypatch, by_event
):
    localemr_server.runner.script("sales.load", stdout=[f"row {number}" for number in range(100)])
    run = first_try(NEW_CLUSTER, ti)
    wait_for(lambda: all_steps(emr)[0]["Status"]["State"] == "COMPLETED")
    told = {"state": "succeeded", "detail": "COMPLETED", "ended_at": 1.0, "by_event": by_event}
    monkeypatch.setenv("AIRFLOW__EMRKIT__WORKER_LOG_LINES", "3")
    make().execute_complete(context(ti), {"state": "ended", "run": run, "status": told})
    note, *rows, done = task_log.lines[-5:]
    assert note.startswith("The last lines of the job's log (3), once more")
    assert rows == ["[stdout] row 97", "[stdout] row 98", "[stdout] row 99"]
    assert done.startswith("Done")


TRACE = ["Traceback (most recent call last):", '  File "job.py", line 3', "ValueError: no such day"]


def test_of_a_job_that_failed_in_a_worker_each_line_is_shown_once(
    localemr_server, emr, ti, task_log, compute
):
    """Wherever its logs are: in CloudWatch, or on S3 alone."""
    localemr_server.runner.script("sales.load", stderr=TRACE, fails="exit 1")
    with pytest.raises(UserCodeError, match="no such day"):
        make(compute).execute(context(ti))
    assert [line for line in task_log.lines if "no such day" in line] == ["[stderr] ValueError: no such day"]


def test_of_a_job_that_failed_the_worker_repeats_the_last_lines_once(
    localemr_server, emr, ti, task_log, compute
):
    localemr_server.runner.script("sales.load", stderr=TRACE, fails="exit 1")
    run = first_try(compute, ti)
    wait_for(lambda: all_steps(emr)[0]["Status"]["State"] == "FAILED")
    told = {"state": "failed", "detail": "FAILED"}
    with pytest.raises(UserCodeError, match="no such day"):
        make().execute_complete(context(ti), {"state": "ended", "run": run, "status": told})
    assert len([line for line in task_log.lines if "no such day" in line]) == 1


def test_trouble_with_the_last_lines_does_not_fail_the_task(localemr_server, emr, ti, task_log, monkeypatch):
    run = first_try(NEW_CLUSTER, ti)
    wait_for(lambda: all_steps(emr)[0]["Status"]["State"] == "COMPLETED")

    def refuse(*_: Any) -> None:
        raise RuntimeError("not\nnow")

    monkeypatch.setattr(ClusterSteps, "log_sources", refuse)
    told = {"state": "succeeded", "detail": "COMPLETED"}
    make().execute_complete(context(ti), {"state": "ended", "run": run, "status": told})
    [line] = [line for line in task_log.lines if "can't be shown" in line]
    assert "RuntimeError" in line


def test_an_end_that_emr_does_not_know_of_is_waited_for_and_the_log_says_so(
    localemr_server, emr, ti, task_log, calls
):
    localemr_server.runner.script("sales.load", stdout=["24 rows"], hold=True)
    run = first_try(NEW_CLUSTER, ti)
    localemr_server.runner.wait_started("sales.load")
    told = {"state": "failed", "detail": "FAILED", "by_event": True}

    def finish_when_emr_was_asked() -> None:
        wait_for(lambda: any("An event told" in line for line in task_log.lines))
        localemr_server.runner.finish("sales.load")

    finish = threading.Thread(target=finish_when_emr_was_asked)
    finish.start()
    value = make().execute_complete(context(ti), {"state": "ended", "run": run, "status": told})
    finish.join()
    assert value["state"] == "COMPLETED"
    [line] = [line for line in task_log.lines if "An event told" in line]
    assert line.endswith("is FAILED, but EMR says that it is RUNNING.")
    assert any("may have been followed before" in line for line in task_log.lines)
    assert task_log.lines.count("[stdout] 24 rows") == 1


def test_a_run_that_takes_too_long_is_ended_in_a_worker(localemr_server, emr, ti, waiting_cluster):
    localemr_server.runner.script("sales.load", hold=True)
    with pytest.raises(RunTimedOutError, match="ran for more than 1 s"):
        make(ExistingCluster(waiting_cluster), run_timeout=1).execute(context(ti))
    assert [step["Status"]["State"] for step in all_steps(emr)] == ["CANCELLED"]
    assert cluster_state(emr, waiting_cluster) in ("WAITING", "RUNNING")


def test_the_trigger_gets_the_limits(ti):
    operator = make(
        deferrable=True, timeout=timedelta(hours=1), start_timeout=600, queue_timeout=60.5, run_timeout=1800
    )
    with pytest.raises(BaseException) as raised:  # noqa: PT011
        operator.execute(context(ti))
    _, kwargs = raised.value.trigger.serialize()
    assert kwargs["limits"] == {"total": 3600.0, "starting": 600, "queued": 60.5, "running": 1800}
    assert kwargs["on_kill"] == "cancel"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            {"on_existing": "join"}, "on_existing: 'join' is not known; use one of attach", id="existing"
        ),
        pytest.param(
            {"on_kill": "stop"}, "on_kill: 'stop' is not known; use one of cancel, leave", id="kill"
        ),
        pytest.param({"timeout": 0}, "timeout: 0 is out of bounds", id="no time"),
        pytest.param(
            {"run_timeout": timedelta(seconds=-5)}, "run_timeout: -5.0 is out of bounds", id="negative"
        ),
        pytest.param({"queue_timeout": "1h"}, "queue_timeout: '1h' is of type str", id="text"),
        pytest.param({"infra_retries": 1.5}, "infra_retries: 1.5 is of type float", id="part of a retry"),
        pytest.param({"infra_retries": 99}, "infra_retries: 99 is out of bounds", id="too often"),
    ],
)
def test_a_wrong_argument_is_found_when_the_dag_is_parsed(arguments, message):
    with pytest.raises(InvalidValueError, match=f"EmrSparkOperator.{message}"):
        make(**arguments)
