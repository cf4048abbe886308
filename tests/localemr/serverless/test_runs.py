"""Job runs: their way from SUBMITTED to an end state, attempts, limits, queues, cancelling."""

from __future__ import annotations

import threading

import pytest
from waiting import wait_until

from airflow_provider_emrkit.localemr.run.contract import ClusterStartError


def shown(emr, application_id, run_id, **params):
    return emr("GetJobRun", applicationId=application_id, jobRunId=run_id, **params)["jobRun"]


@pytest.fixture
def told(emr):
    """The states that job runs have had, in order."""
    states = []
    emr.store.changes.subscribe(
        lambda change: states.append(change.record.state) if hasattr(change.record, "attempts") else None
    )
    return states


def test_a_job_run_starts_its_application_and_goes_through_the_states(emr, told):
    application_id = emr.create()
    run_id = emr.start(application_id, name="daily", tags={"a": "b"})
    emr.run(application_id, run_id, "SUCCESS")
    assert emr.store.changes.settle(10)
    assert told == ["SUBMITTED", "PENDING", "SCHEDULED", "RUNNING", "SUCCESS"]
    run = shown(emr, application_id, run_id)
    assert (run["state"], run["attempt"], run["name"], run["tags"]) == ("SUCCESS", 1, "daily", {"a": "b"})
    assert run["startedAt"] == run["endedAt"] == emr.clock.time
    assert (run["mode"], run["executionTimeoutMinutes"], run["retryPolicy"]) == (
        "BATCH",
        720,
        {"maxAttempts": 1},
    )


def test_the_runner_gets_what_was_asked_for(emr):
    application_id = emr.create(
        runtimeConfiguration=[
            {"classification": "spark-defaults", "properties": {"a": "application", "b": "application"}},
            {"classification": "spark-env", "properties": {"X": "1"}},
        ],
        monitoringConfiguration={
            "s3MonitoringConfiguration": {"logUri": "s3://application/"},
            "managedPersistenceMonitoringConfiguration": {"enabled": False},
        },
    )
    spark = {
        "entryPoint": "s3://code/job.py",
        "entryPointArguments": ["--day", "a b", ""],
        "sparkSubmitParameters": "--conf x=y",
    }
    overrides = {
        "applicationConfiguration": [{"classification": "spark-defaults", "properties": {"a": "job"}}],
        "monitoringConfiguration": {"s3MonitoringConfiguration": {"logUri": "s3://job/"}},
    }
    run_id = emr.start(application_id, jobDriver={"sparkSubmit": spark}, configurationOverrides=overrides)
    emr.run(application_id, run_id)
    (request,) = emr.jobs.requests
    assert (request.application_id, request.run_id, request.attempt) == (application_id, run_id, 1)
    assert (request.release_label, request.region) == ("emr-7.11.0", "us-east-1")
    assert request.entry_point == "s3://code/job.py"
    assert request.arguments == ("--day", "a b", "")
    assert request.spark_submit_parameters == "--conf x=y"
    # A classification of the job takes the place of the application's.
    assert request.configurations == [
        {"classification": "spark-defaults", "properties": {"a": "job"}},
        {"classification": "spark-env", "properties": {"X": "1"}},
    ]
    assert request.monitoring == {
        "s3MonitoringConfiguration": {"logUri": "s3://job/"},
        "managedPersistenceMonitoringConfiguration": {"enabled": False},
    }
    assert not request.keeps_attempts_apart


def test_from_emr_spark_8_1_on_properties_of_the_job_are_merged(emr):
    both = {"a": "application", "b": "application"}
    application_id = emr.create(
        releaseLabel="emr-spark-8.1.0",
        runtimeConfiguration=[{"classification": "spark-defaults", "properties": both}],
    )
    own = [{"classification": "spark-defaults", "properties": {"a": "job"}}]
    run_id = emr.start(application_id, configurationOverrides={"applicationConfiguration": own})
    emr.run(application_id, run_id)
    (request,) = emr.jobs.requests
    assert request.configurations[0]["properties"] == {"a": "job", "b": "application"}


