"""Steps: their states, what a failure does to the cluster, listing and cancelling."""

from __future__ import annotations

import threading

import pytest
from botocore.exceptions import ClientError
from waiting import wait_until


def error(call, **params):
    with pytest.raises(ClientError) as caught:
        call(**params)
    return caught.value.response["Error"]


def describe(localemr_server, cluster_id, step_id):
    return localemr_server.client("emr").describe_step(ClusterId=cluster_id, StepId=step_id)["Step"]


def states(record):
    return {step.name: step.state for step in record.steps.values()}


def test_a_step_goes_from_pending_over_running_to_completed(localemr_server):
    localemr_server.runner.hold_starts()
    localemr_server.runner.script("etl", hold=True)
    cluster_id = localemr_server.run_cluster()
    step_id = localemr_server.add_step(cluster_id, "etl")
    pending = describe(localemr_server, cluster_id, step_id)
    assert pending["Status"]["State"] == "PENDING"
    assert set(pending["Status"]["Timeline"]) == {"CreationDateTime"}

    localemr_server.runner.release_starts()
    localemr_server.runner.wait_started("etl")
    running = describe(localemr_server, cluster_id, step_id)
    assert running["Status"]["State"] == "RUNNING"
    assert localemr_server.wait_cluster(cluster_id, "RUNNING").reason_message == "Running step"

    localemr_server.runner.finish("etl")
    localemr_server.wait_step(cluster_id, step_id, "COMPLETED")
    completed = describe(localemr_server, cluster_id, step_id)
    times = completed["Status"]["Timeline"]
    assert times["CreationDateTime"] <= times["StartDateTime"] <= times["EndDateTime"]
    assert completed["Config"]["Args"] == ["spark-submit", "s3://code/job.py"]
    assert completed["ActionOnFailure"] == "CONTINUE"
    waiting = localemr_server.wait_cluster(cluster_id, "WAITING")
    assert waiting.reason_message == "Cluster ready after last step completed."


def test_arguments_reach_the_runner_byte_for_byte(localemr_server):
    args = ["spark-submit", "--conf", "a=b c", "", "é\t'\"$HOME", "\U0001f600", "line\nbreak"]
    jar_step = {
        "Jar": "s3://code/app.jar",
        "MainClass": "org.example.Main",
        "Args": args,
        "Properties": [{"Key": "k", "Value": "v"}],
    }
    cluster_id = localemr_server.run_cluster(Steps=[{"Name": "odd", "HadoopJarStep": jar_step}])
    localemr_server._wait(cluster_id, lambda record: not record.active_steps, "done")
    (step,) = localemr_server.runner.steps
    assert list(step.args) == args
    assert (step.jar, step.main_class, step.properties) == (
        "s3://code/app.jar",
        "org.example.Main",
        {"k": "v"},
    )


def test_steps_run_one_after_the_other(localemr_server):
    localemr_server.runner.script("step 1", hold=True)
    cluster_id = localemr_server.run_cluster()
    for number in (1, 2):
        localemr_server.add_step(cluster_id, f"step {number}")
    localemr_server.runner.wait_started("step 1")
    assert states(localemr_server.wait_cluster(cluster_id, "RUNNING")) == {
        "step 1": "RUNNING",
        "step 2": "PENDING",
    }
    localemr_server.runner.finish("step 1")
    record = localemr_server.wait_cluster(cluster_id, "WAITING")
    assert states(record) == {"step 1": "COMPLETED", "step 2": "COMPLETED"}
    assert [step.name for step in localemr_server.runner.steps] == ["step 1", "step 2"]


def test_raising_the_concurrency_starts_more_steps_at_once(localemr_server):
    localemr_server.runner.script("step", hold=True)
    cluster_id = localemr_server.run_cluster()
    ids = [localemr_server.add_step(cluster_id, f"step {number}") for number in (1, 2, 3)]
    localemr_server.wait_step(cluster_id, ids[0], "RUNNING")
    answer = localemr_server.client("emr").modify_cluster(ClusterId=cluster_id, StepConcurrencyLevel=2)
    assert answer["StepConcurrencyLevel"] == 2
    localemr_server.wait_step(cluster_id, ids[1], "RUNNING")
    assert localemr_server.wait_step(cluster_id, ids[2], "PENDING")
    for number in (1, 2, 3):
        localemr_server.runner.finish(f"step {number}")
    localemr_server.wait_step(cluster_id, ids[2], "COMPLETED")


