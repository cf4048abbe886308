"""Faults of steps, as the API shows them."""

from __future__ import annotations

import pytest

from airflow_provider_emrkit.localemr.faults.steps import FailingStep
from airflow_provider_emrkit.localemr.run.contract import StepResult
from airflow_provider_emrkit.testing.faults import faults


@pytest.fixture
def url(localemr_server):
    return localemr_server.endpoint_url


def names_run(localemr_server):
    return [step.name for step in localemr_server.runner.steps]


def listed(localemr_server, cluster_id):
    return [step["Name"] for step in localemr_server.client("emr").list_steps(ClusterId=cluster_id)["Steps"]]


def test_the_nth_step_fails_with_a_message_and_does_nothing(localemr_server, url):
    localemr_server.client("s3").create_bucket(Bucket="logs")
    cluster_id = localemr_server.run_cluster(LogUri="s3://logs/emr")
    with faults(url, failed_step={"nth": 2, "message": "ValueError: no such day"}):
        ids = [localemr_server.add_step(cluster_id, f"day {number}") for number in range(3)]
        states = [localemr_server.wait_step(cluster_id, step, "COMPLETED", "FAILED").state for step in ids]
    assert states == ["COMPLETED", "FAILED", "COMPLETED"]
    shown = localemr_server.client("emr").describe_step(ClusterId=cluster_id, StepId=ids[1])["Step"]["Status"]
    assert shown["FailureDetails"] == {
        "Reason": "Unknown Error.",
        "Message": "ValueError: no such day",
        "LogFile": f"s3://logs/emr/{cluster_id}/steps/{ids[1]}/stderr.gz",
    }
    ran = localemr_server.runner.steps[1]
    assert ran.args[:2] == ("bash", "-c")
    assert ran.args[-1] == "ValueError: no such day"


def test_a_step_may_do_its_work_and_fail(localemr_server, url):
    cluster_id = localemr_server.run_cluster()
    with faults(url, failed_step={"step": "etl", "runs": True}):
        localemr_server.wait_step(cluster_id, localemr_server.add_step(cluster_id, "etl"), "FAILED")
    assert localemr_server.runner.steps[0].args[-1] == "s3://code/job.py"


def test_only_steps_of_a_name_in_clusters_of_a_name_fail(localemr_server, url):
    good = localemr_server.run_cluster(Name="good")
    bad = localemr_server.run_cluster(Name="bad 1")
    with faults(url, failed_step={"step": "etl [af:?]", "cluster": "bad *"}):
        for cluster, name, state in (
            (good, "etl [af:1]", "COMPLETED"),
            (bad, "other", "COMPLETED"),
            (bad, "etl [af:1]", "FAILED"),
        ):
            localemr_server.wait_step(cluster, localemr_server.add_step(cluster, name), state)


def test_a_failed_step_does_to_its_cluster_what_its_action_says(localemr_server, url):
    cluster_id = localemr_server.run_cluster()
    with faults(url, failed_step=True):
        localemr_server.add_step(cluster_id, "etl", "TERMINATE_CLUSTER")
        record = localemr_server.wait_cluster(cluster_id, "TERMINATED_WITH_ERRORS")
    assert record.reason_code == "STEP_FAILURE"


def test_a_failing_step_that_is_cancelled_is_cancelled(localemr_server, url):
    localemr_server.runner.script("etl", hold=True)
    cluster_id = localemr_server.run_cluster()
    with faults(url, failed_step={"runs": True}):
        step_id = localemr_server.add_step(cluster_id, "etl")
        localemr_server.runner.wait_started("etl")
        localemr_server.client("emr").cancel_steps(ClusterId=cluster_id, StepIds=[step_id])
        localemr_server.wait_step(cluster_id, step_id, "CANCELLED")


