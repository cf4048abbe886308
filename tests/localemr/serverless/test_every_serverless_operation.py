"""Every operation of EMR Serverless' model over HTTP: an answer that fits the model, or an AWS error."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError
from model_problems import problems

from airflow_provider_emrkit.localemr.rest_json import RestJson
from airflow_provider_emrkit.localemr.serverless.service import OPERATIONS

WIRE = RestJson("emr-serverless")
ROLE = "arn:aws:iam::123456789012:role/job"
JOB = {"sparkSubmit": {"entryPoint": "s3://code/job.py", "entryPointArguments": ["a b"]}}
SCOPE = "Credential=localemr/20260101/us-east-1/emr-serverless/aws4_request"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/jobs@sha256:" + "0" * 64


def send(url, method, path, body=None):
    """Return the status, headers and JSON of an answer."""
    request = urllib.request.Request(
        url + path,
        json.dumps(body).encode() if body is not None else None,
        {"Authorization": f"AWS4-HMAC-SHA256 {SCOPE}, SignedHeaders=host, Signature=none"},
        method=method,
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, json.load(error)


def test_every_operation_of_the_model_is_there():
    assert set(OPERATIONS) == set(WIRE.model.operation_names)


@pytest.mark.parametrize("operation", WIRE.model.operation_names)
def test_a_request_about_what_is_not_there_gets_an_aws_error_or_an_empty_list(localemr_server, operation):
    model = WIRE.operation(operation)
    arn = "arn:aws:emr-serverless:us-east-1:123456789012:/applications/00nothing"
    path = model.http["requestUri"].replace("{resourceArn}", quote(arn, safe=""))
    for label in ("applicationId", "jobRunId", "sessionId"):
        path = path.replace(f"{{{label}}}", "00nothing")
    query = "?resourceId=00s&resourceType=SESSION&tagKeys=a"
    body = {"clientToken": "t", "executionRoleArn": ROLE, "jobDriver": JOB, "tags": {"a": "b"}}
    body |= {"releaseLabel": "emr-7.11.0", "type": "HIVE"}
    status, headers, answer = send(localemr_server.endpoint_url, model.http["method"], path + query, body)
    assert headers["Content-Type"] == "application/json"
    assert headers["x-amzn-RequestId"]
    if operation == "ListApplications":
        assert (status, answer) == (200, {"applications": []})
        return
    expected = {"CreateApplication": ("ValidationException", 400)}
    assert (headers["x-amzn-ErrorType"], status) == expected.get(
        operation, ("ResourceNotFoundException", 404)
    )
    assert answer["message"]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("POST", "/applications/00a/nothing"), ("PUT", "/x")]
)
def test_a_path_that_is_none_is_an_aws_error(localemr_server, method, path):
    status, headers, answer = send(localemr_server.endpoint_url, method, path, {})
    assert (status, headers["x-amzn-ErrorType"]) == (404, "UnknownOperationException")
    assert answer["message"]


@pytest.mark.parametrize("operation", WIRE.model.operation_names)
def test_what_is_of_a_wrong_type_is_an_aws_error(localemr_server, operation):
    model = WIRE.operation(operation)
    path = model.http["requestUri"]
    for label in ("applicationId", "jobRunId", "sessionId", "resourceArn"):
        path = path.replace(f"{{{label}}}", "%ff%00")
    members = model.input_shape.members
    query = "&".join(f"{name}=%00&{name}=[1" for name in members)
    body = dict.fromkeys(members, 1.5)
    status, headers, answer = send(
        localemr_server.endpoint_url, model.http["method"], f"{path}?{query}", body
    )
    assert status == 400
    assert headers["x-amzn-ErrorType"] in ("ValidationException", "SerializationException")
    assert answer["message"]


@pytest.mark.parametrize("body", [b"[]", b"{", b"\xff", b'{"a":' * 5000])
def test_a_body_that_is_none_is_an_aws_error(localemr_server, body):
    request = urllib.request.Request(
        f"{localemr_server.endpoint_url}/applications",
        body,
        {"Authorization": f"AWS4-HMAC-SHA256 {SCOPE}, SignedHeaders=host, Signature=none"},
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=30)
    with caught.value as error:
        assert (error.code, error.headers["x-amzn-ErrorType"]) == (400, "SerializationException")


class Checked:
    """A client whose answers must fit the model."""

    def __init__(self, client) -> None:
        self.client = client
        self.seen: set[str] = set()
        client.meta.events.register("after-call", self._check)

    def _check(self, model, http_response, **_) -> None:
        if http_response.status_code == 200:
            assert list(problems(model.output_shape, json.loads(http_response.content))) == []
            self.seen.add(model.name)

    def __getattr__(self, name):
        return getattr(self.client, name)


@pytest.fixture
def client(localemr_server):
    return Checked(localemr_server.client("emr-serverless"))


def ended(client, **names):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        run = client.get_job_run(**names)["jobRun"]
        if run["state"] in ("SUCCESS", "FAILED", "CANCELLED"):
            return run
    raise TimeoutError(run)


def in_state(client, application_id, state):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        application = client.get_application(applicationId=application_id)["application"]
        if application["state"] == state:
            return application
    raise TimeoutError(application)


def test_every_successful_answer_fits_the_model(localemr_server, client):
    created = client.create_application(
        name="etl",
        releaseLabel="emr-7.11.0",
        type="SPARK",
        tags={"a": "b"},
        initialCapacity={
            "Driver": {"workerCount": 1, "workerConfiguration": {"cpu": "4vCPU", "memory": "16GB"}}
        },
        maximumCapacity={"cpu": "400vCPU", "memory": "1000GB", "disk": "9999GB"},
        imageConfiguration={"imageUri": IMAGE},
        workerTypeSpecifications={"Driver": {"imageConfiguration": {"imageUri": IMAGE}}},
        networkConfiguration={"subnetIds": ["subnet-1"], "securityGroupIds": ["sg-1"]},
        runtimeConfiguration=[{"classification": "spark-defaults", "properties": {"a": "b"}}],
        monitoringConfiguration={"cloudWatchLoggingConfiguration": {"enabled": True}},
        interactiveConfiguration={"studioEnabled": True},
        schedulerConfiguration={"maxConcurrentRuns": 5},
        identityCenterConfiguration={"userBackgroundSessionsEnabled": True},
        jobLevelCostAllocationConfiguration={"enabled": True},
    )
    application_id, arn = created["applicationId"], created["arn"]
    client.update_application(applicationId=application_id, autoStopConfiguration={"enabled": False})
    client.start_application(applicationId=application_id)
    application = in_state(client, application_id, "STARTED")
    assert application["imageConfiguration"]["resolvedImageDigest"] == "sha256:" + "0" * 64
    localemr_server.jobs.script("job.py", fails="ValueError: no", times=1)
    run = client.start_job_run(
        applicationId=application_id,
        executionRoleArn=ROLE,
        executionIamPolicy={"policyArns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"]},
        jobDriver=JOB,
        configurationOverrides={
            "applicationConfiguration": [{"classification": "spark-defaults"}],
            "monitoringConfiguration": {"s3MonitoringConfiguration": {"logUri": "s3://logs/"}},
        },
        tags={"run": "1"},
        name="daily",
        executionTimeoutMinutes=60,
        retryPolicy={"maxAttempts": 2},
        flexExecution={"enabled": True},
    )
    names = {"applicationId": application_id, "jobRunId": run["jobRunId"]}
    assert ended(client, **names)["state"] == "SUCCESS"
    client.get_job_run(**names, attempt=1)
    assert len(client.list_job_run_attempts(**names)["jobRunAttempts"]) == 2
    assert client.list_job_runs(applicationId=application_id)["jobRuns"]
    assert client.list_applications()["applications"]
    assert client.get_dashboard_for_job_run(**names)["url"].startswith("http://127.0.0.1:")
    client.tag_resource(resourceArn=run["arn"], tags={"c": "d"})
    client.untag_resource(resourceArn=run["arn"], tagKeys=["run"])
    assert client.list_tags_for_resource(resourceArn=run["arn"])["tags"] == {"c": "d"}
    assert client.list_tags_for_resource(resourceArn=arn)["tags"] == {"a": "b"}
    assert client.list_sessions(applicationId=application_id)["sessions"] == []
    localemr_server.jobs.script("held.py", hold=True)
    held = {"sparkSubmit": {"entryPoint": "s3://code/held.py"}}
    second = client.start_job_run(applicationId=application_id, executionRoleArn=ROLE, jobDriver=held)
    names["jobRunId"] = second["jobRunId"]
    client.get_job_run(**names)
    localemr_server.jobs.wait_started("held.py")
    client.cancel_job_run(**names)
    assert ended(client, **names)["state"] == "CANCELLED"
    client.stop_application(applicationId=application_id)
    in_state(client, application_id, "STOPPED")
    client.delete_application(applicationId=application_id)
    client.get_application(applicationId=application_id)
    never = {"GetResourceDashboard", "GetSession", "GetSessionEndpoint", "StartSession", "TerminateSession"}
    assert client.seen == set(OPERATIONS) - never


def test_errors_are_botocores_own_exceptions(client):
    with pytest.raises(client.exceptions.ResourceNotFoundException) as caught:
        client.get_application(applicationId="00nothing")
    assert caught.value.response["Error"]["Message"] == "Application 00nothing does not exist"
    request = {"releaseLabel": "emr-7.11.0", "type": "SPARK", "clientToken": "once"}
    client.create_application(**request)
    with pytest.raises(client.exceptions.ConflictException):
        client.create_application(**request, name="other")
    with pytest.raises(client.exceptions.ValidationException):
        client.create_application(releaseLabel="emr-5.36.0", type="SPARK")


def test_boto3s_paginators_see_everything_once(client):
    ids = [
        client.create_application(releaseLabel="emr-7.11.0", type="SPARK")["applicationId"] for _ in range(7)
    ]
    pages = client.get_paginator("list_applications").paginate(PaginationConfig={"PageSize": 3})
    assert [item["id"] for page in pages for item in page["applications"]] == ids[::-1]


def test_a_bug_of_ours_is_an_aws_error_with_a_request_id(localemr_server, client, monkeypatch, caplog):
    monkeypatch.setattr(localemr_server.server.serverless, "now", lambda: 1 / 0)
    with pytest.raises(ClientError) as caught:
        client.create_application(releaseLabel="emr-7.11.0", type="SPARK")
    response = caught.value.response
    assert response["Error"]["Code"] == "InternalServerException"
    assert response["ResponseMetadata"]["RequestId"] in response["Error"]["Message"]
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert "ZeroDivisionError" in caplog.text


def test_a_waiter_of_the_amazon_provider_is_answered_at_once(localemr_server, client):
    from botocore.waiter import WaiterModel, create_waiter_with_client

    done = {"matcher": "path", "argument": "jobRun.state", "expected": "SUCCESS", "state": "success"}
    config = {"operation": "GetJobRun", "delay": 60, "maxAttempts": 2, "acceptors": [done]}
    model = WaiterModel({"version": 2, "waiters": {"job": config}})
    application_id = client.create_application(releaseLabel="emr-7.11.0", type="SPARK")["applicationId"]
    localemr_server.jobs.hold_prepares()
    run = client.start_job_run(applicationId=application_id, executionRoleArn=ROLE, jobDriver=JOB)
    localemr_server.jobs.release_prepares()
    begun = time.monotonic()
    create_waiter_with_client("job", model, client.client).wait(
        applicationId=application_id, jobRunId=run["jobRunId"]
    )
    assert time.monotonic() - begun < 20


def test_the_health_page_counts(localemr_server, client):
    application_id = client.create_application(releaseLabel="emr-7.11.0", type="SPARK")["applicationId"]
    ended(
        client,
        applicationId=application_id,
        jobRunId=client.start_job_run(applicationId=application_id, executionRoleArn=ROLE, jobDriver=JOB)[
            "jobRunId"
        ],
    )
    health = localemr_server.server.health()
    assert (health["applications"], health["job_runs"]) == ({"STARTED": 1}, {"SUCCESS": 1})
