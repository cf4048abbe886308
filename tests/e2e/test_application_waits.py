"""Deferrable jobs whose application is not ready, through ``dag.test()``: their triggers wait for it.

These also run on the oldest Airflow that is supported.
"""

from __future__ import annotations

import threading
from pathlib import Path

import boto3
import pytest

from airflow_provider_emrkit.testing.faults import faults

pytestmark = pytest.mark.e2e

DAGS = Path(__file__).parent / "dags"
ROLE = "arn:aws:iam::123456789012:role/emr-serverless-job"
STARTS, RUNS = "e2e_waits_for_start", "e2e_waits_for_job_runs"
# Looks at an application that a task makes on its worker before it leaves the rest to its trigger.
ON_THE_WORKER = 5


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
    wait_until(lambda: serverless.get_job_run(**ids)["jobRun"]["state"] == "RUNNING", "it runs", 60)
    return ids


def one_of(serverless, name):
    found = [one for one in serverless.list_applications()["applications"] if one["name"] == name]
    (application,) = found
    return application["id"]


def run_states(serverless, application_id):
    runs = serverless.list_job_runs(applicationId=application_id)["jobRuns"]
    return [run["state"] for run in sorted(runs, key=lambda run: run["createdAt"])]


def test_a_start_is_waited_for_in_the_triggerer(dag_test, localemr, serverless):
    with faults(localemr.endpoint, slow_application={"application": STARTS, "seconds": 8}):
        ended, printed = dag_test(STARTS, DAGS)
    assert ended == '{"state": "success"}', printed
    application_id = one_of(serverless, STARTS)
    said = f"application {application_id} is STARTING, and to be started"
    assert f"Waiting in the triggerer: {said}" in printed, printed
    assert run_states(serverless, application_id) == ["SUCCESS"]


def test_the_end_of_other_job_runs_is_waited_for_in_the_triggerer(
    dag_test, localemr, serverless, busy, wait_until
):
    counter = {"operation": "ListJobRuns", "seconds": 0.001}
    with faults(localemr.endpoint, latency=counter) as looks:

        def end_it_when_it_is_deferred() -> None:
            wait_until(lambda: looks.struck > ON_THE_WORKER, "the trigger looks", 60)
            serverless.cancel_job_run(**busy)

        ending = threading.Thread(target=end_it_when_it_is_deferred)
        ending.start()
        ended, printed = dag_test(RUNS, DAGS)
        ending.join(20)
    assert ended == '{"state": "success"}', printed
    said = f"application {busy['applicationId']} is to be updated: it has the job runs {busy['jobRunId']}"
    assert f"Waiting in the triggerer: {said}" in printed, printed
    assert one_of(serverless, RUNS) == busy["applicationId"]
    assert run_states(serverless, busy["applicationId"]) == ["CANCELLED", "SUCCESS"]