def test_a_job_that_fails_says_why(emr):
    application_id = emr.create()
    emr.jobs.script("broken", fails="Job failed. ExitCode: 1. Last few exceptions: ValueError: no such day")
    run_id = emr.start(application_id, "broken")
    emr.run(application_id, run_id, "FAILED")
    assert shown(emr, application_id, run_id)["stateDetails"].endswith("ValueError: no such day")


def test_a_long_reason_is_cut_to_what_the_model_allows(emr):
    application_id = emr.create()
    emr.jobs.script("broken", fails="x" * 1000)
    run_id = emr.start(application_id, "broken")
    emr.run(application_id, run_id, "FAILED")
    assert len(shown(emr, application_id, run_id)["stateDetails"]) == 256


@pytest.mark.parametrize(
    ("error", "details"),
    [
        (ClusterStartError("s3://code/no.py is not there"), "s3://code/no.py is not there"),
        (ZeroDivisionError("oops"), "localemr failed (oops); its log holds the traceback"),
    ],
)
def test_a_job_that_cannot_be_started_fails(emr, error, details):
    application_id = emr.create()
    emr.jobs.script("no", raises=error)
    assert emr.run(application_id, emr.start(application_id, "no"), "FAILED").details == details


def test_a_job_that_cannot_be_waited_for_is_killed(emr, monkeypatch):
    application_id, killed = emr.create(), threading.Event()

    class Odd:
        def wait_begun(self):
            return True

        def wait(self):
            raise OSError("no such process")

        def cancel(self, *, force=False):
            killed.set() if force else None

    monkeypatch.setattr(emr.jobs, "start", lambda _: Odd())
    assert "no such process" in emr.run(application_id, emr.start(application_id), "FAILED").details
    assert killed.wait(10)


def test_job_runs_of_an_application_that_does_not_start_fail_with_its_reason(emr):
    application_id = emr.create()
    emr.jobs.prepare_error = ClusterStartError("no Spark; connect to PyPI")
    run_id = emr.start(application_id)
    assert emr.run(application_id, run_id, "FAILED").details == "no Spark; connect to PyPI"
    assert emr.application(application_id, "STOPPED").details == "no Spark; connect to PyPI"


def test_an_application_that_nothing_starts_takes_job_runs_only_when_it_is_started(emr):
    application_id = emr.create(autoStartConfiguration={"enabled": False})
    error = emr.refused(
        "StartJobRun",
        applicationId=application_id,
        clientToken="x",
        executionRoleArn="r",
        jobDriver={"sparkSubmit": {"entryPoint": "s3://code/job.py"}},
    )
    assert error.code == "ValidationException"
    assert "autoStartConfiguration" in error.message
    emr("StartApplication", applicationId=application_id)
    emr.run(application_id, emr.start(application_id), "SUCCESS")


def test_an_application_that_is_stopping_is_started_again(emr):
    application_id = emr.create()
    emr("StartApplication", applicationId=application_id)
    emr.application(application_id, "STARTED")
    with emr.store.lock:
        emr("StopApplication", applicationId=application_id)
        run_id = emr.start(application_id)
    emr.run(application_id, run_id, "SUCCESS")
    emr.application(application_id, "STARTED")


def test_a_deleted_application_takes_none(emr):
    application_id = emr.create()
    emr("DeleteApplication", applicationId=application_id)
    with pytest.raises(Exception, match=r"is terminated\. Cannot start job run"):
        emr.start(application_id)