def test_a_step_hangs_until_the_fault_is_taken_away(localemr_server, url):
    cluster_id = localemr_server.run_cluster()
    with faults(url, hung_step="etl"):
        step_id = localemr_server.add_step(cluster_id, "etl")
        localemr_server.wait_step(cluster_id, step_id, "RUNNING")
        assert names_run(localemr_server) == []
    localemr_server.wait_step(cluster_id, step_id, "COMPLETED")
    assert names_run(localemr_server) == ["etl"]


def test_a_step_hangs_for_some_time(localemr_server, url):
    cluster_id = localemr_server.run_cluster()
    with faults(url, hung_step=0.2):
        step = localemr_server.wait_step(cluster_id, localemr_server.add_step(cluster_id, "etl"), "COMPLETED")
    assert (step.ended - step.started).total_seconds() >= 0.2


@pytest.mark.parametrize("end", ["cancel", "terminate"])
def test_a_step_that_hangs_can_be_ended(localemr_server, url, end):
    emr = localemr_server.client("emr")
    cluster_id = localemr_server.run_cluster()
    with faults(url, hung_step=True):
        step_id = localemr_server.add_step(cluster_id, "etl")
        localemr_server.wait_step(cluster_id, step_id, "RUNNING")
        if end == "cancel":
            emr.cancel_steps(ClusterId=cluster_id, StepIds=[step_id])
        else:
            emr.terminate_job_flows(JobFlowIds=[cluster_id])
        localemr_server.wait_step(cluster_id, step_id, "CANCELLED")
    assert names_run(localemr_server) == []


def test_a_step_that_hung_can_fail_too(localemr_server, url):
    cluster_id = localemr_server.run_cluster()
    with faults(url, hung_step=0.1, failed_step={"message": "late and wrong"}):
        step = localemr_server.wait_step(cluster_id, localemr_server.add_step(cluster_id, "etl"), "FAILED")
    assert step.failure.message == "late and wrong"


def test_no_step_fails_by_a_fault_that_is_taken_away(localemr_server, url):
    localemr_server.runner.script("ran", hold=True)
    cluster_id = localemr_server.run_cluster(StepConcurrencyLevel=2)
    with faults(url, hung_step="waits", failed_step=["waits", {"step": "ran", "runs": True}]):
        waits, ran = (localemr_server.add_step(cluster_id, name) for name in ("waits", "ran"))
        localemr_server.wait_step(cluster_id, waits, "RUNNING")
        localemr_server.runner.wait_started("ran")
    localemr_server.runner.finish("ran")
    localemr_server.wait_step(cluster_id, ran, "COMPLETED")
    localemr_server.wait_step(cluster_id, waits, "COMPLETED")


def test_steps_are_counted_in_the_order_in_which_they_are_started(localemr_server, url):
    cluster_id = localemr_server.run_cluster(StepConcurrencyLevel=10)
    with faults(url, failed_step={"nth": 7}):
        ids = [localemr_server.add_step(cluster_id, f"step {number}") for number in range(10)]
        ended = [localemr_server.wait_step(cluster_id, step, "COMPLETED", "FAILED").state for step in ids]
    assert [number for number, state in enumerate(ended, 1) if state == "FAILED"] == [7]


def test_a_new_step_is_listed_late(localemr_server, url):
    localemr_server.runner.script("new", hold=True)
    cluster_id = localemr_server.run_cluster()
    with faults(url, late_listing={"seconds": 3600, "step": "new"}):
        localemr_server.add_step(cluster_id, "old")
        step_id = localemr_server.add_step(cluster_id, "new")
        assert listed(localemr_server, cluster_id) == ["old"]
        localemr_server.client("emr").describe_step(ClusterId=cluster_id, StepId=step_id)
    assert listed(localemr_server, cluster_id) == ["new", "old"]


def test_a_failing_step_says_of_itself_that_it_was_cancelled():
    class Cancelled:
        def wait(self):
            return StepResult(succeeded=False, cancelled=True)

    assert FailingStep(Cancelled(), StepResult(succeeded=False, message="no")).wait().cancelled