def test_a_failed_step_says_why(localemr_server):
    localemr_server.client("s3").create_bucket(Bucket="logs")
    localemr_server.runner.script("broken", fails="ValueError: no such day", stderr=["Traceback"])
    cluster_id = localemr_server.run_cluster(LogUri="s3://logs/emr")
    step_id = localemr_server.add_step(cluster_id, "broken")
    localemr_server.wait_step(cluster_id, step_id, "FAILED")
    details = describe(localemr_server, cluster_id, step_id)["Status"]["FailureDetails"]
    assert details == {
        "Reason": "Unknown Error.",
        "Message": "ValueError: no such day",
        "LogFile": f"s3://logs/emr/{cluster_id}/steps/{step_id}/stderr.gz",
    }


@pytest.mark.parametrize(
    ("action", "cluster_state", "next_state"),
    [
        pytest.param("CONTINUE", "WAITING", "COMPLETED", id="continue"),
        pytest.param("CANCEL_AND_WAIT", "WAITING", "CANCELLED", id="cancel-and-wait"),
        pytest.param("TERMINATE_CLUSTER", "TERMINATED_WITH_ERRORS", "CANCELLED", id="terminate-cluster"),
        pytest.param("TERMINATE_JOB_FLOW", "TERMINATED_WITH_ERRORS", "CANCELLED", id="terminate-job-flow"),
    ],
)
def test_action_on_failure(localemr_server, action, cluster_state, next_state):
    localemr_server.runner.script("broken", fails="boom", hold=True)
    cluster_id = localemr_server.run_cluster()
    localemr_server.add_step(cluster_id, "broken", action)
    following = localemr_server.add_step(cluster_id, "next")
    localemr_server.runner.finish("broken")
    localemr_server.wait_step(cluster_id, following, next_state)
    record = localemr_server.wait_cluster(cluster_id, cluster_state)
    assert states(record) == {"broken": "FAILED", "next": next_state}
    if cluster_state == "TERMINATED_WITH_ERRORS":
        assert (record.reason_code, record.reason_message) == ("STEP_FAILURE", "Shut down as step failed")


@pytest.mark.parametrize("action", ["CANCEL_AND_WAIT", "TERMINATE_CLUSTER"])
def test_the_action_on_failure_is_forgotten_when_the_concurrency_was_raised(localemr_server, action):
    localemr_server.runner.script("broken", fails="boom", hold=True)
    localemr_server.runner.script("next", hold=True)
    cluster_id = localemr_server.run_cluster()
    broken = localemr_server.add_step(cluster_id, "broken", action)
    localemr_server.runner.wait_started("broken")
    following, last = (localemr_server.add_step(cluster_id, name) for name in ("next", "last"))
    localemr_server.client("emr").modify_cluster(ClusterId=cluster_id, StepConcurrencyLevel=2)
    localemr_server.runner.wait_started("next")
    localemr_server.runner.finish("broken")
    localemr_server.wait_step(cluster_id, broken, "FAILED")
    localemr_server.wait_step(cluster_id, last, "COMPLETED")
    localemr_server.runner.finish("next")
    localemr_server.wait_step(cluster_id, following, "COMPLETED")
    localemr_server.wait_cluster(cluster_id, "WAITING")


def test_termination_protection_keeps_the_cluster_of_a_failed_step(localemr_server):
    localemr_server.runner.script("broken", fails="boom", hold=True)
    cluster_id = localemr_server.run_cluster()
    localemr_server.client("emr").set_termination_protection(
        JobFlowIds=[cluster_id], TerminationProtected=True
    )
    localemr_server.add_step(cluster_id, "broken", "TERMINATE_CLUSTER")
    following = localemr_server.add_step(cluster_id, "next")
    localemr_server.runner.finish("broken")
    localemr_server.wait_step(cluster_id, following, "CANCELLED")
    localemr_server.wait_cluster(cluster_id, "WAITING")


def test_a_step_that_the_runner_could_not_start_fails(localemr_server):
    localemr_server.runner.script("bug", raises=ZeroDivisionError("a bug"))
    cluster_id = localemr_server.run_cluster()
    step_id = localemr_server.add_step(cluster_id, "bug")
    step = localemr_server.wait_step(cluster_id, step_id, "FAILED")
    assert step.failure.reason == "Internal error"
    following = localemr_server.add_step(cluster_id, "next")
    localemr_server.wait_step(cluster_id, following, "COMPLETED")