@pytest.mark.parametrize(
    ("request_", "shown_"),
    [
        pytest.param({"jobDriver": {"hive": {"query": "select 1"}}}, "does not support Hive", id="hive"),
        pytest.param({"jobDriver": {}}, "jobDriver.sparkSubmit is required", id="driver"),
        pytest.param({"executionTimeoutMinutes": 0}, "at least 5 minutes", id="batch-for-ever"),
        pytest.param({"executionTimeoutMinutes": 4}, "at least 5 minutes", id="short"),
        pytest.param({"executionTimeoutMinutes": 10_081}, "at most 10080", id="long"),
        pytest.param({"retryPolicy": {"maxAttempts": 11}}, "1 to 10", id="attempts"),
        pytest.param(
            {"retryPolicy": {"maxFailedAttemptsPerHour": 1}},
            "not applicable to job runs in BATCH",
            id="hourly",
        ),
        pytest.param(
            {"mode": "STREAMING", "retryPolicy": {"maxAttempts": 2}}, "in STREAMING mode", id="streaming"
        ),
    ],
)
def test_a_job_run_that_cannot_be_is_refused(emr, request_, shown_):
    application_id = emr.create()
    with pytest.raises(Exception, match=shown_) as caught:
        emr.start(application_id, **request_)
    assert caught.value.code == "ValidationException"
    assert emr("ListJobRuns", applicationId=application_id)["jobRuns"] == []


@pytest.mark.parametrize("request_", [{"mode": "STREAMING"}, {"retryPolicy": {"maxAttempts": 2}}])
def test_retries_and_streaming_came_with_a_release(emr, request_):
    application_id = emr.create(releaseLabel="emr-6.15.0")
    with pytest.raises(Exception, match=r"use emr-7\.1\.0 or later"):
        emr.start(application_id, **request_)


def test_a_repeated_request_starts_one_job_run(emr):
    application_id = emr.create()
    assert emr.start(application_id, clientToken="once") == emr.start(application_id, clientToken="once")
    with pytest.raises(Exception, match="once has been used before") as caught:
        emr.start(application_id, "other.py", clientToken="once")
    assert (caught.value.code, caught.value.status) == ("ConflictException", 409)
    # A token is the application's own.
    emr.start(emr.create(), "other.py", clientToken="once")


# Attempts


def test_a_job_is_tried_as_often_as_its_retry_policy_says(emr):
    application_id = emr.create()
    emr.jobs.script("flaky", fails="OSError: gone", times=2)
    run_id = emr.start(application_id, "flaky", retryPolicy={"maxAttempts": 3})
    emr.run(application_id, run_id, "SUCCESS")
    assert [request.attempt for request in emr.jobs.requests] == [1, 2, 3]
    assert all(request.keeps_attempts_apart for request in emr.jobs.requests)
    attempts = emr("ListJobRunAttempts", applicationId=application_id, jobRunId=run_id)["jobRunAttempts"]
    assert [(item["attempt"], item["state"], item["stateDetails"]) for item in attempts] == [
        (3, "SUCCESS", "SUCCESS"),
        (2, "FAILED", "OSError: gone"),
        (1, "FAILED", "OSError: gone"),
    ]
    assert shown(emr, application_id, run_id)["attempt"] == 3
    first = shown(emr, application_id, run_id, attempt=1)
    assert (first["attempt"], first["state"], first["stateDetails"]) == (1, "FAILED", "OSError: gone")
    error = emr.refused("GetJobRun", applicationId=application_id, jobRunId=run_id, attempt=4)
    assert error.code == "ResourceNotFoundException"


def test_a_job_that_always_fails_has_used_all_its_attempts(emr):
    application_id = emr.create()
    emr.jobs.script("broken", fails="no")
    run_id = emr.start(application_id, "broken", retryPolicy={"maxAttempts": 2})
    run = emr.run(application_id, run_id, "FAILED")
    assert [attempt.state for attempt in run.attempts] == ["FAILED", "FAILED"]


@pytest.mark.parametrize(("minutes", "state"), [(59, "FAILED"), (60, "RUNNING")])
def test_a_streaming_job_is_tried_again_unless_it_fails_too_often_in_an_hour(emr, minutes, state):
    application_id = emr.create()
    emr.jobs.script("stream", hold=True, fails="no")
    policy = {"maxFailedAttemptsPerHour": 2}
    run_id = emr.start(application_id, "stream", mode="STREAMING", retryPolicy=policy)
    for number in (1, 2):
        emr.run(application_id, run_id, "RUNNING")
        emr.later(minutes=minutes)
        job = emr.jobs.wait_started("stream")
        assert job.request.attempt == number
        job.opened.set()
        with emr.store.lock:
            run = emr.store.run(application_id, run_id)
            failed = run.attempts[number - 1]
            assert emr.serverless.scheduler.changed.wait_for(
                lambda failed=failed: failed.state == "FAILED", 20
            )
    assert emr.run(application_id, run_id, state)


