"""Deferrable jobs whose application is not ready, through ``dag.test()``: their triggers wait for it.

These also run on the oldest Airflow that is supported.
"""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import boto3
import pytest

from airflow_provider_emrkit.testing.faults import faults

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

DAGS = Path(__file__).parent / "dags"
ROLE = "arn:aws:iam::123456789012:role/emr-serverless-job"
STARTS, RUNS = "e2e_waits_for_start", "e2e_waits_for_job_runs"
# The most looks of a wait that a task takes on its worker before it leaves the rest to its trigger, and those
# at an application that it makes before it waits for its start.
ON_THE_WORKER = 5
WHEN_MADE = 2
# What is waited for must not come before the wait is the trigger's, however slow the worker is.
NEVER = 600


@pytest.fixture(scope="module")
def serverless(localemr):
    return boto3.client("emr-serverless", endpoint_url=localemr.endpoint, region_name="us-east-1")


@pytest.fixture
def busy(localemr, serverless, wait_until):
    """An application that is not yet as its spec says, with somebody's job run; gives the ids of both."""
    key = "e2e/waits/beats.py"
    bucket = localemr.s3.list_buckets()["Buckets"][0]["Name"]
    localemr.s3.upload_file(str(DAGS / "jobs" / "beats.py"), bucket, key)
    application = serverless.create_application(
        name=RUNS, releaseLabel="emr-7.11.0", type="SPARK", tags={"emrkit:application": RUNS}
    )["applicationId"]
    driver = {"entryPoint": f"s3://{bucket}/{key}", "entryPointArguments": ["theirs", "600"]}
    run = serverless.start_job_run(
        applicationId=application,
        clientToken="theirs",
        executionRoleArn=ROLE,
        jobDriver={"sparkSubmit": driver},
    )["jobRunId"]
    ids = {"applicationId": application, "jobRunId": run}
    wait_until(lambda: serverless.get_job_run(**ids)["jobRun"]["state"] == "RUNNING", "it runs", 120)
    return ids


@pytest.fixture
def when_triggered(localemr, wait_until):
    """Do something as soon as a trigger looks: when a call was made more often than a worker makes it."""

    @contextlib.contextmanager
    def call(operation, most, act):
        with faults(localemr.endpoint, latency={"operation": operation, "seconds": 0.001}) as looks:

            def wait_and_act():
                wait_until(lambda: looks.struck > most, "the trigger looks", 180)
                act()

            acting = threading.Thread(target=wait_and_act, daemon=True)
            acting.start()
            yield
            acting.join(20)

    return call


def one_of(serverless, name):
    found = [one for one in serverless.list_applications()["applications"] if one["name"] == name]
    (application,) = found
    return application["id"]


def run_states(serverless, application_id):
    runs = serverless.list_job_runs(applicationId=application_id)["jobRuns"]
    return [run["state"] for run in sorted(runs, key=lambda run: run["createdAt"])]


def test_a_start_is_waited_for_in_the_triggerer(dag_test, localemr, serverless, when_triggered):
    slow = {"application": STARTS, "seconds": NEVER}
    with (
        faults(localemr.endpoint, slow_application=slow) as starting,
        when_triggered("GetApplication", WHEN_MADE + ON_THE_WORKER, starting.end),
    ):
        ended, printed = dag_test(STARTS, DAGS)
    assert ended == '{"state": "success"}', printed
    application_id = one_of(serverless, STARTS)
    said = f"application {application_id} is STARTING, and to be started"
    assert f"Waiting in the triggerer: {said}" in printed, printed
    assert run_states(serverless, application_id) == ["SUCCESS"]


def test_the_end_of_other_job_runs_is_waited_for_in_the_triggerer(dag_test, serverless, busy, when_triggered):
    with when_triggered("ListJobRuns", ON_THE_WORKER, lambda: serverless.cancel_job_run(**busy)):
        ended, printed = dag_test(RUNS, DAGS)
    assert ended == '{"state": "success"}', printed
    said = f"application {busy['applicationId']} is to be updated: it has the job runs {busy['jobRunId']}"
    assert f"Waiting in the triggerer: {said}" in printed, printed
    assert one_of(serverless, RUNS) == busy["applicationId"]
    assert run_states(serverless, busy["applicationId"]) == ["CANCELLED", "SUCCESS"]
