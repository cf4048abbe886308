from __future__ import annotations

import json
from dataclasses import replace

import pytest

from airflow_provider_emrkit.exceptions import (
    AccessDeniedError,
    BootstrapError,
    ClusterFailedError,
    ClusterLostError,
    JobNotFoundError,
    RunCancelledError,
    RunError,
    RunNotFoundError,
    UserCodeError,
)
from airflow_provider_emrkit.logs.causes import LogText
from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.runs.outcome import failure, result, unwatchable
from airflow_provider_emrkit.runs.protocol import FailureFacts
from airflow_provider_emrkit.runs.start_logs import bootstrap_log
from airflow_provider_emrkit.runs.states import RunState, RunStatus

RUN = JobRun(
    kind="step",
    cluster_id="j-1",
    step_id="s-1",
    token="0123456789abcdef-2-3-1",
    name="sales.load emrkit:0123456789abcdef-2-3-1",
    region="us-east-1",
    owns_cluster=True,
    submitted_at=1_000.0,
    log_uri="s3://logs/emr/",
    log_group="/emr/sales",
    log_prefix="a/",
    relaunch=1,
)
DONE = RunStatus(RunState.SUCCEEDED, "COMPLETED", started_at=1_300.0, ended_at=1_360.5)
NOTHING = FailureFacts()


def test_a_result_tells_all_there_is_to_know():
    cost = {"normalized_instance_hours": 8.0}
    assert result(RUN, DONE, cost) == {
        "kind": "step",
        "cluster_id": "j-1",
        "step_id": "s-1",
        "name": "sales.load emrkit:0123456789abcdef-2-3-1",
        "token": "0123456789abcdef-2-3-1",
        "region": "us-east-1",
        "state": "COMPLETED",
        "submitted_at": 1_000.0,
        "started_at": 1_300.0,
        "ended_at": 1_360.5,
        "waited_seconds": 300.0,
        "seconds": 60.5,
        "total_seconds": 360.5,
        "attempts": {"try_number": 3, "relaunches": 1},
        "log_uri": "s3://logs/emr/",
        "log_group": "/emr/sales",
        "log_prefix": "a/",
        "owns_cluster": True,
        "cost": cost,
    }


def test_a_result_is_plain_json_also_where_little_is_known():
    value = result(replace(RUN, token="another-kind-of-token"), RunStatus(RunState.SUCCEEDED, "COMPLETED"))
    assert json.loads(json.dumps(value)) == value
    assert (value["seconds"], value["cost"]) == (None, None)
    assert value["attempts"] == {"try_number": None, "relaunches": 1}


def test_of_a_job_with_an_image_the_image_is_spoken_of():
    lines = ["Traceback (most recent call last):", "ModuleNotFoundError: No module named 'pandas'"]
    facts = FailureFacts("Unknown Error.", texts=[LogText("stderr", lines)], image="etl:1.4")
    error = failure(RUN, RunStatus(RunState.FAILED, "FAILED"), facts)
    assert isinstance(error, JobNotFoundError)
    assert str(error).endswith("- install it in the job's image (etl:1.4), or ship it with SparkJob.py_files")


def test_a_failed_job_is_told_with_its_place_its_log_and_what_may_help():
    lines = ["Traceback (most recent call last):", "ModuleNotFoundError: No module named 'pandas'"]
    facts = FailureFacts("Unknown Error.", "s3://logs/stderr.gz", [LogText("stderr", lines)])
    error = failure(RUN, RunStatus(RunState.FAILED, "FAILED"), facts)
    assert str(error) == (
        "step s-1 on cluster j-1 failed: ModuleNotFoundError: No module named 'pandas' (lines 1-2 of stderr) "
        "- ship the module with SparkJob.py_files, or install it: in the job's image if it has one, else by "
        "a bootstrap action"
    )


def test_an_exception_carries_the_cause():
    lines = ["Traceback (most recent call last):", "ValueError: no day"]
    error = failure(RUN, RunStatus(RunState.FAILED, "FAILED"), FailureFacts(texts=[LogText("stderr", lines)]))
    assert isinstance(error, UserCodeError)
    assert error.cause
    assert (error.cause.kind, error.cause.message) == ("python", "ValueError: no day")