def test_attempts_are_listed_in_pages(emr):
    application_id = emr.create()
    emr.jobs.script("broken", fails="no")
    run_id = emr.start(application_id, "broken", retryPolicy={"maxAttempts": 3})
    emr.run(application_id, run_id, "FAILED")
    names = {"applicationId": application_id, "jobRunId": run_id, "maxResults": 2}
    first = emr("ListJobRunAttempts", **names)
    second = emr("ListJobRunAttempts", **names, nextToken=first["nextToken"])
    numbers = [item["attempt"] for page in (first, second) for item in page["jobRunAttempts"]]
    assert numbers == [3, 2, 1]


# Limits


def test_a_job_run_that_takes_too_long_is_cancelled(emr):
    application_id = emr.create()
    emr.jobs.script("long", hold=True)
    run_id = emr.start(application_id, "long", executionTimeoutMinutes=5)
    emr.run(application_id, run_id, "RUNNING")
    emr.settled()
    emr.later(minutes=4)
    emr.settled()
    emr.run(application_id, run_id, "RUNNING")
    emr.later(minutes=1)
    run = emr.run(application_id, run_id, "CANCELLED")
    assert "executionTimeoutMinutes of 5" in run.details


def test_a_streaming_job_that_takes_too_long_has_its_time_to_end(emr):
    application_id = emr.create()
    emr.jobs.script("deaf", hold=True, ignores_cancel=True)
    run_id = emr.start(application_id, "deaf", mode="STREAMING", executionTimeoutMinutes=5)
    emr.run(application_id, run_id, "RUNNING")
    emr.later(minutes=5)
    emr.run(application_id, run_id, "CANCELLING")
    emr.later(minutes=2)
    emr.run(application_id, run_id, "CANCELLED")


def test_a_job_that_ignores_the_end_of_its_time_is_killed(emr):
    application_id = emr.create()
    emr.jobs.script("deaf", hold=True, ignores_cancel=True)
    run_id = emr.start(application_id, "deaf", executionTimeoutMinutes=5, retryPolicy={"maxAttempts": 3})
    emr.run(application_id, run_id, "RUNNING")
    emr.later(minutes=5)
    run = emr.run(application_id, run_id, "CANCELLED")
    assert (run_id, True) in emr.jobs.cancels
    assert len(run.attempts) == 1


def test_a_streaming_job_has_no_limit_of_its_own(emr):
    application_id = emr.create()
    emr.jobs.script("stream", hold=True)
    run_id = emr.start(application_id, "stream", mode="STREAMING")
    emr.run(application_id, run_id, "RUNNING")
    emr.later(days=30)
    emr.settled()
    assert emr.run(application_id, run_id, "RUNNING").state == "RUNNING"
    assert shown(emr, application_id, run_id)["executionTimeoutMinutes"] == 0


def test_a_job_run_that_is_larger_than_the_maximum_fails(emr):
    application_id = emr.create(maximumCapacity={"cpu": "4 vCPU", "memory": "64 GB", "disk": "200 GB"})
    run = emr.run(application_id, emr.start(application_id), "FAILED")
    assert run.details == (
        "ApplicationMaxCapacityExceededException: Worker could not be allocated as the application has "
        "exceeded maximumCapacity settings: [cpu: 4 vCPU, memory: 64 GB, disk: 200 GB]"
    )
    spark = {
        "entryPoint": "s3://code/small.py",
        "sparkSubmitParameters": "--conf spark.driver.cores=2 --executor-cores 2",
    }
    emr.run(application_id, emr.start(application_id, jobDriver={"sparkSubmit": spark}), "SUCCESS")