def test_steps_are_listed_newest_first_fifty_to_a_page(localemr_server):
    localemr_server.runner.hold_starts()
    cluster_id = localemr_server.run_cluster()
    ids = [localemr_server.add_step(cluster_id, f"step {number}") for number in range(53)]
    emr = localemr_server.client("emr")
    first = emr.list_steps(ClusterId=cluster_id)
    assert [step["Id"] for step in first["Steps"]] == ids[:2:-1]
    second = emr.list_steps(ClusterId=cluster_id, Marker=first["Marker"])
    assert [step["Id"] for step in second["Steps"]] == ids[2::-1]
    paginator = emr.get_paginator("list_steps").paginate(ClusterId=cluster_id)
    assert [step["Id"] for page in paginator for step in page["Steps"]] == ids[::-1]


def test_the_next_page_comes_also_when_the_last_step_of_a_page_has_changed(localemr_server):
    localemr_server.runner.script("first", hold=True)
    cluster_id = localemr_server.run_cluster()
    localemr_server.add_step(cluster_id, "first")
    localemr_server.runner.wait_started("first")
    ids = [localemr_server.add_step(cluster_id, f"pending {number}") for number in range(60)]
    emr = localemr_server.client("emr")
    page = emr.list_steps(ClusterId=cluster_id, StepStates=["PENDING"])
    emr.cancel_steps(ClusterId=cluster_id, StepIds=[page["Steps"][-1]["Id"]])
    rest = emr.list_steps(ClusterId=cluster_id, StepStates=["PENDING"], Marker=page["Marker"])
    assert [step["Id"] for step in rest["Steps"]] == ids[9::-1]
    localemr_server.runner.finish("first")


def test_steps_can_be_listed_by_id_and_state(localemr_server):
    localemr_server.runner.script("broken", fails="boom")
    cluster_id = localemr_server.run_cluster()
    good, bad = (localemr_server.add_step(cluster_id, name) for name in ("good", "broken"))
    localemr_server.wait_step(cluster_id, bad, "FAILED")
    emr = localemr_server.client("emr")

    def ids(**filters):
        return [step["Id"] for step in emr.list_steps(ClusterId=cluster_id, **filters)["Steps"]]

    assert ids(StepIds=[good]) == [good]
    assert ids(StepStates=["FAILED"]) == [bad]
    assert ids(StepIds=[good, bad], StepStates=["COMPLETED"]) == [good]
    assert ids(StepIds=["s-GONE"]) == []
    assert (
        error(emr.list_steps, ClusterId=cluster_id, StepIds=["s-1"] * 11)["Code"] == "InvalidRequestException"
    )


def test_cancelling_ends_a_pending_step_at_once_and_a_running_one_soon(localemr_server):
    localemr_server.runner.script("long", hold=True)
    cluster_id = localemr_server.run_cluster()
    running, pending = (localemr_server.add_step(cluster_id, name) for name in ("long", "next"))
    localemr_server.runner.wait_started("long")
    answer = localemr_server.client("emr").cancel_steps(ClusterId=cluster_id, StepIds=[running, pending])
    assert [(item["StepId"], item["Status"]) for item in answer["CancelStepsInfoList"]] == [
        (running, "SUBMITTED"),
        (pending, "SUBMITTED"),
    ]
    assert describe(localemr_server, cluster_id, pending)["Status"]["State"] == "CANCELLED"
    localemr_server.wait_step(cluster_id, running, "CANCELLED")
    assert localemr_server.runner.cancels == [(running, False)]
    localemr_server.wait_cluster(cluster_id, "WAITING")


def test_a_step_that_takes_its_time_to_end_is_cancel_pending(localemr_server):
    localemr_server.runner.script("stubborn", hold=True, ignores_cancel=True)
    cluster_id = localemr_server.run_cluster()
    step_id = localemr_server.add_step(cluster_id, "stubborn")
    localemr_server.runner.wait_started("stubborn")
    emr = localemr_server.client("emr")
    emr.cancel_steps(ClusterId=cluster_id, StepIds=[step_id])
    assert describe(localemr_server, cluster_id, step_id)["Status"]["State"] == "CANCEL_PENDING"
    emr.cancel_steps(ClusterId=cluster_id, StepIds=[step_id], StepCancellationOption="TERMINATE_PROCESS")
    localemr_server.wait_step(cluster_id, step_id, "CANCELLED")
    assert (step_id, True) in localemr_server.runner.cancels