@pytest.mark.parametrize(
    ("status", "error", "text"),
    [
        pytest.param(
            RunStatus(
                RunState.LOST, "RUNNING", compute_state="TERMINATED", compute_message="The master failed"
            ),
            ClusterLostError,
            "cluster j-1 was lost while step s-1 on cluster j-1 ran: The master failed",
            id="lost",
        ),
        pytest.param(
            RunStatus(RunState.LOST, "INTERRUPTED", compute_state="TERMINATED"),
            ClusterLostError,
            "cluster j-1 was lost while step s-1 on cluster j-1 ran: TERMINATED",
            id="lost, nobody knows why",
        ),
        pytest.param(
            RunStatus(RunState.NEVER_RAN, "PENDING", compute_state="TERMINATED_WITH_ERRORS"),
            ClusterFailedError,
            "cluster j-1 did not start: TERMINATED_WITH_ERRORS",
            id="never up",
        ),
        pytest.param(
            RunStatus(
                RunState.NEVER_RAN, "PENDING", compute_state="TERMINATED", compute_code="INSTANCE_FAILURE"
            ),
            ClusterLostError,
            "cluster j-1 ended before step s-1 on cluster j-1 could run: TERMINATED",
            id="ended early",
        ),
        pytest.param(
            RunStatus(RunState.CANCELLED, "CANCELLED", "Cancelled by user", "WAITING", "Cluster ready"),
            RunCancelledError,
            "step s-1 on cluster j-1 was cancelled: Cancelled by user",
            id="cancelled",
        ),
        pytest.param(
            RunStatus(RunState.CANCELLED, "CANCELLED", "", "TERMINATING", "Terminated by user request"),
            RunCancelledError,
            "step s-1 on cluster j-1 was cancelled: Terminated by user request",
            id="cancelled with its cluster",
        ),
        pytest.param(
            RunStatus(RunState.CANCELLED, "CANCELLED"),
            RunCancelledError,
            "step s-1 on cluster j-1 was cancelled",
            id="cancelled, nobody knows why",
        ),
        pytest.param(
            RunStatus(RunState.UNLISTED, "not listed", compute_state="WAITING"),
            RunNotFoundError,
            "EMR does not list step s-1 of cluster j-1 any more; it keeps the last 1,000 steps of a cluster. "
            "See from what the job wrote how it ended, before it is started again",
            id="listed no more",
        ),
    ],
)
def test_what_became_of_the_cluster_is_told(status, error, text):
    raised = failure(RUN, status, FailureFacts(log_file="s3://logs/of-the-step"))
    assert (type(raised), str(raised)) == (error, text)


FAILED_ACTION = (
    "On the master instance (i-0991cbf940d71cbfd), bootstrap action 2 returned a non-zero return code"
)


def test_the_log_of_a_bootstrap_action_is_named():
    status = RunStatus(
        RunState.NEVER_RAN, "CANCELLED", compute_code="BOOTSTRAP_FAILURE", compute_message=FAILED_ACTION
    )
    error = failure(RUN, status, NOTHING)
    assert isinstance(error, BootstrapError)
    log = "s3://logs/emr/j-1/node/i-0991cbf940d71cbfd/bootstrap-actions/2/stderr.gz"
    assert f"{FAILED_ACTION} ({log}) - " in str(error)


@pytest.mark.parametrize(
    ("log_uri", "message", "log"),
    [
        pytest.param(
            "s3n://logs",
            FAILED_ACTION,
            "s3://logs/j-1/node/i-0991cbf940d71cbfd/bootstrap-actions/2/stderr.gz",
            id="s3n",
        ),
        pytest.param(None, FAILED_ACTION, None, id="no logs are kept"),
        pytest.param(
            "s3://logs/", "application provisioning failed on (i-0991cbf940d71cbfd)", None, id="no action"
        ),
        pytest.param("s3://logs/", "bootstrap action 1 failed", None, id="no instance"),
    ],
)
def test_where_the_log_of_a_bootstrap_action_is(log_uri, message, log):
    assert bootstrap_log(replace(RUN, log_uri=log_uri), message) == log


@pytest.mark.parametrize(
    ("kind", "error", "said"),
    [
        pytest.param("AccessDeniedError", AccessDeniedError, "not allowed", id="emrkit's own"),
        pytest.param("KeyError", RunError, "KeyError: not allowed", id="anything else"),
        pytest.param("annotations", RunError, "annotations: not allowed", id="no type at all"),
        pytest.param(None, RunError, "not allowed", id="of a trigger that did not say"),
    ],
)
def test_a_run_that_could_not_be_watched_keeps_the_type_of_its_error(kind, error, said):
    raised = unwatchable(RUN, kind, "not allowed", "it is CANCELLED")
    assert type(raised) is error
    assert str(raised) == f"{RUN} could not be watched any longer ({said}), so it was to end: it is CANCELLED"