def test_a_job_run_that_does_not_fit_beside_the_others_fails_without_a_queue(emr):
    application_id = emr.create(maximumCapacity={"cpu": "8 vCPU", "memory": "64 GB"})
    emr.jobs.script("long", hold=True)
    first = emr.start(application_id, "long")
    emr.run(application_id, first, "RUNNING")
    second = emr.start(application_id)
    assert "ApplicationMaxCapacityExceeded" in emr.run(application_id, second, "FAILED").details


def test_a_job_run_that_does_not_fit_beside_the_others_waits_in_the_queue(emr):
    application_id = emr.create(
        maximumCapacity={"cpu": "8 vCPU", "memory": "64 GB"}, schedulerConfiguration={}
    )
    emr.jobs.script("long", hold=True)
    first = emr.start(application_id, "long")
    emr.run(application_id, first, "RUNNING")
    second = emr.start(application_id)
    emr.run(application_id, second, "QUEUED")
    emr.jobs.finish("long")
    emr.run(application_id, second, "SUCCESS")


def test_only_so_many_job_runs_of_an_application_run_at_once(emr):
    application_id = emr.create(schedulerConfiguration={"maxConcurrentRuns": 1})
    emr.jobs.script("long", hold=True)
    first, second, third = (emr.start(application_id, f"long{number}") for number in range(3))
    emr.run(application_id, first, "RUNNING")
    emr.run(application_id, second, "QUEUED")
    emr.run(application_id, third, "QUEUED")
    emr.later(minutes=2)
    emr.jobs.finish("long0")
    emr.run(application_id, second, "RUNNING")
    emr.settled()
    assert emr.run(application_id, third, "QUEUED").state == "QUEUED"
    emr.jobs.finish("long1")
    emr.jobs.finish("long2")
    emr.run(application_id, third, "SUCCESS")
    assert shown(emr, application_id, second)["queuedDurationMilliseconds"] == 120_000
    assert shown(emr, application_id, first)["queuedDurationMilliseconds"] is None


def test_a_job_run_that_waits_too_long_in_the_queue_fails(emr):
    application_id = emr.create(schedulerConfiguration={"maxConcurrentRuns": 1, "queueTimeoutMinutes": 15})
    emr.jobs.script("long", hold=True)
    emr.run(application_id, emr.start(application_id, "long"), "RUNNING")
    waiting = emr.start(application_id)
    emr.run(application_id, waiting, "QUEUED")
    emr.later(minutes=15)
    run = emr.run(application_id, waiting, "FAILED")
    assert "queueTimeoutMinutes of the application, 15" in run.details
    assert shown(emr, application_id, waiting)["billedResourceUtilization"]["vCPUHour"] == 0


def test_this_machine_takes_only_so_many_at_once_and_then_who_waits_longest(make_emr):
    emr = make_emr(max_running=1)
    emr.jobs.script("long", hold=True)
    applications = [emr.create() for _ in range(4)]
    for application_id in applications:
        emr("StartApplication", applicationId=application_id)
        emr.application(application_id, "STARTED")
    emr.run(applications[0], emr.start(applications[0], "long0"), "RUNNING")
    others = list(enumerate(applications))[:0:-1]
    waiting = []
    for number, name in others:
        waiting.append((number, name, emr.start(name, f"long{number}")))
        emr.run(*waiting[-1][1:], "PENDING")
        emr.later(seconds=1)
    emr.jobs.finish("long0")
    for number, name, run_id in waiting:
        emr.run(name, run_id, "RUNNING")
        emr.jobs.finish(f"long{number}")
    started = [request.application_id for request in emr.jobs.requests]
    assert started == [applications[0], applications[3], applications[2], applications[1]]


# Cancelling


