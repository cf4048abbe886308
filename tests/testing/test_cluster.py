"""Clusters and steps of a test, on a local EMR whose steps are scripted."""

from __future__ import annotations

import gzip

import pytest

from airflow_provider_emrkit.localemr.run.contract import ClusterStartError
from airflow_provider_emrkit.testing.cluster import LocalCluster, LocalClusterError
from airflow_provider_emrkit.testing.step import FinishedStep, StepFailedError

LOGS = "s3://logs/emr"


@pytest.fixture
def s3(localemr_server):
    client = localemr_server.client("s3")
    client.create_bucket(Bucket="logs")
    return client


@pytest.fixture
def start(localemr_server, s3):
    def call(**request):
        wanted = {"ReleaseLabel": "emr-7.11.0", "LogUri": LOGS, **request}
        return LocalCluster.start(localemr_server.client("emr"), s3, wanted)

    return call


def test_a_cluster_that_is_given_waits_for_steps(start):
    cluster = start(Name="mine")
    assert (cluster.state, str(cluster), cluster.describe()["Name"]) == ("WAITING", cluster.id, "mine")


def test_a_cluster_that_does_not_start_says_why(start, localemr_server):
    localemr_server.runner.start_error = ClusterStartError("no Spark can be had")
    with pytest.raises(LocalClusterError, match=r"emr-7\.11\.0 could not be started: .*no Spark can be had"):
        start()


def test_a_step_that_succeeds_has_its_output(start, localemr_server):
    localemr_server.runner.script("good", stdout=["hello"], stderr=["a warning"])
    step = start().run("spark-submit", "s3://code/good.py")
    assert (step.succeeded, step.state, step.args) == (
        True,
        "COMPLETED",
        ("spark-submit", "s3://code/good.py"),
    )
    assert (step.stdout, step.output, step.stderr) == ("hello\n", "hello\n", "a warning\n")


def test_a_step_that_fails_is_an_error_with_the_reason_and_the_end_of_what_it_said(start, localemr_server):
    localemr_server.runner.script("bad", stderr=["first", "last"], fails="ValueError: no such day")
    cluster = start()
    with pytest.raises(StepFailedError) as raised:
        cluster.run("spark-submit", "s3://code/bad.py")
    message = str(raised.value)
    assert f"step {raised.value.step.id} (spark-submit s3://code/bad.py) is FAILED" in message
    assert "Message: ValueError: no such day" in message
    assert message.endswith("first\nlast")
    assert not cluster.run("spark-submit", "s3://code/bad.py", check=False).succeeded


def test_a_step_that_takes_too_long_is_named_with_its_state(start, localemr_server):
    localemr_server.runner.script("long", hold=True)
    cluster = start()
    step_id = cluster.submit("spark-submit", "s3://code/long.py")
    localemr_server.runner.wait_started("long")
    with pytest.raises(TimeoutError, match=f"step {step_id} of cluster {cluster.id} is RUNNING after 0.1 s"):
        cluster.wait(step_id, timeout=0.1)
    # Its turn does not come before the other has ended.
    with pytest.raises(TimeoutError, match=f"of cluster {cluster.id} is PENDING after 0.1 s"):
        cluster.run("spark-submit", "s3://code/next.py", timeout=0.1)


def test_a_step_can_be_waited_for_later(start, localemr_server):
    localemr_server.runner.script("long", hold=True)
    cluster = start()
    step_id = cluster.submit("spark-submit", "s3://code/long.py")
    localemr_server.runner.finish("long")
    assert cluster.wait(step_id).state == "COMPLETED"


def test_a_cluster_that_has_ended_or_was_forgotten_is_of_no_use(start, localemr_server):
    with start() as ended:
        assert ended.is_usable
    assert (ended.state, ended.is_usable) == ("TERMINATED", False)
    forgotten = start()
    localemr_server.reset()
    assert not forgotten.is_usable


def step_with_logs(s3, **logs: str) -> FinishedStep:
    for path, text in logs.items():
        s3.put_object(Bucket="logs", Key=f"emr/j-1/{path}.gz", Body=gzip.compress(text.encode()))
    return FinishedStep(id="s-1", cluster_id="j-1", args=(), state="FAILED", log_uri=f"{LOGS}/", s3=s3)


def test_what_a_driver_in_the_cluster_printed_is_found_in_its_own_container(s3):
    folder = "containers/application_1_0002/container_1_0002_01"
    step = step_with_logs(
        s3,
        **{
            "steps/s-1/stdout": "",
            "steps/s-1/stderr": "INFO Submitted application application_1_0002\n",
            f"{folder}_000001/stdout": "the driver's",
            f"{folder}_000001/stderr": "the driver's log",
            f"{folder}_000002/stdout": "an executor's",
        },
    )
    assert (step.output, step.driver_log, step.stdout) == ("the driver's", "the driver's log", "")
    assert step.report().endswith("the driver's log")


def test_logs_that_are_not_there_are_empty(s3):
    step = step_with_logs(s3)
    assert (step.stdout, step.controller, step.output) == ("", "", "")
    assert step.report() == "step s-1 () is FAILED"
