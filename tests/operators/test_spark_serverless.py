"""EmrSparkOperator on EMR Serverless: from submission to result, deferred and not."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from airflow import DAG
from airflow_fixtures import context, deferred, payload_of, through_triggers, wait_for

from airflow_provider_emrkit import EmrSparkOperator, SparkJob
from airflow_provider_emrkit.applications.applications import Applications
from airflow_provider_emrkit.compute.application_spec import ApplicationSpec
from airflow_provider_emrkit.compute.serverless import ServerlessApplication
from airflow_provider_emrkit.exceptions import (
    CapacityError,
    ExistingRunError,
    RunCancelledError,
    RunLeftError,
    RunTimedOutError,
    UserCodeError,
)
from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.runs.watch import Pace
from airflow_provider_emrkit.triggers.application import EmrApplicationTrigger
from airflow_provider_emrkit.triggers.job_run import EmrJobRunTrigger

JOB = SparkJob("s3://code/job.py", args=["--day", "1"])
ROLE = "arn:aws:iam::123456789012:role/job"
NIGHTLY = ServerlessApplication(spec=ApplicationSpec("nightly", "emr-7.11.0"), execution_role_arn=ROLE)
SAID = "ExitCode: 1. Last few exceptions: ValueError: no such day"


@pytest.fixture(autouse=True)
def _quick(emrkit_connection, monkeypatch):
    pace = Pace(poll=0.05, logs=0.02, drain=0.1)
    monkeypatch.setattr(EmrSparkOperator, "_pace", lambda self: pace)


@pytest.fixture
def tell_state(monkeypatch):
    """Let Airflow say that a task has some state."""

    def tell(state: str | None) -> None:
        monkeypatch.setattr("airflow_provider_emrkit.operators.stopping.read_task_state", lambda ti: state)
        monkeypatch.setattr("airflow_provider_emrkit.triggers.job_run.read_task_state", lambda ti: state)

    tell("running")
    return tell


@pytest.fixture
def serverless(localemr_server):
    return localemr_server.client("emr-serverless")


@pytest.fixture
def jobs(localemr_server):
    return localemr_server.jobs


def make(job: SparkJob = JOB, compute: Any = NIGHTLY, **kwargs: Any) -> EmrSparkOperator:
    with DAG("sales", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc)):
        return EmrSparkOperator(task_id="load", job=job, compute=compute, **kwargs)


def carried_out(operator: EmrSparkOperator, ti: Any) -> dict[str, Any]:
    """Run a task to its end, in a worker or through a triggerer, as it is set up."""
    if not operator.deferrable:
        return operator.execute({"ti": ti})
    return operator.execute_complete(context(ti), payload_of(deferred(operator, ti)))


def job_runs(serverless) -> list[dict[str, Any]]:
    """All job runs of all applications, the oldest first."""
    applications = serverless.list_applications()["applications"]
    found = [serverless.list_job_runs(applicationId=one["id"])["jobRuns"] for one in applications]
    return sorted((run for runs in found for run in runs), key=lambda run: run["createdAt"])


def states(serverless) -> list[str]:
    return [run["state"] for run in job_runs(serverless)]


def wait_running(jobs, serverless, name: str = "job.py") -> None:
    """Wait until a job run is RUNNING, which its process is a moment before."""
    request = jobs.wait_started(name).request
    which = {"applicationId": request.application_id, "jobRunId": request.run_id}
    wait_for(lambda: serverless.get_job_run(**which)["jobRun"]["state"] == "RUNNING")


def killed_when_it_runs(jobs, serverless, operator: EmrSparkOperator) -> threading.Thread:
    def kill() -> None:
        wait_running(jobs, serverless)
        operator.on_kill()

    thread = threading.Thread(target=kill)
    thread.start()
    return thread


def test_a_job_gives_its_ids_and_what_it_is_billed_for(jobs, ti, task_log):
    value = make().execute({"ti": ti})
    (request,) = jobs.requests
    assert (value["kind"], value["state"], value["job_run_id"]) == ("job_run", "SUCCESS", request.run_id)
    assert ti.xcoms["emrkit_run"]["application_id"] == value["application_id"]
    assert value["cost"]["vcpu_hours"] > 0
    assert value["cost"]["attempts"] == 1
    assert "cluster_id" not in value
    assert any(line.startswith("Billed: ") for line in task_log.lines)


def test_the_application_is_made_once_and_serves_all_its_tasks(serverless, ti):
    first = make().execute({"ti": ti})
    second = make().execute({"ti": replace(ti, run_id="manual__2")})
    assert first["application_id"] == second["application_id"]
    (application,) = serverless.list_applications()["applications"]
    assert application["name"] == "nightly"


@pytest.mark.parametrize("cleared", [False, True])
def test_two_airflows_with_the_same_dag_keep_apart_on_one_application(
    jobs, serverless, ti, monkeypatch, cleared
):
    def started(name: str, ti: Any) -> JobRun:
        monkeypatch.setenv("AIRFLOW__EMRKIT__DEPLOYMENT", name)
        deferred(make(deferrable=True), ti)
        return JobRun.from_dict(ti.xcoms["emrkit_run"])

    jobs.script("job.py", hold=True)
    mine = started("prod", ti)
    theirs = started("dev", replace(ti, xcoms={}, **({"try_number": 2, "max_tries": 2} if cleared else {})))
    assert mine.application_id == theirs.application_id
    assert mine.job_run_id != theirs.job_run_id
    now = serverless.get_job_run(applicationId=mine.application_id, jobRunId=mine.job_run_id)["jobRun"]
    assert now["state"] not in ("CANCELLING", "CANCELLED")


def test_an_application_that_exists_is_used_as_it_is(serverless, ti):
    made = serverless.create_application(
        name="team", releaseLabel="emr-7.11.0", type="SPARK", clientToken="1"
    )
    compute = ServerlessApplication(made["applicationId"], execution_role_arn=ROLE)
    value = make(compute=compute).execute({"ti": ti})
    assert value["application_id"] == made["applicationId"]


@pytest.mark.parametrize("deferrable", [False, True])
def test_the_task_log_tells_what_happens_and_what_the_job_writes(
    jobs, serverless, localemr_server, ti, task_log, deferrable
):
    jobs.script("job.py", hold=True)
    logs = localemr_server.client("logs")

    def write_and_finish() -> None:
        request = jobs.wait_started("job.py").request
        logs.create_log_group(logGroupName="/aws/emr-serverless")
        stream = f"/applications/{request.application_id}/jobs/{request.run_id}/SPARK_DRIVER/stdout"
        logs.create_log_stream(logGroupName="/aws/emr-serverless", logStreamName=stream)
        event = {"timestamp": int(datetime.now(timezone.utc).timestamp() * 1000), "message": "24 rows"}
        logs.put_log_events(logGroupName="/aws/emr-serverless", logStreamName=stream, logEvents=[event])
        wait_for(lambda: "[stdout] 24 rows" in task_log.lines)
        jobs.finish("job.py")

    thread = threading.Thread(target=write_and_finish)
    thread.start()
    value = carried_out(make(deferrable=deferrable), ti)
    thread.join()
    told = [line for line in task_log.lines if value["job_run_id"] in line]
    assert told[0] == f"On application {value['application_id']} (us-east-1): job run {value['job_run_id']}"
    assert any("is RUNNING" in line for line in told)
    assert any(f"job run {value['job_run_id']} on application" in line and "SUCCESS" in line for line in told)


@pytest.mark.parametrize("deferrable", [False, True])
def test_the_reason_of_a_failure_is_not_lost(jobs, ti, deferrable):
    jobs.script("job.py", fails=SAID)
    with pytest.raises(UserCodeError, match="ValueError: no such day") as caught:
        carried_out(make(deferrable=deferrable), ti)
    assert not caught.value.retryable


def test_what_emr_serverless_tries_once_more_is_told(jobs, ti, task_log):
    jobs.script("job.py", fails="OSError: disk is full", times=1)
    value = make(compute=replace(NIGHTLY, max_attempts=3)).execute({"ti": ti})
    assert (value["state"], value["cost"]["attempts"]) == ("SUCCESS", 2)
    assert [request.attempt for request in jobs.requests] == [1, 2]
    assert any(", attempt 2, is " in line for line in task_log.lines)


def test_a_job_for_which_the_application_is_too_small_says_so(ti):
    spec = ApplicationSpec("small", "emr-7.11.0", max_cpu=1, max_memory_gb=4)
    with pytest.raises(CapacityError, match="max_cpu"):
        make(compute=replace(NIGHTLY, spec=spec)).execute({"ti": ti})


def test_a_killed_task_cancels_its_run_and_the_application_goes_on(jobs, serverless, ti, tell_state):
    tell_state("failed")
    jobs.script("job.py", hold=True)
    thread = killed_when_it_runs(jobs, serverless, operator := make())
    with pytest.raises(RunCancelledError):
        operator.execute({"ti": ti})
    thread.join()
    wait_for(lambda: states(serverless) == ["CANCELLED"])
    (application,) = serverless.list_applications()["applications"]
    assert application["state"] == "STARTED"


@pytest.mark.parametrize(("state", "error"), [("failed", RunCancelledError), ("running", RunLeftError)])
def test_a_task_that_is_stopped_while_its_application_starts_submits_nothing(
    jobs, serverless, ti, tell_state, state, error
):
    tell_state(state)
    jobs.hold_prepares()
    operator = make(compute=replace(NIGHTLY, spec=replace(NIGHTLY.spec, auto_start=False)))

    def kill() -> None:
        wait_for(
            lambda: [one["state"] for one in serverless.list_applications()["applications"]] == ["STARTING"]
        )
        operator.on_kill()

    thread = threading.Thread(target=kill)
    thread.start()
    with pytest.raises(error, match="nothing was submitted"):
        operator.execute({"ti": ti})
    thread.join()
    jobs.release_prepares()
    assert job_runs(serverless) == []


@pytest.mark.usefixtures("waits_elsewhere")
class TestWaitingForTheApplication:
    @pytest.fixture
    def by_hand(self):
        """An application that does not start with a job by itself."""
        return replace(NIGHTLY, spec=replace(NIGHTLY.spec, auto_start=False))

    def busy(self, jobs, serverless, ti):
        """An application with another task's job run."""
        jobs.script("theirs.py", hold=True)
        job = SparkJob("s3://code/theirs.py")
        deferred(make(job=job, deferrable=True), replace(ti, task_id="theirs"))
        wait_running(jobs, serverless, "theirs.py")
        return replace(NIGHTLY, spec=replace(NIGHTLY.spec, idle_minutes=5))

    @pytest.fixture
    def starts_when_told(self, jobs, when_told):
        """An application takes its time to start, until the triggerer waits for it."""
        jobs.hold_prepares()
        when_told("is STARTING, and to be started", jobs.release_prepares)

    @pytest.mark.parametrize("number", [1, 2], ids=["the first try", "a retry"])
    def test_its_start_is_waited_for_in_the_triggerer(
        self, serverless, ti, by_hand, starts_when_told, number
    ):
        value, triggers = through_triggers(
            make(compute=by_hand, deferrable=True), replace(ti, try_number=number)
        )
        *before, last = triggers
        assert before
        assert {type(one) for one in before} == {EmrApplicationTrigger}
        assert type(last) is EmrJobRunTrigger
        assert (value["state"], states(serverless)) == ("SUCCESS", ["SUCCESS"])

    def test_job_runs_that_keep_it_from_its_update_are_waited_for_there_too(
        self, jobs, serverless, ti, when_told
    ):
        compute = self.busy(jobs, serverless, ti)
        when_told("is to be updated: it has the job runs", lambda: jobs.finish("theirs.py"))
        value, _ = through_triggers(make(compute=compute, deferrable=True), ti)
        (application,) = serverless.list_applications()["applications"]
        assert (value["state"], value["application_id"]) == ("SUCCESS", application["id"])
        assert states(serverless) == ["SUCCESS", "SUCCESS"]

    def test_on_existing_says_nothing_about_one_s_own_wait(self, ti, by_hand, starts_when_told):
        operator = make(compute=by_hand, deferrable=True, on_existing="fail")
        value, _ = through_triggers(operator, replace(ti, try_number=2))
        assert value["state"] == "SUCCESS"

    @pytest.mark.parametrize("state", ["failed", None])
    def test_a_user_who_ends_the_waiting_task_ends_nothing_else(
        self, jobs, serverless, ti, tell_state, state
    ):
        trigger = deferred(make(compute=self.busy(jobs, serverless, ti), deferrable=True), ti)
        tell_state(state)
        if hasattr(trigger, "on_kill"):
            asyncio.run(trigger.on_kill())
        asyncio.run(trigger.cleanup())
        assert states(serverless) == ["RUNNING"]

    def test_execution_timeout_ends_it_before_anything_is_submitted(self, jobs, serverless, ti, by_hand):
        jobs.hold_prepares()
        operator = make(compute=by_hand, deferrable=True, execution_timeout=timedelta(seconds=1))
        with pytest.raises(RunTimedOutError, match=r"waited longer than execution_timeout \(0:00:01\)"):
            through_triggers(operator, ti)
        assert job_runs(serverless) == []
        jobs.release_prepares()

    def test_execution_timeout_counts_from_the_start_also_where_airflow_says_that_it_started_just_now(
        self, jobs, ti, by_hand
    ):
        jobs.hold_prepares()
        operator = make(compute=by_hand, deferrable=True, execution_timeout=timedelta(minutes=10))
        waiting = deferred(operator, ti)
        jobs.release_prepares()
        later = replace(ti, start_date=ti.start_date + timedelta(minutes=5))
        resumed = deferred(operator, later, payload_of(waiting))
        assert resumed.deadline == waiting.awaited.deadline

    def test_a_task_that_goes_on_too_late_submits_nothing(self, jobs, serverless, ti, by_hand):
        jobs.hold_prepares()
        operator = make(compute=by_hand, deferrable=True, execution_timeout=timedelta(minutes=10))
        event = deferred(operator, ti)._payload("changed")
        event["awaited"]["deadline"] = time.time() - 1
        jobs.release_prepares()
        with pytest.raises(RunTimedOutError, match="waited longer than execution_timeout"):
            operator.execute_again(context(ti), event)
        assert job_runs(serverless) == []

    def test_a_task_that_is_only_tried_out_waits_where_it_is(self, serverless, ti, by_hand, monkeypatch):
        # `airflow tasks test` of 2.x runs one trigger at most.
        monkeypatch.setattr("airflow_provider_emrkit.operators.spark.is_tried_out", lambda ti: True)
        assert type(deferred(make(compute=by_hand, deferrable=True), ti)) is EmrJobRunTrigger

    def test_a_task_that_was_cleared_meanwhile_submits_its_job_once(self, jobs, serverless, ti, by_hand):
        jobs.hold_prepares()
        deferred(make(compute=by_hand, deferrable=True), ti)
        jobs.release_prepares()
        again = replace(ti, try_number=2, max_tries=1)
        value, _ = through_triggers(make(compute=by_hand, deferrable=True), again)
        assert (value["state"], states(serverless)) == ("SUCCESS", ["SUCCESS"])

    def test_one_that_is_stopped_as_it_goes_on_submits_nothing(
        self, jobs, serverless, ti, by_hand, tell_state
    ):
        jobs.hold_prepares()
        trigger = deferred(operator := make(compute=by_hand, deferrable=True), ti)
        event = {**trigger._payload("changed"), "seen": "STARTING"}
        attend = operator._attend

        def attend_and_be_killed(*args: Any, **kwargs: Any) -> Any:
            attended = attend(*args, **kwargs)
            operator.on_kill()
            return attended

        operator._attend = attend_and_be_killed
        tell_state("failed")
        with pytest.raises(RunCancelledError, match="nothing was submitted"):
            operator.execute_again(context(ti), event)
        jobs.release_prepares()
        assert job_runs(serverless) == []