def test_a_running_job_is_asked_to_end_and_then_killed(emr):
    application_id = emr.create()
    emr.jobs.script("deaf", hold=True, ignores_cancel=True)
    run_id = emr.start(application_id, "deaf")
    emr.run(application_id, run_id, "RUNNING")
    names = {"applicationId": application_id, "jobRunId": run_id}
    assert emr("CancelJobRun", **names, shutdownGracePeriodInSeconds=30) == names
    emr.run(application_id, run_id, "CANCELLING")
    wait_until(lambda: emr.jobs.cancels, "it was asked to end")
    emr.settled()
    emr.later(seconds=29)
    emr.settled()
    assert (run_id, True) not in emr.jobs.cancels
    emr.later(seconds=1)
    assert emr.run(application_id, run_id, "CANCELLED").details == "Job run was cancelled by the user"
    assert emr.jobs.cancels == [(run_id, False), (run_id, True)]


def test_a_batch_job_has_no_time_to_end_unless_it_is_given(emr):
    application_id = emr.create()
    emr.jobs.script("deaf", hold=True, ignores_cancel=True)
    run_id = emr.start(application_id, "deaf")
    emr.run(application_id, run_id, "RUNNING")
    emr("CancelJobRun", applicationId=application_id, jobRunId=run_id)
    emr.run(application_id, run_id, "CANCELLED")


def test_a_second_cancel_can_shorten_the_time_but_not_lengthen_it(emr):
    application_id = emr.create()
    emr.jobs.script("deaf", hold=True, ignores_cancel=True)
    run_id = emr.start(application_id, "deaf", mode="STREAMING")
    names = {"applicationId": application_id, "jobRunId": run_id}
    emr.run(application_id, run_id, "RUNNING")
    emr("CancelJobRun", **names)
    emr("CancelJobRun", **names, shutdownGracePeriodInSeconds=1800)
    assert emr.store.run(application_id, run_id).cancel.seconds == 120
    emr("CancelJobRun", **names, shutdownGracePeriodInSeconds=0)
    emr.run(application_id, run_id, "CANCELLED")


def test_a_job_that_ends_in_good_order_in_the_time_it_is_given_is_cancelled(emr):
    application_id = emr.create()
    emr.jobs.script("tidy", hold=True, ignores_cancel=True)
    run_id = emr.start(application_id, "tidy")
    emr.run(application_id, run_id, "RUNNING")
    emr("CancelJobRun", applicationId=application_id, jobRunId=run_id, shutdownGracePeriodInSeconds=60)
    wait_until(lambda: emr.jobs.cancels, "it was asked to end")
    emr.jobs.finish("tidy")
    assert emr.run(application_id, run_id).details == "Job run was cancelled by the user"
    assert emr.store.run(application_id, run_id).state == "CANCELLED"
    assert emr.jobs.cancels == [(run_id, False)]


def test_a_job_that_had_succeeded_before_its_cancel_reached_it_has_succeeded(emr, monkeypatch):
    application_id = emr.create()
    emr.jobs.script("done", hold=True)
    writes_logs, written, ended = threading.Event(), threading.Event(), emr.jobs.ended

    def end(job):
        writes_logs.set()
        assert written.wait(20)
        ended(job)

    monkeypatch.setattr(emr.jobs, "ended", end)
    run_id = emr.start(application_id, "done")
    emr.run(application_id, run_id, "RUNNING")
    emr.jobs.finish("done")
    assert writes_logs.wait(20)
    emr("CancelJobRun", applicationId=application_id, jobRunId=run_id, shutdownGracePeriodInSeconds=60)
    assert emr.store.run(application_id, run_id).state == "CANCELLING"
    wait_until(lambda: emr.jobs.cancels, "the cancel has come")
    written.set()
    emr.run(application_id, run_id, "SUCCESS")


def test_a_waiting_job_run_is_cancelled_at_once(emr):
    application_id = emr.create()
    emr.jobs.hold_prepares()
    run_id = emr.start(application_id)
    emr.run(application_id, run_id, "PENDING")
    emr("CancelJobRun", applicationId=application_id, jobRunId=run_id)
    run = emr.run(application_id, run_id, "CANCELLED")
    assert run.attempt.started is None
    emr.jobs.release_prepares()
    emr.application(application_id, "STARTED")
    emr.settled()
    assert emr.jobs.requests == []