def test_a_step_that_ignores_its_clusters_end_is_killed(localemr_server, monkeypatch):
    monkeypatch.setattr("airflow_provider_emrkit.localemr.emr.supervisor._GRACE", 0.05)
    localemr_server.runner.script("stubborn", hold=True, ignores_cancel=True)
    cluster_id = localemr_server.run_cluster()
    step_id = localemr_server.add_step(cluster_id, "stubborn")
    localemr_server.runner.wait_started("stubborn")
    supervisor = localemr_server.server.emr.supervisor(localemr_server.wait_cluster(cluster_id, "RUNNING"))
    # A process that its cluster does not know yet is not asked to end, but killed at once.
    wait_until(lambda: step_id in supervisor._steps, "the cluster knows the process")
    localemr_server.client("emr").terminate_job_flows(JobFlowIds=[cluster_id])
    localemr_server.wait_cluster(cluster_id, "TERMINATED")
    assert localemr_server.runner.cancels == [(step_id, False), (step_id, True)]


@pytest.fixture
def held_step_starts(localemr_server, monkeypatch):
    """Let steps stay RUNNING without a process until the event is set."""
    begun, going_on, script_of = threading.Event(), threading.Event(), localemr_server.runner.script_of

    def held(request):
        begun.set()
        assert going_on.wait(20)
        return script_of(request)

    monkeypatch.setattr(localemr_server.runner, "script_of", held)
    return begun, going_on


def test_a_step_that_is_killed_before_it_has_a_process_is_killed_once_it_has(
    localemr_server, held_step_starts
):
    localemr_server.runner.script("stubborn", hold=True, ignores_cancel=True)
    cluster_id = localemr_server.run_cluster()
    step_id = localemr_server.add_step(cluster_id, "stubborn")
    begun, going_on = held_step_starts
    assert begun.wait(20)
    localemr_server.client("emr").cancel_steps(
        ClusterId=cluster_id, StepIds=[step_id], StepCancellationOption="TERMINATE_PROCESS"
    )
    going_on.set()
    localemr_server.wait_step(cluster_id, step_id, "CANCELLED")


def test_a_step_that_gets_a_process_after_its_clusters_grace_is_killed(
    localemr_server, held_step_starts, monkeypatch
):
    monkeypatch.setattr("airflow_provider_emrkit.localemr.emr.supervisor._GRACE", 0.05)
    localemr_server.runner.script("stubborn", hold=True, ignores_cancel=True)
    cluster_id = localemr_server.run_cluster()
    step_id = localemr_server.add_step(cluster_id, "stubborn")
    begun, going_on = held_step_starts
    assert begun.wait(20)
    localemr_server.client("emr").terminate_job_flows(JobFlowIds=[cluster_id])
    record = localemr_server.wait_cluster(cluster_id, "TERMINATING")
    supervisor, waiting = localemr_server.server.emr.supervisor(record), threading.Event()
    for _ in range(1000):
        # Nobody is told that the time is up.
        if step_id in supervisor._killed or waiting.wait(0.02):
            break
    going_on.set()
    localemr_server.wait_cluster(cluster_id, "TERMINATED")
    assert localemr_server.runner.cancels == [(step_id, True)]


def test_cancelling_does_not_trigger_the_action_on_failure(localemr_server):
    localemr_server.runner.script("long", hold=True)
    cluster_id = localemr_server.run_cluster()
    step_id = localemr_server.add_step(cluster_id, "long", "TERMINATE_CLUSTER")
    localemr_server.runner.wait_started("long")
    localemr_server.client("emr").cancel_steps(ClusterId=cluster_id, StepIds=[step_id])
    localemr_server.wait_step(cluster_id, step_id, "CANCELLED")
    localemr_server.wait_cluster(cluster_id, "WAITING")