def test_a_worker_that_goes_leaves_the_run_and_the_next_try_goes_on_with_it(
    jobs, serverless, ti, tell_state, task_log
):
    tell_state("running")
    jobs.script("job.py", hold=True)
    thread = killed_when_it_runs(jobs, serverless, operator := make())
    with pytest.raises(RunLeftError):
        operator.execute({"ti": ti})
    thread.join()
    assert states(serverless) == ["RUNNING"]
    jobs.finish("job.py")
    value = make().execute(context(replace(ti, try_number=2)))
    assert (value["state"], value["attempts"]["try_number"]) == ("SUCCESS", 1)
    assert len(job_runs(serverless)) == 1
    assert any("going on with it" in line for line in task_log.lines)


def test_a_cleared_task_ends_what_it_had_started_and_starts_anew(jobs, serverless, ti, tell_state):
    jobs.script("job.py", hold=True)
    deferred(make(deferrable=True), ti)
    wait_running(jobs, serverless)
    again = deferred(make(deferrable=True), replace(ti, try_number=2, max_tries=1))
    assert again.job_run.relaunch == 0
    wait_for(lambda: states(serverless) == ["CANCELLED", "RUNNING"])


def test_on_existing_fail_refuses_what_goes_on(jobs, serverless, ti):
    jobs.script("job.py", hold=True)
    deferred(make(deferrable=True), ti)
    with pytest.raises(ExistingRunError):
        make(on_existing="fail").execute(context(replace(ti, try_number=2)))
    assert len(job_runs(serverless)) == 1


