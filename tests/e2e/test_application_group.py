"""A group of tasks that share an application, through ``dag.test()`` and real Spark.

These also run on the oldest Airflow that is supported.
"""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest

from airflow_provider_emrkit.testing.faults import faults

pytestmark = [pytest.mark.e2e, pytest.mark.alone, pytest.mark.timeout(600)]

DAGS = Path(__file__).parent / "dags"
ROLE = "arn:aws:iam::123456789012:role/emr-serverless-job"


@pytest.fixture(scope="module")
def serverless(localemr):
    return boto3.client("emr-serverless", endpoint_url=localemr.endpoint, region_name="us-east-1")


def applications(serverless, name):
    return [one for one in serverless.list_applications()["applications"] if one["name"] == name]


def run_states(serverless, application_id):
    runs = serverless.list_job_runs(applicationId=application_id)["jobRuns"]
    return sorted(run["state"] for run in runs)


@pytest.mark.parametrize(
    ("dag_id", "state", "runs", "left"),
    [
        pytest.param("e2e_application_stopped", "success", ["SUCCESS", "SUCCESS"], "STOPPED", id="stop"),
        pytest.param("e2e_application_deleted", "success", ["SUCCESS", "SUCCESS"], "TERMINATED", id="delete"),
        pytest.param("e2e_application_fails", "failed", ["FAILED", "SUCCESS"], "STOPPED", id="a job fails"),
    ],
)
def test_jobs_share_an_application_that_is_put_away(dag_test, serverless, dag_id, state, runs, left):
    ended, printed = dag_test(dag_id, DAGS)
    assert ended == f'{{"state": "{state}"}}', printed
    (application,) = applications(serverless, dag_id)
    assert application["state"] == left, printed
    assert run_states(serverless, application["id"]) == runs
    if state == "failed":
        assert "ValueError: no flights on 2013-02-30" in printed


def test_an_application_whose_start_is_given_up_is_stopped_all_the_same(dag_test, localemr, serverless):
    dag_id = "e2e_application_start_ends"
    with faults(localemr.endpoint, slow_application={"application": dag_id, "seconds": 25}):
        ended, printed = dag_test(dag_id, DAGS)
    assert ended == '{"state": "failed"}', printed
    assert "waited longer than execution_timeout (0:00:20)" in printed, printed
    (application,) = applications(serverless, dag_id)
    assert f"Application {application['id']} is STOPPED." in printed, printed
    assert application["state"] == "STOPPED"
    assert run_states(serverless, application["id"]) == []