def test_a_job_that_is_cancelled_while_it_is_being_started_is_cancelled(emr, monkeypatch):
    application_id = emr.create()
    emr.jobs.script("slow", hold=True)
    begun, go_on, start = threading.Event(), threading.Event(), emr.jobs.start

    def slow(request):
        begun.set()
        assert go_on.wait(20)
        return start(request)

    monkeypatch.setattr(emr.jobs, "start", slow)
    run_id = emr.start(application_id, "slow")
    assert begun.wait(20)
    emr("CancelJobRun", applicationId=application_id, jobRunId=run_id, shutdownGracePeriodInSeconds=60)
    emr.run(application_id, run_id, "CANCELLING")
    go_on.set()
    run = emr.run(application_id, run_id, "CANCELLED")
    assert run.attempt.started is None


@pytest.mark.parametrize(("fails", "state"), [(None, "SUCCESS"), ("no", "FAILED")])
def test_a_job_run_at_its_end_is_not_cancelled(emr, fails, state):
    application_id = emr.create()
    emr.jobs.script("job", fails=fails)
    run_id = emr.start(application_id)
    emr.run(application_id, run_id, state)
    error = emr.refused("CancelJobRun", applicationId=application_id, jobRunId=run_id)
    assert error.code == "ValidationException"
    assert state in error.message


@pytest.mark.parametrize("seconds", [-1, 1, 14, 1801])
def test_the_time_to_end_has_limits(emr, seconds):
    application_id = emr.create()
    run_id = emr.start(application_id)
    error = emr.refused(
        "CancelJobRun", applicationId=application_id, jobRunId=run_id, shutdownGracePeriodInSeconds=seconds
    )
    assert "15 to 1800" in error.message


def test_a_process_that_somebody_else_killed_is_a_failure(emr):
    application_id = emr.create()
    emr.jobs.script("long", hold=True)
    run_id = emr.start(application_id, "long")
    emr.jobs.wait_started("long").cancel()
    assert "from outside" in emr.run(application_id, run_id, "FAILED").details


# Lists


def test_job_runs_are_listed_by_state_mode_and_time(emr):
    application_id = emr.create()
    emr.jobs.script("broken", fails="no")
    first = emr.start(application_id, "broken")
    emr.run(application_id, first)
    emr.later(minutes=10)
    second = emr.start(application_id, mode="STREAMING")
    emr.run(application_id, second)

    def listed(**filters):
        found = emr("ListJobRuns", applicationId=application_id, **filters)["jobRuns"]
        return [item["id"] for item in found]

    between = (
        emr.store.run(application_id, first).created
        + (emr.clock.time - emr.store.run(application_id, first).created) / 2
    )
    assert listed() == [second, first]
    assert listed(states=["FAILED"]) == [first]
    assert listed(states=["FAILED", "SUCCESS"]) == [second, first]
    assert listed(mode="STREAMING") == [second]
    assert listed(createdAtAfter=between) == [second]
    assert listed(createdAtBefore=between) == [first]
    assert listed(states=["RUNNING"]) == []


def test_whoever_cancels_page_by_page_cancels_all(emr):
    application_id = emr.create()
    emr.jobs.hold_prepares()
    ids = {emr.start(application_id) for _ in range(7)}
    states, token, seen = ["SUBMITTED", "PENDING"], {}, set()
    while True:
        page = emr("ListJobRuns", applicationId=application_id, states=states, maxResults=3, **token)
        for item in page["jobRuns"]:
            seen.add(item["id"])
            emr("CancelJobRun", applicationId=application_id, jobRunId=item["id"])
        if not page["nextToken"]:
            break
        token = {"nextToken": page["nextToken"]}
    assert seen == ids
    emr.jobs.release_prepares()


def test_a_waiter_is_answered_when_the_job_run_ends(make_emr):
    emr = make_emr(hold_seconds=20.0)
    application_id = emr.create()
    run_id = emr.start(application_id)
    run = shown(emr, application_id, run_id, is_waiter=True)
    assert run["state"] == "SUCCESS"