@pytest.mark.parametrize("state", ["failed", "success", None])
def test_a_user_who_ends_a_deferred_task_cancels_its_run(jobs, serverless, ti, tell_state, state, task_log):
    jobs.script("job.py", hold=True)
    trigger = deferred(make(deferrable=True), ti)
    wait_running(jobs, serverless)
    tell_state(state)
    asyncio.run(trigger.on_kill())
    assert states(serverless) == ["CANCELLED"]
    assert any("is CANCELLED" in line for line in task_log.lines)


def test_a_restart_of_the_triggerer_cancels_nothing(jobs, serverless, ti, tell_state):
    jobs.script("job.py", hold=True)
    trigger = deferred(make(deferrable=True), ti)
    wait_running(jobs, serverless)
    tell_state("deferred")
    asyncio.run(trigger.on_kill())
    assert states(serverless) == ["RUNNING"]


@pytest.mark.parametrize("state", ["failed", "restarting"])
def test_a_user_who_ends_a_task_just_before_it_is_deferred_cancels_its_run(
    jobs, serverless, ti, tell_state, state
):
    # Airflow takes no deferral of such a task, and tells its worker later: no trigger would have the run.
    tell_state(state)
    jobs.script("job.py", hold=True)
    with pytest.raises(RunCancelledError):
        make(deferrable=True).execute({"ti": ti})
    wait_for(lambda: states(serverless) == ["CANCELLED"])


