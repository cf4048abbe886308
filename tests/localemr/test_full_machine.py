"""A machine that has no room for another thread: what was asked for fails, and nothing waits for ever."""

from __future__ import annotations

import threading

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def no_room(monkeypatch):
    """Let no thread start whose name begins with a text."""
    start = threading.Thread.start

    def full(name: str) -> None:
        def refuse(thread):
            if thread.name.startswith(name):
                raise RuntimeError("can't start new thread")
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", refuse)

    yield full
    monkeypatch.undo()


def test_a_cluster_that_gets_no_thread_is_none(localemr_server, no_room):
    no_room("localemr-j-")
    with pytest.raises(ClientError, match="InternalServerException"):
        localemr_server.run_cluster()
    assert localemr_server.client("emr").list_clusters()["Clusters"] == []


def test_a_step_that_gets_no_thread_ends_its_cluster(localemr_server, no_room):
    cluster_id = localemr_server.run_cluster()
    localemr_server.wait_cluster(cluster_id, "WAITING")
    no_room("localemr-s-")
    step_id = localemr_server.add_step(cluster_id, "job")
    record = localemr_server.wait_cluster(cluster_id, "TERMINATED_WITH_ERRORS")
    assert (record.reason_code, record.steps[step_id].state) == ("INTERNAL_ERROR", "CANCELLED")


@pytest.fixture
def application_id(localemr_server):
    serverless = localemr_server.client("emr-serverless")
    return serverless.create_application(releaseLabel="emr-7.11.0", type="SPARK")["applicationId"]


def start_run(localemr_server, application_id):
    answer = localemr_server.client("emr-serverless").start_job_run(
        applicationId=application_id,
        executionRoleArn="arn:aws:iam::123456789012:role/job",
        jobDriver={"sparkSubmit": {"entryPoint": "s3://code/job.py"}},
    )
    serverless = localemr_server.server.serverless
    run = serverless.store.run(application_id, answer["jobRunId"])
    with serverless.store.lock:
        assert serverless.scheduler.changed.wait_for(lambda: not run.is_active, 20), run
    return run


@pytest.mark.parametrize("kind", ["application", "job run"])
def test_a_job_run_without_a_thread_fails_and_the_next_one_does_not(
    localemr_server, application_id, no_room, kind
):
    if kind == "job run":
        start_run(localemr_server, application_id)
    # Both an application's thread and a job run's have their ids in their names.
    no_room("localemr-00")
    run = start_run(localemr_server, application_id)
    assert (run.state, "can't start new thread" in run.details) == ("FAILED", True)
    no_room("nothing")
    assert start_run(localemr_server, application_id).state == "SUCCESS"