def test_a_waiter_for_no_job_run_is_answered_when_there_is_none(make_emr):
    emr = make_emr(hold_seconds=20.0)
    application_id = emr.create()
    emr.start(application_id)
    names = {"applicationId": application_id, "states": ["SUBMITTED", "PENDING", "SCHEDULED", "RUNNING"]}
    assert emr("ListJobRuns", **names, is_waiter=True)["jobRuns"] == []


# Dashboards


def test_the_dashboard_is_the_page_of_the_attempt(emr):
    application_id = emr.create()
    emr.jobs.script("flaky", fails="no", times=1)
    run_id = emr.start(application_id, "flaky", retryPolicy={"maxAttempts": 2})
    emr.run(application_id, run_id, "SUCCESS")
    names = {"applicationId": application_id, "jobRunId": run_id}
    assert emr("GetDashboardForJobRun", **names)["url"] == f"/spark/{run_id}-2"
    assert emr("GetDashboardForJobRun", **names, attempt=1)["url"] == f"/spark/{run_id}"


def test_the_dashboard_can_be_asked_for_as_soon_as_the_job_run_is_submitted(emr):
    application_id = emr.create()
    emr.jobs.hold_prepares()
    run_id = emr.start(application_id)
    answer = emr("GetDashboardForJobRun", applicationId=application_id, jobRunId=run_id)
    assert answer["url"] == f"/spark/{run_id}"
    emr.jobs.release_prepares()


# Sessions


@pytest.mark.parametrize("operation", ["GetSession", "GetSessionEndpoint", "TerminateSession"])
def test_there_are_no_sessions(emr, operation):
    application_id = emr.create()
    error = emr.refused(operation, applicationId=application_id, sessionId="00s")
    assert error.code == "ResourceNotFoundException"
    assert "localemr does not support sessions" in error.message


def test_a_session_is_refused_by_name(emr):
    error = emr.refused("StartSession", applicationId=emr.create(), clientToken="x", executionRoleArn="r")
    assert error.code == "ValidationException"
    assert "StartSession" in error.message


def test_the_list_of_sessions_is_empty(emr):
    assert emr("ListSessions", applicationId=emr.create()) == {"sessions": []}


def test_unknown_ids(emr):
    application_id = emr.create()
    names = {"applicationId": application_id, "jobRunId": "00x"}
    for operation in ("GetJobRun", "CancelJobRun", "ListJobRunAttempts", "GetDashboardForJobRun"):
        assert emr.refused(operation, **names).code == "ResourceNotFoundException"
    assert emr.refused("ListJobRuns", applicationId="00x").message == "Application 00x does not exist"


def test_a_run_is_not_running_while_its_image_is_pulled(emr):
    application_id = emr.create()
    emr.jobs.script("job", pulls=True)
    run_id = emr.start(application_id)
    job = emr.jobs.wait_started("job")
    assert emr.run(application_id, run_id, "SCHEDULED").attempt.started is None
    job.begun.set()
    assert emr.run(application_id, run_id).attempt.started is not None


def test_a_run_whose_image_is_not_there_never_ran_and_costs_nothing(emr):
    application_id = emr.create()
    emr.jobs.script("job", never_begins=True, fails="the image could not be pulled")
    run_id = emr.start(application_id)
    assert emr.run(application_id, run_id).state == "FAILED"
    run = emr("GetJobRun", applicationId=application_id, jobRunId=run_id)["jobRun"]
    assert run["startedAt"] is None
    assert set(run["billedResourceUtilization"].values()) == {0.0}


def test_a_run_is_cancelled_while_its_image_is_pulled(emr):
    application_id = emr.create()
    emr.jobs.script("job", pulls=True, hold=True)
    run_id = emr.start(application_id)
    emr.jobs.wait_started("job")
    emr("CancelJobRun", applicationId=application_id, jobRunId=run_id, shutdownGracePeriodInSeconds=60)
    run = emr.run(application_id, run_id)
    assert (run.state, run.attempt.started) == ("CANCELLED", None)