def test_a_step_that_has_ended_cannot_be_cancelled(localemr_server):
    cluster_id = localemr_server.run_cluster()
    step_id = localemr_server.add_step(cluster_id, "done")
    localemr_server.wait_step(cluster_id, step_id, "COMPLETED")
    answer = localemr_server.client("emr").cancel_steps(ClusterId=cluster_id, StepIds=[step_id])
    (item,) = answer["CancelStepsInfoList"]
    assert item["Status"] == "FAILED"
    assert "COMPLETED" in item["Reason"]


def test_a_cancelled_step_cannot_be_cancelled_again(localemr_server):
    localemr_server.runner.script("long", hold=True)
    cluster_id = localemr_server.run_cluster()
    _, pending = (localemr_server.add_step(cluster_id, name) for name in ("long", "next"))
    emr = localemr_server.client("emr")
    answers = [emr.cancel_steps(ClusterId=cluster_id, StepIds=[pending]) for _ in range(2)]
    assert [answer["CancelStepsInfoList"][0]["Status"] for answer in answers] == ["SUBMITTED", "FAILED"]


def test_an_unknown_step_is_an_invalid_request(localemr_server):
    cluster_id = localemr_server.run_cluster()
    refused = error(localemr_server.client("emr").describe_step, ClusterId=cluster_id, StepId="s-NOTTHERE")
    assert refused["Code"] == "InvalidRequestException"
    assert "Step id 's-NOTTHERE' is not valid." in refused["Message"]


def test_a_cluster_that_has_ended_takes_no_steps(localemr_server):
    cluster_id = localemr_server.run_cluster()
    localemr_server.client("emr").terminate_job_flows(JobFlowIds=[cluster_id])
    localemr_server.wait_cluster(cluster_id, "TERMINATED")
    refused = error(localemr_server.add_step, cluster_id=cluster_id, name="late")
    assert refused["Code"] == "ValidationException"
    assert "shutting down, terminated, or finished may not be modified" in refused["Message"]


def test_no_more_than_256_steps_are_active(localemr_server):
    localemr_server.runner.hold_starts()
    cluster_id = localemr_server.run_cluster()
    step = {"Name": "step", "HadoopJarStep": {"Jar": "command-runner.jar"}}
    emr = localemr_server.client("emr")
    emr.add_job_flow_steps(JobFlowId=cluster_id, Steps=[step] * 256)
    refused = error(emr.add_job_flow_steps, JobFlowId=cluster_id, Steps=[step])
    assert refused["Code"] == "ValidationException"
    assert "Maximum number of active steps" in refused["Message"]


def test_a_step_with_too_long_arguments_is_refused(localemr_server):
    cluster_id = localemr_server.run_cluster()
    jar_step = {"Jar": "command-runner.jar", "Args": ["x" * 6000, "y" * 6000]}
    refused = error(
        localemr_server.client("emr").add_job_flow_steps,
        JobFlowId=cluster_id,
        Steps=[{"Name": "long", "HadoopJarStep": jar_step}],
    )
    assert "10240" in refused["Message"]


def test_only_continue_goes_with_concurrent_steps(localemr_server):
    cluster_id = localemr_server.run_cluster(StepConcurrencyLevel=3)
    refused = error(localemr_server.add_step, cluster_id=cluster_id, name="x", action="CANCEL_AND_WAIT")
    assert refused["Code"] == "ValidationException"
    assert "ActionOnFailure" in refused["Message"]
    localemr_server.add_step(cluster_id, "y", "CONTINUE")


def test_log_lines_of_a_running_step_are_in_cloudwatch(localemr_server):
    localemr_server.runner.script("talks", hold=True, stdout=["first"])
    monitoring = {"CloudWatchLogConfiguration": {"Enabled": True, "LogStreamNamePrefix": "emr"}}
    cluster_id = localemr_server.run_cluster(
        Applications=[{"Name": "AmazonCloudWatchAgent"}], MonitoringConfiguration=monitoring
    )
    step_id = localemr_server.add_step(cluster_id, "talks")
    localemr_server.runner.write("talks", "second")
    localemr_server.runner.finish("talks")
    localemr_server.wait_step(cluster_id, step_id, "COMPLETED")
    events = localemr_server.client("logs").get_log_events(
        logGroupName=f"/aws/emr/{cluster_id}", logStreamName=f"emr/steps/{step_id}/stdout", startFromHead=True
    )["events"]
    assert {event["message"] for event in events} == {"first", "second"}