def test_a_run_that_is_to_be_left_goes_on_where_its_task_was_ended_just_before_it_was_deferred(
    jobs, serverless, ti, tell_state
):
    tell_state("failed")
    jobs.script("job.py", hold=True)
    with pytest.raises(RunLeftError):
        make(deferrable=True, on_kill="leave").execute({"ti": ti})
    wait_running(jobs, serverless)
    assert states(serverless) == ["RUNNING"]


def test_on_kill_leave_lets_the_run_go_on(jobs, serverless, ti, tell_state):
    jobs.script("job.py", hold=True)
    trigger = deferred(make(deferrable=True, on_kill="leave"), ti)
    wait_running(jobs, serverless)
    tell_state("failed")
    asyncio.run(trigger.on_kill())
    assert states(serverless) == ["RUNNING"]


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_run_that_takes_too_long_is_cancelled(jobs, serverless, ti, deferrable, tell_state):
    jobs.script("job.py", hold=True)
    with pytest.raises(RunTimedOutError, match="limit running"):
        carried_out(make(deferrable=deferrable, run_timeout=1), ti)
    assert states(serverless) == ["CANCELLED"]


def test_a_streaming_job_is_watched_until_somebody_ends_it(jobs, serverless, ti, tell_state):
    tell_state("failed")
    jobs.script("job.py", hold=True)
    compute = replace(NIGHTLY, mode="STREAMING", grace_seconds=30)
    operator = make(compute=compute)
    thread = killed_when_it_runs(jobs, serverless, operator)
    with pytest.raises(RunCancelledError):
        operator.execute({"ti": ti})
    thread.join()
    (run,) = job_runs(serverless)
    assert run["mode"] == "STREAMING"
    wait_for(lambda: states(serverless) == ["CANCELLED"])


def test_a_trigger_from_its_stored_arguments_goes_on(jobs, ti):
    jobs.script("job.py", hold=True)
    trigger = deferred(make(deferrable=True), ti)
    path, kwargs = trigger.serialize()
    again = type(trigger)(**kwargs)
    assert (path.rpartition(".")[2], again.job_run) == (type(trigger).__name__, trigger.job_run)
    assert JobRun.from_dict(kwargs["run"]).kind == "job_run"
    jobs.finish("job.py")
    assert payload_of(again)["status"]["state"] == "succeeded"


def test_another_image_than_was_meant_is_told_once(jobs, serverless, ti, task_log, monkeypatch):
    image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/etl:1"
    given = "sha256:" + "a" * 64
    found = f"{image.partition(':')[0]}@{given}"
    made = serverless.create_application(
        name="team",
        releaseLabel="emr-7.11.0",
        type="SPARK",
        imageConfiguration={"imageUri": found},
    )
    if "imageConfiguration" not in serverless.meta.service_model.shape_for("JobRun").members:
        pytest.skip("this boto3 has not heard of a job run's image")
    ready = Applications.ready
    meant = "sha256:" + "b" * 64
    monkeypatch.setattr(
        Applications, "ready", lambda self, compute: replace(ready(self, compute), image_digests=(meant,))
    )
    value = make(compute=ServerlessApplication(made["applicationId"], execution_role_arn=ROLE)).execute(
        {"ti": ti}
    )
    warnings = [record.getMessage() for record in task_log.records if record.levelname == "WARNING"]
    (told,) = [line for line in warnings if "got image" in line]
    assert given in told
    assert meant in told
    assert value["image_digest"] == given
